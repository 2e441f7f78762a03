//! Connecting accounts: the walk through the browser ([`flow`]), passwords and addresses ([`direct`]), the listing of
//! calendars, the test of everything that a connection needs ([`probe`]), and its end ([`end`]).
//!
//! Who may do this is asked above, in `app::connections`.

pub mod direct;
pub mod end;
pub mod flow;
pub mod probe;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::Bridge;
use super::credentials::{Consent, Given, Keeper, Secret};
use crate::model::bridge::{Connection, RemoteCalendar};
use crate::model::{ConnectionId, Error, PrincipalId, RemoteCalendarId, Result};
use crate::remote::{Account, Fault, Identity, Listed, oauth};
use crate::store::bridges::{NewConnection, connections, remote_calendars};

/// The longest label, in characters.
const LABEL: usize = 200;

/// What its owner should know of a connection beside what is stored in the open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The provider's name for people.
    pub title: &'static str,
    /// The owner walks through the browser to connect (again); else types a password or an address.
    pub by_browser: bool,
    /// The calendar server that was typed in.
    pub url: String,
    pub user: String,
    /// Scopes that were not granted, and what does not work without them.
    pub missing: Vec<(&'static str, &'static str)>,
    pub consent: Consent,
    /// Why access was given for so short a time, if that is known.
    pub short_lived: Option<&'static str>,
    /// Where the owner takes consent back at the provider.
    pub consent_page: &'static str,
}

