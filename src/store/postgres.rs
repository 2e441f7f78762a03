//! PostgreSQL: pool, transactions, and what a statement does. Several servers may use one database at once.

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use tokio_postgres::error::SqlState;

use super::sql::{Arg, Row};
use super::tls;
use crate::model::{Error, Result};

/// Statements sent ahead of their answers.
const AHEAD: usize = 256;

pub(super) struct Postgres {
    pool: Pool,
}

impl Postgres {
    /// A pool of up to `connections`; none is made yet.
    pub(super) fn open(
        url: &str,
        connections: usize,
        patience: std::time::Duration,
    ) -> Result<Postgres> {
        let (config, tls) = tls::configure(url)?;
        let manager = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = match tls {
            Some(tls) => Manager::from_config(config, tls, manager),
            None => Manager::from_config(config, tokio_postgres::NoTls, manager),
        };
        let pool = Pool::builder(manager)
            .max_size(connections.max(1))
            .runtime(deadpool_postgres::Runtime::Tokio1)
            .wait_timeout(Some(patience))
            .create_timeout(Some(patience))
            .build()
            .map_err(Error::internal)?;
        Ok(Postgres { pool })
    }

    /// A connection, with a transaction that `begin` opens (none when empty).
    pub(super) async fn begin(&self, begin: &str) -> Result<PgTx> {
        let client = self.pool.get().await.map_err(|e| unavailable(&e))?;
        let mut tx = PgTx {
            client: Some(client),
            open: false,
        };
        if !begin.is_empty() {
            tx.open = true;
            tx.script(begin).await?;
        }
        Ok(tx)
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }
}

fn unavailable(why: &deadpool_postgres::PoolError) -> Error {
    use deadpool_postgres::PoolError;
    Error::Unavailable(match why {
        PoolError::Timeout(_) => {
            "every connection to the database is in use, or it does not answer".into()
        }
        PoolError::Backend(e) => match e.as_db_error() {
            Some(db) => format!("the database refuses connections: {}", db.message()),
            None => format!("the database cannot be reached: {e}{}", source(e)),
        },
        other => format!("no connection to the database: {other}"),
    })
}

/// The reason behind an error of the driver, which itself says only "error connecting".
fn source(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(String::new, |why| format!(": {why}"))
}

pub(super) struct PgTx {
    client: Option<Object>,
    /// Between `begin` and its end.
    open: bool,
}

impl Drop for PgTx {
    /// A transaction that was given up midway must not be met by the next user of the connection: it is closed,
    /// and the server takes the transaction back.
    fn drop(&mut self) {
        if let Some(client) = self.client.take().filter(|_| self.open) {
            drop(Object::take(client));
        }
    }
}

impl PgTx {
    fn client(&self) -> Result<&Object> {
        // `None` only while it is dropped.
        self.client
            .as_ref()
            .ok_or_else(|| Error::Internal("the connection is gone".into()))
    }

    /// Ends the transaction.
    pub(super) async fn end(&mut self, commit: bool) -> Result<()> {
        if self.open {
            self.script(if commit { "commit" } else { "rollback" })
                .await?;
            self.open = false;
        }
        Ok(())
    }

    async fn prepare(&self, sql: &str) -> Result<tokio_postgres::Statement> {
        self.client()?
            .prepare_cached(sql)
            .await
            .map_err(|e| error(&e))
    }

