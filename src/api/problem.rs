//! Errors as problem documents (RFC 9457), with a stable `type` for each kind.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::sessions::merge::FieldError;
use crate::auth::CHALLENGE;
use crate::model::{Error, Precondition};

/// A problem document.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Which kind of problem: never changes, so programs may compare it.
    #[serde(rename = "type")]
    #[schema(example = "urn:kalends:problem:not-found")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened this time.
    #[serde(skip_serializing_if = "String::is_empty")]
    detail: String,
    /// What is wrong with the fields of the request, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip)]
    retry_after: Option<u64>,
}

/// A kind of problem: its name in `type`, its title, its status.
type Kind = (&'static str, &'static str, u16);

const INVALID: Kind = ("invalid", "The request has wrong fields", 422);

fn kind(error: &Error) -> Kind {
    match error {
        Error::BadRequest(_) => ("bad-request", "The request cannot be understood", 400),
        Error::Unauthorized => ("unauthorized", "Credentials are missing or wrong", 401),
        Error::Forbidden(_) => ("forbidden", "This is not allowed", 403),
        Error::NotFound => ("not-found", "There is nothing here", 404),
        Error::MethodNotAllowed => ("method-not-allowed", "The method does not apply here", 405),
        Error::Conflict(_) => ("conflict", "The request conflicts with what is there", 409),
        Error::PreconditionFailed => ("precondition-failed", "It has changed in the meantime", 412),
        Error::TooLarge(_) => ("too-large", "The request is too large", 413),
        Error::UnsupportedMediaType(_) => (
            "unsupported-media-type",
            "Another content type is needed",
            415,
        ),
        Error::Invalid { .. } => INVALID,
        Error::Precondition { is, .. } => precondition(is),
        Error::Throttled { .. } => ("throttled", "Too many attempts", 429),
        Error::InsufficientStorage(_) => {
            ("insufficient-storage", "The server has no room left", 507)
        }
        Error::Unavailable(_) => ("unavailable", "Not now", 503),
        Error::Internal(_) => ("internal", "Something went wrong here", 500),
    }
}

/// Preconditions of CalDAV that a JSON request can meet; the others are all "not allowed".
fn precondition(is: &Precondition) -> Kind {
    match is {
        Precondition::NoUidConflict { .. }
        | Precondition::UniqueSchedulingObjectResource { .. } => {
            ("uid-conflict", "The UID is taken", 409)
        }
        Precondition::ResourceMustBeNull => ("exists", "There is one already", 409),
        Precondition::NeedPrivileges { .. } => ("forbidden", "This is not allowed", 403),
        Precondition::MaxResourceSize => ("too-large", "The request is too large", 413),
        Precondition::QuotaNotExceeded => ("quota-exceeded", "There is no room left", 507),
        _ => ("not-storable", "This cannot be stored as an event", 422),
    }
}

impl Problem {
    /// What is wrong with the fields of a request.
    pub fn fields(errors: Vec<FieldError>) -> Problem {
        let mut problem = Problem::of(INVALID, String::new());
        problem.errors = errors;
        problem
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    fn of((name, title, status): Kind, detail: String) -> Problem {
        Problem {
            kind: format!("urn:kalends:problem:{name}"),
            title,
            status,
            detail,
            errors: Vec::new(),
            retry_after: None,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let kind = kind(&error);
        match error {
            Error::Invalid { field, reason } => {
                Problem::fields(vec![FieldError::new(field, reason)])
            }
            Error::Internal(why) => {
                tracing::error!(%why, "internal error");
                Problem::of(kind, "the details are in the server's log".to_string())
            }
            Error::Throttled { retry_after } => {
                let mut problem = Problem::of(kind, error.to_string());
                problem.retry_after = Some(retry_after);
                problem
            }
            other => Problem::of(kind, other.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut reply = (
            status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            body,
        )
            .into_response();
        let headers = reply.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            for challenge in [CHALLENGE, r#"Bearer realm="Kalends""#] {
                headers.append(
                    header::WWW_AUTHENTICATE,
                    axum::http::HeaderValue::from_static(challenge),
                );
            }
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_errors_say_nothing_of_their_cause() {
        let problem = Problem::from(Error::internal("/var/lib/secret is full"));
        let text = serde_json::to_string(&problem).unwrap();
        assert!(!text.contains("secret"), "{text}");
        assert!(text.contains("\"status\":500") && text.contains("urn:kalends:problem:internal"));
    }

    #[test]
    fn wrong_fields_are_listed() {
        let problem = Problem::from(Error::Invalid {
            field: "start".into(),
            reason: "is required".into(),
        });
        let json = serde_json::to_value(&problem).unwrap();
        assert_eq!(json["status"], 422);
        assert_eq!(json["errors"][0]["field"], "start");
        assert!(json.get("detail").is_none());
    }
}
