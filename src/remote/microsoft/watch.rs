//! Subscriptions to a calendar's events. FACTS §4.7.

use http::Method;
use serde_json::{Value, json};

use super::call::{self, get, own_link, write};
use super::wire;
use crate::remote::address::Address;
use crate::remote::{Account, Fault, Hook, Place, Watch};

/// Graph's longest life for events (10,080 minutes), with a margin for clocks.
const LONGEST: i64 = 10_070 * 60;

pub async fn watch(account: &Account, place: &Place, hook: &Hook<'_>) -> Result<Watch, Fault> {
    let resource = resource(place);
    let body = json!({
        "changeType": "created,updated,deleted",
        "notificationUrl": hook.url,
        "lifecycleNotificationUrl": hook.url,
        "resource": resource,
        "expirationDateTime": expires(account, hook.life),
        "clientState": hook.secret,
    });
    let address = call::address(account, "subscriptions");
    let failure = match write(account, Method::POST, &address, "", Some(&body)).await {
        Ok(answer) => return read(&answer),
        Err(failure) => failure,
    };
    // One of the same kind is there: a crash lost it. It is ours, so it makes room.
    if failure.status != 409 || !remove_twins(account, &resource).await? {
        return Err(failure.fault);
    }
    read(&write(account, Method::POST, &address, "", Some(&body)).await?)
}

/// As in an address: ids have characters that have to be encoded (FACTS §4.2).
fn resource(place: &Place) -> String {
    let path = Address::new("me/calendars")
        .segment(&place.remote_id)
        .path("events");
    path.as_str().to_owned()
}

pub async fn renew(account: &Account, watch: &Watch, life: i64) -> Result<Option<Watch>, Fault> {
    let body = json!({"expirationDateTime": expires(account, life)});
    let address = call::address(account, "subscriptions").segment(&watch.id);
    match write(account, Method::PATCH, &address, "", Some(&body)).await {
        Ok(answer) => read(&answer).map(Some),
        Err(failure) => match failure.fault {
            Fault::NotFound => Ok(None),
            fault => Err(fault),
        },
    }
}

pub async fn unwatch(account: &Account, id: &str) -> Result<(), Fault> {
    let address = call::address(account, "subscriptions").segment(id);
    match write(account, Method::DELETE, &address, "", None).await {
        Ok(_) => Ok(()),
        Err(failure) => match failure.fault {
            Fault::NotFound => Ok(()),
            fault => Err(fault),
        },
    }
}

fn expires(account: &Account, life: i64) -> String {
    wire::print_instant(account.clock.now() + life.clamp(60, LONGEST))
}

/// The answer's life counts, not the one that was asked for.
fn read(answer: &Value) -> Result<Watch, Fault> {
    let expires = wire::instant(wire::text(answer, "expirationDateTime"));
    match (wire::id(answer), expires) {
        (Some(id), Some(expires)) => Ok(Watch {
            id: id.to_owned(),
            resource: wire::text(answer, "resource").to_owned(),
            expires,
        }),
        _ => Err(Fault::Transient(
            "Microsoft's answer names no subscription".into(),
        )),
    }
}

/// Removes our application's subscriptions to the same calendar; whether there were any.
async fn remove_twins(account: &Account, resource: &str) -> Result<bool, Fault> {
    let mut next = call::address(account, "subscriptions");
    let mut removed = false;
    loop {
        let answer = get(account, &next).await?;
        for known in wire::list(&answer, "value") {
            let same = wire::text(known, "resource").trim_start_matches('/') == resource;
            if let Some(id) = wire::id(known).filter(|_| same) {
                unwatch(account, id).await?;
                removed = true;
            }
        }
        match wire::text(&answer, "@odata.nextLink") {
            "" => return Ok(removed),
            link => next = own_link(account, link)?,
        }
    }
}
