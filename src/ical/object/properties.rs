//! Which properties may come once only, and what their values must be. RFC 5545 §3.6, §3.8; RFC 7953 §3.1.
//! Descriptive values (GEO, STATUS, CLASS …) are not read: a wrong one harms nobody, and exporters get them wrong.

use super::{Invalid, Violation, short};
use crate::ical::rrule::{Rule, RuleError};
use crate::ical::tree::{Component, Property};
use crate::ical::value::{BadValue, Duration, Period, Rdate, When, items, utc_offset};

/// Components as bits, for the table.
pub(super) mod within {
    pub const VEVENT: u16 = 1;
    pub const VTODO: u16 = 2;
    pub const VJOURNAL: u16 = 4;
    pub const VFREEBUSY: u16 = 8;
    pub const VAVAILABILITY: u16 = 16;
    pub const AVAILABLE: u16 = 32;
    pub const VALARM: u16 = 64;
    pub const VTIMEZONE: u16 = 128;
    pub const OBSERVANCE: u16 = 256;
    pub const VCALENDAR: u16 = 512;

    pub const NAMES: [(&str, u16); 11] = [
        ("VEVENT", VEVENT),
        ("VTODO", VTODO),
        ("VJOURNAL", VJOURNAL),
        ("VFREEBUSY", VFREEBUSY),
        ("VAVAILABILITY", VAVAILABILITY),
        ("AVAILABLE", AVAILABLE),
        ("VALARM", VALARM),
        ("VTIMEZONE", VTIMEZONE),
        ("STANDARD", OBSERVANCE),
        ("DAYLIGHT", OBSERVANCE),
        ("VCALENDAR", VCALENDAR),
    ];

    /// Entries that take part in a calendar: §3.6.1–3.6.3 and RFC 7953.
    pub const TIMED: u16 = VEVENT | VTODO | VAVAILABILITY | AVAILABLE;
    pub const ENTRY: u16 = TIMED | VJOURNAL;
    pub const ANY: u16 = ENTRY | VFREEBUSY;
}
use within::*;

/// The bit of a component's name; none for components that are not checked.
pub(super) fn bit(component: Component<'_>) -> Option<u16> {
    NAMES
        .iter()
        .find(|(name, _)| component.is(name))
        .map(|(_, bit)| *bit)
}

/// What a value must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Any,
    When,
    WhenList,
    RdateList,
    Rule,
    /// A duration that does not run backwards.
    Length,
    Trigger,
    Integer,
    PeriodList,
    Offset,
    Address,
}

struct Row {
    name: &'static str,
    value: Type,
    /// Where it must not come twice.
    once: u16,
}

const fn row(name: &'static str, value: Type, once: u16) -> Row {
    Row { name, value, once }
}

const PROPERTIES: [Row; 43] = [
    row("DTSTART", Type::When, ANY | OBSERVANCE),
    row("DTEND", Type::When, ANY),
    row("DUE", Type::When, VTODO),
    row("RECURRENCE-ID", Type::When, ENTRY),
    row("UID", Type::Any, ANY | VALARM),
    row("DURATION", Type::Length, ANY | VALARM),
    row("RRULE", Type::Rule, 0),
    row("EXRULE", Type::Rule, 0),
    row("EXDATE", Type::WhenList, 0),
    row("RDATE", Type::RdateList, 0),
    row("TRIGGER", Type::Trigger, VALARM),
    row("REPEAT", Type::Integer, VALARM),
    row("ACTION", Type::Any, VALARM),
    row("ATTENDEE", Type::Address, 0),
    row("ORGANIZER", Type::Address, ANY),
    row("FREEBUSY", Type::PeriodList, 0),
    row("SUMMARY", Type::Any, ENTRY),
    row("DESCRIPTION", Type::Any, TIMED),
    row("LOCATION", Type::Any, TIMED),
    row("STATUS", Type::Any, ENTRY),
    row("TRANSP", Type::Any, VEVENT),
    row("CLASS", Type::Any, ENTRY),
    row("PRIORITY", Type::Integer, TIMED),
    row("SEQUENCE", Type::Integer, ENTRY),
    row("PERCENT-COMPLETE", Type::Integer, VTODO),
    row("COMPLETED", Type::When, VTODO),
    row("DTSTAMP", Type::Any, ANY),
    row("CREATED", Type::Any, ENTRY),
    row("LAST-MODIFIED", Type::Any, ENTRY | VTIMEZONE),
    row("GEO", Type::Any, VEVENT | VTODO),
    row("URL", Type::Any, ANY),
    row("COLOR", Type::Any, ENTRY),
    row("BUSYTYPE", Type::Any, VAVAILABILITY),
    row("CONTACT", Type::Any, VFREEBUSY),
    row("TZID", Type::Any, VTIMEZONE),
    row("TZURL", Type::Any, VTIMEZONE),
    row("TZOFFSETFROM", Type::Offset, OBSERVANCE),
    row("TZOFFSETTO", Type::Offset, OBSERVANCE),
    row("ACKNOWLEDGED", Type::Any, VALARM),
    row("VERSION", Type::Any, VCALENDAR),
    row("PRODID", Type::Any, VCALENDAR),
    row("CALSCALE", Type::Any, VCALENDAR),
    row("METHOD", Type::Any, VCALENDAR),
];

