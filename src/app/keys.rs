//! Sealing keys: which there are, what each of them seals, and another one for everything (`kalends keys`).
//!
//! *While servers run?* Those that share the key file find the new key by themselves. *A crash in between?* Both keys
//! are in the file, and the next `rotate` goes on instead of making a third one. *When does an old key go?* Not by
//! itself: backups from before need it. `drop_old` takes it out of the file when nothing in the database does.

use std::collections::BTreeMap;

use super::{App, feeds};
use crate::model::{Error, Result};
use crate::seal::Seal;
use crate::store::bridges::{connections, flows};
use crate::store::{self, meta};
use crate::sync;

/// Rows at a time.
const PAGE: i64 = 200;
/// Rounds over everything: what is sealed with an old key meanwhile is found by the next one.
const ROUNDS: usize = 5;

/// A key, and how much it seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// Not the key.
    pub id: String,
    /// It is the one that seals.
    pub seals: bool,
    /// It is known here; what an unknown one sealed cannot be opened.
    pub known: bool,
    pub secrets: u64,
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The key that seals from now on.
    pub key: String,
    /// It is new; else an earlier rotation was finished.
    pub new: bool,
    pub resealed: u64,
    /// Secrets that could not be opened: their key is not here.
    pub lost: u64,
}

/// Where envelopes are.
#[derive(Clone, Copy)]
enum Place {
    Feeds,
    Connections,
}

const PLACES: [Place; 2] = [Place::Feeds, Place::Connections];

impl Place {
    fn purpose(self) -> &'static str {
        match self {
            Place::Feeds => feeds::PURPOSE,
            Place::Connections => sync::credentials::PURPOSE,
        }
    }

    /// Envelopes by id, from after `after`.
    async fn page(self, app: &App, after: i64) -> Result<Vec<(i64, Vec<u8>)>> {
        app.store
            .peek(|tx| {
                Box::pin(async move {
                    Ok(match self {
                        Place::Feeds => store::feeds::page(tx, after, PAGE)
                            .await?
                            .into_iter()
                            .map(|feed| (feed.id.0, feed.token_sealed))
                            .collect(),
                        Place::Connections => connections::secrets(tx, after, PAGE)
                            .await?
                            .into_iter()
                            .map(|(id, sealed, _)| (id.0, sealed))
                            .collect(),
                    })
                })
            })
            .await
    }

    /// Puts another envelope around the same secret, unless it was replaced meanwhile.
    async fn replace(self, app: &App, id: i64, old: Vec<u8>, new: Vec<u8>) -> Result<()> {
        app.store
            .write(move |tx| {
                Box::pin(async move {
                    match self {
                        Place::Feeds => {
                            store::feeds::reseal(tx, crate::model::FeedId(id), &new).await
                        }
                        Place::Connections => {
                            let id = crate::model::ConnectionId(id);
                            connections::reseal(tx, id, &old, &new).await.map(drop)
                        }
                    }
                })
            })
            .await
    }
}

/// Every key that is known or used, the one that seals first.
///
/// # Errors
/// Trouble with the database.
pub async fn list(app: &App) -> Result<Vec<Used>> {
    let ids = app.seal.key_ids();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for place in PLACES {
        let mut after = 0;
        loop {
            let page = place.page(app, after).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (_, sealed) in &page {
                *counts.entry(key_of(sealed)).or_default() += 1;
            }
        }
    }
    let now = app.clock.now();
    let walks = app
        .store
        .peek(|tx| Box::pin(flows::verifiers(tx, now)))
        .await?;
    for sealed in &walks {
        *counts.entry(key_of(sealed)).or_default() += 1;
    }
    let mut all: Vec<Used> = ids
        .iter()
        .enumerate()
        .map(|(at, id)| Used {
            id: id.clone(),
            seals: at == 0,
            known: true,
            secrets: counts.remove(id).unwrap_or(0),
        })
        .collect();
    all.extend(counts.into_iter().map(|(id, secrets)| Used {
        id,
        seals: false,
        known: false,
        secrets,
    }));
    Ok(all)
}

fn key_of(sealed: &[u8]) -> String {
    Seal::sealed_with(sealed).unwrap_or_else(|| "damaged".into())
}

/// Seals everything with a new key, or goes on with that. `told` hears how many secrets have been done.
///
/// # Errors
/// `Conflict` says what to do when the key comes from `KALENDS_KEY`.
pub async fn rotate(app: &App, mut told: impl FnMut(u64)) -> Result<Rotated> {
    let unfinished = list(app)
        .await?
        .iter()
        .any(|key| key.known && !key.seals && key.secrets > 0);
    if !unfinished {
        if app.seal.file().is_none() {
            return Err(Error::Conflict(by_variable(app)?));
        }
        app.seal.add_key()?;
    }
    let (mut resealed, mut lost) = (0, 0);
    for _ in 0..ROUNDS {
        let (done, failed) = round(app, &mut |count| told(resealed + count)).await?;
        resealed += done;
        lost = failed;
        if done == 0 {
            break;
        }
    }
    let key = app.seal.key_id();
    let first = key.clone();
    app.store
        .write(move |tx| Box::pin(async move { meta::set(tx, "sealing_key", &first).await }))
        .await?;
    Ok(Rotated {
        key,
        new: !unfinished,
        resealed,
        lost,
    })
}

/// Seals anew what another key sealed: how many were done, and how many could not be opened.
async fn round(app: &App, told: &mut impl FnMut(u64)) -> Result<(u64, u64)> {
    let (mut done, mut lost) = (0, 0);
    for place in PLACES {
        let mut after = 0;
        loop {
            let page = place.page(app, after).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for (id, sealed) in page {
                if key_of(&sealed) == app.seal.key_id() {
                    continue;
                }
                let Ok(plain) = app.seal.unseal(place.purpose(), &sealed) else {
                    lost += 1;
                    continue;
                };
                let anew = app.seal.seal(place.purpose(), &plain)?;
                place.replace(app, id, sealed, anew).await?;
                done += 1;
            }
            told(done);
        }
    }
    Ok((done, lost))
}

/// What to do when only the operator can change the keys.
fn by_variable(app: &App) -> Result<String> {
    let new = app.seal.new_key()?;
    Ok(format!(
        "the sealing key comes from KALENDS_KEY, so the new one has to come from you. 1. Put a new key before the old one, \
         with a space between, in KALENDS_KEY of every server and of this command, for example {}. 2. Restart the \
         servers. 3. Run `kalends keys rotate` again: it seals everything with the new key. 4. Take the old one out of \
         KALENDS_KEY when backups from before are not needed any more",
        *new
    ))
}

/// Takes the old keys out of the file.
///
/// # Errors
/// `Conflict` while something is sealed with one of them, and when the keys come from `KALENDS_KEY`.
pub async fn drop_old(app: &App) -> Result<Vec<String>> {
    if app.seal.file().is_none() {
        return Err(Error::Conflict(
            "the keys come from KALENDS_KEY: take the old one out there".into(),
        ));
    }
    let all = list(app).await?;
    if let Some(used) = all
        .iter()
        .find(|key| !key.seals && key.known && key.secrets > 0)
    {
        return Err(Error::Conflict(format!(
            "{} secrets are sealed with the key {}: run `kalends keys rotate` first (sign-ins under way take ten minutes)",
            used.secrets, used.id
        )));
    }
    app.seal.drop_old_keys()?;
    let old = all.into_iter().filter(|key| key.known && !key.seals);
    Ok(old.map(|key| key.id).collect())
}

#[cfg(test)]
mod tests;
