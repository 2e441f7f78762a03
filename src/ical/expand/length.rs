//! Where times stand and how long instances last: RFC 5545 §3.3.6, §3.8.2.2, §3.8.5.3.

use crate::ical::rrule::civil::{self, DAY};
use crate::ical::tree::Component;
use crate::ical::value::{Duration, When};
use crate::ical::zone::{WIDEST_JUMP, Zone, Zones};

/// How a component's times are read: the form of its DTSTART.
///
/// Times are compared on an axis: instants where there is a zone, else civil seconds. A place on it is a *key*.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::ical) struct Frame {
    /// None: local, a DATE or a floating time.
    pub zone: Option<Zone>,
    pub tzid: Option<String>,
    pub date: bool,
}

/// The length of each instance of a component.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::ical) enum Length {
    /// DTEND, DUE or nothing: always the same time.
    Exact(i64),
    /// DURATION: days on the calendar, then time.
    Nominal { days: i64, seconds: i64 },
}

impl Frame {
    /// The frame of a time, for a TZID that is used between two instants.
    pub fn of(when: &When, zones: &Zones<'_>, within: Option<(i64, i64)>) -> Frame {
        let (zone, tzid) = match when {
            When::Date(_) | When::Floating(_) => (None, None),
            When::Utc(_) => (Some(Zone::Utc), None),
            When::Zoned { tzid, .. } => (zones.resolve(tzid, within), Some(tzid.clone())),
        };
        Frame {
            zone,
            tzid,
            date: when.is_date(),
        }
    }

    pub fn is_local(&self) -> bool {
        self.zone.is_none()
    }

    /// The key of civil seconds.
    pub fn key(&self, local: i64) -> i64 {
        match &self.zone {
            Some(zone) => zone.instant_of(local),
            None => local,
        }
    }

    /// The civil seconds of a key.
    pub fn local(&self, key: i64) -> i64 {
        match &self.zone {
            Some(zone) => zone.local_of(key),
            None => key,
        }
    }

    /// No civil seconds from these on have an earlier key. Those that the clock skips stand behind what follows them.
    pub fn earliest(&self, local: i64) -> i64 {
        let key = self.key(local);
        key.saturating_sub(self.local(key).saturating_sub(local).max(0))
    }

    /// No civil seconds up to these have a later key.
    pub fn latest(&self, local: i64) -> i64 {
        let key = self.key(local);
        let skipped = self.zone.as_ref().map_or(0, |zone| {
            zone.offset_at(key) - zone.offset_at(key.saturating_sub(WIDEST_JUMP))
        });
        key.saturating_add(skipped.max(0).into())
    }

    /// The key of a property's time. The same moment may be written in UTC, with this or another TZID, or
    /// floating, which then is this frame's wall clock; in a frame of days only the date counts.
    pub fn key_of(&self, when: &When, zones: &Zones<'_>) -> i64 {
        let written = civil::seconds(when.civil());
        if self.date {
            return written.div_euclid(DAY) * DAY;
        }
        match (when, &self.zone) {
            (When::Utc(_), Some(_)) => written,
            (When::Zoned { tzid, .. }, Some(_)) if self.tzid.as_ref() != Some(tzid) => {
                let near = Some((written - DAY, written + DAY));
                let zone = zones.resolve(tzid, near);
                zone.map_or_else(|| self.key(written), |zone| zone.instant_of(written))
            }
            _ => self.key(written),
        }
    }

    /// The end of an instance.
    pub fn end(&self, key: i64, local: i64, length: Length) -> i64 {
        let end = match length {
            Length::Exact(seconds) | Length::Nominal { days: 0, seconds } => {
                key.saturating_add(seconds)
            }
            Length::Nominal { days, seconds } => self
                .key(local.saturating_add(days.saturating_mul(DAY)))
                .saturating_add(seconds),
        };
        end.clamp(key, civil::MAX.max(key))
    }
}

impl Length {
    /// The length that a component gives its instances, with its start on a frame.
    pub fn of(component: Component<'_>, start: &When, frame: &Frame, zones: &Zones<'_>) -> Length {
        let (todo, journal) = (component.is("VTODO"), component.is("VJOURNAL"));
        let end = component.property(if todo { "DUE" } else { "DTEND" });
        if let Some(end) = end.filter(|_| !journal).and_then(|end| When::of(end).ok()) {
            return Self::until(start, &end, frame, zones);
        }
        let duration = component
            .property("DURATION")
            .and_then(|p| Duration::of(p).ok());
        match duration.filter(|duration| !duration.negative) {
            Some(duration) => Self::lasting(&duration, frame),
            None if frame.date && !todo => Length::Exact(DAY),
            None => Length::Exact(0),
        }
    }

    /// From a start to an end. An end before its start is no time; a DATE's end on the same day is that day.
    pub fn until(start: &When, end: &When, frame: &Frame, zones: &Zones<'_>) -> Length {
        let seconds = frame
            .key_of(end, zones)
            .saturating_sub(frame.key_of(start, zones));
        Length::Exact(seconds.max(if frame.date { DAY } else { 0 }))
    }

    pub fn lasting(duration: &Duration, frame: &Frame) -> Length {
        let (days, seconds) = (duration.nominal_days(), duration.exact_seconds());
        if frame.date {
            // Whole days: hours in a DURATION of a DATE round up.
            let days = days
                .saturating_add(seconds.saturating_add(DAY - 1) / DAY)
                .max(1);
            return Length::Exact(days.saturating_mul(DAY));
        }
        Length::Nominal { days, seconds }
    }

    /// An upper bound in seconds.
    pub fn longest(self) -> i64 {
        match self {
            Length::Exact(seconds) | Length::Nominal { days: 0, seconds } => seconds,
            // Days on the calendar may hold a change of the offset.
            Length::Nominal { days, seconds } => days
                .saturating_mul(DAY)
                .saturating_add(WIDEST_JUMP)
                .saturating_add(seconds),
        }
    }
}
