//! Calendar object resources: lookups, listings, and the rows of a write.
//!
//! Listings lend [`MemberRef`]s to a callback and allocate nothing. The writes are for `crate::objects`, the one door:
//! each is called under [`super::calendars::lock`], with the number that it gave.

use super::calendars::{level, privileges};
use super::occurrences::{self, OccurrenceRow};
use super::sql::{Row, Tx, args, sql};
use crate::model::access::Privileges;
use crate::model::{CalendarId, Error, Etag, Member, ObjectId, PrincipalId, Result, StoredObject};

/// An object as a listing lends it. `body` is empty where texts were not asked for.
#[derive(Clone, Copy, Debug)]
pub struct MemberRef<'r> {
    pub id: ObjectId,
    pub name: &'r str,
    pub uid: &'r str,
    pub component: &'r str,
    pub etag: &'r str,
    pub schedule_tag: Option<&'r str>,
    pub seq: i64,
    pub size: i64,
    pub created: i64,
    pub modified: i64,
    pub body: &'r [u8],
}

impl MemberRef<'_> {
    pub fn to_member(&self) -> Member {
        Member {
            id: self.id,
            name: self.name.to_string(),
            uid: self.uid.to_string(),
            component: self.component.to_string(),
            etag: Etag(self.etag.to_string()),
            schedule_tag: self.schedule_tag.map(String::from),
            seq: self.seq,
            size: self.size,
            created: self.created,
            modified: self.modified,
        }
    }
}

/// An object's present state, as the write door needs it.
#[derive(Clone, Debug)]
pub struct Head {
    pub member: Member,
    /// It has session fields.
    pub session: bool,
    /// Digest of its occurrence rows.
    pub occurrences: String,
}

/// What a GET needs: the object, and what the person asking may do with its calendar.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub privileges: Privileges,
    pub object: StoredObject,
}

/// Everything that is stored of an object.
#[derive(Clone, Copy, Debug)]
pub struct ObjectRow<'a> {
    pub name: &'a str,
    pub uid: &'a str,
    pub component: &'a str,
    pub etag: &'a Etag,
    pub schedule_tag: Option<&'a str>,
    /// Extent over all instances; none: without bound.
    pub starts: Option<i64>,
    pub ends: Option<i64>,
    /// The occurrence rows are complete between these; none: on that side without bound.
    pub indexed_from: Option<i64>,
    pub indexed_to: Option<i64>,
    pub needs_object: bool,
    pub session: bool,
    pub occurrences: &'a [OccurrenceRow],
    /// Digest of `occurrences`: equal ones are not written again.
    pub digest: &'a str,
    pub body: &'a [u8],
}

/// One change of a calendar's members, for sync (RFC 6578 §3.5).
#[derive(Clone, Copy, Debug)]
pub enum Change<'r> {
    /// The object is new or was replaced.
    Changed(MemberRef<'r>),
    Removed {
        name: &'r str,
        seq: i64,
    },
}

impl Change<'_> {
    /// The number of the change, and the sync token's once everything up to it was sent.
    pub fn seq(&self) -> i64 {
        match self {
            Change::Changed(member) => member.seq,
            Change::Removed { seq, .. } => *seq,
        }
    }
}

/// Columns of `object o` that [`member`] reads.
macro_rules! columns {
    () => {
        "o.name, o.seq, o.id, o.uid, o.component, o.etag, o.schedule_tag, o.size, o.created, o.modified"
    };
}
const COLUMNS: usize = 10;

fn member<'r>(row: &'r Row<'_>) -> Result<MemberRef<'r>> {
    Ok(MemberRef {
        name: row.text(0)?,
        seq: row.int(1)?,
        id: ObjectId(row.int(2)?),
        uid: row.text(3)?,
        component: row.text(4)?,
        etag: row.text(5)?,
        schedule_tag: row.opt_text(6)?,
        size: row.int(7)?,
        created: row.int(8)?,
        modified: row.int(9)?,
        body: &[],
    })
}

fn owned(row: &Row<'_>) -> Result<Member> {
    Ok(member(row)?.to_member())
}

fn stored(row: &Row<'_>) -> Result<StoredObject> {
    let (body, calendar) = (
        row.bytes(COLUMNS)?.to_vec(),
        CalendarId(row.int(COLUMNS + 1)?),
    );
    Ok(StoredObject {
        calendar,
        member: owned(row)?,
        body,
    })
}

/// An object with its text.
pub async fn get(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    name: &str,
) -> Result<Option<StoredObject>> {
    let statement = sql!(
        "select ",
        columns!(),
        ", t.body, o.calendar_id from object o join object_body t on t.id = o.id
          where o.calendar_id = $1 and o.name = $2"
    );
    tx.one(statement, &args![calendar, name], stored).await
}

/// An object without its text.
pub async fn head(tx: &mut Tx<'_>, calendar: CalendarId, name: &str) -> Result<Option<Head>> {
    let statement = sql!(
        "select ",
        columns!(),
        ", o.session, o.occurrences from object o where o.calendar_id = $1 and o.name = $2"
    );
    let read = |row: &Row<'_>| {
        let (session, occurrences) = (row.flag(COLUMNS)?, row.text(COLUMNS + 1)?.to_string());
        Ok(Head {
            member: owned(row)?,
            session,
            occurrences,
        })
    };
    tx.one(statement, &args![calendar, name], read).await
}

/// The object of a calendar that has this UID.
pub async fn by_uid(tx: &mut Tx<'_>, calendar: CalendarId, uid: &str) -> Result<Option<Member>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from object o where o.calendar_id = $1 and o.uid = $2"
    );
    tx.one(statement, &args![calendar, uid], owned).await
}

/// The objects with this UID in all calendars of `owner` that are not in the trash, oldest calendar first.
pub async fn by_uid_anywhere(
    tx: &mut Tx<'_>,
    owner: PrincipalId,
    uid: &str,
) -> Result<Vec<(CalendarId, Member)>> {
    let statement = sql!(
        "select ",
        columns!(),
        ", o.calendar_id from calendar c
           join object o on o.calendar_id = c.id and o.uid = $2
          where c.owner_id = $1 and c.deleted is null order by c.id"
    );
    tx.all(statement, &args![owner, uid], |row| {
        Ok((CalendarId(row.int(COLUMNS)?), owned(row)?))
    })
    .await
}

/// The object at an address, with what `who` may do with its calendar: all that a GET needs, in one statement.
pub async fn fetch(
    tx: &mut Tx<'_>,
    who: PrincipalId,
    home_name: &str,
    slug: &str,
    name: &str,
) -> Result<Option<Fetched>> {
    let statement = sql!(
        "select ",
        columns!(),
        ", t.body, o.calendar_id, ",
        level!(),
        " from principal h
           join binding b on b.home_id = h.id and b.slug = $3
           join calendar c on c.id = b.calendar_id
           join object o on o.calendar_id = c.id and o.name = $4
           join object_body t on t.id = o.id
          where h.name = $2"
    );
    let read = |row: &Row<'_>| {
        let privileges = privileges(row.int(COLUMNS + 2)?);
        Ok(Fetched {
            privileges,
            object: stored(row)?,
        })
    };
    tx.one(statement, &args![who, home_name, slug, name], read)
        .await
}

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
