//! Filters of `calendar-query`: RFC 4791 §7.8, §9.7, §9.9 as plain data, and what they match.
//!
//! A [`Filter`] is made from XML by `dav`, asked in `matching`, and summed up for an index by
//! [`Filter::prefilter`]. Text is compared by the collations of [`collate`]; the tables of §9.9 are in
//! [`overlap`], alarms in [`alarm`]. Finding the objects to ask is not done here.

pub mod alarm;
pub mod collate;
mod matching;
pub mod overlap;
pub(in crate::ical) mod times;

use super::object::Kind;

pub use collate::Collation;

/// A half-open stretch of time in seconds since 1970 UTC, perhaps without bounds. RFC 4791 §9.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// Inclusive; `i64::MIN` for none.
    pub start: i64,
    /// Exclusive; `i64::MAX` for none.
    pub end: i64,
}

impl TimeRange {
    /// All of time.
    pub const ALWAYS: TimeRange = TimeRange {
        start: i64::MIN,
        end: i64::MAX,
    };

    /// The inclusive start, if there is one.
    pub fn from(&self) -> Option<i64> {
        (self.start != i64::MIN).then_some(self.start)
    }

    /// The exclusive end, if there is one.
    pub fn until(&self) -> Option<i64> {
        (self.end != i64::MAX).then_some(self.end)
    }

    /// The same with each end moved outwards.
    pub fn widened(&self, before: i64, after: i64) -> TimeRange {
        TimeRange {
            start: self.from().map_or(i64::MIN, |at| at.saturating_sub(before)),
            end: self.until().map_or(i64::MAX, |at| at.saturating_add(after)),
        }
    }
}

/// `CALDAV:filter`: always about the VCALENDAR object as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The filter on VCALENDAR.
    pub calendar: CompFilter,
}

/// `CALDAV:comp-filter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompFilter {
    /// The component, in upper case.
    pub name: String,
    /// What is asked of it.
    pub test: CompTest,
}

/// What a [`CompFilter`] asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompTest {
    /// No such component in scope.
    NotDefined,
    /// One such component that passes all of these.
    Defined {
        /// An instance of it overlaps this.
        range: Option<TimeRange>,
        /// Tests on its properties.
        props: Vec<PropFilter>,
        /// Tests on the components inside it.
        comps: Vec<CompFilter>,
    },
}

/// `CALDAV:prop-filter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropFilter {
    /// The property, in upper case.
    pub name: String,
    /// What is asked of it.
    pub test: PropTest,
}

/// What a [`PropFilter`] asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PropTest {
    /// No such property in the component.
    NotDefined,
    /// One such property that passes all of these.
    Defined {
        /// Its time lies in this.
        range: Option<TimeRange>,
        /// Its value matches this.
        text: Option<TextMatch>,
        /// Tests on its parameters.
        params: Vec<ParamFilter>,
    },
}

/// `CALDAV:param-filter`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamFilter {
    /// The parameter, in upper case.
    pub name: String,
    /// What is asked of it.
    pub test: ParamTest,
}

/// What a [`ParamFilter`] asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamTest {
    /// No such parameter on the property.
    NotDefined,
    /// There is one, and a value of it matches.
    Defined(Option<TextMatch>),
}

/// `CALDAV:text-match`: a substring test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextMatch {
    /// The text, already folded by the collation.
    needle: String,
    collation: Collation,
    /// True where the text must not occur.
    pub negate: bool,
}

impl TextMatch {
    /// A test for `text` under `collation`.
    pub fn new(text: &str, collation: Collation, negate: bool) -> TextMatch {
        TextMatch {
            needle: collation.fold(text).into_owned(),
            collation,
            negate,
        }
    }

    /// Whether the text occurs in `value`, or does not where negated.
    pub fn matches(&self, value: &str) -> bool {
        self.collation.fold(value).contains(&self.needle) != self.negate
    }
}

/// What an index can say about a [`Filter`]: every matching object passes it; where it is `exact`, every
/// object that passes also matches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prefilter<'f> {
    /// The object has a component of this name (upper case).
    pub component: Option<&'f str>,
    /// An instance of that component overlaps this.
    pub range: Option<TimeRange>,
    /// The object's UID passes this.
    pub uid: Option<&'f TextMatch>,
    /// Nothing else is asked.
    pub exact: bool,
}

impl Filter {
    /// What an index of components, occurrences and UIDs can answer of this filter.
    pub fn prefilter(&self) -> Prefilter<'_> {
        let CompTest::Defined {
            range,
            props,
            comps,
        } = &self.calendar.test
        else {
            return Prefilter::default();
        };
        let plain = range.is_none() && props.is_empty();
        // All of them must match: any that is about the kind of object narrows.
        let Some(found) = comps.iter().find_map(CompFilter::prefilter) else {
            return Prefilter {
                exact: plain && comps.is_empty(),
                ..Prefilter::default()
            };
        };
        Prefilter {
            exact: found.exact && plain && comps.len() == 1,
            ..found
        }
    }
}

impl CompFilter {
    fn prefilter(&self) -> Option<Prefilter<'_>> {
        let CompTest::Defined {
            range,
            props,
            comps,
        } = &self.test
        else {
            return None;
        };
        Kind::from_name(&self.name)?;
        let uid = props.iter().find_map(|prop| match &prop.test {
            PropTest::Defined { text, .. } if prop.name == "UID" => text.as_ref(),
            _ => None,
        });
        Some(Prefilter {
            component: Some(&self.name),
            range: *range,
            uid,
            exact: props.is_empty() && comps.is_empty(),
        })
    }
}

#[cfg(test)]
mod tests;
