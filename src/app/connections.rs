//! Connections: accounts at providers that somebody's calendars are linked to (PRODUCT §7). Made, looked at, tried,
//! connected again, taken away. What is done at the provider is [`crate::sync::connect`].

use secrecy::{ExposeSecret, SecretString};

pub use crate::sync::Mirrors;
pub use crate::sync::connect::direct::Typed;
pub use crate::sync::connect::end::Ended;
pub use crate::sync::connect::flow::{Answered, Begun, Connected, Failed, TIME, cookie_name};
pub use crate::sync::connect::probe::{Line, Verdict};

use super::App;
use crate::model::access::Scopes;
use crate::model::bridge::{Connection, Health, RemoteCalendar};
use crate::model::{ConnectionId, Error, PrincipalId, Result, Who};
use crate::store::bridges::{connections, links, remote_calendars};
use crate::sync::connect::{self, About};

#[cfg(test)]
pub(crate) mod tests;

/// Seconds before a consent ends that its owner is told.
const SOON: i64 = 14 * 86_400;

/// A connection as its owner sees it.
#[derive(Clone, Debug)]
pub struct Shown {
    pub connection: Connection,
    pub about: About,
    /// Calendars that are linked by it.
    pub links: usize,
    /// What its owner should know or do, in words; empty: nothing.
    pub advice: Vec<String>,
}

/// A provider that can be connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub name: &'static str,
    pub title: &'static str,
    /// Through the browser; else something is typed in.
    pub by_browser: bool,
}

/// A CalDAV server that many people have an account at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub name: &'static str,
    pub title: &'static str,
    /// Everybody has an own one: its address has to be typed in.
    pub own: bool,
    /// What user name and password are.
    pub hint: &'static str,
}

fn may(who: &Who) -> Result<()> {
    match who.scopes.has(Scopes::BRIDGE) {
        true => Ok(()),
        false => Err(Error::forbidden("this token lacks the scope bridge")),
    }
}

/// What can be connected here.
///
/// # Errors
/// Trouble with the database.
pub async fn offers(app: &App) -> Result<Vec<Offer>> {
    let all = connect::offered(app.bridge().await?);
    Ok(all
        .into_iter()
        .map(|(name, title, by_browser)| Offer {
            name,
            title,
            by_browser,
        })
        .collect())
}

/// CalDAV servers to choose from.
pub fn servers() -> Vec<Server> {
    connect::direct::servers()
        .map(|(name, title, own, hint)| Server {
            name,
            title,
            own,
            hint,
        })
        .collect()
}

/// The connections of `who`, oldest first.
///
/// # Errors
/// `Forbidden` for a token without the scope.
pub async fn list(app: &App, who: &Who) -> Result<Vec<Shown>> {
    may(who)?;
    let owner = who.id;
    let all = app
        .store
        .read(|tx| Box::pin(connections::of_owner(tx, owner)))
        .await?;
    let mut shown = Vec::with_capacity(all.len());
    for connection in all {
        shown.push(show(app, connection).await?);
    }
    Ok(shown)
}

/// One of them.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn get(app: &App, who: &Who, id: ConnectionId) -> Result<Shown> {
    let connection = find(app, who, id).await?;
    show(app, connection).await
}

async fn find(app: &App, who: &Who, id: ConnectionId) -> Result<Connection> {
    may(who)?;
    let found = app
        .store
        .peek(|tx| Box::pin(connections::get(tx, id)))
        .await?;
    found
        .filter(|connection| connection.owner == who.id)
        .ok_or(Error::NotFound)
}

async fn show(app: &App, connection: Connection) -> Result<Shown> {
    let about = connect::about(app.bridge().await?, &connection).await?;
    let id = connection.id;
    let links = app
        .store
        .peek(|tx| Box::pin(links::of_connection(tx, id)))
        .await?
        .len();
    Ok(Shown {
        advice: advice(&connection, &about, app.clock.now()),
        connection,
        about,
        links,
    })
}

