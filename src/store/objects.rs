//! Calendar object resources: lookups, listings, and the rows of a write.
//!
//! Listings lend [`MemberRef`]s to a callback and allocate nothing. The writes are for `crate::objects`, the one door.

mod listing;
mod write;

pub use listing::{between, by_ids, changed_since, many, page};
pub use write::{Move, insert, relocate, remove, update};

use super::calendars::{level, privileges};
use super::occurrences::OccurrenceRow;
use super::sql::{Row, Tx, args, sql};
use crate::model::access::Privileges;
use crate::model::{CalendarId, Etag, Member, ObjectId, PrincipalId, Result, StoredObject};

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
use columns;

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

/// The objects of a calendar with these UIDs, in the order of `uids`, with their texts; those that are not there are
/// passed over.
pub async fn with_uids(
    tx: &mut Tx<'_>,
    calendar: CalendarId,
    uids: &[&str],
) -> Result<Vec<StoredObject>> {
    let statement = sql!(
        "select ",
        columns!(),
        ", t.body, o.calendar_id from object o join object_body t on t.id = o.id
          where o.calendar_id = $1 and o.uid = $2"
    );
    let mut found = Vec::new();
    let sets = uids.iter().map(|uid| args![calendar, *uid]);
    tx.each_many(statement, sets, |row| {
        found.push(stored(row)?);
        Ok(())
    })
    .await?;
    Ok(found)
}
