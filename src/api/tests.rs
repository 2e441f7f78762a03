//! The API as programs see it: real router, real store, no sockets.

mod bridged;
mod connections;
mod hooks;
mod links;
mod sessions;

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::app::testing::World;
use crate::app::{calendars, users};
use crate::model::access::Scopes;
use crate::model::{Door, Guard, Origin, Privileges, StoredObject, Who};
use crate::objects::{self, Draft};
use crate::store;
use crate::wire::Peer;

/// A user at the API.
struct Client {
    world: World,
    credential: String,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Client {
    async fn new() -> Client {
        let world = World::new().await;
        world.user("anna").await;
        let credential = world.basic("anna").await;
        Client { world, credential }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .extension(Peer::LOCAL);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !headers.iter().any(|(name, _)| *name == "authorization") && !self.credential.is_empty()
        {
            request = request.header("authorization", &self.credential);
        }
        let request = request.body(body.into()).unwrap();
        let reply = super::routes(self.world.app.clone())
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

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Body::empty()).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(
            "POST",
            path,
            &[("content-type", "application/json")],
            body.to_string(),
        )
        .await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(
            "PATCH",
            path,
            &[("content-type", "application/merge-patch+json")],
            body.to_string(),
        )
        .await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], Body::empty()).await
    }

    /// A session that was made; the test fails when it was not.
    async fn made(&self, body: Value) -> Value {
        let answer = self.post("/api/v1/sessions", body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.json());
        answer.json()
    }

    async fn anna(&self) -> Who {
        let id = self
            .world
            .store
            .read(|tx| Box::pin(store::principals::find(tx, "anna")))
            .await
            .unwrap()
            .unwrap()
            .id;
        Who {
            id,
            name: "anna".into(),
            admin: false,
            scopes: Scopes::ALL,
        }
    }

    /// What a calendar client would GET.
    async fn object(&self, slug: &str, name: &str) -> StoredObject {
        let bound = calendars::find(&self.world.app, &self.anna().await, "anna", slug)
            .await
            .unwrap();
        let id = bound.calendar.id;
        self.world
            .store
            .peek(|tx| Box::pin(store::objects::get(tx, id, name)))
            .await
            .unwrap()
            .unwrap()
    }

    async fn text(&self, slug: &str, name: &str) -> String {
        String::from_utf8(self.object(slug, name).await.body).unwrap()
    }

    /// What a calendar client does.
    async fn put(&self, slug: &str, name: &str, body: &str) -> objects::Put {
        let who = self.anna().await;
        let cal = calendars::to_write(&self.world.app, &who, slug, Privileges::WRITE)
            .await
            .unwrap();
        let draft = Draft {
            name: name.into(),
            body: body.to_string().into(),
        };
        let origin = Origin {
            who: who.id,
            door: Door::Caldav,
        };
        objects::put(&self.world.door(), &cal, draft, &Guard::default(), origin)
            .await
            .unwrap()
    }
}

fn simple() -> Value {
    json!({"uid": "s1", "title": "Coaching", "start": "2027-02-01T09:00:00Z", "end": "2027-02-01T10:00:00Z"})
}

fn weekly() -> Value {
    json!({"uid": "w1", "title": "Weekly", "start": "2027-02-01T09:00:00", "end": "2027-02-01T10:00:00",
           "timezone": "Europe/Berlin", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=5"],
           "client": {"name": "Cleo"}, "config": {"type": "coaching"}})
}

#[tokio::test]
async fn wrong_requests_are_told_what_is_wrong() {
    let client = Client::new().await;
    for (body, fields) in [
        (json!({"title": "x"}), vec!["start"]),
        (
            json!({"start": "2027-02-01T09:00:00Z", "end": "2027-02-01T08:00:00Z"}),
            vec!["end"],
        ),
        (
            json!({"start": "x", "color": "red", "attendees": [{}]}),
            vec!["attendees", "color"],
        ),
        (
            json!({"etag": "x", "sequence": 1}),
            vec!["sequence", "etag"],
        ),
        (
            json!({"calendar": "nowhere", "start": "2027-02-01", "all_day": true}),
            vec!["calendar"],
        ),
        (json!({"uid": 5}), vec!["uid"]),
    ] {
        let answer = client.post("/api/v1/sessions", body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let problem = answer.json();
        let named: Vec<_> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["field"].as_str().unwrap())
            .collect();
        assert_eq!(named, fields, "{problem}");
    }
    for (kind, body, status) in [
        ("text/plain", "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (
            "application/x-www-form-urlencoded",
            "title=x",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        ("application/json", "{", StatusCode::BAD_REQUEST),
        ("application/json", "[]", StatusCode::BAD_REQUEST),
    ] {
        let answer = client
            .send("POST", "/api/v1/sessions", &[("content-type", kind)], body)
            .await;
        assert_eq!(answer.status, status, "{kind} {body}");
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            "application/problem+json"
        );
    }
    assert_eq!(client.get("/api/v1/nothing").await.json()["status"], 404);
    assert_eq!(client.delete("/api/v1/me").await.json()["status"], 405);
    for query in [
        "status=odd",
        "limit=0",
        "from=x",
        "cursor=x",
        "from=2027-02-02&to=2027-02-01",
        "calendar=nowhere",
    ] {
        assert_eq!(
            client
                .get(&format!("/api/v1/sessions?{query}"))
                .await
                .status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{query}"
        );
    }
}

