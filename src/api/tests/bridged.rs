//! Somebody whose calendars are linked with accounts at the simulator, at the API.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::Answer;
use crate::app::connections::tests::world::{ANNA, Bridged, registered};
use crate::app::links;
use crate::jobs;
use crate::model::{ConnectionId, LinkId};
use crate::store;
use crate::sync::Report;
use crate::wire::Peer;

pub const PUBLIC: &str = "https://cal.example.org";

pub struct Linked {
    pub world: Bridged,
    pub credential: String,
    pub connection: ConnectionId,
}

impl std::ops::Deref for Linked {
    type Target = Bridged;

    fn deref(&self) -> &Bridged {
        &self.world
    }
}

impl Linked {
    /// Anna, connected and not linked yet.
    pub async fn new(provider: &str) -> Linked {
        let mut config = registered();
        config.public_url = PUBLIC.into();
        let world = Bridged::with(config).await;
        let back = format!("{PUBLIC}/oauth/{provider}/callback");
        world.authority(provider).allow_redirect(&back);
        let connection = world.connect(provider).await;
        let credential = world.basic("anna").await;
        Linked {
            world,
            credential,
            connection,
        }
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", &self.credential);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
        self.deliver(request.body(body).unwrap()).await
    }

    /// Hands a request to the router as it is.
    pub async fn deliver(&self, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(Peer::LOCAL);
        let reply = super::super::routes(self.app.clone())
            .oneshot(request)
            .await
            .unwrap();
        let (parts, body) = reply.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// What is expected to be done, as JSON.
    pub async fn ok(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self.send(method, path, body).await;
        assert!(
            answer.status.is_success(),
            "{method} {path}: {} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        answer.json()
    }

    /// The id of the account's main calendar.
    pub async fn primary(&self) -> i64 {
        let path = format!("/api/v1/connections/{}/calendars", self.connection);
        let all = self.ok("GET", &path, None).await;
        let main = all
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["primary"] == true);
        main.unwrap()["id"].as_i64().unwrap()
    }

    /// Links the main calendar, and lets the first run come to its end. The link as it was made.
    pub async fn link(&self, mut settings: Value) -> Value {
        settings["remote_calendar"] = self.primary().await.into();
        let made = self.ok("POST", "/api/v1/links", Some(settings)).await;
        self.work().await;
        made
    }

    /// What the worker would do by now.
    pub async fn work(&self) -> Vec<Report> {
        jobs::all_due(&self.app).await.unwrap()
    }

    /// Brings the providers' calls to us. How they were answered.
    pub async fn pings(&self) -> Vec<StatusCode> {
        let mut answers = Vec::new();
        for ping in self.simulator.take_pings() {
            answers.push(self.ping(ping).await);
        }
        answers
    }

    pub async fn ping(&self, ping: Request<Bytes>) -> StatusCode {
        assert!(ping.uri().to_string().starts_with(PUBLIC), "{}", ping.uri());
        self.deliver(ping.map(Body::from)).await.status
    }

    /// Whether the link is due now.
    pub async fn is_due(&self, id: i64) -> bool {
        let found = self
            .store
            .peek(|tx| Box::pin(store::bridges::links::get(tx, LinkId(id))))
            .await;
        found.unwrap().unwrap().poked.is_some()
    }

    /// Titles of the events in a local calendar.
    pub async fn titles(&self, slug: &str) -> Vec<String> {
        let path = format!("/api/v1/sessions?calendar={slug}");
        let page = self.ok("GET", &path, None).await;
        let sessions = page["sessions"].as_array().unwrap().iter();
        let mut titles: Vec<String> = sessions
            .map(|one| one["title"].as_str().unwrap_or_default().to_string())
            .collect();
        titles.sort();
        titles
    }

    /// Titles of Google's events.
    pub fn theirs(&self) -> Vec<String> {
        let mut titles: Vec<String> = self
            .simulator
            .google()
            .events(ANNA)
            .iter()
            .map(|event| event["summary"].as_str().unwrap_or_default().to_string())
            .collect();
        titles.sort();
        titles
    }

    pub fn add_there(&self, title: &str, day: i64) -> String {
        let event = json!({
            "summary": title,
            "start": {"dateTime": format!("2027-02-{day:02}T09:00:00Z")},
            "end": {"dateTime": format!("2027-02-{day:02}T10:00:00Z")},
        });
        self.simulator.google().add(ANNA, event).unwrap()
    }

    pub async fn shown(&self, id: i64) -> links::Shown {
        links::get(&self.app, &self.who, LinkId(id)).await.unwrap()
    }
}

/// A session of February 2027.
pub fn session(uid: &str, title: &str, day: i64) -> Value {
    json!({"uid": uid, "title": title, "start": format!("2027-02-{day:02}T11:00:00Z"),
           "end": format!("2027-02-{day:02}T12:00:00Z")})
}
