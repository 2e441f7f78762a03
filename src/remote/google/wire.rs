//! Their JSON, read with patience: a key that is missing, new or of an unexpected type is never an error.
//! FACTS §2.3, the discovery document's `Event`.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde_json::{Map, Value, json};

use crate::ical::rrule::civil;
use crate::ical::zone::Zone;

/// An object of theirs.
pub type Json = Map<String, Value>;

/// A text, empty when there is none.
pub fn text<'a>(object: &'a Json, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A boolean; theirs are omitted when false.
pub fn flag(object: &Json, key: &str) -> bool {
    object.get(key).and_then(Value::as_bool).unwrap_or(false)
}

pub fn list<'a>(object: &'a Json, key: &str) -> &'a [Value] {
    object
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

pub fn object<'a>(object: &'a Json, key: &str) -> Option<&'a Json> {
    object.get(key).and_then(Value::as_object)
}

/// The objects of a list.
pub fn objects<'a>(object: &'a Json, key: &str) -> impl Iterator<Item = &'a Json> {
    list(object, key).iter().filter_map(Value::as_object)
}

/// A resource's bytes as an object; an empty one when they are none.
pub fn parse(doc: &[u8]) -> Json {
    serde_json::from_slice(doc).unwrap_or_default()
}

/// A start or an end: a day, or an instant in a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Time {
    Day(Date),
    /// Seconds since 1970 UTC and the IANA name of the zone (`UTC` for UTC).
    At {
        instant: i64,
        zone: String,
    },
}

/// Which instance of a series: its original start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rid {
    Day(Date),
    At(i64),
}

impl Time {
    /// Reads an `EventDateTime`; `fallback` is the calendar's zone.
    pub fn read(value: &Json, fallback: &str) -> Option<Time> {
        if let Ok(day) = text(value, "date").parse::<Date>() {
            return Some(Time::Day(day));
        }
        let written = text(value, "dateTime");
        let zone = zone_name(text(value, "timeZone"));
        let instant = match written.parse::<Timestamp>() {
            Ok(instant) => instant.as_second(),
            // without an offset only beside a zone
            Err(_) => Zone::named(zone.as_deref()?)?.to_instant(written.parse::<DateTime>().ok()?),
        };
        let zone = zone
            .or_else(|| zone_name(fallback))
            .unwrap_or_else(|| "UTC".to_owned());
        Some(Time::At { instant, zone })
    }

    /// As an `EventDateTime`: offset form and zone.
    pub fn json(&self) -> Value {
        match self {
            Time::Day(day) => json!({ "date": day.to_string() }),
            Time::At { instant, zone } => {
                json!({ "dateTime": offset_form(*instant, zone), "timeZone": zone })
            }
        }
    }

    pub fn is_day(&self) -> bool {
        matches!(self, Time::Day(_))
    }

    pub fn rid(&self) -> Rid {
        match self {
            Time::Day(day) => Rid::Day(*day),
            Time::At { instant, .. } => Rid::At(*instant),
        }
    }
}

impl Rid {
    /// The instance's id: `<master>_<UTC yyyymmddThhmmssZ>` or `_yyyymmdd` (FACTS §2.3).
    pub fn instance_of(self, master: &str) -> String {
        match self {
            Rid::Day(day) => format!("{master}_{}", day.strftime("%Y%m%d")),
            Rid::At(instant) => format!("{master}_{}", utc_form(instant)),
        }
    }

    /// The tail of such an id.
    pub fn from_id(id: &str) -> Option<Rid> {
        let (_, tail) = id.rsplit_once('_')?;
        match crate::ical::value::When::parse(tail, None).ok()? {
            crate::ical::value::When::Date(day) => Some(Rid::Day(day)),
            crate::ical::value::When::Utc(at) => Some(Rid::At(civil::seconds(at))),
            _ => None,
        }
    }

    /// The time of that instance, in a zone.
    pub fn time(self, zone: &str) -> Time {
        match self {
            Rid::Day(day) => Time::Day(day),
            Rid::At(instant) => Time::At {
                instant,
                zone: zone.to_owned(),
            },
        }
    }
}

/// The IANA name of a zone of theirs; `UTC` for all its aliases. None: not a zone that we know.
pub fn zone_name(name: &str) -> Option<String> {
    match Zone::named(name)? {
        Zone::Utc => Some("UTC".to_owned()),
        zone => zone.iana_name().map(str::to_owned),
    }
}

/// `20260327T090000Z`
pub fn utc_form(instant: i64) -> String {
    civil::date_time(instant).map_or_else(String::new, |at| {
        crate::ical::value::When::Utc(at).to_string()
    })
}

/// `2026-03-27T10:00:00+01:00`
fn offset_form(instant: i64, zone: &str) -> String {
    let zone = Zone::named(zone).unwrap_or(Zone::Utc);
    let offset = zone.offset_at(instant);
    let at = zone.to_civil(instant);
    let written = at.strftime("%Y-%m-%dT%H:%M:%S");
    // RFC 3339 knows minutes only; older offsets have seconds
    if offset == 0 || offset % 60 != 0 {
        let at = Zone::Utc.to_civil(instant);
        return format!("{}Z", at.strftime("%Y-%m-%dT%H:%M:%S"));
    }
    let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
    format!("{written}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// `2026-03-27T09:00:00Z`, for parameters.
pub fn rfc3339(instant: i64) -> String {
    offset_form(instant, "UTC")
}

/// The instant of an RFC 3339 text.
pub fn instant(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_offset() {
        let berlin = |instant| Time::At {
            instant,
            zone: "Europe/Berlin".into(),
        };
        let nine = 1_774_602_000; // 2026-03-27T09:00:00Z
        for (value, time) in [
            (
                json!({"date": "2026-03-27"}),
                Some(Time::Day(jiff::civil::date(2026, 3, 27))),
            ),
            (
                json!({"dateTime": "2026-03-27T10:00:00+01:00"}),
                Some(berlin(nine)),
            ),
            (
                json!({"dateTime": "2026-03-27T02:00:00-07:00", "timeZone": "Europe/Berlin"}),
                Some(berlin(nine)),
            ),
            (
                json!({"dateTime": "2026-03-27T10:00:00", "timeZone": "Europe/Berlin"}),
                Some(berlin(nine)),
            ),
            (
                json!({"dateTime": "2026-03-27T09:00:00.250Z", "timeZone": "Mars/Base"}),
                Some(berlin(nine)),
            ),
            (json!({"dateTime": "2026-03-27T10:00:00"}), None),
            (json!({"dateTime": 7, "date": null}), None),
            (json!({}), None),
        ] {
            assert_eq!(
                Time::read(value.as_object().unwrap(), "Europe/Berlin"),
                time,
                "{value}"
            );
        }
        assert_eq!(
            berlin(nine).json(),
            json!({"dateTime": "2026-03-27T10:00:00+01:00", "timeZone": "Europe/Berlin"})
        );
    }

    #[test]
    fn instance_ids_are_theirs() {
        let at = Rid::At(1_774_602_000);
        assert_eq!(at.instance_of("abc"), "abc_20260327T090000Z");
        assert_eq!(Rid::from_id("a_b_20260327T090000Z"), Some(at));
        let day = Rid::Day(jiff::civil::date(2026, 3, 27));
        assert_eq!(day.instance_of("abc"), "abc_20260327");
        assert_eq!(Rid::from_id("abc_20260327"), Some(day));
        assert_eq!(Rid::from_id("abc"), None);
        assert_eq!(Rid::from_id("abc_R2026"), None);
    }
}
