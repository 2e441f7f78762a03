//! The instances of a rule, period by period. A period's instances are a product: days × hours × minutes ×
//! seconds, sorted, so BYSETPOS and COUNT work on places in it without listing it.
//!
//! Nothing before `from` is visited: without COUNT the walk starts at the period of `from`; with COUNT,
//! periods of constant size are skipped by division and others counted by their size.

use super::civil::{self, DAY, day_number, ymd};
use super::plan::Plan;
use super::{Budget, Freq, Rule, Span};
use jiff::civil::DateTime;

/// Iterator of [`Rule::iter`]. When it ends, [`Budget::exhausted`] says whether that was the rule's end.
pub struct Instances<'b> {
    plan: Plan,
    budget: &'b Budget,
    /// Local seconds: the first and last to give.
    from: i64,
    to: i64,
    /// What COUNT leaves.
    left: Option<u64>,
    /// The period to look at next, and whether it is DTSTART's.
    period: i64,
    first: i64,
    done: bool,
    set: Set,
}

/// The instances of the current period.
#[derive(Default)]
struct Set {
    days: Vec<i64>,
    /// Seconds into the day at which a period shorter than a day starts.
    offset: i64,
    picks: Vec<usize>,
    picked: bool,
    at: usize,
    len: usize,
}

impl<'b> Instances<'b> {
    pub(super) fn new(rule: &Rule, span: Span, budget: &'b Budget) -> Self {
        let plan = Plan::new(rule, &span);
        let first = plan.index_of(plan.start);
        let from = span.from.map_or(plan.start, civil::seconds).max(plan.start);
        let to = span.to.map_or(civil::MAX, civil::seconds).min(civil::MAX);
        let done = plan.never() || to < from;
        let mut walk = Self {
            plan,
            budget,
            from,
            to,
            left: rule.count.map(u64::from),
            period: first,
            first,
            done,
            set: Set::default(),
        };
        if walk.left.is_none() {
            walk.period = walk.align(walk.plan.index_of(from));
        }
        walk
    }

    /// The first period of the rule at or after `period`.
    fn align(&self, period: i64) -> i64 {
        if self.plan.interval == 1 {
            return period.max(self.first);
        }
        let past = (period - self.first).max(0);
        self.first + (past + self.plan.interval - 1) / self.plan.interval * self.plan.interval
    }

    /// Moves to the next period that has instances; false at the end.
    fn advance(&mut self) -> bool {
        loop {
            if self.done || self.left == Some(0) || self.plan.start_of(self.period) > self.to {
                return false;
            }
            if !self.budget.step(self.plan.step_cost()) {
                return false;
            }
            let here = self.period;
            let hint = self.set.fill(&self.plan, here);
            self.period = self.align(hint.max(here + 1));
            if self.set.len == 0 {
                continue;
            }
            if here == self.first {
                self.set.at = self.set.place_of(&self.plan, self.plan.start);
            }
            if self.plan.start_of(here) < self.from {
                let wanted = self.set.place_of(&self.plan, self.from);
                self.count(wanted.saturating_sub(self.set.at) as u64);
                self.set.at = self.set.at.max(wanted);
            }
            if self.set.at < self.set.len {
                return self.left != Some(0);
            }
            self.skip_counted();
        }
    }

    /// Jumps over periods that are counted but not wanted, when all have the same size.
    fn skip_counted(&mut self) {
        let (Some(left), Some(size)) = (
            self.left,
            self.plan.constant_size().filter(|size| *size > 0),
        ) else {
            return;
        };
        let wanted = self.align(self.plan.index_of(self.from));
        let periods =
            ((wanted - self.period) / self.plan.interval).min((left / size as u64) as i64);
        if periods > 0 {
            self.count(periods as u64 * size as u64);
            self.period += periods * self.plan.interval;
        }
    }

    fn count(&mut self, given: u64) {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(given);
        }
    }
}

impl Instances<'_> {
    /// The next instance in local seconds (see [`civil::seconds`]).
    pub fn next_seconds(&mut self) -> Option<i64> {
        if self.done {
            return None;
        }
        if self.set.at >= self.set.len && !self.advance() {
            self.done = true;
            return None;
        }
        let at = self.set.get(&self.plan, self.set.at);
        self.set.at += 1;
        self.done = at > self.to || self.left == Some(0) || !self.budget.instance();
        self.count(1);
        if self.done { None } else { Some(at) }
    }
}

impl Iterator for Instances<'_> {
    type Item = DateTime;

    fn next(&mut self) -> Option<DateTime> {
        self.next_seconds().and_then(civil::date_time)
    }
}

impl Set {
    /// Loads a period's instances. Answers with the earliest period worth looking at next.
    fn fill(&mut self, plan: &Plan, period: i64) -> i64 {
        self.days.clear();
        self.offset = 0;
        self.at = 0;
        let hint = match plan.freq {
            Freq::Yearly if plan.weeks.is_some() => self.numbered_weeks(plan, period),
            Freq::Yearly => {
                for month in 1..=12 {
                    self.month(plan, period, month);
                }
                period + 1
            }
            Freq::Monthly => {
                self.month(plan, period.div_euclid(12), period.rem_euclid(12) + 1);
                period + 1
            }
            Freq::Weekly => self.week(plan, period),
            Freq::Daily => self.day(plan, period),
            _ => self.moment(plan, period),
        };
        let size = self.days.len() * plan.hours.len() * plan.minutes.len() * plan.seconds.len();
        self.picked = plan.pick(size, &mut self.picks);
        self.len = if self.picked { self.picks.len() } else { size };
        hint
    }

