//! The mapping: one event of a link, here and there, and what both sides last agreed on. Rows with `dirty > 0` are the
//! durable queue.

use crate::model::{CalendarId, LinkId, Result};
use crate::store::sql::{Row, Tx, args, sql};

/// One event of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    pub uid: String,
    /// Of the local object; empty: none here.
    pub name: String,
    /// Of the master there; empty: none there.
    pub remote_id: String,
    /// Counts creations there.
    pub generation: i64,
    /// Of `base_ours`.
    pub ours_etag: String,
    /// Our text at the last agreement.
    pub base_ours: Option<Vec<u8>>,
    /// The reading of theirs at the last agreement.
    pub base_theirs: Option<Vec<u8>>,
    /// Canonical digest of `base_theirs`.
    pub theirs_hash: String,
    /// The fidelity ledger, JSON.
    pub losses: String,
    /// A session's own choice; none: as the link says.
    pub wanted: Option<bool>,
    /// Undone: stays as it is until either side changes.
    pub held: bool,
    /// Counts marks since it was last settled.
    pub dirty: i64,
    pub attempts: i64,
    pub retry_at: i64,
    /// Why it is not tried any more, a stable word; empty: it is.
    pub parked: String,
    pub reason: String,
    pub settled: Option<i64>,
    /// When a change of theirs last came in.
    pub received: i64,
}

macro_rules! columns {
    () => {
        "u.uid, u.name, u.remote_id, u.generation, u.ours_etag, u.base_ours, u.base_theirs, u.theirs_hash, u.losses,
         u.wanted, u.held, u.dirty, u.attempts, u.retry_at, u.parked, u.reason, u.settled, u.received"
    };
}

fn unit(row: &Row<'_>) -> Result<Unit> {
    Ok(Unit {
        uid: row.text(0)?.to_string(),
        name: row.text(1)?.to_string(),
        remote_id: row.text(2)?.to_string(),
        generation: row.int(3)?,
        ours_etag: row.text(4)?.to_string(),
        base_ours: row.opt_bytes(5)?.map(<[u8]>::to_vec),
        base_theirs: row.opt_bytes(6)?.map(<[u8]>::to_vec),
        theirs_hash: row.text(7)?.to_string(),
        losses: row.text(8)?.to_string(),
        wanted: wanted(row.int(9)?),
        held: row.flag(10)?,
        dirty: row.int(11)?,
        attempts: row.int(12)?,
        retry_at: row.int(13)?,
        parked: row.text(14)?.to_string(),
        reason: row.text(15)?.to_string(),
        settled: row.opt_int(16)?,
        received: row.int(17)?,
    })
}

pub async fn get(tx: &mut Tx<'_>, link: LinkId, uid: &str) -> Result<Option<Unit>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from unit u where u.link_id = $1 and u.uid = $2"
    );
    tx.one(statement, &args![link, uid], unit).await
}

/// The unit of a remote event, by the id of its master.
pub async fn by_remote(tx: &mut Tx<'_>, link: LinkId, remote_id: &str) -> Result<Option<Unit>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from unit u where u.link_id = $1 and u.remote_id = $2 and u.remote_id <> ''"
    );
    tx.one(statement, &args![link, remote_id], unit).await
}

/// The queue: what is to be settled by `now`, in the order of UIDs from after `after`.
pub async fn queue(
    tx: &mut Tx<'_>,
    link: LinkId,
    now: i64,
    after: &str,
    limit: i64,
) -> Result<Vec<Unit>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from unit u where u.link_id = $1 and u.dirty > 0 and u.parked = '' and u.retry_at <= $2 and u.uid > $3
          order by u.uid limit $4"
    );
    tx.all(statement, &args![link, now, after, limit], unit)
        .await
}

/// What waits or is parked, for people: without the texts. Parked ones first. (A plain `null` would be text to
/// PostgreSQL.)
pub async fn waiting(tx: &mut Tx<'_>, link: LinkId, limit: i64) -> Result<Vec<Unit>> {
    let statement = sql!(
        "select u.uid, u.name, u.remote_id, u.generation, u.ours_etag, case when 1 = 0 then u.base_ours end,
                case when 1 = 0 then u.base_theirs end, u.theirs_hash, u.losses, u.wanted, u.held,
                u.dirty, u.attempts, u.retry_at, u.parked, u.reason, u.settled, u.received
           from unit u where u.link_id = $1 and u.dirty > 0
          order by case when u.parked = '' then 1 else 0 end, u.uid limit $2"
    );
    tx.all(statement, &args![link, limit], unit).await
}

