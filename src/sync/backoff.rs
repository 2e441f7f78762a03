//! When something that failed is tried again: exponential with full jitter, or when the other side said.

use crate::clock::Dice;

/// The first wait, and the longest, in seconds.
const FIRST: i64 = 2;
const LONGEST: i64 = 3600;
/// After so many attempts an event is parked.
pub const ATTEMPTS: i64 = 8;
/// After so many failed runs in a row a connection is paused.
pub const FAILURES: i64 = 10;

/// Seconds to wait before attempt `attempts + 1`: between one and the bound, which doubles each time.
pub fn wait(attempts: i64, dice: &Dice) -> i64 {
    let shift = attempts.clamp(0, 30) as u32;
    let bound = FIRST.saturating_mul(1 << shift).min(LONGEST);
    1 + below(bound, dice)
}

/// A period, a tenth shorter or longer, so that not everything is due at once.
pub fn spread(period: i64, dice: &Dice) -> i64 {
    let slack = period / 10;
    period - slack + below(2 * slack + 1, dice)
}

/// A number from 0 up to `bound`; 0 when there are no dice.
fn below(bound: i64, dice: &Dice) -> i64 {
    let Ok(bytes) = dice.bytes::<8>() else {
        return 0;
    };
    let number = u64::from_le_bytes(bytes) >> 1;
    i64::try_from(number).unwrap_or(0) % bound.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_with_jitter_and_have_a_bound() {
        let dice = Dice::seeded(1);
        for attempts in 0..40 {
            let bound = (2_i64 << attempts.min(20)).min(LONGEST);
            let waits: Vec<_> = (0..50).map(|_| wait(attempts, &dice)).collect();
            assert!(
                waits.iter().all(|w| (1..=bound).contains(w)),
                "{attempts}: {waits:?}"
            );
            assert!(attempts < 3 || waits.iter().any(|w| *w != waits[0]));
        }
    }

    #[test]
    fn periods_are_spread() {
        let dice = Dice::seeded(1);
        let spreads: Vec<_> = (0..100).map(|_| spread(300, &dice)).collect();
        assert!(spreads.iter().all(|s| (270..=330).contains(s)));
        assert!(spreads.iter().any(|s| *s < 290) && spreads.iter().any(|s| *s > 310));
        assert_eq!(spread(0, &dice), 0);
    }
}
