//! Tells who waits for it, within the process, that a linked calendar was changed. A change of any other calendar costs
//! a look at a set. What is told may be told twice or be late: the change log is the truth, and polls find the rest.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::Notify;

use crate::model::{CalendarId, LinkId};

/// A change of a linked calendar. `writer`: the one link that wrote all of it; its own writes are no news to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nudge {
    pub calendar: CalendarId,
    pub writer: Option<LinkId>,
}

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Wake(Arc<Parts>);

#[derive(Debug, Default)]
struct Parts {
    any: AtomicBool,
    linked: RwLock<HashSet<CalendarId>>,
    changed: Mutex<HashMap<CalendarId, Option<LinkId>>>,
    heard: AtomicBool,
    bell: Notify,
}

impl Wake {
    /// The calendars that have links, all of them.
    pub fn set_linked(&self, calendars: impl IntoIterator<Item = CalendarId>) {
        let mut linked = self
            .0
            .linked
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *linked = calendars.into_iter().collect();
        self.0.any.store(!linked.is_empty(), Ordering::Release);
    }

    /// A calendar was changed, and it is committed.
    pub fn changed(&self, calendar: CalendarId) {
        self.note(calendar, None);
    }

    /// The same, by the bridge itself.
    pub fn changed_by(&self, calendar: CalendarId, writer: LinkId) {
        self.note(calendar, Some(writer));
    }

    fn note(&self, calendar: CalendarId, writer: Option<LinkId>) {
        if !self.0.any.load(Ordering::Acquire) {
            return;
        }
        let linked = self.0.linked.read().unwrap_or_else(PoisonError::into_inner);
        if !linked.contains(&calendar) {
            return;
        }
        drop(linked);
        let mut changed = self
            .0
            .changed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = changed.entry(calendar).or_insert(writer);
        if *known != writer {
            *known = None;
        }
        drop(changed);
        self.0.bell.notify_one();
    }

    /// Somebody in this process works on what is told, or does not any more.
    pub fn set_heard(&self, heard: bool) {
        self.0.heard.store(heard, Ordering::Release);
    }

    /// Whether somebody does: who waits for it need not, otherwise.
    pub fn is_heard(&self) -> bool {
        self.0.heard.load(Ordering::Acquire)
    }

    /// There is something to do that is in the database already: a link was made, a webhook came in.
    pub fn ring(&self) {
        self.0.bell.notify_one();
    }

    /// What was changed since it was asked last.
    pub fn take(&self) -> Vec<Nudge> {
        let mut changed = self
            .0
            .changed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        changed
            .drain()
            .map(|(calendar, writer)| Nudge { calendar, writer })
            .collect()
    }

    /// Waits until something was changed; for one who waits at a time. Follow it with [`Wake::take`].
    pub async fn wait(&self) {
        self.0.bell.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: CalendarId = CalendarId(1);
    const TWO: CalendarId = CalendarId(2);

    #[tokio::test]
    async fn only_linked_calendars_are_told_of_and_once() {
        let wake = Wake::default();
        wake.changed(ONE);
        wake.set_linked([ONE]);
        wake.changed(TWO);
        assert_eq!(wake.take(), vec![]);
        wake.changed(ONE);
        wake.changed(ONE);
        wake.wait().await;
        let nudge = Nudge {
            calendar: ONE,
            writer: None,
        };
        assert_eq!(wake.take(), vec![nudge]);
        assert_eq!(wake.take(), vec![]);
    }

    #[test]
    fn a_link_is_the_writer_only_when_nobody_else_wrote() {
        let wake = Wake::default();
        wake.set_linked([ONE]);
        for (writers, told) in [
            (vec![Some(LinkId(1)), Some(LinkId(1))], Some(LinkId(1))),
            (vec![Some(LinkId(1)), Some(LinkId(2))], None),
            (vec![Some(LinkId(1)), None], None),
        ] {
            for writer in writers {
                wake.note(ONE, writer);
            }
            assert_eq!(wake.take()[0].writer, told);
        }
    }
}
