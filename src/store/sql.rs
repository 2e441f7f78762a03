//! One statement text, two engines. Statements are written for PostgreSQL (`$1`) in the dialect that both engines
//! share; values are 64-bit integers, texts, bytes and null, nothing else.
//!
//! SQLite takes `$1` as a *named* parameter, numbered by first appearance, so [`sql!`] turns it into `?1` while the
//! program is compiled. Rows are lent to a callback: reading allocates nothing on SQLite.

use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

pub use super::tx::Tx;
use crate::model::{Error, Result};

/// A statement; made by [`sql!`].
#[derive(Clone, Copy, Debug)]
pub struct Sql<'t> {
    pub(super) sqlite: &'t str,
    pub(super) postgres: &'t str,
}

impl<'t> Sql<'t> {
    pub(super) const fn new(sqlite: &'t str, postgres: &'t str) -> Sql<'t> {
        Sql { sqlite, postgres }
    }
}

/// The statement whose text is the concatenation of these literals.
macro_rules! sql {
    ($($part:tt)*) => {{
        const TEXT: &str = concat!($($part)*);
        const BYTES: [u8; TEXT.len()] = $crate::store::sql::numbered(TEXT);
        const SQLITE: &str = match std::str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => panic!("evaluated by the compiler: `$` and `?` are one byte each"),
        };
        const STATEMENT: $crate::store::sql::Sql<'static> = $crate::store::sql::Sql::new(SQLITE, TEXT);
        STATEMENT
    }};
}
pub(super) use sql;

/// `$1` → `?1`, by the compiler.
pub(super) const fn numbered<const N: usize>(text: &str) -> [u8; N] {
    let from = text.as_bytes();
    let mut to = [0; N];
    let mut i = 0;
    while i < N {
        let parameter = from[i] == b'$' && i + 1 < N && from[i + 1].is_ascii_digit();
        to[i] = if parameter { b'?' } else { from[i] };
        i += 1;
    }
    to
}

/// A value handed to a statement.
#[derive(Clone, Copy)]
pub enum Arg<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// Without the value: it may be a secret's hash, or somebody's calendar.
impl std::fmt::Debug for Arg<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Arg::Null => "null",
            Arg::Int(_) => "an integer",
            Arg::Text(_) => "a text",
            Arg::Bytes(_) => "bytes",
        })
    }
}

impl From<i64> for Arg<'_> {
    fn from(value: i64) -> Self {
        Arg::Int(value)
    }
}

impl From<bool> for Arg<'_> {
    fn from(value: bool) -> Self {
        Arg::Int(i64::from(value))
    }
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(value: &'a str) -> Self {
        Arg::Text(value)
    }
}

impl<'a> From<&'a String> for Arg<'a> {
    fn from(value: &'a String) -> Self {
        Arg::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Arg<'a> {
    fn from(value: &'a [u8]) -> Self {
        Arg::Bytes(value)
    }
}

impl<'a, T: Into<Arg<'a>>> From<Option<T>> for Arg<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Arg::Null, Into::into)
    }
}

macro_rules! ids {
    ($($id:ident),+) => {$(
        impl From<crate::model::$id> for Arg<'_> {
            fn from(id: crate::model::$id) -> Self {
                Arg::Int(id.0)
            }
        }
    )+};
}
ids!(
    PrincipalId,
    CalendarId,
    ObjectId,
    CredentialId,
    FeedId,
    ConnectionId,
    RemoteCalendarId,
    LinkId,
    RunId
);

/// The values of a statement: `args![id, name, now]`.
macro_rules! args {
    ($($value:expr),* $(,)?) => { [$($crate::store::sql::Arg::from($value)),*] };
}
pub(super) use args;

