//! `/api/v1/sessions`.

use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::request::{self, Object, Reply, Signed};
use crate::app::App;
use crate::app::sessions::fields::{Fields, Status};
use crate::app::sessions::merge::FieldError;
use crate::app::sessions::times::read_instant;
use crate::app::sessions::{self, Created, Fault, Filter, Key, Page, Session};
use crate::model::access::Scopes;
use crate::model::id::uuid;
use crate::model::{Error, Etag, Guard, Who};

/// How long a session on its way to linked calendars is waited for (PRODUCT §6).
const PATIENCE: Duration = Duration::from_secs(2);
/// The most that one page or one `:bulk` holds.
const MOST: usize = 500;
const USUAL: usize = 50;

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        match fault {
            Fault::Fields(errors) => Problem::fields(errors),
            Fault::Other(error) => error.into(),
        }
    }
}

/// A session to be made.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct NewSession {
    /// UID; made when absent. The same request with the same UID makes one session, however often it is sent.
    uid: Option<String>,
    /// The name of a calendar; the sessions calendar when absent.
    calendar: Option<String>,
    #[serde(flatten)]
    fields: Fields,
}

/// Which session, of several with one UID, and which instance.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// The calendar that it is in.
    calendar: Option<String>,
    /// One instance of a series: its `recurrence_id`.
    #[serde(alias = "recurrence_id")]
    occurrence: Option<String>,
}

impl Which {
    fn key(self, uid: String) -> Key {
        Key {
            uid,
            calendar: self.calendar,
            occurrence: self.occurrence,
        }
    }
}

/// The session that an address names, and the conditions of the request.
pub struct One {
    key: Key,
    guard: Guard,
}

impl FromRequestParts<App> for One {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<One, Response> {
        let uid = Path::<String>::from_request_parts(parts, app).await;
        let which = Query::<Which>::from_request_parts(parts, app).await;
        Ok(One {
            key: which
                .map_err(IntoResponse::into_response)?
                .0
                .key(uid.map_err(IntoResponse::into_response)?.0),
            guard: request::guard(&parts.headers),
        })
    }
}

/// What to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listed {
    /// States, separated by commas.
    status: Option<String>,
    /// One calendar: then all of its events are listed, also those that are no sessions.
    calendar: Option<String>,
    /// Those that end after this time. With `from` or `to` a series is listed instance by instance, in the order of time.
    #[serde(alias = "start")]
    from: Option<String>,
    /// Those that begin before this time.
    #[serde(alias = "end")]
    to: Option<String>,
    /// How many at most, up to 500; 50 when absent.
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl Listed {
    fn filter(self) -> Result<Filter, Problem> {
        let mut wrong = Vec::new();
        let mut time = |name: &str, text: &Option<String>| {
            let read = text.as_deref().map(read_instant);
            if read == Some(None) {
                wrong.push(FieldError::new(name, "not a time of RFC 3339 or a date"));
            }
            read.flatten()
        };
        let (from, to) = (time("from", &self.from), time("to", &self.to));
        let mut status = Vec::new();
        for name in self
            .status
            .iter()
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            match Status::parse(name) {
                Some(one) => status.push(one),
                None => wrong.push(FieldError::new(
                    "status",
                    format!("there is no state {name}"),
                )),
            }
        }
        let limit = self.limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            wrong.push(FieldError::new(
                "limit",
                format!("must be between 1 and {MOST}"),
            ));
        }
        if !wrong.is_empty() {
            return Err(Problem::fields(wrong));
        }
        Ok(Filter {
            status,
            calendar: self.calendar,
            from,
            to,
            limit,
            cursor: self.cursor,
        })
    }
}

/// List sessions.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", params(Listed), responses(
    (status = 200, body = Page), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(app): State<App>,
    who: Signed,
    Query(listed): Query<Listed>,
) -> Reply<Json<Page>> {
    let who = who.with(Scopes::READ)?;
    Ok(Json(sessions::list(&app, &who, &listed.filter()?).await?))
}

/// Make a session.
///
/// With `Idempotency-Key` and without `uid`, the UID follows from the key: a request that is sent again answers the
/// session that the first one made, with 200.
#[utoipa::path(post, path = "/api/v1/sessions", tag = "sessions", request_body = NewSession,
    params(("Idempotency-Key" = Option<String>, Header, description = "any text, one for each session")), responses(
    (status = 201, body = Session), (status = 200, body = Session, description = "it had been made before"),
    (status = 409, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(app): State<App>,
    who: Signed,
    headers: HeaderMap,
    Object(body): Object,
) -> Reply<Response> {
    let who = who.with(Scopes::WRITE)?;
    let uid = fallback_uid(&app, &who, headers.get("idempotency-key"))?;
    let made = sessions::create(&app, &who, &body, &uid, PATIENCE).await?;
    Ok(answer(&app, &made))
}

/// The UID of a session that has none in its request.
fn fallback_uid(app: &App, who: &Who, key: Option<&HeaderValue>) -> Result<String, Error> {
    let Some(key) = key else { return new_uid(app) };
    let text = format!("{} {}", who.id, String::from_utf8_lossy(key.as_bytes()));
    Ok(format!(
        "{}@idempotent.kalends",
        Etag::of(text.as_bytes()).0
    ))
}

/// A UUID of version 4 (RFC 9562 §5.4), as RFC 7986 §5.3 recommends.
fn new_uid(app: &App) -> Result<String, Error> {
    Ok(uuid(app.dice.bytes::<16>()?, 4))
}

fn answer(app: &App, made: &Created) -> Response {
    let status = if made.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut reply = (status, Json(&made.session)).into_response();
    dress(&mut reply, &made.session);
    let path = format!(
        "{}/api/v1/sessions/{}",
        app.prefix(),
        crate::model::path::encode(&made.session.uid)
    );
    reply.headers_mut().extend(
        HeaderValue::try_from(path)
            .ok()
            .map(|path| (header::LOCATION, path)),
    );
    reply
}

fn dress(reply: &mut Response, session: &Session) {
    let tag = HeaderValue::try_from(format!("\"{}\"", session.etag)).ok();
    reply
        .headers_mut()
        .extend(tag.map(|tag| (header::ETAG, tag)));
}

/// Many sessions at once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Bulk {
    /// Up to 500.
    sessions: Vec<NewSession>,
}

