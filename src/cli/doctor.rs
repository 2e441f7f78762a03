//! `kalends doctor`: what is wrong with this installation, and what to do about it.

use clap::Args;

use super::{Failure, Outcome, Setting};
use crate::app::doctor::{self, Finding};

#[derive(Args)]
pub struct Doctor {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(doctor: Doctor, setting: Setting) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let findings = runtime.block_on(async {
        let mut findings = doctor::before_opening(&setting.config);
        match setting.open().await {
            Err(Failure::Failed(why) | Failure::Usage(why)) => {
                findings.push(Finding::wrong("database", why))
            }
            Err(Failure::Said) => {}
            Ok(app) => {
                findings.extend(doctor::examine(&app).await);
                app.store.clone().close().await;
            }
        }
        findings
    });
    let rows: Vec<Vec<serde_json::Value>> = findings
        .iter()
        .map(|one| {
            vec![
                one.verdict().into(),
                one.subject.into(),
                one.text.as_str().into(),
            ]
        })
        .collect();
    super::output::rows(doctor.json, &["verdict", "subject", "what"], &rows)?;
    match findings.iter().any(Finding::is_wrong) {
        true => Err(Failure::Said),
        false => Ok(()),
    }
}
