//! The calls, over a script and over the simulator. `facts_N_…`: point N of FACTS §9.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use super::map::tests::{ME, event, exception, place, timed};
use super::*;
use crate::remote::testing::{Script, account, against_google};
use crate::remote::{Change, Marker, Next};

mod shapes;
mod simulated;

/// The root of [`account`]'s addresses.
const ROOT: &str = "https://api.example";
const KEY: &str = "k0a1b2c3d4e5f6";

fn marker() -> Marker {
    Marker {
        instance: "here".into(),
        link: "7".into(),
        uid: "one@here".into(),
    }
}

fn put<'a>(text: &'a [u8], known: &'a [Item], marker: &'a Marker) -> Put<'a> {
    Put {
        key: KEY,
        marker,
        text,
        known,
        guests: GuestPolicy::Never,
        respond: None,
    }
}

fn items(docs: &[Value]) -> Vec<Item> {
    docs.iter()
        .map(|doc| answers::item(doc.as_object().unwrap()).unwrap())
        .collect()
}

fn error(code: u16, reason: &str) -> Value {
    json!({"error": {"code": code, "message": "m", "errors": [{"domain": "d", "reason": reason, "message": "m"}]}})
}

fn page(docs: &[Value], token: (&str, &str)) -> Value {
    json!({"kind": "calendar#events", "items": docs, token.0: token.1, "newKey": {}})
}

/// `GET path?query` of each request; all of them known to the discovery document.
fn sent(script: &Script) -> Vec<String> {
    let requests = script.requests();
    assert_eq!(against_google(&requests, ROOT), Vec::<String>::new());
    assert_eq!(script.left(), 0);
    let line = |request: &Request<Bytes>| {
        let uri = request.uri().to_string();
        format!("{} {}", request.method(), uri.trim_start_matches(ROOT))
    };
    requests.iter().map(line).collect()
}

const LIST: &str =
    "GET /calendars/me%40example.com/events?singleEvents=false&showDeleted=true&maxResults=1000";

#[tokio::test]
async fn facts_5_full_sync_with_an_empty_page() {
    let script = Script::new()
        .json(200, &page(&[timed(json!({}))], ("nextPageToken", "p 2")))
        .json(200, &page(&[], ("nextPageToken", "p3")))
        .json(
            200,
            &page(&[timed(json!({"id": "def456"}))], ("nextSyncToken", "s=1")),
        );
    let account = account(&script);
    let first = Google
        .changes(&account, &place(), From::Start)
        .await
        .unwrap();
    let Next::Page(next) = &first.next else {
        panic!()
    };
    let second = Google
        .changes(&account, &place(), From::Page(next))
        .await
        .unwrap();
    assert_eq!(second.changes, []);
    let Next::Page(next) = &second.next else {
        panic!()
    };
    let third = Google
        .changes(&account, &place(), From::Page(next))
        .await
        .unwrap();
    assert_eq!(third.changes.len(), 1);
    assert!(matches!(third.next, Next::Done(Some(_))));
    assert_eq!(
        sent(&script),
        [
            LIST.to_owned(),
            format!("{LIST}&pageToken=p%202"),
            format!("{LIST}&pageToken=p3")
        ]
    );
}

#[tokio::test]
async fn facts_6_the_cursor_is_on_the_last_page_only() {
    let script = Script::new()
        .json(200, &page(&[], ("nextSyncToken", "s1")))
        .json(200, &page(&[], ("nextPageToken", "p2")))
        .json(200, &page(&[], ("nextSyncToken", "s2")))
        .json(200, &json!({"items": []}));
    let account = account(&script);
    let full = Google
        .changes(&account, &place(), From::Start)
        .await
        .unwrap();
    let Next::Done(Some(cursor)) = &full.next else {
        panic!()
    };
    let first = Google
        .changes(&account, &place(), From::Cursor(cursor))
        .await
        .unwrap();
    let Next::Page(next) = &first.next else {
        panic!("a page is no end")
    };
    let last = Google
        .changes(&account, &place(), From::Page(next))
        .await
        .unwrap();
    assert!(matches!(last.next, Next::Done(Some(ref new)) if new != cursor));
    // A listing that gives no token is repeated whole.
    let none = Google
        .changes(&account, &place(), From::Start)
        .await
        .unwrap();
    assert_eq!(none.next, Next::Done(None));
    assert_eq!(
        sent(&script),
        [
            LIST.to_owned(),
            format!("{LIST}&syncToken=s1"),
            format!("{LIST}&syncToken=s1&pageToken=p2"),
            LIST.to_owned()
        ]
    );
}

