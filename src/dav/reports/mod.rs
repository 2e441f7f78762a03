//! The reports: one row each. Dispatch and supported-report-set read this table.

pub mod expand;
mod freebusy;
pub mod home;
mod multiget;
mod principal_match;
mod principals;
mod query;
mod sync;

use futures_util::future::BoxFuture;

use super::Call;
use super::data::CalendarData;
use super::names::{cal, cs, dav};
use super::plan::Asked;
use super::view::On;
use crate::model::{Error, Result};
use crate::wire::Response;
use crate::xml::{Element, Name};

/// One report.
pub struct Report {
    pub name: &'static Name,
    pub spec: &'static str,
    /// Resources that it may be asked of.
    pub on: On,
    pub run: fn(Call, Element) -> BoxFuture<'static, Result<Response>>,
}

macro_rules! report {
    ($name:path, $spec:literal, $on:expr, $run:path) => {
        Report {
            name: &$name,
            spec: $spec,
            on: $on,
            run: |call, document| Box::pin($run(call, document)),
        }
    };
}

const WITH_OBJECTS: On = On::OBJECT.or(On::CALENDAR).or(On::HOME);
const WITH_RIGHTS: On = On::OBJECT.or(On::CALENDAR).or(On::HOME);
const SEARCHED: On = On::PRINCIPALS.or(On::ROOT).or(On::PRINCIPAL);
const COLLECTIONS: On = SEARCHED.or(On::HOMES).or(On::HOME).or(On::CALENDAR);

pub static REPORTS: &[Report] = &[
    report!(
        cal::CALENDAR_QUERY,
        "RFC 4791 §7.8",
        WITH_OBJECTS,
        query::run
    ),
    report!(
        cal::CALENDAR_MULTIGET,
        "RFC 4791 §7.9",
        WITH_OBJECTS.or(On::INBOX).or(On::NOTIFICATIONS),
        multiget::run
    ),
    report!(
        cal::FREE_BUSY_QUERY,
        "RFC 4791 §7.10",
        On::CALENDAR.or(On::HOME).or(On::PRINCIPAL),
        freebusy::run
    ),
    report!(dav::SYNC_COLLECTION, "RFC 6578 §3.2", On::SYNCED, sync::run),
    report!(
        expand::EXPAND_PROPERTY,
        "RFC 3253 §3.8",
        On::ALL,
        expand::run
    ),
    report!(
        principals::ACL_PRINCIPAL_PROP_SET,
        "RFC 3744 §9.2",
        WITH_RIGHTS,
        principals::acl_principal_prop_set
    ),
    report!(
        principal_match::PRINCIPAL_MATCH,
        "RFC 3744 §9.3",
        SEARCHED.or(On::HOME),
        principal_match::run
    ),
    report!(
        principals::PRINCIPAL_PROPERTY_SEARCH,
        "RFC 3744 §9.4",
        COLLECTIONS,
        principals::property_search
    ),
    report!(
        dav::PRINCIPAL_SEARCH_PROPERTY_SET,
        "RFC 3744 §9.5",
        SEARCHED.or(On::HOME),
        principals::search_property_set
    ),
    report!(
        cs::CALENDARSERVER_PRINCIPAL_SEARCH,
        "CalendarServer",
        SEARCHED,
        principals::token_search
    ),
];

/// What a report asks of each object: the properties, and calendar-data with what is wanted of it.
fn asked_of(document: &Element) -> Result<(Asked, Option<CalendarData>)> {
    let has_any = document
        .elements()
        .any(|e| [&dav::PROP, &dav::ALLPROP, &dav::PROPNAME].contains(&&e.name));
    let asked = if has_any {
        Asked::of(document)?
    } else {
        Asked::Props(Vec::new())
    };
    let element = document
        .child(&dav::PROP)
        .and_then(|prop| prop.child(&cal::CALENDAR_DATA));
    let data = element.map(CalendarData::read).transpose()?;
    Ok((asked, data))
}

/// DAV:limit (RFC 5323 §5.17), as sync-collection and searches have it.
fn limit_of(document: &Element) -> Result<Option<usize>> {
    let Some(limit) = document.child(&dav::LIMIT) else {
        return Ok(None);
    };
    let text = limit
        .child(&dav::NRESULTS)
        .map(Element::trimmed_text)
        .unwrap_or_default();
    match text.parse() {
        Ok(0) | Err(_) => Err(Error::BadRequest("nresults must be a number from 1".into())),
        Ok(limit) => Ok(Some(limit)),
    }
}
