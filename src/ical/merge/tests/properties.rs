//! What holds for any edits: of a set of them on both sides, and of files of the corpus merged with each other.

use proptest::prelude::*;

use super::*;
use crate::ical::split::split;
use crate::ical::tree::Limits;

/// Edits of [`BASE`] and its override that do not meet: (what stands there, what instead).
const EDITS: [(&str, &str); 12] = [
    ("SUMMARY:Base", "SUMMARY:New\\, indeed"),
    ("LOCATION:Here\n", ""),
    ("LOCATION:Here\n", "LOCATION:Here\nDESCRIPTION:more\n"),
    ("COUNT=6", "COUNT=9"),
    ("LOCATION:Here\n", "LOCATION:Here\nCATEGORIES:a\n"),
    ("LOCATION:Here\n", "LOCATION:Here\nCATEGORIES:b,c\n"),
    (
        "LOCATION:Here\n",
        "LOCATION:Here\nEXDATE;TZID=Europe/Berlin:20261207T090000\n",
    ),
    (
        "LOCATION:Here\n",
        "LOCATION:Here\nEXDATE:20261214T080000Z\n",
    ),
    (
        "LOCATION:Here\n",
        "LOCATION:Here\nATTENDEE;CN=A:mailto:a@x\n",
    ),
    ("LOCATION:Here\n", "LOCATION:Here\nX-ONE:1\n"),
    ("SUMMARY:Other", "SUMMARY:Changed"),
    ("20261123T100000", "20261123T094500"),
];

fn edited(chosen: impl Iterator<Item = usize>) -> String {
    let base = calendar(&[BASE, OVERRIDE]).replace("\r\n", "\n");
    let mut text = base;
    for (from, to) in chosen.map(|n| EDITS[n]) {
        // Removing the location is last in effect: what is put behind it stays.
        text = match (from, to) {
            ("LOCATION:Here\n", "") => text.replace("LOCATION:Here\n", "X-GONE:1\n"),
            _ if text.contains(from) => text.replacen(from, to, 1),
            ("LOCATION:Here\n", to) => text.replacen(
                "X-GONE:1\n",
                &to.replace("LOCATION:Here\n", "X-GONE:1\n"),
                1,
            ),
            _ => text,
        };
    }
    text.replace("X-GONE:1\n", "").replace('\n', "\r\n")
}

fn told(base: &str, ours: &str, theirs: &str) -> Merged {
    merged(base, ours, theirs, Winner::Ours).1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn edits_that_do_not_meet_are_both_there(sides in prop::collection::vec(0u8..3, EDITS.len())) {
        let side = |wanted: u8| edited((0..EDITS.len()).filter(|n| sides[*n] == wanted));
        let (base, ours, theirs) = (edited(std::iter::empty()), side(1), side(2));
        let both = edited((0..EDITS.len()).filter(|n| sides[*n] > 0));
        for (one, other) in [(&ours, &theirs), (&theirs, &ours)] {
            let result = told(&base, one, other);
            prop_assert_eq!(&result.conflicts, &[]);
            let text = String::from_utf8(result.text).unwrap();
            same(&text, &both);
            prop_assert_eq!(result.ours_changed, canonical(text.as_bytes()) != canonical(one.as_bytes()));
            let again = told(other, &text, other);
            prop_assert_eq!(String::from_utf8(again.text).unwrap(), text);
        }
    }

    #[test]
    fn what_only_one_side_edited_is_that_sides(chosen in prop::collection::vec(0..EDITS.len(), 0..8)) {
        let (base, side) = (edited(std::iter::empty()), edited(chosen.into_iter()));
        let ours = told(&base, &side, &base);
        prop_assert_eq!(String::from_utf8(ours.text).unwrap(), &*side);
        prop_assert!(ours.conflicts.is_empty() && !ours.ours_changed);
        let theirs = told(&base, &base, &side);
        same(&String::from_utf8(theirs.text).unwrap(), &side);
        prop_assert!(theirs.conflicts.is_empty() && !theirs.theirs_changed);
        let agreed = told(&base, &side, &side);
        prop_assert_eq!(String::from_utf8(agreed.text).unwrap(), side);
        prop_assert!(agreed.conflicts.is_empty() && !agreed.ours_changed && !agreed.theirs_changed);
    }
}

/// Objects of the corpus, each as a text of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "tests find shared data by a variable"
)]
fn objects() -> Vec<Vec<u8>> {
    let shared = std::env::var("KALENDS_SHARED").unwrap_or_else(|_| "../shared".into());
    let root = std::path::Path::new(&shared).join("corpus/ics");
    let mut all = Vec::new();
    for folder in ["valid", "quirky", "recurrence"] {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
            continue;
        };
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        for path in files {
            let bytes = std::fs::read(&path).unwrap_or_default();
            let Ok(tree) = Tree::parse(&bytes, &Limits::default()) else {
                continue;
            };
            let split = split(&tree);
            let documents = split.groups.iter().take(3);
            all.extend(documents.map(|group| split.document(group, "new").into_owned()));
        }
    }
    if all.is_empty() {
        println!("skipped: no .ics files in {}", root.display());
    }
    all.retain(|text| text.len() < 100_000);
    all
}

/// Any three texts: each fit, or an error; what the properties promise of one; never a panic.
#[test]
fn real_objects_are_merged() {
    let all = objects();
    let mut merges = 0;
    for (n, ours) in all.iter().enumerate() {
        let Ok(own) = merge(ours, ours, ours, Winner::Ours) else {
            continue;
        };
        assert!(
            own.text == *ours
                && own.conflicts.is_empty()
                && !own.ours_changed
                && !own.theirs_changed
        );
        for step in [1, 7, 31] {
            let (base, theirs) = (
                &all[(n + step) % all.len()],
                &all[(n + 2 * step) % all.len()],
            );
            let unchanged = merge(base, ours, base, Winner::Theirs);
            assert!(
                unchanged.is_err()
                    || unchanged.is_ok_and(|told| told.text == *ours && !told.ours_changed)
            );
            let Ok(told) = merge(base, ours, theirs, Winner::Theirs) else {
                continue;
            };
            merges += 1;
            canonical(&told.text).unwrap();
            let again = merge(theirs, &told.text, theirs, Winner::Theirs).unwrap();
            assert!(
                again.text == told.text,
                "{}",
                String::from_utf8_lossy(&told.text)
            );
        }
    }
    println!("{} objects, {merges} merges", all.len());
}
