//! A rule and its DTSTART, compiled: BY lists become bit sets, what the rule leaves open comes from DTSTART
//! (RFC 5545 §3.3.10), and values that the interval can never reach are struck out.
//!
//! The filters on days are in `days`.

use super::civil::{DAY, day_number, seconds, week_one, weekday, ymd};
use super::days::{YearSet, year_set};
use super::{Freq, Rule, Span};

pub(super) struct Plan {
    pub freq: Freq,
    pub interval: i64,
    pub wkst: i64,
    /// Local seconds of DTSTART.
    pub start: i64,
    /// Bit `m` for month `m`.
    pub months: u16,
    /// Bit `d - 1` for day `d`, bit `n - 1` for the n-th day from the month's end.
    pub month_days: Option<(u32, u32)>,
    /// For common years and for leap years.
    pub year_days: Option<Box<[YearSet; 2]>>,
    /// Bit `w - 1` for week `w`, and for the w-th week from the end.
    pub weeks: Option<(u64, u64)>,
    /// Bit 0 is Monday; 0: BYDAY says nothing about plain weekdays.
    pub weekdays: u8,
    /// (which, weekday) of BYDAY values with a number.
    pub nth: Vec<(i64, i64)>,
    pub nth_of_month: bool,
    pub any_day: bool,
    /// No BY part limits the clock.
    any_time: bool,
    /// Limits on the clock for frequencies below DAILY.
    pub hour_set: u32,
    pub minute_set: u64,
    pub second_set: u64,
    /// The times within a period, expanded: hours × minutes × seconds.
    pub hours: Vec<i64>,
    pub minutes: Vec<i64>,
    pub seconds: Vec<i64>,
    /// Their product where it is one time: seconds into the period's day.
    pub only_time: Option<i64>,
    pub set_pos: Vec<i16>,
}

const ALL_MONTHS: u16 = 0x1ffe;
const ALL_HOURS: u32 = (1 << 24) - 1;
const ALL_SIXTY: u64 = (1 << 60) - 1;

impl Plan {
    pub fn new(rule: &Rule, span: &Span) -> Self {
        let start = seconds(span.dtstart);
        let (day, of_day) = (start.div_euclid(DAY), start.rem_euclid(DAY));
        let mut plan = Self {
            freq: rule.freq,
            interval: i64::from(rule.interval.max(1)),
            wkst: rule.week_start.to_monday_zero_offset().into(),
            start,
            months: rule.by_month.iter().fold(0, |set, m| set | 1 << m),
            month_days: from_both_ends(&rule.by_month_day)
                .map(|(start, end)| (start as u32, end as u32)),
            year_days: (!rule.by_year_day.is_empty()).then(|| {
                Box::new([
                    year_set(&rule.by_year_day, 365),
                    year_set(&rule.by_year_day, 366),
                ])
            }),
            weeks: from_both_ends(&rule.by_week_no),
            weekdays: 0,
            nth: Vec::new(),
            nth_of_month: rule.freq == Freq::Monthly || !rule.by_month.is_empty(),
            any_day: false,
            any_time: false,
            hour_set: 0,
            minute_set: 0,
            second_set: 0,
            hours: vec![0],
            minutes: vec![0],
            seconds: vec![0],
            only_time: None,
            set_pos: rule.by_set_pos.clone(),
        };
        plan.by_day(rule);
        plan.days_from_start(day);
        plan.clock(rule, span, of_day);
        plan.strike_unreachable(day, of_day);
        plan.only_time = match (&plan.hours[..], &plan.minutes[..], &plan.seconds[..]) {
            (&[hour], &[minute], &[second]) => Some(hour * 3_600 + minute * 60 + second),
            _ => None,
        };
        plan.any_day = plan.months == ALL_MONTHS
            && plan.month_days.is_none()
            && plan.year_days.is_none()
            && plan.weekdays == 0
            && plan.nth.is_empty();
        plan
    }

