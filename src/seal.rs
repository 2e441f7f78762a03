//! Secrets at rest: a versioned envelope of XChaCha20-Poly1305, and keyed hashes.
//!
//! Envelope: version (1 byte), key id (4), nonce (24), ciphertext with its tag. Version, key id and purpose are
//! authenticated with it, so that what was sealed for one purpose opens for no other. The key comes from the variable
//! `KALENDS_KEY`, or from a file beside the database that is created at first start, readable by its owner only.
//! Both may hold several keys: the first seals, all of them open. That is what rotation needs.
//!
//! *How does a running server learn of a new key?* It looks whether the file is another one before it seals, and when
//! something was sealed with a key that it does not have.

mod file;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::clock::Dice;
use crate::model::{Error, Result};
use file::KeyFile;

const VERSION: u8 = 1;
const KEY: usize = 32;
const ID: usize = 4;
const NONCE: usize = 24;
const HEAD: usize = 1 + ID + NONCE;

/// Seals and opens. Cheap to clone; shows nothing of its keys.
#[derive(Clone)]
pub struct Seal(Arc<Ring>);

struct Ring {
    keys: RwLock<Keys>,
    /// Where they come from, if not from the variable.
    file: Option<KeyFile>,
    dice: Dice,
}

/// Never empty; the first one seals.
type Keys = Arc<Vec<Key>>;

struct Key {
    id: [u8; ID],
    secret: Zeroizing<[u8; KEY]>,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seal({} keys)", self.keys().len())
    }
}

impl Seal {
    /// The keys of the variable `KALENDS_KEY` if there is one, else of `file`, which is created when missing.
    pub fn open(variable: Option<&str>, file: &Path, dice: &Dice) -> Result<Seal> {
        if let Some(text) = variable {
            let keys = parse(text).ok_or_else(|| Error::internal(bad_key("KALENDS_KEY")))?;
            return Ok(Seal::of(keys, None, dice));
        }
        let file = KeyFile::new(file);
        let text = file.read_or_create(dice)?;
        let keys = parse(&text).ok_or_else(|| Error::internal(bad_key(&file.name())))?;
        Ok(Seal::of(keys, Some(file), dice))
    }

    fn of(keys: Vec<Key>, file: Option<KeyFile>, dice: &Dice) -> Seal {
        Seal(Arc::new(Ring {
            keys: RwLock::new(Arc::new(keys)),
            file,
            dice: dice.clone(),
        }))
    }

    /// A key out of thin air, for tests.
    pub fn with_random_key(dice: &Dice) -> Result<Seal> {
        Ok(Seal::of(vec![Key::new(dice.bytes()?)], None, dice))
    }

