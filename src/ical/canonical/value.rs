//! One property as text that is the same whenever its meaning is: by the type of its value, its parameters sorted.

use super::times::Times;
use crate::ical::text;
use crate::ical::tree::{Component, Param, Property};
use crate::ical::value::{Duration, When};

/// How values are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    /// Unescaped.
    Text,
    /// A set of texts.
    Texts,
    /// As it stands: URIs, numbers with a dot, structured values.
    Raw,
    /// Whatever the case.
    Word,
    Number,
    /// A calendar address.
    Address,
    When,
    Duration,
    /// A duration or an instant.
    Trigger,
}

/// Properties whose value is no TEXT.
const TYPES: [(&str, Type); 33] = [
    ("CATEGORIES", Type::Texts),
    ("RESOURCES", Type::Texts),
    ("ATTENDEE", Type::Address),
    ("ORGANIZER", Type::Address),
    ("CALENDAR-ADDRESS", Type::Address),
    ("STATUS", Type::Word),
    ("CLASS", Type::Word),
    ("TRANSP", Type::Word),
    ("ACTION", Type::Word),
    ("BUSYTYPE", Type::Word),
    ("COLOR", Type::Word),
    ("PROXIMITY", Type::Word),
    ("PARTICIPANT-TYPE", Type::Word),
    ("X-MICROSOFT-CDO-BUSYSTATUS", Type::Word),
    ("X-MICROSOFT-CDO-IMPORTANCE", Type::Number),
    ("PRIORITY", Type::Number),
    ("PERCENT-COMPLETE", Type::Number),
    ("REPEAT", Type::Number),
    ("COMPLETED", Type::When),
    ("ACKNOWLEDGED", Type::When),
    ("DTSTART", Type::When),
    ("DTEND", Type::When),
    ("DURATION", Type::Duration),
    ("TRIGGER", Type::Trigger),
    ("URL", Type::Raw),
    ("ATTACH", Type::Raw),
    ("IMAGE", Type::Raw),
    ("CONFERENCE", Type::Raw),
    ("LINK", Type::Raw),
    ("SOURCE", Type::Raw),
    ("GEO", Type::Raw),
    ("REQUEST-STATUS", Type::Raw),
    ("CONCEPT", Type::Raw),
];

/// Values that say the same as none. RFC 5545 §3.8.
const DEFAULTS: [(&str, &str); 5] = [
    ("TRANSP", "OPAQUE"),
    ("CLASS", "PUBLIC"),
    ("PRIORITY", "0"),
    ("PERCENT-COMPLETE", "0"),
    ("REPEAT", "0"),
];

/// Parameters that say the same as none. RFC 5545 §3.2.
const PARAM_DEFAULTS: [(&str, &str); 6] = [
    ("CUTYPE", "INDIVIDUAL"),
    ("ROLE", "REQ-PARTICIPANT"),
    ("PARTSTAT", "NEEDS-ACTION"),
    ("RSVP", "FALSE"),
    ("RELATED", "START"),
    ("RELTYPE", "PARENT"),
];

/// Parameters that are seen in the value already, or are a server's notes (RFC 6638 §7).
const PARAM_IGNORED: [&str; 5] = [
    "TZID",
    "VALUE",
    "SCHEDULE-STATUS",
    "SCHEDULE-FORCE-SEND",
    "ENCODING",
];

/// Parameters whose values are words or addresses: whatever the case.
const PARAM_WORDS: [&str; 12] = [
    "CUTYPE",
    "ROLE",
    "PARTSTAT",
    "RSVP",
    "RELATED",
    "RELTYPE",
    "RANGE",
    "FBTYPE",
    "SENT-BY",
    "MEMBER",
    "DELEGATED-TO",
    "DELEGATED-FROM",
];

fn type_of(name: &str) -> Type {
    TYPES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map_or(Type::Text, |(_, kind)| *kind)
}

/// Is its value a set, so that several properties of the name are one?
pub(in crate::ical) fn is_set(name: &str) -> bool {
    type_of(name) == Type::Texts
}

