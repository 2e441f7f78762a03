//! A VTIMEZONE for a zone of the tz database, for a span of time. RFC 5545 §3.6.5.
//!
//! Readers are fragile: Outlook.com refuses long histories and offsets with seconds. So: only what the span
//! needs, offsets in whole minutes, an RRULE wherever one yearly rule makes the transitions, RDATEs
//! elsewhere. An open span ends after forty years unless a rule goes on for ever.

use super::Zone;
use crate::ical::rrule::civil::{self, DAY, days_in_month, weekday, ymd};
use crate::ical::value::print_utc_offset;
use crate::ical::write::content_line;
use jiff::Timestamp;
use jiff::tz::{Dst, TimeZone};

/// How far an open span is looked at, and how long a rule must have held beyond the span to be for ever.
const OPEN: i64 = 40 * 366 * DAY;
const BEYOND: i64 = 12 * 366 * DAY;

/// Fewer onsets than this are listed, not put into a rule.
const RULE_AT_LEAST: usize = 3;

/// A transition, in the words of a STANDARD or DAYLIGHT component. Offsets are whole minutes.
#[derive(Clone, Debug, PartialEq)]
struct Onset {
    at: i64,
    from: i32,
    to: i32,
    daylight: bool,
    name: String,
}

/// Consecutive yearly onsets that a rule makes, or loose ones.
struct Observance {
    onsets: Vec<Onset>,
    rule: Option<Yearly>,
    endless: bool,
}

/// The rules that governments write: a fixed date, the n-th or last weekday, the first weekday from a day on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Yearly {
    Date { month: i64, day: i64 },
    Nth { month: i64, nth: i64, weekday: i64 },
    From { month: i64, day: i64, weekday: i64 },
}

/// A VTIMEZONE component with this TZID for the instants from `from` to `to` (open: for good), as lines with
/// CRLF. None when the TZID is not one that [`Zone::named`] knows.
pub fn vtimezone(tzid: &str, from: i64, to: Option<i64>) -> Option<String> {
    let zone = Zone::named(tzid)?;
    let known = zone.iana_name().map(str::to_owned);
    let mut text = String::from("BEGIN:VTIMEZONE\r\n");
    text += &content_line("TZID", &[], tzid);
    if let Some(known) = known.filter(|known| known != tzid) {
        text += &content_line("X-LIC-LOCATION", &[], &known);
    }
    for observance in observances(onsets(&zone, from, to), from, to) {
        observance.write(&mut text);
    }
    text += "END:VTIMEZONE\r\n";
    Some(text)
}

/// The onset in force at `from` and those after it, somewhat beyond `to`.
fn onsets(zone: &Zone, from: i64, to: Option<i64>) -> Vec<Onset> {
    let Zone::Iana(named) = zone else {
        return vec![Onset::always(
            minutes(zone.offset_at(from)),
            "UTC".into(),
            false,
        )];
    };
    let zone = named.zone();
    let last = to
        .unwrap_or(from.saturating_add(OPEN))
        .saturating_add(BEYOND);
    let info = |at: i64| zone.to_offset_info(Timestamp::from_second(at).unwrap_or(Timestamp::MIN));
    let state = |at: i64| {
        (
            minutes(info(at).offset().seconds()),
            info(at).dst() == Dst::Yes,
        )
    };
    // An instant at which the onset in force at `from` is still to come.
    let start = last_change(zone, from).map_or(from, |at| at - 1);
    let mut before = state(start);
    let mut found = Vec::new();
    for change in zone.following(Timestamp::from_second(start).unwrap_or(Timestamp::MIN)) {
        let at = change.timestamp().as_second();
        if at > last {
            break;
        }
        let next = (minutes(change.offset().seconds()), change.dst() == Dst::Yes);
        let (offset, dst) = before;
        let daylight = if next.1 == dst {
            next.1
        } else {
            next.0 > offset
        };
        if next.0 != offset {
            found.push(Onset {
                at,
                from: offset,
                to: next.0,
                daylight,
                name: change.abbreviation().into(),
            });
        }
        before = next;
    }
    if found.is_empty() {
        found.push(Onset::always(
            before.0,
            info(from).abbreviation().into(),
            false,
        ));
    }
    found
}

