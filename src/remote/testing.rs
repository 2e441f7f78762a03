//! For tests of providers: an account over a scripted transport that keeps what was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};

pub use super::tests::{Simulated, Token, against_google};
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
