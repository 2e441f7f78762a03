//! A resource and what is below it, page by page: the answer to PROPFIND.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::members::{Batch, Members};
use super::plan::{Asked, Plan};
use super::reply::{Next, PAGE, Pages};
use super::request::Depth;
use super::resource::{self, Resource};
use super::view::{Desk, Loaded, Needs, Node, On, View};
use crate::app::App;
use crate::model::{Bound, Path, Principal, Result};
use crate::store::properties::{self, OwnerKind};
use crate::store::{Tx, calendars, principals};
use crate::xml::Writer;

/// What is still to be written.
pub struct Listing {
    app: App,
    scope: Scope,
    steps: VecDeque<Step>,
}

/// What is asked of every resource.
pub struct Scope {
    pub desk: Arc<Desk>,
    pub asked: Asked,
    pub minimal: bool,
}

enum Step {
    /// The resource that was asked for.
    Top {
        path: Path,
        href: String,
        depth: Depth,
        noroot: bool,
    },
    /// Principals after this name.
    Principals(Option<String>),
    /// The calendars of a home, and perhaps their objects.
    Calendars { home: String, deep: bool },
    /// The objects of a calendar after this name.
    Objects(Box<Members>, Option<String>),
}

impl Listing {
    pub fn new(
        app: App,
        scope: Scope,
        path: Path,
        href: String,
        depth: Depth,
        noroot: bool,
    ) -> Listing {
        Listing {
            app,
            scope,
            steps: VecDeque::from([Step::Top {
                path,
                href,
                depth,
                noroot,
            }]),
        }
    }
}

impl Pages for Listing {
    fn page<'a>(&'a mut self, w: &'a mut Writer) -> BoxFuture<'a, Result<Next>> {
        Box::pin(async move {
            if let Some(step) = self.steps.pop_front() {
                let (scope, steps) = (&self.scope, &mut self.steps);
                let more = self
                    .app
                    .store
                    .read(|tx| Box::pin(scope.run(tx, step, w)))
                    .await?;
                for step in more.into_iter().rev() {
                    steps.push_front(step);
                }
            }
            Ok(if self.steps.is_empty() {
                Next::Done
            } else {
                Next::More
            })
        })
    }
}

impl Scope {
    pub fn plan(&self, kind: On) -> Plan {
        Plan::new(&self.asked, kind, self.minimal, None)
    }

    /// Writes one step; what comes right after it.
    async fn run(&self, tx: &mut Tx<'_>, step: Step, w: &mut Writer) -> Result<Vec<Step>> {
        match step {
            Step::Top {
                path,
                href,
                depth,
                noroot,
            } => self.top(tx, &path, &href, depth, noroot, w).await,
            Step::Principals(after) => self.principals(tx, after, w).await,
            Step::Calendars { home, deep } => self.calendars(tx, &home, deep, w).await,
            Step::Objects(members, after) => objects(tx, members, after, w).await,
        }
    }

    async fn top(
        &self,
        tx: &mut Tx<'_>,
        path: &Path,
        href: &str,
        depth: Depth,
        noroot: bool,
        w: &mut Writer,
    ) -> Result<Vec<Step>> {
        let found = resource::load(tx, &self.desk.who, path).await?;
        if depth == Depth::Zero || !noroot {
            self.write(tx, w, href, &found.node()).await?;
        }
        if depth == Depth::Zero {
            return Ok(Vec::new());
        }
        let deep = depth == Depth::Infinity;
        Ok(match found {
            Resource::Root => {
                self.write(tx, w, &self.desk.href(&Path::Principals), &Node::Principals)
                    .await?;
                self.write(tx, w, &self.desk.href(&Path::Homes), &Node::Homes)
                    .await?;
                Vec::new()
            }
            Resource::Principals => vec![Step::Principals(None)],
            Resource::Homes => {
                let (own, may) = resource::home(tx, &self.desk.who, &self.desk.who.name).await?;
                self.write(tx, w, &self.desk.home(&own.name), &Node::Home(&own, may))
                    .await?;
                Vec::new()
            }
            Resource::Principal(principal) => self.proxies(tx, &principal, w).await?,
            Resource::Home(home, _) => vec![Step::Calendars {
                home: home.name,
                deep,
            }],
            Resource::Calendar(bound) => vec![self.objects_of(tx, Bound::clone(&bound)).await?],
            _ => Vec::new(),
        })
    }

