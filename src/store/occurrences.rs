//! Instances of objects within an indexed window: the pre-filter of every question about a time range.
//!
//! A range question must find instances that begin before the range, but not look at all that ever began. So rows
//! carry a length class, `span`: within a class no instance is longer than its bound, and the rows that can overlap
//! `[from, to)` are those that begin in `(from - bound, to)`: one short stretch of the primary key per class. Most
//! instances last minutes or hours, so little is read in vain.
//!
//! Local rows (floating times, dates) hold civil seconds as if UTC. No zone is further than 14 hours from UTC, so the
//! range is widened by that for them; the caller, who knows the zone, decides.

use super::sql::{Tx, args, sql};
use crate::model::{CalendarId, ObjectId, Result};

/// One instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OccurrenceRow {
    /// Seconds; civil ones when `local`.
    pub starts: i64,
    pub ends: i64,
    /// The instance's original start, which names it within its object.
    pub rid: i64,
    pub local: bool,
    /// 0 free, 1 busy, 2 tentative, 3 unavailable.
    pub busy: i64,
}

/// One instance that was found, and its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub object: ObjectId,
    pub row: OccurrenceRow,
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// How far local time may be from UTC.
pub const LOCAL_SLACK: i64 = 14 * HOUR;

/// No instance of a class is longer than its bound; what is longer than all is in one more class.
const BOUNDS: [i64; 6] = [2 * HOUR, 8 * HOUR, DAY, 8 * DAY, 32 * DAY, 370 * DAY];
/// What the last class, without a bound, begins at: before every date that iCalendar can write (year 0).
const EVER: i64 = -100_000_000_000;

/// The class of an instance: even ones are UTC, odd ones local.
pub(super) fn span(row: &OccurrenceRow) -> i64 {
    let length = row.ends.saturating_sub(row.starts);
    let class = BOUNDS
        .iter()
        .position(|bound| length <= *bound)
        .unwrap_or(BOUNDS.len());
    2 * class as i64 + i64::from(row.local)
}

/// Stores the rows of an object that has none.
pub async fn insert(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    object: ObjectId,
    rows: &[OccurrenceRow],
) -> Result<()> {
    let statement = sql!(
        "insert into occurrence (calendar_id, span, starts, object_id, rid, ends, busy)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing"
    );
    let values = rows.iter().map(|row| {
        args![
            calendar,
            span(row),
            row.starts,
            object,
            row.rid,
            row.ends,
            row.busy
        ]
    });
    tx.execute_many(statement, values).await
}

/// Replaces the rows of an object, unless their digest says that they are the same.
pub async fn replace(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    object: ObjectId,
    rows: &[OccurrenceRow],
    old_digest: &str,
    digest: &str,
) -> Result<()> {
    if old_digest == digest && !digest.is_empty() {
        return Ok(());
    }
    tx.execute(
        sql!("delete from occurrence where object_id = $1"),
        &args![object],
    )
    .await?;
    insert(tx, calendar, object, rows).await
}

/// Instances that may overlap `[from, to)` (an instance without length: that lies in it), in no particular order.
pub async fn in_range<F>(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    from: i64,
    to: i64,
    mut each: F,
) -> Result<()>
where
    F: FnMut(Found) -> Result<()> + Send,
{
    let statement = sql!(
        "select span, starts, object_id, rid, ends, busy from occurrence
          where calendar_id = $1 and span = $2 and starts >= $3 and starts < $4 and (ends > $5 or starts >= $5)"
    );
    let classes = (0..=BOUNDS.len()).flat_map(|class| [(class, 0), (class, 1)]);
    let sets = classes.map(|(class, local)| {
        let slack = local * LOCAL_SLACK;
        let (from, to) = (from.saturating_sub(slack), to.saturating_add(slack));
        let first = BOUNDS
            .get(class)
            .map_or(EVER, |bound| from.saturating_sub(*bound));
        args![calendar, 2 * class as i64 + local, first, to, from]
    });
    tx.each_many(statement, sets, |row| {
        let local = row.int(0)? % 2 == 1;
        let object = ObjectId(row.int(2)?);
        let (starts, rid, ends, busy) = (row.int(1)?, row.int(3)?, row.int(4)?, row.int(5)?);
        each(Found {
            object,
            row: OccurrenceRow {
                starts,
                ends,
                rid,
                local,
                busy,
            },
        })
    })
    .await
}

/// [`in_range`] for some objects alone, by name: every row of theirs that it would find, and perhaps some beside.
pub async fn in_range_among<F>(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    names: &[String],
    from: i64,
    to: i64,
    mut each: F,
) -> Result<()>
where
    F: FnMut(&str, &OccurrenceRow) -> Result<()> + Send,
{
    let statement = sql!(
        "select o.name, i.span, i.starts, i.rid, i.ends, i.busy from object o
           join occurrence i on i.object_id = o.id and i.calendar_id = o.calendar_id
          where o.calendar_id = $1 and o.name = $2 and i.starts < $4 and i.ends >= $3"
    );
    let (from, to) = (
        from.saturating_sub(LOCAL_SLACK),
        to.saturating_add(LOCAL_SLACK),
    );
    let sets = names
        .iter()
        .map(|name| args![calendar, name.as_str(), from, to]);
    tx.each_many(statement, sets, |row| {
        let found = OccurrenceRow {
            starts: row.int(2)?,
            ends: row.int(4)?,
            rid: row.int(3)?,
            local: row.int(1)? % 2 == 1,
            busy: row.int(5)?,
        };
        each(row.text(0)?, &found)
    })
    .await
}

