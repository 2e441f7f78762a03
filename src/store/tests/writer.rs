//! A write is all or nothing, whatever goes wrong in it or beside it.

use super::*;
use crate::store::sql::{args, sql};
use crate::store::{DatabaseUrl, StoreOptions, meta};

async fn fact(store: &Store, name: &str) -> Option<String> {
    store
        .peek(|tx| Box::pin(meta::get(tx, name)))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_panic_takes_its_own_write_back_and_no_other() {
    let store = Fresh::sqlite().await;
    let good = store.write(|tx| Box::pin(async move { meta::set(tx, "good", "1").await }));
    let bad = store.write(|tx| {
        Box::pin(async move {
            meta::set(tx, "bad", "1").await?;
            if fact_of_life() {
                panic!("on purpose")
            } else {
                Ok(())
            }
        })
    });
    let later = store.write(|tx| Box::pin(async move { meta::set(tx, "later", "1").await }));
    let (good, bad, later) = tokio::join!(good, bad, later);
    assert!(good.is_ok() && later.is_ok());
    assert!(matches!(bad, Err(Error::Internal(_))), "{bad:?}");
    assert_eq!(fact(&store, "bad").await, None);
    assert_eq!(fact(&store, "good").await.as_deref(), Some("1"));
    assert_eq!(fact(&store, "later").await.as_deref(), Some("1"));
}

/// True, but the compiler does not know.
fn fact_of_life() -> bool {
    std::hint::black_box(true)
}

#[tokio::test]
async fn an_error_takes_its_own_write_back_and_no_other() {
    let store = Fresh::new().await;
    let writes = (0..50).map(|i| {
        store.write(move |tx| {
            Box::pin(async move {
                meta::set(tx, &format!("fact {i}"), "1").await?;
                if i % 2 == 0 {
                    Ok(())
                } else {
                    Err(Error::PreconditionFailed)
                }
            })
        })
    });
    let outcomes = futures_util::future::join_all(writes).await;
    for (i, outcome) in outcomes.iter().enumerate() {
        let there = fact(&store, &format!("fact {i}")).await;
        assert_eq!(
            (outcome.is_ok(), there.is_some()),
            (i % 2 == 0, i % 2 == 0),
            "{i}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_statement_that_failed_cannot_be_ignored() {
    let store = Fresh::new().await;
    let outcome = store
        .write(|tx| {
            Box::pin(async move {
                meta::set(tx, "before", "1").await?;
                let twice = sql!("insert into meta (name, value) values ($1, $2)");
                let again = tx.execute(twice, &args!["before", "2"]).await;
                assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
                Ok(())
            })
        })
        .await;
    assert!(matches!(outcome, Err(Error::Conflict(_))), "{outcome:?}");
    assert_eq!(fact(&store, "before").await, None);
}

#[tokio::test]
async fn a_write_that_waits_for_something_else_is_refused_on_sqlite() {
    let store = Fresh::sqlite().await;
    let outcome: Result<()> = store
        .write(|tx| {
            Box::pin(async move {
                meta::set(tx, "half", "1").await?;
                tokio::task::yield_now().await;
                Ok(())
            })
        })
        .await;
    assert!(matches!(outcome, Err(Error::Internal(_))), "{outcome:?}");
    assert_eq!(fact(&store, "half").await, None);
}

#[tokio::test]
async fn a_read_that_is_given_up_midway_leaves_its_connection_clean() {
    let (store, _, work) = one_calendar().await;
    let stuck = store.read(|tx| {
        Box::pin(async move {
            objects::head(tx, work, "a").await?;
            std::future::pending::<Result<()>>().await
        })
    });
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(50), stuck).await;
    assert!(given_up.is_err());
    store
        .write(move |tx| Box::pin(async move { put(tx, work, "a", "1", &[]).await }))
        .await
        .unwrap();
    let seen = store
        .read(|tx| Box::pin(objects::head(tx, work, "a")))
        .await
        .unwrap();
    assert!(seen.is_some(), "a new snapshot");
}

#[tokio::test]
async fn an_answered_write_outlives_the_process() {
    let (store, _, work) = {
        let fresh = Fresh::sqlite().await;
        let anna = person(&fresh, "anna").await;
        let work = calendar(&fresh, anna, "work").await;
        (fresh, anna, work)
    };
    store
        .write(move |tx| Box::pin(async move { put(tx, work, "a", "1", &[]).await }))
        .await
        .unwrap();
    // What is in the files now is what a killed process leaves: nothing was closed.
    let DatabaseUrl::Sqlite(path) = &store.url else {
        panic!("made as SQLite")
    };
    let other = Fresh::sqlite().await;
    let DatabaseUrl::Sqlite(place) = &other.url else {
        panic!("made as SQLite")
    };
    let copy = place.with_file_name("killed.sqlite");
    for suffix in ["", "-wal"] {
        let name = |p: &std::path::Path| format!("{}{suffix}", p.display());
        std::fs::copy(name(path), name(&copy)).unwrap();
    }
    let again = Store::open(&DatabaseUrl::Sqlite(copy), &StoreOptions::default())
        .await
        .unwrap();
    assert!(
        again
            .peek(|tx| Box::pin(objects::head(tx, work, "a")))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(crate::store::verify::verify(&again).await.unwrap(), vec![]);
}

#[tokio::test]
async fn closing_leaves_one_file() {
    let fresh = Fresh::sqlite().await;
    let DatabaseUrl::Sqlite(path) = &fresh.url else {
        panic!("made as SQLite")
    };
    let second = path.with_file_name("second.sqlite");
    let store = Store::open(
        &DatabaseUrl::Sqlite(second.clone()),
        &StoreOptions::default(),
    )
    .await
    .unwrap();
    store
        .write(|tx| Box::pin(async move { meta::set(tx, "a", "1").await }))
        .await
        .unwrap();
    assert!(fact(&store, "a").await.is_some());
    store.close().await;
    assert!(second.exists());
    assert!(!second.with_file_name("second.sqlite-wal").exists());
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let fresh = Fresh::new().await;
    fresh
        .write(|tx| {
            Box::pin(async move {
                let newer = sql!("insert into migration (version, name) values ($1, $2)");
                tx.execute(newer, &args![9999, "from the future"]).await
            })
        })
        .await
        .unwrap();
    let refused = Store::open(&fresh.url, &StoreOptions::default()).await;
    assert!(
        matches!(&refused, Err(Error::Internal(why)) if why.contains("newer version")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_lost_connection_is_said_and_replaced() {
    let store = Fresh::new().await;
    if matches!(store.url, DatabaseUrl::Sqlite(_)) {
        eprintln!("not run: SQLite has no connection to lose (KALENDS_TEST_POSTGRES is not set)");
        return;
    }
    let outcome = store
        .write(|tx| {
            Box::pin(async move {
                meta::set(tx, "half", "1").await?;
                let end =
                    sql!("select cast(pg_terminate_backend(pg_backend_pid()) as text) as ended");
                tx.execute(end, &[]).await
            })
        })
        .await;
    assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
    assert_eq!(fact(&store, "half").await, None);
}
