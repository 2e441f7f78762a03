//! `kalends import`, `kalends export`, `kalends user export`: .ics files in and out.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{Failure, Outcome, output};
use crate::app::import::{self, Outcome as Stored, Summary, Verdict};
use crate::app::{App, calendars, export as exporting, feeds, users};
use crate::model::{Bound, Privilege, Privileges, Who, Writable};
use crate::store::credentials::CredentialKind;

#[derive(Args)]
pub struct Import {
    name: String,
    /// The calendar: the last part of its address
    slug: String,
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Store nothing; say what would happen
    #[arg(long)]
    dry_run: bool,
    /// Verdicts as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct Export {
    name: String,
    /// One calendar; otherwise all of theirs
    slug: Option<String>,
}

/// One verdict a line on standard output, the sums on standard error. Something refused: exit code 1.
pub async fn import(app: &App, import: Import) -> Outcome {
    let who = users::acting(app, &import.name).await?;
    let needs = Privileges::NONE
        .with(Privilege::Bind)
        .with(Privilege::WriteContent);
    let calendar = calendars::to_write(app, &who, &import.slug, needs)
        .await
        .map_err(|fault| Failure::Failed(format!("{}/{}: {fault}", import.name, import.slug)))?;
    let mut told = Told::new(import.json);
    let mut sum = Summary::default();
    let mut unread = false;
    for path in &import.files {
        match one_file(app, &who, &calendar, path, import.dry_run, &mut told).await {
            Ok(summary) => add(&mut sum, summary),
            Err(why) => {
                unread = true;
                told.file(path, &why)?;
            }
        }
    }
    told.end()?;
    eprintln!(
        "{}created {}, updated {}, unchanged {}, refused {} (repaired on the way: {})",
        if import.dry_run { "dry run: " } else { "" },
        sum.created,
        sum.updated,
        sum.unchanged,
        sum.refused,
        sum.repaired
    );
    match unread || sum.refused > 0 {
        true => Err(Failure::Said),
        false => Ok(()),
    }
}

async fn one_file(
    app: &App,
    who: &Who,
    calendar: &Writable<Bound>,
    path: &Path,
    dry_run: bool,
    told: &mut Told,
) -> Result<Summary, String> {
    let limit = app.config.limits.import_bytes;
    let mut text = Vec::new();
    let file = std::fs::File::open(path).map_err(|fault| fault.to_string())?;
    // One byte more than allowed is enough to be refused with the limit's name.
    file.take(limit as u64 + 1)
        .read_to_end(&mut text)
        .map_err(|fault| fault.to_string())?;
    let mut broken = None;
    let tell = |verdict: &Verdict| {
        if let Err(fault) = told.event(path, verdict) {
            broken.get_or_insert(fault);
        }
    };
    let summary = import::import(app, who, calendar, &text, dry_run, tell).await;
    match broken {
        Some(fault) => Err(fault.to_string()),
        None => summary.map_err(|fault| fault.to_string()),
    }
}

fn add(sum: &mut Summary, more: Summary) {
    sum.created += more.created;
    sum.updated += more.updated;
    sum.unchanged += more.unchanged;
    sum.repaired += more.repaired;
    sum.refused += more.refused;
}

/// Verdicts on standard output: lines as they come, or one JSON array.
struct Told {
    json: Option<Vec<Value>>,
}

impl Told {
    fn new(json: bool) -> Told {
        Told {
            json: json.then(Vec::new),
        }
    }

    fn event(&mut self, path: &Path, verdict: &Verdict) -> io::Result<()> {
        let (word, reason) = words(&verdict.outcome);
        let uid = verdict.uid.as_deref().unwrap_or("-");
        if let Some(all) = &mut self.json {
            all.push(json!({
                "file": path.display().to_string(), "line": verdict.line, "uid": verdict.uid,
                "title": verdict.title, "verdict": word, "reason": reason, "repairs": verdict.repairs,
            }));
            return Ok(());
        }
        let mut line = format!("{word:9} {}:{} {uid}", path.display(), verdict.line);
        if let Some(title) = &verdict.title {
            line += &format!(" “{title}”");
        }
        if let Some(reason) = reason {
            line += &format!(": {reason}");
        }
        if !verdict.repairs.is_empty() {
            line += &format!(" (repaired: {})", verdict.repairs.join("; "));
        }
        say(&line)
    }

