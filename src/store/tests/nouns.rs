//! Principals, credentials, calendars and properties, noun by noun.

use super::*;
use crate::store::credentials::{self, CredentialKind, NewCredential};
use crate::store::properties::{self, EVERYBODY, OwnerKind};
use crate::store::retention::{self, Keep};
use crate::store::{feeds, meta};

/// Runs a write and gives its result.
macro_rules! write {
    ($store:expr, |$tx:ident| $work:expr) => {
        $store
            .write(move |$tx| Box::pin(async move { $work }))
            .await
    };
}

#[tokio::test]
async fn names_and_addresses_belong_to_one() {
    let store = Fresh::new().await;
    let anna = person(&store, "anna").await;
    let bert = person(&store, "bert").await;
    let found = store
        .peek(|tx| Box::pin(principals::by_address(tx, "ANNA@example.com")))
        .await
        .unwrap();
    assert_eq!(found.map(|p| (p.id, p.addresses.len())), Some((anna, 2)));
    let taken = write!(store, |tx| principals::set_addresses(
        tx,
        bert,
        &["anna@example.org".into()]
    )
    .await);
    assert!(matches!(taken, Err(Error::Conflict(_))), "{taken:?}");
    let twice = NewPrincipal {
        kind: PrincipalKind::User,
        name: "anna".into(),
        display_name: String::new(),
        addresses: vec![],
        admin: false,
    };
    assert!(matches!(
        write!(store, |tx| principals::create(tx, &twice, NOW).await),
        Err(Error::Conflict(_))
    ));
    let same = write!(store, |tx| principals::set_addresses(
        tx,
        anna,
        &["x@y".into(), "X@Y".into()]
    )
    .await);
    assert!(same.is_ok(), "the same address twice is one: {same:?}");
    sound(&store).await;
}

#[tokio::test]
async fn a_former_name_redirects_until_somebody_takes_it() {
    let store = Fresh::new().await;
    let anna = person(&store, "anna").await;
    write!(store, |tx| principals::rename(tx, anna, "anne").await).unwrap();
    let now = |name| store.peek(move |tx| Box::pin(principals::renamed(tx, name)));
    assert_eq!(now("anna").await.unwrap().as_deref(), Some("anne"));
    write!(store, |tx| principals::rename(tx, anna, "anna").await).unwrap();
    assert_eq!(now("anna").await.unwrap(), None);
    assert_eq!(now("anne").await.unwrap().as_deref(), Some("anna"));
    person(&store, "anne").await;
    assert_eq!(now("anne").await.unwrap(), None);
    let taken = write!(store, |tx| principals::rename(tx, anna, "anne").await);
    assert!(matches!(taken, Err(Error::Conflict(_))));
    sound(&store).await;
}

#[tokio::test]
async fn people_are_found_by_parts_of_what_they_are_called() {
    let store = Fresh::new().await;
    for name in ["anna", "hanna", "bert"] {
        person(&store, name).await;
    }
    for (text, want) in [
        ("anna", "anna hanna"),
        ("THE b", "bert"),
        ("example.com", "anna bert hanna"),
        ("%", ""),
        ("", "anna bert hanna"),
    ] {
        let found = store
            .peek(|tx| Box::pin(principals::search(tx, text, 10)))
            .await
            .unwrap();
        let names: Vec<_> = found.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names.join(" "), want, "{text}");
    }
}

#[tokio::test]
async fn rights_come_from_ownership_grants_and_groups() {
    let (store, anna, work) = one_calendar().await;
    let (bert, carl) = (person(&store, "bert").await, person(&store, "carl").await);
    let team = NewPrincipal {
        kind: PrincipalKind::Group,
        name: "team".into(),
        display_name: "Team".into(),
        addresses: vec![],
        admin: false,
    };
    let team = write!(store, |tx| principals::create(tx, &team, NOW).await).unwrap();
    write!(store, |tx| {
        principals::add_member(tx, team, carl).await?;
        calendars::set_grant(tx, work, team, 3, NOW).await?;
        calendars::set_grant(tx, work, bert, 1, NOW).await
    })
    .unwrap();
    let rights = async |who| {
        let bound = store
            .peek(|tx| Box::pin(calendars::find(tx, who, "anna", "work")))
            .await
            .unwrap();
        bound.unwrap().privileges
    };
    assert_eq!(rights(anna).await, Privileges::ALL);
    assert_eq!(rights(bert).await, Privileges::of_level(1));
    assert_eq!(rights(carl).await, Privileges::of_level(3));
    assert_eq!(rights(PrincipalId(99)).await, Privileges::NONE);
    let seen = store
        .peek(|tx| Box::pin(calendars::list(tx, PrincipalId(99), "anna")))
        .await
        .unwrap();
    assert!(seen.is_empty());
    write!(store, |tx| calendars::bind(tx, bert, "annas", work).await).unwrap();
    let shared = store
        .peek(|tx| Box::pin(calendars::find(tx, bert, "bert", "annas")))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (shared.calendar.id, shared.calendar.owner, shared.home),
        (work, anna, bert)
    );
    write!(store, |tx| calendars::set_grant(tx, work, bert, 0, NOW)
        .await)
    .unwrap();
    assert!(
        store
            .peek(|tx| Box::pin(calendars::find(tx, bert, "bert", "annas")))
            .await
            .unwrap()
            .is_none()
    );
    sound(&store).await;
}

