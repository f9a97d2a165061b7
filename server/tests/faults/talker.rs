//! Somebody who talks without end, remembers what was promised, and comes back after a cut.

use crate::support::{TestServer, Wire, fresh_id, say};
use app::protocol::{Ack, Chat, ErrorCode, MessageId, ServerFrame};
use futures::{SinkExt, StreamExt};
use std::{collections::VecDeque, time::Duration};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// How long a talker waits for any frame.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a talker waits before it sends again what was refused.
const BACK_OFF: Duration = Duration::from_millis(100);

/// One author in one room, over all the sockets that the author ever opens.
pub(crate) struct Talker {
    pub(crate) room: String,
    name: String,
    /// Messages that may be on their way at a time.
    window: usize,
    /// Open between two talks, and to which server.
    socket: Option<(String, WebSocketStream<Wire>)>,
    /// Said and not acknowledged, in order.
    waiting: VecDeque<(MessageId, String)>,
    /// How many were said.
    pub(crate) said: u64,
    /// Acknowledged, in the order of the acks; whoever reads the log takes them out.
    pub(crate) acked: Vec<Ack>,
    /// Seen, in the order in which they came; taken out likewise.
    pub(crate) seen: Vec<Chat>,
    /// Whether what is said lands in the order in which it is said. Who is refused one message of several that are on
    /// their way, and says it again, has it behind the others.
    pub(crate) in_order: bool,
    /// The words of every refusal.
    pub(crate) refused: Vec<String>,
}

/// How a talk over one socket ended.
#[derive(Debug, PartialEq, Eq)]
enum Talk {
    Over,
    Lost,
}

/// When a talker ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// When something was refused, or the socket was lost.
    Trouble,
    /// When so many were acknowledged, counted from the beginning of the talk, and nothing is on its way. Trouble is
    /// sat out.
    Acked(usize),
}

impl Talker {
    pub(crate) fn new(number: usize, room: &str, window: usize) -> Talker {
        Talker {
            room: room.to_owned(),
            name: format!("talker-{number}"),
            window,
            socket: None,
            waiting: VecDeque::new(),
            said: 0,
            acked: Vec::new(),
            seen: Vec::new(),
            in_order: true,
            refused: Vec::new(),
        }
    }

    /// So many talkers, two in each room.
    pub(crate) fn pairs(count: usize, window: usize) -> Vec<Talker> {
        (0..count).map(|number| Talker::new(number, &format!("room-{}", number / 2), window)).collect()
    }

    /// Talks to its end. A lost socket is trouble: where that is sat out, another one is opened.
    pub(crate) async fn talk(&mut self, server: &TestServer, until: Until) {
        let goal = match until {
            Until::Trouble => usize::MAX,
            Until::Acked(count) => self.acked.len() + count,
        };
        let talking = async {
            while self.talk_over_one(server, until, goal).await == Talk::Lost && matches!(until, Until::Acked(_)) {
                sleep(BACK_OFF).await;
            }
        };
        timeout(3 * PATIENCE, talking).await.expect("an end in time");
    }

    /// Opens a socket unless one is open, says again what was not acknowledged, then goes on.
    async fn talk_over_one(&mut self, server: &TestServer, until: Until, goal: usize) -> Talk {
        let mut socket = match self.socket.take() {
            Some((host, socket)) if host == server.host() => socket,
            _ => self.connect(server).await,
        };
        let mut on_its_way = 0;
        let mut refused = !self.waiting.is_empty();
        loop {
            if !refused {
                while self.waiting.len() < self.window && self.acked.len() + self.waiting.len() < goal {
                    let (id, words) = self.think();
                    on_its_way += 1;
                    if !tell(&mut socket, id, &words).await {
                        return Talk::Lost;
                    }
                }
            } else if on_its_way == 0 {
                if !self.refused.is_empty() {
                    sleep(BACK_OFF).await;
                }
                refused = false;
                for (id, words) in &self.waiting {
                    on_its_way += 1;
                    if !tell(&mut socket, *id, words).await {
                        return Talk::Lost;
                    }
                }
            }
            if self.waiting.is_empty() {
                self.socket = Some((server.host(), socket));
                return Talk::Over;
            }
            if socket.flush().await.is_err() {
                return Talk::Lost;
            }
            match hear(&mut socket).await {
                None => return Talk::Lost,
                Some(ServerFrame::Ack(ack)) => {
                    let place = self.waiting.iter().position(|(id, _)| *id == ack.id).expect("it was said");
                    self.waiting.remove(place);
                    self.acked.push(ack);
                    on_its_way -= 1;
                }
                Some(ServerFrame::Chat(chat)) => self.seen.push(chat),
                Some(ServerFrame::Error(error)) => {
                    assert_eq!(error.code, ErrorCode::Busy, "{error:?}");
                    assert!(error.retry_after_ms.is_some_and(|pause| pause > 0), "{error:?}");
                    self.refused.push(error.text);
                    if matches!(until, Until::Trouble) {
                        return Talk::Over;
                    }
                    if error.id.is_some() {
                        (refused, self.in_order) = (true, false);
                        on_its_way -= 1;
                    }
                }
                Some(_) => {}
            }
        }
    }

    async fn connect(&self, server: &TestServer) -> WebSocketStream<Wire> {
        let address = format!("ws://{}/ws?room={}&name={}", server.host(), self.room, self.name);
        let request = address.into_client_request().expect("a good address");
        client_async(request, server.dial().await).await.expect("the upgrade").0
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn think(&mut self) -> (MessageId, String) {
        self.said += 1;
        let message = (fresh_id(), format!("{} says number {} of many things", self.name, self.said));
        self.waiting.push_back(message.clone());
        message
    }
}

/// Whether it could be told.
async fn tell(socket: &mut WebSocketStream<Wire>, id: MessageId, words: &str) -> bool {
    let json = serde_json::to_string(&say(id, words)).expect("frames are plain data");
    socket.feed(Message::text(json)).await.is_ok()
}

/// The next frame; none when the socket is lost.
async fn hear(socket: &mut WebSocketStream<Wire>) -> Option<ServerFrame> {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("a frame in time: nobody hangs silently") {
            Some(Ok(Message::Text(json))) => return Some(serde_json::from_str(&json).expect("a frame")),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}
