//! When does a component overlap a time range? The tables of RFC 4791 §9.9 and RFC 7953 §7.2.1, over
//! effective times of one instance in seconds since 1970 UTC.

use super::TimeRange;

/// The effective times of one instance of a to-do, as far as it has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TodoTimes {
    /// DTSTART.
    pub start: Option<i64>,
    /// DTSTART + DURATION, when it has a DURATION and no DUE.
    pub end: Option<i64>,
    /// DUE.
    pub due: Option<i64>,
    /// COMPLETED.
    pub completed: Option<i64>,
    /// CREATED.
    pub created: Option<i64>,
}

impl TimeRange {
    /// VEVENT and AVAILABLE. The end is DTEND, DTSTART + DURATION, the day of a DATE, or the start.
    /// The rows differ only in whether time passes between start and end.
    pub fn overlaps(&self, start: i64, end: i64) -> bool {
        match end > start {
            true => self.start < end && self.end > start,
            false => self.contains(start),
        }
    }

    /// Properties and triggers of alarms: an instant.
    pub fn contains(&self, at: i64) -> bool {
        self.start <= at && self.end > at
    }

    /// VTODO.
    pub fn overlaps_todo(&self, todo: &TodoTimes) -> bool {
        let TimeRange { start, end } = *self;
        match (todo.start, todo.end, todo.due) {
            (Some(from), _, Some(due)) => {
                (start < due || start <= from) && (end > from || end >= due)
            }
            (Some(from), Some(to), None) => start <= to && (end > from || end >= to),
            (Some(from), None, None) => start <= from && end > from,
            (None, _, Some(due)) => start < due && end >= due,
            (None, _, None) => match (todo.completed, todo.created) {
                (Some(done), Some(made)) => {
                    (start <= made || start <= done) && (end >= made || end >= done)
                }
                (Some(done), None) => start <= done && end >= done,
                (None, Some(made)) => end > made,
                (None, None) => true,
            },
        }
    }

    /// VFREEBUSY with DTSTART and DTEND. Without them its periods are compared by [`overlaps`](Self::overlaps).
    pub fn overlaps_freebusy(&self, start: i64, end: i64) -> bool {
        self.start <= end && self.end > start
    }

    /// VAVAILABILITY, whose ends may be open.
    pub fn overlaps_availability(&self, start: Option<i64>, end: Option<i64>) -> bool {
        end.is_none_or(|end| self.start < end) && start.is_none_or(|start| self.end > start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: TimeRange = TimeRange {
        start: 100,
        end: 200,
    };

    #[test]
    fn events() {
        for (start, end, expected) in [
            (50, 100, false),
            (50, 101, true),
            (199, 300, true),
            (200, 300, false),
            (100, 100, true),
            (200, 200, false),
            (99, 99, false),
            (0, 1000, true),
        ] {
            assert_eq!(RANGE.overlaps(start, end), expected, "{start}..{end}");
        }
        assert!(TimeRange::ALWAYS.overlaps(5, 5));
    }

    /// Every row of the table, on both sides of each bound.
    #[test]
    fn todos() {
        let none = TodoTimes::default();
        let lasting = |start, end| TodoTimes {
            start: Some(start),
            end: Some(end),
            ..none
        };
        let due = |start, due| TodoTimes {
            start,
            due: Some(due),
            ..none
        };
        let done = |completed, created| TodoTimes {
            completed,
            created,
            ..none
        };
        for (todo, expected) in [
            (lasting(50, 99), false),
            (lasting(50, 100), true),
            (lasting(199, 250), true),
            (lasting(200, 250), false),
            (lasting(200, 200), true),
            (due(Some(50), 100), false),
            (due(Some(50), 101), true),
            (due(Some(100), 100), true),
            (due(Some(200), 200), true),
            (due(Some(200), 201), false),
            (
                TodoTimes {
                    start: Some(100),
                    ..none
                },
                true,
            ),
            (
                TodoTimes {
                    start: Some(99),
                    ..none
                },
                false,
            ),
            (
                TodoTimes {
                    start: Some(200),
                    ..none
                },
                false,
            ),
            (due(None, 100), false),
            (due(None, 101), true),
            (due(None, 200), true),
            (due(None, 201), false),
            (done(Some(100), Some(50)), true),
            (done(Some(99), Some(50)), false),
            (done(Some(300), Some(200)), true),
            (done(Some(300), Some(201)), false),
            (done(Some(100), None), true),
            (done(Some(200), None), true),
            (done(Some(201), None), false),
            (done(None, Some(199)), true),
            (done(None, Some(1)), true),
            (done(None, Some(200)), false),
            (none, true),
        ] {
            assert_eq!(RANGE.overlaps_todo(&todo), expected, "{todo:?}");
        }
    }

    #[test]
    fn free_busy_and_availability() {
        for (start, end, expected) in [
            (50, 100, true),
            (50, 99, false),
            (199, 300, true),
            (200, 300, false),
        ] {
            assert_eq!(
                RANGE.overlaps_freebusy(start, end),
                expected,
                "{start}..{end}"
            );
        }
        for (start, end, expected) in [
            (None, None, true),
            (Some(199), None, true),
            (Some(200), None, false),
            (None, Some(101), true),
            (None, Some(100), false),
            (Some(0), Some(500), true),
        ] {
            assert_eq!(
                RANGE.overlaps_availability(start, end),
                expected,
                "{start:?}..{end:?}"
            );
        }
    }
}
