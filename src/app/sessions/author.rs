//! New texts: a session's object, the override of one instance, the stamps of every change.

use std::collections::BTreeMap;

use icalendar::{Calendar, Component as _, Event, Property as NewProperty};

use super::edit::{Editor, Owner};
use super::fields::Fields;
use super::merge::FieldError;
use super::times::{self, Times, line};
use super::view::{is_recurrence, unfolded, view};
use crate::ical::rrule::civil;
use crate::ical::tree::{Component, Limits, Property, Tree};
use crate::ical::value::When;
use crate::ical::write::{Patch, content_line, fold};
use crate::ical::zone::vtimezone;

/// PRODID of what we author (RFC 5545 §3.7.3).
pub const PRODID: &str = "-//Kalends//Kalends//EN";

/// The object of a new session.
///
/// # Errors
/// The fields that cannot be written.
pub fn create(
    uid: &str,
    fields: &Fields,
    owner: &Owner,
    now: i64,
) -> Result<Vec<u8>, Vec<FieldError>> {
    let span = times::read(fields, None)?;
    let mut event = Event::with_uid(uid);
    let stamp = utc(now);
    for name in ["DTSTAMP", "CREATED", "LAST-MODIFIED"] {
        event.add_property(name, &stamp);
    }
    event
        .add_property("SEQUENCE", "0")
        .add_property("STATUS", "CONFIRMED");
    event
        .append_property(time("DTSTART", &span.start))
        .append_property(time("DTEND", &span.end));
    let mut calendar = Calendar::empty();
    calendar.append_property(NewProperty::new("VERSION", "2.0"));
    calendar.append_property(NewProperty::new("PRODID", PRODID));
    let text = calendar.push(event.done()).to_string();
    let tree = parse(text.as_bytes())?;
    let times = Times::of(&tree, times::UTC);
    let Some(event) = tree.roots().next().and_then(|root| root.child("VEVENT")) else {
        return Err(vec![FieldError::new("", "cannot be written as a VEVENT")]);
    };
    let mut patch = Patch::new(&tree);
    let blank = view(event, &times);
    Editor {
        event,
        times: &times,
        owner,
        uid,
    }
    .write(&blank, fields, &mut patch)?;
    with_zones(patch.apply())
}

fn time(name: &str, when: &When) -> NewProperty {
    let mut property = NewProperty::new(name, when.to_string());
    if let Some((param, value)) = when.param() {
        property.add_parameter(param, value);
    }
    property
}

/// A UTC DATE-TIME.
pub fn utc(now: i64) -> String {
    When::Utc(times::UTC.to_civil(now)).to_string()
}

pub(super) fn parse(text: &[u8]) -> Result<Tree<'_>, Vec<FieldError>> {
    Tree::parse(text, &Limits::default())
        .map_err(|fault| vec![FieldError::new("", fault.to_string())])
}

/// DTSTAMP and LAST-MODIFIED of a change, and the next SEQUENCE where it matters to others (RFC 5545 §3.8.7).
pub fn stamp<'t>(event: Component<'t>, significant: bool, now: i64, patch: &mut Patch<'t>) {
    for name in ["DTSTAMP", "LAST-MODIFIED"] {
        patch.set(event, name, content_line(name, &[], &utc(now)));
    }
    if significant {
        let sequence = event
            .property("SEQUENCE")
            .and_then(|p| p.value().trim().parse::<u32>().ok());
        let next = sequence.unwrap_or(0).saturating_add(1).to_string();
        patch.set(event, "SEQUENCE", content_line("SEQUENCE", &[], &next));
    }
}

