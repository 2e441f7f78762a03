//! From path to function: authorization, scopes, headers.

use super::super::oauth::Denied;
use super::super::web::{self, Answer, Call, below};
use super::{Ask, Graph, Prefer, Twist, errors};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const READ: &[&str] = &[
    "Calendars.Read",
    "Calendars.ReadBasic",
    "Calendars.ReadWrite",
    "Calendars.Read.Shared",
    "Calendars.ReadWrite.Shared",
];
const WRITE: &[&str] = &["Calendars.ReadWrite", "Calendars.ReadWrite.Shared"];

impl Graph {
    pub(super) fn one(&self, call: &Call, twist: Twist) -> Result<Answer, Answer> {
        let access = self.oauth.who(call).map_err(denied)?;
        let parts = below(&call.path, "/graph/v1.0").unwrap_or_default();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let body = match call.body.is_empty() {
            true => Value::Null,
            false => call.json().ok_or_else(|| {
                errors::saying("BadRequest", "Unable to read JSON request payload.")
            })?,
        };
        let ask = Ask {
            call,
            access,
            query: call.params(),
            prefer: Prefer::read(call),
            body,
            twist,
        };
        self.check(&ask, &parts)?;
        self.dispatch(&ask, call.method.as_str(), &parts)
    }

    fn check(&self, ask: &Ask, parts: &[&str]) -> Result<(), Answer> {
        let calendars = parts.iter().any(|part| {
            matches!(
                *part,
                "events" | "calendar" | "calendars" | "calendarView" | "subscriptions"
            )
        });
        if !calendars {
            return Ok(());
        }
        let question =
            matches!(parts.last(), Some(&"getSchedule")) || parts.contains(&"subscriptions");
        let needed = if ask.call.method == "GET" || question {
            READ
        } else {
            WRITE
        };
        if !ask.access.has(needed) {
            return Err(errors::error("ErrorAccessDenied"));
        }
        let events = parts
            .iter()
            .any(|part| matches!(*part, "events" | "calendarView"));
        if (events || parts == ["subscriptions"]) && !ask.prefer.immutable {
            self.world.violation(format!(
                "Graph: {} {} without Prefer: IdType=\"ImmutableId\"",
                ask.call.method, ask.call.path
            ));
        }
        Ok(())
    }

    fn dispatch(&self, ask: &Ask, method: &str, parts: &[&str]) -> Result<Answer, Answer> {
        match (method, parts) {
            ("GET", ["me"]) => self.me(ask),
            ("GET", ["me", "mailboxSettings"]) => self.mailbox_settings(ask),
            ("GET", ["me", "calendars"]) => self.list_calendars(ask),
            ("POST", ["me", "calendars"]) => self.new_calendar(ask),
            ("POST", ["me", "calendar", "getSchedule"]) => self.schedule(ask),
            (_, ["me", "calendar", rest @ ..]) => self.in_calendar(ask, method, None, rest),
            (_, ["me", "calendars", id, rest @ ..]) => {
                self.in_calendar(ask, method, Some(id), rest)
            }
            (_, ["me", rest @ ..]) if rest.first() == Some(&"calendarView") => {
                self.in_calendar(ask, method, None, rest)
            }
            ("GET", ["me", "events"]) => self.list_events(ask, None),
            ("POST", ["me", "events"]) => self.create(ask, None),
            (_, ["me", "events", id]) => self.on_event(ask, method, id),
            ("GET", ["me", "events", id, "instances"]) => self.instances(ask, id),
            ("POST", ["me", "events", id, action]) => self.act(ask, id, action),
            (_, ["subscriptions", rest @ ..]) => self.subscription(ask, method, rest),
            _ => Err(errors::saying(
                "RequestBroker--ParseUri",
                "Resource not found for the segment.",
            )),
        }
    }

    fn in_calendar(
        &self,
        ask: &Ask,
        method: &str,
        id: Option<&str>,
        rest: &[&str],
    ) -> Result<Answer, Answer> {
        let key = self.calendar_key(ask, id)?;
        match (method, rest) {
            (_, []) => self.on_calendar(ask, method, key),
            ("GET", ["events"]) => self.list_events(ask, Some(key)),
            ("POST", ["events"]) => self.create(ask, Some(key)),
            (_, ["events", event]) => self.on_event(ask, method, event),
            ("GET", ["events", event, "instances"]) => self.instances(ask, event),
            ("POST", ["events", event, action]) => self.act(ask, event, action),
            ("GET", ["calendarView"]) => self.view(ask, key),
            ("GET", ["calendarView", delta])
                if delta.starts_with("delta") || *delta == "microsoft.graph.delta()" =>
            {
                self.delta(ask, key)
            }
            _ => Err(errors::saying(
                "RequestBroker--ParseUri",
                "Resource not found for the segment.",
            )),
        }
    }

    fn on_event(&self, ask: &Ask, method: &str, id: &str) -> Result<Answer, Answer> {
        match method {
            "GET" => self.get(ask, id),
            "PATCH" => self.patch(ask, id),
            "DELETE" => self.delete(ask, id),
            _ => Err(errors::error("ErrorInvalidRequest")),
        }
    }

    fn me(&self, ask: &Ask) -> Result<Answer, Answer> {
        let person = self
            .oauth
            .find(ask.account())
            .ok_or_else(|| errors::error("ResourceNotFound"))?;
        Ok(web::json(
            200,
            &json!({
                "@odata.context": format!("{}/graph/v1.0/$metadata#users/$entity", self.world.origin()),
                "id": person.id, "displayName": person.name, "userPrincipalName": person.email, "mail": person.email,
            }),
        ))
    }
}

fn denied(denied: Denied) -> Answer {
    let answer = errors::error("InvalidAuthenticationToken");
    match denied {
        Denied::Claims(claims) => {
            let challenge = format!(
                "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
                 error=\"insufficient_claims\", claims=\"{}\"",
                STANDARD.encode(claims)
            );
            web::with(answer, "www-authenticate", &challenge)
        }
        _ => web::with(answer, "www-authenticate", "Bearer realm=\"\""),
    }
}
