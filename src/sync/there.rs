//! Acts on their side: created, updated, deleted; and what is done about each fault.

use sha2::{Digest, Sha256};

use super::decide::{Decision, Theirs, read};
use super::here;
use super::plan::{Act, Change};
use super::record::{self, Record, agreement, with_ours, with_theirs};
use super::run::{Run, Stop};
use super::settle::{Progress, postpone};
use super::sheet::to_rows;
use super::texts::{self, hash, new_answer};
use crate::model::StoredObject;
use crate::remote::{Fault, Item, Marker, Placed, Put};
use crate::store::bridges::{Side, Step, items, units};

/// Does one act there and records it.
pub async fn execute(run: &Run, decision: Decision) -> Result<Progress, Stop> {
    if run.is_stopped() {
        return Ok(Progress::default());
    }
    let done = match decision.act {
        Act::DeleteThere => delete(run, &decision).await,
        _ => put(run, &decision).await,
    };
    match done {
        Ok(record) => match with_conference(&decision, &record) {
            Some(text) => here::write_with(run, &decision, text, record).await,
            None => {
                write(run, record).await?;
                Ok(Progress::default())
            }
        },
        Err(Stop::Fault(fault)) => trouble(run, &decision, fault).await,
        Err(stop) => Err(stop),
    }
}

/// Our text with the conference that this very put was asked to make.
fn with_conference(decision: &Decision, record: &Record) -> Option<Vec<u8>> {
    let ours = decision.event.ours.as_ref()?;
    texts::with_conference(&ours.body, record.base_theirs()?)
}

async fn write(run: &Run, record: Record) -> Result<(), Stop> {
    let (link, id, now) = (run.link.id, run.id, run.now());
    run.write(move |tx| Box::pin(record::write(tx, link, id, vec![record], now)))
        .await
}

/// Stable for each creation: the same when it is tried again, another one after a deletion there. Lower-case base32hex,
/// which every provider takes as an id or a transaction's.
pub fn key(run: &Run, uid: &str, generation: i64) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut sum = Sha256::new();
    for part in [
        run.bridge.instance.as_str(),
        &run.link.id.to_string(),
        uid,
        &generation.to_string(),
    ] {
        sum.update((part.len() as u64).to_be_bytes());
        sum.update(part.as_bytes());
    }
    let sum = sum.finalize();
    let bits = |at: usize| {
        let (byte, bit) = (at / 8, at % 8);
        let pair = u16::from_be_bytes([sum[byte], sum[byte + 1]]);
        usize::from(pair >> (11 - bit)) & 31
    };
    (0..40).map(|n| char::from(DIGITS[bits(n * 5)])).collect()
}

/// Which creation this is: another one than that which is gone there.
fn generation(decision: &Decision) -> i64 {
    let unit = &decision.event.unit;
    unit.generation + i64::from(decision.changes.1 == Change::Gone)
}

async fn put(run: &Run, decision: &Decision) -> Result<Record, Stop> {
    let (Some(ours), Some(told)) = (&decision.event.ours, &decision.told) else {
        return Ok(Record::of(&decision.event.unit));
    };
    let (unit, theirs) = (&decision.event.unit, decision.theirs.as_ref());
    let respond = theirs
        .filter(|theirs| !theirs.ours_to_edit)
        .and_then(|_| new_answer(unit.base_ours.as_deref(), &ours.body, &run.account.label));
    let generation = generation(decision);
    let key = key(run, &unit.uid, generation);
    let marker = Marker {
        instance: run.bridge.instance.clone(),
        link: run.link.id.to_string(),
        uid: run.telling().marker_uid(&unit.uid),
    };
    let known: &[Item] = match theirs {
        Some(_) => &decision.event.items,
        None => &[],
    };
    let put = Put {
        key: &key,
        marker: &marker,
        text: told,
        known,
        guests: run.link.guests,
        respond: respond.as_deref(),
    };
    let placed = run.provider.put(&run.account, &run.place, put).await?;
    if says_nothing(run, &unit.uid, &placed.items) {
        // The id belongs to one that was deleted: another one is needed.
        return Err(match known.is_empty() {
            true => Fault::Duplicate(None),
            false => Fault::NotFound,
        }
        .into());
    }
    Ok(placed_record(run, decision, ours, told, placed, generation))
}

/// Resources of an event that is not there (any more): cancelled ones.
fn says_nothing(run: &Run, uid: &str, items: &[Item]) -> bool {
    matches!(read(run, uid, items), Ok(None))
}

