//! Bridges in the database, noun by noun.

use super::*;
use crate::model::bridge::{ConflictPolicy, Direction, GuestPolicy, Health, LinkState, Privacy};
use crate::model::bridge::{Link, RemoteCalendar};
use crate::model::{ConnectionId, LinkId, RemoteCalendarId, RunId};
use crate::store::bridges::conflicts::{self, Conflict};
use crate::store::bridges::links::Finish;
use crate::store::bridges::{
    Flow, NewConnection, NewLink, Settings, Settled, Side, Step, StoredItem, StoredWatch,
    connections, flows, items, links, remote_calendars, runs, units, watches,
};
use crate::store::retention::{self, Keep};

macro_rules! write {
    ($store:expr, |$tx:ident| $work:expr) => {
        $store
            .write(move |$tx| Box::pin(async move { $work }))
            .await
    };
}

macro_rules! read {
    ($store:expr, |$tx:ident| $work:expr) => {
        $store.read(|$tx| Box::pin($work)).await
    };
}

fn settings() -> Settings {
    Settings {
        direction: Direction::Both,
        privacy: Privacy::Full,
        title_template: String::new(),
        description_template: String::new(),
        auto_create: true,
        auto_update: true,
        conflict: ConflictPolicy::Theirs,
        guests: GuestPolicy::Never,
        interval: 300,
    }
}

fn listed(remote_id: &str, extra: &str) -> RemoteCalendar {
    RemoteCalendar {
        id: RemoteCalendarId(0),
        connection: ConnectionId(0),
        remote_id: remote_id.into(),
        name: format!("The {remote_id}"),
        color: String::new(),
        zone: "Europe/Vienna".into(),
        writable: true,
        primary: false,
        gone: false,
        extra: extra.into(),
    }
}

async fn connect(store: &Store, owner: PrincipalId, account: &'static str) -> ConnectionId {
    let new = NewConnection {
        owner,
        provider: "test".into(),
        account: account.into(),
        label: format!("{account}@example.com"),
        secret: b"sealed".to_vec(),
        scopes: String::new(),
    };
    write!(store, |tx| connections::create(tx, &new, NOW).await).unwrap()
}

/// A link between the calendar and a fresh remote one.
async fn linked(store: &Store, owner: PrincipalId, calendar: CalendarId) -> (ConnectionId, LinkId) {
    let connection = connect(store, owner, "a").await;
    let link = write!(store, |tx| {
        remote_calendars::merge_listing(tx, connection, &[listed("one", "")], NOW).await?;
        let remote = remote_calendars::list(tx, connection).await?[0].id;
        let settings = settings();
        let new = NewLink {
            calendar,
            remote,
            connection,
            settings,
        };
        links::create(tx, &new, NOW).await
    });
    (connection, link.unwrap())
}

fn later(poll_at: i64) -> Finish {
    Finish {
        poll_at: Some(poll_at),
        retry_at: None,
        well: true,
    }
}

async fn link(store: &Store, id: LinkId) -> Link {
    read!(store, |tx| links::get(tx, id)).unwrap().unwrap()
}

fn item(remote_id: &str, series: &str, uid: &str) -> StoredItem {
    StoredItem {
        remote_id: remote_id.into(),
        series: series.into(),
        uid: uid.into(),
        stamp: "1".into(),
        doc: b"{}".to_vec(),
    }
}

