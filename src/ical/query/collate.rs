//! Collations for text-match: RFC 4791 §7.5.1, §9.7.5, RFC 4790 §9.2–9.3, RFC 5051.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// How texts are compared. Folding both sides and comparing octets is the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collation {
    /// `i;ascii-casemap`: the letters of ASCII regardless of case; the default.
    AsciiCasemap,
    /// `i;octet`: as they are.
    Octet,
    /// `i;unicode-casemap`: regardless of case and of how characters are composed.
    UnicodeCasemap,
}

impl Collation {
    /// Those that `CALDAV:supported-collation-set` lists.
    pub const ALL: [Collation; 3] = [
        Collation::AsciiCasemap,
        Collation::Octet,
        Collation::UnicodeCasemap,
    ];

    /// Its registered name.
    pub fn name(self) -> &'static str {
        match self {
            Collation::AsciiCasemap => "i;ascii-casemap",
            Collation::Octet => "i;octet",
            Collation::UnicodeCasemap => "i;unicode-casemap",
        }
    }

    /// The collation with this name; `default` (RFC 4790 §3.1) is ours to choose.
    pub fn from_name(name: &str) -> Option<Collation> {
        match name {
            "default" => Some(Collation::AsciiCasemap),
            _ => Collation::ALL
                .into_iter()
                .find(|known| known.name() == name),
        }
    }

    /// The text in a form that is equal octet by octet where the texts are equal.
    pub fn fold(self, text: &str) -> Cow<'_, str> {
        match self {
            Collation::Octet => Cow::Borrowed(text),
            Collation::AsciiCasemap => ascii_lower(text),
            Collation::UnicodeCasemap if text.is_ascii() => ascii_lower(text),
            Collation::UnicodeCasemap => Cow::Owned(casemap(text)),
        }
    }
}

fn ascii_lower(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

/// RFC 5051 §2 wants title case, then decomposition. Upper case tells the same letters apart, and
/// going down afterwards keeps ASCII in agreement with [`ascii_lower`].
fn casemap(text: &str) -> String {
    text.chars()
        .flat_map(char::to_uppercase)
        .nfkd()
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_under_each_collation() {
        let cases = [
            ("Abc", "aBC", [true, false, true]),
            ("abc", "abc", [true, true, true]),
            ("É", "é", [false, false, true]),
            ("e\u{301}", "\u{e9}", [false, false, true]),
            ("ﬁn", "FIN", [false, false, true]),
            ("Straße", "STRASSE", [false, false, true]),
            ("Σίσυφος", "ΣΊΣΥΦΟΣ", [false, false, true]),
            ("é", "e", [false, false, false]),
        ];
        for (left, right, expected) in cases {
            let equal =
                Collation::ALL.map(|collation| collation.fold(left) == collation.fold(right));
            assert_eq!(equal, expected, "{left} {right}");
        }
    }

    #[test]
    fn names_are_those_registered() {
        for collation in Collation::ALL {
            assert_eq!(Collation::from_name(collation.name()), Some(collation));
        }
        assert_eq!(
            Collation::from_name("default"),
            Some(Collation::AsciiCasemap)
        );
        assert_eq!(Collation::from_name("i;ascii-numeric"), None);
    }
}
