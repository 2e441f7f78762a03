//! `/connections/{id}`: one account, its calendars, and the forms to link them.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::connections::{Linked, name_of, walk};
use super::frame::{self, Frame, html, refusal};
use super::link::change;
use super::request::{Form, Person, number};
use super::words::{self, Choice};
use crate::app::App;
use crate::app::connections::{self, Line, Mirrors, Verdict};
use crate::app::links::{self, New, Target};
use crate::app::{calendars, links::Shown};
use crate::model::bridge::RemoteCalendar;
use crate::model::{ConnectionId, Error, RemoteCalendarId, Result, Who};

/// A calendar there.
struct Calendar {
    id: i64,
    name: String,
    facts: String,
    writable: bool,
    can_link: bool,
    links: Vec<Linked>,
}

/// A line of the test's report.
struct Tested {
    what: &'static str,
    state: &'static str,
    verdict: &'static str,
    text: String,
}

#[derive(Template)]
#[template(path = "connection.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    id: i64,
    state: &'static str,
    words: &'static str,
    provider: &'static str,
    account: String,
    url: String,
    advice: Vec<String>,
    by_browser: bool,
    /// There is a user name to type again, and not an address.
    typed_user: bool,
    username: String,
    consent_page: &'static str,
    tests: Vec<Tested>,
    calendars: Vec<Calendar>,
    /// Calendars here that can be linked: slug and name.
    own: Vec<(String, String)>,
    directions: &'static [Choice],
    privacies: &'static [Choice],
}

pub async fn page(
    State(app): State<App>,
    Person(who): Person,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let id = match number(&id) {
        Ok(id) => ConnectionId(id),
        Err(fault) => return refusal(&app, &fault),
    };
    let said = frame::said(query.as_deref());
    show(&app, &who, id, StatusCode::OK, |page| {
        page.frame.said = said.to_string();
    })
    .await
}

async fn show(
    app: &App,
    who: &Who,
    id: ConnectionId,
    status: StatusCode,
    with: impl FnOnce(&mut Page),
) -> Response {
    match load(app, who, id).await {
        Ok(mut page) => {
            with(&mut page);
            html(app, status, &page)
        }
        Err(fault) => refusal(app, &fault),
    }
}

async fn load(app: &App, who: &Who, id: ConnectionId) -> Result<Page> {
    let shown = connections::get(app, who, id).await?;
    let remotes = connections::calendars(app, who, id).await?;
    let linked = links::list(app, who).await?;
    let own = calendars::list(app, who).await?;
    let events = |bound: &crate::model::Bound| {
        let components = &bound.calendar.components.0;
        bound.calendar.owner == who.id && components.iter().any(|one| one == "VEVENT")
    };
    let (state, words) = words::health(&shown.connection);
    let mut frame = Frame::new(app, name_of(&shown));
    frame.who = who.name.clone();
    let about = shown.about;
    Ok(Page {
        frame,
        id: id.0,
        state,
        words,
        provider: about.title,
        account: shown.connection.label,
        typed_user: !about.user.is_empty(),
        url: about.url,
        advice: shown.advice,
        by_browser: about.by_browser,
        username: about.user,
        consent_page: about.consent_page,
        tests: Vec::new(),
        calendars: remotes
            .iter()
            .map(|remote| calendar(remote, &linked))
            .collect(),
        own: own
            .into_iter()
            .filter(|(bound, _)| events(bound))
            .map(|(bound, face)| {
                let name = face.name.unwrap_or_else(|| bound.slug.clone());
                (bound.slug, name)
            })
            .collect(),
        directions: words::DIRECTIONS,
        privacies: words::PRIVACIES,
    })
}

