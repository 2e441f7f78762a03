//! FACTS §2.

use super::super::Simulator;
use super::super::faults::{On, Random, Twist, What};
use super::super::{Broken, Service, Slow, schema};
use super::{Client, NOW};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

const ANN: &str = "ann@gmail.test";
const EVENTS: &str = "/calendars/primary/events";

fn simulator() -> Simulator {
    let simulator = Simulator::new(7, NOW);
    simulator.google().account(ANN, "Europe/Berlin");
    simulator
}

fn client(simulator: &Simulator) -> Client<'_> {
    let token = simulator.google().oauth().full_access(ANN);
    Client {
        simulator,
        base: "/google/calendar/v3",
        token,
    }
}

fn timed(summary: &str, day: u32) -> Value {
    json!({
        "summary": summary,
        "start": {"dateTime": format!("2026-01-{day:02}T09:00:00"), "timeZone": "Europe/Berlin"},
        "end": {"dateTime": format!("2026-01-{day:02}T10:00:00"), "timeZone": "Europe/Berlin"},
    })
}

fn weekly(summary: &str) -> Value {
    let mut body = timed(summary, 5);
    body["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=5"]);
    body
}

#[test]
fn an_event_is_stored_in_normal_form_and_every_answer_fits_the_discovery_document() {
    let simulator = simulator();
    let client = client(&simulator);
    let mut body = timed("One", 6);
    body["id"] = "abcde01234".into();
    body["transparency"] = "opaque".into();
    let made = client.post(&format!("{EVENTS}?sendUpdates=none"), body.clone());
    assert_eq!(made.status, 200);
    assert_eq!(
        made.body["start"],
        json!({"dateTime": "2026-01-06T09:00:00+01:00", "timeZone": "Europe/Berlin"})
    );
    assert_eq!(made.body["iCalUID"], "abcde01234@google.com");
    assert_eq!(made.body.get("transparency"), None);
    let again = client.post(&format!("{EVENTS}?sendUpdates=none"), body.clone());
    assert_eq!((again.status, again.reason()), (409, "duplicate"));
    assert_eq!(
        client
            .send(
                "DELETE",
                &format!("{EVENTS}/abcde01234?sendUpdates=none"),
                &[],
                None
            )
            .status,
        204
    );
    let gone = client.send(
        "DELETE",
        &format!("{EVENTS}/abcde01234?sendUpdates=none"),
        &[],
        None,
    );
    assert_eq!((gone.status, gone.reason()), (410, "deleted"));
    assert_eq!(
        client.get(&format!("{EVENTS}/abcde01234")).body["status"],
        "cancelled"
    );
    let dead = client.post(&format!("{EVENTS}?sendUpdates=none"), body.clone());
    assert_eq!((dead.status, dead.reason()), (409, "duplicate"));
    let back = client.send(
        "PUT",
        &format!("{EVENTS}/abcde01234?sendUpdates=none"),
        &[],
        Some(body),
    );
    assert_eq!(
        (back.status, &back.body["status"]),
        (200, &json!("confirmed"))
    );
    let Some(schema) = schema::google() else {
        return;
    };
    let list = client.get(EVENTS);
    let calendars = client.get("/users/me/calendarList");
    for (method, answer) in [
        ("events.insert", &made),
        ("events.list", &list),
        ("calendarList.list", &calendars),
    ] {
        assert_eq!(schema.response(method, &answer.body), Vec::<String>::new());
    }
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

#[test]
fn what_is_wrong_is_refused_with_its_reason() {
    let simulator = simulator();
    let client = client(&simulator);
    let cases = [
        (json!({"summary": "x"}), "required"),
        (
            json!({"start": {"date": "2026-01-02"}, "end": {"date": "2026-01-02"}}),
            "timeRangeEmpty",
        ),
        (
            json!({"start": {"date": "2026-01-02"}, "end": {"dateTime": "2026-01-02T10:00:00Z"}}),
            "invalid",
        ),
        (
            json!({"start": {"dateTime": "2026-01-02T10:00:00"}, "end": {"dateTime": "2026-01-02T10:00:00Z"}}),
            "required",
        ),
        (
            json!({"start": {"dateTime": "2026-01-02T10:00:00Z"}, "end": {"dateTime": "2026-01-02T11:00:00Z"},
                "recurrence": ["RRULE:FREQ=DAILY"]}),
            "required",
        ),
        (
            json!({"id": "UPPER", "start": {"date": "2026-01-02"}, "end": {"date": "2026-01-03"}}),
            "invalid",
        ),
    ];
    for (body, reason) in cases {
        let answer = client.post(&format!("{EVENTS}?sendUpdates=none"), body.clone());
        assert_eq!((answer.status, answer.reason()), (400, reason), "{body}");
    }
    if schema::google().is_some() {
        let answer = client.get(&format!("{EVENTS}?maxResult=3"));
        assert_eq!((answer.status, simulator.violations().len()), (400, 1));
    }
}

#[test]
fn a_series_has_instances_exceptions_and_stubs() {
    let simulator = simulator();
    let client = client(&simulator);
    let id = simulator.google().add(ANN, weekly("Series")).unwrap();
    let list = client.get(&format!("{EVENTS}/{id}/instances"));
    let instances = list.ids("items");
    assert_eq!(instances.len(), 5);
    assert_eq!(instances[1], format!("{id}_20260112T080000Z"));
    let path = format!("{EVENTS}/{}?sendUpdates=none", instances[1]);
    let moved = client.send(
        "PATCH",
        &path,
        &[],
        Some(
            json!({"summary": "Moved", "start": {"dateTime": "2026-01-13T11:00:00+01:00"},
        "end": {"dateTime": "2026-01-13T12:00:00+01:00"}}),
        ),
    );
    assert_eq!(
        moved.body["originalStartTime"]["dateTime"],
        "2026-01-12T09:00:00+01:00"
    );
    let token = client.get(EVENTS).body["nextSyncToken"]
        .as_str()
        .unwrap()
        .to_string();
    assert_eq!(client.send("DELETE", &path, &[], None).status, 204);
    let changes = client.get(&format!("{EVENTS}?syncToken={token}"));
    let stub = changes.body["items"][0].as_object().unwrap();
    let keys: Vec<&str> = stub.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "etag",
            "id",
            "kind",
            "originalStartTime",
            "recurringEventId",
            "status"
        ]
    );
    assert_eq!(
        simulator
            .google()
            .instances_between(ANN, NOW, NOW + 60 * 86_400)
            .len(),
        4
    );
    let none = client.get(&format!("{EVENTS}/{id}_20260113T080000Z"));
    assert_eq!(none.status, 404);
    let split = simulator
        .google()
        .split(ANN, instances[3], json!({"summary": "Later"}))
        .unwrap();
    assert_eq!(
        client.get(&format!("{EVENTS}/{split}/instances")).body["items"][0]["summary"],
        "Later"
    );
    assert_eq!(
        client
            .get(&format!("{EVENTS}/{id}/instances"))
            .ids("items")
            .len(),
        2
    );
}

