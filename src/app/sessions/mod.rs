//! Sessions: VEVENTs as programs see them (PRODUCT §6). The VEVENT is the truth: what a calendar client changes is
//! seen here at once, and the other way round.
//!
//! A session is found by its UID, one instance of a series by the time at which the series has it. State applies to an
//! instance: changing one makes its override.
//! Where it goes besides is [`synced`].

pub mod author;
mod change;
mod create;
pub mod edit;
pub mod fields;
mod instance;
mod list;
pub mod merge;
mod range;
mod shift;
mod synced;
pub mod times;
pub mod validate;
pub mod view;

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::calendars::{self, zone};
use crate::ical::tree::{Component, Limits, Tree};
use crate::ical::value::When;
use crate::model::access::readable;
use crate::model::{Bound, CalendarKind, Error, Path, Result, StoredObject, Who};
use crate::store;
use edit::Owner;
use fields::Fields;
use instance::Found;
use merge::FieldError;
use times::{Times, print_instant};

pub use change::{delete, patch};
pub use create::{Created, create};
pub use list::{Filter, Page, list};

/// A session, or one instance of a series.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Session {
    /// UID.
    pub uid: String,
    /// The calendar that it is in, by its name in addresses.
    pub calendar: String,
    #[serde(flatten)]
    pub fields: Fields,
    /// RECURRENCE-ID: which instance of a series this is; absent for the series itself and for a single session.
    pub recurrence_id: Option<String>,
    /// SEQUENCE.
    pub sequence: i64,
    /// RFC 3339.
    pub created: String,
    pub updated: String,
    /// Entity tag of the object that holds it, for `If-Match`.
    pub etag: String,
    /// Where calendar clients find it.
    pub href: String,
    /// For each linked calendar `off`, `pending`, `synced` or `failed`.
    pub calendar_synced: BTreeMap<String, String>,
}

/// What goes wrong: fields of the request, or anything else.
#[derive(Clone, Debug)]
pub enum Fault {
    Fields(Vec<FieldError>),
    Other(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Other(error)
    }
}

impl From<Vec<FieldError>> for Fault {
    fn from(fields: Vec<FieldError>) -> Fault {
        Fault::Fields(fields)
    }
}

/// Which session.
#[derive(Clone, Debug)]
pub struct Key {
    pub uid: String,
    /// The calendar, where one UID is in several.
    pub calendar: Option<String>,
    /// One instance: its original start, RFC 3339 or a date.
    pub occurrence: Option<String>,
}

/// One session.
///
/// # Errors
/// `NotFound` when there is none that `who` may see.
pub async fn get(app: &App, who: &Who, key: &Key) -> Result<Session, Fault> {
    let (bound, object) = load(app, who, key).await?;
    readable(bound.clone(), who)?;
    let tree = parse(&object.body)?;
    let times = Times::of(&tree, zone(&bound.calendar));
    let found = instance::find(&tree, &times, key.occurrence.as_deref())?;
    let mut session = session(app, &bound, &object, &times, &found);
    synced::tell(app, who, std::slice::from_mut(&mut session)).await?;
    Ok(session)
}

/// The object that holds a session, and its calendar. Whether it may be read or written is still to be asked.
async fn load(app: &App, who: &Who, key: &Key) -> Result<(Bound, StoredObject)> {
    let bound = match &key.calendar {
        Some(slug) => Some(calendars::find(app, who, &who.name, slug).await?),
        None => None,
    };
    let (id, uid) = (who.id, key.uid.clone());
    let found = app
        .store
        .read(|tx| {
            Box::pin(async move {
                let places = match bound {
                    Some(bound) => {
                        let member = store::objects::by_uid(tx, bound.calendar.id, &uid).await?;
                        member.map(|member| (bound, member)).into_iter().collect()
                    }
                    None => everywhere(tx, id, &uid).await?,
                };
                let Some((bound, member)) = places.into_iter().next() else {
                    return Ok(None);
                };
                let object = store::objects::get(tx, bound.calendar.id, &member.name).await?;
                Ok(object.map(|object| (bound, object)))
            })
        })
        .await?;
    let (bound, object) = found.ok_or(Error::NotFound)?;
    if object.member.component != "VEVENT" {
        return Err(Error::NotFound);
    }
    Ok((bound, object))
}

/// Where somebody's own calendars have a UID, the sessions calendar first.
async fn everywhere(
    tx: &mut store::Tx<'_>,
    who: crate::model::PrincipalId,
    uid: &str,
) -> Result<Vec<(Bound, crate::model::Member)>> {
    let mut places = Vec::new();
    for (calendar, member) in store::objects::by_uid_anywhere(tx, who, uid).await? {
        if let Some(bound) = store::calendars::by_id(tx, who, calendar).await? {
            places.push((bound, member));
        }
    }
    places.sort_by_key(|(bound, _)| bound.calendar.kind != CalendarKind::Sessions);
    Ok(places)
}

/// A stored text, which has been parsed once before it was stored.
fn parse(body: &[u8]) -> Result<Tree<'_>> {
    Tree::parse(body, &Limits::default())
        .map_err(|fault| Error::internal(format!("stored object: {fault}")))
}

/// The view of what was found.
fn session(
    app: &App,
    bound: &Bound,
    object: &StoredObject,
    times: &Times<'_>,
    found: &Found<'_>,
) -> Session {
    let event = found.event;
    let mut fields = view::view(event, times);
    if let Some(instance) = &found.virtual_span {
        (fields.start, fields.end) = (
            Some(times.print(&instance.start)),
            Some(times.print(&instance.end)),
        );
        fields.recurrence.clear();
    }
    let uid = event
        .property("UID")
        .map(|p| p.text().into_owned())
        .unwrap_or_default();
    let stamp = |name: &str, otherwise: i64| match event.property(name).map(When::of) {
        Some(Ok(when)) => times.print(&when),
        _ => print_instant(otherwise),
    };
    let sequence = event
        .property("SEQUENCE")
        .and_then(|p| p.value().trim().parse().ok());
    let path = Path::Object {
        name: bound.home_name.clone(),
        slug: bound.slug.clone(),
        object: object.member.name.clone(),
    };
    Session {
        uid,
        calendar: bound.slug.clone(),
        fields,
        recurrence_id: found.id.as_ref().map(|when| times.print(when)),
        sequence: sequence.unwrap_or(0),
        created: stamp("CREATED", object.member.created),
        updated: stamp("LAST-MODIFIED", object.member.modified),
        etag: object.member.etag.0.clone(),
        href: format!("{}{}", app.prefix(), path.print()),
        calendar_synced: BTreeMap::new(),
    }
}

/// Who writes, as the texts name them.
async fn owner(app: &App, bound: &Bound) -> Result<Owner> {
    let id = bound.calendar.owner;
    let principal = app
        .store
        .read(|tx| Box::pin(store::principals::get(tx, id)))
        .await?
        .ok_or(Error::NotFound)?;
    Ok(Owner {
        name: principal.display_name,
        address: principal.addresses.into_iter().next(),
    })
}

/// The VEVENTs of a text.
fn events<'t>(tree: &'t Tree<'t>) -> impl Iterator<Item = Component<'t>> {
    tree.roots().flat_map(|root| root.children_named("VEVENT"))
}
