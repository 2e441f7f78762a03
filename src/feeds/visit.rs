//! The objects of a calendar, all of them or those of a window, page by page, so that others get their turn.

use std::collections::BTreeSet;

use crate::app::App;
use crate::app::calendars::zone;
use crate::ical::query::TimeRange;
use crate::ical::zone::Zone;
use crate::model::{Bound, CalendarId, ObjectId, Result};
use crate::store::Tx;
use crate::store::objects::{self, MemberRef};
use crate::store::occurrences::{self as index, OccurrenceRow};

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

/// Those of some objects that [`visit`] would come to.
pub async fn shown(
    tx: &mut Tx<'_>,
    id: CalendarId,
    zone: &Zone,
    names: &[String],
    (from, to): (i64, i64),
) -> Result<Vec<String>> {
    let range = TimeRange {
        start: from,
        end: to,
    };
    let mut found: BTreeSet<String> = index::unindexed_among(tx, id, names, from, to)
        .await?
        .into_iter()
        .collect();
    index::in_range_among(tx, id, names, from, to, |name, row| {
        if is_in(row, zone, &range) && !found.contains(name) {
            found.insert(name.to_string());
        }
        Ok(())
    })
    .await?;
    Ok(found.into_iter().collect())
}

/// Does an instance touch a range, in the zone of times without one?
fn is_in(row: &OccurrenceRow, zone: &Zone, range: &TimeRange) -> bool {
    let at = |time: i64| match row.local {
        true => zone.instant_of(time),
        false => time,
    };
    range.overlaps(at(row.starts), at(row.ends))
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
                    if is_in(&one.row, zone, &range) {
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
