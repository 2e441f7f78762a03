//! States, choices and times as pages say them.

use crate::app::links::Shown;
use crate::model::bridge::{Connection, Direction, Health, LinkState, Privacy};

/// A choice of a form: the value, and the words for it.
pub type Choice = (&'static str, &'static str);

pub const DIRECTIONS: &[Choice] = &[
    ("both", "Both ways"),
    ("pull", "Only from there to here"),
    ("push", "Only from here to there"),
    ("busy", "Only busy times, from here to there"),
];

pub const PRIVACIES: &[Choice] = &[
    ("full", "Everything"),
    ("titles", "Times and titles"),
    ("busy", "Only that the time is taken"),
];

pub const POLICIES: &[Choice] = &[
    ("theirs", "The other side's counts"),
    ("ours", "The one here counts"),
    ("newest", "The later one counts"),
];

/// The words of a choice.
pub fn words(choices: &[Choice], value: &str) -> &'static str {
    choices
        .iter()
        .find(|choice| choice.0 == value)
        .map_or("", |choice| choice.1)
}

pub fn direction(direction: Direction) -> &'static str {
    words(DIRECTIONS, direction.as_str())
}

pub fn privacy(privacy: Privacy) -> &'static str {
    words(PRIVACIES, privacy.as_str())
}

pub fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::Both => "⇄",
        Direction::Pull => "←",
        Direction::Push | Direction::Busy => "→",
    }
}

/// A state's class in the style sheet, and its words: never told by colour alone.
pub type State = (&'static str, &'static str);

pub fn health(connection: &Connection) -> State {
    match connection.health {
        Health::Ok => ("good", "Works"),
        Health::Reconnect => ("bad", "Has to be connected again"),
        Health::Paused => ("warn", "Paused"),
        Health::Operator => ("bad", "Does not work: the operator has to act"),
    }
}

pub fn state(shown: &Shown) -> State {
    let (link, counts) = (&shown.link, shown.counts);
    if shown.connection.health != Health::Ok {
        return ("bad", "Stands still");
    }
    match link.state {
        LinkState::Paused => ("warn", "Paused"),
        LinkState::Asking => ("warn", "Asks you something"),
        LinkState::Ending => ("warn", "Is being taken away"),
        LinkState::Active if !shown.errors.is_empty() => ("bad", "In trouble"),
        LinkState::Active if link.last_sync.is_none() => ("warn", "Begins"),
        LinkState::Active if counts.waiting > 0 => ("good", "Works, events are on their way"),
        LinkState::Active => ("good", "In step"),
    }
}

/// A time as people read it.
pub fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| String::new(),
        |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// A stretch of time as people say it.
pub fn duration(seconds: i64) -> String {
    let (count, unit) = match seconds {
        ..120 => (seconds, "seconds"),
        120..7200 => (seconds / 60, "minutes"),
        7200..172_800 => (seconds / 3600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{count} {unit}")
}

/// `1 event`, `2 events`.
pub fn count(number: i64, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_words() {
        for direction in Direction::ALL {
            assert!(!super::direction(*direction).is_empty());
        }
        for privacy in Privacy::ALL {
            assert!(!super::privacy(*privacy).is_empty());
        }
        for policy in crate::model::bridge::ConflictPolicy::ALL {
            assert!(!words(POLICIES, policy.as_str()).is_empty());
        }
    }

    #[test]
    fn times_are_read_by_people() {
        assert_eq!(time(1_800_000_000), "2027-01-15 08:00 UTC");
        for (seconds, text) in [
            (60, "60 seconds"),
            (900, "15 minutes"),
            (86_400, "24 hours"),
            (604_800, "7 days"),
        ] {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(
            (count(1, "event"), count(2, "event")),
            ("1 event".into(), "2 events".into())
        );
    }
}
