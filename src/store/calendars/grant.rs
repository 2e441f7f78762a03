//! Rights of others than the owner.

use super::binding::unbind;
use super::touch_props;
use crate::model::{CalendarId, Principal, PrincipalId, Result};
use crate::store::principals;
use crate::store::sql::{Row, Tx, args, sql};

/// Who else may see a calendar, and how far (table `access_grant`), in the order of names.
pub async fn grants(tx: &mut Tx<'_>, id: CalendarId) -> Result<Vec<(Principal, i64)>> {
    let statement = sql!(
        "select ",
        principals::columns!(),
        ", g.level from access_grant g join principal p on p.id = g.principal_id
          where g.calendar_id = $1 order by p.name"
    );
    let read = |row: &Row<'_>| {
        Ok((
            principals::principal(row, 0)?,
            row.int(principals::COLUMNS)?,
        ))
    };
    tx.all(statement, &args![id], read).await
}

/// Grants a level to somebody; 0 takes the grant back, and the calendar out of their home.
pub async fn set_grant(
    tx: &mut Tx<'_>,
    id: CalendarId,
    to: PrincipalId,
    level: i64,
    now: i64,
) -> Result<()> {
    touch_props(tx, id, now).await?;
    if level > 0 {
        let statement = sql!(
            "insert into access_grant (calendar_id, principal_id, level, created) values ($1, $2, $3, $4)
             on conflict (calendar_id, principal_id) do update set level = $3"
        );
        return tx
            .execute(statement, &args![id, to, level, now])
            .await
            .map(drop);
    }
    tx.execute(
        sql!("delete from access_grant where calendar_id = $1 and principal_id = $2"),
        &args![id, to],
    )
    .await?;
    let bound = sql!(
        "select b.slug from binding b join calendar c on c.id = b.calendar_id
          where b.calendar_id = $1 and b.home_id = $2 and c.owner_id <> $2"
    );
    for slug in tx
        .all(bound, &args![id, to], |row| Ok(row.text(0)?.to_string()))
        .await?
    {
        unbind(tx, to, &slug).await?;
    }
    Ok(())
}