#[tokio::test]
async fn an_account_is_connected_once_and_its_secret_changes_by_turns() {
    let (store, anna, _) = one_calendar().await;
    let id = connect(&store, anna, "a").await;
    let again = NewConnection {
        owner: anna,
        provider: "test".into(),
        account: "a".into(),
        label: "x".into(),
        secret: vec![],
        scopes: String::new(),
    };
    let twice = write!(store, |tx| connections::create(tx, &again, NOW).await);
    assert!(matches!(twice, Err(Error::Conflict(_))));
    let (secret, seq) = read!(store, |tx| connections::secret(tx, id))
        .unwrap()
        .unwrap();
    assert_eq!((secret.as_slice(), seq), (&b"sealed"[..], 0));
    let renew = async |until| {
        write!(store, |tx| connections::begin_refresh(
            tx, id, 0, NOW, until
        )
        .await)
        .unwrap()
    };
    assert!(renew(NOW + 30).await);
    assert!(!renew(NOW + 30).await, "one at a time");
    assert!(write!(store, |tx| connections::set_secret(tx, id, b"new", 0).await).unwrap());
    assert!(
        !write!(store, |tx| connections::set_secret(tx, id, b"late", 0)
            .await)
        .unwrap()
    );
    let (secret, seq) = read!(store, |tx| connections::secret(tx, id))
        .unwrap()
        .unwrap();
    assert_eq!((secret.as_slice(), seq), (&b"new"[..], 1));
    let all = read!(store, |tx| connections::secrets(tx, 0, 10)).unwrap();
    assert_eq!(all, vec![(id, b"new".to_vec(), 1)]);
    sound(&store).await;
}

#[tokio::test]
async fn trouble_is_told_once_and_a_new_grant_ends_it() {
    let (store, anna, work) = one_calendar().await;
    let (id, link_id) = linked(&store, anna, work).await;
    let failures = write!(store, |tx| {
        connections::failed(tx, id, "no answer", NOW + 60).await?;
        connections::failed(tx, id, "no answer", NOW + 120).await
    });
    assert_eq!(failures.unwrap(), 2);
    write!(store, |tx| connections::set_health(
        tx,
        id,
        Health::Reconnect,
        "gone"
    )
    .await)
    .unwrap();
    let untold = read!(store, |tx| connections::untold(tx, 10)).unwrap();
    assert_eq!(untold.len(), 1);
    write!(store, |tx| connections::told(tx, id).await).unwrap();
    write!(store, |tx| connections::set_health(
        tx,
        id,
        Health::Reconnect,
        "still"
    )
    .await)
    .unwrap();
    assert!(
        read!(store, |tx| connections::untold(tx, 10))
            .unwrap()
            .is_empty()
    );
    let due = write!(store, |tx| connections::claim(tx, NOW + 999, NOW + 1099)
        .await)
    .unwrap();
    assert!(due.is_none(), "nothing is polled meanwhile");
    write!(store, |tx| links::finish(
        tx,
        link_id,
        later(NOW + 9999),
        NOW
    )
    .await)
    .unwrap();
    write!(store, |tx| connections::regrant(
        tx, id, b"s", "calendar", "new"
    )
    .await)
    .unwrap();
    let now = read!(store, |tx| connections::get(tx, id))
        .unwrap()
        .unwrap();
    assert_eq!(
        (now.health, now.failures, now.not_before, now.label.as_str()),
        (Health::Ok, 0, 0, "new")
    );
    assert_eq!(link(&store, link_id).await.next_sync, 0);
    sound(&store).await;
}

#[tokio::test]
async fn one_server_at_a_time_works_on_a_connection() {
    let (store, anna, work) = one_calendar().await;
    let (id, link_id) = linked(&store, anna, work).await;
    let claim =
        async |now| write!(store, |tx| connections::claim(tx, now, now + 60).await).unwrap();
    let (found, fence) = claim(NOW).await.unwrap();
    assert_eq!((found.id, fence), (id, 1));
    assert!(claim(NOW + 59).await.is_none());
    assert!(write!(store, |tx| connections::holds(tx, id, 1, NOW + 70).await).unwrap());
    assert!(claim(NOW + 69).await.is_none(), "the lease became longer");
    assert_eq!(claim(NOW + 70).await.map(|(_, fence)| fence), Some(2));
    assert!(!write!(store, |tx| connections::holds(tx, id, 1, NOW + 200).await).unwrap());
    write!(store, |tx| connections::release(tx, id, 1).await).unwrap();
    assert!(
        claim(NOW + 71).await.is_none(),
        "a lost lease is not given back"
    );
    write!(store, |tx| connections::release(tx, id, 2).await).unwrap();
    write!(store, |tx| links::finish(
        tx,
        link_id,
        later(NOW + 300),
        NOW
    )
    .await)
    .unwrap();
    assert!(claim(NOW + 71).await.is_none(), "nothing is due");
    let next = read!(store, |tx| connections::next_due(tx)).unwrap();
    assert_eq!(next, Some(NOW + 300));
    assert!(write!(store, |tx| links::poke(tx, link_id, NOW + 71).await).unwrap());
    assert_eq!(claim(NOW + 71).await.map(|(_, fence)| fence), Some(3));
}

