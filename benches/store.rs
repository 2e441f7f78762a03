//! What the store costs, without HTTP: a calendar of 10,000 objects of 1.3 KiB, a seventh of them series.
//!
//!     cargo bench --bench store                                    SQLite, in the folder for temporary files
//!     KALENDS_TEST_POSTGRES=… cargo bench --bench store            PostgreSQL

#![expect(clippy::disallowed_methods, reason = "a bench asks the clock")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use kalends::model::{
    CalendarId, CalendarKind, ComponentSet, Door, Etag, ObjectId, Origin, PrincipalId,
    PrincipalKind, Result,
};
use kalends::store::calendars::NewCalendar;
use kalends::store::principals::NewPrincipal;
use kalends::store::testing::Fresh;
use kalends::store::{
    ObjectRow, OccurrenceRow, Store, Tx, calendars, objects, occurrences, principals, versions,
};

const NOW: i64 = 1_790_000_000;
const DAY: i64 = 86_400;
const OBJECTS: i64 = 10_000;

/// One event's rows: single ones over eighteen months, every seventh weekly for two years.
fn rows(i: i64) -> Vec<OccurrenceRow> {
    let local = i % 11 == 0;
    let length = if local { DAY } else { 1800 * (1 + i % 4) };
    let first = NOW - 270 * DAY + (i * 7_919 % 540) * DAY + i % 24 * 3600;
    let count = if i % 7 == 0 { 104 } else { 1 };
    let row = |n: i64| {
        let starts = first - if count > 1 { 365 * DAY } else { 0 } + n * 7 * DAY;
        OccurrenceRow {
            starts,
            ends: starts + length,
            rid: starts,
            local,
            busy: 1,
        }
    };
    (0..count).map(row).collect()
}

async fn put(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    i: i64,
    body: &[u8],
    history: bool,
) -> Result<()> {
    let (name, uid) = (
        format!("event-{i:05}.ics"),
        format!("uid-{i:05}@bench.example.org"),
    );
    let (etag, rows) = (Etag::of(body), rows(i));
    let digest = format!("{:x}", i * 31 + rows.len() as i64);
    let row = ObjectRow {
        name: &name,
        uid: &uid,
        component: "VEVENT",
        etag: &etag,
        schedule_tag: None,
        starts: rows.first().map(|r| r.starts),
        ends: rows.last().map(|r| r.ends),
        indexed_from: None,
        indexed_to: (rows.len() > 1).then_some(NOW + 1000 * DAY),
        needs_object: false,
        session: false,
        occurrences: &rows,
        digest: &digest,
        body,
    };
    let seq = calendars::lock(tx, calendar, NOW).await?;
    match objects::head(tx, calendar, &name).await? {
        Some(old) => {
            if history {
                let origin = Origin {
                    who: PrincipalId(1),
                    door: Door::Caldav,
                };
                versions::keep(tx, old.member.id, "replaced", origin, NOW).await?;
            }
            objects::update(tx, calendar, &old, seq, &row, NOW).await
        }
        None => objects::insert(tx, calendar, seq, &row, NOW)
            .await
            .map(drop),
    }
}

fn body(i: i64, revision: i64) -> Vec<u8> {
    let mut text = format!("BEGIN:VCALENDAR\r\nX-N:{i}.{revision}\r\n");
    while text.len() < 1300 {
        text.push_str("DESCRIPTION:what there is to say about this event\r\n");
    }
    text.into_bytes()
}

struct World {
    store: Fresh,
    anna: PrincipalId,
    work: CalendarId,
}

async fn world() -> World {
    let store = Fresh::new().await;
    let new = NewPrincipal {
        kind: PrincipalKind::User,
        name: "anna".into(),
        display_name: "Anna".into(),
        addresses: vec!["anna@example.org".into()],
        admin: false,
    };
    let anna = store
        .write(move |tx| Box::pin(async move { principals::create(tx, &new, NOW).await }))
        .await
        .unwrap();
    let new = NewCalendar {
        home: anna,
        slug: "work".into(),
        kind: CalendarKind::Calendar,
        components: ComponentSet::standard(),
        timezone: String::new(),
        transparent: false,
    };
    let work = store
        .write(move |tx| Box::pin(async move { calendars::create(tx, &new, NOW).await }))
        .await
        .unwrap();
    let began = Instant::now();
    for hundred in 0..OBJECTS / 100 {
        store
            .write(move |tx| {
                Box::pin(async move {
                    for i in hundred * 100..(hundred + 1) * 100 {
                        put(tx, work, i, &body(i, 0), false).await?;
                    }
                    Ok(())
                })
            })
            .await
            .unwrap();
    }
    eprintln!(
        "{store:?}: {OBJECTS} objects stored in {:?}",
        began.elapsed(),
        store = *store
    );
    World { store, anna, work }
}

