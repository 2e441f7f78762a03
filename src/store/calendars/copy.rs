//! A copy of a whole calendar (RFC 4918 §9.8.3): its texts, how they are found again, and properties. Its history, the
//! rights of others (RFC 3744 §7) and feeds stay with the original.

use super::{NewCalendar, create, hold};
use crate::model::{CalendarId, Error, PrincipalId, Result};
use crate::store::properties::{self, EVERYBODY, OwnerKind};
use crate::store::sql::{Tx, args, sql};

/// Makes the calendar `new` with the properties that `who` sees on `from`, and with its objects when `members` says so.
/// Their names, and the order in which they last changed, are the original's.
///
/// # Errors
/// As [`create`]; `NotFound` when the original is gone.
pub async fn copy(
    tx: &mut Tx<'_>,
    from: CalendarId,
    new: &NewCalendar,
    members: bool,
    who: PrincipalId,
    now: i64,
) -> Result<CalendarId> {
    hold(tx, from).await?;
    let to = create(tx, new, now).await?;
    for (name, value) in properties::get_all(tx, OwnerKind::Calendar, from.0, who).await? {
        properties::set(tx, OwnerKind::Calendar, to.0, EVERYBODY, &name, &value).await?;
    }
    if members {
        let counts = sql!(
            "update calendar set seq = (select seq from calendar where id = $1),
                    objects = (select objects from calendar where id = $1),
                    bytes = (select bytes from calendar where id = $1)
              where id = $2"
        );
        tx.execute(counts, &args![from, to]).await?;
        copy_objects(tx, from, to, now).await?;
    }
    Ok(to)
}

/// An object of the original, and its copy.
struct Pair {
    name: String,
    from: i64,
    to: i64,
}

async fn copy_objects(tx: &mut Tx<'_>, from: CalendarId, to: CalendarId, now: i64) -> Result<()> {
    let pairs = copy_texts(tx, from, to).await?;
    let rows = sql!(
        "insert into object (calendar_id, name, id, uid, component, etag, schedule_tag, seq, born_seq, size, created,
                             modified, starts, ends, indexed_from, indexed_to, needs_object, session, occurrences)
         select $2, name, $4, uid, component, etag, null, seq, seq, size, $5,
                $5, starts, ends, indexed_from, indexed_to, needs_object, session, occurrences
           from object where calendar_id = $1 and name = $3"
    );
    let sets = pairs
        .iter()
        .map(|pair| args![from, to, &pair.name, pair.to, now]);
    tx.execute_many(rows, sets).await?;
    let instances = sql!(
        "insert into occurrence (calendar_id, span, starts, object_id, rid, ends, busy)
         select $1, span, starts, $3, rid, ends, busy from occurrence where object_id = $2"
    );
    let sets = pairs.iter().map(|pair| args![to, pair.from, pair.to]);
    tx.execute_many(instances, sets).await?;
    copy_properties(tx, from, &pairs).await
}

/// One by one: all at once they would lie in memory.
async fn copy_texts(tx: &mut Tx<'_>, from: CalendarId, to: CalendarId) -> Result<Vec<Pair>> {
    let all = sql!("select name, id from object where calendar_id = $1 order by id");
    let mut pairs = tx
        .all(all, &args![from], |row| {
            Ok(Pair {
                name: row.text(0)?.to_string(),
                from: row.int(1)?,
                to: 0,
            })
        })
        .await?;
    let text = sql!(
        "insert into object_body (calendar_id, name, body) select $1, name, body from object_body where id = $2
         returning id"
    );
    let mut ids = Vec::with_capacity(pairs.len());
    let sets: Vec<_> = pairs.iter().map(|pair| args![to, pair.from]).collect();
    tx.each_many(text, sets.into_iter(), |row| {
        ids.push(row.int(0)?);
        Ok(())
    })
    .await?;
    if ids.len() != pairs.len() {
        return Err(Error::internal("an object of the calendar has no text"));
    }
    for (pair, id) in pairs.iter_mut().zip(ids) {
        pair.to = id;
    }
    Ok(pairs)
}

/// Few objects have any.
async fn copy_properties(tx: &mut Tx<'_>, from: CalendarId, pairs: &[Pair]) -> Result<()> {
    let having = sql!(
        "select distinct owner_id from property
          where owner_kind = 'object' and owner_id in (select id from object where calendar_id = $1)"
    );
    for id in tx.all(having, &args![from], |row| row.int(0)).await? {
        if let Ok(at) = pairs.binary_search_by_key(&id, |pair| pair.from) {
            properties::copy(tx, OwnerKind::Object, id, pairs[at].to).await?;
        }
    }
    Ok(())
}
