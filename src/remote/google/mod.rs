//! Google Calendar, API v3. FACTS §1 and §2; the discovery document.
//!
//! [`calls`] makes requests, `answers` and `fault` say what answers mean, `wire` reads their JSON, [`map`] is their
//! event ↔ our object, `put` runs the few requests that make an event be what it shall be. This file is the
//! [`Provider`].
//!
//! Left out: batches (each part counts for the quota, and bounded concurrency is as fast), `move`, `quickAdd`, `acl`.

mod answers;
mod calls;
mod fault;
mod map;
mod put;
#[cfg(test)]
mod tests;
mod wire;

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use super::{
    Account, Answer, Busy, Caps, Endpoints, Fault, From, Hook, Identity, Item, Listed, OAuthSpec,
    Page, Place, Placed, Provider, Put, Read, Refusal, Watch,
};
use crate::model::bridge::GuestPolicy;
use calls::{Listing, Sending};
use fault::Asked;

/// The provider.
pub struct Google;

/// Least scopes, FACTS §1: what each is for.
pub static OAUTH: OAuthSpec = OAuthSpec {
    scopes: &[
        ("openid", ""),
        ("email", "the account is shown without its address"),
        (
            "https://www.googleapis.com/auth/calendar.events",
            "no calendar can be linked: only busy times can be read",
        ),
        (
            "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
            "only the account's main calendar can be linked",
        ),
        (
            "https://www.googleapis.com/auth/calendar.freebusy",
            "busy times of calendars that are not linked stay unknown",
        ),
    ],
    authorize: &[
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("include_granted_scopes", "true"),
    ],
    consent_page: "https://myaccount.google.com/connections",
    admin_consent: "",
    short_lived: Some((
        7 * 86_400,
        "Google ends access after seven days while the application's publishing status is \"Testing\": if it lasted a \
         week, the operator has to publish the application (README, Google)",
    )),
};

/// Where Google is, unless the settings say otherwise.
pub fn endpoints() -> Endpoints {
    Endpoints {
        api: "https://www.googleapis.com/calendar/v3".into(),
        authorize: "https://accounts.google.com/o/oauth2/v2/auth".into(),
        token: "https://oauth2.googleapis.com/token".into(),
        userinfo: "https://openidconnect.googleapis.com/v1/userinfo".into(),
        revoke: "https://oauth2.googleapis.com/revoke".into(),
    }
}

const CAPS: Caps = Caps {
    writes: true,
    watches: true,
    busy: true,
    concurrency: 4,
    least_interval: 60,
    interval: 900,
};

/// Pages of one event's exceptions or of a calendar list: more than there can be.
const MOST_PAGES: usize = 100;

impl Provider for Google {
    fn caps(&self) -> Caps {
        CAPS
    }

    fn identity<'a>(&'a self, account: &'a Account) -> Answer<'a, Result<Identity, Fault>> {
        Box::pin(async move {
            let response = read(account, calls::userinfo(account)?, Asked::Reading).await?;
            answers::identity(&answers::object(&response)?)
        })
    }

    fn calendars<'a>(&'a self, account: &'a Account) -> Answer<'a, Result<Vec<Listed>, Fault>> {
        Box::pin(async move {
            match calendar_list(account).await {
                Err(Fault::MissingScope(_)) if !account.label.is_empty() => primary(account).await,
                other => other,
            }
        })
    }

    fn changes<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        from: From<'a>,
    ) -> Answer<'a, Result<Page, Fault>> {
        Box::pin(changes(account, place, from))
    }

    fn get<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        id: &'a str,
    ) -> Answer<'a, Result<Option<Vec<Item>>, Fault>> {
        Box::pin(get(account, place, id))
    }

    fn put<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        put: Put<'a>,
    ) -> Answer<'a, Result<Placed, Fault>> {
        Box::pin(put::run(account, place, put))
    }

    fn delete<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        items: &'a [Item],
        guests: GuestPolicy,
    ) -> Answer<'a, Result<(), Fault>> {
        Box::pin(delete(account, place, items, guests))
    }

    fn busy<'a>(
        &'a self,
        account: &'a Account,
        calendars: &'a [String],
        range: (i64, i64),
    ) -> Answer<'a, Result<Vec<(String, Result<Vec<Busy>, Fault>)>, Fault>> {
        Box::pin(busy(account, calendars, range))
    }

    fn watch<'a>(
        &'a self,
        account: &'a Account,
        place: &'a Place,
        hook: &'a Hook<'a>,
    ) -> Answer<'a, Result<Watch, Fault>> {
        Box::pin(watch(account, place, hook))
    }

    /// There is no renewal: a new channel is made before the old one ends (FACTS §2.6).
    fn renew<'a>(
        &'a self,
        _: &'a Account,
        _: &'a Watch,
        _: i64,
    ) -> Answer<'a, Result<Option<Watch>, Fault>> {
        Box::pin(async { Ok(None) })
    }

    fn unwatch<'a>(
        &'a self,
        account: &'a Account,
        watch: &'a Watch,
    ) -> Answer<'a, Result<(), Fault>> {
        Box::pin(async move {
            let response = account.ask(calls::stop(account, watch)?).await?;
            match response.status() {
                status if status.is_success() => Ok(()),
                StatusCode::NOT_FOUND => Ok(()),
                _ => Err(fault::of(account, &response, Asked::Reading)),
            }
        })
    }

    fn read(&self, place: &Place, account: &str, items: &[Item]) -> Result<Read, Refusal> {
        map::read(place, account, items)
    }
}

