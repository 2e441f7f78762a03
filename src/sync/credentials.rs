//! Tokens and passwords of a connection, sealed in the database: given to providers, refreshed early and one at a time.
//!
//! - An access token is renewed 5 minutes before it ends, and when the provider refuses it.
//! - *One at a time?* Within the process a lock per connection; among servers a short lease
//!   ([`connections::begin_refresh`]). Who comes second takes what the first one stored.
//! - *Rotation?* New tokens are stored before any of them is used, so that a crash never leaves us with a refresh token
//!   that was used up. No new refresh token in the answer: the old one stays.
//! - *The grant is gone?* The connection's health becomes `reconnect`, and nothing is asked any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use futures_util::future::BoxFuture;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::Bridge;
use crate::model::bridge::Health;
use crate::model::{ConnectionId, Error, Result};
use crate::remote::oauth::{self, Registration, Tokens};
use crate::remote::{Account, Answer, Credentials, Endpoints, Fault, Transport};
use crate::seal::Seal;
use crate::store::Store;
use crate::store::bridges::connections;

/// For what secrets of connections are sealed.
pub const PURPOSE: &str = "connection";
/// Seconds before its end that a token is renewed.
const EARLY: i64 = 300;
/// What is taken when a provider does not say how long a token lives.
const LIFE: i64 = 3600;
const DAY: i64 = 86_400;
/// A password does not get better by trying it again, and some servers lock out who does.
const PASSWORD: &str = "user name or password is refused: connect again with a new app password";
/// How long one server may take to renew tokens.
const RENEWAL: i64 = 60;

/// What a connection keeps.
#[derive(Clone)]
pub enum Secret {
    OAuth {
        access: SecretString,
        refresh: Option<SecretString>,
        /// When the access token ends.
        expires: i64,
        consent: Consent,
    },
    Password {
        /// The server, as it was typed in.
        url: String,
        user: String,
        password: SecretString,
    },
    /// An address that is the secret, or none at all.
    Address(SecretString),
}

/// When the owner agreed, and when that ends by itself, if the provider said so (seconds since 1970 UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub given: i64,
    pub ends: Option<i64>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Secret::OAuth { .. } => "Secret(OAuth)",
            Secret::Password { .. } => "Secret(password)",
            Secret::Address(_) => "Secret(address)",
        })
    }
}

/// As it is written before it is sealed.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Written {
    OAuth {
        access: String,
        refresh: Option<String>,
        expires: i64,
        #[serde(default)]
        consent: Consent,
    },
    Password {
        #[serde(default)]
        url: String,
        user: String,
        password: String,
    },
    Address {
        url: String,
    },
}

impl Drop for Written {
    fn drop(&mut self) {
        match self {
            Written::OAuth {
                access, refresh, ..
            } => {
                access.zeroize();
                refresh.zeroize();
            }
            Written::Password { password, .. } => password.zeroize(),
            Written::Address { url } => url.zeroize(),
        }
    }
}

impl Secret {
    /// Of what a token endpoint gave; the old refresh token stays when there is no new one.
    pub fn of_tokens(
        tokens: &Tokens,
        old: Option<&SecretString>,
        consent: Consent,
        now: i64,
    ) -> Secret {
        let ends = tokens.refresh_expires_in.map(|life| now + life.max(0));
        Secret::OAuth {
            access: tokens.access.clone(),
            refresh: tokens.refresh.clone().or_else(|| old.cloned()),
            expires: now + tokens.expires_in.unwrap_or(LIFE).max(0),
            consent: Consent {
                ends: ends.or(consent.ends),
                ..consent
            },
        }
    }

    pub fn seal(&self, seal: &Seal) -> Result<Vec<u8>> {
        let text = |secret: &SecretString| secret.expose_secret().to_string();
        let written = match self {
            Secret::OAuth {
                access,
                refresh,
                expires,
                consent,
            } => Written::OAuth {
                access: text(access),
                refresh: refresh.as_ref().map(text),
                expires: *expires,
                consent: *consent,
            },
            Secret::Password {
                url,
                user,
                password,
            } => Written::Password {
                url: url.clone(),
                user: user.clone(),
                password: text(password),
            },
            Secret::Address(url) => Written::Address { url: text(url) },
        };
        let plain = zeroize::Zeroizing::new(
            serde_json::to_vec(&written)
                .map_err(|_| Error::internal("a secret cannot be written"))?,
        );
        seal.seal(PURPOSE, &plain)
    }

