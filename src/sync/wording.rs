//! Titles and descriptions of mirrors from the link's templates ([`crate::ical::template`]). Pure.
//!
//! | field | is |
//! |---|---|
//! | `title` `description` `location` `status` | the event's own |
//! | `date` `start` `end` | the day, and the times of day |
//! | `calendar` | the calendar's name in addresses |
//! | `client` `client.name` `client.email` `client.phone` | of a session |
//! | `config.…` | of a session, by path |
//!
//! What the privacy level does not tell is empty in templates, too.

use super::texts::events;
use crate::ical::session::{CLIENT_TYPE, CONFIG_SCHEMA};
use crate::ical::template::{self, Template};
use crate::ical::tree::{Component, Limits, Tree};
use crate::ical::value::When;
use crate::ical::write::{Patch, text_line};

/// A link's templates; none: the event's own text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wording {
    pub title: Option<Template>,
    pub description: Option<Template>,
    /// What `{calendar}` is.
    pub calendar: String,
}

/// How much templates may tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Busy,
    Titles,
    Full,
}

impl Wording {
    /// A template that cannot be read is none: it was checked when it was set.
    pub fn of(title: &str, description: &str, calendar: &str) -> Wording {
        let read = |text: &str| match text {
            "" => None,
            text => Template::parse(text).ok(),
        };
        Wording {
            title: read(title),
            description: read(description),
            calendar: calendar.to_string(),
        }
    }

    pub fn is_plain(&self) -> bool {
        self.title.is_none() && self.description.is_none()
    }

    /// The properties that the templates make: what is changed there of them is not a change of the event.
    pub fn made(&self) -> Vec<&'static str> {
        let made = [
            (self.title.is_some(), "SUMMARY"),
            (self.description.is_some(), "DESCRIPTION"),
        ];
        made.into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, name)| name)
            .collect()
    }

    /// `told`, in the words of the templates over `source`, the whole event.
    pub fn apply(&self, told: Vec<u8>, source: &Tree<'_>, reach: Reach) -> Vec<u8> {
        if self.is_plain() {
            return told;
        }
        let Ok(tree) = Tree::parse(&told, &Limits::default()) else {
            return told;
        };
        let master = events(source).find(|event| instance(*event).is_none());
        let mut patch = Patch::new(&tree);
        for event in events(&tree) {
            let same = events(source).find(|own| instance(*own) == instance(event));
            let Some(own) = same.or(master) else { continue };
            let field = |name: &str| self.field(name, own, master, reach);
            for (template, name) in [(&self.title, "SUMMARY"), (&self.description, "DESCRIPTION")] {
                let Some(template) = template else { continue };
                let text = template.render(&field);
                if !text.trim().is_empty() {
                    patch.set(event, name, text_line(name, &[], &text));
                } else if name == "DESCRIPTION" {
                    patch.remove_all(event, name);
                }
            }
        }
        patch.apply()
    }

    fn field(
        &self,
        name: &str,
        event: Component<'_>,
        master: Option<Component<'_>>,
        reach: Reach,
    ) -> Option<String> {
        let (root, path) = name.split_once('.').unwrap_or((name, ""));
        let allowed = match reach {
            Reach::Busy => template::BUSY_FIELDS.contains(&root),
            Reach::Titles => template::TITLES_FIELDS.contains(&root),
            Reach::Full => true,
        };
        if !allowed {
            return None;
        }
        let text = |name: &str| event.property(name).map(|p| p.text().into_owned());
        let time = |name: &str| When::of(event.property(name)?).ok();
        let clock = |when: When| {
            let at = when.civil();
            (!when.is_date()).then(|| format!("{:02}:{:02}", at.hour(), at.minute()))
        };
        match root {
            "title" => text("SUMMARY"),
            "description" => text("DESCRIPTION"),
            "location" => text("LOCATION"),
            "status" => text("STATUS"),
            "calendar" => Some(self.calendar.clone()),
            "date" => time("DTSTART").map(|when| when.date().to_string()),
            "start" => time("DTSTART").and_then(clock),
            "end" => time("DTEND").and_then(clock),
            "client" => client(event, path).or_else(|| client(master?, path)),
            "config" => config(event, path).or_else(|| config(master?, path)),
            _ => None,
        }
    }
}

/// Which instance, by the digits of its RECURRENCE-ID; none: the master.
fn instance(event: Component<'_>) -> Option<String> {
    let id = event.property("RECURRENCE-ID")?;
    let digits = id.value();
    Some(digits.chars().filter(char::is_ascii_digit).collect())
}

