//! `events.list`, `events.get`, `events.instances`: paging, sync tokens, filters (FACTS §2.2).

use super::super::faults::Twist;
use super::super::web::{self, Answer, Params};
use super::super::world::lock;
use super::resource::{When, offset_form};
use super::{Ask, Calendar, Event, Google, State, errors};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What page tokens and sync tokens hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Token {
    pub epoch: u64,
    pub offset: usize,
    /// Change number at which the listing began.
    pub snapshot: u64,
    /// Change number of the token with which it began; 0 for a full one.
    pub since: u64,
    /// Of the parameters that must stay the same.
    pub params: u64,
    /// The last item of the page before.
    pub after: String,
}

impl Token {
    pub(super) fn write(&self) -> String {
        let text = format!(
            "{}|{}|{}|{}|{}|{}",
            self.epoch, self.offset, self.snapshot, self.since, self.params, self.after
        );
        URL_SAFE.encode(format!("CPDAlvWDx70|{text}"))
    }
    pub(super) fn read(text: &str) -> Option<Token> {
        let text = String::from_utf8(URL_SAFE.decode(text).ok()?).ok()?;
        let mut parts = text.strip_prefix("CPDAlvWDx70|")?.splitn(6, '|');
        let mut number = || parts.next()?.parse::<u64>().ok();
        Some(Token {
            epoch: number()?,
            offset: number()? as usize,
            snapshot: number()?,
            since: number()?,
            params: number()?,
            after: parts.next()?.to_string(),
        })
    }
}

/// Parameters that a sync token forbids.
const NOT_WITH_TOKEN: &[&str] = &[
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
];

/// FNV-1a over the parameters that make a listing what it is.
fn fingerprint(query: &Params) -> u64 {
    let kept: BTreeMap<&str, Vec<&str>> = query
        .0
        .iter()
        .filter(|(key, _)| {
            ![
                "pageToken",
                "syncToken",
                "alt",
                "fields",
                "key",
                "prettyPrint",
            ]
            .contains(&key.as_str())
        })
        .fold(BTreeMap::new(), |mut all, (key, value)| {
            all.entry(key.as_str()).or_default().push(value.as_str());
            all
        });
    let text = format!("{kept:?}");
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

fn instant(query: &Params, name: &str) -> Result<Option<i64>, Answer> {
    let Some(text) = query.get(name) else {
        return Ok(None);
    };
    let parsed = text.parse::<jiff::Timestamp>();
    let at = parsed.map_err(|_| errors::saying("badRequest", "Bad Request"))?;
    Ok(Some(at.as_second()))
}

/// How a listing is narrowed.
struct Filter<'a> {
    query: &'a Params,
    min: Option<i64>,
    max: Option<i64>,
    updated: Option<i64>,
    deleted: bool,
    single: bool,
}

