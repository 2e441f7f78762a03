//! `calendarView/delta` (FACTS §4.3): rounds of pages, stubs, removals, tokens that die.

use super::super::faults::Twist;
use super::super::web::{self, Answer};
use super::super::world::lock;
use super::query::window;
use super::render::Form;
use super::{Ask, Graph, Item, Mailbox, errors};
use jiff::civil::Date;
use serde_json::{Value, json};

/// Rounds that are remembered; older pages are dead.
const ROUNDS: usize = 200;

/// What one round tells, page by page.
pub(super) struct Round {
    account: String,
    entries: Vec<Entry>,
    min: i64,
    max: i64,
    /// Change number with which the next round begins.
    snapshot: u64,
    epoch: u64,
    size: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    key: u64,
    date: Option<Date>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Stub,
    Removed,
}

/// A delta link's token: `d.<since>.<min>.<max>.<epoch>`.
struct Token {
    since: u64,
    min: i64,
    max: i64,
    epoch: u64,
}

impl Token {
    fn write(&self) -> String {
        format!(
            "R0usmcd{}.{}.{}.{}",
            self.since, self.min, self.max, self.epoch
        )
    }
    fn read(text: &str) -> Option<Token> {
        let mut parts = text.strip_prefix("R0usmcd")?.split('.');
        let mut next = || parts.next()?.parse::<i64>().ok();
        Some(Token {
            since: next()? as u64,
            min: next()?,
            max: next()?,
            epoch: next()? as u64,
        })
    }
}

impl Mailbox {
    /// What changed since a change number, or everything that is in the window.
    fn changed(&self, calendar: u64, since: Option<u64>, min: i64, max: i64) -> Vec<Entry> {
        let mut out = Vec::new();
        let from = since.map_or(0, |since| since + 1);
        let items = self
            .order
            .range(from..)
            .filter_map(|(_, key)| self.items.get(key));
        for item in items.filter(|item| item.calendar == calendar) {
            self.entries(item, since, min, max, &mut out);
        }
        out
    }

    fn entries(&self, item: &Item, since: Option<u64>, min: i64, max: i64, out: &mut Vec<Entry>) {
        let entry = |date, kind| Entry {
            key: item.key,
            date,
            kind,
        };
        let fresh = since.is_none();
        if item.gone {
            if !fresh {
                out.push(entry(None, Kind::Removed));
            }
            return;
        }
        if !item.is_series() {
            let inside = super::series::touches(&item.start, &item.end, min, max);
            match (inside, fresh) {
                (true, _) => out.push(entry(None, Kind::Whole)),
                (false, false) => out.push(entry(None, Kind::Removed)),
                (false, true) => {}
            }
            return;
        }
        let all = item.occurrences(min, max);
        if !all.is_empty() || !fresh {
            out.push(entry(
                None,
                if all.is_empty() {
                    Kind::Removed
                } else {
                    Kind::Whole
                },
            ));
        }
        for one in all {
            let kind = if item.exceptions.contains_key(&one.date) {
                Kind::Whole
            } else {
                Kind::Stub
            };
            out.push(entry(Some(one.date), kind));
        }
        if !fresh {
            out.extend(
                item.cancelled
                    .iter()
                    .map(|date| entry(Some(*date), Kind::Removed)),
            );
        }
    }

    fn told(&self, entry: Entry, form: &Form) -> Option<Value> {
        let item = self.items.get(&entry.key)?;
        let removed = || json!({"id": item.id(entry.date, form.immutable), "@removed": {"reason": "deleted"}});
        if entry.kind == Kind::Removed || item.gone {
            return Some(removed());
        }
        let Some(date) = entry.date else {
            return Some(self.shown(item, None, form));
        };
        match (item.occurrence(date), entry.kind) {
            (None, _) => Some(removed()),
            (Some(one), Kind::Stub) => Some(self.stub(item, &one, form)),
            (Some(one), _) => Some(self.shown(item, Some(&one), form)),
        }
    }
}

/// Query options that delta does not support.
const REFUSED: &[&str] = &["$select", "$expand", "$filter", "$orderby", "$search"];

