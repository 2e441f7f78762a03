//! The times of components as instants, and the instances of an object: what filters, partial retrieval
//! and busy time ask about.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use super::TimeRange;
use crate::ical::availability::available;
use crate::ical::expand::{Exhausted, Occurrence, Series, Window};
use crate::ical::object::Object;
use crate::ical::rrule::{Budget, civil};
use crate::ical::tree::{Component, Property, Tree};
use crate::ical::value::{Duration, Period, When};
use crate::ical::zone::{Zone, Zones};

/// The times of one tree, local ones read in `floating`.
#[derive(Clone)]
pub(in crate::ical) struct Times<'o, 't> {
    pub zones: Zones<'t>,
    floating: &'o Zone,
}

/// The recurrence set of one object.
pub(in crate::ical) struct Instances<'o, 't> {
    pub times: Times<'o, 't>,
    object: &'o Object<'t>,
    series: OnceCell<Series>,
    /// The last expansion: filters ask the same of one component after the other.
    last: RefCell<Option<(TimeRange, Rc<[Instance]>)>>,
}

/// An occurrence on the time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ical) struct Instance {
    /// As the series has it.
    pub occurrence: Occurrence,
    /// Its start as an instant.
    pub start: i64,
    /// Its end as an instant.
    pub end: i64,
}

impl<'o, 't> Times<'o, 't> {
    pub fn new(tree: &'t Tree<'t>, floating: &'o Zone) -> Times<'o, 't> {
        Times {
            zones: Zones::of(tree),
            floating,
        }
    }

    /// A time as an instant. A TZID that nothing explains is read as floating, as in `expand`.
    pub fn utc(&self, when: &When) -> i64 {
        let local = civil::seconds(when.civil());
        match when {
            When::Utc(_) => local,
            When::Date(_) | When::Floating(_) => self.floating.instant_of(local),
            When::Zoned { tzid, .. } => {
                let near = Some((local - civil::DAY, local + civil::DAY));
                let zone = self.zones.resolve(tzid, near);
                zone.as_ref().unwrap_or(self.floating).instant_of(local)
            }
        }
    }

    /// Start and end of a period; a nominal day has 24 hours.
    pub fn period(&self, period: &Period) -> (i64, i64) {
        let start = self.utc(period.start());
        let end = match period {
            Period::Explicit { end, .. } => self.utc(end),
            Period::Lasting { duration, .. } => start.saturating_add(duration.total_seconds()),
        };
        (start, end)
    }

    /// The instant that a property names.
    pub fn at(&self, property: Property<'t>) -> Option<i64> {
        When::of(property).ok().map(|when| self.utc(&when))
    }

    /// The instant that a component's property names.
    pub fn named(&self, component: Component<'t>, name: &str) -> Option<i64> {
        self.at(component.property(name)?)
    }

    /// DTSTART and the end that DTEND or DURATION gives, each open where it is missing.
    pub fn bounds(&self, component: Component<'t>) -> (Option<i64>, Option<i64>) {
        let start = self.named(component, "DTSTART");
        let lasting = || {
            let duration = Duration::of(component.property("DURATION")?).ok()?;
            Some(start?.saturating_add(duration.total_seconds()))
        };
        (start, self.named(component, "DTEND").or_else(lasting))
    }

    /// The start and effective end of a component that is one instance.
    pub fn span(&self, component: Component<'t>) -> Option<(i64, i64)> {
        let start = When::of(component.property("DTSTART")?).ok()?;
        let implied = match (&start, component.is("VTODO")) {
            (When::Date(date), false) => date.tomorrow().map_or(start.clone(), When::Date),
            _ => start.clone(),
        };
        let due = || self.named(component, "DUE");
        let end = self
            .bounds(component)
            .1
            .or_else(due)
            .unwrap_or_else(|| self.utc(&implied));
        Some((self.utc(&start), end))
    }

    /// An occurrence on the time line.
    pub fn place(&self, occurrence: Occurrence) -> Instance {
        let place = |at: i64| match occurrence.local {
            true => self.floating.instant_of(at),
            false => at,
        };
        Instance {
            occurrence,
            start: place(occurrence.start),
            end: place(occurrence.end),
        }
    }
}

impl<'o, 't> Instances<'o, 't> {
    pub fn new(object: &'o Object<'t>, floating: &'o Zone) -> Instances<'o, 't> {
        Instances {
            times: Times::new(object.calendar.tree(), floating),
            object,
            series: OnceCell::new(),
            last: RefCell::new(None),
        }
    }

    /// Does the test hold for the start and end of an instance of this component that overlaps or touches
    /// `range`?
    pub fn any(
        &self,
        component: Component<'t>,
        range: &TimeRange,
        test: impl Fn(i64, i64) -> bool,
    ) -> bool {
        self.touching(component, range)
            .iter()
            .filter(|instance| instance.occurrence.component == component.index())
            .any(|instance| test(instance.start, instance.end))
    }

    fn touching(&self, component: Component<'t>, range: &TimeRange) -> Rc<[Instance]> {
        if component.is("AVAILABLE") {
            return self.expand(&available(component, &self.times.zones), range);
        }
        if let Some((known, instances)) = &*self.last.borrow()
            && known == range
        {
            return instances.clone();
        }
        let instances = self.expand(self.series(), range);
        *self.last.borrow_mut() = Some((*range, instances.clone()));
        instances
    }

    fn expand(&self, series: &Series, range: &TimeRange) -> Rc<[Instance]> {
        // A second more on each side: some rows of §9.9 count what only touches.
        let window = range.widened(1, 1).into();
        let found = series.occurrences(window, &Budget::new(Budget::STEPS, Budget::INSTANCES));
        let found = found.unwrap_or_else(|Exhausted { so_far }| so_far);
        found
            .into_iter()
            .map(|occurrence| self.times.place(occurrence))
            .collect()
    }

    /// The object's recurrence set.
    pub fn series(&self) -> &Series {
        self.series
            .get_or_init(|| Series::of(self.object, &self.times.zones))
    }

    /// All instances that overlap `range` as §9.9 has it, in order of start; `Err` where there are too many.
    pub fn within(&self, range: &TimeRange, budget: &Budget) -> Result<Vec<Instance>, Exhausted> {
        let found = self.series().occurrences((*range).into(), budget)?;
        let placed = found
            .into_iter()
            .map(|occurrence| self.times.place(occurrence));
        Ok(placed
            .filter(|instance| range.overlaps(instance.start, instance.end))
            .collect())
    }
}

impl From<TimeRange> for Window {
    fn from(range: TimeRange) -> Window {
        Window {
            from: range.from(),
            to: range.until(),
        }
    }
}
