//! Calendars, the calendar list and settings (FACTS §2.1).

use super::super::web::{self, Answer, Params};
use super::super::world::{World, lock};
use super::list::Token;
use super::{Ask, Calendar, Google, Json, Listed, State, errors};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Calendar {
    pub(super) fn new(id: &str, owner: &str, summary: &str, zone: &str) -> Calendar {
        Calendar {
            id: id.to_string(),
            owner: owner.to_string(),
            summary: summary.to_string(),
            description: None,
            zone: zone.to_string(),
            primary: false,
            by_app: false,
            push: true,
            busy_error: None,
            roles: BTreeMap::from([(owner.to_string(), "owner".to_string())]),
            events: BTreeMap::new(),
            order: BTreeMap::new(),
            uids: Default::default(),
            epoch: 0,
        }
    }

    /// `calendars.get`.
    fn resource(&self) -> Value {
        let mut out = json!({
            "kind": "calendar#calendar",
            "etag": format!("\"{}\"", self.id.len() as u64 * 7919 + self.summary.len() as u64),
            "id": self.id, "summary": self.summary, "timeZone": self.zone,
            "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
        });
        if let Some(text) = &self.description {
            out["description"] = text.as_str().into();
        }
        if !self.primary {
            out["dataOwner"] = self.owner.as_str().into();
        }
        out
    }
}

/// An entry of the calendar list; booleans that are false are left out.
fn entry(calendar: &Calendar, account: &str, listed: &Listed) -> Value {
    let mut out = json!({
        "kind": "calendar#calendarListEntry",
        "etag": format!("\"{}\"", super::etag_number(listed.seq)),
        "id": calendar.id,
    });
    if listed.deleted {
        out["deleted"] = true.into();
        return out;
    }
    out["summary"] = calendar.summary.as_str().into();
    out["timeZone"] = calendar.zone.as_str().into();
    out["accessRole"] = calendar.role(account).into();
    out["colorId"] = "14".into();
    out["backgroundColor"] = "#9fe1e7".into();
    out["foregroundColor"] = "#000000".into();
    out["defaultReminders"] = json!([]);
    out["conferenceProperties"] = json!({"allowedConferenceSolutionTypes": ["hangoutsMeet"]});
    out["selected"] = true.into();
    if let Some(text) = &calendar.description {
        out["description"] = text.as_str().into();
    }
    if calendar.primary && calendar.owner == account {
        out["primary"] = true.into();
        out["defaultReminders"] = json!([{"method": "popup", "minutes": 10}]);
    } else if !calendar.primary {
        out["dataOwner"] = calendar.owner.as_str().into();
    }
    if listed.hidden {
        out["hidden"] = true.into();
    }
    for (key, value) in &listed.own {
        out[key] = value.clone();
    }
    out
}

/// Keys of a list entry that the account may set.
const OWN: &[&str] = &[
    "summaryOverride",
    "colorId",
    "backgroundColor",
    "foregroundColor",
    "defaultReminders",
    "notificationSettings",
    "selected",
];

impl State {
    /// Everybody who has the calendar in a list learns that it changed.
    pub(super) fn touch_lists(&mut self, world: &World, calendar: &str) {
        for ((_, id), listed) in &mut self.lists {
            if id == calendar {
                listed.seq = world.next();
            }
        }
    }

    pub(super) fn list_for(&mut self, world: &World, account: &str, calendar: &str) {
        let listed = Listed {
            own: Json::new(),
            seq: world.next(),
            deleted: false,
            hidden: false,
        };
        self.lists
            .insert((account.to_string(), calendar.to_string()), listed);
    }

    /// The calendar that an id means to an account; `primary` is its own.
    pub(super) fn resolve<'a>(id: &'a str, account: &'a str) -> &'a str {
        if id == "primary" { account } else { id }
    }

    pub(super) fn find(&mut self, id: &str, account: &str) -> Result<&mut Calendar, Answer> {
        let id = State::resolve(id, account);
        let calendar = self.calendars.get_mut(id);
        let calendar = calendar.filter(|calendar| calendar.role(account) != "none");
        calendar.ok_or_else(|| errors::error("notFound"))
    }
}

