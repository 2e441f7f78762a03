//! What a person does at the web page, and what tests look at.

use super::super::world::lock;
use super::resource::{merge, writable};
use super::{Calendar, Event, Google, Json, State};
use serde_json::{Value, json};

impl Google {
    /// An account with its primary calendar.
    pub fn account(&self, email: &str, zone: &str) {
        self.oauth
            .person(email, email.split('@').next().unwrap_or(email), false);
        let mut state = lock(&self.state);
        if state.calendars.contains_key(email) {
            return;
        }
        let mut calendar = Calendar::new(email, email, email, zone);
        calendar.primary = true;
        state.calendars.insert(email.to_string(), calendar);
        state.list_for(&self.world, email, email);
    }

    /// Another calendar of an account: its id.
    pub fn calendar_of(&self, email: &str, summary: &str, zone: &str) -> String {
        let id = format!(
            "c_{}@group.calendar.google.com",
            self.world.random(20, b"0123456789abcdef")
        );
        let mut state = lock(&self.state);
        state
            .calendars
            .insert(id.clone(), Calendar::new(&id, email, summary, zone));
        state.list_for(&self.world, email, &id);
        id
    }

    /// Shares a calendar (`reader`, `writer`, …), or with `none` takes it away.
    pub fn share(&self, calendar: &str, with: &str, role: &str) {
        let mut state = lock(&self.state);
        let Some(found) = state.calendars.get_mut(calendar) else {
            return;
        };
        if role == "none" {
            found.roles.remove(with);
            let seq = self.world.next();
            if let Some(listed) = state
                .lists
                .get_mut(&(with.to_string(), calendar.to_string()))
            {
                (listed.deleted, listed.seq) = (true, seq);
            }
            return;
        }
        found.roles.insert(with.to_string(), role.to_string());
        state.list_for(&self.world, with, calendar);
    }

    pub fn delete_calendar(&self, calendar: &str) {
        let mut state = lock(&self.state);
        self.remove_calendar(&mut state, calendar);
    }
    /// The calendar refuses channels, as holiday calendars do.
    pub fn refuse_push(&self, calendar: &str) {
        self.with(calendar, |calendar| calendar.push = false);
    }
    /// freeBusy of the calendar fails with a reason.
    pub fn fail_busy(&self, calendar: &str, reason: Option<&str>) {
        self.with(calendar, |calendar| {
            calendar.busy_error = reason.map(str::to_string)
        });
    }
    /// All sync tokens and page tokens of a calendar are dead.
    pub fn expire_sync_tokens(&self, calendar: &str) {
        self.with(calendar, |calendar| calendar.epoch += 1);
    }
    /// The same for the calendar lists.
    pub fn expire_list_tokens(&self) {
        lock(&self.state).list_epoch += 1;
    }
    /// New conferences stay pending until the event is read again.
    pub fn conferences_pend(&self, pend: bool) {
        self.pending
            .store(pend, std::sync::atomic::Ordering::Relaxed);
    }
    pub(super) fn pends(&self) -> bool {
        self.pending.load(std::sync::atomic::Ordering::Relaxed)
    }
    /// Channels that are open: (id, calendar, account).
    pub fn channels(&self) -> Vec<(String, Option<String>, String)> {
        let now = self.world.now();
        let state = lock(&self.state);
        let live = state.channels.iter().filter(|channel| channel.until > now);
        live.map(|c| (c.id.clone(), c.calendar.clone(), c.account.clone()))
            .collect()
    }
    pub fn calendars(&self) -> Vec<String> {
        lock(&self.state).calendars.keys().cloned().collect()
    }

    fn with<T>(&self, calendar: &str, change: impl FnOnce(&mut Calendar) -> T) -> Option<T> {
        lock(&self.state).calendars.get_mut(calendar).map(change)
    }

    fn edit<T>(&self, calendar: &str, change: impl FnOnce(&mut Calendar) -> T) -> Option<T> {
        let mut state = lock(&self.state);
        let state: &mut State = &mut state;
        let out = change(state.calendars.get_mut(calendar)?);
        self.ping_channels(state, calendar);
        Some(out)
    }

    /// Adds an event as its owner would; `None` if it is not acceptable. The id is the body's or a new one.
    pub fn add(&self, calendar: &str, body: Value) -> Option<String> {
        self.edit(calendar, |found| {
            let mut json = body.as_object()?.clone();
            let id = self.world.random(26, b"0123456789abcdefghijklmnopqrstuv");
            json.entry("id").or_insert(id.into());
            let mut json = found.normal(json).ok()?;
            let owner = found.owner.clone();
            self.fresh(found, &owner, &mut json);
            Some(found.store(self.world.next(), json).id().to_string())
        })?
    }

    /// An invitation from elsewhere arrives: the calendar's owner is a guest.
    pub fn invite(&self, calendar: &str, organizer: &str, mut body: Value) -> Option<String> {
        body["organizer"] = json!({"email": organizer});
        body["creator"] = json!({"email": organizer});
        let own = json!({"email": calendar, "responseStatus": "needsAction"});
        let host = json!({"email": organizer, "responseStatus": "accepted", "organizer": true});
        body["attendees"] = json!([host, own]);
        self.add(calendar, body)
    }

