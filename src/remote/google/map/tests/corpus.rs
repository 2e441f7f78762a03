//! Every event of the corpus through the map and back: equal, or named in the ledger.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::ical::rrule::Budget;

use super::*;
use crate::ical::object::Object;
use crate::ical::split::split;
use crate::ical::tree::{Limits, Tree};

/// The corpus' folder, when it is there.
fn corpus() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "test data, not a setting")]
    let named = std::env::var("KALENDS_SHARED").ok();
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    let folder = PathBuf::from(named.unwrap_or_else(|| beside.to_owned())).join("corpus/ics");
    folder.is_dir().then_some(folder)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, found),
            path if path.extension().is_some_and(|end| end == "ics") => found.push(path),
            _ => {}
        }
    }
}

/// Google, as far as a round trip needs it: what is inserted and patched is what is there.
fn stored(text: &[u8]) -> Result<(Vec<Value>, BTreeSet<String>), Refusal> {
    let (place, marker) = (place(), marker());
    let desired = Desired::of(&put(text, &marker, GuestPolicy::Never), &place)?;
    if desired.master.is_none() {
        return Err(Refusal::new("no-master", ""));
    }
    let mut master = Value::Object(master_changes(
        &desired,
        &Known::default(),
        KEY,
        &rights(&place),
    )?);
    master["id"] = json!(KEY);
    master["status"] = master.get("status").cloned().unwrap_or(json!("confirmed"));
    let known = Known::of(&[item(master.as_object().unwrap()).unwrap()], &place);
    let mut docs = vec![master.clone()];
    for step in instance_steps(&desired, &known, &rights(&place))? {
        let usual = step.usual.unwrap();
        let mut doc = master.clone();
        let object = doc.as_object_mut().unwrap();
        object.remove("recurrence");
        object.insert("id".into(), json!(step.id));
        object.insert("recurringEventId".into(), json!(KEY));
        let start = usual.start.as_ref().unwrap().json();
        object.insert("originalStartTime".into(), start.clone());
        object.insert("start".into(), start);
        object.insert("end".into(), usual.end.as_ref().unwrap().json());
        for (key, value) in step.body {
            match value {
                Value::Null => drop(object.remove(&key)),
                value => drop(object.insert(key, value)),
            }
        }
        docs.push(doc);
    }
    let lost = desired
        .losses(text, None)
        .into_iter()
        .map(|loss| loss.property)
        .collect();
    Ok((docs, lost))
}

/// Properties that are times, that each side keeps for itself, or that nobody asked to send.
const ASIDE: &[&str] = &[
    "UID",
    "DTSTAMP",
    "SEQUENCE",
    "CREATED",
    "LAST-MODIFIED",
    "DTSTART",
    "DTEND",
    "DURATION",
    "RRULE",
    "EXRULE",
    "RDATE",
    "EXDATE",
    "RECURRENCE-ID",
    "ORGANIZER",
    "ATTENDEE",
];
/// What says as much as its absence.
const DEFAULTS: &[(&str, &str)] = &[
    ("STATUS", "CONFIRMED"),
    ("CLASS", "PUBLIC"),
    ("TRANSP", "OPAQUE"),
];

/// What a component says besides its times, and its reminders.
fn says(event: crate::ical::tree::Component<'_>, lost: &BTreeSet<String>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for property in event.properties() {
        let name = property.name().to_ascii_uppercase();
        let text = super::super::plain(&property.text()).trim_end().to_owned();
        let default = DEFAULTS
            .iter()
            .any(|row| *row == (name.as_str(), text.to_ascii_uppercase().as_str()));
        // a cancelled event is shown as free time
        let stands_in = name == "TRANSP" && lost.contains("STATUS");
        if !(text.is_empty()
            || default
            || stands_in
            || lost.contains(&name)
            || ASIDE.contains(&name.as_str()))
        {
            all.insert(format!("{name}:{text}"));
        }
    }
    if !lost.contains("VALARM") {
        for alarm in event.children_named("VALARM") {
            let trigger = alarm.property("TRIGGER").unwrap().value().into_owned();
            let seconds = crate::ical::value::Duration::parse(&trigger)
                .unwrap()
                .total_seconds();
            let action = alarm
                .property("ACTION")
                .map(|p| p.value().to_ascii_uppercase());
            let action = action.unwrap_or_else(|| "DISPLAY".to_owned());
            all.insert(format!("VALARM {action} {seconds}"));
        }
    }
    all
}

