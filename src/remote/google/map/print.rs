//! A remote event as an iCalendar object: master, exceptions, VTIMEZONEs. RFC 5545 §3.6; FACTS §2.3.
//!
//! The text depends on the resources alone: reading the same ones twice gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use super::recur::Frame;
use super::theirs::{self, Known, Resource};
use super::{Class, Fields, Status, alarms, conference, people};
use crate::ical::value::When;
use crate::ical::write::{content_line, text_line};
use crate::ical::zone::vtimezone;
use crate::remote::google::wire::{self, Json, Rid, Time, utc_form};
use crate::remote::{Item, Loss, Place, Read, Reading, Refusal};

const PRODID: &str = "-//Kalends//Kalends//EN";

/// Kinds of events that are no appointments (FACTS §2.3).
const NOTHING: &[&str] = &["workingLocation", "birthday"];

const DAY: i64 = 86_400;
/// How far beyond its last use a VTIMEZONE goes: readers, ours too, ask whether it agrees with tzdata for a while.
const COVERED: i64 = 400 * DAY;

/// # Errors
/// `time-zone` for a series in a zone that nobody knows; `invalid` for an event without times.
pub fn read(place: &Place, account: &str, items: &[Item]) -> Result<Read, Refusal> {
    let known = Known::of(items, place);
    let Some(main) = known.main() else {
        return Ok(Read::Nothing);
    };
    if main.is_cancelled() || NOTHING.contains(&wire::text(&main.doc, "eventType")) {
        return Ok(Read::Nothing);
    }
    check_zone(main)?;
    let marker = theirs::marker(&main.doc);
    let uid = match &marker {
        Some(marker) => marker.uid.clone(),
        None => uid(main),
    };
    let mut printer = Printer {
        frame: known.frame(),
        account,
        uid: &uid,
        zones: BTreeMap::new(),
        out: String::new(),
    };
    printer.all(&known)?;
    let text = printer.calendar(known.master.as_ref());
    Ok(Read::Event(Box::new(Reading {
        text: text.into_bytes(),
        ours_to_edit: theirs::editable(&main.doc, place, account),
        has_guests: resources(&known).any(|one| people::has_guests(&one.doc, account)),
        losses: losses(&main.doc),
        marker,
        uid,
    })))
}

fn resources(known: &Known) -> impl Iterator<Item = &Resource> {
    known.master.iter().chain(known.exceptions.values())
}

fn uid(main: &Resource) -> String {
    match wire::text(&main.doc, "iCalUID") {
        "" => format!(
            "{}@google.com",
            main.item.series.as_ref().unwrap_or(&main.item.id)
        ),
        uid => uid.to_owned(),
    }
}

/// A series can not be said in a zone that we do not know; a single event can, by its instants.
fn check_zone(main: &Resource) -> Result<(), Refusal> {
    let zone = wire::object(&main.doc, "start").map_or("", |start| wire::text(start, "timeZone"));
    let repeats = !wire::list(&main.doc, "recurrence").is_empty();
    if repeats && !zone.is_empty() && wire::zone_name(zone).is_none() {
        return Err(Refusal::new(
            "time-zone",
            "it repeats in a time zone that is not known here",
        ));
    }
    Ok(())
}

/// What they hold of it and iCalendar, or we, do not.
fn losses(doc: &Json) -> Vec<Loss> {
    let mut losses = Vec::new();
    if wire::flag(doc, "attendeesOmitted") {
        losses.push(Loss {
            rid: None,
            property: "ATTENDEE".into(),
            what: "Google shows us only a part of the guests".into(),
        });
    }
    losses
}

struct Printer<'a> {
    frame: Frame,
    account: &'a str,
    uid: &'a str,
    /// TZIDs that were used, and between which instants.
    zones: BTreeMap<String, (i64, i64)>,
    out: String,
}

