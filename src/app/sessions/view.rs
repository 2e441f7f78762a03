//! A VEVENT read as a session's fields. Total: what cannot be read is absent.

use super::fields::{
    Action, Answer, Attendee, Class, Client, Fields, Link, Reminder, Role, Status, Sync,
};
use super::times::{Times, span_of};
use crate::ical::session::{ASKS_CONFERENCE, CLIENT_TYPE, CONFERENCES, CONFIG_SCHEMA, STATUS};
use crate::ical::tree::{Component, Property};
use crate::ical::value::{Duration, When};

/// The properties that make up `recurrence`.
pub const RECURRENCE: [&str; 4] = ["RRULE", "RDATE", "EXDATE", "EXRULE"];
/// LINKREL where none is given.
const RELATED: &str = "related";

/// The fields of one VEVENT.
pub fn view(event: Component<'_>, times: &Times<'_>) -> Fields {
    let span = span_of(event);
    let text = |name: &str| {
        event
            .property(name)
            .map(|p| p.text().into_owned())
            .filter(|t| !t.is_empty())
    };
    let word = |name: &str| {
        event
            .property(name)
            .map(|p| p.value().trim().to_ascii_uppercase())
    };
    let (start, end) = span
        .as_ref()
        .map_or((None, None), |s| (Some(&s.start), Some(&s.end)));
    Fields {
        title: text("SUMMARY"),
        description: text("DESCRIPTION"),
        start: start.map(|when| times.print(when)),
        end: end.map(|when| times.print(when)),
        timezone: start.and_then(|when| times.zone_name(when)),
        all_day: start.is_some_and(When::is_date),
        location: text("LOCATION"),
        conference: conference(event),
        attendees: event.properties_named("ATTENDEE").map(attendee).collect(),
        reminders: event
            .children_named("VALARM")
            .filter_map(|alarm| reminder(alarm, event, times))
            .collect(),
        class: class(word("CLASS").as_deref()),
        transparent: word("TRANSP").as_deref() == Some("TRANSPARENT"),
        recurrence: event
            .properties()
            .filter(|p| is_recurrence(*p))
            .map(unfolded)
            .collect(),
        config: config_property(event).and_then(|p| serde_json::from_str(&p.text()).ok()),
        client: client_component(event).map(client),
        links: event.properties_named("LINK").filter_map(link).collect(),
        status: Status::from_properties(word("STATUS").as_deref(), word(STATUS).as_deref()),
        sync: Sync::All(false),
    }
}

/// The address to join at, or what was asked for and is not made yet.
fn conference(event: Component<'_>) -> Option<String> {
    if let Some(made) = event.property("CONFERENCE") {
        return Some(made.value().into_owned());
    }
    asked_conference(&event.property(ASKS_CONFERENCE)?.value()).map(str::to_ascii_lowercase)
}

/// The conference that a word asks for, as ASKS_CONFERENCE has it.
pub fn asked_conference(word: &str) -> Option<&'static str> {
    let word = word.trim();
    CONFERENCES
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(word))
}

/// Is this property part of `recurrence`?
pub fn is_recurrence(property: Property<'_>) -> bool {
    RECURRENCE.iter().any(|name| property.is(name))
}

/// A content line without its folds: name, parameters, value.
pub fn unfolded(property: Property<'_>) -> String {
    let mut line = property.name().to_ascii_uppercase();
    for param in property.params() {
        line.push(';');
        line.push_str(param.name());
        line.push('=');
        line.push_str(param.raw());
    }
    line.push(':');
    line.push_str(&property.value());
    line
}

