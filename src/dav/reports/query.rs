//! calendar-query (RFC 4791 §7.8).
//!
//! A filter that asks for VEVENTs in a time range and for nothing else is answered from the occurrence index, without
//! reading an object. Any other filter takes from the index, or from the list of objects, what it can, and asks the
//! objects that are left, page by page.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::asked_of;
use crate::app::App;
use crate::app::calendars::zone;
use crate::dav::data::{CalendarData, refusal};
use crate::dav::live;
use crate::dav::members::{Batch, Members};
use crate::dav::names::cal;
use crate::dav::plan::{Asked, Plan};
use crate::dav::reply::{self, Next, PAGE, Pages};
use crate::dav::request::Depth;
use crate::dav::view::{Desk, On};
use crate::dav::{Call, resource};
use crate::ical::object::Object;
use crate::ical::query::{Filter, Prefilter, TimeRange};
use crate::ical::tree::{Limits, Tree};
use crate::ical::zone::Zone;
use crate::model::{Bound, Error, ObjectId, Path, Precondition, Result};
use crate::store::{Tx, calendars, objects, occurrences};
use crate::wire::Response;
use crate::xml::{Element, Writer};

pub async fn run(call: Call, document: Element) -> Result<Response> {
    let (asked, data) = asked_of(&document)?;
    let filter = document
        .child(&cal::FILTER)
        .ok_or_else(|| Error::precondition(Precondition::ValidFilter, "the query has no filter"))?;
    let filter = Filter::from_xml(filter).map_err(refusal)?;
    let floating = zone_of(&document)?;
    let targets = targets(&call).await?;
    let form = call.form();
    let only = match call.path() {
        Path::Object { object, .. } => Some(object.clone()),
        _ => None,
    };
    let query = Query {
        desk: call.desk,
        asked,
        data,
        filter: Arc::new(filter),
        floating,
        minimal: form.prefer.minimal,
        only,
    };
    reply::stream(
        form,
        Running {
            app: call.app,
            query,
            targets: targets.into_iter(),
            current: None,
        },
    )
    .await
}

/// The zone of floating times that the request names: CALDAV:timezone (§9.8), or CALDAV:timezone-id (RFC 7809 §9).
pub fn zone_of(document: &Element) -> Result<Option<Zone>> {
    if let Some(id) = document.child(&cal::TIMEZONE_ID) {
        let id = id.trimmed_text();
        let zone = Zone::named(&id);
        let unknown = || {
            Error::precondition(
                Precondition::ValidTimezone,
                format!("unknown time zone {id:?}"),
            )
        };
        return zone.ok_or_else(unknown).map(Some);
    }
    document
        .child(&cal::TIMEZONE)
        .map(|text| live::zone_of_text(&text.text()).map(|(zone, _)| zone))
        .transpose()
}

/// The calendars in the scope of the request.
async fn targets(call: &Call) -> Result<Vec<Bound>> {
    let (who, depth) = (call.who(), call.request.depth);
    let found = match call.path() {
        Path::Calendar { name, slug } | Path::Object { name, slug, .. } => {
            let bound = call
                .app
                .store
                .peek(|tx| Box::pin(resource::calendar(tx, who, name, slug)))
                .await?;
            // With Depth 0 the scope is the collection itself, which is no object.
            match (call.path(), depth) {
                (Path::Calendar { .. }, Some(Depth::Zero)) => Vec::new(),
                _ => vec![Bound::clone(&bound)],
            }
        }
        Path::Home(name) => {
            call.app
                .store
                .read(|tx| {
                    Box::pin(async move {
                        resource::load(tx, who, &Path::Home(name.clone())).await?;
                        match depth {
                            Some(Depth::Infinity) => calendars::list(tx, who.id, name).await,
                            _ => Ok(Vec::new()),
                        }
                    })
                })
                .await?
        }
        _ => return Err(Error::NotFound),
    };
    Ok(found.into_iter().filter(resource::can_read).collect())
}

/// What is asked of every calendar.
struct Query {
    desk: Arc<Desk>,
    asked: Asked,
    data: Option<CalendarData>,
    filter: Arc<Filter>,
    floating: Option<Zone>,
    minimal: bool,
    /// The name of the one object that is asked.
    only: Option<String>,
}

struct Running {
    app: App,
    query: Query,
    targets: std::vec::IntoIter<Bound>,
    current: Option<Answer>,
}

impl Pages for Running {
    fn page<'a>(&'a mut self, w: &'a mut Writer) -> BoxFuture<'a, Result<Next>> {
        Box::pin(async move {
            let Running {
                app,
                query,
                targets,
                current,
            } = self;
            if current.is_none() {
                let Some(bound) = targets.next() else {
                    return Ok(Next::Done);
                };
                *current = Some(
                    app.store
                        .read(|tx| Box::pin(query.begin(tx, bound)))
                        .await?,
                );
            }
            if let Some(answer) = current.as_mut() {
                app.store
                    .read(|tx| Box::pin(answer.write_page(tx, query, w)))
                    .await?;
                if answer.is_done() {
                    *current = None;
                }
            }
            Ok(if current.is_none() && targets.len() == 0 {
                Next::Done
            } else {
                Next::More
            })
        })
    }
}

/// One calendar's part of the answer.
struct Answer {
    members: Members,
    floating: Zone,
    source: Source,
}

/// An object that may match; with true it has to be asked itself.
type Candidate = (ObjectId, bool);

