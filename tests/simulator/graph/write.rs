//! Writing events: create, patch, delete, and the actions (FACTS §4.4).

use super::super::faults::Twist;
use super::super::web::{self, Answer};
use super::super::world::{Service, lock};
use super::ids::Id;
use super::render::Form;
use super::{Ask, Graph, Item, Json, Mailbox, Point, body, errors, series, zones};
use jiff::civil::{Date, DateTime};
use serde_json::{Value, json};

/// Properties that a client sets and that are kept as they are.
const PLAIN: &[&str] = &[
    "subject",
    "importance",
    "sensitivity",
    "showAs",
    "categories",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    "isAllDay",
    "responseRequested",
    "allowNewTimeProposals",
    "hideAttendees",
    "isOnlineMeeting",
    "onlineMeetingProvider",
];

/// Properties of which a client's value is ignored.
const READ_ONLY: &[&str] = &[
    "id",
    "iCalUId",
    "changeKey",
    "createdDateTime",
    "lastModifiedDateTime",
    "type",
    "seriesMasterId",
    "originalStart",
    "organizer",
    "isOrganizer",
    "responseStatus",
    "webLink",
    "bodyPreview",
    "hasAttachments",
    "isCancelled",
    "isDraft",
    "onlineMeeting",
    "onlineMeetingUrl",
    "originalStartTimeZone",
    "originalEndTimeZone",
    "cancelledOccurrences",
];

fn bad(what: &str) -> Answer {
    errors::saying(
        "ErrorPropertyValidationFailure",
        &format!("At least one property failed validation: {what}"),
    )
}

impl Graph {
    /// Reads a `dateTimeTimeZone`.
    fn point(&self, value: &Value, what: &str) -> Result<Point, Answer> {
        let text = value["dateTime"].as_str().ok_or_else(|| bad(what))?;
        if text.ends_with('Z') || text.get(19..).is_some_and(|rest| rest.contains(['+', '-'])) {
            self.world
                .violation(format!("Graph: {what}.dateTime with an offset: {text}"));
        }
        let local: DateTime = text.trim_end_matches('Z').parse().map_err(|_| bad(what))?;
        let zone = value["timeZone"].as_str().unwrap_or_else(|| {
            self.world
                .violation(format!("Graph: {what} without timeZone"));
            "UTC"
        });
        if zones::zone(zone).is_none() {
            return Err(errors::saying(
                "TimeZoneNotSupportedException",
                &format!(
                    "A valid TimeZone value must be specified. The following TimeZone value is not supported: '{zone}'."
                ),
            ));
        }
        Ok(Point {
            local,
            zone: zone.to_string(),
        })
    }

    /// Takes the properties of a body over; times and recurrence are elsewhere.
    fn take(&self, mailbox: &Mailbox, json: &mut Json, given: &Value) {
        for key in PLAIN {
            match given.get(*key) {
                Some(Value::Null) => drop(json.remove(*key)),
                Some(value) => drop(json.insert((*key).into(), value.clone())),
                None => {}
            }
        }
        if let Some(value) = given.get("body") {
            json.insert("body".into(), body::normal(value));
        }
        match (given.get("location"), given.get("locations")) {
            (Some(location), _) => {
                let location = location_of(location);
                let all = if location["displayName"] == "" {
                    json!([])
                } else {
                    json!([location])
                };
                json.insert("location".into(), location);
                json.insert("locations".into(), all);
            }
            (None, Some(Value::Array(all))) => {
                let all: Vec<Value> = all.iter().map(location_of).collect();
                let first = all
                    .first()
                    .cloned()
                    .unwrap_or_else(|| location_of(&Value::Null));
                json.insert("location".into(), first);
                json.insert("locations".into(), all.into());
            }
            _ => {}
        }
        if let Some(Value::Array(all)) = given.get("attendees") {
            let with_status = all.iter().map(|one| {
                let mut one = one.clone();
                if one["type"].is_null() {
                    one["type"] = "required".into();
                }
                if one["status"].is_null() {
                    one["status"] = json!({"response": "none", "time": "0001-01-01T00:00:00Z"});
                }
                one
            });
            json.insert("attendees".into(), with_status.collect());
        }
        extended(json, given);
        self.meeting(mailbox, json, given);
    }

