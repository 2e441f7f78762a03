//! Streams from before everything was UTF-8 (RFC 5545 §3.1.4 has no other charset any more): for import alone, where
//! the alternative is to refuse a person's old calendar. What clients PUT is never guessed at.

use std::borrow::Cow;

use super::property::unfold_bytes;

/// The bytes as UTF-8: as they are where they are that (also with folds inside characters), read as UTF-16 behind its
/// byte order mark, and otherwise with every stray byte read as windows-1252, which old exporters wrote.
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