/// The instant of the last change of the offset at or before `from`.
fn last_change(zone: &TimeZone, from: i64) -> Option<i64> {
    let offset = |at: i64| {
        Some(minutes(
            zone.to_offset(Timestamp::from_second(at).ok()?).seconds(),
        ))
    };
    let start = Timestamp::from_second(from.saturating_add(1)).ok()?;
    let mut changes = zone
        .preceding(start)
        .map(|change| change.timestamp().as_second());
    changes.find(|&at| offset(at) != offset(at.saturating_sub(1)))
}

fn minutes(offset: i32) -> i32 {
    (offset + 30).div_euclid(60) * 60
}

impl Onset {
    /// For a zone that never changes: since 1970.
    fn always(offset: i32, name: String, daylight: bool) -> Onset {
        Onset {
            at: -i64::from(offset),
            from: offset,
            to: offset,
            daylight,
            name,
        }
    }

    /// Local seconds, as its DTSTART says them.
    fn local(&self) -> i64 {
        self.at + i64::from(self.from)
    }

    fn same_kind(&self, other: &Onset) -> bool {
        (self.from, self.to, self.daylight, &self.name)
            == (other.from, other.to, other.daylight, &other.name)
    }
}

/// Sorts the onsets into observances: runs that one yearly rule makes, and the rest by kind.
fn observances(onsets: Vec<Onset>, from: i64, to: Option<i64>) -> Vec<Observance> {
    let last = to.unwrap_or(from.saturating_add(OPEN));
    let mut rest = onsets.clone();
    let mut found: Vec<Observance> = Vec::new();
    while let Some(first) = rest.first().cloned() {
        let (run, rule) = longest_run(&rest);
        let reaches = run
            .last()
            .is_some_and(|end| end.at > last && end.at + 400 * DAY > last + BEYOND);
        if run.len() >= RULE_AT_LEAST && first.at <= last {
            rest.retain(|onset| !run.contains(onset));
            found.push(Observance {
                onsets: run,
                rule,
                endless: reaches,
            });
            continue;
        }
        rest.remove(0);
        if first.at > last {
            continue;
        }
        let loose = found
            .iter_mut()
            .find(|o| o.rule.is_none() && o.onsets[0].same_kind(&first));
        match loose {
            Some(observance) => observance.onsets.push(first),
            None => found.push(Observance {
                onsets: vec![first],
                rule: None,
                endless: false,
            }),
        }
    }
    found
}

/// The longest run of yearly onsets from the first one on, and the rule that makes it.
fn longest_run(onsets: &[Onset]) -> (Vec<Onset>, Option<Yearly>) {
    let first = &onsets[0];
    let same: Vec<&Onset> = onsets
        .iter()
        .filter(|onset| onset.same_kind(first))
        .collect();
    let mut best = (1, None);
    for rule in Yearly::candidates(first.local()) {
        let (year, _, _) = ymd(first.local().div_euclid(DAY));
        let time = first.local().rem_euclid(DAY);
        let makes = |(n, onset): &(usize, &&Onset)| {
            rule.day_in(year + *n as i64).map(|day| day * DAY + time) == Some(onset.local())
        };
        let len = same.iter().enumerate().take_while(makes).count();
        if len > best.0 {
            best = (len, Some(rule));
        }
    }
    (same.into_iter().take(best.0).cloned().collect(), best.1)
}