    /// A file that could not be read as a whole.
    fn file(&mut self, path: &Path, why: &str) -> io::Result<()> {
        if let Some(all) = &mut self.json {
            all.push(
                json!({ "file": path.display().to_string(), "verdict": "refused", "reason": why }),
            );
            return Ok(());
        }
        say(&format!("{:9} {}: {why}", "refused", path.display()))
    }

    fn end(self) -> io::Result<()> {
        let Some(all) = self.json else {
            return Ok(());
        };
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &all)?;
        writeln!(out)
    }
}

/// One line, whatever the file put into titles.
fn say(line: &str) -> io::Result<()> {
    let line: String = line
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    writeln!(io::stdout().lock(), "{line}")
}

fn words(outcome: &Stored) -> (&'static str, Option<String>) {
    match outcome {
        Stored::Created => ("created", None),
        Stored::Updated => ("updated", None),
        Stored::Unchanged => ("unchanged", None),
        Stored::Refused {
            precondition: Some(name),
            reason,
        } => ("refused", Some(format!("{name}: {reason}"))),
        Stored::Refused { reason, .. } => ("refused", Some(reason.clone())),
    }
}

pub async fn export(app: &App, export: Export) -> Outcome {
    let who = users::acting(app, &export.name).await?;
    let (title, chosen) = match &export.slug {
        Some(slug) => {
            let one = calendars::to_read(app, &who, slug).await;
            let one =
                one.map_err(|fault| Failure::Failed(format!("{}/{slug}: {fault}", export.name)))?;
            (slug.clone(), vec![(*one).clone()])
        }
        None => (export.name.clone(), owned(app, &who).await?),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    exporting::export(app, &chosen, &title, |piece| out.write_all(piece)).await?;
    out.flush()?;
    Ok(())
}

/// Calendars that are somebody's own, not those that others share with them.
async fn owned(app: &App, who: &Who) -> Result<Vec<Bound>, Failure> {
    let all = calendars::list(app, who).await?;
    let theirs = |bound: &Bound| bound.calendar.owner == who.id;
    Ok(all
        .into_iter()
        .map(|(bound, _)| bound)
        .filter(theirs)
        .collect())
}

/// Everything that is kept about somebody: a file for each calendar, and `account.json`.
pub async fn export_all(app: &App, name: &str, folder: &Path) -> Outcome {
    let who = users::acting(app, name).await?;
    let said = |fault: io::Error| Failure::Failed(format!("{}: {fault}", folder.display()));
    std::fs::create_dir_all(folder).map_err(said)?;
    for bound in owned(app, &who).await? {
        let path = folder.join(format!("{}.ics", file_name(&bound.slug)));
        let mut file = io::BufWriter::new(std::fs::File::create(&path).map_err(said)?);
        let one = std::slice::from_ref(&bound);
        let count = exporting::export(app, one, &bound.slug, |piece| file.write_all(piece)).await?;
        file.flush().map_err(said)?;
        eprintln!("{}: {count} objects", path.display());
    }
    let account = serde_json::to_vec_pretty(&account(app, &who).await?).map_err(io::Error::from)?;
    std::fs::write(folder.join("account.json"), account).map_err(said)?;
    Ok(())
}

/// A slug may hold characters that no file name should.
fn file_name(slug: &str) -> String {
    crate::model::path::encode(slug).replace("..", "%2E%2E")
}

async fn account(app: &App, who: &Who) -> Result<Value, Failure> {
    let one = users::find(app, &who.name).await?;
    let mut secrets = Vec::new();
    for kind in [CredentialKind::AppPassword, CredentialKind::ApiToken] {
        for known in users::credentials(app, kind, &who.name).await? {
            secrets.push(json!({
                "kind": kind.as_str(), "label": known.label, "scopes": known.scopes,
                "created": output::time(known.created), "last_used": known.last_used.map(output::time),
                "revoked": known.revoked.map(output::time),
            }));
        }
    }
    let mut feeds_of = Vec::new();
    for shown in feeds::list(app, who).await? {
        feeds_of.push(json!({
            "calendars": shown.slugs(), "privacy": shown.feed.privacy, "comment": shown.feed.comment,
            "created": output::time(shown.feed.created), "last_fetch": shown.feed.last_fetch.map(output::time),
            "last_agent": shown.feed.last_agent,
        }));
    }
    Ok(json!({
        "name": one.name, "display_name": one.display_name, "addresses": one.addresses, "admin": one.admin,
        "created": output::time(one.created), "credentials": secrets, "feeds": feeds_of,
    }))
}
