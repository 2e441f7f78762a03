use std::sync::{Arc, Mutex};

use http::HeaderValue;

use super::*;
use crate::clock::Clock;
use crate::remote::testing::{Script, account_with};
use crate::remote::{Answer, Credentials};

/// Gives `Bearer old` until it is told that it was refused.
#[derive(Default)]
struct Rotating(Mutex<Vec<bool>>);

impl Credentials for Rotating {
    fn header(&self, rejected: bool) -> Answer<'_, Result<Option<HeaderValue>, Fault>> {
        self.0.lock().unwrap().push(rejected);
        let value = if rejected { "Bearer new" } else { "Bearer old" };
        Box::pin(async move { Ok(Some(HeaderValue::from_static(value))) })
    }
}

fn get() -> Request<Bytes> {
    request(Method::GET, "https://provider.example/x").unwrap()
}

#[tokio::test]
async fn after_a_401_a_fresh_header_is_tried_once() {
    let script = Script::new().answer(401, "").answer(200, "{}");
    let rotating = Arc::new(Rotating::default());
    let account = account_with(&script, rotating.clone());
    assert_eq!(account.send(get()).await.unwrap().status(), 200);
    assert_eq!(*rotating.0.lock().unwrap(), [false, true]);
    let sent: Vec<String> = script
        .requests()
        .iter()
        .map(|r| {
            r.headers()[header::AUTHORIZATION]
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(sent, ["Bearer old", "Bearer new"]);

    let script = Script::new().answer(401, "").answer(401, "");
    let account = account_with(&script, Arc::new(Rotating::default()));
    assert!(matches!(account.send(get()).await, Err(Fault::Revoked(_))));
}

#[tokio::test]
async fn a_broken_connection_is_in_doubt_only_for_a_write_that_was_sent() {
    let post = || request(Method::POST, "https://provider.example/x").unwrap();
    for (request, asks, sent, unknown) in [
        (get(), false, true, false),
        (get(), false, false, false),
        (post(), false, true, true),
        (post(), false, false, false),
        (post(), true, true, false),
    ] {
        let script = Script::new().broken(sent);
        let account = account_with(&script, Arc::new(Rotating::default()));
        let fault = if asks {
            account.ask(request).await
        } else {
            account.send(request).await
        }
        .unwrap_err();
        assert_eq!(matches!(fault, Fault::OutcomeUnknown(_)), unknown);
        assert_eq!(matches!(fault, Fault::Transient(_)), !unknown);
    }
}

#[test]
fn retry_after_is_seconds_or_a_date_and_never_absurd() {
    let mut account = account_with(&Script::new(), Arc::new(Rotating::default()));
    account.clock = Clock::by_hand(784_111_700);
    for (value, at) in [
        ("30", Some(784_111_730)),
        ("0", Some(784_111_700)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", Some(784_111_700)),
        ("4000000000", Some(784_111_700 + LONGEST_WAIT)),
        ("soon", None),
        ("-3", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
        assert_eq!(account.retry_after(&headers), at, "{value}");
    }
    assert_eq!(account.retry_after(&HeaderMap::new()), None);
}

#[test]
fn an_answer_that_is_no_json_is_transient() {
    let page = Response::new(Bytes::from_static(b"<html>"));
    assert!(matches!(
        json::<serde_json::Value>(&page),
        Err(Fault::Transient(_))
    ));
}
