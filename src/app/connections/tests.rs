//! Connections against the simulator: FACTS §9 points 1–4, 29, 30 and 35, and what is typed in.

pub mod world;

mod direct;
mod meetings;
mod secrets;
mod tokens;

use std::collections::BTreeMap;

use super::*;
use crate::simulator::oauth::Consent;
use crate::store::bridges::{StoredWatch, watches};
use crate::store::principals;
use world::{ANNA, BOTH, Bridged, OTHER, answered};

fn words(failed: Failed) -> String {
    failed.error.to_string()
}

#[tokio::test]
async fn facts_1_pkce_state_redirect() {
    for provider in BOTH {
        let world = Bridged::new().await;
        let begun = world.begin(provider).await;
        let url = url::Url::parse(&begun.url).unwrap();
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(query["code_challenge_method"], "S256");
        assert_eq!(query["code_challenge"].len(), 43);
        assert!(query["state"].len() >= 43);
        let redirect = format!("http://127.0.0.1:8008/oauth/{provider}/callback");
        assert_eq!(query["redirect_uri"], redirect);

        // Another browser, which has no cookie: nothing, and the state is used up.
        let good = world.consent(provider, &begun, ANNA, Consent::All);
        let stranger = Answered {
            cookie: None,
            ..good.clone()
        };
        let why = words(world.finish(provider, stranger).await.unwrap_err());
        assert!(why.contains("another browser"), "{why}");
        let why = words(world.finish(provider, good).await.unwrap_err());
        assert!(why.contains("begin again"), "{why}");

        // Another state, another provider, too late.
        let other = if provider == "google" {
            "microsoft"
        } else {
            "google"
        };
        let begun = world.begin(provider).await;
        let good = world.consent(provider, &begun, ANNA, Consent::All);
        let forged = Answered {
            state: "x".repeat(43),
            ..good.clone()
        };
        assert!(world.finish(provider, forged).await.is_err());
        assert!(world.finish(other, good.clone()).await.is_err());
        let begun = world.begin(provider).await;
        let late = world.consent(provider, &begun, ANNA, Consent::All);
        world.pass(TIME);
        assert!(world.finish(provider, late).await.is_err());
        assert_eq!(world.asked_for("token"), 0, "no code was given to anybody");

        // A code of somebody else's walk in ours: it was made for another verifier.
        let theirs = world.begin(provider).await;
        let code = world.consent(provider, &theirs, OTHER, Consent::All).code;
        let ours = world.begin(provider).await;
        let mut mixed = world.consent(provider, &ours, ANNA, Consent::All);
        mixed.code = code;
        let failed = world.finish(provider, mixed).await.unwrap_err();
        assert_eq!(failed.return_to, "/connections");

        // As it should be, and once.
        let begun = world.begin(provider).await;
        let good = world.consent(provider, &begun, ANNA, Consent::All);
        let connected = world.finish(provider, good.clone()).await.unwrap();
        assert_eq!(connected.return_to, "/connections");
        assert_eq!(connected.warnings, Vec::<String>::new());
        assert!(world.finish(provider, good).await.is_err());
        let shown = get(&world, &world.who, connected.id).await.unwrap();
        assert_eq!(
            (&*shown.connection.label, shown.connection.health),
            (ANNA, Health::Ok)
        );
        let listed = calendars(&world, &world.who, connected.id).await.unwrap();
        assert!(listed.iter().any(|one| one.primary && one.writable));
        assert_eq!(world.simulator.violations(), Vec::<String>::new());

        // A redirect address that is not registered ends at the provider.
        world.authority(provider).refuse_loopback();
        let begun = world.begin(provider).await;
        let refused = world
            .authority(provider)
            .authorize(&begun.url, ANNA, Consent::All);
        assert!(refused.is_err());
        world.authority(provider).allow_redirect(&redirect);
        assert!(
            world
                .authority(provider)
                .authorize(&begun.url, ANNA, Consent::All)
                .is_ok()
        );
    }
}

#[tokio::test]
async fn a_refusal_is_said_in_words_and_leads_back() {
    for provider in BOTH {
        let world = Bridged::new().await;
        let failed = world.connect_as(provider, Consent::Deny).await.unwrap_err();
        assert_eq!(failed.return_to, "/connections");
        assert!(words(failed).contains("consent was not given"));
        assert!(list(&world, &world.who).await.unwrap().is_empty());
    }
    let world = Bridged::new().await;
    world
        .authority("microsoft")
        .settings(|all| all.admin_consent = true);
    let failed = world
        .connect_as("microsoft", Consent::All)
        .await
        .unwrap_err();
    let why = words(failed);
    assert!(
        why.contains("administrator")
            && why.contains("/microsoft/common/v2.0/adminconsent?client_id="),
        "{why}"
    );
    for bad in [
        "https://evil.example",
        "//evil.example",
        "/\\evil",
        "x",
        "/a\nb",
        "/\u{e9}",
    ] {
        assert!(
            begin(&world, &world.who, "google", bad).await.is_err(),
            "{bad}"
        );
    }
    let unregistered = Bridged::with(crate::config::Config::default()).await;
    let why = begin(&unregistered, &unregistered.who, "google", "")
        .await
        .unwrap_err();
    assert!(why.to_string().contains("google.client_id"), "{why}");
}

