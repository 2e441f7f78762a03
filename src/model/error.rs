//! What can go wrong, once for every front door. CalDAV renders it as `DAV:error`, the API as a problem document.

use super::Privileges;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Few kinds; each says what, where and what next in its text.
#[derive(Debug, Clone)]
pub enum Error {
    /// 400: the request cannot be understood.
    BadRequest(String),
    /// 401: credentials are missing or wrong. Never says which.
    Unauthorized,
    /// 403 without a named precondition.
    Forbidden(String),
    /// 404, also for what the person asking may not know of.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 409.
    Conflict(String),
    /// 412: a conditional header does not hold.
    PreconditionFailed,
    /// 413, with the limit that was passed, e.g. "calendar object: 12 MiB, limit 10 MiB (limits.object_bytes)".
    TooLarge(String),
    /// 415.
    UnsupportedMediaType(String),
    /// 422: a field of a JSON request is wrong: its name and the reason.
    Invalid { field: String, reason: String },
    /// A named precondition of an RFC, with a sentence for people.
    Precondition { is: Precondition, reason: String },
    /// 429, with the seconds to wait.
    Throttled { retry_after: u64 },
    /// 507: the database has no room for it; nothing of it was stored.
    InsufficientStorage(String),
    /// 503: try again.
    Unavailable(String),
    /// 500: a fault of ours, or of the disk. The text goes to the log, not to the client.
    Internal(String),
}

impl Error {
    pub fn precondition(is: Precondition, reason: impl Into<String>) -> Error {
        Error::Precondition {
            is,
            reason: reason.into(),
        }
    }

    pub fn forbidden(reason: impl Into<String>) -> Error {
        Error::Forbidden(reason.into())
    }

    pub fn bad(reason: impl Into<String>) -> Error {
        Error::BadRequest(reason.into())
    }

    pub fn internal(reason: impl std::fmt::Display) -> Error {
        Error::Internal(reason.to_string())
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::BadRequest(why) | Error::Forbidden(why) | Error::Conflict(why) => {
                f.write_str(why)
            }
            Error::TooLarge(why) | Error::UnsupportedMediaType(why) => f.write_str(why),
            Error::InsufficientStorage(why) | Error::Unavailable(why) => f.write_str(why),
            Error::Unauthorized => f.write_str("user name or password is wrong"),
            Error::NotFound => f.write_str("there is nothing at this address"),
            Error::MethodNotAllowed => f.write_str("this method does not apply here"),
            Error::PreconditionFailed => {
                f.write_str("the resource is not in the state that the request asks for")
            }
            Error::Invalid { field, reason } => write!(f, "{field}: {reason}"),
            Error::Precondition { reason, .. } => f.write_str(reason),
            Error::Throttled { retry_after } => {
                write!(f, "too many attempts, try again in {retry_after} s")
            }
            Error::Internal(why) => write!(f, "internal error: {why}"),
        }
    }
}

impl std::error::Error for Error {}

/// Preconditions and postconditions that have an element of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    // RFC 4791 §5.3.2.1
    SupportedCalendarData,
    ValidCalendarData,
    ValidCalendarObjectResource,
    SupportedCalendarComponent,
    /// With the href of the object that has the UID.
    NoUidConflict {
        href: String,
    },
    CalendarCollectionLocationOk,
    MaxResourceSize,
    MinDateTime,
    MaxDateTime,
    MaxInstances,
    MaxAttendeesPerInstance,
    /// RFC 7529 §10
    SupportedRscale,
    // RFC 4791 §5.3.1, §7.8, §7.10
    InitializeCalendarCollection,
    ValidFilter,
    SupportedFilter,
    SupportedCollation,
    ValidTimezone,
    // RFC 7809
    ValidTimezoneId,
    // RFC 6578, RFC 5323 §5.17
    ValidSyncToken,
    SyncTraversalSupported,
    NumberOfMatchesWithinLimits,
    // RFC 3744, RFC 3253, RFC 4918, RFC 5689
    NeedPrivileges {
        needs: Privileges,
    },
    SupportedReport,
    ResourceMustBeNull,
    CannotModifyProtectedProperty,
    PropfindFiniteDepth,
    NoExternalEntities,
    ValidResourcetype,
    NumberOfResults,
    NoProtectedAceConflict,
    // RFC 4331, RFC 5995
    QuotaNotExceeded,
    // RFC 6638
    UniqueSchedulingObjectResource {
        href: String,
    },
}