#[tokio::test]
async fn facts_7_every_410_has_its_own_meaning() {
    let cursor = br#"{"sync":"s1"}"#.as_slice();
    let paged = br#"{"sync":"s1","page":"p1"}"#.as_slice();
    let full = br#"{"page":"p1"}"#.as_slice();
    for (from, status, reason, fault) in [
        (
            From::Cursor(cursor),
            410,
            "fullSyncRequired",
            Fault::CursorGone,
        ),
        (
            From::Page(paged),
            410,
            "fullSyncRequired",
            Fault::CursorGone,
        ),
        (
            From::Cursor(cursor),
            410,
            "updatedMinTooLongAgo",
            Fault::CursorGone,
        ),
        (From::Cursor(cursor), 410, "newReason", Fault::CursorGone),
        (From::Cursor(cursor), 400, "invalid", Fault::CursorGone),
        (From::Page(full), 400, "invalid", Fault::CursorGone),
        (From::Cursor(b"nonsense"), 0, "", Fault::CursorGone),
        (From::Start, 404, "notFound", Fault::NotFound),
        (
            From::Start,
            403,
            "insufficientPermissions",
            Fault::MissingScope("Google was not allowed to give this to us".into()),
        ),
    ] {
        let script = match status {
            0 => Script::new(),
            _ => Script::new().json(status, &error(status, reason)),
        };
        let got = Google.changes(&account(&script), &place(), from).await;
        assert_eq!(got, Err(fault), "{reason}");
    }
    // A page that can not be had: once more from the increment's start, not from the beginning of time.
    let script = Script::new()
        .json(400, &error(400, "invalid"))
        .json(200, &page(&[], ("nextSyncToken", "s2")));
    Google
        .changes(&account(&script), &place(), From::Page(paged))
        .await
        .unwrap();
    assert_eq!(
        sent(&script),
        [
            format!("{LIST}&syncToken=s1&pageToken=p1"),
            format!("{LIST}&syncToken=s1")
        ]
    );
}

#[tokio::test]
async fn facts_8_9_11_deletions_and_exceptions_are_told_apart() {
    let docs = [
        json!({"id": "gone1", "status": "cancelled"}),
        json!({"id": "s_20260403T080000Z", "status": "cancelled", "recurringEventId": "s", "originalStartTime": {"dateTime": "2026-04-03T10:00:00+02:00"}}),
        exception("20260410T080000Z", json!({})),
        timed(json!({"id": "s", "recurrence": ["RRULE:FREQ=WEEKLY"]})),
        json!({"status": "cancelled"}),
        json!(7),
    ];
    let script = Script::new().json(200, &page(&docs, ("nextSyncToken", "s")));
    let page = Google
        .changes(&account(&script), &place(), From::Start)
        .await
        .unwrap();
    let told: Vec<(bool, &str, Option<&str>)> = page
        .changes
        .iter()
        .map(|change| match change {
            Change::Gone(id) => (true, id.as_str(), None),
            Change::Part(item) => (false, item.id.as_str(), item.series.as_deref()),
            Change::Whole(_) => panic!("Google tells of resources"),
        })
        .collect();
    assert_eq!(
        told,
        [
            (true, "gone1", None),
            (false, "s_20260403T080000Z", Some("s")),
            (false, "abc123_20260410T080000Z", Some("abc123")),
            (false, "s", None),
        ]
    );
}

