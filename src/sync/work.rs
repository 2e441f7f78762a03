//! Runs of links: asked for, or because they are due. One connection at a time, under its lease.

use super::breaker;
use super::decide::{self, Planned, decide};
use super::run::{Counts, LEASE, Report, Run, Stop};
use super::{Bridge, Cause, backoff, credentials, end, ours, settle, theirs};
use crate::model::bridge::{Connection, Health, Link, LinkState};
use crate::model::{ConnectionId, Error, LinkId, Result, RunId};
use crate::objects::Nudge;
use crate::remote::Fault;
use crate::store::Tx;
use crate::store::bridges::links::Finish;
use crate::store::bridges::{Progress, connections, links, runs, units};

/// A connection that has links to run, leased to us.
pub struct Leased {
    pub connection: Connection,
    pub fence: i64,
    due: Vec<(Link, Progress)>,
}

/// What [`claim`] found.
pub enum Found {
    Leased(Box<Leased>),
    /// Nothing is due before this time; none: nothing ever, as things are.
    Idle(Option<i64>),
}

/// Leases the connection that has been due longest.
///
/// # Errors
/// Trouble with the database.
pub async fn claim(bridge: &Bridge) -> Result<Found> {
    let now = bridge.clock.now();
    let next = bridge
        .store
        .peek(|tx| Box::pin(connections::next_due(tx)))
        .await?;
    if next.is_none_or(|at| at > now) {
        return Ok(Found::Idle(next));
    }
    let claimed = bridge
        .store
        .write(move |tx| Box::pin(lease_due(tx, now)))
        .await?;
    Ok(match claimed {
        Some(leased) => Found::Leased(Box::new(leased)),
        None => Found::Idle(next.map(|at| at.max(now + 1))),
    })
}

impl Leased {
    /// Runs the links that were due, and gives the lease back.
    ///
    /// # Errors
    /// Trouble with the database: the lease ends by itself.
    pub async fn run(self, bridge: &Bridge) -> Result<Vec<Report>> {
        let now = bridge.clock.now();
        let Leased {
            connection,
            fence,
            due,
        } = self;
        let mut reports = Vec::with_capacity(due.len());
        for (link, progress) in due {
            let cause = match (link.poked, progress.poll_at <= now) {
                (Some(_), _) => Cause::Webhook,
                (None, true) => Cause::Poll,
                (None, false) => Cause::Local,
            };
            let done = run_link(bridge, &connection, fence, link, cause).await?;
            reports.push(done.report);
            if done.ends_connection {
                break;
            }
        }
        release(bridge, &connection, fence).await?;
        Ok(reports)
    }
}

/// Gives back the lease of a run that was broken off.
///
/// # Errors
/// Trouble with the database.
pub async fn abandon(bridge: &Bridge, connection: ConnectionId, fence: i64) -> Result<()> {
    bridge
        .store
        .write(move |tx| Box::pin(connections::release(tx, connection, fence)))
        .await
}

/// What [`work`] found to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worked {
    /// A connection was worked on: there may be another one.
    pub worked: bool,
    /// When something is due next; none: nothing ever, as things are.
    pub next: Option<i64>,
}

/// Works on the connection that has been due longest.
///
/// # Errors
/// Trouble with the database.
pub async fn work(bridge: &Bridge) -> Result<Worked> {
    let (worked, next) = match claim(bridge).await? {
        Found::Idle(next) => (false, next),
        Found::Leased(leased) => {
            leased.run(bridge).await?;
            (true, None)
        }
    };
    Ok(Worked { worked, next })
}

async fn lease_due(tx: &mut Tx<'_>, now: i64) -> Result<Option<Leased>> {
    let Some((connection, fence)) = connections::claim(tx, now, now + LEASE).await? else {
        return Ok(None);
    };
    let mut due = Vec::new();
    for link in links::due(tx, connection.id, now).await? {
        links::began(tx, link.id).await?;
        let progress = links::progress(tx, link.id).await?.unwrap_or_default();
        due.push((link, progress));
    }
    Ok(Some(Leased {
        connection,
        fence,
        due,
    }))
}

