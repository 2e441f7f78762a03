//! The master's times and exceptions, and the overrides: what is more than the fields of one component.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::Place;
use super::lines::time_line;
use super::names::Names;
use super::overrides::moved;
use super::shift::Shift;
use super::version::{Four, Version};
use super::{Conflict, Merged, Winner};
use crate::ical::canonical::times::{Times, start_of};
use crate::ical::tree::{Component, Property};
use crate::ical::value::{When, items};
use crate::ical::write::{Patch, line_of};

/// A merge under way: edits of ours, and what is to be told.
pub(super) struct Merger<'v, 't> {
    pub four: &'v Four<Version<'t>>,
    pub patch: Patch<'t>,
    pub names: Names<'v, 't>,
    pub told: Told,
    shifts: Four<Shift>,
    overrides: Four<BTreeMap<i64, Component<'t>>>,
    /// Instances whose override is theirs, begun as a copy of our master; and whether ours had cancelled them.
    begun: &'v [(i64, bool)],
    /// Is DTSTART of the master theirs?
    their_start: bool,
    /// Instances that stay although theirs takes them out.
    kept: BTreeSet<i64>,
}

/// What is to be told of a merge.
pub(super) struct Told {
    pub winner: Winner,
    pub conflicts: Vec<Conflict>,
    pub ours_changed: bool,
    pub theirs_changed: bool,
}

/// What to do with a field of ours.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Do {
    Keep,
    Take,
}

impl Told {
    /// Decides about one field by its meanings; `shown` gives the values for a report.
    pub fn decide<T: PartialEq>(
        &mut self,
        place: &Place,
        field: &str,
        meaning: &Four<T>,
        shown: impl FnOnce() -> [Option<String>; 3],
    ) -> Do {
        let theirs = meaning.their_base != meaning.theirs;
        let ours = meaning.our_base != meaning.ours;
        if meaning.ours == meaning.theirs {
            return Do::Keep;
        }
        let take = match (ours, theirs) {
            (_, false) => false,
            (false, true) => true,
            (true, true) => {
                self.conflict(place, field, shown(), self.winner);
                self.winner == Winner::Theirs
            }
        };
        if take {
            self.ours_changed = true;
            return Do::Take;
        }
        self.theirs_changed |= ours;
        Do::Keep
    }

    pub fn conflict(
        &mut self,
        place: &Place,
        field: &str,
        [base, ours, theirs]: [Option<String>; 3],
        kept: Winner,
    ) {
        self.conflicts.push(Conflict {
            rid: place.rid.clone(),
            property: format!("{}{field}", place.path),
            base,
            ours,
            theirs,
            kept,
        });
    }
}

impl<'v, 't> Merger<'v, 't> {
    pub fn new(four: &'v Four<Version<'t>>, begun: &'v [(i64, bool)], winner: Winner) -> Self {
        let shifts = four.shifts();
        Merger {
            four,
            patch: Patch::new(four.ours.object.calendar.tree()),
            names: Names::new(&four.ours, &four.theirs),
            told: Told {
                winner,
                conflicts: Vec::new(),
                ours_changed: !begun.is_empty(),
                theirs_changed: false,
            },
            overrides: four.overrides(&shifts),
            shifts,
            begun,
            their_start: false,
            kept: BTreeSet::new(),
        }
    }

    pub fn run(mut self) -> Merged {
        let masters = self.four.map(|version| version.object.master);
        if let (Some(_), Some(_)) = (masters.ours, masters.theirs) {
            self.master(&masters);
        } else if let (None, Some(theirs)) = (masters.ours, masters.theirs) {
            self.take_master(theirs);
        }
        self.all_overrides();
        if let (Some(ours), Some(_)) = (masters.ours, masters.theirs) {
            self.exceptions(ours);
        }
        let text = self.names.settle(self.patch.apply());
        Merged {
            text,
            conflicts: self.told.conflicts,
            ours_changed: self.told.ours_changed,
            theirs_changed: self.told.theirs_changed,
        }
    }

    /// We had single instances only, theirs has the series now.
    fn take_master(&mut self, theirs: Component<'t>) {
        let mut lines = String::new();
        let names = &mut self.names;
        super::lines::push_component(theirs, &mut lines, &mut |property| names.line(property));
        match self.four.ours.object.main() {
            Some(first) => self.patch.insert_before(first, lines),
            None => self
                .patch
                .insert_component(self.four.ours.object.calendar, lines),
        };
        self.told.ours_changed = true;
    }

