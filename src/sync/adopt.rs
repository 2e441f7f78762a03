//! Which unit does an event belong to that was not known before? Its marker says so, or else its UID.
//!
//! | it carries | it becomes |
//! |---|---|
//! | a marker of this link | the mirror of the event that the marker names; nothing when there is another mirror of it |
//! | any other marker | nothing: a mirror is never a source |
//! | none, and theirs come here | the unit of its UID; of a UID that another event there has, a UID of our making |
//! | none, and only ours go there | nothing |

use std::collections::HashMap;

use super::run::{Run, Stop};
use super::sheet::Sheet;
use super::texts::hex;
use crate::remote::{Item, Marker, Read};
use crate::store::bridges::{items, units};

/// What an event shows of itself.
pub enum Face {
    Nothing,
    Mirror(Marker),
    Event(String),
    /// It cannot be said in iCalendar: it gets a unit, where people see why.
    Unsaid,
}

pub fn face(run: &Run, items: &[Item]) -> Face {
    match run.provider.read(&run.place, &run.account.label, items) {
        Ok(Read::Nothing) => Face::Nothing,
        Ok(Read::Event(reading)) => match reading.marker {
            Some(marker) => Face::Mirror(marker),
            None => Face::Event(reading.uid),
        },
        Err(_) => Face::Unsaid,
    }
}

/// Assigns each event (by its master) to a unit, or to none.
pub async fn adopt(run: &Run, sheet: &mut Sheet, fresh: Vec<(String, Face)>) -> Result<(), Stop> {
    let masked = unmask(run, &fresh).await?;
    let wanted: Vec<(String, Option<String>, bool)> = fresh
        .into_iter()
        .map(|(master, face)| {
            let (uid, may_rename) = uid_of(run, &master, face, &masked);
            (master, uid, may_rename)
        })
        .collect();
    let taken = holders(run, &wanted).await?;
    for (master, uid, may_rename) in wanted {
        let Some(uid) = uid else {
            sheet.assign_none(&master);
            continue;
        };
        let other = |id: &str| sheet.tells(id).unwrap_or(true);
        let held = sheet.holder(&uid).is_some_and(|id| id != master)
            || taken.get(&uid).is_some_and(|id| *id != master && other(id));
        match (held, may_rename) {
            (false, _) => sheet.assign(&master, uid),
            (true, true) => {
                let own = derived(&uid, &master);
                sheet.assign(&master, own);
            }
            (true, false) => sheet.assign_none(&master),
        }
    }
    Ok(())
}

/// The UID of its unit, and whether it may get another one when that is taken.
fn uid_of(
    run: &Run,
    master: &str,
    face: Face,
    masked: &HashMap<String, String>,
) -> (Option<String>, bool) {
    match face {
        Face::Nothing => (None, false),
        Face::Mirror(marker) => {
            let own =
                marker.instance == run.bridge.instance && marker.link == run.link.id.to_string();
            let telling = run.telling();
            let uid = if telling.marker_uid(&marker.uid) == marker.uid {
                Some(marker.uid)
            } else {
                masked.get(&marker.uid).cloned()
            };
            (uid.filter(|_| own), false)
        }
        Face::Event(_) | Face::Unsaid if !run.pulls() => (None, false),
        Face::Event(uid) if !uid.is_empty() => (Some(uid), true),
        Face::Event(_) | Face::Unsaid => (Some(derived("", master)), true),
    }
}

/// A UID for an event whose own one is taken, or that has none: the same each time.
fn derived(uid: &str, master: &str) -> String {
    use sha2::Digest;
    let mut sum = sha2::Sha256::new();
    sum.update(uid.as_bytes());
    sum.update(b"\0");
    sum.update(master.as_bytes());
    format!("{}-kalends", hex(&sum.finalize()[..16]))
}

/// UIDs of units without a mirror, by what markers say of them. Markers that tell the UID itself need none.
async fn unmask(run: &Run, fresh: &[(String, Face)]) -> Result<HashMap<String, String>, Stop> {
    let telling = run.telling();
    let hidden = fresh.iter().any(|(_, face)| {
        matches!(face, Face::Mirror(marker) if telling.marker_uid(&marker.uid) != marker.uid)
    });
    let mut masked = HashMap::new();
    if !hidden {
        return Ok(masked);
    }
    let (link, mut after) = (run.link.id, String::new());
    loop {
        let from = after.clone();
        let page = run
            .bridge
            .store
            .peek(|tx| Box::pin(async move { units::unmapped(tx, link, &from, 1000).await }))
            .await?;
        let Some(last) = page.last() else {
            return Ok(masked);
        };
        after.clone_from(last);
        masked.extend(page.into_iter().map(|uid| (telling.mask(&uid), uid)));
    }
}

/// Masters that are there and have one of these UIDs already.
async fn holders(
    run: &Run,
    wanted: &[(String, Option<String>, bool)],
) -> Result<HashMap<String, String>, Stop> {
    let link = run.link.id;
    let uids: Vec<String> = wanted
        .iter()
        .filter_map(|(_, uid, _)| uid.clone())
        .collect();
    let found = run
        .bridge
        .store
        .read(move |tx| {
            Box::pin(async move {
                let uids: Vec<&str> = uids.iter().map(String::as_str).collect();
                let mapped = units::remote_ids(tx, link, &uids).await?;
                let ids: Vec<&str> = mapped
                    .iter()
                    .map(|(_, id)| id.as_str())
                    .filter(|id| !id.is_empty())
                    .collect();
                let there = items::many(tx, link, &ids).await?;
                let is_there = |id: &str| there.iter().any(|item| item.remote_id == id);
                let held = mapped.iter().filter(|(_, id)| is_there(id));
                Ok(held.cloned().collect::<HashMap<_, _>>())
            })
        })
        .await?;
    Ok(found)
}
