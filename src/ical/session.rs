//! What makes a VEVENT a session, and how its fields survive clients that do not know them. RFC 9073 (PARTICIPANT,
//! STRUCTURED-DATA), RFC 9253 (LINK), RFC 7986 (CONFERENCE).
//!
//! A VEVENT that came through the API carries [`MARK`]. Many clients write back only what they know; then
//! [`carry_forward`] puts the session's fields back, taken from the stored text byte for byte. Reading and writing
//! the fields themselves is `app::sessions`.

use std::collections::HashMap;

use super::tree::{Component, Limits, Property, Tree};
use super::value::When;

/// The property that marks a VEVENT as a session of ours.
pub const MARK: &str = "X-KALENDS-SESSION";
/// What STATUS cannot say: `IN-PROGRESS`, `COMPLETED`, `NO-SHOW`, beside `STATUS:CONFIRMED`.
pub const STATUS: &str = "X-KALENDS-STATUS";
/// Asks whoever holds the event on a linked calendar for a conference; the value is one of [`CONFERENCES`]. It goes when
/// the conference, CONFERENCE, is there.
pub const ASKS_CONFERENCE: &str = "X-KALENDS-CONFERENCE";
/// What can be asked for: any, Google Meet, Microsoft Teams.
pub const CONFERENCES: [&str; 3] = ["AUTO", "MEET", "TEAMS"];
/// SCHEMA of the STRUCTURED-DATA property that holds a session's `config`.
pub const CONFIG_SCHEMA: &str = "urn:kalends:schema:session-config:1";
/// PARTICIPANT-TYPE of the component that holds a session's `client` (RFC 9073 §6.2).
pub const CLIENT_TYPE: &str = "BOOKING-CONTACT";

/// The properties that are carried forward. [`STATUS`] stays with its own occurrence.
const PROPERTIES: [&str; 6] = [
    MARK,
    STATUS,
    "STRUCTURED-DATA",
    "LINK",
    "CONFERENCE",
    ASKS_CONFERENCE,
];
/// The component that is carried forward.
const PARTICIPANT: &str = "PARTICIPANT";

/// Is one of its VEVENTs marked as a session?
pub fn is_session(tree: &Tree<'_>) -> bool {
    events(tree).any(|event| event.property(MARK).is_some())
}

/// The text to store instead of `new`, a client's, so that no session field of `old` is lost; `None` when `new` has
/// them all, or when `old` is no session. A kind of field (all LINKs, all PARTICIPANTs …) is carried where the new
/// VEVENT has none of that kind. An override that is new takes its fields from the old master.
pub fn carry_forward(old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let limits = Limits::default();
    let (old, new) = (
        Tree::parse(old, &limits).ok()?,
        Tree::parse(new, &limits).ok()?,
    );
    if !is_session(&old) {
        return None;
    }
    let before: HashMap<Option<String>, Component<'_>> =
        events(&old).map(|event| (instance(event), event)).collect();
    let mut insertions: Vec<(usize, Vec<u8>)> = Vec::new();
    for event in events(&new) {
        let key = instance(event);
        let (from, own) = match before.get(&key) {
            Some(same) => (*same, true),
            None => match before.get(&None) {
                Some(master) => (*master, false),
                None => continue,
            },
        };
        let lines = lost_properties(from, event, own);
        if !lines.is_empty() {
            insertions.push((event.insertion(), lines));
        }
        let parts = lost_components(from, event);
        if !parts.is_empty() {
            insertions.push((event.close(), parts));
        }
    }
    (!insertions.is_empty()).then(|| splice(new.source(), insertions))
}

fn events<'t>(tree: &'t Tree<'t>) -> impl Iterator<Item = Component<'t>> {
    tree.roots().flat_map(|root| root.children_named("VEVENT"))
}

/// Which instance a VEVENT is: `None` for the master, else its RECURRENCE-ID without the zone.
fn instance(event: Component<'_>) -> Option<String> {
    let id = event.property("RECURRENCE-ID")?;
    Some(When::of(id).map_or_else(|_| id.value().into_owned(), |when| when.to_string()))
}

fn lost_properties(from: Component<'_>, to: Component<'_>, own: bool) -> Vec<u8> {
    let mut lines = Vec::new();
    for name in PROPERTIES {
        if (name == STATUS && !own) || to.property(name).is_some() {
            continue;
        }
        for property in from.properties_named(name) {
            copy_line(&mut lines, property);
        }
    }
    lines
}

