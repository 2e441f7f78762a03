//! Calendars: collections of objects, and where they appear.

use super::{CalendarId, PrincipalId, Privileges};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarKind {
    Calendar,
    /// The calendar that sessions go to unless another one is named; every user has one.
    Sessions,
}

impl CalendarKind {
    pub fn as_str(self) -> &'static str {
        match self {
            CalendarKind::Calendar => "calendar",
            CalendarKind::Sessions => "sessions",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Calendar, Self::Sessions]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// Component types that a calendar takes (RFC 4791 §5.2.3), upper case, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentSet(pub Vec<String>);

impl ComponentSet {
    /// What objects may be made of at all.
    pub const KNOWN: [&str; 6] = [
        "VEVENT",
        "VTODO",
        "VJOURNAL",
        "VFREEBUSY",
        "VAVAILABILITY",
        "VPOLL",
    ];

    /// The set of a calendar that was created without naming one.
    pub fn standard() -> Self {
        ComponentSet(["VEVENT", "VTODO", "VJOURNAL"].map(String::from).into())
    }

    pub fn allows(&self, component: &str) -> bool {
        self.0.iter().any(|c| c.eq_ignore_ascii_case(component))
    }

    /// Comma separated, as stored.
    pub fn print(&self) -> String {
        self.0.join(",")
    }

    pub fn parse(text: &str) -> Self {
        ComponentSet(
            text.split(',')
                .filter(|c| !c.is_empty())
                .map(str::to_ascii_uppercase)
                .collect(),
        )
    }
}

/// A calendar as it is stored. Its name, colour and order are properties, since they differ per person.
#[derive(Clone, Debug)]
pub struct Calendar {
    pub id: CalendarId,
    pub owner: PrincipalId,
    /// The owner's name in addresses.
    pub owner_name: String,
    pub kind: CalendarKind,
    pub components: ComponentSet,
    /// Zone of floating times and dates: an IANA name, or a whole VTIMEZONE document; empty means UTC.
    pub timezone: String,
    /// schedule-calendar-transp: leaves its owner free (RFC 6638 §9.1).
    pub transparent: bool,
    /// Number of the last change of a member; the sync token and ctag are made of it.
    pub seq: i64,
    /// Number of the last change of a property.
    pub props_seq: i64,
    /// Sync numbers below this one are no longer answered.
    pub pruned_seq: i64,
    /// Members, and their bytes together.
    pub objects: i64,
    pub bytes: i64,
    /// Seconds since 1970 UTC.
    pub created: i64,
    pub modified: i64,
}

/// A calendar as one person sees it at one address.
#[derive(Clone, Debug)]
pub struct Bound {
    /// The principal whose home it appears in, and that home's name in addresses.
    pub home: PrincipalId,
    pub home_name: String,
    pub slug: String,
    pub calendar: Calendar,
    /// What the person asking may do with it.
    pub privileges: Privileges,
}

/// Slugs of a home that are not calendars.
pub const RESERVED_SLUGS: [&str; 3] = ["inbox", "outbox", "notifications"];
