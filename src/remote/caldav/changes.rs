//! What changed in a collection: by sync-collection (RFC 6578), else by ctag and entity tags, else by a query.
//!
//! A listing is first a list of addresses with their tags, then their texts by calendar-multiget, [`CHUNK`] at a time:
//! each chunk is a page, so that a crash loses one chunk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

use super::super::{Account, Change, Fault, From, Item, Next, Page, Place};
use super::wire::{self, Told};
use super::{Skills, ask, call, get, is_calendar, refused, url, xml_request};
use crate::ical::join::with_crlf;
use crate::xml::Name;

/// Texts asked for at a time.
const CHUNK: usize = 50;

/// Between runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Cursor {
    Token(String),
    /// What was there, for servers without sync tokens.
    Tags {
        ctag: Option<String>,
        tags: BTreeMap<String, String>,
    },
}

/// Within a listing.
#[derive(Debug, Serialize, Deserialize)]
struct Rest {
    /// Still to be read.
    hrefs: Vec<String>,
    then: Then,
}

#[derive(Debug, Serialize, Deserialize)]
enum Then {
    Done(Cursor),
    /// The server cut its list short (507): ask again from here.
    More(String),
}

pub async fn changes(account: &Account, place: &Place, from: From<'_>) -> Result<Page, Fault> {
    let gone = |_| Fault::CursorGone;
    match from {
        From::Page(bytes) => {
            let rest: Rest = serde_json::from_slice(bytes).map_err(gone)?;
            texts(account, place, rest, Vec::new()).await
        }
        From::Start if Skills::of(place).sync => match by_token(account, place, "").await {
            // It says that it can and cannot.
            Err(Fault::Refused(_) | Fault::CursorGone) => by_tags(account, place, None).await,
            page => page,
        },
        From::Start => by_tags(account, place, None).await,
        From::Cursor(bytes) => match serde_json::from_slice(bytes).map_err(gone)? {
            Cursor::Token(token) => by_token(account, place, &token).await,
            Cursor::Tags { ctag, tags } => by_tags(account, place, Some((ctag, tags))).await,
        },
    }
}

/// RFC 6578 §3.
async fn by_token(account: &Account, place: &Place, token: &str) -> Result<Page, Fault> {
    let collection = &place.remote_id;
    let base = url(collection)?;
    let body = wire::sync_collection(token);
    let answer = call(account, xml_request("REPORT", collection, "0", body)?).await?;
    if answer.status() != http::StatusCode::MULTI_STATUS {
        return Err(
            match (answer.status().as_u16(), named(answer.body(), &base)) {
                (_, Some(name)) if name == "valid-sync-token" => Fault::CursorGone,
                // A token that the server cannot make sense of: some say so without the precondition.
                (400 | 403 | 409 | 410 | 412, _) if !token.is_empty() => Fault::CursorGone,
                _ => refused(account, &answer),
            },
        );
    }
    let told = wire::multistatus(answer.body(), &base)?;
    let next = told.sync_token.clone().ok_or(Fault::CursorGone)?;
    let itself = wire::absolute(&base, "").unwrap_or_default();
    let cut = told
        .told
        .iter()
        .any(|one| one.status == Some(507) && same_place(&one.href, &itself));
    let mut gone = Vec::new();
    let mut hrefs = Vec::new();
    for one in told
        .told
        .into_iter()
        .filter(|one| !same_place(&one.href, &itself))
    {
        match one.status {
            Some(404 | 410) => gone.push(Change::Gone(one.href)),
            Some(status) if status >= 400 => {}
            _ if one.href.ends_with('/') => {}
            _ => hrefs.push(one.href),
        }
    }
    if cut && next == token {
        return Err(Fault::Transient(
            "the calendar server's list does not get on".into(),
        ));
    }
    let then = match cut {
        true => Then::More(next),
        false => Then::Done(Cursor::Token(next)),
    };
    texts(account, place, Rest { hrefs, then }, gone).await
}

