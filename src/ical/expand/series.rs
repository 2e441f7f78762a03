//! An object, read once for expansion: what its instances start from, what is added, taken out and replaced.

use super::length::{Frame, Length};
use crate::ical::object::{Kind, Object};
use crate::ical::rrule::civil::{self, DAY};
use crate::ical::rrule::{Budget, Rule, Span, Until};
use crate::ical::tree::Component;
use crate::ical::value::{Period, Rdate, When};
use crate::ical::zone::Zones;

/// Until when the offsets of an endless series matter: 2037-12-31, as far as most zone data goes.
const ENDLESS: i64 = 24_836 * DAY;

/// RFC 5545 wants one RRULE at most; more than this are not looked at.
const MOST_RULES: usize = 64;

/// The instances of an object, ready to be walked.
#[derive(Debug)]
pub struct Series {
    pub(super) master: Option<Master>,
    /// Sorted by key.
    pub(super) overrides: Vec<Override>,
    /// Places of the overrides with RANGE=THISANDFUTURE, in their order.
    pub(super) ranges: Vec<usize>,
    /// Components without any date that count as one occurrence of all time.
    pub(super) undated: Vec<usize>,
}

/// An instance of the master, before overrides: its key, civil seconds, and its own length if any.
pub(super) type Instance = (i64, i64, Option<Length>);

/// What the component without RECURRENCE-ID says.
#[derive(Debug)]
pub(super) struct Master {
    pub frame: Frame,
    pub component: usize,
    /// Civil seconds of DTSTART.
    pub start: i64,
    pub length: Length,
    pub rules: Vec<Rule>,
    /// EXRULE, which RFC 5545 deprecated and old calendars have.
    pub exrules: Vec<Rule>,
    pub rdates: Vec<Instance>,
    /// Sorted keys, and sorted first civil seconds of days.
    pub exdates: Vec<i64>,
    pub exdays: Vec<i64>,
}

/// What a component with RECURRENCE-ID says.
#[derive(Debug)]
pub(super) struct Override {
    /// On the master's axis, or its own where there is no master.
    pub key: i64,
    pub local: i64,
    pub this_and_future: bool,
    pub component: usize,
    pub frame: Frame,
    pub start_key: i64,
    pub start: i64,
    pub length: Length,
}

impl Series {
    /// Reads an object.
    pub fn of(object: &Object<'_>, zones: &Zones<'_>) -> Series {
        let overrides = object
            .overrides
            .iter()
            .map(|o| (o.component, &o.recurrence_id, o.this_and_future));
        Self::new(object.kind, object.master, overrides, zones)
    }

