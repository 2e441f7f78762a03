use super::*;

const EVENT: &str = "UID:1\nDTSTAMP:20260101T000000Z\nDTSTART;TZID=Europe/Berlin:20261124T090000\n\
    DTEND;TZID=Europe/Berlin:20261124T100000\nRRULE:FREQ=WEEKLY;COUNT=6\nSUMMARY:One\\, two\nCATEGORIES:a,b\n\
    ATTENDEE;CN=Bob;ROLE=REQ-PARTICIPANT:mailto:bob@example.org\n";

fn calendar(lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//T\nBEGIN:VEVENT\n{lines}END:VEVENT\nEND:VCALENDAR\n"
    )
}

fn of(lines: &str) -> String {
    canonical(calendar(lines).as_bytes()).unwrap()
}

#[test]
fn other_ways_to_say_the_same() {
    let wanted = of(EVENT);
    for (from, to) in [
        ("SUMMARY:One\\, two\n", "summary:On\n e\\, two\n"),
        ("SUMMARY:One\\, two", "SUMMARY;LANGUAGE=:One, two"),
        ("CATEGORIES:a,b", "CATEGORIES:b\nCATEGORIES:a"),
        ("CATEGORIES:a,b", "CATEGORIES:b,a,b"),
        ("DTEND;TZID=Europe/Berlin:20261124T100000", "DURATION:PT1H"),
        ("DTEND;TZID=Europe/Berlin:20261124T100000", "DURATION:PT60M"),
        (
            "DTEND;TZID=Europe/Berlin:20261124T100000",
            "DTEND:20261124T090000Z",
        ),
        ("TZID=Europe/Berlin", "TZID=W. Europe Standard Time"),
        (
            "TZID=Europe/Berlin",
            "TZID=\"/mozilla.org/20050126_1/Europe/Berlin\"",
        ),
        (
            "FREQ=WEEKLY;COUNT=6",
            "COUNT=6;INTERVAL=1;FREQ=weekly;BYDAY=TU;WKST=SU",
        ),
        (
            "ATTENDEE;CN=Bob;ROLE=REQ-PARTICIPANT:mailto:bob@",
            "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=needs-action;CN=\"Bob\":MAILTO:Bob@",
        ),
        (
            "UID:1\n",
            "UID:1\nSEQUENCE:3\nLAST-MODIFIED:20260101T000000Z\nX-KALENDS-SESSION:1\n",
        ),
        (
            "UID:1\n",
            "UID:1\nTRANSP:OPAQUE\nCLASS:PUBLIC\nPRIORITY:0\nSTATUS:CONFIRMED\nDESCRIPTION:\n",
        ),
    ] {
        assert!(EVENT.contains(from), "{from}");
        assert_eq!(of(&EVENT.replace(from, to)), wanted, "{to}");
    }
}

#[test]
fn what_differs() {
    let wanted = of(EVENT);
    for (from, to) in [
        ("One", "one"),
        ("UID:1", "UID:2"),
        ("a,b", "a"),
        ("T090000", "T093000"),
        ("T100000", "T101500"),
        ("Europe/Berlin", "Europe/Paris"),
        ("COUNT=6", "COUNT=7"),
        ("COUNT=6", "COUNT=6;BYDAY=WE"),
        (
            "COUNT=6",
            "COUNT=6\nEXDATE;TZID=Europe/Berlin:20261201T090000",
        ),
        ("ROLE=REQ", "ROLE=OPT"),
        ("bob@", "bill@"),
        ("UID:1\n", "UID:1\nTRANSP:TRANSPARENT\n"),
        ("UID:1\n", "UID:1\nSTATUS:TENTATIVE\n"),
        ("UID:1\n", "UID:1\nX-OTHER:1\n"),
    ] {
        assert!(EVENT.contains(from), "{from}");
        assert_ne!(of(&EVENT.replace(from, to)), wanted, "{to}");
    }
}

