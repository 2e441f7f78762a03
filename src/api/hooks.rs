//! `/hooks/google` and `/hooks/microsoft`: providers tell that something changed (FACTS §2.6, §4.7).
//!
//! Nothing is done here but to compare a secret and to note that a link is due: the worker does the rest. A call says
//! nothing that is believed, so that the worst a forged one could do is a look that finds nothing.
//!
//! | | Google | Microsoft |
//! |---|---|---|
//! | proof | channel, resource and token in headers | `clientState` in each notice |
//! | unknown | 404, so that it gives up | 202: the others of the same body count |
//! | wrong proof | 404 | 202, and passed over |

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use serde_json::Value;

use crate::app::App;
use crate::app::hooks::{self, Call, News, Received};
use crate::model::Error;

/// The longest body that is read: a notice has half a kilobyte, and a hundred of them come at most.
const LONGEST: usize = 1 << 20;
/// Notices that are looked at in one body.
const MOST: usize = 1000;
/// The longest token that is given back.
const TOKEN: usize = 4096;

/// Google's calls have no body: everything is in headers.
pub async fn google(State(app): State<App>, headers: HeaderMap) -> StatusCode {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let news = match header("x-goog-resource-state") {
        "" => return StatusCode::BAD_REQUEST,
        "sync" => News::Begun,
        // `exists`, `not_exists`, and what there may be one day.
        _ => News::Changed,
    };
    let call = Call {
        provider: "google",
        watch: header("x-goog-channel-id"),
        secret: header("x-goog-channel-token"),
        resource: Some(header("x-goog-resource-id")),
        news,
    };
    match hooks::receive(&app, call).await {
        Ok(Received::Done) => StatusCode::NO_CONTENT,
        Ok(Received::Unknown | Received::Forged) => StatusCode::NOT_FOUND,
        Err(fault) => again(&fault),
    }
}

/// It will be sent again.
fn again(fault: &Error) -> StatusCode {
    tracing::warn!(%fault, "a webhook was not taken in");
    StatusCode::SERVICE_UNAVAILABLE
}

/// The handshake of a new subscription, for both of its addresses.
#[derive(Deserialize)]
pub struct Handshake {
    #[serde(rename = "validationToken")]
    token: Option<String>,
}

/// Graph's notices and lifecycle notices, which come to the same address.
pub async fn microsoft(
    State(app): State<App>,
    Query(handshake): Query<Handshake>,
    request: Request<Body>,
) -> Response {
    if let Some(token) = handshake.token {
        return echo(token);
    }
    let Ok(body) = Limited::new(request.into_body(), LONGEST).collect().await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let Ok(body) = serde_json::from_slice::<Value>(&body.to_bytes()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(notices) = body["value"].as_array() else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    // Many notices of one subscription are one piece of news.
    let mut seen = std::collections::HashSet::new();
    for notice in notices.iter().take(MOST).map(notice) {
        if !seen.insert(notice) {
            continue;
        }
        let (watch, secret, news) = notice;
        let call = Call {
            provider: "microsoft",
            watch,
            secret,
            resource: None,
            news,
        };
        if let Err(fault) = hooks::receive(&app, call).await {
            return again(&fault).into_response();
        }
    }
    StatusCode::ACCEPTED.into_response()
}

/// Subscription, proof and news of one notice.
fn notice(notice: &Value) -> (&str, &str, News) {
    let text = |name: &str| notice[name].as_str().unwrap_or_default();
    let news = match text("lifecycleEvent") {
        "reauthorizationRequired" => News::Renew,
        "subscriptionRemoved" => News::Removed,
        // `missed`, and plain changes.
        _ => News::Changed,
    };
    (text("subscriptionId"), text("clientState"), news)
}

/// The token as it was before it was put into an address, and as nothing that a browser would run.
fn echo(token: String) -> Response {
    if token.len() > TOKEN {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, token).into_response()
}
