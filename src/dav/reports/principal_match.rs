//! principal-match (RFC 3744 §9.3): the principals that the person is (`self`), or what has one of them in the value of a
//! property, whichever it is.
//!
//! Of what is below a collection, principals and calendars are looked at, not the objects in calendars.

use super::expand::hrefs;
use super::principals::{PAGE, RESULTS, find_target, scope_of, write};
use crate::dav::listing::Scope;
use crate::dav::names::dav;
use crate::dav::plan::{Asked, Plan};
use crate::dav::view::Node;
use crate::dav::{Call, reply, resource};
use crate::model::{Error, Path, Precondition, Principal, Result, Who};
use crate::store::{Tx, calendars, principals};
use crate::wire::Response;
use crate::xml::{Element, Name, Writer};

pub static PRINCIPAL_MATCH: Name = Name::dav("principal-match");

pub async fn run(call: Call, document: Element) -> Result<Response> {
    let property = document.child(&dav::PRINCIPAL_PROPERTY);
    let named = property.and_then(|property| property.elements().next());
    if document.child(&dav::SELF).is_none() && named.is_none() {
        return Err(Error::BadRequest(
            "principal-match needs self or principal-property with a property".into(),
        ));
    }
    find_target(&call).await?;
    let mut w = reply::document();
    let (who, path) = (call.who(), call.path());
    let selves = call.app.store.read(|tx| Box::pin(selves(tx, who))).await?;
    let Some(named) = named else {
        write(&call, &document, &selves, &mut w).await?;
        return Ok(reply::whole(call.form(), w));
    };
    let naming = Naming {
        property: named.name.clone(),
        hrefs: selves
            .iter()
            .map(|one| call.desk.principal(&one.name))
            .collect(),
        scope: scope_of(&call, &document)?,
        left: RESULTS,
    };
    let out = &mut w;
    call.app
        .store
        .read(|tx| Box::pin(async move { naming.below(tx, path, out).await }))
        .await?;
    Ok(reply::whole(call.form(), w))
}

/// Who the person is: they, and the groups that they are in.
async fn selves(tx: &mut Tx<'_>, who: &Who) -> Result<Vec<Principal>> {
    let mut all: Vec<Principal> = principals::get(tx, who.id).await?.into_iter().collect();
    all.extend(principals::groups_of(tx, who.id).await?);
    Ok(all)
}

/// Resources with a property that names one of these hrefs.
struct Naming {
    property: Name,
    hrefs: Vec<String>,
    scope: Scope,
    /// How many more may be found.
    left: usize,
}

impl Naming {
    async fn below(mut self, tx: &mut Tx<'_>, path: &Path, w: &mut Writer) -> Result<()> {
        let own = self.scope.desk.who.name.clone();
        match path {
            Path::Root => {
                self.principals(tx, w).await?;
                self.home(tx, &own, w).await
            }
            Path::Principals => self.principals(tx, w).await,
            Path::Home(name) => self.home(tx, name, w).await,
            _ => Ok(()),
        }
    }

    async fn principals(&mut self, tx: &mut Tx<'_>, w: &mut Writer) -> Result<()> {
        let mut after: Option<String> = None;
        loop {
            let page = principals::list(tx, after.as_deref(), PAGE as i64).await?;
            for principal in page.iter().filter(|one| one.disabled.is_none()) {
                let href = self.scope.desk.principal(&principal.name);
                self.write(tx, &href, &Node::Principal(principal), w)
                    .await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.name.clone()),
                _ => return Ok(()),
            }
        }
    }

    async fn home(&mut self, tx: &mut Tx<'_>, name: &str, w: &mut Writer) -> Result<()> {
        let who = self.scope.desk.who.id;
        let mut all = calendars::list(tx, who, name).await?;
        all.retain(resource::can_read);
        for bound in &all {
            let href = self.scope.desk.calendar(bound);
            self.write(tx, &href, &Node::Calendar(bound), w).await?;
        }
        Ok(())
    }

    /// Writes the resource, when the property names one of those who are looked for.
    async fn write(
        &mut self,
        tx: &mut Tx<'_>,
        href: &str,
        node: &Node<'_>,
        w: &mut Writer,
    ) -> Result<()> {
        let plan = Plan::new(
            &Asked::Props(vec![self.property.clone()]),
            node.kind(),
            true,
            None,
        );
        let desk = &self.scope.desk;
        let loaded = resource::load_extra(tx, &desk.who, node, plan.needs).await?;
        let hrefs = hrefs(&plan, desk, *node, &loaded, &self.property).unwrap_or_default();
        if !hrefs.iter().any(|one| self.hrefs.contains(one)) {
            return Ok(());
        }
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            let is = Precondition::NumberOfMatchesWithinLimits;
            Error::precondition(is, format!("more than {RESULTS} resources"))
        })?;
        self.scope.write(tx, w, href, node).await
    }
}
