//! Who is at the other end of a connection, whether passwords may travel on it, and whether a browser was talked into
//! sending a request by somebody else's page.

use std::net::{IpAddr, SocketAddr};

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, HeaderName};

use crate::config::Config;
use crate::wire::Peer;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What is known of a connection before its first request.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    peer: Peer,
    tls: bool,
    trusted: bool,
}

impl Origin {
    pub fn new(config: &Config, remote: SocketAddr, tls: bool) -> Origin {
        let address = remote.ip().to_canonical();
        Origin {
            peer: Peer {
                address,
                confidential: tls || address.is_loopback() || config.insecure_basic,
            },
            tls,
            trusted: config.trusts(address),
        }
    }

    /// Who sends this request. Headers of proxies are believed when the connection comes from a trusted one: the client
    /// is the last address of `X-Forwarded-For` that is no trusted proxy itself.
    pub fn peer(&self, headers: &HeaderMap, config: &Config) -> Peer {
        if !self.trusted {
            return self.peer;
        }
        let forwarded = headers.get_all(FORWARDED_FOR);
        let scheme = headers.get(FORWARDED_PROTO);
        let mut hops = forwarded.iter().peekable();
        if hops.peek().is_none() && scheme.is_none() {
            return self.peer;
        }
        let hops: Vec<&str> = hops.filter_map(|value| value.to_str().ok()).collect();
        let client = hops
            .iter()
            .rev()
            .flat_map(|value| value.rsplit(','))
            .map_while(address)
            .find(|address| !config.trusts(*address));
        let https = scheme.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https"));
        let address = client.unwrap_or(self.peer.address);
        // A proxy that does not name a scheme says nothing of the way on its other side; a client on this machine needs none.
        let direct = scheme.is_none() && address.is_loopback();
        Peer {
            address,
            confidential: self.tls || https || direct || config.insecure_basic,
        }
    }
}

/// How the body is coded, when it is not sent as it is (RFC 9110 §8.4). Nobody here decodes: a small body could become a
/// large one.
pub fn coding<B: http_body::Body>(request: &http::Request<B>) -> Option<String> {
    if request.body().is_end_stream() {
        return None;
    }
    let values = request.headers().get_all(CONTENT_ENCODING).iter();
    let codings: Vec<&str> = values
        .flat_map(|value| value.to_str().unwrap_or("unreadable").split(','))
        .map(str::trim)
        .filter(|one| !one.is_empty() && !one.eq_ignore_ascii_case("identity"))
        .collect();
    (!codings.is_empty()).then(|| codings.join(", "))
}

/// Media types that a form can send without being asked for permission first (Fetch §2.2.2).
const FORMS: &[&str] = &[
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
];

/// Whether a request that may change something comes from a page of another site. Browsers remember passwords and add
/// them to such requests, too; programs send none of these headers.
pub fn is_cross_site<B>(request: &http::Request<B>, public_url: &str) -> bool {
    let (method, headers) = (request.method(), request.headers());
    if matches!(
        method.as_str(),
        "GET" | "HEAD" | "OPTIONS" | "PROPFIND" | "REPORT"
    ) {
        return false;
    }
    if headers
        .get(FETCH_SITE)
        .is_some_and(|site| site == "cross-site")
    {
        return true;
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let origin = origin.to_str().unwrap_or_default();
    match authority(origin) {
        Some(from) => {
            let host = headers.get(HOST).and_then(|host| host.to_str().ok());
            let target = request
                .uri()
                .authority()
                .map(|authority| authority.as_str());
            let ours = [host, target, authority(public_url)];
            !ours
                .iter()
                .flatten()
                .any(|own| own.eq_ignore_ascii_case(from))
        }
        // `null`: sandboxed pages, and some programs.
        None => {
            let media_type = headers
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok());
            let essence = media_type
                .unwrap_or_default()
                .split(';')
                .next()
                .unwrap_or_default();
            FORMS
                .iter()
                .any(|form| essence.trim().eq_ignore_ascii_case(form))
        }
    }
}

/// `host:port` of an address, as it is written.
fn authority(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    rest.split('/').next().filter(|rest| !rest.is_empty())
}

