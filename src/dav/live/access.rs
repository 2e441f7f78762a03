//! Rights as properties: RFC 3744 §5, with read-free-busy of RFC 4791 §6.1.

use crate::dav::names::dav;
use crate::dav::view::{Node, Out, View};
use crate::model::{Privilege, Privileges};
use crate::xml::{Name, Writer};

/// A privilege with its children; RFC 3744 §3.12's aggregates and ours.
struct Row {
    name: &'static Name,
    /// What has to be granted for it to be granted.
    is: Privileges,
    about: &'static str,
    contains: &'static [Row],
}

macro_rules! row {
    ($ns:ident $local:literal, $privilege:ident, $about:literal) => {
        row!($ns $local, Privileges::NONE.with(Privilege::$privilege), $about, [])
    };
    ($ns:ident $local:literal, $is:expr, $about:literal, [$($child:expr),* $(,)?]) => {{
        static NAME: Name = Name::$ns($local);
        Row { name: &NAME, is: $is, about: $about, contains: &[$($child),*] }
    }};
}

static TREE: Row = row!(dav "all", Privileges::ALL, "Everything", [
    row!(dav "read", Privileges::NONE.with(Privilege::Read).with(Privilege::ReadFreeBusy), "Read", [
        row!(caldav "read-free-busy", ReadFreeBusy, "Read when somebody is busy"),
    ]),
    row!(dav "write", Privileges::WRITE, "Change", [
        row!(dav "write-properties", WriteProperties, "Change properties"),
        row!(dav "write-content", WriteContent, "Change objects"),
        row!(dav "bind", Bind, "Add objects"),
        row!(dav "unbind", Unbind, "Remove objects"),
    ]),
    row!(dav "unlock", Unlock, "Remove locks of others"),
    row!(dav "read-acl", ReadAcl, "Read the rights of others"),
    row!(dav "read-current-user-privilege-set", ReadCurrentUserPrivilegeSet, "Read one's own rights"),
    row!(dav "write-acl", WriteAcl, "Change the rights of others"),
]);

/// The names of the privileges in a set, aggregates first.
pub fn privilege_names(set: Privileges) -> Vec<&'static Name> {
    fn walk(row: &'static Row, set: Privileges, names: &mut Vec<&'static Name>) {
        if set.contains(row.is) {
            names.push(row.name);
        }
        for child in row.contains {
            walk(child, set, names);
        }
    }
    let mut names = Vec::new();
    walk(&TREE, set, &mut names);
    names
}

pub fn owner(view: &View, out: Out) -> Option<()> {
    match view.calendar() {
        Some(bound) => out.href(&view.desk.principal(&bound.calendar.owner_name)),
        None => out.href(&view.desk.principal(&view.principal()?.name)),
    }
}

pub fn supported_privilege_set(_: &View, out: Out) -> Option<()> {
    fn write(row: &Row, w: &mut Writer) {
        w.open(&dav::SUPPORTED_PRIVILEGE)
            .open(&dav::PRIVILEGE)
            .empty(row.name)
            .close();
        w.open(&dav::DESCRIPTION)
            .attr("xml:lang", "en")
            .text(row.about)
            .close();
        row.contains.iter().for_each(|child| write(child, w));
        w.close();
    }
    out.inside(|w| write(&TREE, w))
}

pub fn current_user_privilege_set(view: &View, out: Out) -> Option<()> {
    out.inside(|w| write_privileges(w, view.privileges()))
}

fn write_privileges(w: &mut Writer, set: Privileges) {
    for name in privilege_names(set) {
        w.open(&dav::PRIVILEGE).empty(name).close();
    }
}

/// Whom an access control entry is for.
enum Whom<'a> {
    Principal(&'a str),
    Authenticated,
}

/// RFC 3744 §5.5, all entries protected: rights are not changed by the ACL method.
pub fn acl(view: &View, out: Out) -> Option<()> {
    let desk = view.desk;
    out.inside(|w| {
        let mut ace = |whom: Whom, set: Privileges| {
            static PRINCIPAL: Name = Name::dav("principal");
            static AUTHENTICATED: Name = Name::dav("authenticated");
            w.open(&dav::ACE).open(&PRINCIPAL);
            match whom {
                Whom::Principal(name) => w.element(&dav::HREF, &desk.principal(name)),
                Whom::Authenticated => w.empty(&AUTHENTICATED),
            };
            w.close().open(&dav::GRANT);
            let names = privilege_names(set);
            let brief: &[&Name] = if set == Privileges::ALL {
                &names[..1]
            } else {
                &names
            };
            for name in brief {
                w.open(&dav::PRIVILEGE).empty(name).close();
            }
            w.close().empty(&dav::PROTECTED).close();
        };
        match view.node {
            Node::Calendar(bound) | Node::Object(bound, _) => {
                ace(Whom::Principal(&bound.calendar.owner_name), Privileges::ALL);
                for (name, level) in &view.loaded.grants {
                    ace(Whom::Principal(name), Privileges::of_level(*level));
                }
            }
            Node::Root | Node::Principals | Node::Homes => {
                ace(Whom::Authenticated, Privileges::READER)
            }
            _ => {
                if let Some(principal) = view.principal() {
                    ace(Whom::Principal(&principal.name), Privileges::ALL);
                }
                if matches!(view.node, Node::Principal(_) | Node::Proxy(..)) {
                    ace(Whom::Authenticated, Privileges::READER);
                }
            }
        }
    })
}

/// RFC 3744 §5.6: entries only grant, and only to principals named by address.
pub fn acl_restrictions(_: &View, out: Out) -> Option<()> {
    static GRANT_ONLY: Name = Name::dav("grant-only");
    static NO_INVERT: Name = Name::dav("no-invert");
    out.marks([&GRANT_ONLY, &NO_INVERT])
}

pub fn inherited_acl_set(_: &View, out: Out) -> Option<()> {
    out.empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locals(set: Privileges) -> String {
        privilege_names(set)
            .iter()
            .map(|name| name.local.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn aggregates_are_named_with_what_they_contain() {
        assert_eq!(
            locals(Privileges::READER),
            "read read-free-busy read-current-user-privilege-set"
        );
        assert_eq!(
            locals(Privileges::WRITE),
            "write write-properties write-content bind unbind"
        );
        assert_eq!(locals(Privileges::NONE.with(Privilege::Bind)), "bind");
        assert!(locals(Privileges::ALL).starts_with("all read read-free-busy write "));
        assert_eq!(
            locals(Privileges::of_level(1)),
            "read-free-busy read-current-user-privilege-set"
        );
        assert_eq!(
            Name::caldav("read-free-busy"),
            *privilege_names(Privileges::NONE.with(Privilege::ReadFreeBusy))[0]
        );
    }
}