/// FACTS §4.5: each rule and how else it may come back.
#[test]
fn rules_in_other_words() {
    let with = |start: &str, rule: &str| {
        of(&format!(
            "UID:1\nDTSTART;TZID=Europe/Berlin:{start}\nRRULE:{rule}\n"
        ))
    };
    for (rule, other) in [
        ("FREQ=MONTHLY;BYDAY=2TU", "FREQ=MONTHLY;BYDAY=TU;BYSETPOS=2"),
        (
            "FREQ=MONTHLY;BYDAY=-1FR",
            "FREQ=MONTHLY;BYSETPOS=-1;BYDAY=FR;WKST=SU",
        ),
        ("FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=24"),
        ("FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=11;BYMONTHDAY=24"),
        (
            "FREQ=YEARLY;BYMONTH=11;BYDAY=4TU",
            "FREQ=YEARLY;BYMONTH=11;BYDAY=TU;BYSETPOS=4",
        ),
        (
            "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
            "FREQ=WEEKLY;BYDAY=FR,MO,TU,WE,TH;WKST=SU",
        ),
        ("FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU"),
        (
            "FREQ=WEEKLY;UNTIL=20261231",
            "FREQ=WEEKLY;UNTIL=20261231T080000Z",
        ),
        (
            "FREQ=WEEKLY;UNTIL=20261231",
            "FREQ=WEEKLY;UNTIL=20270101T075959Z",
        ),
    ] {
        assert_eq!(
            with("20261124T090000", rule),
            with("20261124T090000", other),
            "{other}"
        );
    }
    for (rule, other) in [
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU",
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
        ),
        (
            "FREQ=WEEKLY;UNTIL=20261231",
            "FREQ=WEEKLY;UNTIL=20261231T075959Z",
        ),
        ("FREQ=MONTHLY;BYDAY=TU", "FREQ=MONTHLY;BYDAY=TU;BYSETPOS=2"),
        (
            "FREQ=DAILY;INTERVAL=2;BYDAY=MO,TU",
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU",
        ),
    ] {
        assert_ne!(
            with("20261124T090000", rule),
            with("20261124T090000", other),
            "{other}"
        );
    }
}

#[test]
fn instances_are_moments() {
    let series = |id: &str, start: &str| {
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID{id}\nDTSTART{start}\nDURATION:PT1H\nEND:VEVENT\n\
             BEGIN:VEVENT\n{EVENT}EXDATE{id}\nEND:VEVENT\nEND:VCALENDAR\n"
        );
        canonical(text.as_bytes()).unwrap()
    };
    let wanted = series(
        ";TZID=Europe/Berlin:20261201T090000",
        ";TZID=Europe/Berlin:20261201T090000",
    );
    for id in [
        ":20261201T080000Z",
        ";TZID=America/New_York:20261201T030000",
        ":20261201T090000",
        ";VALUE=DATE:20261201",
    ] {
        assert_eq!(
            series(id, ";TZID=Europe/Berlin:20261201T090000"),
            wanted,
            "{id}"
        );
    }
    assert_ne!(
        series(":20261201T090000Z", ";TZID=Europe/Berlin:20261201T090000"),
        wanted
    );
    assert_ne!(
        series(":20261201T080000Z", ";TZID=Europe/Berlin:20261201T110000"),
        wanted
    );
}

#[test]
fn days_have_no_zone_and_an_exclusive_end() {
    let wanted = of("UID:1\nDTSTART;VALUE=DATE:20261124\n");
    for lines in [
        "DTSTART;VALUE=DATE:20261124\nDTEND;VALUE=DATE:20261125\n",
        "DTSTART:20261124\nDURATION:P1D\n",
        "DTSTART;VALUE=DATE;TZID=Europe/Berlin:20261124\n",
    ] {
        assert_eq!(of(&format!("UID:1\n{lines}")), wanted, "{lines}");
    }
    assert_ne!(
        of("UID:1\nDTSTART;VALUE=DATE:20261124\nDTEND;VALUE=DATE:20261126\n"),
        wanted
    );
}

/// FACTS §7: UIDs that are new on every fetch.
#[test]
fn fingerprints_survive_a_new_uid() {
    let print = |lines: &str| {
        let text = calendar(lines);
        let tree = parse(text.as_bytes()).unwrap();
        fingerprint(tree.roots().next().unwrap().child("VEVENT").unwrap())
    };
    let first = print(EVENT);
    assert_eq!(first.len(), 64);
    let churned = EVENT
        .replace("UID:1", "UID:2")
        .replace("20260101T000000Z", "20260202T000000Z")
        .replace("CATEGORIES", "COMMENT");
    assert_eq!(print(&churned), first);
    for (from, to) in [
        ("One", "Two"),
        ("T090000", "T091500"),
        ("T100000", "T110000"),
        ("COUNT=6", "COUNT=5"),
    ] {
        assert_ne!(print(&EVENT.replace(from, to)), first, "{to}");
    }
}

#[test]
fn what_is_no_object_is_refused() {
    for text in ["", "nonsense", "BEGIN:VCALENDAR\nEND:VCALENDAR\n"] {
        assert!(canonical(text.as_bytes()).is_err() && digest(text.as_bytes()).is_err());
    }
    assert_eq!(
        digest(calendar(EVENT).as_bytes()),
        digest(calendar(&EVENT.replace('\n', "\r\n")).as_bytes())
    );
}
