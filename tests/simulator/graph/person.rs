//! What a person does in Outlook, and what tests look at.

use super::super::world::lock;
use super::ids::Id;
use super::render::Form;
use super::{Calendar, Graph, Mailbox, Point, ids};
use jiff::civil::DateTime;
use serde_json::{Value, json};

impl Graph {
    /// An account with its default calendar: the calendar's id. `zone` is a Windows or IANA name.
    pub fn account(&self, email: &str, zone: &str, work: bool) -> String {
        self.oauth
            .person(email, email.split('@').next().unwrap_or(email), work);
        let key = self.world.next();
        let mut state = lock(&self.state);
        let calendar = Calendar {
            key,
            name: "Calendar".to_string(),
            default: true,
            can_edit: true,
            owner: email.to_string(),
            change: key,
        };
        let mailbox = Mailbox {
            email: email.to_string(),
            work,
            zone: zone.to_string(),
            strict_transactions: false,
            calendars: [(key, calendar)].into(),
            items: Default::default(),
            order: Default::default(),
            transactions: Default::default(),
            epoch: 0,
            polite_reset: true,
        };
        let mailbox = state.mailboxes.entry(email.to_string()).or_insert(mailbox);
        ids::calendar(mailbox.default_calendar())
    }

    /// Another calendar: its id. One that cannot be edited is shared by somebody else.
    pub fn calendar_of(&self, email: &str, name: &str, can_edit: bool) -> Option<String> {
        let key = self.world.next();
        let mut state = lock(&self.state);
        let mailbox = state.mailboxes.get_mut(email)?;
        let owner = if can_edit {
            email
        } else {
            "somebody.else@contoso.test"
        };
        let calendar = Calendar {
            key,
            name: name.to_string(),
            default: false,
            can_edit,
            owner: owner.to_string(),
            change: key,
        };
        mailbox.calendars.insert(key, calendar);
        Some(ids::calendar(key))
    }

    pub fn delete_calendar(&self, email: &str, calendar: &str) {
        if let (Some(mailbox), Some(key)) = (
            lock(&self.state).mailboxes.get_mut(email),
            ids::read_calendar(calendar),
        ) {
            mailbox.calendars.remove(&key);
            mailbox.items.retain(|_, item| item.calendar != key);
            let left = &mailbox.items;
            mailbox.order.retain(|_, item| left.contains_key(item));
        }
    }
    /// All delta links of a mailbox are dead; `polite` tells it with 410 and `Location`.
    pub fn expire_delta(&self, email: &str, polite: bool) {
        self.with(email, |mailbox| {
            mailbox.epoch += 1;
            mailbox.polite_reset = polite;
        });
    }
    /// A repeated `transactionId` is refused instead of answered.
    pub fn strict_transactions(&self, email: &str, strict: bool) {
        self.with(email, |mailbox| mailbox.strict_transactions = strict);
    }
    /// So many other requests are under way (four are served at a time).
    pub fn hold(&self, requests: i64) {
        self.in_flight
            .store(requests, std::sync::atomic::Ordering::SeqCst);
    }
    pub fn accounts(&self) -> Vec<String> {
        lock(&self.state).mailboxes.keys().cloned().collect()
    }
    /// Calendars of an account: (id, name).
    pub fn calendars(&self, email: &str) -> Vec<(String, String)> {
        let state = lock(&self.state);
        let all = state
            .mailboxes
            .get(email)
            .into_iter()
            .flat_map(|mailbox| mailbox.calendars.values());
        all.map(|calendar| (ids::calendar(calendar.key), calendar.name.clone()))
            .collect()
    }

    fn with<T>(&self, email: &str, change: impl FnOnce(&mut Mailbox) -> T) -> Option<T> {
        lock(&self.state).mailboxes.get_mut(email).map(change)
    }

    /// Adds an event as its owner would, in the shape of a POST; `None` if it is not acceptable. Its immutable id.
    pub fn add(&self, email: &str, calendar: &str, body: Value) -> Option<String> {
        self.put(email, calendar, None, body)
    }
    /// An invitation from somebody else.
    pub fn invite(
        &self,
        email: &str,
        calendar: &str,
        organizer: &str,
        body: Value,
    ) -> Option<String> {
        self.put(email, calendar, Some(organizer), body)
    }

    fn put(
        &self,
        email: &str,
        calendar: &str,
        organizer: Option<&str>,
        body: Value,
    ) -> Option<String> {
        let calendar = ids::read_calendar(calendar)?;
        let key = self.world.next();
        let mut state = lock(&self.state);
        let mailbox = state.mailboxes.get_mut(email)?;
        let mut item = self.blank(key, calendar, point(&body["start"])?, point(&body["end"])?);
        item.organizer = organizer.map(str::to_string);
        for zone in ["originalStartTimeZone", "originalEndTimeZone"] {
            if let Some(name) = body[zone].as_str() {
                item.json.insert(zone.into(), name.into());
            }
        }
        self.patch_whole(mailbox, &mut item, &body).ok()?;
        mailbox.items.insert(key, item);
        mailbox.order.insert(key, key);
        self.notify(&mut state, email, key, None, "created");
        Some(Id { key, date: None }.write(true, calendar))
    }