#[tokio::test]
async fn credentials_and_scopes_are_asked_for() {
    let mut client = Client::new().await;
    client.made(simple()).await;
    let scoped = |scope: Scopes| {
        let app = client.world.app.clone();
        async move {
            format!(
                "Bearer {}",
                users::new_token(&app, "anna", "t", scope)
                    .await
                    .unwrap()
                    .expose_secret()
            )
        }
    };
    let (read, busy) = (scoped(Scopes::READ).await, scoped(Scopes::FREEBUSY).await);
    for (credential, method, path, status) in [
        ("", "GET", "/api/v1/sessions", 401),
        (&*read, "GET", "/api/v1/sessions/s1", 200),
        (&read, "DELETE", "/api/v1/sessions/s1", 403),
        (&read, "GET", "/api/v1/devices", 403),
        (&busy, "GET", "/api/v1/sessions", 403),
        (
            &busy,
            "GET",
            "/api/v1/freebusy?start=2027-02-01&end=2027-02-02",
            200,
        ),
    ] {
        client.credential = credential.to_string();
        let answer = client.send(method, path, &[], Body::empty()).await;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{method} {path} {}",
            answer.json()
        );
    }
    client.credential = String::new();
    let answer = client.get("/api/v1/me").await;
    assert!(answer.header(header::WWW_AUTHENTICATE).starts_with("Basic"));
    client.world.user("bob").await;
    client.credential = client.world.basic("bob").await;
    assert_eq!(
        client.get("/api/v1/sessions/s1").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        client.get("/api/v1/sessions").await.json()["sessions"],
        json!([])
    );
}