#[tokio::test]
async fn facts_4_granted_scopes_fewer_than_asked() {
    let world = Bridged::new().await;
    let ticked = |scopes: &[&str]| {
        let all = scopes.iter().map(|scope| scope.to_string());
        Consent::Scopes(all.collect())
    };
    const EVENTS: &str = "https://www.googleapis.com/auth/calendar.events";
    let failed = world.connect_as("google", ticked(&["email", EVENTS])).await;
    assert!(words(failed.unwrap_err()).contains("openid"));
    assert!(list(&world, &world.who).await.unwrap().is_empty());
    let connected = world
        .connect_as("google", ticked(&["openid", "email", EVENTS]))
        .await
        .unwrap();
    assert!(!connected.warnings.is_empty());
    let shown = get(&world, &world.who, connected.id).await.unwrap();
    let missing: Vec<_> = shown
        .about
        .missing
        .iter()
        .map(|(scope, _)| *scope)
        .collect();
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert_eq!(shown.connection.health, Health::Ok);
    assert!(
        shown
            .advice
            .iter()
            .any(|line| line.contains("main calendar")),
        "{:?}",
        shown.advice
    );
    // The main calendar is there all the same.
    let listed = calendars(&world, &world.who, connected.id).await.unwrap();
    assert_eq!(listed.len(), 1);
    // Asked again, and given: the same connection, and nothing missing.
    let begun = begin_again(&world, &world.who, connected.id, "")
        .await
        .unwrap();
    let answer = world.consent("google", &begun, ANNA, Consent::All);
    let again = world.finish("google", answer).await.unwrap();
    assert_eq!((again.id, again.warnings.len()), (connected.id, 0));
    assert!(
        get(&world, &world.who, again.id)
            .await
            .unwrap()
            .advice
            .is_empty()
    );
}

#[tokio::test]
async fn facts_29_account_swap_on_reconnect() {
    for provider in BOTH {
        let world = Bridged::new().await;
        let id = world.connect(provider).await;
        let begun = begin_again(&world, &world.who, id, "/connections")
            .await
            .unwrap();
        let answer = world.consent(provider, &begun, OTHER, Consent::All);
        let why = words(world.finish(provider, answer).await.unwrap_err());
        assert!(why.contains(OTHER) && why.contains(ANNA), "{why}");
        let shown = get(&world, &world.who, id).await.unwrap();
        assert_eq!(shown.connection.label, ANNA);
        let report = test(&world, &world.who, id).await.unwrap();
        assert_eq!(report[0].text, format!("signed in as {ANNA}"));
        // The same account a second time is the same connection; another one is another.
        assert_eq!(world.connect(provider).await, id);
        let begun = world.begin(provider).await;
        let answer = world.consent(provider, &begun, OTHER, Consent::All);
        assert_ne!(world.finish(provider, answer).await.unwrap().id, id);
        assert_eq!(list(&world, &world.who).await.unwrap().len(), 2);
    }
}

/// A watch as the provider made it, without a link.
async fn watched(world: &Bridged, id: ConnectionId) {
    let bridge = world.bridge().await.unwrap();
    let connection = find(world, &world.who, id).await.unwrap();
    let account = bridge.account(&connection).await.unwrap();
    let place = crate::remote::Place {
        remote_id: ANNA.into(),
        zone: "UTC".into(),
        extra: String::new(),
    };
    let hook = crate::remote::Hook {
        url: "https://cal.example/hooks/google",
        secret: "s3cr3t",
        id: "0d1b7f6e-channel",
        life: 3600,
    };
    let provider = bridge.provider("google").unwrap();
    let watch = provider.watch(&account, &place, &hook).await.unwrap();
    let stored = StoredWatch {
        id: 0,
        connection: id,
        link: None,
        provider: "google".into(),
        watch_id: watch.id,
        resource: watch.resource,
        secret_hash: String::new(),
        expires: watch.expires,
        old: false,
    };
    world
        .store
        .write(move |tx| Box::pin(async move { watches::create(tx, &stored).await }))
        .await
        .unwrap();
}

