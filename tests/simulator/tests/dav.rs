//! FACTS §6 and §7.

use super::super::caldav::Quirks;
use super::super::faults::{On, Twist, What};
use super::super::ics::{Feed, Serves};
use super::super::web::Answer;
use super::super::{Service, Simulator};
use super::NOW;
use base64::Engine;
use bytes::Bytes;
use http::Request;

const USER: &str = "dave";
const HOME: &str = "/caldav/calendars/dave/home/";

fn simulator(quirks: Quirks) -> Simulator {
    let simulator = Simulator::new(5, NOW);
    simulator.caldav().account(USER, "secret");
    simulator.caldav().behave_as(quirks);
    simulator
}

fn send(
    simulator: &Simulator,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let basic = base64::engine::general_purpose::STANDARD.encode("dave:secret");
    let mut request = Request::builder()
        .method(method)
        .uri(format!("https://simulator.test{path}"))
        .header("authorization", format!("Basic {basic}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    simulator
        .handle(request.body(Bytes::from(body.to_string())).unwrap())
        .unwrap()
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body().to_vec()).unwrap()
}

fn event(uid: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//T//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260106T080000Z\r\nDTEND:20260106T090000Z\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn sync(token: &str) -> String {
    format!(
        "<sync-collection xmlns=\"DAV:\"><sync-token>{token}</sync-token><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>"
    )
}

fn token(body: &str) -> &str {
    let (_, rest) = body.split_once("<D:sync-token>").unwrap();
    rest.split_once('<').unwrap().0
}

#[test]
fn discovery_leads_to_another_host() {
    let simulator = simulator(Quirks::icloud());
    let moved = send(&simulator, "GET", "/.well-known/caldav", &[], "");
    assert_eq!(
        moved.headers()["location"],
        "https://simulator.test/caldav/"
    );
    let ask = "<propfind xmlns=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><prop><current-user-principal/><C:calendar-home-set/></prop></propfind>";
    let root = text(&send(
        &simulator,
        "PROPFIND",
        "/caldav/",
        &[("depth", "0")],
        ask,
    ));
    assert!(
        root.contains("/caldav/principals/dave/") && root.contains("404 Not Found"),
        "{root}"
    );
    let principal = text(&send(
        &simulator,
        "PROPFIND",
        "/caldav/principals/dave/",
        &[("depth", "0")],
        ask,
    ));
    assert!(
        principal.contains("https://p01.caldav.test/caldav/calendars/dave/"),
        "{principal}"
    );
    let home = text(&send(
        &simulator,
        "PROPFIND",
        "/caldav/calendars/dave/",
        &[("depth", "1")],
        "",
    ));
    assert_eq!(home.matches("<D:response>").count(), 5);
    let request = Request::get("https://simulator.test/caldav/")
        .body(Bytes::new())
        .unwrap();
    let refused = simulator.handle(request).unwrap();
    assert_eq!(
        refused.headers().get_all("www-authenticate").iter().count(),
        2
    );
}

#[test]
fn objects_have_etags_and_uids_are_unique() {
    let simulator = simulator(Quirks::generic());
    let path = format!("{HOME}a.ics");
    let made = send(
        &simulator,
        "PUT",
        &path,
        &[("if-none-match", "*")],
        &event("a"),
    );
    let etag = made.headers()["etag"].to_str().unwrap().to_string();
    assert_eq!(made.status(), 201);
    assert_eq!(
        send(
            &simulator,
            "PUT",
            &path,
            &[("if-none-match", "*")],
            &event("a")
        )
        .status(),
        412
    );
    let twin = send(&simulator, "PUT", &format!("{HOME}b.ics"), &[], &event("a"));
    assert!(twin.status() == 409 && text(&twin).contains("no-uid-conflict"));
    assert_eq!(
        send(&simulator, "PUT", &path, &[], "BEGIN:VCALENDAR").status(),
        403
    );
    assert_eq!(
        send(&simulator, "DELETE", &path, &[("if-match", "\"x\"")], "").status(),
        412
    );
    assert_eq!(
        send(&simulator, "DELETE", &path, &[("if-match", &etag)], "").status(),
        204
    );
    simulator.caldav().behave_as(Quirks::icloud());
    let silent = send(&simulator, "PUT", &path, &[], &event("a"));
    assert_eq!(
        (silent.status().as_u16(), silent.headers().get("etag")),
        (201, None)
    );
    assert!(text(&send(&simulator, "GET", &path, &[], "")).contains("PRODID:-//Caldav Simulator"));
    let query = "<C:calendar-query xmlns=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><prop><getetag/></prop></C:calendar-query>";
    assert_eq!(send(&simulator, "REPORT", HOME, &[], query).status(), 403);
}

#[test]
fn sync_collection_pages_and_its_tokens_die() {
    let simulator = simulator(Quirks {
        page: Some(2),
        ..Quirks::generic()
    });
    for uid in ["a", "b", "c"] {
        simulator
            .caldav()
            .put_object(USER, "home", &format!("{uid}.ics"), &event(uid));
    }
    let first = text(&send(&simulator, "REPORT", HOME, &[], &sync("")));
    assert!(
        first.contains("507") && first.matches("getetag").count() == 4,
        "{first}"
    );
    let second = text(&send(&simulator, "REPORT", HOME, &[], &sync(token(&first))));
    assert!(
        !second.contains("507") && second.contains("c.ics"),
        "{second}"
    );
    simulator.caldav().remove_object(USER, "home", "b.ics");
    let third = text(&send(
        &simulator,
        "REPORT",
        HOME,
        &[],
        &sync(token(&second)),
    ));
    assert!(third.contains("b.ics") && third.contains("404"), "{third}");
    simulator
        .faults()
        .next(On::service(Service::Caldav), What::Twist(Twist::CursorGone));
    let dead = send(&simulator, "REPORT", HOME, &[], &sync(token(&third)));
    assert!(dead.status() == 403 && text(&dead).contains("valid-sync-token"));
    simulator.caldav().behave_as(Quirks::plain());
    assert_eq!(
        send(&simulator, "REPORT", HOME, &[], &sync("")).status(),
        403
    );
    let get = format!(
        "<C:calendar-multiget xmlns=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><prop><C:calendar-data/></prop><href>{HOME}a.ics</href><href>{HOME}b.ics</href></C:calendar-multiget>"
    );
    let got = text(&send(&simulator, "REPORT", HOME, &[], &get));
    assert!(
        got.contains("UID:a") && got.contains("404 Not Found"),
        "{got}"
    );
}

#[test]
fn feeds_are_conditional_and_misbehave() {
    let simulator = Simulator::new(5, NOW);
    let path = simulator.ics().set("team", Feed::new(&event("a")));
    let full = send(&simulator, "GET", &path, &[], "");
    let etag = full.headers()["etag"].to_str().unwrap().to_string();
    let same = send(&simulator, "GET", &path, &[("if-none-match", &etag)], "");
    assert_eq!((same.status().as_u16(), same.body().len()), (304, 0));
    simulator.ics().change("team", |feed| feed.churn = true);
    let (one, two) = (
        text(&send(&simulator, "GET", &path, &[], "")),
        text(&send(&simulator, "GET", &path, &[], "")),
    );
    assert!(one != two && one.contains("UID:a-"), "{one}");
    let cases = [
        (Serves::LoginPage, 200, "<!DOCTYPE html>"),
        (Serves::NoEvents, 200, "BEGIN:VCALENDAR"),
        (Serves::Redirect("http://10.0.0.1/x".into()), 302, ""),
        (Serves::Status(503), 503, ""),
    ];
    for (serves, status, start) in cases {
        simulator
            .ics()
            .change("team", |feed| feed.serves = serves.clone());
        let answer = send(&simulator, "GET", &path, &[], "");
        assert!(
            answer.status() == status && text(&answer).starts_with(start),
            "{serves:?}"
        );
    }
    simulator.ics().change("team", |feed| {
        (feed.serves, feed.size, feed.churn) = (Serves::Truncated, 0, false)
    });
    assert!(!text(&send(&simulator, "GET", &path, &[], "")).contains("END:VCALENDAR"));
    simulator.ics().change("team", |feed| {
        (feed.serves, feed.size) = (Serves::Calendar, 100_000)
    });
    assert!(send(&simulator, "GET", &path, &[], "").body().len() > 99_000);
}
