//! `CALDAV:calendar-data` of a request: RFC 4791 §9.6 from XML to [`Retrieval`].

use super::filter::{FilterError, is_larger};
use crate::ical::prune::{CompSelection, PropSelection, Props, Recurrences, Retrieval};
use crate::ical::query::TimeRange;
use crate::xml::{Element, Ns};

/// How many parts may be named: each is looked for among all of an object's.
const PARTS: usize = 1000;

/// How deep `comp` may lie in each other; iCalendar itself goes to VALARM.
const DEPTH: usize = 8;

impl Retrieval {
    /// Reads `CALDAV:calendar-data` as it stands in `DAV:prop` of a report. The content type and version
    /// are the caller's to look at.
    pub fn from_xml(calendar_data: &Element) -> Result<Retrieval, FilterError> {
        if is_larger(calendar_data, &mut { PARTS }) {
            return Err(invalid(format!(
                "more than {PARTS} elements in calendar-data"
            )));
        }
        let mut retrieval = Retrieval::default();
        for child in calendar_data
            .elements()
            .filter(|child| child.name.ns == Ns::CalDav)
        {
            match child.name.local.as_str() {
                "comp" => retrieval.comp = Some(comp(child, DEPTH)?),
                "expand" => retrieval.recurrences = Recurrences::Expand(bounded(child)?),
                "limit-recurrence-set" => {
                    retrieval.recurrences = Recurrences::Limit(bounded(child)?)
                }
                "limit-freebusy-set" => retrieval.freebusy = Some(bounded(child)?),
                _ => {
                    return Err(invalid(format!(
                        "{} cannot be in calendar-data",
                        child.name
                    )));
                }
            }
        }
        match &retrieval.comp {
            Some(comp) if comp.name != "VCALENDAR" => Err(invalid("the outer comp is VCALENDAR")),
            _ => Ok(retrieval),
        }
    }
}

/// §9.6.5–9.6.7: both ends are required.
fn bounded(element: &Element) -> Result<TimeRange, FilterError> {
    let range = TimeRange::from_xml(element)?;
    match (range.from(), range.until()) {
        (Some(_), Some(_)) => Ok(range),
        _ => Err(invalid(format!(
            "{} needs a start and an end",
            element.name
        ))),
    }
}

fn comp(element: &Element, depth: usize) -> Result<CompSelection, FilterError> {
    if depth == 0 {
        return Err(invalid(format!("comp nested deeper than {DEPTH}")));
    }
    let (mut named, mut inner) = (Vec::new(), Vec::new());
    let (mut all_props, mut all_comps) = (false, false);
    for child in element
        .elements()
        .filter(|child| child.name.ns == Ns::CalDav)
    {
        match child.name.local.as_str() {
            "prop" => named.push(prop(child)?),
            "allprop" => all_props = true,
            "comp" => inner.push(comp(child, depth - 1)?),
            "allcomp" => all_comps = true,
            _ => return Err(invalid(format!("{} cannot be in comp", child.name))),
        }
    }
    // An empty comp asks for the component as it is: §7.8.1 gets its VTIMEZONE whole.
    let whole = named.is_empty() && inner.is_empty() && !all_props && !all_comps;
    Ok(CompSelection {
        name: name(element)?,
        props: if whole || all_props {
            Props::All
        } else {
            Props::Only(named)
        },
        comps: (!whole && !all_comps).then_some(inner),
    })
}

fn prop(element: &Element) -> Result<PropSelection, FilterError> {
    let no_value = match element.attr("novalue") {
        None | Some("no") => false,
        Some("yes") => true,
        Some(other) => return Err(invalid(format!("novalue is yes or no, not {other:?}"))),
    };
    Ok(PropSelection {
        name: name(element)?,
        no_value,
    })
}

fn name(element: &Element) -> Result<String, FilterError> {
    match element.attr("name").map(str::trim) {
        Some(name) if !name.is_empty() => Ok(name.to_ascii_uppercase()),
        _ => Err(invalid(format!("{} without a name", element.name))),
    }
}

fn invalid(reason: impl Into<String>) -> FilterError {
    FilterError::Invalid(reason.into())
}
