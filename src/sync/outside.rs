//! How the world outside is reached: the client and the providers' addresses, from the settings.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use secrecy::ExposeSecret;

use super::{Bridge, Parts};
use crate::clock::{Clock, Dice};
use crate::config::{Config, OAuthApp};
use crate::model::{Error, Result};
use crate::objects;
use crate::remote::http::Web;
use crate::remote::oauth::Registration;
use crate::remote::{Endpoints, PROVIDERS, Transport};
use crate::seal::Seal;
use crate::store::Store;

/// What carries requests to providers.
#[derive(Clone, Default)]
pub enum Outside {
    /// The internet, made ready when it is first needed.
    #[default]
    Internet,
    /// Something else, as tests want it.
    Other(Arc<dyn Transport>),
}

impl Outside {
    /// # Errors
    /// When no TLS is to be had.
    pub fn transport(&self, config: &Config) -> Result<Arc<dyn Transport>> {
        match self {
            Outside::Other(transport) => Ok(transport.clone()),
            Outside::Internet => {
                // A second installation is refused, and the first one is the same.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let trusted: Vec<String> = apps(config).flat_map(|(_, app)| named(app)).collect();
                let networks = config.fetch_allow.clone();
                let allow = move |ip: IpAddr| networks.iter().any(|network| network.contains(ip));
                let trusted = trusted.iter().map(String::as_str);
                let web = Web::new(trusted, Arc::new(allow), AGENT).map_err(Error::Internal)?;
                Ok(Arc::new(web))
            }
        }
    }
}

/// What a bridge has of the installation that it belongs to.
pub struct Within {
    pub store: Store,
    pub rules: objects::Rules,
    pub wake: objects::Wake,
    pub clock: Clock,
    pub dice: Dice,
    pub seal: Seal,
}

/// The bridge of an installation.
///
/// # Errors
/// When no TLS is to be had, and trouble with the database.
pub async fn bridge(config: &Config, outside: &Outside, within: Within) -> Result<Bridge> {
    let instance = super::instance(&within.store, &within.dice).await?;
    Ok(Bridge::new(Parts {
        instance,
        transport: outside.transport(config)?,
        providers: PROVIDERS,
        endpoints: endpoints(config),
        registrations: registrations(config),
        locks: super::credentials::Locks::default(),
        store: within.store,
        rules: within.rules,
        wake: within.wake,
        clock: within.clock,
        dice: within.dice,
        seal: within.seal,
    }))
}

const AGENT: &str = concat!("Kalends/", env!("CARGO_PKG_VERSION"));

/// Our applications, by the provider's name.
fn apps(config: &Config) -> impl Iterator<Item = (&'static str, &OAuthApp)> {
    PROVIDERS
        .iter()
        .filter_map(|row| Some((row.name, config.oauth_app(row.name)?)))
}

/// Addresses that the operator gave.
fn named(app: &OAuthApp) -> Vec<String> {
    let all = endpoints_of(app);
    vec![all.api, all.authorize, all.token, all.userinfo, all.revoke]
}

fn endpoints_of(app: &OAuthApp) -> Endpoints {
    let at = |url: &str| url.replace("{tenant}", &app.tenant);
    Endpoints {
        api: at(&app.api_url),
        authorize: at(&app.authorize_url),
        token: at(&app.token_url),
        userinfo: at(&app.userinfo_url),
        revoke: at(&app.revoke_url),
    }
}

/// Where each provider's services are.
pub fn endpoints(config: &Config) -> HashMap<String, Arc<Endpoints>> {
    apps(config)
        .map(|(name, app)| (name.to_string(), Arc::new(endpoints_of(app))))
        .collect()
}

/// The applications that are registered: those with a client id.
pub fn registrations(config: &Config) -> HashMap<String, Registration> {
    apps(config)
        .filter(|(_, app)| !app.client_id.is_empty())
        .map(|(name, app)| {
            let secret = app.client_secret.expose_secret();
            let registration = Registration {
                client_id: app.client_id.clone(),
                client_secret: (!secret.is_empty()).then(|| app.client_secret.clone()),
                endpoints: endpoints_of(app),
                redirect: redirect(config, name),
            };
            (name.to_string(), registration)
        })
        .collect()
}

/// The address that has to be registered at the provider, letter by letter.
pub fn redirect(config: &Config, provider: &str) -> String {
    format!("{}/oauth/{provider}/callback", config.public_url())
}

/// Providers that need an application of ours, by name and title.
pub fn oauth_providers() -> impl Iterator<Item = (&'static str, &'static str)> {
    PROVIDERS
        .iter()
        .filter(|row| row.oauth.is_some())
        .map(|row| (row.name, row.title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tenant_stands_in_every_address_and_only_registered_applications_count() {
        let mut config = Config {
            public_url: "https://cal.example/x".into(),
            ..Config::default()
        };
        config.microsoft.tenant = "contoso.example".into();
        let all = endpoints(&config);
        assert_eq!(
            all["microsoft"].token,
            "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"
        );
        assert_eq!(all["google"].revoke, "https://oauth2.googleapis.com/revoke");
        assert!(registrations(&config).is_empty());
        config.microsoft.client_id = "id".into();
        let apps = registrations(&config);
        assert_eq!(apps.len(), 1);
        let app = &apps["microsoft"];
        assert!(app.client_secret.is_none());
        assert_eq!(
            app.redirect,
            "https://cal.example/x/oauth/microsoft/callback"
        );
    }
}
