use super::*;
use crate::ical::tree::{Limits, Tree};
use crate::xml;
use proptest::prelude::*;

const ABCD2: &str = include_str!("../../../fixtures/rfc4791/abcd2.ics");
const ABCD3: &str = include_str!("../../../fixtures/rfc4791/abcd3.ics");
const ABCD8: &str = include_str!("../../../fixtures/rfc4791/abcd8.ics");

fn retrieval(inner: &str) -> Result<Retrieval, crate::dav::filter::FilterError> {
    let text = format!(
        "<C:calendar-data xmlns:C=\"urn:ietf:params:xml:ns:caldav\">{inner}</C:calendar-data>"
    );
    Retrieval::from_xml(&xml::read(text.as_bytes(), &xml::Limits::default()).expect("well-formed"))
}

fn pruned(inner: &str, text: &str, zone: &str) -> String {
    let retrieval = retrieval(inner).unwrap_or_else(|error| panic!("{inner}: {error}"));
    let tree = Tree::parse(text.as_bytes(), &Limits::default()).expect("a tree");
    let object = Object::read(&tree).unwrap_or_else(|error| panic!("{text}: {error}"));
    let floating = Zone::named(zone).expect("a zone");
    let answer = retrieval
        .apply(&object, &floating, &Budget::default())
        .expect("within the budget");
    String::from_utf8(answer.into_owned()).expect("UTF-8")
}

/// Lines joined by `|`, for short cases.
fn crlf(lines: &str) -> String {
    lines.replace('|', "\r\n") + "\r\n"
}

fn object(lines: &str) -> String {
    crlf(&format!(
        "BEGIN:VCALENDAR|VERSION:2.0|PRODID:x|{lines}|END:VCALENDAR"
    ))
}

const TIMEZONE: &str = "BEGIN:VTIMEZONE|LAST-MODIFIED:20040110T032845Z|TZID:US/Eastern|BEGIN:DAYLIGHT|\
    DTSTART:20000404T020000|RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4|TZNAME:EDT|TZOFFSETFROM:-0500|\
    TZOFFSETTO:-0400|END:DAYLIGHT|BEGIN:STANDARD|DTSTART:20001026T020000|RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10|\
    TZNAME:EST|TZOFFSETFROM:-0400|TZOFFSETTO:-0500|END:STANDARD|END:VTIMEZONE";

#[test]
fn the_parts_of_section_7_8_1() {
    let inner = "<C:comp name=\"VCALENDAR\"><C:prop name=\"VERSION\"/><C:comp name=\"VEVENT\"><C:prop name=\"SUMMARY\"/>\
        <C:prop name=\"UID\"/><C:prop name=\"DTSTART\"/><C:prop name=\"DTEND\"/><C:prop name=\"DURATION\"/>\
        <C:prop name=\"RRULE\"/><C:prop name=\"RECURRENCE-ID\"/></C:comp><C:comp name=\"VTIMEZONE\"/></C:comp>";
    let expected = format!(
        "BEGIN:VCALENDAR|VERSION:2.0|{TIMEZONE}|BEGIN:VEVENT|DTSTART;TZID=US/Eastern:20060102T120000|DURATION:PT1H|\
         RRULE:FREQ=DAILY;COUNT=5|SUMMARY:Event #2|UID:00959BC664CA650E933C892C@example.com|END:VEVENT|BEGIN:VEVENT|\
         DTSTART;TZID=US/Eastern:20060104T140000|DURATION:PT1H|RECURRENCE-ID;TZID=US/Eastern:20060104T120000|\
         SUMMARY:Event #2 bis|UID:00959BC664CA650E933C892C@example.com|END:VEVENT|END:VCALENDAR"
    );
    assert_eq!(pruned(inner, ABCD2, "UTC"), crlf(&expected));
}

#[test]
fn all_none_and_names_without_values() {
    let text = object(
        "BEGIN:VTODO|UID:1|ATTENDEE;CN=\"A\":mailto:|  a@x|BEGIN:VALARM|ACTION:AUDIO|END:VALARM|END:VTODO",
    );
    for (comp, expected) in [
        ("<C:comp name=\"VCALENDAR\"/>", text.clone()),
        (
            "<C:comp name=\"VCALENDAR\"><C:allprop/><C:allcomp/></C:comp>",
            text.clone(),
        ),
        (
            "<C:comp name=\"VCALENDAR\"><C:allprop/></C:comp>",
            crlf("BEGIN:VCALENDAR|VERSION:2.0|PRODID:x|END:VCALENDAR"),
        ),
        (
            "<C:comp name=\"VCALENDAR\"><C:allcomp/></C:comp>",
            text.replace("VERSION:2.0\r\nPRODID:x\r\n", ""),
        ),
        (
            "<C:comp name=\"VCALENDAR\"><C:comp name=\"vtodo\"><C:prop name=\"attendee\" novalue=\"yes\"/></C:comp></C:comp>",
            crlf("BEGIN:VCALENDAR|BEGIN:VTODO|ATTENDEE;CN=\"A\":|END:VTODO|END:VCALENDAR"),
        ),
        (
            "<C:comp name=\"VCALENDAR\"><C:comp name=\"VEVENT\"/></C:comp>",
            crlf("BEGIN:VCALENDAR|END:VCALENDAR"),
        ),
    ] {
        assert_eq!(pruned(comp, &text, "UTC"), expected, "{comp}");
    }
}

