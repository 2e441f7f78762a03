//! `docs/compliance.md` is written from the tables of this module, so that it says neither more nor less than the code.

use std::fmt::Write;

use crate::dav::{features::FEATURES, live::LIVE, methods::METHODS, reports::REPORTS, view::On};

/// Kinds of resource in the order of the document's columns.
const KINDS: [(&str, On); 8] = [
    ("root", On::ROOT.or(On::PRINCIPALS).or(On::HOMES)),
    ("principal", On::PRINCIPAL),
    ("proxy", On::PROXY),
    ("home", On::HOME),
    ("inbox, outbox", On::INBOX.or(On::OUTBOX)),
    ("notifications", On::NOTIFICATIONS),
    ("calendar", On::CALENDAR),
    ("object", On::OBJECT),
];

fn places(on: On) -> String {
    if KINDS.iter().all(|(_, kind)| on.meets(*kind)) {
        return "everywhere".into();
    }
    let names = KINDS.iter().filter(|(_, kind)| on.meets(*kind));
    names.map(|(name, _)| *name).collect::<Vec<_>>().join("; ")
}

fn document() -> String {
    let mut out = String::from(
        "# What is implemented of CalDAV\n\nMade from the tables in `src/dav` by the test `the_document_is_made_from_the_tables`.\n\
         Clients' conversations that have to work are in `fixtures/http`.\n\n## The DAV header\n\n| word | from |\n|---|---|\n",
    );
    for feature in FEATURES {
        writeln!(out, "| {} | {} |", feature.name, feature.spec).unwrap();
    }
    out += "\nAbsent: `2` (locks), `calendar-auto-schedule` (scheduling), `calendar-proxy` (delegation).\n";
    out += "\n## Methods\n\n| method | on |\n|---|---|\n";
    for method in METHODS {
        writeln!(out, "| {} | {} |", method.name, places(method.on)).unwrap();
    }
    out += "\n## Reports\n\n| report | from | on |\n|---|---|---|\n";
    for report in REPORTS {
        writeln!(
            out,
            "| {} | {} | {} |",
            report.name.local.as_str(),
            report.spec,
            places(report.on)
        )
        .unwrap();
    }
    out += "\n## Live properties\n\n| property | from | on | can be set |\n|---|---|---|---|\n";
    for prop in LIVE {
        let set = match (prop.set.is_some(), prop.personal, prop.at_creation) {
            (true, true, _) => "yes; each person has their own",
            (true, false, _) => "yes",
            (false, _, true) => "when it is made",
            _ => "",
        };
        writeln!(
            out,
            "| {} | {} | {} | {set} |",
            prop.name,
            prop.spec,
            places(prop.on)
        )
        .unwrap();
    }
    out += "\nProperties of any other name are kept as they are set.\n";
    out
}

#[test]
fn the_document_is_made_from_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/compliance.md");
    let (written, wanted) = (
        std::fs::read_to_string(path).unwrap_or_default(),
        document(),
    );
    if written != wanted {
        std::fs::write(path, wanted).unwrap();
        panic!(
            "docs/compliance.md differed from the tables; it is written anew: look at it and commit it"
        );
    }
}
