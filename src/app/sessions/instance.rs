//! Finding one instance of a series in an object: an override, or what the rule makes (RFC 5545 §3.8.4.4).

use jiff::civil::Date;

use super::events;
use super::times::{Span, Times, UTC, read_time, span_of};
use crate::ical::expand::{Window, occurrences};
use crate::ical::object::Object;
use crate::ical::rrule::{Budget, civil};
use crate::ical::tree::{Component, Tree};
use crate::ical::value::When;
use crate::ical::zone::Zones;
use crate::model::{Error, Result};

/// A VEVENT, and for an instance that has no override of its own: when it is.
#[derive(Clone, Debug)]
pub struct Found<'t> {
    /// The override, else the master.
    pub event: Component<'t>,
    /// RECURRENCE-ID of the instance.
    pub id: Option<When>,
    /// The instance has its properties from the master, but these times.
    pub virtual_span: Option<Span>,
}

/// The master (or the only VEVENT), or the instance that `occurrence` names by its original start.
///
/// # Errors
/// `NotFound` when the series has no such instance, `Invalid` when the name cannot be read.
pub fn find<'t>(
    tree: &'t Tree<'t>,
    times: &Times<'t>,
    occurrence: Option<&str>,
) -> Result<Found<'t>> {
    let master = events(tree).find(|event| event.property("RECURRENCE-ID").is_none());
    let Some(name) = occurrence else {
        let event = master
            .or_else(|| events(tree).next())
            .ok_or(Error::NotFound)?;
        return Ok(Found {
            event,
            id: recurrence_id(event),
            virtual_span: None,
        });
    };
    let like = master
        .or_else(|| events(tree).next())
        .and_then(span_of)
        .ok_or(Error::NotFound)?;
    let wanted = read(name, &like.start, times).ok_or_else(|| Error::Invalid {
        field: "occurrence".into(),
        reason: "not a time of RFC 3339 or a date".into(),
    })?;
    at(tree, times, &wanted)
}

/// The instance with this original start.
///
/// # Errors
/// `NotFound` when the series has no such instance.
pub fn at<'t>(tree: &'t Tree<'t>, times: &Times<'t>, wanted: &When) -> Result<Found<'t>> {
    for event in events(tree) {
        if let Some(id) = recurrence_id(event).filter(|id| same(id, wanted, times)) {
            return Ok(Found {
                event,
                id: Some(id),
                virtual_span: None,
            });
        }
    }
    let master = events(tree)
        .find(|event| event.property("RECURRENCE-ID").is_none())
        .ok_or(Error::NotFound)?;
    if !made_by_rule(tree, times, wanted) {
        return Err(Error::NotFound);
    }
    let span = span_of(master).ok_or(Error::NotFound)?;
    let start = span.start.with_civil(wanted.civil());
    let length = times.instant(&span.end) - times.instant(&span.start);
    let end = match &start {
        When::Date(_) => {
            let days = span.end.civil().duration_since(span.start.civil());
            span.end
                .with_civil(start.civil().checked_add(days).unwrap_or(start.civil()))
        }
        _ => span.end.with_civil(
            times
                .zone(&span.end)
                .to_civil(times.instant(&start) + length),
        ),
    };
    Ok(Found {
        event: master,
        id: Some(start.clone()),
        virtual_span: Some(Span { start, end }),
    })
}

/// The RECURRENCE-ID of an event.
pub fn recurrence_id(event: Component<'_>) -> Option<When> {
    event
        .property("RECURRENCE-ID")
        .and_then(|p| When::of(p).ok())
}

fn same(id: &When, wanted: &When, times: &Times<'_>) -> bool {
    if id.is_date() || wanted.is_date() {
        return id.date() == wanted.date();
    }
    times.instant(id) == times.instant(wanted)
}

/// Does the series have an instance there, by its rule or dates and not by an override?
fn made_by_rule(tree: &Tree<'_>, times: &Times<'_>, wanted: &When) -> bool {
    const DAY: i64 = 86_400;
    let Ok(object) = Object::read(tree) else {
        return false;
    };
    let near = times.instant(wanted);
    let window = Window {
        from: Some(near - DAY),
        to: Some(near + DAY),
    };
    let zones = Zones::of(tree);
    let found = match occurrences(&object, &zones, window, &Budget::default()) {
        Ok(all) => all,
        Err(exhausted) => exhausted.so_far,
    };
    let key = match wanted {
        When::Date(_) | When::Floating(_) => civil::seconds(wanted.civil()),
        _ => near,
    };
    found.iter().any(|one| one.rid == key && !one.overridden)
}

/// Reads the name of an instance in the form of the series' start.
fn read(name: &str, like: &When, times: &Times<'_>) -> Option<When> {
    let name = name.trim();
    if let Ok(when) = When::parse(name, like.tzid()) {
        return Some(in_form(&when, like, times));
    }
    if name.len() == 10 {
        let date: Date = name.parse().ok()?;
        return Some(like.with_civil(date.to_datetime(like.civil().time())));
    }
    let zone = times.zone(like);
    let local = zone.to_civil(read_time(name, &zone)?);
    Some(like.with_civil(local))
}

fn in_form(when: &When, like: &When, times: &Times<'_>) -> When {
    match (when, like) {
        (When::Utc(_), When::Utc(_)) => when.clone(),
        (When::Utc(at), _) => like.with_civil(times.zone(like).to_civil(UTC.to_instant(*at))),
        (When::Date(date), like) => like.with_civil(date.to_datetime(like.civil().time())),
        _ => like.with_civil(when.civil()),
    }
}

/// The original start that an occurrence row or an expansion names by `rid`, in the form of the series.
pub fn of_rid(tree: &Tree<'_>, times: &Times<'_>, rid: i64) -> Option<When> {
    let master = events(tree).find(|event| event.property("RECURRENCE-ID").is_none());
    let like = match master {
        Some(master) => span_of(master)?.start,
        None => events(tree).find_map(recurrence_id)?,
    };
    let local = match &like {
        When::Date(_) | When::Floating(_) => civil::date_time(rid)?,
        _ => times.zone(&like).to_civil(rid),
    };
    Some(like.with_civil(local))
}
