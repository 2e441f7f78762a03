//! The difference between what shall be there and what is, as bodies of PATCH requests. FACTS §2.3, §2.4.
//!
//! Only keys that are ours and differ are written. EXDATEs become lines of `recurrence`: one request for all of them,
//! and they leave no resource behind that would have to be kept; an instance that has a resource already is cancelled by
//! that resource, whose times would win over the line.

use serde_json::{Value, json};

use super::ours::Desired;
use super::recur::{Frame, Recurrence};
use super::theirs::{self, Known, Resource};
use super::{Fields, MARKER, Status, alarms, colors::Color, conference, people};
use crate::remote::google::fault::not_organizer;
use crate::remote::google::wire::{Json, Rid, Time};
use crate::remote::{Place, Refusal};

/// What an attendee's copy lets us write (FACTS §2.3, §2.4).
const OWN: &[&str] = &["reminders", "transparency", "colorId", "extendedProperties"];

/// One PATCH of an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub rid: Rid,
    pub id: String,
    /// The stamp that must hold; empty where the instance has no resource yet.
    pub stamp: String,
    /// Of an instance without a resource: what the series makes of it, to be compared before it is written.
    pub usual: Option<Box<Fields>>,
    pub body: Json,
}

/// What an account and a calendar let us do.
pub struct Rights<'a> {
    pub place: &'a Place,
    pub account: &'a str,
}

impl Rights<'_> {
    fn check(&self, body: &Json, doc: &Json) -> Result<(), Refusal> {
        if body.is_empty() || theirs::editable(doc, self.place, self.account) {
            return Ok(());
        }
        if !theirs::is_plain(doc) {
            return Err(Refusal::new(
                "event-type",
                "Google lets its own kinds of events (out of office, focus time, from Gmail) be changed there only",
            ));
        }
        match body.keys().all(|key| OWN.contains(&key.as_str())) {
            true => Ok(()),
            false => Err(not_organizer()),
        }
    }
}

/// The body that makes the master be what it shall be; empty: it is so. Without a master there it is what to insert.
///
/// # Errors
/// What may not be written there.
pub fn master_changes(
    desired: &Desired,
    known: &Known,
    key: &str,
    rights: &Rights<'_>,
) -> Result<Json, Refusal> {
    let Some(master) = &desired.master else {
        return Ok(Json::new());
    };
    let mut master = master.clone();
    master.recurrence.excluded = excluded_by_line(desired, known);
    let empty = (Fields::default(), Json::new());
    let (theirs, doc) = match &known.master {
        Some(there) => (&there.fields, &there.doc),
        None => (&empty.0, &empty.1),
    };
    let mut body = master.changes(theirs, doc, &desired.frame)?;
    if desired.asks_conference && !conference::exists(doc) {
        body.insert("conferenceData".into(), conference::create(key));
    }
    rights.check(&body, doc)?;
    Ok(body)
}

/// EXDATEs that belong into `recurrence`: those that are there as lines, and those of instances without a resource.
fn excluded_by_line(desired: &Desired, known: &Known) -> std::collections::BTreeSet<Rid> {
    let there = known
        .master
        .as_ref()
        .map(|one| &one.fields.recurrence.excluded);
    let is_line = |rid: &Rid| there.is_some_and(|lines| lines.contains(rid));
    let wished = desired.excluded();
    wished
        .into_iter()
        .filter(|rid| {
            is_line(rid) || !(known.exceptions.contains_key(rid) || desired.takes_place(*rid))
        })
        .collect()
}

impl Desired {
    /// Instances that do not take place: EXDATEs and cancelled overrides.
    fn excluded(&self) -> std::collections::BTreeSet<Rid> {
        let dates = self
            .master
            .iter()
            .flat_map(|master| &master.recurrence.excluded);
        let cancelled = self
            .overrides
            .iter()
            .filter(|(_, wish)| wish.fields.status == Status::Cancelled);
        dates
            .copied()
            .chain(cancelled.map(|(rid, _)| *rid))
            .collect()
    }

    /// Is there an override that takes place? It wins over an EXDATE.
    fn takes_place(&self, rid: Rid) -> bool {
        self.overrides
            .get(&rid)
            .is_some_and(|wish| wish.fields.status != Status::Cancelled)
    }
}

/// What has to be done to instances once the master is what it shall be.
///
/// # Errors
/// What may not be written there.
pub fn instance_steps(
    desired: &Desired,
    known: &Known,
    rights: &Rights<'_>,
) -> Result<Vec<Step>, Refusal> {
    let mut steps = Vec::new();
    for (rid, there) in &known.exceptions {
        let body = of_exception(desired, *rid, there)?;
        rights.check(&body, &there.doc)?;
        if !body.is_empty() {
            steps.push(Step {
                rid: *rid,
                id: there.item.id.clone(),
                stamp: there.item.stamp.clone(),
                usual: None,
                body,
            });
        }
    }
    let Some(master) = &known.master else {
        return Ok(steps);
    };
    for (rid, wish) in &desired.overrides {
        if known.exceptions.contains_key(rid) || wish.fields.status == Status::Cancelled {
            continue;
        }
        let usual = master.fields.instance(*rid);
        let body = wish.fields.changes(&usual, &Json::new(), &desired.frame)?;
        rights.check(&body, &master.doc)?;
        if !body.is_empty() {
            steps.push(Step {
                rid: *rid,
                id: rid.instance_of(&master.item.id),
                stamp: String::new(),
                usual: Some(Box::new(usual)),
                body,
            });
        }
    }
    Ok(steps)
}

