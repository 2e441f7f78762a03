//! `CALDAV:filter` from XML, and why one is refused: the preconditions of RFC 4791 §7.8.
//!
//! Foreign elements are ignored (RFC 4918 §17); an element of CalDAV's own namespace that does not belong
//! is not, since ignoring a condition would return what was not asked for.

use crate::ical::query::{
    Collation, CompFilter, CompTest, Filter, ParamFilter, ParamTest, PropFilter, PropTest,
    TextMatch, TimeRange,
};
use crate::ical::rrule::civil;
use crate::ical::value::When;
use crate::xml::{Element, Ns};

/// Why a filter is refused, by precondition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterError {
    /// `CALDAV:valid-filter`: not what §9.7 defines.
    Invalid(String),
    /// `CALDAV:supported-filter`: a time range where §9.9 gives it no meaning.
    Unsupported(String),
    /// `CALDAV:supported-collation`.
    Collation(String),
}

impl std::fmt::Display for FilterError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FilterError::Invalid(reason) | FilterError::Unsupported(reason) => f.write_str(reason),
            FilterError::Collation(name) => write!(f, "collation {name} is not supported"),
        }
    }
}

impl std::error::Error for FilterError {}

/// Components on which §9.9 and RFC 7953 §7.2.1 define a time range.
const RANGED_COMPONENTS: [&str; 7] = [
    "VEVENT",
    "VTODO",
    "VJOURNAL",
    "VFREEBUSY",
    "VALARM",
    "VAVAILABILITY",
    "AVAILABLE",
];

/// Properties on which §9.9 defines a time range.
const RANGED_PROPERTIES: [&str; 7] = [
    "COMPLETED",
    "CREATED",
    "DTEND",
    "DTSTAMP",
    "DTSTART",
    "DUE",
    "LAST-MODIFIED",
];

/// How many conditions there may be: each may cost an expansion of every object.
const CONDITIONS: usize = 1000;

/// How deep comp-filters may lie in each other; iCalendar itself goes to VALARM.
const DEPTH: usize = 8;

impl Filter {
    /// Reads `CALDAV:filter`.
    pub fn from_xml(filter: &Element) -> Result<Filter, FilterError> {
        if is_larger(filter, &mut { CONDITIONS }) {
            return Err(FilterError::Unsupported(format!(
                "more than {CONDITIONS} conditions"
            )));
        }
        let parts = Parts::of(filter, &["comp-filter"])?;
        let [calendar] = parts.all("comp-filter").collect::<Vec<_>>()[..] else {
            return Err(invalid("a filter holds exactly one comp-filter"));
        };
        let calendar = comp_filter(calendar, DEPTH)?;
        match calendar.name.as_str() {
            "VCALENDAR" => Ok(Filter { calendar }),
            other => Err(invalid(format!(
                "the outer comp-filter is for VCALENDAR, not {other}"
            ))),
        }
    }
}

impl TimeRange {
    /// Reads the attributes of `CALDAV:time-range`, `expand` and their like: one or both of `start` and
    /// `end`, in UTC, the end after the start.
    pub fn from_xml(element: &Element) -> Result<TimeRange, FilterError> {
        let bound = |name: &str| element.attr(name).map(utc).transpose();
        let (start, end) = (bound("start")?, bound("end")?);
        match (start, end) {
            (None, None) => Err(invalid("a time range needs a start or an end")),
            (Some(start), Some(end)) if end <= start => {
                Err(invalid("a time range ends after its start"))
            }
            _ => Ok(TimeRange {
                start: start.unwrap_or(i64::MIN),
                end: end.unwrap_or(i64::MAX),
            }),
        }
    }
}

fn utc(text: &str) -> Result<i64, FilterError> {
    match When::parse(text, None) {
        Ok(When::Utc(at)) => Ok(civil::seconds(at)),
        _ => Err(invalid(format!("{text:?} is not a date with UTC time"))),
    }
}

fn invalid(reason: impl Into<String>) -> FilterError {
    FilterError::Invalid(reason.into())
}

/// Are there more elements inside than are `left`? Reading XML has bounded how deep they lie.
pub(super) fn is_larger(element: &Element, left: &mut usize) -> bool {
    element.elements().any(|child| match left.checked_sub(1) {
        None => true,
        Some(fewer) => {
            *left = fewer;
            is_larger(child, left)
        }
    })
}

/// The CalDAV elements inside of one, all of kinds that may be there.
struct Parts<'a> {
    parent: &'a Element,
}

