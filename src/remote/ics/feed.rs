//! A subscribed text as changes against the last good one. Pure.
//!
//! Which event is which? By UID where it stays. Some publishers give new UIDs with every fetch: an event whose UID is
//! new and one that went away are the same when start, end, title and rule agree ([`canonical::fingerprint`]), and it
//! keeps the UID that it first had here.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::http::LARGEST;
use super::super::{Change, Fault, Item, ical_doc};
use crate::ical::canonical;
use crate::ical::charset::to_utf8;
use crate::ical::object::Kind;
use crate::ical::split::{Group, Split, split};
use crate::ical::tree::{Component, Limits, Tree};
use crate::ical::value::Duration;

/// The events of a text: UID here → how it was.
#[derive(Default, Serialize, Deserialize)]
pub struct Known(BTreeMap<String, Was>);

#[derive(Serialize, Deserialize)]
struct Was {
    /// Of its text.
    hash: String,
    /// Of what people see of it.
    print: String,
    /// UID in the feed, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
}

impl Known {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

pub struct News {
    pub changes: Vec<Change>,
    pub known: Known,
    /// Seconds, as the text asks.
    pub refresh: Option<i64>,
}

/// What a feed says of itself.
#[derive(Default)]
pub struct About {
    pub name: Option<String>,
    pub color: Option<String>,
    pub zone: Option<String>,
}

/// A subscription may be large; it is bounded all the same.
fn limits() -> Limits {
    Limits {
        bytes: LARGEST,
        lines: 4_000_000,
        ..Limits::default()
    }
}

fn parse(text: &[u8]) -> Result<Tree<'_>, Fault> {
    let broken =
        |why: &str| Fault::Transient(format!("the address does not give a calendar now: {why}"));
    let tree = Tree::parse(text, &limits()).map_err(|fault| broken(&fault.to_string()))?;
    let mut roots = tree.roots().filter(|root| root.is("VCALENDAR")).peekable();
    if roots.peek().is_none() {
        return Err(broken("it begins with something else (a sign-in page?)"));
    }
    if roots.any(|root| !root.is_closed()) {
        return Err(broken("its end is missing"));
    }
    Ok(tree)
}

pub fn describe(body: &[u8]) -> Result<About, Fault> {
    let text = to_utf8(body);
    let tree = parse(&text)?;
    let property = |names: [&str; 2]| {
        tree.roots().find_map(|root| {
            let mut found = names.iter().filter_map(|name| root.property(name));
            Some(found.next()?.text().into_owned())
        })
    };
    let color = property(["X-APPLE-CALENDAR-COLOR", "COLOR"])
        .filter(|color| color.starts_with('#') && color.is_char_boundary(7) && color.len() >= 7)
        .map(|color| color[..7].to_string());
    Ok(About {
        name: property(["NAME", "X-WR-CALNAME"]),
        color,
        zone: property(["TIMEZONE-ID", "X-WR-TIMEZONE"]),
    })
}

/// # Errors
/// `Transient` for what is no calendar, is cut off, or is empty where it was not: the last good text stays.
pub fn compare(body: &[u8], known: &Known) -> Result<News, Fault> {
    let text = to_utf8(body);
    let tree = parse(&text)?;
    let stream = split(&tree);
    let events: Vec<&Group<'_>> = stream
        .groups
        .iter()
        .filter(|group| group.kind == Kind::Event)
        .collect();
    if events.is_empty() && !known.is_empty() {
        return Err(Fault::Transient(
            "the address gives an empty calendar, which had events before: they are kept".into(),
        ));
    }
    let mut names = Names::new(known, &events);
    let mut news = News {
        changes: Vec::new(),
        known: Known::default(),
        refresh: refresh(&tree),
    };
    let mut size = 0;
    for group in events {
        let (uid, document, was) = names.name(&stream, group);
        if news.known.0.contains_key(&uid) {
            continue;
        }
        // Each document carries its zones along: many small events may make much of a small text.
        size += document.len();
        if size > LARGEST {
            return Err(Fault::Transient(format!(
                "the calendar's events need more than {} MiB",
                LARGEST >> 20
            )));
        }
        if known.0.get(&uid).is_none_or(|old| old.hash != was.hash) {
            news.changes.push(Change::Whole(vec![Item {
                id: uid.clone(),
                series: None,
                stamp: was.hash.clone(),
                doc: document.into(),
            }]));
        }
        news.known.0.insert(uid, was);
    }
    let gone = known
        .0
        .keys()
        .filter(|uid| !news.known.0.contains_key(*uid));
    news.changes
        .extend(gone.map(|uid| Change::Gone(uid.clone())));
    Ok(news)
}