/// Runs one link now.
///
/// # Errors
/// `NotFound` without such a link, `Unavailable` while another run works on its connection, `Forbidden` when the
/// connection does not work.
pub async fn sync_link(bridge: &Bridge, id: LinkId, cause: Cause) -> Result<Report> {
    let (connection, fence, link) = lease(bridge, id).await?;
    let outcome = run_link(bridge, &connection, fence, link, cause).await;
    release(bridge, &connection, fence).await?;
    outcome.map(|done| done.report)
}

/// What a run would do: gathers and plans, and changes nothing on either side.
///
/// # Errors
/// As [`sync_link`]; what stops the gathering, as `Unavailable`.
pub async fn dry_run(bridge: &Bridge, id: LinkId) -> Result<Vec<Planned>> {
    let (connection, fence, link) = lease(bridge, id).await?;
    let outcome = plan_all(bridge, &connection, fence, link).await;
    release(bridge, &connection, fence).await?;
    outcome
}

/// The connection of a link, leased.
pub(super) async fn lease(bridge: &Bridge, id: LinkId) -> Result<(Connection, i64, Link)> {
    let now = bridge.clock.now();
    let (connection, fence, link) = bridge
        .store
        .write(move |tx| {
            Box::pin(async move {
                let link = links::get(tx, id).await?.ok_or(Error::NotFound)?;
                let claimed = connections::claim_one(tx, link.connection, now, now + LEASE).await?;
                let (connection, fence) = claimed.ok_or_else(|| {
                    Error::Unavailable("this connection is being worked on, try again".into())
                })?;
                links::began(tx, id).await?;
                Ok((connection, fence, link))
            })
        })
        .await?;
    if connection.health != Health::Ok {
        release(bridge, &connection, fence).await?;
        let why = format!("the connection does not work: {}", connection.reason);
        return Err(Error::forbidden(why));
    }
    Ok((connection, fence, link))
}

pub(super) async fn release(bridge: &Bridge, connection: &Connection, fence: i64) -> Result<()> {
    let id = connection.id;
    bridge
        .store
        .write(move |tx| Box::pin(connections::release(tx, id, fence)))
        .await
}

async fn plan_all(
    bridge: &Bridge,
    connection: &Connection,
    fence: i64,
    link: Link,
) -> Result<Vec<Planned>> {
    let stopped = |stop: Stop| match stop {
        Stop::Error(error) => error,
        other => Error::Unavailable(other.to_string()),
    };
    let run = Run::of(bridge, connection, fence, link, Cause::Asked).await?;
    theirs::gather(&run).await.map_err(stopped)?;
    ours::gather(&run, true).await.map_err(stopped)?;
    let (mut planned, mut after) = (Vec::new(), String::new());
    loop {
        let events = decide::load(&run, after.clone(), 500).await?;
        let Some(last) = events.last() else {
            return Ok(planned);
        };
        after.clone_from(&last.unit.uid);
        for event in events {
            match decide(&run, event) {
                Ok(decision) if decision.act == super::plan::Act::Nothing => {}
                Ok(decision) => planned.push(decision.planned()),
                Err(refused) => {
                    let (event, refusal) = *refused;
                    planned.push(Planned {
                        uid: event.unit.uid,
                        title: String::new(),
                        act: super::plan::Act::Nothing,
                        refused: Some(refusal.reason),
                    });
                }
            }
        }
    }
}

/// A run that is over.
struct Done {
    report: Report,
    /// Nothing more is to be asked of this connection now.
    ends_connection: bool,
}

async fn run_link(
    bridge: &Bridge,
    connection: &Connection,
    fence: i64,
    link: Link,
    cause: Cause,
) -> Result<Done> {
    if link.state == LinkState::Ending {
        return end::run(bridge, connection, fence, link)
            .await
            .map(|report| Done {
                ends_connection: report.fault.is_some(),
                report,
            });
    }
    let id = link.id;
    let mut run = match Run::of(bridge, connection, fence, link, cause).await {
        Ok(run) => run,
        Err(Error::NotFound) => {
            return pause(bridge, id, "the calendar is not there any more").await;
        }
        Err(error) => return Err(error),
    };
    let mut asked = None;
    let outcome = steps(&mut run, &mut asked).await;
    finish(&run, outcome, asked).await
}

