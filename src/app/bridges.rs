//! What all bridges need from time to time, and how they are doing together, for the operator.

use super::App;
use crate::model::Result;
use crate::store::bridges::connections::Totals;
use crate::store::bridges::{connections, flows, purge};

/// Rows that one transaction forgets at most.
const ROWS: i64 = 500;
/// Transactions of one go.
const PIECES: usize = 100;
const DAY: i64 = 86_400;

/// Forgets authorizations that nobody finished, and runs and conflicts as old as history gets.
///
/// # Errors
/// Trouble with the database.
pub async fn forget(app: &App) -> Result<()> {
    let now = app.clock.now();
    let since = now - i64::from(app.config.retention.history_days) * DAY;
    app.store
        .write(move |tx| Box::pin(flows::purge(tx, now)))
        .await?;
    for _ in 0..PIECES {
        let gone = app
            .store
            .write(move |tx| Box::pin(purge(tx, since, ROWS)))
            .await?;
        if gone == 0 {
            break;
        }
    }
    Ok(())
}

/// Numbers over everybody's bridges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    pub connections: i64,
    pub troubled: i64,
    pub waiting: i64,
    pub parked: i64,
    /// For how long the link has been due that has been longest, in seconds.
    pub overdue: i64,
}

/// The numbers of now.
///
/// # Errors
/// Trouble with the database.
pub async fn numbers(app: &App) -> Result<Numbers> {
    let now = app.clock.now();
    let (totals, next) = app
        .store
        .read(|tx| {
            Box::pin(async move {
                Ok((
                    connections::totals(tx).await?,
                    connections::longest_due(tx).await?,
                ))
            })
        })
        .await?;
    let Totals {
        connections,
        troubled,
        waiting,
        parked,
    } = totals;
    Ok(Numbers {
        connections,
        troubled,
        waiting,
        parked,
        overdue: next.map_or(0, |at| (now - at).max(0)),
    })
}
