//! PRODUCT §9: no token, password or secret address in logs, errors, metrics or Debug output. Everything is logged here,
//! down to `trace`, while secrets go through every door; then all that was written is searched for them.

use secrecy::ExposeSecret;

use super::{Running, text};
use crate::app::testing::basic;
use crate::app::{feeds, users};
use crate::config::{AccessLog, Log};
use crate::model::access::Scopes;
use crate::server::log::captured::Captured;
use crate::server::log::subscriber;
use crate::wire::Peer;

#[tokio::test]
async fn no_secret_is_written_anywhere() {
    let log = Log {
        level: "trace".into(),
        json: false,
        access: AccessLog::All,
    };
    let captured = Captured::default();
    let guard = tracing::subscriber::set_default(subscriber(&log, captured.clone()));
    let running = Running::new(&[
        ("log.access", "all"),
        (
            "database_url",
            "postgres://kalends:database-password@localhost/kalends",
        ),
    ])
    .await;
    let world = &running.world;
    let (password, wrong) = ("correct horse battery", "wrong horse battery");
    world.user_with("anna", Some(password)).await;
    let device = users::new_app_password(world, "anna", "phone")
        .await
        .unwrap();
    let token = users::new_token(world, "anna", "crm", Scopes::ADMIN)
        .await
        .unwrap();
    let (device, token) = (device.expose_secret(), token.expose_secret());
    let who = users::acting(world, "anna").await.unwrap();
    let new = feeds::New {
        calendars: vec!["calendar".into()],
        privacy: feeds::Privacy::Full,
        comment: String::new(),
        past_days: None,
        future_days: None,
        expires: None,
    };
    let shown = feeds::create(world, &who, new).await.unwrap();
    let feed = shown.secret.expose_secret();
    let headers = [
        basic("anna", password),
        basic("anna", wrong),
        basic("anna", device),
        basic(wrong, device),
        format!("Bearer {token}"),
        format!("Bearer {token}x"),
    ];
    let paths = [
        "/dav/calendars/anna/calendar/".to_string(),
        format!("/feeds/{feed}.ics"),
        format!("/feeds/{feed}.ifb"),
        format!("/feeds/{feed}.json"),
        format!("/feed/{feed}.ics"),
        format!("/{feed}"),
        format!("/api/v1/sessions?token={feed}"),
        format!("/freebusy/anna?start={feed}"),
        "/metrics".to_string(),
    ];
    let mut answers = String::new();
    for header in &headers {
        for path in &paths {
            for method in ["GET", "PROPFIND"] {
                let response = running
                    .ask_from(Peer::LOCAL, method, path, Some(header))
                    .await;
                answers += &format!("{:?}", response.headers());
                answers += &text(response).await;
            }
        }
    }
    let metrics = text(running.ask("GET", "/metrics").await).await;
    drop(guard);
    let debug = format!(
        "{:?} {:?} {:?} {shown:?}",
        world.config, world.seal, world.fresh.url
    );
    let log = captured.text();
    assert!(log.lines().count() >= headers.len() * paths.len(), "{log}");
    let key = headers.map(|header| header.split(' ').nth(1).unwrap().to_string());
    let mut secrets = vec!["database-password", password, wrong, device, token, feed];
    secrets.extend(key.iter().map(String::as_str));
    for (place, written) in [
        ("log", &log),
        ("answers", &answers),
        ("Debug", &debug),
        ("metrics", &metrics),
    ] {
        for secret in &secrets {
            assert!(!written.contains(secret), "{secret} is in the {place}");
        }
        assert!(
            !written.contains("$argon2"),
            "a password's hash is in the {place}"
        );
    }
}
