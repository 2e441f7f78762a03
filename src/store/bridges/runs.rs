//! What runs did: counts for people, and steps so that a run can be undone.

use super::word;
use crate::model::{LinkId, PrincipalId, Result, RunId};
use crate::store::sql::{Row, Tx, args, sql};

/// One run of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub id: RunId,
    pub link: LinkId,
    /// `poll`, `webhook`, `local`, `asked` or `undo`.
    pub cause: String,
    pub started: i64,
    pub ended: Option<i64>,
    /// JSON.
    pub counts: String,
    /// What stopped it, in words; empty: nothing did.
    pub fault: String,
    pub undone: Option<i64>,
}

/// Which side a step changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Ours,
    Theirs,
}

impl Side {
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Ours => "ours",
            Side::Theirs => "theirs",
        }
    }

    fn parse(text: &str) -> Option<Side> {
        [Side::Ours, Side::Theirs]
            .into_iter()
            .find(|side| side.as_str() == text)
    }
}

/// One change of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub uid: String,
    pub side: Side,
    /// `create`, `update` or `delete`.
    pub action: &'static str,
    /// That side's text before; none: there was nothing.
    pub before: Option<Vec<u8>>,
    pub after: Option<Vec<u8>>,
}

const ACTIONS: [&str; 3] = ["create", "update", "delete"];

fn action(text: &str) -> Option<&'static str> {
    ACTIONS.into_iter().find(|action| *action == text)
}

macro_rules! columns {
    () => {
        "id, link_id, cause, started, ended, counts, fault, undone"
    };
}

fn run(row: &Row<'_>) -> Result<Run> {
    Ok(Run {
        id: RunId(row.int(0)?),
        link: LinkId(row.int(1)?),
        cause: row.text(2)?.to_string(),
        started: row.int(3)?,
        ended: row.opt_int(4)?,
        counts: row.text(5)?.to_string(),
        fault: row.text(6)?.to_string(),
        undone: row.opt_int(7)?,
    })
}

pub async fn begin(tx: &mut Tx<'_>, link: LinkId, cause: &str, now: i64) -> Result<RunId> {
    let statement =
        sql!("insert into sync_run (link_id, cause, started) values ($1, $2, $3) returning id");
    let id = tx
        .one(statement, &args![link, cause, now], super::count)
        .await?;
    Ok(RunId(id.unwrap_or(0)))
}

pub async fn end(tx: &mut Tx<'_>, id: RunId, counts: &str, fault: &str, now: i64) -> Result<()> {
    tx.execute(
        sql!("update sync_run set counts = $2, fault = $3, ended = $4 where id = $1"),
        &args![id, counts, fault, now],
    )
    .await
    .map(drop)
}

pub async fn get(tx: &mut Tx<'_>, id: RunId) -> Result<Option<Run>> {
    let statement = sql!("select ", columns!(), " from sync_run where id = $1");
    tx.one(statement, &args![id], run).await
}

/// Newest first, from before `before`.
pub async fn list(
    tx: &mut Tx<'_>,
    link: LinkId,
    before: Option<RunId>,
    limit: i64,
) -> Result<Vec<Run>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from sync_run where link_id = $1 and id < $2 order by id desc limit $3"
    );
    let before = before.map_or(i64::MAX, |id| id.0);
    tx.all(statement, &args![link, before, limit], run).await
}

/// Adds steps after those that the run has.
pub async fn add_steps(tx: &mut Tx<'_>, id: RunId, steps: &[Step], now: i64) -> Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let last = tx
        .one(
            sql!("select coalesce(max(n), 0) from sync_step where run_id = $1"),
            &args![id],
            super::count,
        )
        .await?
        .unwrap_or(0);
    let statement = sql!(
        "insert into sync_step (run_id, n, uid, side, action, before, after, at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    let sets = steps.iter().zip(last + 1..).map(|(step, n)| {
        args![
            id,
            n,
            &step.uid,
            step.side.as_str(),
            step.action,
            step.before.as_deref(),
            step.after.as_deref(),
            now
        ]
    });
    tx.execute_many(statement, sets).await
}

/// The steps of a run, the last one first, from before number `before`: (number, step).
pub async fn steps_back(
    tx: &mut Tx<'_>,
    id: RunId,
    before: i64,
    limit: i64,
) -> Result<Vec<(i64, Step)>> {
    let statement = sql!(
        "select n, uid, side, action, before, after from sync_step
          where run_id = $1 and n < $2 order by n desc limit $3"
    );
    tx.all(statement, &args![id, before, limit], |row| {
        let step = Step {
            uid: row.text(1)?.to_string(),
            side: word(row.text(2)?, Side::parse)?,
            action: word(row.text(3)?, action)?,
            before: row.opt_bytes(4)?.map(<[u8]>::to_vec),
            after: row.opt_bytes(5)?.map(<[u8]>::to_vec),
        };
        Ok((row.int(0)?, step))
    })
    .await
}

pub async fn undone(tx: &mut Tx<'_>, id: RunId, now: i64) -> Result<()> {
    tx.execute(
        sql!("update sync_run set undone = $2 where id = $1"),
        &args![id, now],
    )
    .await
    .map(drop)
}

/// How many runs of somebody's links began since `since`, and how many of them something stopped.
pub async fn tally(tx: &mut Tx<'_>, owner: PrincipalId, since: i64) -> Result<(i64, i64)> {
    let statement = sql!(
        "select count(*), count(case when r.fault <> '' then 1 end)
           from sync_run r join link l on l.id = r.link_id join connection c on c.id = l.connection_id
          where c.principal_id = $1 and r.started >= $2"
    );
    let found = tx
        .one(statement, &args![owner, since], |row| {
            Ok((row.int(0)?, row.int(1)?))
        })
        .await?;
    Ok(found.unwrap_or_default())
}
