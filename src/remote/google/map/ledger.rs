//! The fidelity ledger: what Google does not hold of an event. FACTS §2.3; our store keeps all of it.

use crate::ical::tree::Component;
use crate::remote::Loss;

/// Properties that are said there, or that each side keeps for itself.
const HELD: &[&str] = &[
    "UID",
    "DTSTAMP",
    "SEQUENCE",
    "CREATED",
    "LAST-MODIFIED",
    "DTSTART",
    "DTEND",
    "DURATION",
    "RRULE",
    "EXRULE",
    "RDATE",
    "EXDATE",
    "RECURRENCE-ID",
    "SUMMARY",
    "DESCRIPTION",
    "LOCATION",
    "STATUS",
    "CLASS",
    "TRANSP",
    "COLOR",
    "ORGANIZER",
    "ATTENDEE",
    // compared with what is there, see `conference`
    "CONFERENCE",
    "X-GOOGLE-CONFERENCE",
    "ATTACH",
    "X-GOOGLE-EVENT-TYPE",
    crate::remote::MIRROR,
    crate::remote::ASKS_CONFERENCE,
];

/// Text properties, whose parameters have no place there.
const TEXTS: &[&str] = &["SUMMARY", "DESCRIPTION", "LOCATION"];

/// Parameters of ATTENDEE that have a place there.
const OF_GUESTS: &[&str] = &["CN", "CUTYPE", "ROLE", "PARTSTAT"];

/// In words, for those that people ask about; the others share one sentence.
const WORDS: &[(&str, &str)] = &[
    ("GEO", "Google has no coordinates beside the place's name"),
    ("PRIORITY", "Google has no priorities"),
    ("CATEGORIES", "Google has no categories"),
    ("URL", "Google has no address field that we may write"),
    ("RELATED-TO", "Google does not link events"),
    (
        "RESOURCES",
        "Google keeps rooms and equipment as guests only",
    ),
];
const OTHERS: &str = "Google has no place for it";

/// Collects losses of one component after the other.
#[derive(Default)]
pub struct Ledger {
    /// RECURRENCE-ID of the component that is being read.
    pub rid: Option<String>,
    pub losses: Vec<Loss>,
}

impl Ledger {
    pub fn add(&mut self, property: &str, what: impl Into<String>) {
        let loss = Loss {
            rid: self.rid.clone(),
            property: property.to_owned(),
            what: what.into(),
        };
        if !self.losses.contains(&loss) {
            self.losses.push(loss);
        }
    }

    /// What is lost of guests that are sent.
    pub fn guests(&mut self, event: Component<'_>) {
        let known = |param: &str| OF_GUESTS.iter().any(|one| one.eq_ignore_ascii_case(param));
        for guest in event.properties_named("ATTENDEE") {
            if guest.params().any(|param| !known(param.name())) {
                self.add(
                    "ATTENDEE",
                    "Google keeps of guests their names, their answers and whether they have to come",
                );
            }
        }
    }

    /// What is lost because Google has no such property, parameter or component.
    pub fn survey(&mut self, event: Component<'_>) {
        for property in event.properties() {
            let name = property.name().to_ascii_uppercase();
            if !HELD.contains(&name.as_str()) {
                let words = WORDS.iter().find(|(held, _)| *held == name);
                self.add(&name, words.map_or(OTHERS, |(_, words)| words));
            } else if TEXTS.contains(&name.as_str())
                && property.params().any(|param| !param.is("VALUE"))
            {
                self.add(&name, "Google does not keep its parameters");
            }
        }
        for child in event.children() {
            if !child.is("VALARM") {
                self.add(&child.name().to_ascii_uppercase(), OTHERS);
            }
        }
    }
}
