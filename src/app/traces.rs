//! What is written about somebody in the calendars of others: what remains when they are removed.

use std::collections::BTreeMap;

use memchr::memmem::Finder;

use super::App;
use crate::model::{Principal, Result};
use crate::store::traces::{self, Source};

/// Texts read at once.
const PAGE: i64 = 64;

/// A calendar in which somebody is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    pub owner: String,
    /// Empty when it is in the trash.
    pub slug: String,
    /// Objects that name them, and earlier versions of objects.
    pub objects: usize,
    pub versions: usize,
}

/// Where one of the addresses of `person` is written, by owner and calendar. Reads everything that is stored.
///
/// # Errors
/// Trouble with the database.
pub async fn of(app: &App, person: &Principal) -> Result<Vec<Trace>> {
    let needles: Vec<Finder> = person
        .addresses
        .iter()
        .map(|address| Finder::new(address.as_bytes()))
        .collect();
    let mut found: BTreeMap<(String, String), [usize; 2]> = BTreeMap::new();
    if needles.is_empty() {
        return Ok(Vec::new());
    }
    for source in [Source::Objects, Source::History] {
        let mut after = 0;
        loop {
            let (found, needles) = (&mut found, &needles);
            let each = move |text: traces::Text<'_>| {
                let plain = unfolded(text.body);
                if needles.iter().any(|needle| needle.find(&plain).is_some()) {
                    let place = (text.owner.to_owned(), text.slug.to_owned());
                    found.entry(place).or_default()[source as usize] += 1;
                }
            };
            let page = app
                .store
                .peek(|tx| Box::pin(traces::page(tx, source, after, PAGE, each)));
            match page.await? {
                Some(last) => after = last,
                None => break,
            }
        }
    }
    let trace = |((owner, slug), [objects, versions]): (_, [usize; 2])| Trace {
        owner,
        slug,
        objects,
        versions,
    };
    Ok(found.into_iter().map(trace).collect())
}

/// Lower case, and without the folds of RFC 5545 §3.1, which may lie inside an address.
fn unfolded(body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(body.len());
    let mut rest = body.iter().filter(|byte| **byte != b'\r').peekable();
    while let Some(byte) = rest.next() {
        match (byte, rest.peek()) {
            (b'\n', Some(b' ' | b'\t')) => drop(rest.next()),
            (byte, _) => plain.push(byte.to_ascii_lowercase()),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::World;
    use crate::app::{calendars, users};
    use crate::model::{Door, Guard, Origin, Privilege, Privileges};
    use crate::objects::{self, Draft};

    async fn put(world: &World, owner: &str, name: &str, line: &str) {
        let who = users::acting(&world.app, owner).await.unwrap();
        let needs = Privileges::NONE.with(Privilege::Bind);
        let calendar = calendars::to_write(&world.app, &who, "calendar", needs)
            .await
            .unwrap();
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{name}\r\n\
             DTSTAMP:20270101T000000Z\r\nDTSTART:20270101T100000Z\r\n{line}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        let draft = Draft {
            name: name.into(),
            body: text.into(),
        };
        let origin = Origin {
            who: who.id,
            door: Door::Caldav,
        };
        let (rules, guard) = (Default::default(), Guard::default());
        let context = objects::Context {
            store: &world.app.store,
            rules: &rules,
            wake: &world.app.wake,
            now: world.clock.now(),
        };
        objects::put(&context, &calendar, draft, &guard, origin)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn what_names_somebody_is_found_and_nothing_else() {
        let world = World::new().await;
        for name in ["anna", "bert", "carl"] {
            world.user(name).await;
        }
        let anna = users::find(&world.app, "anna").await.unwrap();
        put(
            &world,
            "anna",
            "own.ics",
            "ATTENDEE:mailto:anna@example.org",
        )
        .await;
        put(&world, "bert", "a.ics", "ATTENDEE:MAILTO:Anna@Example.org").await;
        put(
            &world,
            "bert",
            "b.ics",
            "ATTENDEE;CN=A:mailto:anna@exa\r\n mple.org",
        )
        .await;
        put(&world, "bert", "c.ics", "ATTENDEE:mailto:carl@example.org").await;
        put(&world, "carl", "d.ics", "SUMMARY:With anna@example.org").await;
        put(&world, "carl", "d.ics", "SUMMARY:With somebody").await;

        users::remove(&world.app, "anna").await.unwrap();
        let trace = |owner: &str, objects, versions| Trace {
            owner: owner.into(),
            slug: "calendar".into(),
            objects,
            versions,
        };
        let found = of(&world.app, &anna).await.unwrap();
        assert_eq!(found, [trace("bert", 2, 0), trace("carl", 0, 1)]);
    }
}
