//! Our object as Graph should have it. FACTS §4.4, §4.5.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time};
use serde_json::{Value, json};

use super::super::recurrence::{Recurrence, Start};
use super::super::wire::{self, Doc};
use super::super::zone::Wall;
use super::diff::diff;
use super::fields::{Lost, is_cancelled, labels, location, show_as, text_of, texts};
use super::time::{Times, instant_of};
use super::{extra, losses, people, read};
use crate::ical::object::{Kind, Object};
use crate::ical::rrule::{Budget, Rule};
use crate::ical::tree::{Component, Limits, Tree};
use crate::ical::value::When;
use crate::ical::zone::{Zone, Zones};
use crate::model::bridge::GuestPolicy;
use crate::remote::{ASKS_CONFERENCE, Item, Loss, Place, Put, Refusal};

/// What has to be there.
#[derive(Debug)]
pub struct Wanted {
    /// The keys of the event that are ours, `recurrence` included.
    pub master: Doc,
    pub series: Option<Series>,
    pub losses: Vec<Loss>,
}

/// What a series has besides its master.
#[derive(Debug)]
pub struct Series {
    pub wall: Wall,
    pub times: Times,
    /// By original local day: a pattern has one instance a day at most.
    pub instances: BTreeMap<Date, Wish>,
    rule: Rule,
}

/// What an instance should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    Cancelled,
    /// The keys of it that are ours.
    Own(Doc),
}

/// As `put.text` says.
///
/// # Errors
/// What cannot be said there.
pub fn wanted(place: &Place, put: &Put<'_>) -> Result<Wanted, Refusal> {
    let unreadable = || Refusal::new("invalid", "the event cannot be read");
    let tree = Tree::parse(put.text, &Limits::default()).map_err(|_| unreadable())?;
    let object = Object::read(&tree).map_err(|_| unreadable())?;
    let master = object.master.ok_or_else(|| {
        Refusal::new(
            "instance-only",
            "it is one instance of a series whose other dates are not known here",
        )
    })?;
    if object.kind != Kind::Event {
        return Err(Refusal::new("invalid", "only events can be sent"));
    }
    let mut writer = Writer {
        zones: Zones::of(&tree),
        home: Wall::named(&place.zone).unwrap_or_else(Wall::utc),
        guests: put.guests,
        teams: has_teams(place),
        meeting: put.known.first().map(meeting).unwrap_or_default(),
        losses: Vec::new(),
    };
    let rule = only_rule(master)?;
    let times = Times::of(master, &writer.zones, &writer.home, rule.is_some())?;
    let mut doc = writer.event(master, &times, None)?;
    let series = match rule {
        Some(rule) => Some(writer.series(&object, master, rule, times.clone(), &mut doc)?),
        None if object.overrides.is_empty() => {
            doc.insert("recurrence".into(), Value::Null);
            None
        }
        None => {
            return Err(Refusal::new(
                "recurrence",
                "it has changed dates but no rule",
            ));
        }
    };
    let mut doc = Value::Object(doc);
    let marked = |item: &Item| {
        let doc = serde_json::from_slice(&item.doc).unwrap_or(Value::Null);
        extra::marker(&doc).is_some()
    };
    if put.marks(marked) {
        extra::set(&mut doc, extra::MARKER, &put.marker.print());
    }
    extra::set(&mut doc, extra::ZONES, &times.kept);
    let mut losses = writer.losses;
    losses.sort();
    losses.dedup();
    Ok(Wanted {
        master: into_doc(doc),
        series,
        losses,
    })
}

/// As Graph calls it.
const TEAMS: &str = "teamsForBusiness";

/// What the listing of calendars found out.
fn has_teams(place: &Place) -> bool {
    let extra: Value = serde_json::from_str(&place.extra).unwrap_or(Value::Null);
    wire::texts(&extra, "online").any(|provider| provider == TEAMS)
}

/// The address of a resource's online meeting.
fn meeting(item: &Item) -> String {
    let doc = serde_json::from_slice(&item.doc).unwrap_or(Value::Null);
    read::meeting(&doc).to_owned()
}

fn into_doc(value: Value) -> Doc {
    match value {
        Value::Object(doc) => doc,
        _ => Doc::new(),
    }
}

