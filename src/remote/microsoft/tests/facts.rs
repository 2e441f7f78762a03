//! Points of FACTS §9 that concern writes to Graph.

use super::*;
use crate::remote::Refusal;
use crate::simulator::Service;
use crate::simulator::faults::{On, What};

const PLAIN: &str = "DTSTART:20260310T090000Z\nDTEND:20260310T100000Z\nSUMMARY:A";

fn posts() -> On {
    On::service(Service::Graph).method("POST").target("events")
}

#[tokio::test]
async fn facts_12_a_create_that_nobody_answered_is_one_event() {
    for strict in [false, true] {
        let world = World::new();
        world.simulator.graph().strict_transactions(BOB, strict);
        world.simulator.faults().next(posts(), What::DropAfter);
        let text = object(&[PLAIN]);
        let lost = world.put(&text, &[]).await.unwrap_err();
        assert!(matches!(lost, Fault::OutcomeUnknown(_)), "{lost:?}");
        // Meanwhile it was edited here.
        let text = text.replace("SUMMARY:A", "SUMMARY:B");
        let placed = world.put(&text, &[]).await.unwrap();
        same(&text, &world.read(&placed.items));
        assert_eq!(world.there().len(), 1, "strict: {strict}");
        world.clean();
    }
}

#[tokio::test]
async fn facts_12_a_series_that_broke_off_anywhere_is_one_series() {
    let text = object(&[
        &format!("{WEEKLY}\nEXDATE;TZID=Europe/Berlin:20260316T090000"),
        "RECURRENCE-ID;TZID=Europe/Berlin:20260323T090000\nDTSTART;TZID=Europe/Berlin:20260402T090000\n\
         DTEND;TZID=Europe/Berlin:20260402T100000\nSUMMARY:Far",
    ]);
    for after in 0..12 {
        let world = World::new();
        let on = On::service(Service::Graph);
        world.simulator.faults().add(on, after, 1, What::DropAfter);
        let mut known = Vec::new();
        let mut placed = None;
        for _ in 0..4 {
            match world.put(&text, &known).await {
                Ok(done) => {
                    placed = Some(done);
                    break;
                }
                // What sync does: it looks what is there before it goes on.
                Err(Fault::Stale) => known = world.get(&known[0].id.clone()).await,
                Err(_) => {}
            }
        }
        let placed = placed.expect("it settles");
        same(&text, &world.read(&placed.items));
        assert_eq!(world.there().len(), 2, "after {after}");
        world.clean();
    }
}

#[tokio::test]
async fn facts_14_a_stale_write_is_refused() {
    let world = World::new();
    let text = object(&[PLAIN]);
    let placed = world.put(&text, &[]).await.unwrap();
    let id = placed.items[0].id.clone();
    assert!(
        world
            .simulator
            .graph()
            .edit(BOB, &id, json!({"subject": "theirs"}))
    );
    let ours = text.replace("SUMMARY:A", "SUMMARY:ours");
    assert_eq!(world.put(&ours, &placed.items).await, Err(Fault::Stale));
    let deleted = Microsoft
        .delete(
            &world.account,
            &world.place,
            &placed.items,
            GuestPolicy::Never,
        )
        .await;
    assert_eq!(deleted, Err(Fault::Stale));
    assert_eq!(world.there()[0]["subject"], "theirs");
    let known = world.get(&id).await;
    world.put(&ours, &known).await.unwrap();
    assert_eq!(world.there()[0]["subject"], "ours");
    world.simulator.graph().remove(BOB, &id);
    assert_eq!(world.put(&text, &known).await, Err(Fault::NotFound));
}

#[tokio::test]
async fn facts_16_throttling_with_and_without_a_time() {
    let world = World::new();
    let text = object(&[PLAIN]);
    let on = || On::service(Service::Graph);
    world
        .simulator
        .faults()
        .next(on(), What::throttled(429, 17));
    assert_eq!(
        world.put(&text, &[]).await,
        Err(Fault::Throttled(Some(NOW + 17)))
    );
    world.simulator.faults().next(on(), What::status(429));
    assert_eq!(world.put(&text, &[]).await, Err(Fault::Throttled(None)));
    world.simulator.faults().next(on(), What::throttled(503, 3));
    assert_eq!(
        world.put(&text, &[]).await,
        Err(Fault::Throttled(Some(NOW + 3)))
    );
    world.simulator.faults().next(on(), What::status(502));
    let fault = world.put(&text, &[]).await.unwrap_err();
    assert!(matches!(fault, Fault::Transient(_)), "{fault:?}");
    assert_eq!(world.there(), [json!(null); 0]);
}

