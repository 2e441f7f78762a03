//! Reports about principals: RFC 3744 §9.2, §9.4, §9.5, and the type-ahead search of Apple's clients.
//!
//! Everybody who is signed in may find everybody: that is what inviting and sharing need. Homes and calendars stay hidden.

use std::collections::BTreeSet;

use super::{asked_of, limit_of};
use crate::dav::listing::Scope;
use crate::dav::names::{cs, dav};
use crate::dav::view::Node;
use crate::dav::{Call, error, reply, resource};
use crate::model::{Error, Path, Precondition, Principal, PrincipalKind, Result};
use crate::store::principals;
use crate::wire::Response;
use crate::xml::{Element, Name, Ns, Writer};

pub static ACL_PRINCIPAL_PROP_SET: Name = Name::dav("acl-principal-prop-set");
static APPLY_TO_PRINCIPAL_COLLECTION_SET: Name = Name::dav("apply-to-principal-collection-set");
pub static PRINCIPAL_PROPERTY_SEARCH: Name = Name::dav("principal-property-search");

/// Principals in one answer, unless the client wants fewer.
pub(super) const RESULTS: usize = 500;
/// Conditions of one search.
const TESTS: usize = 50;
/// Principals that are looked at in one go.
pub(super) const PAGE: usize = 256;

/// A property that principals can be searched by.
struct Searchable {
    name: Name,
    about: &'static str,
    values: fn(&Principal) -> Vec<&str>,
}

static SEARCHABLE: [Searchable; 4] = [
    Searchable {
        name: Name::dav("displayname"),
        about: "Name",
        values: |p| vec![&p.display_name, &p.name],
    },
    Searchable {
        name: Name::cs("email-address-set"),
        about: "Mail address",
        values: |p| addresses(p),
    },
    Searchable {
        name: Name::caldav("calendar-user-address-set"),
        about: "Calendar address",
        values: |p| addresses(p),
    },
    Searchable {
        name: Name::caldav("calendar-user-type"),
        about: "Person, group or resource",
        values: |p| vec![user_type(p)],
    },
];

fn addresses(principal: &Principal) -> Vec<&str> {
    principal.addresses.iter().map(String::as_str).collect()
}

fn user_type(principal: &Principal) -> &'static str {
    match principal.kind {
        PrincipalKind::User => "individual",
        PrincipalKind::Group => "group",
        PrincipalKind::Resource => "resource",
    }
}

/// The reports below ask nothing of the resource that they are sent to, but it has to be there.
pub(super) async fn find_target(call: &Call) -> Result<()> {
    let (who, path) = (call.who(), call.path());
    let load = call
        .app
        .store
        .read(|tx| Box::pin(resource::load(tx, who, path)));
    load.await.map(drop)
}

/// RFC 3744 §9.5
pub async fn search_property_set(call: Call, _: Element) -> Result<Response> {
    find_target(&call).await?;
    let mut w = Writer::document(
        &dav::PRINCIPAL_SEARCH_PROPERTY_SET,
        &[Ns::Dav, Ns::CalDav, Ns::CalendarServer],
    );
    for searchable in &SEARCHABLE {
        w.open(&dav::PRINCIPAL_SEARCH_PROPERTY)
            .open(&dav::PROP)
            .empty(&searchable.name)
            .close();
        w.open(&dav::DESCRIPTION)
            .attr("xml:lang", "en")
            .text(searchable.about)
            .close()
            .close();
    }
    Ok(error::xml(w.finish()))
}

/// RFC 3744 §9.4. A property that cannot be searched matches nobody. Below a home or a calendar there are no principals,
/// unless the collections of principals are to be searched in its place.
pub async fn property_search(call: Call, document: Element) -> Result<Response> {
    let any = document.attr("test").is_some_and(|test| test == "anyof");
    let tests: Vec<Test> = document
        .children_named(&dav::PROPERTY_SEARCH)
        .map(Test::read)
        .collect();
    if tests.is_empty() || tests.len() > TESTS {
        return Err(Error::BadRequest(format!(
            "a search has 1 to {TESTS} property-search"
        )));
    }
    let is_here = matches!(
        call.path(),
        Path::Root | Path::Principals | Path::Principal(_)
    ) || document.child(&APPLY_TO_PRINCIPAL_COLLECTION_SET).is_some();
    let matches = |principal: &Principal| {
        let mut each = tests.iter().map(|test| test.holds(principal));
        is_here
            && match any {
                true => each.any(|found| found),
                false => each.all(|found| found),
            }
    };
    answer(&call, &document, matches).await
}

/// One property-search: each of the properties has to match.
struct Test {
    properties: Vec<Option<&'static Searchable>>,
    text: String,
    compare: fn(&str, &str) -> bool,
}

impl Test {
    /// `match-type` is CalendarServer's; RFC 3744 knows substrings only.
    fn read(search: &Element) -> Test {
        let wanted = search.child(&dav::MATCH);
        let text = wanted.map(Element::trimmed_text).unwrap_or_default();
        let names = search
            .child(&dav::PROP)
            .into_iter()
            .flat_map(Element::elements);
        let row = |name: &Name| SEARCHABLE.iter().find(|row| row.name == *name);
        Test {
            properties: names
                .take(TESTS)
                .map(|element| row(&element.name))
                .collect(),
            text: strip_mailto(&text.to_lowercase()).to_owned(),
            compare: match wanted.and_then(|wanted| wanted.attr("match-type")) {
                Some("equals") => |value, text| value == text,
                Some("starts-with") => |value, text| value.starts_with(text),
                Some("ends-with") => |value, text| value.ends_with(text),
                _ => |value, text| value.contains(text),
            },
        }
    }