#[tokio::test]
async fn facts_15_16_every_error_has_its_meaning() {
    let refused = |code: &'static str| move |fault: &Fault| matches!(fault, Fault::Refused(r) if r.code == code);
    type Is = Box<dyn Fn(&Fault) -> bool>;
    let cases: Vec<(u16, &str, Is)> = vec![
        (400, "timeRangeEmpty", Box::new(refused("invalid"))),
        (400, "someNewReason", Box::new(refused("invalid"))),
        (
            403,
            "rateLimitExceeded",
            Box::new(|f| *f == Fault::Throttled(None)),
        ),
        (
            403,
            "userRateLimitExceeded",
            Box::new(|f| *f == Fault::Throttled(None)),
        ),
        (
            403,
            "quotaExceeded",
            Box::new(|f| *f == Fault::Throttled(None)),
        ),
        (403, "forbidden", Box::new(refused("forbidden"))),
        (403, "requiredAccessLevel", Box::new(refused("forbidden"))),
        (
            403,
            "forbiddenForNonOrganizer",
            Box::new(refused("not-organizer")),
        ),
        (
            403,
            "insufficientPermissions",
            Box::new(|f| matches!(f, Fault::MissingScope(_))),
        ),
        (
            403,
            "accessNotConfigured",
            Box::new(|f| matches!(f, Fault::Operator(_))),
        ),
        (404, "notFound", Box::new(|f| *f == Fault::NotFound)),
        (
            409,
            "conflict",
            Box::new(|f| matches!(f, Fault::Transient(_))),
        ),
        (410, "deleted", Box::new(|f| *f == Fault::NotFound)),
        (412, "conditionNotMet", Box::new(|f| *f == Fault::Stale)),
        (
            429,
            "rateLimitExceeded",
            Box::new(|f| *f == Fault::Throttled(None)),
        ),
        (
            500,
            "backendError",
            Box::new(|f| matches!(f, Fault::OutcomeUnknown(_))),
        ),
        (
            503,
            "backendError",
            Box::new(|f| matches!(f, Fault::OutcomeUnknown(_))),
        ),
    ];
    let (text, marker, known) = (
        event("DTSTART:20260327T090000Z|SUMMARY:x"),
        marker(),
        items(&[timed(json!({}))]),
    );
    for (status, reason, is) in cases {
        let script = Script::new().json(status, &error(status, reason));
        let fault = Google
            .put(&account(&script), &place(), put(&text, &known, &marker))
            .await
            .unwrap_err();
        assert!(is(&fault), "{status} {reason}: {fault:?}");
        sent(&script);
    }
    // A proxy's page is not Google's word: nothing is taken for gone.
    for status in [403, 404, 410] {
        let script = Script::new().answer(status, "<html>blocked</html>");
        let got = Google.get(&account(&script), &place(), "abc123").await;
        assert!(matches!(got, Err(Fault::Transient(_))), "{got:?}");
    }
    let answer = Response::builder().status(429).header("retry-after", "30");
    let script = Script::new().response(answer.body(Bytes::new()).unwrap());
    let got = Google.get(&account(&script), &place(), "abc123").await;
    assert_eq!(
        got,
        Err(Fault::Throttled(Some(crate::remote::testing::NOW + 30)))
    );
}

#[tokio::test]
async fn a_create_says_everything_and_mails_nobody() {
    let marker = marker();
    let private = json!({"private": {"kalends": marker.print()}});
    let made = timed(json!({"id": KEY, "extendedProperties": private,
        "conferenceData": {"createRequest": {"status": {"statusCode": "pending"}}}}));
    let done =
        timed(json!({"id": KEY, "etag": "\"2\"", "hangoutLink": "https://meet.google.com/x"}));
    let script = Script::new().json(200, &made).json(200, &done);
    let text = event(
        "DTSTART;TZID=Europe/Berlin:20260327T100000|DURATION:PT1H|ATTENDEE:mailto:x@example.com|X-KALENDS-CONFERENCE:AUTO",
    );
    let placed = Google
        .put(&account(&script), &place(), put(&text, &[], &marker))
        .await
        .unwrap();
    assert_eq!(placed.items[0].stamp, "\"2\"");
    assert_eq!(sent(&script).len(), 2);
    let requests = script.requests();
    let body: Value = serde_json::from_slice(requests[0].body()).unwrap();
    assert_eq!(body["id"], KEY);
    assert!(body.get("attendees").is_none());
    let target = requests[0].uri().to_string();
    assert!(
        target.ends_with("/events?sendUpdates=none&conferenceDataVersion=1"),
        "{target}"
    );
}

