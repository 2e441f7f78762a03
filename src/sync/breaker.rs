//! The mass-change breaker: one side suddenly empty is more likely a mistake than a wish (FACTS §8).

use crate::store::bridges::units::Missing;

/// So many deletions are never asked about.
const ALWAYS: i64 = 5;
/// Of this part of all events.
const PART: i64 = 4;

/// What has to be asked before anything is deleted; none: go on.
pub fn question(missing: &Missing) -> Option<String> {
    let allowed = ALWAYS.max(missing.mapped / PART);
    let asked = [(missing.there, "here"), (missing.here, "there")];
    let words: Vec<String> = asked
        .iter()
        .filter(|(count, _)| *count > allowed)
        .map(|(count, side)| {
            format!(
                "{count} of {} events would be deleted {side}",
                missing.mapped
            )
        })
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_deletions_are_asked_about() {
        for (here, there, mapped, asked) in [
            (0, 0, 0, false),
            (5, 0, 5, false),
            (6, 0, 6, true),
            (0, 6, 10, true),
            (25, 0, 100, false),
            (26, 0, 100, true),
            (25, 25, 100, false),
        ] {
            let missing = Missing {
                here,
                there,
                mapped,
            };
            assert_eq!(question(&missing).is_some(), asked, "{missing:?}");
        }
        let missing = Missing {
            here: 0,
            there: 9,
            mapped: 9,
        };
        assert_eq!(
            question(&missing).unwrap(),
            "9 of 9 events would be deleted here"
        );
    }
}
