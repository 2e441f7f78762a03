//! The write door on a real database: what is stored, refused, numbered and kept.

use bytes::Bytes;

use super::*;
use crate::model::access::{Privileges, Scopes, Who, writable};
use crate::model::object::Tags;
use crate::model::{
    CalendarKind, ComponentSet, Door, Etag, Guard, Origin, PrincipalId, PrincipalKind, Writable,
};
use crate::store::calendars::NewCalendar;
use crate::store::objects::Change;
use crate::store::principals::NewPrincipal;
use crate::store::testing::Fresh;
use crate::store::{calendars, objects, occurrences, principals, versions};

/// 2026-11-20T00:00:00Z
const NOW: i64 = 1_795_132_800;

struct Bench {
    db: Fresh,
    rules: Rules,
    wake: super::Wake,
    anna: PrincipalId,
}

impl Bench {
    async fn new() -> Bench {
        let db = Fresh::new().await;
        let new = NewPrincipal {
            kind: PrincipalKind::User,
            name: "anna".into(),
            display_name: "Anna".into(),
            addresses: vec!["anna@example.org".into()],
            admin: false,
        };
        let anna = db
            .write(|tx| Box::pin(async move { principals::create(tx, &new, NOW).await }))
            .await
            .unwrap();
        let bench = Bench {
            db,
            rules: Rules::default(),
            wake: super::Wake::default(),
            anna,
        };
        bench.calendar("work").await;
        bench.calendar("home").await;
        bench
    }

    async fn calendar(&self, slug: &str) {
        let new = NewCalendar {
            home: self.anna,
            slug: slug.into(),
            kind: CalendarKind::Calendar,
            components: ComponentSet::standard(),
            timezone: String::new(),
            transparent: false,
        };
        self.db
            .write(|tx| Box::pin(async move { calendars::create(tx, &new, NOW).await }))
            .await
            .unwrap();
    }

    fn cx(&self) -> Context<'_> {
        Context {
            store: &self.db,
            rules: &self.rules,
            wake: &self.wake,
            now: NOW,
        }
    }

    async fn open(&self, slug: &str) -> Writable<Bound> {
        let anna = self.anna;
        let bound = self
            .db
            .peek(|tx| Box::pin(calendars::find(tx, anna, "anna", slug)))
            .await
            .unwrap()
            .unwrap();
        let who = Who {
            id: anna,
            name: "anna".into(),
            admin: false,
            scopes: Scopes::ALL,
        };
        writable(bound, &who, Privileges::WRITE).unwrap()
    }

    fn origin(&self) -> Origin {
        Origin {
            who: self.anna,
            door: Door::Caldav,
        }
    }

    async fn put(
        &self,
        slug: &str,
        name: &str,
        body: &str,
        guard: &Guard,
    ) -> crate::model::Result<Put> {
        let draft = Draft {
            name: name.into(),
            body: Bytes::from(body.to_string()),
        };
        put(
            &self.cx(),
            &self.open(slug).await,
            draft,
            guard,
            self.origin(),
        )
        .await
    }

    async fn body(&self, slug: &str, name: &str) -> Option<String> {
        let id = self.open(slug).await.calendar.id;
        let object = self
            .db
            .peek(|tx| Box::pin(objects::get(tx, id, name)))
            .await
            .unwrap();
        object.map(|o| String::from_utf8(o.body).unwrap())
    }

    /// (name, seq, removed) since a number.
    async fn changes(&self, slug: &str, since: i64) -> Vec<(String, bool)> {
        let id = self.open(slug).await.calendar.id;
        let mut found = Vec::new();
        self.db
            .peek(|tx| {
                Box::pin(objects::changed_since(tx, id, since, 100, |change| {
                    found.push(match change {
                        Change::Changed(member) => (member.name.to_string(), false),
                        Change::Removed { name, .. } => (name.to_string(), true),
                    });
                    Ok(())
                }))
            })
            .await
            .unwrap();
        found
    }

    async fn transfer(
        &self,
        how: Transfer,
        from: (&str, &str),
        to: (&str, &str),
        overwrite: bool,
    ) -> crate::model::Result<bool> {
        let from = Place {
            cal: self.open(from.0).await,
            name: from.1.into(),
        };
        let to = Place {
            cal: self.open(to.0).await,
            name: to.1.into(),
        };
        transfer(
            &self.cx(),
            how,
            from,
            to,
            overwrite,
            &Guard::default(),
            self.origin(),
        )
        .await
    }
}

