//! Guests and organisers, both ways. FACTS §4.4 (`attendees`, `organizer`).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::wire;
use super::words;
use crate::ical::tree::{Component, Property};
use crate::ical::write::content_line;

/// Graph takes no more.
pub const MOST: usize = 500;

/// The mail address of a calendar address.
fn mail(property: Property<'_>) -> Option<String> {
    let value = property.value();
    let value = value.trim();
    let address = match value.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => &value[7..],
        _ => value,
    };
    address.contains('@').then(|| address.to_owned())
}

/// Our guests as Graph's attendees. The organiser is none of them there.
pub fn attendees(event: Component<'_>) -> Vec<Value> {
    let organizer = event.property("ORGANIZER").and_then(mail);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for property in event.properties_named("ATTENDEE") {
        let Some(address) = mail(property) else {
            continue;
        };
        let same = |other: &String| other.eq_ignore_ascii_case(&address);
        if organizer.as_ref().is_some_and(same) || !seen.insert(address.to_ascii_lowercase()) {
            continue;
        }
        let mut email = json!({ "address": address });
        if let Some(name) = property.param("CN") {
            email["name"] = json!(name);
        }
        found.push(json!({"emailAddress": email, "type": role(property)}));
    }
    found
}

fn role(guest: Property<'_>) -> &'static str {
    let is = |name: &str, values: &[&str]| {
        guest
            .param(name)
            .is_some_and(|value| values.iter().any(|known| value.eq_ignore_ascii_case(known)))
    };
    if is("CUTYPE", &["ROOM", "RESOURCE"]) {
        "resource"
    } else if is("ROLE", &["OPT-PARTICIPANT", "NON-PARTICIPANT"]) {
        "optional"
    } else {
        "required"
    }
}

fn address(person: &Value) -> String {
    wire::text(person, "emailAddress.address").to_ascii_lowercase()
}

/// Are these the same guests in the same roles?
pub fn same(ours: &Value, theirs: &Value) -> bool {
    let set = |list: &Value| -> BTreeSet<(String, String)> {
        let people = list.as_array().map_or(&[][..], |list| list);
        people
            .iter()
            .map(|person| (address(person), wire::text(person, "type").to_owned()))
            .collect()
    };
    set(ours) == set(theirs)
}

/// Our list with what Graph knows of the same people: their answers are not taken back.
pub fn keeping(ours: &Value, theirs: &Value) -> Value {
    let known = theirs.as_array().map_or(&[][..], |list| list);
    let ours = ours.as_array().map_or(&[][..], |list| list);
    let merged = ours.iter().map(|person| {
        let found = known.iter().find(|there| address(there) == address(person));
        let mut merged = found.cloned().unwrap_or_else(|| person.clone());
        merged["type"] = person["type"].clone();
        merged
    });
    Value::Array(merged.collect())
}

/// Has it guests besides the account itself?
pub fn has_guests(doc: &Value, account: &str) -> bool {
    let organizer = wire::text(doc, "organizer.emailAddress.address").to_ascii_lowercase();
    wire::list(doc, "attendees").iter().any(|person| {
        let address = address(person);
        !address.eq_ignore_ascii_case(account) && (address != organizer || address.is_empty())
    })
}

/// May we change what all guests see?
pub fn is_organizer(doc: &Value) -> bool {
    wire::flag(doc, "isOrganizer").unwrap_or(true)
}

/// ORGANIZER and ATTENDEE lines; none for an event that is nobody else's business.
pub fn lines(doc: &Value, account: &str) -> String {
    let guests = wire::list(doc, "attendees");
    if guests.is_empty() && is_organizer(doc) {
        return String::new();
    }
    let mut text = String::new();
    let organizer = wire::text(doc, "organizer.emailAddress.address");
    if !organizer.is_empty() {
        text += &line("ORGANIZER", &doc["organizer"], &[]);
    }
    for guest in guests {
        if wire::text(guest, "emailAddress.address").is_empty() {
            continue;
        }
        let mine = !account.is_empty() && address(guest).eq_ignore_ascii_case(account);
        let response = match wire::text(doc, "responseStatus.response") {
            own if mine && !own.is_empty() => own,
            _ => wire::text(guest, "status.response"),
        };
        let kind: &[(&str, &str)] = match wire::text(guest, "type") {
            "optional" => &[("ROLE", "OPT-PARTICIPANT")],
            "resource" => &[("CUTYPE", "RESOURCE"), ("ROLE", "NON-PARTICIPANT")],
            _ => &[],
        };
        let status = words::ours(words::RESPONSE, response).unwrap_or("NEEDS-ACTION");
        let mut params = kind.to_vec();
        if status != "NEEDS-ACTION" {
            params.push(("PARTSTAT", status));
        }
        text += &line("ATTENDEE", guest, &params);
    }
    text
}

fn line(name: &str, person: &Value, params: &[(&str, &str)]) -> String {
    let address = wire::text(person, "emailAddress.address");
    let cn = wire::text(person, "emailAddress.name");
    let mut all: Vec<(&str, &str)> = Vec::new();
    if !cn.is_empty() && cn != address {
        all.push(("CN", cn));
    }
    all.extend(params);
    content_line(name, &all, &format!("mailto:{address}"))
}
