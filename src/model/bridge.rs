//! Nouns of bridging: accounts at providers, their calendars, and the links that keep a local calendar in step with
//! one (PRODUCT words: connection, remote calendar, link).

use super::{CalendarId, ConnectionId, LinkId, PrincipalId, RemoteCalendarId};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$each])* $variant),+ }

        impl $name {
            /// Every one, in the order of its declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// As it is stored and as JSON says it.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }

            pub fn parse(text: &str) -> Option<$name> {
                match text { $($word => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// Which way changes travel.
    Direction {
        /// Theirs come here; ours stay here.
        Pull = "pull",
        /// Ours go there as mirrors; what is changed there is put back.
        Push = "push",
        Both = "both",
        /// As `Push`, but only when we are busy, with a fixed title.
        Busy = "busy",
    }
}

words! {
    /// How much of an event a mirror tells (PRODUCT §1, privacy level).
    Privacy { Full = "full", Titles = "titles", Busy = "busy" }
}

words! {
    /// Which edit wins where both sides changed the same field; the other one is kept in history.
    ConflictPolicy { Theirs = "theirs", Ours = "ours", Newest = "newest" }
}

words! {
    /// Whether guests of our events may become guests at the provider, which then mails them.
    GuestPolicy { Never = "never", Send = "send" }
}

words! {
    /// Whether a connection works.
    Health {
        Ok = "ok",
        /// Its grant is gone: the owner has to connect again. Nothing is polled meanwhile.
        Reconnect = "reconnect",
        /// It kept failing, or its owner paused it. Nothing is polled meanwhile.
        Paused = "paused",
        /// The application's registration is wrong (client secret, consent): the operator has to act.
        Operator = "operator",
    }
}

words! {
    /// Whether a link runs.
    LinkState {
        Active = "active",
        Paused = "paused",
        /// A run would delete so much that it was stopped: the owner has to say yes or no.
        Asking = "asking",
        /// Being taken away: mirrors and watches are still to be removed at the provider.
        Ending = "ending",
    }
}

/// An account at a provider. Its secrets are apart ([`crate::store::bridges`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    pub id: ConnectionId,
    pub owner: PrincipalId,
    /// Name of a row of [`crate::remote::PROVIDERS`].
    pub provider: String,
    /// The provider's own id of the account (`sub`, `oid`, principal address): compared on reconnect.
    pub account: String,
    /// The account's own address at the provider, mostly of mail.
    pub label: String,
    /// What its owner calls it; empty: as the label.
    pub name: String,
    pub health: Health,
    /// Why it is not `Ok`, in words for its owner.
    pub reason: String,
    /// OAuth scopes that were granted, separated by spaces.
    pub scopes: String,
    /// Seconds since 1970 UTC.
    pub created: i64,
    pub last_success: Option<i64>,
    /// Failures in a row; pauses the connection when there are too many.
    pub failures: i64,
    /// Not before then, whatever is due (Retry-After, backoff).
    pub not_before: i64,
}

/// A calendar of a connection, as the provider last described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCalendar {
    pub id: RemoteCalendarId,
    pub connection: ConnectionId,
    /// The provider's id, for CalDAV and ICS an absolute address.
    pub remote_id: String,
    pub name: String,
    /// `#RRGGBB`, or empty.
    pub color: String,
    /// IANA name, or empty.
    pub zone: String,
    pub writable: bool,
    pub primary: bool,
    /// Set when the provider stopped listing it.
    pub gone: bool,
    /// What the provider's folder wants to remember, as JSON (capabilities found out, default conference).
    pub extra: String,
}

/// A local calendar kept in step with a remote one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub id: LinkId,
    pub calendar: CalendarId,
    pub remote: RemoteCalendarId,
    pub connection: ConnectionId,
    pub direction: Direction,
    pub privacy: Privacy,
    /// Templates of mirrors ([`crate::ical::template`]); empty: the event's own text.
    pub title_template: String,
    pub description_template: String,
    /// New events of ours become events there; else only sessions that ask for it.
    pub auto_create: bool,
    /// Changes of ours are sent; else only on *sync now*.
    pub auto_update: bool,
    pub conflict: ConflictPolicy,
    pub guests: GuestPolicy,
    /// Seconds between two polls, the floor beside webhooks.
    pub interval: i64,
    pub state: LinkState,
    /// Errors of the last run, or what is asked, in words.
    pub reason: String,
    /// The provider's cursor (syncToken, deltaLink …); none: the next run reads everything.
    pub cursor: Option<Vec<u8>>,
    /// The local calendar's seq up to which its changes were taken in.
    pub local_seq: i64,
    pub last_sync: Option<i64>,
    pub next_sync: i64,
    /// Set by a webhook or *sync now* to the time it came; cleared by the run that began after it.
    pub poked: Option<i64>,
    pub created: i64,
}
