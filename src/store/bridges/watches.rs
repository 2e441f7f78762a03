//! Webhooks that a provider promised to call.

use crate::model::{ConnectionId, LinkId, Result};
use crate::store::sql::{Row, Tx, args, sql};

/// A watch as it is kept. Of its secret there is a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWatch {
    pub id: i64,
    pub connection: ConnectionId,
    /// None: of a link that is gone; it is to be stopped.
    pub link: Option<LinkId>,
    pub provider: String,
    /// The provider's id of it.
    pub watch_id: String,
    pub resource: String,
    pub secret_hash: String,
    pub expires: i64,
    /// Replaced by a newer one, and to be stopped.
    pub old: bool,
}

macro_rules! columns {
    () => {
        "id, connection_id, link_id, provider, watch_id, resource, secret_hash, expires, state"
    };
}

fn watch(row: &Row<'_>) -> Result<StoredWatch> {
    Ok(StoredWatch {
        id: row.int(0)?,
        connection: ConnectionId(row.int(1)?),
        link: row.opt_int(2)?.map(LinkId),
        provider: row.text(3)?.to_string(),
        watch_id: row.text(4)?.to_string(),
        resource: row.text(5)?.to_string(),
        secret_hash: row.text(6)?.to_string(),
        expires: row.int(7)?,
        old: row.text(8)? == "old",
    })
}

/// Keeps a new watch (its `id` and `old` are not looked at); the others of its link become old ones.
pub async fn create(tx: &mut Tx<'_>, new: &StoredWatch) -> Result<()> {
    tx.execute(
        sql!("update watch set state = 'old' where link_id = $1"),
        &args![new.link],
    )
    .await?;
    let statement = sql!(
        "insert into watch (connection_id, link_id, provider, watch_id, resource, secret_hash, expires)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (provider, watch_id) do update
            set link_id = $2, resource = $5, secret_hash = $6, expires = $7, state = 'live'"
    );
    let values = args![
        new.connection,
        new.link,
        &new.provider,
        &new.watch_id,
        &new.resource,
        &new.secret_hash,
        new.expires
    ];
    tx.execute(statement, &values).await.map(drop)
}

/// The watch that a webhook names.
pub async fn find(tx: &mut Tx<'_>, provider: &str, watch_id: &str) -> Result<Option<StoredWatch>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from watch where provider = $1 and watch_id = $2"
    );
    tx.one(statement, &args![provider, watch_id], watch).await
}

pub async fn of_link(tx: &mut Tx<'_>, link: LinkId) -> Result<Vec<StoredWatch>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from watch where link_id = $1 order by id"
    );
    tx.all(statement, &args![link], watch).await
}

/// All of a connection, those of links that are gone too.
pub async fn of_connection(tx: &mut Tx<'_>, connection: ConnectionId) -> Result<Vec<StoredWatch>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from watch where connection_id = $1 order by id"
    );
    tx.all(statement, &args![connection], watch).await
}

/// Live ones that end before `before`, and all that are to be stopped: old ones, and those of links that are gone.
pub async fn pending(tx: &mut Tx<'_>, before: i64, limit: i64) -> Result<Vec<StoredWatch>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from watch where expires < $1 or state = 'old' or link_id is null
             or not exists (select 1 from link l where l.id = watch.link_id)
          order by expires, id limit $2"
    );
    tx.all(statement, &args![before, limit], watch).await
}

pub async fn renewed(tx: &mut Tx<'_>, id: i64, watch_id: &str, expires: i64) -> Result<()> {
    tx.execute(
        sql!("update watch set watch_id = $2, expires = $3 where id = $1"),
        &args![id, watch_id, expires],
    )
    .await
    .map(drop)
}

pub async fn remove(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    tx.execute(sql!("delete from watch where id = $1"), &args![id])
        .await
        .map(drop)
}

/// Keeps one that the provider has not answered for yet; those that the link has stay as they are.
pub async fn announce(tx: &mut Tx<'_>, new: &StoredWatch) -> Result<()> {
    let statement = sql!(
        "insert into watch (connection_id, link_id, provider, watch_id, resource, secret_hash, expires)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing"
    );
    let values = args![
        new.connection,
        new.link,
        &new.provider,
        &new.watch_id,
        &new.resource,
        &new.secret_hash,
        new.expires
    ];
    tx.execute(statement, &values).await.map(drop)
}

/// Forgets one that did not come to be, or got another id.
pub async fn withdraw(tx: &mut Tx<'_>, provider: &str, watch_id: &str) -> Result<()> {
    tx.execute(
        sql!("delete from watch where provider = $1 and watch_id = $2"),
        &args![provider, watch_id],
    )
    .await
    .map(drop)
}
