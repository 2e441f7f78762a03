//! The map both ways: tables, and every event of the corpus through it and back.

use serde_json::{Value, json};

use super::*;
use crate::model::bridge::GuestPolicy;
use crate::remote::google::answers::item;
use crate::remote::google::wire::Json;
use crate::remote::{Marker, Put, Read, Reading, Refusal};

mod corpus;

pub const ME: &str = "me@example.com";
const KEY: &str = "k0a1b2c3d4e5f6";

pub fn place() -> Place {
    Place {
        remote_id: ME.into(),
        zone: "Europe/Berlin".into(),
        extra: String::new(),
    }
}

fn marker() -> Marker {
    Marker {
        instance: "here".into(),
        link: "7".into(),
        uid: "one@here".into(),
    }
}

fn put<'a>(text: &'a [u8], marker: &'a Marker, guests: GuestPolicy) -> Put<'a> {
    Put {
        key: KEY,
        marker,
        text,
        known: &[],
        guests,
        respond: None,
    }
}

/// A VCALENDAR of one VEVENT with these lines (separated by `|`).
pub fn event(lines: &str) -> Vec<u8> {
    let lines = lines.replace('|', "\r\n");
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:one@here\r\nDTSTAMP:20260101T000000Z\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    .into_bytes()
}

struct Sent {
    body: Json,
    losses: Vec<(String, String)>,
}

fn rights(place: &Place) -> Rights<'_> {
    Rights { place, account: ME }
}

/// What an insert of this text sends.
fn insert(text: &[u8], guests: GuestPolicy) -> Result<Sent, Refusal> {
    let (place, marker) = (place(), marker());
    let desired = Desired::of(&put(text, &marker, guests), &place)?;
    let body = master_changes(&desired, &Known::default(), KEY, &rights(&place))?;
    let losses = desired
        .losses(text, None)
        .into_iter()
        .map(|loss| (loss.property, loss.rid.unwrap_or_default()))
        .collect();
    Ok(Sent { body, losses })
}

fn sent(lines: &str) -> Json {
    insert(&event(lines), GuestPolicy::Never).unwrap().body
}

fn reading(docs: &[Value]) -> Reading {
    let items: Vec<Item> = docs
        .iter()
        .map(|doc| item(doc.as_object().unwrap()).unwrap())
        .collect();
    match super::read(&place(), ME, &items).unwrap() {
        Read::Event(reading) => *reading,
        Read::Nothing => panic!("nothing"),
    }
}

/// The lines of the VEVENTs of a reading, unfolded, without those that are the same in all tests.
fn lines(docs: &[Value]) -> Vec<String> {
    let text = String::from_utf8(reading(docs).text)
        .unwrap()
        .replace("\r\n ", "");
    let start = text.find("BEGIN:VEVENT").unwrap();
    text[start..]
        .lines()
        .filter(|line| {
            ![
                "BEGIN:VEVENT",
                "END:VEVENT",
                "END:VCALENDAR",
                "UID:",
                "DTSTAMP:",
                "STATUS:CONFIRMED",
            ]
            .iter()
            .any(|usual| line.starts_with(usual))
        })
        .map(str::to_owned)
        .collect()
}

/// A timed event at Google on 2026-03-27, 10 to 11 in Berlin, with further keys.
pub fn timed(more: Value) -> Value {
    let mut doc = json!({
        "id": "abc123", "etag": "\"1\"", "status": "confirmed", "iCalUID": "abc123@google.com",
        "organizer": {"email": ME, "self": true},
        "start": {"dateTime": "2026-03-27T10:00:00+01:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-03-27T11:00:00+01:00", "timeZone": "Europe/Berlin"},
        "reminders": {"useDefault": true},
    });
    for (key, value) in more.as_object().unwrap() {
        doc[key] = value.clone();
    }
    doc
}

pub fn exception(rid: &str, more: Value) -> Value {
    let mut doc = timed(json!({
        "id": format!("abc123_{rid}"), "recurringEventId": "abc123", "etag": format!("\"{rid}\""),
        "originalStartTime": {"dateTime": jiff_time(rid), "timeZone": "Europe/Berlin"},
    }));
    for (key, value) in more.as_object().unwrap() {
        doc[key] = value.clone();
    }
    doc
}

fn jiff_time(rid: &str) -> String {
    format!(
        "{}-{}-{}T{}:{}:{}Z",
        &rid[..4],
        &rid[4..6],
        &rid[6..8],
        &rid[9..11],
        &rid[11..13],
        &rid[13..15]
    )
}

const TEN: &str =
    "DTSTART;TZID=Europe/Berlin:20260327T100000|DTEND;TZID=Europe/Berlin:20260327T110000|";

