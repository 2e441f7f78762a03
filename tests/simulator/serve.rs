//! The simulator behind HTTP: `cargo run --example simulator [address]` (127.0.0.1:8900). Prints the settings to paste.
//!
//! `/control/` is a page and a JSON interface to play the person at the provider's web page and to inject faults.
//! Webhooks are delivered, time is real.

#[path = "mod.rs"]
mod simulator;

mod control;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use simulator::{Broken, Simulator, Slow};
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Handle;

const BODY: usize = 32 << 20;

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8900".to_string());
    let listener = TcpListener::bind(&address).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    // Fails only if somebody installed a provider before: then there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(10))
        .build();
    let client = client.map_err(io::Error::other)?;
    let simulator = Simulator::on(&origin, 1, now());
    control::furnish(&simulator);
    let caller = (client.clone(), Handle::current());
    simulator
        .graph()
        .set_validator(move |url| validate(&caller, url));
    println!("{}", control::settings(&origin));
    loop {
        let (stream, _) = listener.accept().await?;
        let (simulator, client) = (simulator.clone(), client.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| serve(simulator.clone(), client.clone(), request));
            // A connection that breaks is one of the things that are simulated.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulated clock is moved by the real one here"
)]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
}

async fn serve(
    simulator: Simulator,
    client: reqwest::Client,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY)
        .collect()
        .await
        .map_err(io::Error::other)?
        .to_bytes();
    let request = Request::from_parts(parts, body);
    simulator.set_time(now());
    let pinged = simulator.clone();
    let control = request.uri().path().starts_with("/control") || request.uri().path() == "/";
    // A subscription calls its address while it is made: that may block.
    let handled = move || match control {
        true => Ok(control::handle(&simulator, &request)),
        false => simulator.handle(request),
    };
    let outcome = tokio::task::spawn_blocking(handled)
        .await
        .map_err(io::Error::other)?;
    for ping in pinged.take_pings() {
        tokio::spawn(deliver(client.clone(), ping));
    }
    let answer = outcome.map_err(|broken| match broken {
        Broken::BeforeWrite => io::Error::other("simulated: broken before the write"),
        Broken::AfterWrite => io::Error::other("simulated: broken after the write"),
    })?;
    if let Some(Slow(seconds)) = answer.extensions().get() {
        tokio::time::sleep(Duration::from_secs((*seconds).clamp(0, 60) as u64)).await;
    }
    Ok(answer.map(Full::new))
}

/// A webhook call; one that fails is tried again twice.
async fn deliver(client: reqwest::Client, ping: Request<Bytes>) {
    for wait in [0, 2, 10] {
        tokio::time::sleep(Duration::from_secs(wait)).await;
        let (parts, body) = ping.clone().into_parts();
        let request = client
            .post(parts.uri.to_string())
            .headers(parts.headers)
            .body(body);
        match request.send().await {
            Ok(answer) if answer.status().as_u16() < 500 => return,
            Ok(answer) => eprintln!("webhook {}: {}", ping.uri().path(), answer.status()),
            Err(error) => eprintln!("webhook {}: {error}", ping.uri().path()),
        }
    }
}

/// The handshake of a subscription.
fn validate(
    (client, runtime): &(reqwest::Client, Handle),
    url: &str,
) -> Option<(u16, String, String)> {
    runtime.block_on(async {
        let answer = client
            .post(url)
            .header("content-type", "text/plain; charset=utf-8")
            .send()
            .await
            .ok()?;
        let status = answer.status().as_u16();
        let kind = answer
            .headers()
            .get("content-type")?
            .to_str()
            .ok()?
            .to_string();
        Some((status, kind, answer.text().await.ok()?))
    })
}
