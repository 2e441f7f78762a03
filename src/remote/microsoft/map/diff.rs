//! What of a wanted event is not so yet: a PATCH with as few keys as it takes. Keys of others are never in it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::recurrence::Recurrence;
use super::super::wire::{self, Doc};
use super::super::zone::Wall;
use super::{body, extra, people, words};

/// Is the wanted value there already?
type Same = fn(wanted: &Value, there: &Value) -> bool;

/// By key: wanted is the value, there the whole event. `start`, `end` and `isAllDay` go together.
const KEYS: &[(&str, Same)] = &[
    ("subject", |wanted, there| {
        wanted.as_str().unwrap_or_default().trim() == wire::text(there, "subject").trim()
    }),
    ("body", |wanted, there| {
        let wanted = body::normal(wire::text(wanted, "content"));
        let has = body::plain(there);
        wanted == has || is_online(there) && body::own_part(&wanted) == body::own_part(&has)
    }),
    ("location", same_location),
    ("showAs", |wanted, there| {
        wanted.as_str() == Some(wire::text(there, "showAs"))
    }),
    ("sensitivity", |wanted, there| {
        let class = |word: &str| words::ours(words::SENSITIVITY, word);
        class(wanted.as_str().unwrap_or_default()) == class(or(there, "sensitivity", "normal"))
    }),
    ("importance", |wanted, there| {
        wanted.as_str() == Some(or(there, "importance", "normal"))
    }),
    ("categories", |wanted, there| {
        let set = |list: &Value| -> BTreeSet<String> {
            let names = list.as_array().into_iter().flatten();
            names
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect()
        };
        set(wanted) == set(&there["categories"])
    }),
    ("isReminderOn", |wanted, there| {
        wanted.as_bool() == Some(wire::flag(there, "isReminderOn").unwrap_or(false))
    }),
    ("reminderMinutesBeforeStart", |wanted, there| {
        wanted.as_i64() == wire::number(there, "reminderMinutesBeforeStart")
    }),
    ("recurrence", same_recurrence),
    ("isOnlineMeeting", |_, there| is_online(there)),
    ("onlineMeetingProvider", |_, there| is_online(there)),
    ("attendees", |wanted, there| {
        people::same(wanted, &there["attendees"])
    }),
    (extra::KEY, |wanted, there| {
        let ours = wanted.as_array().into_iter().flatten();
        let mut ours = ours.map(|one| (wire::text(one, "id"), wire::text(one, "value")));
        ours.all(|(id, value)| extra::get(there, id).unwrap_or_default() == value)
    }),
];

/// Keys that change when the event is.
const WHEN: [&str; 3] = ["start", "end", "isAllDay"];

/// Keys that guests of somebody else's event may change in their own copy.
pub const PRIVATE: &[&str] = &[
    "showAs",
    "categories",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    extra::KEY,
];

/// The keys to be sent.
pub fn diff(wanted: &Doc, there: &Value) -> Doc {
    let mut changes = Doc::new();
    if !same_times(wanted, there) {
        for key in WHEN {
            changes.extend(wanted.get(key).map(|value| (key.to_owned(), value.clone())));
        }
    }
    for (key, same) in KEYS {
        let Some(value) = wanted.get(*key) else {
            continue;
        };
        if !same(value, there) {
            changes.insert((*key).to_owned(), value.clone());
        }
    }
    if let Some(attendees) = changes.get_mut("attendees") {
        *attendees = people::keeping(attendees, &there["attendees"]);
    }
    changes
}

/// Does the body hold the way into a meeting?
pub fn is_online(there: &Value) -> bool {
    wire::flag(there, "isOnlineMeeting") == Some(true)
}

fn or<'a>(doc: &'a Value, key: &str, default: &'a str) -> &'a str {
    match wire::text(doc, key) {
        "" => default,
        text => text,
    }
}

fn same_location(wanted: &Value, there: &Value) -> bool {
    let name = |location: &Value| {
        body::normal(wire::text(location, "displayName"))
            .trim()
            .to_owned()
    };
    let has = there.get("location").unwrap_or(&Value::Null);
    let point = |location: &Value, key: &str| location["coordinates"][key].as_f64();
    let close = |key: &str| match (point(wanted, key), point(has, key)) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-6,
        (None, _) => true,
        _ => false,
    };
    name(wanted) == name(has) && close("latitude") && close("longitude")
}

fn same_recurrence(wanted: &Value, there: &Value) -> bool {
    let has = there.get("recurrence").unwrap_or(&Value::Null);
    match (wanted.is_null(), has.is_null()) {
        (true, true) => true,
        (false, false) => match (Recurrence::of_json(wanted), Recurrence::of_json(has)) {
            (Ok(wanted), Ok(has)) => wanted.same(&has),
            _ => false,
        },
        _ => false,
    }
}

fn same_times(wanted: &Doc, there: &Value) -> bool {
    let Some(all_day) = wanted.get("isAllDay").and_then(Value::as_bool) else {
        return true;
    };
    if all_day != wire::flag(there, "isAllDay").unwrap_or(false) {
        return false;
    }
    ["start", "end"].iter().all(|key| {
        let wanted = wanted.get(*key).unwrap_or(&Value::Null);
        moment(wanted, all_day) == moment(&there[*key], all_day)
    })
}

/// A day, or an instant: the zone that it is told in makes no difference.
fn moment(time: &Value, all_day: bool) -> Option<i64> {
    let at = wire::civil(wire::text(time, "dateTime"))?;
    if all_day {
        let day = at.date().to_datetime(jiff::civil::Time::midnight());
        return Some(Wall::utc().zone.to_instant(day));
    }
    let wall = Wall::named(wire::text(time, "timeZone")).unwrap_or_else(Wall::utc);
    Some(wall.zone.to_instant(at))
}
