//! A CalDAV server with the habits of several (FACTS §6): what it offers and how it deviates are switches.
//!
//! Left out: free-busy reports, `time-range` filters (refused with `supported-filter`), scheduling, sharing, PROPPATCH.

mod person;
mod report;
mod xml;

use super::faults::Twist;
use super::web::{self, Answer, Call};
use super::world::{World, lock};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use xml::{APPLE, CAL, CS, DAV, Node, escape};

/// What a server offers, and how it deviates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quirks {
    /// The report `sync-collection` (RFC 6578).
    pub sync_collection: bool,
    /// `getctag`.
    pub ctag: bool,
    /// `ETag` in the answer to PUT.
    pub etag_on_put: bool,
    /// Objects are stored otherwise than they were sent.
    pub rewrites: bool,
    /// The origin on which the homes are (`https://p01.caldav.test`).
    pub home: Option<String>,
    /// `sync-collection` answers with so many at most, and 507.
    pub page: Option<usize>,
    /// Two objects of a calendar cannot have the same UID.
    pub unique_uids: bool,
    /// 401 offers a scheme of its own before Basic.
    pub two_challenges: bool,
    /// A `calendar-query` without a filter on VEVENT is refused.
    pub needs_vevent: bool,
    /// Hrefs are absolute addresses.
    pub absolute_hrefs: bool,
}

impl Quirks {
    pub fn generic() -> Quirks {
        Quirks {
            sync_collection: true,
            ctag: true,
            etag_on_put: true,
            rewrites: false,
            home: None,
            page: None,
            unique_uids: true,
            two_challenges: false,
            needs_vevent: false,
            absolute_hrefs: false,
        }
    }
    pub fn icloud() -> Quirks {
        Quirks {
            etag_on_put: false,
            rewrites: true,
            home: Some("https://p01.caldav.test".to_string()),
            two_challenges: true,
            needs_vevent: true,
            ..Quirks::generic()
        }
    }
    /// Only what RFC 4791 asks for.
    pub fn plain() -> Quirks {
        Quirks {
            sync_collection: false,
            ctag: false,
            ..Quirks::generic()
        }
    }
}

pub struct Caldav {
    world: Arc<World>,
    state: Mutex<State>,
}

struct State {
    quirks: Quirks,
    users: BTreeMap<String, User>,
}

struct User {
    password: String,
    calendars: BTreeMap<String, Collection>,
}

#[derive(Default)]
struct Collection {
    title: String,
    read_only: bool,
    component: String,
    objects: BTreeMap<String, Object>,
    seq: u64,
    epoch: u64,
}

#[derive(Clone)]
struct Object {
    text: String,
    seq: u64,
    gone: bool,
}

impl Object {
    fn etag(&self) -> String {
        format!("\"C={}@U=7f3a\"", self.seq)
    }
}

/// What a path is.
enum Place {
    Root,
    Principal(String),
    Home(String),
    Calendar(String, String),
    Object(String, String, String),
}

impl Place {
    fn of(path: &str) -> Option<Place> {
        let parts = web::below(path, "/caldav")?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Some(match parts.as_slice() {
            [] => Place::Root,
            ["principals", user] => Place::Principal(user.to_string()),
            ["calendars", user] => Place::Home(user.to_string()),
            ["calendars", user, calendar] => {
                Place::Calendar(user.to_string(), calendar.to_string())
            }
            ["calendars", user, calendar, name] => {
                Place::Object(user.to_string(), calendar.to_string(), name.to_string())
            }
            _ => return None,
        })
    }

    fn user(&self) -> Option<&str> {
        match self {
            Place::Root => None,
            Place::Principal(user)
            | Place::Home(user)
            | Place::Calendar(user, _)
            | Place::Object(user, ..) => Some(user),
        }
    }

    fn path(&self) -> String {
        let enc = web::encode;
        match self {
            Place::Root => "/caldav/".to_string(),
            Place::Principal(user) => format!("/caldav/principals/{}/", enc(user)),
            Place::Home(user) => format!("/caldav/calendars/{}/", enc(user)),
            Place::Calendar(user, calendar) => {
                format!("/caldav/calendars/{}/{}/", enc(user), enc(calendar))
            }
            Place::Object(user, calendar, name) => format!(
                "/caldav/calendars/{}/{}/{}",
                enc(user),
                enc(calendar),
                enc(name)
            ),
        }
    }
}