async fn pause(bridge: &Bridge, id: LinkId, why: &'static str) -> Result<Done> {
    bridge
        .store
        .write(move |tx| Box::pin(links::set_state(tx, id, LinkState::Paused, why)))
        .await?;
    Ok(Done {
        report: Report {
            fault: Some(why.to_string()),
            ..Report::default()
        },
        ends_connection: false,
    })
}

/// A run, from beginning to end.
async fn steps(run: &mut Run, asked: &mut Option<String>) -> Result<(), Stop> {
    if run.cause != Cause::Local {
        theirs::gather(run).await?;
    }
    if run.link.auto_update || run.cause == Cause::Asked || !run.pushes() {
        ours::gather(run, run.cause == Cause::Asked).await?;
    }
    let (link, calendar, now) = (run.link.id, run.link.calendar, run.now());
    let (progress, waiting) = run
        .bridge
        .store
        .read(move |tx| {
            Box::pin(async move {
                let waiting = units::has_queue(tx, link, now).await?;
                Ok((links::progress(tx, link).await?, waiting))
            })
        })
        .await?;
    if !waiting {
        return answered(run).await;
    }
    if !progress.is_some_and(|progress| progress.approved) {
        let missing = run
            .bridge
            .store
            .read(move |tx| Box::pin(units::missing(tx, link, calendar, now)))
            .await?;
        if let Some(question) = breaker::question(&missing) {
            *asked = Some(question.clone());
            return run
                .write(move |tx| {
                    Box::pin(async move {
                        links::set_state(tx, link, LinkState::Asking, &question).await?;
                        Ok(())
                    })
                })
                .await;
        }
    }
    answered(run).await?;
    run.id = Some(begin(run).await?);
    settle::settle(run).await
}

/// What was asked has answered itself: the events are there again.
async fn answered(run: &Run) -> Result<(), Stop> {
    if run.link.state != LinkState::Asking {
        return Ok(());
    }
    let link = run.link.id;
    run.write(move |tx| {
        Box::pin(async move {
            links::set_state(tx, link, LinkState::Active, "").await?;
            Ok(())
        })
    })
    .await
}

async fn begin(run: &Run) -> Result<RunId, Stop> {
    let (link, cause, now) = (run.link.id, run.cause.as_str(), run.now());
    run.write(move |tx| Box::pin(runs::begin(tx, link, cause, now)))
        .await
}

/// Records how it ended, and when it goes on.
async fn finish(run: &Run, outcome: Result<(), Stop>, asked: Option<String>) -> Result<Done> {
    let (bridge, link, now) = (&run.bridge, run.link.clone(), run.now());
    let counts = run.counted();
    let words = outcome.as_ref().err().map(ToString::to_string);
    let report = Report {
        run: run.id,
        counts,
        fault: words.clone(),
        asked,
    };
    let after = Ending {
        id: run.id,
        counts,
        polled: (run.cause != Cause::Local && outcome.is_ok()).then(|| {
            now + backoff::spread(
                link.interval.max(run.provider.caps().least_interval),
                &bridge.dice,
            )
        }),
        well: outcome.is_ok() && report.asked.is_none(),
        wait: backoff::wait(run.connection.failures, &bridge.dice),
        words: words.unwrap_or_default(),
        fault: match &outcome {
            Err(Stop::Fault(fault)) => Some(fault.clone()),
            _ => None,
        },
    };
    let ends_connection = outcome.is_err();
    let recorded = match outcome {
        // Who lost the lease changes nothing any more.
        Err(Stop::Lost) => Ok(()),
        // Trouble of ours: the next server, or the next attempt, sees the same queue.
        Err(Stop::Error(error)) => {
            tracing::warn!(link = link.id.0, %error, "a run of a link failed");
            run.write(move |tx| Box::pin(async move { after.write(tx, &link, now).await }))
                .await
        }
        _ => {
            run.write(move |tx| Box::pin(async move { after.write(tx, &link, now).await }))
                .await
        }
    };
    match recorded {
        Ok(()) | Err(Stop::Lost) => Ok(Done {
            report,
            ends_connection,
        }),
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::Fault(fault)) => Err(Error::internal(fault)),
    }
}

