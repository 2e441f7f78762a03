//! Connecting without a browser: a CalDAV account by address, user name and password, and a subscription by its secret
//! address. What is typed in is tried before anything is stored.

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use super::super::Bridge;
use super::super::credentials::{Keeper, Secret};
use super::{Signed, given, in_words, keep_listing};
use crate::model::bridge::Connection;
use crate::model::{ConnectionId, Error, PrincipalId, Result};
use crate::remote::presets::{self, Preset};
use crate::remote::{Fault, Row};
use crate::store::bridges::connections;

/// What somebody typed in. Empty texts: as it was, when a connection is connected again.
#[derive(Clone, Default)]
pub struct Typed {
    pub url: SecretString,
    /// Name of a row of [`presets::PRESETS`], instead of an address or beside it.
    pub preset: String,
    pub user: String,
    pub password: SecretString,
}

/// Servers to choose from: name, title, whether an address has to be typed in all the same, what the password is.
pub fn servers() -> impl Iterator<Item = (&'static str, &'static str, bool, &'static str)> {
    presets::PRESETS.iter().map(|preset| {
        (
            preset.name,
            preset.title,
            preset.url.is_empty(),
            preset.hint,
        )
    })
}

/// Tries what was typed in, and stores it as a connection.
///
/// # Errors
/// `Invalid` names the field that is wrong, in words.
pub async fn add(
    bridge: &Bridge,
    owner: PrincipalId,
    provider: &str,
    typed: &Typed,
) -> Result<ConnectionId> {
    let row = typed_in(bridge, provider)?;
    let secret = secret(row, typed, None)?;
    connect(bridge, owner, row, secret, None).await
}

/// The same for a connection that is there: a new password, or a new address of the same feed.
///
/// # Errors
/// As [`add`]; `Conflict` when it is another account.
pub async fn replace(bridge: &Bridge, connection: &Connection, typed: &Typed) -> Result<()> {
    let row = typed_in(bridge, &connection.provider)?;
    let keeper = Keeper::new(bridge, connection.id, &connection.provider);
    let old = match keeper.load().await {
        Ok((old, _)) => Some(old),
        // Sealed with a key that is lost: everything has to be typed in again.
        Err(Error::Internal(_)) => None,
        Err(error) => return Err(error),
    };
    let secret = secret(row, typed, old.as_ref())?;
    let mut known = connection.clone();
    if let (Some(Secret::Address(old)), Secret::Address(new)) = (&old, &secret)
        && host(old.expose_secret()) == host(new.expose_secret())
    {
        // A secret address that was reset: the same feed, as far as anybody can tell.
        let account = given(bridge, row.name, &secret);
        let identity = row.provider.identity(&account).await.map_err(in_words)?;
        known.account = identity.account.clone();
        let (id, account) = (connection.id, identity.account);
        bridge
            .store
            .write(move |tx| {
                Box::pin(async move { connections::set_account(tx, id, &account).await })
            })
            .await?;
    }
    connect(bridge, connection.owner, row, secret, Some(&known))
        .await
        .map(drop)
}

fn typed_in(bridge: &Bridge, provider: &str) -> Result<&'static Row> {
    let row = bridge.row(provider)?;
    match row.oauth {
        None => Ok(row),
        Some(_) => Err(Error::Invalid {
            field: "provider".into(),
            reason: format!("{} is connected through the browser", row.title),
        }),
    }
}

/// A calendar that can only be read is an address, which is the secret; the others take a password.
fn takes_password(row: &Row) -> bool {
    row.provider.caps().writes
}

async fn connect(
    bridge: &Bridge,
    owner: PrincipalId,
    row: &'static Row,
    secret: Secret,
    again: Option<&Connection>,
) -> Result<ConnectionId> {
    // The listing is part of the trial: an address that answers may still be no calendar.
    let listed = row
        .provider
        .calendars(&given(bridge, row.name, &secret))
        .await;
    let listed = listed.map_err(|fault| blame(row, &secret, fault))?;
    let signed = Signed::of(bridge, row.name, secret.clone(), String::new()).await;
    let signed = signed.map_err(|fault| blame(row, &secret, fault))?;
    let id = signed.store(bridge, owner, again).await?;
    keep_listing(bridge, id, listed).await?;
    Ok(id)
}

/// The field that a fault comes from.
fn blame(row: &Row, secret: &Secret, fault: Fault) -> Error {
    let invalid = |field: &str, reason: String| Error::Invalid {
        field: field.into(),
        reason,
    };
    match (fault, secret) {
        (Fault::Revoked(_), Secret::Password { url, .. }) => {
            let hint = host(url).and_then(|host| presets::at_host(&host));
            let hint = hint.map_or("servers with a second factor want an app password", |p| {
                p.hint
            });
            invalid(
                "password",
                format!("user name or password is refused: {hint}"),
            )
        }
        (Fault::NotFound, _) => {
            invalid("url", format!("there is no {} at this address", row.title))
        }
        (Fault::Refused(refusal), _) => invalid("url", refusal.reason),
        (Fault::Revoked(why) | Fault::Unsupported(why), _) => invalid("url", why),
        (fault, _) => in_words(fault),
    }
}

