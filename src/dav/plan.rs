//! Which properties an answer has, worked out once for each kind of resource in it, then written for every member.
//!
//! RFC 4918 §9.1 (prop, allprop, include, propname), RFC 8144 §2.1 (return=minimal), RFC 4791 §9.6 (calendar-data, which
//! is not a property: reports have it, PROPFIND answers 404).

use super::data::CalendarData;
use super::live::{self, Prop};
use super::names::{cal, dav};
use super::view::{Needs, On, View};
use crate::model::{Error, Result};
use crate::xml::{Element, Name, Writer};

/// What was asked for, whatever the resource.
#[derive(Clone, Debug)]
pub enum Asked {
    All { include: Vec<Name> },
    Names,
    Props(Vec<Name>),
}

impl Asked {
    /// Reads the children of `propfind`, or of a report that has `prop`, `allprop` or `propname` (RFC 4791 §9.5).
    pub fn of(element: &Element) -> Result<Asked> {
        let mut asked = None;
        let mut include = Vec::new();
        for child in element.elements() {
            let one = match &child.name {
                name if *name == dav::PROP => Asked::Props(names_in(child)?),
                name if *name == dav::ALLPROP => Asked::All {
                    include: Vec::new(),
                },
                name if *name == dav::PROPNAME => Asked::Names,
                name if *name == dav::INCLUDE => {
                    include = names_in(child)?;
                    continue;
                }
                _ => continue,
            };
            if asked.replace(one).is_some() {
                return Err(Error::BadRequest(
                    "one of prop, allprop and propname".into(),
                ));
            }
        }
        match asked {
            Some(Asked::All { .. }) => Ok(Asked::All { include }),
            Some(other) => Ok(other),
            None => Err(Error::BadRequest(
                "prop, allprop or propname is missing".into(),
            )),
        }
    }
}

/// Properties in one request: many times what any client asks for, few enough to be compared with each other.
pub const PROPERTIES: usize = 1000;

pub fn too_many_properties() -> Error {
    Error::BadRequest(format!("more than {PROPERTIES} properties in one request"))
}

fn names_in(element: &Element) -> Result<Vec<Name>> {
    let mut names: Vec<Name> = Vec::new();
    for child in element.elements() {
        if !names.contains(&child.name) {
            names.push(child.name.clone());
        }
        if names.len() > PROPERTIES {
            return Err(too_many_properties());
        }
    }
    Ok(names)
}

