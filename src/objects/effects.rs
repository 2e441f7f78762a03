//! What follows from an object's new text: how it is found again. Pure.
//!
//! Every VEVENT's instances within a window around now become occurrence rows, so that a question about a week is an
//! index range (see [`crate::store::occurrences`]). What the rows cannot say is marked, and such objects are read and
//! expanded when a question comes near them: other components, and series with more instances than [`CAP`].

use sha2::{Digest, Sha256};

use crate::ical::expand::{Occurrence, Series, Window};
use crate::ical::object::{self, Invalid, Kind, Object, Violation};
use crate::ical::rrule::Budget;
use crate::ical::tree::{Limits, Tree};
use crate::ical::zone::Zones;
use crate::ical::{busy, session};
use crate::model::{Calendar, Error, Etag, Precondition, Result};
use crate::store::objects::ObjectRow;
use crate::store::occurrences::OccurrenceRow;

/// What texts may be stored at all.
pub type Rules = object::Rules;

const DAY: i64 = 86_400;
/// How far back and ahead of now series are indexed, in seconds.
const BACK: i64 = 5 * 365 * DAY;
const AHEAD: i64 = 3 * 365 * DAY;
/// The window's edges move in steps, so that an edit tomorrow finds the same rows and rewrites none.
const STEP: i64 = 64 * DAY;
/// An object with more instances than this in the window is not indexed but expanded when asked for.
const CAP: u32 = 3000;
/// Series whose rows end sooner than this after now are indexed anew.
pub(super) const REFRESH: i64 = AHEAD - 2 * STEP;

/// Everything that is stored beside the text.
#[derive(Clone, Debug)]
pub struct Effects {
    pub uid: String,
    pub component: &'static str,
    pub etag: Etag,
    /// Extent over all instances, seconds; none: without bound. Local times are taken as UTC, so readers widen by a day.
    pub starts: Option<i64>,
    pub ends: Option<i64>,
    /// The rows are complete between these; none: on that side without bound.
    pub indexed_from: Option<i64>,
    pub indexed_to: Option<i64>,
    pub needs_object: bool,
    pub session: bool,
    pub occurrences: Vec<OccurrenceRow>,
    pub digest: String,
}

/// Validates `body` for `calendar` and says what follows from storing it at `now`.
///
/// # Errors
/// The precondition of RFC 4791 §5.3.2.1 that does not hold, with line and reason.
pub fn effects(
    body: &[u8],
    etag: Etag,
    calendar: &Calendar,
    rules: &Rules,
    now: i64,
) -> Result<Effects> {
    let kinds = calendar
        .components
        .0
        .iter()
        .filter_map(|name| Kind::from_name(name))
        .collect();
    let rules = Rules {
        components: Some(kinds),
        ..rules.clone()
    };
    let tree = object::validate(body, &rules).map_err(refusal)?;
    of_tree(&tree, etag, now).map_err(refusal)
}

/// The same for a text that was accepted before, by whatever rules held then.
pub(super) fn of_stored(body: &[u8], etag: Etag, now: i64) -> Result<Effects> {
    let tree = Tree::parse(body, &Limits::default()).map_err(|fault| {
        Error::internal(format!(
            "stored object, line {}: {}",
            fault.line, fault.reason
        ))
    })?;
    of_tree(&tree, etag, now).map_err(refusal)
}

fn of_tree(tree: &Tree<'_>, etag: Etag, now: i64) -> Result<Effects, Invalid> {
    let object = Object::read(tree)?;
    let zones = Zones::of(tree);
    let series = Series::of(&object, &zones);
    let (starts, ends) = series.extent();
    let mut effects = Effects {
        uid: object.uid.to_string(),
        component: object.kind.name(),
        etag,
        starts,
        ends,
        indexed_from: None,
        indexed_to: None,
        needs_object: true,
        session: session::is_session(tree),
        occurrences: Vec::new(),
        digest: String::new(),
    };
    if object.kind == Kind::Event {
        effects.index(&object, &series, now);
    }
    effects.digest = digest(&effects.occurrences);
    Ok(effects)
}

impl Effects {
    /// Makes the occurrence rows: from the first instance on, or else from the window's, unless there are too many.
    fn index(&mut self, object: &Object<'_>, series: &Series, now: i64) {
        let step = now.div_euclid(STEP) * STEP;
        let to = Some(step + AHEAD)
            .filter(|to| series.is_recurring() && self.ends.is_none_or(|ends| ends > *to));
        for from in [None, Some(step - BACK)] {
            let budget = Budget::new(Budget::STEPS, CAP);
            if let Ok(found) = series.occurrences(Window { from, to }, &budget) {
                self.needs_object = false;
                (self.indexed_from, self.indexed_to) = (from, to);
                self.occurrences = rows(object, &found);
                return;
            }
        }
    }

    /// As the store takes it.
    pub fn row<'a>(&'a self, name: &'a str, body: &'a [u8]) -> ObjectRow<'a> {
        ObjectRow {
            name,
            uid: &self.uid,
            component: self.component,
            etag: &self.etag,
            schedule_tag: None,
            starts: self.starts,
            ends: self.ends,
            indexed_from: self.indexed_from,
            indexed_to: self.indexed_to,
            needs_object: self.needs_object,
            session: self.session,
            occurrences: &self.occurrences,
            digest: &self.digest,
            body,
        }
    }
}

/// The occurrence rows of instances, in the order of their starts.
fn rows(object: &Object<'_>, found: &[Occurrence]) -> Vec<OccurrenceRow> {
    let kinds: Vec<_> = object
        .components()
        .map(|c| (c.index(), i64::from(busy::kind(c).code())))
        .collect();
    let busy = |component| {
        kinds
            .iter()
            .find(|(index, _)| *index == component)
            .map_or(1, |(_, kind)| *kind)
    };
    let mut rows: Vec<_> = found
        .iter()
        .map(|o| OccurrenceRow {
            starts: o.start,
            ends: o.end,
            rid: o.rid,
            local: o.local,
            busy: busy(o.component),
        })
        .collect();
    rows.sort_unstable_by_key(|row| (row.starts, row.rid));
    rows
}

/// Equal rows have equal digests; no rows have the empty one.
fn digest(rows: &[OccurrenceRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut sum = Sha256::new();
    for row in rows {
        for number in [
            row.starts,
            row.ends,
            row.rid,
            i64::from(row.local),
            row.busy,
        ] {
            sum.update(number.to_be_bytes());
        }
    }
    sum.finalize()[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What breaks a rule, as the error that front doors render.
fn refusal(invalid: Invalid) -> Error {
    Error::precondition(precondition(invalid.precondition), invalid.to_string())
}

fn precondition(violation: Violation) -> Precondition {
    match violation {
        Violation::SupportedCalendarData => Precondition::SupportedCalendarData,
        Violation::ValidCalendarData => Precondition::ValidCalendarData,
        Violation::ValidCalendarObjectResource => Precondition::ValidCalendarObjectResource,
        Violation::SupportedCalendarComponent => Precondition::SupportedCalendarComponent,
        Violation::MaxResourceSize => Precondition::MaxResourceSize,
        Violation::MinDateTime => Precondition::MinDateTime,
        Violation::MaxDateTime => Precondition::MaxDateTime,
        Violation::MaxInstances => Precondition::MaxInstances,
        Violation::MaxAttendeesPerInstance => Precondition::MaxAttendeesPerInstance,
        Violation::SupportedRscale => Precondition::SupportedRscale,
    }
}
