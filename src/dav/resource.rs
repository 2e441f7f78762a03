//! From a path to the resource there, with what an answer needs of it.
//!
//! What the person asking may not know of is absent. Apple's clients look at addresses outside of the layout as well; they
//! answer as the root or the person's own principal would, under the address that was asked for.

use super::view::{Desk, Loaded, Needs, Node, ObjectView, On};
use crate::model::{
    Bound, Error, Path, Precondition, Principal, Privilege, Privileges, Readable, Result,
    StoredObject, Who, access,
};
use crate::store::{Tx, calendars, objects, principals, properties};

/// An address: what it means, and how the answer spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: Path,
    /// An address outside of the layout, as it was asked for.
    alias: Option<String>,
}

impl Place {
    /// `path` is without the prefix of the public address.
    pub fn parse(path: &str, who: &Who) -> Option<Place> {
        if let Some(path) = Path::parse(path) {
            return Some(Place { path, alias: None });
        }
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let path_meant = match (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) {
            (None, ..) => Path::Root,
            (Some("principals"), None, ..) => Path::Principals,
            (Some("calendar"), Some("dav"), Some(_), Some("user"), None) => {
                Path::Principal(who.name.clone())
            }
            _ => return None,
        };
        Some(Place {
            path: path_meant,
            alias: Some(path.to_owned()),
        })
    }

    /// The address as answers spell it.
    pub fn href(&self, desk: &Desk) -> String {
        match &self.alias {
            Some(alias) => format!("{}{alias}", desk.prefix),
            None => desk.href(&self.path),
        }
    }
}

/// The kind that a path stands for, whether or not something is there.
pub fn kind(path: &Path) -> On {
    match path {
        Path::Root => On::ROOT,
        Path::Principals => On::PRINCIPALS,
        Path::Homes => On::HOMES,
        Path::Principal(_) => On::PRINCIPAL,
        Path::Proxy { .. } => On::PROXY,
        Path::Home(_) => On::HOME,
        Path::Inbox(_) => On::INBOX,
        Path::Outbox(_) => On::OUTBOX,
        Path::Notifications(_) => On::NOTIFICATIONS,
        Path::Calendar { .. } => On::CALENDAR,
        Path::Object { .. } => On::OBJECT,
    }
}

/// One resource.
pub enum Resource {
    Root,
    Principals,
    Homes,
    Principal(Principal),
    Proxy(Principal, bool),
    Home(Principal, Privileges),
    Inbox(Principal, Privileges),
    Outbox(Principal, Privileges),
    Notifications(Principal, Privileges),
    Calendar(Readable<Bound>),
    Object(Readable<Bound>, StoredObject),
}

impl Resource {
    pub fn node(&self) -> Node<'_> {
        match self {
            Resource::Root => Node::Root,
            Resource::Principals => Node::Principals,
            Resource::Homes => Node::Homes,
            Resource::Principal(principal) => Node::Principal(principal),
            Resource::Proxy(principal, write) => Node::Proxy(principal, *write),
            Resource::Home(principal, may) => Node::Home(principal, *may),
            Resource::Inbox(principal, may) => Node::Inbox(principal, *may),
            Resource::Outbox(principal, may) => Node::Outbox(principal, *may),
            Resource::Notifications(principal, may) => Node::Notifications(principal, *may),
            Resource::Calendar(bound) => Node::Calendar(bound),
            Resource::Object(bound, object) => Node::Object(bound, view_of(object)),
        }
    }
}

/// A whole object as the getters see it.
pub fn view_of(object: &StoredObject) -> ObjectView<'_> {
    let member = &object.member;
    ObjectView {
        id: member.id,
        name: &member.name,
        etag: &member.etag.0,
        schedule_tag: member.schedule_tag.as_deref(),
        size: member.size,
        created: member.created,
        modified: member.modified,
        body: &object.body,
    }
}

