//! The TCP listener: it goes on when the process has no files left, and nobody waits at it without an answer.

use axum::serve::Listener;
use std::{
    fs::File,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    time::{sleep, timeout},
};

/// Connections that may wait to be accepted; the kernel's own bound (`net.core.somaxconn`) holds below it. With the
/// usual 128, everybody who comes back at once after a restart would wait for TCP's retry of 1 s, then 3 s.
const BACKLOG: u32 = 4_096;

/// What is said to whoever comes when the process can open no more files.
const SORRY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\ncontent-length: 96\r\nretry-after: 5\r\nconnection: close\r\n\r\n\
    {\"status\":503,\"title\":\"Full\",\"detail\":\"This server is full. Come back in some seconds, please.\"}";

/// How long saying it may take. Those behind wait meanwhile.
const SORRY_TIMEOUT: Duration = Duration::from_millis(100);

/// How long to wait when nothing can be done, not even say so.
const REST: Duration = Duration::from_millis(100);

/// How often the log says that there are no files left.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Listens.
pub struct Entrance {
    listener: TcpListener,
    /// An open file that is of no use, save that it can be given up for a connection when no other can be opened.
    spare: Option<File>,
    told: Option<Instant>,
}

impl Entrance {
    /// Listens on the first address that can be had, as [`TcpListener::bind`] does, but with a longer queue.
    pub async fn bind(address: &str) -> io::Result<Entrance> {
        let mut refused = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
        for address in tokio::net::lookup_host(address).await? {
            match listen(address) {
                Ok(listener) => return Ok(Entrance { listener, spare: spare(), told: None }),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Deals with what went wrong with accepting, so that the next try is worth it.
    async fn recover(&mut self, error: io::Error) {
        if is_of_one_connection(&error) {
            return;
        }
        if self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.told = Some(Instant::now());
            tracing::error!(%error, "connections cannot be accepted; raise LimitNOFILE or lower --max-connections");
        }
        match self.spare.take() {
            Some(spare) if is_out_of_files(&error) => {
                drop(spare);
                let _ = timeout(SORRY_TIMEOUT, turn_away(&self.listener)).await;
            }
            _ => sleep(REST).await,
        }
        self.spare = spare();
    }
}

impl Listener for Entrance {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((socket, address)) => {
                    // Small frames must not wait for the acknowledgement of those before them.
                    let _ = socket.set_nodelay(true);
                    return (socket, address);
                }
                Err(error) => self.recover(error).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Takes the next connection, if there is one (Linux finds that it has no file left before it looks), says that there
/// is no place, and reads what came of it: a connection that is closed with unread bytes is reset, and a reset may
/// overtake the answer.
async fn turn_away(listener: &TcpListener) -> io::Result<()> {
    let (mut socket, _) = listener.accept().await?;
    socket.write_all(SORRY).await?;
    socket.shutdown().await?;
    let mut scratch = [0; 1_024];
    while socket.read(&mut scratch).await? > 0 {}
    Ok(())
}

/// The other end has gone while it waited; the next one may be there.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Neither this process nor perhaps the whole machine can open another file.
fn is_out_of_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_apology_is_whole() {
        let text = std::str::from_utf8(SORRY).expect("a text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
        serde_json::from_str::<serde_json::Value>(body).expect("JSON");
    }
}
