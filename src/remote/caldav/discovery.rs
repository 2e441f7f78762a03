//! From what somebody typed to their calendars. RFC 6764 §6: well-known address, principal, home (which may be on
//! another host), calendars.

use bytes::Bytes;
use http::{Request, Response};
use url::Url;

use super::super::{Account, Fault, Listed, Refusal};
use super::wire::{self, Told};
use super::{Skills, call, is_calendar, once, refused, url, xml_request};
use crate::ical::zone::iana_for_tzid;
use crate::xml::Name;

const REDIRECTS: usize = 5;

/// Whether `to` may see the credentials for `known`: the same host, or one of the same parent with at least two names.
pub fn beside(known: &str, to: &str) -> bool {
    let address = |host: &str| host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok();
    if address(known) || address(to) {
        return known.eq_ignore_ascii_case(to);
    }
    let parent = |host: &str| {
        let rest = host
            .split_once('.')
            .map(|(_, rest)| rest.to_ascii_lowercase());
        rest.filter(|rest| rest.contains('.') && !is_public(rest))
    };
    known.eq_ignore_ascii_case(to)
        || parent(known).is_some_and(|known| parent(to).as_deref() == Some(known.as_str()))
}

/// Parents under which strangers have hosts, as far as they matter here: two-letter countries' second levels.
fn is_public(parent: &str) -> bool {
    let labels: Vec<&str> = parent.split('.').collect();
    labels.len() == 2 && labels[1].len() == 2 && labels[0].len() <= 3
}

/// A PROPFIND that follows redirects; where it ended, and what it said.
async fn find(
    account: &Account,
    start: &str,
    depth: &str,
    names: &[Name],
) -> Result<(Url, Vec<Told>), Fault> {
    let mut at = url(start)?;
    for _ in 0..=REDIRECTS {
        let body = wire::propfind(names);
        let answer = once(account, xml_request("PROPFIND", at.as_str(), depth, body)?).await?;
        match answer.status().as_u16() {
            207 => {
                let told = wire::multistatus(answer.body(), &at)?.told;
                return Ok((at, told));
            }
            301 | 302 | 303 | 307 | 308 => at = hop(&at, &answer)?,
            _ => return Err(refused(account, &answer)),
        }
    }
    Err(Fault::Transient(
        "the calendar server redirects again and again".into(),
    ))
}

/// Where an answer sends us.
pub fn hop(at: &Url, answer: &Response<Bytes>) -> Result<Url, Fault> {
    let location = answer.headers().get(http::header::LOCATION);
    location
        .and_then(|value| at.join(value.to_str().ok()?).ok())
        .ok_or_else(|| Fault::Transient("the calendar server redirects to nowhere".into()))
}

/// The absolute address of the account's principal.
pub async fn principal(account: &Account) -> Result<String, Fault> {
    let typed = url(&account.endpoints.api)?;
    let well_known = typed
        .join("/.well-known/caldav")
        .map_err(|_| Fault::NotFound)?;
    let root = typed.join("/").map_err(|_| Fault::NotFound)?;
    let wanted = [
        Name::dav("current-user-principal"),
        Name::dav("principal-URL"),
        Name::dav("resourcetype"),
    ];
    let mut last = Fault::NotFound;
    for start in [&typed, &well_known, &root] {
        match find(account, start.as_str(), "0", &wanted).await {
            Ok((at, told)) => {
                let named = told
                    .iter()
                    .find_map(|one| one.href_in(&wanted[0]).or_else(|| one.href_in(&wanted[1])));
                if let Some(href) = named.and_then(|href| wire::absolute(&at, &href)) {
                    return Ok(href);
                }
            }
            // A wrong password is one everywhere, and some servers slow down who tries it again.
            Err(fault @ (Fault::Revoked(_) | Fault::Throttled(_))) => return Err(fault),
            Err(fault) => last = fault,
        }
    }
    Err(match last {
        Fault::NotFound => Fault::Refused(Refusal::new(
            "address",
            "there is no calendar server at this address",
        )),
        fault => fault,
    })
}

/// All calendars for events in the account's home.
pub async fn calendars(account: &Account) -> Result<Vec<Listed>, Fault> {
    let principal = principal(account).await?;
    let (home_set, href) = (Name::caldav("calendar-home-set"), Name::dav("href"));
    let (at, told) = find(account, &principal, "0", std::slice::from_ref(&home_set)).await?;
    // RFC 4791 §6.2.1: there may be several.
    let homes: Vec<String> = told
        .iter()
        .filter_map(|one| one.prop(&home_set))
        .flat_map(|set| set.children_named(&href))
        .filter_map(|href| wire::absolute(&at, &href.trimmed_text()))
        .collect();
    if homes.is_empty() {
        let why = "this account has no calendars";
        return Err(Fault::Refused(Refusal::new("address", why)));
    }
    let mut all: Vec<Listed> = Vec::new();
    for home in homes {
        let schedules = schedules(account, &home).await;
        let (_, told) = find(account, &home, "1", &wanted()).await?;
        let calendars = told
            .iter()
            .filter(|one| is_calendar(one) && holds_events(one) && !is_special(one))
            .map(|one| listed(one, schedules));
        for calendar in calendars {
            if all
                .iter()
                .all(|other| other.remote_id != calendar.remote_id)
            {
                all.push(calendar);
            }
        }
    }
    Ok(all)
}

