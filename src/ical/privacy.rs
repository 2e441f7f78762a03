//! What others are told of an object at a privacy level: allow-lists, so that what is not named here stays private.
//!
//! | level | what is told |
//! |---|---|
//! | `titles` | UID, times, recurrence, SUMMARY, STATUS, TRANSP; an object with CLASS:PRIVATE or CONFIDENTIAL as `busy` |
//! | `busy` | times and recurrence of what takes time, a fixed title, a UID that says nothing |
//!
//! Values are parsed and printed anew and only parameters that give them meaning are kept, so no parameter, unknown
//! rule part or fold of the original gets through. Level `full` is [`copy`].

use std::collections::BTreeSet;

use crate::ical::rrule::Rule;
use crate::ical::tree::{Component, Property, Tree};
use crate::ical::value::{Duration, Period, Rdate, When};
use crate::ical::write::{content_line, text_line};

pub mod copy;

/// The fixed title of what is only busy.
pub const BUSY: &str = "Busy";

/// What the levels need to know besides the object.
pub struct Reduction<'a> {
    /// Only times, for every object.
    pub busy_only: bool,
    /// DTSTAMP of everything: nothing is told of when an event was written.
    pub stamp: &'a str,
    /// Makes a UID that says nothing, the same for the same UID.
    pub mask: &'a (dyn Fn(&str) -> String + Send + Sync),
}

/// Appends an object's components as they may be seen. `public` gives each time the form in which it is told.
pub fn reduce(
    tree: &Tree<'_>,
    how: &Reduction<'_>,
    public: &mut dyn FnMut(&When) -> When,
    out: &mut Vec<u8>,
) {
    let parts = || tree.roots().flat_map(|root| root.children());
    let private = parts().any(|part| is_private(part));
    let busy = how.busy_only || private;
    let mut writer = Writer {
        how,
        busy,
        public,
        out,
    };
    if busy {
        let events: Vec<_> = parts().filter(|part| part.is("VEVENT")).collect();
        writer.busy_object(&events);
    } else {
        for part in parts().filter(|part| KINDS.iter().any(|kind| part.is(kind))) {
            writer.component(part, &[]);
        }
    }
}

const KINDS: [&str; 3] = ["VEVENT", "VTODO", "VJOURNAL"];

/// RFC 5545 §3.8.1.3: a class that is not known is treated as PRIVATE.
pub fn is_private(part: Component<'_>) -> bool {
    part.property("CLASS")
        .is_some_and(|class| !class.value().trim().eq_ignore_ascii_case("PUBLIC"))
}

fn says(part: Component<'_>, name: &str, value: &str) -> bool {
    part.property(name)
        .is_some_and(|p| p.value().trim().eq_ignore_ascii_case(value))
}

/// Does an event take its people's time?
fn takes_time(event: Component<'_>) -> bool {
    !says(event, "TRANSP", "TRANSPARENT") && !says(event, "STATUS", "CANCELLED")
}

fn instance(event: Component<'_>) -> Option<When> {
    event
        .property("RECURRENCE-ID")
        .and_then(|p| When::of(p).ok())
}

struct Writer<'w, 'a> {
    how: &'w Reduction<'a>,
    busy: bool,
    public: &'w mut dyn FnMut(&When) -> When,
    out: &'w mut Vec<u8>,
}

