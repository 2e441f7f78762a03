//! Many writers at once, on one server and on two over one database: nothing is lost, nothing comes twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::store::Change;

const WRITERS: usize = 8;
const WRITES: usize = 40;

/// A client that syncs: what it believes to be there, by name, with the number of the last change it heard of.
struct Client {
    token: i64,
    members: BTreeMap<String, String>,
}

impl Client {
    /// Asks once; how many changes it was told.
    async fn sync(&mut self, store: &Store, calendar: CalendarId, limit: i64) -> usize {
        let (since, mut told, mut names) = (self.token, 0, BTreeSet::new());
        let each = |change: Change<'_>| {
            assert!(
                change.seq() > self.token,
                "numbers rise, and are above the token"
            );
            self.token = change.seq();
            told += 1;
            let name = match change {
                Change::Changed(member) => {
                    self.members.insert(member.name.into(), member.etag.into());
                    member.name
                }
                Change::Removed { name, .. } => {
                    self.members.remove(name);
                    name
                }
            };
            assert!(
                names.insert(name.to_string()),
                "a name comes once in an answer"
            );
            Ok(())
        };
        let sync =
            store.peek(|tx| Box::pin(objects::changed_since(tx, calendar, since, limit, each)));
        sync.await.unwrap();
        told
    }
}

async fn members(store: &Store, calendar: CalendarId) -> BTreeMap<String, String> {
    let mut members = BTreeMap::new();
    let each = |m: objects::MemberRef<'_>| {
        members.insert(m.name.to_string(), m.etag.to_string());
        Ok(())
    };
    store
        .peek(|tx| Box::pin(objects::page(tx, calendar, None, 10_000, false, each)))
        .await
        .unwrap();
    members
}

/// Puts and deletes at random-looking places; the numbers of its changes.
async fn write(store: Store, calendar: CalendarId, writer: usize) -> Vec<i64> {
    let mut numbers = Vec::new();
    for i in 0..WRITES {
        let name = format!("{:02}.ics", (writer * 31 + i * 17) % 23);
        let body = format!("{writer} {i}");
        let job = store.write(move |tx| {
            Box::pin(async move {
                if i % 3 == 2 {
                    delete(tx, calendar, &name).await
                } else {
                    put(tx, calendar, &name, &body, &[NOW]).await
                }
            })
        });
        match job.await {
            Ok(number) => numbers.push(number),
            Err(Error::NotFound) => {}
            Err(why) => panic!("{why}"),
        }
    }
    numbers
}

async fn run(servers: Vec<Store>, calendar: CalendarId) {
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = [2, 7, 1000]
        .into_iter()
        .zip(servers.iter().cycle().cloned())
        .map(|(limit, store)| {
            let done = done.clone();
            tokio::spawn(async move {
                let mut client = Client {
                    token: 0,
                    members: BTreeMap::new(),
                };
                loop {
                    let last = done.load(Ordering::Acquire);
                    let told = client.sync(&store, calendar, limit).await;
                    if last && told == 0 {
                        return client.members;
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .zip(servers.iter().cycle().cloned())
        .map(|(writer, store)| tokio::spawn(write(store, calendar, writer)))
        .collect();
    let mut numbers = Vec::new();
    for writer in writers {
        numbers.extend(writer.await.unwrap());
    }
    done.store(true, Ordering::Release);
    numbers.sort_unstable();
    let expected: Vec<_> = (1..=numbers.len() as i64).collect();
    assert_eq!(
        numbers, expected,
        "each change has a number of its own, without gaps"
    );
    let there = members(&servers[0], calendar).await;
    for reader in readers {
        assert_eq!(
            reader.await.unwrap(),
            there,
            "what a syncing client believes is what is there"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_syncs_among_writers_misses_nothing() {
    let (fresh, _, work) = one_calendar().await;
    run(vec![fresh.store.clone()], work).await;
    sound(&fresh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_servers_on_one_database_are_as_one() {
    let (fresh, _, work) = one_calendar().await;
    run(vec![fresh.store.clone(), fresh.again().await], work).await;
    sound(&fresh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_servers_that_start_at_once_migrate_once() {
    let fresh = Fresh::new().await;
    let (one, two) = tokio::join!(fresh.again(), fresh.again());
    person(&one, "anna").await;
    assert_eq!(
        two.peek(|tx| Box::pin(principals::count(tx)))
            .await
            .unwrap(),
        1
    );
}
