//! SQLite: connections, readers on the calling thread, and what a statement does.
//!
//! WAL with `synchronous=FULL`: an answered write is on disk. Writes go through one thread ([`super::writer`]); reads
//! take a connection from a stack and run where they are, since handing a point read to another thread costs more
//! than the read. Every await inside is ready at once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::config::DbConfig;
use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags};

use super::sql::{Arg, Row};
use super::writer::Writer;
use crate::model::{Error, Result};

/// Statements kept ready per connection: more than the program has.
const STATEMENTS: usize = 256;
/// Readers kept when idle; more are opened when more read at once.
const IDLE_READERS: usize = 8;

/// Where the database is, and what its connections may use.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub path: PathBuf,
    /// Page cache of one connection, KiB.
    pub cache_kib: i64,
    /// How much of the file is mapped, bytes. Mapped pages are shared by all connections and outlive a commit.
    pub mmap: i64,
    pub busy: std::time::Duration,
}

pub(super) struct Sqlite {
    readers: Arc<Readers>,
    pub(super) writer: Writer,
}

impl Sqlite {
    /// Opens the database, creating it when absent. The first connection is handed to `migrate` before others see it.
    pub(super) fn open(
        settings: Settings,
        queue: usize,
        migrate: impl FnOnce(&Connection) -> Result<()>,
    ) -> Result<Sqlite> {
        create(&settings.path)?;
        let connection = connect(&settings, Use::Write)?;
        migrate(&connection)?;
        let writer = Writer::start(connection, queue)?;
        Ok(Sqlite {
            readers: Arc::new(Readers {
                settings,
                idle: Mutex::default(),
            }),
            writer,
        })
    }

    /// A connection for reading, of one's own until it is dropped.
    pub(super) fn reader(&self) -> Result<LiteTx> {
        let idle = self.readers.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.readers.settings, Use::Read)?,
        };
        Ok(LiteTx {
            connection: Some(connection),
            home: Some(self.readers.clone()),
        })
    }

    /// Closes idle readers, so that the last connection to close can clear the log away.
    pub(super) fn close_readers(&self) {
        self.readers.idle().clear();
    }
}

/// Connections that nobody reads with.
struct Readers {
    settings: Settings,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Creates the file so that only its owner may read it; the log beside it inherits that.
fn create(path: &Path) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let why = |e| Error::Internal(format!("cannot open the database {}: {e}", path.display()));
    options.open(path).map(drop).map_err(why)
}

#[derive(Clone, Copy, PartialEq)]
enum Use {
    Read,
    Write,
}

fn connect(settings: &Settings, purpose: Use) -> Result<Connection> {
    let why = |e: rusqlite::Error| match error(&e) {
        Error::Unavailable(why) => Error::Unavailable(why),
        _ => Error::Internal(format!(
            "cannot open the database {}: {e}",
            settings.path.display()
        )),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&settings.path, flags).map_err(why)?;
    connection.busy_timeout(settings.busy).map_err(why)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without it, statements over tables with partial indexes are prepared anew whenever a value is bound.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(why)?;
    if purpose == Use::Write {
        connection.execute_batch(WRITER).map_err(why)?;
    } else {
        connection
            .execute_batch("pragma query_only = on;")
            .map_err(why)?;
    }
    let sizes = format!(
        "pragma mmap_size = {}; pragma cache_size = -{}; pragma temp_store = memory; pragma trusted_schema = off;",
        settings.mmap, settings.cache_kib
    );
    connection.execute_batch(&sizes).map_err(why)?;
    Ok(connection)
}

/// The log is moved into the database by the writer thread between batches; SQLite does it itself only when that
/// does not keep up.
const WRITER: &str =
    "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on;
    pragma wal_autocheckpoint = 8192; pragma journal_size_limit = 67108864;";

/// A connection in use: the writer's own, or a reader's, which returns to its stack.
pub(super) struct LiteTx {
    connection: Option<Connection>,
    home: Option<Arc<Readers>>,
}

