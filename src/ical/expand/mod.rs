//! An object and a range, to occurrences: master, rules, RDATE, EXDATE, overrides. RFC 5545 §3.8.4.4, §3.8.5;
//! RFC 4791 §7.4, §9.9.
//!
//! `series` reads an object once, `length` says how long instances are, `walk` gives those in a window.
//! A week of a daily series of 2001 costs what a week costs.
//!
//! *DTSTART that the rule does not match?* It is the first instance all the same, and COUNT counts it
//! (§3.8.5.3: "always counts as the first occurrence").
//!
//! *An EXDATE of type DATE in a timed series?* §3.8.5.1 wants equal types; what writes it means the whole
//! local day, so that day is taken out. The other way round, the date of the EXDATE as written.
//!
//! *A RECURRENCE-ID or RDATE of type DATE in a timed series?* That day, at DTSTART's time.
//!
//! *An override that belongs to no instance?* It is shown, as clients do: its RECURRENCE-ID may be from before
//! the master was moved. *An override of an EXDATE?* It is shown as well.
//!
//! *STATUS:CANCELLED?* Is for the reader: [`Occurrence::component`] leads to it.
//!
//! *A rule that cannot be read or expanded?* It contributes nothing; the other instances stay.
//!
//! *A TZID that nothing explains?* Its times are floating.

#[cfg(any(test, fuzzing))]
pub mod invariants;
pub(in crate::ical) mod length;
mod series;
#[cfg(test)]
mod tests;
mod walk;

pub use series::Series;

use super::object::Object;
use super::rrule::{Budget, civil};
use super::zone::Zones;

/// One occurrence. Seconds are since 1970-01-01T00:00:00Z; when `local`, civil seconds as if UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The original start: the RECURRENCE-ID, in the series' own frame (local if the master is).
    pub rid: i64,
    pub start: i64,
    /// Not before `start`; equal to it where no time passes.
    pub end: i64,
    /// DATE or floating: a wall-clock time in whatever zone the reader is.
    pub local: bool,
    /// DATE: whole days.
    pub date: bool,
    /// [`Component::index`](super::tree::Component::index) of the master or override it has its properties from.
    pub component: usize,
    /// That component is an override.
    pub overridden: bool,
}

/// A half-open range of instants, perhaps open at its ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    pub from: Option<i64>,
    pub to: Option<i64>,
}

/// How far wall-clock times can be from UTC: by so much a window is widened for local occurrences.
pub const WIDEST: i64 = 14 * 3_600;

/// More occurrences, or more searching, than the budget allows: what was found until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exhausted {
    pub so_far: Vec<Occurrence>,
}

impl std::fmt::Display for Exhausted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "too many occurrences: stopped after {}",
            self.so_far.len()
        )
    }
}

impl std::error::Error for Exhausted {}

/// The occurrences of an object that overlap a window (RFC 4791 §9.9), in order of start.
///
/// A to-do without DTSTART and DUE is one occurrence of all time; other undated components have none. Local
/// occurrences are given when they overlap the window in some zone.
pub fn occurrences(
    object: &Object<'_>,
    zones: &Zones<'_>,
    window: Window,
    budget: &Budget,
) -> Result<Vec<Occurrence>, Exhausted> {
    Series::of(object, zones).occurrences(window, budget)
}

/// Bounds on all occurrences of an object: first start and last end (None: without end, or too long to say).
/// Both are wide enough, not always tight; the start is None when there is no occurrence.
pub fn extent(object: &Object<'_>, zones: &Zones<'_>) -> (Option<i64>, Option<i64>) {
    Series::of(object, zones).extent()
}

impl Window {
    pub fn new(from: i64, to: i64) -> Self {
        Self {
            from: Some(from),
            to: Some(to),
        }
    }

    /// RFC 4791 §9.9: what lasts overlaps; what does not last must lie inside.
    pub fn overlaps(&self, start: i64, end: i64) -> bool {
        self.to.is_none_or(|to| start < to)
            && self
                .from
                .is_none_or(|from| end > from || end == start && start >= from)
    }

    /// The window that local occurrences are compared with.
    fn widened(&self) -> Window {
        Window {
            from: self.from.map(|from| from.saturating_sub(WIDEST)),
            to: self.to.map(|to| to.saturating_add(WIDEST)),
        }
    }
}

impl Occurrence {
    /// A to-do without dates: at all times.
    fn undated(component: usize, overridden: bool) -> Self {
        Self {
            rid: civil::MIN,
            start: civil::MIN,
            end: civil::MAX,
            local: true,
            date: false,
            component,
            overridden,
        }
    }

    fn within(&self, window: &Window) -> bool {
        let widened = if self.local {
            window.widened()
        } else {
            *window
        };
        widened.overlaps(self.start, self.end)
    }
}
