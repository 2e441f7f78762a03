//! What a TZID means without its VTIMEZONE: IANA names, Windows names, and names that old software wrote.

use super::windows::iana_for_windows;
use super::{Named, Zone};
use jiff::tz::TimeZone;

/// The IANA name that a TZID stands for, in its usual case.
pub fn iana_for_tzid(tzid: &str) -> Option<String> {
    Zone::named(tzid)?.iana_name().map(str::to_owned)
}

/// An IANA name, or one behind a global prefix such as `/mozilla.org/20050126_1/Europe/Berlin`.
pub(super) fn iana(tzid: &str) -> Option<Zone> {
    let tzid = tzid.trim();
    let Some(global) = tzid.strip_prefix('/') else {
        return exact(tzid);
    };
    // The zone is the longest tail that is one; names have at most three parts.
    let inner = global.rmatch_indices('/').map(|(at, _)| at + 1);
    let starts = inner.chain([0]).take(3);
    let mut tails: Vec<&str> = starts.map(|at| &global[at..]).collect();
    tails.reverse();
    tails.into_iter().find_map(exact)
}

fn exact(name: &str) -> Option<Zone> {
    // Longer than any name there is; "localtime" and the like are not zones.
    if name.is_empty() || name.len() > 40 || !name.is_ascii() {
        return None;
    }
    let zone = TimeZone::get(name).ok().filter(|zone| !zone.is_unknown())?;
    match zone.iana_name()? {
        "UTC" | "Etc/UTC" | "Etc/UCT" | "Etc/Zulu" | "Etc/Universal" | "UCT" | "Zulu"
        | "Universal" => Some(Zone::Utc),
        "Factory" | "posixrules" | "localtime" => None,
        _ => Named::of(zone).map(Zone::Iana),
    }
}

/// A Windows name, or an alias.
pub(super) fn alias(tzid: &str) -> Option<Zone> {
    let tzid = tzid.trim();
    windows(tzid)
        .or_else(|| listed(tzid))
        .or_else(|| listed(without_offset(tzid)?))
        .or_else(|| utc_offset(tzid))
}

/// `Eastern Standard Time`, and `Eastern` and `Eastern Daylight Time` as Lotus and others shorten or bend it.
fn windows(tzid: &str) -> Option<Zone> {
    let stem = tzid
        .strip_suffix(" Daylight Time")
        .or(tzid.strip_suffix(" Time"))
        .unwrap_or(tzid);
    let id =
        iana_for_windows(tzid).or_else(|| iana_for_windows(&format!("{stem} Standard Time")))?;
    exact(id)
}