impl Drop for LiteTx {
    fn drop(&mut self) {
        let (Some(connection), Some(home)) = (self.connection.take(), &self.home) else {
            return;
        };
        // Ends the snapshot of a read.
        let ended = connection.is_autocommit()
            || connection
                .prepare_cached("rollback")
                .and_then(|mut rollback| rollback.raw_execute())
                .is_ok();
        if !ended {
            return;
        }
        let mut idle = home.idle();
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
    }
}

impl LiteTx {
    pub(super) fn writing(connection: Connection) -> LiteTx {
        LiteTx {
            connection: Some(connection),
            home: None,
        }
    }

    pub(super) fn connection(&self) -> Result<&Connection> {
        // `None` only while it is dropped.
        self.connection
            .as_ref()
            .ok_or_else(|| Error::Internal("the connection is gone".into()))
    }

    fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>> {
        self.connection()?
            .prepare_cached(sql)
            .map_err(|e| error(&e))
    }

    pub(super) fn execute(&self, sql: &str, args: &[Arg<'_>]) -> Result<u64> {
        let mut statement = self.prepare(sql)?;
        bind(&mut statement, args)?;
        let changed = statement.raw_execute().map_err(|e| error(&e))?;
        Ok(changed as u64)
    }

    pub(super) fn each(
        &self,
        sql: &str,
        args: &[Arg<'_>],
        each: impl FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut statement = self.prepare(sql)?;
        bind(&mut statement, args)?;
        visit(&mut statement, each)
    }

    pub(super) fn one<T>(
        &self,
        sql: &str,
        args: &[Arg<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut statement = self.prepare(sql)?;
        bind(&mut statement, args)?;
        let mut rows = statement.raw_query();
        let found = match rows.next().map_err(|e| error(&e))? {
            Some(row) => Some(read(&Row::Sqlite(row))?),
            None => return Ok(None),
        };
        // `insert … returning` is done only when its rows are read to the end.
        while rows.next().map_err(|e| error(&e))?.is_some() {}
        Ok(found)
    }

    pub(super) fn each_many<'v, S: AsRef<[Arg<'v>]>>(
        &self,
        sql: &str,
        sets: impl Iterator<Item = S>,
        mut each: impl FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut statement = self.prepare(sql)?;
        for set in sets {
            bind(&mut statement, set.as_ref())?;
            visit(&mut statement, &mut each)?;
        }
        Ok(())
    }

    pub(super) fn script(&self, text: &str) -> Result<()> {
        self.connection()?
            .execute_batch(text)
            .map_err(|e| error(&e))
    }
}

fn bind(statement: &mut CachedStatement<'_>, args: &[Arg<'_>]) -> Result<()> {
    for (i, arg) in args.iter().enumerate() {
        statement
            .raw_bind_parameter(i + 1, arg)
            .map_err(|e| error(&e))?;
    }
    Ok(())
}

fn visit(
    statement: &mut CachedStatement<'_>,
    mut each: impl FnMut(&Row<'_>) -> Result<()>,
) -> Result<()> {
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|e| error(&e))? {
        each(&Row::Sqlite(row))?;
    }
    Ok(())
}

/// What an error of SQLite means to us. The text names tables and columns, never values.
pub(super) fn error(error: &rusqlite::Error) -> Error {
    const UNIQUE: [i32; 2] = [
        rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE,
        rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY,
    ];
    // A write error is what a quota and a limit of the file's size look like; a full disk has its own code.
    const NO_ROOM: [i32; 3] = [
        rusqlite::ffi::SQLITE_FULL,
        rusqlite::ffi::SQLITE_IOERR_WRITE,
        rusqlite::ffi::SQLITE_IOERR_SHMSIZE,
    ];
    match error.sqlite_error() {
        Some(e) if UNIQUE.contains(&e.extended_code) => {
            Error::Conflict(format!("already there: {error}"))
        }
        Some(e) if NO_ROOM.contains(&e.extended_code) => Error::InsufficientStorage(
            "nothing was stored: there is no room left for the database".into(),
        ),
        Some(e) if matches!(e.code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::Unavailable("the database is held by another process, try again".into())
        }
        _ => Error::Internal(format!("SQLite: {error}")),
    }
}