#[test]
fn listings_page_and_tokens_are_bound_to_their_parameters() {
    let simulator = simulator();
    let client = client(&simulator);
    for day in 10..17 {
        simulator.google().add(ANN, timed("x", day)).unwrap();
    }
    simulator.faults().add(
        On::service(Service::Google),
        1,
        1,
        What::Twist(Twist::EmptyPage),
    );
    let (mut seen, mut target, mut sizes) = (
        0,
        format!("{EVENTS}?maxResults=3&showDeleted=true"),
        Vec::new(),
    );
    let token = loop {
        let answer = client.get(&target);
        let items = answer.ids("items").len();
        (seen, _) = (seen + items, sizes.push(items));
        match answer.body["nextPageToken"].as_str() {
            Some(next) => {
                target = format!("{EVENTS}?maxResults=3&showDeleted=true&pageToken={next}")
            }
            None => break answer.body["nextSyncToken"].as_str().unwrap().to_string(),
        }
    };
    assert_eq!((seen, sizes), (7, vec![3, 0, 3, 1]));
    let same = format!("{EVENTS}?maxResults=3&showDeleted=true&syncToken={token}");
    assert_eq!(client.get(&same).ids("items").len(), 0);
    assert_eq!(
        client
            .get(&format!(
                "{EVENTS}?maxResults=4&showDeleted=true&syncToken={token}"
            ))
            .status,
        400
    );
    assert_eq!(client.get(&format!("{same}&q=x")).status, 400);
    simulator.google().expire_sync_tokens(ANN);
    let dead = client.get(&same);
    assert_eq!((dead.status, dead.reason()), (410, "fullSyncRequired"));
}

