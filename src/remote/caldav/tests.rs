//! FACTS §6: what differs from server to server. Answers are scripted; the simulator and real servers come on top.

use super::super::testing::{Script, account};
use super::super::{Change, Marker, Next};
use super::*;
use crate::model::bridge::GuestPolicy;

const HOME: &str = "https://api.example/cal/work/";

fn place(extra: &str) -> Place {
    Place {
        remote_id: HOME.into(),
        zone: "UTC".into(),
        extra: extra.into(),
    }
}

const SYNC: &str = r#"{"sync":true,"ctag":true}"#;

fn event(uid: &str, title: &str, more: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART:20260402T100000Z\r\nDTEND:20260402T110000Z\r\nSUMMARY:{title}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn multistatus(responses: &str, token: &str) -> String {
    let token = match token {
        "" => String::new(),
        token => format!("<D:sync-token>{token}</D:sync-token>"),
    };
    format!(
        r#"<?xml version="1.0"?><D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/">{responses}{token}</D:multistatus>"#
    )
}

fn member(href: &str, etag: &str, data: &str) -> String {
    let data = match data {
        "" => String::new(),
        data => format!("<C:calendar-data>{data}</C:calendar-data>"),
    };
    format!(
        "<D:response><D:href>{href}</D:href><D:propstat><D:prop><D:getetag>{etag}</D:getetag>{data}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )
}

fn status(href: &str, line: &str) -> String {
    format!("<D:response><D:href>{href}</D:href><D:status>HTTP/1.1 {line}</D:status></D:response>")
}

fn ids(page: &Page) -> (Vec<&str>, Vec<&str>) {
    let (mut whole, mut gone) = (Vec::new(), Vec::new());
    for change in &page.changes {
        match change {
            Change::Whole(items) => whole.push(items[0].id.as_str()),
            Change::Gone(id) => gone.push(id.as_str()),
            Change::Part(_) => panic!("no parts here"),
        }
    }
    (whole, gone)
}

fn cursor(page: &Page) -> Vec<u8> {
    match &page.next {
        Next::Done(Some(cursor)) => cursor.clone(),
        next => panic!("{next:?}"),
    }
}

#[tokio::test]
async fn facts_33_a_sync_tells_changes_and_deletions_and_goes_on_after_507() {
    let script = Script::new()
        .answer(
            207,
            multistatus(
                &[
                    member("/cal/work/a%40b.ics", "&quot;1&quot;", ""),
                    status("/cal/work/gone.ics", "404 Not Found"),
                    status("/cal/work/", "507 Insufficient Storage"),
                ]
                .concat(),
                "t1",
            ),
        )
        .answer(
            207,
            multistatus(
                &member(
                    "https://api.example/cal/work/a@b.ics",
                    "&quot;1&quot;",
                    &event("a", "A", ""),
                ),
                "",
            ),
        )
        .answer(
            207,
            multistatus(&member("/cal/work/c.ics", "&quot;2&quot;", ""), "t2"),
        )
        .answer(
            207,
            multistatus(
                &member("/cal/work/c.ics", "&quot;2&quot;", &event("c", "C", "")),
                "",
            ),
        );
    let account = account(&script);
    let page = CalDav
        .changes(&account, &place(SYNC), From::Start)
        .await
        .unwrap();
    let (whole, gone) = ids(&page);
    assert_eq!(
        whole,
        [
            "https://api.example/cal/work/a%40b.ics",
            "https://api.example/cal/work/c.ics"
        ]
    );
    assert_eq!(gone, ["https://api.example/cal/work/gone.ics"]);
    assert_eq!(script.left(), 0);
    let asked = script.requests();
    assert!(
        String::from_utf8_lossy(asked[2].body()).contains("<D:sync-token>t1</D:sync-token>")
            || String::from_utf8_lossy(asked[2].body()).contains(">t1<")
    );
    // The next run asks from the last token.
    let again = Script::new().answer(207, multistatus("", "t3"));
    let account = super::super::testing::account(&again);
    let page = CalDav
        .changes(&account, &place(SYNC), From::Cursor(&cursor(&page)))
        .await
        .unwrap();
    assert!(page.changes.is_empty());
    assert!(String::from_utf8_lossy(again.requests()[0].body()).contains(">t2<"));
}

#[tokio::test]
async fn facts_33_a_refused_token_means_everything_anew() {
    let token = serde_json::to_vec(&serde_json::json!({"Token": "old"})).unwrap();
    let named = r#"<D:error xmlns:D="DAV:"><D:valid-sync-token/></D:error>"#;
    for (code, body) in [(403, named), (409, named), (400, ""), (410, "")] {
        let script = Script::new().answer(code, body);
        let fault = CalDav
            .changes(&account(&script), &place(SYNC), From::Cursor(&token))
            .await;
        assert_eq!(fault, Err(Fault::CursorGone), "{code}");
    }
    let script = Script::new().answer(500, "");
    let fault = CalDav
        .changes(&account(&script), &place(SYNC), From::Cursor(&token))
        .await;
    assert!(matches!(fault, Err(Fault::Transient(_))));
}

#[tokio::test]
async fn without_sync_tokens_tags_tell_and_an_unchanged_ctag_costs_one_request() {
    let ctag = |tag: &str| {
        multistatus(
            &format!(
                "<D:response><D:href>/cal/work/</D:href><D:propstat><D:prop><CS:getctag>{tag}</CS:getctag></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
            ),
            "",
        )
    };
    let list = |members: &[(&str, &str)]| {
        let all: String = members
            .iter()
            .map(|(href, tag)| member(href, tag, ""))
            .collect();
        multistatus(&all, "")
    };
    let extra = r#"{"ctag":true}"#;
    let script = Script::new()
        .answer(207, ctag("c1"))
        .answer(
            207,
            list(&[("/cal/work/a.ics", "1"), ("/cal/work/b.ics", "1")]),
        )
        .answer(
            207,
            multistatus(
                &[
                    member("/cal/work/a.ics", "1", &event("a", "A", "")),
                    member("/cal/work/b.ics", "1", &event("b", "B", "")),
                ]
                .concat(),
                "",
            ),
        );
    let page = CalDav
        .changes(&account(&script), &place(extra), From::Start)
        .await
        .unwrap();
    assert_eq!(ids(&page).0.len(), 2);
    let last = cursor(&page);

    let script = Script::new().answer(207, ctag("c1"));
    let page = CalDav
        .changes(&account(&script), &place(extra), From::Cursor(&last))
        .await
        .unwrap();
    assert!(page.changes.is_empty() && cursor(&page) == last);

    let script = Script::new()
        .answer(207, ctag("c2"))
        .answer(207, list(&[("/cal/work/b.ics", "2"), ("/cal/work/", "x")]))
        .answer(
            207,
            multistatus(&member("/cal/work/b.ics", "2", &event("b", "B2", "")), ""),
        );
    let page = CalDav
        .changes(&account(&script), &place(extra), From::Cursor(&last))
        .await
        .unwrap();
    assert_eq!(
        ids(&page),
        (
            vec!["https://api.example/cal/work/b.ics"],
            vec!["https://api.example/cal/work/a.ics"]
        )
    );
}

#[tokio::test]
async fn a_member_left_out_of_a_multiget_is_asked_for_before_it_is_taken_for_gone() {
    let script = Script::new()
        .answer(
            207,
            multistatus(
                &[
                    member("/cal/work/a.ics", "1", ""),
                    member("/cal/work/b.ics", "1", ""),
                ]
                .concat(),
                "t",
            ),
        )
        .answer(207, multistatus("", ""))
        .answer(200, event("a", "A", ""))
        .answer(404, "");
    let page = CalDav
        .changes(&account(&script), &place(SYNC), From::Start)
        .await
        .unwrap();
    assert_eq!(
        ids(&page),
        (
            vec!["https://api.example/cal/work/a.ics"],
            vec!["https://api.example/cal/work/b.ics"]
        )
    );
}

fn marker() -> Marker {
    Marker {
        instance: "i".into(),
        link: "1".into(),
        uid: "u".into(),
    }
}

fn put<'a>(text: &'a [u8], known: &'a [Item], marker: &'a Marker) -> Put<'a> {
    Put {
        key: "k1",
        marker,
        text,
        known,
        guests: GuestPolicy::Never,
        respond: None,
    }
}

