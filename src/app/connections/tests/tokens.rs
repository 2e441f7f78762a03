//! Tokens: renewed early and once, stored before they are used, and what happens when they cannot be.

use secrecy::ExposeSecret;

use super::super::*;
use super::world::{ANNA, BOTH, Bridged};
use crate::app::App;
use crate::simulator::Service;
use crate::simulator::faults::{On, What};
use crate::store;
use crate::sync::credentials::{Keeper, Secret};

/// What is stored: access and refresh token.
async fn stored(app: &App, id: ConnectionId, provider: &str) -> (String, String) {
    let keeper = Keeper::new(app.bridge().await.unwrap(), id, provider);
    match keeper.load().await.unwrap().0 {
        Secret::OAuth {
            access, refresh, ..
        } => (
            access.expose_secret().to_string(),
            refresh.unwrap().expose_secret().to_string(),
        ),
        other => panic!("{other:?}"),
    }
}

async fn account(app: &App, world: &Bridged, id: ConnectionId) -> crate::remote::Account {
    let connection = find(app, &world.who, id).await.unwrap();
    app.bridge()
        .await
        .unwrap()
        .account(&connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn facts_2_refresh_single_flight_rotation_and_absent_tokens() {
    for provider in BOTH {
        let world = Bridged::new().await;
        let id = world.connect(provider).await;
        let (first, old) = stored(&world, id, provider).await;
        world.asked();
        // Not before it is time …
        world.pass(3000);
        let one = account(&world, &world, id).await;
        let header = one.credentials.header(false).await.unwrap().unwrap();
        assert_eq!(header, format!("Bearer {first}").as_str());
        assert_eq!(world.asked(), Vec::<String>::new());
        // … but 5 minutes before the end, once for all who ask, here and on another server.
        world.pass(310);
        let second = world.second_server().await;
        let other = account(&second, &world, id).await;
        let twin = account(&world, &world, id).await;
        let (a, b, c) = tokio::join!(
            one.credentials.header(false),
            other.credentials.header(false),
            twin.credentials.header(false)
        );
        assert_eq!(world.asked_for("/token"), 1, "{provider}");
        let (access, refresh) = stored(&world, id, provider).await;
        for header in [a, b, c] {
            assert_eq!(
                header.unwrap().unwrap(),
                format!("Bearer {access}").as_str()
            );
        }
        assert_ne!(access, first);
        // Microsoft gives a new refresh token each time; Google none, and the old one stays.
        assert_eq!(refresh == old, provider == "google");
        // A 401 renews, too, and whoever comes late takes what is there.
        world.authority(provider).forget_access_tokens();
        let report = test(&world, &world.who, id).await.unwrap();
        assert_eq!(report[0].verdict, Verdict::Works);
        assert_eq!(world.asked_for("/token"), 1);
        let late = other.credentials.header(true).await.unwrap().unwrap();
        let (access, _) = stored(&world, id, provider).await;
        assert_eq!(late, format!("Bearer {access}").as_str());
        assert_eq!(world.asked_for("/token"), 0);
    }
}

#[tokio::test]
async fn a_renewal_that_fails_for_a_while_changes_nothing() {
    let world = Bridged::new().await;
    let id = world.connect("microsoft").await;
    world.pass(3500);
    let on = || On::service(Service::MicrosoftAuth);
    for what in [
        What::status(503),
        What::status(429),
        What::DropBefore,
        What::DropAfter,
    ] {
        world.simulator.faults().next(on(), what);
        let account = account(&world, &world, id).await;
        assert!(account.credentials.header(false).await.is_err());
        let shown = get(&world, &world.who, id).await.unwrap();
        assert_eq!(shown.connection.health, Health::Ok);
    }
    // The answer with the new refresh token was lost: the old one still works for a while.
    let account = account(&world, &world, id).await;
    assert!(account.credentials.header(false).await.is_ok());
}

#[tokio::test]
async fn facts_3_invalid_grant_asks_for_a_reconnect_and_polling_stops() {
    for provider in BOTH {
        let world = Bridged::new().await;
        let id = world.connect(provider).await;
        world.pass(30 * 86_400);
        world.authority(provider).revoke(ANNA);
        let account = account(&world, &world, id).await;
        assert!(account.credentials.header(false).await.is_err());
        let shown = get(&world, &world.who, id).await.unwrap();
        assert_eq!(shown.connection.health, Health::Reconnect);
        assert!(
            shown.advice[0].contains("Connect again"),
            "{:?}",
            shown.advice
        );
        assert!(
            !shown.advice[0].contains("Testing"),
            "after a month that is not why"
        );
        // Nothing is polled any more, and the owner is told once.
        let now = world.clock.now();
        let claimed = world
            .store
            .write(move |tx| Box::pin(store::bridges::connections::claim(tx, now, now + 60)))
            .await
            .unwrap();
        assert!(claimed.is_none());
        assert_eq!(tell(&world).await.unwrap(), 1);
        assert!(account.credentials.header(false).await.is_err());
        assert_eq!(tell(&world).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn googles_week_for_applications_in_testing_is_explained() {
    let world = Bridged::new().await;
    world.authority("google").settings(|all| all.testing = true);
    let id = world.connect("google").await;
    let shown = get(&world, &world.who, id).await.unwrap();
    assert!(
        shown.advice[0].contains("Testing"),
        "told in time: {:?}",
        shown.advice
    );
    world.pass(7 * 86_400 + 60);
    let account = account(&world, &world, id).await;
    assert!(account.credentials.header(false).await.is_err());
    let shown = get(&world, &world.who, id).await.unwrap();
    assert_eq!(shown.connection.health, Health::Reconnect);
    assert!(shown.advice[0].contains("Testing"), "{:?}", shown.advice);
}

#[tokio::test]
async fn a_wrong_registration_is_the_operators_and_is_tried_again_after_a_restart() {
    for provider in BOTH {
        let world = Bridged::new().await;
        let id = world.connect(provider).await;
        world.authority(provider).change_secret("another");
        world.pass(3600);
        let account = account(&world, &world, id).await;
        assert!(account.credentials.header(false).await.is_err());
        let shown = get(&world, &world.who, id).await.unwrap();
        assert_eq!(shown.connection.health, Health::Operator);
        assert!(
            shown.advice[0].contains("Whoever runs this server"),
            "{:?}",
            shown.advice
        );
        world
            .authority(provider)
            .change_secret(crate::simulator::oauth::CLIENT_SECRET);
        assert_eq!(retry_operators(&world).await.unwrap(), 1);
        assert!(account.credentials.header(false).await.is_ok());
        assert!(get(&world, &world.who, id).await.unwrap().advice.is_empty());
    }
}
