//! Level `full`: an object's components byte for byte, in the form that every fetcher takes (CLIENTS: CRLF, lines of
//! at most 75 octets, UID and DTSTAMP on each, no floating times).
//!
//! Nearly every stored text is like that already: [`scan`] makes sure of it line by line and gives the spans to copy.
//! The others are parsed and repaired by [`rewrite`].

use jiff::civil::Date;

use crate::ical::tree::{Component, Property, Tree};
use crate::ical::value::When;
use crate::ical::write::{content_line, line_of};

/// Told of every TZID with a date on which it is used.
pub type Uses<'u> = dyn FnMut(&str, Date) + 'u;

/// The properties whose value is a date or time with a TZID.
const TIMES: [&str; 6] = [
    "DTSTART",
    "DTEND",
    "DUE",
    "RECURRENCE-ID",
    "EXDATE",
    "RDATE",
];

/// The span of each component of a text that can be copied as it is; `None`: it needs [`rewrite`].
pub fn scan(text: &[u8], uses: &mut Uses<'_>) -> Option<Vec<std::ops::Range<usize>>> {
    let mut zoned = 0;
    let uses = &mut |tzid: &str, date: Date| {
        zoned += 1;
        uses(tzid, date);
    };
    let mut spans = Vec::with_capacity(2);
    let (mut depth, mut start, mut seen) = (0u32, 0, Seen::default());
    let mut at = 0;
    while at < text.len() {
        let end = at + memchr::memchr(b'\n', &text[at..])?;
        let line = text[at..end].strip_suffix(b"\r")?;
        let next = end + 1;
        let folded = matches!(text.get(next), Some(b' ' | b'\t'));
        if line.len() > 75 {
            return None;
        }
        match line.first()? {
            b'B' if line.starts_with(b"BEGIN:") => {
                depth += 1;
                if depth == 2 {
                    (start, seen) = (at, Seen::of(&line[6..], folded)?);
                }
            }
            b'E' if line.starts_with(b"END:") => {
                depth = depth.checked_sub(1)?;
                if depth == 1 && seen.copied()? {
                    spans.push(start..next);
                }
            }
            b'b' | b'e' if depth > 0 => return None,
            b'U' | b'D' | b'R' | b'E' if depth == 2 && !seen.zone => {
                seen.line(line, folded, uses)?
            }
            _ => {}
        }
        at = next;
    }
    // A TZID on any other property needs its VTIMEZONE, too.
    let named = memchr::memmem::find_iter(text, b";TZID=").count();
    (depth == 0 && named == zoned).then_some(spans)
}

/// What was found in the component at hand.
#[derive(Default)]
struct Seen {
    zone: bool,
    uid: bool,
    stamp: bool,
}

impl Seen {
    fn of(name: &[u8], folded: bool) -> Option<Seen> {
        (!folded).then(|| Seen {
            zone: name == b"VTIMEZONE",
            ..Seen::default()
        })
    }

    /// Is it to be copied? `None`: it lacks something.
    fn copied(&self) -> Option<bool> {
        match (self.zone, self.uid && self.stamp) {
            (true, _) => Some(false),
            (false, true) => Some(true),
            (false, false) => None,
        }
    }

    /// `None`: a time that must be rewritten, or one that is not plainly readable here.
    fn line(&mut self, line: &[u8], folded: bool, uses: &mut Uses<'_>) -> Option<()> {
        let name_end = line.iter().position(|b| matches!(b, b':' | b';'))?;
        match &line[..name_end] {
            b"UID" => self.uid = true,
            b"DTSTAMP" => self.stamp = true,
            name if TIMES.iter().any(|time| time.as_bytes() == name) => {
                let rest = std::str::from_utf8(&line[name_end..]).ok()?;
                return if folded { None } else { plain_time(rest, uses) };
            }
            _ => {}
        }
        Some(())
    }
}

