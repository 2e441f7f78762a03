//! What an object means, as text that is the same whenever the meaning is: to tell whether two are the same event, and
//! to know one's own write when it comes back (FACTS §8, "compare canonical forms only").
//!
//! Order, folds, escapes, case of words, default values, `DTEND` or `DURATION`, spelling of zones and of rules make no
//! difference; nor do VTIMEZONEs and bookkeeping (DTSTAMP, SEQUENCE …, see [`is_bookkeeping`]). The reading of values
//! is in `value`, of times and rules in `times`; [`super::merge`] compares by the same.
//!
//! Left out: whether two rules make the same instances, beyond the usual ways to write one.

use std::fmt;

use sha2::{Digest, Sha256};

use super::object::Object;
use super::tree::{Component, Limits, Tree};

pub(in crate::ical) mod times;
pub(in crate::ical) mod value;

use times::Times;

/// Text that holds no object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no calendar object: {}", self.0)
    }
}

impl std::error::Error for Unreadable {}

/// The meaning of an object as lines of text, in an order of their own.
///
/// # Errors
/// When the text is not one object (master and overrides of one UID).
pub fn canonical(text: &[u8]) -> Result<String, Unreadable> {
    let tree = parse(text)?;
    let object = Object::read(&tree).map_err(|bad| Unreadable(bad.to_string()))?;
    let times = Times::of(&object);
    let mut parts: Vec<String> = object
        .components()
        .map(|part| component(part, &times))
        .collect();
    parts.sort_unstable();
    Ok(parts.concat())
}

/// SHA-256 of [`canonical`].
///
/// # Errors
/// As [`canonical`].
pub fn digest(text: &[u8]) -> Result<[u8; 32], Unreadable> {
    Ok(Sha256::digest(canonical(text)?.as_bytes()).into())
}

/// What is left of an entry's identity when its UID is new on every fetch (FACTS §7): start, end, title, rule and, in
/// an override, which instance. In hexadecimal.
pub fn fingerprint(part: Component<'_>) -> String {
    let times = Times::of_component(part);
    let title = part.property("SUMMARY");
    let title = title.map(|p| p.text().trim().to_owned());
    let what = [
        part.name().to_ascii_uppercase(),
        times.span(part).unwrap_or_default(),
        title.unwrap_or_default(),
        times.recurrence(part),
        times.instance(part).unwrap_or_default(),
    ];
    let sum = Sha256::digest(what.join("\n").as_bytes());
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(in crate::ical) fn parse(text: &[u8]) -> Result<Tree<'_>, Unreadable> {
    Tree::parse(text, &Limits::default()).map_err(|fault| Unreadable(fault.to_string()))
}

/// Properties that tell about the making of a text and not about the event: they differ between equals.
pub(in crate::ical) fn is_bookkeeping(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "DTSTAMP",
        "LAST-MODIFIED",
        "CREATED",
        "SEQUENCE",
        "PRODID",
        "X-MOZ-GENERATION",
        "X-LIC-ERROR",
        "X-CALENDARSERVER-DTSTAMP",
        "X-CALENDARSERVER-PRIVATE-COMMENT-TIMESTAMP",
    ];
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name)) || is_ours(name)
}

/// Is it a property that only we write?
pub(in crate::ical) fn is_ours(name: &str) -> bool {
    name.get(..10)
        .is_some_and(|head| head.eq_ignore_ascii_case("X-KALENDS-"))
}

/// A component's own lines and those of what is in it, each sorted.
pub(in crate::ical) fn component(part: Component<'_>, times: &Times<'_>) -> String {
    let mut lines = Vec::new();
    if times::is_timed(part) {
        lines.extend(times.span(part).map(|span| format!("WHEN:{span}")));
        lines.extend(Some(times.recurrence(part)).filter(|rules| !rules.is_empty()));
        let exdates = times.exdates(part);
        lines.extend(
            exdates
                .into_iter()
                .map(|key| format!("EXDATE:{}", times.print(key))),
        );
        lines.extend(times.instance(part).map(|id| format!("RECURRENCE-ID:{id}")));
    }
    for property in part.properties() {
        if times::is_time(part, property) || is_bookkeeping(property.name()) {
            continue;
        }
        if value::is_set(property.name()) {
            let name = property.name().to_ascii_uppercase();
            let elements = value::elements(property).into_iter();
            lines
                .extend(elements.map(|element| format!("{name}:{}", element.replace('\n', "\\n"))));
            continue;
        }
        lines.extend(value::meaning(part, property, times));
    }
    lines.sort_unstable();
    lines.dedup();
    let mut inside: Vec<String> = part
        .children()
        .filter(|child| !child.is("VTIMEZONE"))
        .map(|child| component(child, times))
        .collect();
    inside.sort_unstable();
    let name = part.name().to_ascii_uppercase();
    format!(
        "BEGIN:{name}\n{}{}END:{name}\n",
        lines
            .iter()
            .map(|line| line.clone() + "\n")
            .collect::<String>(),
        inside.concat()
    )
}

#[cfg(test)]
mod tests;
