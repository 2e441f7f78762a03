//! `kalends user`: people.

use std::io::{BufRead, IsTerminal};

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{Failure, Outcome, output, transfer};
use crate::app::users::{self, Change, NewUser};
use crate::app::{App, traces};
use crate::model::Principal;

#[derive(Args)]
pub struct User {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a user with calendars of their own, and print an app password
    Add(Add),
    /// Everybody
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Set the password that a person types in, read from standard input
    Passwd {
        name: String,
        /// Take it away: app passwords only
        #[arg(long)]
        none: bool,
    },
    /// Change address, display name, rights and ways in
    Set(Set),
    /// Give somebody another name; addresses with the old one redirect
    Rename { name: String, new: String },
    /// Remove somebody with their calendars, history, credentials and feeds, and list what remains
    Remove {
        name: String,
        /// Without asking
        #[arg(long)]
        yes: bool,
    },
    /// Write everything that is kept about somebody into a folder: their calendars as .ics, the rest as JSON
    Export {
        name: String,
        #[arg(value_name = "DIR")]
        folder: std::path::PathBuf,
    },
}

#[derive(Args)]
struct Add {
    /// a-z 0-9 . _ @ -
    name: String,
    #[arg(long, value_name = "MAIL")]
    email: Option<String>,
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// May do everything through the API
    #[arg(long)]
    admin: bool,
    /// Read a password from standard input, and make no app password
    #[arg(long)]
    password_stdin: bool,
    /// Make neither password nor app password
    #[arg(long, conflicts_with = "password_stdin")]
    no_password: bool,
}

#[derive(Args)]
struct Set {
    name: String,
    #[arg(long, value_name = "MAIL")]
    email: Option<String>,
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    #[arg(long, value_name = "true|false")]
    admin: Option<bool>,
    /// App passwords only: a password alone opens nothing
    #[arg(long, value_name = "true|false")]
    second_factor: Option<bool>,
    /// Nothing opens the door; what is theirs stays
    #[arg(long, value_name = "true|false")]
    disabled: Option<bool>,
}

impl Set {
    fn split(self) -> (String, Change) {
        let change = Change {
            email: self.email,
            display_name: self.display_name,
            admin: self.admin,
            second_factor: self.second_factor,
            disabled: self.disabled,
        };
        (self.name, change)
    }
}

pub async fn run(app: &App, user: User) -> Outcome {
    match user.command {
        Command::Add(command) => add(app, command).await,
        Command::List { json } => list(app, json).await,
        Command::Passwd { name, none } => passwd(app, &name, none).await,
        Command::Set(set) => {
            let (name, change) = set.split();
            Ok(users::change(app, &name, change).await?)
        }
        Command::Rename { name, new } => Ok(users::rename(app, &name, &new).await?),
        Command::Remove { name, yes } => remove(app, &name, yes).await,
        Command::Export { name, folder } => transfer::export_all(app, &name, &folder).await,
    }
}

async fn add(app: &App, add: Add) -> Outcome {
    let password = add.password_stdin.then(password_from_input).transpose()?;
    let device = password.is_none() && !add.no_password;
    let name = add.name.clone();
    let user = NewUser {
        name: add.name,
        email: add.email,
        display_name: add.display_name,
        admin: add.admin,
        password,
    };
    users::add(app, user).await?;
    eprintln!("CalDAV address   {}", app.url("/dav/"));
    eprintln!("user name        {name}");
    if device {
        let secret = users::new_app_password(app, &name, "first device").await?;
        eprintln!("app password, shown this once:");
        println!("{}", secret.expose_secret());
    }
    Ok(())
}

async fn list(app: &App, json: bool) -> Outcome {
    let everybody = users::list(app).await?;
    let rows: Vec<Vec<serde_json::Value>> = everybody
        .into_iter()
        .map(|one| {
            vec![
                one.name.into(),
                one.kind.as_str().into(),
                one.display_name.into(),
                one.addresses.into(),
                one.admin.into(),
                output::time(one.created),
                one.disabled.map_or(serde_json::Value::Null, output::time),
            ]
        })
        .collect();
    let columns = [
        "name",
        "kind",
        "display_name",
        "addresses",
        "admin",
        "created",
        "disabled",
    ];
    output::rows(json, &columns, &rows)
}

async fn passwd(app: &App, name: &str, none: bool) -> Outcome {
    let new = (!none).then(password_from_input).transpose()?;
    Ok(users::set_password(app, name, new.as_ref()).await?)
}

async fn remove(app: &App, name: &str, yes: bool) -> Outcome {
    let found = users::find(app, name).await?;
    if !yes {
        if !std::io::stdin().is_terminal() {
            return Err(Failure::Usage("nobody is here to ask: give --yes".into()));
        }
        eprint!(
            "Remove {} with all calendars, for good? Type the name: ",
            found.name
        );
        let mut typed = String::new();
        std::io::stdin().lock().read_line(&mut typed)?;
        if typed.trim() != found.name {
            return Err(Failure::Failed("nothing was removed".into()));
        }
    }
    users::remove(app, &found.name).await?;
    eprintln!(
        "{} is removed, with calendars, history, credentials and feeds.",
        found.name
    );
    remains(app, &found).await
}

/// What is not ours to take away: on standard output, a line a calendar.
async fn remains(app: &App, person: &Principal) -> Outcome {
    let found = traces::of(app, person).await?;
    eprintln!(
        "What remains: backups made before, and {}",
        match found.is_empty() {
            true => "nothing in the calendars of others, where no address of theirs is written.",
            false => "what names an address of theirs in the calendars of others:",
        }
    );
    for trace in found {
        let place = match trace.slug.as_str() {
            "" => format!("{}, in the trash", trace.owner),
            slug => format!("{}/{slug}", trace.owner),
        };
        println!(
            "{place}: {}, {}",
            counted(trace.objects, "entry", "entries"),
            counted(trace.versions, "earlier version", "earlier versions")
        );
    }
    Ok(())
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// One line of standard input.
fn password_from_input() -> Result<SecretString, Failure> {
    if std::io::stdin().is_terminal() {
        eprintln!("The password (it will be seen here; pipe it in to avoid that):");
    }
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::Usage(
            "there is no password on standard input".into(),
        ));
    }
    Ok(password.into())
}
