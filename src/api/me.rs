//! `/api/v1/me`: who is signed in.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::request::{Reply, Signed};
use crate::app::{App, users};
use crate::model::Path;

/// The person, and where calendar programs find them.
#[derive(Serialize, ToSchema)]
pub struct Me {
    name: String,
    display_name: String,
    addresses: Vec<String>,
    admin: bool,
    /// What the credential of this request may be used for.
    scopes: Vec<String>,
    /// What to type into a calendar program.
    caldav_url: String,
    principal: String,
    home: String,
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/v1/me", tag = "me", responses((status = 200, body = Me),
    (status = 401, body = Problem, content_type = "application/problem+json")))]
pub async fn get(State(app): State<App>, who: Signed) -> Reply<Json<Me>> {
    let principal = users::find(&app, &who.0.name).await?;
    let at = |path: Path| format!("{}{}", app.prefix(), path.print());
    Ok(Json(Me {
        principal: at(Path::Principal(principal.name.clone())),
        home: at(Path::Home(principal.name.clone())),
        caldav_url: app.url("/dav/"),
        scopes: who.0.scopes.print().split(' ').map(String::from).collect(),
        admin: principal.admin,
        addresses: principal.addresses,
        display_name: principal.display_name,
        name: principal.name,
    }))
}
