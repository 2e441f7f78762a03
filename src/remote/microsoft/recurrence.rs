//! RRULE and Graph's pattern and range, both ways: every row of FACTS §4.5, and its refusals in words.
//!
//! Nothing is approximated silently: what a pattern cannot say is a [`Refusal`], what it says a little differently
//! (days 29 to 31, which Outlook moves to the end of short months) is a loss.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Weekday};

use super::zone::Wall;
use crate::ical::rrule::{Budget, Freq, Rule, Until, WeekdayNum};
use crate::remote::Refusal;

mod json;

/// A series as Graph says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    pub pattern: Pattern,
    pub interval: u32,
    pub end: End,
    /// Local date of the first instance.
    pub start: Date,
    /// `recurrenceTimeZone`, as it was written.
    pub zone: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    Daily,
    /// Days as Monday 0 … Sunday 6, and the day that weeks start on.
    Weekly(BTreeSet<i8>, Weekday),
    AbsoluteMonthly(i8),
    /// Which one (1 … 4, -1: the last) of the days that match.
    RelativeMonthly(i8, BTreeSet<i8>),
    AbsoluteYearly(i8, i8),
    RelativeYearly(i8, i8, BTreeSet<i8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Never,
    Count(u32),
    /// The last day, local.
    On(Date),
}

/// What a rule starts from: DTSTART in the series' own zone.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    pub local: DateTime,
    pub date: bool,
    pub wall: &'a Wall,
}

fn no(words: &str) -> Refusal {
    Refusal::new(
        "recurrence",
        format!("Outlook cannot repeat an event like this: {words}"),
    )
}

/// Exchange counts no further.
const MOST: u32 = 999;

/// Has a rule this part?
type Has = fn(&Rule) -> bool;

/// Parts that no pattern has a place for. The rest depends on the frequency.
const NEVER: &[(Has, &str)] = &[
    (
        |r| r.freq < Freq::Daily,
        "more often than once a day (SECONDLY, MINUTELY, HOURLY)",
    ),
    (
        |r| !r.by_hour.is_empty() || !r.by_minute.is_empty() || !r.by_second.is_empty(),
        "at times given in the rule (BYHOUR, BYMINUTE, BYSECOND)",
    ),
    (
        |r| r.interval > MOST || r.count.is_some_and(|count| count > MOST),
        "more than 999 times, or with longer pauses",
    ),
    (|r| !r.by_week_no.is_empty(), "in numbered weeks (BYWEEKNO)"),
    (
        |r| !r.by_year_day.is_empty(),
        "on numbered days of the year (BYYEARDAY)",
    ),
    (
        |r| r.by_month_day.len() > 1,
        "on several days of the month (BYMONTHDAY)",
    ),
    (
        |r| r.by_month_day.iter().any(|day| *day < -1),
        "on days counted from the end of the month (BYMONTHDAY below -1)",
    ),
    (
        |r| r.by_day.iter().filter(|day| day.nth != 0).count() > 1,
        "on several numbered weekdays (such as 1MO,3MO)",
    ),
    (
        |r| r.by_day.iter().any(|day| day.nth != 0) && r.by_day.len() > 1,
        "on a numbered weekday beside others",
    ),
    (
        |r| r.by_day.iter().any(|day| day.nth > 4 || day.nth < -1),
        "on a fifth weekday, or one counted from the end",
    ),
    (
        |r| r.by_set_pos.len() > 1,
        "by a list of positions (BYSETPOS)",
    ),
    (
        |r| r.by_set_pos.iter().any(|n| !matches!(n, 1..=4 | -1)),
        "by a position beyond the fourth (BYSETPOS)",
    ),
    (
        |r| !r.by_month_day.is_empty() && !r.by_day.is_empty(),
        "on weekdays that fall on certain days of the month",
    ),
    (
        |r| !r.by_month.is_empty() && r.freq != Freq::Yearly,
        "in certain months only (BYMONTH as a filter)",
    ),
    (
        |r| r.by_month.len() > 1,
        "in several months (BYMONTH as a list)",
    ),
    (
        |r| !r.by_set_pos.is_empty() && r.by_day.is_empty(),
        "by position among days that are no weekdays (BYSETPOS)",
    ),
    (
        |r| !r.by_set_pos.is_empty() && r.freq < Freq::Monthly,
        "by position within a day or week (BYSETPOS)",
    ),
    (
        |r| !r.by_set_pos.is_empty() && r.by_day.iter().any(|day| day.nth != 0),
        "by position among numbered weekdays (BYSETPOS)",
    ),
];

