//! Writes: insert, import, update, patch, delete, move (FACTS §2.4).

use super::super::faults::Twist;
use super::super::web::{self, Answer};
use super::super::world::{Service, lock};
use super::resource::{SHARED, merge, writable};
use super::{Ask, Calendar, Event, Google, Json, State, errors};
use serde_json::{Value, json};

/// Which mails a write sends.
fn notifies(ask: &Ask) -> bool {
    ask.query.get("sendUpdates") != Some("none")
        && !(ask.query.get("sendUpdates").is_none() && ask.method == "events.import")
}

fn may_write<'a>(state: &'a mut State, ask: &Ask) -> Result<&'a mut Calendar, Answer> {
    let calendar = state.find(&ask.path[0], &ask.access.email)?;
    match calendar.may_write(&ask.access.email) {
        true => Ok(calendar),
        false => Err(errors::error("requiredAccessLevel")),
    }
}

fn check_id(id: &str) -> Result<(), Answer> {
    let fine = (5..=1024).contains(&id.len())
        && id.bytes().all(|b| matches!(b, b'a'..=b'v' | b'0'..=b'9'));
    fine.then_some(())
        .ok_or_else(|| errors::saying("invalid", "Invalid resource id value."))
}

fn bad_match(ask: &Ask, event: &Event) -> bool {
    ask.call
        .header("if-match")
        .is_some_and(|tag| tag != "*" && tag != event.text("etag"))
}

/// What changes the number that iCalendar calls SEQUENCE.
const WEIGHTY: &[&str] = &["start", "end", "recurrence", "status"];

impl Google {
    fn warn(&self, ask: &Ask) {
        if ask.method != "events.import" && ask.query.get("sendUpdates").is_none() {
            self.world
                .violation(format!("Google: {} without sendUpdates", ask.method));
        }
    }

    /// Keys that the service makes.
    pub(super) fn fresh(&self, calendar: &Calendar, account: &str, json: &mut Json) {
        let id = json["id"].as_str().unwrap_or("").to_string();
        let stamp = self.world.stamp();
        let person = |email: &str| match email == calendar.id {
            true => json!({"email": email, "self": true}),
            false => json!({"email": email}),
        };
        let organizer = match calendar.primary {
            true => json!({"email": calendar.id, "self": true}),
            false => json!({"email": calendar.id, "displayName": calendar.summary, "self": true}),
        };
        let made = [
            ("kind", json!("calendar#event")),
            ("status", json!("confirmed")),
            (
                "htmlLink",
                json!(format!("https://www.google.com/calendar/event?eid={id}")),
            ),
            ("created", json!(stamp)),
            ("updated", json!(stamp)),
            ("creator", person(account)),
            ("organizer", organizer),
            ("iCalUID", json!(format!("{id}@google.com"))),
            ("sequence", json!(0)),
            ("eventType", json!("default")),
        ];
        for (key, value) in made {
            json.entry(key).or_insert(value);
        }
    }

    /// Tells guests and channels, and answers with the event.
    fn wrote(
        &self,
        state: &mut State,
        calendar: &str,
        id: &str,
        ask: &Ask,
        about: &'static str,
    ) -> Answer {
        let found = &state.calendars[calendar];
        let event = &found.events[id];
        if notifies(ask) {
            self.mail_guests(event, about);
        }
        let body = self.shown(found, event, false, &found.zone);
        let etag = event.text("etag").to_string();
        self.ping_channels(state, calendar);
        web::with(web::json(200, &body), "etag", &etag)
    }

    fn mail_guests(&self, event: &Event, about: &'static str) {
        let guests = event
            .json
            .get("attendees")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for guest in guests.filter(|guest| guest["self"] != true) {
            let to = guest["email"].as_str().unwrap_or("");
            self.world.mail(Service::Google, to, about, event.id());
        }
    }

