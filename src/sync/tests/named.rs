//! Points of FACTS §9 that are the engine's, by number, and what else a link must do.

use super::bench::{Bench, settings};
use super::model::{cancel, event, fields, set, set_instance, uid};
use super::remote::Fate;
use crate::model::bridge::{ConflictPolicy, Direction, GuestPolicy, Health, LinkState, Privacy};
use crate::model::{Error, LinkId};
use crate::store::bridges::{Settings, connections, links, runs};
use crate::sync::plan::Act;
use crate::sync::{self, Cause, Mirrors};

/// The next call of this name has this fate.
fn once(bench: &Bench, call: &'static str, fate: Fate) {
    let mut left = Some(fate);
    bench.remote.with(|state| {
        state.fates = Some(Box::new(move |name| match name == call {
            true => left.take().unwrap_or(Fate::Fine),
            false => Fate::Fine,
        }));
    });
}

/// Runs the link until it is over or the process dies.
async fn until_death(bench: &Bench, link: LinkId) {
    tokio::select! {
        _ = sync::sync_link(&bench.bridge, link, Cause::Poll) => {}
        () = bench.remote.died.notified() => {}
    }
    bench.remote.with(|state| state.fates = None);
    bench.world.clock.advance(4000);
}

async fn titles_here(bench: &Bench, slug: &str) -> Vec<String> {
    let all = bench.objects_in(slug).await;
    let mut titles: Vec<_> = all
        .values()
        .map(|text| fields(text)["SUMMARY"].clone())
        .collect();
    titles.sort();
    titles
}

fn titles_there(bench: &Bench, cal: &str) -> Vec<String> {
    let all = bench.remote.events(cal);
    let mut titles: Vec<_> = all
        .values()
        .map(|text| fields(text)["SUMMARY"].clone())
        .collect();
    titles.sort();
    titles
}

/// Five events on each side, in step.
async fn ten() -> (Bench, LinkId) {
    let (bench, link) = Bench::linked(Direction::Both).await;
    for n in 0..5 {
        let text = event(&format!("here-{n}"), n == 0);
        bench.put(&format!("here-{n}.ics"), &text).await;
        bench
            .remote
            .create("r", &event(&format!("there-{n}"), n == 0));
    }
    bench.settle(link).await;
    assert_eq!(
        (bench.objects().await.len(), bench.remote.events("r").len()),
        (10, 10)
    );
    (bench, link)
}

#[tokio::test]
async fn p06_a_crash_between_pages_loses_and_doubles_nothing() {
    for fatal in 1..6 {
        let (bench, link) = Bench::linked(Direction::Both).await;
        for n in 0..10 {
            bench
                .remote
                .create("r", &event(&format!("there-{n}"), false));
        }
        let mut count = 0;
        bench.remote.with(|state| {
            state.fates = Some(Box::new(move |_| {
                count += 1;
                if count == fatal {
                    Fate::DieAfter
                } else {
                    Fate::Fine
                }
            }));
        });
        until_death(&bench, link).await;
        bench.settle(link).await;
        assert_eq!(bench.objects().await.len(), 10, "death at call {fatal}");
        assert_eq!(bench.remote.writes(), 0);
        bench.sound().await;
    }
}

#[tokio::test]
async fn what_is_deleted_there_before_any_listing_named_it_is_deleted_here() {
    let (bench, link) = Bench::linked(Direction::Both).await;
    bench.settle(link).await;
    for name in ["brief", "kept"] {
        bench.put(&format!("{name}.ics"), &event(name, false)).await;
    }
    sync::sync_link(&bench.bridge, link, Cause::Local)
        .await
        .unwrap();
    let there = bench.remote.events("r");
    let brief = there.iter().find(|(_, text)| uid(text) == "brief").unwrap();
    bench.remote.vanish("r", brief.0);
    bench.settle(link).await;
    assert_eq!(
        bench.objects().await.into_keys().collect::<Vec<_>>(),
        ["kept.ics"]
    );
    assert_eq!(bench.remote.events("r").len(), 1);
    bench.sound().await;
}

