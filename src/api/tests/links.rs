//! Links at the API, against the simulator.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::bridged::{Linked, session};
use crate::app::connections::tests::world::ANNA;

#[tokio::test]
async fn a_link_brings_a_calendar_here_and_says_how_it_is_doing() {
    let anna = Linked::new("google").await;
    anna.add_there("Theirs", 1);
    let made = anna
        .link(json!({"name": "From Google", "color": "#112233"}))
        .await;
    assert_eq!(made["calendar"], "from-google");
    assert_eq!(
        (&made["direction"], &made["privacy"]),
        (&json!("both"), &json!("full"))
    );
    assert_eq!(made["status"]["last_sync"], Value::Null);
    assert_eq!(anna.titles("from-google").await, ["Theirs"]);
    let calendar = anna.ok("GET", "/api/v1/calendars/from-google", None).await;
    assert_eq!(
        (&calendar["name"], &calendar["color"]),
        (&json!("From Google"), &json!("#112233"))
    );

    let path = format!("/api/v1/links/{}", made["id"]);
    let shown = anna.ok("GET", &path, None).await;
    assert_eq!(shown["status"]["last_sync"], "2027-01-15T08:00:00Z");
    assert_eq!(
        (&shown["status"]["events"], &shown["status"]["lag_seconds"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(shown["status"]["errors"], json!([]));
    assert_eq!(anna.ok("GET", "/api/v1/links", None).await, json!([shown]));
    let stats = anna.ok("GET", "/api/v1/stats", None).await;
    assert_eq!(
        (&stats["links"], &stats["events"], &stats["success"]),
        (&json!(1), &json!(1), &json!(1.0))
    );

    // What is made here goes there, by the nudge alone.
    let new = json!({"calendar": "from-google", "uid": "s1", "title": "Ours", "start": "2027-02-02T09:00:00Z",
        "end": "2027-02-02T10:00:00Z"});
    anna.ok("POST", "/api/v1/sessions", Some(new)).await;
    anna.work().await;
    assert_eq!(anna.theirs(), ["Ours", "Theirs"]);
    assert_eq!(anna.simulator.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn settings_that_do_not_go_together_are_refused_by_field() {
    let anna = Linked::new("google").await;
    let remote = anna.primary().await;
    for (settings, field) in [
        (json!({"direction": "sideways"}), "direction"),
        (json!({"direction": "both", "privacy": "titles"}), "privacy"),
        (
            json!({"direction": "busy", "title_template": "{title}"}),
            "title_template",
        ),
        (json!({"direction": "pull", "guests": "send"}), "guests"),
        (json!({"interval": 1}), "interval"),
        (json!({"calendar": "nowhere"}), "calendar"),
        (json!({"calendar": "tasks"}), "calendar"),
        (json!({"calendar": "calendar", "name": "x"}), "name"),
        (json!({"color": "red"}), "color"),
        (json!({"remote_calendar": 999}), "remote_calendar"),
    ] {
        let mut body = settings.clone();
        if body.get("remote_calendar").is_none() {
            body["remote_calendar"] = remote.into();
        }
        let answer = anna.send("POST", "/api/v1/links", Some(body)).await;
        assert_eq!(
            answer.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{settings}"
        );
        assert_eq!(answer.json()["errors"][0]["field"], field, "{settings}");
    }
    let body = json!({"remote_calendar": remote, "calendar": "calendar"});
    anna.ok("POST", "/api/v1/links", Some(body.clone())).await;
    let twice = anna.send("POST", "/api/v1/links", Some(body)).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn links_are_their_owners_alone() {
    let anna = Linked::new("google").await;
    let id = anna.link(json!({})).await["id"].clone();
    let run = anna.add_there("x", 1);
    assert!(!run.is_empty());
    anna.ok("POST", &format!("/api/v1/links/{id}:sync"), None)
        .await;
    let runs = anna
        .ok("GET", &format!("/api/v1/links/{id}/runs"), None)
        .await;
    let run = runs["runs"][0]["id"].clone();
    anna.world.user("bert").await;
    let bert = Linked {
        credential: anna.world.basic("bert").await,
        ..anna
    };
    for (method, path) in [
        ("GET", format!("/api/v1/links/{id}")),
        ("DELETE", format!("/api/v1/links/{id}")),
        ("POST", format!("/api/v1/links/{id}:sync")),
        ("POST", format!("/api/v1/links/{id}:approve")),
        ("GET", format!("/api/v1/links/{id}/runs")),
        ("GET", format!("/api/v1/links/{id}/queue")),
        ("GET", format!("/api/v1/links/{id}/conflicts")),
        ("GET", format!("/api/v1/links/{id}/losses")),
        ("POST", format!("/api/v1/links/{id}/queue/x:retry")),
        ("POST", format!("/api/v1/runs/{run}:undo")),
        ("POST", "/api/v1/links/x:sync".to_string()),
        ("POST", format!("/api/v1/links/{id}:nonsense")),
    ] {
        let answer = bert.send(method, &path, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    assert_eq!(bert.ok("GET", "/api/v1/links", None).await, json!([]));
    let path = format!("/api/v1/links/{id}");
    let change = bert.send("PATCH", &path, Some(json!({"paused": true})));
    assert_eq!(change.await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_a_run_can_be_undone() {
    let anna = Linked::new("google").await;
    let link = anna.link(json!({"name": "g"})).await;
    let path = format!("/api/v1/links/{}", link["id"]);
    anna.add_there("One", 1);
    let (sync, writes) = (format!("{path}:sync"), anna.simulator.world().writes());
    for ask in [
        anna.ok("POST", &format!("{sync}?dry_run=true"), None).await,
        anna.ok("POST", &sync, Some(json!({"dry_run": true}))).await,
    ] {
        let operations = ask["operations"].as_array().unwrap();
        assert_eq!(operations.len(), 1, "{ask}");
        assert_eq!(
            (&operations[0]["action"], &operations[0]["title"]),
            (&json!("create here"), &json!("One"))
        );
    }
    assert_eq!(anna.titles("g").await, Vec::<String>::new());
    let done = anna.ok("POST", &sync, None).await;
    assert_eq!(done["counts"]["created_here"], 1);
    assert_eq!(anna.titles("g").await, ["One"]);
    let runs = anna.ok("GET", &format!("{path}/runs"), None).await;
    let run = &runs["runs"][0];
    assert_eq!((&run["id"], &run["cause"]), (&done["run"], &json!("asked")));
    let undo = format!("/api/v1/runs/{}:undo", run["id"]);
    let undone = anna.ok("POST", &undo, None).await;
    assert_eq!(undone["counts"]["deleted_here"], 1);
    assert_eq!(anna.titles("g").await, Vec::<String>::new());
    anna.work().await;
    assert_eq!(
        anna.titles("g").await,
        Vec::<String>::new(),
        "what is undone stays undone"
    );
    assert_eq!(
        anna.send("POST", &undo, None).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(
        anna.simulator.world().writes(),
        writes,
        "nothing was written there"
    );
}

#[tokio::test]
async fn what_cannot_be_brought_across_is_parked_with_its_reason_and_tried_again_when_asked() {
    let anna = Linked::new("microsoft").await;
    let link = anna.link(json!({"calendar": "calendar"})).await;
    let path = format!("/api/v1/links/{}", link["id"]);
    let mut hourly = session("s/1", "Hourly", 1);
    hourly["calendar"] = "calendar".into();
    hourly["recurrence"] = json!(["RRULE:FREQ=HOURLY;COUNT=30"]);
    anna.ok("POST", "/api/v1/sessions", Some(hourly)).await;
    anna.work().await;
    let queue = anna.ok("GET", &format!("{path}/queue"), None).await;
    assert_eq!(
        (&queue[0]["uid"], &queue[0]["state"]),
        (&json!("s/1"), &json!("parked")),
        "{queue}"
    );
    assert!(
        queue[0]["code"].is_string() && queue[0]["reason"].is_string(),
        "{queue}"
    );
    let shown = anna.ok("GET", &path, None).await;
    assert_eq!(shown["status"]["parked"], 1);
    assert!(
        shown["status"]["errors"][0]
            .as_str()
            .unwrap()
            .contains("queue")
    );
    let session = anna.ok("GET", "/api/v1/sessions/s%2F1", None).await;
    assert_eq!(
        session["calendar_synced"],
        json!({link["id"].to_string(): "failed"})
    );

    let retry = format!("{path}/queue/s%2F1:retry");
    assert_eq!(
        anna.send("POST", &retry, None).await.status,
        StatusCode::ACCEPTED
    );
    let queue = anna.ok("GET", &format!("{path}/queue"), None).await;
    assert_eq!(queue[0]["state"], "waiting");
    anna.work().await;
    let queue = anna.ok("GET", &format!("{path}/queue"), None).await;
    assert_eq!(queue[0]["state"], "parked", "nothing changed about it");
    // A change of it is another try.
    let change = json!({"recurrence": ["RRULE:FREQ=DAILY;COUNT=3"]});
    anna.ok("PATCH", "/api/v1/sessions/s%2F1", Some(change))
        .await;
    anna.work().await;
    assert_eq!(
        anna.ok("GET", &format!("{path}/queue"), None).await,
        json!([])
    );
    let missing = format!("{path}/queue/unknown:retry");
    assert_eq!(
        anna.send("POST", &missing, None).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_mass_deletion_waits_for_a_yes() {
    let anna = Linked::new("google").await;
    let ids: Vec<String> = (1..=12).map(|day| anna.add_there("Kept", day)).collect();
    let link = anna.link(json!({"name": "g"})).await;
    let path = format!("/api/v1/links/{}", link["id"]);
    assert_eq!(anna.titles("g").await.len(), 12);
    assert_eq!(
        anna.send("POST", &format!("{path}:approve"), None)
            .await
            .status,
        StatusCode::CONFLICT
    );
    for id in &ids {
        assert!(anna.simulator.google().delete_event(ANNA, id));
    }
    let asked = anna.ok("POST", &format!("{path}:sync"), None).await;
    assert!(asked["asked"].as_str().unwrap().contains("12"), "{asked}");
    assert_eq!(anna.titles("g").await.len(), 12);
    let shown = anna.ok("GET", &path, None).await;
    assert_eq!(shown["state"], "asking");
    assert!(
        shown["status"]["errors"][0]
            .as_str()
            .unwrap()
            .contains("12"),
        "{shown}"
    );
    let yes = anna.ok("POST", &format!("{path}:approve"), None).await;
    assert_eq!(yes["state"], "active");
    anna.work().await;
    assert_eq!(anna.titles("g").await.len(), 0);
}

#[tokio::test]
async fn a_paused_link_stands_still_and_goes_on() {
    let anna = Linked::new("google").await;
    let link = anna.link(json!({"name": "g"})).await;
    let path = format!("/api/v1/links/{}", link["id"]);
    let paused = anna.ok("PATCH", &path, Some(json!({"paused": true}))).await;
    assert_eq!(
        (&paused["state"], &paused["status"]["next_sync"]),
        (&json!("paused"), &Value::Null)
    );
    anna.add_there("Later", 1);
    anna.pings().await;
    anna.pass(86_400);
    anna.work().await;
    assert_eq!(anna.titles("g").await, Vec::<String>::new());
    let sync = anna.send("POST", &format!("{path}:sync"), None).await;
    assert_eq!(sync.status, StatusCode::CONFLICT);
    anna.ok("PATCH", &path, Some(json!({"paused": false})))
        .await;
    anna.work().await;
    assert_eq!(anna.titles("g").await, ["Later"]);
}

#[tokio::test]
async fn mirrors_stay_or_go_with_their_link() {
    for (mirrors, left) in [("keep", vec!["Ours"]), ("remove", vec![])] {
        let anna = Linked::new("google").await;
        let link = anna
            .link(json!({"calendar": "sessions", "direction": "push"}))
            .await;
        anna.ok("POST", "/api/v1/sessions", Some(session("s1", "Ours", 1)))
            .await;
        anna.work().await;
        assert_eq!(anna.theirs(), ["Ours"]);
        let path = format!("/api/v1/links/{}", link["id"]);
        let bad = anna
            .send("DELETE", &format!("{path}?mirrors=burn"), None)
            .await;
        assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
        let gone = anna
            .send("DELETE", &format!("{path}?mirrors={mirrors}"), None)
            .await;
        assert!(gone.status.is_success(), "{}", gone.status);
        anna.work().await;
        assert_eq!(anna.theirs(), left, "{mirrors}");
        assert_eq!(
            anna.send("GET", &path, None).await.status,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            anna.titles("sessions").await,
            ["Ours"],
            "ours stay in any case"
        );
    }
}

#[tokio::test]
async fn sessions_go_where_they_are_told_and_say_whether_they_arrived() {
    let anna = Linked::new("google").await;
    let link = anna
        .link(json!({"calendar": "sessions", "auto_create": false}))
        .await;
    let id = link["id"].to_string();
    let synced = async |uid: &str| {
        let path = format!("/api/v1/sessions/{uid}");
        let session = anna.ok("GET", &path, None).await;
        (
            session["sync"].clone(),
            session["calendar_synced"][&id].clone(),
        )
    };
    // Nothing was said: as the link says, which is no.
    let made = anna
        .ok(
            "POST",
            "/api/v1/sessions",
            Some(session("plain", "Plain", 1)),
        )
        .await;
    assert_eq!(
        (&made["sync"], &made["calendar_synced"][&id]),
        (&json!(false), &json!("off"))
    );
    // Asked for: on its way until the worker was there.
    for (uid, sync) in [
        ("all", json!(true)),
        ("one", json!([link["id"]])),
        ("text", json!([&id])),
    ] {
        let mut new = session(uid, uid, 2);
        new["sync"] = sync;
        let made = anna.ok("POST", "/api/v1/sessions", Some(new)).await;
        assert_eq!(
            (&made["sync"], &made["calendar_synced"][&id]),
            (&json!(true), &json!("pending")),
            "{uid}"
        );
    }
    anna.work().await;
    assert_eq!(anna.theirs(), ["all", "one", "text"]);
    for uid in ["all", "one", "text"] {
        assert_eq!(synced(uid).await, (json!(true), json!("synced")));
    }
    assert_eq!(synced("plain").await, (json!(false), json!("off")));
    // Taken back, and asked for later.
    anna.ok(
        "PATCH",
        "/api/v1/sessions/all",
        Some(json!({"sync": false})),
    )
    .await;
    let change = anna
        .ok(
            "PATCH",
            "/api/v1/sessions/plain",
            Some(json!({"sync": true})),
        )
        .await;
    assert_eq!(change["calendar_synced"][&id], "pending");
    anna.work().await;
    assert_eq!(anna.theirs(), ["Plain", "one", "text"]);
    assert_eq!(synced("all").await, (json!(false), json!("off")));
    // A change of it has to arrive, too.
    anna.ok(
        "PATCH",
        "/api/v1/sessions/one",
        Some(json!({"title": "One"})),
    )
    .await;
    assert_eq!(synced("one").await.1, "pending");
    anna.work().await;
    assert_eq!(synced("one").await.1, "synced");
    let page = anna
        .ok("GET", "/api/v1/sessions?calendar=sessions", None)
        .await;
    let all = page["sessions"].as_array().unwrap();
    assert!(
        all.iter()
            .all(|one| one["calendar_synced"][&id].is_string()),
        "{page}"
    );
    // A link that there is not.
    let mut wrong = session("wrong", "Wrong", 3);
    wrong["sync"] = json!(["999"]);
    let answer = anna.send("POST", "/api/v1/sessions", Some(wrong)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.json()["errors"][0]["field"], "sync");
    assert_eq!(
        anna.send("GET", "/api/v1/sessions/wrong", None)
            .await
            .status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_private_session_does_not_go_there_for_a_moment() {
    let anna = Linked::new("google").await;
    anna.link(json!({"calendar": "sessions"})).await;
    let mut new = session("s1", "Secret", 1);
    new["sync"] = json!(false);
    let made = anna.ok("POST", "/api/v1/sessions", Some(new)).await;
    assert_eq!(
        (
            &made["sync"],
            made["calendar_synced"].as_object().unwrap().len()
        ),
        (&json!(false), 1)
    );
    anna.asked();
    anna.work().await;
    assert_eq!(
        anna.asked_for("POST https://simulator.test/google/calendar/v3/calendars/"),
        0
    );
    assert_eq!(anna.theirs(), Vec::<String>::new());
}

#[tokio::test]
async fn edits_of_both_sides_are_told_with_what_lost() {
    let anna = Linked::new("google").await;
    let there = anna.add_there("Before", 1);
    let link = anna.link(json!({"name": "g"})).await;
    let path = format!("/api/v1/links/{}", link["id"]);
    let page = anna.ok("GET", "/api/v1/sessions?calendar=g", None).await;
    let uid = page["sessions"][0]["uid"].as_str().unwrap().to_string();
    assert!(
        anna.simulator
            .google()
            .edit_event(ANNA, &there, json!({"summary": "Theirs"}))
    );
    let change = json!({"title": "Ours"});
    anna.ok(
        "PATCH",
        &format!("/api/v1/sessions/{uid}?calendar=g"),
        Some(change),
    )
    .await;
    anna.ok("POST", &format!("{path}:sync"), None).await;
    assert_eq!(
        (anna.titles("g").await, anna.theirs()),
        (vec!["Theirs".into()], vec!["Theirs".into()])
    );
    let conflicts = anna.ok("GET", &format!("{path}/conflicts"), None).await;
    let conflict = &conflicts["conflicts"][0];
    assert_eq!(conflict["uid"], uid);
    assert!(
        conflict["ours"].as_str().unwrap().contains("SUMMARY:Ours"),
        "{conflict}"
    );
    assert!(
        conflict["fields"].to_string().contains("Ours"),
        "{conflict}"
    );
    assert_eq!(conflicts["next_cursor"], Value::Null);
    // What Google does not hold is in the ledger.
    let ledger = anna.ok("GET", &format!("{path}/losses"), None).await;
    assert!(ledger["events"].is_array());
    let limit = anna
        .send("GET", &format!("{path}/runs?limit=1000"), None)
        .await;
    assert_eq!(limit.status, StatusCode::UNPROCESSABLE_ENTITY);
}