    /// # Errors
    /// When the key is not here, or the envelope is damaged.
    pub fn open(seal: &Seal, sealed: &[u8]) -> Result<Secret> {
        let plain = seal.unseal(PURPOSE, sealed)?;
        let mut written = serde_json::from_slice(&plain)
            .map_err(|_| Error::internal("a sealed connection is damaged"))?;
        let secret = |text: &mut String| SecretString::from(std::mem::take(text));
        Ok(match &mut written {
            Written::OAuth {
                access,
                refresh,
                expires,
                consent,
            } => Secret::OAuth {
                access: secret(access),
                refresh: refresh.as_mut().map(secret),
                expires: *expires,
                consent: *consent,
            },
            Written::Password {
                url,
                user,
                password,
            } => Secret::Password {
                url: url.clone(),
                user: user.clone(),
                password: secret(password),
            },
            Written::Address { url } => Secret::Address(secret(url)),
        })
    }

    /// The account at the server that was typed in, where that is part of the secret.
    pub fn locate(&self, account: Account) -> Account {
        let Secret::Password { url, .. } = self else {
            return account;
        };
        let endpoints = Endpoints {
            api: url.clone(),
            ..Endpoints::default()
        };
        Account {
            endpoints: Arc::new(endpoints),
            ..account
        }
    }

    fn basic(&self) -> Option<(String, SecretString)> {
        match self {
            Secret::Password { user, password, .. } => Some((user.clone(), password.clone())),
            Secret::Address(url) => Some((String::new(), url.clone())),
            Secret::OAuth { .. } => None,
        }
    }

    fn header(&self) -> Result<Option<HeaderValue>, Fault> {
        let text = match self {
            Secret::OAuth { access, .. } => format!("Bearer {}", access.expose_secret()),
            Secret::Password { user, password, .. } => {
                let pair = format!("{user}:{}", password.expose_secret());
                let pair = base64::engine::general_purpose::STANDARD.encode(pair);
                format!("Basic {pair}")
            }
            Secret::Address(_) => return Ok(None),
        };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| Fault::Revoked("what we have to show is not a header's value".into()))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// A lock for each connection whose tokens are in use.
#[derive(Default)]
pub struct Locks(Mutex<HashMap<ConnectionId, Arc<tokio::sync::Mutex<()>>>>);

impl Locks {
    fn of(&self, id: ConnectionId) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        locks.entry(id).or_default().clone()
    }
}

/// Credentials that nothing is stored of yet: an account is looked at before there is a connection.
pub struct Given(pub Secret);

impl Credentials for Given {
    fn header(&self, rejected: bool) -> Answer<'_, Result<Option<HeaderValue>, Fault>> {
        Box::pin(async move {
            let why = match (rejected, &self.0) {
                (false, _) => return self.0.header(),
                (true, Secret::OAuth { .. }) => "the provider refuses the access that it gave",
                (true, _) => "user name or password is wrong",
            };
            Err(Fault::Revoked(why.into()))
        })
    }

    fn basic(&self) -> Option<(String, SecretString)> {
        self.0.basic()
    }
}

/// The credentials of one connection, for [`crate::remote::Account`].
pub struct Keeper {
    bridge: Bridge,
    connection: ConnectionId,
    provider: String,
    /// What was read last, with its number.
    held: Mutex<Option<(Secret, i64)>>,
}

impl Keeper {
    pub fn new(bridge: &Bridge, connection: ConnectionId, provider: &str) -> Keeper {
        Keeper {
            bridge: bridge.clone(),
            connection,
            provider: provider.to_string(),
            held: Mutex::new(None),
        }
    }

