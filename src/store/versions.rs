//! History: the texts of objects that were replaced or deleted.

use super::sql::{Row, Tx, args, sql};
use crate::model::{CalendarId, Etag, ObjectId, Origin, PrincipalId, Result};

/// An earlier text of an object, without the text.
#[derive(Clone, Debug)]
pub struct Version {
    pub id: i64,
    pub name: String,
    pub uid: String,
    pub etag: Etag,
    /// `replaced`, `deleted` or `moved`.
    pub action: String,
    /// Through which door it ended.
    pub door: String,
    pub who: Option<PrincipalId>,
    pub at: i64,
}

/// Keeps the present text of an object, which is about to be replaced, deleted or moved (`action`).
pub async fn keep(
    tx: &mut Tx<'_>,
    object: ObjectId,
    action: &str,
    origin: Origin,
    now: i64,
) -> Result<()> {
    let statement = sql!(
        "insert into object_version (calendar_id, name, uid, etag, action, door, principal_id, at, body)
         select o.calendar_id, o.name, o.uid, o.etag, $2, $3, $4, $5, t.body from object_body t
           join object o on o.calendar_id = t.calendar_id and o.name = t.name where t.id = $1"
    );
    tx.execute(
        statement,
        &args![object, action, origin.door.as_str(), origin.who, now],
    )
    .await
    .map(drop)
}

fn version(row: &Row<'_>) -> Result<Version> {
    Ok(Version {
        id: row.int(0)?,
        name: row.text(1)?.to_string(),
        uid: row.text(2)?.to_string(),
        etag: Etag(row.text(3)?.to_string()),
        action: row.text(4)?.to_string(),
        door: row.text(5)?.to_string(),
        who: row.opt_int(6)?.map(PrincipalId),
        at: row.int(7)?,
    })
}

/// Versions of a calendar's objects, newest first, from before `before`; of one name, or of all.
pub async fn list(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    name: Option<&str>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Version>> {
    let before = before.unwrap_or(i64::MAX);
    if let Some(name) = name {
        let statement = sql!(
            "select id, name, uid, etag, action, door, principal_id, at from object_version
              where calendar_id = $1 and name = $2 and id < $3 order by id desc limit $4"
        );
        return tx
            .all(statement, &args![calendar, name, before, limit], version)
            .await;
    }
    let statement = sql!(
        "select id, name, uid, etag, action, door, principal_id, at from object_version
          where calendar_id = $1 and id < $2 order by id desc limit $3"
    );
    tx.all(statement, &args![calendar, before, limit], version)
        .await
}

/// The text of a version.
pub async fn body(tx: &mut Tx<'_>, calendar: CalendarId, id: i64) -> Result<Option<Vec<u8>>> {
    let statement = sql!("select body from object_version where id = $2 and calendar_id = $1");
    tx.one(statement, &args![calendar, id], |row| {
        Ok(row.bytes(0)?.to_vec())
    })
    .await
}