fn secret(row: &Row, typed: &Typed, old: Option<&Secret>) -> Result<Secret> {
    let url = typed.url.expose_secret().trim();
    if !takes_password(row) {
        let url = match (url, old) {
            ("", Some(Secret::Address(old))) => return Ok(Secret::Address(old.clone())),
            (url, _) => address(url, None)?,
        };
        return Ok(Secret::Address(String::from(url).into()));
    }
    let (old_url, old_user) = match old {
        Some(Secret::Password { url, user, .. }) => (url.as_str(), user.as_str()),
        _ => ("", ""),
    };
    let preset = match typed.preset.as_str() {
        "" => None,
        name => Some(presets::preset(name).ok_or_else(|| Error::Invalid {
            field: "preset".into(),
            reason: "there is no such server in the list".into(),
        })?),
    };
    let url = match (url, preset) {
        ("", Some(preset)) if !preset.url.is_empty() => preset.url,
        ("", None) => old_url,
        (url, _) => url,
    };
    let user = match typed.user.trim() {
        "" => old_user,
        user => user,
    };
    for (field, value) in [
        ("url", url),
        ("username", user),
        ("password", typed.password.expose_secret()),
    ] {
        if value.is_empty() {
            return Err(Error::Invalid {
                field: field.into(),
                reason: "is required".into(),
            });
        }
    }
    Ok(Secret::Password {
        url: address(url, preset)?.into(),
        user: user.to_string(),
        password: typed.password.clone(),
    })
}

/// The address as it is fetched. Passwords and secret addresses travel encrypted, but within the own network.
fn address(text: &str, preset: Option<&Preset>) -> Result<Url> {
    let wrong = |reason: &str| Error::Invalid {
        field: "url".into(),
        reason: reason.into(),
    };
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "https" | "webcal" | "webcals" | "caldavs" => "https",
        "http" | "caldav" => "http",
        _ => return Err(wrong("must begin with https://")),
    };
    let mut url = Url::parse(&format!("{scheme}://{rest}"))
        .map_err(|_| wrong("is not an address: it looks like https://calendar.example.org/…"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "must not hold a user name or password: they have fields of their own",
        ));
    }
    if url.scheme() == "http" && !is_near(&url) {
        return Err(wrong(
            "must begin with https://: everybody on the way could read the secret",
        ));
    }
    if let Some(preset) = preset
        && preset.url.is_empty()
        && !url.path().contains(preset.path.trim_end_matches('/'))
    {
        let path = format!("{}{}", url.path().trim_end_matches('/'), preset.path);
        url.set_path(&path);
    }
    url.set_fragment(None);
    Ok(url)
}

/// Whether an address is within the own network, as far as its text tells. Whether that may be fetched from at all is
/// for the transport to say (`fetch.allow_networks`).
fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            !name.contains('.')
                || [".localhost", ".local", ".internal", ".lan", ".home.arpa"]
                    .iter()
                    .any(|end| name.ends_with(end))
        }
        Some(Host::Ipv4(v4)) => crate::remote::http::is_inside(v4.into()),
        Some(Host::Ipv6(v6)) => crate::remote::http::is_inside(v6.into()),
        None => false,
    }
}

fn host(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    Url::parse(&format!("https://{rest}"))
        .ok()?
        .host_str()
        .map(String::from)
}

#[cfg(test)]
mod unit {
    use super::*;

    fn read(text: &str, preset: &str) -> String {
        match address(text, presets::preset(preset)) {
            Ok(url) => url.to_string(),
            Err(Error::Invalid { field, .. }) => format!("wrong {field}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn addresses_are_understood_as_people_type_them() {
        for (typed, preset, read_as) in [
            ("dav.example.org", "", "https://dav.example.org/"),
            (
                "HTTPS://Dav.Example.org/x#y",
                "",
                "https://dav.example.org/x",
            ),
            (
                "webcal://p1.example.org/published/2/abc",
                "",
                "https://p1.example.org/published/2/abc",
            ),
            ("caldavs://d.example/", "", "https://d.example/"),
            (
                "http://127.0.0.1:5232/anna/",
                "",
                "http://127.0.0.1:5232/anna/",
            ),
            ("http://radicale:5232", "", "http://radicale:5232/"),
            ("http://dav.example.org", "", "wrong url"),
            ("http://8.8.8.8/", "", "wrong url"),
            ("https://anna:secret@dav.example.org/", "", "wrong url"),
            ("ftp://dav.example.org/", "", "wrong url"),
            ("https://", "", "wrong url"),
            (
                "cloud.example",
                "nextcloud",
                "https://cloud.example/remote.php/dav/",
            ),
            (
                "https://example.org/cloud/",
                "nextcloud",
                "https://example.org/cloud/remote.php/dav/",
            ),
            (
                "https://cloud.example/remote.php/dav/principals/users/anna/",
                "nextcloud",
                "https://cloud.example/remote.php/dav/principals/users/anna/",
            ),
        ] {
            assert_eq!(read(typed, preset), read_as, "{typed} {preset}");
        }
    }
}
