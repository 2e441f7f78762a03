//! Do two texts say the same, apart from what the ledger names?

use std::collections::BTreeSet;

use crate::ical::canonical::canonical;
use crate::ical::expand::{Window, occurrences};
use crate::ical::object::Object;
use crate::ical::rrule::Budget;
use crate::ical::tree::{Component, Limits, Tree};
use crate::ical::value::Duration;
use crate::ical::zone::Zones;
use crate::remote::Loss;

/// The names of the properties and components that differ.
pub fn differing(ours: &str, theirs: &str) -> BTreeSet<String> {
    let lines = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    let (ours, theirs) = (lines(ours), lines(theirs));
    ours.symmetric_difference(&theirs)
        .map(|line| {
            let name = line.split([';', ':']).next().unwrap_or_default();
            match name {
                "BEGIN" | "END" => line.split(':').nth(1).unwrap_or_default().to_owned(),
                "WHEN" => "DTSTART".to_owned(),
                name => name.to_owned(),
            }
        })
        .collect()
}

/// Parts of an alarm, lost with it.
const OF_ALARMS: &[&str] = &[
    "ACTION",
    "TRIGGER",
    "DESCRIPTION",
    "SUMMARY",
    "REPEAT",
    "DURATION",
    "ATTACH",
    "ATTENDEE",
    "UID",
    "ACKNOWLEDGED",
    "PROXIMITY",
    "RELATED-TO",
];

/// Two ways to say the last day of the month.
const EVERY_DAY: &str = "BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-1";

/// Differences that no line of the ledger names. `silent`: guests are not told, by the link's policy.
pub fn unnamed(ours: &str, theirs: &str, losses: &[Loss], silent: bool) -> Vec<String> {
    let named: BTreeSet<&str> = losses.iter().map(|loss| loss.property.as_str()).collect();
    let inside = named
        .iter()
        .any(|one| one.starts_with('V') && *one != "VALARM" || one.starts_with("PART"));
    differing(ours, theirs)
        .into_iter()
        .filter(|name| {
            let alarm = named.contains("VALARM")
                && (OF_ALARMS.contains(&name.as_str()) || name.starts_with("X-"));
            // Providers add the account's own name to the organiser.
            let guest = name == "ORGANIZER" || silent && name == "ATTENDEE";
            // An instance that is not kept apart has no times of its own there.
            let instance = named.contains("RECURRENCE-ID") && name == "DTSTART";
            let last_day =
                name == "RRULE" && ours.contains(EVERY_DAY) && theirs.contains("BYMONTHDAY=-1");
            // A cancelled event is shown as free time.
            let stands_in = name == "TRANSP" && named.contains("STATUS");
            let known = named.contains(name.as_str()) || inside;
            !(known || alarm || guest || instance || last_day || stands_in)
        })
        .collect()
}

/// Properties that are times, that each side keeps for itself, or that nobody asked to send.
const ASIDE: &[&str] = &[
    "UID",
    "DTSTAMP",
    "SEQUENCE",
    "CREATED",
    "LAST-MODIFIED",
    "DTSTART",
    "DTEND",
    "DURATION",
    "RRULE",
    "EXRULE",
    "RDATE",
    "EXDATE",
    "RECURRENCE-ID",
    "ORGANIZER",
    "ATTENDEE",
];
/// What says as much as its absence.
const DEFAULTS: &[(&str, &str)] = &[
    ("STATUS", "CONFIRMED"),
    ("CLASS", "PUBLIC"),
    ("TRANSP", "OPAQUE"),
];

fn plain(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let kept = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().filter(kept).collect()
}

/// What a component says besides its times, and its reminders.
fn says(event: Component<'_>, lost: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for property in event.properties() {
        let name = property.name().to_ascii_uppercase();
        let text = plain(&property.text()).trim_end().to_owned();
        let default = DEFAULTS
            .iter()
            .any(|row| *row == (name.as_str(), text.to_ascii_uppercase().as_str()));
        let stands_in = name == "TRANSP" && lost.contains("STATUS");
        let aside = ASIDE.contains(&name.as_str()) || lost.contains(name.as_str());
        if !(text.is_empty() || default || stands_in || aside) {
            all.insert(format!("{name}:{text}"));
        }
    }
    if lost.contains("VALARM") {
        return all;
    }
    for alarm in event.children_named("VALARM") {
        let trigger = alarm
            .property("TRIGGER")
            .map(|one| one.value().into_owned());
        let seconds = trigger
            .and_then(|text| Duration::parse(&text).ok())
            .map(|length| length.total_seconds());
        let action = alarm
            .property("ACTION")
            .map(|p| p.value().to_ascii_uppercase());
        all.insert(format!("VALARM {action:?} {seconds:?}"));
    }
    all
}

/// Each occurrence (the first few hundred): start, end and what it says. Times that the ledger names are left out.
type Shown = Vec<(i64, i64, BTreeSet<String>)>;

fn shown(text: &[u8], lost: &BTreeSet<&str>) -> Shown {
    let tree = Tree::parse(text, &Limits::default()).unwrap();
    let object = Object::read(&tree).unwrap();
    let zones = Zones::of(&tree);
    let budget = Budget::new(50_000, 300);
    let found = occurrences(&object, &zones, Window::default(), &budget);
    let found = found.unwrap_or_else(|exhausted| exhausted.so_far);
    let cancelled = |event: &Component<'_>| {
        event
            .property("STATUS")
            .is_some_and(|p| p.value().eq_ignore_ascii_case("CANCELLED"))
    };
    let times = !lost.contains("DTSTART");
    let mut all = Vec::new();
    for occurrence in found.iter().take(250) {
        let event = tree.component(occurrence.component).unwrap();
        if occurrence.overridden && cancelled(&event) {
            continue;
        }
        let at = |time: i64, held: bool| if held { time } else { 0 };
        let ends = times && !lost.contains("RDATE");
        all.push((
            at(occurrence.start, times),
            at(occurrence.end, ends),
            says(event, lost),
        ));
    }
    if !times {
        all.dedup(); // How many there are is a matter of times, too.
    }
    all
}

/// Do people see the same, apart from what the ledger names? Whatever the words in which it is told: a cancelled
/// override or an EXDATE, an override that changes nothing or none.
pub fn look_alike(ours: &[u8], theirs: &[u8], losses: &[Loss]) -> bool {
    let lost: BTreeSet<&str> = losses.iter().map(|loss| loss.property.as_str()).collect();
    lost.contains("RECURRENCE-ID") || shown(ours, &lost) == shown(theirs, &lost)
}

/// The meaning of a text that is known to be readable.
pub fn meaning(text: &[u8]) -> String {
    canonical(text).unwrap_or_else(|why| format!("unreadable: {why}"))
}
