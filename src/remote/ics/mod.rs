//! Subscribed `.ics` addresses, read-only. RFC 5545, RFC 7986 §5.7 (REFRESH-INTERVAL), RFC 9111 §5.2 (max-age).
//!
//! The address is a secret: it is the connection's, and the remote calendar is called after its place in it. Every run
//! asks whether the text changed, and reads what did as changes against the last good text, whose summary is the cursor
//! ([`feed`]). A text that is cut off, a login page or one that is suddenly empty never deletes anything.

mod feed;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::{
    Account, Answer, Busy, Caps, Fault, From, Hook, Identity, Item, Listed, Next, Page, Place,
    Placed, Provider, Put, Read, Refusal, Watch, ical_doc,
};
use crate::model::bridge::GuestPolicy;
use feed::Known;

/// Hops that are followed, each checked anew by the transport.
const REDIRECTS: usize = 5;
/// The longest that a feed may ask to be left alone: a day, in seconds.
const LONGEST: i64 = 86_400;

pub struct Ics;

/// What the last good answer was.
#[derive(Default, Serialize, Deserialize)]
struct Cursor {
    etag: Option<String>,
    modified: Option<String>,
    /// The feed asks not to be read before (seconds since 1970 UTC).
    not_before: i64,
    known: Known,
}

impl Ics {
    async fn read_feed(&self, account: &Account, from: From<'_>) -> Result<Page, Fault> {
        let last = match from {
            From::Start => None,
            From::Cursor(bytes) | From::Page(bytes) => {
                Some(serde_json::from_slice::<Cursor>(bytes).map_err(|_| Fault::CursorGone)?)
            }
        };
        if let (Some(last), From::Cursor(bytes)) = (&last, from)
            && account.clock.now() < last.not_before
        {
            return Ok(nothing(bytes));
        }
        let answer = fetch(account, last.as_ref()).await?;
        if let (StatusCode::NOT_MODIFIED, From::Cursor(bytes)) = (answer.status(), from) {
            return Ok(nothing(bytes));
        }
        judge(&answer, account)?;
        let known = last.map(|last| last.known).unwrap_or_default();
        let news = feed::compare(answer.body(), &known)?;
        let text = |name| Some(answer.headers().get(name)?.to_str().ok()?.to_string());
        let cursor = Cursor {
            etag: text(header::ETAG),
            modified: text(header::LAST_MODIFIED),
            not_before: account.clock.now() + patience(&answer, news.refresh),
            known: news.known,
        };
        let cursor = serde_json::to_vec(&cursor)
            .map_err(|_| Fault::Transient("the feed could not be remembered".into()))?;
        Ok(Page {
            changes: news.changes,
            next: Next::Done(Some(cursor)),
        })
    }
}

fn nothing(cursor: &[u8]) -> Page {
    Page {
        changes: Vec::new(),
        next: Next::Done(Some(cursor.to_vec())),
    }
}

/// The text, or 304, after redirects.
async fn fetch(account: &Account, last: Option<&Cursor>) -> Result<Response<Bytes>, Fault> {
    let mut url = address(account)?;
    for _ in 0..=REDIRECTS {
        let mut request = Request::get(url.as_str())
            .header(header::ACCEPT, "text/calendar, text/plain;q=0.5, */*;q=0.1");
        let condition = |name, value: Option<&String>| value.map(|value| (name, value.clone()));
        let last = last.filter(|last| !last.known.is_empty());
        for (name, value) in [
            condition(
                header::IF_NONE_MATCH,
                last.and_then(|last| last.etag.as_ref()),
            ),
            condition(
                header::IF_MODIFIED_SINCE,
                last.and_then(|last| last.modified.as_ref()),
            ),
        ]
        .into_iter()
        .flatten()
        {
            request = request.header(name, value);
        }
        let request = request.body(Bytes::new()).map_err(|_| bad_address())?;
        let answer = account.send_bare(request).await?;
        if !answer.status().is_redirection() || answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(answer);
        }
        url = next_hop(&url, &answer)?;
    }
    Err(Fault::Transient(
        "the address redirects again and again".into(),
    ))
}

