//! A provider made of memory: keeps calendars, stamps and a log of changes, stores exceptions as resources of their
//! own, cannot hold everything, and misbehaves as it is told.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::ical::tree::{Limits, Tree};
use crate::ical::write::{Patch, content_line};
use crate::model::bridge::GuestPolicy;
use crate::remote::*;

/// What may happen to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Fine,
    /// Nothing is done, and it says so.
    Before,
    Throttle,
    /// A write is done, and no answer comes.
    After,
    /// The process dies before the call reaches the other side.
    DieBefore,
    /// The process dies after the call was done there.
    DieAfter,
    /// Somebody changes the event just before.
    Touch,
    /// The cursor is refused.
    Expire,
}

/// One resource.
#[derive(Clone, Debug)]
pub struct Res {
    pub series: Option<String>,
    pub stamp: u64,
    pub doc: Vec<u8>,
}

#[derive(Default)]
pub struct Cal {
    pub items: BTreeMap<String, Res>,
    /// (number, id).
    log: Vec<(u64, String)>,
}

/// Says of each call, by its name, what becomes of it.
pub type Fates = Box<dyn FnMut(&str) -> Fate + Send>;

#[derive(Default)]
pub struct State {
    pub cals: HashMap<String, Cal>,
    seq: u64,
    /// Ids by the key of their creation, the deleted ones too.
    keys: HashMap<String, String>,
    epoch: u64,
    /// Draws the fate of the next call.
    pub fates: Option<Fates>,
    /// (id of the master, value) of what was changed just before a call.
    pub touched: Vec<(String, String)>,
    /// Calls by name.
    pub calls: Vec<String>,
    /// The bodies that were put.
    pub bodies: Vec<Vec<u8>>,
    pub page: usize,
    pub mails_guests: bool,
    pub refuses: Option<String>,
}

#[derive(Clone, Default)]
pub struct Remote {
    pub state: Arc<Mutex<State>>,
    pub died: Arc<tokio::sync::Notify>,
}

/// What this provider cannot hold.
const DROPPED: [&str; 2] = ["GEO", "COMMENT"];

impl Remote {
    pub fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap())
    }

    /// Draws a fate; dies if that is it.
    async fn fate(&self, call: &str) -> Fate {
        let fate = self.with(|state| {
            state.calls.push(call.to_string());
            state.fates.as_mut().map_or(Fate::Fine, |draw| draw(call))
        });
        if fate == Fate::DieBefore {
            self.die().await;
        }
        fate
    }

    async fn die(&self) {
        self.died.notify_one();
        std::future::pending::<()>().await;
    }

    async fn after<T>(&self, fate: Fate, answer: Result<T, Fault>) -> Result<T, Fault> {
        match fate {
            Fate::DieAfter => {
                self.die().await;
                answer
            }
            Fate::After => Err(Fault::OutcomeUnknown("no answer".into())),
            _ => answer,
        }
    }

    /// Writes sent so far.
    pub fn writes(&self) -> usize {
        self.with(|state| {
            let writes = ["put", "delete"];
            state
                .calls
                .iter()
                .filter(|call| writes.contains(&call.as_str()))
                .count()
        })
    }

    /// Every event of a calendar as one text, by the id of its master.
    pub fn events(&self, cal: &str) -> BTreeMap<String, Vec<u8>> {
        self.with(|state| {
            let cal = state.cals.entry(cal.into()).or_default();
            let masters = cal.items.iter().filter(|(_, res)| res.series.is_none());
            masters.map(|(id, _)| (id.clone(), cal.text(id))).collect()
        })
    }

    /// Changes an event as its owner would, there; its marker stays.
    pub fn edit(&self, cal: &str, id: &str, edit: impl FnOnce(&[u8]) -> Vec<u8>) {
        self.with(|state| {
            let text = state.cals.get(cal).unwrap().text(id);
            let text = edit(&text);
            state.store(cal, id, &text);
        });
    }

    pub fn delete(&self, cal: &str, id: &str) {
        self.with(|state| state.remove(cal, id));
    }

    /// Deletes an event that no listing has named yet: none ever will (RFC 6578 §3.5.2).
    pub fn vanish(&self, cal: &str, id: &str) {
        self.with(|state| {
            let cal = state.cals.entry(cal.into()).or_default();
            for item in cal.of(id) {
                cal.items.remove(&item.id);
                cal.log.retain(|(_, named)| *named != item.id);
            }
        });
    }

    /// Makes an event there.
    pub fn create(&self, cal: &str, text: &[u8]) -> String {
        self.with(|state| {
            let id = format!("t{}", state.seq + 1);
            state.store(cal, &id, text);
            id
        })
    }

    pub fn expire(&self) {
        self.with(|state| state.epoch += 1);
    }
}

