//! The one busy engine: when is somebody's time taken? (PRODUCT §5, RFC 4791 §7.10.)
//!
//! It answers from the occurrence index. Objects that the index alone may not answer for (series that reach beyond its
//! horizon, VFREEBUSY) are read and expanded. Which sources count is for the door to say: the free-busy-query REPORT
//! asks for one collection, every other door for the person's whole set.
//!
//! VAVAILABILITY in the calendars that are asked, and of a person that of their inbox too, is aggregated (RFC 7953 §5,
//! §7.2.3).
//!
//! Left out: remote calendars, which are sources like the others once they exist. A source that cannot be read is
//! unknown, never free.

use super::{App, calendars::zone};
use crate::ical::availability;
use crate::ical::busy::{self, Busy, BusyKind};
use crate::ical::object::Object;
use crate::ical::query::TimeRange;
use crate::ical::rrule::Budget;
use crate::ical::tree::{Limits, Tree};
use crate::ical::zone::Zone;
use crate::model::access::Scopes;
use crate::model::property::{AVAILABILITY, text};
use crate::model::{
    Bound, Calendar, Error, Precondition, Principal, Privilege, Privileges, Result, Who,
};
use crate::store::properties::OwnerKind;
use crate::store::{Tx, calendars, objects, occurrences as index, properties};

/// Taken time, and where it is known from.
#[derive(Clone, Debug)]
pub struct BusyTimes {
    pub range: TimeRange,
    /// Sorted and disjoint. What is known; see [`BusyTimes::with_unknown`].
    pub periods: Vec<Busy>,
    pub sources: Vec<Source>,
}

/// One calendar that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The slug, or what a remote calendar is called.
    pub name: String,
    /// False: it could not be read, and nothing is known of its time.
    pub known: bool,
    /// Seconds since 1970 UTC: how old the knowledge is.
    pub as_of: i64,
}

impl BusyTimes {
    /// Is there a source that could not be read?
    pub fn has_unknown(&self) -> bool {
        self.sources.iter().any(|source| !source.known)
    }

    /// For iCalendar, which has no word for unknown: BUSY-UNAVAILABLE over the whole range.
    pub fn with_unknown(&self) -> Vec<Busy> {
        if !self.has_unknown() {
            return self.periods.clone();
        }
        let unknown = Busy {
            start: self.range.start,
            end: self.range.end,
            kind: BusyKind::Unavailable,
        };
        busy::merge(self.periods.iter().copied().chain([unknown]), self.range)
    }
}

/// Busy time of one collection (the REPORT's).
///
/// # Errors
/// `need-privileges` without CALDAV:read-free-busy.
pub async fn of_calendar(
    app: &App,
    who: &Who,
    bound: &Bound,
    range: TimeRange,
) -> Result<BusyTimes> {
    may_ask(who)?;
    if bound.privileges == Privileges::NONE {
        return Err(Error::NotFound);
    }
    if !bound.privileges.has(Privilege::ReadFreeBusy) {
        let needs = Privileges::NONE.with(Privilege::ReadFreeBusy);
        return Err(Error::precondition(
            Precondition::NeedPrivileges { needs },
            "you may not see when this is busy",
        ));
    }
    of_calendars(app, std::slice::from_ref(bound), range).await
}

/// Busy time of a person: all their calendars that count and that `who` may see free/busy of.
///
/// # Errors
/// `NotFound` when `who` may see nothing of this person.
pub async fn of_person(
    app: &App,
    who: &Who,
    person: &Principal,
    range: TimeRange,
) -> Result<BusyTimes> {
    may_ask(who)?;
    let (id, name) = (who.id, person.name.clone());
    let mut all = app
        .store
        .read(|tx| Box::pin(async move { calendars::list(tx, id, &name).await }))
        .await?;
    all.retain(|bound| {
        bound.calendar.owner == person.id && bound.privileges.has(Privilege::ReadFreeBusy)
    });
    if all.is_empty() && who.id != person.id {
        return Err(Error::NotFound);
    }
    all.retain(|bound| !bound.calendar.transparent);
    let id = person.id;
    let stored = app
        .store
        .peek(|tx| Box::pin(properties::get_all(tx, OwnerKind::Inbox, id.0, id)))
        .await?;
    let inbox = stored.into_iter().find(|(name, _)| name == AVAILABILITY);
    let own = inbox.map(|(_, element)| text(&element).into_bytes());
    collect(app, &all, own.into_iter().collect(), range).await
}

