//! Their event ↔ our object, pure, by way of one middle form: [`Fields`], the part of an event that both sides can
//! say. FACTS §2.3, §8.
//!
//! `theirs` reads it from a resource, `ours` from a component, `changes` writes the difference of two as a PATCH,
//! `print` writes it as a VEVENT. So what both sides say alike is never written, and a value that only they know
//! (a visibility, a reminder's method) survives as long as nobody here changes that very field.

mod alarms;
mod changes;
mod colors;
mod conference;
mod ledger;
mod ours;
mod people;
mod print;
mod recur;
mod theirs;
mod zones;

pub use changes::{Rights, Step, instance_steps, master_changes, respond};
pub use conference::pending;
pub use ours::Desired;
pub use print::read;
pub use theirs::{Known, editable, marker};

use std::collections::BTreeSet;

use jiff::ToSpan;

use super::wire::{Rid, Time};
use crate::remote::{Item, Place};
use alarms::Reminder;
use colors::Color;
use people::Guest;
use recur::Recurrence;

/// Key of `extendedProperties.private` that holds the [`crate::remote::Marker`].
pub const MARKER: &str = "kalends";

/// An event's `eventType` where it is none of theirs that are special.
pub const PLAIN: &str = "default";

/// What both sides can say of an event or of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    pub start: Option<Time>,
    /// Exclusive.
    pub end: Option<Time>,
    pub summary: String,
    pub description: String,
    pub location: String,
    pub status: Status,
    pub transparent: bool,
    pub class: Class,
    pub color: Color,
    /// None: nothing is said. The empty set is said, and is `useDefault` there.
    pub reminders: Option<BTreeSet<Reminder>>,
    pub recurrence: Recurrence,
    pub marker: Option<String>,
    /// None: they are not ours to write.
    pub guests: Option<Vec<Guest>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    #[default]
    Confirmed,
    Tentative,
    Cancelled,
}

/// CLASS and `visibility`. `public` is read, and never written: `default` follows the calendar (FACTS §2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Class {
    #[default]
    Default,
    Public,
    Private,
    Confidential,
}

impl Class {
    /// (theirs, ours)
    const NAMES: [(Class, &'static str, &'static str); 4] = [
        (Class::Default, "default", ""),
        (Class::Public, "public", "PUBLIC"),
        (Class::Private, "private", "PRIVATE"),
        (Class::Confidential, "confidential", "CONFIDENTIAL"),
    ];

    fn theirs(self) -> &'static str {
        Class::NAMES[self as usize].1
    }

    fn ours(self) -> &'static str {
        Class::NAMES[self as usize].2
    }

    /// One that is not known is private (RFC 5545 §3.8.1.3).
    fn of(
        name: &str,
        which: impl Fn(&(Class, &'static str, &'static str)) -> &'static str,
    ) -> Class {
        Class::NAMES
            .iter()
            .find(|row| which(row).eq_ignore_ascii_case(name))
            .map_or(Class::Private, |row| row.0)
    }

    /// Both leave it to the calendar.
    fn is_open(self) -> bool {
        matches!(self, Class::Default | Class::Public)
    }
}

impl Fields {
    /// An instance of a series as the master makes it.
    pub fn instance(&self, rid: Rid) -> Fields {
        let zone = match &self.start {
            Some(Time::At { zone, .. }) => zone.as_str(),
            _ => "UTC",
        };
        let start = rid.time(zone);
        let end = match (&start, &self.start, &self.end) {
            (Time::Day(day), Some(Time::Day(from)), Some(Time::Day(to))) => day
                .checked_add(from.until(*to).unwrap_or(1.day()))
                .ok()
                .map(Time::Day),
            (
                Time::At { instant, .. },
                Some(Time::At { instant: from, .. }),
                Some(Time::At { instant: to, zone }),
            ) => Some(Time::At {
                instant: instant.saturating_add(to.saturating_sub(*from)),
                zone: zone.clone(),
            }),
            _ => Some(start.clone()),
        };
        Fields {
            start: Some(start),
            end,
            recurrence: Recurrence::default(),
            marker: None,
            ..self.clone()
        }
    }
}

/// Does the resource of an instance say what the series makes of it, and nothing else?
pub fn is_still(item: &Item, usual: &Fields, place: &Place) -> bool {
    let there = theirs::Resource::of(item.clone(), place).fields;
    Fields {
        marker: None,
        ..there
    } == *usual
}

/// Text as both sides have it: line breaks are `\n`, and no control characters but tabs.
fn plain(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if text
        .chars()
        .all(|c| !c.is_control() || matches!(c, '\n' | '\t'))
    {
        return text;
    }
    text.chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect()
}

#[cfg(test)]
pub mod tests;
