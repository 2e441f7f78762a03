//! Trees are not built to be written: elements go straight into a buffer.
//!
//! Known namespaces have fixed prefixes, declared on the root for those the caller names and on the
//! element itself otherwise; foreign namespaces become the default namespace of the element that
//! needs them. A carriage return is written as `&#13;`, since a parser would otherwise turn the CRLF
//! of calendar data into LF (XML 1.0 §2.11). Characters XML cannot carry become U+FFFD.

use super::href;
use super::name::{Name, Ns};

/// A document being written. Closing more than was opened does nothing.
#[derive(Debug, Default)]
pub struct Writer {
    buf: Vec<u8>,
    /// Known namespaces whose prefix is in scope, by [`Ns::index`].
    declared: u16,
    /// The default namespace, when it is a foreign one.
    default: Option<Ns>,
    /// Qualified names of the open elements, one after the other.
    names: Vec<u8>,
    open: Vec<Open>,
    /// The last start tag still lacks its `>`.
    pending: bool,
}

/// What to restore when an element ends.
#[derive(Debug)]
struct Open {
    name_start: usize,
    declared: u16,
    default: Option<Ns>,
}

impl Writer {
    /// Starts a document: XML declaration and root element, with the prefixes of `namespaces`.
    pub fn document(root: &Name, namespaces: &[Ns]) -> Writer {
        let mut writer = Writer::default();
        writer
            .buf
            .extend_from_slice(b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
        writer.open(root);
        for ns in namespaces {
            writer.declare(ns);
        }
        writer
    }

    /// A writer without declaration or root: for a part of a document.
    pub fn fragment() -> Writer {
        Writer::default()
    }

    /// Opens an element.
    pub fn open(&mut self, name: &Name) -> &mut Self {
        self.finish_tag();
        let opened = Open {
            name_start: self.names.len(),
            declared: self.declared,
            default: self.default.clone(),
        };
        if let Some(prefix) = name.ns.prefix() {
            self.names.extend_from_slice(prefix.as_bytes());
            self.names.push(b':');
        }
        self.names.extend_from_slice(name.local.as_bytes());
        self.buf.push(b'<');
        self.buf.extend_from_slice(&self.names[opened.name_start..]);
        self.pending = true;
        self.open.push(opened);
        self.declare(&name.ns);
        self
    }

    /// Declares a namespace on the element just opened, unless it is in scope.
    fn declare(&mut self, ns: &Ns) {
        match (ns.index(), ns.prefix()) {
            (Some(index), Some(prefix)) => {
                if *ns != Ns::Xml && self.declared & (1 << index) == 0 {
                    self.declared |= 1 << index;
                    self.raw_attr(&["xmlns:", prefix], ns.uri());
                }
            }
            _ => {
                let wanted = (*ns != Ns::None).then(|| ns.clone());
                if self.default != wanted {
                    self.raw_attr(&["xmlns"], ns.uri());
                    self.default = wanted;
                }
            }
        }
    }

    /// Adds an attribute without namespace to the element just opened; ignored once it has content.
    pub fn attr(&mut self, name: &str, value: &str) -> &mut Self {
        if self.pending {
            self.raw_attr(&[name], value);
        }
        self
    }

    fn raw_attr(&mut self, name: &[&str], value: &str) {
        self.buf.push(b' ');
        for part in name {
            self.buf.extend_from_slice(part.as_bytes());
        }
        self.buf.extend_from_slice(b"=\"");
        escape_attr(value, &mut self.buf);
        self.buf.push(b'"');
    }

    /// Closes the element opened last.
    pub fn close(&mut self) -> &mut Self {
        let Some(opened) = self.open.pop() else {
            return self;
        };
        if self.pending {
            self.pending = false;
            self.buf.extend_from_slice(b"/>");
        } else {
            self.buf.extend_from_slice(b"</");
            self.buf.extend_from_slice(&self.names[opened.name_start..]);
            self.buf.push(b'>');
        }
        self.names.truncate(opened.name_start);
        self.declared = opened.declared;
        self.default = opened.default;
        self
    }

    /// An element without content.
    pub fn empty(&mut self, name: &Name) -> &mut Self {
        self.open(name).close()
    }

    /// An element with characters in it.
    pub fn element(&mut self, name: &Name, text: &str) -> &mut Self {
        self.open(name).text(text).close()
    }

    /// Characters, escaped.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.finish_tag();
        escape_text(text, &mut self.buf);
        self
    }

