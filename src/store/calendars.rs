//! Calendars, where they appear (bindings), and who else may see them (grants).
//!
//! A calendar's owner has all rights; others what was granted to them or to a group of theirs, the highest of it.

mod binding;
mod copy;
mod grant;

pub use binding::{
    HomeMember, HomeState, bind, find_bound, home_state, remove, rename, restore, unbound_since,
};
pub use copy::copy;
pub use grant::{grants, set_grant};

use binding::{insert_binding, lock_home};

use super::sql::{Row, Sql, Tx, args, sql};
use crate::model::access::Privileges;
use crate::model::{
    Bound, Calendar, CalendarId, CalendarKind, ComponentSet, Error, PrincipalId, Result,
};

/// The level that owners have, above every grant.
const OWNER: i64 = 9;

/// A calendar to be made in its owner's home.
#[derive(Clone, Debug)]
pub struct NewCalendar {
    pub home: PrincipalId,
    pub slug: String,
    pub kind: CalendarKind,
    pub components: ComponentSet,
    pub timezone: String,
    pub transparent: bool,
}

/// Columns of `calendar c`, `principal o` its owner.
macro_rules! columns {
    () => {
        "c.id, c.owner_id, o.name, c.kind, c.components, c.timezone, c.transparent, c.seq, c.props_seq, c.pruned_seq,
         c.objects, c.bytes, c.created, c.modified"
    };
}
const COLUMNS: usize = 14;

/// What `$1` may do with `calendar c`: a level.
macro_rules! level {
    () => {
        "case when c.owner_id = $1 then 9 else coalesce((select max(g.level) from access_grant g
           where g.calendar_id = c.id
             and (g.principal_id = $1 or g.principal_id in (select m.group_id from membership m where m.member_id = $1))
         ), 0) end"
    };
}
pub(super) use level;

/// Columns that [`bound`] reads.
macro_rules! bound {
    () => {
        concat!(columns!(), ", b.home_id, h.name, b.slug, ", level!())
    };
}

pub(super) fn privileges(level: i64) -> Privileges {
    if level == OWNER {
        Privileges::ALL
    } else {
        Privileges::of_level(level)
    }
}

fn calendar(row: &Row<'_>) -> Result<Calendar> {
    let kind = row.text(3)?;
    Ok(Calendar {
        id: CalendarId(row.int(0)?),
        owner: PrincipalId(row.int(1)?),
        owner_name: row.text(2)?.to_string(),
        kind: CalendarKind::parse(kind)
            .ok_or_else(|| Error::Internal(format!("calendar of kind {kind}")))?,
        components: ComponentSet::parse(row.text(4)?),
        timezone: row.text(5)?.to_string(),
        transparent: row.flag(6)?,
        seq: row.int(7)?,
        props_seq: row.int(8)?,
        pruned_seq: row.int(9)?,
        objects: row.int(10)?,
        bytes: row.int(11)?,
        created: row.int(12)?,
        modified: row.int(13)?,
    })
}

fn bound(row: &Row<'_>) -> Result<Bound> {
    Ok(Bound {
        calendar: calendar(row)?,
        home: PrincipalId(row.int(COLUMNS)?),
        home_name: row.text(COLUMNS + 1)?.to_string(),
        slug: row.text(COLUMNS + 2)?.to_string(),
        privileges: privileges(row.int(COLUMNS + 3)?),
    })
}

/// The calendar at an address, with what `who` may do there (perhaps nothing).
pub async fn find(
    tx: &mut Tx<'_>,
    who: PrincipalId,
    home_name: &str,
    slug: &str,
) -> Result<Option<Bound>> {
    let statement = sql!(
        "select ",
        bound!(),
        " from principal h
           join binding b on b.home_id = h.id and b.slug = $3
           join calendar c on c.id = b.calendar_id
           join principal o on o.id = c.owner_id
          where h.name = $2"
    );
    tx.one(statement, &args![who, home_name, slug], bound).await
}

/// The calendars of a home that `who` may see something of, in slug order.
pub async fn list(tx: &mut Tx<'_>, who: PrincipalId, home_name: &str) -> Result<Vec<Bound>> {
    let statement = sql!(
        "select ",
        bound!(),
        " from principal h
           join binding b on b.home_id = h.id
           join calendar c on c.id = b.calendar_id
           join principal o on o.id = c.owner_id
          where h.name = $2 order by b.slug"
    );
    let mut all = tx.all(statement, &args![who, home_name], bound).await?;
    all.retain(|bound| bound.privileges != Privileges::NONE);
    Ok(all)
}

/// A calendar where it appears in its owner's home.
pub async fn by_id(tx: &mut Tx<'_>, who: PrincipalId, id: CalendarId) -> Result<Option<Bound>> {
    let statement = sql!(
        "select ",
        bound!(),
        " from calendar c
           join principal o on o.id = c.owner_id
           join binding b on b.calendar_id = c.id and b.home_id = c.owner_id
           join principal h on h.id = b.home_id
          where c.id = $2"
    );
    tx.one(statement, &args![who, id], bound).await
}

/// The calendars of a feed, each as `who` sees it where it appears in its owner's home, by id.
pub(super) async fn of_feed(
    tx: &mut Tx<'_>,
    who: PrincipalId,
    feed: crate::model::FeedId,
) -> Result<Vec<Bound>> {
    let statement = sql!(
        "select ",
        bound!(),
        " from feed_calendar f
           join calendar c on c.id = f.calendar_id
           join principal o on o.id = c.owner_id
           join binding b on b.calendar_id = c.id and b.home_id = c.owner_id
           join principal h on h.id = b.home_id
          where f.feed_id = $2 order by c.id"
    );
    tx.all(statement, &args![who, feed], bound).await
}

