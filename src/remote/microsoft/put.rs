//! Making an event be as we want it, with as few and as small writes as that takes. FACTS §4.4, §8.
//!
//! *Mail.* A write to an event with guests mails them, and there is no switch: without `guests == Send` it is refused,
//! and attendees are in no request. *Somebody else's event.* Only our answer, reminders, free/busy and categories are
//! ours to change. *Twice.* A create carries its transaction id; what an earlier attempt left is found and brought up
//! to date.

use http::Method;
use serde_json::{Value, json};

use super::call::{self, get, get_html, odata, write};
use super::fault::DUPLICATE_TRANSACTION;
use super::fetch::{self, item};
use super::map::diff::{self, diff};
use super::map::write::{Wanted, wanted};
use super::map::{body, extra};
use super::series;
use super::wire::{self, Doc, Kind};
use crate::model::bridge::GuestPolicy;
use crate::remote::{Account, Fault, Item, Loss, Place, Placed, Put, Refusal};

pub async fn put(account: &Account, place: &Place, put: &Put<'_>) -> Result<Placed, Fault> {
    let mut wanted = wanted(place, put)?;
    let Some(known) = put.known.first() else {
        return create(account, place, put, wanted).await;
    };
    let there: Value = serde_json::from_slice(&known.doc)
        .map_err(|_| Fault::Transient("what is known of the event cannot be read".into()))?;
    if wire::flag(&there, "isOrganizer") == Some(false) {
        return attend(account, place, put, wanted, &there).await;
    }
    let mut changes = diff(&wanted.master, &there);
    refuse_mail(put, &changes, &wanted)?;
    let mut items = put.known.to_vec();
    let mut written = false;
    if !changes.is_empty() {
        keep_meeting(account, &there, &mut changes, &mut wanted.losses).await?;
    }
    if !changes.is_empty() {
        items = change(account, place, put, changes, &there).await?;
        written = true;
    }
    if let Some(wish) = &wanted.series {
        let steps = series::plan(wish, &wanted.master, &items);
        if !steps.is_empty() {
            items = series::perform(account, place, put, steps, &items, written).await?;
        }
    }
    Ok(Placed {
        items,
        losses: wanted.losses,
    })
}

/// A write that would mail people is not made unless that is wanted.
fn refuse_mail(put: &Put<'_>, changes: &Doc, wanted: &Wanted) -> Result<(), Refusal> {
    let idle = changes.is_empty()
        && wanted
            .series
            .as_ref()
            .is_none_or(|wish| series::plan(wish, &wanted.master, put.known).is_empty());
    let silent = put.guests == GuestPolicy::Send || !has_guests(put.known) || idle;
    if silent {
        return Ok(());
    }
    Err(mails())
}

fn has_guests(items: &[Item]) -> bool {
    items.iter().any(|item| {
        let doc: Value = serde_json::from_slice(&item.doc).unwrap_or(Value::Null);
        !wire::list(&doc, "attendees").is_empty()
    })
}

/// Does the account organise it?
fn is_ours(items: &[Item]) -> bool {
    items.first().is_none_or(|master| {
        let doc: Value = serde_json::from_slice(&master.doc).unwrap_or(Value::Null);
        wire::flag(&doc, "isOrganizer") != Some(false)
    })
}

fn mails() -> Refusal {
    Refusal::new(
        "guests",
        "it has guests there, and Microsoft mails them about every change: allow that for this link, or change it there",
    )
}

/// The body of an online meeting holds the way into it: our text goes in front of that, or stays here.
async fn keep_meeting(
    account: &Account,
    there: &Value,
    changes: &mut Doc,
    losses: &mut Vec<Loss>,
) -> Result<(), Fault> {
    let Some(wish) = changes.get("body").filter(|_| diff::is_online(there)) else {
        return Ok(());
    };
    let text = wire::text(wish, "content").to_owned();
    let address = odata(
        &call::event(account, wire::text(there, "id")),
        &[("$select", "id,body")],
    );
    let stored = get_html(account, &address).await?;
    match body::around_meeting(&text, wire::text(&stored, "body.content")) {
        Some(body) => {
            changes.insert("body".into(), body);
        }
        None => {
            changes.remove("body");
            losses.push(Loss {
                rid: None,
                property: "DESCRIPTION".into(),
                what: "it stays as it is there, because it holds the way into the online meeting"
                    .into(),
            });
        }
    }
    Ok(())
}

