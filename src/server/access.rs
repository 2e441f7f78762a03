//! One line per request for the log, without anything that opens a door: no query, no secret path, no header.

use std::borrow::Cow;

use http::{Method, StatusCode};

use crate::config::AccessLog;

/// From this many seconds on a request is worth a line.
const SLOW: f64 = 1.0;

/// What the line says.
pub struct Entry<'e> {
    pub method: &'e Method,
    /// Without query.
    pub path: &'e str,
    pub status: StatusCode,
    pub seconds: f64,
    pub address: std::net::IpAddr,
}

pub fn write(wanted: AccessLog, entry: &Entry<'_>) {
    let throttled = entry.status == StatusCode::TOO_MANY_REQUESTS;
    let problem = entry.status.is_server_error() || throttled || entry.seconds >= SLOW;
    if wanted == AccessLog::None || (wanted == AccessLog::Problems && !problem) {
        return;
    }
    let Entry {
        method, address, ..
    } = entry;
    tracing::info!(
        status = entry.status.as_u16(),
        ms = (entry.seconds * 1e6).round() / 1e3,
        %address,
        "{method} {}",
        redacted(entry.path),
    );
}

/// Doors whose paths name nothing secret. Of every other path only the first segment is shown: the rest may be a feed's
/// token, mistyped or not.
const OPEN: &[&str] = &[
    "dav",
    "api",
    "freebusy",
    "principals",
    "calendar",
    ".well-known",
    "healthz",
    "readyz",
    "metrics",
    "robots.txt",
];

fn redacted(path: &str) -> Cow<'_, str> {
    let first = path.trim_start_matches('/');
    let first = first.split('/').next().unwrap_or_default();
    if OPEN.contains(&first) || path == "/" {
        return path.into();
    }
    // A token may stand in the wrong place, too: whatever is as long as one is not shown.
    let shown = if first.len() < 20 { first } else { "…" };
    match path.trim_start_matches('/').len() > first.len() {
        true => format!("/{shown}/…").into(),
        false => format!("/{shown}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_paths_are_not_shown() {
        for (path, shown) in [
            ("/", "/"),
            (
                "/dav/calendars/anna/work/a.ics",
                "/dav/calendars/anna/work/a.ics",
            ),
            ("/feeds/abcdefghijklmnopqrstuvwxyz234567.ics", "/feeds/…"),
            ("//feeds//abcdefghijklmnopqrstuvwxyz234567.ics", "/feeds/…"),
            ("/cal/feeds/abcdefghijklmnopqrstuvwxyz234567.ics", "/cal/…"),
            ("/abcdefghijklmnopqrstuvwxyz234567.ics", "/…"),
            ("/freebusy/anna", "/freebusy/anna"),
            ("/healthz", "/healthz"),
        ] {
            assert_eq!(redacted(path), shown, "{path}");
        }
    }
}
