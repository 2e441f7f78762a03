//! Time and dice as values, so that tests move them by hand. The only place that asks the system for either.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use crate::model::{Error, Result};

/// What time it is: the system's, or a hand-moved one.
#[derive(Clone, Debug)]
pub struct Clock(Time);

#[derive(Clone, Debug)]
enum Time {
    System,
    ByHand(Arc<AtomicI64>),
}

impl Clock {
    pub fn system() -> Clock {
        Clock(Time::System)
    }

    /// A clock that stands at `now` (seconds since 1970 UTC) until it is moved; its clones move with it.
    pub fn by_hand(now: i64) -> Clock {
        Clock(Time::ByHand(Arc::new(AtomicI64::new(now))))
    }

    /// Seconds since 1970 UTC.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place where the system is asked"
    )]
    pub fn now(&self) -> i64 {
        match &self.0 {
            Time::ByHand(now) => now.load(Ordering::Relaxed),
            Time::System => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| {
                    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
                }),
        }
    }

    /// Moves a hand-moved clock; the system's cannot be moved, and nothing happens.
    pub fn advance(&self, seconds: i64) {
        if let Time::ByHand(now) = &self.0 {
            now.fetch_add(seconds, Ordering::Relaxed);
        }
    }
}

/// Random bytes: the system's, or a repeatable stream.
#[derive(Clone, Debug)]
pub struct Dice(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Seeded(u64, Arc<AtomicU64>),
}

impl Dice {
    pub fn system() -> Dice {
        Dice(Source::System)
    }

    /// The same seed gives the same bytes; for tests only.
    pub fn seeded(seed: u64) -> Dice {
        Dice(Source::Seeded(seed, Arc::default()))
    }

    /// Fills `into`. Fails only when the operating system has no randomness to give.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the system is asked"
    )]
    pub fn fill(&self, into: &mut [u8]) -> Result<()> {
        match &self.0 {
            Source::System => getrandom::fill(into).map_err(|fault| {
                Error::internal(format!("no randomness from the system: {fault}"))
            }),
            Source::Seeded(seed, count) => {
                for block in into.chunks_mut(32) {
                    let number = count.fetch_add(1, Ordering::Relaxed);
                    let mut hash = Sha256::new();
                    hash.update(seed.to_le_bytes());
                    hash.update(number.to_le_bytes());
                    block.copy_from_slice(&hash.finalize()[..block.len()]);
                }
                Ok(())
            }
        }
    }

    pub fn bytes<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_hand_moved_clock_move_together() {
        let clock = Clock::by_hand(1000);
        let other = clock.clone();
        clock.advance(5);
        assert_eq!(other.now(), 1005);
    }

    #[test]
    fn seeded_dice_repeat_and_do_not_stand_still() {
        let (a, b) = (Dice::seeded(7), Dice::seeded(7));
        let first = a.bytes::<40>().unwrap();
        assert_eq!(first, b.bytes::<40>().unwrap());
        assert_ne!(first, a.bytes::<40>().unwrap());
        assert_ne!(first[..8], first[32..]);
    }
}