fn client(event: Component<'_>, path: &str) -> Option<String> {
    let part = event.children_named("PARTICIPANT").find(|part| {
        part.property("PARTICIPANT-TYPE")
            .is_some_and(|p| p.value().trim().eq_ignore_ascii_case(CLIENT_TYPE))
    })?;
    let text = |name: &str| part.property(name).map(|p| p.text().into_owned());
    match path {
        "" | "name" => text("SUMMARY"),
        "email" => text("CALENDAR-ADDRESS").map(|uri| uri.trim().replacen("mailto:", "", 1)),
        "phone" => text("CONTACT"),
        _ => None,
    }
}

fn config(event: Component<'_>, path: &str) -> Option<String> {
    let data = event
        .properties_named("STRUCTURED-DATA")
        .find(|p| p.param("SCHEMA").as_deref() == Some(CONFIG_SCHEMA))?;
    template::path_of(&serde_json::from_str(&data.text()).ok()?, path)
}

/// `text` with these properties as `base` has them, instance by instance.
pub fn frozen(text: &[u8], base: &[u8], names: &[&str]) -> Vec<u8> {
    let limits = Limits::default();
    let (Ok(tree), Ok(base)) = (Tree::parse(text, &limits), Tree::parse(base, &limits)) else {
        return text.to_vec();
    };
    let mut patch = Patch::new(&tree);
    for event in events(&tree) {
        let Some(before) = events(&base).find(|old| instance(*old) == instance(event)) else {
            continue;
        };
        for name in names {
            match before.property(name) {
                Some(old) => {
                    let line = text_line(name, &[], &old.text());
                    patch.set(event, name, line);
                }
                None => {
                    patch.remove_all(event, name);
                }
            }
        }
    }
    patch.apply()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:a\r\n\
        DTSTAMP:20260101T000000Z\r\nDTSTART:20260101T090000Z\r\nDTEND:20260101T100000Z\r\nSUMMARY:Coaching\r\n\
        STRUCTURED-DATA;VALUE=TEXT;SCHEMA=\"urn:kalends:schema:session-config:1\":{\"type\":\"first\"}\r\n\
        BEGIN:PARTICIPANT\r\nUID:p\r\nPARTICIPANT-TYPE:BOOKING-CONTACT\r\nSUMMARY:Cleo\r\n\
        CALENDAR-ADDRESS:mailto:cleo@example.org\r\nEND:PARTICIPANT\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:a\r\n\
        DTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20260108T090000Z\r\nDTSTART:20260108T110000Z\r\nSUMMARY:Later\r\n\
        END:VEVENT\r\nEND:VCALENDAR\r\n";

    fn said(title: &str, reach: Reach) -> Vec<String> {
        let tree = Tree::parse(SESSION.as_bytes(), &Limits::default()).unwrap();
        let told = Wording::of(title, "", "work").apply(SESSION.into(), &tree, reach);
        let tree = Tree::parse(&told, &Limits::default()).unwrap();
        events(&tree)
            .map(|event| event.property("SUMMARY").unwrap().text().into_owned())
            .collect()
    }

    #[test]
    fn templates_make_the_titles_of_each_instance() {
        for (title, expected) in [
            (
                "{title} with {client}",
                ["Coaching with Cleo", "Later with Cleo"],
            ),
            (
                "{config.type} {start} {date}",
                ["first 09:00 2026-01-01", "first 11:00 2026-01-08"],
            ),
            ("{client.email} {calendar}", ["cleo@example.org work"; 2]),
            ("{nothing}", ["Coaching", "Later"]),
        ] {
            assert_eq!(said(title, Reach::Full), expected, "{title}");
        }
    }

    #[test]
    fn templates_tell_no_more_than_the_privacy_level() {
        assert_eq!(
            said("at {start}{title}{client}", Reach::Busy),
            ["at 09:00", "at 11:00"]
        );
        assert_eq!(
            said("{title}{client}{config.type}", Reach::Titles),
            ["Coaching", "Later"]
        );
    }

    #[test]
    fn what_templates_make_is_not_changed_there() {
        let there = SESSION.replace("SUMMARY:Coaching", "SUMMARY:meddled");
        let text = frozen(there.as_bytes(), SESSION.as_bytes(), &["SUMMARY"]);
        assert_eq!(String::from_utf8(text).unwrap(), SESSION);
    }
}