#[test]
fn etags_guard_and_nobody_is_mailed_silently() {
    let simulator = simulator();
    let client = client(&simulator);
    let id = simulator.google().add(ANN, timed("x", 9)).unwrap();
    let path = format!("{EVENTS}/{id}?sendUpdates=none");
    let read = client.get(&format!("{EVENTS}/{id}"));
    let etag = read.body["etag"].as_str().unwrap();
    assert_eq!(
        client
            .send(
                "GET",
                &format!("{EVENTS}/{id}"),
                &[("if-none-match", etag)],
                None
            )
            .status,
        304
    );
    simulator
        .google()
        .edit_event(ANN, &id, json!({"summary": "y"}));
    let stale = client.send(
        "PATCH",
        &path,
        &[("if-match", etag)],
        Some(json!({"summary": "z"})),
    );
    assert_eq!((stale.status, stale.reason()), (412, "conditionNotMet"));
    let guests = json!({"attendees": [{"email": "eve@x.test"}]});
    client.send("PATCH", &path, &[], Some(guests));
    assert_eq!(simulator.take_mails(), []);
    client.send("DELETE", &path.replace("none", "all"), &[], None);
    assert_eq!(simulator.take_mails()[0].about, "cancellation");
}

#[test]
fn guests_change_only_what_is_theirs() {
    let simulator = simulator();
    let client = client(&simulator);
    let id = simulator
        .google()
        .invite(ANN, "boss@x.test", timed("Invited", 9))
        .unwrap();
    let path = format!("{EVENTS}/{id}?sendUpdates=none");
    let refused = client.send("PATCH", &path, &[], Some(json!({"summary": "Mine"})));
    assert_eq!(
        (refused.status, refused.reason()),
        (403, "forbiddenForNonOrganizer")
    );
    let private = json!({"extendedProperties": {"private": {"k": "v", "k".repeat(45): "long"}}, "reminders": {"useDefault": false}});
    let fine = client.send("PATCH", &path, &[], Some(private));
    assert_eq!(
        (fine.status, &fine.body["extendedProperties"]["private"]),
        (200, &json!({"k": "v"}))
    );
    let found = client.get(&format!("{EVENTS}?privateExtendedProperty=k%3Dv"));
    assert_eq!(found.ids("items"), [id]);
}

#[test]
fn channels_ping_and_refuse() {
    let simulator = simulator();
    let client = client(&simulator);
    let body = json!({"id": "c1", "type": "web_hook", "address": "https://kalends.test/hook", "token": "t"});
    let made = client.post(&format!("{EVENTS}/watch"), body.clone());
    assert_eq!(
        made.body["expiration"],
        ((NOW + 604_800) * 1000).to_string()
    );
    assert_eq!(
        simulator.take_pings()[0].headers()["x-goog-resource-state"],
        "sync"
    );
    simulator.faults().double_pings(1);
    simulator.google().add(ANN, timed("x", 9));
    let pings = simulator.take_pings();
    assert_eq!(
        (pings.len(), &pings[0].headers()["x-goog-channel-token"]),
        (2, &"t".parse().unwrap())
    );
    let stop = json!({"id": "c1", "resourceId": made.body["resourceId"]});
    assert_eq!(client.post("/channels/stop", stop.clone()).status, 204);
    assert_eq!(client.post("/channels/stop", stop).status, 404);
    simulator.google().refuse_push(ANN);
    assert_eq!(
        client.post(&format!("{EVENTS}/watch"), body).reason(),
        "pushNotSupportedForRequestedResource"
    );
}

