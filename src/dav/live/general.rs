//! Properties that most resources have.

use crate::dav::names::{cal, cs, dav};
use crate::dav::view::{Node, Out, View};
use crate::dav::{date, methods, reports, tokens};
use crate::model::CalendarKind;
use crate::model::id::uuid_of;

pub fn resourcetype(view: &View, out: Out) -> Option<()> {
    match view.node {
        Node::Principal(_) => out.marks([&dav::COLLECTION, &dav::PRINCIPAL]),
        Node::Proxy(_, write) => out.marks([
            &dav::COLLECTION,
            &dav::PRINCIPAL,
            if write {
                &cs::CALENDAR_PROXY_WRITE
            } else {
                &cs::CALENDAR_PROXY_READ
            },
        ]),
        Node::Calendar(_) => out.marks([&dav::COLLECTION, &cal::CALENDAR]),
        Node::Notifications(..) => out.marks([&dav::COLLECTION, &cs::NOTIFICATION]),
        Node::Object(..) => out.empty(),
        _ => out.marks([&dav::COLLECTION]),
    }
}

/// What was set, else a name that says what it is. Objects have only what was set.
pub fn displayname(view: &View, out: Out) -> Option<()> {
    if view.loaded.stored(out.name).is_some() {
        return out.stored(view);
    }
    match view.node {
        Node::Principal(principal) | Node::Home(principal, _) => out.text(&principal.display_name),
        Node::Calendar(bound) if bound.calendar.kind == CalendarKind::Sessions => {
            out.text("Sessions")
        }
        Node::Calendar(bound) => out.text(&bound.slug),
        _ => None,
    }
}

/// The type that GET answers with.
pub const OBJECT_TYPE: &str = "text/calendar; charset=utf-8";

pub fn getcontenttype(_: &View, out: Out) -> Option<()> {
    out.text(OBJECT_TYPE)
}

pub fn getlastmodified(view: &View, out: Out) -> Option<()> {
    let modified = match view.object() {
        Some(object) => object.modified,
        None => view.calendar()?.calendar.modified,
    };
    out.text(&date::http(modified)?)
}

pub fn creationdate(view: &View, out: Out) -> Option<()> {
    let created = match (view.object(), view.calendar(), view.principal()) {
        (Some(object), ..) => object.created,
        (_, Some(bound), _) => bound.calendar.created,
        (.., principal) => principal?.created,
    };
    out.text(&date::rfc3339(created)?)
}

pub fn supported_report_set(view: &View, out: Out) -> Option<()> {
    let kind = view.node.kind();
    out.inside(|w| {
        for report in reports::REPORTS
            .iter()
            .filter(|report| report.on.meets(kind))
        {
            w.open(&dav::SUPPORTED_REPORT)
                .open(&dav::REPORT)
                .empty(report.name)
                .close()
                .close();
        }
    })
}

pub fn supported_method_set(view: &View, out: Out) -> Option<()> {
    static SUPPORTED_METHOD: crate::xml::Name = crate::xml::Name::dav("supported-method");
    let kind = view.node.kind();
    out.inside(|w| {
        for method in methods::METHODS
            .iter()
            .filter(|method| method.on.meets(kind))
        {
            w.open(&SUPPORTED_METHOD).attr("name", method.name).close();
        }
    })
}

/// RFC 5842 §3.1: the same for as long as the resource lives, whatever it is called. Made of the id inside and the
/// second of birth, so that two installations hardly ever agree.
pub fn resource_id(view: &View, out: Out) -> Option<()> {
    let (kind, id, born) = match view.node {
        Node::Calendar(bound) => ("calendar", bound.calendar.id.0, bound.calendar.created),
        Node::Principal(p) => ("principal", p.id.0, p.created),
        Node::Home(p, _) => ("home", p.id.0, p.created),
        Node::Inbox(p, _) => ("inbox", p.id.0, p.created),
        Node::Outbox(p, _) => ("outbox", p.id.0, p.created),
        Node::Notifications(p, _) => ("notifications", p.id.0, p.created),
        _ => return None,
    };
    let uuid = uuid_of(&format!("kalends {kind} {id} {born}"));
    out.href(&format!("urn:uuid:{uuid}"))
}

/// DAV:sync-token and CS:getctag: the same text, since both change when a member does.
pub fn sync_token(view: &View, out: Out) -> Option<()> {
    match view.node {
        Node::Calendar(bound) => {
            out.text(&tokens::of_calendar(bound.calendar.id, bound.calendar.seq))
        }
        Node::Home(..) => out.text(&view.loaded.home_token),
        Node::Inbox(..) | Node::Notifications(..) => out.text(tokens::EMPTY),
        _ => None,
    }
}

/// RFC 4331 §4. There is no quota, so quota-available-bytes is absent (§3: infinite limits).
pub fn quota_used(view: &View, out: Out) -> Option<()> {
    match view.node {
        Node::Calendar(bound) => out.number(bound.calendar.bytes),
        Node::Home(..) => out.number(view.loaded.used_bytes),
        _ => None,
    }
}