#[tokio::test]
async fn facts_12_13_a_taken_id_is_adopted_revived_or_named() {
    let text = event("DTSTART;TZID=Europe/Berlin:20260327T100000|DURATION:PT1H");
    let marker = marker();
    let ours = json!({"id": KEY, "reminders": {"useDefault": false}, "extendedProperties": {"private": {"kalends": marker.print()}}});
    let insert = "POST /calendars/me%40example.com/events?sendUpdates=none&conferenceDataVersion=1";
    let one = format!("/calendars/me%40example.com/events/{KEY}");
    // our own earlier attempt
    let script = Script::new()
        .json(409, &error(409, "duplicate"))
        .json(200, &timed(ours.clone()))
        .json(200, &timed(ours.clone()));
    let placed = Google
        .put(&account(&script), &place(), put(&text, &[], &marker))
        .await
        .unwrap();
    assert_eq!(placed.items.len(), 1);
    assert_eq!(
        sent(&script),
        [
            insert.to_owned(),
            format!("GET {one}"),
            format!("GET {one}")
        ]
    );
    // one that was deleted since
    let script = Script::new()
        .json(409, &error(409, "duplicate"))
        .json(
            200,
            &json!({"id": KEY, "status": "cancelled", "etag": "\"9\""}),
        )
        .json(200, &timed(ours.clone()));
    Google
        .put(&account(&script), &place(), put(&text, &[], &marker))
        .await
        .unwrap();
    let lines = sent(&script);
    assert_eq!(
        lines[2],
        format!("PUT {one}?sendUpdates=none&conferenceDataVersion=1")
    );
    let revived = &script.requests()[2];
    let body: Value = serde_json::from_slice(revived.body()).unwrap();
    assert_eq!(
        (&body["status"], body.get("sequence"), body.get("id")),
        (&json!("confirmed"), None, None)
    );
    assert_eq!(revived.headers()["if-match"], "\"9\"");
    // somebody else's
    let script = Script::new()
        .json(409, &error(409, "duplicate"))
        .json(200, &timed(json!({"id": KEY})));
    let fault = Google
        .put(&account(&script), &place(), put(&text, &[], &marker))
        .await
        .unwrap_err();
    assert_eq!(fault, Fault::Duplicate(Some(KEY.into())));
}

#[tokio::test]
async fn a_put_of_what_is_there_sends_nothing() {
    let marker = marker();
    let docs = [timed(
        json!({"summary": "S", "extendedProperties": {"private": {"kalends": marker.print()}}}),
    )];
    let known = items(&docs);
    let Read::Event(reading) = Google.read(&place(), ME, &known).unwrap() else {
        panic!()
    };
    let script = Script::new();
    let placed = Google
        .put(
            &account(&script),
            &place(),
            put(&reading.text, &known, &marker),
        )
        .await
        .unwrap();
    assert_eq!((placed.items, placed.losses), (known, vec![]));
    assert_eq!(sent(&script), Vec::<String>::new());
}

#[tokio::test]
async fn facts_14_a_write_is_guarded_by_what_was_read() {
    let marker = marker();
    let known = items(&[timed(json!({"summary": "S"}))]);
    let text = event("DTSTART;TZID=Europe/Berlin:20260327T100000|DURATION:PT1H|SUMMARY:T");
    let script = Script::new().json(412, &error(412, "conditionNotMet"));
    let fault = Google
        .put(&account(&script), &place(), put(&text, &known, &marker))
        .await
        .unwrap_err();
    assert_eq!(fault, Fault::Stale);
    assert_eq!(script.requests()[0].headers()["if-match"], "\"1\"");
    // an instance without a resource of its own is read before it is written
    let usual = exception(
        "20260403T080000Z",
        json!({"status": "confirmed", "summary": "changed meanwhile",
        "start": {"dateTime": "2026-04-03T10:00:00+02:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-04-03T11:00:00+02:00", "timeZone": "Europe/Berlin"}}),
    );
    let docs = [timed(
        json!({"recurrence": ["RRULE:FREQ=WEEKLY"], "extendedProperties": {"private": {"kalends": marker.print()}}}),
    )];
    let known = items(&docs);
    let Read::Event(reading) = Google.read(&place(), ME, &known).unwrap() else {
        panic!()
    };
    let moved = "BEGIN:VEVENT\r\nUID:one@here\r\nRECURRENCE-ID:20260403T080000Z\r\nDTSTART:20260403T120000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let text = String::from_utf8(reading.text)
        .unwrap()
        .replace("END:VCALENDAR\r\n", moved);
    let script = Script::new().json(200, &usual);
    let fault = Google
        .put(
            &account(&script),
            &place(),
            put(text.as_bytes(), &known, &marker),
        )
        .await
        .unwrap_err();
    assert_eq!(fault, Fault::Stale);
    assert_eq!(
        sent(&script),
        ["GET /calendars/me%40example.com/events/abc123_20260403T080000Z"]
    );
}

