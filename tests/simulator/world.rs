//! What all servers share: time, identifiers, the log of requests, mails, webhook calls, violations.

use super::Broken;
use super::faults::{Faults, What};
use super::web::{Answer, Call};
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Requests that the log keeps.
const LOG_KEEPS: usize = 20_000;

/// Which server a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    GoogleAuth,
    Google,
    MicrosoftAuth,
    Graph,
    Caldav,
    Ics,
    None,
}

/// (prefix of the path, server): the first match counts.
const PREFIXES: &[(&str, Service)] = &[
    ("/google/calendar/v3", Service::Google),
    ("/google/batch/calendar/v3", Service::Google),
    ("/google/", Service::GoogleAuth),
    ("/microsoft/", Service::MicrosoftAuth),
    ("/graph/v1.0", Service::Graph),
    ("/caldav", Service::Caldav),
    ("/.well-known/caldav", Service::Caldav),
    ("/ics/", Service::Ics),
];

impl Service {
    pub fn of(path: &str) -> Service {
        let found = PREFIXES.iter().find(|(start, _)| path.starts_with(start));
        found.map_or(Service::None, |(_, service)| *service)
    }

    /// By its name in lower case, as control messages have it.
    pub fn named(name: &str) -> Option<Service> {
        Some(match name {
            "google-auth" => Service::GoogleAuth,
            "google" => Service::Google,
            "microsoft-auth" => Service::MicrosoftAuth,
            "graph" => Service::Graph,
            "caldav" => Service::Caldav,
            "ics" => Service::Ics,
            _ => return None,
        })
    }
}

/// A message to a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub service: Service,
    pub to: String,
    /// `invitation`, `update` or `cancellation`.
    pub about: &'static str,
    pub event: String,
}

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Logged {
    pub at: i64,
    pub service: Service,
    pub method: Method,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether it asks to change events or calendars.
    pub write: bool,
    pub fault: Option<What>,
    /// Status and body of the answer, or how the connection broke.
    pub answer: Result<(u16, Bytes), Broken>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub requests: u64,
    pub writes: u64,
}

pub struct World {
    origin: String,
    at: AtomicI64,
    skew: AtomicI64,
    next: AtomicU64,
    dice: Mutex<Dice>,
    log: Mutex<VecDeque<Logged>>,
    counts: Mutex<BTreeMap<Service, Counts>>,
    violations: Mutex<Vec<String>>,
    mails: Mutex<Vec<Mail>>,
    pings: Mutex<Vec<Request<Bytes>>>,
    pub faults: Faults,
}