/// The resource at a path, if the person may read it.
///
/// # Errors
/// `NotFound` when there is none that the person may know of.
pub async fn load(tx: &mut Tx<'_>, who: &Who, path: &Path) -> Result<Resource> {
    may_read(who)?;
    Ok(match path {
        Path::Root => Resource::Root,
        Path::Principals => Resource::Principals,
        Path::Homes => Resource::Homes,
        Path::Principal(name) => Resource::Principal(principal(tx, name).await?),
        Path::Proxy { name, write } => Resource::Proxy(principal(tx, name).await?, *write),
        Path::Home(name) => {
            let (principal, may) = home(tx, who, name).await?;
            Resource::Home(principal, may)
        }
        Path::Inbox(name) => Resource::Inbox(own(tx, who, name).await?, Privileges::ALL),
        Path::Outbox(name) => Resource::Outbox(own(tx, who, name).await?, Privileges::ALL),
        Path::Notifications(name) => {
            Resource::Notifications(own(tx, who, name).await?, Privileges::ALL)
        }
        Path::Calendar { name, slug } => Resource::Calendar(calendar(tx, who, name, slug).await?),
        Path::Object { name, slug, object } => {
            let bound = calendar(tx, who, name, slug).await?;
            let found = objects::get(tx, bound.calendar.id, object)
                .await?
                .ok_or(Error::NotFound)?;
            Resource::Object(bound, found)
        }
    })
}

async fn principal(tx: &mut Tx<'_>, name: &str) -> Result<Principal> {
    principals::find(tx, name)
        .await?
        .filter(|found| found.disabled.is_none())
        .ok_or(Error::NotFound)
}

/// The principal, when it is the person asking.
async fn own(tx: &mut Tx<'_>, who: &Who, name: &str) -> Result<Principal> {
    let found = principal(tx, name).await?;
    if found.id == who.id {
        Ok(found)
    } else {
        Err(Error::NotFound)
    }
}

/// A home that is one's own, or that has a calendar which one may see.
pub async fn home(tx: &mut Tx<'_>, who: &Who, name: &str) -> Result<(Principal, Privileges)> {
    let found = principal(tx, name).await?;
    if found.id == who.id {
        return Ok((found, Privileges::ALL));
    }
    let visible = calendars::list(tx, who.id, name).await?;
    if visible.is_empty() {
        return Err(Error::NotFound);
    }
    let may = match visible.iter().any(can_read) {
        true => Privileges::READER,
        false => Privileges::of_level(1),
    };
    Ok((found, may))
}

pub fn can_read(bound: &Bound) -> bool {
    bound.privileges.has(Privilege::Read)
}

/// A calendar that the person may read.
pub async fn calendar(
    tx: &mut Tx<'_>,
    who: &Who,
    home: &str,
    slug: &str,
) -> Result<Readable<Bound>> {
    let bound = calendars::find(tx, who.id, home, slug)
        .await?
        .ok_or(Error::NotFound)?;
    access::readable(bound, who)
}

/// Whether this credential may change anything at all.
pub fn may_write(who: &Who) -> Result<()> {
    match who.scopes.has(access::Scopes::WRITE) {
        true => Ok(()),
        false => Err(Error::forbidden("this token lacks the scope write")),
    }
}

/// Whether it may read.
fn may_read(who: &Who) -> Result<()> {
    match who.scopes.has(access::Scopes::READ) {
        true => Ok(()),
        false => Err(Error::forbidden("this token lacks the scope read")),
    }
}

/// Reading needs DAV:read; who may see nothing is told that nothing is there.
pub fn demand_read(who: &Who, may: Privileges) -> Result<()> {
    if may == Privileges::NONE {
        return Err(Error::NotFound);
    }
    may_read(who)?;
    demand(may, Privilege::Read)
}

/// Refuses what needs a privilege that the person does not have on this resource.
pub fn demand(may: Privileges, needs: Privilege) -> Result<()> {
    match may.has(needs) {
        true => Ok(()),
        false => Err(lacking(needs)),
    }
}

