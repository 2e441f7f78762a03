//! Guessing is slowed: after some failures each further one doubles the wait, for the account that is tried and for the
//! address that tries.
//!
//! An attempt counts as a failure when it begins and is taken back when it succeeds, so that a hundred at once do not
//! all pass before the first has failed. Names are counted whether they exist or not. Who holds a right app password or
//! token never gets here: nobody can lock devices out by guessing.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::{Error, Result};

struct Rule {
    /// Failures that cost nothing.
    free: u32,
    /// The longest wait, in seconds.
    longest: i64,
}

const ACCOUNT: Rule = Rule {
    free: 10,
    longest: 300,
};
const ADDRESS: Rule = Rule {
    free: 30,
    longest: 900,
};
/// Failures are forgotten after this many seconds without another one.
const MEMORY: i64 = 3600;
/// The most accounts and addresses that are remembered.
const CAPACITY: usize = 100_000;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Subject {
    /// A keyed hash of the name: names that were tried are not kept.
    Account(u64),
    Address(u128),
    /// A keyed hash of name and address: a phone that goes on with a revoked app password.
    Device(u64),
}

impl Subject {
    fn rule(self) -> &'static Rule {
        match self {
            Subject::Account(_) | Subject::Device(_) => &ACCOUNT,
            Subject::Address(_) => &ADDRESS,
        }
    }
}

#[derive(Clone, Copy)]
struct Count {
    failures: u32,
    last: i64,
}

impl Count {
    /// From when on another attempt is let through.
    fn until(self, rule: &Rule) -> i64 {
        match self.failures.checked_sub(rule.free) {
            None | Some(0) => i64::MIN,
            Some(over) => self.last + (1i64 << (over - 1).min(30)).min(rule.longest),
        }
    }
}

#[derive(Default)]
pub struct Throttle {
    hasher: RandomState,
    counts: Mutex<HashMap<Subject, Count>>,
}

/// An attempt under way, counted as failed until [`Throttle::succeeded`].
#[must_use]
pub struct Attempt([Subject; 2]);

impl Throttle {
    /// Whether an attempt would be let through at all; counts nothing.
    pub fn check(&self, account: &str, address: IpAddr, now: i64) -> Result<()> {
        check_all(&self.lock(), &self.subjects(account, address), now)
    }

    /// Lets an attempt through, or says how long to wait.
    pub fn begin(&self, account: &str, address: IpAddr, now: i64) -> Result<Attempt> {
        let subjects = self.subjects(account, address);
        self.count(&subjects, now)?;
        Ok(Attempt(subjects))
    }

    /// Counts a wrong app password or token, on its own: it slows neither the person who types a password nor the others
    /// behind the same address.
    pub fn device_failed(&self, name: &str, address: IpAddr, now: i64) -> Result<()> {
        let device = self.hasher.hash_one((name, network(address)));
        self.count(&[Subject::Device(device)], now)
    }

    fn count(&self, subjects: &[Subject], now: i64) -> Result<()> {
        let mut counts = self.lock();
        check_all(&counts, subjects, now)?;
        if counts.len() >= CAPACITY {
            make_room(&mut counts, now);
        }
        for subject in subjects {
            let count = counts.entry(*subject).or_insert(Count {
                failures: 0,
                last: now,
            });
            if now - count.last > MEMORY {
                count.failures = 0;
            }
            count.failures = count.failures.saturating_add(1);
            count.last = now;
        }
        Ok(())
    }

    /// The attempt was right: the account starts anew. Of the address only this attempt is taken back, so that nobody
    /// clears it by signing in to an account of their own.
    pub fn succeeded(&self, attempt: Attempt) {
        let mut counts = self.lock();
        for subject in attempt.0 {
            match subject {
                Subject::Account(_) | Subject::Device(_) => {
                    counts.remove(&subject);
                }
                Subject::Address(_) => {
                    if let Some(count) = counts.get_mut(&subject) {
                        count.failures = count.failures.saturating_sub(1);
                    }
                }
            }
        }
    }