impl Yearly {
    /// The rules that make this onset, the likeliest first.
    fn candidates(local: i64) -> Vec<Yearly> {
        let day_number = local.div_euclid(DAY);
        let (year, month, day) = ymd(day_number);
        let weekday = weekday(day_number);
        let mut rules = Vec::new();
        if day + 7 > days_in_month(year, month) {
            rules.push(Yearly::Nth {
                month,
                nth: -1,
                weekday,
            });
        }
        if day <= 28 {
            rules.push(Yearly::Nth {
                month,
                nth: (day - 1) / 7 + 1,
                weekday,
            });
        }
        rules.push(Yearly::Date { month, day });
        let window = (day - 6).max(1)..=day.min(days_in_month(year, month) - 6);
        rules.extend(window.map(|day| Yearly::From {
            month,
            day,
            weekday,
        }));
        rules
    }

    /// The day it names in a year.
    fn day_in(self, year: i64) -> Option<i64> {
        let on_or_after = |first: i64, wanted: i64| first + (wanted - weekday(first)).rem_euclid(7);
        Some(match self {
            Yearly::Date { month, day } if day > days_in_month(year, month) => return None,
            Yearly::Date { month, day } => civil::day_number(year, month, day),
            Yearly::Nth {
                month,
                nth: -1,
                weekday,
            } => on_or_after(
                civil::day_number(year, month, days_in_month(year, month) - 6),
                weekday,
            ),
            Yearly::Nth {
                month,
                nth,
                weekday,
            } => on_or_after(civil::day_number(year, month, 1 + 7 * (nth - 1)), weekday),
            Yearly::From {
                month,
                day,
                weekday,
            } => on_or_after(civil::day_number(year, month, day), weekday),
        })
    }
}

const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

impl std::fmt::Display for Yearly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = |weekday: i64| WEEKDAYS[weekday.rem_euclid(7) as usize];
        match *self {
            Yearly::Date { month, day } => {
                write!(f, "FREQ=YEARLY;BYMONTH={month};BYMONTHDAY={day}")
            }
            Yearly::Nth {
                month,
                nth,
                weekday,
            } => {
                write!(
                    f,
                    "FREQ=YEARLY;BYMONTH={month};BYDAY={nth}{}",
                    name(weekday)
                )
            }
            Yearly::From {
                month,
                day,
                weekday,
            } => {
                let days: Vec<String> = (day..day + 7).map(|d| d.to_string()).collect();
                let days = days.join(",");
                write!(
                    f,
                    "FREQ=YEARLY;BYMONTH={month};BYMONTHDAY={days};BYDAY={}",
                    name(weekday)
                )
            }
        }
    }
}

impl Observance {
    fn write(&self, text: &mut String) {
        let Some(first) = self.onsets.first() else {
            return;
        };
        let component = if first.daylight {
            "DAYLIGHT"
        } else {
            "STANDARD"
        };
        *text += &format!("BEGIN:{component}\r\n");
        if !first.name.is_empty() {
            *text += &content_line("TZNAME", &[], &first.name);
        }
        *text += &content_line("TZOFFSETFROM", &[], &print_utc_offset(first.from));
        *text += &content_line("TZOFFSETTO", &[], &print_utc_offset(first.to));
        *text += &content_line("DTSTART", &[], &stamp(first.local()));
        match (self.rule, self.endless, self.onsets.last()) {
            (Some(rule), true, _) => *text += &content_line("RRULE", &[], &rule.to_string()),
            (Some(rule), false, Some(last)) => {
                *text += &content_line("RRULE", &[], &format!("{rule};UNTIL={}Z", stamp(last.at)));
            }
            _ => {
                for onset in &self.onsets[1..] {
                    *text += &content_line("RDATE", &[], &stamp(onset.local()));
                }
            }
        }
        *text += &format!("END:{component}\r\n");
    }
}

fn stamp(seconds: i64) -> String {
    civil::date_time(seconds)
        .unwrap_or_default()
        .strftime("%Y%m%dT%H%M%S")
        .to_string()
}
