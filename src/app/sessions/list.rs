//! Lists of sessions: all of them calendar by calendar, or those of a range in the order of time. Cursors, not offsets:
//! a page goes on where the last one ended, whatever was written in between.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fields::Status;
use super::instance::{Found, recurrence_id};
use super::merge::FieldError;
use super::range::in_range;
use super::times::Times;
use super::{Fault, Session, events, session};
use crate::app::App;
use crate::app::calendars::{self, zone};
use crate::ical::session::MARK;
use crate::model::access::Scopes;
use crate::model::{Bound, CalendarKind, Error, Privilege, Result, StoredObject, Who};
use crate::store;
use crate::store::objects::MemberRef;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Any of these; empty: all.
    pub status: Vec<Status>,
    /// One calendar: then everything in it, also what did not come through the API.
    pub calendar: Option<String>,
    /// Seconds since 1970 UTC, half-open. With one of them, instances of series are listed one by one.
    pub from: Option<i64>,
    pub to: Option<i64>,
    pub limit: usize,
    pub cursor: Option<String>,
}

/// One page.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page {
    pub sessions: Vec<Session>,
    /// Where the next page begins; absent on the last one.
    pub next_cursor: Option<String>,
}

/// Where the next page begins, or what the last one ended with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Cursor {
    /// Calendar, name of the object to go on with, how many of its events were shown.
    Name(i64, String, usize),
    /// Start, object and original start of the last one that was shown.
    Time(i64, i64, i64),
}

impl Cursor {
    pub(super) fn print(&self) -> Option<String> {
        serde_json::to_vec(self)
            .ok()
            .map(|json| URL_SAFE_NO_PAD.encode(json))
    }

    fn parse(text: &str) -> Option<Cursor> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }
}

/// A page of sessions.
///
/// # Errors
/// A cursor that is not one, a calendar that is not there.
pub async fn list(app: &App, who: &Who, filter: &Filter) -> Result<Page, Fault> {
    if !who.scopes.has(Scopes::READ) {
        return Err(Error::forbidden("this token lacks the scope read").into());
    }
    let ranged = filter.from.is_some() || filter.to.is_some();
    let cursor = match filter.cursor.as_deref().map(Cursor::parse) {
        None => None,
        Some(Some(cursor)) if ranged == matches!(cursor, Cursor::Time(..)) => Some(cursor),
        Some(_) => return Err(vec![FieldError::new("cursor", "not a cursor of this list")].into()),
    };
    let calendars = in_question(app, who, filter).await?;
    let mut page = match ranged {
        true => in_range(app, filter, cursor, calendars).await?,
        false => by_name(app, filter, cursor, calendars).await?,
    };
    super::synced::tell(app, who, &mut page.sessions).await?;
    Ok(page)
}

/// The calendars to look into, by id.
async fn in_question(app: &App, who: &Who, filter: &Filter) -> Result<Vec<Bound>, Fault> {
    let mut all = match &filter.calendar {
        Some(slug) => match calendars::to_read(app, who, slug).await {
            Err(Error::NotFound) => {
                return Err(vec![FieldError::new("calendar", "there is no such calendar")].into());
            }
            found => vec![Bound::clone(&*found?)],
        },
        None => {
            let (id, name) = (who.id, who.name.clone());
            app.store
                .read(|tx| Box::pin(async move { store::calendars::list(tx, id, &name).await }))
                .await?
        }
    };
    all.retain(|bound| bound.privileges.has(Privilege::Read));
    all.sort_by_key(|bound| bound.calendar.id);
    all.dedup_by_key(|bound| bound.calendar.id);
    Ok(all)
}

/// Is this text to be listed at all? A look for the mark, before anything is parsed.
pub(super) fn wanted(filter: &Filter, bound: &Bound, object: &MemberRef<'_>) -> bool {
    object.component == "VEVENT"
        && (filter.calendar.is_some()
            || bound.calendar.kind == CalendarKind::Sessions
            || memchr::memmem::find(object.body, MARK.as_bytes()).is_some())
}

pub(super) fn stored(bound: &Bound, object: &MemberRef<'_>) -> StoredObject {
    StoredObject {
        calendar: bound.calendar.id,
        member: object.to_member(),
        body: object.body.to_vec(),
    }
}

impl Filter {
    pub(super) fn takes(&self, session: &Session) -> bool {
        self.status.is_empty() || self.status.contains(&session.fields.status)
    }
}

async fn by_name(
    app: &App,
    filter: &Filter,
    cursor: Option<Cursor>,
    calendars: Vec<Bound>,
) -> Result<Page, Fault> {
    let (first, mut after, mut skip) = match cursor {
        Some(Cursor::Name(calendar, name, shown)) => (calendar, name, Some(shown)),
        _ => (i64::MIN, String::new(), None),
    };
    let mut sessions = Vec::new();
    for bound in calendars
        .iter()
        .filter(|bound| bound.calendar.id.0 >= first)
    {
        let id = bound.calendar.id;
        if id.0 != first {
            (after, skip) = (String::new(), None);
        }
        loop {
            let (found, last) = page(app, filter, bound, &after, skip.is_some()).await?;
            for object in &found {
                let views = views(app, bound, object)?;
                let hidden = match skip.take() {
                    Some(shown) if object.member.name == after => shown,
                    _ => 0,
                };
                for (at, one) in views
                    .into_iter()
                    .enumerate()
                    .skip(hidden)
                    .filter(|(_, one)| filter.takes(one))
                {
                    if sessions.len() == filter.limit {
                        let cursor = Cursor::Name(id.0, object.member.name.clone(), at);
                        return Ok(Page {
                            sessions,
                            next_cursor: cursor.print(),
                        });
                    }
                    sessions.push(one);
                }
            }
            skip = None;
            match last {
                Some(name) => after = name,
                None => break,
            }
        }
    }
    Ok(Page {
        sessions,
        next_cursor: None,
    })
}

/// Objects after a name (or from it on), and the name to go on from.
async fn page(
    app: &App,
    filter: &Filter,
    bound: &Bound,
    after: &str,
    including: bool,
) -> Result<(Vec<StoredObject>, Option<String>)> {
    const PAGE: i64 = 100;
    app.store
        .read(|tx| {
            Box::pin(async move {
                let (mut found, mut last) = (Vec::new(), None);
                if including {
                    found.extend(store::objects::get(tx, bound.calendar.id, after).await?);
                }
                store::objects::page(tx, bound.calendar.id, Some(after), PAGE, true, |object| {
                    last = Some(object.name.to_string());
                    if wanted(filter, bound, &object) {
                        found.push(stored(bound, &object));
                    }
                    Ok(())
                })
                .await?;
                Ok((found, last))
            })
        })
        .await
}

/// The master and the overrides of an object.
fn views(app: &App, bound: &Bound, object: &StoredObject) -> Result<Vec<Session>> {
    let tree = super::parse(&object.body)?;
    let times = Times::of(&tree, zone(&bound.calendar));
    let mut all: Vec<Found<'_>> = events(&tree)
        .map(|event| Found {
            event,
            id: recurrence_id(event),
            virtual_span: None,
        })
        .collect();
    all.sort_by_key(|found| found.id.as_ref().map(|id| times.instant(id)));
    Ok(all
        .iter()
        .map(|found| session(app, bound, object, &times, found))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_from_their_text() {
        for cursor in [Cursor::Name(3, "ä.ics".into(), 1), Cursor::Time(-5, 7, 9)] {
            assert_eq!(Cursor::parse(&cursor.print().unwrap()), Some(cursor));
        }
        assert_eq!(Cursor::parse("nonsense"), None);
    }
}
