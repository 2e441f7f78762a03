//! PUT (RFC 4918 §9.7, RFC 4791 §5.3.2): an object is created or replaced through the one door for writes.

use http::{HeaderValue, StatusCode, header};

use crate::dav::{Call, live};
use crate::model::{
    Bound, Door, Error, Guard, Origin, Path, Precondition, Privilege, Privileges, Result, Writable,
    access,
};
use crate::objects::{self, Draft, Put};
use crate::store::{calendars, objects as rows};
use crate::wire::{ReplyBody, Response};

pub async fn run(call: Call) -> Result<Response> {
    let (name, slug, object) = match call.path() {
        Path::Object { name, slug, object } => (name, slug, object),
        // RFC 4918 §9.7.2: PUT has no meaning for collections; in a home there is nothing else.
        _ => return Err(Error::MethodNotAllowed),
    };
    if call.request.partial {
        // RFC 9110 §14.5
        return Err(Error::BadRequest(
            "header Content-Range: an object is stored whole".into(),
        ));
    }
    check_media_type(&call)?;
    check_name(object)?;
    let bound = parent(&call, name, slug).await?;
    let guard = call.guard(&bound, object).await?;
    let put = store(&call, bound.clone(), object, guard).await;
    let put = match put {
        Err(Error::PreconditionFailed) if call.request.prefer.representation => {
            return present(&call, &bound, object).await;
        }
        other => other?,
    };
    let status = if put.created {
        StatusCode::CREATED
    } else {
        StatusCode::NO_CONTENT
    };
    answer(&call, &bound, object, &put, status).await
}

/// The calendar that is to hold the object; without it the answer is 409 (RFC 4918 §9.7.1).
pub async fn parent(call: &Call, home: &str, slug: &str) -> Result<Bound> {
    let who = call.who();
    let found = call
        .app
        .store
        .peek(|tx| Box::pin(calendars::find(tx, who.id, home, slug)))
        .await?;
    match found.filter(|bound| bound.privileges != Privileges::NONE) {
        Some(bound) => Ok(bound),
        None if home == who.name => Err(Error::Conflict(
            "there is no calendar at this address: make it first".into(),
        )),
        None => Err(Error::NotFound),
    }
}

/// RFC 4791 §5.3.2.1 supported-calendar-data. A body without a type is taken for what it has to be.
pub fn check_media_type(call: &Call) -> Result<()> {
    const LOOSE: [&str; 2] = [
        "application/octet-stream",
        "application/x-www-form-urlencoded",
    ];
    let request = &call.request;
    let refuse = |what: &str| {
        Err(Error::precondition(
            Precondition::SupportedCalendarData,
            format!("{what}: send text/calendar"),
        ))
    };
    match request.media_type.as_deref() {
        None | Some("text/calendar") => {}
        Some(media) if LOOSE.contains(&media) => {}
        Some(media) => return refuse(media),
    }
    match request.charset.as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(()),
        Some(charset) => refuse(charset),
    }
}

/// The longest name of an object, in bytes: what every database keeps in an index.
const NAME: usize = 1024;

/// Refuses what no object may be called.
pub fn check_name(name: &str) -> Result<()> {
    if name.len() <= NAME {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "an object's name has {NAME} bytes at most"
    )))
}

/// Through the door. Creating needs bind, replacing needs write-content; which of them it is turns out under the lock, so
/// who has only one of them is held to it by the guard.
pub async fn store(call: &Call, bound: Bound, name: &str, mut guard: Guard) -> Result<Put> {
    use crate::model::object::Tags;
    let create = bound.privileges.has(Privilege::Bind);
    let replace = bound.privileges.has(Privilege::WriteContent);
    let needs = Privileges::NONE.with(if create {
        Privilege::Bind
    } else {
        Privilege::WriteContent
    });
    match (create, replace) {
        (true, false) => guard.if_none_match = Some(Tags::Any),
        (false, true) if guard.if_match.is_none() => guard.if_match = Some(Tags::Any),
        _ => {}
    }
    let calendar: Writable<Bound> = access::writable(bound, call.who(), needs)?;
    let draft = Draft {
        name: name.to_owned(),
        body: call.request.body.clone(),
    };
    let origin = Origin {
        who: call.who().id,
        door: Door::Caldav,
    };
    objects::put(&call.door(&call.rules()), &calendar, draft, &guard, origin).await
}

/// The answer to a write that went well. The tag is given only for what was stored as sent (RFC 4791 §5.3.4).
pub async fn answer(
    call: &Call,
    bound: &Bound,
    name: &str,
    put: &Put,
    status: StatusCode,
) -> Result<Response> {
    let mut response = match call.request.prefer.representation {
        true => {
            let mut response = present(call, bound, name).await?;
            *response.status_mut() = if put.created {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            response
        }
        false => {
            let mut response = Response::new(ReplyBody::Empty);
            *response.status_mut() = status;
            response
        }
    };
    let headers = response.headers_mut();
    if put.stored_as_sent
        && let Ok(etag) = HeaderValue::try_from(put.etag.quoted())
    {
        headers.insert(header::ETAG, etag);
    }
    if let Some(tag) = put
        .schedule_tag
        .as_ref()
        .and_then(|tag| HeaderValue::try_from(format!("\"{tag}\"")).ok())
    {
        headers.insert("schedule-tag", tag);
    }
    Ok(response)
}

/// The object as it is (RFC 8144 §3): with 412 when a condition failed.
async fn present(call: &Call, bound: &Bound, name: &str) -> Result<Response> {
    let id = bound.calendar.id;
    let found = call
        .app
        .store
        .peek(|tx| Box::pin(rows::get(tx, id, name)))
        .await?;
    let object = found
        .filter(|_| bound.privileges.has(Privilege::Read))
        .ok_or(Error::PreconditionFailed)?;
    let mut response = Response::new(object.body.into());
    *response.status_mut() = StatusCode::PRECONDITION_FAILED;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(live::OBJECT_TYPE),
    );
    headers.insert(
        "preference-applied",
        HeaderValue::from_static("return=representation"),
    );
    if let Ok(location) = HeaderValue::try_from(call.object_href(bound, name)) {
        headers.insert(header::CONTENT_LOCATION, location);
    }
    if let Ok(etag) = HeaderValue::try_from(object.member.etag.quoted()) {
        headers.insert(header::ETAG, etag);
    }
    Ok(response)
}
