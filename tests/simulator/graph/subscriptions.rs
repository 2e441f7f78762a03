//! Subscriptions: handshake, renewal, notifications, lifecycle (FACTS §4.7).

use super::super::web::{self, Answer};
use super::super::world::lock;
use super::render::instant;
use super::{Ask, Graph, State, Validator, errors, ids};
use bytes::Bytes;
use http::Request;
use jiff::civil::Date;
use serde_json::{Value, json};
use std::sync::Arc;

const LONGEST: i64 = 10_080 * 60;
const SHORTEST: i64 = 45 * 60;
const MOST: usize = 1000;
const TENANT: &str = "84bd8158-6d4d-4958-8b9f-9d6445542f95";

pub(super) struct Subscription {
    pub id: String,
    account: String,
    change_type: String,
    pub resource: String,
    /// The calendar; none for all of the mailbox.
    calendar: Option<u64>,
    url: String,
    lifecycle: Option<String>,
    client_state: Option<String>,
    until: i64,
    immutable: bool,
}

impl Subscription {
    fn json(&self) -> Value {
        json!({
            "id": self.id, "resource": self.resource, "applicationId": super::super::oauth::CLIENT_ID,
            "changeType": self.change_type, "clientState": self.client_state, "notificationUrl": self.url,
            "lifecycleNotificationUrl": self.lifecycle, "expirationDateTime": instant(self.until), "creatorId": self.account,
            "latestSupportedTlsVersion": "v1_2", "encryptionCertificate": null, "encryptionCertificateId": null,
            "includeResourceData": null, "notificationQueryOptions": null, "notificationUrlAppId": null,
        })
    }
}

fn post(url: &str, body: &Value) -> Option<Request<Bytes>> {
    let request = Request::post(url).header("content-type", "application/json; charset=utf-8");
    request.body(Bytes::from(body.to_string())).ok()
}

fn expiry(now: i64, body: &Value) -> Result<i64, Answer> {
    let text = body["expirationDateTime"].as_str().unwrap_or("");
    let wanted = text
        .parse::<jiff::Timestamp>()
        .map_err(|_| errors::saying("BadRequest", "ExpirationDateTime is invalid."))?;
    let wanted = wanted.as_second();
    if wanted > now + LONGEST + 300 {
        return Err(errors::saying(
            "BadRequest",
            "Subscription expiration can only be 10080 minutes in the future.",
        ));
    }
    if wanted <= now {
        return Err(errors::saying(
            "BadRequest",
            "Subscription expiration must be in the future.",
        ));
    }
    Ok(wanted.max(now + SHORTEST))
}

impl Graph {
    /// How the simulator reaches the server under test while it creates a subscription.
    pub fn set_validator(
        &self,
        call: impl Fn(&str) -> Option<(u16, String, String)> + Send + Sync + 'static,
    ) {
        let call: Validator = Box::new(call);
        *lock(&self.validator) = Some(Arc::new(call));
    }

    pub(super) fn subscription(
        &self,
        ask: &Ask,
        method: &str,
        rest: &[&str],
    ) -> Result<Answer, Answer> {
        if method == "POST" && rest.is_empty() {
            return self.subscribe(ask);
        }
        let now = self.world.now();
        let mut state = lock(&self.state);
        state.subscriptions.retain(|one| one.until > now);
        let own = |one: &Subscription| one.account == ask.account();
        if rest.is_empty() {
            let all: Vec<Value> = state
                .subscriptions
                .iter()
                .filter(|one| own(one))
                .map(Subscription::json)
                .collect();
            return Ok(web::json(
                200,
                &json!({"@odata.context": self.context("subscriptions"), "value": all}),
            ));
        }
        let at = state
            .subscriptions
            .iter()
            .position(|one| own(one) && one.id == rest[0]);
        let at =
            at.ok_or_else(|| errors::saying("ResourceNotFound", "The object was not found."))?;
        match (method, rest.get(1)) {
            ("GET", None) => {}
            ("PATCH", None) => {
                self.check_body("subscription", &ask.body);
                state.subscriptions[at].until = expiry(now, &ask.body)?;
            }
            ("POST", Some(&"reauthorize")) => return Ok(web::empty(204)),
            ("DELETE", None) => {
                state.subscriptions.remove(at);
                return Ok(web::empty(204));
            }
            _ => return Err(errors::error("ErrorInvalidRequest")),
        }
        Ok(web::json(200, &state.subscriptions[at].json()))
    }

