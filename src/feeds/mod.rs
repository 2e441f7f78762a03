//! Feeds: secret addresses that calendar programs poll, and free/busy addresses (PRODUCT §5).
//!
//! [`feed`] and [`freebusy`] speak HTTP; [`document`] makes the text of a feed from what [`crate::ical::privacy`] lets
//! through. Nothing here redirects and nothing is HTML: fetchers understand neither.

mod build;
mod chunks;
pub mod color;
pub mod document;
mod feed;
mod freebusy;
mod http;
mod json;
mod kept;
#[cfg(test)]
mod tests;
mod visit;

use axum::Router;
use axum::routing::any;

use crate::app::App;

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    app: App,
    kept: kept::Kept,
}

/// Everything under `/feeds/` and `/freebusy/`.
pub fn routes(app: App) -> Router {
    Router::new()
        .route("/feeds/{file}", any(feed::serve))
        .route("/freebusy/{name}", any(freebusy::serve))
        .fallback(|| async { http::nothing() })
        .with_state(Shared {
            app,
            kept: kept::Kept::default(),
        })
}
