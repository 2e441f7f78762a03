//! The answers of Microsoft's own documentation, where they lie beside the crate: each is read without a complaint.

use super::*;

#[expect(
    clippy::disallowed_methods,
    reason = "tests find shared data by a variable"
)]
fn samples() -> Vec<(String, String, Value)> {
    let root = std::env::var("KALENDS_SHARED").unwrap_or_else(|_| "../shared".into());
    let path = format!("{root}/providers/graph-calendar-doc-samples.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no {path}");
        return Vec::new();
    };
    let doc: Value = serde_json::from_str(&text).unwrap();
    let samples = doc["samples"].as_array().unwrap().iter();
    samples
        .map(|one| {
            let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
            (text("method"), text("url"), one["body"].clone())
        })
        .collect()
}

fn listed(body: &Value) -> Vec<Value> {
    match body["value"].as_array() {
        Some(list) => list.clone(),
        None if body.is_object() => vec![body.clone()],
        None => Vec::new(),
    }
}

/// Those with times are events; the others are refused with words, and nothing panics.
#[test]
fn every_sample_is_read() {
    let world = World::new();
    let (mut events, mut calendars) = (0, 0);
    for (method, url, body) in samples() {
        for doc in listed(&body) {
            if super::super::listed(&doc, "").is_some() {
                calendars += 1;
            }
            let items = [super::super::fetch::item(&doc, None)];
            let read = Microsoft.read(&world.place, BOB, &items);
            let whole = doc["start"]["dateTime"].is_string() && doc["subject"].is_string();
            if !whole {
                continue;
            }
            let Ok(Read::Event(reading)) = read else {
                panic!("{method} {url}: {read:?}");
            };
            events += 1;
            canonical(&reading.text);
            let again = Microsoft.read(&world.place, BOB, &items);
            assert_eq!(again, Ok(Read::Event(reading)), "the same bytes");
        }
    }
    if calendars > 0 {
        assert!(events >= 8 && calendars >= 8, "{events} {calendars}");
    }
}

/// FACTS §9.34: unknown members of enums and unknown keys change nothing.
#[test]
fn facts_34_unknown_members_and_keys_are_read() {
    let world = World::new();
    let doc = json!({"id": "a", "@odata.etag": "W/\"1\"", "type": "later", "subject": "C", "showAs": "focusing",
        "importance": "urgent", "sensitivity": "secret", "occurrenceId": null, "newKey": {"a": [1]},
        "start": {"dateTime": "2026-03-10T09:00:00.0000000", "timeZone": "UTC", "calendar": "mayan"},
        "end": {"dateTime": "2026-03-10T10:00:00.0000000", "timeZone": "UTC"}});
    let item = super::super::fetch::item(&doc, None);
    assert!(String::from_utf8_lossy(&item.doc).contains("newKey"));
    let read = world.read(&[item]);
    same(
        &object(&["DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nSUMMARY:C"]),
        &Reading {
            text: String::from_utf8(read.text.clone())
                .unwrap()
                .replace("UID:a\r\n", "UID:u1@example.com\r\n")
                .into(),
            ..read
        },
    );
}
