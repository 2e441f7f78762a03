//! Webhooks that providers promise to call: made for each link, renewed at half of their life, and stopped when they are
//! replaced or their link is gone (FACTS §2.6, §4.7).
//!
//! A link's `watch_at` says when something is to be done about its webhook; who moves it on does it, so of several
//! servers one does. While a new one is made the old one lives: pings may come twice, never not at all. What changed
//! before a new one began is found by the run that follows it.
//!
//! *Where does the provider's id come from?* From us or from it. A row with ours is there before the provider is asked,
//! because the first ping may be quicker than the answer.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Bridge;
use super::connect::probe::no_way_from;
use super::run::place;
use super::texts::hex;
use crate::model::bridge::{Connection, Link};
use crate::model::{Error, LinkId, Result};
use crate::remote::{Account, Fault, Hook, Provider, Watch};
use crate::store::Tx;
use crate::store::bridges::{StoredWatch, connections, links, remote_calendars, watches};

/// How long a webhook is to live, in seconds: a week, which is what both providers give.
const LIFE: i64 = 7 * 86_400;
/// When a failure is tried again.
const AGAIN: i64 = 600;
/// When a calendar that has no webhooks is asked again.
const REFUSED: i64 = 7 * 86_400;
/// How long a row lives whose webhook was not answered yet.
const UNANSWERED: i64 = 300;
/// Rows at a time.
const PAGE: i64 = 50;

/// What [`tend`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    pub made: u64,
    pub renewed: u64,
    pub stopped: u64,
    pub failed: u64,
}

/// Makes, renews and stops what is due. `public_url`: where we are reached, without a slash at its end.
///
/// # Errors
/// Trouble with the database; what providers say is noted and tried again.
pub async fn tend(bridge: &Bridge, public_url: &str) -> Result<Tended> {
    let mut tended = Tended::default();
    let mut known = bridge.endpoints.values();
    if known.any(|endpoints| no_way_from(endpoints, public_url).is_none()) {
        let now = bridge.clock.now();
        let due = bridge
            .store
            .peek(move |tx| Box::pin(links::unwatched(tx, now, PAGE)))
            .await?;
        for link in due {
            watch_link(bridge, public_url, link, &mut tended).await?;
        }
    }
    let now = bridge.clock.now();
    let over = bridge
        .store
        .peek(move |tx| Box::pin(watches::pending(tx, now, PAGE)))
        .await?;
    for watch in over {
        stop(bridge, watch, &mut tended).await?;
    }
    Ok(tended)
}

async fn watch_link(
    bridge: &Bridge,
    public_url: &str,
    link: Link,
    tended: &mut Tended,
) -> Result<()> {
    let (id, now) = (link.id, bridge.clock.now());
    let (connection, remote) = (link.connection, link.remote);
    let found = bridge
        .store
        .write(move |tx| {
            Box::pin(async move {
                // Who moves it on does it.
                if !links::claim_watch(tx, id, now, now + AGAIN).await? {
                    return Ok(None);
                }
                let connection = connections::get(tx, connection).await?;
                let remote = remote_calendars::get(tx, remote).await?;
                let live = watches::of_link(tx, id).await?;
                Ok(connection
                    .zip(remote)
                    .map(|(connection, remote)| (connection, remote, live)))
            })
        })
        .await?;
    let Some((connection, remote, live)) = found else {
        return Ok(());
    };
    let provider = bridge.provider(&connection.provider)?;
    if !provider.caps().watches {
        return later(bridge, id, now + REFUSED).await;
    }
    let account = bridge.account(&connection).await?;
    if no_way_from(&account.endpoints, public_url).is_some() {
        return later(bridge, id, now + AGAIN).await;
    }
    let live = live
        .into_iter()
        .rfind(|watch| !watch.old && watch.expires > now && !watch.resource.is_empty());
    let outcome = match &live {
        Some(watch) => renewed(bridge, provider, &account, watch).await,
        None => Ok(None),
    };
    let outcome = match outcome {
        Ok(Some(watch)) => {
            tended.renewed += 1;
            Ok(watch)
        }
        Ok(None) => {
            let made = made(
                bridge,
                provider,
                &account,
                public_url,
                &connection,
                &link,
                &remote,
            );
            let made = made.await?;
            tended.made += u64::from(made.is_ok());
            made
        }
        Err(fault) => Err(fault),
    };
    match outcome {
        Ok(watch) => later(bridge, id, now + ((watch.expires - now) / 2).max(60)).await,
        Err(fault) => {
            tended.failed += 1;
            trouble(bridge, &connection, id, &fault).await
        }
    }
}

