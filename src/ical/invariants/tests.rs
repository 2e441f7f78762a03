//! The invariants on generated streams, and on real ones that lie beside the crate (or where `KALENDS_SHARED` says).

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::ical::object::Violation;

/// A stream with something of everything, as a seed for mutations.
const SEED: &str = "\u{feff}BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//X//EN\r\nBEGIN:VTIMEZONE\r\nTZID:Here\r\n\
    BEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\n\
    END:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Here:20260101T100000\r\nDURATION:PT1H\r\n\
    RRULE:FREQ=WEEKLY;BYDAY=TH;COUNT=9\r\nEXDATE;TZID=Here:20260108T100000,20260115T100000\r\n\
    SUMMARY;ALTREP=\"cid:a;b\";X=^n^^:Caf\u{e9}\\, two\r\n lines\\nlong \u{1f600}\r\nATTENDEE;CN=\"Doe, J\";\r\n\
    \tPARTSTAT=ACCEPTED:mailto:j@example.org\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n\
    END:VEVENT\r\nBEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID;TZID=Here:20260122T100000\r\nDTSTART:20260123\r\n\
    DTEND:20260124\r\nRDATE;VALUE=PERIOD:20260101T000000Z/PT1H\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

/// Pieces that mean something to the parser, to be strung together.
const PIECES: [&str; 28] = [
    "BEGIN:",
    "END:",
    "VCALENDAR",
    "VEVENT",
    "VTIMEZONE",
    "VALARM",
    "\r\n",
    "\n",
    "\r",
    "\r\n ",
    "\n\t",
    " ",
    ":",
    ";",
    "=",
    "\"",
    ",",
    "\\",
    "^n",
    "UID:1",
    "DTSTART:20260101",
    "TZID=X",
    "RECURRENCE-ID:20260101",
    "X",
    "\u{feff}",
    "\u{e9}",
    "BEGIN:VCALENDAR\n",
    "\nEND:VCALENDAR",
];

#[derive(Debug, Clone)]
enum Mutation {
    Set(u8),
    Insert(&'static str),
    Delete(usize),
    Repeat(usize),
}

fn mutation() -> impl Strategy<Value = (prop::sample::Index, Mutation)> {
    let kind = prop_oneof![
        any::<u8>().prop_map(Mutation::Set),
        prop::sample::select(&PIECES[..]).prop_map(Mutation::Insert),
        (1usize..40).prop_map(Mutation::Delete),
        (1usize..80).prop_map(Mutation::Repeat),
    ];
    (any::<prop::sample::Index>(), kind)
}

fn mutated(seed: &[u8], mutations: &[(prop::sample::Index, Mutation)]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for (at, mutation) in mutations {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match mutation {
            Mutation::Set(byte) => bytes[at] = *byte,
            Mutation::Insert(piece) => drop(bytes.splice(at..at, piece.bytes())),
            Mutation::Delete(length) => drop(bytes.drain(at..(at + length).min(bytes.len()))),
            Mutation::Repeat(length) => {
                let copy = bytes[at..(at + length).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, copy));
            }
        }
    }
    bytes
}

proptest! {
    #[test]
    fn they_hold_for_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        hold(&bytes);
    }

    /// Every line folded anywhere, inside characters too.
    #[test]
    fn they_hold_for_folds_anywhere(folds in prop::collection::vec(any::<prop::sample::Index>(), 0..40)) {
        let seed = SEED.trim_start_matches('\u{feff}');
        let mut bytes = seed.as_bytes().to_vec();
        for fold in folds {
            let at = fold.index(bytes.len());
            if at > 0 && !matches!(bytes[at - 1], b'\r' | b'\n') && !matches!(bytes[at], b'\n' | b'\r') {
                drop(bytes.splice(at..at, *b"\r\n "));
            }
        }
        hold(&bytes);
        prop_assert_eq!(validate(&bytes, &Rules::default()).map(drop), Ok(()));
    }

    #[test]
    fn they_hold_for_pieces_strung_together(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)) {
        hold(pieces.concat().as_bytes());
    }

    #[test]
    fn they_hold_for_a_stream_with_faults(mutations in prop::collection::vec(mutation(), 0..12)) {
        hold(&mutated(SEED.as_bytes(), &mutations));
    }

    /// Whatever is put into a line comes back out of it.
    #[test]
    fn a_content_line_gives_back_what_went_in(value in "\\PC{0,120}", param in "[^\u{0}-\u{8}\u{b}-\u{1f}\u{7f}]{0,40}") {
        let line = crate::ical::write::text_line("X-A", &[("X-P", &param)], &value);
        let text = format!("BEGIN:A\r\n{line}END:A\r\n");
        let tree = Tree::parse(text.as_bytes(), &Limits::default()).unwrap();
        prop_assert!(tree.faults().is_empty(), "{:?}", tree.faults());
        let property = tree.roots().next().unwrap().property("X-A").unwrap();
        prop_assert_eq!(property.text(), value);
        prop_assert_eq!(property.param("X-P").unwrap(), param);
        prop_assert!(text.lines().all(|line| line.len() <= 75));
    }
}

