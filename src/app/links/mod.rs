//! Links: a calendar kept in step with a remote one (PRODUCT §7). Made, changed, looked at, run, undone and ended here;
//! what a run does is [`crate::sync`].
//!
//! A link belongs to the owner of its connection; nobody else knows of it.

mod check;
mod create;
mod history;
mod look;
mod stats;

use std::time::Duration;

use super::App;
use crate::model::access::{Scopes, demand};
use crate::model::bridge::{Connection, Link, LinkState, RemoteCalendar};
use crate::model::{Bound, Error, LinkId, Privilege, Privileges, RemoteCalendarId, Result, Who};
use crate::store::bridges::{Settings, connections, links, remote_calendars};
use crate::sync::{self, Bridge, Mirrors, Planned};

pub use check::Change;
pub use create::{New, Target, create};
pub use history::{Conflict, Losses, Run, conflicts, losses, runs, undo};
pub use look::{Shown, Waiting, WaitingState, get, list, queue, retry};
pub use stats::{Stats, stats};

/// What one must be allowed in the local calendar: a link may come to do all of it.
const NEEDS: Privileges = Privileges::NONE
    .with(Privilege::Read)
    .with(Privilege::WriteContent)
    .with(Privilege::Bind)
    .with(Privilege::Unbind);

/// A link with what it connects.
struct Ends {
    link: Link,
    connection: Connection,
    remote: RemoteCalendar,
}

/// A link of `who`.
///
/// # Errors
/// `NotFound` when there is none that is theirs, `Forbidden` when their token lacks the scope.
async fn owned(app: &App, who: &Who, id: LinkId) -> Result<Ends> {
    scope(who)?;
    let found = app
        .store
        .read(move |tx| {
            Box::pin(async move {
                let Some(link) = links::get(tx, id).await? else {
                    return Ok(None);
                };
                let connection = connections::get(tx, link.connection).await?;
                let remote = remote_calendars::get(tx, link.remote).await?;
                Ok(connection.zip(remote).map(|(connection, remote)| Ends {
                    link,
                    connection,
                    remote,
                }))
            })
        })
        .await?;
    found
        .filter(|ends| ends.connection.owner == who.id)
        .ok_or(Error::NotFound)
}

/// Links and connections are reached with the scope `bridge`, for which those who sign in themselves need nothing.
pub(super) fn scope(who: &Who) -> Result<()> {
    if who.scopes.has(Scopes::BRIDGE) {
        return Ok(());
    }
    Err(Error::forbidden("this token lacks the scope bridge"))
}

fn invalid(field: &str, reason: impl Into<String>) -> Error {
    Error::Invalid {
        field: field.into(),
        reason: reason.into(),
    }
}

/// Changes a link's settings, pauses it or lets it go on.
///
/// # Errors
/// `Invalid` for settings that do not go together.
pub async fn update(app: &App, who: &Who, id: LinkId, change: Change) -> Result<Shown> {
    let ends = owned(app, who, id).await?;
    if ends.link.state == LinkState::Ending {
        return Err(Error::Conflict("this link is being taken away".into()));
    }
    let can = can(app.bridge().await?, &ends.connection, &ends.remote)?;
    let paused = change.paused;
    let before = Settings::of(&ends.link);
    let settings = check::settled(change, before.clone(), &can)?;
    let state = match (paused, ends.link.state) {
        (Some(true), LinkState::Active | LinkState::Asking) => Some(LinkState::Paused),
        (Some(false), LinkState::Paused) => Some(LinkState::Active),
        _ => None,
    };
    let changed = settings != before;
    app.store
        .write(move |tx| {
            Box::pin(async move {
                if changed {
                    links::update(tx, id, &settings).await?;
                }
                if let Some(state) = state {
                    links::set_state(tx, id, state, "").await?;
                }
                Ok(())
            })
        })
        .await?;
    app.wake.ring();
    get(app, who, id).await
}