    /// Teams meetings: work accounts only; cannot be turned off, but go when the body loses their link.
    fn meeting(&self, mailbox: &Mailbox, json: &mut Json, given: &Value) {
        let link = json
            .get("onlineMeeting")
            .and_then(|meeting| meeting["joinUrl"].as_str())
            .map(str::to_string);
        if let Some(link) = link {
            json.insert("isOnlineMeeting".into(), true.into());
            json.insert("onlineMeetingProvider".into(), "teamsForBusiness".into());
            let content = json
                .get("body")
                .and_then(|body| body["content"].as_str())
                .unwrap_or("");
            if given.get("body").is_some() && !content.contains(&link) {
                for key in ["onlineMeeting", "isOnlineMeeting", "onlineMeetingProvider"] {
                    json.remove(key);
                }
            }
            return;
        }
        let wanted = json.get("isOnlineMeeting") == Some(&json!(true));
        if !wanted || !mailbox.work {
            json.remove("isOnlineMeeting");
            json.remove("onlineMeetingProvider");
            return;
        }
        let link = format!(
            "https://teams.microsoft.com/l/meetup-join/{}",
            self.world.uuid()
        );
        json.insert("onlineMeetingProvider".into(), "teamsForBusiness".into());
        json.insert("onlineMeeting".into(), json!({"joinUrl": link}));
        body::with_meeting(json, &link);
    }

    fn check_event(&self, given: &Value) -> Result<(), Answer> {
        if !given.is_object() {
            return Err(errors::saying(
                "BadRequest",
                "Empty Payload. JSON content expected.",
            ));
        }
        self.check_body("event", given);
        for key in READ_ONLY.iter().filter(|key| given.get(**key).is_some()) {
            self.world
                .violation(format!("Graph: event.{key} is read-only"));
        }
        Ok(())
    }

    pub(super) fn create(&self, ask: &Ask, calendar: Option<u64>) -> Result<Answer, Answer> {
        let given = &ask.body;
        self.check_event(given)?;
        let mut state = lock(&self.state);
        let state = &mut *state;
        let mailbox = state.mailbox(ask.account())?;
        let calendar = calendar.unwrap_or_else(|| mailbox.default_calendar());
        if !mailbox.calendars[&calendar].can_edit {
            return Err(errors::error("ErrorAccessDenied"));
        }
        let transaction = given["transactionId"].as_str().map(str::to_string);
        if let Some(answer) = self.repeated(mailbox, ask, transaction.as_deref())? {
            return Ok(answer);
        }
        let start = self.point(&given["start"], "start")?;
        let end = self.point(&given["end"], "end")?;
        let key = self.world.next();
        let mut item = self.blank(key, calendar, start, end);
        item.transaction = transaction.clone();
        self.take(mailbox, &mut item.json, given);
        rewritten(ask, &mut item.json);
        check_times(item.is_all_day(), &item.start, &item.end)?;
        item.recurrence = series::normal(&given["recurrence"], &item.start)?;
        self.warn_recurrence(&given["recurrence"]);
        to_first(&mut item)?;
        mail(self, mailbox, &item, "invitation");
        mailbox.items.insert(key, item);
        mailbox.order.insert(key, key);
        if let Some(transaction) = transaction {
            mailbox.transactions.insert(transaction, key);
        }
        let answer = self.one_event(mailbox, ask, 201, key, None);
        self.notify(state, ask.account(), key, None, "created");
        Ok(answer)
    }

    /// A `transactionId` that was seen before.
    fn repeated(
        &self,
        mailbox: &Mailbox,
        ask: &Ask,
        transaction: Option<&str>,
    ) -> Result<Option<Answer>, Answer> {
        let known = transaction.and_then(|transaction| mailbox.transactions.get(transaction));
        let known = known.filter(|key| mailbox.items.get(key).is_some_and(|item| !item.gone));
        match known {
            Some(_) if mailbox.strict_transactions => {
                Err(errors::error("ErrorDuplicateTransactionId"))
            }
            Some(key) => Ok(Some(self.one_event(mailbox, ask, 201, *key, None))),
            None => Ok(None),
        }
    }

