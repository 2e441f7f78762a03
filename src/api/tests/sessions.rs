//! Sessions: made, changed, listed, and seen by calendar clients.

use super::*;

#[tokio::test]
async fn a_session_is_made_read_changed_and_removed() {
    let client = Client::new().await;
    let answer = client.post("/api/v1/sessions", simple()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.header(header::LOCATION), "/api/v1/sessions/s1");
    let made = answer.json();
    assert_eq!(
        (&made["calendar"], &made["status"], &made["timezone"]),
        (&json!("sessions"), &json!("scheduled"), &json!("UTC"))
    );
    assert_eq!(
        (&made["sequence"], &made["calendar_synced"]),
        (&json!(0), &json!({}))
    );
    assert_eq!(made["href"], "/dav/calendars/anna/sessions/s1.ics");
    let etag = answer.header(header::ETAG).to_string();
    let got = client.get("/api/v1/sessions/s1").await;
    assert_eq!(
        (got.json(), got.header(header::ETAG)),
        (made, etag.as_str())
    );
    let unchanged = client
        .send(
            "GET",
            "/api/v1/sessions/s1",
            &[("if-none-match", &etag)],
            Body::empty(),
        )
        .await;
    assert_eq!(
        (unchanged.status, unchanged.body.len()),
        (StatusCode::NOT_MODIFIED, 0)
    );
    let changed = client
        .patch(
            "/api/v1/sessions/s1",
            json!({"status": "completed", "start": "2027-02-01T08:30:00Z"}),
        )
        .await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.json());
    assert_eq!(
        (&changed.json()["status"], &changed.json()["sequence"]),
        (&json!("completed"), &json!(1))
    );
    assert_eq!(changed.json()["title"], "Coaching");
    assert_eq!(
        client.delete("/api/v1/sessions/s1").await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        client.get("/api/v1/sessions/s1").await.status,
        StatusCode::NOT_FOUND
    );
    client.made(simple()).await;
}

#[tokio::test]
async fn a_change_touches_only_its_own_lines() {
    let client = Client::new().await;
    let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Odd//EN\r\nX-WR-CALNAME:keep me\r\nBEGIN:VEVENT\r\nUID:odd\r\n\
        DTSTAMP:20270101T000000Z\r\nDTSTART:20270201T090000Z\r\nDURATION:PT1H\r\nSUMMARY;LANGUAGE=de:Alt\r\n\
        X-CUSTOM;X-P=\"a,b\":one\\,two\r\nDESCRIPTION:a folded\r\n  line\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\n\
        X-ALARM:1\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    client.put("sessions", "odd.ics", text).await;
    let answer = client
        .patch("/api/v1/sessions/odd", json!({"title": "Neu"}))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.json());
    assert_eq!(
        (
            &answer.json()["end"],
            &answer.json()["reminders"][0]["minutes"]
        ),
        (&json!("2027-02-01T10:00:00Z"), &json!(5))
    );
    let after = client.text("sessions", "odd.ics").await;
    let stamp = "20270115T080000Z";
    let expected = text
        .replace("SUMMARY;LANGUAGE=de:Alt", "SUMMARY:Neu")
        .replace("DTSTAMP:20270101T000000Z", &format!("DTSTAMP:{stamp}"))
        .replace(
            "  line\r\n",
            &format!("  line\r\nX-KALENDS-SESSION:1\r\nLAST-MODIFIED:{stamp}\r\n"),
        );
    assert_eq!(after, expected);
}

