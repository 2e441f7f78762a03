//! Where clients look before they know anything: RFC 6764 §5, and the places that Apple's clients try after it.

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

use crate::app::App;
use crate::wire::{ReplyBody, Response};

/// Well-known names and what they lead to; `None`: there is no such service here (RFC 6764 §5: CardDAV).
const WELL_KNOWN: &[(&str, Option<&str>)] = &[
    ("/.well-known/caldav", Some("/dav/")),
    ("/.well-known/carddav", None),
];

/// The answer to any method on a well-known name. The redirect carries a path only: clients drop credentials when scheme
/// or port of an absolute one differ from what they know, and behind proxies they do.
pub fn well_known(app: &App, path: &str) -> Option<Response> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let (_, target) = WELL_KNOWN.iter().find(|(name, _)| *name == path)?;
    let mut response = http::Response::new(ReplyBody::Empty);
    *response.status_mut() = StatusCode::NOT_FOUND;
    if let Some(target) = target
        && let Ok(location) = HeaderValue::try_from(format!("{}{target}", app.prefix()))
    {
        *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
        response.headers_mut().insert(LOCATION, location);
    }
    Some(response)
}

/// Places besides `/dav/` whose PROPFIND and OPTIONS are answered like a principal's (PRODUCT §3): Apple's clients ask
/// there, first without credentials.
pub fn is_principal_probe(path: &str) -> bool {
    let path = path.trim_matches('/');
    let mut parts = path.split('/');
    match parts.next() {
        Some("") => true,
        Some("principals") => parts.next().is_none(),
        Some("calendar") => {
            parts.next() == Some("dav")
                && parts.next().is_some()
                && parts.next() == Some("user")
                && parts.next().is_none()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principal_probes_are_those_of_apples_clients() {
        for (path, probe) in [
            ("/", true),
            ("/principals/", true),
            ("/principals", true),
            ("/calendar/dav/anna%40example.org/user/", true),
            ("/calendar/dav/anna/user", true),
            ("/calendar/dav/user/", false),
            ("/calendar/dav/anna/user/more", false),
            ("/principals/anna/", false),
            ("/index.html", false),
        ] {
            assert_eq!(is_principal_probe(path), probe, "{path}");
        }
    }
}
