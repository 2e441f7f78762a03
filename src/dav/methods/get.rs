//! GET and HEAD: an object as it was stored (RFC 4791 §5.3.4), a calendar as one iCalendar file, elsewhere a hint.
//!
//! The object's answer is never content-coded, so its tag is strong; the export's is made of the calendar's numbers.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::dav::conditions::Verdict;
use crate::dav::{Call, date, error, export, live, resource};
use crate::model::{Error, Path, Result};
use crate::store::objects;
use crate::wire::{ReplyBody, Response};

pub async fn run(call: Call) -> Result<Response> {
    match call.path() {
        Path::Object { name, slug, object } => get_object(&call, name, slug, object).await,
        Path::Calendar { name, slug } => export(&call, name, slug).await,
        path => about(&call, path).await,
    }
}

/// A word for the person who opens such an address in a browser; programs ask with PROPFIND.
async fn about(call: &Call, path: &Path) -> Result<Response> {
    let who = call.who();
    call.app
        .store
        .read(|tx| Box::pin(resource::load(tx, who, path)))
        .await?;
    let text = format!(
        "This is a CalDAV address. Give {} and your user name to a calendar program.\n",
        call.app.url("/")
    );
    Ok(error::typed("text/plain; charset=utf-8", text.into()))
}

async fn get_object(call: &Call, home: &str, slug: &str, name: &str) -> Result<Response> {
    let who = call.who();
    let found = call
        .app
        .store
        .peek(|tx| Box::pin(objects::fetch(tx, who.id, home, slug, name)))
        .await?;
    let found = found.ok_or(Error::NotFound)?;
    resource::demand_read(who, found.privileges)?;
    call.check_if().await?;
    let member = found.object.member;
    let status = match call
        .request
        .conditions
        .read(&member.etag.0, member.modified)
    {
        Verdict::Failed => return Err(Error::PreconditionFailed),
        Verdict::NotModified => StatusCode::NOT_MODIFIED,
        Verdict::Go => StatusCode::OK,
    };
    let body = if status == StatusCode::OK {
        Bytes::from(found.object.body).into()
    } else {
        ReplyBody::Empty
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    put_validators(headers, &member.etag.quoted(), member.modified);
    if status == StatusCode::OK {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(live::OBJECT_TYPE),
        );
    }
    if let Some(tag) = member
        .schedule_tag
        .and_then(|tag| HeaderValue::try_from(format!("\"{tag}\"")).ok())
    {
        headers.insert("schedule-tag", tag);
    }
    Ok(response)
}

fn put_validators(headers: &mut HeaderMap, etag: &str, modified: i64) {
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(header::ETAG, etag);
    }
    if let Some(when) = date::http(modified).and_then(|when| HeaderValue::try_from(when).ok()) {
        headers.insert(header::LAST_MODIFIED, when);
    }
}

/// The whole calendar.
async fn export(call: &Call, home: &str, slug: &str) -> Result<Response> {
    let who = call.who();
    let bound = call
        .app
        .store
        .peek(|tx| Box::pin(resource::calendar(tx, who, home, slug)))
        .await?;
    let calendar = &bound.calendar;
    let tag = export::tag(calendar);
    let modified = calendar.modified;
    let status = match call.request.conditions.read(&tag, modified) {
        Verdict::Failed => return Err(Error::PreconditionFailed),
        Verdict::NotModified => StatusCode::NOT_MODIFIED,
        Verdict::Go => StatusCode::OK,
    };
    let mut response = Response::new(ReplyBody::Empty);
    if status == StatusCode::OK {
        *response.body_mut() = export::stream(call, bound).await?;
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(live::OBJECT_TYPE),
        );
    }
    *response.status_mut() = status;
    put_validators(response.headers_mut(), &format!("\"{tag}\""), modified);
    Ok(response)
}
