//! The nouns: ids, addresses, rights and errors. Pure values, shared by every layer above.

pub mod access;
pub mod bridge;
pub mod calendar;
pub mod error;
pub mod id;
pub mod object;
pub mod path;
pub mod principal;
pub mod property;

pub use access::{Privilege, Privileges, Readable, Who, Writable};
pub use calendar::{Bound, Calendar, CalendarKind, ComponentSet};
pub use error::{Error, Precondition, Result};
pub use id::{
    CalendarId, ConnectionId, CredentialId, Etag, FeedId, LinkId, ObjectId, PrincipalId,
    RemoteCalendarId, RunId,
};
pub use object::{Door, Guard, Member, Origin, StoredObject};
pub use path::Path;
pub use principal::{Principal, PrincipalKind};
