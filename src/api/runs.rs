//! What links did and have to do: `/api/v1/links/{id}/runs`, `queue`, `conflicts`, `losses`; `/api/v1/runs`;
//! `/api/v1/stats`.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::links::{Done, invalid};
use super::problem::Problem;
use super::request::{Reply, Signed};
use crate::app::App;
use crate::app::links::{self, WaitingState};
use crate::app::sessions::times::print_instant;
use crate::model::access::Scopes;
use crate::model::{Error, LinkId, RunId, Who};

/// Rows of a list.
const MOST: i64 = 200;
const USUAL: i64 = 50;

/// A run that did something.
#[derive(Serialize, ToSchema)]
pub struct Run {
    id: i64,
    link: i64,
    /// `poll`, `webhook`, `local`, `asked` or `undo`.
    cause: String,
    started: String,
    ended: Option<String>,
    /// How many events were created, updated and deleted on each side, conflicts, parked ones …
    #[schema(value_type = Object)]
    counts: Value,
    /// What stopped it, in words.
    fault: Option<String>,
    undone: Option<String>,
}

pub(super) fn show_run(run: &links::Run) -> Run {
    Run {
        id: run.id.0,
        link: run.link.0,
        cause: run.cause.clone(),
        started: print_instant(run.started),
        ended: run.ended.map(print_instant),
        counts: run.counts.clone(),
        fault: run.fault.clone(),
        undone: run.undone.map(print_instant),
    }
}

/// A page of a list, newest first.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many at most, up to 200; 50 when absent.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl Page {
    fn limit(&self) -> Result<i64, Error> {
        let limit = self.limit.unwrap_or(USUAL);
        match (1..=MOST).contains(&limit) {
            true => Ok(limit),
            false => Err(invalid("limit", &format!("must be between 1 and {MOST}"))),
        }
    }

    fn before(&self) -> Result<Option<i64>, Error> {
        match &self.cursor {
            None => Ok(None),
            Some(text) => text
                .parse()
                .map(Some)
                .map_err(|_| invalid("cursor", "is not one of ours")),
        }
    }
}

/// The cursor of the next page, when this one is full.
fn next<T>(all: &[T], limit: i64, id: impl Fn(&T) -> String) -> Option<String> {
    let full = i64::try_from(all.len()).is_ok_and(|count| count == limit);
    all.last().filter(|_| full).map(id)
}

/// Runs, newest first.
#[derive(Serialize, ToSchema)]
pub struct Runs {
    runs: Vec<Run>,
    next_cursor: Option<String>,
}

/// What runs of a link did.
#[utoipa::path(get, path = "/api/v1/links/{id}/runs", tag = "links", params(("id" = i64, Path), Page), responses(
    (status = 200, body = Runs), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn runs(
    State(app): State<App>,
    who: Signed,
    Path(id): Path<i64>,
    Query(page): Query<Page>,
) -> Reply<Json<Runs>> {
    let who = who.with(Scopes::BRIDGE)?;
    let (limit, before) = (page.limit()?, page.before()?.map(RunId));
    let all = links::runs(&app, &who, LinkId(id), before, limit).await?;
    Ok(Json(Runs {
        next_cursor: next(&all, limit, |run| run.id.to_string()),
        runs: all.iter().map(show_run).collect(),
    }))
}

/// `POST /api/v1/runs/{id}:undo`.
pub async fn act_on_run(
    State(app): State<App>,
    who: Signed,
    Path(address): Path<String>,
) -> Reply<Json<Done>> {
    let who = who.with(Scopes::BRIDGE)?;
    match super::verb(&address)? {
        (id, "undo") => undo(&app, &who, RunId(id)).await,
        _ => Err(Error::NotFound.into()),
    }
}

/// Undo a run: both sides become what they were before it, where nobody changed them since.
#[utoipa::path(post, path = "/api/v1/runs/{id}:undo", tag = "links", params(("id" = i64, Path)), responses(
    (status = 200, body = Done), (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "it was undone already")))]
async fn undo(app: &App, who: &Who, id: RunId) -> Reply<Json<Done>> {
    Ok(Json(links::undo(app, who, id).await?.into()))
}

/// An event that waits to be brought across.
#[derive(Serialize, ToSchema)]
pub struct Waiting {
    uid: String,
    /// `waiting`, or `parked`: not tried any more by itself.
    state: &'static str,
    /// Why it is parked: a stable word.
    code: Option<String>,
    /// For people.
    reason: Option<String>,
    attempts: i64,
    retry_at: Option<String>,
}

impl From<links::Waiting> for Waiting {
    fn from(waiting: links::Waiting) -> Waiting {
        let said = |text: String| Some(text).filter(|text| !text.is_empty());
        Waiting {
            uid: waiting.uid,
            state: match waiting.state {
                WaitingState::Waiting => "waiting",
                WaitingState::Parked => "parked",
            },
            code: said(waiting.code),
            reason: said(waiting.reason),
            attempts: waiting.attempts,
            retry_at: waiting.retry_at.map(print_instant),
        }
    }
}

/// What waits to be brought across, and what is parked with the reason; the parked ones first, at most 500.
#[utoipa::path(get, path = "/api/v1/links/{id}/queue", tag = "links", params(("id" = i64, Path)), responses(
    (status = 200, body = [Waiting]), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn queue(
    State(app): State<App>,
    who: Signed,
    Path(id): Path<i64>,
) -> Reply<Json<Vec<Waiting>>> {
    let who = who.with(Scopes::BRIDGE)?;
    let all = links::queue(&app, &who, LinkId(id)).await?;
    Ok(Json(all.into_iter().map(Waiting::from).collect()))
}

