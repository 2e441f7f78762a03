//! Configuration profiles for Apple's devices: a CalDAV account, a subscribed calendar (`.mobileconfig`, CLIENTS §1).
//! Not signed: devices say so and take them. Identifiers and UUIDs are the same for the same account or feed, so a
//! profile that is installed again replaces itself.

use secrecy::{ExposeSecret, SecretString};

use crate::model::id::uuid_of;

/// The media type.
pub const CONTENT_TYPE: &str = "application/x-apple-aspen-config";

/// Where a server is, as the payloads want it.
#[derive(Clone, Debug)]
pub struct Place {
    pub host: String,
    pub port: u16,
    pub tls: bool,
}

impl Place {
    /// Of an absolute address such as `https://host:8443/prefix`.
    pub fn of(url: &str) -> Option<Place> {
        let (scheme, rest) = url.split_once("://")?;
        let tls = scheme.eq_ignore_ascii_case("https");
        let authority = rest
            .split('/')
            .next()
            .filter(|authority| !authority.is_empty())?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            _ => (authority, if tls { 443 } else { 80 }),
        };
        Some(Place {
            host: host.trim_matches(['[', ']']).to_string(),
            port,
            tls,
        })
    }
}

/// A CalDAV account (`com.apple.caldav.account`).
pub struct Account<'a> {
    pub place: &'a Place,
    /// Path of the principal, with the prefix.
    pub principal: &'a str,
    pub user: &'a str,
    pub password: &'a SecretString,
    pub description: &'a str,
}

/// A subscribed calendar (`com.apple.subscribedcalendar.account`).
pub struct Subscription<'a> {
    /// The feed's absolute address.
    pub url: &'a str,
    pub description: &'a str,
}

impl Account<'_> {
    /// The profile. It holds the password: never to be logged or cached.
    pub fn write(&self) -> String {
        let identity = format!(
            "caldav {} {} {}",
            self.place.host, self.place.port, self.principal
        );
        let mut payload = Dict::default();
        payload
            .string("CalDAVAccountDescription", self.description)
            .string("CalDAVHostName", &self.place.host)
            .integer("CalDAVPort", self.place.port)
            .boolean("CalDAVUseSSL", self.place.tls)
            .string("CalDAVPrincipalURL", self.principal)
            .string("CalDAVUsername", self.user)
            .string("CalDAVPassword", self.password.expose_secret());
        profile(
            "com.apple.caldav.account",
            &identity,
            self.description,
            payload,
        )
    }
}

impl Subscription<'_> {
    pub fn write(&self) -> String {
        let tls = self.url.starts_with("https:");
        let mut payload = Dict::default();
        payload
            .string("SubCalAccountDescription", self.description)
            .string("SubCalAccountHostName", self.url)
            .boolean("SubCalAccountUseSSL", tls);
        profile(
            "com.apple.subscribedcalendar.account",
            self.url,
            self.description,
            payload,
        )
    }
}

/// The wrapper around one payload.
fn profile(kind: &str, identity: &str, description: &str, mut payload: Dict) -> String {
    let (inner, outer) = (uuid(identity, "payload"), uuid(identity, "profile"));
    payload
        .string("PayloadDisplayName", description)
        .string("PayloadIdentifier", &format!("org.kalends.{inner}"))
        .string("PayloadType", kind)
        .string("PayloadUUID", &inner)
        .integer("PayloadVersion", 1);
    let mut whole = Dict::default();
    whole.0 += &format!(
        "<key>PayloadContent</key><array><dict>{}</dict></array>\n",
        payload.0
    );
    whole
        .string("PayloadDisplayName", &format!("Kalends: {description}"))
        .string("PayloadIdentifier", &format!("org.kalends.{outer}"))
        .boolean("PayloadRemovalDisallowed", false)
        .string("PayloadType", "Configuration")
        .string("PayloadUUID", &outer)
        .integer("PayloadVersion", 1);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\"><dict>\n{}</dict></plist>\n",
        whole.0
    )
}

fn uuid(identity: &str, what: &str) -> String {
    uuid_of(&format!("kalends {what} {identity}")).to_uppercase()
}

/// Text for a property list. Control characters, which XML cannot carry, are dropped.
fn escape(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    clean
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The entries of a property list's `dict`.
#[derive(Default)]
struct Dict(String);

impl Dict {
    fn string(&mut self, key: &str, value: &str) -> &mut Dict {
        let escaped = escape(value);
        self.0 += &format!("<key>{key}</key><string>{escaped}</string>\n");
        self
    }

    fn integer(&mut self, key: &str, value: u16) -> &mut Dict {
        self.0 += &format!("<key>{key}</key><integer>{value}</integer>\n");
        self
    }

    fn boolean(&mut self, key: &str, value: bool) -> &mut Dict {
        self.0 += &format!("<key>{key}</key><{value}/>\n");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_a_property_list() {
        let password = SecretString::from("a<b&c");
        let account = Account {
            place: &Place::of("https://cal.example.org:8443/x").unwrap(),
            principal: "/x/dav/principals/anna%40example.org/",
            user: "anna@example.org",
            password: &password,
            description: "Anna & <co>",
        };
        let text = account.write();
        for part in [
            "<key>CalDAVPassword</key><string>a&lt;b&amp;c</string>",
            "<key>CalDAVHostName</key><string>cal.example.org</string>",
            "<key>CalDAVPort</key><integer>8443</integer>",
            "<key>CalDAVUseSSL</key><true/>",
            "<key>PayloadDisplayName</key><string>Kalends: Anna &amp; &lt;co&gt;</string>",
            "<key>PayloadType</key><string>Configuration</string>",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(text, account.write(), "the same account has the same UUIDs");
    }

    #[test]
    fn places_are_read_from_addresses() {
        for (url, host, port, tls) in [
            ("https://cal.example.org", "cal.example.org", 443, true),
            ("http://127.0.0.1:8008/x", "127.0.0.1", 8008, false),
            ("https://[::1]:8443/", "::1", 8443, true),
            ("https://[::1]/", "::1", 443, true),
        ] {
            let place = Place::of(url).unwrap();
            assert_eq!(
                (place.host.as_str(), place.port, place.tls),
                (host, port, tls),
                "{url}"
            );
        }
        assert!(Place::of("nonsense").is_none());
    }

    #[test]
    fn a_subscription_says_whether_it_needs_tls() {
        for (url, flag) in [
            ("https://h/feeds/t.ics", "<true/>"),
            ("http://h/feeds/t.ics", "<false/>"),
        ] {
            let text = Subscription {
                url,
                description: "Work",
            }
            .write();
            assert!(
                text.contains(&format!("<key>SubCalAccountUseSSL</key>{flag}")),
                "{text}"
            );
            assert!(text.contains(&format!(
                "<key>SubCalAccountHostName</key><string>{url}</string>"
            )));
        }
    }
}