/// One property of the answer.
enum Slot {
    Live(&'static Prop),
    Dead(Name),
    /// calendar-data, as the report wants it.
    Data,
}

/// What became of a slot.
enum Written<'s> {
    There,
    Missing(&'s Name),
    Denied(&'s Name),
}

/// The properties of an answer for one kind of resource.
pub struct Plan {
    slots: Vec<Slot>,
    /// Dead properties are listed too: allprop and propname.
    all_dead: bool,
    /// Slots from here on were asked for by name: when they are missing the answer says so.
    named_from: usize,
    names_only: bool,
    minimal: bool,
    pub needs: Needs,
    data: Option<CalendarData>,
}

impl Plan {
    /// `data` is the report's calendar-data; without it the name is unknown.
    pub fn new(asked: &Asked, kind: On, minimal: bool, data: Option<CalendarData>) -> Plan {
        let mut plan = Plan {
            slots: Vec::new(),
            all_dead: false,
            named_from: 0,
            names_only: false,
            minimal,
            needs: Needs::NOTHING,
            data,
        };
        match asked {
            Asked::Props(names) => names.iter().for_each(|name| plan.add(name, kind)),
            Asked::All { include } => {
                plan.all_dead = true;
                live::LIVE
                    .iter()
                    .filter(|prop| prop.in_allprop && prop.on.meets(kind))
                    .for_each(|prop| plan.live(prop));
                plan.named_from = plan.slots.len();
                for name in include {
                    if !plan.has(name) {
                        plan.add(name, kind);
                    }
                }
            }
            Asked::Names => {
                plan.all_dead = true;
                plan.names_only = true;
                live::LIVE
                    .iter()
                    .filter(|prop| prop.on.meets(kind))
                    .for_each(|prop| plan.live(prop));
                plan.named_from = plan.slots.len();
            }
        }
        if plan.all_dead {
            plan.needs = plan.needs.and(Needs::STORED);
        }
        plan
    }

    fn add(&mut self, name: &Name, kind: On) {
        match live::find(name) {
            Some(prop) if prop.on.meets(kind) => self.live(prop),
            // A protected property of other resources: nothing can be stored under its name here.
            Some(prop) => {
                if prop.set.is_some() {
                    self.needs = self.needs.and(Needs::STORED);
                }
                self.slots.push(Slot::Dead(name.clone()));
            }
            None if *name == cal::CALENDAR_DATA
                && self.data.is_some()
                && kind.meets(On::OBJECT) =>
            {
                self.needs = self.needs.and(Needs::BODY).and(Needs::MEMBER);
                self.slots.push(Slot::Data);
            }
            None => {
                self.needs = self.needs.and(Needs::STORED);
                self.slots.push(Slot::Dead(name.clone()));
            }
        }
    }

    fn live(&mut self, prop: &'static Prop) {
        self.needs = self.needs.and(prop.needs);
        self.slots.push(Slot::Live(prop));
    }

    fn has(&self, name: &Name) -> bool {
        self.slots.iter().any(|slot| match slot {
            Slot::Live(prop) => prop.name == *name,
            Slot::Dead(dead) => dead == name,
            Slot::Data => *name == cal::CALENDAR_DATA,
        })
    }

    /// The whole `response` of one resource, inside of a [`super::reply::document`].
    pub fn write_response(&self, w: &mut Writer, href: &str, view: &View) {
        open_response(w, href, "");
        self.write_propstats(w, view);
        w.raw(END_RESPONSE);
    }

    /// The propstats: what there is with 200, what is not with 404, what may not be seen with 403. RFC 8144 §2.1: a minimal
    /// answer leaves out the second; without any there is one of 200, empty.
    pub fn write_propstats(&self, w: &mut Writer, view: &View) {
        let mut missing: Vec<&Name> = Vec::new();
        let mut denied: Vec<&Name> = Vec::new();
        let start = w.len();
        w.raw("<D:propstat><D:prop>");
        let empty = w.len();
        for (at, slot) in self.slots.iter().enumerate() {
            let (name, without) = match self.write_slot(slot, w, view) {
                Written::There => continue,
                Written::Missing(name) => (name, &mut missing),
                Written::Denied(name) => (name, &mut denied),
            };
            if at >= self.named_from {
                without.push(name);
            }
        }
        if self.all_dead {
            self.write_dead(w, view);
        }
        if self.minimal {
            missing.clear();
        }
        if w.len() == empty && !(missing.is_empty() && denied.is_empty()) {
            w.rewind(start);
        } else {
            w.raw("</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>");
        }
        if !missing.is_empty() {
            write_names(w, &missing, "HTTP/1.1 404 Not Found");
        }
        if !denied.is_empty() {
            write_names(w, &denied, "HTTP/1.1 403 Forbidden");
        }
    }

    fn write_slot<'s>(&'s self, slot: &'s Slot, w: &mut Writer, view: &View) -> Written<'s> {
        match slot {
            Slot::Live(prop) => {
                let may = |needs| view.privileges().has(needs);
                if !prop.privilege.is_none_or(may) {
                    return Written::Denied(&prop.name);
                }
                match self.write_live(prop, w, view) {
                    true => Written::There,
                    false => Written::Missing(&prop.name),
                }
            }
            Slot::Dead(name) => match view.loaded.stored(name) {
                Some(value) => {
                    w.raw(value);
                    Written::There
                }
                None => Written::Missing(name),
            },
            Slot::Data => {
                let (Some(data), Some(object)) = (&self.data, view.object()) else {
                    return Written::There;
                };
                let open = |w: &mut Writer| {
                    w.open(&cal::CALENDAR_DATA);
                };
                if !data.write(object.body, w, open) {
                    return Written::Denied(&cal::CALENDAR_DATA);
                }
                w.close();
                Written::There
            }
        }
    }

    fn write_live(&self, prop: &'static Prop, w: &mut Writer, view: &View) -> bool {
        use super::view::Out;
        if !self.names_only {
            return (prop.get)(
                view,
                Out {
                    w,
                    name: &prop.name,
                },
            )
            .is_some();
        }
        let mut scratch = Writer::fragment();
        let there = (prop.get)(
            view,
            Out {
                w: &mut scratch,
                name: &prop.name,
            },
        )
        .is_some();
        if there {
            w.empty(&prop.name);
        }
        there
    }

    /// Stored properties that no row of the table speaks for.
    fn write_dead(&self, w: &mut Writer, view: &View) {
        for (clark, value) in &view.loaded.stored {
            let Some(name) = Name::from_clark(clark) else {
                continue;
            };
            let kind = view.node.kind();
            if self.has(&name) || live::find(&name).is_some_and(|prop| prop.on.meets(kind)) {
                continue;
            }
            match self.names_only {
                true => w.empty(&name),
                false => w.raw(value),
            };
        }
    }
}

/// The frame of a response as markup: it is written ten thousand times in a large answer. Its prefix is declared on the
/// root of [`super::reply::document`].
pub fn open_response(w: &mut Writer, base: &str, name: &str) {
    w.raw("<D:response><D:href>")
        .text(base)
        .raw(name)
        .raw("</D:href>");
}

pub const END_RESPONSE: &str = "</D:response>";

/// A propstat of empty elements.
pub fn write_names<'n>(
    w: &mut Writer,
    names: impl IntoIterator<Item = &'n &'n Name>,
    status: &str,
) {
    w.open(&dav::PROPSTAT).open(&dav::PROP);
    for name in names {
        w.empty(name);
    }
    w.close().element(&dav::STATUS, status).close();
}