/// A lock that a panicking test cannot spoil for the others.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub fn new(origin: &str, seed: u64, now: i64) -> World {
        World {
            origin: origin.trim_end_matches('/').to_string(),
            at: AtomicI64::new(now),
            skew: AtomicI64::new(0),
            next: AtomicU64::new(1),
            dice: Mutex::new(Dice::new(seed)),
            log: Mutex::default(),
            counts: Mutex::default(),
            violations: Mutex::default(),
            mails: Mutex::default(),
            pings: Mutex::default(),
            faults: Faults::new(seed),
        }
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }
    pub fn at(&self) -> i64 {
        self.at.load(SeqCst)
    }
    pub fn advance(&self, seconds: i64) {
        self.at.fetch_add(seconds, SeqCst);
    }
    pub fn set_skew(&self, seconds: i64) {
        self.skew.store(seconds, SeqCst);
    }
    /// What the servers believe the time to be.
    pub fn now(&self) -> i64 {
        self.at() + self.skew.load(SeqCst)
    }
    /// `now` as RFC 3339 with milliseconds.
    pub fn stamp(&self) -> String {
        stamp(self.now())
    }
    /// A number that never comes again; it also orders changes.
    pub fn next(&self) -> u64 {
        self.next.fetch_add(1, SeqCst)
    }
    /// Text out of `alphabet`, unguessable but the same for the same seed.
    pub fn random(&self, length: usize, alphabet: &[u8]) -> String {
        let mut dice = lock(&self.dice);
        (0..length)
            .map(|_| char::from(alphabet[dice.below(alphabet.len() as u64) as usize]))
            .collect()
    }
    /// A random UUID.
    pub fn uuid(&self) -> String {
        let hex = self.random(32, b"0123456789abcdef");
        format!(
            "{}-{}-4{}-a{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..]
        )
    }

    /// Something that the provider's documents forbid was asked for.
    pub fn violation(&self, text: impl Into<String>) {
        let mut all = lock(&self.violations);
        if all.len() < 1000 {
            all.push(text.into());
        }
    }
    pub fn violations(&self) -> Vec<String> {
        lock(&self.violations).clone()
    }

    pub fn mail(&self, service: Service, to: &str, about: &'static str, event: &str) {
        lock(&self.mails).push(Mail {
            service,
            to: to.to_string(),
            about,
            event: event.to_string(),
        });
    }
    pub fn mails(&self) -> Vec<Mail> {
        lock(&self.mails).clone()
    }
    pub fn take_mails(&self) -> Vec<Mail> {
        std::mem::take(&mut lock(&self.mails))
    }

    /// A webhook call becomes due, unless a fault loses it (or doubles it).
    pub fn ping(&self, request: Request<Bytes>) {
        let copies = self.faults.copies_of_a_ping();
        let mut pings = lock(&self.pings);
        pings.extend(std::iter::repeat_n(request, copies));
    }
    pub fn take_pings(&self) -> Vec<Request<Bytes>> {
        std::mem::take(&mut lock(&self.pings))
    }

    pub fn record(
        &self,
        service: Service,
        call: &Call,
        fault: Option<What>,
        outcome: &Result<Answer, Broken>,
    ) {
        let write = is_write(service, call);
        {
            let mut counts = lock(&self.counts);
            let counts = counts.entry(service).or_default();
            counts.requests += 1;
            counts.writes += u64::from(write);
        }
        let mut log = lock(&self.log);
        if log.len() >= LOG_KEEPS {
            log.pop_front();
        }
        log.push_back(Logged {
            at: self.at(),
            service,
            method: call.method.clone(),
            target: call.target(),
            headers: call.headers.clone(),
            body: call.body.clone(),
            write,
            fault,
            answer: match outcome {
                Ok(answer) => Ok((answer.status().as_u16(), answer.body().clone())),
                Err(broken) => Err(*broken),
            },
        });
    }

    /// The last requests, oldest first.
    pub fn log(&self) -> Vec<Logged> {
        lock(&self.log).iter().cloned().collect()
    }
    /// Requests since the last [`World::reset_counts`].
    pub fn counts(&self, service: Service) -> Counts {
        let counts = lock(&self.counts);
        counts.get(&service).copied().unwrap_or_default()
    }
    /// Requests that asked for a change, over all services.
    pub fn writes(&self) -> u64 {
        lock(&self.counts)
            .values()
            .map(|counts| counts.writes)
            .sum()
    }
    pub fn requests(&self) -> u64 {
        let counts = lock(&self.counts);
        counts.values().map(|counts| counts.requests).sum()
    }
    pub fn reset_counts(&self) {
        lock(&self.counts).clear();
        lock(&self.log).clear();
    }
}

/// Whether a request asks to change events or calendars (not: tokens, webhooks, questions put as POST).
fn is_write(service: Service, call: &Call) -> bool {
    let method = call.method.as_str();
    let asks = !["GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"].contains(&method);
    let questions = ["/freeBusy", "/watch", "/channels/stop", "/getSchedule"];
    let question = questions.iter().any(|end| call.path.ends_with(end))
        || call.path.contains("/subscriptions")
        || call.path.ends_with("/findMeetingTimes");
    match service {
        Service::Google | Service::Graph if is_batch(&call.path) => holds_a_write(&call.body),
        Service::Google | Service::Graph => asks && !question,
        Service::Caldav => asks,
        _ => false,
    }
}

fn is_batch(path: &str) -> bool {
    path.ends_with("/$batch") || path.starts_with("/google/batch/")
}

/// Whether an inner request of a batch, of either kind, has a method that changes something.
fn holds_a_write(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    let methods = ["POST", "PUT", "PATCH", "DELETE"];
    let inner = |line: &str| methods.iter().any(|m| line.trim_start().starts_with(m));
    text.lines().any(inner)
        || methods
            .iter()
            .any(|m| text.contains(&format!("\"method\":\"{m}\"")))
}

/// RFC 3339 in UTC with milliseconds.
pub fn stamp(unix: i64) -> String {
    let at = jiff::Timestamp::from_second(unix).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// SplitMix64: small, seeded, the same everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
    pub fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit.max(1)
    }
    /// True with the probability `rate`.
    pub fn chance(&mut self, rate: f64) -> bool {
        (self.roll() >> 11) as f64 / ((1u64 << 53) as f64) < rate
    }
}
