//! A transaction on either engine: the statements that repository functions run.

use std::marker::PhantomData;

use super::postgres::PgTx;
use super::sql::{Arg, Row, Sql};
use super::sqlite::LiteTx;
use crate::model::{Error, Result};

/// A transaction (or, in [`super::Store::peek`], a single statement) on either engine. Repository functions take it.
///
/// `'a` stands for what the closure given to `read` may borrow; a `Tx` owns its connection.
pub struct Tx<'a> {
    engine: Engine,
    /// The first statement that failed. Nothing may be committed after it, whatever became of its error: PostgreSQL
    /// has given up the transaction, and both engines are to behave the same.
    failed: Option<Error>,
    scope: PhantomData<fn(&'a ()) -> &'a ()>,
}

pub(super) enum Engine {
    Sqlite(LiteTx),
    Postgres(PgTx),
}

impl Tx<'_> {
    pub(super) fn new(engine: Engine) -> Self {
        Tx {
            engine,
            failed: None,
            scope: PhantomData,
        }
    }

    pub(super) fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self.engine, Engine::Sqlite(_))
    }

    /// Ends a transaction of PostgreSQL; on SQLite the writer thread, or the reader's return, does that.
    pub(super) async fn end(&mut self, commit: bool) -> Result<()> {
        match self.engine() {
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(tx) => tx.end(commit).await,
        }
    }

    /// Why this transaction may not be committed; asking clears it.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failed.take()
    }

    fn note<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && self.failed.is_none()
        {
            self.failed = Some(error.clone());
        }
        result
    }

    /// Runs a statement that gives no rows; how many it changed.
    pub(super) async fn execute(&mut self, sql: Sql<'_>, args: &[Arg<'_>]) -> Result<u64> {
        let done = match &mut self.engine {
            Engine::Sqlite(tx) => tx.execute(sql.sqlite, args),
            Engine::Postgres(tx) => tx.execute(sql.postgres, args).await,
        };
        self.note(done)
    }

    /// Lends each row to `each`.
    pub(super) async fn each<F>(&mut self, sql: Sql<'_>, args: &[Arg<'_>], each: F) -> Result<()>
    where
        F: FnMut(&Row<'_>) -> Result<()> + Send,
    {
        let done = match &mut self.engine {
            Engine::Sqlite(tx) => tx.each(sql.sqlite, args, each),
            Engine::Postgres(tx) => tx.each(sql.postgres, args, each).await,
        };
        self.note(done)
    }

    /// The first row, as `read` sees it.
    pub(super) async fn one<T, F>(
        &mut self,
        sql: Sql<'_>,
        args: &[Arg<'_>],
        read: F,
    ) -> Result<Option<T>>
    where
        F: FnOnce(&Row<'_>) -> Result<T> + Send,
        T: Send,
    {
        let done = match &mut self.engine {
            Engine::Sqlite(tx) => tx.one(sql.sqlite, args, read),
            Engine::Postgres(tx) => tx.one(sql.postgres, args, read).await,
        };
        self.note(done)
    }

    /// All rows, as `read` sees them.
    pub(super) async fn all<T, F>(
        &mut self,
        sql: Sql<'_>,
        args: &[Arg<'_>],
        mut read: F,
    ) -> Result<Vec<T>>
    where
        F: FnMut(&Row<'_>) -> Result<T> + Send,
        T: Send,
    {
        let mut rows = Vec::new();
        self.each(sql, args, |row| {
            rows.push(read(row)?);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// Runs one statement for each set of values: prepared once on SQLite, sent without waiting on PostgreSQL.
    pub(super) async fn execute_many<'v, S, I>(&mut self, sql: Sql<'_>, sets: I) -> Result<()>
    where
        S: AsRef<[Arg<'v>]> + Send,
        I: Iterator<Item = S> + Send,
    {
        let done = match &mut self.engine {
            Engine::Sqlite(tx) => tx.each_many(sql.sqlite, sets, |_| Ok(())),
            Engine::Postgres(tx) => tx.execute_many(sql.postgres, sets).await,
        };
        self.note(done)
    }

    /// Lends the rows of one statement to `each`, for each set of values in turn. As [`Tx::execute_many`].
    pub(super) async fn each_many<'v, S, I, F>(
        &mut self,
        sql: Sql<'_>,
        sets: I,
        each: F,
    ) -> Result<()>
    where
        S: AsRef<[Arg<'v>]> + Send,
        I: Iterator<Item = S> + Send,
        F: FnMut(&Row<'_>) -> Result<()> + Send,
    {
        let done = match &mut self.engine {
            Engine::Sqlite(tx) => tx.each_many(sql.sqlite, sets, each),
            Engine::Postgres(tx) => tx.each_many(sql.postgres, sets, each).await,
        };
        self.note(done)
    }

    /// Runs a whole script (migrations, `begin`), without values.
    pub(super) async fn script(&mut self, text: &str) -> Result<()> {
        let done = match &mut self.engine {
            Engine::Sqlite(tx) => tx.script(text),
            Engine::Postgres(tx) => tx.script(text).await,
        };
        self.note(done)
    }
}
