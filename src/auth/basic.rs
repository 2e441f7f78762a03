//! Reading the `Authorization` header: RFC 7617 Basic, RFC 6750 Bearer.

use http_auth_basic::Credentials;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::model::{Error, Result};

use super::password::LONGEST;

/// Base64 of the longest name and password, with room to spare.
const LONGEST_HEADER: usize = 2 * LONGEST;
const LONGEST_NAME: usize = 255;

/// What a client gives to be let in.
#[derive(Debug)]
pub struct Given {
    /// In lower case; none with Bearer.
    pub name: Option<String>,
    pub secret: SecretString,
}

impl Given {
    /// Anything that is neither Basic nor Bearer, or is malformed, is answered like a wrong password.
    pub fn parse(header: &[u8]) -> Result<Given> {
        if header.len() > LONGEST_HEADER {
            return Err(Error::Unauthorized);
        }
        let text = std::str::from_utf8(header).map_err(|_| Error::Unauthorized)?;
        let (scheme, rest) = text.split_once(' ').ok_or(Error::Unauthorized)?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("basic") {
            basic(rest)
        } else if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
            Ok(Given {
                name: None,
                secret: rest.into(),
            })
        } else {
            Err(Error::Unauthorized)
        }
    }
}

fn basic(encoded: &str) -> Result<Given> {
    let Credentials { user_id, password } =
        Credentials::decode(encoded.to_string()).map_err(|_| Error::Unauthorized)?;
    let password = Zeroizing::new(password);
    // RFC 7617 §2: neither part has control characters. The library lets them, and an empty name, pass.
    let strange = |text: &str| text.chars().any(char::is_control);
    if user_id.is_empty() || user_id.len() > LONGEST_NAME || strange(&user_id) {
        return Err(Error::Unauthorized);
    }
    if password.is_empty() || password.len() > LONGEST || strange(&password) {
        return Err(Error::Unauthorized);
    }
    Ok(Given {
        name: Some(user_id.to_lowercase()),
        secret: password.as_str().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use secrecy::ExposeSecret;

    fn parse(header: &str) -> Option<(Option<String>, String)> {
        let given = Given::parse(header.as_bytes()).ok()?;
        Some((given.name, given.secret.expose_secret().to_string()))
    }

    fn encoded(text: &[u8]) -> String {
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        format!("Basic {text}")
    }

    #[test]
    fn basic_and_bearer_are_read() {
        let anna = |secret: &str| Some((Some("anna".to_string()), secret.to_string()));
        assert_eq!(parse(&encoded(b"anna:secret")), anna("secret"));
        assert_eq!(parse(&encoded(b"Anna:se:cret")), anna("se:cret"));
        assert_eq!(
            parse(&encoded("anna:pässword".as_bytes())),
            anna("pässword")
        );
        assert_eq!(
            parse(&encoded(b"anna:x").replace("Basic", "bAsIc ")),
            anna("x")
        );
        assert_eq!(parse("Bearer mzxw"), Some((None, "mzxw".into())));
    }

    #[test]
    fn everything_else_is_refused() {
        let long_name = [&[b'a'; 256][..], b":x"].concat();
        let long_password = [b"anna:", &[b'x'; LONGEST + 1][..]].concat();
        for header in [
            "",
            "Basic",
            "Basic ",
            "Bearer ",
            "Basic !!!",
            "Digest username=\"anna\"",
            "Negotiate abc",
            &encoded(b"no colon"),
            &encoded(b":secret"),
            &encoded(b"anna:"),
            &encoded(b"an\0na:secret"),
            &encoded(b"anna:sec\0ret"),
            &encoded(b"anna:sec\nret"),
            &encoded(b"anna:\xff\xfe"),
            &encoded(&long_name),
            &encoded(&long_password),
            &format!("Bearer {}", "x".repeat(LONGEST_HEADER)),
        ] {
            assert_eq!(parse(header), None, "{header}");
        }
    }

    #[test]
    fn debug_output_shows_no_password() {
        let given = Given::parse(encoded(b"anna:hunter22").as_bytes()).unwrap();
        assert!(!format!("{given:?}").contains("hunter22"));
    }
}
