//! Identifiers: immutable ones and such that change with the folder; base64 with all its awkward characters (FACTS §4.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;

const IMMUTABLE: &str = "AAkALg";
const MUTABLE: &str = "AAMkAG";
const CALENDAR: &str = "AQMkAD";
const MIX: u64 = 0x9E37_79B9_7F4A_7C15;

/// What an id means: an event, or its occurrence that was first planned for a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    pub key: u64,
    pub date: Option<Date>,
}

fn write(prefix: &str, key: u64, days: i32, folder: u64) -> String {
    let mut bytes = Vec::with_capacity(16);
    bytes.extend(key.wrapping_mul(MIX).to_be_bytes());
    bytes.extend((days ^ key as i32).to_be_bytes());
    bytes.extend((folder as u32 ^ (key.wrapping_mul(MIX) >> 7) as u32).to_be_bytes());
    format!("{prefix}{}", STANDARD.encode(bytes))
}

impl Id {
    pub fn write(self, immutable: bool, folder: u64) -> String {
        let days = self
            .date
            .map_or(i32::MAX, |date| (date - Date::ZERO).get_days());
        match immutable {
            true => write(IMMUTABLE, self.key, days, 0),
            false => write(MUTABLE, self.key, days, folder),
        }
    }

    pub fn read(text: &str) -> Option<Id> {
        let rest = text
            .strip_prefix(IMMUTABLE)
            .or(text.strip_prefix(MUTABLE))?;
        let bytes = STANDARD.decode(rest).ok()?;
        let key = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?).wrapping_mul(inverse());
        let days = i32::from_be_bytes(bytes.get(8..12)?.try_into().ok()?) ^ key as i32;
        let date = match days {
            i32::MAX => None,
            days => Some(
                Date::ZERO
                    .checked_add(jiff::Span::new().try_days(days).ok()?)
                    .ok()?,
            ),
        };
        Some(Id { key, date })
    }
}

pub fn calendar(key: u64) -> String {
    write(CALENDAR, key, 0, 0)
}

pub fn read_calendar(text: &str) -> Option<u64> {
    let bytes = STANDARD.decode(text.strip_prefix(CALENDAR)?).ok()?;
    Some(u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?).wrapping_mul(inverse()))
}

/// The inverse of `MIX` modulo 2^64, by Newton's iteration.
fn inverse() -> u64 {
    (0..6).fold(MIX, |x, _| {
        x.wrapping_mul(2u64.wrapping_sub(MIX.wrapping_mul(x)))
    })
}
