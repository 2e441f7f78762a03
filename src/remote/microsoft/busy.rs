//! Busy time. FACTS §4.6: `getSchedule` for addresses (work accounts), `calendarView` for calendars by their ids.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::{self, odata, own_link, page};
use super::wire;
use super::zone::Wall;
use crate::ical::rrule::civil::DAY;
use crate::ical::zone::Zone;
use crate::remote::address::Address;
use crate::remote::{Account, Busy, Fault};

/// What one call may ask for.
const ADDRESSES: usize = 20;
const SPAN: i64 = 60 * DAY;

/// Events a page.
const LISTED: usize = 500;

type Answers = Vec<(String, Result<Vec<Busy>, Fault>)>;

pub async fn busy(
    account: &Account,
    calendars: &[String],
    range: (i64, i64),
) -> Result<Answers, Fault> {
    let (addresses, own): (Vec<&String>, Vec<&String>) =
        calendars.iter().partition(|id| id.contains('@'));
    let mut found: BTreeMap<&str, Result<Vec<Busy>, Fault>> = BTreeMap::new();
    for id in own {
        found.insert(id, view(account, id, range).await);
    }
    for span in spans(range) {
        for chunk in addresses.chunks(ADDRESSES) {
            schedules(account, chunk, span, &mut found).await?;
        }
    }
    let unknown = || {
        Err(Fault::Unsupported(
            "Microsoft does not tell its busy time".into(),
        ))
    };
    Ok(calendars
        .iter()
        .map(|id| {
            let answer = found.get(id.as_str()).cloned();
            (id.clone(), answer.unwrap_or_else(unknown).map(tidy))
        })
        .collect())
}

fn spans((from, to): (i64, i64)) -> impl Iterator<Item = (i64, i64)> {
    let mut at = from;
    std::iter::from_fn(move || {
        let start = at;
        at = at.saturating_add(SPAN);
        (start < to).then(|| (start, at.min(to)))
    })
}

fn tidy(mut busy: Vec<Busy>) -> Vec<Busy> {
    busy.sort_by_key(|block| (block.start, block.end, block.tentative));
    busy.dedup();
    busy
}

/// One `getSchedule`: an address with an error is unknown, not free.
async fn schedules<'a>(
    account: &Account,
    chunk: &[&'a String],
    (from, to): (i64, i64),
    found: &mut BTreeMap<&'a str, Result<Vec<Busy>, Fault>>,
) -> Result<(), Fault> {
    let time = |at: i64| {
        let local = Zone::Utc.to_civil(at);
        json!({"dateTime": wire::print_civil(local), "timeZone": "UTC"})
    };
    let body = json!({
        "schedules": chunk,
        "startTime": time(from),
        "endTime": time(to),
        "availabilityViewInterval": 30,
    });
    let address = call::address(account, "me/calendar/getSchedule");
    let answer = match call::ask(account, &address, &body).await {
        Ok(answer) => answer,
        // Personal accounts have no such call.
        Err(fault @ (Fault::MissingScope(_) | Fault::NotFound | Fault::Refused(_))) => {
            for id in chunk {
                found.insert(id, Err(fault.clone()));
            }
            return Ok(());
        }
        Err(fault) => return Err(fault),
    };
    for schedule in wire::list(&answer, "value") {
        let told = wire::text(schedule, "scheduleId");
        let Some(id) = chunk.iter().find(|id| id.eq_ignore_ascii_case(told)) else {
            continue;
        };
        if schedule.get("error").is_some_and(Value::is_object) {
            let reason = "Microsoft does not tell the busy time of this address";
            found.insert(id, Err(Fault::Unsupported(reason.into())));
            continue;
        }
        let blocks = wire::list(schedule, "scheduleItems").iter();
        let blocks = blocks.filter_map(|item| block(item, wire::text(item, "status")));
        if let Ok(known) = found.entry(id).or_insert_with(|| Ok(Vec::new())) {
            known.extend(blocks);
        }
    }
    Ok(())
}

/// A calendar of the account's own.
async fn view(account: &Account, id: &str, (from, to): (i64, i64)) -> Result<Vec<Busy>, Fault> {
    let select = "id,start,end,showAs,isAllDay,isCancelled,originalStartTimeZone";
    let mut next: Address = odata(
        &call::calendar(account, id, "calendarView"),
        &[
            ("startDateTime", &wire::print_instant(from)),
            ("endDateTime", &wire::print_instant(to)),
            ("$select", select),
        ],
    );
    let mut found = Vec::new();
    loop {
        let answer = page(account, &next, LISTED).await?;
        for event in wire::list(&answer, "value") {
            if wire::flag(event, "isCancelled") != Some(true) {
                found.extend(block(event, wire::text(event, "showAs")));
            }
        }
        match wire::text(&answer, "@odata.nextLink") {
            "" => return Ok(found),
            link => next = own_link(account, link)?,
        }
    }
}

/// A stretch that is not free. What Graph cannot name counts as taken.
fn block(event: &Value, status: &str) -> Option<Busy> {
    if status == "free" {
        return None;
    }
    let all_day = wire::flag(event, "isAllDay") == Some(true);
    let at = |key: &str| {
        let local = wire::civil(wire::text(&event[key], "dateTime"))?;
        // Whole days are told as midnights, whatever the zone: they are days where the event was made.
        let zone = if all_day {
            wire::text(event, "originalStartTimeZone")
        } else {
            wire::text(&event[key], "timeZone")
        };
        let wall = Wall::named(zone).unwrap_or_else(Wall::utc);
        Some(wall.zone.to_instant(local))
    };
    let (start, end) = (at("start")?, at("end")?);
    (start < end).then_some(Busy {
        start,
        end,
        tentative: status == "tentative",
    })
}