#[tokio::test]
async fn deleting_what_is_gone_is_done_and_what_changed_is_stale() {
    let known = items(&[timed(json!({}))]);
    for (status, reason, done) in [
        (204, "", Ok(())),
        (404, "notFound", Ok(())),
        (410, "deleted", Ok(())),
        (412, "conditionNotMet", Err(Fault::Stale)),
    ] {
        let script = match status {
            204 => Script::new().answer(204, ""),
            _ => Script::new().json(status, &error(status, reason)),
        };
        assert_eq!(
            Google
                .delete(&account(&script), &place(), &known, GuestPolicy::Never)
                .await,
            done,
            "{status}"
        );
        assert_eq!(
            sent(&script),
            ["DELETE /calendars/me%40example.com/events/abc123?sendUpdates=none"]
        );
        assert_eq!(script.requests()[0].headers()["if-match"], "\"1\"");
    }
    // guests hear of it where the link sends
    let script = Script::new().answer(204, "");
    let sends = GuestPolicy::Send;
    assert_eq!(
        Google
            .delete(&account(&script), &place(), &known, sends)
            .await,
        Ok(())
    );
    assert!(sent(&script)[0].ends_with("sendUpdates=all"));
    // an exception that changed meanwhile saves the series, unless that is gone as a whole
    let master = timed(json!({"recurrence": ["RRULE:FREQ=WEEKLY"]}));
    let series = items(std::slice::from_ref(&master));
    for (there, done) in [
        (master, Err(Fault::Stale)),
        (json!({"id": "abc123", "status": "cancelled"}), Ok(())),
    ] {
        let script = Script::new()
            .json(
                200,
                &json!({"items": [exception("20260403T080000Z", json!({}))]}),
            )
            .json(200, &there);
        assert_eq!(
            Google
                .delete(&account(&script), &place(), &series, GuestPolicy::Never)
                .await,
            done
        );
        assert_eq!(
            sent(&script)[0],
            format!("{LIST}&iCalUID=abc123%40google.com")
        );
    }
}

#[tokio::test]
async fn an_event_is_got_with_its_exceptions_or_not_at_all() {
    let master = timed(json!({"recurrence": ["RRULE:FREQ=WEEKLY"]}));
    let other = timed(json!({"id": "copy1"}));
    let script = Script::new()
        .json(200, &master)
        .json(200, &json!({"items": [exception("20260403T080000Z", json!({}))], "nextPageToken": "2"}))
        .json(200, &json!({"items": [other, exception("20260410T080000Z", json!({"status": "cancelled"}))]}));
    let got = Google
        .get(&account(&script), &place(), "abc123")
        .await
        .unwrap()
        .unwrap();
    let ids: Vec<&str> = got.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "abc123",
            "abc123_20260403T080000Z",
            "abc123_20260410T080000Z"
        ]
    );
    sent(&script);
    let script = Script::new().json(200, &json!({"id": "abc123", "status": "cancelled"}));
    assert_eq!(
        Google.get(&account(&script), &place(), "abc123").await,
        Ok(None)
    );
    let script = Script::new()
        .json(404, &error(404, "notFound"))
        .json(200, &json!({"items": []}));
    assert_eq!(
        Google.get(&account(&script), &place(), "abc123").await,
        Ok(None)
    );
}

#[tokio::test]
async fn facts_17_channels_are_made_stopped_and_sometimes_impossible() {
    let hook = Hook {
        url: "https://here.example/hooks/google",
        secret: "s3",
        id: "c1",
        life: 604_800,
    };
    let answer = json!({"kind": "api#channel", "id": "c1", "resourceId": "r1", "resourceUri": "u", "expiration": "1775217600000"});
    let script = Script::new()
        .json(200, &answer)
        .answer(204, "")
        .json(404, &error(404, "notFound"));
    let account = account(&script);
    let watch = Google.watch(&account, &place(), &hook).await.unwrap();
    assert_eq!(
        (watch.id.as_str(), watch.resource.as_str(), watch.expires),
        ("c1", "r1", 1_775_217_600)
    );
    assert_eq!(Google.renew(&account, &watch, 60).await, Ok(None));
    assert_eq!(Google.unwatch(&account, &watch).await, Ok(()));
    assert_eq!(Google.unwatch(&account, &watch).await, Ok(()));
    sent(&script);
    let body: Value = serde_json::from_slice(script.requests()[0].body()).unwrap();
    assert_eq!(
        body["expiration"],
        ((crate::remote::testing::NOW + 604_800) * 1000).to_string()
    );
    let script = Script::new().json(400, &error(400, "pushNotSupportedForRequestedResource"));
    let account = crate::remote::testing::account(&script);
    assert!(matches!(
        Google.watch(&account, &place(), &hook).await,
        Err(Fault::Unsupported(_))
    ));
}