impl Cal {
    fn text(&self, id: &str) -> Vec<u8> {
        let parts = self
            .items
            .iter()
            .filter(|(own, res)| *own == id || res.series.as_deref() == Some(id));
        let mut parts: Vec<_> = parts.collect();
        parts.sort_by_key(|(own, _)| *own != id);
        join(parts.into_iter().map(|(_, res)| res.doc.as_slice()))
    }

    fn of(&self, id: &str) -> Vec<Item> {
        let mut parts: Vec<_> = self
            .items
            .iter()
            .filter(|(own, res)| *own == id || res.series.as_deref() == Some(id))
            .collect();
        parts.sort_by_key(|(own, _)| *own != id);
        parts.into_iter().map(|(id, res)| item(id, res)).collect()
    }
}

fn item(id: &str, res: &Res) -> Item {
    Item {
        id: id.to_string(),
        series: res.series.clone(),
        stamp: res.stamp.to_string(),
        doc: Bytes::from(res.doc.clone()),
    }
}

impl State {
    /// As a provider that mails guests of whatever is changed.
    fn spare(&self, known: &[Item], guests: GuestPolicy) -> Result<(), Fault> {
        let has_guests = known
            .iter()
            .any(|item| String::from_utf8_lossy(&item.doc).contains("ATTENDEE"));
        match self.mails_guests && has_guests && guests == GuestPolicy::Never {
            true => Err(Refusal::new("guests", "they would be mailed").into()),
            false => Ok(()),
        }
    }

    fn log(&mut self, cal: &str, id: &str) -> u64 {
        self.seq += 1;
        let seq = self.seq;
        let cal = self.cals.entry(cal.into()).or_default();
        cal.log.push((seq, id.to_string()));
        seq
    }

    /// Stores a whole event: what did not change keeps its stamp.
    pub fn store(&mut self, cal: &str, id: &str, text: &[u8]) {
        let parts = split(text);
        let mut wanted: BTreeMap<String, (Option<String>, Vec<u8>)> = BTreeMap::new();
        for (rid, doc) in parts {
            match rid {
                None => wanted.insert(id.to_string(), (None, doc)),
                Some(rid) => {
                    let own = format!("{id}_{rid}");
                    wanted.insert(own, (Some(id.to_string()), doc))
                }
            };
        }
        let old = self.cals.entry(cal.into()).or_default().of(id);
        for item in &old {
            if !wanted.contains_key(&item.id) {
                self.cals.get_mut(cal).unwrap().items.remove(&item.id);
                self.log(cal, &item.id);
            }
        }
        for (own, (series, doc)) in wanted {
            if old.iter().any(|item| item.id == own && item.doc == doc) {
                continue;
            }
            let stamp = self.log(cal, &own);
            let res = Res { series, stamp, doc };
            self.cals.get_mut(cal).unwrap().items.insert(own, res);
        }
    }

    fn remove(&mut self, cal: &str, id: &str) {
        let of = self.cals.entry(cal.into()).or_default().of(id);
        for item in of {
            self.cals.get_mut(cal).unwrap().items.remove(&item.id);
            self.log(cal, &item.id);
        }
    }

    /// Somebody changes the URL of an event just before a call about it.
    fn touch(&mut self, cal: &str, id: &str) {
        let Some(there) = self.cals.get(cal).filter(|cal| cal.items.contains_key(id)) else {
            return;
        };
        let value = format!("https://example.org/{}", self.seq);
        let text = super::model::set(&there.text(id), "URL", &value);
        self.store(cal, id, &text);
        self.touched.push((id.to_string(), value));
    }
}

