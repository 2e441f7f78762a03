//! RECUR text to [`Rule`] and back: the grammar and the MUST NOTs of RFC 5545 §3.3.10.
//!
//! More lenient than the grammar where real exports are: any case, spaces around parts and values, empty
//! parts (a trailing `;`), `X-` parts (RFC 2445 had them; dropped), signs where the grammar has none.

use super::{Freq, Rule, RuleError, Until, WeekdayNum};
use jiff::civil::{Date, DateTime, Time, Weekday};
use std::fmt::{self, Display};
use std::str::FromStr;

const FREQS: [(Freq, &str); 7] = [
    (Freq::Secondly, "SECONDLY"),
    (Freq::Minutely, "MINUTELY"),
    (Freq::Hourly, "HOURLY"),
    (Freq::Daily, "DAILY"),
    (Freq::Weekly, "WEEKLY"),
    (Freq::Monthly, "MONTHLY"),
    (Freq::Yearly, "YEARLY"),
];

const WEEKDAYS: [(Weekday, &str); 7] = [
    (Weekday::Monday, "MO"),
    (Weekday::Tuesday, "TU"),
    (Weekday::Wednesday, "WE"),
    (Weekday::Thursday, "TH"),
    (Weekday::Friday, "FR"),
    (Weekday::Saturday, "SA"),
    (Weekday::Sunday, "SU"),
];

/// The parts of a rule; the place in the list is its bit in the set of those seen.
const PARTS: [&str; 16] = [
    "FREQ",
    "UNTIL",
    "COUNT",
    "INTERVAL",
    "BYSECOND",
    "BYMINUTE",
    "BYHOUR",
    "BYDAY",
    "BYMONTHDAY",
    "BYYEARDAY",
    "BYWEEKNO",
    "BYMONTH",
    "BYSETPOS",
    "WKST",
    "RSCALE",
    "SKIP",
];

/// No list needs more values than BYSETPOS has; a longer one is an attack.
const LONGEST_LIST: usize = 732;

impl Rule {
    /// A rule with nothing but its frequency.
    pub fn new(freq: Freq) -> Self {
        Self {
            freq,
            interval: 1,
            count: None,
            until: None,
            by_second: Vec::new(),
            by_minute: Vec::new(),
            by_hour: Vec::new(),
            by_day: Vec::new(),
            by_month_day: Vec::new(),
            by_year_day: Vec::new(),
            by_week_no: Vec::new(),
            by_month: Vec::new(),
            by_set_pos: Vec::new(),
            week_start: Weekday::Monday,
        }
    }

    /// Parses the value of an RRULE (or EXRULE) property.
    pub fn parse(text: &str) -> Result<Rule, RuleError> {
        Self::parse_gregorian(text).map_err(|error| foreign_calendar(text).unwrap_or(error))
    }