impl<'a> Filter<'a> {
    fn read(query: &'a Params) -> Result<Filter<'a>, Answer> {
        let (min, max) = (instant(query, "timeMin")?, instant(query, "timeMax")?);
        if let (Some(min), Some(max)) = (min, max)
            && max <= min
        {
            return Err(errors::error("timeRangeEmpty"));
        }
        let single = query.is_true("singleEvents");
        if query.get("orderBy") == Some("startTime") && !single {
            return Err(errors::saying(
                "badRequest",
                "The requested ordering is not available for the particular query.",
            ));
        }
        Ok(Filter {
            query,
            min,
            max,
            updated: instant(query, "updatedMin")?,
            deleted: query.is_true("showDeleted"),
            single,
        })
    }

    fn keeps(&self, calendar: &Calendar, event: &Event) -> bool {
        let json = &event.json;
        let property = |half: &str, wanted: &str| {
            let (key, value) = wanted.split_once('=').unwrap_or((wanted, ""));
            json.get("extendedProperties")
                .is_some_and(|all| all[half][key] == value)
        };
        let query = self.query;
        let kinds: Vec<&str> = query.all("eventTypes").collect();
        let shown =
            !event.cancelled() || self.deleted || (event.master().is_some() && !self.single);
        shown
            && query
                .get("iCalUID")
                .is_none_or(|uid| event.text("iCalUID") == uid)
            && query
                .all("privateExtendedProperty")
                .all(|wanted| property("private", wanted))
            && query
                .all("sharedExtendedProperty")
                .all(|wanted| property("shared", wanted))
            && (kinds.is_empty() || kinds.contains(&event.text("eventType")))
            && query.get("q").is_none_or(|words| holds_words(event, words))
            && self.updated.is_none_or(|at| updated(event) >= at)
            && self.in_range(calendar, event)
    }

    fn in_range(&self, calendar: &Calendar, event: &Event) -> bool {
        if self.min.is_none() && self.max.is_none() {
            return true;
        }
        match event.recurs() {
            true => !calendar
                .instances_in(event, self.min, self.max, false)
                .is_empty(),
            false => calendar.touches(event, self.min, self.max),
        }
    }
}

fn updated(event: &Event) -> i64 {
    event
        .text("updated")
        .parse::<jiff::Timestamp>()
        .map_or(0, |at| at.as_second())
}

fn holds_words(event: &Event, words: &str) -> bool {
    let text = ["summary", "description", "location"]
        .map(|key| event.text(key).to_lowercase())
        .join(" ");
    words
        .to_lowercase()
        .split_whitespace()
        .all(|word| text.contains(word))
}

impl Google {
    pub(super) fn list(&self, ask: &Ask) -> Result<Answer, Answer> {
        let query = &ask.query;
        let mut state = lock(&self.state);
        let calendar = state.find(&ask.path[0], &ask.access.email)?;
        if !calendar.may_read(&ask.access.email) {
            return Err(errors::saying(
                "requiredAccessLevel",
                "You need to have reader access to this calendar.",
            ));
        }
        if ask.twist == Twist::CursorGone && query.get("syncToken").is_some() {
            return Err(errors::error("fullSyncRequired"));
        }
        let token = self.begin(calendar, query)?;
        let mut filter = Filter::read(query)?;
        // What was deleted since is always told.
        filter.deleted |= token.since > 0;
        let year = 28 * 86_400;
        if filter
            .updated
            .is_some_and(|at| at < self.world.now() - year)
        {
            return Err(errors::error("updatedMinTooLongAgo"));
        }
        let size = query
            .get("maxResults")
            .and_then(|n| n.parse().ok())
            .unwrap_or(250usize)
            .clamp(1, 2500);
        let (items, next) = match ask.twist {
            Twist::EmptyPage => (Vec::new(), Some(token.clone())),
            _ => page(calendar, &filter, &token, size),
        };
        let items = self.twisted(ask, calendar, items);
        let mut out = head(calendar, &ask.access.email);
        let zone = query.get("timeZone").unwrap_or(&calendar.zone);
        out["items"] = items
            .iter()
            .map(|event| self.shown(calendar, event, true, zone))
            .collect();
        let plain = query.get("orderBy").is_none() && !(filter.single && filter.min.is_some());
        match next {
            Some(next) => out["nextPageToken"] = next.write().into(),
            None if plain => {
                let sync = Token {
                    after: String::new(),
                    since: token.snapshot,
                    offset: 0,
                    ..token
                };
                out["nextSyncToken"] = sync.write().into();
            }
            None => {}
        }
        Ok(web::json(200, &out))
    }

