//! An object of ours as [`Fields`], and what of it Google does not hold. RFC 5545 §3.6.1; FACTS §2.3, §5.

use std::collections::BTreeMap;

use super::colors::Color;
use super::ledger::Ledger;
use super::recur::{self, Frame, Recurrence};
use super::zones::{Meaning, Names};
use super::{Class, Fields, Status, alarms, conference, marker, people, plain};
use crate::ical::expand::Series;
use crate::ical::object::{Kind, Object, Override};
use crate::ical::property::Property;
use crate::ical::rrule::{Budget, civil};
use crate::ical::tree::{Component, Limits, Tree};
use crate::ical::value::{Duration, Rdate, When};
use crate::ical::zone::Zone;
use crate::model::bridge::GuestPolicy;
use crate::remote::google::wire::{self, Json, Rid, Time};
use crate::remote::{Loss, Place, Put, Refusal};

/// The longest value of an extended property (FACTS §2.3); a longer one is cut there without a word.
const LONGEST_VALUE: usize = 1024;
/// How far an instance of a series is looked for.
const STEPS: u32 = 200_000;
const DAY: i64 = 86_400;

/// An event as it shall be there.
pub struct Desired {
    /// None: exceptions of somebody else's series only.
    pub master: Option<Fields>,
    pub overrides: BTreeMap<Rid, Wish>,
    pub frame: Frame,
    pub asks_conference: bool,
    losses: Vec<Loss>,
    series: Series,
}

/// An override as it shall be there.
pub struct Wish {
    pub fields: Fields,
    /// Its RECURRENCE-ID as written, for the ledger.
    pub written: String,
}

impl Desired {
    /// # Errors
    /// What cannot be said there at all.
    pub fn of(put: &Put<'_>, place: &Place) -> Result<Desired, Refusal> {
        let invalid =
            |why: String| Refusal::new("invalid", format!("the event can not be read: {why}"));
        let tree =
            Tree::parse(put.text, &Limits::default()).map_err(|fault| invalid(fault.reason))?;
        let object = Object::read(&tree).map_err(|fault| invalid(fault.reason))?;
        if object.kind != Kind::Event {
            return Err(Refusal::new("kind", "Google has events only"));
        }
        let mut reader = Reader {
            names: Names::of(&tree, &place.zone),
            ledger: Ledger::default(),
            guests: put.guests,
        };
        let mut desired = reader.object(&object)?;
        desired.losses = reader.ledger.losses;
        let marks = put.marks(|item| marker(&wire::parse(&item.doc)).is_some());
        if let (Some(master), true) = (&mut desired.master, marks) {
            let marker = put.marker.print();
            if marker.len() > LONGEST_VALUE {
                return Err(Refusal::new(
                    "too-large",
                    "the event's UID is too long for Google",
                ));
            }
            master.marker = Some(marker);
        }
        Ok(desired)
    }

    /// Does the rule make this instance?
    pub fn makes(&self, rid: Rid) -> bool {
        let key = match rid {
            Rid::Day(day) => civil::seconds(day.at(0, 0, 0, 0)),
            Rid::At(instant) => instant,
        };
        let budget = Budget::new(STEPS, STEPS);
        self.series.occurrence_at(key, &budget).is_some()
    }

    /// The ledger, with what depends on what is there now.
    pub fn losses(mut self, text: &[u8], doc: Option<&Json>) -> Vec<Loss> {
        let empty = Json::new();
        let mut ledger = Ledger {
            rid: None,
            losses: std::mem::take(&mut self.losses),
        };
        if let Ok(tree) = Tree::parse(text, &Limits::default()) {
            for event in tree.roots().flat_map(|root| root.children_named("VEVENT")) {
                ledger.rid = event
                    .property("RECURRENCE-ID")
                    .map(|p| p.value().into_owned());
                conference::survey(event, doc.unwrap_or(&empty), &mut ledger);
            }
        }
        ledger.losses
    }
}

struct Reader<'t> {
    names: Names<'t>,
    ledger: Ledger,
    guests: GuestPolicy,
}

