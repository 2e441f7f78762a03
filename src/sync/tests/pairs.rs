//! The real providers over the simulator: one calendar here between two or three accounts, random edits everywhere,
//! random faults of the simulator; afterwards all sides say the same, nobody was mailed, and nothing more is sent.
//! `KALENDS_PAIRS` says how many schedules of each combination (3 by default); `KALENDS_PAIR` runs one.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::bench::settings;
use super::model::{event, fields, set};
use super::random::{Rng, asked};
use crate::app::testing::World;
use crate::app::{calendars, users};
use crate::config::{Config, OAuthApp};
use crate::model::bridge::{Direction, Health, LinkState, RemoteCalendar};
use crate::model::{ConnectionId, Door, Guard, LinkId, Origin, Privileges, RemoteCalendarId, Who};
use crate::objects;
use crate::remote::{Answer, Broken, Transport};
use crate::simulator::faults::Random;
use crate::simulator::oauth::{CLIENT_ID, CLIENT_SECRET};
use crate::simulator::{self, Simulator};
use crate::store;
use crate::store::bridges::{NewConnection, NewLink, connections, links, remote_calendars, units};
use crate::sync::credentials::Secret;
use crate::sync::outside::Outside;
use crate::sync::{self, Bridge, Cause};

const ANNA: &str = "anna@gmail.test";
/// 2027-01-15T08:00:00Z, where the world's clock stands.
const NOW: i64 = 1_800_000_000;

struct Wire(Simulator);

impl Transport for Wire {
    fn send(&self, request: Request<Bytes>) -> Answer<'_, Result<Response<Bytes>, Broken>> {
        let answer = self.0.handle(request).map_err(|broken| Broken {
            sent: broken == simulator::Broken::AfterWrite,
            reason: "the connection broke".into(),
        });
        Box::pin(async move { answer })
    }
}

fn config() -> Config {
    let at = |path: &str| match path {
        "" => String::new(),
        path => format!("https://simulator.test{path}"),
    };
    let app = |token: &str, revoke: &str, api: &str| OAuthApp {
        client_id: CLIENT_ID.into(),
        client_secret: CLIENT_SECRET.to_string().into(),
        tenant: "common".into(),
        authorize_url: at("/authorize"),
        token_url: at(token),
        userinfo_url: at("/userinfo"),
        revoke_url: at(revoke),
        api_url: at(api),
    };
    Config {
        google: app("/google/token", "/google/revoke", "/google/calendar/v3"),
        microsoft: app("/microsoft/{tenant}/oauth2/v2.0/token", "", "/graph/v1.0"),
        ..Config::default()
    }
}

/// One account at a provider, and its link.
struct Side {
    provider: &'static str,
    calendar: String,
    connection: ConnectionId,
    link: LinkId,
}

struct Pairs {
    world: World,
    simulator: Simulator,
    bridge: Bridge,
    who: Who,
    sides: Vec<Side>,
}

