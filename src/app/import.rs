//! Streams of events into a calendar, with a verdict for each: nothing is lost silently (RFC 4791 §4.1, §5.3.2.1).
//!
//! A stream is split by UID; METHOD and what describes the stream as a whole are dropped, as a stored object may not
//! have them. An event without a UID gets one that is derived from its text, so that importing the same file again
//! finds it again.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::App;
use crate::ical::charset::to_utf8;
use crate::ical::split::{Group, split};
use crate::ical::tree::{Component, Fault, Limits, Tree};
use crate::model::{
    Bound, Door, Error, Etag, Guard, Member, Origin, Precondition, Result, Who, Writable,
};
use crate::objects::{self, Draft, effects};
use crate::store;

/// What became of one event (one UID of the stream, or one thing that is no event).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub uid: Option<String>,
    pub title: Option<String>,
    /// Where it begins in the stream, counted from 1.
    pub line: u32,
    pub outcome: Outcome,
    /// What had to be changed so that it could be stored.
    pub repairs: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Created,
    Updated,
    Unchanged,
    /// Not stored: the precondition (an RFC's name, where there is one) and the reason.
    Refused {
        precondition: Option<&'static str>,
        reason: String,
    },
}

/// How many there were of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub repaired: u64,
    pub refused: u64,
}

impl Summary {
    fn count(&mut self, verdict: &Verdict) {
        match verdict.outcome {
            Outcome::Created => self.created += 1,
            Outcome::Updated => self.updated += 1,
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Refused { .. } => self.refused += 1,
        }
        let stored = !matches!(verdict.outcome, Outcome::Refused { .. });
        self.repaired += u64::from(stored && !verdict.repairs.is_empty());
    }
}

/// Brings the events of `text` into `cal`; `each` is told of every one. With `dry_run` nothing is stored and the
/// verdicts say what would be.
///
/// # Errors
/// When the stream as a whole cannot be read, with the line, or the database fails. What is wrong with one event is
/// its verdict, not an error.
pub async fn import(
    app: &App,
    who: &Who,
    cal: &Writable<Bound>,
    text: &[u8],
    dry_run: bool,
    mut each: impl FnMut(&Verdict),
) -> Result<Summary> {
    let limit = app.config.limits.import_bytes;
    if text.len() > limit {
        let size = text.len();
        return Err(Error::TooLarge(format!(
            "import: {size} bytes, limit {limit} (limits.import_bytes)"
        )));
    }
    let limits = Limits {
        bytes: limit,
        lines: usize::MAX,
        faults: 1000,
        ..Limits::default()
    };
    let utf8 = to_utf8(text);
    let tree = Tree::parse(&utf8, &limits)
        .map_err(|fault| Error::precondition(Precondition::ValidCalendarData, fault.to_string()))?;
    let stream = split(&tree);
    let method = tree.roots().any(|root| root.property("METHOD").is_some());
    let origin = Origin {
        who: who.id,
        door: Door::Import,
    };
    let job = Job {
        app,
        cal,
        origin,
        dry_run,
    };
    let mut summary = Summary::default();
    let mut tell = |verdict: Verdict| {
        summary.count(&verdict);
        each(&verdict);
    };
    for group in &stream.groups {
        let uid = group
            .uid
            .as_deref()
            .map_or_else(|| derived_uid(group), str::to_string);
        let mut repairs = repairs(group, &uid);
        if matches!(utf8, Cow::Owned(_)) {
            repairs.push("the stream was not UTF-8 and was converted".into());
        }
        if method {
            repairs.push("METHOD was dropped: a stored event has none".into());
        }
        let document = stream.document(group, &uid).into_owned();
        let outcome = match job.store(&uid, document).await {
            Ok(outcome) => outcome,
            Err(fault) => refused(fault)?,
        };
        let first = group.components.first();
        let title = first
            .and_then(|part| part.property("SUMMARY"))
            .map(|p| p.text().into_owned());
        let line = first.map_or(0, |part| part.line());
        tell(Verdict {
            uid: Some(uid),
            title,
            line,
            outcome,
            repairs,
        });
    }
    for part in &stream.others {
        tell(no_object(*part));
    }
    for fault in &stream.strays {
        tell(stray(fault));
    }
    Ok(summary)
}

struct Job<'a> {
    app: &'a App,
    cal: &'a Writable<Bound>,
    origin: Origin,
    dry_run: bool,
}

