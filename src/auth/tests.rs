//! Signing in against a real database, as requests do.

use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};

use crate::app::App;
use crate::app::testing::{World, basic};
use crate::app::users;
use crate::model::access::Scopes;
use crate::model::{CredentialId, Door, Error, Result, Who};
use crate::store::credentials::CredentialKind;
use crate::store::principals;
use crate::wire::Peer;

const PASSWORD: &str = "correct horse battery";

async fn sign_in(app: &App, header: &str) -> Result<Who> {
    sign_in_from(app, header, "192.0.2.1").await
}

async fn sign_in_from(app: &App, header: &str, address: &str) -> Result<Who> {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", header.parse().unwrap());
    let peer = Peer {
        address: address.parse().unwrap(),
        confidential: true,
    };
    app.auth.demand(&headers, &peer, Door::Caldav).await
}

fn refused(outcome: Result<Who>) -> bool {
    matches!(outcome, Err(Error::Unauthorized))
}

#[tokio::test]
async fn passwords_app_passwords_and_tokens_open_the_door() {
    let world = World::new().await;
    let id = world.user_with("anna", Some(PASSWORD)).await;
    let who = sign_in(&world, &basic("anna", PASSWORD)).await.unwrap();
    assert_eq!(
        (who.id, who.name.as_str(), who.scopes),
        (id, "anna", Scopes::ALL)
    );
    assert_eq!(
        sign_in(&world, &basic("ANNA@example.org", PASSWORD))
            .await
            .unwrap()
            .id,
        id
    );
    assert_eq!(
        sign_in(&world, &world.basic("anna").await)
            .await
            .unwrap()
            .id,
        id
    );
    let token = users::new_token(&world, "anna", "crm", Scopes::READ)
        .await
        .unwrap();
    let token = token.expose_secret();
    for header in [
        format!("Bearer {token}"),
        basic("anna", token),
        basic("anna@example.org", token),
    ] {
        let who = sign_in(&world, &header).await.unwrap();
        assert_eq!((who.id, who.scopes), (id, Scopes::READ));
    }
    world.user("bert").await;
    assert!(
        refused(sign_in(&world, &basic("bert", token)).await),
        "somebody else's"
    );
    assert!(refused(sign_in(&world, &basic("bert", PASSWORD)).await));
    assert!(refused(sign_in(&world, &basic("nobody", PASSWORD)).await));
    assert!(refused(sign_in(&world, "Bearer nonsense").await));
}

#[tokio::test]
async fn nothing_is_asked_and_nothing_taken_in_the_clear() {
    let world = World::new().await;
    world.user_with("anna", Some(PASSWORD)).await;
    let open = Peer {
        address: "192.0.2.1".parse().unwrap(),
        confidential: false,
    };
    let mut headers = HeaderMap::new();
    let auth = &world.auth;
    assert_eq!(
        auth.identify(&headers, &open, Door::Api).await.unwrap(),
        None
    );
    assert!(matches!(
        auth.demand(&headers, &open, Door::Api).await,
        Err(Error::Forbidden(_))
    ));
    headers.insert("authorization", basic("anna", PASSWORD).parse().unwrap());
    assert!(matches!(
        auth.identify(&headers, &open, Door::Api).await,
        Err(Error::Forbidden(_))
    ));
}

#[tokio::test]
async fn a_second_factor_leaves_app_passwords_only() {
    let world = World::new().await;
    let id = world.user_with("anna", Some(PASSWORD)).await;
    let device = world.basic("anna").await;
    assert!(sign_in(&world, &basic("anna", PASSWORD)).await.is_ok());
    world
        .store
        .write(move |tx| Box::pin(principals::set_second_factor(tx, id, true)))
        .await
        .unwrap();
    world.clock.advance(2);
    assert!(refused(sign_in(&world, &basic("anna", PASSWORD)).await));
    assert!(sign_in(&world, &device).await.is_ok());
}

