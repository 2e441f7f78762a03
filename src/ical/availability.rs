//! Availability: the time that a person is not available, from VAVAILABILITY components. RFC 7953 §4, §5.
//!
//! Components of one priority are taken together, so that their order means nothing: first the time they
//! cover is busy, then what their AVAILABLE instances cover is free. A higher priority replaces what lower
//! ones say, free time included (§4). Events are laid over the answer by the caller ([`super::busy::merge`]).

use super::busy::{Busy, BusyKind, merge_by};
use super::expand::{Exhausted, Series};
use super::object::Kind;
use super::query::TimeRange;
use super::query::times::Times;
use super::rrule::Budget;
use super::tree::{Component, Tree};
use super::value::When;
use super::zone::{Zone, Zones};

/// §4: which BUSYTYPE prevails among components of one priority.
const ORDER: [BusyKind; 3] = [BusyKind::Busy, BusyKind::Unavailable, BusyKind::Tentative];

/// The busy time that all VAVAILABILITY components of these streams make together within `range`: sorted
/// and disjoint. Times without a zone are read in `floating`.
pub fn busy<'t>(
    streams: impl IntoIterator<Item = &'t Tree<'t>>,
    range: TimeRange,
    floating: &Zone,
    budget: &Budget,
) -> Result<Vec<Busy>, Exhausted> {
    let mut layers = Vec::new();
    for tree in streams {
        let times = Times::new(tree, floating);
        for component in tree
            .components()
            .filter(|component| component.is("VAVAILABILITY"))
        {
            let layer = Layer::read(component, &times, &range, budget)?;
            layers.extend(layer);
        }
    }
    layers.sort_by_key(|layer| layer.rank);
    let mut result: Vec<Busy> = Vec::new();
    for group in layers.chunk_by(|one, other| one.rank == other.rank) {
        let covered = merge_by(ORDER, group.iter().map(|layer| layer.busy), range);
        let free = merge_by(
            ORDER,
            group.iter().flat_map(|layer| layer.free.iter().copied()),
            range,
        );
        let mut next = without(&result, &covered);
        next.extend(without(&covered, &free));
        result = merge_by(ORDER, next, range);
    }
    Ok(result)
}

/// What one VAVAILABILITY says about a range.
struct Layer {
    /// 0 for the lowest priority, 9 for the highest.
    rank: u8,
    /// The time it covers, and how that is taken.
    busy: Busy,
    /// The free time inside; the kind of these says nothing.
    free: Vec<Busy>,
}

impl Layer {
    /// None where it does not overlap the range.
    fn read<'t>(
        component: Component<'t>,
        times: &Times<'_, 't>,
        range: &TimeRange,
        budget: &Budget,
    ) -> Result<Option<Layer>, Exhausted> {
        let (start, end) = times.bounds(component);
        if !range.overlaps_availability(start, end) {
            return Ok(None);
        }
        let kind = component
            .property("BUSYTYPE")
            .map_or(BusyKind::Unavailable, |property| {
                busy_type(&property.value())
            });
        let covered = TimeRange {
            start: start.unwrap_or(range.start).max(range.start),
            end: end.unwrap_or(range.end).min(range.end),
        };
        let mut free = Vec::new();
        for series in all_available(component, &times.zones) {
            let found = series.occurrences(covered.into(), budget)?;
            free.extend(
                found
                    .into_iter()
                    .map(|occurrence| times.place(occurrence))
                    .map(|instance| Busy {
                        start: instance.start.max(covered.start),
                        end: instance.end.min(covered.end),
                        kind: BusyKind::Busy,
                    }),
            );
        }
        Ok(Some(Layer {
            rank: rank(component),
            busy: Busy {
                start: covered.start,
                end: covered.end,
                kind,
            },
            free,
        }))
    }
}

/// §3.2: an unknown BUSYTYPE is BUSY-UNAVAILABLE.
fn busy_type(value: &str) -> BusyKind {
    let named = |kind: &BusyKind| value.trim().eq_ignore_ascii_case(kind.name());
    BusyKind::TAKEN
        .into_iter()
        .find(named)
        .unwrap_or(BusyKind::Unavailable)
}

/// §4: from the lowest to the highest, priorities are 0, 9, 8 … 1.
fn rank(component: Component<'_>) -> u8 {
    let priority = component
        .property("PRIORITY")
        .and_then(|property| property.value().trim().parse::<u8>().ok());
    match priority {
        Some(priority @ 1..=9) => 10 - priority,
        _ => 0,
    }
}

