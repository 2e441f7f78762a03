//! Lines that go over from one text into another.

use crate::ical::tree::{Component, Property};
use crate::ical::value::When;
use crate::ical::write::{content_line, line_of};

/// A time with the parameter that it needs.
pub(super) fn time_line(name: &str, more: &[(String, String)], when: &When) -> String {
    let mut params: Vec<(&str, &str)> = more
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    params.extend(when.param());
    content_line(name, &params, &when.to_string())
}

/// A component's lines; `other` gives a line in the place of a property, or an empty text to leave it out.
pub(super) fn push_component(
    part: Component<'_>,
    lines: &mut String,
    other: &mut dyn FnMut(Property<'_>) -> Option<String>,
) {
    *lines += &content_line("BEGIN", &[], part.name());
    for property in part.properties() {
        *lines += &other(property).unwrap_or_else(|| line_of(property));
    }
    for child in part.children() {
        push_component(child, lines, other);
    }
    *lines += &content_line("END", &[], part.name());
}
