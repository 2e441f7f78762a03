//! The days of a month that a rule lets through, all filters at once: one `u32`, bit 0 the first day.

use super::civil::{day_number, days_in_month, days_in_year, is_leap, weekday};
use super::plan::Plan;

/// Set of the days of a year, bit 0 the first.
pub(super) type YearSet = [u64; 6];

impl Plan {
    /// The days of a month that pass every filter, bit 0 the first.
    pub fn days_of_month(&self, year: i64, month: i64) -> u32 {
        if self.months & 1 << month == 0 {
            return 0;
        }
        let len = days_in_month(year, month);
        let mut days = u32::MAX >> (32 - len);
        if self.any_day {
            return days;
        }
        if let Some((from_start, from_end)) = self.month_days {
            days &= from_start | from_end.reverse_bits() >> (32 - len);
        }
        let first = day_number(year, month, 1);
        if let Some(sets) = &self.year_days {
            days &= slice(
                &sets[usize::from(is_leap(year))],
                first - day_number(year, 1, 1),
            );
        }
        if self.weekdays != 0 || !self.nth.is_empty() {
            days &= self.plain_weekdays(first) | self.numbered_weekdays(year, first, len);
        }
        days
    }

    /// The 31 days from `first` whose weekday is in BYDAY.
    fn plain_weekdays(&self, first: i64) -> u32 {
        let week = u32::from(self.weekdays);
        let turned = (week | week << 7) >> weekday(first) & 0x7f;
        (0..5).fold(0, |days, i| days | turned.wrapping_shl(7 * i))
    }

    /// BYDAY values with a number, counted in the month or in the year.
    fn numbered_weekdays(&self, year: i64, first: i64, len: i64) -> u32 {
        let (base, size) = match self.nth_of_month {
            true => (first, len),
            false => (day_number(year, 1, 1), days_in_year(year)),
        };
        let mut days = 0;
        for &(nth, day) in &self.nth {
            let at = if nth > 0 {
                base + (day - weekday(base)).rem_euclid(7) + 7 * (nth - 1)
            } else {
                let last = base + size - 1;
                last - (weekday(last) - day).rem_euclid(7) + 7 * (nth + 1)
            };
            let within = (base..base + size).contains(&at) && (first..first + len).contains(&at);
            days |= if within { 1 << (at - first) } else { 0 };
        }
        days
    }
}

/// BYYEARDAY for years of a length.
pub(super) fn year_set(list: &[i16], len: i16) -> YearSet {
    let mut set = YearSet::default();
    for &n in list {
        let at = if n > 0 { n - 1 } else { len + n };
        if (0..len).contains(&at) {
            set[at as usize / 64] |= 1 << (at % 64);
        }
    }
    set
}

/// 31 bits of a year from `offset` on.
fn slice(set: &YearSet, offset: i64) -> u32 {
    let (word, bit) = (offset as usize / 64, offset as usize % 64);
    let high = set.get(word + 1).copied().unwrap_or(0);
    let both = u128::from(set[word]) | u128::from(high) << 64;
    (both >> bit) as u32
}
