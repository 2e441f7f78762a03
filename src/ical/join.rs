//! Many objects into one stream: GET on a calendar, feeds, export. RFC 4791 §4.1 read backwards.
//!
//! Objects are handed over one at a time as their bytes, so a calendar of any size needs the memory of one object.
//! Components go over as they are, each VTIMEZONE once for its TZID (of two that differ, the first), the objects' own
//! frames not at all. Lines that do not end in CRLF are made to, or one odd object would spoil the stream for readers
//! that take one kind of line ending. The reverse is [`super::split`].

use std::collections::HashSet;

use super::tree::{Component, Limits, Tree};

/// A stream that is being written.
#[derive(Debug, Default)]
pub struct Join {
    zones: HashSet<Vec<u8>>,
}

impl Join {
    /// Begins the VCALENDAR. `header` is content lines of its own: VERSION, PRODID, X-WR-CALNAME and so on.
    pub fn begin(header: &str, out: &mut Vec<u8>) -> Join {
        out.extend_from_slice(b"BEGIN:VCALENDAR\r\n");
        out.extend_from_slice(header.as_bytes());
        Join::default()
    }

    /// Adds the components of one object.
    pub fn push(&mut self, object: &[u8], out: &mut Vec<u8>) {
        let (start, mut new) = (out.len(), HashSet::new());
        if self.scan(object, out, &mut new).is_some() {
            self.zones.extend(new);
        } else {
            out.truncate(start);
            self.read(object, out);
        }
    }

    /// Ends the VCALENDAR.
    pub fn end(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"END:VCALENDAR\r\n");
    }

    /// The quick way: looks at no more than how each line begins. `None` where that does not suffice.
    fn scan(&self, object: &[u8], out: &mut Vec<u8>, new: &mut HashSet<Vec<u8>>) -> Option<()> {
        let (mut at, mut depth, mut start, mut zone) = (0, 0usize, 0, false);
        while at < object.len() {
            let end = at + memchr::memchr(b'\n', &object[at..])? + 1;
            let line = &object[at..end];
            if !line.ends_with(b"\r\n") {
                return None;
            }
            if line.starts_with(b"BEGIN:") {
                depth += 1;
                if depth == 2 {
                    (start, zone) = (at, line == b"BEGIN:VTIMEZONE\r\n");
                }
            } else if line.starts_with(b"END:") {
                if matches!(object.get(end), Some(b' ' | b'\t')) {
                    return None;
                }
                if depth == 2 && (!zone || self.is_new(tzid(&object[start..end])?, new)) {
                    out.extend_from_slice(&object[start..end]);
                }
                depth = depth.checked_sub(1)?;
            } else if depth == 0 || matches!(line[0], b'B' | b'E' | b'b' | b'e') && is_odd(line) {
                return None;
            }
            at = end;
        }
        (depth == 0).then_some(())
    }

    /// The sure way, by the tree.
    fn read(&mut self, object: &[u8], out: &mut Vec<u8>) {
        let limits = Limits {
            bytes: object.len(),
            lines: object.len(),
            ..Limits::default()
        };
        let Ok(tree) = Tree::parse(object, &limits) else {
            return;
        };
        for component in tree
            .roots()
            .filter(|root| root.is("VCALENDAR"))
            .flat_map(Component::children)
        {
            let tzid = component
                .property("TZID")
                .map(|tzid| tzid.text().into_owned())
                .unwrap_or_default();
            if !component.is("VTIMEZONE") || self.zones.insert(tzid.into_bytes()) {
                push_crlf(component.raw(), out);
            }
        }
    }

    /// Notes a TZID that this stream does not have yet.
    fn is_new(&self, tzid: &[u8], new: &mut HashSet<Vec<u8>>) -> bool {
        !self.zones.contains(tzid) && new.insert(tzid.to_owned())
    }
}

