//! JSON over HTTP (PRODUCT §6): everything under `/api/v1/`, described by `/api/v1/openapi.json`.
//!
//! A resource is a file; [`ROUTES`] is the list of what there is, from which the router is made and with which a test
//! compares the description. Errors are problem documents (RFC 9457). Every change needs a JSON body or a credential
//! that a browser does not send by itself, so pages of other sites cannot make one.

mod calendars;
mod callback;
pub mod connections;
mod devices;
mod feeds;
mod freebusy;
mod hooks;
mod links;
mod me;
mod openapi;
pub mod problem;
pub mod request;
mod runs;
mod sessions;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::response::IntoResponse;

use crate::app::App;
use crate::model::Error;
use problem::Problem;

macro_rules! routes {
    ($($method:ident $path:literal $([$($verb:literal),+])? => $handler:path),+ $(,)?) => {
        /// Method, path and verbs of everything that is answered. With verbs it is `{path}:{verb}` that is: the router
        /// knows whole segments only, and the handler takes them apart ([`verb`]).
        pub const ROUTES: &[(&str, &str, &[&str])] = &[$((stringify!($method), $path, &[$($($verb),+)?])),+];

        fn table() -> Router<App> {
            Router::new()$(.route($path, axum::routing::$method($handler)))+
        }
    };
}

routes! {
    get "/api/v1/me" => me::get,
    get "/api/v1/sessions" => sessions::list,
    post "/api/v1/sessions" => sessions::create,
    post "/api/v1/sessions:bulk" => sessions::create_many,
    get "/api/v1/sessions/{uid}" => sessions::get,
    patch "/api/v1/sessions/{uid}" => sessions::patch,
    delete "/api/v1/sessions/{uid}" => sessions::delete,
    get "/api/v1/calendars" => calendars::list,
    post "/api/v1/calendars" => calendars::create,
    get "/api/v1/calendars/{slug}" => calendars::get,
    patch "/api/v1/calendars/{slug}" => calendars::patch,
    delete "/api/v1/calendars/{slug}" => calendars::delete,
    get "/api/v1/feeds" => feeds::list,
    post "/api/v1/feeds" => feeds::create,
    delete "/api/v1/feeds/{id}" => feeds::revoke,
    get "/api/v1/devices" => devices::list,
    post "/api/v1/devices" => devices::create,
    post "/api/v1/devices/profile" => devices::profile,
    delete "/api/v1/devices/{id}" => devices::revoke,
    get "/api/v1/freebusy" => freebusy::get,
    get "/api/v1/availability" => freebusy::availability,
    get "/api/v1/connections" => connections::list,
    post "/api/v1/connections" => connections::create,
    get "/api/v1/connections/{id}" => connections::get,
    patch "/api/v1/connections/{id}" => connections::patch,
    delete "/api/v1/connections/{id}" => connections::remove,
    post "/api/v1/connections/{id}" ["reconnect", "test", "refresh"] => connections::act,
    get "/api/v1/connections/{id}/calendars" => connections::calendars,
    get "/api/v1/links" => links::list,
    post "/api/v1/links" => links::create,
    get "/api/v1/links/{id}" => links::get,
    patch "/api/v1/links/{id}" => links::patch,
    delete "/api/v1/links/{id}" => links::delete,
    post "/api/v1/links/{id}" ["sync", "approve"] => links::act,
    get "/api/v1/links/{id}/runs" => runs::runs,
    get "/api/v1/links/{id}/queue" => runs::queue,
    post "/api/v1/links/{id}/queue/{uid}" ["retry"] => runs::act_on_queue,
    get "/api/v1/links/{id}/conflicts" => runs::conflicts,
    get "/api/v1/links/{id}/losses" => runs::losses,
    post "/api/v1/runs/{id}" ["undo"] => runs::act_on_run,
    get "/api/v1/stats" => runs::stats,
    get "/api/v1/openapi.json" => openapi::get,
}

/// A segment `{id}:{verb}`.
///
/// # Errors
/// `MethodNotAllowed` without a verb: there is nothing to POST to a thing itself.
pub fn verb(segment: &str) -> Result<(i64, &str), Error> {
    let (id, verb) = segment.split_once(':').ok_or(Error::MethodNotAllowed)?;
    let id = id.parse().map_err(|_| Error::NotFound)?;
    Ok((id, verb))
}

/// The API, the address that providers send browsers back to, and those that they call.
pub fn routes(app: App) -> Router {
    table()
        .route(
            "/oauth/{provider}/callback",
            axum::routing::get(callback::get),
        )
        .route("/hooks/google", axum::routing::post(hooks::google))
        .route("/hooks/microsoft", axum::routing::post(hooks::microsoft))
        .fallback(|| async { Problem::from(Error::NotFound).into_response() })
        .method_not_allowed_fallback(|| async {
            Problem::from(Error::MethodNotAllowed).into_response()
        })
        .with_state(app)
}
