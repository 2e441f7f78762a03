//! Values that are not text: dates and times, durations, periods, offsets. RFC 5545 §3.3.4–3.3.14.
//! Reading takes what real exporters write where the meaning is beyond doubt (a leap second, `T240000`, blanks around
//! the value, a DATE without `VALUE=DATE`); printing is always the RFC's form. Nothing here knows a time zone's rules:
//! a TZID is carried, `ical::zone` gives it meaning.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};

use super::tree::Property;

mod duration;
mod period;

pub use duration::Duration;
pub use period::{Period, Rdate};

/// A value that cannot be read as its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadValue {
    /// The RFC's name of the type that was wanted.
    pub expected: &'static str,
    /// What was found, shortened.
    pub found: String,
}

impl BadValue {
    pub(crate) fn new(expected: &'static str, found: &str) -> Self {
        let short: String = found.chars().take(60).collect();
        BadValue {
            expected,
            found: short,
        }
    }
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a {}", self.found, self.expected)
    }
}

impl std::error::Error for BadValue {}

/// A longer TZID is no zone's: its values are read as if it were not there. Each of a long list carries it.
const LONGEST_TZID: usize = 255;

/// A DATE or a DATE-TIME in one of its three forms. RFC 5545 §3.3.4, §3.3.5.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum When {
    /// A whole day, in whatever zone the reader is.
    Date(Date),
    /// Form 1: local time, in whatever zone the reader is.
    Floating(DateTime),
    /// Form 2: UTC.
    Utc(DateTime),
    /// Form 3: local time in a named zone.
    Zoned {
        /// The local time.
        at: DateTime,
        /// The TZID as written.
        tzid: String,
    },
}

impl When {
    /// Reads one value; its shape decides between DATE and DATE-TIME, since many exporters forget `VALUE=DATE`.
    /// A `Z` wins over a TZID; an empty TZID is none, and so is one longer than any zone's.
    pub fn parse(value: &str, tzid: Option<&str>) -> Result<When, BadValue> {
        let bytes = value.trim_ascii().as_bytes();
        let read = || -> Option<When> {
            let date = date(bytes.get(..8)?)?;
            // Google has written `20131210Z` for a DATE.
            if matches!(&bytes[8..], [] | [b'Z']) {
                return Some(When::Date(date));
            }
            if !matches!(bytes.get(8)?, b'T' | b't') {
                return None;
            }
            let at = date_time(date, bytes.get(9..15)?)?;
            match bytes.get(15..)? {
                [] => Some(
                    match tzid.filter(|id| (1..=LONGEST_TZID).contains(&id.len())) {
                        Some(id) => When::Zoned {
                            at,
                            tzid: id.to_owned(),
                        },
                        None => When::Floating(at),
                    },
                ),
                [b'Z' | b'z'] => Some(When::Utc(at)),
                _ => None,
            }
        };
        read().ok_or_else(|| BadValue::new("DATE or DATE-TIME", value))
    }

    /// The single value of a property such as DTSTART, with its TZID.
    pub fn of(property: Property<'_>) -> Result<When, BadValue> {
        When::parse(&property.value(), property.param("TZID").as_deref())
    }

    /// All values of a property that holds a list, such as EXDATE. An empty value is an empty list.
    pub fn list(property: Property<'_>) -> Result<Vec<When>, BadValue> {
        let tzid = property.param("TZID");
        items(&property.value())
            .map(|item| When::parse(item, tzid.as_deref()))
            .collect()
    }

    /// Is it a DATE?
    pub fn is_date(&self) -> bool {
        matches!(self, When::Date(_))
    }

    /// The civil time as written; midnight for a DATE.
    pub fn civil(&self) -> DateTime {
        match self {
            When::Date(date) => date.to_datetime(Time::midnight()),
            When::Floating(at) | When::Utc(at) | When::Zoned { at, .. } => *at,
        }
    }

    /// The date as written.
    pub fn date(&self) -> Date {
        self.civil().date()
    }

    /// The TZID of form 3.
    pub fn tzid(&self) -> Option<&str> {
        match self {
            When::Zoned { tzid, .. } => Some(tzid),
            _ => None,
        }
    }

