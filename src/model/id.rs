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

const HEX: &[u8; 16] = b"0123456789abcdef";
