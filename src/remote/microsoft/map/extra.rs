//! Extended properties of ours on an event: the marker, and what Graph itself has no place for. Guests do not see them
//! (FACTS §4.4, `singleValueExtendedProperties`).

use serde_json::{Value, json};

use super::super::wire;
use crate::remote::Marker;

/// [`Marker`].
pub const MARKER: &str = "String {6c8f0e52-3a1d-4f7b-9c55-0d2b7e94a1f3} Name kalends";
/// How our times were told: TZID of start and end, `floating`, `date`.
pub const ZONES: &str = "String {6c8f0e52-3a1d-4f7b-9c55-0d2b7e94a1f3} Name kalends-zones";
/// Of a single event that stands for an instance: `<date> <id of the series>`.
pub const PART: &str = "String {6c8f0e52-3a1d-4f7b-9c55-0d2b7e94a1f3} Name kalends-part";
/// Of a series: the ids of those single events, with blanks between.
pub const PARTS: &str = "String {6c8f0e52-3a1d-4f7b-9c55-0d2b7e94a1f3} Name kalends-parts";

/// An empty [`PARTS`]: Graph takes no empty value.
pub const NONE: &str = "-";

const ALL: [&str; 4] = [MARKER, ZONES, PART, PARTS];

/// Where Graph has them.
pub const KEY: &str = "singleValueExtendedProperties";

/// The expansion that reads them all.
pub fn expand() -> String {
    let ids: Vec<String> = ALL.iter().map(|id| format!("id eq '{id}'")).collect();
    format!("{KEY}($filter={})", ids.join(" or "))
}

/// The filter that finds events by one of them.
pub fn filter(id: &str, value: &str) -> String {
    let value = value.replace('\'', "''");
    format!("{KEY}/Any(ep: ep/id eq '{id}' and ep/value eq '{value}')")
}

/// A value; Graph may write the GUID in other case.
pub fn get<'a>(doc: &'a Value, id: &str) -> Option<&'a str> {
    let found = wire::list(doc, KEY)
        .iter()
        .find(|property| wire::text(property, "id").eq_ignore_ascii_case(id))?;
    Some(wire::text(found, "value")).filter(|value| !value.is_empty())
}

/// Sets a value in a body or in what is known of an event.
pub fn set(doc: &mut Value, id: &str, value: &str) {
    let Some(doc) = doc.as_object_mut() else {
        return;
    };
    let list = doc.entry(KEY).or_insert_with(|| json!([]));
    if !list.is_array() {
        *list = json!([]);
    }
    if let Some(list) = list.as_array_mut() {
        list.retain(|known| !wire::text(known, "id").eq_ignore_ascii_case(id));
        list.push(json!({"id": id, "value": value}));
    }
}

pub fn marker(doc: &Value) -> Option<Marker> {
    Marker::read(get(doc, MARKER)?)
}

/// Which instance of which series a single event stands for.
pub fn part(doc: &Value) -> Option<(jiff::civil::Date, String)> {
    let (date, series) = get(doc, PART)?.split_once(' ')?;
    Some((date.parse().ok()?, series.to_owned()))
}

pub fn print_part(date: jiff::civil::Date, series: &str) -> String {
    format!("{date} {series}")
}

/// The ids of the single events that belong to a series.
pub fn parts(doc: &Value) -> Vec<String> {
    let ids = get(doc, PARTS).unwrap_or_default();
    ids.split_ascii_whitespace()
        .filter(|id| *id != NONE)
        .map(str::to_owned)
        .collect()
}
