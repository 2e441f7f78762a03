//! Copying and moving an object to another name or calendar. RFC 4918 §9.8, §9.9; RFC 4791 §5.3.2.1 holds for the
//! destination.

use super::{Context, effects, uid_conflict};
use crate::model::{
    Bound, CalendarId, Error, Guard, Member, Origin, Result, StoredObject, Writable,
};
use crate::store::objects::{Head, Move};
use crate::store::properties::OwnerKind;
use crate::store::{Tx, calendars, objects, properties, versions};

/// What becomes of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    Copy,
    Move,
}

/// An object's place: its calendar, as somebody may write to it (to read from it, for the source of a copy), and its name.
#[derive(Clone, Debug)]
pub struct Place<C> {
    pub cal: C,
    pub name: String,
}

/// Brings the object at `from` to `to`; an object that is already there is replaced when `overwrite` says so.
/// True when the destination was created.
///
/// # Errors
/// `NotFound` without a source, `PreconditionFailed` when `guard` (on the source) fails or the destination exists
/// and may not be overwritten, a named precondition when it cannot be stored there.
pub async fn transfer<S>(
    cx: &Context<'_>,
    how: Transfer,
    from: Place<S>,
    to: Place<Writable<Bound>>,
    overwrite: bool,
    guard: &Guard,
    origin: Origin,
) -> Result<bool>
where
    S: std::ops::Deref<Target = Bound>,
{
    if from.cal.calendar.id == to.cal.calendar.id && from.name == to.name {
        return Err(Error::forbidden("source and destination are the same"));
    }
    let id = from.cal.calendar.id;
    let source = cx
        .store
        .peek(|tx| Box::pin(objects::get(tx, id, &from.name)))
        .await?
        .ok_or(Error::NotFound)?;
    let etag = source.member.etag.clone();
    let effects = effects::effects(&source.body, etag, &to.cal.calendar, cx.rules, cx.now)?;
    let job = Job {
        how,
        source,
        from: id,
        to: Bound::clone(&to.cal),
        name: to.name,
        overwrite,
        effects,
        origin,
        now: cx.now,
    };
    let (guard, there) = (guard.clone(), to.cal.calendar.id);
    let done = cx
        .store
        .write(move |tx| Box::pin(async move { job.run(tx, &guard).await }))
        .await;
    if done.is_ok() {
        cx.wake.changed(id);
        cx.wake.changed(there);
    }
    done
}

struct Job {
    how: Transfer,
    source: StoredObject,
    from: CalendarId,
    to: Bound,
    name: String,
    overwrite: bool,
    effects: effects::Effects,
    origin: Origin,
    now: i64,
}

impl Job {
    async fn run(&self, tx: &mut Tx<'_>, guard: &Guard) -> Result<bool> {
        let to = self.to.calendar.id;
        self.lock_in_order(tx).await?;
        let source = self.source_again(tx, guard).await?;
        let there = objects::head(tx, to, &self.name).await?;
        if there.is_some() && !self.overwrite {
            return Err(Error::PreconditionFailed);
        }
        self.refuse_taken_uid(tx, there.as_ref().map(|h| &h.member))
            .await?;
        if let Some(old) = &there {
            versions::keep(tx, old.member.id, "replaced", self.origin, self.now).await?;
        }
        match self.how {
            Transfer::Copy => self.copy(tx, &source, there.as_ref()).await?,
            Transfer::Move => self.move_there(tx, &source, there.as_ref()).await?,
        }
        Ok(there.is_none())
    }

    /// RFC 4918 §9.8.2: dead properties go along, in place of those that were there.
    async fn copy(&self, tx: &mut Tx<'_>, source: &Head, there: Option<&Head>) -> Result<()> {
        let to = self.to.calendar.id;
        let seq = calendars::lock(tx, to, self.now).await?;
        let row = self.effects.row(&self.name, &self.source.body);
        let id = match there {
            Some(old) => {
                objects::update(tx, to, old, seq, &row, self.now).await?;
                old.member.id
            }
            None => objects::insert(tx, to, seq, &row, self.now).await?,
        };
        properties::copy(tx, OwnerKind::Object, source.member.id.0, id.0).await
    }

    /// RFC 4918 §9.9: what is at the destination is deleted first.
    async fn move_there(&self, tx: &mut Tx<'_>, source: &Head, there: Option<&Head>) -> Result<()> {
        let to = self.to.calendar.id;
        versions::keep(tx, source.member.id, "moved", self.origin, self.now).await?;
        if let Some(old) = there {
            let seq = calendars::lock(tx, to, self.now).await?;
            objects::remove(tx, to, old, seq, self.now).await?;
        }
        let gone = Move {
            calendar: self.from,
            name: &self.source.member.name,
            seq: calendars::lock(tx, self.from, self.now).await?,
        };
        let come = Move {
            calendar: to,
            name: &self.name,
            seq: calendars::lock(tx, to, self.now).await?,
        };
        objects::relocate(tx, source, gone, come, self.now).await
    }

    /// Both calendars are locked in the order of their ids, so that two moves in opposite directions cannot wait for each other.
    async fn lock_in_order(&self, tx: &mut Tx<'_>) -> Result<()> {
        let mut ids = [self.from, self.to.calendar.id];
        ids.sort();
        for id in ids {
            calendars::lock(tx, id, self.now).await?;
        }
        Ok(())
    }

    /// The source under the lock; it must still be the text that was validated.
    async fn source_again(&self, tx: &mut Tx<'_>, guard: &Guard) -> Result<Head> {
        let source = objects::head(tx, self.from, &self.source.member.name)
            .await?
            .ok_or(Error::NotFound)?;
        let state = Some((&source.member.etag, source.member.schedule_tag.as_deref()));
        if source.member.etag != self.source.member.etag || !guard.holds(state) {
            return Err(Error::PreconditionFailed);
        }
        Ok(source)
    }

    /// The UID may be held in the destination by the source itself (moved within its calendar) or by what is replaced.
    async fn refuse_taken_uid(&self, tx: &mut Tx<'_>, there: Option<&Member>) -> Result<()> {
        let to = self.to.calendar.id;
        if let Some(other) = there.filter(|old| old.uid != self.effects.uid) {
            // RFC 4791 §5.3.2.1: a resource is not overwritten by one with another UID.
            return Err(uid_conflict(&self.to, &other.name, &other.uid));
        }
        let Some(holder) = objects::by_uid(tx, to, &self.effects.uid).await? else {
            return Ok(());
        };
        let moved_itself =
            self.how == Transfer::Move && to == self.from && holder.name == self.source.member.name;
        if moved_itself || holder.name == self.name {
            return Ok(());
        }
        Err(uid_conflict(&self.to, &holder.name, &holder.uid))
    }
}