#[tokio::test]
async fn p07_a_forgotten_cursor_lists_everything_and_keeps_the_mapping() {
    let (bench, link) = ten().await;
    let gone = bench.remote.events("r").keys().next().unwrap().clone();
    bench.remote.delete("r", &gone);
    bench.remote.expire();
    let writes = bench.remote.writes();
    let names: Vec<_> = bench.objects().await.into_keys().collect();
    bench.settle(link).await;
    let now: Vec<_> = bench.objects().await.into_keys().collect();
    assert_eq!(now.len(), 9);
    assert!(now.iter().all(|name| names.contains(name)));
    assert_eq!(bench.remote.writes(), writes, "nothing was sent for it");
    // In the middle of the new listing, too.
    bench.remote.expire();
    once(&bench, "changes", Fate::Expire);
    bench.settle(link).await;
    assert_eq!(bench.objects().await.len(), 9);
    bench.sound().await;
}

#[tokio::test]
async fn p09_an_exception_before_its_master_arrives_with_it() {
    let (bench, link) = Bench::linked(Direction::Both).await;
    let text = set_instance(&event("s", true), 2, "moved");
    // The exception's id sorts before its master's, and a page holds one resource.
    bench.remote.with(|state| state.page = 1);
    let id = bench.remote.create("r", &text);
    bench.remote.with(|state| {
        let cal = state.cals.get_mut("r").unwrap();
        let own = cal.items.keys().find(|key| **key != id).unwrap().clone();
        let exception = cal.items.remove(&own).unwrap();
        cal.items.insert(format!("a-{own}"), exception);
    });
    bench.settle(link).await;
    let all = bench.objects().await;
    assert_eq!(all.len(), 1);
    let now = fields(all.values().next().unwrap());
    assert_eq!(now["o2"], "moved");
    let calls = bench.remote.with(|state| state.calls.clone());
    assert!(
        calls.contains(&"get".to_string()),
        "the master was asked for: {calls:?}"
    );
    // Moved, then cancelled: the override goes, the date is excepted.
    bench.remote.edit("r", &id, |text| {
        let plain = String::from_utf8(text.to_vec()).unwrap();
        let at = plain.rfind("BEGIN:VEVENT").unwrap();
        let only = format!("{}END:VCALENDAR\r\n", &plain[..at]);
        cancel(only.as_bytes())
    });
    bench.settle(link).await;
    let now = fields(bench.objects().await.values().next().unwrap());
    assert!(
        !now.contains_key("o2") && now.contains_key("EXDATE"),
        "{now:?}"
    );
    bench.sound().await;
}

#[tokio::test]
async fn p10_a_series_split_there_is_two_series_here() {
    let (bench, link) = Bench::linked(Direction::Both).await;
    let id = bench.remote.create("r", &event("s", true));
    bench.settle(link).await;
    // This and all following: the old series ends earlier, a new one begins.
    bench
        .remote
        .edit("r", &id, |text| set(text, "RRULE", "FREQ=WEEKLY;COUNT=2"));
    let rest = set(&event("s2", true), "RRULE", "FREQ=WEEKLY;COUNT=4");
    bench.remote.create("r", &rest);
    bench.settle(link).await;
    let all = bench.objects().await;
    assert_eq!(all.len(), 2);
    let short = all
        .values()
        .any(|t| String::from_utf8_lossy(t).contains("COUNT=2"));
    assert!(short);
    assert_eq!(bench.remote.writes(), 0);
}

#[tokio::test]
async fn p11_a_master_deleted_there_takes_its_exceptions_along() {
    let (bench, link) = Bench::linked(Direction::Both).await;
    let id = bench
        .remote
        .create("r", &set_instance(&event("s", true), 1, "own"));
    bench.settle(link).await;
    bench.remote.delete("r", &id);
    bench.settle(link).await;
    assert_eq!(bench.objects().await.len(), 0);
    bench.sound().await;
}

#[tokio::test]
async fn p12_a_create_without_answer_makes_one_event() {
    for fate in [Fate::After, Fate::DieAfter, Fate::Before, Fate::DieBefore] {
        let (bench, link) = Bench::linked(Direction::Both).await;
        bench.put("a.ics", &event("a", false)).await;
        once(&bench, "put", fate);
        until_death(&bench, link).await;
        bench.settle(link).await;
        assert_eq!(bench.remote.events("r").len(), 1, "{fate:?}");
        assert_eq!(bench.objects().await.len(), 1, "{fate:?}");
        bench.sound().await;
    }
}