impl Recurrence {
    /// Ours to theirs, and what that changes a little.
    ///
    /// # Errors
    /// What Graph has no words for.
    pub fn of_rule(rule: &Rule, start: &Start<'_>) -> Result<(Recurrence, Vec<String>), Refusal> {
        let mut rule = rule.clone();
        tidy(&mut rule);
        if let Some((_, words)) = NEVER.iter().find(|(has, _)| has(&rule)) {
            return Err(no(words));
        }
        let pattern = match rule.freq {
            Freq::Weekly => weekly(&rule, start),
            Freq::Monthly => monthly(&rule, start)?,
            Freq::Yearly => yearly(&rule, start)?,
            _ => daily(&rule)?,
        };
        if !starts_with(&rule, start.local) {
            return Err(no("its first date does not follow its own rule"));
        }
        let end = end_of(&rule, start);
        if matches!(end, End::On(last) if last < start.local.date()) {
            return Err(no("it ends before it begins"));
        }
        let clamped = match pattern {
            Pattern::AbsoluteMonthly(day) | Pattern::AbsoluteYearly(_, day) => day > 28,
            _ => false,
        };
        let losses = clamped.then(|| {
            "in months without that day Outlook takes their last day, where the rule skips them"
                .to_owned()
        });
        let recurrence = Recurrence {
            pattern,
            interval: rule.interval,
            end,
            start: start.local.date(),
            zone: start.wall.name.clone(),
        };
        Ok((recurrence, losses.into_iter().collect()))
    }

    /// Theirs to ours. `UNTIL` is the moment of the last instance that may be.
    pub fn to_rule(&self, start: &Start<'_>) -> Rule {
        let mut rule = Rule::new(match self.pattern {
            Pattern::Daily => Freq::Daily,
            Pattern::Weekly(..) => Freq::Weekly,
            Pattern::AbsoluteMonthly(_) | Pattern::RelativeMonthly(..) => Freq::Monthly,
            Pattern::AbsoluteYearly(..) | Pattern::RelativeYearly(..) => Freq::Yearly,
        });
        rule.interval = self.interval;
        match &self.pattern {
            Pattern::Daily => {}
            Pattern::Weekly(days, first) => {
                rule.by_day = plain(days);
                rule.week_start = *first;
            }
            Pattern::AbsoluteMonthly(day) => rule.by_month_day = vec![*day],
            Pattern::RelativeMonthly(index, days) => relative(&mut rule, *index, days),
            Pattern::AbsoluteYearly(month, day) => {
                rule.by_month = vec![month.unsigned_abs()];
                rule.by_month_day = vec![*day];
            }
            Pattern::RelativeYearly(month, index, days) => {
                rule.by_month = vec![month.unsigned_abs()];
                relative(&mut rule, *index, days);
            }
        }
        match self.end {
            End::Never => {}
            End::Count(count) => rule.count = Some(count),
            End::On(last) if start.date => rule.until = Some(Until::Date(last)),
            End::On(last) => {
                let zone = &start.wall.zone;
                let at = zone.to_instant(last.to_datetime(start.local.time()));
                rule.until = Some(Until::Utc(crate::ical::zone::Zone::Utc.to_civil(at)));
            }
        }
        rule
    }

    /// Do both make the same instances? The day that weeks start on matters only when some are left out, and zones by
    /// another name are the same when their clocks are.
    pub fn same(&self, other: &Recurrence) -> bool {
        let pattern = |r: &Recurrence| match &r.pattern {
            Pattern::Weekly(days, _) if r.interval == 1 || days.len() == 1 => {
                Pattern::Weekly(days.clone(), Weekday::Monday)
            }
            Pattern::RelativeMonthly(day, days) if days.len() == 7 => {
                Pattern::AbsoluteMonthly(*day)
            }
            Pattern::RelativeYearly(month, day, days) if days.len() == 7 => {
                Pattern::AbsoluteYearly(*month, *day)
            }
            other => other.clone(),
        };
        let clocks = || match (Wall::named(&self.zone), Wall::named(&other.zone)) {
            (Some(a), Some(b)) => a.same_clock(&b, a.zone.to_instant(self.start.at(12, 0, 0, 0))),
            _ => false,
        };
        pattern(self) == pattern(other)
            && (self.interval, self.end, self.start) == (other.interval, other.end, other.start)
            && (self.zone == other.zone || clocks())
    }
}

/// The lists of a rule, each value once.
fn tidy(rule: &mut Rule) {
    rule.by_month_day.sort_unstable();
    rule.by_month_day.dedup();
    rule.by_month.sort_unstable();
    rule.by_month.dedup();
    rule.by_set_pos.sort_unstable();
    rule.by_set_pos.dedup();
    let mut days: Vec<WeekdayNum> = Vec::new();
    for day in &rule.by_day {
        if !days.contains(day) {
            days.push(*day);
        }
    }
    rule.by_day = days;
}

