//! The text of a feed: the frame, the zones that its events name, the events. RFC 5545 §3.4, RFC 7986 §5, and what
//! fetchers ask for (PRODUCT §5).
//!
//! Left out: a TZID that is an IANA name but comes with rules of its own keeps its name here, and readers take IANA's.

use std::collections::BTreeMap;

use icalendar::{Calendar, Parameter, Property};
use jiff::civil::Date;

use super::color;
use super::copy;
use super::privacy::{Reduction, reduce};
use crate::ical::expand::extent;
use crate::ical::object::Object;
use crate::ical::tree::{Limits, Tree};
use crate::ical::value::When;
use crate::ical::zone::{Zone, Zones, vtimezone};

/// How a feed names and shows itself.
#[derive(Clone, Debug, Default)]
pub struct Look {
    pub name: String,
    pub description: Option<String>,
    /// `#rrggbb` or `#rrggbbaa`, as clients set it.
    pub color: Option<String>,
    /// How often to come back, as a DURATION.
    pub refresh: &'static str,
}

/// What a feed tells of its objects.
pub enum Level<'a> {
    Full,
    Reduced(Reduction<'a>),
}

/// A feed in the making.
pub struct Document<'a> {
    level: Level<'a>,
    /// Zone of times without one, an IANA name.
    local: String,
    events: Vec<u8>,
    zones: Used,
}

/// The TZIDs in use, with the first day on which each is.
#[derive(Default)]
struct Used {
    known: BTreeMap<String, Date>,
    /// VTIMEZONEs of names that mean nothing outside of their object.
    own: BTreeMap<String, String>,
}

impl<'a> Document<'a> {
    pub fn new(level: Level<'a>) -> Document<'a> {
        Document {
            level,
            local: "UTC".to_string(),
            events: Vec::new(),
            zones: Used::default(),
        }
    }

    /// The zone of times without one from here on: the calendar's.
    pub fn set_local(&mut self, zone: &str) {
        self.local = zone.to_string();
    }

    /// Adds an object. `stamp` is the DTSTAMP of what has none, as `uid` is the UID.
    ///
    /// A text that cannot be parsed is left out: it is not in the store, which takes valid ones only.
    pub fn add(&mut self, text: &[u8], uid: &str, stamp: &str) {
        if matches!(self.level, Level::Full) {
            let mut uses = Vec::new();
            let spans = copy::scan(text, &mut |tzid, date| note(&mut uses, tzid, date));
            if let Some(spans) = spans.filter(|_| self.zones.take(&uses)) {
                for span in spans {
                    self.events.extend_from_slice(&text[span]);
                }
                return;
            }
        }
        let Ok(tree) = Tree::parse(text, &Limits::default()) else {
            return;
        };
        self.add_tree(&tree, uid, stamp);
    }

    fn add_tree(&mut self, tree: &Tree<'_>, uid: &str, stamp: &str) {
        let mut uses: Vec<(String, Date)> = Vec::new();
        match &self.level {
            Level::Full => {
                let mut local = |when: &When| in_zone(when, &self.local);
                let mut used = |tzid: &str, date| note(&mut uses, tzid, date);
                copy::rewrite(tree, stamp, uid, &mut local, &mut used, &mut self.events);
                self.zones.take(&uses);
                self.zones.own(tree, &uses);
            }
            Level::Reduced(how) => {
                let zones = Zones::of(tree);
                let within = in_use(tree, &zones);
                let mut public = |when: &When| {
                    let told = public(when, &zones, within, &self.local);
                    if let Some(tzid) = told.tzid() {
                        note(&mut uses, tzid, told.date());
                    }
                    told
                };
                reduce(tree, how, &mut public, &mut self.events);
                self.zones.take(&uses);
            }
        }
    }

    /// The whole text.
    pub fn finish(self, look: &Look) -> Vec<u8> {
        let frame = frame(look);
        let (head, tail) = frame.split_at(frame.len() - "END:VCALENDAR\r\n".len());
        let mut text = Vec::with_capacity(frame.len() + self.events.len() + 1024);
        text.extend_from_slice(head.as_bytes());
        for (tzid, first) in &self.zones.known {
            let from = crate::ical::rrule::civil::seconds(
                first.to_datetime(jiff::civil::Time::midnight()),
            );
            text.extend_from_slice(
                vtimezone(tzid, from - 86_400, None)
                    .unwrap_or_default()
                    .as_bytes(),
            );
        }
        for zone in self.zones.own.values() {
            text.extend_from_slice(zone.as_bytes());
        }
        text.extend_from_slice(&self.events);
        text.extend_from_slice(tail.as_bytes());
        text
    }
}

/// Keeps the first day of each TZID.
fn note(uses: &mut Vec<(String, Date)>, tzid: &str, date: Date) {
    match uses.iter_mut().find(|(name, _)| name == tzid) {
        Some((_, first)) => *first = date.min(*first),
        None => uses.push((tzid.to_string(), date)),
    }
}

impl Used {
    /// Notes the TZIDs that are known everywhere. `false`: there are others.
    fn take(&mut self, uses: &[(String, Date)]) -> bool {
        let mut all = true;
        for (tzid, date) in uses {
            match self.known.get_mut(tzid) {
                Some(first) => *first = (*first).min(*date),
                None if Zone::named(tzid).is_some() => {
                    self.known.insert(tzid.clone(), *date);
                }
                None => all = false,
            }
        }
        all
    }

