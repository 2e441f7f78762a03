//! Connections as programs and browsers see them.

use super::*;
use crate::app::connections::tests::world::{ANNA, Bridged, OTHER};
use crate::simulator::oauth::Consent;

struct Browser {
    bridged: Bridged,
    credential: String,
    cookies: Vec<String>,
}

impl Browser {
    async fn new() -> Browser {
        let bridged = Bridged::new().await;
        let credential = bridged.basic("anna").await;
        Browser {
            bridged,
            credential,
            cookies: Vec::new(),
        }
    }

    async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("cookie", self.cookies.join("; "))
            .header("content-type", "application/json")
            .extension(Peer::LOCAL);
        if path.starts_with("/api/") {
            request = request.header("authorization", &self.credential);
        }
        let app = self.bridged.app.clone();
        let request = request.body(Body::from(body.to_string())).unwrap();
        let reply = crate::api::routes(app).oneshot(request).await.unwrap();
        let (parts, body) = reply.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, body).await
    }

    /// Keeps the cookie of an answer that leads to the provider, goes there, and gives where that leads back to.
    fn follow(&mut self, begun: &Answer, who: &str, how: Consent) -> String {
        assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.json());
        assert_eq!(begun.header(header::CACHE_CONTROL), "no-store");
        let cookie = begun.header(header::SET_COOKIE);
        for part in ["Path=/oauth/", "HttpOnly", "SameSite=Lax", "Max-Age=600"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        self.cookies
            .push(cookie.split(';').next().unwrap().to_string());
        let url = begun.json()["authorize_url"].as_str().unwrap().to_string();
        let back = self.bridged.authority("google").authorize(&url, who, how);
        let back = back.unwrap();
        back.strip_prefix("http://127.0.0.1:8008")
            .unwrap()
            .to_string()
    }
}

#[tokio::test]
async fn an_account_is_connected_through_the_browser_and_looked_after() {
    let mut browser = Browser::new().await;
    let new = json!({"provider": "google", "return_to": "/connections?x=1"});
    let begun = browser.post("/api/v1/connections", new.clone()).await;
    let back = browser.follow(&begun, ANNA, Consent::All);
    let landed = browser.get(&back).await;
    assert_eq!(landed.status, StatusCode::SEE_OTHER);
    assert_eq!(landed.header(header::LOCATION), "/connections?x=1");
    assert!(landed.header(header::SET_COOKIE).contains("Max-Age=0"));
    assert_eq!(landed.header(header::REFERRER_POLICY), "no-referrer");
    let all = browser.get("/api/v1/connections").await.json();
    let id = all[0]["id"].as_i64().unwrap();
    assert_eq!(all[0]["account"], ANNA);
    assert_eq!(all[0]["health"], "ok");
    let at = |rest: &str| format!("/api/v1/connections/{id}{rest}");
    assert_eq!(
        browser.get(&at("/calendars")).await.json()[0]["primary"],
        true
    );
    let tested = browser.post(&at(":test"), json!({})).await;
    assert_eq!(tested.status, StatusCode::OK);
    assert_eq!(tested.json()[0]["verdict"], "ok");
    assert_eq!(
        browser.post(&at(":refresh"), json!({})).await.status,
        StatusCode::OK
    );
    let renamed = browser
        .send("PATCH", &at(""), json!({"name": "work"}))
        .await;
    assert_eq!(renamed.json()["name"], "work");
    for (path, status) in [(":dance", 404), ("", 405), ("x:test", 404)] {
        assert_eq!(
            browser.post(&at(path), json!({})).await.status.as_u16(),
            status,
            "{path}"
        );
    }

    // Again, with another account: a page in words, and nothing has changed.
    let begun = browser.post(&at(":reconnect"), json!({})).await;
    let back = browser.follow(&begun, OTHER, Consent::All);
    let refused = browser.get(&back).await;
    let page = String::from_utf8(refused.body.to_vec()).unwrap();
    assert_eq!(refused.status, StatusCode::CONFLICT, "{page}");
    assert!(
        page.contains(OTHER) && page.contains("href=\"/connections\""),
        "{page}"
    );
    assert_eq!(browser.get(&at("")).await.json()["account"], ANNA);

    let gone = browser
        .send("DELETE", &at("?mirrors=keep"), Value::Null)
        .await;
    assert_eq!(gone.json()["revoked"], true, "{}", gone.json());
    assert_eq!(browser.get(&at("")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_way_back_is_only_for_the_browser_that_began() {
    let mut browser = Browser::new().await;
    let new = json!({"provider": "google"});
    let begun = browser.post("/api/v1/connections", new.clone()).await;
    let back = browser.follow(&begun, ANNA, Consent::All);
    browser.cookies.clear();
    let refused = browser.get(&back).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    for path in [
        "/oauth/google/callback",
        "/oauth/google/callback?state=x&code=y",
        "/oauth/nobody/callback?state=x",
        "/oauth/google/callback?state=x&error=%3Cscript%3E&error_description=%3Cscript%3E",
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("<script>"));
    }
    assert_eq!(browser.get("/api/v1/connections").await.json(), json!([]));

    let begun = browser.post("/api/v1/connections", new).await;
    let back = browser.follow(&begun, ANNA, Consent::Deny);
    let denied = browser.get(&back).await;
    assert_eq!(denied.status, StatusCode::CONFLICT);
    assert!(String::from_utf8_lossy(&denied.body).contains("consent was not given"));
}

#[tokio::test]
async fn what_is_typed_in_is_tried_and_tokens_need_the_scope() {
    let mut browser = Browser::new().await;
    browser
        .bridged
        .simulator
        .caldav()
        .account("anna", "app-password");
    let dav = |password: &str| json!({"provider": "caldav", "url": "https://simulator.test/caldav/", "username": "anna", "password": password});
    let wrong = browser.post("/api/v1/connections", dav("guess")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.json()["errors"][0]["field"], "password");
    let made = browser
        .post("/api/v1/connections", dav("app-password"))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    assert!(!made.json().to_string().contains("app-password"));
    for (body, field) in [
        (
            json!({"provider": "google", "return_to": "//evil.example"}),
            "return_to",
        ),
        (json!({"provider": "nobody"}), "provider"),
        (json!({}), "provider"),
    ] {
        let answer = browser.post("/api/v1/connections", body.clone()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(answer.json()["errors"][0]["field"], field);
    }
    for (scope, status) in [
        (Scopes::READ.and(Scopes::WRITE), 403),
        (Scopes::BRIDGE, 200),
    ] {
        let token = users::new_token(&browser.bridged, "anna", "t", scope)
            .await
            .unwrap();
        browser.credential = format!("Bearer {}", token.expose_secret());
        assert_eq!(
            browser.get("/api/v1/connections").await.status.as_u16(),
            status
        );
    }
}
