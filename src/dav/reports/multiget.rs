//! calendar-multiget (RFC 4791 §7.9): the objects with these hrefs. Those that are not there, or that the person may not
//! know of, are 404 each.

use std::sync::Arc;
use std::vec::IntoIter;

use futures_util::future::BoxFuture;

use super::asked_of;
use crate::app::App;
use crate::app::calendars::zone;
use crate::dav::data::CalendarData;
use crate::dav::members::{Batch, Members};
use crate::dav::names::dav;
use crate::dav::plan::{Asked, Plan};
use crate::dav::reply::{self, Next, Pages};
use crate::dav::view::{Desk, On};
use crate::dav::{Call, resource};
use crate::model::path::{decode, encode};
use crate::model::{Bound, Error, Path, Precondition, Result};
use crate::store::{Tx, calendars};
use crate::wire::Response;
use crate::xml::{Element, Writer};

pub async fn run(call: Call, document: Element) -> Result<Response> {
    let (asked, data) = asked_of(&document)?;
    let limit = call.desk.limits.multiget_hrefs;
    let count = document.children_named(&dav::HREF).count();
    if count == 0 {
        return Err(Error::BadRequest("multiget without an href".into()));
    }
    if count > limit {
        return Err(Error::precondition(
            Precondition::NumberOfMatchesWithinLimits,
            format!("more than {limit} hrefs (limits.multiget_hrefs)"),
        ));
    }
    let (who, path) = (call.who(), call.path());
    if !matches!(path, Path::Object { .. }) {
        call.app
            .store
            .read(|tx| Box::pin(resource::load(tx, who, path)))
            .await?;
    }
    let groups = group(&call, &document);
    // Thousands of hrefs as a tree are not kept while the answer is sent.
    drop(document);
    let form = call.form();
    let scope = Scope {
        desk: call.desk,
        asked,
        data,
        minimal: form.prefer.minimal,
    };
    reply::stream(
        form,
        Running {
            app: call.app,
            scope,
            groups: groups.into_iter(),
            current: None,
        },
    )
    .await
}

/// Neighbouring hrefs that lie in one calendar.
struct Group {
    /// Home and slug; `None`: not below the resource that was asked, or no object's address at all.
    calendar: Option<(String, String)>,
    /// Names of objects, or whole hrefs where there is no calendar.
    names: Names,
}

/// Many names in little memory, while the answer is sent. None has a line break in it.
#[derive(Default)]
struct Names {
    text: String,
    at: usize,
    count: usize,
    /// They are most of the calendar, and sorted: one statement for a stretch of names costs less than one for each.
    dense: bool,
}

impl Names {
    fn push(&mut self, name: &str) {
        self.text.push_str(name);
        self.text.push('\n');
        self.count += 1;
    }

    /// Decides how they are looked up in a calendar of so many objects.
    fn arrange(&mut self, objects: i64) {
        self.dense = self.count > 64 && self.count as i64 * 2 >= objects;
        if self.dense {
            let mut names: Vec<&str> = self.text.split_terminator('\n').collect();
            names.sort_unstable();
            names.dedup();
            self.text = names.join("\n");
            self.text.push('\n');
        }
    }

    /// The next ones, `count` at most.
    fn take(&mut self, count: usize) -> Vec<&str> {
        let rest = &self.text[self.at..];
        let names: Vec<&str> = rest.split_terminator('\n').take(count).collect();
        self.at += names.iter().map(|name| name.len() + 1).sum::<usize>();
        names
    }

    fn is_empty(&self) -> bool {
        self.at >= self.text.len()
    }
}

/// Sorts the hrefs out in their order. Nearly all begin like the collection that was asked, and need no parsing then.
fn group(call: &Call, document: &Element) -> Vec<Group> {
    let own = match call.path() {
        Path::Calendar { name, slug } | Path::Object { name, slug, .. } => {
            Some((name.clone(), slug.clone()))
        }
        _ => None,
    };
    let base = own.as_ref().map(|(name, slug)| {
        call.desk.href(&Path::Calendar {
            name: name.clone(),
            slug: slug.clone(),
        })
    });
    let mut groups: Vec<Group> = Vec::new();
    for href in document.children_named(&dav::HREF) {
        let href = href.trimmed_text().replace('\n', " ");
        let short = base
            .as_deref()
            .and_then(|base| href.strip_prefix(base))
            .filter(|rest| !rest.contains('/'));
        let (calendar, name) = match short {
            Some(rest) => match decode(rest).filter(|name| !name.is_empty()) {
                Some(name) => (own.clone(), name),
                None => (None, href),
            },
            None => place(call, href),
        };
        match groups.last_mut() {
            Some(last) if last.calendar == calendar => last.names.push(&name),
            _ => {
                let mut names = Names::default();
                names.push(&name);
                groups.push(Group { calendar, names });
            }
        }
    }
    groups
}

