//! Taking a run back: its steps in reverse, each side as it was before, as far as nobody changed it since.
//!
//! What is undone is held: both sides stay as they are, though they may differ, until either one changes. That is in the
//! base: each half is what its side says now, and a side that has nothing has no half.

use super::decide::{self, Event};
use super::record::{self, Record, agreement, with_ours, with_theirs};
use super::run::{Report, Run, Stop};
use super::there::key;
use super::{Bridge, Cause, work};
use crate::model::{Error, Etag, Result, RunId};
use crate::objects::{self, Outcome, What};
use crate::remote::{Fault, Item, Marker, Put};
use crate::store::bridges::{Side, Step, runs, units};

/// Steps at a time.
const PAGE: i64 = 100;

/// Undoes a run. Steps whose event was changed since are left as they are and counted as postponed.
///
/// # Errors
/// `NotFound` without such a run, `Conflict` when it was undone already or still runs, as
/// [`super::sync_link`] otherwise.
pub async fn undo(bridge: &Bridge, id: RunId) -> Result<Report> {
    let found = bridge
        .store
        .peek(|tx| Box::pin(runs::get(tx, id)))
        .await?
        .ok_or(Error::NotFound)?;
    if found.undone.is_some() {
        return Err(Error::Conflict("this run was undone already".into()));
    }
    let (connection, fence, link) = work::lease(bridge, found.link).await?;
    let outcome = match Run::of(bridge, &connection, fence, link, Cause::Asked).await {
        Ok(mut run) => steps_back(&mut run, id).await,
        Err(error) => Err(error.into()),
    };
    work::release(bridge, &connection, fence).await?;
    match outcome {
        Ok(report) => Ok(report),
        Err(Stop::Error(error)) => Err(error),
        Err(stop) => Err(Error::Unavailable(stop.to_string())),
    }
}

async fn steps_back(run: &mut Run, id: RunId) -> Result<Report, Stop> {
    let (link, now) = (run.link.id, run.now());
    let own = run
        .write(move |tx| Box::pin(runs::begin(tx, link, "undo", now)))
        .await?;
    run.id = Some(own);
    let mut before = i64::MAX;
    let mut stopped = None;
    'steps: loop {
        let page = run
            .bridge
            .store
            .peek(|tx| Box::pin(runs::steps_back(tx, id, before, PAGE)))
            .await?;
        let Some((last, _)) = page.last() else { break };
        before = *last;
        for (_, step) in page {
            match one(run, step).await {
                Ok(true) => {}
                Ok(false) => run.count(|counts| counts.postponed += 1),
                Err(Stop::Fault(fault)) => {
                    stopped = Some(fault);
                    break 'steps;
                }
                Err(stop) => return Err(stop),
            }
        }
    }
    let counts = run.counted();
    let told = serde_json::to_string(&counts).unwrap_or_else(|_| "{}".into());
    let fault = stopped.map(|fault| fault.to_string());
    let words = fault.clone().unwrap_or_default();
    run.write(move |tx| {
        Box::pin(async move {
            if words.is_empty() {
                runs::undone(tx, id, now).await?;
            }
            runs::end(tx, own, &told, &words, now).await
        })
    })
    .await?;
    Ok(Report {
        run: Some(own),
        counts,
        fault,
        asked: None,
    })
}

/// Takes one step back; false: its event was changed since.
async fn one(run: &Run, step: Step) -> Result<bool, Stop> {
    let (link, calendar, uid) = (run.link.id, run.link.calendar, step.uid.clone());
    let event = run
        .bridge
        .store
        .read(move |tx| {
            Box::pin(async move {
                let unit = units::get(tx, link, &uid).await?.unwrap_or(units::Unit {
                    uid,
                    losses: "[]".into(),
                    ..units::Unit::default()
                });
                Ok(decide::events(tx, link, calendar, vec![unit]).await?.pop())
            })
        })
        .await?;
    let Some(event) = event else { return Ok(false) };
    match step.side {
        Side::Ours => ours(run, event, step).await,
        Side::Theirs => theirs(run, event, step).await,
    }
}