/// Units of events that are there, in the order of UIDs from after `after`.
pub async fn mapped(tx: &mut Tx<'_>, link: LinkId, after: &str, limit: i64) -> Result<Vec<Unit>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from unit u where u.link_id = $1 and u.remote_id <> '' and u.uid > $2 order by u.uid limit $3"
    );
    tx.all(statement, &args![link, after, limit], unit).await
}

/// How many there are of a link's units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that are on both sides.
    pub mapped: i64,
    /// Waiting to be settled.
    pub waiting: i64,
    pub parked: i64,
}

pub async fn counts(tx: &mut Tx<'_>, link: LinkId) -> Result<Counts> {
    let statement = sql!(
        "select count(case when remote_id <> '' and name <> '' then 1 end),
                count(case when dirty > 0 and parked = '' then 1 end),
                count(case when parked <> '' then 1 end)
           from unit where link_id = $1"
    );
    let counts = tx
        .one(statement, &args![link], |row| {
            Ok(Counts {
                mapped: row.int(0)?,
                waiting: row.int(1)?,
                parked: row.int(2)?,
            })
        })
        .await?;
    Ok(counts.unwrap_or_default())
}

/// Marks units as changed here: (UID, name, tag). What has the tag that was agreed on is our own writing and is not
/// marked. Units that are not there are made if `make`. A name that another event had before marks that one, too.
pub async fn mark_ours(
    tx: &mut Tx<'_>,
    link: LinkId,
    changed: &[(String, String, String)],
    make: bool,
) -> Result<()> {
    let renamed = sql!("update unit set name = $3 where link_id = $1 and uid = $2 and name <> $3");
    let sets = changed.iter().map(|(uid, name, _)| args![link, uid, name]);
    tx.execute_many(renamed, sets).await?;
    let others = sql!(
        "update unit set dirty = dirty + 1, attempts = 0, retry_at = 0, parked = '', reason = ''
          where link_id = $1 and name = $3 and name <> '' and uid <> $2"
    );
    let sets = changed.iter().map(|(uid, name, _)| args![link, uid, name]);
    tx.execute_many(others, sets).await?;
    let known = sql!(
        "update unit set dirty = dirty + 1, attempts = 0, retry_at = 0, parked = '', reason = ''
          where link_id = $1 and uid = $2 and ours_etag <> $3"
    );
    let sets = changed.iter().map(|(uid, _, etag)| args![link, uid, etag]);
    tx.execute_many(known, sets).await?;
    if make {
        let new = sql!(
            "insert into unit (link_id, uid, name, dirty) values ($1, $2, $3, 1) on conflict (link_id, uid) do nothing"
        );
        let sets = changed.iter().map(|(uid, name, _)| args![link, uid, name]);
        tx.execute_many(new, sets).await?;
    }
    Ok(())
}

/// Marks agreed units whose local object is not there.
pub async fn mark_missing(tx: &mut Tx<'_>, link: LinkId, calendar: CalendarId) -> Result<()> {
    let statement = sql!(
        "update unit set dirty = dirty + 1, attempts = 0, retry_at = 0, parked = '', reason = ''
          where link_id = $1 and base_ours is not null
            and not exists (select 1 from object o where o.calendar_id = $2 and o.uid = unit.uid)"
    );
    tx.execute(statement, &args![link, calendar])
        .await
        .map(drop)
}

/// Marks settled units whose local object is another than what was agreed on, and those without one: what waits for
/// *sync now*. Undone ones are left alone.
pub async fn mark_unsaid(tx: &mut Tx<'_>, link: LinkId, calendar: CalendarId) -> Result<()> {
    let statement = sql!(
        "update unit set dirty = dirty + 1, attempts = 0, retry_at = 0, parked = '', reason = ''
          where link_id = $1 and dirty = 0 and held = 0 and base_ours is not null
            and not exists (select 1 from object o
                             where o.calendar_id = $2 and o.uid = unit.uid and o.etag = unit.ours_etag)"
    );
    tx.execute(statement, &args![link, calendar])
        .await
        .map(drop)
}

