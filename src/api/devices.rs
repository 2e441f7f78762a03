//! `/api/v1/devices`: passwords for calendar programs, one each, and profiles that set up Apple's devices.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use super::request::{self, Reply, Signed};
use crate::app::profile::{self, Account, Place};
use crate::app::sessions::times::print_instant;
use crate::app::{App, users};
use crate::model::{CredentialId, Error};

/// A device's password, without the password.
#[derive(Serialize, ToSchema)]
pub struct Device {
    id: i64,
    label: String,
    created: String,
    last_used: Option<String>,
}

/// A password for a device, shown this once.
#[derive(Serialize, ToSchema)]
pub struct NewPassword {
    label: String,
    user: String,
    password: String,
    /// What to type into a calendar program.
    caldav_url: String,
}

/// What a device is called.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Label {
    #[schema(example = "phone")]
    label: String,
}

impl Label {
    fn check(self) -> Result<String, Error> {
        let label = self.label.trim().to_string();
        if (1..=100).contains(&label.chars().count()) && !label.chars().any(char::is_control) {
            return Ok(label);
        }
        Err(Error::Invalid {
            field: "label".into(),
            reason: "must be a text of 1 to 100 characters".into(),
        })
    }
}

/// List the devices that have a password.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", responses((status = 200, body = [Device])))]
pub async fn list(State(app): State<App>, who: Signed) -> Reply<Json<Vec<Device>>> {
    let who = who.in_person()?;
    let all = users::app_passwords(&app, &who.name).await?;
    let in_force = all.into_iter().filter(|one| one.revoked.is_none());
    let device = in_force.map(|one| Device {
        id: one.id.0,
        label: one.label,
        created: print_instant(one.created),
        last_used: one.last_used.map(print_instant),
    });
    Ok(Json(device.collect()))
}

/// Make a password for a device.
#[utoipa::path(post, path = "/api/v1/devices", tag = "devices", request_body = Label, responses(
    (status = 201, body = NewPassword), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(app): State<App>,
    who: Signed,
    request::Json(label): request::Json<Label>,
) -> Reply<Response> {
    let who = who.in_person()?;
    let label = label.check()?;
    let password = users::new_app_password(&app, &who.name, &label).await?;
    let shown = NewPassword {
        label,
        user: who.name,
        password: password.expose_secret().to_string(),
        caldav_url: app.url("/dav/"),
    };
    Ok((
        StatusCode::CREATED,
        [(header::CACHE_CONTROL, "no-store")],
        Json(shown),
    )
        .into_response())
}

/// A configuration profile for Apple's devices.
///
/// It sets up the CalDAV account with a password made for this device.
#[utoipa::path(post, path = "/api/v1/devices/profile", tag = "devices", request_body = Label, responses(
    (status = 201, body = String, content_type = "application/x-apple-aspen-config"),
    (status = 422, body = Problem, content_type = "application/problem+json")))]
pub async fn profile(
    State(app): State<App>,
    who: Signed,
    request::Json(label): request::Json<Label>,
) -> Reply<Response> {
    let who = who.in_person()?;
    let label = label.check()?;
    let place =
        Place::of(&app.url("/")).ok_or_else(|| Error::internal("public_url has no host"))?;
    let principal = crate::model::Path::Principal(who.name.clone()).print();
    let password = users::new_app_password(&app, &who.name, &label).await?;
    let account = Account {
        place: &place,
        principal: &format!("{}{principal}", app.prefix()),
        user: &who.name,
        password: &password,
        description: &format!("{} at {}", who.name, place.host),
    };
    let mut reply = (StatusCode::CREATED, account.write()).into_response();
    let headers = reply.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, profile::CONTENT_TYPE),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"account.mobileconfig\"",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(reply)
}

/// Revoke a device's password.
#[utoipa::path(delete, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = i64, Path)), responses(
    (status = 204), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub async fn revoke(State(app): State<App>, who: Signed, Path(id): Path<i64>) -> Reply<StatusCode> {
    let who = who.in_person()?;
    match users::revoke(&app, &who.name, CredentialId(id)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Error::NotFound.into()),
    }
}