impl Graph {
    pub(super) fn delta(&self, ask: &Ask, calendar: u64) -> Result<Answer, Answer> {
        if let Some(name) = REFUSED
            .iter()
            .find(|name| ask.query.get_any_case(name).is_some())
        {
            self.world
                .violation(format!("Graph: {name} with calendarView/delta"));
            return Err(errors::saying(
                "ErrorInvalidUrlQuery",
                &format!(
                    "The following parameters are not supported with change tracking over the 'CalendarView' resource: '{name}'."
                ),
            ));
        }
        let link = format!("{}{}", self.world.origin(), ask.call.path);
        let mut state = lock(&self.state);
        let state = &mut *state;
        let skip = ask.query.get_any_case("$skiptoken");
        let token = ask.query.get_any_case("$deltatoken");
        let mailbox = state.mailbox(ask.account())?;
        let dead = ask.twist == Twist::CursorGone && (skip.is_some() || token.is_some());
        if dead {
            return Err(gone(mailbox, &link, token.and_then(Token::read).as_ref()));
        }
        let (round, page) = match (skip, token) {
            (Some(skip), _) => {
                let parts = skip
                    .split_once('.')
                    .and_then(|(a, b)| Some((a.parse::<u64>().ok()?, b.parse::<usize>().ok()?)));
                parts.ok_or_else(|| errors::error("ErrorInvalidRequest"))?
            }
            (None, Some(token)) => {
                let token = Token::read(token).ok_or_else(|| errors::error("syncStateNotFound"))?;
                if token.epoch != mailbox.epoch {
                    return Err(gone(mailbox, &link, Some(&token)));
                }
                let since = Some(token.since);
                (
                    self.begin(state, ask, calendar, since, (token.min, token.max))?,
                    0,
                )
            }
            (None, None) => {
                let window = window(ask)?;
                (self.begin(state, ask, calendar, None, window)?, 0)
            }
        };
        self.page(state, ask, &link, round, page)
    }

    fn begin(
        &self,
        state: &mut super::State,
        ask: &Ask,
        calendar: u64,
        since: Option<u64>,
        window: (i64, i64),
    ) -> Result<u64, Answer> {
        let (min, max) = window;
        let mailbox = state.mailbox(ask.account())?;
        let mut entries = mailbox.changed(calendar, since, min, max);
        match ask.twist {
            Twist::Replay => {
                let more = mailbox
                    .changed(calendar, None, min, max)
                    .into_iter()
                    .take(2);
                entries.extend(
                    more.chain(entries.clone().into_iter().take(2))
                        .collect::<Vec<_>>(),
                );
            }
            // What Graph is known to forget: occurrences.
            Twist::Missing => entries.retain(|entry| entry.date.is_none()),
            _ => {}
        }
        let round = Round {
            account: ask.account().to_string(),
            entries,
            min,
            max,
            snapshot: mailbox.last(),
            epoch: mailbox.epoch,
            size: ask.prefer.page.unwrap_or(50).clamp(1, 1000),
        };
        let id = self.world.next();
        state.rounds.insert(id, round);
        while state.rounds.len() > ROUNDS {
            state.rounds.pop_first();
        }
        Ok(id)
    }

    fn page(
        &self,
        state: &mut super::State,
        ask: &Ask,
        link: &str,
        id: u64,
        from: usize,
    ) -> Result<Answer, Answer> {
        let form = Form::of(ask);
        let round = state
            .rounds
            .get(&id)
            .filter(|round| round.account == ask.account());
        let mailbox = state.mailboxes.get(ask.account());
        let (Some(round), Some(mailbox)) = (round, mailbox) else {
            return Err(errors::error("syncStateNotFound"));
        };
        let empty = ask.twist == Twist::EmptyPage;
        let size = if empty { 0 } else { round.size };
        let entries = round.entries.iter().skip(from).take(size);
        let value: Vec<Value> = entries
            .filter_map(|entry| mailbox.told(*entry, &form))
            .collect();
        let mut out =
            json!({"@odata.context": self.context("calendarView/$delta"), "value": value});
        if from + size < round.entries.len() || empty {
            out["@odata.nextLink"] = format!("{link}?$skiptoken={id}.{}", from + size).into();
        } else {
            let token = Token {
                since: round.snapshot,
                min: round.min,
                max: round.max,
                epoch: round.epoch,
            };
            out["@odata.deltaLink"] = format!("{link}?$deltatoken={}", token.write()).into();
        }
        Ok(self.preferred(ask, web::json(200, &out)))
    }
}

/// A dead token: 410 with the address of a new round, or 40x with a code.
fn gone(mailbox: &Mailbox, link: &str, token: Option<&Token>) -> Answer {
    if !mailbox.polite_reset {
        let answer = errors::error("syncStateNotFound");
        let (mut parts, body) = answer.into_parts();
        parts.status = http::StatusCode::NOT_FOUND;
        return Answer::from_parts(parts, body);
    }
    let answer = errors::error("resyncRequired");
    match token {
        Some(token) => {
            let time = |unix| super::render::instant(unix);
            let location = format!(
                "{link}?startDateTime={}&endDateTime={}",
                time(token.min),
                time(token.max)
            );
            web::with(answer, "location", &location)
        }
        None => answer,
    }
}