/// Each series of AVAILABLEs once.
fn all_available(component: Component<'_>, zones: &Zones<'_>) -> Vec<Series> {
    let mut uids = Vec::new();
    let mut all = Vec::new();
    for available in component.children_named("AVAILABLE") {
        let uid = available.property("UID").map(|uid| uid.text());
        if uid.is_some() && uids.contains(&uid) {
            continue;
        }
        uids.push(uid);
        all.push(self::available(available, zones));
    }
    all
}

/// The series that an AVAILABLE belongs to: they recur, and are overridden, among those of their UID
/// (§3.1).
pub(super) fn available(component: Component<'_>, zones: &Zones<'_>) -> Series {
    let uid = component.property("UID").map(|uid| uid.text());
    let same = |other: &Component<'_>| match &uid {
        Some(uid) => other
            .property("UID")
            .is_some_and(|other| other.text() == *uid),
        None => other.index() == component.index(),
    };
    let siblings = component
        .parent()
        .into_iter()
        .flat_map(|parent| parent.children_named("AVAILABLE"));
    let all: Vec<_> = siblings.filter(same).collect();
    let master = all
        .iter()
        .copied()
        .find(|one| one.property("RECURRENCE-ID").is_none());
    let id = |one: Component<'_>| When::of(one.property("RECURRENCE-ID")?).ok();
    let overrides: Vec<_> = all
        .iter()
        .filter_map(|one| Some((*one, id(*one)?)))
        .collect();
    let overrides = overrides.iter().map(|(one, id)| (*one, id, false));
    Series::new(Kind::Event, master, overrides, zones)
}

