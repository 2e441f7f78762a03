//! Ids inside (numbers that never change) and entity tags.

use std::fmt;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

id! {
    /// A user, group or resource.
    PrincipalId,
    /// A calendar, whatever homes it is bound in.
    CalendarId,
    /// A calendar object resource.
    ObjectId,
    /// An app password or an API token.
    CredentialId,
    /// A secret feed address.
    FeedId,
    /// An account at a provider.
    ConnectionId,
    /// A calendar of a connection.
    RemoteCalendarId,
    /// A local calendar kept in step with a remote one.
    LinkId,
    /// One sync run of a link.
    RunId,
}

/// A strong entity tag without its quotes (RFC 9110 §8.8.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Etag(pub String);

impl Etag {
    /// The tag of these bytes: the first 128 bits of their SHA-256, so equal bytes have equal tags.
    pub fn of(bytes: &[u8]) -> Etag {
        use sha2::Digest;
        let sum = sha2::Sha256::digest(bytes);
        let mut tag = String::with_capacity(32);
        for byte in &sum[..16] {
            tag.push(char::from(HEX[usize::from(byte >> 4)]));
            tag.push(char::from(HEX[usize::from(byte & 15)]));
        }
        Etag(tag)
    }

    /// With quotes, as in the `ETag` header and `DAV:getetag`.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

/// The text of a UUID of this version, over 128 bits that are random or a hash's (RFC 9562 §4, §5.4, §5.8).
pub fn uuid(mut bytes: [u8; 16], version: u8) -> String {
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
    text
}

/// A UUID made of a hash of `seed`: the same seed gives the same one.
pub fn uuid_of(seed: &str) -> String {
    use sha2::Digest;
    let sum = sha2::Sha256::digest(seed.as_bytes());
    uuid(std::array::from_fn(|at| sum[at]), 8)
}

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_their_version_and_variant() {
        assert_eq!(uuid([0xff; 16], 4), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16], 8), "00000000-0000-8000-8000-000000000000");
        assert_eq!(uuid_of("x"), uuid_of("x"));
        assert_ne!(uuid_of("x"), uuid_of("y"));
    }
}
