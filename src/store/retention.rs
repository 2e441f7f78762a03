//! What is forgotten in time: removed names, history, the runs of links, the trash.

use super::calendars;
use super::sql::{Tx, args, sql};
use crate::model::{CalendarId, Result};

/// Everything before these times may go. `None`: keep for ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    /// Names removed before: sync tokens from before their removal are refused from then on.
    pub changes_since: Option<i64>,
    pub history_since: Option<i64>,
    pub trash_since: Option<i64>,
}

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    pub changes: u64,
    pub versions: u64,
    pub calendars: u64,
    /// Runs of links and conflicts, which are kept as long as the history.
    pub runs: u64,
}

/// Purges at most about `limit` rows of a kind; call it again while it returns something.
pub async fn purge(tx: &mut Tx<'_>, keep: Keep, limit: i64) -> Result<Purged> {
    let mut purged = Purged::default();
    if let Some(since) = keep.trash_since {
        purged.calendars = trash(tx, since, limit).await?;
    }
    if let Some(since) = keep.changes_since {
        purged.changes = changes(tx, since, limit).await?;
    }
    if let Some(since) = keep.history_since {
        let statement = sql!(
            "delete from object_version where id in (select id from object_version where at < $1 order by at limit $2)"
        );
        purged.versions = tx.execute(statement, &args![since, limit]).await?;
        purged.runs = super::bridges::purge(tx, since, limit).await?;
    }
    Ok(purged)
}

/// A calendar whose tombstones go refuses older tokens, which would miss the removals.
async fn changes(tx: &mut Tx<'_>, since: i64, limit: i64) -> Result<u64> {
    let old = sql!(
        "select calendar_id, max(seq) from (select calendar_id, seq from object_removed where at < $1 order by at limit $2) r
          group by calendar_id order by calendar_id"
    );
    let mut gone = 0;
    for (calendar, seq) in tx
        .all(old, &args![since, limit], |row| {
            Ok((row.int(0)?, row.int(1)?))
        })
        .await?
    {
        // Locks the calendar, without counting a change.
        let prune = sql!(
            "update calendar set pruned_seq = case when pruned_seq < $2 then $2 else pruned_seq end where id = $1"
        );
        tx.execute(prune, &args![calendar, seq]).await?;
        let removed = sql!("delete from object_removed where calendar_id = $1 and seq <= $2");
        gone += tx.execute(removed, &args![calendar, seq]).await?;
    }
    Ok(gone)
}

async fn trash(tx: &mut Tx<'_>, since: i64, limit: i64) -> Result<u64> {
    let statement = sql!(
        "select id from calendar where deleted is not null and deleted < $1 order by id limit $2"
    );
    let ids = tx
        .all(statement, &args![since, limit], |row| {
            Ok(CalendarId(row.int(0)?))
        })
        .await?;
    for id in &ids {
        calendars::purge(tx, *id).await?;
    }
    Ok(ids.len() as u64)
}
