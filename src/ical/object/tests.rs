use super::*;
use crate::ical::tree::Limits;

fn calendar(inside: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//X//EN\n{inside}END:VCALENDAR\n")
        .replace('\n', "\r\n")
}

fn event(inside: &str) -> String {
    calendar(&format!("BEGIN:VEVENT\nUID:1\n{inside}END:VEVENT\n"))
}

const ZONE: &str = "BEGIN:VTIMEZONE\nTZID:Here\nBEGIN:STANDARD\nDTSTART:16010101T000000\nTZOFFSETFROM:+0100\n\
    TZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n";

fn verdict(text: &str, rules: &Rules) -> Result<(), Invalid> {
    validate(text.as_bytes(), rules).map(drop)
}

/// RFC 4791 §4.1's example, cut in two as it asks for.
#[test]
fn an_object_is_a_master_and_its_overrides() {
    let text = calendar(&format!(
        "{ZONE}BEGIN:VEVENT\nUID:2@example.com\nRECURRENCE-ID;RANGE=THISANDFUTURE:20041213T120000Z\n\
         DTSTART:20041213T130000Z\nEND:VEVENT\nBEGIN:VEVENT\nUID:2@example.com\nDTSTART:20041206T120000Z\n\
         RRULE:FREQ=WEEKLY\nEND:VEVENT\n"
    ));
    let tree = validate(text.as_bytes(), &Rules::default()).unwrap();
    let object = Object::read(&tree).unwrap();
    assert_eq!((object.kind, &*object.uid), (Kind::Event, "2@example.com"));
    assert_eq!(object.master.unwrap().line(), 17);
    assert_eq!(object.timezones.len(), 1);
    let [over] = &object.overrides[..] else {
        panic!("{:?}", object.overrides)
    };
    assert_eq!(
        (
            over.recurrence_id.to_string().as_str(),
            over.this_and_future
        ),
        ("20041213T120000Z", true)
    );
    assert_eq!(
        object.components().map(Component::line).collect::<Vec<_>>(),
        [17, 12]
    );
}

#[test]
fn overrides_need_no_master() {
    let text = event("RECURRENCE-ID:20260101T100000Z\nDTSTART:20260101T110000Z\n");
    let tree = validate(text.as_bytes(), &Rules::default()).unwrap();
    let object = Object::read(&tree).unwrap();
    assert!(object.master.is_none());
    assert_eq!(object.main().unwrap().line(), 4);
}

/// What is taken although the RFC would rather not see it: the header of [`validate`] says why.
#[test]
fn what_clients_survive_is_taken() {
    let cases = [
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:20260101\nEND:VEVENT\nEND:VCALENDAR"
            .to_owned(),
        event(
            "DTSTART;TZID=Europe/Paris:20260101T100000\nDTEND;TZID=Europe/Paris:20260101T100000\n",
        ),
        event("DTSTART;TZID=Nowhere:20260101T100000Z\n"),
        event("DTSTART:20260101\nDTEND:20260102\nDTSTART:20260101\n"),
        event("DTSTART;VALUE=DATE:20260101\nRDATE:\nRRULE:\nX-A:1\nX-A:2\nCOMMENT:a\nCOMMENT:b\n"),
        event("DTSTART:20260101T100000\nDTEND;TZID=Europe/Paris:20260101T093000\n"),
        event(
            "DTSTART:20260101T100000\nATTENDEE:someone@example.org\nATTENDEE:urn:uuid:1\nBEGIN:VALARM\nEND:VALARM\n",
        ),
        event("DTSTART:20260101T100000\nBEGIN:X-MINE\nDTSTART:never\nEND:X-MINE\n"),
        calendar("BEGIN:X-THEIRS\nEND:X-THEIRS\nBEGIN:VTODO\nUID:1\nEND:VTODO\n"),
        calendar(
            "BEGIN:VTIMEZONE\nTZID:Europe/Paris\nEND:VTIMEZONE\nBEGIN:VJOURNAL\nUID:1\nDESCRIPTION:a\nDESCRIPTION:b\nEND:VJOURNAL\n",
        ),
        calendar(
            "BEGIN:VAVAILABILITY\nUID:1\nBEGIN:AVAILABLE\nUID:2\nDTSTART:20260101T100000\nEND:AVAILABLE\nEND:VAVAILABILITY\n",
        ),
        calendar(
            "BEGIN:VEVENT\nUID:1\nDTSTART:20260101\nRRULE:FREQ=DAILY\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\nDTSTART:20260105\nRECURRENCE-ID:20260102T000000\nEND:VEVENT\n",
        ),
    ];
    for text in cases {
        assert_eq!(verdict(&text, &Rules::default()), Ok(()), "{text}");
    }
}

