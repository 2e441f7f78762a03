//! `expand`: each instance a component of its own, in UTC. RFC 4791 §9.6.5.
//!
//! Every instance of a recurring component carries a RECURRENCE-ID, the initial one too, which the RFC
//! allows. DATE and floating times stay what they are: they are not local times with reference to a zone.
//! To-dos and journals without dates are returned as they are, since nothing places them outside the range.

use std::borrow::Cow;

use super::{CompSelection, Edit, Output, select};
use crate::ical::expand::Occurrence;
use crate::ical::object::{Kind, Object};
use crate::ical::query::times::{Instance, Instances};
use crate::ical::rrule::civil;
use crate::ical::tree::{Component, Property};
use crate::ical::value::{Duration, When};

/// The properties that make a series, which no instance has.
const RECURRENCE: [&str; 4] = ["RRULE", "RDATE", "EXDATE", "EXRULE"];

/// How a time is written out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Date,
    Floating,
    Utc,
}

/// An object about to be expanded.
pub(super) struct Expansion<'e, 't> {
    object: &'e Object<'t>,
    set: &'e Instances<'e, 't>,
    freebusy: &'e dyn Fn(Property<'t>) -> Edit,
    /// The form of a RECURRENCE-ID: that of the series.
    series: Form,
    recurs: bool,
}

impl<'e, 't> Expansion<'e, 't> {
    pub fn new(
        object: &'e Object<'t>,
        set: &'e Instances<'e, 't>,
        freebusy: &'e dyn Fn(Property<'t>) -> Edit,
    ) -> Expansion<'e, 't> {
        let start = object.master.and_then(|master| master.property("DTSTART"));
        let start = start.and_then(|start| When::of(start).ok());
        Expansion {
            object,
            set,
            freebusy,
            series: start.as_ref().map_or(Form::Utc, Form::of),
            recurs: set.series().is_recurring(),
        }
    }

    /// The calendar with `instances` in the place of its components.
    pub fn write(
        &self,
        selection: Option<&CompSelection>,
        instances: &[Instance],
    ) -> Cow<'t, [u8]> {
        let calendar = self.object.calendar;
        let mut out = Output::new(calendar.tree().source());
        let convert = |_: Component<'t>, property: Property<'t>| self.convert(property);
        out.open(calendar, selection, "", &convert);
        for child in calendar.children().filter(|child| !child.is("VTIMEZONE")) {
            if self.is_timeless(child)
                && let Some(selection) = select(selection, child)
            {
                out.component(child, selection, "", &convert);
            }
        }
        for instance in instances {
            let component = calendar.tree().component(instance.occurrence.component);
            let Some(component) = component.filter(|component| !self.is_timeless(*component))
            else {
                continue;
            };
            if let Some(selection) = select(selection, component) {
                self.instance(&mut out, component, selection, instance);
            }
        }
        out.close(calendar);
        out.finish()
    }

    /// Nothing to expand: not of the object's kind, or without times that recur.
    fn is_timeless(&self, component: Component<'t>) -> bool {
        match self.object.kind {
            _ if !component.is(self.object.kind.name()) => true,
            Kind::Event => false,
            Kind::Todo => {
                !self.recurs
                    && component.property("DTSTART").is_none()
                    && component.property("DUE").is_none()
            }
            Kind::Journal => !self.recurs && component.property("DTSTART").is_none(),
            Kind::FreeBusy | Kind::Availability | Kind::Poll => true,
        }
    }

    fn instance(
        &self,
        out: &mut Output<'t>,
        component: Component<'t>,
        selection: Option<&CompSelection>,
        instance: &Instance,
    ) {
        let one = One::new(component, instance.occurrence);
        let mut extra = String::new();
        if self.recurs {
            extra = self.recurrence_id(component, one.occurrence.rid);
            if one.ends_unsaid(component) {
                extra.push_str(&one.end());
            }
        }
        let edit = |inside: Component<'t>, property: Property<'t>| match inside.index() {
            index if index == component.index() => self.edit(property, &one),
            _ => self.convert(property),
        };
        out.component(component, selection, &extra, &edit);
    }

    /// In the form of the series; that of an override without one is its own.
    fn recurrence_id(&self, component: Component<'t>, rid: i64) -> String {
        match (self.object.master, component.property("RECURRENCE-ID")) {
            (None, Some(own)) => match When::of(own) {
                Ok(when @ When::Zoned { .. }) => {
                    Form::Utc.line("RECURRENCE-ID", self.set.times.utc(&when))
                }
                Ok(when) => Form::of(&when).line("RECURRENCE-ID", civil::seconds(when.civil())),
                Err(_) => self.series.line("RECURRENCE-ID", rid),
            },
            _ => self.series.line("RECURRENCE-ID", rid),
        }
    }

    fn edit(&self, property: Property<'t>, one: &One) -> Edit {
        let is = |name: &str| property.is(name);
        match () {
            _ if RECURRENCE.iter().any(|name| is(name)) => Edit::Drop,
            _ if is("DURATION") => match Duration::of(property) {
                // Nominal days may be longer or shorter than UTC's.
                Ok(lasting) if lasting.total_seconds() != one.length() => Edit::Line(one.end()),
                _ => Edit::Keep,
            },
            _ if !self.recurs && property.param("TZID").is_none() => self.convert(property),
            _ if is("DTSTART") => Edit::Line(one.form.line("DTSTART", one.occurrence.start)),
            _ if is(one.end_name) => Edit::Line(one.end()),
            _ if is("RECURRENCE-ID") => Edit::Drop,
            _ => self.convert(property),
        }
    }

    /// A property whose times refer to a zone, in UTC; any other as it is.
    fn convert(&self, property: Property<'t>) -> Edit {
        if property.param("TZID").is_none() {
            return (self.freebusy)(property);
        }
        let Ok(times) = When::list(property) else {
            return Edit::Keep;
        };
        let value: Vec<String> = times
            .iter()
            .map(|when| match when {
                When::Zoned { .. } => Form::Utc.text(self.set.times.utc(when)),
                other => other.to_string(),
            })
            .collect();
        Edit::Line(super::with_value(
            property,
            |param| !param.eq_ignore_ascii_case("TZID"),
            &value.join(","),
        ))
    }
}

