//! For tests of providers: the simulator as a transport, and what the discovery document says of requests.

mod fidelity;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};

use super::{Answer, Broken, Credentials, Fault, Transport};

/// The simulator as a transport.
#[derive(Clone)]
pub struct Simulated {
    pub simulator: crate::simulator::Simulator,
    requests: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl Simulated {
    pub fn new(simulator: crate::simulator::Simulator) -> Simulated {
        Simulated {
            simulator,
            requests: Arc::default(),
        }
    }

    /// What was sent since the last call.
    pub fn take(&self) -> Vec<Request<Bytes>> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

impl Transport for Simulated {
    fn send(&self, request: Request<Bytes>) -> Answer<'_, Result<Response<Bytes>, Broken>> {
        self.requests.lock().unwrap().push(request.clone());
        let answer = self.simulator.handle(request).map_err(|broken| Broken {
            sent: broken == crate::simulator::Broken::AfterWrite,
            reason: "the connection broke".into(),
        });
        Box::pin(async move { answer })
    }
}

/// Always the same bearer token.
pub struct Token(pub String);

impl Credentials for Token {
    fn header(&self, rejected: bool) -> Answer<'_, Result<Option<HeaderValue>, Fault>> {
        let value = HeaderValue::from_str(&format!("Bearer {}", self.0)).unwrap();
        Box::pin(async move {
            match rejected {
                true => Err(Fault::Revoked("refused".into())),
                false => Ok(Some(value)),
            }
        })
    }
}

/// Google's methods that a provider may call: verb, path under the root (`*` is one segment), name.
const GOOGLE: &[(&str, &str, &str)] = &[
    ("GET", "users/me/calendarList", "calendarList.list"),
    ("GET", "calendars/*/events", "events.list"),
    ("POST", "calendars/*/events", "events.insert"),
    ("POST", "calendars/*/events/watch", "events.watch"),
    ("GET", "calendars/*/events/*", "events.get"),
    ("PUT", "calendars/*/events/*", "events.update"),
    ("PATCH", "calendars/*/events/*", "events.patch"),
    ("DELETE", "calendars/*/events/*", "events.delete"),
    ("POST", "freeBusy", "freebusy.query"),
    ("POST", "channels/stop", "channels.stop"),
];

/// What of these requests the discovery document does not know, or our own rules forbid: a write that does not say who
/// is mailed, and guests without being told to send them.
pub fn against_google(requests: &[Request<Bytes>], root: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for request in requests {
        let address = request.uri().to_string();
        let Some(rest) = address.strip_prefix(root) else {
            continue; // not of the Calendar API
        };
        let (path, query) = rest
            .trim_start_matches('/')
            .split_once('?')
            .unwrap_or((rest.trim_start_matches('/'), ""));
        let fits = |template: &str| {
            let (ours, theirs): (Vec<_>, Vec<_>) =
                (path.split('/').collect(), template.split('/').collect());
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| b == "*" || *a == b)
        };
        let row = GOOGLE
            .iter()
            .find(|(verb, template, _)| request.method() == verb && fits(template));
        let Some((verb, _, method)) = row else {
            faults.push(format!("{} {path}: no such method", request.method()));
            continue;
        };
        let names: Vec<&str> = query
            .split('&')
            .filter_map(|pair| pair.split('=').next())
            .filter(|n| !n.is_empty())
            .collect();
        let writes = *verb != "GET" && method.starts_with("events.") && *method != "events.watch";
        if writes && !names.contains(&"sendUpdates") {
            faults.push(format!("{method} without sendUpdates"));
        }
        let body: serde_json::Value = match request.body().is_empty() {
            true => serde_json::Value::Null,
            false => serde_json::from_slice(request.body()).unwrap(),
        };
        if body.get("attendees").is_some() && !query.contains("sendUpdates=all") {
            faults.push(format!("{method} with guests"));
        }
        if let Some(schema) = crate::simulator::schema::google() {
            faults.extend(schema.request(method, &body));
            let unknown = schema.unknown_param(method, names.iter().copied());
            faults.extend(unknown.map(|name| format!("{method}: parameter {name}")));
        }
    }
    faults
}
