//! The listener and the router: one function per request, from its head to its answer. HTTP/1.1 and HTTP/2, TLS or not.
//!
//! CalDAV is dispatched here without a framework: its methods and paths are its own, and this is the path that has to be
//! short. The JSON and feed routers are axum's.

mod access;
mod connection;
mod discovery;
mod front;
mod guard;
mod health;
pub mod log;
#[cfg(test)]
mod tests;
mod tls;
mod upkeep;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::response::IntoResponse;
use futures_util::FutureExt;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use crate::api::problem::Problem;
use crate::app::App;
use crate::auth::CHALLENGE;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::model::{self, Error};
use crate::wire::{ReplyBody, Request, Response};
use tls::Certificate;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What serves: the application, its routers, and what is counted.
pub struct Server {
    pub app: App,
    metrics: Metrics,
    certificate: Option<Certificate>,
    builder: auto::Builder<TokioExecutor>,
    feeds: axum::Router,
    api: axum::Router,
    web: axum::Router,
    /// Tells request ids of this process from those of others.
    process: u32,
    requests: AtomicU64,
}

/// Which part of the program answers a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Dav,
    Feeds,
    Api,
    Web,
    Other,
}

/// In the order of [`Door`].
const DOORS: [&str; 5] = ["dav", "feeds", "api", "web", "other"];

impl Door {
    fn of(path: &str) -> Door {
        let rest = path.trim_start_matches('/');
        match rest.split('/').next().unwrap_or_default() {
            "dav" => Door::Dav,
            "feeds" | "freebusy" => Door::Feeds,
            "api" | "oauth" | "hooks" => Door::Api,
            first if crate::web::PATHS.contains(&first) => Door::Web,
            _ => Door::Other,
        }
    }
}

impl Server {
    /// # Errors
    /// What is wrong with the certificate, for the operator.
    pub fn new(app: App) -> Result<Server, String> {
        let certificate = app.config.tls.as_ref().map(Certificate::load).transpose()?;
        let process = app.dice.bytes::<4>().map_err(|fault| fault.to_string())?;
        Ok(Server {
            metrics: Metrics::install(&DOORS),
            certificate,
            builder: connection::builder(&app.config.limits),
            feeds: crate::feeds::routes(app.clone()),
            api: crate::api::routes(app.clone()),
            web: crate::web::routes(app.clone()),
            process: u32::from_le_bytes(process),
            requests: AtomicU64::new(0),
            app,
        })
    }

    /// The answer to any request. Never fails and never panics: what goes wrong is an answer, too.
    #[expect(clippy::disallowed_methods, reason = "durations are measured here")]
    pub async fn answer(&self, request: Request) -> Response {
        let began = Instant::now();
        let id = self.next_id();
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let address = request.body().peer.address;
        let path = self.app.local(uri.path());
        let door = Door::of(path);
        let work = guarded(self.dispatch(door, request));
        let mut response = log::REQUEST.scope(id, work).await;
        if let Ok(value) = HeaderValue::from_bytes(&id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let seconds = began.elapsed().as_secs_f64();
        self.metrics
            .answered(door as usize, response.status().as_u16(), seconds);
        let entry = access::Entry {
            method: &method,
            path,
            status: response.status(),
            seconds,
            address,
        };
        log::REQUEST.sync_scope(id, || access::write(self.app.config.log.access, &entry));
        response
    }

    async fn dispatch(&self, door: Door, request: Request) -> Response {
        if guard::is_cross_site(&request, &self.app.config.public_url) {
            return refusal(&Error::forbidden("pages of other sites may not do this"));
        }
        if let Some(coding) = guard::coding(&request) {
            return encoded(door, &coding);
        }
        match door {
            Door::Dav => self.dav(request).await,
            // Boxed: futures are moved as a whole, and that of the shortest path should be small.
            Door::Feeds => Box::pin(self.framework(&self.feeds, request)).await,
            Door::Api => Box::pin(self.framework(&self.api, request)).await,
            Door::Web => Box::pin(self.framework(&self.web, request)).await,
            Door::Other => Box::pin(self.other(request)).await,
        }
    }

    /// CalDAV lets nobody in without a name; who has none is told so before a byte of the body is read.
    async fn dav(&self, request: Request) -> Response {
        let peer = request.body().peer;
        let auth = &self.app.auth;
        match auth
            .demand(request.headers(), &peer, model::Door::Caldav)
            .await
        {
            Ok(who) => crate::dav::serve(&self.app, who, request).await,
            Err(fault) => refusal(&fault),
        }
    }

    async fn other(&self, request: Request) -> Response {
        let path = self.app.local(request.uri().path()).to_string();
        let read = matches!(*request.method(), Method::GET | Method::HEAD);
        if let Some(response) = discovery::well_known(&self.app, &path) {
            return response;
        }
        match path.as_str() {
            "/healthz" if read => health::alive(),
            "/readyz" if read => health::ready(self).await,
            "/robots.txt" if read => health::robots(),
            "/metrics" if read => {
                let peer = request.body().peer;
                let answer = health::metrics(self, request.headers(), &peer).await;
                answer.unwrap_or_else(|fault| refusal(&fault))
            }
            "/" if read => front::page(&self.app),
            // `OPTIONS *` (RFC 9110 §9.3.7) asks for the server as a whole.
            "*" => self.dav(at_path(request, "/")).await,
            path if discovery::is_principal_probe(path) => self.dav(request).await,
            _ => plain(StatusCode::NOT_FOUND, "there is nothing at this address\n"),
        }
    }

    /// Hands a request to one of axum's routers, which knows paths without our prefix, and the peer as an extension.
    async fn framework(&self, router: &axum::Router, request: Request) -> Response {
        let local = self.app.local(request.uri().path());
        let mut request = match local == request.uri().path() {
            true => request,
            false => {
                let local = local.to_string();
                at_path(request, &local)
            }
        };
        let peer = request.body().peer;
        request.extensions_mut().insert(peer);
        match router
            .clone()
            .oneshot(request.map(axum::body::Body::new))
            .await
        {
            Ok(response) => response.map(ReplyBody::stream),
            Err(never) => match never {},
        }
    }

    fn next_id(&self) -> log::RequestId {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        let number = u64::from(self.process) << 32 | (count & 0xffff_ffff);
        std::array::from_fn(|at| HEX[(number >> (60 - 4 * at) & 15) as usize])
    }
}

/// A panic is a fault of ours, and ends one request instead of a connection with others on it.
fn guarded(work: impl Future<Output = Response>) -> impl Future<Output = Response> {
    AssertUnwindSafe(work).catch_unwind().map(|outcome| {
        outcome.unwrap_or_else(|_| {
            metrics::counter!("kalends_panics_total").increment(1);
            plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
        })
    })
}

/// The same request at another path, with its query.
fn at_path(mut request: Request, path: &str) -> Request {
    let text = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_string(),
    };
    // A piece of a valid path is a valid path.
    if let Ok(uri) = Uri::try_from(text) {
        *request.uri_mut() = uri;
    }
    request
}

