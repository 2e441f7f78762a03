//! The occurrences of a [`Series`] in a window.
//!
//! Rules are walked only where their instances can reach the window; overrides are few and looked at one by
//! one, wherever they were moved.

use super::series::{Instance, Master, Override, Series};
use super::{Exhausted, Occurrence, WIDEST, Window};
use crate::ical::rrule::civil::{self, DAY};
use crate::ical::rrule::{Budget, Rule};

impl Series {
    /// See [`occurrences`](super::occurrences).
    pub fn occurrences(
        &self,
        window: Window,
        budget: &Budget,
    ) -> Result<Vec<Occurrence>, Exhausted> {
        let mut found: Vec<Occurrence> = self.undated.iter().map(|&c| self.undated(c)).collect();
        for over in &self.overrides {
            found
                .extend(Some(over.occurrence()).filter(|o| o.within(&window) && budget.instance()));
        }
        if let Some(master) = &self.master {
            let reach = self.reach(master, &window);
            for instance in master.instances(reach, budget) {
                found.extend(self.place(master, instance).filter(|o| o.within(&window)));
            }
        }
        found.sort_by_key(|o| (o.start, o.rid));
        if budget.exhausted() {
            Err(Exhausted { so_far: found })
        } else {
            Ok(found)
        }
    }

    /// The occurrence whose original start is at a key (see [`Occurrence::rid`]).
    pub fn occurrence_at(&self, rid: i64, budget: &Budget) -> Option<Occurrence> {
        if let Some(over) = self.overrides.iter().find(|o| o.key == rid) {
            return Some(over.occurrence());
        }
        let master = self.master.as_ref()?;
        // No clock is a day from UTC.
        let near = (Some(rid.saturating_sub(DAY)), Some(rid.saturating_add(DAY)));
        let instance = master
            .instances(near, budget)
            .into_iter()
            .find(|(key, ..)| *key == rid)?;
        self.place(master, instance)
    }

    fn undated(&self, component: usize) -> Occurrence {
        let overridden = self.master.is_some() || self.undated.first() != Some(&component);
        Occurrence::undated(component, overridden)
    }

    /// Between which civil seconds instances can overlap the window.
    fn reach(&self, master: &Master, window: &Window) -> (Option<i64>, Option<i64>) {
        // No clock is a day from UTC.
        let slack = if master.frame.is_local() { WIDEST } else { DAY };
        let (before, after) = (
            self.later().saturating_add(slack),
            self.earlier().saturating_add(slack),
        );
        (
            window.from.map(|from| from.saturating_sub(before)),
            window.to.map(|to| to.saturating_add(after)),
        )
    }

    /// Where an instance is, unless an override stands in for it.
    fn place(&self, master: &Master, (key, local, length): Instance) -> Option<Occurrence> {
        if self.overrides.binary_search_by_key(&key, |o| o.key).is_ok() {
            return None;
        }
        let before = self
            .ranges
            .partition_point(|&place| self.overrides[place].key <= key);
        if let Some(&place) = self.ranges[..before].last() {
            let over = &self.overrides[place];
            // §3.8.4.4: by the same difference, of the wall clock, and with the same duration.
            let moved = over.start.saturating_add(local - over.local);
            let start = over.frame.key(moved);
            return Some(Occurrence {
                rid: key,
                ..over.at(start, moved)
            });
        }
        Some(Occurrence {
            rid: key,
            start: key,
            end: master.end(key, local, length),
            local: master.frame.is_local(),
            date: master.frame.date,
            component: master.component,
            overridden: false,
        })
    }
}

impl Override {
    fn occurrence(&self) -> Occurrence {
        self.at(self.start_key, self.start)
    }

    fn at(&self, start: i64, local: i64) -> Occurrence {
        Occurrence {
            rid: self.key,
            start,
            end: self.frame.end(start, local, self.length),
            local: self.frame.is_local(),
            date: self.frame.date,
            component: self.component,
            overridden: true,
        }
    }
}

impl Master {
    /// The instances between two civil seconds, in order of their keys, without those taken out.
    fn instances(&self, (from, to): (Option<i64>, Option<i64>), budget: &Budget) -> Vec<Instance> {
        let within =
            |local: i64| from.is_none_or(|from| local >= from) && to.is_none_or(|to| local <= to);
        let mut found: Vec<Instance> = Vec::new();
        let listed = self.listed();
        found.extend(listed.filter(|(_, local, _)| within(*local) && budget.instance()));
        for rule in &self.rules {
            found.extend(
                self.starts(rule, (from, to), budget)
                    .map(|(key, local)| (key, local, None)),
            );
        }
        // Of the same start the one that has a length of its own counts.
        found.sort_by_key(|(key, _, length)| (*key, length.is_none()));
        found.dedup_by_key(|(key, ..)| *key);
        let mut out = Vec::new();
        // An endless EXRULE matters as far as there is something to take out, perhaps by the time behind a gap.
        let to = found.iter().map(|(key, ..)| self.frame.local(*key)).max();
        for rule in &self.exrules {
            out.extend(self.starts(rule, (from, to), budget).map(|(key, _)| key));
        }
        out.sort_unstable();
        found.retain(|(key, local, _)| {
            !self.is_out(*key, *local) && out.binary_search(key).is_err()
        });
        found
    }

    fn is_out(&self, key: i64, local: i64) -> bool {
        let day = local.div_euclid(DAY) * DAY;
        self.exdates.binary_search(&key).is_ok() || self.exdays.binary_search(&day).is_ok()
    }

    /// The starts that a rule makes between two civil seconds.
    fn starts<'b>(
        &'b self,
        rule: &'b Rule,
        (from, to): (Option<i64>, Option<i64>),
        budget: &'b Budget,
    ) -> impl Iterator<Item = (i64, i64)> + 'b {
        let (last_key, last_local) = self.until(rule);
        // On a series of days a rule of hours makes days: those at the bounds wholly.
        let whole = |at: i64, up: i64| {
            if self.frame.date {
                at.div_euclid(DAY) * DAY + up
            } else {
                at
            }
        };
        let from = from.map(|from| whole(from, 0));
        let to = Some(
            to.map_or(civil::MAX, |to| whole(to, DAY - 1))
                .min(last_local),
        );
        let mut instances = rule.instances(self.span(from, to), budget);
        std::iter::from_fn(move || instances.next_seconds())
            .map(move |at| whole(at, 0))
            .map(|local| (self.frame.key(local), local))
            .filter(move |(key, _)| *key <= last_key)
    }
}
