//! Does the simulator behave as FACTS says? Samples of each section.

mod dav;
mod google;
mod graph;
mod oauth;

use super::{Simulator, web};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

/// 2026-01-05 08:00:00 UTC, a Monday.
pub const NOW: i64 = 1_767_600_000;

pub struct Client<'a> {
    pub simulator: &'a Simulator,
    pub base: &'static str,
    pub token: String,
}

pub struct Reply {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Value,
}

impl Client<'_> {
    pub fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://simulator.test{}{target}", self.base))
            .header("authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or(Bytes::new(), |body| body.to_string().into());
        let answer: Response<Bytes> = self.simulator.handle(request.body(body).unwrap()).unwrap();
        Reply {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: serde_json::from_slice(answer.body()).unwrap_or(Value::Null),
        }
    }
    pub fn get(&self, target: &str) -> Reply {
        self.send("GET", target, &[], None)
    }
    pub fn post(&self, target: &str, body: Value) -> Reply {
        self.send("POST", target, &[], Some(body))
    }
}

impl Reply {
    /// Google's reason.
    pub fn reason(&self) -> &str {
        self.body["error"]["errors"][0]["reason"]
            .as_str()
            .unwrap_or("")
    }
    /// Graph's code.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or("")
    }
    pub fn ids(&self, list: &str) -> Vec<&str> {
        let items = self.body[list].as_array().into_iter().flatten();
        items.filter_map(|item| item["id"].as_str()).collect()
    }
}

pub fn form(simulator: &Simulator, path: &str, pairs: &[(&str, &str)]) -> Reply {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(k, v)| format!("{k}={}", web::encode(v)))
        .collect();
    let request = Request::post(format!("https://simulator.test{path}"))
        .body(Bytes::from(pairs.join("&")))
        .unwrap();
    let answer = simulator.handle(request).unwrap();
    Reply {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        body: serde_json::from_slice(answer.body()).unwrap_or(Value::Null),
    }
}