/// The first of a component's own properties that is wrong. `within` is the component's [`bit`].
/// The same value twice is taken: it has one meaning.
pub(super) fn check(component: Component<'_>, within: u16) -> Result<(), Invalid> {
    let mut firsts: [Option<Property<'_>>; PROPERTIES.len()] = [None; PROPERTIES.len()];
    for property in component.properties() {
        let name = property.name();
        let row = PROPERTIES
            .iter()
            .position(|row| row.name.eq_ignore_ascii_case(name));
        let Some(index) = row else {
            continue;
        };
        let row = &PROPERTIES[index];
        match firsts[index] {
            None => firsts[index] = Some(property),
            Some(first) if row.once & within != 0 && first.value() != property.value() => {
                let reason = format!("a second {} in {}", row.name, component.name());
                return Err(Invalid::data(property.line(), reason));
            }
            Some(_) => {}
        }
        value(row, property).map_err(|(precondition, reason)| {
            let reason = format!("{}: {reason}", row.name);
            Invalid::new(precondition, Some(property.line()), reason)
        })?;
    }
    Ok(())
}

fn value(row: &Row, property: Property<'_>) -> Result<(), (Violation, String)> {
    let told = |bad: BadValue| bad.to_string();
    let read = match row.value {
        Type::Any => Ok(()),
        Type::When => When::of(property)
            .map_err(told)
            .and_then(|when| declared(property, &when)),
        Type::WhenList => each(property, |item| When::parse(item, None)).map_err(told),
        Type::RdateList => each(property, |item| Rdate::parse(item, None)).map_err(told),
        Type::Rule => return rule(&property.value()),
        Type::Length => match Duration::of(property) {
            Ok(length) if length.negative && !length.is_zero() => {
                Err(format!("{length} runs backwards"))
            }
            length => length.map(drop).map_err(told),
        },
        Type::Trigger => trigger(property),
        Type::Integer => integer(&property.value()),
        Type::PeriodList => each(property, |item| Period::parse(item, None)).map_err(told),
        Type::Offset => utc_offset(&property.value()).map(drop).map_err(told),
        Type::Address => address(&property.value()),
    };
    read.map_err(|reason| (Violation::ValidCalendarData, reason))
}

/// Reads the items of a list one by one: a list may have a million of them.
fn each<T>(
    property: Property<'_>,
    read: impl Fn(&str) -> Result<T, BadValue>,
) -> Result<(), BadValue> {
    items(&property.value()).try_for_each(|item| read(item).map(drop))
}

/// §3.3.10. An empty rule, which exporters of public holidays write, is none.
fn rule(value: &str) -> Result<(), (Violation, String)> {
    if value.trim_ascii().is_empty() {
        return Ok(());
    }
    match Rule::parse(value) {
        Ok(_) => Ok(()),
        Err(bad @ RuleError::Unsupported(_)) => Err((Violation::SupportedRscale, bad.to_string())),
        Err(bad) => Err((Violation::ValidCalendarData, bad.to_string())),
    }
}

/// A value that says it is a DATE must not be a DATE-TIME. The other way round is what exporters do who forget to say.
fn declared(property: Property<'_>, when: &When) -> Result<(), String> {
    let says_date = property
        .param("VALUE")
        .is_some_and(|value| value.eq_ignore_ascii_case("DATE"));
    if says_date && !when.is_date() {
        return Err(format!("{when} is not a DATE"));
    }
    Ok(())
}

/// §3.8.6.3: a duration, or an instant.
fn trigger(property: Property<'_>) -> Result<(), String> {
    let value = property.value();
    match Duration::parse(&value) {
        Ok(_) => Ok(()),
        Err(bad) => match When::parse(&value, None) {
            Ok(when) if !when.is_date() => Ok(()),
            _ => Err(bad.to_string()),
        },
    }
}

fn integer(value: &str) -> Result<(), String> {
    match value.trim_ascii().parse::<i32>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("{} is not an INTEGER", short(value))),
    }
}

/// §3.3.3: a URI, so something with a scheme; a mail address without its `mailto:` is still understood.
fn address(value: &str) -> Result<(), String> {
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let fits = match value.trim_ascii().split_once(':') {
        Some((scheme, rest)) => {
            !scheme.is_empty() && !rest.is_empty() && scheme.bytes().all(in_scheme)
        }
        None => value.contains('@'),
    };
    if fits {
        Ok(())
    } else {
        Err(format!("{} is not a CAL-ADDRESS", short(value)))
    }
}
