//! Documents from texts in and text out.

use super::*;
use proptest::prelude::*;

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

fn read(laid: &Laid) -> String {
    String::from_utf8(laid.text.plain().concat()).unwrap()
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
    read(&document.finish(&look))
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
    assert_eq!(read(&next), read(&anew));
    assert!(!read(&next).contains("Tokyo"));
}

/// Objects by name, each with the number of its version: every seventh is long, and the zone changes with the version.
type State = BTreeMap<u16, u8>;

fn object_of(name: u16, version: u8) -> String {
    let zone = ["Europe/Berlin", "Asia/Tokyo", "America/New_York", "UTC"][usize::from(version % 4)];
    let long = "DESCRIPTION:x\r\n".repeat(if name.is_multiple_of(7) { 300 } else { 1 });
    event(&format!(
        "DTSTART;TZID={zone}:202611{:02}T090000\r\n{long}SEQUENCE:{version}\r\n",
        name % 28 + 1
    ))
}

fn anew(state: &State) -> Laid {
    let mut document = Document::new(Level::Full);
    document.begin(CalendarId(1), "UTC");
    for (name, version) in state {
        let text = object_of(*name, *version);
        document.add(
            &format!("{name:05}"),
            text.as_bytes(),
            "u",
            "20260102T000000Z",
        );
        document.go_on();
    }
    document.finish(&LOOK)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Over many changes, with chunks that grow, split, shrink and vanish.
    #[test]
    fn a_document_that_goes_on_is_the_one_made_anew(
        first in prop::collection::btree_map(0u16..900, any::<u8>(), 0..700),
        steps in prop::collection::vec(
            (0u16..900, prop::collection::vec((0u16..300, prop::option::weighted(0.6, any::<u8>())), 0..60)), 1..8),
    ) {
        let mut state = first;
        let mut laid = anew(&state);
        for (base, step) in steps {
            let mut changed = BTreeMap::new();
            for (offset, version) in step {
                let name = base + offset;
                match version {
                    Some(version) => state.insert(name, version),
                    None => state.remove(&name),
                };
                let fresh = version.map(|version| Fresh {
                    text: object_of(name, version).into(),
                    uid: "u".into(),
                    stamp: "20260102T000000Z".into(),
                });
                changed.insert(format!("{name:05}"), fresh);
            }
            let mut next = Document::after(Level::Full, &laid);
            next.begin(CalendarId(1), "UTC");
            next.merge(&laid, &changed);
            laid = next.finish(&LOOK);
            prop_assert_eq!(read(&laid), read(&anew(&state)));
            prop_assert!(laid.chunks.len() <= 4 + read(&laid).len() / (16 << 10) + state.len() / 64);
        }
    }
}
