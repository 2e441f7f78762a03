//! Sessions of a range of time, instance by instance, in the order of time.

use std::collections::{BTreeSet, HashMap};

use super::instance::{self, of_rid, recurrence_id};
use super::list::{Cursor, Filter, Page, stored, wanted};
use super::merge::FieldError;
use super::times::Times;
use super::{Fault, Session, events, session};
use crate::app::App;
use crate::app::calendars::zone;
use crate::ical::expand::{Window, occurrences};
use crate::ical::object::Object;
use crate::ical::rrule::Budget;
use crate::ical::tree::{Limits, Tree};
use crate::ical::zone::{Zone, Zones};
use crate::model::{Bound, Error, ObjectId, Result, StoredObject};
use crate::store::objects::MemberRef;
use crate::store::{self, occurrences as index};
/// An instance in a range: start, object, original start.
type Place = (i64, i64, i64);

/// The most instances that one question may be about, however few of them a page shows.
const MOST: usize = 50_000;
/// Where no end is given: two years from now, or from the beginning if that is later.
const USUAL: i64 = 731 * 86_400;

/// A page of the instances that overlap the filter's range.
pub(super) async fn in_range(
    app: &App,
    filter: &Filter,
    cursor: Option<Cursor>,
    calendars: Vec<Bound>,
) -> Result<Page, Fault> {
    let from = filter.from.unwrap_or(i64::MIN);
    // Series without end have instances for ever.
    let ahead = filter
        .from
        .unwrap_or(i64::MIN)
        .max(app.clock.now())
        .saturating_add(USUAL);
    let to = filter.to.unwrap_or(ahead);
    if from >= to {
        return Err(vec![FieldError::new("to", "must lie after from")].into());
    }
    let shown = |place: &Place| matches!(cursor, Some(Cursor::Time(start, object, rid)) if *place <= (start, object, rid));
    let mut places: BTreeSet<(Place, usize)> = BTreeSet::new();
    for (at, bound) in calendars.iter().enumerate() {
        let found = instances(app, bound, (from, to), MOST - places.len().min(MOST)).await?;
        places.extend(
            found
                .into_iter()
                .filter(|place| !shown(place))
                .map(|place| (place, at)),
        );
    }
    let mut sessions = Vec::new();
    let mut last = None;
    let mut objects = Loaded::default();
    for (place, at) in places {
        let bound = &calendars[at];
        let Some(object) = objects.get(app, filter, bound, place.1).await? else {
            continue;
        };
        let Some(one) = at_place(app, bound, object, place.2)?.filter(|one| filter.takes(one))
        else {
            continue;
        };
        if sessions.len() == filter.limit {
            return Ok(Page {
                sessions,
                next_cursor: last,
            });
        }
        last = Cursor::Time(place.0, place.1, place.2).print();
        sessions.push(one);
    }
    Ok(Page {
        sessions,
        next_cursor: None,
    })
}

/// Objects of this page that were read: a series is read once, however many of its instances are shown.
#[derive(Default)]
struct Loaded(HashMap<i64, Option<StoredObject>>);

impl Loaded {
    async fn get(
        &mut self,
        app: &App,
        filter: &Filter,
        bound: &Bound,
        id: i64,
    ) -> Result<Option<&StoredObject>> {
        const MOST: usize = 512;
        if !self.0.contains_key(&id) {
            if self.0.len() >= MOST {
                self.0.clear();
            }
            self.0.insert(id, load(app, filter, bound, id).await?);
        }
        Ok(self.0.get(&id).and_then(Option::as_ref))
    }
}

async fn load(app: &App, filter: &Filter, bound: &Bound, id: i64) -> Result<Option<StoredObject>> {
    app.store
        .peek(|tx| {
            Box::pin(async move {
                let mut found = None;
                store::objects::by_ids(tx, bound.calendar.id, &[ObjectId(id)], true, |object| {
                    if wanted(filter, bound, &object) {
                        found = Some(stored(bound, &object));
                    }
                    Ok(())
                })
                .await?;
                Ok(found)
            })
        })
        .await
}

/// The instances of a calendar that overlap a range.
async fn instances(app: &App, bound: &Bound, range: (i64, i64), most: usize) -> Result<Vec<Place>> {
    let (calendar, budget) = (bound.calendar.clone(), app.instances());
    let (from, to) = range;
    app.store
        .read(|tx| {
            Box::pin(async move {
                let zone = zone(&calendar);
                let mut found = Vec::new();
                index::in_range(tx, calendar.id, from, to, |one| {
                    let at = |time: i64| {
                        if one.row.local {
                            zone.instant_of(time)
                        } else {
                            time
                        }
                    };
                    if overlaps(range, at(one.row.starts), at(one.row.ends)) {
                        found.push((at(one.row.starts), one.object.0, one.row.rid));
                    }
                    if found.len() > most {
                        Err(too_many())
                    } else {
                        Ok(())
                    }
                })
                .await?;
                let others = index::unindexed(tx, calendar.id, from, to).await?;
                for ids in others.chunks(256) {
                    store::objects::by_ids(tx, calendar.id, ids, true, |object| {
                        expanded(&object, &zone, range, budget, &mut found)?;
                        if found.len() > most {
                            Err(too_many())
                        } else {
                            Ok(())
                        }
                    })
                    .await?;
                }
                Ok(found)
            })
        })
        .await
}

/// RFC 4791 §9.9: what lasts overlaps; what does not last must lie inside.
fn overlaps((from, to): (i64, i64), start: i64, end: i64) -> bool {
    start < to && (end > from || start >= from)
}

/// Nothing is left out silently.
fn too_many() -> Error {
    Error::Invalid {
        field: "to".into(),
        reason: format!("the range holds more than {MOST} instances: ask for a shorter one"),
    }
}

/// The instances of an object that the index does not have.
fn expanded(
    object: &MemberRef<'_>,
    zone: &Zone,
    range: (i64, i64),
    budget: u32,
    found: &mut Vec<Place>,
) -> Result<()> {
    if object.component != "VEVENT" {
        return Ok(());
    }
    let Ok(tree) = Tree::parse(object.body, &Limits::default()) else {
        return Ok(());
    };
    let Ok(read) = Object::read(&tree) else {
        return Ok(());
    };
    let window = Window {
        from: Some(range.0).filter(|from| *from != i64::MIN),
        to: Some(range.1).filter(|to| *to != i64::MAX),
    };
    let all = occurrences(
        &read,
        &Zones::of(&tree),
        window,
        &Budget::new(Budget::STEPS, budget),
    );
    for one in all.map_err(|_| too_many())? {
        let at = |time: i64| {
            if one.local {
                zone.instant_of(time)
            } else {
                time
            }
        };
        if overlaps(range, at(one.start), at(one.end)) {
            found.push((at(one.start), object.id.0, one.rid));
        }
    }
    Ok(())
}

/// The instance with this original start, if the object (still) has it.
fn at_place(app: &App, bound: &Bound, object: &StoredObject, rid: i64) -> Result<Option<Session>> {
    let tree = super::parse(&object.body)?;
    let times = Times::of(&tree, zone(&bound.calendar));
    let recurs = events(&tree)
        .any(|e| recurrence_id(e).is_some() || e.properties().any(super::view::is_recurrence));
    let found = match of_rid(&tree, &times, rid) {
        Some(id) if recurs => instance::at(&tree, &times, &id),
        _ => instance::find(&tree, &times, None),
    };
    match found {
        Ok(found) => Ok(Some(session(app, bound, object, &times, &found))),
        Err(Error::NotFound) => Ok(None),
        Err(other) => Err(other),
    }
}