    pub(super) fn blank(&self, key: u64, calendar: u64, start: Point, end: Point) -> Item {
        let now = self.world.now();
        Item {
            key,
            calendar,
            json: Json::new(),
            start,
            end,
            recurrence: None,
            exceptions: Default::default(),
            cancelled: Default::default(),
            gone: false,
            created: now,
            modified: now,
            seq: key,
            uid: format!(
                "040000008200E00074C5B7101A82E008{:032X}",
                u128::from(key) * 0x1_0000_01B3
            ),
            organizer: None,
            transaction: None,
            expanded: Default::default(),
        }
    }

    fn warn_recurrence(&self, given: &Value) {
        if given["pattern"]["type"] == "weekly" && given["pattern"]["firstDayOfWeek"].is_null() {
            self.world
                .violation("Graph: weekly pattern without firstDayOfWeek");
        }
    }

    pub(super) fn one_event(
        &self,
        mailbox: &Mailbox,
        ask: &Ask,
        status: u16,
        key: u64,
        date: Option<Date>,
    ) -> Answer {
        let item = &mailbox.items[&key];
        let one = date.and_then(|date| item.occurrence(date));
        let mut out = mailbox.shown(item, one.as_ref(), &Form::of(ask));
        out["@odata.context"] = self.context("events/$entity").into();
        let etag = item.etag(date);
        web::with(self.preferred(ask, web::json(status, &out)), "etag", &etag)
    }

    /// The event that an id names, if the caller may change it now.
    fn target(&self, mailbox: &Mailbox, ask: &Ask, id: &str) -> Result<Id, Answer> {
        let (item, one) = mailbox.find(id)?;
        let date = one.map(|one| one.date);
        if !mailbox
            .calendars
            .get(&item.calendar)
            .is_some_and(|calendar| calendar.can_edit)
        {
            return Err(errors::error("ErrorAccessDenied"));
        }
        let stale = |tag: &str| tag != "*" && tag != item.etag(date);
        if ask.call.header("if-match").is_some_and(stale) {
            return Err(errors::error("ErrorIrresolvableConflict"));
        }
        Ok(Id {
            key: item.key,
            date,
        })
    }

    pub(super) fn patch(&self, ask: &Ask, id: &str) -> Result<Answer, Answer> {
        self.check_event(&ask.body)?;
        let mut state = lock(&self.state);
        let state = &mut *state;
        let mailbox = state.mailbox(ask.account())?;
        let target = self.target(mailbox, ask, id)?;
        let mut item = mailbox.items[&target.key].clone();
        if item.organizer.is_some() && changes_shared(&ask.body) {
            return Err(errors::saying(
                "ErrorAccessDenied",
                "Only the organizer can change the meeting.",
            ));
        }
        if ask
            .body
            .get("transactionId")
            .is_some_and(|id| *id != json!(item.transaction))
        {
            self.world
                .violation("Graph: transactionId is set on creation only");
        }
        let seq = self.world.next();
        match target.date {
            Some(date) => self.patch_occurrence(mailbox, &mut item, date, &ask.body, seq)?,
            None => self.patch_whole(mailbox, &mut item, &ask.body)?,
        }
        if target.date.is_none() {
            rewritten(ask, &mut item.json);
        }
        mail(self, mailbox, &item, "update");
        mailbox.items.insert(target.key, item);
        mailbox.touch(target.key, seq, self.world.now());
        let answer = self.one_event(mailbox, ask, 200, target.key, target.date);
        self.notify(state, ask.account(), target.key, target.date, "updated");
        Ok(answer)
    }

    pub(super) fn patch_whole(
        &self,
        mailbox: &Mailbox,
        item: &mut Item,
        given: &Value,
    ) -> Result<(), Answer> {
        self.take(mailbox, &mut item.json, given);
        let before = item.start.local.date();
        if let Some(value) = given.get("start") {
            item.start = self.point(value, "start")?;
        }
        if let Some(value) = given.get("end") {
            item.end = self.point(value, "end")?;
        }
        check_times(item.is_all_day(), &item.start, &item.end)?;
        let moved = item.start.local.date() != before;
        let new = match given.get("recurrence") {
            Some(value) => {
                self.warn_recurrence(value);
                series::normal(value, &item.start)?
            }
            None => item.recurrence.clone().map(|mut recurrence| {
                recurrence["range"]["startDate"] = item.start.local.date().to_string().into();
                recurrence
            }),
        };
        if new != item.recurrence || (moved && new.is_some()) {
            item.exceptions.clear();
            item.cancelled.clear();
        }
        item.recurrence = new;
        to_first(item)
    }

