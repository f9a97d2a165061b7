//! Says back what it hears, over Taproom's own upgrade, framing and limits: what a conformance suite talks to.
//!
//! `cargo run --release --example echo -- --listen 127.0.0.1:9001 --max-bytes 16777216`

use anyhow::{Context, Result};
use axum::{Router, extract::Request};
use clap::Parser;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use server::websocket::{
    framing::{self, Binary, Bounds, Heard, Reader},
    upgrade::{self, Opened, Promise, Stream},
};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};
use tokio_util::task::TaskTracker;

/// What a socket reads at once, in bytes.
const SCRATCH: usize = 256 * 1024;

/// How long the other side may take to hang up after a goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// An echo server for WebSockets; every path opens one.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9001")]
    listen: String,

    /// The longest message, in bytes.
    #[arg(long, value_name = "N", default_value_t = 64 * 1024)]
    max_bytes: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { listen, max_bytes } = Arguments::parse();
    let listener = TcpListener::bind(&listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    println!("Echoing at ws://{}", listener.local_addr()?);
    Ok(serve(listener, max_bytes).await?)
}

/// Serves for as long as connections can be accepted.
pub(crate) async fn serve(listener: TcpListener, max_bytes: usize) -> io::Result<()> {
    let connections = TaskTracker::new();
    let router = router(max_bytes, connections.clone());
    loop {
        let (socket, _) = listener.accept().await?;
        // Without it the echo is only later.
        let _ = socket.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service).with_upgrades());
    }
}

/// Opens a socket at every path and spawns its life on `sockets`.
pub(crate) fn router(max_bytes: usize, sockets: TaskTracker) -> Router {
    let bounds = Bounds { message_bytes: max_bytes, binary: Binary::Accepted };
    Router::new().fallback(async move |mut request: Request| match upgrade::accept(&mut request) {
        Ok((answer, promise)) => {
            sockets.spawn(open(promise, bounds));
            answer
        }
        Err(refused) => *refused,
    })
}

async fn open(promise: Promise, bounds: Bounds) {
    let Some(opened) = promise.open().await else { return };
    if let Err(error) = echo(opened, &bounds).await {
        eprintln!("a socket was lost: {error}");
    }
}

/// The life of one socket.
async fn echo(opened: Opened, bounds: &Bounds) -> io::Result<()> {
    let mut io = opened.io.into_stream()?;
    let mut came = opened.early.len();
    let (mut reader, mut scratch) = (Reader::default(), vec![0; SCRATCH.max(came)]);
    scratch[..came].copy_from_slice(&opened.early);
    loop {
        let (answers, talk) = answer(&mut reader, &mut scratch[..came], bounds);
        io.write_all(&answers).await?;
        if talk == Talk::IsOver {
            return hang_up(io, &mut scratch).await;
        }
        came = io.read(&mut scratch).await?;
        if came == 0 {
            return Ok(());
        }
    }
}

#[derive(PartialEq, Eq)]
enum Talk {
    GoesOn,
    IsOver,
}

/// What is said to `bytes`: no more than came and one message that was kept.
fn answer(reader: &mut Reader, mut bytes: &mut [u8], bounds: &Bounds) -> (Vec<u8>, Talk) {
    let (mut answers, mut talk) = (Vec::new(), Talk::GoesOn);
    while talk == Talk::GoesOn {
        let frame = match reader.read(&mut bytes, bounds) {
            Ok(None) => break,
            Ok(Some(Heard::Text(text))) => framing::text(text.as_bytes()),
            Ok(Some(Heard::Binary(payload))) => framing::binary(&payload),
            Ok(Some(Heard::Ping(payload))) => framing::pong(&payload),
            Ok(Some(Heard::Pong(_))) => continue,
            Ok(Some(Heard::Close(why))) => {
                talk = Talk::IsOver;
                why.map_or_else(framing::close_without_code, |(code, words)| framing::close(code, &words))
            }
            Err(broken) => {
                talk = Talk::IsOver;
                framing::close(broken.close_code(), &broken.to_string())
            }
        };
        answers.extend_from_slice(&frame);
    }
    (answers, talk)
}

/// Reads away what still comes: a socket that is closed with unread bytes is reset, and a reset may overtake the goodbye.
async fn hang_up(mut io: Stream, scratch: &mut [u8]) -> io::Result<()> {
    io.shutdown().await?;
    let rest = async { while io.read(scratch).await.is_ok_and(|read| read > 0) {} };
    let _ = timeout(FAREWELL, rest).await;
    Ok(())
}
