//! ATTENDEE and ORGANIZER (RFC 5545 §3.8.4.1, §3.8.4.3) ↔ `attendees` and `organizer`. FACTS §2.3, §2.4.
//!
//! Guests are written only when the link's owner asked for it. `attendees` is replaced whole, so each guest that is
//! there already keeps their object as it is; a list that is not whole (`attendeesOmitted`) is never written.

use serde_json::{Value, json};

use super::Fields;
use crate::ical::tree::Component;
use crate::ical::write::content_line;
use crate::remote::Refusal;
use crate::remote::google::wire::{self, Json};

/// A guest, as far as we say anything about them.
#[derive(Clone, Debug)]
pub struct Guest {
    /// In lower case.
    pub email: String,
    pub name: String,
    pub optional: bool,
    pub resource: bool,
    answer: &'static str,
}

/// Names, kinds and answers of guests who are there already are theirs.
impl PartialEq for Guest {
    fn eq(&self, other: &Guest) -> bool {
        (&self.email, self.optional) == (&other.email, other.optional)
    }
}

impl Eq for Guest {}

/// (theirs, PARTSTAT)
const ANSWERS: &[(&str, &str)] = &[
    ("needsAction", "NEEDS-ACTION"),
    ("accepted", "ACCEPTED"),
    ("declined", "DECLINED"),
    ("tentative", "TENTATIVE"),
];

/// Their name of a PARTSTAT.
pub fn answer(partstat: &str) -> Option<&'static str> {
    ANSWERS
        .iter()
        .find(|(_, ours)| ours.eq_ignore_ascii_case(partstat))
        .map(|row| row.0)
}

pub fn of_json(doc: &Json) -> Vec<Guest> {
    let mut guests: Vec<Guest> = wire::objects(doc, "attendees")
        .filter(|entry| !wire::text(entry, "email").is_empty())
        .map(|entry| Guest {
            email: wire::text(entry, "email").to_lowercase(),
            name: wire::text(entry, "displayName").to_owned(),
            optional: wire::flag(entry, "optional"),
            resource: wire::flag(entry, "resource"),
            answer: "needsAction",
        })
        .collect();
    tidy(&mut guests);
    guests
}

pub fn of_component(event: Component<'_>) -> Vec<Guest> {
    let guest = |property: crate::ical::property::Property<'_>| {
        let is = |name, value: &str| {
            property
                .param(name)
                .is_some_and(|param| param.eq_ignore_ascii_case(value))
        };
        let partstat = property.param("PARTSTAT").unwrap_or_default();
        Some(Guest {
            email: mail(&property.value())?.to_lowercase(),
            name: property.param("CN").unwrap_or_default().into_owned(),
            optional: is("ROLE", "OPT-PARTICIPANT"),
            resource: is("CUTYPE", "RESOURCE") || is("CUTYPE", "ROOM"),
            answer: answer(&partstat).unwrap_or("needsAction"),
        })
    };
    let mut guests: Vec<Guest> = event
        .properties_named("ATTENDEE")
        .filter_map(guest)
        .collect();
    tidy(&mut guests);
    guests
}

fn tidy(guests: &mut Vec<Guest>) {
    guests.sort_by(|a, b| a.email.cmp(&b.email));
    guests.dedup_by(|a, b| a.email == b.email);
}

/// The address of a `mailto:`.
fn mail(value: &str) -> Option<&str> {
    let value = value.trim();
    let scheme = value.get(..7)?;
    let rest = value.get(7..)?;
    (scheme.eq_ignore_ascii_case("mailto:") && rest.contains('@')).then_some(rest)
}

/// The whole `attendees` to write, made from what is there.
///
/// # Errors
/// `guests` where the list that we were given is not whole.
pub fn json(guests: &[Guest], doc: &Json) -> Result<Value, Refusal> {
    whole(doc)?;
    let entry = |guest: &Guest| {
        let there = wire::objects(doc, "attendees")
            .find(|entry| wire::text(entry, "email").eq_ignore_ascii_case(&guest.email));
        let mut entry = there.cloned().unwrap_or_else(|| new(guest));
        if guest.optional != wire::flag(&entry, "optional") {
            entry.insert("optional".into(), json!(guest.optional));
        }
        Value::Object(entry)
    };
    Ok(guests.iter().map(entry).collect())
}

