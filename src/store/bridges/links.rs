//! Links: a local calendar kept in step with a remote one, and how far its runs have come.

use super::word;
use crate::model::bridge::{ConflictPolicy, Direction, GuestPolicy, Link, LinkState, Privacy};
use crate::model::{
    CalendarId, ConnectionId, Error, LinkId, PrincipalId, RemoteCalendarId, Result,
};
use crate::store::sql::{Row, Tx, args, sql};

/// A link to be made.
#[derive(Clone, Debug)]
pub struct NewLink {
    pub calendar: CalendarId,
    pub remote: RemoteCalendarId,
    pub connection: ConnectionId,
    pub settings: Settings,
}

/// What its owner may change of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub direction: Direction,
    pub privacy: Privacy,
    pub title_template: String,
    pub description_template: String,
    pub auto_create: bool,
    pub auto_update: bool,
    pub conflict: ConflictPolicy,
    pub guests: GuestPolicy,
    /// Seconds between two polls.
    pub interval: i64,
}

impl Settings {
    pub fn of(link: &Link) -> Settings {
        Settings {
            direction: link.direction,
            privacy: link.privacy,
            title_template: link.title_template.clone(),
            description_template: link.description_template.clone(),
            auto_create: link.auto_create,
            auto_update: link.auto_update,
            conflict: link.conflict,
            guests: link.guests,
            interval: link.interval,
        }
    }

    /// Whether events look different there, or other ones are wanted, than with `before`.
    fn says_otherwise(&self, before: &Settings) -> bool {
        Settings {
            conflict: before.conflict,
            interval: before.interval,
            ..self.clone()
        } != *before
    }
}

/// How far a listing has come; what [`Link`] does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Where a listing that spans runs goes on.
    pub page: Option<Vec<u8>>,
    /// It names everything: what it does not name is gone.
    pub listing: bool,
    /// Counts full listings.
    pub listing_no: i64,
    /// The owner said yes to what the breaker asked.
    pub approved: bool,
    /// When theirs are to be asked for.
    pub poll_at: i64,
}

macro_rules! columns {
    () => {
        "l.id, l.calendar_id, l.remote_calendar_id, l.connection_id, l.direction, l.privacy, l.title_template,
         l.description_template, l.auto_create, l.auto_update, l.conflict, l.guests, l.poll_interval, l.state, l.reason,
         l.cursor, l.local_seq, l.last_sync, l.next_sync, l.poked, l.created"
    };
}

fn link(row: &Row<'_>) -> Result<Link> {
    Ok(Link {
        id: LinkId(row.int(0)?),
        calendar: CalendarId(row.int(1)?),
        remote: RemoteCalendarId(row.int(2)?),
        connection: ConnectionId(row.int(3)?),
        direction: word(row.text(4)?, Direction::parse)?,
        privacy: word(row.text(5)?, Privacy::parse)?,
        title_template: row.text(6)?.to_string(),
        description_template: row.text(7)?.to_string(),
        auto_create: row.flag(8)?,
        auto_update: row.flag(9)?,
        conflict: word(row.text(10)?, ConflictPolicy::parse)?,
        guests: word(row.text(11)?, GuestPolicy::parse)?,
        interval: row.int(12)?,
        state: word(row.text(13)?, LinkState::parse)?,
        reason: row.text(14)?.to_string(),
        cursor: row.opt_bytes(15)?.map(<[u8]>::to_vec),
        local_seq: row.int(16)?,
        last_sync: row.opt_int(17)?,
        next_sync: row.int(18)?,
        poked: row.opt_int(19)?,
        created: row.int(20)?,
    })
}

/// Makes a link; it is due at once.
///
/// # Errors
/// `Conflict` when the two calendars are linked already.
pub async fn create(tx: &mut Tx<'_>, new: &NewLink, now: i64) -> Result<LinkId> {
    let statement = sql!(
        "insert into link (calendar_id, remote_calendar_id, connection_id, direction, privacy, title_template,
                           description_template, auto_create, auto_update, conflict, guests, poll_interval, created)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) on conflict do nothing returning id"
    );
    let s = &new.settings;
    let values = args![
        new.calendar,
        new.remote,
        new.connection,
        s.direction.as_str(),
        s.privacy.as_str(),
        &s.title_template,
        &s.description_template,
        s.auto_create,
        s.auto_update,
        s.conflict.as_str(),
        s.guests.as_str(),
        s.interval,
        now
    ];
    tx.one(statement, &values, |row| Ok(LinkId(row.int(0)?)))
        .await?
        .ok_or_else(|| Error::Conflict("these two calendars are linked already".into()))
}

pub async fn get(tx: &mut Tx<'_>, id: LinkId) -> Result<Option<Link>> {
    let statement = sql!("select ", columns!(), " from link l where l.id = $1");
    tx.one(statement, &args![id], link).await
}

