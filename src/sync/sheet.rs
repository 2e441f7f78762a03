//! One page of a listing, applied to the rows that it is about. Values only; the transaction is in `theirs`.

use std::collections::{BTreeMap, BTreeSet};

use crate::remote::{Change, Item};
use crate::store::bridges::StoredItem;

/// The rows as they were and as they become.
pub struct Sheet {
    before: BTreeMap<String, StoredItem>,
    now: BTreeMap<String, StoredItem>,
    /// Masters (and single events) that the page is about, the unchanged ones too.
    touched: BTreeSet<String>,
    /// UIDs of units, by master.
    units: BTreeMap<String, String>,
}

/// Which unit an event belongs to.
pub enum Known {
    Unit(String),
    /// It is gone, and no unit ever had it.
    Gone,
    /// Its resources, master first.
    Unmapped(Vec<Item>),
}

/// What is to be written.
#[derive(Default)]
pub struct Out {
    pub gone: Vec<String>,
    pub changed: Vec<StoredItem>,
    pub same: Vec<String>,
    /// (UID, id of the master).
    pub marks: Vec<(String, String)>,
}

impl Sheet {
    pub fn new(known: Vec<StoredItem>) -> Sheet {
        let before: BTreeMap<_, _> = known
            .into_iter()
            .map(|item| (item.remote_id.clone(), item))
            .collect();
        Sheet {
            now: before.clone(),
            before,
            touched: BTreeSet::new(),
            units: BTreeMap::new(),
        }
    }

    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Whole(items) => {
                let Some(master) = items.first().map(|item| item.id.clone()) else {
                    return;
                };
                self.now.retain(|_, item| item.series != master);
                for item in items {
                    self.put(item, Some(&master));
                }
                self.touched.insert(master);
            }
            Change::Part(item) => {
                let master = item.series.clone().unwrap_or_else(|| item.id.clone());
                self.put(item, None);
                self.touched.insert(master);
            }
            Change::Gone(id) => self.remove(&id),
        }
    }

    fn put(&mut self, item: Item, master: Option<&str>) {
        let series = match master {
            Some(master) if item.id == master => String::new(),
            Some(master) => master.to_string(),
            None => item.series.unwrap_or_default(),
        };
        let uid = self
            .before
            .get(&item.id)
            .map(|old| old.uid.clone())
            .unwrap_or_default();
        let row = StoredItem {
            remote_id: item.id,
            series,
            uid,
            stamp: item.stamp,
            doc: item.doc.to_vec(),
        };
        self.now.insert(row.remote_id.clone(), row);
    }

    fn remove(&mut self, id: &str) {
        let Some(item) = self.now.remove(id) else {
            return;
        };
        if item.series.is_empty() {
            self.now.retain(|_, other| other.series != id);
            self.touched.insert(id.to_string());
        } else {
            self.touched.insert(item.series);
        }
    }

    /// Masters that exceptions name and nobody knows.
    pub fn without_master(&self) -> Vec<String> {
        let masters: BTreeSet<&String> = self
            .now
            .values()
            .map(|item| &item.series)
            .filter(|series| !series.is_empty() && !self.now.contains_key(*series))
            .collect();
        masters.into_iter().cloned().collect()
    }

    fn rows<'s>(rows: &'s BTreeMap<String, StoredItem>, master: &str) -> Vec<&'s StoredItem> {
        let exceptions = rows.values().filter(|item| item.series == master);
        rows.get(master).into_iter().chain(exceptions).collect()
    }

    /// Masters of events that are not as they were.
    pub fn changed_masters(&self) -> Vec<String> {
        let differs = |master: &&String| {
            let (before, now) = (
                Sheet::rows(&self.before, master),
                Sheet::rows(&self.now, master),
            );
            before.len() != now.len() || before.iter().zip(&now).any(|(a, b)| !equal(a, b))
        };
        self.touched.iter().filter(differs).cloned().collect()
    }

    pub fn known_uid(&self, master: &str) -> Known {
        let mapped = Sheet::rows(&self.before, master)
            .iter()
            .find(|item| !item.uid.is_empty())
            .map(|item| item.uid.clone());
        if let Some(uid) = mapped {
            return Known::Unit(uid);
        }
        if !self.now.contains_key(master) {
            return Known::Gone;
        }
        let items = Sheet::rows(&self.now, master);
        Known::Unmapped(items.into_iter().map(to_item).collect())
    }

    /// The event of this master belongs to the unit with this UID.
    pub fn assign(&mut self, master: &str, uid: String) {
        for (id, item) in &mut self.now {
            if id == master || item.series == master {
                item.uid.clone_from(&uid);
            }
        }
        self.units.insert(master.to_string(), uid);
    }

    /// The event of this master belongs to no unit.
    pub fn assign_none(&mut self, master: &str) {
        for (id, item) in &mut self.now {
            if id == master || item.series == master {
                item.uid.clear();
            }
        }
    }

    /// The master that has this UID by what this page says.
    pub fn holder(&self, uid: &str) -> Option<&str> {
        self.units
            .iter()
            .find(|(master, held)| *held == uid && self.now.contains_key(*master))
            .map(|(master, _)| master.as_str())
    }

    /// Whether it is there, as far as this page tells.
    pub fn tells(&self, id: &str) -> Option<bool> {
        let told = self.before.contains_key(id) || self.now.contains_key(id);
        told.then(|| self.now.contains_key(id))
    }

    pub fn finish(mut self) -> Out {
        for master in self.without_master() {
            self.now.retain(|_, item| item.series != master);
        }
        let mut out = Out::default();
        for id in self.before.keys().filter(|id| !self.now.contains_key(*id)) {
            out.gone.push(id.clone());
        }
        for (id, item) in self.now {
            let master = if item.series.is_empty() {
                &id
            } else {
                &item.series
            };
            match self.before.get(&id) {
                Some(old) if equal(old, &item) && old.uid == item.uid => {
                    if self.touched.contains(master) {
                        out.same.push(id);
                    }
                }
                _ => out.changed.push(item),
            }
        }
        out.marks = self
            .units
            .into_iter()
            .map(|(master, uid)| (uid, master))
            .collect();
        out
    }
}

/// Unchanged: the same stamp, and the same content (some changes do not bump a stamp).
fn equal(a: &StoredItem, b: &StoredItem) -> bool {
    a.stamp == b.stamp && a.series == b.series && a.doc == b.doc
}

pub fn to_item(stored: &StoredItem) -> Item {
    Item {
        id: stored.remote_id.clone(),
        series: (!stored.series.is_empty()).then(|| stored.series.clone()),
        stamp: stored.stamp.clone(),
        doc: bytes::Bytes::copy_from_slice(&stored.doc),
    }
}

/// As rows of the unit `uid`; the first one is the master.
pub fn to_rows(items: &[Item], uid: &str) -> Vec<StoredItem> {
    let master = items
        .first()
        .map(|item| item.id.clone())
        .unwrap_or_default();
    let row = |item: &Item| StoredItem {
        remote_id: item.id.clone(),
        series: if item.id == master {
            String::new()
        } else {
            master.clone()
        },
        uid: uid.to_string(),
        stamp: item.stamp.clone(),
        doc: item.doc.to_vec(),
    };
    items.iter().map(row).collect()
}
