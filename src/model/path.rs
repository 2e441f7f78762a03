//! The one URL layout: what an address means, and how an address is written. PRODUCT §3 in code.
//!
//! Hrefs have one canonical percent-encoding: everything but RFC 3986 unreserved characters is encoded, `@` too.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What is left as it is in a path segment: RFC 3986 §2.3 unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A DAV resource's address, below the path prefix of `public_url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// `/dav/`
    Root,
    /// `/dav/principals/`
    Principals,
    /// `/dav/principals/{name}/`
    Principal(String),
    /// `/dav/principals/{name}/calendar-proxy-read/` or `…-write/` (caldav-proxy §5.1)
    Proxy {
        name: String,
        write: bool,
    },
    /// `/dav/calendars/`
    Homes,
    /// `/dav/calendars/{name}/`
    Home(String),
    Inbox(String),
    Outbox(String),
    Notifications(String),
    /// `/dav/calendars/{name}/{calendar}/`
    Calendar {
        name: String,
        slug: String,
    },
    /// `/dav/calendars/{name}/{calendar}/{object}`
    Object {
        name: String,
        slug: String,
        object: String,
    },
}

impl Path {
    /// Reads a request path (still percent-encoded, without query). `None`: no such place in the layout.
    /// A missing or doubled trailing slash of a collection is forgiven.
    pub fn parse(path: &str) -> Option<Path> {
        let rest = path.strip_prefix("/dav")?;
        if !rest.is_empty() && !rest.starts_with('/') {
            return None;
        }
        let mut parts = Vec::with_capacity(4);
        for part in rest.split('/').filter(|part| !part.is_empty()) {
            parts.push(decode(part)?);
        }
        let mut parts = parts.into_iter();
        let path = match parts.next().as_deref() {
            None => Path::Root,
            Some("principals") => match (parts.next(), parts.next()) {
                (None, _) => Path::Principals,
                (Some(name), None) => Path::Principal(name),
                (Some(name), Some(proxy)) => Path::Proxy {
                    name,
                    write: proxy_group(&proxy)?,
                },
            },
            Some("calendars") => match (parts.next(), parts.next(), parts.next()) {
                (None, ..) => Path::Homes,
                (Some(name), None, _) => Path::Home(name),
                (Some(name), Some(slug), None) => Path::child_of_home(name, slug),
                (Some(name), Some(slug), Some(object)) => Path::Object { name, slug, object },
            },
            Some(_) => return None,
        };
        parts.next().is_none().then_some(path)
    }

    fn child_of_home(name: String, slug: String) -> Path {
        match slug.as_str() {
            "inbox" => Path::Inbox(name),
            "outbox" => Path::Outbox(name),
            "notifications" => Path::Notifications(name),
            _ => Path::Calendar { name, slug },
        }
    }

    /// The canonical address, below the prefix. Collections end in a slash.
    pub fn print(&self) -> String {
        match self {
            Path::Root => "/dav/".into(),
            Path::Principals => "/dav/principals/".into(),
            Path::Principal(name) => format!("/dav/principals/{}/", encode(name)),
            Path::Proxy { name, write } => {
                format!(
                    "/dav/principals/{}/calendar-proxy-{}/",
                    encode(name),
                    if *write { "write" } else { "read" }
                )
            }
            Path::Homes => "/dav/calendars/".into(),
            Path::Home(name) => format!("/dav/calendars/{}/", encode(name)),
            Path::Inbox(name) => format!("/dav/calendars/{}/inbox/", encode(name)),
            Path::Outbox(name) => format!("/dav/calendars/{}/outbox/", encode(name)),
            Path::Notifications(name) => format!("/dav/calendars/{}/notifications/", encode(name)),
            Path::Calendar { name, slug } => {
                format!("/dav/calendars/{}/{}/", encode(name), encode(slug))
            }
            Path::Object { name, slug, object } => {
                format!(
                    "/dav/calendars/{}/{}/{}",
                    encode(name),
                    encode(slug),
                    encode(object)
                )
            }
        }
    }
}

fn proxy_group(segment: &str) -> Option<bool> {
    match segment {
        "calendar-proxy-read" => Some(false),
        "calendar-proxy-write" => Some(true),
        _ => None,
    }
}

/// One path segment, percent-encoded the canonical way.
pub fn encode(segment: &str) -> std::borrow::Cow<'_, str> {
    utf8_percent_encode(segment, SEGMENT).into()
}

/// One path segment, decoded. `None`: not UTF-8, or a character that no name may have (`/`, NUL, controls), or `.`/`..`.
pub fn decode(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    let bad = text.chars().any(|c| c == '/' || c.is_control()) || matches!(&*text, "." | "..");
    (!bad).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_a_parsed_path_gives_its_canonical_form() {
        for (given, canonical) in [
            ("/dav", "/dav/"),
            ("/dav/principals/anna", "/dav/principals/anna/"),
            (
                "/dav/principals/anna@example.org/",
                "/dav/principals/anna%40example.org/",
            ),
            (
                "/dav/principals/anna/calendar-proxy-read",
                "/dav/principals/anna/calendar-proxy-read/",
            ),
            (
                "/dav/calendars/anna%40example.org//work/",
                "/dav/calendars/anna%40example.org/work/",
            ),
            ("/dav/calendars/anna/inbox", "/dav/calendars/anna/inbox/"),
            (
                "/dav/calendars/anna/work/a b.ics",
                "/dav/calendars/anna/work/a%20b.ics",
            ),
            (
                "/dav/calendars/anna/work/%C3%BC.ics",
                "/dav/calendars/anna/work/%C3%BC.ics",
            ),
        ] {
            assert_eq!(
                Path::parse(given).map(|p| p.print()).as_deref(),
                Some(canonical),
                "{given}"
            );
        }
    }

    #[test]
    fn addresses_outside_the_layout_are_none() {
        for given in [
            "/",
            "/davx",
            "/dav/else/",
            "/dav/calendars/a/b/c/d",
            "/dav/calendars/a/b/%2e%2e",
            "/dav/calendars/a/%00/",
        ] {
            assert_eq!(Path::parse(given), None, "{given}");
        }
    }
}
