//! Reading: lists with filters, views, instances, one event.

use super::super::web::{self, Answer, Params};
use super::super::world::lock;
use super::ids::Id;
use super::render::Form;
use super::series::{Occurrence, touches};
use super::{Ask, Graph, Item, Mailbox, errors, zones};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// Reads `startDateTime` and `endDateTime`; without an offset they are UTC, or in the preferred zone.
pub(super) fn window(ask: &Ask) -> Result<(i64, i64), Answer> {
    let zone = ask
        .prefer
        .zone
        .as_deref()
        .and_then(zones::zone)
        .unwrap_or(TimeZone::UTC);
    let read = |name: &str| {
        let text = ask.query.get_any_case(name)?.replace(' ', "+");
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Some(at.as_second());
        }
        let local = text.parse::<DateTime>().ok()?;
        Some(super::super::recur::instant(local, &zone))
    };
    let both = read("startDateTime").zip(read("endDateTime"));
    let words = "This request requires a time window specified by the query string parameters StartDateTime and EndDateTime.";
    both.ok_or_else(|| errors::saying("ErrorInvalidParameter", words))
}

/// The part of a list that was asked for, and the address of the rest.
fn paged(ask: &Ask, origin: &str, all: Vec<Value>) -> (Vec<Value>, Option<String>) {
    let number = |name: &str| {
        ask.query
            .get_any_case(name)
            .and_then(|n| n.parse::<usize>().ok())
    };
    let size = number("$top")
        .or(ask.prefer.page)
        .unwrap_or(10)
        .clamp(1, 1000);
    let skip = number("$skip").unwrap_or(0);
    if skip + size >= all.len() {
        return (all.into_iter().skip(skip).collect(), None);
    }
    let mut pairs = ask.query.clone();
    pairs
        .0
        .retain(|(key, _)| !matches!(key.to_ascii_lowercase().as_str(), "$skip" | "$top"));
    pairs.0.push(("$top".into(), size.to_string()));
    pairs.0.push(("$skip".into(), (skip + size).to_string()));
    let query: Vec<String> = pairs
        .0
        .iter()
        .map(|(k, v)| format!("{}={}", web::encode(k), web::encode(v)))
        .collect();
    let next = format!("{origin}{}?{}", ask.call.path, query.join("&"));
    (all.into_iter().skip(skip).take(size).collect(), Some(next))
}

/// The filters that Outlook and this simulator know.
enum Filter {
    Extended(String, String),
    Uid(String),
    Subject(String),
}

fn filter(query: &Params) -> Result<Option<Filter>, Answer> {
    let Some(text) = query.get_any_case("$filter") else {
        return Ok(None);
    };
    let quoted: Vec<String> = quoted(text);
    let lower = text.to_ascii_lowercase();
    let found = match quoted.as_slice() {
        [id, value] if lower.starts_with("singlevalueextendedproperties/any(") => {
            Filter::Extended(id.clone(), value.clone())
        }
        [uid] if lower.starts_with("icaluid eq ") => Filter::Uid(uid.clone()),
        [subject] if lower.starts_with("subject eq ") => Filter::Subject(subject.clone()),
        _ => {
            return Err(errors::saying(
                "ErrorInvalidUrlQueryFilter",
                "The query filter contains one or more invalid nodes.",
            ));
        }
    };
    Ok(Some(found))
}

/// The string literals of an OData expression; `''` is a quote.
fn quoted(text: &str) -> Vec<String> {
    let (mut out, mut current, mut letters) = (Vec::new(), None::<String>, text.chars().peekable());
    while let Some(letter) = letters.next() {
        match (&mut current, letter) {
            (None, '\'') => current = Some(String::new()),
            (Some(inner), '\'') if letters.peek() == Some(&'\'') => {
                letters.next();
                inner.push('\'');
            }
            (Some(_), '\'') => out.extend(current.take()),
            (Some(inner), other) => inner.push(other),
            (None, _) => {}
        }
    }
    out
}

impl Filter {
    fn keeps(&self, item: &Item) -> bool {
        match self {
            Filter::Uid(uid) => item.uid == *uid,
            Filter::Subject(subject) => item.json.get("subject").is_some_and(|own| own == subject),
            Filter::Extended(id, value) => {
                let all = item
                    .json
                    .get("singleValueExtendedProperties")
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten();
                let same = |one: &Value| {
                    one["id"]
                        .as_str()
                        .is_some_and(|own| own.eq_ignore_ascii_case(id))
                        && one["value"] == value.as_str()
                };
                all.into_iter().any(same)
            }
        }
    }
}

