//! Users, groups and resources: names, addresses, memberships, passwords. RFC 3744 §2, §4.
//!
//! Membership is one level deep: a group in a group does not hand its rights down.

use super::calendars;
use super::sql::{Row, Tx, args, sql};
use crate::model::{Error, Principal, PrincipalId, PrincipalKind, Result};

/// A principal to be made.
#[derive(Clone, Debug)]
pub struct NewPrincipal {
    pub kind: PrincipalKind,
    pub name: String,
    pub display_name: String,
    /// Mail addresses, the one shown first.
    pub addresses: Vec<String>,
    pub admin: bool,
}

/// The columns that [`principal`] reads, of `principal p`.
macro_rules! columns {
    () => {
        "p.id, p.kind, p.name, p.display_name, p.admin, p.second_factor, p.seq, p.created, p.disabled,
         (select string_agg(a.address, ' ' order by a.position, a.address) from principal_address a
           where a.principal_id = p.id)"
    };
}
pub(super) use columns;

/// How many columns [`principal`] reads.
pub(super) const COLUMNS: usize = 10;

/// Reads a principal from `columns!()`, which begin at `at`.
pub(super) fn principal(row: &Row<'_>, at: usize) -> Result<Principal> {
    let kind = row.text(at + 1)?;
    Ok(Principal {
        id: PrincipalId(row.int(at)?),
        kind: PrincipalKind::parse(kind)
            .ok_or_else(|| Error::Internal(format!("principal of kind {kind}")))?,
        name: row.text(at + 2)?.to_string(),
        display_name: row.text(at + 3)?.to_string(),
        addresses: row
            .opt_text(at + 9)?
            .unwrap_or("")
            .split_ascii_whitespace()
            .map(String::from)
            .collect(),
        admin: row.flag(at + 4)?,
        second_factor: row.flag(at + 5)?,
        seq: row.int(at + 6)?,
        created: row.int(at + 7)?,
        disabled: row.opt_int(at + 8)?,
    })
}

fn first(row: &Row<'_>) -> Result<Principal> {
    principal(row, 0)
}

pub async fn find(tx: &mut Tx<'_>, name: &str) -> Result<Option<Principal>> {
    tx.one(
        sql!("select ", columns!(), " from principal p where p.name = $1"),
        &args![name],
        first,
    )
    .await
}

pub async fn get(tx: &mut Tx<'_>, id: PrincipalId) -> Result<Option<Principal>> {
    tx.one(
        sql!("select ", columns!(), " from principal p where p.id = $1"),
        &args![id],
        first,
    )
    .await
}

/// Who has this mail address (without `mailto:`, in any case).
pub async fn by_address(tx: &mut Tx<'_>, address: &str) -> Result<Option<Principal>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from principal_address o join principal p on p.id = o.principal_id where o.address = $1"
    );
    tx.one(statement, &args![&address.to_lowercase()], first)
        .await
}

/// The present name of who was called `old_name` once.
pub async fn renamed(tx: &mut Tx<'_>, old_name: &str) -> Result<Option<String>> {
    let statement = sql!(
        "select p.name from principal_alias a join principal p on p.id = a.principal_id where a.name = $1"
    );
    tx.one(statement, &args![old_name], |row| {
        Ok(row.text(0)?.to_string())
    })
    .await
}

/// Makes a principal.
///
/// # Errors
/// `Conflict` when the name or an address is taken.
pub async fn create(tx: &mut Tx<'_>, new: &NewPrincipal, now: i64) -> Result<PrincipalId> {
    let statement = sql!(
        "insert into principal (kind, name, display_name, admin, created) values ($1, $2, $3, $4, $5)
         on conflict (name) do nothing returning id"
    );
    let values = args![
        new.kind.as_str(),
        &new.name,
        &new.display_name,
        new.admin,
        now
    ];
    let id = tx
        .one(statement, &values, |row| Ok(PrincipalId(row.int(0)?)))
        .await?;
    let id = id.ok_or_else(|| Error::Conflict(format!("the name {} is taken", new.name)))?;
    // A name in use no longer redirects to whoever had it before.
    tx.execute(
        sql!("delete from principal_alias where name = $1"),
        &args![&new.name],
    )
    .await?;
    set_addresses(tx, id, &new.addresses).await?;
    Ok(id)
}

