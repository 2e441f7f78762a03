//! `kalends serve`: the server.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::{Failure, Outcome, Setting};
use crate::app::App;
use crate::app::connections;
use crate::app::users::{self, FirstAccount};
use crate::ical::zone;
use crate::objects;
use crate::server::{self, Server};

pub fn run(setting: Setting) -> Outcome {
    let log = server::log::subscriber(&setting.config.log, std::io::stderr);
    let _ = tracing::subscriber::set_global_default(log);
    log_panics();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if setting.config.workers > 0 {
        runtime.worker_threads(setting.config.workers);
    }
    runtime.enable_all().build()?.block_on(serve(setting))
}

async fn serve(mut setting: Setting) -> Outcome {
    #[cfg(unix)]
    outlive_size_limit();
    // Before the database is touched: an address in use is the commonest trouble. Port 0 becomes a real one here.
    let listeners = server::bind(&setting.config)
        .await
        .map_err(Failure::Failed)?;
    let addresses: Result<Vec<_>, _> = listeners.iter().map(|one| one.local_addr()).collect();
    setting.config.listen = addresses?;
    let app = setting.open().await?;
    if let Some(account) = users::first_start(&app).await? {
        welcome(&app, &account);
    }
    warn(&app).await?;
    let zones = zone::data_version();
    if objects::zone_data(&app.door(), zones).await? {
        tracing::info!(zones, "newer time zone data: events are indexed anew");
    }
    let revived = connections::retry_operators(&app).await?;
    if revived > 0 {
        tracing::info!(
            revived,
            "connections that waited for other settings are tried again"
        );
    }
    let store = app.store.clone();
    let server = Arc::new(Server::new(app).map_err(Failure::Failed)?);
    let config = &server.app.config;
    tracing::info!(listen = ?config.listen, address = server.app.url("/"), "serving");
    server::run(server.clone(), listeners, stop_signal()).await;
    drop(server);
    store.close().await;
    Ok(())
}

/// A limit on the size of files (`ulimit -f`, `LimitFSIZE=`) refuses a write, as a full disk does, and does not end the
/// process: SIGXFSZ has a handler that does nothing.
#[cfg(unix)]
fn outlive_size_limit() {
    use tokio::signal::unix::{SignalKind, signal};
    /// The same number on Linux (but for MIPS), macOS and the BSDs.
    const SIGXFSZ: i32 = 25;
    // The handler stays when its listener is dropped. Without one the system's own action holds.
    drop(signal(SignalKind::from_raw(SIGXFSZ)));
}

/// What will go wrong later, said now.
async fn warn(app: &App) -> Outcome {
    if !app.has_the_key().await? {
        tracing::error!(
            "the sealing key is not the one of this database: feed addresses cannot be shown again. Give the right \
             KALENDS_KEY, or put the right key file into place"
        );
    }
    let config = &app.config;
    let far = config
        .listen
        .iter()
        .any(|address| !address.ip().is_loopback());
    if far && config.tls.is_none() && !config.insecure_basic {
        tracing::warn!(
            "listening beyond this machine without TLS: passwords are taken from this machine and through trusted \
             proxies with https only"
        );
    }
    Ok(())
}

/// What to type into a calendar client. Printed once, on standard output, which is no log.
fn welcome(app: &App, account: &FirstAccount) {
    println!("Kalends is ready for its first calendar client:\n");
    println!("    CalDAV address   {}", app.url("/dav/"));
    println!("    user name        {}", account.name);
    println!(
        "    app password     {}\n",
        account.app_password.expose_secret()
    );
    println!(
        "The password is not shown again; `kalends app-password new {} --label …` makes another one.",
        account.name
    );
}

/// SIGTERM (service managers) or SIGINT (Ctrl-C).
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// A panic is a fault of ours: its place and words belong into the log, with the request's id.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let words = panic.payload_as_str().unwrap_or("(no words)");
        tracing::error!(place, "panic: {words}");
    }));
}