fn new(guest: &Guest) -> Json {
    let mut entry = Json::new();
    entry.insert("email".into(), json!(guest.email));
    entry.insert("responseStatus".into(), json!(guest.answer));
    if !guest.name.is_empty() {
        entry.insert("displayName".into(), json!(guest.name));
    }
    if guest.resource {
        entry.insert("resource".into(), json!(true));
    }
    entry
}

fn whole(doc: &Json) -> Result<(), Refusal> {
    if wire::flag(doc, "attendeesOmitted") {
        return Err(Refusal::new(
            "guests",
            "Google shows us only a part of this event's guests, so we can not write their list",
        ));
    }
    Ok(())
}

/// The `attendees` with our own answer changed; none when it is so already or we are not invited.
///
/// # Errors
/// As [`json`].
pub fn responded(doc: &Json, account: &str, partstat: &str) -> Result<Option<Value>, Refusal> {
    let Some(answer) = answer(partstat) else {
        return Ok(None);
    };
    let mut all = wire::list(doc, "attendees").to_vec();
    let own = all
        .iter_mut()
        .filter_map(Value::as_object_mut)
        .find(|entry| is_self(entry, account));
    match own {
        Some(entry) if wire::text(entry, "responseStatus") != answer => {
            entry.insert("responseStatus".into(), json!(answer));
        }
        _ => return Ok(None),
    }
    whole(doc)?;
    Ok(Some(Value::Array(all)))
}

fn is_self(entry: &Json, account: &str) -> bool {
    wire::flag(entry, "self")
        || (!account.is_empty() && wire::text(entry, "email").eq_ignore_ascii_case(account))
}

/// Has it guests besides the account?
pub fn has_guests(doc: &Json, account: &str) -> bool {
    wire::flag(doc, "attendeesOmitted")
        || wire::objects(doc, "attendees").any(|entry| !is_self(entry, account))
}

/// ORGANIZER and ATTENDEEs; nothing where nobody is invited, since an organiser alone makes a meeting of it.
pub fn print(doc: &Json, out: &mut String) {
    let mut invited = wire::objects(doc, "attendees")
        .filter(|entry| wire::text(entry, "email").contains('@'))
        .peekable();
    if invited.peek().is_none() {
        return;
    }
    if let Some(organizer) = wire::object(doc, "organizer") {
        let email = wire::text(organizer, "email");
        if email.contains('@') {
            let name = wire::text(organizer, "displayName");
            let cn = [("CN", name)];
            let params = if name.is_empty() { &cn[..0] } else { &cn[..] };
            out.push_str(&content_line(
                "ORGANIZER",
                params,
                &format!("mailto:{email}"),
            ));
        }
    }
    for entry in invited {
        print_guest(entry, out);
    }
}

fn print_guest(entry: &Json, out: &mut String) {
    let status = wire::text(entry, "responseStatus");
    let partstat = ANSWERS.iter().find(|(theirs, _)| *theirs == status);
    let extra = entry.get("additionalGuests").and_then(Value::as_i64);
    let extra = extra
        .filter(|count| *count > 0)
        .map(|count| count.to_string());
    let optional = |on, value| if on { value } else { "" };
    let params: Vec<(&str, &str)> = [
        (
            "CUTYPE",
            optional(wire::flag(entry, "resource"), "RESOURCE"),
        ),
        (
            "ROLE",
            optional(wire::flag(entry, "optional"), "OPT-PARTICIPANT"),
        ),
        ("PARTSTAT", partstat.map_or("NEEDS-ACTION", |row| row.1)),
        ("CN", wire::text(entry, "displayName")),
        ("X-NUM-GUESTS", extra.as_deref().unwrap_or_default()),
        ("X-RESPONSE-COMMENT", wire::text(entry, "comment")),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .collect();
    let address = format!("mailto:{}", wire::text(entry, "email"));
    out.push_str(&content_line("ATTENDEE", &params, &address));
}

/// Does one of the guest lists differ from the other?
pub fn differ(ours: &Fields, theirs: &Fields) -> bool {
    match (&ours.guests, &theirs.guests) {
        (Some(ours), Some(theirs)) => ours != theirs,
        (Some(ours), None) => !ours.is_empty(),
        (None, _) => false,
    }
}
