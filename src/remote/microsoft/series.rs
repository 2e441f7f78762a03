//! The instances of a series there: deleted, changed, restored. FACTS §4.5.
//!
//! Graph has no field for deleted dates and no way to bring one back; nor can an occurrence be moved to or past the day
//! of its neighbours. Where it cannot be the series' own, an instance is a single event that stands for it: it carries
//! day and series in an extended property, the series lists it in another, and it is read as an override again.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use jiff::civil::{Date, Time};
use serde_json::{Value, json};

use super::call::{self, get_all, write};
use super::fault::CROSSING;
use super::fetch::{self, instances};
use super::map::diff::diff;
use super::map::extra;
use super::map::read::{cancelled, inherit};
use super::map::time::{original_date, series_wall};
use super::map::write::{Series, Wish};
use super::put::find;
use super::wire::{self, Doc};
use super::zone::Wall;
use crate::ical::rrule::civil::DAY;
use crate::ical::zone::Zone;
use crate::remote::address::Address;
use crate::remote::{Account, Fault, Item, Place, Put};

/// What is to be done about one day.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    date: Date,
    deed: Deed,
}

#[derive(Clone, Debug, PartialEq)]
enum Deed {
    /// Change a resource that is known; all of it is needed where it cannot be moved.
    Patch {
        id: String,
        stamp: String,
        changes: Doc,
        all: Doc,
    },
    /// Delete a resource that is known.
    Delete { id: String, stamp: String },
    /// Find the occurrence and change it.
    Change(Doc),
    /// Find the occurrence and delete it.
    Cancel,
    /// Make a single event stand for it.
    Stand(Doc),
}

/// What differs between the wanted instances and those that are known; `master` as it is wanted.
pub fn plan(wish: &Series, master: &Doc, items: &[Item]) -> Vec<Step> {
    let Some(known) = items.first().map(parse) else {
        return Vec::new();
    };
    let mut there: BTreeMap<Date, (&Item, Value)> = BTreeMap::new();
    let wall = series_wall(&known);
    for item in items.iter().skip(1) {
        let doc = inherit(&known, &parse(item));
        if let Some(date) = original_date(&doc, &wall, wish.times.all_day) {
            // Of two, the one that stands for the instance counts.
            if extra::part(&doc).is_some() || !there.contains_key(&date) {
                there.insert(date, (item, doc));
            }
        }
    }
    let deleted: BTreeSet<Date> = cancelled(&known)
        .into_iter()
        .filter(|date| !there.contains_key(date))
        .collect();
    let days = wish.instances.keys().chain(there.keys()).chain(&deleted);
    let days: BTreeSet<Date> = days.copied().collect();
    let deed = |date: Date| {
        deed(
            wish,
            master,
            date,
            there.get(&date),
            deleted.contains(&date),
        )
    };
    days.into_iter()
        .filter_map(|date| {
            Some(Step {
                date,
                deed: deed(date)?,
            })
        })
        .collect()
}

fn parse(item: &Item) -> Value {
    serde_json::from_slice(&item.doc).unwrap_or(Value::Null)
}

fn deed(
    wish: &Series,
    master: &Doc,
    date: Date,
    there: Option<&(&Item, Value)>,
    deleted: bool,
) -> Option<Deed> {
    let within = wish.has(date);
    let wanted = match wish.instances.get(&date) {
        Some(Wish::Own(body)) => Some(body.clone()),
        Some(Wish::Cancelled) => None,
        None if within => Some(wish.plain(master, date)),
        // An exception of a day that the rule left.
        None => None,
    };
    let Some(wanted) = wanted else {
        return match there {
            Some((item, _)) => Some(Deed::Delete {
                id: item.id.clone(),
                stamp: item.stamp.clone(),
            }),
            None => (within && !deleted).then_some(Deed::Cancel),
        };
    };
    if let Some((item, doc)) = there {
        let changes = diff(&wanted, doc);
        return (!changes.is_empty()).then(|| Deed::Patch {
            id: item.id.clone(),
            stamp: item.stamp.clone(),
            changes,
            all: wanted,
        });
    }
    if deleted || !within {
        return Some(Deed::Stand(wanted));
    }
    let as_usual = diff(&wanted, &Value::Object(wish.plain(master, date))).is_empty();
    (!as_usual).then_some(Deed::Change(wanted))
}

