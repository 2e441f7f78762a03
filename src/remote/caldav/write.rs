//! Writing resources: guarded creates, updates and deletions. RFC 4791 §5.3, RFC 9110 §13.1, RFC 6638 §3.2.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use url::Url;

use super::super::{Account, Fault, Item, Marker, Place, Placed, Put, Read, Refusal, ical_doc};
use super::{Skills, call, discovery, get, refused, wire};
use crate::ical::canonical;
use crate::model::bridge::GuestPolicy;

/// The strong entity tag of an answer; a weak one says nothing about bytes.
fn etag(answer: &Response<Bytes>) -> Option<String> {
    let text = answer.headers().get(header::ETAG)?.to_str().ok()?;
    Some(text.to_string()).filter(|text| !text.starts_with("W/"))
}

/// The condition under which a resource is written or deleted.
enum Guard<'a> {
    Absent,
    Is(&'a str),
}

fn guarded(mut request: http::request::Builder, guard: &Guard<'_>) -> http::request::Builder {
    match guard {
        Guard::Absent => request = request.header(header::IF_NONE_MATCH, "*"),
        Guard::Is(stamp) if stamp.is_empty() || stamp.starts_with("W/") => {}
        Guard::Is(stamp) => {
            if let Ok(value) = HeaderValue::from_str(stamp) {
                request = request.header(header::IF_MATCH, value);
            }
        }
    }
    request
}

/// Writes a resource and says how it is afterwards.
async fn store(
    account: &Account,
    id: &str,
    text: Vec<u8>,
    guard: Guard<'_>,
) -> Result<Item, Fault> {
    let doc = Bytes::from(text);
    let request = guarded(Request::put(id), &guard)
        .header(header::CONTENT_TYPE, "text/calendar; charset=utf-8")
        .body(doc.clone())
        .map_err(|_| Fault::NotFound)?;
    let answer = call(account, request).await?;
    match answer.status().as_u16() {
        200..=299 => {}
        403 | 409 => return Err(conflict(account, id, &answer)),
        _ => return Err(refused(account, &answer)),
    }
    match etag(&answer) {
        Some(stamp) => Ok(Item {
            id: id.to_string(),
            series: None,
            stamp,
            doc,
        }),
        // RFC 4791 §5.3.4: without an entity tag the server has stored something else.
        None => get(account, id).await?.ok_or(Fault::NotFound),
    }
}

/// A refused write: the UID is taken, or a precondition in words.
fn conflict(account: &Account, id: &str, answer: &Response<Bytes>) -> Fault {
    let named = Url::parse(id)
        .ok()
        .and_then(|base| wire::precondition(answer.body(), &base));
    match named {
        Some((name, href)) if name == "no-uid-conflict" => Fault::Duplicate(href),
        Some((name, _)) => Fault::Refused(Refusal::new(
            "refused",
            format!("the calendar server refused it: {name}"),
        )),
        None => refused(account, answer),
    }
}

/// Makes the resource be what `put` says.
pub async fn put(account: &Account, place: &Place, put: Put<'_>) -> Result<Placed, Fault> {
    let placed = |item| Placed {
        items: vec![item],
        losses: Vec::new(),
    };
    let Some(known) = put.known.first() else {
        let id = discovery::member(&place.remote_id, &format!("{}.ics", put.key))?;
        let text = ical_doc::marked(put.text, put.marker);
        return match store(account, &id, text.clone(), Guard::Absent).await {
            // Our first attempt, whose answer was lost, or somebody else's resource of that name.
            Err(Fault::Stale) => match get(account, &id).await? {
                Some(there) if mark(&there, account).as_ref() == Some(put.marker) => {
                    update(account, place, put, &there, text).await.map(placed)
                }
                Some(there) => Err(Fault::Duplicate(Some(there.id))),
                None => Err(Fault::Transient(
                    "the calendar server refused a free name".into(),
                )),
            },
            stored => stored.map(placed),
        };
    };
    let text = match mark(known, account) {
        Some(marker) => ical_doc::marked(put.text, &marker),
        None => ical_doc::unmarked(put.text),
    };
    update(account, place, put, known, text).await.map(placed)
}

/// Writes `text` in place of `known`, unless it says the same.
async fn update(
    account: &Account,
    place: &Place,
    put: Put<'_>,
    known: &Item,
    text: Vec<u8>,
) -> Result<Item, Fault> {
    let keeps_guests = put.guests == GuestPolicy::Never;
    let text = match keeps_guests {
        true => ical_doc::with_guests_of(&text, &known.doc, &account.label, put.respond),
        false => text,
    };
    if same(&text, &known.doc) {
        return Ok(known.clone());
    }
    if keeps_guests && Skills::of(place).schedules && put.respond.is_none() {
        mails_nobody(known, account)?;
    }
    store(account, &known.id, text, Guard::Is(&known.stamp)).await
}

/// Whether two texts mean the same.
fn same(one: &[u8], other: &[u8]) -> bool {
    match (canonical::digest(one), canonical::digest(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

fn mark(item: &Item, account: &Account) -> Option<Marker> {
    match ical_doc::read(item, &account.label) {
        Ok(Read::Event(reading)) => reading.marker,
        _ => None,
    }
}

/// A server that schedules mails the guests of an event that its organiser changes or deletes (RFC 6638 §3.2.1).
fn mails_nobody(known: &Item, account: &Account) -> Result<(), Fault> {
    match ical_doc::read(known, &account.label) {
        Ok(Read::Event(reading)) if reading.has_guests && reading.ours_to_edit => {
            Err(Fault::Refused(Refusal::new(
                "guests",
                "the event has guests, whom the calendar server would mail: change it there, or let the link send",
            )))
        }
        _ => Ok(()),
    }
}

/// Deletes resources; those that are gone already are fine.
pub async fn delete(account: &Account, place: &Place, items: &[Item]) -> Result<(), Fault> {
    for item in items {
        if Skills::of(place).schedules {
            mails_nobody(item, account)?;
        }
        // RFC 6638 §8.1: an invitation that is taken away is not declined by that.
        let request = guarded(Request::delete(&item.id), &Guard::Is(&item.stamp))
            .header("schedule-reply", "F")
            .body(Bytes::new())
            .map_err(|_| Fault::NotFound)?;
        let answer = call(account, request).await?;
        match answer.status().as_u16() {
            200..=299 | 404 | 410 => {}
            _ => return Err(refused(account, &answer)),
        }
    }
    Ok(())
}