#[tokio::test]
async fn a_home_numbers_what_appears_and_disappears() {
    let (store, anna, work) = one_calendar().await;
    let state = async || {
        store
            .peek(|tx| Box::pin(calendars::home_state(tx, anna)))
            .await
            .unwrap()
    };
    let before = state().await;
    write!(store, |tx| put(tx, work, "a", "1", &[]).await).unwrap();
    write!(store, |tx| calendars::touch_props(tx, work, NOW).await).unwrap();
    let changed = state().await;
    assert_eq!(
        (
            changed.seq,
            changed.calendars[0].seq,
            changed.calendars[0].props_seq
        ),
        (before.seq, 1, 1)
    );
    write!(store, |tx| calendars::remove(tx, anna, "work", NOW).await).unwrap();
    let after = state().await;
    assert!(after.seq > before.seq && after.calendars.is_empty());
    let gone = store
        .peek(|tx| Box::pin(calendars::unbound_since(tx, anna, before.seq)))
        .await
        .unwrap();
    assert_eq!(gone, [("work".to_string(), after.seq)]);
    let late = write!(store, |tx| calendars::lock(tx, work, NOW).await);
    assert!(
        matches!(late, Err(Error::NotFound)),
        "nothing is written into the trash"
    );
    let again = calendar(&store, anna, "work").await;
    assert!(again.0 > work.0, "a calendar made again is another one");
    assert_eq!(
        store
            .peek(|tx| Box::pin(calendars::unbound_since(tx, anna, 0)))
            .await
            .unwrap(),
        []
    );
    write!(store, |tx| calendars::restore(tx, work, "old-work").await).unwrap();
    assert_eq!(state().await.calendars.len(), 2);
    sound(&store).await;
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_old_tokens_are_refused() {
    let (store, anna, work) = one_calendar().await;
    write!(store, |tx| {
        put(tx, work, "a", "1", &[NOW]).await?;
        put(tx, work, "a", "2", &[NOW]).await?;
        delete(tx, work, "a").await
    })
    .unwrap();
    let keep = |at| Keep {
        changes_since: Some(at),
        history_since: Some(at),
        trash_since: Some(at),
    };
    let purged = write!(store, |tx| retention::purge(tx, keep(NOW), 100).await).unwrap();
    assert_eq!(purged, retention::Purged::default());
    let purged = write!(store, |tx| retention::purge(tx, keep(NOW + 1), 100).await).unwrap();
    assert_eq!(
        (purged.changes, purged.versions, purged.calendars),
        (1, 1, 0)
    );
    let bound = store
        .peek(|tx| Box::pin(calendars::by_id(tx, anna, work)))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((bound.calendar.pruned_seq, bound.calendar.seq), (3, 3));
    write!(store, |tx| {
        put(tx, work, "b", "1", &[NOW]).await?;
        properties::set(tx, OwnerKind::Calendar, work.0, EVERYBODY, "n", "v").await?;
        calendars::remove(tx, anna, "work", NOW).await
    })
    .unwrap();
    let purged = write!(store, |tx| retention::purge(tx, keep(NOW + 1), 100).await).unwrap();
    assert_eq!(purged.calendars, 1);
    sound(&store).await;
}

#[tokio::test]
async fn removing_somebody_removes_everything_of_theirs() {
    let (store, anna, work) = one_calendar().await;
    let bert = person(&store, "bert").await;
    write!(store, |tx| {
        put(tx, work, "a", "1", &[NOW]).await?;
        put(tx, work, "a", "2", &[NOW]).await?;
        calendars::set_grant(tx, work, bert, 3, NOW).await?;
        calendars::bind(tx, bert, "annas", work).await?;
        let a = objects::head(tx, work, "a").await?.ok_or(Error::NotFound)?;
        properties::set(tx, OwnerKind::Object, a.member.id.0, bert, "n", "v").await?;
        properties::set(tx, OwnerKind::Home, anna.0, EVERYBODY, "n", "v").await?;
        principals::remove(tx, anna).await
    })
    .unwrap();
    sound(&store).await;
    for table in [
        "calendar",
        "object",
        "object_body",
        "object_version",
        "occurrence",
        "binding",
        "property",
    ] {
        let text = format!("select count(*) from {table}");
        let count = async |tx: &mut Tx<'_>| {
            tx.one(crate::store::sql::Sql::new(&text, &text), &[], |row| {
                row.int(0)
            })
            .await
        };
        assert_eq!(
            store.peek(|tx| Box::pin(count(tx))).await.unwrap(),
            Some(0),
            "{table}"
        );
    }
}