impl<'a> Parts<'a> {
    fn of(parent: &'a Element, allowed: &[&str]) -> Result<Parts<'a>, FilterError> {
        let known = |child: &&Element| allowed.contains(&child.name.local.as_str());
        match parent.elements().filter(caldav).find(|child| !known(child)) {
            Some(stray) => Err(invalid(format!(
                "{} cannot be in {}",
                stray.name, parent.name
            ))),
            None => Ok(Parts { parent }),
        }
    }

    fn all(&self, local: &'static str) -> impl Iterator<Item = &'a Element> + use<'a> {
        self.parent
            .elements()
            .filter(move |child| child.name.is(&Ns::CalDav, local))
    }

    /// The only one of its kind.
    fn one(&self, local: &'static str) -> Result<Option<&'a Element>, FilterError> {
        let mut all = self.all(local);
        match (all.next(), all.next()) {
            (_, Some(second)) => Err(invalid(format!(
                "{} twice in {}",
                second.name, self.parent.name
            ))),
            (one, None) => Ok(one),
        }
    }

    /// `is-not-defined`, which must be alone.
    fn not_defined(&self) -> Result<bool, FilterError> {
        match self.one("is-not-defined")? {
            None => Ok(false),
            Some(_) if self.parent.elements().filter(caldav).count() == 1 => Ok(true),
            Some(_) => Err(invalid("is-not-defined excludes other conditions")),
        }
    }

    fn name(&self) -> Result<String, FilterError> {
        match self.parent.attr("name").map(str::trim) {
            Some(name) if !name.is_empty() => Ok(name.to_ascii_uppercase()),
            _ => Err(invalid(format!("{} without a name", self.parent.name))),
        }
    }

    fn range(&self, name: &str, defined_for: &[&str]) -> Result<Option<TimeRange>, FilterError> {
        let Some(range) = self.one("time-range")? else {
            return Ok(None);
        };
        match defined_for.contains(&name) {
            true => TimeRange::from_xml(range).map(Some),
            false => Err(FilterError::Unsupported(format!(
                "a time range on {name} has no meaning"
            ))),
        }
    }

    fn text(&self) -> Result<Option<TextMatch>, FilterError> {
        self.one("text-match")?.map(text_match).transpose()
    }
}

fn caldav(element: &&Element) -> bool {
    element.name.ns == Ns::CalDav
}

fn comp_filter(element: &Element, depth: usize) -> Result<CompFilter, FilterError> {
    if depth == 0 {
        return Err(FilterError::Unsupported(format!(
            "comp-filters nested deeper than {DEPTH}"
        )));
    }
    let parts = Parts::of(
        element,
        &["is-not-defined", "time-range", "prop-filter", "comp-filter"],
    )?;
    let name = parts.name()?;
    if parts.not_defined()? {
        return Ok(CompFilter {
            name,
            test: CompTest::NotDefined,
        });
    }
    let test = CompTest::Defined {
        range: parts.range(&name, &RANGED_COMPONENTS)?,
        props: parts
            .all("prop-filter")
            .map(prop_filter)
            .collect::<Result<_, _>>()?,
        comps: parts
            .all("comp-filter")
            .map(|comp| comp_filter(comp, depth - 1))
            .collect::<Result<_, _>>()?,
    };
    Ok(CompFilter { name, test })
}

fn prop_filter(element: &Element) -> Result<PropFilter, FilterError> {
    let parts = Parts::of(
        element,
        &["is-not-defined", "time-range", "text-match", "param-filter"],
    )?;
    let name = parts.name()?;
    if parts.not_defined()? {
        return Ok(PropFilter {
            name,
            test: PropTest::NotDefined,
        });
    }
    let test = PropTest::Defined {
        range: parts.range(&name, &RANGED_PROPERTIES)?,
        text: parts.text()?,
        params: parts
            .all("param-filter")
            .map(param_filter)
            .collect::<Result<_, _>>()?,
    };
    Ok(PropFilter { name, test })
}

fn param_filter(element: &Element) -> Result<ParamFilter, FilterError> {
    let parts = Parts::of(element, &["is-not-defined", "text-match"])?;
    let name = parts.name()?;
    let test = match parts.not_defined()? {
        true => ParamTest::NotDefined,
        false => ParamTest::Defined(parts.text()?),
    };
    Ok(ParamFilter { name, test })
}

fn text_match(element: &Element) -> Result<TextMatch, FilterError> {
    let collation = match element.attr("collation") {
        None => Collation::AsciiCasemap,
        Some(name) => {
            Collation::from_name(name).ok_or_else(|| FilterError::Collation(name.to_owned()))?
        }
    };
    let negate = match element.attr("negate-condition") {
        None | Some("no") => false,
        Some("yes") => true,
        Some(other) => {
            return Err(invalid(format!(
                "negate-condition is yes or no, not {other:?}"
            )));
        }
    };
    Ok(TextMatch::new(&element.text(), collation, negate))
}
