//! The server as clients meet it: routing without sockets, connections with them.

mod connections;
mod secrets;

use std::sync::Arc;

use http::{Method, StatusCode};
use secrecy::ExposeSecret;

use super::{Server, guarded, plain};
use crate::app::testing::World;
use crate::app::users::{self, Change};
use crate::config::{Config, Sources, load};
use crate::model::access::Scopes;
use crate::wire::{Peer, RequestBody, Response};

struct Running {
    world: World,
    server: Arc<Server>,
}

impl Running {
    async fn new(flags: &[(&'static str, &str)]) -> Running {
        let world = World::with(config(flags)).await;
        let server = Server::new(world.app.clone()).unwrap();
        Running {
            world,
            server: Arc::new(server),
        }
    }

    async fn ask(&self, method: &str, path: &str) -> Response {
        self.ask_from(Peer::LOCAL, method, path, None).await
    }

    async fn ask_from(
        &self,
        peer: Peer,
        method: &str,
        path: &str,
        authorization: Option<&str>,
    ) -> Response {
        let mut request = http::Request::builder().method(method).uri(path);
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        self.server
            .answer(request.body(RequestBody::from_bytes("", peer)).unwrap())
            .await
    }
}

fn config(flags: &[(&'static str, &str)]) -> Config {
    let flags = flags
        .iter()
        .map(|(key, value)| (*key, value.to_string()))
        .collect();
    load(&Sources {
        flags,
        ..Sources::default()
    })
    .unwrap()
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

async fn text(response: Response) -> String {
    use http_body_util::BodyExt;
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn well_known_addresses_redirect_every_method_by_path_only() {
    for (public_url, location) in [
        ("", "/dav/"),
        ("https://cal.example", "/dav/"),
        ("https://example.org/calendars", "/calendars/dav/"),
    ] {
        let running = Running::new(&[("public_url", public_url)]).await;
        for method in [
            "GET", "HEAD", "PROPFIND", "OPTIONS", "POST", "PUT", "REPORT",
        ] {
            for path in [
                "/.well-known/caldav",
                "/.well-known/caldav/",
                "/.well-known/caldav?x=y",
            ] {
                let response = running.ask(method, path).await;
                assert_eq!(
                    response.status(),
                    StatusCode::MOVED_PERMANENTLY,
                    "{method} {path}"
                );
                assert_eq!(header(&response, "location"), location, "{method} {path}");
            }
        }
        let response = running.ask("PROPFIND", "/.well-known/carddav").await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn wherever_clients_probe_without_a_name_they_are_asked_for_one() {
    let running = Running::new(&[("public_url", "https://example.org/calendars")]).await;
    for path in [
        "/",
        "/dav",
        "/dav/",
        "/dav/principals/",
        "/dav/calendars/anna/",
        "/principals/",
        "/calendar/dav/anna%40example.org/user/",
        "/calendars/",
        "/calendars/dav/",
        "/calendars/principals/",
    ] {
        let response = running.ask("PROPFIND", path).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(
            header(&response, "www-authenticate"),
            r#"Basic realm="Kalends", charset="UTF-8""#,
            "{path}"
        );
    }
    let response = running.ask("PROPFIND", "/elsewhere/").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_coded_body_is_415_and_the_answer_says_what_is_taken() {
    let running = Running::new(&[]).await;
    running.world.user("anna").await;
    let basic = running.world.basic("anna").await;
    let ask = async |method: &str, path: &str, coding: &str, body: &'static str| {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", &basic)
            .header("content-encoding", coding)
            .header("content-type", "text/calendar")
            .body(RequestBody::from_bytes(body, Peer::LOCAL));
        running.server.answer(request.unwrap()).await
    };
    let object = "/dav/calendars/anna/calendar/a.ics";
    for (method, path, coding) in [
        ("PUT", object, "gzip"),
        ("PROPFIND", "/dav/", "identity, GZip"),
        ("POST", "/api/v1/sessions", "br"),
    ] {
        let refused = ask(method, path, coding, "x").await;
        assert_eq!(refused.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(header(&refused, "accept-encoding"), "identity", "{path}");
        let json = header(&refused, "content-type") == "application/problem+json";
        assert_eq!(json, path.starts_with("/api/"), "{path}");
        let words = text(refused).await;
        assert!(words.contains("send the body as it is"), "{words}");
    }
    // What is coded as itself, or is not there, is taken.
    let event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\n\
        DTSTAMP:20270101T000000Z\r\nDTSTART:20270101T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let put = ask("PUT", object, "Identity", event).await;
    assert_eq!(put.status(), StatusCode::CREATED);
    let got = ask("GET", object, "gzip", "").await;
    assert_eq!(got.status(), StatusCode::OK);
}

#[tokio::test]
async fn machines_and_people_find_their_pages() {
    let running = Running::new(&[]).await;
    for (path, status, words) in [
        ("/healthz", 200, "ok"),
        ("/readyz", 200, "ready"),
        ("/robots.txt", 200, "Allow: /feeds/"),
        ("/", 200, "<code>http://127.0.0.1:8008/</code>"),
        (
            "/metrics",
            200,
            "kalends_requests_total{door=\"other\",status=\"2xx\"} 4",
        ),
        ("/nothing", 404, "nothing at this address"),
    ] {
        let response = running.ask("GET", path).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(header(&response, "server"), "", "{path}");
        let body = text(response).await;
        assert!(body.contains(words), "{path}: {body}");
    }
}

#[tokio::test]
async fn metrics_are_for_this_machine_and_for_administrators_tokens() {
    let running = Running::new(&[]).await;
    let world = &running.world;
    world.user("anna").await;
    let far = Peer {
        address: "192.0.2.1".parse().unwrap(),
        confidential: true,
    };
    let token = async |scopes| {
        let token = users::new_token(world, "anna", "test", scopes)
            .await
            .unwrap();
        format!("Bearer {}", token.expose_secret())
    };
    let (reader, admin) = (token(Scopes::READ).await, token(Scopes::ADMIN).await);
    let status = async |header: Option<&str>| {
        running
            .ask_from(far, "GET", "/metrics", header)
            .await
            .status()
            .as_u16()
    };
    assert_eq!(status(None).await, 401);
    assert_eq!(
        status(Some(&admin)).await,
        403,
        "the scope alone makes nobody an administrator"
    );
    let change = Change {
        admin: Some(true),
        ..Change::default()
    };
    users::change(world, "anna", change).await.unwrap();
    assert_eq!(status(Some(&reader)).await, 403);
    assert_eq!(status(Some(&admin)).await, 200);
    let open = Running::new(&[("metrics_public", "true")]).await;
    assert_eq!(
        open.ask_from(far, "GET", "/metrics", None).await.status(),
        200
    );
}

#[tokio::test]
async fn wrong_passwords_are_throttled_with_the_seconds_to_wait() {
    let running = Running::new(&[]).await;
    let mut last = None;
    for n in 0..12 {
        let header = crate::app::testing::basic("anna", &format!("guess number {n}"));
        last = Some(
            running
                .ask_from(Peer::LOCAL, "PROPFIND", "/dav/", Some(&header))
                .await,
        );
    }
    let last = last.unwrap();
    assert_eq!(last.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header(&last, "retry-after"), "1");
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let running = Running::new(&[]).await;
    let one = running.ask("GET", "/healthz").await;
    let two = running.ask("GET", "/healthz").await;
    let (one, two) = (header(&one, "x-request-id"), header(&two, "x-request-id"));
    assert_eq!(one.len(), 16);
    assert_eq!(one[..8], two[..8]);
    assert_ne!(one, two);
}

#[tokio::test]
async fn a_panic_is_an_answer() {
    let response = guarded(async { panic!("on purpose") }).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(text(response).await, "internal error\n");
    let response = guarded(async { plain(StatusCode::OK, "fine") }).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_server_as_a_whole_can_be_asked_for_its_options() {
    let running = Running::new(&[]).await;
    let response = running.ask(Method::OPTIONS.as_str(), "*").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

/// It is moved as a whole more than once: what is rare in it belongs into a box.
#[tokio::test]
async fn the_future_of_a_request_stays_small() {
    let running = Running::new(&[]).await;
    let body = RequestBody::from_bytes("", Peer::LOCAL);
    let future = running.server.answer(http::Request::new(body));
    let size = std::mem::size_of_val(&future);
    assert!(size < 8192, "{size} bytes");
}

#[tokio::test]
async fn forms_of_other_sites_reach_no_page() {
    let running = Running::new(&[("public_url", "https://cal.example")]).await;
    running.world.user("anna").await;
    let credential = running.world.basic("anna").await;
    let post = async |headers: &[(&str, &str)]| {
        let mut request = http::Request::post("/connections")
            .header("authorization", &credential)
            .header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = RequestBody::from_bytes("provider=nonsense", Peer::LOCAL);
        running
            .server
            .answer(request.body(body).unwrap())
            .await
            .status()
    };
    for theirs in [
        &[("origin", "https://evil.example")][..],
        &[("sec-fetch-site", "cross-site")],
        &[("origin", "null")],
        &[
            ("origin", "https://cal.example.evil.example"),
            ("sec-fetch-site", "same-origin"),
        ],
    ] {
        assert_eq!(post(theirs).await, StatusCode::FORBIDDEN, "{theirs:?}");
    }
    for ours in [
        &[
            ("origin", "https://cal.example"),
            ("sec-fetch-site", "same-origin"),
        ][..],
        &[],
    ] {
        assert_eq!(
            post(ours).await,
            StatusCode::BAD_REQUEST,
            "there is no such provider"
        );
    }
}
