//! Use cases: what a front door or a command asks for, and the one value that they all share.

pub mod bridges;
pub mod calendars;
pub mod connections;
pub mod doctor;
pub mod export;
pub mod feeds;
pub mod freebusy;
pub mod hooks;
pub mod import;
pub mod keys;
pub mod links;
pub mod profile;
pub mod sessions;
#[cfg(test)]
pub mod testing;
pub mod traces;
pub mod upkeep;
pub mod users;

use std::sync::Arc;

use crate::auth::Auth;
use crate::clock::{Clock, Dice};
use crate::config::{Config, Limits};
use crate::model::Result;
use crate::objects;
use crate::seal::Seal;
use crate::store::{Store, meta};
use crate::sync::Bridge;
use crate::sync::outside::{self, Outside, Within};

/// Everything that a request needs. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

pub struct Parts {
    pub store: Store,
    pub config: Config,
    pub clock: Clock,
    pub dice: Dice,
    pub seal: Seal,
    pub auth: Auth,
    /// Feeds that are kept ready.
    pub feeds: feeds::Cache,
    /// What objects may be stored.
    pub rules: objects::Rules,
    /// Hears of changes of linked calendars, for those who bring them to the other side.
    pub wake: objects::Wake,
    outside: Outside,
    bridge: tokio::sync::OnceCell<Bridge>,
    /// `config.public_url()`, made once.
    public_url: String,
    prefix: String,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    pub fn new(config: Config, store: Store, clock: Clock, dice: Dice, seal: Seal) -> Result<App> {
        App::with(config, store, clock, dice, seal, Outside::default())
    }

    /// The same, with another way to providers than the internet.
    pub fn with(
        config: Config,
        store: Store,
        clock: Clock,
        dice: Dice,
        seal: Seal,
        outside: Outside,
    ) -> Result<App> {
        let auth = Auth::new(store.clone(), clock.clone(), &dice)?;
        Ok(App(Arc::new(Parts {
            store,
            feeds: feeds::Cache::default(),
            rules: rules(&config.limits),
            wake: objects::Wake::default(),
            outside,
            bridge: tokio::sync::OnceCell::new(),
            public_url: config.public_url(),
            prefix: config.prefix().to_string(),
            config,
            clock,
            dice,
            seal,
            auth,
        })))
    }

    /// What bridging needs, made when it is first asked for: commands that bridge nothing open no door to the outside.
    ///
    /// # Errors
    /// When no TLS is to be had, and trouble with the database.
    pub async fn bridge(&self) -> Result<&Bridge> {
        self.bridge.get_or_try_init(|| self.new_bridge()).await
    }

    async fn new_bridge(&self) -> Result<Bridge> {
        outside::bridge(
            &self.config,
            &self.outside,
            Within {
                store: self.store.clone(),
                rules: self.rules.clone(),
                wake: self.wake.clone(),
                clock: self.clock.clone(),
                dice: self.dice.clone(),
                seal: self.seal.clone(),
            },
        )
        .await
    }

    /// What a write needs: the database, the rules, the time.
    pub fn door(&self) -> objects::Context<'_> {
        objects::Context {
            store: &self.store,
            rules: &self.rules,
            wake: &self.wake,
            now: self.clock.now(),
        }
    }

    /// The most instances that a question may expand one object to.
    pub fn instances(&self) -> u32 {
        u32::try_from(self.config.limits.instances).unwrap_or(u32::MAX)
    }

    /// Whether this installation's sealing key is the one that the database was begun with. When it is not, secrets that
    /// others sealed cannot be read: a key file was lost, or a second server has one of its own.
    pub async fn has_the_key(&self) -> Result<bool> {
        let ours = self.seal.key_id();
        let first = self
            .store
            .write(move |tx| {
                Box::pin(async move { meta::get_or_set(tx, "sealing_key", &ours).await })
            })
            .await?;
        Ok(self.seal.has_key(&first))
    }

    /// Whether the database answers.
    pub async fn reachable(&self) -> Result<()> {
        self.store
            .peek(|tx| Box::pin(meta::get(tx, "ready")))
            .await
            .map(drop)
    }

    /// The absolute address of a path of ours (`/dav/`).
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// The path prefix of the public address: empty, or like `/calendars`. Every href and `Location` starts with it.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A request path without the prefix. Proxies may take it off or leave it on: both are understood.
    pub fn local<'p>(&self, path: &'p str) -> &'p str {
        match path.strip_prefix(self.prefix.as_str()) {
            Some("") => "/",
            Some(rest) if rest.starts_with('/') => rest,
            _ => path,
        }
    }
}

/// The limits on objects as the validator takes them.
fn rules(limits: &Limits) -> objects::Rules {
    let count = |number: usize| u32::try_from(number).ok();
    objects::Rules {
        limits: crate::ical::tree::Limits {
            bytes: limits.object_bytes,
            ..Default::default()
        },
        max_instances: count(limits.instances),
        max_attendees: count(limits.attendees),
        ..Default::default()
    }
}
