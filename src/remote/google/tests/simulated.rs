//! The provider against the simulator, which keeps real state and mails.

use super::*;
use crate::clock::Clock;
use crate::remote::testing::{Simulated, Token};
use crate::remote::{Account, Placed};
use crate::simulator::faults::{On, What};
use crate::simulator::{Service, Simulator};

const API: &str = "https://simulator.test/google/calendar/v3";
/// 2026-03-20T12:00:00Z
const NOW: i64 = 1_774_008_000;

struct World {
    transport: Simulated,
    account: Account,
    place: Place,
    marker: Marker,
}

impl World {
    fn new() -> World {
        let simulator = Simulator::new(7, NOW);
        simulator.google().account(ME, "Europe/Berlin");
        let token = simulator.google().oauth().full_access(ME);
        let transport = Simulated::new(simulator);
        World {
            account: Account {
                transport: Arc::new(transport.clone()),
                credentials: Arc::new(Token(token)),
                endpoints: Arc::new(Endpoints {
                    api: API.into(),
                    ..Endpoints::default()
                }),
                clock: Clock::by_hand(NOW),
                label: ME.into(),
            },
            transport,
            place: place(),
            marker: marker(),
        }
    }

    fn simulator(&self) -> &Simulator {
        &self.transport.simulator
    }

    async fn put(&self, text: &str, known: &[Item]) -> Result<Placed, Fault> {
        Google
            .put(
                &self.account,
                &self.place,
                put(text.as_bytes(), known, &self.marker),
            )
            .await
    }

    fn text(&self, items: &[Item]) -> String {
        match Google.read(&self.place, ME, items).unwrap() {
            Read::Event(reading) => String::from_utf8(reading.text).unwrap(),
            Read::Nothing => panic!("nothing"),
        }
    }

    /// What one full listing tells, by master: the items of one event.
    async fn listed(&self) -> Vec<Item> {
        let page = Google
            .changes(&self.account, &self.place, From::Start)
            .await
            .unwrap();
        assert!(matches!(page.next, Next::Done(Some(_))));
        page.changes
            .into_iter()
            .filter_map(|change| match change {
                Change::Part(item) => Some(item),
                _ => None,
            })
            .collect()
    }

    /// Nothing that was sent is unknown to Google, and nobody was mailed.
    fn check(&self) -> usize {
        let requests = self.transport.take();
        assert_eq!(against_google(&requests, API), Vec::<String>::new());
        assert_eq!(self.simulator().violations(), Vec::<String>::new());
        assert_eq!(self.simulator().take_mails().len(), 0);
        requests
            .iter()
            .filter(|request| request.method() != "GET")
            .count()
    }
}

const SERIES: &str = "DTSTART;TZID=Europe/Berlin:20260327T100000|DTEND;TZID=Europe/Berlin:20260327T110000|SUMMARY:Weekly|\
    RRULE:FREQ=WEEKLY;COUNT=8|EXDATE;TZID=Europe/Berlin:20260410T100000|\
    BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:-PT10M|DESCRIPTION:Weekly|END:VALARM";
const OVER: &str = "BEGIN:VEVENT|UID:one@here|RECURRENCE-ID;TZID=Europe/Berlin:20260403T100000|\
    DTSTART;TZID=Europe/Berlin:20260403T150000|DTEND;TZID=Europe/Berlin:20260403T160000|SUMMARY:Later|END:VEVENT|END:VCALENDAR|";

fn series() -> String {
    let master = String::from_utf8(event(SERIES)).unwrap();
    master.replace("END:VCALENDAR\r\n", &OVER.replace('|', "\r\n"))
}

