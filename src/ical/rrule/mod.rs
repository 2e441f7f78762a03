//! Recurrence rules: RFC 5545 §3.3.10, text to instances.
//!
//! [`Rule::parse`] takes the whole grammar and refuses what the section says MUST NOT be;
//! [`Rule::iter`] walks the instances in local civil time from any moment on, without visiting what
//! lies before it. `plan` turns a rule and its start into sets, `iter` walks their periods.
//!
//! Left out: other calendar systems and SKIP (RFC 7529), refused as [`RuleError::Unsupported`].
//! Time zones are `expand`'s business: the instances here are wall-clock times.
//!
//! *Is DTSTART an instance when the rule does not match it?* RFC 5545 §3.8.5.3 leaves the set
//! undefined. The iterator yields only what the rule matches; `expand` adds DTSTART.
//!
//! *A date-only UNTIL on a timed rule?* Forbidden, common, and meant as that whole day: so read.
//!
//! *BYWEEKNO without BYDAY?* What the rule does not say comes from DTSTART (§3.3.10): its weekday.
//! With INTERVAL or BYSETPOS a year is the year that the numbered weeks belong to.

mod budget;
pub mod civil;
mod days;
mod iter;
mod parse;
mod plan;
#[cfg(test)]
mod tests;

pub use budget::Budget;
pub use iter::Instances;

use jiff::civil::{Date, DateTime, Weekday};

/// How often a rule repeats, in the order of the RFC's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Freq {
    Secondly,
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// The inclusive bound of a rule, in the form it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    Date(Date),
    Local(DateTime),
    Utc(DateTime),
}

/// One value of BYDAY: a weekday, and which one of the month or year (0: every one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeekdayNum {
    pub nth: i8,
    pub day: Weekday,
}

/// A parsed RECUR value. Lists are as written: not sorted, perhaps with duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub freq: Freq,
    pub interval: u32,
    pub count: Option<u32>,
    pub until: Option<Until>,
    pub by_second: Vec<u8>,
    pub by_minute: Vec<u8>,
    pub by_hour: Vec<u8>,
    pub by_day: Vec<WeekdayNum>,
    pub by_month_day: Vec<i8>,
    pub by_year_day: Vec<i16>,
    pub by_week_no: Vec<i8>,
    pub by_month: Vec<u8>,
    pub by_set_pos: Vec<i16>,
    pub week_start: Weekday,
}

/// Why a RECUR value is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// No FREQ part.
    NoFreq,
    /// A part without `=`, or with a name that §3.3.10 does not have.
    UnknownPart(String),
    /// A part given twice.
    Repeated(&'static str),
    /// A value outside the part's grammar or range.
    Value { part: &'static str, value: String },
    /// Two parts that MUST NOT stand together, and how they do.
    Forbidden(&'static str),
    /// RFC 7529: a calendar other than GREGORIAN, or SKIP. The rule may be right; it cannot be expanded.
    Unsupported(String),
}

impl std::fmt::Display for RuleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoFreq => write!(f, "recurrence rule without FREQ"),
            Self::UnknownPart(part) => write!(f, "recurrence rule part not known: {part}"),
            Self::Repeated(part) => write!(f, "recurrence rule part given twice: {part}"),
            Self::Value { part, value } => {
                write!(f, "recurrence rule value not allowed: {part}={value}")
            }
            Self::Forbidden(what) => {
                write!(f, "recurrence rule forbidden by RFC 5545 §3.3.10: {what}")
            }
            Self::Unsupported(what) => {
                write!(f, "recurrence rule not supported (RFC 7529): {what}")
            }
        }
    }
}

impl std::error::Error for RuleError {}

impl Rule {
    /// The instances from `from` on (or all), in order, in DTSTART's local time. UNTIL is read as local
    /// time whatever its form: who knows the zone passes it to [`Rule::instances`] as `to`.
    pub fn iter<'b>(
        &self,
        dtstart: DateTime,
        from: Option<DateTime>,
        budget: &'b Budget,
    ) -> Instances<'b> {
        let span = Span {
            from,
            ..Span::new(dtstart)
        };
        self.instances(
            Span {
                to: self.until.map(Until::last_local),
                ..span
            },
            budget,
        )
    }

    /// The instances within a span, which stands in for UNTIL.
    pub fn instances<'b>(&self, span: Span, budget: &'b Budget) -> Instances<'b> {
        Instances::new(self, span, budget)
    }

    /// Does the rule end, by COUNT or UNTIL?
    pub fn is_finite(&self) -> bool {
        self.count.is_some() || self.until.is_some()
    }
}

/// What a walk over a rule starts from, and the part of it that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub dtstart: DateTime,
    /// DTSTART is a DATE: BYHOUR, BYMINUTE and BYSECOND are ignored (§3.3.10).
    pub date: bool,
    /// Earlier instances are counted but not given.
    pub from: Option<DateTime>,
    /// The last local time that may be given.
    pub to: Option<DateTime>,
}

impl Span {
    pub fn new(dtstart: DateTime) -> Self {
        Self {
            dtstart,
            date: false,
            from: None,
            to: None,
        }
    }
}

impl Until {
    /// The last local time this bound lets through, taking UTC as local.
    pub fn last_local(self) -> DateTime {
        match self {
            Self::Date(date) => date.at(23, 59, 59, 0),
            Self::Local(dt) | Self::Utc(dt) => dt,
        }
    }
}
