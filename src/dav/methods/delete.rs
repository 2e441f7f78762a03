//! DELETE (RFC 4918 §9.6) of an object, or of a calendar with all that is in it (which its owner finds in the trash).

use super::copy_move::no_content;
use super::put::parent;
use crate::dav::request::Depth;
use crate::dav::view::Node;
use crate::dav::{Call, resource};
use crate::model::{Door, Error, Origin, Path, Privilege, Privileges, Result, access};
use crate::objects;
use crate::store::calendars;
use crate::wire::Response;

pub async fn run(call: Call) -> Result<Response> {
    match call.path() {
        Path::Object { name, slug, object } => remove_object(&call, name, slug, object).await?,
        Path::Calendar { name, slug } => remove_calendar(&call, name, slug).await?,
        _ => return Err(Error::MethodNotAllowed),
    }
    Ok(no_content())
}

async fn remove_object(call: &Call, home: &str, slug: &str, name: &str) -> Result<()> {
    let bound = parent(call, home, slug).await.map_err(missing)?;
    let guard = call.guard(&bound, name).await?;
    let calendar = access::writable(bound, call.who(), Privileges::NONE.with(Privilege::Unbind))?;
    let origin = Origin {
        who: call.who().id,
        door: Door::Caldav,
    };
    objects::remove(&call.door(&call.rules()), &calendar, name, &guard, origin).await
}

fn missing(why: Error) -> Error {
    if matches!(why, Error::Conflict(_)) {
        Error::NotFound
    } else {
        why
    }
}

/// From one's own home only: a calendar that is shared with its owner's home stays in the others' until they remove it.
async fn remove_calendar(call: &Call, home: &str, slug: &str) -> Result<()> {
    // RFC 4918 §9.6.1: only infinity makes sense.
    if !matches!(call.request.depth, None | Some(Depth::Infinity)) {
        return Err(Error::BadRequest(
            "header Depth: a collection is deleted with infinity".into(),
        ));
    }
    let bound = parent(call, home, slug).await.map_err(missing)?;
    call.check_tags(&Node::Calendar(&bound))?;
    call.check_if().await?;
    let who = call.who();
    resource::may_write(who)?;
    if bound.home != who.id {
        return Err(resource::lacking(Privilege::Unbind));
    }
    let (home, slug, now) = (bound.home, bound.slug, call.app.clock.now());
    call.app
        .store
        .write(move |tx| Box::pin(async move { calendars::remove(tx, home, &slug, now).await }))
        .await
}