const SECTION_7_8_3: &str = "<C:expand start=\"20060103T000000Z\" end=\"20060105T000000Z\"/>";

#[test]
fn the_instances_of_section_7_8_3() {
    let recurring = "BEGIN:VCALENDAR|VERSION:2.0|PRODID:-//Example Corp.//CalDAV Client//EN|BEGIN:VEVENT|\
        RECURRENCE-ID:20060103T170000Z|DTSTAMP:20060206T001121Z|DTSTART:20060103T170000Z|DURATION:PT1H|\
        SUMMARY:Event #2|UID:00959BC664CA650E933C892C@example.com|END:VEVENT|BEGIN:VEVENT|\
        RECURRENCE-ID:20060104T170000Z|DTSTAMP:20060206T001121Z|DTSTART:20060104T190000Z|DURATION:PT1H|\
        SUMMARY:Event #2 bis|UID:00959BC664CA650E933C892C@example.com|END:VEVENT|END:VCALENDAR";
    assert_eq!(pruned(SECTION_7_8_3, ABCD2, "UTC"), crlf(recurring));
    let single = ABCD3.replace(&crlf(TIMEZONE), "").replace(
        "DTSTART;TZID=US/Eastern:20060104T100000",
        "DTSTART:20060104T150000Z",
    );
    assert_eq!(pruned(SECTION_7_8_3, ABCD3, "UTC"), single);
}

/// What an event's instances in the range of §7.8.3 look like, without what surrounds them.
#[test]
fn instances_keep_their_form_and_length() {
    let cases = [
        // Nothing to expand, nothing to convert: the very bytes.
        (
            "UTC",
            "DTSTART:20060104T100000Z|X-A:1",
            "DTSTART:20060104T100000Z|X-A:1",
        ),
        // DATE and floating stay; the zone decides what is in range.
        (
            "UTC",
            "DTSTART;VALUE=DATE:20060104",
            "DTSTART;VALUE=DATE:20060104",
        ),
        (
            "Asia/Tokyo",
            "DTSTART:20060105T080000",
            "DTSTART:20060105T080000",
        ),
        (
            "UTC",
            "DTSTART;VALUE=DATE:20060102|DTEND;VALUE=DATE:20060103|RRULE:FREQ=DAILY|EXDATE;VALUE=DATE:20060104",
            "RECURRENCE-ID;VALUE=DATE:20060103|DTSTART;VALUE=DATE:20060103|DTEND;VALUE=DATE:20060104",
        ),
        (
            "UTC",
            "DTSTART:20050104T100000|DTEND:20050104T110000|RRULE:FREQ=YEARLY",
            "RECURRENCE-ID:20060104T100000|DTSTART:20060104T100000|DTEND:20060104T110000",
        ),
        // A period of its own, and its length where the component has none.
        (
            "UTC",
            "DTSTART:20050104T100000Z|RDATE;VALUE=PERIOD:20060104T100000Z/PT3H",
            "RECURRENCE-ID:20060104T100000Z|DTEND:20060104T130000Z|DTSTART:20060104T100000Z",
        ),
        (
            "UTC",
            "DTSTART:20050104T100000Z|DURATION:PT1H|RDATE;VALUE=PERIOD:20060104T100000Z/PT3H",
            "RECURRENCE-ID:20060104T100000Z|DTSTART:20060104T100000Z|DTEND:20060104T130000Z",
        ),
        // Every time with a zone, whatever property it is in.
        (
            "UTC",
            "DTSTART;TZID=Europe/Berlin:20060104T100000|DTEND;TZID=America/New_York:20060104T050000|\
             X-SEEN;X-B=\"c;d\";TZID=Europe/Berlin:20060104T100000,20060105T100000",
            "DTSTART:20060104T090000Z|DTEND:20060104T100000Z|X-SEEN;X-B=\"c;d\":20060104T090000Z,20060105T090000Z",
        ),
        (
            "UTC",
            "DTSTART:20060104T100000Z|EXDATE:20060105T100000Z",
            "DTSTART:20060104T100000Z",
        ),
        ("UTC", "DTSTART:20060107T100000Z", ""),
    ];
    for (zone, event, expected) in cases {
        let text = object(&format!("BEGIN:VEVENT|UID:1|{event}|END:VEVENT"));
        let recurs = expected.starts_with("RECURRENCE-ID");
        let expected = match (expected, expected.split_once("|DTSTART").filter(|_| recurs)) {
            ("", _) => crlf("BEGIN:VCALENDAR|VERSION:2.0|PRODID:x|END:VCALENDAR"),
            (_, Some((extra, rest))) => object(&format!(
                "BEGIN:VEVENT|{extra}|UID:1|DTSTART{rest}|END:VEVENT"
            )),
            (same, None) => object(&format!("BEGIN:VEVENT|UID:1|{same}|END:VEVENT")),
        };
        assert_eq!(
            pruned(SECTION_7_8_3, &text, zone),
            expected,
            "{event} in {zone}"
        );
    }
}