    fn by_day(&mut self, rule: &Rule) {
        for value in &rule.by_day {
            let weekday = i64::from(value.day.to_monday_zero_offset());
            match value.nth {
                0 => self.weekdays |= 1 << weekday,
                nth => self.nth.push((nth.into(), weekday)),
            }
        }
        self.nth.sort_unstable();
        self.nth.dedup();
    }

    /// Fills what the rule says nothing about from DTSTART's date.
    fn days_from_start(&mut self, start_day: i64) {
        let (_, month, day) = ymd(start_day);
        let no_weekday = self.weekdays == 0 && self.nth.is_empty();
        let no_day = no_weekday && self.month_days.is_none() && self.year_days.is_none();
        match self.freq {
            Freq::Yearly if no_day && self.weeks.is_some() => {
                self.weekdays = 1 << weekday(start_day)
            }
            Freq::Yearly if no_day => {
                self.month_days = Some((1 << (day - 1), 0));
                if self.months == 0 {
                    self.months = 1 << month;
                }
            }
            Freq::Monthly if no_day => self.month_days = Some((1 << (day - 1), 0)),
            Freq::Weekly if no_weekday => self.weekdays = 1 << weekday(start_day),
            _ => {}
        }
        if self.months == 0 {
            self.months = ALL_MONTHS;
        }
    }

    /// BYHOUR, BYMINUTE and BYSECOND: lists to expand by at and above a frequency, limits below it.
    fn clock(&mut self, rule: &Rule, span: &Span, of_day: i64) {
        let part = |list: &[u8], most: u8| -> u64 {
            let list = if span.date { &[] } else { list };
            list.iter().fold(0, |set, &v| set | 1 << v.min(most))
        };
        let (hours, minutes) = (part(&rule.by_hour, 23), part(&rule.by_minute, 59));
        // A leap second where there is none is second 59 (§3.3.12).
        let seconds = part(&rule.by_second, 59);
        let or = |set: u64, other: u64| if set == 0 { other } else { set };
        if self.freq >= Freq::Daily {
            self.hours = members(or(hours, 1 << (of_day / 3_600)));
        }
        if self.freq >= Freq::Hourly {
            self.minutes = members(or(minutes, 1 << (of_day / 60 % 60)));
        }
        if self.freq >= Freq::Minutely {
            self.seconds = members(or(seconds, 1 << (of_day % 60)));
        }
        self.any_time = match self.freq {
            Freq::Secondly => hours | minutes | seconds == 0,
            Freq::Minutely => hours | minutes == 0,
            Freq::Hourly => hours == 0,
            _ => true,
        };
        self.hour_set = or(hours, ALL_HOURS.into()) as u32;
        self.minute_set = or(minutes, ALL_SIXTY);
        self.second_set = or(seconds, ALL_SIXTY);
    }

    /// With INTERVAL=24 an hourly rule only ever sees one hour of the day. Striking the others out makes a
    /// rule that asks for them end at once.
    fn strike_unreachable(&mut self, start_day: i64, of_day: i64) {
        let unit = self.unit();
        if self.freq > Freq::Daily {
            return;
        }
        let step = unit * self.interval;
        let reach = |set: u64, size: i64, first: i64, unit: i64| {
            let by = if step % unit == 0 {
                gcd(step / unit, size)
            } else {
                1
            };
            (0..size)
                .filter(|v| (v - first) % by == 0)
                .fold(0, |kept, v| kept | set & 1 << v)
        };
        self.second_set = reach(self.second_set, 60, of_day % 60, 1);
        self.minute_set = reach(self.minute_set, 60, of_day / 60 % 60, 60);
        self.hour_set = reach(self.hour_set.into(), 24, of_day / 3_600, 3_600) as u32;
        if self.weekdays != 0 {
            self.weekdays = reach(self.weekdays.into(), 7, weekday(start_day), DAY) as u8;
            self.months = if self.weekdays == 0 { 0 } else { self.months };
        }
    }

    /// Can nothing match at all? What DAILY and longer frequencies expand is never empty.
    pub fn never(&self) -> bool {
        let clock = match self.freq {
            Freq::Secondly => self.second_set != 0 && self.minute_set != 0 && self.hour_set != 0,
            Freq::Minutely => self.minute_set != 0 && self.hour_set != 0,
            Freq::Hourly => self.hour_set != 0,
            _ => true,
        };
        self.months == 0 || !clock
    }

