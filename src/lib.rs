//! Kalends, a calendar server: the map. A module uses only rows below its own
//! (`tests/architecture.rs` holds the table).
//!
//! | row | modules |
//! |---|---|
//! | 6 | `main`, [`cli`]: wiring and commands |
//! | 5 | [`server`]: listener, router, guard, discovery, health |
//! | 4 | [`dav`] CalDAV · [`feeds`] secret addresses and free/busy · [`api`] JSON · [`web`] pages · [`jobs`] work in the background |
//! | 3 | [`objects`] the one door for writes < [`sync`] bridges < [`app`] use cases · [`auth`] who is asking |
//! | 2 | [`store`] SQLite and PostgreSQL behind one SQL text · [`remote`] providers of remote calendars |
//! | 1 | [`model`] nouns, rights, errors, addresses · [`config`] · [`clock`] · [`seal`] · [`wire`] bodies of requests and answers · [`metrics`] |
//! | 0 | [`ical`] iCalendar text and arithmetic · [`xml`] bounded reading, streaming writing |

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dav;
pub mod feeds;
pub mod ical;
pub mod jobs;
pub mod metrics;
pub mod model;
pub mod objects;
pub mod remote;
pub mod seal;
pub mod server;
pub mod store;
pub mod sync;
pub mod web;
pub mod wire;
pub mod xml;

/// The providers that the bridges are tried against, inside the process.
#[cfg(test)]
#[path = "../tests/simulator/mod.rs"]
pub mod simulator;