fn failed(status: u16, condition: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><D:error xmlns:D=\"DAV:\" xmlns:C=\"{CAL}\">{condition}</D:error>"
    );
    web::text(status, "application/xml; charset=utf-8", body)
}

fn multistatus(inner: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\" xmlns:C=\"{CAL}\" xmlns:CS=\"{CS}\" xmlns:A=\"{APPLE}\">{inner}</D:multistatus>"
    );
    web::text(207, "application/xml; charset=utf-8", body)
}

impl Caldav {
    pub fn new(world: Arc<World>) -> Caldav {
        let state = State {
            quirks: Quirks::generic(),
            users: BTreeMap::new(),
        };
        Caldav {
            world,
            state: Mutex::new(state),
        }
    }

    pub fn handle(&self, call: &Call, twist: Twist) -> Answer {
        if call.path.ends_with("/.well-known/caldav") {
            return web::with(
                web::empty(301),
                "location",
                &format!("{}/caldav/", self.world.origin()),
            );
        }
        let mut state = lock(&self.state);
        self.run(&mut state, call, twist)
            .unwrap_or_else(|refused| refused)
    }

    fn run(&self, state: &mut State, call: &Call, twist: Twist) -> Result<Answer, Answer> {
        let user = self.who(state, call)?;
        let place = Place::of(&call.path).ok_or_else(|| web::empty(404))?;
        if place.user().is_some_and(|owner| owner != user) {
            return Err(web::empty(403));
        }
        match call.method.as_str() {
            "OPTIONS" => {
                let answer = web::with(web::empty(200), "dav", "1, 3, calendar-access");
                Ok(web::with(
                    answer,
                    "allow",
                    "OPTIONS, GET, PUT, DELETE, PROPFIND, REPORT, MKCALENDAR",
                ))
            }
            "PROPFIND" => self.propfind(state, call, &user, &place),
            "REPORT" => self.report(state, call, &place, twist),
            "MKCALENDAR" => self.make(state, call, &place),
            "GET" | "HEAD" => {
                let object = state.object(&place).ok_or_else(|| web::empty(404))?;
                let answer = web::text(200, "text/calendar; charset=utf-8", object.text.clone());
                Ok(web::with(answer, "etag", &object.etag()))
            }
            "PUT" => self.put(state, call, &place, twist),
            "DELETE" => self.delete(state, call, &place),
            _ => Err(web::empty(405)),
        }
    }

    fn who(&self, state: &State, call: &Call) -> Result<String, Answer> {
        let refused = || {
            let mut answer = web::empty(401);
            let offers: &[&str] = match state.quirks.two_challenges {
                true => &[
                    "X-MobileMe-AuthToken realm=\"Newcastle\"",
                    "Basic realm=\"Newcastle\"",
                ],
                false => &["Basic realm=\"simulator\""],
            };
            for offer in offers {
                answer
                    .headers_mut()
                    .append("www-authenticate", HeaderValue::from_static(offer));
            }
            answer
        };
        let basic = call
            .header("authorization")
            .and_then(|value| value.strip_prefix("Basic "));
        let bytes = basic
            .and_then(|text| STANDARD.decode(text).ok())
            .ok_or_else(refused)?;
        let text = String::from_utf8(bytes).map_err(|_| refused())?;
        let (user, password) = text.split_once(':').ok_or_else(refused)?;
        let known = state
            .users
            .get(user)
            .is_some_and(|user| user.password == password);
        known.then(|| user.to_string()).ok_or_else(refused)
    }

    fn make(&self, state: &mut State, call: &Call, place: &Place) -> Result<Answer, Answer> {
        let Place::Calendar(user, name) = place else {
            return Err(web::empty(403));
        };
        let user = state.users.get_mut(user).ok_or_else(|| web::empty(404))?;
        if user.calendars.contains_key(name) {
            return Err(failed(405, "<D:resource-must-be-null/>"));
        }
        let body = xml::parse(&call.body);
        let set = body.as_ref().and_then(|body| {
            body.child(DAV, "set")?
                .child(DAV, "prop")?
                .child(DAV, "displayname")
        });
        let title = set.map_or(name.clone(), |node| node.text.clone());
        let collection = Collection {
            title,
            component: "VEVENT".to_string(),
            seq: self.world.next(),
            ..Collection::default()
        };
        user.calendars.insert(name.clone(), collection);
        Ok(web::empty(201))
    }