    /// `DAV:href` with a decoded path in the canonical spelling of [`href`].
    pub fn href(&mut self, path: &str) -> &mut Self {
        const HREF: Name = Name::dav("href");
        self.open(&HREF).finish_tag();
        href::write_path(path, &mut self.buf);
        self.close()
    }

    /// Markup written elsewhere, such as a stored dead property, verbatim. It must be well-formed
    /// and declare what it uses ([`Element::to_xml_string`](super::Element::to_xml_string)).
    pub fn raw(&mut self, markup: &str) -> &mut Self {
        self.finish_tag();
        self.buf.extend_from_slice(markup.as_bytes());
        self
    }

    fn finish_tag(&mut self) {
        if self.pending {
            self.pending = false;
            self.buf.push(b'>');
        }
    }

    /// Octets written and not yet taken.
    pub fn len(&self) -> usize {
        self.buf.len()
    }

    /// Whether nothing is waiting to be taken.
    pub fn is_empty(&self) -> bool {
        self.buf.is_empty()
    }

    /// Takes back what was written since the document had `len` octets. No element may have been opened or closed since,
    /// other than as a whole.
    pub fn rewind(&mut self, len: usize) {
        self.pending &= self.buf.len() <= len;
        self.buf.truncate(len);
    }

    /// Takes what is written so far, to be sent while the document goes on. The new buffer is as
    /// large as the old one was.
    pub fn take(&mut self) -> Vec<u8> {
        let room = self.buf.capacity();
        std::mem::replace(&mut self.buf, Vec::with_capacity(room))
    }

    /// Closes all that is open and gives the rest.
    pub fn finish(mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.close();
        }
        self.buf
    }
}

/// Escapes character data: `&`, `<`, carriage return, the `>` of `]]>`, and what XML forbids.
pub fn escape_text(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + bytes.len() / 8);
    let mut from = 0;
    let mut at = 0;
    while let Some(found) = special(bytes, at) {
        let (replacement, width): (&[u8], usize) = match bytes[found..] {
            [b'\r', ..] => (b"&#13;", 1),
            [b'&', ..] => (b"&amp;", 1),
            [b'<', ..] => (b"&lt;", 1),
            [b']', b']', b'>', ..] => (b"]]&gt;", 3),
            [0xEF, 0xBF, 0xBE | 0xBF, ..] => ("\u{FFFD}".as_bytes(), 3),
            [0..0x20, ..] => ("\u{FFFD}".as_bytes(), 1),
            _ => {
                at = found + 1;
                continue;
            }
        };
        out.extend_from_slice(&bytes[from..found]);
        out.extend_from_slice(replacement);
        from = found + width;
        at = from;
    }
    out.extend_from_slice(&bytes[from..]);
}

/// The next octet from `at` on that may need care. Eight at a time: calendar data has a CR in every
/// line, so a search that is quicker over long stretches never gets to run.
fn special(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(eight) = bytes.get(at..at + 8) {
        if eight
            .iter()
            .fold(false, |found, &b| found | SPECIAL[b as usize])
        {
            break;
        }
        at += 8;
    }
    bytes[at..]
        .iter()
        .position(|&b| SPECIAL[b as usize])
        .map(|offset| at + offset)
}

