//! A session asks for a conference, its linked calendar makes one, and the session shows where to join.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::world::{ANNA, Bridged};
use crate::app::{connections, links, sessions};
use crate::model::LinkId;
use crate::model::bridge::Direction;

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

async fn linked(world: &Bridged, provider: &str, direction: Direction) -> LinkId {
    let id = world.connect(provider).await;
    let listed = connections::calendars(world, &world.who, id).await.unwrap();
    let primary = listed.into_iter().find(|one| one.primary).unwrap();
    let new = links::New {
        remote: primary.id,
        target: links::Target::Existing("calendar".into()),
        settings: links::Change {
            direction: Some(direction),
            ..links::Change::default()
        },
    };
    links::create(world, &world.who, new).await.unwrap().link.id
}

fn key(uid: &str) -> sessions::Key {
    sessions::Key {
        uid: uid.into(),
        calendar: None,
        occurrence: None,
    }
}

async fn conference(world: &Bridged, uid: &str) -> Option<String> {
    let session = sessions::get(world, &world.who, &key(uid)).await.unwrap();
    session.fields.conference
}

async fn make(world: &Bridged, uid: &str, conference: &str) {
    let fields = object(json!({
        "uid": uid, "calendar": "calendar", "title": "Coaching", "start": "2027-02-01T09:00:00Z", "end": "2027-02-01T10:00:00Z",
        "conference": conference, "sync": true,
    }));
    sessions::create(world, &world.who, &fields, uid, Duration::ZERO)
        .await
        .unwrap();
}

async fn run(world: &Bridged, link: LinkId) -> u64 {
    world.pass(4000);
    world.asked();
    let report = links::run_now(world, &world.who, link).await.unwrap();
    assert_eq!((report.fault, report.counts.parked), (None, 0));
    let writes = |said: &&String| {
        ["POST", "PUT", "PATCH", "DELETE"]
            .iter()
            .any(|verb| said.starts_with(verb))
    };
    let asked = world.asked();
    let all = asked
        .iter()
        .filter(writes)
        .filter(|said| !said.contains("/token") && !said.contains("/watch"));
    all.count() as u64
}

#[tokio::test]
async fn a_conference_that_is_asked_for_is_made_and_shown() {
    for direction in [Direction::Both, Direction::Push] {
        for pends in [false, true] {
            let world = Bridged::new().await;
            world.simulator.google().conferences_pend(pends);
            let link = linked(&world, "google", direction).await;
            make(&world, "one", "Meet").await;
            assert_eq!(
                conference(&world, "one").await.as_deref(),
                Some("meet"),
                "asked for"
            );
            for _ in 0..4 {
                run(&world, link).await;
            }
            let there = world.simulator.google().events(ANNA);
            assert_eq!(there.len(), 1);
            let meet = there[0]["hangoutLink"].as_str().unwrap();
            assert_eq!(
                conference(&world, "one").await.as_deref(),
                Some(meet),
                "{direction:?} {pends}"
            );
            assert_eq!(run(&world, link).await, 0, "idle");

            // Its address is not asked for again when the session changes, and goes where it is not wanted any more.
            let patch = object(json!({"title": "Other"}));
            sessions::patch(&world, &world.who, &key("one"), &patch, &Default::default())
                .await
                .unwrap();
            run(&world, link).await;
            let there = world.simulator.google().events(ANNA);
            assert_eq!(there[0]["summary"], "Other");
            assert_eq!(
                there[0]["hangoutLink"].as_str(),
                conference(&world, "one").await.as_deref()
            );
            assert_eq!(world.simulator.violations(), Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn a_session_may_ask_later_and_elsewhere() {
    let world = Bridged::new().await;
    let link = linked(&world, "microsoft", Direction::Both).await;
    make(&world, "two", "https://rooms.example/1").await;
    run(&world, link).await;
    assert_eq!(
        conference(&world, "two").await.as_deref(),
        Some("https://rooms.example/1")
    );
    let patch = object(json!({"conference": "teams"}));
    sessions::patch(&world, &world.who, &key("two"), &patch, &Default::default())
        .await
        .unwrap();
    assert_eq!(conference(&world, "two").await.as_deref(), Some("teams"));
    for _ in 0..3 {
        run(&world, link).await;
    }
    let uri = conference(&world, "two").await.unwrap();
    assert!(uri.starts_with("https://"), "{uri}");
    assert_ne!(uri, "https://rooms.example/1");
    assert_eq!(run(&world, link).await, 0, "idle");
    let wrong = object(json!({"conference": "zoom"}));
    let refused =
        sessions::patch(&world, &world.who, &key("two"), &wrong, &Default::default()).await;
    assert!(refused.is_err());
}
