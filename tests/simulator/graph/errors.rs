//! Error bodies of Graph (FACTS §4.8).

use super::super::faults::Trouble;
use super::super::web::{self, Answer};
use super::super::world::stamp;
use serde_json::json;

/// (code, status, message)
const KNOWN: &[(&str, u16, &str)] = &[
    ("BadRequest", 400, "The request is malformed."),
    ("ErrorInvalidRequest", 400, "The request is invalid."),
    ("ErrorInvalidIdMalformed", 400, "Id is malformed."),
    (
        "ErrorPropertyValidationFailure",
        400,
        "At least one property failed validation.",
    ),
    (
        "ErrorInvalidRecurrencePattern",
        400,
        "The recurrence pattern is invalid.",
    ),
    (
        "ErrorOccurrenceCrossingBoundary",
        400,
        "Modified occurrence is crossing or overlapping adjacent occurrence.",
    ),
    ("ErrorInvalidParameter", 400, "A parameter is invalid."),
    (
        "ErrorTimeIntervalTooBig",
        400,
        "The requested time duration specified for FreeBusyViewOptions.TimeWindow is too long.",
    ),
    (
        "ErrorMailboxDataArrayTooBig",
        400,
        "There are too many mailboxes.",
    ),
    (
        "RequestBroker--ParseUri",
        400,
        "Resource not found for the segment.",
    ),
    (
        "InvalidAuthenticationToken",
        401,
        "Access token is empty or has expired.",
    ),
    (
        "ErrorAccessDenied",
        403,
        "Access is denied. Check credentials and try again.",
    ),
    (
        "ErrorItemNotFound",
        404,
        "The specified object was not found in the store.",
    ),
    ("ResourceNotFound", 404, "The resource could not be found."),
    (
        "MailboxNotEnabledForRESTAPI",
        404,
        "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
    ),
    (
        "ErrorDuplicateTransactionId",
        409,
        "An event with the same transaction id exists.",
    ),
    (
        "ErrorFolderExists",
        409,
        "A folder with the specified name already exists.",
    ),
    ("Conflict", 409, "The resource exists already."),
    (
        "syncStateNotFound",
        410,
        "The sync state generation is not found.",
    ),
    ("resyncRequired", 410, "Resync is required."),
    (
        "ErrorIrresolvableConflict",
        412,
        "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item.",
    ),
    (
        "ApplicationThrottled",
        429,
        "Application is over its MailboxConcurrency limit.",
    ),
    ("TooManyRequests", 429, "Too many requests."),
    (
        "ErrorInternalServerError",
        500,
        "An internal server error occurred.",
    ),
    ("ErrorTimeoutExpired", 503, "The request timed out."),
    (
        "ErrorMailboxMoveInProgress",
        503,
        "The mailbox is being moved.",
    ),
];

pub fn error(code: &str) -> Answer {
    let row = KNOWN.iter().find(|row| row.0 == code);
    let (_, status, message) = row.copied().unwrap_or(("", 400, "The request is invalid."));
    build(status, code, message, 0)
}

pub fn saying(code: &str, message: &str) -> Answer {
    let status = KNOWN
        .iter()
        .find(|row| row.0 == code)
        .map_or(400, |row| row.1);
    build(status, code, message, 0)
}

fn build(status: u16, code: &str, message: &str, now: i64) -> Answer {
    let date = stamp(now).trim_end_matches(".000Z").to_string();
    let id = "5c5f4d5e-0000-4000-a000-000000000000";
    let body = json!({"error": {"code": code, "message": message, "innerError": {
        "date": date, "request-id": id, "client-request-id": id,
    }}});
    web::with(web::json(status, &body), "request-id", id)
}

/// A status out of the blue.
pub fn trouble(trouble: &Trouble, now: i64) -> Answer {
    let usual = match trouble.code {
        401 => "InvalidAuthenticationToken",
        403 => "ErrorAccessDenied",
        404 => "ErrorItemNotFound",
        409 => "Conflict",
        410 => "syncStateNotFound",
        412 => "ErrorIrresolvableConflict",
        429 => "ApplicationThrottled",
        503 | 504 => "ErrorTimeoutExpired",
        500.. => "ErrorInternalServerError",
        _ => "BadRequest",
    };
    let code = match trouble.reason.as_str() {
        "" | "rateLimitExceeded" => usual,
        code => code,
    };
    let message = KNOWN
        .iter()
        .find(|row| row.0 == code)
        .map_or("Error", |row| row.2);
    build(trouble.code, code, message, now)
}
