use super::*;
use crate::ical::canonical::canonical;

mod properties;

const BASE: &str = "UID:1\nDTSTAMP:20260101T000000Z\nDTSTART;TZID=Europe/Berlin:20261123T090000\n\
    DTEND;TZID=Europe/Berlin:20261123T100000\nRRULE:FREQ=WEEKLY;COUNT=6\nSUMMARY:Base\nLOCATION:Here\n";

/// A calendar of VEVENTs, each given by its lines.
fn calendar(events: &[&str]) -> String {
    let events: String = events
        .iter()
        .map(|lines| format!("BEGIN:VEVENT\n{lines}END:VEVENT\n"))
        .collect();
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//T\n{events}END:VCALENDAR\n")
        .replace('\n', "\r\n")
}

fn merged(base: &str, ours: &str, theirs: &str, winner: Winner) -> (String, Merged) {
    let merged = merge(base.as_bytes(), ours.as_bytes(), theirs.as_bytes(), winner).unwrap();
    (String::from_utf8(merged.text.clone()).unwrap(), merged)
}

/// Merges edits of [`BASE`], each a pair of text and what stands in its place.
fn edits(ours: &[(&str, &str)], theirs: &[(&str, &str)], winner: Winner) -> (String, Merged) {
    let edit = |edits: &[(&str, &str)]| {
        let text = edits.iter().fold(BASE.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        calendar(&[&text])
    };
    merged(&calendar(&[BASE]), &edit(ours), &edit(theirs), winner)
}

fn same(one: &str, other: &str) {
    assert_eq!(
        canonical(one.as_bytes()).unwrap(),
        canonical(other.as_bytes()).unwrap(),
        "{one}\n--- and\n{other}"
    );
}

/// (ours, theirs, what of BASE is otherwise in the result)
type Case = (
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
);

#[test]
fn different_fields_are_both_kept() {
    let cases: &[Case] = &[
        (
            &[("SUMMARY:Base", "SUMMARY:Ours")],
            &[("LOCATION:Here", "LOCATION:There")],
            &[
                ("SUMMARY:Base", "SUMMARY:Ours"),
                ("LOCATION:Here", "LOCATION:There"),
            ],
        ),
        (
            &[("LOCATION:Here", "LOCATION;X-P=1:Here")],
            &[("LOCATION:Here", "LOCATION:There")],
            &[("LOCATION:Here", "LOCATION;X-P=1:There")],
        ),
        (
            &[("SUMMARY:Base\n", "SUMMARY:Base\nX-APPLE: odd \n")],
            &[
                ("SUMMARY:Base\n", ""),
                ("20261123T100000", "20261123T103000"),
            ],
            &[
                ("SUMMARY:Base\n", "X-APPLE: odd \n"),
                ("20261123T100000", "20261123T103000"),
            ],
        ),
        (
            &[("LOCATION:Here\n", "LOCATION:Here\nCATEGORIES:a,b\n")],
            &[("LOCATION:Here\n", "LOCATION:Here\nCATEGORIES:c\n")],
            &[("LOCATION:Here\n", "LOCATION:Here\nCATEGORIES:a,b,c\n")],
        ),
        (
            &[(
                "LOCATION:Here\n",
                "LOCATION:Here\nEXDATE;TZID=Europe/Berlin:20261130T090000\n",
            )],
            &[(
                "LOCATION:Here\n",
                "LOCATION:Here\nEXDATE:20261207T080000Z\n",
            )],
            &[(
                "LOCATION:Here\n",
                "LOCATION:Here\nEXDATE;TZID=Europe/Berlin:20261130T090000\nEXDATE;TZID=Europe/Berlin:20261207T090000\n",
            )],
        ),
        (
            &[("COUNT=6", "COUNT=8")],
            &[("T100000", "T110000")],
            &[("COUNT=6", "COUNT=8"), ("T100000", "T110000")],
        ),
    ];
    for (ours, theirs, both) in cases {
        let (text, told) = edits(ours, theirs, Winner::Theirs);
        let wanted = both
            .iter()
            .fold(BASE.to_owned(), |text, (from, to)| text.replace(from, to));
        assert_eq!(text, calendar(&[&wanted]));
        assert_eq!(told.conflicts, []);
        assert!(told.ours_changed && told.theirs_changed, "{told:?}");
    }
}

#[test]
fn conflicts_are_won_and_reported() {
    for (winner, summary) in [(Winner::Ours, "Ours"), (Winner::Theirs, "Theirs")] {
        let (text, told) = edits(
            &[("SUMMARY:Base", "SUMMARY:Ours")],
            &[("SUMMARY:Base", "SUMMARY:Theirs")],
            winner,
        );
        assert!(text.contains(&format!("SUMMARY:{summary}\r\n")), "{text}");
        let conflict = Conflict {
            rid: None,
            property: "SUMMARY".into(),
            base: Some("Base".into()),
            ours: Some("Ours".into()),
            theirs: Some("Theirs".into()),
            kept: winner,
        };
        assert_eq!(told.conflicts, [conflict]);
        assert_eq!(told.ours_changed, winner == Winner::Theirs);
        assert_eq!(told.theirs_changed, winner == Winner::Ours);
    }
}

#[test]
fn the_same_edit_on_both_sides_is_none() {
    let edit = [
        ("SUMMARY:Base", "SUMMARY:New"),
        ("T100000", "T110000"),
        ("LOCATION:Here\n", ""),
    ];
    let (text, told) = edits(&edit, &edit, Winner::Theirs);
    assert!(text.contains("SUMMARY:New"));
    assert_eq!(
        (told.conflicts, told.ours_changed, told.theirs_changed),
        (vec![], false, false)
    );
}

#[test]
fn attendees_and_alarms_are_merged_one_by_one() {
    let people = "LOCATION:Here\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:a@x\nATTENDEE:mailto:b@x\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT10M\nDESCRIPTION:x\nEND:VALARM\n";
    let base = BASE.replace("LOCATION:Here\n", people);
    let ours = base
        .replace(
            "ATTENDEE:mailto:b@x",
            "ATTENDEE;X-OURS=1:mailto:b@x\nATTENDEE:mailto:c@x",
        )
        .replace("DESCRIPTION:x\nEND", "DESCRIPTION:x\nX-OURS:1\nEND");
    let theirs = base
        .replace(
            "PARTSTAT=NEEDS-ACTION:mailto:a@x",
            "PARTSTAT=ACCEPTED:mailto:A@x",
        )
        .replace(
            "ATTENDEE:mailto:b@x",
            "ATTENDEE;ROLE=OPT-PARTICIPANT:mailto:b@x",
        )
        .replace(
            "DESCRIPTION:x\nEND:VALARM\n",
            "DESCRIPTION:y\nEND:VALARM\nBEGIN:VALARM\nACTION:AUDIO\nTRIGGER:PT0S\nEND:VALARM\n",
        );
    let (text, told) = merged(
        &calendar(&[&base]),
        &calendar(&[&ours]),
        &calendar(&[&theirs]),
        Winner::Ours,
    );
    for line in [
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@x",
        "ATTENDEE;X-OURS=1;ROLE=OPT-PARTICIPANT:mailto:b@x",
        "ATTENDEE:mailto:c@x",
        "DESCRIPTION:y\r\nX-OURS:1",
        "ACTION:AUDIO",
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line} in {text}");
    }
    assert_eq!(told.conflicts, []);
}

