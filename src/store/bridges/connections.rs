//! Accounts at providers: their sealed secrets, their health, and the lease of who works on them.

use super::word;
use crate::model::bridge::{Connection, Health};
use crate::model::{ConnectionId, Error, PrincipalId, Result};
use crate::store::sql::{Arg, Row, Sql, Tx, args, sql};

/// A connection to be made.
#[derive(Clone)]
pub struct NewConnection {
    pub owner: PrincipalId,
    pub provider: String,
    /// The provider's own id of the account.
    pub account: String,
    pub label: String,
    /// Sealed.
    pub secret: Vec<u8>,
    pub scopes: String,
}

macro_rules! columns {
    () => {
        "c.id, c.principal_id, c.provider, c.account, c.label, c.health, c.reason, c.scopes, c.created, c.last_success,
         c.failures, c.not_before, c.name"
    };
}

fn connection(row: &Row<'_>) -> Result<Connection> {
    Ok(Connection {
        id: ConnectionId(row.int(0)?),
        owner: PrincipalId(row.int(1)?),
        provider: row.text(2)?.to_string(),
        account: row.text(3)?.to_string(),
        label: row.text(4)?.to_string(),
        health: word(row.text(5)?, Health::parse)?,
        reason: row.text(6)?.to_string(),
        scopes: row.text(7)?.to_string(),
        created: row.int(8)?,
        last_success: row.opt_int(9)?,
        failures: row.int(10)?,
        not_before: row.int(11)?,
        name: row.text(12)?.to_string(),
    })
}

/// # Errors
/// `Conflict` when its owner has a connection to this account already.
pub async fn create(tx: &mut Tx<'_>, new: &NewConnection, now: i64) -> Result<ConnectionId> {
    let statement = sql!(
        "insert into connection (principal_id, provider, account, label, secret, scopes, created)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning id"
    );
    let values = args![
        new.owner,
        &new.provider,
        &new.account,
        &new.label,
        new.secret.as_slice(),
        &new.scopes,
        now
    ];
    tx.one(statement, &values, |row| Ok(ConnectionId(row.int(0)?)))
        .await?
        .ok_or_else(|| Error::Conflict(format!("{} is connected already", new.label)))
}

pub async fn get(tx: &mut Tx<'_>, id: ConnectionId) -> Result<Option<Connection>> {
    let statement = sql!("select ", columns!(), " from connection c where c.id = $1");
    tx.one(statement, &args![id], connection).await
}

/// Somebody's connections, oldest first.
pub async fn of_owner(tx: &mut Tx<'_>, owner: PrincipalId) -> Result<Vec<Connection>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from connection c where c.principal_id = $1 order by c.id"
    );
    tx.all(statement, &args![owner], connection).await
}

/// Somebody's connection to an account, by the provider's own id of it.
pub async fn by_account(
    tx: &mut Tx<'_>,
    owner: PrincipalId,
    provider: &str,
    account: &str,
) -> Result<Option<Connection>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from connection c where c.principal_id = $1 and c.provider = $2 and c.account = $3"
    );
    tx.one(statement, &args![owner, provider, account], connection)
        .await
}

/// The sealed secret, and the number of its last change.
pub async fn secret(tx: &mut Tx<'_>, id: ConnectionId) -> Result<Option<(Vec<u8>, i64)>> {
    let statement = sql!("select secret, secret_seq from connection where id = $1");
    tx.one(statement, &args![id], |row| {
        Ok((row.bytes(0)?.to_vec(), row.int(1)?))
    })
    .await
}

/// Replaces the secret numbered `expected`; false when another one has replaced it meanwhile. Ends the renewal.
pub async fn set_secret(
    tx: &mut Tx<'_>,
    id: ConnectionId,
    sealed: &[u8],
    expected: i64,
) -> Result<bool> {
    let statement = sql!(
        "update connection set secret = $2, secret_seq = secret_seq + 1, refreshing = 0
          where id = $1 and secret_seq = $3"
    );
    Ok(tx.execute(statement, &args![id, sealed, expected]).await? > 0)
}

/// Puts another envelope around the same secret (`keys rotate`), unless it was replaced meanwhile. Its number stays:
/// who is renewing it right now goes on.
pub async fn reseal(tx: &mut Tx<'_>, id: ConnectionId, old: &[u8], new: &[u8]) -> Result<bool> {
    let statement = sql!("update connection set secret = $3 where id = $1 and secret = $2");
    Ok(tx.execute(statement, &args![id, old, new]).await? > 0)
}

