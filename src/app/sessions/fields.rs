//! The fields of a session as programs send and get them (PRODUCT §6). Which VEVENT property each one is, is said
//! beside it; [`super::view`] reads them, [`super::edit`] writes them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What a program may say of a session. `null` and absence are the same: the session has no such thing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fields {
    /// SUMMARY.
    pub title: Option<String>,
    /// DESCRIPTION.
    pub description: Option<String>,
    /// DTSTART. RFC 3339 with `Z` or an offset; or without either, then in `timezone`; a date when `all_day`.
    #[schema(example = "2026-11-20T08:00:00Z")]
    pub start: Option<String>,
    /// DTEND, in the forms of `start`; the date after the last day when `all_day`.
    #[schema(example = "2026-11-20T09:00:00Z")]
    pub end: Option<String>,
    /// TZID of both: an IANA name. `UTC` when absent.
    #[schema(example = "Europe/Berlin")]
    pub timezone: Option<String>,
    /// Whether start and end are dates.
    pub all_day: bool,
    /// LOCATION.
    pub location: Option<String>,
    /// CONFERENCE (RFC 7986 §5.11): the address to join at, a URI. Or `auto`, `meet` or `teams`: the linked calendar
    /// that can shall make one, whose address is here once that has happened.
    #[schema(example = "https://meet.example.org/abc")]
    pub conference: Option<String>,
    /// ATTENDEE.
    pub attendees: Vec<Attendee>,
    /// VALARM.
    pub reminders: Vec<Reminder>,
    /// CLASS.
    pub class: Class,
    /// TRANSP: leaves its people free.
    pub transparent: bool,
    /// RRULE, RDATE, EXDATE and EXRULE, a content line each, as `RRULE:FREQ=WEEKLY;COUNT=5`.
    pub recurrence: Vec<String>,
    /// STRUCTURED-DATA (RFC 9073 §6.6): free JSON.
    #[schema(value_type = Option<Object>)]
    pub config: Option<Value>,
    /// PARTICIPANT (RFC 9073 §7.1): whom the session is for.
    pub client: Option<Client>,
    /// LINK (RFC 9253 §8.2).
    pub links: Vec<Link>,
    /// STATUS and X-KALENDS-STATUS.
    pub status: Status,
    /// Whether the session goes to linked calendars: `false`, `true`, or the ids of the links.
    pub sync: Sync,
}

/// One ATTENDEE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Attendee {
    /// The mail address; another kind of calendar user address is given whole (`urn:uuid:…`).
    pub email: String,
    /// CN.
    #[serde(default)]
    pub name: Option<String>,
    /// ROLE.
    #[serde(default)]
    pub role: Role,
    /// PARTSTAT.
    #[serde(default)]
    pub status: Answer,
    /// RSVP.
    #[serde(default)]
    pub rsvp: bool,
}

/// ROLE of an attendee (RFC 5545 §3.2.16).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Chair,
    #[default]
    Required,
    Optional,
    NonParticipant,
}

/// PARTSTAT of an attendee (RFC 5545 §3.2.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    #[default]
    NeedsAction,
    Accepted,
    Declined,
    Tentative,
    Delegated,
}

/// One VALARM, before or after the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(from = "ReminderForms")]
pub struct Reminder {
    /// Minutes before the start; negative: after it.
    pub minutes: i64,
    pub action: Action,
}

/// ACTION of a reminder (RFC 5545 §3.8.6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    #[default]
    Display,
    Email,
    Audio,
}

/// A reminder may be a bare number of minutes.
#[derive(Deserialize)]
#[serde(untagged)]
enum ReminderForms {
    Minutes(i64),
    Whole {
        minutes: i64,
        #[serde(default)]
        action: Action,
    },
}

impl From<ReminderForms> for Reminder {
    fn from(form: ReminderForms) -> Reminder {
        match form {
            ReminderForms::Minutes(minutes) => Reminder {
                minutes,
                action: Action::Display,
            },
            ReminderForms::Whole { minutes, action } => Reminder { minutes, action },
        }
    }
}