/// Marks the units whose local object had one of these names: it is gone, or another event has it now.
pub async fn mark_names(tx: &mut Tx<'_>, link: LinkId, names: &[String]) -> Result<()> {
    let statement = sql!(
        "update unit set dirty = dirty + 1, attempts = 0, retry_at = 0, parked = '', reason = ''
          where link_id = $1 and name = $2 and name <> ''"
    );
    tx.execute_many(statement, names.iter().map(|name| args![link, name]))
        .await
}

/// Marks units as changed there: (UID, id of the master). Those that are not there are made.
pub async fn mark_theirs(
    tx: &mut Tx<'_>,
    link: LinkId,
    changed: &[(String, String)],
    now: i64,
) -> Result<()> {
    let statement = sql!(
        "insert into unit (link_id, uid, remote_id, dirty, received) values ($1, $2, $3, 1, $4)
         on conflict (link_id, uid) do update
            set remote_id = $3, dirty = unit.dirty + 1, attempts = 0, retry_at = 0, parked = '', reason = '',
                received = $4"
    );
    let sets = changed.iter().map(|(uid, id)| args![link, uid, id, now]);
    tx.execute_many(statement, sets).await
}

/// Marks one unit; false: there is none.
pub async fn mark(tx: &mut Tx<'_>, link: LinkId, uid: &str) -> Result<bool> {
    let statement = sql!(
        "update unit set dirty = dirty + 1, attempts = 0, retry_at = 0, parked = '', reason = ''
          where link_id = $1 and uid = $2"
    );
    Ok(tx.execute(statement, &args![link, uid]).await? > 0)
}

/// Every event is to be told anew: the link's settings say another thing now. Undone ones stay as they are.
pub async fn say_again(tx: &mut Tx<'_>, link: LinkId) -> Result<()> {
    let statement = sql!(
        "update unit set dirty = dirty + 1, ours_etag = '', attempts = 0, retry_at = 0, parked = '', reason = ''
          where link_id = $1 and held = 0"
    );
    tx.execute(statement, &args![link]).await.map(drop)
}

/// A session's own choice whether it goes there. Makes the unit when there is none.
pub async fn want(
    tx: &mut Tx<'_>,
    link: LinkId,
    uid: &str,
    name: &str,
    wanted: Option<bool>,
) -> Result<()> {
    let statement = sql!(
        "insert into unit (link_id, uid, name, wanted, dirty) values ($1, $2, $3, $4, 1)
         on conflict (link_id, uid) do update set wanted = $4, dirty = unit.dirty + 1, ours_etag = ''"
    );
    let wanted = wanted.map_or(-1, i64::from);
    tx.execute(statement, &args![link, uid, name, wanted])
        .await
        .map(drop)
}

/// What both sides agree on from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    pub uid: String,
    pub name: String,
    pub remote_id: String,
    pub generation: i64,
    pub ours_etag: String,
    pub base_ours: Option<Vec<u8>>,
    pub base_theirs: Option<Vec<u8>>,
    pub theirs_hash: String,
    pub losses: String,
    pub held: bool,
    /// The mark that this settles: with a newer one the unit stays in the queue. 0: it stays there in any case.
    pub dirty: i64,
}

/// Makes the unit when there is none, settled.
pub async fn ensure(tx: &mut Tx<'_>, link: LinkId, uid: &str) -> Result<()> {
    let statement = sql!(
        "insert into unit (link_id, uid) values ($1, $2) on conflict (link_id, uid) do nothing"
    );
    tx.execute(statement, &args![link, uid]).await.map(drop)
}

/// Whether something is to be settled by `now`.
pub async fn has_queue(tx: &mut Tx<'_>, link: LinkId, now: i64) -> Result<bool> {
    let statement = sql!(
        "select 1 from unit where link_id = $1 and dirty > 0 and parked = '' and retry_at <= $2 limit 1"
    );
    Ok(tx
        .one(statement, &args![link, now], super::count)
        .await?
        .is_some())
}