impl Google {
    pub(super) fn is_by_app(&self, id: &str, account: &str) -> bool {
        let state = lock(&self.state);
        let found = state.calendars.get(State::resolve(id, account));
        found.is_some_and(|calendar| calendar.by_app)
    }

    pub(super) fn calendar_list(&self, ask: &Ask) -> Result<Answer, Answer> {
        if ask.method == "calendarList.list" {
            return self.list_calendars(ask);
        }
        let account = ask.access.email.clone();
        let mut state = lock(&self.state);
        let state = &mut *state;
        let named = ask
            .path
            .first()
            .map(String::as_str)
            .or(ask.body["id"].as_str());
        let id =
            State::resolve(named.ok_or_else(|| errors::error("required"))?, &account).to_string();
        state.find(&id, &account)?;
        let key = (account.clone(), id.clone());
        if ask.method == "calendarList.insert" {
            state.list_for(&self.world, &account, &id);
        }
        let listed = state.lists.get_mut(&key).filter(|listed| !listed.deleted);
        let listed = listed.ok_or_else(|| errors::error("notFound"))?;
        if ask.method == "calendarList.delete" {
            listed.deleted = true;
            listed.seq = self.world.next();
            return Ok(web::empty(204));
        }
        if ask.method != "calendarList.get" {
            let given = ask.body.as_object().into_iter().flatten();
            let given = given.filter(|(key, _)| OWN.contains(&key.as_str()));
            listed
                .own
                .extend(given.map(|(key, value)| (key.clone(), value.clone())));
            listed.own.retain(|_, value| !value.is_null());
            listed.hidden = ask.body["hidden"].as_bool().unwrap_or(listed.hidden);
            listed.seq = self.world.next();
        }
        Ok(web::json(
            200,
            &entry(&state.calendars[&id], &account, listed),
        ))
    }

    fn list_calendars(&self, ask: &Ask) -> Result<Answer, Answer> {
        let account = &ask.access.email;
        let state = lock(&self.state);
        let since = self.list_since(&state, &ask.query)?;
        let min = ask.query.get("minAccessRole");
        let rank = |role: &str| {
            [
                "freeBusyReader",
                "reader",
                "writerWithoutPrivateAccess",
                "writer",
                "owner",
            ]
            .iter()
            .position(|r| *r == role)
        };
        let shown = |calendar: &Calendar, listed: &Listed| match since {
            Some(since) => listed.seq > since,
            None => {
                (!listed.deleted || ask.query.is_true("showDeleted"))
                    && (!listed.hidden || ask.query.is_true("showHidden"))
                    && min.is_none_or(|min| rank(calendar.role(account)) >= rank(min))
            }
        };
        let all = state.lists.iter().filter(|((who, _), _)| who == account);
        let all: Vec<Value> = all
            .filter_map(|((_, id), listed)| Some((state.calendars.get(id)?, listed)))
            .filter(|(calendar, listed)| shown(calendar, listed))
            .map(|(calendar, listed)| entry(calendar, account, listed))
            .collect();
        let size = ask
            .query
            .get("maxResults")
            .and_then(|n| n.parse().ok())
            .unwrap_or(100usize)
            .clamp(1, 250);
        let from = ask
            .query
            .get("pageToken")
            .map(|token| Token::read(token).map(|t| t.offset));
        let from = from
            .unwrap_or(Some(0))
            .ok_or_else(|| errors::saying("invalid", "Invalid page token value."))?;
        let seq = state
            .lists
            .values()
            .map(|listed| listed.seq)
            .max()
            .unwrap_or(0);
        let mut out = json!({"kind": "calendar#calendarList", "etag": format!("\"p{seq}\"")});
        let token = |offset| {
            Token {
                epoch: state.list_epoch,
                offset,
                snapshot: seq,
                ..Token::default()
            }
            .write()
        };
        if from + size < all.len() {
            out["nextPageToken"] = token(from + size).into();
        } else {
            out["nextSyncToken"] = token(0).into();
        }
        out["items"] = all.into_iter().skip(from).take(size).collect();
        Ok(web::json(200, &out))
    }