/// `writers` tasks that replace objects, each waiting for its own commit; `n` writes in all.
fn replace(
    runtime: &tokio::runtime::Runtime,
    store: &Store,
    work: CalendarId,
    writers: i64,
    n: i64,
    history: bool,
) -> Duration {
    static REVISION: AtomicI64 = AtomicI64::new(1);
    let left = Arc::new(AtomicI64::new(n));
    let began = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (store, left) = (store.clone(), left.clone());
            runtime.spawn(async move {
                while left.fetch_sub(1, Ordering::Relaxed) > 0 {
                    let revision = REVISION.fetch_add(1, Ordering::Relaxed);
                    let i = revision * 7_919 % OBJECTS;
                    let text = body(i, revision);
                    let write = store.write(move |tx| {
                        Box::pin(async move { put(tx, work, i, &text, history).await })
                    });
                    write.await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    began.elapsed()
}

fn reads(c: &mut Criterion, runtime: &tokio::runtime::Runtime, world: &World) {
    let World { store, anna, work } = world;
    let (anna, work) = (*anna, *work);
    let mut next = 0;
    c.bench_function("head of an object", |b| {
        b.iter(|| {
            next = (next + 7_919) % OBJECTS;
            let name = format!("event-{next:05}.ics");
            runtime
                .block_on(store.peek(|tx| Box::pin(objects::head(tx, work, &name))))
                .unwrap()
                .unwrap()
        })
    });
    c.bench_function("GET: address, rights and object in one", |b| {
        b.iter(|| {
            next = (next + 7_919) % OBJECTS;
            let name = format!("event-{next:05}.ics");
            let fetch = store.peek(|tx| Box::pin(objects::fetch(tx, anna, "anna", "work", &name)));
            runtime.block_on(fetch).unwrap().unwrap()
        })
    });
    c.bench_function("a calendar at its address", |b| {
        b.iter(|| {
            runtime
                .block_on(store.peek(|tx| Box::pin(calendars::find(tx, anna, "anna", "work"))))
                .unwrap()
        })
    });
    c.bench_function("list 10,000 members", |b| {
        b.iter(|| {
            let mut size = 0;
            let each = |m: objects::MemberRef<'_>| {
                size += m.name.len() + m.etag.len();
                Ok(())
            };
            runtime
                .block_on(
                    store.peek(|tx| Box::pin(objects::page(tx, work, None, OBJECTS, false, each))),
                )
                .unwrap();
            black_box(size)
        })
    });
    let names: Vec<_> = (0..256)
        .map(|i| format!("event-{:05}.ics", i * 7_919 % OBJECTS))
        .collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    c.bench_function("256 members with texts by name", |b| {
        b.iter(|| {
            let mut size = 0;
            let each = |m: objects::MemberRef<'_>| {
                size += m.body.len();
                Ok(())
            };
            runtime
                .block_on(store.read(|tx| Box::pin(objects::many(tx, work, &names, true, each))))
                .unwrap();
            assert!(size > 256 * 1300);
        })
    });
    for (what, days) in [("week", 7), ("month", 30)] {
        let mut found = Vec::new();
        c.bench_function(&format!("instances of a {what}"), |b| {
            b.iter(|| {
                found.clear();
                let each = |f: occurrences::Found| {
                    found.push(f.object);
                    Ok(())
                };
                let range = occurrences::in_range;
                runtime
                    .block_on(
                        store.read(|tx| Box::pin(range(tx, work, NOW, NOW + days * DAY, each))),
                    )
                    .unwrap();
            })
        });
        eprintln!("  {} instances in a {what}", found.len());
        let mut ids: Vec<ObjectId> = found.clone();
        ids.sort_unstable();
        ids.dedup();
        c.bench_function(&format!("texts of a {what}, by id"), |b| {
            b.iter(|| {
                let mut size = 0;
                let each = |m: objects::MemberRef<'_>| {
                    size += m.body.len();
                    Ok(())
                };
                runtime
                    .block_on(
                        store.read(|tx| Box::pin(objects::by_ids(tx, work, &ids, true, each))),
                    )
                    .unwrap();
                black_box(size)
            })
        });
        eprintln!("  {} objects in a {what}", ids.len());
    }
    c.bench_function("objects that the index does not answer for", |b| {
        b.iter(|| {
            runtime
                .block_on(
                    store.peek(|tx| Box::pin(occurrences::unindexed(tx, work, NOW, NOW + 7 * DAY))),
                )
                .unwrap()
        })
    });
    c.bench_function("the last change", |b| {
        b.iter(|| {
            let mut changes = 0;
            let each = |_: objects::Change<'_>| {
                changes += 1;
                Ok(())
            };
            runtime
                .block_on(
                    store.peek(|tx| Box::pin(objects::changed_since(tx, work, 9_999, 256, each))),
                )
                .unwrap();
            assert_eq!(changes, 1);
        })
    });
    c.bench_function("all 10,000 as changes", |b| {
        b.iter(|| {
            let mut changes = 0;
            let each = |_: objects::Change<'_>| {
                changes += 1;
                Ok(())
            };
            runtime
                .block_on(
                    store.peek(|tx| Box::pin(objects::changed_since(tx, work, 0, 1 << 40, each))),
                )
                .unwrap();
            assert_eq!(changes, OBJECTS);
        })
    });
}

fn writes(c: &mut Criterion, runtime: &tokio::runtime::Runtime, world: &World) {
    for (writers, history) in [(1, true), (16, true), (16, false), (64, true)] {
        let what = if history {
            "kept in history"
        } else {
            "no history"
        };
        c.bench_function(
            &format!("replace an object, {writers} writers, {what}"),
            |b| {
                b.iter_custom(|n| {
                    replace(
                        runtime,
                        &world.store,
                        world.work,
                        writers,
                        n as i64,
                        history,
                    )
                })
            },
        );
    }
}

fn all(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let world = runtime.block_on(world());
    reads(c, &runtime, &world);
    writes(c, &runtime, &world);
    let _inside = runtime.enter();
    drop(world);
}

criterion_group! {
    name = store;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500)).without_plots();
    targets = all
}
criterion_main!(store);
