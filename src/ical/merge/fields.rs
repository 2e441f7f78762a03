//! The fields of one component, and what is in it.

use std::collections::{BTreeMap, BTreeSet};

use super::lines::push_component;
use super::series::{Do, Merger};
use super::version::Four;
use crate::ical::canonical::times::{Times, is_time};
use crate::ical::canonical::value::{self, is_set};
use crate::ical::canonical::{self, is_bookkeeping};
use crate::ical::text;
use crate::ical::tree::{Component, Property};
use crate::ical::write::{content_line, line_of};

/// Where a field is, for the report.
pub(super) struct Place {
    pub rid: Option<String>,
    /// The components around it, each with a dot behind.
    pub path: String,
}

impl Place {
    pub fn master() -> Place {
        Place {
            rid: None,
            path: String::new(),
        }
    }

    pub fn instance(rid: String) -> Place {
        Place {
            rid: Some(rid),
            path: String::new(),
        }
    }

    fn inside(&self, part: Component<'_>) -> Place {
        Place {
            rid: self.rid.clone(),
            path: format!("{}{}.", self.path, part.name().to_ascii_uppercase()),
        }
    }
}

/// Properties that may come more than once (RFC 5545 §3.6, RFC 7986, RFC 9073, RFC 9253): each is a field of its own.
/// Unknown ones are too where a component has several.
const REPEATED: [&str; 13] = [
    "ATTENDEE",
    "ATTACH",
    "COMMENT",
    "CONTACT",
    "RELATED-TO",
    "REQUEST-STATUS",
    "IMAGE",
    "CONFERENCE",
    "STRUCTURED-DATA",
    "LINK",
    "CONCEPT",
    "REFID",
    "FREEBUSY",
];

/// Parameters that belong to the value as it is written, or tell of that very text: they come and go with it.
const WITH_VALUE: [&str; 5] = ["VALUE", "ENCODING", "FMTTYPE", "ALTREP", "TZID"];

/// Parameters that are no edit of ours where a reading lacks them.
fn is_seldom_held(param: &str) -> bool {
    const NAMES: [&str; 4] = ["LANGUAGE", "ALTREP", "DIR", "FMTTYPE"];
    NAMES.iter().any(|name| param.eq_ignore_ascii_case(name))
        || param
            .get(..2)
            .is_some_and(|head| head.eq_ignore_ascii_case("X-"))
}

type Parts<'t> = Four<Option<Component<'t>>>;

