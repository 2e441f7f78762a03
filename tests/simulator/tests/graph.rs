//! FACTS §4.

use super::super::faults::{On, Twist, What};
use super::super::graph::Graph;
use super::super::web::encode;
use super::super::{Service, Simulator, schema};
use super::{Client, NOW, Reply};
use serde_json::{Value, json};

const BOB: &str = "bob@outlook.test";
const PREFER: &[(&str, &str)] = &[(
    "prefer",
    "IdType=\"ImmutableId\", outlook.timezone=\"UTC\", outlook.body-content-type=\"text\"",
)];

struct Setup {
    simulator: Simulator,
    calendar: String,
    token: String,
}

fn setup() -> Setup {
    let simulator = Simulator::new(3, NOW);
    let calendar = simulator
        .graph()
        .account(BOB, "W. Europe Standard Time", true);
    let token = simulator.graph().oauth().full_access(BOB);
    Setup {
        simulator,
        calendar,
        token,
    }
}

impl Setup {
    fn send(&self, method: &str, target: &str, body: Option<Value>) -> Reply {
        let client = Client {
            simulator: &self.simulator,
            base: "/graph/v1.0",
            token: self.token.clone(),
        };
        client.send(method, target, PREFER, body)
    }
    fn get(&self, target: &str) -> Reply {
        self.send("GET", target, None)
    }
    fn create(&self, body: Value) -> Reply {
        self.send(
            "POST",
            &format!("/me/calendars/{}/events", encode(&self.calendar)),
            Some(body),
        )
    }
    fn graph(&self) -> &Graph {
        self.simulator.graph()
    }
    fn event(id: &Value) -> String {
        format!("/me/events/{}", encode(id.as_str().unwrap()))
    }
    /// All items of a round and its delta link (path and query).
    fn round(&self, start: &str) -> (Vec<Value>, String) {
        let (mut target, mut all) = (start.to_string(), Vec::new());
        loop {
            let page = self.get(&target);
            assert_eq!(page.status, 200, "{}", page.body);
            all.extend(page.body["value"].as_array().unwrap().clone());
            let local = |link: &Value| {
                link.as_str()
                    .map(|link| link.replace("https://simulator.test/graph/v1.0", ""))
            };
            match local(&page.body["@odata.nextLink"]) {
                Some(next) => target = next,
                None => return (all, local(&page.body["@odata.deltaLink"]).unwrap()),
            }
        }
    }
}

fn at(text: &str) -> Value {
    json!({"dateTime": text, "timeZone": "Europe/Berlin"})
}

fn single() -> Value {
    json!({"subject": "One", "start": at("2026-01-06T09:00:00"), "end": at("2026-01-06T10:00:00"),
           "body": {"contentType": "text", "content": "a < b\nc"}})
}

fn weekly() -> Value {
    json!({"subject": "Series", "start": at("2026-01-05T09:00:00"), "end": at("2026-01-05T10:00:00"), "recurrence": {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"},
        "range": {"type": "numbered", "numberOfOccurrences": 5, "startDate": "2026-01-05", "recurrenceTimeZone": "Europe/Berlin"}}})
}

const DELTA: &str =
    "/me/calendarView/delta?startDateTime=2026-01-01T00:00:00Z&endDateTime=2026-03-01T00:00:00Z";

#[test]
fn an_event_comes_back_as_exchange_keeps_it() {
    let setup = setup();
    let mut body = single();
    body["transactionId"] = "t1".into();
    body["singleValueExtendedProperties"] = json!([{"id": "String {a} Name k", "value": "v"}]);
    let made = setup.create(body.clone());
    assert_eq!(
        (made.status, &made.body["start"]["dateTime"]),
        (201, &json!("2026-01-06T08:00:00.0000000"))
    );
    assert_eq!(
        made.body["originalStartTimeZone"],
        "W. Europe Standard Time"
    );
    assert_eq!(
        made.body["body"],
        json!({"contentType": "text", "content": "a < b\r\nc\r\n"})
    );
    assert_eq!(setup.create(body).body["id"], made.body["id"]);
    let path = Setup::event(&made.body["id"]);
    assert_eq!(
        setup.get(&path).body.get("singleValueExtendedProperties"),
        None
    );
    let expanded = setup.get(&format!("{path}?$expand=singleValueExtendedProperties($filter=id%20eq%20'String%20%7Ba%7D%20Name%20k')"));
    assert_eq!(
        expanded.body["singleValueExtendedProperties"][0]["value"],
        "v"
    );
    let found = setup.get("/me/events?$filter=singleValueExtendedProperties/Any(ep:%20ep/id%20eq%20'String%20{a}%20Name%20k'%20and%20ep/value%20eq%20'v')");
    assert_eq!(found.ids("value").len(), 1);
    assert_eq!(setup.simulator.violations(), Vec::<String>::new());
    if let Some(schema) = schema::graph() {
        assert_eq!(schema.check("event", &made.body), Vec::<String>::new());
        let calendars = setup.get("/me/calendars");
        assert_eq!(
            schema.check("calendar", &calendars.body["value"][0]),
            Vec::<String>::new()
        );
    }
}