/// Records agreements.
pub async fn settle(tx: &mut Tx<'_>, link: LinkId, all: &[Settled], now: i64) -> Result<()> {
    let statement = sql!(
        "update unit set name = $3, remote_id = $4, generation = $5, ours_etag = $6, base_ours = $7, base_theirs = $8,
                theirs_hash = $9, losses = $10, held = $11, dirty = case when dirty = $12 then 0 else dirty end,
                attempts = 0, retry_at = 0, parked = '', reason = '', settled = $13
          where link_id = $1 and uid = $2"
    );
    let sets = all.iter().map(|s| {
        args![
            link,
            &s.uid,
            &s.name,
            &s.remote_id,
            s.generation,
            &s.ours_etag,
            s.base_ours.as_deref(),
            s.base_theirs.as_deref(),
            &s.theirs_hash,
            &s.losses,
            s.held,
            s.dirty,
            now
        ]
    });
    tx.execute_many(statement, sets).await
}

/// Forgets units that are gone on both sides: (UID, the mark that this settles). One that was marked again meanwhile
/// stays in the queue, without a base.
pub async fn forget(tx: &mut Tx<'_>, link: LinkId, all: &[(String, i64)]) -> Result<()> {
    let gone =
        sql!("delete from unit where link_id = $1 and uid = $2 and dirty = $3 and wanted = -1");
    tx.execute_many(
        gone,
        all.iter().map(|(uid, dirty)| args![link, uid, *dirty]),
    )
    .await?;
    let blank = sql!(
        "update unit set name = '', remote_id = '', ours_etag = '', base_ours = null, base_theirs = null,
                theirs_hash = '', losses = '[]', held = 0, dirty = case when dirty = $3 then 0 else dirty end
          where link_id = $1 and uid = $2"
    );
    tx.execute_many(
        blank,
        all.iter().map(|(uid, dirty)| args![link, uid, *dirty]),
    )
    .await
}

/// It is tried again at `retry_at`.
pub async fn postpone(
    tx: &mut Tx<'_>,
    link: LinkId,
    uid: &str,
    retry_at: i64,
    reason: &str,
) -> Result<()> {
    let statement = sql!(
        "update unit set attempts = attempts + 1, retry_at = $3, reason = $4 where link_id = $1 and uid = $2"
    );
    tx.execute(statement, &args![link, uid, retry_at, reason])
        .await
        .map(drop)
}

/// It is not tried any more until either side changes or somebody asks, unless it was marked since `dirty`.
pub async fn park(
    tx: &mut Tx<'_>,
    link: LinkId,
    uid: &str,
    dirty: i64,
    code: &str,
    reason: &str,
) -> Result<()> {
    let statement = sql!(
        "update unit set parked = $4, reason = $5 where link_id = $1 and uid = $2 and dirty = $3"
    );
    tx.execute(statement, &args![link, uid, dirty, code, reason])
        .await
        .map(drop)
}

/// The ids there of units, by UID: (UID, id of the master); of those that are not there, nothing.
pub async fn remote_ids(
    tx: &mut Tx<'_>,
    link: LinkId,
    uids: &[&str],
) -> Result<Vec<(String, String)>> {
    let statement = sql!("select uid, remote_id from unit where link_id = $1 and uid = $2");
    let mut found = Vec::new();
    tx.each_many(statement, uids.iter().map(|uid| args![link, *uid]), |row| {
        found.push((row.text(0)?.to_string(), row.text(1)?.to_string()));
        Ok(())
    })
    .await?;
    Ok(found)
}

/// UIDs of units that are not there as far as is known, from after `after`.
pub async fn unmapped(
    tx: &mut Tx<'_>,
    link: LinkId,
    after: &str,
    limit: i64,
) -> Result<Vec<String>> {
    let statement = sql!(
        "select uid from unit where link_id = $1 and remote_id = '' and uid > $2 order by uid limit $3"
    );
    tx.all(statement, &args![link, after, limit], |row| {
        Ok(row.text(0)?.to_string())
    })
    .await
}

/// It is there under this id after all.
pub async fn map(tx: &mut Tx<'_>, link: LinkId, uid: &str, remote_id: &str) -> Result<()> {
    let statement = sql!("update unit set remote_id = $3 where link_id = $1 and uid = $2");
    tx.execute(statement, &args![link, uid, remote_id])
        .await
        .map(drop)
}

/// A change of theirs came in.
pub async fn received(tx: &mut Tx<'_>, link: LinkId, uid: &str, now: i64) -> Result<()> {
    let statement = sql!("update unit set received = $3 where link_id = $1 and uid = $2");
    tx.execute(statement, &args![link, uid, now])
        .await
        .map(drop)
}

