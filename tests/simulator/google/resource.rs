//! The event resource: what is accepted, how it is stored, how times are written (FACTS §2.3).

use super::super::recur;
use super::super::web::Answer;
use super::{Calendar, Event, Json, errors};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// Keys that a client may set.
pub(super) const WRITABLE: &[&str] = &[
    "anyoneCanAddSelf",
    "attachments",
    "attendees",
    "attendeesOmitted",
    "birthdayProperties",
    "colorId",
    "conferenceData",
    "description",
    "end",
    "endTimeUnspecified",
    "eventLabelId",
    "eventType",
    "extendedProperties",
    "focusTimeProperties",
    "gadget",
    "guestsCanInviteOthers",
    "guestsCanModify",
    "guestsCanSeeOtherGuests",
    "location",
    "originalStartTime",
    "outOfOfficeProperties",
    "recurrence",
    "reminders",
    "sequence",
    "source",
    "start",
    "status",
    "summary",
    "transparency",
    "visibility",
    "workingLocationProperties",
];

/// Keys that only the organizer may change.
pub(super) const SHARED: &[&str] = &[
    "description",
    "end",
    "location",
    "recurrence",
    "start",
    "status",
    "summary",
    "visibility",
    "guestsCanModify",
    "guestsCanInviteOthers",
    "guestsCanSeeOtherGuests",
];

/// (key, default): a default is left out of answers.
const DEFAULTS: &[(&str, &str)] = &[("transparency", "opaque"), ("visibility", "default")];

const ENUMS: &[(&str, &[&str])] = &[
    ("status", &["confirmed", "tentative", "cancelled"]),
    ("transparency", &["opaque", "transparent"]),
    (
        "visibility",
        &["default", "public", "private", "confidential"],
    ),
    (
        "eventType",
        &[
            "default",
            "outOfOffice",
            "focusTime",
            "workingLocation",
            "birthday",
            "fromGmail",
        ],
    ),
];

/// A start or an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum When {
    Day(Date),
    Time { at: i64, zone: Option<String> },
}

impl When {
    pub(super) fn read(value: &Value, home: &str, which: &str) -> Result<When, Answer> {
        let invalid = || errors::saying("invalid", &format!("Invalid {which} time."));
        let named = value["timeZone"].as_str();
        match (value["date"].as_str(), value["dateTime"].as_str()) {
            (Some(date), None) => Ok(When::Day(date.parse().map_err(|_| invalid())?)),
            (None, Some(text)) => {
                let zone = recur::zone(named.unwrap_or(home)).ok_or_else(|| {
                    errors::saying(
                        "invalid",
                        &format!("Invalid time zone definition for {which} time."),
                    )
                })?;
                let at = match text.parse::<jiff::Timestamp>() {
                    Ok(at) => at.as_second(),
                    Err(_) if named.is_none() => {
                        return Err(errors::saying(
                            "required",
                            &format!("Missing time zone definition for {which} time."),
                        ));
                    }
                    Err(_) => recur::instant(text.parse().map_err(|_| invalid())?, &zone),
                };
                Ok(When::Time {
                    at,
                    zone: named.map(str::to_string),
                })
            }
            (None, None) => Err(errors::saying(
                "required",
                &format!("Missing {which} time."),
            )),
            _ => Err(invalid()),
        }
    }

    /// As stored: an offset of the calendar's zone, the event's own zone beside it.
    pub(super) fn write(&self, home: &str) -> Value {
        match self {
            When::Day(date) => json!({"date": date.to_string()}),
            When::Time { at, zone } => {
                let zone = zone.as_deref().unwrap_or(home);
                json!({"dateTime": offset_form(*at, home), "timeZone": zone})
            }
        }
    }

    /// The instant; a day begins at midnight in the calendar's zone.
    pub(super) fn instant(&self, home: &TimeZone) -> i64 {
        match self {
            When::Day(date) => recur::instant(date.at(0, 0, 0, 0), home),
            When::Time { at, .. } => *at,
        }
    }

