//! iCalendar documents from and for others, as the CalDAV and the ICS provider take them.

use super::{Item, MIRROR, Marker, Read, Reading, Refusal};
use crate::ical::join::with_crlf;
use crate::ical::object::{Kind, Object, Rules, validate};
use crate::ical::tree::{Component, Limits, Tree};
use crate::ical::write::{Patch, line_of, text_line};

/// What one document means.
///
/// # Errors
/// A [`Refusal`] with the line where it is not an object that a calendar can hold.
pub fn read(item: &Item, account: &str) -> Result<Read, Refusal> {
    let broken = |why: String| Refusal::new("invalid", format!("its text is broken: {why}"));
    let tree = validate(&item.doc, &Rules::default()).map_err(|fault| broken(fault.to_string()))?;
    let object = Object::read(&tree).map_err(|fault| broken(fault.to_string()))?;
    if object.kind != Kind::Event {
        return Ok(Read::Nothing);
    }
    let parts = || object.components();
    let marker = parts().find_map(|part| Marker::read(&part.property(MIRROR)?.text()));
    let organized_by_others = parts()
        .filter_map(|part| part.property("ORGANIZER"))
        .any(|organizer| !is_account(&organizer.value(), account));
    Ok(Read::Event(Box::new(Reading {
        uid: object.uid.to_string(),
        marker,
        ours_to_edit: !organized_by_others,
        has_guests: parts().any(|part| {
            part.properties_named("ATTENDEE")
                .any(|guest| !is_account(&guest.value(), account))
        }),
        losses: Vec::new(),
        text: with_crlf(&item.doc),
    })))
}

/// Whether a calendar user address is the account's own.
pub fn is_account(address: &str, account: &str) -> bool {
    let plain = |text: &str| {
        let text = text.trim();
        let cut = text
            .get(..7)
            .is_some_and(|head| head.eq_ignore_ascii_case("mailto:"));
        text[if cut { 7 } else { 0 }..].to_ascii_lowercase()
    };
    !account.is_empty() && plain(address) == plain(account)
}

/// `text` with the marker in each VEVENT, in place of any that is there.
pub fn marked(text: &[u8], marker: &Marker) -> Vec<u8> {
    patched(text, |part, patch| {
        patch.remove_all(part, MIRROR);
        patch.insert(part, text_line(MIRROR, &[], &marker.print()));
    })
}

/// `text` without any marker: what comes in is not a mirror of ours any more once it is linked.
pub fn unmarked(text: &[u8]) -> Vec<u8> {
    patched(text, |part, patch| {
        patch.remove_all(part, MIRROR);
    })
}

/// `text` under another UID.
pub fn with_uid(text: &[u8], uid: &str) -> Vec<u8> {
    patched(text, |part, patch| {
        if part.property("UID").is_none_or(|old| old.text() != uid) {
            patch.remove_all(part, "UID");
            patch.insert(part, text_line("UID", &[], uid));
        }
    })
}

/// `text` with the guests that `known` has: ORGANIZER and ATTENDEE of its master and of the overrides in both. With
/// `answer`, the account's own PARTSTAT becomes that.
pub fn with_guests_of(text: &[u8], known: &[u8], account: &str, answer: Option<&str>) -> Vec<u8> {
    let Ok(there) = Tree::parse(known, &Limits::default()) else {
        return text.to_vec();
    };
    let theirs: Vec<Component<'_>> = there.components().filter(|c| c.is("VEVENT")).collect();
    patched(text, |part, patch| {
        let rid = |part: Component<'_>| {
            part.property("RECURRENCE-ID")
                .map(|p| p.value().into_owned())
        };
        let same = theirs.iter().find(|other| rid(**other) == rid(part));
        let Some(source) = same.or_else(|| theirs.iter().find(|other| rid(**other).is_none()))
        else {
            return;
        };
        for name in ["ORGANIZER", "ATTENDEE"] {
            patch.remove_all(part, name);
            for line in source.properties_named(name) {
                let own =
                    answer.filter(|_| name == "ATTENDEE" && is_account(&line.value(), account));
                match own {
                    Some(answer) => patch.insert(part, answered(line_of(line), answer)),
                    None => patch.insert(part, line_of(line)),
                };
            }
        }
    })
}

