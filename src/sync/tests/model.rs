//! Edits of event texts as people make them, and questions to texts.

use std::collections::BTreeMap;

use crate::ical::tree::{Component, Limits, Tree};
use crate::ical::write::{Patch, content_line};

fn parse(text: &[u8]) -> Tree<'_> {
    Tree::parse(text, &Limits::default()).unwrap()
}

fn events<'t>(tree: &'t Tree<'t>) -> impl Iterator<Item = Component<'t>> {
    tree.roots().flat_map(|root| root.children_named("VEVENT"))
}

/// A single event, or a weekly series of six.
pub fn event(uid: &str, series: bool) -> Vec<u8> {
    let rule = if series {
        "RRULE:FREQ=WEEKLY;COUNT=6\r\n"
    } else {
        ""
    };
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20270101T000000Z\r\n\
         DTSTART:20270201T090000Z\r\nDTEND:20270201T100000Z\r\n{rule}SUMMARY:first {uid}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    .into_bytes()
}

/// Sets a property of the master.
pub fn set(text: &[u8], name: &str, value: &str) -> Vec<u8> {
    let tree = parse(text);
    let master = events(&tree)
        .find(|e| e.property("RECURRENCE-ID").is_none())
        .unwrap();
    let mut patch = Patch::new(&tree);
    patch.set(master, name, content_line(name, &[], value));
    patch.apply()
}

/// The start of instance `k` of a series.
fn instance(k: usize) -> String {
    let days = [
        "20270201", "20270208", "20270215", "20270222", "20270301", "20270308",
    ];
    format!("{}T090000Z", days[k])
}

/// Gives instance `k` a title of its own.
pub fn set_instance(text: &[u8], k: usize, title: &str) -> Vec<u8> {
    let (rid, tree) = (instance(k), parse(text));
    let mut patch = Patch::new(&tree);
    let there = events(&tree).find(|e| {
        e.property("RECURRENCE-ID")
            .is_some_and(|p| p.value() == rid)
    });
    match there {
        Some(own) => {
            patch.set(own, "SUMMARY", content_line("SUMMARY", &[], title));
        }
        None => {
            let master = events(&tree).next().unwrap();
            let uid = master.property("UID").unwrap().text();
            let mark = master
                .property(crate::remote::MIRROR)
                .map(|p| format!("{}\r\n", String::from_utf8_lossy(p.raw()).trim_end()))
                .unwrap_or_default();
            let end = rid.replace("T09", "T11");
            let lines = format!(
                "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20270101T000000Z\r\nRECURRENCE-ID:{rid}\r\nDTSTART:{rid}\r\n\
                 DTEND:{end}\r\nSUMMARY:{title}\r\n{mark}END:VEVENT\r\n"
            );
            patch.insert_component(tree.roots().next().unwrap(), lines);
        }
    }
    patch.apply()
}

/// Cancels instance 5 of a series.
pub fn cancel(text: &[u8]) -> Vec<u8> {
    let tree = parse(text);
    let master = events(&tree).next().unwrap();
    let mut patch = Patch::new(&tree);
    patch.set(master, "EXDATE", content_line("EXDATE", &[], &instance(5)));
    patch.apply()
}

pub fn uid(text: &[u8]) -> String {
    let tree = parse(text);
    events(&tree)
        .next()
        .unwrap()
        .property("UID")
        .unwrap()
        .text()
        .into_owned()
}

/// The fields that edits set: by name, those of instances as `o1` ….
pub fn fields(text: &[u8]) -> BTreeMap<String, String> {
    let tree = parse(text);
    let mut found = BTreeMap::new();
    for event in events(&tree) {
        match event.property("RECURRENCE-ID") {
            Some(rid) => {
                let k = (0..6).find(|k| instance(*k) == rid.value()).unwrap();
                found.insert(
                    format!("o{k}"),
                    event.property("SUMMARY").unwrap().value().into_owned(),
                );
            }
            None => {
                for name in ["SUMMARY", "LOCATION", "DESCRIPTION", "URL", "EXDATE"] {
                    if let Some(p) = event.property(name) {
                        found.insert(name.into(), p.value().into_owned());
                    }
                }
            }
        }
    }
    found
}
