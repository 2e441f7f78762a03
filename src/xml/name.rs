//! Expanded XML names: a namespace and a local part (Namespaces in XML 1.0 §2.1).
//!
//! The namespaces that CalDAV speaks are variants of [`Ns`], so that comparing names is mostly
//! comparing a byte, and tables of properties can be `const`. Every other namespace is kept as text.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A namespace name. Construct foreign ones with [`Ns::from_uri`], never with `Other` directly:
/// equality relies on a known URI always being its own variant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ns {
    /// No namespace at all.
    None,
    /// `DAV:` (RFC 4918).
    Dav,
    /// `urn:ietf:params:xml:ns:caldav` (RFC 4791, 6638, 7809).
    CalDav,
    /// `urn:ietf:params:xml:ns:carddav` (RFC 6352), seen in requests of clients that do both.
    CardDav,
    /// `http://calendarserver.org/ns/`: ctag, sharing, proxies.
    CalendarServer,
    /// `http://apple.com/ns/ical/`: colour and order of calendars.
    Apple,
    /// `http://me.com/_namespace/`: bulk requests.
    Me,
    /// `https://bitfire.at/webdav-push`.
    Push,
    /// The reserved namespace of the prefix `xml`.
    Xml,
    /// Any other.
    Other(Arc<str>),
}

/// A known namespace: variant, URI, and the prefix under which the writer declares it.
struct Known(Ns, &'static str, &'static str);

const KNOWN: [Known; 8] = [
    Known(Ns::Dav, "DAV:", "D"),
    Known(Ns::CalDav, "urn:ietf:params:xml:ns:caldav", "C"),
    Known(Ns::CardDav, "urn:ietf:params:xml:ns:carddav", "CR"),
    Known(Ns::CalendarServer, "http://calendarserver.org/ns/", "CS"),
    Known(Ns::Apple, "http://apple.com/ns/ical/", "A"),
    Known(Ns::Me, "http://me.com/_namespace/", "ME"),
    Known(Ns::Push, "https://bitfire.at/webdav-push", "P"),
    Known(Ns::Xml, "http://www.w3.org/XML/1998/namespace", "xml"),
];

impl Ns {
    /// The namespace with this URI; the empty string is no namespace.
    pub fn from_uri(uri: &str) -> Ns {
        Ns::known(uri).unwrap_or_else(|| Ns::Other(uri.into()))
    }

    /// The namespace of one of the URIs that this crate has a variant for.
    pub(super) fn known(uri: &str) -> Option<Ns> {
        if uri.is_empty() {
            return Some(Ns::None);
        }
        KNOWN
            .iter()
            .find(|known| known.1 == uri)
            .map(|known| known.0.clone())
    }

    /// The namespace name; empty for no namespace.
    pub fn uri(&self) -> &str {
        match self {
            Ns::None => "",
            Ns::Other(uri) => uri,
            known => known.row().map_or("", |row| row.1),
        }
    }

    /// The fixed prefix of a known namespace.
    pub fn prefix(&self) -> Option<&'static str> {
        self.row().map(|row| row.2)
    }

    fn row(&self) -> Option<&'static Known> {
        self.index().map(|index| &KNOWN[index])
    }

    /// Position in the table of known namespaces, for the writer's bit set.
    pub(super) fn index(&self) -> Option<usize> {
        Some(match self {
            Ns::None | Ns::Other(_) => return None,
            Ns::Dav => 0,
            Ns::CalDav => 1,
            Ns::CardDav => 2,
            Ns::CalendarServer => 3,
            Ns::Apple => 4,
            Ns::Me => 5,
            Ns::Push => 6,
            Ns::Xml => 7,
        })
    }
}

/// Text that is either static or shared: const to make from a literal, cheap to clone.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Text {
    /// A literal.
    pub const fn fixed(text: &'static str) -> Text {
        Text(Repr::Static(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(text) => text,
            Repr::Shared(text) => text,
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(Repr::Shared(text.into()))
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Text) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Text) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// An expanded name, such as `{DAV:}getetag`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// The namespace.
    pub ns: Ns,
    /// The local part.
    pub local: Text,
}

impl Name {
    /// A name with a literal local part, usable in constants.
    pub const fn fixed(ns: Ns, local: &'static str) -> Name {
        Name {
            ns,
            local: Text::fixed(local),
        }
    }

    /// A name from a URI (empty: none) and a local part known at run time.
    pub fn new(uri: &str, local: &str) -> Name {
        Name {
            ns: Ns::from_uri(uri),
            local: local.into(),
        }
    }

