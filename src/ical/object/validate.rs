//! May these bytes be stored as a calendar object resource? RFC 4791 §4.1, §5.3.2.1; RFC 5545 §3.6.
//!
//! What clients survive is taken, because real exports need it: no VERSION, PRODID or DTSTAMP; a TZID without its
//! VTIMEZONE where the name is known; a VTIMEZONE that cannot be evaluated where the name is known; a once-only property
//! repeated word for word; an empty RRULE or RDATE; a VALARM without TRIGGER; DTEND equal to DTSTART; unknown properties
//! and components of any kind.
//! What makes readers disagree or fail is refused: broken structure, values that cannot be read, two values for one
//! property, DTEND before DTSTART, an instance overridden twice, bytes that XML cannot carry.
//! An override of an instance that its rule does not have is taken: a server that edits the rule leaves such behind.

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::civil::{DateTime, Time};

use super::properties::{self, within};
use super::{Invalid, Kind, Object, Violation, short};
use crate::ical::rrule::Rule;
use crate::ical::tree::{Component, Limits, Property, Severity, Tree};
use crate::ical::value::{Rdate, When, items};
use crate::ical::zone::Zone;

/// What a calendar takes.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Size and structure; `bytes` is CALDAV:max-resource-size.
    pub limits: Limits,
    /// The kinds that the calendar takes (CALDAV:supported-calendar-component-set); `None` is all.
    pub components: Option<Vec<Kind>>,
    /// CALDAV:min-date-time, UTC.
    pub min_date_time: Option<DateTime>,
    /// CALDAV:max-date-time, UTC.
    pub max_date_time: Option<DateTime>,
    /// CALDAV:max-instances: bounds COUNT, RDATEs and overrides together. Rules without COUNT are bounded by the window
    /// of whoever expands them.
    pub max_instances: Option<u32>,
    /// CALDAV:max-attendees-per-instance.
    pub max_attendees: Option<u32>,
    /// Is this the name of a zone that can be evaluated without a VTIMEZONE?
    pub known_zone: fn(&str) -> bool,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            limits: Limits::default(),
            components: None,
            min_date_time: None,
            max_date_time: None,
            max_instances: None,
            max_attendees: None,
            known_zone: |tzid| Zone::named(tzid).is_some(),
        }
    }
}

/// Checks bytes against every rule and gives the tree on which [`Object::read`] will succeed.
pub fn validate<'a>(source: &'a [u8], rules: &Rules) -> Result<Tree<'a>, Invalid> {
    if source.len() > rules.limits.bytes {
        let reason = format!(
            "{} octets, the limit is {}",
            source.len(),
            rules.limits.bytes
        );
        return Err(Invalid::new(Violation::MaxResourceSize, None, reason));
    }
    let tree = Tree::parse(source, &rules.limits)
        .map_err(|fault| Invalid::data(fault.line, fault.reason))?;
    if let Some(fault) = tree
        .faults()
        .iter()
        .find(|fault| fault.severity == Severity::Broken)
    {
        return Err(Invalid::data(fault.line, fault.reason.clone()));
    }
    if let Some(line) = line_xml_cannot_carry(&tree) {
        return Err(Invalid::data(line, "a control character"));
    }
    for root in tree.roots().filter(|root| root.is("VCALENDAR")) {
        check_calendar(root)?;
    }
    let object = Object::read(&tree)?;
    check_object(&object, rules)?;
    Ok(tree)
}

/// XML 1.0 §2.2 has no place for most control characters, nor for U+FFFE and U+FFFF.
fn line_xml_cannot_carry(tree: &Tree<'_>) -> Option<u32> {
    let source = tree.source();
    let control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\r' | b'\n');
    // Without a branch in the loop, so that it runs on whole vectors.
    let mut found = source
        .iter()
        .fold(false, |found, byte| found | control(*byte));
    found |= memchr::memmem::find(source, b"\xEF\xBF\xBE").is_some();
    found |= memchr::memmem::find(source, b"\xEF\xBF\xBF").is_some();
    if !found {
        return None;
    }
    let bad = |text: &[u8]| {
        text.iter().any(|byte| control(*byte))
            || text
                .windows(2)
                .any(|pair| matches!(pair, b"\xBF\xBE" | b"\xBF\xBF"))
    };
    let mut properties = tree.components().flat_map(Component::properties);
    Some(
        properties
            .find(|property| bad(property.raw()))
            .map_or(1, Property::line),
    )
}

