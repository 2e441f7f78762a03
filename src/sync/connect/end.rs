//! The end of a connection: webhooks are stopped, access is given back where there is a call for that, tokens are gone.

use super::super::credentials::{Keeper, Secret};
use super::super::{Bridge, Cause, Mirrors, end_link, linked, sync_link};
use crate::model::bridge::Connection;
use crate::model::{Error, Result};
use crate::remote::{Account, Fault, Watch, oauth};
use crate::store::bridges::{StoredWatch, connections, links, watches};

/// What became of our access at the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    pub revoked: bool,
    /// What its owner may still want to do, in words; empty: nothing.
    pub advice: String,
}

/// Removes what the links of a connection made there, and the links.
///
/// # Errors
/// `Conflict` when the provider let not all of it be removed yet: the rest is tried again by and by.
pub async fn remove_mirrors(bridge: &Bridge, connection: &Connection) -> Result<()> {
    let id = connection.id;
    let of_connection = || {
        bridge
            .store
            .peek(|tx| Box::pin(links::of_connection(tx, id)))
    };
    for link in of_connection().await? {
        end_link(bridge, link.id, Mirrors::Remove).await?;
        match sync_link(bridge, link.id, Cause::Asked).await {
            // Gone already, or another server is at it.
            Ok(_)
            | Err(
                Error::NotFound | Error::Forbidden(_) | Error::Conflict(_) | Error::Unavailable(_),
            ) => {}
            Err(error) => return Err(error),
        }
    }
    match of_connection().await?.len() {
        0 => Ok(()),
        left => Err(Error::Conflict(format!(
            "mirrors of {left} links are still being removed: ask again in a while, or keep the mirrors"
        ))),
    }
}

/// Ends it. What the provider does not answer to is not waited for: the tokens go in any case.
///
/// # Errors
/// Trouble with the database.
pub async fn end(bridge: &Bridge, connection: &Connection) -> Result<Ended> {
    let id = connection.id;
    let (stored, shared) = bridge
        .store
        .read(|tx| {
            Box::pin(async move {
                let stored = watches::of_connection(tx, id).await?;
                Ok((stored, connections::is_shared(tx, id).await?))
            })
        })
        .await?;
    if let Ok(account) = bridge.account(connection).await {
        stop(bridge, connection, &account, &stored).await;
    }
    let ended = give_back(bridge, connection, shared).await;
    bridge
        .store
        .write(move |tx| Box::pin(connections::remove(tx, id)))
        .await?;
    linked(bridge).await?;
    Ok(ended)
}

/// Stops webhooks as far as the provider lets us; the others end by themselves, and are unknown here from now on.
async fn stop(bridge: &Bridge, connection: &Connection, account: &Account, stored: &[StoredWatch]) {
    let Ok(provider) = bridge.provider(&connection.provider) else {
        return;
    };
    for one in stored {
        let watch = Watch {
            id: one.watch_id.clone(),
            resource: one.resource.clone(),
            expires: one.expires,
        };
        match provider.unwatch(account, &watch).await {
            Ok(()) => {}
            // Nothing that follows would fare better.
            Err(fault @ (Fault::Revoked(_) | Fault::Operator(_))) => {
                tracing::debug!(connection = connection.id.0, %fault, "webhooks were not stopped");
                return;
            }
            Err(fault) => {
                tracing::debug!(connection = connection.id.0, %fault, "a webhook was not stopped");
            }
        }
    }
}

/// Takes the grant back. Not when somebody else here is connected to the same account: one grant serves both.
async fn give_back(bridge: &Bridge, connection: &Connection, shared: bool) -> Ended {
    let Ok(row) = bridge.row(&connection.provider) else {
        return Ended::default();
    };
    let Some(spec) = row.oauth else {
        return Ended::default();
    };
    let page = format!(
        "to take access back at the provider, too, remove this application at {}",
        spec.consent_page
    );
    if shared {
        return Ended {
            revoked: false,
            advice: format!(
                "another connection here uses the same account and keeps its access; {page}"
            ),
        };
    }
    let revoked = match token(bridge, connection).await {
        None => false,
        Some((app, token)) => oauth::revoke(&*bridge.transport, app, &token)
            .await
            .unwrap_or(false),
    };
    Ended {
        revoked,
        advice: if revoked { String::new() } else { page },
    }
}

async fn token<'b>(
    bridge: &'b Bridge,
    connection: &Connection,
) -> Option<(&'b oauth::Registration, secrecy::SecretString)> {
    let app = bridge.registrations.get(&connection.provider)?;
    let keeper = Keeper::new(bridge, connection.id, &connection.provider);
    match keeper.load().await {
        Ok((
            Secret::OAuth {
                refresh, access, ..
            },
            _,
        )) => Some((app, refresh.unwrap_or(access))),
        _ => None,
    }
}
