//! Listings: everything, changes, and what may go wrong on the way. FACTS §4.3, §9.19.

use std::collections::BTreeMap;

use super::*;
use crate::remote::{Change, From, Next};
use crate::simulator::Service;
use crate::simulator::faults::{On, Twist, What};

/// What sync keeps: resources by id.
#[derive(Default, Debug, Clone, PartialEq)]
struct Kept(BTreeMap<String, Item>);

impl Kept {
    fn take(&mut self, change: Change) {
        match change {
            Change::Whole(items) => {
                let master = items[0].id.clone();
                self.0
                    .retain(|id, item| *id != master && item.series.as_ref() != Some(&master));
                self.0
                    .extend(items.into_iter().map(|item| (item.id.clone(), item)));
            }
            Change::Part(item) => drop(self.0.insert(item.id.clone(), item)),
            Change::Gone(id) => {
                self.0
                    .retain(|own, item| *own != id && item.series.as_ref() != Some(&id));
            }
        }
    }

    fn titles(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .0
            .values()
            .map(|item| {
                let doc: Value = serde_json::from_slice(&item.doc).unwrap();
                doc["subject"].as_str().unwrap_or("?").to_owned()
            })
            .collect();
        all.sort();
        all
    }
}

/// All pages; the cursor at their end.
async fn run(world: &World, kept: &mut Kept, cursor: Option<&[u8]>) -> Result<Vec<u8>, Fault> {
    let mut page: Option<Vec<u8>> = None;
    for _ in 0..200 {
        let from = match (&page, cursor) {
            (Some(page), _) => From::Page(page),
            (None, Some(cursor)) => From::Cursor(cursor),
            (None, None) => From::Start,
        };
        let found = Microsoft
            .changes(&world.account, &world.place, from)
            .await?;
        for change in found.changes {
            kept.take(change);
        }
        match found.next {
            Next::Page(next) => page = Some(next),
            Next::Done(cursor) => return Ok(cursor.unwrap()),
        }
    }
    panic!("no end");
}

fn event(subject: &str, day: &str) -> Value {
    json!({"subject": subject, "start": {"dateTime": format!("{day}T09:00:00"), "timeZone": "Europe/Berlin"},
           "end": {"dateTime": format!("{day}T10:00:00"), "timeZone": "Europe/Berlin"}})
}

fn series(subject: &str) -> Value {
    let mut doc = event(subject, "2026-03-02");
    doc["recurrence"] = json!({
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"},
        "range": {"type": "numbered", "numberOfOccurrences": 30, "startDate": "2026-03-02", "recurrenceTimeZone": "Europe/Berlin"}});
    doc
}

fn add(world: &World, doc: Value) -> String {
    world
        .simulator
        .graph()
        .add(BOB, &world.place.remote_id, doc)
        .unwrap()
}

