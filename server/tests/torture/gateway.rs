//! Servers that break a promise, for the controls: a gateway before the real one that answers too early. What it holds
//! back is gone when the server is killed, as it would be with a server that does so itself.

use crate::{
    person::{Line, dial},
    support::in_time,
};
use app::protocol::{Ack, Chat, ClientFrame, MessageId, NickName, RoomName, Seq, ServerFrame, SocketId, Timestamp};
use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};

/// How long a message is held back, as in a buffer that is written now and then.
const HELD: Duration = Duration::from_millis(20);

/// How long the server may take for what was passed on to it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which promise is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Acknowledged before it is kept.
    AckFirst,
    /// Shown to its author before it is kept.
    ShowFirst,
}

pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    unanswered: watch::Receiver<usize>,
    _serving: JoinSet<()>,
}

/// The places that were promised.
type Promises = Arc<Mutex<HashMap<RoomName, HashMap<MessageId, Seq>>>>;

/// Counts what one connection passed on, or holds back, and the server has not answered. With the connection that is
/// forgotten.
struct Unanswered {
    here: usize,
    everywhere: watch::Sender<usize>,
}

/// One connection that goes through.
struct Passage {
    habit: Habit,
    room: RoomName,
    /// The last position that was shown.
    shown: Seq,
    /// Messages that were shown too early.
    own: HashSet<MessageId>,
    held: VecDeque<(Instant, Message)>,
    unanswered: Unanswered,
    promises: Promises,
}

impl Gateway {
    pub(crate) async fn open(server: SocketAddr, habit: Habit) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (everywhere, unanswered) = watch::channel(0);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let (promises, mut passages) = (Promises::default(), JoinSet::new());
            while let Ok((client, _)) = listener.accept().await {
                let unanswered = Unanswered { here: 0, everywhere: everywhere.clone() };
                passages.spawn(carry(client, server, habit, unanswered, promises.clone()));
            }
        });
        Gateway { address, unanswered, _serving: serving }
    }

    /// Waits until nothing is held back any more and the server has answered everything: what is not in its log now
    /// never will be.
    pub(crate) async fn is_idle(&mut self) {
        let idle = self.unanswered.wait_for(|unanswered| *unanswered == 0);
        in_time("an idle gateway", PATIENCE, idle).await.expect("the gateway serves");
    }
}

impl Unanswered {
    fn passed_on(&mut self) {
        self.here += 1;
        self.everywhere.send_modify(|unanswered| *unanswered += 1);
    }

    fn answered(&mut self) {
        self.here -= 1;
        self.everywhere.send_modify(|unanswered| *unanswered -= 1);
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.everywhere.send_modify(|unanswered| *unanswered -= self.here);
    }
}

/// Carries frames both ways until one side is gone.
async fn carry(
    client: TcpStream,
    server: SocketAddr,
    habit: Habit,
    unanswered: Unanswered,
    promises: Promises,
) -> Option<()> {
    let (mut path, mut cookie) = (String::new(), String::new());
    #[allow(clippy::result_large_err, reason = "the library's own type")]
    let note = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        path = request.uri().to_string();
        let sent = request.headers().get("cookie").and_then(|cookie| cookie.to_str().ok());
        cookie = sent.unwrap_or_default().to_owned();
        Ok(response)
    };
    let mut client: WebSocketStream<TcpStream> = accept_hdr_async(client, note).await.ok()?;
    let mut server: Line = dial(server, &path, &cookie).await?;
    let room = RoomName::parse(said_in(&path, "room=")).ok()?;
    let shown = Seq(said_in(&path, "after=").parse().ok()?);
    let (own, held) = (HashSet::new(), VecDeque::new());
    let mut passage = Passage { habit, room, shown, own, held, unanswered, promises };
    loop {
        let due = passage.held.front().map(|(due, _)| *due);
        tokio::select! {
            said = client.next() => {
                let Message::Text(json) = said?.ok()? else { continue };
                if let Some(early) = passage.answer_early(&json) {
                    client.send(early).await.ok()?;
                }
                passage.hold(Message::Text(json));
            }
            heard = server.next() => {
                let Message::Text(json) = heard?.ok()? else { continue };
                if let Some(answer) = passage.let_through(&json) {
                    client.send(answer).await.ok()?;
                }
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let (_, message) = passage.held.pop_front().expect("one is due");
                server.send(message).await.ok()?;
            }
        }
    }
}

/// A parameter of the address that the client asked for.
fn said_in<'a>(path: &'a str, parameter: &str) -> &'a str {
    path.split(['?', '&']).find_map(|part| part.strip_prefix(parameter)).unwrap_or_default()
}

impl Passage {
    /// What the client is told before anything is kept.
    fn answer_early(&mut self, json: &str) -> Option<Message> {
        let Ok(ClientFrame::Chat { id: Some(id), text, kind, .. }) = ClientFrame::parse(json) else { return None };
        let room = self.room.clone();
        match self.habit {
            Habit::AckFirst => {
                let seq = self.promise(&room, id);
                told(&ServerFrame::Ack(Ack { room, id, seq, sent: Timestamp(0) }))
            }
            Habit::ShowFirst if self.own.insert(id) => {
                self.shown = self.shown.next();
                let (socket, author) = (SocketId("unknown".into()), NickName::parse("unknown").ok()?);
                let (sent, seq) = (Timestamp(0), self.shown);
                told(&ServerFrame::Chat(Chat { room, socket, author, text, sent, seq, id, kind }))
            }
            Habit::ShowFirst => None,
        }
    }

    /// The place that a message has if nothing goes wrong.
    fn promise(&self, room: &RoomName, id: MessageId) -> Seq {
        let mut promises = self.promises.lock();
        let of_room = promises.entry(room.clone()).or_default();
        let next = Seq(of_room.len() as u64 + 1);
        *of_room.entry(id).or_insert(next)
    }

    fn hold(&mut self, message: Message) {
        self.held.push_back((Instant::now() + HELD, message));
        self.unanswered.passed_on();
    }

    /// What the client hears of a frame of the server.
    fn let_through(&mut self, json: &str) -> Option<Message> {
        let frame = serde_json::from_str(json).ok()?;
        match &frame {
            ServerFrame::Ack(_) => {
                self.unanswered.answered();
                if self.habit == Habit::AckFirst {
                    return None;
                }
            }
            ServerFrame::Chat(chat) if self.habit == Habit::ShowFirst => {
                if self.own.contains(&chat.id) {
                    return None;
                }
                self.shown = self.shown.next();
                return told(&ServerFrame::Chat(Chat { seq: self.shown, ..chat.clone() }));
            }
            _ => {}
        }
        Some(Message::text(json))
    }
}

fn told(frame: &ServerFrame) -> Option<Message> {
    Some(Message::text(serde_json::to_string(frame).expect("frames are plain data")))
}
