//! Many writes of one calendar in one transaction, for bridges: as [`super::put`] and [`super::remove`], but one that
//! cannot be done is passed over and told, and what the caller keeps beside the objects is written with them.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::{Context, effects, uid_conflict};
use crate::model::{Bound, Error, Etag, LinkId, Origin, Result, Writable};
use crate::store::{Tx, calendars, objects, versions};

/// One write.
#[derive(Clone, Debug)]
pub struct Step {
    pub name: String,
    pub what: What,
    /// What must be there; none: nothing.
    pub expected: Option<Etag>,
}

#[derive(Clone, Debug)]
pub enum What {
    Put(Bytes),
    Remove,
}

/// What came of one write.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Done, or so already: the tag of what is there now.
    Done(Option<Etag>),
    /// Something else is there than was expected.
    Moved,
    /// It cannot be stored: why.
    Refused(Error),
}

/// A step, ready for the transaction.
struct Ready {
    name: String,
    work: Work,
    expected: Option<Etag>,
}

enum Work {
    Put(Box<effects::Effects>, Bytes),
    Remove,
    Refused(Error),
}

/// Writes `steps` into `cal` for `link`; `then` runs in the same transaction with what came of each, in their order.
/// An error of `then` takes everything back.
///
/// # Errors
/// When the calendar is gone, what `then` says, and trouble with the database.
pub async fn batch<T, F>(
    cx: &Context<'_>,
    cal: &Writable<Bound>,
    steps: Vec<Step>,
    origin: Origin,
    link: LinkId,
    then: F,
) -> Result<T>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx<'static>, Vec<Outcome>) -> BoxFuture<'t, Result<T>>
        + Send
        + 'static,
{
    let writes = !steps.is_empty();
    let ready: Vec<Ready> = steps
        .into_iter()
        .map(|step| prepare(cx, cal, step))
        .collect();
    let (bound, now) = (Bound::clone(cal), cx.now);
    let done = cx
        .store
        .write(move |tx| {
            Box::pin(async move {
                let mut outcomes = Vec::with_capacity(ready.len());
                for one in &ready {
                    outcomes.push(one.run(tx, &bound, origin, now).await?);
                }
                then(tx, outcomes).await
            })
        })
        .await?;
    if writes {
        cx.wake.changed_by(cal.calendar.id, link);
    }
    Ok(done)
}

/// Validates and expands, outside of the transaction.
fn prepare(cx: &Context<'_>, cal: &Bound, step: Step) -> Ready {
    let work = match step.what {
        What::Remove => Work::Remove,
        What::Put(body) => {
            match effects::effects(&body, Etag::of(&body), &cal.calendar, cx.rules, cx.now) {
                Ok(effects) => Work::Put(Box::new(effects), body),
                Err(error) => Work::Refused(error),
            }
        }
    };
    Ready {
        name: step.name,
        work,
        expected: step.expected,
    }
}

impl Ready {
    async fn run(&self, tx: &mut Tx<'_>, cal: &Bound, origin: Origin, now: i64) -> Result<Outcome> {
        let id = cal.calendar.id;
        // What changes nothing takes no number; the look under the lock decides.
        let head = objects::head(tx, id, &self.name).await?;
        if let Some(outcome) = self.without_a_write(cal, head.as_ref()) {
            return Ok(outcome);
        }
        let seq = calendars::lock(tx, id, now).await?;
        let head = objects::head(tx, id, &self.name).await?;
        if let Some(outcome) = self.without_a_write(cal, head.as_ref()) {
            return Ok(outcome);
        }
        let action = match &self.work {
            Work::Put(..) => "replaced",
            Work::Remove | Work::Refused(_) => "deleted",
        };
        if let Some(old) = &head {
            versions::keep(tx, old.member.id, action, origin, now).await?;
        }
        match (&self.work, &head) {
            (Work::Put(new, body), Some(old)) => {
                objects::update(tx, id, old, seq, &new.row(&self.name, body), now).await?;
                Ok(Outcome::Done(Some(new.etag.clone())))
            }
            (Work::Put(new, body), None) => {
                if objects::by_uid(tx, id, &new.uid).await?.is_some() {
                    return Ok(Outcome::Moved);
                }
                objects::insert(tx, id, seq, &new.row(&self.name, body), now).await?;
                Ok(Outcome::Done(Some(new.etag.clone())))
            }
            (Work::Remove | Work::Refused(_), head) => {
                if let Some(old) = head {
                    objects::remove(tx, id, old, seq, now).await?;
                }
                Ok(Outcome::Done(None))
            }
        }
    }

    /// What comes of it when nothing is to be written.
    fn without_a_write(&self, cal: &Bound, head: Option<&objects::Head>) -> Option<Outcome> {
        let there = head.map(|head| &head.member);
        match (&self.work, there) {
            (Work::Refused(error), _) => Some(Outcome::Refused(error.clone())),
            (Work::Put(new, _), Some(old)) if old.etag == new.etag => {
                Some(Outcome::Done(Some(new.etag.clone())))
            }
            (Work::Remove, None) => Some(Outcome::Done(None)),
            _ if there.map(|m| &m.etag) != self.expected.as_ref() => Some(Outcome::Moved),
            (Work::Put(new, _), Some(old)) if old.uid != new.uid => {
                let conflict = uid_conflict(cal, &self.name, &old.uid);
                Some(Outcome::Refused(conflict))
            }
            _ => None,
        }
    }
}
