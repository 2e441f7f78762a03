//! `/api/v1/links`: links as they are, made, changed, run and ended. What they did is [`super::runs`].

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Path, Query, State};
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::request::{self, Reply, Signed};
use super::runs::{Run, show_run};
use crate::app::App;
use crate::app::links::{self, Change, New, Shown, Target};
use crate::app::sessions::times::print_instant;
use crate::model::access::Scopes;
use crate::model::bridge::{ConflictPolicy, Direction, GuestPolicy, Privacy};
use crate::model::{Error, LinkId, RemoteCalendarId, Who};
use crate::sync::{Mirrors, Planned, Report};

/// How long *sync now* is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// A local calendar kept in step with a remote one.
#[derive(Serialize, ToSchema)]
pub struct Link {
    id: i64,
    /// The local calendar, by its name in addresses; absent: it is in the trash.
    calendar: Option<String>,
    calendar_name: String,
    connection: i64,
    provider: String,
    /// What the account is called.
    account: String,
    remote_calendar: i64,
    remote_name: String,
    /// `pull`, `push`, `both` or `busy`.
    direction: String,
    /// `full`, `titles` or `busy`.
    privacy: String,
    title_template: String,
    description_template: String,
    auto_create: bool,
    auto_update: bool,
    /// `theirs`, `ours` or `newest`.
    conflict: String,
    /// `never` or `send`.
    guests: String,
    /// Seconds between two polls.
    interval: i64,
    /// `active`, `paused`, `asking` (a run waits for your yes: `:approve`) or `ending`.
    state: String,
    created: String,
    status: Status,
}

/// How a link is doing.
#[derive(Serialize, ToSchema)]
pub struct Status {
    /// When both sides were last known to agree.
    last_sync: Option<String>,
    /// When it runs next by itself.
    next_sync: Option<String>,
    /// Seconds for which something may have been waiting.
    lag_seconds: i64,
    /// A webhook tells of changes; else only polls find them.
    webhook: bool,
    /// Events that are on both sides.
    events: i64,
    waiting: i64,
    parked: i64,
    /// What is wrong, in words.
    errors: Vec<String>,
    last_run: Option<Run>,
}

/// A link to be made: with a calendar that is there, or one that is made for it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    /// As the connection's `calendars` lists it.
    remote_calendar: i64,
    /// A calendar of your own, by its name in addresses; absent: a new one is made.
    calendar: Option<String>,
    /// What the new calendar is called; as the remote one when absent.
    name: Option<String>,
    /// `#rrggbb`
    color: Option<String>,
    direction: Option<String>,
    privacy: Option<String>,
    title_template: Option<String>,
    description_template: Option<String>,
    auto_create: Option<bool>,
    auto_update: Option<bool>,
    conflict: Option<String>,
    guests: Option<String>,
    interval: Option<i64>,
}

/// What is to be changed of a link; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkChange {
    direction: Option<String>,
    privacy: Option<String>,
    title_template: Option<String>,
    description_template: Option<String>,
    auto_create: Option<bool>,
    auto_update: Option<bool>,
    conflict: Option<String>,
    guests: Option<String>,
    interval: Option<i64>,
    paused: Option<bool>,
}

impl LinkChange {
    fn read(self) -> Result<Change, Error> {
        Ok(Change {
            direction: word("direction", self.direction, Direction::parse)?,
            privacy: word("privacy", self.privacy, Privacy::parse)?,
            title_template: self.title_template,
            description_template: self.description_template,
            auto_create: self.auto_create,
            auto_update: self.auto_update,
            conflict: word("conflict", self.conflict, ConflictPolicy::parse)?,
            guests: word("guests", self.guests, GuestPolicy::parse)?,
            interval: self.interval,
            paused: self.paused,
        })
    }
}

impl NewLink {
    fn read(self) -> Result<New, Error> {
        let target = match self.calendar {
            Some(_) if self.name.is_some() || self.color.is_some() => {
                return Err(invalid(
                    "name",
                    "this is for a new calendar: leave `calendar` out",
                ));
            }
            Some(slug) => Target::Existing(slug),
            None => Target::New {
                name: self.name,
                color: self.color,
            },
        };
        let settings = LinkChange {
            direction: self.direction,
            privacy: self.privacy,
            title_template: self.title_template,
            description_template: self.description_template,
            auto_create: self.auto_create,
            auto_update: self.auto_update,
            conflict: self.conflict,
            guests: self.guests,
            interval: self.interval,
            paused: None,
        };
        Ok(New {
            remote: RemoteCalendarId(self.remote_calendar),
            target,
            settings: settings.read()?,
        })
    }
}

