//! `limit-recurrence-set` and `limit-freebusy-set`: RFC 4791 §9.6.6, §9.6.7.

use super::Edit;
use crate::ical::object::{Object, Override};
use crate::ical::query::TimeRange;
use crate::ical::query::times::Times;
use crate::ical::tree::{Component, Property};
use crate::ical::value::{Period, items};

/// Whether a component of the calendar is returned: all but overrides that do not touch `range`, neither
/// where they are nor where they would have been. One for THISANDFUTURE also bears on all that follows.
pub(super) fn is_wanted<'t>(
    component: Component<'t>,
    object: &Object<'t>,
    times: &Times<'_, 't>,
    range: &TimeRange,
) -> bool {
    let same = |over: &&Override<'t>| over.component.index() == component.index();
    let Some(over) = object.overrides.iter().find(same) else {
        return true;
    };
    let original = times.utc(&over.recurrence_id);
    if over.this_and_future && original < range.end {
        return true;
    }
    let length = |component| times.span(component).map_or(0, |(start, end)| end - start);
    let usual = object.master.map_or_else(|| length(component), length);
    let now = times
        .span(component)
        .is_some_and(|(start, end)| range.overlaps(start, end));
    now || range.overlaps(original, original.saturating_add(usual))
}

/// A FREEBUSY property with those of its periods that overlap `range`; one that cannot be read stays.
pub(super) fn freebusy<'t>(
    property: Property<'t>,
    times: &Times<'_, 't>,
    range: &TimeRange,
) -> Edit {
    let tzid = property.param("TZID");
    let value = property.value();
    let overlaps = |text: &&str| {
        Period::parse(text, tzid.as_deref()).map_or(true, |period| {
            let (start, end) = times.period(&period);
            range.overlaps(start, end)
        })
    };
    let kept: Vec<&str> = items(&value).filter(overlaps).collect();
    match kept.len() {
        0 => Edit::Drop,
        n if n == items(&value).count() => Edit::Keep,
        _ => Edit::Line(super::with_value(property, |_| true, &kept.join(","))),
    }
}
