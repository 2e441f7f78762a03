//! The one outgoing client: bounded in size and time, without redirects, and not to be talked into our own network.
//!
//! Addresses that people type (CalDAV servers, `.ics` subscriptions) or that servers answer (redirects, hrefs) must
//! not reach inside: names are resolved by [`Guarded`], which drops loopback, private and link-local addresses, and the
//! connection goes to exactly the addresses that it passed (no rebinding). What the operator wrote into the settings
//! (`google.api_url`) is trusted, and `fetch.allow_networks` opens more. Nothing of a request is logged.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::{Answer, Broken, Transport};

const CONNECT: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(90);
/// The largest answer, after it was unpacked.
pub const LARGEST: usize = 64 << 20;

/// Which addresses inside may be reached all the same.
pub type Allow = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// The client. Keeps connections open between requests.
pub struct Web {
    guarded: reqwest::Client,
    open: reqwest::Client,
    /// Origins that the operator named.
    trusted: HashSet<String>,
    allow: Allow,
}

impl Web {
    /// `trusted`: addresses from the settings, whose hosts may be anywhere.
    ///
    /// # Errors
    /// When there is no TLS to be had; in words.
    pub fn new<'a>(
        trusted: impl Iterator<Item = &'a str>,
        allow: Allow,
        agent: &str,
    ) -> Result<Web, String> {
        let resolver = Guarded {
            allow: allow.clone(),
        };
        let guarded = builder(agent).dns_resolver(Arc::new(resolver)).build();
        let open = builder(agent).build();
        let fault = |fault: reqwest::Error| format!("no outgoing connections: {fault}");
        Ok(Web {
            guarded: guarded.map_err(fault)?,
            open: open.map_err(fault)?,
            trusted: trusted.filter_map(origin_of).collect(),
            allow,
        })
    }

    /// The client for this address.
    fn client(&self, url: &Url) -> Result<&reqwest::Client, Broken> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(unsent("only http and https addresses can be fetched"));
        }
        if self.trusted.contains(&url.origin().ascii_serialization()) {
            return Ok(&self.open);
        }
        // The resolver is not asked for literal addresses.
        let literal = match url.host() {
            Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
            Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
            Some(Host::Domain(_)) => None,
            None => return Err(unsent("the address names no host")),
        };
        match literal {
            Some(address) if is_inside(address) && !(self.allow)(address) => Err(unsent(INSIDE)),
            _ => Ok(&self.guarded),
        }
    }
}

const INSIDE: &str =
    "the address points into this server's own network, which fetch.allow_networks does not allow";

fn builder(agent: &str) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(agent)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        .no_proxy()
}

fn origin_of(address: &str) -> Option<String> {
    Some(Url::parse(address).ok()?.origin().ascii_serialization())
}

fn unsent(reason: &str) -> Broken {
    Broken {
        sent: false,
        reason: reason.to_string(),
    }
}

impl Transport for Web {
    fn send(
        &self,
        request: ::http::Request<Bytes>,
    ) -> Answer<'_, Result<::http::Response<Bytes>, Broken>> {
        Box::pin(async move {
            let url = Url::parse(&request.uri().to_string())
                .map_err(|_| unsent("this is not an address"))?;
            let client = self.client(&url)?;
            let request = reqwest::Request::try_from(request)
                .map_err(|_| unsent("this is not an address"))?;
            let answer = client.execute(request).await.map_err(|e| broken(&e))?;
            read(answer).await
        })
    }
}

/// The whole answer, up to [`LARGEST`].
async fn read(mut answer: reqwest::Response) -> Result<::http::Response<Bytes>, Broken> {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| broken(&e))? {
        if body.len() + chunk.len() > LARGEST {
            return Err(Broken {
                sent: true,
                reason: format!("the answer is larger than {} MiB", LARGEST >> 20),
            });
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = ::http::Response::new(body.freeze());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// What went wrong, without the address: it may hold a secret.
fn broken(fault: &reqwest::Error) -> Broken {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(fault);
    let mut reason = match () {
        () if fault.is_timeout() => "it took too long".to_string(),
        () if fault.is_connect() => "no connection".to_string(),
        () => "the connection broke".to_string(),
    };
    while let Some(next) = cause {
        if next.is::<Inside>() {
            reason = INSIDE.to_string();
        }
        if next.source().is_none() && next.is::<std::io::Error>() {
            reason = format!("{reason}: {next}");
        }
        cause = next.source();
    }
    Broken {
        sent: !fault.is_connect() && !fault.is_builder(),
        reason,
    }
}

/// Resolves names as the system does, and keeps only addresses outside.
struct Guarded {
    allow: Allow,
}

#[derive(Debug)]
struct Inside;

impl std::fmt::Display for Inside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(INSIDE)
    }
}

impl std::error::Error for Inside {}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let allow = self.allow.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let outside: Vec<SocketAddr> = found
                .filter(|address| !is_inside(address.ip()) || allow(address.ip()))
                .collect();
            if outside.is_empty() {
                return Err(Box::new(Inside) as Box<dyn std::error::Error + Send + Sync>);
            }
            Ok(Box::new(outside.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is not one of the public internet (IANA's special-purpose registries).
pub fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => inside_v4(v4),
        IpAddr::V6(v6) => embedded(v6).map_or_else(|| inside_v6(v6), inside_v4),
    }
}

fn inside_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && b & 0xc0 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && b & 0xfe == 18)
}

fn inside_v6(v6: Ipv6Addr) -> bool {
    let first = v6.segments()[0];
    // Only 2000::/3 is given out; of it, 2001::/23 and 2001:db8::/32 are special.
    first & 0xe000 != 0x2000
        || (first == 0x2001 && (v6.segments()[1] < 0x200 || v6.segments()[1] == 0xdb8))
}

/// The IPv4 address within a mapped, compatible, NAT64 or 6to4 one.
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = v6.segments();
    let four = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(four(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(four(high, low)),
        [0x2002, high, low, ..] => Some(four(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web(trusted: &str, allowed: &'static str) -> Web {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let allow: Allow = Arc::new(move |ip: IpAddr| ip.to_string() == allowed);
        Web::new([trusted].into_iter(), allow, "test").unwrap()
    }

    #[test]
    fn addresses_inside_are_known() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "::127.0.0.1",
        ] {
            assert!(is_inside(inside.parse().unwrap()), "{inside}");
        }
        for outside in [
            "8.8.8.8",
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1",
            "2002:808:808::",
        ] {
            assert!(!is_inside(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn literal_addresses_inside_are_refused_unless_named_or_allowed() {
        let web = web("http://127.0.0.1:8900/google", "10.0.0.7");
        let may = |url: &str| web.client(&Url::parse(url).unwrap()).is_ok();
        assert!(may("http://127.0.0.1:8900/elsewhere"));
        assert!(may("https://10.0.0.7/x.ics"));
        assert!(may("https://calendar.example/x.ics"));
        for refused in [
            "http://127.0.0.1:8901/",
            "http://127.0.0.1/",
            "https://127.0.0.1:8900/",
            "http://[::1]/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://169.254.169.254/latest",
            "ftp://calendar.example/",
            "file:///etc/passwd",
        ] {
            assert!(!may(refused), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_name_that_points_inside_is_refused() {
        let web = web("https://calendar.example", "");
        let request = ::http::Request::get("http://localhost:9/secret-path").body(Bytes::new());
        let fault = web.send(request.unwrap()).await.unwrap_err();
        assert_eq!(fault, unsent(INSIDE));
    }
}
