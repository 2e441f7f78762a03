//! Times of an object as text: its span, its rules, its exceptions, which instance an override is. RFC 5545 §3.8.2,
//! §3.8.4.4, §3.8.5.
//!
//! *Which zone?* The IANA name, as tzdata spells it now, where the VTIMEZONE agrees with it in the year that follows;
//! else the TZID with the offset at that time. *Which instance?* The moment, on the series' own axis, so a UTC and a
//! local RECURRENCE-ID are the same.
//!
//! *Until when does a rule go?* Until the last day that can have an instance, in the zone of DTSTART: an `UNTIL` in UTC,
//! a date and a local time may all say so.

use std::collections::BTreeSet;

use jiff::civil::Weekday;

use crate::ical::expand::length::{Frame, Length};
use crate::ical::object::Object;
use crate::ical::rrule::civil::{self, DAY};
use crate::ical::rrule::{Freq, Rule, Until, WeekdayNum};
use crate::ical::tree::{Component, Property};
use crate::ical::value::{Rdate, When};
use crate::ical::zone::{Zone, Zones, current};

/// The properties that [`Times`] reads; the others are values.
const TIMES: [&str; 9] = [
    "DTSTART",
    "DTEND",
    "DUE",
    "DURATION",
    "RRULE",
    "RDATE",
    "EXRULE",
    "EXDATE",
    "RECURRENCE-ID",
];

/// Has it times of its own? An alarm's DURATION is something else.
pub(in crate::ical) fn is_timed(part: Component<'_>) -> bool {
    !part.is("VALARM")
}

/// Is it read as part of the times?
pub(in crate::ical) fn is_time(part: Component<'_>, property: Property<'_>) -> bool {
    is_timed(part) && TIMES.iter().any(|name| property.is(name))
}

/// How times are read in one object.
pub(in crate::ical) struct Times<'t> {
    pub zones: Zones<'t>,
    /// The form of the series' DTSTART; of the first RECURRENCE-ID where there is no master.
    pub frame: Frame,
    /// DTSTART of the master.
    pub start: Option<When>,
}