/// Ends a link: its mirrors stay or go as chosen, its webhooks are stopped, and the local calendar stays as it is.
///
/// # Errors
/// As [`get`].
pub async fn remove(app: &App, who: &Who, id: LinkId, mirrors: Mirrors) -> Result<()> {
    let ends = owned(app, who, id).await?;
    sync::end_link(app.bridge().await?, ends.link.id, mirrors).await?;
    app.wake.ring();
    Ok(())
}

/// *Sync now*, in the background. The report, when that took no longer than `patience`; the run goes on in any case.
///
/// # Errors
/// `Conflict` with the reason when it cannot run.
pub async fn sync_now(
    app: &App,
    who: &Who,
    id: LinkId,
    patience: Duration,
) -> Result<Option<sync::Report>> {
    let ends = owned(app, who, id).await?;
    look::runs(&ends)?;
    let bridge = app.bridge().await?.clone();
    let run = tokio::spawn(async move { sync::sync_link(&bridge, id, sync::Cause::Asked).await });
    match tokio::time::timeout(patience, run).await {
        Ok(Ok(Err(Error::Unavailable(_)))) => {
            // Its connection is being worked on: right after that.
            let now = app.clock.now();
            app.store
                .write(move |tx| Box::pin(async move { links::poke(tx, id, now).await }))
                .await?;
            app.wake.ring();
            Ok(None)
        }
        Ok(Ok(done)) => done.map(Some),
        Ok(Err(broken)) => Err(Error::internal(broken)),
        Err(_) => Ok(None),
    }
}

/// What a run would do now. Changes that there are on both sides are taken note of; neither side is changed.
///
/// # Errors
/// What keeps it from looking.
pub async fn dry_run(app: &App, who: &Who, id: LinkId) -> Result<Vec<Planned>> {
    let ends = owned(app, who, id).await?;
    sync::dry_run(app.bridge().await?, ends.link.id).await
}

/// Runs a link in this process and waits for its end: for commands.
///
/// # Errors
/// `Unavailable` when another server is working on the connection.
pub async fn run_now(app: &App, who: &Who, id: LinkId) -> Result<sync::Report> {
    let ends = owned(app, who, id).await?;
    look::runs(&ends)?;
    sync::sync_link(app.bridge().await?, ends.link.id, sync::Cause::Asked).await
}

/// The owner says yes to what the link asks.
///
/// # Errors
/// `Conflict` when it asks nothing.
pub async fn approve(app: &App, who: &Who, id: LinkId) -> Result<Shown> {
    owned(app, who, id).await?;
    let now = app.clock.now();
    let asked = app
        .store
        .write(move |tx| Box::pin(async move { links::approve(tx, id, now).await }))
        .await?;
    if !asked {
        return Err(Error::Conflict("this link asks nothing".into()));
    }
    app.wake.ring();
    get(app, who, id).await
}

/// The remote calendar of somebody's, with its connection.
async fn remote_of(
    app: &App,
    who: &Who,
    id: RemoteCalendarId,
) -> Result<(Connection, RemoteCalendar)> {
    let found = app
        .store
        .read(move |tx| {
            Box::pin(async move {
                let Some(remote) = remote_calendars::get(tx, id).await? else {
                    return Ok(None);
                };
                let connection = connections::get(tx, remote.connection).await?;
                Ok(connection.map(|connection| (connection, remote)))
            })
        })
        .await?;
    found
        .filter(|(connection, remote)| connection.owner == who.id && !remote.gone)
        .ok_or_else(|| invalid("remote_calendar", "there is no such remote calendar"))
}

/// What the other side allows.
fn can(bridge: &Bridge, connection: &Connection, remote: &RemoteCalendar) -> Result<check::Can> {
    let caps = bridge.provider(&connection.provider)?.caps();
    Ok(check::Can {
        write: remote.writable && caps.writes,
        least_interval: caps.least_interval,
        interval: caps.interval,
    })
}

/// May `who` have this calendar linked?
fn may_link(bound: &Bound, who: &Who) -> Result<()> {
    demand(bound, who, Scopes::BRIDGE, NEEDS)
}
