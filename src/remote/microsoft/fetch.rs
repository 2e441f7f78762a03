//! Events with all that belongs to them: a series with its exceptions, its deleted dates, and the single events that
//! stand for instances that Graph would not have (FACTS §4.3, §4.5).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::civil::{Date, Time};
use serde_json::{Value, json};

use super::call::{self, get, get_all, odata, page};
use super::map::extra;
use super::map::time::original_date;
use super::recurrence::{Recurrence, Start};
use super::wire::{self, Kind};
use super::zone::Wall;
use crate::ical::rrule::civil::DAY;
use crate::ical::rrule::{Budget, Until};
use crate::ical::zone::Zone;
use crate::remote::address::Address;
use crate::remote::{Account, Fault, Item, Place};

/// What is read of an event.
const SELECT: &str = "id,iCalUId,subject,body,start,end,isAllDay,originalStartTimeZone,originalEndTimeZone,\
    originalStart,location,locations,showAs,sensitivity,importance,categories,isReminderOn,\
    reminderMinutesBeforeStart,recurrence,type,seriesMasterId,attendees,organizer,isOrganizer,responseStatus,\
    isCancelled,isOnlineMeeting,onlineMeetingProvider,onlineMeeting,onlineMeetingUrl,hasAttachments,changeKey,\
    transactionId,createdDateTime,lastModifiedDateTime";

/// Instances a page; Graph's most is a thousand.
const INSTANCES: usize = 500;

/// How far instances are looked at where Graph does not list a series' exceptions itself.
const BACK: i64 = 90 * DAY;
const AHEAD: i64 = 400 * DAY;

/// The events of a calendar, for listing.
pub fn listing(account: &Account, place: &Place) -> Address {
    odata(
        &call::calendar(account, &place.remote_id, "events"),
        &[("$select", SELECT), ("$expand", &extra::expand())],
    )
}

/// An event alone.
pub fn alone(account: &Account, place: &Place, id: &str) -> Address {
    let event = call::calendar(account, &place.remote_id, "events").segment(id);
    odata(
        &event,
        &[("$select", SELECT), ("$expand", &extra::expand())],
    )
}

/// A series' master with its exceptions and deleted dates: both are told here only.
fn with_exceptions(account: &Account, place: &Place, id: &str) -> Address {
    let event = call::calendar(account, &place.remote_id, "events").segment(id);
    let expand = format!("exceptionOccurrences,{}", extra::expand());
    let select = format!("{SELECT},cancelledOccurrences");
    odata(&event, &[("$select", &select), ("$expand", &expand)])
}

/// The instances of a series that begin near some days.
pub fn instances(account: &Account, id: &str, from: i64, to: i64) -> Address {
    odata(
        &call::event(account, id).path("instances"),
        &[
            ("startDateTime", &wire::print_instant(from)),
            ("endDateTime", &wire::print_instant(to)),
            ("$select", SELECT),
        ],
    )
}

pub fn item(doc: &Value, series: Option<&str>) -> Item {
    Item {
        id: wire::text(doc, "id").to_owned(),
        series: series.map(str::to_owned),
        stamp: wire::etag(doc).to_owned(),
        doc: Bytes::from(doc.to_string()),
    }
}

