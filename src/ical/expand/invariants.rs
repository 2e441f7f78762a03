//! What must hold of recurrence for any bytes whatever: for tests and for fuzzing, and compiled for nothing else.
//! A panic here is the finding.

use super::{Occurrence, Series, Window};
use crate::ical::object::Object;
use crate::ical::rrule::{Budget, Rule, civil};
use crate::ical::split::split;
use crate::ical::tree::{Limits, Tree};
use crate::ical::zone::Zones;

/// What a walk may cost here: the invariants hold of cut walks too.
const STEPS: u32 = 3_000;
const INSTANCES: u32 = 300;

/// Eight bytes choose a window, the rest is a rule or a calendar stream.
pub fn hold(bytes: &[u8]) {
    let Some((choice, text)) = bytes.split_first_chunk::<8>() else {
        return;
    };
    let number = |at: usize| {
        i64::from(u32::from_le_bytes([
            choice[at],
            choice[at + 1],
            choice[at + 2],
            choice[at + 3],
        ]))
    };
    let window = Window::new(
        number(0) - (1 << 30),
        number(0) - (1 << 30) + number(4) / 64,
    );
    if let Ok(rule) = std::str::from_utf8(text)
        .map_err(drop)
        .and_then(|text| Rule::parse(text).map_err(drop))
    {
        a_rule_prints_and_walks(&rule, window);
    }
    let Ok(tree) = Tree::parse(text, &Limits::default()) else {
        return;
    };
    let split = split(&tree);
    for group in &split.groups {
        let document = split.document(group, "made");
        let Ok(tree) = Tree::parse(&document, &Limits::default()) else {
            continue;
        };
        if let Ok(object) = Object::read(&tree) {
            windows_fit_together(&Series::of(&object, &Zones::of(&tree)), window);
        }
    }
}

/// Printing is the inverse of parsing; instances ascend, and a late start gives the tail of them.
fn a_rule_prints_and_walks(rule: &Rule, window: Window) {
    assert_eq!(Rule::parse(&rule.to_string()).as_ref(), Ok(rule));
    let (Some(start), Some(from)) = (
        window.from.and_then(civil::date_time),
        window.to.and_then(civil::date_time),
    ) else {
        return;
    };
    let budget = Budget::new(STEPS, INSTANCES);
    let all: Vec<_> = rule.iter(start, None, &budget).collect();
    assert!(all.is_sorted_by(|a, b| a < b) && all.iter().all(|at| *at >= start));
    assert!(all.len() <= INSTANCES as usize);
    let late: Vec<_> = rule
        .iter(start, Some(from), &Budget::new(STEPS, INSTANCES))
        .collect();
    assert!(late.iter().all(|at| *at >= from));
    let tail = all.into_iter().filter(|at| *at >= from);
    assert!(tail.zip(late).all(|(a, b)| a == b));
}

/// Occurrences are ordered, overlap their window, lie in the extent; half a window gives its half of them.
pub(super) fn windows_fit_together(series: &Series, window: Window) {
    let Ok(all) = series.occurrences(window, &Budget::new(STEPS, INSTANCES)) else {
        return;
    };
    let (first, last) = series.extent();
    assert!(all.is_sorted_by_key(|o| o.start));
    for o in &all {
        assert!(o.within(&window) && o.start <= o.end);
        assert!(
            first.is_some_and(|first| first <= o.start) && last.is_none_or(|last| o.end <= last)
        );
    }
    let (Some(from), Some(to)) = (window.from, window.to) else {
        return;
    };
    let half = Window::new(from, from + (to - from) / 2);
    if let Ok(part) = series.occurrences(half, &Budget::new(STEPS, INSTANCES)) {
        let want: Vec<Occurrence> = all.into_iter().filter(|o| o.within(&half)).collect();
        assert_eq!(part, want);
    }
}

#[cfg(test)]
mod tests {
    use super::hold;
    use proptest::prelude::*;

    fn a_time() -> impl Strategy<Value = String> {
        ("(:|;TZID=Europe/Berlin:|;VALUE=DATE:|;TZID=x:)20[0-3][0-9](0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])(T[01][0-9][0-5][0-9]00)?", any::<bool>())
            .prop_map(|(time, utc)| if utc && time.len() > 9 && !time.contains("TZID") { time + "Z" } else { time })
    }

    fn a_line() -> impl Strategy<Value = String> {
        prop_oneof![
            (
                "(DTSTART|DTEND|DUE|RDATE|EXDATE|RECURRENCE-ID|RECURRENCE-ID;RANGE=THISANDFUTURE)",
                a_time()
            )
                .prop_map(|(name, time)| name + &time),
            "DURATION:-?P[0-9]{0,9}[WDT][0-9]{0,9}[HMS]?",
            "RDATE;VALUE=PERIOD:20260[1-9]0[1-9]T0[0-9]0000Z/P(T[1-9]H|[1-9]D|999999999D)",
            "(RRULE|EXRULE):FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY|HOURLY|SECONDLY)(;COUNT=[0-9]{1,10})?(;INTERVAL=[0-9]{1,10})?",
            "RRULE:FREQ=(DAILY|WEEKLY);UNTIL=20260[1-9]0[1-9](T000000Z?)?(;BYDAY=(MO|TU,SU))?(;BYHOUR=[0-9])?",
            Just("END:VEVENT\r\nBEGIN:VEVENT\r\nUID:u".to_owned()),
            Just("END:VEVENT\r\nBEGIN:VTODO\r\nUID:v".to_owned()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn recurrence_holds_for_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            hold(&bytes);
        }

        #[test]
        fn recurrence_holds_for_objects(choice in any::<[u8; 8]>(), lines in prop::collection::vec(a_line(), 1..12)) {
            let body = lines.join("\r\n");
            let text = format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:u\r\n{body}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
            hold(&[&choice[..], text.as_bytes()].concat());
        }

        #[test]
        fn recurrence_holds_for_rules(choice in any::<[u8; 8]>(), rule in "FREQ=(SECONDLY|MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY|YEARLY)(;(BYDAY|BYMONTH|BYSETPOS|COUNT|INTERVAL|BYHOUR|BYMONTHDAY|BYYEARDAY|BYWEEKNO|BYMINUTE)=-?[0-9]{1,2}(MO|SU)?){0,4}") {
            hold(&[&choice[..], rule.as_bytes()].concat());
        }
    }
}
