//! Over real sockets: keep-alive, slow clients, TLS, stopping.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Running;
use crate::server::{bind, run};

/// Long enough for anything that is not broken.
const PATIENCE: Duration = Duration::from_secs(20);

struct Listening {
    running: Running,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Listening {
    async fn new(flags: &[(&'static str, &str)]) -> Listening {
        let mut flags = flags.to_vec();
        flags.push(("listen", "127.0.0.1:0"));
        let running = Running::new(&flags).await;
        let listeners = bind(&running.world.config).await.unwrap();
        let address = listeners[0].local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(run(running.server.clone(), listeners, async {
            let _ = stopped.await;
        }));
        Listening {
            running,
            address,
            stop: Some(stop),
            task,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        timeout(PATIENCE, &mut self.task).await.unwrap().unwrap();
    }
}

/// A PUT of an object whose body is sent by the test.
async fn put(listening: &Listening, framing: &str) -> TcpStream {
    let world = &listening.running.world;
    world.user("anna").await;
    let authorization = world.basic("anna").await;
    let mut stream = listening.connect().await;
    let head = format!(
        "PUT /dav/calendars/anna/calendar/a.ics HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n\
         Content-Type: text/calendar\r\n{framing}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn status_line(stream: &mut TcpStream) -> String {
    let mut line = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut line))
        .await
        .unwrap()
        .unwrap();
    String::from_utf8(line.to_vec()).unwrap()
}

#[tokio::test]
async fn a_declared_size_over_the_limit_is_refused_before_the_body_is_sent() {
    let listening = Listening::new(&[]).await;
    let mut stream = put(&listening, "Content-Length: 99999999999").await;
    assert_eq!(status_line(&mut stream).await, "HTTP/1.1 403");
}

#[tokio::test]
async fn who_sends_everything_before_reading_gets_the_refusal_too() {
    let listening = Listening::new(&[("limits.object_bytes", "65536")]).await;
    let body = "x".repeat(12 << 20);
    let mut stream = put(&listening, &format!("Content-Length: {}", body.len())).await;
    timeout(PATIENCE, stream.write_all(body.as_bytes()))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status_line(&mut stream).await, "HTTP/1.1 403");
}

#[tokio::test]
async fn an_undeclared_size_is_refused_when_it_passes_the_limit() {
    let listening = Listening::new(&[("limits.object_bytes", "65536")]).await;
    let mut stream = put(&listening, "Transfer-Encoding: chunked").await;
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    for _ in 0..20 {
        // The server may hang up in the middle.
        let _ = stream.write_all(chunk.as_bytes()).await;
    }
    assert_eq!(status_line(&mut stream).await, "HTTP/1.1 403");
}

#[tokio::test]
async fn a_body_that_stops_arriving_is_given_up() {
    let listening = Listening::new(&[("limits.body_seconds", "1")]).await;
    let mut stream = put(&listening, "Content-Length: 1000").await;
    stream.write_all(b"BEGIN:VCALENDAR").await.unwrap();
    assert_eq!(status_line(&mut stream).await, "HTTP/1.1 400");
}

/// python-caldav does this: the body leaves after the head, and the next request takes the same connection.
#[tokio::test]
async fn a_body_that_nobody_read_does_not_end_the_connection() {
    let listening = Listening::new(&[]).await;
    let mut stream = listening.connect().await;
    for _ in 0..3 {
        let head = "PROPFIND /dav/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(status_line(&mut stream).await, "HTTP/1.1 401");
        stream.write_all(&[b' '; 1000]).await.unwrap();
        let rest = rest_of_answer(&mut stream).await;
        assert!(!rest.contains("connection: close"), "{rest}");
    }
    assert!(
        get(&mut stream, "/healthz")
            .await
            .starts_with("HTTP/1.1 200")
    );
}

/// What follows the status: the head, and a body of the length that it says.
async fn rest_of_answer<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap();
        head.push(char::from(byte));
    }
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap_or("0").parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

/// Sends a GET and reads its answer, whose body has a length.
async fn get<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    rest_of_answer(stream).await
}

#[tokio::test]
async fn a_connection_serves_many_requests_and_ends_when_the_server_stops() {
    let mut listening = Listening::new(&[]).await;
    let mut stream = listening.connect().await;
    for _ in 0..3 {
        let answer = get(&mut stream, "/healthz").await;
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok\n"),
            "{answer}"
        );
    }
    listening.stop().await;
    assert_eq!(
        timeout(PATIENCE, stream.read(&mut [0]))
            .await
            .unwrap()
            .unwrap(),
        0
    );
    assert!(TcpStream::connect(listening.address).await.is_err());
}

#[tokio::test]
async fn a_head_that_does_not_arrive_ends_the_connection() {
    let listening = Listening::new(&[("limits.header_seconds", "1")]).await;
    let mut slow = listening.connect().await;
    let drip = async {
        for byte in b"GET /healthz HTTP/1.1\r\nX: "
            .iter()
            .chain([b'x'; 1000].iter())
        {
            if slow.write_u8(*byte).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, drip).await.expect("the server hangs up");
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused() {
    let listening = Listening::new(&[("limits.header_bytes", "8192")]).await;
    let mut stream = listening.connect().await;
    let request = format!(
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
}

#[tokio::test]
async fn no_more_connections_than_there_are_slots() {
    let listening = Listening::new(&[("limits.connections", "1")]).await;
    let mut first = listening.connect().await;
    get(&mut first, "/healthz").await;
    let mut second = listening.connect().await;
    let waits = timeout(Duration::from_millis(200), get(&mut second, "/healthz")).await;
    assert!(waits.is_err(), "the second one waits");
    drop(first);
    let mut answer = [0; 15];
    timeout(PATIENCE, second.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tls/localhost.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tls/localhost.key");

async fn tls(
    address: SocketAddr,
    protocols: &[&[u8]],
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(CERTIFICATE).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    connector
        .connect(ServerName::try_from("localhost").unwrap(), stream)
        .await
        .unwrap()
}

#[tokio::test]
async fn tls_by_certificate_files() {
    let listening = Listening::new(&[("tls.cert", CERTIFICATE), ("tls.key", KEY)]).await;
    let mut stream = tls(listening.address, &[b"http/1.1"]).await;
    let answer = get(&mut stream, "/healthz").await;
    assert!(answer.ends_with("ok\n"), "{answer}");
    let stream = tls(listening.address, &[b"h2", b"http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let certificate = listening.running.server.certificate.as_ref().unwrap();
    certificate.reload(true);
    let mut stream = tls(listening.address, &[]).await;
    get(&mut stream, "/healthz").await;
    // Who speaks no TLS is no trouble for the others.
    let mut plain = listening.connect().await;
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    get(&mut stream, "/healthz").await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_said_at_the_start() {
    let running = Running::new(&[]).await;
    for (cert, key) in [
        ("/nowhere.pem", KEY),
        (CERTIFICATE, "/nowhere.key"),
        (KEY, KEY),
    ] {
        let files = crate::config::Tls {
            cert: cert.into(),
            key: key.into(),
        };
        let why = crate::server::tls::Certificate::load(&files).err().unwrap();
        assert!(why.starts_with('/'), "{why}");
    }
    drop(running);
}