    /// The end of an instance's id.
    pub(super) fn suffix(&self) -> String {
        match self {
            When::Day(date) => date.strftime("%Y%m%d").to_string(),
            When::Time { at, .. } => recur::local(*at, &TimeZone::UTC)
                .strftime("%Y%m%dT%H%M%SZ")
                .to_string(),
        }
    }
}

/// RFC 3339 with the offset of a zone, `Z` for UTC.
pub(super) fn offset_form(at: i64, zone: &str) -> String {
    let at = jiff::Timestamp::from_second(at).unwrap_or_default();
    let zone = recur::zone(zone).unwrap_or(TimeZone::UTC);
    let zoned = at.to_zoned(zone);
    match zoned.offset().seconds() {
        0 => zoned.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        _ => zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
    }
}

/// A JSON merge patch (RFC 7396): objects merge, arrays are replaced, null clears.
pub(super) fn merge(into: &mut Json, patch: &Json) {
    for (key, value) in patch {
        match (into.get_mut(key), value) {
            (_, Value::Null) => drop(into.remove(key)),
            (Some(Value::Object(inner)), Value::Object(value)) => merge(inner, value),
            _ => {
                let mut value = value.clone();
                if let Value::Object(inner) = &mut value {
                    inner.retain(|_, value| !value.is_null());
                }
                into.insert(key.clone(), value);
            }
        }
    }
}