async fn later(bridge: &Bridge, link: LinkId, at: i64) -> Result<()> {
    bridge
        .store
        .write(move |tx| Box::pin(links::set_watch_at(tx, link, at)))
        .await
}

/// What came of asking: the webhook, or why not.
type Asked = std::result::Result<Watch, Fault>;

/// Renews one. None: it is to be made anew.
async fn renewed(
    bridge: &Bridge,
    provider: &dyn Provider,
    account: &Account,
    stored: &StoredWatch,
) -> std::result::Result<Option<Watch>, Fault> {
    let watch = remote_watch(stored);
    let watch = match provider.renew(account, &watch, LIFE).await {
        Ok(Some(watch)) => watch,
        Ok(None) | Err(Fault::NotFound) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let (row, new) = (stored.id, watch.clone());
    let kept = bridge.store.write(move |tx| {
        Box::pin(async move { watches::renewed(tx, row, &new.id, new.expires).await })
    });
    kept.await
        .map_err(|error| Fault::Transient(error.to_string()))?;
    Ok(Some(watch))
}

fn remote_watch(stored: &StoredWatch) -> Watch {
    Watch {
        id: stored.watch_id.clone(),
        resource: stored.resource.clone(),
        expires: stored.expires,
    }
}

/// Makes a new webhook, which replaces those that the link has.
async fn made(
    bridge: &Bridge,
    provider: &dyn Provider,
    account: &Account,
    public_url: &str,
    connection: &Connection,
    link: &Link,
    remote: &crate::model::bridge::RemoteCalendar,
) -> Result<Asked> {
    let now = bridge.clock.now();
    let secret = URL_SAFE_NO_PAD.encode(bridge.dice.bytes::<32>()?);
    let url = format!("{public_url}/hooks/{}", connection.provider);
    let row = StoredWatch {
        id: 0,
        connection: connection.id,
        link: Some(link.id),
        provider: connection.provider.clone(),
        watch_id: hex(&bridge.dice.bytes::<16>()?),
        resource: String::new(),
        secret_hash: hash_of(secret.as_bytes()),
        expires: now + UNANSWERED,
        old: false,
    };
    let first = row.clone();
    bridge
        .store
        .write(move |tx| Box::pin(async move { watches::announce(tx, &first).await }))
        .await?;
    let hook = Hook {
        url: &url,
        secret: &secret,
        id: &row.watch_id,
        life: LIFE,
    };
    let asked = provider.watch(account, &place(remote), &hook).await;
    let (link, ours, answer) = (link.id, row, asked.clone().ok());
    bridge
        .store
        .write(move |tx| {
            Box::pin(async move {
                let kept = match answer {
                    Some(watch) => {
                        let id = watch.id.clone();
                        let row = StoredWatch {
                            watch_id: watch.id,
                            resource: some(watch.resource),
                            expires: watch.expires,
                            ..ours.clone()
                        };
                        watches::create(tx, &row).await?;
                        // What changed since the last run and before now was told to nobody.
                        links::poke(tx, link, now).await?;
                        id == ours.watch_id
                    }
                    None => false,
                };
                match kept {
                    true => Ok(()),
                    false => watches::withdraw(tx, &ours.provider, &ours.watch_id).await,
                }
            })
        })
        .await?;
    Ok(asked)
}

/// A resource is what tells an answered webhook from one that is not yet.
fn some(resource: String) -> String {
    if resource.is_empty() {
        "-".to_string()
    } else {
        resource
    }
}

/// What keeps a webhook from being made, and when it is tried again.
async fn trouble(
    bridge: &Bridge,
    connection: &Connection,
    link: LinkId,
    fault: &Fault,
) -> Result<()> {
    let now = bridge.clock.now();
    let at = match fault {
        // A holiday calendar, a shared one, an account without that ability: polls do.
        Fault::Unsupported(_) | Fault::Refused(_) | Fault::MissingScope(_) => now + REFUSED,
        Fault::Throttled(Some(until)) => (*until).max(now + 1),
        _ => now + AGAIN,
    };
    tracing::debug!(link = link.0, %fault, "no webhook for this link yet");
    bridge.note(connection.id, fault).await?;
    later(bridge, link, at).await
}

/// Stops one that is replaced, or whose link is gone; one that is over needs no stopping.
async fn stop(bridge: &Bridge, stored: StoredWatch, tended: &mut Tended) -> Result<()> {
    if stored.expires > bridge.clock.now() && !stored.resource.is_empty() {
        let connection = stored.connection;
        let connection = bridge
            .store
            .peek(move |tx| Box::pin(connections::get(tx, connection)))
            .await?;
        let Some(connection) = connection else {
            return Ok(());
        };
        match unwatch(bridge, &connection, &stored).await {
            Ok(()) | Err(Fault::NotFound | Fault::Revoked(_) | Fault::Unsupported(_)) => {}
            Err(fault) => {
                tracing::debug!(%fault, "a webhook is not stopped yet");
                tended.failed += 1;
                return Ok(());
            }
        }
    }
    tended.stopped += 1;
    bridge
        .store
        .write(move |tx| Box::pin(watches::remove(tx, stored.id)))
        .await
}

async fn unwatch(
    bridge: &Bridge,
    connection: &Connection,
    stored: &StoredWatch,
) -> std::result::Result<(), Fault> {
    let internal = |error: Error| Fault::Transient(error.to_string());
    let provider = bridge.provider(&connection.provider).map_err(internal)?;
    let account = bridge.account(connection).await.map_err(internal)?;
    provider.unwatch(&account, &remote_watch(stored)).await
}

/// As secrets of webhooks are kept.
fn hash_of(secret: &[u8]) -> String {
    hex(&Sha256::digest(secret))
}

/// A call that came in.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub provider: &'a str,
    /// The provider's id of the webhook.
    pub watch: &'a str,
    /// What it says is our secret.
    pub secret: &'a str,
    /// The resource that it says it is about; none: this provider says nothing of use.
    pub resource: Option<&'a str>,
    pub news: News,
}

