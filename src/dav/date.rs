//! Times as headers and properties write them: IMF-fixdate (RFC 9110 §5.6.7) and RFC 3339 (RFC 4918 §15.1).

use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};

/// `Sun, 06 Nov 1994 08:49:37 GMT`; nothing for a time outside the calendar.
pub fn http(seconds: i64) -> Option<String> {
    let time = Timestamp::from_second(seconds).ok()?;
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time)
        .ok()
}

/// `1997-12-01T17:42:21Z`
pub fn rfc3339(seconds: i64) -> Option<String> {
    Timestamp::from_second(seconds)
        .ok()
        .map(|time| time.to_string())
}

/// Reads an HTTP date; the two obsolete forms are not worth their code and count as unreadable.
pub fn parse(text: &str) -> Option<i64> {
    let time = DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    Some(time.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates_go_both_ways() {
        assert_eq!(
            http(784111777).as_deref(),
            Some("Sun, 06 Nov 1994 08:49:37 GMT")
        );
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784111777));
        assert_eq!(parse("06 Nov"), None);
        assert_eq!(http(i64::MAX), None);
        assert_eq!(rfc3339(880998141).as_deref(), Some("1997-12-01T17:42:21Z"));
    }
}
