//! A whole application over a fresh database, with a hand-moved clock and repeatable dice, for tests of every layer above.

use secrecy::{ExposeSecret, SecretString};

use super::App;
use super::users::{self, NewUser};
use crate::clock::{Clock, Dice};
use crate::config::Config;
use crate::seal::Seal;
use crate::store::testing::Fresh;
use crate::sync::outside::Outside;

pub struct World {
    pub app: App,
    /// The application's clock: 2027-01-15T08:00:00Z until it is moved.
    pub clock: Clock,
    /// The database goes away with it.
    pub fresh: Fresh,
}

impl std::ops::Deref for World {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl World {
    pub async fn new() -> World {
        World::with(Config::default()).await
    }

    pub async fn with(config: Config) -> World {
        World::reaching(config, Outside::default()).await
    }

    /// With another way to providers than the internet.
    pub async fn reaching(config: Config, outside: Outside) -> World {
        let fresh = Fresh::new().await;
        let clock = Clock::by_hand(1_800_000_000);
        let dice = Dice::seeded(1);
        let seal = Seal::with_random_key(&dice).unwrap();
        let store = fresh.store.clone();
        let app = App::with(config, store, clock.clone(), dice, seal, outside).unwrap();
        World { app, clock, fresh }
    }

    /// Another server on the same database.
    pub async fn second(&self) -> App {
        let (dice, store) = (Dice::seeded(2), self.fresh.again().await);
        let seal = self.app.seal.clone();
        App::with(
            self.app.config.clone(),
            store,
            self.clock.clone(),
            dice,
            seal,
            self.app.outside.clone(),
        )
        .unwrap()
    }

    /// A user with the default calendars, the address `{name}@example.org` and no password.
    pub async fn user(&self, name: &str) -> crate::model::PrincipalId {
        self.user_with(name, None).await
    }

    pub async fn user_with(&self, name: &str, password: Option<&str>) -> crate::model::PrincipalId {
        let user = NewUser {
            name: name.into(),
            email: Some(format!("{name}@example.org")),
            display_name: None,
            admin: false,
            password: password.map(SecretString::from),
        };
        users::add(&self.app, user).await.unwrap()
    }

    /// An `Authorization` header with a fresh app password of this user.
    pub async fn basic(&self, name: &str) -> String {
        let secret = users::new_app_password(&self.app, name, "test")
            .await
            .unwrap();
        basic(name, secret.expose_secret())
    }
}

/// The header of RFC 7617.
pub fn basic(name: &str, password: &str) -> String {
    use base64::Engine;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
    format!("Basic {pair}")
}
