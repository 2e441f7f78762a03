//! Who is asking: Basic (RFC 7617) with passwords and app passwords, Bearer (RFC 6750) with API tokens.
//!
//! Questions and answers:
//! - *What does a request cost?* One HMAC of its header and one look into [`cache`]; nothing of it is parsed again.
//! - *When does a revocation hold?* Within [`cache::RECHECK`] seconds in every process: what a cached entry was verified
//!   against is then read again. In this process at once, by [`Auth::forget`].
//! - *What can be learnt by asking?* Nothing about names: one that does not exist costs the same argon2 run, gets the same
//!   answer and is throttled like the others.
//! - *Who can be locked out by guessing?* Whoever types a password, for minutes. Devices with app passwords never.

mod basic;
mod cache;
pub mod device;
pub mod password;
#[cfg(test)]
mod tests;
mod throttle;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};

use crate::clock::{Clock, Dice};
use crate::model::access::Scopes;
use crate::model::{CredentialId, Door, Error, Principal, PrincipalId, Result, Who};
use crate::store::credentials::{self, CredentialKind};
use crate::store::{Store, Tx, principals};
use crate::wire::Peer;
use basic::Given;
use cache::{Cache, Key, Proof, Verified};
use password::Passwords;
use throttle::Throttle;

/// The challenge of every 401 (RFC 7617 §2.1).
pub const CHALLENGE: &str = r#"Basic realm="Kalends", charset="UTF-8""#;

/// A credential's `last_used` is written when the written one is older than this, in seconds.
const TOUCH: i64 = 3600;

pub struct Auth {
    store: Store,
    clock: Clock,
    cache: Cache,
    passwords: Passwords,
    throttle: Throttle,
}

impl Auth {
    pub fn new(store: Store, clock: Clock, dice: &Dice) -> Result<Auth> {
        Ok(Auth {
            store,
            clock,
            cache: Cache::new(dice)?,
            passwords: Passwords::default(),
            throttle: Throttle::default(),
        })
    }

    /// Who sends these headers; `None` when they say nothing about it. Wrong credentials are an error, never `None`.
    pub async fn identify(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
        door: Door,
    ) -> Result<Option<Who>> {
        let Some(header) = headers.get(AUTHORIZATION) else {
            return Ok(None);
        };
        if !peer.confidential {
            return Err(not_here());
        }
        let key = self.cache.key(header.as_bytes());
        let now = self.clock.now();
        if let Some(entry) = self.cache.get(&key) {
            if !entry.is_due(now) {
                return Ok(Some(entry.who.clone()));
            }
            // Boxed, like what follows: futures are moved as a whole, and nearly all of them end above.
            if let Some(who) = Box::pin(self.check_again(&key, &entry, now)).await? {
                return Ok(Some(who));
            }
        }
        let given = Given::parse(header.as_bytes())?;
        let outcome = Box::pin(self.verify(&key, given, peer, now)).await;
        count(door, &outcome);
        outcome.map(Some)
    }

    /// Like [`Auth::identify`], for doors that let nobody in without a name. Over a way that is not confidential it does
    /// not even ask for a password.
    pub async fn demand(&self, headers: &HeaderMap, peer: &Peer, door: Door) -> Result<Who> {
        match self.identify(headers, peer, door).await? {
            Some(who) => Ok(who),
            None if peer.confidential => Err(Error::Unauthorized),
            None => Err(not_here()),
        }
    }

    /// Drops every verified credential: after a change of a password, a revocation, a renaming, in this process.
    pub fn forget(&self) {
        self.cache.clear();
    }

    /// From scratch: the secret as an app password or token, else the password.
    async fn verify(&self, key: &Key, given: Given, peer: &Peer, now: i64) -> Result<Who> {
        let device = device::hash(given.secret.expose_secret());
        match (given.name, device) {
            (name, Some(hash)) => {
                if let Some(verified) = self.by_device(&hash, name.as_deref(), now).await? {
                    return Ok(self.cache.put(key, verified));
                }
                // Nobody guesses these, and nobody may choose a password of that form.
                let name = name.unwrap_or_default();
                self.throttle.device_failed(&name, peer.address, now)?;
                Err(Error::Unauthorized)
            }
            (Some(name), None) => {
                let verified = self
                    .by_password(key, &name, given.secret, peer, now)
                    .await?;
                Ok(self.cache.put(key, verified))
            }
            (None, None) => Err(Error::Unauthorized),
        }
    }

    async fn by_password(
        &self,
        key: &Key,
        name: &str,
        password: SecretString,
        peer: &Peer,
        now: i64,
    ) -> Result<Verified> {
        self.throttle.check(name, peer.address, now)?;
        let permit = self.passwords.permit().await?;
        // The same header may have been verified while this request was waiting: clients open several connections.
        if let Some(entry) = self.cache.get(key) {
            return Ok(entry.copied());
        }
        let attempt = self.throttle.begin(name, peer.address, now)?;
        let wanted = name.to_string();
        let found = self
            .store
            .read(|tx| {
                Box::pin(async move {
                    let Some(principal) = named(tx, &wanted).await? else {
                        return Ok(None);
                    };
                    let phc = principals::password(tx, principal.id).await?;
                    Ok(phc.map(|phc| (principal, phc)))
                })
            })
            .await?;
        let phc = found.as_ref().map(|(_, phc)| phc.clone());
        let right = self.passwords.verify(permit, password, phc).await?;
        match found {
            Some((principal, phc)) if right && may_use_password(&principal) => {
                self.throttle.succeeded(attempt);
                let who = who(&principal, Scopes::ALL);
                Ok(Verified::new(who, Proof::Password(phc), now))
            }
            _ => Err(Error::Unauthorized),
        }
    }

