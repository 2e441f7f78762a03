//! The last bodies of feeds, to make the next ones of.

use std::sync::Arc;

use super::build::{Made, Plan};
use super::document::Laid;
use crate::app::calendars::zone_name;
use crate::app::feeds::Open;
use crate::model::{Bound, Calendar, CalendarId, FeedId};

/// The last whole bodies of feeds, to make the next ones of.
#[derive(Clone)]
pub struct Kept(moka::sync::Cache<FeedId, Arc<Last>>);

/// A body and the state that it was made from.
pub struct Last {
    pub laid: Laid,
    /// The part of time that it shows.
    window: Option<(i64, i64)>,
    calendars: Vec<(CalendarId, i64, String)>,
}

impl Last {
    /// The number up to which the changes of a calendar are in it. `None`: its zone is another one now, or changes since
    /// then have been forgotten.
    pub fn seq_of(&self, calendar: &Calendar) -> Option<i64> {
        let known = self.calendars.iter().find(|(id, ..)| *id == calendar.id);
        let (_, seq, _) = known.filter(|(_, _, zone)| *zone == zone_name(calendar))?;
        (*seq >= calendar.pruned_seq && *seq <= calendar.seq).then_some(*seq)
    }
}

impl Default for Kept {
    fn default() -> Kept {
        const BYTES: u64 = 24 << 20;
        let weigh =
            |_: &FeedId, last: &Arc<Last>| u32::try_from(last.laid.weight()).unwrap_or(u32::MAX);
        Kept(
            moka::sync::Cache::builder()
                .max_capacity(BYTES)
                .weigher(weigh)
                .build(),
        )
    }
}

impl Kept {
    /// The last body of a feed that shows the same part of time.
    pub fn get(&self, open: &Open, plan: &Plan) -> Option<Arc<Last>> {
        let last = self.0.get(&open.feed.id)?;
        (last.window == plan.window).then_some(last)
    }

    /// Keeps what was made, if it shows exactly the state in `open`: whoever calls has looked again afterwards.
    pub fn put(&self, open: &Open, plan: &Plan, made: Made) {
        let laid = match made {
            Made::Laid(laid) if laid.can_go_on() => laid,
            _ => return,
        };
        let state = |bound: &Bound| {
            (
                bound.calendar.id,
                bound.calendar.seq,
                zone_name(&bound.calendar),
            )
        };
        let calendars = open.calendars.iter().map(state).collect();
        let last = Last {
            laid,
            window: plan.window,
            calendars,
        };
        self.0.insert(open.feed.id, Arc::new(last));
        // Else what is replaced would stay for a while.
        self.0.run_pending_tasks();
    }
}
