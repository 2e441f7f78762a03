//! `/api/v1/connections`: accounts at providers. Scope `bridge`.

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Path, Query, State};
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::request::{self, Reply, Signed};
use crate::app::App;
use crate::app::connections::{self, Begun, Line, Mirrors, Shown};
use crate::app::sessions::times::print_instant;
use crate::model::access::Scopes;
use crate::model::bridge::RemoteCalendar;
use crate::model::{ConnectionId, Error, Who};

/// An account at a provider.
#[derive(Serialize, ToSchema)]
pub struct Connection {
    id: i64,
    /// `google`, `microsoft`, `caldav`, `ics`.
    provider: String,
    /// The provider's name for people.
    title: &'static str,
    /// What its owner calls it; empty: nothing yet.
    name: String,
    /// The account, mostly a mail address.
    account: String,
    /// The calendar server, where one was typed in.
    url: String,
    username: String,
    /// `ok`, `reconnect` (its owner has to connect again), `paused`, `operator` (who runs this server has to act).
    health: &'static str,
    /// What its owner should know or do, in words.
    advice: Vec<String>,
    missing_permissions: Vec<Missing>,
    /// When the access that was given ends by itself.
    consent_ends: Option<String>,
    /// Where the owner sees and removes what was allowed.
    consent_page: &'static str,
    /// How many calendars are linked by it.
    links: usize,
    created: String,
    last_success: Option<String>,
}

/// A permission that was not given.
#[derive(Serialize, ToSchema)]
pub struct Missing {
    scope: &'static str,
    /// What does not work without it.
    without: &'static str,
}

/// A connection to be made. Those through the browser need only `provider` and `return_to`, and give an
/// `authorize_url`; `caldav` needs `url` or `preset`, `username` and an app password; `ics` needs `url`.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewConnection {
    #[schema(example = "caldav")]
    provider: String,
    url: String,
    /// `icloud`, `fastmail` or `nextcloud` (which needs `url`, too).
    preset: String,
    username: String,
    password: String,
    /// Where the browser goes afterwards: a path of this server.
    #[schema(example = "/connections")]
    return_to: String,
}

/// Where the browser has to go. The answer sets a cookie without which the walk cannot be finished: so the same browser
/// has to make this request and follow the address, within ten minutes.
#[derive(Serialize, ToSchema)]
pub struct Authorize {
    authorize_url: String,
}

/// What has to be typed in to connect again; empty: as it was.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reconnect {
    url: String,
    username: String,
    password: String,
    return_to: String,
}

/// A new name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    name: String,
}

/// A calendar at a provider, as it was last listed.
#[derive(Serialize, ToSchema)]
pub struct Calendar {
    id: i64,
    name: String,
    color: String,
    timezone: String,
    writable: bool,
    primary: bool,
    /// The provider does not list it any more.
    gone: bool,
}

/// A line of a test's report.
#[derive(Serialize, ToSchema)]
pub struct TestLine {
    /// `access`, `permissions`, `calendars`, `busy`, `clock`, `notices`.
    what: &'static str,
    /// `ok`, `limited` or `failed`.
    verdict: &'static str,
    text: String,
}

/// What became of access at the provider.
#[derive(Serialize, ToSchema)]
pub struct Removed {
    /// The provider was told, and our access is over there, too.
    revoked: bool,
    /// What else to do, in words; empty: nothing.
    advice: String,
}

/// What becomes of mirrors at the provider.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// `keep` or `remove`.
    #[serde(default)]
    #[param(example = "keep")]
    mirrors: String,
}

fn show(shown: &Shown) -> Connection {
    let (row, about) = (&shown.connection, &shown.about);
    let missing = about.missing.iter();
    Connection {
        id: row.id.0,
        provider: row.provider.clone(),
        title: about.title,
        name: row.name.clone(),
        account: row.label.clone(),
        url: about.url.clone(),
        username: about.user.clone(),
        health: row.health.as_str(),
        advice: shown.advice.clone(),
        missing_permissions: missing
            .map(|(scope, without)| Missing { scope, without })
            .collect(),
        consent_ends: about.consent.ends.map(print_instant),
        consent_page: about.consent_page,
        links: shown.links,
        created: print_instant(row.created),
        last_success: row.last_success.map(print_instant),
    }
}

