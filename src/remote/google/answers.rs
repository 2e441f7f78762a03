//! What the answers of Calendar API v3 mean; the requests are in [`super::calls`]. FACTS §2.1, §2.2, §2.5, §2.6.

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use super::calls::Listing;
use super::wire::{self, Json};
use crate::remote::{Busy, Change, Fault, Identity, Item, Listed, Next, Page, Watch};

/// Roles that may write (FACTS §2.1); any other may not.
const WRITERS: &[&str] = &["owner", "writer", "writerWithoutPrivateAccess"];

/// The JSON object of an answer.
///
/// # Errors
/// `Transient` when it is none.
pub fn object(response: &Response<Bytes>) -> Result<Json, Fault> {
    crate::remote::account::json(response)
}

pub fn identity(body: &Json) -> Result<Identity, Fault> {
    let account = [wire::text(body, "sub"), wire::text(body, "id")]
        .into_iter()
        .find(|id| !id.is_empty())
        .ok_or_else(|| Fault::Transient("Google did not say whose account this is".into()))?;
    Ok(Identity {
        account: account.to_owned(),
        label: wire::text(body, "email").to_owned(),
    })
}

/// The calendars of one page and the token of the next.
pub fn calendars(body: &Json) -> (Vec<Listed>, Option<String>) {
    let listed = wire::objects(body, "items")
        .filter(|entry| !wire::flag(entry, "deleted") && !wire::text(entry, "id").is_empty())
        .map(calendar)
        .collect();
    (listed, token(body, "nextPageToken"))
}

fn calendar(entry: &Json) -> Listed {
    let name = [
        wire::text(entry, "summaryOverride"),
        wire::text(entry, "summary"),
    ]
    .into_iter()
    .find(|name| !name.is_empty())
    .unwrap_or(wire::text(entry, "id"));
    let role = wire::text(entry, "accessRole");
    let conferences = wire::object(entry, "conferenceProperties")
        .map(|properties| wire::list(properties, "allowedConferenceSolutionTypes").to_vec());
    Listed {
        remote_id: wire::text(entry, "id").to_owned(),
        name: name.to_owned(),
        color: wire::text(entry, "backgroundColor").to_owned(),
        zone: wire::zone_name(wire::text(entry, "timeZone")).unwrap_or_default(),
        writable: WRITERS.contains(&role),
        primary: wire::flag(entry, "primary"),
        extra: json!({ "accessRole": role, "conferences": conferences.unwrap_or_default() })
            .to_string(),
    }
}

/// The primary calendar as a listing of its events names it.
pub fn primary(body: &Json, label: &str) -> Listed {
    let mut entry = body.clone();
    entry.insert("id".into(), json!(label));
    entry.insert("primary".into(), json!(true));
    calendar(&entry)
}

/// A resource as an item; none without an id.
pub fn item(doc: &Json) -> Option<Item> {
    let id = wire::text(doc, "id");
    if id.is_empty() {
        return None;
    }
    let series = wire::text(doc, "recurringEventId");
    Some(Item {
        id: id.to_owned(),
        series: (!series.is_empty()).then(|| series.to_owned()),
        stamp: wire::text(doc, "etag").to_owned(),
        doc: Bytes::from(Value::Object(doc.clone()).to_string()),
    })
}

/// One page of a listing. A page may be empty and still have a next one; the sync token is on the last alone.
pub fn page(body: &Json, asked: &Listing) -> Page {
    let changes = wire::objects(body, "items").filter_map(change).collect();
    let next = match (token(body, "nextPageToken"), token(body, "nextSyncToken")) {
        (Some(page), _) => Next::Page(cursor(&Listing {
            sync: asked.sync.clone(),
            page: Some(page),
        })),
        (None, sync) => Next::Done(sync.map(|sync| {
            cursor(&Listing {
                sync: Some(sync),
                page: None,
            })
        })),
    };
    Page { changes, next }
}

fn change(doc: &Json) -> Option<Change> {
    let item = item(doc)?;
    if item.series.is_none() && wire::text(doc, "status") == "cancelled" {
        return Some(Change::Gone(item.id));
    }
    Some(Change::Part(item))
}

/// Where a listing goes on, as the engine keeps it.
fn cursor(listing: &Listing) -> Vec<u8> {
    json!({ "sync": listing.sync, "page": listing.page })
        .to_string()
        .into_bytes()
}

/// What [`cursor`] wrote. None: it is not ours.
pub fn listing(cursor: &[u8]) -> Option<Listing> {
    let object: Json = serde_json::from_slice(cursor).ok()?;
    let listing = Listing {
        sync: token(&object, "sync"),
        page: token(&object, "page"),
    };
    (listing != Listing::default()).then_some(listing)
}

pub fn token(body: &Json, key: &str) -> Option<String> {
    Some(wire::text(body, key))
        .filter(|token| !token.is_empty())
        .map(str::to_owned)
}

/// Busy time of one calendar. An error of one calendar comes with status 200 and means *unknown*.
pub fn busy(body: &Json, calendar: &str) -> Result<Vec<Busy>, Fault> {
    let unknown = || Fault::Transient("Google does not tell when this calendar is busy".into());
    let entry = wire::object(body, "calendars")
        .and_then(|calendars| wire::object(calendars, calendar))
        .ok_or_else(unknown)?;
    if let Some(error) = wire::objects(entry, "errors").next() {
        return Err(match wire::text(error, "reason") {
            "notFound" => Fault::NotFound,
            _ => unknown(),
        });
    }
    wire::objects(entry, "busy")
        .map(|block| {
            let at = |key| wire::instant(wire::text(block, key));
            Some(Busy {
                start: at("start")?,
                end: at("end")?,
                tentative: false,
            })
        })
        .collect::<Option<_>>()
        .ok_or_else(unknown)
}

/// A channel. Without a resource id it can not be stopped, and is as good as none.
pub fn watch(body: &Json, fallback: i64) -> Result<Watch, Fault> {
    let (id, resource) = (wire::text(body, "id"), wire::text(body, "resourceId"));
    if id.is_empty() || resource.is_empty() {
        return Err(Fault::Transient("Google did not name the channel".into()));
    }
    let expires = match body.get("expiration") {
        Some(Value::String(text)) => text.parse().ok(),
        Some(Value::Number(number)) => number.as_i64(),
        _ => None,
    };
    Ok(Watch {
        id: id.to_owned(),
        resource: resource.to_owned(),
        expires: expires.map_or(fallback, |milliseconds: i64| milliseconds / 1000),
    })
}
