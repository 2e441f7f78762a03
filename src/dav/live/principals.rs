//! Properties of principals (RFC 3744 §4, RFC 4791 §6.2, RFC 6638 §2.4) and the ones that lead to them.
//!
//! schedule-inbox-URL, schedule-outbox-URL and notification-URL are absent as long as nothing is delivered there:
//! clients then leave scheduling to the person (Apple's hides the invitees field, Thunderbird sends mail itself).

use crate::dav::view::{Node, Out, View};
use crate::model::{Path, PrincipalKind};
use crate::xml::Name;

pub fn current_user_principal(view: &View, out: Out) -> Option<()> {
    out.href(&view.desk.principal(&view.desk.who.name))
}

pub fn principal_collection_set(view: &View, out: Out) -> Option<()> {
    out.href(&view.desk.href(&Path::Principals))
}

pub fn principal_url(view: &View, out: Out) -> Option<()> {
    let principal = view.principal()?;
    match view.node {
        Node::Proxy(_, write) => out.href(&view.desk.href(&Path::Proxy {
            name: principal.name.clone(),
            write,
        })),
        _ => out.href(&view.desk.principal(&principal.name)),
    }
}

pub fn alternate_uri_set(_: &View, out: Out) -> Option<()> {
    out.empty()
}

/// Empty for users, and for proxy groups: nobody can delegate yet.
pub fn group_member_set(view: &View, out: Out) -> Option<()> {
    out.hrefs(
        view.loaded
            .group_members
            .iter()
            .map(|name| view.desk.principal(name)),
    )
}

pub fn group_membership(view: &View, out: Out) -> Option<()> {
    out.hrefs(
        view.loaded
            .groups
            .iter()
            .map(|name| view.desk.principal(name)),
    )
}

pub fn calendar_home_set(view: &View, out: Out) -> Option<()> {
    out.href(&view.desk.home(&view.principal()?.name))
}

/// The mail addresses, the one shown first; then the principal's own address.
pub fn addresses(view: &View, out: Out) -> Option<()> {
    let principal = view.principal()?;
    let mail = principal
        .addresses
        .iter()
        .map(|address| format!("mailto:{address}"));
    out.hrefs(mail.chain([view.desk.principal(&principal.name)]))
}

pub fn calendar_user_type(view: &View, out: Out) -> Option<()> {
    out.text(match view.principal()?.kind {
        PrincipalKind::User => "INDIVIDUAL",
        PrincipalKind::Group => "GROUP",
        PrincipalKind::Resource => "RESOURCE",
    })
}

pub fn record_type(view: &View, out: Out) -> Option<()> {
    out.text(match view.principal()?.kind {
        PrincipalKind::User => "users",
        PrincipalKind::Group => "groups",
        PrincipalKind::Resource => "resources",
    })
}

pub fn email_address_set(view: &View, out: Out) -> Option<()> {
    static EMAIL_ADDRESS: Name = Name::cs("email-address");
    let principal = view.principal()?;
    out.inside(|w| {
        for address in &principal.addresses {
            w.element(&EMAIL_ADDRESS, address);
        }
    })
}

/// All of the display name but its last word.
pub fn first_name(view: &View, out: Out) -> Option<()> {
    out.text(split_name(view)?.0)
}

pub fn last_name(view: &View, out: Out) -> Option<()> {
    out.text(split_name(view)?.1)
}

fn split_name<'a>(view: &View<'a>) -> Option<(&'a str, &'a str)> {
    let principal = view
        .principal()
        .filter(|principal| principal.kind == PrincipalKind::User)?;
    let name = principal.display_name.trim();
    Some(
        name.rsplit_once(' ')
            .map_or((name, ""), |(first, last)| (first.trim_end(), last)),
    )
}