/// Finds the UID that an event has here.
struct Names<'k> {
    known: &'k Known,
    /// UID in the feed → UID here, where they differ.
    renamed: HashMap<&'k str, &'k str>,
    /// Events that are not in the feed under their UID any more, by what people see of them.
    vanished: HashMap<&'k str, VecDeque<&'k str>>,
    /// How many events without a UID had the same looks.
    without: HashMap<String, usize>,
}

impl<'k> Names<'k> {
    fn new(known: &'k Known, events: &[&Group<'_>]) -> Names<'k> {
        let there: HashSet<&str> = events
            .iter()
            .filter_map(|group| group.uid.as_deref())
            .collect();
        let mut names = Names {
            known,
            renamed: HashMap::new(),
            vanished: HashMap::new(),
            without: HashMap::new(),
        };
        for (uid, was) in &known.0 {
            if let Some(other) = &was.uid {
                names.renamed.insert(other, uid);
            }
            if !there.contains(was.uid.as_deref().unwrap_or(uid)) {
                names.vanished.entry(&was.print).or_default().push_back(uid);
            }
        }
        names
    }

    /// The UID, the document under it, and what to remember.
    fn name(&mut self, stream: &Split<'_>, group: &Group<'_>) -> (String, Vec<u8>, Was) {
        let print = looks(&group.components);
        let theirs = match &group.uid {
            Some(uid) => uid.to_string(),
            None => {
                let same = self.without.entry(print.clone()).or_default();
                *same += 1;
                format!("{}-{same}@feed.kalends", &hash(print.as_bytes())[..32])
            }
        };
        let uid = self.uid(&theirs, &print);
        let document = stream.document(group, &theirs).into_owned();
        let document = match uid == theirs {
            true => document,
            false => ical_doc::with_uid(&document, &uid),
        };
        let was = Was {
            hash: content(&document),
            print,
            uid: (uid != theirs).then_some(theirs),
        };
        (uid, document, was)
    }

    fn uid(&mut self, theirs: &str, print: &str) -> String {
        if let Some(renamed) = self.renamed.get(theirs) {
            return (*renamed).to_string();
        }
        if self.known.0.contains_key(theirs) {
            return theirs.to_string();
        }
        self.vanished
            .get_mut(print)
            .and_then(VecDeque::pop_front)
            .unwrap_or(theirs)
            .to_string()
    }
}

fn looks(parts: &[Component<'_>]) -> String {
    let prints: Vec<String> = parts
        .iter()
        .map(|part| canonical::fingerprint(*part))
        .collect();
    hash(prints.join("\n").as_bytes())
}

/// Some publishers stamp every event anew with each fetch, so the meaning is compared, not the bytes.
fn content(document: &[u8]) -> String {
    match canonical::digest(document) {
        Ok(digest) => hex(&digest[..16]),
        Err(_) => hash(document),
    }
}

pub fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..16])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// REFRESH-INTERVAL or X-PUBLISHED-TTL, in seconds.
fn refresh(tree: &Tree<'_>) -> Option<i64> {
    tree.roots().find_map(|root| {
        let property = root
            .property("REFRESH-INTERVAL")
            .or_else(|| root.property("X-PUBLISHED-TTL"))?;
        Some(Duration::parse(&property.value()).ok()?.total_seconds())
            .filter(|seconds| *seconds > 0)
    })
}
