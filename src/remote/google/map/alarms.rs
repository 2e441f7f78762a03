//! VALARM (RFC 5545 §3.6.6) ↔ `reminders`. FACTS §2.3: at most five, `popup` or `email`, 0 to 40320 minutes before.
//!
//! `useDefault` is read as no alarm: the calendar's defaults are the account's, not the event's. No alarm is written as
//! an empty list, so that an event has there the reminders that it has here: none.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ledger::Ledger;
use crate::ical::query::alarm::{Alarm, Trigger};
use crate::ical::tree::Component;
use crate::ical::value::Duration;
use crate::ical::write::{content_line, text_line};
use crate::remote::google::wire::{self, Json};

const MOST: usize = 5;
/// Four weeks, in minutes.
const LONGEST: i64 = 40_320;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reminder {
    pub minutes: i64,
    pub method: Method,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    Popup,
    Email,
}

/// (theirs, ours)
const METHODS: [(Method, &str, &str); 2] = [
    (Method::Popup, "popup", "DISPLAY"),
    (Method::Email, "email", "EMAIL"),
];

impl Method {
    fn theirs(self) -> &'static str {
        METHODS[self as usize].1
    }

    fn ours(self) -> &'static str {
        METHODS[self as usize].2
    }
}

/// What a resource says. Methods that we do not know stay there, see [`json`].
pub fn of_json(doc: &Json) -> BTreeSet<Reminder> {
    overrides(doc).filter_map(reminder).collect()
}

fn overrides(doc: &Json) -> impl Iterator<Item = &Json> {
    wire::object(doc, "reminders")
        .into_iter()
        .flat_map(|reminders| wire::objects(reminders, "overrides"))
}

fn reminder(entry: &Json) -> Option<Reminder> {
    let method = wire::text(entry, "method");
    Some(Reminder {
        minutes: entry.get("minutes")?.as_i64()?,
        method: METHODS.iter().find(|(_, theirs, _)| *theirs == method)?.0,
    })
}

/// The `reminders` to write, with what `doc` has of methods that we do not know.
pub fn json(reminders: &BTreeSet<Reminder>, doc: &Json) -> Value {
    let ours = reminders
        .iter()
        .map(|r| json!({ "method": r.method.theirs(), "minutes": r.minutes }));
    let unknown = overrides(doc)
        .filter(|entry| reminder(entry).is_none())
        .map(|entry| Value::Object(entry.clone()));
    let all: Vec<Value> = ours.chain(unknown).take(MOST).collect();
    json!({ "useDefault": false, "overrides": all })
}

/// The alarms of a component as far as they can be said there.
pub fn of_component(event: Component<'_>, ledger: &mut Ledger) -> BTreeSet<Reminder> {
    let mut found = BTreeSet::new();
    for alarm in event.children_named("VALARM") {
        let Some(reminder) = of_alarm(alarm, ledger) else {
            continue;
        };
        if found.len() == MOST && !found.contains(&reminder) {
            ledger.add("VALARM", "Google keeps five reminders at most");
            continue;
        }
        found.insert(reminder);
    }
    found
}

fn of_alarm(valarm: Component<'_>, ledger: &mut Ledger) -> Option<Reminder> {
    let mut refuse = |what: &str| {
        ledger.add("VALARM", what);
        None
    };
    let action = valarm.property("ACTION").map(|p| p.value());
    let action = action.as_deref().unwrap_or("DISPLAY").trim();
    let known = METHODS
        .iter()
        .find(|row| row.2.eq_ignore_ascii_case(action));
    let Some((method, ..)) = known else {
        return refuse("Google reminds by pop-up and mail only");
    };
    let Some(alarm) = Alarm::read(valarm) else {
        return refuse("when it goes off can not be read");
    };
    let before = match alarm.trigger {
        Trigger::FromStart(seconds) => seconds.saturating_neg(),
        Trigger::FromEnd(_) => return refuse("Google reminds before the start only, not the end"),
        Trigger::At(_) => return refuse("Google has no reminders at a fixed time"),
    };
    if before < 0 {
        return refuse("Google has no reminders after the start");
    }
    if before > LONGEST * 60 {
        return refuse("Google reminds at most four weeks before");
    }
    if before % 60 != 0 {
        ledger.add("VALARM", "Google reminds on the minute");
    }
    if alarm.repeat > 0 {
        ledger.add("VALARM", "Google does not repeat a reminder");
    }
    if !is_plain(valarm) {
        ledger.add("VALARM", "Google keeps of a reminder its time and its kind");
    }
    Some(Reminder {
        minutes: before / 60,
        method: *method,
    })
}

/// Does it say no more than a reminder there can? Its words are the event's title, and a mail goes to the account.
fn is_plain(valarm: Component<'_>) -> bool {
    let title = valarm.parent().and_then(|event| event.property("SUMMARY"));
    let title = title.map(|p| p.text().trim().to_owned());
    valarm.properties().all(|property| {
        let name = property.name().to_ascii_uppercase();
        match name.as_str() {
            "ACTION" | "TRIGGER" | "REPEAT" | "DURATION" => true,
            "DESCRIPTION" | "SUMMARY" => {
                title.is_none() || title.as_deref() == Some(property.text().trim())
            }
            "ATTENDEE" => true,
            _ => false,
        }
    })
}

/// The VALARMs of these; `account` is whom a mail goes to.
pub fn print(reminders: &BTreeSet<Reminder>, summary: &str, account: &str, out: &mut String) {
    for reminder in reminders {
        out.push_str("BEGIN:VALARM\r\n");
        out.push_str(&content_line("ACTION", &[], reminder.method.ours()));
        let before = Duration {
            negative: reminder.minutes > 0,
            ..Duration::from_seconds(reminder.minutes.saturating_mul(60))
        };
        out.push_str(&content_line("TRIGGER", &[], &before.to_string()));
        let words = if summary.is_empty() {
            "Reminder"
        } else {
            summary
        };
        out.push_str(&text_line("DESCRIPTION", &[], words));
        if reminder.method == Method::Email {
            out.push_str(&text_line("SUMMARY", &[], words));
            if !account.is_empty() {
                out.push_str(&content_line("ATTENDEE", &[], &format!("mailto:{account}")));
            }
        }
        out.push_str("END:VALARM\r\n");
    }
}
