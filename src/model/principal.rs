//! Principals: users, groups and resources (RFC 3744 §2).

use super::PrincipalId;

/// What a principal is; the words of `CALENDAR-USER-TYPE` are derived from it (RFC 6638 §2.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    User,
    Group,
    Resource,
}

impl PrincipalKind {
    pub fn as_str(self) -> &'static str {
        match self {
            PrincipalKind::User => "user",
            PrincipalKind::Group => "group",
            PrincipalKind::Resource => "resource",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Group, Self::Resource]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// One principal as it is stored.
#[derive(Clone, Debug)]
pub struct Principal {
    pub id: PrincipalId,
    pub kind: PrincipalKind,
    /// The name in addresses: `[a-z0-9._@-]`. May change; the id does not.
    pub name: String,
    pub display_name: String,
    /// Mail addresses in lower case, the one shown first.
    pub addresses: Vec<String>,
    pub admin: bool,
    /// DAV then takes app passwords only.
    pub second_factor: bool,
    /// Number of the last change to which calendars are bound in the home.
    pub seq: i64,
    /// Seconds since 1970 UTC.
    pub created: i64,
    /// Since when switched off, seconds since 1970 UTC.
    pub disabled: Option<i64>,
}

/// Whether `name` can be a principal's name: `[a-z0-9._@-]`, 1 to 64 characters, not only dots.
pub fn valid_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'@' | b'-'))
        && name.bytes().any(|b| b != b'.')
}
