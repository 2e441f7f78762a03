//! One link of a leased connection being worked on: what every step of a run needs, and the fence around its writes.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use serde::Serialize;

use super::outgoing::Telling;
use super::wording::Wording;
use super::{Bridge, Cause};
use crate::model::access::{Scopes, writable};
use crate::model::bridge::{Connection, Direction, Link, RemoteCalendar};
use crate::model::{
    Bound, Door, Error, Origin, Privilege, Privileges, Result, RunId, Who, Writable,
};
use crate::remote::{Account, Fault, Place, Provider};
use crate::store::bridges::{connections, remote_calendars};
use crate::store::{Tx, calendars};

/// Seconds that a server may be silent before another one takes over.
pub const LEASE: i64 = 120;

/// Calls of one run that may come to nothing.
const STUMBLES: usize = 5;

/// What ends a run before it is done.
#[derive(Clone, Debug)]
pub enum Stop {
    Fault(Fault),
    Error(Error),
    /// Another server works on the connection by now.
    Lost,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        match error {
            Error::Conflict(why) if why == LOST => Stop::Lost,
            error => Stop::Error(error),
        }
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::Fault(fault) => fault.fmt(f),
            Stop::Error(error) => error.fmt(f),
            Stop::Lost => f.write_str(LOST),
        }
    }
}

const LOST: &str = "another server works on this connection";

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Resources there that were new or changed.
    pub seen: u64,
    pub created_here: u64,
    pub updated_here: u64,
    pub deleted_here: u64,
    pub created_there: u64,
    pub updated_there: u64,
    pub deleted_there: u64,
    pub conflicts: u64,
    pub parked: u64,
    pub postponed: u64,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// None: there was nothing to do.
    pub run: Option<RunId>,
    pub counts: Counts,
    /// What stopped it, in words.
    pub fault: Option<String>,
    /// What its owner has to say yes to first.
    pub asked: Option<String>,
}

/// A link being worked on.
pub struct Run {
    pub bridge: Bridge,
    pub connection: Connection,
    pub fence: i64,
    pub provider: &'static dyn Provider,
    pub account: Account,
    pub link: Link,
    pub place: Place,
    pub calendar: Writable<Bound>,
    pub cause: Cause,
    /// Its row, once there is something to tell.
    pub id: Option<RunId>,
    pub counts: Mutex<Counts>,
    /// Nothing more is to be begun there.
    pub stopped: AtomicBool,
    /// Calls there that came to nothing.
    pub stumbles: AtomicUsize,
}

impl Run {
    /// # Errors
    /// `NotFound` when the calendar is in the trash, or its owner may not write to it any more.
    pub async fn of(
        bridge: &Bridge,
        connection: &Connection,
        fence: i64,
        link: Link,
        cause: Cause,
    ) -> Result<Run> {
        let (owner, calendar, remote) = (connection.owner, link.calendar, link.remote);
        let found = bridge
            .store
            .read(move |tx| {
                Box::pin(async move {
                    let bound = calendars::by_id(tx, owner, calendar).await?;
                    Ok((bound, remote_calendars::get(tx, remote).await?))
                })
            })
            .await?;
        let (Some(bound), Some(remote)) = found else {
            return Err(Error::NotFound);
        };
        Ok(Run {
            provider: bridge.provider(&connection.provider)?,
            account: bridge.account(connection).await?,
            calendar: to_write(connection, bound)?,
            place: place(&remote),
            bridge: bridge.clone(),
            connection: connection.clone(),
            fence,
            link,
            cause,
            id: None,
            counts: Mutex::default(),
            stopped: AtomicBool::new(false),
            stumbles: AtomicUsize::new(0),
        })
    }

    /// Nothing more is begun there in this run.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Notes a call that came to nothing; true when there were so many that the other side had better be left alone.
    pub fn stumbled(&self) -> bool {
        self.stumbles.fetch_add(1, Ordering::Relaxed) + 1 >= STUMBLES
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub fn now(&self) -> i64 {
        self.bridge.clock.now()
    }

    pub fn origin(&self) -> Origin {
        Origin {
            who: self.connection.owner,
            door: Door::Bridge,
        }
    }

    pub fn telling(&self) -> Telling {
        Telling {
            direction: self.link.direction,
            privacy: self.link.privacy,
            guests: self.link.guests,
            salt: format!("{} {}", self.bridge.instance, self.link.id),
            wording: Wording::of(
                &self.link.title_template,
                &self.link.description_template,
                &self.calendar.slug,
            ),
        }
    }

    /// Whether changes of ours go there.
    pub fn pushes(&self) -> bool {
        self.link.direction != Direction::Pull
    }

    /// Whether changes of theirs come here.
    pub fn pulls(&self) -> bool {
        matches!(self.link.direction, Direction::Pull | Direction::Both)
    }

    pub fn count(&self, with: impl FnOnce(&mut Counts)) {
        if let Ok(mut counts) = self.counts.lock() {
            with(&mut counts);
        }
    }

    pub fn counted(&self) -> Counts {
        self.counts.lock().map(|counts| *counts).unwrap_or_default()
    }

    /// A transaction that changes nothing when the lease is lost.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Stop>
    where
        F: for<'t> FnOnce(&'t mut Tx<'static>) -> BoxFuture<'t, Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let fenced = self.fenced();
        let done = self.bridge.store.write(move |tx| {
            Box::pin(async move {
                fenced.check(tx).await?;
                work(tx).await
            })
        });
        Ok(done.await?)
    }

    pub fn fenced(&self) -> Fenced {
        Fenced {
            connection: self.connection.id,
            fence: self.fence,
            until: self.now() + LEASE,
        }
    }
}

/// The check that a transaction of a run begins with.
#[derive(Clone, Copy, Debug)]
pub struct Fenced {
    connection: crate::model::ConnectionId,
    fence: i64,
    until: i64,
}

impl Fenced {
    pub async fn check(&self, tx: &mut Tx<'_>) -> Result<()> {
        if connections::holds(tx, self.connection, self.fence, self.until).await? {
            Ok(())
        } else {
            Err(Error::Conflict(LOST.into()))
        }
    }
}

pub fn place(remote: &RemoteCalendar) -> Place {
    let zone = if remote.zone.is_empty() {
        "UTC".to_string()
    } else {
        remote.zone.clone()
    };
    Place {
        remote_id: remote.remote_id.clone(),
        zone,
        extra: remote.extra.clone(),
    }
}

fn to_write(connection: &Connection, bound: Bound) -> Result<Writable<Bound>> {
    let who = Who {
        id: connection.owner,
        name: bound.home_name.clone(),
        admin: false,
        scopes: Scopes::ALL,
    };
    let needs = Privileges::NONE
        .with(Privilege::Read)
        .with(Privilege::WriteContent)
        .with(Privilege::Bind)
        .with(Privilege::Unbind);
    writable(bound, &who, needs)
}
