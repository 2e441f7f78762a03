//! `/control/`: a page to look and click, and the same as JSON (`POST` of the fields that each row of [`ACTIONS`] names).

use crate::simulator::faults::{On, Random, Trouble, Twist, What};
use crate::simulator::ics::{Feed, Serves};
use crate::simulator::oauth::page::escape;
use crate::simulator::web::{self, Answer, Params};
use crate::simulator::{Service, Simulator, caldav};
use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};

type Action = fn(&Simulator, &Value) -> Option<Value>;

/// (name, fields, what it does)
const ACTIONS: &[(&str, &str, Action)] = &[
    ("google/account", "email, zone", |s, v| {
        s.google()
            .account(text(v, "email")?, text(v, "zone").unwrap_or("UTC"));
        Some(json!({}))
    }),
    ("google/calendar", "account, summary, zone", |s, v| {
        let zone = text(v, "zone").unwrap_or("UTC");
        Some(json!({"id": s.google().calendar_of(text(v, "account")?, text(v, "summary")?, zone)}))
    }),
    ("google/share", "calendar, with, role", |s, v| {
        s.google()
            .share(text(v, "calendar")?, text(v, "with")?, text(v, "role")?);
        Some(json!({}))
    }),
    ("google/add", "calendar, event", |s, v| {
        Some(json!({"id": s.google().add(text(v, "calendar")?, v["event"].clone())?}))
    }),
    ("google/invite", "calendar, organizer, event", |s, v| {
        Some(
            json!({"id": s.google().invite(text(v, "calendar")?, text(v, "organizer")?, v["event"].clone())?}),
        )
    }),
    ("google/edit", "calendar, id, patch", |s, v| {
        Some(json!(s.google().edit_event(
            text(v, "calendar")?,
            text(v, "id")?,
            v["patch"].clone()
        )))
    }),
    ("google/split", "calendar, instance, patch", |s, v| {
        Some(
            json!({"id": s.google().split(text(v, "calendar")?, text(v, "instance")?, v["patch"].clone())?}),
        )
    }),
    ("google/delete", "calendar, id", |s, v| {
        Some(json!(
            s.google()
                .delete_event(text(v, "calendar")?, text(v, "id")?)
        ))
    }),
    ("google/expire-sync-tokens", "calendar", |s, v| {
        s.google().expire_sync_tokens(text(v, "calendar")?);
        Some(json!({}))
    }),
    ("google/revoke", "account", |s, v| {
        s.google().oauth().revoke(text(v, "account")?);
        Some(json!({}))
    }),
    ("google/token", "account", |s, v| {
        Some(json!({"access_token": s.google().oauth().full_access(text(v, "account")?)}))
    }),
    ("graph/account", "email, zone, work", |s, v| {
        let zone = text(v, "zone").unwrap_or("UTC");
        Some(json!({"calendar": s.graph().account(text(v, "email")?, zone, v["work"] == true)}))
    }),
    ("graph/add", "account, calendar, event", |s, v| {
        Some(
            json!({"id": s.graph().add(text(v, "account")?, text(v, "calendar")?, v["event"].clone())?}),
        )
    }),
    ("graph/edit", "account, id, patch", |s, v| {
        Some(json!(s.graph().edit(
            text(v, "account")?,
            text(v, "id")?,
            v["patch"].clone()
        )))
    }),
    ("graph/delete", "account, id", |s, v| {
        Some(json!(s.graph().remove(text(v, "account")?, text(v, "id")?)))
    }),
    ("graph/expire-delta", "account", |s, v| {
        s.graph().expire_delta(text(v, "account")?, true);
        Some(json!({}))
    }),
    ("graph/lifecycle", "account, event", |s, v| {
        s.graph().lifecycle(text(v, "account")?, text(v, "event")?);
        Some(json!({}))
    }),
    ("graph/revoke", "account", |s, v| {
        s.graph().oauth().revoke(text(v, "account")?);
        Some(json!({}))
    }),
    ("graph/token", "account", |s, v| {
        Some(json!({"access_token": s.graph().oauth().full_access(text(v, "account")?)}))
    }),
    ("caldav/account", "user, password", |s, v| {
        s.caldav().account(text(v, "user")?, text(v, "password")?);
        Some(json!({}))
    }),
    ("caldav/put", "user, calendar, name, text", |s, v| {
        s.caldav().put_object(
            text(v, "user")?,
            text(v, "calendar")?,
            text(v, "name")?,
            text(v, "text")?,
        );
        Some(json!({}))
    }),
    ("caldav/delete", "user, calendar, name", |s, v| {
        Some(json!(s.caldav().remove_object(
            text(v, "user")?,
            text(v, "calendar")?,
            text(v, "name")?
        )))
    }),
    ("caldav/behave", "as (generic, icloud, plain)", |s, v| {
        s.caldav().behave_as(match text(v, "as")? {
            "icloud" => caldav::Quirks {
                home: None,
                ..caldav::Quirks::icloud()
            },
            "plain" => caldav::Quirks::plain(),
            _ => caldav::Quirks::generic(),
        });
        Some(json!({}))
    }),
    ("ics/set", "name, text", |s, v| {
        Some(json!({"path": s.ics().set(text(v, "name")?, Feed::new(text(v, "text")?))}))
    }),
    (
        "ics/serve",
        "name, what (calendar, login, truncated, empty, status), status, churn",
        |s, v| {
            let serves = match text(v, "what").unwrap_or("calendar") {
                "login" => Serves::LoginPage,
                "truncated" => Serves::Truncated,
                "empty" => Serves::NoEvents,
                "status" => Serves::Status(number(v, "status")? as u16),
                _ => Serves::Calendar,
            };
            s.ics().change(text(v, "name")?, |feed| {
                (feed.serves, feed.churn) = (serves, v["churn"] == true)
            });
            Some(json!({}))
        },
    ),
    (
        "faults/next",
        "what, service, method, target, skip, times, code, reason, retry_after, seconds",
        fault,
    ),
    ("faults/random", "rate", |s, v| {
        let rate = v["rate"]
            .as_f64()
            .or_else(|| text(v, "rate")?.parse().ok())?;
        s.faults().random(Random::usual(rate));
        Some(json!({}))
    }),
    ("faults/stop", "", |s, _| {
        s.faults().stop();
        Some(json!({}))
    }),
];