#[tokio::test]
async fn a_poke_during_a_run_is_for_the_next_one() {
    let (store, anna, work) = one_calendar().await;
    let (id, link_id) = linked(&store, anna, work).await;
    write!(store, |tx| {
        links::poke(tx, link_id, NOW).await?;
        links::began(tx, link_id).await?;
        links::finish(tx, link_id, later(NOW + 300), NOW).await
    })
    .unwrap();
    assert_eq!(link(&store, link_id).await.next_sync, NOW + 300);
    write!(store, |tx| {
        links::began(tx, link_id).await?;
        links::nudge(tx, work, None).await?;
        links::finish(tx, link_id, later(NOW + 300), NOW).await
    })
    .unwrap();
    let due = read!(store, |tx| links::due(tx, id, NOW)).unwrap();
    assert_eq!(due.iter().map(|l| l.id).collect::<Vec<_>>(), vec![link_id]);
}

#[tokio::test]
async fn a_state_is_used_once() {
    let (store, anna, _) = one_calendar().await;
    let flow = Flow {
        principal: anna,
        provider: "test".into(),
        connection: None,
        verifier: b"v".to_vec(),
        bound: "cookie".into(),
        return_to: "/".into(),
        expires: NOW + 600,
    };
    write!(store, |tx| {
        flows::begin(tx, "one", &flow).await?;
        flows::begin(tx, "two", &flow).await
    })
    .unwrap();
    let take = async || write!(store, |tx| flows::take(tx, "one").await).unwrap();
    assert_eq!(take().await.map(|f| f.bound), Some("cookie".into()));
    assert!(take().await.is_none());
    assert_eq!(
        write!(store, |tx| flows::purge(tx, NOW + 601).await).unwrap(),
        1
    );
}

#[tokio::test]
async fn a_listing_renews_calendars_and_keeps_what_was_found_out() {
    let (store, anna, _) = one_calendar().await;
    let id = connect(&store, anna, "a").await;
    write!(store, |tx| {
        remote_calendars::merge_listing(tx, id, &[listed("one", "{}"), listed("two", "")], NOW)
            .await?;
        remote_calendars::merge_listing(tx, id, &[listed("one", ""), listed("three", "")], NOW)
            .await
    })
    .unwrap();
    let all = read!(store, |tx| remote_calendars::list(tx, id)).unwrap();
    let seen: Vec<_> = all
        .iter()
        .map(|c| (c.remote_id.as_str(), c.gone, c.extra.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("one", false, "{}"),
            ("three", false, ""),
            ("two", true, "")
        ]
    );
}