#[tokio::test]
async fn p13_what_was_deleted_there_and_edited_here_gets_a_new_id() {
    let (bench, link) = Bench::linked(Direction::Both).await;
    bench.put("a.ics", &event("a", false)).await;
    bench.settle(link).await;
    let first = bench.remote.events("r").keys().next().unwrap().clone();
    bench.remote.delete("r", &first);
    bench
        .put("a.ics", &set(&event("a", false), "SUMMARY", "edited"))
        .await;
    bench.settle(link).await;
    let there = bench.remote.events("r");
    let (id, text) = there.iter().next().unwrap();
    assert_ne!(*id, first);
    assert_eq!(
        (there.len(), fields(text)["SUMMARY"].as_str()),
        (1, "edited")
    );
}

#[tokio::test]
async fn p14_what_changed_there_meanwhile_is_merged() {
    let (bench, link) = ten().await;
    bench
        .put(
            "here-1.ics",
            &set(&event("here-1", false), "SUMMARY", "ours"),
        )
        .await;
    once(&bench, "put", Fate::Touch);
    bench.settle(link).await;
    let all = bench.objects().await;
    let now = fields(&all["here-1.ics"]);
    assert_eq!(now["SUMMARY"], "ours");
    assert!(
        now["URL"].starts_with("https://"),
        "their edit came along: {now:?}"
    );
    let there = bench.remote.events("r");
    let there = there.values().find(|text| uid(text) == "here-1").unwrap();
    assert_eq!(fields(there), now);
}

#[tokio::test]
async fn p16_a_throttled_connection_waits_and_no_event_is_blamed() {
    let (bench, link) = ten().await;
    bench
        .put(
            "here-1.ics",
            &set(&event("here-1", false), "SUMMARY", "ours"),
        )
        .await;
    once(&bench, "put", Fate::Throttle);
    let report = bench.sync(link).await;
    assert!(report.fault.is_some());
    let queue = bench.queue(link).await;
    assert_eq!(
        (queue.len(), queue[0].attempts, queue[0].parked.as_str()),
        (1, 0, "")
    );
    let worked = sync::work(&bench.bridge).await.unwrap();
    assert!(!worked.worked, "nothing is asked before the time");
    assert!(worked.next.unwrap() > bench.world.clock.now());
    bench.world.clock.advance(4000);
    while sync::work(&bench.bridge).await.unwrap().worked {}
    assert_eq!(bench.queue(link).await.len(), 0);
    assert!(titles_there(&bench, "r").contains(&"ours".to_string()));
}

#[tokio::test]
async fn p25_chains_and_rings_of_calendars_stay_as_they_are() {
    let bench = Bench::new().await;
    bench.make_calendar("second").await;
    // Two and three remote calendars around two local ones: one -> calendar -> two -> second -> three -> calendar.
    let mut all = Vec::new();
    for (slug, cal) in [
        ("calendar", "one"),
        ("calendar", "two"),
        ("second", "two"),
        ("second", "three"),
        ("calendar", "three"),
    ] {
        all.push(bench.link(slug, cal, settings(Direction::Both)).await);
    }
    bench.remote.create("one", &event("a", true));
    bench.remote.create("three", &event("b", false));
    bench.put("c.ics", &event("c", false)).await;
    let mut counts = Vec::new();
    let mut writes = 0;
    for cycle in 0..10 {
        for link in &all {
            bench.settle(*link).await;
        }
        if cycle < 3 {
            writes = bench.remote.writes();
            continue;
        }
        let there = ["one", "two", "three"].map(|cal| bench.remote.events(cal).len());
        let here = [
            bench.objects_in("calendar").await.len(),
            bench.objects_in("second").await.len(),
        ];
        counts.push((there, here));
    }
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    assert_eq!(counts[0].0[0], 3, "each has each event once: {counts:?}");
    assert_eq!(
        bench.remote.writes(),
        writes,
        "nothing is sent when nothing changes"
    );
    bench.sound().await;
}

