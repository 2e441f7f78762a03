//! Does an object match a filter? RFC 4791 §9.7, with the time ranges of §9.9.
//!
//! Each component is asked on its own: an override answers for its instance, the master for those that
//! are not overridden. A property is compared by its unescaped value, a parameter by each of its values;
//! several properties of a name match when one of them does.

use super::alarm::{Alarm, Trigger};
use super::overlap::TodoTimes;
use super::{
    CompFilter, CompTest, Filter, ParamFilter, ParamTest, PropFilter, PropTest, TimeRange,
};
use crate::ical::busy;
use crate::ical::object::Object;
use crate::ical::tree::{Component, Components, Property};
use crate::ical::zone::Zone;

use super::times::Instances;

impl Filter {
    /// Asks one object. `floating` is the zone of times that name none: of the request, else of the
    /// calendar, else UTC (§9.8).
    pub fn matches(&self, object: &Object<'_>, floating: &Zone) -> bool {
        let asked = Asked {
            instances: Instances::new(object, floating),
        };
        match &self.calendar.test {
            CompTest::NotDefined => false,
            CompTest::Defined { .. } => asked.component(&self.calendar, object.calendar),
        }
    }
}

struct Asked<'o, 't> {
    instances: Instances<'o, 't>,
}

impl<'t> Asked<'_, 't> {
    fn scope(&self, filter: &CompFilter, mut scope: Components<'t>) -> bool {
        match &filter.test {
            CompTest::NotDefined => !scope.any(|component| component.is(&filter.name)),
            CompTest::Defined { .. } => scope
                .any(|component| component.is(&filter.name) && self.component(filter, component)),
        }
    }

    fn component(&self, filter: &CompFilter, component: Component<'t>) -> bool {
        let CompTest::Defined {
            range,
            props,
            comps,
        } = &filter.test
        else {
            return false;
        };
        props.iter().all(|prop| self.property(prop, component))
            && range.is_none_or(|range| self.in_range(&filter.name, component, &range))
            && comps
                .iter()
                .all(|comp| self.scope(comp, component.children()))
    }

    fn property(&self, filter: &PropFilter, component: Component<'t>) -> bool {
        let mut all = component.properties_named(&filter.name);
        match &filter.test {
            PropTest::NotDefined => all.next().is_none(),
            PropTest::Defined {
                range: Some(range),
                text: None,
                params,
            } if params.is_empty() => self.property_in_range(&filter.name, component, range),
            PropTest::Defined {
                range,
                text,
                params,
            } => all.any(|property| {
                text.as_ref()
                    .is_none_or(|text| text.matches(&property.text()))
                    && params.iter().all(|param| parameter(param, property))
                    && range
                        .is_none_or(|range| self.property_in_range(&filter.name, component, &range))
            }),
        }
    }

    /// §9.9, the paragraph on properties. Those that recur are tested on every instance, and the end also
    /// where a DURATION gives it.
    fn property_in_range(&self, name: &str, component: Component<'t>, range: &TimeRange) -> bool {
        let recurs = component.is("VEVENT") || component.is("VTODO") || component.is("VJOURNAL");
        let ends = |name: &str| {
            component.property(name).is_some() || component.property("DURATION").is_some()
        };
        match name {
            "DTSTART" if recurs && component.property("DTSTART").is_some() => {
                self.instances
                    .any(component, range, |start, _| range.contains(start))
            }
            "DTEND" if component.is("VEVENT") => {
                ends(name)
                    && self
                        .instances
                        .any(component, range, |_, end| range.contains(end))
            }
            "DUE" if component.is("VTODO") && component.property("DTSTART").is_some() => {
                ends(name)
                    && self
                        .instances
                        .any(component, range, |_, end| range.contains(end))
            }
            _ => component.properties_named(name).any(|property| {
                self.instances
                    .times
                    .at(property)
                    .is_some_and(|at| range.contains(at))
            }),
        }
    }

    fn in_range(&self, name: &str, component: Component<'t>, range: &TimeRange) -> bool {
        match name {
            "VEVENT" | "VJOURNAL" | "AVAILABLE" => {
                self.instances
                    .any(component, range, |start, end| range.overlaps(start, end))
            }
            "VTODO" => self.todo_in_range(component, range),
            "VFREEBUSY" => self.freebusy_in_range(component, range),
            "VAVAILABILITY" => {
                let (start, end) = self.instances.times.bounds(component);
                range.overlaps_availability(start, end)
            }
            "VALARM" => self.alarm_in_range(component, range),
            _ => false,
        }
    }

    fn todo_in_range(&self, todo: Component<'t>, range: &TimeRange) -> bool {
        let at = |name: &str| self.instances.times.named(todo, name);
        let times = TodoTimes {
            due: at("DUE"),
            completed: at("COMPLETED"),
            created: at("CREATED"),
            ..TodoTimes::default()
        };
        if at("DTSTART").is_none() {
            return range.overlaps_todo(&times);
        }
        let lasts = todo.property("DURATION").is_some();
        self.instances.any(todo, range, |start, end| {
            range.overlaps_todo(&TodoTimes {
                start: Some(start),
                end: lasts.then_some(end),
                due: times.due.map(|_| end),
                ..times
            })
        })
    }

    fn freebusy_in_range(&self, freebusy: Component<'t>, range: &TimeRange) -> bool {
        let at = |name: &str| self.instances.times.named(freebusy, name);
        match (at("DTSTART"), at("DTEND")) {
            (Some(start), Some(end)) => range.overlaps_freebusy(start, end),
            _ => busy::periods(freebusy, |period| self.instances.times.period(period))
                .iter()
                .any(|period| range.overlaps(period.start, period.end)),
        }
    }

    fn alarm_in_range(&self, component: Component<'t>, range: &TimeRange) -> bool {
        let (Some(alarm), Some(parent)) = (Alarm::read(component), component.parent()) else {
            return false;
        };
        let reach = range.widened(alarm.reach(), alarm.reach());
        let (from_start, offset) = match alarm.trigger {
            Trigger::At(ref when) => {
                return alarm.goes_off(self.instances.times.utc(when), range);
            }
            Trigger::FromStart(offset) => (true, offset),
            Trigger::FromEnd(offset) => (false, offset),
        };
        let rings = |base: i64| alarm.goes_off(base.saturating_add(offset), range);
        if parent.is("VTODO") && parent.property("DTSTART").is_none() {
            // Without a start both kinds relate to DUE, as §7.8.5 has it.
            return self.instances.times.named(parent, "DUE").is_some_and(rings);
        }
        self.instances.any(parent, &reach, |start, end| {
            rings(if from_start { start } else { end })
        })
    }
}

fn parameter(filter: &ParamFilter, property: Property<'_>) -> bool {
    let mut all = property.params().filter(|param| param.is(&filter.name));
    match &filter.test {
        ParamTest::NotDefined => all.next().is_none(),
        ParamTest::Defined(None) => all.next().is_some(),
        ParamTest::Defined(Some(text)) => {
            all.any(|param| param.values().iter().any(|value| text.matches(value)))
        }
    }
}

#[cfg(test)]
mod tests;
