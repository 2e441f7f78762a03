//! The `DAV` header: what is implemented, and nothing else. Clients switch whole parts of themselves on by these words.

use std::sync::LazyLock;

use http::HeaderValue;

/// A word of the `DAV` header.
pub struct Feature {
    pub name: &'static str,
    pub spec: &'static str,
}

const fn feature(name: &'static str, spec: &'static str) -> Feature {
    Feature { name, spec }
}

/// Absent on purpose: `2` (no locks), `calendar-auto-schedule` and `calendar-schedule` (nothing is delivered yet),
/// `calendar-proxy` (its groups answer, and are empty, but nobody can be put into them).
pub static FEATURES: &[Feature] = &[
    feature("1", "RFC 4918 §18.1"),
    feature("3", "RFC 4918 §18.3"),
    feature("access-control", "RFC 3744 §7.2"),
    feature("calendar-access", "RFC 4791 §5.1"),
    feature("extended-mkcol", "RFC 5689 §3.1"),
    feature("calendarserver-principal-search", "CalendarServer"),
    feature("calendarserver-principal-property-search", "CalendarServer"),
    feature("calendarserver-home-sync", "CalendarServer"),
    feature("calendar-default-alarms", "CalendarServer"),
];

/// The header's value.
pub fn header() -> HeaderValue {
    static VALUE: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
        let words: Vec<&str> = FEATURES.iter().map(|feature| feature.name).collect();
        HeaderValue::try_from(words.join(", ")).ok()
    });
    VALUE.clone().unwrap_or(HeaderValue::from_static("1"))
}