/// The id of an occurrence, as the simulator names it.
async fn occurrence(world: &World, master: &str, day: &str) -> String {
    let at = super::super::wire::instant(&format!("{day}T00:00:00Z")).unwrap();
    let address = super::super::fetch::instances(&world.account, master, at, at + 86_400);
    let answer = super::super::call::get(&world.account, &address)
        .await
        .unwrap();
    answer["value"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn facts_5_everything_over_many_pages_and_outside_of_the_window() {
    let world = World::new();
    for n in 0..130 {
        add(&world, event(&format!("E{n:03}"), "2026-03-10"));
    }
    add(&world, event("long ago", "2019-03-10"));
    add(&world, event("far ahead", "2031-03-10"));
    let master = add(&world, series("S"));
    let moved = occurrence(&world, &master, "2026-03-16").await;
    world
        .simulator
        .graph()
        .edit(BOB, &moved, json!({"subject": "S moved"}));
    let cancelled = occurrence(&world, &master, "2026-03-23").await;
    world.simulator.graph().remove(BOB, &cancelled);
    let mut kept = Kept::default();
    let on = On::service(Service::Graph).method("GET").target("/events?");
    world
        .simulator
        .faults()
        .next(on, What::Twist(Twist::EmptyPage));
    run(&world, &mut kept, None).await.unwrap();
    assert_eq!(kept.0.len(), 134);
    let items = world.get(&master).await;
    let known: Vec<Item> = items.iter().map(|item| kept.0[&item.id].clone()).collect();
    assert_eq!(known, items);
    let text = String::from_utf8(world.read(&items).text).unwrap();
    assert!(
        text.contains("EXDATE;TZID=Europe/Berlin:20260323T090000"),
        "{text}"
    );
    assert!(
        text.contains("RECURRENCE-ID;TZID=Europe/Berlin:20260316T090000"),
        "{text}"
    );
    world.clean();
}

#[tokio::test]
async fn facts_19_delta_stubs_lead_to_their_master() {
    let world = World::new();
    let master = add(&world, series("S"));
    let single = add(&world, event("E", "2026-03-10"));
    let mut kept = Kept::default();
    let cursor = run(&world, &mut kept, None).await.unwrap();
    assert_eq!(kept.titles(), ["E", "S"]);
    let graph = world.simulator.graph();
    let second = occurrence(&world, &master, "2026-03-09").await;
    graph.edit(BOB, &second, json!({"subject": "S2"}));
    graph.edit(BOB, &single, json!({"subject": "E2"}));
    let cursor = run(&world, &mut kept, Some(&cursor)).await.unwrap();
    assert_eq!(kept.titles(), ["E2", "S", "S2"]);
    // Deleted: the occurrence, then the single event, then the series.
    graph.remove(BOB, &second);
    graph.remove(BOB, &single);
    let cursor = run(&world, &mut kept, Some(&cursor)).await.unwrap();
    assert_eq!(kept.titles(), ["S"]);
    graph.remove(BOB, &master);
    let cursor = run(&world, &mut kept, Some(&cursor)).await.unwrap();
    assert_eq!(kept, Kept::default());
    // Nothing happened: one request.
    let before = world.simulator.world().log().len();
    run(&world, &mut kept, Some(&cursor)).await.unwrap();
    assert_eq!(world.simulator.world().log().len(), before + 1);
    world.clean();
}

#[tokio::test]
async fn facts_19_removed_because_out_of_the_window_is_not_gone() {
    let world = World::new();
    let id = add(&world, event("E", "2026-03-10"));
    let mut kept = Kept::default();
    let cursor = run(&world, &mut kept, None).await.unwrap();
    let later = event("later", "2029-03-10");
    world.simulator.graph().edit(BOB, &id, later);
    run(&world, &mut kept, Some(&cursor)).await.unwrap();
    assert_eq!(kept.titles(), ["later"]);
    world.clean();
}

#[tokio::test]
async fn facts_19_replays_change_nothing() {
    let world = World::new();
    add(&world, event("E", "2026-03-10"));
    let master = add(&world, series("S"));
    let mut kept = Kept::default();
    let cursor = run(&world, &mut kept, None).await.unwrap();
    world
        .simulator
        .graph()
        .edit(BOB, &master, json!({"subject": "S2"}));
    let on = || On::service(Service::Graph).target("delta");
    world
        .simulator
        .faults()
        .next(on(), What::Twist(Twist::Replay));
    let next = run(&world, &mut kept, Some(&cursor)).await.unwrap();
    let once = kept.clone();
    run(&world, &mut kept, Some(&cursor)).await.unwrap();
    run(&world, &mut kept, Some(&next)).await.unwrap();
    assert_eq!(kept, once);
    assert_eq!(kept.titles(), ["E", "S2"]);
    world.clean();
}

#[tokio::test]
async fn facts_19_both_resets_start_again() {
    for polite in [true, false] {
        let world = World::new();
        add(&world, event("E", "2026-03-10"));
        let mut kept = Kept::default();
        let cursor = run(&world, &mut kept, None).await.unwrap();
        world.simulator.graph().expire_delta(BOB, polite);
        let gone = run(&world, &mut kept, Some(&cursor)).await;
        assert_eq!(gone, Err(Fault::CursorGone), "{polite}");
        run(&world, &mut kept, None).await.unwrap();
        assert_eq!(kept.titles(), ["E"]);
    }
    // 410 without a word, as any cursor that is no such thing.
    let world = World::new();
    let gone = run(&world, &mut Kept::default(), Some(b"nonsense")).await;
    assert_eq!(gone, Err(Fault::CursorGone));
}

/// FACTS §9.9: an exception that moved is cancelled by its original date.
#[tokio::test]
async fn facts_9_moved_then_cancelled() {
    let world = World::new();
    let master = add(&world, series("S"));
    let mut kept = Kept::default();
    let cursor = run(&world, &mut kept, None).await.unwrap();
    let second = occurrence(&world, &master, "2026-03-09").await;
    let graph = world.simulator.graph();
    assert!(graph.edit(BOB, &second, event("S2", "2026-03-11")));
    let cursor = run(&world, &mut kept, Some(&cursor)).await.unwrap();
    let read = world.read(&world.get(&master).await);
    let text = String::from_utf8(read.text).unwrap();
    assert!(
        text.contains("RECURRENCE-ID;TZID=Europe/Berlin:20260309T090000"),
        "{text}"
    );
    assert!(
        text.contains("DTSTART;TZID=Europe/Berlin:20260311T090000"),
        "{text}"
    );
    graph.remove(BOB, &second);
    run(&world, &mut kept, Some(&cursor)).await.unwrap();
    assert_eq!(kept.titles(), ["S"]);
    let items: Vec<Item> = kept.0.values().cloned().collect();
    let text = String::from_utf8(world.read(&items).text).unwrap();
    assert!(
        text.contains("EXDATE;TZID=Europe/Berlin:20260309T090000"),
        "{text}"
    );
    assert!(!text.contains("RECURRENCE-ID"), "{text}");
}

/// FACTS §4.3: where the expansion is refused, `/instances` tells exceptions and deleted dates.
#[tokio::test]
async fn without_the_expansion_instances_tell_the_same() {
    let world = World::new();
    let master = add(&world, series("S"));
    let second = occurrence(&world, &master, "2026-03-09").await;
    let third = occurrence(&world, &master, "2026-03-16").await;
    let graph = world.simulator.graph();
    assert!(graph.edit(BOB, &second, json!({"subject": "S2"})) && graph.remove(BOB, &third));
    let expanded = world.read(&world.get(&master).await);
    let on = On::service(Service::Graph).target("exceptionOccurrences");
    world.simulator.faults().next(on, What::status(400));
    let looked_up = world.read(&world.get(&master).await);
    assert_eq!(
        String::from_utf8(looked_up.text).unwrap(),
        String::from_utf8(expanded.text).unwrap()
    );
    world.clean();
}

/// FACTS §9.11: a deleted series takes its exceptions with it.
#[tokio::test]
async fn facts_11_a_master_goes_while_exceptions_exist() {
    let world = World::new();
    let master = add(&world, series("S"));
    let second = occurrence(&world, &master, "2026-03-09").await;
    let graph = world.simulator.graph();
    graph.edit(BOB, &second, json!({"subject": "S2"}));
    let mut kept = Kept::default();
    let cursor = run(&world, &mut kept, None).await.unwrap();
    assert_eq!(kept.titles(), ["S", "S2"]);
    graph.remove(BOB, &master);
    run(&world, &mut kept, Some(&cursor)).await.unwrap();
    assert_eq!(kept, Kept::default());
}

#[tokio::test]
async fn a_window_of_a_month_ago_is_made_anew() {
    let world = World::new();
    let mut kept = Kept::default();
    let cursor = run(&world, &mut kept, None).await.unwrap();
    world.account.clock.advance(29 * 86_400);
    let cursor = run(&world, &mut kept, Some(&cursor)).await.unwrap();
    world.account.clock.advance(2 * 86_400);
    let gone = run(&world, &mut kept, Some(&cursor)).await;
    assert_eq!(gone, Err(Fault::CursorGone));
}

/// What changes while everything is listed is in the next delta.
#[tokio::test]
async fn a_change_during_the_listing_is_not_missed() {
    let world = World::new();
    for n in 0..120 {
        add(&world, event(&format!("E{n:03}"), "2026-03-10"));
    }
    let first = world.there()[0]["id"].as_str().unwrap().to_owned();
    let mut kept = Kept::default();
    let mut page: Option<Vec<u8>> = None;
    let mut edited = false;
    let cursor = loop {
        let from = page.as_ref().map_or(From::Start, |page| From::Page(page));
        let found = Microsoft
            .changes(&world.account, &world.place, from)
            .await
            .unwrap();
        let listed = !found.changes.is_empty();
        found
            .changes
            .into_iter()
            .for_each(|change| kept.take(change));
        if listed && !edited {
            world
                .simulator
                .graph()
                .edit(BOB, &first, json!({"subject": "edited"}));
            edited = true;
        }
        match found.next {
            Next::Page(next) => page = Some(next),
            Next::Done(cursor) => break cursor.unwrap(),
        }
    };
    run(&world, &mut kept, Some(&cursor)).await.unwrap();
    assert!(kept.titles().contains(&"edited".to_owned()));
    assert_eq!(kept.0.len(), 120);
}

/// A single event that stands for an instance belongs to its series in every listing.
#[tokio::test]
async fn parts_of_a_series_are_told_with_it() {
    let world = World::new();
    let text = object(&[
        WEEKLY,
        "RECURRENCE-ID;TZID=Europe/Berlin:20260309T090000\nDTSTART;TZID=Europe/Berlin:20260319T150000\n\
         DTEND;TZID=Europe/Berlin:20260319T160000\nSUMMARY:Far away",
    ]);
    let mut kept = Kept::default();
    let cursor = run(&world, &mut kept, None).await.unwrap();
    let placed = world.put(&text, &[]).await.unwrap();
    let id = &placed.items[0].id;
    run(&world, &mut kept, Some(&cursor)).await.unwrap();
    let mut listed = Kept::default();
    run(&world, &mut listed, None).await.unwrap();
    for kept in [&kept, &listed] {
        assert_eq!(kept.0.len(), 2);
        let series: Vec<_> = kept
            .0
            .values()
            .filter_map(|item| item.series.clone())
            .collect();
        assert_eq!(series, std::slice::from_ref(id));
    }
}

/// FACTS §9.16: a 429 inside of a batch that as a whole is a success.
#[tokio::test]
async fn facts_16_throttled_inside_of_a_batch() {
    let world = World::new();
    for n in 0..3 {
        add(&world, series(&format!("S{n}")));
    }
    let script = crate::remote::testing::Script::new().json(
        200,
        &json!({"responses": [
            {"id": "1", "status": 429, "headers": {"Retry-After": "11"}, "body": {"error": {"code": "ApplicationThrottled"}}},
            {"id": "0", "status": 200, "body": {"id": "a"}},
        ]}),
    );
    let account = crate::remote::testing::account(&script);
    let addresses = [
        super::super::call::event(&account, "a"),
        super::super::call::event(&account, "b/+="),
    ];
    let answer = super::super::call::get_all(&account, &addresses).await;
    assert_eq!(
        answer,
        Err(Fault::Throttled(Some(crate::remote::testing::NOW + 11)))
    );
    let sent: Value = serde_json::from_slice(script.requests()[0].body()).unwrap();
    assert_eq!(sent["requests"][1]["url"], "/me/events/b%2F%2B%3D");
    assert!(
        sent["requests"][1]["headers"]["Prefer"]
            .as_str()
            .unwrap()
            .contains("ImmutableId")
    );
}

#[tokio::test]
async fn answers_of_a_batch_come_in_any_order() {
    let script = crate::remote::testing::Script::new().json(
        200,
        &json!({"responses": [
            {"id": "1", "status": 404, "body": {"error": {"code": "ErrorItemNotFound"}}},
            {"id": "0", "status": 200, "body": {"id": "a"}},
        ]}),
    );
    let account = crate::remote::testing::account(&script);
    let addresses = ["a", "b"].map(|id| super::super::call::event(&account, id));
    let answers = super::super::call::get_all(&account, &addresses)
        .await
        .unwrap();
    assert_eq!(answers, [Ok(json!({"id": "a"})), Err(Fault::NotFound)]);
}

/// The token goes nowhere else (FACTS §4.1).
#[tokio::test]
async fn links_lead_to_the_api_only() {
    let script = crate::remote::testing::Script::new();
    let account = crate::remote::testing::account(&script);
    for link in [
        "https://evil.example/v1.0/me",
        "http://api.example/v1.0/me",
        "https://api.example.evil.example/",
        "https://api.example@evil.example/",
        "/me/events",
        "",
    ] {
        assert!(
            super::super::call::own_link(&account, link).is_err(),
            "{link}"
        );
    }
    let own = "https://api.example/me?$skiptoken=a%2Fb";
    assert_eq!(
        super::super::call::own_link(&account, own)
            .unwrap()
            .as_str(),
        own
    );
}
