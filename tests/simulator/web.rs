//! Requests and answers: reading queries, forms and headers, writing JSON.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

pub type Answer = Response<Bytes>;

/// A request, its address taken apart.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    /// Path as sent, still percent-encoded.
    pub path: String,
    pub query: String,
    pub host: Option<String>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    pub fn new(request: Request<Bytes>) -> Call {
        let (parts, body) = request.into_parts();
        let host = parts.uri.host().map(str::to_string).or_else(|| {
            let host = parts.headers.get(header::HOST)?.to_str().ok()?;
            Some(host.split(':').next().unwrap_or(host).to_string())
        });
        Call {
            path: parts.uri.path().to_string(),
            query: parts.uri.query().unwrap_or("").to_string(),
            host,
            method: parts.method,
            headers: parts.headers,
            body,
        }
    }

    /// Path and query.
    pub fn target(&self) -> String {
        match self.query.is_empty() {
            true => self.path.clone(),
            false => format!("{}?{}", self.path, self.query),
        }
    }

    pub fn params(&self) -> Params {
        Params::parse(&self.query)
    }
    pub fn form(&self) -> Params {
        Params::parse(&String::from_utf8_lossy(&self.body))
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// The pairs of a query or a form, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(pub Vec<(String, String)>);

impl Params {
    pub fn parse(text: &str) -> Params {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Params(
            pairs
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode_plus(key), decode_plus(value))
                })
                .collect(),
        )
    }
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| name == key)?;
        Some(&found.1)
    }
    /// As [`Params::get`], names compared without case (OData).
    pub fn get_any_case(&self, key: &str) -> Option<&str> {
        let mut all = self.0.iter();
        let found = all.find(|(name, _)| name.eq_ignore_ascii_case(key))?;
        Some(&found.1)
    }
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
    pub fn is_true(&self, key: &str) -> bool {
        self.get(key) == Some("true")
    }
}

fn decode_plus(text: &str) -> String {
    decode(&text.replace('+', " "))
}

/// Percent-decoded, byte garbage replaced.
pub fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Percent-encoded but for the unreserved characters (RFC 3986 §2.3).
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

pub fn text(status: u16, kind: &str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    set(&mut answer, "content-type", kind);
    answer
}

pub fn json(status: u16, body: &Value) -> Answer {
    text(status, "application/json; charset=UTF-8", body.to_string())
}

pub fn empty(status: u16) -> Answer {
    let mut answer = text(status, "text/plain", Bytes::new());
    answer.headers_mut().remove("content-type");
    answer
}

pub fn redirect(to: &str) -> Answer {
    with(empty(302), "location", to)
}

/// Sets a header; a value that is none is left out.
pub fn set(answer: &mut Answer, name: &'static str, value: &str) {
    if let Ok(value) = http::HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

pub fn with(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    set(&mut answer, name, value);
    answer
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
pub fn http_date(unix: i64) -> String {
    let at = jiff::Timestamp::from_second(unix).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The segments of a path below `prefix`, decoded; `None` if it is not below.
pub fn below(path: &str, prefix: &str) -> Option<Vec<String>> {
    let rest = path.strip_prefix(prefix)?;
    let parts = rest.split('/').filter(|part| !part.is_empty());
    Some(parts.map(decode).collect())
}

/// Whether a webhook address is acceptable: HTTPS, or this machine (for a server that is being tried).
pub fn may_be_called(url: &str) -> bool {
    let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    url.starts_with("https://") || local.iter().any(|start| url.starts_with(start))
}