impl Writer<'_, '_> {
    /// Instances that take no time are exceptions of the series, so that the rule does not bring them back.
    fn busy_object(&mut self, events: &[Component<'_>]) {
        let free: Vec<When> = events
            .iter()
            .filter(|e| !takes_time(**e))
            .filter_map(|e| instance(*e))
            .collect();
        for event in events.iter().filter(|e| takes_time(**e)) {
            let master = event.property("RECURRENCE-ID").is_none();
            self.component(*event, if master { &free } else { &[] });
        }
    }

    fn component(&mut self, part: Component<'_>, exceptions: &[When]) {
        let Some(uid) = part.property("UID").map(|p| p.text().into_owned()) else {
            return;
        };
        let name = part.name().to_ascii_uppercase();
        self.push(&content_line("BEGIN", &[], &name));
        let uid = if self.busy {
            (self.how.mask)(&uid)
        } else {
            uid
        };
        self.push(&text_line("UID", &[], &uid));
        self.push(&content_line("DTSTAMP", &[], self.how.stamp));
        for property in part.properties() {
            self.times(property);
        }
        self.instants("EXDATE", exceptions);
        if self.busy {
            self.push(&text_line("SUMMARY", &[], BUSY));
        } else {
            self.words(part);
        }
        self.push(&content_line("END", &[], &name));
    }

    /// SUMMARY as text; STATUS and TRANSP if they are words of the RFC.
    fn words(&mut self, part: Component<'_>) {
        const STATUS: [&str; 9] = [
            "TENTATIVE",
            "CONFIRMED",
            "CANCELLED",
            "NEEDS-ACTION",
            "COMPLETED",
            "IN-PROCESS",
            "DRAFT",
            "FINAL",
            "PENDING",
        ];
        if let Some(summary) = part.property("SUMMARY") {
            self.push(&text_line("SUMMARY", &[], &summary.text()));
        }
        for (name, words) in [
            ("STATUS", &STATUS[..]),
            ("TRANSP", &["OPAQUE", "TRANSPARENT"]),
        ] {
            if let Some(word) = words.iter().find(|word| says(part, name, word)) {
                self.push(&content_line(name, &[], word));
            }
        }
    }

    fn times(&mut self, property: Property<'_>) {
        let name = property.name().to_ascii_uppercase();
        match name.as_str() {
            "DTSTART" | "DTEND" | "DUE" => self.instants(&name, When::of(property).ok().as_slice()),
            "RECURRENCE-ID" => self.recurrence_id(property),
            "EXDATE" => self.instants(&name, &When::list(property).unwrap_or_default()),
            "RDATE" => self.rdates(&Rdate::list(property).unwrap_or_default()),
            "RRULE" | "EXRULE" => {
                if let Ok(rule) = Rule::parse(property.value().trim()) {
                    self.push(&content_line(&name, &[], &rule.to_string()));
                }
            }
            "DURATION" => {
                if let Ok(duration) = Duration::of(property) {
                    self.push(&content_line(&name, &[], &duration.to_string()));
                }
            }
            _ => {}
        }
    }

    fn recurrence_id(&mut self, property: Property<'_>) {
        let Ok(when) = When::of(property) else { return };
        let when = (self.public)(&when);
        let mut params: Vec<_> = when.param().into_iter().collect();
        if property
            .param("RANGE")
            .is_some_and(|r| r.eq_ignore_ascii_case("THISANDFUTURE"))
        {
            params.push(("RANGE", "THISANDFUTURE"));
        }
        let line = content_line("RECURRENCE-ID", &params, &when.to_string());
        self.push(&line);
    }

    /// One line for each form (zone, UTC, date) among the times.
    fn instants(&mut self, name: &str, times: &[When]) {
        let told: Vec<When> = times.iter().map(|when| (self.public)(when)).collect();
        let forms: BTreeSet<Option<(&str, &str)>> = told.iter().map(When::param).collect();
        let mut lines = String::new();
        for form in &forms {
            let values: Vec<String> = told
                .iter()
                .filter(|when| when.param() == *form)
                .map(When::to_string)
                .collect();
            let params: Vec<_> = form.iter().copied().collect();
            lines += &content_line(name, &params, &values.join(","));
        }
        self.push(&lines);
    }

    fn rdates(&mut self, items: &[Rdate]) {
        let mut starts = Vec::new();
        for item in items {
            match item {
                Rdate::Start(when) => starts.push(when.clone()),
                Rdate::Period(period) => self.period(period),
            }
        }
        self.instants("RDATE", &starts);
    }

    fn period(&mut self, period: &Period) {
        let start = (self.public)(period.start());
        let told = match period {
            Period::Explicit { end, .. } => Period::Explicit {
                end: (self.public)(end),
                start: start.clone(),
            },
            Period::Lasting { duration, .. } => Period::Lasting {
                duration: *duration,
                start: start.clone(),
            },
        };
        let mut params = vec![("VALUE", "PERIOD")];
        params.extend(start.param());
        let line = content_line("RDATE", &params, &told.to_string());
        self.push(&line);
    }

    fn push(&mut self, lines: &str) {
        self.out.extend_from_slice(lines.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::tree::Limits;

    const SECRET: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//secret\r\nBEGIN:VEVENT\r\nUID:secret@example.org\r\n\
        DTSTAMP:20260101T000000Z\r\nDTSTART;X-SECRET=secret;TZID=Europe/Berlin:20261120T090000\r\nDURATION:PT1H\r\n\
        RRULE:FREQ=WEEKLY;COUNT=4\r\nEXDATE;TZID=Europe/Berlin:20261127T090000\r\n\
        RDATE;VALUE=PERIOD:20261121T090000Z/PT2H\r\nSUMMARY;X-SECRET=secret:Dentist\\, Dr. Who\r\nLOCATION:secret\r\n\
        DESCRIPTION:secret\r\nSTATUS:CONFIRMED\r\nATTENDEE;CN=secret:mailto:secret@example.org\r\n\
        X-SECRET:secret\r\nSEQUENCE:3\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:secret\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n\
        END:VEVENT\r\nBEGIN:VEVENT\r\nUID:secret@example.org\r\nRECURRENCE-ID;TZID=Europe/Berlin:20261204T090000\r\n\
        DTSTART;TZID=Europe/Berlin:20261204T100000\r\nSUMMARY:secret\r\nTRANSP:TRANSPARENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

    fn told(text: &str, busy_only: bool) -> String {
        let tree = Tree::parse(text.as_bytes(), &Limits::default()).unwrap();
        let mask = |_: &str| "masked".to_string();
        let how = Reduction {
            busy_only,
            stamp: "20261101T000000Z",
            mask: &mask,
        };
        let mut out = Vec::new();
        reduce(&tree, &how, &mut When::clone, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn busy_tells_times_and_nothing_else() {
        assert_eq!(
            told(SECRET, true),
            "BEGIN:VEVENT\r\nUID:masked\r\nDTSTAMP:20261101T000000Z\r\nDTSTART;TZID=Europe/Berlin:20261120T090000\r\n\
             DURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=4\r\nEXDATE;TZID=Europe/Berlin:20261127T090000\r\n\
             RDATE;VALUE=PERIOD:20261121T090000Z/PT2H\r\nEXDATE;TZID=Europe/Berlin:20261204T090000\r\n\
             SUMMARY:Busy\r\nEND:VEVENT\r\n"
        );
    }

    #[test]
    fn titles_tells_what_its_list_names() {
        let text = told(SECRET, false);
        assert!(
            text.contains("UID:secret@example.org\r\n")
                && text.contains("SUMMARY:Dentist\\, Dr. Who\r\n")
        );
        assert!(text.contains("STATUS:CONFIRMED\r\n") && text.contains("TRANSP:TRANSPARENT\r\n"));
        for hidden in [
            "X-SECRET",
            "LOCATION",
            "DESCRIPTION",
            "ATTENDEE",
            "VALARM",
            "SEQUENCE",
        ] {
            assert!(!text.contains(hidden), "{hidden}");
        }
    }

    #[test]
    fn private_objects_are_only_busy_among_titles() {
        for class in ["PRIVATE", "CONFIDENTIAL", "private", "X-UNKNOWN"] {
            let text = told(
                &SECRET.replace("LOCATION:secret", &format!("CLASS:{class}")),
                false,
            );
            assert!(
                !text.contains("secret") && !text.contains("Dentist"),
                "{class}: {text}"
            );
            assert!(text.contains("UID:masked\r\n"));
        }
        assert!(
            told(&SECRET.replace("LOCATION:secret", "CLASS:PUBLIC"), false).contains("Dentist")
        );
    }

    #[test]
    fn what_takes_no_time_is_not_busy() {
        for line in ["TRANSP:TRANSPARENT", "STATUS:CANCELLED"] {
            let text = SECRET
                .replace("LOCATION:secret", line)
                .replace("STATUS:CONFIRMED\r\n", "");
            assert_eq!(told(&text, true), "", "{line}");
        }
        assert_eq!(told(&SECRET.replace("VEVENT", "VTODO"), true), "");
    }
}