fn text<'a>(fields: &'a Value, name: &str) -> Option<&'a str> {
    fields[name].as_str().filter(|text| !text.is_empty())
}

fn number(fields: &Value, name: &str) -> Option<u64> {
    fields[name]
        .as_u64()
        .or_else(|| text(fields, name)?.parse().ok())
}

/// A fault in words.
fn fault(simulator: &Simulator, fields: &Value) -> Option<Value> {
    let trouble = |after| {
        Some(What::Status(Trouble {
            code: number(fields, "code")? as u16,
            reason: text(fields, "reason").unwrap_or("").to_string(),
            retry_after: number(fields, "retry_after"),
            after,
        }))
    };
    let what = match text(fields, "what")? {
        "drop-before" => What::DropBefore,
        "drop-after" => What::DropAfter,
        "status" => trouble(false)?,
        "status-after" => trouble(true)?,
        "slow" => What::Slow(number(fields, "seconds").unwrap_or(5) as i64),
        "truncated" => What::Truncated,
        "tokens-lost" => What::TokensLost,
        "empty-page" => What::Twist(Twist::EmptyPage),
        "cursor-gone" => What::Twist(Twist::CursorGone),
        "replay" => What::Twist(Twist::Replay),
        "missing" => What::Twist(Twist::Missing),
        "rewrite" => What::Twist(Twist::Rewrite),
        "no-etag" => What::Twist(Twist::NoEtag),
        "lose-pings" => {
            simulator
                .faults()
                .lose_pings(number(fields, "times").unwrap_or(1) as u32);
            return Some(json!({}));
        }
        "double-pings" => {
            simulator
                .faults()
                .double_pings(number(fields, "times").unwrap_or(1) as u32);
            return Some(json!({}));
        }
        _ => return None,
    };
    let on = On {
        service: text(fields, "service").and_then(Service::named),
        method: text(fields, "method").map(str::to_string),
        target: text(fields, "target").map(str::to_string),
    };
    let skip = number(fields, "skip").unwrap_or(0) as u32;
    simulator
        .faults()
        .add(on, skip, number(fields, "times").unwrap_or(1) as u32, what);
    Some(json!({"waiting": simulator.faults().waiting()}))
}

