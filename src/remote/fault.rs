//! What may go wrong between us and a provider: the whole vocabulary that sync has for trouble.

use std::fmt;

/// Why a call failed, and so what is to be done. Words are for people: no address, token or body in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The cursor is dead: list everything and compare.
    CursorGone,
    /// Not before this time (seconds since 1970 UTC); none: back off.
    Throttled(Option<i64>),
    /// The grant is gone (`invalid_grant`, a changed password): the owner has to connect again.
    Revoked(String),
    /// The owner did not grant what this needs.
    MissingScope(String),
    /// The application's registration is wrong: not the owner's fault, no reconnect helps.
    Operator(String),
    /// The event or calendar is not there (any more), or may not be seen.
    NotFound,
    /// It changed since we read it (412): read, merge, try again.
    Stale,
    /// The id or UID is taken by another event: its id where the provider tells.
    Duplicate(Option<String>),
    /// It will not do this, now or later: the event is parked with the reason.
    Refused(Refusal),
    /// A write was sent and no answer came: look before it is sent again.
    OutcomeUnknown(String),
    /// Try again later.
    Transient(String),
    /// This provider or calendar cannot do that at all (webhooks on a holiday calendar).
    Unsupported(String),
}

/// Why an event cannot be said on the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable, for programs: `guests`, `recurrence`, `not-organizer`, `too-large`, `invalid` …
    pub code: &'static str,
    /// For people: what, and what to do about it.
    pub reason: String,
}

impl Refusal {
    pub fn new(code: &'static str, reason: impl Into<String>) -> Refusal {
        Refusal {
            code,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::CursorGone => f.write_str("the provider has forgotten what we last saw"),
            Fault::Throttled(_) => f.write_str("the provider asks us to slow down"),
            Fault::Revoked(why) => write!(f, "access was taken back: {why}"),
            Fault::MissingScope(what) => write!(f, "not permitted: {what}"),
            Fault::Operator(why) => write!(f, "the application's registration is wrong: {why}"),
            Fault::NotFound => f.write_str("it is not there any more"),
            Fault::Stale => f.write_str("it was changed there meanwhile"),
            Fault::Duplicate(_) => f.write_str("it exists there already"),
            Fault::Refused(refusal) => refusal.fmt(f),
            Fault::OutcomeUnknown(why) => write!(f, "no answer came: {why}"),
            Fault::Transient(why) | Fault::Unsupported(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Fault {}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        Fault::Refused(refusal)
    }
}
