//! When does an alarm go off? RFC 5545 §3.6.6, §3.8.6; RFC 4791 §9.9.

use super::TimeRange;
use crate::ical::tree::Component;
use crate::ical::value::{Duration, When};

/// The triggers of one VALARM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The first of them.
    pub trigger: Trigger,
    /// Further ones (REPEAT) and the seconds between each (DURATION).
    pub repeat: i64,
    /// Seconds between two triggers; 0 without repetition.
    pub interval: i64,
}

/// TRIGGER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// At a time of its own.
    At(When),
    /// This many seconds after the start of the event or to-do.
    FromStart(i64),
    /// This many seconds after its end or due time.
    FromEnd(i64),
}

impl Alarm {
    /// Reads a VALARM. None where its TRIGGER is missing or cannot be read. Nominal days count 24 hours.
    pub fn read(alarm: Component<'_>) -> Option<Alarm> {
        let property = alarm.property("TRIGGER")?;
        let trigger = match (Duration::of(property), When::of(property)) {
            (Ok(offset), _) => {
                let related = property.param("RELATED");
                match related.is_some_and(|related| related.eq_ignore_ascii_case("END")) {
                    true => Trigger::FromEnd(offset.total_seconds()),
                    false => Trigger::FromStart(offset.total_seconds()),
                }
            }
            (Err(_), Ok(when)) => Trigger::At(when),
            (Err(_), Err(_)) => return None,
        };
        let repeat = alarm
            .property("REPEAT")
            .and_then(|property| property.value().trim().parse::<i64>().ok());
        let interval = alarm
            .property("DURATION")
            .and_then(|property| Duration::of(property).ok());
        // §3.6.6: REPEAT and DURATION come together or not at all.
        let (repeat, interval) = match (repeat, interval.map(|interval| interval.total_seconds())) {
            (Some(repeat), Some(interval)) if repeat > 0 && interval > 0 => (repeat, interval),
            _ => (0, 0),
        };
        Some(Alarm {
            trigger,
            repeat,
            interval,
        })
    }

    /// How far a trigger can lie from what it relates to, in seconds.
    pub fn reach(&self) -> i64 {
        let offset = match self.trigger {
            Trigger::At(_) => 0,
            Trigger::FromStart(offset) | Trigger::FromEnd(offset) => offset,
        };
        offset
            .saturating_abs()
            .saturating_add(self.repeat.saturating_mul(self.interval))
    }

    /// Whether one of the triggers lies in `range`, when the first is at `first`.
    pub fn goes_off(&self, first: i64, range: &TimeRange) -> bool {
        if range.contains(first) {
            return true;
        }
        if first >= range.start || self.repeat == 0 {
            return false;
        }
        let gap = i128::from(range.start) - i128::from(first);
        let interval = i128::from(self.interval);
        let nth = (gap + interval - 1) / interval;
        nth <= i128::from(self.repeat) && i128::from(first) + nth * interval < i128::from(range.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::tree::{Limits, Tree};

    fn alarm(lines: &str) -> Option<Alarm> {
        let text = format!("BEGIN:VALARM\r\n{lines}END:VALARM\r\n");
        let tree = Tree::parse(text.as_bytes(), &Limits::default()).expect("a tree");
        Alarm::read(tree.roots().next().expect("a component"))
    }

    #[test]
    fn triggers_are_read() {
        for (lines, expected) in [
            ("TRIGGER:-PT10M\r\n", Some((Trigger::FromStart(-600), 0, 0))),
            (
                "TRIGGER;RELATED=END:PT5M\r\n",
                Some((Trigger::FromEnd(300), 0, 0)),
            ),
            (
                "TRIGGER;RELATED=START:-P1D\r\nREPEAT:2\r\nDURATION:PT5M\r\n",
                Some((Trigger::FromStart(-86_400), 2, 300)),
            ),
            (
                "TRIGGER:PT0S\r\nREPEAT:2\r\n",
                Some((Trigger::FromStart(0), 0, 0)),
            ),
            (
                "TRIGGER;VALUE=DATE-TIME:20060104T100000Z\r\n",
                Some((
                    Trigger::At(When::parse("20060104T100000Z", None).expect("a time")),
                    0,
                    0,
                )),
            ),
            ("TRIGGER:soon\r\n", None),
            ("ACTION:AUDIO\r\n", None),
        ] {
            let expected = expected.map(|(trigger, repeat, interval)| Alarm {
                trigger,
                repeat,
                interval,
            });
            assert_eq!(alarm(lines), expected, "{lines}");
        }
    }

    #[test]
    fn a_repeated_alarm_goes_off_where_any_trigger_does() {
        let alarm = Alarm {
            trigger: Trigger::FromStart(0),
            repeat: 3,
            interval: 10,
        };
        let range = |start, end| TimeRange { start, end };
        for (range, expected) in [
            (range(100, 101), true),
            (range(101, 110), false),
            (range(101, 111), true),
            (range(130, 131), true),
            (range(131, 500), false),
            (range(0, 100), false),
            (TimeRange::ALWAYS, true),
            (range(125, i64::MAX), true),
        ] {
            assert_eq!(alarm.goes_off(100, &range), expected, "{range:?}");
        }
    }
}
