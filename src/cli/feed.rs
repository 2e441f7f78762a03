//! `kalends feed`: secret addresses of calendars.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Failure, Outcome, output};
use crate::app::feeds::{self, New, Privacy, Shown};
use crate::app::{App, users};
use crate::model::FeedId;

#[derive(Args)]
pub struct Feed {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make one, and print its address
    New(NewFeed),
    /// Those in force, with their addresses
    List {
        name: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// End one
    Revoke {
        name: String,
        /// As `list` shows it
        id: i64,
    },
}

#[derive(Args)]
struct NewFeed {
    name: String,
    /// A calendar of theirs; several times, or with commas
    #[arg(long, value_name = "SLUG", required = true, value_delimiter = ',', num_args = 1..)]
    calendar: Vec<String>,
    /// full; titles: times, titles, places of nothing private; busy: times only
    #[arg(long, value_name = "full|titles|busy", value_parser = privacy)]
    privacy: Privacy,
    /// For yourself; not shown in the feed
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Leave out what ended longer ago
    #[arg(long, value_name = "DAYS")]
    past_days: Option<i64>,
    /// Leave out what begins later
    #[arg(long, value_name = "DAYS")]
    future_days: Option<i64>,
    /// When it ends by itself: 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    expires: Option<i64>,
}

fn privacy(text: &str) -> Result<Privacy, String> {
    Privacy::parse(text).ok_or_else(|| "is one of full, titles, busy".into())
}

fn instant(text: &str) -> Result<i64, String> {
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| "is not like 2027-01-31T00:00:00Z")?;
    Ok(time.as_second())
}

pub async fn run(app: &App, feed: Feed) -> Outcome {
    match feed.command {
        Command::New(new) => create(app, new).await,
        Command::List { name, json } => list(app, &name, json).await,
        Command::Revoke { name, id } => {
            let who = users::acting(app, &name).await?;
            let revoked = feeds::revoke(app, &who, FeedId(id)).await;
            revoked.map_err(|fault| Failure::Failed(format!("{name}, feed {id}: {fault}")))
        }
    }
}

async fn create(app: &App, new: NewFeed) -> Outcome {
    let who = users::acting(app, &new.name).await?;
    let slugs = new.calendar.join(", ");
    let feed = New {
        calendars: new.calendar,
        privacy: new.privacy,
        comment: new.comment,
        past_days: new.past_days,
        future_days: new.future_days,
        expires: new.expires,
    };
    let made = feeds::create(app, &who, feed).await;
    let shown =
        made.map_err(|fault| Failure::Failed(format!("{slugs} of {}: {fault}", new.name)))?;
    println!("{}", shown.url(app, "ics"));
    Ok(())
}

async fn list(app: &App, name: &str, json: bool) -> Outcome {
    let who = users::acting(app, name).await?;
    let rows: Vec<Vec<Value>> = feeds::list(app, &who)
        .await?
        .iter()
        .map(|shown| row(app, shown))
        .collect();
    let columns = [
        "id",
        "calendars",
        "privacy",
        "comment",
        "past_days",
        "future_days",
        "expires",
        "last_fetch",
        "last_agent",
        "url",
    ];
    output::rows(json, &columns, &rows)
}

fn row(app: &App, shown: &Shown) -> Vec<Value> {
    let feed = &shown.feed;
    let when = |time: Option<i64>| time.map_or(Value::Null, output::time);
    vec![
        feed.id.0.into(),
        shown.slugs().into(),
        feed.privacy.as_str().into(),
        feed.comment.as_str().into(),
        feed.past_days.into(),
        feed.future_days.into(),
        when(feed.expires),
        when(feed.last_fetch),
        feed.last_agent.as_deref().into(),
        shown.url(app, "ics").into(),
    ]
}