/// `POST /api/v1/links/{id}/queue/{uid}:retry`.
pub async fn act_on_queue(
    State(app): State<App>,
    who: Signed,
    Path((id, address)): Path<(i64, String)>,
) -> Reply<StatusCode> {
    let who = who.with(Scopes::BRIDGE)?;
    match address.rsplit_once(':') {
        Some((uid, "retry")) => retry(&app, &who, LinkId(id), uid).await,
        _ => Err(Error::NotFound.into()),
    }
}

/// Try an event again that waits or is parked.
#[utoipa::path(post, path = "/api/v1/links/{id}/queue/{uid}:retry", tag = "links",
    params(("id" = i64, Path), ("uid" = String, Path)), responses((status = 202),
    (status = 404, body = Problem, content_type = "application/problem+json")))]
async fn retry(app: &App, who: &Who, id: LinkId, uid: &str) -> Reply<StatusCode> {
    links::retry(app, who, id, uid).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Fields that both sides had changed.
#[derive(Serialize, ToSchema)]
pub struct Conflict {
    id: i64,
    uid: String,
    at: String,
    /// Each field with `base`, `ours`, `theirs`, and which was kept.
    #[schema(value_type = Object)]
    fields: Value,
    /// The whole texts as they were.
    ours: String,
    theirs: String,
}

/// Conflicts, newest first.
#[derive(Serialize, ToSchema)]
pub struct Conflicts {
    conflicts: Vec<Conflict>,
    next_cursor: Option<String>,
}

/// What both sides had changed, what was kept, and what lost.
#[utoipa::path(get, path = "/api/v1/links/{id}/conflicts", tag = "links", params(("id" = i64, Path), Page), responses(
    (status = 200, body = Conflicts), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn conflicts(
    State(app): State<App>,
    who: Signed,
    Path(id): Path<i64>,
    Query(page): Query<Page>,
) -> Reply<Json<Conflicts>> {
    let who = who.with(Scopes::BRIDGE)?;
    let (limit, before) = (page.limit()?, page.before()?);
    let all = links::conflicts(&app, &who, LinkId(id), before, limit).await?;
    let next_cursor = next(&all, limit, |conflict| conflict.id.to_string());
    let conflicts = all.into_iter().map(|conflict| Conflict {
        id: conflict.id,
        uid: conflict.uid,
        at: print_instant(conflict.at),
        fields: conflict.fields,
        ours: conflict.ours,
        theirs: conflict.theirs,
    });
    Ok(Json(Conflicts {
        conflicts: conflicts.collect(),
        next_cursor,
    }))
}

/// What the other side does not hold of one event.
#[derive(Serialize, ToSchema)]
pub struct Losses {
    uid: String,
    /// Each with `rid` (which instance; null: all), `property` and `what` in words.
    #[schema(value_type = Object)]
    losses: Value,
}

/// The fidelity ledger, by UID.
#[derive(Serialize, ToSchema)]
pub struct Ledger {
    events: Vec<Losses>,
    next_cursor: Option<String>,
}

/// What the other side does not hold, event by event. Nothing of it is lost: the local calendar has it.
#[utoipa::path(get, path = "/api/v1/links/{id}/losses", tag = "links", params(("id" = i64, Path), Page), responses(
    (status = 200, body = Ledger), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn losses(
    State(app): State<App>,
    who: Signed,
    Path(id): Path<i64>,
    Query(page): Query<Page>,
) -> Reply<Json<Ledger>> {
    let who = who.with(Scopes::BRIDGE)?;
    let (limit, after) = (page.limit()?, page.cursor.unwrap_or_default());
    let all = links::losses(&app, &who, LinkId(id), &after, limit).await?;
    let next_cursor = next(&all, limit, |one| one.uid.clone());
    let events = all.into_iter().map(|one| Losses {
        uid: one.uid,
        losses: one.losses,
    });
    Ok(Json(Ledger {
        events: events.collect(),
        next_cursor,
    }))
}

/// How all of one's links are doing.
#[derive(Serialize, ToSchema)]
pub struct Stats {
    connections: i64,
    connections_in_trouble: i64,
    links: i64,
    links_active: i64,
    /// Events that are on both sides.
    events: i64,
    waiting: i64,
    parked: i64,
    /// Runs of the last day that did something.
    runs: i64,
    runs_failed: i64,
    /// Of those runs, the part that nothing stopped: 0 to 1; absent without runs.
    success: Option<f64>,
    /// The longest time that something has been waiting.
    lag_seconds: i64,
    last_sync: Option<String>,
}

/// Numbers over one's connections and links.
#[utoipa::path(get, path = "/api/v1/stats", tag = "links", responses((status = 200, body = Stats)))]
pub async fn stats(State(app): State<App>, who: Signed) -> Reply<Json<Stats>> {
    let who = who.with(Scopes::BRIDGE)?;
    let s = links::stats(&app, &who).await?;
    let success = (s.runs > 0).then(|| (s.runs - s.runs_failed) as f64 / s.runs as f64);
    Ok(Json(Stats {
        connections: s.connections,
        connections_in_trouble: s.connections_in_trouble,
        links: s.links,
        links_active: s.links_active,
        events: s.events,
        waiting: s.waiting,
        parked: s.parked,
        runs: s.runs,
        runs_failed: s.runs_failed,
        success,
        lag_seconds: s.lag,
        last_sync: s.last_sync.map(print_instant),
    }))
}
