//! What one act leaves behind: the new agreement, the rows of theirs, and the step that can be undone. Written in one
//! transaction with the act itself where that is ours, at once after it where it is theirs.

use super::decide::Theirs;
use super::sheet::to_rows;
use crate::model::{LinkId, Result, RunId};
use crate::remote::{Item, Loss};
use crate::store::Tx;
use crate::store::bridges::conflicts::{self, Conflict};
use crate::store::bridges::{Settled, Step, Unit, items, runs, units};

/// What is to be written about one event.
#[derive(Debug, Default)]
pub struct Record {
    pub uid: String,
    /// The mark that it settles.
    pub dirty: i64,
    pub base: Base,
    /// The resources there from now on; none: as they are known.
    pub items: Option<Vec<Item>>,
    pub steps: Vec<Step>,
    pub conflict: Option<Conflict>,
}

/// What becomes of the agreement.
#[derive(Debug, Default)]
pub enum Base {
    /// As it is.
    #[default]
    Kept,
    Settled(Box<Settled>),
    Forgotten,
    Parked {
        code: String,
        reason: String,
    },
}

impl Record {
    pub fn of(unit: &Unit) -> Record {
        Record {
            uid: unit.uid.clone(),
            dirty: unit.dirty,
            ..Record::default()
        }
    }

    pub fn settled(mut self, settled: Settled) -> Record {
        self.base = Base::Settled(Box::new(settled));
        self
    }

    pub fn forgotten(mut self) -> Record {
        self.base = Base::Forgotten;
        self.items = Some(Vec::new());
        self
    }

    pub fn parked(mut self, code: &str, reason: impl Into<String>) -> Record {
        self.base = Base::Parked {
            code: code.to_string(),
            reason: reason.into(),
        };
        self
    }

    /// What theirs says by the agreement that is to be written.
    pub fn base_theirs(&self) -> Option<&[u8]> {
        match &self.base {
            Base::Settled(settled) => settled.base_theirs.as_deref(),
            _ => None,
        }
    }

    pub fn step(mut self, step: Step) -> Record {
        self.steps.push(step);
        self
    }
}

/// The agreement as it is, to be changed in part.
pub fn agreement(unit: &Unit) -> Settled {
    Settled {
        uid: unit.uid.clone(),
        name: unit.name.clone(),
        remote_id: unit.remote_id.clone(),
        generation: unit.generation,
        ours_etag: unit.ours_etag.clone(),
        base_ours: unit.base_ours.clone(),
        base_theirs: unit.base_theirs.clone(),
        theirs_hash: unit.theirs_hash.clone(),
        losses: unit.losses.clone(),
        held: unit.held,
        dirty: unit.dirty,
    }
}

/// Sets their half of an agreement.
pub fn with_theirs(settled: &mut Settled, theirs: Option<&Theirs>, remote_id: &str) {
    settled.remote_id = remote_id.to_string();
    settled.base_theirs = theirs.map(|theirs| theirs.text.clone());
    settled.theirs_hash = theirs.map(|theirs| theirs.hash.clone()).unwrap_or_default();
    settled.losses = theirs.map_or_else(|| "[]".into(), |theirs| losses(&theirs.losses));
}

/// Sets our half of an agreement.
pub fn with_ours(settled: &mut Settled, ours: Option<(&str, &str, &[u8])>) {
    let (name, etag, text) = match ours {
        Some((name, etag, text)) => (name, etag, Some(text.to_vec())),
        None => ("", "", None),
    };
    settled.name = name.to_string();
    settled.ours_etag = etag.to_string();
    settled.base_ours = text;
}

/// The ledger, as it is stored.
pub fn losses(losses: &[Loss]) -> String {
    serde_json::to_string(losses).unwrap_or_else(|_| "[]".into())
}

/// Writes them all.
pub async fn write(
    tx: &mut Tx<'_>,
    link: LinkId,
    run: Option<RunId>,
    records: Vec<Record>,
    now: i64,
) -> Result<()> {
    let (mut settled, mut forgotten, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        if let Some(now_there) = &record.items {
            items::replace(tx, link, &record.uid, &to_rows(now_there, &record.uid)).await?;
        }
        match record.base {
            Base::Kept => {}
            Base::Settled(one) => settled.push(*one),
            Base::Forgotten => forgotten.push((record.uid.clone(), record.dirty)),
            Base::Parked { code, reason } => {
                units::park(tx, link, &record.uid, record.dirty, &code, &reason).await?;
            }
        }
        if let Some(conflict) = &record.conflict {
            conflicts::add(tx, link, conflict).await?;
        }
        steps.extend(record.steps);
    }
    units::settle(tx, link, &settled, now).await?;
    units::forget(tx, link, &forgotten).await?;
    match run {
        Some(run) => runs::add_steps(tx, run, &steps, now).await,
        None => Ok(()),
    }
}