/// Precondition, line and a word of the reason.
#[test]
fn what_is_refused_names_its_precondition_and_line() {
    use Violation::*;
    let start = "DTSTART:20260101T100000Z\n";
    let with = |line: &str| event(&format!("{start}{line}\n"));
    let cases = [
        // structure
        (String::new(), ValidCalendarData, 1, "no VCALENDAR"),
        (
            with("").replace("VCALENDAR", "XCALENDAR"),
            ValidCalendarData,
            1,
            "XCALENDAR",
        ),
        (
            with("").replace("END:VCALENDAR", ""),
            ValidCalendarData,
            10,
            "has no END",
        ),
        (with("nonsense"), ValidCalendarData, 7, "no colon"),
        (with("X:\u{1}"), ValidCalendarData, 7, "control character"),
        (
            with("X:\u{ffff}"),
            ValidCalendarData,
            7,
            "control character",
        ),
        (
            format!("{}{}", with(""), with("")),
            ValidCalendarObjectResource,
            10,
            "second root",
        ),
        // VCALENDAR
        (
            with("").replace("VERSION:2.0", "VERSION:1.0"),
            SupportedCalendarData,
            2,
            "VERSION",
        ),
        (
            with("").replace("PRODID:", "METHOD:PUBLISH\r\nX:"),
            ValidCalendarObjectResource,
            3,
            "METHOD",
        ),
        (
            with("").replace("PRODID:", "CALSCALE:HEBREW\r\nX:"),
            ValidCalendarData,
            3,
            "CALSCALE",
        ),
        // RFC 4791 §4.1
        (
            calendar(""),
            ValidCalendarObjectResource,
            1,
            "no calendar component",
        ),
        (
            calendar(ZONE),
            ValidCalendarObjectResource,
            1,
            "no calendar component",
        ),
        (
            calendar("BEGIN:VALARM\nEND:VALARM\n"),
            SupportedCalendarComponent,
            4,
            "VALARM",
        ),
        (
            with("").replace("UID:1", "X:1"),
            ValidCalendarObjectResource,
            4,
            "without UID",
        ),
        (
            with("").replace("UID:1", "UID: "),
            ValidCalendarObjectResource,
            4,
            "without UID",
        ),
        (
            with("END:VEVENT\nBEGIN:VEVENT\nUID:2"),
            ValidCalendarObjectResource,
            8,
            "two UIDs",
        ),
        (
            with("END:VEVENT\nBEGIN:VEVENT\nUID:1"),
            ValidCalendarObjectResource,
            8,
            "a second VEVENT",
        ),
        (
            with("END:VEVENT\nBEGIN:VTODO\nUID:1\nEND:VTODO\nBEGIN:VEVENT"),
            ValidCalendarObjectResource,
            8,
            "VTODO",
        ),
        (
            event("DTSTART;TZID=Bogus:20260101T100000\n"),
            ValidCalendarObjectResource,
            6,
            "Bogus",
        ),
        (
            with("EXDATE;TZID=Bogus:20260101T100000Z,20260102T100000"),
            ValidCalendarObjectResource,
            7,
            "Bogus",
        ),
        // values
        (event(""), ValidCalendarData, 4, "without DTSTART"),
        (event("DTSTART:20260132\n"), ValidCalendarData, 6, "DTSTART"),
        (
            event("DTSTART;VALUE=DATE:20260101T100000\n"),
            ValidCalendarData,
            6,
            "not a DATE",
        ),
        (with("DTEND:2026-01-01"), ValidCalendarData, 7, "DTEND"),
        (
            with("DTEND:20260101T095959Z"),
            ValidCalendarData,
            7,
            "before DTSTART",
        ),
        (with("DTEND:20260102"), ValidCalendarData, 7, "one type"),
        (
            with("DTEND:20260101T110000Z\nDURATION:PT1H"),
            ValidCalendarData,
            7,
            "beside DURATION",
        ),
        (with("DURATION:P1DT"), ValidCalendarData, 7, "DURATION"),
        (with("DURATION:-PT1H"), ValidCalendarData, 7, "backwards"),
        (
            with("RRULE:FREQ=MONTHLY;BYDAY=+1,3MO"),
            ValidCalendarData,
            7,
            "RRULE",
        ),
        (
            with("RRULE:RSCALE=HEBREW;FREQ=YEARLY"),
            SupportedRscale,
            7,
            "RRULE",
        ),
        (
            with("EXDATE:20260101T100000Z,never"),
            ValidCalendarData,
            7,
            "EXDATE",
        ),
        (
            with("RDATE;VALUE=PERIOD:20260101T100000Z/"),
            ValidCalendarData,
            7,
            "RDATE",
        ),
        (with("ATTENDEE:nobody"), ValidCalendarData, 7, "ATTENDEE"),
        (with("SEQUENCE:many"), ValidCalendarData, 7, "SEQUENCE"),
        (
            with("DTSTART:20260102T100000Z"),
            ValidCalendarData,
            7,
            "a second DTSTART",
        ),
        (
            with("SUMMARY:a\nSUMMARY:b"),
            ValidCalendarData,
            8,
            "a second SUMMARY",
        ),
        (
            with("BEGIN:VALARM\nTRIGGER:soon\nEND:VALARM"),
            ValidCalendarData,
            8,
            "TRIGGER",
        ),
        (
            with("RECURRENCE-ID:"),
            ValidCalendarData,
            7,
            "RECURRENCE-ID",
        ),
    ];
    for (text, precondition, line, reason) in cases {
        let found = verdict(&text, &Rules::default()).expect_err(&text);
        assert_eq!(
            (found.precondition, found.line),
            (precondition, Some(line)),
            "{found}\n{text}"
        );
        assert!(found.reason.contains(reason), "{found}");
    }
}