/// Each occurrence (the first few hundred): start, end and what it says. Times that the ledger names are left out.
fn comparable(text: &[u8], lost: &BTreeSet<String>) -> Vec<(i64, i64, BTreeSet<String>)> {
    use crate::ical::expand::{Window, occurrences};
    let tree = Tree::parse(text, &Limits::default()).unwrap();
    let object = Object::read(&tree).unwrap();
    if lost.contains("RECURRENCE-ID") {
        return Vec::new(); // THISANDFUTURE: one instance instead of many
    }
    let zones = crate::ical::zone::Zones::of(&tree);
    let found = occurrences(
        &object,
        &zones,
        Window::default(),
        &Budget::new(50_000, 300),
    );
    let found = found.unwrap_or_else(|exhausted| exhausted.so_far);
    let cancelled = |event: &crate::ical::tree::Component<'_>| {
        event
            .property("STATUS")
            .is_some_and(|p| p.value().eq_ignore_ascii_case("CANCELLED"))
    };
    let times = !lost.contains("DTSTART");
    let mut all = Vec::new();
    for occurrence in found.iter().take(250) {
        let event = tree.component(occurrence.component).unwrap();
        if occurrence.overridden && cancelled(&event) {
            continue;
        }
        let at = |time: i64, held: bool| if held { time } else { 0 };
        let ends = times && !lost.contains("RDATE");
        all.push((
            at(occurrence.start, times),
            at(occurrence.end, ends),
            says(event, lost),
        ));
    }
    if !times {
        all.dedup(); // how many there are is a matter of times, too
    }
    all
}

#[test]
fn every_event_of_the_corpus_returns_equal_or_is_named_in_the_ledger() {
    let Some(corpus) = corpus() else {
        eprintln!("skipped: the corpus is absent");
        return;
    };
    let mut paths = Vec::new();
    for part in ["valid", "quirky", "recurrence"] {
        files(&corpus.join(part), &mut paths);
    }
    paths.sort();
    let (mut equal, mut refused, mut failures) = (0, 0, Vec::new());
    let mut reasons = std::collections::BTreeMap::new();
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        let bytes = crate::ical::charset::to_utf8(&bytes);
        let Ok(tree) = Tree::parse(&bytes, &Limits::default()) else {
            continue;
        };
        for group in split(&tree).groups {
            let uid = group.uid.as_deref().unwrap_or("none").to_owned();
            let text = split(&tree).document(&group, &uid).into_owned();
            let own = Tree::parse(&text, &Limits::default()).unwrap();
            let Ok(object) = Object::read(&own) else {
                continue;
            };
            if object.kind != crate::ical::object::Kind::Event {
                continue;
            }
            match stored(&text) {
                Err(refusal) => {
                    refused += 1;
                    *reasons.entry(refusal.code).or_insert(0) += 1;
                }
                Ok((docs, lost)) => {
                    let back = reading(&docs).text;
                    assert_eq!(back, reading(&docs).text);
                    // What the ledger does not name comes back; and what came back writes nothing.
                    if comparable(&text, &lost) == comparable(&back, &lost) {
                        equal += 1;
                    } else {
                        failures.push((
                            path.clone(),
                            uid,
                            comparable(&text, &lost),
                            comparable(&back, &lost),
                        ));
                    }
                    let (body, steps) = changes(&back, &docs);
                    assert!(
                        body.is_empty() && steps.is_empty(),
                        "{path:?}: {body:?} {steps:?}\n{}",
                        String::from_utf8_lossy(&back)
                    );
                }
            }
        }
    }
    eprintln!(
        "{equal} equal, {refused} refused, {} not equal; {reasons:?}",
        failures.len()
    );
    for (path, uid, before, after) in failures.iter().take(30) {
        let differs = before.iter().zip(after).find(|(a, b)| a != b);
        eprintln!(
            "{path:?} {uid}: {} and {}: {differs:#?}",
            before.len(),
            after.len()
        );
    }
    assert!(failures.is_empty());
    assert!(equal > 300 && refused < equal / 5, "{equal} {refused}");
}