fn calendar(remote: &RemoteCalendar, linked: &[Shown]) -> Calendar {
    let mut facts = Vec::new();
    if remote.primary {
        facts.push("main calendar");
    }
    facts.push(if remote.writable {
        "can be written to"
    } else {
        "can be read"
    });
    if !remote.zone.is_empty() {
        facts.push(&remote.zone);
    }
    if remote.gone {
        facts.push("not there any more");
    }
    Calendar {
        id: remote.id.0,
        name: remote.name.clone(),
        facts: facts.join(" · "),
        writable: remote.writable,
        can_link: !remote.gone,
        links: linked
            .iter()
            .filter(|shown| shown.remote.id == remote.id)
            .map(Linked::of)
            .collect(),
    }
}

/// The forms of the page.
pub async fn act(
    State(app): State<App>,
    Person(who): Person,
    Path((id, verb)): Path<(String, String)>,
    form: Form,
) -> Response {
    let id = match number(&id) {
        Ok(id) => ConnectionId(id),
        Err(fault) => return refusal(&app, &fault),
    };
    match done(&app, &who, id, &verb, &form).await {
        Ok(reply) => reply,
        Err(fault @ (Error::NotFound | Error::Internal(_))) => refusal(&app, &fault),
        Err(fault) => {
            let error = frame::words_of(&fault);
            show(&app, &who, id, frame::status_of(&fault), |page| {
                page.frame.error = error;
            })
            .await
        }
    }
}

async fn done(app: &App, who: &Who, id: ConnectionId, verb: &str, form: &Form) -> Result<Response> {
    let here = |said: &str| frame::to(app, &format!("/connections/{id}?said={said}"));
    match verb {
        "test" => {
            let lines = connections::test(app, who, id).await?;
            Ok(show(app, who, id, StatusCode::OK, |page| {
                page.tests = lines.into_iter().map(tested).collect();
            })
            .await)
        }
        "refresh" => {
            connections::refresh(app, who, id).await?;
            Ok(here("listed"))
        }
        "reconnect" => reconnect(app, who, id, form).await,
        "link" => {
            let made = links::create(app, who, new_link(form)?).await?;
            Ok(frame::to(
                app,
                &format!("/links/{}?said=linked", made.link.id),
            ))
        }
        "disconnect" => {
            connections::remove(app, who, id, mirrors(form)?).await?;
            Ok(frame::to(app, "/connections?said=disconnected"))
        }
        _ => Err(Error::NotFound),
    }
}

fn tested(line: Line) -> Tested {
    let (state, verdict) = match line.verdict {
        Verdict::Works => ("good", "works"),
        Verdict::Lacks => ("warn", "with limits"),
        Verdict::Fails => ("bad", "does not work"),
    };
    Tested {
        what: line.what,
        state,
        verdict,
        text: line.text,
    }
}

async fn reconnect(app: &App, who: &Who, id: ConnectionId, form: &Form) -> Result<Response> {
    if connections::get(app, who, id).await?.about.by_browser {
        let begun = connections::begin_again(app, who, id, "").await?;
        return Ok(walk(app, &begun));
    }
    let typed = connections::typed(
        form.get("url"),
        "",
        form.get("username"),
        form.exact("password"),
    );
    connections::replace(app, who, id, &typed).await?;
    Ok(frame::to(app, &format!("/connections/{id}?said=connected")))
}

fn new_link(form: &Form) -> Result<New> {
    let remote = form.get("remote_calendar").parse();
    let target = match form.filled("calendar") {
        Some(slug) => Target::Existing(slug),
        None => Target::New {
            name: form.filled("name"),
            color: None,
        },
    };
    Ok(New {
        remote: RemoteCalendarId(remote.map_err(|_| Error::bad("no calendar was chosen"))?),
        target,
        settings: change(form)?,
    })
}

/// What becomes of mirrors, as a form says it.
pub fn mirrors(form: &Form) -> Result<Mirrors> {
    match form.get("mirrors") {
        "" | "keep" => Ok(Mirrors::Keep),
        "remove" => Ok(Mirrors::Remove),
        _ => Err(Error::bad("mirrors either stay or are removed")),
    }
}
