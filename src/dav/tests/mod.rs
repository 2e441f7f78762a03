//! Requests to the whole of `dav` over a real database: the RFCs' examples, then a case for each rule.

mod changes;
mod compliance;
mod discovery;
mod free_busy;
mod full;
mod objects;
mod properties;
mod queries;
mod search;
mod syncing;
mod transcripts;
mod transfer;
mod webdav;

use http_body_util::BodyExt;

use crate::app::testing::World;
use crate::model::access::Scopes;
use crate::model::{PrincipalId, Who};
use crate::wire::{Peer, RequestBody};
use crate::xml::{self, Element, Name};

/// The world, and the person whose requests are sent.
pub struct Dav {
    pub world: World,
    pub who: Who,
}

/// An answer, read whole.
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

const ANNA: &str = "/dav/calendars/anna/";
const WORK: &str = "/dav/calendars/anna/work/";

impl Dav {
    /// Anna, with an empty calendar `work` besides those that everybody gets.
    pub async fn new() -> Dav {
        let world = World::new().await;
        let id = world.user("anna").await;
        let dav = Dav {
            world,
            who: who(id, "anna"),
        };
        dav.ok("MKCALENDAR", WORK, &[], "", 201).await;
        dav
    }

    /// Another person in the same world, and what they send.
    pub async fn user(&self, name: &str) -> Who {
        who(self.world.user(name).await, name)
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        self.send_as(&self.who, method, path, headers, body).await
    }

    pub async fn send_as(
        &self,
        who: &Who,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = RequestBody::from_bytes(body.as_ref().to_vec(), Peer::LOCAL);
        let response =
            super::serve(&self.world.app, who.clone(), request.body(body).unwrap()).await;
        let (parts, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .expect("the answer does not break off")
            .to_bytes()
            .to_vec();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    /// Sends and expects this status.
    pub async fn ok(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
        status: u16,
    ) -> Answer {
        let answer = self.send(method, path, headers, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        answer
    }

    pub async fn put(&self, name: &str, ics: impl AsRef<[u8]>) -> Answer {
        self.send(
            "PUT",
            &format!("{WORK}{name}"),
            &[("Content-Type", "text/calendar; charset=utf-8")],
            ics,
        )
        .await
    }

    pub async fn propfind(&self, path: &str, depth: &str, props: &str) -> Answer {
        let body = format!("<D:propfind {NS}><D:prop>{props}</D:prop></D:propfind>");
        self.ok("PROPFIND", path, &[("Depth", depth)], &body, 207)
            .await
    }

    pub async fn report(&self, path: &str, depth: &str, body: &str) -> Answer {
        self.ok("REPORT", path, &[("Depth", depth)], body, 207)
            .await
    }

    pub async fn proppatch(&self, path: &str, set: &str) -> Answer {
        let body = format!(
            "<D:propertyupdate {NS}><D:set><D:prop>{set}</D:prop></D:set></D:propertyupdate>"
        );
        self.ok("PROPPATCH", path, &[], &body, 207).await
    }

    /// The sync token of a collection.
    pub async fn token(&self, path: &str) -> String {
        self.propfind(path, "0", "<D:sync-token/>")
            .await
            .value(path, "sync-token")
            .expect("a sync-token")
    }
}

fn who(id: PrincipalId, name: &str) -> Who {
    Who {
        id,
        name: name.into(),
        admin: false,
        scopes: Scopes::ALL,
    }
}

/// The prefixes that bodies in tests use.
pub const NS: &str = "xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\" \
    xmlns:CS=\"http://calendarserver.org/ns/\" xmlns:A=\"http://apple.com/ns/ical/\" xmlns:X=\"urn:x\"";

/// An event of an hour: UID and day of January 2027.
pub fn event(uid: &str, day: u32) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20270101T000000Z\r\n\
         DTSTART:202701{day:02}T100000Z\r\nDTEND:202701{day:02}T110000Z\r\nSUMMARY:{uid}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// A task without any date.
pub fn todo(uid: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:VTODO\r\nUID:{uid}\r\nDTSTAMP:20270101T000000Z\r\n\
         SUMMARY:{uid}\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    )
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub fn xml(&self) -> Element {
        xml::read(&self.body, &xml::Limits::default())
            .unwrap_or_else(|why| panic!("{why}: {}", self.text()))
    }

    /// The responses of a multistatus.
    pub fn responses(&self) -> Vec<Element> {
        let root = self.xml();
        assert_eq!(root.name, Name::dav("multistatus"), "{}", self.text());
        root.elements()
            .filter(|e| e.name == Name::dav("response"))
            .cloned()
            .collect()
    }

    pub fn hrefs(&self) -> Vec<String> {
        self.responses().iter().map(href).collect()
    }

    /// Hrefs below the calendar `work`, without it; removed ones with a minus.
    pub fn names(&self) -> Vec<String> {
        self.responses()
            .iter()
            .map(|response| {
                let status = response
                    .child(&Name::dav("status"))
                    .map(Element::text)
                    .unwrap_or_default();
                let sign = match status.split(' ').nth(1) {
                    None => "",
                    Some("404") => "-",
                    Some(other) => panic!("status {other}"),
                };
                format!("{sign}{}", href(response).trim_start_matches(WORK))
            })
            .collect()
    }

    fn response(&self, at: &str) -> Element {
        let all = self.responses();
        let found = all.into_iter().find(|response| href(response) == at);
        found.unwrap_or_else(|| panic!("no response for {at} in {}", self.text()))
    }

    /// The propstat status that a property is listed under.
    pub fn status_of(&self, at: &str, local: &str) -> Option<u16> {
        self.find(at, local).map(|(status, _)| status)
    }

    /// A property that is there.
    pub fn prop(&self, at: &str, local: &str) -> Option<Element> {
        self.find(at, local)
            .filter(|(status, _)| *status == 200)
            .map(|(_, element)| element)
    }

    /// Its characters.
    pub fn value(&self, at: &str, local: &str) -> Option<String> {
        self.prop(at, local).map(|element| element.text())
    }

    fn find(&self, at: &str, local: &str) -> Option<(u16, Element)> {
        let response = self.response(at);
        for propstat in response
            .elements()
            .filter(|e| e.name == Name::dav("propstat"))
        {
            let status = propstat
                .child(&Name::dav("status"))?
                .text()
                .split(' ')
                .nth(1)?
                .parse()
                .ok()?;
            let prop = propstat.child(&Name::dav("prop"))?;
            if let Some(found) = prop.elements().find(|e| e.name.local.as_str() == local) {
                return Some((status, found.clone()));
            }
        }
        None
    }

    /// The precondition elements of a `DAV:error`.
    pub fn precondition(&self) -> String {
        let root = self.xml();
        assert_eq!(root.name, Name::dav("error"), "{}", self.text());
        let first = root.elements().next().map(|e| e.name.local.to_string());
        first.expect("never an empty DAV:error")
    }

    pub fn sync_token(&self) -> String {
        self.xml()
            .child(&Name::dav("sync-token"))
            .expect("a sync-token")
            .text()
    }
}

fn href(response: &Element) -> String {
    response.child(&Name::dav("href")).expect("an href").text()
}

/// Local names of child elements.
pub fn locals(element: &Element) -> Vec<String> {
    element
        .elements()
        .map(|e| e.name.local.to_string())
        .collect()
}
