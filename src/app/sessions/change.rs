//! Changing and removing sessions, whole ones or one instance of a series.

use serde_json::{Map, Value};

use super::author::{override_lines, stamp, with_zones};
use super::create::{Parts, READ_ONLY, origin, split, target};
use super::edit::{Editor, Owner};
use super::fields::Fields;
use super::instance::{self, Found};
use super::merge::{self, FieldError};
use super::times::{Times, line, span_of};
use super::validate::validate;
use super::{Fault, Key, Session, events, load, owner, parse, session, synced};
use crate::app::App;
use crate::app::calendars::zone;
use crate::ical::tree::{Component, Tree};
use crate::ical::value::When;
use crate::ical::write::Patch;
use crate::ical::zone::Zone;
use crate::model::access::{readable, writable};
use crate::model::object::Tags;
use crate::model::{
    Bound, Error, Guard, Privilege, Privileges, Result, StoredObject, Who, Writable,
};
use crate::objects::{self, Draft, Place, Transfer};

/// A change is tried again when somebody else was quicker.
const ATTEMPTS: usize = 4;
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
    let Parts {
        uid,
        calendar: slug,
        fields: change,
    } = split(change)?;
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
        let chosen = change.get("sync").is_some_and(|sync| !sync.is_null());
        let to = match &slug {
            Some(slug) if *slug != cal.slug => target(app, who, Some(slug)).await?.calendar.id,
            _ => cal.calendar.id,
        };
        if chosen {
            let which = (key.uid.as_str(), object.member.name.as_str());
            synced::choose(app, who, to, which, &fields.sync).await?;
        }
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
        if chosen {
            synced::send(app, who, to, &key.uid).await?;
            synced::tell(app, who, std::slice::from_mut(&mut session)).await?;
            synced::add_absent(&mut session, &fields.sync);
        }
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
    merge::merge(&mut target, &Value::Object(change));
    let Value::Object(target) = target else {
        return Err(Error::internal("a session is not an object").into());
    };
    let mut fields = merge::read(&target)?;
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
    tree: &'t Tree<'t>,
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
fn with_override(tree: &Tree<'_>, found: &Found<'_>) -> Vec<u8> {
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
    readable(bound.clone(), who).map(drop)
}

/// The text without one instance; `None`: nothing is left of it.
fn without(local: &Zone, body: &[u8], key: &Key, now: i64) -> Result<Option<Vec<u8>>, Fault> {
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
    match span_of(master) {
        Some(span) if !id.is_date() => {
            let zone = times.zone(&span.start);
            span.start.with_civil(zone.to_civil(times.instant(id)))
        }
        _ => id.clone(),
    }
}