    /// Seconds of a period, where all are the same.
    fn unit(&self) -> i64 {
        match self.freq {
            Freq::Secondly => 1,
            Freq::Minutely => 60,
            Freq::Hourly => 3_600,
            Freq::Weekly => 7 * DAY,
            _ => DAY,
        }
    }

    /// The number of the period that contains a local second.
    pub fn index_of(&self, at: i64) -> i64 {
        let day = at.div_euclid(DAY);
        match self.freq {
            Freq::Yearly if self.weeks.is_some() => super::civil::week_year(day, self.wkst),
            Freq::Yearly => ymd(day).0,
            Freq::Monthly => {
                let (year, month, _) = ymd(day);
                year * 12 + month - 1
            }
            Freq::Weekly => (day + 3 - self.wkst).div_euclid(7),
            _ => at.div_euclid(self.unit()),
        }
    }

    /// The first local second of a period.
    pub fn start_of(&self, period: i64) -> i64 {
        match self.freq {
            Freq::Yearly if self.weeks.is_some() => week_one(period, self.wkst) * DAY,
            Freq::Yearly => day_number(period, 1, 1) * DAY,
            Freq::Monthly => day_number(period.div_euclid(12), period.rem_euclid(12) + 1, 1) * DAY,
            Freq::Weekly => (period * 7 + self.wkst - 3) * DAY,
            _ => period * self.unit(),
        }
    }

    /// What looking at one period costs in steps.
    pub fn step_cost(&self) -> u32 {
        let nth = self.nth.len() as u32 / 8;
        match self.freq {
            Freq::Yearly => 6 + 12 * nth,
            _ => 1 + nth,
        }
    }

    /// The number of instances in each period after the first, when it is always the same.
    pub fn constant_size(&self) -> Option<usize> {
        let days = match self.freq {
            Freq::Weekly if self.months == ALL_MONTHS => self.weekdays.count_ones() as usize,
            Freq::Secondly | Freq::Minutely | Freq::Hourly | Freq::Daily
                if self.any_day && self.any_time =>
            {
                1
            }
            _ => return None,
        };
        let size = days * self.hours.len() * self.minutes.len() * self.seconds.len();
        let mut picks = Vec::new();
        Some(if self.pick(size, &mut picks) {
            picks.len()
        } else {
            size
        })
    }

    /// BYSETPOS: the places to keep of a set of `size`, in order. False when the rule has no BYSETPOS.
    pub fn pick(&self, size: usize, picks: &mut Vec<usize>) -> bool {
        picks.clear();
        let place = |pos: i16| {
            let n = usize::from(pos.unsigned_abs());
            if pos > 0 {
                Some(n - 1).filter(|i| *i < size)
            } else {
                size.checked_sub(n)
            }
        };
        picks.extend(self.set_pos.iter().filter_map(|&pos| place(pos)));
        picks.sort_unstable();
        picks.dedup();
        !self.set_pos.is_empty()
    }

    pub fn any_month(&self) -> bool {
        self.months == ALL_MONTHS
    }

    /// The weekdays of BYDAY, bit 0 being the day that weeks start on.
    pub fn week_from_wkst(&self) -> u8 {
        let days = u16::from(self.weekdays);
        ((days | days << 7) >> self.wkst) as u8 & 0x7f
    }
}

fn members(set: u64) -> Vec<i64> {
    (0..64).filter(|v| set & 1 << v != 0).collect()
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Bit `n - 1` for the value n, and for -n; None for no list.
fn from_both_ends(list: &[i8]) -> Option<(u64, u64)> {
    let bits = |sign: i8| {
        let values = list.iter().map(|n| n * sign).filter(|n| *n > 0);
        values.fold(0, |set, n| set | 1 << (n - 1))
    };
    (!list.is_empty()).then(|| (bits(1), bits(-1)))
}