impl Job<'_> {
    async fn store(&self, uid: &str, document: Vec<u8>) -> Result<Outcome> {
        let id = self.cal.calendar.id;
        let there = self
            .app
            .store
            .peek(|tx| Box::pin(store::objects::by_uid(tx, id, uid)))
            .await?;
        let etag = Etag::of(&document);
        if there.as_ref().is_some_and(|member| member.etag == etag) {
            return Ok(Outcome::Unchanged);
        }
        let guard = guard(there.as_ref());
        let name = match &there {
            Some(member) => member.name.clone(),
            None => self.free_name(uid).await?,
        };
        if self.dry_run {
            let cx = self.app.door();
            effects::effects(&document, etag, &self.cal.calendar, cx.rules, cx.now)?;
            return Ok(if there.is_some() {
                Outcome::Updated
            } else {
                Outcome::Created
            });
        }
        let draft = Draft {
            name,
            body: document.into(),
        };
        let put = objects::put(&self.app.door(), self.cal, draft, &guard, self.origin).await?;
        Ok(if put.created {
            Outcome::Created
        } else {
            Outcome::Updated
        })
    }

    async fn free_name(&self, uid: &str) -> Result<String> {
        let (id, name) = (self.cal.calendar.id, object_name(uid));
        let taken = self
            .app
            .store
            .peek(|tx| Box::pin(store::objects::head(tx, id, &name)))
            .await?
            .is_some();
        Ok(if taken { hashed_name(uid) } else { name })
    }
}

/// The object must still be as it was when its name was chosen.
fn guard(there: Option<&Member>) -> Guard {
    use crate::model::object::Tags;
    match there {
        Some(member) => Guard {
            if_match: Some(Tags::List(vec![member.etag.0.clone()])),
            ..Guard::default()
        },
        None => Guard {
            if_none_match: Some(Tags::Any),
            ..Guard::default()
        },
    }
}

/// The name of a new object: its UID where that makes a plain one.
pub fn object_name(uid: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@');
    if (1..=200).contains(&uid.len()) && !uid.starts_with('.') && uid.bytes().all(plain) {
        return format!("{uid}.ics");
    }
    hashed_name(uid)
}

fn hashed_name(uid: &str) -> String {
    format!("{}.ics", Etag::of(uid.as_bytes()).0)
}

/// The same text has the same UID.
fn derived_uid(group: &Group<'_>) -> String {
    let mut hash = Sha256::new();
    for part in &group.components {
        hash.update(part.raw());
    }
    let hex: String = hash.finalize()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{hex}@import.kalends")
}

fn repairs(group: &Group<'_>, uid: &str) -> Vec<String> {
    let mut repairs = Vec::new();
    if group.uid.is_none() {
        repairs.push(format!("it had no UID and got {uid}"));
    }
    if !group.superseded.is_empty() {
        let lines: Vec<String> = group
            .superseded
            .iter()
            .map(|part| part.line().to_string())
            .collect();
        repairs.push(format!(
            "older versions of it were left out (line {})",
            lines.join(", ")
        ));
    }
    repairs
}

fn no_object(part: Component<'_>) -> Verdict {
    let reason = format!("{} is not something that a calendar stores", part.name());
    Verdict {
        uid: part.property("UID").map(|p| p.text().into_owned()),
        title: part.property("SUMMARY").map(|p| p.text().into_owned()),
        line: part.line(),
        outcome: Outcome::Refused {
            precondition: Some("supported-calendar-component"),
            reason,
        },
        repairs: Vec::new(),
    }
}

/// A line that belongs to no event.
fn stray(fault: &Fault) -> Verdict {
    Verdict {
        uid: None,
        title: None,
        line: fault.line,
        outcome: Outcome::Refused {
            precondition: Some("valid-calendar-data"),
            reason: fault.reason.clone(),
        },
        repairs: Vec::new(),
    }
}

/// What is wrong with one event is a verdict; what is wrong with the server is not.
fn refused(fault: Error) -> Result<Outcome> {
    match fault {
        Error::Internal(_)
        | Error::InsufficientStorage(_)
        | Error::Unavailable(_)
        | Error::Unauthorized
        | Error::Throttled { .. } => Err(fault),
        Error::Precondition { is, reason } => Ok(Outcome::Refused {
            precondition: name(&is),
            reason,
        }),
        other => Ok(Outcome::Refused {
            precondition: None,
            reason: other.to_string(),
        }),
    }
}

fn name(is: &Precondition) -> Option<&'static str> {
    Some(match is {
        Precondition::SupportedCalendarData => "supported-calendar-data",
        Precondition::ValidCalendarData => "valid-calendar-data",
        Precondition::ValidCalendarObjectResource => "valid-calendar-object-resource",
        Precondition::SupportedCalendarComponent => "supported-calendar-component",
        Precondition::NoUidConflict { .. } => "no-uid-conflict",
        Precondition::MaxResourceSize => "max-resource-size",
        Precondition::MinDateTime => "min-date-time",
        Precondition::MaxDateTime => "max-date-time",
        Precondition::MaxInstances => "max-instances",
        Precondition::MaxAttendeesPerInstance => "max-attendees-per-instance",
        Precondition::SupportedRscale => "supported-rscale",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