/// A line for a property; `None` when it says no more than its absence.
pub(in crate::ical) fn meaning(
    part: Component<'_>,
    property: Property<'_>,
    times: &Times<'_>,
) -> Option<String> {
    let value = value(property, times);
    if value.is_empty() {
        return None;
    }
    let params = params(property);
    let confirmed = property.is("STATUS") && value == "CONFIRMED" && part.is("VEVENT");
    let says_nothing = confirmed
        || DEFAULTS
            .iter()
            .any(|(name, default)| property.is(name) && value == *default);
    if says_nothing && params.is_empty() {
        return None;
    }
    let name = property.name().to_ascii_uppercase();
    Some(format!("{name}{params}:{}", value.replace('\n', "\\n")))
}

/// The value alone.
pub(in crate::ical) fn value(property: Property<'_>, times: &Times<'_>) -> String {
    let raw = property.value();
    let raw = raw.trim_ascii();
    match type_of(property.name()) {
        Type::Text => property.text().replace("\r\n", "\n").trim_end().to_owned(),
        Type::Texts => elements(property).join(","),
        Type::Raw => raw.to_owned(),
        Type::Word => raw.to_ascii_uppercase(),
        Type::Number => raw.parse::<i64>().map_or(raw.to_owned(), |n| n.to_string()),
        Type::Address => address(raw),
        Type::When => match When::of(property) {
            Ok(when) => times.when(&when),
            Err(_) => raw.to_owned(),
        },
        Type::Duration => duration(raw).unwrap_or_else(|| raw.to_owned()),
        Type::Trigger => duration(raw)
            .or_else(|| When::of(property).ok().map(|when| times.when(&when)))
            .unwrap_or_else(|| raw.to_owned()),
    }
}

/// The texts of a set, sorted, each once.
pub(in crate::ical) fn elements(property: Property<'_>) -> Vec<String> {
    let mut texts: Vec<String> = text::split(&property.value(), b',')
        .map(|item| text::unescape(item).trim().to_owned())
        .filter(|item| !item.is_empty())
        .collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// A calendar address: mail addresses whatever the case and with or without their scheme.
pub(in crate::ical) fn address(raw: &str) -> String {
    let lower = raw.trim_ascii().to_ascii_lowercase();
    match lower.strip_prefix("mailto:") {
        None if !lower.contains(':') && lower.contains('@') => format!("mailto:{lower}"),
        _ => lower,
    }
}

/// Days and seconds: `PT24H` is not `P1D` (§3.3.6), `PT60M` is `PT1H`.
fn duration(raw: &str) -> Option<String> {
    let duration = Duration::parse(raw).ok()?;
    let (days, seconds) = (duration.nominal_days(), duration.exact_seconds());
    Some(format!("{days}d{seconds}s"))
}

/// The parameters with a meaning, sorted, each behind a semicolon.
pub(in crate::ical) fn params(property: Property<'_>) -> String {
    let mut params: Vec<String> = property
        .params()
        .filter_map(|param| param_of(&param))
        .collect();
    params.sort_unstable();
    params.concat()
}

/// One parameter; `None` when it says no more than its absence.
pub(in crate::ical) fn param_of(param: &Param<'_>) -> Option<String> {
    let name = param.name().to_ascii_uppercase();
    let among = |names: &[&str]| names.contains(&name.as_str());
    if among(&PARAM_IGNORED) || super::is_ours(&name) {
        return None;
    }
    let mut values: Vec<String> = param
        .values()
        .iter()
        .map(|value| match among(&PARAM_WORDS) {
            true => value.to_ascii_uppercase(),
            false => value.to_string(),
        })
        .collect();
    values.sort_unstable();
    let value = values.join("\u{1f}");
    let default = PARAM_DEFAULTS.contains(&(name.as_str(), value.as_str()));
    (!default && !value.is_empty()).then(|| format!(";{name}={value}"))
}
