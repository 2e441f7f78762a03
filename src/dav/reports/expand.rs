//! expand-property (RFC 3253 §3.8): properties whose values are hrefs, with the resources behind them in the hrefs' place.

use futures_util::future::BoxFuture;

use crate::dav::names::dav;
use crate::dav::plan::{Asked, PROPERTIES, Plan, too_many_properties};
use crate::dav::view::{Desk, Loaded, Node, View};
use crate::dav::{Call, reply, resource};
use crate::model::{Error, Path, Precondition, Result};
use crate::store::Tx;
use crate::wire::Response;
use crate::xml::{self, Element, Name, Writer};

pub static EXPAND_PROPERTY: Name = Name::dav("expand-property");

/// How deep properties may be expanded inside of each other.
const DEPTH: usize = 6;
/// Properties in one answer, over all of its resources.
const VALUES: usize = 20_000;

/// A property, and what is wanted of the resources that it names.
struct Ask {
    name: Name,
    inner: Vec<Ask>,
}

pub async fn run(call: Call, document: Element) -> Result<Response> {
    let mut left = PROPERTIES;
    let asks = read(&document, DEPTH, &mut left)?;
    let (path, href) = (call.path(), call.href());
    let mut expansion = Expansion {
        call: &call,
        minimal: call.request.prefer.minimal,
        left: VALUES,
    };
    let mut w = reply::document();
    let out = &mut w;
    call.app
        .store
        .read(|tx| Box::pin(async move { expansion.response(tx, path, &href, &asks, out).await }))
        .await?;
    Ok(reply::whole(call.form(), w))
}

fn read(element: &Element, depth: usize, left: &mut usize) -> Result<Vec<Ask>> {
    let mut asks = Vec::new();
    for property in element.children_named(&dav::PROPERTY) {
        if depth == 0 {
            return Err(Error::BadRequest(format!(
                "properties expanded deeper than {DEPTH}"
            )));
        }
        *left = left.checked_sub(1).ok_or_else(too_many_properties)?;
        let local = property.attr("name").unwrap_or_default();
        if !xml::name::is_ncname(local) {
            return Err(Error::BadRequest(format!(
                "{local:?} is not the name of a property"
            )));
        }
        let name = Name::new(property.attr("namespace").unwrap_or("DAV:"), local);
        asks.push(Ask {
            name,
            inner: read(property, depth - 1, left)?,
        });
    }
    Ok(asks)
}

struct Expansion<'c> {
    call: &'c Call,
    minimal: bool,
    left: usize,
}

impl Expansion<'_> {
    fn response<'f>(
        &'f mut self,
        tx: &'f mut Tx<'_>,
        path: &'f Path,
        href: &'f str,
        asks: &'f [Ask],
        w: &'f mut Writer,
    ) -> BoxFuture<'f, Result<()>> {
        Box::pin(async move {
            self.left = self.left.checked_sub(asks.len() + 1).ok_or_else(|| {
                let is = Precondition::NumberOfMatchesWithinLimits;
                Error::precondition(is, format!("more than {VALUES} properties to expand"))
            })?;
            let found = resource::load(tx, self.call.who(), path).await?;
            let node = found.node();
            let (plain, nested): (Vec<&Ask>, Vec<&Ask>) =
                asks.iter().partition(|ask| ask.inner.is_empty());
            let asked = Asked::Props(plain.iter().map(|ask| ask.name.clone()).collect());
            let plan = Plan::new(&asked, node.kind(), self.minimal, None);
            let values: Vec<Plan> = nested
                .iter()
                .map(|ask| {
                    Plan::new(
                        &Asked::Props(vec![ask.name.clone()]),
                        node.kind(),
                        true,
                        None,
                    )
                })
                .collect();
            let needs = values
                .iter()
                .fold(plan.needs, |needs, value| needs.and(value.needs));
            let loaded = resource::load_extra(tx, self.call.who(), &node, needs).await?;
            w.open(&dav::RESPONSE).element(&dav::HREF, href);
            if !plain.is_empty() || nested.is_empty() {
                plan.write_propstats(
                    w,
                    &View {
                        desk: &self.call.desk,
                        node,
                        loaded: &loaded,
                    },
                );
            }
            for (ask, value) in nested.iter().zip(&values) {
                let hrefs = hrefs(value, &self.call.desk, node, &loaded, &ask.name);
                self.property(tx, ask, hrefs, w).await?;
            }
            w.close();
            Ok(())
        })
    }

    /// A propstat of one property, its hrefs replaced by responses.
    async fn property(
        &mut self,
        tx: &mut Tx<'_>,
        ask: &Ask,
        hrefs: Option<Vec<String>>,
        w: &mut Writer,
    ) -> Result<()> {
        let Some(hrefs) = hrefs else {
            if !self.minimal {
                crate::dav::plan::write_names(w, &[&ask.name], "HTTP/1.1 404 Not Found");
            }
            return Ok(());
        };
        w.open(&dav::PROPSTAT).open(&dav::PROP).open(&ask.name);
        for href in hrefs {
            let target = href
                .parse::<http::Uri>()
                .ok()
                .and_then(|uri| Path::parse(self.call.app.local(uri.path())));
            let there = match &target {
                Some(path) => resource::load(tx, self.call.who(), path).await.is_ok(),
                None => false,
            };
            match target.filter(|_| there) {
                Some(path) => self.response(tx, &path, &href, &ask.inner, w).await?,
                None => {
                    w.open(&dav::RESPONSE).element(&dav::HREF, &href);
                    w.element(&dav::STATUS, "HTTP/1.1 404 Not Found").close();
                }
            }
        }
        w.close()
            .close()
            .element(&dav::STATUS, "HTTP/1.1 200 OK")
            .close();
        Ok(())
    }
}

/// The hrefs in a property's value; `None`: the resource does not have it.
pub(super) fn hrefs(
    plan: &Plan,
    desk: &Desk,
    node: Node<'_>,
    loaded: &Loaded,
    name: &Name,
) -> Option<Vec<String>> {
    let mut scratch = reply::document();
    plan.write_response(&mut scratch, "", &View { desk, node, loaded });
    let document = xml::read(&scratch.finish(), &xml::Limits::default()).ok()?;
    let value = document
        .child(&dav::RESPONSE)?
        .child(&dav::PROPSTAT)?
        .child(&dav::PROP)?
        .child(name)?;
    // mailto: and other addresses are not resources here.
    Some(
        value
            .children_named(&dav::HREF)
            .map(Element::trimmed_text)
            .filter(|href| href.starts_with('/'))
            .collect(),
    )
}
