//! COPY and MOVE of objects (RFC 4918 §9.8, §9.9), within a calendar or to another one.

use http::{HeaderValue, StatusCode, header};

use super::put::{check_name, parent};
use super::transfer_calendar;
use crate::dav::Call;
use crate::model::{
    Bound, Door, Error, Guard, Origin, Path, Privilege, Privileges, Result, Writable, access,
};
use crate::objects::{self, Place, Transfer};
use crate::wire::{ReplyBody, Response};

pub async fn copy(call: Call) -> Result<Response> {
    run(call, Transfer::Copy).await
}

pub async fn rename(call: Call) -> Result<Response> {
    run(call, Transfer::Move).await
}

async fn run(call: Call, how: Transfer) -> Result<Response> {
    let (name, slug, object) = match call.path() {
        Path::Object { name, slug, object } => (name, slug, object),
        Path::Calendar { name, slug } => {
            return transfer_calendar::run(&call, how, name, slug).await;
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
    Ok(no_content())
}

pub(super) fn no_content() -> Response {
    let mut response = Response::new(ReplyBody::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

pub(super) fn created(href: String) -> Response {
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
    if how == Transfer::Move {
        access::writable(
            source.clone(),
            who,
            Privileges::NONE.with(Privilege::Unbind),
        )?;
    }
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