/// FACTS §9.21: a move past the neighbours is refused there, and kept by an event of its own.
#[tokio::test]
async fn facts_21_a_move_past_the_neighbours() {
    let world = World::new();
    let text = object(&[
        WEEKLY,
        "RECURRENCE-ID;TZID=Europe/Berlin:20260309T090000\nDTSTART;TZID=Europe/Berlin:20260319T150000\n\
         DTEND;TZID=Europe/Berlin:20260319T160000\nSUMMARY:Far away",
    ]);
    let placed = world.put(&text, &[]).await.unwrap();
    same(&text, &world.read(&placed.items));
    let there = world.there();
    assert_eq!(there.len(), 2);
    let part = &placed.items[1];
    assert_eq!(part.series.as_deref(), Some(placed.items[0].id.as_str()));
    let writes = world.writes();
    world.put(&text, &placed.items).await.unwrap();
    assert_eq!(world.writes(), writes, "idle");
    // It is edited there, and is still the same instance here.
    world
        .simulator
        .graph()
        .edit(BOB, &part.id, json!({"subject": "Further"}));
    let known = world.get(&placed.items[0].id).await;
    let read = world.read(&known);
    same(&text.replace("Far away", "Further"), &read);
    // It comes back home.
    let home = text
        .replace("20260319T150000", "20260310T090000")
        .replace("20260319T160000", "20260310T100000");
    let placed = world.put(&home, &known).await.unwrap();
    same(&home, &world.read(&placed.items));
    // It is cancelled.
    let gone = object(&[&format!(
        "{WEEKLY}\nEXDATE;TZID=Europe/Berlin:20260309T090000"
    )]);
    let placed = world.put(&gone, &placed.items).await.unwrap();
    same(&gone, &world.read(&placed.items));
    assert_eq!(world.there().len(), 1);
    world.clean();
}

/// FACTS §9.22: whole days are dates, wherever the account lives.
#[tokio::test]
async fn facts_22_whole_days_from_utc_minus_11_to_plus_14() {
    for zone in [
        "UTC-11",
        "Hawaiian Standard Time",
        "Pacific Standard Time",
        "UTC",
        "Nepal Standard Time",
        "Samoa Standard Time",
        "Line Islands Standard Time",
    ] {
        let world = World::of(zone, true);
        let text = object(&[
            "DTSTART;VALUE=DATE:20260307\nDTEND;VALUE=DATE:20260310\nRRULE:FREQ=WEEKLY;BYDAY=SA;UNTIL=20260411\n\
             EXDATE;VALUE=DATE:20260314\nSUMMARY:Days",
            "RECURRENCE-ID;VALUE=DATE:20260328\nDTSTART;VALUE=DATE:20260329\nDTEND;VALUE=DATE:20260330\nSUMMARY:A day",
        ]);
        let placed = world.put(&text, &[]).await.unwrap();
        same(&text, &world.read(&placed.items));
        let there = &world.there()[0];
        assert_eq!(
            there["start"]["dateTime"], "2026-03-07T00:00:00.0000000",
            "{zone}"
        );
        assert_eq!(
            there["end"]["dateTime"], "2026-03-10T00:00:00.0000000",
            "{zone}"
        );
        world.clean();
    }
}

/// FACTS §9.23: a weekly series stays at its local time over both changes of the clocks.
#[tokio::test]
async fn facts_23_series_over_both_changes_of_the_clocks() {
    for (zone, start, until, exdate) in [
        (
            "Europe/Berlin",
            "20260323T023000",
            "20261102T013000Z",
            "20261026T023000",
        ),
        (
            "America/New_York",
            "20260302T013000",
            "20261109T063000Z",
            "20261102T013000",
        ),
        (
            "Australia/Lord_Howe",
            "20260330T014500",
            "20261011T151500Z",
            "20261012T014500",
        ),
        (
            "Africa/Casablanca",
            "20260209T090000",
            "20260406T080000Z",
            "20260323T090000",
        ),
        (
            "Asia/Kathmandu",
            "20260302T001500",
            "20260629T183000Z",
            "20260601T001500",
        ),
    ] {
        let world = World::new();
        let text = object(&[&format!(
            "DTSTART;TZID={zone}:{start}\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL={until}\n\
             EXDATE;TZID={zone}:{exdate}\nSUMMARY:Weekly"
        )]);
        let placed = world.put(&text, &[]).await.unwrap();
        same(&text, &world.read(&placed.items));
        world.clean();
    }
}

