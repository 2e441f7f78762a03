//! A calendar as one iCalendar stream, for GET on the collection: page by page, each VTIMEZONE once.

use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;

use super::Call;
use super::names::dav;
use super::reply::PAGE_WITH_BODIES;
use super::view::is_clark;
use crate::app::App;
use crate::app::sessions::author::PRODID;
use crate::ical::join::Join;
use crate::ical::write::content_line;
use crate::model::{Bound, Calendar, Readable, Result};
use crate::store::objects;
use crate::store::properties::{self, OwnerKind};
use crate::wire::{BoxError, ReplyBody};
use crate::xml;

/// The export's entity tag. It covers members and properties, since the calendar's name is in the file.
pub fn tag(calendar: &Calendar) -> String {
    format!("{}-{}-{}", calendar.id, calendar.seq, calendar.props_seq)
}

/// What is still to be sent.
struct Export {
    app: App,
    bound: Readable<Bound>,
    after: Option<String>,
    /// Absent at the end.
    join: Option<Join>,
    out: Vec<u8>,
}

pub async fn stream(call: &Call, bound: Readable<Bound>) -> Result<ReplyBody> {
    let mut out = Vec::new();
    let name = display_name(call, &bound).await?;
    let name = content_line("X-WR-CALNAME", &[], &crate::ical::text::escape(&name));
    let join = Join::begin(
        &format!("VERSION:2.0\r\nPRODID:{PRODID}\r\n{name}"),
        &mut out,
    );
    let mut export = Export {
        app: call.app.clone(),
        bound,
        after: None,
        join: Some(join),
        out,
    };
    export.page().await?;
    if export.join.is_none() {
        return Ok(export.out.into());
    }
    Ok(ReplyBody::stream(StreamBody::new(
        futures_util::stream::try_unfold(export, Export::step),
    )))
}

/// What the person calls the calendar.
async fn display_name(call: &Call, bound: &Bound) -> Result<String> {
    let (who, id) = (call.who().id, bound.calendar.id.0);
    let stored = call
        .app
        .store
        .peek(|tx| Box::pin(properties::get_all(tx, OwnerKind::Calendar, id, who)))
        .await?;
    let value = stored
        .iter()
        .find(|(name, _)| is_clark(name, &dav::DISPLAYNAME))
        .and_then(|(_, value)| xml::read(value.as_bytes(), &xml::Limits::default()).ok());
    Ok(value.map_or_else(|| bound.slug.clone(), |value| value.trimmed_text()))
}

impl Export {
    async fn step(mut self) -> Result<Option<(Frame<Bytes>, Self)>, BoxError> {
        while self.out.is_empty() && self.join.is_some() {
            self.page().await?;
        }
        if self.out.is_empty() {
            return Ok(None);
        }
        let piece = std::mem::take(&mut self.out);
        Ok(Some((Frame::data(piece.into()), self)))
    }

    async fn page(&mut self) -> Result<()> {
        let Export {
            app,
            bound,
            after,
            join,
            out,
        } = self;
        let Some(running) = join.as_mut() else {
            return Ok(());
        };
        let id = bound.calendar.id;
        let (mut count, mut last) = (0, String::new());
        let each = |member: crate::store::MemberRef<'_>| {
            running.push(member.body, out);
            count += 1;
            if count == PAGE_WITH_BODIES {
                last.push_str(member.name);
            }
            Ok(())
        };
        app.store
            .peek(|tx| {
                Box::pin(objects::page(
                    tx,
                    id,
                    after.as_deref(),
                    PAGE_WITH_BODIES as i64,
                    true,
                    each,
                ))
            })
            .await?;
        if count < PAGE_WITH_BODIES
            && let Some(done) = join.take()
        {
            done.end(out);
        }
        *after = Some(last);
        Ok(())
    }
}
