//! free-busy-query (RFC 4791 §7.10): a VFREEBUSY of one calendar; of a person when a home or principal is asked, which
//! Evolution does.

use crate::app::{freebusy, sessions::author::PRODID};
use crate::dav::data::refusal;
use crate::dav::names::cal;
use crate::dav::{Call, error, live};
use crate::ical::busy::FreeBusy;
use crate::ical::query::TimeRange;
use crate::model::{Error, Etag, Path, Precondition, Result};
use crate::store::{calendars, principals};
use crate::wire::Response;
use crate::xml::Element;

pub async fn run(call: Call, document: Element) -> Result<Response> {
    let range = document.child(&cal::TIME_RANGE).ok_or_else(|| {
        Error::precondition(Precondition::ValidFilter, "the query has no time-range")
    })?;
    let range = TimeRange::from_xml(range).map_err(refusal)?;
    if range.from().is_none() || range.until().is_none() {
        return Err(Error::precondition(
            Precondition::ValidFilter,
            "free/busy needs a start and an end",
        ));
    }
    let times = match call.path() {
        Path::Calendar { name, slug } => {
            let who = call.who();
            let found = call
                .app
                .store
                .peek(|tx| Box::pin(calendars::find(tx, who.id, name, slug)))
                .await?;
            freebusy::of_calendar(&call.app, who, &found.ok_or(Error::NotFound)?, range).await?
        }
        Path::Home(name) | Path::Principal(name) => {
            let person = call
                .app
                .store
                .peek(|tx| Box::pin(principals::find(tx, name)))
                .await?;
            freebusy::of_person(
                &call.app,
                call.who(),
                &person.ok_or(Error::NotFound)?,
                range,
            )
            .await?
        }
        _ => return Err(Error::NotFound),
    };
    let stamp = call.app.clock.now();
    let uid =
        Etag::of(format!("{} {stamp} {} {}", call.href(), range.start, range.end).as_bytes()).0;
    let document = FreeBusy {
        prodid: PRODID,
        method: None,
        uid: &uid,
        stamp,
        range,
        lines: &[],
    };
    Ok(error::typed(
        live::OBJECT_TYPE,
        document.write(&times.with_unknown()).into(),
    ))
}