/// Changes the master or single event; what belongs to it then.
async fn change(
    account: &Account,
    place: &Place,
    put: &Put<'_>,
    changes: Doc,
    there: &Value,
) -> Result<Vec<Item>, Fault> {
    let id = wire::text(there, "id");
    let stamp = put.known.first().map_or("", |item| item.stamp.as_str());
    let address = call::event(account, id);
    let sent = Value::Object(changes);
    let mut doc = write(account, Method::PATCH, &address, stamp, Some(&sent)).await?;
    if wire::kind(there) == Kind::Master || wire::kind(&doc) == Kind::Master {
        // Exceptions inherit what the master says, or are gone.
        return fetch::series(account, place, id)
            .await?
            .ok_or(Fault::NotFound);
    }
    for known in [there, &sent] {
        keep_extra(&mut doc, known);
    }
    Ok(vec![item(&doc, None)])
}

/// Graph's answers to writes leave extended properties out: those that are known are put back.
fn keep_extra(doc: &mut Value, known: &Value) {
    for property in wire::list(known, extra::KEY) {
        extra::set(
            doc,
            wire::text(property, "id"),
            wire::text(property, "value"),
        );
    }
}

async fn create(
    account: &Account,
    place: &Place,
    put: &Put<'_>,
    wanted: Wanted,
) -> Result<Placed, Fault> {
    let mut sent = wanted.master.clone();
    sent.retain(|_, value| !value.is_null());
    sent.insert("transactionId".into(), json!(put.key));
    let doc = post(account, place, put, &Value::Object(sent)).await?;
    let mut items = vec![item(&doc, None)];
    let mut written = true;
    // An earlier attempt may have made it from an older text.
    let changes = diff(&wanted.master, &doc);
    if !changes.is_empty() {
        let again = Put {
            known: &items.clone(),
            ..*put
        };
        items = change(account, place, &again, changes, &doc).await?;
    } else if let Some(wish) = &wanted.series
        && !wish.instances.is_empty()
    {
        let id = wire::text(&doc, "id");
        items = fetch::series(account, place, id)
            .await?
            .ok_or(Fault::NotFound)?;
    } else {
        written = false;
    }
    if let Some(wish) = &wanted.series {
        let steps = series::plan(wish, &wanted.master, &items);
        if !steps.is_empty() {
            items = series::perform(account, place, put, steps, &items, written).await?;
        }
    }
    Ok(Placed {
        items,
        losses: wanted.losses,
    })
}

/// POSTs an event. A transaction that was there already is answered with its event, or found by its marker.
async fn post(
    account: &Account,
    place: &Place,
    put: &Put<'_>,
    sent: &Value,
) -> Result<Value, Fault> {
    let address = call::calendar(account, &place.remote_id, "events");
    match write(account, Method::POST, &address, "", Some(sent)).await {
        Ok(mut doc) if wire::id(&doc).is_some() => {
            keep_extra(&mut doc, sent);
            Ok(doc)
        }
        Ok(_) => Err(Fault::OutcomeUnknown(
            "Microsoft's answer names no event".into(),
        )),
        Err(failure) if failure.code == DUPLICATE_TRANSACTION || failure.status == 409 => {
            let marker = put.marker.print();
            let found = find(account, place, extra::MARKER, &marker, put.key).await?;
            found.ok_or(failure.fault)
        }
        Err(failure) => Err(failure.fault),
    }
}