/// An invitation to one instance has no master.
#[test]
fn an_override_alone_keeps_its_recurrence_id() {
    for (id, expected) in [
        (";VALUE=DATE:20060104", ";VALUE=DATE:20060104"),
        (";TZID=Europe/Berlin:20060103T100000", ":20060103T090000Z"),
        (":20060104T100000", ":20060104T100000"),
    ] {
        let own =
            format!("BEGIN:VEVENT|UID:1|RECURRENCE-ID{id}|DTSTART:20060104T120000Z|END:VEVENT");
        let wanted = format!(
            "BEGIN:VEVENT|RECURRENCE-ID{expected}|UID:1|DTSTART:20060104T120000Z|END:VEVENT"
        );
        assert_eq!(pruned(SECTION_7_8_3, &object(&own), "UTC"), object(&wanted));
    }
}

/// A nominal day over a change of the clocks is not 24 hours of UTC.
#[test]
fn a_nominal_duration_that_utc_cannot_say_becomes_an_end() {
    let text = object(
        "BEGIN:VEVENT|UID:1|DTSTART;TZID=Europe/Berlin:20260328T120000|DURATION:P1D|RRULE:FREQ=DAILY;COUNT=2|END:VEVENT",
    );
    let inner = "<C:expand start=\"20260328T000000Z\" end=\"20260401T000000Z\"/>";
    let expected = object(
        "BEGIN:VEVENT|RECURRENCE-ID:20260328T110000Z|UID:1|DTSTART:20260328T110000Z|DTEND:20260329T100000Z|END:VEVENT|\
         BEGIN:VEVENT|RECURRENCE-ID:20260329T100000Z|UID:1|DTSTART:20260329T100000Z|DURATION:P1D|END:VEVENT",
    );
    assert_eq!(pruned(inner, &text, "UTC"), expected);
}

#[test]
fn expanding_leaves_alone_what_does_not_recur_and_has_no_time() {
    for lines in [
        "BEGIN:VTODO|UID:1|SUMMARY:x|END:VTODO",
        "BEGIN:VJOURNAL|UID:1|END:VJOURNAL",
    ] {
        let text = object(lines);
        assert_eq!(pruned(SECTION_7_8_3, &text, "UTC"), text);
    }
    assert_eq!(pruned(SECTION_7_8_3, ABCD8, "UTC"), ABCD8);
    let retrieval = retrieval(SECTION_7_8_3).expect("valid");
    let text = object("BEGIN:VEVENT|UID:1|DTSTART:20060104T100000Z|END:VEVENT");
    let tree = Tree::parse(text.as_bytes(), &Limits::default()).expect("a tree");
    let object = Object::read(&tree).expect("an object");
    let answer = retrieval
        .apply(&object, &Zone::Utc, &Budget::default())
        .expect("within the budget");
    assert!(
        matches!(answer, Cow::Borrowed(_)),
        "nothing changes, so nothing is copied"
    );
}

#[test]
fn parts_of_instances() {
    let inner = format!(
        "<C:comp name=\"VCALENDAR\"><C:comp name=\"VEVENT\"><C:prop name=\"SUMMARY\"/></C:comp></C:comp>{SECTION_7_8_3}"
    );
    let expected = "BEGIN:VCALENDAR|BEGIN:VEVENT|RECURRENCE-ID:20060103T170000Z|SUMMARY:Event #2|END:VEVENT|\
        BEGIN:VEVENT|RECURRENCE-ID:20060104T170000Z|SUMMARY:Event #2 bis|END:VEVENT|END:VCALENDAR";
    assert_eq!(pruned(&inner, ABCD2, "UTC"), crlf(expected));
}

