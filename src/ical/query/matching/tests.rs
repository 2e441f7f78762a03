use super::*;
use crate::ical::query::tests::filter;
use crate::ical::tree::{Limits, Tree};
use proptest::prelude::*;

fn matches(inner: &str, text: &str, zone: &str) -> bool {
    let filter = filter(inner).unwrap_or_else(|error| panic!("{inner}: {error}"));
    let tree = Tree::parse(text.as_bytes(), &Limits::default()).expect("a tree");
    let object = Object::read(&tree).unwrap_or_else(|error| panic!("{text}: {error}"));
    filter.matches(&object, &Zone::named(zone).expect("a zone"))
}

/// RFC 4791, Appendix B.
const COLLECTION: [&str; 8] = [
    include_str!("../../../../fixtures/rfc4791/abcd1.ics"),
    include_str!("../../../../fixtures/rfc4791/abcd2.ics"),
    include_str!("../../../../fixtures/rfc4791/abcd3.ics"),
    include_str!("../../../../fixtures/rfc4791/abcd4.ics"),
    include_str!("../../../../fixtures/rfc4791/abcd5.ics"),
    include_str!("../../../../fixtures/rfc4791/abcd6.ics"),
    include_str!("../../../../fixtures/rfc4791/abcd7.ics"),
    include_str!("../../../../fixtures/rfc4791/abcd8.ics"),
];

fn found(inner: &str) -> Vec<usize> {
    let numbers = (1..).zip(COLLECTION);
    numbers
        .filter(|(_, text)| matches(inner, text, "UTC"))
        .map(|(number, _)| number)
        .collect()
}

fn comp(name: &str, inner: &str) -> String {
    format!("<C:comp-filter name=\"{name}\">{inner}</C:comp-filter>")
}

fn prop(name: &str, inner: &str) -> String {
    format!("<C:prop-filter name=\"{name}\">{inner}</C:prop-filter>")
}

fn range(start: &str, end: &str) -> String {
    let bound = |name: &str, at: &str| match at {
        "" => String::new(),
        at => format!(" {name}=\"{at}\""),
    };
    format!(
        "<C:time-range{}{}/>",
        bound("start", start),
        bound("end", end)
    )
}

#[test]
fn the_examples_of_rfc_4791_section_7_8() {
    let day = range("20060104T000000Z", "20060105T000000Z");
    let partstat = "<C:text-match collation=\"i;ascii-casemap\">mailto:lisa@example.com</C:text-match>\
        <C:param-filter name=\"PARTSTAT\"><C:text-match>needs-action</C:text-match></C:param-filter>";
    let open = prop("COMPLETED", "<C:is-not-defined/>")
        + &prop(
            "STATUS",
            "<C:text-match negate-condition=\"yes\">CANCELLED</C:text-match>",
        );
    let uid =
        "<C:text-match collation=\"i;octet\">DC6C50A017428C5216A2F1CD@example.com</C:text-match>";
    for (section, inner, expected) in [
        ("7.8.1", comp("VEVENT", &day), vec![2, 3]),
        (
            "7.8.2",
            comp("VEVENT", &range("20060103T000000Z", "20060105T000000Z")),
            vec![2, 3],
        ),
        (
            "7.8.4",
            comp("VFREEBUSY", &range("20060102T000000Z", "20060103T000000Z")),
            vec![8],
        ),
        ("7.8.6", comp("VEVENT", &prop("UID", uid)), vec![3]),
        (
            "7.8.7",
            comp("VEVENT", &prop("ATTENDEE", partstat)),
            vec![3],
        ),
        ("7.8.8", comp("VEVENT", ""), vec![1, 2, 3]),
        ("7.8.9", comp("VTODO", &open), vec![4, 5]),
        ("Appendix B", String::new(), vec![1, 2, 3, 4, 5, 6, 7, 8]),
    ] {
        assert_eq!(found(&inner), expected, "{section}: {inner}");
    }
}

