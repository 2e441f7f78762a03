//! Small questions to event texts, and edits of them. Pure.

use crate::ical::canonical;
use crate::ical::tree::{Component, Limits, Property, Tree};
use crate::ical::write::{Patch, line_of, text_line};
use crate::remote::{ASKS_CONFERENCE, MIRROR};

/// What the text means, as a digest in hexadecimal; of one that cannot be read, of its bytes.
pub fn hash(text: &[u8]) -> String {
    use sha2::Digest;
    let sum = canonical::digest(text).unwrap_or_else(|_| sha2::Sha256::digest(text).into());
    hex(&sum)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The VEVENTs of a text: master and overrides.
pub fn events<'t>(tree: &'t Tree<'t>) -> impl Iterator<Item = Component<'t>> {
    tree.roots().flat_map(|root| root.children_named("VEVENT"))
}

/// The same event under another UID, and without the mark of a mirror: which one it is, we know by then. A text that
/// cannot be read, or is so already, stays as it is.
pub fn with_uid(text: &[u8], uid: &str) -> Vec<u8> {
    let Ok(tree) = Tree::parse(text, &Limits::default()) else {
        return text.to_vec();
    };
    let mut patch = Patch::new(&tree);
    for event in events(&tree) {
        if event.property("UID").is_none_or(|p| p.text() != uid) {
            patch.set(event, "UID", text_line("UID", &[], uid));
        }
        patch.remove_all(event, MIRROR);
    }
    if patch.is_empty() {
        return text.to_vec();
    }
    patch.apply()
}

/// An event that says nothing: the base of two that were never agreed upon.
pub fn blank(uid: &str) -> Vec<u8> {
    let uid = text_line("UID", &[], uid);
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Kalends//EN\r\nBEGIN:VEVENT\r\n{uid}\
         DTSTAMP:19700101T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    .into_bytes()
}

fn master<'t>(tree: &'t Tree<'t>) -> Option<Component<'t>> {
    events(tree).find(|event| event.property("RECURRENCE-ID").is_none())
}

/// Does it ask for a conference that it has not?
pub fn asks_conference(text: &[u8]) -> bool {
    let Ok(tree) = Tree::parse(text, &Limits::default()) else {
        return false;
    };
    master(&tree).is_some_and(|event| {
        event.property(ASKS_CONFERENCE).is_some() && event.property("CONFERENCE").is_none()
    })
}

/// Our text with the conference that it asked for and that is made there; none: nothing was asked for, or it is not
/// made yet.
pub fn with_conference(ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
    let limits = Limits::default();
    let (ours, theirs) = (
        Tree::parse(ours, &limits).ok()?,
        Tree::parse(theirs, &limits).ok()?,
    );
    let (event, there) = (master(&ours)?, master(&theirs)?);
    event.property(ASKS_CONFERENCE)?;
    there.property("CONFERENCE")?;
    let mut patch = Patch::new(&ours);
    patch.remove_all(event, ASKS_CONFERENCE);
    for made in there.properties_named("CONFERENCE") {
        let known = |one: Property<'_>| one.value() == made.value();
        if !event.properties_named("CONFERENCE").any(known) {
            patch.insert(event, line_of(made));
        }
    }
    Some(patch.apply())
}

/// The title, for people.
pub fn title(text: &[u8]) -> String {
    let Ok(tree) = Tree::parse(text, &Limits::default()) else {
        return String::new();
    };
    let title = events(&tree).find_map(|event| event.property("SUMMARY"));
    title.map(|p| p.text().into_owned()).unwrap_or_default()
}

/// What the attendee with this address answered (PARTSTAT), if it changed between two texts.
pub fn new_answer(before: Option<&[u8]>, after: &[u8], address: &str) -> Option<String> {
    let now = answer(after, address)?;
    let was = before.and_then(|text| answer(text, address));
    (was.as_deref() != Some(now.as_str())).then_some(now)
}

fn answer(text: &[u8], address: &str) -> Option<String> {
    if address.is_empty() {
        return None;
    }
    let tree = Tree::parse(text, &Limits::default()).ok()?;
    let mut attendees = events(&tree)
        .next()
        .into_iter()
        .flat_map(|event| event.properties_named("ATTENDEE"));
    let own = attendees.find(|p| {
        let value = p.value();
        let value = value.trim();
        let mail = value
            .get(..7)
            .filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"))
            .map_or(value, |_| &value[7..]);
        mail.eq_ignore_ascii_case(address)
    })?;
    own.param("PARTSTAT").map(|word| word.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:a\r\n\
        DTSTAMP:20260101T000000Z\r\nDTSTART:20260101T090000Z\r\nSUMMARY:One\\, two\r\n\
        ATTENDEE;PARTSTAT=ACCEPTED:MAILTO:Anna@example.org\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

    #[test]
    fn an_event_under_another_uid_means_the_same() {
        let other = with_uid(TEXT.as_bytes(), "b,c");
        let text = String::from_utf8(other.clone()).unwrap();
        assert!(text.contains("UID:b\\,c\r\n") && !text.contains("UID:a"));
        assert_eq!(with_uid(&other, "a"), TEXT.as_bytes());
        assert_eq!(with_uid(b"nonsense", "a"), b"nonsense");
        let marked = TEXT.replace("SUMMARY", "X-KALENDS-MIRROR:1 i l u\r\nSUMMARY");
        assert_eq!(with_uid(marked.as_bytes(), "a"), TEXT.as_bytes());
    }

    #[test]
    fn a_blank_event_can_be_read() {
        assert!(canonical::canonical(&blank("a\r\nb")).is_ok());
    }

    #[test]
    fn a_conference_comes_in_the_place_of_the_question() {
        let asks = TEXT.replace("SUMMARY:", "X-KALENDS-CONFERENCE:MEET\r\nSUMMARY:");
        let made = TEXT.replace(
            "SUMMARY:",
            "CONFERENCE;VALUE=URI:https://meet.test/a\r\nSUMMARY:",
        );
        let with = |ours: &str, theirs: &str| {
            let text = with_conference(ours.as_bytes(), theirs.as_bytes())?;
            Some(String::from_utf8(text).unwrap())
        };
        assert!(asks_conference(asks.as_bytes()));
        assert_eq!(with(&asks, TEXT), None, "not made yet");
        assert_eq!(with(TEXT, &made), None, "not asked for");
        let text = with(&asks, &made).unwrap();
        assert!(text.contains("CONFERENCE;VALUE=URI:https://meet.test/a\r\n"));
        assert!(!text.contains("X-KALENDS") && !asks_conference(text.as_bytes()));
        // It came by itself before.
        let both = asks.replace(
            "SUMMARY:",
            "CONFERENCE;VALUE=URI:https://meet.test/a\r\nSUMMARY:",
        );
        assert!(!asks_conference(both.as_bytes()));
        assert_eq!(with(&both, &made).unwrap().matches("CONFERENCE").count(), 1);
    }

    #[test]
    fn titles_and_answers_are_found() {
        assert_eq!(title(TEXT.as_bytes()), "One, two");
        let before = TEXT.replace("ACCEPTED", "NEEDS-ACTION");
        let answer = |before: Option<&[u8]>, who| new_answer(before, TEXT.as_bytes(), who);
        assert_eq!(
            answer(Some(before.as_bytes()), "anna@EXAMPLE.org").as_deref(),
            Some("ACCEPTED")
        );
        assert_eq!(answer(Some(TEXT.as_bytes()), "anna@example.org"), None);
        assert_eq!(answer(None, "bert@example.org"), None);
        assert_eq!(answer(None, ""), None);
    }
}
