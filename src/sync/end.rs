//! The end of a link: what it made there stays, or is taken back first. What it brought here stays.

use super::run::{Report, Run, Stop};
use super::{Bridge, Cause, decide, linked};
use crate::model::bridge::{Connection, Link, LinkState};
use crate::model::{Error, LinkId, Result};
use crate::remote::Fault;
use crate::store::bridges::{connections, links, units};

/// What becomes of the mirrors there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirrors {
    Keep,
    Remove,
}

/// Mirrors at a time.
const PAGE: i64 = 200;

/// Ends a link. Mirrors that are to be removed are removed by the next run; until then the link is `ending`. When the
/// connection does not work (any more), they stay: nothing can be done about them from here.
///
/// # Errors
/// `NotFound` without such a link.
pub async fn end_link(bridge: &Bridge, id: LinkId, mirrors: Mirrors) -> Result<()> {
    let now = bridge.clock.now();
    bridge
        .store
        .write(move |tx| {
            Box::pin(async move {
                let link = links::get(tx, id).await?.ok_or(Error::NotFound)?;
                let connection = connections::get(tx, link.connection).await?;
                let works =
                    connection.is_some_and(|c| c.health == crate::model::bridge::Health::Ok);
                if mirrors == Mirrors::Keep || !works {
                    return links::remove(tx, id).await.map(drop);
                }
                links::set_state(tx, id, LinkState::Ending, "its mirrors are being removed")
                    .await?;
                links::poke(tx, id, now).await.map(drop)
            })
        })
        .await?;
    linked(bridge).await
}

/// Removes the mirrors of a link that ends, and then the link.
pub(super) async fn run(
    bridge: &Bridge,
    connection: &Connection,
    fence: i64,
    link: Link,
) -> Result<Report> {
    let id = link.id;
    let removed = match Run::of(bridge, connection, fence, link, Cause::Poll).await {
        Ok(run) => remove_mirrors(&run).await,
        // Nobody is there to take them away from.
        Err(Error::NotFound) => Ok(0),
        Err(error) => return Err(error),
    };
    let mut report = Report::default();
    match removed {
        Ok(count) => report.counts.deleted_there = count,
        Err(Stop::Fault(
            fault @ (Fault::Throttled(_) | Fault::Transient(_) | Fault::OutcomeUnknown(_)),
        )) => {
            report.fault = Some(fault.to_string());
            let until = match fault {
                Fault::Throttled(Some(until)) => until,
                _ => bridge.clock.now() + super::backoff::wait(connection.failures, &bridge.dice),
            };
            let connection = connection.id;
            bridge
                .store
                .write(move |tx| Box::pin(connections::hold_back(tx, connection, until)))
                .await?;
            return Ok(report);
        }
        Err(Stop::Lost) => return Ok(report),
        Err(Stop::Error(error)) => return Err(error),
        Err(Stop::Fault(fault)) => report.fault = Some(fault.to_string()),
    }
    bridge
        .store
        .write(move |tx| Box::pin(links::remove(tx, id)))
        .await?;
    linked(bridge).await?;
    Ok(report)
}

async fn remove_mirrors(run: &Run) -> Result<u64, Stop> {
    let (link, calendar) = (run.link.id, run.link.calendar);
    let (mut after, mut count) = (String::new(), 0);
    loop {
        let from = after.clone();
        let events = run
            .bridge
            .store
            .read(move |tx| {
                Box::pin(async move {
                    let page = units::mapped(tx, link, &from, PAGE).await?;
                    decide::events(tx, link, calendar, page).await
                })
            })
            .await?;
        let Some(last) = events.last() else {
            return Ok(count);
        };
        after.clone_from(&last.unit.uid);
        for event in events {
            count += u64::from(remove_mirror(run, &event).await?);
        }
    }
}

/// Takes one away, if it is a mirror of ours; one that the provider refuses to delete stays.
async fn remove_mirror(run: &Run, event: &decide::Event) -> Result<bool, Stop> {
    let uid = event.unit.uid.clone();
    let theirs = decide::read(run, &uid, &event.items).ok().flatten();
    if !theirs.is_some_and(|theirs| theirs.is_mirror) {
        return Ok(false);
    }
    let mut items = event.items.clone();
    for _ in 0..3 {
        let guests = run.link.guests;
        let deleted = run
            .provider
            .delete(&run.account, &run.place, &items, guests)
            .await;
        match deleted {
            Ok(()) | Err(Fault::NotFound) => break,
            Err(Fault::Refused(_)) => return Ok(false),
            Err(Fault::Stale) => {
                let id = &items[0].id;
                match run.provider.get(&run.account, &run.place, id).await? {
                    Some(found) if !found.is_empty() => items = found,
                    _ => break,
                }
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    let link = run.link.id;
    run.write(move |tx| {
        Box::pin(async move {
            crate::store::bridges::items::replace(tx, link, &uid, &[]).await?;
            units::forget(tx, link, &[(uid, i64::MIN)]).await
        })
    })
    .await?;
    Ok(true)
}