/// The writable keys of a body.
pub(super) fn writable(body: &Value) -> Json {
    let all = body.as_object().into_iter().flatten();
    let kept = all.filter(|(key, _)| WRITABLE.contains(&key.as_str()));
    kept.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

impl Event {
    pub(super) fn start(&self, home: &str) -> Option<When> {
        When::read(self.json.get("start")?, home, "start").ok()
    }
    pub(super) fn end(&self, home: &str) -> Option<When> {
        When::read(self.json.get("end")?, home, "end").ok()
    }
    pub(super) fn original(&self, home: &str) -> Option<When> {
        When::read(self.json.get("originalStartTime")?, home, "original").ok()
    }
    /// Whether another person organizes it.
    pub(super) fn is_guest_copy(&self) -> bool {
        let organizer = self.json.get("organizer");
        organizer.is_some_and(|organizer| organizer["self"] != true)
    }
}

impl Calendar {
    /// Checks a whole event and brings it into the form in which it is stored.
    pub(super) fn normal(&self, mut json: Json) -> Result<Json, Answer> {
        for (key, members) in ENUMS {
            let fine = json
                .get(*key)
                .is_none_or(|v| v.as_str().is_some_and(|v| members.contains(&v)));
            if !fine {
                return Err(errors::saying(
                    "invalid",
                    &format!("Invalid value for: {key}"),
                ));
            }
        }
        self.times(&mut json)?;
        recurrence(&json, &self.zone)?;
        reminders(&mut json)?;
        self.attendees(&mut json);
        extended_properties(&mut json);
        for (key, default) in DEFAULTS {
            if json.get(*key).is_some_and(|value| value == default) {
                json.remove(*key);
            }
        }
        json.retain(|key, value| !value.is_null() && (value != "" || key == "etag"));
        Ok(json)
    }

    fn times(&self, json: &mut Json) -> Result<(), Answer> {
        let none = Value::Null;
        let start = When::read(json.get("start").unwrap_or(&none), &self.zone, "start")?;
        let end = When::read(json.get("end").unwrap_or(&none), &self.zone, "end")?;
        let empty = match (&start, &end) {
            (When::Day(from), When::Day(to)) => to <= from,
            (When::Time { at: from, .. }, When::Time { at: to, .. }) => to < from,
            _ => {
                return Err(errors::saying(
                    "invalid",
                    "Start and end times must either both be date or both be dateTime.",
                ));
            }
        };
        if empty {
            return Err(errors::error("timeRangeEmpty"));
        }
        if json.contains_key("recurrence") {
            for (when, which) in [(&start, "start"), (&end, "end")] {
                if matches!(when, When::Time { zone: None, .. }) {
                    return Err(errors::saying(
                        "required",
                        &format!("Missing time zone definition for {which} time."),
                    ));
                }
            }
        }
        json.insert("start".into(), start.write(&self.zone));
        json.insert("end".into(), end.write(&self.zone));
        Ok(())
    }

    fn attendees(&self, json: &mut Json) {
        let Some(Value::Array(all)) = json.get_mut("attendees") else {
            return;
        };
        for attendee in all.iter_mut().filter_map(Value::as_object_mut) {
            let email = attendee
                .get("email")
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_lowercase();
            attendee
                .entry("responseStatus")
                .or_insert("needsAction".into());
            attendee.remove("self");
            if email == self.owner {
                attendee.insert("self".into(), true.into());
            }
            attendee.insert("email".into(), email.into());
        }
        if all.is_empty() {
            json.remove("attendees");
        }
    }
}

/// The lines of a recurrence as texts.
pub(super) fn lines(json: &Json) -> Vec<String> {
    let lines = json
        .get("recurrence")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    lines
        .filter_map(|line| Some(line.as_str()?.to_string()))
        .collect()
}

fn recurrence(json: &Json, home: &str) -> Result<(), Answer> {
    if !json.contains_key("recurrence") {
        return Ok(());
    }
    let invalid = || errors::saying("invalid", "Invalid recurrence rule.");
    series(json, home).ok_or_else(invalid)?;
    Ok(())
}

/// The recurrence set of an event, with the zone in which it recurs.
pub(super) fn series(json: &Json, home: &str) -> Option<(recur::Set, TimeZone)> {
    let (start, zone) = match When::read(json.get("start")?, home, "start").ok()? {
        When::Day(date) => (date.at(0, 0, 0, 0), TimeZone::UTC),
        When::Time { at, zone } => {
            let zone = recur::zone(zone.as_deref().unwrap_or(home))?;
            (recur::local(at, &zone), zone)
        }
    };
    Some((recur::Set::parse(start, &zone, &lines(json)).ok()?, zone))
}

fn reminders(json: &mut Json) -> Result<(), Answer> {
    let given = json
        .entry("reminders")
        .or_insert_with(|| json!({"useDefault": true}));
    let overrides = given["overrides"].as_array().cloned().unwrap_or_default();
    if given["useDefault"] == true && !overrides.is_empty() {
        return Err(errors::saying(
            "cannotUseDefaultRemindersAndSpecifyOverride",
            "Cannot specify both default reminders and overrides at the same time.",
        ));
    }
    if overrides.len() > 5 {
        return Err(errors::saying("invalid", "Too many override reminders."));
    }
    for one in &overrides {
        let fine = matches!(one["method"].as_str(), Some("popup" | "email"))
            && one["minutes"]
                .as_i64()
                .is_some_and(|n| (0..=40_320).contains(&n));
        if !fine {
            return Err(errors::saying("invalid", "Invalid reminder."));
        }
    }
    let default = given["useDefault"].as_bool().unwrap_or(false);
    *given = json!({"useDefault": default});
    if !overrides.is_empty() {
        given["overrides"] = overrides.into();
    }
    Ok(())
}

/// Keys over 44 characters are dropped, values over 1024 cut: silently.
fn extended_properties(json: &mut Json) {
    let Some(Value::Object(halves)) = json.get_mut("extendedProperties") else {
        return;
    };
    for half in halves.values_mut().filter_map(Value::as_object_mut) {
        half.retain(|key, value| key.chars().count() <= 44 && value.is_string());
        for value in half.values_mut() {
            let text = value.as_str().unwrap_or("");
            if text.chars().count() > 1024 {
                *value = text.chars().take(1024).collect::<String>().into();
            }
        }
    }
    halves.retain(|_, half| half.as_object().is_some_and(|half| !half.is_empty()));
    if halves.is_empty() {
        json.remove("extendedProperties");
    }
}