fn recurrence_refused(words: &str) -> Refusal {
    Refusal::new(
        "recurrence",
        format!("Outlook cannot repeat an event like this: {words}"),
    )
}

/// The rule of a series, if it is one. FACTS §4.5: what else makes dates has no place there.
fn only_rule(master: Component<'_>) -> Result<Option<Rule>, Refusal> {
    for (name, words) in [
        ("RDATE", "on single dates besides a rule (RDATE)"),
        ("EXRULE", "without dates that another rule makes (EXRULE)"),
    ] {
        if master.property(name).is_some() {
            return Err(recurrence_refused(words));
        }
    }
    let mut rules = master.properties_named("RRULE");
    let Some(first) = rules.next() else {
        return Ok(None);
    };
    if rules.next().is_some() {
        return Err(recurrence_refused("by several rules"));
    }
    Rule::parse(&first.value())
        .map(Some)
        .map_err(|bad| recurrence_refused(&bad.to_string()))
}

struct Writer<'t> {
    zones: Zones<'t>,
    home: Wall,
    guests: GuestPolicy,
    /// The calendar can make Teams meetings.
    teams: bool,
    /// Address of the meeting that is there; may be empty.
    meeting: String,
    losses: Vec<Loss>,
}

impl Writer<'_> {
    /// The keys that an event and an exception have.
    fn event(
        &mut self,
        event: Component<'_>,
        times: &Times,
        rid: Option<&str>,
    ) -> Result<Doc, Refusal> {
        let mut doc = Doc::new();
        let mut lost = Vec::new();
        times.write(&mut doc);
        lost.extend(
            times
                .losses
                .iter()
                .map(|(name, what)| ((*name).to_owned(), what.clone())),
        );
        texts(event, &mut doc, &mut lost);
        location(event, &mut doc, &mut lost);
        labels(event, &mut doc, &mut lost);
        doc.insert("showAs".into(), json!(show_as(event, &mut lost)));
        let minutes = losses::reminder(event, &mut lost);
        doc.insert("isReminderOn".into(), json!(minutes.is_some()));
        if let Some(minutes) = minutes {
            doc.insert("reminderMinutesBeforeStart".into(), json!(minutes));
        }
        if rid.is_none() {
            self.conference(event, &mut doc, &mut lost);
        }
        if self.guests == GuestPolicy::Send {
            let attendees = people::attendees(event);
            if attendees.len() > people::MOST {
                return Err(Refusal::new(
                    "too-large",
                    "Microsoft takes 500 guests at most",
                ));
            }
            doc.insert("attendees".into(), Value::Array(attendees));
        }
        losses::of(event, &mut lost);
        if self.has_meeting(event) {
            lost.retain(|(property, _)| property != "CONFERENCE");
        }
        self.losses
            .extend(lost.into_iter().map(|(property, what)| Loss {
                rid: rid.map(str::to_owned),
                property,
                what,
            }));
        Ok(doc)
    }

    /// Is the event's conference the meeting that is there?
    fn has_meeting(&self, event: Component<'_>) -> bool {
        let mut all = event.properties_named("CONFERENCE").peekable();
        let is_there = |uri: &str| !uri.is_empty() && uri == self.meeting;
        all.peek().is_some() && all.all(|property| is_there(property.value().trim()))
    }

    /// A meeting that is asked for. One that is there cannot be turned off again.
    fn conference(&self, event: Component<'_>, doc: &mut Doc, lost: &mut Lost) {
        if event.property("CONFERENCE").is_some() {
            return; // It has one.
        }
        let asked = text_of(event, ASKS_CONFERENCE).trim().to_ascii_uppercase();
        match asked.as_str() {
            "" => {}
            "AUTO" | "TEAMS" if self.teams => {
                doc.insert("isOnlineMeeting".into(), json!(true));
                doc.insert("onlineMeetingProvider".into(), json!(TEAMS));
            }
            _ => lost.push((
                "CONFERENCE".into(),
                "this calendar makes no such meeting: Teams needs a work or school account".into(),
            )),
        }
    }

    fn series(
        &mut self,
        object: &Object<'_>,
        master: Component<'_>,
        rule: Rule,
        times: Times,
        doc: &mut Doc,
    ) -> Result<Series, Refusal> {
        let start = Start {
            local: times.start,
            date: times.all_day,
            wall: &times.wall,
        };
        let (recurrence, lost) = Recurrence::of_rule(&rule, &start)?;
        self.losses.extend(lost.into_iter().map(|what| Loss {
            rid: None,
            property: "RRULE".into(),
            what,
        }));
        doc.insert("recurrence".into(), recurrence.to_json());
        let rule = recurrence.to_rule(&start);
        let mut series = Series {
            wall: times.wall.clone(),
            times,
            instances: BTreeMap::new(),
            rule,
        };
        for property in master.properties_named("EXDATE") {
            for when in When::list(property).unwrap_or_default() {
                let date = self.date(&when, &series);
                if series.has(date) && self.names_instance(&when, date, &series) {
                    series.instances.insert(date, Wish::Cancelled);
                } else {
                    self.lose(
                        None,
                        "EXDATE",
                        "dates that the series does not have are not kept there",
                    );
                }
            }
        }
        for over in &object.overrides {
            if over.this_and_future {
                return Err(recurrence_refused(
                    "with a change of one date and all that follow (RANGE=THISANDFUTURE)",
                ));
            }
            let date = self.date(&over.recurrence_id, &series);
            let rid = over.recurrence_id.to_string();
            if !self.names_instance(&over.recurrence_id, date, &series) {
                let what = "it names no instance of the series: there it is the one of that day";
                self.lose(Some(&rid), "RECURRENCE-ID", what);
            }
            if is_cancelled(over.component) {
                self.lose(Some(&rid), "STATUS", "a cancelled date is left out there");
                if series.has(date) {
                    series.instances.insert(date, Wish::Cancelled);
                }
                continue;
            }
            let times = Times::of(over.component, &self.zones, &self.home, false)?;
            let body = self.event(over.component, &times, Some(&rid))?;
            if series.has(date) && diff(&body, &Value::Object(series.plain(doc, date))).is_empty() {
                let what = "an instance that is as the series says is not kept apart there";
                self.lose(Some(&rid), "RECURRENCE-ID", what);
                continue;
            }
            series.instances.insert(date, Wish::Own(body));
        }
        Ok(series)
    }

    fn lose(&mut self, rid: Option<&str>, property: &str, what: &str) {
        self.losses.push(Loss {
            rid: rid.map(str::to_owned),
            property: property.into(),
            what: what.into(),
        });
    }

    /// Is it the very start of the day's instance? A DATE names the day's whatever its time.
    fn names_instance(&self, when: &When, date: Date, series: &Series) -> bool {
        if when.is_date() || series.times.all_day {
            return true;
        }
        let local = date.to_datetime(series.times.start.time());
        match when {
            When::Floating(at) => *at == local,
            _ => instant_of(when, &self.zones, &self.home) == series.wall.zone.to_instant(local),
        }
    }

    /// The local day, in the series' zone, of the instance that a time names.
    fn date(&self, when: &When, series: &Series) -> Date {
        match when {
            When::Date(date) => *date,
            _ if series.times.all_day => when.date(),
            When::Floating(at) => at.date(),
            _ => {
                let at = instant_of(when, &self.zones, &self.home);
                series.wall.zone.to_civil(at).date()
            }
        }
    }
}

impl Series {
    /// Does the rule have an instance on this day?
    pub fn has(&self, date: Date) -> bool {
        let time = self.times.start.time();
        let from = date.to_datetime(Time::midnight());
        let budget = Budget::default();
        // UNTIL is local for the walk.
        let mut rule = self.rule.clone();
        if let Some(crate::ical::rrule::Until::Utc(at)) = rule.until {
            let local = self.wall.zone.to_civil(Zone::Utc.to_instant(at));
            rule.until = Some(crate::ical::rrule::Until::Local(local));
        }
        rule.iter(self.times.start, Some(from), &budget).next() == Some(date.to_datetime(time))
    }

    /// The master's keys as those of the instance on this day.
    pub fn plain(&self, master: &Doc, date: Date) -> Doc {
        let mut doc = master.clone();
        for key in ["recurrence", extra::KEY] {
            doc.remove(key);
        }
        let at = date.to_datetime(self.times.start.time());
        self.times.moved(at).write(&mut doc);
        doc
    }
}