    /// Reads the secret, so that [`Credentials::basic`] can give it.
    pub async fn load(&self) -> Result<(Secret, i64)> {
        let (sealed, seq) = stored(self.bridge.store.clone(), self.connection)
            .await?
            .ok_or(Error::NotFound)?;
        let secret = Secret::open(&self.bridge.seal, &sealed)?;
        *self.lock() = Some((secret.clone(), seq));
        Ok((secret, seq))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Secret, i64)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, secret: &Secret) -> bool {
        match secret {
            Secret::OAuth { expires, .. } => *expires - EARLY > self.bridge.clock.now(),
            Secret::Password { .. } | Secret::Address(_) => true,
        }
    }

    async fn current(&self, rejected: bool) -> Result<Secret, Fault> {
        let held = self.lock().clone();
        let refused = match held {
            Some((secret, _)) if !rejected && self.fresh(&secret) => return Ok(secret),
            Some((_, seq)) if rejected => Some(seq),
            _ => None,
        };
        let lock = self.bridge.locks.of(self.connection);
        let _alone = lock.lock().await;
        // Renewals take seconds; another server gets as long as its lease.
        for _ in 0..RENEWAL * 4 {
            let (secret, seq) = self.load().await.map_err(internal)?;
            let stale = refused == Some(seq) || !self.fresh(&secret);
            let Secret::OAuth {
                refresh, consent, ..
            } = &secret
            else {
                return match refused == Some(seq) {
                    true => Err(Fault::Revoked(PASSWORD.into())),
                    false => Ok(secret),
                };
            };
            if !stale {
                return Ok(secret);
            }
            let (refresh, consent) = (refresh.clone(), *consent);
            if self.begin(seq).await? {
                return self.renew(refresh, consent, seq).await;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        Err(Fault::Transient(
            "another server is renewing our access".into(),
        ))
    }

    async fn begin(&self, seq: i64) -> Result<bool, Fault> {
        let (id, now) = (self.connection, self.bridge.clock.now());
        let work = self.bridge.store.write(move |tx| {
            Box::pin(
                async move { connections::begin_refresh(tx, id, seq, now, now + RENEWAL).await },
            )
        });
        work.await.map_err(internal)
    }

    async fn renew(
        &self,
        refresh: Option<SecretString>,
        consent: Consent,
        seq: i64,
    ) -> Result<Secret, Fault> {
        let asked = match &refresh {
            Some(token) => self.ask(token).await,
            None => Err(Fault::Revoked("there is no permission to renew it".into())),
        };
        let id = self.connection;
        let tokens = match asked {
            Ok(tokens) => tokens,
            Err(fault) => {
                let fault = self.explained(fault, consent);
                let told = fault.clone();
                let work = self.bridge.store.write(move |tx| {
                    Box::pin(async move {
                        connections::end_refresh(tx, id).await?;
                        note(tx, id, &told).await
                    })
                });
                work.await.map_err(internal)?;
                return Err(fault);
            }
        };
        let secret = Secret::of_tokens(&tokens, refresh.as_ref(), consent, self.bridge.clock.now());
        let sealed = secret.seal(&self.bridge.seal).map_err(internal)?;
        let scopes = tokens.scopes.map(|scopes| scopes.join(" "));
        let work = self.bridge.store.write(move |tx| {
            Box::pin(async move {
                let stored = connections::set_secret(tx, id, &sealed, seq).await?;
                if let Some(scopes) = scopes.filter(|_| stored) {
                    connections::set_scopes(tx, id, &scopes).await?;
                }
                Ok(stored)
            })
        });
        if work.await.map_err(internal)? {
            *self.lock() = Some((secret.clone(), seq + 1));
            return Ok(secret);
        }
        // The owner connected again meanwhile.
        self.load()
            .await
            .map(|(secret, _)| secret)
            .map_err(internal)
    }

    /// With what is known to make grants of this provider end early.
    fn explained(&self, fault: Fault, consent: Consent) -> Fault {
        let spec = self
            .bridge
            .row(&self.provider)
            .ok()
            .and_then(|row| row.oauth);
        let age = self.bridge.clock.now() - consent.given;
        match (fault, spec.and_then(|spec| spec.short_lived)) {
            (Fault::Revoked(why), Some((life, hint))) if consent.given > 0 && age <= life + DAY => {
                Fault::Revoked(format!("{why}. {hint}"))
            }
            (fault, _) => fault,
        }
    }

    async fn ask(&self, token: &SecretString) -> Result<Tokens, Fault> {
        let app = self
            .bridge
            .registrations
            .get(&self.provider)
            .ok_or_else(|| {
                Fault::Operator(format!(
                    "no application is registered for {}",
                    self.provider
                ))
            })?;
        refreshed(self.bridge.transport.clone(), app.clone(), token.clone()).await
    }
}

/// A sealed secret and its number.
type Sealed = (Vec<u8>, i64);

/// The sealed secret. A boxed future of its own, so that the compiler sees that what waits for it can be sent.
fn stored(store: Store, id: ConnectionId) -> BoxFuture<'static, Result<Option<Sealed>>> {
    Box::pin(async move {
        store
            .peek(move |tx| Box::pin(connections::secret(tx, id)))
            .await
    })
}

/// As [`stored`]: boxed, so that it can be sent.
fn refreshed(
    transport: Arc<dyn Transport>,
    app: Registration,
    token: SecretString,
) -> BoxFuture<'static, Result<Tokens, Fault>> {
    Box::pin(async move { oauth::refresh(&*transport, &app, &token).await })
}

/// Notes at the connection what only its owner or the operator can mend.
pub(super) async fn note(
    tx: &mut crate::store::Tx<'_>,
    id: ConnectionId,
    fault: &Fault,
) -> Result<()> {
    let health = match fault {
        Fault::Revoked(_) => Health::Reconnect,
        Fault::Operator(_) => Health::Operator,
        _ => return Ok(()),
    };
    connections::set_health(tx, id, health, &fault.to_string()).await
}

fn internal(error: Error) -> Fault {
    Fault::Transient(match error {
        Error::NotFound => "the connection is gone".into(),
        error => error.to_string(),
    })
}

impl Credentials for Keeper {
    fn header(&self, rejected: bool) -> Answer<'_, Result<Option<HeaderValue>, Fault>> {
        Box::pin(async move { self.current(rejected).await?.header() })
    }

    fn basic(&self) -> Option<(String, SecretString)> {
        self.lock().as_ref().and_then(|(secret, _)| secret.basic())
    }
}
