//! WebDAV properties that are kept as XML: dead ones, and live ones that are mere text (RFC 4918 §4.1).
//!
//! A value holds for everybody (principal 0), or for one person, for whom it then hides the one of everybody.

use super::sql::{Tx, args, sql};
use crate::model::{PrincipalId, Result};

/// What a property belongs to; ids are those of the principal, the calendar or the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnerKind {
    Principal,
    Home,
    Calendar,
    Object,
    Inbox,
    Outbox,
    Notifications,
}

impl OwnerKind {
    pub fn as_str(self) -> &'static str {
        match self {
            OwnerKind::Principal => "principal",
            OwnerKind::Home => "home",
            OwnerKind::Calendar => "calendar",
            OwnerKind::Object => "object",
            OwnerKind::Inbox => "inbox",
            OwnerKind::Outbox => "outbox",
            OwnerKind::Notifications => "notifications",
        }
    }
}

/// Values that hold for everybody.
pub const EVERYBODY: PrincipalId = PrincipalId(0);

/// All properties of one resource as `who` sees them, by name.
pub async fn get_all(
    tx: &mut Tx<'_>,
    kind: OwnerKind,
    id: i64,
    who: PrincipalId,
) -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for_many(tx, kind, &[id], who, |_, name, value| {
        all.push((name.to_string(), value.to_string()));
        Ok(())
    })
    .await?;
    Ok(all)
}

/// The properties of several resources as `who` sees them, lent to `each` with the resource's id; by id and name.
/// Where nothing has properties this costs one look.
pub async fn for_many<F>(
    tx: &mut Tx<'_>,
    kind: OwnerKind,
    ids: &[i64],
    who: PrincipalId,
    mut each: F,
) -> Result<()>
where
    F: FnMut(i64, &str, &str) -> Result<()> + Send,
{
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return Ok(());
    };
    // Objects of a page have neighbouring ids: one stretch of the key, however many they are.
    let statement = sql!(
        "select p.owner_id, p.name, p.value from property p
          where p.owner_kind = $1 and p.owner_id >= $2 and p.owner_id <= $3
            and (p.principal_id = $4 or p.principal_id = 0 and not exists
                  (select 1 from property own where own.owner_kind = $1 and own.owner_id = p.owner_id
                      and own.principal_id = $4 and own.name = p.name and own.principal_id <> 0))
          order by p.owner_id, p.name"
    );
    tx.each(
        statement,
        &args![kind.as_str(), *first, *last, who],
        |row| {
            let id = row.int(0)?;
            match sorted.binary_search(&id) {
                Ok(_) => each(id, row.text(1)?, row.text(2)?),
                Err(_) => Ok(()),
            }
        },
    )
    .await
}

/// Sets a property for `who` ([`EVERYBODY`]: for all). `value` is a self-contained XML element.
pub async fn set(
    tx: &mut Tx<'_>,
    kind: OwnerKind,
    id: i64,
    who: PrincipalId,
    name: &str,
    value: &str,
) -> Result<()> {
    let statement = sql!(
        "insert into property (owner_kind, owner_id, principal_id, name, value) values ($1, $2, $3, $4, $5)
         on conflict (owner_kind, owner_id, principal_id, name) do update set value = $5"
    );
    tx.execute(statement, &args![kind.as_str(), id, who, name, value])
        .await
        .map(drop)
}

/// Removes a property of `who`; whether it was there.
pub async fn remove(
    tx: &mut Tx<'_>,
    kind: OwnerKind,
    id: i64,
    who: PrincipalId,
    name: &str,
) -> Result<bool> {
    let statement = sql!(
        "delete from property where owner_kind = $1 and owner_id = $2 and principal_id = $3 and name = $4"
    );
    Ok(tx
        .execute(statement, &args![kind.as_str(), id, who, name])
        .await?
        > 0)
}

/// Gives `to` all the properties of `from` (a copied object), in place of its own.
pub async fn copy(tx: &mut Tx<'_>, kind: OwnerKind, from: i64, to: i64) -> Result<()> {
    clear(tx, kind, to).await?;
    let statement = sql!(
        "insert into property (owner_kind, owner_id, principal_id, name, value)
         select owner_kind, $3, principal_id, name, value from property where owner_kind = $1 and owner_id = $2"
    );
    tx.execute(statement, &args![kind.as_str(), from, to])
        .await
        .map(drop)
}

/// Removes all properties of a resource.
pub async fn clear(tx: &mut Tx<'_>, kind: OwnerKind, id: i64) -> Result<()> {
    let statement = sql!("delete from property where owner_kind = $1 and owner_id = $2");
    tx.execute(statement, &args![kind.as_str(), id])
        .await
        .map(drop)
}
