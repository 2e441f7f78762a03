//! Start, end and zone of a session: between the VEVENT's forms and RFC 3339 with a zone name beside.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use super::fields::Fields;
use super::merge::FieldError;
use crate::ical::rrule::civil;
use crate::ical::tree::{Component, Tree};
use crate::ical::value::{Duration, When};
use crate::ical::write::content_line;
use crate::ical::zone::{Zone, Zones};

/// When an event is, in its own forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: When,
    /// Exclusive.
    pub end: When,
}

/// DTSTART with DTEND, DURATION or the default length (RFC 5545 §3.6.1). A nominal day is taken as a civil one.
pub fn span_of(event: Component<'_>) -> Option<Span> {
    let start = When::of(event.property("DTSTART")?).ok()?;
    let end = event.property("DTEND").and_then(|p| When::of(p).ok());
    let lasting = || {
        event
            .property("DURATION")
            .and_then(|p| Duration::of(p).ok())
    };
    let end = end.or_else(|| {
        let seconds = match lasting() {
            Some(duration) => duration.total_seconds(),
            None if start.is_date() => 86_400,
            None => 0,
        };
        later(&start, seconds)
    });
    Some(Span {
        end: end.unwrap_or_else(|| start.clone()),
        start,
    })
}

fn later(when: &When, seconds: i64) -> Option<When> {
    let at = when
        .civil()
        .checked_add(jiff::SignedDuration::from_secs(seconds))
        .ok()?;
    Some(when.with_civil(at))
}

/// UTC as a zone.
pub const UTC: Zone = Zone::Fixed(0);
const DAY: i64 = 86_400;

/// What an object's times mean: its own zones, and the calendar's for times without one.
pub struct Times<'t> {
    zones: Zones<'t>,
    /// Zone of floating times and dates.
    pub local: Zone,
}

impl<'t> Times<'t> {
    pub fn of(tree: &'t Tree<'t>, local: Zone) -> Times<'t> {
        Times {
            zones: Zones::of(tree),
            local,
        }
    }

    /// The zone of a time; the calendar's where a TZID means nothing.
    pub fn zone(&self, when: &When) -> Zone {
        match when {
            When::Utc(_) => UTC,
            When::Date(_) | When::Floating(_) => self.local.clone(),
            When::Zoned { at, tzid } => {
                let near = civil::seconds(*at);
                let found = self
                    .zones
                    .resolve(tzid, Some((near - 2 * DAY, near + 2 * DAY)));
                found.unwrap_or_else(|| self.local.clone())
            }
        }
    }

    /// Seconds since 1970 UTC.
    pub fn instant(&self, when: &When) -> i64 {
        self.zone(when).to_instant(when.civil())
    }

    /// The name beside a time: an IANA name, `UTC`, or nothing for a time without zone.
    pub fn zone_name(&self, when: &When) -> Option<String> {
        match when {
            When::Date(_) | When::Floating(_) => None,
            When::Utc(_) => Some("UTC".to_string()),
            When::Zoned { tzid, .. } => Some(
                self.zone(when)
                    .iana_name()
                    .map_or_else(|| tzid.clone(), str::to_string),
            ),
        }
    }

    /// RFC 3339: a date, or a time in UTC.
    pub fn print(&self, when: &When) -> String {
        match when {
            When::Date(date) => date.to_string(),
            _ => print_instant(self.instant(when)),
        }
    }
}

/// RFC 3339 in UTC.
pub fn print_instant(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| String::new(), |at| at.to_string())
}

/// The zone that a program named.
pub fn named_zone(name: &str) -> Option<Zone> {
    if name.eq_ignore_ascii_case("UTC") || name == "Z" {
        return Some(UTC);
    }
    Zone::named(name)
}

/// Reads the times of a request. `local` is the calendar's zone, for a session that stays without one (`floating`).
///
/// # Errors
/// The fields that cannot be read.
pub fn read(fields: &Fields, floating: Option<&Zone>) -> Result<Span, Vec<FieldError>> {
    let one = |field: &str, reason: &str| vec![FieldError::new(field, reason)];
    let zone = match (&fields.timezone, floating) {
        (Some(name), _) => named_zone(name)
            .ok_or_else(|| one("timezone", "not a time zone of the IANA database"))?,
        (None, Some(local)) => local.clone(),
        (None, None) => UTC,
    };
    let start = fields
        .start
        .as_deref()
        .ok_or_else(|| one("start", "is required"))?;
    if fields.all_day {
        return read_days(fields, start, &zone);
    }
    let end = fields
        .end
        .as_deref()
        .ok_or_else(|| one("end", "is required"))?;
    let wrong = "not a time of RFC 3339, such as 2026-11-20T09:00:00Z";
    let start = read_time(start, &zone).ok_or_else(|| one("start", wrong))?;
    let end = read_time(end, &zone).ok_or_else(|| one("end", wrong))?;
    if end <= start {
        return Err(one("end", "must lie after start"));
    }
    let form = |at: i64| -> When {
        let civil = zone.to_civil(at);
        match (&fields.timezone, floating, zone.iana_name()) {
            (None, Some(_), _) => When::Floating(civil),
            (_, _, Some(name)) => When::Zoned {
                at: civil,
                tzid: name.to_string(),
            },
            (_, _, None) => When::Utc(civil),
        }
    };
    Ok(Span {
        start: form(start),
        end: form(end),
    })
}