/// The components of a text as documents of their own: (digits of the instance, text).
fn split(text: &[u8]) -> Vec<(Option<String>, Vec<u8>)> {
    let tree = Tree::parse(text, &Limits::default()).unwrap();
    let events = tree.roots().flat_map(|root| root.children_named("VEVENT"));
    events
        .map(|event| {
            let rid = event.property("RECURRENCE-ID").map(|p| {
                p.value()
                    .chars()
                    .filter(char::is_ascii_alphanumeric)
                    .collect::<String>()
            });
            let mut lines = Vec::new();
            for property in event.properties() {
                if !DROPPED.iter().any(|name| property.is(name)) {
                    let line = String::from_utf8(property.raw().to_vec()).unwrap();
                    lines.push(format!("{}\r\n", line.trim_end()));
                }
            }
            for part in event.children() {
                let text = String::from_utf8(part.raw().to_vec()).unwrap();
                lines.push(format!("{}\r\n", text.trim_end()));
            }
            let doc = format!("BEGIN:VEVENT\r\n{}END:VEVENT\r\n", lines.concat());
            (rid, doc.into_bytes())
        })
        .collect()
}

fn join<'d>(docs: impl Iterator<Item = &'d [u8]>) -> Vec<u8> {
    let mut text = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//remote//EN\r\n".to_vec();
    docs.for_each(|doc| text.extend_from_slice(doc));
    text.extend_from_slice(b"END:VCALENDAR\r\n");
    text
}

fn marked(text: &[u8], marker: &str) -> Vec<u8> {
    let tree = Tree::parse(text, &Limits::default()).unwrap();
    let mut patch = Patch::new(&tree);
    for event in tree.roots().flat_map(|root| root.children_named("VEVENT")) {
        patch.set(event, MIRROR, content_line(MIRROR, &[], marker));
    }
    patch.apply()
}

impl Provider for Remote {
    fn caps(&self) -> Caps {
        Caps {
            writes: true,
            watches: false,
            busy: false,
            concurrency: 3,
            least_interval: 1,
            interval: 60,
        }
    }

    fn identity<'a>(&'a self, _: &'a Account) -> Answer<'a, Result<Identity, Fault>> {
        Box::pin(async {
            Ok(Identity {
                account: "a".into(),
                label: "a".into(),
            })
        })
    }

