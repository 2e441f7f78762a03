//! What a program may put into a session's fields, checked before anything is written.

use super::edit::Owner;
use super::fields::{Action, Fields};
use super::merge::FieldError;
use super::view::{RECURRENCE, asked_conference};
use crate::ical::rrule::Rule;
use crate::ical::tree::{Limits, Tree};
use crate::ical::value::{Rdate, When};

/// The most attendees, reminders, links and lines of recurrence.
const MOST: usize = 1000;

/// Brings fields into their usual form and says what is wrong with them.
///
/// # Errors
/// Every field that is wrong, with the reason.
pub fn validate(fields: &mut Fields, owner: &Owner) -> Result<(), Vec<FieldError>> {
    let mut wrong = Vec::new();
    for (name, length) in [
        ("attendees", fields.attendees.len()),
        ("reminders", fields.reminders.len()),
        ("links", fields.links.len()),
        ("recurrence", fields.recurrence.len()),
    ] {
        if length > MOST {
            wrong.push(FieldError::new(
                name,
                format!("has {length} entries, limit {MOST}"),
            ));
        }
    }
    for (at, attendee) in fields.attendees.iter().enumerate() {
        if !is_address(&attendee.email) {
            wrong.push(FieldError::new(
                format!("attendees[{at}].email"),
                "not a mail address",
            ));
        }
    }
    let client = fields.client.as_ref();
    if client
        .and_then(|client| client.email.as_deref())
        .is_some_and(|email| !is_address(email))
    {
        wrong.push(FieldError::new("client.email", "not a mail address"));
    }
    if let Some(conference) = &mut fields.conference {
        match asked_conference(conference) {
            Some(word) => *conference = word.to_ascii_lowercase(),
            None if is_uri(conference) => {}
            None => wrong.push(FieldError::new(
                "conference",
                "neither a URI nor one of auto, meet, teams",
            )),
        }
    }
    for (at, link) in fields.links.iter().enumerate() {
        if !is_uri(&link.href) {
            wrong.push(FieldError::new(format!("links[{at}].href"), "not a URI"));
        }
    }
    for (at, reminder) in fields.reminders.iter().enumerate() {
        let field = format!("reminders[{at}]");
        if reminder.action == Action::Email && owner.address.is_none() {
            wrong.push(FieldError::new(
                &field,
                "you have no mail address that it could go to",
            ));
        }
        if reminder.minutes.unsigned_abs() > 60 * 24 * 3660 {
            wrong.push(FieldError::new(&field, "more than ten years away"));
        }
    }
    for (at, line) in fields.recurrence.iter_mut().enumerate() {
        match recurrence_line(line) {
            Ok(usual) => *line = usual,
            Err(reason) => wrong.push(FieldError::new(format!("recurrence[{at}]"), reason)),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// A mail address, or another kind of calendar user address as a URI.
fn is_address(text: &str) -> bool {
    let clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    clean
        && (is_uri(text)
            || text
                .split_once('@')
                .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty()))
}

/// RFC 3986 §3.1: a scheme, a colon, and something.
fn is_uri(text: &str) -> bool {
    let clean = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let named = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    };
    clean
        && text
            .split_once(':')
            .is_some_and(|(scheme, rest)| named(scheme) && !rest.is_empty())
}

/// One line of `recurrence` in its usual form; a bare rule is taken as RRULE.
fn recurrence_line(line: &str) -> Result<String, String> {
    let line = line.trim();
    if line.chars().any(char::is_control) {
        return Err("has control characters".into());
    }
    let line = if line.to_ascii_uppercase().starts_with("FREQ=") {
        format!("RRULE:{line}")
    } else {
        line.to_string()
    };
    let text = format!("BEGIN:VEVENT\r\n{line}\r\nEND:VEVENT\r\n");
    let tree = Tree::parse(text.as_bytes(), &Limits::default()).map_err(|fault| fault.reason)?;
    let property = tree
        .roots()
        .next()
        .and_then(|event| event.properties().next());
    let property = property.filter(|p| RECURRENCE.iter().any(|name| p.is(name)));
    let property = property.ok_or("begins with none of RRULE, RDATE, EXDATE, EXRULE")?;
    let readable = match property.name().to_ascii_uppercase().as_str() {
        "RRULE" | "EXRULE" => Rule::parse(property.value().trim())
            .map(drop)
            .map_err(|wrong| wrong.to_string()),
        "RDATE" => Rdate::list(property)
            .map(drop)
            .map_err(|wrong| wrong.to_string()),
        _ => When::list(property)
            .map(drop)
            .map_err(|wrong| wrong.to_string()),
    };
    readable.map(|()| super::view::unfolded(property))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::sessions::merge::read;
    use serde_json::json;

    fn wrong(fields: serde_json::Value) -> Vec<String> {
        let mut fields = read(fields.as_object().unwrap()).unwrap();
        let faults = validate(&mut fields, &Owner::default())
            .err()
            .unwrap_or_default();
        faults.into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn wrong_fields_are_named_one_by_one() {
        let fields = wrong(json!({
            "attendees": [{"email": "a@example.org"}, {"email": "nobody"}, {"email": "a@b\nX-EVIL:1"}, {"email": "urn:uuid:1"}],
            "client": {"email": "@"},
            "conference": "meet me",
            "links": [{"href": "https://example.org"}, {"href": "example.org"}],
            "reminders": [{"minutes": 5, "action": "email"}],
            "recurrence": ["FREQ=DAILY", "RRULE:FREQ=NEVER", "EXDATE:20261120T090000Z\r\nX-EVIL:1", "SUMMARY:x", "RDATE:x"]
        }));
        assert_eq!(
            fields,
            [
                "attendees[1].email",
                "attendees[2].email",
                "client.email",
                "conference",
                "links[1].href",
                "reminders[0]",
                "recurrence[1]",
                "recurrence[2]",
                "recurrence[3]",
                "recurrence[4]"
            ]
        );
    }

    #[test]
    fn recurrence_gets_its_usual_form() {
        for (given, usual) in [
            ("FREQ=WEEKLY;COUNT=2", "RRULE:FREQ=WEEKLY;COUNT=2"),
            ("rrule:FREQ=DAILY", "RRULE:FREQ=DAILY"),
            (
                "EXDATE;TZID=Europe/Berlin:20261120T090000",
                "EXDATE;TZID=Europe/Berlin:20261120T090000",
            ),
        ] {
            assert_eq!(recurrence_line(given).as_deref(), Ok(usual));
        }
    }
}
