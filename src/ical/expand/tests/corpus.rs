//! Files of other projects' tests, when they lie beside the crate (or where `KALENDS_SHARED` says).

use super::*;
use crate::ical::split::split;
use std::path::{Path, PathBuf};

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

/// Calls with each object of each file below a folder; broken files are left out.
fn each(folder: &Path, with: &mut impl FnMut(&Path, &Object<'_>, &Zones<'_>)) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            each(&path, with);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let Ok(tree) = Tree::parse(&bytes, &Limits::default()) else {
            continue;
        };
        let split = split(&tree);
        for (n, group) in split.groups.iter().enumerate() {
            let document = split.document(group, &format!("made-{n}"));
            let Ok(tree) = Tree::parse(&document, &Limits::default()) else {
                continue;
            };
            let Ok(object) = Object::read(&tree) else {
                continue;
            };
            with(&path, &object, &Zones::of(&tree));
        }
    }
}

/// On every object: ordered, inside its window and its extent, and a part of a window is the window's part.
#[test]
fn windows_of_every_object_fit_together() {
    let Some(folder) = folder() else { return };
    let mut seen = 0;
    each(&folder, &mut |path, object, zones| {
        let series = Series::of(object, zones);
        let within = |window| {
            series
                .occurrences(window, &Budget::default())
                .unwrap_or_else(|e| e.so_far)
        };
        seen += 1;
        let (first, last) = series.extent();
        let all = within(Window::default());
        for o in &all {
            assert!(o.start <= o.end, "{path:?} {o:?}");
            assert!(
                first.is_some_and(|first| first <= o.start),
                "{path:?} {o:?} {first:?}"
            );
            assert!(
                last.is_none_or(|last| o.end <= last),
                "{path:?} {o:?} {last:?}"
            );
        }
        assert!(all.is_sorted_by_key(|o| o.start), "{path:?}");
        let Some(from) = all.first().map(|o| o.start.max(0)) else {
            return;
        };
        for (a, b) in [(0, 40), (3, 4), (20, 33), (400, 500)] {
            let window = Window::new(from + a * civil::DAY, from + b * civil::DAY);
            let wide = Window::new(from - 40 * civil::DAY, from + 600 * civil::DAY);
            let budget = Budget::default();
            let Ok(wide) = series.occurrences(wide, &budget) else {
                continue;
            };
            let part: Vec<Occurrence> = wide.into_iter().filter(|o| o.within(&window)).collect();
            assert_eq!(within(window), part, "{path:?} {window:?}");
        }
    });
    assert!(seen > 700, "only {seen} objects");
}

/// Files of which their own projects' tests say what is in them: how many occurrences between two days.
#[test]
fn known_answers() {
    let Some(folder) = folder() else { return };
    for (file, from, to, count) in [
        ("each_week_but_one_deleted", "20190101", "20200101", 7),
        ("each_week_but_two_deleted", "20190101", "20200101", 6),
        ("issue_107_omitting_last_event", "20230608", "20230609", 1),
        ("issue_107_omitting_last_event", "20230101", "20240101", 23),
        ("issue_113_period_in_rdate", "20231201", "20240101", 1),
        ("issue_62_moved_event_2", "20230814", "20230815", 1),
        ("issue_75_range_parameter", "20240901", "20240902", 1),
        ("one_day_event_repeat_every_day", "20190304", "20190308", 5),
        ("recurrence_sequence_number", "20200901", "20201001", 4),
        ("rdate_hackerpublicradio", "20100101", "20300101", 12),
    ] {
        let path = folder.join(format!("recurrence/recurring-ical-events/{file}.ics"));
        let mut found = Vec::new();
        let bytes = std::fs::read(&path).unwrap();
        let tree = Tree::parse(&bytes, &Limits::default()).unwrap();
        let split = split(&tree);
        for group in &split.groups {
            let document = split.document(group, "made");
            let tree = Tree::parse(&document, &Limits::default()).unwrap();
            let object = Object::read(&tree).unwrap();
            let window = Window::new(at(from), at(to));
            found.extend(
                occurrences(&object, &Zones::of(&tree), window, &Budget::default()).unwrap(),
            );
        }
        assert_eq!(found.len(), count, "{file} {from}: {:?}", show(&found));
    }
}
