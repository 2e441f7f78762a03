//! Credentials that were verified a short while ago, so that a request costs an HMAC instead of an argon2 run.
//!
//! The key is an HMAC of the whole header under a random key of this process: the memory of a server says nothing of the
//! passwords that it saw. An entry knows what it was verified against, and is checked against that again every
//! [`RECHECK`] seconds at most, by one point read: so a revocation reaches every process.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::clock::Dice;
use crate::model::{Error, Result, Who};

/// Seconds for which an entry is believed without asking the database.
pub const RECHECK: i64 = 2;
/// After this long the credential is verified from scratch.
const LIFETIME: Duration = Duration::from_secs(600);
const CAPACITY: u64 = 10_000;

/// The HMAC of a header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Eight bytes of an HMAC spread as well as thirty-two.
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        state.write_u64(u64::from_le_bytes(first));
    }
}

/// Who it is, and what that was concluded from.
pub struct Verified {
    pub who: Who,
    pub proof: Proof,
    checked: AtomicI64,
}

#[derive(Clone)]
pub enum Proof {
    /// The PHC string that the password was verified against.
    Password(String),
    /// The hash of an app password or API token.
    Device(String),
}

impl Verified {
    pub fn new(who: Who, proof: Proof, now: i64) -> Verified {
        Verified {
            who,
            proof,
            checked: AtomicI64::new(now),
        }
    }

    /// The same, checked at the same time.
    pub fn copied(&self) -> Verified {
        let checked = self.checked.load(Ordering::Relaxed);
        Verified::new(self.who.clone(), self.proof.clone(), checked)
    }

    /// Whether the caller is to check this again. Of several who ask at the same time one is told to; the others go on
    /// with what was known, for as long as that one read takes.
    pub fn is_due(&self, now: i64) -> bool {
        let checked = self.checked.load(Ordering::Relaxed);
        // A clock that was set back counts as time that has passed.
        let fresh = (0..RECHECK).contains(&(now - checked));
        !fresh
            && self
                .checked
                .compare_exchange(checked, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// The check could not be made: the next request has to try again.
    pub fn still_due(&self) {
        self.checked.store(i64::MIN / 2, Ordering::Relaxed);
    }
}

pub struct Cache {
    /// Already keyed; cloned for each header.
    hmac: Hmac<Sha256>,
    entries: moka::sync::Cache<Key, Arc<Verified>>,
}

impl Cache {
    pub fn new(dice: &Dice) -> Result<Cache> {
        let key = zeroize::Zeroizing::new(dice.bytes::<32>()?);
        Ok(Cache {
            hmac: Hmac::new_from_slice(&key[..]).map_err(Error::internal)?,
            entries: moka::sync::Cache::builder()
                .max_capacity(CAPACITY)
                .time_to_live(LIFETIME)
                .build(),
        })
    }

    pub fn key(&self, header: &[u8]) -> Key {
        let mut hmac = self.hmac.clone();
        hmac.update(header);
        Key(hmac.finalize().into_bytes().into())
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Verified>> {
        self.entries.get(key)
    }

    pub fn put(&self, key: &Key, verified: Verified) -> Who {
        let who = verified.who.clone();
        self.entries.insert(*key, Arc::new(verified));
        who
    }

    pub fn drop(&self, key: &Key) {
        self.entries.invalidate(key);
    }

    pub fn clear(&self) {
        self.entries.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PrincipalId;
    use crate::model::access::Scopes;

    fn verified(now: i64) -> Verified {
        let who = Who {
            id: PrincipalId(1),
            name: "anna".into(),
            admin: false,
            scopes: Scopes::ALL,
        };
        Verified::new(who, Proof::Device("hash".into()), now)
    }

    #[test]
    fn one_of_those_who_ask_checks_again() {
        let entry = verified(100);
        assert!(!entry.is_due(100));
        assert!(!entry.is_due(101));
        assert!(entry.is_due(102));
        assert!(!entry.is_due(102));
        entry.still_due();
        assert!(entry.is_due(102));
        assert!(entry.is_due(50), "the clock was set back");
    }

    #[test]
    fn entries_are_found_by_the_same_header_only_and_can_be_dropped() {
        let cache = Cache::new(&Dice::seeded(1)).unwrap();
        let (a, b) = (cache.key(b"Basic a"), cache.key(b"Basic b"));
        assert_eq!(cache.put(&a, verified(0)).name, "anna");
        assert!(cache.get(&a).is_some() && cache.get(&b).is_none());
        cache.drop(&a);
        assert!(cache.get(&a).is_none());
        cache.put(&b, verified(0));
        cache.clear();
        assert!(cache.get(&b).is_none());
        let other = Cache::new(&Dice::seeded(2)).unwrap();
        assert!(other.key(b"Basic a") != a, "keys are of one process");
    }
}
