//! Overrides of theirs that ours has to have before fields can be merged: new ones, and those that theirs edited while
//! ours cancelled the instance.

use super::lines::{push_component, time_line};
use super::names::Names;
use super::version::{Four, Version};
use crate::ical::canonical::times::is_time;
use crate::ical::rrule::civil;
use crate::ical::session;
use crate::ical::tree::{Component, Property};
use crate::ical::value::When;
use crate::ical::write::{Patch, content_line, line_of};

/// Which instances, and whether ours had cancelled or reset them.
pub(super) fn wanted(four: &Four<Version<'_>>) -> Vec<(i64, bool)> {
    let shifts = four.shifts();
    let overrides = four.overrides(&shifts);
    let exdates = |version: &Version<'_>| version.object.master.map(|m| version.times.exdates(m));
    let cancelled = |key: i64| {
        let now = exdates(&four.ours).unwrap_or_default();
        let before = exdates(&four.our_base).unwrap_or_default();
        now.contains(&shifts.ours.forward(key)) && !before.contains(&key)
    };
    let mut wanted = Vec::new();
    for (key, part) in &overrides.theirs {
        if overrides.ours.contains_key(key) {
            continue;
        }
        match overrides.their_base.get(key) {
            None => wanted.push((
                *key,
                cancelled(*key) || overrides.our_base.contains_key(key),
            )),
            Some(before) => {
                let edited = four.their_base.content(*before) != four.theirs.content(*part);
                if edited {
                    wanted.push((*key, true));
                }
            }
        }
    }
    wanted
}

/// Our text with these overrides as copies of our master at each instance; of theirs where we have no master.
pub(super) fn begin(four: &Four<Version<'_>>, wanted: &[(i64, bool)]) -> Vec<u8> {
    let (ours, shifts) = (&four.ours, four.shifts());
    let theirs = four.overrides(&shifts).theirs;
    let mut names = Names::new(ours, &four.theirs);
    let mut patch = Patch::new(ours.object.calendar.tree());
    for (key, _) in wanted {
        let mut lines = String::new();
        match (ours.object.master, theirs.get(key)) {
            (Some(master), _) => {
                push_instance(master, ours, shifts.ours.forward(*key), &mut lines);
            }
            (None, Some(part)) => {
                push_component(*part, &mut lines, &mut |property| names.line(property));
            }
            (None, None) => {}
        }
        patch.insert_component(ours.object.calendar, lines);
    }
    names.settle(patch.apply())
}

fn push_instance(master: Component<'_>, ours: &Version<'_>, key: i64, lines: &mut String) {
    let start = ours.times.instance_time(key);
    *lines += &content_line("BEGIN", &[], master.name());
    *lines += &time_line("RECURRENCE-ID", &[], &start);
    let begins = master.property("DTSTART").and_then(|p| When::of(p).ok());
    let copy = |property: Property<'_>| -> Option<String> {
        let when = When::of(property).ok();
        let named = ["DTSTART", "DTEND", "DUE"]
            .into_iter()
            .find(|name| property.is(name));
        match (named, when, &begins) {
            (Some("DTSTART"), ..) => Some(time_line("DTSTART", &[], &start)),
            (Some(name), Some(when), Some(begins)) => {
                Some(time_line(name, &[], &moved(&when, begins, &start)))
            }
            (None, ..) if property.is("DURATION") => None,
            _ if is_time(master, property) || property.is(session::STATUS) => Some(String::new()),
            _ => None,
        }
    };
    for property in master.properties() {
        *lines += &copy(property).unwrap_or_else(|| line_of(property));
    }
    for child in master.children() {
        push_component(child, lines, &mut |_| None);
    }
    *lines += &content_line("END", &[], master.name());
}

/// A time that keeps its distance on the clock from a start that moves.
pub(super) fn moved(when: &When, from: &When, to: &When) -> When {
    let by = civil::seconds(to.civil()) - civil::seconds(from.civil());
    let at = civil::date_time(civil::seconds(when.civil()).saturating_add(by));
    at.map_or_else(|| when.clone(), |at| when.with_civil(at))
}