#[tokio::test]
async fn a_revocation_reaches_another_server_within_five_seconds() {
    let world = World::new().await;
    world.user_with("anna", Some(PASSWORD)).await;
    let other = world.second().await;
    let device = world.basic("anna").await;
    let typed = basic("anna", PASSWORD);
    assert!(sign_in(&other, &device).await.is_ok());
    assert!(sign_in(&other, &typed).await.is_ok());
    let id = users::credentials(&world, CredentialKind::AppPassword, "anna")
        .await
        .unwrap()[0]
        .id;
    assert!(users::revoke(&world, "anna", id).await.unwrap());
    assert!(
        !users::revoke(&world, "anna", id).await.unwrap(),
        "once is enough"
    );
    assert!(
        !users::revoke(&world, "anna", CredentialId(id.0 + 1))
            .await
            .unwrap()
    );
    users::set_password(&world, "anna", Some(&"another password".into()))
        .await
        .unwrap();
    assert!(refused(sign_in(&world, &device).await), "here at once");
    assert!(sign_in(&other, &device).await.is_ok(), "there from memory");
    world.clock.advance(2);
    assert!(refused(sign_in(&other, &device).await));
    assert!(refused(sign_in(&other, &typed).await));
}

#[tokio::test]
async fn disabled_removed_and_renamed_people() {
    let world = World::new().await;
    let id = world.user("anna").await;
    let device = world.basic("anna").await;
    assert!(sign_in(&world, &device).await.is_ok());
    users::rename(&world, "anna", "anne").await.unwrap();
    assert!(refused(sign_in(&world, &device).await), "another name");
    let renamed = world.basic("anne").await;
    assert_eq!(sign_in(&world, &renamed).await.unwrap().name, "anne");
    world
        .store
        .write(move |tx| Box::pin(principals::set_disabled(tx, id, Some(1))))
        .await
        .unwrap();
    world.clock.advance(2);
    assert!(refused(sign_in(&world, &renamed).await));
    users::remove(&world, "anne").await.unwrap();
    assert!(refused(sign_in(&world, &renamed).await));
}

#[tokio::test]
async fn guessing_is_slowed_for_names_that_exist_and_for_others_alike() {
    let world = World::new().await;
    world.user_with("anna", Some(PASSWORD)).await;
    let device = world.basic("anna").await;
    for name in ["anna", "nobody"] {
        let mut outcomes = Vec::new();
        for n in 0..12 {
            let guess = basic(name, &format!("guess number {n}"));
            outcomes.push(
                sign_in_from(&world, &guess, "192.0.2.9")
                    .await
                    .unwrap_err()
                    .to_string(),
            );
        }
        let wrong = Error::Unauthorized.to_string();
        assert!(
            outcomes[..11].iter().all(|outcome| *outcome == wrong),
            "{name}: {outcomes:?}"
        );
        assert_eq!(
            outcomes[11], "too many attempts, try again in 1 s",
            "{name}"
        );
    }
    let right = sign_in(&world, &basic("anna", PASSWORD)).await;
    assert!(
        matches!(right, Err(Error::Throttled { .. })),
        "the account waits"
    );
    assert!(
        sign_in_from(&world, &device, "192.0.2.9").await.is_ok(),
        "devices do not"
    );
    world.clock.advance(2);
    assert!(sign_in(&world, &basic("anna", PASSWORD)).await.is_ok());
}

#[tokio::test]
async fn the_use_of_a_credential_is_noted() {
    let world = World::new().await;
    world.user("anna").await;
    let header = world.basic("anna").await;
    sign_in(&world, &header).await.unwrap();
    let now = world.clock.now();
    for _ in 0..100 {
        let all = users::credentials(&world, CredentialKind::AppPassword, "anna")
            .await
            .unwrap();
        if all[0].last_used == Some(now) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it was not");
}

#[tokio::test]
async fn unacceptable_users_are_refused_with_the_field() {
    let world = World::new().await;
    world.user("anna").await;
    for (name, password, complaint) in [
        ("Anna", None, "name: "),
        ("", None, "name: "),
        ("anna", None, "the name anna is taken"),
        ("bert", Some("short"), "password: "),
    ] {
        let user = users::NewUser {
            name: name.into(),
            email: None,
            display_name: None,
            admin: false,
            password: password.map(SecretString::from),
        };
        let why = users::add(&world, user).await.unwrap_err().to_string();
        assert!(why.starts_with(complaint), "{name}: {why}");
    }
}

#[tokio::test]
async fn the_first_start_makes_one_administrator() {
    let world = World::new().await;
    let first = users::first_start(&world).await.unwrap().unwrap();
    let header = basic(&first.name, first.app_password.expose_secret());
    assert!(sign_in(&world, &header).await.unwrap().admin);
    assert!(users::first_start(&world).await.unwrap().is_none());
}