impl<'t> Times<'t> {
    pub fn of(object: &Object<'t>) -> Times<'t> {
        Self::new(
            object.master,
            object.overrides.first().map(|over| &over.recurrence_id),
            Zones::of(object.calendar.tree()),
        )
    }

    /// For a component by itself.
    pub fn of_component(part: Component<'t>) -> Times<'t> {
        Self::new(Some(part), None, Zones::of(part.tree()))
    }

    fn new(master: Option<Component<'t>>, other: Option<&When>, zones: Zones<'t>) -> Times<'t> {
        let start = master.and_then(start_of);
        let local = When::Floating(jiff::civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
        let form = start.as_ref().or(other).unwrap_or(&local);
        let at = civil::seconds(form.civil());
        let frame = Frame::of(form, &zones, Some((at - DAY, at + 366 * DAY)));
        Times {
            zones,
            frame,
            start,
        }
    }

    /// The zone of a TZID near a local time.
    fn zone(&self, tzid: &str, near: i64) -> Option<Zone> {
        self.zones
            .resolve(tzid, Some((near - DAY, near + 366 * DAY)))
    }

    /// A zone's name for comparing.
    pub fn zone_name(&self, tzid: &str, near: i64) -> String {
        match self.zone(tzid, near) {
            Some(zone) => match zone.iana_name() {
                Some(name) => current(name).to_owned(),
                None => format!("{tzid} {:+}", zone.offset_at(zone.instant_of(near))),
            },
            None => format!("{tzid} unknown"),
        }
    }

    /// A time with its zone.
    pub fn when(&self, when: &When) -> String {
        let When::Zoned { at, tzid } = when else {
            return when.to_string();
        };
        match self.zone_name(tzid, civil::seconds(*at)).as_str() {
            "UTC" => When::Utc(*at).to_string(),
            name => format!("{when} {name}"),
        }
    }

    /// Which instance a time names, on the frame's axis. A DATE among times is that day at DTSTART's time.
    pub fn key(&self, when: &When) -> i64 {
        match (when, &self.start) {
            (When::Date(_), Some(start)) if !self.frame.date => {
                let day = civil::seconds(when.civil());
                let of_day = civil::seconds(start.civil()).rem_euclid(DAY);
                self.frame.key(day + of_day)
            }
            _ => self.frame.key_of(when, &self.zones),
        }
    }

    /// A key as text.
    pub fn print(&self, key: i64) -> String {
        let Some(at) = civil::date_time(key) else {
            return key.to_string();
        };
        match (self.frame.date, self.frame.is_local()) {
            (true, _) => When::Date(at.date()),
            (false, true) => When::Floating(at),
            (false, false) => When::Utc(at),
        }
        .to_string()
    }

    /// The time of an instance in the form of DTSTART.
    pub fn instance_time(&self, key: i64) -> When {
        let at = civil::date_time(self.frame.local(key)).unwrap_or_default();
        match &self.start {
            Some(start) => start.with_civil(at),
            None if self.frame.date => When::Date(at.date()),
            None if self.frame.is_local() => When::Floating(at),
            None => When::Utc(civil::date_time(key).unwrap_or_default()),
        }
    }

    /// Which instance an override is.
    pub fn instance(&self, part: Component<'_>) -> Option<String> {
        let id = part.property("RECURRENCE-ID")?;
        let range = id.param("RANGE");
        let on = range.is_some_and(|range| range.eq_ignore_ascii_case("THISANDFUTURE"));
        let when = When::of(id).ok()?;
        let key = self.print(self.key(&when));
        Some(if on { key + " and following" } else { key })
    }

    /// Start and end of a component: DTEND and a DURATION that ends there are the same. An override at its own place
    /// has only its length, so that moving the series does not change it.
    pub fn span(&self, part: Component<'_>) -> Option<String> {
        let start = start_of(part)?;
        let frame = self.frame_of(&start);
        let end = self.end(part, &start, &frame);
        if let Some(id) = part
            .property("RECURRENCE-ID")
            .and_then(|p| When::of(p).ok())
        {
            let key = self.key(&id);
            if self.same_form(&frame) && frame.key_of(&start, &self.zones) == key {
                return Some(format!("in place, {}", length(&start, &end)));
            }
        }
        let end = end.as_ref().map_or(String::new(), |end| self.when(end));
        Some(format!("{}/{end}", self.when(&start)))
    }

    /// [`Times::span`] of the instances of a master.
    pub fn span_in_place(&self, master: Component<'_>) -> Option<String> {
        let start = start_of(master)?;
        let end = self.end(master, &start, &self.frame_of(&start));
        Some(format!("in place, {}", length(&start, &end)))
    }

    /// Does an override stand where its instance would be?
    pub fn is_in_place(&self, part: Component<'_>) -> bool {
        self.span(part)
            .is_some_and(|span| span.starts_with("in place"))
    }

    fn same_form(&self, frame: &Frame) -> bool {
        frame.date == self.frame.date && frame.is_local() == self.frame.is_local()
    }

    fn frame_of(&self, start: &When) -> Frame {
        let at = civil::seconds(start.civil());
        Frame::of(start, &self.zones, Some((at - DAY, at + 366 * DAY)))
    }

    /// The end of a component, in the zone of its start unless it has one of its own. A to-do may have none.
    fn end(&self, part: Component<'_>, start: &When, frame: &Frame) -> Option<When> {
        let todo = part.is("VTODO");
        let named = part.property(if todo { "DUE" } else { "DTEND" });
        let named = named.and_then(|end| When::of(end).ok());
        let lasting = part.property("DURATION").is_some();
        if named.is_none() && !lasting && (todo || part.is("VJOURNAL")) {
            return None;
        }
        if let Some(end @ When::Zoned { .. }) = &named
            && end.tzid() != start.tzid()
            && !frame.is_local()
        {
            return named;
        }
        let local = civil::seconds(start.civil());
        let key = frame.key(local);
        let end = frame.end(key, local, Length::of(part, start, frame, &self.zones));
        civil::date_time(frame.local(end)).map(|at| start.with_civil(at))
    }

    /// RRULE, RDATE and EXRULE.
    pub fn recurrence(&self, part: Component<'_>) -> String {
        self.recurrence_from(part, start_of(part).as_ref())
    }

    /// The same for another DTSTART, which is part of what a rule means.
    pub fn recurrence_from(&self, part: Component<'_>, start: Option<&When>) -> String {
        let mut lines = BTreeSet::new();
        for name in ["RRULE", "EXRULE"] {
            for property in part.properties_named(name) {
                let raw = property.value();
                let rule = match Rule::parse(&raw) {
                    Ok(rule) => self.rule(rule, start).to_string(),
                    Err(_) => loose_rule(&raw),
                };
                if !rule.is_empty() {
                    lines.insert(format!("{name}:{rule}"));
                }
            }
        }
        for property in part.properties_named("RDATE") {
            for rdate in Rdate::list(property).unwrap_or_default() {
                let start = self.print(self.key(rdate.start()));
                lines.insert(match rdate {
                    Rdate::Start(_) => format!("RDATE:{start}"),
                    Rdate::Period(period) => {
                        let text = period.to_string();
                        let end = text.split_once('/').map_or("", |(_, end)| end);
                        format!("RDATE:{start}/{end}")
                    }
                });
            }
        }
        lines.into_iter().collect::<Vec<_>>().join("\n")
    }

    /// Keys of the instances that are taken out.
    pub fn exdates(&self, part: Component<'_>) -> BTreeSet<i64> {
        part.properties_named("EXDATE")
            .filter_map(|property| When::list(property).ok())
            .flatten()
            .map(|when| self.key(&when))
            .collect()
    }

    /// A rule without what DTSTART says already, lists sorted, in one of the ways that it can be written.
    fn rule(&self, mut rule: Rule, start: Option<&When>) -> Rule {
        sort_lists(&mut rule);
        one_spelling(&mut rule);
        if let Some(start) = start {
            drop_implied(&mut rule, start);
            self.until_day(&mut rule, start);
        }
        if !week_start_matters(&rule) {
            rule.week_start = Weekday::Monday;
        }
        rule
    }

    /// FACTS §4.5: UNTIL as the last day that it lets through.
    fn until_day(&self, rule: &mut Rule, start: &When) {
        let Some(until) = rule.until else { return };
        let several_a_day = rule.freq < Freq::Daily
            || !(rule.by_hour.is_empty() && rule.by_minute.is_empty() && rule.by_second.is_empty());
        if several_a_day {
            return;
        }
        let local = match until {
            Until::Date(date) => {
                rule.until = Some(Until::Date(date));
                return;
            }
            Until::Local(at) => civil::seconds(at),
            Until::Utc(at) => self.frame_of(start).local(civil::seconds(at)),
        };
        let of_day = civil::seconds(start.civil()).rem_euclid(DAY);
        let day = (local - of_day).div_euclid(DAY) * DAY;
        if let Some(last) = civil::date_time(day) {
            rule.until = Some(Until::Date(last.date()));
        }
    }
}

/// DTSTART, or DUE of a to-do that has only that.
pub(in crate::ical) fn start_of(part: Component<'_>) -> Option<When> {
    let start = part.property("DTSTART").or_else(|| part.property("DUE"))?;
    When::of(start).ok()
}

fn length(start: &When, end: &Option<When>) -> String {
    match end {
        Some(end) if end.tzid() == start.tzid() => {
            format!(
                "{} s",
                civil::seconds(end.civil()) - civil::seconds(start.civil())
            )
        }
        Some(end) => format!("until {end} {}", end.tzid().unwrap_or_default()),
        None => "open".to_owned(),
    }
}

/// A rule that cannot be read: its parts, sorted.
fn loose_rule(raw: &str) -> String {
    let mut parts: Vec<String> = raw
        .split(';')
        .map(|part| part.trim().to_ascii_uppercase())
        .filter(|part| !part.is_empty())
        .collect();
    parts.sort_unstable();
    parts.join(";")
}

fn sort_lists(rule: &mut Rule) {
    fn sort<T: Ord>(list: &mut Vec<T>) {
        list.sort_unstable();
        list.dedup();
    }
    sort(&mut rule.by_second);
    sort(&mut rule.by_minute);
    sort(&mut rule.by_hour);
    sort(&mut rule.by_month_day);
    sort(&mut rule.by_year_day);
    sort(&mut rule.by_week_no);
    sort(&mut rule.by_month);
    sort(&mut rule.by_set_pos);
    rule.by_day
        .sort_by_key(|day| (day.nth, day.day.to_monday_zero_offset()));
    rule.by_day.dedup();
}

fn every(day: Weekday) -> WeekdayNum {
    WeekdayNum { nth: 0, day }
}

/// `BYDAY=TU;BYSETPOS=2` of a month is `BYDAY=2TU`; every day that is one of some weekdays is weekly on them.
fn one_spelling(rule: &mut Rule) {
    let only_days = rule.by_month_day.is_empty()
        && rule.by_year_day.is_empty()
        && rule.by_week_no.is_empty()
        && rule.by_hour.is_empty()
        && rule.by_minute.is_empty()
        && rule.by_second.is_empty();
    if !only_days {
        return;
    }
    let in_month =
        rule.freq == Freq::Monthly || rule.freq == Freq::Yearly && !rule.by_month.is_empty();
    if let ([day], [pos @ (-5..=-1 | 1..=5)]) = (&mut rule.by_day[..], &rule.by_set_pos[..])
        && day.nth == 0
        && in_month
        && rule.by_month.len() <= 1
    {
        day.nth = *pos as i8;
        rule.by_set_pos.clear();
    }
    let weekly = rule.freq == Freq::Daily
        && rule.interval == 1
        && rule.by_set_pos.is_empty()
        && rule.by_month.is_empty();
    if weekly && !rule.by_day.is_empty() {
        rule.freq = Freq::Weekly;
    } else if rule.freq == Freq::Weekly && rule.interval == 1 && rule.by_day.len() == 7 {
        rule.freq = Freq::Daily;
        rule.by_day.clear();
    }
}

/// §3.3.10: what the rule does not say comes from DTSTART, so it need not say that.
fn drop_implied(rule: &mut Rule, start: &When) {
    if !(rule.by_year_day.is_empty() && rule.by_week_no.is_empty() && rule.by_set_pos.is_empty()) {
        return;
    }
    let date = start.date();
    let own_day = rule.by_month_day == [date.day()];
    match rule.freq {
        Freq::Weekly if rule.by_day == [every(date.weekday())] => rule.by_day.clear(),
        Freq::Monthly if own_day && rule.by_day.is_empty() => rule.by_month_day.clear(),
        Freq::Yearly if rule.by_day.is_empty() && rule.by_month == [date.month() as u8] => {
            if own_day {
                rule.by_month_day.clear();
            }
            if rule.by_month_day.is_empty() {
                rule.by_month.clear();
            }
        }
        _ => {}
    }
}

/// §3.3.10, WKST: only where weeks are counted.
fn week_start_matters(rule: &Rule) -> bool {
    !rule.by_week_no.is_empty()
        || rule.freq == Freq::Weekly
            && (rule.interval > 1 && !rule.by_day.is_empty() || !rule.by_set_pos.is_empty())
}
