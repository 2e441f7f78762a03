//! What every page has around it, and the headers that go with it.

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::auth::CHALLENGE;
use crate::model::Error;

/// The frame of a page.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    pub title: String,
    /// The path prefix of every address.
    pub prefix: String,
    pub who: String,
    /// What was done, after a form.
    pub said: String,
    /// What was wrong with it.
    pub error: String,
}

impl Frame {
    pub fn new(app: &App, title: impl Into<String>) -> Frame {
        Frame {
            title: title.into(),
            prefix: app.prefix().to_string(),
            ..Frame::default()
        }
    }
}

/// A page that only says something.
#[derive(Template)]
#[template(path = "message.html", config = "src/web/askama.toml")]
struct Message {
    frame: Frame,
}

/// Renders a page.
pub fn html(app: &App, status: StatusCode, page: &impl Template) -> Response {
    let mut reply = match page.render() {
        Ok(text) => (status, text).into_response(),
        Err(fault) => {
            tracing::error!(%fault, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    };
    dress(app, &mut reply);
    reply
}

/// What is said after a form was done: words of ours for words of ours, so that an address says nothing of its own.
const SAID: &[(&str, &str)] = &[
    ("approved", "Thank you. The run goes on."),
    ("connected", "Connected. Choose the calendars to link."),
    ("disconnected", "Disconnected."),
    ("linked", "Linked. The first run has begun."),
    ("listed", "The calendars were listed anew."),
    ("paused", "Paused."),
    ("resumed", "It goes on."),
    ("retried", "It is tried again."),
    ("saved", "Saved."),
    ("stopped", "The run was stopped: see below."),
    ("synced", "Done."),
    ("syncing", "It takes a while, and goes on."),
    ("undone", "Undone, as far as nobody changed it since."),
    ("unlinked", "Unlinked."),
];

/// What an address asks to say (`?said=saved`).
pub fn said(query: Option<&str>) -> &'static str {
    let word = query.and_then(|query| query.strip_prefix("said="));
    let known = SAID.iter().find(|(name, _)| Some(*name) == word);
    known.map_or("", |(_, words)| words)
}

/// Leads on to a path of ours, after a form.
pub fn to(app: &App, path: &str) -> Response {
    leads(app, &format!("{}{path}", app.prefix()))
}

/// Leads on to any address.
pub fn leads(app: &App, address: &str) -> Response {
    let mut reply = StatusCode::SEE_OTHER.into_response();
    if let Ok(location) = HeaderValue::try_from(address) {
        reply.headers_mut().insert(header::LOCATION, location);
    }
    dress(app, &mut reply);
    reply
}

/// What goes wrong, as a page.
pub fn refusal(app: &App, error: &Error) -> Response {
    let status = status_of(error);
    let mut frame = Frame::new(app, title_of(status));
    frame.error = words_of(error);
    let mut reply = html(app, status, &Message { frame });
    let headers = reply.headers_mut();
    match error {
        Error::Unauthorized => {
            let challenge = HeaderValue::from_static(CHALLENGE);
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        Error::Throttled { retry_after } => {
            headers.insert(header::RETRY_AFTER, (*retry_after).into());
        }
        _ => {}
    }
    reply
}

/// What is told of an error; nothing of faults of ours.
pub fn words_of(error: &Error) -> String {
    match error {
        Error::Internal(why) => {
            tracing::error!(%why, "internal error");
            "Something went wrong here; the details are in the server's log.".to_string()
        }
        Error::Invalid { field, reason } if !field.is_empty() => {
            format!("{}: {reason}", field.replace('_', " "))
        }
        other => other.to_string(),
    }
}

pub fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::BadRequest(_) => StatusCode::BAD_REQUEST,
        Error::Unauthorized => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) | Error::Precondition { .. } => StatusCode::FORBIDDEN,
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Error::Conflict(_) | Error::PreconditionFailed => StatusCode::CONFLICT,
        Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::InsufficientStorage(_) => StatusCode::INSUFFICIENT_STORAGE,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn title_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "Who are you?",
        StatusCode::NOT_FOUND => "There is nothing here",
        _ => "That did not work",
    }
}

/// Nothing but our own style is loaded, nothing runs, nobody frames us, and forms lead to us and to where accounts are
/// connected.
fn dress(app: &App, reply: &mut Response) {
    let policy = format!(
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'{}",
        connect_pages(app)
    );
    let headers = reply.headers_mut();
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(HeaderName::from_static("content-security-policy"), policy);
    }
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Origins of the pages where people say yes: browsers check `form-action` on redirects, too.
fn connect_pages(app: &App) -> String {
    app.config
        .oauth_apps()
        .filter(|one| !one.client_id.is_empty())
        .filter_map(|one| origin(&one.authorize_url))
        .map(|origin| format!(" {origin}"))
        .collect()
}

fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    (!host.is_empty() && host.chars().all(fine)).then(|| format!("{scheme}://{host}"))
}
