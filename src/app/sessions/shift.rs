//! A session that moves: its new times, and the exceptions of a series that go along.

use super::edit::Editor;
use super::fields::Fields;
use super::merge::FieldError;
use super::times::{Times, line, read, span_of};
use crate::ical::tree::{Component, Property};
use crate::ical::value::When;
use crate::ical::write::{Patch, content_line};

/// Writes changed times into the VEVENT. `Ok(true)`: something has changed.
///
/// # Errors
/// The fields that cannot be written.
pub(super) fn write<'t>(
    editor: &Editor<'_, 't>,
    old: &Fields,
    new: &Fields,
    patch: &mut Patch<'t>,
) -> Result<bool, Vec<FieldError>> {
    let same = (&old.start, &old.end, &old.timezone, old.all_day)
        == (&new.start, &new.end, &new.timezone, new.all_day);
    if same {
        return Ok(false);
    }
    let event = editor.event;
    let before = span_of(event);
    let floats = before
        .as_ref()
        .is_some_and(|span| matches!(span.start, When::Floating(_)));
    let after = read(new, floats.then_some(&editor.times.local))?;
    patch.set(event, "DTSTART", line("DTSTART", &after.start));
    patch.set(event, "DTEND", line("DTEND", &after.end));
    patch.remove_all(event, "DURATION");
    if let Some(before) = before.filter(|before| before.start != after.start) {
        let shift = Shift {
            times: editor.times,
            from: before.start,
            to: after.start,
        };
        if event.property("RECURRENCE-ID").is_none() {
            shift.exceptions(event, old.recurrence == new.recurrence, patch);
            shift.overrides(event, patch);
        }
    }
    Ok(true)
}

/// A series whose first instance moves takes its exceptions along: an EXDATE or RECURRENCE-ID names an instance by
/// its time, and would name none any more.
struct Shift<'e, 't> {
    times: &'e Times<'t>,
    from: When,
    to: When,
}

impl<'t> Shift<'_, 't> {
    /// The same instance in the moved series.
    fn moved(&self, instance: &When) -> Option<When> {
        let civil = match (instance, &self.from) {
            (When::Utc(_), When::Zoned { .. }) => self
                .times
                .zone(&self.from)
                .to_civil(self.times.instant(instance)),
            _ => instance.civil(),
        };
        let delta = self.to.civil().duration_since(self.from.civil());
        Some(self.to.with_civil(civil.checked_add(delta).ok()?))
    }

    fn exceptions(&self, event: Component<'t>, unchanged: bool, patch: &mut Patch<'t>) {
        let names = ["EXDATE", "RDATE"].into_iter().filter(|_| unchanged);
        for property in names.flat_map(|name| event.properties_named(name)) {
            let Ok(instances) = When::list(property) else {
                continue;
            };
            let moved: Option<Vec<When>> = instances.iter().map(|when| self.moved(when)).collect();
            let Some(moved) = moved.filter(|list| !list.is_empty()) else {
                continue;
            };
            let values: Vec<String> = moved.iter().map(When::to_string).collect();
            let params: Vec<_> = self.to.param().into_iter().collect();
            patch.replace(
                property,
                content_line(property.name(), &params, &values.join(",")),
            );
        }
    }

    fn overrides(&self, master: Component<'t>, patch: &mut Patch<'t>) {
        let siblings = master
            .parent()
            .into_iter()
            .flat_map(|parent| parent.children_named("VEVENT"));
        for property in siblings.filter_map(|other| other.property("RECURRENCE-ID")) {
            if let Some(moved) = When::of(property).ok().and_then(|when| self.moved(&when)) {
                patch.replace(property, recurrence_id(property, &moved));
            }
        }
    }
}

/// RANGE stays (RFC 5545 §3.2.13).
fn recurrence_id(property: Property<'_>, when: &When) -> String {
    let mut params: Vec<_> = when.param().into_iter().collect();
    let range = property.param("RANGE");
    params.extend(range.as_deref().map(|range| ("RANGE", range)));
    content_line("RECURRENCE-ID", &params, &when.to_string())
}