#[tokio::test]
async fn a_credential_is_found_until_it_is_revoked_and_after() {
    let store = Fresh::new().await;
    let anna = person(&store, "anna").await;
    let new = NewCredential {
        kind: CredentialKind::ApiToken,
        principal: anna,
        label: "crm".into(),
        hash: "a".repeat(64),
        scopes: "read write".into(),
    };
    let id = write!(store, |tx| credentials::create(tx, &new, NOW).await).unwrap();
    write!(store, |tx| credentials::touch(tx, id, NOW + 5).await).unwrap();
    assert!(write!(store, |tx| credentials::revoke(tx, id, anna, NOW).await).unwrap());
    assert!(!write!(store, |tx| credentials::revoke(tx, id, anna, NOW).await).unwrap());
    let hash = "a".repeat(64);
    let found = store
        .peek(|tx| Box::pin(credentials::by_hash(tx, &hash)))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.revoked, found.last_used, found.scopes.as_str()),
        (Some(NOW), Some(NOW + 5), "read write")
    );
    for (kind, want) in [
        (None, 1),
        (Some(CredentialKind::ApiToken), 1),
        (Some(CredentialKind::AppPassword), 0),
    ] {
        let listed = store
            .peek(|tx| Box::pin(credentials::list(tx, anna, kind)))
            .await
            .unwrap();
        assert_eq!(listed.len(), want);
    }
}

#[tokio::test]
async fn ones_own_value_hides_the_one_of_everybody() {
    let (store, anna, work) = one_calendar().await;
    let bert = person(&store, "bert").await;
    write!(store, |tx| {
        properties::set(tx, OwnerKind::Calendar, work.0, EVERYBODY, "color", "red").await?;
        properties::set(tx, OwnerKind::Calendar, work.0, EVERYBODY, "order", "1").await?;
        properties::set(tx, OwnerKind::Calendar, work.0, bert, "color", "blue").await?;
        properties::set(
            tx,
            OwnerKind::Calendar,
            work.0 + 1000,
            EVERYBODY,
            "color",
            "none of yours",
        )
        .await
    })
    .unwrap();
    let seen = async |who| {
        let all = store
            .peek(|tx| Box::pin(properties::get_all(tx, OwnerKind::Calendar, work.0, who)))
            .await
            .unwrap();
        all.iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(seen(anna).await, "color=red order=1");
    assert_eq!(seen(bert).await, "color=blue order=1");
    assert_eq!(seen(EVERYBODY).await, "color=red order=1");
}

#[tokio::test]
async fn an_object_that_moves_keeps_what_it_is() {
    let (store, anna, work) = one_calendar().await;
    let home = calendar(&store, anna, "home").await;
    write!(store, |tx| {
        put(tx, work, "a", "1", &[NOW]).await?;
        let old = objects::head(tx, work, "a").await?.ok_or(Error::NotFound)?;
        properties::set(tx, OwnerKind::Object, old.member.id.0, EVERYBODY, "n", "v").await?;
        let from = objects::Move {
            calendar: work,
            name: "a",
            seq: calendars::lock(tx, work, NOW).await?,
        };
        let to = objects::Move {
            calendar: home,
            name: "b",
            seq: calendars::lock(tx, home, NOW).await?,
        };
        objects::relocate(tx, &old, from, to, NOW).await?;
        // And within one calendar, to and fro.
        let old = objects::head(tx, home, "b").await?.ok_or(Error::NotFound)?;
        let from = objects::Move {
            calendar: home,
            name: "b",
            seq: calendars::lock(tx, home, NOW).await?,
        };
        let to = objects::Move {
            calendar: home,
            name: "c",
            seq: calendars::lock(tx, home, NOW).await?,
        };
        objects::relocate(tx, &old, from, to, NOW).await
    })
    .unwrap();
    let there = store
        .peek(|tx| Box::pin(objects::get(tx, home, "c")))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (there.body.as_slice(), there.member.seq),
        (b"1".as_slice(), 3)
    );
    let mut found = 0;
    let each = |_| {
        found += 1;
        Ok(())
    };
    store
        .peek(|tx| Box::pin(occurrences::in_range(tx, home, NOW, NOW + 1, each)))
        .await
        .unwrap();
    assert_eq!(found, 1);
    sound(&store).await;
}