    /// Where the listing goes on: from a page token, a sync token, or the beginning.
    fn begin(&self, calendar: &Calendar, query: &Params) -> Result<Token, Answer> {
        let params = fingerprint(query);
        let snapshot = calendar.order.keys().next_back().copied().unwrap_or(0);
        let full = Token {
            epoch: calendar.epoch,
            snapshot,
            params,
            ..Token::default()
        };
        let read = |name: &str, words: &str| match query.get(name) {
            None => Ok(None),
            Some(text) => Token::read(text)
                .map(Some)
                .ok_or_else(|| errors::saying("invalid", words)),
        };
        let sync = read("syncToken", "Invalid sync token value.")?;
        if sync.is_some() {
            if let Some(name) = NOT_WITH_TOKEN.iter().find(|name| query.get(name).is_some()) {
                return Err(errors::saying(
                    "badRequest",
                    &format!("Sync token cannot be used with {name}."),
                ));
            }
            if query.get("showDeleted") == Some("false") {
                return Err(errors::saying(
                    "badRequest",
                    "showDeleted=false cannot be used with a sync token.",
                ));
            }
        }
        let token = match (read("pageToken", "Invalid page token value.")?, sync) {
            (Some(page), _) => page,
            (None, Some(sync)) => Token {
                snapshot: snapshot.max(sync.since),
                after: String::new(),
                ..sync
            },
            (None, None) => full,
        };
        if token.epoch != calendar.epoch {
            return Err(errors::error("fullSyncRequired"));
        }
        if token.params != params {
            let words = "The request parameters differ from those of the token.";
            return Err(errors::saying("invalid", words));
        }
        Ok(token)
    }

    fn twisted(&self, ask: &Ask, calendar: &Calendar, mut items: Vec<Event>) -> Vec<Event> {
        match ask.twist {
            Twist::Replay => {
                let again = calendar
                    .events
                    .values()
                    .filter(|event| !event.cancelled())
                    .take(2);
                items.splice(0..0, again.cloned().collect::<Vec<_>>());
            }
            Twist::Missing => drop(items.pop()),
            _ => {}
        }
        items
    }

    /// An event as an answer has it; listed deletions are stubs.
    pub(super) fn shown(
        &self,
        calendar: &Calendar,
        event: &Event,
        listed: bool,
        zone: &str,
    ) -> Value {
        if event.cancelled() && listed {
            return Calendar::stub(event);
        }
        let mut json = event.json.clone();
        if zone != calendar.zone {
            for key in ["start", "end", "originalStartTime"] {
                if let Some(value) = json.get_mut(key)
                    && let Ok(When::Time { at, .. }) = When::read(value, &calendar.zone, key)
                {
                    value["dateTime"] = offset_form(at, zone).into();
                }
            }
        }
        Value::Object(json)
    }

    pub(super) fn get(&self, ask: &Ask) -> Result<Answer, Answer> {
        let mut state = lock(&self.state);
        let calendar = state.find(&ask.path[0], &ask.access.email)?;
        if !calendar.may_read(&ask.access.email) {
            return Err(errors::error("notFound"));
        }
        self.finish_conference(calendar, &ask.path[1]);
        let event = calendar
            .look_up(&ask.path[1])
            .ok_or_else(|| errors::error("notFound"))?;
        let etag = event.text("etag").to_string();
        if ask
            .call
            .header("if-none-match")
            .is_some_and(|tag| tag == etag)
        {
            return Ok(web::with(web::empty(304), "etag", &etag));
        }
        let zone = ask.query.get("timeZone").unwrap_or(&calendar.zone);
        let body = self.shown(calendar, &event, false, zone);
        Ok(web::with(web::json(200, &body), "etag", &etag))
    }

