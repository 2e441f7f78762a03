//! Graph's event as an iCalendar object. The same resources give the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::Value;

use super::super::recurrence::{Recurrence, Start};
use super::super::wire::{self, Kind};
use super::super::zone::Wall;
use super::time::{Context, Told, original_date, series_wall, told};
use super::{body, extra, people, words};
use crate::ical::text::escape;
use crate::ical::value::When;
use crate::ical::write::{content_line, text_line};
use crate::ical::zone::{Zone, vtimezone};
use crate::remote::{Item, Loss, Read, Reading, Refusal};

/// PRODID of what is read from Graph.
const PRODID: &str = "-//Kalends//Microsoft//EN";

/// VTIMEZONEs tell more than the event's own time: readers look at the year around it to know the zone.
const AROUND: i64 = 400 * crate::ical::rrule::civil::DAY;

/// What the resources of one event mean.
///
/// # Errors
/// A series in a zone or with a pattern that nobody knows; an event without times.
pub fn read(account: &str, items: &[Item]) -> Result<Read, Refusal> {
    let docs: Vec<Value> = items
        .iter()
        .map(|item| serde_json::from_slice(&item.doc).unwrap_or(Value::Null))
        .collect();
    let Some(master) = docs.first().filter(|doc| doc.is_object()) else {
        return Ok(Read::Nothing);
    };
    let mut reader = Reader {
        account,
        zones: BTreeMap::new(),
        losses: Vec::new(),
    };
    let marker = extra::marker(master);
    let uid = match &marker {
        Some(marker) => marker.uid.clone(),
        None => match wire::text(master, "iCalUId") {
            "" => wire::text(master, "id").to_owned(),
            uid => uid.to_owned(),
        },
    };
    let events = reader.events(&uid, master, docs.get(1..).unwrap_or_default())?;
    let text = reader.calendar(&events);
    Ok(Read::Event(Box::new(Reading {
        text: text.into_bytes(),
        uid,
        marker,
        ours_to_edit: people::is_organizer(master),
        has_guests: docs.iter().any(|doc| people::has_guests(doc, account)),
        losses: reader.losses,
    })))
}

struct Reader<'a> {
    account: &'a str,
    /// TZIDs in use: first and last instant (none: for good).
    zones: BTreeMap<String, (i64, Option<i64>)>,
    losses: Vec<Loss>,
}

/// The series that an exception is read in.
struct Series {
    start: When,
    wall: Wall,
    length: i64,
    all_day: bool,
}

