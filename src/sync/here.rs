//! Acts on our side: taken, merged, deleted; and those that change nothing but the record.

use super::decide::{Decision, Event, Theirs};
use super::plan::{Act, Change};
use super::record::{self, Record, agreement, with_ours, with_theirs};
use super::run::{Run, Stop};
use super::settle::{Progress, nothing};
use super::texts::{self, blank, hash, hex};
use crate::ical::merge::{self, Winner};
use crate::model::bridge::{ConflictPolicy, Direction};
use crate::model::{Etag, StoredObject};
use crate::objects::{self, Outcome, What};
use crate::store::bridges::conflicts::Conflict;
use crate::store::bridges::{Side, Step};

/// A write of ours (or none) and what is recorded with it.
pub struct Local {
    write: Option<objects::Step>,
    record: Record,
    act: Act,
    again: bool,
}

impl Local {
    fn record(record: Record) -> Local {
        Local {
            write: None,
            record,
            act: Act::Nothing,
            again: false,
        }
    }
}

/// An event that cannot be brought across.
pub fn parked(event: &Event, code: &str, reason: String) -> Local {
    Local::record(Record::of(&event.unit).parked(code, reason))
}

/// Makes an act on our side ready.
pub fn prepare(run: &Run, decision: Decision) -> Local {
    let Decision {
        event,
        theirs,
        act,
        changes,
        ..
    } = &decision;
    match (act, theirs, &event.ours) {
        (Act::Take, Some(theirs), _) => take(event, theirs),
        (Act::Apply, Some(theirs), Some(ours)) => apply(run, event, theirs, ours, *changes),
        (Act::DeleteHere, _, Some(ours)) => delete(event, ours),
        (Act::Forget, ..) => Local::record(Record::of(&event.unit).forgotten()),
        _ => Local::record(nothing(&decision)),
    }
}

/// The name of an object that comes from there.
pub fn name_for(uid: &str) -> String {
    use sha2::Digest;
    format!("{}.ics", hex(&sha2::Sha256::digest(uid.as_bytes())[..12]))
}

fn master_id(event: &Event) -> &str {
    event.items.first().map_or("", |item| item.id.as_str())
}

fn take(event: &Event, theirs: &Theirs) -> Local {
    let name = name_for(&event.unit.uid);
    let etag = Etag::of(&theirs.text);
    let mut settled = agreement(&event.unit);
    settled.held = false;
    with_ours(&mut settled, Some((&name, &etag.0, &theirs.text)));
    with_theirs(&mut settled, Some(theirs), master_id(event));
    let step = step(event, "create", None);
    Local {
        write: Some(objects::Step {
            name,
            what: What::Put(theirs.text.clone().into()),
            expected: None,
        }),
        record: Record::of(&event.unit).settled(settled).step(step),
        act: Act::Take,
        again: false,
    }
}

fn step(event: &Event, action: &'static str, before: Option<Vec<u8>>) -> Step {
    Step {
        uid: event.unit.uid.clone(),
        side: Side::Ours,
        action,
        before,
        after: None,
    }
}

fn delete(event: &Event, ours: &StoredObject) -> Local {
    let step = step(event, "delete", Some(ours.body.clone()));
    Local {
        write: Some(objects::Step {
            name: ours.member.name.clone(),
            what: What::Remove,
            expected: Some(ours.member.etag.clone()),
        }),
        record: Record::of(&event.unit).forgotten().step(step),
        act: Act::DeleteHere,
        again: false,
    }
}

/// Their change is merged into ours, and the same change into our base: what is left between the two is what of ours
/// is still to be told there.
fn apply(
    run: &Run,
    event: &Event,
    theirs: &Theirs,
    ours: &StoredObject,
    changes: (Change, Change),
) -> Local {
    let unit = &event.unit;
    let empty = blank(&unit.uid);
    let paired = changes.0 == Change::New || changes.1 == Change::New;
    let (base_ours, base_theirs) = match (&unit.base_ours, &unit.base_theirs) {
        (Some(ours), Some(theirs)) if !paired => (ours.as_slice(), theirs.as_slice()),
        _ => (empty.as_slice(), empty.as_slice()),
    };
    // A mirror whose making we do not remember: ours is what it was made of, also where it tells less or otherwise.
    let winner = match paired && theirs.is_mirror {
        true => Winner::Ours,
        false => winner(run, ours.member.modified, unit.received),
    };
    let merged = merge::merge_since(base_ours, &ours.body, base_theirs, &theirs.text, winner);
    let based = match &unit.base_ours {
        Some(base) if !paired => {
            merge::merge_since(base, base, base_theirs, &theirs.text, Winner::Theirs)
                .map(|m| m.text)
        }
        _ => Ok(theirs.text.clone()),
    };
    let (merged, based) = match (merged, based) {
        (Ok(merged), Ok(based)) => (merged, based),
        (Err(why), _) | (_, Err(why)) => return parked(event, "unreadable", why.to_string()),
    };
    let text = match merged.ours_changed {
        true => merged.text,
        false => ours.body.clone(),
    };
    let text = texts::with_conference(&text, &theirs.text).unwrap_or(text);
    let agreed = hash(&text) == hash(&based);
    let mut settled = agreement(unit);
    settled.held = false;
    let base = if agreed { &text } else { &based };
    let etag = Etag::of(base);
    with_ours(&mut settled, Some((&ours.member.name, &etag.0, base)));
    with_theirs(&mut settled, Some(theirs), master_id(event));
    let more = !agreed && run.link.direction == Direction::Both;
    if more {
        // Stays in the queue.
        settled.dirty = 0;
    }
    let mut record = Record::of(unit).settled(settled);
    if !merged.conflicts.is_empty() {
        record.conflict = Some(conflict(run, event, theirs, ours, &merged.conflicts));
    }
    let changed = text != ours.body;
    if changed {
        record = record.step(step(event, "update", Some(ours.body.clone())));
    }
    Local {
        write: changed.then(|| objects::Step {
            name: ours.member.name.clone(),
            what: What::Put(text.into()),
            expected: Some(ours.member.etag.clone()),
        }),
        record,
        act: Act::Apply,
        again: more,
    }
}

