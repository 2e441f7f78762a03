//! Secrets at rest: a versioned envelope of XChaCha20-Poly1305, and keyed hashes.
//!
//! Envelope: version (1 byte), key id (4), nonce (24), ciphertext with its tag. Version, key id and purpose are
//! authenticated with it, so that what was sealed for one purpose opens for no other. The key comes from the variable
//! `KALENDS_KEY`, or from a file beside the database that is created at first start, readable by its owner only.
//! The file may hold several keys, one a line: the first seals, all of them open. That is what rotation needs.

use std::io::Write;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::clock::Dice;
use crate::model::{Error, Result};

const VERSION: u8 = 1;
const KEY: usize = 32;
const ID: usize = 4;
const NONCE: usize = 24;
const HEAD: usize = 1 + ID + NONCE;

/// Seals and opens. Cheap to clone; shows nothing of its keys.
#[derive(Clone)]
pub struct Seal(std::sync::Arc<Ring>);

struct Ring {
    /// Never empty; the first one seals.
    keys: Vec<Key>,
    dice: Dice,
}

struct Key {
    id: [u8; ID],
    secret: Zeroizing<[u8; KEY]>,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seal({} keys)", self.0.keys.len())
    }
}

impl Seal {
    /// The key of the variable `KALENDS_KEY` if there is one, else of `file`, which is created when missing.
    pub fn open(variable: Option<&str>, file: &Path, dice: &Dice) -> Result<Seal> {
        if let Some(text) = variable {
            return Seal::parse(text, dice).ok_or_else(|| Error::internal(bad_key("KALENDS_KEY")));
        }
        let name = file.display();
        match std::fs::read_to_string(file).map(Zeroizing::new) {
            Ok(text) => {
                Seal::parse(&text, dice).ok_or_else(|| Error::internal(bad_key(&name.to_string())))
            }
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {
                let text = Zeroizing::new(create(file, dice)?);
                Seal::parse(&text, dice).ok_or_else(|| Error::internal(bad_key(&name.to_string())))
            }
            Err(fault) => Err(Error::internal(format!("sealing key {name}: {fault}"))),
        }
    }

    /// A key out of thin air, for tests.
    pub fn with_random_key(dice: &Dice) -> Result<Seal> {
        let key = Key::new(dice.bytes()?);
        Ok(Seal(std::sync::Arc::new(Ring {
            keys: vec![key],
            dice: dice.clone(),
        })))
    }

    /// Which key seals, without telling the key.
    pub fn key_id(&self) -> String {
        self.0.keys[0]
            .id
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Whether this can open what that key sealed.
    pub fn has_key(&self, id: &str) -> bool {
        let text = |key: &Key| {
            key.id
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        self.0.keys.iter().any(|key| text(key) == id)
    }

    /// Keys in base64, one a line; lines that start with `#` are remarks.
    fn parse(text: &str, dice: &Dice) -> Option<Seal> {
        let mut keys = Vec::new();
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut bytes = STANDARD.decode(line).ok()?;
            let secret = <[u8; KEY]>::try_from(bytes.as_slice());
            bytes.zeroize();
            keys.push(Key::new(secret.ok()?));
        }
        let dice = dice.clone();
        (!keys.is_empty()).then(|| Seal(std::sync::Arc::new(Ring { keys, dice })))
    }

    /// Seals `plain` for `purpose` ("feed token"), which must be given again to open it.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let key = &self.0.keys[0];
        let nonce = self.0.dice.bytes::<NONCE>()?;
        let mut envelope = Vec::with_capacity(HEAD + plain.len() + 16);
        envelope.push(VERSION);
        envelope.extend_from_slice(&key.id);
        envelope.extend_from_slice(&nonce);
        let payload = Payload {
            msg: plain,
            aad: &associated(key.id, purpose),
        };
        let sealed = key
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| Error::internal("sealing failed"))?;
        envelope.extend_from_slice(&sealed);
        Ok(envelope)
    }

    /// What was sealed for this purpose.
    pub fn unseal(&self, purpose: &str, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let damaged = || Error::internal(format!("a sealed {purpose} is damaged"));
        let (head, sealed) = envelope.split_at_checked(HEAD).ok_or_else(damaged)?;
        if head[0] != VERSION {
            return Err(Error::internal(format!(
                "a sealed {purpose} has version {}, this program knows {VERSION}",
                head[0]
            )));
        }
        let id = <[u8; ID]>::try_from(&head[1..1 + ID]).map_err(|_| damaged())?;
        let nonce = <[u8; NONCE]>::try_from(&head[1 + ID..]).map_err(|_| damaged())?;
        let key = self.0.keys.iter().find(|key| key.id == id).ok_or_else(|| {
            Error::internal(format!(
                "a sealed {purpose} needs a key that is not here: is KALENDS_KEY or the key file that of this database?"
            ))
        })?;
        let payload = Payload {
            msg: sealed,
            aad: &associated(id, purpose),
        };
        let plain = key.cipher().decrypt(&XNonce::from(nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| damaged())
    }

    /// A hash that only this installation can make: the same data has the same one as long as the first key stays.
    pub fn keyed_hash(&self, purpose: &str, data: &[u8]) -> [u8; 32] {
        // HMAC takes a key of any length (RFC 2104 §2).
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&self.0.keys[0].secret[..])
            .unwrap_or_else(|_| unreachable!("HMAC refuses no key"));
        mac.update(&(purpose.len() as u64).to_le_bytes());
        mac.update(purpose.as_bytes());
        mac.update(data);
        mac.finalize().into_bytes().into()
    }
}

