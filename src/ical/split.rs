//! One stream of many objects into one document per object: import, subscriptions. RFC 4791 §4.1.
//!
//! Every component's bytes go over as they are; the frame around them is made anew, without METHOD and without what
//! describes the stream as a whole (X-WR-CALNAME …). A stream that is one object already goes over whole.
//! The reverse is [`super::join`].

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::object::Kind;
use super::tree::{Component, Fault, Severity, Tree};
use super::value::When;
use super::write::content_line;
use super::zone;

/// What a stream holds.
#[derive(Debug, Clone)]
pub struct Split<'t> {
    tree: &'t Tree<'t>,
    /// One for each object, in the order in which they begin.
    pub groups: Vec<Group<'t>>,
    /// Components that are no object and no time zone: nothing a calendar can store.
    pub others: Vec<Component<'t>>,
    /// Broken lines that are in none of these, so that no document has them.
    pub strays: Vec<&'t Fault>,
    /// VTIMEZONEs by TZID and by the VCALENDAR that they are in: two may mean different things by one name.
    zones: HashMap<(Option<usize>, Cow<'t, str>), Component<'t>>,
    /// VERSION, PRODID and CALSCALE for what comes from each root; made once, since looking for a property passes by
    /// all components.
    frames: Vec<Vec<u8>>,
}

/// The components of one object.
#[derive(Debug, Clone)]
pub struct Group<'t> {
    /// The UID that they share; a component without one is a group by itself.
    pub uid: Option<Cow<'t, str>>,
    /// What they are. Other kinds with the same UID are another group, which no calendar takes beside this one.
    pub kind: Kind,
    /// Master and overrides, in source order.
    pub components: Vec<Component<'t>>,
    /// Older versions of some of them: same RECURRENCE-ID (or none), lower SEQUENCE, or the same and earlier in the
    /// stream. They are not part of the document.
    pub superseded: Vec<Component<'t>>,
    frame: usize,
}

