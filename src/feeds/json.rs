//! Busy time as JSON, with titles where the privacy level has them.

use serde::Serialize;

use super::build::mask;
use super::visit::visit;
use crate::app::App;
use crate::app::calendars::zone;
use crate::app::feeds::{Open, Privacy};
use crate::app::freebusy::{BusyTimes, of_calendars};
use crate::app::sessions::times::print_instant;
use crate::ical::busy::{self, BusyKind};
use crate::ical::expand::{Occurrence, Window, occurrences};
use crate::ical::object::Object;
use crate::ical::privacy::{BUSY, is_private};
use crate::ical::query::TimeRange;
use crate::ical::rrule::Budget;
use crate::ical::rrule::civil;
use crate::ical::tree::{Component, Limits, Tree};
use crate::ical::zone::{Zone, Zones};
use crate::model::{Error, Result};
use crate::store::objects::MemberRef;

/// Busy time.
#[derive(Serialize)]
pub struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// RFC 3339, UTC; `to` is exclusive.
    from: String,
    to: String,
    /// A source could not be read: what is not busy here may be busy all the same.
    unknown: bool,
    sources: Vec<Source>,
    busy: Vec<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<Event>>,
}

#[derive(Serialize)]
struct Source {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    known: bool,
    as_of: String,
}

#[derive(Serialize)]
struct Period {
    start: String,
    end: String,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct Event {
    uid: String,
    title: String,
    start: String,
    end: String,
    all_day: bool,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl Answer {
    /// `named`: do the sources say what they are called?
    pub fn of(times: &BusyTimes, name: Option<String>, named: bool) -> Answer {
        let source = |source: &crate::app::freebusy::Source| Source {
            name: named.then(|| source.name.clone()),
            known: source.known,
            as_of: print_instant(source.as_of),
        };
        let period = |busy: &busy::Busy| Period {
            start: print_instant(busy.start),
            end: print_instant(busy.end),
            kind: word(busy.kind),
        };
        Answer {
            name,
            from: print_instant(times.range.start),
            to: print_instant(times.range.end),
            unknown: times.has_unknown(),
            sources: times.sources.iter().map(source).collect(),
            busy: times.periods.iter().map(period).collect(),
            events: None,
        }
    }

    pub fn print(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(Error::internal)
    }
}

fn word(kind: BusyKind) -> &'static str {
    match kind {
        BusyKind::Free => "free",
        BusyKind::Busy => "busy",
        BusyKind::Tentative => "tentative",
        BusyKind::Unavailable => "unavailable",
    }
}

/// The JSON form of a feed.
pub async fn body(app: &App, open: &Open, range: TimeRange, name: &str) -> Result<Vec<u8>> {
    let mut times = of_calendars(app, &open.calendars, range).await?;
    // A body is kept while nothing changes: its age is that of the day it shows.
    let today = app.clock.now().div_euclid(super::build::DAY) * super::build::DAY;
    times
        .sources
        .iter_mut()
        .for_each(|source| source.as_of = today);
    let mut answer = Answer::of(
        &times,
        Some(name.to_string()),
        open.privacy != Privacy::Busy,
    );
    if open.privacy != Privacy::Busy {
        let mask = mask(app, open);
        let mut events = Vec::new();
        for bound in &open.calendars {
            let zone = zone(&bound.calendar);
            let lister = Lister {
                zone: &zone,
                range,
                titles: open.privacy == Privacy::Titles,
                mask: &mask,
                most: app.instances(),
            };
            let mut add = |object: &MemberRef<'_>| lister.object(object, &mut events);
            visit(app, bound, Some((range.start, range.end)), &mut add).await?;
        }
        events.sort_by(|a, b| (&a.start, &a.uid).cmp(&(&b.start, &b.uid)));
        answer.events = Some(events);
    }
    answer.print()
}

/// Lists the instances of objects.
struct Lister<'a> {
    zone: &'a Zone,
    range: TimeRange,
    /// Private objects are only busy.
    titles: bool,
    mask: &'a (dyn Fn(&str) -> String + Send + Sync),
    most: u32,
}

impl Lister<'_> {
    fn object(&self, stored: &MemberRef<'_>, events: &mut Vec<Event>) {
        if stored.component != "VEVENT" {
            return;
        }
        let Ok(tree) = Tree::parse(stored.body, &Limits::default()) else {
            return;
        };
        let Ok(object) = Object::read(&tree) else {
            return;
        };
        let window = Window {
            from: self.range.from(),
            to: self.range.until(),
        };
        let budget = Budget::new(Budget::STEPS, self.most);
        let all = occurrences(&object, &Zones::of(&tree), window, &budget)
            .unwrap_or_else(|cut| cut.so_far);
        let hidden = self.titles && object.components().any(is_private);
        for one in all {
            let Some(part) = tree.component(one.component) else {
                continue;
            };
            let kind = busy::kind(part);
            if !(hidden && kind == BusyKind::Free) {
                events.extend(self.event(&one, part, stored.uid, hidden, kind));
            }
        }
    }

    fn event(
        &self,
        one: &Occurrence,
        part: Component<'_>,
        uid: &str,
        hidden: bool,
        kind: BusyKind,
    ) -> Option<Event> {
        let at = |time: i64| {
            if one.local {
                self.zone.instant_of(time)
            } else {
                time
            }
        };
        if !self.range.overlaps(at(one.start), at(one.end)) {
            return None;
        }
        let print = |time: i64| match one.date {
            true => civil::date_time(time).map_or_else(String::new, |at| at.date().to_string()),
            false => print_instant(at(time)),
        };
        let title = part
            .property("SUMMARY")
            .map(|p| p.text().into_owned())
            .unwrap_or_default();
        Some(Event {
            uid: if hidden {
                (self.mask)(uid)
            } else {
                uid.to_string()
            },
            title: if hidden { BUSY.to_string() } else { title },
            start: print(one.start),
            end: print(one.end),
            all_day: one.date,
            kind: if hidden {
                word(BusyKind::Busy)
            } else {
                word(kind)
            },
        })
    }
}
