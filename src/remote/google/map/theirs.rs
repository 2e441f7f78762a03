//! A resource of theirs as [`Fields`]. FACTS §2.3.

use std::collections::BTreeMap;

use super::colors::Color;
use super::recur::{Frame, Recurrence};
use super::{Class, Fields, MARKER, PLAIN, Status, alarms, people, plain};
use crate::remote::google::wire::{self, Json, Rid, Time};
use crate::remote::{Item, Marker, Place};

/// What is known of an event there.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub master: Option<Resource>,
    pub exceptions: BTreeMap<Rid, Resource>,
}

/// One resource, read.
#[derive(Clone, Debug)]
pub struct Resource {
    pub item: Item,
    pub doc: Json,
    pub fields: Fields,
}

impl Resource {
    pub fn of(item: Item, place: &Place) -> Resource {
        let doc = wire::parse(&item.doc);
        let fields = Fields::of_json(&doc, &place.zone);
        Resource { item, doc, fields }
    }

    pub fn is_cancelled(&self) -> bool {
        self.fields.status == Status::Cancelled
    }
}

impl Known {
    pub fn of(items: &[Item], place: &Place) -> Known {
        let mut known = Known::default();
        for item in items {
            known.take(item.clone(), place);
        }
        known
    }

    /// Adds a resource, or replaces what was known of it.
    pub fn take(&mut self, item: Item, place: &Place) {
        let resource = Resource::of(item, place);
        if resource.item.series.is_none() {
            self.master = Some(resource);
        } else if let Some(rid) = original(&resource, place) {
            self.exceptions.insert(rid, resource);
        }
    }

    /// The master, or else the first exception that takes place.
    pub fn main(&self) -> Option<&Resource> {
        self.master
            .as_ref()
            .or_else(|| self.exceptions.values().find(|one| !one.is_cancelled()))
    }

    /// How its instances are told apart.
    pub fn frame(&self) -> Frame {
        let master = self
            .master
            .as_ref()
            .and_then(|one| one.fields.start.clone());
        let first = || Some(self.exceptions.keys().next()?.time("UTC"));
        let start = master.or_else(|| self.orphan_start()).or_else(first);
        Frame::of(&start.unwrap_or(Time::At {
            instant: 0,
            zone: "UTC".into(),
        }))
    }

    /// Of exceptions without a master: the first one's original start, in its own zone.
    fn orphan_start(&self) -> Option<Time> {
        let (rid, resource) = self.exceptions.iter().next()?;
        match &resource.fields.start {
            Some(Time::At { zone, .. }) => Some(rid.time(zone)),
            _ => None,
        }
    }

    /// Everything, the master first.
    pub fn into_items(self) -> Vec<Item> {
        self.master
            .into_iter()
            .chain(self.exceptions.into_values())
            .map(|resource| resource.item)
            .collect()
    }
}

/// Which instance an exception is: `originalStartTime`, which stays when the instance moves; else the tail of its id.
fn original(resource: &Resource, place: &Place) -> Option<Rid> {
    wire::object(&resource.doc, "originalStartTime")
        .and_then(|time| Time::read(time, &place.zone))
        .map(|time| time.rid())
        .or_else(|| Rid::from_id(&resource.item.id))
}

impl Fields {
    pub fn of_json(doc: &Json, zone: &str) -> Fields {
        let time = |key| wire::object(doc, key).and_then(|time| Time::read(time, zone));
        let start = time("start");
        let recurrence = start
            .as_ref()
            .map(|start| Recurrence::of_json(doc, &Frame::of(start)));
        let visibility = match wire::text(doc, "visibility") {
            "" => Class::Default,
            name => Class::of(name, |row| row.1),
        };
        Fields {
            end: time("end").filter(|_| !wire::flag(doc, "endTimeUnspecified")),
            start,
            summary: plain(wire::text(doc, "summary")),
            description: plain(wire::text(doc, "description")),
            location: plain(wire::text(doc, "location")),
            status: match wire::text(doc, "status") {
                "tentative" => Status::Tentative,
                "cancelled" => Status::Cancelled,
                _ => Status::Confirmed,
            },
            transparent: wire::text(doc, "transparency") == "transparent",
            class: visibility,
            color: Color::of_id(wire::text(doc, "colorId")),
            reminders: Some(alarms::of_json(doc)),
            recurrence: recurrence.unwrap_or_default(),
            marker: private(doc, MARKER).map(str::to_owned),
            guests: Some(people::of_json(doc)),
        }
    }
}

fn private<'a>(doc: &'a Json, key: &str) -> Option<&'a str> {
    let properties = wire::object(wire::object(doc, "extendedProperties")?, "private")?;
    Some(wire::text(properties, key)).filter(|value| !value.is_empty())
}

/// Who made this one, when a Kalends did.
pub fn marker(doc: &Json) -> Option<Marker> {
    Marker::read(private(doc, MARKER)?)
}

/// Is it an event, rather than one of their kinds with rules of its own?
pub fn is_plain(doc: &Json) -> bool {
    matches!(wire::text(doc, "eventType"), "" | PLAIN)
}

/// May we change more than our own answer, reminders, colour and free/busy? A calendar that is not the account's
/// primary one is the organiser of its events itself (FACTS §2.3).
pub fn editable(doc: &Json, place: &Place, account: &str) -> bool {
    if wire::flag(doc, "locked") || !is_plain(doc) {
        return false;
    }
    let Some(organizer) = wire::object(doc, "organizer") else {
        return true;
    };
    let email = wire::text(organizer, "email");
    wire::flag(organizer, "self")
        || wire::flag(doc, "guestsCanModify")
        || email.is_empty()
        || email.eq_ignore_ascii_case(&place.remote_id)
        || (!account.is_empty() && email.eq_ignore_ascii_case(account))
}
