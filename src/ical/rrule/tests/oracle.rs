//! The `rrule` crate's opinion, where it has a sound one: frequencies from DAILY up, without BYWEEKNO (years'
//! ends), without plain weekdays beside numbered ones (it forgets the plain), and synchronised starts, since it adds and drops others in its own way.

use super::reference::a_rule;
use super::*;
use proptest::prelude::*;

const TAKE: u16 = 25;

/// What the crate lists, in UTC; None where it refuses the rule.
fn theirs(rule: &Rule, start: DateTime) -> Option<Vec<String>> {
    let text = format!("DTSTART:{}Z\nRRULE:{rule}", show(start));
    let set: rrule::RRuleSet = text.parse().ok()?;
    let dates = set.all(TAKE).dates;
    Some(
        dates
            .iter()
            .map(|at| at.format("%Y%m%dT%H%M%S").to_string())
            .collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn another_library_agrees(rule in a_rule(), day in 10_000_i64..15_000) {
        let sound = rule.freq >= Freq::Daily && rule.by_week_no.is_empty() && rule.by_second.iter().all(|s| *s < 60);
        prop_assume!(sound);
        let numbered = rule.by_day.iter().filter(|day| day.nth != 0).count();
        prop_assume!(numbered == 0 || numbered == rule.by_day.len());
        let budget = Budget::new(20_000, 20_000);
        // Start at an instance, so that both agree on the first.
        let Some(start) = rule.iter(civil::date_time(day * civil::DAY).unwrap(), None, &budget).next() else {
            return Ok(());
        };
        // The set of a first, cut period is read in two ways (BYSETPOS).
        prop_assume!(rule.by_set_pos.is_empty());
        let ours: Vec<String> = rule.iter(start, None, &Budget::default()).take(TAKE.into()).map(show).collect();
        if let Some(theirs) = theirs(&rule, start).filter(|found| found.len() == TAKE as usize || rule.count.is_some()) {
            prop_assert_eq!(ours, theirs, "{} from {}", rule, start);
        }
    }
}