/// One instance, about to be written.
struct One {
    occurrence: Occurrence,
    form: Form,
    end_name: &'static str,
}

impl One {
    fn new(component: Component<'_>, occurrence: Occurrence) -> One {
        let form = match (occurrence.date, occurrence.local) {
            (true, _) => Form::Date,
            (false, true) => Form::Floating,
            (false, false) => Form::Utc,
        };
        let end_name = if component.is("VTODO") {
            "DUE"
        } else {
            "DTEND"
        };
        One {
            occurrence,
            form,
            end_name,
        }
    }

    fn length(&self) -> i64 {
        self.occurrence.end.saturating_sub(self.occurrence.start)
    }

    fn end(&self) -> String {
        self.form.line(self.end_name, self.occurrence.end)
    }

    /// A period of RDATE gives an instance an end that its component does not say.
    fn ends_unsaid(&self, component: Component<'_>) -> bool {
        let implied = if self.occurrence.date && self.end_name == "DTEND" {
            civil::DAY
        } else {
            0
        };
        let says = |name: &str| component.property(name).is_some();
        self.length() != implied && !says(self.end_name) && !says("DURATION")
    }
}

impl Form {
    fn of(when: &When) -> Form {
        match when {
            When::Date(_) => Form::Date,
            When::Floating(_) => Form::Floating,
            When::Utc(_) | When::Zoned { .. } => Form::Utc,
        }
    }

    /// Seconds as this form has them: an instant for UTC, civil seconds for the others.
    fn text(self, seconds: i64) -> String {
        let at = civil::date_time(seconds.clamp(civil::MIN, civil::MAX)).unwrap_or_default();
        match self {
            Form::Date => When::Date(at.date()),
            Form::Floating => When::Floating(at),
            Form::Utc => When::Utc(at),
        }
        .to_string()
    }

    fn line(self, name: &str, seconds: i64) -> String {
        let value = if self == Form::Date {
            ";VALUE=DATE"
        } else {
            ""
        };
        format!("{name}{value}:{}\r\n", self.text(seconds))
    }
}
