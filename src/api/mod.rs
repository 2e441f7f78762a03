//! JSON over HTTP (PRODUCT §6): everything under `/api/v1/`, described by `/api/v1/openapi.json`.
//!
//! A resource is a file; [`ROUTES`] is the list of what there is, from which the router is made and with which a test
//! compares the description. Errors are problem documents (RFC 9457). Every change needs a JSON body or a credential
//! that a browser does not send by itself, so pages of other sites cannot make one.

mod calendars;
mod devices;
mod feeds;
mod freebusy;
mod me;
mod openapi;
pub mod problem;
pub mod request;
mod sessions;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::response::IntoResponse;

use crate::app::App;
use crate::model::Error;
use problem::Problem;

macro_rules! routes {
    ($($method:ident $path:literal => $handler:path),+ $(,)?) => {
        /// Method and path of everything that is answered.
        pub const ROUTES: &[(&str, &str)] = &[$((stringify!($method), $path)),+];

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
    get "/api/v1/openapi.json" => openapi::get,
}

/// The API.
pub fn routes(app: App) -> Router {
    table()
        .fallback(|| async { Problem::from(Error::NotFound).into_response() })
        .method_not_allowed_fallback(|| async {
            Problem::from(Error::MethodNotAllowed).into_response()
        })
        .with_state(app)
}