/// One server at a time renews tokens: false when another one does, or has just done.
pub async fn begin_refresh(
    tx: &mut Tx<'_>,
    id: ConnectionId,
    expected: i64,
    now: i64,
    until: i64,
) -> Result<bool> {
    let statement = sql!(
        "update connection set refreshing = $4 where id = $1 and secret_seq = $2 and refreshing <= $3"
    );
    Ok(tx
        .execute(statement, &args![id, expected, now, until])
        .await?
        > 0)
}

pub async fn end_refresh(tx: &mut Tx<'_>, id: ConnectionId) -> Result<()> {
    tx.execute(
        sql!("update connection set refreshing = 0 where id = $1"),
        &args![id],
    )
    .await
    .map(drop)
}

/// The owner connected again: new secret and scopes, all trouble forgotten, and its links run at once.
pub async fn regrant(
    tx: &mut Tx<'_>,
    id: ConnectionId,
    sealed: &[u8],
    scopes: &str,
    label: &str,
) -> Result<bool> {
    let statement = sql!(
        "update connection set secret = $2, secret_seq = secret_seq + 1, refreshing = 0, scopes = $3, label = $4,
                health = 'ok', reason = '', told = 0, failures = 0, not_before = 0
          where id = $1"
    );
    let done = tx
        .execute(statement, &args![id, sealed, scopes, label])
        .await?;
    tx.execute(
        sql!("update link set next_sync = 0, poll_at = 0, watch_at = 0 where connection_id = $1"),
        &args![id],
    )
    .await?;
    Ok(done > 0)
}

pub async fn set_scopes(tx: &mut Tx<'_>, id: ConnectionId, scopes: &str) -> Result<()> {
    tx.execute(
        sql!("update connection set scopes = $2 where id = $1"),
        &args![id, scopes],
    )
    .await
    .map(drop)
}

/// What its owner calls it.
pub async fn set_name(tx: &mut Tx<'_>, id: ConnectionId, name: &str) -> Result<bool> {
    let statement = sql!("update connection set name = $2 where id = $1");
    Ok(tx.execute(statement, &args![id, name]).await? > 0)
}

/// The provider's id of the account, where that may change (a secret address that was reset).
///
/// # Errors
/// `Conflict` when its owner has another connection to that account.
pub async fn set_account(tx: &mut Tx<'_>, id: ConnectionId, account: &str) -> Result<()> {
    let statement = sql!(
        "update connection set account = $2 where id = $1
            and not exists (select 1 from connection o
                             where o.principal_id = connection.principal_id and o.provider = connection.provider
                               and o.account = $2 and o.id <> $1)"
    );
    match tx.execute(statement, &args![id, account]).await? {
        0 => Err(Error::Conflict("this is connected already".into())),
        _ => Ok(()),
    }
}

/// Whether somebody else is connected to the same account, and so lives by the same grant.
pub async fn is_shared(tx: &mut Tx<'_>, id: ConnectionId) -> Result<bool> {
    let statement = sql!(
        "select count(*) from connection c join connection o on o.provider = c.provider and o.account = c.account
          where c.id = $1 and o.id <> c.id"
    );
    let others = tx.one(statement, &args![id], |row| row.int(0)).await?;
    Ok(others.unwrap_or(0) > 0)
}

/// It works again: all trouble is forgotten, and its links run at once.
pub async fn revive(tx: &mut Tx<'_>, id: ConnectionId) -> Result<()> {
    let statement = sql!(
        "update connection set health = 'ok', reason = '', told = 0, failures = 0, not_before = 0 where id = $1"
    );
    tx.execute(statement, &args![id]).await?;
    let due = sql!("update link set next_sync = 0 where connection_id = $1");
    tx.execute(due, &args![id]).await.map(drop)
}

/// Tries those again whose trouble was the operator's: the settings may be others by now.
pub async fn retry_operators(tx: &mut Tx<'_>) -> Result<u64> {
    let statement = sql!(
        "update connection set health = 'ok', told = 0, failures = 0, not_before = 0 where health = 'operator'"
    );
    tx.execute(statement, &[]).await
}

