//! `calendar-data` of a report: which part of an object goes out, and in which form. RFC 4791 §9.6.
//!
//! [`Retrieval`] is the request as data (`dav` makes it from XML), [`Retrieval::apply`] the answer. Lines
//! that stay are copied from the source as they are, folds included; only what changes is written anew, so
//! that an object which nothing applies to costs little more than its copy.

use std::borrow::Cow;
use std::ops::Range;

use super::expand::{Exhausted, Occurrence};
use super::object::Object;
use super::query::TimeRange;
use super::query::times::{Instances, Times};
use super::rrule::Budget;
use super::tree::{Component, Property};
use super::write::fold;
use super::zone::Zone;

mod expand;
mod instance;
mod limit;

use instance::{Filling, One, Slot, Template};

/// What `CALDAV:calendar-data` asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retrieval {
    /// The parts to return; everything when none.
    pub comp: Option<CompSelection>,
    /// What becomes of recurrences.
    pub recurrences: Recurrences,
    /// `limit-freebusy-set`: FREEBUSY values outside are left out.
    pub freebusy: Option<TimeRange>,
}

/// `expand` or `limit-recurrence-set`, of which there is at most one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recurrences {
    /// As they are stored.
    #[default]
    Keep,
    /// `expand`: every instance in this range as a component of its own.
    Expand(TimeRange),
    /// `limit-recurrence-set`: only the overrides that have to do with this range.
    Limit(TimeRange),
}

/// `CALDAV:comp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompSelection {
    /// The component, in upper case.
    pub name: String,
    /// Which of its properties.
    pub props: Props,
    /// Which of the components inside it; all when none.
    pub comps: Option<Vec<CompSelection>>,
}

/// `CALDAV:allprop` or `CALDAV:prop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Props {
    /// Every property.
    All,
    /// Those named.
    Only(Vec<PropSelection>),
}

/// `CALDAV:prop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropSelection {
    /// The property, in upper case.
    pub name: String,
    /// `novalue`: its name and parameters only.
    pub no_value: bool,
}

impl Retrieval {
    /// Is the object wanted as it is stored?
    pub fn is_whole(&self) -> bool {
        self.comp.is_none() && self.recurrences == Recurrences::Keep && self.freebusy.is_none()
    }

    /// The part of `object` that is wanted. Local times are compared with ranges in `floating`: the zone of
    /// the request, else of the calendar, else UTC. Fails where `expand` has more instances than `budget`.
    pub fn apply<'t>(
        &self,
        object: &Object<'t>,
        floating: &Zone,
        budget: &Budget,
    ) -> Result<Cow<'t, [u8]>, Exhausted> {
        let source = object.calendar.tree().source();
        if self.is_whole() {
            return Ok(Cow::Borrowed(source));
        }
        let set = Instances::new(object, floating);
        let times = &set.times;
        let freebusy = |property: Property<'t>| self.freebusy_edit(property, times);
        match &self.recurrences {
            Recurrences::Expand(range) => {
                let instances = set.within(range, budget)?;
                let expansion = expand::Expansion::new(object, &set, &freebusy);
                Ok(expansion.write(self.comp.as_ref(), &instances))
            }
            Recurrences::Limit(range) => {
                let wanted = |component| limit::is_wanted(component, object, times, range);
                Ok(self.copy(object.calendar, &wanted, &freebusy))
            }
            Recurrences::Keep => Ok(self.copy(object.calendar, &|_| true, &freebusy)),
        }
    }

    /// The calendar with those of its components that are `wanted`.
    fn copy<'t>(
        &self,
        calendar: Component<'t>,
        wanted: &dyn Fn(Component<'t>) -> bool,
        freebusy: &dyn Fn(Property<'t>) -> Edit,
    ) -> Cow<'t, [u8]> {
        let mut out = Output::new(calendar.tree().source());
        let edit = |_: Component<'t>, property: Property<'t>| freebusy(property);
        out.open(calendar, self.comp.as_ref(), Vec::new(), &edit);
        for child in calendar.children().filter(|child| wanted(*child)) {
            if let Some(selection) = select(self.comp.as_ref(), child) {
                out.component(child, selection, Vec::new(), &edit);
            }
        }
        out.close(calendar);
        out.finish()
    }

    /// §9.6.7: of FREEBUSY the periods that overlap the range.
    fn freebusy_edit<'t>(&self, property: Property<'t>, times: &Times<'_, 't>) -> Edit {
        match self.freebusy {
            Some(range) if property.is("FREEBUSY") => limit::freebusy(property, times, &range),
            _ => Edit::Keep,
        }
    }
}

/// What to do with one property.
enum Edit {
    Keep,
    Drop,
    /// Whole content lines in its place.
    Line(String),
    /// A line that differs from instance to instance.
    Slot(Slot),
}

/// Decides about each property that the selection lets through.
type Editor<'e, 't> = &'e dyn Fn(Component<'t>, Property<'t>) -> Edit;

