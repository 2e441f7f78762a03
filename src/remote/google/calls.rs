//! The calls of Calendar API v3 that we make, each as a request from arguments; what the answers mean is in
//! [`super::answers`]. FACTS §2.1–§2.6. Queries and bodies hold nothing that the discovery document does not name.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use serde_json::{Value, json};

use super::wire::{Json, rfc3339};
use crate::model::bridge::GuestPolicy;
use crate::remote::account::{json_request, request};
use crate::remote::address::Address;
use crate::remote::{Account, Fault, Hook, Watch};

/// Calendars on a page of the calendar list: the most there is.
const CALENDARS: &str = "250";
/// Events on a page. 2500 is the most; a page of 1000 with long descriptions stays below our limit for answers.
const EVENTS: &str = "1000";
/// Calendars of one free/busy question.
pub const BUSY_CALENDARS: usize = 50;
/// Seconds of one free/busy question: 60 days.
pub const BUSY_SECONDS: i64 = 60 * 86_400;

type Call = Result<Request<Bytes>, Fault>;

fn root(account: &Account) -> Address {
    Address::new(&account.endpoints.api)
}

fn events(account: &Account, calendar: &str) -> Address {
    root(account)
        .path("calendars")
        .segment(calendar)
        .path("events")
}

fn event(account: &Account, calendar: &str, id: &str) -> Address {
    events(account, calendar).segment(id)
}

pub fn userinfo(account: &Account) -> Call {
    request(Method::GET, &account.endpoints.userinfo)
}

pub fn calendar_list(account: &Account, page: Option<&str>) -> Call {
    let address = root(account)
        .path("users/me/calendarList")
        .query("maxResults", CALENDARS);
    get(paged(address, page))
}

/// Name and zone of the primary calendar by way of its events, for accounts that did not grant the calendar list.
pub fn primary(account: &Account) -> Call {
    let address = events(account, "primary")
        .query("maxResults", "1")
        .query("fields", "summary,timeZone,accessRole");
    get(address)
}

/// What a listing of events asks for: one set of parameters for full and incremental ones (FACTS §2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub sync: Option<String>,
    pub page: Option<String>,
}

pub fn list(account: &Account, calendar: &str, listing: &Listing) -> Call {
    let mut address = plain_list(account, calendar);
    if let Some(sync) = &listing.sync {
        address = address.query("syncToken", sync);
    }
    get(paged(address, listing.page.as_deref()))
}

/// Everything that has an iCalUID: a master and its exceptions, cancelled ones included.
pub fn list_uid(account: &Account, calendar: &str, uid: &str, page: Option<&str>) -> Call {
    let address = plain_list(account, calendar).query("iCalUID", uid);
    get(paged(address, page))
}

fn plain_list(account: &Account, calendar: &str) -> Address {
    events(account, calendar)
        .query("singleEvents", "false")
        .query("showDeleted", "true")
        .query("maxResults", EVENTS)
}

pub fn get_event(account: &Account, calendar: &str, id: &str) -> Call {
    get(event(account, calendar, id))
}

/// How a write is sent.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    pub guests: GuestPolicy,
    /// The ETag that must still hold; empty: none.
    pub stamp: &'a str,
}

pub fn insert(account: &Account, calendar: &str, body: Json, guests: GuestPolicy) -> Call {
    let address = written(events(account, calendar), guests);
    json_request(Method::POST, address.as_str(), &Value::Object(body))
}

/// Replaces the whole event: only to bring a deleted one back.
pub fn update(account: &Account, calendar: &str, id: &str, body: Json, how: Sending<'_>) -> Call {
    let address = written(event(account, calendar, id), how.guests);
    guarded(
        json_request(Method::PUT, address.as_str(), &Value::Object(body))?,
        how.stamp,
    )
}

pub fn patch(account: &Account, calendar: &str, id: &str, body: Json, how: Sending<'_>) -> Call {
    let address = written(event(account, calendar, id), how.guests);
    guarded(
        json_request(Method::PATCH, address.as_str(), &Value::Object(body))?,
        how.stamp,
    )
}

pub fn delete(account: &Account, calendar: &str, id: &str, how: Sending<'_>) -> Call {
    let address = event(account, calendar, id).query("sendUpdates", send_updates(how.guests));
    guarded(request(Method::DELETE, address.as_str())?, how.stamp)
}

pub fn free_busy(account: &Account, calendars: &[String], range: (i64, i64)) -> Call {
    let items: Vec<Value> = calendars.iter().map(|id| json!({ "id": id })).collect();
    let body = json!({
        "timeMin": rfc3339(range.0),
        "timeMax": rfc3339(range.1),
        "timeZone": "UTC",
        "calendarExpansionMax": BUSY_CALENDARS,
        "items": items,
    });
    json_request(Method::POST, root(account).path("freeBusy").as_str(), &body)
}

pub fn watch(account: &Account, calendar: &str, hook: &Hook<'_>) -> Call {
    let address = events(account, calendar)
        .path("watch")
        .query("singleEvents", "false")
        .query("showDeleted", "true");
    let expires = account
        .clock
        .now()
        .saturating_add(hook.life)
        .saturating_mul(1000);
    let body = json!({
        "id": hook.id,
        "type": "web_hook",
        "address": hook.url,
        "token": hook.secret,
        "expiration": expires.to_string(),
    });
    json_request(Method::POST, address.as_str(), &body)
}

pub fn stop(account: &Account, watch: &Watch) -> Call {
    let body = json!({ "id": watch.id, "resourceId": watch.resource });
    json_request(
        Method::POST,
        root(account).path("channels/stop").as_str(),
        &body,
    )
}

fn get(address: Address) -> Call {
    request(Method::GET, address.as_str())
}

fn paged(address: Address, page: Option<&str>) -> Address {
    match page {
        Some(token) => address.query("pageToken", token),
        None => address,
    }
}

/// Every write says who is mailed (FACTS §2.4) and keeps conferences (§2.3).
fn written(address: Address, guests: GuestPolicy) -> Address {
    address
        .query("sendUpdates", send_updates(guests))
        .query("conferenceDataVersion", "1")
}

fn send_updates(guests: GuestPolicy) -> &'static str {
    match guests {
        GuestPolicy::Never => "none",
        GuestPolicy::Send => "all",
    }
}

fn guarded(mut request: Request<Bytes>, stamp: &str) -> Call {
    if !stamp.is_empty() {
        let value = HeaderValue::from_str(stamp)
            .map_err(|_| Fault::Transient("an ETag of Google's is none".into()))?;
        request.headers_mut().insert(header::IF_MATCH, value);
    }
    Ok(request)
}
