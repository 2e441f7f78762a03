//! What the front doors and the listener hand each other: a request's body with the peer it comes from, and an answer's body.
//!
//! Both are small enums instead of trait objects: nearly every body is empty or whole in memory, and costs no allocation then.

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;

use crate::model::{Error, Result};

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub type Request = http::Request<RequestBody>;
pub type Response = http::Response<ReplyBody>;

/// Who is at the other end, once the headers of trusted proxies have been taken into account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub address: IpAddr,
    /// Credentials may be taken: the way here is TLS, the loopback interface, a trusted proxy that says it has TLS
    /// on its other side, or the operator allowed it (`insecure_basic`).
    pub confidential: bool,
}

impl Peer {
    /// A client on this machine.
    pub const LOCAL: Peer = Peer {
        address: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        confidential: true,
    };
}

/// The body of a request that is still on its way, and where it comes from.
pub struct RequestBody {
    pub peer: Peer,
    /// The longest pause between two pieces, against clients that send a byte a minute.
    stall: Duration,
    source: Source,
}

enum Source {
    Wire(Wire),
    Memory(Bytes),
}

/// The most that is read of a body that nobody asked for, and for how long. More than objects may have: who sends one that
/// is too long, and reads no answer before the last byte is out, is to see the refusal and not a broken connection.
const UNWANTED: u64 = 64 << 20;
const UNWANTED_TIME: Duration = Duration::from_secs(10);

/// A body on its way. hyper closes a connection whose request was answered without its body having been read: a client
/// that sends the body after the head, and goes on after our 401 on the same connection, would find it closed. So a
/// body that was not wanted is read and forgotten, if it is not long.
struct Wire {
    /// None once it is being forgotten.
    body: Option<hyper::body::Incoming>,
    /// `Expect: 100-continue`: the client sends nothing unless we read.
    waits: bool,
}

impl Wire {
    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.as_ref();
        body.map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let short = self.size_hint().lower() <= UNWANTED;
        if self.waits || self.is_end_stream() || !short {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if let Some(body) = self.body.take() {
            runtime.spawn(tokio::time::timeout(UNWANTED_TIME, forget(body)));
        }
    }
}