/// A line that may be a BEGIN or END in another spelling: lower case, folded, with parameters.
fn is_odd(line: &[u8]) -> bool {
    let name = line
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
        .count();
    let odd = |word: &[u8]| word.len() >= name && word[..name].eq_ignore_ascii_case(&line[..name]);
    odd(b"BEGIN") || odd(b"END")
}

/// The TZID of a VTIMEZONE's bytes where it stands plainly on one line.
fn tzid(zone: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(zone, b"\nTZID:")? + 6;
    let length = memchr::memchr(b'\n', &zone[at..])?;
    let folded = matches!(zone.get(at + length + 1), Some(b' ' | b'\t'));
    let value = zone[at..at + length].trim_ascii();
    (!folded && !value.contains(&b'\\')).then_some(value)
}

/// A text whose lines end in CRLF, whatever they ended in: XML turns CRLF into LF, and so do many servers.
pub fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 32);
    push_crlf(text, &mut out);
    out
}

/// Puts lines out with CRLF, whatever they ended in.
fn push_crlf(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(b"\r\n");
        let crs = rest[at..].iter().take_while(|byte| **byte == b'\r').count();
        rest = &rest[at + crs..];
        rest = rest.strip_prefix(b"\n").unwrap_or(rest);
    }
    out.extend_from_slice(rest);
    if !rest.is_empty() {
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(objects: &[&str]) -> String {
        let mut out = Vec::new();
        let mut join = Join::begin("VERSION:2.0\r\n", &mut out);
        for object in objects {
            join.push(object.as_bytes(), &mut out);
        }
        join.end(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn zone(tzid: &str) -> String {
        format!(
            "BEGIN:VTIMEZONE\r\nTZID:{tzid}\r\nBEGIN:STANDARD\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
        )
    }

    fn object(zones: &[&str], event: &str) -> String {
        let zones: String = zones.iter().map(|tzid| zone(tzid)).collect();
        format!(
            "BEGIN:VCALENDAR\r\nPRODID:x\r\n{zones}{event}CALSCALE:GREGORIAN\r\nEND:VCALENDAR\r\n"
        )
    }

    const EVENT: &str = "BEGIN:VEVENT\r\nEXDATE:20260101\r\nX-Y:BEGIN:\r\n END:VEVENT\r\nBEGIN:VALARM\r\nEND:VALARM\r\nEND:VEVENT\r\n";

    #[test]
    fn zones_come_once_and_frames_not_at_all() {
        let objects = [
            object(&["A", "B"], EVENT),
            object(&["B"], EVENT),
            object(&[], EVENT),
        ];
        let wanted = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}{}{EVENT}{EVENT}{EVENT}END:VCALENDAR\r\n",
            zone("A"),
            zone("B")
        );
        assert_eq!(join(&objects.each_ref().map(String::as_str)), wanted);
    }

    /// What the quick scan does not understand goes the sure way, to the same result.
    #[test]
    fn odd_objects_are_read_by_the_tree() {
        let plain = object(&["A"], EVENT);
        let wanted = join(&[&plain]);
        let odd = [
            plain.replace("\r\n", "\n"),
            plain.replace("\r\n", "\r"),
            format!("\u{feff}{plain}"),
            plain.trim_end().to_owned(),
            plain.replace("BEGIN:VCALENDAR", "BEG\r\n IN:VCALENDAR"),
            plain.replace("BEGIN:VCALENDAR", "begin:VCALENDAR"),
            plain.replace("END:VCALENDAR", "END:\r\n VCALENDAR"),
            plain.replace("END:VCALENDAR", "END;X=1:VCALENDAR"),
            plain
                .replace("TZID:A\r\n", "TZID:A\r\n \r\n")
                .replace(" \r\n", ""),
        ];
        for object in odd {
            assert_eq!(
                join(&[&object, &object]).matches("BEGIN:VTIMEZONE").count(),
                1,
                "{object:?}"
            );
            assert_eq!(join(&[&object]), wanted, "{object:?}");
        }
        assert_eq!(
            join(&["", "nothing", "BEGIN:VEVENT\r\nEND:VEVENT\r\n"]),
            join(&[])
        );
    }
}
