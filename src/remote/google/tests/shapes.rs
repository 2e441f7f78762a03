//! Every observed shape of an event parses (`google-observed-shapes.json`), with values made up from its types.

use super::*;

fn shapes() -> Option<Value> {
    #[expect(clippy::disallowed_methods, reason = "test data, not a setting")]
    let named = std::env::var("KALENDS_SHARED").ok();
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    let folder = std::path::PathBuf::from(named.unwrap_or_else(|| beside.to_owned()));
    let text =
        std::fs::read_to_string(folder.join("providers/google-observed-shapes.json")).ok()?;
    serde_json::from_str(&text).ok()
}

/// A value of a shape.
fn made(key: &str, shape: &Value) -> Value {
    match shape {
        Value::String(kind) => match (kind.as_str(), key) {
            ("bool", _) => json!(true),
            ("int", _) => json!(10),
            (_, "dateTime" | "updated" | "created" | "timeMin" | "timeMax") => {
                json!("2026-03-27T10:00:00+01:00")
            }
            (_, "timeZone") => json!("Europe/Berlin"),
            (_, "expiration") => json!("1775217600000"),
            (_, "status") => json!("confirmed"),
            (_, "eventType") => json!("default"),
            (_, "accessRole") => json!("owner"),
            (_, "email") => json!("someone@example.com"),
            (_, "method") => json!("popup"),
            (_, key) => json!(format!("{key}1")),
        },
        Value::Array(inner) => inner.iter().map(|one| made(key, one)).collect(),
        Value::Object(inner) => Value::Object(
            inner
                .iter()
                .map(|(key, one)| (key.clone(), made(key, one)))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[test]
fn every_observed_shape_parses() {
    let Some(shapes) = shapes() else {
        eprintln!("skipped: the observed shapes are absent");
        return;
    };
    let mut events = 0;
    for (name, shape) in shapes["shapes"].as_object().unwrap() {
        let body = made("", shape);
        let body = body.as_object().unwrap();
        let docs: Vec<&wire::Json> = match name.as_str() {
            "events_watch_response" => {
                assert!(answers::watch(body, 0).is_ok());
                continue;
            }
            "calendarlist_list" => {
                assert_eq!(answers::calendars(body).0.len(), 1);
                continue;
            }
            "freebusy_query_primary" => {
                assert_eq!(answers::busy(body, "primary"), Ok(vec![]));
                continue;
            }
            name if name.starts_with("calendarlist_get") => {
                let page = json!({"items": [body]});
                assert!(answers::calendars(page.as_object().unwrap()).0[0].writable);
                continue;
            }
            name if !name.starts_with("events_") => continue,
            _ if body.contains_key("items") => wire::objects(body, "items").collect(),
            _ => vec![body],
        };
        for doc in docs {
            let items = [answers::item(doc).unwrap()];
            let read = Google.read(&place(), ME, &items).unwrap();
            let Read::Event(reading) = read else {
                panic!("{name}")
            };
            let tree = crate::ical::tree::Tree::parse(&reading.text, &Default::default()).unwrap();
            let object = crate::ical::object::Object::read(&tree).unwrap();
            assert_eq!(object.uid, "iCalUID1", "{name}");
            assert_eq!(
                reading.ours_to_edit,
                name != "events_move_response",
                "{name}"
            );
            events += 1;
        }
    }
    assert!(events >= 9, "{events}");
}
