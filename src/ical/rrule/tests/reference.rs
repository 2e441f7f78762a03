//! A slow and obvious reading of RFC 5545 §3.3.10 to compare with: it visits every second, minute, hour or
//! day from DTSTART on, asks of each whether the rule lets it through, groups by period for BYSETPOS, counts.

use super::*;
use jiff::{Span as Step, ToSpan};
use proptest::prelude::*;

/// The period of the rule that `t` lies in, as a number that grows by one from period to period.
fn period(rule: &Rule, t: DateTime) -> i64 {
    let day = i64::from((t.date() - jiff::civil::date(1970, 1, 1)).get_days());
    let (h, m, s) = (
        i64::from(t.hour()),
        i64::from(t.minute()),
        i64::from(t.second()),
    );
    match rule.freq {
        Freq::Secondly => ((day * 24 + h) * 60 + m) * 60 + s,
        Freq::Minutely => (day * 24 + h) * 60 + m,
        Freq::Hourly => day * 24 + h,
        Freq::Daily => day,
        // 1969-12-29 was a Monday.
        Freq::Weekly => {
            (day + 3 - i64::from(rule.week_start.to_monday_zero_offset())).div_euclid(7)
        }
        Freq::Monthly => i64::from(t.year()) * 12 + i64::from(t.month()),
        Freq::Yearly if !rule.by_week_no.is_empty() => i64::from(week(rule, t.date()).0),
        Freq::Yearly => t.year().into(),
    }
}

/// Week year, week number, and the number of weeks in that year.
fn week(rule: &Rule, date: Date) -> (i16, i64, i64) {
    // The week that holds the year's fourth day is week one.
    let one = |year: i16| {
        let mut day = jiff::civil::date(year, 1, 4);
        while day.weekday() != rule.week_start {
            day = day.yesterday().unwrap();
        }
        day
    };
    let year = (date.year() - 1..=date.year() + 1)
        .rfind(|y| one(*y) <= date)
        .unwrap();
    let weeks = |from: Date, to: Date| i64::from((to - from).get_days()) / 7;
    (
        year,
        weeks(one(year), date) + 1,
        weeks(one(year), one(year + 1)),
    )
}

fn day_fits(rule: &Rule, start: DateTime, date: Date) -> bool {
    let from_end = |len: i16, n: i16| n - len - 1;
    let or_empty = |empty: bool, fits: bool| empty || fits;
    let (len, year_len) = (i16::from(date.days_in_month()), date.days_in_year());
    let (day, year_day) = (i16::from(date.day()), date.day_of_year());
    let month_days: Vec<i16> = rule.by_month_day.iter().map(|&d| d.into()).collect();
    let no_day = month_days.is_empty() && rule.by_year_day.is_empty() && rule.by_day.is_empty();
    let silent = match rule.freq {
        Freq::Weekly => rule.by_day.is_empty() && date.weekday() != start.weekday(),
        Freq::Monthly => no_day && date.day() != start.day(),
        Freq::Yearly if !rule.by_week_no.is_empty() => no_day && date.weekday() != start.weekday(),
        Freq::Yearly => {
            no_day
                && (date.day() != start.day()
                    || rule.by_month.is_empty() && date.month() != start.month())
        }
        _ => false,
    };
    let (_, number, count) = week(rule, date);
    let numbered = |n: &i8| i64::from(*n) == number || i64::from(*n) == number - count - 1;
    let nth = |n: i64, of: i64, total: i64| {
        n == 0 || n == (of - 1) / 7 + 1 || n == -((total - of) / 7 + 1)
    };
    let by_month = rule.freq == Freq::Monthly || !rule.by_month.is_empty();
    let (of, total) = if by_month {
        (day, len)
    } else {
        (year_day, year_len)
    };
    let by_day =
        |d: &WeekdayNum| d.day == date.weekday() && nth(d.nth.into(), of.into(), total.into());
    !silent
        && or_empty(
            rule.by_month.is_empty(),
            rule.by_month.contains(&(date.month() as u8)),
        )
        && or_empty(
            rule.by_week_no.is_empty(),
            rule.by_week_no.iter().any(numbered),
        )
        && or_empty(
            rule.by_year_day.is_empty(),
            rule.by_year_day
                .iter()
                .any(|&n| n == year_day || n == from_end(year_len, year_day)),
        )
        && or_empty(
            month_days.is_empty(),
            month_days
                .iter()
                .any(|&n| n == day || n == from_end(len, day)),
        )
        && or_empty(rule.by_day.is_empty(), rule.by_day.iter().any(by_day))
}