    fn keys(&self) -> Keys {
        let keys = self.0.keys.read();
        keys.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys, after a look whether the file is another one by now.
    fn fresh_keys(&self) -> Keys {
        let changed = self.0.file.as_ref().and_then(KeyFile::read_if_changed);
        match changed.and_then(|text| parse(&text)) {
            Some(keys) => self.set(keys),
            None => self.keys(),
        }
    }

    fn set(&self, keys: Vec<Key>) -> Keys {
        let keys = Arc::new(keys);
        let mut held = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
        *held = keys.clone();
        keys
    }

    /// Which key seals, without telling the key.
    pub fn key_id(&self) -> String {
        hex(self.keys()[0].id)
    }

    /// All keys by their ids, the one that seals first.
    pub fn key_ids(&self) -> Vec<String> {
        self.keys().iter().map(|key| hex(key.id)).collect()
    }

    /// Whether this can open what that key sealed.
    pub fn has_key(&self, id: &str) -> bool {
        self.key_ids().iter().any(|known| known == id)
    }

    /// The id of the key that sealed this.
    pub fn sealed_with(envelope: &[u8]) -> Option<String> {
        let id = <[u8; ID]>::try_from(envelope.get(1..1 + ID)?).ok()?;
        (envelope.len() > HEAD).then(|| hex(id))
    }

    /// The file that the keys are in; none: they come from the variable.
    pub fn file(&self) -> Option<&Path> {
        self.0.file.as_ref().map(KeyFile::path)
    }

    /// A key as the variable or the file has it.
    pub fn new_key(&self) -> Result<Zeroizing<String>> {
        let secret = Zeroizing::new(self.0.dice.bytes::<KEY>()?);
        Ok(Zeroizing::new(STANDARD.encode(*secret)))
    }

    /// Puts a new key before the others in the file; from now on it seals, here and in every process with that file.
    ///
    /// # Errors
    /// When the keys come from the variable, or the file cannot be written.
    pub fn add_key(&self) -> Result<String> {
        let new = self.new_key()?;
        self.rewrite(|old| {
            Some(Zeroizing::new(format!(
                "{}\n{}",
                new.as_str(),
                old.as_str()
            )))
        })?;
        Ok(self.key_id())
    }

    /// Takes all keys but the first out of the file.
    ///
    /// # Errors
    /// As [`Seal::add_key`].
    pub fn drop_old_keys(&self) -> Result<()> {
        self.rewrite(|old| {
            let first = words(old).next()?;
            Some(Zeroizing::new(format!("{}{first}\n", file::REMARK)))
        })
    }

    fn rewrite(
        &self,
        change: impl FnOnce(&Zeroizing<String>) -> Option<Zeroizing<String>>,
    ) -> Result<()> {
        let file = self.0.file.as_ref().ok_or_else(|| {
            Error::internal("the sealing key comes from KALENDS_KEY, which only you can change")
        })?;
        let text = file.rewrite(change)?;
        let keys = parse(&text).ok_or_else(|| Error::internal(bad_key(&file.name())))?;
        self.set(keys);
        Ok(())
    }

    /// Seals `plain` for `purpose` ("feed token"), which must be given again to open it.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let keys = self.fresh_keys();
        let key = &keys[0];
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
        let mut keys = self.keys();
        if !keys.iter().any(|key| key.id == id) {
            keys = self.fresh_keys();
        }
        let key = keys.iter().find(|key| key.id == id).ok_or_else(|| {
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

    /// A hash that only this installation can make: the same data has the same one as long as the oldest key stays.
    pub fn keyed_hash(&self, purpose: &str, data: &[u8]) -> [u8; 32] {
        let keys = self.keys();
        let oldest = &keys[keys.len() - 1];
        // HMAC takes a key of any length (RFC 2104 §2).
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&oldest.secret[..])
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

/// Keys in base64, separated by spaces, commas or ends of lines; lines that start with `#` are remarks.
fn parse(text: &str) -> Option<Vec<Key>> {
    let mut keys = Vec::new();
    for word in words(text) {
        let mut bytes = STANDARD.decode(word).ok()?;
        let secret = <[u8; KEY]>::try_from(bytes.as_slice());
        bytes.zeroize();
        keys.push(Key::new(secret.ok()?));
    }
    (!keys.is_empty()).then_some(keys)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| line.split([' ', '\t', ',', '\r']))
        .filter(|word| !word.is_empty())
}

fn hex(id: [u8; ID]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
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
        let of = |text: &str| Seal::of(parse(text).unwrap(), None, &dice);
        let old = of(&line(1));
        let both = of(&format!("# new\n{}\n\n{}\n", line(2), line(1)));
        assert_eq!(
            both.key_ids(),
            of(&format!("{}, {}", line(2), line(1))).key_ids()
        );
        assert_eq!(old.keyed_hash("p", b"x"), both.keyed_hash("p", b"x"));
        let envelope = old.seal("p", b"x").unwrap();
        assert_eq!(&**both.unseal("p", &envelope).unwrap(), b"x");
        assert!(old.unseal("p", &both.seal("p", b"x").unwrap()).is_err());
        for bad in ["", "#", "short", &STANDARD.encode([0; 31])] {
            assert!(parse(bad).is_none());
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

    #[test]
    fn a_running_server_learns_of_a_new_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kalends.key");
        let dice = Dice::system();
        let (server, command) = (
            Seal::open(None, &path, &dice).unwrap(),
            Seal::open(None, &path, &dice).unwrap(),
        );
        let before = server.seal("p", b"x").unwrap();
        let new = command.add_key().unwrap();
        assert_ne!(Seal::sealed_with(&before), Some(new.clone()));
        // What the command sealed, it can open; and it seals with the new key itself.
        let sealed = command.seal("p", b"y").unwrap();
        assert_eq!(&**server.unseal("p", &sealed).unwrap(), b"y");
        assert_eq!(
            Seal::sealed_with(&server.seal("p", b"z").unwrap()),
            Some(new.clone())
        );
        assert_eq!(&**command.unseal("p", &before).unwrap(), b"x");
        command.drop_old_keys().unwrap();
        assert_eq!(command.key_ids(), std::slice::from_ref(&new));
        assert!(command.unseal("p", &before).is_err());
        assert_eq!(Seal::open(None, &path, &dice).unwrap().key_ids(), [new]);
        let variable = Seal::with_random_key(&dice).unwrap();
        assert!(variable.add_key().is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