/// What a call says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum News {
    /// The webhook works: the first one.
    Begun,
    /// Something changed, or may have changed without us being told.
    Changed,
    /// It is to be renewed at once.
    Renew,
    /// It is no more.
    Removed,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    Done,
    /// There is no such webhook (any more).
    Unknown,
    /// It does not know the secret.
    Forged,
}

/// Takes a call in: one look, and one small write for what is new.
///
/// # Errors
/// Trouble with the database.
pub async fn receive(bridge: &Bridge, call: Call<'_>) -> Result<Received> {
    let (provider, id) = (call.provider, call.watch);
    let found = bridge
        .store
        .peek(|tx| Box::pin(async move { watches::find(tx, provider, id).await }))
        .await?;
    let Some(stored) = found else {
        return Ok(Received::Unknown);
    };
    let given = hash_of(call.secret.as_bytes());
    let resource = call.resource.filter(|_| !stored.resource.is_empty());
    let right = same(given.as_bytes(), stored.secret_hash.as_bytes())
        & resource.is_none_or(|r| same(r.as_bytes(), stored.resource.as_bytes()));
    if !right {
        return Ok(Received::Forged);
    }
    let Some(link) = stored.link else {
        return Ok(Received::Unknown);
    };
    let (now, news) = (bridge.clock.now(), call.news);
    if news != News::Begun {
        bridge
            .store
            .write(move |tx| Box::pin(async move { note(tx, link, stored, news, now).await }))
            .await?;
        bridge.wake.ring();
    }
    Ok(Received::Done)
}

async fn note(
    tx: &mut Tx<'_>,
    link: LinkId,
    stored: StoredWatch,
    news: News,
    now: i64,
) -> Result<()> {
    if news == News::Removed {
        watches::remove(tx, stored.id).await?;
    }
    if matches!(news, News::Removed | News::Renew) {
        links::set_watch_at(tx, link, now).await?;
    }
    links::poke(tx, link, now).await.map(drop)
}

/// Compares in a time that depends on the lengths alone.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}
