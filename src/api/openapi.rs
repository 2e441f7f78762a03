//! `/api/v1/openapi.json`: the description of the API (OpenAPI 3.1), made from the handlers.

use axum::Json;
use axum::extract::State;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, Server};
use utoipa::{Modify, OpenApi};

use super::{calendars, connections, devices, feeds, freebusy, links, me, runs, sessions};
use crate::app::App;

#[derive(OpenApi)]
#[openapi(
    info(title = "Kalends", description = "Sessions, calendars, feeds and free/busy over JSON.", license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")),
    paths(
        me::get, sessions::list, sessions::create, sessions::create_many, sessions::get, sessions::patch,
        sessions::delete, calendars::list, calendars::create, calendars::get, calendars::patch, calendars::delete,
        feeds::list, feeds::create, feeds::revoke, devices::list, devices::create, devices::profile, devices::revoke,
        freebusy::get, freebusy::availability, connections::list, connections::create, connections::get,
        connections::patch, connections::remove, connections::calendars, connections::reconnect, connections::test,
        connections::refresh, links::list, links::create, links::get, links::patch, links::delete, links::sync,
        links::approve, runs::runs, runs::undo, runs::queue, runs::retry, runs::conflicts, runs::losses,
        runs::stats, get
    ),
    security(("basic" = []), ("bearer" = [])),
    modifiers(&Credentials)
)]
struct Api;

/// Basic with a password or app password, Bearer with an API token.
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut Document) {
        let parts = document.components.get_or_insert_with(Default::default);
        for (name, scheme) in [
            ("basic", HttpAuthScheme::Basic),
            ("bearer", HttpAuthScheme::Bearer),
        ] {
            let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(scheme).build());
            parts.add_security_scheme(name, scheme);
        }
    }
}

/// The description without a server's address.
pub fn document() -> Document {
    Api::openapi()
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "openapi", security(()), responses((status = 200, content_type = "application/json")))]
pub async fn get(State(app): State<App>) -> Json<Document> {
    let mut document = document();
    document.servers = Some(vec![Server::new(
        app.url("").trim_end_matches('/').to_string(),
    )]);
    Json(document)
}