impl Reader<'_> {
    fn events(&mut self, uid: &str, master: &Value, others: &[Value]) -> Result<String, Refusal> {
        let kept = extra::get(master, extra::ZONES);
        let times = told(master, Context { kept, series: None })?;
        self.note_losses(master, &times);
        let recurs = wire::kind(master) == Kind::Master && master["recurrence"].is_object();
        let mut extra_lines = String::new();
        let mut overrides = String::new();
        if recurs {
            let recurrence = Recurrence::of_json(&master["recurrence"])?;
            let start = Start {
                local: times.start.civil(),
                date: times.start.is_date(),
                wall: &times.wall,
            };
            let rule = recurrence.to_rule(&start).to_string();
            extra_lines += &content_line("RRULE", &[], &rule);
            let series = Series::of(&times, master);
            let (text, shown) = self.overrides(uid, master, others, &series, kept)?;
            overrides = text;
            for date in cancelled(master).difference(&shown) {
                extra_lines += &when_line("EXDATE", &series.instance(*date));
            }
        }
        self.use_zones(&times, recurs);
        let event = self.event(uid, master, &times, &extra_lines);
        Ok(event + &overrides)
    }

    /// The overrides in order, and the days that resources of their own stand for.
    fn overrides(
        &mut self,
        uid: &str,
        master: &Value,
        others: &[Value],
        series: &Series,
        kept: Option<&str>,
    ) -> Result<(String, BTreeSet<Date>), Refusal> {
        let mut found: BTreeMap<Date, String> = BTreeMap::new();
        let mut shown = BTreeSet::new();
        let usual = self.lines(master);
        for doc in others {
            let Some(date) = original_date(doc, &series.wall, series.all_day) else {
                continue;
            };
            let doc = inherit(master, doc);
            let own = extra::get(&doc, extra::ZONES).or(kept);
            let context = Context {
                kept: own,
                series: Some(&series.wall),
            };
            let times = told(&doc, context)?;
            shown.insert(date);
            let rid = series.instance(date);
            if times.start == rid && length(&times) == series.length && self.lines(&doc) == usual {
                found.remove(&date);
                continue;
            }
            self.use_zones(&times, false);
            let line = when_line("RECURRENCE-ID", &rid);
            found.insert(date, self.event(uid, &doc, &times, &line));
        }
        Ok((found.into_values().collect(), shown))
    }

    fn event(&self, uid: &str, doc: &Value, times: &Told, more: &str) -> String {
        let mut text = String::from("BEGIN:VEVENT\r\n");
        text += &text_line("UID", &[], uid);
        let stamps = [
            ("DTSTAMP", "lastModifiedDateTime", "19700101T000000Z"),
            ("CREATED", "createdDateTime", ""),
            ("LAST-MODIFIED", "lastModifiedDateTime", ""),
        ];
        for (name, key, default) in stamps {
            let at = wire::instant(wire::text(doc, key));
            let at = at.map(|at| When::Utc(Zone::Utc.to_civil(at)).to_string());
            let value = at.unwrap_or_else(|| default.to_owned());
            if !value.is_empty() {
                text += &content_line(name, &[], &value);
            }
        }
        text += &when_line("DTSTART", &times.start);
        if times.end != times.start {
            text += &when_line("DTEND", &times.end);
        }
        text += more;
        text += &self.lines(doc);
        text + "END:VEVENT\r\n"
    }

    /// Everything but times and identity.
    fn lines(&self, doc: &Value) -> String {
        let mut text = String::new();
        let mut add = |name: &str, value: &str| {
            if !value.is_empty() {
                text.push_str(&text_line(name, &[], value));
            }
        };
        let title = wire::text(doc, "subject").trim();
        add("SUMMARY", title);
        add("DESCRIPTION", &body::plain(doc));
        add("LOCATION", &location(doc));
        let shown = wire::text(doc, "showAs");
        if wire::flag(doc, "isCancelled") == Some(true) {
            add("STATUS", "CANCELLED");
        } else if shown == "tentative" {
            add("STATUS", "TENTATIVE");
        }
        let class = words::ours(words::SENSITIVITY, wire::text(doc, "sensitivity"));
        add(
            "CLASS",
            class.filter(|class| *class != "PUBLIC").unwrap_or_default(),
        );
        let importance = words::ours(words::IMPORTANCE, wire::text(doc, "importance"));
        add("PRIORITY", importance.unwrap_or_default());
        if shown == "free" {
            add("TRANSP", "TRANSPARENT");
        }
        if matches!(shown, "oof" | "workingElsewhere") {
            let word = words::ours(words::SHOW_AS, shown).unwrap_or_default();
            add("X-MICROSOFT-CDO-BUSYSTATUS", word);
        }
        text += &geo(doc);
        text += &categories(doc);
        text += &conference(doc);
        text += &people::lines(doc, self.account);
        text + &alarm(doc, title)
    }

    fn use_zones(&mut self, times: &Told, endless: bool) {
        for when in [&times.start, &times.end] {
            let When::Zoned { tzid, .. } = when else {
                continue;
            };
            let to = times
                .instant
                .saturating_add(length(times))
                .saturating_add(AROUND);
            let from = times.instant.saturating_sub(AROUND);
            let entry = self.zones.entry(tzid.clone()).or_insert((from, Some(to)));
            entry.0 = entry.0.min(from);
            entry.1 = match entry.1 {
                Some(known) if !endless => Some(known.max(to)),
                _ => None,
            };
        }
    }

    fn calendar(&self, events: &str) -> String {
        let mut text = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n");
        text += &content_line("PRODID", &[], PRODID);
        for (tzid, (from, to)) in &self.zones {
            text += &vtimezone(tzid, *from, *to).unwrap_or_default();
        }
        text + events + "END:VCALENDAR\r\n"
    }

    fn note_losses(&mut self, master: &Value, times: &Told) {
        let mut lose = |property: &str, what: &str| {
            self.losses.push(Loss {
                rid: None,
                property: property.into(),
                what: what.into(),
            });
        };
        if wire::flag(master, "hasAttachments") == Some(true) {
            lose("ATTACH", "attachments stay at Microsoft");
        }
        let zone = wire::text(master, "originalStartTimeZone");
        let known = zone.is_empty() || Wall::named(zone).is_some();
        if !known && !times.start.is_date() {
            lose(
                "DTSTART",
                "its time zone is not known here: it is told in UTC",
            );
        }
    }
}