/// `:…Z`, `;VALUE=DATE:…` or `;TZID=…:…` without quotes, and nothing else.
fn plain_time(rest: &str, uses: &mut Uses<'_>) -> Option<()> {
    if let Some(value) = rest.strip_prefix(':') {
        return (value.ends_with('Z') && !value.contains([',', '/'])).then_some(());
    }
    if rest.starts_with(";VALUE=DATE:") {
        return Some(());
    }
    let (tzid, value) = rest.strip_prefix(";TZID=")?.split_once(':')?;
    if tzid.contains(['"', ';', '^']) || value.ends_with('Z') {
        return None;
    }
    uses(tzid, read_date(value)?);
    Some(())
}

/// The first day among the times of a value; the beginning of time zones where none can be read.
fn first_day(value: &str) -> Date {
    let days = value.split(',').filter_map(|item| read_date(item.trim()));
    days.min().unwrap_or(Date::constant(1970, 1, 1))
}

fn read_date(value: &str) -> Option<Date> {
    let month = value.get(4..6)?.parse().ok()?;
    let day = value.get(6..8)?.parse().ok()?;
    Date::new(value.get(..4)?.parse().ok()?, month, day).ok()
}

/// The components of any text, repaired. `public` gives a time without zone the calendar's, `stamp` is the DTSTAMP
/// of what has none, `uid` the UID.
pub fn rewrite(
    tree: &Tree<'_>,
    stamp: &str,
    uid: &str,
    public: &mut dyn FnMut(&When) -> When,
    uses: &mut Uses<'_>,
    out: &mut Vec<u8>,
) {
    for part in tree
        .roots()
        .flat_map(|root| root.children())
        .filter(|part| !part.is("VTIMEZONE"))
    {
        let mut missing = String::new();
        if part.property("UID").is_none() {
            missing += &crate::ical::write::text_line("UID", &[], uid);
        }
        if part.property("DTSTAMP").is_none() {
            missing += &content_line("DTSTAMP", &[], stamp);
        }
        component(part, &missing, public, uses, out);
    }
}

fn component(
    part: Component<'_>,
    more: &str,
    public: &mut dyn FnMut(&When) -> When,
    uses: &mut Uses<'_>,
    out: &mut Vec<u8>,
) {
    let name = part.name().to_ascii_uppercase();
    out.extend_from_slice(content_line("BEGIN", &[], &name).as_bytes());
    out.extend_from_slice(more.as_bytes());
    for property in part.properties() {
        if let Some(tzid) = property.param("TZID") {
            uses(&tzid, first_day(&property.value()));
        }
        let line = time(property, public, uses).unwrap_or_else(|| line_of(property));
        out.extend_from_slice(line.as_bytes());
    }
    for child in part.children() {
        component(child, "", public, uses, out);
    }
    out.extend_from_slice(content_line("END", &[], &name).as_bytes());
}