#[test]
fn every_key_goes_out() {
    for (lines, key, value) in [
        ("SUMMARY:a\\, b\\nc", "summary", json!("a, b\nc")),
        ("DESCRIPTION:x", "description", json!("x")),
        ("LOCATION:Room 1", "location", json!("Room 1")),
        ("STATUS:TENTATIVE", "status", json!("tentative")),
        ("STATUS:CONFIRMED", "status", Value::Null),
        ("STATUS:CANCELLED", "transparency", json!("transparent")),
        ("TRANSP:TRANSPARENT", "transparency", json!("transparent")),
        ("TRANSP:OPAQUE", "transparency", Value::Null),
        ("CLASS:PRIVATE", "visibility", json!("private")),
        ("CLASS:CONFIDENTIAL", "visibility", json!("confidential")),
        ("CLASS:PUBLIC", "visibility", Value::Null),
        ("CLASS:X-SECRET", "visibility", json!("private")),
        ("COLOR:Gold", "colorId", json!("5")),
        ("COLOR:papayawhip", "colorId", Value::Null),
        (
            "SUMMARY:x",
            "reminders",
            json!({"useDefault": false, "overrides": []}),
        ),
        (
            "BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT15M|END:VALARM",
            "reminders",
            json!({"useDefault": false, "overrides": [{"method": "popup", "minutes": 15}]}),
        ),
        (
            "BEGIN:VALARM|ACTION:EMAIL|TRIGGER:-P1D|END:VALARM",
            "reminders",
            json!({"useDefault": false, "overrides": [{"method": "email", "minutes": 1440}]}),
        ),
        (
            "SUMMARY:x",
            "extendedProperties",
            json!({"private": {"kalends": "1 here 7 one@here"}}),
        ),
        (
            "X-KALENDS-CONFERENCE:AUTO",
            "conferenceData",
            json!({"createRequest": {"requestId": KEY, "conferenceSolutionKey": {"type": "hangoutsMeet"}}}),
        ),
        (
            "CONFERENCE;VALUE=URI:https://zoom.example/1",
            "conferenceData",
            Value::Null,
        ),
        ("ATTENDEE:mailto:x@example.com", "attendees", Value::Null),
        ("SEQUENCE:4", "sequence", Value::Null),
    ] {
        let body = sent(&format!("{TEN}{lines}"));
        assert_eq!(body.get(key).unwrap_or(&Value::Null), &value, "{lines}");
    }
}

#[test]
fn every_form_of_time_goes_out() {
    let at = |time: &str, zone: &str| json!({"dateTime": time, "timeZone": zone});
    for (lines, start, end) in [
        (
            "DTSTART:20260327T090000Z|DURATION:PT1H",
            at("2026-03-27T09:00:00Z", "UTC"),
            at("2026-03-27T10:00:00Z", "UTC"),
        ),
        (
            "DTSTART:20260327T100000|DTEND:20260327T110000",
            at("2026-03-27T10:00:00+01:00", "Europe/Berlin"),
            at("2026-03-27T11:00:00+01:00", "Europe/Berlin"),
        ),
        (
            "DTSTART;TZID=Eastern Standard Time:20260327T100000|DTEND;TZID=Eastern Standard Time:20260327T110000",
            at("2026-03-27T10:00:00-04:00", "America/New_York"),
            at("2026-03-27T11:00:00-04:00", "America/New_York"),
        ),
        (
            "DTSTART;TZID=Asia/Tokyo:20260327T100000|DTEND;TZID=Europe/Berlin:20260327T110000",
            at("2026-03-27T10:00:00+09:00", "Asia/Tokyo"),
            at("2026-03-27T11:00:00+01:00", "Europe/Berlin"),
        ),
        (
            "DTSTART;TZID=Europe/Berlin:20260329T023000|DURATION:PT1H",
            at("2026-03-29T03:30:00+02:00", "Europe/Berlin"),
            at("2026-03-29T04:30:00+02:00", "Europe/Berlin"),
        ),
        (
            "DTSTART;TZID=Europe/Berlin:20260328T120000|DURATION:P1D",
            at("2026-03-28T12:00:00+01:00", "Europe/Berlin"),
            at("2026-03-29T12:00:00+02:00", "Europe/Berlin"),
        ),
        (
            "DTSTART;TZID=Nowhere:20260327T100000|DURATION:PT1H",
            at("2026-03-27T10:00:00+01:00", "Europe/Berlin"),
            at("2026-03-27T11:00:00+01:00", "Europe/Berlin"),
        ),
        (
            "DTSTART:20260327T090000Z",
            at("2026-03-27T09:00:00Z", "UTC"),
            at("2026-03-27T09:00:00Z", "UTC"),
        ),
        (
            "DTSTART:20260327T090000Z|DTEND:20260327T080000Z",
            at("2026-03-27T09:00:00Z", "UTC"),
            at("2026-03-27T09:00:00Z", "UTC"),
        ),
        (
            "DTSTART;VALUE=DATE:20260327",
            json!({"date": "2026-03-27"}),
            json!({"date": "2026-03-28"}),
        ),
        (
            "DTSTART;VALUE=DATE:20260327|DTEND;VALUE=DATE:20260327",
            json!({"date": "2026-03-27"}),
            json!({"date": "2026-03-28"}),
        ),
        (
            "DTSTART;VALUE=DATE:20260327|DURATION:P3D",
            json!({"date": "2026-03-27"}),
            json!({"date": "2026-03-30"}),
        ),
    ] {
        let body = sent(lines);
        assert_eq!((&body["start"], &body["end"]), (&start, &end), "{lines}");
    }
}

