//! `expand`: each instance a component of its own, in UTC. RFC 4791 §9.6.5.
//!
//! Every instance of a recurring component carries a RECURRENCE-ID, the initial one too, which the RFC
//! allows. DATE and floating times stay what they are: they are not local times with reference to a zone.
//! To-dos and journals without dates are returned as they are, since nothing places them outside the range.

use std::borrow::Cow;

use super::instance::{Form, One, Slot, Template, end_name};
use super::{CompSelection, Edit, Output, select};
use crate::ical::object::{Kind, Object};
use crate::ical::query::times::{Instance, Instances};
use crate::ical::rrule::civil;
use crate::ical::tree::{Component, Property};
use crate::ical::value::{Duration, When};

/// The properties that make a series, which no instance has.
const RECURRENCE: [&str; 4] = ["RRULE", "RDATE", "EXDATE", "EXRULE"];

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
        out.open(calendar, selection, Vec::new(), &convert);
        for child in calendar.children().filter(|child| !child.is("VTIMEZONE")) {
            if self.is_timeless(child)
                && let Some(selection) = select(selection, child)
            {
                out.component(child, selection, Vec::new(), &convert);
            }
        }
        // A series is put together once; overrides have one instance as a rule.
        let mut series = None;
        for instance in instances {
            let occurrence = instance.occurrence;
            let Some((component, selection)) = self.wanted(occurrence.component, selection) else {
                continue;
            };
            if occurrence.overridden || instances.len() == 1 {
                out.one = Some(One::new(component.is("VTODO"), occurrence));
                self.component(component, selection, &mut out);
                continue;
            }
            let template = series.get_or_insert_with(|| {
                let mut written = Output::new(calendar.tree().source());
                self.component(component, selection, &mut written);
                Template::new(component, written)
            });
            out.instance(template, occurrence);
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

    /// The component of an instance, and what is asked of it.
    fn wanted<'s>(
        &self,
        component: usize,
        selection: Option<&'s CompSelection>,
    ) -> Option<(Component<'t>, Option<&'s CompSelection>)> {
        let component = self.object.calendar.tree().component(component)?;
        if self.is_timeless(component) {
            return None;
        }
        Some((component, select(selection, component)?))
    }

    /// Writes a component, with slots for what its instances differ in.
    fn component(
        &self,
        component: Component<'t>,
        selection: Option<&CompSelection>,
        out: &mut Output<'t>,
    ) {
        let end = end_name(component.is("VTODO"));
        let mut extra = Vec::new();
        if self.recurs {
            extra.push(self.recurrence_id(component));
            // A period of RDATE gives an instance an end that its component does not say.
            let says = |name: &str| component.property(name).is_some();
            if !says(end) && !says("DURATION") {
                extra.push(Edit::Slot(Slot::Unsaid));
            }
        }
        let edit = |inside: Component<'t>, property: Property<'t>| match inside.index() {
            index if index == component.index() => self.edit(property, end),
            _ => self.convert(property),
        };
        out.component(component, selection, extra, &edit);
    }

    /// In the form of the series; that of an override without one is its own.
    fn recurrence_id(&self, component: Component<'t>) -> Edit {
        let own = component.property("RECURRENCE-ID");
        let own = own.filter(|_| self.object.master.is_none());
        match own.and_then(|own| When::of(own).ok()) {
            Some(when @ When::Zoned { .. }) => {
                Edit::Line(Form::Utc.line("RECURRENCE-ID", self.set.times.utc(&when)))
            }
            Some(when) => {
                let seconds = civil::seconds(when.civil());
                Edit::Line(Form::of(&when).line("RECURRENCE-ID", seconds))
            }
            None => Edit::Slot(Slot::Id(self.series)),
        }
    }

    fn edit(&self, property: Property<'t>, end: &str) -> Edit {
        let is = |name: &str| property.is(name);
        match () {
            _ if RECURRENCE.iter().any(|name| is(name)) => Edit::Drop,
            _ if is("DURATION") => match Duration::of(property) {
                Ok(lasting) => Edit::Slot(Slot::Lasting(lasting.total_seconds(), property.span())),
                Err(_) => Edit::Keep,
            },
            _ if !self.recurs && property.param("TZID").is_none() => self.convert(property),
            _ if is("DTSTART") => Edit::Slot(Slot::Start),
            _ if is(end) => Edit::Slot(Slot::End),
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
                When::Zoned { .. } => Form::Utc.when(self.set.times.utc(when)).to_string(),
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
