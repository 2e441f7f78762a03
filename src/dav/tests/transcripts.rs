//! What clients send, as text: `fixtures/http/<client>/*.http`, each run against a world of its own.
//!
//! A file is a list of steps. `# …` begins one and says where the request is from. Then come the request line, headers, an
//! empty line and the body; `=> 207` is the status that the client needs. Lines after it: `has TEXT`, `lacks TEXT`, and
//! `let NAME = TEXT`, which takes what stands for `*` in TEXT out of the answer (headers first). `{NAME}` is filled in later.

use std::collections::BTreeMap;

use super::*;

struct Step {
    about: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    status: u16,
    checks: Vec<String>,
}

fn parse(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for block in text.split("\n# ").filter(|block| !block.trim().is_empty()) {
        let (about, rest) = block
            .trim_start_matches("# ")
            .split_once('\n')
            .expect("a request after its heading");
        let (request, reply) = rest
            .split_once("\n=> ")
            .unwrap_or_else(|| panic!("no => in {about}"));
        let (head, body) = request
            .trim_start()
            .split_once("\n\n")
            .unwrap_or((request.trim(), ""));
        let mut lines = head.lines();
        let (method, path) = lines
            .next()
            .and_then(|line| line.split_once(' '))
            .expect("METHOD path");
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect();
        let mut reply = reply.lines();
        steps.push(Step {
            about: about.to_owned(),
            method: method.to_owned(),
            path: path.trim().to_owned(),
            headers,
            body: body.trim_end().to_owned(),
            status: reply
                .next()
                .and_then(|line| line.trim().parse().ok())
                .expect("a status"),
            checks: reply
                .map(str::to_owned)
                .filter(|line| !line.trim().is_empty())
                .collect(),
        });
    }
    steps
}

fn fill(text: &str, holes: &BTreeMap<String, String>) -> String {
    holes.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

async fn run(name: &str, text: &str) {
    let dav = Dav::new().await;
    let mut holes = BTreeMap::new();
    for step in parse(text) {
        let at = format!("{name}: {}", step.about);
        let mut body = fill(&step.body, &holes);
        if body.starts_with("BEGIN:") {
            body = body.replace('\n', "\r\n") + "\r\n";
        }
        let headers: Vec<(String, String)> = step
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), fill(value, &holes)))
            .collect();
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let answer = dav
            .send(&step.method, &fill(&step.path, &holes), &headers, &body)
            .await;
        let text = seen(&answer);
        assert_eq!(answer.status, step.status, "{at}\n{text}");
        for check in &step.checks {
            let check = fill(check, &holes);
            let (verb, rest) = check.split_once(' ').unwrap_or((&check, ""));
            match verb {
                "has" => assert!(text.contains(rest), "{at}: no {rest} in\n{text}"),
                "lacks" => assert!(!text.contains(rest), "{at}: {rest} in\n{text}"),
                "let" => {
                    let (hole, pattern) = rest.split_once(" = ").expect("let NAME = TEXT");
                    holes.insert(
                        hole.to_owned(),
                        take(&text, pattern)
                            .unwrap_or_else(|| panic!("{at}: no {pattern} in\n{text}")),
                    );
                }
                other => panic!("{at}: {other}"),
            }
        }
    }
}

/// Headers and body of an answer.
fn seen(answer: &Answer) -> String {
    let headers = answer
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()));
    headers.collect::<String>() + "\n" + &answer.text()
}

/// What stands for the `*`.
fn take(text: &str, pattern: &str) -> Option<String> {
    let (before, after) = pattern.split_once('*').expect("a *");
    let rest = &text[text.find(before)? + before.len()..];
    let end = if after.is_empty() {
        rest.find('\n')
    } else {
        rest.find(after)
    };
    Some(rest[..end?].to_owned())
}

#[tokio::test]
async fn every_transcript() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/http");
    let mut count = 0;
    for client in std::fs::read_dir(root).unwrap() {
        for file in std::fs::read_dir(client.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            run(
                &path.display().to_string(),
                &std::fs::read_to_string(&path).unwrap(),
            )
            .await;
            count += 1;
        }
    }
    assert!(count >= 6, "transcripts were found");
}

