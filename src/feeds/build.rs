//! The body of a feed: which objects, told how, in which form.

use std::collections::BTreeMap;

use super::document::{Document, Fresh, Laid, Level, Look};
use super::feed::Form;
use super::json;
use super::kept::Kept;
use super::visit::{shown, visit};
use crate::app::App;
use crate::app::calendars::{Face, faces, zone, zone_name};
use crate::app::feeds::{Open, Privacy, Text};
use crate::app::freebusy::of_calendars;
use crate::app::sessions::author::{PRODID, utc};
use crate::ical::busy::FreeBusy;
use crate::ical::privacy::Reduction;
use crate::ical::query::TimeRange;
use crate::model::{Bound, Result};
use crate::store::objects::{self, Change, MemberRef};

pub const DAY: i64 = 86_400;
/// What `.ifb` and `.json` show where the feed has no window.
const PAST: i64 = 1;
const FUTURE: i64 = 62;
/// How often to come back.
const REFRESH: &str = "PT1H";

/// What part of time a feed shows.
pub struct Plan {
    /// Seconds since 1970 UTC, half-open; none: all of it.
    pub window: Option<(i64, i64)>,
    /// Midnight UTC: DTSTAMP of what is made anew each day.
    today: i64,
}

impl Plan {
    pub fn of(open: &Open, form: Form, today: i64) -> Plan {
        let (past, future) = (open.feed.past_days, open.feed.future_days);
        let from = |days: i64| (today - days) * DAY;
        let to = |days: i64| (today + days + 1) * DAY;
        let window = match (form, past, future) {
            (Form::Calendar, None, None) => None,
            (Form::Calendar, ..) => {
                Some((past.map_or(i64::MIN, from), future.map_or(i64::MAX, to)))
            }
            _ => Some((from(past.unwrap_or(PAST)), to(future.unwrap_or(FUTURE)))),
        };
        Plan {
            window,
            today: today * DAY,
        }
    }

    fn range(&self) -> TimeRange {
        let (start, end) = self.window.unwrap_or((i64::MIN, i64::MAX));
        TimeRange { start, end }
    }
}

/// A body, and where there is, what the next one can be made of.
pub enum Made {
    Text(Text),
    Laid(Laid),
}

impl Made {
    pub fn text(&self) -> &Text {
        match self {
            Made::Text(text) => text,
            Made::Laid(laid) => &laid.text,
        }
    }
}

impl From<Vec<u8>> for Made {
    fn from(body: Vec<u8>) -> Made {
        Made::Text(body.into())
    }
}

/// The body of a feed in one form.
pub async fn body(app: &App, open: &Open, form: Form, plan: &Plan, kept: &Kept) -> Result<Made> {
    match form {
        Form::Calendar => events(app, open, plan, kept).await.map(Made::Laid),
        Form::FreeBusy => free_busy(app, open, plan).await.map(Made::from),
        Form::Json => json::body(app, open, plan.range(), &name(app, open).await?)
            .await
            .map(Made::from),
    }
}

/// What stands in for a UID that is private: the same in one feed, another one in the next.
pub fn mask(app: &App, open: &Open) -> impl Fn(&str) -> String + Send + Sync {
    let (seal, feed) = (app.seal.clone(), open.feed.id);
    move |uid: &str| {
        let hash = seal.keyed_hash("feed uid", format!("{feed} {uid}").as_bytes());
        hash[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// What the feed tells of its objects.
fn level<'a>(
    open: &Open,
    stamp: &'a str,
    mask: &'a (dyn Fn(&str) -> String + Send + Sync),
) -> Level<'a> {
    match open.privacy {
        Privacy::Full => Level::Full,
        level => Level::Reduced(Reduction {
            busy_only: level == Privacy::Busy,
            stamp,
            mask,
        }),
    }
}

/// The objects of the calendars: made of the last body where few have changed since.
async fn events(app: &App, open: &Open, plan: &Plan, kept: &Kept) -> Result<Laid> {
    let (mask, stamp) = (mask(app, open), utc(open.feed.created));
    let before = kept.get(open, plan);
    let mut document = match &before {
        Some(before) => Document::after(level(open, &stamp, &mask), &before.laid),
        None => Document::new(level(open, &stamp, &mask)),
    };
    for bound in &open.calendars {
        let calendar = &bound.calendar;
        document.begin(calendar.id, &zone_name(calendar));
        let since = before
            .as_ref()
            .and_then(|before| Some((before, before.seq_of(calendar)?)));
        let changed = match since {
            Some((before, seq)) => changes(app, bound, seq, plan.window)
                .await?
                .map(|changed| (before, changed)),
            None => None,
        };
        if let Some((before, changed)) = changed {
            document.merge(&before.laid, &changed);
            continue;
        }
        // All objects come in the order of their names, those of a window do not.
        let ordered = plan.window.is_none();
        let mut add = |object: &MemberRef<'_>| {
            document.add(object.name, object.body, object.uid, &utc(object.modified));
            if ordered {
                document.go_on();
            }
        };
        visit(app, bound, plan.window, &mut add).await?;
    }
    Ok(document.finish(&look(app, open).await?))
}

