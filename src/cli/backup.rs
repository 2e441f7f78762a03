//! `kalends backup`, `kalends restore`, `kalends verify`: the whole database.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, Outcome, output};
use crate::app::App;
use crate::store::{backup as dump, verify as checking};

#[derive(Args)]
pub struct Backup {
    file: PathBuf,
}

#[derive(Args)]
pub struct Restore {
    file: PathBuf,
}

#[derive(Args)]
pub struct Verify {
    /// Faults as JSON
    #[arg(long)]
    json: bool,
}

/// Written beside and moved into place when it is whole: an interrupted backup leaves the previous one.
pub async fn backup(app: &App, backup: Backup) -> Outcome {
    let path = &backup.file;
    let said = |fault: io::Error| Failure::Failed(format!("{}: {fault}", path.display()));
    let name = path
        .file_name()
        .ok_or_else(|| Failure::Usage(format!("{} is not a file name", path.display())))?;
    let mut draft = name.to_os_string();
    draft.push(".part");
    let draft = path.with_file_name(draft);
    let file = private_file(&draft).map_err(said)?;
    let written = dump::backup(&app.store, &file, progress()).await;
    end_progress();
    let summary = match written {
        Ok(summary) => summary,
        Err(fault) => {
            let _ = std::fs::remove_file(&draft);
            return Err(fault.into());
        }
    };
    file.sync_all().map_err(said)?;
    std::fs::rename(&draft, path).map_err(said)?;
    eprintln!("{}: {}", path.display(), words(&summary));
    eprintln!("The sealing key is not in it: keep a copy of that apart.");
    Ok(())
}

pub async fn restore(app: &App, restore: Restore) -> Outcome {
    let path = &restore.file;
    let file = File::open(path)
        .map_err(|fault| Failure::Failed(format!("{}: {fault}", path.display())))?;
    let restored = dump::restore(&app.store, file, progress()).await;
    end_progress();
    let summary =
        restored.map_err(|fault| Failure::Failed(format!("{}: {fault}", path.display())))?;
    eprintln!("{}: {}", path.display(), words(&summary));
    eprintln!(
        "Feed addresses are shown again only with the sealing key of the installation that was backed up."
    );
    Ok(())
}

pub async fn verify(app: &App, verify: Verify) -> Outcome {
    let faults = checking::verify(&app.store).await?;
    let rows: Vec<Vec<serde_json::Value>> = faults
        .iter()
        .map(|fault| {
            vec![
                fault.table.into(),
                fault.what.as_str().into(),
                fault.place.as_str().into(),
            ]
        })
        .collect();
    if verify.json || !rows.is_empty() {
        output::rows(verify.json, &["table", "what", "place"], &rows)?;
    }
    if rows.is_empty() {
        eprintln!("everything that must hold does");
        return Ok(());
    }
    eprintln!(
        "{} faults: please report them, with the version, and keep a copy of the database",
        rows.len()
    );
    Err(Failure::Said)
}

fn words(summary: &dump::Summary) -> String {
    let dump::Summary {
        tables,
        rows,
        principals,
        objects,
    } = summary;
    format!("{principals} principals, {objects} objects ({rows} rows of {tables} tables)")
}

/// A backup holds everything but the sealing key: for nobody else's eyes.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// One line on a terminal that is written over; nothing elsewhere.
fn progress() -> impl FnMut(&str, u64) + Send + 'static {
    let shown = io::stderr().is_terminal();
    move |table, rows| {
        if shown {
            let _ = write!(io::stderr(), "\r{table:20} {rows:>12}");
        }
    }
}

fn end_progress() {
    if io::stderr().is_terminal() {
        eprint!("\r{:34}\r", "");
    }
}
