//! TZIDs of theirs in our text, and the VTIMEZONEs behind them. RFC 5545 §3.2.19, §3.6.5.

use std::collections::{BTreeMap, BTreeSet};

use super::version::Version;
use crate::ical::rrule::civil;
use crate::ical::tree::{Component, Limits, Property, Tree};
use crate::ical::value::{Rdate, When};
use crate::ical::write::{Patch, content_line};
use crate::ical::zone::{Zone, vtimezone};

/// What their TZIDs are called in our text.
pub(super) struct Names<'v, 't> {
    ours: &'v Version<'t>,
    theirs: &'v Version<'t>,
    used: BTreeSet<String>,
    /// Name in our text → theirs, and the earliest use.
    taken: BTreeMap<String, (String, i64)>,
}

/// Begins a definition that we make so much before the first use, so that an earlier edit is covered too.
const YEAR: i64 = 366 * 86_400;

impl<'v, 't> Names<'v, 't> {
    pub fn new(ours: &'v Version<'t>, theirs: &'v Version<'t>) -> Self {
        Names {
            ours,
            theirs,
            used: used(ours.object.calendar),
            taken: BTreeMap::new(),
        }
    }

    /// Their time as it is written in our text.
    pub fn when(&mut self, when: When) -> When {
        match when {
            When::Zoned { at, tzid } => When::Zoned {
                at,
                tzid: self.tzid(&tzid, civil::seconds(at)),
            },
            other => other,
        }
    }

    /// The line of a property of theirs with our TZID; `None` where it has none.
    pub fn line(&mut self, property: Property<'_>) -> Option<String> {
        let tzid = property.param("TZID")?;
        let times = Rdate::list(property).unwrap_or_default();
        let near = times
            .iter()
            .map(|time| civil::seconds(time.start().civil()));
        let name = self.tzid(&tzid, near.min().unwrap_or(0));
        let params: Vec<(String, String)> = property
            .params()
            .map(|param| match param.is("TZID") {
                true => ("TZID".to_owned(), name.clone()),
                false => (param.name().to_owned(), param.value().into_owned()),
            })
            .collect();
        let params: Vec<(&str, &str)> = params
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Some(content_line(property.name(), &params, &property.value()))
    }

    /// Our name for their zone.
    pub fn tzid(&mut self, tzid: &str, near: i64) -> String {
        let wanted = self.theirs.times.zone_name(tzid, near);
        let same = |ours: &str| self.ours.times.zone_name(ours, near) == wanted;
        if self.used.contains(tzid) && same(tzid) {
            return tzid.to_owned();
        }
        if let Some(name) = self.used.iter().find(|ours| same(ours)) {
            return name.clone();
        }
        let free = |name: &str| !self.used.contains(name) && !self.is_defined(name);
        let numbered = (2..).map(|n| format!("{tzid} ({n})"));
        let known_to_all = Some(wanted.clone()).filter(|name| Zone::named(name).is_some());
        let name = std::iter::once(tzid.to_owned())
            .chain(known_to_all)
            .chain(numbered.take(64))
            .find(|name| free(name) || self.taken.get(name).is_some_and(|(of, _)| of == tzid))
            .unwrap_or_else(|| tzid.to_owned());
        let known = self
            .taken
            .entry(name.clone())
            .or_insert_with(|| (tzid.to_owned(), near));
        known.1 = known.1.min(near);
        name
    }

    /// Has our text a VTIMEZONE of that name that means something else than theirs?
    fn is_defined(&self, name: &str) -> bool {
        let mut zones = self.ours.object.timezones.iter();
        zones.any(|zone| tzid_of(*zone).as_deref() == Some(name))
    }

    /// The merged text with the definitions that it needs, without those that it needs no more.
    pub fn settle(&self, text: Vec<u8>) -> Vec<u8> {
        let Ok(tree) = Tree::parse(&text, &Limits::default()) else {
            return text;
        };
        let Some(root) = tree.roots().next() else {
            return text;
        };
        let now = used(root);
        let mut patch = Patch::new(&tree);
        let mut defined = BTreeSet::new();
        for zone in root.children_named("VTIMEZONE") {
            let Some(tzid) = tzid_of(zone) else { continue };
            if self.used.contains(&tzid) && !now.contains(&tzid) {
                patch.remove_component(zone);
            }
            defined.insert(tzid);
        }
        let missing = self.taken.iter().filter(|(name, _)| now.contains(*name));
        let missing = missing.filter(|(name, _)| !defined.contains(*name));
        let lines: String = missing
            .filter_map(|(name, (theirs, first))| self.definition(name, theirs, *first))
            .collect();
        if !lines.is_empty()
            && let Some(first) = root.children().next()
        {
            patch.insert_before(first, lines);
        }
        patch.apply()
    }

    fn definition(&self, name: &str, theirs: &str, first: i64) -> Option<String> {
        let mut zones = self.theirs.object.timezones.iter();
        let Some(zone) = zones.find(|zone| tzid_of(**zone).as_deref() == Some(theirs)) else {
            return vtimezone(name, first.saturating_sub(YEAR), None);
        };
        let mut lines = String::new();
        super::lines::push_component(*zone, &mut lines, &mut |property| {
            property.is("TZID").then(|| content_line("TZID", &[], name))
        });
        Some(lines)
    }
}

fn tzid_of(zone: Component<'_>) -> Option<String> {
    zone.property("TZID").map(|p| p.text().trim().to_owned())
}

/// The TZIDs that a calendar's components name.
fn used(root: Component<'_>) -> BTreeSet<String> {
    fn collect(part: Component<'_>, into: &mut BTreeSet<String>) {
        let tzids = part
            .properties()
            .filter_map(|p: Property<'_>| p.param("TZID"));
        into.extend(tzids.map(|tzid| tzid.into_owned()));
        for child in part.children().filter(|child| !child.is("VTIMEZONE")) {
            collect(child, into);
        }
    }
    let mut all = BTreeSet::new();
    collect(root, &mut all);
    all
}
