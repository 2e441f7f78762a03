//! The way back: a backup's rows into an empty database, in one transaction.

use std::io::{BufRead, BufReader, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{FORMAT, Mark, Summary};
use crate::model::{Error, Result};
use crate::store::Store;
use crate::store::migrate::MIGRATIONS;
use crate::store::schema::{Kind, TABLES, Table};
use crate::store::sql::{Arg, Sql, Tx, args, sql};

/// How far numbers are moved by a restore: more than a calendar changed since its backup.
const AHEAD: i64 = 1_000_000;
/// Ids left out after a restore.
const IDS_AHEAD: i64 = 1000;
/// Rows stored at a time.
const CHUNK: usize = 256;
/// The longest line that is read: an object's text of the largest size, as base64.
const LINE: u64 = 256 << 20;

/// Fills an empty database from `input`: all of it, or nothing.
///
/// # Errors
/// When the database is not empty, or the file is damaged, incomplete, or of a newer version.
pub async fn restore<R, P>(store: &Store, input: R, progress: P) -> Result<Summary>
where
    R: Read + Send + 'static,
    P: FnMut(&str, u64) + Send + 'static,
{
    let lines = BufReader::new(flate2::read::GzDecoder::new(input));
    let reader = Reader {
        lines,
        line: Vec::new(),
        number: 0,
        summary: Summary::default(),
        progress,
    };
    store.write(move |tx| Box::pin(reader.restore(tx))).await
}

struct Reader<R, P> {
    lines: R,
    line: Vec<u8>,
    number: u64,
    summary: Summary,
    progress: P,
}

/// A table as the file has it: its columns may be fewer than ours, when it is of an older version.
struct Filling {
    table: &'static Table,
    kinds: Vec<Kind>,
    insert: String,
    rows: Vec<Vec<Cell>>,
}

impl<R: BufRead + Send, P: FnMut(&str, u64) + Send> Reader<R, P> {
    async fn restore(mut self, tx: &mut Tx<'_>) -> Result<Summary> {
        refuse_filled(tx).await?;
        self.header()?;
        let mut filling: Option<Filling> = None;
        loop {
            self.next()?;
            if self.line.first() == Some(&b'[') {
                let row = self.values(filling.as_ref())?;
                let Some(filling) = &mut filling else {
                    return Err(self.damaged("a row before any table"));
                };
                filling.rows.push(row);
                if filling.rows.len() >= CHUNK {
                    self.store(tx, filling).await?;
                }
                continue;
            }
            if let Some(mut full) = filling.take() {
                self.store(tx, &mut full).await?;
                (self.progress)(full.table.name, self.summary.rows);
            }
            match self.mark()? {
                Mark::Table { table, columns } => filling = Some(self.table(&table, &columns)?),
                Mark::End { rows, .. } if rows == self.summary.rows => break,
                _ => return Err(self.damaged("rows are missing")),
            }
        }
        move_ahead(tx).await?;
        Ok(self.summary)
    }

    fn header(&mut self) -> Result<()> {
        self.next()?;
        match self.mark() {
            Ok(Mark::Header {
                kalends,
                format,
                schema,
            }) if kalends == "backup" => {
                if format > FORMAT || schema > MIGRATIONS.len() as i64 {
                    return Err(Error::bad(
                        "the backup was made by a newer version of kalends",
                    ));
                }
                Ok(())
            }
            _ => Err(Error::bad("this is not a backup of kalends")),
        }
    }

    fn next(&mut self) -> Result<()> {
        self.line.clear();
        self.number += 1;
        let read = (&mut self.lines)
            .take(LINE)
            .read_until(b'\n', &mut self.line);
        match read {
            Ok(_) if self.line.ends_with(b"\n") => Ok(()),
            Ok(_) => Err(self.damaged("it ends too early")),
            Err(_) if self.number == 1 => Err(Error::bad("this is not a backup of kalends")),
            Err(why) => Err(self.damaged(&why.to_string())),
        }
    }

    fn damaged(&self, why: &str) -> Error {
        Error::bad(format!(
            "the backup is damaged at line {}: {why}",
            self.number
        ))
    }

    fn mark(&self) -> Result<Mark> {
        serde_json::from_slice(&self.line).map_err(|e| self.damaged(&e.to_string()))
    }

    fn table(&mut self, name: &str, columns: &[String]) -> Result<Filling> {
        let table = TABLES
            .iter()
            .find(|t| t.name == name)
            .ok_or_else(|| self.damaged("an unknown table"))?;
        let kind = |column: &String| {
            table
                .columns
                .iter()
                .find(|(name, _)| name == column)
                .map(|(_, kind)| *kind)
        };
        let kinds: Option<Vec<_>> = columns.iter().map(kind).collect();
        let kinds = kinds
            .filter(|k| !k.is_empty())
            .ok_or_else(|| self.damaged("an unknown column"))?;
        let places: Vec<_> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
        let insert = format!(
            "insert into {} ({}) values ({})",
            table.name,
            columns.join(", "),
            places.join(", ")
        );
        self.summary.tables += 1;
        Ok(Filling {
            table,
            kinds,
            insert,
            rows: Vec::new(),
        })
    }

    /// The values of the present line.
    fn values(&self, filling: Option<&Filling>) -> Result<Vec<Cell>> {
        let row: Vec<Value> =
            serde_json::from_slice(&self.line).map_err(|e| self.damaged(&e.to_string()))?;
        let cells: Option<Vec<Cell>> = match filling {
            Some(filling) if filling.kinds.len() == row.len() => row
                .into_iter()
                .zip(&filling.kinds)
                .map(|(value, kind)| cell(value, *kind))
                .collect(),
            _ => None,
        };
        cells.ok_or_else(|| self.damaged("a row that does not fit its table"))
    }

    /// Stores the rows that wait.
    async fn store(&mut self, tx: &mut Tx<'_>, filling: &mut Filling) -> Result<()> {
        let sets = filling
            .rows
            .iter()
            .map(|row| row.iter().map(Cell::arg).collect::<Vec<_>>());
        let postgres = filling.insert.replace('?', "$");
        tx.execute_many(Sql::new(&filling.insert, &postgres), sets)
            .await?;
        for _ in &filling.rows {
            self.summary.count(filling.table);
        }
        filling.rows.clear();
        Ok(())
    }
}

/// One value of a row.
enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Cell {
    fn arg(&self) -> Arg<'_> {
        match self {
            Cell::Null => Arg::Null,
            Cell::Int(value) => Arg::Int(*value),
            Cell::Text(value) => Arg::Text(value),
            Cell::Bytes(value) => Arg::Bytes(value),
        }
    }
}