#[tokio::test]
async fn facts_24_windows_custom_and_unknown_zones() {
    let world = World::new();
    // Ours: a Windows name, a zone of the object's own making.
    let windows = object(&[
        "DTSTART;TZID=Tokyo Standard Time:20260310T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\nSUMMARY:A",
    ]);
    let placed = world.put(&windows, &[]).await.unwrap();
    same(&windows, &world.read(&placed.items));
    let custom = |rule: &str| {
        object(&[&format!("DTSTART;TZID=Mine:20260310T090000\nDURATION:PT1H\n{rule}SUMMARY:B")]).replace(
            "BEGIN:VEVENT",
            "BEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0123\r\n\
             TZOFFSETTO:+0123\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT",
        )
    };
    let other = World::new();
    let placed = other.put(&custom(""), &[]).await.unwrap();
    assert_eq!(placed.losses[0].property, "DTSTART");
    let read = String::from_utf8(other.read(&placed.items).text).unwrap();
    assert!(read.contains("DTSTART:20260310T073700Z"), "{read}");
    let refused = other
        .put(&custom("RRULE:FREQ=DAILY\n"), &[])
        .await
        .unwrap_err();
    assert!(matches!(
        refused,
        Fault::Refused(Refusal { code: "zone", .. })
    ));
    // Theirs: a name that nobody knows.
    let doc = |more: Value| {
        let mut doc = json!({"id": "a", "@odata.etag": "W/\"1\"", "type": "singleInstance", "subject": "C",
            "originalStartTimeZone": "tzone://Microsoft/Custom", "isOrganizer": true, "iCalUId": "04",
            "start": {"dateTime": "2026-03-10T09:00:00.0000000", "timeZone": "UTC"},
            "end": {"dateTime": "2026-03-10T10:00:00.0000000", "timeZone": "UTC"}});
        doc.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        [super::super::fetch::item(&doc, None)]
    };
    let single = world.read(&doc(json!({})));
    assert!(String::from_utf8_lossy(&single.text).contains("DTSTART:20260310T090000Z"));
    assert_eq!(single.losses.len(), 1);
    let series = doc(json!({"type": "seriesMaster", "recurrence": {
        "pattern": {"type": "daily", "interval": 1},
        "range": {"type": "noEnd", "startDate": "2026-03-10", "recurrenceTimeZone": "tzone://Microsoft/Custom"}}}));
    let refused = Microsoft.read(&world.place, BOB, &series).unwrap_err();
    assert_eq!(refused.code, "zone");
    let utc = world.read(&doc(
        json!({"originalStartTimeZone": "tzone://Microsoft/Utc"}),
    ));
    assert_eq!(utc.losses, []);
    world.clean();
}

fn invited() -> Value {
    json!({"subject": "Theirs", "start": {"dateTime": "2026-03-10T09:00:00", "timeZone": "Europe/Berlin"},
           "end": {"dateTime": "2026-03-10T10:00:00", "timeZone": "Europe/Berlin"},
           "attendees": [{"emailAddress": {"address": BOB, "name": "Bob"}, "type": "required"},
                         {"emailAddress": {"address": "eve@example.com", "name": "Eve"}, "type": "optional"}]})
}