impl Reader<'_> {
    fn object(&mut self, object: &Object<'_>) -> Result<Desired, Refusal> {
        let mut master = None;
        if let Some(component) = object.master {
            let mut fields = self.component(component, None)?;
            let frame = Frame::of(fields.start.as_ref().ok_or_else(no_start)?);
            fields.recurrence = self.recurrence(component, &frame)?;
            master = Some((fields, frame));
        }
        let frame = match (&master, object.overrides.first()) {
            (Some((_, frame)), _) => frame.clone(),
            (None, Some(first)) => Frame::of(&self.time(&first.recurrence_id, true)?),
            (None, None) => return Err(no_start()),
        };
        let mut desired = Desired {
            asks_conference: object.master.is_some_and(conference::asked),
            master: master.map(|(fields, _)| fields),
            overrides: BTreeMap::new(),
            series: Series::of(object, self.names.zones()),
            frame,
            losses: Vec::new(),
        };
        for over in &object.overrides {
            self.over(over, &mut desired)?;
        }
        Ok(desired)
    }

    fn over(&mut self, over: &Override<'_>, desired: &mut Desired) -> Result<(), Refusal> {
        let names = &self.names;
        let rid = desired
            .frame
            .rid(&over.recurrence_id, &|tzid, local| names.near(tzid, local));
        let written = over.property.value().into_owned();
        self.ledger.rid = Some(written.clone());
        if over.this_and_future {
            self.ledger.add(
                "RECURRENCE-ID",
                "Google changes this instance only, not those that follow",
            );
        }
        let usual = desired.master.as_ref().map(|master| master.instance(rid));
        let fields = self.component(over.component, usual.as_ref())?;
        self.ledger.rid = None;
        desired.overrides.insert(rid, Wish { fields, written });
        Ok(())
    }

    /// One VEVENT; `usual` is the instance that it overrides.
    fn component(
        &mut self,
        event: Component<'_>,
        usual: Option<&Fields>,
    ) -> Result<Fields, Refusal> {
        self.ledger.survey(event);
        let text = |name| {
            event
                .property(name)
                .map(|p| plain(&p.text()))
                .unwrap_or_default()
        };
        let word = |name| {
            event
                .property(name)
                .map(|p| p.value().trim().to_ascii_uppercase())
        };
        let series =
            usual.is_none() && (event.property("RRULE").or(event.property("RDATE"))).is_some();
        let (start, end) = self.times(event, usual, series)?;
        let status = match word("STATUS").as_deref() {
            Some("TENTATIVE") => Status::Tentative,
            Some("CANCELLED") => Status::Cancelled,
            _ => Status::Confirmed,
        };
        let dead = status == Status::Cancelled
            && usual.is_none()
            && event.property("RECURRENCE-ID").is_none();
        if dead {
            self.ledger.add(
                "STATUS",
                "a cancelled event would be deleted at Google, so it stays there as free time",
            );
        }
        let color = Color::of_name(&word("COLOR").unwrap_or_default());
        if color == Color::Other {
            self.ledger.add(
                "COLOR",
                "Google has eleven colours, and this is none of them",
            );
        }
        if self.guests == GuestPolicy::Never && event.property("ATTENDEE").is_some() {
            self.ledger
                .add("ATTENDEE", "guests are not sent on this link");
        }
        if self.guests == GuestPolicy::Send {
            self.ledger.guests(event);
        }
        Ok(Fields {
            start: Some(start),
            end: Some(end),
            summary: text("SUMMARY"),
            description: text("DESCRIPTION"),
            location: text("LOCATION"),
            status: if dead { Status::Confirmed } else { status },
            transparent: dead || word("TRANSP").as_deref() == Some("TRANSPARENT"),
            class: Class::of(&word("CLASS").unwrap_or_default(), |row| row.2),
            color,
            reminders: Some(alarms::of_component(event, &mut self.ledger)),
            recurrence: Recurrence::default(),
            marker: None,
            guests: (self.guests == GuestPolicy::Send).then(|| people::of_component(event)),
        })
    }

    fn times(
        &mut self,
        event: Component<'_>,
        usual: Option<&Fields>,
        series: bool,
    ) -> Result<(Time, Time), Refusal> {
        let start = match event.property("DTSTART") {
            Some(property) => self.time(&when(property)?, series)?,
            None => usual
                .and_then(|usual| usual.start.clone())
                .ok_or_else(no_start)?,
        };
        let end = match (event.property("DTEND"), event.property("DURATION")) {
            (Some(property), _) => self.end(&start, &when(property)?, series)?,
            (None, Some(property)) => match Duration::of(property) {
                Ok(length) if !length.negative => lasting(&start, &length),
                _ => least(&start),
            },
            (None, None) => least(&start),
        };
        let ends_early = match (&start, &end) {
            (Time::Day(from), Time::Day(to)) => to <= from,
            (Time::At { instant: from, .. }, Time::At { instant: to, .. }) => to < from,
            _ => true,
        };
        Ok(if ends_early {
            let end = least(&start);
            (start, end)
        } else {
            (start, end)
        })
    }

    /// DTEND, in the form of DTSTART.
    fn end(&mut self, start: &Time, end: &When, series: bool) -> Result<Time, Refusal> {
        Ok(match (start, end) {
            (Time::Day(_), end) => Time::Day(end.date()),
            (Time::At { zone, .. }, When::Date(day)) => Time::At {
                instant: Zone::named(zone)
                    .unwrap_or(Zone::Utc)
                    .to_instant(day.at(0, 0, 0, 0)),
                zone: zone.clone(),
            },
            (_, end) => self.time(end, series)?,
        })
    }

    /// A time as Google says it.
    fn time(&mut self, when: &When, series: bool) -> Result<Time, Refusal> {
        let (zone, name) = match when {
            When::Date(day) => return Ok(Time::Day(*day)),
            When::Utc(_) => (Zone::Utc, "UTC".to_owned()),
            When::Floating(_) => {
                self.ledger.add(
                    "DTSTART",
                    "Google has no floating times: it is fixed in the calendar's zone there",
                );
                self.names.place()
            }
            When::Zoned { at, tzid } => self.zone(tzid, civil::seconds(*at), series)?,
        };
        Ok(Time::At {
            instant: zone.to_instant(when.civil()),
            zone: name,
        })
    }

    fn zone(&mut self, tzid: &str, near: i64, series: bool) -> Result<(Zone, String), Refusal> {
        let refused = || {
            Refusal::new(
                "time-zone",
                "Google repeats events in well-known time zones only, and this one is not known",
            )
        };
        match self.names.meaning(tzid, near, series) {
            Meaning::Iana(zone, name, exact) => {
                if !exact {
                    self.ledger.add(
                        "DTSTART",
                        "the rules of its own time zone differ from the well-known one's, which it has there",
                    );
                }
                Ok((zone, name))
            }
            _ if series => Err(refused()),
            Meaning::Offsets(zone) => {
                self.ledger.add(
                    "DTSTART",
                    "its time zone is unknown to Google: it is in UTC there",
                );
                Ok((zone, "UTC".to_owned()))
            }
            Meaning::Unknown => {
                self.ledger.add(
                    "DTSTART",
                    "nothing says what its time zone is: it is in the calendar's zone there",
                );
                Ok(self.names.place())
            }
        }
    }

    fn recurrence(&mut self, event: Component<'_>, frame: &Frame) -> Result<Recurrence, Refusal> {
        let names = &self.names;
        let near = |tzid: &str, local: i64| names.near(tzid, local);
        let mut found = Recurrence::default();
        for property in event.properties() {
            for name in ["RRULE", "EXRULE"] {
                if property.is(name) {
                    let rule = frame.rule(name, &property.value()).map_err(|why| {
                        Refusal::new(
                            "recurrence",
                            format!("how it repeats can not be said to Google: {why}"),
                        )
                    })?;
                    found.rules.push(rule);
                }
            }
            if property.is("RDATE") {
                found.dates.extend(recur::rdates(frame, property, &near));
            } else if property.is("EXDATE") {
                found
                    .excluded
                    .extend(recur::exdates(frame, property, &near));
            }
        }
        let periods = event
            .properties_named("RDATE")
            .filter_map(|property| Rdate::list(property).ok())
            .any(|all| all.iter().any(|one| matches!(one, Rdate::Period(_))));
        if periods {
            self.ledger.add(
                "RDATE",
                "Google gives every instance the length of the first",
            );
        }
        if found.rules.is_empty() && found.dates.is_empty() {
            found.excluded.clear();
        }
        Ok(found)
    }
}