/// Is DTSTART the first instance of its own rule? (Where it ends is another question.)
fn starts_with(rule: &Rule, start: DateTime) -> bool {
    let endless = Rule {
        until: None,
        count: None,
        ..rule.clone()
    };
    let budget = Budget::default();
    endless.iter(start, None, &budget).next() == Some(start)
}

fn days_of(rule: &Rule) -> BTreeSet<i8> {
    rule.by_day
        .iter()
        .map(|day| day.day.to_monday_zero_offset())
        .collect()
}

fn daily(rule: &Rule) -> Result<Pattern, Refusal> {
    if !rule.by_month_day.is_empty() {
        return Err(no("daily, on certain days of the month only"));
    }
    match (rule.by_day.is_empty(), rule.interval) {
        (true, _) => Ok(Pattern::Daily),
        (false, 1) => Ok(Pattern::Weekly(days_of(rule), rule.week_start)),
        _ => Err(no("every few days, on certain weekdays only")),
    }
}

fn weekly(rule: &Rule, start: &Start<'_>) -> Pattern {
    let mut days = days_of(rule);
    if days.is_empty() {
        days.insert(start.local.weekday().to_monday_zero_offset());
    }
    Pattern::Weekly(days, rule.week_start)
}

/// A day of the month or a weekday of it.
enum Within {
    Day(i8),
    Nth(i8, BTreeSet<i8>),
}

fn within_month(rule: &Rule, start: &Start<'_>) -> Result<Within, Refusal> {
    if let Some(day) = rule.by_month_day.first() {
        return Ok(match day {
            -1 => Within::Nth(-1, (0..7).collect()),
            day => Within::Day(*day),
        });
    }
    let Some(first) = rule.by_day.first() else {
        return Ok(Within::Day(start.local.day()));
    };
    let position = rule.by_set_pos.first().and_then(|n| i8::try_from(*n).ok());
    match (first.nth, position) {
        (0, Some(position)) => Ok(Within::Nth(position, days_of(rule))),
        (0, None) => Err(no("on every such weekday of the month")),
        (nth, _) => Ok(Within::Nth(nth, days_of(rule))),
    }
}

fn monthly(rule: &Rule, start: &Start<'_>) -> Result<Pattern, Refusal> {
    Ok(match within_month(rule, start)? {
        Within::Day(day) => Pattern::AbsoluteMonthly(day),
        Within::Nth(index, days) => Pattern::RelativeMonthly(index, days),
    })
}

fn yearly(rule: &Rule, start: &Start<'_>) -> Result<Pattern, Refusal> {
    let month = match rule.by_month.first() {
        Some(month) => i8::try_from(*month).map_err(|_| no("in a month that is none"))?,
        None if rule.by_month_day.is_empty() && rule.by_day.is_empty() => start.local.month(),
        None => return Err(no("every year on days of no certain month")),
    };
    Ok(match within_month(rule, start)? {
        Within::Day(day) => Pattern::AbsoluteYearly(month, day),
        Within::Nth(index, days) => Pattern::RelativeYearly(month, index, days),
    })
}

/// UNTIL as the last local day that it lets an instance be on.
fn end_of(rule: &Rule, start: &Start<'_>) -> End {
    if let Some(count) = rule.count {
        return End::Count(count);
    }
    let Some(until) = rule.until else {
        return End::Never;
    };
    let local = match until {
        Until::Date(date) => return End::On(date),
        Until::Utc(at) | Until::Local(at) if start.date => return End::On(at.date()),
        Until::Local(at) => at,
        Until::Utc(at) => start
            .wall
            .zone
            .to_civil(crate::ical::zone::Zone::Utc.to_instant(at)),
    };
    let date = local.date();
    let early = local.time() < start.local.time();
    End::On(if early {
        date.yesterday().unwrap_or(date)
    } else {
        date
    })
}

fn plain(days: &BTreeSet<i8>) -> Vec<WeekdayNum> {
    numbered(days, 0)
}

fn numbered(days: &BTreeSet<i8>, nth: i8) -> Vec<WeekdayNum> {
    days.iter()
        .filter_map(|day| Weekday::from_monday_zero_offset(*day).ok())
        .map(|day| WeekdayNum { nth, day })
        .collect()
}

fn relative(rule: &mut Rule, index: i8, days: &BTreeSet<i8>) {
    match days.len() {
        7 => rule.by_month_day = vec![index],
        1 => rule.by_day = numbered(days, index),
        _ => {
            rule.by_day = plain(days);
            rule.by_set_pos = vec![index.into()];
        }
    }
}

#[cfg(test)]
#[path = "tests/recurrence.rs"]
mod tests;
