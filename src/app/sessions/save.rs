//! Making, changing and removing sessions. All writes go through `objects`, the one door.

use serde_json::{Map, Value};

use super::author::{create as author, override_lines, stamp, with_zones};
use super::edit::{Editor, Owner};
use super::fields::{self, FieldError, Fields};
use super::instance::{self, Found};
use super::times::{Times, line};
use super::validate::validate;
use super::view::view;
use super::{Fault, Key, Session, events, load, owner, parse, session, synced};
use crate::app::App;
use crate::app::calendars::{self, zone};
use crate::app::import::object_name;
use crate::ical::tree::Component;
use crate::ical::value::When;
use crate::ical::write::Patch;
use crate::model::access::writable;
use crate::model::object::Tags;
use crate::model::{
    Bound, Door, Error, Guard, Origin, Precondition, Privilege, Privileges, Result, StoredObject,
    Who, Writable,
};
use crate::objects::{self, Draft, Place, Transfer};
use crate::store;

/// Names in a session's JSON that say something, but are not for programs to set.
const READ_ONLY: [&str; 7] = [
    "recurrence_id",
    "sequence",
    "created",
    "updated",
    "etag",
    "href",
    "calendar_synced",
];
/// A change is tried again when somebody else was quicker.
const ATTEMPTS: usize = 4;

/// A session that was made, or was there already, made by the same request.
#[derive(Clone, Debug)]
pub struct Created {
    pub session: Session,
    /// False: the request had been done before.
    pub created: bool,
}

/// Makes a session from a JSON object. Asked again with the same UID and fields it answers the same session.
///
/// # Errors
/// The wrong fields; `no-uid-conflict` when the UID belongs to another session.
pub async fn create(
    app: &App,
    who: &Who,
    object: &Map<String, Value>,
    fallback_uid: &str,
) -> Result<Created, Fault> {
    let (uid, slug, object) = split(object)?;
    let read_only: Vec<_> = READ_ONLY
        .iter()
        .filter(|name| object.contains_key(**name))
        .collect();
    if !read_only.is_empty() {
        return Err(read_only
            .into_iter()
            .map(|name| FieldError::new(*name, "cannot be set"))
            .collect::<Vec<_>>()
            .into());
    }
    let mut fields = fields::read(&object)?;
    let uid = uid.unwrap_or_else(|| fallback_uid.to_string());
    let cal = target(app, who, slug.as_deref()).await?;
    let owner = owner(app, &cal).await?;
    validate(&mut fields, &owner)?;
    let body = author(&uid, &fields, &owner, app.clock.now())?;
    let (id, wanted) = (cal.calendar.id, uid.clone());
    let there = app
        .store
        .peek(|tx| Box::pin(async move { store::objects::by_uid(tx, id, &wanted).await }))
        .await?;
    let key = Key {
        uid: uid.clone(),
        calendar: Some(cal.slug.clone()),
        occurrence: None,
    };
    if there.is_none() {
        let draft = Draft {
            name: object_name(&uid),
            body: body.clone().into(),
        };
        let guard = Guard {
            if_none_match: Some(Tags::Any),
            ..Guard::default()
        };
        match objects::put(&app.door(), &cal, draft, &guard, origin(who)).await {
            Ok(_) => return finish(app, who, &key, &fields, true).await,
            // Somebody was quicker, perhaps the same program on another connection.
            Err(
                Error::PreconditionFailed
                | Error::Precondition {
                    is: Precondition::NoUidConflict { .. },
                    ..
                },
            ) => {}
            Err(other) => return Err(other.into()),
        }
    }
    if same(app, who, &key, &body).await? {
        return finish(app, who, &key, &fields, false).await;
    }
    Err(Error::Conflict(format!("the UID {uid} belongs to another session")).into())
}

