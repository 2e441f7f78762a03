//! Which settings of a link go together. Pure.

use crate::ical::template::{BUSY_FIELDS, TITLES_FIELDS, Template};
use crate::model::bridge::{ConflictPolicy, Direction, GuestPolicy, Privacy};
use crate::model::{Error, Result};
use crate::store::bridges::Settings;

use super::invalid;

/// The longest time between two polls: a week.
const LONGEST: i64 = 7 * 86_400;

/// What somebody says about a link; `None`: as it is, or as is usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub direction: Option<Direction>,
    pub privacy: Option<Privacy>,
    pub title_template: Option<String>,
    pub description_template: Option<String>,
    pub auto_create: Option<bool>,
    pub auto_update: Option<bool>,
    pub conflict: Option<ConflictPolicy>,
    pub guests: Option<GuestPolicy>,
    pub interval: Option<i64>,
    pub paused: Option<bool>,
}

/// What the other side allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Can {
    pub write: bool,
    pub least_interval: i64,
    pub interval: i64,
}

impl Can {
    /// The usual settings of a new link.
    pub fn usual(&self) -> Settings {
        Settings {
            direction: if self.write {
                Direction::Both
            } else {
                Direction::Pull
            },
            privacy: Privacy::Full,
            title_template: String::new(),
            description_template: String::new(),
            auto_create: true,
            auto_update: true,
            conflict: ConflictPolicy::Theirs,
            guests: GuestPolicy::Never,
            interval: self.interval.clamp(self.least_interval, LONGEST),
        }
    }
}

/// The settings after a change.
///
/// # Errors
/// `Invalid` with the field that does not fit the others.
pub fn settled(change: Change, before: Settings, can: &Can) -> Result<Settings> {
    let direction = change.direction.unwrap_or(before.direction);
    let busy = direction == Direction::Busy;
    // Saying nothing about privacy follows the direction into `busy` and out of it.
    let privacy = match change.privacy {
        Some(privacy) => privacy,
        None if busy => Privacy::Busy,
        None if before.direction == Direction::Busy => Privacy::Full,
        None => before.privacy,
    };
    let settings = Settings {
        direction,
        privacy,
        title_template: change.title_template.unwrap_or(before.title_template),
        description_template: change
            .description_template
            .unwrap_or(before.description_template),
        auto_create: change.auto_create.unwrap_or(before.auto_create),
        auto_update: change.auto_update.unwrap_or(before.auto_update),
        conflict: change.conflict.unwrap_or(before.conflict),
        guests: change.guests.unwrap_or(before.guests),
        interval: change.interval.unwrap_or(before.interval),
    };
    check(&settings, can)?;
    Ok(settings)
}

fn check(settings: &Settings, can: &Can) -> Result<()> {
    let Settings {
        direction, privacy, ..
    } = *settings;
    if direction != Direction::Pull && !can.write {
        return Err(invalid(
            "direction",
            "this calendar can only be read there: pull is what can be done",
        ));
    }
    if direction == Direction::Busy && privacy != Privacy::Busy {
        return Err(invalid(
            "privacy",
            "a link that tells busy times tells nothing else: leave it out, or say busy",
        ));
    }
    if matches!(direction, Direction::Both | Direction::Pull) && privacy != Privacy::Full {
        return Err(invalid(
            "privacy",
            "where events come from there, too, both sides have the same: use the direction push to tell less",
        ));
    }
    if settings.guests == GuestPolicy::Send
        && (privacy != Privacy::Full || direction == Direction::Pull)
    {
        return Err(invalid(
            "guests",
            "guests can be sent only where whole events are: privacy full, direction push or both",
        ));
    }
    for (field, text) in [
        ("title_template", &settings.title_template),
        ("description_template", &settings.description_template),
    ] {
        template(field, text, direction, privacy)?;
    }
    if !(can.least_interval..=LONGEST).contains(&settings.interval) {
        let least = can.least_interval;
        return Err(invalid(
            "interval",
            format!("must be between {least} and {LONGEST} seconds for this provider"),
        ));
    }
    Ok(())
}