/// Sends a question; anything but success is a fault.
async fn read(
    account: &Account,
    request: Request<Bytes>,
    asked: Asked,
) -> Result<Response<Bytes>, Fault> {
    let response = account.ask(request).await?;
    if response.status().is_success() {
        return Ok(response);
    }
    Err(fault::of(account, &response, asked))
}

/// Sends a write; anything but success is a fault.
async fn write(account: &Account, request: Request<Bytes>) -> Result<Response<Bytes>, Fault> {
    let response = account.send(request).await?;
    if response.status().is_success() {
        return Ok(response);
    }
    Err(fault::of(account, &response, Asked::Writing))
}

async fn calendar_list(account: &Account) -> Result<Vec<Listed>, Fault> {
    let mut all = Vec::new();
    let mut page: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let request = calls::calendar_list(account, page.as_deref())?;
        let response = read(account, request, Asked::Reading).await?;
        let (listed, next) = answers::calendars(&answers::object(&response)?);
        all.extend(listed);
        match next {
            Some(next) => page = Some(next),
            None => return Ok(all),
        }
    }
    Err(endless())
}

/// The one calendar that the scope for events alone lets us name.
async fn primary(account: &Account) -> Result<Vec<Listed>, Fault> {
    let response = read(account, calls::primary(account)?, Asked::Reading).await?;
    let body = answers::object(&response)?;
    Ok(vec![answers::primary(&body, &account.label)])
}

fn endless() -> Fault {
    Fault::Transient("Google's listing does not end".into())
}

async fn changes(account: &Account, place: &Place, from: From<'_>) -> Result<Page, Fault> {
    let listing = match from {
        From::Start => Listing::default(),
        From::Cursor(cursor) | From::Page(cursor) => {
            answers::listing(cursor).ok_or(Fault::CursorGone)?
        }
    };
    match list(account, place, &listing).await {
        // A page that can not be had any more: from the start of the same increment (FACTS §2.2).
        Err(Fault::Refused(_)) if listing.page.is_some() && listing.sync.is_some() => {
            let again = Listing {
                page: None,
                ..listing
            };
            list(account, place, &again).await.map_err(dead)
        }
        other => other.map_err(|fault| match listing == Listing::default() {
            true => fault,
            false => dead(fault),
        }),
    }
}

/// A token that they refuse is as dead as one that they forgot.
fn dead(fault: Fault) -> Fault {
    match fault {
        Fault::Refused(_) => Fault::CursorGone,
        other => other,
    }
}

async fn list(account: &Account, place: &Place, listing: &Listing) -> Result<Page, Fault> {
    let request = calls::list(account, &place.remote_id, listing)?;
    let response = read(account, request, Asked::Listing).await?;
    Ok(answers::page(&answers::object(&response)?, listing))
}