    /// The same for components that are not an object of their own, such as the AVAILABLEs of RFC 7953.
    pub fn new<'a>(
        kind: Kind,
        master: Option<Component<'_>>,
        overrides: impl Iterator<Item = (Component<'a>, &'a When, bool)>,
        zones: &Zones<'_>,
    ) -> Series {
        let mut series = Series {
            master: None,
            overrides: Vec::new(),
            ranges: Vec::new(),
            undated: Vec::new(),
        };
        let undated = |component: Component<'_>| (kind == Kind::Todo).then(|| component.index());
        if let Some(component) = master {
            series.master = Master::of(component, zones);
            if series.master.is_none() {
                series.undated.extend(undated(component));
            }
        }
        for (component, id, this_and_future) in overrides {
            match Override::of(
                component,
                id,
                this_and_future,
                series.master.as_ref(),
                zones,
            ) {
                Some(found) => series.overrides.push(found),
                None => series.undated.extend(undated(component)),
            }
        }
        // Of two for one instance the later in the stream counts.
        series
            .overrides
            .sort_by_key(|o| (o.key, std::cmp::Reverse(o.component)));
        series.overrides.dedup_by_key(|o| o.key);
        let listed = series.overrides.iter().enumerate();
        series.ranges = listed
            .filter_map(|(place, o)| o.this_and_future.then_some(place))
            .collect();
        series
    }

    /// Does a rule go on without end?
    pub fn is_endless(&self) -> bool {
        let rules = self.master.iter().flat_map(|master| &master.rules);
        rules.into_iter().any(|rule| !rule.is_finite())
    }

    /// Has it more than one instance, or can it have?
    pub fn is_recurring(&self) -> bool {
        let master = self.master.as_ref();
        master.is_some_and(|m| !m.rules.is_empty() || !m.rdates.is_empty())
            || !self.overrides.is_empty()
    }

    /// See [`extent`](super::extent).
    pub fn extent(&self) -> (Option<i64>, Option<i64>) {
        if !self.undated.is_empty() {
            return (Some(civil::MIN), None);
        }
        let (mut first, mut last) = (None::<i64>, Some(i64::MIN));
        let mut widen = |start: i64, end: Option<i64>| {
            first = Some(first.map_or(start, |first| first.min(start)));
            last = last.zip(end).map(|(last, end)| last.max(end));
        };
        for over in &self.overrides {
            widen(
                over.start_key,
                Some(over.frame.end(over.start_key, over.start, over.length)),
            );
        }
        if let Some(master) = &self.master {
            let (earlier, later) = (self.earlier(), self.later());
            for (key, local, length) in master.listed() {
                let own = master.end(key, local, length);
                let moved = key.saturating_add(if self.ranges.is_empty() { 0 } else { later });
                widen(key.saturating_sub(earlier), Some(own.max(moved)));
            }
            let first = master.frame.earliest(master.start).saturating_sub(earlier);
            let budget = Budget::default();
            for rule in &master.rules {
                let last = master.last_of(rule, &budget);
                widen(first, last.map(|last| last.saturating_add(later)));
            }
        }
        (first, last.filter(|_| first.is_some()))
    }

    /// How much earlier than its key an instance may start, by RANGE=THISANDFUTURE.
    pub(super) fn earlier(&self) -> i64 {
        let shifts = self.ranges.iter().map(|&place| &self.overrides[place]);
        shifts
            .map(|o| o.local.saturating_sub(o.start))
            .fold(0, i64::max)
            .saturating_add(self.slack())
    }

    /// How much later than its key an instance may end.
    pub(super) fn later(&self) -> i64 {
        let shifts = self.ranges.iter().map(|&place| &self.overrides[place]);
        let shifted = shifts.map(|o| {
            o.start
                .saturating_sub(o.local)
                .max(0)
                .saturating_add(o.length.longest())
        });
        let rdates = self
            .master
            .iter()
            .flat_map(|m| &m.rdates)
            .filter_map(|(.., length)| *length);
        let own = self.master.as_ref().map_or(0, |m| m.length.longest());
        shifted
            .chain(rdates.map(Length::longest))
            .fold(own, i64::max)
            .saturating_add(self.slack())
    }

    /// Instances are moved by civil seconds; their keys may be of two zones, each less than a day from UTC.
    fn slack(&self) -> i64 {
        if self.ranges.is_empty() { 0 } else { 2 * DAY }
    }
}

impl Master {
    /// None without a date to start from: DTSTART, or DUE where a to-do has only that.
    fn of(component: Component<'_>, zones: &Zones<'_>) -> Option<Master> {
        let start = start_of(component)?;
        let rules = read_rules(component, "RRULE");
        let civil_start = civil::seconds(start.civil());
        let frame = Frame::of(
            &start,
            zones,
            Some(when_offsets_matter(component, civil_start, &rules)),
        );
        let mut master = Master {
            component: component.index(),
            length: Length::of(component, &start, &frame, zones),
            start: if frame.date {
                civil_start.div_euclid(DAY) * DAY
            } else {
                civil_start
            },
            frame,
            rules,
            exrules: read_rules(component, "EXRULE"),
            rdates: Vec::new(),
            exdates: Vec::new(),
            exdays: Vec::new(),
        };
        master.read_rdates(component, zones);
        master.read_exdates(component, zones);
        master.count_the_start();
        Some(master)
    }

    /// Key and civil seconds of an instance that another property names. A DATE among times is that day at
    /// DTSTART's time.
    fn place_of(&self, when: &When, zones: &Zones<'_>) -> (i64, i64) {
        match when {
            When::Date(date) if !self.frame.date => {
                let day = civil::seconds(date.at(0, 0, 0, 0));
                let local = day + self.start.rem_euclid(DAY);
                (self.frame.key(local), local)
            }
            when => {
                let key = self.frame.key_of(when, zones);
                (key, self.frame.local(key))
            }
        }
    }

    fn read_rdates(&mut self, component: Component<'_>, zones: &Zones<'_>) {
        for rdate in component
            .properties_named("RDATE")
            .filter_map(|p| Rdate::list(p).ok())
            .flatten()
        {
            let (key, local) = self.place_of(rdate.start(), zones);
            let length = match &rdate {
                Rdate::Start(_) => None,
                Rdate::Period(Period::Explicit { start, end }) => {
                    Some(Length::until(start, end, &self.frame, zones))
                }
                Rdate::Period(Period::Lasting { duration, .. }) => {
                    Some(Length::lasting(duration, &self.frame))
                }
            };
            self.rdates.push((key, local, length));
        }
    }

    fn read_exdates(&mut self, component: Component<'_>, zones: &Zones<'_>) {
        for property in component.properties_named("EXDATE") {
            for when in When::list(property).unwrap_or_default() {
                match when {
                    When::Date(date) => self.exdays.push(civil::seconds(date.at(0, 0, 0, 0))),
                    when => self.exdates.push(self.frame.key_of(&when, zones)),
                }
            }
        }
        self.exdates.sort_unstable();
        self.exdays.sort_unstable();
    }

