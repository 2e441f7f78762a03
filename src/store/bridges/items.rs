//! Every resource of a remote calendar as it was last seen.

use crate::model::{LinkId, Result};
use crate::store::sql::{Row, Tx, args, sql};

/// A resource there: an event, a series' master, or an exception of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredItem {
    pub remote_id: String,
    /// Of an exception: the id of its master; else empty.
    pub series: String,
    /// Of the unit that it belongs to; empty: of none.
    pub uid: String,
    pub stamp: String,
    pub doc: Vec<u8>,
}

macro_rules! columns {
    () => {
        "i.remote_id, i.series, i.uid, i.stamp, i.doc"
    };
}

fn item(row: &Row<'_>) -> Result<StoredItem> {
    Ok(StoredItem {
        remote_id: row.text(0)?.to_string(),
        series: row.text(1)?.to_string(),
        uid: row.text(2)?.to_string(),
        stamp: row.text(3)?.to_string(),
        doc: row.bytes(4)?.to_vec(),
    })
}

/// The items with these ids; those that are not there are passed over.
pub async fn many(tx: &mut Tx<'_>, link: LinkId, ids: &[&str]) -> Result<Vec<StoredItem>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from remote_item i where i.link_id = $1 and i.remote_id = $2"
    );
    let mut found = Vec::new();
    tx.each_many(statement, ids.iter().map(|id| args![link, *id]), |row| {
        found.push(item(row)?);
        Ok(())
    })
    .await?;
    Ok(found)
}

/// Exceptions of these masters.
pub async fn of_series(tx: &mut Tx<'_>, link: LinkId, masters: &[&str]) -> Result<Vec<StoredItem>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from remote_item i where i.link_id = $1 and i.series = $2 and i.series <> '' order by i.remote_id"
    );
    let mut found = Vec::new();
    tx.each_many(
        statement,
        masters.iter().map(|id| args![link, *id]),
        |row| {
            found.push(item(row)?);
            Ok(())
        },
    )
    .await?;
    Ok(found)
}

/// The items of units, by UID.
pub async fn of_units(tx: &mut Tx<'_>, link: LinkId, uids: &[&str]) -> Result<Vec<StoredItem>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from remote_item i where i.link_id = $1 and i.uid = $2 and i.uid <> ''
          order by case when i.series = '' then 0 else 1 end, i.remote_id"
    );
    let mut found = Vec::new();
    tx.each_many(statement, uids.iter().map(|uid| args![link, *uid]), |row| {
        found.push(item(row)?);
        Ok(())
    })
    .await?;
    Ok(found)
}

/// What was written there and no listing has named yet has this in place of a listing's number.
const UNNAMED: i64 = -1;

/// Stores what a put was answered with. The next listing has to name it, see [`unnamed`].
pub async fn replace(tx: &mut Tx<'_>, link: LinkId, uid: &str, items: &[StoredItem]) -> Result<()> {
    tx.execute(
        sql!("delete from remote_item where link_id = $1 and uid = $2 and uid <> ''"),
        &args![link, uid],
    )
    .await?;
    put(tx, link, items, UNNAMED).await
}

/// Masters that were written there since the last listing, or are exceptions' masters of what was, and that no listing
/// has named since: something made and removed between two looks is in neither (RFC 6578 §3.5.2).
pub async fn unnamed(tx: &mut Tx<'_>, link: LinkId, limit: i64) -> Result<Vec<String>> {
    let statement = sql!(
        "select distinct case when series = '' then remote_id else series end as master
           from remote_item where link_id = $1 and seen < 0 order by master limit $2"
    );
    tx.all(statement, &args![link, limit], |row| {
        Ok(row.text(0)?.to_string())
    })
    .await
}

/// Stores items as a listing numbered `seen` names them.
pub async fn put(tx: &mut Tx<'_>, link: LinkId, items: &[StoredItem], seen: i64) -> Result<()> {
    let statement = sql!(
        "insert into remote_item (link_id, remote_id, series, uid, stamp, doc, seen)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (link_id, remote_id) do update set series = $3, uid = $4, stamp = $5, doc = $6, seen = $7"
    );
    let sets = items.iter().map(|i| {
        args![
            link,
            &i.remote_id,
            &i.series,
            &i.uid,
            &i.stamp,
            i.doc.as_slice(),
            seen
        ]
    });
    tx.execute_many(statement, sets).await
}

/// A listing names them, unchanged.
pub async fn seen(tx: &mut Tx<'_>, link: LinkId, ids: &[&str], seen: i64) -> Result<()> {
    let statement = sql!(
        "update remote_item set seen = $3 where link_id = $1 and remote_id = $2 and seen <> $3"
    );
    tx.execute_many(statement, ids.iter().map(|id| args![link, *id, seen]))
        .await
}

/// Removes items, and the exceptions of those that are masters.
pub async fn remove(tx: &mut Tx<'_>, link: LinkId, ids: &[&str]) -> Result<()> {
    let own = sql!("delete from remote_item where link_id = $1 and remote_id = $2");
    let exceptions =
        sql!("delete from remote_item where link_id = $1 and series = $2 and series <> ''");
    tx.execute_many(own, ids.iter().map(|id| args![link, *id]))
        .await?;
    tx.execute_many(exceptions, ids.iter().map(|id| args![link, *id]))
        .await
}

/// Removes these items and no others.
pub async fn remove_exactly(tx: &mut Tx<'_>, link: LinkId, ids: &[&str]) -> Result<()> {
    let own = sql!("delete from remote_item where link_id = $1 and remote_id = $2");
    tx.execute_many(own, ids.iter().map(|id| args![link, *id]))
        .await
}

/// The end of a listing of everything: what it did not name is gone, and its units are marked. How many items went.
pub async fn sweep(tx: &mut Tx<'_>, link: LinkId, listing_no: i64, now: i64) -> Result<u64> {
    let mark = sql!(
        "update unit set dirty = dirty + 1, attempts = 0, retry_at = 0, parked = '', reason = '', received = $3
          where link_id = $1 and uid in
            (select i.uid from remote_item i where i.link_id = $1 and i.seen >= 0 and i.seen < $2 and i.uid <> '')"
    );
    tx.execute(mark, &args![link, listing_no, now]).await?;
    // What a unit has there by its own account, but no listing ever named.
    let lost = sql!(
        "update unit set dirty = dirty + 1, attempts = 0, retry_at = 0, parked = '', reason = '', received = $2
          where link_id = $1 and remote_id <> '' and dirty = 0 and not exists
            (select 1 from remote_item i where i.link_id = $1 and i.remote_id = unit.remote_id)"
    );
    tx.execute(lost, &args![link, now]).await?;
    let gone = sql!("delete from remote_item where link_id = $1 and seen >= 0 and seen < $2");
    tx.execute(gone, &args![link, listing_no]).await
}

/// How many resources are known there.
pub async fn count(tx: &mut Tx<'_>, link: LinkId) -> Result<i64> {
    let statement = sql!("select count(*) from remote_item where link_id = $1");
    Ok(tx
        .one(statement, &args![link], super::count)
        .await?
        .unwrap_or(0))
}