/// Replaces the mail addresses; the first one is the one shown.
///
/// # Errors
/// `Conflict` when somebody else has one, `Invalid` when one has a space in it.
pub async fn set_addresses(tx: &mut Tx<'_>, id: PrincipalId, addresses: &[String]) -> Result<()> {
    tx.execute(
        sql!("delete from principal_address where principal_id = $1"),
        &args![id],
    )
    .await?;
    let statement = sql!(
        "insert into principal_address (address, principal_id, position) values ($1, $2, $3)
         on conflict (address) do update set position = principal_address.position
         where principal_address.principal_id = $2"
    );
    for (address, position) in addresses.iter().zip(0_i64..) {
        if address.is_empty() || address.contains(char::is_whitespace) {
            return Err(Error::Invalid {
                field: "addresses".into(),
                reason: format!("{address:?} is no mail address"),
            });
        }
        let mine = tx
            .execute(statement, &args![&address.to_lowercase(), id, position])
            .await?;
        if mine == 0 {
            return Err(Error::Conflict(format!(
                "the address {address} belongs to somebody else"
            )));
        }
    }
    Ok(())
}

/// Principals in the order of their names, from after `after`.
pub async fn list(tx: &mut Tx<'_>, after: Option<&str>, limit: i64) -> Result<Vec<Principal>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from principal p where p.name > $1 order by p.name limit $2"
    );
    tx.all(statement, &args![after.unwrap_or(""), limit], first)
        .await
}

/// Active principals whose name, display name or address contains `text`, without regard to (ASCII) case.
/// Those that begin with it come first.
pub async fn search(tx: &mut Tx<'_>, text: &str, limit: i64) -> Result<Vec<Principal>> {
    let escaped = text
        .to_lowercase()
        .replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_");
    let (prefix, inside) = (format!("{escaped}%"), format!("%{escaped}%"));
    let statement = sql!(
        "select ", columns!(), " from principal p
          where p.disabled is null
            and (p.name like $2 escape '!' or lower(p.display_name) like $2 escape '!'
                 or exists (select 1 from principal_address a
                             where a.principal_id = p.id and a.address like $2 escape '!'))
          order by case when p.name like $1 escape '!' or lower(p.display_name) like $1 escape '!' then 0 else 1 end,
                   p.name
          limit $3"
    );
    tx.all(statement, &args![&prefix, &inside, limit], first)
        .await
}

/// Removes a principal with everything that is theirs, history too. Objects of others are not touched.
pub async fn remove(tx: &mut Tx<'_>, id: PrincipalId) -> Result<()> {
    let theirs = sql!("select id from calendar where owner_id = $1");
    for calendar in tx.all(theirs, &args![id], |row| row.int(0)).await? {
        calendars::purge(tx, crate::model::CalendarId(calendar)).await?;
    }
    tx.execute(
        sql!("delete from property where principal_id = $1"),
        &args![id],
    )
    .await?;
    let owned = sql!(
        "delete from property where owner_id = $1 and owner_kind in ('principal', 'home', 'inbox', 'outbox', 'notifications')"
    );
    tx.execute(owned, &args![id]).await?;
    tx.execute(
        sql!("update object_version set principal_id = null where principal_id = $1"),
        &args![id],
    )
    .await?;
    tx.execute(sql!("delete from principal where id = $1"), &args![id])
        .await?;
    Ok(())
}

