//! Calendars, where they appear (bindings), and who else may see them (grants).
//!
//! A calendar's owner has all rights; others what was granted to them or to a group of theirs, the highest of it.

use super::principals;
use super::sql::{Row, Tx, args, sql};
use crate::model::access::Privileges;
use crate::model::{
    Bound, Calendar, CalendarId, CalendarKind, ComponentSet, Error, Precondition, Principal,
    PrincipalId, Result,
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

/// What a home holds, for its sync token and ctag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeState {
    /// Number of the last change to which calendars are bound.
    pub seq: i64,
    /// In slug order.
    pub calendars: Vec<HomeMember>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeMember {
    pub id: CalendarId,
    pub slug: String,
    pub seq: i64,
    pub props_seq: i64,
    /// The home's seq when it was bound.
    pub bound_seq: i64,
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

/// Counts a change of which calendars are bound in a home; the lock of that home.
async fn lock_home(tx: &mut Tx<'_>, home: PrincipalId) -> Result<i64> {
    let statement = sql!("update principal set seq = seq + 1 where id = $1 returning seq");
    tx.one(statement, &args![home], |row| row.int(0))
        .await?
        .ok_or(Error::NotFound)
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

/// Lets a calendar appear in another home: a share that was accepted.
///
/// # Errors
/// The precondition `resource-must-be-null` when the slug is taken.
pub async fn bind(tx: &mut Tx<'_>, home: PrincipalId, slug: &str, id: CalendarId) -> Result<()> {
    let seq = lock_home(tx, home).await?;
    insert_binding(tx, home, slug, id, seq).await
}

async fn insert_binding(
    tx: &mut Tx<'_>,
    home: PrincipalId,
    slug: &str,
    id: CalendarId,
    seq: i64,
) -> Result<()> {
    let statement = sql!(
        "insert into binding (home_id, slug, calendar_id, seq) values ($1, $2, $3, $4) on conflict (home_id, slug) do nothing"
    );
    if tx.execute(statement, &args![home, slug, id, seq]).await? == 0 {
        return Err(Error::precondition(
            Precondition::ResourceMustBeNull,
            format!("there is a calendar {slug} already"),
        ));
    }
    let back = sql!("delete from binding_removed where home_id = $1 and slug = $2");
    tx.execute(back, &args![home, slug]).await.map(drop)
}

/// Gives a calendar another slug in a home. For sync the old address goes away and the calendar changes.
///
/// # Errors
/// `NotFound` when nothing is bound at `from`, the precondition `resource-must-be-null` when `to` is taken.
pub async fn rename(
    tx: &mut Tx<'_>,
    home: PrincipalId,
    from: &str,
    to: &str,
    now: i64,
) -> Result<()> {
    let statement = sql!("select calendar_id from binding where home_id = $1 and slug = $2");
    let id = tx
        .one(statement, &args![home, from], |row| row.int(0))
        .await?;
    let id = CalendarId(id.ok_or(Error::NotFound)?);
    unbind(tx, home, from).await?;
    bind(tx, home, to, id).await?;
    touch_props(tx, id, now).await
}

/// Unbinds a calendar from a home. When that is its owner's, it goes to the trash and disappears from every home.
///
/// # Errors
/// `NotFound` when nothing is bound there.
pub async fn remove(tx: &mut Tx<'_>, home: PrincipalId, slug: &str, now: i64) -> Result<()> {
    let statement = sql!(
        "select c.id, c.owner_id from binding b join calendar c on c.id = b.calendar_id where b.home_id = $1 and b.slug = $2"
    );
    let found = tx
        .one(statement, &args![home, slug], |row| {
            Ok((row.int(0)?, row.int(1)?))
        })
        .await?;
    let (id, owner) = found.ok_or(Error::NotFound)?;
    if owner != home.0 {
        return unbind(tx, home, slug).await;
    }
    // Its row is the lock of writers: none of them is midway, and none comes after.
    lock(tx, CalendarId(id), now).await?;
    tx.execute(
        sql!("update calendar set deleted = $2 where id = $1"),
        &args![id, now],
    )
    .await?;
    // In the order of ids, as everywhere, so that two removals cannot wait for each other.
    let homes =
        sql!("select home_id, slug from binding where calendar_id = $1 order by home_id, slug");
    for (home, slug) in tx
        .all(homes, &args![id], |row| {
            Ok((row.int(0)?, row.text(1)?.to_string()))
        })
        .await?
    {
        unbind(tx, PrincipalId(home), &slug).await?;
    }
    Ok(())
}

async fn unbind(tx: &mut Tx<'_>, home: PrincipalId, slug: &str) -> Result<()> {
    let seq = lock_home(tx, home).await?;
    let gone = tx
        .execute(
            sql!("delete from binding where home_id = $1 and slug = $2"),
            &args![home, slug],
        )
        .await?;
    if gone == 0 {
        return Err(Error::NotFound);
    }
    let statement = sql!(
        "insert into binding_removed (home_id, slug, seq) values ($1, $2, $3)
         on conflict (home_id, slug) do update set seq = $3"
    );
    tx.execute(statement, &args![home, slug, seq])
        .await
        .map(drop)
}

/// Brings a calendar back from the trash, to its owner's home.
///
/// # Errors
/// `NotFound` when it is not in the trash, the precondition `resource-must-be-null` when the slug is taken.
pub async fn restore(tx: &mut Tx<'_>, id: CalendarId, slug: &str) -> Result<()> {
    let statement = sql!(
        "update calendar set deleted = null where id = $1 and deleted is not null returning owner_id"
    );
    let owner = tx
        .one(statement, &args![id], |row| row.int(0))
        .await?
        .ok_or(Error::NotFound)?;
    bind(tx, PrincipalId(owner), slug, id).await
}

/// Removes a calendar for good, with its objects and their history.
pub async fn purge(tx: &mut Tx<'_>, id: CalendarId) -> Result<()> {
    let objects = sql!(
        "delete from property where owner_kind = 'object' and owner_id in (select id from object where calendar_id = $1)"
    );
    tx.execute(objects, &args![id]).await?;
    tx.execute(
        sql!("delete from property where owner_kind = 'calendar' and owner_id = $1"),
        &args![id],
    )
    .await?;
    tx.execute(
        sql!("delete from occurrence where calendar_id = $1"),
        &args![id],
    )
    .await?;
    tx.execute(
        sql!("delete from object_body where id in (select id from object where calendar_id = $1)"),
        &args![id],
    )
    .await?;
    tx.execute(
        sql!("delete from object where calendar_id = $1"),
        &args![id],
    )
    .await?;
    tx.execute(
        sql!("delete from object_removed where calendar_id = $1"),
        &args![id],
    )
    .await?;
    tx.execute(
        sql!("delete from object_version where calendar_id = $1"),
        &args![id],
    )
    .await?;
    tx.execute(sql!("delete from calendar where id = $1"), &args![id])
        .await?;
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

/// Who else may see a calendar, and how far (table `access_grant`), in the order of names.
pub async fn grants(tx: &mut Tx<'_>, id: CalendarId) -> Result<Vec<(Principal, i64)>> {
    let statement = sql!(
        "select ",
        principals::columns!(),
        ", g.level from access_grant g join principal p on p.id = g.principal_id
          where g.calendar_id = $1 order by p.name"
    );
    let read = |row: &Row<'_>| {
        Ok((
            principals::principal(row, 0)?,
            row.int(principals::COLUMNS)?,
        ))
    };
    tx.all(statement, &args![id], read).await
}

/// Grants a level to somebody; 0 takes the grant back, and the calendar out of their home.
pub async fn set_grant(
    tx: &mut Tx<'_>,
    id: CalendarId,
    to: PrincipalId,
    level: i64,
    now: i64,
) -> Result<()> {
    touch_props(tx, id, now).await?;
    if level > 0 {
        let statement = sql!(
            "insert into access_grant (calendar_id, principal_id, level, created) values ($1, $2, $3, $4)
             on conflict (calendar_id, principal_id) do update set level = $3"
        );
        return tx
            .execute(statement, &args![id, to, level, now])
            .await
            .map(drop);
    }
    tx.execute(
        sql!("delete from access_grant where calendar_id = $1 and principal_id = $2"),
        &args![id, to],
    )
    .await?;
    let bound = sql!(
        "select b.slug from binding b join calendar c on c.id = b.calendar_id
          where b.calendar_id = $1 and b.home_id = $2 and c.owner_id <> $2"
    );
    for slug in tx
        .all(bound, &args![id, to], |row| Ok(row.text(0)?.to_string()))
        .await?
    {
        unbind(tx, to, &slug).await?;
    }
    Ok(())
}

/// The numbers of a home and of its calendars.
pub async fn home_state(tx: &mut Tx<'_>, home: PrincipalId) -> Result<HomeState> {
    let statement = sql!(
        "select p.seq, c.id, b.slug, c.seq, c.props_seq, b.seq from principal p
           left join binding b on b.home_id = p.id
           left join calendar c on c.id = b.calendar_id
          where p.id = $1 order by b.slug"
    );
    let mut state = HomeState {
        seq: 0,
        calendars: Vec::new(),
    };
    tx.each(statement, &args![home], |row| {
        state.seq = row.int(0)?;
        if let Some(id) = row.opt_int(1)? {
            state.calendars.push(HomeMember {
                id: CalendarId(id),
                slug: row.text(2)?.to_string(),
                seq: row.int(3)?,
                props_seq: row.int(4)?,
                bound_seq: row.int(5)?,
            });
        }
        Ok(())
    })
    .await?;
    Ok(state)
}

/// Slugs that disappeared from a home after `seq`, with the numbers of those changes, in their order.
pub async fn unbound_since(
    tx: &mut Tx<'_>,
    home: PrincipalId,
    seq: i64,
) -> Result<Vec<(String, i64)>> {
    let statement =
        sql!("select slug, seq from binding_removed where home_id = $1 and seq > $2 order by seq");
    tx.all(statement, &args![home, seq], |row| {
        Ok((row.text(0)?.to_string(), row.int(1)?))
    })
    .await
}
