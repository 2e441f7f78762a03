//! What of an event is told there: the link's privacy level, guests left out, a UID that says nothing where ours is
//! the only truth. Pure.
//!
//! *What is never a source?* An event that carries the mark of a mirror ([`MIRROR`]), whoever made it: chains of links
//! end after one hop (FACTS §8).

use std::collections::BTreeMap;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::texts::{events, hex, with_uid};
use super::wording::{Reach, Wording};
use crate::ical::privacy::{Reduction, is_private, reduce};
use crate::ical::tree::{Component, Limits, Tree};
use crate::ical::value::When;
use crate::ical::write::Patch;
use crate::ical::zone::{Zone, Zones, vtimezone};
use crate::model::bridge::{Direction, GuestPolicy, Privacy};
use crate::remote::MIRROR;

/// How a link tells events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    pub direction: Direction,
    pub privacy: Privacy,
    pub guests: GuestPolicy,
    /// Makes UIDs that say nothing: the same for the same link and UID.
    pub salt: String,
    pub wording: Wording,
}

impl Telling {
    /// Whether only times are told, of every event.
    fn busy_only(&self) -> bool {
        self.direction == Direction::Busy || self.privacy == Privacy::Busy
    }

    /// The UID under which an event is told. Where changes come back as well, both sides call it the same.
    pub fn uid(&self, uid: &str) -> String {
        match self.direction {
            Direction::Both | Direction::Pull => uid.to_string(),
            Direction::Push | Direction::Busy => self.mask(uid),
        }
    }

    /// The UID in markers: nothing of a private event is there, not even in places that people do not see.
    pub fn marker_uid(&self, uid: &str) -> String {
        match self.privacy {
            Privacy::Full if self.direction != Direction::Busy => uid.to_string(),
            _ => self.mask(uid),
        }
    }

    pub fn mask(&self, uid: &str) -> String {
        let mut sum = Sha256::new();
        sum.update(b"kalends mirror\0");
        sum.update(self.salt.as_bytes());
        sum.update(b"\0");
        sum.update(uid.as_bytes());
        hex(&sum.finalize()[..16])
    }
}

/// What is told of an event; none: nothing. A text that cannot be read is not told. `mirror`: it began here, so that
/// the templates make its words there.
pub fn outgoing(text: &[u8], uid: &str, telling: &Telling, mirror: bool) -> Option<Vec<u8>> {
    let tree = Tree::parse(text, &Limits::default()).ok()?;
    if events(&tree).any(|event| event.property(MIRROR).is_some()) {
        return None;
    }
    let private = events(&tree).any(is_private);
    let full = telling.privacy == Privacy::Full && telling.direction != Direction::Busy;
    // Its owner's own account may hold what is private; what only mirrors may be read by others.
    let (mut told, reach) = if full && !(private && telling.direction == Direction::Push) {
        (without_guests(&tree, telling.guests), Reach::Full)
    } else {
        let reach = match telling.busy_only() || private {
            true => Reach::Busy,
            false => Reach::Titles,
        };
        (reduced(&tree, telling.busy_only())?, reach)
    };
    if mirror {
        told = telling.wording.apply(told, &tree, reach);
    }
    Some(with_uid(&told, &telling.uid(uid)))
}

/// RFC 5545 §3.8.4: who takes part, who invites. Alarms that mail somebody are guests too.
fn without_guests(tree: &Tree<'_>, guests: GuestPolicy) -> Vec<u8> {
    let mut patch = Patch::new(tree);
    for root in tree.roots() {
        patch.remove_all(root, "METHOD");
    }
    if guests == GuestPolicy::Never {
        for part in tree.components() {
            if part.is("VALARM") && mails(part) {
                patch.remove_component(part);
                continue;
            }
            for name in ["ATTENDEE", "ORGANIZER", "CALENDAR-ADDRESS"] {
                patch.remove_all(part, name);
            }
        }
    }
    if patch.is_empty() {
        return tree.source().to_vec();
    }
    patch.apply()
}

fn mails(alarm: Component<'_>) -> bool {
    alarm
        .property("ACTION")
        .is_some_and(|p| p.value().trim().eq_ignore_ascii_case("EMAIL"))
}

/// Times, or times and titles; none: nothing of it takes time.
fn reduced(tree: &Tree<'_>, busy_only: bool) -> Option<Vec<u8>> {
    let zones = Zones::of(tree);
    let mut used: BTreeMap<String, Date> = BTreeMap::new();
    let mut public = |when: &When| {
        let told = public(when, &zones);
        if let Some(tzid) = told.tzid() {
            let first = used.entry(tzid.to_string()).or_insert_with(|| told.date());
            *first = told.date().min(*first);
        }
        told
    };
    let mask = |uid: &str| uid.to_string();
    let how = Reduction {
        busy_only,
        stamp: "19700101T000000Z",
        mask: &mask,
    };
    let mut body = Vec::new();
    reduce(tree, &how, &mut public, &mut body);
    if body.is_empty() {
        return None;
    }
    let mut text = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Kalends//Mirror//EN\r\n".to_vec();
    for (tzid, first) in &used {
        let from = Zone::Utc.to_instant(first.at(0, 0, 0, 0));
        text.extend_from_slice(vtimezone(tzid, from, None).unwrap_or_default().as_bytes());
    }
    text.extend_from_slice(&body);
    text.extend_from_slice(b"END:VCALENDAR\r\n");
    Some(text)
}

