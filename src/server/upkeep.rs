//! What is done in the background while the server runs: folding metrics, renewing the certificate, and the database's
//! upkeep (what is past its retention, occurrences beyond the indexed horizon), a bounded piece at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval_at};

use super::Server;
use crate::app::upkeep;

const METRICS: Duration = Duration::from_secs(5);
const CERTIFICATE: Duration = Duration::from_secs(60);
const DATABASE: Duration = Duration::from_secs(3600);
/// The first time soon after the start, when clients have been served.
const FIRST: Duration = Duration::from_secs(20);
/// Between two pieces of the database's upkeep, so that requests go before it.
const PAUSE: Duration = Duration::from_millis(50);

pub async fn run(server: Arc<Server>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = tend(server) => {}
        _ = stop.changed() => {}
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "ticks of this process, which no test moves"
)]
async fn tend(server: Arc<Server>) {
    let every = |period: Duration, first: Duration| {
        let mut ticks = interval_at(tokio::time::Instant::now() + first, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    };
    let mut metrics = every(METRICS, METRICS);
    let mut certificate = every(CERTIFICATE, CERTIFICATE);
    let mut database = every(DATABASE, FIRST);
    let mut hangup = hangups();
    loop {
        tokio::select! {
            _ = metrics.tick() => server.metrics.upkeep(),
            _ = certificate.tick() => reload(&server, false),
            () = next(&mut hangup) => reload(&server, true),
            _ = database.tick() => tend_database(&server).await,
        }
    }
}

fn reload(server: &Server, in_any_case: bool) {
    if let Some(certificate) = &server.certificate {
        certificate.reload(in_any_case);
    }
}

/// Pieces of one run, whatever is left then.
const PIECES: usize = 10_000;

async fn tend_database(server: &Server) {
    for _ in 0..PIECES {
        let outcome = upkeep::step(&server.app).await;
        let label = if outcome.is_ok() { "done" } else { "failed" };
        metrics::counter!("kalends_upkeep_total", "outcome" => label).increment(1);
        match outcome {
            Ok(false) => return,
            Ok(true) => tokio::time::sleep(PAUSE).await,
            Err(fault) => {
                tracing::warn!(%fault, "upkeep failed, it is tried again in an hour");
                return;
            }
        }
    }
}

#[cfg(unix)]
type Hangups = Option<tokio::signal::unix::Signal>;
#[cfg(not(unix))]
type Hangups = Option<std::convert::Infallible>;

/// SIGHUP: read the certificate again.
fn hangups() -> Hangups {
    #[cfg(unix)]
    return tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok();
    #[cfg(not(unix))]
    None
}

async fn next(hangups: &mut Hangups) {
    match hangups {
        #[cfg(unix)]
        Some(signal) => {
            signal.recv().await;
        }
        _ => std::future::pending().await,
    }
}