pub async fn of_calendar(tx: &mut Tx<'_>, calendar: CalendarId) -> Result<Vec<Link>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from link l where l.calendar_id = $1 order by l.id"
    );
    tx.all(statement, &args![calendar], link).await
}

pub async fn of_connection(tx: &mut Tx<'_>, connection: ConnectionId) -> Result<Vec<Link>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from link l where l.connection_id = $1 order by l.id"
    );
    tx.all(statement, &args![connection], link).await
}

/// The links of somebody's connections, oldest first.
pub async fn of_owner(tx: &mut Tx<'_>, owner: PrincipalId) -> Result<Vec<Link>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from link l join connection c on c.id = l.connection_id where c.principal_id = $1 order by l.id"
    );
    tx.all(statement, &args![owner], link).await
}

/// The links of a connection that are due.
pub async fn due(tx: &mut Tx<'_>, connection: ConnectionId, now: i64) -> Result<Vec<Link>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from link l where l.connection_id = $1 and l.next_sync <= $2 and l.state <> 'paused'
          order by l.next_sync, l.id"
    );
    tx.all(statement, &args![connection, now], link).await
}

/// The calendars that have a link: those whose changes somebody waits for.
pub async fn calendars(tx: &mut Tx<'_>) -> Result<Vec<CalendarId>> {
    tx.all(
        sql!("select distinct calendar_id from link order by 1"),
        &[],
        |row| Ok(CalendarId(row.int(0)?)),
    )
    .await
}

/// Changes the settings. Events that are told otherwise from now on are told anew; a new direction reads everything.
pub async fn update(tx: &mut Tx<'_>, id: LinkId, settings: &Settings) -> Result<bool> {
    let Some(before) = get(tx, id).await? else {
        return Ok(false);
    };
    let old = Settings::of(&before);
    let statement = sql!(
        "update link set direction = $2, privacy = $3, title_template = $4, description_template = $5, auto_create = $6,
                auto_update = $7, conflict = $8, guests = $9, poll_interval = $10, poll_at = 0, next_sync = 0
          where id = $1"
    );
    let s = settings;
    let values = args![
        id,
        s.direction.as_str(),
        s.privacy.as_str(),
        &s.title_template,
        &s.description_template,
        s.auto_create,
        s.auto_update,
        s.conflict.as_str(),
        s.guests.as_str(),
        s.interval
    ];
    tx.execute(statement, &values).await?;
    if settings.says_otherwise(&old) {
        super::units::say_again(tx, id).await?;
    }
    if settings.direction != old.direction {
        relist(tx, id).await?;
    }
    Ok(true)
}

/// Forgets how far both sides were read: the next run reads everything again.
pub async fn relist(tx: &mut Tx<'_>, id: LinkId) -> Result<()> {
    let statement = sql!(
        "update link set cursor = null, page = null, listing = 0, local_seq = 0 where id = $1"
    );
    tx.execute(statement, &args![id]).await.map(drop)
}

/// A link that is no longer paused is due at once.
pub async fn set_state(
    tx: &mut Tx<'_>,
    id: LinkId,
    state: LinkState,
    reason: &str,
) -> Result<bool> {
    let statement = sql!(
        "update link set next_sync = case when state = 'paused' then 0 else next_sync end,
                poll_at = case when state = 'paused' then 0 else poll_at end, state = $2, reason = $3
          where id = $1"
    );
    Ok(tx
        .execute(statement, &args![id, state.as_str(), reason])
        .await?
        > 0)
}

/// The reason alone, in words for its owner.
pub async fn set_reason(tx: &mut Tx<'_>, id: LinkId, reason: &str) -> Result<()> {
    tx.execute(
        sql!("update link set reason = $2 where id = $1"),
        &args![id, reason],
    )
    .await
    .map(drop)
}

/// Makes it due at once: a webhook, *sync now*.
pub async fn poke(tx: &mut Tx<'_>, id: LinkId, now: i64) -> Result<bool> {
    let statement = sql!("update link set poked = $2, poll_at = 0, next_sync = 0 where id = $1");
    Ok(tx.execute(statement, &args![id, now]).await? > 0)
}

/// Something was changed in a calendar: its links that send changes are due at once, but not the one that wrote it.
pub async fn nudge(tx: &mut Tx<'_>, calendar: CalendarId, writer: Option<LinkId>) -> Result<u64> {
    let statement = sql!(
        "update link set nudged = 1, next_sync = 0
          where calendar_id = $1 and id <> $2 and direction <> 'pull' and auto_update = 1 and nudged = 0"
    );
    let writer = writer.map_or(0, |link| link.0);
    tx.execute(statement, &args![calendar, writer]).await
}

/// The owner says yes to what the breaker asked, once.
pub async fn approve(tx: &mut Tx<'_>, id: LinkId, now: i64) -> Result<bool> {
    let statement = sql!(
        "update link set approved = 1, state = 'active', reason = '', poked = $2, poll_at = 0, next_sync = 0
          where id = $1 and state = 'asking'"
    );
    Ok(tx.execute(statement, &args![id, now]).await? > 0)
}