async fn finish(
    app: &App,
    who: &Who,
    key: &Key,
    fields: &Fields,
    created: bool,
) -> Result<Created, Fault> {
    let mut session = super::get(app, who, key).await?;
    session.calendar_synced = synced(&fields.sync);
    Ok(Created { session, created })
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

/// UID and calendar of a request, and the rest.
fn split(
    object: &Map<String, Value>,
) -> Result<(Option<String>, Option<String>, Map<String, Value>), Fault> {
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
    Ok((uid, calendar, rest))
}

fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// The calendar for a new session: the one named, else the sessions calendar.
async fn target(app: &App, who: &Who, slug: Option<&str>) -> Result<Writable<Bound>, Fault> {
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

fn origin(who: &Who) -> Origin {
    Origin {
        who: who.id,
        door: Door::Api,
    }
}

/// Changes a session or one instance by a merge patch (RFC 7396). Lines of fields that stay the same stay as they are.
///
/// # Errors
/// The wrong fields; `PreconditionFailed` when `guard` does not hold.
pub async fn patch(
    app: &App,
    who: &Who,
    key: &Key,
    change: &Map<String, Value>,
    guard: &Guard,
) -> Result<Session, Fault> {
    let (uid, slug, change) = split(change)?;
    if uid.is_some_and(|uid| uid != key.uid) {
        return Err(vec![FieldError::new("uid", "cannot be changed")].into());
    }
    for _ in 0..ATTEMPTS {
        let (bound, object) = load(app, who, key).await?;
        let cal = writable(bound, who, Privileges::NONE.with(Privilege::WriteContent))?;
        let owner = owner(app, &cal).await?;
        let (body, fields) = changed(app, &cal, &object, key, &change, &owner)?;
        let own = Guard {
            if_match: Some(Tags::List(vec![object.member.etag.0.clone()])),
            ..Guard::default()
        };
        if !guard.holds(Some((&object.member.etag, None))) {
            return Err(Error::PreconditionFailed.into());
        }
        let draft = Draft {
            name: object.member.name.clone(),
            body: body.into(),
        };
        match objects::put(&app.door(), &cal, draft, &own, origin(who)).await {
            Err(Error::PreconditionFailed) => continue,
            done => done?,
        };
        let mut key = key.clone();
        if let Some(slug) = slug.filter(|slug| *slug != cal.slug) {
            relocate(app, who, cal, &object, &slug).await?;
            key.calendar = Some(slug);
        }
        let mut session = super::get(app, who, &key).await?;
        session.calendar_synced = synced(&fields.sync);
        return Ok(session);
    }
    Err(Error::Unavailable("the session is being changed by others, try again".into()).into())
}

/// Another calendar for a session: the object moves.
async fn relocate(
    app: &App,
    who: &Who,
    cal: Writable<Bound>,
    object: &StoredObject,
    slug: &str,
) -> Result<(), Fault> {
    let to = target(app, who, Some(slug)).await?;
    let from = writable(
        Bound::clone(&cal),
        who,
        Privileges::NONE.with(Privilege::Unbind),
    )?;
    let (from, to) = (
        Place {
            cal: from,
            name: object.member.name.clone(),
        },
        Place {
            cal: to,
            name: object.member.name.clone(),
        },
    );
    objects::transfer(
        &app.door(),
        Transfer::Move,
        from,
        to,
        false,
        &Guard::default(),
        origin(who),
    )
    .await?;
    Ok(())
}

/// The text after a change.
fn changed(
    app: &App,
    cal: &Bound,
    object: &StoredObject,
    key: &Key,
    change: &Map<String, Value>,
    owner: &Owner,
) -> Result<(Vec<u8>, Fields), Fault> {
    let local = zone(&cal.calendar);
    let tree = parse(&object.body)?;
    let times = Times::of(&tree, local.clone());
    let found = instance::find(&tree, &times, key.occurrence.as_deref())?;
    let now = session(app, cal, object, &times, &found);
    let fields = merged(&now, change, owner)?;
    let Some(id) = found.id.as_ref().filter(|_| found.virtual_span.is_some()) else {
        return Ok((
            written(
                &times,
                &tree,
                found.event,
                &now.fields,
                &fields,
                owner,
                &key.uid,
                app.clock.now(),
            )?,
            fields,
        ));
    };
    let text = with_override(&tree, &found);
    let tree = parse(&text)?;
    let times = Times::of(&tree, local);
    let event = instance::at(&tree, &times, id)?.event;
    let body = written(
        &times,
        &tree,
        event,
        &now.fields,
        &fields,
        owner,
        &key.uid,
        app.clock.now(),
    )?;
    Ok((body, fields))
}

/// The fields after a change; what a program may not set must be left out or be as it is.
fn merged(now: &Session, change: &Map<String, Value>, owner: &Owner) -> Result<Fields, Fault> {
    let whole = serde_json::to_value(now).map_err(Error::internal)?;
    let mut change = change.clone();
    let mut wrong = Vec::new();
    for name in READ_ONLY {
        if change
            .remove(name)
            .is_some_and(|given| Some(&given) != whole.get(name))
        {
            wrong.push(FieldError::new(name, "cannot be changed"));
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.into());
    }
    let mut target = serde_json::to_value(&now.fields).map_err(Error::internal)?;
    fields::merge(&mut target, &Value::Object(change));
    let Value::Object(target) = target else {
        return Err(Error::internal("a session is not an object").into());
    };
    let mut fields = fields::read(&target)?;
    validate(&mut fields, owner)?;
    if now.recurrence_id.is_some() && !fields.recurrence.is_empty() {
        return Err(vec![FieldError::new(
            "recurrence",
            "one instance of a series has none of its own",
        )]
        .into());
    }
    Ok(fields)
}

#[expect(
    clippy::too_many_arguments,
    reason = "one edit from all that it depends on, called from two places"
)]
fn written<'t>(
    times: &Times<'t>,
    tree: &'t crate::ical::tree::Tree<'t>,
    event: Component<'t>,
    old: &Fields,
    new: &Fields,
    owner: &Owner,
    uid: &str,
    now: i64,
) -> Result<Vec<u8>, Fault> {
    let mut patch = Patch::new(tree);
    let significant = Editor {
        event,
        times,
        owner,
        uid,
    }
    .write(old, new, &mut patch)?;
    stamp(event, significant, now, &mut patch);
    Ok(with_zones(patch.apply())?)
}