    fn list_since(&self, state: &State, query: &Params) -> Result<Option<u64>, Answer> {
        let Some(token) = query.get("syncToken") else {
            return Ok(None);
        };
        if query.get("minAccessRole").is_some() {
            return Err(errors::saying(
                "invalid",
                "minAccessRole cannot be used with a sync token.",
            ));
        }
        let token = Token::read(token)
            .ok_or_else(|| errors::saying("invalid", "Invalid sync token value."))?;
        match token.epoch == state.list_epoch {
            true => Ok(Some(token.snapshot)),
            false => Err(errors::error("fullSyncRequired")),
        }
    }

    pub(super) fn calendar(&self, ask: &Ask) -> Result<Answer, Answer> {
        let account = ask.access.email.clone();
        let mut state = lock(&self.state);
        let state = &mut *state;
        if ask.method == "calendars.insert" {
            return self.new_calendar(state, &account, &ask.body);
        }
        let id = State::resolve(&ask.path[0], &account).to_string();
        let calendar = state.find(&id, &account)?;
        if ask.method == "calendars.get" {
            return Ok(web::json(200, &calendar.resource()));
        }
        if calendar.role(&account) != "owner" {
            return Err(errors::error("requiredAccessLevel"));
        }
        if ask.method == "calendars.delete" {
            if calendar.primary {
                return Err(errors::saying(
                    "forbidden",
                    "Cannot delete primary calendars.",
                ));
            }
            self.remove_calendar(state, &id);
            return Ok(web::empty(204));
        }
        if let Some(text) = ask.body["summary"].as_str() {
            calendar.summary = text.to_string();
        }
        if let Some(text) = ask.body["timeZone"].as_str() {
            calendar.zone = text.to_string();
        }
        if let Some(text) = ask.body["description"].as_str() {
            calendar.description = Some(text.to_string());
        }
        let out = calendar.resource();
        state.touch_lists(&self.world, &id);
        Ok(web::json(200, &out))
    }

    fn new_calendar(
        &self,
        state: &mut State,
        account: &str,
        body: &Value,
    ) -> Result<Answer, Answer> {
        let summary = body["summary"].as_str().filter(|text| !text.is_empty());
        let summary = summary.ok_or_else(|| errors::saying("required", "Missing title."))?;
        let local = self.world.random(26, b"abcdefghijklmnopqrstuv0123456789");
        let id = format!("{local}@group.calendar.google.com");
        let zone = body["timeZone"].as_str().unwrap_or("UTC");
        let mut calendar = Calendar::new(&id, account, summary, zone);
        calendar.by_app = true;
        calendar.description = body["description"].as_str().map(str::to_string);
        let out = calendar.resource();
        state.calendars.insert(id.clone(), calendar);
        state.list_for(&self.world, account, &id);
        Ok(web::json(200, &out))
    }

    /// Everybody's list entries turn into tombstones.
    pub(super) fn remove_calendar(&self, state: &mut State, id: &str) {
        if let Some(calendar) = state.calendars.get_mut(id) {
            calendar.roles.clear();
            calendar.events.clear();
            calendar.order.clear();
        }
        for ((_, of), listed) in &mut state.lists {
            if of == id {
                listed.deleted = true;
                listed.seq = self.world.next();
            }
        }
    }

    pub(super) fn settings(&self, ask: &Ask) -> Result<Answer, Answer> {
        let mut state = lock(&self.state);
        let zone = state.find("primary", &ask.access.email)?.zone.clone();
        let all = [
            ("timezone", zone.as_str()),
            ("locale", "en"),
            ("weekStart", "1"),
            ("format24HourTime", "true"),
        ];
        let one = |(id, value): (&str, &str)| json!({"kind": "calendar#setting", "etag": "\"0\"", "id": id, "value": value});
        match ask.path.first() {
            None => Ok(web::json(
                200,
                &json!({
                    "kind": "calendar#settings", "etag": "\"0\"",
                    "items": all.map(one), "nextSyncToken": Token::default().write(),
                }),
            )),
            Some(id) => {
                let found = all.into_iter().find(|(name, _)| name == id);
                Ok(web::json(
                    200,
                    &one(found.ok_or_else(|| errors::error("notFound"))?),
                ))
            }
        }
    }
}
