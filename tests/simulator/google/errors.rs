//! Error bodies, exactly shaped (FACTS §2.7).

use super::super::faults::Trouble;
use super::super::web::{self, Answer};
use serde_json::{Value, json};

/// (reason, status, domain, message, where)
const KNOWN: &[(&str, u16, &str, &str, &str)] = &[
    ("required", 400, "global", "Required", ""),
    ("invalid", 400, "global", "Invalid Value", ""),
    ("badRequest", 400, "global", "Bad Request", ""),
    ("parseError", 400, "global", "Parse Error", ""),
    (
        "timeRangeEmpty",
        400,
        "calendar",
        "The specified time range is empty.",
        "parameter timeMax",
    ),
    (
        "timeRangeTooLong",
        400,
        "calendar",
        "The requested time range is too long.",
        "",
    ),
    (
        "pushNotSupportedForRequestedResource",
        400,
        "calendar",
        "Push notifications are not supported by this resource.",
        "",
    ),
    (
        "channelIdNotUnique",
        400,
        "global",
        "Channel id not unique",
        "",
    ),
    (
        "authError",
        401,
        "global",
        "Invalid Credentials",
        "header Authorization",
    ),
    (
        "rateLimitExceeded",
        403,
        "usageLimits",
        "Rate Limit Exceeded",
        "",
    ),
    (
        "userRateLimitExceeded",
        403,
        "usageLimits",
        "User Rate Limit Exceeded",
        "",
    ),
    (
        "quotaExceeded",
        403,
        "usageLimits",
        "Calendar usage limits exceeded.",
        "",
    ),
    ("forbidden", 403, "global", "Forbidden", ""),
    (
        "accessNotConfigured",
        403,
        "usageLimits",
        "Google Calendar API has not been used in this project before or it is disabled.",
        "",
    ),
    (
        "forbiddenForNonOrganizer",
        403,
        "calendar",
        "Shared properties can only be changed by the organizer of the event.",
        "",
    ),
    (
        "requiredAccessLevel",
        403,
        "calendar",
        "You need to have writer access to this calendar.",
        "",
    ),
    ("notFound", 404, "global", "Not Found", ""),
    (
        "duplicate",
        409,
        "global",
        "The requested identifier already exists.",
        "",
    ),
    ("conflict", 409, "global", "Conflict", ""),
    (
        "fullSyncRequired",
        410,
        "calendar",
        "Sync token is no longer valid, a full sync is required.",
        "parameter syncToken",
    ),
    (
        "updatedMinTooLongAgo",
        410,
        "calendar",
        "The requested minimum modification time lies too far in the past.",
        "parameter updatedMin",
    ),
    ("deleted", 410, "global", "Resource has been deleted", ""),
    (
        "conditionNotMet",
        412,
        "global",
        "Precondition Failed",
        "header If-Match",
    ),
    ("backendError", 503, "global", "Backend Error", ""),
    (
        "eventTypeRestriction",
        400,
        "calendar",
        "Event type cannot be changed.",
        "",
    ),
    (
        "participantIsNeitherOrganizerNorAttendee",
        400,
        "calendar",
        "The owner of the calendar must either be the organizer or an attendee of an event that is imported.",
        "",
    ),
];

/// The error of a reason, with its usual status and words.
pub fn error(reason: &str) -> Answer {
    let row = KNOWN.iter().find(|row| row.0 == reason);
    let (_, status, _, message, _) = row
        .copied()
        .unwrap_or(("", 400, "global", "Bad Request", ""));
    build(status, reason, message)
}

/// The error of a reason in other words.
pub fn saying(reason: &str, message: &str) -> Answer {
    let status = KNOWN
        .iter()
        .find(|row| row.0 == reason)
        .map_or(400, |row| row.1);
    build(status, reason, message)
}

fn build(status: u16, reason: &str, message: &str) -> Answer {
    let row = KNOWN.iter().find(|row| row.0 == reason);
    let (domain, place) = row.map_or(("global", ""), |row| (row.2, row.4));
    let mut inner = json!({"domain": domain, "reason": reason, "message": message});
    if let Some((kind, name)) = place.split_once(' ') {
        inner["locationType"] = kind.into();
        inner["location"] = name.into();
    }
    let body = json!({"error": {"errors": [inner], "code": status, "message": message}});
    web::json(status, &body)
}

/// No token at all.
pub fn login() -> Answer {
    build(401, "required", "Login Required.")
}

/// The token lacks a scope.
pub fn scope(method: &str) -> Answer {
    let body: Value = json!({"error": {
        "code": 403,
        "message": "Request had insufficient authentication scopes.",
        "errors": [{"message": "Insufficient Permission", "domain": "global", "reason": "insufficientPermissions"}],
        "status": "PERMISSION_DENIED",
        "details": [{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "domain": "googleapis.com",
            "metadata": {"service": "calendar-json.googleapis.com", "method": format!("calendar.v3.{method}")},
        }],
    }});
    let answer = web::json(403, &body);
    web::with(
        answer,
        "www-authenticate",
        "Bearer realm=\"https://accounts.google.com/\", error=\"insufficient_scope\"",
    )
}

/// A status out of the blue.
pub fn trouble(trouble: &Trouble) -> Answer {
    let usual = match trouble.code {
        401 => "authError",
        403 | 429 => "rateLimitExceeded",
        404 => "notFound",
        409 => "conflict",
        410 => "fullSyncRequired",
        412 => "conditionNotMet",
        500.. => "backendError",
        _ => "badRequest",
    };
    let reason = match trouble.reason.as_str() {
        "" => usual,
        reason => reason,
    };
    let message = KNOWN
        .iter()
        .find(|row| row.0 == reason)
        .map_or("Error", |row| row.3);
    build(trouble.code, reason, message)
}
