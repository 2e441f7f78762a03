//! Single properties of ours as Graph's keys: texts, places, labels, free or busy. FACTS §4.4.

use serde_json::json;

use super::super::wire::Doc;
use super::{body, words};
use crate::ical::tree::Component;

/// Properties that are not kept, and why.
pub type Lost = Vec<(String, String)>;

pub fn text_of(event: Component<'_>, name: &str) -> String {
    event
        .property(name)
        .map(|property| property.text().into_owned())
        .unwrap_or_default()
}

pub fn texts(event: Component<'_>, doc: &mut Doc, lost: &mut Lost) {
    let title = text_of(event, "SUMMARY");
    let title = title.trim();
    if title.contains('\n') {
        lost.push(("SUMMARY".into(), "a title is one line there".into()));
    }
    if title != text_of(event, "SUMMARY").replace("\r\n", "\n").trim_end() {
        lost.push((
            "SUMMARY".into(),
            "blanks in front of it are not kept there".into(),
        ));
    }
    let one_line: Vec<&str> = title.lines().map(str::trim).collect();
    doc.insert("subject".into(), json!(one_line.join(" ")));
    let text = text_of(event, "DESCRIPTION");
    let normal = body::normal(&text);
    if normal != text.replace("\r\n", "\n").trim_end() {
        lost.push((
            "DESCRIPTION".into(),
            "blanks at the ends of its lines are not kept there".into(),
        ));
    }
    doc.insert(
        "body".into(),
        json!({"contentType": "text", "content": normal}),
    );
}

pub fn location(event: Component<'_>, doc: &mut Doc, lost: &mut Lost) {
    let text = text_of(event, "LOCATION");
    let name = body::normal(&text).trim().to_owned();
    if name != text.replace("\r\n", "\n").trim_end() {
        lost.push((
            "LOCATION".into(),
            "blanks around its lines are not kept there".into(),
        ));
    }
    let mut location = json!({ "displayName": name });
    if let Some(geo) = event.property("GEO") {
        let value = geo.value();
        let parts = value.trim().split_once(';');
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
        match parts.and_then(|(lat, lon)| Some((number(lat)?, number(lon)?))) {
            Some((latitude, longitude)) => {
                location["coordinates"] = json!({"latitude": latitude, "longitude": longitude});
                if format!("{latitude};{longitude}") != value.trim() {
                    lost.push(("GEO".into(), "its numbers are written anew".into()));
                }
            }
            None => lost.push(("GEO".into(), "it cannot be read".into())),
        }
    }
    doc.insert("location".into(), location);
}

/// CLASS, PRIORITY and CATEGORIES.
pub fn labels(event: Component<'_>, doc: &mut Doc, lost: &mut Lost) {
    let class = text_of(event, "CLASS");
    let class = class.trim();
    let sensitivity = match words::theirs(words::SENSITIVITY, class) {
        Some(known) => known,
        None if class.is_empty() => "normal",
        None => {
            // RFC 5545 §3.8.1.3: an unknown class is treated as PRIVATE.
            lost.push(("CLASS".into(), "it is private there".into()));
            "private"
        }
    };
    doc.insert("sensitivity".into(), json!(sensitivity));
    let priority = text_of(event, "PRIORITY").trim().parse().unwrap_or(0);
    let (importance, exact) = words::importance(priority);
    if !exact {
        lost.push((
            "PRIORITY".into(),
            format!("there are three steps there; {priority} becomes {importance}"),
        ));
    }
    doc.insert("importance".into(), json!(importance));
    let mut categories: Vec<String> = event
        .properties_named("CATEGORIES")
        .flat_map(|property| property.texts())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    categories.sort();
    categories.dedup();
    doc.insert("categories".into(), json!(categories));
}

pub fn is_cancelled(event: Component<'_>) -> bool {
    text_of(event, "STATUS")
        .trim()
        .eq_ignore_ascii_case("CANCELLED")
}

/// TRANSP, STATUS and Microsoft's own word, where that does not speak against them.
pub fn show_as(event: Component<'_>, lost: &mut Lost) -> &'static str {
    let free = text_of(event, "TRANSP")
        .trim()
        .eq_ignore_ascii_case("TRANSPARENT");
    let status = text_of(event, "STATUS").trim().to_ascii_uppercase();
    if status == "CANCELLED" {
        let what = "a cancelled event is shown as free there";
        lost.extend(["STATUS", "TRANSP"].map(|name| (name.to_owned(), what.to_owned())));
        return "free";
    }
    let tentative = status == "TENTATIVE";
    let own = text_of(event, "X-MICROSOFT-CDO-BUSYSTATUS");
    let own = words::theirs(words::SHOW_AS, own.trim());
    let usual = match (free, tentative) {
        (true, _) => "free",
        (false, true) => "tentative",
        (false, false) => "busy",
    };
    let shown = match own {
        Some(own) if (own == "free") == free => own,
        _ => usual,
    };
    if tentative && shown != "tentative" {
        lost.push((
            "STATUS".into(),
            "tentative can only be said of busy time there".into(),
        ));
    }
    let confirmed = !tentative && shown == "tentative";
    if confirmed {
        lost.push(("STATUS".into(), "it is tentative there".into()));
    }
    let said = event.property("X-MICROSOFT-CDO-BUSYSTATUS").is_some();
    if said && !matches!(shown, "oof" | "workingElsewhere") {
        lost.push((
            "X-MICROSOFT-CDO-BUSYSTATUS".into(),
            "it comes back as TRANSP and STATUS".into(),
        ));
    }
    shown
}
