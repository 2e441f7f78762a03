//! Many members at once, lent to a callback; and what changed, for sync (RFC 6578 §3.5).

use super::{COLUMNS, Change, MemberRef, columns, member};
use crate::model::{CalendarId, ObjectId, Result};
use crate::store::sql::{Row, Tx, args, sql};

/// Members in the order of their names, from after `after`; `limit` of them at most.
pub async fn page<F>(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    after: Option<&str>,
    limit: i64,
    with_body: bool,
    mut each: F,
) -> Result<()>
where
    F: FnMut(MemberRef<'_>) -> Result<()> + Send,
{
    let values = args![calendar, after.unwrap_or(""), limit];
    if with_body {
        let statement = sql!(
            "select ",
            columns!(),
            ", t.body from object o join object_body t on t.id = o.id
              where o.calendar_id = $1 and o.name > $2 order by o.name limit $3"
        );
        return tx
            .each(statement, &values, |row| each(with_text(row)?))
            .await;
    }
    let statement = sql!(
        "select ",
        columns!(),
        " from object o where o.calendar_id = $1 and o.name > $2 order by o.name limit $3"
    );
    tx.each(statement, &values, |row| each(member(row)?)).await
}

fn with_text<'r>(row: &'r Row<'_>) -> Result<MemberRef<'r>> {
    Ok(MemberRef {
        body: row.bytes(COLUMNS)?,
        ..member(row)?
    })
}

/// The members with these names, in the order of `names`; names that are not there are passed over.
pub async fn many<F>(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    names: &[&str],
    with_body: bool,
    mut each: F,
) -> Result<()>
where
    F: FnMut(MemberRef<'_>) -> Result<()> + Send,
{
    let sets = names.iter().map(|name| args![calendar, *name]);
    if with_body {
        let statement = sql!(
            "select ",
            columns!(),
            ", t.body from object o join object_body t on t.id = o.id
              where o.calendar_id = $1 and o.name = $2"
        );
        return tx
            .each_many(statement, sets, |row| each(with_text(row)?))
            .await;
    }
    let statement = sql!(
        "select ",
        columns!(),
        " from object o where o.calendar_id = $1 and o.name = $2"
    );
    tx.each_many(statement, sets, |row| each(member(row)?))
        .await
}

/// The members with names from `first` to `last`, both included, in the order of names. For answers that want most of
/// them: one statement costs less than one for each name.
pub async fn between<F>(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    first: &str,
    last: &str,
    with_body: bool,
    mut each: F,
) -> Result<()>
where
    F: FnMut(MemberRef<'_>) -> Result<()> + Send,
{
    let values = args![calendar, first, last];
    if with_body {
        let statement = sql!(
            "select ",
            columns!(),
            ", t.body from object o join object_body t on t.id = o.id
              where o.calendar_id = $1 and o.name >= $2 and o.name <= $3 order by o.name"
        );
        return tx
            .each(statement, &values, |row| each(with_text(row)?))
            .await;
    }
    let statement = sql!(
        "select ",
        columns!(),
        " from object o where o.calendar_id = $1 and o.name >= $2 and o.name <= $3 order by o.name"
    );
    tx.each(statement, &values, |row| each(member(row)?)).await
}

/// The members with these ids, in the order of `ids`; ids that are not there, or not there any more, are passed over.
pub async fn by_ids<F>(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    ids: &[ObjectId],
    with_body: bool,
    mut each: F,
) -> Result<()>
where
    F: FnMut(MemberRef<'_>) -> Result<()> + Send,
{
    let sets = ids.iter().map(|id| args![*id, calendar]);
    if with_body {
        let statement = sql!(
            "select ",
            columns!(),
            ", t.body from object_body t
               join object o on o.calendar_id = t.calendar_id and o.name = t.name
              where t.id = $1 and t.calendar_id = $2"
        );
        return tx
            .each_many(statement, sets, |row| each(with_text(row)?))
            .await;
    }
    let statement = sql!(
        "select ",
        columns!(),
        " from object_body t
           join object o on o.calendar_id = t.calendar_id and o.name = t.name
          where t.id = $1 and t.calendar_id = $2"
    );
    tx.each_many(statement, sets, |row| each(member(row)?))
        .await
}

/// Changes after number `seq`, in the order of their numbers, `limit` at most. What was made and removed after `seq`
/// is left out. Fewer than `limit` means that this is all; then the calendar's own seq is the next token, else that of
/// the last change.
pub async fn changed_since<F>(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    seq: i64,
    limit: i64,
    mut each: F,
) -> Result<()>
where
    F: FnMut(Change<'_>) -> Result<()> + Send,
{
    let statement = sql!(
        "select ",
        columns!(),
        " from object o where o.calendar_id = $1 and o.seq > $2
         union all
         select r.name, r.seq, null, null, null, null, null, null, null, null from object_removed r
          where r.calendar_id = $1 and r.seq > $2 and r.born_seq <= $2
          order by 2 limit $3"
    );
    tx.each(statement, &args![calendar, seq, limit], |row| {
        match row.opt_int(2)? {
            Some(_) => each(Change::Changed(member(row)?)),
            None => each(Change::Removed {
                name: row.text(0)?,
                seq: row.int(1)?,
            }),
        }
    })
    .await
}
