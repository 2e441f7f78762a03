//! Zones as Graph names them: IANA, Windows, `tzone://Microsoft/…`. FACTS §4.4, §5.
//!
//! *Whose names are sent?* IANA's, which Graph takes. *Which come back?* Windows', one for many IANA zones; the name we
//! had is kept in an extended property of ours and counts again while its clock says the same.

use crate::ical::rrule::civil::DAY;
use crate::ical::value::When;
use crate::ical::zone::{Zone, Zones};

/// A zone by a name that both sides know.
#[derive(Clone, Debug)]
pub struct Wall {
    pub name: String,
    pub zone: Zone,
}

impl Wall {
    pub fn utc() -> Wall {
        Wall {
            name: "UTC".into(),
            zone: Zone::Utc,
        }
    }

    /// By an IANA or Windows name; `None` for customs zones and names that nobody knows.
    pub fn named(name: &str) -> Option<Wall> {
        let zone = Zone::named(name)?;
        let name = zone.iana_name()?.to_owned();
        Some(Wall { name, zone })
    }

    /// The zone of a time of ours; `home` is for floating times and dates. `None`: it is of the object's own making.
    pub fn of(when: &When, zones: &Zones<'_>, home: &Wall) -> Option<Wall> {
        match when {
            When::Date(_) | When::Floating(_) => Some(home.clone()),
            When::Utc(_) => Some(Wall::utc()),
            When::Zoned { tzid, at } => {
                let near = Zone::Utc.to_instant(*at);
                let zone = zones.resolve(tzid, Some((near - DAY, near + 366 * DAY)))?;
                let name = zone.iana_name()?.to_owned();
                Some(Wall { name, zone })
            }
        }
    }

    pub fn is_utc(&self) -> bool {
        self.zone == Zone::Utc
    }

    /// Do both clocks show the same for the year from this instant on?
    pub fn same_clock(&self, other: &Wall, from: i64) -> bool {
        self.name == other.name
            || (0..=26).all(|fortnight| {
                let at = from.saturating_add(fortnight * 14 * DAY);
                self.zone.offset_at(at) == other.zone.offset_at(at)
            })
    }

    /// Is this local time said twice, at the end of summer time?
    pub fn is_twice(&self, local: i64) -> bool {
        let first = self.zone.instant_of(local);
        [1_800, 3_600, 7_200]
            .iter()
            .any(|later| self.zone.local_of(first + later) == local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_names_and_their_iana_zones_show_the_same() {
        let at = 1_774_612_800;
        let vienna = Wall::named("Europe/Vienna").unwrap();
        let windows = Wall::named("W. Europe Standard Time").unwrap();
        assert!(vienna.same_clock(&windows, at));
        assert!(!vienna.same_clock(&Wall::named("GMT Standard Time").unwrap(), at));
        assert!(Wall::named("tzone://Microsoft/Utc").unwrap().is_utc());
        assert!(Wall::named("tzone://Microsoft/Custom").is_none());
    }

    #[test]
    fn an_hour_that_comes_twice_is_known() {
        let berlin = Wall::named("Europe/Berlin").unwrap();
        let local = |text: &str| Zone::Utc.to_instant(text.parse().unwrap());
        assert!(berlin.is_twice(local("2026-10-25T02:30:00")));
        assert!(!berlin.is_twice(local("2026-10-25T03:00:00")));
        assert!(!berlin.is_twice(local("2026-03-29T02:30:00")));
        let lord_howe = Wall::named("Australia/Lord_Howe").unwrap();
        assert!(lord_howe.is_twice(local("2026-04-05T01:45:00")));
    }
}
