//! A world that is connected to the simulator.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};

use crate::app::App;
use crate::app::connections::{self, Answered, Begun, Connected, Failed};
use crate::app::testing::World;
use crate::app::users;
use crate::config::{Config, OAuthApp};
use crate::model::{ConnectionId, Who};
use crate::remote::{Answer, Broken, Transport};
use crate::simulator::oauth::{Authority, CLIENT_ID, CLIENT_SECRET, Consent};
use crate::simulator::{self, Simulator};
use crate::sync::outside::Outside;

pub const ANNA: &str = "anna@gmail.test";
pub const OTHER: &str = "other@gmail.test";
pub const BOTH: [&str; 2] = ["google", "microsoft"];

/// The simulator as a transport; keeps what was sent.
struct Wire(Simulator, Mutex<Vec<String>>);

impl Transport for Wire {
    fn send(&self, request: Request<Bytes>) -> Answer<'_, Result<Response<Bytes>, Broken>> {
        let said = format!("{} {}", request.method(), request.uri());
        self.1.lock().unwrap().push(said);
        let answer = self.0.handle(request).map_err(|broken| Broken {
            sent: broken == simulator::Broken::AfterWrite,
            reason: "the connection broke".into(),
        });
        Box::pin(async move { answer })
    }
}

pub struct Bridged {
    pub world: World,
    pub simulator: Simulator,
    pub who: Who,
    wire: Arc<Wire>,
}

impl std::ops::Deref for Bridged {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

/// The settings of somebody who registered at the simulator.
pub fn registered() -> Config {
    let at = |path: &str| format!("https://simulator.test{path}");
    let app = |authorize: &str, token: &str, userinfo: &str, revoke: String, api: &str| OAuthApp {
        client_id: CLIENT_ID.into(),
        client_secret: CLIENT_SECRET.to_string().into(),
        tenant: "common".into(),
        authorize_url: at(authorize),
        token_url: at(token),
        userinfo_url: at(userinfo),
        revoke_url: revoke,
        api_url: at(api),
    };
    Config {
        google: app(
            "/google/o/oauth2/v2/auth",
            "/google/token",
            "/google/userinfo",
            at("/google/revoke"),
            "/google/calendar/v3",
        ),
        microsoft: app(
            "/microsoft/{tenant}/oauth2/v2.0/authorize",
            "/microsoft/{tenant}/oauth2/v2.0/token",
            "/microsoft/common/userinfo",
            String::new(),
            "/graph/v1.0",
        ),
        ..Config::default()
    }
}

impl Bridged {
    pub async fn new() -> Bridged {
        Bridged::with(registered()).await
    }

    pub async fn with(config: Config) -> Bridged {
        let simulator = Simulator::new(3, 1_800_000_000);
        for person in [ANNA, OTHER] {
            simulator.google().account(person, "Europe/Berlin");
            simulator
                .graph()
                .account(person, "W. Europe Standard Time", true);
        }
        let wire = Arc::new(Wire(simulator.clone(), Mutex::default()));
        let world = World::reaching(config, Outside::Other(wire.clone())).await;
        world.user("anna").await;
        let who = users::acting(&world, "anna").await.unwrap();
        Bridged {
            world,
            simulator,
            who,
            wire,
        }
    }

    pub fn authority(&self, provider: &str) -> &Authority {
        match provider {
            "google" => self.simulator.google().oauth(),
            _ => self.simulator.graph().oauth(),
        }
    }

    /// Time goes on here and there.
    pub fn pass(&self, seconds: i64) {
        self.clock.advance(seconds);
        self.simulator.advance(seconds);
    }

    /// What was asked since the last call.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.wire.1.lock().unwrap())
    }

    pub fn asked_for(&self, part: &str) -> usize {
        self.asked()
            .iter()
            .filter(|said| said.contains(part))
            .count()
    }

    pub async fn begin(&self, provider: &str) -> Begun {
        connections::begin(&self.app, &self.who, provider, "/connections")
            .await
            .unwrap()
    }

    /// What the browser brings back after the person chose an account and what to allow.
    pub fn consent(&self, provider: &str, begun: &Begun, who: &str, how: Consent) -> Answered {
        let back = self.authority(provider).authorize(&begun.url, who, how);
        answered(&back.unwrap(), begun)
    }

    pub async fn finish(&self, provider: &str, answer: Answered) -> Result<Connected, Failed> {
        connections::finish(&self.app, provider, answer).await
    }

    /// Connects Anna's account with everything allowed.
    pub async fn connect(&self, provider: &str) -> ConnectionId {
        self.connect_as(provider, Consent::All).await.unwrap().id
    }

    pub async fn connect_as(&self, provider: &str, how: Consent) -> Result<Connected, Failed> {
        let begun = self.begin(provider).await;
        let answer = self.consent(provider, &begun, ANNA, how);
        self.finish(provider, answer).await
    }

    pub async fn second_server(&self) -> App {
        self.world.second().await
    }
}

/// The query of the redirect address, with the browser's cookie.
pub fn answered(url: &str, begun: &Begun) -> Answered {
    use secrecy::ExposeSecret;
    let url = url::Url::parse(url).unwrap();
    let get = |name: &str| {
        let mut all = url.query_pairs();
        let found = all.find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    let state = get("state");
    let (name, value) = &begun.cookie;
    let cookie =
        (*name == connections::cookie_name(&state)).then(|| value.expose_secret().to_string());
    Answered {
        state,
        code: get("code"),
        error: get("error"),
        description: get("error_description"),
        cookie,
    }
}