#[tokio::test]
async fn p25_one_calendar_between_three_providers_keeps_its_count() {
    let bench = Bench::new().await;
    let mut all = Vec::new();
    for cal in ["google", "outlook", "caldav"] {
        all.push(bench.link("calendar", cal, settings(Direction::Both)).await);
        bench.remote.create(cal, &event(cal, true));
    }
    for _ in 0..2 {
        for link in &all {
            bench.settle(*link).await;
        }
    }
    let writes = bench.remote.writes();
    for _ in 0..10 {
        for link in &all {
            bench.settle(*link).await;
        }
    }
    for cal in ["google", "outlook", "caldav"] {
        assert_eq!(
            titles_there(&bench, cal),
            titles_here(&bench, "calendar").await
        );
        assert_eq!(bench.remote.events(cal).len(), 3);
    }
    assert_eq!(bench.remote.writes(), writes);
    bench.sound().await;
}

const PRIVATE: [&str; 3] = ["Dentist", "secret", "mailto"];

/// A series with a private title, a guest, and an exception.
fn private() -> Vec<u8> {
    let text = set(&event("private@secret", true), "SUMMARY", "Dentist");
    let text = set(&text, "LOCATION", "secret");
    let text = set(&text, "ATTENDEE", "mailto:guest@example.org");
    set_instance(&text, 2, "secret instance")
}

#[tokio::test]
async fn p27_a_busy_mirror_holds_nothing_private_through_all_changes() {
    let bench = Bench::new().await;
    let link = bench.link("calendar", "r", settings(Direction::Busy)).await;
    bench.put("p.ics", &private()).await;
    bench.settle(link).await;
    bench
        .put("p.ics", &set(&private(), "DTEND", "20270201T120000Z"))
        .await;
    bench.settle(link).await;
    bench
        .put("p.ics", &set_instance(&private(), 3, "secret too"))
        .await;
    bench.settle(link).await;
    let whole = |bench: &Bench| {
        bench.remote.with(|state| {
            let all = state.cals["r"].items.values().map(|res| res.doc.clone());
            let bodies = state.bodies.iter().cloned();
            String::from_utf8(all.chain(bodies).flatten().collect()).unwrap()
        })
    };
    let said = whole(&bench);
    for word in PRIVATE {
        assert!(!said.contains(word), "{word}: {said}");
    }
    assert!(said.contains("SUMMARY:Busy") && said.contains("RECURRENCE-ID"));
    // What takes no time is not there.
    bench
        .put(
            "free.ics",
            &set(&event("free", false), "TRANSP", "TRANSPARENT"),
        )
        .await;
    bench.settle(link).await;
    assert_eq!(bench.remote.events("r").len(), 1);
    // From everything to busy: what was told is told no more.
    let open = Settings {
        privacy: Privacy::Full,
        ..settings(Direction::Push)
    };
    let change = |settings: Settings| {
        bench
            .world
            .store
            .write(move |tx| Box::pin(async move { links::update(tx, link, &settings).await }))
    };
    change(open).await.unwrap();
    bench.settle(link).await;
    assert!(whole(&bench).contains("Dentist"));
    change(settings(Direction::Busy)).await.unwrap();
    bench.settle(link).await;
    for text in bench.remote.events("r").values() {
        let text = String::from_utf8(text.clone()).unwrap();
        assert!(PRIVATE.iter().all(|word| !text.contains(word)), "{text}");
    }
    assert_eq!(bench.remote.events("r").len(), 1, "what takes no time went");
    bench.sound().await;
}

#[tokio::test]
async fn p26_guests_never_leave_in_any_body() {
    for direction in [Direction::Both, Direction::Push, Direction::Busy] {
        let bench = Bench::new().await;
        let link = bench.link("calendar", "r", settings(direction)).await;
        bench.put("p.ics", &private()).await;
        bench.settle(link).await;
        bench
            .put("p.ics", &set(&private(), "SUMMARY", "changed"))
            .await;
        bench.settle(link).await;
        let bodies = bench.remote.with(|state| state.bodies.clone());
        assert!(!bodies.is_empty());
        for body in bodies {
            let body = String::from_utf8(body).unwrap();
            assert!(
                !body.contains("ATTENDEE") && !body.contains("mailto"),
                "{body}"
            );
        }
    }
}