/// The calendar that somebody's sessions go to unless another one is named.
pub async fn sessions_calendar(tx: &mut Tx<'_>, owner: PrincipalId) -> Result<Option<Bound>> {
    oldest(tx, owner, "sessions").await
}

/// The calendar that invitations to somebody go to (RFC 6638 §9.2) unless they chose another one: the oldest.
pub async fn default_calendar(tx: &mut Tx<'_>, owner: PrincipalId) -> Result<Option<Bound>> {
    oldest(tx, owner, "calendar").await
}

async fn oldest(tx: &mut Tx<'_>, owner: PrincipalId, kind: &str) -> Result<Option<Bound>> {
    let statement = sql!(
        "select ",
        bound!(),
        " from calendar c
           join principal o on o.id = c.owner_id
           join binding b on b.calendar_id = c.id and b.home_id = c.owner_id
           join principal h on h.id = b.home_id
          where c.owner_id = $1 and c.kind = $2 order by c.id limit 1"
    );
    tx.one(statement, &args![owner, kind], bound).await
}

/// Makes a calendar and binds it in its owner's home.
///
/// # Errors
/// The precondition `resource-must-be-null` when the slug is taken, `NotFound` without such a home.
pub async fn create(tx: &mut Tx<'_>, new: &NewCalendar, now: i64) -> Result<CalendarId> {
    let statement = sql!(
        "insert into calendar (owner_id, kind, components, timezone, transparent, created, modified)
         values ($1, $2, $3, $4, $5, $6, $6) returning id"
    );
    let seq = lock_home(tx, new.home).await?;
    let components = new.components.print();
    let values = args![
        new.home,
        new.kind.as_str(),
        &components,
        &new.timezone,
        new.transparent,
        now
    ];
    let id = tx
        .one(statement, &values, |row| Ok(CalendarId(row.int(0)?)))
        .await?;
    let id = id.ok_or_else(|| Error::Internal("the calendar was not stored".into()))?;
    insert_binding(tx, new.home, &new.slug, id, seq).await?;
    Ok(id)
}

/// What a calendar's rows are deleted by, those of others first that are found by way of them.
const PURGE: &[Sql<'static>] = &[
    sql!(
        "delete from property where owner_kind = 'object' and owner_id in (select id from object where calendar_id = $1)"
    ),
    sql!("delete from property where owner_kind = 'calendar' and owner_id = $1"),
    sql!("delete from occurrence where calendar_id = $1"),
    sql!("delete from object_body where id in (select id from object where calendar_id = $1)"),
    sql!("delete from object where calendar_id = $1"),
    sql!("delete from object_removed where calendar_id = $1"),
    sql!("delete from object_version where calendar_id = $1"),
    sql!("delete from calendar where id = $1"),
];

/// Removes a calendar for good, with its objects and their history.
pub async fn purge(tx: &mut Tx<'_>, id: CalendarId) -> Result<()> {
    for statement in PURGE {
        tx.execute(*statement, &args![id]).await?;
    }
    Ok(())
}

/// Locks a calendar for this transaction and counts one change of its members: the change's number. Each change of a
/// member takes a number of its own.
///
/// # Errors
/// `NotFound` when it is gone, also to the trash.
pub async fn lock(tx: &mut Tx<'_>, id: CalendarId, now: i64) -> Result<i64> {
    let statement = sql!(
        "update calendar set seq = seq + 1, modified = $2 where id = $1 and deleted is null returning seq"
    );
    tx.one(statement, &args![id, now], |row| row.int(0))
        .await?
        .ok_or(Error::NotFound)
}

/// Locks a calendar as [`lock`] does, without a change: nobody changes its members until the end of this transaction.
///
/// # Errors
/// As [`lock`].
pub async fn hold(tx: &mut Tx<'_>, id: CalendarId) -> Result<()> {
    let statement = sql!("update calendar set seq = seq where id = $1 and deleted is null");
    match tx.execute(statement, &args![id]).await? {
        0 => Err(Error::NotFound),
        _ => Ok(()),
    }
}

/// Counts a change of a calendar's properties.
pub async fn touch_props(tx: &mut Tx<'_>, id: CalendarId, now: i64) -> Result<()> {
    let statement =
        sql!("update calendar set props_seq = props_seq + 1, modified = $2 where id = $1");
    tx.execute(statement, &args![id, now]).await.map(drop)
}

pub async fn set_timezone(tx: &mut Tx<'_>, id: CalendarId, timezone: &str, now: i64) -> Result<()> {
    let statement = sql!(
        "update calendar set timezone = $3, props_seq = props_seq + 1, modified = $2 where id = $1"
    );
    tx.execute(statement, &args![id, now, timezone])
        .await
        .map(drop)
}

pub async fn set_transparent(
    tx: &mut Tx<'_>,
    id: CalendarId,
    transparent: bool,
    now: i64,
) -> Result<()> {
    let statement = sql!(
        "update calendar set transparent = $3, props_seq = props_seq + 1, modified = $2 where id = $1"
    );
    tx.execute(statement, &args![id, now, transparent])
        .await
        .map(drop)
}

pub async fn set_components(
    tx: &mut Tx<'_>,
    id: CalendarId,
    components: &ComponentSet,
    now: i64,
) -> Result<()> {
    let statement = sql!(
        "update calendar set components = $3, props_seq = props_seq + 1, modified = $2 where id = $1"
    );
    tx.execute(statement, &args![id, now, &components.print()])
        .await
        .map(drop)
}