    pub(super) fn insert(&self, ask: &Ask) -> Result<Answer, Answer> {
        self.warn(ask);
        let mut state = lock(&self.state);
        let state = &mut *state;
        let calendar = may_write(state, ask)?;
        let mut json = writable(&ask.body);
        let given = (ask.body["id"].as_str(), ask.body["iCalUID"].as_str());
        if given.0.is_some() && given.1.is_some() {
            self.world
                .violation("Google: events.insert with both id and iCalUID");
        }
        let id = match given.0 {
            Some(id) => id.to_string(),
            None => self.world.random(26, b"0123456789abcdefghijklmnopqrstuv"),
        };
        check_id(&id)?;
        let same_uid = given.1.and_then(|uid| calendar.uids.get(uid));
        let same_uid =
            same_uid.is_some_and(|ids| ids.iter().any(|id| !calendar.events[id].cancelled()));
        if calendar.events.contains_key(&id) || same_uid {
            return Err(errors::error("duplicate"));
        }
        if let Some(uid) = given.1 {
            json.insert("iCalUID".into(), uid.into());
        }
        if matches!(
            json.get("eventType").and_then(Value::as_str),
            Some("birthday" | "fromGmail")
        ) {
            return Err(errors::saying(
                "eventTypeRestriction",
                "Event type cannot be created.",
            ));
        }
        json.insert("id".into(), id.clone().into());
        self.conference(ask, &mut json, None);
        self.finish_insert(state, ask, json, "invitation")
    }

    fn finish_insert(
        &self,
        state: &mut State,
        ask: &Ask,
        json: Json,
        about: &'static str,
    ) -> Result<Answer, Answer> {
        let calendar = may_write(state, ask)?;
        let mut json = calendar.normal(json)?;
        self.fresh(calendar, &ask.access.email, &mut json);
        rewrite(ask, &mut json);
        let name = calendar.id.clone();
        let id = calendar.store(self.world.next(), json).id().to_string();
        Ok(self.wrote(state, &name, &id, ask, about))
    }

