//! `/connections`: the accounts, their linked calendars, and the forms to connect another one.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::frame::{self, Frame, html, refusal};
use super::request::{Form, Person};
use super::words;
use crate::app::App;
use crate::app::connections::{self, Offer, Server};
use crate::app::links;
use crate::model::{Error, Result, Who};

/// An account in a list.
struct Account {
    id: i64,
    name: String,
    provider: &'static str,
    links: String,
    state: &'static str,
    words: &'static str,
    advice: Vec<String>,
}

/// A link in a list.
pub struct Linked {
    pub id: i64,
    pub here: String,
    pub arrow: &'static str,
    pub there: String,
    pub state: &'static str,
    pub words: &'static str,
    pub when: String,
    pub errors: Vec<String>,
}

impl Linked {
    pub fn of(shown: &links::Shown) -> Linked {
        let (state, words) = words::state(shown);
        Linked {
            id: shown.link.id.0,
            here: shown.name.clone(),
            arrow: words::arrow(shown.link.direction),
            there: shown.remote.name.clone(),
            state,
            words,
            when: shown
                .link
                .last_sync
                .map(|at| format!("last in step {}", words::time(at)))
                .unwrap_or_default(),
            errors: shown.errors.clone(),
        }
    }
}

#[derive(Template)]
#[template(path = "connections.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    connections: Vec<Account>,
    links: Vec<Linked>,
    by_browser: Vec<Offer>,
    servers: Vec<Server>,
    /// Which form is open, with what was typed into it (but for secrets).
    open: String,
    preset: String,
    url: String,
    username: String,
}

/// What the page is asked to say.
#[derive(Default)]
struct Said {
    said: &'static str,
    error: String,
    open: String,
    preset: String,
    url: String,
    username: String,
}

pub async fn page(
    State(app): State<App>,
    Person(who): Person,
    RawQuery(query): RawQuery,
) -> Response {
    let said = Said {
        said: frame::said(query.as_deref()),
        preset: "icloud".into(),
        ..Said::default()
    };
    show(&app, &who, StatusCode::OK, said).await
}

async fn show(app: &App, who: &Who, status: StatusCode, said: Said) -> Response {
    match load(app, who, said).await {
        Ok(page) => html(app, status, &page),
        Err(fault) => refusal(app, &fault),
    }
}

async fn load(app: &App, who: &Who, said: Said) -> Result<Page> {
    let mut frame = Frame::new(app, "Connections");
    (frame.who, frame.said, frame.error) = (who.name.clone(), said.said.into(), said.error);
    let accounts = connections::list(app, who).await?;
    let offers = connections::offers(app).await?;
    Ok(Page {
        frame,
        connections: accounts.iter().map(account).collect(),
        links: links::list(app, who)
            .await?
            .iter()
            .map(Linked::of)
            .collect(),
        by_browser: offers
            .into_iter()
            .filter(|offer| offer.by_browser)
            .collect(),
        servers: connections::servers(),
        open: said.open,
        preset: said.preset,
        url: said.url,
        username: said.username,
    })
}

fn account(shown: &connections::Shown) -> Account {
    let (state, words) = words::health(&shown.connection);
    Account {
        id: shown.connection.id.0,
        name: name_of(shown),
        provider: shown.about.title,
        links: words::count(shown.links as i64, "linked calendar"),
        state,
        words,
        advice: shown.advice.clone(),
    }
}

/// What the owner calls it, or else the account.
pub fn name_of(shown: &connections::Shown) -> String {
    let connection = &shown.connection;
    let names = [connection.name.as_str(), connection.label.as_str()];
    let name = names.into_iter().find(|name| !name.is_empty());
    name.unwrap_or(shown.about.title).to_string()
}

/// Connects: leads to the provider's page, or tries what was typed in.
pub async fn connect(State(app): State<App>, Person(who): Person, form: Form) -> Response {
    match try_to(&app, &who, &form).await {
        Ok(reply) => reply,
        Err(fault @ (Error::Internal(_) | Error::Unauthorized)) => refusal(&app, &fault),
        Err(fault) => {
            let said = Said {
                error: frame::words_of(&fault),
                open: form.get("provider").to_string(),
                preset: form.get("preset").to_string(),
                // The address of a feed is a secret.
                url: match form.get("provider") {
                    "caldav" => form.get("url").to_string(),
                    _ => String::new(),
                },
                username: form.get("username").to_string(),
                ..Said::default()
            };
            show(&app, &who, frame::status_of(&fault), said).await
        }
    }
}

async fn try_to(app: &App, who: &Who, form: &Form) -> Result<Response> {
    let provider = form.get("provider");
    let offers = connections::offers(app).await?;
    let offer = offers.iter().find(|offer| offer.name == provider);
    let offer = offer.ok_or_else(|| Error::bad("this provider cannot be connected here"))?;
    if offer.by_browser {
        let begun = connections::begin(app, who, provider, "").await?;
        return Ok(walk(app, &begun));
    }
    let typed = connections::typed(
        form.get("url"),
        form.get("preset"),
        form.get("username"),
        form.exact("password"),
    );
    let made = connections::add(app, who, provider, &typed).await?;
    Ok(frame::to(
        app,
        &format!("/connections/{}?said=connected", made.connection.id),
    ))
}

/// On to the provider's page, with the cookie without which nobody comes back.
pub fn walk(app: &App, begun: &connections::Begun) -> Response {
    let mut reply = frame::leads(app, &begun.url);
    if let Ok(cookie) = HeaderValue::try_from(connections::set_cookie(app, begun)) {
        reply.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    reply
}
