//! New values of live properties, read and checked. Nothing is stored here.

use crate::dav::names::{cal, dav};
use crate::ical::tree::{Limits, Tree};
use crate::ical::zone::{Zone, Zones};
use crate::model::{ComponentSet, Error, Precondition, Result};
use crate::xml::Element;

/// What a new value asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Store the element as it is, or forget it.
    Keep,
    /// The zone of the calendar (as `Calendar::timezone` has it), and the element stored beside it.
    Timezone(String),
    /// A zone by name; a stored calendar-timezone is forgotten.
    TimezoneId(String),
    Transparent(bool),
}

pub fn keep(_: Option<&Element>) -> Result<Change> {
    Ok(Change::Keep)
}

/// RFC 4791 §5.2.2: an iCalendar object with exactly one VTIMEZONE.
pub fn timezone(value: Option<&Element>) -> Result<Change> {
    match value {
        None => Ok(Change::Timezone(String::new())),
        Some(value) => zone_of_text(&value.text()).map(|(_, zone)| Change::Timezone(zone)),
    }
}

/// The zone that such a text means, and how `Calendar::timezone` has it: by name where that says the same.
pub fn zone_of_text(text: &str) -> Result<(Zone, String)> {
    let refuse = |why: &str| {
        Error::precondition(Precondition::ValidCalendarData, format!("time zone: {why}"))
    };
    let tree = Tree::parse(text.as_bytes(), &Limits::default())
        .map_err(|fault| refuse(&fault.reason.to_string()))?;
    let mut roots = tree.roots();
    let calendar = match (roots.next(), roots.next()) {
        (Some(calendar), None) if calendar.is("VCALENDAR") => calendar,
        _ => return Err(refuse("not one VCALENDAR")),
    };
    if calendar.children().count() != 1 || calendar.child("VTIMEZONE").is_none() {
        return Err(refuse("not exactly one VTIMEZONE"));
    }
    let zone = Zones::of(&tree)
        .only()
        .ok_or_else(|| refuse("its rules cannot be read"))?;
    let kept = zone
        .iana_name()
        .map_or_else(|| text.to_owned(), str::to_owned);
    Ok((zone, kept))
}

/// RFC 7809 §5.2, with its precondition `valid-timezone`.
pub fn timezone_id(value: Option<&Element>) -> Result<Change> {
    let Some(value) = value else {
        return Ok(Change::TimezoneId(String::new()));
    };
    let name = value.trimmed_text();
    match Zone::named(&name).as_ref().and_then(Zone::iana_name) {
        Some(known) => Ok(Change::TimezoneId(known.to_owned())),
        None => Err(Error::precondition(
            Precondition::ValidTimezone,
            format!("unknown time zone {name:?}"),
        )),
    }
}

/// RFC 6638 §9.1
pub fn transparency(value: Option<&Element>) -> Result<Change> {
    match value.and_then(|value| value.elements().next()) {
        None => Ok(Change::Transparent(false)),
        Some(word) if word.name == cal::OPAQUE => Ok(Change::Transparent(false)),
        Some(word) if word.name == cal::TRANSPARENT => Ok(Change::Transparent(true)),
        Some(other) => Err(Error::Conflict(format!(
            "schedule-calendar-transp: {} is neither opaque nor transparent",
            other.name
        ))),
    }
}

/// supported-calendar-component-set of a calendar to be made (RFC 4791 §5.2.3).
pub fn component_set(value: &Element) -> Result<ComponentSet> {
    let refuse = |why: String| {
        Err(Error::precondition(
            Precondition::SupportedCalendarComponent,
            why,
        ))
    };
    let mut set = Vec::new();
    for comp in value.children_named(&cal::COMP) {
        let name = comp.attr("name").unwrap_or_default().to_ascii_uppercase();
        if !ComponentSet::KNOWN.contains(&name.as_str()) {
            return refuse(format!("calendars do not take {name:?}"));
        }
        if !set.contains(&name) {
            set.push(name);
        }
    }
    if set.is_empty() {
        return refuse("a calendar takes at least one component".into());
    }
    Ok(ComponentSet(set))
}

/// Whether a resourcetype is the one thing that can be made: a calendar collection (RFC 5689 §3).
pub fn is_calendar(value: &Element) -> bool {
    let has = |name| value.child(name).is_some();
    has(&dav::COLLECTION) && has(&cal::CALENDAR) && value.elements().count() == 2
}