    fn holds(&self, principal: &Principal) -> bool {
        let named = !self.properties.is_empty();
        named
            && self.properties.iter().all(|property| {
                property.is_some_and(|searchable| {
                    (searchable.values)(principal)
                        .iter()
                        .any(|value| (self.compare)(&value.to_lowercase(), &self.text))
                })
            })
    }
}

fn strip_mailto(text: &str) -> &str {
    text.strip_prefix("mailto:").unwrap_or(text)
}

/// Apple's type-ahead: every token has to be found somewhere in the name or an address.
pub async fn token_search(call: Call, document: Element) -> Result<Response> {
    let tokens: Vec<String> = document
        .children_named(&cs::SEARCH_TOKEN)
        .map(|token| token.trimmed_text().to_lowercase())
        .filter(|token| !token.is_empty())
        .collect();
    if tokens.len() > TESTS {
        return Err(Error::BadRequest(format!(
            "a search has {TESTS} search-token at most"
        )));
    }
    let wanted = match document.attr("context") {
        Some("user") => Some(PrincipalKind::User),
        Some("group") => Some(PrincipalKind::Group),
        Some("resource" | "location") => Some(PrincipalKind::Resource),
        _ => None,
    };
    let matches = |principal: &Principal| {
        !tokens.is_empty()
            && wanted.is_none_or(|kind| kind == principal.kind)
            && tokens.iter().all(|token| {
                let name = [principal.display_name.as_str(), principal.name.as_str()];
                name.into_iter()
                    .chain(addresses(principal))
                    .any(|value| value.to_lowercase().contains(strip_mailto(token)))
            })
    };
    answer(&call, &document, matches).await
}

/// The principals that match, up to the limit; then 507 says that there are more.
async fn answer(
    call: &Call,
    document: &Element,
    matches: impl Fn(&Principal) -> bool + Send + Sync,
) -> Result<Response> {
    find_target(call).await?;
    let limit = limit_of(document)?.unwrap_or(RESULTS).min(RESULTS);
    let (mut found, mut after, mut more) = (Vec::new(), None::<String>, false);
    loop {
        let page = call
            .app
            .store
            .peek(|tx| {
                let after = after.clone();
                Box::pin(async move { principals::list(tx, after.as_deref(), PAGE as i64).await })
            })
            .await?;
        after = page
            .last()
            .filter(|_| page.len() == PAGE)
            .map(|last| last.name.clone());
        found.extend(
            page.into_iter()
                .filter(|principal| principal.disabled.is_none() && matches(principal)),
        );
        more |= found.len() > limit;
        if after.is_none() || more {
            break;
        }
    }
    found.truncate(limit);
    let mut w = reply::document();
    write(call, document, &found, &mut w).await?;
    if more {
        super::sync::write_truncated(&mut w, &call.href());
    }
    Ok(reply::whole(call.form(), w))
}

pub(super) fn scope_of(call: &Call, document: &Element) -> Result<Scope> {
    let (asked, _) = asked_of(document)?;
    Ok(Scope {
        desk: call.desk.clone(),
        asked,
        minimal: call.request.prefer.minimal,
    })
}

pub(super) async fn write(
    call: &Call,
    document: &Element,
    found: &[Principal],
    w: &mut Writer,
) -> Result<()> {
    let scope = scope_of(call, document)?;
    call.app
        .store
        .read(|tx| {
            Box::pin(async move {
                for principal in found {
                    let href = scope.desk.principal(&principal.name);
                    scope
                        .write(tx, w, &href, &Node::Principal(principal))
                        .await?;
                }
                Ok(())
            })
        })
        .await
}

/// RFC 3744 §9.2: everybody who is named in the rights of a resource.
pub async fn acl_principal_prop_set(call: Call, document: Element) -> Result<Response> {
    let (who, path) = (call.who(), call.path());
    let found = call
        .app
        .store
        .read(|tx| {
            Box::pin(async move {
                let found = resource::load(tx, who, path).await?;
                let node = found.node();
                resource::demand(node.privileges(who), crate::model::Privilege::ReadAcl)?;
                let mut names = BTreeSet::new();
                match &node {
                    Node::Calendar(bound) | Node::Object(bound, _) => {
                        names.insert(bound.calendar.owner_name.clone());
                        names.extend(
                            resource::grants(tx, bound)
                                .await?
                                .into_iter()
                                .map(|(name, _)| name),
                        );
                    }
                    Node::Home(principal, _) => drop(names.insert(principal.name.clone())),
                    _ => {}
                }
                let mut all = Vec::new();
                for name in names {
                    all.extend(principals::find(tx, &name).await?);
                }
                Ok(all)
            })
        })
        .await?;
    if found.len() > RESULTS {
        return Err(Error::precondition(
            Precondition::NumberOfMatchesWithinLimits,
            format!("more than {RESULTS} principals"),
        ));
    }
    let mut w = reply::document();
    write(&call, &document, &found, &mut w).await?;
    Ok(reply::whole(call.form(), w))
}