const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        special[byte] = !matches!(byte as u8, b'\t' | b'\n');
        byte += 1;
    }
    special[b'&' as usize] = true;
    special[b'<' as usize] = true;
    special[b']' as usize] = true;
    special[0xEF] = true;
    special
};

fn escape_attr(text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"&quot;"),
            '\n' => out.extend_from_slice(b"&#10;"),
            '\t' => out.extend_from_slice(b"&#9;"),
            c => escape_text(c.encode_utf8(&mut [0; 4]), out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Limits, read};

    fn text(writer: Writer) -> String {
        String::from_utf8(writer.finish()).expect("UTF-8")
    }

    #[test]
    fn a_multistatus_declares_its_prefixes_once() {
        let mut w = Writer::document(&Name::dav("multistatus"), &[Ns::Dav, Ns::CalDav]);
        w.open(&Name::dav("response"))
            .href("/a@b/é x.ics")
            .open(&Name::dav("prop"));
        w.element(&Name::dav("getetag"), "\"1&2\"")
            .empty(&Name::caldav("calendar-data"));
        assert_eq!(
            text(w),
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <D:multistatus xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:response>\
             <D:href>/a%40b/%C3%A9%20x.ics</D:href><D:prop><D:getetag>\"1&amp;2\"</D:getetag>\
             <C:calendar-data/></D:prop></D:response></D:multistatus>"
        );
    }

    #[test]
    fn namespaces_not_on_the_root_are_declared_where_they_are_used_and_only_there() {
        let mut w = Writer::fragment();
        w.open(&Name::dav("prop"));
        w.open(&Name::new("urn:x", "a"))
            .empty(&Name::new("urn:x", "b"))
            .empty(&Name::plain("n"));
        w.empty(&Name::dav("d")).close();
        w.empty(&Name::new("urn:x", "c")).empty(&Name::plain("m"));
        w.open(&Name::apple("calendar-color"))
            .attr("symbolic-color", "a\"<\n")
            .text("#F00")
            .close();
        w.empty(&Name::apple("calendar-order"));
        assert_eq!(
            text(w),
            "<D:prop xmlns:D=\"DAV:\"><a xmlns=\"urn:x\"><b/><n xmlns=\"\"/><D:d/></a><c xmlns=\"urn:x\"/><m/>\
             <A:calendar-color xmlns:A=\"http://apple.com/ns/ical/\" symbolic-color=\"a&quot;&lt;&#10;\">#F00\
             </A:calendar-color><A:calendar-order xmlns:A=\"http://apple.com/ns/ical/\"/></D:prop>"
        );
    }

    #[test]
    fn every_text_reads_back_as_written() {
        for sample in [
            "",
            "a",
            "BEGIN:VCALENDAR\r\nX:a&b<c>d\r\n",
            "]]>",
            "\r",
            "\n\r\t x",
            "é 造 😀",
            "a\r\rb&&<<",
        ] {
            let mut w = Writer::fragment();
            w.element(&Name::plain("t"), sample);
            let root = read(&w.finish(), &Limits::default()).expect("well-formed");
            assert_eq!(root.text(), sample);
        }
    }

    #[test]
    fn what_xml_cannot_carry_becomes_a_replacement_character() {
        let mut w = Writer::fragment();
        w.element(&Name::plain("t"), "a\u{0}b\u{1F}c\u{FFFE}d\u{FEFF}e\r");
        assert_eq!(text(w), "<t>a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FEFF}e&#13;</t>");
    }

    #[test]
    fn a_document_can_be_taken_in_pieces_and_closing_too_much_is_harmless() {
        let mut w = Writer::document(&Name::dav("multistatus"), &[Ns::Dav]);
        w.empty(&Name::dav("a"));
        let mut all = w.take();
        assert!(w.is_empty());
        w.empty(&Name::dav("b")).close().close();
        all.extend(w.finish());
        let root = read(&all, &Limits::default()).expect("well-formed");
        assert_eq!(root.elements().count(), 2);
    }
}