    pub(super) fn patch_occurrence(
        &self,
        mailbox: &Mailbox,
        item: &mut Item,
        date: Date,
        given: &Value,
        seq: u64,
    ) -> Result<(), Answer> {
        if given
            .get("recurrence")
            .is_some_and(|value| !value.is_null())
        {
            return Err(bad("Recurrence of an occurrence"));
        }
        let Some(now) = item.occurrence(date) else {
            return Err(errors::error("ErrorItemNotFound"));
        };
        let start = given
            .get("start")
            .map(|value| self.point(value, "start"))
            .transpose()?;
        let end = given
            .get("end")
            .map(|value| self.point(value, "end"))
            .transpose()?;
        let moved = start.is_some() || end.is_some();
        let times = (start.unwrap_or(now.start), end.unwrap_or(now.end));
        let own = given["isAllDay"].as_bool();
        let known = item
            .exceptions
            .get(&date)
            .and_then(|exception| exception.json.get("isAllDay")?.as_bool());
        check_times(
            own.or(known).unwrap_or(item.is_all_day()),
            &times.0,
            &times.1,
        )?;
        if moved && !item.stays_between(date, &times.0) {
            return Err(errors::error("ErrorOccurrenceCrossingBoundary"));
        }
        let modified = self.world.now();
        let exception = item.exception(date);
        self.take(mailbox, &mut exception.json, given);
        if moved {
            exception.times = Some(times);
        }
        (exception.seq, exception.modified) = (seq, modified);
        Ok(())
    }

    pub(super) fn delete(&self, ask: &Ask, id: &str) -> Result<Answer, Answer> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let mailbox = state.mailbox(ask.account())?;
        let target = self.target(mailbox, ask, id)?;
        mail(self, mailbox, &mailbox.items[&target.key], "cancellation");
        let seq = self.world.next();
        mailbox.remove(target, seq, self.world.now());
        self.notify(state, ask.account(), target.key, target.date, "deleted");
        Ok(web::empty(204))
    }

    pub(super) fn act(&self, ask: &Ask, id: &str, action: &str) -> Result<Answer, Answer> {
        let mut state = lock(&self.state);
        let state = &mut *state;
        let mailbox = state.mailbox(ask.account())?;
        let target = self.target(mailbox, ask, id)?;
        let item = mailbox.items[&target.key].clone();
        let response = match action {
            "accept" => "accepted",
            "tentativelyAccept" => "tentativelyAccepted",
            "decline" => "declined",
            "cancel" if item.organizer.is_none() => {
                mail(self, mailbox, &item, "cancellation");
                mailbox.remove(target, self.world.next(), self.world.now());
                self.notify(state, ask.account(), target.key, target.date, "deleted");
                return Ok(web::empty(202));
            }
            "dismissReminder" | "snoozeReminder" => return Ok(web::empty(200)),
            _ => return Err(errors::error("ErrorInvalidRequest")),
        };
        let Some(organizer) = &item.organizer else {
            return Err(errors::saying(
                "ErrorInvalidRequest",
                "Your request can't be completed. You can't respond to this meeting because you're the meeting organizer.",
            ));
        };
        if ask.body["SendResponse"]
            .as_bool()
            .or(ask.body["sendResponse"].as_bool())
            .unwrap_or(true)
        {
            self.world
                .mail(Service::Graph, organizer, "response", &item.uid);
        }
        let seq = self.world.next();
        if response == "declined" {
            mailbox.remove(target, seq, self.world.now());
        } else if let Some(item) = mailbox.items.get_mut(&target.key) {
            let status =
                json!({"response": response, "time": super::render::instant(self.world.now())});
            let json = match target.date {
                Some(date) => &mut item.exception(date).json,
                None => &mut item.json,
            };
            json.insert("responseStatus".into(), status);
            mailbox.touch(target.key, seq, self.world.now());
        }
        self.notify(state, ask.account(), target.key, target.date, "updated");
        Ok(web::empty(202))
    }
}

