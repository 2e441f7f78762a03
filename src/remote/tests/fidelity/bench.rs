//! An event on its way to a provider and back.

use std::sync::Arc;

use base64::Engine;
use http::HeaderValue;
use secrecy::SecretString;

use super::super::{Simulated, Token, against_google};
use crate::clock::Clock;
use crate::model::bridge::GuestPolicy;
use crate::remote::testing::{NOW, Script, account_with};
use crate::remote::{
    Account, Answer, Change, Credentials, Endpoints, Fault, From, Item, Loss, Marker, PROVIDERS,
    Place, Provider, Put, Read, provider,
};
use crate::simulator::Simulator;

const ME: &str = "me@example.com";
const PASSWORD: &str = "app-password";

/// What became of an event.
pub enum Passage {
    Through {
        text: Vec<u8>,
        losses: Vec<Loss>,
    },
    /// Not brought across, with the reason.
    Refused(String),
    /// Something that must not happen.
    Wrong(String),
}

/// User name and password, or a secret address.
struct Typed(&'static str, &'static str);

impl Credentials for Typed {
    fn header(&self, _: bool) -> Answer<'_, Result<Option<HeaderValue>, Fault>> {
        let both = format!("{}:{}", self.0, self.1);
        let both = base64::engine::general_purpose::STANDARD.encode(both);
        let value = HeaderValue::from_str(&format!("Basic {both}")).unwrap();
        Box::pin(async move { Ok(Some(value)) })
    }

    fn basic(&self) -> Option<(String, SecretString)> {
        Some((self.0.to_string(), self.1.to_string().into()))
    }
}

/// Names of the providers, in the order of the document's columns.
pub fn names() -> Vec<&'static str> {
    PROVIDERS.iter().map(|row| row.name).collect()
}

struct Bench {
    provider: &'static dyn Provider,
    transport: Simulated,
    account: Account,
    place: Place,
}

const GOOGLE: &str = "https://simulator.test/google/calendar/v3";

impl Bench {
    /// A fresh account of a provider that can be written to.
    fn new(name: &str) -> Bench {
        let simulator = Simulator::new(7, NOW);
        let (api, remote_id, credentials): (_, _, Arc<dyn Credentials>) = match name {
            "google" => {
                simulator.google().account(ME, "Europe/Berlin");
                let token = simulator.google().oauth().full_access(ME);
                (GOOGLE, ME.to_string(), Arc::new(Token(token)))
            }
            "microsoft" => {
                let calendar = simulator
                    .graph()
                    .account(ME, "W. Europe Standard Time", true);
                let token = simulator.graph().oauth().full_access(ME);
                (
                    "https://simulator.test/graph/v1.0",
                    calendar,
                    Arc::new(Token(token)),
                )
            }
            _ => {
                simulator.caldav().account("me", PASSWORD);
                let calendar = simulator.caldav().path("me", "home");
                (
                    "https://simulator.test/caldav/",
                    format!("https://simulator.test{calendar}"),
                    Arc::new(Typed("me", PASSWORD)),
                )
            }
        };
        let transport = Simulated::new(simulator);
        Bench {
            provider: provider(name).unwrap().provider,
            account: Account {
                transport: Arc::new(transport.clone()),
                credentials,
                endpoints: Arc::new(Endpoints {
                    api: api.into(),
                    ..Endpoints::default()
                }),
                clock: Clock::by_hand(NOW),
                label: ME.into(),
            },
            transport,
            place: Place {
                remote_id,
                zone: "Europe/Berlin".into(),
                extra: r#"{"online":["teamsForBusiness"]}"#.into(),
            },
        }
    }

    async fn put(
        &self,
        text: &[u8],
        known: &[Item],
        guests: GuestPolicy,
    ) -> Result<crate::remote::Placed, Fault> {
        let marker = Marker {
            instance: "here".into(),
            link: "1".into(),
            uid: uid(text),
        };
        let put = Put {
            key: "0123456789abcdef0123456789abcdef01234567",
            marker: &marker,
            text,
            known,
            guests,
            respond: None,
        };
        self.provider.put(&self.account, &self.place, put).await
    }

