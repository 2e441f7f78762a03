//! Multistatus answers (RFC 4918 §13), written while they are sent.
//!
//! The members of an answer come in pages, each one short read of the store. An answer of one page is one body with its
//! length; a longer one is a stream whose next page is read when the connection has room for it, so memory is bounded by
//! the page and not by the answer. Large answers are gzip-coded for clients that take it; small ones never.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::BoxFuture;
use http::{HeaderValue, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;

use super::error;
use super::names::dav;
use super::request::Prefer;
use crate::model::Result;
use crate::wire::{BoxError, ReplyBody, Response};
use crate::xml::{Ns, Writer};

/// Members of one page: with their texts it would be a few hundred KiB, held for every client at once.
pub const PAGE: usize = 256;
pub const PAGE_WITH_BODIES: usize = 64;

/// Pages are put together up to this many bytes: an answer below is whole, and no piece of a longer one is tiny.
const PIECE: usize = 48 << 10;

/// Whether there is another page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    More,
    Done,
}

/// Where the responses come from.
pub trait Pages: Send + 'static {
    /// Writes the next page.
    fn page<'a>(&'a mut self, w: &'a mut Writer) -> BoxFuture<'a, Result<Next>>;
}

/// What the client said about the form of the answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Form {
    pub prefer: Prefer,
    pub gzip: bool,
}

/// An empty multistatus document, its prefixes declared.
pub fn document() -> Writer {
    Writer::document(
        &dav::MULTISTATUS,
        &[Ns::Dav, Ns::CalDav, Ns::CalendarServer, Ns::Apple],
    )
}

/// The answer made of all pages.
pub async fn stream(form: Form, mut pages: impl Pages) -> Result<Response> {
    let mut w = document();
    if fill(&mut pages, &mut w).await? == Next::Done {
        return Ok(whole(form, w));
    }
    let state = Running {
        w: Some(w),
        pages,
        coder: form.gzip.then(Coder::new),
    };
    let frames = futures_util::stream::try_unfold(state, Running::step);
    let mut response = error::xml(Vec::new());
    *response.body_mut() = ReplyBody::stream(StreamBody::new(frames));
    *response.status_mut() = StatusCode::MULTI_STATUS;
    let headers = response.headers_mut();
    headers.insert(
        header::VARY,
        HeaderValue::from_static("Accept-Encoding, Prefer, Brief"),
    );
    if form.gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    applied(&mut response, form);
    Ok(response)
}

/// Writes pages until there is enough to send.
async fn fill(pages: &mut impl Pages, w: &mut Writer) -> Result<Next> {
    loop {
        let next = pages.page(w).await?;
        if next == Next::Done || w.len() >= PIECE {
            return Ok(next);
        }
    }
}

/// The answer that is already written.
pub fn whole(form: Form, w: Writer) -> Response {
    let mut response = error::xml(w.finish());
    *response.status_mut() = StatusCode::MULTI_STATUS;
    applied(&mut response, form);
    response
}

/// RFC 7240 §3: which preferences were honoured.
fn applied(response: &mut Response, form: Form) {
    let value = match (form.prefer.minimal, form.prefer.noroot) {
        (false, false) => return,
        (true, false) => "return=minimal",
        (false, true) => "depth-noroot",
        (true, true) => "return=minimal, depth-noroot",
    };
    let headers = response.headers_mut();
    headers.insert("preference-applied", HeaderValue::from_static(value));
    headers
        .entry(header::VARY)
        .or_insert(HeaderValue::from_static("Prefer, Brief"));
}

/// An answer of which a part was sent.
struct Running<P> {
    /// Absent when all was written.
    w: Option<Writer>,
    pages: P,
    coder: Option<Coder>,
}

impl<P: Pages> Running<P> {
    /// The next piece, and the rest. The first piece is the page that was written before it was known that there are more.
    async fn step(mut self) -> Result<Option<(Frame<Bytes>, Self)>, BoxError> {
        let Some(mut w) = self.w.take() else {
            return Ok(None);
        };
        if w.is_empty() {
            let next = fill(&mut self.pages, &mut w).await.inspect_err(|why| {
                tracing::warn!(reason = %why, "an answer broke off");
            })?;
            if next == Next::Done {
                let rest = w.finish();
                let rest = match self.coder.take() {
                    Some(coder) => coder.finish(&rest)?,
                    None => rest,
                };
                return Ok(Some((Frame::data(rest.into()), self)));
            }
        }
        let piece = w.take();
        let piece = match &mut self.coder {
            Some(coder) => coder.code(&piece)?,
            None => piece,
        };
        self.w = Some(w);
        Ok(Some((Frame::data(piece.into()), self)))
    }
}

/// gzip, piece by piece.
struct Coder(GzEncoder<Vec<u8>>);

impl Coder {
    fn new() -> Coder {
        Coder(GzEncoder::new(Vec::new(), Compression::fast()))
    }

    fn code(&mut self, piece: &[u8]) -> std::io::Result<Vec<u8>> {
        self.0.write_all(piece)?;
        self.0.flush()?;
        Ok(std::mem::take(self.0.get_mut()))
    }

    fn finish(mut self, rest: &[u8]) -> std::io::Result<Vec<u8>> {
        self.0.write_all(rest)?;
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::io::Read;

    /// Numbers as responses, three large ones a page.
    struct Count(usize, usize);

    impl Pages for Count {
        fn page<'a>(&'a mut self, w: &'a mut Writer) -> BoxFuture<'a, Result<Next>> {
            Box::pin(async move {
                let until = (self.0 + 3).min(self.1);
                for n in self.0..until {
                    w.element(&dav::RESPONSE, &n.to_string().repeat(PIECE / 3));
                }
                self.0 = until;
                Ok(if until == self.1 {
                    Next::Done
                } else {
                    Next::More
                })
            })
        }
    }

    async fn answer(count: usize, gzip: bool) -> (http::HeaderMap, Vec<u8>, bool) {
        let form = Form {
            gzip,
            ..Form::default()
        };
        let response = stream(form, Count(0, count)).await.unwrap();
        let (parts, body) = response.into_parts();
        let streamed = matches!(body, ReplyBody::Stream(_));
        (
            parts.headers,
            body.collect().await.unwrap().to_bytes().to_vec(),
            streamed,
        )
    }

    fn responses(body: &[u8]) -> usize {
        crate::xml::read(body, &crate::xml::Limits::default())
            .unwrap()
            .elements()
            .count()
    }

    #[tokio::test]
    async fn one_page_is_a_whole_body_and_several_are_a_stream() {
        for (count, streams) in [(0, false), (3, false), (4, true), (10, true)] {
            let (_, body, streamed) = answer(count, false).await;
            assert_eq!((responses(&body), streamed), (count, streams));
        }
    }

    #[tokio::test]
    async fn only_streams_are_coded() {
        let (headers, body, _) = answer(3, true).await;
        assert!(!headers.contains_key("content-encoding"));
        assert_eq!(responses(&body), 3);
        let (headers, body, _) = answer(10, true).await;
        assert_eq!(headers["content-encoding"], "gzip");
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&body[..])
            .read_to_end(&mut plain)
            .unwrap();
        assert_eq!(responses(&plain), 10);
    }
}
