//! Objects of other projects' tests through the simulator and back: equal, or what differs is listed, or refused.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;
use crate::ical::split::split;
use crate::ical::tree::{Limits, Tree};

#[expect(
    clippy::disallowed_methods,
    reason = "tests find shared data by a variable"
)]
fn folder() -> Option<PathBuf> {
    let root = std::env::var("KALENDS_SHARED").unwrap_or_else(|_| "../shared".into());
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
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

/// The names of what differs: of canonical lines that only one of the two has.
fn differing(ours: &str, theirs: &str) -> BTreeSet<String> {
    let lines = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    let (ours, theirs) = (lines(ours), lines(theirs));
    let only = ours.symmetric_difference(&theirs);
    only.map(|line| {
        let name = line.split([';', ':']).next().unwrap_or_default();
        match name {
            "BEGIN" | "END" => line.split(':').nth(1).unwrap_or_default().to_owned(),
            "WHEN" => "DTSTART".to_owned(),
            name => name.to_owned(),
        }
    })
    .collect()
}

const EVERY_DAY: &str = "BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-1";

#[derive(Default, Debug)]
struct Tally {
    equal: usize,
    listed: usize,
    refused: usize,
    wrong: Vec<String>,
}

async fn through(path: &Path, text: &[u8], tally: &mut Tally) {
    let world = World::new();
    let Ok(ours) = crate::ical::canonical::canonical(text) else {
        return;
    };
    if !ours.starts_with("BEGIN:VEVENT") {
        return;
    }
    let tree = Tree::parse(text, &Limits::default()).unwrap();
    let uid = crate::ical::object::Object::read(&tree)
        .unwrap()
        .uid
        .into_owned();
    let marker = Marker { uid, ..marker() };
    let put = Put {
        key: "0123456789abcdef",
        marker: &marker,
        text,
        known: &[],
        guests: GuestPolicy::Never,
        respond: None,
    };
    let mut wrong = |what: String| tally.wrong.push(format!("{}: {what}", path.display()));
    let placed = match Microsoft.put(&world.account, &world.place, put).await {
        Ok(placed) => placed,
        Err(Fault::Refused(refusal))
            if refusal.code != "invalid" || refusal.reason.contains("no start") =>
        {
            tally.refused += 1;
            return;
        }
        Err(fault) => return wrong(format!("{fault:?} {:?}", world.simulator.violations())),
    };
    if !world.simulator.violations().is_empty() || !world.simulator.world().mails().is_empty() {
        wrong(format!("{:?}", world.simulator.violations()));
    }
    let reading = match Microsoft.read(&world.place, BOB, &placed.items) {
        Ok(Read::Event(reading)) => reading,
        other => return wrong(format!("{other:?}")),
    };
    let again = Put {
        known: &placed.items,
        ..put
    };
    let writes = world.writes();
    let second = Microsoft.put(&world.account, &world.place, again).await;
    if second.is_err() || world.writes() != writes {
        let log = world.simulator.world().log();
        wrong(format!(
            "not idle: {:?}",
            log.last().map(|one| super::text(&one.body))
        ));
    }
    let theirs = canonical(&reading.text);
    let differing = differing(&ours, &theirs);
    if differing.is_empty() {
        tally.equal += 1;
        return;
    }
    let named: BTreeSet<&str> = placed
        .losses
        .iter()
        .map(|loss| loss.property.as_str())
        .collect();
    // Guests stay here by policy; parts of an alarm are lost with it.
    let of_alarms = [
        "ACTION",
        "TRIGGER",
        "DESCRIPTION",
        "SUMMARY",
        "REPEAT",
        "DURATION",
        "ATTACH",
        "ATTENDEE",
        "UID",
    ];
    let unnamed: Vec<&String> = differing
        .iter()
        .filter(|name| {
            let known = named.contains(name.as_str());
            let guest = matches!(name.as_str(), "ATTENDEE" | "ORGANIZER");
            let alarm = named.contains("VALARM")
                && (of_alarms.contains(&name.as_str()) || name.starts_with("X-"));
            // An instance that is not kept apart has no times of its own there.
            let instance = named.contains("RECURRENCE-ID") && *name == "DTSTART";
            // Two ways to say the last day of the month.
            let last_day =
                *name == "RRULE" && ours.contains(EVERY_DAY) && theirs.contains("BYMONTHDAY=-1");
            let inside = named
                .iter()
                .any(|one| one.starts_with('V') || one.starts_with("PART"));
            !(known || guest || alarm || inside || instance || last_day)
        })
        .collect();
    if unnamed.is_empty() {
        tally.listed += 1;
    } else {
        wrong(format!(
            "{unnamed:?}\n--- ours\n{ours}\n--- theirs\n{theirs}"
        ));
    }
}

#[tokio::test]
async fn objects_come_back_or_their_losses_are_named() {
    let Some(folder) = folder() else {
        return;
    };
    let mut all = Vec::new();
    for kind in ["valid", "quirky", "recurrence"] {
        files(&folder.join(kind), &mut all);
    }
    let mut tally = Tally::default();
    for path in all {
        let bytes = std::fs::read(&path).unwrap();
        if bytes.len() > 200_000 {
            continue;
        }
        let Ok(tree) = Tree::parse(&bytes, &Limits::default()) else {
            continue;
        };
        let split = split(&tree);
        for (n, group) in split.groups.iter().enumerate().take(20) {
            let document = split.document(group, &format!("made-{n}"));
            through(&path, &document, &mut tally).await;
        }
    }
    println!(
        "{} equal, {} with named losses, {} refused",
        tally.equal, tally.listed, tally.refused
    );
    let wrong = tally.wrong.len();
    for one in tally.wrong.iter().take(25) {
        println!("{one}");
    }
    assert_eq!(wrong, 0);
    assert!(tally.equal > 100, "{}", tally.equal);
}
