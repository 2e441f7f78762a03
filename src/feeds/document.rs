//! The text of a feed: the frame, the zones that its events name, the events. RFC 5545 §3.4, RFC 7986 §5, and what
//! fetchers ask for (PRODUCT §5).
//!
//! Left out: a TZID that is an IANA name but comes with rules of its own keeps its name here, and readers take IANA's.

use std::collections::BTreeMap;
use std::sync::Arc;

use icalendar::{Calendar, Parameter, Property};
use jiff::civil::Date;

use super::chunks::{Chunk, Chunks};
use super::color;
use crate::app::feeds::Text;
use crate::ical::expand::extent;
use crate::ical::object::Object;
use crate::ical::privacy::{Reduction, copy, reduce};
use crate::ical::rrule::civil;
use crate::ical::tree::{Limits, Tree};
use crate::ical::value::When;
use crate::ical::zone::{Zone, Zones, vtimezone};
use crate::model::CalendarId;

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
    /// The zone of times without one of the calendar at hand, an IANA name.
    local: String,
    events: Chunks,
    zones: Names,
}

/// TZIDs by number.
#[derive(Clone, Default)]
struct Names {
    names: Vec<String>,
    /// VTIMEZONEs of names that mean nothing outside of their object: the first one of a name.
    own: BTreeMap<String, String>,
}