    /// Upsert by `iCalUID`, silent.
    pub(super) fn import(&self, ask: &Ask) -> Result<Answer, Answer> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let calendar = may_write(state, ask)?;
        let uid = ask.body["iCalUID"].as_str().filter(|uid| !uid.is_empty());
        let uid = uid
            .ok_or_else(|| errors::saying("required", "Missing iCalUID."))?
            .to_string();
        if ask.body["eventType"]
            .as_str()
            .is_some_and(|kind| kind != "default")
        {
            return Err(errors::saying(
                "eventTypeRestriction",
                "Only default events can be imported.",
            ));
        }
        let mut json = writable(&ask.body);
        json.insert("iCalUID".into(), uid.clone().into());
        if let Some(organizer) = ask.body["organizer"]["email"].as_str() {
            let own = organizer == calendar.id || organizer == calendar.owner;
            let guest = ask.body["attendees"].as_array().into_iter().flatten();
            let mut guest = guest.filter_map(|guest| guest["email"].as_str());
            if !own && !guest.any(|email| email == calendar.owner) {
                return Err(errors::error("participantIsNeitherOrganizerNorAttendee"));
            }
            let mut value = json!({"email": organizer});
            if own {
                value["self"] = true.into();
            }
            json.insert("organizer".into(), value);
        }
        let known = calendar.uids.get(&uid).into_iter().flatten();
        let known = known
            .map(|id| &calendar.events[id])
            .find(|event| event.master().is_none());
        match known {
            Some(old) => {
                for key in ["id", "created", "sequence", "creator", "htmlLink"] {
                    let value = old.json.get(key).cloned().unwrap_or(Value::Null);
                    json.insert(key.into(), value);
                }
            }
            None => {
                let id = format!(
                    "_{}",
                    self.world.random(40, b"0123456789abcdefghijklmnopqrstuv")
                );
                json.insert("id".into(), id.into());
            }
        }
        self.conference(ask, &mut json, None);
        self.finish_insert(state, ask, json, "invitation")
    }

    /// `update` and `patch`, of an event, an exception or a generated instance.
    pub(super) fn change(&self, ask: &Ask) -> Result<Answer, Answer> {
        self.warn(ask);
        let mut state = lock(&self.state);
        let state = &mut *state;
        let calendar = may_write(state, ask)?;
        let id = &ask.path[1];
        let old = calendar
            .look_up(id)
            .ok_or_else(|| errors::error("notFound"))?;
        if bad_match(ask, &old) {
            return Err(errors::error("conditionNotMet"));
        }
        let json = self.changed(ask, calendar, &old)?;
        if json
            .get("status")
            .is_some_and(|status| status == "cancelled")
        {
            return self.cancel(state, ask, &old, true);
        }
        if old.cancelled()
            && ask.method == "events.patch"
            && json.get("status") != Some(&json!("confirmed"))
        {
            return Err(errors::error("deleted"));
        }
        let name = calendar.id.clone();
        let mut json = calendar.normal(json)?;
        rewrite(ask, &mut json);
        let about = if old.cancelled() {
            "invitation"
        } else {
            "update"
        };
        calendar.store(self.world.next(), json);
        Ok(self.wrote(state, &name, id, ask, about))
    }

    /// The event after the change, not yet checked as a whole.
    fn changed(&self, ask: &Ask, calendar: &Calendar, old: &Event) -> Result<Json, Answer> {
        let patch = ask.method == "events.patch";
        let mut given = writable(&ask.body);
        if let Some(kind) = given.get("eventType").and_then(Value::as_str)
            && kind != old.text("eventType")
        {
            return Err(errors::error("eventTypeRestriction"));
        }
        let stored = old
            .json
            .get("sequence")
            .and_then(Value::as_i64)
            .unwrap_or(0);
        if given
            .get("sequence")
            .and_then(Value::as_i64)
            .is_some_and(|n| n < stored)
        {
            return Err(errors::saying(
                "invalid",
                "Invalid sequence value. The specified sequence number is below the current sequence number of the resource.",
            ));
        }
        let versioned = ask.query.get("conferenceDataVersion") == Some("1");
        if !versioned {
            given.remove("conferenceData");
        }
        let mut json = old.json.clone();
        if !patch {
            let keep_conference = |key: &str| key == "conferenceData" && !versioned;
            json.retain(|key, _| {
                !super::resource::WRITABLE.contains(&key.as_str())
                    || keep_conference(key)
                    || ["eventType", "sequence", "originalStartTime"].contains(&key.as_str())
            });
            json.insert("status".into(), "confirmed".into());
        }
        merge(&mut json, &given);
        if old.master().is_some() {
            json.remove("recurrence");
            json.insert(
                "originalStartTime".into(),
                old.json["originalStartTime"].clone(),
            );
        }
        self.conference(ask, &mut json, Some(old));
        if old.is_guest_copy() && old.json.get("guestsCanModify") != Some(&json!(true)) {
            only_own(calendar, old, &json)?;
        }
        let weighty = WEIGHTY
            .iter()
            .any(|key| json.get(*key) != old.json.get(*key));
        if weighty && !given.contains_key("sequence") {
            json.insert("sequence".into(), (stored + 1).into());
        }
        let reminders = |json: &Json| {
            let mut json = json.clone();
            for key in ["reminders", "sequence", "updated", "etag"] {
                json.remove(key);
            }
            json
        };
        if reminders(&json) != reminders(&old.json) {
            json.insert("updated".into(), self.world.stamp().into());
        }
        Ok(json)
    }

    pub(super) fn delete(&self, ask: &Ask) -> Result<Answer, Answer> {
        self.warn(ask);
        let mut state = lock(&self.state);
        let state = &mut *state;
        let calendar = may_write(state, ask)?;
        let old = calendar
            .look_up(&ask.path[1])
            .ok_or_else(|| errors::error("notFound"))?;
        if old.cancelled() {
            return Err(errors::error("deleted"));
        }
        if bad_match(ask, &old) {
            return Err(errors::error("conditionNotMet"));
        }
        self.cancel(state, ask, &old, false)
    }

    fn cancel(
        &self,
        state: &mut State,
        ask: &Ask,
        old: &Event,
        shown: bool,
    ) -> Result<Answer, Answer> {
        let calendar = may_write(state, ask)?;
        let name = calendar.id.clone();
        calendar.cancel_event(old, &self.world.stamp(), || self.world.next());
        let answer = self.wrote(state, &name, old.id(), ask, "cancellation");
        Ok(if shown { answer } else { web::empty(204) })
    }

    pub(super) fn move_event(&self, ask: &Ask) -> Result<Answer, Answer> {
        self.warn(ask);
        let mut state = lock(&self.state);
        let state = &mut *state;
        let target = ask
            .query
            .get("destination")
            .ok_or_else(|| errors::error("required"))?;
        let target = State::resolve(target, &ask.access.email).to_string();
        if !state
            .find(&target, &ask.access.email)?
            .may_write(&ask.access.email)
        {
            return Err(errors::error("requiredAccessLevel"));
        }
        let calendar = may_write(state, ask)?;
        let name = calendar.id.clone();
        let old = calendar
            .events
            .get(&ask.path[1])
            .filter(|event| !event.cancelled())
            .cloned();
        let old = old.ok_or_else(|| errors::error("notFound"))?;
        if old.text("eventType") != "default" || old.master().is_some() {
            return Err(errors::saying(
                "eventTypeRestriction",
                "This event cannot be moved.",
            ));
        }
        let exceptions: Vec<Event> = calendar.exceptions(old.id()).cloned().collect();
        calendar.cancel_event(&old, &self.world.stamp(), || self.world.next());
        let Some(calendar) = state.calendars.get_mut(&target) else {
            return Err(errors::error("notFound"));
        };
        for mut event in std::iter::once(old).chain(exceptions) {
            let organizer =
                json!({"email": calendar.id, "displayName": calendar.summary, "self": true});
            event.json.insert("organizer".into(), organizer);
            calendar.store(self.world.next(), event.json);
        }
        self.ping_channels(state, &name);
        Ok(self.wrote(state, &target, &ask.path[1], ask, "update"))
    }

    /// `conferenceData`: ignored without version 1; a create request makes a Meet, at once or a little later.
    fn conference(&self, ask: &Ask, json: &mut Json, old: Option<&Event>) {
        let stored = old.and_then(|old| old.json.get("conferenceData"));
        if ask.query.get("conferenceDataVersion") != Some("1") {
            match stored {
                Some(stored) => json.insert("conferenceData".into(), stored.clone()),
                None => json.remove("conferenceData"),
            };
            return;
        }
        let Some(request) = json
            .get("conferenceData")
            .map(|data| data["createRequest"].clone())
        else {
            json.remove("hangoutLink");
            return;
        };
        let id = request["requestId"].clone();
        if request.is_null()
            || stored.is_some_and(|stored| stored["createRequest"]["requestId"] == id)
        {
            if let Some(stored) = stored.filter(|_| !request.is_null()) {
                json.insert("conferenceData".into(), stored.clone());
            }
            return;
        }
        let status = match self.pends() {
            true => "pending",
            false => "success",
        };
        let request = json!({"requestId": id, "conferenceSolutionKey": {"type": "hangoutsMeet"}, "status": {"statusCode": status}});
        json.insert("conferenceData".into(), json!({"createRequest": request}));
        if status == "success" {
            complete(json, &self.world.random(10, b"abcdefghijklmnopqrstuvwxyz"));
        }
    }

    /// A conference that was pending is there the next time one looks.
    pub(super) fn finish_conference(&self, calendar: &mut Calendar, id: &str) {
        let Some(event) = calendar.events.get(id) else {
            return;
        };
        let data = event.json.get("conferenceData");
        if data.is_some_and(|data| data["createRequest"]["status"]["statusCode"] == "pending") {
            let mut json = event.json.clone();
            complete(
                &mut json,
                &self.world.random(10, b"abcdefghijklmnopqrstuvwxyz"),
            );
            calendar.store(self.world.next(), json);
        }
    }
}

