//! Secrets that devices and programs type in: app passwords, API tokens, feed tokens. 160 random bits each, so that a plain
//! SHA-256 is all that is kept and nothing needs argon2: nobody guesses them, and looking one up is one point read.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::clock::Dice;
use crate::model::Result;

/// RFC 4648 §6 in lower case: 0, 1, 8 and 9 do not occur, so nobody takes one for a letter.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const BITS: usize = 160;
const LETTERS: usize = BITS / 5;
const GROUP: usize = 4;

/// A fresh secret: eight groups of four letters, `mzxw-6ytb-…`. It is shown once; [`hash`] is what gets stored.
pub fn mint(dice: &Dice) -> Result<SecretString> {
    let bits = Zeroizing::new(dice.bytes::<{ BITS / 8 }>()?);
    let mut text = String::with_capacity(LETTERS + LETTERS / GROUP);
    for (at, letter) in letters(&bits).enumerate() {
        if at > 0 && at % GROUP == 0 {
            text.push('-');
        }
        text.push(letter);
    }
    Ok(text.into())
}

/// The same for addresses, where hyphens would be in the way.
pub fn mint_for_address(dice: &Dice) -> Result<SecretString> {
    let bits = Zeroizing::new(dice.bytes::<{ BITS / 8 }>()?);
    Ok(letters(&bits).collect::<String>().into())
}

fn letters(bits: &[u8; BITS / 8]) -> impl Iterator<Item = char> {
    (0..LETTERS).map(|at| {
        let first = at * 5;
        let pair = [
            bits[first / 8],
            bits.get(first / 8 + 1).copied().unwrap_or(0),
        ];
        let five = u16::from_be_bytes(pair) >> (11 - first % 8) & 31;
        char::from(ALPHABET[usize::from(five)])
    })
}

/// What is stored of such a secret, and looked up: the SHA-256 of its letters, in hex. `None`: not of this shape.
/// Hyphens, spaces and capitals are forgiven, since people copy these by hand.
pub fn hash(typed: &str) -> Option<String> {
    if typed.len() > 2 * LETTERS {
        return None;
    }
    let mut plain = Zeroizing::new([0u8; LETTERS]);
    let mut count = 0;
    for byte in typed.bytes().filter(|byte| !matches!(byte, b'-' | b' ')) {
        let letter = byte.to_ascii_lowercase();
        if !matches!(letter, b'a'..=b'z' | b'2'..=b'7') {
            return None;
        }
        *plain.get_mut(count)? = letter;
        count += 1;
    }
    (count == LETTERS).then(|| hex(&Sha256::digest(*plain)))
}

/// [`hash`] of a secret that was just minted.
pub fn hash_of(secret: &SecretString) -> String {
    let typed = secret.expose_secret();
    hash(typed).unwrap_or_else(|| hex(&Sha256::digest(typed.as_bytes())))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_secret_is_found_again_however_it_is_typed() {
        let secret = mint(&Dice::seeded(1)).unwrap();
        let text = secret.expose_secret();
        assert_eq!(text.len(), 39);
        let stored = hash_of(&secret);
        assert_eq!(stored.len(), 64);
        for typed in [
            text.to_string(),
            text.replace('-', ""),
            text.replace('-', " ").to_uppercase(),
        ] {
            assert_eq!(hash(&typed).as_deref(), Some(stored.as_str()));
        }
    }

    #[test]
    fn letters_are_the_bits_in_order() {
        // RFC 4648 §10: "fooba" is MZXW6YTB.
        let mut bits = [0; 20];
        bits[..5].copy_from_slice(b"fooba");
        let text: String = letters(&bits).collect();
        assert_eq!(text, format!("mzxw6ytb{}", "a".repeat(24)));
    }

    #[test]
    fn other_passwords_are_not_taken_for_one() {
        for typed in [
            "",
            "hunter2",
            "mzxw-6ytb",
            &"a".repeat(31),
            &"a".repeat(33),
            &"1".repeat(32),
            &"-".repeat(32),
            &"ä".repeat(16),
        ] {
            assert_eq!(hash(typed), None, "{typed}");
        }
    }
}
