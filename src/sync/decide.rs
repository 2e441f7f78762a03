//! Both sides of one event compared with what they last agreed on, and what is to be done about it. Reads nothing and
//! writes nothing.

use super::Cause;
use super::outgoing::outgoing;
use super::plan::{Act, Change, Policy, plan};
use super::run::Run;
use super::sheet::to_item;
use super::texts::{asks_conference, hash, title, with_uid};
use super::wording::frozen;
use crate::model::bridge::Direction;
use crate::model::{Result, StoredObject};
use crate::remote::{Item, Loss, Read, Refusal};
use crate::store::bridges::{Unit, items, units};
use crate::store::{Tx, objects};

/// One event of the queue, as it is on both sides.
pub struct Event {
    pub unit: Unit,
    pub items: Vec<Item>,
    pub ours: Option<StoredObject>,
}

/// What theirs says, under our UID.
#[derive(Clone, Debug)]
pub struct Theirs {
    pub text: Vec<u8>,
    pub hash: String,
    pub losses: Vec<Loss>,
    pub ours_to_edit: bool,
    /// It is a mirror that this link made.
    pub is_mirror: bool,
}

/// What to do, with all that is needed for it.
pub struct Decision {
    pub event: Event,
    pub theirs: Option<Theirs>,
    pub act: Act,
    pub changes: (Change, Change),
    /// What is to be told there, for [`Act::Create`] and [`Act::Update`].
    pub told: Option<Vec<u8>>,
    /// An edit of ours that makes no difference there.
    pub same_there: bool,
}

/// A step that a run would take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub uid: String,
    pub title: String,
    pub act: Act,
    /// Why nothing can be done about it.
    pub refused: Option<String>,
}

/// The next events of the queue.
pub async fn load(run: &Run, after: String, limit: i64) -> Result<Vec<Event>> {
    let (link, calendar, now) = (run.link.id, run.link.calendar, run.now());
    run.bridge
        .store
        .read(move |tx| {
            Box::pin(async move {
                let queue = units::queue(tx, link, now, &after, limit).await?;
                events(tx, link, calendar, queue).await
            })
        })
        .await
}

/// Units with both their sides.
pub async fn events(
    tx: &mut Tx<'_>,
    link: crate::model::LinkId,
    calendar: crate::model::CalendarId,
    queue: Vec<Unit>,
) -> Result<Vec<Event>> {
    let uids: Vec<&str> = queue.iter().map(|unit| unit.uid.as_str()).collect();
    let mut rows = items::of_units(tx, link, &uids)
        .await?
        .into_iter()
        .peekable();
    let mut ours = objects::with_uids(tx, calendar, &uids)
        .await?
        .into_iter()
        .peekable();
    let mut events = Vec::with_capacity(queue.len());
    // Both come in the order of the UIDs asked for.
    for unit in &queue {
        let mut items = Vec::new();
        while let Some(row) = rows.next_if(|row| row.uid == unit.uid) {
            items.push(to_item(&row));
        }
        let found = ours.next_if(|object| object.member.uid == unit.uid);
        events.push(Event {
            unit: unit.clone(),
            items,
            ours: found.filter(|object| object.member.component == "VEVENT"),
        });
    }
    Ok(events)
}

/// What the resources of one event say, under our UID; none: nothing that a calendar shows.
pub fn read(run: &Run, uid: &str, items: &[Item]) -> Result<Option<Theirs>, Refusal> {
    if items.is_empty() {
        return Ok(None);
    }
    let reading = match run.provider.read(&run.place, &run.account.label, items)? {
        Read::Nothing => return Ok(None),
        Read::Event(reading) => reading,
    };
    let text = with_uid(&reading.text, uid);
    let link = run.link.id.to_string();
    Ok(Some(Theirs {
        hash: hash(&text),
        text,
        losses: reading.losses,
        ours_to_edit: reading.ours_to_edit,
        is_mirror: reading
            .marker
            .is_some_and(|m| m.instance == run.bridge.instance && m.link == link),
    }))
}

