//! `/feeds/{secret}.ics`, `.ifb`, `.json` and `.mobileconfig`.
//!
//! What a feed says follows from the numbers of its calendars (and of the day, where a window moves): they make the
//! entity tag. So a fetch that finds nothing new costs a look at the calendars and makes no body, and a body is made
//! once for each state.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;

use super::Shared;
use super::build::{self, DAY, Plan};
use super::http;
use crate::app::App;
use crate::app::feeds::{self, Open, Text};
use crate::app::profile::{self, Subscription};
use crate::model::{Etag, Result};

/// What a feed can be fetched as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Calendar,
    FreeBusy,
    Json,
}

impl Form {
    /// Extension, media type.
    const TABLE: [(Form, &'static str, &'static str); 3] = [
        (Form::Calendar, "ics", "text/calendar; charset=utf-8"),
        (Form::FreeBusy, "ifb", "text/calendar; charset=utf-8"),
        (Form::Json, "json", "application/json"),
    ];

    fn media_type(self) -> &'static str {
        Form::TABLE
            .iter()
            .find(|row| row.0 == self)
            .map_or("", |row| row.2)
    }
}

/// Bodies shorter than this are not worth a coding.
const WORTH_GZIP: usize = 1024;

pub async fn serve(
    State(shared): State<Shared>,
    method: Method,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    match answer(&shared, &method, &file, &headers).await {
        Ok(reply) => reply,
        Err(error) => http::refusal(&error),
    }
}

async fn answer(
    shared: &Shared,
    method: &Method,
    file: &str,
    headers: &HeaderMap,
) -> Result<Response<Body>> {
    let app = &shared.app;
    let Some((secret, extension)) = file.rsplit_once('.') else {
        return Ok(http::nothing());
    };
    let form = Form::TABLE
        .iter()
        .find(|row| row.1 == extension)
        .map(|row| row.0);
    if form.is_none() && extension != "mobileconfig" {
        return Ok(http::nothing());
    }
    let Some(open) = feeds::open(app, secret).await? else {
        return Ok(http::nothing());
    };
    match *method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return Ok(http::options()),
        _ => return Ok(http::not_allowed()),
    }
    let head = *method == Method::HEAD;
    let reply = match form {
        Some(form) => told(shared, open, secret, form, head, headers).await?,
        None => subscription(app, &open, secret).await?,
    };
    Ok(reply)
}

/// The state that a feed shows now.
struct Shown {
    tag: String,
    modified: i64,
    plan: Plan,
}

fn shown(app: &App, open: &Open, form: Form) -> Shown {
    let today = app.clock.now().div_euclid(DAY);
    let plan = Plan::of(open, form, today);
    let mut state = format!(
        "{} {:?} {} {}",
        env!("CARGO_PKG_VERSION"),
        form,
        open.feed.id,
        open.privacy.as_str()
    );
    if let Some((from, to)) = plan.window {
        state += &format!(" {from} {to}");
    }
    let mut modified = if plan.window.is_some() {
        today * DAY
    } else {
        0
    };
    for bound in &open.calendars {
        let calendar = &bound.calendar;
        state += &format!(" {}:{}:{}", calendar.id, calendar.seq, calendar.props_seq);
        modified = modified.max(calendar.modified);
    }
    Shown {
        tag: Etag::of(state.as_bytes()).0,
        modified: modified.max(open.feed.created),
        plan,
    }
}

async fn told(
    shared: &Shared,
    open: Open,
    secret: &str,
    form: Form,
    head: bool,
    headers: &HeaderMap,
) -> Result<Response<Body>> {
    let app = &shared.app;
    feeds::fetched(app, &open.feed, http::agent(headers));
    let state = shown(app, &open, form);
    if let Some(tag) = known(headers, &state) {
        let nothing = Response::new(Body::empty());
        return Ok(dressed(
            nothing,
            StatusCode::NOT_MODIFIED,
            &tag,
            state.modified,
            form,
        ));
    }
    let (body, state) = match current(shared, open, secret, form, state).await? {
        Current::Gone => return Ok(http::nothing()),
        Current::Unsettled(body) => return Ok(reply(body.plain(), head, form)),
        Current::Shows(body, state) => (body, state),
    };
    if body.len() < WORTH_GZIP || !http::takes_gzip(headers) {
        let whole = reply(body.plain(), head, form);
        return Ok(dressed(
            whole,
            StatusCode::OK,
            &state.tag,
            state.modified,
            form,
        ));
    }
    let mut reply = dressed(
        reply(body.gzip().await?, head, form),
        StatusCode::OK,
        &gzip_tag(&state.tag),
        state.modified,
        form,
    );
    reply
        .headers_mut()
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    Ok(reply)
}