/// Health in plain words, and what helps.
fn advice(connection: &Connection, about: &About, now: i64) -> Vec<String> {
    let mut all = Vec::new();
    let how = match about.by_browser {
        true => "Connect again",
        false => "Connect again with a new password or address",
    };
    match connection.health {
        Health::Ok => {}
        Health::Reconnect => all.push(format!(
            "{}. {how}: nothing is synchronised until then, and nothing is lost.",
            sentence(&connection.reason)
        )),
        Health::Operator => all.push(format!(
            "{}. Whoever runs this server has to mend that; connecting again does not help.",
            sentence(&connection.reason)
        )),
        Health::Paused => all.push(format!(
            "Paused: {}. Test the connection to start it again.",
            connection.reason
        )),
    }
    all.extend(about.missing.iter().map(|(scope, without)| {
        format!("The permission {scope} was not given: {without}. Connect again to give it.")
    }));
    match about.consent.ends {
        Some(ends) if ends <= now => {
            all.push("The time for which access was given is over. Connect again.".into());
        }
        Some(ends) if ends - now <= SOON => {
            let days = (ends - now) / 86_400;
            let why = about
                .short_lived
                .map_or(String::new(), |why| format!(" {why}."));
            all.push(format!(
                "Access was given for a time, which ends in {days} days. Connect again before that.{why}"
            ));
        }
        _ => {}
    }
    all
}

fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => "It does not work".into(),
    }
}

/// Begins a walk through the browser, for a new connection.
///
/// # Errors
/// See [`connect::flow::begin`].
pub async fn begin(app: &App, who: &Who, provider: &str, return_to: &str) -> Result<Begun> {
    may(who)?;
    connect::flow::begin(app.bridge().await?, who.id, provider, None, return_to).await
}

/// Begins one for a connection that is there.
///
/// # Errors
/// `NotFound`, and see [`connect::flow::begin`].
pub async fn begin_again(app: &App, who: &Who, id: ConnectionId, return_to: &str) -> Result<Begun> {
    let known = find(app, who, id).await?;
    let bridge = app.bridge().await?;
    connect::flow::begin(bridge, who.id, &known.provider, Some(&known), return_to).await
}

/// The cookie of a walk through the browser (`Set-Cookie`), for every door that begins one: it comes back to the redirect
/// address only, also when the provider's page leads there.
pub fn set_cookie(app: &App, begun: &Begun) -> String {
    let (name, value) = &begun.cookie;
    let secure = if app.url("").starts_with("https:") {
        "; Secure"
    } else {
        ""
    };
    format!(
        "{name}={}; Path={}/oauth/; Max-Age={TIME}; HttpOnly; SameSite=Lax{secure}",
        value.expose_secret(),
        app.prefix()
    )
}

/// Finishes a walk: what came back to `/oauth/{provider}/callback`. Who it is for, `state` knows.
///
/// # Errors
/// In words for the person in front of the browser.
pub async fn finish(app: &App, provider: &str, answer: Answered) -> Result<Connected, Failed> {
    let connected = connect::flow::finish(app.bridge().await?, provider, answer).await?;
    let (id, owner) = (connected.id.0, connected.owner.0);
    tracing::info!(connection = id, owner, provider, "connected");
    app.wake.ring();
    Ok(connected)
}

/// Connects what is typed in.
///
/// # Errors
/// `Invalid` names the field that is wrong.
pub async fn add(app: &App, who: &Who, provider: &str, typed: &Typed) -> Result<Shown> {
    may(who)?;
    let id = connect::direct::add(app.bridge().await?, who.id, provider, typed).await?;
    get(app, who, id).await
}

/// Connects again with what is typed in.
///
/// # Errors
/// As [`add`]; `Conflict` when it is another account.
pub async fn replace(app: &App, who: &Who, id: ConnectionId, typed: &Typed) -> Result<Shown> {
    let known = find(app, who, id).await?;
    connect::direct::replace(app.bridge().await?, &known, typed).await?;
    app.wake.ring();
    get(app, who, id).await
}