/// Reads what is sealed of it, too, but for the secrets themselves.
pub async fn about(bridge: &Bridge, connection: &Connection) -> Result<About> {
    let Ok(row) = bridge.row(&connection.provider) else {
        // Made by a newer version.
        return Ok(About::default());
    };
    let mut about = About {
        title: row.title,
        by_browser: row.oauth.is_some(),
        ..About::default()
    };
    if let Some(spec) = row.oauth {
        about.missing = oauth::missing(spec, &connection.scopes);
        about.consent_page = spec.consent_page;
    }
    let keeper = Keeper::new(bridge, connection.id, &connection.provider);
    match keeper.load().await {
        Ok((Secret::OAuth { consent, .. }, _)) => {
            about.consent = consent;
            about.short_lived = row
                .oauth
                .and_then(|spec| spec.short_lived)
                .filter(|(life, _)| {
                    consent
                        .ends
                        .is_some_and(|ends| ends - consent.given <= *life)
                })
                .map(|(_, why)| why);
        }
        Ok((Secret::Password { url, user, .. }, _)) => (about.url, about.user) = (url, user),
        // A feed's address is a secret, and one that cannot be opened is shown as far as it goes.
        Ok((Secret::Address(_), _)) | Err(Error::Internal(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(about)
}

/// Providers that can be connected now: (name, title, by browser).
pub fn offered(bridge: &Bridge) -> Vec<(&'static str, &'static str, bool)> {
    let rows = bridge.providers.iter();
    rows.filter(|row| row.oauth.is_none() || bridge.registrations.contains_key(row.name))
        .map(|row| (row.name, row.title, row.oauth.is_some()))
        .collect()
}

/// Asks the provider for the calendars of a connection, and keeps what it says.
///
/// # Errors
/// In the owner's words; trouble that only the owner or the operator can mend is noted at the connection.
pub async fn refresh(bridge: &Bridge, connection: &Connection) -> Result<Vec<RemoteCalendar>> {
    let account = bridge.account(connection).await?;
    let provider = bridge.provider(&connection.provider)?;
    match provider.calendars(&account).await {
        Ok(listed) => keep_listing(bridge, connection.id, listed).await,
        Err(fault) => {
            bridge.note(connection.id, &fault).await?;
            Err(in_words(fault))
        }
    }
}

async fn keep_listing(
    bridge: &Bridge,
    id: ConnectionId,
    listed: Vec<Listed>,
) -> Result<Vec<RemoteCalendar>> {
    let listing: Vec<RemoteCalendar> = listed.into_iter().map(|one| row(id, one)).collect();
    let now = bridge.clock.now();
    bridge
        .store
        .write(move |tx| {
            Box::pin(async move {
                remote_calendars::merge_listing(tx, id, &listing, now).await?;
                remote_calendars::list(tx, id).await
            })
        })
        .await
}

fn row(connection: ConnectionId, one: Listed) -> RemoteCalendar {
    RemoteCalendar {
        id: RemoteCalendarId(0),
        connection,
        remote_id: one.remote_id,
        name: one.name,
        color: one.color,
        zone: one.zone,
        writable: one.writable,
        primary: one.primary,
        gone: false,
        extra: one.extra,
    }
}

/// An account that was signed in to, before it is stored.
struct Signed {
    provider: String,
    secret: Secret,
    scopes: String,
    identity: Identity,
}

impl Signed {
    /// Asks the provider whose account this is.
    async fn of(
        bridge: &Bridge,
        provider: &str,
        secret: Secret,
        scopes: String,
    ) -> Result<Signed, Fault> {
        let account = given(bridge, provider, &secret);
        let asked = bridge
            .provider(provider)
            .map_err(|_| Fault::Unsupported("there is no such provider here".into()))?
            .identity(&account)
            .await?;
        let label: String = asked
            .label
            .chars()
            .filter(|c| !c.is_control())
            .take(LABEL)
            .collect();
        let identity = Identity {
            label: if label.is_empty() {
                provider.to_string()
            } else {
                label
            },
            account: asked.account,
        };
        Ok(Signed {
            provider: provider.to_string(),
            secret,
            scopes,
            identity,
        })
    }

    /// Stores it: in place of the connection that is connected again, or of the one to the same account, or as a new one.
    ///
    /// # Errors
    /// `Conflict` when it is not the account of the connection that is connected again.
    async fn store(
        self,
        bridge: &Bridge,
        owner: PrincipalId,
        again: Option<&Connection>,
    ) -> Result<ConnectionId> {
        if let Some(known) = again
            && known.account != self.identity.account
        {
            return Err(Error::Conflict(format!(
                "this is another account ({}): the connection is to {}. Sign in with that one, or make a new \
                 connection for this one",
                self.identity.label, known.label
            )));
        }
        let sealed = self.secret.seal(&bridge.seal)?;
        let (again, now) = (again.map(|known| known.id), bridge.clock.now());
        let new = NewConnection {
            owner,
            provider: self.provider,
            account: self.identity.account,
            label: self.identity.label,
            secret: sealed,
            scopes: self.scopes,
        };
        bridge
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let known = match again {
                        Some(known) => Some(known),
                        None => connections::by_account(tx, owner, &new.provider, &new.account)
                            .await?
                            .map(|known| known.id),
                    };
                    let Some(id) = known else {
                        return connections::create(tx, &new, now).await;
                    };
                    match connections::regrant(tx, id, &new.secret, &new.scopes, &new.label).await?
                    {
                        true => Ok(id),
                        false => Err(Error::NotFound),
                    }
                })
            })
            .await
    }
}

/// An account by a secret that is not stored.
fn given(bridge: &Bridge, provider: &str, secret: &Secret) -> Account {
    secret.locate(bridge.account_with(provider, "", Arc::new(Given(secret.clone()))))
}

/// A provider's trouble as an answer to somebody who asked for something.
pub fn in_words(fault: Fault) -> Error {
    let words = fault.to_string();
    match fault {
        Fault::Revoked(_) | Fault::Duplicate(_) | Fault::Stale => Error::Conflict(words),
        Fault::MissingScope(_) => Error::Forbidden(words),
        Fault::Refused(_) | Fault::Unsupported(_) => Error::BadRequest(words),
        Fault::NotFound => {
            Error::Conflict("the provider does not know this account or address".into())
        }
        Fault::Operator(_)
        | Fault::CursorGone
        | Fault::Throttled(_)
        | Fault::OutcomeUnknown(_)
        | Fault::Transient(_) => Error::Unavailable(words),
    }
}
