//! A VTIMEZONE, evaluated: its observances become a list of transitions. RFC 5545 §3.6.5.
//!
//! Observances may come in any order and number, with RRULE, RDATE, both or neither, with offsets that have
//! seconds, with DTSTARTs of the year 1601. Endless rules are listed for [`HORIZON`] and asked one by one
//! for times behind it. What cannot be read is left out: a zone without any observance is no zone.

use crate::ical::rrule::{Budget, Rule, Span, Until, civil};
use crate::ical::tree::Component;
use crate::ical::value::{Rdate, When, utc_offset};
use jiff::civil::DateTime;

/// Local seconds of 1900-01-01 and 2100-01-01: where endless rules are listed.
const HORIZON: (i64, i64) = (-25_567 * civil::DAY, 47_482 * civil::DAY);

/// More observances, dates or transitions than any zone's history has.
const MOST_OBSERVANCES: usize = 1_000;
const MOST_TRANSITIONS: u32 = 4_000;

/// The transitions of a VTIMEZONE.
#[derive(Debug, PartialEq)]
pub struct Rules {
    /// Before the first transition.
    first: i32,
    /// Sorted by instant.
    transitions: Vec<Transition>,
    /// Observances that go on behind the horizon.
    endless: Vec<Observance>,
}

/// A change of the offset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Transition {
    pub at: i64,
    pub offset: i32,
    /// The first local second, in either offset's reading, that is certainly after the transition.
    local: i64,
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
            {
                endless.push(observance);
            }
        }
        Self::new(onsets, endless)
    }

    /// From (instant, offset before, offset after).
    fn new(mut onsets: Vec<(i64, i32, i32)>, endless: Vec<Observance>) -> Option<Rules> {
        onsets.sort_by_key(|(at, ..)| *at);
        onsets.dedup();
        let first = onsets.first()?.1;
        let mut before = first;
        let mut transitions = Vec::with_capacity(onsets.len());
        for (at, _, offset) in onsets {
            if offset != before {
                transitions.push(Transition {
                    at,
                    offset,
                    local: at + i64::from(offset.max(before)),
                });
            }
            before = offset;
        }
        Some(Rules {
            first,
            transitions,
            endless,
        })
    }

    pub(super) fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    /// Seconds east of UTC at an instant.
    pub fn offset_at(&self, instant: i64) -> i32 {
        if instant >= HORIZON.1 && !self.endless.is_empty() {
            return self.late(instant).offset_at(instant);
        }
        match self.transitions.partition_point(|t| t.at <= instant) {
            0 => self.first,
            n => self.transitions[n - 1].offset,
        }
    }

    /// The instant of local seconds; see the module for gaps and folds.
    pub fn instant_of(&self, local: i64) -> i64 {
        if local >= HORIZON.1 && !self.endless.is_empty() {
            return self.late(local).instant_of(local);
        }
        let offset = match self.transitions.partition_point(|t| t.local <= local) {
            0 => self.first,
            n => self.transitions[n - 1].offset,
        };
        local - i64::from(offset)
    }

    /// The transitions around a time behind the horizon.
    fn late(&self, around: i64) -> Rules {
        const YEAR: i64 = 366 * civil::DAY;
        let budget = Budget::default();
        let mut onsets = Vec::new();
        for observance in &self.endless {
            let years = observance
                .rule
                .as_ref()
                .map_or(1, |rule| i64::from(rule.interval).min(100));
            let from = around - (years + 1) * YEAR;
            observance.repeat((from, around + YEAR), &budget, &mut onsets);
        }
        let last = self.transitions.last().map_or(self.first, |t| t.offset);
        Self::new(onsets, Vec::new()).unwrap_or(Rules {
            first: last,
            transitions: Vec::new(),
            endless: Vec::new(),
        })
    }
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
    fn onsets(&self, part: Component<'_>, budget: &Budget, onsets: &mut Vec<(i64, i32, i32)>) {
        onsets.push(self.onset(self.start));
        let dates = part
            .properties_named("RDATE")
            .filter_map(|rdate| Rdate::list(rdate).ok())
            .flatten();
        for date in dates.take(MOST_TRANSITIONS as usize) {
            onsets.push(match date.start() {
                When::Utc(at) => (civil::seconds(*at), self.from, self.to),
                local => self.onset(local.civil()),
            });
        }
        self.repeat(HORIZON, budget, onsets);
    }

    /// The rule's onsets between two local seconds. UNTIL is in UTC (§3.3.10), though many write local time.
    fn repeat(&self, (from, to): (i64, i64), budget: &Budget, onsets: &mut Vec<(i64, i32, i32)>) {
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

    fn onset(&self, local: DateTime) -> (i64, i32, i32) {
        (
            civil::seconds(local) - i64::from(self.from),
            self.from,
            self.to,
        )
    }
}