    fn parse_gregorian(text: &str) -> Result<Rule, RuleError> {
        let mut rule = Rule::new(Freq::Daily);
        let mut seen = 0_u32;
        for part in text
            .split(';')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| RuleError::UnknownPart(clip(part)))?;
            let (name, value) = (name.trim_end(), value.trim());
            let Some(bit) = PARTS
                .iter()
                .position(|known| known.eq_ignore_ascii_case(name))
            else {
                if name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("X-")) {
                    continue;
                }
                return Err(RuleError::UnknownPart(clip(name)));
            };
            if seen & (1 << bit) != 0 {
                return Err(RuleError::Repeated(PARTS[bit]));
            }
            seen |= 1 << bit;
            rule.set(PARTS[bit], value)?;
        }
        if seen & 1 == 0 {
            return Err(RuleError::NoFreq);
        }
        rule.check()?;
        Ok(rule)
    }

    fn set(&mut self, part: &'static str, value: &str) -> Result<(), RuleError> {
        let bad = || RuleError::Value {
            part,
            value: clip(value),
        };
        match part {
            "FREQ" => self.freq = lookup(&FREQS, value).ok_or_else(bad)?,
            "UNTIL" => self.until = Some(until(value).ok_or_else(bad)?),
            "COUNT" => self.count = Some(positive(value).ok_or_else(bad)?),
            "INTERVAL" => self.interval = positive(value).ok_or_else(bad)?,
            "BYSECOND" => self.by_second = list(value, |v| number(v, 0, 60)).ok_or_else(bad)?,
            "BYMINUTE" => self.by_minute = list(value, |v| number(v, 0, 59)).ok_or_else(bad)?,
            "BYHOUR" => self.by_hour = list(value, |v| number(v, 0, 23)).ok_or_else(bad)?,
            "BYDAY" => self.by_day = list(value, weekday_num).ok_or_else(bad)?,
            "BYMONTHDAY" => self.by_month_day = list(value, |v| ordinal(v, 31)).ok_or_else(bad)?,
            "BYYEARDAY" => self.by_year_day = list(value, |v| ordinal(v, 366)).ok_or_else(bad)?,
            "BYWEEKNO" => self.by_week_no = list(value, |v| ordinal(v, 53)).ok_or_else(bad)?,
            "BYMONTH" => self.by_month = list(value, |v| number(v, 1, 12)).ok_or_else(bad)?,
            "BYSETPOS" => self.by_set_pos = list(value, |v| ordinal(v, 366)).ok_or_else(bad)?,
            "WKST" => self.week_start = lookup(&WEEKDAYS, value).ok_or_else(bad)?,
            "RSCALE" if value.eq_ignore_ascii_case("GREGORIAN") => {}
            "SKIP" if value.eq_ignore_ascii_case("OMIT") => {}
            _ => return Err(RuleError::Unsupported(format!("{part}={}", clip(value)))),
        }
        Ok(())
    }

    /// The MUST NOTs between parts. Those that depend on DTSTART are the caller's.
    fn check(&self) -> Result<(), RuleError> {
        let nth = self.by_day.iter().any(|day| day.nth != 0);
        let by_other = [
            self.by_second.is_empty(),
            self.by_minute.is_empty(),
            self.by_hour.is_empty(),
            self.by_day.is_empty(),
            self.by_month_day.is_empty(),
            self.by_year_day.is_empty(),
            self.by_week_no.is_empty(),
            self.by_month.is_empty(),
        ];
        let within_month = matches!(self.freq, Freq::Daily | Freq::Weekly | Freq::Monthly);
        let rules = [
            (
                self.count.is_some() && self.until.is_some(),
                "COUNT with UNTIL",
            ),
            (
                nth && self.freq < Freq::Monthly,
                "BYDAY with a number needs FREQ=MONTHLY or YEARLY",
            ),
            (
                nth && !self.by_week_no.is_empty(),
                "BYDAY with a number beside BYWEEKNO",
            ),
            (
                !self.by_month_day.is_empty() && self.freq == Freq::Weekly,
                "BYMONTHDAY with FREQ=WEEKLY",
            ),
            (
                !self.by_year_day.is_empty() && within_month,
                "BYYEARDAY with FREQ=DAILY, WEEKLY or MONTHLY",
            ),
            (
                !self.by_week_no.is_empty() && self.freq != Freq::Yearly,
                "BYWEEKNO needs FREQ=YEARLY",
            ),
            (
                !self.by_set_pos.is_empty() && by_other.iter().all(|&none| none),
                "BYSETPOS without another BY part",
            ),
        ];
        match rules.iter().find(|(broken, _)| *broken) {
            Some((_, what)) => Err(RuleError::Forbidden(what)),
            None => Ok(()),
        }
    }
}

impl FromStr for Rule {
    type Err = RuleError;
    fn from_str(text: &str) -> Result<Self, RuleError> {
        Self::parse(text)
    }
}

/// Text in the order that most clients write; FREQ comes first as §3.3.10 asks.
impl Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FREQ={}", name_of(&FREQS, self.freq))?;
        match self.until {
            Some(Until::Date(date)) => write!(f, ";UNTIL={}", date.strftime("%Y%m%d"))?,
            Some(Until::Local(dt)) => write!(f, ";UNTIL={}", dt.strftime("%Y%m%dT%H%M%S"))?,
            Some(Until::Utc(dt)) => write!(f, ";UNTIL={}Z", dt.strftime("%Y%m%dT%H%M%S"))?,
            None => {}
        }
        if let Some(count) = self.count {
            write!(f, ";COUNT={count}")?;
        }
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        write_list(f, "BYSECOND", &self.by_second)?;
        write_list(f, "BYMINUTE", &self.by_minute)?;
        write_list(f, "BYHOUR", &self.by_hour)?;
        write_list(f, "BYDAY", &self.by_day)?;
        write_list(f, "BYMONTHDAY", &self.by_month_day)?;
        write_list(f, "BYYEARDAY", &self.by_year_day)?;
        write_list(f, "BYWEEKNO", &self.by_week_no)?;
        write_list(f, "BYMONTH", &self.by_month)?;
        write_list(f, "BYSETPOS", &self.by_set_pos)?;
        if self.week_start != Weekday::Monday {
            write!(f, ";WKST={}", name_of(&WEEKDAYS, self.week_start))?;
        }
        Ok(())
    }
}