/// The mail address under which the account is invited (RFC 6638 §2.4.1), where the server tells one.
pub async fn address(account: &Account, principal: &str) -> Option<String> {
    let wanted = Name::caldav("calendar-user-address-set");
    let told = find(account, principal, "0", std::slice::from_ref(&wanted)).await;
    let (_, told) = told.ok()?;
    let href = Name::dav("href");
    let mut all: Vec<(bool, String)> = told
        .iter()
        .filter_map(|one| one.prop(&wanted))
        .flat_map(|set| set.children_named(&href))
        .filter_map(|href| {
            let text = href.trimmed_text();
            let mail = text.get(..7)?.eq_ignore_ascii_case("mailto:");
            mail.then(|| (href.attr("preferred") != Some("1"), text[7..].to_string()))
        })
        .collect();
    all.sort_by_key(|(second, _)| *second);
    all.into_iter().next().map(|(_, mail)| mail)
}

/// Whether the server sends invitations by itself (RFC 6638 §2).
async fn schedules(account: &Account, home: &str) -> bool {
    let Ok(request) = Request::options(home).body(Bytes::new()) else {
        return true;
    };
    match call(account, request).await {
        Ok(answer) => answer
            .headers()
            .get_all("dav")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.contains("calendar-auto-schedule")),
        // In doubt it does.
        Err(_) => true,
    }
}

fn wanted() -> [Name; 9] {
    [
        Name::dav("resourcetype"),
        Name::dav("displayname"),
        Name::apple("calendar-color"),
        Name::cs("getctag"),
        Name::dav("sync-token"),
        Name::caldav("supported-calendar-component-set"),
        Name::dav("supported-report-set"),
        Name::dav("current-user-privilege-set"),
        Name::caldav("calendar-timezone"),
    ]
}

/// No component set means all of them (RFC 4791 §5.2.3).
fn holds_events(told: &Told) -> bool {
    told.prop(&Name::caldav("supported-calendar-component-set"))
        .is_none_or(|set| {
            set.elements().any(|comp| {
                comp.attr("name")
                    .is_some_and(|name| name.eq_ignore_ascii_case("VEVENT"))
            })
        })
}

/// Subscriptions, trash bins, inboxes: calendars of sorts that are not to be linked.
fn is_special(told: &Told) -> bool {
    const KINDS: &[&str] = &[
        "subscribed",
        "schedule-inbox",
        "schedule-outbox",
        "notification",
        "trash-bin",
        "deleted-calendar",
    ];
    told.prop(&Name::dav("resourcetype")).is_some_and(|kind| {
        kind.elements()
            .any(|one| KINDS.contains(&one.name.local.as_str()))
    })
}

fn listed(told: &Told, schedules: bool) -> Listed {
    let writable = told
        .prop(&Name::dav("current-user-privilege-set"))
        .is_none_or(|set| {
            set.elements().flat_map(|one| one.elements()).any(|one| {
                ["write", "write-content", "all", "bind"].contains(&one.name.local.as_str())
            })
        });
    let reports = told.prop(&Name::dav("supported-report-set"));
    let sync = reports.is_some_and(|set| {
        set.elements()
            .flat_map(|one| one.elements())
            .flat_map(|one| one.elements())
            .any(|one| one.name == Name::dav("sync-collection"))
    });
    let skills = Skills {
        sync,
        ctag: told.text(&Name::cs("getctag")).is_some(),
        schedules,
    };
    let name = told.text(&Name::dav("displayname"));
    let color = told
        .text(&Name::apple("calendar-color"))
        .unwrap_or_default();
    Listed {
        name: name.unwrap_or_else(|| last_segment(&told.href)),
        remote_id: told.href.clone(),
        color: match color.get(..7) {
            Some(short) if short.starts_with('#') => short.to_string(),
            _ => String::new(),
        },
        zone: zone(told).unwrap_or_default(),
        writable,
        primary: false,
        extra: serde_json::to_string(&skills).unwrap_or_default(),
    }
}

/// The zone that calendar-timezone means.
fn zone(told: &Told) -> Option<String> {
    let text = told.text(&Name::caldav("calendar-timezone"))?;
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("TZID:"))?;
    iana_for_tzid(line)
}

fn last_segment(href: &str) -> String {
    let path = crate::xml::href::decode_path(href.trim_end_matches('/')).unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_string()
}

/// The address of a member of a collection.
pub fn member(collection: &str, name: &str) -> Result<String, Fault> {
    let base = url(&format!("{}/", collection.trim_end_matches('/')))?;
    wire::absolute(&base, &crate::xml::href::encode_path(name)).ok_or(Fault::NotFound)
}