/// Is this a template, and does it tell no more than the privacy level?
fn template(field: &str, text: &str, direction: Direction, privacy: Privacy) -> Result<(), Error> {
    if text.is_empty() {
        return Ok(());
    }
    if direction == Direction::Pull {
        return Err(invalid(
            field,
            "nothing is told there: a template has no use",
        ));
    }
    let template = Template::parse(text).map_err(|fault| invalid(field, fault.to_string()))?;
    let allowed = match privacy {
        Privacy::Full => return Ok(()),
        Privacy::Titles => TITLES_FIELDS,
        Privacy::Busy => BUSY_FIELDS,
    };
    match template.reaches(allowed) {
        None => Ok(()),
        Some(name) => Err(invalid(
            field,
            format!(
                "{{{name}}} tells more than the privacy level {}",
                privacy.as_str()
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITABLE: Can = Can {
        write: true,
        least_interval: 60,
        interval: 900,
    };

    fn change(direction: Direction) -> Change {
        Change {
            direction: Some(direction),
            ..Change::default()
        }
    }

    /// The field that is refused; none: it is taken.
    fn refused(change: Change, can: &Can) -> Option<String> {
        match settled(change, can.usual(), can) {
            Ok(_) => None,
            Err(Error::Invalid { field, .. }) => Some(field),
            Err(other) => Some(other.to_string()),
        }
    }

    #[test]
    fn what_is_usual_fits() {
        let read_only = Can {
            write: false,
            ..WRITABLE
        };
        for (can, direction) in [(WRITABLE, Direction::Both), (read_only, Direction::Pull)] {
            let usual = settled(Change::default(), can.usual(), &can).unwrap();
            assert_eq!(usual.direction, direction);
        }
        assert_eq!(
            refused(change(Direction::Push), &read_only),
            Some("direction".into())
        );
    }

    #[test]
    fn privacy_follows_the_direction() {
        for direction in Direction::ALL {
            for privacy in Privacy::ALL {
                let fits = match direction {
                    Direction::Push => true,
                    Direction::Busy => *privacy == Privacy::Busy,
                    Direction::Both | Direction::Pull => *privacy == Privacy::Full,
                };
                let asked = Change {
                    privacy: Some(*privacy),
                    ..change(*direction)
                };
                let expected = (!fits).then(|| "privacy".to_string());
                assert_eq!(
                    refused(asked, &WRITABLE),
                    expected,
                    "{direction:?} {privacy:?}"
                );
            }
        }
        let busy = settled(change(Direction::Busy), WRITABLE.usual(), &WRITABLE).unwrap();
        assert_eq!(busy.privacy, Privacy::Busy, "of itself");
        let back = settled(change(Direction::Both), busy, &WRITABLE).unwrap();
        assert_eq!(back.privacy, Privacy::Full, "and back");
    }

    #[test]
    fn a_template_tells_no_more_than_its_privacy_level() {
        use Privacy::{Busy, Full, Titles};
        for (direction, privacy, template, taken) in [
            (
                Direction::Push,
                Full,
                "{title} with {client}, {config.type}",
                true,
            ),
            (Direction::Push, Titles, "{title} ({status})", true),
            (Direction::Push, Titles, "{title} with {client}", false),
            (Direction::Push, Titles, "{config.type}", false),
            (Direction::Busy, Busy, "Busy in {calendar}", true),
            (Direction::Busy, Busy, "{title}", false),
            (Direction::Pull, Full, "{title}", false),
            (Direction::Push, Full, "{title", false),
            (Direction::Push, Full, "{}", false),
            (Direction::Push, Full, &"x".repeat(5000), false),
        ] {
            for field in ["title_template", "description_template"] {
                let mut asked = Change {
                    privacy: Some(privacy),
                    ..change(direction)
                };
                let text = Some(template.to_string());
                match field {
                    "title_template" => asked.title_template = text,
                    _ => asked.description_template = text,
                }
                let expected = (!taken).then(|| field.to_string());
                assert_eq!(refused(asked, &WRITABLE), expected, "{template}");
            }
        }
        // What was allowed before is looked at again when the level changes.
        let full = Change {
            title_template: Some("{title} with {client}".into()),
            ..change(Direction::Push)
        };
        let before = settled(full, WRITABLE.usual(), &WRITABLE).unwrap();
        let less = settled(change(Direction::Busy), before, &WRITABLE);
        assert!(matches!(less, Err(Error::Invalid { field, .. }) if field == "title_template"));
    }

    #[test]
    fn guests_go_with_whole_events_only() {
        for (direction, privacy, taken) in [
            (Direction::Both, Privacy::Full, true),
            (Direction::Push, Privacy::Full, true),
            (Direction::Push, Privacy::Titles, false),
            (Direction::Busy, Privacy::Busy, false),
            (Direction::Pull, Privacy::Full, false),
        ] {
            let asked = Change {
                privacy: Some(privacy),
                guests: Some(GuestPolicy::Send),
                ..change(direction)
            };
            let expected = (!taken).then(|| "guests".to_string());
            assert_eq!(refused(asked, &WRITABLE), expected, "{direction:?}");
        }
    }

    #[test]
    fn polls_are_no_closer_than_the_provider_likes() {
        for (interval, taken) in [
            (59, false),
            (60, true),
            (LONGEST, true),
            (LONGEST + 1, false),
            (-1, false),
        ] {
            let asked = Change {
                interval: Some(interval),
                ..Change::default()
            };
            let expected = (!taken).then(|| "interval".to_string());
            assert_eq!(refused(asked, &WRITABLE), expected, "{interval}");
        }
    }
}
