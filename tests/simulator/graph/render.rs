//! Events as answers have them: properties, `$select`, `$expand`, times in the zone that was asked for.

use super::super::recur;
use super::series::Occurrence;
use super::{Ask, Graph, Item, Json, Mailbox, Point, body, ids::Id, zones};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// How an answer is wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Form {
    pub immutable: bool,
    zone: Option<String>,
    text: bool,
    select: Vec<String>,
    /// Ids of extended properties to show.
    extended: Vec<String>,
    exceptions: bool,
}

impl Form {
    pub(super) fn of(ask: &Ask) -> Form {
        let list = ask.query.get_any_case("$select").unwrap_or("");
        let expand = ask.query.get_any_case("$expand").unwrap_or("");
        let quoted = expand
            .split("id eq '")
            .skip(1)
            .filter_map(|rest| rest.split('\'').next());
        Form {
            immutable: ask.prefer.immutable,
            zone: ask.prefer.zone.clone(),
            text: ask.prefer.text,
            select: list
                .split(',')
                .filter(|key| !key.is_empty())
                .map(|key| key.trim().to_string())
                .collect(),
            extended: quoted.map(str::to_string).collect(),
            exceptions: expand
                .split(',')
                .any(|part| part.trim().starts_with("exceptionOccurrences")),
        }
    }

    /// For eyes that look into the state: immutable ids, UTC, text, exceptions.
    pub(super) fn everything() -> Form {
        Form {
            immutable: true,
            text: true,
            exceptions: true,
            ..Form::default()
        }
    }

    fn point(&self, point: &Point, all_day: bool) -> Value {
        let name = self.zone.as_deref().unwrap_or("UTC");
        let local = match all_day {
            true => point.local,
            false => recur::local(point.instant(), &zones::zone(name).unwrap_or(TimeZone::UTC)),
        };
        json!({"dateTime": local.strftime("%Y-%m-%dT%H:%M:%S.0000000").to_string(), "timeZone": name})
    }
}

pub(super) fn instant(unix: i64) -> String {
    let at = Timestamp::from_second(unix).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%S.0000000Z").to_string()
}

/// (property, what it is when nobody set it)
fn defaults() -> Json {
    let value = json!({
        "categories": [], "reminderMinutesBeforeStart": 15, "isReminderOn": true, "hasAttachments": false, "subject": "",
        "importance": "normal", "sensitivity": "normal", "isAllDay": false, "isCancelled": false, "responseRequested": true,
        "showAs": "busy", "onlineMeetingUrl": null, "isOnlineMeeting": false, "onlineMeetingProvider": "unknown",
        "allowNewTimeProposals": true, "isDraft": false, "hideAttendees": false, "onlineMeeting": null, "locations": [],
        "attendees": [], "location": {"displayName": "", "locationType": "default", "uniqueIdType": "unknown", "address": {}, "coordinates": {}},
        "body": {"contentType": "html", "content": ""},
    });
    value.as_object().cloned().unwrap_or_default()
}

impl Item {
    pub(super) fn is_all_day(&self) -> bool {
        self.json.get("isAllDay") == Some(&json!(true))
    }

    fn change(&self, date: Option<Date>) -> String {
        let exception = date.and_then(|date| self.exceptions.get(&date));
        let seq = exception.map_or(self.seq, |exception| exception.seq.max(self.seq));
        format!("qFpSyzSRtE{seq:08}A==")
    }
    pub(super) fn etag(&self, date: Option<Date>) -> String {
        format!("W/\"{}\"", self.change(date))
    }
    pub(super) fn id(&self, date: Option<Date>, immutable: bool) -> String {
        Id {
            key: self.key,
            date,
        }
        .write(immutable, self.calendar)
    }
}

impl Mailbox {
    /// A single event, a master, an occurrence or an exception.
    pub(super) fn shown(&self, item: &Item, at: Option<&Occurrence>, form: &Form) -> Value {
        let date = at.map(|one| one.date);
        let mut out = self.whole(item, at, form);
        if date.is_none() && item.is_series() {
            if form.select.iter().any(|key| key == "cancelledOccurrences") {
                let master = item.id(None, form.immutable);
                let all = item
                    .cancelled
                    .iter()
                    .map(|date| format!("OID.{master}.{date}"));
                out.insert("cancelledOccurrences".into(), all.collect());
            }
            if form.exceptions {
                let inner = Form {
                    exceptions: false,
                    ..form.clone()
                };
                let dates = item
                    .exceptions
                    .keys()
                    .filter_map(|date| item.occurrence(*date));
                let all = dates.map(|one| self.shown(item, Some(&one), &inner));
                out.insert("exceptionOccurrences".into(), all.collect());
            }
        }
        self.extended(item, date, form, &mut out);
        if !form.select.is_empty() {
            let kept = [
                "id",
                "@odata.etag",
                "exceptionOccurrences",
                "singleValueExtendedProperties",
            ];
            out.retain(|key, _| kept.contains(&key.as_str()) || form.select.contains(key));
        }
        Value::Object(out)
    }