/// How many there are of each provider in each state of health: (provider, health, count).
pub async fn census(tx: &mut Tx<'_>) -> Result<Vec<(String, Health, i64)>> {
    let statement = sql!(
        "select provider, health, count(*) from connection group by provider, health order by provider, health"
    );
    tx.all(statement, &[], |row| {
        Ok((
            row.text(0)?.to_string(),
            word(row.text(1)?, Health::parse)?,
            row.int(2)?,
        ))
    })
    .await
}

/// Notes trouble, or its end. Its owner is to be told of a new kind of it.
pub async fn set_health(
    tx: &mut Tx<'_>,
    id: ConnectionId,
    health: Health,
    reason: &str,
) -> Result<()> {
    let statement = sql!(
        "update connection set told = case when health = $2 then told else 0 end, health = $2, reason = $3,
                failures = case when $2 = 'ok' then 0 else failures end,
                not_before = case when $2 = 'ok' then 0 else not_before end
          where id = $1"
    );
    tx.execute(statement, &args![id, health.as_str(), reason])
        .await
        .map(drop)
}

/// Connections in trouble whose owners were not told yet.
pub async fn untold(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<Connection>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from connection c where c.health <> 'ok' and c.told = 0 order by c.id limit $1"
    );
    tx.all(statement, &args![limit], connection).await
}

pub async fn told(tx: &mut Tx<'_>, id: ConnectionId) -> Result<()> {
    tx.execute(
        sql!("update connection set told = 1 where id = $1"),
        &args![id],
    )
    .await
    .map(drop)
}

/// A run went well.
pub async fn succeeded(tx: &mut Tx<'_>, id: ConnectionId, now: i64) -> Result<()> {
    let statement = sql!(
        "update connection set last_success = $2, failures = 0, not_before = 0,
                reason = case when health = 'ok' then '' else reason end where id = $1"
    );
    tx.execute(statement, &args![id, now]).await.map(drop)
}

/// A run failed: nothing is tried before `not_before`. How many failed in a row.
pub async fn failed(
    tx: &mut Tx<'_>,
    id: ConnectionId,
    reason: &str,
    not_before: i64,
) -> Result<i64> {
    let statement = sql!(
        "update connection set failures = failures + 1, reason = $2, not_before = $3 where id = $1 returning failures"
    );
    let failures = tx
        .one(statement, &args![id, reason, not_before], |row| row.int(0))
        .await?;
    Ok(failures.unwrap_or(0))
}

/// The provider asked for patience; that is no failure.
pub async fn hold_back(tx: &mut Tx<'_>, id: ConnectionId, until: i64) -> Result<()> {
    let statement = sql!("update connection set not_before = $2 where id = $1 and not_before < $2");
    tx.execute(statement, &args![id, until]).await.map(drop)
}

/// When its calendars were last listed.
pub async fn listed(tx: &mut Tx<'_>, id: ConnectionId) -> Result<Option<i64>> {
    let statement = sql!("select coalesce(listed, 0) from connection where id = $1");
    Ok(tx
        .one(statement, &args![id], |row| row.int(0))
        .await?
        .filter(|at| *at > 0))
}

/// Leases the healthy connection that has been due longest, until `until`; its fence.
pub async fn claim(tx: &mut Tx<'_>, now: i64, until: i64) -> Result<Option<(Connection, i64)>> {
    let statement = sql!(
        "update connection set lease = $2, fence = fence + 1
          where id = (select d.id from link l join connection d on d.id = l.connection_id
                       where l.next_sync <= $1 and l.state <> 'paused'
                         and d.health = 'ok' and d.not_before <= $1 and d.lease <= $1
                       order by l.next_sync, l.id limit 1)
            and lease <= $1
          returning id, fence"
    );
    leased(tx, statement, &args![now, until]).await
}