    fn month(&mut self, plan: &Plan, year: i64, month: i64) {
        let mut days = plan.days_of_month(year, month);
        if days == 0 {
            return;
        }
        let first = day_number(year, month, 1);
        while days != 0 {
            self.days.push(first + i64::from(days.trailing_zeros()));
            days &= days - 1;
        }
    }

    /// BYWEEKNO: the named weeks of a year, which may begin in the year before and end in the one after.
    fn numbered_weeks(&mut self, plan: &Plan, year: i64) -> i64 {
        let Some((from_start, from_end)) = plan.weeks else {
            return year + 1;
        };
        let first = week_one(plan, year);
        let count = (week_one(plan, year + 1) - first) / 7;
        for week in 1..=count {
            if from_start & 1 << (week - 1) == 0 && from_end & 1 << (count - week) == 0 {
                continue;
            }
            let monday = first + 7 * (week - 1);
            self.days
                .extend((monday..monday + 7).filter(|&day| passes(plan, day)));
        }
        year + 1
    }

    fn week(&mut self, plan: &Plan, period: i64) -> i64 {
        let first = plan.start_of(period) / DAY;
        let month_fits = |day: i64| plan.any_month() || plan.months & 1 << ymd(day).1 != 0;
        let mut left = plan.week_from_wkst();
        while left != 0 {
            let day = first + i64::from(left.trailing_zeros());
            left &= left - 1;
            if month_fits(day) {
                self.days.push(day);
            }
        }
        if month_fits(first + 6) {
            return period + 1;
        }
        plan.index_of(next_month_that_fits(plan, first + 6) * DAY)
    }

    fn day(&mut self, plan: &Plan, day: i64) -> i64 {
        let found = next_day_that_passes(plan, day);
        if found != day {
            return found;
        }
        self.days.push(day);
        day + 1
    }

    /// A period shorter than a day: looks at the day, then at the hour, then at the minute, so that a whole
    /// day, hour or minute that cannot match is one step.
    fn moment(&mut self, plan: &Plan, period: i64) -> i64 {
        let at = plan.start_of(period);
        let (day, of_day) = (at.div_euclid(DAY), at.rem_euclid(DAY));
        let found = next_day_that_passes(plan, day);
        if found != day {
            return plan.index_of(found * DAY);
        }
        let fits = |set: u64, value: i64| set & 1 << value != 0;
        if !fits(plan.hour_set.into(), of_day / 3_600) {
            return plan
                .index_of(day * DAY + next_in(plan.hour_set.into(), of_day / 3_600, 24) * 3_600);
        }
        if plan.freq < Freq::Hourly && !fits(plan.minute_set, of_day / 60 % 60) {
            let minute = next_in(plan.minute_set, of_day / 60 % 60, 60);
            return plan.index_of(day * DAY + of_day / 3_600 * 3_600 + minute * 60);
        }
        if plan.freq < Freq::Minutely && !fits(plan.second_set, of_day % 60) {
            return at - of_day % 60 + next_in(plan.second_set, of_day % 60, 60);
        }
        self.days.push(day);
        self.offset = of_day;
        period + 1
    }

    /// The instance at a place, in local seconds.
    fn get(&self, plan: &Plan, place: usize) -> i64 {
        let place = if self.picked {
            self.picks.get(place).copied().unwrap_or(0)
        } else {
            place
        };
        if let Some(time) = plan.only_time {
            return self.days.get(place).copied().unwrap_or(0) * DAY + self.offset + time;
        }
        let (minutes, seconds) = (plan.minutes.len(), plan.seconds.len());
        let per_day = plan.hours.len() * minutes * seconds;
        let (day, time) = (place / per_day, place % per_day);
        self.days.get(day).copied().unwrap_or(0) * DAY
            + self.offset
            + plan.hours[time / (minutes * seconds)] * 3_600
            + plan.minutes[time / seconds % minutes] * 60
            + plan.seconds[time % seconds]
    }

    /// The first place whose instance is not before `at`.
    fn place_of(&self, plan: &Plan, at: i64) -> usize {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = (low + high) / 2;
            if self.get(plan, middle) < at {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

fn week_one(plan: &Plan, year: i64) -> i64 {
    civil::week_one(year, plan.wkst)
}

fn passes(plan: &Plan, day: i64) -> bool {
    let (year, month, of_month) = ymd(day);
    plan.days_of_month(year, month) & 1 << (of_month - 1) != 0
}

/// The first day of the first month after `day`'s that BYMONTH lets through.
fn next_month_that_fits(plan: &Plan, day: i64) -> i64 {
    let (year, month, _) = ymd(day);
    let next = (1..=12)
        .find(|ahead| plan.months & 1 << ((month - 1 + ahead) % 12 + 1) != 0)
        .unwrap_or(12);
    let index = year * 12 + month - 1 + next;
    day_number(index.div_euclid(12), index.rem_euclid(12) + 1, 1)
}

/// `day` if it passes, else a later day before which none does.
fn next_day_that_passes(plan: &Plan, day: i64) -> i64 {
    let (year, month, of_month) = ymd(day);
    let rest = plan.days_of_month(year, month) >> (of_month - 1);
    match rest {
        0 => next_month_that_fits(plan, day),
        _ => day + i64::from(rest.trailing_zeros()),
    }
}

/// The next value of a set after `value`, or the size: the next hour, minute or day.
fn next_in(set: u64, value: i64, size: i64) -> i64 {
    (value + 1..size)
        .find(|v| set & 1 << v != 0)
        .unwrap_or(size)
}