pub async fn progress(tx: &mut Tx<'_>, id: LinkId) -> Result<Option<Progress>> {
    let statement =
        sql!("select page, listing, listing_no, approved, poll_at from link where id = $1");
    tx.one(statement, &args![id], |row| {
        Ok(Progress {
            page: row.opt_bytes(0)?.map(<[u8]>::to_vec),
            listing: row.flag(1)?,
            listing_no: row.int(2)?,
            approved: row.flag(3)?,
            poll_at: row.int(4)?,
        })
    })
    .await
}

/// Begins a listing of everything; its number.
pub async fn begin_listing(tx: &mut Tx<'_>, id: LinkId) -> Result<i64> {
    let statement = sql!(
        "update link set cursor = null, page = null, listing = 1, listing_no = listing_no + 1 where id = $1
         returning listing_no"
    );
    tx.one(statement, &args![id], super::count)
        .await?
        .ok_or(Error::NotFound)
}

/// Saves where the listing goes on.
pub async fn save_page(tx: &mut Tx<'_>, id: LinkId, page: &[u8]) -> Result<()> {
    tx.execute(
        sql!("update link set page = $2 where id = $1"),
        &args![id, page],
    )
    .await
    .map(drop)
}

/// The listing is at its end: the cursor stands for everything that was saved with it.
pub async fn save_cursor(tx: &mut Tx<'_>, id: LinkId, cursor: Option<&[u8]>) -> Result<()> {
    tx.execute(
        sql!("update link set cursor = $2, page = null, listing = 0 where id = $1"),
        &args![id, cursor],
    )
    .await
    .map(drop)
}

/// Up to where changes of ours were taken in.
pub async fn set_local_seq(tx: &mut Tx<'_>, id: LinkId, seq: i64) -> Result<()> {
    tx.execute(
        sql!("update link set local_seq = $2 where id = $1"),
        &args![id, seq],
    )
    .await
    .map(drop)
}

/// A run begins: pokes from now on are for the next one.
pub async fn began(tx: &mut Tx<'_>, id: LinkId) -> Result<()> {
    tx.execute(
        sql!("update link set poked = null, nudged = 0 where id = $1"),
        &args![id],
    )
    .await
    .map(drop)
}

/// How a run of a link ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finish {
    /// When theirs are asked for again; none: as before.
    pub poll_at: Option<i64>,
    /// When something is tried again before that.
    pub retry_at: Option<i64>,
    /// It did all there was to do, so that what was approved is used up.
    pub well: bool,
}

/// A run is over; the next one is at once when the link was poked meanwhile.
pub async fn finish(tx: &mut Tx<'_>, id: LinkId, how: Finish, now: i64) -> Result<()> {
    if let Some(at) = how.poll_at {
        let statement = sql!("update link set poll_at = $2 where id = $1 and poked is null");
        tx.execute(statement, &args![id, at]).await?;
    }
    let statement = sql!(
        "update link set next_sync = case when poked is not null or nudged = 1 then 0
                                          when poll_at < $2 then poll_at else $2 end,
                last_sync = case when $4 = 1 then $3 else last_sync end,
                approved = case when $4 = 1 then 0 else approved end
          where id = $1"
    );
    let retry = how.retry_at.unwrap_or(i64::MAX);
    tx.execute(statement, &args![id, retry, now, i64::from(how.well)])
        .await
        .map(drop)
}

/// Takes it away with everything that belongs to it. Its watches stay, to be stopped at the provider.
pub async fn remove(tx: &mut Tx<'_>, id: LinkId) -> Result<bool> {
    tx.execute(
        sql!("update watch set link_id = null, state = 'old' where link_id = $1"),
        &args![id],
    )
    .await?;
    Ok(tx
        .execute(sql!("delete from link where id = $1"), &args![id])
        .await?
        > 0)
}

/// Links that run and whose webhook is to be made or renewed by `now`.
pub async fn unwatched(tx: &mut Tx<'_>, now: i64, limit: i64) -> Result<Vec<Link>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from link l join connection c on c.id = l.connection_id
          where l.watch_at <= $1 and l.state in ('active', 'asking') and c.health = 'ok'
          order by l.watch_at, l.id limit $2"
    );
    tx.all(statement, &args![now, limit], link).await
}

/// Who gets `true` looks after the webhook of this link, and nobody else does until `until`.
pub async fn claim_watch(tx: &mut Tx<'_>, id: LinkId, now: i64, until: i64) -> Result<bool> {
    let statement = sql!("update link set watch_at = $3 where id = $1 and watch_at <= $2");
    Ok(tx.execute(statement, &args![id, now, until]).await? > 0)
}

/// When its webhook is to be looked after next.
pub async fn set_watch_at(tx: &mut Tx<'_>, id: LinkId, at: i64) -> Result<()> {
    tx.execute(
        sql!("update link set watch_at = $2 where id = $1"),
        &args![id, at],
    )
    .await
    .map(drop)
}