impl Series {
    fn of(times: &Told, master: &Value) -> Series {
        let all_day = times.start.is_date();
        Series {
            start: times.start.clone(),
            // Days are days, but the original start of an exception is an instant of some zone.
            wall: if all_day {
                series_wall(master)
            } else {
                times.wall.clone()
            },
            length: length(times),
            all_day,
        }
    }

    /// The time of the instance on a day, as RECURRENCE-ID and EXDATE name it. That of a series in UTC is of a day
    /// in UTC.
    fn instance(&self, date: Date) -> When {
        self.start
            .with_civil(date.to_datetime(self.start.civil().time()))
    }
}

/// Seconds from start to end; days of whole days.
fn length(times: &Told) -> i64 {
    let at = |when: &When| {
        let zone = when.tzid().and_then(Zone::named);
        let zone = match when {
            When::Floating(_) => times.wall.zone.clone(),
            _ => zone.unwrap_or(Zone::Utc),
        };
        zone.to_instant(when.civil())
    };
    at(&times.end) - at(&times.start)
}

/// An exception with the master's value for every key that it does not have: stubs inherit (FACTS §4.3).
pub fn inherit(master: &Value, exception: &Value) -> Value {
    const OWN: [&str; 6] = [
        "recurrence",
        "cancelledOccurrences",
        "exceptionOccurrences",
        extra::KEY,
        "originalStartTimeZone",
        "originalEndTimeZone",
    ];
    let mut doc = exception.clone();
    if let (Some(doc), Some(master)) = (doc.as_object_mut(), master.as_object()) {
        for (key, value) in master {
            if !OWN.contains(&key.as_str()) && !doc.contains_key(key) {
                doc.insert(key.clone(), value.clone());
            }
        }
    }
    doc
}

/// The days whose instances were deleted: `OID.<id>.<date>`.
pub fn cancelled(master: &Value) -> BTreeSet<Date> {
    wire::texts(master, "cancelledOccurrences")
        .filter_map(|id| id.rsplit('.').next().and_then(|date| date.parse().ok()))
        .collect()
}

fn when_line(name: &str, when: &When) -> String {
    let params: Vec<(&str, &str)> = when.param().into_iter().collect();
    content_line(name, &params, &when.to_string())
}

fn location(doc: &Value) -> String {
    let name = wire::text(doc, "location.displayName");
    if !name.is_empty() {
        return body::normal(name).trim().to_owned();
    }
    let names: Vec<&str> = wire::list(doc, "locations")
        .iter()
        .map(|location| wire::text(location, "displayName"))
        .filter(|name| !name.is_empty())
        .collect();
    names.join("; ")
}

fn geo(doc: &Value) -> String {
    let point = |key: &str| doc["location"]["coordinates"][key].as_f64();
    match (point("latitude"), point("longitude")) {
        (Some(latitude), Some(longitude)) => {
            content_line("GEO", &[], &format!("{latitude};{longitude}"))
        }
        _ => String::new(),
    }
}

fn categories(doc: &Value) -> String {
    let names: BTreeSet<&str> = wire::texts(doc, "categories").collect();
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<String> = names.into_iter().map(escape).collect();
    content_line("CATEGORIES", &[], &names.join(","))
}

/// The address of an online meeting; may be empty.
pub fn meeting(doc: &Value) -> &str {
    match wire::text(doc, "onlineMeeting.joinUrl") {
        "" => wire::text(doc, "onlineMeetingUrl"),
        url => url,
    }
}

/// RFC 7986 §5.11.
fn conference(doc: &Value) -> String {
    let url = meeting(doc);
    if url.is_empty() {
        return String::new();
    }
    let params = [("VALUE", "URI"), ("LABEL", "Teams")];
    content_line("CONFERENCE", &params, url)
}

fn alarm(doc: &Value, title: &str) -> String {
    let on = wire::flag(doc, "isReminderOn") == Some(true);
    let minutes = wire::number(doc, "reminderMinutesBeforeStart").filter(|_| on);
    let Some(minutes) = minutes.filter(|minutes| (0..=5_256_000).contains(minutes)) else {
        return String::new();
    };
    let trigger = crate::ical::value::Duration::from_seconds(-minutes * 60);
    let trigger = if minutes == 0 {
        "PT0S".to_owned()
    } else {
        trigger.to_string()
    };
    let mut text = String::from("BEGIN:VALARM\r\nACTION:DISPLAY\r\n");
    text += &text_line(
        "DESCRIPTION",
        &[],
        if title.is_empty() { "Reminder" } else { title },
    );
    text += &content_line("TRIGGER", &[], &trigger);
    text + "END:VALARM\r\n"
}
