//! `/oauth/{provider}/callback`: where providers send the browser back. No JSON: a person is looking at it.
//!
//! Nobody signs in here. The `state` says who began, and the cookie that it was this browser.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::problem::Problem;
use crate::app::App;
use crate::app::connections::{self, Answered, Connected, Failed, cookie_name};

/// What a provider adds to the address (RFC 6749 §4.1.2).
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Came {
    state: String,
    code: String,
    error: String,
    error_description: String,
}

/// Finishes a walk through the browser.
pub async fn get(
    State(app): State<App>,
    Path(provider): Path<String>,
    Query(came): Query<Came>,
    headers: HeaderMap,
) -> Response {
    let name = cookie_name(&came.state);
    let answer = Answered {
        cookie: cookie(&headers, &name),
        state: came.state,
        code: came.code,
        error: came.error,
        description: came.error_description,
    };
    let mut reply = match connections::finish(&app, &provider, answer).await {
        Ok(connected) => done(&app, &connected),
        Err(failed) => sorry(&app, failed),
    };
    let gone = format!("{name}=; Path={}/oauth/; Max-Age=0; HttpOnly", app.prefix());
    let gone = HeaderValue::try_from(gone);
    let own = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            HeaderName::from_static("content-security-policy"),
            HeaderValue::from_static(
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
            ),
        ),
    ];
    reply.headers_mut().extend(own);
    if let Ok(gone) = gone {
        reply.headers_mut().insert(header::SET_COOKIE, gone);
    }
    reply
}

/// The value of a cookie (RFC 6265 §5.4).
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.to_string())
}

/// On to where it was begun, unless there is something to read first.
fn done(app: &App, connected: &Connected) -> Response {
    let target = match connected.return_to.as_str() {
        "" => format!("/connections/{}", connected.id),
        path => path.to_string(),
    };
    let target = format!("{}{target}", app.prefix());
    if connected.warnings.is_empty() {
        let mut reply = StatusCode::SEE_OTHER.into_response();
        if let Ok(location) = HeaderValue::try_from(target) {
            reply.headers_mut().insert(header::LOCATION, location);
        }
        return reply;
    }
    let lines = connected.warnings.iter().map(String::as_str);
    page(
        StatusCode::OK,
        "Connected, with less than was asked for",
        lines,
        &target,
    )
}

fn sorry(app: &App, failed: Failed) -> Response {
    let problem = Problem::from(failed.error.clone());
    let status =
        StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let words = match status {
        StatusCode::INTERNAL_SERVER_ERROR => "something went wrong here".to_string(),
        _ => failed.error.to_string(),
    };
    let target = match failed.return_to.as_str() {
        "" => "/connections",
        path => path,
    };
    let target = format!("{}{target}", app.prefix());
    page(
        status,
        "Not connected",
        [words.as_str()].into_iter(),
        &target,
    )
}

fn page<'a>(
    status: StatusCode,
    title: &str,
    lines: impl Iterator<Item = &'a str>,
    target: &str,
) -> Response {
    let lines: String = lines
        .map(|line| format!("<p>{}</p>\n", escape(line)))
        .collect();
    let body = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }}</style>\n\
         <h1>{title}</h1>\n{lines}<p><a href=\"{}\">Go on</a></p>\n</html>\n",
        escape(target)
    );
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (status, kind, body).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
