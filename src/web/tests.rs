//! The pages as a browser without JavaScript uses them: real router, simulator, no sockets.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::app::connections::tests::world::{ANNA, Bridged, registered};
use crate::app::{connections, links};
use crate::jobs;
use crate::simulator::oauth::Consent;
use crate::wire::Peer;

struct Browser {
    world: Bridged,
    credential: String,
}

impl std::ops::Deref for Browser {
    type Target = Bridged;

    fn deref(&self) -> &Bridged {
        &self.world
    }
}

struct Page {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Page {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The address that a form leads to.
    fn leads(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text);
        self.header(header::LOCATION)
    }

    fn has(&self, text: &str) -> bool {
        self.text.contains(text)
    }
}

impl Browser {
    async fn new() -> Browser {
        let world = Bridged::with(registered()).await;
        let credential = world.basic("anna").await;
        Browser { world, credential }
    }

    async fn ask(&self, request: axum::http::request::Builder, body: Body) -> Page {
        let request = request.extension(Peer::LOCAL).body(body).unwrap();
        let reply = super::routes(self.app.clone())
            .oneshot(request)
            .await
            .unwrap();
        let (parts, body) = reply.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Page {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Page {
        let request = Request::get(path).header("authorization", &self.credential);
        self.ask(request, Body::empty()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let request = Request::post(path)
            .header("authorization", &self.credential)
            .header("content-type", "application/x-www-form-urlencoded");
        self.ask(request, Body::from(form.finish())).await
    }

    async fn work(&self) {
        jobs::all_due(&self.app).await.unwrap();
    }
}

#[tokio::test]
async fn an_account_is_connected_linked_and_disconnected_by_forms_alone() {
    let anna = Browser::new().await;
    let event = serde_json::json!({"summary": "<b>Theirs</b> & more", "start": {"dateTime": "2027-02-01T09:00:00Z"},
        "end": {"dateTime": "2027-02-01T10:00:00Z"}});
    anna.simulator.google().add(ANNA, event).unwrap();
    let page = anna.get("/connections").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    for text in [
        "No calendar account is connected yet",
        "Google Calendar",
        "iCloud",
        ".ics",
    ] {
        assert!(page.has(text), "{text}");
    }

    // The button leads to Google, with the cookie of the walk.
    let page = anna.post("/connections", &[("provider", "google")]).await;
    let there = page.leads().to_string();
    assert!(
        there.starts_with("https://simulator.test/google/o/oauth2/v2/auth?"),
        "{there}"
    );
    let cookie = page.header(header::SET_COOKIE);
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("Path=/oauth/"),
        "{cookie}"
    );
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("form-action 'self' https://simulator.test"),
        "{policy}"
    );
    let back = anna
        .authority("google")
        .authorize(&there, ANNA, Consent::All)
        .unwrap();
    let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
    let state = url::Url::parse(&back).unwrap();
    let get = |key: &str| {
        let found = state.query_pairs().find(|(name, _)| name == key);
        found
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    assert_eq!(name, connections::cookie_name(&get("state")));
    let answer = connections::Answered {
        state: get("state"),
        code: get("code"),
        error: String::new(),
        description: String::new(),
        cookie: Some(value.to_string()),
    };
    let connected = anna.finish("google", answer).await.unwrap();

    // Its calendars can be chosen.
    let here = format!("/connections/{}", connected.id);
    let page = anna.get("/connections").await;
    assert!(
        page.has(&format!("href=\"{here}\"")) && page.has(ANNA) && page.has("Works"),
        "{}",
        page.text
    );
    let page = anna.get(&here).await;
    assert!(
        page.has("Link this calendar") && page.has("main calendar"),
        "{}",
        page.text
    );
    let at = page.text.find("name=\"remote_calendar\" value=\"").unwrap() + 30;
    let remote: String = page.text[at..]
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    let test = anna.post(&format!("{here}/test"), &[]).await;
    assert!(
        test.status == StatusCode::OK && test.has("access: works"),
        "{}",
        test.text
    );
    let fields = [
        ("remote_calendar", remote.as_str()),
        ("calendar", ""),
        ("name", "From Google"),
        ("direction", "both"),
        ("privacy", ""),
    ];
    let page = anna.post(&format!("{here}/link"), &fields).await;
    let link = page.leads().split('?').next().unwrap().to_string();
    let again = anna
        .post(&format!("{here}/link"), &[("remote_calendar", "x")])
        .await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert!(again.has("no calendar was chosen"));

    // The link's page says how it is doing.
    let page = anna.get(&link).await;
    assert!(page.has("Begins") && page.has("never yet"), "{}", page.text);
    let page = anna.post(&format!("{link}/dry-run"), &[]).await;
    assert!(
        page.has("create here") && page.has("&#60;b&#62;Theirs") && !page.has("<b>Theirs"),
        "{}",
        page.text
    );
    let page = anna.post(&format!("{link}/sync"), &[]).await;
    assert_eq!(page.leads(), format!("{link}?said=synced"));
    let page = anna.get(&format!("{link}?said=synced")).await;
    assert!(
        page.has("In step") && page.has("1 created here") && page.has(">Undo<"),
        "{}",
        page.text
    );
    let said = anna.get(&format!("{link}?said=%3Cscript%3E")).await;
    assert!(
        !said.has("role=\"status\""),
        "an address says nothing of its own"
    );

    // Settings are checked, and what does not fit is said on the page.
    let page = anna
        .post(
            &format!("{link}/settings"),
            &[
                ("direction", "push"),
                ("privacy", "busy"),
                ("title_template", "{title}"),
            ],
        )
        .await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        page.has("title template: {title} tells more"),
        "{}",
        page.text
    );
    anna.post(&format!("{link}/settings"), &[("direction", "pull")])
        .await
        .leads();
    assert!(anna.get(&link).await.has("Only from there to here"));
    assert_eq!(
        anna.post(&format!("{link}/pause"), &[]).await.leads(),
        format!("{link}?said=paused")
    );
    let page = anna.post(&format!("{link}/sync"), &[]).await;
    assert!(
        page.status == StatusCode::CONFLICT && page.has("this link is paused"),
        "{}",
        page.text
    );
    anna.post(&format!("{link}/resume"), &[]).await.leads();

    // Undone, unlinked, disconnected.
    let runs = links::list(&anna.app, &anna.who).await.unwrap();
    let run = runs[0].last_run.as_ref().unwrap().id.to_string();
    assert_eq!(
        anna.post(&format!("{link}/undo"), &[("run", &run)])
            .await
            .leads(),
        format!("{link}?said=undone")
    );
    assert_eq!(
        anna.post(&format!("{link}/unlink"), &[("mirrors", "keep")])
            .await
            .leads(),
        "/connections?said=unlinked"
    );
    assert_eq!(anna.get(&link).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        anna.post(&format!("{here}/disconnect"), &[("mirrors", "keep")])
            .await
            .leads(),
        "/connections?said=disconnected"
    );
    anna.work().await;
    assert!(
        anna.get("/connections?said=disconnected")
            .await
            .has("Disconnected.")
    );
    assert_eq!(anna.get(&here).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_was_typed_in_wrongly_can_be_corrected() {
    let anna = Browser::new().await;
    let fields = [
        ("provider", "caldav"),
        ("preset", ""),
        ("url", "https://\"><script>"),
        ("username", "anna"),
        ("password", "hunter22"),
    ];
    let page = anna.post("/connections", &fields).await;
    assert!(page.status.is_client_error(), "{}", page.status);
    assert!(
        page.has("role=\"alert\"") && page.has("value=\"anna\""),
        "{}",
        page.text
    );
    assert!(
        !page.has("<script>") && !page.has("hunter22"),
        "nothing runs, and no password comes back"
    );
    let page = anna.post("/connections", &[("provider", "nonsense")]).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn pages_are_for_those_who_sign_in_and_for_their_own() {
    let anna = Browser::new().await;
    let connection = anna.connect("google").await;
    let nobody = anna.ask(Request::get("/connections"), Body::empty()).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    assert!(nobody.header(header::WWW_AUTHENTICATE).starts_with("Basic"));
    anna.user("bert").await;
    let bert = Browser {
        credential: anna.basic("bert").await,
        ..anna
    };
    let path = format!("/connections/{connection}");
    assert_eq!(bert.get(&path).await.status, StatusCode::NOT_FOUND);
    for verb in ["test", "refresh", "reconnect", "disconnect"] {
        let page = bert.post(&format!("{path}/{verb}"), &[]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{verb}");
    }
    assert!(bert.get("/connections").await.has("No calendar account"));
    assert_eq!(bert.get("/links/1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        bert.get(&format!("{path}/test")).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(bert.get("/links/1/x/y").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_page_is_strict_about_what_it_loads_and_who_frames_it() {
    let anna = Browser::new().await;
    for path in ["/connections", "/connections/99", "/links/x", "/links"] {
        let page = anna.get(path).await;
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert_eq!(page.header(header::CACHE_CONTROL), "no-store");
        assert_eq!(page.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(page.header(header::REFERRER_POLICY), "same-origin");
        assert!(
            !page.has("<script") && !page.has("style=") && !page.has(" onclick"),
            "{path}"
        );
    }
    let style = anna.get("/assets/style.css").await;
    assert!(style.header(header::CONTENT_TYPE).starts_with("text/css"));
    assert!(style.has("prefers-color-scheme: dark"));
}
