//! Webhooks of providers, as they come in: checked against what we asked for, and turned into work for the next run.
//! What the calls look like is their doors' business.

use super::App;
use crate::model::Result;
use crate::sync::watch;

pub use crate::sync::watch::{Call, News, Received};

/// Takes one call in.
///
/// # Errors
/// Trouble with the database: the provider will call again.
pub async fn receive(app: &App, call: Call<'_>) -> Result<Received> {
    let bridge = app.bridge().await?;
    let provider = bridge.row(call.provider)?.name;
    let outcome = watch::receive(bridge, call).await?;
    let word = match outcome {
        Received::Done => "taken",
        Received::Unknown => "unknown",
        Received::Forged => "forged",
    };
    metrics::counter!("kalends_hooks_total", "provider" => provider, "outcome" => word)
        .increment(1);
    Ok(outcome)
}