/// Everything that is there.
fn state(simulator: &Simulator) -> Value {
    let google = simulator.google();
    let calendars = google.calendars().into_iter().map(|id| {
        let events = google.events(&id);
        (id, events.into())
    });
    let graph = simulator.graph();
    let mailboxes = graph.accounts().into_iter().map(|email| {
        let calendars: Vec<Value> = graph
            .calendars(&email)
            .iter()
            .map(|(id, name)| json!({"id": id, "name": name}))
            .collect();
        let events = graph.events(&email, None);
        (
            email.clone(),
            json!({"calendars": calendars, "events": events}),
        )
    });
    let users = simulator
        .caldav()
        .users()
        .into_iter()
        .map(|(user, calendars)| {
            let all = calendars.into_iter().map(|name| {
                let objects = simulator.caldav().objects(&user, &name);
                (
                    name,
                    objects
                        .into_iter()
                        .map(|(name, text)| json!({"name": name, "text": text}))
                        .collect(),
                )
            });
            let all: serde_json::Map<String, Value> = all.collect();
            (user.clone(), Value::Object(all))
        });
    json!({
        "google": calendars.collect::<serde_json::Map<_, _>>(),
        "graph": mailboxes.collect::<serde_json::Map<_, _>>(),
        "caldav": users.collect::<serde_json::Map<_, _>>(),
        "ics": simulator.ics().names(),
        "violations": simulator.violations(),
        "mails": simulator.world().mails().iter().map(|mail| format!("{} to {} about {}", mail.about, mail.to, mail.event)).collect::<Vec<_>>(),
    })
}

fn log(simulator: &Simulator) -> Value {
    let all = simulator.world().log();
    let lines = all.iter().rev().take(500).map(|one| {
        let (status, body) = match &one.answer {
            Ok((status, body)) => (json!(status), String::from_utf8_lossy(body).into_owned()),
            Err(broken) => (json!(format!("{broken:?}")), String::new()),
        };
        json!({
            "at": one.at, "method": one.method.as_str(), "target": one.target, "write": one.write, "status": status,
            "fault": one.fault.as_ref().map(|what| format!("{what:?}")),
            "request": String::from_utf8_lossy(&one.body), "answer": body,
        })
    });
    lines.collect()
}

pub fn handle(simulator: &Simulator, request: &Request<Bytes>) -> Answer {
    let path = request.uri().path();
    let name = path.trim_start_matches("/control").trim_matches('/');
    match (request.method(), name) {
        (&Method::GET, "") => web::text(200, "text/html; charset=utf-8", page(simulator)),
        (&Method::GET, "state") => web::json(200, &state(simulator)),
        (&Method::GET, "log") => web::json(200, &log(simulator)),
        (&Method::POST, name) => act(simulator, name, request),
        _ => web::text(404, "text/plain", "There is nothing here.\n"),
    }
}

fn act(simulator: &Simulator, name: &str, request: &Request<Bytes>) -> Answer {
    let Some((_, _, action)) = ACTIONS.iter().find(|row| row.0 == name) else {
        return web::json(404, &json!({"error": "no such action"}));
    };
    let kind = request
        .headers()
        .get("content-type")
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or("");
    let form = kind.starts_with("application/x-www-form-urlencoded");
    let fields = match form {
        true => fields_of_form(&String::from_utf8_lossy(request.body())),
        false => serde_json::from_slice(request.body()).unwrap_or(Value::Null),
    };
    match action(simulator, &fields) {
        Some(_) if form => web::with(web::empty(303), "location", "/control/"),
        Some(answer) => web::json(200, &answer),
        None => web::json(
            400,
            &json!({"error": "a field is missing or not acceptable"}),
        ),
    }
}

/// Fields of the page's forms; those that begin with a brace are JSON.
fn fields_of_form(body: &str) -> Value {
    let pairs = Params::parse(body).0.into_iter().map(|(key, value)| {
        let json = value
            .trim_start()
            .starts_with('{')
            .then(|| serde_json::from_str(&value).ok())
            .flatten();
        (key, json.unwrap_or(Value::String(value)))
    });
    Value::Object(pairs.collect())
}

