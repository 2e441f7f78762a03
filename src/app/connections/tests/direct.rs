//! What is typed in: CalDAV with an app password, subscriptions by address.

use super::super::*;
use super::world::Bridged;
use crate::simulator::caldav::Quirks;
use crate::simulator::ics::Feed;

const URL: &str = "https://simulator.test/caldav/";

async fn dav() -> Bridged {
    let world = Bridged::new().await;
    world.simulator.caldav().account("anna", "app-password");
    world
        .simulator
        .caldav()
        .calendar_of("anna", "work", "Work", false);
    world
}

fn wrong(outcome: Result<Shown>) -> (String, String) {
    match outcome {
        Err(Error::Invalid { field, reason }) => (field, reason),
        Err(other) => (String::new(), other.to_string()),
        Ok(shown) => panic!("{shown:?}"),
    }
}

#[tokio::test]
async fn a_caldav_account_is_found_tried_and_connected() {
    // Homes on other hosts are the provider's own tests.
    let icloud = Quirks {
        home: Some("https://simulator.test".into()),
        ..Quirks::icloud()
    };
    for quirks in [Quirks::generic(), icloud, Quirks::plain()] {
        let world = dav().await;
        world.simulator.caldav().behave_as(quirks);
        let typed = typed(URL, "", "anna", "app-password");
        let shown = add(&world, &world.who, "caldav", &typed).await.unwrap();
        assert_eq!(shown.connection.label, "anna");
        assert_eq!((&*shown.about.url, shown.about.by_browser), (URL, false));
        let id = shown.connection.id;
        let listed = calendars(&world, &world.who, id).await.unwrap();
        assert!(
            listed.iter().any(|one| one.name == "Work" && one.writable),
            "{listed:?}"
        );
        let report = test(&world, &world.who, id).await.unwrap();
        assert_eq!(report[0].verdict, Verdict::Works, "{report:?}");
    }
}

#[tokio::test]
async fn wrong_passwords_and_addresses_are_told_by_their_field() {
    let world = dav().await;
    for (url, preset, user, password, field, part) in [
        (URL, "", "anna", "guess", "password", "refused"),
        (URL, "", "anna", "", "password", "required"),
        (URL, "", "", "x", "username", "required"),
        ("", "nextcloud", "anna", "x", "url", "required"),
        (URL, "nowhere", "anna", "x", "preset", "no such server"),
        ("http://dav.example.org", "", "anna", "x", "url", "https://"),
    ] {
        let typed = typed(url, preset, user, password);
        let (named, why) = wrong(add(&world, &world.who, "caldav", &typed).await);
        assert_eq!(named, field, "{url} {preset} {user}: {why}");
        assert!(why.contains(part), "{why}");
    }
    let typed = typed(URL, "", "anna", "app-password");
    let (field, _) = wrong(add(&world, &world.who, "google", &typed).await);
    assert_eq!(field, "provider");
}

#[tokio::test]
async fn a_changed_password_asks_for_the_new_one() {
    let world = dav().await;
    let first = typed(URL, "", "anna", "app-password");
    let id = add(&world, &world.who, "caldav", &first)
        .await
        .unwrap()
        .connection
        .id;
    world.simulator.caldav().change_password("anna", "new-one");
    world.asked();
    assert!(refresh(&world, &world.who, id).await.is_err());
    assert_eq!(
        world.asked().len(),
        1,
        "a refused password is not tried twice"
    );
    let shown = get(&world, &world.who, id).await.unwrap();
    assert_eq!(shown.connection.health, Health::Reconnect);
    assert!(
        shown.advice[0].contains("new password"),
        "{:?}",
        shown.advice
    );
    // Only the password is typed in; address and user name are known.
    let again = typed("", "", "", "new-one");
    let shown = replace(&world, &world.who, id, &again).await.unwrap();
    assert_eq!(
        (shown.connection.health, shown.connection.id),
        (Health::Ok, id)
    );
    world.simulator.caldav().account("bob", "his");
    let swapped = typed("", "", "bob", "his");
    assert!(matches!(
        replace(&world, &world.who, id, &swapped).await,
        Err(Error::Conflict(_))
    ));
}

const FEED: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nX-WR-CALNAME:Holidays\r\nBEGIN:VEVENT\r\n\
    UID:a\r\nDTSTAMP:20270101T000000Z\r\nDTSTART:20270301T090000Z\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

fn feed(world: &Bridged, name: &str) -> String {
    let path = world.simulator.ics().set(name, Feed::new(FEED));
    format!("https://simulator.test{path}")
}

#[tokio::test]
async fn a_subscription_is_its_address_and_may_be_reset() {
    let world = Bridged::new().await;
    let url = feed(&world, "secret-one");
    let webcal = url.replace("https://", "webcal://");
    let one = typed(&webcal, "", "", "");
    let shown = add(&world, &world.who, "ics", &one).await.unwrap();
    let id = shown.connection.id;
    assert_eq!(
        (&*shown.connection.label, &*shown.about.url),
        ("simulator.test", "")
    );
    let listed = calendars(&world, &world.who, id).await.unwrap();
    assert_eq!((&*listed[0].name, listed[0].writable), ("Holidays", false));
    let again = add(&world, &world.who, "ics", &one).await.unwrap();
    assert_eq!(again.connection.id, id);
    // The address was reset where the calendar is shared.
    let other = feed(&world, "secret-two");
    world.simulator.ics().remove("secret-one");
    assert!(refresh(&world, &world.who, id).await.is_err());
    let shown = replace(&world, &world.who, id, &typed(&other, "", "", ""))
        .await
        .unwrap();
    assert_eq!(
        (shown.connection.id, shown.connection.health),
        (id, Health::Ok)
    );
    assert!(refresh(&world, &world.who, id).await.is_ok());
    for bad in ["https://simulator.test/ics/nothing.ics", "", "nonsense://x"] {
        let (field, why) = wrong(add(&world, &world.who, "ics", &typed(bad, "", "", "")).await);
        assert_eq!(field, "url", "{bad}: {why}");
    }
}
