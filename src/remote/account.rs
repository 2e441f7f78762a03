//! Sending for an account: its `Authorization`, one more try after a 401, and what a broken connection means.
//! RFC 9110 §9.2.1 (which methods only read), §10.2.3 (Retry-After), §11.6.2.
//!
//! Nothing else is tried again here: when and how often is for sync to say.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use jiff::fmt::rfc2822::DateTimeParser;
use serde::de::DeserializeOwned;

use super::{Account, Broken, Fault};

/// Methods that change nothing: a broken connection leaves no doubt about the other side.
const READS: &[&str] = &["GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"];

/// The longest that a `Retry-After` is believed: a day.
const LONGEST_WAIT: i64 = 86_400;

impl Account {
    /// Sends with the account's credentials. Every status but 401 is the caller's to judge.
    ///
    /// # Errors
    /// `Revoked` when a fresh header is refused too, what [`super::Credentials::header`] says, and a broken connection:
    /// `OutcomeUnknown` when a write may have arrived, else `Transient`.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        let reads = READS.contains(&request.method().as_str());
        self.authorized(request, reads).await
    }

    /// As [`Account::send`], for a request that only asks although its method is one of writing (POST).
    pub async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        self.authorized(request, true).await
    }

    /// Sends without credentials.
    pub async fn send_bare(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
        let reads = READS.contains(&request.method().as_str());
        self.exchange(request, reads).await
    }

    async fn authorized(
        &self,
        request: Request<Bytes>,
        reads: bool,
    ) -> Result<Response<Bytes>, Fault> {
        let response = self
            .exchange(self.sign(&request, false).await?, reads)
            .await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let response = self
            .exchange(self.sign(&request, true).await?, reads)
            .await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(refused(response.headers()));
        }
        Ok(response)
    }

    /// A copy of the request with the account's header.
    async fn sign(
        &self,
        request: &Request<Bytes>,
        rejected: bool,
    ) -> Result<Request<Bytes>, Fault> {
        let mut signed = copy(request);
        if let Some(mut value) = self.credentials.header(rejected).await? {
            value.set_sensitive(true);
            signed.headers_mut().insert(header::AUTHORIZATION, value);
        }
        Ok(signed)
    }

    async fn exchange(
        &self,
        request: Request<Bytes>,
        reads: bool,
    ) -> Result<Response<Bytes>, Fault> {
        self.transport
            .send(request)
            .await
            .map_err(|broken| lost(broken, reads))
    }

    /// When the other side wants to be asked again (`Retry-After`, seconds or a date), in seconds since 1970 UTC.
    pub fn retry_after(&self, headers: &HeaderMap) -> Option<i64> {
        let now = self.clock.now();
        let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
        let at = match text.parse::<u32>() {
            Ok(seconds) => now + i64::from(seconds),
            Err(_) => DateTimeParser::new()
                .parse_timestamp(text)
                .ok()?
                .as_second(),
        };
        Some(at.clamp(now, now + LONGEST_WAIT))
    }
}

/// A fresh token was refused too. With a claims challenge (continuous access evaluation, FACTS §3) it is the person who
/// has to sign in again.
fn refused(headers: &HeaderMap) -> Fault {
    let challenges = headers.get_all(header::WWW_AUTHENTICATE);
    let mut challenges = challenges.iter().filter_map(|value| value.to_str().ok());
    let claims = challenges.any(|challenge| challenge.contains("insufficient_claims"));
    Fault::Revoked(if claims {
        "the organisation wants you to sign in again".into()
    } else {
        "the provider refuses our access".into()
    })
}

fn lost(broken: Broken, reads: bool) -> Fault {
    if broken.sent && !reads {
        Fault::OutcomeUnknown(broken.reason)
    } else {
        Fault::Transient(broken.reason)
    }
}

/// A request can not be cloned as such, because of its extensions; ours have none.
fn copy(request: &Request<Bytes>) -> Request<Bytes> {
    let mut copy = Request::new(request.body().clone());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// The JSON of an answer.
///
/// # Errors
/// `Transient`: an answer that is cut off or no JSON (a proxy's page) says nothing about what was asked.
pub fn json<T: DeserializeOwned>(response: &Response<Bytes>) -> Result<T, Fault> {
    serde_json::from_slice(response.body())
        .map_err(|_| Fault::Transient("the provider's answer could not be read".into()))
}

/// A request with a JSON body.
///
/// # Errors
/// `Transient` when the address is none: the provider's endpoint setting is broken.
pub fn json_request(
    method: Method,
    address: &str,
    body: &serde_json::Value,
) -> Result<Request<Bytes>, Fault> {
    let mut request = request(method, address)?;
    *request.body_mut() = Bytes::from(body.to_string());
    request.headers_mut().insert(
        header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    Ok(request)
}

/// A request without a body.
///
/// # Errors
/// As [`json_request`].
pub fn request(method: Method, address: &str) -> Result<Request<Bytes>, Fault> {
    Request::builder()
        .method(method)
        .uri(address)
        .body(Bytes::new())
        .map_err(|_| Fault::Transient("an address of the provider's is none".into()))
}

#[cfg(test)]
mod tests;
