//! Secret addresses over calendars: a hash to find them by, and the secret sealed, so that its owner can see it again.

use super::calendars;
use super::sql::{Row, Tx, args, sql};
use crate::model::{Bound, CalendarId, Error, FeedId, PrincipalId, Result};

/// A feed to be made.
#[derive(Clone)]
pub struct NewFeed {
    pub principal: PrincipalId,
    /// SHA-256 of the secret, in hex.
    pub token_hash: String,
    pub token_sealed: Vec<u8>,
    /// `full`, `titles` or `busy`.
    pub privacy: String,
    pub comment: String,
    pub past_days: Option<i64>,
    pub future_days: Option<i64>,
    pub expires: Option<i64>,
    pub calendars: Vec<CalendarId>,
}

#[derive(Clone)]
pub struct Feed {
    pub id: FeedId,
    pub principal: PrincipalId,
    /// Whose it is, as in addresses.
    pub principal_name: String,
    pub token_sealed: Vec<u8>,
    pub privacy: String,
    pub comment: String,
    pub past_days: Option<i64>,
    pub future_days: Option<i64>,
    pub expires: Option<i64>,
    pub revoked: Option<i64>,
    pub last_fetch: Option<i64>,
    pub last_agent: Option<String>,
    pub created: i64,
    /// Its owner was switched off.
    pub owner_disabled: bool,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Feed({}, {} of {})",
            self.id, self.privacy, self.principal_name
        )
    }
}

macro_rules! columns {
    () => {
        "f.id, f.principal_id, p.name, f.token_sealed, f.privacy, f.comment, f.past_days, f.future_days, f.expires,
         f.revoked, f.last_fetch, f.last_agent, f.created, p.disabled"
    };
}

fn feed(row: &Row<'_>) -> Result<Feed> {
    Ok(Feed {
        id: FeedId(row.int(0)?),
        principal: PrincipalId(row.int(1)?),
        principal_name: row.text(2)?.to_string(),
        token_sealed: row.bytes(3)?.to_vec(),
        privacy: row.text(4)?.to_string(),
        comment: row.text(5)?.to_string(),
        past_days: row.opt_int(6)?,
        future_days: row.opt_int(7)?,
        expires: row.opt_int(8)?,
        revoked: row.opt_int(9)?,
        last_fetch: row.opt_int(10)?,
        last_agent: row.opt_text(11)?.map(String::from),
        created: row.int(12)?,
        owner_disabled: row.opt_int(13)?.is_some(),
    })
}

pub async fn create(tx: &mut Tx<'_>, new: &NewFeed, now: i64) -> Result<FeedId> {
    let statement = sql!(
        "insert into feed (principal_id, token_hash, token_sealed, privacy, comment, past_days, future_days, expires, created)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id"
    );
    let values = args![
        new.principal,
        &new.token_hash,
        new.token_sealed.as_slice(),
        &new.privacy,
        &new.comment,
        new.past_days,
        new.future_days,
        new.expires,
        now,
    ];
    let id = tx
        .one(statement, &values, |row| Ok(FeedId(row.int(0)?)))
        .await?;
    let id = id.ok_or_else(|| Error::Internal("the feed was not stored".into()))?;
    let calendar = sql!(
        "insert into feed_calendar (feed_id, calendar_id) values ($1, $2) on conflict do nothing"
    );
    tx.execute_many(calendar, new.calendars.iter().map(|c| args![id, *c]))
        .await?;
    Ok(id)
}

/// The feed with this secret, revoked and expired ones too.
pub async fn by_hash(tx: &mut Tx<'_>, hash: &str) -> Result<Option<Feed>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from feed f join principal p on p.id = f.principal_id where f.token_hash = $1"
    );
    tx.one(statement, &args![hash], feed).await
}

/// Somebody's feeds, oldest first, revoked ones too.
pub async fn list(tx: &mut Tx<'_>, principal: PrincipalId) -> Result<Vec<Feed>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from feed f join principal p on p.id = f.principal_id
          where f.principal_id = $1 order by f.id"
    );
    tx.all(statement, &args![principal], feed).await
}

/// The calendars of a feed that its owner may still see something of, by id.
pub async fn calendars(tx: &mut Tx<'_>, feed: &Feed) -> Result<Vec<Bound>> {
    let mut found = calendars::of_feed(tx, feed.principal, feed.id).await?;
    found.retain(|bound| bound.privileges != crate::model::Privileges::NONE);
    Ok(found)
}

/// Revokes a feed of `principal`. False: there is no such one in force.
pub async fn revoke(tx: &mut Tx<'_>, id: FeedId, principal: PrincipalId, now: i64) -> Result<bool> {
    let statement = sql!(
        "update feed set revoked = $3 where id = $1 and principal_id = $2 and revoked is null"
    );
    Ok(tx.execute(statement, &args![id, principal, now]).await? > 0)
}

/// Notes who fetched it last.
pub async fn fetched(tx: &mut Tx<'_>, id: FeedId, agent: &str, now: i64) -> Result<()> {
    tx.execute(
        sql!("update feed set last_fetch = $2, last_agent = $3 where id = $1"),
        &args![id, now, agent],
    )
    .await
    .map(drop)
}

/// Gives a feed's secret another seal (`keys rotate`).
pub async fn reseal(tx: &mut Tx<'_>, id: FeedId, sealed: &[u8]) -> Result<()> {
    tx.execute(
        sql!("update feed set token_sealed = $2 where id = $1"),
        &args![id, sealed],
    )
    .await
    .map(drop)
}

/// Feeds of everybody, by id, from after `after`.
pub async fn page(tx: &mut Tx<'_>, after: i64, limit: i64) -> Result<Vec<Feed>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from feed f join principal p on p.id = f.principal_id
          where f.id > $1 order by f.id limit $2"
    );
    tx.all(statement, &args![after, limit], feed).await
}
