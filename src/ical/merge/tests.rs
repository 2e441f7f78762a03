use super::*;
use crate::ical::canonical::canonical;

mod properties;

const BASE: &str = "UID:1\nDTSTAMP:20260101T000000Z\nDTSTART;TZID=Europe/Berlin:20261123T090000\n\
    DTEND;TZID=Europe/Berlin:20261123T100000\nRRULE:FREQ=WEEKLY;COUNT=6\nSUMMARY:Base\nLOCATION:Here\n";

/// A calendar of VEVENTs, each given by its lines.
fn calendar(events: &[&str]) -> String {
    let events: String = events
        .iter()
        .map(|lines| format!("BEGIN:VEVENT\n{lines}END:VEVENT\n"))
        .collect();
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//T\n{events}END:VCALENDAR\n")
        .replace('\n', "\r\n")
}

fn merged(base: &str, ours: &str, theirs: &str, winner: Winner) -> (String, Merged) {
    let merged = merge(base.as_bytes(), ours.as_bytes(), theirs.as_bytes(), winner).unwrap();
    (String::from_utf8(merged.text.clone()).unwrap(), merged)
}

/// Merges edits of [`BASE`], each a pair of text and what stands in its place.
fn edits(ours: &[(&str, &str)], theirs: &[(&str, &str)], winner: Winner) -> (String, Merged) {
    let edit = |edits: &[(&str, &str)]| {
        let text = edits.iter().fold(BASE.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        calendar(&[&text])
    };
    merged(&calendar(&[BASE]), &edit(ours), &edit(theirs), winner)
}

fn same(one: &str, other: &str) {
    assert_eq!(
        canonical(one.as_bytes()).unwrap(),
        canonical(other.as_bytes()).unwrap(),
        "{one}\n--- and\n{other}"
    );
}

/// (ours, theirs, what of BASE is otherwise in the result)
type Case = (
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
);

#[test]
fn different_fields_are_both_kept() {
    let cases: &[Case] = &[
        (
            &[("SUMMARY:Base", "SUMMARY:Ours")],
            &[("LOCATION:Here", "LOCATION:There")],
            &[
                ("SUMMARY:Base", "SUMMARY:Ours"),
                ("LOCATION:Here", "LOCATION:There"),
            ],
        ),
        (
            &[("LOCATION:Here", "LOCATION;X-P=1:Here")],
            &[("LOCATION:Here", "LOCATION:There")],
            &[("LOCATION:Here", "LOCATION;X-P=1:There")],
        ),
        (
            &[("SUMMARY:Base\n", "SUMMARY:Base\nX-APPLE: odd \n")],
            &[
                ("SUMMARY:Base\n", ""),
                ("20261123T100000", "20261123T103000"),
            ],
            &[
                ("SUMMARY:Base\n", "X-APPLE: odd \n"),
                ("20261123T100000", "20261123T103000"),
            ],
        ),
        (
            &[("LOCATION:Here\n", "LOCATION:Here\nCATEGORIES:a,b\n")],
            &[("LOCATION:Here\n", "LOCATION:Here\nCATEGORIES:c\n")],
            &[("LOCATION:Here\n", "LOCATION:Here\nCATEGORIES:a,b,c\n")],
        ),
        (
            &[(
                "LOCATION:Here\n",
                "LOCATION:Here\nEXDATE;TZID=Europe/Berlin:20261130T090000\n",
            )],
            &[(
                "LOCATION:Here\n",
                "LOCATION:Here\nEXDATE:20261207T080000Z\n",
            )],
            &[(
                "LOCATION:Here\n",
                "LOCATION:Here\nEXDATE;TZID=Europe/Berlin:20261130T090000\nEXDATE;TZID=Europe/Berlin:20261207T090000\n",
            )],
        ),
        (
            &[("COUNT=6", "COUNT=8")],
            &[("T100000", "T110000")],
            &[("COUNT=6", "COUNT=8"), ("T100000", "T110000")],
        ),
    ];
    for (ours, theirs, both) in cases {
        let (text, told) = edits(ours, theirs, Winner::Theirs);
        let wanted = both
            .iter()
            .fold(BASE.to_owned(), |text, (from, to)| text.replace(from, to));
        assert_eq!(text, calendar(&[&wanted]));
        assert_eq!(told.conflicts, []);
        assert!(told.ours_changed && told.theirs_changed, "{told:?}");
    }
}