#[test]
fn change_keys_guard_writes() {
    let setup = setup();
    let id = setup.graph().add(BOB, &setup.calendar, single()).unwrap();
    let path = Setup::event(&json!(id));
    let etag = setup.get(&path).body["@odata.etag"]
        .as_str()
        .unwrap()
        .to_string();
    assert!(setup.graph().edit(BOB, &id, json!({"subject": "Two"})));
    let client = Client {
        simulator: &setup.simulator,
        base: "/graph/v1.0",
        token: setup.token.clone(),
    };
    let stale = client.send(
        "PATCH",
        &path,
        &[("if-match", &etag), PREFER[0]],
        Some(json!({"subject": "Three"})),
    );
    assert_eq!(
        (stale.status, stale.code()),
        (412, "ErrorIrresolvableConflict")
    );
    let mutable = client.send("GET", &path, &[], None);
    assert_ne!(mutable.body["id"], json!(id));
    assert!(setup.simulator.violations()[0].contains("ImmutableId"));
    assert_eq!(setup.send("DELETE", &path, None).status, 204);
    assert_eq!(setup.get(&path).code(), "ErrorItemNotFound");
}

#[test]
fn what_exchange_refuses() {
    let setup = setup();
    let mut cases = Vec::new();
    let mut all_day = single();
    all_day["isAllDay"] = true.into();
    cases.push((all_day.clone(), "ErrorPropertyValidationFailure"));
    let mut extra = weekly();
    extra["recurrence"]["pattern"]["dayOfMonth"] = 5.into();
    cases.push((extra, "ErrorPropertyValidationFailure"));
    let mut elsewhere = weekly();
    elsewhere["recurrence"]["range"]["startDate"] = "2026-01-06".into();
    cases.push((elsewhere, "ErrorPropertyValidationFailure"));
    let mut zone = single();
    zone["start"]["timeZone"] = "Mars/Olympus".into();
    cases.push((zone, "TimeZoneNotSupportedException"));
    for (body, code) in cases {
        let answer = setup.create(body.clone());
        assert_eq!((answer.status, answer.code()), (400, code), "{body}");
    }
    all_day["start"] = json!({"dateTime": "2026-01-06T00:00:00", "timeZone": "Pacific/Kiritimati"});
    all_day["end"] = json!({"dateTime": "2026-01-07T00:00:00", "timeZone": "Pacific/Kiritimati"});
    let fine = setup.create(all_day);
    assert_eq!(
        fine.body["start"]["dateTime"],
        "2026-01-06T00:00:00.0000000"
    );
}

