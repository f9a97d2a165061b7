//! One who talks and listens in a room, and comes back whenever the connection is lost.

use crate::{
    child,
    judge::{Acked, Fault, Record, Seen, id_of, words},
    support::{in_url, say, visitor},
};
use app::{
    client::reconnect::Backoff,
    protocol::{Ack, Chat, Epoch, Event, Gap, MessageId, RoomName, Seq, ServerFrame},
};
use futures::{SinkExt, StreamExt};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IteratorRandom};
use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    sync::{mpsc, watch},
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

/// How long one try to connect may take.
const DIAL: Duration = Duration::from_secs(2);

/// The longest pause of those who come back at once, in milliseconds.
const SHORT_PAUSE_MS: u64 = 40;

/// Acknowledged messages that are remembered for being sent again although nobody needs it.
const REMEMBERED: usize = 64;

/// How many of them are sent again after each cut.
const NEEDLESS: usize = 2;

pub(crate) type Line = WebSocketStream<TcpStream>;

/// What somebody is there for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// Says so many messages, if nobody ends it before, and has so many on the way at once.
    Talks { messages: u64, window: usize },
    /// Only listens.
    Listens,
}

/// When to try again after a connection was lost.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Return {
    AtOnce,
    /// With the pauses of a browser: up to half a second, then up to a second …
    LikeABrowser,
}

/// What everybody is told to do.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    Talk,
    /// Say nothing new, and send again until everything is acknowledged.
    Settle,
    /// Read up to here, and go.
    ReadTo(Arc<HashMap<RoomName, Seq>>),
}

/// Where a person is heard of by who leads the crowd.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) order: watch::Receiver<Order>,
    /// Counts what is acknowledged to anybody.
    pub(crate) acked: watch::Sender<u64>,
    /// Counts connections of anybody.
    pub(crate) arrived: watch::Sender<u64>,
    /// Gets one word from everybody who has settled.
    pub(crate) settled: mpsc::Sender<()>,
}

/// A message that is not acknowledged.
struct Waiting {
    id: MessageId,
    since: Instant,
}

pub(crate) struct Person {
    number: u32,
    part: Part,
    comes_back: Return,
    /// Where sockets are opened.
    door: SocketAddr,
    /// Where history is read, which is not always the same.
    history: SocketAddr,
    told: Told,
    random: StdRng,
    backoff: Backoff,
    cursor: Seq,
    epoch: Option<Epoch>,
    said: u64,
    /// In the order in which they were said.
    waiting: VecDeque<Waiting>,
    remembered: VecDeque<MessageId>,
    has_settled: bool,
    record: Record,
}

/// Why a connection ended.
enum End {
    Lost,
    Done,
}

impl Person {
    pub(crate) fn new(
        number: u32,
        room: RoomName,
        part: Part,
        comes_back: Return,
        door: SocketAddr,
        told: Told,
    ) -> Person {
        Person {
            number,
            part,
            comes_back,
            door,
            history: door,
            told,
            random: StdRng::seed_from_u64(number.into()),
            backoff: Backoff::default(),
            cursor: Seq::ZERO,
            epoch: None,
            said: 0,
            waiting: VecDeque::new(),
            remembered: VecDeque::new(),
            has_settled: false,
            record: Record::new(room),
        }
    }

    /// Reads history elsewhere than where sockets are opened.
    pub(crate) fn with_history_at(self, history: SocketAddr) -> Person {
        Person { history, ..self }
    }

    /// Lives until the crowd is told to go, and answers what there was to be heard.
    pub(crate) async fn live(mut self) -> Record {
        loop {
            if let Some(line) = self.connect().await {
                self.backoff.reset();
                self.told.arrived.send_modify(|arrived| *arrived += 1);
                match self.talk(line).await {
                    End::Done => return self.record,
                    End::Lost => self.record.cuts += 1,
                }
            }
            self.pause().await;
        }
    }

    async fn pause(&mut self) {
        let pause = match self.comes_back {
            Return::AtOnce => self.random.random_range(1..=SHORT_PAUSE_MS),
            Return::LikeABrowser => self.backoff.pause(self.random.random()),
        };
        sleep(Duration::from_millis(pause)).await;
    }

    async fn connect(&mut self) -> Option<Line> {
        let mut query = format!("room={}&after={}", in_url(self.record.room.as_str()), self.cursor);
        if let Some(epoch) = &self.epoch {
            query += &format!("&epoch={epoch}");
        }
        timeout(DIAL, dial(self.door, &format!("/ws?{query}"), &visitor(self.number))).await.ok()?
    }

    async fn talk(&mut self, line: Line) -> End {
        let (mut sink, mut stream) = line.split();
        for message in self.again() {
            if sink.feed(message).await.is_err() {
                return End::Lost;
            }
        }
        loop {
            let order = self.told.order.borrow_and_update().clone();
            for message in self.more(&order) {
                if sink.feed(message).await.is_err() {
                    return End::Lost;
                }
            }
            if sink.flush().await.is_err() {
                return End::Lost;
            }
            if self.is_done(&order) {
                return End::Done;
            }
            tokio::select! {
                message = stream.next() => match message {
                    Some(Ok(Message::Text(json))) => self.hear(&json).await,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Lost,
                    Some(Ok(_)) => {}
                },
                changed = self.told.order.changed() => changed.expect("the crowd outlives its people"),
            }
        }
    }

