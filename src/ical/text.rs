//! Escapes of TEXT values and of parameter values, both ways. RFC 5545 §3.3.11, §3.2; RFC 6868.

use std::borrow::Cow;

/// Undoes the escapes of a TEXT. An escape that the RFC does not know loses its backslash before punctuation
/// (old exporters escape `:` and `"`) and is left alone before anything else (`C:\temp`).
pub fn unescape(raw: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', raw.as_bytes()) else {
        return Cow::Borrowed(raw);
    };
    let mut text = String::with_capacity(raw.len());
    text.push_str(&raw[..first]);
    let mut rest = raw[first..].chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match rest.next() {
            Some('n' | 'N') => text.push('\n'),
            Some(c) if c.is_ascii_punctuation() => text.push(c),
            Some(c) => text.extend(['\\', c]),
            None => text.push('\\'),
        }
    }
    Cow::Owned(text)
}

/// Escapes text for a TEXT value: backslash, semicolon, comma, line break. Other control characters are dropped.
pub fn escape(text: &str) -> String {
    let mut raw = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' | ';' | ',' => raw.extend(['\\', c]),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' => raw.push_str("\\n"),
            c if c.is_ascii_control() && c != '\t' => {}
            c => raw.push(c),
        }
    }
    raw
}

/// Splits a raw value at a separator that no backslash stands before: `,` for lists, `;` for the parts of a
/// structured value such as REQUEST-STATUS.
pub fn split(raw: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(raw);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut bytes = text.bytes().enumerate();
        while let Some((at, byte)) = bytes.next() {
            if byte == b'\\' {
                bytes.next();
            } else if byte == separator && byte.is_ascii() {
                rest = Some(&text[at + 1..]);
                return Some(&text[..at]);
            }
        }
        rest = None;
        Some(text)
    })
}

/// Where `wanted` first stands outside of double quotes. A quote that never closes does not hide anything.
pub(super) fn unquoted(text: &[u8], wanted: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        let next = at + memchr::memchr2(wanted, b'"', &text[at..])?;
        if text[next] == wanted {
            return Some(next);
        }
        match memchr::memchr(b'"', &text[next + 1..]) {
            Some(length) => at = next + length + 2,
            None => return memchr::memchr(wanted, &text[next..]).map(|found| next + found),
        }
    }
}

/// A parameter value without its quotes and with the circumflex escapes of RFC 6868 undone.
pub fn decode_param(raw: &str) -> Cow<'_, str> {
    let inner = raw.trim_ascii();
    let inner = inner
        .strip_prefix('"')
        .map_or(inner, |rest| rest.strip_suffix('"').unwrap_or(rest));
    if memchr::memchr(b'^', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        if c != '^' {
            text.push(c);
            continue;
        }
        let mut ahead = rest.clone();
        let decoded = match ahead.next() {
            Some('n') => '\n',
            Some('^') => '^',
            Some('\'') => '"',
            _ => {
                text.push('^');
                continue;
            }
        };
        text.push(decoded);
        rest = ahead;
    }
    Cow::Owned(text)
}

/// A parameter value for output: circumflex escapes for what quotes cannot hold (RFC 6868 §3.1), quotes where the
/// value has a colon, semicolon or comma, or a blank at an end. Other control characters are dropped.
pub fn encode_param(text: &str) -> String {
    let mut raw = String::with_capacity(text.len() + 2);
    let blank_ends = text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
    let quoted = blank_ends || text.contains([':', ';', ',']);
    if quoted {
        raw.push('"');
    }
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '^' => raw.push_str("^^"),
            '"' => raw.push_str("^'"),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' => raw.push_str("^n"),
            c if c.is_ascii_control() && c != '\t' => {}
            c => raw.push(c),
        }
    }
    if quoted {
        raw.push('"');
    }
    raw
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5545 §3.3.11, and escapes that it does not know.
    #[test]
    fn text_is_unescaped() {
        let cases = [
            (r"plain", "plain"),
            (
                r"Project XYZ Final Review\nConference Room - 3B\nCome Prepared.",
                "Project XYZ Final Review\nConference Room - 3B\nCome Prepared.",
            ),
            (r"a\, b\; c\\d\N", "a, b; c\\d\n"),
            (r"at 10\:00 \quot C:\temp\", "at 10:00 \\quot C:\\temp\\"),
        ];
        for (raw, text) in cases {
            assert_eq!(unescape(raw), text);
        }
        assert_eq!(
            escape("a, b; c\\d\r\ne\nf\u{0}\tg"),
            r"a\, b\; c\\d\ne\nf".to_owned() + "\tg"
        );
    }

    #[test]
    fn lists_are_split_where_no_backslash_stands() {
        assert_eq!(
            split(r"a,b\,c,\\,d", b',').collect::<Vec<_>>(),
            ["a", r"b\,c", r"\\", "d"]
        );
        assert_eq!(split("", b',').collect::<Vec<_>>(), [""]);
        assert_eq!(
            split("2.0;Success;é", b';').collect::<Vec<_>>(),
            ["2.0", "Success", "é"]
        );
    }

    /// RFC 6868 §3.
    #[test]
    fn parameters_are_encoded_with_circumflexes() {
        let cases = [
            ("plain", "plain"),
            ("George Herman \"Babe\" Ruth", "George Herman ^'Babe^' Ruth"),
            ("line\nbreak; and ^", "\"line^nbreak; and ^^\""),
            ("mailto:a@example.org", "\"mailto:a@example.org\""),
        ];
        for (text, raw) in cases {
            assert_eq!(encode_param(text), raw);
            assert_eq!(decode_param(raw), text);
        }
        assert_eq!(decode_param("a^x^"), "a^x^");
    }
}