/// The lines of a new override: the master at one of its instances, without the series' rule.
pub fn override_lines(master: Component<'_>, instance: &When, end: Option<&When>) -> String {
    const OWN: [&str; 5] = ["DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "CREATED"];
    let mut lines = String::from("BEGIN:VEVENT\r\n");
    lines += &line("RECURRENCE-ID", instance);
    lines += &line("DTSTART", instance);
    lines.extend(end.map(|end| line("DTEND", end)));
    for property in master.properties() {
        if !is_recurrence(property) && !OWN.iter().any(|name| property.is(name)) {
            copy_line(property, &mut lines);
        }
    }
    for part in master.children() {
        copy_part(part, &mut lines);
    }
    lines + "END:VEVENT\r\n"
}

fn copy_part(part: Component<'_>, lines: &mut String) {
    *lines += &content_line("BEGIN", &[], part.name());
    for property in part.properties() {
        copy_line(property, lines);
    }
    for child in part.children() {
        copy_part(child, lines);
    }
    *lines += &content_line("END", &[], part.name());
}

/// As it is; folded anew where a fold lies inside of a character.
fn copy_line(property: Property<'_>, lines: &mut String) {
    match std::str::from_utf8(property.raw()) {
        Ok(raw) => *lines += raw,
        Err(_) => *lines += &fold(&unfolded(property)),
    }
    *lines += "\r\n";
}

/// Adds a VTIMEZONE for every TZID that has none and is known (RFC 5545 §3.2.19). Ours begin a year before the first
/// use, so that an earlier edit is covered too.
pub fn with_zones(text: Vec<u8>) -> Result<Vec<u8>, Vec<FieldError>> {
    const YEAR: i64 = 366 * 86_400;
    let tree = parse(&text)?;
    let Some(root) = tree.roots().next() else {
        return Ok(text);
    };
    let has = |tzid: &str| {
        root.children_named("VTIMEZONE")
            .any(|zone| zone.property("TZID").is_some_and(|p| *p.text() == *tzid))
    };
    let mut first: BTreeMap<String, i64> = BTreeMap::new();
    for property in root
        .children_named("VEVENT")
        .flat_map(Component::properties)
    {
        let Some(tzid) = property.param("TZID") else {
            continue;
        };
        let Ok(times) = When::list(property) else {
            continue;
        };
        for when in times.iter().filter(|when| when.tzid() == Some(&tzid)) {
            let at = civil::seconds(when.civil());
            let known = first.entry(tzid.to_string()).or_insert(at);
            *known = at.min(*known);
        }
    }
    let lines: String = first
        .iter()
        .filter(|(tzid, _)| !has(tzid))
        .filter_map(|(tzid, at)| vtimezone(tzid, at - YEAR, None))
        .collect();
    let mut patch = Patch::new(&tree);
    match root.children().next() {
        Some(part) if !lines.is_empty() => patch.insert_before(part, lines),
        _ => &mut patch,
    };
    Ok(patch.apply())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::sessions::merge::read;
    use serde_json::json;

    const NOW: i64 = 1_795_000_000;

    fn created(fields: serde_json::Value) -> String {
        let fields = read(fields.as_object().unwrap()).unwrap();
        let owner = Owner {
            name: "Anna".into(),
            address: Some("anna@example.org".into()),
        };
        String::from_utf8(create("u-1", &fields, &owner, NOW).unwrap()).unwrap()
    }

    fn everything() -> serde_json::Value {
        json!({
            "title": "Coaching; first, \"hour\"", "description": "Line one\nline two", "location": "Room 1",
            "start": "2026-11-24T09:00:00Z", "end": "2026-11-24T10:00:00Z", "timezone": "Europe/Berlin", "all_day": false,
            "conference": "https://meet.example.org/a?b=c;d,e",
            "attendees": [{"email": "bob@example.org", "name": "Bob; \"B\"", "role": "optional", "status": "accepted", "rsvp": true}],
            "reminders": [{"minutes": 15, "action": "display"}, {"minutes": -5, "action": "audio"}],
            "class": "private", "transparent": true, "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=5"],
            "config": {"type": "coaching", "questions": ["a, b; c"]},
            "client": {"name": "Cleo, C.", "email": "cleo@example.org", "phone": "+49 30 1234"},
            "links": [{"href": "https://crm.example.org/1", "rel": "related", "title": "CRM"}],
            "status": "in_progress", "sync": false
        })
    }

    #[test]
    fn what_is_created_reads_back_the_same() {
        let text = created(everything());
        let tree = Tree::parse(text.as_bytes(), &Limits::default()).unwrap();
        let event = tree.roots().next().unwrap().child("VEVENT").unwrap();
        let fields = view(event, &Times::of(&tree, times::UTC));
        assert_eq!(
            serde_json::to_value(&fields).unwrap(),
            everything(),
            "{text}"
        );
        for line in [
            "DTSTART;TZID=Europe/Berlin:20261124T100000",
            "STATUS:CONFIRMED",
            "X-KALENDS-STATUS:IN-PROGRESS",
            "ORGANIZER;CN=Anna:mailto:anna@example.org",
            "TZID:Europe/Berlin",
            "PARTICIPANT-TYPE:BOOKING-CONTACT",
            "X-KALENDS-SESSION:1",
            "SEQUENCE:0",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line} in {text}");
        }
        assert!(text.lines().all(|line| line.len() <= 75), "{text}");
        assert!(tree.faults().is_empty(), "{:?}", tree.faults());
    }

    #[test]
    fn a_plain_session_says_little() {
        let text = created(
            json!({"title": "A", "start": "2026-11-24T09:00:00Z", "end": "2026-11-24T10:00:00Z"}),
        );
        assert_eq!(text.matches("BEGIN:").count(), 2, "{text}");
        assert!(
            text.contains("DTSTART:20261124T090000Z\r\n") && !text.contains("X-KALENDS-STATUS")
        );
    }
}