/// The to-do as the example's answer shows it; Appendix B has another DUE.
#[test]
fn the_example_of_section_7_8_5_relates_the_alarm_to_due() {
    let todo = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTODO\r\nUID:1\r\nDTSTAMP:20060205T235300Z\r\n\
        DUE;TZID=US/Eastern:20060106T120000\r\nBEGIN:VALARM\r\nACTION:AUDIO\r\n\
        TRIGGER;RELATED=START:-PT10M\r\nEND:VALARM\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
    for (from, to, expected) in [
        ("20060106T100000Z", "20060107T100000Z", true),
        ("20060106T165000Z", "20060106T165001Z", true),
        ("20060106T165001Z", "20060107T100000Z", false),
    ] {
        let inner = comp("VTODO", &comp("VALARM", &range(from, to)));
        assert_eq!(matches(&inner, todo, "UTC"), expected, "{from} to {to}");
    }
}

#[test]
fn what_is_not_defined_and_what_is() {
    for (inner, expected) in [
        (comp("VEVENT", "<C:is-not-defined/>"), vec![4, 5, 6, 7, 8]),
        (comp("VTODO", &comp("VALARM", "")), vec![4, 5]),
        (
            comp("VTODO", &comp("VALARM", "<C:is-not-defined/>")),
            vec![6, 7],
        ),
        (comp("vtodo", &prop("completed", "")), vec![6]),
        (
            comp("VEVENT", &prop("ATTENDEE", "<C:is-not-defined/>")),
            vec![1, 2],
        ),
        (
            comp(
                "VEVENT",
                &prop("ORGANIZER", "<C:param-filter name=\"CN\"/>"),
            ),
            vec![],
        ),
        (
            comp(
                "VFREEBUSY",
                &prop("ORGANIZER", "<C:param-filter name=\"CN\"/>"),
            ),
            vec![8],
        ),
        (
            comp(
                "VEVENT",
                &prop(
                    "ATTENDEE",
                    "<C:param-filter name=\"CN\"><C:is-not-defined/></C:param-filter>",
                ),
            ),
            vec![3],
        ),
        (
            prop("PRODID", "<C:text-match>example corp</C:text-match>"),
            vec![1, 2, 3, 4, 5, 6, 7, 8],
        ),
        (prop("METHOD", "") + &comp("VEVENT", ""), vec![]),
        // The property must be there even where the text must not.
        (
            comp(
                "VEVENT",
                &prop(
                    "STATUS",
                    "<C:text-match negate-condition=\"yes\">X</C:text-match>",
                ),
            ),
            vec![3],
        ),
        // One component passes all conditions: the override is "bis", the master recurs.
        (
            comp(
                "VEVENT",
                &(prop("RRULE", "") + &prop("SUMMARY", "<C:text-match>bis</C:text-match>")),
            ),
            vec![],
        ),
        (
            comp(
                "VEVENT",
                &prop("SUMMARY", "<C:text-match>bis</C:text-match>"),
            ),
            vec![2],
        ),
    ] {
        assert_eq!(found(&inner), expected, "{inner}");
    }
}

#[test]
fn ranges_on_events_consider_every_instance_and_override() {
    for (from, to, expected) in [
        ("20060102T165959Z", "20060102T170000Z", false),
        ("20060102T170000Z", "20060102T170001Z", true),
        ("20060102T175959Z", "20060102T180000Z", true),
        ("20060102T180000Z", "20060103T170000Z", false),
        ("20060104T170000Z", "20060104T180000Z", false), // moved away
        ("20060104T190000Z", "20060104T200000Z", true),  // to here
        ("20060106T170000Z", "", true),
        ("20060106T180000Z", "", false),
        ("", "20060102T170000Z", false),
        ("", "20060102T170001Z", true),
    ] {
        let inner = comp("VEVENT", &range(from, to));
        assert_eq!(
            matches(&inner, COLLECTION[1], "UTC"),
            expected,
            "{from} to {to}"
        );
    }
}

