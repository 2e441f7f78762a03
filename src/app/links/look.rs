//! What a link's owner sees of it: settings, how it is doing in words, and what waits.

use super::{App, Ends, owned, scope};
use crate::app::calendars;
use crate::model::bridge::{Connection, Health, Link, LinkState, RemoteCalendar};
use crate::model::{Bound, Error, LinkId, Result, Who};
use crate::store::bridges::units::{Counts, Unit};
use crate::store::bridges::{connections, links, remote_calendars, runs, units, watches};
use crate::store::{Tx, calendars as rows};
use crate::sync;

/// Rows of the queue that are shown at most.
const SHOWN: i64 = 500;

/// A link with all that is said about it.
#[derive(Clone, Debug)]
pub struct Shown {
    pub link: Link,
    pub connection: Connection,
    pub remote: RemoteCalendar,
    /// None: it is in the trash, or not theirs any more.
    pub calendar: Option<Bound>,
    /// The local calendar's name.
    pub name: String,
    pub counts: Counts,
    /// A webhook tells of changes; else only polls find them.
    pub watched: bool,
    /// When it runs next by itself; none: it does not.
    pub next_sync: Option<i64>,
    /// Seconds for which something may have been waiting; 0: both sides agree as far as is known.
    pub lag: i64,
    /// What the last run that did something ended with.
    pub last_run: Option<super::Run>,
    /// What is wrong, in words; empty: nothing.
    pub errors: Vec<String>,
}

/// Does it run at all?
pub(super) fn runs(ends: &Ends) -> Result<()> {
    let Ends {
        link, connection, ..
    } = ends;
    let why = match (connection.health, link.state) {
        (Health::Ok, LinkState::Active | LinkState::Ending) => return Ok(()),
        (Health::Ok, LinkState::Paused) => "this link is paused".to_string(),
        (Health::Ok, LinkState::Asking) => format!("this link asks first: {}", link.reason),
        (_, _) => health_in_words(connection),
    };
    Err(Error::Conflict(why))
}

/// What is wrong with a connection, and what to do.
pub fn health_in_words(connection: &Connection) -> String {
    let what = match connection.health {
        Health::Ok => return String::new(),
        Health::Reconnect => "the permission is gone: connect this account again",
        Health::Paused => "the connection is paused",
        Health::Operator => {
            "this server's registration with the provider is wrong: its operator has to mend it"
        }
    };
    match connection.reason.as_str() {
        "" => what.to_string(),
        reason => format!("{what} ({reason})"),
    }
}

/// One link of `who`.
///
/// # Errors
/// `NotFound` when there is none that is theirs.
pub async fn get(app: &App, who: &Who, id: LinkId) -> Result<Shown> {
    let ends = owned(app, who, id).await?;
    let shown = show(app, who, vec![ends]).await?;
    shown.into_iter().next().ok_or(Error::NotFound)
}

/// The links of `who`, oldest first.
///
/// # Errors
/// `Forbidden` when their token lacks the scope.
pub async fn list(app: &App, who: &Who) -> Result<Vec<Shown>> {
    scope(who)?;
    let owner = who.id;
    let all = app
        .store
        .read(move |tx| {
            Box::pin(async move {
                let connections = connections::of_owner(tx, owner).await?;
                let mut all = Vec::new();
                for link in links::of_owner(tx, owner).await? {
                    let remote = remote_calendars::get(tx, link.remote).await?;
                    let connection = connections.iter().find(|c| c.id == link.connection);
                    let Some((connection, remote)) = connection.cloned().zip(remote) else {
                        continue;
                    };
                    all.push(Ends {
                        link,
                        connection,
                        remote,
                    });
                }
                Ok(all)
            })
        })
        .await?;
    show(app, who, all).await
}

async fn show(app: &App, who: &Who, all: Vec<Ends>) -> Result<Vec<Shown>> {
    let (id, now) = (who.id, app.clock.now());
    app.store
        .read(move |tx| {
            Box::pin(async move {
                let mut shown = Vec::with_capacity(all.len());
                for ends in all {
                    shown.push(one(tx, id, ends, now).await?);
                }
                Ok(shown)
            })
        })
        .await
}