fn time_fits(rule: &Rule, start: DateTime, t: DateTime) -> bool {
    let fits = |list: &[u8], value: i8, of_start: i8, open: bool| match list {
        [] => open || value == of_start,
        list => list.iter().any(|&v| v.min(59) == value as u8),
    };
    fits(
        &rule.by_hour,
        t.hour(),
        start.hour(),
        rule.freq < Freq::Daily,
    ) && fits(
        &rule.by_minute,
        t.minute(),
        start.minute(),
        rule.freq < Freq::Hourly,
    ) && fits(
        &rule.by_second,
        t.second(),
        start.second(),
        rule.freq < Freq::Minutely,
    )
}

/// The instances until `end`, looking at every `step` from the midnight before the period of DTSTART.
fn slow(rule: &Rule, start: DateTime, end: DateTime) -> Vec<DateTime> {
    let first = period(rule, start);
    let step: Step = match () {
        () if rule.freq == Freq::Secondly || !rule.by_second.is_empty() => 1.second(),
        () if rule.freq == Freq::Minutely || !rule.by_minute.is_empty() => 1.minute(),
        () if rule.freq == Freq::Hourly || !rule.by_hour.is_empty() => 1.hour(),
        () => 1.day(),
    };
    // The grid of steps goes through DTSTART's own seconds and minutes.
    let mut t = start.date().at(0, 0, 0, 0);
    if step.get_seconds() == 0 {
        t = t.with().second(start.second()).build().unwrap();
        if step.get_minutes() == 0 {
            t = t.with().minute(start.minute()).build().unwrap();
            if step.get_hours() == 0 {
                t = t.with().hour(start.hour()).build().unwrap();
            }
        }
    }
    while period(rule, t) >= first && (rule.freq >= Freq::Daily) {
        t -= 1.day();
    }
    let mut sets: std::collections::BTreeMap<i64, Vec<DateTime>> = Default::default();
    let mut day = (Date::MIN, false);
    let last = period(rule, end);
    while period(rule, t) <= last {
        if day.0 != t.date() {
            day = (t.date(), day_fits(rule, start, t.date()));
        }
        let at = period(rule, t);
        if day.1
            && at >= first
            && (at - first) % i64::from(rule.interval) == 0
            && time_fits(rule, start, t)
        {
            sets.entry(at).or_default().push(t);
        }
        t += step;
    }
    let positions = |set: Vec<DateTime>| {
        let n = set.len() as i64;
        let keep = |i: &i64| {
            let at = |p: &i16| i64::from(*p) == i + 1 || i64::from(*p) == i - n;
            rule.by_set_pos.is_empty() || rule.by_set_pos.iter().any(at)
        };
        (0..n)
            .filter(keep)
            .map(|i| set[i as usize])
            .collect::<Vec<_>>()
    };
    let all = sets
        .into_values()
        .flat_map(positions)
        .filter(|t| *t >= start);
    let counted: Vec<DateTime> = all
        .take(rule.count.map_or(usize::MAX, |n| n as usize))
        .collect();
    counted
        .into_iter()
        .filter(|t| *t <= end && rule.until.is_none_or(|u| *t <= u.last_local()))
        .collect()
}

fn some<T: Clone + std::fmt::Debug + 'static>(
    odds: f64,
    most: usize,
    one: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = Vec<T>> {
    prop::option::weighted(odds, prop::collection::vec(one, 1..=most))
        .prop_map(Option::unwrap_or_default)
}

fn signed(most: i16) -> impl Strategy<Value = i16> + Clone {
    (1..=most, any::<bool>()).prop_map(|(n, back)| if back { -n } else { n })
}

fn weekday() -> impl Strategy<Value = Weekday> + Clone {
    (0_i8..7).prop_map(|n| Weekday::from_monday_zero_offset(n).unwrap())
}

fn a_freq() -> impl Strategy<Value = Freq> {
    use Freq::*;
    prop::sample::select(vec![
        Secondly, Minutely, Hourly, Daily, Daily, Weekly, Weekly, Monthly, Monthly, Yearly, Yearly,
    ])
}

