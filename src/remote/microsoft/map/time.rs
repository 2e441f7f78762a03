//! Start and end of an event, both ways. FACTS §4.4 (`start/end`, `isAllDay`), §5.
//!
//! Ours go as wall-clock time with the IANA name of their zone, theirs come in UTC beside the zone that they were made
//! in. Whole days are dates: no zone is applied to them, ever.

use jiff::civil::{Date, DateTime, Time};
use serde_json::{Value, json};

use super::super::wire;
use super::super::zone::Wall;
use super::extra;
use crate::ical::rrule::civil;
use crate::ical::tree::Component;
use crate::ical::value::{Duration, When};
use crate::ical::zone::{Zone, Zones};
use crate::remote::Refusal;

/// When an event of ours is.
#[derive(Clone, Debug)]
pub struct Times {
    /// Local, in `wall`; midnight for whole days.
    pub start: DateTime,
    pub end: DateTime,
    pub wall: Wall,
    pub end_wall: Wall,
    pub all_day: bool,
    /// For [`extra::ZONES`].
    pub kept: String,
    pub losses: Vec<(&'static str, String)>,
}

impl Times {
    /// Of a VEVENT.
    ///
    /// # Errors
    /// Without a start, or a series in a zone that only its own VTIMEZONE knows.
    pub fn of(
        event: Component<'_>,
        zones: &Zones<'_>,
        home: &Wall,
        series: bool,
    ) -> Result<Times, Refusal> {
        let start = event.property("DTSTART").map(When::of);
        let Some(Ok(start)) = start else {
            return Err(Refusal::new("invalid", "the event has no start"));
        };
        if let When::Date(first) = start {
            return Ok(days(event, first, home));
        }
        let wall = Wall::of(&start, zones, home);
        if wall.is_none() && series {
            return Err(Refusal::new(
                "zone",
                format!(
                    "it repeats in a time zone that Microsoft does not know ({})",
                    start.tzid().unwrap_or_default()
                ),
            ));
        }
        let mut times = Times::timed(event, zones, home, &start, wall);
        if series {
            times.start = local(&times.wall, &start, times.start);
        } else {
            times.make_clear();
        }
        Ok(times)
    }

    /// Of an event with a time of day; in UTC where `wall` is none.
    fn timed(
        event: Component<'_>,
        zones: &Zones<'_>,
        home: &Wall,
        start: &When,
        wall: Option<Wall>,
    ) -> Times {
        let instant = instant_of(start, zones, home);
        let (end, named) = end_of(event, zones, home, instant, start);
        let end_wall = match &named {
            Some(when) => Wall::of(when, zones, home),
            None => wall.clone(),
        };
        let mut kept = kept_name(start, wall.as_ref(), home);
        let kept_end = named.map(|when| kept_name(&when, end_wall.as_ref(), home));
        if let Some(kept_end) = kept_end.filter(|name| *name != kept) {
            kept = format!("{kept} {kept_end}");
        }
        let losses = match &wall {
            Some(_) => Vec::new(),
            None => vec![(
                "DTSTART",
                "kept in UTC: its time zone is not known there".into(),
            )],
        };
        let wall = wall.unwrap_or_else(Wall::utc);
        let end_wall = end_wall
            .filter(|_| !wall.is_utc())
            .unwrap_or_else(|| wall.clone());
        Times {
            start: wall.zone.to_civil(instant),
            end: end_wall.zone.to_civil(end.max(instant)),
            wall,
            end_wall,
            all_day: false,
            kept,
            losses,
        }
    }

    /// Which of two hours of the same name is meant only UTC can say.
    fn make_clear(&mut self) {
        let twice = |wall: &Wall, at: DateTime| wall.is_twice(civil::seconds(at));
        if twice(&self.wall, self.start) || twice(&self.end_wall, self.end) {
            let start = self.wall.zone.to_instant(self.start);
            let end = self.end_wall.zone.to_instant(self.end);
            self.wall = Wall::utc();
            self.end_wall = Wall::utc();
            self.start = Zone::Utc.to_civil(start);
            self.end = Zone::Utc.to_civil(end);
        }
    }

    /// `start`, `end` and `isAllDay`, which only make sense together.
    pub fn write(&self, into: &mut wire::Doc) {
        let part = |at: DateTime, wall: &Wall| json!({"dateTime": wire::print_civil(at), "timeZone": wall.name});
        into.insert("start".into(), part(self.start, &self.wall));
        into.insert("end".into(), part(self.end, &self.end_wall));
        into.insert("isAllDay".into(), json!(self.all_day));
    }

