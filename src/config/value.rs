//! Reading one value, written in TOML or as the text of a variable or flag.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use toml::Value;

type Outcome<T> = Result<T, String>;

pub fn text(value: &Value) -> Outcome<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        _ => Err("must be a text".into()),
    }
}

pub fn flag(value: &Value) -> Outcome<bool> {
    match value {
        Value::Boolean(flag) => Ok(*flag),
        Value::String(text) => match text.as_str() {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            _ => Err("must be true or false".into()),
        },
        _ => Err("must be true or false".into()),
    }
}

/// A whole number, within bounds.
pub fn number<T: TryFrom<i64>>(value: &Value, least: i64, most: i64) -> Outcome<T> {
    let number = match value {
        Value::Integer(number) => Some(*number),
        Value::String(text) => text.trim().replace('_', "").parse().ok(),
        _ => None,
    };
    number
        .filter(|number| (least..=most).contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("must be a whole number from {least} to {most}"))
}

pub fn seconds(value: &Value, most: i64) -> Outcome<Duration> {
    number(value, 1, most).map(Duration::from_secs)
}

/// A list of texts, or one text with commas.
pub fn list(value: &Value) -> Outcome<Vec<String>> {
    let words = |text: &str| {
        text.split(',')
            .map(|word| word.trim().to_string())
            .filter(|word| !word.is_empty())
            .collect()
    };
    match value {
        Value::String(text) => Ok(words(text)),
        Value::Array(items) => items.iter().map(text).collect(),
        _ => Err("must be a list of texts".into()),
    }
}

pub fn addresses(value: &Value) -> Outcome<Vec<SocketAddr>> {
    let all: Vec<SocketAddr> = list(value)?
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|_| format!("`{text}` is not an address and port like 127.0.0.1:8008"))
        })
        .collect::<Outcome<_>>()?;
    if all.is_empty() {
        return Err("must name at least one address".into());
    }
    Ok(all)
}

pub fn networks(value: &Value) -> Outcome<Vec<Network>> {
    list(value)?
        .iter()
        .map(|text| Network::parse(text))
        .collect()
}

/// An `http` or `https` address without query; the slash at its end is dropped. Empty stays empty.
pub fn web_address(value: &Value) -> Outcome<String> {
    let text = text(value)?;
    if text.is_empty() {
        return Ok(text);
    }
    let uri: http::Uri = text
        .parse()
        .map_err(|_| format!("`{text}` is not an address like https://cal.example.org"))?;
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    if !web || uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
        return Err(format!(
            "`{text}` must start with http:// or https://, name a host and have no query"
        ));
    }
    Ok(text.trim_end_matches('/').to_string())
}

/// A range of addresses: `10.0.0.0/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: u128,
    mask: u128,
}

impl Network {
    pub fn parse(text: &str) -> Outcome<Network> {
        let bad = || format!("`{text}` is not an address or a range like 10.0.0.0/8");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().map_err(|_| bad())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width {
            return Err(bad());
        }
        let host_bits = width - bits;
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        Ok(Network {
            base: number_of(address) & mask,
            mask,
        })
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        number_of(address) & self.mask == self.base
    }
}

/// IPv4 addresses as their IPv4-mapped IPv6 form, so that `::ffff:10.0.0.1` is 10.0.0.1.
fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses_and_no_others() {
        for (net, address, inside) in [
            ("10.0.0.0/8", "10.200.3.4", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("fd00::/8", "fd12::1", true),
            ("::1", "::1", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "8.8.8.8", true),
        ] {
            let found = Network::parse(net)
                .unwrap()
                .contains(address.parse().unwrap());
            assert_eq!(found, inside, "{address} in {net}");
        }
        for bad in ["", "10.0.0.0/33", "10.0.0", "x/8", "10.0.0.0/-1"] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn web_addresses_lose_their_last_slash_and_need_a_host() {
        let read = |text: &str| web_address(&Value::String(text.into()));
        assert_eq!(read("https://a.example/").unwrap(), "https://a.example");
        assert_eq!(read("http://a:80/x/").unwrap(), "http://a:80/x");
        for bad in ["a.example", "ftp://a", "https://a/?q", "/dav"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