/// The STRUCTURED-DATA that holds `config`.
pub fn config_property(event: Component<'_>) -> Option<Property<'_>> {
    event
        .properties_named("STRUCTURED-DATA")
        .find(|p| p.param("SCHEMA").as_deref() == Some(CONFIG_SCHEMA))
}

/// The PARTICIPANT that holds `client`.
pub fn client_component(event: Component<'_>) -> Option<Component<'_>> {
    event.children_named("PARTICIPANT").find(|part| {
        part.property("PARTICIPANT-TYPE")
            .is_some_and(|p| p.value().trim().eq_ignore_ascii_case(CLIENT_TYPE))
    })
}

fn client(part: Component<'_>) -> Client {
    let text = |name: &str| part.property(name).map(|p| p.text().into_owned());
    Client {
        name: text("SUMMARY"),
        email: part
            .property("CALENDAR-ADDRESS")
            .map(|p| address(&p.value())),
        phone: text("CONTACT"),
    }
}

/// A calendar user address as people write it: without `mailto:`.
pub fn address(uri: &str) -> String {
    let uri = uri.trim();
    match uri.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("mailto:") => uri[7..].to_string(),
        _ => uri.to_string(),
    }
}

/// The words of ROLE.
pub const ROLES: [(Role, &str); 4] = [
    (Role::Chair, "CHAIR"),
    (Role::Required, "REQ-PARTICIPANT"),
    (Role::Optional, "OPT-PARTICIPANT"),
    (Role::NonParticipant, "NON-PARTICIPANT"),
];

/// The words of PARTSTAT.
pub const ANSWERS: [(Answer, &str); 5] = [
    (Answer::NeedsAction, "NEEDS-ACTION"),
    (Answer::Accepted, "ACCEPTED"),
    (Answer::Declined, "DECLINED"),
    (Answer::Tentative, "TENTATIVE"),
    (Answer::Delegated, "DELEGATED"),
];

/// The words of CLASS.
pub const CLASSES: [(Class, &str); 3] = [
    (Class::Public, "PUBLIC"),
    (Class::Private, "PRIVATE"),
    (Class::Confidential, "CONFIDENTIAL"),
];

/// The words of ACTION.
pub const ACTIONS: [(Action, &str); 3] = [
    (Action::Display, "DISPLAY"),
    (Action::Email, "EMAIL"),
    (Action::Audio, "AUDIO"),
];

/// The value that a word stands for, or the default.
fn meaning<T: Copy + Default>(table: &[(T, &str)], word: Option<&str>) -> T {
    let row = word.and_then(|word| {
        table
            .iter()
            .find(|row| row.1.eq_ignore_ascii_case(word.trim()))
    });
    row.map_or_else(T::default, |row| row.0)
}

/// The word for a value.
pub fn word<T: Copy + PartialEq>(table: &[(T, &'static str)], value: T) -> &'static str {
    table
        .iter()
        .find(|row| row.0 == value)
        .map_or(table[0].1, |row| row.1)
}

/// RFC 5545 §3.8.1.3: a class that is not known is treated as PRIVATE.
fn class(word: Option<&str>) -> Class {
    match word {
        None => Class::Public,
        Some(word) => CLASSES
            .iter()
            .find(|row| row.1 == word)
            .map_or(Class::Private, |row| row.0),
    }
}

/// One ATTENDEE.
pub fn attendee(property: Property<'_>) -> Attendee {
    let param = |name: &str| property.param(name).map(|value| value.into_owned());
    Attendee {
        email: address(&property.value()),
        name: param("CN"),
        role: meaning(&ROLES, param("ROLE").as_deref()),
        status: meaning(&ANSWERS, param("PARTSTAT").as_deref()),
        rsvp: param("RSVP").is_some_and(|value| value.eq_ignore_ascii_case("TRUE")),
    }
}

/// One VALARM, if it goes off whole minutes before or after the start.
pub fn reminder(alarm: Component<'_>, event: Component<'_>, times: &Times<'_>) -> Option<Reminder> {
    let action = alarm
        .property("ACTION")?
        .value()
        .trim()
        .to_ascii_uppercase();
    let action = ACTIONS.iter().find(|row| row.1 == action)?.0;
    let trigger = alarm.property("TRIGGER")?;
    let span = span_of(event)?;
    let seconds = match Duration::of(trigger) {
        Ok(offset) => {
            let from_end = trigger
                .param("RELATED")
                .is_some_and(|r| r.eq_ignore_ascii_case("END"));
            let length = times.instant(&span.end) - times.instant(&span.start);
            offset.total_seconds() + if from_end { length } else { 0 }
        }
        Err(_) => times.instant(&When::of(trigger).ok()?) - times.instant(&span.start),
    };
    (seconds % 60 == 0).then_some(Reminder {
        minutes: -seconds / 60,
        action,
    })
}

/// One LINK that is a URI.
pub fn link(property: Property<'_>) -> Option<Link> {
    let form = property.param("VALUE");
    if form.is_some_and(|form| !form.eq_ignore_ascii_case("URI")) {
        return None;
    }
    Some(Link {
        href: property.value().into_owned(),
        rel: property
            .param("LINKREL")
            .map_or_else(|| RELATED.to_string(), |rel| rel.into_owned()),
        title: property.param("LABEL").map(|label| label.into_owned()),
    })
}
