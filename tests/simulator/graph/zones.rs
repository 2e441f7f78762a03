//! Windows and IANA names of zones (FACTS §5).

use super::super::recur;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::sync::OnceLock;

struct Names {
    windows: HashMap<&'static str, &'static str>,
    iana: HashMap<&'static str, &'static str>,
}

fn names() -> &'static Names {
    static NAMES: OnceLock<Names> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut names = Names {
            windows: HashMap::new(),
            iana: HashMap::new(),
        };
        let rows = include_str!("zones.txt")
            .lines()
            .filter(|line| !line.starts_with('#'));
        for (windows, all) in rows.filter_map(|line| line.split_once('=')) {
            for (at, iana) in all.split(' ').enumerate() {
                if at == 0 {
                    names.windows.insert(windows, iana);
                }
                names.iana.entry(iana).or_insert(windows);
            }
        }
        names.iana.insert("UTC", "UTC");
        names
    })
}

/// The zone of a Windows or an IANA name.
pub fn zone(name: &str) -> Option<TimeZone> {
    if name == "tzone://Microsoft/Utc" {
        return Some(TimeZone::UTC);
    }
    let iana = names().windows.get(name).copied().unwrap_or(name);
    recur::zone(iana)
}

/// The Windows name of a zone, as `originalStartTimeZone` has it.
pub fn windows(name: &str) -> String {
    let known = names().iana.get(name).copied();
    known.unwrap_or(name).to_string()
}
