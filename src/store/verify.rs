//! Looks for everything that must never be: `kalends verify`, and the end of every test.
//!
//! Most rules are one statement that finds what breaks them. What needs arithmetic of ours (entity tags, length
//! classes) is a scan. SQLite is asked about its own file too.

use super::Store;
use super::occurrences::{self, OccurrenceRow};
use super::sql::{Row, Sql, Tx, args, sql};
use crate::model::{Etag, Result};

/// One broken rule, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub table: &'static str,
    pub what: String,
    /// Which row: ids and names, no contents.
    pub place: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} ({})", self.table, self.what, self.place)
    }
}

/// Faults listed of each rule; more of the same say nothing new.
const OF_EACH: i64 = 20;

/// A rule, and a statement for the places where it is broken.
struct Rule {
    table: &'static str,
    broken: &'static str,
    find: Sql<'static>,
}

macro_rules! rules {
    ($($table:literal, $broken:literal, $find:literal;)+) => {
        &[$(Rule { table: $table, broken: $broken, find: sql!($find, " limit $1") }),+]
    };
}

const RULES: &[Rule] = rules![
    "calendar", "counts other objects than it has",
    "select cast(c.id as text) from calendar c
      where c.objects <> (select count(*) from object o where o.calendar_id = c.id)";
    "calendar", "counts other bytes than its objects have",
    "select cast(c.id as text) from calendar c
      where c.bytes <> (select coalesce(sum(o.size), 0) from object o where o.calendar_id = c.id)";
    "calendar", "refuses its own sync number",
    "select cast(c.id as text) from calendar c where c.pruned_seq > c.seq";
    "calendar", "is not bound in its owner's home, and not in the trash",
    "select cast(c.id as text) from calendar c where c.deleted is null and not exists
       (select 1 from binding b where b.calendar_id = c.id and b.home_id = c.owner_id)";
    "calendar", "is in the trash and bound",
    "select cast(c.id as text) from calendar c where c.deleted is not null and exists
       (select 1 from binding b where b.calendar_id = c.id)";
    "binding", "is newer than its home",
    "select p.name || '/' || b.slug from binding b join principal p on p.id = b.home_id where b.seq > p.seq";
    "binding_removed", "is newer than its home",
    "select p.name || '/' || b.slug from binding_removed b join principal p on p.id = b.home_id where b.seq > p.seq";
    "binding_removed", "names a slug that is bound",
    "select p.name || '/' || b.slug from binding_removed b join principal p on p.id = b.home_id
       join binding l on l.home_id = b.home_id and l.slug = b.slug";
    "access_grant", "has a level that there is not, or is the owner's",
    "select cast(g.calendar_id as text) || ' to ' || cast(g.principal_id as text) from access_grant g
       join calendar c on c.id = g.calendar_id where g.level < 1 or g.level > 4 or g.principal_id = c.owner_id";
    "object", "belongs to no calendar",
    "select o.name from object o where not exists (select 1 from calendar c where c.id = o.calendar_id)";
    "object", "is newer than its calendar",
    "select o.name from object o join calendar c on c.id = o.calendar_id where o.seq > c.seq";
    "object", "was changed before it was born",
    "select o.name from object o where o.born_seq > o.seq";
    "object", "has no text, or another object's",
    "select o.name from object o left join object_body t on t.id = o.id
      where t.id is null or t.calendar_id <> o.calendar_id or t.name <> o.name";
    "object", "has another size than its text",
    "select o.name from object o join object_body t on t.id = o.id where o.size <> length(t.body)";
    "object", "begins after it ends, or is indexed backwards",
    "select o.name from object o where o.starts > o.ends or o.indexed_from > o.indexed_to";
    "object_body", "is the text of no object",
    "select t.name from object_body t left join object o on o.calendar_id = t.calendar_id and o.name = t.name
      where o.id is null or o.id <> t.id";
    "object_removed", "names an object that is there",
    "select r.name from object_removed r join object o on o.calendar_id = r.calendar_id and o.name = r.name";
    "object_removed", "has the number of another change",
    "select r.name from object_removed r join object o on o.calendar_id = r.calendar_id and o.seq = r.seq";
    "object_removed", "belongs to no calendar, or is newer than it",
    "select r.name from object_removed r left join calendar c on c.id = r.calendar_id
      where c.id is null or r.seq > c.seq";
    "object_removed", "was removed before it was born",
    "select r.name from object_removed r where r.born_seq >= r.seq";
    "occurrence", "is an instance of no object, or lies in another calendar",
    "select cast(i.object_id as text) from occurrence i left join object_body t on t.id = i.object_id
      where t.id is null or t.calendar_id <> i.calendar_id";
    "occurrence", "has no digest at its object",
    "select o.name from object o where o.occurrences = '' and exists
       (select 1 from occurrence i where i.object_id = o.id)";
    "object_version", "belongs to no calendar",
    "select v.name from object_version v where not exists (select 1 from calendar c where c.id = v.calendar_id)";
    "property", "belongs to a calendar that is not there",
    "select p.name from property p where p.owner_kind = 'calendar'
        and not exists (select 1 from calendar c where c.id = p.owner_id)";
    "property", "belongs to an object that is not there",
    "select p.name from property p where p.owner_kind = 'object'
        and not exists (select 1 from object_body t where t.id = p.owner_id)";
    "property", "belongs to a principal that is not there",
    "select p.name from property p
      where p.owner_kind in ('principal', 'home', 'inbox', 'outbox', 'notifications')
        and not exists (select 1 from principal w where w.id = p.owner_id)";
    "property", "is of a kind that there is not",
    "select p.name from property p
      where p.owner_kind not in ('principal', 'home', 'calendar', 'object', 'inbox', 'outbox', 'notifications')";
    "property", "is the own value of a principal that is not there",
    "select p.name from property p where p.principal_id <> 0
        and not exists (select 1 from principal w where w.id = p.principal_id)";
    "credential", "is of a kind that there is not, or its hash is no SHA-256",
    "select cast(c.id as text) from credential c
      where c.kind not in ('app_password', 'api_token') or length(c.hash) <> 64";
    "feed", "has a privacy level that there is not",
    "select cast(f.id as text) from feed f where f.privacy not in ('full', 'titles', 'busy')";
    "membership", "has members of something that is no group",
    "select p.name from membership m join principal p on p.id = m.group_id where p.kind <> 'group'";
    "principal_alias", "is the name of somebody now",
    "select a.name from principal_alias a join principal p on p.name = a.name";
    "connection", "has a health that there is not",
    "select cast(c.id as text) from connection c where c.health not in ('ok', 'reconnect', 'paused', 'operator')";
    "link", "belongs to another connection than its remote calendar",
    "select cast(l.id as text) from link l join remote_calendar r on r.id = l.remote_calendar_id
      where r.connection_id <> l.connection_id";
    "link", "has taken in changes that the calendar has not made",
    "select cast(l.id as text) from link l join calendar c on c.id = l.calendar_id where l.local_seq > c.seq";
    "link", "has the page of a listing and a cursor that it is to replace",
    "select cast(l.id as text) from link l where l.listing = 1 and l.cursor is not null";
    "unit", "shares its event there with another unit",
    "select cast(u.link_id as text) || ' ' || u.uid from unit u join unit v
        on v.link_id = u.link_id and v.remote_id = u.remote_id and v.uid < u.uid where u.remote_id <> ''";
    "unit", "is agreed upon with an event that is not there",
    "select cast(u.link_id as text) || ' ' || u.uid from unit u
      where u.dirty = 0 and u.base_theirs is not null and not exists
       (select 1 from remote_item i where i.link_id = u.link_id and i.remote_id = u.remote_id)";
    "unit", "has half of a base",
    "select cast(u.link_id as text) || ' ' || u.uid from unit u
      where (u.base_theirs is null and u.theirs_hash <> '') or (u.base_theirs is not null and u.theirs_hash = '')
         or (u.base_ours is null and u.ours_etag <> '')";
    "remote_item", "belongs to a unit that is not there",
    "select cast(i.link_id as text) || ' ' || i.remote_id from remote_item i where i.uid <> '' and not exists
       (select 1 from unit u where u.link_id = i.link_id and u.uid = i.uid)";
];

