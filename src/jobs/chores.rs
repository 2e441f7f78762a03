//! What is done every so often, whatever happened.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::app::{App, bridges, connections};
use crate::model::Result;
use crate::sync::{self, Bridge, watch};

/// A chore.
pub struct Chore {
    name: &'static str,
    every: Duration,
    pub run: fn(App, Bridge) -> BoxFuture<'static, Result<()>>,
}

/// Every chore.
pub const CHORES: &[Chore] = &[
    Chore {
        name: "links",
        every: Duration::from_secs(10),
        run: |_, bridge| Box::pin(async move { sync::linked(&bridge).await }),
    },
    Chore {
        name: "webhooks",
        every: Duration::from_secs(5),
        run: |app, bridge| Box::pin(async move { webhooks(&app, &bridge).await }),
    },
    Chore {
        name: "calendar lists",
        every: Duration::from_secs(300),
        run: |_, bridge| Box::pin(async move { sync::tend_lists(&bridge).await.map(drop) }),
    },
    Chore {
        name: "telling",
        every: Duration::from_secs(60),
        run: |app, _| Box::pin(async move { connections::tell(&app).await.map(drop) }),
    },
    Chore {
        name: "forgetting",
        every: Duration::from_secs(3600),
        run: |app, _| Box::pin(async move { bridges::forget(&app).await }),
    },
    Chore {
        name: "numbers",
        every: Duration::from_secs(15),
        run: |app, _| Box::pin(async move { numbers(&app).await }),
    },
];

async fn webhooks(app: &App, bridge: &Bridge) -> Result<()> {
    let tended = watch::tend(bridge, &app.url("")).await?;
    for (what, count) in [
        ("made", tended.made),
        ("renewed", tended.renewed),
        ("stopped", tended.stopped),
        ("failed", tended.failed),
    ] {
        metrics::counter!("kalends_watches_total", "outcome" => what).increment(count);
    }
    Ok(())
}

/// What is counted of all bridges.
async fn numbers(app: &App) -> Result<()> {
    let numbers = bridges::numbers(app).await?;
    for (state, count) in [("waiting", numbers.waiting), ("parked", numbers.parked)] {
        metrics::gauge!("kalends_sync_queue", "state" => state).set(count as f64);
    }
    let well = numbers.connections - numbers.troubled;
    for (state, count) in [("ok", well), ("troubled", numbers.troubled)] {
        metrics::gauge!("kalends_connections_at_providers", "state" => state).set(count as f64);
    }
    metrics::gauge!("kalends_sync_lag_seconds").set(numbers.overdue as f64);
    Ok(())
}

/// When each is due, and those that run: never one of them twice at the same time.
pub struct Chores {
    app: App,
    bridge: Bridge,
    /// None: it runs.
    due: Vec<Option<Instant>>,
    running: JoinSet<Ended>,
}

/// Which one ended, and how.
type Ended = (usize, Result<()>);

impl Chores {
    pub fn new(app: App, bridge: Bridge) -> Chores {
        Chores {
            app,
            bridge,
            due: vec![Some(now()); CHORES.len()],
            running: JoinSet::new(),
        }
    }

    /// Starts what is due.
    pub fn start(&mut self) {
        let now = now();
        for (at, chore) in CHORES.iter().enumerate() {
            if self.due[at].is_some_and(|due| due <= now) {
                self.due[at] = None;
                let work = (chore.run)(self.app.clone(), self.bridge.clone());
                self.running.spawn(async move { (at, work.await) });
            }
        }
    }

    pub fn busy(&self) -> bool {
        !self.running.is_empty()
    }

    pub async fn ended(&mut self) -> Option<Result<Ended, JoinError>> {
        self.running.join_next().await
    }

    pub fn done(&mut self, done: Option<Result<Ended, JoinError>>) {
        match done {
            None => {}
            Some(Ok((at, outcome))) => {
                if let Err(fault) = outcome {
                    tracing::warn!(chore = CHORES[at].name, %fault, "a chore failed; it is tried again");
                }
                self.due[at] = Some(now() + CHORES[at].every);
            }
            Some(Err(fault)) => {
                metrics::counter!("kalends_panics_total").increment(1);
                tracing::error!(%fault, "a chore broke");
                // Which one is not told: when none runs, those that are not due have to be.
                if self.running.is_empty() {
                    for (due, chore) in self.due.iter_mut().zip(CHORES) {
                        due.get_or_insert_with(|| now() + chore.every);
                    }
                }
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "ticks of this process, which no test moves"
)]
fn now() -> Instant {
    Instant::now()
}
