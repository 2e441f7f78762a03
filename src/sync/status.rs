//! How a link is doing, and what its owner may say to it.

use super::Bridge;
use crate::model::bridge::{Connection, Link};
use crate::model::{Error, LinkId, Result};
use crate::store::bridges::units::Counts;
use crate::store::bridges::{Run, Unit, connections, links, runs, units};

/// A link as its owner sees it.
#[derive(Clone, Debug)]
pub struct Status {
    pub link: Link,
    pub connection: Connection,
    pub counts: Counts,
    /// What waits or is parked, at most a hundred; without texts.
    pub queue: Vec<Unit>,
    /// The last runs that did something.
    pub runs: Vec<Run>,
    /// Seconds since both sides were last known to agree; none: never.
    pub lag: Option<i64>,
}

/// # Errors
/// `NotFound` without such a link.
pub async fn status(bridge: &Bridge, id: LinkId) -> Result<Status> {
    let now = bridge.clock.now();
    bridge
        .store
        .read(move |tx| {
            Box::pin(async move {
                let link = links::get(tx, id).await?.ok_or(Error::NotFound)?;
                let connection = connections::get(tx, link.connection).await?;
                Ok(Status {
                    connection: connection.ok_or(Error::NotFound)?,
                    counts: units::counts(tx, id).await?,
                    queue: units::waiting(tx, id, 100).await?,
                    runs: runs::list(tx, id, None, 10).await?,
                    lag: link.last_sync.map(|at| (now - at).max(0)),
                    link,
                })
            })
        })
        .await
}

/// The owner says yes to what the breaker asked; false: nothing was asked.
pub async fn approve(bridge: &Bridge, id: LinkId) -> Result<bool> {
    let now = bridge.clock.now();
    bridge
        .store
        .write(move |tx| Box::pin(links::approve(tx, id, now)))
        .await
}

/// Tries an event again that waits or is parked; false: there is no such event.
pub async fn retry(bridge: &Bridge, id: LinkId, uid: &str) -> Result<bool> {
    let (uid, now) = (uid.to_string(), bridge.clock.now());
    bridge
        .store
        .write(move |tx| {
            Box::pin(async move {
                let found = units::mark(tx, id, &uid).await?;
                if found {
                    links::poke(tx, id, now).await?;
                }
                Ok(found)
            })
        })
        .await
}