/// What became of each, in the order of the request.
#[derive(Serialize, ToSchema)]
pub struct BulkResults {
    results: Vec<BulkResult>,
}

/// One of them: the session, or the problem.
#[derive(Serialize, ToSchema)]
pub struct BulkResult {
    /// As a request of its own would have been answered.
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Session>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// Make many sessions.
///
/// Each for itself: one that cannot be made does not keep the others from being made.
#[utoipa::path(post, path = "/api/v1/sessions:bulk", tag = "sessions", request_body = Bulk, responses(
    (status = 200, body = BulkResults), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub async fn create_many(
    State(app): State<App>,
    who: Signed,
    request::Json(body): request::Json<Value>,
) -> Reply<Json<BulkResults>> {
    let who = who.with(Scopes::WRITE)?;
    let all = match body {
        Value::Array(all) => all,
        Value::Object(mut object) => match object.remove("sessions") {
            Some(Value::Array(all)) => all,
            _ => {
                return Err(Problem::fields(vec![FieldError::new(
                    "sessions",
                    "must be a list",
                )]));
            }
        },
        _ => {
            return Err(Problem::fields(vec![FieldError::new(
                "sessions",
                "must be a list",
            )]));
        }
    };
    if all.len() > MOST {
        return Err(Problem::fields(vec![FieldError::new(
            "sessions",
            format!("at most {MOST} at once"),
        )]));
    }
    let mut results = Vec::with_capacity(all.len());
    for one in all {
        results.push(make_one(&app, &who, one).await?);
    }
    Ok(Json(BulkResults { results }))
}

async fn make_one(app: &App, who: &Who, one: Value) -> Result<BulkResult, Problem> {
    let made = match one {
        Value::Object(object) => {
            sessions::create(app, who, &object, &new_uid(app)?, Duration::ZERO).await
        }
        _ => Err(vec![FieldError::new("", "must be an object")].into()),
    };
    Ok(match made {
        Ok(made) => {
            let status = if made.created { 201 } else { 200 };
            BulkResult {
                status,
                session: Some(made.session),
                problem: None,
            }
        }
        Err(fault) => {
            let problem = Problem::from(fault);
            BulkResult {
                status: problem.status(),
                session: None,
                problem: Some(problem),
            }
        }
    })
}

/// One session, or one instance of a series.
#[utoipa::path(get, path = "/api/v1/sessions/{uid}", tag = "sessions",
    params(("uid" = String, Path), Which), responses((status = 200, body = Session), (status = 304),
    (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn get(State(app): State<App>, who: Signed, One { key, guard }: One) -> Reply<Response> {
    let who = who.with(Scopes::READ)?;
    let session = sessions::get(&app, &who, &key).await?;
    let known = !guard.holds(Some((&Etag(session.etag.clone()), None)));
    let mut reply = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Json(&session).into_response(),
    };
    dress(&mut reply, &session);
    Ok(reply)
}

/// Change a session, or one instance of a series.
///
/// A merge patch (RFC 7396): what is absent stays, `null` clears. In the event only the lines of changed fields change.
#[utoipa::path(patch, path = "/api/v1/sessions/{uid}", tag = "sessions",
    params(("uid" = String, Path), Which, ("If-Match" = Option<String>, Header)), request_body = NewSession, responses(
    (status = 200, body = Session), (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 412, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json")))]
pub async fn patch(
    State(app): State<App>,
    who: Signed,
    One { key, guard }: One,
    Object(change): Object,
) -> Reply<Response> {
    let who = who.with(Scopes::WRITE)?;
    let change = with_instance(change);
    let key = match &change.1 {
        Some(instance) if key.occurrence.is_none() => Key {
            occurrence: Some(instance.clone()),
            ..key
        },
        _ => key,
    };
    let session = sessions::patch(&app, &who, &key, &change.0, &guard).await?;
    let mut reply = Json(&session).into_response();
    dress(&mut reply, &session);
    Ok(reply)
}

/// `recurrence_id` in a change names the instance, as `?occurrence=` does.
fn with_instance(mut change: Map<String, Value>) -> (Map<String, Value>, Option<String>) {
    match change.remove("recurrence_id") {
        Some(Value::String(instance)) => (change, Some(instance)),
        _ => (change, None),
    }
}

/// Remove a session, or take one instance out of its series.
#[utoipa::path(delete, path = "/api/v1/sessions/{uid}", tag = "sessions",
    params(("uid" = String, Path), Which, ("If-Match" = Option<String>, Header)), responses((status = 204),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 412, body = Problem, content_type = "application/problem+json")))]
pub async fn delete(
    State(app): State<App>,
    who: Signed,
    One { key, guard }: One,
) -> Reply<StatusCode> {
    let who = who.with(Scopes::WRITE)?;
    sessions::delete(&app, &who, &key, &guard).await?;
    Ok(StatusCode::NO_CONTENT)
}
