//! Every setting: defaults, then `config.toml`, then variables (`KALENDS_LIMITS__OBJECT_BYTES`), then flags.
//!
//! [`SETTINGS`] is the one table of them: key, default, documentation, and how a value gets into [`Config`]. An unknown
//! key is refused by its name, wherever it comes from. `config.example.toml` is printed from the table, and a test
//! compares the two. The sealing key is not a setting: see [`crate::seal`].

mod load;
mod settings;
mod value;

pub use load::{Sources, example, load};
pub use settings::{SETTINGS, Setting};

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use value::Network;

/// All settings, checked. `Config::default()` has the documented defaults.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: Vec<SocketAddr>,
    /// Without a slash at its end; derived from `listen` when it is not set.
    pub public_url: String,
    pub data_dir: PathBuf,
    /// `sqlite:PATH` or `postgres://…`, which may hold a password; see [`Config::database_url`].
    pub database: SecretString,
    pub workers: usize,
    pub metrics_public: bool,
    pub insecure_basic: bool,
    pub trusted_proxies: Vec<Network>,
    pub log: Log,
    pub tls: Option<Tls>,
    pub limits: Limits,
    pub retention: Retention,
    pub google: OAuthApp,
    pub microsoft: OAuthApp,
    /// Networks inside that may be fetched from.
    pub fetch_allow: Vec<Network>,
}

/// Our application at a provider, and where the provider's services are.
#[derive(Clone, Debug, Default)]
pub struct OAuthApp {
    pub client_id: String,
    pub client_secret: SecretString,
    /// Stands for `{tenant}` in the addresses; empty where there is no such thing.
    pub tenant: String,
    pub authorize_url: String,
    pub token_url: String,
    pub userinfo_url: String,
    /// Empty: the provider has none.
    pub revoke_url: String,
    pub api_url: String,
}

#[derive(Clone, Debug, Default)]
pub struct Log {
    /// A filter of tracing-subscriber: `info`, `kalends=debug,info` …
    pub level: String,
    pub json: bool,
    pub access: AccessLog,
}

/// Which requests are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLog {
    None,
    /// Those that failed on our side, were throttled, or took a second or more.
    #[default]
    Problems,
    All,
}

/// Certificate and key files (PEM).
#[derive(Clone, Debug)]
pub struct Tls {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// What one request, connection or object may cost.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    pub object_bytes: usize,
    pub xml_bytes: usize,
    pub xml_depth: usize,
    pub json_bytes: usize,
    pub import_bytes: usize,
    pub property_bytes: usize,
    pub multiget_hrefs: usize,
    pub instances: usize,
    pub attendees: usize,
    pub header_bytes: usize,
    pub header_time: Duration,
    pub body_stall: Duration,
    pub connections: usize,
    pub shutdown_time: Duration,
}

/// For how many days things stay that nobody sees any more.
#[derive(Clone, Debug, Default)]
pub struct Retention {
    pub history_days: u32,
    pub trash_days: u32,
    pub changes_days: u32,
}

impl Default for Config {
    fn default() -> Config {
        let mut config = Config::blank();
        for setting in SETTINGS {
            let value = toml::Value::String(setting.default.to_string());
            let outcome = (setting.set)(&mut config, &value);
            debug_assert!(outcome.is_ok(), "default of {}: {outcome:?}", setting.key);
        }
        config
    }
}

impl Config {
    /// Nothing set yet: what [`SETTINGS`] fills.
    fn blank() -> Config {
        Config {
            listen: Vec::new(),
            public_url: String::new(),
            data_dir: PathBuf::new(),
            database: SecretString::default(),
            workers: 0,
            metrics_public: false,
            insecure_basic: false,
            trusted_proxies: Vec::new(),
            log: Log::default(),
            tls: None,
            limits: Limits::default(),
            retention: Retention::default(),
            google: OAuthApp::default(),
            microsoft: OAuthApp::default(),
            fetch_allow: Vec::new(),
        }
    }

    /// Where the database is: the setting, or `kalends.db` in the data directory.
    pub fn database_url(&self) -> String {
        match self.database.expose_secret() {
            "" => format!("sqlite:{}", self.data_dir.join("kalends.db").display()),
            url => url.to_string(),
        }
    }

    /// Our application at a provider that uses OAuth.
    pub fn oauth_app(&self, provider: &str) -> Option<&OAuthApp> {
        match provider {
            "google" => Some(&self.google),
            "microsoft" => Some(&self.microsoft),
            _ => None,
        }
    }

    /// All of them.
    pub fn oauth_apps(&self) -> impl Iterator<Item = &OAuthApp> {
        [&self.google, &self.microsoft].into_iter()
    }

    /// The file that keeps the sealing key when `KALENDS_KEY` does not give it.
    pub fn key_file(&self) -> PathBuf {
        self.data_dir.join("kalends.key")
    }

    /// The address that the outside uses, without a slash at its end.
    pub fn public_url(&self) -> String {
        if !self.public_url.is_empty() {
            return self.public_url.clone();
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        match self.listen.first() {
            Some(address) => format!("{scheme}://{address}"),
            None => format!("{scheme}://127.0.0.1:8008"),
        }
    }

    /// The path below which everything is: empty, or `/calendars`.
    pub fn prefix(&self) -> &str {
        let after_scheme = self.public_url.find("://").map_or(0, |at| at + 3);
        let rest = &self.public_url[after_scheme..];
        rest.find('/').map_or("", |at| &rest[at..])
    }

    /// Whether an address is one of the trusted proxies.
    pub fn trusts(&self, address: std::net::IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_valid() {
        let config = Config::default();
        assert_eq!(config.listen, ["127.0.0.1:8008".parse().unwrap()]);
        assert_eq!(config.limits.object_bytes, 10 << 20);
        assert_eq!(config.database_url(), "sqlite:./data/kalends.db");
        assert_eq!(config.public_url(), "http://127.0.0.1:8008");
    }

    #[test]
    fn the_prefix_is_the_path_of_the_public_address() {
        for (url, prefix) in [
            ("", ""),
            ("https://example.org", ""),
            ("https://example.org/cal", "/cal"),
            ("https://example.org:8443/a/b", "/a/b"),
        ] {
            let config = Config {
                public_url: url.into(),
                ..Config::default()
            };
            assert_eq!(config.prefix(), prefix, "{url}");
        }
    }
}
