//! `kalends app-password` and `kalends token`: secrets for devices and programs. Printed once, alone on standard output.

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{Failure, Outcome, output};
use crate::app::App;
use crate::app::users;
use crate::model::CredentialId;
use crate::model::access::Scopes;
use crate::store::credentials::CredentialKind;

#[derive(Args)]
pub struct AppPassword {
    #[command(subcommand)]
    command: AppPasswordCommand,
}

#[derive(Subcommand)]
enum AppPasswordCommand {
    /// Make one, and print it this once
    New {
        name: String,
        /// What it is for: "phone"
        #[arg(long, value_name = "TEXT")]
        label: String,
    },
    #[command(flatten)]
    Known(Known),
}

#[derive(Args)]
pub struct Token {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Make one, and print it this once
    New {
        name: String,
        /// What it is for: "crm"
        #[arg(long, value_name = "TEXT")]
        label: String,
        /// read write freebusy book bridge admin; separated by commas, or given several times
        #[arg(long, value_name = "SCOPE", required = true)]
        scope: Vec<String>,
    },
    #[command(flatten)]
    Known(Known),
}

#[derive(Subcommand)]
enum Known {
    /// Those that were made, revoked ones too
    List {
        name: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// End one: in every server within seconds
    Revoke {
        name: String,
        /// As `list` shows it
        id: i64,
    },
}

pub async fn app_password(app: &App, command: AppPassword) -> Outcome {
    match command.command {
        AppPasswordCommand::New { name, label } => {
            show(&users::new_app_password(app, &name, &label).await?);
            Ok(())
        }
        AppPasswordCommand::Known(command) => {
            known(app, CredentialKind::AppPassword, command).await
        }
    }
}

pub async fn token(app: &App, command: Token) -> Outcome {
    match command.command {
        TokenCommand::New { name, label, scope } => {
            let scopes = Scopes::parse(&scope.join(","))
                .map_err(|word| Failure::Usage(format!("there is no scope `{word}`")))?;
            show(&users::new_token(app, &name, &label, scopes).await?);
            Ok(())
        }
        TokenCommand::Known(command) => known(app, CredentialKind::ApiToken, command).await,
    }
}

fn show(secret: &SecretString) {
    println!("{}", secret.expose_secret());
}

async fn known(app: &App, kind: CredentialKind, command: Known) -> Outcome {
    match command {
        Known::List { name, json } => list(app, kind, &name, json).await,
        Known::Revoke { name, id } => {
            if users::revoke(app, &name, CredentialId(id)).await? {
                return Ok(());
            }
            Err(Failure::Failed(format!(
                "{name} has none in force with the id {id}"
            )))
        }
    }
}

async fn list(app: &App, kind: CredentialKind, name: &str, json: bool) -> Outcome {
    let all = users::credentials(app, kind, name).await?;
    let when = |time: Option<i64>| time.map_or(Value::Null, output::time);
    let rows: Vec<Vec<Value>> = all
        .into_iter()
        .map(|one| {
            vec![
                one.id.0.into(),
                one.label.into(),
                one.scopes.into(),
                output::time(one.created),
                when(one.last_used),
                when(one.revoked),
            ]
        })
        .collect();
    output::rows(
        json,
        &["id", "label", "scopes", "created", "last_used", "revoked"],
        &rows,
    )
}