impl rusqlite::ToSql for Arg<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, ValueRef};
        Ok(ToSqlOutput::Borrowed(match *self {
            Arg::Null => ValueRef::Null,
            Arg::Int(value) => ValueRef::Integer(value),
            Arg::Text(value) => ValueRef::Text(value.as_bytes()),
            Arg::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

type BoxError = Box<dyn std::error::Error + Sync + Send>;

impl ToSql for Arg<'_> {
    fn to_sql(&self, ty: &Type, out: &mut bytes::BytesMut) -> Result<IsNull, BoxError> {
        match (*self, ty) {
            (Arg::Null, _) => Ok(IsNull::Yes),
            (Arg::Int(value), &Type::INT8) => value.to_sql(ty, out),
            (Arg::Int(value), &Type::INT4) => i32::try_from(value)?.to_sql(ty, out),
            (Arg::Text(value), &Type::TEXT) => value.to_sql(ty, out),
            (Arg::Bytes(value), &Type::BYTEA) => value.to_sql(ty, out),
            (value, ty) => {
                Err(format!("{value:?} was given where the statement wants {ty}").into())
            }
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::INT4 | Type::TEXT | Type::BYTEA)
    }

    tokio_postgres::types::to_sql_checked!();
}

/// An integer column or expression; PostgreSQL makes literals 32-bit ones.
struct Int(i64);

impl<'a> FromSql<'a> for Int {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, BoxError> {
        Ok(Int(if *ty == Type::INT4 {
            i32::from_sql(ty, raw)?.into()
        } else {
            i64::from_sql(ty, raw)?
        }))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::INT4)
    }
}

/// One row, lent by the engine. Columns are counted from 0, in the order of the statement.
pub enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

impl Row<'_> {
    /// # Errors
    /// When the column is absent, null or of another kind: a fault of the statement.
    pub fn int(&self, column: usize) -> Result<i64> {
        self.opt_int(column)?.ok_or_else(|| null(column))
    }

    /// # Errors
    /// As [`Row::int`].
    pub fn flag(&self, column: usize) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    /// # Errors
    /// As [`Row::int`].
    pub fn text(&self, column: usize) -> Result<&str> {
        self.opt_text(column)?.ok_or_else(|| null(column))
    }

    /// # Errors
    /// As [`Row::int`].
    pub fn bytes(&self, column: usize) -> Result<&[u8]> {
        self.opt_bytes(column)?.ok_or_else(|| null(column))
    }

    /// # Errors
    /// As [`Row::int`], but null is `None`.
    pub fn opt_int(&self, column: usize) -> Result<Option<i64>> {
        match self {
            Row::Sqlite(row) => match row.get_ref(column).map_err(|e| wrong(column, e))? {
                rusqlite::types::ValueRef::Integer(value) => Ok(Some(value)),
                rusqlite::types::ValueRef::Null => Ok(None),
                other => Err(wrong(column, other.data_type())),
            },
            Row::Postgres(row) => row
                .try_get::<_, Option<Int>>(column)
                .map(|v| v.map(|v| v.0))
                .map_err(|e| wrong(column, e)),
        }
    }

    /// # Errors
    /// As [`Row::int`], but null is `None`.
    pub fn opt_text(&self, column: usize) -> Result<Option<&str>> {
        match self {
            Row::Sqlite(row) => {
                let value = row.get_ref(column).map_err(|e| wrong(column, e))?;
                value.as_str_or_null().map_err(|e| wrong(column, e))
            }
            Row::Postgres(row) => row.try_get(column).map_err(|e| wrong(column, e)),
        }
    }

    /// # Errors
    /// As [`Row::int`], but null is `None`.
    pub fn opt_bytes(&self, column: usize) -> Result<Option<&[u8]>> {
        match self {
            Row::Sqlite(row) => {
                let value = row.get_ref(column).map_err(|e| wrong(column, e))?;
                value.as_blob_or_null().map_err(|e| wrong(column, e))
            }
            Row::Postgres(row) => row.try_get(column).map_err(|e| wrong(column, e)),
        }
    }
}

fn null(column: usize) -> Error {
    Error::Internal(format!("column {column} of a row is null"))
}

fn wrong(column: usize, why: impl std::fmt::Display) -> Error {
    Error::Internal(format!("column {column} of a row: {why}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn parameters_become_numbered_ones_for_sqlite() {
        let statement = sql!("select ", "$2, $1, '$', $10 from t where a = $1");
        assert_eq!(
            statement.sqlite,
            "select ?2, ?1, '$', ?10 from t where a = ?1"
        );
        assert_eq!(
            statement.postgres,
            "select $2, $1, '$', $10 from t where a = $1"
        );
    }

    #[test]
    fn values_are_not_shown() {
        assert_eq!(
            format!("{:?}", args!["secret", 7, None::<i64>]),
            "[a text, an integer, null]"
        );
    }
}