impl Display for WeekdayNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nth != 0 {
            write!(f, "{}", self.nth)?;
        }
        f.write_str(name_of(&WEEKDAYS, self.day))
    }
}

fn write_list<T: Display>(f: &mut fmt::Formatter<'_>, name: &str, values: &[T]) -> fmt::Result {
    for (i, value) in values.iter().enumerate() {
        if i == 0 {
            write!(f, ";{name}={value}")?;
        } else {
            write!(f, ",{value}")?;
        }
    }
    Ok(())
}

fn lookup<T: Copy>(table: &[(T, &str)], text: &str) -> Option<T> {
    table
        .iter()
        .find(|(_, name)| name.eq_ignore_ascii_case(text))
        .map(|&(value, _)| value)
}

fn name_of<T: Copy + PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    table
        .iter()
        .find(|(known, _)| *known == value)
        .map_or("", |&(_, name)| name)
}

fn list<T>(text: &str, one: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    if memchr::memchr_iter(b',', text.as_bytes()).count() >= LONGEST_LIST {
        return None;
    }
    text.split(',').map(|value| one(value.trim())).collect()
}

/// A whole number of at most nine digits, with an optional sign.
fn integer(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain =
        !digits.is_empty() && digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

fn number<T: TryFrom<i32>>(text: &str, least: i32, most: i32) -> Option<T> {
    integer(text)
        .filter(|n| (least..=most).contains(n))
        .and_then(|n| T::try_from(n).ok())
}

fn ordinal<T: TryFrom<i32>>(text: &str, most: i32) -> Option<T> {
    number(text, -most, most).filter(|_| integer(text) != Some(0))
}

/// COUNT and INTERVAL: `1*DIGIT`, but nothing recurs zero times, or every zero days. Huge ones saturate.
fn positive(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = text.trim_start_matches('0');
    (!digits.is_empty()).then(|| digits.parse().unwrap_or(u32::MAX))
}

fn weekday_num(text: &str) -> Option<WeekdayNum> {
    let (nth, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let day = lookup(&WEEKDAYS, day)?;
    let nth = if nth.is_empty() { 0 } else { ordinal(nth, 53)? };
    Some(WeekdayNum { nth, day })
}

fn until(text: &str) -> Option<Until> {
    let bytes = text.as_bytes();
    let digits = |at: usize, len: usize| number::<i16>(text.get(at..at + len)?, 0, 9999);
    let unsigned = bytes
        .iter()
        .all(|b| b.is_ascii_digit() || b"TtZz".contains(b));
    let date = Date::new(digits(0, 4)?, digits(4, 2)? as i8, digits(6, 2)? as i8)
        .ok()
        .filter(|_| unsigned)?;
    if bytes.len() == 8 {
        return Some(Until::Date(date));
    }
    let second = digits(13, 2).filter(|&s| s <= 60)?.min(59) as i8;
    let time = Time::new(digits(9, 2)? as i8, digits(11, 2)? as i8, second, 0).ok()?;
    let at = DateTime::from_parts(date, time);
    match (bytes[8], bytes.get(15), bytes.len()) {
        (b'T' | b't', None, 15) => Some(Until::Local(at)),
        (b'T' | b't', Some(b'Z' | b'z'), 16) => Some(Until::Utc(at)),
        _ => None,
    }
}

/// Under RSCALE other parts have other grammars (`BYMONTH=5L`), so it explains any error in them.
fn foreign_calendar(text: &str) -> Option<RuleError> {
    let mut parts = text
        .split(';')
        .filter_map(|part| part.trim().split_once('='));
    let (_, scale) = parts.find(|(name, _)| name.eq_ignore_ascii_case("RSCALE"))?;
    (!scale.eq_ignore_ascii_case("GREGORIAN"))
        .then(|| RuleError::Unsupported(format!("RSCALE={}", clip(scale))))
}

/// What an error repeats of a stranger's text.
fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}