/// `webcal:` is only a name for https.
fn address(account: &Account) -> Result<url::Url, Fault> {
    let (_, secret) = account.credentials.basic().ok_or_else(bad_address)?;
    let text = secret.expose_secret().trim();
    let https = ["webcal://", "webcals://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .map_or_else(|| text.to_string(), |rest| format!("https://{rest}"));
    url::Url::parse(&https).map_err(|_| bad_address())
}

fn bad_address() -> Fault {
    Fault::Refused(Refusal::new(
        "address",
        "this is not an address of a calendar: it should begin with https:// or webcal://",
    ))
}

fn next_hop(url: &url::Url, answer: &Response<Bytes>) -> Result<url::Url, Fault> {
    let lost = || Fault::Transient("the address redirects to nowhere".into());
    let location = answer.headers().get(header::LOCATION).ok_or_else(lost)?;
    let next = url
        .join(location.to_str().map_err(|_| lost())?)
        .map_err(|_| lost())?;
    if url.scheme() == "https" && next.scheme() != "https" {
        return Err(Fault::Transient(
            "the address redirects to an unencrypted one, which is not followed".into(),
        ));
    }
    Ok(next)
}

/// What a status says.
fn judge(answer: &Response<Bytes>, account: &Account) -> Result<(), Fault> {
    let status = answer.status();
    match status.as_u16() {
        200 => Ok(()),
        401 | 403 => Err(Fault::Revoked(format!(
            "the calendar's address is refused ({status}): get a new one where it was shared"
        ))),
        404 | 410 => Err(Fault::NotFound),
        429 => Err(Fault::Throttled(account.retry_after(answer.headers()))),
        503 if answer.headers().contains_key(header::RETRY_AFTER) => {
            Err(Fault::Throttled(account.retry_after(answer.headers())))
        }
        _ => Err(Fault::Transient(format!(
            "the calendar's address answered with {status}"
        ))),
    }
}

/// For how long the feed wants to be left alone: the longest of what its text and its headers say.
fn patience(answer: &Response<Bytes>, refresh: Option<i64>) -> i64 {
    let max_age = answer
        .headers()
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|part| part.trim().strip_prefix("max-age=")?.parse::<i64>().ok());
    refresh.max(max_age).unwrap_or(0).clamp(0, LONGEST)
}

fn read_only<T>() -> Result<T, Fault> {
    Err(Fault::Unsupported(
        "a subscribed calendar can only be read".into(),
    ))
}

impl Provider for Ics {
    fn caps(&self) -> Caps {
        Caps {
            writes: false,
            watches: false,
            busy: false,
            concurrency: 1,
            least_interval: 900,
            interval: 3600,
        }
    }

    fn identity<'a>(&'a self, account: &'a Account) -> Answer<'a, Result<Identity, Fault>> {
        Box::pin(async move {
            let url = address(account)?;
            let host = url.host_str().unwrap_or("").to_string();
            Ok(Identity {
                account: feed::hash(url.as_str().as_bytes()),
                label: host,
            })
        })
    }

    fn calendars<'a>(&'a self, account: &'a Account) -> Answer<'a, Result<Vec<Listed>, Fault>> {
        Box::pin(async move {
            let answer = fetch(account, None).await?;
            judge(&answer, account)?;
            let about = feed::describe(answer.body())?;
            let host = || address(account).ok()?.host_str().map(String::from);
            Ok(vec![Listed {
                remote_id: "feed".into(),
                name: about.name.or_else(host).unwrap_or_default(),
                color: about.color.unwrap_or_default(),
                zone: about.zone.unwrap_or_default(),
                writable: false,
                primary: true,
                extra: String::new(),
            }])
        })
    }

    fn changes<'a>(
        &'a self,
        account: &'a Account,
        _: &'a Place,
        from: From<'a>,
    ) -> Answer<'a, Result<Page, Fault>> {
        Box::pin(self.read_feed(account, from))
    }

    fn get<'a>(
        &'a self,
        account: &'a Account,
        _: &'a Place,
        id: &'a str,
    ) -> Answer<'a, Result<Option<Vec<Item>>, Fault>> {
        Box::pin(async move {
            let page = self.read_feed(account, From::Start).await?;
            let found = page.changes.into_iter().find_map(|change| match change {
                super::Change::Whole(items) if items.iter().any(|item| item.id == id) => {
                    Some(items)
                }
                _ => None,
            });
            Ok(found)
        })
    }

    fn put<'a>(
        &'a self,
        _: &'a Account,
        _: &'a Place,
        _: Put<'a>,
    ) -> Answer<'a, Result<Placed, Fault>> {
        Box::pin(async { read_only() })
    }

    fn delete<'a>(
        &'a self,
        _: &'a Account,
        _: &'a Place,
        _: &'a [Item],
        _: GuestPolicy,
    ) -> Answer<'a, Result<(), Fault>> {
        Box::pin(async { read_only() })
    }

    fn busy<'a>(
        &'a self,
        _: &'a Account,
        _: &'a [String],
        _: (i64, i64),
    ) -> Answer<'a, Result<Vec<(String, Result<Vec<Busy>, Fault>)>, Fault>> {
        Box::pin(async { read_only() })
    }

    fn watch<'a>(
        &'a self,
        _: &'a Account,
        _: &'a Place,
        _: &'a Hook<'a>,
    ) -> Answer<'a, Result<Watch, Fault>> {
        Box::pin(async { read_only() })
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