/// A resource; none: it is gone.
async fn resource(account: &Account, place: &Place, id: &str) -> Result<Option<Item>, Fault> {
    let request = calls::get_event(account, &place.remote_id, id)?;
    match read(account, request, Asked::Reading).await {
        Ok(response) => Ok(answers::item(&answers::object(&response)?)),
        Err(Fault::NotFound) => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn is_cancelled(item: &Item) -> bool {
    wire::text(&wire::parse(&item.doc), "status") == "cancelled"
}

/// A master with its exceptions, or exceptions whose master we may not see: an invitation to single instances.
///
/// Exceptions are listed by the iCalUID that they share with their master: `instances` would give every occurrence.
async fn get(account: &Account, place: &Place, id: &str) -> Result<Option<Vec<Item>>, Fault> {
    let Some(master) = resource(account, place, id).await? else {
        let made = format!("{id}@google.com");
        let orphans = exceptions(account, place, id, &made).await?;
        return Ok(Some(orphans).filter(|all| !all.is_empty()));
    };
    if is_cancelled(&master) {
        return Ok(None);
    }
    let doc = wire::parse(&master.doc);
    let uid = wire::text(&doc, "iCalUID");
    if wire::list(&doc, "recurrence").is_empty() || uid.is_empty() {
        return Ok(Some(vec![master]));
    }
    let exceptions = exceptions(account, place, id, uid).await?;
    Ok(Some([vec![master], exceptions].concat()))
}

/// The exceptions of a series, cancelled ones included.
async fn exceptions(
    account: &Account,
    place: &Place,
    id: &str,
    uid: &str,
) -> Result<Vec<Item>, Fault> {
    let mut all = Vec::new();
    let mut page: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let request = calls::list_uid(account, &place.remote_id, uid, page.as_deref())?;
        let response = read(account, request, Asked::Reading).await?;
        let body = answers::object(&response)?;
        let items = wire::objects(&body, "items").filter_map(answers::item);
        all.extend(items.filter(|item| item.series.as_deref() == Some(id)));
        match answers::token(&body, "nextPageToken") {
            Some(next) => page = Some(next),
            None => return Ok(all),
        }
    }
    Err(endless())
}

/// Deletes by the master, so that no exception is left over. One changed exception stops it: its edit would be lost,
/// and the master's ETag does not tell.
async fn delete(
    account: &Account,
    place: &Place,
    items: &[Item],
    guests: GuestPolicy,
) -> Result<(), Fault> {
    let Some(master) = items.iter().find(|item| item.series.is_none()) else {
        for item in items.iter().filter(|item| !is_cancelled(item)) {
            delete_one(account, place, item, guests).await?;
        }
        return Ok(());
    };
    let doc = wire::parse(&master.doc);
    if !wire::list(&doc, "recurrence").is_empty() {
        let uid = wire::text(&doc, "iCalUID");
        let there = exceptions(account, place, &master.id, uid).await?;
        if there.iter().any(|item| !put::is_known(item, items)) {
            // … unless it is gone as a whole, which changed them, too
            return match resource(account, place, &master.id).await? {
                Some(there) if !is_cancelled(&there) => Err(Fault::Stale),
                _ => Ok(()),
            };
        }
    }
    delete_one(account, place, master, guests).await
}

async fn delete_one(
    account: &Account,
    place: &Place,
    item: &Item,
    guests: GuestPolicy,
) -> Result<(), Fault> {
    let how = Sending {
        guests,
        stamp: &item.stamp,
    };
    let request = calls::delete(account, &place.remote_id, &item.id, how)?;
    match write(account, request).await {
        Ok(_) | Err(Fault::NotFound) => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Asked in pieces that Google answers: so many calendars, so many days (FACTS §2.5). A calendar that is unknown in one
/// piece is unknown.
async fn busy(
    account: &Account,
    calendars: &[String],
    range: (i64, i64),
) -> Result<Vec<(String, Result<Vec<Busy>, Fault>)>, Fault> {
    let mut all = Vec::with_capacity(calendars.len());
    for some in calendars.chunks(calls::BUSY_CALENDARS) {
        let mut known: Vec<Result<Vec<Busy>, Fault>> = vec![Ok(Vec::new()); some.len()];
        let mut from = range.0;
        while from < range.1 {
            let to = range.1.min(from.saturating_add(calls::BUSY_SECONDS));
            let request = calls::free_busy(account, some, (from, to))?;
            let response = read(account, request, Asked::Reading).await?;
            let body = answers::object(&response)?;
            for (known, id) in known.iter_mut().zip(some) {
                match (known.as_mut(), answers::busy(&body, id)) {
                    (Ok(blocks), Ok(more)) => blocks.extend(more),
                    (Ok(_), Err(fault)) => *known = Err(fault),
                    (Err(_), _) => {}
                }
            }
            from = to;
        }
        all.extend(some.iter().cloned().zip(known));
    }
    Ok(all)
}

async fn watch(account: &Account, place: &Place, hook: &Hook<'_>) -> Result<Watch, Fault> {
    let request = calls::watch(account, &place.remote_id, hook)?;
    let response = account.send(request).await?;
    if response.status().is_success() {
        let expires = account.clock.now().saturating_add(hook.life);
        return answers::watch(&answers::object(&response)?, expires);
    }
    if fault::says(&response, "pushNotSupportedForRequestedResource") {
        return Err(Fault::Unsupported(
            "Google does not announce changes of this calendar: it is asked at intervals".into(),
        ));
    }
    Err(fault::of(account, &response, Asked::Writing))
}