/// Apple's recorded requests, when they lie beside the crate: none may fail, and unknown properties are no error.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "where files beside the crate are is no setting of the program"
)]
async fn apples_recorded_requests() {
    let root =
        std::env::var("KALENDS_SHARED").unwrap_or_else(|_| "../shared".into()) + "/clients/apple";
    let Ok(clients) = std::fs::read_dir(&root) else {
        return eprintln!("skipped: {root} is not there");
    };
    let dav = Dav::new().await;
    dav.put("a.ics", &event("a", 1)).await;
    for client in clients
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
    {
        for file in std::fs::read_dir(client.path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            recorded(&dav, &name, &text).await;
        }
    }
}

async fn recorded(dav: &Dav, name: &str, text: &str) {
    let holes = [
        ("%(sync-token)s", ""),
        ("%(search)s", "anna"),
        ("%(start-date)s", "20270101"),
        (
            "%(hrefs)s",
            "<A:href xmlns:A=\"DAV:\">/dav/calendars/anna/work/a.ics</A:href>",
        ),
        ("{context}", "attendee"),
        ("{searchTokens}", "<C:search-token>anna</C:search-token>"),
        ("{order}", "1"),
        ("{component_type}", "VEVENT"),
        ("{color}", "FD8208FF"),
        ("{name}", "Made"),
    ];
    // One file holds two requests.
    let documents: Vec<String> = text
        .split("<?xml")
        .skip(1)
        .map(|part| format!("<?xml{part}"))
        .collect();
    for document in documents {
        let body = holes
            .iter()
            .fold(document, |body, (hole, value)| body.replace(hole, value));
        let home = name.contains("calendarhome");
        let (method, path, status) = match name {
            _ if name.contains("create_calendar") => {
                ("MKCALENDAR", "/dav/calendars/anna/made/", 201)
            }
            _ if name.contains("principals_report") => ("REPORT", "/principals/", 200),
            _ if name.contains("search") => ("REPORT", "/dav/principals/", 207),
            _ if name.contains("expand") => ("REPORT", "/dav/principals/anna/", 207),
            _ if name.contains("well_known") || name.contains("initial") => {
                ("PROPFIND", "/principals/", 207)
            }
            _ if name.contains("proppatch") => ("PROPPATCH", if home { ANNA } else { WORK }, 207),
            _ if name.contains("notification_sync") => {
                ("REPORT", "/dav/calendars/anna/notifications/", 207)
            }
            _ if name.contains("notification") => {
                ("PROPFIND", "/dav/calendars/anna/notifications/", 207)
            }
            _ if name.contains("inbox") => ("PROPFIND", "/dav/calendars/anna/inbox/", 207),
            _ if name.contains("principal") => ("PROPFIND", "/dav/principals/anna/", 207),
            _ if name.contains("home_sync") => ("REPORT", ANNA, 207),
            _ if name.contains("propfind") => ("PROPFIND", if home { ANNA } else { WORK }, 207),
            _ => ("REPORT", WORK, 207),
        };
        for prefer in ["return=minimal", "handling=lenient"] {
            let path = if method == "MKCALENDAR" {
                format!("{}{}/", path.trim_end_matches('/'), prefer.len())
            } else {
                path.to_owned()
            };
            let status = if method == "PROPPATCH" && prefer == "return=minimal" {
                200
            } else {
                status
            };
            let answer = dav
                .ok(
                    method,
                    &path,
                    &[
                        ("Depth", "1"),
                        ("Prefer", prefer),
                        ("Content-Type", "text/xml"),
                    ],
                    &body,
                    status,
                )
                .await;
            assert!(
                !answer.text().contains(" 403 "),
                "{name}: {}",
                answer.text()
            );
            if status == 207 {
                assert!(
                    !answer.responses().is_empty()
                        || name.contains("sync")
                        || name.contains("query"),
                    "{name}: {}",
                    answer.text()
                );
            }
        }
    }
}