/// A short answer for people.
fn plain(status: StatusCode, text: impl Into<ReplyBody>) -> Response {
    let mut response = http::Response::new(text.into());
    *response.status_mut() = status;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

/// A body in a coding that is not taken: 415, and which one is (RFC 9110 §12.5.3).
fn encoded(door: Door, coding: &str) -> Response {
    let text =
        format!("Content-Encoding: {coding} is not taken: send the body as it is (identity)");
    let mut response = match door {
        Door::Api => Problem::from(Error::UnsupportedMediaType(text))
            .into_response()
            .map(ReplyBody::stream),
        _ => plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text + "\n"),
    };
    let identity = HeaderValue::from_static("identity");
    response.headers_mut().insert(ACCEPT_ENCODING, identity);
    response
}

/// What this layer itself refuses.
fn refusal(fault: &Error) -> Response {
    let status = match fault {
        Error::Unauthorized => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::InsufficientStorage(_) => StatusCode::INSUFFICIENT_STORAGE,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let text = match fault {
        Error::Internal(why) => {
            tracing::error!(%why, "internal error");
            "internal error\n".to_string()
        }
        other => format!("{other}\n"),
    };
    let mut response = plain(status, text);
    let headers = response.headers_mut();
    match fault {
        Error::Unauthorized => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        Error::Throttled { retry_after } => {
            headers.insert(RETRY_AFTER, HeaderValue::from(*retry_after));
        }
        _ => {}
    }
    response
}

/// Binds every address of the configuration.
///
/// # Errors
/// Which address cannot be had, and why.
pub async fn bind(config: &Config) -> Result<Vec<TcpListener>, String> {
    let mut listeners = Vec::new();
    for address in &config.listen {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|fault| format!("cannot listen on {address}: {fault} (setting `listen`)"))?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Serves until `stop` is done, then lets requests finish for as long as `limits.shutdown_seconds` says.
pub async fn run(server: Arc<Server>, listeners: Vec<TcpListener>, stop: impl Future<Output = ()>) {
    let limits = &server.app.config.limits;
    let slots = Arc::new(Semaphore::new(limits.connections));
    let (stopping, stopped) = watch::channel(false);
    let mut tasks = tokio::task::JoinSet::new();
    for listener in listeners {
        tasks.spawn(accept(
            server.clone(),
            listener,
            slots.clone(),
            stopped.clone(),
        ));
    }
    tasks.spawn(crate::jobs::run(server.app.clone(), stopped.clone()));
    tasks.spawn(upkeep::run(server.clone(), stopped));
    stop.await;
    tracing::info!("stopping");
    let _ = stopping.send(true);
    let everything = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let finished = async {
        let _ = slots.acquire_many(everything).await;
        while tasks.join_next().await.is_some() {}
    };
    if tokio::time::timeout(limits.shutdown_time, finished)
        .await
        .is_err()
    {
        tracing::warn!("some requests did not finish in time");
    }
}

/// Takes connections, as many at the same time as there are slots.
async fn accept(
    server: Arc<Server>,
    listener: TcpListener,
    slots: Arc<Semaphore>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let next = async {
            let slot = slots.clone().acquire_owned().await.ok()?;
            Some((slot, listener.accept().await))
        };
        let (slot, accepted) = tokio::select! {
            next = next => match next {
                Some(next) => next,
                None => return,
            },
            _ = stop.changed() => return,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(fault) => {
                // Out of file descriptors, mostly: what is open has to end first.
                tracing::warn!(%fault, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (server, stop) = (server.clone(), stop.clone());
        tokio::spawn(async move {
            server.metrics.connections.increment(1.0);
            connection::run(server.clone(), stream, remote, stop).await;
            server.metrics.connections.decrement(1.0);
            drop(slot);
        });
    }
}
