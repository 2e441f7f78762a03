//! Kalends, a calendar server: the map. A module uses only rows below its own
//! (`tests/architecture.rs` holds the table).
//!
//! | row | modules |
//! |---|---|
//! | 0 | [`ical`] iCalendar text and arithmetic · [`xml`] bounded reading, streaming writing |

pub mod ical;
pub mod xml;
