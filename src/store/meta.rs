//! Facts about the whole installation.

use super::sql::{Tx, args, sql};
use crate::model::{Error, Result};

pub async fn get(tx: &mut Tx<'_>, name: &str) -> Result<Option<String>> {
    tx.one(
        sql!("select value from meta where name = $1"),
        &args![name],
        |row| Ok(row.text(0)?.to_string()),
    )
    .await
}

pub async fn set(tx: &mut Tx<'_>, name: &str, value: &str) -> Result<()> {
    let statement = sql!(
        "insert into meta (name, value) values ($1, $2) on conflict (name) do update set value = $2"
    );
    tx.execute(statement, &args![name, value]).await.map(drop)
}

/// The value under `name`, which becomes `value` when there is none: of two servers that start at once, one decides.
pub async fn get_or_set(tx: &mut Tx<'_>, name: &str, value: &str) -> Result<String> {
    let statement =
        sql!("insert into meta (name, value) values ($1, $2) on conflict (name) do nothing");
    tx.execute(statement, &args![name, value]).await?;
    get(tx, name)
        .await?
        .ok_or_else(|| Error::Internal(format!("the fact {name} was not stored")))
}
