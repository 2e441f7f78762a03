//! The objects of a calendar, all of them or those of a window, page by page, so that others get their turn.

use crate::app::App;
use crate::app::calendars::zone;
use crate::ical::query::TimeRange;
use crate::model::{Bound, ObjectId, Result};
use crate::store::objects::{self, MemberRef};
use crate::store::occurrences as index;
/// Every object of a calendar, or those with an instance in a window.
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

pub async fn visit_all(
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
                    objects::by_ids(tx, id, some, true, |object| {
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
