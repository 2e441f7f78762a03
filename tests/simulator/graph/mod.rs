//! Microsoft Graph, calendars (FACTS §4): calendars, events with their series, views and delta, subscriptions, availability, batch.
//!
//! Left out: attachments, findMeetingTimes, permissions, calendar groups, open extensions, other people's mailboxes.

pub mod errors;

mod batch;
mod body;
mod calendars;
mod delta;
mod ids;
mod person;
mod query;
mod render;
mod route;
mod schedule;
mod series;
mod subscriptions;
mod write;
mod zones;

use super::faults::Twist;
use super::oauth::{Access, Authority, Flavour};
use super::recur;
use super::web::{Answer, Call, Params};
use super::world::World;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};

pub type Json = Map<String, Value>;

/// Requests of one mailbox that Outlook serves at a time.
const CONCURRENT: i64 = 4;

/// Calls a webhook address (`POST`, the validation token is in the query): status, content type and body of the answer.
pub type Validator = Box<dyn Fn(&str) -> Option<(u16, String, String)> + Send + Sync>;

pub struct Graph {
    world: Arc<World>,
    oauth: Authority,
    state: Mutex<State>,
    validator: Mutex<Option<Arc<Validator>>>,
    in_flight: AtomicI64,
}

#[derive(Default)]
struct State {
    mailboxes: BTreeMap<String, Mailbox>,
    subscriptions: Vec<subscriptions::Subscription>,
    rounds: BTreeMap<u64, delta::Round>,
}

struct Mailbox {
    email: String,
    /// Work or school; else a personal account.
    work: bool,
    zone: String,
    /// A repeated `transactionId` is an error instead of an answer.
    strict_transactions: bool,
    calendars: BTreeMap<u64, Calendar>,
    items: BTreeMap<u64, Item>,
    /// Change number → event.
    order: BTreeMap<u64, u64>,
    transactions: BTreeMap<String, u64>,
    /// Delta tokens of an older epoch are dead.
    epoch: u64,
    /// How dead tokens are told: 410 with `Location`, or 40x `syncStateNotFound`.
    polite_reset: bool,
}

struct Calendar {
    key: u64,
    name: String,
    default: bool,
    can_edit: bool,
    owner: String,
    change: u64,
}

/// A wall-clock time in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Point {
    local: DateTime,
    zone: String,
}

impl Point {
    fn tz(&self) -> TimeZone {
        zones::zone(&self.zone).unwrap_or(TimeZone::UTC)
    }
    fn instant(&self) -> i64 {
        recur::instant(self.local, &self.tz())
    }
}

/// A single event or a series.
#[derive(Clone)]
struct Item {
    key: u64,
    calendar: u64,
    /// Everything that a client may set, but for times and recurrence.
    json: Json,
    start: Point,
    end: Point,
    recurrence: Option<Value>,
    exceptions: BTreeMap<Date, Exception>,
    cancelled: BTreeSet<Date>,
    gone: bool,
    created: i64,
    modified: i64,
    seq: u64,
    uid: String,
    /// Another person, if the mailbox is a guest.
    organizer: Option<String>,
    transaction: Option<String>,
    expanded: RefCell<series::Expanded>,
}

/// What differs from the series on one date.
#[derive(Clone, Default)]
struct Exception {
    json: Json,
    times: Option<(Point, Point)>,
    seq: u64,
    modified: i64,
}

impl Graph {
    pub fn new(world: Arc<World>) -> Graph {
        Graph {
            oauth: Authority::new(world.clone(), Flavour::Microsoft),
            world,
            state: Mutex::default(),
            validator: Mutex::default(),
            in_flight: AtomicI64::new(0),
        }
    }

    pub fn oauth(&self) -> &Authority {
        &self.oauth
    }

    pub fn handle(&self, call: &Call, twist: Twist) -> Answer {
        use std::sync::atomic::Ordering::SeqCst;
        if call.path.ends_with("/$batch") {
            return self.batch(call, twist);
        }
        let others = self.in_flight.fetch_add(1, SeqCst);
        let answer = match others < CONCURRENT {
            true => self.one(call, twist).unwrap_or_else(|refused| refused),
            false => super::web::with(errors::error("ApplicationThrottled"), "retry-after", "1"),
        };
        self.in_flight.fetch_sub(1, SeqCst);
        answer
    }
}

/// One authorized call.
struct Ask<'a> {
    call: &'a Call,
    access: Access,
    query: Params,
    prefer: Prefer,
    body: Value,
    twist: Twist,
}

impl Ask<'_> {
    fn account(&self) -> &str {
        &self.access.email
    }
}

/// The `Prefer` header.
#[derive(Debug, Clone, Default)]
struct Prefer {
    immutable: bool,
    zone: Option<String>,
    text: bool,
    page: Option<usize>,
}

impl Prefer {
    fn read(call: &Call) -> Prefer {
        let mut out = Prefer::default();
        let values = call
            .headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok());
        for part in values.flat_map(|value| value.split(',')) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim().trim_matches('"');
            match key.trim().to_ascii_lowercase().as_str() {
                "idtype" => out.immutable = value.eq_ignore_ascii_case("ImmutableId"),
                "outlook.timezone" => out.zone = Some(value.to_string()),
                "outlook.body-content-type" => out.text = value.eq_ignore_ascii_case("text"),
                "odata.maxpagesize" => out.page = value.parse().ok(),
                _ => {}
            }
        }
        out
    }
}

impl State {
    fn mailbox(&mut self, email: &str) -> Result<&mut Mailbox, Answer> {
        let found = self.mailboxes.get_mut(email);
        found.ok_or_else(|| errors::error("MailboxNotEnabledForRESTAPI"))
    }
}

impl Mailbox {
    /// The event has a new version.
    fn touch(&mut self, key: u64, seq: u64, now: i64) {
        if let Some(item) = self.items.get_mut(&key) {
            self.order.remove(&item.seq);
            (item.seq, item.modified) = (seq, now);
            self.order.insert(seq, key);
        }
    }
    fn default_calendar(&self) -> u64 {
        let found = self.calendars.values().find(|calendar| calendar.default);
        found.map_or(0, |calendar| calendar.key)
    }
    fn last(&self) -> u64 {
        self.order.keys().next_back().copied().unwrap_or(0)
    }
}