/// An event and what belongs to it; none: it is not there.
pub async fn whole(account: &Account, place: &Place, id: &str) -> Result<Option<Vec<Item>>, Fault> {
    let doc = match get(account, &alone(account, place, id)).await {
        Ok(doc) => doc,
        Err(Fault::NotFound) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    match wire::kind(&doc) {
        Kind::Master => series(account, place, wire::text(&doc, "id")).await,
        _ => Ok(Some(vec![item(&doc, None)])),
    }
}

/// A series by the id of its master.
pub async fn series(
    account: &Account,
    place: &Place,
    id: &str,
) -> Result<Option<Vec<Item>>, Fault> {
    let ids = BTreeSet::from([id.to_owned()]);
    let mut found = all_series(account, place, &ids).await?;
    Ok(found.remove(id).flatten())
}

/// Many series, by the ids of their masters, in few round trips. None: it is not there.
pub async fn all_series(
    account: &Account,
    place: &Place,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, Option<Vec<Item>>>, Fault> {
    let addresses: Vec<Address> = ids
        .iter()
        .map(|id| with_exceptions(account, place, id))
        .collect();
    let answers = get_all(account, &addresses).await?;
    let mut found = BTreeMap::new();
    for (id, answer) in ids.iter().zip(answers) {
        let items = match answer {
            Ok(doc) if doc["exceptionOccurrences"].is_array() => Some(split(doc)),
            Ok(_) | Err(Fault::Refused(_)) => by_instances(account, place, id).await?,
            Err(Fault::NotFound) => None,
            Err(fault) => return Err(fault),
        };
        found.insert(id.clone(), items);
    }
    add_parts(account, place, &mut found).await?;
    Ok(found)
}

/// A master's answer as resources.
fn split(mut doc: Value) -> Vec<Item> {
    let exceptions = doc["exceptionOccurrences"].take();
    if let Some(doc) = doc.as_object_mut() {
        doc.retain(|key, _| !key.starts_with("exceptionOccurrences"));
    }
    let id = wire::text(&doc, "id").to_owned();
    let mut items = vec![item(&doc, None)];
    for exception in exceptions.as_array().into_iter().flatten() {
        if wire::id(exception).is_some() {
            items.push(item(exception, Some(&id)));
        }
    }
    items
}

/// The single events that stand for instances.
async fn add_parts(
    account: &Account,
    place: &Place,
    found: &mut BTreeMap<String, Option<Vec<Item>>>,
) -> Result<(), Fault> {
    let mut wanted: Vec<(String, Address)> = Vec::new();
    for (series, items) in found.iter() {
        let master = items.iter().flatten().next();
        let doc: Value = master
            .and_then(|item| serde_json::from_slice(&item.doc).ok())
            .unwrap_or(Value::Null);
        let parts = extra::parts(&doc).into_iter();
        wanted.extend(parts.map(|id| (series.clone(), alone(account, place, &id))));
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let addresses: Vec<Address> = wanted.iter().map(|(_, address)| address.clone()).collect();
    let answers = get_all(account, &addresses).await?;
    for ((series, _), answer) in wanted.into_iter().zip(answers) {
        let doc = match answer {
            Ok(doc) => doc,
            Err(Fault::NotFound) => continue,
            Err(fault) => return Err(fault),
        };
        let belongs = extra::part(&doc).is_some_and(|(_, of)| of == series);
        if let Some(Some(items)) = found.get_mut(&series)
            && belongs
        {
            items.push(item(&doc, Some(&series)));
        }
    }
    Ok(())
}

/// Where the expansion is refused: exceptions are looked for among the instances, and dates without one are deleted.
async fn by_instances(
    account: &Account,
    place: &Place,
    id: &str,
) -> Result<Option<Vec<Item>>, Fault> {
    let mut master = match get(account, &alone(account, place, id)).await {
        Ok(doc) => doc,
        Err(Fault::NotFound) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    if wire::kind(&master) != Kind::Master {
        return Ok(Some(vec![item(&master, None)]));
    }
    let now = account.clock.now();
    let (from, to) = (now - BACK, now + AHEAD);
    let mut next = instances(account, id, from, to);
    let mut found: Vec<Value> = Vec::new();
    loop {
        let answer = page(account, &next, INSTANCES).await?;
        found.extend(wire::list(&answer, "value").iter().cloned());
        match wire::text(&answer, "@odata.nextLink") {
            "" => break,
            link => next = call::own_link(account, link)?,
        }
    }
    let missing = missing_dates(&master, &found, (from, to));
    let ids: Vec<String> = missing
        .iter()
        .map(|date| format!("OID.{id}.{date}"))
        .collect();
    master["cancelledOccurrences"] = json!(ids);
    let mut items = vec![item(&master, None)];
    items.extend(
        found
            .iter()
            .filter(|doc| wire::kind(doc) == Kind::Exception)
            .map(|doc| item(doc, Some(id))),
    );
    Ok(Some(items))
}

/// The days that the rule makes and no instance is of.
fn missing_dates(master: &Value, found: &[Value], (from, to): (i64, i64)) -> Vec<Date> {
    let Ok(recurrence) = Recurrence::of_json(&master["recurrence"]) else {
        return Vec::new();
    };
    let wall = Wall::named(&recurrence.zone).unwrap_or_else(Wall::utc);
    let all_day = wire::flag(master, "isAllDay") == Some(true);
    let day = |doc: &Value| {
        let original = original_date(doc, &wall, all_day);
        let start = wire::civil(wire::text(doc, "start.dateTime"))?;
        let local = match all_day {
            true => start,
            false => wall.zone.to_civil(Zone::Utc.to_instant(start)),
        };
        original.or(Some(local.date()))
    };
    let there: BTreeSet<Date> = found.iter().filter_map(day).collect();
    let start = Start {
        local: recurrence.start.to_datetime(Time::midnight()),
        date: true,
        wall: &wall,
    };
    let mut rule = recurrence.to_rule(&start);
    // The ends of the window may cut an instance off.
    let date = |at: i64| wall.zone.to_civil(at).date();
    let last = date(to - DAY);
    if rule.count.is_none() {
        let until = match rule.until {
            Some(Until::Date(until)) => until.min(last),
            _ => last,
        };
        rule.until = Some(Until::Date(until));
    }
    let budget = Budget::default();
    rule.iter(
        start.local,
        Some(date(from + DAY).to_datetime(Time::midnight())),
        &budget,
    )
    .map(|at| at.date())
    .take_while(|date| *date <= last)
    .filter(|date| !there.contains(date))
    .collect()
}