#[test]
fn every_form_of_recurrence_goes_out() {
    let day = "DTSTART;VALUE=DATE:20260327|";
    for (start, lines, recurrence) in [
        (
            TEN,
            "RRULE:freq=weekly;byday=FR",
            json!(["RRULE:FREQ=WEEKLY;BYDAY=FR"]),
        ),
        (
            TEN,
            "RRULE:FREQ=DAILY;UNTIL=20260401T100000",
            json!(["RRULE:FREQ=DAILY;UNTIL=20260401T080000Z"]),
        ),
        (
            TEN,
            "RRULE:FREQ=DAILY;UNTIL=20260401",
            json!(["RRULE:FREQ=DAILY;UNTIL=20260401T215959Z"]),
        ),
        (
            day,
            "RRULE:FREQ=DAILY;UNTIL=20260401T000000Z",
            json!(["RRULE:FREQ=DAILY;UNTIL=20260401"]),
        ),
        (
            TEN,
            "RRULE:FREQ=DAILY|EXDATE:20260328T090000Z,20260330T080000Z",
            json!([
                "RRULE:FREQ=DAILY",
                "EXDATE;TZID=Europe/Berlin:20260328T100000,20260330T100000"
            ]),
        ),
        (
            TEN,
            "RRULE:FREQ=DAILY|EXDATE;TZID=W. Europe Standard Time:20260328T100000",
            json!([
                "RRULE:FREQ=DAILY",
                "EXDATE;TZID=Europe/Berlin:20260328T100000"
            ]),
        ),
        (
            TEN,
            "RRULE:FREQ=DAILY|EXDATE;VALUE=DATE:20260328",
            json!([
                "RRULE:FREQ=DAILY",
                "EXDATE;TZID=Europe/Berlin:20260328T100000"
            ]),
        ),
        (
            day,
            "RRULE:FREQ=DAILY|EXDATE;VALUE=DATE:20260328",
            json!(["RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20260328"]),
        ),
        (
            "DTSTART:20260327T090000Z|",
            "RRULE:FREQ=DAILY|EXDATE:20260328T090000Z",
            json!(["RRULE:FREQ=DAILY", "EXDATE:20260328T090000Z"]),
        ),
        (
            TEN,
            "RDATE;VALUE=PERIOD;TZID=Europe/Berlin:20260401T120000/PT2H",
            json!(["RDATE;TZID=Europe/Berlin:20260401T120000"]),
        ),
        (
            TEN,
            "RRULE:FREQ=DAILY|EXRULE:FREQ=WEEKLY",
            json!(["RRULE:FREQ=DAILY", "EXRULE:FREQ=WEEKLY"]),
        ),
        (TEN, "EXDATE:20260328T090000Z", Value::Null),
    ] {
        let body = sent(&format!("{start}{lines}"));
        assert_eq!(
            body.get("recurrence").unwrap_or(&Value::Null),
            &recurrence,
            "{lines}"
        );
    }
}

#[test]
fn facts_24_custom_zones_go_out_by_their_rules() {
    let zone = |tzid: &str, more: &str| {
        format!(
            "BEGIN:VTIMEZONE\r\nTZID:{tzid}\r\n{more}BEGIN:STANDARD\r\nDTSTART:19701101T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\r\nTZOFFSETFROM:-0400\r\nTZOFFSETTO:-0500\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\nDTSTART:19700308T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\r\nTZOFFSETFROM:-0500\r\nTZOFFSETTO:-0400\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
        )
    };
    let odd = "BEGIN:VTIMEZONE\r\nTZID:Odd\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0117\r\nTZOFFSETTO:+0117\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";
    let with = |zone: &str, tzid: &str, rule: &str| {
        let text = String::from_utf8(event(&format!(
            "DTSTART;TZID={tzid}:20260327T100000|DURATION:PT1H{rule}"
        )))
        .unwrap();
        text.replace("BEGIN:VEVENT", &format!("{zone}BEGIN:VEVENT"))
            .into_bytes()
    };
    let start = |text: &[u8]| {
        insert(text, GuestPolicy::Never).map(|sent| sent.body["start"]["timeZone"].clone())
    };
    let rule = "|RRULE:FREQ=DAILY";
    assert_eq!(
        start(&with(
            &zone("Mine", "X-LIC-LOCATION:America/New_York\r\n"),
            "Mine",
            rule
        )),
        Ok(json!("America/New_York"))
    );
    let found = start(&with(&zone("Mine", ""), "Mine", rule)).unwrap();
    let found = crate::ical::zone::Zone::named(found.as_str().unwrap()).unwrap();
    for at in [1_770_000_000, 1_780_000_000, 1_800_000_000] {
        assert_eq!(
            found.offset_at(at),
            crate::ical::zone::Zone::named("America/New_York")
                .unwrap()
                .offset_at(at)
        );
    }
    let single = insert(&with(odd, "Odd", ""), GuestPolicy::Never).unwrap();
    assert_eq!(
        single.body["start"],
        json!({"dateTime": "2026-03-27T08:43:00Z", "timeZone": "UTC"})
    );
    assert_eq!(single.losses, [("DTSTART".to_owned(), String::new())]);
    assert_eq!(
        start(&with(odd, "Odd", rule)).unwrap_err().code,
        "time-zone"
    );
    assert_eq!(
        start(&with("", "Nowhere", rule)).unwrap_err().code,
        "time-zone"
    );
}

