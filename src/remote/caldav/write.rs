//! Writing resources: guarded creates, updates and deletions. RFC 4791 §5.3, RFC 9110 §13.1, RFC 6638 §3.2.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use url::Url;

use super::super::{Account, Fault, Item, Marker, Place, Placed, Put, Read, Refusal, ical_doc};
use super::{Skills, ask, call, discovery, get, refused, wire};
use crate::ical::canonical;
use crate::ical::tree::{Limits, Tree};
use crate::model::bridge::GuestPolicy;
use crate::xml::Name;

/// The strong entity tag of an answer; a weak one says nothing about bytes.
fn etag(answer: &Response<Bytes>) -> Option<String> {
    let text = answer.headers().get(header::ETAG)?.to_str().ok()?;
    Some(text.to_string()).filter(|text| is_strong(text))
}

fn is_strong(tag: &str) -> bool {
    !tag.is_empty() && !tag.starts_with("W/")
}

/// The condition under which a resource is written or deleted.
enum Guard<'a> {
    Absent,
    Is(&'a str),
}

fn guarded(mut request: http::request::Builder, guard: &Guard<'_>) -> http::request::Builder {
    match guard {
        Guard::Absent => request = request.header(header::IF_NONE_MATCH, "*"),
        Guard::Is(stamp) if !is_strong(stamp) => {}
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
        403 | 409 | 412 => return Err(conflict(account, id, &answer)),
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

/// A refused write: the UID is taken, or a precondition in words. Some servers say 412 for both of the former.
fn conflict(account: &Account, id: &str, answer: &Response<Bytes>) -> Fault {
    let named = Url::parse(id)
        .ok()
        .and_then(|base| wire::precondition(answer.body(), &base));
    match named {
        Some((name, href)) if name == "no-uid-conflict" => Fault::Duplicate(href),
        Some((name, _)) if answer.status() != http::StatusCode::PRECONDITION_FAILED => {
            Fault::Refused(Refusal::new(
                "refused",
                format!("the calendar server refused it: {name}"),
            ))
        }
        _ => refused(account, answer),
    }
}

/// Makes the resource be what `put` says.
pub async fn put(account: &Account, place: &Place, put: Put<'_>) -> Result<Placed, Fault> {
    let item = match put.known.first() {
        None => create(account, place, put).await?,
        Some(known) => {
            let text = match mark(known, account) {
                Some(marker) => ical_doc::marked(put.text, &marker),
                None => ical_doc::unmarked(put.text),
            };
            update(account, place, put, known, text).await?
        }
    };
    Ok(Placed {
        items: vec![item],
        losses: Vec::new(),
    })
}

async fn create(account: &Account, place: &Place, put: Put<'_>) -> Result<Item, Fault> {
    let id = discovery::member(&place.remote_id, &format!("{}.ics", put.key))?;
    let text = ical_doc::marked(put.text, put.marker);
    match store(account, &id, text.clone(), Guard::Absent).await {
        // Our first attempt, whose answer was lost, or somebody else's resource of that name.
        Err(Fault::Stale) => match get(account, &id).await? {
            Some(there) if mark(&there, account).as_ref() == Some(put.marker) => {
                update(account, place, put, &there, text).await
            }
            Some(there) => Err(Fault::Duplicate(Some(there.id))),
            None => Err(Fault::Transient(
                "the calendar server refused a free name".into(),
            )),
        },
        // Few servers say who has the UID, and not all that it is taken (Nextcloud: 400).
        Err(fault @ (Fault::Duplicate(None) | Fault::Refused(_))) => {
            match holder(account, place, &text).await? {
                Some(other) => Err(Fault::Duplicate(Some(other))),
                None if fault == Fault::Duplicate(None) => Err(Fault::Refused(Refusal::new(
                    "uid",
                    "the calendar server says that another event has the same UID, and does not show it",
                ))),
                None => Err(fault),
            }
        }
        stored => stored,
    }
}

/// The resource that has the UID of `text` (RFC 4791 §9.9).
async fn holder(account: &Account, place: &Place, text: &[u8]) -> Result<Option<String>, Fault> {
    let Some(uid) = uid_of(text) else {
        return Ok(None);
    };
    let asked = ask(
        account,
        "REPORT",
        &place.remote_id,
        "1",
        wire::with_uid(&uid),
    )
    .await;
    let told = match asked {
        Ok(told) => told.told,
        // It cannot be asked for that.
        Err(Fault::Refused(_) | Fault::NotFound) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let data = Name::caldav("calendar-data");
    // Servers that know no text-match tell everything.
    let same = |one: &wire::Told| {
        one.prop(&data)
            .and_then(|text| uid_of(text.text().as_bytes()))
            .is_some_and(|other| other == uid)
    };
    Ok(told.into_iter().find(same).map(|one| one.href))
}

fn uid_of(text: &[u8]) -> Option<String> {
    let tree = Tree::parse(text, &Limits::default()).ok()?;
    let event = tree.components().find(|part| part.is("VEVENT"))?;
    Some(event.property("UID")?.text().to_string())
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
    unchanged(account, known).await?;
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

/// `If-Match` takes strong entity tags only (RFC 9110 §13.1.1): with a weak one, or none, it is looked before it is
/// written.
async fn unchanged(account: &Account, known: &Item) -> Result<(), Fault> {
    if is_strong(&known.stamp) {
        return Ok(());
    }
    match get(account, &known.id).await? {
        None => Err(Fault::NotFound),
        Some(now) if !now.stamp.is_empty() && now.stamp == known.stamp => Ok(()),
        Some(now) if same(&now.doc, &known.doc) => Ok(()),
        Some(_) => Err(Fault::Stale),
    }
}

/// A server that schedules mails the guests of an event that its organiser changes or deletes (RFC 6638 §3.2.1).
/// Without knowing the account's own address, anybody's event may be its own.
fn mails_nobody(known: &Item, account: &Account) -> Result<(), Fault> {
    match ical_doc::read(known, &account.label) {
        Ok(Read::Event(reading))
            if reading.has_guests && (reading.ours_to_edit || !account.label.contains('@')) =>
        {
            Err(Fault::Refused(Refusal::new(
                "guests",
                "the event has guests, whom the calendar server would mail: change it there, or let the link send",
            )))
        }
        _ => Ok(()),
    }
}

/// Deletes resources; those that are gone already are fine.
pub async fn delete(
    account: &Account,
    place: &Place,
    items: &[Item],
    guests: GuestPolicy,
) -> Result<(), Fault> {
    let silent = guests == GuestPolicy::Never;
    for item in items {
        if silent && Skills::of(place).schedules {
            mails_nobody(item, account)?;
        }
        match unchanged(account, item).await {
            Err(Fault::NotFound) => continue,
            looked => looked?,
        }
        let mut request = guarded(Request::delete(&item.id), &Guard::Is(&item.stamp));
        if silent {
            // RFC 6638 §8.1: an invitation that is taken away is not declined by that.
            request = request.header("schedule-reply", "F");
        }
        let request = request.body(Bytes::new()).map_err(|_| Fault::NotFound)?;
        let answer = call(account, request).await?;
        match answer.status().as_u16() {
            200..=299 | 404 | 410 => {}
            _ => return Err(refused(account, &answer)),
        }
    }
    Ok(())
}