/// The event with this extended property; of several the one of this transaction.
pub async fn find(
    account: &Account,
    place: &Place,
    id: &str,
    value: &str,
    key: &str,
) -> Result<Option<Value>, Fault> {
    let address = odata(
        &fetch::listing(account, place),
        &[("$filter", &extra::filter(id, value))],
    );
    let answer = get(account, &address).await?;
    let mut found: Vec<&Value> = wire::list(&answer, "value")
        .iter()
        .filter(|doc| extra::get(doc, id).is_none_or(|has| has == value))
        // A single event that stands for an instance has the marker of its series too.
        .filter(|doc| id == extra::PART || extra::part(doc).is_none())
        .collect();
    found.sort_by_key(|doc| wire::text(doc, "transactionId") != key);
    Ok(found.first().map(|doc| (*doc).clone()))
}

/// Our answer to somebody else's invitation, and what of their event is ours.
async fn attend(
    account: &Account,
    place: &Place,
    put: &Put<'_>,
    wanted: Wanted,
    there: &Value,
) -> Result<Placed, Fault> {
    let changes = diff(&wanted.master, there);
    // Guests and our own answer among them are the organiser's list.
    let theirs = changes
        .keys()
        .any(|key| !diff::PRIVATE.contains(&key.as_str()) && key != "attendees");
    let moved = wanted
        .series
        .as_ref()
        .is_some_and(|wish| !series::plan(wish, &wanted.master, put.known).is_empty());
    if theirs || moved {
        return Err(Refusal::new(
            "not-organizer",
            "somebody else organises it: only reminders, free/busy and categories can be changed, and your answer given",
        )
        .into());
    }
    let changes: Doc = changes
        .into_iter()
        .filter(|(key, _)| diff::PRIVATE.contains(&key.as_str()))
        .collect();
    let mut items = put.known.to_vec();
    if !changes.is_empty() {
        items = change(account, place, put, changes, there).await?;
    }
    if let Some(answer) = put.respond.and_then(action) {
        respond(account, put, wire::text(there, "id"), answer).await?;
        let id = wire::text(there, "id");
        items = fetch::whole(account, place, id)
            .await?
            .ok_or(Fault::NotFound)?;
    }
    Ok(Placed {
        items,
        losses: wanted.losses,
    })
}

/// PARTSTAT as a call. There is none for taking an answer back.
fn action(partstat: &str) -> Option<&'static str> {
    const ACTIONS: [(&str, &str); 3] = [
        ("ACCEPTED", "accept"),
        ("TENTATIVE", "tentativelyAccept"),
        ("DECLINED", "decline"),
    ];
    let found = ACTIONS
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(partstat.trim()));
    found.map(|(_, action)| *action)
}

/// The organiser hears of it only when mail is wanted.
async fn respond(account: &Account, put: &Put<'_>, id: &str, action: &str) -> Result<(), Fault> {
    let body = json!({"sendResponse": put.guests == GuestPolicy::Send});
    let address = call::event(account, id).path(action);
    match write(account, Method::POST, &address, "", Some(&body)).await {
        Ok(_) => Ok(()),
        Err(failure) => Err(failure.fault),
    }
}

/// Deletes an event and the single events that stand for its instances. Guests of our own events hear of it; taking
/// somebody else's invitation away tells nobody.
pub async fn delete(account: &Account, items: &[Item], guests: GuestPolicy) -> Result<(), Fault> {
    if guests == GuestPolicy::Never && is_ours(items) && has_guests(items) {
        return Err(mails().into());
    }
    for (n, item) in items.iter().enumerate() {
        let doc: Value = serde_json::from_slice(&item.doc).unwrap_or(Value::Null);
        if n > 0 && extra::part(&doc).is_none() {
            continue; // An exception goes with its series.
        }
        let stamp = if n == 0 { item.stamp.as_str() } else { "" };
        let address = call::event(account, &item.id);
        match write(account, Method::DELETE, &address, stamp, None).await {
            Ok(_) => {}
            Err(failure) => match failure.fault {
                Fault::NotFound => {}
                fault => return Err(fault),
            },
        }
    }
    Ok(())
}
