//! Headers of feeds: conditions, coding, dates, and answers in plain text (RFC 9110).

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::auth::CHALLENGE;
use crate::model::Error;

/// A short answer for people.
pub fn plain(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    let mut reply = Response::new(Body::from(text.into()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// What an unknown, an expired and a revoked address get alike.
pub fn nothing() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "there is nothing at this address\n")
}

/// Another method than GET or HEAD.
pub fn not_allowed() -> Response<Body> {
    let mut reply = plain(
        StatusCode::METHOD_NOT_ALLOWED,
        "this address can be read, nothing else\n",
    );
    reply.headers_mut().insert(
        header::ALLOW,
        HeaderValue::from_static("GET, HEAD, OPTIONS"),
    );
    reply
}

/// OPTIONS.
pub fn options() -> Response<Body> {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply.headers_mut().insert(
        header::ALLOW,
        HeaderValue::from_static("GET, HEAD, OPTIONS"),
    );
    reply
}

/// An error of the layers below.
pub fn refusal(error: &Error) -> Response<Body> {
    let status = match error {
        Error::BadRequest(_) | Error::Invalid { .. } => StatusCode::BAD_REQUEST,
        Error::Unauthorized => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) | Error::Precondition { .. } => StatusCode::FORBIDDEN,
        Error::NotFound => return nothing(),
        Error::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::InsufficientStorage(_) => StatusCode::INSUFFICIENT_STORAGE,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(why) => {
            tracing::error!(%why, "internal error");
            return plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n");
        }
        _ => StatusCode::BAD_REQUEST,
    };
    let mut reply = plain(status, format!("{error}\n"));
    if status == StatusCode::UNAUTHORIZED {
        reply.headers_mut().insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(CHALLENGE),
        );
    }
    if let Error::Throttled { retry_after } = error {
        reply
            .headers_mut()
            .insert(header::RETRY_AFTER, (*retry_after).into());
    }
    reply
}

/// May the answer be gzip? Not to Microsoft's fetchers: Outlook.com failed on it (CLIENTS §7).
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    const NEVER: [&str; 5] = ["outlook", "exchange", "hotmail", "microsoft", "ms-office"];
    let agent = agent(headers).to_ascii_lowercase();
    let offered = headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let gzip = offered.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or("");
        let refused = parts.any(|p| {
            p.strip_prefix("q=")
                .is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0))
        });
        name.eq_ignore_ascii_case("gzip") && !refused
    });
    gzip && !NEVER.iter().any(|name| agent.contains(name))
}

/// `User-Agent`.
pub fn agent(headers: &HeaderMap) -> &str {
    headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("")
}

/// Which of our tags the client has, by `If-None-Match` (RFC 9110 §13.1.2: weak comparison).
pub fn has_tag<'t>(headers: &HeaderMap, tags: &[&'t str]) -> Option<&'t str> {
    let given = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    given
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .find_map(|one| {
            if one == "*" {
                return tags.first().copied();
            }
            let bare = one.strip_prefix("W/").unwrap_or(one).trim_matches('"');
            tags.iter().copied().find(|tag| *tag == bare)
        })
}

/// Does the client have this by `If-Modified-Since`? Only asked where there is no `If-None-Match` (§13.1.3).
pub fn is_fresh(headers: &HeaderMap, modified: i64) -> bool {
    let given = headers
        .get(header::IF_MODIFIED_SINCE)
        .and_then(|value| value.to_str().ok());
    let since = given.and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
    since.is_some_and(|since| modified <= since.timestamp().as_second())
}

/// IMF-fixdate (§5.6.7).
pub fn date(seconds: i64) -> Option<HeaderValue> {
    let at = jiff::Timestamp::from_second(seconds).ok()?;
    HeaderValue::try_from(at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn gzip_is_for_those_who_take_it() {
        for (accept, agent, taken) in [
            ("gzip, deflate", "Thunderbird", true),
            ("deflate, gzip;q=0.5", "", true),
            ("gzip;q=0", "", false),
            ("identity", "", false),
            ("gzip", "Microsoft Exchange/15.20", false),
            ("gzip", "Microsoft Office/16.0 (Outlook)", false),
        ] {
            let headers = headers(&[
                (header::ACCEPT_ENCODING, accept),
                (header::USER_AGENT, agent),
            ]);
            assert_eq!(takes_gzip(&headers), taken, "{accept} {agent}");
        }
    }

    #[test]
    fn dates_go_out_and_come_back() {
        assert_eq!(date(784_111_777).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
        let given = headers(&[(header::IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:37 GMT")]);
        assert!(is_fresh(&given, 784_111_777) && !is_fresh(&given, 784_111_778));
    }

    #[test]
    fn tags_are_compared_weakly() {
        for (given, found) in [
            ("\"a\"", Some("a")),
            ("W/\"b\", \"x\"", Some("b")),
            ("*", Some("a")),
            ("\"c\"", None),
        ] {
            assert_eq!(
                has_tag(&headers(&[(header::IF_NONE_MATCH, given)]), &["a", "b"]),
                found,
                "{given}"
            );
        }
    }
}