#[tokio::test]
async fn calendars_feeds_and_devices_are_managed() {
    let client = Client::new().await;
    let made = client
        .post(
            "/api/v1/calendars",
            json!({"name": "My Work", "color": "#ff0000", "timezone": "Europe/Berlin"}),
        )
        .await;
    assert_eq!(
        (made.status, &made.json()["slug"], &made.json()["timezone"]),
        (
            StatusCode::CREATED,
            &json!("my-work"),
            &json!("Europe/Berlin")
        )
    );
    assert_eq!(
        client
            .post("/api/v1/calendars", json!({"name": "My Work"}))
            .await
            .status,
        StatusCode::CONFLICT
    );
    for wrong in [
        json!({"name": "x", "timezone": "Mars"}),
        json!({"name": "x", "color": "red"}),
        json!({"name": "x", "components": ["VNONE"]}),
        json!({}),
    ] {
        assert_eq!(
            client.post("/api/v1/calendars", wrong.clone()).await.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{wrong}"
        );
    }
    let changed = client
        .patch(
            "/api/v1/calendars/my-work",
            json!({"name": "Work & <play>", "order": 3, "transparent": true}),
        )
        .await
        .json();
    assert_eq!(
        (
            &changed["name"],
            &changed["order"],
            &changed["transparent"],
            &changed["color"]
        ),
        (
            &json!("Work & <play>"),
            &json!(3),
            &json!(true),
            &json!("#ff0000")
        )
    );
    let feed = client
        .post(
            "/api/v1/feeds",
            json!({"calendars": ["my-work"], "privacy": "busy", "comment": "aunt"}),
        )
        .await;
    assert_eq!(feed.status, StatusCode::CREATED, "{}", feed.json());
    assert!(
        feed.json()["urls"]["ics"]
            .as_str()
            .unwrap()
            .ends_with(".ics")
    );
    let listed = client.get("/api/v1/feeds").await.json();
    assert_eq!(listed[0]["urls"], feed.json()["urls"]);
    assert_eq!(
        client
            .delete(&format!("/api/v1/feeds/{}", feed.json()["id"]))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(client.get("/api/v1/feeds").await.json(), json!([]));
    assert_eq!(
        client.delete("/api/v1/calendars/my-work").await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        client.get("/api/v1/calendars/my-work").await.status,
        StatusCode::NOT_FOUND
    );
    let device = client
        .post("/api/v1/devices", json!({"label": "phone"}))
        .await;
    assert_eq!(
        (device.status, device.header(header::CACHE_CONTROL)),
        (StatusCode::CREATED, "no-store")
    );
    let profile = client
        .post("/api/v1/devices/profile", json!({"label": "tablet"}))
        .await;
    assert_eq!(
        profile.header(header::CONTENT_TYPE),
        "application/x-apple-aspen-config"
    );
    let devices = client.get("/api/v1/devices").await.json();
    let labels: Vec<_> = devices
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["label"].as_str().unwrap())
        .collect();
    assert_eq!(labels, ["test", "phone", "tablet"]);
    assert_eq!(
        client
            .delete(&format!("/api/v1/devices/{}", devices[1]["id"]))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        client
            .get("/api/v1/devices")
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(client.get("/api/v1/me").await.json()["name"], "anna");
}

#[tokio::test]
async fn availability_names_what_is_in_the_way() {
    let client = Client::new().await;
    client.made(simple()).await;
    let busy = client
        .get("/api/v1/availability?start=2027-02-01T08:30:00Z&end=2027-02-01T09:30:00Z")
        .await
        .json();
    assert_eq!(
        (&busy["state"], &busy["free"]),
        (&json!("busy"), &json!(false))
    );
    assert_eq!(
        busy["conflicts"],
        json!([{"start": "2027-02-01T09:00:00Z", "end": "2027-02-01T09:30:00Z", "type": "busy"}])
    );
    let free = client
        .get("/api/v1/availability?start=2027-02-01T10:00:00Z&end=2027-02-01T11:00:00Z")
        .await
        .json();
    assert_eq!(
        (&free["state"], &free["conflicts"]),
        (&json!("free"), &json!([]))
    );
    client.world.user("bob").await;
    assert_eq!(
        client
            .get("/api/v1/freebusy?name=bob&start=2027-02-01&end=2027-02-02")
            .await
            .status,
        StatusCode::NOT_FOUND
    );
}

/// Every route is described, and nothing else.
#[tokio::test]
async fn the_description_is_complete_and_true() {
    let document = serde_json::to_value(super::openapi::document()).unwrap();
    let described: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .unwrap()
                .keys()
                .map(move |m| (m.clone(), path.clone()))
        })
        .collect();
    let routed: BTreeSet<_> = super::ROUTES
        .iter()
        .flat_map(|(m, path, verbs)| match verbs {
            [] => vec![(m.to_string(), path.to_string())],
            verbs => {
                let paths = verbs.iter().map(|verb| format!("{path}:{verb}"));
                paths.map(|path| (m.to_string(), path)).collect()
            }
        })
        .collect();
    assert_eq!(described, routed);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut missing = Vec::new();
    references(&document, &mut |name| {
        if !schemas.contains_key(name) {
            missing.push(name.to_string());
        }
    });
    assert!(missing.is_empty(), "{missing:?}");
    let client = Client::new().await;
    let served = client.get("/api/v1/openapi.json").await.json();
    assert_eq!(
        (&served["openapi"], &served["paths"]),
        (&document["openapi"], &document["paths"])
    );
    // What is answered has the fields that are described.
    let session = client.made(weekly()).await;
    let mut fields = BTreeSet::new();
    properties(&schemas["Session"], schemas, &mut fields);
    let answered: BTreeSet<String> = session.as_object().unwrap().keys().cloned().collect();
    assert_eq!(answered, fields);
}

fn references(value: &Value, each: &mut impl FnMut(&str)) {
    match value {
        Value::Object(object) => {
            if let Some(name) = object.get("$ref").and_then(Value::as_str) {
                each(name.rsplit('/').next().unwrap());
            }
            object.values().for_each(|inner| references(inner, each));
        }
        Value::Array(list) => list.iter().for_each(|inner| references(inner, each)),
        _ => {}
    }
}

fn properties(schema: &Value, all: &serde_json::Map<String, Value>, fields: &mut BTreeSet<String>) {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        properties(&all[name.rsplit('/').next().unwrap()], all, fields);
    }
    for part in schema
        .get("allOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        properties(part, all, fields);
    }
    fields.extend(
        schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|p| p.keys().cloned()),
    );
}
