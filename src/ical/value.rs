//! Values that are not text: dates and times, durations, periods, offsets. RFC 5545 §3.3.4–3.3.14.
//! Reading takes what real exporters write where the meaning is beyond doubt (a leap second, `T240000`, blanks around
//! the value, a DATE without `VALUE=DATE`); printing is always the RFC's form. Nothing here knows a time zone's rules:
//! a TZID is carried, `ical::zone` gives it meaning.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};

use super::tree::Property;

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
    /// A `Z` wins over a TZID, an empty TZID is none.
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
                [] => Some(match tzid.filter(|id| !id.is_empty()) {
                    Some(id) => When::Zoned {
                        at,
                        tzid: id.to_owned(),
                    },
                    None => When::Floating(at),
                }),
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

impl fmt::Display for When {
    /// The value's text, without parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.civil();
        write!(f, "{:04}{:02}{:02}", at.year(), at.month(), at.day())?;
        if self.is_date() {
            return Ok(());
        }
        write!(f, "T{:02}{:02}{:02}", at.hour(), at.minute(), at.second())?;
        if matches!(self, When::Utc(_)) {
            f.write_str("Z")
        } else {
            Ok(())
        }
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
mod tests {
    use super::*;

    /// RFC 5545 §3.3.4, §3.3.5 and what exporters write.
    #[test]
    fn dates_and_times_are_read_by_their_shape_and_printed_in_the_rfc_form() {
        let cases = [
            ("19970714", None, "19970714", "date"),
            ("19980118T230000", None, "19980118T230000", "floating"),
            ("19980119T070000Z", None, "19980119T070000Z", "utc"),
            (
                "19980119T020000",
                Some("America/New_York"),
                "19980119T020000",
                "zoned",
            ),
            ("19980119T020000", Some(""), "19980119T020000", "floating"),
            (
                "19980119T070000Z",
                Some("America/New_York"),
                "19980119T070000Z",
                "utc",
            ),
            ("19970630T235960Z", None, "19970630T235959Z", "utc"),
            ("20261231T240000", None, "20270101T000000", "floating"),
            (" 20240229 ", None, "20240229", "date"),
            ("20131210Z", None, "20131210", "date"),
            ("00010101T000000", None, "00010101T000000", "floating"),
        ];
        for (text, tzid, printed, form) in cases {
            let when = When::parse(text, tzid).unwrap();
            assert_eq!(when.to_string(), printed, "{text}");
            let found = match when {
                When::Date(_) => "date",
                When::Floating(_) => "floating",
                When::Utc(_) => "utc",
                When::Zoned { .. } => "zoned",
            };
            assert_eq!(found, form, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_or_time_is_refused() {
        for text in [
            "",
            "1997",
            "19970230",
            "19971301",
            "20230229",
            "19970714T",
            "19970714T1200",
            "19970714T120000X",
            "19970714T250000",
            "19970714T240001",
            "19970714T126000",
            "19970714T120061",
            "19970714 120000",
            "1997-07-14",
            "+9970714",
            "19970714T120000ZZ",
            "199707\u{661}4",
            "19970714T120000-0500",
        ] {
            assert!(When::parse(text, None).is_err(), "{text}");
        }
    }

    /// RFC 5545 §3.3.6 and the rest of the grammar.
    #[test]
    fn durations_keep_days_apart_from_time() {
        let cases = [
            ("P15DT5H0M20S", (false, 0, 15, 18_020), "P15DT5H0M20S"),
            ("P7W", (false, 7, 0, 0), "P7W"),
            ("-PT15M", (true, 0, 0, 900), "-PT15M"),
            ("+P1D", (false, 0, 1, 0), "P1D"),
            ("PT1H30S", (false, 0, 0, 3630), "PT1H0M30S"),
            ("P1W2D", (false, 1, 2, 0), "P9D"),
            ("PT0S", (false, 0, 0, 0), "PT0S"),
            ("P0D", (false, 0, 0, 0), "PT0S"),
            ("PT36H", (false, 0, 0, 129_600), "PT36H"),
            ("PT90M", (false, 0, 0, 5400), "PT1H30M"),
            ("PT1W2D3H", (false, 1, 2, 10_800), "P9DT3H"),
        ];
        for (text, (negative, weeks, days, seconds), printed) in cases {
            let read = Duration::parse(text).unwrap();
            assert_eq!(
                read,
                Duration {
                    negative,
                    weeks,
                    days,
                    seconds
                },
                "{text}"
            );
            assert_eq!(read.to_string(), printed, "{text}");
        }
        assert_eq!(Duration::parse("-P1DT1H").unwrap().total_seconds(), -90_000);
        for text in [
            "",
            "P",
            "PT",
            "P1DT",
            "1D",
            "P1",
            "PD",
            "P1H",
            "P1DTT1H",
            "PT1HT1M",
            "P1D1W",
            "PT1M1H",
            "--P1D",
            "P-1D",
            "P1DX",
            "PT9999999999S",
        ] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }

    /// RFC 5545 §3.3.9.
    #[test]
    fn periods_have_an_end_or_a_length() {
        for text in [
            "19970101T180000Z/19970102T070000Z",
            "19970101T180000Z/PT5H30M",
        ] {
            assert_eq!(Period::parse(text, None).unwrap().to_string(), text);
        }
        for text in [
            "19970101T180000Z",
            "19970101/19970102T000000",
            "19970101T180000Z/",
            "19970101T180000Z/-PT1H",
            "/PT1H",
        ] {
            assert!(Period::parse(text, None).is_err(), "{text}");
        }
    }

    /// RFC 5545 §3.3.14.
    #[test]
    fn offsets_may_have_seconds() {
        for (text, seconds) in [
            ("-0500", -18_000),
            ("+0100", 3600),
            ("-003644", -2204),
            ("+0530", 19_800),
        ] {
            assert_eq!(utc_offset(text), Ok(seconds));
            assert_eq!(print_utc_offset(seconds), text);
        }
        assert_eq!(utc_offset("-0000"), Ok(0));
        for text in [
            "", "0500", "+05", "+5000", "+0560", "+05:00", "-0752-58", "+00000",
        ] {
            assert!(utc_offset(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_drop_empty_items() {
        assert_eq!(
            items("19970101, 19970102,,").collect::<Vec<_>>(),
            ["19970101", "19970102"]
        );
        assert_eq!(items("").count(), 0);
    }
}
