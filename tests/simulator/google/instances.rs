//! Instances of a series: their ids, what they look like, which lie in a range.

use super::super::recur;
use super::resource::{When, series};
use super::{Calendar, Event, Json};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::collections::HashMap;

/// A range without end stops here after its start (or after the first instance).
const HORIZON: i64 = 2 * 366 * 86_400;

impl Calendar {
    fn home(&self) -> TimeZone {
        recur::zone(&self.zone).unwrap_or(TimeZone::UTC)
    }

    /// Start and end as instants.
    pub(super) fn span(&self, event: &Event) -> Option<(i64, i64)> {
        let home = self.home();
        Some((
            event.start(&self.zone)?.instant(&home),
            event.end(&self.zone)?.instant(&home),
        ))
    }

    /// An instance as the rule of its master makes it.
    fn generated(&self, master: &Event, start: &When) -> Option<Json> {
        let home = self.home();
        let first = master.start(&self.zone)?;
        let end = match (&first, master.end(&self.zone)?, start) {
            (When::Day(from), When::Day(to), When::Day(day)) => {
                let days = (to - *from).get_days();
                When::Day(day.checked_add(jiff::Span::new().days(days)).ok()?)
            }
            (first, When::Time { at, zone }, When::Time { at: start, .. }) => When::Time {
                at: start + (at - first.instant(&home)),
                zone,
            },
            _ => return None,
        };
        let mut json = master.json.clone();
        json.remove("recurrence");
        json.insert(
            "id".into(),
            format!("{}_{}", master.id(), start.suffix()).into(),
        );
        json.insert("recurringEventId".into(), master.id().into());
        json.insert("originalStartTime".into(), start.write(&self.zone));
        json.insert("start".into(), start.write(&self.zone));
        json.insert("end".into(), end.write(&self.zone));
        Some(json)
    }

    /// The start of an instance that the end of an id names, if the series has it.
    fn start_of(&self, master: &Event, suffix: &str) -> Option<When> {
        let (set, zone) = series(&master.json, &self.zone)?;
        let (at, utc, date) = recur::basic(suffix)?;
        let when = match master.start(&self.zone)? {
            When::Day(_) if date && set.holds(at) => When::Day(at.date()),
            When::Time { zone: name, .. } if utc && !date => {
                let unix = recur::instant(at, &TimeZone::UTC);
                if !set.holds(recur::local(unix, &zone)) {
                    return None;
                }
                When::Time {
                    at: unix,
                    zone: name,
                }
            }
            _ => return None,
        };
        Some(when)
    }

    /// An event, exception or generated instance by id.
    pub(super) fn look_up(&self, id: &str) -> Option<Event> {
        if let Some(event) = self.events.get(id) {
            return Some(event.clone());
        }
        let (master, suffix) = id.rsplit_once('_')?;
        let master = self
            .events
            .get(master)
            .filter(|m| m.recurs() && !m.cancelled())?;
        let start = self.start_of(master, suffix)?;
        let json = self.generated(master, &start)?;
        Some(Event {
            json,
            seq: master.seq,
        })
    }

    /// The instances of a series that touch a range, exceptions in their place; cancelled ones if asked for.
    pub(super) fn instances_in(
        &self,
        master: &Event,
        min: Option<i64>,
        max: Option<i64>,
        cancelled: bool,
    ) -> Vec<Event> {
        let Some((set, zone)) = series(&master.json, &self.zone) else {
            return Vec::new();
        };
        let Some((first, first_end)) = self.span(master) else {
            return Vec::new();
        };
        let length = first_end - first;
        let max = max.unwrap_or_else(|| min.unwrap_or(first).max(first) + HORIZON);
        let home = self.home();
        let exceptions: HashMap<String, &Event> = self
            .exceptions(master.id())
            .map(|event| (event.id().to_string(), event))
            .collect();
        let mut out = Vec::new();
        for local in set.until(recur::local(max + 86_400, &zone)) {
            let start = match master.start(&self.zone) {
                Some(When::Day(_)) => When::Day(local.date()),
                Some(When::Time { zone: name, .. }) => When::Time {
                    at: recur::instant(local, &zone),
                    zone: name,
                },
                None => continue,
            };
            let id = format!("{}_{}", master.id(), start.suffix());
            let at = start.instant(&home);
            let inside = at < max && min.is_none_or(|min| at + length > min);
            if inside
                && !exceptions.contains_key(&id)
                && let Some(json) = self.generated(master, &start)
            {
                out.push(Event {
                    json,
                    seq: master.seq,
                });
            }
        }
        for event in exceptions.into_values() {
            let shown = match event.cancelled() {
                true => cancelled && event.original(&self.zone).is_some(),
                false => self.touches(event, min, Some(max)),
            };
            if shown {
                out.push(event.clone());
            }
        }
        out.sort_by_cached_key(|event| {
            (self.span(event).map_or(0, |s| s.0), event.id().to_string())
        });
        out
    }

    /// Whether a single event lies in a range; the end is compared with its start, the start with its end.
    pub(super) fn touches(&self, event: &Event, min: Option<i64>, max: Option<i64>) -> bool {
        let Some((start, end)) = self.span(event) else {
            return false;
        };
        max.is_none_or(|max| start < max)
            && min.is_none_or(|min| end > min || (start == end && start >= min))
    }

    /// What identifies a cancelled instance: no more than this is promised.
    pub(super) fn stub(event: &Event) -> Value {
        let mut out = Json::new();
        out.insert("kind".into(), "calendar#event".into());
        for key in [
            "etag",
            "id",
            "status",
            "recurringEventId",
            "originalStartTime",
        ] {
            if let Some(value) = event.json.get(key) {
                out.insert(key.into(), value.clone());
            }
        }
        Value::Object(out)
    }
}
