//! ICS feeds at `/ics/{name}.ics`, well-behaved and not (FACTS §7).

use super::web::{self, Answer, Call};
use super::world::{World, lock};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What a feed answers with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Serves {
    #[default]
    Calendar,
    /// A login page, with status 200.
    LoginPage,
    /// The calendar without its last third.
    Truncated,
    /// A calendar without components.
    NoEvents,
    EmptyBody,
    Status(u16),
    /// 302 to an address.
    Redirect(String),
}

/// A feed and its manners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    pub text: String,
    pub serves: Serves,
    pub etag: bool,
    pub last_modified: bool,
    pub cache_control: Option<String>,
    pub content_type: String,
    /// Every fetch has new UIDs, as Outlook's published calendars.
    pub churn: bool,
    /// The body is filled up to so many bytes.
    pub size: usize,
}

impl Feed {
    pub fn new(text: &str) -> Feed {
        Feed {
            text: text.to_string(),
            serves: Serves::Calendar,
            etag: true,
            last_modified: true,
            cache_control: None,
            content_type: "text/calendar; charset=utf-8".to_string(),
            churn: false,
            size: 0,
        }
    }
}

struct Kept {
    feed: Feed,
    version: u64,
    changed: i64,
    fetches: u64,
}

pub struct Ics {
    world: Arc<World>,
    feeds: Mutex<BTreeMap<String, Kept>>,
}

impl Ics {
    pub fn new(world: Arc<World>) -> Ics {
        Ics {
            world,
            feeds: Mutex::default(),
        }
    }

    /// Sets a feed: its path.
    pub fn set(&self, name: &str, feed: Feed) -> String {
        let (version, changed) = (self.world.next(), self.world.now());
        let kept = Kept {
            feed,
            version,
            changed,
            fetches: 0,
        };
        lock(&self.feeds).insert(name.to_string(), kept);
        format!("/ics/{}.ics", web::encode(name))
    }
    /// Changes a feed.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Feed)) {
        let (version, now) = (self.world.next(), self.world.now());
        if let Some(kept) = lock(&self.feeds).get_mut(name) {
            change(&mut kept.feed);
            (kept.version, kept.changed) = (version, now);
        }
    }
    pub fn remove(&self, name: &str) {
        lock(&self.feeds).remove(name);
    }
    pub fn names(&self) -> Vec<String> {
        lock(&self.feeds).keys().cloned().collect()
    }
    /// Answers with a body so far (not 304).
    pub fn fetches(&self, name: &str) -> u64 {
        lock(&self.feeds).get(name).map_or(0, |kept| kept.fetches)
    }

    pub fn handle(&self, call: &Call) -> Answer {
        let parts = web::below(&call.path, "/ics").unwrap_or_default();
        let name = parts.first().and_then(|name| name.strip_suffix(".ics"));
        let mut feeds = lock(&self.feeds);
        match name.and_then(|name| feeds.get_mut(name)) {
            Some(kept) if call.method == "GET" || call.method == "HEAD" => kept.answer(call),
            Some(_) => web::empty(405),
            None => web::text(404, "text/plain", "No such feed\n"),
        }
    }
}

impl Kept {
    fn answer(&mut self, call: &Call) -> Answer {
        let feed = &self.feed;
        match &feed.serves {
            Serves::Status(status) => return web::text(*status, "text/plain", "\n"),
            Serves::Redirect(to) => return web::redirect(to),
            Serves::LoginPage => {
                let page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form></form></body></html>";
                return web::text(200, "text/html; charset=utf-8", page);
            }
            _ => {}
        }
        let etag = format!("\"v{}\"", self.version);
        let date = web::http_date(self.changed);
        let same = match call.header("if-none-match") {
            Some(tags) => {
                feed.etag
                    && tags
                        .split(',')
                        .any(|tag| tag.trim().trim_start_matches("W/") == etag)
            }
            None => {
                feed.last_modified
                    && call
                        .header("if-modified-since")
                        .is_some_and(|since| since == date)
            }
        };
        let fresh = !feed.churn && same;
        let mut answer = match fresh {
            true => web::empty(304),
            false => {
                self.fetches += 1;
                web::text(200, &feed.content_type, body(feed, self.fetches))
            }
        };
        if feed.etag && !feed.churn {
            web::set(&mut answer, "etag", &etag);
        }
        if feed.last_modified && !feed.churn {
            web::set(&mut answer, "last-modified", &date);
        }
        if let Some(control) = &feed.cache_control {
            web::set(&mut answer, "cache-control", control);
        }
        answer
    }
}

fn body(feed: &Feed, fetches: u64) -> String {
    let mut text = match feed.serves {
        Serves::EmptyBody => return String::new(),
        Serves::NoEvents => {
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Simulator//EN\r\nEND:VCALENDAR\r\n"
                .to_string()
        }
        Serves::Truncated => feed
            .text
            .chars()
            .take(feed.text.chars().count() * 2 / 3)
            .collect(),
        _ => feed.text.clone(),
    };
    if feed.churn {
        text = text
            .split_inclusive('\n')
            .map(|line| match line.starts_with("UID:") {
                true => format!("{}-{fetches}\r\n", line.trim_end()),
                false => line.to_string(),
            })
            .collect();
    }
    if text.len() < feed.size {
        let line = "X-PADDING:0123456789012345678901234567890123456789012345678901234567\r\n";
        let more = line.repeat((feed.size - text.len()).div_ceil(line.len()));
        text = text.replacen("END:VCALENDAR", &format!("{more}END:VCALENDAR"), 1);
    }
    text
}
