//! Feeds: secret addresses over calendars, made, listed, revoked and opened (PRODUCT §5). What they say is
//! `crate::feeds`.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

pub use text::{Part, Text};

use super::App;
use crate::auth::device;
use crate::model::access::{Scopes, demand};
use crate::model::{Bound, Error, FeedId, Privilege, Privileges, Result, Who};
use crate::store::feeds::{self, Feed, NewFeed};

mod text;

/// For what a feed's secret is sealed.
pub(super) const PURPOSE: &str = "feed token";
/// Seconds between two notes of who fetched a feed.
const NOTE_EVERY: i64 = 60;
/// Bytes of feeds that are kept ready.
const CACHE_BYTES: u64 = 32 << 20;

/// What a feed tells (PRODUCT §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    Full,
    Titles,
    Busy,
}

impl Privacy {
    pub const ALL: [Privacy; 3] = [Privacy::Full, Privacy::Titles, Privacy::Busy];

    pub fn as_str(self) -> &'static str {
        match self {
            Privacy::Full => "full",
            Privacy::Titles => "titles",
            Privacy::Busy => "busy",
        }
    }

    pub fn parse(text: &str) -> Option<Privacy> {
        Privacy::ALL
            .into_iter()
            .find(|level| level.as_str() == text)
    }

    /// What one must be allowed to see of a calendar oneself.
    fn needs(self) -> Privileges {
        match self {
            Privacy::Busy => Privileges::NONE.with(Privilege::ReadFreeBusy),
            Privacy::Full | Privacy::Titles => Privileges::NONE.with(Privilege::Read),
        }
    }
}

/// A feed to be made.
#[derive(Clone, Debug)]
pub struct New {
    /// Slugs in the owner's home.
    pub calendars: Vec<String>,
    pub privacy: Privacy,
    /// For the owner; never shown in the feed.
    pub comment: String,
    /// How far back and ahead of today; none: everything.
    pub past_days: Option<i64>,
    pub future_days: Option<i64>,
    /// Seconds since 1970 UTC.
    pub expires: Option<i64>,
}

/// A feed as its owner sees it.
#[derive(Clone, Debug)]
pub struct Shown {
    pub feed: Feed,
    pub secret: SecretString,
    pub calendars: Vec<Bound>,
}

impl Shown {
    /// The address; `kind` is `ics`, `ifb`, `json` or `mobileconfig`.
    pub fn url(&self, app: &App, kind: &str) -> String {
        app.url(&format!("/feeds/{}.{kind}", self.secret.expose_secret()))
    }

    pub fn slugs(&self) -> Vec<&str> {
        self.calendars
            .iter()
            .map(|bound| bound.slug.as_str())
            .collect()
    }
}

/// Makes a feed of `who`.
///
/// # Errors
/// `NotFound` for a calendar that is not in their home, `need-privileges` for one they may not see so much of,
/// `Invalid` for a window that makes no sense.
pub async fn create(app: &App, who: &Who, new: New) -> Result<Shown> {
    check(&new)?;
    let mut calendars = Vec::with_capacity(new.calendars.len());
    for slug in &new.calendars {
        let bound = super::calendars::find(app, who, &who.name, slug).await?;
        demand(&bound, who, Scopes::WRITE, new.privacy.needs())?;
        calendars.push(bound);
    }
    let secret = device::mint_for_address(&app.dice)?;
    let row = NewFeed {
        principal: who.id,
        token_hash: device::hash_of(&secret),
        token_sealed: app.seal.seal(PURPOSE, secret.expose_secret().as_bytes())?,
        privacy: new.privacy.as_str().to_string(),
        comment: new.comment,
        past_days: new.past_days,
        future_days: new.future_days,
        expires: new.expires,
        calendars: calendars.iter().map(|bound| bound.calendar.id).collect(),
    };
    let (hash, now) = (row.token_hash.clone(), app.clock.now());
    let feed = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                feeds::create(tx, &row, now).await?;
                feeds::by_hash(tx, &hash)
                    .await?
                    .ok_or_else(|| Error::internal("the new feed is not there"))
            })
        })
        .await?;
    Ok(Shown {
        feed,
        secret,
        calendars,
    })
}

fn check(new: &New) -> Result<()> {
    let invalid = |field: &str, reason: &str| {
        Err(Error::Invalid {
            field: field.into(),
            reason: reason.into(),
        })
    };
    const CENTURY: i64 = 36_525;
    if new.calendars.is_empty() {
        return invalid("calendars", "name at least one");
    }
    for (field, days) in [
        ("past_days", new.past_days),
        ("future_days", new.future_days),
    ] {
        if days.is_some_and(|days| !(0..=CENTURY).contains(&days)) {
            return invalid(field, "must be between 0 and 36525");
        }
    }
    Ok(())
}

