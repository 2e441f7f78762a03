//! Enum members and the words of iCalendar. FACTS §4.4.

/// `sensitivity` and CLASS; the first row of a word is the one that is written.
pub const SENSITIVITY: &[(&str, &str)] = &[
    ("normal", "PUBLIC"),
    ("private", "PRIVATE"),
    ("personal", "PRIVATE"),
    ("confidential", "CONFIDENTIAL"),
];

/// `importance` and PRIORITY as it is read.
pub const IMPORTANCE: &[(&str, &str)] = &[("high", "1"), ("low", "9"), ("normal", "")];

/// `showAs` and X-MICROSOFT-CDO-BUSYSTATUS.
pub const SHOW_AS: &[(&str, &str)] = &[
    ("free", "FREE"),
    ("tentative", "TENTATIVE"),
    ("busy", "BUSY"),
    ("oof", "OOF"),
    ("workingElsewhere", "WORKINGELSEWHERE"),
];

/// `response` and PARTSTAT.
pub const RESPONSE: &[(&str, &str)] = &[
    ("notResponded", "NEEDS-ACTION"),
    ("none", "NEEDS-ACTION"),
    ("accepted", "ACCEPTED"),
    ("organizer", "ACCEPTED"),
    ("tentativelyAccepted", "TENTATIVE"),
    ("declined", "DECLINED"),
];

/// Theirs to ours; an unknown member is like none.
pub fn ours(table: &[(&'static str, &'static str)], theirs: &str) -> Option<&'static str> {
    let row = table.iter().find(|(word, _)| *word == theirs);
    row.map(|(_, ours)| *ours)
}

/// Ours to theirs.
pub fn theirs(table: &[(&'static str, &'static str)], ours: &str) -> Option<&'static str> {
    let row = table
        .iter()
        .find(|(_, word)| word.eq_ignore_ascii_case(ours));
    row.map(|(theirs, _)| *theirs)
}

/// PRIORITY 1 to 9 as `importance`, and whether it comes back as the same number.
pub fn importance(priority: i64) -> (&'static str, bool) {
    match priority {
        1..=4 => ("high", priority == 1),
        6..=9 => ("low", priority == 9),
        n => ("normal", n != 5),
    }
}
