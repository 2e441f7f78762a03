//! Graph's answers that are no success. FACTS §4.8.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;

use super::wire;
use crate::remote::{Account, Fault, Refusal};

type Meaning = fn() -> Fault;

/// What a code means, whatever status it came with.
const CODES: &[(&str, Meaning)] = &[
    ("syncStateNotFound", || Fault::CursorGone),
    ("resyncRequired", || Fault::CursorGone),
    ("SyncStateNotFound", || Fault::CursorGone),
    ("ErrorItemNotFound", || Fault::NotFound),
    ("ErrorIrresolvableConflict", || Fault::Stale),
    ("ErrorAccessDenied", denied),
    ("Authorization_RequestDenied", denied),
    ("MailboxNotEnabledForRESTAPI", || {
        Fault::Unsupported(
            "this account has no Exchange Online mailbox, so it has no calendar to connect".into(),
        )
    }),
    ("InvalidAuthenticationToken", || {
        Fault::Revoked("Microsoft refuses our access: connect again".into())
    }),
    ("ErrorMailboxMoveInProgress", busy),
    ("ErrorTimeoutExpired", busy),
    ("ErrorOccurrenceCrossingBoundary", || {
        Refusal::new(
            CROSSING,
            "an occurrence cannot be moved to or past the day of its neighbours there",
        )
        .into()
    }),
];

/// Code of the refusal to move an occurrence past its neighbours, which `series` gets round.
pub const CROSSING: &str = "crossing";

/// The event of this transaction exists already.
pub const DUPLICATE_TRANSACTION: &str = "ErrorDuplicateTransactionId";

fn denied() -> Fault {
    Fault::MissingScope("Microsoft does not let us see or change this".into())
}

fn busy() -> Fault {
    Fault::Transient("the mailbox is busy".into())
}

/// The answer's JSON, or why there is none.
pub fn judge(account: &Account, response: &Response<Bytes>) -> Result<Value, Fault> {
    if !response.status().is_success() {
        return Err(of_response(account, response));
    }
    if response.body().is_empty() {
        return Ok(Value::Null);
    }
    crate::remote::account::json(response)
}

pub fn of_response(account: &Account, response: &Response<Bytes>) -> Fault {
    let after = account.retry_after(response.headers());
    of(response.status(), &wire::error_code(response.body()), after)
}

/// By status, code and Retry-After (the time it names).
pub fn of(status: StatusCode, code: &str, after: Option<i64>) -> Fault {
    if status == StatusCode::TOO_MANY_REQUESTS || code == "ApplicationThrottled" {
        return Fault::Throttled(after);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE && after.is_some() {
        return Fault::Throttled(after);
    }
    if let Some((_, fault)) = CODES.iter().find(|(known, _)| *known == code) {
        return fault();
    }
    match status.as_u16() {
        401 => Fault::Revoked("Microsoft refuses our access: connect again".into()),
        403 => denied(),
        404 => Fault::NotFound,
        409 | 412 => Fault::Stale,
        410 => Fault::CursorGone,
        413 => Refusal::new("too-large", "the event is larger than Microsoft takes").into(),
        424 => Fault::Transient("a part that it depends on failed".into()),
        408 | 423 | 425 | 500.. => {
            Fault::Transient(format!("Microsoft answers {}", status.as_u16()))
        }
        _ => Refusal::new(
            "invalid",
            format!("Microsoft refuses it: {} {}", status.as_u16(), plain(code)),
        )
        .into(),
    }
}

/// A code is a word; anything else in its place is not repeated.
fn plain(code: &str) -> &str {
    let word = code.len() <= 80 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if word { code } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FACTS §4.8, and §4.3 for the reset of a cursor.
    #[test]
    fn statuses_and_codes_have_one_meaning_each() {
        let table: &[(u16, &str, Option<i64>, Fault)] = &[
            (
                429,
                "ApplicationThrottled",
                Some(5),
                Fault::Throttled(Some(5)),
            ),
            (429, "", None, Fault::Throttled(None)),
            (503, "", Some(9), Fault::Throttled(Some(9))),
            (410, "", None, Fault::CursorGone),
            (400, "resyncRequired", None, Fault::CursorGone),
            (404, "syncStateNotFound", None, Fault::CursorGone),
            (404, "ErrorItemNotFound", None, Fault::NotFound),
            (412, "ErrorIrresolvableConflict", None, Fault::Stale),
            (409, "ErrorIrresolvableConflict", None, Fault::Stale),
            (412, "", None, Fault::Stale),
            (503, "ErrorMailboxMoveInProgress", None, busy()),
            (403, "ErrorAccessDenied", None, denied()),
        ];
        for (status, code, after, wanted) in table {
            let status = StatusCode::from_u16(*status).unwrap();
            assert_eq!(of(status, code, *after), *wanted, "{status} {code}");
        }
        type Kind = (u16, &'static str, fn(&Fault) -> bool);
        let kinds: &[Kind] = &[
            (401, "InvalidAuthenticationToken", |f| {
                matches!(f, Fault::Revoked(_))
            }),
            (404, "MailboxNotEnabledForRESTAPI", |f| {
                matches!(f, Fault::Unsupported(_))
            }),
            (502, "", |f| matches!(f, Fault::Transient(_))),
            (
                400,
                "ErrorPropertyValidationFailure",
                |f| matches!(f, Fault::Refused(r) if r.code == "invalid"),
            ),
            (
                400,
                "ErrorOccurrenceCrossingBoundary",
                |f| matches!(f, Fault::Refused(r) if r.code == CROSSING),
            ),
        ];
        for (status, code, is) in kinds {
            let status = StatusCode::from_u16(*status).unwrap();
            assert!(is(&of(status, code, None)), "{status} {code}");
        }
    }

    #[test]
    fn nothing_but_a_word_of_an_answer_reaches_people() {
        let fault = of(
            StatusCode::BAD_REQUEST,
            "see https://secret.example/?t=1",
            None,
        );
        assert!(!fault.to_string().contains("secret"), "{fault}");
    }
}