fn page(simulator: &Simulator) -> String {
    let forms: String = ACTIONS
        .iter()
        .map(|(name, fields, _)| {
            let inputs: String = fields
                .split(',')
                .map(|field| field.trim())
                .filter(|field| !field.is_empty())
                .map(|field| {
                    let key = field.split(' ').next().unwrap_or(field).trim_end_matches(')');
                    format!("<input name=\"{key}\" placeholder=\"{}\"> ", escape(field))
                })
                .collect();
            format!("<form method=post action=\"/control/{name}\"><b>{name}</b> {inputs}<button>Do</button></form>\n")
        })
        .collect();
    let state = serde_json::to_string_pretty(&state(simulator)).unwrap_or_default();
    format!(
        "<!doctype html><meta charset=utf-8><title>Simulator</title>\
         <style>body{{font:15px sans-serif;margin:2em}}input{{width:9em}}form{{margin:.3em 0}}pre{{background:#eee;padding:1em}}</style>\
         <h1>Simulated providers</h1><p>JSON: <a href=\"/control/state\">state</a>, <a href=\"/control/log\">log</a>. \
         Events are JSON as in the provider's own API.</p>{forms}<h2>State</h2><pre>{}</pre>",
        escape(&state)
    )
}

/// A few accounts with a few events, in the week after now.
pub fn furnish(simulator: &Simulator) {
    let google = simulator.google();
    google.account("ann@gmail.test", "Europe/Berlin");
    google.calendar_of("ann@gmail.test", "Family", "Europe/Berlin");
    let at = |days: i64, hour: i8| {
        let day = jiff::Timestamp::from_second(simulator.at() + days * 86_400).unwrap_or_default();
        let day = day.to_zoned(jiff::tz::TimeZone::UTC).date();
        format!("{}", day.at(hour, 0, 0, 0))
    };
    let timed = |days, hour| json!({"dateTime": at(days, hour), "timeZone": "Europe/Berlin"});
    google.add("ann@gmail.test", json!({"summary": "Dentist", "location": "Main Street 1", "start": timed(1, 9), "end": timed(1, 10)}));
    google.add("ann@gmail.test", json!({"summary": "Choir", "start": timed(2, 19), "end": timed(2, 21), "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=10"]}));
    for (email, work) in [("bob@outlook.test", false), ("carol@contoso.test", true)] {
        let calendar = simulator
            .graph()
            .account(email, "W. Europe Standard Time", work);
        simulator.graph().add(
            email,
            &calendar,
            json!({"subject": "Lunch", "start": timed(1, 12), "end": timed(1, 13)}),
        );
    }
    simulator.caldav().account("dave", "secret");
    let stamp = at(3, 8).replace(['-', ':'], "");
    let ics = |uid: &str, summary: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Simulator//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:{stamp}Z\r\n\
             DTSTART:{stamp}Z\r\nDURATION:PT1H\r\nSUMMARY:{summary}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    };
    simulator.caldav().put_object(
        "dave",
        "home",
        "walk.ics",
        &ics("walk@simulator.test", "Walk"),
    );
    simulator.ics().set(
        "holidays",
        Feed::new(&ics("holiday@simulator.test", "Holiday")),
    );
}

/// What to paste into the configuration, and where to go next.
pub fn settings(origin: &str) -> String {
    let id = crate::simulator::oauth::CLIENT_ID;
    let secret = crate::simulator::oauth::CLIENT_SECRET;
    format!(
        "Simulated providers on {origin} (page and JSON: {origin}/control/)\n\n\
         # paste into config.toml\n\
         [google]\nclient_id = \"{id}\"\nclient_secret = \"{secret}\"\n\
         authorize_url = \"{origin}/google/o/oauth2/v2/auth\"\ntoken_url = \"{origin}/google/token\"\n\
         userinfo_url = \"{origin}/google/userinfo\"\nrevoke_url = \"{origin}/google/revoke\"\n\
         api_url = \"{origin}/google/calendar/v3\"\n\n\
         [microsoft]\nclient_id = \"{id}\"\nclient_secret = \"{secret}\"\n\
         authorize_url = \"{origin}/microsoft/{{tenant}}/oauth2/v2.0/authorize\"\n\
         token_url = \"{origin}/microsoft/{{tenant}}/oauth2/v2.0/token\"\n\
         userinfo_url = \"{origin}/microsoft/userinfo\"\napi_url = \"{origin}/graph/v1.0\"\n\n\
         [fetch]\nallow_networks = [\"127.0.0.0/8\"]\n\n\
         # CalDAV: {origin}/caldav/ (user dave, password secret); feed: {origin}/ics/holidays.ics\n\
         # Accounts: ann@gmail.test (Google), bob@outlook.test (personal) and carol@contoso.test (work) at Microsoft\n"
    )
}
