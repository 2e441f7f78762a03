//! What runs of a link did, what they had to decide, and what the other side does not hold.

use serde_json::Value;

use super::{App, owned};
use crate::model::{Error, LinkId, Result, RunId, Who};
use crate::store::bridges::{conflicts as rows, runs as run_rows, units};
use crate::sync;

/// A run that did something.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: RunId,
    pub link: LinkId,
    /// `poll`, `webhook`, `local`, `asked` or `undo`.
    pub cause: String,
    pub started: i64,
    pub ended: Option<i64>,
    /// How many were created, updated, deleted … on each side.
    pub counts: Value,
    /// What stopped it, in words.
    pub fault: Option<String>,
    pub undone: Option<i64>,
}

impl Run {
    pub(super) fn of(row: crate::store::bridges::Run) -> Run {
        Run {
            id: row.id,
            link: row.link,
            cause: row.cause,
            started: row.started,
            ended: row.ended,
            counts: parsed(&row.counts),
            fault: Some(row.fault).filter(|fault| !fault.is_empty()),
            undone: row.undone,
        }
    }
}

/// JSON that the store keeps as text.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// Runs, newest first, from before `before`.
///
/// # Errors
/// `NotFound` when there is no such link of theirs.
pub async fn runs(
    app: &App,
    who: &Who,
    id: LinkId,
    before: Option<RunId>,
    limit: i64,
) -> Result<Vec<Run>> {
    owned(app, who, id).await?;
    let found = app
        .store
        .peek(move |tx| Box::pin(run_rows::list(tx, id, before, limit)))
        .await?;
    Ok(found.into_iter().map(Run::of).collect())
}

/// Undoes a run: both sides become what they were, where nobody changed them since.
///
/// # Errors
/// `Conflict` when it was undone already, `Unavailable` while the connection is worked on.
pub async fn undo(app: &App, who: &Who, id: RunId) -> Result<sync::Report> {
    let found = app
        .store
        .peek(move |tx| Box::pin(run_rows::get(tx, id)))
        .await?
        .ok_or(Error::NotFound)?;
    owned(app, who, found.link).await?;
    let report = sync::undo(app.bridge().await?, id).await?;
    app.wake.ring();
    Ok(report)
}

/// Fields that both sides had changed.
#[derive(Clone, Debug)]
pub struct Conflict {
    pub id: i64,
    pub uid: String,
    pub at: i64,
    /// Each field with what it was, ours, theirs, and which was kept.
    pub fields: Value,
    /// The whole texts as they were.
    pub ours: String,
    pub theirs: String,
}

/// Conflicts, newest first, from before `before`.
///
/// # Errors
/// As [`runs`].
pub async fn conflicts(
    app: &App,
    who: &Who,
    id: LinkId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Conflict>> {
    owned(app, who, id).await?;
    let found = app
        .store
        .peek(move |tx| Box::pin(rows::list(tx, id, before, limit)))
        .await?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(found
        .into_iter()
        .map(|row| Conflict {
            id: row.id,
            uid: row.uid,
            at: row.at,
            fields: parsed(&row.fields),
            ours: text(row.ours),
            theirs: text(row.theirs),
        })
        .collect())
}

/// What the other side does not hold of one event; our own text has it.
#[derive(Clone, Debug)]
pub struct Losses {
    pub uid: String,
    /// Of objects with `rid`, `property` and `what`.
    pub losses: Value,
}

/// The fidelity ledger, event by event in the order of UIDs from after `after`.
///
/// # Errors
/// As [`runs`].
pub async fn losses(
    app: &App,
    who: &Who,
    id: LinkId,
    after: &str,
    limit: i64,
) -> Result<Vec<Losses>> {
    owned(app, who, id).await?;
    let found = app
        .store
        .peek(move |tx| Box::pin(units::lossy(tx, id, after, limit)))
        .await?;
    Ok(found
        .into_iter()
        .map(|(uid, losses)| Losses {
            uid,
            losses: parsed(&losses),
        })
        .collect())
}
