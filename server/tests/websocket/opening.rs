//! How a socket opens, over TCP and over anything else.

use crate::echo;
use axum::{Router, extract::Request};
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use server::websocket::upgrade::{self, Opened, Raw};
use socket2::SockRef;
use std::{thread, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_util::task::TaskTracker;

const PATIENCE: Duration = Duration::from_secs(20);

/// A good request (the key is the RFC's own example), and a ping at once, before the answer.
const IMPATIENT: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x89\x82\0\0\0\0hi";

/// The answer to it.
const ACCEPTED: &str = "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=";

async fn serve<Io>(io: Io, router: Router)
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router);
    let _ = http1::Builder::new().serve_connection(TokioIo::new(io), service).with_upgrades().await;
}

/// Reads up to the end of the answer's head.
async fn read_head(wire: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, wire.read_u8()).await.expect("in time").expect("an answer"));
    }
    String::from_utf8(head).expect("ASCII").to_lowercase()
}

/// Opens the first socket that is asked for.
async fn open(request: &[u8]) -> (TcpStream, Opened) {
    let (opened, mut sockets) = mpsc::channel(1);
    let tasks = TaskTracker::new();
    let opening = tasks.clone();
    let router = Router::new().fallback(async move |mut request: Request| {
        let (answer, promise) = upgrade::accept(&mut request).expect("a good request");
        opening.spawn(async move { opened.send(promise.open().await.expect("a socket")).await });
        answer
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut wire = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
    let (accepted, _) = listener.accept().await.expect("a connection");
    tasks.spawn(serve(accepted, router));
    wire.write_all(request).await.expect("a request");
    assert!(read_head(&mut wire).await.contains(ACCEPTED));
    (wire, timeout(PATIENCE, sockets.recv()).await.expect("in time").expect("a socket"))
}

#[tokio::test]
async fn what_came_with_the_request_is_handed_over() {
    let (_, opened) = open(IMPATIENT).await;
    assert_eq!(opened.early, Bytes::from_static(b"\x89\x82\0\0\0\0hi"));
    let patient = &IMPATIENT[..IMPATIENT.len() - 8];
    let (_, opened) = open(patient).await;
    assert!(opened.early.is_empty());
}

#[tokio::test]
async fn the_kernel_does_not_hide_who_reads_slowly() {
    let (_, opened) = open(IMPATIENT).await;
    let Raw::Tcp(socket) = &opened.io else { panic!("it is a TCP socket") };
    let held = SockRef::from(socket).send_buffer_size().expect("a size");
    assert!(held <= 128 * 1024, "{held} bytes");
}

#[tokio::test]
async fn another_runtime_may_own_the_socket() {
    let (mut wire, opened) = open(IMPATIENT).await;
    let elsewhere = thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { opened.io.into_stream().expect("registered").write_all(b"hello").await })
    });
    let mut heard = [0; 5];
    timeout(PATIENCE, wire.read_exact(&mut heard)).await.expect("in time").expect("a greeting");
    elsewhere.join().expect("no panic").expect("written");
    assert_eq!(&heard, b"hello");
}

#[tokio::test]
async fn what_is_no_tcp_socket_is_served_all_the_same() {
    let (mut wire, other) = tokio::io::duplex(1_000);
    let tasks = TaskTracker::new();
    tasks.spawn(serve(other, echo::router(100, tasks.clone())));
    wire.write_all(IMPATIENT).await.expect("a request");
    assert!(read_head(&mut wire).await.contains(ACCEPTED));
    let mut pong = [0; 4];
    timeout(PATIENCE, wire.read_exact(&mut pong)).await.expect("in time").expect("a pong");
    assert_eq!(&pong, b"\x8a\x02hi");
}

#[tokio::test]
async fn a_request_that_opens_nothing_is_told_why() {
    let request = |lines: &str| format!("GET / HTTP/1.1\r\nHost: x\r\n{lines}\r\n");
    let good = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    for (what, lines, status) in [
        ("a page", String::new(), "400"),
        ("an old version", format!("{good}Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: x\r\n"), "426"),
        ("no key", format!("{good}Sec-WebSocket-Version: 13\r\n"), "400"),
        ("a short key", format!("{good}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2hvcnQ=\r\n"), "400"),
    ] {
        let (mut wire, other) = tokio::io::duplex(1_000);
        let tasks = TaskTracker::new();
        tasks.spawn(serve(other, echo::router(100, tasks.clone())));
        wire.write_all(request(&lines).as_bytes()).await.expect("a request");
        let head = read_head(&mut wire).await;
        assert!(
            head.starts_with(&format!("http/1.1 {status}")) && head.contains("sec-websocket-version: 13"),
            "{what}: {head}"
        );
    }
}