/// Where candidates come from.
enum Source {
    /// All that the occurrence index names, in the order of ids, and how many of them are written.
    Found(Vec<Candidate>, usize),
    /// Objects after this name, page by page.
    Listing(Option<String>),
    Finished,
}

impl Query {
    async fn begin(&self, tx: &mut Tx<'_>, bound: Bound) -> Result<Answer> {
        let floating = self
            .floating
            .clone()
            .unwrap_or_else(|| zone(&bound.calendar));
        let data = self
            .data
            .as_ref()
            .map(|data| data.within(floating.clone(), self.desk.limits.instances));
        let plan = Arc::new(Plan::new(&self.asked, On::OBJECT, self.minimal, data));
        let prefilter = self.filter.prefilter();
        let source = match (&self.only, prefilter.range) {
            (Some(name), _) => Source::Found(named(tx, &bound, name).await?, 0),
            (None, Some(range)) => {
                let found = by_time(tx, &bound, &prefilter, range, &floating).await?;
                Source::Found(found, 0)
            }
            (None, None) => Source::Listing(None),
        };
        let members = Members::new(tx, self.desk.clone(), bound, plan).await?;
        Ok(Answer {
            members,
            floating,
            source,
        })
    }

    fn matches(&self, body: &[u8], floating: &Zone) -> bool {
        let Ok(tree) = Tree::parse(body, &Limits::default()) else {
            return false;
        };
        Object::read(&tree).is_ok_and(|object| self.filter.matches(&object, floating))
    }
}

async fn named(tx: &mut Tx<'_>, bound: &Bound, name: &str) -> Result<Vec<Candidate>> {
    let head = objects::head(tx, bound.calendar.id, name)
        .await?
        .ok_or(Error::NotFound)?;
    Ok(vec![(head.member.id, true)])
}

/// From the occurrence index. Its rows are instances of VEVENTs; what it does not cover is asked itself.
async fn by_time(
    tx: &mut Tx<'_>,
    bound: &Bound,
    prefilter: &Prefilter<'_>,
    range: TimeRange,
    floating: &Zone,
) -> Result<Vec<Candidate>> {
    let id = bound.calendar.id;
    let mut found = Vec::new();
    if prefilter.component == Some("VEVENT") {
        let ask = !prefilter.exact;
        occurrences::in_range(tx, id, range.start, range.end, |one| {
            let at = |time| {
                if one.row.local {
                    floating.instant_of(time)
                } else {
                    time
                }
            };
            if range.overlaps(at(one.row.starts), at(one.row.ends)) {
                found.push((one.object, ask));
            }
            Ok(())
        })
        .await?;
    }
    let others = occurrences::unindexed(tx, id, range.start, range.end).await?;
    found.extend(others.into_iter().map(|id| (id, true)));
    // Of an object that was found twice the sure verdict comes first, and stays.
    found.sort_unstable();
    found.dedup_by_key(|(id, _)| *id);
    Ok(found)
}

/// Those of a page of objects whose component and UID may fit, in the order of ids, and the name to go on after.
async fn by_listing(
    tx: &mut Tx<'_>,
    bound: &Bound,
    after: Option<&str>,
    prefilter: &Prefilter<'_>,
) -> Result<(Vec<Candidate>, Option<String>)> {
    let (mut found, mut count, mut last) = (Vec::new(), 0, None);
    let id = bound.calendar.id;
    objects::page(tx, id, after, PAGE as i64, false, |member| {
        count += 1;
        if count == PAGE {
            last = Some(member.name.to_owned());
        }
        let fits = prefilter
            .component
            .is_none_or(|component| component == member.component)
            && prefilter.uid.is_none_or(|uid| uid.matches(member.uid));
        if fits {
            found.push((member.id, !prefilter.exact));
        }
        Ok(())
    })
    .await?;
    found.sort_unstable();
    Ok((found, last))
}

impl Answer {
    fn is_done(&self) -> bool {
        match &self.source {
            Source::Found(all, done) => *done == all.len(),
            Source::Listing(_) => false,
            Source::Finished => true,
        }
    }

    async fn write_page(&mut self, tx: &mut Tx<'_>, query: &Query, w: &mut Writer) -> Result<()> {
        let Answer {
            members,
            floating,
            source,
        } = self;
        match source {
            Source::Found(all, done) => {
                let until = (*done + members.page_size()).min(all.len());
                write_batch(tx, members, query, floating, &all[*done..until], w).await?;
                *done = until;
            }
            Source::Listing(after) => {
                let prefilter = query.filter.prefilter();
                let (batch, last) =
                    by_listing(tx, &members.bound, after.as_deref(), &prefilter).await?;
                write_batch(tx, members, query, floating, &batch, w).await?;
                *source = last.map_or(Source::Finished, |last| Source::Listing(Some(last)));
            }
            Source::Finished => {}
        }
        Ok(())
    }
}

/// Writes those of some candidates, in the order of ids, that match.
async fn write_batch(
    tx: &mut Tx<'_>,
    members: &Members,
    query: &Query,
    floating: &Zone,
    batch: &[Candidate],
    w: &mut Writer,
) -> Result<()> {
    let ids: Vec<ObjectId> = batch.iter().map(|(id, _)| *id).collect();
    let ask = batch.iter().any(|(_, ask)| *ask);
    members
        .write_batch(tx, Batch::Ids(&ids), ask, w, |_, member| {
            let sure = batch
                .binary_search_by_key(&member.id, |(id, _)| *id)
                .is_ok_and(|at| !batch[at].1);
            Ok(sure || query.matches(member.body, floating))
        })
        .await
}
