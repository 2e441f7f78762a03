//! The RFC 5545 family, pure: text in, text and arithmetic out. No IO, no clock, no dice.

pub mod availability;
pub mod busy;
pub mod canonical;
pub mod charset;
pub mod expand;
#[cfg(any(test, fuzzing))]
pub mod invariants;
pub mod join;
pub mod merge;
pub mod object;
pub mod parse;
pub mod privacy;
pub mod property;
pub mod prune;
pub mod query;
pub mod rrule;
pub mod session;
pub mod split;
pub mod template;
pub mod text;
pub mod tree;
pub mod value;
pub mod write;
pub mod zone;
