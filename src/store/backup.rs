//! Backup and restore: one file, the same for both engines, so SQLite → PostgreSQL is a backup and a restore.
//!
//! The file is gzip over lines of JSON:
//!
//! ```text
//! {"kalends":"backup","format":1,"schema":1}                          what it is; `schema` is the newest migration
//! {"table":"principal","columns":["id","kind",…]}                     a table begins
//! [1,"user",…]                                                        a row: numbers, texts, null; bytes as base64
//! {"end":true,"rows":123}                                             complete, with this many rows
//! ```
//!
//! Tables come in an order in which each refers to earlier ones only. Secrets are in it as they are in the database:
//! hashed or sealed; the sealing key is not. It is taken from one snapshot while the server serves.
//!
//! After a restore clients must not go on from sync tokens of the lost time: every calendar's number is moved far
//! ahead, older tokens are refused, and ids given out meanwhile are not given out again.

mod restore;

use std::io::{BufWriter, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::Store;
use super::migrate::MIGRATIONS;
use super::schema::{Kind, TABLES, Table};
use super::sql::{Row, Sql, Tx};
use crate::model::{Error, Result};

pub use restore::restore;

const FORMAT: i64 = 1;

/// What was written or restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub tables: u64,
    pub rows: u64,
    pub principals: u64,
    pub objects: u64,
}

impl Summary {
    fn count(&mut self, table: &Table) {
        self.rows += 1;
        match table.name {
            "principal" => self.principals += 1,
            "object" => self.objects += 1,
            _ => {}
        }
    }
}

/// Lines of the file that are not rows.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Mark {
    Header {
        kalends: String,
        format: i64,
        schema: i64,
    },
    Table {
        table: String,
        columns: Vec<String>,
    },
    End {
        end: bool,
        rows: u64,
    },
}

/// Writes everything to `out`; `progress` hears of every table and of every thousand rows.
///
/// # Errors
/// When the database cannot be read or `out` cannot be written.
pub async fn backup<W, P>(store: &Store, out: W, progress: P) -> Result<Summary>
where
    W: Write + Send,
    P: FnMut(&str, u64) + Send,
{
    let zip = flate2::write::GzEncoder::new(BufWriter::new(out), flate2::Compression::new(6));
    let mut writer = Writer {
        out: zip,
        summary: Summary::default(),
        progress,
        line: Vec::new(),
    };
    writer.mark(&Mark::Header {
        kalends: "backup".into(),
        format: FORMAT,
        schema: MIGRATIONS.len() as i64,
    })?;
    let all = &mut writer;
    store.read(|tx| Box::pin(all.tables(tx))).await?;
    writer.mark(&Mark::End {
        end: true,
        rows: writer.summary.rows,
    })?;
    let flushed = writer.out.finish().and_then(|mut out| out.flush());
    flushed.map_err(|e| unwritable(&e))?;
    Ok(writer.summary)
}

fn unwritable(why: &std::io::Error) -> Error {
    Error::Internal(format!("the backup cannot be written: {why}"))
}

struct Writer<W: Write, P> {
    out: flate2::write::GzEncoder<BufWriter<W>>,
    summary: Summary,
    progress: P,
    line: Vec<u8>,
}

impl<W: Write + Send, P: FnMut(&str, u64) + Send> Writer<W, P> {
    async fn tables(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        for table in TABLES {
            let columns: Vec<_> = table
                .columns
                .iter()
                .map(|(name, _)| (*name).to_string())
                .collect();
            let text = format!("select {} from {}", columns.join(", "), table.name);
            self.mark(&Mark::Table {
                table: table.name.into(),
                columns,
            })?;
            self.summary.tables += 1;
            tx.each(Sql::new(&text, &text), &[], |row| self.row(table, row))
                .await?;
            (self.progress)(table.name, self.summary.rows);
        }
        Ok(())
    }

    fn row(&mut self, table: &Table, row: &Row<'_>) -> Result<()> {
        self.line.clear();
        for (at, (_, kind)) in table.columns.iter().enumerate() {
            self.line.push(if at == 0 { b'[' } else { b',' });
            self.value(row, at, *kind)?;
        }
        self.line.extend_from_slice(b"]\n");
        self.out.write_all(&self.line).map_err(|e| unwritable(&e))?;
        self.summary.count(table);
        if self.summary.rows.is_multiple_of(1000) {
            (self.progress)(table.name, self.summary.rows);
        }
        Ok(())
    }

    fn value(&mut self, row: &Row<'_>, at: usize, kind: Kind) -> Result<()> {
        let written = match kind {
            Kind::Int => serde_json::to_writer(&mut self.line, &row.opt_int(at)?),
            Kind::Text => serde_json::to_writer(&mut self.line, &row.opt_text(at)?),
            Kind::Bytes => serde_json::to_writer(
                &mut self.line,
                &row.opt_bytes(at)?.map(|b| STANDARD.encode(b)),
            ),
        };
        written.map_err(Error::internal)
    }

    fn mark(&mut self, mark: &Mark) -> Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, mark).map_err(Error::internal)?;
        self.line.push(b'\n');
        self.out.write_all(&self.line).map_err(|e| unwritable(&e))
    }
}