#[tokio::test]
async fn busy_time_is_known_or_unknown_per_calendar() {
    let calendars: Vec<String> = (0..51).map(|n| format!("c{n}@example.com")).collect();
    let mut first = json!({"calendars": {"c0@example.com": {"busy": [{"start": "2026-03-27T09:00:00Z", "end": "2026-03-27T10:00:00Z"}]},
        "c1@example.com": {"busy": [], "errors": [{"domain": "global", "reason": "notFound"}]},
        "c2@example.com": {"busy": [], "errors": [{"domain": "global", "reason": "internalError"}]}}});
    for id in &calendars[4..50] {
        first["calendars"][id] = json!({"busy": []});
    }
    let second = json!({"calendars": {"c50@example.com": {"busy": [{"start": "never"}]}}});
    let script = Script::new().json(200, &first).json(200, &second);
    let all = Google
        .busy(
            &account(&script),
            &calendars,
            (1_774_602_000, 1_774_688_400),
        )
        .await
        .unwrap();
    assert_eq!(all.len(), 51);
    assert_eq!(all[0].1.as_ref().unwrap()[0].start, 1_774_602_000);
    assert_eq!(all[1].1, Err(Fault::NotFound));
    for unknown in [2, 3, 50] {
        assert!(
            matches!(all[unknown].1, Err(Fault::Transient(_))),
            "{unknown}"
        );
    }
    assert_eq!(all[4].1, Ok(vec![]));
    sent(&script);
    // a long range is asked in pieces of 60 days, and unknown in one is unknown
    let known = json!({"calendars": {"c0@example.com": {"busy": [{"start": "2026-03-27T09:00:00Z", "end": "2026-03-27T10:00:00Z"}]},
        "c1@example.com": {"busy": []}}});
    let half = json!({"calendars": {"c0@example.com": {"busy": []}}});
    let script = Script::new().json(200, &known).json(200, &half);
    let range = (1_774_602_000, 1_774_602_000 + 90 * 86_400);
    let all = Google
        .busy(&account(&script), &calendars[..2], range)
        .await
        .unwrap();
    assert_eq!(all[0].1.as_ref().map(Vec::len), Ok(1));
    assert!(all[1].1.is_err());
    sent(&script);
}

#[tokio::test]
async fn facts_4_without_the_calendar_list_there_is_the_main_calendar() {
    let entry = |id: &str, role: &str| json!({"id": id, "summary": "Name", "accessRole": role, "timeZone": "Europe/Berlin"});
    let script = Script::new()
        .json(200, &json!({"items": [entry("a", "owner"), {"id": "b", "deleted": true}], "nextPageToken": "n"}))
        .json(200, &json!({"items": [entry("c", "reader"), entry("d", "newRole")]}));
    let all = Google.calendars(&account(&script)).await.unwrap();
    let told: Vec<(&str, bool)> = all
        .iter()
        .map(|one| (one.remote_id.as_str(), one.writable))
        .collect();
    assert_eq!(told, [("a", true), ("c", false), ("d", false)]);
    sent(&script);
    let script = Script::new()
        .json(403, &error(403, "insufficientPermissions"))
        .json(
            200,
            &json!({"summary": "Mine", "timeZone": "Europe/Berlin", "accessRole": "owner"}),
        );
    let all = Google.calendars(&account(&script)).await.unwrap();
    assert_eq!(
        (
            all[0].remote_id.as_str(),
            all[0].name.as_str(),
            all[0].primary,
            all[0].writable
        ),
        (ME, "Mine", true, true)
    );
    sent(&script);
}

#[tokio::test]
async fn the_account_is_known_by_an_id_that_never_changes() {
    for (body, id) in [
        (json!({"sub": "1", "email": "a@example.com"}), Some("1")),
        (json!({"id": "2", "email": "a@example.com"}), Some("2")),
        (json!({"email": "a@example.com"}), None),
    ] {
        let script = Script::new().json(200, &body);
        let got = Google.identity(&account(&script)).await.ok();
        assert_eq!(got.map(|identity| identity.account).as_deref(), id);
    }
}

#[test]
fn every_scope_says_what_is_missing_without_it() {
    assert!(
        OAUTH
            .scopes
            .iter()
            .filter(|(_, why)| why.is_empty())
            .count()
            == 1
    );
    assert!(
        crate::remote::provider("google").is_some() && crate::remote::provider("gogle").is_none()
    );
}
