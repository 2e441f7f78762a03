//! `kalends keys`: the keys that secrets in the database are sealed with.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Failure, Outcome, output};
use crate::app::App;
use crate::app::keys::{self, Used};

#[derive(Args)]
pub struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Which keys there are, and how many secrets each of them seals
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Seal everything with a new key, while servers run
    Rotate,
    /// Take keys out of the key file that seal nothing any more
    Drop,
}

pub async fn run(app: &App, keys: Keys) -> Outcome {
    match keys.command {
        Command::List { json } => list(app, json).await,
        Command::Rotate => rotate(app).await,
        Command::Drop => drop_old(app).await,
    }
}

async fn list(app: &App, json: bool) -> Outcome {
    let state = |key: &Used| match key {
        Used { seals: true, .. } => "seals",
        Used { known: true, .. } => "opens",
        _ => "missing",
    };
    let all = keys::list(app).await?;
    let rows: Vec<Vec<Value>> = all
        .iter()
        .map(|key| {
            vec![
                key.id.as_str().into(),
                state(key).into(),
                key.secrets.into(),
            ]
        })
        .collect();
    output::rows(json, &["key", "state", "secrets"], &rows)
}

async fn rotate(app: &App) -> Outcome {
    let done = keys::rotate(app, |count| eprintln!("{count} secrets sealed anew")).await?;
    let began = if done.new {
        "a new key"
    } else {
        "the newest key, which an earlier rotation made,"
    };
    eprintln!(
        "{began} {} seals from now on; {} secrets were sealed anew",
        done.key, done.resealed
    );
    if let Some(file) = app.seal.file() {
        eprintln!(
            "Keep a copy of {} apart from the backups. Servers with a copy of their own need the new one now.\n\
             The old key is still in it, for backups from before; `kalends keys drop` takes it out.",
            file.display()
        );
    }
    match done.lost {
        0 => Ok(()),
        lost => Err(Failure::Failed(format!(
            "{lost} secrets are sealed with a key that is not here: see `kalends keys list`"
        ))),
    }
}

async fn drop_old(app: &App) -> Outcome {
    let dropped = keys::drop_old(app).await?;
    match dropped.as_slice() {
        [] => eprintln!("there is only the one key that seals"),
        ids => eprintln!("gone from the key file: {}", ids.join(", ")),
    }
    Ok(())
}
