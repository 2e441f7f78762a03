//! Calendars and mailbox settings (FACTS §4.1).

use super::super::schema;
use super::super::web::{self, Answer};
use super::super::world::lock;
use super::{Ask, Calendar, Graph, Mailbox, errors, ids};
use serde_json::{Value, json};

impl Mailbox {
    fn calendar_json(&self, calendar: &Calendar) -> Value {
        let meetings = if self.work {
            json!(["teamsForBusiness"])
        } else {
            json!([])
        };
        let default = if self.work {
            "teamsForBusiness"
        } else {
            "unknown"
        };
        json!({
            "id": ids::calendar(calendar.key), "name": calendar.name, "color": "auto", "hexColor": "",
            "isDefaultCalendar": calendar.default, "changeKey": format!("ck{}", calendar.change),
            "canShare": calendar.owner == self.email, "canViewPrivateItems": calendar.owner == self.email,
            "canEdit": calendar.can_edit, "isTallyingResponses": calendar.default, "isRemovable": !calendar.default,
            "allowedOnlineMeetingProviders": meetings, "defaultOnlineMeetingProvider": default,
            "owner": {"name": calendar.owner.split('@').next(), "address": calendar.owner},
        })
    }
}

impl Graph {
    pub(super) fn calendar_key(&self, ask: &Ask, id: Option<&str>) -> Result<u64, Answer> {
        let mut state = lock(&self.state);
        let mailbox = state.mailbox(ask.account())?;
        let key = match id {
            None => Some(mailbox.default_calendar()),
            Some(id) => ids::read_calendar(id),
        };
        key.filter(|key| mailbox.calendars.contains_key(key))
            .ok_or_else(|| errors::error("ErrorItemNotFound"))
    }

    pub(super) fn list_calendars(&self, ask: &Ask) -> Result<Answer, Answer> {
        let mut state = lock(&self.state);
        let mailbox = state.mailbox(ask.account())?;
        let all: Vec<Value> = mailbox
            .calendars
            .values()
            .map(|calendar| mailbox.calendar_json(calendar))
            .collect();
        let size = ask
            .query
            .get_any_case("$top")
            .and_then(|n| n.parse().ok())
            .unwrap_or(10usize)
            .max(1);
        let skip = ask
            .query
            .get_any_case("$skip")
            .and_then(|n| n.parse().ok())
            .unwrap_or(0usize);
        let origin = self.world.origin();
        let mut out = json!({"@odata.context": format!("{origin}/graph/v1.0/$metadata#users('me')/calendars")});
        if skip + size < all.len() {
            out["@odata.nextLink"] = format!(
                "{origin}/graph/v1.0/me/calendars?$top={size}&$skip={}",
                skip + size
            )
            .into();
        }
        out["value"] = all.into_iter().skip(skip).take(size).collect();
        Ok(web::json(200, &out))
    }

    pub(super) fn new_calendar(&self, ask: &Ask) -> Result<Answer, Answer> {
        self.check_body("calendar", &ask.body);
        let name = ask.body["name"].as_str().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| errors::error("ErrorInvalidRequest"))?;
        let mut state = lock(&self.state);
        let mailbox = state.mailbox(ask.account())?;
        if mailbox
            .calendars
            .values()
            .any(|calendar| calendar.name == name)
        {
            return Err(errors::saying(
                "ErrorFolderExists",
                "A folder with the specified name already exists.",
            ));
        }
        let key = self.world.next();
        let calendar = Calendar {
            key,
            name: name.to_string(),
            default: false,
            can_edit: true,
            owner: mailbox.email.clone(),
            change: key,
        };
        mailbox.calendars.insert(key, calendar);
        Ok(web::json(
            201,
            &mailbox.calendar_json(&mailbox.calendars[&key]),
        ))
    }

    pub(super) fn on_calendar(&self, ask: &Ask, method: &str, key: u64) -> Result<Answer, Answer> {
        let mut state = lock(&self.state);
        let mailbox = state.mailbox(ask.account())?;
        match method {
            "GET" => {}
            "PATCH" => {
                self.check_body("calendar", &ask.body);
                let seq = self.world.next();
                if let (Some(calendar), Some(name)) =
                    (mailbox.calendars.get_mut(&key), ask.body["name"].as_str())
                {
                    (calendar.name, calendar.change) = (name.to_string(), seq);
                }
            }
            "DELETE" if mailbox.calendars[&key].default => {
                return Err(errors::error("ErrorAccessDenied"));
            }
            "DELETE" => {
                mailbox.calendars.remove(&key);
                mailbox.items.retain(|_, item| item.calendar != key);
                let left = &mailbox.items;
                mailbox.order.retain(|_, item| left.contains_key(item));
                return Ok(web::empty(204));
            }
            _ => return Err(errors::error("ErrorInvalidRequest")),
        }
        Ok(web::json(
            200,
            &mailbox.calendar_json(&mailbox.calendars[&key]),
        ))
    }

    pub(super) fn mailbox_settings(&self, ask: &Ask) -> Result<Answer, Answer> {
        if !ask
            .access
            .has(&["MailboxSettings.Read", "MailboxSettings.ReadWrite"])
        {
            return Err(errors::error("ErrorAccessDenied"));
        }
        let mut state = lock(&self.state);
        let zone = &state.mailbox(ask.account())?.zone;
        let hours = json!({
            "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
            "startTime": "08:00:00.0000000", "endTime": "17:00:00.0000000", "timeZone": {"name": zone},
        });
        Ok(web::json(
            200,
            &json!({"timeZone": zone, "userPurpose": "user", "workingHours": hours}),
        ))
    }

    /// Keys and enums of a body, against the schema.
    pub(super) fn check_body(&self, kind: &str, body: &Value) {
        if let Some(schema) = schema::graph() {
            for wrong in schema.check(kind, body) {
                self.world.violation(format!("Graph: {wrong}"));
            }
        }
    }
}
