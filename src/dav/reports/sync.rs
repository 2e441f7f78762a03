//! sync-collection (RFC 6578 §3) of a calendar. That of a home is in [`super::home`].
//!
//! The token stands for the calendar's number when the answer began. What changes while the answer is sent has a higher
//! number and is left out, so that the next sync, from this token, brings it: nothing is skipped, nothing is half seen.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{asked_of, home, limit_of};
use crate::app::App;
use crate::app::calendars::zone;
use crate::dav::members::{Batch, Members};
use crate::dav::names::dav;
use crate::dav::plan::Plan;
use crate::dav::reply::{self, Next, Pages};
use crate::dav::request::Depth;
use crate::dav::view::On;
use crate::dav::{Call, resource, tokens};
use crate::model::{Bound, Calendar, Error, Path, Precondition, Result};
use crate::wire::Response;
use crate::xml::{Element, Writer};

/// How far below the collection changes are reported (RFC 6578 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    One,
    Infinite,
}

/// What the request says beside the properties.
pub struct Ask {
    /// Empty: everything.
    pub token: String,
    pub level: Level,
    pub limit: Option<usize>,
}

impl Ask {
    /// A missing sync-level is taken from the Depth header, as the drafts had it that Apple's older clients follow.
    fn read(document: &Element, depth: Option<Depth>) -> Result<Ask> {
        let level = match document
            .child(&dav::SYNC_LEVEL)
            .map(Element::trimmed_text)
            .as_deref()
        {
            Some("1") => Level::One,
            Some("infinite" | "infinity") => Level::Infinite,
            None if depth == Some(Depth::Infinity) => Level::Infinite,
            None => Level::One,
            Some(_) => return Err(Error::BadRequest("sync-level must be 1 or infinite".into())),
        };
        let token = document
            .child(&dav::SYNC_TOKEN)
            .map(Element::trimmed_text)
            .unwrap_or_default();
        Ok(Ask {
            token,
            level,
            limit: limit_of(document)?,
        })
    }
}

pub fn bad_token() -> Error {
    Error::precondition(
        Precondition::ValidSyncToken,
        "this sync token is not known any more: sync from the beginning",
    )
}

pub async fn run(call: Call, document: Element) -> Result<Response> {
    let ask = Ask::read(&document, call.request.depth)?;
    match call.path() {
        Path::Calendar { name, slug } => calendar(&call, &document, ask, name, slug).await,
        Path::Home(_) => home::run(call, &document, ask).await,
        _ => empty(call, ask).await,
    }
}

async fn calendar(
    call: &Call,
    document: &Element,
    ask: Ask,
    home: &str,
    slug: &str,
) -> Result<Response> {
    let (asked, data) = asked_of(document)?;
    let (who, form) = (call.who(), call.form());
    let bound = call
        .app
        .store
        .peek(|tx| Box::pin(resource::calendar(tx, who, home, slug)))
        .await?;
    let since = since(&ask.token, &bound.calendar)?;
    let data = data.map(|data| data.within(zone(&bound.calendar), call.desk.limits.instances));
    let plan = Arc::new(Plan::new(&asked, On::OBJECT, form.prefer.minimal, data));
    let (desk, until) = (call.desk.clone(), bound.calendar.seq);
    let members = call
        .app
        .store
        .read(|tx| Box::pin(Members::new(tx, desk, Bound::clone(&bound), plan)))
        .await?;
    let sync = Sync {
        app: call.app.clone(),
        href: call.href(),
        members,
        since,
        until,
        left: ask.limit,
        listed: None,
    };
    reply::stream(form, sync).await
}

/// The number that a token of this calendar stands for.
fn since(token: &str, calendar: &Calendar) -> Result<i64> {
    if token.is_empty() {
        return Ok(0);
    }
    let (id, seq) = tokens::calendar(token).ok_or_else(bad_token)?;
    let known = id == calendar.id && (calendar.pruned_seq..=calendar.seq).contains(&seq);
    if known { Ok(seq) } else { Err(bad_token()) }
}

/// Inbox and notifications never have members.
async fn empty(call: Call, ask: Ask) -> Result<Response> {
    let (who, path) = (call.who(), call.path());
    call.app
        .store
        .read(|tx| Box::pin(resource::load(tx, who, path)))
        .await?;
    if !ask.token.is_empty() && ask.token != tokens::EMPTY {
        return Err(bad_token());
    }
    let mut w = reply::document();
    w.element(&dav::SYNC_TOKEN, tokens::EMPTY);
    Ok(reply::whole(call.form(), w))
}

struct Sync {
    app: App,
    href: String,
    members: Members,
    since: i64,
    until: i64,
    /// Responses that the client still wants.
    left: Option<usize>,
    /// The last name, when everything is listed: by name, which is quicker than by number.
    listed: Option<String>,
}

impl Pages for Sync {
    fn page<'a>(&'a mut self, w: &'a mut Writer) -> BoxFuture<'a, Result<Next>> {
        Box::pin(async move {
            let everything = self.since == 0 && self.left.is_none();
            let more = if everything {
                self.list(w).await?
            } else {
                self.changes(w).await?
            };
            if !more {
                w.element(
                    &dav::SYNC_TOKEN,
                    &tokens::of_calendar(self.members.bound.calendar.id, self.until),
                );
            }
            Ok(if more { Next::More } else { Next::Done })
        })
    }
}

impl Sync {
    /// All members, as of the token.
    async fn list(&mut self, w: &mut Writer) -> Result<bool> {
        let Sync {
            app,
            members,
            until,
            listed,
            ..
        } = self;
        let page = members.page_size();
        let (mut count, mut last) = (0, String::new());
        let batch = Batch::After(listed.as_deref(), page);
        let keep = |_: &mut Writer, member: &crate::store::MemberRef<'_>| {
            count += 1;
            if count == page {
                last.push_str(member.name);
            }
            Ok(member.seq <= *until)
        };
        app.store
            .read(|tx| Box::pin(members.write_batch(tx, batch, false, w, keep)))
            .await?;
        *listed = Some(last);
        Ok(count == page)
    }

    /// One page of changes. When the client's limit is reached the answer says so with 507 for the collection itself, and
    /// its token covers exactly what was sent (RFC 6578 §3.6).
    async fn changes(&mut self, w: &mut Writer) -> Result<bool> {
        let Sync {
            app,
            members,
            since,
            until,
            left,
            href,
            ..
        } = self;
        let page = members.page_size();
        let limit = left.map_or(page, |left| left.min(page));
        let (from, to) = (*since, *until);
        let written = app
            .store
            .read(|tx| Box::pin(members.write_changes(tx, w, from, to, limit)))
            .await?;
        *since = written.last;
        if !written.more {
            return Ok(false);
        }
        let Some(left) = left else { return Ok(true) };
        *left -= written.count;
        if *left > 0 {
            return Ok(true);
        }
        *until = written.last;
        write_truncated(w, href);
        Ok(false)
    }
}

/// RFC 6578 §3.6, §3.10
pub fn write_truncated(w: &mut Writer, href: &str) {
    w.open(&dav::RESPONSE).element(&dav::HREF, href);
    w.element(&dav::STATUS, "HTTP/1.1 507 Insufficient Storage");
    w.open(&dav::ERROR)
        .empty(&dav::NUMBER_OF_MATCHES_WITHIN_LIMITS)
        .close()
        .close();
}
