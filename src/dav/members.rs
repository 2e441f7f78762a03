//! The responses of one calendar's objects, as PROPFIND and the reports list them: batches of rows lent by the store,
//! written straight into the answer.

use std::collections::HashMap;
use std::sync::Arc;

use super::names::dav;
use super::plan::{END_RESPONSE, Plan, open_response};
use super::reply::{PAGE, PAGE_WITH_BODIES};
use super::resource;
use super::view::{Desk, Loaded, Needs, Node, ObjectView, View};
use crate::model::path::encode;
use crate::model::{Bound, ObjectId, Result};
use crate::store::Tx;
use crate::store::objects::{self, Change, MemberRef};
use crate::store::properties::{self, OwnerKind};
use crate::xml::Writer;

/// How the objects of one calendar are written.
pub struct Members {
    pub bound: Bound,
    pub plan: Arc<Plan>,
    desk: Arc<Desk>,
    /// The calendar's address.
    base: String,
    /// What is the same for all of them.
    common: Loaded,
}

/// Which objects are in a batch.
#[derive(Clone, Copy)]
pub enum Batch<'b> {
    /// The next ones by name.
    After(Option<&'b str>, usize),
    Names(&'b [&'b str]),
    /// All with names from the first to the second, by name.
    Between(&'b str, &'b str),
    Ids(&'b [ObjectId]),
}

/// Dead properties of the objects of a batch.
type Stored = HashMap<i64, Vec<(String, String)>>;

impl Members {
    pub async fn new(
        tx: &mut Tx<'_>,
        desk: Arc<Desk>,
        bound: Bound,
        plan: Arc<Plan>,
    ) -> Result<Members> {
        let mut common = Loaded::default();
        if plan.needs.has(Needs::GRANTS) {
            common.grants = resource::grants(tx, &bound).await?;
        }
        Ok(Members {
            base: desk.calendar(&bound),
            desk,
            bound,
            plan,
            common,
        })
    }

    /// Writes the responses of a batch; `keep` may leave members out, and sees their texts if it says so (`with_body`).
    pub async fn write_batch<K>(
        &self,
        tx: &mut Tx<'_>,
        batch: Batch<'_>,
        with_body: bool,
        w: &mut Writer,
        mut keep: K,
    ) -> Result<()>
    where
        K: FnMut(&mut Writer, &MemberRef<'_>) -> Result<bool> + Send,
    {
        let stored = self.stored(tx, batch).await?;
        let with_body = with_body || self.plan.needs.has(Needs::BODY);
        each(tx, self, batch, with_body, |member| {
            if keep(w, &member)? {
                self.write_with(w, &member, &stored);
            }
            Ok(())
        })
        .await
    }

    /// Dead properties, where the answer has any; the batch is looked at twice then.
    async fn stored(&self, tx: &mut Tx<'_>, batch: Batch<'_>) -> Result<Stored> {
        let mut stored = Stored::new();
        if !self.plan.needs.has(Needs::STORED) {
            return Ok(stored);
        }
        let mut ids = Vec::new();
        each(tx, self, batch, false, |member| {
            ids.push(member.id.0);
            Ok(())
        })
        .await?;
        properties::for_many(
            tx,
            OwnerKind::Object,
            &ids,
            self.desk.who.id,
            |id, name, value| {
                let own = stored.entry(id).or_default();
                own.push((name.to_owned(), value.to_owned()));
                Ok(())
            },
        )
        .await?;
        Ok(stored)
    }

    fn write_with(&self, w: &mut Writer, member: &MemberRef<'_>, stored: &Stored) {
        match stored.get(&member.id.0) {
            None => self.write(w, member, &self.common),
            Some(own) => self.write(
                w,
                member,
                &Loaded {
                    stored: own.clone(),
                    ..self.common.clone()
                },
            ),
        }
    }

    fn write(&self, w: &mut Writer, member: &MemberRef<'_>, loaded: &Loaded) {
        let view = View {
            desk: &self.desk,
            node: Node::Object(&self.bound, view_of(member)),
            loaded,
        };
        open_response(w, &self.base, &encode(member.name));
        self.plan.write_propstats(w, &view);
        w.raw(END_RESPONSE);
    }

    /// The response of an object that is not there, or not there any more.
    pub fn write_gone(&self, w: &mut Writer, name: &str) {
        open_response(w, &self.base, &encode(name));
        w.element(&dav::STATUS, "HTTP/1.1 404 Not Found")
            .raw(END_RESPONSE);
    }

    /// How many of them make a page.
    pub fn page_size(&self) -> usize {
        match self.plan.needs.has(Needs::BODY) {
            true => PAGE_WITH_BODIES,
            false => PAGE,
        }
    }

    /// Writes one page of changes after `since`, none later than `until` (see `reports::sync`).
    pub async fn write_changes(
        &self,
        tx: &mut Tx<'_>,
        w: &mut Writer,
        since: i64,
        until: i64,
        limit: usize,
    ) -> Result<Written> {
        let id = self.bound.calendar.id;
        // What the store does not lend with a change is looked up for the page as a whole.
        let more = self.plan.needs.has(Needs::BODY.and(Needs::STORED));
        let mut written = Written {
            last: since,
            count: 0,
            more: false,
        };
        let mut changed: Vec<String> = Vec::new();
        // One more than is written: whether that was all.
        objects::changed_since(tx, id, since, limit as i64 + 1, |change| {
            if change.seq() > until {
                return Ok(());
            }
            if written.count == limit {
                written.more = true;
                return Ok(());
            }
            written.last = change.seq();
            written.count += 1;
            match change {
                Change::Changed(member) if more => changed.push(member.name.to_owned()),
                Change::Changed(member) => self.write(w, &member, &self.common),
                Change::Removed { name, .. } => self.write_gone(w, name),
            }
            Ok(())
        })
        .await?;
        if more {
            let names: Vec<&str> = changed.iter().map(String::as_str).collect();
            self.write_batch(tx, Batch::Names(&names), false, w, |_, _| Ok(true))
                .await?;
        }
        Ok(written)
    }
}

/// A page of changes.
pub struct Written {
    /// The number up to which everything was written.
    pub last: i64,
    pub count: usize,
    /// There are later ones.
    pub more: bool,
}

async fn each<F>(
    tx: &mut Tx<'_>,
    members: &Members,
    batch: Batch<'_>,
    with_body: bool,
    f: F,
) -> Result<()>
where
    F: FnMut(MemberRef<'_>) -> Result<()> + Send,
{
    let id = members.bound.calendar.id;
    match batch {
        Batch::After(after, limit) => {
            objects::page(tx, id, after, limit as i64, with_body, f).await
        }
        Batch::Names(names) => objects::many(tx, id, names, with_body, f).await,
        Batch::Between(first, last) => objects::between(tx, id, first, last, with_body, f).await,
        Batch::Ids(ids) => objects::by_ids(tx, id, ids, with_body, f).await,
    }
}

fn view_of<'r>(member: &MemberRef<'r>) -> ObjectView<'r> {
    ObjectView {
        id: member.id,
        name: member.name,
        etag: member.etag,
        schedule_tag: member.schedule_tag,
        size: member.size,
        created: member.created,
        modified: member.modified,
        body: member.body,
    }
}