#[tokio::test]
async fn a_new_direction_reads_everything_and_new_words_say_everything_again() {
    let (store, anna, work) = one_calendar().await;
    let (_, id) = linked(&store, anna, work).await;
    write!(store, |tx| {
        units::mark_ours(tx, id, &[("u".into(), "u.ics".into(), "e".into())], true).await?;
        let settled = Settled {
            uid: "u".into(),
            name: "u.ics".into(),
            dirty: 1,
            losses: "[]".into(),
            base_ours: Some(b"x".to_vec()),
            ours_etag: "e".into(),
            ..Settled::default()
        };
        units::settle(tx, id, &[settled], NOW).await?;
        links::save_cursor(tx, id, Some(b"c")).await
    })
    .unwrap();
    let mut changed = Settings {
        interval: 900,
        conflict: ConflictPolicy::Newest,
        ..settings()
    };
    let first = changed.clone();
    write!(store, |tx| links::update(tx, id, &first).await).unwrap();
    let counts = |store: &Fresh| {
        let store = store.store.clone();
        async move { read!(store, |tx| units::counts(tx, id)).unwrap() }
    };
    assert_eq!(counts(&store).await.waiting, 0);
    changed.privacy = Privacy::Busy;
    let second = changed.clone();
    write!(store, |tx| links::update(tx, id, &second).await).unwrap();
    assert_eq!(counts(&store).await.waiting, 1);
    assert!(link(&store, id).await.cursor.is_some());
    changed.direction = Direction::Push;
    write!(store, |tx| links::update(tx, id, &changed).await).unwrap();
    let now = link(&store, id).await;
    assert_eq!((now.cursor, now.direction), (None, Direction::Push));
    let asked = write!(store, |tx| {
        links::set_state(tx, id, LinkState::Asking, "so many").await?;
        links::approve(tx, id, NOW).await
    });
    assert!(asked.unwrap());
    assert!(
        read!(store, |tx| links::progress(tx, id))
            .unwrap()
            .unwrap()
            .approved
    );
    assert!(!write!(store, |tx| links::approve(tx, id, NOW).await).unwrap());
}

#[tokio::test]
async fn a_unit_waits_until_its_latest_mark_is_settled() {
    let (store, anna, work) = one_calendar().await;
    let (_, id) = linked(&store, anna, work).await;
    let theirs = [("u".to_string(), "r".to_string())];
    write!(store, |tx| {
        items::put(tx, id, &[item("r", "", "u")], 1).await?;
        units::mark_theirs(tx, id, &theirs, NOW).await
    })
    .unwrap();
    let first = read!(store, |tx| units::by_remote(tx, id, "r"))
        .unwrap()
        .unwrap();
    assert_eq!((first.dirty, first.received), (1, NOW));
    let settled = Settled {
        uid: "u".into(),
        remote_id: "r".into(),
        base_theirs: Some(b"x".to_vec()),
        theirs_hash: "h".into(),
        losses: "[]".into(),
        dirty: first.dirty,
        ..Settled::default()
    };
    let (again, settled_now) = (settled.clone(), settled);
    write!(store, |tx| {
        units::mark(tx, id, "u").await?;
        units::settle(tx, id, &[settled_now], NOW).await
    })
    .unwrap();
    let waiting = async || read!(store, |tx| units::queue(tx, id, NOW, "", 10)).unwrap();
    assert_eq!(waiting().await.len(), 1, "marked since");
    write!(store, |tx| units::settle(
        tx,
        id,
        &[Settled { dirty: 2, ..again }],
        NOW
    )
    .await)
    .unwrap();
    assert_eq!(waiting().await.len(), 0);
    write!(store, |tx| {
        units::mark(tx, id, "u").await?;
        units::postpone(tx, id, "u", NOW + 60, "later").await
    })
    .unwrap();
    assert_eq!(waiting().await.len(), 0);
    assert_eq!(
        read!(store, |tx| units::next_retry(tx, id)).unwrap(),
        Some(NOW + 60)
    );
    write!(store, |tx| units::park(tx, id, "u", 1, "recurrence", "no")
        .await)
    .unwrap();
    let shown = read!(store, |tx| units::waiting(tx, id, 10)).unwrap();
    assert_eq!(
        (shown[0].parked.as_str(), &shown[0].base_theirs),
        ("recurrence", &None)
    );
    assert_eq!(read!(store, |tx| units::counts(tx, id)).unwrap().parked, 1);
    write!(store, |tx| units::mark(tx, id, "u").await).unwrap();
    assert_eq!(waiting().await.len(), 1, "a new mark tries again");
    sound(&store).await;
}