async fn leased(
    tx: &mut Tx<'_>,
    statement: Sql<'_>,
    values: &[Arg<'_>],
) -> Result<Option<(Connection, i64)>> {
    let read = |row: &Row<'_>| Ok((ConnectionId(row.int(0)?), row.int(1)?));
    let Some((id, fence)) = tx.one(statement, values, read).await? else {
        return Ok(None);
    };
    Ok(get(tx, id).await?.map(|connection| (connection, fence)))
}

/// Leases this connection, whatever is due and however it is; none: somebody else has it.
pub async fn claim_one(
    tx: &mut Tx<'_>,
    id: ConnectionId,
    now: i64,
    until: i64,
) -> Result<Option<(Connection, i64)>> {
    let statement = sql!(
        "update connection set lease = $3, fence = fence + 1 where id = $1 and lease <= $2 returning id, fence"
    );
    leased(tx, statement, &args![id, now, until]).await
}

/// When [`claim`] finds something next.
pub async fn next_due(tx: &mut Tx<'_>) -> Result<Option<i64>> {
    let statement = sql!(
        "select case when c.lease > l.next_sync and c.lease >= c.not_before then c.lease
                     when c.not_before > l.next_sync then c.not_before else l.next_sync end as due
           from link l join connection c on c.id = l.connection_id
          where l.state <> 'paused' and c.health = 'ok' order by 1 limit 1"
    );
    tx.one(statement, &[], |row| row.int(0)).await
}

/// Gives the lease back.
pub async fn release(tx: &mut Tx<'_>, id: ConnectionId, fence: i64) -> Result<()> {
    tx.execute(
        sql!("update connection set lease = 0 where id = $1 and fence = $2"),
        &args![id, fence],
    )
    .await
    .map(drop)
}

/// Makes the lease longer; false: it is somebody else's by now. Locks the connection for this transaction.
pub async fn holds(tx: &mut Tx<'_>, id: ConnectionId, fence: i64, until: i64) -> Result<bool> {
    let statement = sql!("update connection set lease = $3 where id = $1 and fence = $2");
    Ok(tx.execute(statement, &args![id, fence, until]).await? > 0)
}

/// Takes it away, with everything that belongs to it.
pub async fn remove(tx: &mut Tx<'_>, id: ConnectionId) -> Result<bool> {
    Ok(tx
        .execute(sql!("delete from connection where id = $1"), &args![id])
        .await?
        > 0)
}

/// Sealed secrets of everybody, by id, from after `after`: (id, secret, number of its last change).
pub async fn secrets(
    tx: &mut Tx<'_>,
    after: i64,
    limit: i64,
) -> Result<Vec<(ConnectionId, Vec<u8>, i64)>> {
    let statement =
        sql!("select id, secret, secret_seq from connection where id > $1 order by id limit $2");
    tx.all(statement, &args![after, limit], |row| {
        Ok((
            ConnectionId(row.int(0)?),
            row.bytes(1)?.to_vec(),
            row.int(2)?,
        ))
    })
    .await
}

/// Connections that work and whose calendars were listed before `before`, or never.
pub async fn unlisted(tx: &mut Tx<'_>, before: i64, limit: i64) -> Result<Vec<Connection>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from connection c where c.health = 'ok' and coalesce(c.listed, 0) < $1 order by c.listed, c.id limit $2"
    );
    tx.all(statement, &args![before, limit], connection).await
}

/// Who gets `true` lists its calendars now, and nobody else does.
pub async fn claim_listing(
    tx: &mut Tx<'_>,
    id: ConnectionId,
    before: i64,
    now: i64,
) -> Result<bool> {
    let statement =
        sql!("update connection set listed = $3 where id = $1 and coalesce(listed, 0) < $2");
    Ok(tx.execute(statement, &args![id, before, now]).await? > 0)
}

/// How many connections are not well, how many events wait and how many are parked, of everybody.
pub async fn totals(tx: &mut Tx<'_>) -> Result<Totals> {
    let connections =
        sql!("select count(*), count(case when health <> 'ok' then 1 end) from connection");
    let units = sql!(
        "select count(case when dirty > 0 and parked = '' then 1 end), count(case when parked <> '' then 1 end)
           from unit where dirty > 0 or parked <> ''"
    );
    let pair = |row: &Row<'_>| Ok((row.int(0)?, row.int(1)?));
    let (connections, troubled) = tx.one(connections, &[], pair).await?.unwrap_or_default();
    let (waiting, parked) = tx.one(units, &[], pair).await?.unwrap_or_default();
    Ok(Totals {
        connections,
        troubled,
        waiting,
        parked,
    })
}

/// Numbers over everybody's bridges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub connections: i64,
    pub troubled: i64,
    pub waiting: i64,
    pub parked: i64,
}

/// When the link was due that has been due longest, not counting those that were poked a moment ago.
pub async fn longest_due(tx: &mut Tx<'_>) -> Result<Option<i64>> {
    let statement = sql!(
        "select l.next_sync from link l join connection c on c.id = l.connection_id
          where l.state in ('active', 'ending') and c.health = 'ok' and l.next_sync > 0
          order by l.next_sync limit 1"
    );
    tx.one(statement, &[], |row| row.int(0)).await
}