/// Reads what is left, up to [`UNWANTED`].
async fn forget(mut body: hyper::body::Incoming) {
    use http_body_util::BodyExt;
    let mut left = UNWANTED;
    while let Some(Ok(frame)) = body.frame().await {
        let size = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

impl RequestBody {
    /// `waits`: the client asked whether to send it (`Expect: 100-continue`).
    pub fn incoming(
        body: hyper::body::Incoming,
        peer: Peer,
        stall: Duration,
        waits: bool,
    ) -> RequestBody {
        let body = Some(body);
        RequestBody {
            peer,
            stall,
            source: Source::Wire(Wire { body, waits }),
        }
    }

    /// A body in memory, for tests and for requests that are made inside.
    pub fn from_bytes(body: impl Into<Bytes>, peer: Peer) -> RequestBody {
        RequestBody {
            peer,
            stall: Duration::from_secs(30),
            source: Source::Memory(body.into()),
        }
    }

    /// The whole body, if it is not longer than `limit` bytes; `setting` names the limit in the answer (`limits.xml_bytes`).
    /// A declared length over the limit is refused before a byte is read.
    pub async fn read(self, limit: usize, setting: &str) -> Result<Bytes> {
        let too_large = |size: u64| {
            Error::TooLarge(format!(
                "request body too large: {size} bytes, limit {limit} ({setting})"
            ))
        };
        let over = |size: usize| size > limit;
        let (stall, mut incoming) = match self.source {
            Source::Memory(body) if over(body.len()) => return Err(too_large(body.len() as u64)),
            Source::Memory(body) => return Ok(body),
            Source::Wire(incoming) => (self.stall, incoming),
        };
        if incoming.is_end_stream() {
            return Ok(Bytes::new());
        }
        let declared = incoming.size_hint();
        if declared.lower() > limit as u64 {
            return Err(too_large(declared.lower()));
        }
        let mut whole = Bytes::new();
        let mut pieces = BytesMut::new();
        while let Some(piece) = next_piece(&mut incoming, stall).await? {
            let size = whole.len() + pieces.len() + piece.len();
            if over(size) {
                return Err(too_large(size as u64));
            }
            if whole.is_empty() && pieces.is_empty() {
                whole = piece;
                continue;
            }
            if pieces.is_empty() {
                // The declared length is a hint, not a promise: memory follows what has arrived.
                let expected = usize::try_from(declared.lower())
                    .unwrap_or(limit)
                    .min(limit);
                pieces.reserve(expected.min(size.saturating_mul(8)));
                pieces.extend_from_slice(&std::mem::take(&mut whole));
            }
            pieces.extend_from_slice(&piece);
        }
        Ok(if pieces.is_empty() {
            whole
        } else {
            pieces.freeze()
        })
    }
}

/// The next non-empty data frame; trailers are passed over.
async fn next_piece(wire: &mut Wire, stall: Duration) -> Result<Option<Bytes>> {
    use http_body_util::BodyExt;
    let Some(body) = &mut wire.body else {
        return Ok(None);
    };
    loop {
        let frame = match tokio::time::timeout(stall, body.frame()).await {
            Err(_) => return Err(Error::bad("the request body stopped arriving")),
            Ok(None) => return Ok(None),
            Ok(Some(Err(fault))) => {
                return Err(Error::bad(format!("the request body broke off: {fault}")));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        match frame.into_data() {
            Ok(data) if !data.is_empty() => return Ok(Some(data)),
            _ => continue,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.source {
            Source::Memory(bytes) => Poll::Ready(whole_frame(bytes)),
            Source::Wire(Wire { body: None, .. }) => Poll::Ready(None),
            Source::Wire(Wire {
                body: Some(body), ..
            }) => {
                let frame = ready!(Pin::new(body).poll_frame(context));
                Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Memory(bytes) => bytes.is_empty(),
            Source::Wire(incoming) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Memory(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Wire(incoming) => incoming.size_hint(),
        }
    }
}

/// The body of an answer.
pub enum ReplyBody {
    Empty,
    Full(Bytes),
    Stream(UnsyncBoxBody<Bytes, BoxError>),
}

impl ReplyBody {
    /// Any other body, of axum's routers for example.
    pub fn stream<B>(body: B) -> ReplyBody
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        use http_body_util::BodyExt;
        ReplyBody::Stream(body.map_err(Into::into).boxed_unsync())
    }
}

impl From<Bytes> for ReplyBody {
    fn from(bytes: Bytes) -> ReplyBody {
        ReplyBody::Full(bytes)
    }
}

impl From<Vec<u8>> for ReplyBody {
    fn from(bytes: Vec<u8>) -> ReplyBody {
        ReplyBody::Full(bytes.into())
    }
}

impl From<String> for ReplyBody {
    fn from(text: String) -> ReplyBody {
        ReplyBody::Full(text.into())
    }
}

impl From<&'static str> for ReplyBody {
    fn from(text: &'static str) -> ReplyBody {
        ReplyBody::Full(Bytes::from_static(text.as_bytes()))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut *self {
            ReplyBody::Empty => Poll::Ready(None),
            ReplyBody::Full(bytes) => Poll::Ready(whole_frame(bytes)),
            ReplyBody::Stream(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ReplyBody::Empty => true,
            ReplyBody::Full(bytes) => bytes.is_empty(),
            ReplyBody::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Empty => SizeHint::with_exact(0),
            ReplyBody::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            ReplyBody::Stream(body) => body.size_hint(),
        }
    }
}

/// What is left of a body in memory, as its one frame.
fn whole_frame(bytes: &mut Bytes) -> Option<Result<Frame<Bytes>, BoxError>> {
    (!bytes.is_empty()).then(|| Ok(Frame::data(std::mem::take(bytes))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_with_the_setting_named() {
        let body = RequestBody::from_bytes("12345", Peer::LOCAL);
        let fault = body.read(4, "limits.xml_bytes").await.unwrap_err();
        assert_eq!(
            fault.to_string(),
            "request body too large: 5 bytes, limit 4 (limits.xml_bytes)"
        );
        let body = RequestBody::from_bytes("1234", Peer::LOCAL);
        assert_eq!(body.read(4, "limits.xml_bytes").await.unwrap(), "1234");
    }

    #[tokio::test]
    async fn a_full_reply_is_one_frame_with_its_exact_length() {
        use http_body_util::BodyExt;
        let body = ReplyBody::from("hello");
        assert_eq!(body.size_hint().exact(), Some(5));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
        assert!(ReplyBody::Empty.is_end_stream());
    }
}