async fn one(
    tx: &mut Tx<'_>,
    who: crate::model::PrincipalId,
    ends: Ends,
    now: i64,
) -> Result<Shown> {
    let Ends {
        link,
        connection,
        remote,
    } = ends;
    let calendar = rows::by_id(tx, who, link.calendar).await?;
    let face = calendars::faces(tx, who, &[link.calendar]).await?.pop();
    let name = face.and_then(|face| face.name);
    let name = name.or_else(|| calendar.as_ref().map(|bound| bound.slug.clone()));
    let counts = units::counts(tx, link.id).await?;
    let live = watches::of_link(tx, link.id).await?;
    let last = runs::list(tx, link.id, None, 1).await?.pop();
    let errors = errors(&link, &connection, &remote, counts);
    Ok(Shown {
        watched: live.iter().any(|watch| !watch.old && watch.expires > now),
        lag: lag(&link, counts, now),
        next_sync: next_sync(&link, &connection, now),
        last_run: last.map(super::Run::of),
        name: name.unwrap_or_default(),
        calendar,
        counts,
        errors,
        link,
        connection,
        remote,
    })
}

/// What is due already runs now.
fn next_sync(link: &Link, connection: &Connection, now: i64) -> Option<i64> {
    let runs = connection.health == Health::Ok && link.state != LinkState::Paused;
    runs.then(|| link.next_sync.max(connection.not_before).max(now))
}

/// For how long something may have been waiting.
fn lag(link: &Link, counts: Counts, now: i64) -> i64 {
    let agreed = link.last_sync.unwrap_or(link.created);
    let overdue = link.state != LinkState::Paused && link.next_sync < now;
    if counts.waiting > 0 || overdue {
        (now - agreed).max(0)
    } else {
        0
    }
}

fn errors(
    link: &Link,
    connection: &Connection,
    remote: &RemoteCalendar,
    counts: Counts,
) -> Vec<String> {
    let mut words = Vec::new();
    if connection.health != Health::Ok {
        words.push(health_in_words(connection));
    } else if !connection.reason.is_empty() && connection.reason != link.reason {
        words.push(connection.reason.clone());
    }
    if remote.gone {
        words.push(
            "the calendar is not there any more, or is not shared with this account".to_string(),
        );
    }
    match (link.state, link.reason.as_str()) {
        (LinkState::Asking, reason) => {
            words.push(format!("this needs your yes before it goes on: {reason}"))
        }
        (_, "") => {}
        (_, reason) => words.push(reason.to_string()),
    }
    match counts.parked {
        0 => {}
        1 => words.push("one event cannot be brought across: the queue says why".to_string()),
        n => words.push(format!(
            "{n} events cannot be brought across: the queue says why"
        )),
    }
    words
}

/// Whether an event of the queue is still tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitingState {
    Waiting,
    Parked,
}

/// An event that waits to be brought across.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub uid: String,
    pub state: WaitingState,
    /// Why it is parked, a stable word.
    pub code: String,
    /// The same, or what went wrong last, for people.
    pub reason: String,
    pub attempts: i64,
    /// None: at the next run, or never by itself.
    pub retry_at: Option<i64>,
}

impl From<Unit> for Waiting {
    fn from(unit: Unit) -> Waiting {
        let parked = !unit.parked.is_empty();
        Waiting {
            state: match parked {
                true => WaitingState::Parked,
                false => WaitingState::Waiting,
            },
            retry_at: (!parked && unit.retry_at > 0).then_some(unit.retry_at),
            uid: unit.uid,
            code: unit.parked,
            reason: unit.reason,
            attempts: unit.attempts,
        }
    }
}

/// What waits and what is parked, the parked ones first.
///
/// # Errors
/// As [`get`].
pub async fn queue(app: &App, who: &Who, id: LinkId) -> Result<Vec<Waiting>> {
    owned(app, who, id).await?;
    let waiting = app
        .store
        .peek(move |tx| Box::pin(units::waiting(tx, id, SHOWN)))
        .await?;
    Ok(waiting.into_iter().map(Waiting::from).collect())
}

/// Tries an event again that waits or is parked.
///
/// # Errors
/// `NotFound` when the link has no such event.
pub async fn retry(app: &App, who: &Who, id: LinkId, uid: &str) -> Result<()> {
    owned(app, who, id).await?;
    if !sync::retry(app.bridge().await?, id, uid).await? {
        return Err(Error::NotFound);
    }
    app.wake.ring();
    Ok(())
}