#[tokio::test]
async fn facts_30_disconnect_stops_channels_and_forgets_tokens() {
    let world = Bridged::new().await;
    let id = world.connect("google").await;
    watched(&world, id).await;
    assert_eq!(world.simulator.google().channels().len(), 1);
    let ended = remove(&world, &world.who, id, Mirrors::Keep).await.unwrap();
    assert_eq!((ended.revoked, &*ended.advice), (true, ""));
    assert_eq!(world.simulator.google().channels().len(), 0);
    assert_eq!(
        world.authority("google").refresh_tokens(ANNA),
        Vec::<String>::new()
    );
    assert!(get(&world, &world.who, id).await.is_err());
    assert!(remove(&world, &world.who, id, Mirrors::Keep).await.is_err());

    // Microsoft has no call for it: the owner is told where.
    let id = world.connect("microsoft").await;
    let ended = remove(&world, &world.who, id, Mirrors::Remove)
        .await
        .unwrap();
    assert!(!ended.revoked && ended.advice.contains("https://account.microsoft.com/"));

    // One grant serves everybody who is connected to the account: it stays while somebody is.
    let mine = world.connect("google").await;
    world.user("bob").await;
    let bob = crate::app::users::acting(&world, "bob").await.unwrap();
    let begun = begin(&world, &bob, "google", "").await.unwrap();
    let answer = world.consent("google", &begun, ANNA, Consent::All);
    let theirs = world.finish("google", answer).await.unwrap().id;
    assert!(
        get(&world, &world.who, theirs).await.is_err(),
        "somebody else's"
    );
    assert!(
        !remove(&world, &world.who, mine, Mirrors::Keep)
            .await
            .unwrap()
            .revoked
    );
    assert!(
        test(&world, &bob, theirs)
            .await
            .unwrap()
            .iter()
            .all(|line| line.verdict != Verdict::Fails)
    );
    assert!(
        remove(&world, &bob, theirs, Mirrors::Keep)
            .await
            .unwrap()
            .revoked
    );

    // A grant that is gone already does not keep a connection here.
    let id = world.connect("google").await;
    world.authority("google").revoke(ANNA);
    assert!(
        remove(&world, &world.who, id, Mirrors::Remove)
            .await
            .unwrap()
            .revoked
    );
}

#[tokio::test]
async fn whoever_is_removed_leaves_no_grant_behind() {
    let world = Bridged::new().await;
    world.connect("google").await;
    crate::app::users::remove(&world, "anna").await.unwrap();
    assert_eq!(
        world.authority("google").refresh_tokens(ANNA),
        Vec::<String>::new()
    );
    // And whoever was switched off finishes nothing.
    world.user("bob").await;
    let bob = crate::app::users::acting(&world, "bob").await.unwrap();
    let begun = begin(&world, &bob, "google", "").await.unwrap();
    let answer = world.consent("google", &begun, ANNA, Consent::All);
    let off = world
        .store
        .write(move |tx| Box::pin(principals::set_disabled(tx, bob.id, Some(1))));
    off.await.unwrap();
    let why = words(world.finish("google", answer).await.unwrap_err());
    assert!(why.contains("may not sign in"), "{why}");
}

#[tokio::test]
async fn the_test_says_what_works_and_what_does_not() {
    let world = Bridged::new().await;
    let id = world.connect("google").await;
    let report = async || test(&world, &world.who, id).await.unwrap();
    let find = |report: &[Line], what: &str| {
        let line = report.iter().find(|line| line.what == what);
        line.map(|line| (line.verdict, line.text.clone())).unwrap()
    };
    let all = report().await;
    for what in ["access", "permissions", "calendars", "busy", "clock"] {
        assert_eq!(find(&all, what).0, Verdict::Works, "{all:?}");
    }
    assert_eq!(
        find(&all, "notices").0,
        Verdict::Lacks,
        "127.0.0.1 cannot be called"
    );
    world.simulator.skew(-400);
    let (verdict, text) = find(&report().await, "clock");
    assert_eq!(verdict, Verdict::Fails);
    assert!(text.contains("400 s ahead"), "{text}");
    world.simulator.skew(0);
    world
        .simulator
        .google()
        .fail_busy(ANNA, Some("internalError"));
    assert_eq!(find(&report().await, "busy").0, Verdict::Lacks);
    world.authority("google").revoke(ANNA);
    let all = report().await;
    assert_eq!(find(&all, "access").0, Verdict::Fails);
    let shown = get(&world, &world.who, id).await.unwrap();
    assert_eq!(shown.connection.health, Health::Reconnect);
    // Connected again, everything is as before.
    assert_eq!(world.connect("google").await, id);
    assert_eq!(
        get(&world, &world.who, id).await.unwrap().connection.health,
        Health::Ok
    );
}

#[tokio::test]
async fn names_are_the_owners_and_strangers_see_nothing() {
    let world = Bridged::new().await;
    let id = world.connect("google").await;
    let shown = rename(&world, &world.who, id, " work ").await.unwrap();
    assert_eq!(
        (&*shown.connection.name, &*shown.connection.label),
        ("work", ANNA)
    );
    assert!(rename(&world, &world.who, id, "a\u{7}").await.is_err());
    world.user("bob").await;
    let bob = crate::app::users::acting(&world, "bob").await.unwrap();
    assert!(matches!(
        rename(&world, &bob, id, "x").await,
        Err(Error::NotFound)
    ));
    assert!(matches!(test(&world, &bob, id).await, Err(Error::NotFound)));
    assert!(matches!(
        begin_again(&world, &bob, id, "").await,
        Err(Error::NotFound)
    ));
    let reader = Who {
        scopes: Scopes::READ,
        ..world.who.clone()
    };
    assert!(matches!(
        list(&world, &reader).await,
        Err(Error::Forbidden(_))
    ));
    let again = answered(
        "http://x/?state=a&error=access_denied",
        &world.begin("google").await,
    );
    assert_eq!(again.cookie, None);
}
