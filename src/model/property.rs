//! Properties of calendars that people see, and how text is kept in a property's stored form: a self-contained XML
//! element under its name in Clark's notation.

use crate::xml::write::escape_text;
use crate::xml::{Limits, Name, read};

/// DAV:displayname (RFC 4918 §15.2).
pub const DISPLAY_NAME: &str = "{DAV:}displayname";
/// CALDAV:calendar-description (RFC 4791 §5.2.1).
pub const DESCRIPTION: &str = "{urn:ietf:params:xml:ns:caldav}calendar-description";
/// CALDAV:calendar-availability of an inbox (RFC 7953 §7.2.4).
pub const AVAILABILITY: &str = "{urn:ietf:params:xml:ns:caldav}calendar-availability";
/// Apple's calendar colour: `#rrggbb` or `#rrggbbaa`.
pub const COLOR: &str = "{http://apple.com/ns/ical/}calendar-color";
/// Apple's place in the list of calendars: a number.
pub const ORDER: &str = "{http://apple.com/ns/ical/}calendar-order";

/// The text of a stored element.
pub fn text(element: &str) -> String {
    read(element.as_bytes(), &Limits::default())
        .map(|root| root.trimmed_text())
        .unwrap_or_default()
}

/// The element to store for a text.
pub fn element(name: &str, text: &str) -> String {
    let name = Name::from_clark(name).unwrap_or_else(|| Name::new("DAV:", "displayname"));
    let mut escaped = Vec::with_capacity(text.len());
    escape_text(text, &mut escaped);
    let (local, uri) = (name.local.as_str(), name.ns.uri());
    format!(
        "<{local} xmlns=\"{uri}\">{}</{local}>",
        String::from_utf8_lossy(&escaped)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_from_its_element() {
        for name in [DISPLAY_NAME, DESCRIPTION, COLOR, ORDER] {
            for given in ["Work & <home>", "", "é]]>"] {
                assert_eq!(text(&element(name, given)), given, "{name}");
            }
        }
        assert!(element(COLOR, "#ff0000").contains("http://apple.com/ns/ical/"));
        assert_eq!(text("not an element"), "");
    }
}
