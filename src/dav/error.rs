//! Errors as answers: a status, and `DAV:error` with the precondition's element (RFC 4918 §16).
//!
//! An error without a precondition of its own gets a plain sentence, never an empty `DAV:error`: some clients take that
//! for rate limiting.

use http::{HeaderValue, StatusCode, header};

use super::live::privilege_names;
use super::names::dav;
use crate::model::{Error, Precondition, Privileges};
use crate::wire::{ReplyBody, Response};
use crate::xml::{Name, Ns, Writer};

/// Element and status of a precondition.
struct Shape(Name, StatusCode);

fn shape(precondition: &Precondition) -> Shape {
    use Precondition as P;
    const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
    const CONFLICT: StatusCode = StatusCode::CONFLICT;
    let (name, status) = match precondition {
        P::SupportedCalendarData => (Name::caldav("supported-calendar-data"), FORBIDDEN),
        P::ValidCalendarData => (Name::caldav("valid-calendar-data"), FORBIDDEN),
        P::ValidCalendarObjectResource => {
            (Name::caldav("valid-calendar-object-resource"), FORBIDDEN)
        }
        P::SupportedCalendarComponent => (Name::caldav("supported-calendar-component"), FORBIDDEN),
        P::NoUidConflict { .. } => (Name::caldav("no-uid-conflict"), CONFLICT),
        P::CalendarCollectionLocationOk => {
            (Name::caldav("calendar-collection-location-ok"), FORBIDDEN)
        }
        P::MaxResourceSize => (Name::caldav("max-resource-size"), FORBIDDEN),
        P::MinDateTime => (Name::caldav("min-date-time"), FORBIDDEN),
        P::MaxDateTime => (Name::caldav("max-date-time"), FORBIDDEN),
        P::MaxInstances => (Name::caldav("max-instances"), FORBIDDEN),
        P::MaxAttendeesPerInstance => (Name::caldav("max-attendees-per-instance"), FORBIDDEN),
        P::InitializeCalendarCollection => {
            (Name::caldav("initialize-calendar-collection"), FORBIDDEN)
        }
        P::ValidFilter => (Name::caldav("valid-filter"), FORBIDDEN),
        P::SupportedFilter => (Name::caldav("supported-filter"), FORBIDDEN),
        P::SupportedCollation => (Name::caldav("supported-collation"), FORBIDDEN),
        P::ValidTimezone => (Name::caldav("valid-timezone"), FORBIDDEN),
        P::ValidTimezoneId => (Name::caldav("valid-timezone"), FORBIDDEN),
        P::ValidSyncToken => (Name::dav("valid-sync-token"), FORBIDDEN),
        P::SyncTraversalSupported => (Name::dav("sync-traversal-supported"), FORBIDDEN),
        P::NumberOfMatchesWithinLimits => (dav::NUMBER_OF_MATCHES_WITHIN_LIMITS.clone(), FORBIDDEN),
        P::NeedPrivileges { .. } => (dav::NEED_PRIVILEGES.clone(), FORBIDDEN),
        P::SupportedReport => (Name::dav("supported-report"), FORBIDDEN),
        P::ResourceMustBeNull => (Name::dav("resource-must-be-null"), FORBIDDEN),
        P::CannotModifyProtectedProperty => {
            (Name::dav("cannot-modify-protected-property"), FORBIDDEN)
        }
        P::PropfindFiniteDepth => (Name::dav("propfind-finite-depth"), FORBIDDEN),
        P::NoExternalEntities => (Name::dav("no-external-entities"), FORBIDDEN),
        P::ValidResourcetype => (Name::dav("valid-resourcetype"), FORBIDDEN),
        P::NumberOfResults => (dav::NUMBER_OF_MATCHES_WITHIN_LIMITS.clone(), FORBIDDEN),
        P::NoProtectedAceConflict => (Name::dav("no-protected-ace-conflict"), FORBIDDEN),
        P::SupportedRscale => (Name::caldav("supported-rscale"), FORBIDDEN),
        P::QuotaNotExceeded => (
            Name::dav("quota-not-exceeded"),
            StatusCode::INSUFFICIENT_STORAGE,
        ),
        P::UniqueSchedulingObjectResource { .. } => {
            (Name::caldav("unique-scheduling-object-resource"), CONFLICT)
        }
    };
    Shape(name, status)
}

/// The element of a precondition, alone: for an error inside of a propstat or response.
pub fn name(precondition: &Precondition) -> Name {
    shape(precondition).0
}