/// A time under the public name of its zone, or in UTC where the zone has none: a TZID is free text.
fn public(when: &When, zones: &Zones<'_>) -> When {
    let When::Zoned { at, tzid } = when else {
        return when.clone();
    };
    match zones.resolve(tzid, None) {
        Some(zone) => match zone.iana_name() {
            Some(name) => When::Zoned {
                at: *at,
                tzid: name.to_string(),
            },
            None => When::Utc(Zone::Utc.to_civil(zone.to_instant(*at))),
        },
        None => When::Floating(*at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//secret//EN\r\nMETHOD:PUBLISH\r\nBEGIN:VEVENT\r\n\
        UID:secret@example.org\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Berlin:20261120T090000\r\n\
        DURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=4\r\nSUMMARY:Dentist\r\nLOCATION:secret\r\n\
        ORGANIZER:mailto:boss@example.org\r\nATTENDEE:mailto:guest@example.org\r\nBEGIN:VALARM\r\nACTION:EMAIL\r\n\
        ATTENDEE:mailto:mailed@example.org\r\nSUMMARY:x\r\nDESCRIPTION:x\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n\
        BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:kept\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\n\
        BEGIN:VEVENT\r\nUID:secret@example.org\r\nDTSTAMP:20260101T000000Z\r\n\
        RECURRENCE-ID;TZID=Europe/Berlin:20261127T090000\r\nDTSTART;TZID=Europe/Berlin:20261127T100000\r\n\
        DURATION:PT1H\r\nSUMMARY:secret too\r\nATTENDEE:mailto:third@example.org\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

    fn telling(direction: Direction, privacy: Privacy) -> Telling {
        Telling {
            direction,
            privacy,
            guests: GuestPolicy::Never,
            salt: "instance 1".into(),
            wording: Wording::default(),
        }
    }

    fn told(text: &str, how: &Telling) -> Option<String> {
        let told = outgoing(text.as_bytes(), "secret@example.org", how, true)?;
        Some(String::from_utf8(told).unwrap())
    }

    #[test]
    fn no_guest_leaves_unless_asked_for() {
        let mut how = telling(Direction::Both, Privacy::Full);
        let text = told(TEXT, &how).unwrap();
        for hidden in [
            "ATTENDEE",
            "ORGANIZER",
            "example.org:",
            "METHOD",
            "EMAIL",
            "mailto",
        ] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
        assert!(text.contains("LOCATION:secret") && text.contains("DESCRIPTION:kept"));
        assert!(
            text.contains("UID:secret@example.org"),
            "both sides call it the same"
        );
        how.guests = GuestPolicy::Send;
        assert!(
            told(TEXT, &how)
                .unwrap()
                .contains("ATTENDEE:mailto:guest@example.org")
        );
    }

    #[test]
    fn a_busy_mirror_holds_no_private_byte() {
        for how in [
            telling(Direction::Busy, Privacy::Full),
            telling(Direction::Push, Privacy::Busy),
            telling(Direction::Busy, Privacy::Titles),
        ] {
            let text = told(TEXT, &how).unwrap();
            for hidden in ["secret", "Dentist", "mailto", "VALARM", "20260101"] {
                assert!(!text.contains(hidden), "{hidden}: {text}");
            }
            assert!(text.contains("SUMMARY:Busy") && text.contains("RECURRENCE-ID"));
            assert!(text.contains("BEGIN:VTIMEZONE"));
            assert!(!how.marker_uid("secret@example.org").contains("secret"));
        }
    }

    #[test]
    fn titles_are_told_but_not_of_private_events() {
        let how = telling(Direction::Push, Privacy::Titles);
        let text = told(TEXT, &how).unwrap();
        assert!(text.contains("SUMMARY:Dentist") && !text.contains("LOCATION"));
        for direction in [Direction::Push, Direction::Busy] {
            for privacy in Privacy::ALL {
                let private = TEXT.replace("LOCATION:secret", "CLASS:PRIVATE");
                let text = told(&private, &telling(direction, *privacy)).unwrap();
                assert!(
                    !text.contains("Dentist") && !text.contains("secret"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_mirror_is_never_a_source() {
        let mirror = TEXT.replace("LOCATION:secret", "X-KALENDS-MIRROR:1 other 7 uid");
        for direction in Direction::ALL {
            let how = telling(*direction, Privacy::Full);
            assert_eq!(told(&mirror, &how), None);
        }
    }

    #[test]
    fn what_takes_no_time_is_not_told_where_only_busy_time_is() {
        let free = TEXT
            .replace("LOCATION:secret", "TRANSP:TRANSPARENT")
            .replace("SUMMARY:secret too", "TRANSP:TRANSPARENT");
        assert_eq!(told(&free, &telling(Direction::Busy, Privacy::Full)), None);
        assert!(told(&free, &telling(Direction::Both, Privacy::Full)).is_some());
    }

    #[test]
    fn a_zone_without_public_name_is_told_in_utc() {
        let own = TEXT.replace("Europe/Berlin", "Secret Lair").replace(
            "BEGIN:VEVENT\r\nUID:secret@example.org\r\nDTSTAMP:20260101T000000Z\r\nDTSTART",
            "BEGIN:VTIMEZONE\r\nTZID:Secret Lair\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n\
             TZOFFSETFROM:+0137\r\nTZOFFSETTO:+0137\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n\
             BEGIN:VEVENT\r\nUID:secret@example.org\r\nDTSTAMP:20260101T000000Z\r\nDTSTART",
        );
        let text = told(&own, &telling(Direction::Busy, Privacy::Full)).unwrap();
        assert!(
            !text.contains("Lair") && text.contains("DTSTART:20261120T072300Z"),
            "{text}"
        );
    }
}
