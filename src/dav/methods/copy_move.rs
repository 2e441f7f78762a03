//! COPY and MOVE of objects (RFC 4918 §9.8, §9.9), within a calendar or to another one.
//!
//! A calendar moves within its home, and is not copied.

use http::{HeaderValue, StatusCode, header};

use super::put::{check_name, parent};
use crate::app::calendars::check_slug;
use crate::dav::{Call, resource};
use crate::model::{
    Bound, Door, Error, Guard, Origin, Path, Precondition, Privilege, Privileges, Result, Writable,
    access,
};
use crate::objects::{self, Place, Transfer};
use crate::store::calendars;
use crate::wire::{ReplyBody, Response};

pub async fn copy(call: Call) -> Result<Response> {
    run(call, Transfer::Copy).await
}

pub async fn rename(call: Call) -> Result<Response> {
    run(call, Transfer::Move).await
}

async fn run(call: Call, how: Transfer) -> Result<Response> {
    let (name, slug, object) = match (call.path(), how) {
        (Path::Object { name, slug, object }, _) => (name, slug, object),
        (Path::Calendar { name, slug }, Transfer::Move) => {
            return move_calendar(&call, name, slug).await;
        }
        _ => return Err(Error::MethodNotAllowed),
    };
    let source = parent(&call, name, slug)
        .await
        .map_err(|_| Error::NotFound)?;
    let guard = call.guard(&source, object).await?;
    let to = destination(&call, &source).await?;
    let href = call.object_href(&to.cal, &to.name);
    let from = (source, object.as_str());
    if transfer(&call, how, from, to, &guard).await? {
        return Ok(created(href));
    }
    let mut response = Response::new(ReplyBody::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Another address in the same home; the calendar stays what it is, its sync tokens too.
async fn move_calendar(call: &Call, home: &str, slug: &str) -> Result<Response> {
    let who = call.who();
    let bound = parent(call, home, slug)
        .await
        .map_err(|_| Error::NotFound)?;
    call.check_if().await?;
    resource::may_write(who)?;
    if bound.home != who.id {
        return Err(resource::lacking(Privilege::Unbind));
    }
    let to = match call.request.destination.as_ref() {
        None => return Err(Error::BadRequest("header Destination is missing".into())),
        Some(Path::Calendar { name, slug }) if name == home => slug.clone(),
        Some(_) => {
            return Err(Error::precondition(
                Precondition::CalendarCollectionLocationOk,
                "a calendar moves within its home only",
            ));
        }
    };
    check_slug(&to)?;
    if to == slug {
        return Err(Error::forbidden("source and destination are the same"));
    }
    let (home, from, now) = (bound.home, bound.slug, call.app.clock.now());
    let new = to.clone();
    let moved = call
        .app
        .store
        .write(move |tx| {
            Box::pin(async move { calendars::rename(tx, home, &from, &new, now).await })
        })
        .await;
    match moved {
        // A calendar is never overwritten by another one: too much would be lost.
        Err(Error::Precondition { .. }) if !call.request.overwrite => {
            return Err(Error::PreconditionFailed);
        }
        other => other?,
    }
    let path = Path::Calendar {
        name: who.name.clone(),
        slug: to,
    };
    Ok(created(call.desk.href(&path)))
}

fn created(href: String) -> Response {
    let mut response = Response::new(ReplyBody::Empty);
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(location) = HeaderValue::try_from(href) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Where it goes. Which of bind and write-content that needs depends on what is there: both are asked for when it may
/// be overwritten.
async fn destination(call: &Call, source: &Bound) -> Result<Place<Writable<Bound>>> {
    let path = call.request.destination.as_ref();
    let path = path.ok_or_else(|| Error::BadRequest("header Destination is missing".into()))?;
    let Path::Object { name, slug, object } = path else {
        return Err(Error::forbidden(
            "objects live in calendars: /dav/calendars/NAME/CALENDAR/OBJECT",
        ));
    };
    check_name(object)?;
    let same = *name == source.home_name && *slug == source.slug;
    let calendar = match same {
        true => source.clone(),
        false => parent(call, name, slug).await?,
    };
    let bind = Privileges::NONE.with(Privilege::Bind);
    let needs = match call.request.overwrite {
        true => bind.with(Privilege::WriteContent),
        false => bind,
    };
    Ok(Place {
        cal: access::writable(calendar, call.who(), needs)?,
        name: object.clone(),
    })
}

/// A copy reads its source, a move takes it away. True when the destination was made.
async fn transfer(
    call: &Call,
    how: Transfer,
    (source, name): (Bound, &str),
    to: Place<Writable<Bound>>,
    guard: &Guard,
) -> Result<bool> {
    let (who, name) = (call.who(), name.to_owned());
    let origin = Origin {
        who: who.id,
        door: Door::Caldav,
    };
    let (rules, overwrite) = (call.rules(), call.request.overwrite);
    let door = call.door(&rules);
    match how {
        Transfer::Copy => {
            let cal = access::readable(source, who)?;
            objects::transfer(
                &door,
                how,
                Place { cal, name },
                to,
                overwrite,
                guard,
                origin,
            )
            .await
        }
        Transfer::Move => {
            let needs = Privileges::NONE.with(Privilege::Unbind);
            let cal = access::writable(source, who, needs.with(Privilege::Read))?;
            objects::transfer(
                &door,
                how,
                Place { cal, name },
                to,
                overwrite,
                guard,
                origin,
            )
            .await
        }
    }
}
