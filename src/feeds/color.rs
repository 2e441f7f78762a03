//! Colours: Apple's `#rrggbbaa` and the names that COLOR takes (RFC 7986 §5.9: CSS3 names only).

/// CSS3 names that are far enough apart to stand for the others.
const NAMES: [(&str, [u8; 3]); 24] = [
    ("black", [0x00, 0x00, 0x00]),
    ("dimgray", [0x69, 0x69, 0x69]),
    ("silver", [0xc0, 0xc0, 0xc0]),
    ("white", [0xff, 0xff, 0xff]),
    ("maroon", [0x80, 0x00, 0x00]),
    ("red", [0xff, 0x00, 0x00]),
    ("tomato", [0xff, 0x63, 0x47]),
    ("orange", [0xff, 0xa5, 0x00]),
    ("gold", [0xff, 0xd7, 0x00]),
    ("yellow", [0xff, 0xff, 0x00]),
    ("olive", [0x80, 0x80, 0x00]),
    ("yellowgreen", [0x9a, 0xcd, 0x32]),
    ("green", [0x00, 0x80, 0x00]),
    ("limegreen", [0x32, 0xcd, 0x32]),
    ("mediumaquamarine", [0x66, 0xcd, 0xaa]),
    ("teal", [0x00, 0x80, 0x80]),
    ("turquoise", [0x40, 0xe0, 0xd0]),
    ("deepskyblue", [0x00, 0xbf, 0xff]),
    ("royalblue", [0x41, 0x69, 0xe1]),
    ("navy", [0x00, 0x00, 0x80]),
    ("mediumpurple", [0x93, 0x70, 0xdb]),
    ("purple", [0x80, 0x00, 0x80]),
    ("hotpink", [0xff, 0x69, 0xb4]),
    ("saddlebrown", [0x8b, 0x45, 0x13]),
];

/// `#rrggbb` of `#rrggbb` or `#rrggbbaa`, in lower case.
pub fn hex(color: &str) -> Option<String> {
    let digits = color.trim().strip_prefix('#')?;
    let valid = matches!(digits.len(), 6 | 8) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    valid.then(|| format!("#{}", digits[..6].to_ascii_lowercase()))
}

/// The name nearest to `#rrggbb`.
pub fn name(hex: &str) -> Option<&'static str> {
    let channel = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    let color = [channel(1)?, channel(3)?, channel(5)?];
    let distance = |other: &[u8; 3]| -> u32 {
        color
            .iter()
            .zip(other)
            .map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2))
            .sum()
    };
    NAMES
        .iter()
        .min_by_key(|(_, other)| distance(other))
        .map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apples_colours_get_the_nearest_name() {
        for (given, plain, nearest) in [
            ("#FF2968FF", "#ff2968", "tomato"),
            ("#0000ff", "#0000ff", "navy"),
            ("#1BADF8", "#1badf8", "deepskyblue"),
            ("#ffcc00", "#ffcc00", "gold"),
        ] {
            assert_eq!(hex(given).as_deref(), Some(plain));
            assert_eq!(name(plain), Some(nearest), "{given}");
        }
        for wrong in ["", "red", "#fff", "#gggggg", "#ää"] {
            assert_eq!(hex(wrong), None, "{wrong}");
        }
    }
}
