//! Microsoft 365 and Outlook.com by way of Graph. FACTS §3, §4.
//!
//! `call` sends and judges answers (`fault`), `wire` reads JSON, `map` and `recurrence` are the translations, `fetch`
//! reads events whole, `delta` lists, `put` and `series` write, `busy` and `watch` are the rest.
//!
//! Left out: `findMeetingTimes` (advice, no list of slots), attachments, calendars that others shared without putting
//! them among the account's own.

mod busy;
mod call;
mod delta;
mod fault;
mod fetch;
mod map;
mod put;
mod recurrence;
mod series;
mod watch;
mod wire;
mod zone;

use serde_json::Value;

use super::oauth::NOT_LISTED;
use super::{
    Account, Answer, Busy, Caps, Fault, From, Hook, Identity, Item, Listed, OAuthSpec, Page, Place,
    Placed, Provider, Put, Read, Refusal, Watch,
};
use crate::model::bridge::GuestPolicy;
use call::{get, own_link};

/// FACTS §3. There is no call that takes consent back.
pub static OAUTH: OAuthSpec = OAuthSpec {
    scopes: &[
        ("openid", NOT_LISTED),
        ("email", NOT_LISTED),
        ("offline_access", NOT_LISTED),
        ("https://graph.microsoft.com/Calendars.ReadWrite", ""),
        (
            "https://graph.microsoft.com/MailboxSettings.Read",
            "calendars do not tell their time zone: floating times are sent as UTC",
        ),
    ],
    authorize: &[("response_mode", "query"), ("prompt", "select_account")],
    consent_page: "https://account.microsoft.com/privacy/app-access",
    admin_consent: "v2.0/adminconsent",
    short_lived: None,
};

/// Graph serves four requests of one mailbox at a time (FACTS §4.8).
const CAPS: Caps = Caps {
    writes: true,
    watches: true,
    busy: true,
    concurrency: 3,
    least_interval: 60,
    interval: 15 * 60,
};

/// The provider. All that it needs comes with each call.
pub struct Microsoft;

impl Provider for Microsoft {
    fn caps(&self) -> Caps {
        CAPS
    }

    fn identity<'a>(&'a self, account: &'a Account) -> Answer<'a, Result<Identity, Fault>> {
        Box::pin(identity(account))
    }

    fn calendars<'a>(&'a self, account: &'a Account) -> Answer<'a, Result<Vec<Listed>, Fault>> {
        Box::pin(calendars(account))
    }

    fn changes<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        from: From<'a>,
    ) -> Answer<'a, Result<Page, Fault>> {
        Box::pin(delta::changes(account, place, from))
    }

    fn get<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        id: &'a str,
    ) -> Answer<'a, Result<Option<Vec<Item>>, Fault>> {
        Box::pin(fetch::whole(account, place, id))
    }

    fn put<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        put: Put<'a>,
    ) -> Answer<'a, Result<Placed, Fault>> {
        Box::pin(async move { put::put(account, place, &put).await })
    }

    fn delete<'a>(
        &'a self,
        account: &'a Account,
        _place: &'a Place,
        items: &'a [Item],
        guests: GuestPolicy,
    ) -> Answer<'a, Result<(), Fault>> {
        Box::pin(put::delete(account, items, guests))
    }

    fn busy<'a>(
        &'a self,
        account: &'a Account,
        calendars: &'a [String],
        range: (i64, i64),
    ) -> Answer<'a, Result<Vec<(String, Result<Vec<Busy>, Fault>)>, Fault>> {
        Box::pin(busy::busy(account, calendars, range))
    }

    fn watch<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        hook: &'a Hook<'a>,
    ) -> Answer<'a, Result<Watch, Fault>> {
        Box::pin(watch::watch(account, place, hook))
    }

    fn renew<'a>(
        &'a self,
        account: &'a Account,
        watch: &'a Watch,
        life: i64,
    ) -> Answer<'a, Result<Option<Watch>, Fault>> {
        Box::pin(watch::renew(account, watch, life))
    }

    fn unwatch<'a>(
        &'a self,
        account: &'a Account,
        watch: &'a Watch,
    ) -> Answer<'a, Result<(), Fault>> {
        Box::pin(watch::unwatch(account, &watch.id))
    }

    fn read(&self, _place: &Place, account: &str, items: &[Item]) -> Result<Read, Refusal> {
        map::read::read(account, items)
    }
}

