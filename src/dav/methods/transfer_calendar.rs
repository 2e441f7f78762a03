//! COPY and MOVE of whole calendars (RFC 4918 §9.8.3, §9.9.2), to another address in the home of the person asking.
//!
//! What is there already is deleted first (§9.8.4), which lays it into the trash like any DELETE.

use super::copy_move::{created, no_content};
use super::put::parent;
use crate::app::calendars::check_slug;
use crate::dav::request::Depth;
use crate::dav::view::Node;
use crate::dav::{Call, resource};
use crate::model::calendar::RESERVED_SLUGS;
use crate::model::{
    Bound, Error, Path, Precondition, PrincipalId, Privilege, Readable, Result, access,
};
use crate::objects::Transfer;
use crate::store::Tx;
use crate::store::calendars::{self, NewCalendar};
use crate::wire::Response;

/// What is to be done, under the lock.
struct Job {
    how: Transfer,
    source: Readable<Bound>,
    /// The slug that it gets in the home of `who`.
    to: String,
    /// Depth infinity: with its objects.
    members: bool,
    overwrite: bool,
    who: PrincipalId,
    now: i64,
}

pub async fn run(call: &Call, how: Transfer, home: &str, slug: &str) -> Result<Response> {
    let source = parent(call, home, slug)
        .await
        .map_err(|_| Error::NotFound)?;
    call.check_tags(&Node::Calendar(&source))?;
    call.check_if().await?;
    let who = call.who();
    resource::may_write(who)?;
    let job = Job {
        how,
        to: destination(call, &source)?,
        members: with_members(how, call.request.depth)?,
        source: access::readable(source, who)?,
        overwrite: call.request.overwrite,
        who: who.id,
        now: call.app.clock.now(),
    };
    if how == Transfer::Move && job.source.home != who.id {
        return Err(resource::lacking(Privilege::Unbind));
    }
    let path = Path::Calendar {
        name: who.name.clone(),
        slug: job.to.clone(),
    };
    let replaced = call
        .app
        .store
        .write(move |tx| Box::pin(async move { job.run(tx).await }))
        .await?;
    match replaced {
        true => Ok(no_content()),
        false => Ok(created(call.desk.href(&path))),
    }
}

/// §9.8.3: a COPY of depth 0 takes the properties only; §9.9.2: a MOVE takes all.
fn with_members(how: Transfer, depth: Option<Depth>) -> Result<bool> {
    match (depth, how) {
        (None | Some(Depth::Infinity), _) => Ok(true),
        (Some(Depth::Zero), Transfer::Copy) => Ok(false),
        _ => Err(Error::BadRequest(
            "header Depth: a collection is copied with 0 or infinity, and moved with infinity"
                .into(),
        )),
    }
}

fn destination(call: &Call, source: &Bound) -> Result<String> {
    let who = call.who();
    let slug = match call.request.destination.as_ref() {
        None => return Err(Error::BadRequest("header Destination is missing".into())),
        Some(Path::Calendar { name, slug })
            if *name == who.name && !RESERVED_SLUGS.contains(&slug.as_str()) =>
        {
            slug.clone()
        }
        Some(_) => {
            return Err(Error::precondition(
                Precondition::CalendarCollectionLocationOk,
                "a calendar is copied and moved into one's own calendar home only",
            ));
        }
    };
    check_slug(&slug)?;
    if source.home == who.id && source.slug == slug {
        return Err(Error::forbidden("source and destination are the same"));
    }
    Ok(slug)
}

impl Job {
    /// Whether something else was there.
    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool> {
        let there = calendars::find_bound(tx, self.who, &self.to).await?;
        if there.is_some() && !self.overwrite {
            return Err(Error::PreconditionFailed);
        }
        let calendar = &self.source.calendar;
        if there == Some(calendar.id) {
            return Err(Error::forbidden("source and destination are the same"));
        }
        // Calendars are locked in the order of their ids, and before homes, so that nobody waits for each other.
        let mut ids: Vec<_> = there.into_iter().chain([calendar.id]).collect();
        ids.sort();
        for id in ids {
            calendars::hold(tx, id).await?;
        }
        if there.is_some() {
            calendars::remove(tx, self.who, &self.to, self.now).await?;
        }
        match self.how {
            Transfer::Move => {
                calendars::rename(tx, self.who, &self.source.slug, &self.to, self.now).await?;
            }
            Transfer::Copy => {
                let new = NewCalendar {
                    home: self.who,
                    slug: self.to.clone(),
                    kind: calendar.kind,
                    components: calendar.components.clone(),
                    timezone: calendar.timezone.clone(),
                    transparent: calendar.transparent,
                };
                calendars::copy(tx, calendar.id, &new, self.members, self.who, self.now).await?;
            }
        }
        Ok(there.is_some())
    }
}