/// (start, summary) of what Google shows.
fn shown(world: &World) -> Vec<(String, String)> {
    let all = world
        .simulator()
        .google()
        .instances_between(ME, NOW, NOW + 90 * 86_400);
    let mut all: Vec<(String, String)> = all
        .iter()
        .map(|one| {
            (
                one["start"]["dateTime"].as_str().unwrap()[..16].to_owned(),
                one["summary"].as_str().unwrap_or("").to_owned(),
            )
        })
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_series_is_made_changed_and_taken_away() {
    let world = World::new();
    let placed = world.put(&series(), &[]).await.unwrap();
    assert_eq!(world.check(), 2); // the series and its one override
    assert_eq!(placed.losses, vec![]);
    let starts: Vec<String> = shown(&world).into_iter().map(|(start, _)| start).collect();
    assert_eq!(
        starts,
        [
            "2026-03-27T10:00",
            "2026-04-03T15:00",
            "2026-04-17T10:00",
            "2026-04-24T10:00",
            "2026-05-01T10:00",
            "2026-05-08T10:00",
            "2026-05-15T10:00"
        ]
    );
    // What is there says what we said, and saying it again sends nothing.
    let again = world.text(&placed.items);
    let same = world.put(&again, &placed.items).await.unwrap();
    assert_eq!((world.check(), &same.items), (0, &placed.items));
    let ours = crate::ical::canonical::canonical(series().as_bytes()).unwrap();
    assert_eq!(
        crate::ical::canonical::canonical(again.as_bytes()).unwrap(),
        ours
    );
    // The override goes, an EXDATE goes, another comes, the title changes.
    let text = String::from_utf8(event(
        &SERIES
            .replace("20260410T100000", "20260501T100000")
            .replace("SUMMARY:Weekly", "SUMMARY:Renamed"),
    ))
    .unwrap();
    let placed = world.put(&text, &placed.items).await.unwrap();
    world.check();
    let got = shown(&world);
    assert!(got.iter().all(|(_, title)| title == "Renamed"), "{got:?}");
    let starts: Vec<&str> = got.iter().map(|(start, _)| start.as_str()).collect();
    assert_eq!(
        starts[..4],
        [
            "2026-03-27T10:00",
            "2026-04-03T10:00",
            "2026-04-10T10:00",
            "2026-04-17T10:00"
        ]
    );
    assert!(!starts.contains(&"2026-05-01T10:00"));
    // What put says is there is what a listing says.
    let mut listed = world.listed().await;
    let mut items = placed.items.clone();
    listed.sort_by(|a, b| a.id.cmp(&b.id));
    items.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(world.text(&items), world.text(&listed));
    world.check();
    Google
        .delete(&world.account, &world.place, &items, GuestPolicy::Never)
        .await
        .unwrap();
    assert_eq!(shown(&world), []);
    Google
        .delete(&world.account, &world.place, &items, GuestPolicy::Never)
        .await
        .unwrap();
    world.check();
}

#[tokio::test]
async fn facts_12_a_create_without_an_answer_makes_one_event() {
    for what in [What::DropAfter, What::status_after(503), What::DropBefore] {
        let world = World::new();
        world
            .simulator()
            .faults()
            .next(On::service(Service::Google).method("POST"), what.clone());
        let first = world.put(&series(), &[]).await.unwrap_err();
        assert!(
            matches!(first, Fault::OutcomeUnknown(_) | Fault::Transient(_)),
            "{first:?}"
        );
        world.put(&series(), &[]).await.unwrap();
        assert_eq!(shown(&world).len(), 7, "{what:?}");
        world.check();
    }
}

#[tokio::test]
async fn a_put_cut_off_anywhere_is_finished_by_the_next() {
    for skip in 0..4 {
        let world = World::new();
        let placed = world.put(&series(), &[]).await.unwrap();
        let text = series()
            .replace("SUMMARY:Weekly", "SUMMARY:New")
            .replace("SUMMARY:Later", "SUMMARY:Newer");
        world
            .simulator()
            .faults()
            .add(On::service(Service::Google), skip, 1, What::DropAfter);
        let mut known = placed.items;
        for _ in 0..4 {
            match world.put(&text, &known).await {
                Ok(_) => break,
                Err(Fault::Stale) => {
                    known = Google
                        .get(&world.account, &world.place, KEY)
                        .await
                        .unwrap()
                        .unwrap()
                }
                Err(_) => {}
            }
        }
        world.simulator().faults().stop();
        let got = shown(&world);
        assert_eq!(got.len(), 7);
        assert_eq!(got[1].1, "Newer");
        assert!(
            got.iter().filter(|(_, title)| title == "New").count() == 6,
            "{skip}: {got:?}"
        );
        world.check();
    }
}

#[tokio::test]
async fn facts_13_an_event_that_was_deleted_there_comes_back() {
    let world = World::new();
    let text =
        String::from_utf8(event("DTSTART:20260327T090000Z|DURATION:PT1H|SUMMARY:x")).unwrap();
    world.put(&text, &[]).await.unwrap();
    world.simulator().google().delete_event(ME, KEY);
    assert_eq!(
        Google.get(&world.account, &world.place, KEY).await,
        Ok(None)
    );
    let back = world.put(&text, &[]).await.unwrap();
    assert_eq!(shown(&world).len(), 1);
    assert!(world.text(&back.items).contains("SUMMARY:x"));
    world.check();
}

#[tokio::test]
async fn facts_14_an_edit_made_there_meanwhile_is_not_overwritten() {
    let world = World::new();
    let placed = world.put(&series(), &[]).await.unwrap();
    let google = world.simulator().google();
    for (id, text) in [
        (
            KEY.to_owned(),
            series().replace("SUMMARY:Weekly", "SUMMARY:Mine"),
        ),
        (
            format!("{KEY}_20260403T080000Z"),
            series().replace("SUMMARY:Later", "SUMMARY:Mine"),
        ),
        // an exception that we do not know of, behind a change of the rule and behind a new override
        (
            format!("{KEY}_20260417T080000Z"),
            series().replace("COUNT=8", "COUNT=9"),
        ),
        (
            format!("{KEY}_20260417T080000Z"),
            series().replace(
                "END:VCALENDAR\r\n",
                &OVER.replace('|', "\r\n").replace("20260403", "20260417"),
            ),
        ),
    ] {
        google.edit_event(ME, &id, json!({"location": format!("theirs {id}")}));
        assert_eq!(
            world.put(&text, &placed.items).await,
            Err(Fault::Stale),
            "{id}"
        );
        assert_eq!(
            google.event(ME, &id).unwrap()["location"],
            format!("theirs {id}")
        );
    }
    let known = Google
        .get(&world.account, &world.place, KEY)
        .await
        .unwrap()
        .unwrap();
    world
        .put(
            &world.text(&known).replace("SUMMARY:Weekly", "SUMMARY:Mine"),
            &known,
        )
        .await
        .unwrap();
    world.check();
}

#[tokio::test]
async fn facts_10_this_and_following_becomes_two_events() {
    let world = World::new();
    let placed = world.put(&series(), &[]).await.unwrap();
    let new = world
        .simulator()
        .google()
        .split(
            ME,
            &format!("{KEY}_20260424T080000Z"),
            json!({"summary": "After"}),
        )
        .unwrap();
    let listed = world.listed().await;
    let of = |id: &str| -> Vec<Item> {
        listed
            .iter()
            .filter(|item| item.id == id || item.series.as_deref() == Some(id))
            .cloned()
            .collect()
    };
    let (before, after) = (world.text(&of(KEY)), world.text(&of(&new)));
    assert!(
        before.contains("UID:one@here") && before.contains("UNTIL="),
        "{before}"
    );
    assert!(
        after.contains("SUMMARY:After")
            && after.contains("DTSTART;TZID=Europe/Berlin:20260424T100000"),
        "{after}"
    );
    assert_ne!(of(KEY)[0].stamp, placed.items[0].stamp);
    world.check();
}

#[tokio::test]
async fn what_google_made_is_read_and_written_back_without_a_word() {
    let world = World::new();
    let google = world.simulator().google();
    let id = google
        .add(ME, json!({
            "summary": "Theirs", "description": "<b>hi</b>", "location": "R", "transparency": "transparent", "visibility": "private",
            "colorId": "7", "guestsCanModify": true, "source": {"title": "t", "url": "https://x.example/"},
            "start": {"dateTime": "2026-03-27T10:00:00", "timeZone": "America/New_York"},
            "end": {"dateTime": "2026-03-27T11:30:00", "timeZone": "America/New_York"},
            "recurrence": ["RRULE:FREQ=DAILY;COUNT=10"],
            "reminders": {"useDefault": false, "overrides": [{"method": "email", "minutes": 30}, {"method": "popup", "minutes": 5}]},
        }))
        .unwrap();
    google.edit_event(
        ME,
        &format!("{id}_20260328T140000Z"),
        json!({"summary": "Other"}),
    );
    google.delete_event(ME, &format!("{id}_20260329T140000Z"));
    let known = Google
        .get(&world.account, &world.place, &id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(known.len(), 3);
    let text = world.text(&known);
    world.check();
    let placed = world.put(&text, &known).await.unwrap();
    assert_eq!(world.check(), 0);
    assert_eq!(
        world.put(&text, &placed.items).await.unwrap().items,
        placed.items
    );
    assert_eq!(world.check(), 0);
    let there = google.event(ME, &id).unwrap();
    assert_eq!(
        (&there["source"]["title"], &there["guestsCanModify"]),
        (&json!("t"), &json!(true))
    );
}

#[tokio::test]
async fn facts_26_an_invitation_is_answered_and_not_edited() {
    let world = World::new();
    let google = world.simulator().google();
    let id = google
        .invite(ME, "boss@example.com", json!({"summary": "Theirs",
            "start": {"dateTime": "2026-03-27T10:00:00+01:00"}, "end": {"dateTime": "2026-03-27T11:00:00+01:00"}}))
        .unwrap();
    let known = Google
        .get(&world.account, &world.place, &id)
        .await
        .unwrap()
        .unwrap();
    let text = world.text(&known);
    let edited = world
        .put(&text.replace("SUMMARY:Theirs", "SUMMARY:Ours"), &known)
        .await;
    assert!(matches!(edited, Err(Fault::Refused(refusal)) if refusal.code == "not-organizer"));
    let answer = Put {
        respond: Some("ACCEPTED"),
        guests: GuestPolicy::Send,
        ..put(text.as_bytes(), &known, &world.marker)
    };
    Google
        .put(&world.account, &world.place, answer)
        .await
        .unwrap();
    let there = google.event(ME, &id).unwrap();
    let own = there["attendees"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["self"] == true)
        .unwrap();
    assert_eq!(own["responseStatus"], "accepted");
    assert_eq!(
        against_google(&world.transport.take(), API),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_conference_is_made_when_it_is_asked_for() {
    let world = World::new();
    world.simulator().google().conferences_pend(true);
    let text = String::from_utf8(event(
        "DTSTART:20260327T090000Z|DURATION:PT1H|X-KALENDS-CONFERENCE:AUTO",
    ))
    .unwrap();
    let placed = world.put(&text, &[]).await.unwrap();
    let read = world.text(&placed.items);
    assert!(
        read.contains("CONFERENCE;VALUE=URI;FEATURE=VIDEO"),
        "{read}"
    );
    world.check();
    let same = world.put(&text, &placed.items).await.unwrap();
    assert_eq!((world.check(), same.items), (0, placed.items));
}

#[tokio::test]
async fn what_began_there_never_gets_our_marker() {
    let world = World::new();
    let native = json!({
        "summary": "Theirs", "start": {"dateTime": "2026-03-27T10:00:00+01:00"},
        "end": {"dateTime": "2026-03-27T11:00:00+01:00"},
    });
    let id = world.simulator().google().add(ME, native).unwrap();
    let marker = |items: &[Item]| match Google.read(&world.place, ME, items).unwrap() {
        Read::Event(reading) => reading.marker,
        Read::Nothing => panic!("nothing"),
    };
    let known = Google.get(&world.account, &world.place, &id).await;
    let known = known.unwrap().unwrap();
    assert_eq!(marker(&known), None);
    let text = world.text(&known).replace("Theirs", "Ours");
    let placed = world.put(&text, &known).await.unwrap();
    assert!(world.text(&placed.items).contains("SUMMARY:Ours"));
    assert_eq!(marker(&placed.items), None);
    // What we made keeps its own.
    let made = world.put(&series(), &[]).await.unwrap();
    assert_eq!(marker(&made.items), Some(world.marker.clone()));
    let renamed = series().replace("SUMMARY:Weekly", "SUMMARY:Other");
    let placed = world.put(&renamed, &made.items).await.unwrap();
    assert_eq!(marker(&placed.items), Some(world.marker.clone()));
    world.check();
}