fn placed_record(
    run: &Run,
    decision: &Decision,
    ours: &StoredObject,
    told: &[u8],
    placed: Placed,
    generation: i64,
) -> Record {
    let unit = &decision.event.unit;
    // What is there now; when that says nothing, what we told.
    let reading = read(run, &unit.uid, &placed.items).ok().flatten();
    let mut now_there = reading.unwrap_or_else(|| {
        let text = super::texts::with_uid(told, &unit.uid);
        Theirs {
            hash: hash(&text),
            text,
            losses: Vec::new(),
            ours_to_edit: true,
            is_mirror: true,
        }
    });
    now_there.losses.extend(placed.losses);
    now_there.losses.sort();
    now_there.losses.dedup();
    let mut settled = agreement(unit);
    settled.held = false;
    settled.generation = generation;
    let etag = &ours.member.etag.0;
    with_ours(&mut settled, Some((&ours.member.name, etag, &ours.body)));
    let id = placed.items.first().map_or("", |item| item.id.as_str());
    with_theirs(&mut settled, Some(&now_there), id);
    let before = decision.theirs.as_ref().map(|theirs| theirs.text.clone());
    let action = if before.is_some() { "update" } else { "create" };
    run.count(|counts| match action {
        "create" => counts.created_there += 1,
        _ => counts.updated_there += 1,
    });
    let mut record = Record::of(unit).settled(settled).step(Step {
        uid: unit.uid.clone(),
        side: Side::Theirs,
        action,
        before,
        after: None,
    });
    record.items = Some(placed.items);
    record
}

async fn delete(run: &Run, decision: &Decision) -> Result<Record, Stop> {
    let event = &decision.event;
    run.provider
        .delete(&run.account, &run.place, &event.items, run.link.guests)
        .await?;
    run.count(|counts| counts.deleted_there += 1);
    let step = Step {
        uid: event.unit.uid.clone(),
        side: Side::Theirs,
        action: "delete",
        before: decision.theirs.as_ref().map(|theirs| theirs.text.clone()),
        after: None,
    };
    let record = Record::of(&event.unit);
    let Some(ours) = &event.ours else {
        return Ok(record.forgotten().step(step));
    };
    // Ours stays and is not told there any more.
    let mut settled = agreement(&event.unit);
    settled.generation += 1;
    let etag = &ours.member.etag.0;
    with_ours(&mut settled, Some((&ours.member.name, etag, &ours.body)));
    with_theirs(&mut settled, None, "");
    let mut record = record.settled(settled).step(step);
    record.items = Some(Vec::new());
    Ok(record)
}

/// What is done about each fault.
async fn trouble(run: &Run, decision: &Decision, fault: Fault) -> Result<Progress, Stop> {
    let again = Ok(Progress { again: true });
    let event = &decision.event;
    match fault {
        Fault::Stale | Fault::NotFound => {
            refresh(run, decision).await?;
            again
        }
        Fault::Duplicate(id) => {
            duplicate(run, decision, id).await?;
            again
        }
        Fault::Refused(refusal) => {
            run.count(|counts| counts.parked += 1);
            let record = Record::of(&event.unit).parked(refusal.code, refusal.reason);
            write(run, record).await?;
            Ok(Progress::default())
        }
        Fault::Unsupported(why) => {
            run.count(|counts| counts.parked += 1);
            write(run, Record::of(&event.unit).parked("unsupported", why)).await?;
            Ok(Progress::default())
        }
        Fault::Transient(_) | Fault::OutcomeUnknown(_) => {
            postpone(run, event, fault.to_string()).await?;
            if run.stumbled() {
                return Err(Stop::Fault(fault));
            }
            Ok(Progress::default())
        }
        // Nothing is wrong with this event: it stays as it is in the queue.
        Fault::Throttled(_)
        | Fault::Revoked(_)
        | Fault::MissingScope(_)
        | Fault::Operator(_)
        | Fault::CursorGone => Err(Stop::Fault(fault)),
    }
}

/// It changed there since we looked, or is gone: what is there now is taken in, and the event is planned again.
async fn refresh(run: &Run, decision: &Decision) -> Result<(), Stop> {
    let Some(id) = decision.event.items.first().map(|item| item.id.clone()) else {
        return Ok(());
    };
    let found = run.provider.get(&run.account, &run.place, &id).await;
    let now_there = match found {
        Err(Fault::NotFound) => Vec::new(),
        Err(Fault::Transient(why)) => return postpone(run, &decision.event, why).await,
        found => found?.unwrap_or_default(),
    };
    let (link, uid, now) = (run.link.id, decision.event.unit.uid.clone(), run.now());
    run.write(move |tx| {
        Box::pin(async move {
            items::replace(tx, link, &uid, &to_rows(&now_there, &uid)).await?;
            units::received(tx, link, &uid, now).await
        })
    })
    .await
}

/// The id is taken: by our own first attempt, which is adopted, or by one that is gone, so that another id is needed.
async fn duplicate(run: &Run, decision: &Decision, id: Option<String>) -> Result<(), Stop> {
    let found = match &id {
        Some(id) => match run.provider.get(&run.account, &run.place, id).await {
            Err(Fault::NotFound) => None,
            found => found?,
        },
        None => None,
    };
    let (link, uid) = (run.link.id, decision.event.unit.uid.clone());
    let found = found.filter(|items| !says_nothing(run, &uid, items));
    run.write(move |tx| {
        Box::pin(async move {
            match (found, id) {
                (Some(now_there), Some(id)) => {
                    items::replace(tx, link, &uid, &to_rows(&now_there, &uid)).await?;
                    units::map(tx, link, &uid, &id).await
                }
                _ => units::regenerate(tx, link, &uid).await,
            }
        })
    })
    .await
}
