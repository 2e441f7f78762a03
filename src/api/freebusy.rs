//! `/api/v1/freebusy` and `/api/v1/availability`: when is somebody's time taken, and is this range free?

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::request::{Reply, Signed};
use crate::app::freebusy::{BusyTimes, of_person};
use crate::app::sessions::merge::FieldError;
use crate::app::sessions::times::{print_instant, read_instant};
use crate::app::{App, users};
use crate::ical::busy::BusyKind;
use crate::ical::query::TimeRange;
use crate::model::Error;

const DAY: i64 = 86_400;
/// The most that is told at once.
const MOST: i64 = 1100 * DAY;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Whose time; one's own when absent.
    name: Option<String>,
    /// RFC 3339 or a date.
    start: String,
    /// Exclusive.
    end: String,
}

/// Taken time.
#[derive(Serialize, ToSchema)]
pub struct FreeBusy {
    name: String,
    start: String,
    end: String,
    /// A source could not be read: what is not busy here may be busy all the same.
    unknown: bool,
    busy: Vec<Period>,
}

/// Whether a range is free.
#[derive(Serialize, ToSchema)]
pub struct Availability {
    name: String,
    start: String,
    end: String,
    /// `free`, `busy`, or `unknown` when nothing is in the way but a source could not be read.
    state: &'static str,
    free: bool,
    /// What is in the way.
    conflicts: Vec<Period>,
}

/// A stretch of taken time.
#[derive(Serialize, ToSchema)]
pub struct Period {
    start: String,
    end: String,
    /// `busy`, `tentative` or `unavailable`.
    #[serde(rename = "type")]
    kind: &'static str,
}

fn periods(times: &BusyTimes) -> Vec<Period> {
    let kind = |kind: BusyKind| match kind {
        BusyKind::Tentative => "tentative",
        BusyKind::Unavailable => "unavailable",
        BusyKind::Busy | BusyKind::Free => "busy",
    };
    let period = |one: &crate::ical::busy::Busy| Period {
        start: print_instant(one.start),
        end: print_instant(one.end),
        kind: kind(one.kind),
    };
    times.periods.iter().map(period).collect()
}

async fn ask(app: &App, who: Signed, asked: &Asked) -> Result<(String, BusyTimes), Problem> {
    let mut wrong = Vec::new();
    let mut time = |name: &str, text: &str| {
        read_instant(text).unwrap_or_else(|| {
            wrong.push(FieldError::new(name, "not a time of RFC 3339 or a date"));
            0
        })
    };
    let range = TimeRange {
        start: time("start", &asked.start),
        end: time("end", &asked.end),
    };
    if wrong.is_empty() && range.end <= range.start {
        wrong.push(FieldError::new("end", "must lie after start"));
    }
    if wrong.is_empty() && range.end - range.start > MOST {
        wrong.push(FieldError::new("end", "ask for three years at most"));
    }
    if !wrong.is_empty() {
        return Err(Problem::fields(wrong));
    }
    let who = who.0;
    let name = asked.name.as_deref().unwrap_or(&who.name);
    let person = match users::find(app, name).await {
        Err(Error::Invalid { .. } | Error::BadRequest(_)) => return Err(Error::NotFound.into()),
        found => found?,
    };
    let times = of_person(app, &who, &person, range).await?;
    Ok((person.name, times))
}

/// When is somebody's time taken?
#[utoipa::path(get, path = "/api/v1/freebusy", tag = "freebusy", params(Asked), responses(
    (status = 200, body = FreeBusy), (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(app): State<App>,
    who: Signed,
    Query(asked): Query<Asked>,
) -> Reply<Json<FreeBusy>> {
    let (name, times) = ask(&app, who, &asked).await?;
    Ok(Json(FreeBusy {
        name,
        start: print_instant(times.range.start),
        end: print_instant(times.range.end),
        unknown: times.has_unknown(),
        busy: periods(&times),
    }))
}

/// Is this range free?
#[utoipa::path(get, path = "/api/v1/availability", tag = "freebusy", params(Asked), responses(
    (status = 200, body = Availability), (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json")))]
pub async fn availability(
    State(app): State<App>,
    who: Signed,
    Query(asked): Query<Asked>,
) -> Reply<Json<Availability>> {
    let (name, times) = ask(&app, who, &asked).await?;
    let state = match (times.periods.is_empty(), times.has_unknown()) {
        (false, _) => "busy",
        (true, true) => "unknown",
        (true, false) => "free",
    };
    Ok(Json(Availability {
        name,
        start: print_instant(times.range.start),
        end: print_instant(times.range.end),
        state,
        free: state == "free",
        conflicts: periods(&times),
    }))
}
