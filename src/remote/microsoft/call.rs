//! Requests to Graph and the reading of their answers; `$batch`. FACTS §4.1, §4.2, §4.8.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{fault, wire};
use crate::remote::account::{json_request, request};
use crate::remote::address::Address;
use crate::remote::{Account, Fault};

/// One list, sent with every call: ids that survive a move, instants in UTC, bodies as text.
const PREFER: &str =
    r#"IdType="ImmutableId", outlook.timezone="UTC", outlook.body-content-type="text""#;

/// The same with bodies as they are stored.
const PREFER_HTML: &str =
    r#"IdType="ImmutableId", outlook.timezone="UTC", outlook.body-content-type="html""#;

/// Graph takes no more in one `$batch`.
const BATCH: usize = 20;

/// An address below the API's root.
pub fn address(account: &Account, fixed: &str) -> Address {
    Address::new(&account.endpoints.api).path(fixed)
}

pub fn calendar(account: &Account, id: &str, what: &str) -> Address {
    let calendar = address(account, "me/calendars").segment(id);
    if what.is_empty() {
        calendar
    } else {
        calendar.path(what)
    }
}

/// `/me/events/{id}`.
pub fn event(account: &Account, id: &str) -> Address {
    address(account, "me/events").segment(id)
}

/// A link that an answer carried, if it leads to the API: nothing else gets to see the token (FACTS §4.1).
///
/// # Errors
/// `Refused` when it leads elsewhere.
pub fn own_link(account: &Account, link: &str) -> Result<Address, Fault> {
    let parts = |text: &str| {
        let uri: Uri = text.parse().ok()?;
        Some((uri.scheme_str()?.to_owned(), uri.authority()?.clone()))
    };
    let ours = parts(&account.endpoints.api);
    if ours.is_none() || parts(link) != ours {
        return Err(Fault::Transient(
            "Microsoft's answer leads to a foreign address".into(),
        ));
    }
    Ok(Address::new(link))
}

pub async fn get(account: &Account, address: &Address) -> Result<Value, Fault> {
    read(account, request(Method::GET, address.as_str())?, PREFER).await
}

/// A page, with a wish for its size.
pub async fn page(account: &Account, address: &Address, size: usize) -> Result<Value, Fault> {
    let prefer = format!("{PREFER}, odata.maxpagesize={size}");
    read(account, request(Method::GET, address.as_str())?, &prefer).await
}

/// An event with its body as it is stored.
pub async fn get_html(account: &Account, address: &Address) -> Result<Value, Fault> {
    read(
        account,
        request(Method::GET, address.as_str())?,
        PREFER_HTML,
    )
    .await
}

async fn read(
    account: &Account,
    mut request: Request<Bytes>,
    prefer: &str,
) -> Result<Value, Fault> {
    set(&mut request, PREFER_HEADER, prefer);
    let response = account.send(request).await?;
    fault::judge(account, &response)
}

const PREFER_HEADER: HeaderName = HeaderName::from_static("prefer");

fn set(request: &mut Request<Bytes>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        request.headers_mut().insert(name, value);
    }
}

/// What came of a write: the JSON of a success, or status, code and meaning of the failure.
pub struct Failure {
    pub status: StatusCode,
    pub code: String,
    pub fault: Fault,
}

impl std::convert::From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure {
            status: StatusCode::OK,
            code: String::new(),
            fault,
        }
    }
}

impl std::convert::From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        failure.fault
    }
}

/// A write; `stamp` guards it (If-Match) unless it is empty.
pub async fn write(
    account: &Account,
    method: Method,
    address: &Address,
    stamp: &str,
    body: Option<&Value>,
) -> Result<Value, Failure> {
    let mut request = match body {
        Some(body) => json_request(method, address.as_str(), body)?,
        None => request(method, address.as_str())?,
    };
    set(&mut request, PREFER_HEADER, PREFER);
    if !stamp.is_empty() {
        set(&mut request, header::IF_MATCH, stamp);
    }
    let response = account.send(request).await?;
    if response.status().is_success() {
        return Ok(fault::judge(account, &response)?);
    }
    Err(Failure {
        status: response.status(),
        code: wire::error_code(response.body()),
        fault: fault::of_response(account, &response),
    })
}

