//! What changed here since the link looked last: the calendar's change log becomes marks on units.
//!
//! An entry of our own writing has the tag that was agreed on, and marks nothing.

use super::run::{Run, Stop};
use crate::model::Result;
use crate::store::Tx;
use crate::store::bridges::{links, units};
use crate::store::objects::{self, Change};

/// Entries of the log at a time.
const CHUNK: i64 = 1000;

/// Entries of the change log.
#[derive(Default)]
struct Entries {
    /// (UID, name, tag) of events.
    changed: Vec<(String, String, String)>,
    removed: Vec<String>,
    seq: i64,
    count: i64,
}

/// Takes in the change log from where the link stood. `all`: events that wait for *sync now* are marked, too.
pub async fn gather(run: &Run, all: bool) -> Result<(), Stop> {
    let (link, calendar) = (run.link.id, run.link.calendar);
    let mut seq = run.link.local_seq;
    if seq < run.calendar.calendar.pruned_seq && seq > 0 {
        // Removals from before are not in the log any more.
        run.write(move |tx| Box::pin(units::mark_missing(tx, link, calendar)))
            .await?;
    }
    if all && run.pushes() {
        run.write(move |tx| Box::pin(units::mark_unsaid(tx, link, calendar)))
            .await?;
    }
    let make = run.pushes() && run.link.auto_create;
    loop {
        let found = run
            .bridge
            .store
            .read(move |tx| Box::pin(entries(tx, calendar, seq)))
            .await?;
        if found.seq == seq {
            return Ok(());
        }
        seq = found.seq;
        let whole = found.count < CHUNK;
        run.write(move |tx| {
            Box::pin(async move {
                units::mark_ours(tx, link, &found.changed, make).await?;
                units::mark_names(tx, link, &found.removed).await?;
                links::set_local_seq(tx, link, found.seq).await
            })
        })
        .await?;
        if whole {
            return Ok(());
        }
    }
}

async fn entries(tx: &mut Tx<'_>, calendar: crate::model::CalendarId, seq: i64) -> Result<Entries> {
    let mut entries = Entries {
        seq,
        ..Entries::default()
    };
    objects::changed_since(tx, calendar, seq, CHUNK, |change| {
        entries.count += 1;
        entries.seq = change.seq();
        match change {
            Change::Changed(m) if m.component == "VEVENT" => {
                let entry = (m.uid.to_string(), m.name.to_string(), m.etag.to_string());
                entries.changed.push(entry);
            }
            Change::Changed(m) => entries.removed.push(m.name.to_string()),
            Change::Removed { name, .. } => entries.removed.push(name.to_string()),
        }
        Ok(())
    })
    .await?;
    Ok(entries)
}
