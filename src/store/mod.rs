//! The database: SQLite or PostgreSQL behind one SQL text. Open, migrate, read, write; then a file per noun.
//!
//! - [`Store::read`] is one snapshot, [`Store::peek`] a single statement, [`Store::write`] a transaction: all or nothing.
//! - Repository functions are `async fn` over [`Tx`]; times are passed in, nothing here reads a clock.
//! - Each write of an object begins with [`calendars::lock`]: that row is the lock of the calendar and gives the number
//!   of the change. On both engines changes of one calendar become visible in the order of their numbers, so a sync
//!   token never skips one.
//! - Only the SQL of the migrations is written twice.

pub mod backup;
pub mod bridges;
pub mod calendars;
pub mod credentials;
pub mod feeds;
pub mod meta;
pub mod objects;
pub mod occurrences;
pub mod principals;
pub mod properties;
pub mod retention;
pub mod sql;
#[doc(hidden)]
pub mod testing;
pub mod traces;
pub mod verify;
pub mod versions;

mod migrate;
mod postgres;
mod schema;
mod sqlite;
mod tls;
mod tx;
mod writer;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

pub use objects::{Change, Fetched, Head, MemberRef, ObjectRow};
pub use occurrences::{Found, OccurrenceRow};
pub use tx::Tx;

use crate::model::{Error, Result};
use tx::Engine;

/// `sqlite:PATH` or `postgres://…`. Not shown in full: it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(String),
}

impl DatabaseUrl {
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<DatabaseUrl> {
        if let Some(path) = text.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            let path = path
                .strip_prefix("//")
                .filter(|rest| rest.starts_with('/'))
                .unwrap_or(path);
            return Ok(DatabaseUrl::Sqlite(path.into()));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(DatabaseUrl::Postgres(text.to_string()));
        }
        Err(Error::bad(
            "database_url: expected sqlite:PATH or postgres://…",
        ))
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DatabaseUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            DatabaseUrl::Postgres(_) => f.write_str("postgres://…"),
        }
    }
}

/// How much the store may take.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// SQLite: page cache of each connection, KiB.
    pub cache_kib: i64,
    /// SQLite: how much of the file is mapped into memory, MiB; shared by all connections.
    pub mmap_mib: i64,
    /// SQLite: writes that may wait for the writer thread; more wait to be let in.
    pub queue: usize,
    /// PostgreSQL: connections at most.
    pub connections: usize,
    /// How long to wait for another process's lock, or for a connection.
    pub patience: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            cache_kib: 4096,
            mmap_mib: 64,
            queue: 1024,
            connections: 16,
            patience: Duration::from_secs(10),
        }
    }
}

/// The database. A clone is the same database.
#[derive(Clone)]
pub struct Store {
    backend: Arc<Backend>,
}

enum Backend {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match *self.backend {
            Backend::Sqlite(_) => "Store(SQLite)",
            Backend::Postgres(_) => "Store(PostgreSQL)",
        })
    }
}

impl Store {
    /// Opens the database, creating or migrating it as needed.
    ///
    /// # Errors
    /// When it cannot be reached, or was made by a newer version of the program.
    pub async fn open(url: &DatabaseUrl, options: &StoreOptions) -> Result<Store> {
        let backend = match url {
            DatabaseUrl::Sqlite(path) => {
                let settings = sqlite::Settings {
                    path: path.clone(),
                    cache_kib: options.cache_kib,
                    mmap: options.mmap_mib << 20,
                    busy: options.patience,
                };
                Backend::Sqlite(sqlite::Sqlite::open(
                    settings,
                    options.queue,
                    migrate::sqlite,
                )?)
            }
            DatabaseUrl::Postgres(url) => {
                let pool = postgres::Postgres::open(url, options.connections, options.patience)?;
                migrate::postgres(&pool).await?;
                Backend::Postgres(pool)
            }
        };
        Ok(Store {
            backend: Arc::new(backend),
        })
    }

    /// Several statements on one snapshot of the database. Keep it short: on SQLite it runs on the calling thread.
    ///
    /// # Errors
    /// What `work` returns, or trouble with the database.
    pub async fn read<'a, T, F>(&self, work: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx<'a>) -> BoxFuture<'t, Result<T>> + Send,
        T: Send,
    {
        let begin = match &*self.backend {
            Backend::Sqlite(_) => "begin",
            Backend::Postgres(_) => "begin isolation level repeatable read, read only",
        };
        self.reading(begin, work).await
    }

    /// A single statement, without a transaction around it.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub async fn peek<'a, T, F>(&self, work: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx<'a>) -> BoxFuture<'t, Result<T>> + Send,
        T: Send,
    {
        self.reading("", work).await
    }

    async fn reading<'a, T, F>(&self, begin: &'static str, work: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx<'a>) -> BoxFuture<'t, Result<T>> + Send,
        T: Send,
    {
        match &*self.backend {
            Backend::Sqlite(database) => {
                let reader = database.reader()?;
                if !begin.is_empty() {
                    reader.execute(begin, &[])?;
                }
                let mut tx = Tx::new(Engine::Sqlite(reader));
                work(&mut tx).await
            }
            Backend::Postgres(pool) => {
                let mut tx = Tx::new(Engine::Postgres(pool.begin(begin).await?));
                let outcome = work(&mut tx).await;
                tx.end(outcome.is_ok()).await?;
                outcome
            }
        }
    }

    /// A transaction that writes. `Ok` means that it is on disk; after `Err` nothing of it stays.
    /// The closure may wait for the database only.
    ///
    /// # Errors
    /// What `work` returns, or trouble with the database.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx<'static>) -> BoxFuture<'t, Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        match &*self.backend {
            Backend::Sqlite(database) => database.writer.write(work).await,
            Backend::Postgres(pool) => {
                let mut tx = Tx::new(Engine::Postgres(pool.begin("begin").await?));
                let outcome = work(&mut tx).await;
                let outcome = match (outcome, tx.take_failure()) {
                    (Ok(_), Some(failure)) => Err(failure),
                    (outcome, _) => outcome,
                };
                tx.end(outcome.is_ok()).await?;
                outcome
            }
        }
    }

    /// Waits until what was asked for is written, and closes the files. For the end of the program; dropping the last
    /// clone does the same without waiting.
    pub async fn close(self) {
        let done = match &*self.backend {
            Backend::Sqlite(database) => {
                database.close_readers();
                Some(database.writer.done())
            }
            Backend::Postgres(pool) => {
                pool.close();
                None
            }
        };
        drop(self);
        if let Some(mut done) = done {
            // Ends with an error when the thread has dropped its side: that is what we wait for.
            let _ = tokio::time::timeout(Duration::from_secs(10), done.changed()).await;
        }
    }
}