impl<'a> Document<'a> {
    pub fn new(level: Level<'a>) -> Document<'a> {
        Document {
            level,
            local: "UTC".to_string(),
            events: Chunks::default(),
            zones: Names::default(),
        }
    }

    /// One that will share most of `before`.
    pub fn after(level: Level<'a>, before: &Laid) -> Document<'a> {
        let mut document = Document::new(level);
        document.zones.names.clone_from(&before.zones.names);
        document
    }

    /// The calendar whose objects come next, and its zone of times without one.
    pub fn begin(&mut self, calendar: CalendarId, zone: &str) {
        self.events.begin(calendar);
        self.local = zone.to_string();
    }

    /// Adds objects to come in the order of their names: what is enough for a chunk is put away.
    pub fn go_on(&mut self) {
        self.events.seal_if_full();
    }

    /// Adds an object. `stamp` is the DTSTAMP of what has none, as `uid` is the UID.
    ///
    /// A text that cannot be parsed is left out: it is not in the store, which takes valid ones only.
    pub fn add(&mut self, name: &str, text: &[u8], uid: &str, stamp: &str) {
        let mut uses = Vec::new();
        if !self.copied(text, &mut uses) {
            uses.clear();
            if let Ok(tree) = Tree::parse(text, &Limits::default()) {
                self.rewritten(&tree, uid, stamp, &mut uses);
            }
        }
        let zones = uses
            .iter()
            .map(|(tzid, date)| (self.zones.number(tzid), *date))
            .collect();
        self.events.end_piece(name.into(), zones);
    }

    /// Adds the objects of the calendar at hand in the order of their names: those of `before` that are not in
    /// `changed`, and from `changed` those that are still there.
    pub fn merge(&mut self, before: &Laid, changed: &BTreeMap<String, Option<Fresh>>) {
        let mut changed = changed.iter().peekable();
        let calendar = self.events.calendar();
        let mut chunks = before.of(calendar).peekable();
        while let Some(chunk) = chunks.next() {
            let end = chunks.peek().and_then(|next| next.first());
            let here = |name: &str| end.is_none_or(|end| name < end);
            let touched = changed.peek().is_some_and(|(name, _)| here(name));
            if !touched && self.events.share(chunk) {
                continue;
            }
            for piece in chunk.pieces() {
                while let Some((name, fresh)) = changed.next_if(|(name, _)| ***name < *piece.name) {
                    self.add_fresh(name, fresh.as_ref());
                }
                match changed.next_if(|(name, _)| ***name == *piece.name) {
                    Some((name, fresh)) => self.add_fresh(name, fresh.as_ref()),
                    None => self.events.keep(chunk, piece),
                }
            }
            while let Some((name, fresh)) = changed.next_if(|(name, _)| here(name)) {
                self.add_fresh(name, fresh.as_ref());
            }
            self.events.seal_if_worth();
        }
        for (name, fresh) in changed {
            self.add_fresh(name, fresh.as_ref());
        }
    }

    fn add_fresh(&mut self, name: &str, fresh: Option<&Fresh>) {
        if let Some(fresh) = fresh {
            self.add(name, &fresh.text, &fresh.uid, &fresh.stamp);
        }
    }

    /// Level `full`, for a text that can be copied as it is.
    fn copied(&mut self, text: &[u8], uses: &mut Vec<(String, Date)>) -> bool {
        if !matches!(self.level, Level::Full) {
            return false;
        }
        let spans = copy::scan(text, &mut |tzid, date| note(uses, tzid, date));
        let Some(spans) = spans.filter(|_| uses.iter().all(|(tzid, _)| self.zones.is_known(tzid)))
        else {
            return false;
        };
        for span in spans {
            self.events.text.extend_from_slice(&text[span]);
        }
        true
    }

    fn rewritten(
        &mut self,
        tree: &Tree<'_>,
        uid: &str,
        stamp: &str,
        uses: &mut Vec<(String, Date)>,
    ) {
        match &self.level {
            Level::Full => {
                let mut local = |when: &When| in_zone(when, &self.local);
                let mut used = |tzid: &str, date| note(uses, tzid, date);
                copy::rewrite(
                    tree,
                    stamp,
                    uid,
                    &mut local,
                    &mut used,
                    &mut self.events.text,
                );
                self.zones.keep_own(tree, uses);
            }
            Level::Reduced(how) => {
                let zones = Zones::of(tree);
                let within = in_use(tree, &zones);
                let mut public = |when: &When| {
                    let told = public(when, &zones, within, &self.local);
                    if let Some(tzid) = told.tzid() {
                        note(uses, tzid, told.date());
                    }
                    told
                };
                reduce(tree, how, &mut public, &mut self.events.text);
            }
        }
    }

    /// The whole text.
    pub fn finish(mut self, look: &Look) -> Laid {
        let chunks = std::mem::take(&mut self.events).finish();
        let frame = frame(look);
        let (head, tail) = frame.split_at(frame.len() - "END:VCALENDAR\r\n".len());
        let mut head = head.to_string();
        for (tzid, first) in self.zones.first_days(&chunks) {
            let from = civil::seconds(first.to_datetime(jiff::civil::Time::midnight()));
            head += &vtimezone(tzid, from - 86_400, None).unwrap_or_default();
        }
        head.extend(self.zones.own.values().map(String::as_str));
        let events = chunks.iter().map(|chunk| chunk.text.clone());
        let parts = std::iter::once(head.into())
            .chain(events)
            .chain([tail.to_string().into()]);
        Laid {
            text: parts.collect(),
            chunks,
            zones: self.zones,
        }
    }
}

/// A finished feed, with what is needed to make the next one of it when few objects have changed.
pub struct Laid {
    pub text: Text,
    chunks: Vec<Arc<Chunk>>,
    zones: Names,
}

/// An object that has changed.
pub struct Fresh {
    pub text: Vec<u8>,
    pub uid: String,
    pub stamp: String,
}

impl Laid {
    /// About how many bytes it takes.
    pub fn weight(&self) -> usize {
        self.text.len()
            + self
                .chunks
                .iter()
                .map(|chunk| chunk.weight())
                .sum::<usize>()
    }

    /// Can another one be made of it? Not where zones of objects' own are in it: which object they are from is not kept.
    /// Nor where more names of zones were met than are in use anywhere.
    pub fn can_go_on(&self) -> bool {
        const MOST_NAMES: usize = 1000;
        self.zones.own.is_empty() && self.zones.names.len() <= MOST_NAMES
    }

    fn of(&self, calendar: CalendarId) -> impl Iterator<Item = &Arc<Chunk>> {
        self.chunks
            .iter()
            .filter(move |chunk| chunk.calendar == calendar)
    }
}

/// Keeps the first day of each TZID.
fn note(uses: &mut Vec<(String, Date)>, tzid: &str, date: Date) {
    match uses.iter_mut().find(|(name, _)| name == tzid) {
        Some((_, first)) => *first = date.min(*first),
        None => uses.push((tzid.to_string(), date)),
    }
}

impl Names {
    /// The TZIDs in use that are known everywhere, in order, with the first day.
    fn first_days(&self, chunks: &[Arc<Chunk>]) -> BTreeMap<&str, Date> {
        let mut first: Vec<Option<Date>> = vec![None; self.names.len()];
        for (number, date) in chunks.iter().flat_map(|chunk| &chunk.zones) {
            let known = first[*number].get_or_insert(*date);
            *known = (*known).min(*date);
        }
        let named = self.names.iter().zip(first);
        named
            .filter_map(|(name, first)| Some((name.as_str(), first?)))
            .collect()
    }

    fn number(&mut self, tzid: &str) -> usize {
        self.names
            .iter()
            .position(|name| name == tzid)
            .unwrap_or_else(|| {
                self.names.push(tzid.to_string());
                self.names.len() - 1
            })
    }

    /// Is this a name that means the same everywhere?
    fn is_known(&self, tzid: &str) -> bool {
        let seen = self.names.iter().any(|name| name == tzid) && !self.own.contains_key(tzid);
        seen || Zone::named(tzid).is_some()
    }

    /// Keeps the object's VTIMEZONE of each TZID that is not known.
    fn keep_own(&mut self, tree: &Tree<'_>, uses: &[(String, Date)]) {
        for (tzid, _) in uses.iter().filter(|(tzid, _)| Zone::named(tzid).is_none()) {
            let zones = tree
                .roots()
                .flat_map(|root| root.children_named("VTIMEZONE"));
            let mut same =
                zones.filter(|zone| zone.property("TZID").is_some_and(|p| *p.value() == **tzid));
            let text = || same.next().map(copy::verbatim).unwrap_or_default();
            self.own.entry(tzid.clone()).or_insert_with(text);
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
mod tests;
