//! What their errors mean. FACTS §2.7: by status and `reason`, never by message.

use bytes::Bytes;
use http::Response;
use serde_json::Value;

use super::wire::{self, Json};
use crate::remote::{Account, Fault, Refusal};

/// What was asked decides what an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A listing of a calendar's events.
    Listing,
    Reading,
    Writing,
}

/// What a reason of theirs means.
#[derive(Clone, Copy)]
enum Means {
    Slow,
    Scope,
    Operator,
    Organizer,
    Forbidden,
    Full,
    Gone,
    Again,
}

/// Reasons, whatever status they come with. Those that are not here go by their status.
const REASONS: &[(&str, Means)] = &[
    ("rateLimitExceeded", Means::Slow),
    ("userRateLimitExceeded", Means::Slow),
    ("quotaExceeded", Means::Slow),
    ("dailyLimitExceeded", Means::Slow),
    ("insufficientPermissions", Means::Scope),
    ("ACCESS_TOKEN_SCOPE_INSUFFICIENT", Means::Scope),
    ("accessNotConfigured", Means::Operator),
    ("SERVICE_DISABLED", Means::Operator),
    ("forbiddenForNonOrganizer", Means::Organizer),
    ("forbidden", Means::Forbidden),
    ("requiredAccessLevel", Means::Forbidden),
    ("fullSyncRequired", Means::Full),
    ("updatedMinTooLongAgo", Means::Full),
    ("deleted", Means::Gone),
    ("conflict", Means::Again),
];

/// Why they refuse what is asked, in words; others are named by their reason.
const WORDS: &[(&str, &str)] = &[
    (
        "timeRangeEmpty",
        "Google refuses an event that ends before it starts",
    ),
    (
        "required",
        "Google misses something that it requires of such an event",
    ),
    (
        "invalid",
        "Google does not accept one of the values of this event",
    ),
    ("parseError", "Google could not read this event"),
    (
        "invalidRecurrence",
        "Google does not accept how this event repeats",
    ),
];

/// The fault of an answer that is no success.
pub fn of(account: &Account, response: &Response<Bytes>, asked: Asked) -> Fault {
    let error = Error::read(response.body());
    let means = error
        .reasons
        .iter()
        .find_map(|reason| REASONS.iter().find(|(name, _)| name == reason));
    if let Some((_, means)) = means {
        return means.fault(account, response, asked);
    }
    by_status(account, response, asked, &error)
}

impl Means {
    fn fault(self, account: &Account, response: &Response<Bytes>, asked: Asked) -> Fault {
        match self {
            Means::Slow => Fault::Throttled(account.retry_after(response.headers())),
            Means::Scope => Fault::MissingScope("Google was not allowed to give this to us".into()),
            Means::Operator => Fault::Operator(
                "the Google Calendar API is not enabled for this application".into(),
            ),
            Means::Organizer => not_organizer().into(),
            // A calendar that may not be listed is not there for us; an event that may not be read is not gone.
            Means::Forbidden if asked == Asked::Listing => Fault::NotFound,
            Means::Forbidden => {
                Refusal::new("forbidden", "this account may not do that at Google").into()
            }
            Means::Gone => Fault::NotFound,
            Means::Full => Fault::CursorGone,
            Means::Again => Fault::Transient("Google was busy with the same event".into()),
        }
    }
}

fn by_status(account: &Account, response: &Response<Bytes>, asked: Asked, error: &Error) -> Fault {
    let status = response.status().as_u16();
    let after = account.retry_after(response.headers());
    match status {
        429 => Fault::Throttled(after),
        409 if error.is_theirs => Fault::Duplicate(None),
        410 if error.is_theirs && asked == Asked::Listing => Fault::CursorGone,
        404 | 410 if error.is_theirs => Fault::NotFound,
        412 => Fault::Stale,
        500..=599 if asked == Asked::Writing => {
            Fault::OutcomeUnknown(format!("Google answered with error {status}"))
        }
        503 if after.is_some() => Fault::Throttled(after),
        400 | 413 if error.is_theirs => error.refusal().into(),
        403 if error.is_theirs && asked == Asked::Writing => error.refusal().into(),
        // A 404 or 403 that is not Google's own is a proxy's and says nothing about the event.
        _ => Fault::Transient(format!("Google answered with status {status}")),
    }
}

/// Is this among its reasons?
pub fn says(response: &Response<Bytes>, reason: &str) -> bool {
    Error::read(response.body())
        .reasons
        .iter()
        .any(|r| r == reason)
}

/// Only the organiser may change what guests share.
pub fn not_organizer() -> Refusal {
    Refusal::new(
        "not-organizer",
        "somebody else organises this event: at Google only the own answer, reminders, colour and free/busy can be changed",
    )
}

/// `{"error": {"code", "errors": [{"reason"}], "status", "details": [{"reason"}]}}`
struct Error {
    is_theirs: bool,
    reasons: Vec<String>,
}

impl Error {
    fn read(body: &[u8]) -> Error {
        let body = wire::parse(body);
        let Some(error) = wire::object(&body, "error") else {
            return Error {
                is_theirs: false,
                reasons: Vec::new(),
            };
        };
        let reason = |entry: &Json| wire::text(entry, "reason").to_owned();
        let reasons = wire::objects(error, "errors")
            .chain(wire::objects(error, "details"))
            .map(reason)
            .filter(|reason| !reason.is_empty())
            .take(8)
            .collect();
        Error {
            is_theirs: error.get("code").is_some_and(Value::is_number),
            reasons,
        }
    }

    fn refusal(&self) -> Refusal {
        let reason = self.reasons.first().map_or("no reason", String::as_str);
        let known = WORDS.iter().find(|(name, _)| *name == reason);
        match known {
            Some((_, words)) => Refusal::new("invalid", *words),
            None => {
                let named: String = reason
                    .chars()
                    .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' '))
                    .take(40)
                    .collect();
                Refusal::new("invalid", format!("Google refuses this event: {named}"))
            }
        }
    }
}
