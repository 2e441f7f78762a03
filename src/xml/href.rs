//! The one way this server spells a path in an `href`, a `Location` or a `Destination` it compares.
//!
//! RFC 3986 §6.2.2.2 lets a server encode more than it must, but some clients compare hrefs byte by
//! byte (Apple's wants `@` encoded always or never), so there is a single spelling: unreserved
//! characters, `(`, `)` and `/` as they are, every other octet as `%XX` with upper-case digits.

/// Appends `path` (decoded, UTF-8) in its canonical spelling.
pub fn write_path(path: &str, out: &mut Vec<u8>) {
    for &byte in path.as_bytes() {
        if KEPT[byte as usize] {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
}

/// `path` (decoded, UTF-8) in its canonical spelling.
pub fn encode_path(path: &str) -> String {
    let mut out = Vec::with_capacity(path.len() + 8);
    write_path(path, &mut out);
    out.into_iter().map(char::from).collect()
}

/// Undoes percent-encoding. `None` when an escape is malformed, the octets are not UTF-8, or a NUL
/// appears. A `%2F` comes out as `/`: split into segments first where that matters.
pub fn decode_path(text: &str) -> Option<String> {
    if !text.contains('%') {
        return (!text.contains('\0')).then(|| text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => unhex(bytes.next()?)? << 4 | unhex(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(out)
        .ok()
        .filter(|path| !path.contains('\0'))
}

const KEPT: [bool; 256] = {
    let mut kept = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        kept[byte] = b.is_ascii_alphanumeric()
            || matches!(b, b'-' | b'.' | b'_' | b'~' | b'/' | b'(' | b')');
        byte += 1;
    }
    kept
};

fn hex(digit: u8) -> u8 {
    match digit {
        0..=9 => b'0' + digit,
        _ => b'A' + digit - 10,
    }
}

fn unhex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_spelling() {
        for (decoded, encoded) in [
            ("/dav/calendars/alice/work/", "/dav/calendars/alice/work/"),
            ("/u/a@example.com/x y.ics", "/u/a%40example.com/x%20y.ics"),
            ("/é", "/%C3%A9"),
            ("/a%b#c?d&e<f>\"g'", "/a%25b%23c%3Fd%26e%3Cf%3E%22g%27"),
            ("/a(1)~_.-:;+=", "/a(1)~_.-%3A%3B%2B%3D"),
        ] {
            assert_eq!(encode_path(decoded), encoded);
            assert_eq!(decode_path(encoded).as_deref(), Some(decoded));
        }
    }

    #[test]
    fn malformed_escapes_are_refused() {
        for bad in ["%", "%4", "%zz", "%C3", "%00", "a\0b"] {
            assert_eq!(decode_path(bad), None, "{bad}");
        }
        assert_eq!(decode_path("/%e9%80%a0").as_deref(), Some("/造"));
    }
}