fn copy_line(lines: &mut Vec<u8>, property: Property<'_>) {
    lines.extend_from_slice(property.raw());
    lines.extend_from_slice(b"\r\n");
}

fn lost_components(from: Component<'_>, to: Component<'_>) -> Vec<u8> {
    let mut parts = Vec::new();
    if to.child(PARTICIPANT).is_none() {
        for part in from.children_named(PARTICIPANT) {
            parts.extend_from_slice(part.raw());
            if !parts.ends_with(b"\n") {
                parts.extend_from_slice(b"\r\n");
            }
        }
    }
    parts
}

/// Inserts pieces into a text; places are in ascending order, since they follow the components.
fn splice(text: &[u8], insertions: Vec<(usize, Vec<u8>)>) -> Vec<u8> {
    let more: usize = insertions.iter().map(|(_, piece)| piece.len()).sum();
    let mut whole = Vec::with_capacity(text.len() + more);
    let mut done = 0;
    for (at, piece) in insertions {
        whole.extend_from_slice(&text[done..at]);
        whole.extend_from_slice(&piece);
        done = at;
    }
    whole.extend_from_slice(&text[done..]);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//K\r\nBEGIN:VEVENT\r\nUID:a\r\n\
        DTSTART:20261120T090000Z\r\nRRULE:FREQ=WEEKLY\r\nX-KALENDS-SESSION:1\r\nX-KALENDS-STATUS:COMPLETED\r\n\
        STRUCTURED-DATA;VALUE=TEXT;FMTTYPE=application/json;SCHEMA=\"urn:x\":{\\n\r\n  \"type\":1}\r\n\
        BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n\
        BEGIN:PARTICIPANT\r\nUID:p\r\nPARTICIPANT-TYPE:BOOKING-CONTACT\r\nEND:PARTICIPANT\r\n\
        END:VEVENT\r\nEND:VCALENDAR\r\n";

    fn client(lines: &str) -> String {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//C\r\nBEGIN:VEVENT\r\nUID:a\r\n\
             DTSTART:20261120T100000Z\r\nRRULE:FREQ=WEEKLY\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    }

    fn carried(new: &str) -> Option<String> {
        carry_forward(OLD.as_bytes(), new.as_bytes()).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn fields_that_a_client_dropped_come_back_byte_for_byte() {
        let text = carried(&client("SUMMARY:Moved\r\n")).unwrap();
        assert_eq!(
            text,
            client(
                "SUMMARY:Moved\r\nX-KALENDS-SESSION:1\r\nX-KALENDS-STATUS:COMPLETED\r\n\
                 STRUCTURED-DATA;VALUE=TEXT;FMTTYPE=application/json;SCHEMA=\"urn:x\":{\\n\r\n  \"type\":1}\r\n\
                 BEGIN:PARTICIPANT\r\nUID:p\r\nPARTICIPANT-TYPE:BOOKING-CONTACT\r\nEND:PARTICIPANT\r\n"
            )
        );
        assert_eq!(carried(&text), None, "nothing is lost any more");
    }

    #[test]
    fn what_the_client_kept_or_changed_is_the_clients() {
        let text = carried(&client(
            "X-KALENDS-SESSION:1\r\nX-KALENDS-STATUS:NO-SHOW\r\nSTRUCTURED-DATA;VALUE=TEXT:{}\r\n",
        ))
        .unwrap();
        assert!(
            text.contains("NO-SHOW") && !text.contains("COMPLETED") && !text.contains("\"type\"")
        );
        assert!(text.contains("BEGIN:PARTICIPANT"));
    }

    #[test]
    fn a_new_override_has_the_masters_fields_but_not_its_state() {
        let new = client("").replace(
            "END:VCALENDAR\r\n",
            "BEGIN:VEVENT\r\nUID:a\r\nRECURRENCE-ID:20261127T090000Z\r\nDTSTART:20261127T110000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        );
        let text = carried(&new).unwrap();
        assert_eq!(text.matches("BEGIN:PARTICIPANT").count(), 2);
        assert_eq!(text.matches("COMPLETED").count(), 1);
    }

    #[test]
    fn objects_that_are_no_sessions_are_left_alone() {
        let plain = client("STRUCTURED-DATA;VALUE=TEXT:{}\r\n");
        assert_eq!(carry_forward(plain.as_bytes(), client("").as_bytes()), None);
        assert_eq!(carry_forward(b"nonsense", OLD.as_bytes()), None);
    }
}