#[test]
fn each_instance_is_overridden_once_by_an_id_of_its_type() {
    let series = |over: &str| {
        let over = format!("BEGIN:VEVENT\nUID:1\nDTSTART:20260101T120000Z\n{over}\nEND:VEVENT\n");
        calendar(&format!(
            "BEGIN:VEVENT\nUID:1\nDTSTART:20260101T100000Z\nRRULE:FREQ=DAILY\nEND:VEVENT\n{over}{}",
            over.replace("20260102", "20260103")
        ))
    };
    assert_eq!(
        verdict(&series("RECURRENCE-ID:20260102T100000Z"), &Rules::default()),
        Ok(())
    );
    let twice = verdict(&series("RECURRENCE-ID:20260104T100000Z"), &Rules::default()).unwrap_err();
    assert_eq!(
        (twice.precondition, twice.line),
        (Violation::ValidCalendarObjectResource, Some(17))
    );
    let date = verdict(&series("RECURRENCE-ID:20260102"), &Rules::default()).unwrap_err();
    assert_eq!(
        (date.precondition, date.line),
        (Violation::ValidCalendarData, Some(12))
    );
}

#[test]
fn vtimezones_that_are_needed_must_say_their_offsets() {
    let with = |zone: &str| {
        calendar(&format!(
            "{zone}BEGIN:VEVENT\nUID:1\nDTSTART;TZID=Here:20260101T100000\nEND:VEVENT\n"
        ))
    };
    assert_eq!(verdict(&with(ZONE), &Rules::default()), Ok(()));
    for (from, to, reason) in [
        ("TZOFFSETTO:+0100\n", "", "without TZOFFSETTO"),
        ("TZOFFSETTO:+0100", "TZOFFSETTO:CET", "UTC-OFFSET"),
        ("STANDARD", "X-STANDARD", "without STANDARD"),
    ] {
        let found = verdict(&with(&ZONE.replace(from, to)), &Rules::default()).unwrap_err();
        assert!(found.reason.contains(reason), "{found}");
    }
}

#[test]
fn limits_have_preconditions_of_their_own() {
    let text = event(
        "DTSTART:20260101T100000Z\nRRULE:FREQ=SECONDLY;COUNT=2000\nATTENDEE:mailto:a@x\nATTENDEE:mailto:b@x\n",
    );
    let at = |year: i16| jiff::civil::date(year, 1, 1).at(0, 0, 0, 0);
    let cases = [
        (
            Rules {
                limits: Limits {
                    bytes: 100,
                    ..Limits::default()
                },
                ..Rules::default()
            },
            Violation::MaxResourceSize,
        ),
        (
            Rules {
                components: Some(vec![Kind::Todo]),
                ..Rules::default()
            },
            Violation::SupportedCalendarComponent,
        ),
        (
            Rules {
                max_instances: Some(1999),
                ..Rules::default()
            },
            Violation::MaxInstances,
        ),
        (
            Rules {
                max_attendees: Some(1),
                ..Rules::default()
            },
            Violation::MaxAttendeesPerInstance,
        ),
        (
            Rules {
                min_date_time: Some(at(2027)),
                ..Rules::default()
            },
            Violation::MinDateTime,
        ),
        (
            Rules {
                max_date_time: Some(at(2026)),
                ..Rules::default()
            },
            Violation::MaxDateTime,
        ),
    ];
    for (rules, precondition) in cases {
        assert_eq!(
            verdict(&text, &rules).unwrap_err().precondition,
            precondition
        );
    }
    let rules = Rules {
        components: Some(vec![Kind::Event]),
        max_instances: Some(2000),
        max_attendees: Some(2),
        min_date_time: Some(at(2026)),
        max_date_time: Some(at(2027)),
        ..Rules::default()
    };
    assert_eq!(verdict(&text, &rules), Ok(()));
}