/// What is to be done about an event.
///
/// # Errors
/// When theirs cannot be said in iCalendar.
pub fn decide(run: &Run, event: Event) -> Result<Decision, Box<(Event, Refusal)>> {
    let mut theirs = match read(run, &event.unit.uid, &event.items) {
        Ok(theirs) => theirs,
        Err(refusal) => return Err(Box::new((event, refusal))),
    };
    let mirror = is_mirror(run, theirs.as_ref());
    if let Some(theirs) = theirs.as_mut().filter(|_| mirror) {
        keep_wording(run, &event.unit, theirs);
    }
    let changes = (ours_change(&event), theirs_change(&event, theirs.as_ref()));
    let told = match &event.ours {
        Some(ours) if run.pushes() => outgoing(&ours.body, &event.unit.uid, &run.telling(), mirror),
        _ => None,
    };
    let policy = policy(run, &event, theirs.as_ref(), told.is_some());
    let mut act = plan(changes.0, changes.1, &policy);
    let same_there =
        act == Act::Update && says_the_same(run, &event, changes, told.as_deref(), mirror);
    if same_there {
        act = Act::Nothing;
    }
    Ok(Decision {
        event,
        theirs,
        act,
        changes,
        told,
        same_there,
    })
}

/// Whether what is there began here. Where changes travel one way only, everything that we know there did.
fn is_mirror(run: &Run, theirs: Option<&Theirs>) -> bool {
    run.link.direction != Direction::Both || theirs.is_none_or(|theirs| theirs.is_mirror)
}

/// What the link's templates make there is ours: a change of it is no change of the event.
fn keep_wording(run: &Run, unit: &Unit, theirs: &mut Theirs) {
    let made = run.telling().wording.made();
    let (Some(base), false) = (&unit.base_theirs, made.is_empty()) else {
        return;
    };
    if run.link.direction == Direction::Both {
        theirs.text = frozen(&theirs.text, base, &made);
        theirs.hash = hash(&theirs.text);
    }
}

fn ours_change(event: &Event) -> Change {
    match (&event.ours, &event.unit.base_ours) {
        (Some(ours), Some(_)) if ours.member.etag.0 == event.unit.ours_etag => Change::Same,
        (Some(_), Some(_)) => Change::Edited,
        (Some(_), None) => Change::New,
        (None, Some(_)) => Change::Gone,
        (None, None) => Change::Absent,
    }
}

fn theirs_change(event: &Event, theirs: Option<&Theirs>) -> Change {
    match (theirs, &event.unit.base_theirs) {
        (Some(theirs), Some(_)) if theirs.hash == event.unit.theirs_hash => Change::Same,
        (Some(_), Some(_)) => Change::Edited,
        (Some(_), None) => Change::New,
        (None, Some(_)) => Change::Gone,
        (None, None) => Change::Absent,
    }
}

fn policy(run: &Run, event: &Event, theirs: Option<&Theirs>, tells: bool) -> Policy {
    let unwanted = event.unit.wanted == Some(false);
    let silent = event.ours.is_some() && !tells;
    // What began there is not taken away there because of what we do not tell.
    let ours_to_hide = match run.link.direction {
        Direction::Both => theirs.is_none_or(|theirs| theirs.is_mirror),
        _ => true,
    };
    Policy {
        direction: run.link.direction,
        creates: run.link.auto_create && !unwanted || event.unit.wanted == Some(true),
        updates: run.link.auto_update || run.cause == Cause::Asked,
        hidden: (silent || unwanted) && ours_to_hide,
    }
}

/// Whether an edit of ours makes no difference there: bookkeeping, or fields that this link does not tell.
fn says_the_same(
    run: &Run,
    event: &Event,
    changes: (Change, Change),
    told: Option<&[u8]>,
    mirror: bool,
) -> bool {
    // An empty tag: the link tells things otherwise since then.
    if changes != (Change::Edited, Change::Same) || event.unit.ours_etag.is_empty() {
        return false;
    }
    let before = event
        .unit
        .base_ours
        .as_deref()
        .and_then(|base| outgoing(base, &event.unit.uid, &run.telling(), mirror));
    match (before, told) {
        (Some(before), Some(now)) => hash(&before) == hash(now) && !asks_conference(now),
        _ => false,
    }
}

impl Decision {
    pub fn planned(&self) -> Planned {
        let ours = self.event.ours.as_ref().map(|ours| ours.body.as_slice());
        let theirs = self.theirs.as_ref().map(|theirs| theirs.text.as_slice());
        Planned {
            uid: self.event.unit.uid.clone(),
            title: ours.or(theirs).map(title).unwrap_or_default(),
            act: self.act,
            refused: None,
        }
    }
}
