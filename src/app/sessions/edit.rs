//! Changed fields written into a VEVENT: only the lines of those fields change, every other byte stays.

use super::fields::{Attendee, Client, Fields, Reminder};
use super::merge::FieldError;
use super::shift;
use super::times::Times;
use super::view::{self, ACTIONS, ANSWERS, CLASSES, ROLES, word};
use crate::ical::session::{ASKS_CONFERENCE, CLIENT_TYPE, CONFIG_SCHEMA, MARK, STATUS};
use crate::ical::tree::{Component, Property};
use crate::ical::value::Duration;
use crate::ical::write::{Patch, content_line, fold, text_line};

/// Who the session belongs to: ORGANIZER where there are attendees, and whom a reminder by mail goes to.
#[derive(Clone, Debug, Default)]
pub struct Owner {
    pub name: String,
    /// A mail address, if the principal has one.
    pub address: Option<String>,
}

/// Everything an edit needs besides the fields.
pub struct Editor<'e, 't> {
    pub event: Component<'t>,
    pub times: &'e Times<'t>,
    pub owner: &'e Owner,
    pub uid: &'e str,
}

impl<'t> Editor<'_, 't> {
    /// Writes what differs between `old` and `new`. `Ok(true)`: what scheduling calls significant has changed, and
    /// SEQUENCE must grow (RFC 5546 §2.1.4).
    ///
    /// # Errors
    /// The fields that cannot be written, with the reasons.
    pub fn write(
        &self,
        old: &Fields,
        new: &Fields,
        patch: &mut Patch<'t>,
    ) -> Result<bool, Vec<FieldError>> {
        let event = self.event;
        if event.property(MARK).is_none() {
            patch.insert(event, content_line(MARK, &[], "1"));
        }
        for (name, old, new) in [
            ("SUMMARY", &old.title, &new.title),
            ("DESCRIPTION", &old.description, &new.description),
            ("LOCATION", &old.location, &new.location),
        ] {
            if old != new {
                self.optional(
                    patch,
                    name,
                    new.as_deref().map(|text| text_line(name, &[], text)),
                );
            }
        }
        if old.class != new.class {
            self.optional(
                patch,
                "CLASS",
                Some(content_line("CLASS", &[], word(&CLASSES, new.class))),
            );
        }
        if old.transparent != new.transparent {
            let value = if new.transparent {
                "TRANSPARENT"
            } else {
                "OPAQUE"
            };
            self.optional(patch, "TRANSP", Some(content_line("TRANSP", &[], value)));
        }
        self.conference(old, new, patch);
        self.config(old, new, patch);
        self.links(old, new, patch);
        self.client(old.client.as_ref(), new.client.as_ref(), patch);
        self.attendees(&old.attendees, &new.attendees, patch);
        self.reminders(old, new, patch);
        self.status(old, new, patch);
        let moved = shift::write(self, old, new, patch)?;
        let recurs = self.recurrence(old, new, patch);
        Ok(moved || recurs || old.status.properties().0 != new.status.properties().0)
    }

    fn optional(&self, patch: &mut Patch<'t>, name: &str, line: Option<String>) {
        match line {
            Some(line) => patch.set(self.event, name, line),
            None => patch.remove_all(self.event, name),
        };
    }

    fn status(&self, old: &Fields, new: &Fields, patch: &mut Patch<'t>) {
        if old.status == new.status {
            return;
        }
        let (status, ours) = new.status.properties();
        self.optional(patch, "STATUS", Some(content_line("STATUS", &[], status)));
        self.optional(
            patch,
            STATUS,
            ours.map(|value| content_line(STATUS, &[], value)),
        );
    }

    fn conference(&self, old: &Fields, new: &Fields, patch: &mut Patch<'t>) {
        if old.conference == new.conference {
            return;
        }
        let asked = new.conference.as_deref().and_then(view::asked_conference);
        self.optional(
            patch,
            ASKS_CONFERENCE,
            asked.map(|word| content_line(ASKS_CONFERENCE, &[], word)),
        );
        match (&new.conference, self.event.property("CONFERENCE")) {
            (Some(uri), Some(there)) if asked.is_none() => patch.set_value(there, uri),
            (Some(uri), None) if asked.is_none() => patch.insert(
                self.event,
                content_line("CONFERENCE", &[("VALUE", "URI")], uri),
            ),
            _ => patch.remove_all(self.event, "CONFERENCE"),
        };
    }

    /// RFC 9073 §6.6: FMTTYPE and SCHEMA are required of a TEXT value.
    fn config(&self, old: &Fields, new: &Fields, patch: &mut Patch<'t>) {
        if old.config == new.config {
            return;
        }
        let params = [
            ("VALUE", "TEXT"),
            ("FMTTYPE", "application/json"),
            ("SCHEMA", CONFIG_SCHEMA),
        ];
        let line = new
            .config
            .as_ref()
            .map(|json| text_line("STRUCTURED-DATA", &params, &json.to_string()));
        match (line, view::config_property(self.event)) {
            (Some(line), Some(there)) => patch.replace(there, line),
            (Some(line), None) => patch.insert(self.event, line),
            (None, Some(there)) => patch.remove(there),
            (None, None) => patch,
        };
    }

    fn links(&self, old: &Fields, new: &Fields, patch: &mut Patch<'t>) {
        if old.links == new.links {
            return;
        }
        let mut wanted = new.links.clone();
        for property in self.event.properties_named("LINK") {
            let Some(link) = view::link(property) else {
                continue;
            };
            match wanted.iter().position(|other| *other == link) {
                Some(at) => drop(wanted.remove(at)),
                None => drop(patch.remove(property)),
            }
        }
        for link in wanted {
            let mut params = vec![("LINKREL", link.rel.as_str()), ("VALUE", "URI")];
            params.extend(link.title.as_deref().map(|title| ("LABEL", title)));
            patch.insert(self.event, content_line("LINK", &params, &link.href));
        }
    }

    fn recurrence(&self, old: &Fields, new: &Fields, patch: &mut Patch<'t>) -> bool {
        if old.recurrence == new.recurrence {
            return false;
        }
        let mut wanted: Vec<&String> = new.recurrence.iter().collect();
        for property in self.event.properties().filter(|p| view::is_recurrence(*p)) {
            let line = view::unfolded(property);
            match wanted.iter().position(|other| **other == line) {
                Some(at) => drop(wanted.remove(at)),
                None => drop(patch.remove(property)),
            }
        }
        for line in wanted {
            patch.insert(self.event, fold(line) + "\r\n");
        }
        true
    }

    fn client(&self, old: Option<&Client>, new: Option<&Client>, patch: &mut Patch<'t>) {
        if old == new {
            return;
        }
        match (view::client_component(self.event), new) {
            (Some(there), Some(client)) => {
                for (name, line) in client_lines(client) {
                    match line {
                        Some(line) => patch.set(there, name, line),
                        None => patch.remove_all(there, name),
                    };
                }
            }
            (Some(there), None) => drop(patch.remove_component(there)),
            (None, Some(client)) => {
                let mut part = String::from("BEGIN:PARTICIPANT\r\n");
                part += &text_line("UID", &[], &format!("{}-client", self.uid));
                part += &content_line("PARTICIPANT-TYPE", &[], CLIENT_TYPE);
                part.extend(
                    client_lines(client)
                        .into_iter()
                        .filter_map(|(_, line)| line),
                );
                part += "END:PARTICIPANT\r\n";
                patch.insert_component(self.event, part);
            }
            (None, None) => {}
        }
    }

    fn attendees(&self, old: &[Attendee], new: &[Attendee], patch: &mut Patch<'t>) {
        if old == new {
            return;
        }
        let mut wanted: Vec<&Attendee> = new.iter().collect();
        for property in self.event.properties_named("ATTENDEE") {
            let present = view::attendee(property);
            match wanted
                .iter()
                .position(|a| a.email.eq_ignore_ascii_case(&present.email))
            {
                Some(at) => {
                    let attendee = wanted.remove(at);
                    if *attendee != present {
                        patch.replace(property, changed_attendee(property, attendee));
                    }
                }
                None => drop(patch.remove(property)),
            }
        }
        for attendee in wanted {
            let mut line = String::from("ATTENDEE");
            push_attendee(&mut line, attendee);
            patch.insert(self.event, fold(&line) + "\r\n");
        }
        let address = self.owner.address.as_deref().filter(|_| !new.is_empty());
        if let (None, Some(address)) = (self.event.property("ORGANIZER"), address) {
            let line = content_line(
                "ORGANIZER",
                &[("CN", &self.owner.name)],
                &format!("mailto:{address}"),
            );
            patch.insert(self.event, line);
        }
    }

    fn reminders(&self, old: &Fields, new: &Fields, patch: &mut Patch<'t>) {
        if old.reminders == new.reminders {
            return;
        }
        let mut wanted: Vec<&Reminder> = new.reminders.iter().collect();
        for alarm in self.event.children_named("VALARM") {
            let Some(present) = view::reminder(alarm, self.event, self.times) else {
                continue;
            };
            match wanted.iter().position(|other| **other == present) {
                Some(at) => drop(wanted.remove(at)),
                None => drop(patch.remove_component(alarm)),
            }
        }
        for reminder in wanted {
            let title = new.title.as_deref().unwrap_or("Reminder");
            patch.insert_component(self.event, alarm(reminder, title, self.owner));
        }
    }
}