/// The next creation there is another one than those before.
pub async fn regenerate(tx: &mut Tx<'_>, link: LinkId, uid: &str) -> Result<()> {
    let statement = sql!(
        "update unit set generation = generation + 1, remote_id = '' where link_id = $1 and uid = $2"
    );
    tx.execute(statement, &args![link, uid]).await.map(drop)
}

/// When a unit that waits is to be tried again.
pub async fn next_retry(tx: &mut Tx<'_>, link: LinkId) -> Result<Option<i64>> {
    let statement = sql!(
        "select retry_at from unit where link_id = $1 and dirty > 0 and parked = '' order by retry_at limit 1"
    );
    tx.one(statement, &args![link], super::count).await
}

/// Events that the next steps may delete: those of the queue that are gone here, and those that are gone there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    pub here: i64,
    pub there: i64,
    /// Events that are on both sides as far as is known.
    pub mapped: i64,
}

pub async fn missing(
    tx: &mut Tx<'_>,
    link: LinkId,
    calendar: CalendarId,
    now: i64,
) -> Result<Missing> {
    let mapped = sql!(
        "select count(*) from unit u
          where u.link_id = $1 and u.base_ours is not null and u.base_theirs is not null"
    );
    let here = sql!(
        "select count(*) from unit u
          where u.link_id = $1 and u.dirty > 0 and u.parked = '' and u.retry_at <= $3
            and u.base_ours is not null and u.base_theirs is not null
            and not exists (select 1 from object o where o.calendar_id = $2 and o.uid = u.uid)
            and exists (select 1 from remote_item i where i.link_id = u.link_id and i.remote_id = u.remote_id)"
    );
    let there = sql!(
        "select count(*) from unit u
          where u.link_id = $1 and u.dirty > 0 and u.parked = '' and u.retry_at <= $3
            and u.base_ours is not null and u.base_theirs is not null
            and exists (select 1 from object o where o.calendar_id = $2 and o.uid = u.uid)
            and not exists (select 1 from remote_item i where i.link_id = u.link_id and i.remote_id = u.remote_id)"
    );
    let mut found = Missing::default();
    let count = super::count;
    found.mapped = tx.one(mapped, &args![link], count).await?.unwrap_or(0);
    let values = args![link, calendar, now];
    found.here = tx.one(here, &values, count).await?.unwrap_or(0);
    found.there = tx.one(there, &values, count).await?.unwrap_or(0);
    Ok(found)
}

/// Events of which the other side does not hold everything: (UID, the ledger as JSON), from after `after`.
pub async fn lossy(
    tx: &mut Tx<'_>,
    link: LinkId,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, String)>> {
    let statement = sql!(
        "select uid, losses from unit where link_id = $1 and losses <> '[]' and losses <> '' and uid > $2
          order by uid limit $3"
    );
    tx.all(statement, &args![link, after, limit], |row| {
        Ok((row.text(0)?.to_string(), row.text(1)?.to_string()))
    })
    .await
}

/// How an event stands, for who asks whether it has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// A session's own choice.
    pub wanted: Option<bool>,
    /// It is there.
    pub there: bool,
    /// Marked, and not settled yet.
    pub waits: bool,
    pub parked: bool,
    pub ours_etag: String,
}

/// How events stand, by UID; of those that the link does not know, nothing.
pub async fn standing(
    tx: &mut Tx<'_>,
    link: LinkId,
    uids: &[&str],
) -> Result<std::collections::HashMap<String, Standing>> {
    let statement = sql!(
        "select uid, wanted, remote_id, dirty, parked, ours_etag from unit where link_id = $1 and uid = $2"
    );
    let mut found = std::collections::HashMap::new();
    tx.each_many(statement, uids.iter().map(|uid| args![link, *uid]), |row| {
        let standing = Standing {
            wanted: wanted(row.int(1)?),
            there: !row.text(2)?.is_empty(),
            waits: row.int(3)? > 0,
            parked: !row.text(4)?.is_empty(),
            ours_etag: row.text(5)?.to_string(),
        };
        found.insert(row.text(0)?.to_string(), standing);
        Ok(())
    })
    .await?;
    Ok(found)
}

/// As it is stored: -1 as the link says.
fn wanted(number: i64) -> Option<bool> {
    match number {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}