/// What became of the objects that changed since a number: none of those that are gone or outside of the window.
type Changes = BTreeMap<String, Option<Fresh>>;

/// The objects that changed since a number; `None`: so many that it is quicker to read all.
async fn changes(
    app: &App,
    bound: &Bound,
    since: i64,
    window: Option<(i64, i64)>,
) -> Result<Option<Changes>> {
    const FEW: i64 = 200;
    let (id, zone) = (bound.calendar.id, &zone(&bound.calendar));
    app.store
        .read(|tx| {
            Box::pin(async move {
                let mut changed = Changes::new();
                objects::changed_since(tx, id, since, FEW + 1, |change| {
                    let name = match change {
                        Change::Changed(member) => member.name,
                        Change::Removed { name, .. } => name,
                    };
                    changed.insert(name.to_string(), None);
                    Ok(())
                })
                .await?;
                if changed.len() as i64 > FEW {
                    return Ok(None);
                }
                let mut names: Vec<String> = changed.keys().cloned().collect();
                if let Some(window) = window {
                    names = shown(tx, id, zone, &names, window).await?;
                }
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                objects::many(tx, id, &names, true, |object| {
                    let fresh = Fresh {
                        text: object.body.to_vec(),
                        uid: object.uid.to_string(),
                        stamp: utc(object.modified),
                    };
                    changed.insert(object.name.to_string(), Some(fresh));
                    Ok(())
                })
                .await?;
                Ok(Some(changed))
            })
        })
        .await
}

async fn free_busy(app: &App, open: &Open, plan: &Plan) -> Result<Vec<u8>> {
    let times = of_calendars(app, &open.calendars, plan.range()).await?;
    let answer = FreeBusy {
        prodid: PRODID,
        method: Some("PUBLISH"),
        uid: &mask(app, open)("free/busy"),
        stamp: plan.today,
        range: times.range,
        lines: &[],
    };
    Ok(answer.write(&times.with_unknown()).into_bytes())
}

/// The owner's view of the calendars.
async fn faces_of(app: &App, open: &Open) -> Result<Vec<Face>> {
    let who = open.feed.principal;
    let ids: Vec<_> = open
        .calendars
        .iter()
        .map(|bound| bound.calendar.id)
        .collect();
    app.store
        .peek(|tx| Box::pin(async move { faces(tx, who, &ids).await }))
        .await
}

/// What a feed is called. The name of a calendar may be private too, so one that tells only busy time has its owner's.
pub async fn name(app: &App, open: &Open) -> Result<String> {
    Ok(named(open, &faces_of(app, open).await?))
}

fn named(open: &Open, faces: &[Face]) -> String {
    if open.privacy == Privacy::Busy || faces.is_empty() {
        return open.feed.principal_name.clone();
    }
    let names = faces
        .iter()
        .zip(&open.calendars)
        .map(|(face, bound)| face.name.as_deref().unwrap_or(&bound.slug));
    names.collect::<Vec<_>>().join(", ")
}

async fn look(app: &App, open: &Open) -> Result<Look> {
    let faces = faces_of(app, open).await?;
    let one = faces.first().filter(|_| faces.len() == 1);
    let full = open.privacy == Privacy::Full;
    Ok(Look {
        name: named(open, &faces),
        description: one
            .filter(|_| full)
            .and_then(|face| face.description.clone()),
        color: one.and_then(|face| face.color.clone()),
        refresh: REFRESH,
    })
}
