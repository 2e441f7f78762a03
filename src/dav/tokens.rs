//! Sync tokens (RFC 6578 §4), as text and back. They are `data:` URIs without authority.
//!
//! A calendar's token names the calendar's id and its change number, so a calendar made anew under an old address refuses
//! the old one's tokens. A home's token says the state of each calendar that was in view, so that a shared calendar's change
//! is seen in every home without a write to any of them.

use std::fmt::Write as _;

use crate::model::{CalendarId, PrincipalId};

/// The token of collections that are always empty.
pub const EMPTY: &str = "data:,0";

const PREFIX: &str = "data:,";

pub fn of_calendar(id: CalendarId, seq: i64) -> String {
    format!("{PREFIX}{id}_{seq}")
}

/// Id and change number.
pub fn calendar(token: &str) -> Option<(CalendarId, i64)> {
    let (id, seq) = token.trim().strip_prefix(PREFIX)?.split_once('_')?;
    Some((CalendarId(number(id)?), number(seq)?))
}

/// What a home's token remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Home {
    pub home: i64,
    /// The home's own change number: which calendars are bound.
    pub seq: i64,
    pub calendars: Vec<Seen>,
}

/// A calendar as it was when the token was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: i64,
    pub seq: i64,
    pub props_seq: i64,
}

impl Home {
    pub fn of(home: PrincipalId, seq: i64, calendars: impl IntoIterator<Item = Seen>) -> Home {
        Home {
            home: home.0,
            seq,
            calendars: calendars.into_iter().collect(),
        }
    }

    /// `data:,h7_12/3.40.2/9.1.0`
    pub fn print(&self) -> String {
        let mut token = format!("{PREFIX}h{}_{}", self.home, self.seq);
        for Seen { id, seq, props_seq } in &self.calendars {
            // Writing to a String cannot fail.
            let _ = write!(token, "/{id}.{seq}.{props_seq}");
        }
        token
    }

    pub fn parse(token: &str) -> Option<Home> {
        let rest = token.trim().strip_prefix(PREFIX)?.strip_prefix('h')?;
        let mut parts = rest.split('/');
        let (home, seq) = parts.next()?.split_once('_')?;
        let mut calendars = Vec::new();
        for part in parts {
            let mut numbers = part.split('.');
            let mut next = || number(numbers.next()?);
            calendars.push(Seen {
                id: next()?,
                seq: next()?,
                props_seq: next()?,
            });
            if numbers.next().is_some() {
                return None;
            }
        }
        Some(Home {
            home: number(home)?,
            seq: number(seq)?,
            calendars,
        })
    }

    pub fn seen(&self, id: CalendarId) -> Option<&Seen> {
        self.calendars.iter().find(|seen| seen.id == id.0)
    }
}

/// Digits only: what we never wrote is not a token of ours.
fn number(text: &str) -> Option<i64> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back() {
        assert_eq!(
            calendar(&of_calendar(CalendarId(7), 41)),
            Some((CalendarId(7), 41))
        );
        let home = Home::of(
            PrincipalId(2),
            5,
            [
                Seen {
                    id: 7,
                    seq: 41,
                    props_seq: 3,
                },
                Seen {
                    id: 9,
                    seq: 0,
                    props_seq: 0,
                },
            ],
        );
        assert_eq!(home.print(), "data:,h2_5/7.41.3/9.0.0");
        assert_eq!(Home::parse(&home.print()), Some(home));
        assert_eq!(
            Home::parse("data:,h2_0"),
            Some(Home {
                home: 2,
                ..Home::default()
            })
        );
    }

    #[test]
    fn what_we_never_wrote_is_no_token() {
        for bad in [
            "",
            "x",
            "data:,",
            "data:,1",
            "data:,1_",
            "data:,_1",
            "data:,-1_2",
            "data:,+1_2",
            "data:,h1_2",
            "data:,1_99999999999999999999",
        ] {
            assert_eq!(calendar(bad), None, "{bad}");
        }
        for bad in [
            "data:,1_2",
            "data:,h1",
            "data:,h1_2/",
            "data:,h1_2/3.4",
            "data:,h1_2/3.4.5.6",
            "data:,h1_2/3.4.x",
        ] {
            assert_eq!(Home::parse(bad), None, "{bad}");
        }
    }
}
