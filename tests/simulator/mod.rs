//! The fault simulator: Google, Microsoft Graph, CalDAV and ICS servers inside the process, which keep real state, behave
//! as the providers do in the field, and can be told to misbehave.
//!
//! It is an own reading of the providers' documents and shares no code with the bridges: no iCalendar, recurrence or
//! provider code of this crate is used here. Time is a number that is moved by hand; identifiers come from a seed.
//!
//! One origin serves everything, by prefix of the path: `/google/…`, `/microsoft/…` (sign-in), `/graph/v1.0/…`,
//! `/caldav/…`, `/ics/…`. `serve.rs` puts it behind HTTP as `cargo run --example simulator`.
#![allow(dead_code, clippy::result_large_err)] // each of its users needs another part of it; a refusal is an answer too

pub mod caldav;
pub mod faults;
pub mod google;
pub mod graph;
pub mod ics;
pub mod oauth;
pub mod recur;
pub mod schema;
pub mod web;
pub mod world;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use faults::{Faults, Twist, What};
use http::{Request, Response};
use std::sync::Arc;
use web::Call;
pub use world::{Mail, Service, World};

/// The connection broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// … before the request did anything.
    BeforeWrite,
    /// … after the request was carried out: the caller cannot know.
    AfterWrite,
}

/// In the extensions of an answer: it took this many seconds, by which the caller's clock should move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slow(pub i64);

/// All the servers. Clones share their state.
#[derive(Clone)]
pub struct Simulator(Arc<Inner>);

struct Inner {
    world: Arc<World>,
    google: google::Google,
    graph: graph::Graph,
    caldav: caldav::Caldav,
    ics: ics::Ics,
}

impl Simulator {
    /// Servers on `https://simulator.test`, at the Unix time `now`.
    pub fn new(seed: u64, now: i64) -> Simulator {
        Simulator::on("https://simulator.test", seed, now)
    }

    /// Servers whose absolute links begin with `origin`.
    pub fn on(origin: &str, seed: u64, now: i64) -> Simulator {
        let world = Arc::new(World::new(origin, seed, now));
        Simulator(Arc::new(Inner {
            google: google::Google::new(world.clone()),
            graph: graph::Graph::new(world.clone()),
            caldav: caldav::Caldav::new(world.clone()),
            ics: ics::Ics::new(world.clone()),
            world,
        }))
    }

    /// The Unix time of the servers.
    pub fn at(&self) -> i64 {
        self.0.world.at()
    }
    /// Moves the time of the servers.
    pub fn advance(&self, seconds: i64) {
        self.0.world.advance(seconds);
    }
    /// Sets the time of the servers.
    pub fn set_time(&self, now: i64) {
        self.0.world.advance(now - self.0.world.at());
    }
    /// The servers' clocks run ahead of (or behind) [`Simulator::at`] by so much: `Date`, `updated`, expiry.
    pub fn skew(&self, seconds: i64) {
        self.0.world.set_skew(seconds);
    }

    pub fn google(&self) -> &google::Google {
        &self.0.google
    }
    pub fn graph(&self) -> &graph::Graph {
        &self.0.graph
    }
    pub fn caldav(&self) -> &caldav::Caldav {
        &self.0.caldav
    }
    pub fn ics(&self) -> &ics::Ics {
        &self.0.ics
    }
    pub fn faults(&self) -> &Faults {
        &self.0.world.faults
    }
    /// Log, counts, mails, pings and violations of all servers.
    pub fn world(&self) -> &World {
        &self.0.world
    }
    /// What a server of the provider would not say, but its documents forbid: empty when all is well.
    pub fn violations(&self) -> Vec<String> {
        self.0.world.violations()
    }
    /// Webhook calls that are due to the server under test.
    pub fn take_pings(&self) -> Vec<Request<Bytes>> {
        self.0.google.expire_channels();
        self.0.world.take_pings()
    }
    /// Mails to guests since the last call.
    pub fn take_mails(&self) -> Vec<Mail> {
        self.0.world.take_mails()
    }

    /// One request. A slow answer says so with [`Slow`] in its extensions.
    pub fn handle(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Broken> {
        let call = Call::new(request);
        let service = Service::of(&call.path);
        let fault = self.faults().pick(service, &call);
        let outcome = self.under(&call, service, fault.as_ref());
        self.0.world.record(service, &call, fault, &outcome);
        outcome
    }

    fn under(
        &self,
        call: &Call,
        service: Service,
        fault: Option<&What>,
    ) -> Result<Response<Bytes>, Broken> {
        match fault {
            Some(What::DropBefore) => Err(Broken::BeforeWrite),
            Some(What::DropAfter) => {
                self.route(call, service, Twist::None);
                Err(Broken::AfterWrite)
            }
            Some(What::Status(trouble)) if !trouble.after => Ok(self.trouble(service, trouble)),
            Some(What::Status(trouble)) => {
                self.route(call, service, Twist::None);
                Ok(self.trouble(service, trouble))
            }
            Some(What::Truncated) => {
                let mut answer = self.route(call, service, Twist::None);
                let half = answer.body().len() / 2;
                answer.body_mut().truncate(half);
                Ok(answer)
            }
            Some(What::Slow(seconds)) => {
                let mut answer = self.route(call, service, Twist::None);
                answer.extensions_mut().insert(Slow(*seconds));
                Ok(answer)
            }
            Some(What::TokensLost) => {
                self.0.google.oauth().forget_access_tokens();
                self.0.graph.oauth().forget_access_tokens();
                Ok(self.route(call, service, Twist::None))
            }
            Some(What::Twist(twist)) => Ok(self.route(call, service, *twist)),
            None => Ok(self.route(call, service, Twist::None)),
        }
    }

    fn route(&self, call: &Call, service: Service, twist: Twist) -> Response<Bytes> {
        let inner = &self.0;
        let mut answer = match service {
            Service::GoogleAuth => inner.google.oauth().handle(call),
            Service::Google => inner.google.handle(call, twist),
            Service::MicrosoftAuth => inner.graph.oauth().handle(call),
            Service::Graph => inner.graph.handle(call, twist),
            Service::Caldav => inner.caldav.handle(call, twist),
            Service::Ics => inner.ics.handle(call),
            Service::None => web::text(404, "text/plain", "There is nothing here.\n"),
        };
        let date = web::http_date(inner.world.now());
        if let Ok(date) = http::HeaderValue::from_str(&date) {
            answer.headers_mut().insert(http::header::DATE, date);
        }
        answer
    }

    /// A status out of the blue, in the words of the service.
    fn trouble(&self, service: Service, trouble: &faults::Trouble) -> Response<Bytes> {
        let mut answer = match service {
            Service::Google => google::errors::trouble(trouble),
            Service::Graph => graph::errors::trouble(trouble, self.0.world.now()),
            Service::GoogleAuth | Service::MicrosoftAuth => oauth::trouble(trouble),
            _ => web::text(trouble.code, "text/html", "<h1>Trouble</h1>\n"),
        };
        if let Some(after) = trouble.retry_after {
            answer
                .headers_mut()
                .insert(http::header::RETRY_AFTER, after.into());
        }
        answer
    }
}