fn known(text: &str, stamp: &str) -> Item {
    Item {
        id: format!("{HOME}x.ics"),
        series: None,
        stamp: stamp.into(),
        doc: text.to_string().into(),
    }
}

fn written(etag: &str) -> Response<Bytes> {
    let mut answer = Response::builder().status(201);
    if !etag.is_empty() {
        answer = answer.header("etag", etag);
    }
    answer.body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn a_create_is_guarded_named_by_its_key_and_marked() {
    let script = Script::new().response(written("\"e1\""));
    let (text, mark) = (event("u", "Tea", ""), marker());
    let placed = CalDav
        .put(
            &account(&script),
            &place(SYNC),
            put(text.as_bytes(), &[], &mark),
        )
        .await
        .unwrap();
    let sent = &script.requests()[0];
    assert_eq!(sent.uri().to_string(), format!("{HOME}k1.ics"));
    assert_eq!(sent.headers()["if-none-match"], "*");
    assert_eq!(placed.items[0].stamp, "\"e1\"");
    let Ok(Read::Event(reading)) = CalDav.read(&place(SYNC), "", &placed.items) else {
        panic!()
    };
    assert_eq!(reading.marker, Some(mark));
}

#[tokio::test]
async fn facts_12_a_create_whose_answer_was_lost_finds_itself_and_writes_nothing_twice() {
    let (text, mark) = (event("u", "Tea", ""), marker());
    let there = ical_doc::marked(text.as_bytes(), &mark);
    let script = Script::new()
        .answer(412, "")
        .answer(200, String::from_utf8(there).unwrap());
    let placed = CalDav
        .put(
            &account(&script),
            &place(SYNC),
            put(text.as_bytes(), &[], &mark),
        )
        .await
        .unwrap();
    assert_eq!(placed.items[0].id, format!("{HOME}k1.ics"));
    assert_eq!(script.requests().len(), 2);

    let script = Script::new()
        .answer(412, "")
        .answer(200, event("other", "X", ""));
    let taken = CalDav
        .put(
            &account(&script),
            &place(SYNC),
            put(text.as_bytes(), &[], &mark),
        )
        .await;
    assert_eq!(taken, Err(Fault::Duplicate(Some(format!("{HOME}k1.ics")))));

    let conflict = r#"<D:error xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><C:no-uid-conflict><D:href>/cal/work/y.ics</D:href></C:no-uid-conflict></D:error>"#;
    let script = Script::new().answer(409, conflict);
    let taken = CalDav
        .put(
            &account(&script),
            &place(SYNC),
            put(text.as_bytes(), &[], &mark),
        )
        .await;
    assert_eq!(taken, Err(Fault::Duplicate(Some(format!("{HOME}y.ics")))));
}

#[tokio::test]
async fn facts_32_a_put_without_an_entity_tag_is_read_back() {
    let (text, mark) = (event("u", "Tea", ""), marker());
    let rewritten = event("u", "Tea", "X-SERVER:1\r\n");
    let get = Response::builder()
        .status(200)
        .header("etag", "\"e2\"")
        .body(Bytes::from(rewritten.clone()));
    let script = Script::new().response(written("")).response(get.unwrap());
    let before = known(&event("u", "Coffee", ""), "\"e1\"");
    let placed = CalDav
        .put(
            &account(&script),
            &place(SYNC),
            put(text.as_bytes(), &[before], &mark),
        )
        .await
        .unwrap();
    assert_eq!(
        (placed.items[0].stamp.as_str(), &placed.items[0].doc[..]),
        ("\"e2\"", rewritten.as_bytes())
    );
    let sent = &script.requests()[0];
    assert_eq!(sent.headers()["if-match"], "\"e1\"");
    assert!(
        !String::from_utf8_lossy(sent.body()).contains(super::super::MIRROR),
        "theirs stays theirs"
    );
}

#[tokio::test]
async fn what_is_so_already_is_not_written_and_412_is_stale() {
    let (text, mark) = (event("u", "Tea", ""), marker());
    let before = [known(&text, "\"e1\"")];
    let script = Script::new();
    CalDav
        .put(
            &account(&script),
            &place(SYNC),
            put(text.as_bytes(), &before, &mark),
        )
        .await
        .unwrap();
    assert!(script.requests().is_empty());

    let other = event("u", "Coffee", "");
    for (code, fault) in [
        (412, Fault::Stale),
        (429, Fault::Throttled(None)),
        (404, Fault::NotFound),
    ] {
        let script = Script::new().answer(code, "");
        let found = CalDav
            .put(
                &account(&script),
                &place(SYNC),
                put(other.as_bytes(), &before, &mark),
            )
            .await;
        assert_eq!(found, Err(fault));
        let script = Script::new().answer(code, "");
        let gone = CalDav
            .delete(&account(&script), &place(SYNC), &before, GuestPolicy::Never)
            .await;
        assert_eq!(gone.is_ok(), code == 404);
    }
}

#[tokio::test]
async fn facts_26_guests_stay_as_they_are_there_and_a_server_that_mails_is_not_written_to() {
    let guests = "ORGANIZER:mailto:me@example.com\r\nATTENDEE:mailto:you@example.org\r\n";
    let before = [known(&event("u", "Tea", guests), "\"e1\"")];
    let (text, mark) = (event("u", "Coffee", ""), marker());
    let script = Script::new().response(written("\"e2\""));
    CalDav
        .put(
            &account(&script),
            &place(SYNC),
            put(text.as_bytes(), &before, &mark),
        )
        .await
        .unwrap();
    assert!(
        String::from_utf8_lossy(script.requests()[0].body())
            .contains("ATTENDEE:mailto:you@example.org")
    );

    let mails = r#"{"sync":true,"schedules":true}"#;
    let script = Script::new();
    let refused = CalDav
        .put(
            &account(&script),
            &place(mails),
            put(text.as_bytes(), &before, &mark),
        )
        .await;
    assert!(
        matches!(refused, Err(Fault::Refused(Refusal { code: "guests", .. }))),
        "{refused:?}"
    );
    assert!(
        CalDav
            .delete(
                &account(&script),
                &place(mails),
                &before,
                GuestPolicy::Never
            )
            .await
            .is_err()
    );
    assert_eq!(script.requests().len(), 0);

    // … unless the link sends.
    let script = Script::new().answer(204, "");
    CalDav
        .delete(&account(&script), &place(mails), &before, GuestPolicy::Send)
        .await
        .unwrap();
    let headers = script.requests()[0].headers().clone();
    assert!(!headers.contains_key("schedule-reply") && headers["if-match"] == "\"e1\"");
}

#[tokio::test]
async fn facts_32_discovery_follows_the_account_to_its_own_host_and_passwords_stay_near() {
    let principal = r#"<D:response><D:href>/</D:href><D:propstat><D:prop><D:current-user-principal><D:href>/17/principal/</D:href></D:current-user-principal></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"#;
    let home = |host: &str| {
        format!(
            "<D:response><D:href>/17/principal/</D:href><D:propstat><D:prop><C:calendar-home-set><D:href>{host}/17/calendars/</D:href></C:calendar-home-set></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
        )
    };
    let calendars = r#"<D:response><D:href>/17/calendars/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>
        <D:response><D:href>/17/calendars/home/</D:href><D:propstat><D:prop><D:displayname>Home</D:displayname><D:resourcetype><D:collection/><C:calendar/></D:resourcetype>
          <A:calendar-color xmlns:A="http://apple.com/ns/ical/">#1BADF8FF</A:calendar-color><CS:getctag>1</CS:getctag>
          <C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>
          <D:current-user-privilege-set><D:privilege><D:read/></D:privilege></D:current-user-privilege-set>
          <D:supported-report-set><D:supported-report><D:report><D:sync-collection/></D:report></D:supported-report></D:supported-report-set>
        </D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>
        <D:response><D:href>/17/calendars/tasks/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/><C:calendar/></D:resourcetype>
          <C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"#;
    let moved = Response::builder()
        .status(301)
        .header("location", "https://caldav.api.example.com/")
        .body(Bytes::new());
    let options = Response::builder()
        .status(200)
        .header("dav", "1, calendar-access, calendar-auto-schedule")
        .body(Bytes::new());
    let script = Script::new()
        .response(moved.unwrap())
        .answer(207, multistatus(principal, ""))
        .answer(
            207,
            multistatus(&home("https://p12.api.example.com:443"), ""),
        )
        .response(options.unwrap())
        .answer(207, multistatus(calendars, ""));
    let mut near = account(&script);
    near.endpoints = std::sync::Arc::new(super::super::Endpoints {
        api: "https://cal.api.example.com/".into(),
        ..Default::default()
    });
    let listed = CalDav.calendars(&near).await.unwrap();
    assert_eq!(listed.len(), 1, "{listed:?}");
    let home_calendar = &listed[0];
    assert_eq!(
        home_calendar.remote_id,
        "https://p12.api.example.com/17/calendars/home/"
    );
    assert_eq!(
        (
            home_calendar.name.as_str(),
            home_calendar.color.as_str(),
            home_calendar.writable
        ),
        ("Home", "#1BADF8", false)
    );
    assert_eq!(
        serde_json::from_str::<Skills>(&home_calendar.extra).unwrap(),
        Skills {
            sync: true,
            ctag: true,
            schedules: true
        }
    );

    for (known, to, may) in [
        ("caldav.icloud.com", "p12-caldav.icloud.com", true),
        ("cal.example.org", "cal.example.org", true),
        ("cal.example.org", "evil.test", false),
        ("example.org", "other.org", false),
        ("a.co.uk", "b.co.uk", false),
        ("192.168.1.5", "192.168.1.5", true),
        ("192.168.1.5", "10.168.1.5", false),
        ("[::1]", "[::1]", true),
        ("caldav.icloud.com", "icloud.com.evil.test", false),
    ] {
        assert_eq!(discovery::beside(known, to), may, "{known} {to}");
    }
}

#[test]
fn free_busy_answers_are_read_in_both_forms() {
    let body = "BEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\nFREEBUSY:20260402T100000Z/20260402T110000Z,20260402T120000Z/PT30M\r\n\
                FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260403T100000Z/PT1H\r\nFREEBUSY;FBTYPE=FREE:20260404T100000Z/PT1H\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n";
    let busy = busy_of(body.as_bytes()).unwrap();
    assert_eq!(
        busy.iter()
            .map(|one| one.end - one.start)
            .collect::<Vec<_>>(),
        [3600, 1800, 3600]
    );
    assert_eq!(busy.iter().filter(|one| one.tentative).count(), 1);
    assert!(busy_of(b"<html>").is_err());
}

#[tokio::test]
async fn a_taken_uid_is_looked_for_where_the_server_does_not_say_by_whom() {
    let (text, mark) = (event("u", "Tea", ""), marker());
    let create = async |script: &Script| {
        let account = account(script);
        let put = put(text.as_bytes(), &[], &mark);
        CalDav.put(&account, &place(SYNC), put).await
    };
    let conflict = r#"<D:error xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:s="http://sabredav.org/ns">
        <s:message>no</s:message><C:no-uid-conflict/><D:responsedescription>UID already in use.</D:responsedescription></D:error>"#;
    let found = [
        member("/cal/work/other.ics", "1", &event("u2", "X", "")),
        member("/cal/work/a%40b.ics", "2", &event("u", "Y", "")),
    ];
    // Radicale says 409 and not where, Xandikos 412, Nextcloud 400 and nothing else.
    for (status, body) in [(409, conflict), (412, conflict), (400, "")] {
        let script = Script::new()
            .answer(status, body)
            .answer(207, multistatus(&found.concat(), ""));
        let taken = create(&script).await;
        let holder = "https://api.example/cal/work/a%40b.ics";
        assert_eq!(
            taken,
            Err(Fault::Duplicate(Some(holder.into()))),
            "{status}"
        );
        let asked = script.requests()[1].body().clone();
        let asked = String::from_utf8_lossy(&asked);
        assert!(asked.contains(">u</C:text-match>"), "{asked}");
    }
    for (status, body, code) in [
        (409, conflict, "uid"),
        (400, "", "refused"),
        (413, "", "too-large"),
    ] {
        let script = Script::new()
            .answer(status, body)
            .answer(207, multistatus(&found[0], ""));
        match create(&script).await {
            Err(Fault::Refused(refusal)) => assert_eq!(refusal.code, code),
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn under_a_weak_tag_or_none_it_is_looked_before_it_is_written() {
    let (text, mark) = (event("u", "Coffee", ""), marker());
    let there = |etag: &str, title: &str| {
        let answer = Response::builder().status(200).header("etag", etag);
        answer.body(Bytes::from(event("u", title, ""))).unwrap()
    };
    // (known stamp, stamp and title there, whether it may be written)
    for (stamp, now, title, fine) in [
        ("W/\"1\"", "W/\"1\"", "Tea", true),
        ("W/\"1\"", "W/\"2\"", "Rum", false),
        ("", "W/\"2\"", "Tea", true),
        ("", "W/\"2\"", "Rum", false),
    ] {
        let before = [known(&event("u", "Tea", ""), stamp)];
        let mut script = Script::new().response(there(now, title));
        if fine {
            script = script.response(written("\"9\""));
        }
        let put = put(text.as_bytes(), &before, &mark);
        let done = CalDav.put(&account(&script), &place(SYNC), put).await;
        assert_eq!(done.is_ok(), fine, "{stamp} {now}");
        assert!(fine || done == Err(Fault::Stale));
        assert!(
            !script
                .requests()
                .iter()
                .any(|one| one.headers().contains_key("if-match"))
        );
    }
    // What is gone meanwhile needs no deletion.
    let script = Script::new().answer(404, "");
    let before = [known(&event("u", "Tea", ""), "W/\"1\"")];
    let gone = CalDav
        .delete(&account(&script), &place(SYNC), &before, GuestPolicy::Never)
        .await;
    assert_eq!(gone, Ok(()));
    assert_eq!(script.requests()[0].method(), "GET");
}

fn moved(to: &str) -> Response<Bytes> {
    let answer = Response::builder().status(301).header("location", to);
    answer.body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn an_account_that_moved_to_another_host_is_followed_there_but_writes_are_not_guessed() {
    let script = Script::new()
        .response(moved("https://p2.api.example/cal/work/"))
        .answer(207, multistatus("", "t9"));
    let mut near = account(&script);
    near.endpoints = std::sync::Arc::new(super::super::Endpoints {
        api: "https://p1.api.example/".into(),
        ..Default::default()
    });
    let mut at = place(SYNC);
    at.remote_id = "https://p1.api.example/cal/work/".into();
    let page = CalDav.changes(&near, &at, From::Start).await.unwrap();
    assert!(page.changes.is_empty());
    let hosts: Vec<String> = script
        .requests()
        .iter()
        .map(|one| format!("{} {}", one.method(), one.uri().host().unwrap()))
        .collect();
    assert_eq!(hosts, ["REPORT p1.api.example", "REPORT p2.api.example"]);

    let script = Script::new().response(moved("https://api.example/login"));
    let (text, mark) = (event("u", "Tea", ""), marker());
    let before = [known(&event("u", "Coffee", ""), "\"1\"")];
    let put = put(text.as_bytes(), &before, &mark);
    let done = CalDav.put(&account(&script), &place(SYNC), put).await;
    assert!(matches!(done, Err(Fault::Refused(_))), "{done:?}");
}

#[tokio::test]
async fn an_account_is_named_by_its_mail_address_where_the_server_tells_it() {
    let found = |name: &str, inner: &str| {
        let prop =
            format!("<C:{name} xmlns:C=\"urn:ietf:params:xml:ns:caldav\">{inner}</C:{name}>");
        let prop = prop.replace("C:current", "D:current");
        multistatus(
            &format!(
                "<D:response><D:href>/</D:href><D:propstat><D:prop>{prop}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
            ),
            "",
        )
    };
    let principal = found("current-user-principal", "<D:href>/p/</D:href>");
    let addresses = "<D:href>/p/</D:href><D:href>mailto:old@example.org</D:href><D:href preferred=\"1\">MAILTO:ann@example.org</D:href>";
    let script = Script::new()
        .answer(207, principal.clone())
        .answer(207, found("calendar-user-address-set", addresses));
    let who = CalDav.identity(&account(&script)).await.unwrap();
    assert_eq!(
        (who.account.as_str(), who.label.as_str()),
        ("https://api.example/p/", "ann@example.org")
    );
    let script = Script::new().answer(207, principal).answer(404, "");
    let who = CalDav.identity(&account(&script)).await.unwrap();
    assert_eq!(
        who.label, "https://api.example/p/",
        "no user name in this account"
    );
}

#[tokio::test]
async fn an_event_with_guests_is_left_alone_where_it_is_not_known_whose_it_is() {
    let guests = "ORGANIZER:mailto:me@example.com\r\nATTENDEE:mailto:you@example.org\r\n";
    let before = [known(&event("u", "Tea", guests), "\"e1\"")];
    let (text, mark) = (event("u", "Coffee", ""), marker());
    let mails = place(r#"{"sync":true,"schedules":true}"#);
    let script = Script::new();
    let mut nameless = account(&script);
    nameless.label = "user17".into();
    let done = CalDav
        .put(&nameless, &mails, put(text.as_bytes(), &before, &mark))
        .await;
    assert!(matches!(
        done,
        Err(Fault::Refused(Refusal { code: "guests", .. }))
    ));
}

#[tokio::test]
async fn lines_end_in_crlf_again_after_xml_made_them_lf() {
    let lf = event("u", "Tea", "DESCRIPTION:a\r\n b\r\n").replace("\r\n", "\n");
    let script = Script::new()
        .answer(207, multistatus(&member("/cal/work/a.ics", "1", ""), "t"))
        .answer(207, multistatus(&member("/cal/work/a.ics", "1", &lf), ""));
    let account = account(&script);
    let page = CalDav
        .changes(&account, &place(SYNC), From::Start)
        .await
        .unwrap();
    let [Change::Whole(items)] = &page.changes[..] else {
        panic!("{page:?}")
    };
    let crlf = event("u", "Tea", "DESCRIPTION:a\r\n b\r\n");
    assert_eq!(items[0].doc, crlf, "as a GET or our own write has it");
    let Ok(Read::Event(reading)) = CalDav.read(&place(SYNC), "", &[known(&lf, "1")]) else {
        panic!()
    };
    assert_eq!(String::from_utf8(reading.text).unwrap(), crlf);
}
