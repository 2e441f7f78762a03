//! What a property getter sees: one resource, loaded, and the element that it fills.

use std::fmt::Write as _;

use super::names::dav;
use crate::config::Limits;
use crate::model::path::encode;
use crate::model::{Bound, ObjectId, Path, Principal, Privilege, Privileges, Who};
use crate::xml::{Name, Writer};

/// Kinds of resource, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct On(u16);

impl On {
    pub const ROOT: On = On(1);
    pub const PRINCIPALS: On = On(2);
    pub const HOMES: On = On(4);
    pub const PRINCIPAL: On = On(8);
    pub const PROXY: On = On(16);
    pub const HOME: On = On(32);
    pub const INBOX: On = On(64);
    pub const OUTBOX: On = On(128);
    pub const NOTIFICATIONS: On = On(256);
    pub const CALENDAR: On = On(512);
    pub const OBJECT: On = On(1024);
    pub const ALL: On = On(2047);
    /// The home and what is always in it.
    pub const HOMELY: On = On::HOME.or(On::INBOX).or(On::OUTBOX).or(On::NOTIFICATIONS);
    /// What sync-collection may be asked of.
    pub const SYNCED: On = On::HOME
        .or(On::INBOX)
        .or(On::NOTIFICATIONS)
        .or(On::CALENDAR);
    /// What belongs to one principal.
    pub const OWNED: On = On::HOMELY
        .or(On::CALENDAR)
        .or(On::OBJECT)
        .or(On::PRINCIPAL)
        .or(On::PROXY);

    pub const fn or(self, other: On) -> On {
        On(self.0 | other.0)
    }

    /// Whether the two have a kind in common.
    pub const fn meets(self, other: On) -> bool {
        self.0 & other.0 != 0
    }
}

/// What has to be loaded beside the resource itself; one query a need for all members of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs(u16);

impl Needs {
    pub const NOTHING: Needs = Needs(0);
    /// Properties that clients stored.
    pub const STORED: Needs = Needs(1);
    pub const GRANTS: Needs = Needs(2);
    /// The groups that a principal is in.
    pub const GROUPS: Needs = Needs(4);
    pub const GROUP_MEMBERS: Needs = Needs(8);
    /// Bytes in a home.
    pub const USAGE: Needs = Needs(16);
    /// The home's sync token.
    pub const HOME_STATE: Needs = Needs(32);
    /// More of an object than its name and tag.
    pub const MEMBER: Needs = Needs(64);
    /// The object's text.
    pub const BODY: Needs = Needs(128);

    pub const fn and(self, other: Needs) -> Needs {
        Needs(self.0 | other.0)
    }

    pub const fn has(self, other: Needs) -> bool {
        self.0 & other.0 != 0
    }
}

/// What is the same for every resource of an answer: who asks, and how addresses begin.
#[derive(Clone)]
pub struct Desk {
    pub who: Who,
    /// The path prefix of the public address.
    pub prefix: String,
    pub limits: Limits,
}

impl Desk {
    pub fn href(&self, path: &Path) -> String {
        let mut href = self.prefix.clone();
        href.push_str(&path.print());
        href
    }

    pub fn principal(&self, name: &str) -> String {
        format!("{}/dav/principals/{}/", self.prefix, encode(name))
    }

    pub fn home(&self, name: &str) -> String {
        format!("{}/dav/calendars/{}/", self.prefix, encode(name))
    }

    pub fn calendar(&self, bound: &Bound) -> String {
        let mut href = self.home(&bound.home_name);
        // Writing to a String cannot fail.
        let _ = write!(href, "{}/", encode(&bound.slug));
        href
    }
}

