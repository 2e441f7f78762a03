//! Recurrence patterns: validation, occurrences, exceptions (FACTS §4.5).

use super::super::recur;
use super::super::web::Answer;
use super::{Exception, Item, Point, errors, zones};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::Value;

/// (type, properties that it needs)
const TYPES: &[(&str, &[&str])] = &[
    ("daily", &[]),
    ("weekly", &["daysOfWeek"]),
    ("absoluteMonthly", &["dayOfMonth"]),
    ("relativeMonthly", &["daysOfWeek"]),
    ("absoluteYearly", &["dayOfMonth", "month"]),
    ("relativeYearly", &["daysOfWeek", "month"]),
];

/// (property, types that have it, value that answers give for "none")
const OPTIONS: &[(&str, &[&str], &[&str])] = &[
    (
        "daysOfWeek",
        &["weekly", "relativeMonthly", "relativeYearly"],
        &["[]", "null"],
    ),
    (
        "dayOfMonth",
        &["absoluteMonthly", "absoluteYearly"],
        &["0", "null"],
    ),
    (
        "month",
        &["absoluteYearly", "relativeYearly"],
        &["0", "null"],
    ),
    (
        "index",
        &["relativeMonthly", "relativeYearly"],
        &["\"first\"", "null"],
    ),
    (
        "firstDayOfWeek",
        &[
            "weekly",
            "relativeMonthly",
            "relativeYearly",
            "daily",
            "absoluteMonthly",
            "absoluteYearly",
        ],
        &[],
    ),
];

const DAYS: &[(&str, &str)] = &[
    ("sunday", "SU"),
    ("monday", "MO"),
    ("tuesday", "TU"),
    ("wednesday", "WE"),
    ("thursday", "TH"),
    ("friday", "FR"),
    ("saturday", "SA"),
];

const INDEXES: &[(&str, i8)] = &[
    ("first", 1),
    ("second", 2),
    ("third", 3),
    ("fourth", 4),
    ("last", -1),
];

fn bad(why: &str) -> Answer {
    errors::saying(
        "ErrorPropertyValidationFailure",
        &format!("At least one property failed validation: {why}"),
    )
}

fn day(name: &Value) -> Option<&'static str> {
    let row = DAYS.iter().find(|(word, _)| name == word)?;
    Some(row.1)
}

/// A recurrence that was sent, checked, with the defaults that answers carry.
pub(super) fn normal(given: &Value, start: &Point) -> Result<Option<Value>, Answer> {
    if given.is_null() {
        return Ok(None);
    }
    let (pattern, range) = (&given["pattern"], &given["range"]);
    let kind = pattern["type"].as_str().unwrap_or("");
    let (_, needed) = TYPES
        .iter()
        .find(|row| row.0 == kind)
        .ok_or_else(|| bad("Type"))?;
    if pattern["interval"]
        .as_i64()
        .is_none_or(|n| !(1..=999).contains(&n))
    {
        return Err(bad("Interval"));
    }
    for key in *needed {
        let there = match &pattern[*key] {
            Value::Array(all) => !all.is_empty() && all.iter().all(|name| day(name).is_some()),
            value => value
                .as_i64()
                .is_some_and(|n| n > 0 && n <= if *key == "month" { 12 } else { 31 }),
        };
        if !there {
            return Err(bad(key));
        }
    }
    for (key, types, none) in OPTIONS {
        let value = pattern[*key].to_string();
        if !types.contains(&kind) && !none.contains(&value.as_str()) {
            return Err(bad(key));
        }
    }
    let mut out = given.clone();
    for (key, default) in [("month", 0), ("dayOfMonth", 0)] {
        if out["pattern"][key].is_null() {
            out["pattern"][key] = default.into();
        }
    }
    for (key, default) in [("firstDayOfWeek", "sunday"), ("index", "first")] {
        if out["pattern"][key].is_null() {
            out["pattern"][key] = default.into();
        }
    }
    out["range"] = normal_range(range, start)?;
    Ok(Some(out))
}