#[tokio::test]
async fn guests_who_would_be_mailed_are_spared() {
    let (bench, link) = Bench::linked(Direction::Both).await;
    bench.remote.with(|state| state.mails_guests = true);
    let text = set(&event("m", false), "ATTENDEE", "mailto:guest@example.org");
    bench.remote.create("r", &text);
    bench.settle(link).await;
    let (name, text) = bench.objects().await.into_iter().next().unwrap();
    bench.put(&name, &set(&text, "SUMMARY", "changed")).await;
    let report = bench.sync(link).await;
    assert_eq!(report.counts.parked, 1);
    assert_eq!(bench.queue(link).await[0].parked, "guests");
    assert_eq!(bench.remote.writes(), 0);
    let open = Settings {
        guests: GuestPolicy::Send,
        ..settings(Direction::Both)
    };
    bench
        .world
        .store
        .write(move |tx| Box::pin(async move { links::update(tx, link, &open).await }))
        .await
        .unwrap();
    bench.settle(link).await;
    assert_eq!(titles_there(&bench, "r"), ["changed"]);
}

#[tokio::test]
async fn p28_many_deletions_are_asked_about_and_approved_once() {
    let (bench, link) = ten().await;
    let ids: Vec<_> = bench.remote.events("r").into_keys().collect();
    for id in &ids[..8] {
        bench.remote.delete("r", id);
    }
    let report = bench.sync(link).await;
    assert_eq!(
        report.asked.as_deref(),
        Some("8 of 10 events would be deleted here")
    );
    assert_eq!(bench.get(link).await.state, LinkState::Asking);
    assert_eq!(bench.objects().await.len(), 10);
    assert!(bench.sync(link).await.asked.is_some(), "it goes on asking");
    assert!(sync::approve(&bench.bridge, link).await.unwrap());
    bench.sync(link).await;
    assert_eq!(bench.objects().await.len(), 2);
    assert_eq!(bench.get(link).await.state, LinkState::Active);
    bench.sound().await;
}

#[tokio::test]
async fn p28_an_empty_listing_that_was_a_mistake_answers_itself() {
    let (bench, link) = ten().await;
    let kept = bench
        .remote
        .with(|state| std::mem::take(&mut state.cals.get_mut("r").unwrap().items));
    bench.remote.expire();
    assert!(bench.sync(link).await.asked.is_some());
    bench
        .remote
        .with(|state| state.cals.get_mut("r").unwrap().items = kept);
    bench.remote.expire();
    bench.sync(link).await;
    assert_eq!(bench.get(link).await.state, LinkState::Active);
    assert_eq!(
        (bench.objects().await.len(), bench.remote.events("r").len()),
        (10, 10)
    );
    bench.sound().await;
}

#[tokio::test]
async fn p30_a_link_ends_with_its_mirrors_kept_or_removed() {
    for (mirrors, left) in [(Mirrors::Keep, 10), (Mirrors::Remove, 5)] {
        let (bench, link) = ten().await;
        sync::end_link(&bench.bridge, link, mirrors).await.unwrap();
        while sync::work(&bench.bridge).await.unwrap().worked {}
        assert_eq!(bench.remote.events("r").len(), left, "{mirrors:?}");
        assert_eq!(bench.objects().await.len(), 10, "what came here stays");
        let found = bench
            .world
            .store
            .peek(|tx| Box::pin(links::get(tx, link)))
            .await;
        assert!(found.unwrap().is_none());
        bench.sound().await;
    }
}

#[tokio::test]
async fn an_idle_link_asks_once_and_writes_nothing_there() {
    let (bench, link) = ten().await;
    let calls = bench.remote.with(|state| state.calls.len());
    let report = bench.sync(link).await;
    assert_eq!(report.run, None);
    let calls = bench.remote.with(|state| state.calls[calls..].to_vec());
    assert_eq!(calls, ["changes"]);
}

#[tokio::test]
async fn a_local_edit_is_told_without_a_poll() {
    let (bench, _) = ten().await;
    while sync::work(&bench.bridge).await.unwrap().worked {}
    bench.world.wake.take();
    bench
        .put(
            "here-1.ics",
            &set(&event("here-1", false), "SUMMARY", "ours"),
        )
        .await;
    bench.world.wake.wait().await;
    assert_eq!(
        sync::nudge(&bench.bridge, bench.world.wake.take())
            .await
            .unwrap(),
        1
    );
    let calls = bench.remote.with(|state| state.calls.len());
    assert!(sync::work(&bench.bridge).await.unwrap().worked);
    let calls = bench.remote.with(|state| state.calls[calls..].to_vec());
    assert_eq!(calls, ["put"]);
    assert!(!sync::work(&bench.bridge).await.unwrap().worked);
    assert!(bench.world.wake.take().is_empty());
}

