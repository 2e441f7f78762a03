//! `/api/v1/feeds`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use super::request::{self, Reply, Signed};
use crate::app::App;
use crate::app::feeds::{self, New, Privacy, Shown};
use crate::app::sessions::times::{print_instant, read_instant};
use crate::model::access::Scopes;
use crate::model::{Error, FeedId};

/// A feed, with its secret addresses.
#[derive(Serialize, ToSchema)]
pub struct Feed {
    id: i64,
    calendars: Vec<String>,
    privacy: String,
    comment: String,
    past_days: Option<i64>,
    future_days: Option<i64>,
    expires: Option<String>,
    created: String,
    last_fetch: Option<String>,
    /// The `User-Agent` of the last fetch.
    last_agent: Option<String>,
    urls: Urls,
}

/// Where a feed can be fetched. Who knows an address can read it.
#[derive(Serialize, ToSchema)]
pub struct Urls {
    ics: String,
    /// The same for programs that subscribe by that scheme.
    webcal: String,
    ifb: String,
    json: String,
    mobileconfig: String,
}

/// A feed to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFeed {
    calendars: Vec<String>,
    /// `full`, `titles` or `busy`.
    privacy: PrivacyLevel,
    /// For yourself; never shown in the feed.
    #[serde(default)]
    comment: String,
    /// How far back; everything when absent.
    past_days: Option<i64>,
    /// How far ahead; everything when absent.
    future_days: Option<i64>,
    /// RFC 3339.
    expires: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PrivacyLevel {
    Full,
    Titles,
    Busy,
}

impl From<PrivacyLevel> for Privacy {
    fn from(level: PrivacyLevel) -> Privacy {
        match level {
            PrivacyLevel::Full => Privacy::Full,
            PrivacyLevel::Titles => Privacy::Titles,
            PrivacyLevel::Busy => Privacy::Busy,
        }
    }
}

fn show(app: &App, shown: &Shown) -> Feed {
    let (row, ics) = (&shown.feed, shown.url(app, "ics"));
    let webcal = ics
        .split_once("://")
        .map_or_else(String::new, |(_, rest)| format!("webcal://{rest}"));
    Feed {
        id: row.id.0,
        calendars: shown.slugs().into_iter().map(String::from).collect(),
        privacy: row.privacy.clone(),
        comment: row.comment.clone(),
        past_days: row.past_days,
        future_days: row.future_days,
        expires: row.expires.map(print_instant),
        created: print_instant(row.created),
        last_fetch: row.last_fetch.map(print_instant),
        last_agent: row.last_agent.clone(),
        urls: Urls {
            webcal,
            ifb: shown.url(app, "ifb"),
            json: shown.url(app, "json"),
            mobileconfig: shown.url(app, "mobileconfig"),
            ics,
        },
    }
}

/// List one's feeds.
#[utoipa::path(get, path = "/api/v1/feeds", tag = "feeds", responses((status = 200, body = [Feed])))]
pub async fn list(State(app): State<App>, who: Signed) -> Reply<Json<Vec<Feed>>> {
    let who = who.with(Scopes::READ.and(Scopes::WRITE))?;
    let all = feeds::list(&app, &who).await?;
    Ok(Json(all.iter().map(|shown| show(&app, shown)).collect()))
}

/// Make a feed.
#[utoipa::path(post, path = "/api/v1/feeds", tag = "feeds", request_body = NewFeed, responses(
    (status = 201, body = Feed), (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(app): State<App>,
    who: Signed,
    request::Json(new): request::Json<NewFeed>,
) -> Reply<(StatusCode, Json<Feed>)> {
    let who = who.with(Scopes::READ.and(Scopes::WRITE))?;
    let expires = match new.expires.as_deref().map(read_instant) {
        None => None,
        Some(Some(at)) if at > app.clock.now() => Some(at),
        Some(_) => {
            let reason = "not a time of RFC 3339 in the future".into();
            return Err(Error::Invalid {
                field: "expires".into(),
                reason,
            }
            .into());
        }
    };
    let new = New {
        calendars: new.calendars,
        privacy: new.privacy.into(),
        comment: new.comment,
        past_days: new.past_days,
        future_days: new.future_days,
        expires,
    };
    let shown = feeds::create(&app, &who, new).await?;
    Ok((StatusCode::CREATED, Json(show(&app, &shown))))
}

/// Revoke a feed: its addresses answer 404 from now on.
#[utoipa::path(delete, path = "/api/v1/feeds/{id}", tag = "feeds", params(("id" = i64, Path)), responses(
    (status = 204), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn revoke(State(app): State<App>, who: Signed, Path(id): Path<i64>) -> Reply<StatusCode> {
    let who = who.with(Scopes::WRITE)?;
    feeds::revoke(&app, &who, FeedId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