/// Rules that keep the MUST NOTs, over lists that meet often enough to have instances.
pub fn a_rule() -> impl Strategy<Value = Rule> {
    let days = (
        some(
            0.4,
            4,
            (
                prop_oneof![4 => Just(0_i8), 2 => -5_i8..=5, 1 => -53_i8..=53],
                weekday(),
            ),
        ),
        some(0.25, 4, signed(31)),
        some(0.2, 5, signed(366)),
        some(0.2, 3, signed(53)),
        some(0.25, 5, 1_u8..=12),
        some(0.3, 3, signed(8)),
    );
    let times = (
        some(0.2, 3, 0_u8..24),
        some(0.1, 3, 0_u8..60),
        some(0.04, 2, 0_u8..=60),
    );
    let bounds = (
        prop_oneof![2 => Just(1_u32), 2 => 2_u32..8, 1 => 8_u32..100],
        prop::option::weighted(0.4, 1_u32..60),
    );
    (a_freq(), days, times, bounds, weekday()).prop_map(
        |(freq, days, times, (interval, count), week_start)| {
            let mut rule = Rule {
                interval,
                count,
                week_start,
                ..Rule::new(freq)
            };
            (rule.by_hour, rule.by_minute, rule.by_second) = times;
            let narrow = |list: Vec<i16>| list.into_iter().map(|n| n as i8).collect();
            rule.by_day = days
                .0
                .into_iter()
                .map(|(nth, day)| WeekdayNum { nth, day })
                .collect();
            (rule.by_month_day, rule.by_year_day, rule.by_week_no) =
                (narrow(days.1), days.2, narrow(days.3));
            (rule.by_month, rule.by_set_pos) = (days.4, days.5);
            legal(rule)
        },
    )
}

/// Takes out what MUST NOT stand together.
fn legal(mut rule: Rule) -> Rule {
    if rule.freq != Freq::Yearly {
        rule.by_week_no.clear();
    }
    if rule.freq < Freq::Monthly || !rule.by_week_no.is_empty() {
        rule.by_day.iter_mut().for_each(|day| day.nth = 0);
    }
    if rule.freq == Freq::Weekly {
        rule.by_month_day.clear();
    }
    if matches!(rule.freq, Freq::Daily | Freq::Weekly | Freq::Monthly) {
        rule.by_year_day.clear();
    }
    if Rule::parse(&rule.to_string()).is_err() {
        rule.by_set_pos.clear();
    }
    rule
}

/// How far the slow version can look in a test's time.
fn horizon(rule: &Rule) -> i64 {
    match rule.freq {
        Freq::Secondly => 1,
        _ if !rule.by_second.is_empty() => 2,
        Freq::Minutely => 8,
        _ if !rule.by_minute.is_empty() => 20,
        Freq::Hourly => 200,
        Freq::Daily => 1_000,
        Freq::Weekly | Freq::Monthly => 2_500,
        Freq::Yearly => 4_000,
    }
}

/// The slow version takes seconds for a rule without optimisation.
const CASES: u32 = if cfg!(debug_assertions) { 16 } else { 256 };

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_walk_agrees_with_the_slow_version(
        rule in a_rule(),
        day in 10_000_i64..15_000,
        second in prop_oneof![Just(0_i64), Just(32_400), 0_i64..86_400],
        skip in 0_i64..1_000,
    ) {
        let start = civil::date_time(day * civil::DAY + second).unwrap();
        let end = start + horizon(&rule).days();
        let from = civil::date_time(civil::seconds(start) + horizon(&rule) * civil::DAY / 1_000 * skip).unwrap();
        let want = slow(&rule, start, end);
        let budget = Budget::new(10_000_000, 10_000_000);
        let span = Span { to: Some(end), ..Span::new(start) };
        let have: Vec<DateTime> = rule.instances(span, &budget).collect();
        prop_assert_eq!(&have, &want, "{} from {}", rule, start);
        let late: Vec<DateTime> = rule.instances(Span { from: Some(from), ..span }, &budget).collect();
        let want: Vec<DateTime> = want.into_iter().filter(|t| *t >= from).collect();
        prop_assert_eq!(&late, &want, "{} from {} asked from {}", rule, start, from);
    }

    #[test]
    fn print_then_parse_is_identity(rule in a_rule()) {
        prop_assert_eq!(Rule::parse(&rule.to_string()), Ok(rule));
    }

    #[test]
    fn parsing_and_walking_never_panic(
        text in "(FREQ=(SECONDLY|HOURLY|WEEKLY|YEARLY|DAILY|MONTHLY))?(;(BYDAY|BYMONTH|BYSETPOS|COUNT|INTERVAL|UNTIL|BYWEEKNO|BYHOUR|BYYEARDAY|WKST|x)=[-+0-9A-Z,]{0,9}){0,4}",
        at in civil::MIN..civil::MAX,
        from in civil::MIN..civil::MAX,
    ) {
        if let Ok(rule) = Rule::parse(&text) {
            let budget = Budget::new(500, 50);
            let start = civil::date_time(at).unwrap();
            let n = rule.iter(start, civil::date_time(from), &budget).count();
            prop_assert!(n <= 50);
        }
    }
}