fn may_ask(who: &Who) -> Result<()> {
    if who.scopes.has(Scopes::READ) || who.scopes.has(Scopes::FREEBUSY) {
        return Ok(());
    }
    Err(Error::forbidden("this token lacks the scope freebusy"))
}

/// Busy time of these calendars; whoever calls has checked that they may be seen.
///
/// # Errors
/// Trouble with the database as a whole.
pub async fn of_calendars(app: &App, all: &[Bound], range: TimeRange) -> Result<BusyTimes> {
    collect(app, all, Vec::new(), range).await
}

/// The same, with availability from elsewhere: iCalendar streams.
async fn collect(
    app: &App,
    all: &[Bound],
    mut availability: Vec<Vec<u8>>,
    range: TimeRange,
) -> Result<BusyTimes> {
    let mut found = Vec::new();
    let mut sources = Vec::with_capacity(all.len());
    for bound in all {
        let calendar = bound.calendar.clone();
        let instances = app.instances();
        let read = app
            .store
            .read(|tx| Box::pin(async move { of_one(tx, &calendar, range, instances).await }))
            .await;
        let known = match read {
            Ok(mut one) => {
                found.append(&mut one.busy);
                availability.append(&mut one.availability);
                true
            }
            Err(fault) => {
                tracing::error!(calendar = bound.calendar.id.0, %fault, "busy time cannot be read");
                false
            }
        };
        sources.push(Source {
            name: bound.slug.clone(),
            known,
            as_of: app.clock.now(),
        });
    }
    if !availability.is_empty() {
        let zone = all
            .first()
            .map_or(Zone::Fixed(0), |bound| zone(&bound.calendar));
        found.extend(unavailable(&availability, range, &zone, app.instances()));
    }
    Ok(BusyTimes {
        range,
        periods: busy::merge(found, range),
        sources,
    })
}

/// What VAVAILABILITY components make of a range together: their priorities are among all of them.
fn unavailable(streams: &[Vec<u8>], range: TimeRange, zone: &Zone, instances: u32) -> Vec<Busy> {
    let trees: Vec<Tree<'_>> = streams
        .iter()
        .filter_map(|text| Tree::parse(text, &Limits::default()).ok())
        .collect();
    let budget = Budget::new(Budget::STEPS, instances);
    availability::busy(&trees, range, zone, &budget).unwrap_or_else(|_| vec![all_of(range)])
}

/// A range of which too much is said to tell.
fn all_of(range: TimeRange) -> Busy {
    Busy {
        start: range.start,
        end: range.end,
        kind: BusyKind::Unavailable,
    }
}

/// What one calendar says.
#[derive(Default)]
struct Said {
    /// Neither merged nor cut.
    busy: Vec<Busy>,
    /// Objects with VAVAILABILITY.
    availability: Vec<Vec<u8>>,
}

async fn of_one(
    tx: &mut Tx<'_>,
    calendar: &Calendar,
    range: TimeRange,
    instances: u32,
) -> Result<Said> {
    let zone = zone(calendar);
    let mut said = Said::default();
    index::in_range(tx, calendar.id, range.start, range.end, |one| {
        let kind = u8::try_from(one.row.busy).map_or(BusyKind::Busy, BusyKind::from_code);
        if kind != BusyKind::Free {
            let at = |time: i64| {
                if one.row.local {
                    zone.instant_of(time)
                } else {
                    time
                }
            };
            said.busy.push(Busy {
                start: at(one.row.starts),
                end: at(one.row.ends),
                kind,
            });
        }
        Ok(())
    })
    .await?;
    let others = index::unindexed(tx, calendar.id, range.start, range.end).await?;
    for ids in others.chunks(256) {
        objects::by_ids(tx, calendar.id, ids, true, |object| {
            match object.component {
                "VEVENT" | "VFREEBUSY" => {
                    of_object(object.body, &zone, range, instances, &mut said.busy);
                }
                "VAVAILABILITY" => said.availability.push(object.body.to_vec()),
                _ => {}
            }
            Ok(())
        })
        .await?;
    }
    Ok(said)
}

/// Busy time of one object, by expanding it. One that has too many instances to tell makes everything unavailable.
fn of_object(body: &[u8], zone: &Zone, range: TimeRange, instances: u32, found: &mut Vec<Busy>) {
    let Ok(tree) = Tree::parse(body, &Limits::default()) else {
        return;
    };
    let Ok(object) = Object::read(&tree) else {
        return;
    };
    match busy::of(&object, range, zone, &Budget::new(Budget::STEPS, instances)) {
        Ok(busy) => found.extend(busy),
        Err(_) => found.push(all_of(range)),
    }
}