/// One entry of `X-Forwarded-For`; some proxies add the port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse()
        .or_else(|_| text.parse().map(|with_port: SocketAddr| with_port.ip()))
        .or_else(|_| text.trim_matches(['[', ']']).parse())
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    /// (connection from, TLS, X-Forwarded-For, X-Forwarded-Proto, client, confidential)
    type Case = (
        &'static str,
        bool,
        Option<&'static str>,
        Option<&'static str>,
        &'static str,
        bool,
    );

    const CASES: &[Case] = &[
        ("192.0.2.1:9", false, None, None, "192.0.2.1", false),
        ("192.0.2.1:9", true, None, None, "192.0.2.1", true),
        ("127.0.0.1:9", false, None, None, "127.0.0.1", true),
        ("[::1]:9", false, None, None, "::1", true),
        ("[::ffff:127.0.0.1]:9", false, None, None, "127.0.0.1", true),
        // Nobody but a trusted proxy is believed.
        (
            "192.0.2.1:9",
            false,
            Some("127.0.0.1"),
            Some("https"),
            "192.0.2.1",
            false,
        ),
        // A trusted one is, and says whether its other side is encrypted.
        (
            "127.0.0.1:9",
            false,
            Some("192.0.2.7"),
            Some("https"),
            "192.0.2.7",
            true,
        ),
        (
            "127.0.0.1:9",
            false,
            Some("192.0.2.7"),
            Some("http"),
            "192.0.2.7",
            false,
        ),
        (
            "127.0.0.1:9",
            false,
            Some("192.0.2.7"),
            None,
            "192.0.2.7",
            false,
        ),
        ("127.0.0.1:9", false, None, Some("https"), "127.0.0.1", true),
        ("127.0.0.1:9", false, None, Some("http"), "127.0.0.1", false),
        ("10.0.0.1:9", false, None, None, "10.0.0.1", false),
        // Of a chain the last one that is not ours; what a client wrote before it does not count.
        (
            "10.0.0.1:9",
            false,
            Some("1.1.1.1, 192.0.2.7, 10.0.0.2"),
            Some("https"),
            "192.0.2.7",
            true,
        ),
        (
            "10.0.0.1:9",
            false,
            Some("192.0.2.7:4711"),
            Some("HTTPS"),
            "192.0.2.7",
            true,
        ),
        (
            "10.0.0.1:9",
            false,
            Some("[2001:db8::1]"),
            Some("https"),
            "2001:db8::1",
            true,
        ),
        (
            "10.0.0.1:9",
            false,
            Some("1.1.1.1, nonsense"),
            Some("https"),
            "10.0.0.1",
            true,
        ),
    ];

    fn config(insecure: bool) -> Config {
        load(&Sources {
            flags: vec![
                ("trusted_proxies", "127.0.0.0/8, ::1, 10.0.0.0/8".into()),
                ("insecure_basic", insecure.to_string()),
            ],
            ..Sources::default()
        })
        .unwrap()
    }

    #[test]
    fn the_peer_is_the_client_behind_trusted_proxies() {
        let config = config(false);
        for (remote, tls, forwarded, scheme, client, confidential) in CASES {
            let mut headers = HeaderMap::new();
            if let Some(value) = forwarded {
                headers.insert("x-forwarded-for", value.parse().unwrap());
            }
            if let Some(value) = scheme {
                headers.insert("x-forwarded-proto", value.parse().unwrap());
            }
            let peer = Origin::new(&config, remote.parse().unwrap(), *tls).peer(&headers, &config);
            let expected = Peer {
                address: client.parse().unwrap(),
                confidential: *confidential,
            };
            assert_eq!(peer, expected, "{remote} {tls} {forwarded:?} {scheme:?}");
        }
    }

    #[test]
    fn the_operator_may_allow_passwords_everywhere() {
        let config = config(true);
        let remote = "192.0.2.1:9".parse().unwrap();
        let peer = Origin::new(&config, remote, false).peer(&HeaderMap::new(), &config);
        assert!(peer.confidential);
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let public = "https://cal.example/x";
        for (method, headers, refused) in [
            ("POST", &[][..], false),
            ("PUT", &[("origin", "https://cal.example")], false),
            ("PUT", &[("origin", "https://CAL.example")], false),
            ("PUT", &[("origin", "http://direct:8008")], false),
            (
                "PUT",
                &[
                    ("origin", "http://internal:8008"),
                    ("host", "internal:8008"),
                ],
                false,
            ),
            (
                "PUT",
                &[
                    ("origin", "https://evil.example"),
                    ("host", "internal:8008"),
                ],
                true,
            ),
            (
                "POST",
                &[("origin", "https://cal.example.evil.example")],
                true,
            ),
            ("POST", &[("sec-fetch-site", "cross-site")], true),
            ("DELETE", &[("sec-fetch-site", "same-origin")], false),
            (
                "POST",
                &[
                    ("origin", "null"),
                    ("content-type", "text/plain;charset=utf-8"),
                ],
                true,
            ),
            (
                "PUT",
                &[("origin", "null"), ("content-type", "text/calendar")],
                false,
            ),
            ("GET", &[("origin", "https://evil.example")], false),
            ("PROPFIND", &[("sec-fetch-site", "cross-site")], false),
        ] {
            let mut request = http::Request::builder()
                .method(method)
                .uri("http://direct:8008/x");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(()).unwrap();
            assert_eq!(
                is_cross_site(&request, public),
                refused,
                "{method} {headers:?}"
            );
        }
    }
}