/// Calls it something else; an empty name: by its account again.
///
/// # Errors
/// `Invalid` for a name that is none.
pub async fn rename(app: &App, who: &Who, id: ConnectionId, name: &str) -> Result<Shown> {
    find(app, who, id).await?;
    let name = name.trim().to_string();
    if name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(Error::Invalid {
            field: "name".into(),
            reason: "must be a text of at most 200 characters".into(),
        });
    }
    app.store
        .write(move |tx| Box::pin(async move { connections::set_name(tx, id, &name).await }))
        .await?;
    get(app, who, id).await
}

/// The calendars of a connection, as they were last listed.
///
/// # Errors
/// `NotFound`.
pub async fn calendars(app: &App, who: &Who, id: ConnectionId) -> Result<Vec<RemoteCalendar>> {
    find(app, who, id).await?;
    app.store
        .peek(|tx| Box::pin(remote_calendars::list(tx, id)))
        .await
}

/// Lists them anew.
///
/// # Errors
/// What the provider said, in words.
pub async fn refresh(app: &App, who: &Who, id: ConnectionId) -> Result<Vec<RemoteCalendar>> {
    let known = find(app, who, id).await?;
    connect::refresh(app.bridge().await?, &known).await
}

/// Tries everything that a connection needs.
///
/// # Errors
/// `NotFound`; what does not work is in the report.
pub async fn test(app: &App, who: &Who, id: ConnectionId) -> Result<Vec<Line>> {
    let known = find(app, who, id).await?;
    connect::probe::test(app.bridge().await?, &known, &app.config.public_url()).await
}

/// Takes a connection away: webhooks, links and tokens. Local calendars stay, and mirrors there as it is asked.
///
/// # Errors
/// `NotFound`; `Conflict` while mirrors are still being removed: ask again later.
pub async fn remove(app: &App, who: &Who, id: ConnectionId, mirrors: Mirrors) -> Result<Ended> {
    let known = find(app, who, id).await?;
    let bridge = app.bridge().await?;
    if mirrors == Mirrors::Remove {
        connect::end::remove_mirrors(bridge, &known).await?;
    }
    connect::end::end(bridge, &known).await
}

/// Takes all connections of somebody away who goes themselves; mirrors stay.
///
/// # Errors
/// Trouble with the database.
pub async fn end_all(app: &App, owner: PrincipalId) -> Result<()> {
    let all = app
        .store
        .read(|tx| Box::pin(connections::of_owner(tx, owner)))
        .await?;
    for connection in all {
        connect::end::end(app.bridge().await?, &connection).await?;
    }
    Ok(())
}

/// Connections whose trouble was the operator's are tried again: called when the server starts, since the settings are
/// read then.
///
/// # Errors
/// Trouble with the database.
pub async fn retry_operators(app: &App) -> Result<u64> {
    app.store
        .write(|tx| Box::pin(connections::retry_operators(tx)))
        .await
}

/// Tells once of each connection that got into trouble. Its owner sees it on the page and over the API all the time; the
/// log is for whoever runs the server. How many there were.
///
/// # Errors
/// Trouble with the database.
pub async fn tell(app: &App) -> Result<usize> {
    let all = app
        .store
        .peek(|tx| Box::pin(connections::untold(tx, 100)))
        .await?;
    for one in &all {
        let (id, health) = (one.id, one.health.as_str());
        tracing::warn!(
            connection = id.0,
            owner = one.owner.0,
            provider = one.provider,
            health,
            why = one.reason,
            "a connection does not work"
        );
        app.store
            .write(move |tx| Box::pin(connections::told(tx, id)))
            .await?;
    }
    Ok(all.len())
}

/// What was typed in, from texts.
pub fn typed(url: &str, preset: &str, user: &str, password: &str) -> Typed {
    Typed {
        url: SecretString::from(url),
        preset: preset.to_string(),
        user: user.to_string(),
        password: SecretString::from(password),
    }
}
