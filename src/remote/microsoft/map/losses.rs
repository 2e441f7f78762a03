//! What an event of ours has that Graph has no place for: lines of the fidelity ledger. Our store keeps it all.

use crate::ical::tree::{Component, Property};
use crate::ical::value::Duration;

/// Properties that are mapped, with parameters that are mapped with them.
const MAPPED: &[(&str, &[&str])] = &[
    ("DTSTART", &["TZID", "VALUE"]),
    ("DTEND", &["TZID", "VALUE"]),
    ("DURATION", &[]),
    ("RECURRENCE-ID", &["TZID", "VALUE"]),
    ("RRULE", &[]),
    ("EXDATE", &["TZID", "VALUE"]),
    ("SUMMARY", &[]),
    ("DESCRIPTION", &[]),
    ("LOCATION", &[]),
    ("GEO", &[]),
    ("CLASS", &[]),
    ("PRIORITY", &[]),
    ("TRANSP", &[]),
    ("STATUS", &[]),
    ("CATEGORIES", &[]),
    ("X-MICROSOFT-CDO-BUSYSTATUS", &[]),
    (
        "ATTENDEE",
        &["CN", "ROLE", "CUTYPE", "PARTSTAT", "SCHEDULE-STATUS"],
    ),
    ("ORGANIZER", &["CN", "SCHEDULE-STATUS"]),
];

/// Properties about the making of the text, and ours: nobody misses them.
const UNSEEN: &[&str] = &[
    "UID",
    "DTSTAMP",
    "CREATED",
    "LAST-MODIFIED",
    "SEQUENCE",
    "X-MOZ-GENERATION",
    "X-LIC-ERROR",
    "X-CALENDARSERVER-DTSTAMP",
    "X-CALENDARSERVER-PRIVATE-COMMENT-TIMESTAMP",
];

/// Properties that only a whole series has.
const SERIES: &[&str] = &["RRULE", "RDATE", "EXDATE", "EXRULE"];

const NO_PLACE: &str = "there is no place for it there";

/// Adds what the maps of single properties did not say themselves.
pub fn of(event: Component<'_>, into: &mut Vec<(String, String)>) {
    let instance = event.property("RECURRENCE-ID").is_some();
    for property in event.properties() {
        let name = property.name().to_ascii_uppercase();
        if instance && SERIES.contains(&name.as_str()) {
            into.push((
                name,
                "one date of a series has no dates of its own there".into(),
            ));
            continue;
        }
        if UNSEEN.contains(&name.as_str()) || name.starts_with("X-KALENDS-") {
            continue;
        }
        match MAPPED.iter().find(|(known, _)| *known == name) {
            None => into.push((name, NO_PLACE.into())),
            Some((_, params)) => {
                for param in property.params() {
                    let known = params.iter().any(|known| param.is(known));
                    if !known {
                        into.push((
                            name.clone(),
                            format!("its parameter {} is not kept there", param.name()),
                        ));
                    }
                }
            }
        }
    }
    for part in event.children().filter(|part| !part.is("VALARM")) {
        into.push((part.name().to_ascii_uppercase(), NO_PLACE.into()));
    }
}

/// The one reminder that is kept, in minutes before the start, and words for the others.
pub fn reminder(event: Component<'_>, into: &mut Vec<(String, String)>) -> Option<i64> {
    let mut chosen: Option<i64> = None;
    for alarm in event.children_named("VALARM") {
        let mut lose = |what: &str| into.push(("VALARM".into(), what.into()));
        let Some(minutes) = minutes_before(alarm) else {
            lose("only a reminder some minutes before the start is kept there");
            continue;
        };
        if chosen.is_some() {
            lose("only one reminder is kept there");
            continue;
        }
        chosen = Some(minutes);
        if !plain(alarm) {
            lose("only its time is kept there");
        }
    }
    chosen
}

fn minutes_before(alarm: Component<'_>) -> Option<i64> {
    let action = alarm.property("ACTION")?.value();
    let wanted = ["DISPLAY", "AUDIO"];
    if !wanted
        .iter()
        .any(|known| action.trim().eq_ignore_ascii_case(known))
    {
        return None;
    }
    let trigger = alarm.property("TRIGGER")?;
    if relates_to_end(trigger) {
        return None;
    }
    let seconds = Duration::of(trigger).ok()?.total_seconds();
    (seconds <= 0 && seconds % 60 == 0).then_some(-seconds / 60)
}

fn relates_to_end(trigger: Property<'_>) -> bool {
    trigger
        .param("RELATED")
        .is_some_and(|what| what.eq_ignore_ascii_case("END"))
}

/// Does it say no more than a reminder there can? Its DESCRIPTION is the event's title.
fn plain(alarm: Component<'_>) -> bool {
    let title = alarm.parent().and_then(|event| event.property("SUMMARY"));
    let title = title
        .map(|p| p.text().trim().to_owned())
        .unwrap_or_default();
    let known = |property: Property<'_>| match property.name().to_ascii_uppercase().as_str() {
        "ACTION" => property.value().trim().eq_ignore_ascii_case("DISPLAY"),
        "TRIGGER" => property
            .params()
            .all(|param| param.is("VALUE") || param.is("RELATED")),
        "DESCRIPTION" => property.text().trim() == title,
        _ => false,
    };
    alarm.properties().all(known) && alarm.children().next().is_none()
}
