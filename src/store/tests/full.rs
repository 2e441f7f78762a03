//! A full disk refuses writes, whole ones, and nothing else.

use super::*;
use crate::store::DatabaseUrl;

/// What a write put: its text fills some pages.
fn body(i: usize) -> String {
    format!("{i}{}", "x".repeat(20_000))
}

/// Writes that wait together, so that they share commits. Which of them were acknowledged.
async fn write_together(store: &Store, work: CalendarId, ids: std::ops::Range<usize>) -> Vec<bool> {
    let writes = ids.map(|i| {
        store.write(move |tx| {
            Box::pin(async move {
                // Two objects in one write: both are there or none.
                let times: Vec<i64> = (0..50).map(|n| NOW + n * 86_400).collect();
                put(tx, work, &format!("{i}.ics"), &body(i), &times).await?;
                put(tx, work, &format!("{i}-too.ics"), &body(i), &times).await
            })
        })
    });
    let outcomes = futures_util::future::join_all(writes).await;
    let no_room = |outcome: &&Result<i64>| matches!(outcome, Err(Error::InsufficientStorage(_)));
    if outcomes.iter().any(|outcome| outcome.is_err()) {
        assert!(outcomes.iter().any(|one| no_room(&one)), "{outcomes:?}");
    }
    for outcome in &outcomes {
        // Another write of the same commit may be told to try again.
        let expected = matches!(outcome, Ok(_) | Err(Error::Unavailable(_)));
        assert!(expected || no_room(&outcome), "{outcome:?}");
    }
    outcomes.iter().map(Result::is_ok).collect()
}

/// Acknowledged writes are there with every byte, the others not at all, and the log of changes agrees.
async fn exactly_these(store: &Store, work: CalendarId, acknowledged: &[bool]) {
    let mut want = Vec::new();
    for (i, kept) in acknowledged.iter().enumerate() {
        for name in [format!("{i}.ics"), format!("{i}-too.ics")] {
            let found = store
                .peek(|tx| Box::pin(objects::get(tx, work, &name)))
                .await
                .unwrap();
            assert_eq!(found.is_some(), *kept, "{name}");
            if let Some(found) = found {
                assert!(found.body == body(i).as_bytes(), "{name}");
                want.push(name);
            }
        }
    }
    let mut changed = Vec::new();
    let each = |change: objects::Change<'_>| {
        if let objects::Change::Changed(member) = change {
            changed.push(member.name.to_owned());
        }
        Ok(())
    };
    store
        .read(|tx| Box::pin(objects::changed_since(tx, work, 0, 10_000, each)))
        .await
        .unwrap();
    changed.sort();
    want.sort();
    assert_eq!(changed, want);
    sound(store).await;
}

#[tokio::test]
async fn a_full_disk_refuses_whole_writes_and_heals() {
    let (store, _, work) = one_calendar().await;
    if matches!(store.url, DatabaseUrl::Postgres(_)) {
        eprintln!("not run: PostgreSQL's disk is not ours to fill");
        return;
    }
    let mut acknowledged = write_together(&store, work, 0..10).await;
    assert_eq!(acknowledged, [true; 10]);

    // Free pages are used up first: some of these may still find room.
    store.full(true).await;
    for round in 1..4 {
        let some = write_together(&store, work, round * 10..round * 10 + 10).await;
        assert!(some.contains(&false), "round {round}");
        acknowledged.extend(some);
        exactly_these(&store, work, &acknowledged).await;
    }
    // Another process that opens it now reads as well.
    exactly_these(&store.again().await, work, &acknowledged).await;

    store.full(false).await;
    let healed = write_together(&store, work, 40..50).await;
    assert_eq!(healed, [true; 10]);
    acknowledged.extend(healed);
    exactly_these(&store, work, &acknowledged).await;
}