fn complete(json: &mut Json, letters: &str) {
    let code = format!("{}-{}-{}", &letters[..3], &letters[3..7], &letters[7..]);
    let link = format!("https://meet.google.com/{code}");
    let data = &mut json["conferenceData"];
    data["createRequest"]["status"]["statusCode"] = "success".into();
    data["conferenceId"] = code.clone().into();
    data["conferenceSolution"] = json!({"key": {"type": "hangoutsMeet"}, "name": "Google Meet"});
    data["entryPoints"] = json!([{"entryPointType": "video", "uri": link, "label": link.trim_start_matches("https://")}]);
    json.insert("hangoutLink".into(), link.into());
}

/// A guest changes nothing that the organizer owns, and of the guests only itself.
fn only_own(calendar: &Calendar, old: &Event, new: &Json) -> Result<(), Answer> {
    let others = |json: &Json| -> Vec<Value> {
        let all = json
            .get("attendees")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        all.filter(|guest| guest["email"] != calendar.owner.as_str())
            .cloned()
            .collect()
    };
    let shared = SHARED.iter().any(|key| old.json.get(*key) != new.get(*key));
    match shared || others(&old.json) != others(new) {
        true => Err(errors::error("forbiddenForNonOrganizer")),
        false => Ok(()),
    }
}

/// The twist of a server that stores something else than was sent.
fn rewrite(ask: &Ask, json: &mut Json) {
    if ask.twist == Twist::Rewrite
        && let Some(text) = json.get("description").and_then(Value::as_str)
    {
        let text = text.replace("\r\n", "\n").trim_end().to_string();
        json.insert("description".into(), text.into());
    }
}

impl Calendar {
    /// Cancels an event, an instance or a series with everything that hangs on it.
    pub(super) fn cancel_event(&mut self, old: &Event, stamp: &str, next: impl Fn() -> u64) {
        let mut all = vec![old.clone()];
        if old.master().is_none() {
            all.extend(self.exceptions(old.id()).cloned());
        }
        for mut event in all {
            event.json.insert("status".into(), "cancelled".into());
            event.json.insert("updated".into(), stamp.into());
            self.store(next(), event.json);
        }
    }
}
