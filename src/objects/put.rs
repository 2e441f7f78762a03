//! Creating and replacing an object. RFC 4791 §5.3.2, RFC 4918 §9.7.

use bytes::Bytes;

use super::{Context, effects, uid_conflict};
use crate::ical::session;
use crate::model::{Bound, Door, Error, Etag, Guard, Origin, Result, StoredObject, Writable};
use crate::store::{Tx, calendars, objects, versions};

/// What is to be stored.
#[derive(Clone, Debug)]
pub struct Draft {
    pub name: String,
    pub body: Bytes,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    pub created: bool,
    pub etag: Etag,
    pub schedule_tag: Option<String>,
    /// False when the server changed something: the client must then not be given the ETag (RFC 4791 §5.3.4).
    pub stored_as_sent: bool,
}

/// A retry is needed only when somebody changed the same session between our look and our lock.
const ATTEMPTS: usize = 4;

/// Stores `draft` under its name in `cal`, if `guard` holds. Bytes equal to those stored change nothing.
///
/// # Errors
/// `PreconditionFailed` when `guard` does not hold, a named precondition when the text cannot be stored here.
pub async fn put(
    cx: &Context<'_>,
    cal: &Writable<Bound>,
    draft: Draft,
    guard: &Guard,
    origin: Origin,
) -> Result<Put> {
    for _ in 0..ATTEMPTS {
        let before = look(cx, cal, &draft.name).await?;
        let present = before.as_ref().map(|b| &b.head.member);
        check(guard, present)?;
        let merged = carried_forward(before.as_ref(), &draft.body, origin.door);
        let stored_as_sent = merged.is_none();
        let body = merged.unwrap_or_else(|| draft.body.clone());
        let basis = (!stored_as_sent)
            .then(|| present.map(|m| m.etag.clone()))
            .flatten();
        let etag = Etag::of(&body);
        if let Some(same) = present.filter(|m| m.etag == etag) {
            let schedule_tag = same.schedule_tag.clone();
            return Ok(Put {
                created: false,
                etag,
                schedule_tag,
                stored_as_sent,
            });
        }
        let write = Write {
            cal: Bound::clone(cal),
            name: draft.name.clone(),
            effects: effects::effects(&body, etag.clone(), &cal.calendar, cx.rules, cx.now)?,
            body,
            guard: guard.clone(),
            basis,
            origin,
            now: cx.now,
        };
        match cx
            .store
            .write(move |tx| Box::pin(async move { write.run(tx).await }))
            .await?
        {
            Outcome::Stored {
                created,
                schedule_tag,
            } => {
                cx.wake.changed(cal.calendar.id);
                return Ok(Put {
                    created,
                    etag,
                    schedule_tag,
                    stored_as_sent,
                });
            }
            Outcome::Moved => continue,
        }
    }
    Err(Error::Unavailable(
        "the object is being changed by others, try again".into(),
    ))
}

/// The object as it is before the write, with its text where that is needed.
struct Before {
    head: objects::Head,
    body: Option<StoredObject>,
}

async fn look(cx: &Context<'_>, cal: &Bound, name: &str) -> Result<Option<Before>> {
    let id = cal.calendar.id;
    let Some(head) = cx
        .store
        .peek(|tx| Box::pin(objects::head(tx, id, name)))
        .await?
    else {
        return Ok(None);
    };
    if !head.session {
        return Ok(Some(Before { head, body: None }));
    }
    let body = cx
        .store
        .peek(|tx| Box::pin(objects::get(tx, id, name)))
        .await?;
    Ok(Some(Before { head, body }))
}

fn check(guard: &Guard, present: Option<&crate::model::Member>) -> Result<()> {
    let state = present.map(|m| (&m.etag, m.schedule_tag.as_deref()));
    if guard.holds(state) {
        Ok(())
    } else {
        Err(Error::PreconditionFailed)
    }
}

/// Many clients drop components that they do not know: session fields missing from a client's text are taken from
/// the stored one. Only the API clears them (PRODUCT §6); a bridge writes what it merged into the stored text.
fn carried_forward(before: Option<&Before>, sent: &Bytes, door: Door) -> Option<Bytes> {
    if matches!(door, Door::Api | Door::Restore | Door::Bridge) {
        return None;
    }
    let old = before?.body.as_ref()?;
    session::carry_forward(&old.body, sent).map(Bytes::from)
}

/// Everything the transaction needs, ready made.
struct Write {
    cal: Bound,
    name: String,
    effects: effects::Effects,
    body: Bytes,
    guard: Guard,
    /// The tag of the object whose session fields were carried forward.
    basis: Option<Etag>,
    origin: Origin,
    now: i64,
}

enum Outcome {
    Stored {
        created: bool,
        schedule_tag: Option<String>,
    },
    /// The object that `basis` names has changed: merge again.
    Moved,
}

impl Write {
    async fn run(self, tx: &mut Tx<'_>) -> Result<Outcome> {
        let id = self.cal.calendar.id;
        let seq = calendars::lock(tx, id, self.now).await?;
        let head = objects::head(tx, id, &self.name).await?;
        let present = head.as_ref().map(|h| &h.member);
        check(&self.guard, present)?;
        if self.basis.is_some() && present.map(|m| &m.etag) != self.basis.as_ref() {
            return Ok(Outcome::Moved);
        }
        match &head {
            Some(old) => self.replace(tx, old, seq).await?,
            None => self.create(tx, seq).await?,
        }
        Ok(Outcome::Stored {
            created: head.is_none(),
            schedule_tag: None,
        })
    }

    async fn create(&self, tx: &mut Tx<'_>, seq: i64) -> Result<()> {
        let id = self.cal.calendar.id;
        if let Some(holder) = objects::by_uid(tx, id, &self.effects.uid).await? {
            return Err(uid_conflict(&self.cal, &holder.name, &self.effects.uid));
        }
        objects::insert(
            tx,
            id,
            seq,
            &self.effects.row(&self.name, &self.body),
            self.now,
        )
        .await?;
        Ok(())
    }

    async fn replace(&self, tx: &mut Tx<'_>, old: &objects::Head, seq: i64) -> Result<()> {
        if old.member.uid != self.effects.uid {
            return Err(uid_conflict(&self.cal, &self.name, &old.member.uid));
        }
        versions::keep(tx, old.member.id, "replaced", self.origin, self.now).await?;
        let row = self.effects.row(&self.name, &self.body);
        objects::update(tx, self.cal.calendar.id, old, seq, &row, self.now).await
    }
}