#[test]
fn busy_blocks_merge_and_errors_are_per_calendar() {
    let simulator = simulator();
    let client = client(&simulator);
    simulator.google().add(ANN, weekly("Series")).unwrap();
    simulator.google().add(ANN, timed("Same time", 12)).unwrap();
    let body = json!({"timeMin": "2026-01-01T00:00:00Z", "timeMax": "2026-01-20T00:00:00Z", "items": [{"id": ANN}, {"id": "nobody"}]});
    let answer = client.post("/freeBusy", body);
    assert_eq!(
        answer.body["calendars"][ANN]["busy"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(
        answer.body["calendars"]["nobody"]["errors"][0]["reason"],
        "notFound"
    );
}

#[test]
fn a_batch_answers_part_by_part() {
    let simulator = simulator();
    let token = simulator.google().oauth().full_access(ANN);
    let body = "--b\r\nContent-Type: application/http\r\nContent-ID: <1>\r\n\r\n\
                GET /calendar/v3/calendars/primary/events\r\n\r\n\r\n\
                --b\r\nContent-Type: application/http\r\nContent-ID: <2>\r\n\r\n\
                PATCH /calendar/v3/calendars/primary/events/none12?sendUpdates=none\r\nContent-Type: application/json\r\n\r\n{\"summary\":\"x\"}\r\n\
                --b--\r\n";
    let request = Request::post("https://simulator.test/google/batch/calendar/v3")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "multipart/mixed; boundary=b")
        .body(Bytes::from(body))
        .unwrap();
    let answer = simulator.handle(request).unwrap();
    let text = String::from_utf8(answer.body().to_vec()).unwrap();
    assert!(
        text.contains("response-1") && text.contains("HTTP/1.1 200 OK"),
        "{text}"
    );
    assert!(
        text.contains("response-2") && text.contains("HTTP/1.1 404 Not Found"),
        "{text}"
    );
}

#[test]
fn faults_strike_before_and_after_the_write() {
    let simulator = simulator();
    let token = simulator.google().oauth().full_access(ANN);
    let send = || {
        let request = Request::post(format!(
            "https://simulator.test/google/calendar/v3{EVENTS}?sendUpdates=none"
        ))
        .header("authorization", format!("Bearer {token}"))
        .body(Bytes::from(timed("x", 9).to_string()));
        simulator.handle(request.unwrap())
    };
    let google = || On::service(Service::Google).method("POST");
    let count = || simulator.google().events(ANN).len();
    simulator.faults().next(google(), What::DropBefore);
    assert_eq!((send().err(), count()), (Some(Broken::BeforeWrite), 0));
    simulator.faults().next(google(), What::DropAfter);
    assert_eq!((send().err(), count()), (Some(Broken::AfterWrite), 1));
    simulator.faults().next(google(), What::status_after(503));
    assert_eq!((send().unwrap().status().as_u16(), count()), (503, 2));
    simulator.faults().next(google(), What::throttled(429, 9));
    let throttled = send().unwrap();
    assert_eq!(
        (
            throttled.headers()["retry-after"].to_str().unwrap(),
            count()
        ),
        ("9", 2)
    );
    simulator.faults().next(google(), What::Slow(30));
    assert_eq!(send().unwrap().extensions().get(), Some(&Slow(30)));
    assert_eq!(simulator.world().counts(Service::Google).writes, 5);
}

#[test]
fn random_faults_are_the_same_for_a_seed_and_stop() {
    let run = || {
        let simulator = simulator();
        let token = simulator.google().oauth().full_access(ANN);
        let send = |token: &str| {
            let request =
                Request::get(format!("https://simulator.test/google/calendar/v3{EVENTS}"))
                    .header("authorization", format!("Bearer {token}"))
                    .body(Bytes::new());
            simulator
                .handle(request.unwrap())
                .map(|answer| answer.status().as_u16())
        };
        simulator.faults().random(Random::usual(0.5));
        let troubled: Vec<_> = (0..40).map(|_| send(&token)).collect();
        simulator.faults().stop();
        let fresh = simulator.google().oauth().full_access(ANN);
        assert!((0..20).all(|_| send(&fresh) == Ok(200)));
        troubled
    };
    let troubled = run();
    assert!(
        troubled
            .iter()
            .filter(|outcome| **outcome != Ok(200))
            .count()
            > 10
    );
    assert_eq!(troubled, run());
}