fn event(uid: &str, more: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20261120T000000Z\r\nDTSTART:20261120T100000Z\r\nDTEND:20261120T110000Z\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn none_match() -> Guard {
    Guard {
        if_none_match: Some(Tags::Any),
        ..Guard::default()
    }
}

fn matching(etag: &Etag) -> Guard {
    Guard {
        if_match: Some(Tags::List(vec![etag.0.clone()])),
        ..Guard::default()
    }
}

#[tokio::test]
async fn a_put_is_stored_byte_for_byte_and_numbered() {
    let bench = Bench::new().await;
    let text = event("a", "X-ODD:kept\n");
    let put = bench
        .put("work", "a.ics", &text, &none_match())
        .await
        .unwrap();
    assert!(put.created && put.stored_as_sent);
    assert_eq!(put.etag, Etag::of(text.as_bytes()));
    assert_eq!(bench.body("work", "a.ics").await.unwrap(), text);
    assert_eq!(
        bench.changes("work", 0).await,
        [("a.ics".to_string(), false)]
    );
}

#[tokio::test]
async fn the_same_bytes_again_change_nothing() {
    let bench = Bench::new().await;
    bench
        .put("work", "a.ics", &event("a", ""), &Guard::default())
        .await
        .unwrap();
    let before = bench.open("work").await.calendar.seq;
    let again = bench
        .put("work", "a.ics", &event("a", ""), &Guard::default())
        .await
        .unwrap();
    assert!(!again.created && again.stored_as_sent);
    assert_eq!(bench.open("work").await.calendar.seq, before);
}

#[tokio::test]
async fn guards_refuse_what_does_not_hold() {
    let bench = Bench::new().await;
    let first = bench
        .put("work", "a.ics", &event("a", ""), &none_match())
        .await
        .unwrap();
    let refused = bench
        .put("work", "a.ics", &event("a", "SUMMARY:b\r\n"), &none_match())
        .await;
    assert!(matches!(refused, Err(Error::PreconditionFailed)));
    let second = bench
        .put(
            "work",
            "a.ics",
            &event("a", "SUMMARY:b\r\n"),
            &matching(&first.etag),
        )
        .await
        .unwrap();
    assert!(!second.created);
    let stale = bench
        .put(
            "work",
            "a.ics",
            &event("a", "SUMMARY:c\r\n"),
            &matching(&first.etag),
        )
        .await;
    assert!(matches!(stale, Err(Error::PreconditionFailed)));
    let gone = bench
        .put("work", "none.ics", &event("n", ""), &matching(&first.etag))
        .await;
    assert!(matches!(gone, Err(Error::PreconditionFailed)));
}

#[tokio::test]
async fn a_taken_uid_is_refused_with_the_holders_address() {
    let bench = Bench::new().await;
    bench
        .put("work", "a.ics", &event("a", ""), &Guard::default())
        .await
        .unwrap();
    let conflict = |result: crate::model::Result<Put>| match result {
        Err(Error::Precondition {
            is: Precondition::NoUidConflict { href },
            ..
        }) => href,
        other => panic!("{other:?}"),
    };
    let other_name = bench
        .put("work", "b.ics", &event("a", ""), &Guard::default())
        .await;
    assert_eq!(conflict(other_name), "/dav/calendars/anna/work/a.ics");
    let other_uid = bench
        .put("work", "a.ics", &event("b", ""), &Guard::default())
        .await;
    assert_eq!(conflict(other_uid), "/dav/calendars/anna/work/a.ics");
    assert!(
        bench
            .put("home", "a.ics", &event("a", ""), &Guard::default())
            .await
            .unwrap()
            .created
    );
}

#[tokio::test]
async fn a_refused_text_names_precondition_and_line_and_stores_nothing() {
    let bench = Bench::new().await;
    let refused = bench
        .put(
            "work",
            "a.ics",
            &event("a", "RRULE:FREQ=SOMETIMES\r\n"),
            &Guard::default(),
        )
        .await;
    match refused {
        Err(Error::Precondition {
            is: Precondition::ValidCalendarData,
            reason,
        }) => assert!(reason.contains("line 9"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.body("work", "a.ics").await, None);
    assert_eq!(bench.changes("work", 0).await, []);
}

#[tokio::test]
async fn a_removed_object_is_a_tombstone_a_version_and_its_name_and_uid_are_free() {
    let bench = Bench::new().await;
    bench
        .put("work", "a.ics", &event("a", ""), &Guard::default())
        .await
        .unwrap();
    let token = bench.open("work").await.calendar.seq;
    let cal = bench.open("work").await;
    remove(
        &bench.cx(),
        &cal,
        "a.ics",
        &Guard::default(),
        bench.origin(),
    )
    .await
    .unwrap();
    assert_eq!(
        bench.changes("work", token).await,
        [("a.ics".to_string(), true)]
    );
    assert_eq!(
        bench.changes("work", 0).await,
        [],
        "made and removed since then"
    );
    let kept = bench
        .db
        .peek(|tx| Box::pin(versions::list(tx, cal.calendar.id, Some("a.ics"), None, 10)))
        .await
        .unwrap();
    assert_eq!(
        kept.iter().map(|v| v.action.as_str()).collect::<Vec<_>>(),
        ["deleted"]
    );
    assert!(
        bench
            .put("work", "a.ics", &event("a", ""), &none_match())
            .await
            .unwrap()
            .created
    );
    let missing = remove(
        &bench.cx(),
        &cal,
        "none.ics",
        &Guard::default(),
        bench.origin(),
    )
    .await;
    assert!(matches!(missing, Err(Error::NotFound)));
}

#[tokio::test]
async fn moving_is_a_removal_there_and_an_appearance_here() {
    let bench = Bench::new().await;
    bench
        .put("work", "a.ics", &event("a", ""), &Guard::default())
        .await
        .unwrap();
    let (work, home) = (
        bench.open("work").await.calendar.seq,
        bench.open("home").await.calendar.seq,
    );
    assert!(
        bench
            .transfer(Transfer::Move, ("work", "a.ics"), ("home", "b.ics"), true)
            .await
            .unwrap()
    );
    assert_eq!(
        bench.changes("work", work).await,
        [("a.ics".to_string(), true)]
    );
    assert_eq!(
        bench.changes("home", home).await,
        [("b.ics".to_string(), false)]
    );
    assert_eq!(bench.body("work", "a.ics").await, None);
    assert_eq!(bench.body("home", "b.ics").await.unwrap(), event("a", ""));
    let token = bench.open("home").await.calendar.seq;
    assert!(
        bench
            .transfer(Transfer::Move, ("home", "b.ics"), ("home", "c.ics"), false)
            .await
            .unwrap()
    );
    assert_eq!(
        bench.changes("home", token).await,
        [("b.ics".to_string(), true), ("c.ics".to_string(), false)]
    );
}

#[tokio::test]
async fn copying_keeps_the_source_and_respects_uids_and_overwrite() {
    let bench = Bench::new().await;
    bench
        .put("work", "a.ics", &event("a", ""), &Guard::default())
        .await
        .unwrap();
    assert!(
        bench
            .transfer(Transfer::Copy, ("work", "a.ics"), ("home", "a.ics"), true)
            .await
            .unwrap()
    );
    assert!(
        !bench
            .transfer(Transfer::Copy, ("work", "a.ics"), ("home", "a.ics"), true)
            .await
            .unwrap()
    );
    let kept = bench
        .transfer(Transfer::Copy, ("work", "a.ics"), ("home", "a.ics"), false)
        .await;
    assert!(matches!(kept, Err(Error::PreconditionFailed)));
    let twice = bench
        .transfer(Transfer::Copy, ("work", "a.ics"), ("work", "b.ics"), true)
        .await;
    assert!(
        matches!(
            twice,
            Err(Error::Precondition {
                is: Precondition::NoUidConflict { .. },
                ..
            })
        ),
        "{twice:?}"
    );
    bench
        .put("home", "other.ics", &event("o", ""), &Guard::default())
        .await
        .unwrap();
    let over_another = bench
        .transfer(
            Transfer::Copy,
            ("work", "a.ics"),
            ("home", "other.ics"),
            true,
        )
        .await;
    assert!(matches!(
        over_another,
        Err(Error::Precondition {
            is: Precondition::NoUidConflict { .. },
            ..
        })
    ));
}

#[tokio::test]
async fn a_series_is_indexed_ahead_and_again_when_time_has_passed() {
    let bench = Bench::new().await;
    bench
        .put(
            "work",
            "a.ics",
            &event("a", "RRULE:FREQ=WEEKLY\r\n"),
            &Guard::default(),
        )
        .await
        .unwrap();
    let id = bench.open("work").await.calendar.id;
    let count = async |from: i64, to: i64| {
        let mut found = 0;
        let counted = bench.db.peek(|tx| {
            Box::pin(occurrences::in_range(tx, id, from, to, |_| {
                found += 1;
                Ok(())
            }))
        });
        counted.await.unwrap();
        found
    };
    let year = 365 * 86_400;
    assert_eq!(count(NOW, NOW + 7 * 86_400).await, 1);
    assert_eq!(
        count(NOW + 5 * year, NOW + 5 * year + 7 * 86_400).await,
        0,
        "beyond the horizon"
    );
    assert_eq!(reindex_stale(&bench.cx(), 10).await.unwrap(), 0, "fresh");
    let later = Context {
        now: NOW + 4 * year,
        ..bench.cx()
    };
    assert_eq!(reindex_stale(&later, 10).await.unwrap(), 1);
    assert_eq!(count(NOW + 5 * year, NOW + 5 * year + 7 * 86_400).await, 1);
    assert_eq!(reindex_stale(&later, 10).await.unwrap(), 0, "done");
}

#[tokio::test]
async fn writers_at_once_get_numbers_of_their_own() {
    let bench = std::sync::Arc::new(Bench::new().await);
    let tasks: Vec<_> = (0..24)
        .map(|i| {
            let bench = bench.clone();
            tokio::spawn(async move {
                bench
                    .put(
                        "work",
                        &format!("{i}.ics"),
                        &event(&format!("u{i}"), ""),
                        &none_match(),
                    )
                    .await
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().unwrap().created);
    }
    assert_eq!(bench.changes("work", 0).await.len(), 24);
    assert_eq!(bench.open("work").await.calendar.objects, 24);
}

#[tokio::test]
async fn of_many_creating_one_name_one_wins() {
    let bench = std::sync::Arc::new(Bench::new().await);
    let tasks: Vec<_> = (0..16)
        .map(|i| {
            let bench = bench.clone();
            tokio::spawn(async move {
                bench
                    .put(
                        "work",
                        "a.ics",
                        &event("a", &format!("SUMMARY:{i}\r\n")),
                        &none_match(),
                    )
                    .await
            })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(put) => won += i32::from(put.created),
            Err(error) => assert!(matches!(error, Error::PreconditionFailed), "{error:?}"),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn newer_zone_data_indexes_everything_anew() {
    let bench = Bench::new().await;
    bench
        .put("work", "a.ics", &event("a", ""), &Guard::default())
        .await
        .unwrap();
    let id = bench.open("work").await.calendar.id;
    let found = async || {
        let (mut rows, db) = (0, &bench.db);
        let count = db.peek(|tx| {
            Box::pin(occurrences::in_range(tx, id, NOW, NOW + 86_400, |_| {
                rows += 1;
                Ok(())
            }))
        });
        count.await.unwrap();
        let asked = db.peek(|tx| Box::pin(occurrences::unindexed(tx, id, NOW, NOW + 86_400)));
        (rows, asked.await.unwrap().len())
    };
    let cx = bench.cx();
    assert!(!zone_data(&cx, "2026a").await.unwrap(), "the first one");
    assert!(!zone_data(&cx, "2025c").await.unwrap(), "an older program");
    assert_eq!(found().await, (1, 0));
    assert!(zone_data(&cx, "2026b").await.unwrap());
    assert_eq!(found().await, (0, 1), "the object is asked itself");
    assert_eq!(reindex_stale(&cx, 10).await.unwrap(), 1);
    assert_eq!(found().await, (1, 0));
    assert!(!zone_data(&cx, "2026b").await.unwrap());
}
