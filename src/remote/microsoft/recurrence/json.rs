//! `patternedRecurrence`, written and read. FACTS §4.5.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use serde_json::{Value, json};

use super::super::wire;
use super::{End, Pattern, Recurrence};
use crate::remote::Refusal;

const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

const INDEXES: [(i8, &str); 5] = [
    (1, "first"),
    (2, "second"),
    (3, "third"),
    (4, "fourth"),
    (-1, "last"),
];

impl Recurrence {
    /// With nothing but the properties that the pattern's type has: others are errors (FACTS §4.5).
    pub fn to_json(&self) -> Value {
        let names = |days: &BTreeSet<i8>| -> Vec<&str> {
            days.iter().filter_map(|day| day_name(*day)).collect()
        };
        let mut pattern = match &self.pattern {
            Pattern::Daily => json!({"type": "daily"}),
            Pattern::Weekly(days, first) => json!({
                "type": "weekly",
                "daysOfWeek": names(days),
                "firstDayOfWeek": day_name(first.to_monday_zero_offset()),
            }),
            Pattern::AbsoluteMonthly(day) => json!({"type": "absoluteMonthly", "dayOfMonth": day}),
            Pattern::RelativeMonthly(index, days) => json!({
                "type": "relativeMonthly",
                "index": index_name(*index),
                "daysOfWeek": names(days),
            }),
            Pattern::AbsoluteYearly(month, day) => {
                json!({"type": "absoluteYearly", "month": month, "dayOfMonth": day})
            }
            Pattern::RelativeYearly(month, index, days) => json!({
                "type": "relativeYearly",
                "month": month,
                "index": index_name(*index),
                "daysOfWeek": names(days),
            }),
        };
        pattern["interval"] = json!(self.interval);
        let mut range = match self.end {
            End::Never => json!({"type": "noEnd"}),
            End::Count(count) => json!({"type": "numbered", "numberOfOccurrences": count}),
            End::On(last) => json!({"type": "endDate", "endDate": last.to_string()}),
        };
        range["startDate"] = json!(self.start.to_string());
        range["recurrenceTimeZone"] = json!(self.zone);
        json!({"pattern": pattern, "range": range})
    }

    /// Reads what Graph answers, which has every property, those of other types with defaults.
    ///
    /// # Errors
    /// A pattern that RFC 5545 has no rule for: one of a type that came later.
    pub fn of_json(doc: &Value) -> Result<Recurrence, Refusal> {
        let pattern = &doc["pattern"];
        let bad = || {
            Refusal::new(
                "recurrence",
                "it repeats in a way that this version does not know",
            )
        };
        let whole = |key: &str, most: i64| {
            let number = wire::number(pattern, key).filter(|n| (1..=most).contains(n));
            number.and_then(|n| i8::try_from(n).ok()).ok_or_else(bad)
        };
        let days: BTreeSet<i8> = wire::texts(pattern, "daysOfWeek")
            .filter_map(day_number)
            .collect();
        let days = || (!days.is_empty()).then(|| days.clone()).ok_or_else(bad);
        // `index` may be missing: its default is the first.
        let index = index_number(wire::text(pattern, "index")).ok_or_else(bad);
        let pattern_of = match wire::text(pattern, "type") {
            "daily" => Pattern::Daily,
            "weekly" => Pattern::Weekly(days()?, first_day(pattern)),
            "absoluteMonthly" => Pattern::AbsoluteMonthly(whole("dayOfMonth", 31)?),
            "relativeMonthly" => Pattern::RelativeMonthly(index?, days()?),
            "absoluteYearly" => {
                Pattern::AbsoluteYearly(whole("month", 12)?, whole("dayOfMonth", 31)?)
            }
            "relativeYearly" => Pattern::RelativeYearly(whole("month", 12)?, index?, days()?),
            _ => return Err(bad()),
        };
        let range = &doc["range"];
        let date = |key: &str| wire::text(range, key).parse::<Date>().map_err(|_| bad());
        let positive = |doc: &Value, key: &str| {
            let number = wire::number(doc, key).filter(|n| *n > 0);
            number.and_then(|n| u32::try_from(n).ok()).ok_or_else(bad)
        };
        Ok(Recurrence {
            pattern: pattern_of,
            interval: positive(pattern, "interval")?,
            end: match wire::text(range, "type") {
                "noEnd" => End::Never,
                "numbered" => End::Count(positive(range, "numberOfOccurrences")?),
                "endDate" => End::On(date("endDate")?),
                _ => return Err(bad()),
            },
            start: date("startDate")?,
            zone: wire::text(range, "recurrenceTimeZone").to_owned(),
        })
    }
}

fn day_name(day: i8) -> Option<&'static str> {
    DAYS.get(usize::try_from(day).ok()?).copied()
}

fn day_number(name: &str) -> Option<i8> {
    let place = DAYS.iter().position(|day| day.eq_ignore_ascii_case(name))?;
    i8::try_from(place).ok()
}

/// Graph's default is Sunday (FACTS §4.5).
fn first_day(pattern: &Value) -> Weekday {
    day_number(wire::text(pattern, "firstDayOfWeek"))
        .and_then(|day| Weekday::from_monday_zero_offset(day).ok())
        .unwrap_or(Weekday::Sunday)
}

fn index_name(index: i8) -> Option<&'static str> {
    let found = INDEXES.iter().find(|(number, _)| *number == index);
    found.map(|(_, name)| *name)
}

fn index_number(name: &str) -> Option<i8> {
    if name.is_empty() {
        return Some(1);
    }
    let found = INDEXES.iter().find(|(_, known)| *known == name);
    found.map(|(number, _)| *number)
}