/// The resource itself.
#[derive(Clone, Copy)]
pub enum Node<'a> {
    Root,
    Principals,
    Homes,
    Principal(&'a Principal),
    Proxy(&'a Principal, bool),
    Home(&'a Principal, Privileges),
    Inbox(&'a Principal, Privileges),
    Outbox(&'a Principal, Privileges),
    Notifications(&'a Principal, Privileges),
    Calendar(&'a Bound),
    Object(&'a Bound, ObjectView<'a>),
}

impl Node<'_> {
    pub fn kind(&self) -> On {
        match self {
            Node::Root => On::ROOT,
            Node::Principals => On::PRINCIPALS,
            Node::Homes => On::HOMES,
            Node::Principal(_) => On::PRINCIPAL,
            Node::Proxy(..) => On::PROXY,
            Node::Home(..) => On::HOME,
            Node::Inbox(..) => On::INBOX,
            Node::Outbox(..) => On::OUTBOX,
            Node::Notifications(..) => On::NOTIFICATIONS,
            Node::Calendar(_) => On::CALENDAR,
            Node::Object(..) => On::OBJECT,
        }
    }

    /// What somebody may do with it.
    pub fn privileges(&self, who: &Who) -> Privileges {
        match *self {
            Node::Root | Node::Principals | Node::Homes => Privileges::READER,
            Node::Principal(principal) if principal.id == who.id => Privileges::READER
                .with(Privilege::ReadAcl)
                .with(Privilege::WriteProperties),
            Node::Principal(_) | Node::Proxy(..) => Privileges::READER,
            Node::Home(_, may)
            | Node::Inbox(_, may)
            | Node::Outbox(_, may)
            | Node::Notifications(_, may) => may,
            Node::Calendar(bound) | Node::Object(bound, _) => bound.privileges,
        }
    }
}

/// An object as a listing sees it. Without [`Needs::MEMBER`] only name, tag and id are filled.
#[derive(Clone, Copy)]
pub struct ObjectView<'a> {
    pub id: ObjectId,
    pub name: &'a str,
    pub etag: &'a str,
    pub schedule_tag: Option<&'a str>,
    pub size: i64,
    pub created: i64,
    pub modified: i64,
    /// With [`Needs::BODY`].
    pub body: &'a [u8],
}

/// What was loaded beside the resource.
#[derive(Clone, Default)]
pub struct Loaded {
    /// Clark name and value, a self-contained element.
    pub stored: Vec<(String, String)>,
    /// Name and level of those who have rights on a calendar.
    pub grants: Vec<(String, i64)>,
    /// Names of principals.
    pub groups: Vec<String>,
    pub group_members: Vec<String>,
    pub used_bytes: i64,
    pub home_token: String,
}

impl Loaded {
    /// What a client stored under this name.
    pub fn stored(&self, name: &Name) -> Option<&str> {
        self.stored
            .iter()
            .find(|(key, _)| is_clark(key, name))
            .map(|(_, value)| value.as_str())
    }
}

/// Whether `clark` is `{namespace}local` of this name.
pub fn is_clark(clark: &str, name: &Name) -> bool {
    let uri = name.ns.uri();
    match clark.strip_prefix('{') {
        Some(rest) => rest
            .strip_prefix(uri)
            .and_then(|rest| rest.strip_prefix('}'))
            .is_some_and(|local| local == name.local.as_str() && !uri.is_empty()),
        None => uri.is_empty() && clark == name.local.as_str(),
    }
}

/// One resource for the getters.
pub struct View<'a> {
    pub desk: &'a Desk,
    pub node: Node<'a>,
    pub loaded: &'a Loaded,
}

impl<'a> View<'a> {
    pub fn object(&self) -> Option<&ObjectView<'a>> {
        match &self.node {
            Node::Object(_, object) => Some(object),
            _ => None,
        }
    }

    /// The calendar, also of an object.
    pub fn calendar(&self) -> Option<&'a Bound> {
        match self.node {
            Node::Calendar(bound) | Node::Object(bound, _) => Some(bound),
            _ => None,
        }
    }

    /// The principal that the resource is, or that a home belongs to.
    pub fn principal(&self) -> Option<&'a Principal> {
        match self.node {
            Node::Principal(principal)
            | Node::Proxy(principal, _)
            | Node::Home(principal, _)
            | Node::Inbox(principal, _)
            | Node::Outbox(principal, _)
            | Node::Notifications(principal, _) => Some(principal),
            _ => None,
        }
    }

    /// What the person asking may do with it.
    pub fn privileges(&self) -> Privileges {
        self.node.privileges(&self.desk.who)
    }
}

/// Where a getter writes: the property's element, and nothing else.
pub struct Out<'w> {
    pub w: &'w mut Writer,
    pub name: &'w Name,
}

impl Out<'_> {
    pub fn empty(self) -> Option<()> {
        self.w.empty(self.name);
        Some(())
    }

    pub fn text(self, text: &str) -> Option<()> {
        self.w.element(self.name, text);
        Some(())
    }

    /// An entity tag or schedule tag, in quotes.
    pub fn etag(self, tag: &str) -> Option<()> {
        self.w.open(self.name).raw("\"").text(tag).raw("\"").close();
        Some(())
    }

    pub fn number(self, number: i64) -> Option<()> {
        self.text(&number.to_string())
    }

    /// A `DAV:href`, already percent-encoded.
    pub fn href(self, href: &str) -> Option<()> {
        self.hrefs([href])
    }

    pub fn hrefs<T: AsRef<str>>(self, hrefs: impl IntoIterator<Item = T>) -> Option<()> {
        self.inside(|w| {
            for href in hrefs {
                w.element(&dav::HREF, href.as_ref());
            }
        })
    }

    /// Empty elements.
    pub fn marks<'n>(self, names: impl IntoIterator<Item = &'n Name>) -> Option<()> {
        self.inside(|w| {
            for name in names {
                w.empty(name);
            }
        })
    }

    /// Whatever `content` writes.
    pub fn inside(self, content: impl FnOnce(&mut Writer)) -> Option<()> {
        self.w.open(self.name);
        content(self.w);
        self.w.close();
        Some(())
    }

    /// What a client stored under this name.
    pub fn stored(self, view: &View) -> Option<()> {
        self.w.raw(view.loaded.stored(self.name)?);
        Some(())
    }
}