#[tokio::test]
async fn what_a_whole_listing_does_not_name_is_gone() {
    let (store, anna, work) = one_calendar().await;
    let (_, id) = linked(&store, anna, work).await;
    let number = write!(store, |tx| {
        let all = [
            item("a", "", "ua"),
            item("b", "", "ub"),
            item("b1", "b", "ub"),
            item("other", "", ""),
        ];
        let marks = [("ua".into(), "a".into()), ("ub".into(), "b".into())];
        units::mark_theirs(tx, id, &marks, NOW).await?;
        items::put(tx, id, &all, 1).await?;
        for uid in ["ua", "ub"] {
            let one = Settled {
                uid: uid.into(),
                remote_id: uid[1..].into(),
                losses: "[]".into(),
                dirty: 1,
                ..Settled::default()
            };
            units::settle(tx, id, &[one], NOW).await?;
        }
        links::begin_listing(tx, id).await?;
        links::begin_listing(tx, id).await
    })
    .unwrap();
    assert_eq!(number, 2);
    let gone = write!(store, |tx| {
        items::seen(tx, id, &["a", "b"], 2).await?;
        items::sweep(tx, id, 2, NOW).await
    });
    assert_eq!(gone.unwrap(), 2);
    let queue = read!(store, |tx| units::queue(tx, id, NOW, "", 10)).unwrap();
    let uids: Vec<_> = queue.iter().map(|u| u.uid.as_str()).collect();
    assert_eq!(uids, ["ub"], "its exception is gone");
    assert_eq!(
        read!(store, |tx| items::many(tx, id, &["b1", "a"]))
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        read!(store, |tx| items::of_series(tx, id, &["b"]))
            .unwrap()
            .len(),
        0
    );
    write!(store, |tx| items::remove(tx, id, &["a"]).await).unwrap();
    assert_eq!(read!(store, |tx| items::count(tx, id)).unwrap(), 1);
}

#[tokio::test]
async fn what_is_missing_on_either_side_is_counted() {
    let (store, anna, work) = one_calendar().await;
    let (_, id) = linked(&store, anna, work).await;
    write!(store, |tx| {
        for uid in ["both", "here", "there"] {
            let settled = Settled {
                uid: uid.into(),
                name: uid.into(),
                remote_id: uid.into(),
                ours_etag: "e".into(),
                base_ours: Some(b"x".to_vec()),
                base_theirs: Some(b"x".to_vec()),
                theirs_hash: "h".into(),
                losses: "[]".into(),
                dirty: 0,
                ..Settled::default()
            };
            units::mark_ours(tx, id, &[(uid.into(), uid.into(), "x".into())], true).await?;
            units::settle(tx, id, &[settled], NOW).await?;
            if uid != "there" {
                items::put(tx, id, &[item(uid, "", uid)], 1).await?;
            }
            if uid != "here" {
                put(tx, work, uid, "x", &[NOW]).await?;
            }
        }
        Ok(())
    })
    .unwrap();
    let missing = read!(store, |tx| units::missing(tx, id, work, NOW)).unwrap();
    assert_eq!((missing.here, missing.there, missing.mapped), (1, 1, 3));
    write!(store, |tx| {
        units::mark_names(tx, id, &["here".into()]).await?;
        units::forget(tx, id, &[("here".into(), 2), ("both".into(), 0)]).await
    })
    .unwrap();
    assert!(
        read!(store, |tx| units::get(tx, id, "here"))
            .unwrap()
            .is_none()
    );
    let kept = read!(store, |tx| units::get(tx, id, "both"))
        .unwrap()
        .unwrap();
    assert_eq!((kept.dirty, kept.base_ours), (1, None), "marked meanwhile");
}