fn calendar(one: &RemoteCalendar) -> Calendar {
    Calendar {
        id: one.id.0,
        name: one.name.clone(),
        color: one.color.clone(),
        timezone: one.zone.clone(),
        writable: one.writable,
        primary: one.primary,
        gone: one.gone,
    }
}

fn report(line: Line) -> TestLine {
    TestLine {
        what: line.what,
        verdict: line.verdict.as_str(),
        text: line.text,
    }
}

/// The address to go to, with the cookie of the walk.
fn authorize(app: &App, begun: &Begun) -> Response {
    let body = Json(Authorize {
        authorize_url: begun.url.clone(),
    });
    let mut reply = (StatusCode::ACCEPTED, body).into_response();
    let headers = reply.headers_mut();
    if let Ok(cookie) = HeaderValue::try_from(connections::set_cookie(app, begun)) {
        headers.insert(header::SET_COOKIE, cookie);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// List one's connections.
#[utoipa::path(get, path = "/api/v1/connections", tag = "connections", responses((status = 200, body = [Connection])))]
pub async fn list(State(app): State<App>, who: Signed) -> Reply<Json<Vec<Connection>>> {
    let who = who.with(Scopes::BRIDGE)?;
    let all = connections::list(&app, &who).await?;
    Ok(Json(all.iter().map(show).collect()))
}

/// Connect an account.
#[utoipa::path(post, path = "/api/v1/connections", tag = "connections", request_body = NewConnection, responses(
    (status = 201, body = Connection), (status = 202, body = Authorize, description = "go on in the browser"),
    (status = 422, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(app): State<App>,
    who: Signed,
    request::Json(new): request::Json<NewConnection>,
) -> Reply<Response> {
    let who = who.with(Scopes::BRIDGE)?;
    let offers = connections::offers(&app).await?;
    let by_browser = offers.iter().find(|offer| offer.name == new.provider);
    if by_browser.is_none_or(|offer| offer.by_browser) {
        let begun = connections::begin(&app, &who, &new.provider, &new.return_to).await;
        return Ok(authorize(&app, &begun.map_err(unknown_provider)?));
    }
    let typed = connections::typed(&new.url, &new.preset, &new.username, &new.password);
    let shown = connections::add(&app, &who, &new.provider, &typed).await?;
    Ok((StatusCode::CREATED, Json(show(&shown))).into_response())
}

fn unknown_provider(error: Error) -> Error {
    match error {
        Error::NotFound => Error::Invalid {
            field: "provider".into(),
            reason: "there is no such provider: google, microsoft, caldav or ics".into(),
        },
        other => other,
    }
}

/// One connection.
#[utoipa::path(get, path = "/api/v1/connections/{id}", tag = "connections", params(("id" = i64, Path)), responses(
    (status = 200, body = Connection), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(app): State<App>,
    who: Signed,
    Path(id): Path<i64>,
) -> Reply<Json<Connection>> {
    let who = who.with(Scopes::BRIDGE)?;
    let shown = connections::get(&app, &who, ConnectionId(id)).await?;
    Ok(Json(show(&shown)))
}

/// Call a connection something else.
#[utoipa::path(patch, path = "/api/v1/connections/{id}", tag = "connections", params(("id" = i64, Path)),
    request_body = Rename, responses((status = 200, body = Connection),
    (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn patch(
    State(app): State<App>,
    who: Signed,
    Path(id): Path<i64>,
    request::Json(new): request::Json<Rename>,
) -> Reply<Json<Connection>> {
    let who = who.with(Scopes::BRIDGE)?;
    let shown = connections::rename(&app, &who, ConnectionId(id), &new.name).await?;
    Ok(Json(show(&shown)))
}

/// Remove a connection: its links, webhooks and tokens. Local calendars stay.
#[utoipa::path(delete, path = "/api/v1/connections/{id}", tag = "connections",
    params(("id" = i64, Path), Removal), responses((status = 200, body = Removed),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "mirrors are still being removed")))]
