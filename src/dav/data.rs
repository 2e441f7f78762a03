//! calendar-data in a report (RFC 4791 §9.6): the object as it is stored, or the part of it that is wanted.

use super::filter::FilterError;
use crate::ical::charset::as_text;
use crate::ical::object::Object;
use crate::ical::prune::Retrieval;
use crate::ical::rrule::Budget;
use crate::ical::tree::{Limits, Tree};
use crate::ical::zone::Zone;
use crate::model::{Error, Precondition, Result};
use crate::xml::{Element, Writer};

/// What is wanted of each object.
#[derive(Clone, Debug)]
pub struct CalendarData {
    retrieval: Retrieval,
    /// Of times that name no zone.
    floating: Zone,
    instances: u32,
}

impl CalendarData {
    pub fn read(element: &Element) -> Result<CalendarData> {
        let is = |name: &str, only: &str| {
            element
                .attr(name)
                .is_none_or(|value| value.trim().eq_ignore_ascii_case(only))
        };
        if !is("content-type", "text/calendar") || !is("version", "2.0") {
            return Err(Error::precondition(
                Precondition::SupportedCalendarData,
                "only text/calendar 2.0 is kept here",
            ));
        }
        let retrieval = Retrieval::from_xml(element).map_err(refusal)?;
        Ok(CalendarData {
            retrieval,
            floating: Zone::Fixed(0),
            instances: Budget::INSTANCES,
        })
    }

    /// The same for objects of one calendar.
    pub fn within(&self, floating: Zone, instances: usize) -> CalendarData {
        CalendarData {
            retrieval: self.retrieval.clone(),
            floating,
            instances: u32::try_from(instances).unwrap_or(u32::MAX),
        }
    }

    /// Writes the text. False: it has more instances than may be expanded.
    pub fn write(&self, body: &[u8], w: &mut Writer, open: impl FnOnce(&mut Writer)) -> bool {
        if self.retrieval.is_whole() {
            open(w);
            w.text(&as_text(body));
            return true;
        }
        let Ok(tree) = Tree::parse(body, &Limits::default()) else {
            open(w);
            w.text(&as_text(body));
            return true;
        };
        let Ok(object) = Object::read(&tree) else {
            open(w);
            w.text(&as_text(body));
            return true;
        };
        let budget = Budget::new(Budget::STEPS, self.instances);
        match self.retrieval.apply(&object, &self.floating, &budget) {
            Ok(text) => {
                open(w);
                w.text(&as_text(&text));
                true
            }
            Err(_) => false,
        }
    }
}

/// A filter or a part of calendar-data that cannot be answered, with the precondition that says so.
pub fn refusal(why: FilterError) -> Error {
    let is = match &why {
        FilterError::Invalid(_) => Precondition::ValidFilter,
        FilterError::Unsupported(_) => Precondition::SupportedFilter,
        FilterError::Collation(_) => Precondition::SupportedCollation,
    };
    Error::precondition(is, why.to_string())
}