fn gzip_tag(tag: &str) -> String {
    format!("{tag}-gzip")
}

/// The tag by which the client has this state already, in either coding.
fn known(headers: &HeaderMap, state: &Shown) -> Option<String> {
    let zipped = gzip_tag(&state.tag);
    if let Some(tag) = http::has_tag(headers, &[&state.tag, &zipped]) {
        return Some(tag.to_string());
    }
    let by_date =
        !headers.contains_key(header::IF_NONE_MATCH) && http::is_fresh(headers, state.modified);
    by_date.then(|| state.tag.clone())
}

/// What a feed says now.
enum Current {
    Shows(Text, Shown),
    /// It changes faster than it can be read: what was read last, good for once, without a tag.
    Unsettled(Text),
    /// It was revoked meanwhile.
    Gone,
}

async fn current(
    shared: &Shared,
    mut open: Open,
    secret: &str,
    form: Form,
    mut state: Shown,
) -> Result<Current> {
    const ATTEMPTS: usize = 4;
    let app = &shared.app;
    let kept = |tag: &str, open: &Open| app.feeds.get(open.feed.id, form as u8, tag);
    if let Some(body) = kept(&state.tag, &open) {
        return Ok(Current::Shows(body, state));
    }
    let _turn = app.feeds.turn(open.feed.id).await;
    let mut last = Text::default();
    for _ in 0..ATTEMPTS {
        if let Some(body) = kept(&state.tag, &open) {
            return Ok(Current::Shows(body, state));
        }
        let made = build::body(app, &open, form, &state.plan, &shared.kept).await?;
        // The calendars were read page by page: is this still the state that the tag names?
        let Some(again) = feeds::open(app, secret).await? else {
            return Ok(Current::Gone);
        };
        let now = shown(app, &again, form);
        if now.tag == state.tag {
            let body = made.text().clone();
            app.feeds.put(open.feed.id, form as u8, &state.tag, &body);
            shared.kept.put(&again, &state.plan, made);
            return Ok(Current::Shows(body, state));
        }
        last = made.text().clone();
        (open, state) = (again, now);
    }
    Ok(Current::Unsettled(last))
}

/// A whole body, or its length alone.
fn reply(parts: Vec<Bytes>, head: bool, form: Form) -> Response<Body> {
    let length: usize = parts.iter().map(Bytes::len).sum();
    let frames = parts
        .into_iter()
        .map(|part| Ok::<_, Infallible>(Frame::data(part)));
    let mut reply = Response::new(if head {
        Body::empty()
    } else {
        Body::new(StreamBody::new(futures_util::stream::iter(frames)))
    });
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(form.media_type()),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    reply
}

/// With the headers that every answer for a state has. `no-cache` means: ask again, it is cheap.
fn dressed(
    mut reply: Response<Body>,
    status: StatusCode,
    tag: &str,
    modified: i64,
    form: Form,
) -> Response<Body> {
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(format!("\"{tag}\"")) {
        headers.insert(header::ETAG, tag);
    }
    headers.extend(http::date(modified).map(|date| (header::LAST_MODIFIED, date)));
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    headers.insert(
        header::VARY,
        HeaderValue::from_static("Accept-Encoding, User-Agent"),
    );
    if status == StatusCode::OK {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(form.media_type()),
        );
    }
    reply
}

/// A profile that subscribes Apple's devices to the feed.
async fn subscription(app: &App, open: &Open, secret: &str) -> Result<Response<Body>> {
    let url = app.url(&format!("/feeds/{secret}.ics"));
    let name = build::name(app, open).await?;
    let text = Subscription {
        url: &url,
        description: &name,
    }
    .write();
    let mut reply = Response::new(Body::from(text));
    let headers = reply.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(profile::CONTENT_TYPE),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let file = HeaderValue::from_static("attachment; filename=\"calendar.mobileconfig\"");
    headers.insert(header::CONTENT_DISPOSITION, file);
    Ok(reply)
}
