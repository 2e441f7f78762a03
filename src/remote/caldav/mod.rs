//! Calendars of other CalDAV servers: iCloud, Fastmail, Nextcloud, Radicale … RFC 4791, RFC 6578, RFC 6764.
//!
//! Nothing is taken for granted: what a calendar can do is read from it when it is listed ([`Skills`]). A resource is
//! an [`Item`] by its absolute address; its text is taken and given whole, so nothing is lost on the way.
//!
//! Credentials go to the host that was typed in and to hosts beside it (`caldav.icloud.com` → `p12-caldav.icloud.com`),
//! nowhere else.
//!
//! Left out: server-to-server push, which none of them offers to strangers.

mod changes;
mod discovery;
#[cfg(test)]
mod tests;
mod wire;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Account, Answer, Busy, Caps, Fault, From, Hook, Identity, Item, Listed, Marker, Page, Place,
    Placed, Provider, Put, Read, Refusal, Watch, ical_doc,
};
use crate::ical::canonical;
use crate::ical::rrule::civil;
use crate::ical::tree::{Limits, Tree};
use crate::ical::value::{Period, When};
use crate::model::bridge::GuestPolicy;
use crate::xml::Name;

pub struct CalDav;

/// What a calendar was found to be able to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Skills {
    /// RFC 6578.
    sync: bool,
    /// getctag tells whether anything changed.
    ctag: bool,
    /// The server mails guests when an organiser writes (RFC 6638).
    schedules: bool,
}

impl Skills {
    fn of(place: &Place) -> Skills {
        serde_json::from_str(&place.extra).unwrap_or_default()
    }
}

/// Sends, with the credentials where they may go.
async fn call(account: &Account, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
    let to = request.uri().host().unwrap_or("");
    let home = Url::parse(&account.endpoints.api).ok();
    let known = home.as_ref().and_then(Url::host_str).unwrap_or("");
    if !discovery::beside(known, to)
        || request.uri().scheme_str() == Some("http")
            && home.as_ref().is_some_and(|home| home.scheme() == "https")
    {
        return Err(Fault::Refused(Refusal::new(
            "host",
            "the calendar server sends us to another server, which must not see the password",
        )));
    }
    account.send(request).await
}

fn url(address: &str) -> Result<Url, Fault> {
    Url::parse(address).map_err(|_| {
        Fault::Refused(Refusal::new(
            "address",
            "this is not an address: it should begin with https://",
        ))
    })
}

/// A request with an XML body.
fn xml_request(
    method: &str,
    url: &str,
    depth: &str,
    body: Vec<u8>,
) -> Result<Request<Bytes>, Fault> {
    let method = Method::from_bytes(method.as_bytes());
    Request::builder()
        .method(method.unwrap_or(Method::GET))
        .uri(url)
        .header(header::CONTENT_TYPE, "application/xml; charset=utf-8")
        .header("depth", depth)
        .body(Bytes::from(body))
        .map_err(|_| Fault::NotFound)
}

/// Asks for a multistatus.
async fn ask(
    account: &Account,
    method: &str,
    address: &str,
    depth: &str,
    body: Vec<u8>,
) -> Result<wire::Multistatus, Fault> {
    let answer = call(account, xml_request(method, address, depth, body)?).await?;
    if answer.status() != http::StatusCode::MULTI_STATUS {
        return Err(refused(account, &answer));
    }
    wire::multistatus(answer.body(), &url(address)?)
}

fn refused(account: &Account, answer: &Response<Bytes>) -> Fault {
    wire::fault(
        answer.status().as_u16(),
        account.retry_after(answer.headers()),
    )
}

/// The strong entity tag of an answer; a weak one says nothing about bytes.
fn etag(answer: &Response<Bytes>) -> Option<String> {
    let text = answer.headers().get(header::ETAG)?.to_str().ok()?;
    Some(text.to_string()).filter(|text| !text.starts_with("W/"))
}

