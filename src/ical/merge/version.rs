//! One of the texts that take part, and values of all four.

use std::collections::BTreeMap;

use super::MergeError;
use super::shift::Shift;
use crate::ical::canonical::times::Times;
use crate::ical::canonical::{self, Unreadable};
use crate::ical::object::Object;
use crate::ical::tree::{Component, Tree};

/// A text, read.
pub(super) struct Version<'t> {
    pub object: Object<'t>,
    pub times: Times<'t>,
}

/// A value for each text. The bases are the same text unless both states are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Four<T> {
    pub our_base: T,
    pub ours: T,
    pub their_base: T,
    pub theirs: T,
}

impl<T> Four<T> {
    pub fn map<U>(&self, mut f: impl FnMut(&T) -> U) -> Four<U> {
        Four {
            our_base: f(&self.our_base),
            ours: f(&self.ours),
            their_base: f(&self.their_base),
            theirs: f(&self.theirs),
        }
    }
}

impl<'t> Four<Version<'t>> {
    /// A value of each text with how times are read there.
    pub fn with<T: Copy, U>(&self, values: &Four<T>, f: impl Fn(&Times<'t>, T) -> U) -> Four<U> {
        Four {
            our_base: f(&self.our_base.times, values.our_base),
            ours: f(&self.ours.times, values.ours),
            their_base: f(&self.their_base.times, values.their_base),
            theirs: f(&self.theirs.times, values.theirs),
        }
    }

    /// How each side moved the series since its base; the bases did not.
    pub fn shifts(&self) -> Four<Shift> {
        Four {
            our_base: Shift::none(),
            ours: Shift::between(&self.our_base, &self.ours),
            their_base: Shift::none(),
            theirs: Shift::between(&self.their_base, &self.theirs),
        }
    }

    /// Overrides by the instance that they stood for in the base.
    pub fn overrides(&self, shifts: &Four<Shift>) -> Four<BTreeMap<i64, Component<'t>>> {
        Four {
            our_base: self.our_base.overrides(&shifts.our_base),
            ours: self.ours.overrides(&shifts.ours),
            their_base: self.their_base.overrides(&shifts.their_base),
            theirs: self.theirs.overrides(&shifts.theirs),
        }
    }
}

impl<'t> Version<'t> {
    pub fn of(which: &'static str, tree: &'t Tree<'t>) -> Result<Version<'t>, MergeError> {
        let object = Object::read(tree)
            .map_err(|bad| MergeError::Unreadable(which, Unreadable(bad.to_string())))?;
        let times = Times::of(&object);
        Ok(Version { object, times })
    }

    fn overrides(&self, shift: &Shift) -> BTreeMap<i64, Component<'t>> {
        let overrides = self.object.overrides.iter();
        overrides
            .map(|over| {
                (
                    shift.back(self.times.key(&over.recurrence_id)),
                    over.component,
                )
            })
            .collect()
    }

    /// Keys of the instances that are taken out or replaced, as they are in this text.
    pub fn exceptions(&self) -> Vec<i64> {
        let replaced = self.object.overrides.iter();
        let replaced = replaced.map(|over| self.times.key(&over.recurrence_id));
        let out = self.object.master.map(|master| self.times.exdates(master));
        out.into_iter().flatten().chain(replaced).collect()
    }

    /// What a component says, apart from which instance it is.
    pub fn content(&self, part: Component<'_>) -> String {
        let lines = canonical::component(part, &self.times);
        lines
            .split_inclusive('\n')
            .filter(|line| !line.starts_with("RECURRENCE-ID:"))
            .collect()
    }
}
