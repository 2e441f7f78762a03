//! Building addresses: path segments and query values percent-encoded (RFC 3986 §2.3: all but unreserved).

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An address under a provider's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    text: String,
    query: bool,
}

impl Address {
    /// `root` is a whole address; a slash at its end does not count.
    pub fn new(root: &str) -> Address {
        Address {
            text: root.trim_end_matches('/').to_owned(),
            query: root.contains('?'),
        }
    }

    /// Adds path text that is known to be clean: `users/me/calendarList`.
    pub fn path(mut self, fixed: &str) -> Address {
        self.text.push('/');
        self.text.push_str(fixed);
        self
    }

    /// Adds one segment of the path, whatever characters it has.
    pub fn segment(mut self, segment: &str) -> Address {
        self.text.push('/');
        self.encoded(segment);
        self
    }

    /// Adds a query parameter.
    pub fn query(mut self, name: &str, value: &str) -> Address {
        self.text.push(if self.query { '&' } else { '?' });
        self.query = true;
        self.encoded(name);
        self.text.push('=');
        self.encoded(value);
        self
    }

    fn encoded(&mut self, text: &str) {
        // writing to a string does not fail
        let _ = write!(self.text, "{}", utf8_percent_encode(text, RESERVED));
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        let address = Address::new("https://api.example/v3/")
            .path("calendars")
            .segment("de.german#holiday@group.v.calendar/é")
            .query("a", "1 &2")
            .query("sync token", "x=");
        assert_eq!(
            address.as_str(),
            "https://api.example/v3/calendars/de.german%23holiday%40group.v.calendar%2F%C3%A9?a=1%20%262&sync%20token=x%3D"
        );
    }
}
