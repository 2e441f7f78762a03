//! What the store promises, on whichever engine the environment names (`KALENDS_TEST_POSTGRES`).

mod backup;
mod bridges;
mod concurrent;
mod full;
mod nouns;
mod schema;
mod sync;
mod verify;
mod writer;

use super::calendars::NewCalendar;
use super::objects::{Fetched, ObjectRow};
use super::principals::NewPrincipal;
use super::testing::Fresh;
use super::{OccurrenceRow, Store, Tx, calendars, objects, occurrences, principals, versions};
use crate::model::{
    CalendarId, CalendarKind, ComponentSet, Door, Error, Etag, Origin, Precondition, PrincipalId,
    PrincipalKind, Privileges, Result,
};

pub(super) const NOW: i64 = 1_800_000_000;

pub(super) async fn person(store: &Store, name: &'static str) -> PrincipalId {
    let new = NewPrincipal {
        kind: PrincipalKind::User,
        name: name.into(),
        display_name: format!("The {name}"),
        addresses: vec![format!("{name}@example.org"), format!("{name}@Example.com")],
        admin: false,
    };
    store
        .write(move |tx| Box::pin(async move { principals::create(tx, &new, NOW).await }))
        .await
        .unwrap()
}

pub(super) async fn calendar(store: &Store, home: PrincipalId, slug: &'static str) -> CalendarId {
    let new = NewCalendar {
        home,
        slug: slug.into(),
        kind: CalendarKind::Calendar,
        components: ComponentSet::standard(),
        timezone: String::new(),
        transparent: false,
    };
    store
        .write(move |tx| Box::pin(async move { calendars::create(tx, &new, NOW).await }))
        .await
        .unwrap()
}

/// Puts an object the way the write door does.
pub(super) async fn put(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    name: &str,
    body: &str,
    starts: &[i64],
) -> Result<i64> {
    let rows: Vec<_> = starts
        .iter()
        .map(|s| OccurrenceRow {
            starts: *s,
            ends: s + 3600,
            rid: *s,
            local: false,
            busy: 1,
        })
        .collect();
    let digest = format!("{rows:?}");
    let etag = Etag::of(body.as_bytes());
    let row = ObjectRow {
        name,
        uid: name,
        component: "VEVENT",
        etag: &etag,
        schedule_tag: None,
        starts: starts.iter().min().copied(),
        ends: starts.iter().max().map(|s| s + 3600),
        indexed_from: None,
        indexed_to: None,
        needs_object: false,
        session: false,
        occurrences: &rows,
        digest: &digest,
        body: body.as_bytes(),
    };
    let seq = calendars::lock(tx, calendar, NOW).await?;
    match objects::head(tx, calendar, name).await? {
        Some(old) => {
            versions::keep(tx, old.member.id, "replaced", origin(), NOW).await?;
            objects::update(tx, calendar, &old, seq, &row, NOW).await?;
        }
        None => drop(objects::insert(tx, calendar, seq, &row, NOW).await?),
    }
    Ok(seq)
}

pub(super) async fn delete(tx: &mut Tx<'_>, calendar: CalendarId, name: &str) -> Result<i64> {
    let seq = calendars::lock(tx, calendar, NOW).await?;
    let old = objects::head(tx, calendar, name)
        .await?
        .ok_or(Error::NotFound)?;
    objects::remove(tx, calendar, &old, seq, NOW).await?;
    Ok(seq)
}

/// Nothing in the database breaks a rule.
pub(super) async fn sound(store: &Store) {
    assert_eq!(super::verify::verify(store).await.unwrap(), vec![]);
}

fn origin() -> Origin {
    Origin {
        who: PrincipalId(1),
        door: Door::Caldav,
    }
}

/// A store with one person and one calendar.
pub(super) async fn one_calendar() -> (Fresh, PrincipalId, CalendarId) {
    let fresh = Fresh::new().await;
    let anna = person(&fresh, "anna").await;
    let work = calendar(&fresh, anna, "work").await;
    (fresh, anna, work)
}

#[tokio::test]
async fn an_object_comes_back_as_it_was_put() {
    let (store, anna, work) = one_calendar().await;
    store
        .write(move |tx| Box::pin(async move { put(tx, work, "a.ics", "one\r\n", &[NOW]).await }))
        .await
        .unwrap();
    let found = store
        .peek(|tx| Box::pin(objects::fetch(tx, anna, "anna", "work", "a.ics")))
        .await
        .unwrap();
    let Fetched { privileges, object } = found.unwrap();
    assert_eq!(privileges, Privileges::ALL);
    assert_eq!(object.body, b"one\r\n");
    assert_eq!(object.member.etag, Etag::of(b"one\r\n"));
    assert_eq!(
        (object.member.seq, object.member.size, object.calendar),
        (1, 5, work)
    );
    let bound = store
        .peek(|tx| Box::pin(calendars::find(tx, anna, "anna", "work")))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            bound.calendar.objects,
            bound.calendar.bytes,
            bound.calendar.seq
        ),
        (1, 5, 1)
    );
}

#[tokio::test]
async fn a_write_that_fails_leaves_nothing_behind() {
    let (store, _, work) = one_calendar().await;
    let failed: Result<()> = store
        .write(move |tx| {
            Box::pin(async move {
                put(tx, work, "a.ics", "one", &[]).await?;
                Err(Error::PreconditionFailed)
            })
        })
        .await;
    assert!(matches!(failed, Err(Error::PreconditionFailed)));
    let head = store
        .peek(|tx| Box::pin(objects::head(tx, work, "a.ics")))
        .await
        .unwrap();
    assert!(head.is_none());
    let seq = store
        .write(move |tx| Box::pin(async move { calendars::lock(tx, work, NOW).await }))
        .await
        .unwrap();
    assert_eq!(seq, 1);
}

#[tokio::test]
async fn a_slug_can_be_bound_once() {
    let (store, anna, _) = one_calendar().await;
    let new = NewCalendar {
        home: anna,
        slug: "work".into(),
        kind: CalendarKind::Calendar,
        components: ComponentSet::standard(),
        timezone: String::new(),
        transparent: false,
    };
    let taken = store
        .write(move |tx| Box::pin(async move { calendars::create(tx, &new, NOW).await }))
        .await;
    assert!(
        matches!(
            taken,
            Err(Error::Precondition {
                is: Precondition::ResourceMustBeNull,
                ..
            })
        ),
        "{taken:?}"
    );
}

#[tokio::test]
async fn a_range_finds_what_overlaps_it() {
    let (store, _, work) = one_calendar().await;
    store
        .write(move |tx| {
            Box::pin(async move { put(tx, work, "a.ics", "a", &[0, 7200, 14_400]).await })
        })
        .await
        .unwrap();
    for (from, to, want) in [
        (0, 1, vec![0]),
        (3600, 7200, vec![]),
        (3599, 7201, vec![0, 7200]),
        (-10, 20_000, vec![0, 7200, 14_400]),
    ] {
        let mut found = Vec::new();
        let each = |f: super::Found| {
            found.push(f.row.starts);
            Ok(())
        };
        store
            .read(|tx| Box::pin(occurrences::in_range(tx, work, from, to, each)))
            .await
            .unwrap();
        found.sort_unstable();
        assert_eq!(found, want, "{from}..{to}");
    }
}