    fn put(
        &self,
        state: &mut State,
        call: &Call,
        place: &Place,
        twist: Twist,
    ) -> Result<Answer, Answer> {
        let quirks = state.quirks.clone();
        let Place::Object(_, _, name) = place else {
            return Err(web::empty(405));
        };
        let collection = state.collection(place).ok_or_else(|| web::empty(409))?;
        if collection.read_only {
            return Err(failed(403, "<D:need-privileges/>"));
        }
        let text = String::from_utf8_lossy(&call.body).into_owned();
        let trimmed = text.trim();
        let uid = uid(&text).filter(|_| {
            trimmed.starts_with("BEGIN:VCALENDAR") && trimmed.ends_with("END:VCALENDAR")
        });
        let uid = uid.ok_or_else(|| failed(403, "<C:valid-calendar-data/>"))?;
        let old = collection.objects.get(name).filter(|object| !object.gone);
        check(call, old)?;
        let twin = collection.objects.iter().find(|(other, object)| {
            *other != name && !object.gone && self::uid(&object.text).as_ref() == Some(&uid)
        });
        if let Some((twin, _)) = twin.filter(|_| quirks.unique_uids) {
            let (Place::Object(user, calendar, _), twin) = (place, twin.clone()) else {
                return Err(web::empty(409));
            };
            let href = Place::Object(user.clone(), calendar.clone(), twin).path();
            return Err(failed(
                409,
                &format!(
                    "<C:no-uid-conflict><D:href>{}</D:href></C:no-uid-conflict>",
                    escape(&href)
                ),
            ));
        }
        let status = if old.is_some() { 204 } else { 201 };
        let rewrites = quirks.rewrites || twist == Twist::Rewrite;
        let text = if rewrites {
            rewritten(&text, self.world.now())
        } else {
            text
        };
        let seq = self.world.next();
        let object = Object {
            text,
            seq,
            gone: false,
        };
        let etag = object.etag();
        collection.objects.insert(name.clone(), object);
        collection.seq = seq;
        let tells = quirks.etag_on_put && !rewrites && twist != Twist::NoEtag;
        Ok(if tells {
            web::with(web::empty(status), "etag", &etag)
        } else {
            web::empty(status)
        })
    }

    fn delete(&self, state: &mut State, call: &Call, place: &Place) -> Result<Answer, Answer> {
        let Place::Object(_, _, name) = place else {
            return self.delete_calendar(state, place);
        };
        let collection = state.collection(place).ok_or_else(|| web::empty(404))?;
        if collection.read_only {
            return Err(failed(403, "<D:need-privileges/>"));
        }
        let old = collection
            .objects
            .get(name)
            .filter(|object| !object.gone)
            .cloned();
        let mut old = old.ok_or_else(|| web::empty(404))?;
        check(call, Some(&old))?;
        (old.gone, old.seq) = (true, self.world.next());
        collection.seq = old.seq;
        collection.objects.insert(name.clone(), old);
        Ok(web::empty(204))
    }

    fn delete_calendar(&self, state: &mut State, place: &Place) -> Result<Answer, Answer> {
        let Place::Calendar(user, name) = place else {
            return Err(web::empty(403));
        };
        let found = state
            .users
            .get_mut(user)
            .and_then(|user| user.calendars.remove(name));
        found
            .map(|_| web::empty(204))
            .ok_or_else(|| web::empty(404))
    }

    fn propfind(
        &self,
        state: &mut State,
        call: &Call,
        user: &str,
        place: &Place,
    ) -> Result<Answer, Answer> {
        let asked = report::asked(&call.body);
        let deep = call.header("depth") == Some("1");
        let mut out = state
            .response(self.world.origin(), user, place, &asked)
            .ok_or_else(|| web::empty(404))?;
        let children: Vec<Place> = match place {
            Place::Home(owner) if deep => {
                let names = state.users[owner].calendars.keys();
                let names =
                    names
                        .cloned()
                        .chain(["inbox".into(), "outbox".into(), "notification".into()]);
                names
                    .map(|name| Place::Calendar(owner.clone(), name))
                    .collect()
            }
            Place::Calendar(owner, calendar) if deep => {
                let objects = state.users[owner]
                    .calendars
                    .get(calendar)
                    .into_iter()
                    .flat_map(|found| &found.objects);
                let live = objects.filter(|(_, object)| !object.gone);
                live.map(|(name, _)| Place::Object(owner.clone(), calendar.clone(), name.clone()))
                    .collect()
            }
            _ => Vec::new(),
        };
        for child in &children {
            out.extend(state.response(self.world.origin(), user, child, &asked));
        }
        Ok(multistatus(&out))
    }
}