/// Sorts the components of a stream into objects. Linear in its size. A VTIMEZONE longer than any zone's whole history is
/// left out, or each of a hundred thousand documents might have megabytes of it.
pub fn split<'t>(tree: &'t Tree<'t>) -> Split<'t> {
    let mut split = Split {
        tree,
        groups: Vec::new(),
        others: Vec::new(),
        strays: tree
            .faults()
            .iter()
            .filter(|fault| strays(tree, fault))
            .collect(),
        zones: HashMap::new(),
        frames: Vec::new(),
    };
    let mut index: HashMap<(Kind, Cow<'t, str>), usize> = HashMap::new();
    for root in tree.roots() {
        split.frames.push(frame(root));
        if !root.is("VCALENDAR") {
            split.take(root, &mut index);
            continue;
        }
        for component in root.children() {
            split.take(component, &mut index);
        }
    }
    for group in &mut split.groups {
        group.drop_superseded();
    }
    split
}

impl<'t> Split<'t> {
    fn take(&mut self, component: Component<'t>, index: &mut HashMap<(Kind, Cow<'t, str>), usize>) {
        if component.is("VTIMEZONE") {
            let tzid = component.property("TZID");
            if let Some(tzid) = tzid.filter(|_| component.span().len() <= zone::LONGEST) {
                let key = (parent(component), tzid.text());
                self.zones.entry(key).or_insert(component);
            }
            return;
        }
        let Some(kind) = Kind::from_name(component.name()) else {
            self.others.push(component);
            return;
        };
        let uid = component
            .property("UID")
            .map(|uid| uid.text())
            .filter(|uid| !uid.trim_ascii().is_empty());
        let at = self.groups.len();
        let at = uid
            .clone()
            .map_or(at, |uid| *index.entry((kind, uid)).or_insert(at));
        if at == self.groups.len() {
            self.groups.push(Group {
                uid,
                kind,
                components: Vec::new(),
                superseded: Vec::new(),
                frame: self.frames.len().saturating_sub(1),
            });
        }
        self.groups[at].components.push(component);
    }

    /// The document of one group: the source itself where the stream is this object and nothing else, and otherwise a
    /// VCALENDAR made for it. `uid` is given to a component that has none.
    pub fn document(&self, group: &Group<'t>, uid: &str) -> Cow<'t, [u8]> {
        if group.uid.is_some() && self.is_whole(group) {
            return Cow::Borrowed(self.tree.source());
        }
        let mut out = Vec::new();
        out.extend_from_slice(b"BEGIN:VCALENDAR\r\n");
        if let Some(frame) = self.frames.get(group.frame) {
            out.extend_from_slice(frame);
        }
        for zone in self.zones_of(group) {
            lines(&mut out, zone.raw());
        }
        for component in &group.components {
            if group.uid.is_some() {
                lines(&mut out, component.raw());
                continue;
            }
            let Range { start, end } = component.span();
            let at = component
                .properties()
                .next()
                .map_or(end, |first| first.span().start);
            lines(&mut out, &self.tree.source()[start..at]);
            out.extend_from_slice(content_line("UID", &[], uid).as_bytes());
            lines(&mut out, &self.tree.source()[at..end]);
        }
        out.extend_from_slice(b"END:VCALENDAR\r\n");
        Cow::Owned(out)
    }

    /// Is the stream one VCALENDAR with this group alone, and no METHOD?
    fn is_whole(&self, group: &Group<'t>) -> bool {
        self.groups.len() == 1
            && group.superseded.is_empty()
            && self.tree.roots().count() == 1
            && self
                .tree
                .roots()
                .all(|root| root.is("VCALENDAR") && root.property("METHOD").is_none())
            && self
                .tree
                .faults()
                .iter()
                .all(|fault| fault.severity == Severity::Odd)
    }

    /// The VTIMEZONEs that the group's TZIDs name, in the order of their first use.
    fn zones_of(&self, group: &Group<'t>) -> Vec<Component<'t>> {
        let mut zones: Vec<Component<'t>> = Vec::new();
        if self.zones.is_empty() {
            return zones;
        }
        let mut known = HashSet::new();
        for top in &group.components {
            let mut inside = vec![*top];
            while let Some(component) = inside.pop() {
                let tzids = component
                    .properties()
                    .filter_map(|property| property.param("TZID"));
                let used = tzids.filter_map(|tzid| self.zones.get(&(parent(*top), tzid)));
                zones.extend(used.filter(|zone| known.insert(zone.index())));
                inside.extend(component.children());
            }
        }
        zones
    }
}

/// Is it broken, and in no component but a VCALENDAR?
fn strays(tree: &Tree<'_>, fault: &Fault) -> bool {
    let within = fault.within.and_then(|index| tree.component(index));
    fault.severity == Severity::Broken && within.is_none_or(|component| component.is("VCALENDAR"))
}

/// The VCALENDAR that a component is in.
fn parent(component: Component<'_>) -> Option<usize> {
    component.parent().map(Component::index)
}

impl<'t> Group<'t> {
    /// Keeps one component for each instance.
    fn drop_superseded(&mut self) {
        if self.components.len() < 2 {
            return;
        }
        let mut newest: HashMap<Option<String>, (usize, i64)> = HashMap::new();
        let mut lost = vec![false; self.components.len()];
        for (at, component) in self.components.iter().enumerate() {
            let sequence = sequence(*component);
            match newest.get_mut(&instance(*component)) {
                Some((other, best)) if sequence >= *best => {
                    lost[std::mem::replace(other, at)] = true;
                    *best = sequence;
                }
                Some(_) => lost[at] = true,
                None => drop(newest.insert(instance(*component), (at, sequence))),
            }
        }
        let mut lost = lost.into_iter();
        let (superseded, components) = self
            .components
            .iter()
            .partition(|_| lost.next().unwrap_or(false));
        (self.superseded, self.components) = (superseded, components);
    }
}

/// VERSION, PRODID and CALSCALE as a VCALENDAR has them.
fn frame(root: Component<'_>) -> Vec<u8> {
    let calendar = Some(root).filter(|root| root.is("VCALENDAR"));
    let own = |name| calendar.and_then(|calendar| calendar.property(name));
    let mut out = b"VERSION:2.0\r\n".to_vec();
    match own("PRODID") {
        Some(prodid) => lines(&mut out, prodid.raw()),
        None => out.extend_from_slice(b"PRODID:-//Kalends//Import//EN\r\n"),
    }
    if let Some(scale) = own("CALSCALE") {
        lines(&mut out, scale.raw());
    }
    out
}

fn sequence(component: Component<'_>) -> i64 {
    component
        .property("SEQUENCE")
        .and_then(|sequence| sequence.value().trim_ascii().parse().ok())
        .unwrap_or(0)
}

/// Which instance a component is about; `None` is the series.
fn instance(component: Component<'_>) -> Option<String> {
    let id = component.property("RECURRENCE-ID")?;
    Some(match When::of(id) {
        Ok(when) => format!("{when};{}", when.tzid().unwrap_or_default()),
        Err(_) => id.value().into_owned(),
    })
}

/// Puts whole lines out, with an ending behind the last one.
fn lines(out: &mut Vec<u8>, raw: &[u8]) {
    out.extend_from_slice(raw);
    if !matches!(raw.last(), None | Some(b'\r' | b'\n')) {
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::object::{Rules, validate};
    use crate::ical::tree::Limits;

    fn documents(stream: &str) -> Vec<String> {
        let tree = Tree::parse(stream.as_bytes(), &Limits::default()).unwrap();
        let split = split(&tree);
        let documents = split
            .groups
            .iter()
            .map(|group| split.document(group, "new"));
        documents
            .map(|bytes| String::from_utf8(bytes.into_owned()).unwrap())
            .collect()
    }

    const ZONE: &str = "BEGIN:VTIMEZONE\r\nTZID:Here\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\n\
        TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";

    fn event(uid: &str, rest: &str) -> String {
        format!(
            "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTART;TZID=Here:20260101T100000\r\n{rest}END:VEVENT\r\n"
        )
    }

    #[test]
    fn each_uid_becomes_a_document_with_the_zones_it_needs() {
        let other_zone = ZONE.replace("Here", "There");
        let moved = event(
            "a",
            "RECURRENCE-ID;TZID=Here:20260108T100000\r\nX-ODD: kept  \r\n",
        );
        let stream = format!(
            "BEGIN:VCALENDAR\r\nMETHOD:PUBLISH\r\nPRODID:-//X//EN\r\nX-WR-CALNAME:All\r\nVERSION:2.0\r\n{ZONE}{other_zone}{}{}{moved}END:VCALENDAR\r\n",
            event("a", "RRULE:FREQ=WEEKLY\r\n"),
            "BEGIN:VTODO\r\nUID:b\r\nEND:VTODO\r\n",
        );
        let head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//X//EN\r\n";
        let found = documents(&stream);
        let series = event("a", "RRULE:FREQ=WEEKLY\r\n");
        assert_eq!(
            found,
            [
                format!("{head}{ZONE}{series}{moved}END:VCALENDAR\r\n"),
                format!("{head}BEGIN:VTODO\r\nUID:b\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"),
            ]
        );
        for document in &found {
            validate(document.as_bytes(), &Rules::default()).unwrap();
        }
    }

    #[test]
    fn a_zone_of_megabytes_is_not_in_every_document() {
        let long = format!("END:STANDARD\r\n{}", "X-MORE:and more\r\n".repeat(3_000));
        let zone = ZONE.replacen("END:STANDARD\r\n", &long, 1);
        let stream = format!(
            "BEGIN:VCALENDAR\r\n{zone}{}{}END:VCALENDAR\r\n",
            event("a", ""),
            event("b", "")
        );
        for document in documents(&stream) {
            assert!(document.contains("BEGIN:VEVENT") && !document.contains("BEGIN:VTIMEZONE"));
        }
    }

    #[test]
    fn of_several_calendars_each_keeps_its_own_zones() {
        let other = ZONE.replace("+0100", "-0800");
        let stream = format!(
            "BEGIN:VCALENDAR\r\nPRODID:1\r\n{ZONE}{}END:VCALENDAR\r\nBEGIN:VCALENDAR\r\nPRODID:2\r\n{other}{}END:VCALENDAR\r\n",
            event("a", ""),
            event("b", ""),
        );
        let found = documents(&stream);
        let frame = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:";
        assert_eq!(
            found,
            [
                format!("{frame}1\r\n{ZONE}{}END:VCALENDAR\r\n", event("a", "")),
                format!("{frame}2\r\n{other}{}END:VCALENDAR\r\n", event("b", "")),
            ]
        );
    }

    #[test]
    fn a_stream_that_is_one_object_goes_over_whole() {
        let stream = format!(
            "\u{feff}BEGIN:VCALENDAR\nX-ODD: 1\n{ZONE}{}END:VCALENDAR",
            event("a", "")
        );
        assert_eq!(documents(&stream), [stream]);
    }

    #[test]
    fn of_two_versions_the_one_with_the_higher_sequence_is_kept() {
        for (sequences, kept) in [([1, 2], 1), ([2, 1], 0), ([3, 3], 1)] {
            let versions = sequences.map(|n| event("a", &format!("SEQUENCE:{n}\r\n")));
            let stream = format!("BEGIN:VCALENDAR\r\n{}END:VCALENDAR\r\n", versions.concat());
            let tree = Tree::parse(stream.as_bytes(), &Limits::default()).unwrap();
            let split = split(&tree);
            let [group] = &split.groups[..] else {
                panic!("{} groups", split.groups.len())
            };
            assert_eq!(group.superseded.len(), 1);
            assert_eq!(group.components[0].line(), if kept == 0 { 2 } else { 7 });
        }
    }

    #[test]
    fn broken_lines_outside_of_all_objects_are_told() {
        let stream = "before\nBEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\ninside\nEND:VEVENT\nbeside\nEND:VCALENDAR\n";
        let tree = Tree::parse(stream.as_bytes(), &Limits::default()).unwrap();
        let lines: Vec<u32> = split(&tree).strays.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [1, 7]);
    }

    #[test]
    fn what_has_no_uid_gets_one_and_is_kept_apart() {
        let stream = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\nEND:VEVENT\nBEGIN:VEVENT\nDTSTART:20260102\n\
            END:VEVENT\nBEGIN:VCARD\nEND:VCARD\nEND:VCALENDAR\n";
        let found = documents(stream);
        assert_eq!(found.len(), 2);
        assert!(
            found[0].contains("BEGIN:VEVENT\nUID:new\r\nDTSTART:20260101\nEND:VEVENT\n"),
            "{}",
            found[0]
        );
        validate(found[1].as_bytes(), &Rules::default()).unwrap();
        let tree = Tree::parse(stream.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(split(&tree).others.len(), 1);
    }
}