/// The text with an override for an instance that has none.
fn with_override(tree: &crate::ical::tree::Tree<'_>, found: &Found<'_>) -> Vec<u8> {
    let mut patch = Patch::new(tree);
    if let (Some(span), Some(parent)) = (&found.virtual_span, found.event.parent()) {
        let lines = override_lines(found.event, &span.start, Some(&span.end));
        patch.insert_component(parent, lines);
    }
    patch.apply()
}

/// Removes a session, or takes one instance out of its series.
///
/// # Errors
/// `NotFound`; `PreconditionFailed` when `guard` does not hold.
pub async fn delete(app: &App, who: &Who, key: &Key, guard: &Guard) -> Result<(), Fault> {
    for _ in 0..ATTEMPTS {
        let (bound, object) = load(app, who, key).await?;
        if !guard.holds(Some((&object.member.etag, None))) {
            readable_first(&bound, who)?;
            return Err(Error::PreconditionFailed.into());
        }
        let own = Guard {
            if_match: Some(Tags::List(vec![object.member.etag.0.clone()])),
            ..Guard::default()
        };
        let rest = match &key.occurrence {
            None => None,
            Some(_) => without(&zone(&bound.calendar), &object.body, key, app.clock.now())?,
        };
        let outcome = match rest {
            Some(body) => {
                let cal = writable(bound, who, Privileges::NONE.with(Privilege::WriteContent))?;
                let draft = Draft {
                    name: object.member.name.clone(),
                    body: body.into(),
                };
                objects::put(&app.door(), &cal, draft, &own, origin(who))
                    .await
                    .map(drop)
            }
            None => {
                let cal = writable(bound, who, Privileges::NONE.with(Privilege::Unbind))?;
                objects::remove(&app.door(), &cal, &object.member.name, &own, origin(who)).await
            }
        };
        match outcome {
            Err(Error::PreconditionFailed) => continue,
            done => return Ok(done?),
        }
    }
    Err(Error::Unavailable("the session is being changed by others, try again".into()).into())
}

/// Who may not even read it is not told whether its tag is right.
fn readable_first(bound: &Bound, who: &Who) -> Result<()> {
    crate::model::access::readable(bound.clone(), who).map(drop)
}

/// The text without one instance; `None`: nothing is left of it.
fn without(
    local: &crate::ical::zone::Zone,
    body: &[u8],
    key: &Key,
    now: i64,
) -> Result<Option<Vec<u8>>, Fault> {
    let tree = parse(body)?;
    let times = Times::of(&tree, local.clone());
    let found = instance::find(&tree, &times, key.occurrence.as_deref())?;
    let mut patch = Patch::new(&tree);
    let is_override = instance::recurrence_id(found.event).is_some();
    if is_override {
        patch.remove_component(found.event);
    }
    let master = events(&tree).find(|event| event.property("RECURRENCE-ID").is_none());
    match (master, &found.id) {
        (Some(master), Some(id)) => {
            patch.insert(master, line("EXDATE", &exception(master, id, &times)));
            stamp(master, true, now, &mut patch);
            Ok(Some(patch.apply()))
        }
        _ if is_override && events(&tree).count() > 1 => Ok(Some(patch.apply())),
        _ => Ok(None),
    }
}

/// An instance's original start in the form of DTSTART, as EXDATE must have it.
fn exception(master: Component<'_>, id: &When, times: &Times<'_>) -> When {
    match super::times::span_of(master) {
        Some(span) if !id.is_date() => {
            let zone = times.zone(&span.start);
            span.start.with_civil(zone.to_civil(times.instant(id)))
        }
        _ => id.clone(),
    }
}