fn winner(run: &Run, ours_at: i64, theirs_at: i64) -> Winner {
    match run.link.conflict {
        ConflictPolicy::Theirs => Winner::Theirs,
        ConflictPolicy::Ours => Winner::Ours,
        ConflictPolicy::Newest if ours_at > theirs_at => Winner::Ours,
        ConflictPolicy::Newest => Winner::Theirs,
    }
}

fn conflict(
    run: &Run,
    event: &Event,
    theirs: &Theirs,
    ours: &StoredObject,
    fields: &[merge::Conflict],
) -> Conflict {
    let kept = |winner| match winner {
        Winner::Ours => "ours",
        Winner::Theirs => "theirs",
    };
    let fields: Vec<_> = fields
        .iter()
        .map(|field| {
            serde_json::json!({
                "rid": field.rid, "property": field.property, "base": field.base,
                "ours": field.ours, "theirs": field.theirs, "kept": kept(field.kept),
            })
        })
        .collect();
    Conflict {
        id: 0,
        uid: event.unit.uid.clone(),
        at: run.now(),
        fields: serde_json::Value::from(fields).to_string(),
        ours: ours.body.clone(),
        theirs: theirs.text.clone(),
    }
}

/// Writes `text` in place of ours with the record of what was done there. Where ours changed meanwhile nothing is
/// recorded: the event stays in the queue, and what is there is found again.
pub async fn write_with(
    run: &Run,
    decision: &Decision,
    text: Vec<u8>,
    mut record: Record,
) -> Result<Progress, Stop> {
    let Some(ours) = &decision.event.ours else {
        return Ok(Progress::default());
    };
    let name = ours.member.name.clone();
    if let record::Base::Settled(settled) = &mut record.base {
        with_ours(settled, Some((&name, &Etag::of(&text).0, &text)));
    }
    let event = &decision.event;
    let local = Local {
        write: Some(objects::Step {
            name,
            what: What::Put(text.into()),
            expected: Some(ours.member.etag.clone()),
        }),
        record: record.step(step(event, "update", Some(ours.body.clone()))),
        act: Act::Apply,
        again: false,
    };
    execute(run, vec![local]).await
}

/// Does them all in one transaction.
pub async fn execute(run: &Run, all: Vec<Local>) -> Result<Progress, Stop> {
    if all.is_empty() {
        return Ok(Progress::default());
    }
    let mut progress = Progress::default();
    let (mut writes, mut written, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for one in all {
        match one.write {
            Some(write) => {
                writes.push(write);
                written.push((one.record, one.act, one.again));
            }
            None => {
                progress.again |= one.again;
                rest.push(one.record);
            }
        }
    }
    let (fenced, link, id, now) = (run.fenced(), run.link.id, run.id, run.now());
    let done = objects::batch(
        &run.bridge.door(),
        &run.calendar,
        writes,
        run.origin(),
        link,
        move |tx, outcomes| {
            Box::pin(async move {
                fenced.check(tx).await?;
                let mut told = Vec::new();
                let mut records = rest;
                for ((record, act, again), outcome) in written.into_iter().zip(outcomes) {
                    match outcome {
                        Outcome::Done(_) => {
                            told.push((Some(act), record.conflict.is_some(), again));
                            records.push(record);
                        }
                        // Ours was changed meanwhile: it stays in the queue.
                        Outcome::Moved => told.push((None, false, true)),
                        Outcome::Refused(error) => {
                            told.push((None, false, false));
                            let parked = Record {
                                uid: record.uid,
                                dirty: record.dirty,
                                ..Record::default()
                            };
                            records.push(parked.parked("refused-here", error.to_string()));
                        }
                    }
                }
                record::write(tx, link, id, records, now).await?;
                Ok(told)
            })
        },
    )
    .await?;
    for (act, conflict, again) in done {
        progress.again |= again;
        run.count(|counts| {
            counts.conflicts += u64::from(conflict);
            match act {
                Some(Act::Take) => counts.created_here += 1,
                Some(Act::DeleteHere) => counts.deleted_here += 1,
                Some(_) => counts.updated_here += 1,
                None if again => {}
                None => counts.parked += 1,
            }
        });
    }
    Ok(progress)
}