    fn master(&mut self, four: &Four<Option<Component<'t>>>) {
        let (Some(ours), Some(theirs)) = (four.ours, four.theirs) else {
            return;
        };
        let place = Place::master();
        let spans = self.four.with(four, |times, part| times.span(part?));
        self.their_start = self.span(&place, ours, theirs, &spans);
        let rules = self
            .four
            .with(four, |times, part| part.map(|part| times.recurrence(part)));
        let shown = || [&rules.our_base, &rules.ours, &rules.theirs].map(Clone::clone);
        let mut take = self.told.decide(&place, "RRULE", &rules, shown) == Do::Take;
        // A rule that says what DTSTART says means another for another DTSTART.
        if !take && self.their_start && rules.ours == rules.theirs {
            let now = self
                .four
                .ours
                .times
                .recurrence_from(ours, start_of(theirs).as_ref());
            take = Some(now) != rules.theirs;
        }
        if take {
            self.take_rules(ours, theirs);
        }
        self.fields(&place, four);
    }

    fn take_rules(&mut self, ours: Component<'t>, theirs: Component<'t>) {
        let is_rule = |p: &Property<'_>| ["RRULE", "RDATE", "EXRULE"].iter().any(|name| p.is(name));
        let mut lines = String::new();
        for property in theirs.properties().filter(is_rule) {
            lines += &self
                .names
                .line(property)
                .unwrap_or_else(|| line_of(property));
        }
        let mut old = ours.properties().filter(is_rule);
        match old.next() {
            Some(first) => self.patch.replace(first, lines),
            None => self.patch.insert(ours, lines),
        };
        for further in old {
            self.patch.remove(further);
        }
    }

    /// Merges start and end; is the result theirs?
    fn span(
        &mut self,
        place: &Place,
        ours: Component<'t>,
        theirs: Component<'t>,
        spans: &Four<Option<String>>,
    ) -> bool {
        let shown = || [&spans.our_base, &spans.ours, &spans.theirs].map(Clone::clone);
        let take = self.told.decide(place, "DTSTART", spans, shown) == Do::Take;
        if take && let Some(start) = start_of(theirs) {
            self.write_span(ours, theirs, &start, true);
        }
        take
    }