pub async fn remove(
    State(app): State<App>,
    who: Signed,
    Path(id): Path<i64>,
    Query(how): Query<Removal>,
) -> Reply<Json<Removed>> {
    let who = who.with(Scopes::BRIDGE)?;
    let mirrors = match how.mirrors.as_str() {
        "" | "keep" => Mirrors::Keep,
        "remove" => Mirrors::Remove,
        _ => {
            return Err(Error::Invalid {
                field: "mirrors".into(),
                reason: "must be keep or remove".into(),
            }
            .into());
        }
    };
    let ended = connections::remove(&app, &who, ConnectionId(id), mirrors).await?;
    Ok(Json(Removed {
        revoked: ended.revoked,
        advice: ended.advice,
    }))
}

/// The calendars of a connection.
#[utoipa::path(get, path = "/api/v1/connections/{id}/calendars", tag = "connections", params(("id" = i64, Path)),
    responses((status = 200, body = [Calendar]), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn calendars(
    State(app): State<App>,
    who: Signed,
    Path(id): Path<i64>,
) -> Reply<Json<Vec<Calendar>>> {
    let who = who.with(Scopes::BRIDGE)?;
    let all = connections::calendars(&app, &who, ConnectionId(id)).await?;
    Ok(Json(all.iter().map(calendar).collect()))
}

/// `POST /api/v1/connections/{id}:verb`, taken apart here.
pub async fn act(
    State(app): State<App>,
    who: Signed,
    Path(address): Path<String>,
    body: Request<Body>,
) -> Reply<Response> {
    let who = who.with(Scopes::BRIDGE)?;
    let (id, verb) = super::verb(&address)?;
    let id = ConnectionId(id);
    match verb {
        "reconnect" => {
            let request::Json(typed) = request::Json::from_request(body, &app).await?;
            reconnect(&app, &who, id, typed).await
        }
        "test" => Ok(test(&app, &who, id).await?.into_response()),
        "refresh" => Ok(refresh(&app, &who, id).await?.into_response()),
        _ => Err(Error::NotFound.into()),
    }
}

/// Connect again: through the browser, or with a new password or address.
#[utoipa::path(post, path = "/api/v1/connections/{id}:reconnect", tag = "connections", params(("id" = i64, Path)),
    request_body = Reconnect, responses((status = 200, body = Connection),
    (status = 202, body = Authorize, description = "go on in the browser"),
    (status = 409, body = Problem, content_type = "application/problem+json", description = "it is another account")))]
async fn reconnect(app: &App, who: &Who, id: ConnectionId, typed: Reconnect) -> Reply<Response> {
    if connections::get(app, who, id).await?.about.by_browser {
        let begun = connections::begin_again(app, who, id, &typed.return_to).await?;
        return Ok(authorize(app, &begun));
    }
    let typed = connections::typed(&typed.url, "", &typed.username, &typed.password);
    let shown = connections::replace(app, who, id, &typed).await?;
    Ok(Json(show(&shown)).into_response())
}

/// Try everything that a connection needs.
#[utoipa::path(post, path = "/api/v1/connections/{id}:test", tag = "connections", params(("id" = i64, Path)),
    responses((status = 200, body = [TestLine]), (status = 404, body = Problem, content_type = "application/problem+json")))]
async fn test(app: &App, who: &Who, id: ConnectionId) -> Reply<Json<Vec<TestLine>>> {
    let lines = connections::test(app, who, id).await?;
    Ok(Json(lines.into_iter().map(report).collect()))
}

/// List the calendars of a connection anew.
#[utoipa::path(post, path = "/api/v1/connections/{id}:refresh", tag = "connections", params(("id" = i64, Path)),
    responses((status = 200, body = [Calendar]), (status = 409, body = Problem, content_type = "application/problem+json"),
    (status = 503, body = Problem, content_type = "application/problem+json")))]
async fn refresh(app: &App, who: &Who, id: ConnectionId) -> Reply<Json<Vec<Calendar>>> {
    let all = connections::refresh(app, who, id).await?;
    Ok(Json(all.iter().map(calendar).collect()))
}