fn normal_range(range: &Value, start: &Point) -> Result<Value, Answer> {
    let date = |key: &str| {
        range[key]
            .as_str()
            .and_then(|text| text.parse::<Date>().ok())
    };
    let from = date("startDate").ok_or_else(|| bad("StartDate"))?;
    if from != start.local.date() {
        return Err(bad("StartDate is not the date of the start"));
    }
    let mut out = range.clone();
    match range["type"].as_str() {
        Some("noEnd") => {}
        Some("endDate") if date("endDate").is_some_and(|end| end >= from) => {}
        Some("numbered")
            if range["numberOfOccurrences"]
                .as_i64()
                .is_some_and(|n| (1..=999).contains(&n)) => {}
        _ => return Err(bad("Range")),
    }
    let zone = range["recurrenceTimeZone"]
        .as_str()
        .filter(|zone| !zone.is_empty());
    let zone = zone.unwrap_or(&start.zone).to_string();
    zones::zone(&zone).ok_or_else(|| bad("RecurrenceTimeZone"))?;
    out["recurrenceTimeZone"] = zones::windows(&zone).into();
    if range["type"] != "endDate" {
        out["endDate"] = "0001-01-01".into();
    }
    if range["type"] != "numbered" {
        out["numberOfOccurrences"] = 0.into();
    }
    Ok(out)
}

