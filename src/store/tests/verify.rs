//! `verify` finds what it is there to find: each case breaks one rule.

use super::*;
use crate::store::sql::{Sql, sql};
use crate::store::verify::verify;

async fn break_it(statement: Sql<'static>) -> String {
    let (store, _, work) = one_calendar().await;
    store
        .write(move |tx| {
            Box::pin(async move {
                put(tx, work, "a", "1", &[NOW]).await?;
                put(tx, work, "b", "1", &[NOW]).await?;
                delete(tx, work, "b").await?;
                tx.execute(statement, &[]).await
            })
        })
        .await
        .unwrap();
    let faults = verify(&store).await.unwrap();
    faults.iter().map(|f| format!("{f}\n")).collect()
}

#[tokio::test]
async fn every_broken_rule_is_found() {
    let cases = [
        (
            sql!("update calendar set objects = 7"),
            "counts other objects",
        ),
        (
            sql!("update calendar set bytes = bytes + 1"),
            "counts other bytes",
        ),
        (
            sql!("update calendar set pruned_seq = 99"),
            "refuses its own",
        ),
        (sql!("delete from binding"), "not bound in its owner's home"),
        (
            sql!("update calendar set deleted = 1"),
            "in the trash and bound",
        ),
        (sql!("update binding set seq = 99"), "newer than its home"),
        (
            sql!(
                "insert into binding_removed (home_id, slug, seq) select home_id, slug, seq from binding"
            ),
            "slug that is bound",
        ),
        (
            sql!("update object set calendar_id = 99"),
            "belongs to no calendar",
        ),
        (
            sql!("update object set seq = 99"),
            "newer than its calendar",
        ),
        (
            sql!("update object set born_seq = 99"),
            "before it was born",
        ),
        (sql!("delete from object_body"), "has no text"),
        (sql!("update object_body set name = 'x'"), "has no text"),
        (sql!("update object set size = 99"), "another size"),
        (sql!("update object set etag = 'x'"), "another entity tag"),
        (sql!("delete from object"), "the text of no object"),
        (
            sql!("update object_removed set name = 'a'"),
            "an object that is there",
        ),
        (
            sql!("update object_removed set seq = 1, born_seq = 0"),
            "the number of another change",
        ),
        (
            sql!("update occurrence set object_id = 99"),
            "instance of no object",
        ),
        (sql!("update occurrence set span = 10"), "another class"),
        (sql!("update object set occurrences = ''"), "has no digest"),
        (
            sql!(
                "insert into property (owner_kind, owner_id, name, value) values ('object', 99, 'a', 'b')"
            ),
            "an object that is not there",
        ),
        (
            sql!(
                "insert into property (owner_kind, owner_id, name, value) values ('thing', 1, 'a', 'b')"
            ),
            "of a kind",
        ),
        (
            sql!(
                "insert into access_grant (calendar_id, principal_id, level, created) select id, owner_id, 2, 1 from calendar"
            ),
            "owner's",
        ),
    ];
    for (statement, found) in cases {
        let faults = break_it(statement).await;
        assert!(
            faults.contains(found),
            "{statement:?} should be found as {found:?}, not {faults:?}"
        );
    }
}
