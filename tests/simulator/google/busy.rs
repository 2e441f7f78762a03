//! `freeBusy.query` (FACTS §2.5): errors are per calendar, blocks are merged.

use super::super::web::{self, Answer};
use super::super::world::lock;
use super::resource::offset_form;
use super::{Ask, Calendar, Google, errors};
use serde_json::{Value, json};

const LONGEST: i64 = 93 * 86_400;

impl Google {
    pub(super) fn free_busy(&self, ask: &Ask) -> Result<Answer, Answer> {
        let at = |key: &str| {
            let text = ask.body[key]
                .as_str()
                .ok_or_else(|| errors::error("required"))?;
            let at = text
                .parse::<jiff::Timestamp>()
                .map_err(|_| errors::error("badRequest"))?;
            Ok(at.as_second())
        };
        let (min, max) = (at("timeMin")?, at("timeMax")?);
        if max <= min {
            return Err(errors::error("timeRangeEmpty"));
        }
        if max - min > LONGEST {
            return Err(errors::error("timeRangeTooLong"));
        }
        let zone = ask.body["timeZone"].as_str().unwrap_or("UTC");
        let items = ask.body["items"].as_array().cloned().unwrap_or_default();
        let mut out = serde_json::Map::new();
        let mut state = lock(&self.state);
        for (at, item) in items.iter().enumerate() {
            let id = item["id"].as_str().unwrap_or("");
            let failed = |reason: &str| json!({"errors": [{"domain": "global", "reason": reason}], "busy": []});
            let answer = match state.find(id, &ask.access.email) {
                _ if at >= 50 => failed("tooManyCalendarsRequested"),
                Ok(calendar) => match &calendar.busy_error {
                    Some(reason) => failed(reason),
                    None => json!({"busy": blocks(calendar, min, max, zone)}),
                },
                Err(_) => failed("notFound"),
            };
            out.insert(id.to_string(), answer);
        }
        Ok(web::json(
            200,
            &json!({
                "kind": "calendar#freeBusy", "timeMin": offset_form(min, zone), "timeMax": offset_form(max, zone), "calendars": out,
            }),
        ))
    }
}

fn blocks(calendar: &Calendar, min: i64, max: i64, zone: &str) -> Vec<Value> {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for event in calendar.events.values().filter(|event| !event.cancelled()) {
        let found = match event.recurs() {
            true => calendar.instances_in(event, Some(min), Some(max), false),
            false if event.master().is_none() => vec![event.clone()],
            false => Vec::new(),
        };
        let busy = found
            .iter()
            .filter(|one| one.text("transparency") != "transparent");
        spans.extend(
            busy.filter_map(|one| calendar.span(one))
                .filter(|(from, to)| *from < max && *to > min),
        );
    }
    spans.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::new();
    for (from, to) in spans {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    let clip = |(from, to): (i64, i64)| json!({"start": offset_form(from.max(min), zone), "end": offset_form(to.min(max), zone)});
    merged.into_iter().map(clip).collect()
}