    pub(super) async fn execute(&self, sql: &str, args: &[Arg<'_>]) -> Result<u64> {
        let statement = self.prepare(sql).await?;
        self.client()?
            .execute_raw(&statement, args.iter().copied())
            .await
            .map_err(|e| error(&e))
    }

    pub(super) async fn each<F>(&self, sql: &str, args: &[Arg<'_>], mut each: F) -> Result<()>
    where
        F: FnMut(&Row<'_>) -> Result<()> + Send,
    {
        let statement = self.prepare(sql).await?;
        let rows = self
            .client()?
            .query_raw(&statement, args.iter().copied())
            .await
            .map_err(|e| error(&e))?;
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.try_next().await.map_err(|e| error(&e))? {
            each(&Row::Postgres(&row))?;
        }
        Ok(())
    }

    pub(super) async fn one<T, F>(&self, sql: &str, args: &[Arg<'_>], read: F) -> Result<Option<T>>
    where
        F: FnOnce(&Row<'_>) -> Result<T> + Send,
        T: Send,
    {
        let (mut read, mut found) = (Some(read), None);
        self.each(sql, args, |row| {
            if let Some(read) = read.take() {
                found = Some(read(row)?);
            }
            Ok(())
        })
        .await?;
        Ok(found)
    }

    pub(super) async fn execute_many<'v, S, I>(&self, sql: &str, sets: I) -> Result<()>
    where
        S: AsRef<[Arg<'v>]> + Send,
        I: Iterator<Item = S> + Send,
    {
        let statement = &self.prepare(sql).await?;
        let client = self.client()?;
        let run = |set: S| async move {
            client
                .execute_raw(statement, set.as_ref().iter().copied())
                .await
        };
        let mut sets = sets.fuse();
        loop {
            let ahead: Vec<_> = sets.by_ref().take(AHEAD).map(run).collect();
            if ahead.is_empty() {
                return Ok(());
            }
            try_join_all(ahead).await.map_err(|e| error(&e))?;
        }
    }

    pub(super) async fn each_many<'v, S, I, F>(&self, sql: &str, sets: I, mut each: F) -> Result<()>
    where
        S: AsRef<[Arg<'v>]> + Send,
        I: Iterator<Item = S> + Send,
        F: FnMut(&Row<'_>) -> Result<()> + Send,
    {
        let statement = &self.prepare(sql).await?;
        let client = self.client()?;
        let run = |set: S| async move {
            let rows = client
                .query_raw(statement, set.as_ref().iter().copied())
                .await?;
            rows.try_collect::<Vec<_>>().await
        };
        let mut sets = sets.fuse();
        loop {
            let ahead: Vec<_> = sets.by_ref().take(AHEAD).map(run).collect();
            if ahead.is_empty() {
                return Ok(());
            }
            let answers = try_join_all(ahead).await.map_err(|e| error(&e))?;
            for row in answers.iter().flatten() {
                each(&Row::Postgres(row))?;
            }
        }
    }

    pub(super) async fn script(&self, text: &str) -> Result<()> {
        self.client()?
            .batch_execute(text)
            .await
            .map_err(|e| error(&e))
    }
}

/// What an error of PostgreSQL means to us. Its detail is left out: that quotes values.
fn error(error: &tokio_postgres::Error) -> Error {
    let Some(db) = error.as_db_error() else {
        return match error.is_closed() || source_is_io(error) {
            true => Error::Unavailable("the connection to the database was lost".into()),
            false => Error::Internal(format!("PostgreSQL: {error}{}", source(error))),
        };
    };
    let busy = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
    ];
    match db.code() {
        code if *code == SqlState::UNIQUE_VIOLATION => {
            Error::Conflict(format!("already there: {}", db.message()))
        }
        code if busy.contains(code) => {
            Error::Unavailable("the database had to stop this write, try again".into())
        }
        code if *code == SqlState::DISK_FULL => Error::InsufficientStorage(
            "nothing was stored: there is no room left for the database".into(),
        ),
        // Class 53: out of memory or connections; 57P: shutting down; 08: connection; 25006: a standby.
        code if ["53", "57P", "08", "25006"]
            .iter()
            .any(|class| code.code().starts_with(class)) =>
        {
            Error::Unavailable(format!("the database cannot serve now: {}", db.message()))
        }
        code => Error::Internal(format!("PostgreSQL {}: {}", code.code(), db.message())),
    }
}

fn source_is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|why| why.is::<std::io::Error>())
}