    /// What must not have been sent.
    fn offences(&self, guests: GuestPolicy) -> Vec<String> {
        let sent = self.transport.take();
        let simulator = &self.transport.simulator;
        let mut all = simulator.violations();
        all.extend(against_google(&sent, GOOGLE));
        if guests == GuestPolicy::Never {
            all.extend(
                simulator
                    .take_mails()
                    .iter()
                    .map(|mail| format!("{mail:?}")),
            );
        }
        all
    }

    async fn through(&self, text: &[u8], guests: GuestPolicy) -> Passage {
        let placed = match self.put(text, &[], guests).await {
            Ok(placed) => placed,
            Err(Fault::Refused(refusal)) => return Passage::Refused(refusal.reason),
            Err(fault) => {
                let violations = self.transport.simulator.violations();
                return Passage::Wrong(format!("{fault:?} {violations:?}"));
            }
        };
        let offences = self.offences(guests);
        if !offences.is_empty() {
            return Passage::Wrong(format!("{offences:?}"));
        }
        let reading = match self.provider.read(&self.place, ME, &placed.items) {
            Ok(Read::Event(reading)) => reading,
            other => return Passage::Wrong(format!("{other:?}")),
        };
        // Once there, it is so: nothing is written again.
        let again = self.put(text, &placed.items, guests).await;
        let asks = ["GET", "PROPFIND", "REPORT"];
        let sent = self.transport.take();
        let written = sent
            .iter()
            .filter(|request| !asks.contains(&request.method().as_str()))
            .filter(|request| !request.uri().path().ends_with("$batch"));
        let bodies: Vec<String> = written
            .map(|request| String::from_utf8_lossy(request.body()).into_owned())
            .collect();
        if again.is_err() || !bodies.is_empty() {
            return Passage::Wrong(format!("not idle: {again:?} {bodies:?}"));
        }
        let mut losses = placed.losses;
        losses.extend(reading.losses);
        Passage::Through {
            text: reading.text,
            losses,
        }
    }
}

fn uid(text: &[u8]) -> String {
    use crate::ical::tree::{Limits, Tree};
    let tree = Tree::parse(text, &Limits::default()).unwrap();
    let event = tree.components().find(|part| part.is("VEVENT")).unwrap();
    event
        .property("UID")
        .map(|uid| uid.text().into_owned())
        .unwrap_or_default()
}

/// A subscribed address is only read.
async fn subscribed(text: &[u8]) -> Passage {
    let script = Script::new().answer(200, String::from_utf8_lossy(text).into_owned());
    let account = account_with(
        &script,
        Arc::new(Typed("", "https://feeds.example/s3cret.ics")),
    );
    let place = Place {
        remote_id: "feed".into(),
        zone: "UTC".into(),
        extra: String::new(),
    };
    let ics = provider("ics").unwrap().provider;
    let page = match ics.changes(&account, &place, From::Start).await {
        Ok(page) => page,
        Err(fault) => return Passage::Wrong(format!("{fault:?}")),
    };
    let [Change::Whole(items)] = page.changes.as_slice() else {
        return Passage::Wrong(format!("{} events", page.changes.len()));
    };
    match ics.read(&place, ME, items) {
        Ok(Read::Event(reading)) => Passage::Through {
            text: reading.text,
            losses: reading.losses,
        },
        Ok(Read::Nothing) => Passage::Wrong("nothing".into()),
        Err(refusal) => Passage::Refused(refusal.reason),
    }
}

/// Brings an event to a provider and reads it back.
pub async fn through(name: &str, text: &[u8], guests: GuestPolicy) -> Passage {
    match name {
        "ics" => subscribed(text).await,
        name => Bench::new(name).through(text, guests).await,
    }
}
