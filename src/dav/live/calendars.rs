//! Properties of calendars (RFC 4791 §5.2, RFC 6638 §9, RFC 7809 §5).
//!
//! max-instances is absent: instances are never enumerated without end, so a rule without an end is welcome.

use jiff::civil::DateTime;

use crate::app::sessions::author::PRODID;
use crate::dav::names::cal;
use crate::dav::view::{Node, Out, View};
use crate::ical::zone::vtimezone;
use crate::xml::{Name, Writer};

/// Times outside of these are refused on PUT.
pub const MIN_DATE_TIME: &str = "00010101T000000Z";
pub const MAX_DATE_TIME: &str = "99991231T235959Z";

/// The same as values.
pub const DATE_TIMES: (Option<DateTime>, Option<DateTime>) = (
    Some(jiff::civil::datetime(1, 1, 1, 0, 0, 0, 0)),
    Some(jiff::civil::datetime(9999, 12, 31, 23, 59, 59, 0)),
);

/// The query that makes a POST to the calendar add a member.
pub const ADD_MEMBER: &str = "add-member";

pub fn add_member(view: &View, out: Out) -> Option<()> {
    let mut href = view.desk.calendar(view.calendar()?);
    href.push('?');
    href.push_str(ADD_MEMBER);
    out.href(&href)
}

/// The text as a client set it; for a zone that was set by name, one that says the same (RFC 7809 §3.1.5).
pub fn timezone(view: &View, out: Out) -> Option<()> {
    if view.loaded.stored(out.name).is_some() {
        return out.stored(view);
    }
    let name = &view.calendar()?.calendar.timezone;
    let vtimezone = vtimezone(name, TIMEZONES_SINCE, None)?;
    out.text(&format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\n{vtimezone}END:VCALENDAR\r\n"
    ))
}

/// From when on a zone's text is right: the year 2000.
const TIMEZONES_SINCE: i64 = 946_684_800;

pub fn timezone_id(view: &View, out: Out) -> Option<()> {
    let zone = &view.calendar()?.calendar.timezone;
    let is_name = !zone.is_empty() && !zone.contains('\n');
    if is_name { out.text(zone) } else { None }
}

pub fn component_set(view: &View, out: Out) -> Option<()> {
    let components = &view.calendar()?.calendar.components.0;
    out.inside(|w| write_components(w, components.iter().map(String::as_str)))
}

fn write_components<'c>(w: &mut Writer, components: impl IntoIterator<Item = &'c str>) {
    for component in components {
        w.open(&cal::COMP).attr("name", component).close();
    }
}

/// Sets that a new calendar may have: any mixture, of which these are the useful ones.
pub fn component_sets(_: &View, out: Out) -> Option<()> {
    const SETS: [&[&str]; 5] = [
        &["VEVENT"],
        &["VTODO"],
        &["VJOURNAL"],
        &["VEVENT", "VTODO"],
        &["VEVENT", "VTODO", "VJOURNAL"],
    ];
    out.inside(|w| {
        for set in SETS {
            w.open(&cal::SUPPORTED_CALENDAR_COMPONENT_SET);
            write_components(w, set.iter().copied());
            w.close();
        }
    })
}

pub fn supported_data(_: &View, out: Out) -> Option<()> {
    out.inside(|w| {
        w.open(&cal::CALENDAR_DATA)
            .attr("content-type", "text/calendar")
            .attr("version", "2.0")
            .close();
    })
}

pub fn collations(_: &View, out: Out) -> Option<()> {
    static SUPPORTED_COLLATION: Name = Name::caldav("supported-collation");
    out.inside(|w| {
        for collation in ["i;ascii-casemap", "i;octet", "i;unicode-casemap"] {
            w.element(&SUPPORTED_COLLATION, collation);
        }
    })
}

pub fn transparency(view: &View, out: Out) -> Option<()> {
    match view.node {
        Node::Calendar(bound) if bound.calendar.transparent => out.marks([&cal::TRANSPARENT]),
        Node::Calendar(_) => out.marks([&cal::OPAQUE]),
        _ => None,
    }
}