/// RFC 3744 §7.1.1: which privilege is missing.
pub fn lacking(needs: Privilege) -> Error {
    let needs = Privileges::NONE.with(needs);
    Error::precondition(
        Precondition::NeedPrivileges { needs },
        "you may not do this here",
    )
}

/// Loads what `needs` says beside the resource: one query a need.
pub async fn load_extra(
    tx: &mut Tx<'_>,
    who: &Who,
    node: &Node<'_>,
    needs: Needs,
) -> Result<Loaded> {
    let mut loaded = Loaded::default();
    if needs.has(Needs::STORED)
        && let Some((kind, id)) = owner(node)
    {
        loaded.stored = properties::get_all(tx, kind, id, who.id).await?;
    }
    match node {
        Node::Principal(principal) => {
            if needs.has(Needs::GROUPS) {
                loaded.groups = names(principals::groups_of(tx, principal.id).await?);
            }
            if needs.has(Needs::GROUP_MEMBERS) {
                loaded.group_members = names(principals::members_of(tx, principal.id).await?);
            }
        }
        Node::Home(principal, _) => {
            if needs.has(Needs::USAGE) {
                let all = calendars::list(tx, who.id, &principal.name).await?;
                loaded.used_bytes = all
                    .iter()
                    .filter(|bound| bound.calendar.owner == principal.id)
                    .map(|bound| bound.calendar.bytes)
                    .sum();
            }
            if needs.has(Needs::HOME_STATE) {
                loaded.home_token = super::reports::home::token(tx, who, principal)
                    .await?
                    .print();
            }
        }
        Node::Calendar(bound) | Node::Object(bound, _) if needs.has(Needs::GRANTS) => {
            loaded.grants = grants(tx, bound).await?;
        }
        _ => {}
    }
    Ok(loaded)
}

/// Name and level of those who have rights on a calendar beside its owner.
pub async fn grants(tx: &mut Tx<'_>, bound: &Bound) -> Result<Vec<(String, i64)>> {
    let grants = calendars::grants(tx, bound.calendar.id).await?;
    Ok(grants
        .into_iter()
        .map(|(principal, level)| (principal.name, level))
        .collect())
}

fn names(principals: Vec<Principal>) -> Vec<String> {
    principals
        .into_iter()
        .map(|principal| principal.name)
        .collect()
}

/// Under which kind and id the properties of a resource are stored; `None`: nothing can be.
pub fn owner(node: &Node<'_>) -> Option<(properties::OwnerKind, i64)> {
    use properties::OwnerKind as Kind;
    Some(match node {
        Node::Root | Node::Principals | Node::Homes | Node::Proxy(..) => return None,
        Node::Principal(principal) => (Kind::Principal, principal.id.0),
        Node::Home(principal, _) => (Kind::Home, principal.id.0),
        Node::Inbox(principal, _) => (Kind::Inbox, principal.id.0),
        Node::Outbox(principal, _) => (Kind::Outbox, principal.id.0),
        Node::Notifications(principal, _) => (Kind::Notifications, principal.id.0),
        Node::Calendar(bound) => (Kind::Calendar, bound.calendar.id.0),
        Node::Object(_, object) => (Kind::Object, object.id.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PrincipalId;

    #[test]
    fn addresses_that_apples_clients_try_mean_something() {
        let who = Who {
            id: PrincipalId(1),
            name: "anna".into(),
            admin: false,
            scopes: access::Scopes::ALL,
        };
        for (asked, meant) in [
            ("/", Some("/dav/")),
            ("/principals/", Some("/dav/principals/")),
            ("/principals", Some("/dav/principals/")),
            (
                "/calendar/dav/someone%40example.org/user/",
                Some("/dav/principals/anna/"),
            ),
            ("/dav/calendars/anna/", Some("/dav/calendars/anna/")),
            ("/principals/users/", None),
            ("/favicon.ico", None),
        ] {
            assert_eq!(
                Place::parse(asked, &who)
                    .map(|place| place.path.print())
                    .as_deref(),
                meant,
                "{asked}"
            );
        }
    }
}
