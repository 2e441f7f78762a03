//! One component, many instances: its text is put together once, with places for what differs between them.

use std::ops::Range;

use super::Output;
use crate::ical::expand::Occurrence;
use crate::ical::rrule::civil;
use crate::ical::tree::Component;
use crate::ical::value::When;

/// How a time is written out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Date,
    Floating,
    Utc,
}

/// A content line that each instance has its own of.
#[derive(Clone)]
pub(super) enum Slot {
    /// RECURRENCE-ID, in the form of the series.
    Id(Form),
    Start,
    End,
    /// An end that the component does not say, where it is not the one that it implies.
    Unsaid,
    /// DURATION: so many seconds, said by this line of the source.
    Lasting(i64, Range<usize>),
}

/// What stands in a slot: a line of the source, or one of the instance's own.
pub(super) enum Filling {
    Kept(Range<usize>),
    Line(&'static str, Form, i64),
    Nothing,
}

/// The text of a component, and what is missing in it.
pub(super) struct Template<'t> {
    source: &'t [u8],
    text: Vec<u8>,
    slots: Vec<(usize, Slot)>,
    todo: bool,
}

impl<'t> Template<'t> {
    pub fn new(component: Component<'t>, mut written: Output<'t>) -> Template<'t> {
        written.flush();
        Template {
            source: written.source,
            text: written.bytes,
            slots: written.slots,
            todo: component.is("VTODO"),
        }
    }

    /// Appends an instance.
    pub fn write(&self, occurrence: Occurrence, out: &mut Vec<u8>) {
        let one = One::new(self.todo, occurrence);
        let mut from = 0;
        for (at, slot) in &self.slots {
            out.extend_from_slice(&self.text[from..*at]);
            match one.fill(slot) {
                Filling::Kept(span) => out.extend_from_slice(&self.source[span]),
                Filling::Line(name, form, seconds) => form.write(name, seconds, out),
                Filling::Nothing => {}
            }
            from = *at;
        }
        out.extend_from_slice(&self.text[from..]);
    }
}

/// The property that ends a component.
pub(super) fn end_name(todo: bool) -> &'static str {
    if todo { "DUE" } else { "DTEND" }
}

/// An instance about to be written.
pub(super) struct One {
    occurrence: Occurrence,
    form: Form,
    todo: bool,
}

impl One {
    pub fn new(todo: bool, occurrence: Occurrence) -> One {
        One {
            occurrence,
            form: Form::of_occurrence(&occurrence),
            todo,
        }
    }

    pub fn fill(&self, slot: &Slot) -> Filling {
        let Occurrence {
            rid, start, end, ..
        } = self.occurrence;
        match slot {
            Slot::Id(form) => Filling::Line("RECURRENCE-ID", *form, rid),
            Slot::Start => Filling::Line("DTSTART", self.form, start),
            // Nominal days may be longer or shorter than UTC's.
            Slot::Lasting(seconds, line) if *seconds == self.length() => {
                Filling::Kept(line.clone())
            }
            Slot::Unsaid if self.length() == self.implied() => Filling::Nothing,
            Slot::End | Slot::Unsaid | Slot::Lasting(..) => {
                Filling::Line(end_name(self.todo), self.form, end)
            }
        }
    }

    fn length(&self) -> i64 {
        self.occurrence.end.saturating_sub(self.occurrence.start)
    }

    fn implied(&self) -> i64 {
        if self.occurrence.date && !self.todo {
            civil::DAY
        } else {
            0
        }
    }
}

impl Form {
    pub fn of(when: &When) -> Form {
        match when {
            When::Date(_) => Form::Date,
            When::Floating(_) => Form::Floating,
            When::Utc(_) | When::Zoned { .. } => Form::Utc,
        }
    }

    fn of_occurrence(occurrence: &Occurrence) -> Form {
        match (occurrence.date, occurrence.local) {
            (true, _) => Form::Date,
            (false, true) => Form::Floating,
            (false, false) => Form::Utc,
        }
    }

    /// Seconds as this form has them: an instant for UTC, civil seconds for the others.
    pub fn when(self, seconds: i64) -> When {
        let at = civil::date_time(seconds.clamp(civil::MIN, civil::MAX)).unwrap_or_default();
        match self {
            Form::Date => When::Date(at.date()),
            Form::Floating => When::Floating(at),
            Form::Utc => When::Utc(at),
        }
    }

    /// Appends a content line.
    pub fn write(self, name: &str, seconds: i64, out: &mut Vec<u8>) {
        let value: &[u8] = if self == Form::Date {
            b";VALUE=DATE:"
        } else {
            b":"
        };
        let (digits, length) = self.when(seconds).digits();
        for part in [name.as_bytes(), value, &digits[..length], b"\r\n"] {
            out.extend_from_slice(part);
        }
    }

    pub fn line(self, name: &str, seconds: i64) -> String {
        let mut line = Vec::with_capacity(48);
        self.write(name, seconds, &mut line);
        String::from_utf8(line).unwrap_or_default()
    }
}