    /// The same length from another local start.
    pub fn moved(&self, start: DateTime) -> Times {
        if self.all_day {
            let days = civil::seconds(self.end) - civil::seconds(self.start);
            let end = civil::date_time(civil::seconds(start) + days).unwrap_or(start);
            return Times {
                start,
                end,
                ..self.clone()
            };
        }
        let length =
            self.end_wall.zone.to_instant(self.end) - self.wall.zone.to_instant(self.start);
        let end = self.wall.zone.to_instant(start) + length;
        Times {
            start,
            end: self.end_wall.zone.to_civil(end),
            ..self.clone()
        }
    }
}

/// The start of a series stays as it is written: in a gap only the first instance is moved.
fn local(wall: &Wall, written: &When, told: DateTime) -> DateTime {
    let at = written.civil();
    let same = wall.zone.to_instant(at) == wall.zone.to_instant(told);
    if same && !matches!(written, When::Utc(_)) {
        at
    } else {
        told
    }
}

fn kept_name(when: &When, wall: Option<&Wall>, home: &Wall) -> String {
    match when {
        When::Floating(_) => format!("floating:{}", home.name),
        _ => wall.map_or_else(|| "UTC".into(), |wall| wall.name.clone()),
    }
}

fn days(event: Component<'_>, first: Date, home: &Wall) -> Times {
    let end = event.property("DTEND").and_then(|p| When::of(p).ok());
    let length = event
        .property("DURATION")
        .and_then(|p| Duration::of(p).ok());
    let after = |days: i64| {
        let at = civil::seconds(first.to_datetime(Time::midnight())) + days * civil::DAY;
        civil::date_time(at).map_or(first, |at| at.date())
    };
    let end = match (end, length) {
        (Some(end), _) => end.date(),
        (None, Some(length)) => after(length.total_seconds().div_euclid(civil::DAY)),
        (None, None) => first,
    };
    Times {
        start: first.to_datetime(Time::midnight()),
        end: end.max(after(1)).to_datetime(Time::midnight()),
        wall: home.clone(),
        end_wall: home.clone(),
        all_day: true,
        kept: "date".into(),
        losses: Vec::new(),
    }
}

/// The instant of a time; one in a zone that nobody knows is taken as it stands in `home`.
pub fn instant_of(when: &When, zones: &Zones<'_>, home: &Wall) -> i64 {
    let local = when.civil();
    match when {
        When::Utc(_) => Zone::Utc.to_instant(local),
        When::Zoned { tzid, .. } => {
            let near = Zone::Utc.to_instant(local);
            let within = Some((near - civil::DAY, near + civil::DAY));
            match zones.resolve(tzid, within) {
                Some(zone) => zone.to_instant(local),
                None => home.zone.to_instant(local),
            }
        }
        When::Date(_) | When::Floating(_) => home.zone.to_instant(local),
    }
}

/// The end's instant, and DTEND when that is what says it.
fn end_of(
    event: Component<'_>,
    zones: &Zones<'_>,
    home: &Wall,
    start: i64,
    from: &When,
) -> (i64, Option<When>) {
    if let Some(Ok(end)) = event.property("DTEND").map(When::of) {
        // Of another kind than the start: meant where that is.
        let end = match end {
            When::Floating(at) => from.with_civil(at),
            When::Date(day) => from.with_civil(day.to_datetime(Time::midnight())),
            end => end,
        };
        return (instant_of(&end, zones, home), Some(end));
    }
    let Some(Ok(length)) = event.property("DURATION").map(Duration::of) else {
        return (start, None);
    };
    // Days are of the calendar, the rest is of the clock (RFC 5545 §3.3.6).
    let local = civil::seconds(from.civil()) + length.nominal_days() * civil::DAY;
    let later = civil::date_time(local).map(|at| from.with_civil(at));
    let later = later.map_or(start, |when| instant_of(&when, zones, home));
    (later.saturating_add(length.exact_seconds()), None)
}

/// When an event of theirs is.
#[derive(Clone, Debug)]
pub struct Told {
    pub start: When,
    pub end: When,
    /// The zone that the start is told in; UTC for whole days.
    pub wall: Wall,
    /// Seconds since 1970 UTC, for VTIMEZONEs.
    pub instant: i64,
}

/// What is known of a time besides itself.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// [`extra::ZONES`] of the event or its series.
    pub kept: Option<&'a str>,
    /// The zone of the series that an exception is of.
    pub series: Option<&'a Wall>,
}

