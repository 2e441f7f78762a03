//! `/api/v1/calendars`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use super::request::{self, Reply, Signed};
use crate::app::App;
use crate::app::calendars::{self, Changes, Face, New};
use crate::app::sessions::times::print_instant;
use crate::model::access::Scopes;
use crate::model::calendar::ComponentSet;
use crate::model::{Bound, Error, Privilege, Who};

/// A calendar as one person sees it.
#[derive(Serialize, ToSchema)]
pub struct Calendar {
    /// Its name in addresses, and in this API.
    slug: String,
    name: String,
    description: Option<String>,
    /// `#rrggbb`.
    color: Option<String>,
    order: Option<i64>,
    /// `calendar`, or `sessions` for the one that sessions go to.
    kind: &'static str,
    components: Vec<String>,
    /// An IANA name; `UTC` where none was chosen.
    timezone: String,
    /// Its events do not make its owner busy.
    transparent: bool,
    owner: String,
    can_write: bool,
    objects: i64,
    updated: String,
    /// Where calendar programs find it.
    href: String,
}

/// A calendar to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCalendar {
    /// Made from the name when absent.
    slug: Option<String>,
    name: String,
    description: Option<String>,
    color: Option<String>,
    timezone: Option<String>,
    #[serde(default)]
    transparent: bool,
    /// VEVENT, VTODO, VJOURNAL when absent.
    components: Option<Vec<String>>,
}

/// What changes of a calendar; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarChange {
    name: Option<String>,
    description: Option<String>,
    color: Option<String>,
    order: Option<i64>,
    timezone: Option<String>,
    transparent: Option<bool>,
}

fn show(app: &App, bound: &Bound, face: Face) -> Calendar {
    let path = crate::model::Path::Calendar {
        name: bound.home_name.clone(),
        slug: bound.slug.clone(),
    };
    let calendar = &bound.calendar;
    Calendar {
        slug: bound.slug.clone(),
        name: face.name.unwrap_or_else(|| bound.slug.clone()),
        description: face.description,
        color: face.color,
        order: face.order,
        kind: calendar.kind.as_str(),
        components: calendar.components.0.clone(),
        timezone: calendars::zone_name(calendar),
        transparent: calendar.transparent,
        owner: calendar.owner_name.clone(),
        can_write: bound.privileges.has(Privilege::WriteContent),
        objects: calendar.objects,
        updated: print_instant(calendar.modified),
        href: format!("{}{}", app.prefix(), path.print()),
    }
}

async fn one(app: &App, who: &Who, slug: &str) -> Result<Calendar, Error> {
    let all = calendars::list(app, who).await?;
    let found = all.into_iter().find(|(bound, _)| bound.slug == slug);
    found
        .map(|(bound, face)| show(app, &bound, face))
        .ok_or(Error::NotFound)
}

/// List one's calendars, shared ones too.
#[utoipa::path(get, path = "/api/v1/calendars", tag = "calendars", responses((status = 200, body = [Calendar])))]
pub async fn list(State(app): State<App>, who: Signed) -> Reply<Json<Vec<Calendar>>> {
    let who = who.with(Scopes::READ)?;
    let all = calendars::list(&app, &who).await?;
    Ok(Json(
        all.into_iter()
            .map(|(bound, face)| show(&app, &bound, face))
            .collect(),
    ))
}

/// One calendar.
#[utoipa::path(get, path = "/api/v1/calendars/{slug}", tag = "calendars", params(("slug" = String, Path)), responses(
    (status = 200, body = Calendar), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(app): State<App>,
    who: Signed,
    Path(slug): Path<String>,
) -> Reply<Json<Calendar>> {
    let who = who.with(Scopes::READ)?;
    Ok(Json(one(&app, &who, &slug).await?))
}

/// Make a calendar.
#[utoipa::path(post, path = "/api/v1/calendars", tag = "calendars", request_body = NewCalendar, responses(
    (status = 201, body = Calendar), (status = 409, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(app): State<App>,
    who: Signed,
    request::Json(new): request::Json<NewCalendar>,
) -> Reply<(StatusCode, Json<Calendar>)> {
    let who = who.with(Scopes::WRITE)?;
    let slug = new.slug.unwrap_or_else(|| slug_of(&new.name));
    let mut row = New::named(slug.clone());
    row.transparent = new.transparent;
    if let Some(components) = new.components {
        row.components = ComponentSet::parse(&components.join(","));
        let known = |name: &String| ComponentSet::KNOWN.contains(&name.as_str());
        if row.components.0.is_empty() || !row.components.0.iter().all(known) {
            let reason = format!("choose among {}", ComponentSet::KNOWN.join(", "));
            return Err(Error::Invalid {
                field: "components".into(),
                reason,
            }
            .into());
        }
    }
    let face = Changes {
        name: Some(new.name),
        description: new.description,
        color: new.color,
        timezone: new.timezone,
        ..Changes::default()
    };
    calendars::check(&face)?;
    let bound = calendars::create(&app, &who, &who.name, row).await?;
    calendars::update(&app, &who, &bound, face).await?;
    Ok((StatusCode::CREATED, Json(one(&app, &who, &slug).await?)))
}

/// Letters and digits of a name, with hyphens between.
fn slug_of(name: &str) -> String {
    let words = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let slug = words
        .map(str::to_ascii_lowercase)
        .collect::<Vec<_>>()
        .join("-");
    let slug: String = slug.chars().take(60).collect();
    if slug.is_empty() {
        "calendar-1".to_string()
    } else {
        slug
    }
}

/// Change a calendar.
#[utoipa::path(patch, path = "/api/v1/calendars/{slug}", tag = "calendars", params(("slug" = String, Path)),
    request_body = CalendarChange, responses((status = 200, body = Calendar),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 422, body = Problem, content_type = "application/problem+json")))]
pub async fn patch(
    State(app): State<App>,
    who: Signed,
    Path(slug): Path<String>,
    request::Json(change): request::Json<CalendarChange>,
) -> Reply<Json<Calendar>> {
    let who = who.with(Scopes::WRITE)?;
    let bound = calendars::find(&app, &who, &who.name, &slug).await?;
    let changes = Changes {
        name: change.name,
        description: change.description,
        color: change.color,
        order: change.order,
        timezone: change.timezone,
        transparent: change.transparent,
    };
    calendars::update(&app, &who, &bound, changes).await?;
    Ok(Json(one(&app, &who, &slug).await?))
}

/// Remove a calendar: it goes to the trash.
#[utoipa::path(delete, path = "/api/v1/calendars/{slug}", tag = "calendars", params(("slug" = String, Path)), responses(
    (status = 204), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn delete(
    State(app): State<App>,
    who: Signed,
    Path(slug): Path<String>,
) -> Reply<StatusCode> {
    let who = who.with(Scopes::WRITE)?;
    let bound = calendars::find(&app, &who, &who.name, &slug).await?;
    calendars::remove(&app, &who, &bound).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::slug_of;

    #[test]
    fn names_become_slugs() {
        for (name, slug) in [
            ("My Work!", "my-work"),
            ("Übung 2", "bung-2"),
            ("日本", "calendar-1"),
        ] {
            assert_eq!(slug_of(name), slug);
        }
    }
}
