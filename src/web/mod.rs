//! Pages for people, plain and rendered here: connecting accounts, choosing calendars, and how links are doing
//! (PRODUCT §7, §8). They work without JavaScript, and none is let in.
//!
//! *Who is it?* Whoever the browser signs in as by HTTP Basic, as calendar programs do; guessing is throttled as there.
//! *Forms of other sites?* Are refused before they come here (`server::guard`, the one check for every door): browsers
//! say with each form where it comes from. So the referrer policy is `same-origin`: with `no-referrer` our own forms
//! would come from `null`.
//! *After a form* the browser is led to a page by 303, unless there is a report to show or something to correct.
//!
//! A page is a function to [`Page`]: a template of `pages/` with what it shows. Left out: other languages than English.

mod connection;
mod connections;
mod frame;
mod link;
mod request;
#[cfg(test)]
mod tests;
mod words;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::model::Error;

/// The first segments of the paths of pages.
pub const PATHS: &[&str] = &["connections", "links", "assets"];

/// Every page.
pub fn routes(app: App) -> Router {
    Router::new()
        .route(
            "/connections",
            get(connections::page).post(connections::connect),
        )
        .route("/connections/{id}", get(connection::page))
        .route("/connections/{id}/{verb}", post(connection::act))
        .route("/links/{id}", get(link::page))
        .route("/links/{id}/{verb}", post(link::act))
        .route("/assets/style.css", get(style))
        .fallback({
            let app = app.clone();
            || async move { frame::refusal(&app, &Error::NotFound) }
        })
        .method_not_allowed_fallback({
            let app = app.clone();
            || async move { frame::refusal(&app, &Error::MethodNotAllowed) }
        })
        .with_state(app)
}

async fn style() -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/css; charset=utf-8"),
        ),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("max-age=3600"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ];
    (StatusCode::OK, headers, include_str!("pages/style.css")).into_response()
}
