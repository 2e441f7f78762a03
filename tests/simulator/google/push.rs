//! Push channels (FACTS §2.6).

use super::super::web::{self, Answer};
use super::super::world::lock;
use super::{Ask, Google, State, errors};
use bytes::Bytes;
use http::Request;
use serde_json::json;

pub(super) struct Channel {
    pub id: String,
    pub resource: String,
    uri: String,
    address: String,
    token: Option<String>,
    pub until: i64,
    /// The calendar; none for a calendar list.
    pub calendar: Option<String>,
    pub account: String,
    messages: u64,
}

const WEEK: i64 = 604_800;
const MONTH: i64 = 30 * 86_400;

impl Channel {
    fn ping(&mut self, state: &str) -> Option<Request<Bytes>> {
        self.messages += if self.messages == 0 { 1 } else { 7 };
        let until = web::http_date(self.until);
        let number = self.messages.to_string();
        let mut headers = vec![
            ("x-goog-channel-id", self.id.as_str()),
            ("x-goog-message-number", &number),
            ("x-goog-resource-id", &self.resource),
            ("x-goog-resource-state", state),
            ("x-goog-resource-uri", &self.uri),
            ("x-goog-channel-expiration", &until),
        ];
        headers.extend(
            self.token
                .as_deref()
                .map(|token| ("x-goog-channel-token", token)),
        );
        let request = Request::post(&self.address).header("content-length", "0");
        let request = headers.into_iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        request.body(Bytes::new()).ok()
    }
}

impl Google {
    pub(super) fn watch(&self, ask: &Ask) -> Result<Answer, Answer> {
        let body = &ask.body;
        let text = |key: &str| body[key].as_str().filter(|text| !text.is_empty());
        let missing = || errors::error("required");
        let id = text("id").ok_or_else(missing)?.to_string();
        let address = text("address").ok_or_else(missing)?.to_string();
        let token = text("token").map(str::to_string);
        if !matches!(text("type"), Some("web_hook" | "webhook")) {
            return Err(errors::saying("invalid", "Unknown channel type."));
        }
        if !web::may_be_called(&address) {
            return Err(errors::saying(
                "webhookUrlNotHttps",
                "WebHook callback must be HTTPS.",
            ));
        }
        if id.len() > 64 || token.as_ref().is_some_and(|token| token.len() > 256) {
            return Err(errors::saying(
                "invalid",
                "Channel id or token is too long.",
            ));
        }
        let now = self.world.now();
        let number = |value: &serde_json::Value| {
            value
                .as_str()
                .and_then(|n| n.parse::<i64>().ok())
                .or(value.as_i64())
        };
        let wanted = match (number(&body["expiration"]), number(&body["params"]["ttl"])) {
            (Some(ms), _) => ms / 1000,
            (None, Some(ttl)) => now + ttl,
            _ => now + WEEK,
        };
        let mut state = lock(&self.state);
        let calendar = match ask.method {
            "events.watch" => {
                let calendar = state.find(&ask.path[0], &ask.access.email)?;
                if !calendar.push {
                    return Err(errors::error("pushNotSupportedForRequestedResource"));
                }
                Some(calendar.id.clone())
            }
            _ => None,
        };
        if state
            .channels
            .iter()
            .any(|channel| channel.id == id && channel.until > now)
        {
            return Err(errors::error("channelIdNotUnique"));
        }
        let name = calendar.as_deref().unwrap_or("list");
        let mut channel = Channel {
            uri: format!(
                "https://www.googleapis.com{}?alt=json",
                ask.call
                    .path
                    .trim_start_matches("/google")
                    .trim_end_matches("/watch")
            ),
            resource: format!(
                "r{:x}{}",
                name.len() * 31,
                name.chars()
                    .filter(char::is_ascii_alphanumeric)
                    .take(20)
                    .collect::<String>()
            ),
            id,
            address,
            token,
            until: wanted.min(now + MONTH),
            calendar,
            account: ask.access.email.clone(),
            messages: 0,
        };
        let mut out = json!({
            "kind": "api#channel", "id": channel.id, "resourceId": channel.resource, "resourceUri": channel.uri,
            "expiration": (channel.until * 1000).to_string(),
        });
        if let Some(token) = &channel.token {
            out["token"] = token.as_str().into();
        }
        if let Some(ping) = channel.ping("sync") {
            self.world.ping(ping);
        }
        state.channels.push(channel);
        Ok(web::json(200, &out))
    }

    pub(super) fn stop(&self, ask: &Ask) -> Result<Answer, Answer> {
        let mut state = lock(&self.state);
        let before = state.channels.len();
        state.channels.retain(|channel| {
            ask.body["id"] != channel.id.as_str()
                || ask.body["resourceId"] != channel.resource.as_str()
        });
        match state.channels.len() < before {
            true => Ok(web::empty(204)),
            false => Err(errors::saying("notFound", "Channel not found for project.")),
        }
    }

    /// Something in the calendar changed.
    pub(super) fn ping_channels(&self, state: &mut State, calendar: &str) {
        let now = self.world.now();
        let live = state
            .channels
            .iter_mut()
            .filter(|channel| channel.until > now);
        for channel in live.filter(|channel| channel.calendar.as_deref() == Some(calendar)) {
            if let Some(ping) = channel.ping("exists") {
                self.world.ping(ping);
            }
        }
    }
}