/// §3.6, §3.7: the VCALENDAR's own properties.
fn check_calendar(calendar: Component<'_>) -> Result<(), Invalid> {
    for property in calendar.properties() {
        let value = property.value();
        let (line, value) = (property.line(), value.trim_ascii());
        if property.is("METHOD") {
            return Err(Invalid::resource(
                line,
                "METHOD is for messages, not for objects",
            ));
        }
        if property.is("CALSCALE") && !value.eq_ignore_ascii_case("GREGORIAN") {
            return Err(Invalid::data(
                line,
                format!("CALSCALE {} is not GREGORIAN", short(value)),
            ));
        }
        // §3.7.4 allows `min;max`; vCalendar is 1.0.
        if property.is("VERSION") && !value.rsplit(';').any(|version| version.starts_with("2.")) {
            let reason = format!("VERSION {} is not 2.0", short(value));
            return Err(Invalid::new(
                Violation::SupportedCalendarData,
                Some(line),
                reason,
            ));
        }
    }
    properties::check(calendar, within::VCALENDAR)
}

fn check_object(object: &Object<'_>, rules: &Rules) -> Result<(), Invalid> {
    if rules
        .components
        .as_ref()
        .is_some_and(|taken| !taken.contains(&object.kind))
    {
        let line = object.main().map(Component::line);
        let reason = format!("this calendar takes no {}", object.kind);
        return Err(Invalid::new(
            Violation::SupportedCalendarComponent,
            line,
            reason,
        ));
    }
    for timezone in &object.timezones {
        check_timezone(*timezone, rules)?;
    }
    let tzids = object
        .timezones
        .iter()
        .filter_map(|zone| zone.property("TZID"));
    let described: HashSet<Cow<'_, str>> = tzids.map(Property::text).collect();
    for component in object.components() {
        check_component(component)?;
        check_times(component)?;
        check_zones(component, &described, rules)?;
        check_limits(component, rules)?;
    }
    check_overrides(object)?;
    check_instances(object, rules)
}

/// A component and what lies in it; depth is bounded by [`Limits::depth`], which the parser holds.
fn check_component(component: Component<'_>) -> Result<(), Invalid> {
    let Some(bit) = properties::bit(component) else {
        return Ok(());
    };
    properties::check(component, bit)?;
    // RFC 7953 §3.1: DTSTART is optional in VAVAILABILITY alone.
    if bit & (within::VEVENT | within::AVAILABLE) != 0 && component.property("DTSTART").is_none() {
        return Err(Invalid::data(
            component.line(),
            format!("{} without DTSTART", component.name()),
        ));
    }
    component.children().try_for_each(check_component)
}

/// §3.6.5. A zone that is known by its name, or that has none to be used by, may be described as badly as it likes.
fn check_timezone(timezone: Component<'_>, rules: &Rules) -> Result<(), Invalid> {
    let line = timezone.line();
    match timezone.property("TZID") {
        Some(tzid) if !(rules.known_zone)(&tzid.text()) => {}
        _ => return Ok(()),
    }
    properties::check(timezone, within::VTIMEZONE)?;
    let mut observances = 0;
    for observance in timezone.children() {
        if properties::bit(observance) != Some(within::OBSERVANCE) {
            continue;
        }
        observances += 1;
        properties::check(observance, within::OBSERVANCE)?;
        for name in ["DTSTART", "TZOFFSETFROM", "TZOFFSETTO"] {
            if observance.property(name).is_none() {
                let reason = format!("{} without {name}", observance.name());
                return Err(Invalid::data(observance.line(), reason));
            }
        }
    }
    if observances == 0 {
        return Err(Invalid::data(
            line,
            "VTIMEZONE without STANDARD or DAYLIGHT",
        ));
    }
    Ok(())
}

/// §3.6.1, §3.6.2: how start, end and duration go together.
fn check_times(component: Component<'_>) -> Result<(), Invalid> {
    let end = component
        .property("DTEND")
        .or_else(|| component.property("DUE"));
    let Some(end) = end else { return Ok(()) };
    if component.property("DURATION").is_some() {
        return Err(Invalid::data(
            end.line(),
            format!("{} beside DURATION", end.name()),
        ));
    }
    let start = component.property("DTSTART").map(When::of);
    let (Some(Ok(start)), Ok(until)) = (start, When::of(end)) else {
        return Ok(());
    };
    // Only like with like can be compared without a zone's rules, and then only where no offset changes in between.
    let comparable = start.with_civil(until.civil()) == until;
    let earlier = until.civil() < start.civil();
    if earlier && (comparable || until.date() < start.date().yesterday().unwrap_or(start.date())) {
        return Err(Invalid::data(
            end.line(),
            format!("{} {until} is before DTSTART {start}", end.name()),
        ));
    }
    if start.is_date() != until.is_date() {
        let reason = format!(
            "{} {until} and DTSTART {start} are not of one type",
            end.name()
        );
        return Err(Invalid::data(end.line(), reason));
    }
    Ok(())
}

