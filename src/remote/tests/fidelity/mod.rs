//! What becomes of every property of an event at each provider, tried out: written, read back, and merged with an edit
//! made there. The tables of `docs/bridges.md` are printed from that, so that they say neither more nor less.

mod bench;
mod compare;
mod corpus;
mod probes;

use std::collections::BTreeSet;
use std::fmt::Write;

use bench::Passage;
use compare::{differing, look_alike, meaning, unnamed};
use probes::{PROBES, Probe, object};

use crate::ical::merge::{Winner, merge_since};
use crate::model::bridge::GuestPolicy;
use crate::remote::{Loss, provider};

/// What became of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Kept,
    Restored,
    Changed,
    Refused,
}

impl Fate {
    fn word(self) -> &'static str {
        match self {
            Fate::Kept => "kept",
            Fate::Restored => "restored",
            Fate::Changed => "changed",
            Fate::Refused => "refused",
        }
    }
}

/// A cell of the table: the fate, and in which words it is told.
type Cell = (Fate, String);

fn words<'a>(losses: &'a [Loss], names: &BTreeSet<String>) -> Vec<&'a str> {
    let mut all: Vec<&str> = losses
        .iter()
        .filter(|loss| names.contains(&loss.property))
        .map(|loss| loss.what.as_str())
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Components: what is in them goes with them.
const PARTS: &[&str] = &["PARTICIPANT", "VLOCATION", "VRESOURCE", "VALARM"];

/// Is something of that name still there, otherwise than it was?
fn stands(theirs: &str, names: &BTreeSet<String>) -> bool {
    let parts: BTreeSet<String> = names
        .iter()
        .filter(|name| PARTS.contains(&name.as_str()))
        .cloned()
        .collect();
    let names = if parts.is_empty() { names } else { &parts };
    theirs.lines().any(|line| {
        let name = line.split([';', ':']).next().unwrap_or_default();
        let name = match name {
            "WHEN" => "DTSTART",
            "BEGIN" => line.split(':').nth(1).unwrap_or_default(),
            name => name,
        };
        names.contains(name)
    })
}

/// Somebody edits the place there, or the title where the place is what is tried: does the merge bring that, and keep
/// everything of ours?
fn survives(ours: &[u8], theirs: &[u8]) -> bool {
    const PLACE: &str = "LOCATION:Edited\r\n";
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let by_place = !text(ours).contains("\nLOCATION") && !text(theirs).contains("\nLOCATION");
    let edited = match by_place {
        true => text(theirs).replacen("END:VEVENT", &format!("{PLACE}END:VEVENT"), 1),
        false => text(theirs).replace("SUMMARY:Probe", "SUMMARY:Edited"),
    };
    let merged = merge_since(ours, ours, theirs, edited.as_bytes(), Winner::Theirs).unwrap();
    let merged = text(&merged.text);
    let back = match by_place {
        true => merged.replace(PLACE, ""),
        false => merged.replace("SUMMARY:Edited", "SUMMARY:Probe"),
    };
    back != merged && meaning(back.as_bytes()) == meaning(ours)
}

async fn tried(name: &str, (_, what, lines): &Probe, wrong: &mut Vec<String>) -> Cell {
    let ours = object(lines).into_bytes();
    let guests = match what.contains("sends guests") {
        true => GuestPolicy::Send,
        false => GuestPolicy::Never,
    };
    let (theirs, losses) = match bench::through(name, &ours, guests).await {
        Passage::Through { text, losses } => (text, losses),
        Passage::Refused(why) => return (Fate::Refused, why),
        Passage::Wrong(why) => {
            wrong.push(format!("{name}, {what}: {why}"));
            return (Fate::Refused, String::new());
        }
    };
    let (before, after) = (meaning(&ours), meaning(&theirs));
    let silent = guests == GuestPolicy::Never;
    let missing = unnamed(&before, &after, &losses, silent);
    // One zone by two names.
    let same = missing == ["DTSTART"] && look_alike(&ours, &theirs, &losses);
    if !missing.is_empty() && !same {
        wrong.push(format!(
            "{name}, {what}: {missing:?} is not named\n{before}\n{after}"
        ));
    }
    if !survives(&ours, &theirs) {
        wrong.push(format!("{name}, {what}: the merge does not restore it"));
    }
    let names = differing(&before, &after);
    if names.is_empty() || !missing.is_empty() {
        let told: BTreeSet<String> = losses.iter().map(|loss| loss.property.clone()).collect();
        return (Fate::Kept, words(&losses, &told).join("; "));
    }
    let fate = match stands(&after, &names) {
        true => Fate::Changed,
        false => Fate::Restored,
    };
    (fate, words(&losses, &names).join("; "))
}

/// The tables, as Markdown.
fn printed(rows: &[(Probe, Vec<Cell>)]) -> String {
    let names = bench::names();
    let title = |name: &str| provider(name).map_or("", |row| row.title);
    let mut out = String::from("| RFC | what |");
    for name in &names {
        write!(out, " {name} |").unwrap();
    }
    out += "\n|---|---|";
    out += &"---|".repeat(names.len());
    out += "\n";
    for ((rfc, what, _), cells) in rows {
        write!(out, "| {rfc} | {what} |").unwrap();
        for (fate, _) in cells {
            write!(out, " {} |", fate.word()).unwrap();
        }
        out += "\n";
    }
    for (at, name) in names.iter().enumerate() {
        let told = rows.iter().filter(|(_, cells)| !cells[at].1.is_empty());
        let lines: Vec<String> = told
            .map(|((_, what, _), cells)| {
                format!("- {what}: {} — {}\n", cells[at].0.word(), cells[at].1)
            })
            .collect();
        if !lines.is_empty() {
            write!(out, "\n### {}: in words\n\n{}", title(name), lines.concat()).unwrap();
        }
    }
    out
}

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/bridges.md");

/// Puts a part between its marks; whether it was another one before.
fn put_part(part: &str, text: &str) -> bool {
    let whole = std::fs::read_to_string(DOCUMENT).unwrap();
    let (begin, end) = (
        format!("<!-- {part}: begin -->\n"),
        format!("<!-- {part}: end -->"),
    );
    let (head, rest) = whole.split_once(&begin).unwrap();
    let (was, tail) = rest.split_once(&end).unwrap();
    let differs = was != text;
    if differs {
        std::fs::write(DOCUMENT, format!("{head}{begin}{text}{end}{tail}")).unwrap();
    }
    differs
}

#[tokio::test]
async fn the_table_of_the_document_is_what_the_providers_do() {
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for probe in PROBES {
        let mut cells = Vec::new();
        for name in bench::names() {
            cells.push(tried(name, probe, &mut wrong).await);
        }
        rows.push((*probe, cells));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        !put_part("table", &printed(&rows)),
        "docs/bridges.md differed from what was tried; it is written anew: look at it and commit it"
    );
}
