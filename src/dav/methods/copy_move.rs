//! COPY and MOVE of objects (RFC 4918 §9.8, §9.9), within a calendar or to another one.
//!
//! Calendars are neither copied nor moved: what people call moving a calendar is a change of its displayname.

use http::{HeaderValue, StatusCode, header};

use super::put::{check_name, parent};
use crate::dav::Call;
use crate::model::{Door, Error, Origin, Path, Privilege, Privileges, Result, access};
use crate::objects::{self, Place, Transfer};
use crate::wire::{ReplyBody, Response};

pub async fn copy(call: Call) -> Result<Response> {
    run(call, Transfer::Copy).await
}

pub async fn rename(call: Call) -> Result<Response> {
    run(call, Transfer::Move).await
}

async fn run(call: Call, how: Transfer) -> Result<Response> {
    let Path::Object { name, slug, object } = call.path() else {
        return Err(Error::MethodNotAllowed);
    };
    let destination = call
        .request
        .destination
        .as_ref()
        .ok_or_else(|| Error::BadRequest("header Destination is missing".into()))?;
    let Path::Object {
        name: to_home,
        slug: to_slug,
        object: to_object,
    } = destination
    else {
        return Err(Error::forbidden(
            "objects live in calendars: /dav/calendars/NAME/CALENDAR/OBJECT",
        ));
    };
    check_name(to_object)?;
    let source = parent(&call, name, slug)
        .await
        .map_err(|_| Error::NotFound)?;
    let guard = call.guard(&source, object).await?;
    let target = match (to_home == name, to_slug == slug) {
        (true, true) => source.clone(),
        _ => parent(&call, to_home, to_slug).await?,
    };
    // Which of bind and write-content the destination needs depends on what is there: both are asked for when it may be
    // overwritten.
    let needs = match call.request.overwrite {
        true => Privileges::NONE
            .with(Privilege::Bind)
            .with(Privilege::WriteContent),
        false => Privileges::NONE.with(Privilege::Bind),
    };
    let href = call.object_href(&target, to_object);
    let to = Place {
        cal: access::writable(target, call.who(), needs)?,
        name: to_object.clone(),
    };
    let rules = call.rules();
    let door = call.door(&rules);
    let origin = Origin {
        who: call.who().id,
        door: Door::Caldav,
    };
    let overwrite = call.request.overwrite;
    let created = match how {
        Transfer::Copy => {
            let from = Place {
                cal: access::readable(source, call.who())?,
                name: object.clone(),
            };
            objects::transfer(&door, how, from, to, overwrite, &guard, origin).await?
        }
        Transfer::Move => {
            let needs = Privileges::NONE
                .with(Privilege::Unbind)
                .with(Privilege::Read);
            let from = Place {
                cal: access::writable(source, call.who(), needs)?,
                name: object.clone(),
            };
            objects::transfer(&door, how, from, to, overwrite, &guard, origin).await?
        }
    };
    let mut response = Response::new(ReplyBody::Empty);
    *response.status_mut() = if created {
        StatusCode::CREATED
    } else {
        StatusCode::NO_CONTENT
    };
    if created && let Ok(location) = HeaderValue::try_from(href) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