/// A component's own lines in the form that every fetcher takes.
pub fn verbatim(part: Component<'_>) -> String {
    let mut out = Vec::new();
    component(part, "", &mut When::clone, &mut |_, _| {}, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The line of a time, with a zone if it had none; `None` when it is no time or needs no change.
fn time(
    property: Property<'_>,
    public: &mut dyn FnMut(&When) -> When,
    uses: &mut Uses<'_>,
) -> Option<String> {
    if !TIMES.iter().any(|name| property.is(name)) {
        return None;
    }
    let times = When::list(property)
        .ok()
        .filter(|times| !times.is_empty())?;
    if !times.iter().any(|when| matches!(when, When::Floating(_))) {
        return None;
    }
    let told: Vec<When> = times.iter().map(public).collect();
    if let Some(tzid) = told[0].tzid() {
        uses(tzid, told.iter().map(When::date).min()?);
    }
    let mut params: Vec<(String, String)> = property
        .params()
        .filter(|param| !param.is("TZID") && !param.is("VALUE"))
        .map(|param| (param.name().to_string(), param.value().into_owned()))
        .collect();
    params.extend(
        told[0]
            .param()
            .map(|(name, value)| (name.to_string(), value.to_string())),
    );
    let params: Vec<_> = params
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let values: Vec<String> = told.iter().map(When::to_string).collect();
    Some(content_line(property.name(), &params, &values.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::tree::Limits;

    const PLAIN: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nEND:VTIMEZONE\r\n\
        BEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Berlin:20261120T090000\r\n\
        DTEND:20261120T100000Z\r\nDESCRIPTION:x\r\n  y\r\nBEGIN:VALARM\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

    fn scanned(text: &str) -> Option<(Vec<String>, Vec<String>)> {
        let mut zones = Vec::new();
        let spans = scan(text.as_bytes(), &mut |tzid, date| {
            zones.push(format!("{tzid} {date}"))
        })?;
        Some((
            spans
                .into_iter()
                .map(|span| text[span].to_string())
                .collect(),
            zones,
        ))
    }

    #[test]
    fn plain_texts_are_copied() {
        let (parts, zones) = scanned(PLAIN).unwrap();
        assert_eq!(parts.len(), 1);
        assert!(
            parts[0].starts_with("BEGIN:VEVENT\r\nUID:a")
                && parts[0].ends_with("END:VALARM\r\nEND:VEVENT\r\n")
        );
        assert_eq!(zones, ["Europe/Berlin 2026-11-20"]);
    }

    #[test]
    fn what_is_not_plain_is_rewritten() {
        for (from, to) in [
            ("\r\n", "\n"),
            ("UID:a\r\n", ""),
            ("DTSTAMP:20260101T000000Z\r\n", ""),
            ("DTEND:20261120T100000Z", "DTEND:20261120T100000"),
            (
                "DTEND:20261120T100000Z",
                "DTEND;TZID=\"Europe/Berlin\":20261120T100000",
            ),
            (
                "DESCRIPTION:x",
                "DESCRIPTION:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            ),
            ("BEGIN:VEVENT", "begin:VEVENT"),
            ("DESCRIPTION:x", "X-AT;TZID=Europe/Berlin:x"),
            (
                "TZID=Europe/Berlin:2026112",
                "TZID=Europe/Berlin:\r\n 2026112",
            ),
            ("END:VCALENDAR\r\n", ""),
        ] {
            assert_eq!(scanned(&PLAIN.replace(from, to)), None, "{from:?} {to:?}");
        }
    }

    #[test]
    fn floating_times_get_the_calendars_zone() {
        let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTART;X-P=1:20261120T090000\nRRULE:FREQ=DAILY;COUNT=2\n\
            EXDATE:20261121T090000\nDESCRIPTION:0123456789012345678901234567890123456789012345678901234567890123456789\nEND:VEVENT\nEND:VCALENDAR\n";
        let tree = Tree::parse(text.as_bytes(), &Limits::default()).unwrap();
        let (mut out, mut zones) = (Vec::new(), Vec::new());
        let mut berlin = |when: &When| match when {
            When::Floating(at) => When::Zoned {
                at: *at,
                tzid: "Europe/Berlin".into(),
            },
            other => other.clone(),
        };
        rewrite(
            &tree,
            "20260101T000000Z",
            "u",
            &mut berlin,
            &mut |tzid, date| zones.push(format!("{tzid} {date}")),
            &mut out,
        );
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "BEGIN:VEVENT\r\nDTSTAMP:20260101T000000Z\r\nUID:a\r\nDTSTART;X-P=1;TZID=Europe/Berlin:20261120T090000\r\n\
             RRULE:FREQ=DAILY;COUNT=2\r\nEXDATE;TZID=Europe/Berlin:20261121T090000\r\n\
             DESCRIPTION:012345678901234567890123456789012345678901234567890123456789012\r\n 3456789\r\nEND:VEVENT\r\n"
        );
        assert_eq!(
            zones,
            ["Europe/Berlin 2026-11-20", "Europe/Berlin 2026-11-21"]
        );
    }
}
