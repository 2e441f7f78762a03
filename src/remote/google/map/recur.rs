//! RRULE, EXRULE, RDATE and EXDATE ↔ the lines of `recurrence`. RFC 5545 §3.8.5; FACTS §2.3.
//!
//! Dates are instances ([`Rid`]), so that it does not matter in which zone each was written. They go out with the
//! series' own IANA zone, in UTC, or as DATE: never with a TZID that Google would have to guess (FACTS §8, *EXDATE
//! shifted*).

use std::collections::BTreeSet;

use crate::ical::property::Property;
use crate::ical::rrule::{Rule, RuleError, Until, civil};
use crate::ical::tree::{Limits, Tree};
use crate::ical::value::{Rdate, When};
use crate::ical::zone::Zone;
use crate::remote::google::wire::{Json, Rid, Time, list, utc_form};

/// How instances of a series are told apart: days, or instants in its zone.
#[derive(Clone, Debug)]
pub struct Frame {
    /// None: whole days.
    pub zone: Option<(Zone, String)>,
    /// The series' local start, for dates without a time.
    pub start: jiff::civil::DateTime,
}

/// What a series repeats by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recurrence {
    pub rules: Vec<RuleLine>,
    pub dates: BTreeSet<Rid>,
    pub excluded: BTreeSet<Rid>,
}

/// An RRULE or EXRULE, its UNTIL as Google wants it: UTC in a timed series, a DATE in one of whole days.
#[derive(Clone, Debug)]
pub struct RuleLine {
    pub name: &'static str,
    pub text: String,
}

impl PartialEq for RuleLine {
    fn eq(&self, other: &RuleLine) -> bool {
        self.name == other.name && self.parts() == other.parts()
    }
}

impl Eq for RuleLine {}

impl RuleLine {
    /// Its parts without order and without what is the default anyway.
    fn parts(&self) -> BTreeSet<String> {
        self.text
            .split(';')
            .map(|part| part.trim().to_ascii_uppercase())
            .filter(|part| !part.is_empty() && part != "INTERVAL=1" && part != "WKST=MO")
            .collect()
    }
}

impl Frame {
    /// The frame of a start; none without one.
    pub fn of(start: &Time) -> Frame {
        match start {
            Time::Day(day) => Frame {
                zone: None,
                start: day.at(0, 0, 0, 0),
            },
            Time::At { instant, zone } => {
                let rules = Zone::named(zone).unwrap_or(Zone::Utc);
                Frame {
                    start: rules.to_civil(*instant),
                    zone: Some((rules, zone.clone())),
                }
            }
        }
    }

    /// The instance that a date names; `zones` gives a TZID its meaning.
    pub fn rid(&self, when: &When, zones: &dyn Fn(&str, i64) -> Option<Zone>) -> Rid {
        let Some((zone, _)) = &self.zone else {
            return Rid::Day(when.date());
        };
        Rid::At(match when {
            When::Utc(at) => civil::seconds(*at),
            When::Floating(at) => zone.to_instant(*at),
            When::Date(day) => zone.to_instant(day.to_datetime(self.start.time())),
            When::Zoned { at, tzid } => zones(tzid, civil::seconds(*at))
                .as_ref()
                .unwrap_or(zone)
                .to_instant(*at),
        })
    }

    /// An instance as a property's value: with its zone, in UTC, or as a day.
    pub fn when(&self, rid: Rid) -> When {
        match (rid, &self.zone) {
            (Rid::Day(day), _) => When::Date(day),
            (Rid::At(instant), Some((zone, tzid))) if tzid != "UTC" => When::Zoned {
                at: zone.to_civil(instant),
                tzid: tzid.clone(),
            },
            (Rid::At(instant), _) => When::Utc(Zone::Utc.to_civil(instant)),
        }
    }