impl Printer<'_> {
    fn all(&mut self, known: &Known) -> Result<(), Refusal> {
        let mut excluded = BTreeSet::new();
        if let Some(master) = &known.master {
            excluded.clone_from(&master.fields.recurrence.excluded);
            let cancelled = known
                .exceptions
                .iter()
                .filter(|(_, one)| one.is_cancelled());
            excluded.extend(cancelled.map(|(rid, _)| *rid));
            self.event(master, None, &master.fields, &excluded)?;
        }
        for (rid, one) in known
            .exceptions
            .iter()
            .filter(|(_, one)| !one.is_cancelled())
        {
            let usual = known
                .master
                .as_ref()
                .map(|master| (master, master.fields.instance(*rid)));
            match usual {
                Some((master, usual)) if is_usual(one, master, &usual) => {}
                Some((_, usual)) => {
                    let fields = with_times(&one.fields, &usual);
                    self.event(one, Some(*rid), &fields, &BTreeSet::new())?;
                }
                None => self.event(one, Some(*rid), &one.fields, &BTreeSet::new())?,
            }
        }
        Ok(())
    }

    /// The VCALENDAR around the events.
    fn calendar(self, master: Option<&Resource>) -> String {
        let endless = master.is_some_and(|one| !one.fields.recurrence.is_empty());
        let mut text = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n");
        text.push_str(&content_line("PRODID", &[], PRODID));
        for (tzid, (from, to)) in &self.zones {
            let to = (!endless).then_some(*to);
            text.push_str(&vtimezone(tzid, *from, to).unwrap_or_default());
        }
        text.push_str(&self.out);
        text.push_str("END:VCALENDAR\r\n");
        text
    }

    fn event(
        &mut self,
        one: &Resource,
        rid: Option<Rid>,
        fields: &Fields,
        excluded: &BTreeSet<Rid>,
    ) -> Result<(), Refusal> {
        let start = fields
            .start
            .as_ref()
            .ok_or_else(|| Refusal::new("invalid", "Google does not say when this event starts"))?;
        self.out.push_str("BEGIN:VEVENT\r\n");
        self.line("UID", &[], &crate::ical::text::escape(self.uid));
        self.stamps(&one.doc);
        if let Some(rid) = rid {
            let when = self.frame.when(rid);
            self.when("RECURRENCE-ID", &when);
        }
        self.time("DTSTART", start);
        if let Some(end) = &fields.end {
            self.time("DTEND", end);
        }
        self.recurrence(fields, excluded);
        self.words(fields, &one.doc);
        people::print(&one.doc, &mut self.out);
        conference::print(&one.doc, &mut self.out);
        if let Some(reminders) = &fields.reminders {
            alarms::print(reminders, &fields.summary, self.account, &mut self.out);
        }
        self.out.push_str("END:VEVENT\r\n");
        Ok(())
    }

    fn line(&mut self, name: &str, params: &[(&str, &str)], value: &str) {
        self.out.push_str(&content_line(name, params, value));
    }

    /// DTSTAMP, CREATED, LAST-MODIFIED, SEQUENCE.
    fn stamps(&mut self, doc: &Json) {
        let at = |key| wire::instant(wire::text(doc, key));
        let updated = at("updated").or_else(|| at("created")).unwrap_or(0);
        self.line("DTSTAMP", &[], &utc_form(updated));
        for (name, key) in [("CREATED", "created"), ("LAST-MODIFIED", "updated")] {
            if let Some(instant) = at(key) {
                self.line(name, &[], &utc_form(instant));
            }
        }
        let sequence = doc.get("sequence").and_then(serde_json::Value::as_u64);
        if let Some(sequence) = sequence.filter(|number| *number > 0) {
            self.line("SEQUENCE", &[], &sequence.to_string());
        }
    }

    fn time(&mut self, name: &str, time: &Time) {
        let frame = Frame::of(time);
        let when = frame.when(time.rid());
        self.when(name, &when);
    }

    fn when(&mut self, name: &str, when: &When) {
        self.remember(when);
        self.line(name, when.param().as_slice(), &when.to_string());
    }

    /// Notes that a zone is used at a time, for its VTIMEZONE.
    fn remember(&mut self, when: &When) {
        if let When::Zoned { at, tzid } = when {
            let near = crate::ical::rrule::civil::seconds(*at);
            let span = self.zones.entry(tzid.clone()).or_insert((near, near));
            *span = (span.0.min(near - DAY), span.1.max(near + COVERED));
        }
    }

    fn recurrence(&mut self, fields: &Fields, excluded: &BTreeSet<Rid>) {
        for rule in &fields.recurrence.rules {
            self.line(rule.name, &[], &rule.text);
        }
        for (name, rids) in [("RDATE", &fields.recurrence.dates), ("EXDATE", excluded)] {
            if rids.is_empty() {
                continue;
            }
            for rid in rids {
                self.remember(&self.frame.when(*rid));
            }
            let (param, values) = self.frame.values(rids);
            let params: Vec<(&str, &str)> = param
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            self.line(name, &params, &values);
        }
    }

    fn words(&mut self, fields: &Fields, doc: &Json) {
        for (name, text) in [
            ("SUMMARY", &fields.summary),
            ("DESCRIPTION", &fields.description),
            ("LOCATION", &fields.location),
        ] {
            if !text.is_empty() {
                self.out.push_str(&text_line(name, &[], text));
            }
        }
        let tentative = fields.status == Status::Tentative;
        self.line(
            "STATUS",
            &[],
            if tentative { "TENTATIVE" } else { "CONFIRMED" },
        );
        if fields.class != Class::Default {
            self.line("CLASS", &[], fields.class.ours());
        }
        if fields.transparent {
            self.line("TRANSP", &[], "TRANSPARENT");
        }
        if let Some(color) = fields.color.name() {
            self.line("COLOR", &[], color);
        }
        if !theirs::is_plain(doc) {
            self.line("X-GOOGLE-EVENT-TYPE", &[], wire::text(doc, "eventType"));
        }
    }
}

/// An exception that says nothing but what the series makes anyway: it was changed back.
fn is_usual(one: &Resource, master: &Resource, usual: &Fields) -> bool {
    let same = |key: &str| one.doc.get(key) == master.doc.get(key);
    let fields = Fields {
        marker: None,
        ..one.fields.clone()
    };
    fields == *usual
        && same("conferenceData")
        && same("attachments")
        && answers(&one.doc) == answers(&master.doc)
}

/// Who answered what.
fn answers(doc: &Json) -> BTreeSet<(&str, &str)> {
    wire::objects(doc, "attendees")
        .map(|guest| {
            (
                wire::text(guest, "email"),
                wire::text(guest, "responseStatus"),
            )
        })
        .collect()
}

/// An exception that does not say when it is, is when the series puts it.
fn with_times(fields: &Fields, usual: &Fields) -> Fields {
    let mut fields = fields.clone();
    if fields.start.is_none() {
        fields.start.clone_from(&usual.start);
        fields.end.clone_from(&usual.end);
    }
    fields
}