#[test]
fn properties_are_tested_on_their_effective_times() {
    for (name, from, to, expected) in [
        ("DTSTART", "20060105T170000Z", "20060105T170001Z", vec![2]),
        ("DTSTART", "20060104T190000Z", "20060104T190001Z", vec![2]),
        ("DTSTART", "20060104T170000Z", "20060104T180000Z", vec![]),
        ("DTEND", "20060102T160000Z", "20060102T160001Z", vec![1]),
        ("DTEND", "20060102T155959Z", "20060102T160000Z", vec![]),
        ("DTSTAMP", "20060206T001102Z", "20060206T001103Z", vec![1]),
        ("LAST-MODIFIED", "20060206T000000Z", "", vec![3]),
        ("CREATED", "", "20990101T000000Z", vec![]),
    ] {
        let inner = comp("VEVENT", &prop(name, &range(from, to)));
        assert_eq!(found(&inner), expected, "{name} {from} to {to}");
    }
    let due = comp(
        "VTODO",
        &prop("DUE", &range("20060104T000000Z", "20060104T000001Z")),
    );
    assert_eq!(found(&due), vec![4]);
    let completed = comp("VTODO", &prop("COMPLETED", &range("20051223T122322Z", "")));
    assert_eq!(found(&completed), vec![6]);
}

/// A component with these lines, alone in its object.
fn object(name: &str, lines: &str) -> String {
    let lines = lines.replace('|', "\r\n");
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:{name}\r\nUID:1\r\nDTSTAMP:20060101T000000Z\r\n{lines}\r\nEND:{name}\r\nEND:VCALENDAR\r\n"
    )
}

