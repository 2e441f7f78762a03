//! One event for each property, parameter and component that an event may have. RFC 5545 §3.6.1, §3.8; RFC 7986 §5;
//! RFC 9073; RFC 9074; RFC 9253.

/// (RFC, what is tried, lines instead of the usual ones; `!` before a line: it follows the master).
pub type Probe = (&'static str, &'static str, &'static str);

pub const PROBES: &[Probe] = &[
    ("5545", "DTSTART, DTEND in a well-known zone", ""),
    (
        "5545",
        "DTSTART in UTC",
        "DTSTART:20260402T080000Z|DTEND:20260402T090000Z",
    ),
    (
        "5545",
        "DTSTART floating",
        "DTSTART:20260402T100000|DTEND:20260402T110000",
    ),
    (
        "5545",
        "DTSTART as a date",
        "DTSTART;VALUE=DATE:20260402|DTEND;VALUE=DATE:20260404",
    ),
    (
        "5545",
        "DTSTART in a zone of Windows' names",
        "DTSTART;TZID=W. Europe Standard Time:20260402T100000|DTEND;TZID=W. Europe Standard Time:20260402T110000",
    ),
    (
        "5545",
        "DTSTART and DTEND in two zones",
        "DTEND;TZID=America/New_York:20260402T060000",
    ),
    ("5545", "DURATION instead of DTEND", "DURATION:PT1H30M"),
    ("5545", "neither DTEND nor DURATION", "DTEND"),
    ("5545", "SUMMARY", "SUMMARY:A; \"title\"\\, with — words"),
    ("5545", "SUMMARY;LANGUAGE", "SUMMARY;LANGUAGE=en:Probe"),
    (
        "5545",
        "DESCRIPTION",
        "DESCRIPTION:One line\\nand <another> & more",
    ),
    (
        "5545",
        "DESCRIPTION;ALTREP",
        "DESCRIPTION;ALTREP=\"https://example.org/d\":Words",
    ),
    ("5545", "LOCATION", "LOCATION:Room 1\\, upstairs"),
    (
        "5545",
        "LOCATION;ALTREP",
        "LOCATION;ALTREP=\"https://example.org/l\":Room 1",
    ),
    ("5545", "GEO", "LOCATION:Berlin|GEO:52.520008;13.404954"),
    ("5545", "URL", "URL:https://example.org/event"),
    ("5545", "CLASS:PUBLIC", "CLASS:PUBLIC"),
    ("5545", "CLASS:PRIVATE", "CLASS:PRIVATE"),
    ("5545", "CLASS:CONFIDENTIAL", "CLASS:CONFIDENTIAL"),
    ("5545", "STATUS:CONFIRMED", "STATUS:CONFIRMED"),
    ("5545", "STATUS:TENTATIVE", "STATUS:TENTATIVE"),
    ("5545", "STATUS:CANCELLED", "STATUS:CANCELLED"),
    ("5545", "TRANSP:TRANSPARENT", "TRANSP:TRANSPARENT"),
    ("5545", "PRIORITY:1", "PRIORITY:1"),
    ("5545", "PRIORITY:5", "PRIORITY:5"),
    ("5545", "PRIORITY:9", "PRIORITY:9"),
    ("5545", "PRIORITY:3", "PRIORITY:3"),
    ("5545", "CATEGORIES", "CATEGORIES:Work,Travel"),
    ("5545", "COMMENT", "COMMENT:A remark"),
    ("5545", "CONTACT", "CONTACT:Jim\\, +49 30 1"),
    ("5545", "RELATED-TO", "RELATED-TO:other@example.org"),
    ("5545", "RESOURCES", "RESOURCES:BEAMER"),
    ("5545", "REQUEST-STATUS", "REQUEST-STATUS:2.0;Success"),
    (
        "5545",
        "ATTACH (address)",
        "ATTACH;FMTTYPE=application/pdf:https://example.org/a.pdf",
    ),
    (
        "5545",
        "ATTACH (inline)",
        "ATTACH;ENCODING=BASE64;VALUE=BINARY:SGVsbG8=",
    ),
    (
        "5545",
        "SEQUENCE, CREATED, LAST-MODIFIED",
        "SEQUENCE:4|CREATED:20260101T000000Z|LAST-MODIFIED:20260102T000000Z",
    ),
    ("5545", "X-… properties of others", "X-COLOUR-OF-SOCKS:red"),
    ("5545", "properties that nobody knows", "SOMETHING-NEW:1"),
    (
        "5545",
        "ORGANIZER, ATTENDEE (the link sends guests)",
        "ORGANIZER:mailto:me@example.com|ATTENDEE;CN=You;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:you@example.org",
    ),
    (
        "5545",
        "ATTENDEE;ROLE=OPT-PARTICIPANT (the link sends guests)",
        "ORGANIZER:mailto:me@example.com|ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:you@example.org",
    ),
    (
        "5545",
        "ATTENDEE;DELEGATED-TO (the link sends guests)",
        "ORGANIZER:mailto:me@example.com|ATTENDEE;PARTSTAT=DELEGATED;RSVP=TRUE;DELEGATED-TO=\"mailto:she@example.org\":mailto:you@example.org",
    ),
    (
        "5545",
        "RRULE daily, with COUNT",
        "RRULE:FREQ=DAILY;COUNT=10",
    ),
    (
        "5545",
        "RRULE weekly, with days and UNTIL",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;UNTIL=20260630T080000Z",
    ),
    (
        "5545",
        "RRULE monthly on a day",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=2",
    ),
    (
        "5545",
        "RRULE monthly on the first Thursday",
        "RRULE:FREQ=MONTHLY;BYDAY=1TH",
    ),
    ("5545", "RRULE yearly", "RRULE:FREQ=YEARLY"),
    (
        "5545",
        "RRULE monthly, last working day",
        "DTSTART;TZID=Europe/Berlin:20260430T100000|DTEND;TZID=Europe/Berlin:20260430T110000|RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=6",
    ),
    ("5545", "RRULE hourly", "RRULE:FREQ=HOURLY;COUNT=5"),
    (
        "5545",
        "RRULE with several days of the month",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=2,16",
    ),
    (
        "5545",
        "EXDATE",
        "RRULE:FREQ=DAILY;COUNT=10|EXDATE;TZID=Europe/Berlin:20260404T100000",
    ),
    (
        "5545",
        "RDATE",
        "RRULE:FREQ=DAILY;COUNT=3|RDATE;TZID=Europe/Berlin:20260420T100000",
    ),
    (
        "5545",
        "RDATE;VALUE=PERIOD",
        "RRULE:FREQ=DAILY;COUNT=3|RDATE;VALUE=PERIOD:20260420T080000Z/PT3H",
    ),
    (
        "2445",
        "EXRULE",
        "RRULE:FREQ=DAILY;COUNT=20|EXRULE:FREQ=WEEKLY;BYDAY=SU",
    ),
    (
        "5545",
        "RECURRENCE-ID: one changed date",
        "RRULE:FREQ=WEEKLY;COUNT=5|!RECURRENCE-ID;TZID=Europe/Berlin:20260409T100000|!DTSTART;TZID=Europe/Berlin:20260410T140000|!DTEND;TZID=Europe/Berlin:20260410T150000|!SUMMARY:Moved",
    ),
    (
        "5545",
        "RECURRENCE-ID;RANGE=THISANDFUTURE",
        "RRULE:FREQ=WEEKLY;COUNT=5|!RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260409T100000|!DTSTART;TZID=Europe/Berlin:20260409T120000|!DTEND;TZID=Europe/Berlin:20260409T130000|!SUMMARY:Later",
    ),
    (
        "5545",
        "VALARM: DISPLAY, minutes before",
        "BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT15M|DESCRIPTION:Probe|END:VALARM",
    ),
    (
        "5545",
        "VALARM: two of them",
        "BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT15M|DESCRIPTION:Probe|END:VALARM|BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT1H|DESCRIPTION:Probe|END:VALARM",
    ),
    (
        "5545",
        "VALARM: AUDIO",
        "BEGIN:VALARM|ACTION:AUDIO|TRIGGER:-PT15M|END:VALARM",
    ),
    (
        "5545",
        "VALARM: EMAIL",
        "BEGIN:VALARM|ACTION:EMAIL|TRIGGER:-PT15M|SUMMARY:Probe|DESCRIPTION:Probe|ATTENDEE:mailto:me@example.com|END:VALARM",
    ),
    (
        "5545",
        "VALARM: after the start",
        "BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:PT15M|DESCRIPTION:Probe|END:VALARM",
    ),
    (
        "5545",
        "VALARM: before the end",
        "BEGIN:VALARM|ACTION:DISPLAY|TRIGGER;RELATED=END:-PT5M|DESCRIPTION:Probe|END:VALARM",
    ),
    (
        "5545",
        "VALARM: at a moment",
        "BEGIN:VALARM|ACTION:DISPLAY|TRIGGER;VALUE=DATE-TIME:20260402T070000Z|DESCRIPTION:Probe|END:VALARM",
    ),
    (
        "5545",
        "VALARM: with words of its own",
        "BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT15M|DESCRIPTION:Wake up|END:VALARM",
    ),
    (
        "5545",
        "VALARM: repeated",
        "BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT15M|DESCRIPTION:Probe|REPEAT:2|DURATION:PT5M|END:VALARM",
    ),
    (
        "9074",
        "VALARM: ACKNOWLEDGED",
        "BEGIN:VALARM|UID:a1|ACTION:DISPLAY|TRIGGER:-PT15M|DESCRIPTION:Probe|ACKNOWLEDGED:20260402T070000Z|END:VALARM",
    ),
    (
        "9074",
        "VALARM: PROXIMITY",
        "BEGIN:VALARM|UID:a1|ACTION:DISPLAY|TRIGGER:-PT15M|DESCRIPTION:Probe|PROXIMITY:DEPART|END:VALARM",
    ),
    ("7986", "COLOR:tomato", "COLOR:tomato"),
    ("7986", "COLOR:mediumseagreen", "COLOR:mediumseagreen"),
    (
        "7986",
        "IMAGE",
        "IMAGE;VALUE=URI;DISPLAY=BADGE:https://example.org/i.png",
    ),
    (
        "7986",
        "CONFERENCE of another service",
        "CONFERENCE;VALUE=URI;FEATURE=VIDEO:https://meet.example.org/1",
    ),
    (
        "9073",
        "STRUCTURED-DATA",
        "STRUCTURED-DATA;VALUE=TEXT;FMTTYPE=application/json;SCHEMA=\"urn:x\":{\\\"a\\\":1}",
    ),
    (
        "9073",
        "STYLED-DESCRIPTION",
        "STYLED-DESCRIPTION;VALUE=TEXT;FMTTYPE=text/html:<p>Words</p>",
    ),
    (
        "9073",
        "PARTICIPANT",
        "BEGIN:PARTICIPANT|UID:p1|PARTICIPANT-TYPE:SPEAKER|SUMMARY:Cleo|END:PARTICIPANT",
    ),
    (
        "9073",
        "VLOCATION",
        "BEGIN:VLOCATION|UID:l1|LOCATION-TYPE:venue|NAME:Hall|END:VLOCATION",
    ),
    (
        "9073",
        "VRESOURCE",
        "BEGIN:VRESOURCE|UID:r1|RESOURCE-TYPE:projector|NAME:Beamer|END:VRESOURCE",
    ),
    (
        "9253",
        "LINK",
        "LINK;LINKREL=related;VALUE=URI:https://example.org/crm",
    ),
    (
        "9253",
        "CONCEPT",
        "CONCEPT:https://example.org/concepts/coaching",
    ),
    ("9253", "REFID", "REFID:project-7"),
    (
        "9253",
        "RELATED-TO;RELTYPE;GAP",
        "RELATED-TO;RELTYPE=FINISHTOSTART;GAP=PT1H:other@example.org",
    ),
];

/// The usual lines of an event.
const USUAL: &[&str] = &[
    "DTSTART;TZID=Europe/Berlin:20260402T100000",
    "DTEND;TZID=Europe/Berlin:20260402T110000",
    "SUMMARY:Probe",
];

const ZONES: &[&str] = &["Europe/Berlin", "America/New_York"];

/// As Outlook writes it.
const OUTLOOK: &str = "BEGIN:VTIMEZONE\r\nTZID:W. Europe Standard Time\r\nBEGIN:STANDARD\r\nDTSTART:16010101T030000\r\n\
    TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\n\
    BEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n\
    RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n";

/// A probe as an object.
pub fn object(lines: &str) -> String {
    let lines: Vec<&str> = lines.split('|').filter(|line| !line.is_empty()).collect();
    let name = |line: &str| line.split([';', ':']).next().unwrap_or_default().to_owned();
    let own: Vec<String> = lines
        .iter()
        .take_while(|line| !line.starts_with("BEGIN"))
        .map(|line| name(line))
        .collect();
    let replaced = |usual: &str| {
        let usual = name(usual);
        own.contains(&usual) || usual == "DTEND" && own.iter().any(|one| one == "DURATION")
    };
    let master = USUAL
        .iter()
        .copied()
        .filter(|usual| !replaced(usual))
        .chain(lines.iter().copied().filter(|line| !line.starts_with('!')))
        .filter(|line| line.contains(':'));
    let over: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    let mut text = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//probe//EN\r\n");
    let events = [master.collect(), over];
    let all = events.concat().join("\n");
    for zone in ZONES
        .iter()
        .filter(|zone| all.contains(&format!("TZID={zone}:")))
    {
        let from = 1_735_689_600; // 2025-01-01
        text += &crate::ical::zone::vtimezone(zone, from, None).unwrap_or_default();
    }
    if all.contains("W. Europe Standard Time") {
        text += OUTLOOK;
    }
    for event in events.iter().filter(|event| !event.is_empty()) {
        text += "BEGIN:VEVENT\r\nUID:probe@example.org\r\nDTSTAMP:20260101T000000Z\r\n";
        for line in event {
            text += &format!("{line}\r\n");
        }
        text += "END:VEVENT\r\n";
    }
    text + "END:VCALENDAR\r\n"
}
