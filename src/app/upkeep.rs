//! What the database needs from time to time: forgetting what is past its retention, and indexing series without end
//! further ahead as time goes on. A piece at a time, each a short transaction or a few.

use super::App;
use crate::model::Result;
use crate::objects;
use crate::store::retention::{self, Keep, Purged};

/// Rows of a kind that one step removes at most.
const ROWS: i64 = 500;
/// Objects that one step indexes anew at most.
const OBJECTS: i64 = 50;
const DAY: i64 = 86_400;

/// One bounded piece of work. Says whether there may be more to do.
pub async fn step(app: &App) -> Result<bool> {
    let keep = keep(app);
    let purged = app
        .store
        .write(move |tx| Box::pin(retention::purge(tx, keep, ROWS)))
        .await?;
    let indexed = objects::reindex_stale(&app.door(), OBJECTS).await?;
    let worked = purged != Purged::default() || indexed > 0;
    if worked {
        tracing::debug!(
            removals = purged.changes,
            versions = purged.versions,
            calendars = purged.calendars,
            indexed,
            "upkeep"
        );
    }
    Ok(purged != Purged::default() || indexed as i64 == OBJECTS)
}

fn keep(app: &App) -> Keep {
    let (now, days) = (app.clock.now(), &app.config.retention);
    let ago = |days: u32| Some(now - i64::from(days) * DAY);
    Keep {
        changes_since: ago(days.changes_days),
        history_since: ago(days.history_days),
        trash_since: ago(days.trash_days),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::World;
    use crate::app::{calendars, users};
    use crate::model::object::Guard;
    use crate::model::{Door, Origin, Privileges};
    use crate::objects::{Draft, put};
    use crate::store;

    const DAILY: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:a\r\n\
        DTSTAMP:20260101T000000Z\r\nDTSTART:20260101T090000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY\r\n\
        END:VEVENT\r\nEND:VCALENDAR\r\n";

    async fn finish(world: &World) -> usize {
        let mut steps = 1;
        while step(world).await.unwrap() {
            steps += 1;
            assert!(steps < 100, "it never ends");
        }
        steps
    }

    #[tokio::test]
    async fn series_stay_indexed_ahead_and_the_trash_is_emptied_in_time() {
        let world = World::new().await;
        let id = world.user("anna").await;
        let who = users::acting(&world, "anna").await.unwrap();
        let calendar = calendars::to_write(&world, &who, "calendar", Privileges::WRITE)
            .await
            .unwrap();
        let draft = Draft {
            name: "a.ics".into(),
            body: DAILY.into(),
        };
        let origin = Origin {
            who: id,
            door: Door::Caldav,
        };
        put(&world.door(), &calendar, draft, &Guard::default(), origin)
            .await
            .unwrap();
        let (calendar_id, day) = (calendar.calendar.id, DAY);
        let stale = async |now: i64| {
            let soon = now + 365 * day;
            let rows = world
                .store
                .peek(|tx| Box::pin(store::occurrences::stale_horizon(tx, soon, 10)))
                .await;
            rows.unwrap().len()
        };
        assert_eq!(finish(&world).await, 1);
        assert_eq!(stale(world.clock.now()).await, 0);
        world.clock.advance(5 * 366 * day);
        assert_eq!(
            stale(world.clock.now()).await,
            1,
            "time has moved past the horizon"
        );
        finish(&world).await;
        assert_eq!(stale(world.clock.now()).await, 0);
        calendars::remove(&world, &who, &calendar).await.unwrap();
        let kept = async || {
            let rows = world
                .store
                .peek(|tx| Box::pin(store::objects::get(tx, calendar_id, "a.ics")))
                .await;
            rows.unwrap().is_some()
        };
        finish(&world).await;
        assert!(kept().await, "the trash is young");
        world.clock.advance(31 * day);
        finish(&world).await;
        assert!(!kept().await);
    }
}
