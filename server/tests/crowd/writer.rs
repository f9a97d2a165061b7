//! Somebody who says something again and again, whatever happens to the connection, and sends again what was not
//! acknowledged.

use super::{
    child::Taproom,
    histogram,
    reader::{Socket, dial, send},
    record, room,
};
use app::{
    client::reconnect::Backoff,
    protocol::{Ack, ClientFrame, Kind, MessageId, ServerFrame, Text},
};
use futures::StreamExt;
use hdrhistogram::Histogram;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};
use tokio_tungstenite::tungstenite::Message;

/// How often something is due to be said in a room of up to 100 readers, whether or not what was said before is kept. In
/// a larger one it is less often, so that readers and their server share two cores: about 20,000 deliveries a second.
const EVERY: Duration = Duration::from_millis(25);

/// How long an answer may take before the connection is given up.
const ANSWER: Duration = Duration::from_secs(10);

/// One writer, alone in its room with readers.
pub(crate) struct Writer {
    pub(crate) number: usize,
    address: SocketAddr,
    quiet: watch::Receiver<bool>,
    up: watch::Receiver<Instant>,
    every: Duration,
    acks: Vec<Ack>,
    /// From the time when a message was due and there was a server until it was kept, in microseconds.
    pub(crate) latency: Histogram<u64>,
}

impl Writer {
    pub(crate) fn new(number: usize, server: &Taproom, readers: usize, quiet: watch::Receiver<bool>) -> Writer {
        let (address, up) = (server.address(), server.up());
        let every = EVERY.mul_f64((readers as f64 / 100.0).max(1.0));
        Writer { number, address, quiet, up, every, acks: Vec::new(), latency: histogram() }
    }

    /// Goes on until there should be quiet.
    pub(crate) async fn write(mut self) -> Writer {
        let mut socket = None;
        let mut due = Instant::now();
        while !*self.quiet.borrow() {
            tokio::time::sleep_until(due).await;
            let ack = self.keep(&mut socket).await;
            let since = due.max(*self.up.borrow());
            record(&mut self.latency, since.elapsed());
            self.acks.push(ack);
            due += self.every;
        }
        self
    }

    /// Says one thing, as often as it takes, always under the same id.
    async fn keep(&self, socket: &mut Option<Socket>) -> Ack {
        let id = MessageId::new(self.acks.len() as u64, rand::random());
        let text = Text::parse(&format!("message {} of writer {}", self.acks.len(), self.number)).expect("a good text");
        let message = ClientFrame::Chat { author: None, text, room: None, id: Some(id), kind: Kind::Speech };
        let message = serde_json::to_string(&message).expect("frames are plain data");
        let mut backoff = Backoff::default();
        loop {
            if let Some(open) = socket
                && send(open, message.clone()).await
                && let Some(ack) = timeout(ANSWER, ack(open, id)).await.ok().flatten()
            {
                return ack;
            }
            let name = format!("room={}&name=writer{}", room(self.number), self.number);
            *socket = dial(self.number, self.address, &name).await;
            if socket.is_none() {
                tokio::time::sleep(Duration::from_millis(backoff.pause(rand::random()))).await;
            }
        }
    }

    /// Nothing was kept twice or out of order, and nobody else wrote here. Answers the last position.
    pub(crate) fn check(&self) -> u64 {
        for (ack, seq) in self.acks.iter().zip(1..) {
            assert_eq!(ack.seq.0, seq, "writer {}", self.number);
        }
        self.acks.len() as u64
    }
}

/// The acknowledgement of a message; none when the connection is lost first.
async fn ack(socket: &mut Socket, id: MessageId) -> Option<Ack> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(json))) => match serde_json::from_str(&json).expect("a frame") {
                ServerFrame::Ack(ack) if ack.id == id => return Some(ack),
                ServerFrame::Error(error) => panic!("refused: {error:?}"),
                _ => {}
            },
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}