#[tokio::test]
async fn a_run_keeps_its_steps_in_order_until_it_is_old() {
    let (store, anna, work) = one_calendar().await;
    let (_, id) = linked(&store, anna, work).await;
    let step = |uid: &str| Step {
        uid: uid.into(),
        side: Side::Ours,
        action: "update",
        before: Some(b"b".to_vec()),
        after: None,
    };
    let (one, two) = ([step("a"), step("b")], [step("c")]);
    let run = write!(store, |tx| {
        let run = runs::begin(tx, id, "poll", NOW).await?;
        runs::add_steps(tx, run, &one, NOW).await?;
        runs::add_steps(tx, run, &two, NOW).await?;
        runs::end(tx, run, "{\"updated\":3}", "", NOW + 1).await?;
        let conflict = Conflict {
            id: 0,
            uid: "a".into(),
            at: NOW,
            fields: "[]".into(),
            ours: b"o".to_vec(),
            theirs: b"t".to_vec(),
        };
        conflicts::add(tx, id, &conflict).await?;
        Ok(run)
    })
    .unwrap();
    let back = read!(store, |tx| runs::steps_back(tx, run, i64::MAX, 2)).unwrap();
    let seen: Vec<_> = back.iter().map(|(n, s)| (*n, s.uid.as_str())).collect();
    assert_eq!(seen, [(3, "c"), (2, "b")]);
    let all = read!(store, |tx| runs::list(tx, id, None, 10)).unwrap();
    assert_eq!((all.len(), all[0].counts.as_str()), (1, "{\"updated\":3}"));
    assert_eq!(
        read!(store, |tx| conflicts::list(tx, id, None, 9))
            .unwrap()
            .len(),
        1
    );
    write!(store, |tx| runs::undone(tx, run, NOW).await).unwrap();
    let keep = Keep {
        history_since: Some(NOW + 1),
        ..Keep::default()
    };
    let purged = write!(store, |tx| retention::purge(tx, keep, 10).await).unwrap();
    assert_eq!(purged.runs, 2);
    let none = read!(store, |tx| runs::steps_back(tx, RunId(run.0), i64::MAX, 2)).unwrap();
    assert!(none.is_empty());
}

#[tokio::test]
async fn a_watch_outlives_its_link_until_it_is_stopped() {
    let (store, anna, work) = one_calendar().await;
    let (connection, id) = linked(&store, anna, work).await;
    let watch = |name: &str| StoredWatch {
        id: 0,
        connection,
        link: Some(id),
        provider: "test".into(),
        watch_id: name.into(),
        resource: "r".into(),
        secret_hash: "h".into(),
        expires: NOW + 100,
        old: false,
    };
    let (one, two) = (watch("one"), watch("two"));
    write!(store, |tx| {
        watches::create(tx, &one).await?;
        watches::create(tx, &two).await
    })
    .unwrap();
    let all = read!(store, |tx| watches::of_link(tx, id)).unwrap();
    let seen: Vec<_> = all.iter().map(|w| (w.watch_id.as_str(), w.old)).collect();
    assert_eq!(seen, [("one", true), ("two", false)]);
    let pending = async |at| {
        read!(store, |tx| watches::pending(tx, at, 10))
            .unwrap()
            .len()
    };
    assert_eq!((pending(NOW).await, pending(NOW + 101).await), (1, 2));
    write!(store, |tx| links::remove(tx, id).await).unwrap();
    assert_eq!(pending(NOW).await, 2);
    let found = read!(store, |tx| watches::find(tx, "test", "two")).unwrap();
    assert_eq!(found.map(|w| (w.link, w.old)), Some((None, true)));
    let all = read!(store, |tx| watches::of_connection(tx, connection)).unwrap();
    let (first, second) = (all[0].id, all[1].id);
    write!(store, |tx| {
        watches::renewed(tx, second, "two-b", NOW + 900).await?;
        watches::remove(tx, first).await
    })
    .unwrap();
    assert_eq!(pending(NOW).await, 1);
    write!(store, |tx| connections::remove(tx, connection).await).unwrap();
    assert_eq!(pending(NOW).await, 0);
    sound(&store).await;
}
