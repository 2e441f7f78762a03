//! For tests of providers: an account over a scripted transport that keeps what was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};

use super::{Account, Answer, Broken, Credentials, Endpoints, Fault, Transport};
use crate::clock::Clock;

/// What the clock of [`account`] says: 2026-03-27T12:00:00Z.
pub const NOW: i64 = 1_774_612_800;

/// Answers in order what it was told to; asking for more is a failure of the test.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    answers: VecDeque<Result<Response<Bytes>, Broken>>,
    requests: Vec<Request<Bytes>>,
}

impl Script {
    pub fn new() -> Script {
        Script::default()
    }

    pub fn answer(self, status: u16, body: impl Into<String>) -> Script {
        self.response(
            Response::builder()
                .status(status)
                .body(Bytes::from(body.into()))
                .unwrap(),
        )
    }

    pub fn json(self, status: u16, body: &serde_json::Value) -> Script {
        self.answer(status, body.to_string())
    }

    pub fn response(self, response: Response<Bytes>) -> Script {
        self.0.lock().unwrap().answers.push_back(Ok(response));
        self
    }

    pub fn broken(self, sent: bool) -> Script {
        self.0.lock().unwrap().answers.push_back(Err(Broken {
            sent,
            reason: "the connection broke".into(),
        }));
        self
    }

    /// What was sent so far.
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        self.0.lock().unwrap().requests.clone()
    }

    /// How many answers nobody asked for.
    pub fn left(&self) -> usize {
        self.0.lock().unwrap().answers.len()
    }
}

impl Transport for Script {
    fn send(&self, request: Request<Bytes>) -> Answer<'_, Result<Response<Bytes>, Broken>> {
        let mut inner = self.0.lock().unwrap();
        let said = format!("{} {}", request.method(), request.uri());
        inner.requests.push(request);
        let answer = inner.answers.pop_front();
        Box::pin(async move { answer.unwrap_or_else(|| panic!("not in the script: {said}")) })
    }
}

/// `Authorization: Bearer token`, always.
pub struct Fixed;

impl Credentials for Fixed {
    fn header(&self, rejected: bool) -> Answer<'_, Result<Option<HeaderValue>, Fault>> {
        Box::pin(async move {
            if rejected {
                return Err(Fault::Revoked("refused".into()));
            }
            Ok(Some(HeaderValue::from_static("Bearer token")))
        })
    }
}

pub fn account(script: &Script) -> Account {
    account_with(script, Arc::new(Fixed))
}

/// An account at `https://api.example`, of `me@example.com`, at [`NOW`].
pub fn account_with(script: &Script, credentials: Arc<dyn Credentials>) -> Account {
    Account {
        transport: Arc::new(script.clone()),
        credentials,
        endpoints: Arc::new(Endpoints {
            api: "https://api.example".into(),
            authorize: "https://accounts.example/authorize".into(),
            token: "https://accounts.example/token".into(),
            userinfo: "https://accounts.example/userinfo".into(),
            revoke: "https://accounts.example/revoke".into(),
        }),
        clock: Clock::by_hand(NOW),
        label: "me@example.com".into(),
    }
}

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
