//! Backup and restore, within one engine and across.

use std::io::Cursor;

use super::*;
use crate::store::backup::{backup, restore};
use crate::store::properties::{self, EVERYBODY, OwnerKind};
use crate::store::{credentials, meta};

/// Something in most tables.
async fn fill(store: &Store) -> (PrincipalId, CalendarId) {
    let anna = person(store, "anna").await;
    let work = calendar(store, anna, "work").await;
    store
        .write(move |tx| {
            Box::pin(async move {
                put(tx, work, "ü \"quoted\".ics", "one\r\n\0\u{fffd}", &[NOW]).await?;
                put(tx, work, "b.ics", "first", &[NOW, NOW + 9000]).await?;
                put(tx, work, "b.ics", "second", &[NOW, NOW + 9000]).await?;
                put(tx, work, "c.ics", "gone", &[]).await?;
                delete(tx, work, "c.ics").await?;
                properties::set(
                    tx,
                    OwnerKind::Calendar,
                    work.0,
                    EVERYBODY,
                    "{DAV:}displayname",
                    "<a>ü</a>",
                )
                .await?;
                meta::set(tx, "server", "one").await?;
                let new = credentials::NewCredential {
                    kind: credentials::CredentialKind::AppPassword,
                    principal: anna,
                    label: "phone".into(),
                    hash: "0".repeat(64),
                    scopes: String::new(),
                };
                credentials::create(tx, &new, NOW).await
            })
        })
        .await
        .unwrap();
    (anna, work)
}

async fn dump(store: &Store) -> Vec<u8> {
    let mut file = Vec::new();
    backup(store, &mut file, |_, _| {}).await.unwrap();
    file
}

async fn check_restored(from: &Store, to: &Store) {
    let (anna, work) = fill(from).await;
    let file = dump(from).await;
    let summary = restore(to, Cursor::new(file.clone()), |_, _| {})
        .await
        .unwrap();
    assert_eq!((summary.principals, summary.objects), (1, 2));
    sound(to).await;
    let object = to
        .peek(|tx| Box::pin(objects::get(tx, work, "ü \"quoted\".ics")))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(object.body, "one\r\n\0\u{fffd}".as_bytes());
    let bound = to
        .peek(|tx| Box::pin(calendars::by_id(tx, anna, work)))
        .await
        .unwrap()
        .unwrap();
    assert!(
        bound.calendar.pruned_seq > 5 && bound.calendar.pruned_seq <= bound.calendar.seq,
        "old tokens are refused"
    );
    assert_eq!(
        to.peek(|tx| Box::pin(meta::get(tx, "server")))
            .await
            .unwrap()
            .as_deref(),
        Some("one")
    );
    let hash = "0".repeat(64);
    let found = to
        .peek(|tx| Box::pin(credentials::by_hash(tx, &hash)))
        .await;
    assert_eq!(
        found.unwrap().unwrap().principal.addresses,
        ["anna@example.org", "anna@example.com"]
    );
    // It goes on living: ids and numbers are fresh.
    let next = calendar(to, anna, "next").await;
    assert!(next.0 > work.0 + 100);
    to.write(move |tx| Box::pin(async move { put(tx, work, "new.ics", "new", &[NOW]).await }))
        .await
        .unwrap();
    sound(to).await;
    let again = restore(to, Cursor::new(file), |_, _| {}).await;
    assert!(matches!(again, Err(Error::Conflict(_))), "{again:?}");
}

#[tokio::test]
async fn a_backup_restores() {
    check_restored(&*Fresh::new().await, &*Fresh::new().await).await;
}

#[tokio::test]
async fn sqlite_moves_to_the_other_engine() {
    check_restored(&*Fresh::sqlite().await, &*Fresh::new().await).await;
}

#[tokio::test]
async fn the_other_engine_moves_to_sqlite() {
    check_restored(&*Fresh::new().await, &*Fresh::sqlite().await).await;
}

#[tokio::test]
async fn a_damaged_backup_changes_nothing() {
    let (from, to) = (Fresh::new().await, Fresh::new().await);
    fill(&from).await;
    let file = dump(&from).await;
    let plain = |text: &str| {
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut zip, text.as_bytes()).unwrap();
        zip.finish().unwrap()
    };
    let header = "{\"kalends\":\"backup\",\"format\":1,\"schema\":1}\n";
    let bad = [
        (file[..file.len() / 2].to_vec(), "damaged"),
        (b"BEGIN:VCALENDAR".to_vec(), "not a backup"),
        (plain("{}\n"), "not a backup"),
        (
            plain("{\"kalends\":\"backup\",\"format\":1,\"schema\":99}\n"),
            "newer",
        ),
        (plain(&format!("{header}[1]\n")), "does not fit"),
        (
            plain(&format!(
                "{header}{{\"table\":\"pg_user\",\"columns\":[\"a\"]}}\n"
            )),
            "unknown table",
        ),
        (
            plain(&format!(
                "{header}{{\"table\":\"meta\",\"columns\":[\"name; drop\"]}}\n"
            )),
            "unknown column",
        ),
        (
            plain(&format!(
                "{header}{{\"table\":\"meta\",\"columns\":[\"name\",\"value\"]}}\n[\"a\"]\n"
            )),
            "does not fit",
        ),
        (
            plain(&format!("{header}{{\"end\":true,\"rows\":3}}\n")),
            "rows are missing",
        ),
        (plain(header), "too early"),
    ];
    for (file, why) in bad {
        let refused = restore(&to, Cursor::new(file), |_, _| {})
            .await
            .unwrap_err();
        assert!(
            refused.to_string().contains(why),
            "{refused} should say {why}"
        );
        assert_eq!(
            to.peek(|tx| Box::pin(principals::count(tx))).await.unwrap(),
            0
        );
    }
    restore(&to, Cursor::new(dump(&from).await), |_, _| {})
        .await
        .unwrap();
}
