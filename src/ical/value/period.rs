//! PERIOD, and RDATE's choice between it and a start. RFC 5545 §3.3.9, §3.8.5.2.

use std::fmt;

use super::{BadValue, Duration, When, items};
use crate::ical::tree::Property;

/// A PERIOD. RFC 5545 §3.3.9.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Period {
    /// From a start to an end.
    Explicit {
        /// The first instant.
        start: When,
        /// The instant after the last.
        end: When,
    },
    /// A start and how long from there.
    Lasting {
        /// The first instant.
        start: When,
        /// Its length, positive.
        duration: Duration,
    },
}

impl Period {
    /// Reads `start/end` or `start/duration`. Both times have the same zone. A period of whole days, which the RFC does
    /// not have, is taken too.
    pub fn parse(value: &str, tzid: Option<&str>) -> Result<Period, BadValue> {
        let bad = || BadValue::new("PERIOD", value);
        let (start, rest) = value.trim_ascii().split_once('/').ok_or_else(bad)?;
        let start = When::parse(start, tzid).map_err(|_| bad())?;
        if rest.starts_with(['P', '+', '-']) {
            let duration = Duration::parse(rest).ok().filter(|length| !length.negative);
            let duration = duration.ok_or_else(bad)?;
            return Ok(Period::Lasting { start, duration });
        }
        let end = When::parse(rest, tzid)
            .ok()
            .filter(|end| end.is_date() == start.is_date());
        let end = end.ok_or_else(bad)?;
        Ok(Period::Explicit { start, end })
    }

    /// All periods of a property such as FREEBUSY.
    pub fn list(property: Property<'_>) -> Result<Vec<Period>, BadValue> {
        let tzid = property.param("TZID");
        items(&property.value())
            .map(|item| Period::parse(item, tzid.as_deref()))
            .collect()
    }

    /// Where it starts.
    pub fn start(&self) -> &When {
        match self {
            Period::Explicit { start, .. } | Period::Lasting { start, .. } => start,
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Period::Explicit { start, end } => write!(f, "{start}/{end}"),
            Period::Lasting { start, duration } => write!(f, "{start}/{duration}"),
        }
    }
}

/// One item of an RDATE: a start, or a start with its own length. RFC 5545 §3.8.5.2.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rdate {
    /// As long as DTSTART's instance.
    Start(When),
    /// With its own end.
    Period(Period),
}

impl Rdate {
    /// All items of an RDATE property; the shape decides, as for [`When`].
    pub fn list(property: Property<'_>) -> Result<Vec<Rdate>, BadValue> {
        let tzid = property.param("TZID");
        items(&property.value())
            .map(|item| Rdate::parse(item, tzid.as_deref()))
            .collect()
    }

    /// Reads one item.
    pub fn parse(value: &str, tzid: Option<&str>) -> Result<Rdate, BadValue> {
        if value.contains('/') {
            return Period::parse(value, tzid).map(Rdate::Period);
        }
        When::parse(value, tzid).map(Rdate::Start)
    }

    /// Where it starts.
    pub fn start(&self) -> &When {
        match self {
            Rdate::Start(when) => when,
            Rdate::Period(period) => period.start(),
        }
    }
}