impl State {
    fn collection(&mut self, place: &Place) -> Option<&mut Collection> {
        let (Place::Calendar(user, calendar) | Place::Object(user, calendar, _)) = place else {
            return None;
        };
        self.users.get_mut(user)?.calendars.get_mut(calendar)
    }
    fn object(&mut self, place: &Place) -> Option<&Object> {
        let Place::Object(_, _, name) = place else {
            return None;
        };
        let object = self.collection(place)?.objects.get(name)?;
        (!object.gone).then_some(object)
    }

    fn href(&self, place: &Place) -> String {
        let home = matches!(
            place,
            Place::Home(_) | Place::Calendar(..) | Place::Object(..)
        );
        match (&self.quirks.home, self.quirks.absolute_hrefs && home) {
            (Some(home), true) => format!("{home}{}", place.path()),
            _ => place.path(),
        }
    }

    /// One `response` of a multistatus; `None` if there is nothing at the place.
    fn response(
        &mut self,
        origin: &str,
        user: &str,
        place: &Place,
        asked: &[Node],
    ) -> Option<String> {
        let special = matches!(place, Place::Calendar(_, name) if ["inbox", "outbox", "notification"].contains(&name.as_str()));
        match place {
            Place::Calendar(..) if !special => {
                self.collection(place)?;
            }
            Place::Object(..) => {
                self.object(place)?;
            }
            Place::Home(owner) | Place::Principal(owner) if !self.users.contains_key(owner) => {
                return None;
            }
            _ => {}
        }
        let (mut found, mut missing) = (String::new(), String::new());
        for node in asked {
            match self.property(origin, user, place, &node.ns, &node.name) {
                Some(inner) => found.push_str(&element(node, &inner)),
                None => missing.push_str(&element(node, "")),
            }
        }
        let group = |inner: &str, status: &str| match inner.is_empty() {
            true => String::new(),
            false => format!(
                "<D:propstat><D:prop>{inner}</D:prop><D:status>HTTP/1.1 {status}</D:status></D:propstat>"
            ),
        };
        let href = escape(&self.href(place));
        Some(format!(
            "<D:response><D:href>{href}</D:href>{}{}</D:response>",
            group(&found, "200 OK"),
            group(&missing, "404 Not Found")
        ))
    }

    /// The inner XML of a property.
    fn property(
        &mut self,
        origin: &str,
        user: &str,
        place: &Place,
        ns: &str,
        name: &str,
    ) -> Option<String> {
        let quirks = self.quirks.clone();
        let href = |path: String| format!("<D:href>{}</D:href>", escape(&path));
        match (place, ns, name) {
            (_, DAV, "current-user-principal" | "principal-URL" | "owner") => {
                Some(href(Place::Principal(user.to_string()).path()))
            }
            (Place::Principal(_), CAL, "calendar-home-set") => {
                let home = quirks.home.unwrap_or_else(|| {
                    if quirks.absolute_hrefs {
                        origin.to_string()
                    } else {
                        String::new()
                    }
                });
                Some(href(format!(
                    "{home}{}",
                    Place::Home(user.to_string()).path()
                )))
            }
            (Place::Principal(_), CAL, "calendar-user-address-set") => {
                Some(href(format!("mailto:{user}")))
            }
            (Place::Calendar(_, box_name), DAV, "resourcetype") => Some(match box_name.as_str() {
                "inbox" => "<D:collection/><C:schedule-inbox/>".to_string(),
                "outbox" => "<D:collection/><C:schedule-outbox/>".to_string(),
                "notification" => "<D:collection/><CS:notification/>".to_string(),
                _ => "<D:collection/><C:calendar/>".to_string(),
            }),
            (Place::Object(..), DAV, "resourcetype") => Some(String::new()),
            (_, DAV, "resourcetype") => Some("<D:collection/>".to_string()),
            (Place::Object(..), DAV, "getetag") => Some(escape(&self.object(place)?.etag())),
            (Place::Object(..), CAL, "calendar-data") => Some(escape(&self.object(place)?.text)),
            (Place::Object(..), DAV, "getcontenttype") => {
                Some("text/calendar; charset=utf-8".to_string())
            }
            (Place::Calendar(..), ..) => self.collection(place)?.property(&quirks, ns, name),
            _ => None,
        }
    }
}