/// FACTS §9.26: no attendee in what is sent unless that is wanted, and no change that mails those who are there.
#[tokio::test]
async fn facts_26_nobody_is_mailed() {
    let world = World::new();
    let guests = "ORGANIZER:mailto:bob@outlook.test\nATTENDEE;CN=Eve:mailto:eve@example.com\n\
                  ATTENDEE;CUTYPE=ROOM:mailto:room@example.com";
    let text = object(&[&format!("{PLAIN}\n{guests}")]);
    let placed = world.put(&text, &[]).await.unwrap();
    let sent = world.simulator.world().log();
    for one in &sent {
        let body = super::text(&one.body);
        assert!(
            !body.contains("attendees") && !body.contains("eve@"),
            "{body}"
        );
    }
    assert_eq!(world.there()[0]["attendees"], json!([]));
    world.clean();
    // Somebody invites there: from then on changes would mail.
    let id = placed.items[0].id.clone();
    world
        .simulator
        .graph()
        .edit(BOB, &id, json!({"attendees": invited()["attendees"]}));
    world.simulator.take_mails();
    let known = world.get(&id).await;
    assert!(world.read(&known).has_guests);
    let changed = text.replace("SUMMARY:A", "SUMMARY:B");
    let refused = world.put(&changed, &known).await.unwrap_err();
    assert!(
        matches!(refused, Fault::Refused(Refusal { code: "guests", .. })),
        "{refused:?}"
    );
    world.put(&text, &known).await.unwrap();
    world.clean();
    // Wanted: the list goes as a whole.
    let placed = world
        .put_as(&changed, &known, GuestPolicy::Send, None)
        .await
        .unwrap();
    let there = world.there();
    let who: Vec<_> = there[0]["attendees"].as_array().unwrap().iter().collect();
    assert_eq!(who.len(), 2, "{who:?}");
    assert_eq!(
        (&who[0]["type"], &who[1]["type"]),
        (&json!("required"), &json!("resource"))
    );
    assert!(!world.simulator.take_mails().is_empty());
    assert_eq!(world.simulator.violations(), [""; 0]);
    assert!(placed.losses.is_empty());
}

#[tokio::test]
async fn somebody_elses_event_is_answered_not_edited() {
    let world = World::new();
    let graph = world.simulator.graph();
    let id = graph
        .invite(BOB, &world.place.remote_id, "ann@example.com", invited())
        .unwrap();
    let known = world.get(&id).await;
    let reading = world.read(&known);
    assert!(!reading.ours_to_edit && reading.has_guests);
    let text = String::from_utf8(reading.text).unwrap();
    let edited = text.replace("SUMMARY:Theirs", "SUMMARY:Mine");
    let refused = world.put(&edited, &known).await.unwrap_err();
    assert!(
        matches!(
            refused,
            Fault::Refused(Refusal {
                code: "not-organizer",
                ..
            })
        ),
        "{refused:?}"
    );
    // Without guests in the text, as privacy makes it, and with what is ours.
    let stripped: String = text
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("ATTENDEE") && !line.starts_with("ORGANIZER"))
        .collect();
    let own = stripped.replace(
        "SUMMARY:Theirs",
        "SUMMARY:Theirs\r\nTRANSP:TRANSPARENT\r\nCATEGORIES:Red",
    );
    let placed = world.put(&own, &known).await.unwrap();
    assert_eq!(world.there()[0]["showAs"], "free");
    for (partstat, response) in [
        ("TENTATIVE", "tentativelyAccepted"),
        ("ACCEPTED", "accepted"),
    ] {
        let placed = world
            .put_as(&own, &placed.items, GuestPolicy::Never, Some(partstat))
            .await
            .unwrap();
        assert_eq!(world.there()[0]["responseStatus"]["response"], response);
        let read = String::from_utf8(world.read(&placed.items).text)
            .unwrap()
            .replace("\r\n ", "");
        assert!(
            read.contains(&format!("PARTSTAT={partstat}:mailto:{BOB}")),
            "{read}"
        );
    }
    world.clean();
    let known = world.get(&id).await;
    world
        .put_as(&own, &known, GuestPolicy::Send, Some("ACCEPTED"))
        .await
        .unwrap();
    let log = world.simulator.world().log();
    let last = log
        .iter()
        .rfind(|one| one.target.contains("/accept"))
        .unwrap();
    assert_eq!(
        super::text(&last.body),
        json!({"sendResponse": true}).to_string()
    );
    // Called off: it stays, marked, until somebody takes it away.
    world.simulator.graph().call_off(BOB, &id);
    let read = world.read(&world.get(&id).await);
    assert!(String::from_utf8_lossy(&read.text).contains("STATUS:CANCELLED"));
}