/// §9.9 on the day 2006-01-04 in UTC, unless the case says otherwise.
#[test]
fn every_kind_of_component_has_its_range() {
    for (name, lines, zone, expected) in [
        ("VEVENT", "DTSTART;VALUE=DATE:20060104", "UTC", true),
        ("VEVENT", "DTSTART;VALUE=DATE:20060105", "UTC", false),
        ("VEVENT", "DTSTART;VALUE=DATE:20060105", "Asia/Tokyo", true),
        ("VEVENT", "DTSTART;VALUE=DATE:20060103", "UTC", false),
        (
            "VEVENT",
            "DTSTART;VALUE=DATE:20060103",
            "America/New_York",
            true,
        ),
        ("VEVENT", "DTSTART:20060105T000000", "Asia/Tokyo", true),
        ("VEVENT", "DTSTART:20060105T000000", "UTC", false),
        ("VEVENT", "DTSTART:20060104T000000Z", "UTC", true),
        ("VEVENT", "DTSTART:20060105T000000Z", "UTC", false),
        (
            "VEVENT",
            "DTSTART:20060103T230000Z|DTEND:20060104T000000Z",
            "UTC",
            false,
        ),
        (
            "VEVENT",
            "DTSTART:20060103T230000Z|DURATION:PT1H1S",
            "UTC",
            true,
        ),
        (
            "VEVENT",
            "DTSTART:20060104T000000Z|DURATION:PT0S",
            "UTC",
            true,
        ),
        (
            "VEVENT",
            "DTSTART:20010104T100000Z|RRULE:FREQ=YEARLY",
            "UTC",
            true,
        ),
        (
            "VEVENT",
            "DTSTART:20010105T100000Z|RRULE:FREQ=YEARLY",
            "UTC",
            false,
        ),
        (
            "VEVENT",
            "DTSTART:20010104T100000Z|RRULE:FREQ=YEARLY|EXDATE:20060104T100000Z",
            "UTC",
            false,
        ),
        (
            "VEVENT",
            "DTSTART:20010105T100000Z|RDATE;VALUE=PERIOD:20060103T100000Z/P1D",
            "UTC",
            true,
        ),
        ("VTODO", "SUMMARY:x", "UTC", true),
        ("VTODO", "CREATED:20060105T000000Z", "UTC", false),
        ("VTODO", "CREATED:20060104T235959Z", "UTC", true),
        ("VTODO", "COMPLETED:20060105T000000Z", "UTC", true),
        ("VTODO", "COMPLETED:20060103T235959Z", "UTC", false),
        (
            "VTODO",
            "COMPLETED:20060301T000000Z|CREATED:20050301T000000Z",
            "UTC",
            true,
        ),
        ("VTODO", "DUE:20060104T000000Z", "UTC", false),
        ("VTODO", "DUE:20060105T000000Z", "UTC", true),
        ("VTODO", "DUE;VALUE=DATE:20060105", "UTC", true),
        (
            "VTODO",
            "DTSTART:20060101T000000Z|DUE:20060104T000000Z",
            "UTC",
            false,
        ),
        (
            "VTODO",
            "DTSTART:20060101T000000Z|DURATION:P3D",
            "UTC",
            true,
        ),
        ("VTODO", "DTSTART:20060101T000000Z", "UTC", false),
        (
            "VTODO",
            "DTSTART:20060101T000000Z|RRULE:FREQ=DAILY",
            "UTC",
            true,
        ),
        (
            "VTODO",
            "DTSTART:20060101T120000Z|DUE:20060101T130000Z|RRULE:FREQ=DAILY;INTERVAL=3",
            "UTC",
            true,
        ),
        (
            "VTODO",
            "DTSTART:20060101T120000Z|DUE:20060101T130000Z|RRULE:FREQ=DAILY;INTERVAL=2",
            "UTC",
            false,
        ),
        ("VJOURNAL", "SUMMARY:x", "UTC", false),
        ("VJOURNAL", "DTSTART;VALUE=DATE:20060104", "UTC", true),
        ("VJOURNAL", "DTSTART:20060103T235959Z", "UTC", false),
        (
            "VFREEBUSY",
            "DTSTART:20060101T000000Z|DTEND:20060104T000000Z",
            "UTC",
            true,
        ),
        (
            "VFREEBUSY",
            "FREEBUSY:20060103T230000Z/PT1H,20060104T230000Z/PT1H",
            "UTC",
            true,
        ),
        ("VFREEBUSY", "FREEBUSY:20060103T230000Z/PT1H", "UTC", false),
        ("VFREEBUSY", "SUMMARY:x", "UTC", false),
        ("VAVAILABILITY", "SUMMARY:x", "UTC", true),
        ("VAVAILABILITY", "DTSTART:20060105T000000Z", "UTC", false),
        (
            "VAVAILABILITY",
            "DTSTART:20060101T000000Z|DURATION:P3D",
            "UTC",
            false,
        ),
        ("VAVAILABILITY", "DTEND:20060104T000001Z", "UTC", true),
    ] {
        let inner = comp(name, &range("20060104T000000Z", "20060105T000000Z"));
        assert_eq!(
            matches(&inner, &object(name, lines), zone),
            expected,
            "{name} {lines} in {zone}"
        );
    }
}

#[test]
fn alarms_go_off_for_every_instance() {
    let event = "DTSTART:20060101T100000Z|DTEND:20060101T110000Z|RRULE:FREQ=DAILY;COUNT=5";
    for (alarm, from, to, expected) in [
        (
            "TRIGGER:-PT15M",
            "20060103T094500Z",
            "20060103T094501Z",
            true,
        ),
        (
            "TRIGGER:-PT15M",
            "20060103T094501Z",
            "20060104T094500Z",
            false,
        ),
        ("TRIGGER:-P2D", "20051230T100000Z", "20051230T100001Z", true),
        (
            "TRIGGER;RELATED=END:PT5M",
            "20060105T110500Z",
            "20060105T110501Z",
            true,
        ),
        ("TRIGGER;RELATED=END:PT5M", "20060105T110501Z", "", false),
        (
            "TRIGGER:PT0S|REPEAT:2|DURATION:PT1H",
            "20060105T120000Z",
            "20060105T120001Z",
            true,
        ),
        (
            "TRIGGER:PT0S|REPEAT:1|DURATION:PT1H",
            "20060105T120000Z",
            "20060105T120001Z",
            false,
        ),
        (
            "TRIGGER;VALUE=DATE-TIME:20060301T000000Z",
            "20060301T000000Z",
            "20060301T000001Z",
            true,
        ),
        (
            "TRIGGER;VALUE=DATE-TIME:20060301T000000Z",
            "20060101T000000Z",
            "20060201T000000Z",
            false,
        ),
    ] {
        let text = object(
            "VEVENT",
            &format!("{event}|BEGIN:VALARM|ACTION:AUDIO|{alarm}|END:VALARM"),
        );
        let inner = comp("VEVENT", &comp("VALARM", &range(from, to)));
        assert_eq!(
            matches(&inner, &text, "UTC"),
            expected,
            "{alarm} {from} to {to}"
        );
    }
}

