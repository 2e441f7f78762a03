//! The rows of a write. Each function is called under [`crate::store::calendars::lock`], with the number that it gave:
//! every change of a member has its own, so that pages of changes join without a gap.

use super::{Head, ObjectRow};
use crate::model::{CalendarId, Error, Member, ObjectId, Result};
use crate::store::occurrences;
use crate::store::sql::{Tx, args, sql};

/// Stores a new object as change `seq`. The caller has seen that neither name nor UID is there.
pub async fn insert(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    seq: i64,
    new: &ObjectRow<'_>,
    now: i64,
) -> Result<ObjectId> {
    // A name that comes back keeps the number of its first birth: tokens in between still have to hear of its removal.
    let before =
        sql!("delete from object_removed where calendar_id = $1 and name = $2 returning born_seq");
    let born = tx
        .one(before, &args![calendar, new.name], |row| row.int(0))
        .await?
        .unwrap_or(seq);
    let text =
        sql!("insert into object_body (calendar_id, name, body) values ($1, $2, $3) returning id");
    let id = tx
        .one(text, &args![calendar, new.name, new.body], |row| row.int(0))
        .await?;
    let id =
        ObjectId(id.ok_or_else(|| Error::Internal("the object's text was not stored".into()))?);
    let statement = sql!(
        "insert into object (calendar_id, name, id, uid, component, etag, schedule_tag, seq, born_seq, size, created,
                             modified, starts, ends, indexed_from, indexed_to, needs_object, session, occurrences)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13, $14, $15, $16, $17, $18)"
    );
    let values = args![
        calendar,
        new.name,
        id,
        new.uid,
        new.component,
        &new.etag.0,
        new.schedule_tag,
        seq,
        born,
        new.body.len() as i64,
        now,
        new.starts,
        new.ends,
        new.indexed_from,
        new.indexed_to,
        new.needs_object,
        new.session,
        new.digest,
    ];
    tx.execute(statement, &values).await?;
    occurrences::insert(tx, calendar, id, new.occurrences).await?;
    count(tx, calendar, 1, new.body.len() as i64).await?;
    Ok(id)
}

/// Replaces the object `old` as change `seq`; its name stays.
pub async fn update(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    old: &Head,
    seq: i64,
    new: &ObjectRow<'_>,
    now: i64,
) -> Result<()> {
    let statement = sql!(
        "update object set uid = $3, component = $4, etag = $5, schedule_tag = $6, seq = $7, size = $8, modified = $9,
                starts = $10, ends = $11, indexed_from = $12, indexed_to = $13, needs_object = $14, session = $15,
                occurrences = $16
          where calendar_id = $1 and name = $2"
    );
    let size = new.body.len() as i64;
    let values = args![
        calendar,
        &old.member.name,
        new.uid,
        new.component,
        &new.etag.0,
        new.schedule_tag,
        seq,
        size,
        now,
        new.starts,
        new.ends,
        new.indexed_from,
        new.indexed_to,
        new.needs_object,
        new.session,
        new.digest,
    ];
    tx.execute(statement, &values).await?;
    let id = old.member.id;
    tx.execute(
        sql!("update object_body set body = $2 where id = $1"),
        &args![id, new.body],
    )
    .await?;
    occurrences::replace(
        tx,
        calendar,
        id,
        new.occurrences,
        &old.occurrences,
        new.digest,
    )
    .await?;
    count(tx, calendar, 0, size - old.member.size).await
}

/// Removes the object `old` as change `seq`, with its occurrences and properties.
pub async fn remove(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    old: &Head,
    seq: i64,
    now: i64,
) -> Result<()> {
    let Member { id, name, size, .. } = &old.member;
    bury(tx, calendar, name, seq, now).await?;
    tx.execute(
        sql!("delete from object where calendar_id = $1 and name = $2"),
        &args![calendar, name],
    )
    .await?;
    tx.execute(sql!("delete from object_body where id = $1"), &args![*id])
        .await?;
    tx.execute(
        sql!("delete from occurrence where object_id = $1"),
        &args![*id],
    )
    .await?;
    tx.execute(
        sql!("delete from property where owner_kind = 'object' and owner_id = $1"),
        &args![*id],
    )
    .await?;
    count(tx, calendar, -1, -size).await
}

/// Notes that a name goes away with change `seq`.
async fn bury(tx: &mut Tx<'_>, calendar: CalendarId, name: &str, seq: i64, now: i64) -> Result<()> {
    let statement = sql!(
        "insert into object_removed (calendar_id, name, seq, born_seq, at)
         select calendar_id, name, $3, born_seq, $4 from object where calendar_id = $1 and name = $2"
    );
    match tx
        .execute(statement, &args![calendar, name, seq, now])
        .await?
    {
        1 => Ok(()),
        _ => Err(Error::NotFound),
    }
}

/// Where an object moves from or to, with the number of that change.
#[derive(Clone, Copy, Debug)]
pub struct Move<'a> {
    pub calendar: CalendarId,
    pub name: &'a str,
    pub seq: i64,
}

/// Moves the object `old` to a place where nothing is, as two changes: it keeps its id, text, history and properties.
/// `from.seq` is the number of its removal there, `to.seq` (another one, also within one calendar) of its appearance.
pub async fn relocate(
    tx: &mut Tx<'_>,
    old: &Head,
    from: Move<'_>,
    to: Move<'_>,
    now: i64,
) -> Result<()> {
    let Member { id, size, .. } = old.member;
    bury(tx, from.calendar, from.name, from.seq, now).await?;
    let before =
        sql!("delete from object_removed where calendar_id = $1 and name = $2 returning born_seq");
    let born = tx
        .one(before, &args![to.calendar, to.name], |row| row.int(0))
        .await?
        .unwrap_or(to.seq);
    let statement = sql!(
        "update object set calendar_id = $3, name = $4, seq = $5, born_seq = $6, modified = $7
          where calendar_id = $1 and name = $2"
    );
    tx.execute(
        statement,
        &args![
            from.calendar,
            from.name,
            to.calendar,
            to.name,
            to.seq,
            born,
            now
        ],
    )
    .await?;
    let text = sql!("update object_body set calendar_id = $2, name = $3 where id = $1");
    tx.execute(text, &args![id, to.calendar, to.name]).await?;
    if from.calendar != to.calendar {
        let rows = sql!("update occurrence set calendar_id = $2 where object_id = $1");
        tx.execute(rows, &args![id, to.calendar]).await?;
        count(tx, from.calendar, -1, -size).await?;
        count(tx, to.calendar, 1, size).await?;
    }
    Ok(())
}

/// Keeps the calendar's counters.
async fn count(tx: &mut Tx<'_>, calendar: CalendarId, objects: i64, bytes: i64) -> Result<()> {
    if objects == 0 && bytes == 0 {
        return Ok(());
    }
    let statement =
        sql!("update calendar set objects = objects + $2, bytes = bytes + $3 where id = $1");
    tx.execute(statement, &args![calendar, objects, bytes])
        .await
        .map(drop)
}