/// CLASS (RFC 5545 §3.8.1.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    #[default]
    Public,
    Private,
    Confidential,
}

/// Whom a session is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Client {
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
}

/// One LINK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Where to: a URI.
    pub href: String,
    /// LINKREL: a registered relation or a URI.
    #[serde(default = "related")]
    pub rel: String,
    /// LABEL.
    #[serde(default)]
    pub title: Option<String>,
}

fn related() -> String {
    "related".to_string()
}

/// The state of a session or of one occurrence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Scheduled,
    Tentative,
    InProgress,
    Completed,
    NoShow,
    Cancelled,
}

impl Status {
    /// Each state: its name here, STATUS, and X-KALENDS-STATUS where STATUS cannot say it.
    pub const TABLE: [(Status, &'static str, &'static str, Option<&'static str>); 6] = [
        (Status::Scheduled, "scheduled", "CONFIRMED", None),
        (Status::Tentative, "tentative", "TENTATIVE", None),
        (
            Status::InProgress,
            "in_progress",
            "CONFIRMED",
            Some("IN-PROGRESS"),
        ),
        (
            Status::Completed,
            "completed",
            "CONFIRMED",
            Some("COMPLETED"),
        ),
        (Status::NoShow, "no_show", "CONFIRMED", Some("NO-SHOW")),
        (Status::Cancelled, "cancelled", "CANCELLED", None),
    ];

    /// From the two properties. STATUS decides; without it, or with a word of another component, it is CONFIRMED.
    pub fn from_properties(status: Option<&str>, ours: Option<&str>) -> Status {
        let same = |a: &str, b: Option<&str>| b.is_some_and(|b| a.eq_ignore_ascii_case(b.trim()));
        Self::TABLE
            .iter()
            .find(|row| row.2 != "CONFIRMED" && same(row.2, status))
            .or_else(|| {
                Self::TABLE
                    .iter()
                    .find(|row| row.3.is_some_and(|own| same(own, ours)))
            })
            .map_or(Status::Scheduled, |row| row.0)
    }

    pub fn parse(name: &str) -> Option<Status> {
        Self::TABLE
            .iter()
            .find(|row| row.1 == name)
            .map(|row| row.0)
    }

    pub fn as_str(self) -> &'static str {
        self.row().1
    }

    /// STATUS and X-KALENDS-STATUS.
    pub fn properties(self) -> (&'static str, Option<&'static str>) {
        let row = self.row();
        (row.2, row.3)
    }

    fn row(self) -> &'static (Status, &'static str, &'static str, Option<&'static str>) {
        Self::TABLE
            .iter()
            .find(|row| row.0 == self)
            .unwrap_or(&Self::TABLE[0])
    }
}

/// Which linked calendars a session goes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Sync {
    /// To all of its calendar's links, or to none.
    All(bool),
    /// To these, by their ids.
    Links(#[serde(deserialize_with = "names")] Vec<String>),
}

/// Ids as texts or as numbers.
fn names<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Name {
        Text(String),
        Number(i64),
    }
    let names = Vec::<Name>::deserialize(from)?;
    Ok(names
        .into_iter()
        .map(|name| match name {
            Name::Text(text) => text,
            Name::Number(number) => number.to_string(),
        })
        .collect())
}

impl Default for Sync {
    fn default() -> Self {
        Sync::All(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn states_are_two_properties_and_back() {
        for (state, name, status, ours) in Status::TABLE {
            assert_eq!(Status::from_properties(Some(status), ours), state);
            assert_eq!(Status::parse(name), Some(state));
            assert_eq!(json!(state), json!(name));
        }
        for (status, ours, state) in [
            (None, None, Status::Scheduled),
            (None, Some("completed"), Status::Completed),
            (Some("CANCELLED"), Some("COMPLETED"), Status::Cancelled),
            (Some("cancelled "), None, Status::Cancelled),
            (Some("NEEDS-ACTION"), Some("X"), Status::Scheduled),
        ] {
            assert_eq!(
                Status::from_properties(status, ours),
                state,
                "{status:?} {ours:?}"
            );
        }
    }
}