    fn calendars<'a>(&'a self, _: &'a Account) -> Answer<'a, Result<Vec<Listed>, Fault>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn changes<'a>(
        &'a self,
        _: &'a Account,
        place: &'a Place,
        from: From<'a>,
    ) -> Answer<'a, Result<Page, Fault>> {
        Box::pin(async move {
            let fate = self.fate("changes").await;
            match fate {
                Fate::Before | Fate::After => return Err(Fault::Transient("no answer".into())),
                Fate::Throttle => return Err(Fault::Throttled(None)),
                Fate::Expire if from != From::Start => return Err(Fault::CursorGone),
                _ => {}
            }
            let page = self.with(|state| state.list(&place.remote_id, from))?;
            self.after(fate, Ok(page)).await
        })
    }

    fn get<'a>(
        &'a self,
        _: &'a Account,
        place: &'a Place,
        id: &'a str,
    ) -> Answer<'a, Result<Option<Vec<Item>>, Fault>> {
        Box::pin(async move {
            let fate = self.fate("get").await;
            match fate {
                Fate::Before | Fate::After => return Err(Fault::Transient("no answer".into())),
                Fate::Throttle => return Err(Fault::Throttled(None)),
                _ => {}
            }
            let found = self.with(|state| {
                let cal = state.cals.entry(place.remote_id.clone()).or_default();
                cal.items.contains_key(id).then(|| cal.of(id))
            });
            self.after(fate, Ok(found)).await
        })
    }

    fn put<'a>(
        &'a self,
        _: &'a Account,
        place: &'a Place,
        put: Put<'a>,
    ) -> Answer<'a, Result<Placed, Fault>> {
        Box::pin(async move {
            if self.with(|state| state.is_so(&place.remote_id, &put)) {
                return Ok(Placed {
                    items: put.known.to_vec(),
                    losses: Vec::new(),
                });
            }
            self.with(|state| state.spare(put.known, put.guests))?;
            let fate = self.fate("put").await;
            match fate {
                Fate::Before => return Err(Fault::Transient("no answer".into())),
                Fate::Throttle => return Err(Fault::Throttled(None)),
                _ => {}
            }
            let placed = self.with(|state| state.place(&place.remote_id, &put, fate));
            self.after(fate, placed).await
        })
    }

    fn delete<'a>(
        &'a self,
        _: &'a Account,
        place: &'a Place,
        items: &'a [Item],
        guests: GuestPolicy,
    ) -> Answer<'a, Result<(), Fault>> {
        Box::pin(async move {
            self.with(|state| state.spare(items, guests))?;
            let fate = self.fate("delete").await;
            match fate {
                Fate::Before => return Err(Fault::Transient("no answer".into())),
                Fate::Throttle => return Err(Fault::Throttled(None)),
                _ => {}
            }
            let done = self.with(|state| {
                let Some(master) = items.first() else {
                    return Ok(());
                };
                if fate == Fate::Touch {
                    state.touch(&place.remote_id, &master.id);
                }
                let cal = state.cals.entry(place.remote_id.clone()).or_default();
                if !cal.items.contains_key(&master.id) {
                    return Ok(());
                }
                if cal.of(&master.id) != items {
                    return Err(Fault::Stale);
                }
                state.remove(&place.remote_id, &master.id);
                Ok(())
            });
            self.after(fate, done).await
        })
    }

    fn busy<'a>(
        &'a self,
        _: &'a Account,
        _: &'a [String],
        _: (i64, i64),
    ) -> Answer<'a, Result<Vec<(String, Result<Vec<Busy>, Fault>)>, Fault>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn watch<'a>(
        &'a self,
        _: &'a Account,
        _: &'a Place,
        _: &'a Hook<'a>,
    ) -> Answer<'a, Result<Watch, Fault>> {
        Box::pin(async { Err(Fault::Unsupported("no webhooks".into())) })
    }

    fn renew<'a>(
        &'a self,
        _: &'a Account,
        _: &'a Watch,
        _: i64,
    ) -> Answer<'a, Result<Option<Watch>, Fault>> {
        Box::pin(async { Ok(None) })
    }

    fn unwatch<'a>(&'a self, _: &'a Account, _: &'a Watch) -> Answer<'a, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }

    fn read(&self, _: &Place, _: &str, items: &[Item]) -> Result<Read, Refusal> {
        let text = join(items.iter().map(|item| &item.doc[..]));
        if text.windows(16).any(|w| w == b"STATUS:CANCELLED") {
            return Ok(Read::Nothing);
        }
        let tree = Tree::parse(&text, &Limits::default())
            .map_err(|fault| Refusal::new("invalid", fault.to_string()))?;
        let mut patch = Patch::new(&tree);
        let (mut uid, mut marker, mut guests) = (String::new(), None, false);
        for event in tree.roots().flat_map(|root| root.children_named("VEVENT")) {
            uid = event
                .property("UID")
                .map(|p| p.text().into_owned())
                .unwrap_or_default();
            marker = marker.or(event
                .property(MIRROR)
                .and_then(|p| Marker::read(&p.value())));
            guests |= event.property("ATTENDEE").is_some();
            patch.remove_all(event, MIRROR);
        }
        let text = if patch.is_empty() {
            text.clone()
        } else {
            patch.apply()
        };
        Ok(Read::Event(Box::new(Reading {
            text,
            uid,
            marker,
            ours_to_edit: true,
            has_guests: guests,
            losses: Vec::new(),
        })))
    }
}