#[tokio::test]
async fn a_poisoned_event_is_parked_and_the_others_go_on() {
    let (bench, link) = ten().await;
    bench
        .remote
        .with(|state| state.refuses = Some("poison".into()));
    bench
        .put(
            "here-1.ics",
            &set(&event("here-1", false), "SUMMARY", "poison"),
        )
        .await;
    bench
        .put(
            "here-2.ics",
            &set(&event("here-2", false), "SUMMARY", "fine"),
        )
        .await;
    bench.sync(link).await;
    let queue = bench.queue(link).await;
    assert_eq!((queue.len(), queue[0].parked.as_str()), (1, "recurrence"));
    assert!(titles_there(&bench, "r").contains(&"fine".to_string()));
    assert_eq!(
        bench.sync(link).await.run,
        None,
        "it is not tried again by itself"
    );
    bench.remote.with(|state| state.refuses = None);
    assert!(sync::retry(&bench.bridge, link, "here-1").await.unwrap());
    bench.sync(link).await;
    assert!(titles_there(&bench, "r").contains(&"poison".to_string()));
    assert!(!sync::retry(&bench.bridge, link, "nobody").await.unwrap());
}

#[tokio::test]
async fn what_is_tried_often_is_parked_and_a_failing_connection_paused() {
    let (bench, link) = ten().await;
    bench
        .put("here-1.ics", &set(&event("here-1", false), "SUMMARY", "x"))
        .await;
    bench.remote.with(|state| {
        state.fates = Some(Box::new(|call| {
            if call == "put" {
                Fate::Before
            } else {
                Fate::Fine
            }
        }));
    });
    for _ in 0..8 {
        bench.sync(link).await;
        bench.world.clock.advance(4000);
    }
    assert_eq!(bench.queue(link).await[0].parked, "gave-up");
    bench
        .remote
        .with(|state| state.fates = Some(Box::new(|_| Fate::Before)));
    for _ in 0..10 {
        bench.sync(link).await;
        bench.world.clock.advance(4000);
    }
    let asked = sync::sync_link(&bench.bridge, link, Cause::Asked).await;
    assert!(matches!(asked, Err(Error::Forbidden(_))), "{asked:?}");
    let id = bench.connection;
    let now = bench
        .world
        .store
        .peek(|tx| Box::pin(connections::get(tx, id)))
        .await;
    assert_eq!(now.unwrap().unwrap().health, Health::Paused);
}

#[tokio::test]
async fn both_edits_of_one_field_are_kept() {
    for (policy, wins) in [
        (ConflictPolicy::Theirs, "theirs"),
        (ConflictPolicy::Ours, "ours"),
        (ConflictPolicy::Newest, "theirs"),
    ] {
        let bench = Bench::new().await;
        let how = Settings {
            conflict: policy,
            ..settings(Direction::Both)
        };
        let link = bench.link("calendar", "r", how).await;
        bench.put("a.ics", &event("a", false)).await;
        bench.settle(link).await;
        let id = bench.remote.events("r").keys().next().unwrap().clone();
        bench
            .put("a.ics", &set(&event("a", false), "SUMMARY", "ours"))
            .await;
        bench.world.clock.advance(10);
        bench
            .remote
            .edit("r", &id, |text| set(text, "SUMMARY", "theirs"));
        bench.settle(link).await;
        assert_eq!(titles_here(&bench, "calendar").await, [wins], "{policy:?}");
        assert_eq!(titles_there(&bench, "r"), [wins], "{policy:?}");
        let kept = bench
            .world
            .store
            .peek(|tx| Box::pin(crate::store::bridges::conflicts::list(tx, link, None, 10)))
            .await
            .unwrap();
        assert_eq!(kept.len(), 1, "{policy:?}");
        let loser = if wins == "ours" {
            &kept[0].theirs
        } else {
            &kept[0].ours
        };
        assert!(!String::from_utf8_lossy(loser).contains(&format!("SUMMARY:{wins}")));
    }
}