    /// The same form (and zone) with another civil time; the time is dropped for a DATE.
    pub fn with_civil(&self, at: DateTime) -> When {
        match self {
            When::Date(_) => When::Date(at.date()),
            When::Floating(_) => When::Floating(at),
            When::Utc(_) => When::Utc(at),
            When::Zoned { tzid, .. } => When::Zoned {
                at,
                tzid: tzid.clone(),
            },
        }
    }

    /// The parameter that this form needs beside its value, if any.
    pub fn param(&self) -> Option<(&'static str, &str)> {
        match self {
            When::Date(_) => Some(("VALUE", "DATE")),
            When::Zoned { tzid, .. } => Some(("TZID", tzid)),
            When::Floating(_) | When::Utc(_) => None,
        }
    }
}

impl When {
    /// The value's text, without parameters: the digits, and how many of them count.
    pub(super) fn digits(&self) -> ([u8; 16], usize) {
        let at = self.civil();
        let mut text = *b"00000000T000000Z";
        digits(&mut text[..4], at.year().unsigned_abs().into());
        for (place, part) in [
            (4, at.month()),
            (6, at.day()),
            (9, at.hour()),
            (11, at.minute()),
            (13, at.second()),
        ] {
            digits(&mut text[place..place + 2], part.unsigned_abs().into());
        }
        let length = match self {
            When::Date(_) => 8,
            When::Utc(_) => 16,
            _ => 15,
        };
        (text, length)
    }
}

impl fmt::Display for When {
    /// The value's text, without parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, length) = self.digits();
        f.write_str(std::str::from_utf8(&text[..length]).unwrap_or_default())
    }
}

/// Writes a number with leading zeros: expansions print times by the thousand.
fn digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn date(digits: &[u8]) -> Option<Date> {
    let year = i16::try_from(number(&digits[..4])?).ok()?;
    let month = i8::try_from(number(&digits[4..6])?).ok()?;
    let day = i8::try_from(number(&digits[6..8])?).ok()?;
    Date::new(year, month, day).ok()
}

/// §3.3.12: a leap second counts as the second before it. `240000` is the next day's midnight.
fn date_time(date: Date, digits: &[u8]) -> Option<DateTime> {
    let part = |range: std::ops::Range<usize>| i8::try_from(number(&digits[range])?).ok();
    let (hour, minute, second) = (part(0..2)?, part(2..4)?, part(4..6)?);
    if (hour, minute, second) == (24, 0, 0) {
        return Some(date.tomorrow().ok()?.to_datetime(Time::midnight()));
    }
    Some(date.to_datetime(Time::new(hour, minute, if second == 60 { 59 } else { second }, 0).ok()?))
}

/// Decimal digits only, at most nine of them.
fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0u32, |sum, byte| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + u32::from(byte - b'0'))
    })
}

/// The items of a comma-separated list of values that know no escapes; empty items are dropped.
pub fn items(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(str::trim_ascii)
        .filter(|item| !item.is_empty())
}

/// Reads a UTC-OFFSET into seconds east of UTC: `[+-]hhmm[ss]`. RFC 5545 §3.3.14; `-0000` is taken as zero.
pub fn utc_offset(value: &str) -> Result<i32, BadValue> {
    let read = |text: &[u8]| -> Option<i32> {
        let (sign, digits) = match text {
            [b'+', rest @ ..] => (1, rest),
            [b'-', rest @ ..] => (-1, rest),
            _ => return None,
        };
        if !matches!(digits.len(), 4 | 6) {
            return None;
        }
        let hours = number(&digits[..2])?;
        let minutes = number(&digits[2..4])?;
        let seconds = if digits.len() == 6 {
            number(&digits[4..])?
        } else {
            0
        };
        if hours > 23 || minutes > 59 || seconds > 59 {
            return None;
        }
        Some(sign * i32::try_from(hours * 3600 + minutes * 60 + seconds).ok()?)
    };
    read(value.trim_ascii().as_bytes()).ok_or_else(|| BadValue::new("UTC-OFFSET", value))
}

/// Prints seconds east of UTC as a UTC-OFFSET, with seconds only where there are some.
pub fn print_utc_offset(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let n = seconds.unsigned_abs();
    let (hours, minutes, rest) = (n / 3600, n / 60 % 60, n % 60);
    if rest == 0 {
        format!("{sign}{hours:02}{minutes:02}")
    } else {
        format!("{sign}{hours:02}{minutes:02}{rest:02}")
    }
}

#[cfg(test)]
mod tests;