/// [`unindexed`] among some objects, by name.
pub async fn unindexed_among(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    names: &[String],
    from: i64,
    to: i64,
) -> Result<Vec<String>> {
    let statement = sql!(
        "select o.name from object o where o.calendar_id = $1 and o.name = $2
            and (o.needs_object > 0 or o.indexed_to < $4 or o.indexed_from > $3)
            and (o.starts is null or o.starts < $4) and (o.ends is null or o.ends >= $3)"
    );
    let (from, to) = (from.saturating_sub(DAY), to.saturating_add(DAY));
    let sets = names
        .iter()
        .map(|name| args![calendar, name.as_str(), from, to]);
    let mut found = Vec::new();
    tx.each_many(statement, sets, |row| {
        found.push(row.text(0)?.to_string());
        Ok(())
    })
    .await?;
    Ok(found)
}

/// Objects that the rows alone may not answer for when the question is about `[from, to)`: those marked
/// `needs_object` whose extent touches it (widened by a day for zones), and those indexed for a shorter window.
pub async fn unindexed(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    from: i64,
    to: i64,
) -> Result<Vec<ObjectId>> {
    let statement = sql!(
        "select o.id from object o where o.calendar_id = $1 and o.needs_object > 0
            and (o.starts is null or o.starts < $3) and (o.ends is null or o.ends >= $2)
         union
         select o.id from object o where o.calendar_id = $1 and o.indexed_to is not null and o.indexed_to < $3
            and (o.starts is null or o.starts < $3) and (o.ends is null or o.ends >= $2)
         union
         select o.id from object o where o.calendar_id = $1 and o.indexed_from is not null and o.indexed_from > $2
            and (o.starts is null or o.starts < $3) and (o.ends is null or o.ends >= $2)"
    );
    let values = args![calendar, from.saturating_sub(DAY), to.saturating_add(DAY)];
    tx.all(statement, &values, |row| Ok(ObjectId(row.int(0)?)))
        .await
}

/// An object whose index ends before a time, to be expanded anew.
#[derive(Clone, Debug)]
pub struct Stale {
    pub calendar: CalendarId,
    pub object: ObjectId,
    pub name: String,
    pub indexed_to: i64,
}

/// Objects that are indexed to before `until`, of calendars that are not in the trash.
pub async fn stale_horizon(tx: &mut Tx<'_>, until: i64, limit: i64) -> Result<Vec<Stale>> {
    let statement = sql!(
        "select o.calendar_id, o.id, o.name, o.indexed_to from object o join calendar c on c.id = o.calendar_id
          where o.indexed_to is not null and o.indexed_to < $1 and c.deleted is null limit $2"
    );
    let read = |row: &super::sql::Row<'_>| {
        Ok(Stale {
            calendar: CalendarId(row.int(0)?),
            object: ObjectId(row.int(1)?),
            name: row.text(2)?.to_string(),
            indexed_to: row.int(3)?,
        })
    };
    tx.all(statement, &args![until, limit], read).await
}

/// The index of an object that did not change: new rows, and how far they reach. No change for sync.
#[derive(Clone, Copy, Debug)]
pub struct Reindexed<'a> {
    pub indexed_from: Option<i64>,
    pub indexed_to: Option<i64>,
    pub needs_object: bool,
    pub rows: &'a [OccurrenceRow],
    pub digest: &'a str,
}

/// Stores a new index of the object `name`, if its text is still the one with `etag`. False: it is not.
pub async fn reindex(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    name: &str,
    etag: &str,
    new: &Reindexed<'_>,
) -> Result<bool> {
    let statement = sql!(
        "update object set indexed_from = $4, indexed_to = $5, needs_object = $6, occurrences = $7
          where calendar_id = $1 and name = $2 and etag = $3 returning id"
    );
    let values = args![
        calendar,
        name,
        etag,
        new.indexed_from,
        new.indexed_to,
        new.needs_object,
        new.digest
    ];
    let Some(object) = tx
        .one(statement, &values, |row| Ok(ObjectId(row.int(0)?)))
        .await?
    else {
        return Ok(false);
    };
    replace(tx, calendar, object, new.rows, "", new.digest).await?;
    Ok(true)
}

/// Takes all instances out of the index: objects are asked themselves until each is indexed anew, which
/// [`stale_horizon`] then asks for.
pub async fn forget_all(tx: &mut Tx<'_>) -> Result<()> {
    tx.execute(sql!("delete from occurrence"), &[]).await?;
    let statement = sql!(
        "update object set indexed_from = null, indexed_to = $1, occurrences = ''
          where component = 'VEVENT' and needs_object = 0"
    );
    tx.execute(statement, &args![EVER]).await.map(drop)
}