#[test]
fn the_seed_itself_is_valid() {
    validate(SEED.as_bytes(), &Rules::default())
        .map(drop)
        .unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests find shared data by a variable"
)]
fn corpus() -> Option<(PathBuf, Vec<PathBuf>)> {
    let shared = std::env::var("KALENDS_SHARED").unwrap_or_else(|_| "../shared".into());
    let root = Path::new(&shared).join("corpus/ics");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path if path.extension().is_some_and(|extension| extension == "ics") => {
                    files.push(path)
                }
                _ => {}
            }
        }
    }
    files.sort();
    if files.is_empty() {
        println!("skipped: no .ics files in {}", root.display());
        return None;
    }
    Some((root, files))
}

/// Prints a verdict for each file, and for each object in it that is refused although its neighbours are not.
#[test]
fn real_streams_are_read_and_judged() {
    let Some((root, files)) = corpus() else {
        return;
    };
    let (mut whole, mut objects, mut refused) = (0, 0, 0);
    for path in &files {
        let bytes = std::fs::read(path).unwrap();
        hold(&bytes);
        let name = path.strip_prefix(&root).unwrap().display();
        match validate(&bytes, &Rules::default()) {
            Ok(_) => {
                whole += 1;
                println!("{name}: stored as it is");
                continue;
            }
            Err(invalid) => println!("{name}: {} {invalid}", invalid.precondition.name()),
        }
        let Ok(tree) = Tree::parse(&bytes, &Limits::default()) else {
            continue;
        };
        let split = split(&tree);
        for group in &split.groups {
            objects += 1;
            if let Err(invalid) = validate(&split.document(group, "new"), &Rules::default()) {
                refused += 1;
                println!(
                    "    {:?}: {} {invalid}",
                    group.uid,
                    invalid.precondition.name()
                );
            }
        }
    }
    println!(
        "{} files: {whole} stored as they are; of {objects} objects in the others {refused} refused",
        files.len()
    );
    assert!(
        whole >= 120 && objects - refused >= 2000,
        "{whole} whole, {refused} of {objects} refused"
    );
}

/// Whole files and what a PUT of them gets.
#[test]
fn known_files_get_known_verdicts() {
    use Violation::*;
    let Some((root, _)) = corpus() else { return };
    let cases: [(&str, Option<(Violation, u32)>); 16] = [
        (
            "invalid/ccs-caldavtester/errors-2.ics",
            Some((ValidCalendarData, 1)),
        ),
        (
            "invalid/ccs-caldavtester/errors-33.ics",
            Some((ValidCalendarData, 28)),
        ),
        (
            "invalid/ccs-caldavtester/errors-45.ics",
            Some((ValidCalendarData, 22)),
        ),
        (
            "invalid/ccs-caldavtester/errors-49.ics",
            Some((ValidCalendarObjectResource, 8)),
        ),
        (
            "invalid/libical/get_char_test.ics",
            Some((ValidCalendarData, 718)),
        ),
        (
            "recurrence/ical.net/Bug2912657.ics",
            Some((ValidCalendarData, 1)),
        ),
        (
            "recurrence/ical.net/YearlyInterval1.ics",
            Some((ValidCalendarData, 6)),
        ),
        (
            "quirky/ical.net/Outlook2007LineFolds.ics",
            Some((ValidCalendarObjectResource, 4)),
        ),
        (
            "quirky/collective-icalendar/bom_calendar.ics",
            Some((ValidCalendarObjectResource, 1)),
        ),
        (
            "valid/icalendar-rb/tzid_search.ics",
            Some((ValidCalendarObjectResource, 2)),
        ),
        ("valid/allenporter-ical/unicode.ics", None),
        (
            "valid/libical/vtimezone-Africa_Cairo.ics",
            Some((ValidCalendarObjectResource, 1)),
        ),
        ("quirky/ical.js/forced_types.ics", None),
        ("quirky/node-ical/yearly-recurring-unicode.ics", None),
        ("invalid/icalendar-rb/bad_wrapping.ics", None),
        ("invalid/ical4j/korganizer-lowercase.ics", None),
    ];
    for (name, wanted) in cases {
        let bytes = std::fs::read(root.join(name)).unwrap();
        // The tester's files have holes for the year.
        let bytes = match String::from_utf8(bytes) {
            Ok(text) => text.replace("$now.year.1:", "2026").into_bytes(),
            Err(other) => other.into_bytes(),
        };
        let found = validate(&bytes, &Rules::default()).err();
        let found = found.map(|invalid| (invalid.precondition, invalid.line.unwrap_or(0)));
        assert_eq!(found, wanted, "{name}");
    }
}
