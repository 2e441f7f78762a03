//! `/freebusy/{name}`: when somebody's time is taken, for themselves and those whom they let see it. Also as
//! `{name}.ifb` and `{name}.vfb`, which Outlook's address template wants.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, header};
use serde::Deserialize;

use super::Shared;
use super::build::DAY;
use super::http;
use super::json::Answer;
use crate::app::App;
use crate::app::freebusy::of_person;
use crate::app::sessions::author::PRODID;
use crate::app::sessions::times::read_instant;
use crate::ical::busy::FreeBusy;
use crate::ical::query::TimeRange;
use crate::ical::write::content_line;
use crate::model::{Door, Error, Etag, Principal, Result};
use crate::store::principals;
use crate::wire::Peer;

/// Where nothing is said: six weeks from today.
const USUAL: i64 = 42 * DAY;
/// The most that is told at once.
const MOST: i64 = 1100 * DAY;

#[derive(Deserialize)]
pub struct Asked {
    start: Option<String>,
    end: Option<String>,
}

pub async fn serve(
    State(shared): State<Shared>,
    Extension(peer): Extension<Peer>,
    method: Method,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response<Body> {
    match method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return http::options(),
        _ => return http::not_allowed(),
    }
    answer(&shared.app, &peer, &name, &asked, &headers)
        .await
        .unwrap_or_else(|error| http::refusal(&error))
}

async fn answer(
    app: &App,
    peer: &Peer,
    name: &str,
    asked: &Asked,
    headers: &HeaderMap,
) -> Result<Response<Body>> {
    let who = app.auth.demand(headers, peer, Door::Api).await?;
    let range = range(asked, app.clock.now())?;
    let person = person(app, name).await?.ok_or(Error::NotFound)?;
    let times = of_person(app, &who, &person, range).await?;
    let json = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(wants_json);
    let (kind, body) = if json {
        let answer = Answer::of(&times, Some(person.name), who.id == person.id);
        ("application/json", answer.print()?)
    } else {
        (
            "text/calendar; charset=utf-8",
            document(app, &person, range, &times.with_unknown()),
        )
    };
    let mut reply = Response::new(Body::from(body));
    reply
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    reply.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-store"),
    );
    Ok(reply)
}

/// A name may itself end in `.ifb`: the whole is tried first.
async fn person(app: &App, name: &str) -> Result<Option<Principal>> {
    let bare = name
        .rsplit_once('.')
        .filter(|(_, end)| ["ifb", "vfb", "ics"].contains(end))
        .map(|(bare, _)| bare);
    for name in [Some(name), bare].into_iter().flatten() {
        let found = app
            .store
            .read(|tx| Box::pin(principals::find(tx, name)))
            .await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// JSON is asked for by name, before any wildcard.
fn wants_json(accept: &str) -> bool {
    let mut kinds = accept.split(',').map(|kind| {
        kind.split(';')
            .next()
            .unwrap_or("")
            .trim()
            .to_ascii_lowercase()
    });
    kinds
        .find(|kind| kind == "application/json" || kind == "text/calendar")
        .is_some_and(|kind| kind == "application/json")
}

fn document(
    app: &App,
    person: &Principal,
    range: TimeRange,
    busy: &[crate::ical::busy::Busy],
) -> Vec<u8> {
    let stamp = app.clock.now();
    let uid =
        Etag::of(format!("{} {stamp} {} {}", person.name, range.start, range.end).as_bytes()).0;
    let address = person
        .addresses
        .first()
        .map(|address| format!("mailto:{address}"));
    let lines: Vec<String> = address
        .iter()
        .map(|uri| content_line("ORGANIZER", &[("CN", &person.display_name)], uri))
        .collect();
    FreeBusy {
        prodid: PRODID,
        method: Some("PUBLISH"),
        uid: &uid,
        stamp,
        range,
        lines: &lines,
    }
    .write(busy)
    .into_bytes()
}

/// `start` and `end`: RFC 3339, a date, or iCalendar's own forms.
fn range(asked: &Asked, now: i64) -> Result<TimeRange> {
    let today = now.div_euclid(DAY) * DAY;
    let start = asked
        .start
        .as_deref()
        .map(|text| time("start", text))
        .transpose()?;
    let end = asked
        .end
        .as_deref()
        .map(|text| time("end", text))
        .transpose()?;
    let start = start.unwrap_or_else(|| end.map_or(today, |end| today.min(end - DAY)));
    let end = end.unwrap_or(start + USUAL);
    if end <= start {
        return Err(Error::bad("end must lie after start"));
    }
    if end - start > MOST {
        return Err(Error::bad("ask for three years at most"));
    }
    Ok(TimeRange { start, end })
}

fn time(field: &str, text: &str) -> Result<i64> {
    let wrong = || {
        Error::bad(format!(
            "{field}: not a time of RFC 3339, a date, or a DATE-TIME"
        ))
    };
    read_instant(text).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(start: &str, end: &str) -> Asked {
        let there = |text: &str| Some(text.to_string()).filter(|text| !text.is_empty());
        Asked {
            start: there(start),
            end: there(end),
        }
    }

    #[test]
    fn ranges_are_read_in_every_form() {
        let now = 1_795_132_800 + 3600;
        let day = |n: i64| 1_795_132_800 + n * DAY;
        for (start, end, from, to) in [
            ("", "", day(0), day(42)),
            ("2026-11-22", "", day(2), day(44)),
            (
                "2026-11-20T01:00:00+01:00",
                "2026-11-21T00:00:00Z",
                day(0),
                day(1),
            ),
            (
                "2026-11-20T01:00:00 01:00",
                "20261121T000000Z",
                day(0),
                day(1),
            ),
            ("20261120", "20261121", day(0), day(1)),
        ] {
            let range = range(&asked(start, end), now).unwrap();
            assert_eq!((range.start, range.end), (from, to), "{start} {end}");
        }
        for (start, end) in [
            ("x", ""),
            ("2026-11-20", "2026-11-20"),
            ("2026-01-01", "2036-01-01"),
        ] {
            assert!(range(&asked(start, end), now).is_err(), "{start} {end}");
        }
    }

    #[test]
    fn json_is_asked_for_by_name() {
        for (accept, json) in [
            ("application/json", true),
            ("application/json, text/calendar;q=0.5", true),
            ("text/calendar, application/json", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(wants_json(accept), json, "{accept}");
        }
    }
}