fn when(property: Property<'_>) -> Result<When, Refusal> {
    When::of(property).map_err(|why| Refusal::new("invalid", format!("{}: {why}", property.name())))
}

fn no_start() -> Refusal {
    Refusal::new("invalid", "Google has no events without a start")
}

/// The end of an event that does not name one: the day, or no time at all (RFC 5545 §3.6.1).
fn least(start: &Time) -> Time {
    match start {
        Time::Day(day) => Time::Day(day.tomorrow().unwrap_or(*day)),
        at => at.clone(),
    }
}

/// Days on the calendar, then time (RFC 5545 §3.3.6).
fn lasting(start: &Time, length: &Duration) -> Time {
    let days = length.nominal_days();
    match start {
        Time::Day(day) => {
            let whole = days.saturating_add(length.exact_seconds().saturating_add(DAY - 1) / DAY);
            let days = civil::seconds(day.at(0, 0, 0, 0)).saturating_add(whole.saturating_mul(DAY));
            Time::Day(civil::date_time(days).map_or(*day, |at| at.date()))
        }
        Time::At { instant, zone } => {
            let rules = Zone::named(zone).unwrap_or(Zone::Utc);
            let local = rules
                .local_of(*instant)
                .saturating_add(days.saturating_mul(DAY));
            let moved = if days == 0 {
                *instant
            } else {
                rules.instant_of(local)
            };
            Time::At {
                instant: moved.saturating_add(length.exact_seconds()),
                zone: zone.clone(),
            }
        }
    }
}