/// The feeds of `who`, oldest first; revoked ones have been forgotten.
///
/// # Errors
/// Trouble with the database.
pub async fn list(app: &App, who: &Who) -> Result<Vec<Shown>> {
    let id = who.id;
    let rows = app
        .store
        .read(|tx| {
            Box::pin(async move {
                let mut rows = Vec::new();
                for feed in feeds::list(tx, id)
                    .await?
                    .into_iter()
                    .filter(|feed| feed.revoked.is_none())
                {
                    let calendars = feeds::calendars(tx, &feed).await?;
                    rows.push((feed, calendars));
                }
                Ok(rows)
            })
        })
        .await?;
    rows.into_iter()
        .map(|(feed, calendars)| {
            let plain = app.seal.unseal(PURPOSE, &feed.token_sealed)?;
            let secret = String::from_utf8_lossy(&plain).into_owned().into();
            Ok(Shown {
                feed,
                secret,
                calendars,
            })
        })
        .collect()
}

/// Revokes a feed of `who`: at once, in every process.
///
/// # Errors
/// `NotFound` when there is no such one in force.
pub async fn revoke(app: &App, who: &Who, id: FeedId) -> Result<()> {
    if !who.scopes.has(Scopes::WRITE) {
        return Err(Error::forbidden("this token lacks the scope write"));
    }
    let (owner, now) = (who.id, app.clock.now());
    match app
        .store
        .write(move |tx| Box::pin(feeds::revoke(tx, id, owner, now)))
        .await?
    {
        true => Ok(()),
        false => Err(Error::NotFound),
    }
}

/// A feed in force, and those of its calendars that its owner may still see that much of.
pub struct Open {
    pub feed: Feed,
    pub privacy: Privacy,
    pub calendars: Vec<Bound>,
}

/// The feed with this secret. `None`: there is none, or no more.
///
/// # Errors
/// Trouble with the database.
pub async fn open(app: &App, secret: &str) -> Result<Option<Open>> {
    let Some(hash) = device::hash(secret) else {
        return Ok(None);
    };
    let now = app.clock.now();
    let found = app
        .store
        .read(|tx| {
            Box::pin(async move {
                let Some(feed) = feeds::by_hash(tx, &hash).await? else {
                    return Ok(None);
                };
                let over = feed.revoked.is_some()
                    || feed.owner_disabled
                    || feed.expires.is_some_and(|at| at <= now);
                if over {
                    return Ok(None);
                }
                let calendars = feeds::calendars(tx, &feed).await?;
                Ok(Some((feed, calendars)))
            })
        })
        .await?;
    Ok(found.map(|(feed, mut calendars)| {
        // A word that is not known here comes from a newer version: the least is told.
        let privacy = Privacy::parse(&feed.privacy).unwrap_or(Privacy::Busy);
        calendars.retain(|bound| bound.privileges.contains(privacy.needs()));
        Open {
            feed,
            privacy,
            calendars,
        }
    }))
}

/// Notes who fetched a feed, at most once a minute, beside the answer.
pub fn fetched(app: &App, feed: &Feed, agent: &str) {
    let now = app.clock.now();
    if feed.last_fetch.is_some_and(|last| now - last < NOTE_EVERY) {
        return;
    }
    let (store, id) = (app.store.clone(), feed.id);
    let agent: String = agent
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    tokio::spawn(async move {
        let noted = store
            .write(move |tx| Box::pin(async move { feeds::fetched(tx, id, &agent, now).await }))
            .await;
        if let Err(fault) = noted {
            tracing::warn!(feed = id.0, %fault, "a feed's last fetch was not noted");
        }
    });
}

/// Bodies that are ready, each with the tag of the state that it shows. Never more than [`CACHE_BYTES`].
#[derive(Clone)]
pub struct Cache {
    bodies: moka::sync::Cache<(FeedId, u8), (String, Text)>,
    /// Feeds share these by id: see [`Cache::turn`].
    turns: Arc<[tokio::sync::Mutex<()>; TURNS]>,
}

const TURNS: usize = 8;

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cache({} bodies)", self.bodies.entry_count())
    }
}

impl Default for Cache {
    fn default() -> Cache {
        let weigh = |_: &(FeedId, u8), (tag, body): &(String, Text)| {
            // Deflated, too.
            let length = body.len() + body.len() / 4;
            u32::try_from(length + tag.len() + 100).unwrap_or(u32::MAX)
        };
        Cache {
            bodies: moka::sync::Cache::builder()
                .max_capacity(CACHE_BYTES)
                .weigher(weigh)
                .build(),
            turns: Arc::default(),
        }
    }
}

impl Cache {
    /// The body of a feed in one form, if it shows the state `tag`.
    pub fn get(&self, feed: FeedId, form: u8, tag: &str) -> Option<Text> {
        self.bodies
            .get(&(feed, form))
            .filter(|(kept, _)| kept == tag)
            .map(|(_, body)| body)
    }

    pub fn put(&self, feed: FeedId, form: u8, tag: &str, body: &Text) {
        self.bodies
            .insert((feed, form), (tag.to_string(), body.clone()));
        // Else what is replaced would stay for a while, and bodies are large.
        self.bodies.run_pending_tasks();
    }

    /// Waits until nobody else makes a body of this feed. Many ask at once when a large feed has changed; one makes the
    /// body, the others find it ready.
    pub async fn turn(&self, feed: FeedId) -> tokio::sync::MutexGuard<'_, ()> {
        self.turns[feed.0.unsigned_abs() as usize % TURNS]
            .lock()
            .await
    }
}
