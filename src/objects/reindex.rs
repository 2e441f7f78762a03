//! Keeping the occurrence index ahead of time: series without end are indexed up to a horizon, which moves on.
//! Texts, tags and sync numbers stay as they are; only how objects are found is written anew.

use super::{Context, effects};
use crate::model::{CalendarId, Member, Result, StoredObject};
use crate::store::occurrences::{self, Reindexed};
use crate::store::{meta, objects};

/// Indexes up to `limit` objects anew whose rows end sooner than they should. Says how many there were: fewer than
/// `limit` means that all is done.
pub async fn reindex_stale(cx: &Context<'_>, limit: i64) -> Result<usize> {
    let until = cx.now + effects::REFRESH;
    let stale = cx
        .store
        .peek(|tx| Box::pin(occurrences::stale_horizon(tx, until, limit)))
        .await?;
    for one in &stale {
        reindex(cx, one.calendar, &one.name).await?;
    }
    Ok(stale.len())
}

/// Instants in the index follow from zones' rules: when the program comes with newer ones, everything is indexed anew,
/// by [`reindex_stale`] and piece by piece. Until then objects are asked themselves, so no answer is wrong. Says whether
/// it came to that.
pub async fn zone_data(cx: &Context<'_>, version: &'static str) -> Result<bool> {
    const FACT: &str = "zone_data";
    let known = cx.store.peek(|tx| Box::pin(meta::get(tx, FACT))).await?;
    if known.as_deref() == Some(version) {
        return Ok(false);
    }
    cx.store
        .write(move |tx| {
            Box::pin(async move {
                let before = meta::get_or_set(tx, FACT, version).await?;
                // Of two servers on one database the older one leaves it alone.
                if before.as_str() >= version {
                    return Ok(false);
                }
                meta::set(tx, FACT, version).await?;
                occurrences::forget_all(tx).await?;
                Ok(true)
            })
        })
        .await
}

/// Indexes one object anew. One that cannot be read any more (rules became stricter) is marked as never indexed.
async fn reindex(cx: &Context<'_>, calendar: CalendarId, name: &str) -> Result<()> {
    let Some(object) = cx
        .store
        .peek(|tx| Box::pin(objects::get(tx, calendar, name)))
        .await?
    else {
        return Ok(());
    };
    let found = effects::of_stored(&object.body, object.member.etag.clone(), cx.now).ok();
    cx.store
        .write(move |tx| Box::pin(async move { store(tx, &object, found.as_ref()).await }))
        .await
}

async fn store(
    tx: &mut crate::store::Tx<'_>,
    object: &StoredObject,
    found: Option<&effects::Effects>,
) -> Result<()> {
    let new = Reindexed {
        indexed_from: found.and_then(|f| f.indexed_from),
        indexed_to: found.and_then(|f| f.indexed_to),
        needs_object: found.is_none_or(|f| f.needs_object),
        rows: found.map_or(&[], |f| &f.occurrences),
        digest: found.map_or("", |f| &f.digest),
    };
    let Member { name, etag, .. } = &object.member;
    occurrences::reindex(tx, object.calendar, name, &etag.0, &new)
        .await
        .map(drop)
}