    /// Changes an event (or an instance, which makes an exception) as a merge patch; false if there is none.
    pub fn edit_event(&self, calendar: &str, id: &str, patch: Value) -> bool {
        let done = self.edit(calendar, |found| {
            let old = found.look_up(id).filter(|event| !event.cancelled())?;
            let mut json = old.json.clone();
            let patch = patch.as_object()?;
            merge(&mut json, patch);
            let mut json = found.normal(json).ok()?;
            if writable(&json!(json)) != writable(&json!(old.json)) {
                let sequence = json.get("sequence").and_then(Value::as_i64).unwrap_or(0);
                json.insert("sequence".into(), (sequence + 1).into());
            }
            json.insert("updated".into(), self.world.stamp().into());
            found.store(self.world.next(), json);
            Some(())
        });
        done.flatten().is_some()
    }

    /// Deletes an event, a series, or one instance.
    pub fn delete_event(&self, calendar: &str, id: &str) -> bool {
        let done = self.edit(calendar, |found| {
            let old = found.look_up(id).filter(|event| !event.cancelled())?;
            found.cancel_event(&old, &self.world.stamp(), || self.world.next());
            Some(())
        });
        done.flatten().is_some()
    }

    /// "This and following" as the web page does it: the old series ends before the instance, a new one begins with it,
    /// under a new id and a new iCalUID. The id of the new series.
    pub fn split(&self, calendar: &str, instance: &str, patch: Value) -> Option<String> {
        self.edit(calendar, |found| {
            let at = found.look_up(instance)?;
            let master = found.events.get(at.master()?)?.clone();
            let (_, suffix) = instance.rsplit_once('_')?;
            let rule = super::resource::lines(&master.json);
            let ended: Vec<Value> = rule
                .iter()
                .map(|line| end_before(line, suffix).into())
                .collect();
            let mut old = master.json.clone();
            old.insert("recurrence".into(), ended.into());
            old.insert("updated".into(), self.world.stamp().into());
            let mut new: Json = at.json.clone();
            for key in ["recurringEventId", "originalStartTime", "etag"] {
                new.remove(key);
            }
            let id = format!("{}_R{}", master.id(), suffix.trim_end_matches('Z'));
            new.insert("id".into(), id.clone().into());
            new.insert("iCalUID".into(), format!("{id}@google.com").into());
            let kept: Vec<Value> = rule.iter().map(|line| without_count(line).into()).collect();
            new.insert("recurrence".into(), kept.into());
            merge(&mut new, patch.as_object()?);
            let new = found.normal(new).ok()?;
            let later: Vec<Event> = found
                .exceptions(master.id())
                .filter(|e| e.id() >= instance)
                .cloned()
                .collect();
            for mut exception in later {
                exception.json.insert("status".into(), "cancelled".into());
                found.store(self.world.next(), exception.json);
            }
            found.store(self.world.next(), old);
            found.store(self.world.next(), new);
            Some(id)
        })?
    }

    /// All events that are not cancelled: masters, exceptions, single ones, whole.
    pub fn events(&self, calendar: &str) -> Vec<Value> {
        let state = lock(&self.state);
        let found = state.calendars.get(calendar);
        let all = found
            .into_iter()
            .flat_map(|calendar| calendar.events.values());
        all.filter(|event| !event.cancelled())
            .map(|event| Value::Object(event.json.clone()))
            .collect()
    }
    /// Also deletions and cancelled instances.
    pub fn all_events(&self, calendar: &str) -> Vec<Value> {
        let state = lock(&self.state);
        let found = state.calendars.get(calendar);
        let all = found
            .into_iter()
            .flat_map(|calendar| calendar.events.values());
        all.map(|event| Value::Object(event.json.clone())).collect()
    }
    pub fn event(&self, calendar: &str, id: &str) -> Option<Value> {
        let state = lock(&self.state);
        Some(Value::Object(
            state.calendars.get(calendar)?.look_up(id)?.json,
        ))
    }
    /// The instances between two instants, as `singleEvents=true` lists them.
    pub fn instances_between(&self, calendar: &str, min: i64, max: i64) -> Vec<Value> {
        let state = lock(&self.state);
        let Some(found) = state.calendars.get(calendar) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for event in found.events.values().filter(|event| !event.cancelled()) {
            if event.recurs() {
                out.extend(found.instances_in(event, Some(min), Some(max), false));
            } else if event.master().is_none() && found.touches(event, Some(min), Some(max)) {
                out.push(event.clone());
            }
        }
        out.into_iter()
            .map(|event| Value::Object(event.json))
            .collect()
    }
}

fn without_count(line: &str) -> String {
    let parts = line.split(';').filter(|part| !part.starts_with("COUNT="));
    parts.collect::<Vec<_>>().join(";")
}

/// The rule with an UNTIL just before an instance.
fn end_before(line: &str, suffix: &str) -> String {
    if !line.starts_with("RRULE") {
        return line.to_string();
    }
    let until = super::super::recur::basic(suffix).map(|(at, _, date)| {
        let back = if date {
            jiff::Span::new().days(1)
        } else {
            jiff::Span::new().seconds(1)
        };
        let at = at.saturating_sub(back);
        let form = if date { "%Y%m%d" } else { "%Y%m%dT%H%M%SZ" };
        at.strftime(form).to_string()
    });
    let kept = line
        .split(';')
        .filter(|part| !part.starts_with("COUNT=") && !part.starts_with("UNTIL="));
    format!(
        "{};UNTIL={}",
        kept.collect::<Vec<_>>().join(";"),
        until.unwrap_or_default()
    )
}