    fn subjects(&self, account: &str, address: IpAddr) -> [Subject; 2] {
        [
            Subject::Account(self.hasher.hash_one(account)),
            Subject::Address(network(address)),
        ]
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Subject, Count>> {
        // Counting cannot leave the map half changed, so a panic elsewhere does not spoil it.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check_all(counts: &HashMap<Subject, Count>, subjects: &[Subject], now: i64) -> Result<()> {
    let waits = subjects.iter().filter_map(|subject| {
        let count = counts.get(subject)?;
        let wait = count.until(subject.rule()).saturating_sub(now);
        (wait > 0 && now - count.last <= MEMORY).then_some(wait)
    });
    match waits.max() {
        None => Ok(()),
        Some(wait) => Err(Error::Throttled {
            retry_after: wait.unsigned_abs(),
        }),
    }
}

/// IPv4 addresses as they are; of IPv6 the /64 that one household or machine has.
fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits() >> 64 << 64 | 1 << 63,
    }
}

/// Drops what is forgotten, and if that is not enough everything that does not wait just now.
fn make_room(counts: &mut HashMap<Subject, Count>, now: i64) {
    counts.retain(|_, count| now - count.last <= MEMORY);
    if counts.len() >= CAPACITY {
        counts.retain(|subject, count| count.until(subject.rule()) > now);
    }
    if counts.len() >= CAPACITY {
        counts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn fail(throttle: &Throttle, account: &str, address: IpAddr, now: i64) -> Option<u64> {
        match throttle.begin(account, address, now) {
            Ok(_) => None,
            Err(Error::Throttled { retry_after }) => Some(retry_after),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn the_wait_of_an_account_doubles_up_to_its_bound_from_any_address() {
        let throttle = Throttle::default();
        for n in 0..10 {
            let address = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, n));
            assert_eq!(fail(&throttle, "anna", address, 0), None);
        }
        let mut now = 0;
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert_eq!(fail(&throttle, "anna", THERE, now), None, "{wait}");
            assert_eq!(fail(&throttle, "anna", THERE, now), Some(wait));
            now += i64::try_from(wait).unwrap();
        }
        assert_eq!(fail(&throttle, "bert", HERE, now), None);
    }

    #[test]
    fn an_address_that_tries_many_names_waits() {
        let throttle = Throttle::default();
        for n in 0..31 {
            assert_eq!(fail(&throttle, &format!("name{n}"), HERE, 0), None);
        }
        assert_eq!(fail(&throttle, "another", HERE, 0), Some(1));
        assert_eq!(fail(&throttle, "another", THERE, 0), None);
    }

    #[test]
    fn success_clears_the_account_and_not_the_address() {
        let throttle = Throttle::default();
        for n in 0..30 {
            assert_eq!(fail(&throttle, &format!("name{n}"), HERE, 0), None);
        }
        let own = throttle.begin("attacker", HERE, 0).unwrap();
        throttle.succeeded(own);
        assert_eq!(fail(&throttle, "x", HERE, 0), None);
        assert_eq!(fail(&throttle, "x", HERE, 0), Some(1));
        for _ in 0..20 {
            let right = throttle.begin("anna", THERE, 0).unwrap();
            throttle.succeeded(right);
        }
    }

    #[test]
    fn failures_are_forgotten_after_an_hour() {
        let throttle = Throttle::default();
        for _ in 0..11 {
            assert_eq!(fail(&throttle, "anna", HERE, 0), None);
        }
        assert_eq!(fail(&throttle, "anna", HERE, 0), Some(1));
        for _ in 0..10 {
            assert_eq!(fail(&throttle, "anna", HERE, MEMORY + 1), None);
        }
    }

    #[test]
    fn a_device_with_a_revoked_password_slows_only_itself() {
        let throttle = Throttle::default();
        for _ in 0..11 {
            assert!(throttle.device_failed("anna", HERE, 0).is_ok());
        }
        assert!(throttle.device_failed("anna", HERE, 0).is_err());
        assert!(throttle.device_failed("anna", THERE, 0).is_ok());
        assert_eq!(fail(&throttle, "anna", HERE, 0), None);
    }

    #[test]
    fn a_household_is_one_address() {
        let one = network("2001:db8:1:2::1".parse().unwrap());
        assert_eq!(one, network("2001:db8:1:2:ffff::9".parse().unwrap()));
        assert_ne!(one, network("2001:db8:1:3::1".parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), network(HERE));
    }
}
