//! `kalends sync`: what runs of somebody's links would do, or do. It works beside a running server: connections are
//! leased, so that one process works on each at a time.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::{Failure, Outcome, output};
use crate::app::links::{self, Shown};
use crate::app::{App, users};
use crate::model::{ConnectionId, Error, Who};
use crate::sync::Report;

#[derive(Args)]
pub struct Sync {
    name: String,
    /// Only the links of this connection
    #[arg(long, value_name = "ID")]
    connection: Option<i64>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A connection that a server works on is asked for again so often …
const ATTEMPTS: usize = 60;
/// … and this far apart.
const PAUSE: Duration = Duration::from_secs(1);

pub async fn run(app: &App, sync: Sync) -> Outcome {
    let who = users::acting(app, &sync.name).await?;
    let mut all = links::list(app, &who).await?;
    if let Some(id) = sync.connection.map(ConnectionId) {
        all.retain(|shown| shown.connection.id == id);
        if all.is_empty() {
            return Err(Failure::Failed(format!(
                "{} has no links of the connection {id}",
                sync.name
            )));
        }
    }
    let mut rows = Vec::new();
    let mut failed = false;
    for shown in &all {
        if !sync.json {
            eprintln!("{} ↔ {} …", shown.name, shown.remote.name);
        }
        match sync.dry_run {
            true => failed |= plan(app, &who, shown, &mut rows).await,
            false => failed |= work(app, &who, shown, &mut rows).await,
        }
    }
    let columns: &[&str] = match sync.dry_run {
        true => &[
            "link", "calendar", "remote", "action", "title", "uid", "problem",
        ],
        false => &[
            "link", "calendar", "remote", "here", "there", "waiting", "problem",
        ],
    };
    output::rows(sync.json, columns, &rows)?;
    match failed {
        true => Err(Failure::Said),
        false => Ok(()),
    }
}

fn ends(shown: &Shown) -> Vec<Value> {
    vec![
        shown.link.id.0.into(),
        shown.name.as_str().into(),
        shown.remote.name.as_str().into(),
    ]
}

/// Asks again while another process works on the connection.
async fn patiently<T>(mut ask: impl AsyncFnMut() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 1..ATTEMPTS {
        match ask().await {
            Err(Error::Unavailable(_)) => tokio::time::sleep(PAUSE).await,
            done => return done,
        }
    }
    ask().await
}

async fn plan(app: &App, who: &Who, shown: &Shown, rows: &mut Vec<Vec<Value>>) -> bool {
    let id = shown.link.id;
    match patiently(async || links::dry_run(app, who, id).await).await {
        Err(fault) => {
            rows.push(problem(shown, 3, &fault.to_string()));
            true
        }
        Ok(planned) => {
            for one in planned {
                let mut row = ends(shown);
                row.extend([
                    one.act.as_str().into(),
                    one.title.into(),
                    one.uid.into(),
                    one.refused.into(),
                ]);
                rows.push(row);
            }
            false
        }
    }
}

async fn work(app: &App, who: &Who, shown: &Shown, rows: &mut Vec<Vec<Value>>) -> bool {
    let id = shown.link.id;
    let report = match patiently(async || links::run_now(app, who, id).await).await {
        Ok(report) => report,
        Err(fault) => {
            rows.push(problem(shown, 3, &fault.to_string()));
            return true;
        }
    };
    let c = &report.counts;
    let mut row = ends(shown);
    row.extend([
        told(c.created_here, c.updated_here, c.deleted_here),
        told(c.created_there, c.updated_there, c.deleted_there),
        json!(c.parked + c.postponed),
        problem_of(&report).into(),
    ]);
    rows.push(row);
    report.fault.is_some() || report.asked.is_some()
}

fn problem_of(report: &Report) -> Option<String> {
    let asked = report.asked.as_ref();
    let asked = asked.map(|asked| format!("this needs a yes of its owner: {asked}"));
    report.fault.clone().or(asked)
}

/// `+2 ~1 -0`
fn told(created: u64, updated: u64, deleted: u64) -> Value {
    format!("+{created} ~{updated} -{deleted}").into()
}

/// A row that has nothing but what went wrong.
fn problem(shown: &Shown, blanks: usize, why: &str) -> Vec<Value> {
    let mut row = ends(shown);
    row.extend(std::iter::repeat_n(Value::Null, blanks));
    row.push(why.into());
    row
}
