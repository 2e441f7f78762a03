//! Deleting an object. RFC 4918 §9.6.

use super::Context;
use crate::model::{Bound, Error, Guard, Origin, Result, Writable};
use crate::store::{calendars, objects, versions};

/// Removes the object `name` of `cal`, if `guard` holds. Its last text stays in the history.
///
/// # Errors
/// `NotFound` when there is none, `PreconditionFailed` when `guard` does not hold.
pub async fn remove(
    cx: &Context<'_>,
    cal: &Writable<Bound>,
    name: &str,
    guard: &Guard,
    origin: Origin,
) -> Result<()> {
    let (id, now) = (cal.calendar.id, cx.now);
    let (name, guard) = (name.to_string(), guard.clone());
    let done = cx
        .store
        .write(move |tx| {
            Box::pin(async move {
                let seq = calendars::lock(tx, id, now).await?;
                // RFC 9110 §13.2.1: conditions are for what would succeed without them.
                let head = objects::head(tx, id, &name).await?.ok_or(Error::NotFound)?;
                let state = (&head.member.etag, head.member.schedule_tag.as_deref());
                if !guard.holds(Some(state)) {
                    return Err(Error::PreconditionFailed);
                }
                versions::keep(tx, head.member.id, "deleted", origin, now).await?;
                objects::remove(tx, id, &head, seq, now).await
            })
        })
        .await;
    if done.is_ok() {
        cx.wake.changed(id);
    }
    done
}
