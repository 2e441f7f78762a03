//! Who, which calendars, busy time, subscriptions.

use super::*;
use crate::remote::{Hook, Watch};

#[tokio::test]
async fn the_account_and_its_calendars() {
    let world = World::new();
    world.simulator.graph().calendar_of(BOB, "Shared", false);
    let me = Microsoft.identity(&world.account).await.unwrap();
    assert_eq!(me.label, BOB);
    assert!(!me.account.is_empty());
    let calendars = Microsoft.calendars(&world.account).await.unwrap();
    let shape: Vec<_> = calendars
        .iter()
        .map(|one| {
            (
                one.name.as_str(),
                one.writable,
                one.primary,
                one.zone.as_str(),
            )
        })
        .collect();
    assert_eq!(
        shape,
        [
            ("Calendar", true, true, "Europe/Berlin"),
            ("Shared", false, false, "Europe/Berlin")
        ]
    );
    assert_eq!(calendars[0].remote_id, world.place.remote_id);
    assert!(calendars[0].extra.contains("teamsForBusiness"));
    world.clean();
}

#[tokio::test]
async fn busy_time_by_address_and_by_calendar() {
    let world = World::new();
    let add = |subject: &str, hour: u8, show: &str| {
        let doc = json!({"subject": subject, "showAs": show,
            "start": {"dateTime": format!("2026-03-10T{hour:02}:00:00"), "timeZone": "UTC"},
            "end": {"dateTime": format!("2026-03-10T{:02}:00:00", hour + 1), "timeZone": "UTC"}});
        world
            .simulator
            .graph()
            .add(BOB, &world.place.remote_id, doc)
            .unwrap();
    };
    add("busy", 9, "busy");
    add("free", 11, "free");
    add("perhaps", 13, "tentative");
    let ids = [
        world.place.remote_id.clone(),
        BOB.to_owned(),
        "nobody@nowhere.test".to_owned(),
    ];
    let range = (NOW, NOW + 100 * 86_400);
    let found = Microsoft.busy(&world.account, &ids, range).await.unwrap();
    let day = 1_773_100_800;
    for (id, blocks) in &found[..2] {
        let blocks: Vec<_> = blocks
            .as_ref()
            .unwrap()
            .iter()
            .map(|block| (block.start - day, block.end - day, block.tentative))
            .collect();
        assert_eq!(
            blocks,
            [(32_400, 36_000, false), (46_800, 50_400, true)],
            "{id}"
        );
    }
    assert!(found[2].1.is_err(), "unknown is not free");
    assert_eq!(
        found.iter().map(|(id, _)| id).collect::<Vec<_>>(),
        ids.iter().collect::<Vec<_>>()
    );
    world.clean();
}

#[tokio::test]
async fn subscriptions_are_made_renewed_and_taken_back() {
    let world = World::new();
    world.simulator.graph().set_validator(|url| {
        let token = url.split_once("validationToken=")?.1;
        let token = token.replace('+', " ");
        let token = percent_encoding::percent_decode_str(&token)
            .decode_utf8()
            .ok()?;
        Some((200, "text/plain".into(), token.into_owned()))
    });
    let hook = Hook {
        url: "https://kalends.test/hooks/microsoft",
        secret: "s3cret",
        id: "w1",
        life: 30 * 86_400,
    };
    let watch = Microsoft
        .watch(&world.account, &world.place, &hook)
        .await
        .unwrap();
    assert!(watch.expires <= NOW + 10_080 * 60 && watch.expires > NOW + 86_400);
    // A second of the same kind makes room for itself.
    let other = Microsoft
        .watch(&world.account, &world.place, &hook)
        .await
        .unwrap();
    assert_ne!(other.id, watch.id);
    let renewed = Microsoft
        .renew(&world.account, &watch, 86_400)
        .await
        .unwrap();
    assert_eq!(renewed, None, "it is gone");
    let renewed = Microsoft
        .renew(&world.account, &other, 86_400)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (renewed.id.as_str(), renewed.expires),
        (other.id.as_str(), NOW + 86_400)
    );
    for _ in 0..2 {
        let watch = Watch { ..other.clone() };
        Microsoft.unwatch(&world.account, &watch).await.unwrap();
    }
    world.clean();
}

/// FACTS §3: a claims challenge is for the person, and said so.
#[tokio::test]
async fn a_claims_challenge_asks_for_a_new_sign_in() {
    let challenge = || {
        Response::builder()
            .status(401)
            .header(
                "www-authenticate",
                "Bearer realm=\"\", error=\"insufficient_claims\", claims=\"eyJ9\"",
            )
            .body(Bytes::new())
            .unwrap()
    };
    struct Refreshed;
    impl Credentials for Refreshed {
        fn header(&self, _: bool) -> Answer<'_, Result<Option<HeaderValue>, Fault>> {
            Box::pin(async { Ok(Some(HeaderValue::from_static("Bearer t"))) })
        }
    }
    let script = crate::remote::testing::Script::new()
        .response(challenge())
        .response(challenge());
    let account = crate::remote::testing::account_with(&script, Arc::new(Refreshed));
    let fault = Microsoft.identity(&account).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Revoked(why) if why.contains("sign in again")),
        "{fault:?}"
    );
    assert_eq!(script.left(), 0);
}