/// The pattern as a rule of RFC 5545. Outlook puts the 29th to 31st on the last day of a shorter month.
fn rule(recurrence: &Value) -> String {
    let (pattern, range) = (&recurrence["pattern"], &recurrence["range"]);
    let days: Vec<&str> = pattern["daysOfWeek"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(day)
        .collect();
    let days = days.join(",");
    let index = INDEXES
        .iter()
        .find(|(word, _)| pattern["index"] == *word)
        .map_or(1, |row| row.1);
    let month = &pattern["month"];
    let number = match pattern["dayOfMonth"].as_i64().unwrap_or(1) {
        short @ ..=28 => format!("BYMONTHDAY={short}"),
        long => {
            let all: Vec<String> = (28..=long).map(|n| n.to_string()).collect();
            format!("BYMONTHDAY={};BYSETPOS=-1", all.join(","))
        }
    };
    let base = match pattern["type"].as_str().unwrap_or("") {
        "weekly" => {
            let first = day(&pattern["firstDayOfWeek"]).unwrap_or("SU");
            format!("FREQ=WEEKLY;BYDAY={days};WKST={first}")
        }
        "absoluteMonthly" => format!("FREQ=MONTHLY;{number}"),
        "relativeMonthly" => format!("FREQ=MONTHLY;BYDAY={days};BYSETPOS={index}"),
        "absoluteYearly" => format!("FREQ=YEARLY;BYMONTH={month};{number}"),
        "relativeYearly" => format!("FREQ=YEARLY;BYMONTH={month};BYDAY={days};BYSETPOS={index}"),
        _ => "FREQ=DAILY".to_string(),
    };
    let end = match range["type"].as_str() {
        Some("numbered") => format!(";COUNT={}", range["numberOfOccurrences"]),
        Some("endDate") => format!(
            ";UNTIL={}",
            range["endDate"].as_str().unwrap_or("").replace('-', "")
        ),
        _ => String::new(),
    };
    format!("RRULE:{base};INTERVAL={}{end}", pattern["interval"])
}

/// How far to look for the next date: days, nearest first.
const REACHES: &[i32] = &[0, 40, 400, 4000];

fn later(date: Date, days: i32) -> Date {
    date.saturating_add(jiff::Span::new().days(days))
}

/// The dates of a pattern up to one, remembered.
#[derive(Clone, Default)]
pub(super) struct Expanded {
    rule: String,
    start: Date,
    last: Date,
    dates: Vec<Date>,
}

/// One occurrence of a series.
#[derive(Clone)]
pub(super) struct Occurrence {
    pub date: Date,
    pub start: Point,
    pub end: Point,
}

impl Item {
    pub(super) fn is_series(&self) -> bool {
        self.recurrence.is_some()
    }

    /// The dates of the pattern up to one, cancelled ones too.
    fn dates(&self, last: Date) -> Vec<Date> {
        let Some(recurrence) = &self.recurrence else {
            return Vec::new();
        };
        let (rule, start) = (rule(recurrence), self.start.local.date());
        let mut cache = self.expanded.borrow_mut();
        if cache.rule != rule || cache.start != start || cache.last < last {
            let far = later(last, 60);
            let set = recur::Set::parse(
                start.at(0, 0, 0, 0),
                &TimeZone::UTC,
                std::slice::from_ref(&rule),
            );
            let all = set
                .map(|set| set.until(far.at(0, 0, 0, 0)))
                .unwrap_or_default();
            let dates = all.into_iter().map(DateTime::date).collect();
            *cache = Expanded {
                rule,
                start,
                last: far,
                dates,
            };
        }
        let end = cache.dates.partition_point(|date| *date <= last);
        cache.dates[..end].to_vec()
    }

    /// The first date of the pattern: the start of a series moves there.
    pub(super) fn first_date(&self) -> Option<Date> {
        let start = self.start.local.date();
        REACHES
            .iter()
            .find_map(|days| self.dates(later(start, *days)).first().copied())
    }

    fn planned(&self, date: Date) -> Occurrence {
        let start = Point {
            local: date.to_datetime(self.start.local.time()),
            zone: self.start.zone.clone(),
        };
        let days = (self.end.local.date() - self.start.local.date()).get_days();
        let end = date
            .saturating_add(jiff::Span::new().days(days))
            .to_datetime(self.end.local.time());
        Occurrence {
            date,
            start,
            end: Point {
                local: end,
                zone: self.end.zone.clone(),
            },
        }
    }

    /// The occurrence of a date, where it is now; `None` if the series has none there.
    pub(super) fn occurrence(&self, date: Date) -> Option<Occurrence> {
        if self.cancelled.contains(&date) || self.dates(date).last() != Some(&date) {
            return None;
        }
        Some(self.placed(date))
    }

    fn placed(&self, date: Date) -> Occurrence {
        let planned = self.planned(date);
        match self
            .exceptions
            .get(&date)
            .and_then(|exception| exception.times.clone())
        {
            Some((start, end)) => Occurrence { date, start, end },
            None => planned,
        }
    }

    /// When an occurrence was first planned.
    pub(super) fn original(&self, date: Date) -> i64 {
        self.planned(date).start.instant()
    }

    /// Occurrences and exceptions that touch a range.
    pub(super) fn occurrences(&self, min: i64, max: i64) -> Vec<Occurrence> {
        let last = recur::local(max, &TimeZone::UTC)
            .date()
            .saturating_add(jiff::Span::new().days(2));
        let dates = self
            .dates(last)
            .into_iter()
            .filter(|date| !self.cancelled.contains(date));
        let placed = dates.map(|date| self.placed(date));
        placed
            .filter(|one| touches(&one.start, &one.end, min, max))
            .collect()
    }

    /// Whether a new start leaves the occurrence between its neighbours' days.
    pub(super) fn stays_between(&self, date: Date, start: &Point) -> bool {
        let last = date.saturating_add(jiff::Span::new().years(9));
        let dates: Vec<Date> = self
            .dates(last)
            .into_iter()
            .filter(|d| !self.cancelled.contains(d))
            .collect();
        let Some(at) = dates.iter().position(|d| *d == date) else {
            return false;
        };
        let zone = self.start.tz();
        let day_of = |point: &Point| recur::local(point.instant(), &zone).date();
        let new = day_of(start);
        let before = at
            .checked_sub(1)
            .map(|at| day_of(&self.placed(dates[at]).start));
        let after = dates
            .get(at + 1)
            .map(|next| day_of(&self.placed(*next).start));
        before.is_none_or(|before| new > before) && after.is_none_or(|after| new < after)
    }

    pub(super) fn exception(&mut self, date: Date) -> &mut Exception {
        self.exceptions.entry(date).or_default()
    }
}

pub(super) fn touches(start: &Point, end: &Point, min: i64, max: i64) -> bool {
    let (from, to) = (start.instant(), end.instant());
    from < max && (to > min || (from == to && from >= min))
}
