//! Busy time: from events to merged intervals to a VFREEBUSY. RFC 4791 §7.10, RFC 5545 §3.6.4, §3.2.9.
//!
//! Which calendars count, and which instances there are, is for the caller to find out; availability
//! (RFC 7953) is in `availability`. Intervals are half-open, in seconds since 1970 UTC.

use super::expand::Exhausted;
use super::object::{Kind, Object};
use super::query::TimeRange;
use super::query::times::Instances;
use super::rrule::{Budget, civil};
use super::tree::Component;
use super::value::{Duration, Period, When};
use super::write::content_line;
use super::zone::Zone;

/// How a stretch of time is taken: the FBTYPE of §3.2.9. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum BusyKind {
    /// FREE.
    Free = 0,
    /// BUSY.
    Busy = 1,
    /// BUSY-TENTATIVE.
    Tentative = 2,
    /// BUSY-UNAVAILABLE.
    Unavailable = 3,
}

impl BusyKind {
    /// Those that take time, the one that prevails first.
    pub const TAKEN: [BusyKind; 3] = [BusyKind::Unavailable, BusyKind::Busy, BusyKind::Tentative];

    /// Its number in storage.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The kind with this number; an unknown one is busy, never free.
    pub fn from_code(code: u8) -> BusyKind {
        match code {
            0 => BusyKind::Free,
            2 => BusyKind::Tentative,
            3 => BusyKind::Unavailable,
            _ => BusyKind::Busy,
        }
    }

    /// The value of FBTYPE.
    pub fn name(self) -> &'static str {
        match self {
            BusyKind::Free => "FREE",
            BusyKind::Busy => "BUSY",
            BusyKind::Tentative => "BUSY-TENTATIVE",
            BusyKind::Unavailable => "BUSY-UNAVAILABLE",
        }
    }

    /// The kind that an FBTYPE or BUSYTYPE value names; §3.2.9: an unknown one is BUSY.
    pub fn from_name(name: &str) -> BusyKind {
        const ALL: [BusyKind; 3] = [BusyKind::Free, BusyKind::Tentative, BusyKind::Unavailable];
        let named = |kind: &BusyKind| name.trim().eq_ignore_ascii_case(kind.name());
        ALL.into_iter().find(named).unwrap_or(BusyKind::Busy)
    }
}

/// What an event's time counts as, by the table of RFC 4791 §7.10. Components other than VEVENT are free.
pub fn kind(event: Component<'_>) -> BusyKind {
    let is = |name: &str, value: &str| {
        event
            .property(name)
            .is_some_and(|property| property.value().trim().eq_ignore_ascii_case(value))
    };
    match () {
        _ if !event.is("VEVENT") => BusyKind::Free,
        _ if is("TRANSP", "TRANSPARENT") || is("STATUS", "CANCELLED") => BusyKind::Free,
        _ if is("STATUS", "TENTATIVE") => BusyKind::Tentative,
        _ => BusyKind::Busy,
    }
}

/// One interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Busy {
    /// Inclusive.
    pub start: i64,
    /// Exclusive.
    pub end: i64,
    /// How it is taken.
    pub kind: BusyKind,
}

