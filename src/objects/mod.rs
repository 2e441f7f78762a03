//! The one door for writes: CalDAV, the API, imports and restores change objects here and nowhere else.
//!
//! A write is validated and expanded first (no lock held), then checked again and stored with all its effects in
//! one transaction that begins by taking the calendar's next number ([`store::calendars::lock`]). What follows
//! from a change is decided in [`effects`], which is pure.
//!
//! Bridges write many objects at once ([`batch`]), and are told of others' changes by [`Wake`].
//!
//! Left out until they exist: scheduling messages, push notifications, webhooks.

mod batch;
pub mod effects;
mod put;
mod reindex;
mod remove;
#[cfg(test)]
mod tests;
mod transfer;
mod wake;

pub use batch::{Outcome, Step, What, batch};
pub use effects::Rules;
pub use put::{Draft, Put, put};
pub use reindex::{reindex_stale, zone_data};
pub use remove::remove;
pub use transfer::{Place, Transfer, transfer};
pub use wake::{Nudge, Wake};

use crate::model::{Bound, Error, Path, Precondition};
use crate::store::Store;

/// What a write needs besides its arguments.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub store: &'a Store,
    pub rules: &'a Rules,
    /// Hears of changes of linked calendars.
    pub wake: &'a Wake,
    /// Seconds since 1970 UTC.
    pub now: i64,
}

/// The UID is taken by another object of the calendar (RFC 4791 §5.3.2.1), or the object has another UID.
fn uid_conflict(cal: &Bound, holder: &str, uid: &str) -> Error {
    let href = Path::Object {
        name: cal.home_name.clone(),
        slug: cal.slug.clone(),
        object: holder.to_string(),
    };
    Error::precondition(
        Precondition::NoUidConflict { href: href.print() },
        format!("the UID {uid} belongs to {}", href.print()),
    )
}