const OVERRIDE: &str = "UID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20261130T090000\nDTSTART;TZID=Europe/Berlin:20261130T090000\n\
    DTEND;TZID=Europe/Berlin:20261130T100000\nSUMMARY:Other\n";

#[test]
fn an_override_of_theirs_has_what_only_ours_knows() {
    let ours = format!("{BASE}X-OURS:1\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\n");
    let theirs = OVERRIDE
        .replace(
            "RECURRENCE-ID;TZID=Europe/Berlin:20261130T090000",
            "RECURRENCE-ID:20261130T080000Z",
        )
        .replace("20261130T100000", "20261130T103000")
        + "LOCATION:Here\n";
    let (text, told) = merged(
        &calendar(&[BASE]),
        &calendar(&[&ours]),
        &calendar(&[BASE, &theirs]),
        Winner::Ours,
    );
    let wanted = calendar(&[
        &ours,
        "RECURRENCE-ID;TZID=Europe/Berlin:20261130T090000\nUID:1\nDTSTAMP:20260101T000000Z\n\
         DTSTART;TZID=Europe/Berlin:20261130T090000\nDTEND;TZID=Europe/Berlin:20261130T103000\nSUMMARY:Other\nLOCATION:Here\nX-OURS:1\n\
         BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\n",
    ]);
    assert_eq!(text, wanted);
    assert!(told.conflicts.is_empty() && told.ours_changed);
}

