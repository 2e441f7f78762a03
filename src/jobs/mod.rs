//! Work that nobody waits for in a request: runs of links, their webhooks, lists of calendars, forgetting.
//!
//! One loop for each server. It wakes when something was changed here ([`crate::objects::Wake`]), when a webhook came in
//! or somebody asked, when the next link is due, and every few seconds for what other servers noted in the database.
//! Connections are leased, so any number of servers share the work; a run is crash-safe at any instruction, so that the
//! end of the server may break one off.
//!
//! *What is a chore?* A row of [`chores::CHORES`]: done every so often, whatever happened.

mod chores;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use crate::app::App;
use crate::model::{ConnectionId, Result};
use crate::sync::{self, Bridge, Found, Report};
use chores::{CHORES, Chores};

/// Connections that are worked on at the same time.
const AT_ONCE: usize = 8;
/// The longest sleep: other servers' notes in the database ring no bell here.
const LONGEST: Duration = Duration::from_secs(2);
/// After trouble with the database.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// Of the time that the server has for stopping, what runs get to come to an end.
const GRACE: f64 = 0.6;

/// Works until `stop` says so.
pub async fn run(app: App, mut stop: watch::Receiver<bool>) {
    let bridge = loop {
        match begin(&app).await {
            Ok(bridge) => break bridge,
            Err(fault) => tracing::error!(%fault, "bridges do not work; it is tried again"),
        }
        tokio::select! {
            () = tokio::time::sleep(AFTER_TROUBLE) => {}
            _ = stop.changed() => return,
        }
    };
    app.wake.set_heard(true);
    let mut worker = Worker::new(app, bridge);
    loop {
        let pause = worker.turn().await;
        tokio::select! {
            _ = stop.changed() => break,
            () = worker.app.wake.wait() => {}
            () = tokio::time::sleep(pause) => {}
            done = worker.runs.join_next_with_id(), if !worker.runs.is_empty() => worker.ended(done),
            done = worker.chores.ended(), if worker.chores.busy() => worker.chores.done(done),
        }
    }
    worker.app.wake.set_heard(false);
    worker.stop().await;
}

async fn begin(app: &App) -> Result<Bridge> {
    let bridge = app.bridge().await?;
    sync::linked(bridge).await?;
    Ok(bridge.clone())
}

/// Everything that is due, one after the other, until nothing is: what a server does by and by. For tests and commands.
///
/// # Errors
/// Trouble with the database.
pub async fn all_due(app: &App) -> Result<Vec<Report>> {
    let bridge = begin(app).await?;
    let mut reports = Vec::new();
    for chore in CHORES {
        (chore.run)(app.clone(), bridge.clone()).await?;
    }
    loop {
        sync::nudge(&bridge, app.wake.take()).await?;
        match sync::claim(&bridge).await? {
            Found::Idle(_) => return Ok(reports),
            Found::Leased(leased) => reports.extend(leased.run(&bridge).await?),
        }
    }
}

type Ran = Result<Vec<Report>>;
/// A run that is over, with its provider's name, or broke.
type Joined = Result<(Id, (&'static str, Ran)), JoinError>;

struct Worker {
    app: App,
    bridge: Bridge,
    runs: JoinSet<(&'static str, Ran)>,
    /// The leases of those that run.
    leases: HashMap<Id, (ConnectionId, i64)>,
    chores: Chores,
}

impl Worker {
    fn new(app: App, bridge: Bridge) -> Worker {
        Worker {
            chores: Chores::new(app.clone(), bridge.clone()),
            app,
            bridge,
            runs: JoinSet::new(),
            leases: HashMap::new(),
        }
    }

    /// Takes in what changed and starts what is due. For how long there is nothing to do.
    async fn turn(&mut self) -> Duration {
        self.chores.start();
        match self.start().await {
            Ok(pause) => pause,
            Err(fault) => {
                tracing::warn!(%fault, "the worker cannot go on; it is tried again");
                AFTER_TROUBLE
            }
        }
    }

    async fn start(&mut self) -> Result<Duration> {
        sync::nudge(&self.bridge, self.app.wake.take()).await?;
        while self.runs.len() < AT_ONCE {
            match sync::claim(&self.bridge).await? {
                Found::Leased(leased) => self.run_leased(*leased),
                Found::Idle(next) => return Ok(self.until(next)),
            }
        }
        // The end of a run wakes us.
        Ok(LONGEST)
    }

    fn run_leased(&mut self, leased: sync::Leased) {
        let lease = (leased.connection.id, leased.fence);
        let provider = self
            .bridge
            .row(&leased.connection.provider)
            .map_or("unknown", |row| row.name);
        let bridge = self.bridge.clone();
        let handle = self
            .runs
            .spawn(async move { (provider, leased.run(&bridge).await) });
        self.leases.insert(handle.id(), lease);
    }

    fn until(&self, next: Option<i64>) -> Duration {
        let seconds = next.map(|at| at - self.app.clock.now());
        let wait = seconds.and_then(|seconds| u64::try_from(seconds.max(0)).ok());
        wait.map_or(LONGEST, |wait| Duration::from_secs(wait).min(LONGEST))
            .max(Duration::from_millis(20))
    }

    fn ended(&mut self, done: Option<Joined>) {
        match done {
            None => {}
            Some(Ok((id, (provider, ran)))) => {
                self.leases.remove(&id);
                count(provider, &ran);
            }
            Some(Err(fault)) => {
                // Its lease ends by itself, and what it had begun is seen again then.
                self.leases.remove(&fault.id());
                metrics::counter!("kalends_panics_total").increment(1);
                tracing::error!(%fault, "a run broke");
            }
        }
    }

    /// Lets what runs come to an end for a while; what does not is broken off, and its connection is given back.
    async fn stop(mut self) {
        let time = self.app.config.limits.shutdown_time.mul_f64(GRACE);
        let finish = async {
            while !self.runs.is_empty() {
                let done = self.runs.join_next_with_id().await;
                self.ended(done);
            }
        };
        if tokio::time::timeout(time, finish).await.is_ok() {
            return;
        }
        self.runs.shutdown().await;
        for (connection, fence) in self.leases.into_values() {
            if let Err(fault) = sync::abandon(&self.bridge, connection, fence).await {
                tracing::warn!(%fault, "a connection was not given back; its lease ends by itself");
            }
        }
    }
}

/// Counts what came of a connection's runs.
fn count(provider: &'static str, ran: &Ran) {
    let outcome = |outcome: &'static str| {
        metrics::counter!("kalends_sync_runs_total", "provider" => provider, "outcome" => outcome)
            .increment(1);
    };
    match ran {
        Err(fault) => {
            outcome("broken");
            tracing::warn!(%fault, "a run broke off; it is tried again");
        }
        Ok(reports) => {
            for report in reports {
                outcome(match (&report.fault, &report.asked) {
                    (Some(_), _) => "failed",
                    (None, Some(_)) => "asked",
                    (None, None) => "done",
                });
                changes(provider, report);
            }
        }
    }
}

fn changes(provider: &'static str, report: &Report) {
    let c = &report.counts;
    for (side, count) in [
        ("here", c.created_here + c.updated_here + c.deleted_here),
        ("there", c.created_there + c.updated_there + c.deleted_there),
    ] {
        metrics::counter!("kalends_sync_changes_total", "provider" => provider, "side" => side)
            .increment(count);
    }
}
