//! A listener in memory: no kernel, so that paused time can run on while everybody waits.

use axum::serve::Listener;
use server::Peer;
use std::{io, net::IpAddr};
use tokio::{
    io::DuplexStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

/// What a pipe holds before its writer has to wait, in bytes.
const PIPE: usize = 16 * 1024;

/// Where pipes come in.
pub(crate) struct InMemoryListener {
    callers: UnboundedReceiver<DuplexStream>,
}

/// Lays pipes to the listener.
pub(crate) struct Dialer {
    calls: UnboundedSender<DuplexStream>,
}

/// Where a pipe comes from.
pub(crate) struct NoAddress;

impl Peer for NoAddress {
    fn address(&self) -> Option<IpAddr> {
        None
    }
}

/// A listener, and the way to it.
pub(crate) fn in_memory() -> (Dialer, InMemoryListener) {
    let (calls, callers) = unbounded_channel();
    (Dialer { calls }, InMemoryListener { callers })
}

impl Dialer {
    pub(crate) fn dial(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        self.calls.send(theirs).expect("the server listens");
        ours
    }
}

impl Listener for InMemoryListener {
    type Io = DuplexStream;
    type Addr = NoAddress;

    async fn accept(&mut self) -> (DuplexStream, NoAddress) {
        match self.callers.recv().await {
            Some(caller) => (caller, NoAddress),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<NoAddress> {
        Ok(NoAddress)
    }
}