pub(super) fn invalid(field: &str, reason: &str) -> Error {
    Error::Invalid {
        field: field.into(),
        reason: reason.into(),
    }
}

fn word<T>(
    field: &str,
    text: Option<String>,
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>, Error> {
    match text {
        None => Ok(None),
        Some(text) => parse(&text)
            .map(Some)
            .ok_or_else(|| invalid(field, &format!("there is no {field} `{text}`"))),
    }
}

fn show(shown: &Shown) -> Link {
    let (link, text) = (&shown.link, |word: &str| word.to_string());
    Link {
        id: link.id.0,
        calendar: shown.calendar.as_ref().map(|bound| bound.slug.clone()),
        calendar_name: shown.name.clone(),
        connection: link.connection.0,
        provider: shown.connection.provider.clone(),
        account: shown.connection.label.clone(),
        remote_calendar: link.remote.0,
        remote_name: shown.remote.name.clone(),
        direction: text(link.direction.as_str()),
        privacy: text(link.privacy.as_str()),
        title_template: link.title_template.clone(),
        description_template: link.description_template.clone(),
        auto_create: link.auto_create,
        auto_update: link.auto_update,
        conflict: text(link.conflict.as_str()),
        guests: text(link.guests.as_str()),
        interval: link.interval,
        state: text(link.state.as_str()),
        created: print_instant(link.created),
        status: Status {
            last_sync: link.last_sync.map(print_instant),
            next_sync: shown.next_sync.map(print_instant),
            lag_seconds: shown.lag,
            webhook: shown.watched,
            events: shown.counts.mapped,
            waiting: shown.counts.waiting,
            parked: shown.counts.parked,
            errors: shown.errors.clone(),
            last_run: shown.last_run.as_ref().map(show_run),
        },
    }
}

/// List one's links.
#[utoipa::path(get, path = "/api/v1/links", tag = "links", responses((status = 200, body = [Link])))]
pub async fn list(State(app): State<App>, who: Signed) -> Reply<Json<Vec<Link>>> {
    let who = who.with(Scopes::BRIDGE)?;
    let all = links::list(&app, &who).await?;
    Ok(Json(all.iter().map(show).collect()))
}

/// Link a calendar with a remote one. The first run follows at once.
#[utoipa::path(post, path = "/api/v1/links", tag = "links", request_body = NewLink, responses(
    (status = 201, body = Link), (status = 409, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(app): State<App>,
    who: Signed,
    request::Json(new): request::Json<NewLink>,
) -> Reply<(StatusCode, Json<Link>)> {
    let who = who.with(Scopes::BRIDGE)?;
    let shown = links::create(&app, &who, new.read()?).await?;
    Ok((StatusCode::CREATED, Json(show(&shown))))
}

/// One link.
#[utoipa::path(get, path = "/api/v1/links/{id}", tag = "links", params(("id" = i64, Path)), responses(
    (status = 200, body = Link), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn get(State(app): State<App>, who: Signed, Path(id): Path<i64>) -> Reply<Json<Link>> {
    let who = who.with(Scopes::BRIDGE)?;
    Ok(Json(show(&links::get(&app, &who, LinkId(id)).await?)))
}

/// Change a link's settings, pause it, or let it go on.
///
/// Where the settings say other things about events than before, every event is told anew.
#[utoipa::path(patch, path = "/api/v1/links/{id}", tag = "links", params(("id" = i64, Path)),
    request_body = LinkChange, responses((status = 200, body = Link),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json")))]
pub async fn patch(
    State(app): State<App>,
    who: Signed,
    Path(id): Path<i64>,
    request::Json(change): request::Json<LinkChange>,
) -> Reply<Json<Link>> {
    let who = who.with(Scopes::BRIDGE)?;
    let shown = links::update(&app, &who, LinkId(id), change.read()?).await?;
    Ok(Json(show(&shown)))
}

/// What becomes of the copies of our events there.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Ending {
    /// `keep` (when absent) or `remove`.
    mirrors: Option<String>,
}

/// End a link. The local calendar stays with all its events.
#[utoipa::path(delete, path = "/api/v1/links/{id}", tag = "links", params(("id" = i64, Path), Ending), responses(
    (status = 204), (status = 202, description = "its mirrors are being removed"),
    (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn delete(
    State(app): State<App>,
    who: Signed,
    Path(id): Path<i64>,
    Query(ending): Query<Ending>,
) -> Reply<StatusCode> {
    let who = who.with(Scopes::BRIDGE)?;
    let mirrors = match ending.mirrors.as_deref() {
        None | Some("keep") => Mirrors::Keep,
        Some("remove") => Mirrors::Remove,
        Some(_) => return Err(invalid("mirrors", "must be keep or remove").into()),
    };
    links::remove(&app, &who, LinkId(id), mirrors).await?;
    match links::get(&app, &who, LinkId(id)).await {
        Err(Error::NotFound) => Ok(StatusCode::NO_CONTENT),
        Err(fault) => Err(fault.into()),
        Ok(_) => Ok(StatusCode::ACCEPTED),
    }
}

/// How to sync.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Syncing {
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// What a run did.
#[derive(Serialize, ToSchema)]
pub struct Done {
    /// Absent: there was nothing to do.
    run: Option<i64>,
    #[schema(value_type = Object)]
    counts: Value,
    /// What stopped it, in words.
    fault: Option<String>,
    /// What you have to say yes to first (`:approve`).
    asked: Option<String>,
}

impl From<Report> for Done {
    fn from(report: Report) -> Done {
        Done {
            run: report.run.map(|id| id.0),
            counts: serde_json::to_value(report.counts).unwrap_or_default(),
            fault: report.fault,
            asked: report.asked,
        }
    }
}

/// What a run did, or, with `dry_run`, would do.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum Outcome {
    Done(Done),
    Plan { operations: Vec<Operation> },
}

/// One thing that a run would do.
#[derive(Serialize, ToSchema)]
pub struct Operation {
    uid: String,
    title: String,
    /// `create there`, `update here` …
    action: String,
    /// Why nothing can be done about it.
    refused: Option<String>,
}

impl From<Planned> for Operation {
    fn from(planned: Planned) -> Operation {
        Operation {
            uid: planned.uid,
            title: planned.title,
            action: planned.act.as_str().to_string(),
            refused: planned.refused,
        }
    }
}

/// `POST /api/v1/links/{id}:verb`, taken apart here.
pub async fn act(
    State(app): State<App>,
    who: Signed,
    Path(address): Path<String>,
    Query(how): Query<Syncing>,
    body: Request<Body>,
) -> Reply<Response> {
    let who = who.with(Scopes::BRIDGE)?;
    let (id, verb) = super::verb(&address)?;
    let id = LinkId(id);
    match verb {
        "sync" => {
            let how = match body.headers().contains_key(header::CONTENT_TYPE) {
                true => request::Json::from_request(body, &app).await?.0,
                false => how,
            };
            sync(&app, &who, id, how).await
        }
        "approve" => Ok(approve(&app, &who, id).await?.into_response()),
        _ => Err(Error::NotFound.into()),
    }
}

/// Run a link now, or say what a run would do.
#[utoipa::path(post, path = "/api/v1/links/{id}:sync", tag = "links", params(("id" = i64, Path), Syncing), responses(
    (status = 200, body = Outcome), (status = 202, description = "it takes longer, and goes on"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json")))]
async fn sync(app: &App, who: &Who, id: LinkId, how: Syncing) -> Reply<Response> {
    if how.dry_run {
        let planned = links::dry_run(app, who, id).await?;
        let operations = planned.into_iter().map(Operation::from).collect();
        return Ok(Json(Outcome::Plan { operations }).into_response());
    }
    let done = links::sync_now(app, who, id, PATIENCE).await?;
    Ok(match done {
        Some(report) => Json(Outcome::Done(report.into())).into_response(),
        None => StatusCode::ACCEPTED.into_response(),
    })
}

/// Say yes to what a link asks, once.
#[utoipa::path(post, path = "/api/v1/links/{id}:approve", tag = "links", params(("id" = i64, Path)), responses(
    (status = 200, body = Link), (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "it asks nothing")))]
async fn approve(app: &App, who: &Who, id: LinkId) -> Reply<Json<Link>> {
    Ok(Json(show(&links::approve(app, who, id).await?)))
}