impl Mailbox {
    /// Deletes an event, a series or one occurrence.
    pub(super) fn remove(&mut self, target: Id, seq: u64, now: i64) {
        if let Some(item) = self.items.get_mut(&target.key) {
            match target.date {
                Some(date) => {
                    item.exceptions.remove(&date);
                    item.cancelled.insert(date);
                }
                None => item.gone = true,
            }
        }
        self.touch(target.key, seq, now);
    }
}

/// Mails the guests of the organizer's event: Graph always does.
fn mail(graph: &Graph, mailbox: &Mailbox, item: &Item, about: &'static str) {
    if item.organizer.is_some() {
        return;
    }
    let exceptions = item.exceptions.values().map(|exception| &exception.json);
    let lists = std::iter::once(&item.json).chain(exceptions);
    for one in lists
        .filter_map(|json| json.get("attendees")?.as_array())
        .flatten()
    {
        let to = one["emailAddress"]["address"].as_str().unwrap_or("");
        if to != mailbox.email {
            graph.world.mail(Service::Graph, to, about, &item.uid);
        }
    }
}

/// What a guest may not change.
fn changes_shared(given: &Value) -> bool {
    let shared = [
        "subject",
        "body",
        "start",
        "end",
        "location",
        "locations",
        "recurrence",
        "attendees",
        "isAllDay",
        "isOnlineMeeting",
    ];
    shared.iter().any(|key| given.get(*key).is_some())
}

pub(super) fn check_times(all_day: bool, start: &Point, end: &Point) -> Result<(), Answer> {
    if end.instant() < start.instant() {
        return Err(errors::saying(
            "ErrorPropertyValidationFailure",
            "The meeting's end time is before its start time.",
        ));
    }
    let midnight = |point: &Point| point.local.time() == jiff::civil::Time::midnight();
    if all_day
        && !(midnight(start) && midnight(end) && start.zone == end.zone && end.local > start.local)
    {
        return Err(errors::saying(
            "ErrorPropertyValidationFailure",
            "The Event.Start and Event.End properties of an all-day event must be midnight in the same time zone, at least a day apart.",
        ));
    }
    Ok(())
}

/// A series whose start is not in its pattern begins with the first date that is.
fn to_first(item: &mut Item) -> Result<(), Answer> {
    if item.recurrence.is_none() {
        return Ok(());
    }
    let first = item
        .first_date()
        .ok_or_else(|| bad("the recurrence has no occurrence"))?;
    let days = first - item.start.local.date();
    item.start.local = item.start.local.saturating_add(days);
    item.end.local = item.end.local.saturating_add(days);
    if let Some(recurrence) = &mut item.recurrence {
        recurrence["range"]["startDate"] = first.to_string().into();
    }
    Ok(())
}

fn location_of(given: &Value) -> Value {
    let mut out = json!({"displayName": "", "locationType": "default", "uniqueIdType": "unknown", "address": {}, "coordinates": {}});
    for (key, value) in given.as_object().into_iter().flatten() {
        out[key] = value.clone();
    }
    if let Some(name) = out["displayName"].as_str().filter(|name| !name.is_empty()) {
        let name = name.to_string();
        out["uniqueId"] = name.into();
        out["uniqueIdType"] = "private".into();
    }
    out
}

/// Extended properties are set one by one; an empty value deletes.
fn extended(json: &mut Json, given: &Value) {
    let Some(Value::Array(given)) = given.get("singleValueExtendedProperties") else {
        return;
    };
    let stored = json.remove("singleValueExtendedProperties");
    let mut all: Vec<Value> = stored
        .and_then(|value| value.as_array().cloned())
        .unwrap_or_default();
    for one in given {
        all.retain(|old| old["id"] != one["id"]);
        if one["value"].as_str().is_some_and(|value| !value.is_empty()) {
            all.push(json!({"id": one["id"], "value": one["value"]}));
        }
    }
    json.insert("singleValueExtendedProperties".into(), all.into());
}

/// The twist of a server that stores something else than was sent.
fn rewritten(ask: &Ask, json: &mut Json) {
    if ask.twist == Twist::Rewrite
        && let Some(content) = json.get("body").and_then(|body| body["content"].as_str())
        && !content.is_empty()
    {
        let content = content.replace("<body>", "<body dir=\"ltr\">");
        json.insert(
            "body".into(),
            json!({"contentType": "html", "content": content}),
        );
    }
}
