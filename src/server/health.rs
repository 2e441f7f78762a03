//! What machines ask: `/healthz` (the process answers), `/readyz` (the database does too), `/metrics`, `/robots.txt`.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Server, plain};
use crate::model::access::Scopes;
use crate::model::{Door, Error};
use crate::wire::{Peer, Response};

/// Fetchers of calendars obey it (Google's does): feeds may be read, the rest is no business of theirs.
const ROBOTS: &str = "User-agent: *\nAllow: /feeds/\nDisallow: /\n";

pub fn alive() -> Response {
    uncached(plain(StatusCode::OK, "ok\n"))
}

pub async fn ready(server: &Server) -> Response {
    match server.app.reachable().await {
        Ok(()) => uncached(plain(StatusCode::OK, "ready\n")),
        Err(fault) => {
            tracing::warn!(%fault, "not ready");
            uncached(plain(
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer\n",
            ))
        }
    }
}

pub fn robots() -> Response {
    plain(StatusCode::OK, ROBOTS)
}

/// For this machine, for API tokens of administrators with the scope `admin`, or for everybody when so configured.
pub async fn metrics(server: &Server, headers: &HeaderMap, peer: &Peer) -> Result<Response, Error> {
    let open = server.app.config.metrics_public || peer.address.is_loopback();
    if !open {
        let who = server.app.auth.demand(headers, peer, Door::Api).await?;
        if !who.admin || !who.scopes.has(Scopes::ADMIN) {
            return Err(Error::forbidden("metrics are for administrators"));
        }
    }
    let mut response = plain(StatusCode::OK, server.metrics.render());
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    Ok(uncached(response))
}

fn uncached(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
