//! Works off the queue of a link: decide, do, record. Acts on our side go in batches, one transaction each; acts on
//! theirs as many at a time as the provider likes, each recorded at once.

use futures_util::StreamExt;

use super::decide::{self, Decision, Event, decide};
use super::plan::Act;
use super::record::{self, Record};
use super::run::{Run, Stop};
use super::{here, there};
use crate::store::bridges::units;

/// Events at a time: one transaction of acts on our side.
const PAGE: i64 = 500;
/// An act may call for another one (merged here, then told there; it changed there meanwhile): so often in one run.
const PASSES: usize = 4;

/// What came of the acts of a page.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Something was done, and there may be more to do about the same event.
    pub again: bool,
}

/// Settles what is in the queue.
pub async fn settle(run: &Run) -> Result<(), Stop> {
    for _ in 0..PASSES {
        let mut again = false;
        let mut after = String::new();
        loop {
            let events = decide::load(run, after.clone(), PAGE).await?;
            let Some(last) = events.last() else { break };
            let whole = (events.len() as i64) < PAGE;
            after.clone_from(&last.unit.uid);
            again |= page(run, events).await?.again;
            if whole {
                break;
            }
        }
        if !again {
            return Ok(());
        }
    }
    Ok(())
}

async fn page(run: &Run, events: Vec<Event>) -> Result<Progress, Stop> {
    let (mut local, mut remote) = (Vec::new(), Vec::new());
    for event in events {
        match decide(run, event) {
            Err(refused) => {
                let (event, refusal) = *refused;
                run.count(|counts| counts.parked += 1);
                local.push(here::parked(&event, refusal.code, refusal.reason));
            }
            Ok(decision) => match decision.act {
                Act::Create | Act::Update | Act::DeleteThere => remote.push(decision),
                _ => local.push(here::prepare(run, decision)),
            },
        }
    }
    let mut progress = here::execute(run, local).await?;
    let at_a_time = run.provider.caps().concurrency.max(1);
    let mut running =
        futures_util::stream::iter(remote.into_iter().map(|one| there::execute(run, one)))
            .buffer_unordered(at_a_time);
    let mut stopped = None;
    while let Some(done) = running.next().await {
        match done {
            Ok(one) => progress.again |= one.again,
            // What is on its way is waited for: its outcome has to be recorded.
            Err(stop) if stopped.is_none() => {
                stopped = Some(stop);
                run.stop();
            }
            Err(_) => {}
        }
    }
    match stopped {
        Some(stop) => Err(stop),
        None => Ok(progress),
    }
}

/// Nothing to do: the mark goes, and a half of the agreement that is not there any more.
pub fn nothing(decision: &Decision) -> Record {
    let unit = &decision.event.unit;
    let mut settled = record::agreement(unit);
    if decision.theirs.is_none() {
        record::with_theirs(&mut settled, None, "");
    } else if decision.same_there {
        let ours = decision.event.ours.as_ref();
        let ours = ours.map(|o| {
            (
                o.member.name.as_str(),
                o.member.etag.0.as_str(),
                o.body.as_slice(),
            )
        });
        record::with_ours(&mut settled, ours);
    }
    if decision.event.ours.is_none() {
        settled.name = String::new();
    }
    Record::of(unit).settled(settled)
}

/// Tries an event again later, or parks it when that was tried often.
pub async fn postpone(run: &Run, event: &Event, reason: String) -> Result<(), Stop> {
    use super::backoff::{ATTEMPTS, wait};
    let (link, unit) = (run.link.id, &event.unit);
    let (uid, dirty, attempts) = (unit.uid.clone(), unit.dirty, unit.attempts);
    let retry_at = run.now() + wait(attempts, &run.bridge.dice);
    let gives_up = attempts + 1 >= ATTEMPTS;
    run.count(|counts| match gives_up {
        true => counts.parked += 1,
        false => counts.postponed += 1,
    });
    run.write(move |tx| {
        Box::pin(async move {
            units::postpone(tx, link, &uid, retry_at, &reason).await?;
            if gives_up {
                let told = format!("tried {ATTEMPTS} times: {reason}");
                units::park(tx, link, &uid, dirty, "gave-up", &told).await?;
            }
            Ok(())
        })
    })
    .await
}