/// The status an error answers with.
pub fn status(error: &Error) -> StatusCode {
    match error {
        Error::BadRequest(_) => StatusCode::BAD_REQUEST,
        Error::Unauthorized => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Error::Conflict(_) => StatusCode::CONFLICT,
        Error::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Error::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Precondition { is, .. } => shape(is).1,
        Error::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::InsufficientStorage(_) => StatusCode::INSUFFICIENT_STORAGE,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The whole answer. `prefix` begins every href; `href` is the resource that was asked for.
pub fn render(error: &Error, prefix: &str, href: &str) -> Response {
    if let Error::Internal(why) = error {
        tracing::error!(reason = %why, "internal error");
    }
    let mut response = match error {
        Error::Precondition { is, reason } => xml(precondition(is, reason, prefix, href)),
        Error::Internal(_) => plain("internal error".into()),
        other => plain(other.to_string()),
    };
    *response.status_mut() = status(error);
    match error {
        Error::Throttled { retry_after } => drop(
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, (*retry_after).into()),
        ),
        Error::Unavailable(_) => drop(
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("5")),
        ),
        _ => {}
    }
    response
}

fn plain(mut text: String) -> Response {
    text.push('\n');
    typed("text/plain; charset=utf-8", text.into())
}

/// An answer that is an XML document.
pub fn xml(body: Vec<u8>) -> Response {
    typed("application/xml; charset=utf-8", body.into())
}

pub fn typed(content_type: &'static str, body: ReplyBody) -> Response {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn precondition(is: &Precondition, reason: &str, prefix: &str, href: &str) -> Vec<u8> {
    let mut w = Writer::document(&dav::ERROR, &[Ns::Dav, Ns::CalDav]);
    write(&mut w, is, prefix, href);
    w.element(&dav::RESPONSEDESCRIPTION, reason);
    w.finish()
}

/// The precondition's element with what belongs inside of it.
pub fn write(w: &mut Writer, is: &Precondition, prefix: &str, href: &str) {
    w.open(&name(is));
    match is {
        Precondition::NoUidConflict { href }
        | Precondition::UniqueSchedulingObjectResource { href } => {
            w.element(&dav::HREF, &format!("{prefix}{href}"));
        }
        Precondition::NeedPrivileges { needs } => write_need(w, *needs, href),
        _ => {}
    }
    w.close();
}

/// RFC 3744 §7.1.1
fn write_need(w: &mut Writer, needs: Privileges, href: &str) {
    for privilege in privilege_names(needs) {
        w.open(&dav::RESOURCE).element(&dav::HREF, href);
        w.open(&dav::PRIVILEGE).empty(privilege).close().close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Privilege;
    use crate::xml::{Limits, read};

    fn body(error: &Error) -> String {
        match render(error, "/p", "/p/dav/x/").into_body() {
            ReplyBody::Full(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            _ => String::new(),
        }
    }

    #[test]
    fn a_precondition_is_its_element_and_never_an_empty_error() {
        let conflict = Precondition::NoUidConflict {
            href: "/dav/calendars/a/b/c.ics".into(),
        };
        let error = Error::precondition(conflict, "taken");
        assert_eq!(status(&error), StatusCode::CONFLICT);
        let root = read(body(&error).as_bytes(), &Limits::default()).unwrap();
        let inner = root.child(&Name::caldav("no-uid-conflict")).unwrap();
        assert_eq!(
            inner.child(&dav::HREF).unwrap().text(),
            "/p/dav/calendars/a/b/c.ics"
        );
    }

    #[test]
    fn missing_privileges_are_named_with_their_resource() {
        let needs = Privileges::NONE.with(Privilege::Bind);
        let error = Error::precondition(Precondition::NeedPrivileges { needs }, "no");
        let root = read(body(&error).as_bytes(), &Limits::default()).unwrap();
        let resource = root
            .child(&dav::NEED_PRIVILEGES)
            .unwrap()
            .child(&dav::RESOURCE)
            .unwrap();
        assert_eq!(resource.child(&dav::HREF).unwrap().text(), "/p/dav/x/");
        assert!(
            resource
                .child(&dav::PRIVILEGE)
                .unwrap()
                .child(&Name::dav("bind"))
                .is_some()
        );
    }

    #[test]
    fn internal_reasons_stay_inside() {
        assert_eq!(
            body(&Error::Internal("secret path".into())),
            "internal error\n"
        );
    }
}