impl<'t> Merger<'_, 't> {
    /// Merges what two components say, but for their times.
    pub fn fields(&mut self, place: &Place, four: &Parts<'t>) {
        let Some(ours) = four.ours else { return };
        let all = [four.our_base, four.ours, four.their_base, four.theirs];
        let names: BTreeSet<String> = all
            .into_iter()
            .flatten()
            .flat_map(|part| part.properties().filter(move |p| !is_time(part, *p)))
            .map(|property| property.name().to_ascii_uppercase())
            .filter(|name| !is_bookkeeping(name) && !name.is_empty())
            .collect();
        for name in names {
            if is_set(&name) {
                self.set(&name, four, ours);
            } else if name != "UID" {
                self.named(place, &name, four, ours);
            }
        }
        self.sequence(four, ours);
        self.children(place, four, ours);
    }

    /// RFC 5545 §3.8.7.4: of two sequences the higher, once theirs has changed.
    fn sequence(&mut self, four: &Parts<'t>, ours: Component<'t>) {
        let read = |part: Option<Component<'t>>| {
            let value = part?.property("SEQUENCE")?.value().trim().parse::<u32>();
            value.ok()
        };
        let (own, before, theirs) = (read(four.ours), read(four.their_base), read(four.theirs));
        if let Some(theirs) = theirs.filter(|_| theirs > own && theirs != before) {
            let line = content_line("SEQUENCE", &[], &theirs.to_string());
            self.patch.set(ours, "SEQUENCE", line);
        }
    }

    /// A set: what theirs added comes, what theirs removed goes.
    fn set(&mut self, name: &str, four: &Parts<'t>, ours: Component<'t>) {
        let sets = four.map(|part| -> BTreeSet<String> {
            let properties = part.iter().flat_map(|part| part.properties_named(name));
            properties.flat_map(value::elements).collect()
        });
        let gone: BTreeSet<&String> = sets
            .their_base
            .difference(&sets.theirs)
            .filter(|item| sets.ours.contains(*item))
            .collect();
        let new: Vec<String> = sets
            .theirs
            .difference(&sets.their_base)
            .filter(|item| !sets.ours.contains(*item))
            .map(|item| text::escape(item))
            .collect();
        let added = sets.ours.difference(&sets.our_base);
        self.told.theirs_changed |= added
            .into_iter()
            .any(|item| !sets.theirs.contains(item) && !gone.contains(item));
        let removed = sets.our_base.difference(&sets.ours);
        self.told.theirs_changed |= removed.into_iter().any(|item| sets.theirs.contains(item));
        if gone.is_empty() && new.is_empty() {
            return;
        }
        self.told.ours_changed = true;
        self.write_set(name, ours, &gone, new);
    }

    fn write_set(
        &mut self,
        name: &str,
        ours: Component<'t>,
        gone: &BTreeSet<&String>,
        mut new: Vec<String>,
    ) {
        let mut left_anywhere = false;
        for property in ours.properties_named(name) {
            let raw = property.value();
            let left: Vec<&str> = text::split(&raw, b',')
                .filter(|item| !gone.contains(&text::unescape(item).trim().to_owned()))
                .collect();
            let changed = left.len() < text::split(&raw, b',').count();
            if left.iter().all(|item| item.trim().is_empty()) {
                self.patch.remove(property);
            } else if changed || !new.is_empty() {
                let items: Vec<String> = left
                    .iter()
                    .map(|item| item.to_string())
                    .chain(new.drain(..))
                    .collect();
                self.patch.set_value(property, &items.join(","));
                left_anywhere = true;
            }
        }
        if !new.is_empty() && !left_anywhere {
            self.patch
                .insert(ours, content_line(name, &[], &new.join(",")));
        }
    }

    /// The properties of one name: one field, or one for each address or value.
    fn named(&mut self, place: &Place, name: &str, four: &Parts<'t>, ours: Component<'t>) {
        let lists = four.map(|part| -> Vec<Property<'t>> {
            part.iter()
                .flat_map(|part| part.properties_named(name))
                .collect()
        });
        let single = [
            &lists.our_base,
            &lists.ours,
            &lists.their_base,
            &lists.theirs,
        ]
        .iter()
        .all(|list| list.len() <= 1);
        let repeated = REPEATED.contains(&name) || !single && name.starts_with("X-");
        if !repeated {
            let firsts = lists.map(|list| list.first().copied());
            self.field(place, name, four, &firsts, ours);
            return;
        }
        let keyed = self.four.with(
            &Four {
                our_base: &lists.our_base,
                ours: &lists.ours,
                their_base: &lists.their_base,
                theirs: &lists.theirs,
            },
            |times, list| by_value(list, times),
        );
        let keys: BTreeSet<&String> = keyed
            .our_base
            .keys()
            .chain(keyed.ours.keys())
            .chain(keyed.theirs.keys())
            .chain(keyed.their_base.keys())
            .collect();
        for key in keys {
            let one = keyed.map(|all| all.get(key).copied());
            self.field(place, &format!("{name} {key}"), four, &one, ours);
        }
    }

    fn field(
        &mut self,
        place: &Place,
        label: &str,
        parts: &Parts<'t>,
        four: &Four<Option<Property<'t>>>,
        ours: Component<'t>,
    ) {
        let both = Four {
            our_base: parts.our_base.zip(four.our_base),
            ours: parts.ours.zip(four.ours),
            their_base: parts.their_base.zip(four.their_base),
            theirs: parts.theirs.zip(four.theirs),
        };
        let mut meaning = self.four.with(&both, |times, found| {
            found.and_then(|(part, property)| value::meaning(part, property, times))
        });
        if let (Some(base), Some(own)) = (four.our_base, four.ours)
            && self.is_more_of(base, own)
        {
            // Ours alone, and no reason for a conflict.
            self.told.theirs_changed |= meaning.ours != meaning.our_base;
            meaning.ours.clone_from(&meaning.our_base);
        }
        let shown =
            || [four.our_base, four.ours, four.theirs].map(|p| p.map(|p| p.text().into_owned()));
        if self.told.decide(place, label, &meaning, shown) == Do::Keep {
            return;
        }
        match (four.ours, four.theirs) {
            (None, None) => {}
            (Some(own), None) => {
                self.patch.remove(own);
            }
            (None, Some(theirs)) => {
                let line = self.names.line(theirs).unwrap_or_else(|| line_of(theirs));
                self.patch.insert(ours, line);
            }
            (Some(own), Some(theirs)) => self.edit(own, four.their_base, theirs),
        }
    }

    /// Does ours say what the base says, and perhaps more in parameters that readings seldom hold?
    fn is_more_of(&self, base: Property<'t>, own: Property<'t>) -> bool {
        let times = (&self.four.our_base.times, &self.four.ours.times);
        if value::value(base, times.0) != value::value(own, times.1) {
            return false;
        }
        let held = |property: Property<'t>| -> BTreeSet<String> {
            let params = property
                .params()
                .filter(|param| !is_seldom_held(param.name()));
            params.filter_map(|param| value::param_of(&param)).collect()
        };
        held(base) == held(own)
    }

    /// Changes a property of ours as theirs changed: the value, and those parameters that differ from the base.
    fn edit(&mut self, own: Property<'t>, base: Option<Property<'t>>, theirs: Property<'t>) {
        let times = &self.four.theirs.times;
        let same_value = value::value(own, &self.four.ours.times) == value::value(theirs, times);
        let param = |of: Option<Property<'t>>, name: &str| -> Option<String> {
            let found = of?.params().find(|param| param.is(name))?;
            Some(found.raw().to_owned())
        };
        let mut params: Vec<(String, String)> = own
            .params()
            .map(|param| (param.name().to_owned(), param.raw().to_owned()))
            .collect();
        let before = params.clone();
        let names: BTreeSet<String> = [base, Some(theirs), Some(own)]
            .into_iter()
            .flatten()
            .flat_map(|p| {
                p.params()
                    .map(|param| param.name().to_ascii_uppercase())
                    .collect::<Vec<_>>()
            })
            .collect();
        for name in names {
            let with_value = WITH_VALUE.contains(&name.as_str());
            let wanted = param(Some(theirs), &name);
            if with_value && same_value || !with_value && param(base, &name) == wanted {
                continue;
            }
            match (
                params
                    .iter()
                    .position(|(known, _)| known.eq_ignore_ascii_case(&name)),
                wanted,
            ) {
                (Some(at), Some(raw)) => params[at].1 = raw,
                (None, Some(raw)) => params.push((name, raw)),
                (Some(at), None) => drop(params.remove(at)),
                (None, None) => {}
            }
        }
        let value = if same_value {
            own.value()
        } else {
            theirs.value()
        };
        if params == before {
            self.patch.set_value(own, &value);
            return;
        }
        let mut line = own.name().to_owned();
        for (name, raw) in &params {
            line.extend([";", name, "=", raw]);
        }
        let line = crate::ical::write::fold(&format!("{line}:{value}")) + "\r\n";
        self.patch.replace(own, line);
    }

    /// Alarms, participants and other components inside.
    fn children(&mut self, place: &Place, four: &Parts<'t>, ours: Component<'t>) {
        let keyed = self.four.with(four, |times, part| {
            part.map(|part| by_identity(part, times))
                .unwrap_or_default()
        });
        let keys: BTreeSet<&String> = keyed
            .our_base
            .keys()
            .chain(keyed.ours.keys())
            .chain(keyed.theirs.keys())
            .collect();
        for key in keys {
            let one = keyed.map(|all| all.get(key).copied());
            self.child(place, &one, ours);
        }
    }

    fn child(&mut self, place: &Place, four: &Parts<'t>, parent: Component<'t>) {
        if let (Some(own), Some(_)) = (four.ours, four.theirs) {
            // Both have it: what either changed of it since, or all of it where it is new, is in its fields.
            self.fields(&place.inside(own), four);
            return;
        }
        let Some(name) = [four.ours, four.theirs, four.our_base]
            .into_iter()
            .flatten()
            .next()
        else {
            return;
        };
        let name = name.name().to_ascii_uppercase();
        let content = self.four.with(four, |times, part| {
            part.map(|part| canonical::component(part, times))
        });
        let shown = || {
            [four.our_base, four.ours, four.theirs]
                .map(|part| part.map(|part| String::from_utf8_lossy(part.raw()).into_owned()))
        };
        if self.told.decide(place, &name, &content, shown) == Do::Keep {
            return;
        }
        if let Some(own) = four.ours {
            self.patch.remove_component(own);
        }
        if let Some(theirs) = four.theirs {
            let (mut lines, names) = (String::new(), &mut self.names);
            push_component(theirs, &mut lines, &mut |property| names.line(property));
            self.patch.insert_component(parent, lines);
        }
    }
}

