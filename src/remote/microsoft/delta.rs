//! What changed in a calendar: `calendarView/delta` as a signal, and a listing of everything. FACTS §4.3.
//!
//! *Everything* begins with the delta's first round, whose answers are thrown away, and only then lists `/events`: what
//! changes in between is in the next delta. *Changes* collects the ids that a delta names, whatever it says of them,
//! and reads each event. Its window is part of the token: when it is a month old, everything is listed anew.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::{self, get_all, odata, own_link, page};
use super::fetch::{self, alone, item};
use super::map::extra;
use super::wire::{self, Kind};
use crate::ical::rrule::civil::DAY;
use crate::remote::address::Address;
use crate::remote::{Account, Change, Fault, From, Next, Page, Place};

/// The window of a delta.
const BACK: i64 = 90 * DAY;
const AHEAD: i64 = 400 * DAY;

/// The age at which a window is made anew.
const OLD: i64 = 30 * DAY;

/// Events a page of a listing, occurrences a page of a delta.
const LISTED: usize = 100;
const SIGNALS: usize = 200;

/// Where a listing stands; what a cursor and a page are made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    stage: Stage,
    /// When the window was made.
    rooted: i64,
    /// The next page, or the deltaLink of a cursor.
    link: String,
    /// While listing: the deltaLink for its end.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    delta: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stage {
    /// The first round of a delta.
    Root,
    List,
    Delta,
}

impl State {
    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Result<State, Fault> {
        serde_json::from_slice(bytes).map_err(|_| Fault::CursorGone)
    }
}

pub async fn changes(account: &Account, place: &Place, from: From<'_>) -> Result<Page, Fault> {
    let now = account.clock.now();
    let state = match from {
        From::Start => State {
            stage: Stage::Root,
            rooted: now,
            link: root(account, place, now).as_str().to_owned(),
            delta: String::new(),
        },
        From::Cursor(bytes) | From::Page(bytes) => State::read(bytes)?,
    };
    match state.stage {
        Stage::Root => first_round(account, place, state).await,
        Stage::List => list(account, place, state).await,
        Stage::Delta if now - state.rooted > OLD => Err(Fault::CursorGone),
        Stage::Delta => signals(account, place, state).await,
    }
}

fn root(account: &Account, place: &Place, now: i64) -> Address {
    let day = now.div_euclid(DAY) * DAY;
    odata(
        &call::calendar(account, &place.remote_id, "calendarView").path("delta"),
        &[
            ("startDateTime", &wire::print_instant(day - BACK)),
            ("endDateTime", &wire::print_instant(day + AHEAD)),
        ],
    )
}

/// A page of a delta: its items, and the state that follows. Reset (FACTS §4.3): 410 or a code that says so.
async fn delta_page(account: &Account, state: &State) -> Result<(Value, State, bool), Fault> {
    let link = own_link(account, &state.link)?;
    let answer = page(account, &link, SIGNALS).await?;
    let next = wire::text(&answer, "@odata.nextLink");
    let end = wire::text(&answer, "@odata.deltaLink");
    let (link, done) = match (next, end) {
        ("", "") => return Err(Fault::CursorGone),
        ("", end) => (end, true),
        (next, _) => (next, false),
    };
    let state = State {
        link: link.to_owned(),
        ..state.clone()
    };
    Ok((answer, state, done))
}

async fn first_round(account: &Account, place: &Place, state: State) -> Result<Page, Fault> {
    let (_, mut state, done) = delta_page(account, &state).await?;
    if done {
        state.stage = Stage::List;
        state.delta = std::mem::replace(
            &mut state.link,
            fetch::listing(account, place).as_str().to_owned(),
        );
    }
    Ok(Page {
        changes: Vec::new(),
        next: Next::Page(state.bytes()),
    })
}

