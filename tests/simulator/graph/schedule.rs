//! `getSchedule` (FACTS §4.6): work accounts only, errors per address.

use super::super::recur;
use super::super::web::{self, Answer};
use super::super::world::lock;
use super::{Ask, Graph, Mailbox, errors, zones};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

const LONGEST: i64 = 62 * 86_400;
const MOST: usize = 100;

/// (showAs, digit)
const DIGITS: &[(&str, char)] = &[
    ("free", '0'),
    ("tentative", '1'),
    ("busy", '2'),
    ("oof", '3'),
    ("workingElsewhere", '4'),
];

impl Graph {
    pub(super) fn schedule(&self, ask: &Ask) -> Result<Answer, Answer> {
        // OData parameters of actions are written in either case.
        let field = |name: &str| {
            let all = ask.body.as_object().into_iter().flatten();
            let mut found = all.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            found.next().map_or(Value::Null, |(_, value)| value.clone())
        };
        let at = |name: &str| {
            let value = field(name);
            let zone = value["timeZone"]
                .as_str()
                .map_or(Some(TimeZone::UTC), zones::zone);
            let local = value["dateTime"]
                .as_str()
                .and_then(|text| text.parse::<DateTime>().ok());
            let both = zone
                .zip(local)
                .map(|(zone, local)| recur::instant(local, &zone));
            both.ok_or_else(|| errors::error("ErrorInvalidParameter"))
        };
        let (min, max) = (at("StartTime")?, at("EndTime")?);
        let interval = field("AvailabilityViewInterval").as_i64().unwrap_or(30);
        let schedules = field("Schedules").as_array().cloned().unwrap_or_default();
        if !(5..=1440).contains(&interval) || max <= min {
            return Err(errors::error("ErrorInvalidParameter"));
        }
        if schedules.len() > MOST {
            return Err(errors::error("ErrorMailboxDataArrayTooBig"));
        }
        if max - min > LONGEST {
            return Err(errors::error("ErrorTimeIntervalTooBig"));
        }
        let mut state = lock(&self.state);
        if !state.mailbox(ask.account())?.work {
            return Err(errors::error("ErrorAccessDenied"));
        }
        let zone = ask.prefer.zone.clone().unwrap_or_else(|| "UTC".to_string());
        let one = |address: &Value| {
            let address = address.as_str().unwrap_or("");
            match state.mailboxes.get(address) {
                Some(mailbox) => mailbox.availability(min, max, interval * 60, &zone),
                None => json!({"scheduleId": address, "availabilityView": "", "error": {
                    "message": "Unable to resolve e-mail address to an Active Directory object.", "responseCode": "ErrorMailRecipientNotFound",
                }}),
            }
        };
        let value: Vec<Value> = schedules.iter().map(one).collect();
        let context = format!(
            "{}/graph/v1.0/$metadata#Collection(microsoft.graph.scheduleInformation)",
            self.world.origin()
        );
        Ok(web::json(
            200,
            &json!({"@odata.context": context, "value": value}),
        ))
    }
}

impl Mailbox {
    fn availability(&self, min: i64, max: i64, step: i64, zone: &str) -> Value {
        let tz = zones::zone(zone).unwrap_or(TimeZone::UTC);
        let point = |unix: i64| {
            let local = recur::local(unix, &tz);
            json!({"dateTime": local.strftime("%Y-%m-%dT%H:%M:%S.0000000").to_string(), "timeZone": zone})
        };
        let mut view: Vec<char> = vec!['0'; ((max - min + step - 1) / step) as usize];
        let mut items = Vec::new();
        for (item, one) in self.in_window(None, min, max) {
            let status = item
                .json
                .get("showAs")
                .and_then(Value::as_str)
                .unwrap_or("busy");
            let (start, end) = one
                .as_ref()
                .map_or((&item.start, &item.end), |one| (&one.start, &one.end));
            let (from, to) = (start.instant(), end.instant());
            let digit = DIGITS
                .iter()
                .find(|row| row.0 == status)
                .map_or('2', |row| row.1);
            for (at, cell) in view.iter_mut().enumerate() {
                let cell_start = min + at as i64 * step;
                if cell_start < to && cell_start + step > from && digit > *cell {
                    *cell = digit;
                }
            }
            let private = item.json.get("sensitivity").is_some_and(|s| s == "private");
            items.push(json!({"isPrivate": private, "status": status, "start": point(from), "end": point(to)}));
        }
        json!({
            "scheduleId": self.email, "availabilityView": view.into_iter().collect::<String>(), "scheduleItems": items,
            "workingHours": {"daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
                "startTime": "08:00:00.0000000", "endTime": "17:00:00.0000000", "timeZone": {"name": self.zone}},
        })
    }
}
