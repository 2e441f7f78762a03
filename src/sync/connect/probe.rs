//! The test button: everything that a connection needs is tried, and each is said to work or not, and why.

use std::sync::Arc;

use url::{Host, Url};

use super::super::Bridge;
use super::{about, in_words, keep_listing};
use crate::model::bridge::{Connection, Health};
use crate::model::{Error, Result};
use crate::remote::dated::Dated;
use crate::remote::{Account, Endpoints, Fault, Listed, Provider};
use crate::store::bridges::connections;

/// How one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Works,
    /// Something does not work, the rest does.
    Lacks,
    Fails,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Works => "ok",
            Verdict::Lacks => "limited",
            Verdict::Fails => "failed",
        }
    }
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `access`, `calendars`, `permissions`, `busy`, `clock`, `notices`.
    pub what: &'static str,
    pub verdict: Verdict,
    pub text: String,
}

fn line(what: &'static str, verdict: Verdict, text: impl Into<String>) -> Line {
    Line {
        what,
        verdict,
        text: text.into(),
    }
}

/// Seconds by which clocks may differ before somebody should look.
const SKEW: i64 = 60;
const DAY: i64 = 86_400;

/// Tries everything. A connection that was thought broken and works is used again from now on.
///
/// # Errors
/// Only trouble of ours; the provider's is in the report.
pub async fn test(bridge: &Bridge, connection: &Connection, public_url: &str) -> Result<Vec<Line>> {
    let row = bridge.row(&connection.provider)?;
    let dated = Arc::new(Dated::new(bridge.transport.clone(), bridge.clock.clone()));
    let account = match bridge.account(connection).await {
        Ok(account) => Account {
            transport: dated.clone(),
            ..account
        },
        Err(Error::Internal(why)) => return Ok(vec![line("access", Verdict::Fails, why)]),
        Err(error) => return Err(error),
    };
    let mut lines = Vec::new();
    let entered = access(row.provider, &account, connection).await;
    let works = matches!(&entered, Ok(entry) if entry.verdict == Verdict::Works);
    match entered {
        Ok(entry) => lines.push(entry),
        Err(fault) => {
            lines.push(line("access", Verdict::Fails, fault.to_string()));
            bridge.note(connection.id, &fault).await?;
        }
    }
    if works {
        revive(bridge, connection).await?;
        lines.extend(permissions(bridge, connection).await?);
        lines.extend(calendars(bridge, row.provider, &account, connection).await?);
    }
    lines.extend(dated.ahead().map(clock));
    lines.push(notices(row.provider, &account.endpoints, public_url));
    Ok(lines)
}

async fn access(
    provider: &dyn Provider,
    account: &Account,
    connection: &Connection,
) -> Result<Line, Fault> {
    let identity = provider.identity(account).await?;
    if identity.account != connection.account {
        return Ok(line(
            "access",
            Verdict::Fails,
            format!("this is {} now, and was another account", identity.label),
        ));
    }
    Ok(line(
        "access",
        Verdict::Works,
        format!("signed in as {}", identity.label),
    ))
}

/// It works: whatever was thought of it before.
async fn revive(bridge: &Bridge, connection: &Connection) -> Result<()> {
    if connection.health == Health::Ok {
        return Ok(());
    }
    let id = connection.id;
    bridge
        .store
        .write(move |tx| Box::pin(connections::revive(tx, id)))
        .await
}

async fn permissions(bridge: &Bridge, connection: &Connection) -> Result<Vec<Line>> {
    let about = about(bridge, connection).await?;
    if !about.by_browser {
        return Ok(Vec::new());
    }
    if about.missing.is_empty() {
        return Ok(vec![line(
            "permissions",
            Verdict::Works,
            "all that was asked for",
        )]);
    }
    let lacks = about.missing.iter().map(|(scope, without)| {
        let text = format!("{scope} was not given: {without}. Connect again to give it");
        line("permissions", Verdict::Lacks, text)
    });
    Ok(lacks.collect())
}