/// What an object takes of `range` (RFC 4791 §7.10): the instances of its events, or the periods of its
/// VFREEBUSY. Times without a zone are read in `floating`. `Err` where there are too many instances.
pub fn of(
    object: &Object<'_>,
    range: TimeRange,
    floating: &Zone,
    budget: &Budget,
) -> Result<Vec<Busy>, Exhausted> {
    let instances = Instances::new(object, floating);
    match object.kind {
        Kind::Event => {
            let kind = |component| {
                object
                    .calendar
                    .tree()
                    .component(component)
                    .map_or(BusyKind::Busy, kind)
            };
            let found = instances.within(&range, budget)?;
            let busy = found.iter().map(|instance| Busy {
                start: instance.start,
                end: instance.end,
                kind: kind(instance.occurrence.component),
            });
            Ok(busy.filter(|busy| busy.kind != BusyKind::Free).collect())
        }
        Kind::FreeBusy => {
            let all = object
                .components()
                .flat_map(|component| periods(component, |period| instances.times.period(period)));
            Ok(all
                .filter(|busy| range.overlaps(busy.start, busy.end))
                .collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// The periods of a VFREEBUSY's FREEBUSY properties, in any order; one that cannot be read is left out.
/// `place` gives a period's start and end as instants.
pub fn periods(freebusy: Component<'_>, place: impl Fn(&Period) -> (i64, i64)) -> Vec<Busy> {
    let mut busy = Vec::new();
    for property in freebusy.properties_named("FREEBUSY") {
        let kind = property
            .param("FBTYPE")
            .map_or(BusyKind::Busy, |name| BusyKind::from_name(&name));
        for period in super::value::items(&property.value()) {
            let Ok(period) = Period::parse(period, property.param("TZID").as_deref()) else {
                continue;
            };
            let (start, end) = place(&period);
            busy.push(Busy { start, end, kind });
        }
    }
    busy
}

/// The intervals cut to `range`, sorted and disjoint: where kinds overlap the one that prevails is kept,
/// what touches and is of one kind is joined, free time and empty intervals are left out.
pub fn merge(busy: impl IntoIterator<Item = Busy>, range: TimeRange) -> Vec<Busy> {
    merge_by(BusyKind::TAKEN, busy, range)
}

/// [`merge`] where the kinds prevail in another order.
pub(super) fn merge_by(
    order: [BusyKind; 3],
    busy: impl IntoIterator<Item = Busy>,
    range: TimeRange,
) -> Vec<Busy> {
    let mut edges: Vec<(i64, BusyKind, i32)> = Vec::new();
    for Busy { start, end, kind } in busy {
        let (start, end) = (start.max(range.start), end.min(range.end));
        if start < end && kind != BusyKind::Free {
            edges.push((start, kind, 1));
            edges.push((end, kind, -1));
        }
    }
    edges.sort_unstable();
    let mut open = [0i32; 4];
    let mut merged: Vec<Busy> = Vec::new();
    let mut from = i64::MIN;
    for (at, kind, step) in edges {
        let prevailing = order
            .into_iter()
            .find(|kind| open[usize::from(kind.code())] > 0);
        if let Some(kind) = prevailing.filter(|_| from < at) {
            match merged.last_mut() {
                Some(last) if last.kind == kind && last.end == from => last.end = at,
                _ => merged.push(Busy {
                    start: from,
                    end: at,
                    kind,
                }),
            }
        }
        open[usize::from(kind.code())] += step;
        from = at;
    }
    merged
}

/// What a VFREEBUSY says beside its periods.
#[derive(Debug, Clone, Copy)]
pub struct FreeBusy<'a> {
    /// PRODID.
    pub prodid: &'a str,
    /// METHOD, when it is a scheduling message: REPLY or PUBLISH (RFC 5546 §3.3).
    pub method: Option<&'a str>,
    /// UID.
    pub uid: &'a str,
    /// DTSTAMP.
    pub stamp: i64,
    /// DTSTART and DTEND.
    pub range: TimeRange,
    /// Whole content lines, such as ORGANIZER and ATTENDEE of a reply.
    pub lines: &'a [String],
}

impl FreeBusy<'_> {
    /// The iCalendar object with these periods, best those of [`merge`]. An open range is not written.
    pub fn write(&self, busy: &[Busy]) -> String {
        let mut out = String::with_capacity(400 + busy.len() * 64);
        let mut line = |name: &str, value: &str| out.push_str(&content_line(name, &[], value));
        line("BEGIN", "VCALENDAR");
        line("VERSION", "2.0");
        line("PRODID", self.prodid);
        if let Some(method) = self.method {
            line("METHOD", method);
        }
        line("BEGIN", "VFREEBUSY");
        line("UID", self.uid);
        line("DTSTAMP", &utc(self.stamp));
        if let Some(start) = self.range.from() {
            line("DTSTART", &utc(start));
        }
        if let Some(end) = self.range.until() {
            line("DTEND", &utc(end));
        }
        for line in self.lines {
            out.push_str(line.trim_end_matches(['\r', '\n']));
            out.push_str("\r\n");
        }
        for Busy { start, end, kind } in busy {
            let lasting = span(end.saturating_sub(*start));
            out.push_str(&format!(
                "FREEBUSY;FBTYPE={}:{}/{lasting}\r\n",
                kind.name(),
                utc(*start)
            ));
        }
        out.push_str("END:VFREEBUSY\r\nEND:VCALENDAR\r\n");
        out
    }
}

/// A length in whole days of 24 hours and the rest, as UTC has them.
fn span(seconds: i64) -> Duration {
    let seconds = seconds.unsigned_abs();
    Duration {
        days: u32::try_from(seconds / 86_400).unwrap_or(u32::MAX),
        seconds: seconds % 86_400,
        ..Duration::default()
    }
}

/// A time as a DATE-TIME in UTC, at the ends of what iCalendar can write where it lies beyond.
pub fn utc(at: i64) -> String {
    let at = civil::date_time(at.clamp(civil::MIN, civil::MAX)).unwrap_or_default();
    When::Utc(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::tree::{Limits, Tree};
    use BusyKind::{Busy as Taken, Free, Tentative, Unavailable};
    use proptest::prelude::*;

    fn first<'t>(tree: &'t Tree<'t>) -> Component<'t> {
        tree.roots().next().expect("a component")
    }

    /// What an object takes of all time.
    fn taken(lines: &str, zone: &Zone, range: TimeRange) -> Vec<Busy> {
        let lines = lines.replace('|', "\r\n");
        let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{lines}\r\nEND:VCALENDAR\r\n");
        let tree = Tree::parse(text.as_bytes(), &Limits::default()).expect("a tree");
        let object = Object::read(&tree).expect("an object");
        of(&object, range, zone, &Budget::default()).expect("within the budget")
    }

    /// The table of RFC 4791 §7.10.
    #[test]
    fn kind_comes_from_transp_and_status() {
        for (lines, expected) in [
            ("", Taken),
            ("TRANSP:OPAQUE\r\nSTATUS:CONFIRMED\r\n", Taken),
            ("STATUS:X-MAYBE\r\n", Taken),
            ("status:tentative\r\n", Tentative),
            ("STATUS:CANCELLED\r\n", Free),
            ("TRANSP:TRANSPARENT\r\n", Free),
            ("TRANSP:TRANSPARENT\r\nSTATUS:TENTATIVE\r\n", Free),
        ] {
            let text = format!("BEGIN:VEVENT\r\n{lines}END:VEVENT\r\n");
            let tree = Tree::parse(text.as_bytes(), &Limits::default()).expect("a tree");
            assert_eq!(kind(first(&tree)), expected, "{lines}");
        }
        let tree =
            Tree::parse(b"BEGIN:VTODO\r\nEND:VTODO\r\n", &Limits::default()).expect("a tree");
        assert_eq!(kind(first(&tree)), Free);
    }

    #[test]
    fn kinds_keep_their_numbers_and_names() {
        for (code, kind) in (0..).zip([Free, Taken, Tentative, Unavailable]) {
            assert_eq!((kind.code(), BusyKind::from_code(code)), (code, kind));
            assert_eq!(BusyKind::from_name(&kind.name().to_lowercase()), kind);
        }
        assert_eq!(
            (BusyKind::from_code(9), BusyKind::from_name("X-GONE")),
            (Taken, Taken)
        );
    }

    const DAY: i64 = 1_136_160_000; // 2006-01-02

    fn busy(start: i64, end: i64, kind: BusyKind) -> Busy {
        Busy {
            start: DAY + start,
            end: DAY + end,
            kind,
        }
    }

    #[test]
    fn periods_of_a_freebusy_component() {
        let lines = "BEGIN:VFREEBUSY|UID:1|FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060102T100000Z/20060102T120000Z|\
            FREEBUSY:20060103T100000Z/PT2H,nonsense,20060104T100000Z/P1D|FREEBUSY:20050104T100000Z/P1D|\
            FREEBUSY;FBTYPE=FREE:20060105T100000Z/PT1H|END:VFREEBUSY";
        let expected = [
            busy(36_000, 43_200, Tentative),
            busy(122_400, 129_600, Taken),
            busy(208_800, 295_200, Taken),
            busy(295_200, 298_800, Free),
        ];
        let range = TimeRange {
            start: DAY,
            end: i64::MAX,
        };
        assert_eq!(taken(lines, &Zone::Utc, range), expected);
    }

    #[test]
    fn instances_of_an_event() {
        let lines = "BEGIN:VEVENT|UID:1|DTSTART;VALUE=DATE:20060101|RRULE:FREQ=DAILY|END:VEVENT|BEGIN:VEVENT|UID:1|\
            RECURRENCE-ID;VALUE=DATE:20060103|DTSTART;VALUE=DATE:20060103|STATUS:TENTATIVE|END:VEVENT|BEGIN:VEVENT|\
            UID:1|RECURRENCE-ID;VALUE=DATE:20060104|DTSTART;VALUE=DATE:20060104|STATUS:CANCELLED|END:VEVENT";
        let range = TimeRange {
            start: DAY,
            end: DAY + 3 * 86_400,
        };
        let utc = [busy(0, 86_400, Taken), busy(86_400, 172_800, Tentative)];
        assert_eq!(taken(lines, &Zone::Utc, range), utc);
        let tokyo = [
            busy(-32_400, 54_000, Taken),
            busy(54_000, 140_400, Tentative),
            busy(226_800, 313_200, Taken),
        ];
        assert_eq!(
            taken(lines, &Zone::named("Asia/Tokyo").expect("a zone"), range),
            tokyo
        );
        assert_eq!(
            taken(
                "BEGIN:VTODO|UID:1|DTSTART:20060102T000000Z|END:VTODO",
                &Zone::Utc,
                range
            ),
            []
        );
    }

    const RANGE: TimeRange = TimeRange { start: 0, end: 100 };

    #[test]
    fn merging_sorts_cuts_joins_and_lets_the_stronger_kind_prevail() {
        let merged = |busy: &[(i64, i64, BusyKind)]| {
            let busy = busy
                .iter()
                .map(|&(start, end, kind)| Busy { start, end, kind });
            merge(busy, RANGE)
                .iter()
                .map(|busy| (busy.start, busy.end, busy.kind))
                .collect::<Vec<_>>()
        };
        for (given, expected) in [
            (vec![], vec![]),
            (
                vec![(20, 30, Taken), (10, 20, Taken), (25, 28, Taken)],
                vec![(10, 30, Taken)],
            ),
            (
                vec![(-5, 5, Taken), (95, 200, Tentative), (100, 110, Taken)],
                vec![(0, 5, Taken), (95, 100, Tentative)],
            ),
            (
                vec![(10, 40, Tentative), (20, 30, Taken)],
                vec![(10, 20, Tentative), (20, 30, Taken), (30, 40, Tentative)],
            ),
            (
                vec![(10, 20, Taken), (10, 20, Unavailable), (15, 25, Free)],
                vec![(10, 20, Unavailable)],
            ),
            (
                vec![(10, 20, Tentative), (20, 30, Taken)],
                vec![(10, 20, Tentative), (20, 30, Taken)],
            ),
            (vec![(10, 10, Taken), (20, 10, Taken)], vec![]),
        ] {
            assert_eq!(merged(&given), expected, "{given:?}");
        }
    }

    /// RFC 4791 §7.10.1, with a UID and explicit types.
    #[test]
    fn a_free_busy_answer() {
        let start = 1_136_383_200; // 2006-01-04T14:00:00Z
        let answer = FreeBusy {
            prodid: "-//Example Corp.//CalDAV Server//EN",
            method: None,
            uid: "1",
            stamp: 1_106_643_600,
            range: TimeRange {
                start,
                end: start + 115_200,
            },
            lines: &["ORGANIZER:mailto:a@example.com".to_owned()],
        };
        let busy = [
            Busy {
                start: start + 3600,
                end: start + 7200,
                kind: Tentative,
            },
            Busy {
                start: start + 18_000,
                end: start + 18_000 + 90_000,
                kind: Taken,
            },
        ];
        assert_eq!(
            answer.write(&busy),
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example Corp.//CalDAV Server//EN\r\n\
             BEGIN:VFREEBUSY\r\nUID:1\r\nDTSTAMP:20050125T090000Z\r\nDTSTART:20060104T140000Z\r\n\
             DTEND:20060105T220000Z\r\nORGANIZER:mailto:a@example.com\r\n\
             FREEBUSY;FBTYPE=BUSY-TENTATIVE:20060104T150000Z/PT1H\r\n\
             FREEBUSY;FBTYPE=BUSY:20060104T190000Z/P1DT1H\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
        );
        assert_eq!(
            (utc(i64::MIN), utc(i64::MAX)),
            ("00010101T000000Z".to_owned(), "99991231T235959Z".to_owned())
        );
    }

    fn some_busy() -> impl Strategy<Value = Vec<Busy>> {
        let one = (-20i64..120, 0i64..40, 0u8..4).prop_map(|(start, length, code)| Busy {
            start,
            end: start + length,
            kind: BusyKind::from_code(code),
        });
        proptest::collection::vec(one, 0..20)
    }

    proptest! {
        #[test]
        fn merging_ignores_order_and_grouping(busy in some_busy(), split in 0usize..20) {
            let whole = merge(busy.iter().copied(), RANGE);
            let reversed = merge(busy.iter().rev().copied(), RANGE);
            let (left, right) = busy.split_at(split.min(busy.len()));
            let grouped = merge(merge(left.iter().copied(), RANGE).into_iter().chain(merge(right.iter().copied(), RANGE)), RANGE);
            prop_assert_eq!(&whole, &reversed);
            prop_assert_eq!(&whole, &grouped);
            for second in 0..100 {
                let kinds = |all: &[Busy]| all.iter().filter(|one| one.start <= second && second < one.end).map(|one| one.kind).collect::<Vec<_>>();
                let strongest = BusyKind::TAKEN.into_iter().find(|kind| kinds(&busy).contains(kind));
                prop_assert_eq!(kinds(&whole), strongest.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
