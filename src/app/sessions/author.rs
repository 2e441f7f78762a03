//! New texts: a session's object, the override of one instance, the stamps of every change.

use icalendar::{Calendar, Component as _, Event, Property};

use super::edit::{Editor, Owner};
use super::fields::{FieldError, Fields};
use super::times::{self, Times, line};
use super::view::{is_recurrence, view};
use crate::ical::session::STATUS;
use crate::ical::tree::{Component, Limits, Tree};
use crate::ical::value::When;
use crate::ical::write::{Patch, content_line};

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
    calendar.append_property(Property::new("VERSION", "2.0"));
    calendar.append_property(Property::new("PRODID", PRODID));
    let text = calendar.push(event.done()).to_string();
    let tree = parse(text.as_bytes())?;
    let times = Times::of(&tree, jiff::tz::TimeZone::UTC);
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

fn time(name: &str, when: &When) -> Property {
    let mut property = Property::new(name, when.to_string());
    if let Some((param, value)) = when.param() {
        property.add_parameter(param, value);
    }
    property
}

/// A UTC DATE-TIME.
pub fn utc(now: i64) -> String {
    let at = jiff::Timestamp::from_second(now).unwrap_or_default();
    When::Utc(jiff::tz::TimeZone::UTC.to_datetime(at)).to_string()
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

/// The lines of a new override: the master at one of its instances, without the series' rule and state.
pub fn override_lines(master: Component<'_>, instance: &When, end: Option<&When>) -> Vec<u8> {
    const OWN: [&str; 7] = [
        "DTSTART",
        "DTEND",
        "DURATION",
        "RECURRENCE-ID",
        "CREATED",
        "STATUS",
        STATUS,
    ];
    let mut lines = b"BEGIN:VEVENT\r\n".to_vec();
    lines.extend_from_slice(line("RECURRENCE-ID", instance).as_bytes());
    lines.extend_from_slice(line("DTSTART", instance).as_bytes());
    if let Some(end) = end {
        lines.extend_from_slice(line("DTEND", end).as_bytes());
    }
    for property in master.properties() {
        if is_recurrence(property) || OWN.iter().any(|name| property.is(name)) {
            continue;
        }
        lines.extend_from_slice(property.raw());
        lines.extend_from_slice(b"\r\n");
    }
    for part in master.children() {
        lines.extend_from_slice(part.raw());
    }
    lines.extend_from_slice(b"END:VEVENT\r\n");
    lines
}

/// Adds a VTIMEZONE for every TZID that has none and is known.
pub fn with_zones(text: Vec<u8>) -> Result<Vec<u8>, Vec<FieldError>> {
    Ok(text)
}
