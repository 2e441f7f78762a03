//! The provider against the simulator, whose reading of Graph is another one, and over scripted answers.

mod edits;
mod facts;
mod listing;
mod other;
mod samples;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use serde_json::{Value, json};

use super::Microsoft;
use crate::clock::Clock;
use crate::model::bridge::GuestPolicy;
use crate::remote::{
    Account, Answer, Broken, Credentials, Endpoints, Fault, Item, Marker, Place, Placed, Provider,
    Put, Read, Reading, Transport,
};
use crate::simulator::{self, Simulator};

/// 2026-03-01T12:00:00Z.
const NOW: i64 = 1_772_366_400;
const BOB: &str = "bob@outlook.test";

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

struct Token(String);

impl Credentials for Token {
    fn header(&self, rejected: bool) -> Answer<'_, Result<Option<HeaderValue>, Fault>> {
        let value = HeaderValue::from_str(&format!("Bearer {}", self.0)).unwrap();
        Box::pin(async move {
            if rejected {
                return Err(Fault::Revoked("refused".into()));
            }
            Ok(Some(value))
        })
    }
}

/// One account with one calendar.
struct World {
    simulator: Simulator,
    account: Account,
    place: Place,
}

impl World {
    fn new() -> World {
        World::of("W. Europe Standard Time", true)
    }

    fn of(zone: &str, work: bool) -> World {
        let simulator = Simulator::new(7, NOW);
        let calendar = simulator.graph().account(BOB, zone, work);
        let token = simulator.graph().oauth().full_access(BOB);
        let account = Account {
            transport: Arc::new(Wire(simulator.clone())),
            credentials: Arc::new(Token(token)),
            endpoints: Arc::new(Endpoints {
                api: "https://simulator.test/graph/v1.0".into(),
                ..Endpoints::default()
            }),
            clock: Clock::by_hand(NOW),
            label: BOB.into(),
        };
        let home = super::zone::Wall::named(zone).map_or("UTC".into(), |wall| wall.name);
        let place = Place {
            remote_id: calendar,
            zone: home,
            extra: if work {
                json!({"online": ["teamsForBusiness"]}).to_string()
            } else {
                String::new()
            },
        };
        World {
            simulator,
            account,
            place,
        }
    }

    async fn put(&self, text: &str, known: &[Item]) -> Result<Placed, Fault> {
        self.put_as(text, known, GuestPolicy::Never, None).await
    }

    async fn put_as(
        &self,
        text: &str,
        known: &[Item],
        guests: GuestPolicy,
        respond: Option<&str>,
    ) -> Result<Placed, Fault> {
        let marker = marker();
        let put = Put {
            key: "0123456789abcdef",
            marker: &marker,
            text: text.as_bytes(),
            known,
            guests,
            respond,
        };
        Microsoft.put(&self.account, &self.place, put).await
    }

    async fn get(&self, id: &str) -> Vec<Item> {
        let found = Microsoft.get(&self.account, &self.place, id).await;
        found.unwrap().unwrap()
    }

    fn read(&self, items: &[Item]) -> Reading {
        match Microsoft.read(&self.place, BOB, items).unwrap() {
            Read::Event(reading) => *reading,
            Read::Nothing => panic!("nothing"),
        }
    }

    /// All that the calendar holds, as the simulator's own eyes see it.
    fn there(&self) -> Vec<Value> {
        self.simulator
            .graph()
            .events(BOB, Some(&self.place.remote_id))
    }

    fn writes(&self) -> u64 {
        let log = self.simulator.world().log();
        let asks = |target: &str| target.contains("$batch") || target.contains("getSchedule");
        let writes = log
            .iter()
            .filter(|one| one.method != "GET" && !asks(&one.target));
        writes.count() as u64
    }

    /// Nothing was sent that Graph's documents forbid, nobody was mailed.
    fn clean(&self) {
        assert_eq!(self.simulator.violations(), [""; 0]);
        assert_eq!(self.simulator.world().mails(), []);
    }
}

fn marker() -> Marker {
    Marker {
        instance: "inst".into(),
        link: "link".into(),
        uid: "u1@example.com".into(),
    }
}

/// An object of these VEVENTs' lines; UID and DTSTAMP are added.
fn object(events: &[&str]) -> String {
    let mut text = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\n");
    for event in events {
        text += "BEGIN:VEVENT\r\nUID:u1@example.com\r\nDTSTAMP:20260301T120000Z\r\n";
        for line in event.lines() {
            text += &format!("{}\r\n", line.trim());
        }
        text += "END:VEVENT\r\n";
    }
    text + "END:VCALENDAR\r\n"
}

fn canonical(text: &[u8]) -> String {
    crate::ical::canonical::canonical(text).unwrap()
}

/// Is it the same event there and back?
#[track_caller]
fn same(ours: &str, theirs: &Reading) {
    let theirs_text = String::from_utf8_lossy(&theirs.text);
    assert_eq!(
        canonical(ours.as_bytes()),
        canonical(&theirs.text),
        "{theirs_text}"
    );
}

/// A body of the simulator's log.
fn text(body: &Bytes) -> String {
    String::from_utf8_lossy(body).into_owned()
}

const WEEKLY: &str = "DTSTART;TZID=Europe/Berlin:20260302T090000\nDTEND;TZID=Europe/Berlin:20260302T100000\n\
                      RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=10\nSUMMARY:Team";
