//! `$batch` (FACTS §4.8): at most 20, answers in another order, each with its own status.

use super::super::faults::Twist;
use super::super::web::{self, Answer, Call};
use super::{Graph, errors};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const MOST: usize = 20;

impl Graph {
    pub(super) fn batch(&self, call: &Call, twist: Twist) -> Answer {
        let body = call.json().unwrap_or(Value::Null);
        let Some(requests) = body["requests"].as_array() else {
            return errors::error("BadRequest");
        };
        if requests.len() > MOST {
            return errors::saying(
                "BadRequest",
                "Number of batch request steps exceeds the maximum value of 20.",
            );
        }
        let mut statuses: BTreeMap<String, u16> = BTreeMap::new();
        let mut out = Vec::new();
        for request in requests {
            let id = request["id"].as_str().unwrap_or("").to_string();
            let failed = |id: &Value| {
                id.as_str()
                    .and_then(|id| statuses.get(id))
                    .is_none_or(|status| *status >= 400)
            };
            let blocked = request["dependsOn"]
                .as_array()
                .is_some_and(|all| all.iter().any(failed));
            let answer = match inner(request, call) {
                _ if blocked => errors::saying(
                    "FailedDependency",
                    "A request that this one depends on failed.",
                ),
                // A fault whose target is an inner request strikes there.
                Some(inner) => match self.world.faults.pick_inner(&inner) {
                    Some(trouble) => {
                        let answer = errors::trouble(&trouble, self.world.now());
                        let after = trouble.retry_after.map(|after| after.to_string());
                        after.map_or(answer.clone(), |after| {
                            web::with(answer, "retry-after", &after)
                        })
                    }
                    None => self.one(&inner, twist).unwrap_or_else(|refused| refused),
                },
                None => errors::error("BadRequest"),
            };
            let status = if blocked {
                424
            } else {
                answer.status().as_u16()
            };
            statuses.insert(id.clone(), status);
            out.push(part(&id, status, &answer));
        }
        out.reverse();
        web::json(200, &json!({"responses": out}))
    }
}

fn part(id: &str, status: u16, answer: &Answer) -> Value {
    let headers: serde_json::Map<String, Value> = answer
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((title(name.as_str()), value.to_str().ok()?.into())))
        .collect();
    let mut out = json!({"id": id, "status": status, "headers": headers});
    if let Ok(body) = serde_json::from_slice::<Value>(answer.body()) {
        out["body"] = body;
    }
    out
}

/// `content-type` → `Content-Type`.
fn title(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

fn inner(request: &Value, outer: &Call) -> Option<Call> {
    let url = request["url"].as_str()?;
    let target = format!("/graph/v1.0/{}", url.trim_start_matches('/'));
    let mut inner = Request::builder()
        .method(request["method"].as_str()?)
        .uri(target);
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        inner = inner.header(name, value.as_str()?);
    }
    if let Some(token) = outer.header("authorization") {
        inner = inner.header("authorization", token);
    }
    let body = match &request["body"] {
        Value::Null => Bytes::new(),
        body => Bytes::from(body.to_string()),
    };
    Some(Call::new(inner.body(body).ok()?))
}
