//! REPORT: `sync-collection`, `calendar-multiget`, `calendar-query`.

use super::super::faults::Twist;
use super::super::web::{self, Answer, Call};
use super::xml::{self, CAL, DAV, Node, escape};
use super::{Caldav, Place, State, failed, multistatus};

/// The properties that a body asks for; all that there are, if none.
pub(super) fn asked(body: &[u8]) -> Vec<Node> {
    let root = xml::parse(body);
    let prop = root.as_ref().and_then(|root| root.child(DAV, "prop"));
    match prop {
        Some(prop) => prop.children.clone(),
        None => ["resourcetype", "displayname", "getetag", "getcontenttype"]
            .map(|name| Node {
                ns: DAV.to_string(),
                name: name.to_string(),
                ..Node::default()
            })
            .to_vec(),
    }
}

impl Caldav {
    pub(super) fn report(
        &self,
        state: &mut State,
        call: &Call,
        place: &Place,
        twist: Twist,
    ) -> Result<Answer, Answer> {
        let root = xml::parse(&call.body).ok_or_else(|| web::empty(400))?;
        if !matches!(place, Place::Calendar(..)) {
            return Err(failed(403, "<D:supported-report/>"));
        }
        let asked = asked(&call.body);
        if root.is(DAV, "sync-collection") && state.quirks.sync_collection {
            return self.sync(state, place, &root, &asked, twist);
        }
        if root.is(CAL, "calendar-multiget") {
            return Ok(self.multiget(state, place, &root, &asked));
        }
        if root.is(CAL, "calendar-query") {
            return self.query(state, place, &root, &asked);
        }
        Err(failed(403, "<D:supported-report/>"))
    }

    fn sync(
        &self,
        state: &mut State,
        place: &Place,
        root: &Node,
        asked: &[Node],
        twist: Twist,
    ) -> Result<Answer, Answer> {
        let invalid = || failed(403, "<D:valid-sync-token/>");
        let quirks = state.quirks.clone();
        let collection = state.collection(place).ok_or_else(|| web::empty(404))?;
        let token = root
            .child(DAV, "sync-token")
            .map_or("", |node| node.text.trim());
        let since = match token {
            "" => 0,
            _ if twist == Twist::CursorGone => return Err(invalid()),
            token => {
                let rest = token
                    .strip_prefix("http://simulator.test/ns/sync/")
                    .ok_or_else(invalid)?;
                let (epoch, seq) = rest.split_once('-').ok_or_else(invalid)?;
                if epoch != collection.epoch.to_string() {
                    return Err(invalid());
                }
                seq.parse::<u64>().map_err(|_| invalid())?
            }
        };
        let mut changed: Vec<(u64, String, bool)> = collection
            .objects
            .iter()
            .filter(|(_, object)| {
                object.seq > since && !(object.gone && since == 0 && token.is_empty())
            })
            .map(|(name, object)| (object.seq, name.clone(), object.gone))
            .collect();
        changed.sort_unstable();
        let nresults = root
            .child(DAV, "limit")
            .and_then(|limit| limit.child(DAV, "nresults"));
        let nresults = nresults.and_then(|node| node.text.trim().parse::<usize>().ok());
        let size = match twist {
            Twist::EmptyPage => 0,
            _ => quirks.page.or(nresults).unwrap_or(usize::MAX),
        };
        let truncated = changed.len() > size;
        changed.truncate(size);
        let end = match (truncated, changed.last()) {
            (true, Some((seq, ..))) => *seq,
            (true, None) => since,
            (false, _) => collection.seq.max(since),
        };
        if twist == Twist::Replay {
            let live = collection
                .objects
                .iter()
                .filter(|(_, object)| !object.gone)
                .take(2);
            changed.extend(live.map(|(name, object)| (object.seq, name.clone(), false)));
        }
        if twist == Twist::Missing {
            changed.pop();
        }
        let token = format!("http://simulator.test/ns/sync/{}-{end}", collection.epoch);
        let mut out = self.members(
            state,
            place,
            changed.into_iter().map(|(_, name, _)| name),
            asked,
        );
        if truncated {
            let href = escape(&state.href(place));
            out.push_str(&format!("<D:response><D:href>{href}</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status><D:error><D:number-of-matches-within-limits/></D:error></D:response>"));
        }
        out.push_str(&format!("<D:sync-token>{token}</D:sync-token>"));
        Ok(multistatus(&out))
    }

    /// Members of a calendar by name; what is not there is 404.
    fn members(
        &self,
        state: &mut State,
        place: &Place,
        names: impl Iterator<Item = String>,
        asked: &[Node],
    ) -> String {
        let Place::Calendar(user, calendar) = place else {
            return String::new();
        };
        let mut out = String::new();
        for name in names {
            let member = Place::Object(user.clone(), calendar.clone(), name);
            match state.response(self.world.origin(), user, &member, asked) {
                Some(response) => out.push_str(&response),
                None => {
                    let href = escape(&state.href(&member));
                    out.push_str(&format!("<D:response><D:href>{href}</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>"));
                }
            }
        }
        out
    }

    fn multiget(&self, state: &mut State, place: &Place, root: &Node, asked: &[Node]) -> Answer {
        let hrefs = root.children.iter().filter(|child| child.is(DAV, "href"));
        let names: Vec<String> = hrefs
            .filter_map(|href| {
                let path = href.text.trim();
                let path = path.find("/caldav/").map_or(path, |at| &path[at..]);
                match Place::of(path)? {
                    Place::Object(_, _, name) => Some(name),
                    _ => None,
                }
            })
            .collect();
        multistatus(&self.members(state, place, names.into_iter(), asked))
    }

    fn query(
        &self,
        state: &mut State,
        place: &Place,
        root: &Node,
        asked: &[Node],
    ) -> Result<Answer, Answer> {
        let filter = root
            .child(CAL, "filter")
            .and_then(|filter| filter.child(CAL, "comp-filter"));
        let inner = filter.and_then(|filter| filter.child(CAL, "comp-filter"));
        let wanted = inner
            .and_then(|inner| inner.attribute("name"))
            .map(str::to_string);
        if state.quirks.needs_vevent && wanted.as_deref() != Some("VEVENT") {
            return Err(failed(403, "<C:valid-filter/>"));
        }
        if inner.is_some_and(|inner| {
            inner.child(CAL, "time-range").is_some() || inner.child(CAL, "prop-filter").is_some()
        }) {
            return Err(failed(403, "<C:supported-filter/>"));
        }
        let collection = state.collection(place).ok_or_else(|| web::empty(404))?;
        let fits = |text: &str| {
            wanted
                .as_ref()
                .is_none_or(|name| text.contains(&format!("BEGIN:{name}")))
        };
        let live = collection
            .objects
            .iter()
            .filter(|(_, object)| !object.gone && fits(&object.text));
        let names: Vec<String> = live.map(|(name, _)| name.clone()).collect();
        Ok(multistatus(&self.members(
            state,
            place,
            names.into_iter(),
            asked,
        )))
    }
}
