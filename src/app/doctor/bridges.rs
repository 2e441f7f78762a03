//! What is wrong with the bridges: our applications at providers, and connections that do not work.

use secrecy::ExposeSecret;
use url::{Host, Url};

use super::Finding;
use crate::app::App;
use crate::config::{Config, OAuthApp};
use crate::model::Result;
use crate::model::bridge::Health;
use crate::store::bridges::connections;
use crate::sync::outside;

const SUBJECT: &str = "bridges";

/// The applications as they stand in the settings.
pub fn registrations(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut registered = false;
    for (name, title) in outside::oauth_providers() {
        let Some(app) = config.oauth_app(name) else {
            continue;
        };
        registered |= !app.client_id.is_empty();
        findings.push(registration(config, name, title, app));
    }
    if let Some(why) = bad_redirect(&config.public_url()).filter(|_| registered) {
        findings.push(Finding::wrong(SUBJECT, why));
    }
    findings
}

fn registration(config: &Config, name: &str, title: &str, app: &OAuthApp) -> Finding {
    let secret = app.client_secret.expose_secret();
    let redirect = outside::redirect(config, name);
    let chapter = format!("README, chapter \"Connecting calendars elsewhere\", {title}");
    match (app.client_id.is_empty(), secret.is_empty()) {
        (true, true) => Finding::good(
            SUBJECT,
            format!("{title}: no application is registered, so nobody can connect ({chapter})"),
        ),
        (true, false) => Finding::wrong(
            SUBJECT,
            format!("{title}: {name}.client_secret is set without {name}.client_id ({chapter})"),
        ),
        (false, true) => Finding::wrong(
            SUBJECT,
            format!("{title}: {name}.client_id is set without {name}.client_secret ({chapter})"),
        ),
        (false, false) if is_uuid(secret) => Finding::wrong(
            SUBJECT,
            format!(
                "{title}: {name}.client_secret looks like the id of a secret, and its value is needed ({chapter})"
            ),
        ),
        (false, false) => Finding::good(
            SUBJECT,
            format!("{title}: register this redirect address there, letter by letter: {redirect}"),
        ),
    }
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

/// Why providers refuse to send browsers to this address: https or this machine, and a name.
fn bad_redirect(public_url: &str) -> Option<String> {
    let url = Url::parse(public_url).ok()?;
    let (local, numeric) = match url.host()? {
        Host::Domain(name) => (name == "localhost", false),
        Host::Ipv4(v4) => (v4.is_loopback(), true),
        Host::Ipv6(v6) => (v6.is_loopback(), true),
    };
    let why = match (local, url.scheme()) {
        (true, _) => return None,
        (false, "https") if !numeric => return None,
        (false, "https") => "is a number: providers take names only",
        (false, _) => {
            "is not https: providers refuse such redirect addresses, but those of localhost"
        }
    };
    Some(format!("public_url {public_url} {why}"))
}

/// Connections by health.
pub async fn connected(app: &App) -> Result<Vec<Finding>> {
    let census = app
        .store
        .peek(|tx| Box::pin(connections::census(tx)))
        .await?;
    Ok(census
        .into_iter()
        .map(|(provider, health, count)| judged(&provider, health, count))
        .collect())
}

fn judged(provider: &str, health: Health, count: i64) -> Finding {
    let text = format!("{provider}: {count} connections");
    match health {
        Health::Ok => Finding::good(SUBJECT, format!("{text} work")),
        Health::Reconnect => Finding::doubtful(
            SUBJECT,
            format!("{text} wait for their owners to connect again"),
        ),
        Health::Paused => Finding::doubtful(
            SUBJECT,
            format!(
                "{text} are paused after many failures: their owners find out why by testing them"
            ),
        ),
        Health::Operator => Finding::wrong(
            SUBJECT,
            format!(
                "{text} fail because of the application's registration: mend it, and restart the server"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registrations_are_looked_at() {
        let mut config = Config::default();
        let verdicts = |config: &Config| -> Vec<&'static str> {
            registrations(config).iter().map(Finding::verdict).collect()
        };
        assert_eq!(verdicts(&config), ["ok", "ok"]);
        config.google.client_id = "id".into();
        assert_eq!(verdicts(&config), ["wrong", "ok"]);
        config.google.client_secret = "GOCSPX-x".to_string().into();
        config.microsoft.client_secret = "x".to_string().into();
        assert_eq!(verdicts(&config), ["ok", "wrong"]);
        config.microsoft.client_id = "id".into();
        config.microsoft.client_secret = "0d1b7f6e-0000-4000-8000-00000000000a".to_string().into();
        let all = registrations(&config);
        assert!(
            all[0]
                .text
                .contains("http://127.0.0.1:8008/oauth/google/callback")
        );
        assert!(all[1].text.contains("value is needed"));
        config.public_url = "http://cal.example".into();
        assert_eq!(verdicts(&config), ["ok", "wrong", "wrong"]);
    }

    #[test]
    fn redirect_addresses_are_https_names_or_this_machine() {
        for (url, fine) in [
            ("https://cal.example/x", true),
            ("http://localhost:8008", true),
            ("http://127.0.0.1:8008", true),
            ("http://[::1]:8008", true),
            ("http://cal.example", false),
            ("https://192.0.2.1", false),
        ] {
            assert_eq!(bad_redirect(url).is_none(), fine, "{url}");
        }
    }
}
