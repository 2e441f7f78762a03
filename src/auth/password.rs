//! Passwords that people choose: argon2id, a few at a time, away from the threads that serve.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::{CustomizedPasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params, PasswordHash};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::clock::Dice;
use crate::model::{Error, Result};

/// One verification takes 19 MiB for some 20 ms; more of them at once would only be slower together.
const AT_ONCE: usize = 2;
/// Those that wait are bounded too: at 20 ms each, the last one waits for less than a second.
const WAITING: usize = 64;
/// Longer ones are refused before they are hashed.
pub const LONGEST: usize = 1024;
const SHORTEST: usize = 8;

/// What is verified for names that have no password, so that they take as long as the others. Nothing hashes to it by
/// intention, and the outcome is not looked at.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$a2FsZW5kcy1ub2JvZHkh$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

pub struct Passwords {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: AtomicUsize::new(0),
        }
    }
}

/// A place in the pool; give it to [`Passwords::verify`].
pub struct Permit {
    _held: tokio::sync::OwnedSemaphorePermit,
}

impl Passwords {
    /// Waits for a place. Refused at once when too many wait already.
    pub async fn permit(&self) -> Result<Permit> {
        let queue = Queue::enter(&self.waiting)?;
        let permit = self.permits.clone().acquire_owned().await;
        drop(queue);
        permit
            .map(|held| Permit { _held: held })
            .map_err(|_| Error::Unavailable("the server is stopping".into()))
    }

    /// Whether `password` is the one of this PHC string. Without one it takes the same time to say no.
    pub async fn verify(
        &self,
        permit: Permit,
        password: SecretString,
        phc: Option<String>,
    ) -> Result<bool> {
        let exists = phc.is_some();
        let phc = phc.unwrap_or_else(|| NOBODY.to_string());
        let verified = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let parsed = PasswordHash::new(&phc)
                .map_err(|_| Error::internal("a stored password hash cannot be read"))?;
            let outcome =
                Argon2::default().verify_password(password.expose_secret().as_bytes(), &parsed);
            Ok(outcome.is_ok())
        });
        let right = verified.await.map_err(Error::internal)??;
        Ok(right && exists)
    }
}

/// One who waits; leaves when dropped, also when the client has gone away meanwhile.
struct Queue<'w>(&'w AtomicUsize);

impl<'w> Queue<'w> {
    fn enter(waiting: &'w AtomicUsize) -> Result<Queue<'w>> {
        let place = Queue(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            return Err(Error::Unavailable(
                "too many passwords are being checked, try again".into(),
            ));
        }
        Ok(place)
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The PHC string of a new password. Takes its 20 ms on the calling thread: for commands.
pub fn hash(password: &SecretString, dice: &Dice) -> Result<String> {
    let salt = dice.bytes::<16>()?;
    let hashed = Argon2::default()
        .hash_password_customized(
            password.expose_secret().as_bytes(),
            &salt,
            Some("argon2id"),
            None,
            Params::default(),
        )
        .map_err(|fault| Error::internal(format!("hashing a password: {fault}")))?;
    Ok(hashed.to_string())
}

/// Whether a password may be chosen, with the reason if not.
pub fn acceptable(password: &SecretString) -> std::result::Result<(), String> {
    let text = password.expose_secret();
    if text.chars().count() < SHORTEST {
        return Err(format!("a password has at least {SHORTEST} characters"));
    }
    if text.len() > LONGEST {
        return Err(format!("a password has at most {LONGEST} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err("a password has no control characters".into());
    }
    if super::device::hash(text).is_some() {
        return Err("this looks like an app password: choose another one".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    async fn verify(passwords: &Passwords, password: &str, phc: Option<&str>) -> bool {
        let permit = passwords.permit().await.unwrap();
        let phc = phc.map(String::from);
        passwords
            .verify(permit, password.into(), phc)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn the_right_password_and_no_other_is_verified() {
        let passwords = Passwords::default();
        let phc = hash(&"correct horse".into(), &Dice::seeded(1)).unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(verify(&passwords, "correct horse", Some(&phc)).await);
        assert!(!verify(&passwords, "correct hors", Some(&phc)).await);
        assert!(!verify(&passwords, "correct horse", None).await);
    }

    #[test]
    fn nobody_has_the_parameters_of_everybody() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let somebody = hash(&"correct horse".into(), &Dice::seeded(1)).unwrap();
        let somebody = PasswordHash::new(&somebody).unwrap();
        assert_eq!(nobody.params, somebody.params);
        assert_eq!(nobody.algorithm, somebody.algorithm);
    }

    #[tokio::test]
    async fn who_waits_is_bounded_and_leaves_the_queue() {
        let passwords = Passwords::default();
        let held = [
            passwords.permit().await.unwrap(),
            passwords.permit().await.unwrap(),
        ];
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(passwords.permit())).collect();
        for one in &mut waiting {
            assert!(one.now_or_never().is_none());
        }
        assert!(matches!(
            passwords.permit().await,
            Err(Error::Unavailable(_))
        ));
        drop(waiting);
        drop(held);
        assert!(passwords.permit().await.is_ok());
    }

    #[test]
    fn weak_and_strange_passwords_are_refused() {
        let long = "x".repeat(LONGEST + 1);
        let device = "a".repeat(32);
        for bad in ["", "1234567", "with\0nul-in-it", &long, &device] {
            assert!(acceptable(&bad.into()).is_err(), "{bad}");
        }
        assert!(acceptable(&"pässword".into()).is_ok());
    }
}