/// An href in full: an address with authority, another spelling, another calendar of the home.
fn place(call: &Call, href: String) -> (Option<(String, String)>, String) {
    let path = href
        .parse::<http::Uri>()
        .ok()
        .and_then(|uri| Path::parse(call.app.local(uri.path())));
    let Some(Path::Object { name, slug, object }) = path else {
        return (None, href);
    };
    let below = match call.path() {
        Path::Home(home) => *home == name,
        Path::Calendar {
            name: home,
            slug: own,
        } => *home == name && *own == slug,
        Path::Object {
            name: home,
            slug: own,
            object: only,
        } => *home == name && *own == slug && *only == object,
        _ => false,
    };
    if below {
        (Some((name, slug)), object)
    } else {
        (None, href)
    }
}

struct Scope {
    desk: Arc<Desk>,
    asked: Asked,
    data: Option<CalendarData>,
    minimal: bool,
}

struct Running {
    app: App,
    scope: Scope,
    groups: IntoIter<Group>,
    current: Option<(Members, Names)>,
}

impl Pages for Running {
    fn page<'a>(&'a mut self, w: &'a mut Writer) -> BoxFuture<'a, Result<Next>> {
        Box::pin(async move {
            let Running {
                app,
                scope,
                groups,
                current,
            } = self;
            let next = match current.take() {
                Some(going_on) => Some(going_on),
                None => match groups.next() {
                    Some(group) => {
                        app.store
                            .read(|tx| Box::pin(scope.begin(tx, group, w)))
                            .await?
                    }
                    None => None,
                },
            };
            if let Some((members, mut names)) = next {
                let dense = names.dense;
                let batch = names.take(members.page_size());
                app.store
                    .read(|tx| {
                        Box::pin(async {
                            match dense {
                                true => write_stretch(tx, &members, &batch, w).await,
                                false => write(tx, &members, &batch, w).await,
                            }
                        })
                    })
                    .await?;
                if !names.is_empty() {
                    *current = Some((members, names));
                }
            }
            Ok(if current.is_none() && groups.len() == 0 {
                Next::Done
            } else {
                Next::More
            })
        })
    }
}

impl Scope {
    /// Finds the group's calendar; without one all of its hrefs are 404, written at once.
    async fn begin(
        &self,
        tx: &mut Tx<'_>,
        mut group: Group,
        w: &mut Writer,
    ) -> Result<Option<(Members, Names)>> {
        let found = match &group.calendar {
            Some((home, slug)) => calendars::find(tx, self.desk.who.id, home, slug)
                .await?
                .filter(resource::can_read),
            None => None,
        };
        let Some(bound) = found else {
            for name in group.names.take(usize::MAX) {
                let href = match &group.calendar {
                    Some((home, slug)) => {
                        let calendar = Path::Calendar {
                            name: home.clone(),
                            slug: slug.clone(),
                        };
                        format!("{}{}", self.desk.href(&calendar), encode(name))
                    }
                    None => name.to_owned(),
                };
                w.open(&dav::RESPONSE).element(&dav::HREF, &href);
                w.element(&dav::STATUS, "HTTP/1.1 404 Not Found").close();
            }
            return Ok(None);
        };
        group.names.arrange(bound.calendar.objects);
        Ok(Some((self.members(tx, bound).await?, group.names)))
    }

    async fn members(&self, tx: &mut Tx<'_>, bound: Bound) -> Result<Members> {
        let data = self
            .data
            .as_ref()
            .map(|data| data.within(zone(&bound.calendar), self.desk.limits.instances));
        let plan = Plan::new(&self.asked, On::OBJECT, self.minimal, data);
        Members::new(tx, self.desk.clone(), bound, Arc::new(plan)).await
    }
}

/// The rows come in the order of the names; a name that is passed over is not there.
async fn write(tx: &mut Tx<'_>, members: &Members, names: &[&str], w: &mut Writer) -> Result<()> {
    let mut waiting = names.iter();
    members
        .write_batch(tx, Batch::Names(names), false, w, |w, member| {
            for name in waiting.by_ref().take_while(|name| **name != member.name) {
                members.write_gone(w, name);
            }
            Ok(true)
        })
        .await?;
    for name in waiting {
        members.write_gone(w, name);
    }
    Ok(())
}

/// The same for sorted names that are most of what lies between the first and the last.
async fn write_stretch(
    tx: &mut Tx<'_>,
    members: &Members,
    names: &[&str],
    w: &mut Writer,
) -> Result<()> {
    let (Some(first), Some(last)) = (names.first(), names.last()) else {
        return Ok(());
    };
    let mut waiting = names.iter().peekable();
    members
        .write_batch(tx, Batch::Between(first, last), false, w, |w, member| {
            while let Some(name) = waiting.next_if(|name| **name < member.name) {
                members.write_gone(w, name);
            }
            Ok(waiting.next_if(|name| **name == member.name).is_some())
        })
        .await?;
    for name in waiting {
        members.write_gone(w, name);
    }
    Ok(())
}
