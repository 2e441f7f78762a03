//! One connection: TLS if there is any, HTTP/1.1 or HTTP/2, until it ends, idles for too long, or the server stops.
//!
//! Idle and slow clients are noticed by one timer per connection, not per request: when between two of its ticks no
//! request began, none is being answered and no byte was written, the connection is closed. A client that sends its head
//! byte by byte is one of those; one that downloads slowly is not.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Server;
use super::guard::Origin;
use crate::config::Limits;
use crate::wire::RequestBody;

/// Time for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// HTTP/2 requests of one connection at the same time.
const STREAMS: u32 = 64;

/// The protocol machine, made once and used for every connection.
pub fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        // See the header of this module: a timer of hyper's would be set and cleared for every request.
        .header_read_timeout(None)
        // Not `pipeline_flush`: with it the refusal of a head that is too large is never sent.
        .max_buf_size(limits.header_bytes);
    builder
        .http2()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    builder
}

/// Serves one connection to its end.
pub async fn run(
    server: Arc<Server>,
    stream: TcpStream,
    remote: SocketAddr,
    stop: watch::Receiver<bool>,
) {
    // Small answers must not wait for the client's acknowledgement of earlier ones.
    let _ = stream.set_nodelay(true);
    let origin = Origin::new(&server.app.config, remote, server.certificate.is_some());
    match &server.certificate {
        None => serve(server, stream, origin, stop).await,
        Some(certificate) => {
            let handshake = tokio::time::timeout(HANDSHAKE, certificate.acceptor().accept(stream));
            match handshake.await {
                Ok(Ok(stream)) => serve(server, stream, origin, stop).await,
                Ok(Err(fault)) => tracing::debug!(%fault, "TLS handshake failed"),
                Err(_) => tracing::debug!("TLS handshake took too long"),
            }
        }
    }
}

async fn serve<S>(server: Arc<Server>, stream: S, origin: Origin, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let activity = Arc::new(Activity::default());
    let io = TokioIo::new(Watched {
        stream,
        activity: activity.clone(),
    });
    let (answering, pulse) = (server.clone(), activity.clone());
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let server = answering.clone();
        let busy = Busy::begin(&pulse);
        async move {
            let config = &server.app.config;
            let peer = origin.peer(request.headers(), config);
            let stall = config.limits.body_stall;
            let waits = request.headers().contains_key(http::header::EXPECT);
            let request = request.map(|body| RequestBody::incoming(body, peer, stall, waits));
            let response = server.answer(request).await;
            drop(busy);
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(server.builder.serve_connection(io, service));
    let patience = server.app.config.limits.header_time;
    let mut tick = pin!(tokio::time::sleep(patience));
    let mut seen = activity.mark();
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            outcome = connection.as_mut() => {
                if let Err(fault) = outcome {
                    tracing::debug!(%fault, "connection ended");
                }
                return;
            }
            _ = stop.changed(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = tick.as_mut() => {
                let now = activity.mark();
                if now == seen && !activity.is_busy() {
                    return;
                }
                seen = now;
                tick.set(tokio::time::sleep(patience));
            }
        }
    }
}

/// Signs of life of a connection.
#[derive(Default)]
struct Activity {
    /// Requests begun plus bytes written.
    progress: AtomicU64,
    answering: AtomicUsize,
}

impl Activity {
    fn mark(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    fn is_busy(&self) -> bool {
        self.answering.load(Ordering::Relaxed) > 0
    }

    fn progressed(&self, by: usize) {
        self.progress.fetch_add(by as u64, Ordering::Relaxed);
    }
}

/// A request that is being answered.
struct Busy(Arc<Activity>);

impl Busy {
    fn begin(activity: &Arc<Activity>) -> Busy {
        activity.progressed(1);
        activity.answering.fetch_add(1, Ordering::Relaxed);
        Busy(activity.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that tells what was written to it.
struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.activity.progressed(written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices))?;
        self.activity.progressed(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
