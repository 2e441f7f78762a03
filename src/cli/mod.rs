//! The command line: a file per group of commands. Exit codes: 0 done, 1 failed, 2 wrong usage or settings.
//!
//! Commands open the database themselves and so work beside a running server. What a script wants goes to standard
//! output, everything said to people to standard error.

mod backup;
mod credential;
mod doctor;
mod feed;
mod keys;
mod output;
mod serve;
mod sync;
mod transfer;
mod user;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::app::App;
use crate::clock::{Clock, Dice};
use crate::config::{self, Config, Sources};
use crate::model::Error;
use crate::seal::Seal;
use crate::store::{DatabaseUrl, Store, StoreOptions};

/// A self-hosted calendar server: CalDAV, feeds, free/busy and sessions.
#[derive(Parser)]
#[command(
    name = "kalends",
    version,
    propagate_version = true,
    disable_help_subcommand = true
)]
struct Line {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
struct Options {
    /// Settings file [default: config.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the database and the sealing key [default: ./data]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Address to listen on [default: 127.0.0.1:8008]
    #[arg(long, global = true, value_name = "ADDR")]
    listen: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// The server (what `kalends` alone does, too)
    Serve,
    /// People: add, list, passwd, rename, remove, export
    User(user::User),
    /// Passwords for devices: new, list, revoke
    AppPassword(credential::AppPassword),
    /// API tokens: new, list, revoke
    Token(credential::Token),
    /// Secret addresses of calendars: new, list, revoke
    Feed(feed::Feed),
    /// Put .ics files into a calendar, with a verdict for each event
    Import(transfer::Import),
    /// Write a calendar, or all of somebody's, to standard output
    Export(transfer::Export),
    /// Run somebody's links with other calendars now, or say what that would do
    Sync(sync::Sync),
    /// Write the whole database into one file, while the server runs
    Backup(backup::Backup),
    /// Fill an empty database of either kind from such a file
    Restore(backup::Restore),
    /// Check everything that must hold in the database
    Verify(backup::Verify),
    /// Keys that secrets in the database are sealed with: list, rotate, drop
    Keys(keys::Keys),
    /// Say what is wrong with this installation, and what to do
    Doctor(doctor::Doctor),
}

/// Why a command ended early.
enum Failure {
    /// Exit code 2.
    Usage(String),
    /// Exit code 1.
    Failed(String),
    /// Exit code 1; everything has been said.
    Said,
}

type Outcome = Result<(), Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Failed(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::Failed(error.to_string())
    }
}

/// Runs the command line with these variables.
pub fn main(arguments: Vec<OsString>, variables: Vec<(String, String)>) -> ExitCode {
    let line = match Line::try_parse_from(arguments) {
        Ok(line) => line,
        Err(fault) => {
            // `--help` and `--version` come this way, too, and go to standard output with code 0.
            let _ = fault.print();
            return ExitCode::from(u8::try_from(fault.exit_code()).unwrap_or(2));
        }
    };
    let outcome =
        Setting::read(line.options, variables).and_then(|setting| run(line.command, setting));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Said) => ExitCode::from(1),
        Err(Failure::Failed(why)) => complain(&why, 1),
        Err(Failure::Usage(why)) => complain(&why, 2),
    }
}

fn complain(why: &str, code: u8) -> ExitCode {
    eprintln!("kalends: {why}");
    ExitCode::from(code)
}

fn run(command: Option<Command>, setting: Setting) -> Outcome {
    match command {
        None | Some(Command::Serve) => serve::run(setting),
        Some(Command::Doctor(doctor)) => doctor::run(doctor, setting),
        Some(command) => setting.with_app(async |app| with_app(&app, command).await),
    }
}

async fn with_app(app: &App, command: Command) -> Outcome {
    match command {
        Command::User(user) => user::run(app, user).await,
        Command::AppPassword(command) => credential::app_password(app, command).await,
        Command::Token(command) => credential::token(app, command).await,
        Command::Feed(feed) => feed::run(app, feed).await,
        Command::Import(import) => transfer::import(app, import).await,
        Command::Sync(sync) => sync::run(app, sync).await,
        Command::Export(export) => transfer::export(app, export).await,
        Command::Backup(backup) => backup::backup(app, backup).await,
        Command::Restore(restore) => backup::restore(app, restore).await,
        Command::Keys(command) => keys::run(app, command).await,
        Command::Verify(verify) => backup::verify(app, verify).await,
        // Handled before a database was opened.
        Command::Serve | Command::Doctor(_) => Ok(()),
    }
}

/// The settings of this run, and the sealing key if the environment has it.
struct Setting {
    config: Config,
    key: Option<String>,
}

impl Setting {
    fn read(options: Options, variables: Vec<(String, String)>) -> Result<Setting, Failure> {
        let key = variables
            .iter()
            .find(|(name, _)| name == "KALENDS_KEY")
            .map(|(_, key)| key.clone());
        let flags = [("data_dir", options.data_dir), ("listen", options.listen)];
        let sources = Sources {
            file: options.config,
            variables,
            flags: flags
                .into_iter()
                .filter_map(|(key, value)| Some((key, value?)))
                .collect(),
        };
        let config = config::load(&sources).map_err(Failure::Usage)?;
        Ok(Setting { config, key })
    }

    /// Opens the database, and what belongs to it.
    async fn open(self) -> Result<App, Failure> {
        let (clock, dice) = (Clock::system(), Dice::system());
        create_private_folder(&self.config.data_dir)?;
        let seal = Seal::open(self.key.as_deref(), &self.config.key_file(), &dice)?;
        let url = DatabaseUrl::parse(&self.config.database_url())?;
        let store = Store::open(&url, &StoreOptions::default()).await?;
        Ok(App::new(self.config, store, clock, dice, seal)?)
    }

    /// Runs a command on this thread and closes the database after it.
    fn with_app(self, work: impl AsyncFnOnce(App) -> Outcome) -> Outcome {
        quiet_log();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let app = self.open().await?;
            let store = app.store.clone();
            let outcome = work(app).await;
            store.close().await;
            outcome
        })
    }
}

/// Commands say what they have to say themselves; warnings of the layers below still show.
fn quiet_log() {
    let log = config::Log {
        level: "warn".into(),
        ..config::Log::default()
    };
    let subscriber = crate::server::log::subscriber(&log, std::io::stderr);
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// The data folder, for nobody else's eyes when it is made here.
fn create_private_folder(path: &Path) -> Outcome {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|fault| {
        Failure::Failed(format!("{}: {fault} (setting `data_dir`)", path.display()))
    })
}
