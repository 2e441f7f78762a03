//! Graph's events and our objects, pure. FACTS §4.4.
//!
//! `write` says what an object should be there, `diff` what of that is not so yet, `read` what is there in our words.
//! `fields`, `time`, `people`, `body`, `extra` (extended properties) and `words` (enums) are the parts that both ways share;
//! `losses` names what has no place.

pub mod body;
pub mod diff;
pub mod extra;
mod fields;
mod losses;
mod people;
pub mod read;
pub mod time;
mod words;
pub mod write;
