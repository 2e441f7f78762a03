//! The typed view of one calendar object resource: one UID, its master and its overrides. RFC 4791 §4.1.
//!
//! [`Object::read`] checks no more than it needs to be what it says; all the rules of storing are in [`validate`].
//! Overrides without a master are legal: an invitation to one instance has no other.

use std::borrow::Cow;
use std::fmt;

use super::tree::{Component, Property, Tree};
use super::value::When;

mod properties;
mod validate;

pub use validate::{Rules, validate};

/// The kinds of calendar component that can be an object of their own. RFC 5545 §3.6, RFC 7953, VPOLL's draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// VEVENT.
    Event,
    /// VTODO.
    Todo,
    /// VJOURNAL.
    Journal,
    /// VFREEBUSY.
    FreeBusy,
    /// VAVAILABILITY (RFC 7953).
    Availability,
    /// VPOLL.
    Poll,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] = [
        Kind::Event,
        Kind::Todo,
        Kind::Journal,
        Kind::FreeBusy,
        Kind::Availability,
        Kind::Poll,
    ];

    /// Its component's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Event => "VEVENT",
            Kind::Todo => "VTODO",
            Kind::Journal => "VJOURNAL",
            Kind::FreeBusy => "VFREEBUSY",
            Kind::Availability => "VAVAILABILITY",
            Kind::Poll => "VPOLL",
        }
    }

    /// The kind of a component's name, whatever the case.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The precondition that data breaks. RFC 4791 §5.3.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Violation {
    /// `CALDAV:supported-calendar-data`
    SupportedCalendarData,
    /// `CALDAV:valid-calendar-data`
    ValidCalendarData,
    /// `CALDAV:valid-calendar-object-resource`
    ValidCalendarObjectResource,
    /// `CALDAV:supported-calendar-component`
    SupportedCalendarComponent,
    /// `CALDAV:max-resource-size`
    MaxResourceSize,
    /// `CALDAV:min-date-time`
    MinDateTime,
    /// `CALDAV:max-date-time`
    MaxDateTime,
    /// `CALDAV:max-instances`
    MaxInstances,
    /// `CALDAV:max-attendees-per-instance`
    MaxAttendeesPerInstance,
    /// `CALDAV:supported-rscale` (RFC 7529 §10)
    SupportedRscale,
}

impl Violation {
    /// The element's local name in the CalDAV namespace.
    pub fn name(self) -> &'static str {
        match self {
            Violation::SupportedCalendarData => "supported-calendar-data",
            Violation::ValidCalendarData => "valid-calendar-data",
            Violation::ValidCalendarObjectResource => "valid-calendar-object-resource",
            Violation::SupportedCalendarComponent => "supported-calendar-component",
            Violation::MaxResourceSize => "max-resource-size",
            Violation::MinDateTime => "min-date-time",
            Violation::MaxDateTime => "max-date-time",
            Violation::MaxInstances => "max-instances",
            Violation::MaxAttendeesPerInstance => "max-attendees-per-instance",
            Violation::SupportedRscale => "supported-rscale",
        }
    }
}

/// Why data is no calendar object that can be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// What it breaks.
    pub precondition: Violation,
    /// The physical line, counted from 1, where there is one to name.
    pub line: Option<u32>,
    /// What is wrong, in words.
    pub reason: String,
}

impl Invalid {
    pub(super) fn new(
        precondition: Violation,
        line: Option<u32>,
        reason: impl Into<String>,
    ) -> Self {
        Invalid {
            precondition,
            line,
            reason: reason.into(),
        }
    }

    /// Not iCalendar as RFC 5545 has it.
    pub(super) fn data(line: u32, reason: impl Into<String>) -> Self {
        Invalid::new(Violation::ValidCalendarData, Some(line), reason)
    }

    /// Not a resource as RFC 4791 §4.1 has it.
    pub(super) fn resource(line: u32, reason: impl Into<String>) -> Self {
        Invalid::new(Violation::ValidCalendarObjectResource, Some(line), reason)
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for Invalid {}

/// One calendar object resource.
#[derive(Debug, Clone)]
pub struct Object<'t> {
    /// The VCALENDAR.
    pub calendar: Component<'t>,
    /// What all of its components are.
    pub kind: Kind,
    /// What all of its components share.
    pub uid: Cow<'t, str>,
    /// The component without RECURRENCE-ID.
    pub master: Option<Component<'t>>,
    /// The components with one, in source order.
    pub overrides: Vec<Override<'t>>,
    /// Its VTIMEZONEs.
    pub timezones: Vec<Component<'t>>,
}

/// A component that replaces an instance of the master. RFC 5545 §3.8.4.4.
#[derive(Debug, Clone)]
pub struct Override<'t> {
    /// The component.
    pub component: Component<'t>,
    /// Its RECURRENCE-ID.
    pub property: Property<'t>,
    /// The value of that: which instance.
    pub recurrence_id: When,
    /// `RANGE=THISANDFUTURE`: the following instances too.
    pub this_and_future: bool,
}