    /// Keeps the object's VTIMEZONE of each TZID that is not known: the first one of a name.
    fn own(&mut self, tree: &Tree<'_>, uses: &[(String, Date)]) {
        for (tzid, _) in uses
            .iter()
            .filter(|(tzid, _)| !self.known.contains_key(tzid))
        {
            if let std::collections::btree_map::Entry::Vacant(place) = self.own.entry(tzid.clone())
            {
                let zones = tree
                    .roots()
                    .flat_map(|root| root.children_named("VTIMEZONE"));
                let mut same = zones
                    .filter(|zone| zone.property("TZID").is_some_and(|p| *p.value() == **tzid));
                if let Some(zone) = same.next() {
                    place.insert(copy::verbatim(zone));
                }
            }
        }
    }
}

/// A time without zone in the calendar's.
fn in_zone(when: &When, zone: &str) -> When {
    match when {
        When::Floating(at) if zone == "UTC" => When::Utc(*at),
        When::Floating(at) => When::Zoned {
            at: *at,
            tzid: zone.to_string(),
        },
        other => other.clone(),
    }
}

/// A time under the public name of its zone, or in UTC where the zone has none: a TZID is free text, and may be
/// private too.
fn public(when: &When, zones: &Zones<'_>, within: Option<(i64, i64)>, local: &str) -> When {
    let When::Zoned { at, tzid } = when else {
        return in_zone(when, local);
    };
    match zones.resolve(tzid, within) {
        Some(zone) => match zone.iana_name() {
            Some(name) => When::Zoned {
                at: *at,
                tzid: name.to_string(),
            },
            None => {
                let instant = zone.to_instant(*at);
                When::Utc(crate::app::sessions::times::UTC.to_civil(instant))
            }
        },
        None => in_zone(&When::Floating(*at), local),
    }
}

/// The span of time in which an object uses its zones, ten years of it at most: rules of its own that agree with IANA's
/// for so long are IANA's (most come trimmed).
fn in_use(tree: &Tree<'_>, zones: &Zones<'_>) -> Option<(i64, i64)> {
    const DAY: i64 = 86_400;
    let object = Object::read(tree).ok()?;
    let (start, end) = extent(&object, zones);
    let start = start?;
    let last = start.saturating_add(3653 * DAY);
    Some((start - DAY, end.map_or(last, |end| end.min(last)) + DAY))
}

/// VCALENDAR with its properties.
fn frame(look: &Look) -> String {
    let mut calendar = Calendar::empty();
    let duration = |name: &str| {
        let mut property = Property::new(name, look.refresh);
        if name == "REFRESH-INTERVAL" {
            property.append_parameter(Parameter::new("VALUE", "DURATION"));
        }
        property
    };
    for (name, value) in [
        ("VERSION", "2.0"),
        ("PRODID", crate::app::sessions::author::PRODID),
        ("CALSCALE", "GREGORIAN"),
        ("METHOD", "PUBLISH"),
    ] {
        calendar.append_property(Property::new(name, value));
    }
    // The crate escapes what it takes for TEXT: X- properties too, but not NAME, which it does not know.
    let name: String = look.name.chars().filter(|c| !c.is_control()).collect();
    calendar.append_property(Property::new("NAME", crate::ical::text::escape(&name)));
    calendar.append_property(Property::new("X-WR-CALNAME", name));
    if let Some(text) = look.description.as_deref().filter(|text| !text.is_empty()) {
        calendar.append_property(Property::new("DESCRIPTION", text.replace('\r', "")));
    }
    if let Some(hex) = look.color.as_deref().and_then(color::hex) {
        if let Some(name) = color::name(&hex) {
            calendar.append_property(Property::new("COLOR", name));
        }
        calendar.append_property(Property::new("X-APPLE-CALENDAR-COLOR", hex));
    }
    calendar
        .append_property(duration("REFRESH-INTERVAL"))
        .append_property(duration("X-PUBLISHED-TTL"));
    calendar.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look {
        name: String::new(),
        description: None,
        color: None,
        refresh: "PT1H",
    };

    fn event(lines: &str) -> String {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x\r\nBEGIN:VTIMEZONE\r\nTZID:Home\r\nBEGIN:STANDARD\r\n\
             DTSTART:20200101T000000\r\nTZOFFSETFROM:+0300\r\nTZOFFSETTO:+0300\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n\
             BEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    }

    fn text(level: Level<'_>, objects: &[String]) -> String {
        let mut document = Document::new(level);
        document.set_local("America/New_York");
        for object in objects {
            document.add(object.as_bytes(), "u", "20260102T000000Z");
        }
        let look = Look {
            name: "Work, home".into(),
            color: Some("#FF0000FF".into()),
            ..LOOK
        };
        String::from_utf8(document.finish(&look)).unwrap()
    }

    #[test]
    fn a_full_feed_copies_events_and_brings_their_zones() {
        let objects = [
            event("DTSTART;TZID=Europe/Berlin:20261120T090000\r\n"),
            event("DTSTART;TZID=Home:20261120T090000\r\n"),
            event("DTSTART:20261120T090000\r\n"),
        ];
        let text = text(Level::Full, &objects);
        for part in [
            "METHOD:PUBLISH\r\n",
            "NAME:Work\\, home\r\n",
            "X-WR-CALNAME:Work\\, home\r\n",
            "COLOR:red\r\n",
            "REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n",
            "X-PUBLISHED-TTL:PT1H\r\n",
            "TZID:Europe/Berlin\r\n",
            "TZID:Home\r\n",
            "TZID:America/New_York\r\n",
            "DTSTART;TZID=America/New_York:20261120T090000\r\n",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(text.matches("BEGIN:VTIMEZONE").count(), 3, "{text}");
        assert_eq!(text.matches("BEGIN:VEVENT").count(), 3);
        assert!(text.ends_with("END:VEVENT\r\nEND:VCALENDAR\r\n"));
    }

    /// What the API writes has a VTIMEZONE that begins shortly before the event.
    #[test]
    fn a_trimmed_zone_is_still_its_zone() {
        let fields = serde_json::json!({
            "start": "2026-11-24T09:00:00", "end": "2026-11-24T10:00:00", "timezone": "Europe/Berlin",
            "recurrence": ["RRULE:FREQ=WEEKLY"]
        });
        let fields = crate::app::sessions::fields::read(fields.as_object().unwrap()).unwrap();
        let object =
            crate::app::sessions::author::create("u", &fields, &Default::default(), 1_795_000_000)
                .unwrap();
        let mask = |_: &str| "m".to_string();
        let how = Reduction {
            busy_only: true,
            stamp: "20260102T000000Z",
            mask: &mask,
        };
        let text = text(Level::Reduced(how), &[String::from_utf8(object).unwrap()]);
        assert!(
            text.contains("DTSTART;TZID=Europe/Berlin:20261124T090000\r\n"),
            "{text}"
        );
        assert!(text.contains("TZID:Europe/Berlin\r\n"));
    }

    #[test]
    fn names_of_private_zones_are_not_told() {
        let mask = |_: &str| "m".to_string();
        let how = Reduction {
            busy_only: true,
            stamp: "20260102T000000Z",
            mask: &mask,
        };
        let text = text(
            Level::Reduced(how),
            &[event("DTSTART;TZID=Home:20261120T090000\r\n")],
        );
        assert!(
            text.contains("DTSTART:20261120T060000Z\r\n") && !text.contains("Home"),
            "{text}"
        );
    }
}
