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
mod write;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Account, Answer, Busy, Caps, Fault, From, Hook, Identity, Item, Listed, Page, Place, Placed,
    Provider, Put, Read, Refusal, Watch, ical_doc,
};
use crate::ical::rrule::civil;
use crate::ical::tree::{Limits, Tree};
use crate::ical::value::{Period, When};
use crate::model::bridge::GuestPolicy;
use crate::xml::Name;

pub struct CalDav;

/// Requests that one call may take by redirects.
const HOPS: usize = 4;

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

/// Sends, and follows where a collection has moved to: iCloud moves accounts between hosts. Redirects of writes count
/// only where they keep method and body (RFC 9110 §15.4).
async fn call(account: &Account, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
    let mut at = url(&request.uri().to_string())?;
    let writes = matches!(request.method().as_str(), "PUT" | "DELETE");
    for _ in 0..HOPS {
        let mut request = request.clone();
        *request.uri_mut() = at.as_str().parse().map_err(|_| Fault::NotFound)?;
        let answer = once(account, request).await?;
        match answer.status().as_u16() {
            301 | 302 if writes => return Ok(answer),
            301 | 302 | 307 | 308 => at = discovery::hop(&at, &answer)?,
            _ => return Ok(answer),
        }
    }
    Err(Fault::Transient(
        "the calendar server redirects again and again".into(),
    ))
}

/// Sends, with the credentials where they may go.
async fn once(account: &Account, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
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
            concurrency: 2,
            least_interval: 60,
            interval: 300,
        }
    }

    fn identity<'a>(&'a self, account: &'a Account) -> Answer<'a, Result<Identity, Fault>> {
        Box::pin(async move {
            let found = discovery::principal(account).await?;
            let label = match (
                discovery::address(account, &found).await,
                account.credentials.basic(),
            ) {
                (Some(mail), _) => mail,
                (None, Some((user, _))) => user,
                (None, None) => found.clone(),
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
        Box::pin(write::put(account, place, put))
    }

    fn delete<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        items: &'a [Item],
        guests: GuestPolicy,
    ) -> Answer<'a, Result<(), Fault>> {
        Box::pin(write::delete(account, place, items, guests))
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
