//! Bridging: a pure planner and a thin executor around the durable queue of [`crate::store::bridges`].
//!
//! A run of a link: *gather* what changed there and here ([`theirs`], [`ours`]) into marks on units, ask before much is
//! deleted ([`breaker`]), then *settle* each marked unit: [`decide`] compares both sides with what they last agreed
//! on, [`plan`] says what to do, [`settle`] does it and records the new agreement in one transaction. A crash anywhere
//! leaves the mark, and planning again repairs it: creates carry a key, and the base tells what was done.
//!
//! *Echo?* Our own write comes back with the stamp that it was answered with, or else with the digest of what it means.
//! *Loops?* A mirror carries a [`crate::remote::Marker`] and is never a source.

mod adopt;
pub mod backoff;
pub mod breaker;
pub mod connect;
pub mod credentials;
mod decide;
mod end;
mod here;
mod lists;
mod ours;
pub mod outgoing;
pub mod outside;
pub mod plan;
mod record;
mod run;
mod settle;
mod sheet;
mod status;
mod texts;
mod theirs;
mod there;
mod undo;
pub mod watch;
pub mod wording;
mod work;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

pub use decide::Planned;
pub use end::{Mirrors, end_link};
pub use lists::tend_lists;
pub use run::{Counts, Report};
pub use status::{Status, approve, retry, status};
pub use undo::undo;
pub use work::{Found, Leased, Worked, abandon, claim, dry_run, linked, nudge, sync_link, work};

use crate::clock::{Clock, Dice};
use crate::model::bridge::Connection;
use crate::model::{ConnectionId, Error, Result};
use crate::objects;
use crate::remote::oauth::Registration;
use crate::remote::{Account, Credentials, Endpoints, Fault, Provider, Row, Transport};
use crate::seal::Seal;
use crate::store::{Store, meta};

/// Everything that bridging needs. Cheap to clone.
#[derive(Clone)]
pub struct Bridge(Arc<Parts>);

pub struct Parts {
    pub store: Store,
    pub rules: objects::Rules,
    pub wake: objects::Wake,
    pub clock: Clock,
    pub dice: Dice,
    pub seal: Seal,
    /// The installation's id, in the markers of all that it makes.
    pub instance: String,
    pub transport: Arc<dyn Transport>,
    pub providers: &'static [Row],
    /// Where each provider's services are, by its name; of one that is not named, nowhere.
    pub endpoints: HashMap<String, Arc<Endpoints>>,
    /// The applications as they are registered, by the name of the provider.
    pub registrations: HashMap<String, Registration>,
    pub locks: credentials::Locks,
}

impl std::ops::Deref for Bridge {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Why a link runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    Poll,
    Webhook,
    /// Something was changed here.
    Local,
    /// *Sync now*.
    Asked,
}

impl Cause {
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Poll => "poll",
            Cause::Webhook => "webhook",
            Cause::Local => "local",
            Cause::Asked => "asked",
        }
    }
}

/// The installation's id: made once, and never changed.
pub async fn instance(store: &Store, dice: &Dice) -> Result<String> {
    let mine = texts::hex(&dice.bytes::<8>()?);
    store
        .write(move |tx| Box::pin(async move { meta::get_or_set(tx, "instance", &mine).await }))
        .await
}

impl Bridge {
    pub fn new(parts: Parts) -> Bridge {
        Bridge(Arc::new(parts))
    }

    /// The row of a provider.
    ///
    /// # Errors
    /// `NotFound` when there is none of this name.
    pub fn row(&self, name: &str) -> Result<&'static Row> {
        self.providers
            .iter()
            .find(|row| row.name == name)
            .ok_or(Error::NotFound)
    }

    pub fn provider(&self, name: &str) -> Result<&'static dyn Provider> {
        self.row(name).map(|row| row.provider)
    }

    /// A connection, ready for calls.
    pub async fn account(&self, connection: &Connection) -> Result<Account> {
        let keeper = credentials::Keeper::new(self, connection.id, &connection.provider);
        let (secret, _) = keeper.load().await?;
        let account = self.account_with(&connection.provider, &connection.label, Arc::new(keeper));
        Ok(secret.locate(account))
    }

    /// An account by its credentials, before there is a connection.
    pub fn account_with(
        &self,
        provider: &str,
        label: &str,
        credentials: Arc<dyn Credentials>,
    ) -> Account {
        Account {
            transport: self.transport.clone(),
            credentials,
            endpoints: self.endpoints.get(provider).cloned().unwrap_or_default(),
            clock: self.clock.clone(),
            label: label.to_string(),
        }
    }

    /// Notes at a connection what a call outside of a run met: a grant that is gone, a wrong registration.
    pub async fn note(&self, connection: ConnectionId, fault: &Fault) -> Result<()> {
        let fault = fault.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move { credentials::note(tx, connection, &fault).await })
            })
            .await
    }

    fn door(&self) -> objects::Context<'_> {
        objects::Context {
            store: &self.store,
            rules: &self.rules,
            wake: &self.wake,
            now: self.clock.now(),
        }
    }
}