/// An ATTENDEE line with another PARTSTAT.
fn answered(line: String, answer: &str) -> String {
    let whole = line.replace("\r\n ", "").replace("\r\n", "");
    let (head, value) = match quoted_colon(&whole) {
        Some(at) => whole.split_at(at),
        None => return line,
    };
    let mut params: Vec<&str> = head.split(';').collect();
    params.retain(|param| !param.to_ascii_uppercase().starts_with("PARTSTAT="));
    let partstat = format!("PARTSTAT={answer}");
    params.push(&partstat);
    crate::ical::write::fold(&format!("{}{value}", params.join(";"))) + "\r\n"
}

/// Where the value begins: the first colon that is not within quotes.
fn quoted_colon(line: &str) -> Option<usize> {
    let mut quoted = false;
    line.char_indices().find_map(|(at, c)| match c {
        '"' => {
            quoted = !quoted;
            None
        }
        ':' if !quoted => Some(at),
        _ => None,
    })
}

/// Edits each VEVENT; text that cannot be read stays as it is.
fn patched(text: &[u8], mut edit: impl for<'t> FnMut(Component<'t>, &mut Patch<'t>)) -> Vec<u8> {
    let Ok(tree) = Tree::parse(text, &Limits::default()) else {
        return text.to_vec();
    };
    let mut patch = Patch::new(&tree);
    for part in tree.components().filter(|part| part.is("VEVENT")) {
        edit(part, &mut patch);
    }
    if patch.is_empty() {
        return text.to_vec();
    }
    patch.apply()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\n\
                         DTSTART:20260102T100000Z\r\nSUMMARY:Tea\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

    fn item(text: &str) -> Item {
        Item {
            id: "x".into(),
            series: None,
            stamp: String::new(),
            doc: text.to_string().into(),
        }
    }

    #[test]
    fn a_mark_is_found_again_and_taken_off_again() {
        let marker = Marker {
            instance: "i1".into(),
            link: "7".into(),
            uid: "a b;c,d".into(),
        };
        let marked = marked(EVENT.as_bytes(), &marker);
        let text = String::from_utf8(marked.clone()).unwrap();
        let Read::Event(reading) = read(&item(&text), "").unwrap() else {
            panic!("{text}")
        };
        assert_eq!(reading.marker, Some(marker));
        assert_eq!(unmarked(&marked), EVENT.as_bytes());
    }

    #[test]
    fn guests_stay_as_they_are_there_and_our_answer_is_put_in() {
        let known = EVENT.replace(
            "SUMMARY:Tea\r\n",
            "SUMMARY:Tea\r\nORGANIZER:mailto:boss@example.org\r\n\
             ATTENDEE;CN=\"A: B\";PARTSTAT=NEEDS-ACTION;ROLE=CHAIR:MAILTO:Me@example.org\r\nATTENDEE:mailto:you@example.org\r\n",
        );
        let ours = EVENT.replace("Tea", "Coffee");
        let out = with_guests_of(
            ours.as_bytes(),
            known.as_bytes(),
            "me@example.org",
            Some("ACCEPTED"),
        );
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("SUMMARY:Coffee\r\n"));
        assert!(
            out.contains(
                "ATTENDEE;CN=\"A: B\";ROLE=CHAIR;PARTSTAT=ACCEPTED:MAILTO:Me@example.org\r\n"
            ),
            "{out}"
        );
        assert!(
            out.contains("ATTENDEE:mailto:you@example.org\r\n")
                && out.contains("ORGANIZER:mailto:boss")
        );
        let Read::Event(reading) = read(&item(&known), "me@example.org").unwrap() else {
            panic!()
        };
        assert!(!reading.ours_to_edit && reading.has_guests);
    }

    #[test]
    fn a_uid_is_exchanged_and_broken_text_is_refused_with_its_line() {
        let out = String::from_utf8(with_uid(EVENT.as_bytes(), "b")).unwrap();
        assert!(out.contains("UID:b\r\n") && !out.contains("UID:a"));
        let refused = read(&item(&EVENT.replace("DTSTART:2026", "DTSTART:x")), "").unwrap_err();
        assert!(refused.reason.contains("line"), "{refused}");
    }
}
