//! Somebody who reads a room, comes back whenever the connection is lost, and does not accept a hole or a double.

use super::{ROOMS, histogram, record, room};
use app::{client::reconnect::Backoff, protocol::ServerFrame};
use futures::{SinkExt, StreamExt};
use hdrhistogram::Histogram;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

/// A socket's read buffer, in bytes: there are thousands of them in this process.
const READ_BUFFER: usize = 2 * 1024;

/// How long dialling may take before it is tried again.
const DIAL: Duration = Duration::from_secs(10);

/// The longest time between two cuts of one reader, in milliseconds.
const LONGEST_PEACE: u64 = 900;

/// Source addresses, so that the ports of one do not run out.
const SOURCES: usize = 8;

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// One reader, and what it has seen.
pub(crate) struct Reader {
    pub(crate) number: usize,
    address: SocketAddr,
    /// The last position that it has.
    pub(crate) cursor: u64,
    epoch: Option<String>,
    /// How long it took from every loss of the connection until everything missed was here, in microseconds.
    pub(crate) returns: Histogram<u64>,
    ends: watch::Receiver<Option<Arc<[u64; ROOMS]>>>,
    arrived: mpsc::Sender<()>,
}

/// How a connection ended.
enum Ended {
    Lost,
    /// Everything that was ever said is read.
    Finished,
}

impl Reader {
    pub(crate) fn new(
        number: usize,
        address: SocketAddr,
        ends: watch::Receiver<Option<Arc<[u64; ROOMS]>>>,
        arrived: mpsc::Sender<()>,
    ) -> Reader {
        Reader { number, address, cursor: 0, epoch: None, returns: histogram(), ends, arrived }
    }

    /// Reads to the end, being cut so often on the way.
    pub(crate) async fn read(mut self, mut cuts: u32) -> Reader {
        let mut random = StdRng::seed_from_u64(self.number as u64);
        let (mut backoff, mut lost) = (Backoff::default(), None);
        loop {
            if let Some(socket) = self.dial().await {
                backoff.reset();
                let peace = Duration::from_millis(random.random_range(50..LONGEST_PEACE));
                let reading = self.follow(socket, &mut lost);
                let ended = match cuts {
                    0 => reading.await,
                    // Dropped in the middle of whatever was on its way.
                    _ => timeout(peace, reading).await.unwrap_or(Ended::Lost),
                };
                if let Ended::Finished = ended {
                    return self;
                }
                cuts = cuts.saturating_sub(1);
            }
            lost.get_or_insert_with(Instant::now);
            if !super::in_a_hurry() {
                tokio::time::sleep(Duration::from_millis(backoff.pause(random.random()))).await;
            }
        }
    }

    async fn dial(&self) -> Option<Socket> {
        let (room, cursor) = (room(self.number), self.cursor);
        let epoch = self.epoch.as_ref().map(|epoch| format!("&after={cursor}&epoch={epoch}")).unwrap_or_default();
        dial(self.number, self.address, &format!("room={room}{epoch}")).await
    }

    /// Reads a connection. `lost` is when the one before it was, until everything since then is here.
    async fn follow(&mut self, mut socket: Socket, lost: &mut Option<Instant>) -> Ended {
        let mut head = None;
        loop {
            if let (Some(reached), Some(since)) = (head.map(|head| self.cursor >= head), *lost)
                && reached
            {
                record(&mut self.returns, since.elapsed());
                *lost = None;
            }
            let end = self.ends.borrow_and_update().as_ref().map(|ends| ends[self.number % ROOMS]);
            if end == Some(self.cursor) && lost.is_none() && head.is_some() {
                let _ = socket.close(None).await;
                return Ended::Finished;
            }
            tokio::select! {
                heard = socket.next() => match heard {
                    Some(Ok(Message::Text(json))) => self.hear(&json, &mut head),
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ended::Lost,
                    Some(Ok(_)) => {}
                },
                _ = self.ends.changed() => {}
            }
        }
    }

    fn hear(&mut self, json: &str, head: &mut Option<u64>) {
        match serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}")) {
            ServerFrame::Status(status) => {
                if self.epoch.is_none() {
                    self.cursor = status.head.0;
                    self.arrived.try_send(()).expect("there is a place for each");
                }
                let epoch = status.epoch.to_string();
                assert_eq!(self.epoch.get_or_insert(epoch.clone()), &epoch, "the log is the same");
                *head = Some(status.head.0);
            }
            ServerFrame::Chat(chat) => {
                assert_eq!(chat.seq.0, self.cursor + 1, "reader {}: a hole, or a double", self.number);
                self.cursor = chat.seq.0;
            }
            ServerFrame::Gap(gap) => panic!("nobody is so far behind: {gap:?}"),
            ServerFrame::Error(error) => panic!("refused: {error:?}"),
            _ => {}
        }
    }
}

/// Opens a socket; none when the server is not there, or does not let anybody in now.
pub(crate) async fn dial(number: usize, address: SocketAddr, query: &str) -> Option<Socket> {
    let request = format!("ws://{address}/ws?{query}").into_client_request().expect("a good address");
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(0);
    let dialling = async {
        let stream = connect(number, address).await.ok()?;
        Some(client_async_with_config(request, stream, Some(config)).await.ok()?.0)
    };
    timeout(DIAL, dialling).await.ok()?
}

async fn connect(number: usize, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let source = Ipv4Addr::new(127, 0, 0, 1 + (number % SOURCES) as u8);
    socket.bind((source, 0).into())?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends a frame; false when the connection is lost.
pub(crate) async fn send(socket: &mut Socket, json: String) -> bool {
    socket.send(Message::text(json)).await.is_ok()
}
