//! Bridges in the database: accounts at providers, their calendars, links, and what both sides of a link last agreed on.
//!
//! A connection is worked on by one server at a time: [`connections::claim`] leases it and counts a *fence*, and every
//! transaction of a run begins with [`connections::holds`], so that who lost the lease changes nothing.

pub mod conflicts;
pub mod connections;
pub mod flows;
pub mod items;
pub mod links;
pub mod remote_calendars;
pub mod runs;
pub mod units;
pub mod watches;

pub use connections::NewConnection;
pub use flows::Flow;
pub use items::StoredItem;
pub use links::{NewLink, Progress, Settings};
pub use runs::{Run, Side, Step};
pub use units::{Settled, Unit};
pub use watches::StoredWatch;

use super::sql::{Row, Tx, args, sql};
use crate::model::{Error, Result};

/// A word of the database as its enum; one that there is not is a fault of ours.
fn word<T>(text: &str, parse: fn(&str) -> Option<T>) -> Result<T> {
    parse(text).ok_or_else(|| Error::internal(format!("unknown word {text:?} in the database")))
}

/// Forgets ended runs from before `since`, with their steps, and conflicts that old; about `limit` rows at most.
/// How many went.
pub async fn purge(tx: &mut Tx<'_>, since: i64, limit: i64) -> Result<u64> {
    let runs = sql!(
        "delete from sync_run where id in (select id from sync_run where started < $1 order by id limit $2)"
    );
    let conflicts = sql!(
        "delete from sync_conflict where id in (select id from sync_conflict where at < $1 order by id limit $2)"
    );
    Ok(tx.execute(runs, &args![since, limit]).await?
        + tx.execute(conflicts, &args![since, limit]).await?)
}

fn count(row: &Row<'_>) -> Result<i64> {
    row.int(0)
}
