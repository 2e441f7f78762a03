//! FACTS §7: conditional polling, churned UIDs, and never deleting on what is no good text.

use std::sync::Arc;

use secrecy::SecretString;

use super::super::testing::{NOW, Script, account_with};
use super::super::{Change, Credentials};
use super::*;

const HEAD: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nX-WR-CALNAME:Team\r\nREFRESH-INTERVAL;VALUE=DURATION:PT2H\r\n";

fn event(uid: &str, day: u32, title: &str) -> String {
    let uid = match uid {
        "" => String::new(),
        uid => format!("UID:{uid}\r\n"),
    };
    format!(
        "BEGIN:VEVENT\r\n{uid}DTSTAMP:20260101T000000Z\r\nDTSTART:202603{day:02}T100000Z\r\nDTEND:202603{day:02}T110000Z\r\nSUMMARY:{title}\r\nEND:VEVENT\r\n"
    )
}

fn feed(events: &[String]) -> String {
    format!("{HEAD}{}END:VCALENDAR\r\n", events.concat())
}

struct Address(&'static str);

impl Credentials for Address {
    fn header(&self, _: bool) -> Answer<'_, Result<Option<http::HeaderValue>, Fault>> {
        Box::pin(async { Ok(None) })
    }

    fn basic(&self) -> Option<(String, SecretString)> {
        Some((String::new(), self.0.to_string().into()))
    }
}

fn subscriber(script: &Script) -> Account {
    account_with(
        script,
        Arc::new(Address("webcal://cal.example/s3cret/x.ics")),
    )
}

fn place() -> Place {
    Place {
        remote_id: "feed".into(),
        zone: "UTC".into(),
        extra: String::new(),
    }
}

/// Ids of what is whole and what is gone, and the cursor.
fn told(page: Page) -> (Vec<String>, Vec<String>, Vec<u8>) {
    let Next::Done(Some(cursor)) = page.next else {
        panic!("a feed has one page")
    };
    let (mut whole, mut gone) = (Vec::new(), Vec::new());
    for change in page.changes {
        match change {
            Change::Whole(items) => whole.push(items[0].id.clone()),
            Change::Gone(id) => gone.push(id),
            Change::Part(_) => panic!("no parts here"),
        }
    }
    (whole, gone, cursor)
}

/// Reads `texts` one after the other, two hours apart; what each told.
async fn read_all(texts: &[String]) -> Vec<(Vec<String>, Vec<String>)> {
    let mut cursor: Option<Vec<u8>> = None;
    let mut all = Vec::new();
    for text in texts {
        let script = Script::new().answer(200, text.as_str());
        let account = subscriber(&script);
        account.clock.advance(all.len() as i64 * 7_200);
        let from = cursor.as_deref().map_or(From::Start, From::Cursor);
        let (whole, gone, next) = told(Ics.changes(&account, &place(), from).await.unwrap());
        cursor = Some(next);
        all.push((whole, gone));
    }
    all
}

#[tokio::test]
async fn what_changed_between_two_fetches_is_told_and_nothing_else() {
    let (a, b) = (event("a", 1, "A"), event("b", 2, "B"));
    let told = read_all(&[
        feed(&[a.clone(), b.clone()]),
        // Stamped anew and in another order: the same.
        feed(&[b.replace("20260101T000000Z", "20260327T000000Z"), a.clone()]),
        feed(&[a, event("b", 2, "B!"), event("c", 3, "C")]),
        feed(&[event("b", 2, "B!"), event("c", 3, "C")]),
    ])
    .await;
    let list = |ids: &[&str]| ids.iter().map(|id| id.to_string()).collect::<Vec<_>>();
    assert_eq!(told[0], (list(&["a", "b"]), vec![]));
    assert_eq!(told[1], (vec![], vec![]));
    assert_eq!(told[2], (list(&["b", "c"]), vec![]));
    assert_eq!(told[3], (vec![], list(&["a"])));
}

#[tokio::test]
async fn facts_31_churned_uids_are_paired_by_content_and_keep_their_first_name() {
    let told = read_all(&[
        feed(&[
            event("x1", 1, "A"),
            event("x2", 1, "A"),
            event("x3", 2, "B"),
        ]),
        feed(&[
            event("y1", 2, "B"),
            event("y2", 1, "A"),
            event("y3", 1, "A"),
        ]),
        feed(&[
            event("z1", 2, "B"),
            event("z2", 1, "A"),
            event("z3", 5, "New"),
        ]),
    ])
    .await;
    assert_eq!(told[1], (vec![], vec![]));
    assert_eq!(told[2].0, ["z3"]);
    assert_eq!(told[2].1.len(), 1, "{told:?}");
    assert!(["x1", "x2"].contains(&told[2].1[0].as_str()), "{told:?}");
}

#[tokio::test]
async fn events_without_a_uid_get_one_that_stays() {
    let told = read_all(&[
        feed(&[event("", 1, "A"), event("", 1, "A"), event("", 2, "B")]),
        feed(&[event("", 2, "B"), event("", 1, "A"), event("", 1, "A")]),
    ])
    .await;
    assert_eq!(told[0].0.len(), 3);
    assert_eq!(told[1], (vec![], vec![]));
}

