use secrecy::ExposeSecret;

use super::*;
use crate::app::feeds::{New, Privacy};
use crate::app::testing::World;
use crate::app::users;
use crate::clock::{Clock, Dice};
use crate::config::Config;
use crate::model::Who;
use crate::store::bridges::NewConnection;

async fn feed(app: &App, who: &Who) -> String {
    let new = New {
        calendars: vec!["calendar".into()],
        privacy: Privacy::Busy,
        comment: String::new(),
        past_days: None,
        future_days: None,
        expires: None,
    };
    let shown = feeds::create(app, who, new).await.unwrap();
    shown.secret.expose_secret().to_string()
}

async fn secrets(app: &App, who: &Who) -> Vec<String> {
    let all = feeds::list(app, who).await.unwrap();
    all.iter()
        .map(|one| one.secret.expose_secret().to_string())
        .collect()
}

async fn connect(app: &App, who: &Who) {
    let secret = app.seal.seal(sync::credentials::PURPOSE, b"{}").unwrap();
    let new = NewConnection {
        owner: who.id,
        provider: "google".into(),
        account: "1".into(),
        label: "anna@example.org".into(),
        secret,
        scopes: String::new(),
    };
    app.store
        .write(move |tx| Box::pin(async move { connections::create(tx, &new, 1).await }))
        .await
        .unwrap();
}

/// A world whose key is in a file, and another process with the same file.
async fn worlds() -> (tempfile::TempDir, World, App) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kalends.key");
    let world = World::new().await;
    let open = |store| {
        let dice = Dice::system();
        let seal = Seal::open(None, &path, &dice).unwrap();
        App::new(
            Config::default(),
            store,
            Clock::by_hand(1_800_000_000),
            dice,
            seal,
        )
        .unwrap()
    };
    let server = open(world.fresh.again().await);
    let command = open(world.fresh.again().await);
    (
        folder,
        World {
            app: server,
            ..world
        },
        command,
    )
}

#[tokio::test]
async fn everything_is_sealed_anew_while_a_server_runs() {
    let (_folder, server, command) = worlds().await;
    server.user("anna").await;
    let anna = users::acting(&server, "anna").await.unwrap();
    let first = feed(&server, &anna).await;
    connect(&server, &anna).await;
    assert!(server.has_the_key().await.unwrap());
    let old = server.seal.key_id();

    let mut heard = Vec::new();
    let done = rotate(&command, |count| heard.push(count)).await.unwrap();
    assert_eq!((done.new, done.resealed, done.lost), (true, 2, 0));
    assert_eq!(heard.last(), Some(&2));
    assert_ne!(done.key, old);
    // The server reads what was sealed anew, and seals with the new key from now on.
    assert_eq!(secrets(&server, &anna).await, std::slice::from_ref(&first));
    let second = feed(&server, &anna).await;
    assert!(server.has_the_key().await.unwrap());
    let used = list(&command).await.unwrap();
    let shape: Vec<_> = used
        .iter()
        .map(|key| (key.seals, key.known, key.secrets))
        .collect();
    assert_eq!(shape, [(true, true, 3), (false, true, 0)]);

    assert_eq!(drop_old(&command).await.unwrap(), [old]);
    assert_eq!(secrets(&command, &anna).await, [first, second]);
    assert!(command.has_the_key().await.unwrap());
}

#[tokio::test]
async fn a_rotation_that_was_cut_off_is_finished_and_keeps_its_key() {
    let (_folder, server, command) = worlds().await;
    server.user("anna").await;
    let anna = users::acting(&server, "anna").await.unwrap();
    feed(&server, &anna).await;
    // The key was made, and then the machine stopped.
    let new = command.seal.add_key().unwrap();
    let why = drop_old(&command).await.unwrap_err().to_string();
    assert!(why.contains("keys rotate"), "{why}");
    let done = rotate(&command, |_| {}).await.unwrap();
    assert_eq!((done.key, done.new, done.resealed), (new, false, 1));
    assert_eq!(command.seal.key_ids().len(), 2);
}

#[tokio::test]
async fn a_key_of_the_environment_is_the_operators_to_change_and_a_lost_one_is_told() {
    let world = World::new().await;
    let why = rotate(&world, |_| {}).await.unwrap_err().to_string();
    assert!(
        why.contains("KALENDS_KEY") && why.contains("Restart"),
        "{why}"
    );
    world.user("anna").await;
    let anna = users::acting(&world, "anna").await.unwrap();
    feed(&world, &anna).await;
    let (_folder, _, command) = worlds().await;
    let stranger = App::new(
        Config::default(),
        world.fresh.again().await,
        world.clock.clone(),
        Dice::system(),
        command.seal.clone(),
    )
    .unwrap();
    let done = rotate(&stranger, |_| {}).await.unwrap();
    assert_eq!((done.resealed, done.lost), (0, 1));
    let used = list(&stranger).await.unwrap();
    assert!(used.iter().any(|key| !key.known && key.secrets == 1));
}