#[test]
fn a_series_has_occurrences_exceptions_and_cancelled_dates() {
    let setup = setup();
    let made = setup.create(weekly());
    let path = Setup::event(&made.body["id"]);
    let window = "startDateTime=2026-01-01T00:00:00Z&endDateTime=2026-03-01T00:00:00Z";
    let list = setup.get(&format!("{path}/instances?{window}"));
    let instances = list.body["value"].as_array().unwrap();
    assert_eq!(instances.len(), 5);
    let second = Setup::event(&instances[1]["id"]);
    let moved = |day: &str| json!({"start": at(&format!("{day}T11:00:00")), "end": at(&format!("{day}T12:00:00"))});
    let crossing = setup.send("PATCH", &second, Some(moved("2026-01-19")));
    assert_eq!(
        (crossing.status, crossing.code()),
        (400, "ErrorOccurrenceCrossingBoundary")
    );
    let fine = setup.send("PATCH", &second, Some(moved("2026-01-13")));
    assert_eq!(
        (&fine.body["type"], &fine.body["originalStart"]),
        (&json!("exception"), &json!("2026-01-12T08:00:00.0000000Z"))
    );
    assert_eq!(
        setup
            .send("DELETE", &Setup::event(&instances[2]["id"]), None)
            .status,
        204
    );
    let master = setup.get(&format!(
        "{path}?$select=subject,cancelledOccurrences&$expand=exceptionOccurrences"
    ));
    assert_eq!(
        master.body["exceptionOccurrences"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let cancelled = master.body["cancelledOccurrences"][0].as_str().unwrap();
    assert!(
        cancelled.starts_with("OID.") && cancelled.ends_with(".2026-01-19"),
        "{cancelled}"
    );
    let mut recurrence = weekly()["recurrence"].clone();
    recurrence["range"]["numberOfOccurrences"] = 6.into();
    setup.send("PATCH", &path, Some(json!({"recurrence": recurrence})));
    let after = setup.get(&format!("{path}?$expand=exceptionOccurrences"));
    assert_eq!(after.body["exceptionOccurrences"], json!([]));
}

#[test]
fn patterns_become_dates() {
    let setup = setup();
    let cases = [
        (
            json!({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31}),
            "2026-01-31",
            ["2026-01-31", "2026-02-28", "2026-03-31"],
        ),
        (
            json!({"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["friday"], "index": "last"}),
            "2026-01-30",
            ["2026-01-30", "2026-02-27", "2026-03-27"],
        ),
        (
            json!({"type": "relativeYearly", "interval": 1, "daysOfWeek": ["thursday"], "index": "fourth", "month": 11}),
            "2026-11-26",
            ["2026-11-26", "2027-11-25", "2028-11-23"],
        ),
        (
            json!({"type": "daily", "interval": 10}),
            "2026-01-01",
            ["2026-01-01", "2026-01-11", "2026-01-21"],
        ),
    ];
    for (pattern, start, dates) in cases {
        let mut body = single();
        body["start"] = at(&format!("{start}T09:00:00"));
        body["end"] = at(&format!("{start}T10:00:00"));
        body["recurrence"] =
            json!({"pattern": pattern, "range": {"type": "noEnd", "startDate": start}});
        let made = setup.create(body);
        assert_eq!(made.status, 201, "{}", made.body);
        let path = Setup::event(&made.body["id"]);
        let list = setup.get(&format!("{path}/instances?startDateTime=2026-01-01T00:00:00Z&endDateTime=2031-01-01T00:00:00Z&$top=3"));
        let got: Vec<&str> = list.body["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["start"]["dateTime"].as_str().unwrap()[..10])
            .collect();
        assert_eq!(got, dates);
        assert!(list.body["@odata.nextLink"].is_string());
    }
}

#[test]
fn delta_signals_with_stubs_and_dies_politely_or_not() {
    let setup = setup();
    let series = setup.graph().add(BOB, &setup.calendar, weekly()).unwrap();
    let one = setup.graph().add(BOB, &setup.calendar, single()).unwrap();
    setup
        .simulator
        .faults()
        .next(On::service(Service::Graph), What::Twist(Twist::EmptyPage));
    let (all, link) = setup.round(DELTA);
    assert_eq!(all.len(), 7);
    let stub = all
        .iter()
        .find(|item| item["type"] == "occurrence")
        .unwrap();
    assert_eq!(
        (stub.get("subject"), &stub["seriesMasterId"]),
        (None, &json!(series))
    );
    assert!(setup.round(&link).0.is_empty());
    setup.graph().remove(BOB, &one);
    assert_eq!(
        setup.round(&link).0,
        [json!({"id": one, "@removed": {"reason": "deleted"}})]
    );
    for (polite, status) in [(true, 410), (false, 404)] {
        let (_, link) = setup.round(DELTA);
        setup.graph().expire_delta(BOB, polite);
        let dead = setup.get(&link);
        assert_eq!(
            (dead.status, dead.headers.contains_key("location")),
            (status, polite)
        );
    }
    assert_eq!(setup.get(&format!("{DELTA}&$select=subject")).status, 400);
}

#[test]
fn subscriptions_shake_hands_and_notify() {
    let setup = setup();
    setup.simulator.graph().set_validator(|url| {
        let (_, token) = url.split_once("validationToken=")?;
        Some((
            200,
            "text/plain".into(),
            super::super::web::decode(&token.replace('+', " ")),
        ))
    });
    let body = json!({"changeType": "created,updated,deleted", "notificationUrl": "https://kalends.test/n", "resource": "/me/events",
        "lifecycleNotificationUrl": "https://kalends.test/l", "clientState": "s", "expirationDateTime": "2026-01-06T08:00:00Z"});
    let made = setup.send("POST", "/subscriptions", Some(body.clone()));
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(setup.send("POST", "/subscriptions", Some(body)).status, 409);
    setup.graph().add(BOB, &setup.calendar, single());
    setup.graph().lifecycle(BOB, "missed");
    let pings = setup.simulator.take_pings();
    let bodies: Vec<Value> = pings
        .iter()
        .map(|ping| serde_json::from_slice(ping.body()).unwrap())
        .collect();
    assert_eq!(
        (
            &bodies[0]["value"][0]["changeType"],
            &bodies[1]["value"][0]["lifecycleEvent"]
        ),
        (&json!("created"), &json!("missed"))
    );
    let path = format!("/subscriptions/{}", made.body["id"].as_str().unwrap());
    let renewed = setup.send(
        "PATCH",
        &path,
        Some(json!({"expirationDateTime": "2026-01-10T08:00:00Z"})),
    );
    assert_eq!(
        (renewed.status, &renewed.body["expirationDateTime"]),
        (200, &json!("2026-01-10T08:00:00.0000000Z"))
    );
    setup.simulator.advance(6 * 86_400);
    let token = setup.graph().oauth().full_access(BOB);
    let client = Client {
        simulator: &setup.simulator,
        base: "/graph/v1.0",
        token,
    };
    assert_eq!(client.get(&path).status, 404);
}

#[test]
fn a_batch_throttles_inside_and_the_mailbox_outside() {
    let setup = setup();
    setup.simulator.faults().next(
        On::default().target("/me/calendars"),
        What::throttled(429, 3),
    );
    let one = |id: &str, url: &str| json!({"id": id, "method": "GET", "url": url, "headers": {"Prefer": "IdType=\"ImmutableId\""}});
    let mut third = one("3", "/me");
    third["dependsOn"] = json!(["2"]);
    let answer = setup.send(
        "POST",
        "/$batch",
        Some(json!({"requests": [one("1", "/me"), one("2", "/me/calendars"), third]})),
    );
    let statuses: Vec<(&str, i64)> = answer.body["responses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["status"].as_i64().unwrap()))
        .collect();
    assert_eq!(statuses, [("3", 424), ("2", 429), ("1", 200)]);
    setup.graph().hold(4);
    assert_eq!(setup.get("/me/calendars").code(), "ApplicationThrottled");
}

#[test]
fn organizers_mail_guests_answer_and_availability_is_for_work() {
    let setup = setup();
    let mut body = single();
    body["attendees"] = json!([{"emailAddress": {"address": "eve@x.test"}, "type": "required"}]);
    body["isOnlineMeeting"] = true.into();
    body["onlineMeetingProvider"] = "teamsForBusiness".into();
    let made = setup.create(body);
    let link = made.body["onlineMeeting"]["joinUrl"].as_str().unwrap();
    assert!(link.starts_with("https://teams.microsoft.com/"));
    assert_eq!(setup.simulator.take_mails()[0].to, "eve@x.test");
    let guest = setup
        .graph()
        .invite(BOB, &setup.calendar, "boss@x.test", single())
        .unwrap();
    let path = Setup::event(&json!(guest));
    assert_eq!(
        setup
            .send("PATCH", &path, Some(json!({"subject": "Mine"})))
            .status,
        403
    );
    assert_eq!(
        setup
            .send(
                "POST",
                &format!("{path}/accept"),
                Some(json!({"SendResponse": false}))
            )
            .status,
        202
    );
    assert_eq!(
        setup.get(&path).body["responseStatus"]["response"],
        "accepted"
    );
    let ask = json!({"schedules": [BOB, "nobody@x.test"], "startTime": at("2026-01-06T08:00:00"), "endTime": at("2026-01-06T11:00:00"), "availabilityViewInterval": 60});
    let answer = setup.send("POST", "/me/calendar/getSchedule", Some(ask));
    assert_eq!(answer.body["value"][0]["availabilityView"], "020");
    assert!(answer.body["value"][1]["error"].is_object());
}