impl Pairs {
    async fn new(seed: u64, providers: &[&'static str]) -> Pairs {
        let simulator = Simulator::new(seed, NOW);
        let wire = Arc::new(Wire(simulator.clone()));
        let world = World::reaching(config(), Outside::Other(wire)).await;
        world.user("anna").await;
        let who = users::acting(&world, "anna").await.unwrap();
        let bridge = world.bridge().await.unwrap().clone();
        let mut pairs = Pairs {
            world,
            simulator,
            bridge,
            who,
            sides: Vec::new(),
        };
        for provider in providers {
            let side = pairs.connect(provider).await;
            pairs.sides.push(side);
        }
        pairs
    }

    /// The remote calendar, and what opens it.
    fn account(&self, provider: &str) -> (String, Secret) {
        let oauth = |authority: &simulator::oauth::Authority, scopes: &[&str]| {
            let tokens = authority.tokens(ANNA, scopes);
            Secret::OAuth {
                access: tokens.access.into(),
                refresh: Some(tokens.refresh.into()),
                expires: NOW + 3600,
                consent: Default::default(),
            }
        };
        match provider {
            "google" => {
                let google = self.simulator.google();
                google.account(ANNA, "Europe/Berlin");
                let scopes = ["https://www.googleapis.com/auth/calendar", "openid"];
                (ANNA.to_string(), oauth(google.oauth(), &scopes))
            }
            "microsoft" => {
                let graph = self.simulator.graph();
                let calendar = graph.account(ANNA, "W. Europe Standard Time", true);
                let scopes = [
                    "https://graph.microsoft.com/Calendars.ReadWrite",
                    "https://graph.microsoft.com/User.Read",
                    "offline_access",
                ];
                (calendar, oauth(graph.oauth(), &scopes))
            }
            _ => {
                let caldav = self.simulator.caldav();
                caldav.account("anna", "pass");
                let url = format!("https://simulator.test{}", caldav.path("anna", "home"));
                let secret = Secret::Password {
                    url: url.clone(),
                    user: "anna".into(),
                    password: SecretString::from("pass".to_string()),
                };
                (url, secret)
            }
        }
    }

    async fn connect(&self, provider: &'static str) -> Side {
        let (remote_id, secret) = self.account(provider);
        let new = NewConnection {
            owner: self.who.id,
            provider: provider.into(),
            account: ANNA.into(),
            label: ANNA.into(),
            secret: secret.seal(&self.world.seal).unwrap(),
            scopes: String::new(),
        };
        let calendar = self.calendar().await.calendar.id;
        let listed = RemoteCalendar {
            id: RemoteCalendarId(0),
            connection: ConnectionId(0),
            remote_id: remote_id.clone(),
            name: "home".into(),
            color: String::new(),
            zone: "Europe/Berlin".into(),
            writable: true,
            primary: true,
            gone: false,
            extra: String::new(),
        };
        let (connection, link) = self
            .world
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let connection = connections::create(tx, &new, NOW).await?;
                    remote_calendars::merge_listing(tx, connection, &[listed], NOW).await?;
                    let remote = remote_calendars::list(tx, connection).await?[0].id;
                    let new = NewLink {
                        calendar,
                        remote,
                        connection,
                        settings: settings(Direction::Both),
                    };
                    Ok((connection, links::create(tx, &new, NOW).await?))
                })
            })
            .await
            .unwrap();
        Side {
            provider,
            calendar: remote_id,
            connection,
            link,
        }
    }

    async fn calendar(&self) -> crate::model::Writable<crate::model::Bound> {
        calendars::to_write(&self.world, &self.who, "calendar", Privileges::WRITE)
            .await
            .unwrap()
    }

    async fn objects(&self) -> Vec<(String, Vec<u8>)> {
        let id = self.calendar().await.calendar.id;
        let mut found = Vec::new();
        self.world
            .store
            .read(|tx| {
                let found = &mut found;
                Box::pin(store::objects::page(tx, id, None, 10_000, true, |m| {
                    found.push((m.name.to_string(), m.body.to_vec()));
                    Ok(())
                }))
            })
            .await
            .unwrap();
        found
    }

    fn origin(&self) -> Origin {
        Origin {
            who: self.who.id,
            door: Door::Caldav,
        }
    }

    async fn put(&self, name: &str, text: &[u8]) {
        let draft = objects::Draft {
            name: name.into(),
            body: text.to_vec().into(),
        };
        let (door, guard) = (self.world.door(), Guard::default());
        objects::put(&door, &self.calendar().await, draft, &guard, self.origin())
            .await
            .unwrap();
    }

    async fn remove(&self, name: &str) {
        let (door, guard) = (self.world.door(), Guard::default());
        objects::remove(&door, &self.calendar().await, name, &guard, self.origin())
            .await
            .unwrap();
    }

    /// (id, title) of every event and series of a side.
    fn there(&self, side: &Side) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or("").to_string();
        match side.provider {
            "google" => {
                let all = self.simulator.google().events(ANNA);
                let own = all
                    .iter()
                    .filter(|event| event.get("recurringEventId").is_none());
                own.map(|event| (text(&event["id"]), text(&event["summary"])))
                    .collect()
            }
            "microsoft" => {
                let all = self.simulator.graph().events(ANNA, Some(&side.calendar));
                all.iter()
                    .map(|event| (text(&event["id"]), text(&event["subject"])))
                    .collect()
            }
            _ => {
                let all = self.simulator.caldav().objects("anna", "home");
                all.into_iter()
                    .map(|(name, text)| (name, fields(text.as_bytes())["SUMMARY"].clone()))
                    .collect()
            }
        }
    }

    fn retitle(&self, side: &Side, id: &str, title: &str) {
        match side.provider {
            "google" => drop(self.simulator.google().edit_event(
                ANNA,
                id,
                json!({"summary": title}),
            )),
            "microsoft" => drop(
                self.simulator
                    .graph()
                    .edit(ANNA, id, json!({"subject": title})),
            ),
            _ => {
                let all = self.simulator.caldav().objects("anna", "home");
                let (_, text) = all.into_iter().find(|(name, _)| name == id).unwrap();
                let text = String::from_utf8(set(text.as_bytes(), "SUMMARY", title)).unwrap();
                self.simulator
                    .caldav()
                    .put_object("anna", "home", id, &text);
            }
        }
    }

    fn delete(&self, side: &Side, id: &str) {
        match side.provider {
            "google" => drop(self.simulator.google().delete_event(ANNA, id)),
            "microsoft" => drop(self.simulator.graph().remove(ANNA, id)),
            _ => drop(self.simulator.caldav().remove_object("anna", "home", id)),
        }
    }

    fn pass(&self, seconds: i64) {
        self.world.clock.advance(seconds);
        self.simulator.advance(seconds);
    }

    /// Runs each link once; whether any had something to do.
    async fn cycle(&self) -> bool {
        let mut busy = false;
        for side in &self.sides {
            let (id, connection) = (side.link, side.connection);
            let report = sync::sync_link(&self.bridge, id, Cause::Asked).await;
            let (state, waiting) = self
                .world
                .store
                .write(move |tx| {
                    Box::pin(async move {
                        connections::set_health(tx, connection, Health::Ok, "").await?;
                        let link = links::get(tx, id).await?.unwrap();
                        Ok((link.state, units::counts(tx, id).await?.waiting))
                    })
                })
                .await
                .unwrap();
            match state {
                LinkState::Asking => drop(sync::approve(&self.bridge, id).await.unwrap()),
                LinkState::Active => {}
                other => panic!("{} is {other:?}", side.provider),
            }
            let idle = report.is_ok_and(|report| report.run.is_none() && report.fault.is_none());
            busy |= !idle || waiting > 0 || state == LinkState::Asking;
        }
        self.pass(1500);
        busy
    }

    /// What waits or is parked, in words.
    async fn stuck(&self) -> Vec<String> {
        let mut stuck = Vec::new();
        for side in &self.sides {
            let link = side.link;
            let queue = self
                .world
                .store
                .peek(|tx| Box::pin(units::waiting(tx, link, 10)))
                .await
                .unwrap();
            for unit in queue {
                let (uid, parked, reason) = (unit.uid, unit.parked, unit.reason);
                stuck.push(format!("{} {uid} {parked}: {reason}", side.provider));
            }
        }
        stuck
    }

    async fn edits(&self, rng: &mut Rng, round: usize) {
        for n in 0..1 + rng.below(3) {
            let uid = format!("{round}-{n}@here");
            let title = format!("here {round} {n}");
            let text = set(&event(&uid, rng.one_in(3)), "SUMMARY", &title);
            self.put(&format!("{round}-{n}.ics"), &text).await;
        }
        for (name, text) in self.objects().await {
            match rng.below(8) {
                0 => {
                    self.put(
                        &name,
                        &set(&text, "SUMMARY", &format!("ours {round} {name}")),
                    )
                    .await
                }
                1 => self.remove(&name).await,
                _ => {}
            }
        }
        for side in &self.sides {
            for (id, title) in self.there(side) {
                match rng.below(10) {
                    0 => self.retitle(side, &id, &format!("{title} {}", side.provider)),
                    1 => self.delete(side, &id),
                    _ => {}
                }
            }
        }
    }
}