/// What is left of `busy` outside of `holes`; both sorted and disjoint.
fn without(busy: &[Busy], holes: &[Busy]) -> Vec<Busy> {
    let mut left = Vec::with_capacity(busy.len());
    let mut holes = holes;
    for one in busy {
        let past = holes
            .iter()
            .take_while(|hole| hole.end <= one.start)
            .count();
        holes = &holes[past..];
        let mut start = one.start;
        for hole in holes.iter().take_while(|hole| hole.start < one.end) {
            if start < hole.start {
                left.push(Busy {
                    start,
                    end: hole.start,
                    kind: one.kind,
                });
            }
            start = start.max(hole.end);
        }
        if start < one.end {
            left.push(Busy {
                start,
                end: one.end,
                kind: one.kind,
            });
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::tree::Limits;
    use proptest::prelude::*;

    /// The slots of §5.1: two hours each, from local midnight.
    fn slots(components: &[&str], midnight: i64, events: &[Busy]) -> String {
        let all: Vec<String> = components.iter().map(|lines| stream(lines)).collect();
        let trees: Vec<Tree> = all
            .iter()
            .map(|text| Tree::parse(text.as_bytes(), &Limits::default()).expect("a tree"))
            .collect();
        let range = TimeRange {
            start: midnight,
            end: midnight + 86_400,
        };
        let mut taken =
            busy(&trees, range, &Zone::Utc, &Budget::default()).expect("within the budget");
        taken.extend(events);
        let taken = crate::ical::busy::merge(taken, range);
        (0..12)
            .map(|slot| {
                let at = midnight + slot * 7200;
                match taken
                    .iter()
                    .find(|busy| busy.start <= at && at < busy.end)
                    .map(|busy| busy.kind)
                {
                    None | Some(BusyKind::Free) => 'F',
                    Some(BusyKind::Busy) => 'B',
                    Some(BusyKind::Unavailable) => 'U',
                    Some(BusyKind::Tentative) => 'T',
                }
            })
            .collect()
    }

    fn stream(lines: &str) -> String {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}\r\nEND:VCALENDAR\r\n",
            lines.replace('|', "\r\n")
        )
    }

    const MONTREAL: &str = "BEGIN:VAVAILABILITY|UID:1|DTSTART;TZID=America/Montreal:20111002T000000|BEGIN:AVAILABLE|\
        UID:2|DTSTART;TZID=America/Montreal:20111002T080000|DTEND;TZID=America/Montreal:20111002T180000|\
        RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR|END:AVAILABLE|END:VAVAILABILITY";
    const DENVER: &str = "BEGIN:VAVAILABILITY|UID:3|DTSTART;TZID=America/Denver:20111023T000000|\
        DTEND;TZID=America/Denver:20111030T000000|PRIORITY:1|BEGIN:AVAILABLE|UID:4|\
        DTSTART;TZID=America/Denver:20111023T080000|DTEND;TZID=America/Denver:20111023T180000|\
        RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR|END:AVAILABLE|END:VAVAILABILITY";

    fn meeting(midnight: i64, slot: i64) -> Busy {
        let start = midnight + slot * 7200;
        Busy {
            start,
            end: start + 7200,
            kind: BusyKind::Busy,
        }
    }

    /// §5.1.1, on Monday the 7th: the RFC's "Monday, 6th November" is a Sunday.
    #[test]
    fn the_simple_example() {
        let midnight = 1_320_642_000; // 2011-11-07T00:00 in Montreal, EST
        assert_eq!(
            slots(&[MONTREAL], midnight, &[meeting(midnight, 6)]),
            "UUUUFFBFFUUU"
        );
        assert_eq!(
            slots(&[MONTREAL], midnight - 86_400, &[]),
            "UUUUUUUUUUUU",
            "Sunday"
        );
    }

    /// §5.1.2.
    #[test]
    fn a_higher_priority_replaces_a_lower_one() {
        let midnight = 1_319_428_800; // 2011-10-24T00:00 in Montreal, EDT
        let expected = "UUUUUFFBFFUU";
        assert_eq!(
            slots(&[MONTREAL, DENVER], midnight, &[meeting(midnight, 7)]),
            expected
        );
        assert_eq!(
            slots(&[DENVER, MONTREAL], midnight, &[meeting(midnight, 7)]),
            expected
        );
        assert_eq!(
            slots(
                &[&format!("{MONTREAL}|{DENVER}")],
                midnight,
                &[meeting(midnight, 7)]
            ),
            expected
        );
        assert_eq!(
            slots(&[MONTREAL, DENVER], midnight - 7 * 86_400, &[]),
            "UUUUFFFFFUUU",
            "the week before"
        );
    }

    #[test]
    fn types_bounds_and_overrides() {
        let day = 1_136_160_000; // 2006-01-02, a Monday
        let with = |lines: &str, available: &str| {
            let available = match available {
                "" => String::new(),
                lines => format!("|BEGIN:AVAILABLE|UID:2|{lines}|END:AVAILABLE"),
            };
            format!("BEGIN:VAVAILABILITY|UID:1{lines}{available}|END:VAVAILABILITY")
        };
        let morning = "DTSTART:20060102T080000Z|DTEND:20060102T120000Z";
        let weekly = "DTSTART:20051226T080000Z|DTEND:20051226T120000Z|RRULE:FREQ=WEEKLY|END:AVAILABLE|BEGIN:AVAILABLE|\
            UID:2|RECURRENCE-ID:20060102T080000Z|DTSTART:20060102T160000Z|DURATION:PT4H";
        for (component, expected) in [
            (with("", ""), "UUUUUUUUUUUU"),
            (with("", morning), "UUUUFFUUUUUU"),
            (with("|BUSYTYPE:BUSY", morning), "BBBBFFBBBBBB"),
            (with("|BUSYTYPE:busy-tentative", morning), "TTTTFFTTTTTT"),
            (with("|BUSYTYPE:X-AWAY", morning), "UUUUFFUUUUUU"),
            (
                with("|DTSTART:20060102T100000Z|DURATION:PT8H", morning),
                "FFFFFFUUUFFF",
            ),
            (with("|DTEND:20060102T000000Z", morning), "FFFFFFFFFFFF"),
            (with("", weekly), "UUUUUUUUFFUU"),
            (
                with("", "DTSTART:20060102T080000|DURATION:PT2H"),
                "UUUUFUUUUUUU",
            ),
        ] {
            assert_eq!(slots(&[&component], day, &[]), expected, "{component}");
        }
        let busy = with("|BUSYTYPE:BUSY", morning);
        let afternoon = with("", "DTSTART:20060102T120000Z|DTEND:20060102T160000Z");
        assert_eq!(
            slots(&[&busy, &afternoon], day, &[]),
            "BBBBFFFFBBBB",
            "one priority: free in either is free"
        );
    }

    proptest! {
        #[test]
        fn taking_away_leaves_what_is_outside(
            busy in proptest::collection::vec((0i64..50, 1i64..10), 0..8),
            holes in proptest::collection::vec((0i64..50, 1i64..10), 0..8),
        ) {
            let range = TimeRange { start: 0, end: 60 };
            let merged = |all: &[(i64, i64)]| merge_by(ORDER, all.iter().map(|&(start, length)| Busy { start, end: start + length, kind: BusyKind::Busy }), range);
            let (busy, holes) = (merged(&busy), merged(&holes));
            let left = without(&busy, &holes);
            let inside = |all: &[Busy], at: i64| all.iter().any(|one| one.start <= at && at < one.end);
            for at in 0..60 {
                prop_assert_eq!(inside(&left, at), inside(&busy, at) && !inside(&holes, at));
            }
        }
    }
}
