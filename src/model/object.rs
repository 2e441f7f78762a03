//! Calendar object resources, and the conditions and origin of a write.

use super::{CalendarId, Etag, ObjectId, PrincipalId};

/// What listings say of an object: everything but its text.
#[derive(Clone, Debug)]
pub struct Member {
    pub id: ObjectId,
    pub name: String,
    pub uid: String,
    /// VEVENT, VTODO …
    pub component: String,
    pub etag: Etag,
    pub schedule_tag: Option<String>,
    /// The calendar's seq of its last change.
    pub seq: i64,
    pub size: i64,
    /// Seconds since 1970 UTC.
    pub created: i64,
    pub modified: i64,
}

/// An object with its text, exactly as stored.
#[derive(Clone, Debug)]
pub struct StoredObject {
    pub calendar: CalendarId,
    pub member: Member,
    pub body: Vec<u8>,
}

/// Conditions of a write on the object's present state; checked again under the calendar's lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// `If-Match`: one of these tags (without quotes), or `*` = anything that exists.
    pub if_match: Option<Tags>,
    /// `If-None-Match`: none of these tags, or `*` = nothing there.
    pub if_none_match: Option<Tags>,
    /// `If-Schedule-Tag-Match` (RFC 6638 §3.2.10), without quotes.
    pub schedule_tag: Option<String>,
}

/// The value of a conditional header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    Any,
    List(Vec<String>),
}

impl Tags {
    fn has(&self, etag: &Etag) -> bool {
        match self {
            Tags::Any => true,
            Tags::List(tags) => tags.contains(&etag.0),
        }
    }
}

impl Guard {
    /// Whether a write may go on; `now` is the object's present tag and schedule tag, if it exists.
    pub fn holds(&self, now: Option<(&Etag, Option<&str>)>) -> bool {
        let matched = |tags: &Tags| now.is_some_and(|(etag, _)| tags.has(etag));
        self.if_match.as_ref().is_none_or(matched)
            && !self.if_none_match.as_ref().is_some_and(matched)
            && self
                .schedule_tag
                .as_deref()
                .is_none_or(|tag| now.is_some_and(|(_, present)| present == Some(tag)))
    }
}

/// Which front door a write came through; kept in the history and used against echoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Caldav,
    Api,
    Import,
    Restore,
    /// A write that brings a remote calendar's change: never sent back, never a scheduling message.
    Bridge,
}

impl Door {
    pub fn as_str(self) -> &'static str {
        match self {
            Door::Caldav => "caldav",
            Door::Api => "api",
            Door::Import => "import",
            Door::Restore => "restore",
            Door::Bridge => "bridge",
        }
    }
}

/// Who writes, through which door.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    pub who: PrincipalId,
    pub door: Door,
}