#[tokio::test]
async fn what_a_calendar_client_changes_is_seen_and_what_it_drops_is_kept() {
    let client = Client::new().await;
    let mut body = simple();
    body["client"] = json!({"name": "Cleo", "email": "cleo@example.org", "phone": "+49 30 1"});
    body["config"] = json!({"type": "coaching", "questions": ["a, b; c\n\"d\""]});
    body["links"] = json!([{"href": "https://crm.example.org/1", "rel": "related"}]);
    body["status"] = json!("in_progress");
    let made = client.made(body.clone()).await;
    let dragged = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Phone//EN\r\nBEGIN:VEVENT\r\nUID:s1\r\nDTSTAMP:20270116T000000Z\r\n\
        DTSTART:20270202T090000Z\r\nDTEND:20270202T100000Z\r\nSUMMARY:Dragged\r\nSTATUS:CONFIRMED\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let put = client.put("sessions", "s1.ics", dragged).await;
    assert!(!put.stored_as_sent, "then no ETag goes out");
    let seen = client.get("/api/v1/sessions/s1").await.json();
    assert_eq!(
        (&seen["start"], &seen["title"]),
        (&json!("2027-02-02T09:00:00Z"), &json!("Dragged"))
    );
    for field in ["client", "config", "links", "status"] {
        assert_eq!(seen[field], made[field], "{field}");
    }
    let cleared = client
        .patch(
            "/api/v1/sessions/s1",
            json!({"client": null, "config": null, "links": [], "status": "scheduled"}),
        )
        .await
        .json();
    assert_eq!(
        (&cleared["client"], &cleared["config"], &cleared["links"]),
        (&Value::Null, &Value::Null, &json!([]))
    );
    let text = client.text("sessions", "s1.ics").await;
    assert!(
        !text.contains("PARTICIPANT")
            && !text.contains("STRUCTURED-DATA")
            && !text.contains("X-KALENDS-STATUS")
    );
}

#[tokio::test]
async fn state_belongs_to_one_instance() {
    let client = Client::new().await;
    client.made(weekly()).await;
    let second = "/api/v1/sessions/w1?occurrence=2027-02-08T08:00:00Z";
    let virtual_one = client.get(second).await.json();
    assert_eq!(
        (&virtual_one["start"], &virtual_one["recurrence_id"]),
        (
            &json!("2027-02-08T08:00:00Z"),
            &json!("2027-02-08T08:00:00Z")
        )
    );
    assert_eq!(
        (&virtual_one["recurrence"], &virtual_one["client"]["name"]),
        (&json!([]), &json!("Cleo"))
    );
    let done = client
        .patch(
            second,
            json!({"status": "no_show", "end": "2027-02-08T09:30:00Z"}),
        )
        .await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.json());
    assert_eq!(
        (&done.json()["status"], &done.json()["client"]["name"]),
        (&json!("no_show"), &json!("Cleo"))
    );
    assert_eq!(
        client.get("/api/v1/sessions/w1").await.json()["status"],
        "scheduled"
    );
    assert_eq!(
        client.get(second).await.json()["end"],
        "2027-02-08T09:30:00Z"
    );
    let third = "/api/v1/sessions/w1?occurrence=20270215T090000";
    assert_eq!(client.delete(third).await.status, StatusCode::NO_CONTENT);
    assert_eq!(client.get(third).await.status, StatusCode::NOT_FOUND);
    assert_eq!(client.delete(second).await.status, StatusCode::NO_CONTENT);
    assert_eq!(client.get(second).await.status, StatusCode::NOT_FOUND);
    for name in ["2027-02-09T08:00:00Z", "2027-03-08T08:00:00Z"] {
        assert_eq!(
            client
                .get(&format!("/api/v1/sessions/w1?occurrence={name}"))
                .await
                .status,
            StatusCode::NOT_FOUND
        );
    }
    let listed = client
        .get("/api/v1/sessions?from=2027-01-01&to=2028-01-01")
        .await
        .json();
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 3, "{listed}");
    let text = client.text("sessions", "w1.ics").await;
    assert!(
        text.contains("EXDATE;TZID=Europe/Berlin:20270215T090000\r\n")
            && text.contains("BEGIN:VTIMEZONE"),
        "{text}"
    );
}