    fn subscribe(&self, ask: &Ask) -> Result<Answer, Answer> {
        let body = &ask.body;
        self.check_body("subscription", body);
        let text = |key: &str| {
            body[key]
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_string)
        };
        let missing = |key: &str| errors::saying("InvalidRequest", &format!("{key} is required."));
        let url = text("notificationUrl").ok_or_else(|| missing("notificationUrl"))?;
        let resource = text("resource").ok_or_else(|| missing("resource"))?;
        let change_type = text("changeType").ok_or_else(|| missing("changeType"))?;
        let now = self.world.now();
        let until = expiry(now, body)?;
        let client_state = text("clientState");
        if client_state.as_ref().is_some_and(|state| state.len() > 128) {
            return Err(errors::saying("InvalidRequest", "clientState is too long."));
        }
        let calendar = self.watched(ask, &resource)?;
        let lifecycle = text("lifecycleNotificationUrl");
        for url in std::iter::once(&url).chain(&lifecycle) {
            if !web::may_be_called(url) {
                return Err(errors::saying(
                    "InvalidRequest",
                    "The notification URL must start with https.",
                ));
            }
            self.shake_hands(url)?;
        }
        let mut state = lock(&self.state);
        state.subscriptions.retain(|one| one.until > now);
        let own = state
            .subscriptions
            .iter()
            .filter(|one| one.account == ask.account());
        let own: Vec<&Subscription> = own.collect();
        if own
            .iter()
            .any(|one| one.change_type == change_type && one.resource == resource)
        {
            return Err(errors::saying(
                "Conflict",
                "A subscription for the same resource and change type exists.",
            ));
        }
        if own.len() >= MOST {
            return Err(errors::saying(
                "ErrorAccessDenied",
                "Too many subscriptions.",
            ));
        }
        let subscription = Subscription {
            id: self.world.uuid(),
            account: ask.account().to_string(),
            change_type,
            resource,
            calendar,
            url,
            lifecycle,
            client_state,
            until,
            immutable: ask.prefer.immutable,
        };
        let mut out = subscription.json();
        out["@odata.context"] = self.context("subscriptions/$entity").into();
        state.subscriptions.push(subscription);
        Ok(web::json(201, &out))
    }

    fn watched(&self, ask: &Ask, resource: &str) -> Result<Option<u64>, Answer> {
        let parts: Vec<&str> = resource.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            ["me", "events"] => Ok(None),
            ["me", "calendars", id, "events"] => {
                self.calendar_key(ask, Some(&web::decode(id))).map(Some)
            }
            _ => Err(errors::saying(
                "InvalidRequest",
                "The resource cannot be subscribed to.",
            )),
        }
    }

    /// Both addresses have to give the validation token back, decoded, as plain text.
    fn shake_hands(&self, url: &str) -> Result<(), Answer> {
        let Some(call) = lock(&self.validator).clone() else {
            return Ok(());
        };
        let token = format!(
            "Validation: Testing client+application & reachability for {}",
            self.world.uuid()
        );
        let target = format!(
            "{url}{}validationToken={}",
            if url.contains('?') { '&' } else { '?' },
            web::encode(&token).replace("%20", "+")
        );
        let fine = call(&target).is_some_and(|(status, kind, body)| {
            status == 200 && kind.starts_with("text/plain") && body == token
        });
        let words = "Subscription validation request failed. Response must exactly match validationToken query parameter.";
        fine.then_some(())
            .ok_or_else(|| errors::saying("ValidationError", words))
    }

    /// Something happened to an event.
    pub(super) fn notify(
        &self,
        state: &mut State,
        account: &str,
        key: u64,
        date: Option<Date>,
        what: &str,
    ) {
        let now = self.world.now();
        let Some(item) = state
            .mailboxes
            .get(account)
            .and_then(|mailbox| mailbox.items.get(&key))
        else {
            return;
        };
        for one in state
            .subscriptions
            .iter()
            .filter(|one| one.account == account && one.until > now)
        {
            let here = one
                .calendar
                .is_none_or(|calendar| calendar == item.calendar);
            if !here || !one.change_type.split(',').any(|kind| kind.trim() == what) {
                continue;
            }
            let id = item.id(date, one.immutable);
            let resource = format!("Users/{account}/Events/{id}");
            let body = json!({"value": [{
                "subscriptionId": one.id, "subscriptionExpirationDateTime": instant(one.until), "changeType": what,
                "resource": resource, "clientState": one.client_state, "tenantId": TENANT,
                "resourceData": {
                    "@odata.type": "#Microsoft.Graph.Event", "@odata.id": resource, "@odata.etag": item.etag(date), "id": id,
                },
            }]});
            if let Some(request) = post(&one.url, &body) {
                self.world.ping(request);
            }
        }
    }

    /// Sends a lifecycle event (`reauthorizationRequired`, `subscriptionRemoved`, `missed`) for every subscription of an account.
    pub fn lifecycle(&self, account: &str, event: &str) {
        let mut state = lock(&self.state);
        for one in state
            .subscriptions
            .iter()
            .filter(|one| one.account == account)
        {
            let body = json!({"value": [{
                "subscriptionId": one.id, "subscriptionExpirationDateTime": instant(one.until), "tenantId": TENANT,
                "clientState": one.client_state, "lifecycleEvent": event, "resource": one.resource,
            }]});
            if let Some(request) = one.lifecycle.as_deref().and_then(|url| post(url, &body)) {
                self.world.ping(request);
            }
        }
        if event == "subscriptionRemoved" {
            state.subscriptions.retain(|one| one.account != account);
        }
    }

    /// Subscriptions of an account: (id, resource, notification address).
    pub fn subscriptions(&self, account: &str) -> Vec<(String, String, String)> {
        let now = self.world.now();
        let state = lock(&self.state);
        let own = state
            .subscriptions
            .iter()
            .filter(|one| one.account == account && one.until > now);
        own.map(|one| (one.id.clone(), one.resource.clone(), one.url.clone()))
            .collect()
    }

    /// The resource that watches one calendar.
    pub fn resource_of(calendar: u64) -> String {
        format!("/me/calendars/{}/events", ids::calendar(calendar))
    }
}