#[test]
fn what_can_not_be_held_is_named() {
    for (lines, losses) in [
        (
            "GEO:1;2|PRIORITY:3|CATEGORIES:a",
            &["GEO", "PRIORITY", "CATEGORIES"][..],
        ),
        (
            "X-FOO:1|RELATED-TO:x|URL:http://x/",
            &["X-FOO", "RELATED-TO", "URL"],
        ),
        (
            "ATTACH:http://x/|CONFERENCE;VALUE=URI:https://zoom.example/",
            &["CONFERENCE", "ATTACH"],
        ),
        ("SUMMARY;LANGUAGE=de:x", &["SUMMARY"]),
        ("ATTENDEE:mailto:x@example.com", &["ATTENDEE"]),
        ("STATUS:CANCELLED|COLOR:papayawhip", &["STATUS", "COLOR"]),
        ("RDATE;VALUE=PERIOD:20260401T120000Z/PT2H", &["RDATE"]),
        (
            "BEGIN:VALARM|ACTION:AUDIO|TRIGGER:-PT5M|END:VALARM",
            &["VALARM"],
        ),
        (
            "BEGIN:VALARM|ACTION:DISPLAY|TRIGGER;RELATED=END:-PT5M|END:VALARM",
            &["VALARM"],
        ),
        (
            "BEGIN:VALARM|ACTION:DISPLAY|TRIGGER;VALUE=DATE-TIME:20260101T000000Z|END:VALARM",
            &["VALARM"],
        ),
        (
            "BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:PT5M|END:VALARM",
            &["VALARM"],
        ),
        (
            "BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-P29D|END:VALARM",
            &["VALARM"],
        ),
        (
            "BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT90S|END:VALARM",
            &["VALARM"],
        ),
        ("BEGIN:PARTICIPANT|UID:p|END:PARTICIPANT", &["PARTICIPANT"]),
        ("SUMMARY:x|SEQUENCE:1|CREATED:20260101T000000Z", &[]),
    ] {
        let sent = insert(&event(&format!("{TEN}{lines}")), GuestPolicy::Never).unwrap();
        let named: Vec<&str> = sent.losses.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(named, losses, "{lines}");
    }
    let six: String = (1..=6)
        .map(|n| format!("BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT{n}M|END:VALARM|"))
        .collect();
    let sent = insert(&event(&format!("{TEN}{six}SUMMARY:x")), GuestPolicy::Never).unwrap();
    assert_eq!(
        sent.body["reminders"]["overrides"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
    assert_eq!(sent.losses.len(), 1);
}

#[test]
fn what_can_not_be_said_is_refused() {
    let todo =
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTODO\r\nUID:1\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
    for (text, code) in [
        (todo.to_vec(), "kind"),
        (b"nothing".to_vec(), "invalid"),
        (event("SUMMARY:no start"), "invalid"),
        (event(&format!("{TEN}RRULE:FREQ=SOMETIMES")), "recurrence"),
        (
            event(&format!("{TEN}RRULE:FREQ=YEARLY;RSCALE=CHINESE")),
            "recurrence",
        ),
    ] {
        let refused = insert(&text, GuestPolicy::Never)
            .err()
            .map(|refusal| refusal.code);
        assert_eq!(refused, Some(code), "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn every_key_comes_in() {
    let ten = [
        "DTSTART;TZID=Europe/Berlin:20260327T100000",
        "DTEND;TZID=Europe/Berlin:20260327T110000",
    ];
    for (more, expected) in [
        (json!({}), &[][..]),
        (
            json!({"summary": "a, b", "description": "x\ny", "location": "R"}),
            &["SUMMARY:a\\, b", "DESCRIPTION:x\\ny", "LOCATION:R"],
        ),
        (
            json!({"visibility": "private", "transparency": "transparent", "colorId": "5"}),
            &["CLASS:PRIVATE", "TRANSP:TRANSPARENT", "COLOR:gold"],
        ),
        (
            json!({"visibility": "semi-secret", "transparency": "translucent", "colorId": "99", "status": "perhaps"}),
            &["CLASS:PRIVATE"],
        ),
        (json!({"visibility": "public"}), &["CLASS:PUBLIC"]),
        (
            json!({"reminders": {"useDefault": false, "overrides": [{"method": "popup", "minutes": 0}, {"method": "sms", "minutes": 3}]}, "summary": "S"}),
            &[
                "SUMMARY:S",
                "BEGIN:VALARM",
                "ACTION:DISPLAY",
                "TRIGGER:PT0S",
                "DESCRIPTION:S",
                "END:VALARM",
            ],
        ),
        (
            json!({"reminders": {"useDefault": false, "overrides": [{"method": "email", "minutes": 90}]}}),
            &[
                "BEGIN:VALARM",
                "ACTION:EMAIL",
                "TRIGGER:-PT1H30M",
                "DESCRIPTION:Reminder",
                "SUMMARY:Reminder",
                "ATTENDEE:mailto:me@example.com",
                "END:VALARM",
            ],
        ),
        (
            json!({"eventType": "outOfOffice"}),
            &["X-GOOGLE-EVENT-TYPE:outOfOffice"],
        ),
        (
            json!({"hangoutLink": "https://meet.google.com/a"}),
            &[
                "CONFERENCE;VALUE=URI;FEATURE=VIDEO:https://meet.google.com/a",
                "X-GOOGLE-CONFERENCE:https://meet.google.com/a",
            ],
        ),
        (
            json!({"conferenceData": {"entryPoints": [
                {"entryPointType": "phone", "uri": "tel:+1", "label": "+1"}, {"entryPointType": "video", "uri": "https://m/a"}]}}),
            &[
                "CONFERENCE;VALUE=URI;FEATURE=VIDEO:https://m/a",
                "CONFERENCE;VALUE=URI;FEATURE=PHONE;LABEL=+1:tel:+1",
                "X-GOOGLE-CONFERENCE:https://m/a",
            ],
        ),
        (
            json!({"attachments": [{"fileUrl": "https://d/1", "title": "a.pdf", "mimeType": "application/pdf"}]}),
            &["ATTACH;FMTTYPE=application/pdf;FILENAME=a.pdf:https://d/1"],
        ),
        (
            json!({"sequence": 3, "created": "2026-01-01T00:00:00.000Z", "updated": "2026-01-02T00:00:00.500Z"}),
            &[
                "CREATED:20260101T000000Z",
                "LAST-MODIFIED:20260102T000000Z",
                "SEQUENCE:3",
            ],
        ),
        (
            json!({"attendees": [{"email": "x@example.com", "responseStatus": "accepted", "optional": true, "displayName": "X"}]}),
            &[
                "ORGANIZER:mailto:me@example.com",
                "ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=ACCEPTED;CN=X:mailto:x@example.com",
            ],
        ),
        (
            json!({"attendees": [{"displayName": "no address"}, 7]}),
            &[],
        ),
    ] {
        let got: Vec<String> = lines(&[timed(more.clone())])
            .into_iter()
            .filter(|line| !ten.contains(&line.as_str()))
            .collect();
        assert_eq!(got, expected, "{more}");
    }
}

#[test]
fn facts_22_all_day_events_have_no_zone_anywhere() {
    for zone in ["Pacific/Pago_Pago", "Pacific/Kiritimati", "UTC", ""] {
        let place = Place {
            zone: zone.into(),
            ..place()
        };
        let doc =
            json!({"id": "abc123", "start": {"date": "2026-03-27"}, "end": {"date": "2026-03-30"}});
        let items = [item(doc.as_object().unwrap()).unwrap()];
        let Read::Event(reading) = super::read(&place, ME, &items).unwrap() else {
            panic!()
        };
        let text = String::from_utf8(reading.text).unwrap();
        assert!(
            text.contains("DTSTART;VALUE=DATE:20260327\r\nDTEND;VALUE=DATE:20260330\r\n")
                && !text.contains("VTIMEZONE")
        );
        let marker = marker();
        let desired =
            Desired::of(&put(text.as_bytes(), &marker, GuestPolicy::Never), &place).unwrap();
        let body = master_changes(&desired, &Known::default(), KEY, &rights(&place)).unwrap();
        assert_eq!((&body["start"], &body["end"]), (&doc["start"], &doc["end"]));
    }
}

/// A weekly series with one moved, one cancelled and one unchanged exception.
fn series() -> Vec<Value> {
    vec![
        timed(
            json!({"summary": "S", "recurrence": ["RRULE:FREQ=WEEKLY", "EXDATE;TZID=Europe/Berlin:20260410T100000"]}),
        ),
        exception(
            "20260403T080000Z",
            json!({"summary": "S",
            "start": {"dateTime": "2026-04-03T14:00:00+02:00", "timeZone": "Europe/Berlin"},
            "end": {"dateTime": "2026-04-03T15:00:00+02:00", "timeZone": "Europe/Berlin"}}),
        ),
        json!({"id": "abc123_20260417T080000Z", "status": "cancelled", "recurringEventId": "abc123",
            "originalStartTime": {"dateTime": "2026-04-17T10:00:00+02:00"}}),
        exception(
            "20260424T080000Z",
            json!({"summary": "S",
            "start": {"dateTime": "2026-04-24T10:00:00+02:00", "timeZone": "Europe/Berlin"},
            "end": {"dateTime": "2026-04-24T11:00:00+02:00", "timeZone": "Europe/Berlin"}}),
        ),
    ]
}

#[test]
fn a_series_comes_in_with_its_exceptions() {
    assert_eq!(
        lines(&series()),
        [
            "DTSTART;TZID=Europe/Berlin:20260327T100000",
            "DTEND;TZID=Europe/Berlin:20260327T110000",
            "RRULE:FREQ=WEEKLY",
            "EXDATE;TZID=Europe/Berlin:20260410T100000,20260417T100000",
            "SUMMARY:S",
            "RECURRENCE-ID;TZID=Europe/Berlin:20260403T100000",
            "DTSTART;TZID=Europe/Berlin:20260403T140000",
            "DTEND;TZID=Europe/Berlin:20260403T150000",
            "SUMMARY:S",
        ]
    );
}

#[test]
fn facts_9_an_exception_may_come_before_its_master_and_with_three_keys() {
    let mut docs = series();
    docs.reverse();
    assert_eq!(reading(&docs), reading(&series()));
    // a stub without its original start: the id tells
    docs[1].as_object_mut().unwrap().remove("originalStartTime");
    assert_eq!(reading(&docs), reading(&series()));
    // alone, an exception is an object of its own; cancelled ones alone are nothing
    let alone = lines(&series()[1..2]);
    assert!(alone.contains(&"RECURRENCE-ID;TZID=Europe/Berlin:20260403T100000".to_owned()));
    let stub = item(series()[2].as_object().unwrap()).unwrap();
    assert_eq!(super::read(&place(), ME, &[stub]), Ok(Read::Nothing));
}

/// What a put of this text changes of a series: the master's body, and (id, body) of each instance.
fn changes(text: &[u8], docs: &[Value]) -> (Json, Vec<(String, Json)>) {
    let items: Vec<Item> = docs
        .iter()
        .map(|doc| item(doc.as_object().unwrap()).unwrap())
        .collect();
    let (place, marker) = (place(), marker());
    let known = Known::of(&items, &place);
    let mut desired = Desired::of(&put(text, &marker, GuestPolicy::Never), &place).unwrap();
    if let Some(master) = &mut desired.master {
        master.marker = None; // what comes from there has none of ours
    }
    let body = master_changes(&desired, &known, KEY, &rights(&place)).unwrap();
    let steps = instance_steps(&desired, &known, &rights(&place)).unwrap();
    (
        body,
        steps.into_iter().map(|step| (step.id, step.body)).collect(),
    )
}

#[test]
fn facts_34_what_was_read_and_not_edited_writes_nothing() {
    let odd = timed(
        json!({"visibility": "semi-secret", "colorId": "99", "newKey": {"a": 1},
        "reminders": {"useDefault": false, "overrides": [{"method": "sms", "minutes": 3}, {"method": "popup", "minutes": 3}]},
        "description": "<b>x</b>\r\n", "recurrence": ["RRULE:WKST=SU;FREQ=WEEKLY;UNTIL=20270101T000000Z;BYDAY=FR"],
        "extendedProperties": {"private": {"other": "1"}, "shared": {"s": "2"}}}),
    );
    for docs in [
        series(),
        vec![odd],
        vec![timed(
            json!({"visibility": "public", "status": "tentative"}),
        )],
        vec![
            json!({"id": "abc123", "start": {"date": "2026-03-27"}, "end": {"date": "2026-03-28"}, "recurrence": ["RRULE:FREQ=DAILY"]}),
        ],
        vec![timed(
            json!({"start": {"dateTime": "2026-03-27T09:00:00Z", "timeZone": "Etc/UTC"}, "end": {"dateTime": "2026-03-27T09:00:00Z", "timeZone": "GMT"}}),
        )],
    ] {
        let text = reading(&docs).text;
        assert_eq!(
            changes(&text, &docs),
            (Json::new(), vec![]),
            "{}",
            String::from_utf8_lossy(&text)
        );
    }
}

#[test]
fn an_edit_of_a_field_keeps_unknown_values_of_others() {
    let doc = timed(json!({"summary": "old", "visibility": "semi-secret",
        "reminders": {"useDefault": false, "overrides": [{"method": "sms", "minutes": 3}]}}));
    let text = String::from_utf8(reading(std::slice::from_ref(&doc)).text).unwrap();
    let edited = text.replace("SUMMARY:old\r\n", "SUMMARY:new\r\n");
    let (body, _) = changes(edited.as_bytes(), std::slice::from_ref(&doc));
    assert_eq!(Value::Object(body), json!({"summary": "new"}));
    let alarm = text.replace(
        "END:VEVENT",
        "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT",
    );
    let (body, _) = changes(alarm.as_bytes(), &[doc]);
    assert_eq!(
        Value::Object(body),
        json!({"reminders": {"useDefault": false, "overrides": [{"method": "popup", "minutes": 5}, {"method": "sms", "minutes": 3}]}})
    );
}

#[test]
fn edits_of_a_series_touch_what_they_have_to() {
    let docs = series();
    let text = String::from_utf8(reading(&docs).text).unwrap();
    let over = text.find("BEGIN:VEVENT\r\nUID").unwrap();
    let over = over + text[over + 5..].find("BEGIN:VEVENT").unwrap() + 5;
    let without_override = format!("{}END:VCALENDAR\r\n", &text[..over]);
    let rules = |lines: Value| (json!({"recurrence": lines}), vec![]);
    let none = json!({});
    let moved = |status: &str| {
        let start = json!({"dateTime": "2026-04-03T10:00:00+02:00", "timeZone": "Europe/Berlin"});
        let end = json!({"dateTime": "2026-04-03T11:00:00+02:00", "timeZone": "Europe/Berlin"});
        (status.to_owned(), json!({"start": start, "end": end}))
    };
    for (what, text, (body, steps)) in [
        (
            "one more EXDATE",
            text.replace("20260417T100000\r\n", "20260417T100000,20260501T100000\r\n"),
            rules(json!([
                "RRULE:FREQ=WEEKLY",
                "EXDATE;TZID=Europe/Berlin:20260410T100000,20260501T100000"
            ])),
        ),
        (
            "the line's EXDATE is gone",
            text.replace("20260410T100000,", ""),
            rules(json!(["RRULE:FREQ=WEEKLY"])),
        ),
        (
            "the stub's EXDATE is gone",
            text.replace(",20260417T100000", ""),
            (
                none.clone(),
                vec![(
                    "abc123_20260417T080000Z".to_owned(),
                    json!({"status": "confirmed", "summary": "S",
                "start": {"dateTime": "2026-04-17T10:00:00+02:00", "timeZone": "Europe/Berlin"},
                "end": {"dateTime": "2026-04-17T11:00:00+02:00", "timeZone": "Europe/Berlin"}}),
                )],
            ),
        ),
        (
            "the override is gone",
            without_override.clone(),
            (none.clone(), vec![moved("abc123_20260403T080000Z")]),
        ),
        // moved, then cancelled: by its resource, not by a line
        (
            "the override is cancelled",
            without_override.replace(
                "EXDATE;TZID=Europe/Berlin:",
                "EXDATE;TZID=Europe/Berlin:20260403T100000,",
            ),
            (
                none.clone(),
                vec![(
                    "abc123_20260403T080000Z".to_owned(),
                    json!({"status": "cancelled"}),
                )],
            ),
        ),
        (
            "the override is cancelled by its status",
            text.replace(
                "STATUS:CONFIRMED\r\nEND:VEVENT\r\nEND:VCALENDAR",
                "STATUS:CANCELLED\r\nEND:VEVENT\r\nEND:VCALENDAR",
            ),
            (
                none.clone(),
                vec![(
                    "abc123_20260403T080000Z".to_owned(),
                    json!({"status": "cancelled"}),
                )],
            ),
        ),
        (
            "an override more",
            without_override.replace(
                "END:VCALENDAR",
                &text[over..].replace("20260403", "20260508").replace(
                    "END:VCALENDAR\r\n",
                    &format!(
                        "{}END:VCALENDAR",
                        &text[over..].replace("END:VCALENDAR\r\n", "")
                    ),
                ),
            ),
            (
                none.clone(),
                vec![(
                    "abc123_20260508T080000Z".to_owned(),
                    json!({
                "start": {"dateTime": "2026-05-08T14:00:00+02:00", "timeZone": "Europe/Berlin"},
                "end": {"dateTime": "2026-05-08T15:00:00+02:00", "timeZone": "Europe/Berlin"}}),
                )],
            ),
        ),
        (
            "all day now",
            text.replace(
                "DTSTART;TZID=Europe/Berlin:20260403T140000",
                "DTSTART;VALUE=DATE:20260403",
            )
            .replace(
                "DTEND;TZID=Europe/Berlin:20260403T150000",
                "DTEND;VALUE=DATE:20260404",
            ),
            (
                none.clone(),
                vec![(
                    "abc123_20260403T080000Z".to_owned(),
                    json!({
                "start": {"date": "2026-04-03", "dateTime": null, "timeZone": null},
                "end": {"date": "2026-04-04", "dateTime": null, "timeZone": null}}),
                )],
            ),
        ),
    ] {
        let (got, instances) = changes(text.as_bytes(), &docs);
        assert_eq!(Value::Object(got), body, "{what}");
        let instances: Vec<(String, Value)> = instances
            .into_iter()
            .map(|(id, body)| (id, Value::Object(body)))
            .collect();
        assert_eq!(instances, steps, "{what}");
    }
}

#[test]
fn kinds_that_are_no_appointments_are_nothing() {
    for (more, nothing) in [
        (json!({"eventType": "birthday"}), true),
        (json!({"eventType": "workingLocation"}), true),
        (json!({"status": "cancelled"}), true),
        (json!({"eventType": "focusTime"}), false),
        (json!({"eventType": "someNewKind"}), false),
    ] {
        let items = [item(timed(more.clone()).as_object().unwrap()).unwrap()];
        let read = super::read(&place(), ME, &items).unwrap();
        assert_eq!(read == Read::Nothing, nothing, "{more}");
        if let Read::Event(reading) = read {
            assert!(!reading.ours_to_edit, "{more}");
        }
    }
}

#[test]
fn a_copy_of_a_guest_takes_only_what_is_the_guests_own() {
    let doc = timed(
        json!({"organizer": {"email": "boss@example.com"}, "summary": "S",
        "attendees": [{"email": "boss@example.com", "organizer": true, "responseStatus": "accepted"}, {"email": ME, "self": true, "responseStatus": "needsAction", "comment": "c"}]}),
    );
    let reading = reading(std::slice::from_ref(&doc));
    assert!(!reading.ours_to_edit && reading.has_guests);
    let text = String::from_utf8(reading.text).unwrap();
    let place = place();
    let known = Known::of(&[item(doc.as_object().unwrap()).unwrap()], &place);
    let of = |text: &str| {
        let marker = marker();
        let desired =
            Desired::of(&put(text.as_bytes(), &marker, GuestPolicy::Never), &place).unwrap();
        master_changes(&desired, &known, KEY, &rights(&place)).map(Value::Object)
    };
    let marked = json!({"extendedProperties": {"private": {"kalends": "1 here 7 one@here"}}});
    assert_eq!(of(&text), Ok(marked));
    let free = of(&text.replace(
        "SUMMARY:S\r\n",
        "SUMMARY:S\r\nTRANSP:TRANSPARENT\r\nCOLOR:gold\r\n",
    ))
    .unwrap();
    assert_eq!(
        (&free["transparency"], &free["colorId"]),
        (&json!("transparent"), &json!("5"))
    );
    assert_eq!(
        of(&text.replace("SUMMARY:S", "SUMMARY:T"))
            .unwrap_err()
            .code,
        "not-organizer"
    );
    let own = respond(known.master.as_ref().unwrap(), ME, "ACCEPTED")
        .unwrap()
        .unwrap();
    assert_eq!(
        own["attendees"][1],
        json!({"email": ME, "self": true, "responseStatus": "accepted", "comment": "c"})
    );
    assert_eq!(own["attendees"][0], doc["attendees"][0]);
    assert_eq!(
        respond(known.master.as_ref().unwrap(), ME, "NEEDS-ACTION"),
        Ok(None)
    );
}

#[test]
fn guests_are_written_only_when_asked_for_and_only_when_all_are_known() {
    let guests = "ATTENDEE;CN=X:mailto:X@example.com|ATTENDEE;ROLE=OPT-PARTICIPANT:mailto:y@example.com|ATTENDEE:tel:1";
    let text = event(&format!("{TEN}{guests}"));
    assert!(
        !insert(&text, GuestPolicy::Never)
            .unwrap()
            .body
            .contains_key("attendees")
    );
    let body = insert(&text, GuestPolicy::Send).unwrap().body;
    assert_eq!(
        body["attendees"],
        json!([
            {"email": "x@example.com", "responseStatus": "needsAction", "displayName": "X"},
            {"email": "y@example.com", "responseStatus": "needsAction", "optional": true},
        ])
    );
    let place = place();
    let marker = marker();
    let of = |doc: Value| {
        let known = Known::of(&[item(doc.as_object().unwrap()).unwrap()], &place);
        let desired = Desired::of(&put(&text, &marker, GuestPolicy::Send), &place).unwrap();
        master_changes(&desired, &known, KEY, &rights(&place))
            .map(|body| body.get("attendees").cloned())
    };
    let x = json!({"email": "x@example.com", "responseStatus": "accepted", "additionalGuests": 2});
    assert_eq!(of(timed(json!({"attendees": [x]}))).unwrap().unwrap()[0], x);
    let all = json!([x, {"email": "Y@example.com", "optional": true}]);
    assert_eq!(of(timed(json!({"attendees": all}))), Ok(None));
    let partial = of(timed(json!({"attendees": [x], "attendeesOmitted": true})));
    assert_eq!(partial.unwrap_err().code, "guests");
}

#[test]
fn a_marker_gives_the_uid_back() {
    let doc =
        timed(json!({"extendedProperties": {"private": {"kalends": "1 here 7 one two@here"}}}));
    let reading = reading(&[doc]);
    assert_eq!(reading.uid, "one two@here");
    assert_eq!(reading.marker.unwrap().link, "7");
    let foreign = super::tests::reading(&[timed(
        json!({"extendedProperties": {"private": {"kalends": "9 nonsense"}}}),
    )]);
    assert_eq!(
        (foreign.uid.as_str(), foreign.marker),
        ("abc123@google.com", None)
    );
}

#[test]
fn a_series_in_a_zone_that_nobody_knows_is_refused() {
    let start = json!({"dateTime": "2026-03-27T10:00:00+01:00", "timeZone": "Mars/Base"});
    let items = |more: Value| [item(timed(more).as_object().unwrap()).unwrap()];
    let refused = super::read(
        &place(),
        ME,
        &items(json!({"start": start, "recurrence": ["RRULE:FREQ=DAILY"]})),
    );
    assert_eq!(refused.unwrap_err().code, "time-zone");
    assert!(super::read(&place(), ME, &items(json!({"start": start}))).is_ok());
    assert_eq!(
        super::read(&place(), ME, &items(json!({"start": 7})))
            .unwrap_err()
            .code,
        "invalid"
    );
}