#[tokio::test]
async fn a_series_that_moves_takes_its_exceptions_along() {
    let client = Client::new().await;
    client.made(weekly()).await;
    client
        .patch(
            "/api/v1/sessions/w1?occurrence=2027-02-08T08:00:00Z",
            json!({"status": "completed"}),
        )
        .await;
    client
        .delete("/api/v1/sessions/w1?occurrence=2027-02-15T08:00:00Z")
        .await;
    let moved = client
        .patch(
            "/api/v1/sessions/w1",
            json!({"start": "2027-02-01T10:00:00Z", "end": "2027-02-01T11:00:00Z"}),
        )
        .await;
    assert_eq!(moved.status, StatusCode::OK, "{}", moved.json());
    let second = client
        .get("/api/v1/sessions/w1?occurrence=2027-02-08T10:00:00Z")
        .await;
    assert_eq!(second.json()["status"], "completed", "{}", second.json());
    let third = client
        .get("/api/v1/sessions/w1?occurrence=2027-02-15T10:00:00Z")
        .await;
    assert_eq!(third.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_same_request_makes_one_session() {
    let client = Client::new().await;
    client.made(simple()).await;
    let again = client.post("/api/v1/sessions", simple()).await;
    assert_eq!(again.status, StatusCode::OK);
    let mut other = simple();
    other["title"] = json!("Another");
    let conflict = client.post("/api/v1/sessions", other).await;
    assert_eq!(conflict.status, StatusCode::CONFLICT);
    assert_eq!(
        conflict.header(header::CONTENT_TYPE),
        "application/problem+json"
    );
    let mut body = simple();
    body.as_object_mut().unwrap().remove("uid");
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k1"),
    ];
    let one = client
        .send("POST", "/api/v1/sessions", &headers, body.to_string())
        .await;
    let two = client
        .send("POST", "/api/v1/sessions", &headers, body.to_string())
        .await;
    assert_eq!(
        (one.status, two.status),
        (StatusCode::CREATED, StatusCode::OK)
    );
    assert_eq!(one.json()["uid"], two.json()["uid"]);
}

#[tokio::test]
async fn conditions_hold_or_nothing_happens() {
    let client = Client::new().await;
    let etag = format!(
        "\"{}\"",
        client.made(simple()).await["etag"].as_str().unwrap()
    );
    let headers = |tag: &'static str| [("content-type", "application/json"), ("if-match", tag)];
    let stale = client
        .send(
            "PATCH",
            "/api/v1/sessions/s1",
            &headers("\"stale\""),
            json!({"title": "x"}).to_string(),
        )
        .await;
    assert_eq!(
        (stale.status, stale.json()["type"].as_str()),
        (
            StatusCode::PRECONDITION_FAILED,
            Some("urn:kalends:problem:precondition-failed")
        )
    );
    let stale = client
        .send(
            "DELETE",
            "/api/v1/sessions/s1",
            &[("if-match", "\"stale\"")],
            Body::empty(),
        )
        .await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let right = client
        .send(
            "DELETE",
            "/api/v1/sessions/s1",
            &[("if-match", &etag)],
            Body::empty(),
        )
        .await;
    assert_eq!(right.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    let client = Client::new().await;
    for n in 0..7 {
        let (start, end) = (
            format!("2027-02-0{}T09:00:00Z", n + 1),
            format!("2027-02-0{}T10:00:00Z", n + 1),
        );
        let status = if n % 2 == 0 { "scheduled" } else { "completed" };
        client.made(json!({"uid": format!("p{n}"), "title": n.to_string(), "start": start, "end": end, "status": status})).await;
    }
    client.made(weekly()).await;
    client
        .patch(
            "/api/v1/sessions/w1?occurrence=2027-02-08T08:00:00Z",
            json!({"status": "completed"}),
        )
        .await;
    for (query, count) in [
        ("", 9),
        ("&from=2027-02-01&to=2027-02-09", 9),
        ("&status=completed", 4),
        ("&status=completed&from=2027-02-08", 1),
    ] {
        for limit in [1, 2, 5, 100] {
            let (mut seen, mut cursor) = (BTreeSet::new(), String::new());
            loop {
                let page = client
                    .get(&format!("/api/v1/sessions?limit={limit}{query}{cursor}"))
                    .await
                    .json();
                let sessions = page["sessions"]
                    .as_array()
                    .unwrap_or_else(|| panic!("{page}"));
                assert!(sessions.len() <= limit);
                for one in sessions {
                    assert!(
                        seen.insert(format!("{} {}", one["uid"], one["recurrence_id"])),
                        "twice: {one}"
                    );
                }
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!(seen.len(), count, "{query} {limit}: {seen:?}");
        }
    }
    let ordered = client.get("/api/v1/sessions?from=2027-02-01").await.json();
    let starts: Vec<_> = ordered["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["start"].as_str().unwrap().to_string())
        .collect();
    assert!(starts.is_sorted(), "{starts:?}");
}

#[tokio::test]
async fn many_are_made_each_for_itself() {
    let client = Client::new().await;
    let answer = client
        .post(
            "/api/v1/sessions:bulk",
            json!({"sessions": [simple(), {"title": "x"}, 5, simple()]}),
        )
        .await;
    let results = answer.json()["results"].clone();
    let statuses: Vec<_> = results
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [201, 422, 422, 200]);
    assert_eq!(results[1]["problem"]["errors"][0]["field"], "start");
}

#[tokio::test]
async fn sessions_go_to_the_calendar_that_is_named_and_move() {
    let client = Client::new().await;
    let mut body = simple();
    body["calendar"] = json!("calendar");
    assert_eq!(client.made(body).await["calendar"], "calendar");
    client.put("calendar", "plain.ics", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:plain\r\nDTSTAMP:20270101T000000Z\r\nDTSTART:20270201T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n").await;
    assert_eq!(
        client.get("/api/v1/sessions").await.json()["sessions"]
            .as_array()
            .unwrap()
            .len(),
        1,
        "no mark, no session"
    );
    assert_eq!(
        client
            .get("/api/v1/sessions?calendar=calendar")
            .await
            .json()["sessions"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let moved = client
        .patch(
            "/api/v1/sessions/s1",
            json!({"calendar": "sessions", "title": "Moved"}),
        )
        .await;
    assert_eq!(
        (&moved.json()["calendar"], &moved.json()["title"]),
        (&json!("sessions"), &json!("Moved"))
    );
    assert_eq!(
        client
            .get("/api/v1/sessions/s1?calendar=calendar")
            .await
            .status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn sync_is_off_while_there_are_no_links() {
    let client = Client::new().await;
    for (n, sync, synced) in [
        (0, json!(false), json!({})),
        (1, json!(true), json!({})),
        (2, json!(["work"]), json!({"work": "off"})),
    ] {
        let mut body = simple();
        (body["uid"], body["sync"]) = (json!(format!("y{n}")), sync);
        let made = client.made(body).await;
        assert_eq!(
            (&made["sync"], &made["calendar_synced"]),
            (&json!(false), &synced)
        );
    }
}

#[tokio::test]
async fn a_range_that_holds_too_much_is_refused_and_not_cut() {
    let client = Client::new().await;
    let mut body = simple();
    body["end"] = json!("2027-02-01T09:00:30Z");
    body["recurrence"] = json!(["RRULE:FREQ=MINUTELY"]);
    client.made(body).await;
    let much = client.get("/api/v1/sessions?from=2027-02-01").await;
    assert_eq!(
        (much.status, &much.json()["errors"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("to"))
    );
    let hour = client
        .get("/api/v1/sessions?from=2027-02-03T00:00:00Z&to=2027-02-03T01:00:00Z&limit=500")
        .await;
    assert_eq!(
        hour.json()["sessions"].as_array().unwrap().len(),
        60,
        "{}",
        hour.json()
    );
}