#[tokio::test]
async fn what_there_cannot_be_held_stays_here() {
    let (bench, link) = Bench::linked(Direction::Both).await;
    bench
        .put("a.ics", &set(&event("a", false), "GEO", "48.2;16.3"))
        .await;
    bench.settle(link).await;
    let id = bench.remote.events("r").keys().next().unwrap().clone();
    assert!(!String::from_utf8_lossy(&bench.remote.events("r")[&id]).contains("GEO"));
    bench
        .remote
        .edit("r", &id, |text| set(text, "LOCATION", "there"));
    bench.settle(link).await;
    let text = String::from_utf8(bench.objects().await["a.ics"].clone()).unwrap();
    assert!(
        text.contains("GEO:48.2;16.3") && text.contains("LOCATION:there"),
        "{text}"
    );
}

#[tokio::test]
async fn directions_write_on_their_own_side_only() {
    let bench = Bench::new().await;
    let pull = bench.link("calendar", "r", settings(Direction::Pull)).await;
    bench.put("mine.ics", &event("mine", false)).await;
    let id = bench.remote.create("r", &event("theirs", false));
    bench.settle(pull).await;
    assert_eq!(bench.objects().await.len(), 2);
    let name = bench
        .objects()
        .await
        .into_keys()
        .find(|name| name != "mine.ics")
        .unwrap();
    let text = bench.objects().await[&name].clone();
    bench.put(&name, &set(&text, "LOCATION", "ours")).await;
    bench.settle(pull).await;
    bench
        .remote
        .edit("r", &id, |text| set(text, "SUMMARY", "new there"));
    bench.settle(pull).await;
    let now = fields(&bench.objects().await[&name]);
    assert_eq!(
        (now["LOCATION"].as_str(), now["SUMMARY"].as_str()),
        ("ours", "new there")
    );
    bench.remove(&name).await;
    bench.settle(pull).await;
    assert_eq!(
        bench.remote.writes(),
        0,
        "a pulled calendar is never written to"
    );
    assert_eq!(
        bench.objects().await.len(),
        1,
        "what was deleted here stays deleted"
    );

    let bench = Bench::new().await;
    let push = bench.link("calendar", "r", settings(Direction::Push)).await;
    bench.put("mine.ics", &event("mine", false)).await;
    bench.remote.create("r", &event("theirs", false));
    bench.settle(push).await;
    assert_eq!(
        (bench.objects().await.len(), bench.remote.events("r").len()),
        (1, 2)
    );
    let mirror = bench.remote.events("r").into_iter();
    let (id, _) = mirror
        .into_iter()
        .find(|(_, text)| uid(text) != "theirs")
        .unwrap();
    bench
        .remote
        .edit("r", &id, |text| set(text, "SUMMARY", "meddled"));
    bench.settle(push).await;
    assert_eq!(
        titles_there(&bench, "r"),
        ["first mine", "first theirs"],
        "it is put back"
    );
    bench.remote.delete("r", &id);
    bench.settle(push).await;
    assert_eq!(bench.remote.events("r").len(), 2, "it is made again");
    bench.remove("mine.ics").await;
    bench.settle(push).await;
    assert_eq!(titles_there(&bench, "r"), ["first theirs"]);
    bench.sound().await;
}

