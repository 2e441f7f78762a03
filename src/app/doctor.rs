//! Examining an installation: files, settings, database, and the discovery that clients do, against the running server.

mod bridges;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{App, users};
use crate::config::Config;

/// What was looked at, and how it is.
pub struct Finding {
    pub subject: &'static str,
    pub text: String,
    grade: Grade,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Grade {
    Good,
    Doubtful,
    Wrong,
}

impl Finding {
    fn good(subject: &'static str, text: impl Into<String>) -> Finding {
        Finding {
            subject,
            text: text.into(),
            grade: Grade::Good,
        }
    }

    fn doubtful(subject: &'static str, text: impl Into<String>) -> Finding {
        Finding {
            grade: Grade::Doubtful,
            ..Finding::good(subject, text)
        }
    }

    pub fn wrong(subject: &'static str, text: impl Into<String>) -> Finding {
        Finding {
            grade: Grade::Wrong,
            ..Finding::good(subject, text)
        }
    }

    pub fn is_wrong(&self) -> bool {
        self.grade == Grade::Wrong
    }

    pub fn verdict(&self) -> &'static str {
        match self.grade {
            Grade::Good => "ok",
            Grade::Doubtful => "look",
            Grade::Wrong => "wrong",
        }
    }
}

/// What can be said without the database.
pub fn before_opening(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::good("settings", "understood")];
    findings.push(public_url(config));
    if config.insecure_basic {
        findings.push(Finding::doubtful(
            "insecure_basic",
            "passwords are taken over unencrypted connections: anybody on the way can read them",
        ));
    }
    if let Some(finding) = key_file(&config.key_file()) {
        findings.push(finding);
    }
    findings.extend(bridges::registrations(config));
    findings
}

/// What the opened database and the running server tell.
pub async fn examine(app: &App) -> Vec<Finding> {
    let mut findings = vec![clock(app.clock.now())];
    findings.push(match app.reachable().await {
        Ok(()) => Finding::good("database", "open, and of this version"),
        Err(fault) => Finding::wrong("database", fault.to_string()),
    });
    findings.push(match app.has_the_key().await {
        Ok(true) => Finding::good("sealing key", "the one of this database"),
        Ok(false) => Finding::wrong(
            "sealing key",
            "not the one of this database: feed addresses cannot be shown again until KALENDS_KEY or the key file is right",
        ),
        Err(fault) => Finding::wrong("sealing key", fault.to_string()),
    });
    findings.push(match users::list(app).await {
        Ok(all) if all.iter().any(|one| one.admin) => {
            Finding::good("users", format!("{}, with an administrator", all.len()))
        }
        Ok(all) if all.is_empty() => {
            Finding::good("users", "none yet: the first start makes an administrator")
        }
        Ok(_) => Finding::doubtful(
            "users",
            "no administrator: `kalends user set NAME --admin true` makes one",
        ),
        Err(fault) => Finding::wrong("users", fault.to_string()),
    });
    match bridges::connected(app).await {
        Ok(found) => findings.extend(found),
        Err(fault) => findings.push(Finding::wrong("bridges", fault.to_string())),
    }
    findings.extend(discovery(app).await);
    findings
}

fn public_url(config: &Config) -> Finding {
    let url = config.public_url();
    let local = config
        .listen
        .iter()
        .all(|address| address.ip().is_loopback());
    if config.public_url.is_empty() && !local {
        return Finding::wrong(
            "public_url",
            format!(
                "not set, though the server listens beyond this machine: clients are told {url}"
            ),
        );
    }
    if url.starts_with("http://") && !config.public_url.is_empty() {
        return Finding::doubtful(
            "public_url",
            format!("{url} is not https: Apple's clients send no password there"),
        );
    }
    Finding::good("public_url", url)
}

/// A key file that others may read.
fn key_file(path: &Path) -> Option<Finding> {
    let metadata = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        if mode & 0o077 != 0 {
            let path = path.display();
            return Some(Finding::wrong(
                "key file",
                format!("others may read it: chmod 600 {path}"),
            ));
        }
    }
    let _ = metadata;
    Some(Finding::good("key file", path.display().to_string()))
}

/// 2026-01-01, before this program was written.
const EARLIEST: i64 = 1_767_225_600;

fn clock(now: i64) -> Finding {
    if now < EARLIEST {
        return Finding::wrong(
            "clock",
            "this machine's clock is years behind: events and retention would go wrong",
        );
    }
    Finding::good("clock", "plausible")
}

/// What a client asks first, what it has to be answered, and why.
const PROBES: &[(&str, &str, &str, &str)] = &[
    (
        "PROPFIND",
        "/.well-known/caldav",
        "301",
        "redirects to /dav/ (RFC 6764)",
    ),
    (
        "PROPFIND",
        "/",
        "401",
        "asks Apple's clients for a password",
    ),
    (
        "PROPFIND",
        "/principals/",
        "401",
        "asks Apple's clients for a password",
    ),
    ("PROPFIND", "/dav/", "401", "asks for a password"),
    ("GET", "/readyz", "200", "the server is ready"),
];

/// Asks the server on this machine, if it runs.
async fn discovery(app: &App) -> Vec<Finding> {
    let Some(address) = app.config.listen.first().map(|address| here(*address)) else {
        return Vec::new();
    };
    if app.config.tls.is_some() {
        return vec![Finding::good("server", "not asked: it speaks TLS")];
    }
    if TcpStream::connect(address).await.is_err() {
        return vec![Finding::good("server", format!("not running on {address}"))];
    }
    let mut findings = Vec::new();
    for (method, path, expected, meaning) in PROBES {
        let status = ask(address, method, path).await;
        findings.push(match status {
            Some(status) if status == *expected => {
                Finding::good("server", format!("{method} {path}: {meaning}"))
            }
            Some(status) => Finding::wrong(
                "server",
                format!("{method} {path}: {status}, expected {expected}"),
            ),
            None => Finding::wrong(
                "server",
                format!("{method} {path}: no answer from {address}"),
            ),
        });
    }
    findings
}

/// An address to connect to, for one to listen on.
fn here(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let local = match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(local);
    }
    address
}

/// The status of the answer to a request without body or credentials.
async fn ask(address: SocketAddr, method: &str, path: &str) -> Option<String> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.ok()?;
        let head = std::str::from_utf8(&head).ok()?;
        head.split(' ').nth(1).map(String::from)
    };
    tokio::time::timeout(Duration::from_secs(5), exchange)
        .await
        .ok()?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_server_needs_a_public_address() {
        let mut config = Config::default();
        assert_eq!(public_url(&config).verdict(), "ok");
        config.listen = vec!["0.0.0.0:8008".parse().unwrap()];
        assert_eq!(public_url(&config).verdict(), "wrong");
        config.public_url = "http://cal.example".into();
        assert_eq!(public_url(&config).verdict(), "look");
        config.public_url = "https://cal.example".into();
        assert_eq!(public_url(&config).verdict(), "ok");
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_wrong() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kalends.key");
        assert!(key_file(&path).is_none());
        for (mode, verdict) in [(0o600, "ok"), (0o644, "wrong")] {
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(key_file(&path).unwrap().verdict(), verdict);
        }
    }
}