/// What is recorded at the end of a run.
struct Ending {
    id: Option<RunId>,
    counts: Counts,
    polled: Option<i64>,
    well: bool,
    wait: i64,
    words: String,
    fault: Option<Fault>,
}

impl Ending {
    async fn write(self, tx: &mut Tx<'_>, link: &Link, now: i64) -> Result<()> {
        if let Some(id) = self.id {
            let counts = serde_json::to_string(&self.counts).unwrap_or_else(|_| "{}".into());
            runs::end(tx, id, &counts, &self.words, now).await?;
        }
        let how = Finish {
            poll_at: self.polled,
            retry_at: units::next_retry(tx, link.id).await?,
            well: self.well,
        };
        if self.well && link.reason.is_empty() {
            connections::succeeded(tx, link.connection, now).await?;
        } else if self.well {
            connections::succeeded(tx, link.connection, now).await?;
            links::set_reason(tx, link.id, "").await?;
        }
        if !self.words.is_empty() {
            links::set_reason(tx, link.id, &self.words).await?;
            self.trouble(tx, link, now).await?;
        }
        links::finish(tx, link.id, how, now).await
    }

    /// What stopped it, and so what is to be done about link and connection.
    async fn trouble(&self, tx: &mut Tx<'_>, link: &Link, now: i64) -> Result<()> {
        let (connection, id) = (link.connection, link.id);
        match &self.fault {
            Some(fault @ (Fault::Revoked(_) | Fault::Operator(_))) => {
                credentials::note(tx, connection, fault).await
            }
            Some(Fault::Throttled(until)) => {
                let until = until.unwrap_or(now + self.wait).max(now + 1);
                connections::hold_back(tx, connection, until).await
            }
            Some(
                Fault::MissingScope(_)
                | Fault::NotFound
                | Fault::Refused(_)
                | Fault::Unsupported(_),
            ) => {
                let why = match &self.fault {
                    Some(Fault::NotFound) => "the calendar is not there any more",
                    _ => &self.words,
                };
                links::set_state(tx, id, LinkState::Paused, why)
                    .await
                    .map(drop)
            }
            _ => {
                let failures =
                    connections::failed(tx, connection, &self.words, now + self.wait).await?;
                if failures < backoff::FAILURES {
                    return Ok(());
                }
                let why = format!("it failed {failures} times in a row: {}", self.words);
                connections::set_health(tx, connection, Health::Paused, &why).await
            }
        }
    }
}

/// Something was changed here: the links that send it are due at once. How many.
pub async fn nudge(bridge: &Bridge, nudges: Vec<Nudge>) -> Result<u64> {
    if nudges.is_empty() {
        return Ok(0);
    }
    bridge
        .store
        .write(move |tx| {
            Box::pin(async move {
                let mut count = 0;
                for Nudge { calendar, writer } in nudges {
                    count += links::nudge(tx, calendar, writer).await?;
                }
                Ok(count)
            })
        })
        .await
}

/// Tells the write door which calendars are linked: at the start, and after links were made or taken away.
pub async fn linked(bridge: &Bridge) -> Result<()> {
    let calendars = bridge
        .store
        .peek(|tx| Box::pin(links::calendars(tx)))
        .await?;
    bridge.wake.set_linked(calendars);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Jobs and requests run on any thread.
    #[expect(dead_code, reason = "compiling it is the test")]
    fn runs_can_be_sent(bridge: &Bridge, id: LinkId) {
        fn sent<T: Send>(_: T) {}
        sent(work(bridge));
        sent(sync_link(bridge, id, Cause::Asked));
        sent(dry_run(bridge, id));
        sent(super::super::undo(bridge, RunId(1)));
        sent(super::super::end_link(
            bridge,
            id,
            super::super::Mirrors::Keep,
        ));
        sent(super::super::status(bridge, id));
    }
}