impl Collection {
    fn token(&self) -> String {
        format!("http://simulator.test/ns/sync/{}-{}", self.epoch, self.seq)
    }

    fn property(&self, quirks: &Quirks, ns: &str, name: &str) -> Option<String> {
        match (ns, name) {
            (DAV, "displayname") => Some(escape(&self.title)),
            (APPLE, "calendar-color") => Some("#1BADF8FF".to_string()),
            (CS, "getctag") if quirks.ctag => Some(format!("ctag-{}-{}", self.epoch, self.seq)),
            (DAV, "sync-token") if quirks.sync_collection => Some(self.token()),
            (CAL, "supported-calendar-component-set") => {
                Some(format!("<C:comp name=\"{}\"/>", self.component))
            }
            (DAV, "supported-report-set") => {
                let report = |name: &str| {
                    format!(
                        "<D:supported-report><D:report><{name}/></D:report></D:supported-report>"
                    )
                };
                let mut out = report("C:calendar-multiget") + &report("C:calendar-query");
                if quirks.sync_collection {
                    out.push_str(&report("D:sync-collection"));
                }
                Some(out)
            }
            (DAV, "current-user-privilege-set") => {
                let one = |name: &str| format!("<D:privilege><D:{name}/></D:privilege>");
                let write = one("write") + &one("write-content") + &one("bind") + &one("unbind");
                Some(one("read") + if self.read_only { "" } else { &write })
            }
            _ => None,
        }
    }
}

/// `<prefix:name>inner</prefix:name>`, also for names that nobody knows.
fn element(node: &Node, inner: &str) -> String {
    let known = [(DAV, "D"), (CAL, "C"), (CS, "CS"), (APPLE, "A")];
    let prefix = known.iter().find(|(ns, _)| *ns == node.ns).map(|row| row.1);
    let name = &node.name;
    match prefix {
        Some(prefix) => format!("<{prefix}:{name}>{inner}</{prefix}:{name}>"),
        None => format!(
            "<X:{name} xmlns:X=\"{}\">{inner}</X:{name}>",
            escape(&node.ns)
        ),
    }
}

/// `If-Match` and `If-None-Match` of a write.
fn check(call: &Call, old: Option<&Object>) -> Result<(), Answer> {
    let none = call.header("if-none-match").is_some_and(|tag| tag == "*") && old.is_some();
    let stale = call.header("if-match").is_some_and(|tags| match old {
        None => true,
        Some(old) => tags != "*" && !tags.split(',').any(|tag| tag.trim() == old.etag()),
    });
    match none || stale {
        true => Err(failed(412, "")),
        false => Ok(()),
    }
}

/// The UID of the first component that has one.
fn uid(text: &str) -> Option<String> {
    let unfolded = text
        .replace("\r\n", "\n")
        .replace("\n ", "")
        .replace("\n\t", "");
    let mut lines = unfolded.lines();
    lines.find_map(|line| line.strip_prefix("UID:").map(str::to_string))
}

/// What iCloud does: its own PRODID, stamps of its own, lines folded anew.
fn rewritten(text: &str, now: i64) -> String {
    let stamp = super::recur::local(now, &jiff::tz::TimeZone::UTC)
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string();
    let unfolded = text
        .replace("\r\n", "\n")
        .replace("\n ", "")
        .replace("\n\t", "");
    let mut out = Vec::new();
    for line in unfolded.lines().filter(|line| !line.is_empty()) {
        match line {
            line if line.starts_with("PRODID") => {
                out.push("PRODID:-//Caldav Simulator//EN".to_string())
            }
            line if line.starts_with("CREATED") || line.starts_with("LAST-MODIFIED") => {}
            "BEGIN:VEVENT" => out.extend([
                line.to_string(),
                format!("CREATED:{stamp}"),
                format!("LAST-MODIFIED:{stamp}"),
            ]),
            line => out.push(fold(line)),
        }
    }
    out.join("\r\n") + "\r\n"
}

fn fold(line: &str) -> String {
    let (mut out, mut width) = (String::new(), 0);
    for letter in line.chars() {
        if width + letter.len_utf8() > 70 {
            out.push_str("\r\n ");
            width = 1;
        }
        out.push(letter);
        width += letter.len_utf8();
    }
    out
}