/// RFC 4791 §4.1: every TZID has its VTIMEZONE, or a name that is known.
fn check_zones(
    component: Component<'_>,
    described: &HashSet<Cow<'_, str>>,
    rules: &Rules,
) -> Result<(), Invalid> {
    let mut checked = String::new();
    for property in component.properties() {
        let Some(tzid) = property.param("TZID") else {
            continue;
        };
        if tzid.is_empty() || *tzid == checked || !needs_zone(property) {
            continue;
        }
        if !described.contains(&*tzid) && !(rules.known_zone)(&tzid) {
            let reason = format!("TZID {} has no VTIMEZONE and is not known", short(&tzid));
            return Err(Invalid::resource(property.line(), reason));
        }
        checked = tzid.into_owned();
    }
    let mut children = component.children();
    children.try_for_each(|child| check_zones(child, described, rules))
}

/// Has it a local time, so that its TZID matters? Those in UTC have been seen with one.
fn needs_zone(property: Property<'_>) -> bool {
    let local = |value| matches!(When::parse(value, None), Ok(When::Floating(_)));
    items(&property.value())
        .flat_map(|item| item.split('/'))
        .any(local)
}

/// The limits that hold for each component by itself.
fn check_limits(component: Component<'_>, rules: &Rules) -> Result<(), Invalid> {
    if let Some(most) = rules.max_attendees {
        let attendees = component.properties_named("ATTENDEE").count();
        if attendees > most as usize {
            let reason = format!("{attendees} attendees, the limit is {most}");
            return Err(Invalid::new(
                Violation::MaxAttendeesPerInstance,
                Some(component.line()),
                reason,
            ));
        }
    }
    if rules.min_date_time.is_none() && rules.max_date_time.is_none() {
        return Ok(());
    }
    for name in [
        "DTSTART",
        "DTEND",
        "DUE",
        "RECURRENCE-ID",
        "EXDATE",
        "RDATE",
    ] {
        for property in component.properties_named(name) {
            for item in items(&property.value()).flat_map(|item| Rdate::parse(item, None)) {
                check_range(property, item.start(), rules)?;
            }
        }
    }
    Ok(())
}

/// Compares as if every zone were UTC: the limits are years away from where a day matters.
fn check_range(property: Property<'_>, when: &When, rules: &Rules) -> Result<(), Invalid> {
    let at = when.civil();
    let outside = if rules.min_date_time.is_some_and(|min| at < min) {
        (Violation::MinDateTime, "before the earliest")
    } else if rules.max_date_time.is_some_and(|max| at >= max) {
        (Violation::MaxDateTime, "past the latest")
    } else {
        return Ok(());
    };
    let reason = format!(
        "{} {when} is {} time that is taken",
        property.name(),
        outside.1
    );
    Err(Invalid::new(outside.0, Some(property.line()), reason))
}

/// §3.8.4.4: each instance is overridden once, by a RECURRENCE-ID of DTSTART's type.
fn check_overrides(object: &Object<'_>) -> Result<(), Invalid> {
    let mut ids: Vec<_> = object
        .overrides
        .iter()
        .map(|over| (&over.recurrence_id, over.property.line()))
        .collect();
    ids.sort();
    if let Some(pair) = ids.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Invalid::resource(
            pair[1].1,
            format!("a second component for the instance {}", pair[1].0),
        ));
    }
    let start = object
        .master
        .and_then(|master| master.property("DTSTART"))
        .map(When::of);
    let Some(Ok(start)) = start else {
        return Ok(());
    };
    match object
        .overrides
        .iter()
        .find(|over| !names_an_instance(&over.recurrence_id, &start))
    {
        Some(over) => {
            let reason = format!(
                "RECURRENCE-ID {} is not of the type of DTSTART {start}",
                over.recurrence_id
            );
            Err(Invalid::data(over.property.line(), reason))
        }
        None => Ok(()),
    }
}

/// Of one type; Apple has named whole days by their midnight.
fn names_an_instance(id: &When, start: &When) -> bool {
    id.is_date() == start.is_date()
        || start.is_date() && id.civil() == id.date().to_datetime(Time::midnight())
}

fn check_instances(object: &Object<'_>, rules: &Rules) -> Result<(), Invalid> {
    let (Some(most), Some(master)) = (rules.max_instances, object.master) else {
        return Ok(());
    };
    let rules_of = master
        .properties_named("RRULE")
        .filter_map(|rule| Rule::parse(&rule.value()).ok());
    let counted: u64 = rules_of
        .map(|rule| u64::from(rule.count.unwrap_or(0)))
        .sum();
    let dates: usize = master
        .properties_named("RDATE")
        .map(|dates| items(&dates.value()).count())
        .sum();
    let instances = counted
        .saturating_add(dates as u64)
        .max(object.overrides.len() as u64);
    if instances > u64::from(most) {
        let reason = format!("{instances} instances, the limit is {most}");
        return Err(Invalid::new(
            Violation::MaxInstances,
            Some(master.line()),
            reason,
        ));
    }
    Ok(())
}