#[test]
fn an_edited_override_survives_its_cancellation() {
    let cancelled = BASE.to_owned() + "EXDATE;TZID=Europe/Berlin:20261130T090000\n";
    let edited = OVERRIDE.replace("Other", "Edited");
    let base = calendar(&[BASE, OVERRIDE]);
    for winner in [Winner::Ours, Winner::Theirs] {
        let (text, told) = merged(
            &base,
            &calendar(&[BASE, &edited]),
            &calendar(&[&cancelled]),
            winner,
        );
        assert_eq!(text, calendar(&[BASE, &edited]));
        assert_eq!(told.conflicts.len(), 1);
        assert_eq!(told.conflicts[0].rid.as_deref(), Some("20261130T080000Z"));
        assert_eq!(
            (told.conflicts[0].kept, told.theirs_changed),
            (Winner::Ours, true)
        );

        let (text, told) = merged(
            &base,
            &calendar(&[&cancelled]),
            &calendar(&[BASE, &edited]),
            winner,
        );
        assert!(
            text.contains("SUMMARY:Edited") && !text.contains("EXDATE"),
            "{text}"
        );
        assert_eq!(
            (told.conflicts.len(), told.conflicts[0].kept),
            (1, Winner::Theirs)
        );
    }
    let (text, told) = merged(&base, &base, &calendar(&[&cancelled]), Winner::Ours);
    same(&text, &calendar(&[&cancelled]));
    assert_eq!(told.conflicts, []);
}

#[test]
fn exceptions_follow_a_series_that_moves() {
    let exdate = "EXDATE;TZID=Europe/Berlin:20261207T090000\n";
    let ours = calendar(&[&(BASE.to_owned() + exdate), OVERRIDE]);
    let moved = |text: &str| {
        text.replace("T090000", "T110000")
            .replace("T100000", "T120000")
    };
    let (text, told) = merged(
        &calendar(&[BASE]),
        &ours,
        &calendar(&[&moved(BASE)]),
        Winner::Theirs,
    );
    assert_eq!(
        text,
        calendar(&[&moved(&(BASE.to_owned() + exdate)), &moved(OVERRIDE)])
    );
    assert_eq!(told.conflicts, []);
    // The other way round: ours moved, and their exceptions come along.
    let theirs = calendar(&[&(BASE.to_owned() + exdate), OVERRIDE]);
    let (text, told) = merged(
        &calendar(&[BASE]),
        &calendar(&[&moved(BASE)]),
        &theirs,
        Winner::Ours,
    );
    same(
        &text,
        &calendar(&[
            &moved(&(BASE.to_owned() + exdate)),
            &(moved(OVERRIDE) + "LOCATION:Here\n").replace("LOCATION:Here\n", ""),
        ]),
    );
    assert_eq!(told.conflicts, []);
}

/// A start on an instance of the series cuts it; exceptions stay where they are.
#[test]
fn exceptions_stay_when_a_series_only_begins_later() {
    let ours = BASE.to_owned() + "EXDATE;TZID=Europe/Berlin:20261214T090000\n";
    let later = |text: &str| {
        text.replace("20261123T", "20261207T")
            .replace("COUNT=6", "COUNT=4")
    };
    let (text, _) = merged(
        &calendar(&[BASE]),
        &calendar(&[&ours]),
        &calendar(&[&later(BASE)]),
        Winner::Ours,
    );
    assert_eq!(text, calendar(&[&later(&ours)]));
}

