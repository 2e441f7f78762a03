//! How all of somebody's links are doing, in numbers.

use super::{App, list, scope};
use crate::model::bridge::{Health, LinkState};
use crate::model::{Result, Who};
use crate::store::bridges::{connections, runs};

/// For how long back runs are counted: a day.
const WINDOW: i64 = 86_400;

/// Numbers over the connections and links of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub connections: i64,
    /// Connections that do not work.
    pub connections_in_trouble: i64,
    pub links: i64,
    pub links_active: i64,
    /// Events that are on both sides.
    pub events: i64,
    pub waiting: i64,
    pub parked: i64,
    /// Runs of the last day that did something, and those of them that were stopped by something.
    pub runs: i64,
    pub runs_failed: i64,
    /// The longest time that something has been waiting, in seconds.
    pub lag: i64,
    /// When any link was last known to agree.
    pub last_sync: Option<i64>,
}

/// The numbers of `who`.
///
/// # Errors
/// `Forbidden` when their token lacks the scope.
pub async fn stats(app: &App, who: &Who) -> Result<Stats> {
    scope(who)?;
    let (owner, since) = (who.id, app.clock.now() - WINDOW);
    let (connections, (runs, runs_failed)) = app
        .store
        .read(move |tx| {
            Box::pin(async move {
                let connections = connections::of_owner(tx, owner).await?;
                Ok((connections, runs::tally(tx, owner, since).await?))
            })
        })
        .await?;
    let mut stats = Stats {
        connections: connections.len() as i64,
        connections_in_trouble: connections
            .iter()
            .filter(|connection| connection.health != Health::Ok)
            .count() as i64,
        runs,
        runs_failed,
        ..Stats::default()
    };
    for shown in list(app, who).await? {
        stats.links += 1;
        stats.links_active += i64::from(shown.link.state == LinkState::Active);
        stats.events += shown.counts.mapped;
        stats.waiting += shown.counts.waiting;
        stats.parked += shown.counts.parked;
        stats.lag = stats.lag.max(shown.lag);
        stats.last_sync = stats.last_sync.max(shown.link.last_sync);
    }
    Ok(stats)
}