    // Saying

    /// What is sent again on a new connection: everything that waits for its `Ack`, in the order in which it was said,
    /// and some of what does not.
    fn again(&mut self) -> Vec<Message> {
        let needless = self.remembered.iter().copied().choose_multiple(&mut self.random, NEEDLESS);
        let ids: Vec<_> = needless.into_iter().chain(self.waiting.iter().map(|waiting| waiting.id)).collect();
        self.record.resent += ids.len() as u64;
        ids.into_iter().map(message).collect()
    }

    /// What is said now.
    fn more(&mut self, order: &Order) -> Vec<Message> {
        let mut said = Vec::new();
        if let (Part::Talks { messages, window }, Order::Talk) = (self.part, order) {
            while self.said < messages && self.waiting.len() < window {
                self.said += 1;
                let id = id_of(self.number, self.said);
                self.waiting.push_back(Waiting { id, since: Instant::now() });
                said.push(message(id));
            }
        }
        said
    }

    fn is_done(&mut self, order: &Order) -> bool {
        let nothing_more = match (self.part, order) {
            (Part::Talks { messages, .. }, Order::Talk) => self.said == messages,
            (Part::Listens, Order::Talk) => false,
            _ => true,
        };
        if nothing_more && self.waiting.is_empty() && !self.has_settled {
            self.has_settled = true;
            // It holds one word of everybody.
            let _ = self.told.settled.try_send(());
        }
        matches!(order, Order::ReadTo(heads) if heads.get(&self.record.room).is_none_or(|head| self.cursor >= *head))
    }

    // Hearing

    async fn hear(&mut self, json: &str) {
        match serde_json::from_str(json) {
            Ok(ServerFrame::Ack(ack)) => self.hear_ack(&ack),
            Ok(ServerFrame::Chat(chat)) => self.see(&chat),
            Ok(ServerFrame::Status(status)) => {
                let before = self.epoch.replace(status.epoch.clone());
                if before.is_some_and(|before| before != status.epoch) {
                    self.record.faults.push((Fault::Refused, format!("another epoch: {json}")));
                }
            }
            Ok(ServerFrame::Gap(gap)) => self.fill(&gap).await,
            Ok(ServerFrame::UserList(_) | ServerFrame::Pong(_)) => {}
            _ => self.record.faults.push((Fault::Refused, json.to_owned())),
        }
    }

    fn hear_ack(&mut self, ack: &Ack) {
        let at = Instant::now();
        if let Some(place) = self.waiting.iter().position(|waiting| waiting.id == ack.id) {
            let waiting = self.waiting.remove(place).expect("it was just found");
            self.record.slowest_ack = self.record.slowest_ack.max(at - waiting.since);
            self.told.acked.send_modify(|acked| *acked += 1);
            self.remembered.push_back(ack.id);
            if self.remembered.len() > REMEMBERED {
                self.remembered.pop_front();
            }
        }
        self.record.acknowledge(ack.id, Acked { seq: ack.seq, sent: ack.sent, at });
    }

    fn see(&mut self, chat: &Chat) {
        if chat.seq != self.cursor.next() {
            let case = format!("{} after {} in {}", chat.seq, self.cursor, self.record.room);
            return self.record.faults.push((Fault::Skipped, case));
        }
        self.cursor = chat.seq;
        self.record.seen.push(Seen::from(chat));
    }

    /// Reads what a gap leaves out over HTTP.
    async fn fill(&mut self, gap: &Gap) {
        self.record.gaps += 1;
        while self.cursor < gap.to {
            let query = format!("after={}&limit=200", self.cursor);
            let page = child::page(self.history, &self.record.room, &query).await;
            let missing = page.events.into_iter().map(|Event::Chat(chat)| chat);
            let before = self.cursor;
            missing.take_while(|chat| chat.seq <= gap.to).for_each(|chat| self.see(&chat));
            if self.cursor == before {
                let case = format!("nothing after {before} in {}", self.record.room);
                return self.record.faults.push((Fault::Skipped, case));
            }
        }
    }
}

fn message(id: MessageId) -> Message {
    let frame = say(id, &words(id));
    Message::text(serde_json::to_string(&frame).expect("frames are plain data"))
}

/// Opens a socket as a browser with this cookie does.
pub(crate) async fn dial(address: SocketAddr, path: &str, cookie: &str) -> Option<Line> {
    let wire = TcpStream::connect(address).await.ok()?;
    wire.set_nodelay(true).ok()?;
    let mut request = format!("ws://{address}{path}").into_client_request().expect("a good address");
    let origin = format!("http://{address}");
    for (name, value) in [("origin", origin.as_str()), ("cookie", cookie)] {
        request.headers_mut().insert(name, value.parse().expect("a header's value"));
    }
    let (line, _) = client_async(request, wire).await.ok()?;
    Some(line)
}