async fn get(account: &Account, id: &str) -> Result<Option<Item>, Fault> {
    let request = Request::get(id)
        .header(header::ACCEPT, "text/calendar")
        .body(Bytes::new())
        .map_err(|_| Fault::NotFound)?;
    let answer = call(account, request).await?;
    match answer.status().as_u16() {
        200 => Ok(Some(Item {
            id: id.to_string(),
            series: None,
            stamp: answer
                .headers()
                .get(header::ETAG)
                .and_then(|tag| tag.to_str().ok())
                .unwrap_or("")
                .to_string(),
            doc: answer.into_body(),
        })),
        404 | 410 => Ok(None),
        _ => Err(refused(account, &answer)),
    }
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

impl CalDav {
    async fn place(&self, account: &Account, place: &Place, put: Put<'_>) -> Result<Placed, Fault> {
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
                    Some(there) if mark(&there, account).as_ref() == Some(put.marker) => self
                        .update(account, place, put, &there, text)
                        .await
                        .map(placed),
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
        self.update(account, place, put, known, text)
            .await
            .map(placed)
    }

    /// Writes `text` in place of `known`, unless it says the same.
    async fn update(
        &self,
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

/// What a free/busy answer says (RFC 4791 §7.10): FREEBUSY lines, whatever their FBTYPE but FREE.
fn busy_of(body: &[u8]) -> Result<Vec<Busy>, Fault> {
    let odd =
        || Fault::Transient("the calendar server's free/busy answer could not be read".into());
    let tree = Tree::parse(body, &Limits::default()).map_err(|_| odd())?;
    let parts = || tree.components().filter(|part| part.is("VFREEBUSY"));
    if parts().next().is_none() {
        return Err(odd());
    }
    let mut all = Vec::new();
    for line in parts().flat_map(|part| part.properties_named("FREEBUSY")) {
        let kind = line.param("FBTYPE").map(|kind| kind.to_ascii_uppercase());
        if kind.as_deref() == Some("FREE") {
            continue;
        }
        for period in Period::list(line).map_err(|_| odd())? {
            let seconds = |when: &When| civil::seconds(when.civil());
            let start = seconds(period.start());
            let end = match &period {
                Period::Explicit { end, .. } => seconds(end),
                Period::Lasting { duration, .. } => start + duration.total_seconds(),
            };
            all.push(Busy {
                start,
                end,
                tentative: kind.as_deref() == Some("BUSY-TENTATIVE"),
            });
        }
    }
    Ok(all)
}

fn no_watch<T>() -> Result<T, Fault> {
    Err(Fault::Unsupported(
        "calendar servers tell nobody of changes: it is polled".into(),
    ))
}

impl Provider for CalDav {
    fn caps(&self) -> Caps {
        Caps {
            writes: true,
            watches: false,
            busy: true,
            mails_guests: false,
            concurrency: 2,
            least_interval: 60,
            interval: 300,
        }
    }

    fn identity<'a>(&'a self, account: &'a Account) -> Answer<'a, Result<Identity, Fault>> {
        Box::pin(async move {
            let found = discovery::principal(account).await?;
            let label = match account.credentials.basic() {
                Some((user, _)) => user,
                None => found.clone(),
            };
            Ok(Identity {
                account: found,
                label,
            })
        })
    }

    fn calendars<'a>(&'a self, account: &'a Account) -> Answer<'a, Result<Vec<Listed>, Fault>> {
        Box::pin(discovery::calendars(account))
    }

    fn changes<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        from: From<'a>,
    ) -> Answer<'a, Result<Page, Fault>> {
        Box::pin(changes::changes(account, place, from))
    }

    fn get<'a>(
        &'a self,
        account: &'a Account,
        _: &'a Place,
        id: &'a str,
    ) -> Answer<'a, Result<Option<Vec<Item>>, Fault>> {
        Box::pin(async move { Ok(get(account, id).await?.map(|item| vec![item])) })
    }

    fn put<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        put: Put<'a>,
    ) -> Answer<'a, Result<Placed, Fault>> {
        Box::pin(self.place(account, place, put))
    }

    fn delete<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        items: &'a [Item],
    ) -> Answer<'a, Result<(), Fault>> {
        Box::pin(async move {
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
        })
    }

    fn busy<'a>(
        &'a self,
        account: &'a Account,
        calendars: &'a [String],
        range: (i64, i64),
    ) -> Answer<'a, Result<Vec<(String, Result<Vec<Busy>, Fault>)>, Fault>> {
        Box::pin(async move {
            let mut all = Vec::new();
            let stamp = |at| crate::ical::busy::utc(at);
            for id in calendars {
                let body = wire::free_busy((&stamp(range.0), &stamp(range.1)));
                let answer = call(account, xml_request("REPORT", id, "1", body)?).await;
                let busy = match answer {
                    Ok(answer) if answer.status().is_success() => busy_of(answer.body()),
                    Ok(answer) => Err(refused(account, &answer)),
                    Err(fault) => Err(fault),
                };
                all.push((id.clone(), busy));
            }
            Ok(all)
        })
    }

    fn watch<'a>(
        &'a self,
        _: &'a Account,
        _: &'a Place,
        _: &'a Hook<'a>,
    ) -> Answer<'a, Result<Watch, Fault>> {
        Box::pin(async { no_watch() })
    }

    fn renew<'a>(
        &'a self,
        _: &'a Account,
        _: &'a Watch,
        _: i64,
    ) -> Answer<'a, Result<Option<Watch>, Fault>> {
        Box::pin(async { Ok(None) })
    }

    fn unwatch<'a>(&'a self, _: &'a Account, _: &'a Watch) -> Answer<'a, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    fn read(&self, _: &Place, account: &str, items: &[Item]) -> Result<Read, Refusal> {
        match items.first() {
            Some(item) => ical_doc::read(item, account),
            None => Ok(Read::Nothing),
        }
    }
}

/// The property that tells a calendar from other collections.
fn is_calendar(told: &wire::Told) -> bool {
    told.prop(&Name::dav("resourcetype"))
        .is_some_and(|kind| kind.child(&Name::caldav("calendar")).is_some())
}
