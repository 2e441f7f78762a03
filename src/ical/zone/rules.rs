//! A VTIMEZONE, evaluated: its observances become a list of transitions. RFC 5545 §3.6.5.
//!
//! Observances may come in any order and number, with RRULE, RDATE, both or neither, with offsets that have
//! seconds, with DTSTARTs of the year 1601. Endless rules are listed for [`HORIZON`] and asked one by one
//! for times behind it. What cannot be read is left out: a zone without any observance is no zone.

use super::table::Table;
use crate::ical::rrule::{Budget, Rule, Span, Until, civil};
use crate::ical::tree::Component;
use crate::ical::value::{Rdate, When, utc_offset};
use jiff::civil::DateTime;

/// Local seconds of 1900-01-01 and 2100-01-01: where endless rules are listed.
const HORIZON: (i64, i64) = (-25_567 * civil::DAY, 47_482 * civil::DAY);

/// More observances, dates or transitions than any zone's history has.
const MOST_OBSERVANCES: usize = 1_000;
const MOST_TRANSITIONS: u32 = 4_000;

/// Behind the horizon: observances that are asked, and the steps and onsets that a question may cost. A zone has two
/// with an onset a year; there is one question for each instance.
const MOST_ENDLESS: usize = 8;
const LATE: (u32, u32) = (400, 40);

/// The offsets that a VTIMEZONE says.
#[derive(Debug, PartialEq)]
pub struct Rules {
    table: Table,
    /// Observances that go on behind the horizon.
    endless: Vec<Observance>,
}

/// A STANDARD or DAYLIGHT component.
#[derive(Debug, PartialEq)]
struct Observance {
    from: i32,
    to: i32,
    start: DateTime,
    rule: Option<Rule>,
}

impl Rules {
    /// Evaluates a VTIMEZONE component. None when it has no readable observance.
    pub fn of(vtimezone: Component<'_>) -> Option<Rules> {
        let budget = Budget::new(Budget::STEPS / 2, MOST_TRANSITIONS);
        let mut onsets = Vec::new();
        let mut endless = Vec::new();
        let parts = vtimezone
            .children()
            .filter(|part| part.is("STANDARD") || part.is("DAYLIGHT"));
        for part in parts.take(MOST_OBSERVANCES) {
            let Some(observance) = Observance::of(part) else {
                continue;
            };
            observance.onsets(part, &budget, &mut onsets);
            if observance
                .rule
                .as_ref()
                .is_some_and(|rule| !rule.is_finite())
                && endless.len() < MOST_ENDLESS
            {
                endless.push(observance);
            }
        }
        Self::new(onsets, endless)
    }

    fn new(mut onsets: Vec<Onset>, endless: Vec<Observance>) -> Option<Rules> {
        onsets.sort_by_key(|onset| onset.at);
        let first = onsets.first()?.from;
        let changes = onsets.into_iter().map(|onset| (onset.at, onset.to));
        let table = Table::new(first, changes);
        Some(Rules { table, endless })
    }

    /// The instants at which the offset changes, up to the horizon.
    pub(super) fn instants(&self) -> impl Iterator<Item = i64> {
        self.table.instants()
    }

    /// Seconds east of UTC at an instant.
    pub fn offset_at(&self, instant: i64) -> i32 {
        match self.late(instant) {
            Some(late) => late.offset_at(instant),
            None => self.table.offset_at(instant),
        }
    }

    /// The instant of local seconds; see the module for gaps and folds.
    pub fn instant_of(&self, local: i64) -> i64 {
        match self.late(local) {
            Some(late) => late.instant_of(local),
            None => self.table.instant_of(local),
        }
    }

    /// The offsets around a time behind the horizon; None for a time that the table speaks for.
    fn late(&self, around: i64) -> Option<Table> {
        const YEAR: i64 = 366 * civil::DAY;
        if around < HORIZON.1 || self.endless.is_empty() {
            return None;
        }
        let around = around.min(civil::MAX - YEAR);
        let budget = Budget::new(LATE.0, LATE.1);
        let mut onsets = Vec::new();
        for observance in &self.endless {
            let interval = observance.rule.as_ref().map_or(1, |rule| rule.interval);
            let years = i64::from(interval.min(100)) + 1;
            observance.repeat((around - years * YEAR, around + YEAR), &budget, &mut onsets);
        }
        let late = Rules::new(onsets, Vec::new()).map(|rules| rules.table);
        Some(late.unwrap_or_else(|| Table::new(self.table.last(), [])))
    }
}

/// A moment from which an observance holds.
struct Onset {
    at: i64,
    from: i32,
    to: i32,
}

impl Observance {
    fn of(part: Component<'_>) -> Option<Observance> {
        let offset = |name| utc_offset(&part.property(name)?.value()).ok();
        let to = offset("TZOFFSETTO")?;
        Some(Observance {
            from: offset("TZOFFSETFROM").unwrap_or(to),
            to,
            start: When::of(part.property("DTSTART")?).ok()?.civil(),
            rule: part
                .property("RRULE")
                .and_then(|rule| Rule::parse(&rule.value()).ok()),
        })
    }

    /// Its onsets: DTSTART, RDATEs, and the rule's within the horizon.
    fn onsets(&self, part: Component<'_>, budget: &Budget, onsets: &mut Vec<Onset>) {
        onsets.push(self.onset(self.start));
        let dates = part
            .properties_named("RDATE")
            .filter_map(|rdate| Rdate::list(rdate).ok())
            .flatten();
        for date in dates.take(MOST_TRANSITIONS as usize) {
            onsets.push(match date.start() {
                When::Utc(at) => self.onset_at(civil::seconds(*at)),
                local => self.onset(local.civil()),
            });
        }
        self.repeat(HORIZON, budget, onsets);
    }

    /// The rule's onsets between two local seconds. UNTIL is in UTC (§3.3.10), though many write local time.
    fn repeat(&self, (from, to): (i64, i64), budget: &Budget, onsets: &mut Vec<Onset>) {
        let Some(rule) = &self.rule else { return };
        let until = rule.until.map_or(i64::MAX, |until| match until {
            Until::Utc(at) => civil::seconds(at).saturating_add(self.from.into()),
            until => civil::seconds(until.last_local()),
        });
        let span = Span {
            from: civil::date_time(from),
            to: civil::date_time(until.min(to)),
            ..Span::new(self.start)
        };
        onsets.extend(rule.instances(span, budget).map(|local| self.onset(local)));
    }

    fn onset(&self, local: DateTime) -> Onset {
        self.onset_at(civil::seconds(local) - i64::from(self.from))
    }

    fn onset_at(&self, at: i64) -> Onset {
        Onset {
            at,
            from: self.from,
            to: self.to,
        }
    }
}
