//! Which zone a TZID of an object means: its name, its VTIMEZONE, or an alias.
//!
//! Evaluating a VTIMEZONE and comparing it with the tz database costs some forty microseconds, and most
//! objects carry one of a few. So the outcome is remembered per VTIMEZONE text, for the whole process: a
//! bounded memo of a pure function. Within an object, which may name a zone with every value of a long list, it is
//! looked up once.

use super::{Rules, Zone, name};
use crate::ical::rrule::civil::DAY;
use crate::ical::tree::{Component, Tree};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, OnceLock, RwLock};

/// The zones of one object. Cloning is cheap.
#[derive(Clone)]
pub struct Zones<'t> {
    own: Arc<[Own<'t>]>,
}

/// A VTIMEZONE of the object.
struct Own<'t> {
    /// Its TZID as written and as the text that it stands for, which need not be the same.
    names: [String; 2],
    component: Component<'t>,
    verdict: OnceLock<Arc<Verdict>>,
}

/// Further VTIMEZONEs are not looked at: no object needs them, and each costs its evaluation.
const MOST_ZONES: usize = 48;

/// A VTIMEZONE, judged.
struct Verdict {
    rules: Option<Arc<Rules>>,
    /// What its TZID says by itself, and when the rules disagree with that: instants, from and before, in order.
    iana: Option<Zone>,
    differs: Vec<(i64, i64)>,
}

/// Where rules and tz database are compared: 1970 to 2050.
const COMPARED: (i64, i64) = (0, 29_220 * DAY);

/// A longer VTIMEZONE than any zone's whole history is not evaluated.
pub const LONGEST: usize = 32 << 10;

/// How many verdicts the memo keeps; their texts are its size.
const MEMO_ENTRIES: usize = 256;

/// Verdicts by the bytes of their VTIMEZONE.
type Memo = HashMap<Box<[u8]>, Arc<Verdict>>;

static MEMO: LazyLock<RwLock<Memo>> = LazyLock::new(RwLock::default);

impl<'t> Zones<'t> {
    /// The zones that a calendar stream's TZIDs refer to.
    pub fn of(tree: &'t Tree<'t>) -> Self {
        let all = tree
            .roots()
            .flat_map(|root| root.children_named("VTIMEZONE"))
            .filter(|own| own.span().len() <= LONGEST);
        let own = all.take(MOST_ZONES).map(|component| Own {
            names: component
                .property("TZID")
                .map(|tzid| [tzid.value(), tzid.text()].map(|name| name.trim().to_owned()))
                .unwrap_or_default(),
            component,
            verdict: OnceLock::new(),
        });
        Self { own: own.collect() }
    }

    /// The zone of a TZID for times between two instants (without them: for all times). None when nothing
    /// says what the name means.
    pub fn resolve(&self, tzid: &str, within: Option<(i64, i64)>) -> Option<Zone> {
        let name = tzid.trim();
        let named = |own: &&Own<'_>| {
            !name.is_empty() && own.names.iter().any(|own| own.eq_ignore_ascii_case(name))
        };
        match self.own.iter().find(named) {
            Some(own) => own.verdict().zone(within).or_else(|| name::alias(tzid)),
            None => Zone::named(tzid),
        }
    }

    /// The zone of the first VTIMEZONE: the value of a `calendar-timezone` property (RFC 4791 §5.2.2).
    pub fn only(&self) -> Option<Zone> {
        let own = self.own.first()?;
        let verdict = own.verdict();
        verdict
            .iana
            .clone()
            .or_else(|| verdict.zone(None))
            .or_else(|| Zone::named(&own.names[1]))
    }
}

impl Own<'_> {
    fn verdict(&self) -> &Verdict {
        self.verdict.get_or_init(|| judge(self.component))
    }
}

impl Verdict {
    fn zone(&self, within: Option<(i64, i64)>) -> Option<Zone> {
        let (from, to) = within.unwrap_or((i64::MIN, i64::MAX));
        let later = self.differs.partition_point(|&(_, end)| end <= from);
        let differs = self.differs.get(later).is_some_and(|span| span.0 <= to);
        match (&self.iana, &self.rules) {
            (Some(iana), _) if !differs => Some(iana.clone()),
            (_, Some(rules)) => Some(Zone::Rules(Arc::clone(rules))),
            (iana, None) => iana.clone(),
        }
    }
}

fn tzid_of(vtimezone: Component<'_>) -> Option<String> {
    vtimezone
        .property("TZID")
        .map(|tzid| tzid.text().into_owned())
}

/// The verdict on a VTIMEZONE, from the memo when its very text has been seen.
fn judge(vtimezone: Component<'_>) -> Arc<Verdict> {
    let text = vtimezone.raw();
    // A poisoned lock holds a whole map all the same: nothing panics half-way through an insert.
    if let Some(known) = MEMO.read().unwrap_or_else(|e| e.into_inner()).get(text) {
        return Arc::clone(known);
    }
    let verdict = Arc::new(evaluate(vtimezone));
    let mut memo = MEMO.write().unwrap_or_else(|e| e.into_inner());
    if memo.len() >= MEMO_ENTRIES {
        memo.clear();
    }
    memo.insert(text.into(), Arc::clone(&verdict));
    verdict
}

fn evaluate(vtimezone: Component<'_>) -> Verdict {
    let rules = Rules::of(vtimezone).map(Arc::new);
    let iana = tzid_of(vtimezone).and_then(|tzid| name::iana(&tzid));
    let differs = match (&rules, &iana) {
        (Some(rules), Some(iana)) => differences(rules, iana),
        _ => Vec::new(),
    };
    Verdict {
        rules,
        iana,
        differs,
    }
}

/// The spans of time in which the two have different offsets.
fn differences(rules: &Rules, iana: &Zone) -> Vec<(i64, i64)> {
    let (from, to) = COMPARED;
    let mut points: Vec<i64> = rules.instants().collect();
    if let (Zone::Iana(named), Ok(start)) = (iana, Timestamp::from_second(from)) {
        let later = named
            .zone()
            .following(start)
            .map(|t| t.timestamp().as_second());
        points.extend(later.take_while(|at| *at < to));
    }
    points.push(from);
    points.retain(|at| (from..to).contains(at));
    points.sort_unstable();
    points.dedup();
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for (i, &at) in points.iter().enumerate() {
        if rules.offset_at(at) == iana.offset_at(at) {
            continue;
        }
        let end = points.get(i + 1).copied().unwrap_or(i64::MAX);
        match spans.last_mut() {
            Some(last) if last.1 == at => last.1 = end,
            _ => spans.push((at, end)),
        }
    }
    spans
}