impl State {
    fn is_so(&mut self, cal: &str, put: &Put<'_>) -> bool {
        let Some(master) = put.known.first() else {
            return false;
        };
        let text = marked(put.text, &put.marker.print());
        let mut now: Vec<_> = put.known.iter().map(|item| item.doc.to_vec()).collect();
        let mut wanted: Vec<_> = split(&text).into_iter().map(|(_, doc)| doc).collect();
        now.sort();
        wanted.sort();
        let cal = self.cals.entry(cal.into()).or_default();
        now == wanted && cal.of(&master.id) == put.known
    }

    fn place(&mut self, cal: &str, put: &Put<'_>, fate: Fate) -> Result<Placed, Fault> {
        if let Some(word) = &self.refuses
            && String::from_utf8_lossy(put.text).contains(word.as_str())
        {
            return Err(Refusal::new("recurrence", "it cannot be said there").into());
        }
        self.bodies.push(put.text.to_vec());
        let id = match put.known.first() {
            Some(master) => {
                if fate == Fate::Touch {
                    self.touch(cal, &master.id);
                }
                let there = self.cals.entry(cal.into()).or_default();
                if !there.items.contains_key(&master.id) {
                    return Err(Fault::NotFound);
                }
                if there.of(&master.id) != put.known {
                    return Err(Fault::Stale);
                }
                master.id.clone()
            }
            None => {
                if let Some(id) = self.keys.get(put.key) {
                    return Err(Fault::Duplicate(Some(id.clone())));
                }
                self.keys.insert(put.key.into(), put.key.into());
                put.key.to_string()
            }
        };
        self.store(cal, &id, &marked(put.text, &put.marker.print()));
        Ok(Placed {
            items: self.cals[cal].of(&id),
            losses: Vec::new(),
        })
    }

    /// A page: `c epoch seq` is a cursor, `s epoch seq last` a page of everything, `p epoch to from` one of changes.
    fn list(&mut self, cal: &str, from: From<'_>) -> Result<Page, Fault> {
        let (epoch, size, now) = (self.epoch, self.page.max(1), self.seq);
        let there = self.cals.entry(cal.into()).or_default();
        let words = |bytes: &[u8]| -> Vec<String> {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.split(' ').map(String::from).collect()
        };
        let (kind, to, at) = match from {
            From::Start => ("s".to_string(), now, String::new()),
            From::Cursor(cursor) => {
                let w = words(cursor);
                if w[1] != epoch.to_string() {
                    return Err(Fault::CursorGone);
                }
                ("p".to_string(), now, w[2].clone())
            }
            From::Page(page) => {
                let w = words(page);
                if w[1] != epoch.to_string() {
                    return Err(Fault::CursorGone);
                }
                (
                    w[0].clone(),
                    w[2].parse().unwrap(),
                    w.get(3).cloned().unwrap_or_default(),
                )
            }
        };
        let done = Next::Done(Some(format!("c {epoch} {to}").into_bytes()));
        if kind == "s" {
            let rest: Vec<_> = there
                .items
                .iter()
                .filter(|(id, _)| **id > at)
                .take(size)
                .collect();
            let changes = rest
                .iter()
                .map(|(id, res)| Change::Part(item(id, res)))
                .collect();
            let next = match rest.last() {
                Some((last, _)) if rest.len() == size => {
                    Next::Page(format!("s {epoch} {to} {last}").into_bytes())
                }
                _ => done,
            };
            return Ok(Page { changes, next });
        }
        let from: u64 = at.parse().unwrap();
        let rest: Vec<_> = there
            .log
            .iter()
            .filter(|(n, _)| *n > from && *n <= to)
            .take(size)
            .collect();
        let mut changes: Vec<Change> = rest
            .iter()
            .map(|(_, id)| match there.items.get(id) {
                Some(res) => Change::Part(item(id, res)),
                None => Change::Gone(id.clone()),
            })
            .collect();
        // Pages may repeat themselves.
        if changes.len() % 2 == 1 {
            changes.extend(changes.clone());
        }
        let next = match rest.last() {
            Some((last, _)) if rest.len() == size => {
                Next::Page(format!("p {epoch} {to} {last}").into_bytes())
            }
            _ => done,
        };
        Ok(Page { changes, next })
    }
}