    /// One resource with all that its properties need.
    pub async fn write(
        &self,
        tx: &mut Tx<'_>,
        w: &mut Writer,
        href: &str,
        node: &Node<'_>,
    ) -> Result<()> {
        let plan = self.plan(node.kind());
        let loaded = resource::load_extra(tx, &self.desk.who, node, plan.needs).await?;
        plan.write_response(
            w,
            href,
            &View {
                desk: &self.desk,
                node: *node,
                loaded: &loaded,
            },
        );
        Ok(())
    }

    async fn proxies(
        &self,
        tx: &mut Tx<'_>,
        principal: &Principal,
        w: &mut Writer,
    ) -> Result<Vec<Step>> {
        for write in [false, true] {
            let path = Path::Proxy {
                name: principal.name.clone(),
                write,
            };
            self.write(
                tx,
                w,
                &self.desk.href(&path),
                &Node::Proxy(principal, write),
            )
            .await?;
        }
        Ok(Vec::new())
    }

    async fn principals(
        &self,
        tx: &mut Tx<'_>,
        after: Option<String>,
        w: &mut Writer,
    ) -> Result<Vec<Step>> {
        let page = principals::list(tx, after.as_deref(), PAGE as i64).await?;
        for principal in page.iter().filter(|principal| principal.disabled.is_none()) {
            self.write(
                tx,
                w,
                &self.desk.principal(&principal.name),
                &Node::Principal(principal),
            )
            .await?;
        }
        Ok(match page.last() {
            Some(last) if page.len() == PAGE => vec![Step::Principals(Some(last.name.clone()))],
            _ => Vec::new(),
        })
    }

    async fn calendars(
        &self,
        tx: &mut Tx<'_>,
        home: &str,
        deep: bool,
        w: &mut Writer,
    ) -> Result<Vec<Step>> {
        let mut all = calendars::list(tx, self.desk.who.id, home).await?;
        all.retain(resource::can_read);
        self.write_calendars(tx, &all, w).await?;
        let mut steps = Vec::new();
        if deep {
            for bound in all {
                steps.push(self.objects_of(tx, bound).await?);
            }
        }
        Ok(steps)
    }

    /// Several calendars, their stored properties in one query.
    pub async fn write_calendars(
        &self,
        tx: &mut Tx<'_>,
        all: &[Bound],
        w: &mut Writer,
    ) -> Result<()> {
        let plan = self.plan(On::CALENDAR);
        let mut loaded = vec![Loaded::default(); all.len()];
        if plan.needs.has(Needs::STORED) {
            let ids: Vec<i64> = all.iter().map(|bound| bound.calendar.id.0).collect();
            properties::for_many(
                tx,
                OwnerKind::Calendar,
                &ids,
                self.desk.who.id,
                |id, name, value| {
                    let place = ids.iter().position(|known| *known == id);
                    if let Some(loaded) = place.and_then(|place| loaded.get_mut(place)) {
                        loaded.stored.push((name.to_owned(), value.to_owned()));
                    }
                    Ok(())
                },
            )
            .await?;
        }
        for (bound, loaded) in all.iter().zip(&mut loaded) {
            if plan.needs.has(Needs::GRANTS) {
                loaded.grants = resource::grants(tx, bound).await?;
            }
            let view = View {
                desk: &self.desk,
                node: Node::Calendar(bound),
                loaded,
            };
            plan.write_response(w, &self.desk.calendar(bound), &view);
        }
        Ok(())
    }

    async fn objects_of(&self, tx: &mut Tx<'_>, bound: Bound) -> Result<Step> {
        let plan = Arc::new(self.plan(On::OBJECT));
        let members = Members::new(tx, self.desk.clone(), bound, plan).await?;
        Ok(Step::Objects(Box::new(members), None))
    }
}

async fn objects(
    tx: &mut Tx<'_>,
    members: Box<Members>,
    after: Option<String>,
    w: &mut Writer,
) -> Result<Vec<Step>> {
    let page = members.page_size();
    let (mut count, mut last) = (0, String::new());
    members
        .write_batch(
            tx,
            Batch::After(after.as_deref(), page),
            false,
            w,
            |_, member| {
                count += 1;
                if count == page {
                    last.push_str(member.name);
                }
                Ok(true)
            },
        )
        .await?;
    Ok(if count == page {
        vec![Step::Objects(members, Some(last))]
    } else {
        Vec::new()
    })
}
