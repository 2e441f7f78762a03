//! Bytes that are not plainly UTF-8: objects that are so only when unfolded, and streams from before everything was.
//! RFC 5545 §3.1, §3.1.4.

use std::borrow::Cow;

use super::property::unfold_bytes;

/// A stored object as text, for XML and JSON. RFC 5545 §3.1 lets a fold lie inside a character; such a fold is taken
/// out here, since no other format can carry the halves. Everything else is as it is.
pub fn as_text(object: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(object) {
        return Cow::Borrowed(text);
    }
    let mut whole = Vec::with_capacity(object.len());
    let mut rest = object;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        let crs = rest[at..].iter().take_while(|byte| **byte == b'\r').count();
        let end = at + crs + usize::from(rest.get(at + crs) == Some(&b'\n'));
        whole.extend_from_slice(&rest[..at]);
        if let (true, [b' ' | b'\t', after @ ..]) = (ends_inside_a_character(&whole), &rest[end..])
        {
            rest = after;
        } else {
            whole.extend_from_slice(&rest[at..end]);
            rest = &rest[end..];
        }
    }
    whole.extend_from_slice(rest);
    match String::from_utf8(whole) {
        Ok(text) => Cow::Owned(text),
        Err(bad) => Cow::Owned(String::from_utf8_lossy(bad.as_bytes()).into_owned()),
    }
}

/// Does the last lead byte ask for more bytes than follow it?
fn ends_inside_a_character(text: &[u8]) -> bool {
    let lead = (1..=3)
        .zip(text.iter().rev())
        .find(|(_, byte)| **byte & 0xC0 != 0x80);
    lead.is_some_and(|(length, byte)| *byte >= 0xC0 && byte.leading_ones() > length)
}

/// A stream to import as UTF-8: as it is where it is that (also with folds inside characters), read as UTF-16 behind a
/// byte order mark, and otherwise with every stray byte read as windows-1252, which old exporters wrote. For import
/// alone, where the alternative is to refuse a person's old calendar: what clients PUT is never guessed at.
pub fn to_utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)),
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)),
        _ if std::str::from_utf8(bytes).is_ok() => Cow::Borrowed(bytes),
        _ if lines_are_utf8(bytes) => Cow::Borrowed(bytes),
        _ => Cow::Owned(windows_1252(bytes)),
    }
}

/// Is it UTF-8 once its folds are taken out? Taking out the line endings too makes no difference to that.
fn lines_are_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(&unfold_bytes(bytes)).is_ok()
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let chars = char::decode_utf16(units).map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER));
    chars.collect::<String>().into_bytes()
}

/// What windows-1252 has at 0x80–0x9F; the rest is Latin-1, which is Unicode's own first page.
const HIGH: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

fn windows_1252(bytes: &[u8]) -> Vec<u8> {
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let high = HIGH.get(usize::from(byte.wrapping_sub(0x80)));
            text.push(high.copied().unwrap_or(char::from(*byte)));
        }
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_inside_characters_are_taken_out_and_no_others() {
        let folded =
            b"SUMMARY:Caf\xC3\r\n \xA9 \xF0\x9F\n\t\r\n \x98\r \x80 and\r\n  on\r\nX:1\r\n";
        assert_eq!(as_text(folded), "SUMMARY:Café 😀 and\r\n  on\r\nX:1\r\n");
        assert!(matches!(as_text(b"X:\r\n 1"), Cow::Borrowed("X:\r\n 1")));
        assert_eq!(as_text(b"X:\xFF\r\n"), "X:\u{fffd}\r\n");
    }

    #[test]
    fn old_streams_become_utf8_and_others_stay_as_they_are() {
        let utf16: Vec<u8> = "\u{feff}Café 😀"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let big: Vec<u8> = "\u{feff}Café 😀"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        let cases: [(&[u8], &str); 4] = [
            (b"Caf\xE9 \x80 \x93quoted\x94 \xC3\xA9", "Café € “quoted” é"),
            (&utf16, "Café 😀"),
            (&big, "Café 😀"),
            ("Café".as_bytes(), "Café"),
        ];
        for (bytes, text) in cases {
            assert_eq!(std::str::from_utf8(&to_utf8(bytes)).unwrap(), text);
        }
        let folded = b"SUMMARY:Caf\xC3\r\n \xA9!\r\nX:1\r\n";
        assert!(matches!(to_utf8(folded), Cow::Borrowed(same) if same == folded));
    }
}