fn client_lines(client: &Client) -> [(&'static str, Option<String>); 3] {
    let text = |name, value: &Option<String>| {
        (
            name,
            value.as_deref().map(|value| text_line(name, &[], value)),
        )
    };
    let address = client.email.as_deref().map(calendar_address);
    [
        text("SUMMARY", &client.name),
        (
            "CALENDAR-ADDRESS",
            address.map(|uri| content_line("CALENDAR-ADDRESS", &[], &uri)),
        ),
        text("CONTACT", &client.phone),
    ]
}

/// A calendar user address: a mail address becomes a `mailto:` URI.
fn calendar_address(address: &str) -> String {
    if address.contains(':') {
        address.to_string()
    } else {
        format!("mailto:{address}")
    }
}

/// The line of an attendee that is there already: parameters that are not ours to say stay.
fn changed_attendee(property: Property<'_>, attendee: &Attendee) -> String {
    let mut line = String::from("ATTENDEE");
    for param in property.params() {
        if !["CN", "ROLE", "PARTSTAT", "RSVP"]
            .iter()
            .any(|name| param.is(name))
        {
            line += &format!(";{}={}", param.name(), param.raw());
        }
    }
    push_attendee(&mut line, attendee);
    fold(&line) + "\r\n"
}

fn push_attendee(line: &mut String, attendee: &Attendee) {
    let mut param = |name: &str, value: &str| {
        *line += &format!(";{name}={}", crate::ical::text::encode_param(value));
    };
    if let Some(name) = &attendee.name {
        param("CN", name);
    }
    param("ROLE", word(&ROLES, attendee.role));
    param("PARTSTAT", word(&ANSWERS, attendee.status));
    if attendee.rsvp {
        param("RSVP", "TRUE");
    }
    *line += &format!(":{}", calendar_address(&attendee.email));
}

fn alarm(reminder: &Reminder, title: &str, owner: &Owner) -> String {
    let trigger = Duration::from_seconds(-reminder.minutes.saturating_mul(60)).to_string();
    let action = word(&ACTIONS, reminder.action);
    let mut lines = String::from("BEGIN:VALARM\r\n");
    lines += &content_line("ACTION", &[], action);
    lines += &content_line("TRIGGER", &[], &trigger);
    if action != "AUDIO" {
        lines += &text_line("DESCRIPTION", &[], title);
    }
    if action == "EMAIL" {
        lines += &text_line("SUMMARY", &[], title);
        let address = owner.address.as_deref().map(calendar_address);
        lines.extend(address.map(|uri| content_line("ATTENDEE", &[], &uri)));
    }
    lines + "END:VALARM\r\n"
}
