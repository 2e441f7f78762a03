//! Did a side move the series as a whole, and by how much? So instances of before and after are known for the same.
//!
//! *Which moves are of the whole?* When an exception of the base is still where it was, none. When all of them moved
//! along with DTSTART, all. Without exceptions to tell by: a start that was an instance of the base's rule only cuts the
//! series; any other start moves it, by less than its period: a weekly Monday 9:00 that becomes Tuesday 10:00 four weeks
//! later moved by a day and an hour.
//!
//! Amounts are in wall-clock time, so that a series keeps its hours over a change of zone or offset.

use super::version::Version;
use crate::ical::expand::length::Frame;
use crate::ical::rrule::civil::{self, DAY};
use crate::ical::rrule::{Budget, Freq, Rule, Span};

/// From the instances of a base to those of a side.
#[derive(Debug, Clone)]
pub(super) struct Shift {
    /// Frames and time of day in each, where it moved.
    moved: Option<Box<Moved>>,
}

#[derive(Debug, Clone)]
struct Moved {
    from: Axis,
    to: Axis,
    seconds: i64,
}

#[derive(Debug, Clone)]
struct Axis {
    frame: Frame,
    of_day: i64,
}

impl Axis {
    fn of(version: &Version<'_>) -> Option<(Axis, i64)> {
        let start = civil::seconds(version.times.start.as_ref()?.civil());
        let frame = version.times.frame.clone();
        let of_day = start.rem_euclid(DAY);
        Some((Axis { frame, of_day }, start))
    }

    /// A local time of this axis that was another's: whole days where it has only those, the day's start where the
    /// other had.
    fn key(&self, local: i64, other: &Axis) -> i64 {
        let day = local.div_euclid(DAY) * DAY;
        match (self.frame.date, other.frame.date) {
            (true, _) => day,
            (false, true) => self.frame.key(day + self.of_day),
            (false, false) => self.frame.key(local),
        }
    }
}

impl Shift {
    pub fn none() -> Shift {
        Shift { moved: None }
    }

    pub fn between(base: &Version<'_>, side: &Version<'_>) -> Shift {
        Shift {
            moved: moved(base, side).map(Box::new),
        }
    }

    /// The base's instance for one of the side's.
    pub fn back(&self, key: i64) -> i64 {
        let Some(moved) = &self.moved else { return key };
        let local = moved.to.frame.local(key).saturating_sub(moved.seconds);
        moved.from.key(local, &moved.to)
    }

    /// The side's instance for one of the base's.
    pub fn forward(&self, key: i64) -> i64 {
        let Some(moved) = &self.moved else { return key };
        let local = moved.from.frame.local(key).saturating_add(moved.seconds);
        moved.to.key(local, &moved.from)
    }

    pub fn is_none(&self) -> bool {
        self.moved.is_none()
    }
}

fn moved(base: &Version<'_>, side: &Version<'_>) -> Option<Moved> {
    let ((from, before), (to, after)) = (Axis::of(base)?, Axis::of(side)?);
    let other_axis =
        from.frame.date != to.frame.date || from.frame.is_local() != to.frame.is_local();
    let change = |seconds: i64| {
        let days = from.frame.date || to.frame.date;
        let seconds = if days {
            seconds.div_euclid(DAY) * DAY
        } else {
            seconds
        };
        Some(Moved {
            from: from.clone(),
            to: to.clone(),
            seconds,
        })
    };
    let seconds = if from.frame.date == to.frame.date {
        after - before
    } else {
        after.div_euclid(DAY) * DAY - before.div_euclid(DAY) * DAY
    };
    let same_instant = from.frame.key(before) == to.frame.key(after);
    if !other_axis && (seconds == 0 && from.frame == to.frame || same_instant) {
        return None;
    }
    let (old, new) = (base.exceptions(), side.exceptions());
    if !other_axis && old.iter().any(|key| new.contains(key)) {
        return None;
    }
    let whole = change(seconds)?;
    let along = Shift {
        moved: Some(Box::new(whole.clone())),
    };
    if old.iter().any(|key| new.contains(&along.forward(*key))) {
        return Some(whole);
    }
    if !other_axis && from.frame == to.frame && is_instance(base, after) {
        return None;
    }
    change(within_period(base, seconds))
}

fn rules(version: &Version<'_>) -> Vec<Rule> {
    let master = version.object.master.into_iter();
    master
        .flat_map(|master| master.properties_named("RRULE"))
        .filter_map(|property| Rule::parse(&property.value()).ok())
        .collect()
}

/// Is a local time one of the series' instances, DTSTART aside?
fn is_instance(base: &Version<'_>, local: i64) -> bool {
    let (Some(start), Some(at)) = (&base.times.start, civil::date_time(local)) else {
        return false;
    };
    let span = Span {
        date: base.times.frame.date,
        from: Some(at),
        to: Some(at),
        ..Span::new(start.civil())
    };
    let budget = Budget::default();
    rules(base)
        .iter()
        .any(|rule| rule.instances(span, &budget).any(|found| found == at))
}

/// The part of a move that leads from one instance's place to that of the same one, and not to a later one's.
fn within_period(base: &Version<'_>, seconds: i64) -> i64 {
    let freq = rules(base).first().map(|rule| rule.freq);
    let Some(period) = freq.map(|freq| match freq {
        Freq::Weekly => 7 * DAY,
        Freq::Monthly => 28 * DAY,
        Freq::Yearly => 365 * DAY,
        Freq::Secondly | Freq::Minutely | Freq::Hourly | Freq::Daily => DAY,
    }) else {
        return seconds;
    };
    if seconds.abs() < period {
        return seconds;
    }
    // Months and years have no length to divide by: only the time of day is sure.
    let period = if period > 7 * DAY { DAY } else { period };
    let rest = seconds.rem_euclid(period);
    if rest > period / 2 {
        rest - period
    } else {
        rest
    }
}