/// Start and end of an event of theirs.
///
/// # Errors
/// Without times; a series in a zone that nobody knows.
pub fn told(doc: &Value, context: Context<'_>) -> Result<Told, Refusal> {
    let bad = || Refusal::new("invalid", "the event has no start that can be read");
    let start = wire::civil(wire::text(doc, "start.dateTime")).ok_or_else(bad)?;
    let end = wire::civil(wire::text(doc, "end.dateTime")).unwrap_or(start);
    if wire::flag(doc, "isAllDay") == Some(true) {
        let (first, last) = (start.date(), end.date());
        let next = first.tomorrow().unwrap_or(first);
        return Ok(Told {
            start: When::Date(first),
            end: When::Date(last.max(next)),
            wall: Wall::utc(),
            instant: Zone::Utc.to_instant(start),
        });
    }
    let instant = |at: DateTime, zone: &str| {
        Wall::named(zone).map_or_else(|| Zone::Utc.to_instant(at), |wall| wall.zone.to_instant(at))
    };
    let from = instant(start, wire::text(doc, "start.timeZone"));
    let to = instant(end, wire::text(doc, "end.timeZone")).max(from);
    let wall = wall_of(doc, context, from)?;
    let mut kept = context.kept.unwrap_or_default().split(' ');
    let (own, own_end) = (kept.next().unwrap_or_default(), kept.next());
    let recurs = doc.get("recurrence").is_some_and(Value::is_object);
    let start = say(from, &wall, own, recurs || context.series.is_some());
    let end_wall = Wall::named(wire::text(doc, "originalEndTimeZone"));
    let end = match (end_wall, own_end) {
        (Some(end_wall), Some(own_end)) if !end_wall.same_clock(&wall, to) || own_end != own => {
            say(to, &end_wall, own_end, true).0
        }
        (Some(end_wall), None) if !end_wall.same_clock(&wall, to) => say(to, &end_wall, "", true).0,
        _ => say(to, &start.1, own, true).0,
    };
    Ok(Told {
        start: start.0,
        end,
        wall: start.1,
        instant: from,
    })
}

/// The zone that an event was made in; a single event's may be unknown, and is UTC then.
fn wall_of(doc: &Value, context: Context<'_>, at: i64) -> Result<Wall, Refusal> {
    let names = [
        wire::text(doc, "recurrence.range.recurrenceTimeZone"),
        wire::text(doc, "originalStartTimeZone"),
    ];
    let recurs = doc.get("recurrence").is_some_and(Value::is_object);
    let own = names.iter().find_map(|name| Wall::named(name));
    if let (Some(series), Some(own)) = (context.series, &own)
        && own.same_clock(series, at)
    {
        return Ok(series.clone());
    }
    match own.or_else(|| context.series.cloned()) {
        Some(wall) => Ok(wall),
        None if recurs => Err(Refusal::new(
            "zone",
            format!(
                "it repeats in a time zone that is not known here ({})",
                names
                    .iter()
                    .find(|name| !name.is_empty())
                    .unwrap_or(&"none")
            ),
        )),
        None => Ok(Wall::utc()),
    }
}

/// An instant in words: in the zone that we had when its clock is the same, else in theirs.
fn say(at: i64, wall: &Wall, kept: &str, recurs: bool) -> (When, Wall) {
    let (floating, name) = match kept.strip_prefix("floating:") {
        Some(name) => (true, name),
        None => (false, kept),
    };
    let ours =
        Wall::named(name).filter(|ours| ours.same_clock(wall, at) || (wall.is_utc() && !recurs));
    let floating = floating && ours.is_some();
    let wall = ours.unwrap_or_else(|| wall.clone());
    let local = wall.zone.to_civil(at);
    let when = if floating {
        When::Floating(local)
    } else if wall.is_utc() {
        When::Utc(local)
    } else if !recurs && wall.zone.to_instant(local) != at {
        // the second of the hours that come twice
        return (When::Utc(Zone::Utc.to_civil(at)), Wall::utc());
    } else {
        When::Zoned {
            at: local,
            tzid: wall.name.clone(),
        }
    };
    (when, wall)
}

/// The zone that a series repeats in.
pub fn series_wall(master: &Value) -> Wall {
    let names = [
        "recurrence.range.recurrenceTimeZone",
        "originalStartTimeZone",
    ];
    let named = names
        .iter()
        .find_map(|name| Wall::named(wire::text(master, name)));
    named.unwrap_or_else(Wall::utc)
}

/// The original day of an exception, by its id or by its original start.
pub fn original_date(doc: &Value, series: &Wall, all_day: bool) -> Option<Date> {
    if let Some((date, _)) = extra::part(doc) {
        return Some(date);
    }
    let named = wire::text(doc, "occurrenceId");
    if let Some(date) = named.rsplit('.').next().and_then(|date| date.parse().ok()) {
        return Some(date);
    }
    let at = wire::instant(wire::text(doc, "originalStart"))?;
    if all_day && at % civil::DAY == 0 {
        return Some(Zone::Utc.to_civil(at).date());
    }
    Some(series.zone.to_civil(at).date())
}