async fn calendars(
    bridge: &Bridge,
    provider: &dyn Provider,
    account: &Account,
    connection: &Connection,
) -> Result<Vec<Line>> {
    let listed = match provider.calendars(account).await {
        Ok(listed) => listed,
        Err(fault) => return Ok(vec![line("calendars", Verdict::Fails, fault.to_string())]),
    };
    let writable = listed.iter().filter(|one| one.writable).count();
    let text = format!("{} found, {writable} of them can be changed", listed.len());
    let verdict = match listed.is_empty() {
        true => Verdict::Lacks,
        false => Verdict::Works,
    };
    let mut lines = vec![line("calendars", verdict, text)];
    lines.extend(busy(provider, account, &listed).await);
    keep_listing(bridge, connection.id, listed).await?;
    Ok(lines)
}

/// Asks for the next day of one calendar.
async fn busy(provider: &dyn Provider, account: &Account, listed: &[Listed]) -> Option<Line> {
    let some = listed.iter().find(|one| one.primary).or(listed.first())?;
    if !provider.caps().busy {
        return None;
    }
    let now = account.clock.now();
    let ids = std::slice::from_ref(&some.remote_id);
    let asked = provider.busy(account, ids, (now, now + DAY)).await;
    let fault = match asked {
        Ok(all) => all.into_iter().find_map(|(_, one)| one.err()),
        Err(fault) => Some(fault),
    };
    Some(match fault {
        None => line("busy", Verdict::Works, "free/busy times can be asked for"),
        Some(fault) => line("busy", Verdict::Lacks, in_words(fault).to_string()),
    })
}

fn clock(ahead: i64) -> Line {
    match ahead.abs() <= SKEW {
        true => line("clock", Verdict::Works, "agrees with the provider's"),
        false => {
            let side = if ahead > 0 { "behind" } else { "ahead of" };
            let text = format!(
                "this server's clock is {} s {side} the provider's: set it right (NTP), else tokens end at the wrong time",
                ahead.abs()
            );
            line("clock", Verdict::Fails, text)
        }
    }
}

/// Whether the provider can tell us of changes at once.
fn notices(provider: &dyn Provider, endpoints: &Endpoints, public_url: &str) -> Line {
    if !provider.caps().watches {
        return line(
            "notices",
            Verdict::Lacks,
            "it tells nobody of changes: it is asked at intervals",
        );
    }
    match no_way_from(endpoints, public_url) {
        None => line("notices", Verdict::Works, "changes there are told at once"),
        Some(why) => line(
            "notices",
            Verdict::Lacks,
            format!("public_url is {public_url}, {why}: changes there are found at intervals only"),
        ),
    }
}

/// Why a provider cannot call this address. One that is inside itself (a simulated one) reaches what is inside.
pub fn no_way_from(provider: &Endpoints, public_url: &str) -> Option<&'static str> {
    let inside = !provider.api.is_empty() && unreachable_from_outside(&provider.api).is_some();
    unreachable_from_outside(public_url).filter(|_| !inside)
}

/// Why providers outside cannot call this address.
pub fn unreachable_from_outside(public_url: &str) -> Option<&'static str> {
    let Ok(url) = Url::parse(public_url) else {
        return Some("which is no address");
    };
    let near = match url.host() {
        Some(Host::Domain(name)) => !name.contains('.') || name.ends_with(".localhost"),
        Some(Host::Ipv4(v4)) => crate::remote::http::is_inside(v4.into()),
        Some(Host::Ipv6(v6)) => crate::remote::http::is_inside(v6.into()),
        None => true,
    };
    match (url.scheme(), near) {
        (_, true) => Some("which is not reached from outside"),
        ("https", false) => None,
        _ => Some("which is not https"),
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn only_public_https_addresses_are_called() {
        for (url, called) in [
            ("https://cal.example.org", true),
            ("https://cal.example.org:8443/x", true),
            ("http://cal.example.org", false),
            ("https://localhost:8008", false),
            ("https://10.0.0.1", false),
            ("https://[::1]", false),
            ("", false),
        ] {
            assert_eq!(unreachable_from_outside(url).is_none(), called, "{url}");
        }
    }

    #[test]
    fn clocks_may_differ_by_a_minute() {
        assert_eq!(clock(60).verdict, Verdict::Works);
        assert_eq!(clock(-61).verdict, Verdict::Fails);
        assert!(clock(400).text.contains("400 s behind"));
    }
}
