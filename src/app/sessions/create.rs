//! Making sessions. All writes go through `objects`, the one door.

use std::time::Duration;

use serde_json::{Map, Value};

use super::author;
use super::fields::{Fields, Sync};
use super::merge::{self, FieldError};
use super::times::Times;
use super::validate::validate;
use super::view::view;
use super::{Fault, Key, Session, events, load, owner, parse, synced};

use crate::app::App;
use crate::app::calendars::{self, zone};
use crate::app::import::object_name;
use crate::model::access::writable;
use crate::model::object::Tags;
use crate::model::{
    Bound, Door, Error, Guard, Origin, Precondition, Privilege, Privileges, Result, Who, Writable,
};
use crate::objects::{self, Draft};
use crate::store;

/// Names in a session's JSON that say something, but are not for programs to set.
pub(super) const READ_ONLY: [&str; 7] = [
    "recurrence_id",
    "sequence",
    "created",
    "updated",
    "etag",
    "href",
    "calendar_synced",
];
/// A session that was made, or was there already, made by the same request.
#[derive(Clone, Debug)]
pub struct Created {
    pub session: Session,
    /// False: the request had been done before.
    pub created: bool,
}

/// Makes a session from a JSON object. Asked again with the same UID and fields it answers the same session. One that is
/// to go to linked calendars is waited for, at most for `patience`.
///
/// # Errors
/// The wrong fields; `no-uid-conflict` when the UID belongs to another session.
pub async fn create(
    app: &App,
    who: &Who,
    object: &Map<String, Value>,
    fallback_uid: &str,
    patience: Duration,
) -> Result<Created, Fault> {
    let Parts {
        uid,
        calendar: slug,
        fields: object,
    } = split(object)?;
    let read_only: Vec<_> = READ_ONLY
        .iter()
        .filter(|name| object.contains_key(**name))
        .map(|name| FieldError::new(*name, "cannot be set"))
        .collect();
    if !read_only.is_empty() {
        return Err(read_only.into());
    }
    let mut fields = merge::read(&object)?;
    let uid = uid.unwrap_or_else(|| fallback_uid.to_string());
    let cal = target(app, who, slug.as_deref()).await?;
    let owner = owner(app, &cal).await?;
    validate(&mut fields, &owner)?;
    let body = author::create(&uid, &fields, &owner, app.clock.now())?;
    let key = Key {
        uid,
        calendar: Some(cal.slug.clone()),
        occurrence: None,
    };
    let chosen = object.get("sync").is_some_and(|sync| !sync.is_null());
    let created = match is_there(app, &cal, &key.uid).await? {
        true => false,
        false => {
            if chosen {
                let name = object_name(&key.uid);
                let which = (key.uid.as_str(), name.as_str());
                synced::choose(app, who, cal.calendar.id, which, &fields.sync).await?;
            }
            store(app, who, &cal, &key.uid, &body).await?
        }
    };
    if !created && !same(app, who, &key, &body).await? {
        return Err(
            Error::Conflict(format!("the UID {} belongs to another session", key.uid)).into(),
        );
    }
    let mut session = super::get(app, who, &key).await?;
    if created && chosen {
        synced::send(app, who, cal.calendar.id, &key.uid).await?;
        let patience = match fields.sync {
            Sync::All(false) => Duration::ZERO,
            _ => patience,
        };
        synced::wait(app, who, &mut session, patience).await?;
        synced::add_absent(&mut session, &fields.sync);
    }
    Ok(Created { session, created })
}

async fn is_there(app: &App, cal: &Bound, uid: &str) -> Result<bool> {
    let id = cal.calendar.id;
    let there = app
        .store
        .peek(|tx| Box::pin(async move { store::objects::by_uid(tx, id, uid).await }))
        .await?;
    Ok(there.is_some())
}

/// Stores a new session's text. `false`: the UID is there already, perhaps since a moment ago by the same program on
/// another connection.
async fn store(
    app: &App,
    who: &Who,
    cal: &Writable<Bound>,
    uid: &str,
    body: &[u8],
) -> Result<bool> {
    let draft = Draft {
        name: object_name(uid),
        body: body.to_vec().into(),
    };
    let guard = Guard {
        if_none_match: Some(Tags::Any),
        ..Guard::default()
    };
    match objects::put(&app.door(), cal, draft, &guard, origin(who)).await {
        Ok(_) => Ok(true),
        Err(
            Error::PreconditionFailed
            | Error::Precondition {
                is: Precondition::NoUidConflict { .. },
                ..
            },
        ) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Does the stored session say what this text says?
async fn same(app: &App, who: &Who, key: &Key, body: &[u8]) -> Result<bool, Fault> {
    let (bound, object) = match load(app, who, key).await {
        Ok(found) => found,
        Err(Error::NotFound) => return Ok(false),
        Err(other) => return Err(other.into()),
    };
    let local = zone(&bound.calendar);
    let fields = |text: &[u8]| -> Result<Option<Fields>> {
        let tree = parse(text)?;
        Ok(events(&tree)
            .next()
            .map(|event| view(event, &Times::of(&tree, local.clone()))))
    };
    Ok(fields(&object.body)? == fields(body)?)
}

/// A request, with what says which session it is about apart from its fields.
pub(super) struct Parts {
    pub uid: Option<String>,
    /// The slug of a calendar.
    pub calendar: Option<String>,
    pub fields: Map<String, Value>,
}

pub(super) fn split(object: &Map<String, Value>) -> Result<Parts, Fault> {
    let mut rest = object.clone();
    let mut take = |name: &str| match rest.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if is_name(&text) => Ok(Some(text)),
        Some(_) => Err(vec![FieldError::new(
            name,
            "must be a text of 1 to 255 characters",
        )]),
    };
    let (uid, calendar) = (take("uid")?, take("calendar")?);
    Ok(Parts {
        uid,
        calendar,
        fields: rest,
    })
}

fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// The calendar for a new session: the one named, else the sessions calendar.
pub(super) async fn target(
    app: &App,
    who: &Who,
    slug: Option<&str>,
) -> Result<Writable<Bound>, Fault> {
    let bound = match slug {
        Some(slug) => match calendars::find(app, who, &who.name, slug).await {
            Err(Error::NotFound) => {
                return Err(vec![FieldError::new("calendar", "there is no such calendar")].into());
            }
            found => found?,
        },
        None => {
            let id = who.id;
            let found = app
                .store
                .peek(|tx| Box::pin(store::calendars::sessions_calendar(tx, id)))
                .await?;
            found.ok_or_else(|| {
                vec![FieldError::new(
                    "calendar",
                    "you have no sessions calendar: name one",
                )]
            })?
        }
    };
    let needs = Privileges::NONE
        .with(Privilege::Bind)
        .with(Privilege::WriteContent);
    Ok(writable(bound, who, needs)?)
}

pub(super) fn origin(who: &Who) -> Origin {
    Origin {
        who: who.id,
        door: Door::Api,
    }
}