/// OpenID's answer where it is configured: it needs no scope beside `openid`. `sub` and `/me`'s `id` are different
/// names, so it is always the same one of the two that is asked.
async fn identity(account: &Account) -> Result<Identity, Fault> {
    let userinfo = &account.endpoints.userinfo;
    let (address, id, labels): (_, _, &[&str]) = if userinfo.is_empty() {
        let me = call::address(account, "me");
        let me = call::odata(&me, &[("$select", "id,mail,userPrincipalName")]);
        (me, "id", &["mail", "userPrincipalName"])
    } else {
        let labels: &[&str] = &["email", "preferred_username", "name"];
        (super::address::Address::new(userinfo), "sub", labels)
    };
    let answer = get(account, &address).await?;
    let id = wire::text(&answer, id);
    if id.is_empty() {
        return Err(Fault::Transient(
            "Microsoft's answer names no account".into(),
        ));
    }
    let mut labels = labels.iter().map(|key| wire::text(&answer, key));
    Ok(Identity {
        account: id.to_owned(),
        label: labels
            .find(|label| !label.is_empty())
            .unwrap_or(id)
            .to_owned(),
    })
}

async fn calendars(account: &Account) -> Result<Vec<Listed>, Fault> {
    let zone = mailbox_zone(account).await?;
    let mut found = Vec::new();
    let mut next = call::address(account, "me/calendars");
    loop {
        let answer = call::page(account, &next, 100).await?;
        found.extend(
            wire::list(&answer, "value")
                .iter()
                .filter_map(|calendar| listed(calendar, &zone)),
        );
        match wire::text(&answer, "@odata.nextLink") {
            "" => return Ok(found),
            link => next = own_link(account, link)?,
        }
    }
}

/// IANA name, or empty when we may not know.
async fn mailbox_zone(account: &Account) -> Result<String, Fault> {
    let address = call::address(account, "me/mailboxSettings");
    match get(account, &address).await {
        Ok(answer) => {
            let wall = zone::Wall::named(wire::text(&answer, "timeZone"));
            Ok(wall.map(|wall| wall.name).unwrap_or_default())
        }
        Err(fault @ (Fault::Throttled(_) | Fault::Transient(_) | Fault::Revoked(_))) => Err(fault),
        Err(_) => Ok(String::new()),
    }
}

/// `color` names and what Outlook shows for them.
const COLORS: &[(&str, &str)] = &[
    ("lightBlue", "#A6D1F5"),
    ("lightGreen", "#87D28E"),
    ("lightOrange", "#FCC06A"),
    ("lightGray", "#B3B9BE"),
    ("lightYellow", "#E7E78F"),
    ("lightTeal", "#4ADACC"),
    ("lightPink", "#E8A4C9"),
    ("lightBrown", "#CDA28E"),
    ("lightRed", "#FF8888"),
];

fn listed(calendar: &Value, zone: &str) -> Option<Listed> {
    let id = wire::id(calendar)?;
    let hex = wire::text(calendar, "hexColor");
    let named = COLORS
        .iter()
        .find(|(name, _)| *name == wire::text(calendar, "color"));
    let color = match named {
        _ if !hex.is_empty() => hex,
        Some((_, color)) => color,
        None => "",
    };
    Some(Listed {
        remote_id: id.to_owned(),
        name: wire::text(calendar, "name").to_owned(),
        color: color.to_ascii_uppercase(),
        zone: zone.to_owned(),
        writable: wire::flag(calendar, "canEdit").unwrap_or(false),
        primary: wire::flag(calendar, "isDefaultCalendar").unwrap_or(false),
        extra: extra_of(calendar),
    })
}

/// What later calls want to know: who owns it, and which meetings it can make.
fn extra_of(calendar: &Value) -> String {
    serde_json::json!({
        "owner": wire::text(calendar, "owner.address"),
        "online": wire::texts(calendar, "allowedOnlineMeetingProviders").collect::<Vec<_>>(),
        "default": wire::text(calendar, "defaultOnlineMeetingProvider"),
    })
    .to_string()
}

#[cfg(test)]
mod tests;