    /// The owner of an app password or API token that is in force, if `name` is theirs or none was given.
    async fn by_device(
        &self,
        hash: &str,
        name: Option<&str>,
        now: i64,
    ) -> Result<Option<Verified>> {
        let (hash, name) = (hash.to_string(), name.map(String::from));
        let found = self
            .store
            .read(|tx| {
                Box::pin(async move {
                    let Some(found) = credentials::by_hash(tx, &hash).await? else {
                        return Ok(None);
                    };
                    let owner = &found.principal;
                    let theirs = match name {
                        Some(name) if name != owner.name => named(tx, &name)
                            .await?
                            .is_some_and(|other| other.id == owner.id),
                        _ => true,
                    };
                    Ok(theirs.then_some((found, hash)))
                })
            })
            .await?;
        let Some((found, hash)) = found else {
            return Ok(None);
        };
        if found.revoked.is_some() || found.principal.disabled.is_some() {
            return Ok(None);
        }
        let scopes = match found.kind {
            CredentialKind::AppPassword => Scopes::ALL,
            CredentialKind::ApiToken => Scopes::parse(&found.scopes)
                .map_err(|word| Error::internal(format!("a stored token has the scope {word}")))?,
        };
        if found.last_used.is_none_or(|last| now - last >= TOUCH) {
            self.touch(found.id, now);
        }
        let who = who(&found.principal, scopes);
        Ok(Some(Verified::new(who, Proof::Device(hash), now)))
    }

    /// Whether what this entry was verified against still holds. If not, the entry is gone.
    async fn check_again(&self, key: &Key, entry: &Verified, now: i64) -> Result<Option<Who>> {
        let found = match &entry.proof {
            Proof::Device(hash) => self.by_device(hash, None, now).await,
            Proof::Password(phc) => self.still_has_password(entry.who.id, phc, now).await,
        };
        match found {
            Ok(Some(verified)) if verified.who == entry.who => Ok(Some(verified.who)),
            // Renamed, or with other rights: what the client typed is looked at anew.
            Ok(_) => {
                self.cache.drop(key);
                Ok(None)
            }
            Err(fault) => {
                entry.still_due();
                Err(fault)
            }
        }
    }

    async fn still_has_password(
        &self,
        id: PrincipalId,
        phc: &str,
        now: i64,
    ) -> Result<Option<Verified>> {
        let phc = phc.to_string();
        self.store
            .read(|tx| {
                Box::pin(async move {
                    let Some(principal) = principals::get(tx, id).await? else {
                        return Ok(None);
                    };
                    let same = principals::password(tx, id).await?.as_deref() == Some(phc.as_str());
                    let who = who(&principal, Scopes::ALL);
                    let verified = Verified::new(who, Proof::Password(phc), now);
                    Ok((same && may_use_password(&principal)).then_some(verified))
                })
            })
            .await
    }

    /// Notes the use of a credential, without letting the request wait for it.
    fn touch(&self, id: CredentialId, now: i64) {
        let store = self.store.clone();
        tokio::spawn(async move {
            let touched = store.write(move |tx| Box::pin(credentials::touch(tx, id, now)));
            if let Err(fault) = touched.await {
                tracing::warn!(%fault, "the use of a credential was not noted");
            }
        });
    }
}

/// The principal of this name or mail address.
async fn named(tx: &mut Tx<'_>, name: &str) -> Result<Option<Principal>> {
    match principals::find(tx, name).await? {
        None if name.contains('@') => principals::by_address(tx, name).await,
        found => Ok(found),
    }
}

/// With a second factor switched on a password alone opens no door; there is none yet that asks for the factor.
fn may_use_password(principal: &Principal) -> bool {
    principal.disabled.is_none() && !principal.second_factor
}

fn who(principal: &Principal, scopes: Scopes) -> Who {
    Who {
        id: principal.id,
        name: principal.name.clone(),
        admin: principal.admin,
        scopes,
    }
}

fn count(door: Door, outcome: &Result<Who>) {
    let label = match outcome {
        Ok(_) => "right",
        Err(Error::Unauthorized) => "wrong",
        Err(Error::Throttled { .. }) => "throttled",
        Err(_) => "failed",
    };
    metrics::counter!("kalends_sign_ins_total", "door" => door.as_str(), "outcome" => label)
        .increment(1);
}

fn not_here() -> Error {
    Error::forbidden(
        "passwords and tokens are not taken over an unencrypted connection: use https. (Behind a proxy: it has to be in \
         trusted_proxies and to send X-Forwarded-Proto. The setting insecure_basic allows it.)",
    )
}
