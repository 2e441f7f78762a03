//! A list of offset changes, looked up by bisection: some twenty nanoseconds, where working the rules out takes
//! hundreds.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, RwLock};

use super::WIDEST_JUMP;
use crate::ical::rrule::civil;

/// Offsets over time.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Table {
    /// Before the first change.
    first: i32,
    changes: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Change {
    at: i64,
    offset: i32,
    /// The first local second, in either offset's reading, that is certainly after the change.
    local: i64,
}

impl Table {
    /// From changes in order: instant and offset from then on. Of changes so close together that a clock would skip
    /// or repeat both at once, which no place has, the last counts.
    pub fn new(first: i32, changes: impl IntoIterator<Item = (i64, i32)>) -> Table {
        let mut table = Table {
            first,
            changes: Vec::new(),
        };
        for (at, offset) in changes {
            let close = |last: &mut Change| at.saturating_sub(last.at) < WIDEST_JUMP;
            table.changes.pop_if(close);
            let before = table.last();
            if offset != before {
                let local = at + i64::from(offset.max(before));
                table.changes.push(Change { at, offset, local });
            }
        }
        table
    }

    /// The instants of the changes.
    pub fn instants(&self) -> impl Iterator<Item = i64> {
        self.changes.iter().map(|change| change.at)
    }

    /// The offset after the last change.
    pub fn last(&self) -> i32 {
        self.changes.last().map_or(self.first, |last| last.offset)
    }

    /// Seconds east of UTC at an instant.
    pub fn offset_at(&self, instant: i64) -> i32 {
        self.after(self.changes.partition_point(|change| change.at <= instant))
    }

    /// The instant of local seconds: in a gap with the offset before it, in a fold the first.
    pub fn instant_of(&self, local: i64) -> i64 {
        let changes = self.changes.partition_point(|change| change.local <= local);
        local - i64::from(self.after(changes))
    }

    fn after(&self, changes: usize) -> i32 {
        match changes.checked_sub(1).and_then(|n| self.changes.get(n)) {
            Some(change) => change.offset,
            None => self.first,
        }
    }
}

/// A zone of the tz database, with its changes listed for the times that calendars are about.
#[derive(Debug)]
pub struct Named {
    zone: TimeZone,
    table: Table,
}

/// Instants, and local seconds well inside them, for which the table speaks: 1970 to 2070.
const LISTED: (i64, i64) = (0, 36_525 * civil::DAY);
const INSIDE: (i64, i64) = (LISTED.0 + 2 * civil::DAY, LISTED.1 - 2 * civil::DAY);

/// The zones in use, by their names in the tz database; so there are at most as many as that has.
static NAMED: LazyLock<RwLock<HashMap<String, Arc<Named>>>> = LazyLock::new(RwLock::default);

impl Named {
    /// Lists a zone's changes, once for the whole process.
    pub(super) fn of(zone: TimeZone) -> Option<Arc<Named>> {
        let name = zone.iana_name()?;
        // A poisoned lock holds a whole map all the same: nothing panics half-way through an insert.
        if let Some(known) = NAMED.read().unwrap_or_else(|e| e.into_inner()).get(name) {
            return Some(Arc::clone(known));
        }
        let name = name.to_owned();
        let start = Timestamp::from_second(LISTED.0).ok()?;
        let changes = zone
            .following(start)
            .map(|change| (change.timestamp().as_second(), change.offset().seconds()))
            .take_while(|(at, _)| *at < LISTED.1);
        let table = Table::new(zone.to_offset(start).seconds(), changes);
        let named = Arc::new(Named { zone, table });
        let mut all = NAMED.write().unwrap_or_else(|e| e.into_inner());
        Some(Arc::clone(all.entry(name).or_insert(named)))
    }

    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    pub(super) fn offset_at(&self, instant: i64) -> i32 {
        if (LISTED.0..LISTED.1).contains(&instant) {
            return self.table.offset_at(instant);
        }
        Timestamp::from_second(instant).map_or(0, |at| self.zone.to_offset(at).seconds())
    }

    /// jiff's "compatible" choice is the RFC's, as in [`Table::instant_of`].
    pub(super) fn instant_of(&self, local: i64) -> i64 {
        if (INSIDE.0..INSIDE.1).contains(&local) {
            return self.table.instant_of(local);
        }
        let ambiguous = civil::date_time(local).map(|at| self.zone.to_ambiguous_timestamp(at));
        let instant = ambiguous.and_then(|at| at.compatible().ok());
        instant.map_or(local, Timestamp::as_second)
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.zone == other.zone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What [`Table::new`] takes for granted.
    #[test]
    fn no_zone_changes_twice_in_two_days() {
        for name in jiff::tz::db().available() {
            let zone = TimeZone::get(name.as_str()).unwrap();
            let offset = |at: i64| {
                zone.to_offset(Timestamp::from_second(at).unwrap())
                    .seconds()
            };
            let changes = zone
                .following(Timestamp::MIN)
                .map(|change| change.timestamp().as_second())
                .take_while(|at| *at < LISTED.1)
                .filter(|at| offset(*at) != offset(at - 1));
            let changes: Vec<i64> = changes.collect();
            let apart = changes.windows(2).map(|pair| pair[1] - pair[0]).min();
            assert!(
                apart >= Some(WIDEST_JUMP) || apart.is_none(),
                "{name} {apart:?}"
            );
        }
    }

    #[test]
    fn of_changes_close_together_the_last_counts() {
        let hour = 3_600;
        let changes = [
            (0, 1),
            (10 * hour, 2),
            (11 * hour, 3),
            (100 * hour, 1),
            (120 * hour, 3),
        ];
        let table = Table::new(0, changes.map(|(at, offset)| (at, offset * hour as i32)));
        assert_eq!(table.instants().collect::<Vec<_>>(), [11 * hour]);
        assert_eq!((table.offset_at(0), table.last()), (0, 3 * hour as i32));
    }

    /// Around each change and in between, on both sides of the listed times' ends.
    #[test]
    fn the_list_says_what_the_tz_database_says() {
        for name in [
            "America/New_York",
            "Europe/Dublin",
            "Africa/Casablanca",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "America/Vancouver",
            "Asia/Tokyo",
            "America/Scoresbysund",
        ] {
            let zone = TimeZone::get(name).unwrap();
            let named = Named::of(zone.clone()).unwrap();
            let start = Timestamp::from_second(-400 * civil::DAY).unwrap();
            let changes = zone.following(start).map(|c| c.timestamp().as_second());
            let changes: Vec<i64> = changes
                .take_while(|at| *at < LISTED.1 + 400 * civil::DAY)
                .collect();
            let hours = |at: i64| (-30..30).map(move |half| at + half * 1_800);
            let near = changes
                .into_iter()
                .flat_map(|at| hours(at).chain([at - 1, at, at + 1]));
            let grid = (-30..1_250).map(|n| n * 30 * civil::DAY);
            for at in near.chain(grid) {
                let exact = Timestamp::from_second(at).unwrap();
                assert_eq!(
                    named.offset_at(at),
                    zone.to_offset(exact).seconds(),
                    "{name} {exact}"
                );
                let civil = civil::date_time(at).unwrap();
                let instant = zone.to_ambiguous_timestamp(civil).compatible().unwrap();
                assert_eq!(named.instant_of(at), instant.as_second(), "{name} {civil}");
            }
        }
    }
}
