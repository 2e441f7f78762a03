//! Day numbers: days since 1970-01-01 in the proleptic Gregorian calendar, and local seconds since
//! that midnight. The rule iterator does all its arithmetic on them; [`jiff::civil`] is only the door.

use jiff::civil::{Date, DateTime, Time};

pub const DAY: i64 = 86_400;

/// First and last local second the arithmetic leaves to a caller: the years 1 to 9999.
pub const MIN: i64 = -719_162 * DAY;
pub const MAX: i64 = 2_932_897 * DAY - 1;

/// Day number of a date; `month` 1–12, `day` may run past the month's end.
pub fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day number.
pub fn ymd(day_number: i64) -> (i64, i64, i64) {
    let z = day_number + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month, doy - (153 * mp + 2) / 5 + 1)
}

/// Monday 0 … Sunday 6.
pub fn weekday(day_number: i64) -> i64 {
    (day_number + 3).rem_euclid(7)
}

pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub fn days_in_year(year: i64) -> i64 {
    365 + i64::from(is_leap(year))
}

pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// First day of week one of `year`: the first week with four days in it (RFC 5545 §3.3.10, BYWEEKNO).
/// `wkst` is the weekday weeks start on, Monday 0.
pub fn week_one(year: i64, wkst: i64) -> i64 {
    let fourth = day_number(year, 1, 4);
    fourth - (weekday(fourth) - wkst).rem_euclid(7)
}

/// The year whose numbered weeks contain a day, which around New Year is not the calendar year.
pub fn week_year(day: i64, wkst: i64) -> i64 {
    let (year, _, _) = ymd(day);
    if day < week_one(year, wkst) {
        year - 1
    } else if day >= week_one(year + 1, wkst) {
        year + 1
    } else {
        year
    }
}

/// Local seconds of a date-time; fractions are dropped.
pub fn seconds(dt: DateTime) -> i64 {
    let (date, time) = (dt.date(), dt.time());
    let day = day_number(date.year().into(), date.month().into(), date.day().into());
    let (h, m, s) = (
        i64::from(time.hour()),
        i64::from(time.minute()),
        i64::from(time.second()),
    );
    day * DAY + h * 3_600 + m * 60 + s
}

/// The date-time of local seconds, within the years that [`jiff`] has.
pub fn date_time(seconds: i64) -> Option<DateTime> {
    let (y, m, d) = ymd(seconds.div_euclid(DAY));
    let of_day = seconds.rem_euclid(DAY);
    let date = Date::new(i16::try_from(y).ok()?, m as i8, d as i8).ok()?;
    let time = Time::new(
        (of_day / 3_600) as i8,
        (of_day / 60 % 60) as i8,
        (of_day % 60) as i8,
        0,
    )
    .ok()?;
    Some(date.to_datetime(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_numbers_agree_with_jiff() {
        let mut date = jiff::civil::date(1, 1, 1);
        let mut n = MIN / DAY;
        while date < jiff::civil::date(9999, 12, 20) {
            let (y, m, d) = ymd(n);
            assert_eq!(
                (y, m, d),
                (date.year().into(), date.month().into(), date.day().into())
            );
            assert_eq!(day_number(y, m, d), n);
            assert_eq!(
                weekday(n),
                i64::from(date.weekday().to_monday_zero_offset())
            );
            assert_eq!(days_in_month(y, m), i64::from(date.days_in_month()));
            assert_eq!(week_year(n, 0), i64::from(date.iso_week_date().year()));
            date = date.saturating_add(jiff::Span::new().days(11));
            n += 11;
        }
        assert_eq!(ymd(MAX / DAY), (9999, 12, 31));
    }

    #[test]
    fn local_seconds_round_trip() {
        for s in [MIN, -1, 0, 59, 86_399, 1_700_000_000, MAX] {
            assert_eq!(date_time(s).map(seconds), Some(s));
        }
        assert_eq!(date_time(i64::MAX / 4), None);
    }
}