fn same_place(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

fn named(body: &[u8], base: &Url) -> Option<String> {
    wire::precondition(body, base).map(|(name, _)| name)
}

type Tags = (Option<String>, BTreeMap<String, String>);

async fn by_tags(account: &Account, place: &Place, last: Option<Tags>) -> Result<Page, Fault> {
    let ctag = match Skills::of(place).ctag {
        true => ctag(account, place).await?,
        false => None,
    };
    if let Some((Some(old), tags)) = &last
        && ctag.as_ref() == Some(old)
    {
        let tags = tags.clone();
        let then = Then::Done(Cursor::Tags { ctag, tags });
        return texts(
            account,
            place,
            Rest {
                hrefs: Vec::new(),
                then,
            },
            Vec::new(),
        )
        .await;
    }
    let tags = tags(account, place).await?;
    let before = last.map(|(_, tags)| tags).unwrap_or_default();
    let hrefs = tags
        .iter()
        .filter(|(href, tag)| tag.is_empty() || before.get(*href) != Some(tag))
        .map(|(href, _)| href.clone())
        .collect();
    let gone = before
        .keys()
        .filter(|href| !tags.contains_key(*href))
        .map(|href| Change::Gone(href.clone()))
        .collect();
    let then = Then::Done(Cursor::Tags { ctag, tags });
    texts(account, place, Rest { hrefs, then }, gone).await
}

async fn ctag(account: &Account, place: &Place) -> Result<Option<String>, Fault> {
    let name = Name::cs("getctag");
    let body = wire::propfind(std::slice::from_ref(&name));
    let told = ask(account, "PROPFIND", &place.remote_id, "0", body).await?;
    Ok(told.told.iter().find_map(|one| one.text(&name)))
}

/// Every member and its tag.
async fn tags(account: &Account, place: &Place) -> Result<BTreeMap<String, String>, Fault> {
    let names = [Name::dav("getetag"), Name::dav("resourcetype")];
    let all = ask(
        account,
        "PROPFIND",
        &place.remote_id,
        "1",
        wire::propfind(&names),
    )
    .await;
    let told = match all {
        Err(Fault::Refused(_) | Fault::NotFound) => {
            ask(account, "REPORT", &place.remote_id, "1", wire::all_events()).await?
        }
        told => told?,
    };
    let member = |one: &Told| {
        !one.href.ends_with('/') && !is_calendar(one) && !same_place(&one.href, &place.remote_id)
    };
    let members = told.told.into_iter().filter(member);
    Ok(members
        .map(|one| (one.href.clone(), one.etag().unwrap_or_default()))
        .collect())
}

/// The next chunk of texts.
async fn texts(
    account: &Account,
    place: &Place,
    mut rest: Rest,
    mut changes: Vec<Change>,
) -> Result<Page, Fault> {
    let later = rest.hrefs.split_off(rest.hrefs.len().min(CHUNK));
    let chunk = std::mem::replace(&mut rest.hrefs, later);
    if !chunk.is_empty() {
        changes.extend(read(account, place, chunk).await?);
    }
    let bytes = |value: &_| serde_json::to_vec(value).map_err(|_| Fault::CursorGone);
    match rest {
        Rest {
            hrefs,
            then: Then::Done(cursor),
        } if hrefs.is_empty() => Ok(Page {
            changes,
            next: Next::Done(Some(
                serde_json::to_vec(&cursor).map_err(|_| Fault::CursorGone)?,
            )),
        }),
        // Nothing of this chunk is left: the list goes on where the server cut it.
        Rest {
            hrefs,
            then: Then::More(token),
        } if hrefs.is_empty() => {
            let mut page = Box::pin(by_token(account, place, &token)).await?;
            changes.append(&mut page.changes);
            Ok(Page {
                changes,
                next: page.next,
            })
        }
        rest => Ok(Page {
            changes,
            next: Next::Page(bytes(&rest)?),
        }),
    }
}

async fn read(account: &Account, place: &Place, hrefs: Vec<String>) -> Result<Vec<Change>, Fault> {
    let answer = ask(
        account,
        "REPORT",
        &place.remote_id,
        "1",
        wire::multiget(&hrefs),
    )
    .await;
    let told = match answer {
        Ok(told) => told.told,
        // No such report: one by one.
        Err(Fault::Refused(_) | Fault::NotFound) => Vec::new(),
        Err(fault) => return Err(fault),
    };
    let mut found: BTreeMap<String, Told> = told
        .into_iter()
        .map(|one| (one.href.clone(), one))
        .collect();
    let data = Name::caldav("calendar-data");
    let mut changes = Vec::with_capacity(hrefs.len());
    for href in hrefs {
        let told = found.remove(&href);
        let text = told.as_ref().and_then(|one| Some(one.prop(&data)?.text()));
        let item = match (text, told.as_ref().and_then(|one| one.status)) {
            (Some(text), _) => Some(Item {
                stamp: told.and_then(|one| one.etag()).unwrap_or_default(),
                id: href.clone(),
                series: None,
                doc: with_crlf(text.as_bytes()).into(),
            }),
            (None, Some(404 | 410)) => None,
            // Left out of the answer: ask for itself before it is taken for gone.
            (None, _) => get(account, &href).await?,
        };
        changes.push(match item {
            Some(item) => Change::Whole(vec![item]),
            None => Change::Gone(href),
        });
    }
    Ok(changes)
}