/// Gives a principal another name; the old one redirects from now on.
///
/// # Errors
/// `Conflict` when the name is taken.
pub async fn rename(tx: &mut Tx<'_>, id: PrincipalId, name: &str) -> Result<()> {
    let statement = sql!(
        "select name, (select count(*) from principal where name = $2 and id <> $1) from principal where id = $1"
    );
    let found = tx
        .one(statement, &args![id, name], |row| {
            Ok((row.text(0)?.to_string(), row.int(1)?))
        })
        .await?;
    let (old, taken) = found.ok_or(Error::NotFound)?;
    if taken > 0 {
        return Err(Error::Conflict(format!("the name {name} is taken")));
    }
    tx.execute(
        sql!("delete from principal_alias where name = $1"),
        &args![name],
    )
    .await?;
    tx.execute(
        sql!("update principal set name = $2 where id = $1"),
        &args![id, name],
    )
    .await?;
    if old != name {
        let alias = sql!(
            "insert into principal_alias (name, principal_id) values ($1, $2)
             on conflict (name) do update set principal_id = $2"
        );
        tx.execute(alias, &args![&old, id]).await?;
    }
    Ok(())
}

/// The password as a PHC string; `None` when there is no password (or no such principal).
pub async fn password(tx: &mut Tx<'_>, id: PrincipalId) -> Result<Option<String>> {
    let statement = sql!("select password from principal where id = $1");
    let found = tx
        .one(statement, &args![id], |row| {
            Ok(row.opt_text(0)?.map(String::from))
        })
        .await?;
    Ok(found.flatten())
}

pub async fn set_password(tx: &mut Tx<'_>, id: PrincipalId, phc: Option<&str>) -> Result<()> {
    tx.execute(
        sql!("update principal set password = $2 where id = $1"),
        &args![id, phc],
    )
    .await
    .map(drop)
}

pub async fn set_display_name(tx: &mut Tx<'_>, id: PrincipalId, name: &str) -> Result<()> {
    tx.execute(
        sql!("update principal set display_name = $2 where id = $1"),
        &args![id, name],
    )
    .await
    .map(drop)
}

pub async fn set_admin(tx: &mut Tx<'_>, id: PrincipalId, admin: bool) -> Result<()> {
    tx.execute(
        sql!("update principal set admin = $2 where id = $1"),
        &args![id, admin],
    )
    .await
    .map(drop)
}

/// Switched on, a password alone opens nothing: app passwords do.
pub async fn set_second_factor(tx: &mut Tx<'_>, id: PrincipalId, on: bool) -> Result<()> {
    tx.execute(
        sql!("update principal set second_factor = $2 where id = $1"),
        &args![id, on],
    )
    .await
    .map(drop)
}

/// Switches a principal off (with the time) or on again.
pub async fn set_disabled(tx: &mut Tx<'_>, id: PrincipalId, since: Option<i64>) -> Result<()> {
    tx.execute(
        sql!("update principal set disabled = $2 where id = $1"),
        &args![id, since],
    )
    .await
    .map(drop)
}

pub async fn groups_of(tx: &mut Tx<'_>, id: PrincipalId) -> Result<Vec<Principal>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from membership m join principal p on p.id = m.group_id
          where m.member_id = $1 order by p.name"
    );
    tx.all(statement, &args![id], first).await
}

pub async fn members_of(tx: &mut Tx<'_>, id: PrincipalId) -> Result<Vec<Principal>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from membership m join principal p on p.id = m.member_id
          where m.group_id = $1 order by p.name"
    );
    tx.all(statement, &args![id], first).await
}

pub async fn add_member(tx: &mut Tx<'_>, group: PrincipalId, member: PrincipalId) -> Result<()> {
    let statement =
        sql!("insert into membership (group_id, member_id) values ($1, $2) on conflict do nothing");
    tx.execute(statement, &args![group, member]).await.map(drop)
}

pub async fn remove_member(tx: &mut Tx<'_>, group: PrincipalId, member: PrincipalId) -> Result<()> {
    let statement = sql!("delete from membership where group_id = $1 and member_id = $2");
    tx.execute(statement, &args![group, member]).await.map(drop)
}

pub async fn count(tx: &mut Tx<'_>) -> Result<i64> {
    let found = tx
        .one(sql!("select count(*) from principal"), &[], |row| {
            row.int(0)
        })
        .await?;
    Ok(found.unwrap_or(0))
}
