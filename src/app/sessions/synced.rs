//! `sync` and `calendar_synced`: which linked calendars a session goes to, and whether it has arrived.
//!
//! A session's own choice is kept in the mapping of each link, not in the VEVENT: it is about this installation's links
//! and nobody else's. Only links that tell events there can be chosen.

use std::collections::HashMap;
use std::time::Duration;

use super::fields::Sync;
use super::merge::FieldError;
use super::{Fault, Session};
use crate::app::App;
use crate::model::bridge::{Direction, Health, Link};
use crate::model::{CalendarId, Result, Who};
use crate::store::bridges::units::{self, Standing};
use crate::store::bridges::{connections, links};
use crate::store::{Tx, calendars};

/// Between two looks whether it has arrived.
const LOOK: Duration = Duration::from_millis(40);

/// A link with whether its connection works.
struct Way {
    link: Link,
    works: bool,
}

impl Way {
    fn pushes(&self) -> bool {
        self.link.direction != Direction::Pull
    }

    /// What is true of a session with this tag.
    fn state(&self, unit: Option<&Standing>, etag: &str) -> &'static str {
        let Some(unit) = unit else {
            // Nobody has looked at it yet.
            return match self.pushes() && self.link.auto_create {
                true => self.moving(),
                false => "off",
            };
        };
        let due = unit.waits || self.pushes() && unit.ours_etag != etag;
        match (unit.parked, unit.there, due) {
            (true, ..) => "failed",
            (_, true, false) if self.pushes() || unit.ours_etag == etag => "synced",
            (_, true, true) => self.moving(),
            (_, false, true) if unit.waits && self.pushes() && self.wanted(unit) => self.moving(),
            _ => "off",
        }
    }

    fn wanted(&self, unit: &Standing) -> bool {
        unit.wanted.unwrap_or(self.link.auto_create)
    }

    fn moving(&self) -> &'static str {
        match self.works {
            true => "pending",
            false => "failed",
        }
    }
}

/// Says of each session where it goes, and whether it has arrived.
pub(super) async fn tell(app: &App, who: &Who, sessions: &mut [Session]) -> Result<()> {
    if sessions.is_empty() {
        return Ok(());
    }
    let (id, name) = (who.id, who.name.clone());
    let asked: Vec<(String, String)> = sessions
        .iter()
        .map(|session| (session.calendar.clone(), session.uid.clone()))
        .collect();
    let found = app
        .store
        .read(move |tx| {
            Box::pin(async move {
                let ways = ways(tx, id, None).await?;
                if ways.is_empty() {
                    return Ok(Vec::new());
                }
                let slugs: HashMap<CalendarId, String> = calendars::list(tx, id, &name)
                    .await?
                    .into_iter()
                    .map(|bound| (bound.calendar.id, bound.slug))
                    .collect();
                let mut found = Vec::new();
                for way in ways {
                    let Some(slug) = slugs.get(&way.link.calendar).cloned() else {
                        continue;
                    };
                    let uids: Vec<&str> = asked
                        .iter()
                        .filter(|(calendar, _)| *calendar == slug)
                        .map(|(_, uid)| uid.as_str())
                        .collect();
                    let standing = units::standing(tx, way.link.id, &uids).await?;
                    found.push((way, slug, standing));
                }
                Ok(found)
            })
        })
        .await?;
    for session in sessions {
        let here = found
            .iter()
            .filter(|(_, slug, _)| *slug == session.calendar);
        let ways = here.map(|(way, _, standing)| (way, standing.get(&session.uid)));
        say(session, &ways.collect::<Vec<_>>());
    }
    Ok(())
}

fn say(session: &mut Session, ways: &[(&Way, Option<&Standing>)]) {
    session.calendar_synced = ways
        .iter()
        .map(|(way, unit)| {
            let state = way.state(*unit, &session.etag);
            (way.link.id.to_string(), state.to_string())
        })
        .collect();
    let goes = |(way, unit): &&(&Way, Option<&Standing>)| match unit {
        Some(unit) => way.wanted(unit),
        None => way.link.auto_create,
    };
    let can: Vec<_> = ways.iter().filter(|(way, _)| way.pushes()).collect();
    let does: Vec<String> = can
        .iter()
        .copied()
        .filter(goes)
        .map(|(way, _)| way.link.id.to_string())
        .collect();
    session.fields.sync = match (does.len(), can.len()) {
        (0, _) => Sync::All(false),
        (some, all) if some == all => Sync::All(true),
        _ => Sync::Links(does),
    };
}

/// The links of somebody's connections, of one calendar or of all.
async fn ways(
    tx: &mut Tx<'_>,
    owner: crate::model::PrincipalId,
    calendar: Option<CalendarId>,
) -> Result<Vec<Way>> {
    let mut all = links::of_owner(tx, owner).await?;
    all.retain(|link| calendar.is_none_or(|calendar| link.calendar == calendar));
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let health: HashMap<_, _> = connections::of_owner(tx, owner)
        .await?
        .into_iter()
        .map(|connection| (connection.id, connection.health == Health::Ok))
        .collect();
    Ok(all
        .into_iter()
        .map(|link| Way {
            works: health.get(&link.connection).copied().unwrap_or(false),
            link,
        })
        .collect())
}