impl Key {
    fn new(secret: [u8; KEY]) -> Key {
        let mut hash = Sha256::new();
        hash.update(b"kalends key id\0");
        hash.update(secret);
        let mut id = [0; ID];
        id.copy_from_slice(&hash.finalize()[..ID]);
        Key {
            id,
            secret: Zeroizing::new(secret),
        }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&chacha20poly1305::Key::from(*self.secret))
    }
}

/// What is authenticated with the ciphertext.
fn associated(id: [u8; ID], purpose: &str) -> Vec<u8> {
    let mut data = vec![VERSION];
    data.extend_from_slice(&id);
    data.extend_from_slice(purpose.as_bytes());
    data
}

fn bad_key(source: &str) -> String {
    format!(
        "{source} must hold 32 bytes in base64, as `head -c32 /dev/urandom | base64` prints them"
    )
}

/// Writes a new key file that nobody else may read. Never overwrites: of two processes that start at once, the second
/// reads what the first one wrote.
fn create(file: &Path, dice: &Dice) -> Result<String> {
    let secret = Zeroizing::new(dice.bytes::<KEY>()?);
    let text = format!(
        "# The sealing key of this Kalends installation. Keep a copy apart from the backups.\n{}\n",
        STANDARD.encode(*secret)
    );
    let fail = |fault: std::io::Error| {
        Error::internal(format!(
            "cannot create the sealing key {}: {fault}",
            file.display()
        ))
    };
    // Written beside and linked into place, so that nobody ever reads half a key.
    let draft = file.with_extension(format!("key-{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut handle = options.open(&draft).map_err(fail)?;
    handle.write_all(text.as_bytes()).map_err(fail)?;
    handle.sync_all().map_err(fail)?;
    let linked = std::fs::hard_link(&draft, file);
    std::fs::remove_file(&draft).map_err(fail)?;
    match linked {
        Ok(()) => Ok(text),
        Err(fault) if fault.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::read_to_string(file).map_err(fail)
        }
        Err(fault) => Err(fail(fault)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(seed: u64) -> Seal {
        Seal::with_random_key(&Dice::seeded(seed)).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_only() {
        let seal = seal(1);
        let envelope = seal.seal("feed token", b"hello").unwrap();
        assert_eq!(&**seal.unseal("feed token", &envelope).unwrap(), b"hello");
        assert!(seal.unseal("refresh token", &envelope).is_err());
    }

    #[test]
    fn a_changed_envelope_does_not_open() {
        let seal = seal(1);
        let envelope = seal.seal("p", b"hello").unwrap();
        for at in 0..envelope.len() {
            let mut changed = envelope.clone();
            changed[at] ^= 1;
            assert!(seal.unseal("p", &changed).is_err(), "byte {at}");
        }
        for length in 0..envelope.len() {
            assert!(seal.unseal("p", &envelope[..length]).is_err());
        }
    }

    #[test]
    fn another_key_says_that_the_key_is_missing() {
        let envelope = seal(1).seal("p", b"hello").unwrap();
        let why = seal(2).unseal("p", &envelope).unwrap_err().to_string();
        assert!(why.contains("a key that is not here"), "{why}");
    }

    #[test]
    fn older_keys_of_the_file_still_open() {
        let dice = Dice::seeded(3);
        let line = |n: u8| STANDARD.encode([n; 32]);
        let old = Seal::parse(&line(1), &dice).unwrap();
        let both = Seal::parse(&format!("# new\n{}\n\n{}\n", line(2), line(1)), &dice).unwrap();
        let envelope = old.seal("p", b"x").unwrap();
        assert_eq!(&**both.unseal("p", &envelope).unwrap(), b"x");
        assert!(old.unseal("p", &both.seal("p", b"x").unwrap()).is_err());
        for bad in ["", "#", "short", &STANDARD.encode([0; 31])] {
            assert!(Seal::parse(bad, &dice).is_none());
        }
    }

    #[test]
    fn the_key_file_is_created_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kalends.key");
        let dice = Dice::system();
        let first = Seal::open(None, &file, &dice).unwrap();
        let second = Seal::open(None, &file, &dice).unwrap();
        let envelope = first.seal("p", b"x").unwrap();
        assert!(second.unseal("p", &envelope).is_ok());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let text = std::fs::read_to_string(&file).unwrap();
        let key = text.lines().last().unwrap();
        assert!(!format!("{first:?}").contains(key));
    }
}