/// Names that are neither IANA's nor Windows', as found in exports.
const ALIASES: &[(&str, &str)] = &[
    ("Z", "UTC"),
    ("Coordinated Universal Time", "UTC"),
    ("Greenwich Mean Time", "UTC"),
    ("tzone://Microsoft/Utc", "UTC"),
    ("US-Eastern", "America/New_York"),
    ("US-Central", "America/Chicago"),
    ("US-Mountain", "America/Denver"),
    ("US-Pacific", "America/Los_Angeles"),
    ("America-Chicago", "America/Chicago"),
    ("Eastern Time (US & Canada)", "America/New_York"),
    ("Eastern Time (US and Canada)", "America/New_York"),
    ("Central Time (US & Canada)", "America/Chicago"),
    ("Central Time (US and Canada)", "America/Chicago"),
    ("Mountain Time (US & Canada)", "America/Denver"),
    ("Mountain Time (US and Canada)", "America/Denver"),
    ("Pacific Time (US & Canada)", "America/Los_Angeles"),
    ("Pacific Time (US & Canada); Tijuana", "America/Los_Angeles"),
    ("Pacific Time (US and Canada)", "America/Los_Angeles"),
    ("Atlantic Time (Canada)", "America/Halifax"),
    ("Alaska", "America/Anchorage"),
    ("Hawaii", "Pacific/Honolulu"),
    ("Arizona", "America/Phoenix"),
    ("Newfoundland", "America/St_Johns"),
    ("Brasilia", "America/Sao_Paulo"),
    ("Dublin, Edinburgh, Lisbon, London", "Europe/London"),
    (
        "Greenwich Mean Time : Dublin, Edinburgh, Lisbon, London",
        "Europe/London",
    ),
    (
        "Greenwich Mean Time: Dublin, Edinburgh, Lisbon, London",
        "Europe/London",
    ),
    (
        "Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
        "Europe/Berlin",
    ),
    (
        "Belgrade, Bratislava, Budapest, Ljubljana, Prague",
        "Europe/Budapest",
    ),
    (
        "Belgrade, Pozsony, Budapest, Ljubljana, Prague",
        "Europe/Budapest",
    ),
    ("Brussels, Copenhagen, Madrid, Paris", "Europe/Paris"),
    ("Sarajevo, Skopje, Warsaw, Zagreb", "Europe/Warsaw"),
    ("Western/Central Europe", "Europe/Berlin"),
    ("Athens, Bucharest", "Europe/Bucharest"),
    ("Athens, Bucharest, Istanbul", "Europe/Bucharest"),
    (
        "Helsinki, Kyiv, Riga, Sofia, Tallinn, Vilnius",
        "Europe/Kyiv",
    ),
    (
        "Helsinki, Kiev, Riga, Sofia, Tallinn, Vilnius",
        "Europe/Kyiv",
    ),
    ("Jerusalem", "Asia/Jerusalem"),
    ("Cairo", "Africa/Cairo"),
    ("Harare, Pretoria", "Africa/Johannesburg"),
    ("Istanbul", "Europe/Istanbul"),
    ("Moscow, St. Petersburg", "Europe/Moscow"),
    ("Moscow, St. Petersburg, Volgograd", "Europe/Moscow"),
    ("Abu Dhabi, Muscat", "Asia/Dubai"),
    ("Chennai, Kolkata, Mumbai, New Delhi", "Asia/Kolkata"),
    ("Bangkok, Hanoi, Jakarta", "Asia/Bangkok"),
    ("Beijing, Chongqing, Hong Kong, Urumqi", "Asia/Shanghai"),
    ("Kuala Lumpur, Singapore", "Asia/Singapore"),
    ("Perth", "Australia/Perth"),
    ("Taipei", "Asia/Taipei"),
    ("Osaka, Sapporo, Tokyo", "Asia/Tokyo"),
    ("Seoul", "Asia/Seoul"),
    ("Adelaide", "Australia/Adelaide"),
    ("Brisbane", "Australia/Brisbane"),
    ("Canberra, Melbourne, Sydney", "Australia/Sydney"),
    ("Hobart", "Australia/Hobart"),
    ("Auckland, Wellington", "Pacific/Auckland"),
];

fn listed(tzid: &str) -> Option<Zone> {
    let (_, id) = ALIASES
        .iter()
        .find(|(alias, _)| alias.eq_ignore_ascii_case(tzid))?;
    exact(id)
}

/// `Eastern Time (US & Canada)` of `(UTC-05:00) Eastern Time (US & Canada)`: the offset there is only the
/// standard one.
fn without_offset(tzid: &str) -> Option<&str> {
    let (offset, rest) = tzid.strip_prefix('(')?.split_once(')')?;
    let known = ["UTC", "GMT"].iter().any(|zone| offset.starts_with(zone));
    known.then(|| rest.trim())
}

/// `UTC+2`, `GMT-05:00`, `UTC+0530`: the sign is the usual one, not POSIX's. `Etc/GMT-2` is IANA's.
fn utc_offset(tzid: &str) -> Option<Zone> {
    let rest = tzid
        .strip_prefix("UTC")
        .or_else(|| tzid.strip_prefix("GMT"))?
        .trim();
    let sign = match rest.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let rest = &rest[1..];
    let (hours, minutes) = match rest.split_once([':', '.']) {
        Some(parts) => parts,
        None if rest.len() == 4 => rest.split_at_checked(2)?,
        None => (rest, "0"),
    };
    let part = |text: &str, most: i32| {
        let digits =
            !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i32>().ok().filter(|n| digits && *n <= most)
    };
    super::fixed(sign * (part(hours, 14)? * 3_600 + part(minutes, 59)? * 60))
}