/// Notes a session's choice before it is written, so that nothing goes where it should not.
///
/// # Errors
/// Links that this calendar does not have, when it has any.
pub(super) async fn choose(
    app: &App,
    who: &Who,
    calendar: CalendarId,
    (uid, name): (&str, &str),
    sync: &Sync,
) -> Result<(), Fault> {
    let (owner, uid, name, sync) = (who.id, uid.to_string(), name.to_string(), sync.clone());
    let unknown = app
        .store
        .write(move |tx| {
            Box::pin(async move {
                let mut can = ways(tx, owner, Some(calendar)).await?;
                can.retain(Way::pushes);
                let known = |name: &String| can.iter().any(|way| way.link.id.to_string() == *name);
                if let Sync::Links(names) = &sync
                    && !can.is_empty()
                    && let Some(unknown) = names.iter().find(|name| !known(name))
                {
                    return Ok(Some(unknown.clone()));
                }
                for way in &can {
                    let goes = match &sync {
                        Sync::All(all) => *all,
                        Sync::Links(names) => names.contains(&way.link.id.to_string()),
                    };
                    units::want(tx, way.link.id, &uid, &name, Some(goes)).await?;
                }
                Ok(None)
            })
        })
        .await?;
    match unknown {
        None => Ok(()),
        Some(name) => Err(vec![FieldError::new(
            "sync",
            format!("this calendar has no link {name} that events go out by"),
        )]
        .into()),
    }
}

/// Links that were chosen and that there are not: off.
pub(super) fn add_absent(session: &mut Session, sync: &Sync) {
    let Sync::Links(names) = sync else { return };
    for name in names {
        let states = &mut session.calendar_synced;
        states.entry(name.clone()).or_insert_with(|| "off".into());
    }
}

/// Makes the choice come true: the session is there now.
pub(super) async fn send(app: &App, who: &Who, calendar: CalendarId, uid: &str) -> Result<()> {
    let (owner, uid, now) = (who.id, uid.to_string(), app.clock.now());
    app.store
        .write(move |tx| {
            Box::pin(async move {
                for way in ways(tx, owner, Some(calendar)).await? {
                    if way.pushes() && units::mark(tx, way.link.id, &uid).await? {
                        links::poke(tx, way.link.id, now).await?;
                    }
                }
                Ok(())
            })
        })
        .await?;
    app.wake.ring();
    Ok(())
}

/// Waits until a session has arrived everywhere, but no longer than `patience`, and only when somebody brings it there.
pub(super) async fn wait(
    app: &App,
    who: &Who,
    session: &mut Session,
    patience: Duration,
) -> Result<()> {
    let one = std::slice::from_mut(session);
    tell(app, who, one).await?;
    let on_its_way = |one: &[Session]| {
        one[0]
            .calendar_synced
            .values()
            .any(|state| state == "pending")
    };
    if !app.wake.is_heard() || patience.is_zero() {
        return Ok(());
    }
    let arrival = async {
        while on_its_way(one) {
            tokio::time::sleep(LOOK).await;
            tell(app, who, one).await?;
        }
        Ok(())
    };
    tokio::time::timeout(patience, arrival)
        .await
        .unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::bridge::{ConflictPolicy, GuestPolicy, LinkState, Privacy};
    use crate::model::{ConnectionId, LinkId, RemoteCalendarId};

    fn way(direction: Direction, auto_create: bool, works: bool) -> Way {
        let link = Link {
            id: LinkId(1),
            calendar: CalendarId(1),
            remote: RemoteCalendarId(1),
            connection: ConnectionId(1),
            direction,
            privacy: Privacy::Full,
            title_template: String::new(),
            description_template: String::new(),
            auto_create,
            auto_update: true,
            conflict: ConflictPolicy::Theirs,
            guests: GuestPolicy::Never,
            interval: 900,
            state: LinkState::Active,
            reason: String::new(),
            cursor: None,
            local_seq: 0,
            last_sync: None,
            next_sync: 0,
            poked: None,
            created: 0,
        };
        Way { link, works }
    }

    fn unit(there: bool, waits: bool, parked: bool, tag: &str) -> Standing {
        Standing {
            wanted: None,
            there,
            waits,
            parked,
            ours_etag: tag.into(),
        }
    }

    #[test]
    fn what_is_said_is_true() {
        use Direction::{Both, Pull};
        let new = Standing {
            wanted: Some(true),
            ..unit(false, true, false, "")
        };
        let unwanted = Standing {
            wanted: Some(false),
            ..unit(false, true, false, "")
        };
        for (way, unit, state) in [
            // Not looked at yet.
            (way(Both, true, true), None, "pending"),
            (way(Both, false, true), None, "off"),
            (way(Pull, true, true), None, "off"),
            // On its way, arrived, changed since.
            (
                way(Both, true, true),
                Some(unit(false, true, false, "")),
                "pending",
            ),
            (
                way(Both, true, true),
                Some(unit(true, false, false, "e")),
                "synced",
            ),
            (
                way(Both, true, true),
                Some(unit(true, false, false, "old")),
                "pending",
            ),
            (
                way(Both, true, true),
                Some(unit(true, true, false, "e")),
                "pending",
            ),
            // Nothing moves on a connection that does not work.
            (way(Both, true, false), None, "failed"),
            (
                way(Both, true, false),
                Some(unit(true, true, false, "e")),
                "failed",
            ),
            (
                way(Both, true, false),
                Some(unit(true, false, false, "e")),
                "synced",
            ),
            // Parked is parked.
            (
                way(Both, true, true),
                Some(unit(true, true, true, "e")),
                "failed",
            ),
            // The session's own choice goes before the link's.
            (way(Both, false, true), Some(new), "pending"),
            (way(Both, true, true), Some(unwanted), "off"),
            // What the link does not tell (hidden, transparent) is settled without being there.
            (
                way(Both, true, true),
                Some(unit(false, false, false, "")),
                "off",
            ),
            // What came from there.
            (
                way(Pull, true, true),
                Some(unit(true, false, false, "e")),
                "synced",
            ),
            (
                way(Pull, true, true),
                Some(unit(true, false, false, "mine")),
                "off",
            ),
        ] {
            assert_eq!(way.state(unit.as_ref(), "e"), state, "{unit:?}");
        }
    }
}
