//! DURATION. RFC 5545 §3.3.6.

use std::fmt;

use super::{BadValue, number};
use crate::ical::tree::Property;

/// A DURATION, its nominal days apart from its exact time: a day may have 23 hours, an hour has 3600 seconds.
/// RFC 5545 §3.3.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Duration {
    /// Before rather than after.
    pub negative: bool,
    /// Nominal weeks.
    pub weeks: u32,
    /// Nominal days.
    pub days: u32,
    /// Exact time.
    pub seconds: u64,
}

impl Duration {
    /// An exact duration.
    pub fn from_seconds(seconds: i64) -> Duration {
        Duration {
            negative: seconds < 0,
            seconds: seconds.unsigned_abs(),
            ..Duration::default()
        }
    }

    /// A number of nominal days.
    pub fn from_days(days: i32) -> Duration {
        Duration {
            negative: days < 0,
            days: days.unsigned_abs(),
            ..Duration::default()
        }
    }

    /// Reads `[+-]P[nW][nD][T[nH][nM][nS]]`: at least one part, each at most once and in this order, one behind a `T`.
    /// Weeks beside other parts, hours beside seconds, and weeks and days behind the `T` are taken, as readers do.
    pub fn parse(value: &str) -> Result<Duration, BadValue> {
        duration(value.trim_ascii().as_bytes()).ok_or_else(|| BadValue::new("DURATION", value))
    }

    /// The value of a property such as DURATION.
    pub fn of(property: Property<'_>) -> Result<Duration, BadValue> {
        Duration::parse(&property.value())
    }

    /// The nominal part in days, with its sign.
    pub fn nominal_days(&self) -> i64 {
        let days = i64::from(self.weeks) * 7 + i64::from(self.days);
        if self.negative { -days } else { days }
    }

    /// The exact part in seconds, with its sign.
    pub fn exact_seconds(&self) -> i64 {
        let seconds = i64::try_from(self.seconds).unwrap_or(i64::MAX);
        if self.negative { -seconds } else { seconds }
    }

    /// Its length when each day has 24 hours, with its sign.
    pub fn total_seconds(&self) -> i64 {
        self.nominal_days()
            .saturating_mul(86_400)
            .saturating_add(self.exact_seconds())
    }

    /// Does it last no time at all?
    pub fn is_zero(&self) -> bool {
        self.weeks == 0 && self.days == 0 && self.seconds == 0
    }
}

/// The designators in their order, and the seconds that each stands for; none for the nominal ones.
const PARTS: [(u8, u64); 5] = [(b'W', 0), (b'D', 0), (b'H', 3600), (b'M', 60), (b'S', 1)];

fn duration(text: &[u8]) -> Option<Duration> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mut rest = rest.strip_prefix(b"P")?;
    let mut read = Duration {
        negative,
        ..Duration::default()
    };
    let mut empty = true;
    let mut timed = false;
    for (unit, factor) in PARTS {
        if let Some(after) = rest.strip_prefix(b"T").filter(|_| !timed) {
            (rest, timed, empty) = (after, true, true);
        }
        let Some(n) = part(&mut rest, unit) else {
            continue;
        };
        match unit {
            b'W' => read.weeks = n,
            b'D' => read.days = n,
            _ if timed => read.seconds += u64::from(n) * factor,
            _ => return None,
        }
        empty = false;
    }
    (rest.is_empty() && !empty).then_some(read)
}

/// Takes `<digits><unit>` off the front, or nothing.
fn part(rest: &mut &[u8], unit: u8) -> Option<u32> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if rest.get(digits) != Some(&unit) {
        return None;
    }
    let n = number(&rest[..digits])?;
    *rest = &rest[digits + 1..];
    Some(n)
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.negative { "-P" } else { "P" })?;
        if self.weeks > 0 && self.days == 0 && self.seconds == 0 {
            return write!(f, "{}W", self.weeks);
        }
        let days = u64::from(self.weeks) * 7 + u64::from(self.days);
        if days > 0 {
            write!(f, "{days}D")?;
        }
        if self.seconds == 0 {
            return if days > 0 { Ok(()) } else { f.write_str("T0S") };
        }
        f.write_str("T")?;
        let (hours, minutes, seconds) = (
            self.seconds / 3600,
            self.seconds / 60 % 60,
            self.seconds % 60,
        );
        if hours > 0 {
            write!(f, "{hours}H")?;
        }
        if minutes > 0 || (hours > 0 && seconds > 0) {
            write!(f, "{minutes}M")?;
        }
        if seconds > 0 {
            write!(f, "{seconds}S")
        } else {
            Ok(())
        }
    }
}
