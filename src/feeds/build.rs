//! The body of a feed: which objects, told how, in which form.

use super::document::{Document, Level, Look};
use super::feed::Form;
use super::json;
use super::privacy::Reduction;
use crate::app::App;
use crate::app::calendars::{Face, faces, zone, zone_name};
use crate::app::feeds::{Open, Privacy};
use crate::app::freebusy::of_calendars;
use crate::app::sessions::author::{PRODID, utc};
use crate::ical::busy::FreeBusy;
use crate::ical::query::TimeRange;
use crate::model::{Bound, ObjectId, Result};
use crate::store::objects::{self, MemberRef};
use crate::store::occurrences as index;

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

pub async fn body(app: &App, open: &Open, form: Form, plan: &Plan) -> Result<Vec<u8>> {
    match form {
        Form::Calendar => calendar(app, open, plan).await,
        Form::FreeBusy => free_busy(app, open, plan).await,
        Form::Json => json::body(app, open, plan.range(), &name(app, open).await?).await,
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

async fn calendar(app: &App, open: &Open, plan: &Plan) -> Result<Vec<u8>> {
    let mask = mask(app, open);
    let stamp = utc(open.feed.created);
    let level = match open.privacy {
        Privacy::Full => Level::Full,
        level => Level::Reduced(Reduction {
            busy_only: level == Privacy::Busy,
            stamp: &stamp,
            mask: &mask,
        }),
    };
    let mut document = Document::new(level);
    for bound in &open.calendars {
        document.set_local(&zone_name(&bound.calendar));
        let mut add =
            |object: &MemberRef<'_>| document.add(object.body, object.uid, &utc(object.modified));
        visit(app, bound, plan.window, &mut add).await?;
    }
    Ok(document.finish(&look(app, open).await?))
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

/// Every object of a calendar, or those with an instance in a window. Page by page, so that others get their turn.
pub async fn visit(
    app: &App,
    bound: &Bound,
    window: Option<(i64, i64)>,
    each: &mut (dyn FnMut(&MemberRef<'_>) + Send),
) -> Result<()> {
    match window {
        None => visit_all(app, bound, each).await,
        Some(window) => visit_some(app, bound, window, each).await,
    }
}

async fn visit_all(
    app: &App,
    bound: &Bound,
    each: &mut (dyn FnMut(&MemberRef<'_>) + Send),
) -> Result<()> {
    const PAGE: i64 = 256;
    let id = bound.calendar.id;
    let mut after: Option<String> = None;
    loop {
        let last = app
            .store
            .peek(|tx| {
                let (each, after) = (&mut *each, after.as_deref());
                Box::pin(async move {
                    let mut last = None;
                    objects::page(tx, id, after, PAGE, true, |object| {
                        each(&object);
                        last = Some(object.name.to_string());
                        Ok(())
                    })
                    .await?;
                    Ok(last)
                })
            })
            .await?;
        match last {
            Some(name) => after = Some(name),
            None => return Ok(()),
        }
        tokio::task::yield_now().await;
    }
}

async fn visit_some(
    app: &App,
    bound: &Bound,
    (from, to): (i64, i64),
    each: &mut (dyn FnMut(&MemberRef<'_>) + Send),
) -> Result<()> {
    let (id, zone) = (bound.calendar.id, &zone(&bound.calendar));
    let range = TimeRange {
        start: from,
        end: to,
    };
    let mut ids: Vec<ObjectId> = app
        .store
        .read(|tx| {
            Box::pin(async move {
                let mut ids = index::unindexed(tx, id, from, to).await?;
                index::in_range(tx, id, from, to, |one| {
                    let at = |time: i64| {
                        if one.row.local {
                            zone.instant_of(time)
                        } else {
                            time
                        }
                    };
                    if range.overlaps(at(one.row.starts), at(one.row.ends)) {
                        ids.push(one.object);
                    }
                    Ok(())
                })
                .await?;
                Ok(ids)
            })
        })
        .await?;
    ids.sort_unstable();
    ids.dedup();
    for some in ids.chunks(256) {
        app.store
            .peek(|tx| {
                let each = &mut *each;
                Box::pin(async move {
                    objects::by_ids(tx, some, true, |object| {
                        each(&object);
                        Ok(())
                    })
                    .await
                })
            })
            .await?;
        tokio::task::yield_now().await;
    }
    Ok(())
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
