//! Calendars as one iCalendar stream (RFC 5545 §3.4): what `kalends export` prints.

use super::App;
use super::calendars::faces;
use super::sessions::author::PRODID;
use crate::ical::join::Join;
use crate::ical::text::escape;
use crate::ical::write::content_line;
use crate::model::{Bound, Error, Result};
use crate::store::objects;

/// Objects that are read at once.
const PAGE: i64 = 256;

/// Writes all objects of these calendars as one VCALENDAR, a page at a time. The bytes of each component are those
/// that were stored.
///
/// # Errors
/// What `sink` returns, or trouble with the database.
pub async fn export<S>(app: &App, calendars: &[Bound], title: &str, mut sink: S) -> Result<u64>
where
    S: FnMut(&[u8]) -> std::io::Result<()>,
{
    let mut out = Vec::new();
    let mut header = content_line("VERSION", &[], "2.0") + &content_line("PRODID", &[], PRODID);
    header += &content_line("X-WR-CALNAME", &[], &escape(title));
    let mut join = Join::begin(&header, &mut out);
    let mut count = 0;
    for bound in calendars {
        let id = bound.calendar.id;
        let mut after: Option<String> = None;
        loop {
            let last = app
                .store
                .peek(|tx| {
                    let (join, out, after) = (&mut join, &mut out, after.as_deref());
                    Box::pin(async move {
                        let mut last = None;
                        objects::page(tx, id, after, PAGE, true, |object| {
                            join.push(object.body, out);
                            last = Some(object.name.to_string());
                            count += 1;
                            Ok(())
                        })
                        .await?;
                        Ok(last)
                    })
                })
                .await?;
            flush(&mut out, &mut sink)?;
            match last {
                Some(name) => after = Some(name),
                None => break,
            }
        }
    }
    join.end(&mut out);
    flush(&mut out, &mut sink)?;
    Ok(count)
}

/// One calendar as a whole (GET on the collection, RFC 4791 §4.1 read backwards).
///
/// # Errors
/// Trouble with the database.
pub async fn calendar(app: &App, bound: &Bound) -> Result<Vec<u8>> {
    let (who, id) = (bound.calendar.owner, bound.calendar.id);
    let faces = app
        .store
        .peek(|tx| Box::pin(async move { faces(tx, who, &[id]).await }))
        .await?;
    let name = faces
        .into_iter()
        .next()
        .and_then(|face| face.name)
        .unwrap_or_else(|| bound.slug.clone());
    let mut whole = Vec::with_capacity(
        usize::try_from(bound.calendar.bytes)
            .unwrap_or(0)
            .min(64 << 20),
    );
    let collect = |piece: &[u8]| {
        whole.extend_from_slice(piece);
        Ok(())
    };
    export(app, std::slice::from_ref(bound), &name, collect).await?;
    Ok(whole)
}

fn flush<S: FnMut(&[u8]) -> std::io::Result<()>>(out: &mut Vec<u8>, sink: &mut S) -> Result<()> {
    sink(out).map_err(|fault| Error::internal(format!("the export cannot be written: {fault}")))?;
    out.clear();
    Ok(())
}
