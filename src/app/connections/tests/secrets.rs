//! FACTS §9, point 35: tokens are in no log, error or page, and encrypted at rest.

use std::io::Write;
use std::sync::{Arc, Mutex};

use secrecy::ExposeSecret;

use super::super::*;
use super::world::{ANNA, BOTH, Bridged};
use crate::simulator::Service;
use crate::simulator::faults::{On, What};
use crate::store::bridges::connections;
use crate::sync::credentials::{Keeper, Secret};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn listening(log: &Log) -> tracing::subscriber::DefaultGuard {
    let log = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || log.clone())
        .finish();
    tracing::subscriber::set_default(subscriber)
}

async fn secret(world: &Bridged, id: ConnectionId, provider: &str) -> Secret {
    let keeper = Keeper::new(world.bridge().await.unwrap(), id, provider);
    keeper.load().await.unwrap().0
}

#[tokio::test]
async fn facts_35_tokens_are_in_no_log_or_error_and_sealed_at_rest() {
    let log = Log::default();
    let _listening = listening(&log);
    for provider in BOTH {
        let world = Bridged::new().await;
        let begun = world.begin(provider).await;
        let answer = world.consent(
            provider,
            &begun,
            ANNA,
            crate::simulator::oauth::Consent::All,
        );
        let (state, code) = (answer.state.clone(), answer.code.clone());
        let mut said = format!("{begun:?}");
        let id = world.finish(provider, answer).await.unwrap().id;
        let first = secret(&world, id, provider).await;
        said.push_str(&format!(
            "{first:?} {:?}",
            get(&world, &world.who, id).await.unwrap()
        ));
        // Trouble of all kinds.
        world.pass(3600);
        let service = match provider {
            "google" => Service::GoogleAuth,
            _ => Service::MicrosoftAuth,
        };
        for what in [What::Truncated, What::status(500), What::DropAfter] {
            world.simulator.faults().next(On::service(service), what);
            said.push_str(&format!("{:?}", test(&world, &world.who, id).await));
        }
        said.push_str(&format!("{:?}", test(&world, &world.who, id).await));
        let second = secret(&world, id, provider).await;
        world.authority(provider).revoke(ANNA);
        said.push_str(&format!("{:?}", test(&world, &world.who, id).await));
        said.push_str(&format!("{:?}", refresh(&world, &world.who, id).await));
        let (sealed, _) = world
            .store
            .peek(|tx| Box::pin(connections::secret(tx, id)))
            .await
            .unwrap()
            .unwrap();
        said.push_str(&String::from_utf8_lossy(&sealed));
        said.push_str(&format!(
            "{:?}",
            remove(&world, &world.who, id, Mirrors::Keep).await
        ));
        said.push_str(&String::from_utf8_lossy(&log.0.lock().unwrap()));
        let mut hidden = vec![state, code, begun.cookie.1.expose_secret().to_string()];
        for one in [first, second] {
            let Secret::OAuth {
                access, refresh, ..
            } = one
            else {
                panic!("no tokens");
            };
            hidden.push(access.expose_secret().to_string());
            hidden.extend(refresh.map(|token| token.expose_secret().to_string()));
        }
        hidden.push(crate::simulator::oauth::CLIENT_SECRET.to_string());
        for secret in hidden {
            assert!(secret.len() > 8);
            assert!(!said.contains(&secret), "{provider}: {secret} in {said}");
        }
    }
    assert!(!log.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn passwords_and_secret_addresses_are_not_told_either() {
    let log = Log::default();
    let _listening = listening(&log);
    let world = Bridged::new().await;
    world.simulator.caldav().account("anna", "sesame-open-1");
    let url = "https://simulator.test/caldav/";
    let typed_in = typed(url, "", "anna", "sesame-open-1");
    let mut said = format!(
        "{:?}",
        add(&world, &world.who, "caldav", &typed_in).await.unwrap()
    );
    let wrong = typed(url, "", "anna", "sesame-open-2");
    said.push_str(&format!(
        "{:?}",
        add(&world, &world.who, "caldav", &wrong).await.unwrap_err()
    ));
    let nowhere = typed("https://simulator.test/ics/sesame-open-3.ics", "", "", "");
    said.push_str(&format!(
        "{:?}",
        add(&world, &world.who, "ics", &nowhere).await.unwrap_err()
    ));
    for row in list(&world, &world.who).await.unwrap() {
        let id = row.connection.id;
        let sealed = world
            .store
            .peek(|tx| Box::pin(connections::secret(tx, id)))
            .await;
        said.push_str(&String::from_utf8_lossy(&sealed.unwrap().unwrap().0));
    }
    said.push_str(&String::from_utf8_lossy(&log.0.lock().unwrap()));
    assert!(!said.contains("sesame-open"), "{said}");
}