/// A value of the file as one of a column; `None` when it does not fit.
fn cell(value: Value, kind: Kind) -> Option<Cell> {
    match (value, kind) {
        (Value::Null, _) => Some(Cell::Null),
        (Value::Number(number), Kind::Int) => number.as_i64().map(Cell::Int),
        (Value::String(text), Kind::Text) => Some(Cell::Text(text)),
        (Value::String(text), Kind::Bytes) => STANDARD.decode(text).ok().map(Cell::Bytes),
        _ => None,
    }
}

/// Facts about the installation that a first start wrote are replaced; anything else is not.
async fn refuse_filled(tx: &mut Tx<'_>) -> Result<()> {
    for table in TABLES.iter().filter(|t| t.name != "meta") {
        let text = format!(
            "select count(*) from (select 1 from {} limit 1) t",
            table.name
        );
        if tx
            .one(Sql::new(&text, &text), &[], |row| row.int(0))
            .await?
            != Some(0)
        {
            let why = format!(
                "the database is not empty ({} has rows): restore into a new one",
                table.name
            );
            return Err(Error::Conflict(why));
        }
    }
    tx.execute(sql!("delete from meta"), &[]).await.map(drop)
}

/// Numbers and ids of the time after the backup are not used again: somebody may hold them.
async fn move_ahead(tx: &mut Tx<'_>) -> Result<()> {
    let calendars = sql!(
        "update calendar set seq = seq + $1, props_seq = props_seq + $1, pruned_seq = seq + $1"
    );
    tx.execute(calendars, &args![AHEAD]).await?;
    tx.execute(sql!("delete from object_removed"), &[]).await?;
    tx.execute(sql!("update principal set seq = seq + $1"), &args![AHEAD])
        .await?;
    for Table { name, .. } in TABLES.iter().filter(|t| t.numbered) {
        if tx.is_sqlite() {
            let text = "update sqlite_sequence set seq = seq + ?1 where name = ?2";
            tx.execute(Sql::new(text, text), &args![IDS_AHEAD, *name])
                .await?;
        } else {
            let text = format!(
                "select setval(pg_get_serial_sequence('{name}', 'id'), (select coalesce(max(id), 0) from {name}) + {IDS_AHEAD})"
            );
            tx.script(&text).await?;
        }
    }
    Ok(())
}