    /// Puts a component's start and end, moved to `start`, into ours; where they mean the same, ours stay as they are.
    fn write_span(&mut self, ours: Component<'t>, from: Component<'t>, start: &When, theirs: bool) {
        let source: &Times<'_> = if theirs {
            &self.four.theirs.times
        } else {
            &self.four.ours.times
        };
        let (before, now) = (start_of(from), self.in_ours(start.clone(), theirs));
        let old = ours.property("DTSTART");
        let same = old
            .and_then(|p| When::of(p).ok())
            .is_some_and(|old| self.four.ours.times.when(&old) == source.when(start));
        if from.property("DTSTART").is_some() && !same {
            let line = time_line("DTSTART", &old.map(others).unwrap_or_default(), &now);
            self.patch.set(ours, "DTSTART", line);
        }
        const ENDS: [&str; 3] = ["DTEND", "DUE", "DURATION"];
        let end_of = |part: Component<'t>| {
            let mut properties = part.properties();
            properties.find(|p| ENDS.iter().any(|name| p.is(name)))
        };
        let (old, new) = (end_of(ours), end_of(from));
        let line = new.map(|new| match (When::of(new), &before) {
            (Ok(end), Some(before)) => {
                let end = self.in_ours(moved(&end, before, start), theirs);
                let more = old.filter(|old| old.is(new.name())).map(others);
                time_line(
                    &new.name().to_ascii_uppercase(),
                    &more.unwrap_or_default(),
                    &end,
                )
            }
            _ => line_of(new),
        });
        match (old, line) {
            (Some(old), Some(line)) if !line_of(old).eq_ignore_ascii_case(&line) => {
                self.patch.replace(old, line)
            }
            (None, Some(line)) => self.patch.insert(ours, line),
            (Some(old), None) => self.patch.remove(old),
            _ => &mut self.patch,
        };
    }

    fn in_ours(&mut self, when: When, theirs: bool) -> When {
        if theirs { self.names.when(when) } else { when }
    }

    fn label(&self, key: i64) -> String {
        self.four.our_base.times.print(key)
    }

    /// Where an instance of the base is in the merged series.
    fn instance_time(&mut self, key: i64) -> When {
        if self.their_start {
            let when = self
                .four
                .theirs
                .times
                .instance_time(self.shifts.theirs.forward(key));
            self.names.when(when)
        } else {
            self.four
                .ours
                .times
                .instance_time(self.shifts.ours.forward(key))
        }
    }

    /// Does what ours says of its instances have to be said anew?
    fn is_reframed(&self) -> bool {
        self.their_start && !(self.shifts.theirs.is_none() && self.shifts.ours.is_none())
    }

    fn all_overrides(&mut self) {
        let ours: Vec<(i64, Component<'t>)> = self
            .overrides
            .ours
            .iter()
            .map(|(key, part)| (*key, *part))
            .collect();
        for (key, part) in ours {
            self.an_override(key, part);
        }
        // What ours took away and theirs still has.
        let gone = self.overrides.our_base.keys().filter(|key| {
            !self.overrides.ours.contains_key(key) && self.overrides.theirs.contains_key(key)
        });
        self.told.theirs_changed |= gone.count() > 0;
    }

    fn an_override(&mut self, key: i64, ours: Component<'t>) {
        let begun = self.begun.iter().find(|(begun, _)| *begun == key).copied();
        let four = Four {
            our_base: self
                .overrides
                .our_base
                .get(&key)
                .copied()
                .filter(|_| begun.is_none()),
            ours: Some(ours),
            their_base: self
                .overrides
                .their_base
                .get(&key)
                .copied()
                .filter(|_| begun.is_none()),
            theirs: self.overrides.theirs.get(&key).copied(),
        };
        let place = Place::instance(self.label(key));
        if let Some((_, true)) = begun {
            let spans = self.four.with(&four, |times, part| times.span(part?));
            let base = self.overrides.their_base.get(&key);
            let base = base.and_then(|part| self.four.their_base.times.span(*part));
            let shown = [base, None, spans.theirs];
            self.told
                .conflict(&place, "RECURRENCE-ID", shown, Winner::Theirs);
        }
        match four.theirs {
            Some(theirs) => self.both_override(&place, key, four, theirs),
            None => self.theirs_has_none(&place, key, &four, ours),
        }
    }

    fn both_override(
        &mut self,
        place: &Place,
        key: i64,
        four: Four<Option<Component<'t>>>,
        theirs: Component<'t>,
    ) {
        let Some(ours) = four.ours else { return };
        // An override that is new on a side was an instance of the master before.
        let masters = self.four.map(|version| version.object.master);
        let spans = Four {
            our_base: self.span_before(four.our_base, masters.our_base, true),
            ours: self.four.ours.times.span(ours),
            their_base: self.span_before(four.their_base, masters.their_base, false),
            theirs: self.four.theirs.times.span(theirs),
        };
        let shown = || [&spans.our_base, &spans.ours, &spans.theirs].map(Clone::clone);
        let take = self.told.decide(place, "DTSTART", &spans, shown) == Do::Take;
        if take && let Some(start) = start_of(theirs) {
            let in_place = self.four.theirs.times.is_in_place(theirs);
            let (start, named) = match in_place && !self.their_start {
                true => (self.instance_time(key), false),
                false => (start, true),
            };
            self.write_span(ours, theirs, &start, named);
        }
        self.follow(key, ours, !take);
        let four = Four {
            our_base: four.our_base.or(masters.our_base),
            their_base: four.their_base.or(masters.their_base),
            ..four
        };
        self.fields(place, &four);
    }

    fn span_before(
        &self,
        part: Option<Component<'t>>,
        master: Option<Component<'t>>,
        ours: bool,
    ) -> Option<String> {
        let times = if ours {
            &self.four.our_base.times
        } else {
            &self.four.their_base.times
        };
        match part {
            Some(part) => times.span(part),
            None => times.span_in_place(master?),
        }
    }

    /// An override of ours that theirs has not: never had, reset, or cancelled.
    fn theirs_has_none(
        &mut self,
        place: &Place,
        key: i64,
        four: &Four<Option<Component<'t>>>,
        ours: Component<'t>,
    ) {
        let edited = match four.our_base {
            Some(before) => self.four.our_base.content(before) != self.four.ours.content(ours),
            None => true,
        };
        if four.their_base.is_none() && !self.is_cancelled_by_theirs(key) {
            self.told.theirs_changed |= edited;
            self.follow(key, ours, true);
            return;
        }
        if !edited {
            self.patch.remove_component(ours);
            self.told.ours_changed = true;
            return;
        }
        let spans = self.four.with(four, |times, part| times.span(part?));
        let shown = [spans.our_base, spans.ours, None];
        self.told
            .conflict(place, "RECURRENCE-ID", shown, Winner::Ours);
        self.told.theirs_changed = true;
        self.kept.insert(key);
        self.follow(key, ours, true);
    }

    fn is_cancelled_by_theirs(&self, key: i64) -> bool {
        let sets = self.exdates();
        sets.theirs.contains(&key) && !sets.their_base.contains(&key)
    }

    /// Lets an override follow a series that moved: its RECURRENCE-ID, and its times where it is at its own place.
    fn follow(&mut self, key: i64, ours: Component<'t>, with_times: bool) {
        if !self.is_reframed() {
            return;
        }
        let now = self.instance_time(key);
        let Some(id) = ours.property("RECURRENCE-ID") else {
            return;
        };
        if When::of(id).is_ok_and(|old| old == now) {
            return;
        }
        self.patch
            .replace(id, time_line("RECURRENCE-ID", &others(id), &now));
        if with_times && self.four.ours.times.is_in_place(ours) {
            self.write_span(ours, ours, &now, false);
        }
    }

    /// Instances that are taken out, as they were in the base.
    fn exdates(&self) -> Four<BTreeSet<i64>> {
        let masters = self.four.map(|version| version.object.master);
        let sets = self
            .four
            .with(&masters, |times, part| part.map(|part| times.exdates(part)));
        let back = |set: Option<BTreeSet<i64>>, shift: &Shift| -> BTreeSet<i64> {
            set.into_iter()
                .flatten()
                .map(|key| shift.back(key))
                .collect()
        };
        Four {
            our_base: back(sets.our_base, &self.shifts.our_base),
            ours: back(sets.ours, &self.shifts.ours),
            their_base: back(sets.their_base, &self.shifts.their_base),
            theirs: back(sets.theirs, &self.shifts.theirs),
        }
    }

    /// EXDATE by element, without what an edited override speaks against.
    fn exceptions(&mut self, ours: Component<'t>) {
        let sets = self.exdates();
        let revived = |key: &i64| self.begun.iter().any(|(begun, _)| begun == key);
        let merged: BTreeSet<i64> = sets
            .ours
            .iter()
            .filter(|key| sets.theirs.contains(key) || !sets.their_base.contains(key))
            .filter(|key| !revived(key))
            .chain(sets.theirs.difference(&sets.their_base))
            .filter(|key| !self.kept.contains(key))
            .copied()
            .collect();
        let added = sets.ours.difference(&sets.our_base);
        let removed = sets.our_base.difference(&sets.ours);
        self.told.theirs_changed |= added
            .filter(|key| merged.contains(key))
            .any(|key| !sets.theirs.contains(key));
        self.told.theirs_changed |= removed.into_iter().any(|key| sets.theirs.contains(key));
        self.told.ours_changed |= merged != sets.ours;
        if merged == sets.ours && !self.is_reframed() {
            return;
        }
        let mut there = BTreeSet::new();
        for property in ours.properties_named("EXDATE") {
            self.write_exdate(property, &merged, &mut there);
        }
        let new: Vec<i64> = merged.difference(&there).copied().collect();
        let lines: String = new
            .into_iter()
            .map(|key| time_line("EXDATE", &[], &self.instance_time(key)))
            .collect();
        if !lines.is_empty() {
            self.patch.insert(ours, lines);
        }
    }

    /// Keeps of a property what is among the merged; `there` gets what it holds then.
    fn write_exdate(
        &mut self,
        property: Property<'t>,
        merged: &BTreeSet<i64>,
        there: &mut BTreeSet<i64>,
    ) {
        let Ok(times) = When::list(property) else {
            return;
        };
        let key = |when: &When| self.shifts.ours.back(self.four.ours.times.key(when));
        let keys: Vec<i64> = times.iter().map(key).collect();
        let kept: Vec<i64> = keys
            .iter()
            .copied()
            .filter(|key| merged.contains(key))
            .collect();
        if self.is_reframed() {
            let fresh: Vec<i64> = kept.into_iter().filter(|key| there.insert(*key)).collect();
            let lines: String = fresh
                .into_iter()
                .map(|key| time_line("EXDATE", &[], &self.instance_time(key)))
                .collect();
            self.patch.replace(property, lines);
            return;
        }
        there.extend(&kept);
        if kept.is_empty() && !keys.is_empty() {
            self.patch.remove(property);
        } else if kept.len() < keys.len() {
            let value = property.value();
            let left: Vec<&str> = items(&value)
                .zip(&keys)
                .filter(|(_, key)| merged.contains(key))
                .map(|(item, _)| item)
                .collect();
            self.patch.set_value(property, &left.join(","));
        }
    }
}

/// A property's parameters, but for those that come with the form of a time.
fn others(property: Property<'_>) -> Vec<(String, String)> {
    property
        .params()
        .filter(|param| !param.is("TZID") && !param.is("VALUE"))
        .map(|param| (param.name().to_owned(), param.value().into_owned()))
        .collect()
}
