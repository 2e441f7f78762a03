//! Documents from texts in and text out.

use super::*;

const LOOK: Look = Look {
    name: String::new(),
    description: None,
    color: None,
    refresh: "PT1H",
};

fn event(lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x\r\nBEGIN:VTIMEZONE\r\nTZID:Home\r\nBEGIN:STANDARD\r\n\
         DTSTART:20200101T000000\r\nTZOFFSETFROM:+0300\r\nTZOFFSETTO:+0300\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n\
         BEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn text(level: Level<'_>, objects: &[String]) -> String {
    let mut document = Document::new(level);
    document.begin(CalendarId(1), "America/New_York");
    for (at, object) in objects.iter().enumerate() {
        document.add(&at.to_string(), object.as_bytes(), "u", "20260102T000000Z");
    }
    let look = Look {
        name: "Work, home".into(),
        color: Some("#FF0000FF".into()),
        ..LOOK
    };
    String::from_utf8(document.finish(&look).body.to_vec()).unwrap()
}

#[test]
fn a_full_feed_copies_events_and_brings_their_zones() {
    let objects = [
        event("DTSTART;TZID=Europe/Berlin:20261120T090000\r\n"),
        event("DTSTART;TZID=Home:20261120T090000\r\n"),
        event("DTSTART:20261120T090000\r\n"),
    ];
    let text = text(Level::Full, &objects);
    for part in [
        "METHOD:PUBLISH\r\n",
        "NAME:Work\\, home\r\n",
        "X-WR-CALNAME:Work\\, home\r\n",
        "COLOR:red\r\n",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n",
        "X-PUBLISHED-TTL:PT1H\r\n",
        "TZID:Europe/Berlin\r\n",
        "TZID:Home\r\n",
        "TZID:America/New_York\r\n",
        "DTSTART;TZID=America/New_York:20261120T090000\r\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(text.matches("BEGIN:VTIMEZONE").count(), 3, "{text}");
    assert_eq!(text.matches("BEGIN:VEVENT").count(), 3);
    assert!(text.ends_with("END:VEVENT\r\nEND:VCALENDAR\r\n"));
}

/// What the API writes has a VTIMEZONE that begins shortly before the event.
#[test]
fn a_trimmed_zone_is_still_its_zone() {
    let fields = serde_json::json!({
        "start": "2026-11-24T09:00:00", "end": "2026-11-24T10:00:00", "timezone": "Europe/Berlin",
        "recurrence": ["RRULE:FREQ=WEEKLY"]
    });
    let fields = crate::app::sessions::merge::read(fields.as_object().unwrap()).unwrap();
    let object =
        crate::app::sessions::author::create("u", &fields, &Default::default(), 1_795_000_000)
            .unwrap();
    let mask = |_: &str| "m".to_string();
    let how = Reduction {
        busy_only: true,
        stamp: "20260102T000000Z",
        mask: &mask,
    };
    let text = text(Level::Reduced(how), &[String::from_utf8(object).unwrap()]);
    assert!(
        text.contains("DTSTART;TZID=Europe/Berlin:20261124T090000\r\n"),
        "{text}"
    );
    assert!(text.contains("TZID:Europe/Berlin\r\n"));
}

#[test]
fn names_of_private_zones_are_not_told() {
    let mask = |_: &str| "m".to_string();
    let how = Reduction {
        busy_only: true,
        stamp: "20260102T000000Z",
        mask: &mask,
    };
    let text = text(
        Level::Reduced(how),
        &[event("DTSTART;TZID=Home:20261120T090000\r\n")],
    );
    assert!(
        text.contains("DTSTART:20261120T060000Z\r\n") && !text.contains("Home"),
        "{text}"
    );
}

#[test]
fn made_of_the_last_one_it_is_the_same_as_made_anew() {
    let zoned =
        |day: u32, zone: &str| event(&format!("DTSTART;TZID={zone}:202611{day}T090000\r\n"));
    let make = |document: &mut Document<'_>, objects: &[(&str, String)]| {
        document.begin(CalendarId(1), "UTC");
        for (name, text) in objects {
            document.add(name, text.as_bytes(), "u", "20260102T000000Z");
        }
    };
    let old = [
        ("b", zoned(10, "Europe/Berlin")),
        ("d", zoned(11, "Asia/Tokyo")),
        ("f", zoned(12, "Europe/Berlin")),
    ];
    let new = [
        ("a", zoned(13, "Europe/Paris")),
        ("b", zoned(14, "Europe/Berlin")),
        ("f", zoned(12, "Europe/Berlin")),
        ("g", zoned(15, "UTC")),
    ];
    let mut before = Document::new(Level::Full);
    make(&mut before, &old);
    let before = before.finish(&LOOK);
    assert!(before.can_go_on());
    let fresh = |text: &str| Fresh {
        text: text.into(),
        uid: "u".into(),
        stamp: "20260102T000000Z".into(),
    };
    let mut changed: BTreeMap<String, Option<Fresh>> = [0, 1, 3]
        .map(|at| (new[at].0.to_string(), Some(fresh(&new[at].1))))
        .into();
    changed.insert("d".into(), None);
    let mut next = Document::after(Level::Full, &before);
    next.begin(CalendarId(1), "UTC");
    next.merge(&before, &changed);
    let mut anew = Document::new(Level::Full);
    make(&mut anew, &new);
    let (next, anew) = (next.finish(&LOOK), anew.finish(&LOOK));
    assert_eq!(
        String::from_utf8_lossy(&next.body),
        String::from_utf8_lossy(&anew.body)
    );
    assert!(!String::from_utf8_lossy(&next.body).contains("Tokyo"));
}