    /// Changes an event or an occurrence in the shape of a PATCH; false if that cannot be.
    pub fn edit(&self, email: &str, id: &str, body: Value) -> bool {
        self.try_edit(email, id, &body).is_some()
    }

    fn try_edit(&self, email: &str, id: &str, body: &Value) -> Option<()> {
        let mut state = lock(&self.state);
        let mailbox = state.mailboxes.get_mut(email)?;
        let (item, one) = mailbox.find(id).ok()?;
        let (mut item, date) = (item.clone(), one.map(|one| one.date));
        let seq = self.world.next();
        match date {
            Some(date) => self
                .patch_occurrence(mailbox, &mut item, date, body, seq)
                .ok()?,
            None => self.patch_whole(mailbox, &mut item, body).ok()?,
        }
        let key = item.key;
        mailbox.items.insert(key, item);
        mailbox.touch(key, seq, self.world.now());
        self.notify(&mut state, email, key, date, "updated");
        Some(())
    }

    /// Deletes an event, a series or an occurrence.
    pub fn remove(&self, email: &str, id: &str) -> bool {
        let mut state = lock(&self.state);
        let Some(mailbox) = state.mailboxes.get_mut(email) else {
            return false;
        };
        let Ok((item, one)) = mailbox.find(id) else {
            return false;
        };
        let target = Id {
            key: item.key,
            date: one.map(|one| one.date),
        };
        mailbox.remove(target, self.world.next(), self.world.now());
        self.notify(&mut state, email, target.key, target.date, "deleted");
        true
    }

    /// The organizer called the meeting off: the guest's copy stays, marked.
    pub fn call_off(&self, email: &str, id: &str) -> bool {
        let mut state = lock(&self.state);
        let found = Id::read(id).zip(state.mailboxes.get_mut(email));
        let Some((id, mailbox)) = found else {
            return false;
        };
        let Some(item) = mailbox.items.get_mut(&id.key) else {
            return false;
        };
        item.json.insert("isCancelled".into(), true.into());
        item.json.insert("showAs".into(), "free".into());
        mailbox.touch(id.key, self.world.next(), self.world.now());
        self.notify(&mut state, email, id.key, None, "updated");
        true
    }

    /// All single events and masters of a calendar (or of all), whole, in UTC, bodies as text; a master carries its
    /// exceptions and cancelled dates, and extended properties are shown.
    pub fn events(&self, email: &str, calendar: Option<&str>) -> Vec<Value> {
        let state = lock(&self.state);
        let Some(mailbox) = state.mailboxes.get(email) else {
            return Vec::new();
        };
        let key = calendar.and_then(ids::read_calendar);
        let live = mailbox
            .items
            .values()
            .filter(|item| !item.gone && key.is_none_or(|key| item.calendar == key));
        let form = Form::everything();
        live.map(|item| {
            let mut out = mailbox.shown(item, None, &form);
            if let Some(all) = item.json.get("singleValueExtendedProperties") {
                out["singleValueExtendedProperties"] = all.clone();
            }
            if item.is_series() {
                out["cancelledOccurrences"] = item
                    .cancelled
                    .iter()
                    .map(|date| json!(date.to_string()))
                    .collect();
            }
            out
        })
        .collect()
    }

    pub fn event(&self, email: &str, id: &str) -> Option<Value> {
        let state = lock(&self.state);
        let mailbox = state.mailboxes.get(email)?;
        let (item, one) = mailbox.find(id).ok()?;
        let mut out = mailbox.shown(item, one.as_ref(), &Form::everything());
        if let Some(all) = item.json.get("singleValueExtendedProperties") {
            out["singleValueExtendedProperties"] = all.clone();
        }
        Some(out)
    }

    /// Single events, occurrences and exceptions between two instants.
    pub fn view_between(&self, email: &str, calendar: &str, min: i64, max: i64) -> Vec<Value> {
        let state = lock(&self.state);
        let Some(mailbox) = state.mailboxes.get(email) else {
            return Vec::new();
        };
        let all = mailbox.in_window(ids::read_calendar(calendar), min, max);
        let form = Form::everything();
        all.into_iter()
            .map(|(item, one)| mailbox.shown(item, one.as_ref(), &form))
            .collect()
    }
}

fn point(value: &Value) -> Option<Point> {
    let local: DateTime = value["dateTime"]
        .as_str()?
        .trim_end_matches('Z')
        .parse()
        .ok()?;
    Some(Point {
        local,
        zone: value["timeZone"].as_str().unwrap_or("UTC").to_string(),
    })
}