/// The answer being put together: spans of the source, and lines of our own between them.
struct Output<'t> {
    source: &'t [u8],
    /// A span to be copied, that may still grow.
    kept: Range<usize>,
    bytes: Vec<u8>,
    /// The instance that fills slots; without one they are left open.
    one: Option<One>,
    /// What is missing in `bytes`, and where.
    slots: Vec<(usize, Slot)>,
}

impl<'t> Output<'t> {
    fn new(source: &'t [u8]) -> Output<'t> {
        Output {
            source,
            kept: 0..0,
            bytes: Vec::new(),
            one: None,
            slots: Vec::new(),
        }
    }

    fn keep(&mut self, span: Range<usize>) {
        if span.start == self.kept.end {
            self.kept.end = span.end;
        } else {
            self.flush();
            self.kept = span;
        }
    }

    fn write(&mut self, text: &[u8]) {
        self.flush();
        self.bytes.extend_from_slice(text);
    }

    fn flush(&mut self) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(self.source.len());
        }
        let kept = std::mem::take(&mut self.kept);
        self.bytes.extend_from_slice(&self.source[kept]);
    }

    /// An instance of a component that has more of them.
    fn instance(&mut self, template: &Template<'t>, occurrence: Occurrence) {
        self.flush();
        template.write(occurrence, &mut self.bytes);
    }

    /// The answer; where it is one span of the source, that.
    fn finish(mut self) -> Cow<'t, [u8]> {
        if self.bytes.is_empty() {
            return Cow::Borrowed(&self.source[self.kept]);
        }
        self.flush();
        Cow::Owned(self.bytes)
    }

    fn edit(&mut self, property: Option<Property<'t>>, edit: Edit) {
        match (edit, property) {
            (Edit::Drop, _) | (Edit::Keep, None) => {}
            (Edit::Keep, Some(property)) => self.keep(property.span()),
            (Edit::Line(line), _) => self.write(line.as_bytes()),
            (Edit::Slot(slot), _) => self.slot(slot),
        }
    }

    fn slot(&mut self, slot: Slot) {
        match self.one.as_ref().map(|one| one.fill(&slot)) {
            Some(Filling::Kept(span)) => self.keep(span),
            Some(Filling::Line(name, form, seconds)) => {
                self.flush();
                form.write(name, seconds, &mut self.bytes);
            }
            Some(Filling::Nothing) => {}
            None => {
                self.flush();
                self.slots.push((self.bytes.len(), slot));
            }
        }
    }

    /// A component as `selection` wants it, with `extra` content lines, and the lines of it and of what is
    /// inside it through `edit`.
    fn component(
        &mut self,
        component: Component<'t>,
        selection: Option<&CompSelection>,
        extra: Vec<Edit>,
        edit: Editor<'_, 't>,
    ) {
        self.open(component, selection, extra, edit);
        for child in component.children() {
            if let Some(selection) = select(selection, child) {
                self.component(child, selection, Vec::new(), edit);
            }
        }
        self.close(component);
    }

    /// BEGIN, `extra` and properties.
    fn open(
        &mut self,
        component: Component<'t>,
        selection: Option<&CompSelection>,
        extra: Vec<Edit>,
        edit: Editor<'_, 't>,
    ) {
        self.keep(component.begin_span());
        for line in extra {
            self.edit(None, line);
        }
        let props = selection.map(|selection| &selection.props);
        for property in component.properties() {
            let named = match props {
                None | Some(Props::All) => None,
                Some(Props::Only(named)) => {
                    match named.iter().find(|named| property.is(&named.name)) {
                        None => continue,
                        found => found,
                    }
                }
            };
            match edit(component, property) {
                Edit::Drop => {}
                _ if named.is_some_and(|named| named.no_value) => self.without_value(property),
                edit => self.edit(Some(property), edit),
            }
        }
    }

    fn close(&mut self, component: Component<'t>) {
        match component.is_closed() {
            true => self.keep(component.close()..component.span().end),
            false => self.write(format!("END:{}\r\n", component.name()).as_bytes()),
        }
    }

    /// §9.6.4: the name, the parameters and the colon.
    fn without_value(&mut self, property: Property<'_>) {
        self.keep(property.span().start..property.value_span().start);
        self.write(b"\r\n");
    }
}

/// A property with another value, and those of its parameters whose name passes.
fn with_value(property: Property<'_>, keep: impl Fn(&str) -> bool, value: &str) -> String {
    let mut line = property.name().to_owned();
    for param in property.params().filter(|param| keep(param.name())) {
        line.push(';');
        line.push_str(param.name());
        line.push('=');
        line.push_str(param.raw());
    }
    line.push(':');
    line.push_str(value);
    let mut line = fold(&line);
    line.push_str("\r\n");
    line
}

/// What is selected of `child`: nothing at all, or perhaps only parts of it.
fn select<'s>(
    selection: Option<&'s CompSelection>,
    child: Component<'_>,
) -> Option<Option<&'s CompSelection>> {
    match selection.map(|selection| &selection.comps) {
        None | Some(None) => Some(None),
        Some(Some(named)) => named.iter().find(|named| child.is(&named.name)).map(Some),
    }
}

#[cfg(test)]
mod tests;