#[tokio::test]
async fn a_feed_shows_what_its_owner_may_see() {
    let (store, anna, work) = one_calendar().await;
    let bert = person(&store, "bert").await;
    let new = feeds::NewFeed {
        principal: bert,
        token_hash: "b".repeat(64),
        token_sealed: vec![1, 2, 3],
        privacy: "busy".into(),
        comment: String::new(),
        past_days: Some(30),
        future_days: None,
        expires: None,
        calendars: vec![work],
    };
    let id = write!(store, |tx| feeds::create(tx, &new, NOW).await).unwrap();
    let hash = "b".repeat(64);
    let feed = store
        .peek(|tx| Box::pin(feeds::by_hash(tx, &hash)))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (feed.id, feed.principal_name.as_str(), feed.past_days),
        (id, "bert", Some(30))
    );
    assert_eq!(
        store
            .read(|tx| Box::pin(feeds::calendars(tx, &feed)))
            .await
            .unwrap()
            .len(),
        0
    );
    write!(store, |tx| calendars::set_grant(tx, work, bert, 1, NOW)
        .await)
    .unwrap();
    let seen = store
        .read(|tx| Box::pin(feeds::calendars(tx, &feed)))
        .await
        .unwrap();
    assert_eq!(seen.iter().map(|b| b.home).collect::<Vec<_>>(), [anna]);
    assert!(write!(store, |tx| feeds::revoke(tx, id, bert, NOW).await).unwrap());
}

#[tokio::test]
async fn the_first_to_state_a_fact_decides() {
    let store = Fresh::new().await;
    assert_eq!(
        write!(store, |tx| meta::get_or_set(tx, "id", "one").await).unwrap(),
        "one"
    );
    assert_eq!(
        write!(store, |tx| meta::get_or_set(tx, "id", "two").await).unwrap(),
        "one"
    );
}

#[tokio::test]
async fn ranges_respect_lengths_local_times_and_windows() {
    let (store, _, work) = one_calendar().await;
    const DAY: i64 = 86_400;
    let rows = [
        (0, 60, false),
        (100 * DAY, 100 * DAY + 400 * DAY, false),
        (10 * DAY, 10 * DAY, false),
        (20 * DAY, 21 * DAY, true),
    ];
    let row = |&(starts, ends, local): &(i64, i64, bool)| OccurrenceRow {
        starts,
        ends,
        rid: starts,
        local,
        busy: 1,
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    write!(store, |tx| {
        put(tx, work, "a", "1", &[]).await?;
        let a = objects::head(tx, work, "a").await?.ok_or(Error::NotFound)?;
        let new = occurrences::Reindexed {
            indexed_from: Some(-DAY),
            indexed_to: Some(600 * DAY),
            needs_object: false,
            rows: &rows,
            digest: "d",
        };
        assert!(!occurrences::reindex(tx, work, "a", "another etag", &new).await?);
        assert!(occurrences::reindex(tx, work, "a", &a.member.etag.0, &new).await?);
        Ok(())
    })
    .unwrap();
    for (from, to, want) in [
        (0, 1, vec![0]),
        (60, 100, vec![]),
        (499 * DAY, 500 * DAY, vec![100 * DAY]),
        (500 * DAY, 501 * DAY, vec![]),
        (10 * DAY, 10 * DAY + 1, vec![10 * DAY]),
        (10 * DAY - 5, 10 * DAY, vec![]),
        (21 * DAY + 13 * 3600, 22 * DAY, vec![20 * DAY]),
        (21 * DAY + 14 * 3600, 22 * DAY, vec![]),
        (19 * DAY, 20 * DAY - 13 * 3600, vec![20 * DAY]),
        (19 * DAY, 20 * DAY - 14 * 3600, vec![]),
    ] {
        let mut found = Vec::new();
        let each = |f: crate::store::Found| {
            found.push(f.row.starts);
            Ok(())
        };
        store
            .peek(|tx| Box::pin(occurrences::in_range(tx, work, from, to, each)))
            .await
            .unwrap();
        assert_eq!(found, want, "{from}..{to}");
    }
    for (from, to, count) in [(0, DAY, 0), (0, 700 * DAY, 1), (-9 * DAY, DAY, 1)] {
        let beyond = store
            .peek(|tx| Box::pin(occurrences::unindexed(tx, work, from, to)))
            .await
            .unwrap();
        assert_eq!(beyond.len(), count, "{from}..{to}");
    }
    let stale = store
        .peek(|tx| Box::pin(occurrences::stale_horizon(tx, 601 * DAY, 10)))
        .await
        .unwrap();
    assert_eq!(
        stale.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
        ["a"]
    );
    sound(&store).await;
}
