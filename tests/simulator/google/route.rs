//! From path to method: authorization, scopes, unknown parameters and keys.

use super::super::oauth::Denied;
use super::super::schema;
use super::super::web::{Answer, Call, below};
use super::{Ask, Google, Twist, errors};
use serde_json::Value;

/// (HTTP method, path below the API root, method of the discovery document); `*` is a variable.
const ROUTES: &[(&str, &str, &str)] = &[
    ("GET", "users/me/calendarList", "calendarList.list"),
    ("POST", "users/me/calendarList", "calendarList.insert"),
    ("POST", "users/me/calendarList/watch", "calendarList.watch"),
    ("GET", "users/me/calendarList/*", "calendarList.get"),
    ("PATCH", "users/me/calendarList/*", "calendarList.patch"),
    ("PUT", "users/me/calendarList/*", "calendarList.update"),
    ("DELETE", "users/me/calendarList/*", "calendarList.delete"),
    ("GET", "users/me/settings", "settings.list"),
    ("GET", "users/me/settings/*", "settings.get"),
    ("POST", "calendars", "calendars.insert"),
    ("GET", "calendars/*", "calendars.get"),
    ("PATCH", "calendars/*", "calendars.patch"),
    ("PUT", "calendars/*", "calendars.update"),
    ("DELETE", "calendars/*", "calendars.delete"),
    ("GET", "calendars/*/events", "events.list"),
    ("POST", "calendars/*/events", "events.insert"),
    ("POST", "calendars/*/events/import", "events.import"),
    ("POST", "calendars/*/events/watch", "events.watch"),
    ("GET", "calendars/*/events/*", "events.get"),
    ("PUT", "calendars/*/events/*", "events.update"),
    ("PATCH", "calendars/*/events/*", "events.patch"),
    ("DELETE", "calendars/*/events/*", "events.delete"),
    ("GET", "calendars/*/events/*/instances", "events.instances"),
    ("POST", "calendars/*/events/*/move", "events.move"),
    ("POST", "freeBusy", "freebusy.query"),
    ("POST", "channels/stop", "channels.stop"),
];

/// Parameters that Google's own client adds.
const ALWAYS: &[&str] = &[
    "alt",
    "prettyPrint",
    "key",
    "fields",
    "quotaUser",
    "oauth_token",
    "userIp",
];

fn find(method: &str, parts: &[String]) -> Option<(&'static str, Vec<String>)> {
    ROUTES.iter().find_map(|(wanted, path, name)| {
        let mut vars = Vec::new();
        let pattern: Vec<&str> = path.split('/').collect();
        let same = pattern.len() == parts.len()
            && pattern
                .iter()
                .zip(parts)
                .all(|(pattern, part)| match *pattern {
                    "*" => {
                        vars.push(part.clone());
                        true
                    }
                    fixed => fixed == part,
                });
        (*wanted == method && same).then_some((*name, vars))
    })
}

impl Google {
    pub(super) fn one(&self, call: &Call, twist: Twist) -> Result<Answer, Answer> {
        let access = self.oauth.who(call).map_err(|denied| match denied {
            Denied::Missing => errors::login(),
            _ => errors::error("authError"),
        })?;
        let method = call
            .header("x-http-method-override")
            .unwrap_or(call.method.as_str());
        let parts = below(&call.path, "/google/calendar/v3").unwrap_or_default();
        let (method, path) = find(method, &parts).ok_or_else(|| errors::error("notFound"))?;
        let query = call.params();
        self.check_params(method, &query)?;
        let body = match call.body.is_empty() {
            true => Value::Null,
            false => call.json().ok_or_else(|| errors::error("parseError"))?,
        };
        if let Some(schema) = schema::google() {
            for wrong in schema.request(method, &body) {
                self.world.violation(format!("Google: {wrong}"));
            }
        }
        let ask = Ask {
            call,
            access,
            method,
            query,
            path,
            body,
            twist,
        };
        self.check_scope(&ask)?;
        self.run(ask)
    }

    fn check_params(&self, method: &str, query: &super::super::web::Params) -> Result<(), Answer> {
        let Some(schema) = schema::google() else {
            return Ok(());
        };
        let names = query.0.iter().map(|(name, _)| name.as_str());
        let names = names.filter(|name| !ALWAYS.contains(name));
        match schema.unknown_param(method, names) {
            Some(name) => {
                self.world
                    .violation(format!("Google: {method} has no parameter {name}"));
                Err(errors::saying(
                    "invalid",
                    &format!("Unknown name \"{name}\""),
                ))
            }
            None => Ok(()),
        }
    }

    fn check_scope(&self, ask: &Ask) -> Result<(), Answer> {
        let Some(scopes) = schema::google().and_then(|schema| schema.scopes(ask.method)) else {
            return Ok(());
        };
        let granted = |scope: &&String| scopes.contains(scope);
        let mut found = ask.access.scopes.iter().filter(granted).peekable();
        if found.peek().is_none() {
            return Err(errors::scope(ask.method));
        }
        // A grant for the calendars that the application made reaches no other.
        let only_own = found.all(|scope| scope.ends_with("/calendar.app.created"));
        match ask.path.first() {
            Some(calendar) if only_own && !self.is_by_app(calendar, &ask.access.email) => {
                Err(errors::error("notFound"))
            }
            _ => Ok(()),
        }
    }

    fn run(&self, ask: Ask) -> Result<Answer, Answer> {
        match ask.method {
            "events.list" => self.list(&ask),
            "events.get" => self.get(&ask),
            "events.instances" => self.instances(&ask),
            "events.insert" => self.insert(&ask),
            "events.import" => self.import(&ask),
            "events.patch" | "events.update" => self.change(&ask),
            "events.delete" => self.delete(&ask),
            "events.move" => self.move_event(&ask),
            "events.watch" | "calendarList.watch" => self.watch(&ask),
            "channels.stop" => self.stop(&ask),
            "freebusy.query" => self.free_busy(&ask),
            "settings.get" | "settings.list" => self.settings(&ask),
            method if method.starts_with("calendarList.") => self.calendar_list(&ask),
            _ => self.calendar(&ask),
        }
    }
}