impl<'t> Object<'t> {
    /// Reads the one VCALENDAR of a tree as the one object in it.
    pub fn read(tree: &'t Tree<'t>) -> Result<Object<'t>, Invalid> {
        let calendar = only_calendar(tree)?;
        let mut timezones = Vec::new();
        let mut object: Option<Object<'t>> = None;
        for component in calendar.children() {
            let Some(kind) = Kind::from_name(component.name()) else {
                if component.is("VTIMEZONE") {
                    timezones.push(component);
                }
                continue;
            };
            let uid = uid(component)?;
            let object = match &mut object {
                Some(object) => object,
                None => object.insert(Object {
                    calendar,
                    kind,
                    uid: uid.clone(),
                    master: None,
                    overrides: Vec::new(),
                    timezones: Vec::new(),
                }),
            };
            object.take(component, kind, &uid)?;
        }
        let mut object = object.ok_or_else(|| nothing_in(calendar))?;
        object.timezones = timezones;
        Ok(object)
    }

    fn take(&mut self, component: Component<'t>, kind: Kind, uid: &str) -> Result<(), Invalid> {
        let line = component.line();
        if kind != self.kind {
            return Err(Invalid::resource(
                line,
                format!("a {kind} beside a {}", self.kind),
            ));
        }
        if *uid != self.uid {
            return Err(Invalid::resource(
                line,
                format!("two UIDs: {} and {}", short(&self.uid), short(uid)),
            ));
        }
        if let Some(property) = component.property("RECURRENCE-ID") {
            self.overrides.push(Override::read(component, property)?);
        } else if self.master.replace(component).is_some() {
            return Err(Invalid::resource(
                line,
                format!("a second {kind} without RECURRENCE-ID"),
            ));
        }
        Ok(())
    }

    /// The master and the overrides, the master first.
    pub fn components(&self) -> impl Iterator<Item = Component<'t>> {
        self.master
            .into_iter()
            .chain(self.overrides.iter().map(|over| over.component))
    }

    /// The component that speaks for the whole: the master, or else the first override.
    pub fn main(&self) -> Option<Component<'t>> {
        self.components().next()
    }
}

impl<'t> Override<'t> {
    fn read(component: Component<'t>, property: Property<'t>) -> Result<Override<'t>, Invalid> {
        let recurrence_id = When::of(property)
            .map_err(|bad| Invalid::data(property.line(), format!("RECURRENCE-ID: {bad}")))?;
        let range = property.param("RANGE");
        let this_and_future =
            range.is_some_and(|range| range.eq_ignore_ascii_case("THISANDFUTURE"));
        Ok(Override {
            component,
            property,
            recurrence_id,
            this_and_future,
        })
    }
}

/// The one root of the stream, which must be a VCALENDAR.
fn only_calendar<'t>(tree: &'t Tree<'t>) -> Result<Component<'t>, Invalid> {
    let mut roots = tree.roots();
    let first = roots
        .next()
        .ok_or_else(|| Invalid::data(1, "no VCALENDAR"))?;
    if !first.is("VCALENDAR") {
        return Err(Invalid::data(
            first.line(),
            format!("{} where VCALENDAR should be", short(first.name())),
        ));
    }
    match roots.next() {
        Some(second) => Err(Invalid::resource(
            second.line(),
            format!("a second root, {}", short(second.name())),
        )),
        None => Ok(first),
    }
}

fn uid<'t>(component: Component<'t>) -> Result<Cow<'t, str>, Invalid> {
    let none = || {
        Invalid::resource(
            component.line(),
            format!("{} without UID", component.name()),
        )
    };
    let uid = component.property("UID").ok_or_else(none)?.text();
    let trimmed = uid.trim_ascii();
    if trimmed.is_empty() {
        return Err(none());
    }
    if trimmed.len() == uid.len() {
        Ok(uid)
    } else {
        Ok(Cow::Owned(trimmed.to_owned()))
    }
}

/// A VCALENDAR without a component that can be stored.
fn nothing_in(calendar: Component<'_>) -> Invalid {
    match calendar
        .children()
        .find(|component| !component.is("VTIMEZONE"))
    {
        Some(other) => Invalid::new(
            Violation::SupportedCalendarComponent,
            Some(other.line()),
            format!(
                "{} is no component that can be stored by itself",
                short(other.name())
            ),
        ),
        None => Invalid::resource(calendar.line(), "no calendar component in VCALENDAR"),
    }
}

/// A piece of the data for a reason: not too long.
fn short(text: &str) -> String {
    let cut: String = text.chars().take(60).collect();
    format!("{cut:?}")
}

#[cfg(test)]
mod tests;