    /// The parameter and the values of a list of instances.
    pub fn values(&self, rids: &BTreeSet<Rid>) -> (Option<(&'static str, String)>, String) {
        let whens: Vec<When> = rids.iter().map(|rid| self.when(*rid)).collect();
        let param = whens.first().and_then(When::param);
        let texts: Vec<String> = whens.iter().map(When::to_string).collect();
        (
            param.map(|(name, value)| (name, value.to_owned())),
            texts.join(","),
        )
    }

    /// A rule with its UNTIL in the form that this series wants.
    ///
    /// # Errors
    /// What [`Rule::parse`] says.
    pub fn rule(&self, name: &'static str, text: &str) -> Result<RuleLine, RuleError> {
        let rule = Rule::parse(text)?;
        let until = rule.until.map(|until| self.until(until));
        let parts: Vec<String> = text
            .trim()
            .split(';')
            .filter(|part| !part.trim().is_empty())
            .map(|part| match &until {
                Some(until) if is_until(part) => format!("UNTIL={until}"),
                _ => part.trim().to_ascii_uppercase(),
            })
            .collect();
        Ok(RuleLine {
            name,
            text: parts.join(";"),
        })
    }

    fn until(&self, until: Until) -> String {
        match &self.zone {
            None => When::Date(until.last_local().date()).to_string(),
            Some((zone, _)) => utc_form(match until {
                Until::Utc(at) => civil::seconds(at),
                Until::Local(at) => zone.to_instant(at),
                Until::Date(_) => zone.to_instant(until.last_local()),
            }),
        }
    }
}

fn is_until(part: &str) -> bool {
    let name = part.trim().split('=').next().unwrap_or_default();
    name.trim().eq_ignore_ascii_case("UNTIL")
}

impl Recurrence {
    pub fn is_empty(&self) -> bool {
        self == &Recurrence::default()
    }

    /// Reads a resource's `recurrence`. A rule that we can not read stays as it is; other lines are skipped.
    pub fn of_json(doc: &Json, frame: &Frame) -> Recurrence {
        let mut text = String::from("BEGIN:VEVENT\r\n");
        for line in list(doc, "recurrence")
            .iter()
            .filter_map(|line| line.as_str())
        {
            if !line.chars().any(char::is_control) {
                text.push_str(line);
                text.push_str("\r\n");
            }
        }
        text.push_str("END:VEVENT\r\n");
        let mut found = Recurrence::default();
        let Ok(tree) = Tree::parse(text.as_bytes(), &Limits::default()) else {
            return found;
        };
        let named = |tzid: &str, _: i64| Zone::named(tzid);
        for property in tree.roots().flat_map(|root| root.properties()) {
            let name = property.name().to_ascii_uppercase();
            match name.as_str() {
                "RRULE" => found.rules.push(lenient(frame, "RRULE", property)),
                "EXRULE" => found.rules.push(lenient(frame, "EXRULE", property)),
                "RDATE" => found.dates.extend(rdates(frame, property, &named)),
                "EXDATE" => found.excluded.extend(exdates(frame, property, &named)),
                _ => {}
            }
        }
        found
    }

    /// The lines for a resource.
    pub fn lines(&self, frame: &Frame) -> Vec<String> {
        let rules = self
            .rules
            .iter()
            .map(|rule| format!("{}:{}", rule.name, rule.text));
        let mut lines: Vec<String> = rules.collect();
        for (name, rids) in [("RDATE", &self.dates), ("EXDATE", &self.excluded)] {
            if rids.is_empty() {
                continue;
            }
            let (param, values) = frame.values(rids);
            let param = param.map_or_else(String::new, |(name, value)| format!(";{name}={value}"));
            lines.push(format!("{name}{param}:{values}"));
        }
        lines
    }
}

fn lenient(frame: &Frame, name: &'static str, property: Property<'_>) -> RuleLine {
    let text = property.value();
    frame.rule(name, &text).unwrap_or_else(|_| RuleLine {
        name,
        text: text.trim().to_owned(),
    })
}

/// The instances that an RDATE adds; periods by their start.
pub fn rdates(
    frame: &Frame,
    property: Property<'_>,
    zones: &dyn Fn(&str, i64) -> Option<Zone>,
) -> Vec<Rid> {
    let all = Rdate::list(property).unwrap_or_default();
    all.iter()
        .map(|date| frame.rid(date.start(), zones))
        .collect()
}

/// The instances that an EXDATE takes out.
pub fn exdates(
    frame: &Frame,
    property: Property<'_>,
    zones: &dyn Fn(&str, i64) -> Option<Zone>,
) -> Vec<Rid> {
    let all = When::list(property).unwrap_or_default();
    all.iter().map(|date| frame.rid(date, zones)).collect()
}
