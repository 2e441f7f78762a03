//! Three-way merge of two edits of one object, property by property. RFC 5545 §3.6, §3.8; FACTS §8.
//!
//! The base and *theirs* are readings of the remote event and may hold far less than *ours*, the stored text. Only what
//! changed between base and theirs is done to ours, as edits of its bytes: what they cannot say, and all that they did
//! not change, stays as it is. Equality is that of [`super::canonical`].
//!
//! | unit | merged as |
//! |---|---|
//! | DTSTART, DTEND, DUE, DURATION | one field |
//! | RRULE, RDATE, EXRULE | one field |
//! | EXDATE, CATEGORIES, RESOURCES | sets, by element |
//! | ATTENDEE by address, alarms by action and trigger, other parts by UID, repeatable properties by value | each one |
//! | any other property, with its parameters | one field |
//! | DTSTAMP, CREATED, LAST-MODIFIED, PRODID, X-KALENDS-… | ours; of two SEQUENCEs the higher |
//!
//! *Both changed one field?* The winner's is kept, and the conflict is reported. *An override edited by one side and
//! cancelled or reset by the other?* The edit is kept whoever wins: an edit is never lost to a deletion. This is
//! reported as a conflict on RECURRENCE-ID.
//!
//! *The series moved?* Where a side moved it as a whole (`shift`), exceptions and overrides of both sides are compared
//! by the instance that they stood for before, and follow the series to where it is now. An override that stands at its
//! own place follows too; one with a time of its own keeps that.
//!
//! *A new override of theirs?* Begins as a copy of our master at that instance, so that it has what they cannot say.
//!
//! *A master that one side lacks?* Is not a deletion: readings may hold single instances only.
//!
//! *Zones?* A TZID of theirs becomes ours for the same zone where there is one; else its VTIMEZONE comes along. One
//! that nothing names any more goes.

use std::fmt;

use super::canonical::{Unreadable, parse};
use super::tree::Tree;

mod fields;
mod lines;
mod names;
mod overrides;
mod series;
mod shift;
#[cfg(test)]
mod tests;
mod version;

use series::Merger;
use version::{Four, Version};

/// Whose value is kept where both sides changed one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Winner {
    Ours,
    Theirs,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Our text with their changes.
    pub text: Vec<u8>,
    /// What could not be kept of both.
    pub conflicts: Vec<Conflict>,
    /// It means something else than ours: to be stored.
    pub ours_changed: bool,
    /// It holds a change of ours that theirs has not. They may be unable to express it: whether there is something to
    /// send is seen from what would be sent.
    pub theirs_changed: bool,
}

/// A field that both sides changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Which instance, in the form of RECURRENCE-ID; the master without.
    pub rid: Option<String>,
    /// Its name, behind those of the components it is in: `SUMMARY`, `VALARM.DESCRIPTION`, `ATTENDEE mailto:a@b.c`.
    /// DTSTART and RRULE stand for their groups, RECURRENCE-ID for the override as a whole.
    pub property: String,
    pub base: Option<String>,
    pub ours: Option<String>,
    pub theirs: Option<String>,
    pub kept: Winner,
}

/// Why nothing was merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeError {
    /// One of the texts is no object; which one, and why.
    Unreadable(&'static str, Unreadable),
    /// An event and a to-do, say.
    Kinds,
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(which, why) => write!(f, "{which}: {why}"),
            Self::Kinds => f.write_str("the texts hold different kinds of component"),
        }
    }
}

impl std::error::Error for MergeError {}

/// Merges two edits of one base.
///
/// # Errors
/// When a text is not one object, or when they are of different kinds.
pub fn merge(
    base: &[u8],
    ours: &[u8],
    theirs: &[u8],
    winner: Winner,
) -> Result<Merged, MergeError> {
    merge_since(base, ours, base, theirs, winner)
}

/// The same where both states at the time of the last agreement are known: our text then and their reading then. So a
/// value that they could not hold as it is does not look like an edit of ours.
///
/// # Errors
/// As [`merge`].
pub fn merge_since(
    our_base: &[u8],
    ours: &[u8],
    their_base: &[u8],
    theirs: &[u8],
    winner: Winner,
) -> Result<Merged, MergeError> {
    let our_base = read("our base", our_base)?;
    let their_base = read("their base", their_base)?;
    let theirs = read("theirs", theirs)?;
    let first = read("ours", ours)?;
    let four = Four {
        our_base: Version::of("our base", &our_base)?,
        ours: Version::of("ours", &first)?,
        their_base: Version::of("their base", &their_base)?,
        theirs: Version::of("theirs", &theirs)?,
    };
    let kind = four.ours.object.kind;
    if [&four.our_base, &four.their_base, &four.theirs]
        .iter()
        .any(|version| version.object.kind != kind)
    {
        return Err(MergeError::Kinds);
    }
    let wanted = overrides::wanted(&four);
    if wanted.is_empty() {
        return Ok(Merger::new(&four, &[], winner).run());
    }
    let begun = overrides::begin(&four, &wanted);
    let second = read("ours", &begun)?;
    let four = Four {
        ours: Version::of("ours", &second)?,
        ..four
    };
    Ok(Merger::new(&four, &wanted, winner).run())
}

fn read<'a>(which: &'static str, text: &'a [u8]) -> Result<Tree<'a>, MergeError> {
    parse(text).map_err(|why| MergeError::Unreadable(which, why))
}