/// A POST that only asks.
pub async fn ask(account: &Account, address: &Address, body: &Value) -> Result<Value, Fault> {
    let mut request = json_request(Method::POST, address.as_str(), body)?;
    set(&mut request, PREFER_HEADER, PREFER);
    let response = account.ask(request).await?;
    fault::judge(account, &response)
}

/// GETs many addresses with few round trips, in their order. One that is throttled throttles all: nothing of them was
/// lost, they are asked again.
///
/// # Errors
/// What the whole call met, or the first part that Graph was too busy for.
pub async fn get_all(
    account: &Account,
    addresses: &[Address],
) -> Result<Vec<Result<Value, Fault>>, Fault> {
    if let [only] = addresses {
        return match get(account, only).await {
            Err(fault) if whole(&fault) => Err(fault),
            answer => Ok(vec![answer]),
        };
    }
    let mut answers = Vec::with_capacity(addresses.len());
    for chunk in addresses.chunks(BATCH) {
        let body = batch_body(account, chunk);
        let answer = ask(account, &address(account, "$batch"), &body).await?;
        answers.extend(batch_answers(account, &answer, chunk.len())?);
    }
    Ok(answers)
}

/// Faults that say nothing about the one that was asked for.
fn whole(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Throttled(_) | Fault::Transient(_) | Fault::Revoked(_) | Fault::OutcomeUnknown(_)
    )
}

fn batch_body(account: &Account, chunk: &[Address]) -> Value {
    let root = account.endpoints.api.trim_end_matches('/');
    let requests: Vec<Value> = chunk
        .iter()
        .enumerate()
        .map(|(n, address)| {
            let url = address.as_str();
            json!({
                "id": n.to_string(),
                "method": "GET",
                "url": url.strip_prefix(root).unwrap_or(url),
                "headers": {"Prefer": PREFER},
            })
        })
        .collect();
    json!({ "requests": requests })
}

/// Answers come in any order, each with a status of its own.
fn batch_answers(
    account: &Account,
    answer: &Value,
    asked: usize,
) -> Result<Vec<Result<Value, Fault>>, Fault> {
    let mut found: Vec<Option<Result<Value, Fault>>> = vec![None; asked];
    for part in wire::list(answer, "responses") {
        let Some(place) = wire::text(part, "id")
            .parse::<usize>()
            .ok()
            .and_then(|n| found.get_mut(n))
        else {
            continue;
        };
        let result = batch_part(account, part);
        if let Err(fault) = &result
            && whole(fault)
        {
            return Err(fault.clone());
        }
        *place = Some(result);
    }
    let missing = || Fault::Transient("Microsoft left out a part of a batch".into());
    found
        .into_iter()
        .map(|part| part.ok_or_else(missing))
        .collect()
}

fn batch_part(account: &Account, part: &Value) -> Result<Value, Fault> {
    let status = wire::number(part, "status").and_then(|n| u16::try_from(n).ok());
    let status = status.and_then(|n| StatusCode::from_u16(n).ok());
    let status = status.unwrap_or(StatusCode::BAD_GATEWAY);
    let body = part.get("body").cloned().unwrap_or(Value::Null);
    if status.is_success() {
        return Ok(body);
    }
    let mut headers = http::HeaderMap::new();
    for (name, value) in part
        .get("headers")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if name.eq_ignore_ascii_case("retry-after")
            && let Some(value) = value.as_str().and_then(|v| HeaderValue::from_str(v).ok())
        {
            headers.insert(header::RETRY_AFTER, value);
        }
    }
    Err(fault::of(
        status,
        wire::text(&body, "error.code"),
        account.retry_after(&headers),
    ))
}

/// An address with OData's options: `$` stands as it is.
pub fn odata(address: &Address, options: &[(&str, &str)]) -> Address {
    let mut text = address.as_str().to_owned();
    for (name, value) in options {
        text.push(if text.contains('?') { '&' } else { '?' });
        // writing to a string does not fail
        let _ = write!(
            text,
            "{name}={}",
            utf8_percent_encode(value, NON_ALPHANUMERIC)
        );
    }
    Address::new(&text)
}