    /// COUNT counts DTSTART even where the rule does not match it.
    fn count_the_start(&mut self) {
        let span = self.span(None, Some(self.start));
        for rule in &mut self.rules {
            let Some(count) = rule.count else { continue };
            let budget = Budget::new(Budget::STEPS, 1);
            if rule.instances(span, &budget).next().is_none() {
                rule.count = Some(count - 1);
            }
        }
    }

    /// DTSTART and what RDATE adds.
    pub fn listed(&self) -> impl Iterator<Item = Instance> {
        let first = (self.frame.key(self.start), self.start, None);
        std::iter::once(first).chain(self.rdates.iter().copied())
    }

    /// The end of an instance.
    pub fn end(&self, key: i64, local: i64, length: Option<Length>) -> i64 {
        self.frame.end(key, local, length.unwrap_or(self.length))
    }

    /// A walk over civil seconds; bounds outside of the calendar are none.
    pub fn span(&self, from: Option<i64>, to: Option<i64>) -> Span {
        let bound = |at: i64| civil::date_time(at.clamp(civil::MIN, civil::MAX));
        Span {
            dtstart: civil::date_time(self.start).unwrap_or_default(),
            date: self.frame.date,
            from: from.and_then(bound),
            to: to.and_then(bound),
        }
    }

    /// The bound that UNTIL sets, as a key and as civil seconds wide enough for it.
    pub fn until(&self, rule: &Rule) -> (i64, i64) {
        match rule.until {
            None => (i64::MAX, civil::MAX),
            Some(Until::Utc(at)) if self.frame.zone.is_some() => {
                let key = civil::seconds(at);
                // No clock is a day ahead of UTC.
                (key, key.saturating_add(DAY))
            }
            Some(until) => {
                let local = civil::seconds(until.last_local());
                (i64::MAX, local)
            }
        }
    }

    /// The last start that a rule makes, or a little after it. None: without end, or too far to count.
    fn last_of(&self, rule: &Rule, budget: &Budget) -> Option<i64> {
        if rule.until.is_some() {
            let (key, local) = self.until(rule);
            return Some(key.min(self.frame.latest(local)));
        }
        rule.count?;
        let last = rule.instances(self.span(None, None), budget).last();
        if budget.exhausted() {
            return None;
        }
        Some(self.frame.latest(last.map_or(self.start, civil::seconds)))
    }
}

impl Override {
    fn of(
        component: Component<'_>,
        id: &When,
        this_and_future: bool,
        master: Option<&Master>,
        zones: &Zones<'_>,
    ) -> Option<Override> {
        // An override without times stands where its instance was.
        let start = start_of(component).or_else(|| (!component.is("VTODO")).then(|| id.clone()))?;
        let at = civil::seconds(start.civil());
        let within = Some((at - DAY, at + DAY));
        let frame = match master.map(|master| &master.frame) {
            Some(master) if master.tzid.as_deref() == start.tzid() && start.tzid().is_some() => {
                Frame {
                    date: false,
                    ..master.clone()
                }
            }
            _ => Frame::of(&start, zones, within),
        };
        let (key, local) = match master {
            Some(master) => master.place_of(id, zones),
            None => {
                let own = Frame::of(id, zones, within);
                let key = own.key_of(id, zones);
                (key, own.local(key))
            }
        };
        let start_key = frame.key_of(&start, zones);
        Some(Override {
            key,
            local,
            this_and_future,
            component: component.index(),
            length: Length::of(component, &start, &frame, zones),
            start: frame.local(start_key),
            start_key,
            frame,
        })
    }
}

/// DTSTART, or DUE where a to-do has only that.
fn start_of(component: Component<'_>) -> Option<When> {
    let named = |name| When::of(component.property(name)?).ok();
    named("DTSTART").or_else(|| named("DUE").filter(|_| component.is("VTODO")))
}

fn read_rules(component: Component<'_>, name: &str) -> Vec<Rule> {
    component
        .properties_named(name)
        .take(MOST_RULES)
        .filter_map(|p| Rule::parse(&p.value()).ok())
        .collect()
}

/// The instants between which a component's TZID is asked for offsets.
fn when_offsets_matter(component: Component<'_>, start: i64, rules: &[Rule]) -> (i64, i64) {
    let mut last = start;
    for rule in rules {
        let end = rule
            .until
            .map_or(ENDLESS, |until| civil::seconds(until.last_local()));
        last = last.max(end);
    }
    if component.property("RDATE").is_some() {
        last = last.max(ENDLESS);
    }
    (start - DAY, last + DAY)
}