    fn extended(&self, item: &Item, date: Option<Date>, form: &Form, out: &mut Json) {
        out.remove("singleValueExtendedProperties");
        let own = date
            .and_then(|date| item.exceptions.get(&date))
            .map(|exception| &exception.json);
        let lists = [own, Some(&item.json)].into_iter().flatten();
        let list = lists
            .filter_map(|json| json.get("singleValueExtendedProperties")?.as_array())
            .next();
        let wanted = |one: &&Value| {
            form.extended.iter().any(|id| {
                one["id"]
                    .as_str()
                    .is_some_and(|own| own.eq_ignore_ascii_case(id))
            })
        };
        let all: Vec<Value> = list.into_iter().flatten().filter(wanted).cloned().collect();
        if !all.is_empty() {
            out.insert("singleValueExtendedProperties".into(), all.into());
        }
    }

    fn whole(&self, item: &Item, at: Option<&Occurrence>, form: &Form) -> Json {
        let date = at.map(|one| one.date);
        let exception = date.and_then(|date| item.exceptions.get(&date));
        let mut out = defaults();
        out.extend(item.json.clone());
        out.extend(
            exception
                .map(|exception| exception.json.clone())
                .unwrap_or_default(),
        );
        let all_day = out.get("isAllDay") == Some(&json!(true));
        let (start, end) = at.map_or((&item.start, &item.end), |one| (&one.start, &one.end));
        let stored = out.get("body").cloned().unwrap_or(Value::Null);
        let organizer = item.organizer.clone().unwrap_or_else(|| self.email.clone());
        let own = item.organizer.is_none();
        let kind = match (date.is_some(), exception.is_some(), item.is_series()) {
            (true, true, _) => "exception",
            (true, false, _) => "occurrence",
            (false, _, true) => "seriesMaster",
            _ => "singleInstance",
        };
        let modified = exception.map_or(item.modified, |exception| {
            exception.modified.max(item.modified)
        });
        let uid = match date {
            Some(date) => format!("{}{}", item.uid, date.strftime("%Y%m%d")),
            None => item.uid.clone(),
        };
        let id = item.id(date, form.immutable);
        let mut set = |key: &str, value: Value| drop(out.insert(key.into(), value));
        set("@odata.etag", item.etag(date).into());
        set("changeKey", item.change(date).into());
        set(
            "webLink",
            format!("https://outlook.office365.com/owa/?itemid={id}").into(),
        );
        set("id", id.into());
        set("createdDateTime", instant(item.created).into());
        set("lastModifiedDateTime", instant(modified).into());
        set("transactionId", json!(item.transaction));
        set("iCalUId", uid.into());
        set("type", kind.into());
        set("body", body::shown(&stored, form.text));
        set("bodyPreview", body::preview(&stored).into());
        set("start", form.point(start, all_day));
        set("end", form.point(end, all_day));
        for (key, point) in [
            ("originalStartTimeZone", start),
            ("originalEndTimeZone", end),
        ] {
            if item.json.get(key).is_none() {
                set(key, zones::windows(&point.zone).into());
            }
        }
        set("isOrganizer", own.into());
        set(
            "organizer",
            json!({"emailAddress": {"name": organizer.split('@').next(), "address": organizer}}),
        );
        if item.json.get("responseStatus").is_none() {
            let response = if own { "organizer" } else { "notResponded" };
            set(
                "responseStatus",
                json!({"response": response, "time": "0001-01-01T00:00:00Z"}),
            );
        }
        set(
            "seriesMasterId",
            date.map_or(Value::Null, |_| item.id(None, form.immutable).into()),
        );
        set(
            "recurrence",
            if date.is_some() {
                Value::Null
            } else {
                json!(item.recurrence)
            },
        );
        if let Some(date) = date {
            set("originalStart", instant(item.original(date)).into());
            set(
                "occurrenceId",
                format!("OID.{}.{date}", item.id(None, form.immutable)).into(),
            );
        }
        out
    }

    /// All that delta tells of an occurrence.
    pub(super) fn stub(&self, item: &Item, at: &Occurrence, form: &Form) -> Value {
        json!({
            "@odata.etag": item.etag(Some(at.date)),
            "id": item.id(Some(at.date), form.immutable),
            "type": "occurrence",
            "seriesMasterId": item.id(None, form.immutable),
            "start": form.point(&at.start, item.is_all_day()),
            "end": form.point(&at.end, item.is_all_day()),
        })
    }
}

impl Graph {
    pub(super) fn context(&self, what: &str) -> String {
        format!(
            "{}/graph/v1.0/$metadata#users('me')/{what}",
            self.world.origin()
        )
    }
}