/// The body that makes an exception there be what it shall be.
fn of_exception(desired: &Desired, rid: Rid, there: &Resource) -> Result<Json, Refusal> {
    if desired.takes_place(rid) {
        let wish = &desired.overrides[&rid].fields;
        return wish.changes(&there.fields, &there.doc, &desired.frame);
    }
    let cancel = || {
        let mut body = Json::new();
        if !there.is_cancelled() {
            body.insert("status".into(), json!("cancelled"));
        }
        Ok(body)
    };
    if desired.excluded().contains(&rid) {
        return cancel();
    }
    // No override here: what the series makes of it, if it makes it.
    match &desired.master {
        Some(master) if desired.makes(rid) => {
            master
                .instance(rid)
                .changes(&there.fields, &there.doc, &desired.frame)
        }
        _ => cancel(),
    }
}

/// The body of our own answer to an invitation; none where it is given already.
///
/// # Errors
/// `guests` where the list of guests that we know is not whole.
pub fn respond(there: &Resource, account: &str, partstat: &str) -> Result<Option<Json>, Refusal> {
    let answered = people::responded(&there.doc, account, partstat)?;
    Ok(answered.map(|attendees| {
        let mut body = Json::new();
        body.insert("attendees".into(), attendees);
        body
    }))
}

impl Fields {
    /// The keys to write so that `theirs` becomes this; `doc` is the resource that `theirs` was read from.
    fn changes(&self, theirs: &Fields, doc: &Json, frame: &Frame) -> Result<Json, Refusal> {
        let mut body = Json::new();
        self.time_changes(theirs, &mut body);
        for (key, ours, there) in [
            ("summary", &self.summary, &theirs.summary),
            ("description", &self.description, &theirs.description),
            ("location", &self.location, &theirs.location),
        ] {
            if ours != there {
                body.insert(key.into(), text_or_null(ours));
            }
        }
        self.word_changes(theirs, &mut body);
        if self.recurrence != theirs.recurrence {
            body.insert("recurrence".into(), recurrence(&self.recurrence, frame));
        }
        if let Some(reminders) = &self.reminders
            && theirs.reminders.as_ref() != Some(reminders)
        {
            body.insert("reminders".into(), alarms::json(reminders, doc));
        }
        if let Some(marker) = &self.marker
            && theirs.marker.as_ref() != Some(marker)
        {
            body.insert(
                "extendedProperties".into(),
                json!({ "private": { MARKER: marker } }),
            );
        }
        if let Some(guests) = &self.guests
            && people::differ(self, theirs)
        {
            body.insert("attendees".into(), people::json(guests, doc)?);
        }
        Ok(body)
    }

    /// Both ends are written when one differs, and the other form of a time is cleared: a PATCH merges objects.
    fn time_changes(&self, theirs: &Fields, body: &mut Json) {
        if (&self.start, &self.end) == (&theirs.start, &theirs.end) {
            return;
        }
        let turns = |ours: &Time, there: Option<&Time>| {
            there.is_some_and(|there| there.is_day() != ours.is_day())
        };
        for (key, ours, there) in [
            ("start", &self.start, &theirs.start),
            ("end", &self.end, &theirs.end),
        ] {
            let Some(time) = ours else { continue };
            let mut value = time.json();
            if let (true, Some(value)) = (turns(time, there.as_ref()), value.as_object_mut()) {
                let others: &[&str] = match time {
                    Time::Day(_) => &["dateTime", "timeZone"],
                    Time::At { .. } => &["date"],
                };
                for other in others {
                    value.insert((*other).into(), Value::Null);
                }
            }
            body.insert(key.into(), value);
        }
    }

    fn word_changes(&self, theirs: &Fields, body: &mut Json) {
        if self.status != theirs.status {
            let word = match self.status {
                Status::Confirmed => "confirmed",
                Status::Tentative => "tentative",
                Status::Cancelled => "cancelled",
            };
            body.insert("status".into(), json!(word));
        }
        if self.transparent != theirs.transparent {
            let word = if self.transparent {
                "transparent"
            } else {
                "opaque"
            };
            body.insert("transparency".into(), json!(word));
        }
        if self.class != theirs.class && !(self.class.is_open() && theirs.class.is_open()) {
            let class = if self.class.is_open() {
                super::Class::Default
            } else {
                self.class
            };
            body.insert("visibility".into(), json!(class.theirs()));
        }
        if self.color.differs(&theirs.color) {
            let id = match &self.color {
                Color::Id(id) => json!(id),
                _ => Value::Null,
            };
            body.insert("colorId".into(), id);
        }
    }
}

fn text_or_null(text: &str) -> Value {
    if text.is_empty() {
        Value::Null
    } else {
        json!(text)
    }
}

fn recurrence(recurrence: &Recurrence, frame: &Frame) -> Value {
    if recurrence.is_empty() {
        return Value::Null;
    }
    json!(recurrence.lines(frame))
}