/// Properties by their address or value; equal ones are counted.
fn by_value<'t>(list: &[Property<'t>], times: &Times<'_>) -> BTreeMap<String, Property<'t>> {
    let mut all = BTreeMap::new();
    for property in list {
        let key = value::value(*property, times);
        insert(&mut all, key, *property);
    }
    all
}

/// Components inside of one, by what makes each the same on both sides.
fn by_identity<'t>(part: Component<'t>, times: &Times<'_>) -> BTreeMap<String, Component<'t>> {
    let mut all = BTreeMap::new();
    for child in part.children().filter(|child| !child.is("VTIMEZONE")) {
        let says = |name: &str| child.property(name).map(|p| value::value(p, times));
        let identity = match child.is("VALARM") {
            true => [says("ACTION"), says("TRIGGER")]
                .map(Option::unwrap_or_default)
                .join(" "),
            false => says("UID").unwrap_or_default(),
        };
        let related = child
            .property("TRIGGER")
            .map(value::params)
            .unwrap_or_default();
        let name = child.name().to_ascii_uppercase();
        insert(&mut all, format!("{name} {identity}{related}"), child);
    }
    all
}

fn insert<T>(all: &mut BTreeMap<String, T>, key: String, value: T) {
    let mut place = key.clone();
    let mut count = 1;
    while all.contains_key(&place) {
        count += 1;
        place = format!("{key} #{count}");
    }
    all.insert(place, value);
}
