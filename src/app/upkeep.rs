//! What the database needs from time to time: forgetting what is past its retention.

use super::App;
use crate::model::Result;
use crate::store::retention::{self, Keep, Purged};

/// Rows of a kind that one step removes at most: a step is one short transaction.
const STEP: i64 = 500;
const DAY: i64 = 86_400;

/// One bounded piece of work. Says whether there may be more to do.
pub async fn step(app: &App) -> Result<bool> {
    let keep = keep(app);
    let purged = app
        .store
        .write(move |tx| Box::pin(retention::purge(tx, keep, STEP)))
        .await?;
    if purged != Purged::default() {
        tracing::debug!(?purged, "purged");
    }
    Ok(purged != Purged::default())
}

fn keep(app: &App) -> Keep {
    let (now, days) = (app.clock.now(), &app.config.retention);
    let ago = |days: u32| Some(now - i64::from(days) * DAY);
    Keep {
        changes_since: ago(days.changes_days),
        history_since: ago(days.history_days),
        trash_since: ago(days.trash_days),
    }
}