async fn ours(run: &Run, event: Event, step: Step) -> Result<bool, Stop> {
    let unit = &event.unit;
    let now_here = event.ours.as_ref().map(|ours| ours.member.etag.0.as_str());
    let expected = match step.action {
        "delete" => None,
        _ => Some(unit.ours_etag.as_str()).filter(|etag| !etag.is_empty()),
    };
    if now_here != expected || (step.action != "delete" && expected.is_none()) {
        return Ok(false);
    }
    let name = match &event.ours {
        Some(ours) => ours.member.name.clone(),
        None => super::here::name_for(&unit.uid),
    };
    let mut settled = agreement(unit);
    settled.held = true;
    let what = match &step.before {
        Some(text) => {
            let etag = Etag::of(text).0;
            with_ours(&mut settled, Some((&name, &etag, text)));
            What::Put(text.clone().into())
        }
        None => {
            with_ours(&mut settled, None);
            What::Remove
        }
    };
    let write = objects::Step {
        name,
        what,
        expected: event.ours.as_ref().map(|ours| ours.member.etag.clone()),
    };
    let back = reversed(&step, event.ours.as_ref().map(|ours| ours.body.clone()));
    run.count(|counts| match back.action {
        "create" => counts.created_here += 1,
        "delete" => counts.deleted_here += 1,
        _ => counts.updated_here += 1,
    });
    let record = Record::of(unit).settled(settled).step(back);
    let (fenced, link, id, now) = (run.fenced(), run.link.id, run.id, run.now());
    let done = objects::batch(
        &run.bridge.door(),
        &run.calendar,
        vec![write],
        run.origin(),
        link,
        move |tx, outcomes| {
            Box::pin(async move {
                fenced.check(tx).await?;
                let done = matches!(outcomes.first(), Some(Outcome::Done(_)));
                if done {
                    units::ensure(tx, link, &record.uid).await?;
                    record::write(tx, link, id, vec![record], now).await?;
                }
                Ok(done)
            })
        },
    )
    .await?;
    Ok(done)
}

/// The step that undoes one.
fn reversed(step: &Step, now: Option<Vec<u8>>) -> Step {
    let action = match step.action {
        "create" => "delete",
        "delete" => "create",
        _ => "update",
    };
    Step {
        uid: step.uid.clone(),
        side: step.side,
        action,
        before: now,
        after: None,
    }
}

async fn theirs(run: &Run, event: Event, step: Step) -> Result<bool, Stop> {
    let unit = &event.unit;
    let known = decide::read(run, &unit.uid, &event.items).ok().flatten();
    let unchanged = match (step.action, &known) {
        ("delete", known) => known.is_none(),
        (_, Some(known)) => known.hash == unit.theirs_hash,
        (_, None) => false,
    };
    if !unchanged {
        return Ok(false);
    }
    let mut settled = agreement(unit);
    settled.held = true;
    let mut record = Record::of(unit);
    let outcome = match &step.before {
        None => run
            .provider
            .delete(&run.account, &run.place, &event.items, run.link.guests)
            .await
            .map(|()| Vec::new()),
        Some(text) => {
            settled.generation += i64::from(step.action == "delete");
            put_back(run, &unit.uid, settled.generation, text, &event.items).await
        }
    };
    let items = match outcome {
        Ok(items) => items,
        Err(Fault::Stale | Fault::NotFound | Fault::Duplicate(_) | Fault::Refused(_)) => {
            return Ok(false);
        }
        Err(fault) => return Err(fault.into()),
    };
    let now_there = decide::read(run, &unit.uid, &items).ok().flatten();
    let id = items
        .first()
        .map_or("", |item| item.id.as_str())
        .to_string();
    with_theirs(&mut settled, now_there.as_ref(), &id);
    record.items = Some(items);
    let back = reversed(&step, known.map(|known| known.text));
    run.count(|counts| match back.action {
        "create" => counts.created_there += 1,
        "delete" => counts.deleted_there += 1,
        _ => counts.updated_there += 1,
    });
    let record = record.settled(settled).step(back);
    let (link, own, now) = (run.link.id, run.id, run.now());
    run.write(move |tx| {
        Box::pin(async move {
            units::ensure(tx, link, &record.uid).await?;
            record::write(tx, link, own, vec![record], now).await
        })
    })
    .await?;
    Ok(true)
}

/// Makes theirs say what it said before. It was theirs: nothing of it is left out, but guests.
async fn put_back(
    run: &Run,
    uid: &str,
    generation: i64,
    text: &[u8],
    known: &[Item],
) -> Result<Vec<Item>, Fault> {
    let mut telling = run.telling();
    telling.privacy = crate::model::bridge::Privacy::Full;
    telling.direction = crate::model::bridge::Direction::Both;
    let told =
        super::outgoing::outgoing(text, uid, &telling, false).unwrap_or_else(|| text.to_vec());
    let told = super::texts::with_uid(&told, &run.telling().uid(uid));
    let key = key(run, uid, generation);
    let marker = Marker {
        instance: run.bridge.instance.clone(),
        link: run.link.id.to_string(),
        uid: run.telling().marker_uid(uid),
    };
    let put = Put {
        key: &key,
        marker: &marker,
        text: &told,
        known,
        guests: run.link.guests,
        respond: None,
    };
    let placed = run.provider.put(&run.account, &run.place, put).await?;
    Ok(placed.items)
}