#[test]
fn a_rule_that_names_the_weekday_comes_with_the_day() {
    let base = BASE.replace("COUNT=6", "COUNT=6;BYDAY=MO");
    let theirs = base
        .replace("20261123T", "20261124T")
        .replace("BYDAY=MO", "BYDAY=TU");
    let (text, _) = merged(
        &calendar(&[&base]),
        &calendar(&[&base]),
        &calendar(&[&theirs]),
        Winner::Ours,
    );
    same(&text, &calendar(&[&theirs]));
    assert!(text.contains("BYDAY=TU"), "{text}");
}

#[test]
fn zones_come_with_their_times_and_go_with_them() {
    let zone = |tzid: &str, offset: &str| {
        format!(
            "BEGIN:VTIMEZONE\r\nTZID:{tzid}\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:{offset}\r\nTZOFFSETTO:{offset}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
        )
    };
    let with =
        |text: String, zone: &str| text.replacen("BEGIN:VEVENT", &format!("{zone}BEGIN:VEVENT"), 1);
    let in_zone = |tzid: &str| calendar(&[&BASE.replace("Europe/Berlin", tzid)]);
    let base = with(in_zone("Mine"), &zone("Mine", "+0100"));
    // Theirs: another zone with a definition of its own, with our name for another zone, and a well-known one.
    for (theirs, tzid, defined) in [
        (
            with(in_zone("Other"), &zone("Other", "-0330")),
            "Other",
            "-0330",
        ),
        (
            with(in_zone("Mine"), &zone("Mine", "-0330")),
            "Mine (2)",
            "-0330",
        ),
        (in_zone("Asia/Tokyo"), "Asia/Tokyo", "+0900"),
    ] {
        let (text, told) = merged(&base, &base, &theirs, Winner::Ours);
        assert!(
            text.contains(&format!("DTSTART;TZID={tzid}:20261123T090000")),
            "{text}"
        );
        assert!(
            text.contains(&format!("TZID:{tzid}\r\n")) && text.contains(defined),
            "{text}"
        );
        assert_eq!(text.matches("BEGIN:VTIMEZONE").count(), 1, "{text}");
        assert!(told.ours_changed);
    }
    // The same zone by another name keeps ours.
    let theirs = calendar(&[&BASE
        .replace("Europe/Berlin", "W. Europe Standard Time")
        .replace("T090000", "T080000")]);
    let (text, _) = merged(
        &calendar(&[BASE]),
        &calendar(&[BASE]),
        &theirs,
        Winner::Ours,
    );
    assert!(
        text.contains("DTSTART;TZID=Europe/Berlin:20261123T080000"),
        "{text}"
    );
}

/// What a reading lost is no edit of ours when our text of that time is known.
#[test]
fn a_lossy_reading_is_no_edit_of_ours() {
    let ours = calendar(&[&BASE.replace("SUMMARY:Base", "SUMMARY:A long title")]);
    let (base, theirs) = (calendar(&[BASE]), calendar(&[&BASE.replace("Base", "New")]));
    let told = merge_since(
        ours.as_bytes(),
        ours.as_bytes(),
        base.as_bytes(),
        theirs.as_bytes(),
        Winner::Ours,
    )
    .unwrap();
    assert!(String::from_utf8_lossy(&told.text).contains("SUMMARY:New\r\n"));
    assert!(told.conflicts.is_empty() && !told.theirs_changed);
}

#[test]
fn texts_that_cannot_be_merged() {
    let event = calendar(&[BASE]);
    let todo = event.replace("VEVENT", "VTODO");
    let told = |a: &str, b: &str, c: &str| {
        merge(a.as_bytes(), b.as_bytes(), c.as_bytes(), Winner::Ours).unwrap_err()
    };
    assert_eq!(told(&event, &todo, &event), MergeError::Kinds);
    assert!(matches!(
        told("", &event, &event),
        MergeError::Unreadable("our base", _)
    ));
    assert!(
        told(&event, "x", &event)
            .to_string()
            .starts_with("ours: no calendar object")
    );
}