/// Does the steps; what belongs to the series then. `written`: stamps are older than a write of ours.
pub async fn perform(
    account: &Account,
    place: &Place,
    put: &Put<'_>,
    steps: Vec<Step>,
    items: &[Item],
    written: bool,
) -> Result<Vec<Item>, Fault> {
    let master = items.first().map(parse).unwrap_or(Value::Null);
    let id = wire::text(&master, "id").to_owned();
    let mut doer = Doer {
        account,
        place,
        put,
        master: &master,
        id: &id,
        found: BTreeMap::new(),
        fresh: !written,
        parts: extra::parts(&master).into_iter().collect(),
    };
    doer.look_up(&steps).await?;
    for step in steps {
        doer.step(step).await?;
    }
    doer.list_parts().await?;
    fetch::series(account, place, &id)
        .await?
        .ok_or(Fault::NotFound)
}

struct Doer<'a> {
    account: &'a Account,
    place: &'a Place,
    put: &'a Put<'a>,
    master: &'a Value,
    id: &'a str,
    /// Occurrences by their days.
    found: BTreeMap<Date, Value>,
    /// No write of ours yet: stamps still guard.
    fresh: bool,
    /// Ids of the events that stand for instances.
    parts: BTreeSet<String>,
}

impl Doer<'_> {
    /// Finds the occurrences that steps are about, by windows around their days.
    async fn look_up(&mut self, steps: &[Step]) -> Result<(), Fault> {
        let wanted: Vec<Date> = steps
            .iter()
            .filter(|step| matches!(step.deed, Deed::Change(_) | Deed::Cancel))
            .map(|step| step.date)
            .collect();
        let addresses: Vec<Address> = wanted
            .iter()
            .map(|date| {
                let day = Zone::Utc.to_instant(date.to_datetime(Time::midnight()));
                instances(self.account, self.id, day - DAY, day + 2 * DAY)
            })
            .collect();
        let all_day = wire::flag(self.master, "isAllDay") == Some(true);
        let wall = series_wall(self.master);
        for answer in get_all(self.account, &addresses).await? {
            for doc in wire::list(&answer?, "value") {
                if let Some(date) = day_of(doc, &wall, all_day) {
                    self.found.insert(date, doc.clone());
                }
            }
        }
        Ok(())
    }

    async fn step(&mut self, step: Step) -> Result<(), Fault> {
        let Step { date, deed } = step;
        match deed {
            Deed::Patch {
                id,
                stamp,
                changes,
                all,
            } => self.patch(date, &id, &stamp, changes, all).await,
            Deed::Delete { id, stamp } => {
                self.parts.remove(&id);
                self.delete(&id, &stamp).await
            }
            Deed::Cancel => match self.found.get(&date).cloned() {
                Some(doc) => self.delete(wire::text(&doc, "id"), wire::etag(&doc)).await,
                None => Ok(()),
            },
            Deed::Change(wanted) => match self.found.get(&date).cloned() {
                Some(doc) => {
                    let changes = diff(&wanted, &doc);
                    if changes.is_empty() {
                        return Ok(());
                    }
                    let (id, stamp) = (wire::text(&doc, "id"), wire::etag(&doc));
                    self.patch(date, id, stamp, changes, wanted).await
                }
                None => self.stand(date, wanted).await,
            },
            Deed::Stand(wanted) => self.stand(date, wanted).await,
        }
    }

    /// Stamps of instances change with every write to the series: only the first can be guarded.
    fn guard<'s>(&mut self, stamp: &'s str) -> &'s str {
        if std::mem::replace(&mut self.fresh, false) {
            stamp
        } else {
            ""
        }
    }

    async fn patch(
        &mut self,
        date: Date,
        id: &str,
        stamp: &str,
        changes: Doc,
        all: Doc,
    ) -> Result<(), Fault> {
        let stamp = self.guard(stamp);
        let address = call::event(self.account, id);
        let body = Value::Object(changes);
        match write(self.account, Method::PATCH, &address, stamp, Some(&body)).await {
            Ok(_) => Ok(()),
            Err(failure) => match failure.fault {
                Fault::Refused(refusal) if refusal.code == CROSSING => {
                    self.stand(date, all).await?;
                    self.delete(id, "").await
                }
                fault => Err(fault),
            },
        }
    }

    async fn delete(&mut self, id: &str, stamp: &str) -> Result<(), Fault> {
        let stamp = self.guard(stamp);
        let address = call::event(self.account, id);
        match write(self.account, Method::DELETE, &address, stamp, None).await {
            Ok(_) => Ok(()),
            Err(failure) => match failure.fault {
                Fault::NotFound => Ok(()),
                fault => Err(fault),
            },
        }
    }

    /// Makes a single event stand for an instance, or brings up to date the one that an earlier attempt made.
    async fn stand(&mut self, date: Date, wanted: Doc) -> Result<(), Fault> {
        let part = extra::print_part(date, self.id);
        let key = format!("{}-{date}", self.put.key);
        let before = find(self.account, self.place, extra::PART, &part, &key).await?;
        let id = match before {
            Some(doc) => {
                let changes = diff(&wanted, &doc);
                let id = wire::text(&doc, "id").to_owned();
                if !changes.is_empty() {
                    let address = call::event(self.account, &id);
                    let body = Value::Object(changes);
                    write(self.account, Method::PATCH, &address, "", Some(&body)).await?;
                }
                id
            }
            None => self.post(wanted, &part, &key).await?,
        };
        self.fresh = false;
        self.parts.insert(id);
        Ok(())
    }

    async fn post(&self, wanted: Doc, part: &str, key: &str) -> Result<String, Fault> {
        let mut body = Value::Object(wanted);
        extra::set(&mut body, extra::MARKER, &self.put.marker.print());
        extra::set(&mut body, extra::PART, part);
        if let Some(zones) = extra::get(self.master, extra::ZONES) {
            extra::set(&mut body, extra::ZONES, zones);
        }
        body["transactionId"] = json!(key);
        let address = call::calendar(self.account, &self.place.remote_id, "events");
        let doc = write(self.account, Method::POST, &address, "", Some(&body)).await?;
        match wire::id(&doc) {
            Some(id) => Ok(id.to_owned()),
            None => Err(Fault::OutcomeUnknown(
                "Microsoft's answer names no event".into(),
            )),
        }
    }

    /// Tells the series which events stand for instances of it.
    async fn list_parts(&self) -> Result<(), Fault> {
        let known: BTreeSet<String> = extra::parts(self.master).into_iter().collect();
        if known == self.parts {
            return Ok(());
        }
        let list: Vec<&str> = self.parts.iter().map(String::as_str).collect();
        let mut body = json!({});
        let list = match list.join(" ") {
            empty if empty.is_empty() => extra::NONE.to_owned(),
            list => list,
        };
        extra::set(&mut body, extra::PARTS, &list);
        let address = call::event(self.account, self.id);
        write(self.account, Method::PATCH, &address, "", Some(&body)).await?;
        Ok(())
    }
}

/// The day that an occurrence is of.
fn day_of(doc: &Value, wall: &Wall, all_day: bool) -> Option<Date> {
    if let Some(date) = original_date(doc, wall, all_day) {
        return Some(date);
    }
    let start = wire::civil(wire::text(doc, "start.dateTime"))?;
    if all_day {
        return Some(start.date());
    }
    let zone = Wall::named(wire::text(doc, "start.timeZone")).unwrap_or_else(Wall::utc);
    Some(wall.zone.to_civil(zone.zone.to_instant(start)).date())
}
