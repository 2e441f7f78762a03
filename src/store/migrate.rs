//! Migrations: numbered scripts, each run once, under a lock, the whole or nothing of it.

use rusqlite::Connection;

use super::postgres::Postgres;
use super::sql::{args, sql};
use super::sqlite;
use super::tx::{Engine, Tx};
use crate::model::{Error, Result};

/// A script in both dialects; its number is its place, from 1.
pub(super) struct Migration {
    pub name: &'static str,
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

macro_rules! migrations {
    ($($name:literal),+ $(,)?) => {
        &[$(Migration {
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        }),+]
    };
}

pub(super) const MIGRATIONS: &[Migration] = migrations!["0001_foundation", "0002_bridges"];

/// Which scripts have run.
const TABLE: &str = "create table if not exists migration (version bigint primary key not null, name text not null)";

/// Scripts that are still to run, given the newest one that has.
fn pending(have: i64) -> Result<impl Iterator<Item = (i64, &'static Migration)>> {
    let known = MIGRATIONS.len() as i64;
    if have > known {
        return Err(Error::Internal(format!(
            "the database was made by a newer version of kalends (its schema is {have}, this program knows {known}): \
             install that version again, or restore a backup made before"
        )));
    }
    Ok((1..)
        .zip(MIGRATIONS)
        .filter(move |(version, _)| *version > have))
}

pub(super) fn sqlite(connection: &Connection) -> Result<()> {
    let run = || -> Result<(), rusqlite::Error> { connection.execute_batch("begin immediate") };
    run().map_err(|e| sqlite::error(&e))?;
    let done = sqlite_scripts(connection);
    let end = if done.is_ok() { "commit" } else { "rollback" };
    let ended = connection.execute_batch(end).map_err(|e| sqlite::error(&e));
    done.and(ended)
}

fn sqlite_scripts(connection: &Connection) -> Result<()> {
    let why = |e: rusqlite::Error| sqlite::error(&e);
    connection.execute_batch(TABLE).map_err(why)?;
    let have = connection
        .query_row(
            "select coalesce(max(version), 0) from migration",
            [],
            |row| row.get(0),
        )
        .map_err(why)?;
    for (version, migration) in pending(have)? {
        connection
            .execute_batch(migration.sqlite)
            .and_then(|()| {
                connection.execute(
                    "insert into migration values (?1, ?2)",
                    (version, migration.name),
                )
            })
            .map_err(|e| Error::Internal(format!("migration {}: {e}", migration.name)))?;
    }
    Ok(())
}

pub(super) async fn postgres(pool: &Postgres) -> Result<()> {
    // Two servers that start at once: one migrates, the other one waits. The number is ours alone in this database.
    let begin = "begin; select pg_advisory_xact_lock(20261120)";
    let mut tx = Tx::new(Engine::Postgres(pool.begin(begin).await?));
    let done = postgres_scripts(&mut tx).await;
    tx.end(done.is_ok()).await?;
    done
}

async fn postgres_scripts(tx: &mut Tx<'_>) -> Result<()> {
    tx.script(TABLE).await?;
    let have = tx
        .one(
            sql!("select coalesce(max(version), 0) from migration"),
            &[],
            |row| row.int(0),
        )
        .await?;
    for (version, migration) in pending(have.unwrap_or(0))? {
        tx.script(migration.postgres).await?;
        tx.execute(
            sql!("insert into migration (version, name) values ($1, $2)"),
            &args![version, migration.name],
        )
        .await?;
    }
    Ok(())
}
