//! Which calendars a connection has: asked when somebody wants to choose, and once a day.

use super::{Bridge, connect};
use crate::model::Result;
use crate::store::bridges::connections;

/// A list older than this is asked for again.
const STALE: i64 = 86_400;
/// Connections at a time.
const PAGE: i64 = 10;

/// Lists anew what was listed more than a day ago. How many connections.
///
/// # Errors
/// Trouble with the database.
pub async fn tend_lists(bridge: &Bridge) -> Result<u64> {
    let now = bridge.clock.now();
    let before = now - STALE;
    let due = bridge
        .store
        .peek(move |tx| Box::pin(connections::unlisted(tx, before, PAGE)))
        .await?;
    let mut done = 0;
    for connection in due {
        let id = connection.id;
        let mine = bridge
            .store
            .write(move |tx| Box::pin(connections::claim_listing(tx, id, before, now)))
            .await?;
        if !mine {
            continue;
        }
        done += 1;
        if let Err(fault) = connect::refresh(bridge, &connection).await {
            tracing::debug!(connection = id.0, %fault, "calendars were not listed");
        }
    }
    Ok(done)
}
