//! Recurrence sets by way of the `rrule` crate: wall-clock times are expanded as if they were UTC, then put into their zone.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

/// More occurrences than this are not looked at.
pub const MOST: usize = 20_000;

/// The zone with an IANA name.
pub fn zone(name: &str) -> Option<TimeZone> {
    match name {
        "UTC" | "Etc/UTC" | "GMT" => Some(TimeZone::UTC),
        _ => TimeZone::get(name).ok(),
    }
}

/// The instant of a wall-clock time; in a gap the time moves forward, of two the first counts.
pub fn instant(local: DateTime, zone: &TimeZone) -> i64 {
    let found = zone.to_ambiguous_timestamp(local).compatible();
    found.map_or(0, |at| at.as_second())
}

/// The wall-clock time of an instant.
pub fn local(unix: i64, zone: &TimeZone) -> DateTime {
    let at = jiff::Timestamp::from_second(unix).unwrap_or_default();
    zone.to_datetime(at)
}

/// Reads `YYYYMMDD` and `YYYYMMDDTHHMMSS[Z]`: (time, whether it is UTC, whether it is a date).
pub fn basic(text: &str) -> Option<(DateTime, bool, bool)> {
    let (text, utc) = match text.strip_suffix('Z') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let digits = |from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
    let date = Date::new(digits(0, 4)?, digits(4, 6)? as i8, digits(6, 8)? as i8).ok()?;
    if text.len() == 8 {
        return Some((date.at(0, 0, 0, 0), utc, true));
    }
    if text.len() != 15 || text.as_bytes()[8] != b'T' {
        return None;
    }
    let second = digits(13, 15)?.min(59);
    let time = Time::new(digits(9, 11)? as i8, digits(11, 13)? as i8, second as i8, 0).ok()?;
    Some((date.to_datetime(time), utc, false))
}

fn basic_utc(at: DateTime) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The lines `RRULE`, `EXRULE`, `RDATE`, `EXDATE` of a recurrence, read.
pub struct Set {
    start: DateTime,
    rules: Vec<String>,
    exrules: Vec<String>,
    dates: Vec<DateTime>,
    exdates: Vec<DateTime>,
}

impl Set {
    /// `zone` is that of the start; for a date it only matters that it is the same everywhere.
    pub fn parse(start: DateTime, home: &TimeZone, lines: &[String]) -> Result<Set, String> {
        let mut set = Set {
            start,
            rules: Vec::new(),
            exrules: Vec::new(),
            dates: Vec::new(),
            exdates: Vec::new(),
        };
        for line in lines {
            let (head, value) = line.split_once(':').ok_or("a line without colon")?;
            let (name, params) = head.split_once(';').unwrap_or((head, ""));
            match name.to_ascii_uppercase().as_str() {
                "RRULE" => set.rules.push(with_local_until(value, home)?),
                "EXRULE" => set.exrules.push(with_local_until(value, home)?),
                "RDATE" => set.dates.extend(list(params, value, home, start)?),
                "EXDATE" => set.exdates.extend(list(params, value, home, start)?),
                _ => return Err(format!("{name} is no line of a recurrence")),
            }
        }
        if set.rules.is_empty() && set.dates.is_empty() {
            return Err("no RRULE and no RDATE".to_string());
        }
        set.check()?;
        Ok(set)
    }

    fn check(&self) -> Result<(), String> {
        for rule in self.rules.iter().chain(&self.exrules) {
            self.ruled(rule)?;
        }
        Ok(())
    }

    fn ruled(&self, rule: &str) -> Result<rrule::RRuleSet, String> {
        let text = format!("DTSTART:{}\nRRULE:{rule}", basic_utc(self.start));
        text.parse::<rrule::RRuleSet>().map_err(|e| e.to_string())
    }

    /// The starts up to and including `last`, in order, each once.
    pub fn until(&self, last: DateTime) -> Vec<DateTime> {
        let mut all = Vec::new();
        for rule in &self.rules {
            all.extend(self.walk(rule, last));
        }
        all.extend(self.dates.iter().copied().filter(|at| *at <= last));
        if self.rules.is_empty() && self.start <= last {
            all.push(self.start);
        }
        let mut out: Vec<DateTime> = self.exdates.clone();
        for rule in &self.exrules {
            out.extend(self.walk(rule, last));
        }
        all.retain(|at| !out.contains(at));
        all.sort_unstable();
        all.dedup();
        all
    }

    fn walk(&self, rule: &str, last: DateTime) -> Vec<DateTime> {
        let Ok(set) = self.ruled(rule) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for at in &set {
            let text = at.format("%Y%m%dT%H%M%S").to_string();
            let Some((at, ..)) = basic(&text) else { break };
            if at > last || out.len() >= MOST {
                break;
            }
            out.push(at);
        }
        out
    }

    /// Whether the set holds a start.
    pub fn holds(&self, at: DateTime) -> bool {
        self.until(at).last() == Some(&at)
    }
}

/// The rule with UNTIL as wall-clock time of the start's zone, written as UTC.
fn with_local_until(rule: &str, home: &TimeZone) -> Result<String, String> {
    let parts = rule.split(';').filter(|part| !part.is_empty());
    let parts: Result<Vec<String>, String> = parts
        .map(|part| match part.split_once('=') {
            Some((key, value)) if key.eq_ignore_ascii_case("UNTIL") => {
                let (at, utc, date) = basic(value).ok_or("UNTIL is no time")?;
                let at = match (utc, date) {
                    (true, _) => local(instant(at, &TimeZone::UTC), home),
                    (_, true) => at.date().at(23, 59, 59, 0),
                    _ => at,
                };
                Ok(format!("UNTIL={}", basic_utc(at)))
            }
            Some(_) => Ok(part.to_string()),
            None => Err(format!("{part} is no part of a rule")),
        })
        .collect();
    Ok(parts?.join(";"))
}

/// The values of RDATE and EXDATE as wall-clock times of the start's zone; a date stands for that day's start time.
fn list(
    params: &str,
    value: &str,
    home: &TimeZone,
    start: DateTime,
) -> Result<Vec<DateTime>, String> {
    let tzid = params.split(';').find_map(|param| {
        let (key, value) = param.split_once('=')?;
        key.eq_ignore_ascii_case("TZID")
            .then_some(value.trim_matches('"'))
    });
    let from = match tzid {
        Some(name) => Some(zone(name).ok_or(format!("{name} is no zone"))?),
        None => None,
    };
    let values = value.split(',').map(|one| {
        let one = one.split('/').next().unwrap_or(one); // a PERIOD counts by its start
        let (at, utc, date) = basic(one).ok_or(format!("{one} is no time"))?;
        Ok(match (utc, date, &from) {
            (true, ..) => local(instant(at, &TimeZone::UTC), home),
            (_, true, _) => at.date().to_datetime(start.time()),
            (_, _, Some(from)) => local(instant(at, from), home),
            _ => at,
        })
    });
    values.collect()
}
