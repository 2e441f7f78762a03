//! The calendars of a connection, as its provider last listed them.

use crate::model::bridge::RemoteCalendar;
use crate::model::{ConnectionId, RemoteCalendarId, Result};
use crate::store::sql::{Row, Tx, args, sql};

macro_rules! columns {
    () => {
        "id, connection_id, remote_id, name, color, zone, writable, is_primary, gone, extra"
    };
}

fn calendar(row: &Row<'_>) -> Result<RemoteCalendar> {
    Ok(RemoteCalendar {
        id: RemoteCalendarId(row.int(0)?),
        connection: ConnectionId(row.int(1)?),
        remote_id: row.text(2)?.to_string(),
        name: row.text(3)?.to_string(),
        color: row.text(4)?.to_string(),
        zone: row.text(5)?.to_string(),
        writable: row.flag(6)?,
        primary: row.flag(7)?,
        gone: row.flag(8)?,
        extra: row.text(9)?.to_string(),
    })
}

/// Takes in a whole listing: new ones are added, known ones renewed (`extra` stays unless the listing says one), and
/// those that it does not name are gone. `id`, `connection` and `gone` of `listing` are not looked at.
pub async fn merge_listing(
    tx: &mut Tx<'_>,
    connection: ConnectionId,
    listing: &[RemoteCalendar],
    now: i64,
) -> Result<()> {
    tx.execute(
        sql!("update remote_calendar set gone = 1 where connection_id = $1"),
        &args![connection],
    )
    .await?;
    let statement = sql!(
        "insert into remote_calendar (connection_id, remote_id, name, color, zone, writable, is_primary, extra)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (connection_id, remote_id) do update
            set name = $3, color = $4, zone = $5, writable = $6, is_primary = $7, gone = 0,
                extra = case when $8 = '' then remote_calendar.extra else $8 end"
    );
    let rows = listing.iter().map(|c| {
        args![
            connection,
            &c.remote_id,
            &c.name,
            &c.color,
            &c.zone,
            c.writable,
            c.primary,
            &c.extra
        ]
    });
    tx.execute_many(statement, rows).await?;
    tx.execute(
        sql!("update connection set listed = $2 where id = $1"),
        &args![connection, now],
    )
    .await
    .map(drop)
}

/// Primary ones first, then by name.
pub async fn list(tx: &mut Tx<'_>, connection: ConnectionId) -> Result<Vec<RemoteCalendar>> {
    let statement = sql!(
        "select ",
        columns!(),
        " from remote_calendar where connection_id = $1 order by is_primary desc, name, id"
    );
    tx.all(statement, &args![connection], calendar).await
}

pub async fn get(tx: &mut Tx<'_>, id: RemoteCalendarId) -> Result<Option<RemoteCalendar>> {
    let statement = sql!("select ", columns!(), " from remote_calendar where id = $1");
    tx.one(statement, &args![id], calendar).await
}

/// What the provider's folder wants to remember.
pub async fn set_extra(tx: &mut Tx<'_>, id: RemoteCalendarId, extra: &str) -> Result<()> {
    tx.execute(
        sql!("update remote_calendar set extra = $2 where id = $1"),
        &args![id, extra],
    )
    .await
    .map(drop)
}