async fn list(account: &Account, place: &Place, state: State) -> Result<Page, Fault> {
    let link = own_link(account, &state.link)?;
    let answer = page(account, &link, LISTED).await?;
    let mut seen = Seen::default();
    for doc in wire::list(&answer, "value") {
        seen.take(doc);
    }
    let changes = seen.changes(account, place).await?;
    let next = match wire::text(&answer, "@odata.nextLink") {
        "" => Next::Done(Some(
            State {
                stage: Stage::Delta,
                rooted: state.rooted,
                link: state.delta,
                delta: String::new(),
            }
            .bytes(),
        )),
        link => Next::Page(
            State {
                link: link.to_owned(),
                ..state
            }
            .bytes(),
        ),
    };
    Ok(Page { changes, next })
}

async fn signals(account: &Account, place: &Place, state: State) -> Result<Page, Fault> {
    let (answer, state, done) = delta_page(account, &state).await?;
    let mut named = Named::default();
    for stub in wire::list(&answer, "value") {
        named.take(stub);
    }
    let changes = named.changes(account, place).await?;
    let bytes = state.bytes();
    Ok(Page {
        changes,
        next: if done {
            Next::Done(Some(bytes))
        } else {
            Next::Page(bytes)
        },
    })
}

/// Events that were read alone, on their way to be whole.
#[derive(Default)]
struct Seen {
    changes: Vec<Change>,
    masters: BTreeSet<String>,
}

impl Seen {
    fn take(&mut self, doc: &Value) {
        let Some(id) = wire::id(doc) else {
            return;
        };
        match wire::kind(doc) {
            Kind::Master => {
                self.masters.insert(id.to_owned());
            }
            Kind::Single => match extra::part(doc) {
                Some((_, series)) => self.changes.push(Change::Part(item(doc, Some(&series)))),
                None => self.changes.push(Change::Whole(vec![item(doc, None)])),
            },
            Kind::Exception | Kind::Occurrence => match wire::text(doc, "seriesMasterId") {
                "" => self.changes.push(Change::Whole(vec![item(doc, None)])),
                master => {
                    self.masters.insert(master.to_owned());
                }
            },
        }
    }

    /// With each series read once.
    async fn changes(mut self, account: &Account, place: &Place) -> Result<Vec<Change>, Fault> {
        let found = fetch::all_series(account, place, &self.masters).await?;
        self.changes
            .extend(found.into_iter().map(|(id, items)| match items {
                Some(items) => Change::Whole(items),
                None => Change::Gone(id),
            }));
        Ok(self.changes)
    }
}

/// What a page of a delta names.
#[derive(Default)]
struct Named {
    /// Events to be read, whatever they are.
    ids: BTreeSet<String>,
    masters: BTreeSet<String>,
}

impl Named {
    /// A stub tells no more than which event it is of (FACTS §4.3).
    fn take(&mut self, stub: &Value) {
        let Some(id) = wire::id(stub) else {
            return;
        };
        let removed = stub.get("@removed").is_some();
        let master = wire::text(stub, "seriesMasterId");
        match wire::kind(stub) {
            Kind::Occurrence | Kind::Exception if !removed && !master.is_empty() => {
                self.masters.insert(master.to_owned());
            }
            Kind::Master if !removed => {
                self.masters.insert(id.to_owned());
            }
            _ => {
                self.ids.insert(id.to_owned());
            }
        }
    }

    async fn changes(self, account: &Account, place: &Place) -> Result<Vec<Change>, Fault> {
        let ids: Vec<String> = self.ids.difference(&self.masters).cloned().collect();
        let addresses: Vec<Address> = ids.iter().map(|id| alone(account, place, id)).collect();
        let mut seen = Seen {
            changes: Vec::new(),
            masters: self.masters,
        };
        for (id, answer) in ids.into_iter().zip(get_all(account, &addresses).await?) {
            match answer {
                Ok(doc) => seen.take(&doc),
                // Only this is a deletion; `@removed` alone may be an event outside of the window.
                Err(Fault::NotFound) => seen.changes.push(Change::Gone(id)),
                // One event that cannot be read does not hold up the others.
                Err(Fault::Refused(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        seen.changes(account, place).await
    }
}