/// RFC 5545 §3.6.1–3.6.4, §3.6.6 and RFC 7953 §3.1, as printed.
#[test]
fn the_rfcs_own_examples_are_valid() {
    let examples = [
        (
            Kind::Event,
            "BEGIN:VEVENT\nUID:19970901T130000Z-123403@example.com\nDTSTAMP:19970901T130000Z\n\
            DTSTART;VALUE=DATE:19971102\nSUMMARY:Our Blissful Anniversary\nTRANSP:TRANSPARENT\nCLASS:CONFIDENTIAL\n\
            CATEGORIES:ANNIVERSARY,PERSONAL,SPECIAL OCCASION\nRRULE:FREQ=YEARLY\nEND:VEVENT\n",
        ),
        (
            Kind::Event,
            "BEGIN:VEVENT\nUID:20070423T123432Z-541111@example.com\nDTSTAMP:20070423T123432Z\n\
            DTSTART;VALUE=DATE:20070628\nDTEND;VALUE=DATE:20070709\nSUMMARY:Festival International de Jazz de Montreal\n\
            TRANSP:TRANSPARENT\nEND:VEVENT\n",
        ),
        (
            Kind::Todo,
            "BEGIN:VTODO\nUID:20070514T103211Z-123404@example.com\nDTSTAMP:20070514T103211Z\n\
            DTSTART:20070514T110000Z\nDUE:20070709T130000Z\nCOMPLETED:20070707T100000Z\n\
            SUMMARY:Submit Revised Internet-Draft\nPRIORITY:1\nSTATUS:NEEDS-ACTION\nEND:VTODO\n",
        ),
        (
            Kind::Todo,
            "BEGIN:VTODO\nDTSTAMP:19980130T134500Z\nSEQUENCE:2\nUID:uid4@example.com\n\
            ORGANIZER:mailto:unclesam@example.com\nATTENDEE;PARTSTAT=ACCEPTED:mailto:jqpublic@example.com\n\
            DUE:19980415T000000\nSTATUS:NEEDS-ACTION\nSUMMARY:Submit Income Taxes\nBEGIN:VALARM\nACTION:AUDIO\n\
            TRIGGER:19980403T120000Z\nATTACH;FMTTYPE=audio/basic:http://example.com/pub/audio-\n files/ssbanner.aud\n\
            REPEAT:4\nDURATION:PT1H\nEND:VALARM\nEND:VTODO\n",
        ),
        (
            Kind::Journal,
            "BEGIN:VJOURNAL\nUID:19970901T130000Z-123405@example.com\nDTSTAMP:19970901T130000Z\n\
            DTSTART;VALUE=DATE:19970317\nSUMMARY:Staff meeting minutes\n\
            DESCRIPTION:1. Staff meeting: Participants include Joe\\,\n  Lisa\\, and Bob.\\n\n 2. Next\nEND:VJOURNAL\n",
        ),
        (
            Kind::FreeBusy,
            "BEGIN:VFREEBUSY\nUID:19970901T095957Z-76A912@example.com\nORGANIZER:mailto:jane_doe@example.com\n\
            ATTENDEE:mailto:john_public@example.com\nDTSTAMP:19970901T100000Z\n\
            FREEBUSY:19971015T050000Z/PT8H30M,\n 19971015T160000Z/PT5H30M,19971015T223000Z/PT6H30M\n\
            URL:http://example.com/pub/busy/jpublic-01.ifb\nEND:VFREEBUSY\n",
        ),
        (
            Kind::FreeBusy,
            "BEGIN:VFREEBUSY\nUID:19970901T115957Z-76A912@example.com\nDTSTAMP:19970901T120000Z\n\
            ORGANIZER:jsmith@example.com\nDTSTART:19980313T141711Z\nDTEND:19980410T141711Z\n\
            FREEBUSY:19980314T233000Z/19980315T003000Z\nFREEBUSY:19980316T153000Z/19980316T163000Z\nEND:VFREEBUSY\n",
        ),
        (
            Kind::Availability,
            "BEGIN:VAVAILABILITY\nORGANIZER:mailto:bernard@example.com\n\
            UID:0428C7D2-688E-4D2E-AC52-CD112E2469DF\nDTSTAMP:20111005T133225Z\nBEGIN:AVAILABLE\n\
            UID:34EDA59B-6BB1-4E94-A66C-64999089C0AF\nSUMMARY:Monday to Friday from 9:00 to 17:00\n\
            DTSTART;TZID=America/Montreal:20111002T090000\nDTEND;TZID=America/Montreal:20111002T170000\n\
            RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR\nEND:AVAILABLE\nEND:VAVAILABILITY\n",
        ),
    ];
    for (kind, example) in examples {
        let text = calendar(example);
        let tree = validate(text.as_bytes(), &Rules::default()).unwrap();
        assert_eq!(Object::read(&tree).unwrap().kind, kind);
    }
}
