//! Where calendars appear: bindings of homes, the trash, and the numbers that a home's sync token is made of.

use super::{lock, touch_props};
use crate::model::{CalendarId, Error, Precondition, PrincipalId, Result};
use crate::store::sql::{Tx, args, sql};

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

/// Counts a change of which calendars are bound in a home; the lock of that home.
pub(super) async fn lock_home(tx: &mut Tx<'_>, home: PrincipalId) -> Result<i64> {
    let statement = sql!("update principal set seq = seq + 1 where id = $1 returning seq");
    tx.one(statement, &args![home], |row| row.int(0))
        .await?
        .ok_or(Error::NotFound)
}

/// Lets a calendar appear in another home: a share that was accepted.
///
/// # Errors
/// The precondition `resource-must-be-null` when the slug is taken.
pub async fn bind(tx: &mut Tx<'_>, home: PrincipalId, slug: &str, id: CalendarId) -> Result<()> {
    let seq = lock_home(tx, home).await?;
    insert_binding(tx, home, slug, id, seq).await
}

pub(super) async fn insert_binding(
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

/// The calendar that is bound at a slug of a home.
pub async fn find_bound(
    tx: &mut Tx<'_>,
    home: PrincipalId,
    slug: &str,
) -> Result<Option<CalendarId>> {
    let statement = sql!("select calendar_id from binding where home_id = $1 and slug = $2");
    tx.one(statement, &args![home, slug], |row| {
        Ok(CalendarId(row.int(0)?))
    })
    .await
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
    let id = find_bound(tx, home, from).await?.ok_or(Error::NotFound)?;
    // The calendar's row is locked before the home's, as in `remove`.
    touch_props(tx, id, now).await?;
    unbind(tx, home, from).await?;
    bind(tx, home, to, id).await
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

pub(super) async fn unbind(tx: &mut Tx<'_>, home: PrincipalId, slug: &str) -> Result<()> {
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