fn titles(all: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<_> = all.collect();
    all.sort();
    all
}

async fn schedule(seed: u64, providers: &[&'static str]) {
    let mut rng = Rng::new(seed);
    let pairs = Pairs::new(seed, providers).await;
    for round in 0..3 {
        let story = format!("KALENDS_PAIR={seed} {providers:?}, round {round}");
        pairs.edits(&mut rng, round).await;
        let rate = [0.0, 0.1, 0.3][rng.below(3) as usize];
        pairs.simulator.faults().random(Random::usual(rate));
        for _ in 0..rng.below(4) {
            pairs.cycle().await;
        }
        pairs.simulator.faults().stop();
        let mut cycles = 0;
        while pairs.cycle().await {
            cycles += 1;
            assert!(
                cycles < 40,
                "{story}: it never settles: {:?}",
                pairs.stuck().await
            );
        }
        assert_eq!(pairs.stuck().await, Vec::<String>::new(), "{story}");
        let here = pairs.objects().await;
        let here = titles(here.iter().map(|(_, text)| fields(text)["SUMMARY"].clone()));
        for side in &pairs.sides {
            let there = titles(pairs.there(side).into_iter().map(|(_, title)| title));
            assert_eq!(there, here, "{story}: {}", side.provider);
        }
        let writes = pairs.simulator.world().writes();
        pairs.cycle().await;
        assert_eq!(
            pairs.simulator.world().writes(),
            writes,
            "{story}: something was sent"
        );
        assert_eq!(
            pairs.simulator.take_mails().len(),
            0,
            "{story}: somebody was mailed"
        );
        assert_eq!(
            pairs.simulator.violations(),
            Vec::<String>::new(),
            "{story}"
        );
    }
    let faults = store::verify::verify(&pairs.world.store).await.unwrap();
    assert_eq!(faults, vec![], "KALENDS_PAIR={seed} {providers:?}");
}

async fn schedules(providers: &[&'static str]) {
    if let Some(one) = asked("KALENDS_PAIR") {
        return schedule(one, providers).await;
    }
    for seed in 0..asked("KALENDS_PAIRS").unwrap_or(3) {
        schedule(seed, providers).await;
    }
}

#[tokio::test]
async fn google_and_microsoft_agree_after_any_faults() {
    schedules(&["google", "microsoft"]).await;
}

#[tokio::test]
async fn google_and_caldav_agree_after_any_faults() {
    schedules(&["google", "caldav"]).await;
}

#[tokio::test]
async fn microsoft_and_caldav_agree_after_any_faults() {
    schedules(&["microsoft", "caldav"]).await;
}

#[tokio::test]
async fn p25_the_triangle_agrees_after_any_faults() {
    schedules(&["google", "microsoft", "caldav"]).await;
}
