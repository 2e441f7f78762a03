//! Events of other projects' tests through each provider and back: equal, or what differs is named, or refused.

use std::path::{Path, PathBuf};

use super::bench::{Passage, names, through};
use super::compare::{differing, look_alike, meaning, unnamed};
use super::put_part;
use crate::ical::charset::to_utf8;
use crate::ical::object::{Kind, Object, Rules, validate};
use crate::ical::split::split;
use crate::ical::tree::{Limits, Tree};
use crate::model::bridge::GuestPolicy;
use crate::remote::provider;

#[expect(
    clippy::disallowed_methods,
    reason = "tests find shared data by a variable"
)]
fn folder() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    let root = std::env::var("KALENDS_SHARED").unwrap_or_else(|_| beside.into());
    let folder = Path::new(&root).join("corpus/ics");
    if !folder.is_dir() {
        println!("skipped: no {}", folder.display());
        return None;
    }
    Some(folder)
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true => files(&path, into),
            false => into.push(path),
        }
    }
}

/// Every event of the corpus that a calendar here can hold, with where it is from.
fn events(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut paths = Vec::new();
    for kind in ["valid", "quirky", "recurrence"] {
        files(&folder.join(kind), &mut paths);
    }
    let mut found = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path).unwrap();
        let bytes = to_utf8(&bytes);
        if bytes.len() > 200_000 {
            continue;
        }
        let Ok(tree) = Tree::parse(&bytes, &Limits::default()) else {
            continue;
        };
        let stream = split(&tree);
        for (n, group) in stream.groups.iter().enumerate().take(20) {
            let uid = group
                .uid
                .as_deref()
                .map_or(format!("made-{n}"), str::to_owned);
            let text = stream.document(group, &uid).into_owned();
            let own = Tree::parse(&text, &Limits::default()).unwrap();
            let is_event = Object::read(&own).is_ok_and(|object| object.kind == Kind::Event);
            if is_event && validate(&text, &Rules::default()).is_ok() {
                found.push((format!("{} {n}", path.display()), text));
            }
        }
    }
    found
}

#[derive(Default)]
struct Tally {
    equal: usize,
    named: usize,
    refused: usize,
    wrong: Vec<String>,
}

async fn tally(name: &str, all: &[(String, Vec<u8>)]) -> Tally {
    let mut tally = Tally::default();
    for (from, text) in all {
        let (theirs, losses) = match through(name, text, GuestPolicy::Never).await {
            Passage::Through { text, losses } => (text, losses),
            Passage::Refused(_) => {
                tally.refused += 1;
                continue;
            }
            Passage::Wrong(why) => {
                tally.wrong.push(format!("{name} {from}: {why}"));
                continue;
            }
        };
        let (before, after) = (meaning(text), meaning(&theirs));
        let missing = unnamed(&before, &after, &losses, true);
        if differing(&before, &after).is_empty() {
            tally.equal += 1;
        } else if missing.is_empty() || look_alike(text, &theirs, &losses) {
            tally.named += 1;
        } else {
            tally
                .wrong
                .push(format!("{name} {from}: {missing:?}\n{before}\n{after}"));
        }
    }
    tally
}

#[tokio::test]
async fn events_come_back_or_their_losses_are_named() {
    let Some(folder) = folder() else {
        return;
    };
    let all = events(&folder);
    let mut table = format!(
        "{} events:\n\n| | equal | with named losses | refused |\n|---|---|---|---|\n",
        all.len()
    );
    let mut wrong = Vec::new();
    for name in names() {
        let tally = tally(name, &all).await;
        let title = provider(name).map_or("", |row| row.title);
        table += &format!(
            "| {title} | {} | {} | {} |\n",
            tally.equal, tally.named, tally.refused
        );
        assert!(tally.equal + tally.named > tally.refused, "{table}");
        wrong.extend(tally.wrong);
    }
    println!("{table}");
    for one in wrong.iter().take(25) {
        println!("{one}");
    }
    assert!(wrong.is_empty(), "{}", wrong.len());
    assert!(
        !put_part("corpus", &table),
        "docs/bridges.md differed from what was counted; it is written anew: look at it and commit it"
    );
}
