//! Fields that both sides had changed: what won, and what lost and is kept.

use crate::model::{LinkId, Result};
use crate::store::sql::{Tx, args, sql};

/// A conflict of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub id: i64,
    pub uid: String,
    pub at: i64,
    /// JSON: each field with what it was, ours, theirs, and what was kept.
    pub fields: String,
    /// The whole texts, as they were.
    pub ours: Vec<u8>,
    pub theirs: Vec<u8>,
}

/// Keeps a conflict (its `id` is not looked at).
pub async fn add(tx: &mut Tx<'_>, link: LinkId, new: &Conflict) -> Result<()> {
    let statement = sql!(
        "insert into sync_conflict (link_id, uid, at, fields, ours, theirs) values ($1, $2, $3, $4, $5, $6)"
    );
    let values = args![
        link,
        &new.uid,
        new.at,
        &new.fields,
        new.ours.as_slice(),
        new.theirs.as_slice()
    ];
    tx.execute(statement, &values).await.map(drop)
}

/// Newest first, from before `before`.
pub async fn list(
    tx: &mut Tx<'_>,
    link: LinkId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Conflict>> {
    let statement = sql!(
        "select id, uid, at, fields, ours, theirs from sync_conflict
          where link_id = $1 and id < $2 order by id desc limit $3"
    );
    let before = before.unwrap_or(i64::MAX);
    tx.all(statement, &args![link, before, limit], |row| {
        Ok(Conflict {
            id: row.int(0)?,
            uid: row.text(1)?.to_string(),
            at: row.int(2)?,
            fields: row.text(3)?.to_string(),
            ours: row.bytes(4)?.to_vec(),
            theirs: row.bytes(5)?.to_vec(),
        })
    })
    .await
}
