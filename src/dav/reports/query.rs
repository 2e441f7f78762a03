//! calendar-query (RFC 4791 §7.8).
//!
//! A filter that asks for VEVENTs in a time range and for nothing else is answered from the occurrence index, without
//! reading an object. Any other filter takes from the index what it can and asks the objects that are left. Candidates
//! are found first (ids only), then written page by page.

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
use crate::dav::reply::{self, Next, Pages};
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
    /// In the order of ids; with true the object itself has to be asked.
    candidates: Vec<(ObjectId, bool)>,
    done: usize,
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
        let candidates = match &self.only {
            Some(name) => named(tx, &bound, name).await?,
            None => self.candidates(tx, &bound, &floating).await?,
        };
        let members = Members::new(tx, self.desk.clone(), bound, plan).await?;
        Ok(Answer {
            members,
            floating,
            candidates,
            done: 0,
        })
    }

    async fn candidates(
        &self,
        tx: &mut Tx<'_>,
        bound: &Bound,
        floating: &Zone,
    ) -> Result<Vec<(ObjectId, bool)>> {
        let prefilter = self.filter.prefilter();
        if prefilter
            .component
            .is_some_and(|component| !bound.calendar.components.allows(component))
            && bound.calendar.objects == 0
        {
            return Ok(Vec::new());
        }
        let mut found = match prefilter.range {
            Some(range) => by_time(tx, bound, &prefilter, range, floating).await?,
            None => by_listing(tx, bound, &prefilter).await?,
        };
        // Of an object that was found twice the sure verdict comes first, and stays.
        found.sort_unstable();
        found.dedup_by_key(|(id, _)| *id);
        Ok(found)
    }

    fn matches(&self, body: &[u8], floating: &Zone) -> bool {
        let Ok(tree) = Tree::parse(body, &Limits::default()) else {
            return false;
        };
        Object::read(&tree).is_ok_and(|object| self.filter.matches(&object, floating))
    }
}

async fn named(tx: &mut Tx<'_>, bound: &Bound, name: &str) -> Result<Vec<(ObjectId, bool)>> {
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
) -> Result<Vec<(ObjectId, bool)>> {
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
    Ok(found)
}

/// All objects whose component and UID may fit.
async fn by_listing(
    tx: &mut Tx<'_>,
    bound: &Bound,
    prefilter: &Prefilter<'_>,
) -> Result<Vec<(ObjectId, bool)>> {
    let mut found = Vec::new();
    objects::page(tx, bound.calendar.id, None, i64::MAX, false, |member| {
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
    Ok(found)
}

impl Answer {
    fn is_done(&self) -> bool {
        self.done == self.candidates.len()
    }

    async fn write_page(&mut self, tx: &mut Tx<'_>, query: &Query, w: &mut Writer) -> Result<()> {
        let until = (self.done + self.members.page_size()).min(self.candidates.len());
        let batch = &self.candidates[self.done..until];
        let ids: Vec<ObjectId> = batch.iter().map(|(id, _)| *id).collect();
        let ask = batch.iter().any(|(_, ask)| *ask);
        let floating = &self.floating;
        self.members
            .write_batch(tx, Batch::Ids(&ids), ask, w, |_, member| {
                let sure = batch
                    .binary_search_by_key(&member.id, |(id, _)| *id)
                    .is_ok_and(|at| !batch[at].1);
                Ok(sure || query.matches(member.body, floating))
            })
            .await?;
        self.done = until;
        Ok(())
    }
}
