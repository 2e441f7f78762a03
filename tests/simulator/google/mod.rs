//! Google Calendar API v3 (FACTS §2): calendars, events, push channels, free/busy, batch.
//!
//! Left out: ACL, colors, quickAdd, attachments, working-location editing rules, copies of an event in the calendars of
//! its guests (a person at the other end is played with [`Google::invite`]).

pub mod errors;

mod batch;
mod busy;
mod calendars;
mod instances;
mod list;
mod person;
mod push;
mod resource;
mod route;
mod write;

use super::faults::Twist;
use super::oauth::{Access, Authority, Flavour};
use super::web::{Answer, Call};
use super::world::{World, lock};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

pub type Json = Map<String, Value>;

pub struct Google {
    world: Arc<World>,
    oauth: Authority,
    state: Mutex<State>,
    /// New conferences are pending at first.
    pending: AtomicBool,
}

#[derive(Default)]
struct State {
    calendars: BTreeMap<String, Calendar>,
    /// (account, calendar) → the entry of the account's list.
    lists: BTreeMap<(String, String), Listed>,
    channels: Vec<push::Channel>,
    /// Tokens of calendar lists of an older epoch are dead.
    list_epoch: u64,
}

struct Calendar {
    id: String,
    owner: String,
    summary: String,
    description: Option<String>,
    zone: String,
    primary: bool,
    /// Made by an application (scope `calendar.app.created`).
    by_app: bool,
    /// Whether channels can be opened.
    push: bool,
    /// Why freeBusy fails for it, if it does.
    busy_error: Option<String>,
    roles: BTreeMap<String, String>,
    events: BTreeMap<String, Event>,
    /// Change number → event: the order of incremental listings.
    order: BTreeMap<u64, String>,
    /// iCalUID → ids of all events that have or had it.
    uids: HashMap<String, BTreeSet<String>>,
    epoch: u64,
}

/// An entry of a calendar list.
struct Listed {
    own: Json,
    seq: u64,
    deleted: bool,
    hidden: bool,
}

#[derive(Clone)]
struct Event {
    json: Json,
    seq: u64,
}

impl Event {
    fn text(&self, key: &str) -> &str {
        self.json.get(key).and_then(Value::as_str).unwrap_or("")
    }
    fn id(&self) -> &str {
        self.text("id")
    }
    fn cancelled(&self) -> bool {
        self.text("status") == "cancelled"
    }
    fn master(&self) -> Option<&str> {
        self.json.get("recurringEventId").and_then(Value::as_str)
    }
    fn recurs(&self) -> bool {
        self.json.contains_key("recurrence")
    }
}

impl Google {
    pub fn new(world: Arc<World>) -> Google {
        Google {
            oauth: Authority::new(world.clone(), Flavour::Google),
            world,
            state: Mutex::default(),
            pending: AtomicBool::new(false),
        }
    }

    pub fn oauth(&self) -> &Authority {
        &self.oauth
    }

    /// The channels whose time is over send nothing any more.
    pub fn expire_channels(&self) {
        let now = self.world.now();
        lock(&self.state)
            .channels
            .retain(|channel| channel.until > now);
    }

    pub fn handle(&self, call: &Call, twist: Twist) -> Answer {
        if call.path.starts_with("/google/batch/") {
            return self.batch(call, twist);
        }
        match self.one(call, twist) {
            Ok(answer) | Err(answer) => answer,
        }
    }
}

/// One authorized call, its method known.
struct Ask<'a> {
    call: &'a Call,
    access: Access,
    /// As the discovery document names it: `events.insert`.
    method: &'static str,
    query: super::web::Params,
    /// Values of the path's variables.
    path: Vec<String>,
    body: Value,
    twist: Twist,
}

impl Calendar {
    /// Stores a new version of an event under a new change number.
    fn store(&mut self, seq: u64, mut json: Json) -> &Event {
        json.insert("etag".into(), format!("\"{}\"", etag_number(seq)).into());
        let id = json
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_string();
        if let Some(uid) = json.get("iCalUID").and_then(Value::as_str) {
            self.uids
                .entry(uid.to_string())
                .or_default()
                .insert(id.clone());
        }
        if let Some(old) = self.events.get(&id) {
            self.order.remove(&old.seq);
        }
        self.order.insert(seq, id.clone());
        self.events.insert(id.clone(), Event { json, seq });
        &self.events[&id]
    }

    /// Exceptions and cancelled instances of a series.
    fn exceptions<'a>(&'a self, master: &'a str) -> impl Iterator<Item = &'a Event> {
        let start = format!("{master}_");
        let all = self.events.range(start.clone()..);
        let near = all
            .take_while(move |(id, _)| id.starts_with(&start))
            .map(|(_, event)| event);
        near.filter(move |event| event.master() == Some(master))
    }

    fn role(&self, account: &str) -> &str {
        self.roles.get(account).map_or("none", String::as_str)
    }
    fn may_read(&self, account: &str) -> bool {
        !matches!(self.role(account), "none" | "freeBusyReader")
    }
    fn may_write(&self, account: &str) -> bool {
        matches!(
            self.role(account),
            "writer" | "writerWithoutPrivateAccess" | "owner"
        )
    }
}

/// Etags of events look like a time in microseconds, doubled.
fn etag_number(seq: u64) -> u64 {
    3_500_000_000_000_000 + seq * 2
}
