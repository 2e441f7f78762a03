//! Webhooks of providers: FACTS §2.6, §4.7 and §9, points 17 and 18.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::bridged::{Linked, PUBLIC};
use crate::app::connections::tests::world::ANNA;

const WEEK: i64 = 7 * 86_400;

fn header(ping: &Request<bytes::Bytes>, name: &str) -> String {
    ping.headers()[name].to_str().unwrap().to_string()
}

/// A call like `ping`, with one header otherwise.
fn forged(ping: &Request<bytes::Bytes>, name: &str, value: &str) -> Request<bytes::Bytes> {
    let mut copy = Request::post(ping.uri().clone());
    for (known, old) in ping.headers() {
        let value = if known == name {
            value.as_bytes()
        } else {
            old.as_bytes()
        };
        copy = copy.header(known, value);
    }
    copy.body(bytes::Bytes::new()).unwrap()
}

#[tokio::test]
async fn facts_17_push_sync_ping_forged_token_unknown_channel_duplicate_expired_renewal() {
    let anna = Linked::new("google").await;
    let link = anna.link(json!({})).await["id"].as_i64().unwrap();
    let google = anna.simulator.google();
    assert_eq!(google.channels().len(), 1, "the link has a channel");
    assert!(anna.shown(link).await.watched);

    // The first ping says that the channel works, and asks for nothing.
    anna.work().await;
    assert_eq!(anna.pings().await, [StatusCode::NO_CONTENT]);
    assert!(!anna.is_due(link).await);

    // A change is told, and brought here by the next run.
    anna.add_there("Told", 1);
    let ping = anna.simulator.take_pings().remove(0);
    let (id, resource) = (
        header(&ping, "x-goog-channel-id"),
        header(&ping, "x-goog-resource-id"),
    );
    for (name, value) in [
        ("x-goog-channel-token", "guessed"),
        ("x-goog-channel-token", ""),
        ("x-goog-channel-id", "unknown"),
        ("x-goog-resource-id", "another"),
    ] {
        let answer = anna.ping(forged(&ping, name, value)).await;
        assert_eq!(answer, StatusCode::NOT_FOUND, "{name}: {value}");
        assert!(!anna.is_due(link).await, "a forged {name} does nothing");
    }
    let again = forged(&ping, "x-goog-message-number", "99");
    assert_eq!(anna.ping(ping).await, StatusCode::NO_CONTENT);
    assert!(anna.is_due(link).await);
    anna.work().await;
    assert_eq!(anna.shown(link).await.counts.mapped, 1);

    // Twice is once more than needed, and harmless.
    let runs = anna
        .ok("GET", &format!("/api/v1/links/{link}/runs"), None)
        .await;
    assert_eq!(anna.ping(again).await, StatusCode::NO_CONTENT);
    anna.work().await;
    assert_eq!(
        anna.ok("GET", &format!("/api/v1/links/{link}/runs"), None)
            .await,
        runs
    );

    // At half of its life a new channel begins, and only then the old one ends.
    anna.asked();
    anna.pass(WEEK / 2 + 1);
    anna.work().await;
    let channels = google.channels();
    assert_eq!(channels.len(), 1, "{channels:?}");
    assert_ne!(
        channels[0].0, id,
        "there is no renewal at Google: it is another one"
    );
    let asked = anna.asked();
    let at = |part: &str| asked.iter().position(|said| said.contains(part));
    assert!(
        at("/events/watch").unwrap() < at("/channels/stop").unwrap(),
        "{asked:?}"
    );
    anna.pings().await;

    // The old one is not known any more.
    let late = Request::post(format!("{PUBLIC}/hooks/google"))
        .header("x-goog-channel-id", &id)
        .header("x-goog-resource-id", &resource)
        .header("x-goog-resource-state", "exists")
        .body(bytes::Bytes::new())
        .unwrap();
    assert_eq!(anna.ping(late).await, StatusCode::NOT_FOUND);

    // One that ended while nobody looked is made anew, and what was missed is found.
    anna.pass(2 * WEEK);
    assert_eq!(google.channels().len(), 0);
    anna.add_there("Missed", 2);
    anna.work().await;
    assert_eq!(google.channels().len(), 1);
    assert_eq!(anna.shown(link).await.counts.mapped, 2);

    // The end of the link is the end of its channel.
    anna.ok("DELETE", &format!("/api/v1/links/{link}"), None)
        .await;
    anna.work().await;
    assert_eq!(google.channels().len(), 0);
    assert_eq!(anna.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_calendar_without_webhooks_is_asked_once_a_week() {
    let anna = Linked::new("google").await;
    anna.simulator.google().refuse_push(ANNA);
    let link = anna.link(json!({})).await["id"].as_i64().unwrap();
    assert!(!anna.shown(link).await.watched);
    anna.asked();
    for _ in 0..5 {
        anna.pass(3600);
        anna.work().await;
    }
    assert_eq!(anna.asked_for("/events/watch"), 0);
    anna.pass(WEEK);
    anna.work().await;
    assert_eq!(anna.asked_for("/events/watch"), 1);
    anna.add_there("Polled", 1);
    anna.pass(86_400);
    anna.work().await;
    assert_eq!(anna.shown(link).await.counts.mapped, 1, "polls do");
}

/// Notices of one body.
async fn notify(anna: &Linked, notices: Value) -> StatusCode {
    let body = json!({ "value": notices }).to_string();
    let request = Request::post("/hooks/microsoft")
        .header("content-type", "application/json")
        .body(Body::from(body));
    anna.deliver(request.unwrap()).await.status
}

#[tokio::test]
async fn facts_18_graph_validation_client_state_lifecycle() {
    let anna = Linked::new("microsoft").await;
    let graph = anna.simulator.graph();
    // What Graph asks at both addresses while we ask for the subscription is answered as it is.
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let app = anna.app.clone();
    graph.set_validator(move |url| {
        seen.lock().unwrap().push(url.to_string());
        let path = url.strip_prefix(PUBLIC)?.to_string();
        let app = app.clone();
        // The receiver answers while our own request waits.
        std::thread::spawn(move || shake(app, &path)).join().ok()
    });
    let link = anna.link(json!({})).await["id"].as_i64().unwrap();
    let subscriptions = graph.subscriptions(ANNA);
    assert_eq!(subscriptions.len(), 1, "{:?}", anna.simulator.violations());
    assert_eq!(asked.lock().unwrap().len(), 2, "both addresses were tried");
    anna.work().await;

    // Whatever the token is made of.
    for token in [
        "a+b",
        "ü & <script>",
        "100% =?/#",
        "Validation: Testing client application",
    ] {
        let path = format!(
            "/hooks/microsoft?validationToken={}",
            url::form_urlencoded::byte_serialize(token.as_bytes()).collect::<String>()
        );
        let answer = anna
            .deliver(Request::post(path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body, token.as_bytes());
        assert!(
            answer
                .header(axum::http::header::CONTENT_TYPE)
                .starts_with("text/plain")
        );
        assert_eq!(
            answer.header(axum::http::header::X_CONTENT_TYPE_OPTIONS),
            "nosniff"
        );
    }

    // A change is told; a wrong clientState is answered alike, and passed over.
    let calendar = graph.calendars(ANNA)[0].0.clone();
    let event = json!({"subject": "Told", "start": {"dateTime": "2027-02-01T09:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2027-02-01T10:00:00", "timeZone": "UTC"}});
    graph.add(ANNA, &calendar, event).unwrap();
    let ping = anna.simulator.take_pings().remove(0);
    let body: Value = serde_json::from_slice(ping.body()).unwrap();
    let right = body["value"][0].clone();
    let with = |name: &str, value: Value| {
        let mut notice = right.clone();
        notice[name] = value;
        notice
    };
    for wrong in [
        with("clientState", json!("guessed")),
        with("clientState", Value::Null),
        with("subscriptionId", json!("unknown")),
        json!("nonsense"),
    ] {
        assert_eq!(notify(&anna, json!([wrong])).await, StatusCode::ACCEPTED);
        assert!(!anna.is_due(link).await, "{wrong}");
    }
    // Among wrong ones the right one counts.
    let mixed = json!([with("clientState", json!("guessed")), right, right]);
    assert_eq!(notify(&anna, mixed).await, StatusCode::ACCEPTED);
    assert!(anna.is_due(link).await);
    anna.work().await;
    assert_eq!(anna.shown(link).await.counts.mapped, 1);

    // Lifecycle: renewed at once …
    anna.asked();
    graph.lifecycle(ANNA, "reauthorizationRequired");
    assert_eq!(anna.pings().await, [StatusCode::ACCEPTED]);
    anna.work().await;
    assert_eq!(
        anna.asked_for("PATCH https://simulator.test/graph/v1.0/subscriptions/"),
        1
    );
    // … looked at, because something was missed …
    graph.lifecycle(ANNA, "missed");
    assert_eq!(anna.pings().await, [StatusCode::ACCEPTED]);
    assert!(anna.is_due(link).await);
    anna.work().await;
    // … and made anew.
    let old = graph.subscriptions(ANNA)[0].0.clone();
    graph.lifecycle(ANNA, "subscriptionRemoved");
    assert_eq!(anna.pings().await, [StatusCode::ACCEPTED]);
    anna.work().await;
    let new = graph.subscriptions(ANNA);
    assert!(new.len() == 1 && new[0].0 != old, "{new:?}");
    assert!(anna.shown(link).await.watched);
    assert_eq!(anna.simulator.violations(), Vec::<String>::new());
}

/// Asks our own router from a thread of its own: status, type, body.
fn shake(app: crate::app::App, path: &str) -> (u16, String, String) {
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let request = Request::post(path).body(Body::empty()).unwrap();
        let reply = super::super::routes(app).oneshot(request).await.unwrap();
        let status = reply.status().as_u16();
        let kind = reply.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_string();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    })
}

#[tokio::test]
async fn bodies_that_are_no_notices_are_refused_without_reading_much() {
    let anna = Linked::new("microsoft").await;
    let big = vec![b' '; 2 << 20];
    for (body, status) in [
        (b"not json".to_vec(), StatusCode::BAD_REQUEST),
        (b"{}".to_vec(), StatusCode::BAD_REQUEST),
        (b"{\"value\":[]}".to_vec(), StatusCode::ACCEPTED),
        (big, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let request = Request::post("/hooks/microsoft").body(Body::from(body));
        assert_eq!(anna.deliver(request.unwrap()).await.status, status);
    }
    let empty = Request::post("/hooks/google").body(Body::empty()).unwrap();
    assert_eq!(anna.deliver(empty).await.status, StatusCode::BAD_REQUEST);
    let long = format!("/hooks/microsoft?validationToken={}", "x".repeat(5000));
    let long = Request::post(long).body(Body::empty()).unwrap();
    assert_eq!(anna.deliver(long).await.status, StatusCode::BAD_REQUEST);
}