/// Checks everything, on one snapshot. An empty list is good news.
///
/// # Errors
/// When the database cannot be read at all.
pub async fn verify(store: &Store) -> Result<Vec<Fault>> {
    store.read(|tx| Box::pin(check(tx))).await
}

async fn check(tx: &mut Tx<'_>) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    if tx.is_sqlite() {
        file(tx, &mut faults).await?;
    }
    for rule in RULES {
        let places = tx
            .all(rule.find, &args![OF_EACH], |row| {
                Ok(row.text(0)?.to_string())
            })
            .await?;
        faults.extend(
            places
                .into_iter()
                .map(|place| fault(rule.table, rule.broken, place)),
        );
    }
    texts(tx, &mut faults).await?;
    spans(tx, &mut faults).await?;
    Ok(faults)
}

fn fault(table: &'static str, what: &str, place: String) -> Fault {
    Fault {
        table,
        what: what.to_string(),
        place,
    }
}

/// What SQLite says of its own file.
async fn file(tx: &mut Tx<'_>, faults: &mut Vec<Fault>) -> Result<()> {
    tx.each(sql!("pragma integrity_check(20)"), &[], |row| {
        match row.text(0)? {
            "ok" => {}
            text => faults.push(fault("the file", text, "integrity_check".into())),
        }
        Ok(())
    })
    .await?;
    tx.each(sql!("pragma foreign_key_check"), &[], |row| {
        let place = format!("row {} of {}", row.opt_int(1)?.unwrap_or(0), row.text(0)?);
        faults.push(fault(
            "the file",
            "refers to a row that is not there",
            place,
        ));
        Ok(())
    })
    .await
}

/// Entity tags are those of the texts.
async fn texts(tx: &mut Tx<'_>, faults: &mut Vec<Fault>) -> Result<()> {
    let statement =
        sql!("select o.name, o.etag, t.body from object o join object_body t on t.id = o.id");
    tx.each(statement, &[], |row: &Row<'_>| {
        if row.text(1)? != Etag::of(row.bytes(2)?).0 {
            faults.push(fault(
                "object",
                "has another entity tag than its text",
                row.text(0)?.to_string(),
            ));
        }
        Ok(())
    })
    .await
}

/// Instances are in the class of their length, where range questions look for them.
async fn spans(tx: &mut Tx<'_>, faults: &mut Vec<Fault>) -> Result<()> {
    let statement = sql!("select span, starts, ends, rid, busy, object_id from occurrence");
    tx.each(statement, &[], |row: &Row<'_>| {
        let span = row.int(0)?;
        let (starts, ends, rid, busy) = (row.int(1)?, row.int(2)?, row.int(3)?, row.int(4)?);
        let instance = OccurrenceRow {
            starts,
            ends,
            rid,
            local: span % 2 == 1,
            busy,
        };
        if ends < starts || span != occurrences::span(&instance) || !(0..=3).contains(&busy) {
            let place = format!("object {}", row.int(5)?);
            faults.push(fault(
                "occurrence",
                "is out of shape, or in another class than its length",
                place,
            ));
        }
        Ok(())
    })
    .await
}