fn read_days(fields: &Fields, start: &str, zone: &Zone) -> Result<Span, Vec<FieldError>> {
    let one = |field: &str, reason: &str| vec![FieldError::new(field, reason)];
    let wrong = "not a date (YYYY-MM-DD)";
    let start = read_date(start, zone).ok_or_else(|| one("start", wrong))?;
    let end = match &fields.end {
        Some(end) => read_date(end, zone).ok_or_else(|| one("end", wrong))?,
        None => start
            .tomorrow()
            .map_err(|_| one("start", "beyond the year 9999"))?,
    };
    if end <= start {
        return Err(one(
            "end",
            "must lie after start: it is the date after the last day",
        ));
    }
    Ok(Span {
        start: When::Date(start),
        end: When::Date(end),
    })
}

/// A point in time, in seconds since 1970 UTC: with `Z` or an offset, or in `zone`. Fractions are dropped.
pub fn read_time(text: &str, zone: &Zone) -> Option<i64> {
    let text = text.trim();
    let at = match text.parse::<Timestamp>() {
        Ok(at) => at.as_second(),
        Err(_) if text.len() > 10 => zone.to_instant(text.parse::<DateTime>().ok()?),
        Err(_) => return None,
    };
    let year = UTC.to_civil(at).year();
    (1..=9998).contains(&year).then_some(at)
}

/// A point in time as questions name it: RFC 3339, a date (midnight UTC), or a DATE-TIME of iCalendar. The plus sign
/// of an offset arrives as a space where it was not encoded.
pub fn read_instant(text: &str) -> Option<i64> {
    let text = text.trim().replace(' ', "+");
    let date = || {
        let date: Date = text.parse().ok()?;
        Some(UTC.to_instant(date.at(0, 0, 0, 0)))
    };
    let basic = || {
        When::parse(&text, None)
            .ok()
            .map(|when| UTC.to_instant(when.civil()))
    };
    let plain = if text.len() == 10 { date() } else { None };
    plain.or_else(|| read_time(&text, &UTC)).or_else(basic)
}

fn read_date(text: &str, zone: &Zone) -> Option<Date> {
    match text.trim() {
        date if date.len() == 10 => date.parse().ok(),
        time => Some(zone.to_civil(read_time(time, zone)?).date()),
    }
}

/// The content line of a date or time.
pub fn line(name: &str, when: &When) -> String {
    let params: Vec<_> = when.param().into_iter().collect();
    content_line(name, &params, &when.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(start: &str, end: &str, zone: &str, all_day: bool) -> Fields {
        let there = |text: &str| Some(text.to_string()).filter(|text| !text.is_empty());
        Fields {
            start: there(start),
            end: there(end),
            timezone: there(zone),
            all_day,
            ..Fields::default()
        }
    }

    #[test]
    fn times_are_read_in_every_form() {
        for (start, end, zone, all_day, printed) in [
            (
                "2026-11-20T09:00:00Z",
                "2026-11-20T10:00:00Z",
                "",
                false,
                "DTSTART:20261120T090000Z",
            ),
            (
                "2026-11-20T09:00:00+01:00",
                "2026-11-20T10:00:00+01:00",
                "",
                false,
                "DTSTART:20261120T080000Z",
            ),
            (
                "2026-11-20T08:00:00Z",
                "2026-11-20T09:00:00Z",
                "Europe/Berlin",
                false,
                "DTSTART;TZID=Europe/Berlin:20261120T090000",
            ),
            (
                "2026-11-20T09:00",
                "2026-11-20T10:00",
                "Europe/Berlin",
                false,
                "DTSTART;TZID=Europe/Berlin:20261120T090000",
            ),
            (
                "2026-11-20T09:00:00",
                "2026-11-20T10:00:00",
                "utc",
                false,
                "DTSTART:20261120T090000Z",
            ),
            ("2026-11-20", "", "", true, "DTSTART;VALUE=DATE:20261120"),
            (
                "2026-11-20T23:30:00Z",
                "2026-11-22",
                "Europe/Berlin",
                true,
                "DTSTART;VALUE=DATE:20261121",
            ),
        ] {
            let span = read(&fields(start, end, zone, all_day), None).unwrap();
            assert_eq!(line("DTSTART", &span.start).trim_end(), printed, "{start}");
        }
    }

    #[test]
    fn wrong_times_name_their_field() {
        for (start, end, zone, all_day, field) in [
            ("", "2026-11-20T10:00:00Z", "", false, "start"),
            ("2026-11-20T09:00:00Z", "", "", false, "end"),
            ("tomorrow", "2026-11-20T10:00:00Z", "", false, "start"),
            ("2026-11-20", "2026-11-20T10:00:00Z", "", false, "start"),
            (
                "2026-11-20T09:00:00Z",
                "2026-11-20T09:00:00Z",
                "",
                false,
                "end",
            ),
            (
                "2026-11-20T09:00:00Z",
                "2026-11-20T10:00:00Z",
                "Mars/Base",
                false,
                "timezone",
            ),
            ("2026-11-20", "2026-11-20", "", true, "end"),
            ("2026-13-40", "", "", true, "start"),
        ] {
            let wrong = read(&fields(start, end, zone, all_day), None).unwrap_err();
            assert_eq!(wrong[0].field, field, "{start} {end} {zone}");
        }
    }
}
