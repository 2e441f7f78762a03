//! The one busy engine: when is somebody's time taken? (PRODUCT §5, RFC 4791 §7.10.)
//!
//! It answers from the occurrence index. Objects that the index alone may not answer for (series that reach beyond its
//! horizon, VFREEBUSY) are read and expanded. Which sources count is for the door to say: the free-busy-query REPORT
//! asks for one collection, every other door for the person's whole set.
//!
//! Left out: remote calendars and availability, which are sources like the others once they exist. A source that
//! cannot be read is unknown, never free.

use super::{App, calendars::zone};
use crate::ical::busy::{self, Busy, BusyKind};
use crate::ical::object::Object;
use crate::ical::query::TimeRange;
use crate::ical::rrule::Budget;
use crate::ical::tree::{Limits, Tree};
use crate::ical::zone::Zone;
use crate::model::access::Scopes;
use crate::model::{
    Bound, Calendar, Error, Precondition, Principal, Privilege, Privileges, Result, Who,
};
use crate::store::{Tx, calendars, objects, occurrences as index};

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
    of_calendars(app, &all, range).await
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
            Ok(busy) => {
                found.extend(busy);
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
    Ok(BusyTimes {
        range,
        periods: busy::merge(found, range),
        sources,
    })
}

/// Busy time of one calendar, neither merged nor cut.
async fn of_one(
    tx: &mut Tx<'_>,
    calendar: &Calendar,
    range: TimeRange,
    instances: u32,
) -> Result<Vec<Busy>> {
    let zone = zone(calendar);
    let mut found = Vec::new();
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
            found.push(Busy {
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
            if matches!(object.component, "VEVENT" | "VFREEBUSY") {
                of_object(object.body, &zone, range, instances, &mut found);
            }
            Ok(())
        })
        .await?;
    }
    Ok(found)
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
        Err(_) => found.push(Busy {
            start: range.start,
            end: range.end,
            kind: BusyKind::Unavailable,
        }),
    }
}
