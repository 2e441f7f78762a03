//! `/links/{id}`: how a link is doing, what it did and would do, and its settings.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::connection::mirrors;
use super::frame::{self, Frame, html, refusal};
use super::request::{Form, Person, number};
use super::words::{self, Choice};
use crate::app::App;
use crate::app::links::{self, Change, Run, Shown, Waiting, WaitingState};
use crate::model::bridge::{ConflictPolicy, Direction, GuestPolicy, LinkState, Privacy};
use crate::model::{Error, LinkId, Result, RunId, Who};

/// How long *sync now* is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Rows of each list.
const ROWS: i64 = 20;
/// Characters of a value that is shown.
const LONG: usize = 200;

struct Queued {
    uid: String,
    state: &'static str,
    words: String,
    reason: String,
}

struct Ran {
    id: i64,
    when: String,
    did: String,
    fault: String,
    can_undo: bool,
}

struct Conflicted {
    when: String,
    uid: String,
    fields: Vec<Field>,
}

struct Field {
    property: String,
    ours: String,
    theirs: String,
    kept: String,
}

struct Planned {
    action: &'static str,
    title: String,
    refused: String,
}

#[derive(Template)]
#[template(path = "link.html", config = "src/web/askama.toml")]
struct Page {
    frame: Frame,
    id: i64,
    connection: i64,
    account: String,
    state: &'static str,
    words: &'static str,
    direction: &'static str,
    privacy: &'static str,
    errors: Vec<String>,
    last_sync: String,
    next_sync: String,
    webhook: bool,
    interval: String,
    events: i64,
    waiting: i64,
    parked: i64,
    asking: bool,
    paused: bool,
    ending: bool,
    dry_run: bool,
    planned: Vec<Planned>,
    queue: Vec<Queued>,
    runs: Vec<Ran>,
    conflicts: Vec<Conflicted>,
    losses: Vec<(String, String)>,
    directions: &'static [Choice],
    direction_word: &'static str,
    privacies: &'static [Choice],
    privacy_word: &'static str,
    policies: &'static [Choice],
    conflict_word: &'static str,
    title_template: String,
    description_template: String,
    auto_create: bool,
    auto_update: bool,
    sends_guests: bool,
    seconds: i64,
}

