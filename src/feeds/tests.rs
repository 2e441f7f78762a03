//! Feeds and free/busy as fetchers see them: real router, real store, no sockets.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use secrecy::ExposeSecret;
use tower::ServiceExt;

use crate::app::feeds::{self, New, Privacy};
use crate::app::testing::World;
use crate::app::{App, calendars};
use crate::model::access::Scopes;
use crate::model::{Door, Guard, Origin, Privileges, Who};
use crate::objects::{self, Draft};
use crate::store;
use crate::wire::Peer;

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

async fn ask(app: &App, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .extension(Peer::LOCAL);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reply = super::routes(app.clone())
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = reply.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

async fn get(app: &App, path: &str) -> Answer {
    ask(app, Method::GET, path, &[]).await
}

async fn who(world: &World, name: &str) -> Who {
    let id = world
        .store
        .read(|tx| Box::pin(store::principals::find(tx, name)))
        .await
        .unwrap()
        .unwrap()
        .id;
    Who {
        id,
        name: name.into(),
        admin: false,
        scopes: Scopes::ALL,
    }
}

async fn put(world: &World, who: &Who, name: &str, lines: &str) {
    let cal = calendars::to_write(&world.app, who, "calendar", Privileges::WRITE)
        .await
        .unwrap();
    let body = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t\r\nBEGIN:VEVENT\r\nUID:{name}@private\r\nDTSTAMP:20270101T000000Z\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    let draft = Draft {
        name: format!("{name}.ics"),
        body: body.into(),
    };
    let origin = Origin {
        who: who.id,
        door: Door::Caldav,
    };
    objects::put(&world.door(), &cal, draft, &Guard::default(), origin)
        .await
        .unwrap();
}

async fn feed(
    world: &World,
    who: &Who,
    privacy: Privacy,
    window: (Option<i64>, Option<i64>),
) -> feeds::Shown {
    let new = New {
        calendars: vec!["calendar".into()],
        privacy,
        comment: "for my aunt".into(),
        past_days: window.0,
        future_days: window.1,
        expires: None,
    };
    feeds::create(&world.app, who, new).await.unwrap()
}

fn path(feed: &feeds::Shown, kind: &str) -> String {
    format!("/feeds/{}.{kind}", feed.secret.expose_secret())
}

/// 2027-01-15 is today; one event then, one a year before.
async fn world_with_events() -> (World, Who) {
    let world = World::new().await;
    world.user("anna").await;
    let anna = who(&world, "anna").await;
    put(&world, &anna, "today", "DTSTART:20270115T100000Z\r\nDTEND:20270115T110000Z\r\nSUMMARY:Dentist\r\nLOCATION:Secret street\r\n").await;
    put(
        &world,
        &anna,
        "past",
        "DTSTART:20260115T100000Z\r\nDTEND:20260115T110000Z\r\nSUMMARY:Old\r\n",
    )
    .await;
    put(
        &world,
        &anna,
        "float",
        "DTSTART:20270116T100000\r\nDTEND:20270116T110000\r\nSUMMARY:Float\r\nCLASS:PRIVATE\r\n",
    )
    .await;
    (world, anna)
}

#[tokio::test]
async fn a_feed_is_fetched_once_and_then_revalidated() {
    let (world, anna) = world_with_events().await;
    let feed = feed(&world, &anna, Privacy::Full, (None, None)).await;
    let path = path(&feed, "ics");
    let first = get(&world, &path).await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(
        first.header(header::CONTENT_TYPE),
        "text/calendar; charset=utf-8"
    );
    assert_eq!(first.text().matches("BEGIN:VEVENT").count(), 3);
    assert!(
        first.text().contains("DTSTART:20270116T100000Z\r\n"),
        "floating times get the calendar's zone"
    );
    assert!(!first.text().contains("aunt") && first.text().contains("METHOD:PUBLISH"));
    let etag = first.header(header::ETAG).to_string();
    let again = ask(&world, Method::GET, &path, &[("if-none-match", &etag)]).await;
    assert_eq!(
        (again.status, again.body.len()),
        (StatusCode::NOT_MODIFIED, 0)
    );
    assert_eq!(again.header(header::ETAG), etag);
    let modified = first.header(header::LAST_MODIFIED).to_string();
    let since = ask(
        &world,
        Method::GET,
        &path,
        &[("if-modified-since", &modified)],
    )
    .await;
    assert_eq!(since.status, StatusCode::NOT_MODIFIED);
    world.clock.advance(5);
    put(
        &world,
        &anna,
        "new",
        "DTSTART:20270117T100000Z\r\nSUMMARY:New\r\n",
    )
    .await;
    for condition in [
        ("if-none-match", etag.as_str()),
        ("if-modified-since", modified.as_str()),
    ] {
        let changed = ask(&world, Method::GET, &path, &[condition]).await;
        assert_eq!(changed.status, StatusCode::OK, "{condition:?}");
        assert!(changed.text().contains("SUMMARY:New") && changed.header(header::ETAG) != etag);
    }
}

#[tokio::test]
async fn head_and_gzip_are_as_rfc_9110_has_them() {
    let (world, anna) = world_with_events().await;
    let feed = feed(&world, &anna, Privacy::Full, (None, None)).await;
    let path = path(&feed, "ics");
    let get = ask(&world, Method::GET, &path, &[("accept-encoding", "gzip")]).await;
    let plain = ask(
        &world,
        Method::GET,
        &path,
        &[
            ("accept-encoding", "gzip"),
            ("user-agent", "Microsoft Exchange/15"),
        ],
    )
    .await;
    let head = ask(&world, Method::HEAD, &path, &[]).await;
    assert_eq!(plain.header(header::CONTENT_ENCODING), "");
    if plain.body.len() >= 1024 {
        assert_eq!(get.header(header::CONTENT_ENCODING), "gzip");
        assert_ne!(get.header(header::ETAG), plain.header(header::ETAG));
    }
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    for name in [
        header::ETAG,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::LAST_MODIFIED,
    ] {
        assert_eq!(head.header(name.clone()), plain.header(name));
    }
    assert_eq!(
        ask(&world, Method::PUT, &path, &[]).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn privacy_levels_tell_what_they_allow() {
    let (world, anna) = world_with_events().await;
    for (privacy, shown, hidden) in [
        (
            Privacy::Full,
            &["Dentist", "Secret street", "Float"][..],
            &[][..],
        ),
        (
            Privacy::Titles,
            &["Dentist", "Old", "SUMMARY:Busy"],
            &["Secret street", "Float", "float@private"],
        ),
        (
            Privacy::Busy,
            &["SUMMARY:Busy"],
            &["Dentist", "Secret", "Old", "Float", "@private"],
        ),
    ] {
        let feed = feed(&world, &anna, privacy, (None, None)).await;
        let answer = get(&world, &path(&feed, "ics")).await;
        for text in shown {
            assert!(
                answer.text().contains(text),
                "{privacy:?} {text}: {}",
                answer.text()
            );
        }
        for text in hidden {
            assert!(
                !answer.text().contains(text),
                "{privacy:?} {text}: {}",
                answer.text()
            );
        }
    }
}

#[tokio::test]
async fn a_window_moves_with_the_day() {
    let (world, anna) = world_with_events().await;
    let feed = feed(&world, &anna, Privacy::Titles, (Some(7), Some(0))).await;
    let path = path(&feed, "ics");
    let today = get(&world, &path).await;
    assert!(
        today.text().contains("Dentist")
            && !today.text().contains("Old")
            && !today.text().contains("Busy")
    );
    world.clock.advance(86_400);
    let tomorrow = get(&world, &path).await;
    assert!(tomorrow.text().contains("Dentist") && tomorrow.text().contains("Busy"));
    assert_ne!(today.header(header::ETAG), tomorrow.header(header::ETAG));
    world.clock.advance(30 * 86_400);
    assert!(!get(&world, &path).await.text().contains("Dentist"));
}

#[tokio::test]
async fn the_other_forms_of_a_feed() {
    let (world, anna) = world_with_events().await;
    let feed = feed(&world, &anna, Privacy::Titles, (None, None)).await;
    let ifb = get(&world, &path(&feed, "ifb")).await;
    assert!(
        ifb.text()
            .contains("FREEBUSY;FBTYPE=BUSY:20270115T100000Z/PT1H\r\n"),
        "{}",
        ifb.text()
    );
    let json: serde_json::Value =
        serde_json::from_slice(&get(&world, &path(&feed, "json")).await.body).unwrap();
    assert_eq!(
        json["busy"][0],
        serde_json::json!({"start": "2027-01-15T10:00:00Z", "end": "2027-01-15T11:00:00Z", "type": "busy"})
    );
    assert_eq!(json["unknown"], false);
    assert_eq!(
        (&json["events"][0]["title"], &json["events"][1]["title"]),
        (&"Dentist".into(), &"Busy".into())
    );
    let profile = get(&world, &path(&feed, "mobileconfig")).await;
    assert_eq!(
        profile.header(header::CONTENT_TYPE),
        "application/x-apple-aspen-config"
    );
    assert!(profile.text().contains("SubCalAccountHostName"));
}

#[tokio::test]
async fn unknown_revoked_and_expired_addresses_are_the_same() {
    let (world, anna) = world_with_events().await;
    let revoked = feed(&world, &anna, Privacy::Full, (None, None)).await;
    assert_eq!(
        get(&world, &path(&revoked, "ics")).await.status,
        StatusCode::OK
    );
    feeds::revoke(&world.app, &anna, revoked.feed.id)
        .await
        .unwrap();
    let new = New {
        calendars: vec!["calendar".into()],
        privacy: Privacy::Busy,
        comment: String::new(),
        past_days: None,
        future_days: None,
        expires: Some(world.clock.now() + 10),
    };
    let expiring = feeds::create(&world.app, &anna, new).await.unwrap();
    assert_eq!(
        get(&world, &path(&expiring, "ics")).await.status,
        StatusCode::OK
    );
    world.clock.advance(10);
    let unknown = "/feeds/abcdefghijklmnopqrstuvwxyz234567.ics".to_string();
    for path in [
        path(&revoked, "ics"),
        path(&expiring, "ics"),
        unknown,
        "/feeds/x.ics".into(),
        "/feeds/x".into(),
    ] {
        let answer = get(&world, &path).await;
        assert_eq!(
            (answer.status, answer.text()),
            (StatusCode::NOT_FOUND, "there is nothing at this address\n")
        );
        assert_eq!(
            answer.header(header::CONTENT_TYPE),
            "text/plain; charset=utf-8"
        );
    }
    let listed = feeds::list(&world.app, &anna).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        listed[0].secret.expose_secret(),
        expiring.secret.expose_secret()
    );
}

#[tokio::test]
async fn the_last_fetch_is_noted_once_a_minute() {
    let (world, anna) = world_with_events().await;
    let feed = feed(&world, &anna, Privacy::Busy, (None, None)).await;
    let path = path(&feed, "ics");
    for (wait, agent, noted) in [
        (0, "First", "First"),
        (30, "Second", "First"),
        (31, "Third", "Third"),
    ] {
        world.clock.advance(wait);
        ask(&world, Method::GET, &path, &[("user-agent", agent)]).await;
        let mut last = None;
        for _ in 0..200 {
            last = feeds::list(&world.app, &anna).await.unwrap()[0]
                .feed
                .last_agent
                .clone();
            if last.as_deref() == Some(noted) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(last.as_deref(), Some(noted), "{agent}");
    }
}

#[tokio::test]
async fn free_busy_is_for_those_who_may_see_it() {
    let (world, anna) = world_with_events().await;
    world.user("bob").await;
    let (as_anna, as_bob) = (world.basic("anna").await, world.basic("bob").await);
    let path = "/freebusy/anna?start=2027-01-15T00:00:00Z&end=2027-01-18T00:00:00Z";
    let nobody = get(&world, path).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    assert!(nobody.header(header::WWW_AUTHENTICATE).starts_with("Basic"));
    let own = ask(&world, Method::GET, path, &[("authorization", &as_anna)]).await;
    assert_eq!(own.text().matches("FREEBUSY;").count(), 2, "{}", own.text());
    assert!(own.text().contains("ORGANIZER"));
    let stranger = ask(&world, Method::GET, path, &[("authorization", &as_bob)]).await;
    assert_eq!(stranger.status, StatusCode::NOT_FOUND);
    let bob = who(&world, "bob").await.id;
    let id = calendars::find(&world.app, &anna, "anna", "calendar")
        .await
        .unwrap()
        .calendar
        .id;
    let now = world.clock.now();
    world
        .store
        .write(move |tx| Box::pin(store::calendars::set_grant(tx, id, bob, 1, now)))
        .await
        .unwrap();
    let friend = ask(
        &world,
        Method::GET,
        path,
        &[("authorization", &as_bob), ("accept", "application/json")],
    )
    .await;
    let json: serde_json::Value = serde_json::from_slice(&friend.body).unwrap();
    assert_eq!(json["busy"].as_array().unwrap().len(), 2);
    assert!(!friend.text().contains("Dentist") && json["sources"][0].get("name").is_none());
    for path in ["/freebusy/anna.ifb", "/freebusy/anna.vfb"] {
        let answer = ask(&world, Method::GET, path, &[("authorization", &as_anna)]).await;
        assert!(answer.text().contains("BEGIN:VFREEBUSY"), "{path}");
    }
    let wrong = ask(
        &world,
        Method::GET,
        "/freebusy/anna?start=x",
        &[("authorization", &as_anna)],
    )
    .await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn calendars_that_do_not_count_and_events_that_take_no_time_are_free() {
    let (world, anna) = world_with_events().await;
    put(
        &world,
        &anna,
        "free",
        "DTSTART:20270117T100000Z\r\nDTEND:20270117T110000Z\r\nTRANSP:TRANSPARENT\r\n",
    )
    .await;
    put(
        &world,
        &anna,
        "maybe",
        "DTSTART:20270117T120000Z\r\nDTEND:20270117T130000Z\r\nSTATUS:TENTATIVE\r\n",
    )
    .await;
    put(
        &world,
        &anna,
        "endless",
        "DTSTART:20000101T060000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=YEARLY\r\n",
    )
    .await;
    let basic = world.basic("anna").await;
    let path = "/freebusy/anna?start=2027-01-17&end=2027-01-18";
    let answer = ask(&world, Method::GET, path, &[("authorization", &basic)]).await;
    assert_eq!(
        answer.text().matches("FREEBUSY;").count(),
        1,
        "{}",
        answer.text()
    );
    assert!(
        answer
            .text()
            .contains("FREEBUSY;FBTYPE=BUSY-TENTATIVE:20270117T120000Z/PT1H")
    );
    let far = ask(
        &world,
        Method::GET,
        "/freebusy/anna?start=2050-01-01&end=2050-01-02",
        &[("authorization", &basic)],
    )
    .await;
    assert!(
        far.text()
            .contains("FREEBUSY;FBTYPE=BUSY:20500101T060000Z/PT1H"),
        "{}",
        far.text()
    );
    let bound = calendars::find(&world.app, &anna, "anna", "calendar")
        .await
        .unwrap();
    let changes = calendars::Changes {
        transparent: Some(true),
        ..Default::default()
    };
    calendars::update(&world.app, &anna, &bound, changes)
        .await
        .unwrap();
    let answer = ask(&world, Method::GET, path, &[("authorization", &basic)]).await;
    assert!(!answer.text().contains("FREEBUSY;"), "{}", answer.text());
}

/// The body after a change is made of the one before; it must be the one that is made from nothing.
#[tokio::test]
async fn a_feed_that_goes_on_is_the_same_as_one_that_begins() {
    let (world, anna) = world_with_events().await;
    let other = world.second().await;
    let zones = ["Europe/Berlin", "Asia/Tokyo", "America/New_York"];
    let windows = [(None, None), (Some(1), Some(4)), (None, Some(2))];
    for (privacy, window) in Privacy::ALL
        .into_iter()
        .flat_map(|privacy| windows.map(|window| (privacy, window)))
    {
        let feed = feed(&world, &anna, privacy, window).await;
        let path = path(&feed, "ics");
        let router = super::routes(world.app.clone());
        for step in 0..12usize {
            let name = ["b", "today", "a", "z", "float"][step % 5];
            if step % 4 == 3 {
                remove(&world, &anna, name).await;
            } else {
                let (zone, day) = (zones[step % 3], 10 + step);
                let rule =
                    ["", "RRULE:FREQ=DAILY;COUNT=9\r\n", "RRULE:FREQ=YEARLY\r\n"][step / 2 % 3];
                let start = match step % 6 {
                    5 => format!("DTSTART:202701{day}T230000"),
                    _ => format!("DTSTART;TZID={zone}:202701{day}T090000"),
                };
                let lines = format!("{start}\r\nSUMMARY:{step}\r\n{rule}");
                put(&world, &anna, name, &lines).await;
            }
            let request = Request::builder()
                .uri(&path)
                .extension(Peer::LOCAL)
                .body(Body::empty())
                .unwrap();
            let reply = router.clone().oneshot(request).await.unwrap();
            let tag = reply.headers()[header::ETAG].clone();
            let went_on = reply.into_body().collect().await.unwrap().to_bytes();
            let begun = get(&other, &path).await;
            assert_eq!(
                String::from_utf8_lossy(&went_on),
                begun.text(),
                "{privacy:?} {window:?} {step}"
            );
            assert_eq!(tag, begun.header(header::ETAG));
        }
    }
}

async fn remove(world: &World, who: &Who, name: &str) {
    let cal = calendars::to_write(&world.app, who, "calendar", Privileges::WRITE)
        .await
        .unwrap();
    let origin = Origin {
        who: who.id,
        door: Door::Caldav,
    };
    let gone = objects::remove(
        &world.door(),
        &cal,
        &format!("{name}.ics"),
        &Guard::default(),
        origin,
    )
    .await;
    assert!(
        matches!(gone, Ok(()) | Err(crate::model::Error::NotFound)),
        "{gone:?}"
    );
}

/// RFC 7953 §5, §7.2.3: outside of what is available the time is taken, and events inside still are.
#[tokio::test]
async fn availability_is_aggregated() {
    let (world, anna) = world_with_events().await;
    let mut new = calendars::New::named("hours");
    new.components = crate::model::ComponentSet::parse("VAVAILABILITY");
    calendars::create(&world.app, &anna, "anna", new)
        .await
        .unwrap();
    let cal = calendars::to_write(&world.app, &anna, "hours", Privileges::WRITE)
        .await
        .unwrap();
    let body = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t\r\nBEGIN:VAVAILABILITY\r\nUID:hours\r\nDTSTAMP:20270101T000000Z\r\n\
        BEGIN:AVAILABLE\r\nUID:day\r\nDTSTAMP:20270101T000000Z\r\nDTSTART:20270104T090000Z\r\nDTEND:20270104T170000Z\r\nRRULE:FREQ=DAILY\r\n\
        END:AVAILABLE\r\nEND:VAVAILABILITY\r\nEND:VCALENDAR\r\n";
    let draft = Draft {
        name: "hours.ics".into(),
        body: body.into(),
    };
    let origin = Origin {
        who: anna.id,
        door: Door::Caldav,
    };
    objects::put(&world.door(), &cal, draft, &Guard::default(), origin)
        .await
        .unwrap();
    let basic = world.basic("anna").await;
    let path = "/freebusy/anna?start=2027-01-15&end=2027-01-16";
    let answer = ask(&world, Method::GET, path, &[("authorization", &basic)]).await;
    let periods: Vec<_> = answer
        .text()
        .lines()
        .filter(|line| line.starts_with("FREEBUSY"))
        .collect();
    let expected = [
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20270115T000000Z/PT9H",
        "FREEBUSY;FBTYPE=BUSY:20270115T100000Z/PT1H",
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20270115T170000Z/PT7H",
    ];
    assert_eq!(periods, expected);
}