impl Mailbox {
    /// The event, and the occurrence if the id is of one.
    pub(super) fn find(&self, id: &str) -> Result<(&Item, Option<Occurrence>), Answer> {
        let gone = || errors::error("ErrorItemNotFound");
        let id = Id::read(id).ok_or_else(|| errors::error("ErrorInvalidIdMalformed"))?;
        let item = self
            .items
            .get(&id.key)
            .filter(|item| !item.gone)
            .ok_or_else(gone)?;
        match id.date {
            None => Ok((item, None)),
            Some(date) => Ok((item, Some(item.occurrence(date).ok_or_else(gone)?))),
        }
    }

    /// Single events and occurrences in a range, in order of their starts.
    pub(super) fn in_window(
        &self,
        calendar: Option<u64>,
        min: i64,
        max: i64,
    ) -> Vec<(&Item, Option<Occurrence>)> {
        let live = self
            .items
            .values()
            .filter(|item| !item.gone && calendar.is_none_or(|key| item.calendar == key));
        let mut all = Vec::new();
        for item in live {
            if item.is_series() {
                all.extend(
                    item.occurrences(min, max)
                        .into_iter()
                        .map(|one| (item, Some(one))),
                );
            } else if touches(&item.start, &item.end, min, max) {
                all.push((item, None));
            }
        }
        all.sort_by_key(|(item, one)| one.as_ref().map_or(&item.start, |one| &one.start).instant());
        all
    }
}

impl Graph {
    pub(super) fn list_events(&self, ask: &Ask, calendar: Option<u64>) -> Result<Answer, Answer> {
        let filter = filter(&ask.query)?;
        let form = Form::of(ask);
        let mut state = lock(&self.state);
        let mailbox = state.mailbox(ask.account())?;
        let live = mailbox
            .items
            .values()
            .filter(|item| !item.gone && calendar.is_none_or(|key| item.calendar == key));
        let live = live.filter(|item| filter.as_ref().is_none_or(|filter| filter.keeps(item)));
        let all = live.map(|item| mailbox.shown(item, None, &form)).collect();
        Ok(self.answer(ask, all, "events"))
    }

    pub(super) fn view(&self, ask: &Ask, calendar: u64) -> Result<Answer, Answer> {
        let (min, max) = window(ask)?;
        let form = Form::of(ask);
        let mut state = lock(&self.state);
        let mailbox = state.mailbox(ask.account())?;
        let all = mailbox.in_window(Some(calendar), min, max);
        let all = all
            .into_iter()
            .map(|(item, one)| mailbox.shown(item, one.as_ref(), &form))
            .collect();
        Ok(self.answer(ask, all, "calendarView"))
    }

    pub(super) fn instances(&self, ask: &Ask, id: &str) -> Result<Answer, Answer> {
        let (min, max) = window(ask)?;
        let form = Form::of(ask);
        let mut state = lock(&self.state);
        let mailbox = state.mailbox(ask.account())?;
        let (item, one) = mailbox.find(id)?;
        if one.is_some() || !item.is_series() {
            return Err(errors::saying(
                "ErrorInvalidRequest",
                "The event is not the master of a series.",
            ));
        }
        let all = item.occurrences(min, max);
        let all = all
            .iter()
            .map(|one| mailbox.shown(item, Some(one), &form))
            .collect();
        Ok(self.answer(ask, all, "instances"))
    }

    fn answer(&self, ask: &Ask, all: Vec<Value>, what: &str) -> Answer {
        let (page, next) = paged(ask, self.world.origin(), all);
        let mut out = json!({"@odata.context": self.context(what), "value": page});
        if let Some(next) = next {
            out["@odata.nextLink"] = next.into();
        }
        self.preferred(ask, web::json(200, &out))
    }

    pub(super) fn get(&self, ask: &Ask, id: &str) -> Result<Answer, Answer> {
        let mut state = lock(&self.state);
        let mailbox = state.mailbox(ask.account())?;
        let (item, one) = mailbox.find(id)?;
        let mut out = mailbox.shown(item, one.as_ref(), &Form::of(ask));
        out["@odata.context"] = self.context("events/$entity").into();
        Ok(self.preferred(ask, web::json(200, &out)))
    }

    /// Says which preferences were applied.
    pub(super) fn preferred(&self, ask: &Ask, answer: Answer) -> Answer {
        let mut all = Vec::new();
        if ask.prefer.immutable {
            all.push("IdType=\"ImmutableId\"".to_string());
        }
        all.extend(
            ask.prefer
                .zone
                .iter()
                .map(|zone| format!("outlook.timezone=\"{zone}\"")),
        );
        match all.is_empty() {
            true => answer,
            false => web::with(answer, "preference-applied", &all.join(", ")),
        }
    }
}
