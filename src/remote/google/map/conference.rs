//! CONFERENCE (RFC 7986 §5.11) ↔ `conferenceData`. FACTS §2.3.
//!
//! A conference is made there when an event asks for one ([`crate::remote::ASKS_CONFERENCE`]); what is there is read
//! and never removed. Addresses of other services have no place in `conferenceData` and stay here.

use serde_json::{Value, json};

use super::ledger::Ledger;
use crate::ical::tree::Component;
use crate::ical::write::content_line;
use crate::remote::ASKS_CONFERENCE;
use crate::remote::google::wire::{self, Json};

/// What an event may ask for here: a conference of whatever service, or of Google's.
const ASKED: &[&str] = &["AUTO", "MEET"];

/// One that has a conference asks no more.
pub fn asked(event: Component<'_>) -> bool {
    let asks = event.property(ASKS_CONFERENCE);
    let asks = asks.filter(|_| event.property("CONFERENCE").is_none());
    asks.is_some_and(|property| {
        let value = property.value();
        ASKED
            .iter()
            .any(|kind| kind.eq_ignore_ascii_case(value.trim()))
    })
}

/// The request for a Meet; `key` makes it the same one when it is sent again.
pub fn create(key: &str) -> Value {
    json!({
        "createRequest": {
            "requestId": key,
            "conferenceSolutionKey": { "type": "hangoutsMeet" },
        }
    })
}

/// Is one there, or on its way, or refused?
pub fn exists(doc: &Json) -> bool {
    wire::object(doc, "conferenceData").is_some()
}

/// What became of the request for one: `success`, `pending`, `failure`; empty where nothing was asked for.
fn outcome(doc: &Json) -> &str {
    wire::object(doc, "conferenceData")
        .and_then(|data| wire::object(data, "createRequest"))
        .and_then(|request| wire::object(request, "status"))
        .map_or("", |status| wire::text(status, "statusCode"))
}

/// Was it asked for and is not made yet?
pub fn pending(doc: &Json) -> bool {
    outcome(doc) == "pending"
}

/// Addresses to join at and what they are, video first.
fn entries(doc: &Json) -> Vec<(&str, &str, &str)> {
    let data = wire::object(doc, "conferenceData");
    let points = data
        .into_iter()
        .flat_map(|data| wire::objects(data, "entryPoints"));
    let mut found: Vec<(&str, &str, &str)> = points
        .map(|point| {
            (
                wire::text(point, "uri"),
                wire::text(point, "entryPointType"),
                wire::text(point, "label"),
            )
        })
        .filter(|(uri, ..)| !uri.is_empty())
        .collect();
    found.sort_by_key(|(_, kind, _)| *kind != "video");
    let hangout = wire::text(doc, "hangoutLink");
    if found.is_empty() && !hangout.is_empty() {
        found.push((hangout, "video", ""));
    }
    found
}

pub fn print(doc: &Json, out: &mut String) {
    let entries = entries(doc);
    for (uri, kind, label) in &entries {
        let feature = match *kind {
            "video" => "VIDEO",
            "phone" => "PHONE",
            "sip" => "AUDIO",
            _ => "",
        };
        let params: Vec<(&str, &str)> = [("VALUE", "URI"), ("FEATURE", feature), ("LABEL", label)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        out.push_str(&content_line("CONFERENCE", &params, uri));
    }
    if let Some((uri, ..)) = entries.iter().find(|(_, kind, _)| *kind == "video") {
        out.push_str(&content_line("X-GOOGLE-CONFERENCE", &[], uri));
    }
    for file in wire::objects(doc, "attachments") {
        let params: Vec<(&str, &str)> = [
            ("FMTTYPE", wire::text(file, "mimeType")),
            ("FILENAME", wire::text(file, "title")),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
        let address = wire::text(file, "fileUrl");
        if !address.is_empty() {
            out.push_str(&content_line("ATTACH", &params, address));
        }
    }
}

/// Conferences and attachments of ours that are not there.
pub fn survey(event: Component<'_>, doc: &Json, ledger: &mut Ledger) {
    let there = entries(doc);
    if asked(event) && outcome(doc) == "failure" {
        ledger.add(
            "CONFERENCE",
            "Google did not make the conference that was asked for",
        );
    }
    for name in ["CONFERENCE", "X-GOOGLE-CONFERENCE"] {
        for property in event.properties_named(name) {
            let value = property.value();
            if !there.iter().any(|(uri, ..)| *uri == value.trim()) {
                ledger.add(name, "Google holds conferences of its own services only");
            }
        }
    }
    for property in event.properties_named("ATTACH") {
        let value = property.value();
        let known = wire::objects(doc, "attachments")
            .any(|file| wire::text(file, "fileUrl") == value.trim());
        if !known {
            ledger.add("ATTACH", "attachments are not sent to Google");
        }
    }
}
