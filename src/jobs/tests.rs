//! The worker: what wakes it, and how it ends. Runs themselves are under test in `sync`.

use std::time::Duration;

use tokio::sync::watch;

use super::*;
use crate::app::connections::tests::world::{ANNA, Bridged};
use crate::app::links::{self, Change, New, Target};
use crate::app::{calendars, connections};
use crate::model::{Door, Guard, LinkId, Origin, Privileges};
use crate::objects::{self, Draft};

/// Anna's main calendar at Google, linked with her calendar here.
async fn linked() -> (Bridged, LinkId) {
    let anna = Bridged::new().await;
    let connection = anna.connect("google").await;
    let all = connections::calendars(&anna.app, &anna.who, connection)
        .await
        .unwrap();
    let new = New {
        remote: all.iter().find(|one| one.primary).unwrap().id,
        target: Target::Existing("calendar".into()),
        settings: Change::default(),
    };
    let shown = links::create(&anna.app, &anna.who, new).await.unwrap();
    (anna, shown.link.id)
}

async fn write(anna: &Bridged, uid: &str) {
    let cal = calendars::to_write(&anna.app, &anna.who, "calendar", Privileges::WRITE)
        .await
        .unwrap();
    let body = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20270101T000000Z\r\n\
         DTSTART:20270201T090000Z\r\nDURATION:PT1H\r\nSUMMARY:{uid}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    let draft = Draft {
        name: format!("{uid}.ics"),
        body: body.into(),
    };
    let origin = Origin {
        who: anna.who.id,
        door: Door::Caldav,
    };
    objects::put(&anna.app.door(), &cal, draft, &Guard::default(), origin)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_write_here_is_work_at_once_and_polls_are_work_when_they_are_due() {
    let (anna, link) = linked().await;
    let first = all_due(&anna.app).await.unwrap();
    assert_eq!(first.len(), 1, "a new link runs at once");
    assert_eq!(all_due(&anna.app).await.unwrap(), []);
    write(&anna, "one").await;
    let reports = all_due(&anna.app).await.unwrap();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].counts.created_there, 1);
    anna.asked();
    assert_eq!(
        all_due(&anna.app).await.unwrap(),
        [],
        "our own write is no news"
    );
    assert_eq!(
        anna.asked().len(),
        0,
        "and nothing is asked when nothing is due"
    );
    let interval = links::get(&anna.app, &anna.who, link)
        .await
        .unwrap()
        .link
        .interval;
    anna.pass(interval * 2);
    assert_eq!(all_due(&anna.app).await.unwrap().len(), 1);
    assert_eq!(anna.asked_for("/events?"), 1, "a poll is one question");
}

#[tokio::test]
async fn a_write_of_another_server_is_found_by_the_next_poll_and_its_pokes_at_once() {
    let (anna, link) = linked().await;
    all_due(&anna.app).await.unwrap();
    let other = anna.second_server().await;
    links::sync_now(&other, &anna.who, link, Duration::from_secs(60))
        .await
        .unwrap();
    // A poke is a row, which every server sees.
    let now = anna.clock.now();
    other
        .store
        .write(move |tx| Box::pin(crate::store::bridges::links::poke(tx, link, now)))
        .await
        .unwrap();
    assert_eq!(all_due(&anna.app).await.unwrap().len(), 1);
}

#[tokio::test]
async fn calendars_are_listed_once_a_day_and_old_things_forgotten() {
    let (anna, _) = linked().await;
    all_due(&anna.app).await.unwrap();
    anna.begin("google").await;
    anna.simulator
        .google()
        .calendar_of(ANNA, "New one", "Europe/Berlin");
    anna.asked();
    anna.pass(3600);
    all_due(&anna.app).await.unwrap();
    assert_eq!(anna.asked_for("calendarList"), 0);
    anna.pass(86_400);
    all_due(&anna.app).await.unwrap();
    assert!(anna.asked_for("calendarList") > 0);
    let connection = connections::list(&anna.app, &anna.who)
        .await
        .unwrap()
        .remove(0);
    let all = connections::calendars(&anna.app, &anna.who, connection.connection.id)
        .await
        .unwrap();
    assert!(all.iter().any(|one| one.name == "New one"));
    let gone = anna
        .store
        .write(|tx| Box::pin(crate::store::bridges::flows::purge(tx, i64::MAX)))
        .await
        .unwrap();
    assert_eq!(
        gone, 0,
        "the authorization that nobody finished was forgotten"
    );
}

#[tokio::test]
async fn the_loop_works_while_it_is_told_nothing_else_and_stops_when_it_is() {
    let (anna, link) = linked().await;
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(run(anna.app.clone(), stopped));
    let arrived = async |count: usize| {
        let looking = async {
            while anna.simulator.google().events(ANNA).len() < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), looking)
            .await
            .is_ok()
    };
    for count in 1..=3 {
        write(&anna, &format!("e{count}")).await;
        assert!(arrived(count).await, "{count}");
    }
    assert!(anna.app.wake.is_heard());
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(60), running)
        .await
        .unwrap()
        .unwrap();
    assert!(!anna.app.wake.is_heard());
    // Every lease was given back.
    let bridge = anna.app.bridge().await.unwrap();
    assert!(
        sync::sync_link(bridge, link, sync::Cause::Asked)
            .await
            .is_ok()
    );
}