#[tokio::test]
async fn a_run_is_taken_back_and_stays_so() {
    let (bench, link) = ten().await;
    let before = (bench.objects().await, bench.remote.events("r"));
    bench
        .put(
            "here-1.ics",
            &set(&event("here-1", false), "SUMMARY", "edited here"),
        )
        .await;
    bench.put("new.ics", &event("new", false)).await;
    bench.remove("here-2.ics").await;
    for (id, text) in &before.1 {
        match uid(text).as_str() {
            "there-1" => bench
                .remote
                .edit("r", id, |text| set(text, "SUMMARY", "edited there")),
            "there-2" => bench.remote.delete("r", id),
            _ => {}
        }
    }
    bench.remote.create("r", &event("brought", false));
    let run = bench.sync(link).await.run.unwrap();
    assert_eq!(bench.objects().await.len(), bench.remote.events("r").len());
    let report = sync::undo(&bench.bridge, run).await.unwrap();
    assert_eq!((report.fault, report.counts.postponed), (None, 0));
    let titles = titles_here(&bench, "calendar").await;
    // What the run brought here is as before; what people did themselves stays.
    assert!(titles.contains(&"first there-1".into()) && titles.contains(&"first there-2".into()));
    assert!(!titles.contains(&"first brought".into()));
    let there = titles_there(&bench, "r");
    assert!(there.contains(&"first here-1".into()) && there.contains(&"first here-2".into()));
    assert!(!there.contains(&"first new".into()));
    let (here, writes) = (bench.objects().await, bench.remote.writes());
    bench.settle(link).await;
    bench.remote.expire();
    bench.settle(link).await;
    assert_eq!(
        (bench.objects().await, bench.remote.writes()),
        (here, writes),
        "it stays undone"
    );
    assert!(matches!(
        sync::undo(&bench.bridge, run).await,
        Err(Error::Conflict(_))
    ));
    bench
        .put("new.ics", &set(&event("new", false), "SUMMARY", "again"))
        .await;
    bench.settle(link).await;
    assert!(
        titles_there(&bench, "r").contains(&"again".to_string()),
        "until it changes"
    );
    let all = bench
        .world
        .store
        .peek(|tx| Box::pin(runs::list(tx, link, None, 10)))
        .await
        .unwrap();
    assert!(all.iter().any(|run| run.cause == "undo"));
    bench.sound().await;
}

#[tokio::test]
async fn a_dry_run_tells_and_does_nothing() {
    let (bench, link) = ten().await;
    let (here, there) = (bench.objects().await, bench.remote.events("r"));
    bench.put("new.ics", &event("new", false)).await;
    bench.remote.create("r", &event("brought", false));
    let planned = sync::dry_run(&bench.bridge, link).await.unwrap();
    let acts: Vec<_> = planned.iter().map(|p| (p.uid.as_str(), p.act)).collect();
    assert_eq!(acts, [("brought", Act::Take), ("new", Act::Create)]);
    assert_eq!(bench.objects().await.len(), here.len() + 1);
    assert_eq!(bench.remote.events("r").len(), there.len() + 1);
}

#[tokio::test]
async fn quiet_links_wait_until_they_are_asked() {
    let bench = Bench::new().await;
    let how = Settings {
        auto_update: false,
        ..settings(Direction::Both)
    };
    let link = bench.link("calendar", "r", how).await;
    bench.remote.create("r", &event("a", false));
    bench.sync(link).await;
    let (name, text) = bench.objects().await.into_iter().next().unwrap();
    bench.put(&name, &set(&text, "SUMMARY", "ours")).await;
    for _ in 0..3 {
        bench.sync(link).await;
        bench.world.clock.advance(100);
    }
    assert_eq!(bench.remote.writes(), 0);
    sync::sync_link(&bench.bridge, link, Cause::Asked)
        .await
        .unwrap();
    assert_eq!(titles_there(&bench, "r"), ["ours"]);
}

#[tokio::test]
async fn a_server_that_lost_its_lease_changes_nothing() {
    let (bench, link) = ten().await;
    bench.put("new.ics", &event("new", false)).await;
    once(&bench, "changes", Fate::DieAfter);
    let run = sync::sync_link(&bench.bridge, link, Cause::Poll);
    tokio::pin!(run);
    tokio::select! {
        _ = &mut run => unreachable!(),
        () = bench.remote.died.notified() => {}
    }
    let busy = sync::sync_link(&bench.bridge, link, Cause::Poll).await;
    assert!(matches!(busy, Err(Error::Unavailable(_))), "{busy:?}");
    bench.world.clock.advance(200);
    bench.sync(link).await;
    assert_eq!(bench.remote.events("r").len(), 11);
    bench.sound().await;
}

#[tokio::test]
async fn ten_thousand_events_come_in_pages() {
    let (bench, link) = Bench::linked(Direction::Both).await;
    bench.remote.with(|state| state.page = 250);
    let many = 2_000;
    for n in 0..many {
        bench.remote.create("r", &event(&format!("e{n}"), false));
    }
    let report = bench.sync(link).await;
    assert_eq!(report.counts.created_here, many as u64);
    assert_eq!(bench.remote.with(|state| state.calls.len()), many / 250 + 1);
    assert_eq!(
        bench.sync(link).await.run,
        None,
        "our own writing is no news"
    );
    bench.sound().await;
}