    /// A name in `DAV:`.
    pub const fn dav(local: &'static str) -> Name {
        Name::fixed(Ns::Dav, local)
    }

    /// A name in `urn:ietf:params:xml:ns:caldav`.
    pub const fn caldav(local: &'static str) -> Name {
        Name::fixed(Ns::CalDav, local)
    }

    /// A name in `urn:ietf:params:xml:ns:carddav`.
    pub const fn carddav(local: &'static str) -> Name {
        Name::fixed(Ns::CardDav, local)
    }

    /// A name in `http://calendarserver.org/ns/`.
    pub const fn cs(local: &'static str) -> Name {
        Name::fixed(Ns::CalendarServer, local)
    }

    /// A name in `http://apple.com/ns/ical/`.
    pub const fn apple(local: &'static str) -> Name {
        Name::fixed(Ns::Apple, local)
    }

    /// A name in `http://me.com/_namespace/`.
    pub const fn me(local: &'static str) -> Name {
        Name::fixed(Ns::Me, local)
    }

    /// A name in `https://bitfire.at/webdav-push`.
    pub const fn push(local: &'static str) -> Name {
        Name::fixed(Ns::Push, local)
    }

    /// A name without a namespace, as most attributes have.
    pub const fn plain(local: &'static str) -> Name {
        Name::fixed(Ns::None, local)
    }

    /// Whether this is `local` in `ns`.
    pub fn is(&self, ns: &Ns, local: &str) -> bool {
        self.ns == *ns && self.local.as_str() == local
    }

    /// Reads James Clark's notation, as [`Display`](fmt::Display) writes it.
    pub fn from_clark(text: &str) -> Option<Name> {
        match text.strip_prefix('{') {
            Some(rest) => rest
                .rsplit_once('}')
                .map(|(uri, local)| Name::new(uri, local)),
            None => Some(Name::new("", text)),
        }
        .filter(|name| !name.local.is_empty())
    }
}

/// James Clark's notation: `{DAV:}getetag`, or the bare local part without a namespace.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ns {
            Ns::None => f.write_str(&self.local),
            _ => write!(f, "{{{}}}{}", self.ns.uri(), self.local.as_str()),
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether `text` is an `NCName` (Namespaces in XML 1.0 §3, XML 1.0 §2.3): a name without a colon.
pub fn is_ncname(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

fn is_name_start(c: char) -> bool {
    matches!(c, 'A'..='Z' | '_' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}'
        | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}'
        | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETAG: Name = Name::dav("getetag");
    static TABLE: [Name; 2] = [Name::caldav("calendar-data"), Name::cs("getctag")];

    #[test]
    fn every_known_namespace_finds_its_own_row() {
        for known in &KNOWN {
            assert_eq!(Ns::from_uri(known.1), known.0);
            assert_eq!(known.0.uri(), known.1);
            assert_eq!(known.0.prefix(), Some(known.2));
        }
        assert_eq!(Ns::from_uri(""), Ns::None);
    }

    #[test]
    fn a_name_read_at_run_time_equals_the_constant() {
        assert_eq!(Name::new("DAV:", "getetag"), ETAG);
        assert_eq!(
            Name::new("urn:ietf:params:xml:ns:caldav", "calendar-data"),
            TABLE[0]
        );
        assert_ne!(
            Name::new("dav:", "getetag"),
            ETAG,
            "namespace names are case-sensitive"
        );
        assert_ne!(Name::new("", "getetag"), ETAG);
        assert!(std::collections::HashSet::from([ETAG]).contains(&Name::new("DAV:", "getetag")));
    }

    #[test]
    fn clark_notation_survives_a_round_trip() {
        for text in [
            "{DAV:}getetag",
            "{http://x/{y}}z",
            "plain",
            "{urn:ietf:params:xml:ns:caldav}comp",
        ] {
            assert_eq!(
                Name::from_clark(text)
                    .map(|name| name.to_string())
                    .as_deref(),
                Some(text)
            );
        }
        for text in ["", "{DAV:}", "{DAV:"] {
            assert_eq!(Name::from_clark(text), None, "{text}");
        }
    }

    #[test]
    fn ncnames() {
        for good in ["a", "calendar-data", "_x", "é", "a.b-c", "A1"] {
            assert!(is_ncname(good), "{good}");
        }
        for bad in ["", "1a", "-a", "a:b", "a b", "a<", "a\"", ".a"] {
            assert!(!is_ncname(bad), "{bad}");
        }
    }
}
