//! What the tests share: a server of their own, and clients that wait for facts.

pub(crate) mod binary;
mod client;
pub(crate) mod http;
mod memory;
mod names;
mod raw;
mod server;

pub(crate) use client::{TestClient, names_of};
pub(crate) use http::Answer;
pub(crate) use names::{fresh_id, in_url, room, say, text, visitor};
pub(crate) use raw::{BINARY, CLOSE, CONTINUATION, FIN, PING, RawSocket, TEXT, masked, written};
pub(crate) use server::{TestServer, unhurried};

use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// A way to the server: a TCP connection, or a pipe in memory.
pub(crate) trait Way: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Way for T {}

pub(crate) type Wire = Box<dyn Way>;

/// Waits for something that must happen, and says what it was when it does not.
pub(crate) async fn in_time<T>(what: &str, patience: Duration, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(patience, future).await {
        Ok(done) => done,
        Err(_) => panic!("{what}: not within {patience:?}"),
    }
}