#[test]
fn availability_is_asked_by_its_available_times() {
    let lines = "BEGIN:AVAILABLE|UID:2|DTSTAMP:20060101T000000Z|DTSTART:20060102T090000Z|DTEND:20060102T170000Z|\
        RRULE:FREQ=WEEKLY|END:AVAILABLE|BEGIN:AVAILABLE|UID:2|DTSTAMP:20060101T000000Z|RECURRENCE-ID:20060109T090000Z|\
        DTSTART:20060110T090000Z|DTEND:20060110T100000Z|END:AVAILABLE";
    for (from, to, expected) in [
        ("20060102T163000Z", "20060102T180000Z", true),
        ("20060102T170000Z", "20060109T180000Z", false),
        ("20060110T093000Z", "20060110T180000Z", true),
        ("20060116T093000Z", "20060116T180000Z", true),
    ] {
        let inner = comp("VAVAILABILITY", &comp("AVAILABLE", &range(from, to)));
        assert_eq!(
            matches(&inner, &object("VAVAILABILITY", lines), "UTC"),
            expected,
            "{from} to {to}"
        );
    }
}

#[test]
fn text_is_compared_unescaped_and_unfolded() {
    let text = object(
        "VEVENT",
        "DTSTART:20060104T000000Z|SUMMARY:Lunch\\, then col|  fee\\nand Äpfel|CATEGORIES:A,B",
    );
    for (name, needle, collation, expected) in [
        ("SUMMARY", "lunch, then", "i;ascii-casemap", true),
        ("SUMMARY", "lunch, then", "i;octet", false),
        ("SUMMARY", "col fee", "i;octet", true),
        ("SUMMARY", "äPFEL", "i;ascii-casemap", false),
        ("SUMMARY", "äPFEL", "i;unicode-casemap", true),
        ("CATEGORIES", "b", "i;ascii-casemap", true),
    ] {
        let inner = format!("<C:text-match collation=\"{collation}\">{needle}</C:text-match>");
        assert_eq!(
            matches(&comp("VEVENT", &prop(name, &inner)), &text, "UTC"),
            expected,
            "{name} {needle}"
        );
    }
}

proptest! {
    #[test]
    fn asking_never_panics_and_the_prefilter_never_hides_a_match(
        at in 0usize..8,
        edits in proptest::collection::vec((0usize..900, any::<u8>()), 0..6),
        which in 0usize..6,
    ) {
        let mut bytes = COLLECTION[at].as_bytes().to_vec();
        for (at, byte) in edits {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        let day = range("20060104T000000Z", "20060105T000000Z");
        let inner = [
            comp("VEVENT", &day),
            comp("VTODO", &day),
            comp("VFREEBUSY", &day),
            comp("VTODO", &comp("VALARM", &day)),
            comp("VEVENT", &prop("DTEND", &day)),
            comp("VEVENT", &prop("SUMMARY", "<C:text-match>e</C:text-match>")),
        ];
        let filter = filter(&inner[which]).expect("a filter");
        let tree = Tree::parse(&bytes, &Limits::default()).expect("a tree");
        if let Ok(object) = Object::read(&tree)
            && filter.matches(&object, &Zone::Utc)
        {
            prop_assert_eq!(filter.prefilter().component, Some(object.kind.name()));
        }
    }
}
