//! CalDAV servers that many people have an account at: where they are, and what to type in. FACTS §6.

/// A server by name.
#[derive(Debug)]
pub struct Preset {
    pub name: &'static str,
    pub title: &'static str,
    /// Its address; empty: everybody has a server of their own.
    pub url: &'static str,
    /// Where its CalDAV service is below the address of somebody's own server.
    pub path: &'static str,
    /// What user name and password are.
    pub hint: &'static str,
}

pub static PRESETS: &[Preset] = &[
    Preset {
        name: "icloud",
        title: "iCloud",
        url: "https://caldav.icloud.com/",
        path: "",
        hint: "the user name is the Apple account's mail address; the password is an app-specific one, made at \
               account.apple.com under Sign-In and Security (the account's own password is refused)",
    },
    Preset {
        name: "fastmail",
        title: "Fastmail",
        url: "https://caldav.fastmail.com/",
        path: "",
        hint: "the user name is the mail address; the password is an app password for calendars, made under Settings, \
               Privacy & Security, App passwords",
    },
    Preset {
        name: "nextcloud",
        title: "Nextcloud",
        url: "",
        path: "/remote.php/dav/",
        hint: "the password is an app password, made under Personal settings, Security, Devices & sessions (the \
               account's own is refused when a second factor is on)",
    },
];

/// The preset of this name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// The preset whose server this is.
pub fn at_host(host: &str) -> Option<&'static Preset> {
    let inside = |preset: &&Preset| {
        let own = preset.url.strip_prefix("https://")?;
        let own = own.trim_end_matches('/');
        Some(host.eq_ignore_ascii_case(own))
    };
    PRESETS.iter().find(|preset| inside(preset) == Some(true))
}
