//! Every stored text, present and past, with whose calendar it is in: for finding what is written about somebody.

use super::sql::{Sql, Tx, args, sql};
use crate::model::Result;

/// Where texts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Objects,
    /// Versions that were replaced or removed.
    History,
}

/// One text, lent.
pub struct Text<'r> {
    /// Whose calendar it is in.
    pub owner: &'r str,
    /// The calendar in its owner's home; empty when it is in the trash.
    pub slug: &'r str,
    pub body: &'r [u8],
}

macro_rules! texts {
    ($table:literal) => {
        sql!(
            "select t.id, p.name, coalesce((select min(b.slug) from binding b
                       where b.calendar_id = c.id and b.home_id = c.owner_id), ''), t.body
               from ",
            $table,
            " t join calendar c on c.id = t.calendar_id join principal p on p.id = c.owner_id
              where t.id > $1 order by t.id limit $2"
        )
    };
}

/// Lends the `limit` texts after `after` to `each`; the last one's id, or `None` at the end.
pub async fn page<F>(
    tx: &mut Tx<'_>,
    source: Source,
    after: i64,
    limit: i64,
    mut each: F,
) -> Result<Option<i64>>
where
    F: FnMut(Text<'_>) + Send,
{
    let statement: Sql<'static> = match source {
        Source::Objects => texts!("object_body"),
        Source::History => texts!("object_version"),
    };
    let mut last = None;
    tx.each(statement, &args![after, limit], |row| {
        last = Some(row.int(0)?);
        each(Text {
            owner: row.text(1)?,
            slug: row.text(2)?,
            body: row.bytes(3)?,
        });
        Ok(())
    })
    .await?;
    Ok(last)
}