    pub(super) fn instances(&self, ask: &Ask) -> Result<Answer, Answer> {
        let mut state: std::sync::MutexGuard<'_, State> = lock(&self.state);
        let calendar = state.find(&ask.path[0], &ask.access.email)?;
        let master = calendar
            .events
            .get(&ask.path[1])
            .filter(|event| event.recurs());
        let master = master.ok_or_else(|| errors::error("notFound"))?;
        let filter = Filter::read(&ask.query)?;
        let mut all = calendar.instances_in(master, filter.min, filter.max, filter.deleted);
        if let Some(original) = ask.query.get("originalStart") {
            let wanted = original.parse::<jiff::Timestamp>().map(|at| at.as_second());
            all.retain(|event| match event.original(&calendar.zone) {
                Some(When::Day(day)) => original.starts_with(&day.to_string()),
                Some(When::Time { at, .. }) => wanted.as_ref().ok() == Some(&at),
                None => false,
            });
        }
        let size = ask
            .query
            .get("maxResults")
            .and_then(|n| n.parse().ok())
            .unwrap_or(250usize)
            .clamp(1, 2500);
        let from = ask
            .query
            .get("pageToken")
            .and_then(Token::read)
            .map_or(0, |token| token.offset);
        let mut out = head(calendar, &ask.access.email);
        if from + size < all.len() {
            out["nextPageToken"] = Token {
                offset: from + size,
                ..Token::default()
            }
            .write()
            .into();
        }
        let zone = ask.query.get("timeZone").unwrap_or(&calendar.zone);
        let items = all.iter().skip(from).take(size);
        out["items"] = items
            .map(|event| self.shown(calendar, event, true, zone))
            .collect();
        Ok(web::json(200, &out))
    }
}

/// One page and the token of the next.
fn page(
    calendar: &Calendar,
    filter: &Filter,
    token: &Token,
    size: usize,
) -> (Vec<Event>, Option<Token>) {
    if filter.single {
        return page_of_instances(calendar, filter, token, size);
    }
    let mut items = Vec::new();
    let mut after = token.after.clone();
    let mut each = |key: String, event: &Event| {
        if items.len() == size {
            return false;
        }
        after = key;
        if filter.keeps(calendar, event) {
            items.push(event.clone());
        }
        true
    };
    let complete = if token.since > 0 {
        let from = token.after.parse().unwrap_or(token.since) + 1;
        let mut rest = calendar.order.range(from..);
        rest.all(|(seq, id)| each(seq.to_string(), &calendar.events[id]))
    } else {
        let bound = match token.after.as_str() {
            "" => std::ops::Bound::Unbounded,
            after => std::ops::Bound::Excluded(after),
        };
        let mut rest = calendar
            .events
            .range::<str, _>((bound, std::ops::Bound::Unbounded));
        rest.all(|(id, event)| each(id.clone(), event))
    };
    let next = (!complete).then(|| Token {
        after,
        ..token.clone()
    });
    (items, next)
}

fn page_of_instances(
    calendar: &Calendar,
    filter: &Filter,
    token: &Token,
    size: usize,
) -> (Vec<Event>, Option<Token>) {
    let changed = |event: &Event| event.seq > token.since;
    let mut all = Vec::new();
    for event in calendar.events.values() {
        let series = event.recurs() && !event.cancelled();
        if series {
            let instances = calendar.instances_in(event, filter.min, filter.max, filter.deleted);
            all.extend(instances.into_iter().filter(|one| changed(one)));
        } else if changed(event) && filter.keeps(calendar, event) {
            let of_a_series = event
                .master()
                .and_then(|id| calendar.events.get(id))
                .is_some_and(|m| !m.cancelled());
            if !of_a_series {
                all.push(event.clone());
            }
        }
    }
    if filter.query.get("orderBy") == Some("startTime") {
        all.sort_by_cached_key(|event| calendar.span(event).map_or(0, |span| span.0));
    }
    let more = token.offset + size < all.len();
    let items = all.into_iter().skip(token.offset).take(size).collect();
    let next = more.then(|| Token {
        offset: token.offset + size,
        ..token.clone()
    });
    (items, next)
}

fn head(calendar: &Calendar, account: &str) -> Value {
    let seq = calendar.order.keys().next_back().copied().unwrap_or(0);
    json!({
        "kind": "calendar#events", "etag": format!("\"p{seq}\""), "summary": calendar.summary, "description": "",
        "updated": "2026-01-01T00:00:00.000Z", "timeZone": calendar.zone, "accessRole": calendar.role(account),
        "defaultReminders": [],
    })
}