#[tokio::test]
async fn facts_31_304_says_nothing_changed_and_conditions_are_sent() {
    let first = http::Response::builder()
        .status(200)
        .header("etag", "\"v1\"")
        .header("last-modified", "Fri, 27 Mar 2026 10:00:00 GMT")
        .body(Bytes::from(feed(&[event("a", 1, "A")])));
    let script = Script::new().response(first.unwrap()).answer(304, "");
    let account = subscriber(&script);
    let (_, _, cursor) = told(Ics.changes(&account, &place(), From::Start).await.unwrap());

    // REFRESH-INTERVAL: two hours without a request.
    account.clock.advance(7_199);
    let page = Ics
        .changes(&account, &place(), From::Cursor(&cursor))
        .await
        .unwrap();
    assert_eq!((page.changes.len(), script.requests().len()), (0, 1));

    account.clock.advance(1);
    let page = Ics
        .changes(&account, &place(), From::Cursor(&cursor))
        .await
        .unwrap();
    assert_eq!(told(page), (vec![], vec![], cursor));
    let asked = &script.requests()[1];
    assert_eq!(asked.uri(), "https://cal.example/s3cret/x.ics");
    assert_eq!(asked.headers()["if-none-match"], "\"v1\"");
    assert_eq!(
        asked.headers()["if-modified-since"],
        "Fri, 27 Mar 2026 10:00:00 GMT"
    );
    assert!(!asked.headers().contains_key("authorization"));
    assert!(account.clock.now() > NOW);
}

#[tokio::test]
async fn facts_31_nothing_is_deleted_on_what_is_no_good_text() {
    let script = Script::new().answer(200, feed(&[event("a", 1, "A")]));
    let account = subscriber(&script);
    let (_, _, cursor) = told(Ics.changes(&account, &place(), From::Start).await.unwrap());
    let cut = feed(&[event("a", 1, "A"), event("b", 1, "B")]).replace("END:VCALENDAR\r\n", "");
    for (status, body, kind) in [
        (
            200,
            "<!doctype html><title>Sign in</title>".to_string(),
            "later",
        ),
        (200, cut, "later"),
        (200, feed(&[]), "later"),
        (200, String::new(), "later"),
        (500, String::new(), "later"),
        (404, String::new(), "gone"),
        (403, String::new(), "revoked"),
        (429, String::new(), "slow"),
    ] {
        let script = Script::new().answer(status, body.as_str());
        let account = subscriber(&script);
        account.clock.advance(9_000);
        let fault = Ics
            .changes(&account, &place(), From::Cursor(&cursor))
            .await
            .unwrap_err();
        let found = match fault {
            Fault::Transient(_) => "later",
            Fault::NotFound => "gone",
            Fault::Revoked(_) => "revoked",
            Fault::Throttled(_) => "slow",
            _ => "other",
        };
        assert_eq!(found, kind, "{status} {body}");
        assert!(!fault.to_string().contains("s3cret"));
    }
}

#[tokio::test]
async fn redirects_are_followed_a_few_times_and_never_to_an_unencrypted_address() {
    let to = |location: &str| {
        let answer = http::Response::builder()
            .status(302)
            .header("location", location);
        answer.body(Bytes::new()).unwrap()
    };
    let script = Script::new()
        .response(to("/elsewhere.ics"))
        .response(to("https://other.example/y.ics"))
        .answer(200, feed(&[event("a", 1, "A")]));
    Ics.changes(&subscriber(&script), &place(), From::Start)
        .await
        .unwrap();
    let asked: Vec<_> = script
        .requests()
        .iter()
        .map(|r| r.uri().to_string())
        .collect();
    assert_eq!(
        asked[1..],
        [
            "https://cal.example/elsewhere.ics",
            "https://other.example/y.ics"
        ]
    );

    let script = Script::new().response(to("http://127.0.0.1/x"));
    let refused = Ics
        .changes(&subscriber(&script), &place(), From::Start)
        .await;
    assert!(matches!(refused, Err(Fault::Transient(_))));

    let script = (0..6).fold(Script::new(), |script, _| script.response(to("/again")));
    let endless = Ics
        .changes(&subscriber(&script), &place(), From::Start)
        .await;
    assert!(matches!(endless, Err(Fault::Transient(_))));
    assert_eq!(script.left(), 0);
}

#[tokio::test]
async fn a_feed_tells_its_name_and_is_read_only() {
    let script = Script::new().answer(200, feed(&[event("a", 1, "A")]));
    let account = subscriber(&script);
    let listed = Ics.calendars(&account).await.unwrap();
    assert_eq!(
        (listed[0].name.as_str(), listed[0].writable),
        ("Team", false)
    );
    let identity = Ics.identity(&account).await.unwrap();
    assert_eq!(identity.label, "cal.example");
    assert!(!identity.account.contains("s3cret"));
}

#[tokio::test]
async fn a_small_text_that_would_become_a_large_one_is_refused() {
    let zone = format!(
        "BEGIN:VTIMEZONE\r\nTZID:Long\r\nCOMMENT:{}\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n",
        "x".repeat(30_000)
    );
    let local =
        |n: usize| event(&format!("u{n}"), 1, "A").replace("DTSTART:", "DTSTART;TZID=Long:");
    let events: Vec<String> = (0..2_400).map(local).collect();
    let text = feed(&[vec![zone], events].concat());
    let script = Script::new().answer(200, text);
    let refused = Ics
        .changes(&subscriber(&script), &place(), From::Start)
        .await;
    assert!(matches!(refused, Err(Fault::Transient(why)) if why.contains("MiB")));
}