#[test]
fn overrides_of_section_7_8_2_are_limited_to_the_range() {
    let limit = |start: &str, end: &str| {
        format!("<C:limit-recurrence-set start=\"{start}\" end=\"{end}\"/>")
    };
    let override_at = ABCD2
        .find("BEGIN:VEVENT\r\nDTSTAMP:20060206T001121Z\r\nDTSTART;TZID=US/Eastern:20060104")
        .expect("override");
    let without = ABCD2[..override_at].to_owned() + "END:VCALENDAR\r\n";
    for (start, end, kept) in [
        ("20060103T000000Z", "20060105T000000Z", true),
        ("20060104T170000Z", "20060104T180000Z", true), // where it would have been
        ("20060104T193000Z", "20060104T194500Z", true), // where it is
        ("20060104T180000Z", "20060104T190000Z", false),
        ("20060105T000000Z", "20060106T000000Z", false),
    ] {
        let expected = if kept { ABCD2 } else { &without };
        assert_eq!(
            pruned(&limit(start, end), ABCD2, "UTC"),
            expected,
            "{start} to {end}"
        );
    }
    let future = ABCD2.replace("RECURRENCE-ID;", "RECURRENCE-ID;RANGE=THISANDFUTURE;");
    assert_eq!(
        pruned(
            &limit("20060105T000000Z", "20060106T000000Z"),
            &future,
            "UTC"
        ),
        future
    );
    assert_ne!(
        pruned(
            &limit("20060101T000000Z", "20060103T000000Z"),
            &future,
            "UTC"
        ),
        future
    );
}

/// §7.8.4, and a property of which only a part is in range.
#[test]
fn free_busy_values_are_limited_to_the_range() {
    let inner = "<C:limit-freebusy-set start=\"20060102T000000Z\" end=\"20060103T000000Z\"/>";
    let expected: String = ABCD8
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("FREEBUSY") || line.contains(":20060102T100000Z"))
        .collect();
    assert_eq!(pruned(inner, ABCD8, "UTC"), expected);
    let text = |value: &str| {
        object(&format!(
            "BEGIN:VFREEBUSY|UID:1|FREEBUSY;FBTYPE=FREE:{value}|END:VFREEBUSY"
        ))
    };
    assert_eq!(
        pruned(
            inner,
            &text("20060101T230000Z/PT1H,20060102T230000Z/PT4H,|  20060103T000000Z/PT1H"),
            "UTC"
        ),
        text("20060102T230000Z/PT4H")
    );
}

#[test]
fn what_is_no_calendar_data_is_refused() {
    for inner in [
        "<C:comp/>",
        "<C:comp name=\"VEVENT\"/>",
        "<C:filter/>",
        "<C:expand start=\"20060103T000000Z\"/>",
        "<C:expand start=\"20060103T000000Z\" end=\"20060103T000000Z\"/>",
        "<C:limit-recurrence-set start=\"20060103\" end=\"20060104\"/>",
        "<C:comp name=\"VCALENDAR\"><C:prop/></C:comp>",
        "<C:comp name=\"VCALENDAR\"><C:prop name=\"X\" novalue=\"true\"/></C:comp>",
        "<C:comp name=\"VCALENDAR\"><C:text-match/></C:comp>",
    ] {
        assert!(retrieval(inner).is_err(), "{inner}");
    }
    assert_eq!(retrieval("<x/>"), Ok(Retrieval::default()));
    assert!(Retrieval::default().is_whole());
}

proptest! {
    #[test]
    fn pruning_never_panics(
        which in 0usize..4,
        edits in proptest::collection::vec((0usize..1200, any::<u8>()), 0..6),
        from in 0usize..3,
    ) {
        let mut bytes = [ABCD2, ABCD3, ABCD8][from].as_bytes().to_vec();
        for (at, byte) in edits {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        let inner = [
            SECTION_7_8_3,
            "<C:limit-recurrence-set start=\"20060103T000000Z\" end=\"20060105T000000Z\"/>",
            "<C:limit-freebusy-set start=\"20060102T000000Z\" end=\"20060103T000000Z\"/>",
            "<C:comp name=\"VCALENDAR\"><C:allcomp/></C:comp>",
        ];
        let retrieval = retrieval(inner[which]).expect("valid");
        let tree = Tree::parse(&bytes, &Limits::default()).expect("a tree");
        if let Ok(object) = Object::read(&tree) {
            let answer = retrieval.apply(&object, &Zone::Utc, &Budget::default());
            if let Ok(answer) = answer {
                let again = Tree::parse(&answer, &Limits::default()).expect("a tree");
                prop_assert_eq!(again.roots().count(), tree.roots().count());
            }
        }
    }
}