pub async fn page(
    State(app): State<App>,
    Person(who): Person,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let id = match number(&id) {
        Ok(id) => LinkId(id),
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
    id: LinkId,
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

async fn load(app: &App, who: &Who, id: LinkId) -> Result<Page> {
    let shown = links::get(app, who, id).await?;
    let queue = links::queue(app, who, id).await?;
    let runs = links::runs(app, who, id, None, ROWS).await?;
    let conflicts = links::conflicts(app, who, id, None, ROWS).await?;
    let losses = links::losses(app, who, id, "", ROWS).await?;
    let mut page = of(app, &shown);
    page.frame.who = who.name.clone();
    page.queue = queue.into_iter().take(ROWS as usize).map(queued).collect();
    page.runs = runs.iter().map(ran).collect();
    page.conflicts = conflicts.iter().map(conflicted).collect();
    page.losses = losses
        .iter()
        .map(|one| (one.uid.clone(), lost(&one.losses)))
        .collect();
    Ok(page)
}

fn of(app: &App, shown: &Shown) -> Page {
    let link = &shown.link;
    let (state, words) = words::state(shown);
    let title = format!(
        "{} {} {}",
        shown.name,
        words::arrow(link.direction),
        shown.remote.name
    );
    Page {
        frame: Frame::new(app, title),
        id: link.id.0,
        connection: link.connection.0,
        account: shown.connection.label.clone(),
        state,
        words,
        direction: words::direction(link.direction),
        privacy: words::privacy(link.privacy),
        errors: shown.errors.clone(),
        last_sync: link.last_sync.map_or("never yet".into(), words::time),
        next_sync: shown.next_sync.map_or("none".into(), words::time),
        webhook: shown.watched,
        interval: words::duration(link.interval),
        events: shown.counts.mapped,
        waiting: shown.counts.waiting,
        parked: shown.counts.parked,
        asking: link.state == LinkState::Asking,
        paused: link.state == LinkState::Paused,
        ending: link.state == LinkState::Ending,
        dry_run: false,
        planned: Vec::new(),
        queue: Vec::new(),
        runs: Vec::new(),
        conflicts: Vec::new(),
        losses: Vec::new(),
        directions: words::DIRECTIONS,
        direction_word: link.direction.as_str(),
        privacies: words::PRIVACIES,
        privacy_word: link.privacy.as_str(),
        policies: words::POLICIES,
        conflict_word: link.conflict.as_str(),
        title_template: link.title_template.clone(),
        description_template: link.description_template.clone(),
        auto_create: link.auto_create,
        auto_update: link.auto_update,
        sends_guests: link.guests == GuestPolicy::Send,
        seconds: link.interval,
    }
}

fn queued(waiting: Waiting) -> Queued {
    let attempts = words::count(waiting.attempts, "attempt");
    let (state, words) = match (waiting.state, waiting.retry_at) {
        (WaitingState::Parked, _) => ("bad", "Not brought across".to_string()),
        (WaitingState::Waiting, Some(at)) => (
            "warn",
            format!("After {attempts} tried again {}", words::time(at)),
        ),
        (WaitingState::Waiting, None) => ("good", "On its way".to_string()),
    };
    Queued {
        uid: waiting.uid,
        state,
        words,
        reason: waiting.reason,
    }
}

/// What a run did, in words: each count that is not nothing.
const DID: &[(&str, &str)] = &[
    ("created_here", "created here"),
    ("updated_here", "changed here"),
    ("deleted_here", "deleted here"),
    ("created_there", "created there"),
    ("updated_there", "changed there"),
    ("deleted_there", "deleted there"),
    ("conflicts", "changed on both sides"),
    ("parked", "not brought across"),
    ("postponed", "put off"),
];

fn ran(run: &Run) -> Ran {
    let count = |name: &str| run.counts[name].as_i64().unwrap_or(0);
    let did: Vec<String> = DID
        .iter()
        .filter(|(name, _)| count(name) > 0)
        .map(|(name, words)| format!("{} {words}", count(name)))
        .collect();
    let changed = DID[..6].iter().any(|(name, _)| count(name) > 0);
    let did = match (did.is_empty(), run.ended) {
        (_, None) => "runs".to_string(),
        (true, _) => "nothing to do".to_string(),
        (false, _) => did.join(", "),
    };
    Ran {
        id: run.id.0,
        when: words::time(run.started),
        did: match run.undone {
            Some(_) => format!("{did}; undone"),
            None => did,
        },
        fault: run.fault.clone().unwrap_or_default(),
        can_undo: changed && run.undone.is_none() && run.ended.is_some(),
    }
}

fn conflicted(conflict: &links::Conflict) -> Conflicted {
    let text = |field: &Value, name: &str| match &field[name] {
        Value::Null => String::new(),
        Value::String(text) => short(text),
        other => short(&other.to_string()),
    };
    let fields = conflict.fields.as_array().map_or(&[][..], Vec::as_slice);
    Conflicted {
        when: words::time(conflict.at),
        uid: conflict.uid.clone(),
        fields: fields
            .iter()
            .map(|field| Field {
                property: text(field, "property"),
                ours: text(field, "ours"),
                theirs: text(field, "theirs"),
                kept: match field["kept"].as_str() {
                    Some("ours") => "ours".to_string(),
                    _ => "the other side's".to_string(),
                },
            })
            .collect(),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONG) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}

fn lost(losses: &Value) -> String {
    let lines = losses.as_array().map_or(&[][..], Vec::as_slice);
    let line = |one: &Value| {
        let text = |name: &str| one[name].as_str().unwrap_or_default();
        format!("{} ({})", text("property"), text("what"))
    };
    lines.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// The forms of the page.
pub async fn act(
    State(app): State<App>,
    Person(who): Person,
    Path((id, verb)): Path<(String, String)>,
    form: Form,
) -> Response {
    let id = match number(&id) {
        Ok(id) => LinkId(id),
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

async fn done(app: &App, who: &Who, id: LinkId, verb: &str, form: &Form) -> Result<Response> {
    let said = match verb {
        "sync" => match links::sync_now(app, who, id, PATIENCE).await? {
            Some(report) if report.fault.is_some() => "stopped",
            Some(_) => "synced",
            None => "syncing",
        },
        "dry-run" => return plan(app, who, id).await,
        "approve" => {
            links::approve(app, who, id).await?;
            "approved"
        }
        "pause" | "resume" => {
            let change = Change {
                paused: Some(verb == "pause"),
                ..Change::default()
            };
            links::update(app, who, id, change).await?;
            if verb == "pause" { "paused" } else { "resumed" }
        }
        "settings" => {
            links::update(app, who, id, change(form)?).await?;
            "saved"
        }
        "retry" => {
            links::retry(app, who, id, form.get("uid")).await?;
            "retried"
        }
        "undo" => {
            let run = form.get("run").parse();
            let run = RunId(run.map_err(|_| Error::bad("no run was named"))?);
            links::undo(app, who, run).await?;
            "undone"
        }
        "unlink" => {
            links::remove(app, who, id, mirrors(form)?).await?;
            return Ok(frame::to(app, "/connections?said=unlinked"));
        }
        _ => return Err(Error::NotFound),
    };
    Ok(frame::to(app, &format!("/links/{id}?said={said}")))
}

async fn plan(app: &App, who: &Who, id: LinkId) -> Result<Response> {
    let planned = links::dry_run(app, who, id).await?;
    Ok(show(app, who, id, StatusCode::OK, |page| {
        page.dry_run = true;
        page.planned = planned
            .into_iter()
            .map(|one| Planned {
                action: one.act.as_str(),
                title: one.title,
                refused: one.refused.unwrap_or_default(),
            })
            .collect();
    })
    .await)
}

/// Settings as a form says them; what it does not say stays.
pub fn change(form: &Form) -> Result<Change> {
    let flag = |name: &str| form.filled(name).map(|text| text == "true");
    let interval = form.filled("interval").map(|text| text.parse());
    let direction = word(form, "direction", Direction::parse)?;
    Ok(Change {
        direction,
        privacy: match direction {
            // The one that goes with it, whatever the form has.
            Some(Direction::Busy) => Some(Privacy::Busy),
            Some(Direction::Both | Direction::Pull) => Some(Privacy::Full),
            _ => word(form, "privacy", Privacy::parse)?,
        },
        title_template: form.sent("title_template"),
        description_template: form.sent("description_template"),
        auto_create: flag("auto_create"),
        auto_update: flag("auto_update"),
        conflict: word(form, "conflict", ConflictPolicy::parse)?,
        guests: word(form, "guests", GuestPolicy::parse)?,
        interval: interval
            .transpose()
            .map_err(|_| Error::bad("the interval is a number of seconds"))?,
        paused: None,
    })
}

fn word<T>(form: &Form, name: &str, parse: fn(&str) -> Option<T>) -> Result<Option<T>> {
    match form.filled(name) {
        None => Ok(None),
        Some(text) => parse(&text)
            .map(Some)
            .ok_or_else(|| Error::bad(format!("there is no {name} `{text}`"))),
    }
}
