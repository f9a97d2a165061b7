//! What one shard does for its people, pass by pass.

use super::*;
use crate::{
    config::Serve,
    delivery::{
        Admission, Arrival, Seats,
        connection::{MAX_ANSWERS, WRITE_TIMEOUT, tests::PLACE_BYTES},
    },
    files::Places,
    journal::{Journal, Writer, tests::Log},
    people::People,
    rooms::Rooms,
    websocket::{
        framing,
        upgrade::{Io, Opened, Raw},
    },
};
use app::protocol::{Chat as Message, Event, Kind, MessageId, NickName, Seq, SocketId, Text, Timestamp};
use std::{collections::HashSet, io, io::IoSlice, ops::RangeInclusive};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    sync::mpsc,
    task::{JoinSet, unconstrained},
    time::advance,
};

/// What a pipe holds before its writer has to wait, in bytes.
const PIPE: usize = 4 * 1024;

/// A shard that is led by hand, and what it needs around it.
struct Led {
    shard: Shard,
    guests: (mpsc::Sender<Guest>, mpsc::Receiver<Guest>),
    news: News,
    admission: Admission,
    seats: Seats,
    _log: Log,
    _writer: Writer,
}

impl Led {
    fn new() -> Led {
        let log = Log::new();
        let rooms = Rooms::new(log.store.clone());
        let (journal, writer) = Journal::open(log.database.clone(), rooms.clone());
        let limits = Serve { messages_per_second: 1_000_000, message_burst: 1_000_000, ..Serve::default() }.limits();
        let chat = Chat::new(People::new(limits), rooms, log.store.clone(), journal);
        let ends = Ends { stopping: CancellationToken::new(), abandoned: CancellationToken::new() };
        Led {
            shard: Shard::new(chat, metrics::Delivery::default(), ends),
            guests: mpsc::channel(1),
            news: News::default(),
            admission: Admission::new(),
            seats: Seats::new(&Serve::default(), Places { sockets: 10_000, requests: 1 }),
            _log: log,
            _writer: writer,
        }
    }

    /// Somebody comes, and has been told where they are when this returns.
    async fn come(&mut self, name: &str, io: impl Io + 'static) -> ConnectionKey {
        let before: HashSet<ConnectionKey> = self.shard.connections.keys().collect();
        // Many tabs of one person: the list of people is not what is looked at here.
        let arrival = Arrival { visitor: Some(1.into()), room: room(name), ..Arrival::default() };
        let admitted = self.admission.admit().await.expect("there is place");
        let seat = self.seats.take(None).expect("there is a seat");
        let opened = Opened { io: Raw::Other(Box::new(io)), early: Bytes::new() };
        let guest = Guest::welcome(&self.shard.chat, &self.shard.metrics, opened, arrival, seat, admitted).await;
        assert!(self.guests.0.try_send(guest).is_ok(), "the one before is seated");
        self.pass().await;
        let come = self.shard.connections.keys().find(|key| !before.contains(key));
        come.expect("they are seated")
    }

    /// One pass, where there is something to do: what [`Shard::run`] does, without waiting. Answers whether there was.
    async fn pass(&mut self) -> bool {
        let is_ready = poll_fn(|cx| {
            let ready = self.shard.poll_news(cx, &mut self.guests.1, &mut self.news).is_ready();
            Poll::Ready(ready)
        });
        // As the shard is run, see `Home`.
        let is_ready = unconstrained(is_ready).await;
        if is_ready {
            self.shard.now = Instant::now();
            self.shard.work(&mut self.news);
        }
        is_ready
    }

    /// Passes until nothing is left to do.
    async fn settle(&mut self) {
        while self.pass().await {}
    }

    /// Passes for as long as `future` takes.
    async fn pass_while<T>(&mut self, future: impl Future<Output = T>) -> T {
        let passing = async {
            loop {
                self.pass().await;
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            done = future => done,
            () = passing => unreachable!("it passes for ever"),
        }
    }

    /// Shows messages in a room as the journal does.
    fn publish(&self, name: &str, seqs: RangeInclusive<u64>) {
        let events: Vec<Event> = seqs.map(|seq| message(name, seq)).collect();
        self.shard.chat.rooms.publish(&events);
    }

    fn connection(&self, key: ConnectionKey) -> &Connection {
        &self.shard.connections[key]
    }
}

fn room(name: &str) -> RoomName {
    RoomName::parse(name).expect("a good name")
}

/// A message of about 1,400 bytes on the wire.
fn message(name: &str, seq: u64) -> Event {
    Event::Chat(Message {
        room: room(name),
        socket: SocketId("somebody".into()),
        author: NickName::parse("ada").expect("a good name"),
        text: Text::parse(&"x".repeat(900)).expect("a good text"),
        sent: Timestamp(1),
        seq: Seq(seq),
        id: MessageId::new(0, seq.into()),
        kind: Kind::Speech,
    })
}

/// A reader that takes everything at once and never says a word, and notes when it was written to.
struct Taking {
    name: &'static str,
    written: Arc<parking_lot::Mutex<Vec<(&'static str, usize)>>>,
}

impl AsyncRead for Taking {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Taking {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.lock().push((self.name, bytes.len()));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A flooded room of 2,000 and one of 5. With sockets served in the order in which their rooms had news, the 5 would wait
/// for all 2,000; here they wait for one turn at most. `TURN_SOCKETS` of 2,000 makes this fail.
#[tokio::test(start_paused = true)]
async fn a_room_of_five_waits_for_no_more_than_one_turn_of_a_flooded_room_of_two_thousand() {
    const WAIT: usize = 300;
    let mut led = Led::new();
    let written = Arc::new(parking_lot::Mutex::new(Vec::new()));
    for number in 0..2_005 {
        let name = if number % 401 == 0 { "small" } else { "large" };
        led.come(name, Taking { name, written: written.clone() }).await;
    }
    led.settle().await;
    let (mut seq, mut longest) = (0, 0);
    for pass in 0..200 {
        led.publish("large", pass + 1..=pass + 1);
        written.lock().clear();
        led.pass().await;
        // It may have come when the pass had just begun.
        let sockets_in_the_way = written.lock().len();
        if pass % 3 == 0 {
            seq += 1;
            led.publish("small", seq..=seq);
            led.publish("large", pass + 2..=pass + 2);
            led.pass().await;
            let written = written.lock();
            let small: Vec<usize> = (0..written.len()).filter(|at| written[*at].0 == "small").collect();
            assert_eq!(small.len(), 5, "all five, in the very next pass");
            longest = longest.max(small[4] - 4);
        }
        assert!(sockets_in_the_way <= WAIT, "{sockets_in_the_way} sockets were written to in one pass");
    }
    assert!(longest <= WAIT, "{longest} sockets of others came first");
    led.settle().await;
    let is_behind = |connection: &Connection| connection.socket.pending() > 0;
    assert!(!led.shard.connections.values().any(|connection| is_behind(connection)));
}

/// The other way round: however much is said in small rooms, the large one goes on.
#[tokio::test(start_paused = true)]
async fn a_large_room_has_its_turn_in_every_pass_however_many_small_ones_talk() {
    let mut led = Led::new();
    let written = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let names: Vec<String> = (0..100).map(|number| format!("small {number}")).collect();
    for _ in 0..TURN_SOCKETS {
        led.come("large", Taking { name: "large", written: written.clone() }).await;
    }
    for name in &names {
        led.come(name, Taking { name: "small", written: written.clone() }).await;
    }
    led.settle().await;
    for seq in 1..=20 {
        // It has rested from the round before.
        advance(Duration::from_millis(20)).await;
        led.settle().await;
        led.publish("large", seq..=seq);
        names.iter().for_each(|name| led.publish(name, seq..=seq));
        written.lock().clear();
        led.pass().await;
        let large = written.lock().iter().filter(|(name, _)| *name == "large").count();
        assert_eq!(large, TURN_SOCKETS);
    }
}

/// A reader that stops costs the rest of one frame and what is around it, whatever is said meanwhile: no queue grows.
#[tokio::test(start_paused = true)]
async fn a_reader_that_stops_holds_the_rest_of_one_frame_until_it_is_sent_away() {
    const HELD: usize = 4 * 1024;
    let mut led = Led::new();
    let (theirs, ours) = duplex(PIPE);
    let stopped = led.come("x", ours).await;
    led.settle().await;
    let since = Instant::now();
    for second in 0..WRITE_TIMEOUT.as_secs() {
        for batch in 0..30 {
            let seq = (second * 30 + batch) * 10;
            led.publish("x", seq + 1..=seq + 10);
            led.settle().await;
            let held = led.connection(stopped).held_bytes();
            assert!(held <= HELD, "{held} bytes are held after {seq} messages");
            assert!(led.connection(stopped).socket.pending() <= 2);
        }
        advance(Duration::from_secs(1)).await;
    }
    led.settle().await;
    while led.shard.connections.contains_key(stopped) {
        advance(Duration::from_millis(100)).await;
        led.settle().await;
    }
    assert!(since.elapsed() < WRITE_TIMEOUT + Duration::from_secs(2), "{:?}", since.elapsed());
    assert!(led.shard.audiences.is_empty() && led.shard.rooms.is_empty(), "nothing of it is left");
    drop(theirs);
}

/// Who asks and does not read what is answered is not heard any more, until they read.
#[tokio::test(start_paused = true)]
async fn beyond_64_answers_that_wait_nothing_more_is_heard_until_they_are_read() {
    const ASKED: usize = 2_000;
    let mut led = Led::new();
    let (theirs, ours) = duplex(PIPE);
    let key = led.come("x", ours).await;
    let (mut from, mut to) = tokio::io::split(theirs);
    let mut asking = JoinSet::new();
    asking.spawn(async move {
        for _ in 0..ASKED {
            to.write_all(&masked(r#"{"Type":"Ping"}"#)).await.expect("it is taken at last");
        }
        to
    });
    for _ in 0..200 {
        tokio::task::yield_now().await;
        led.pass().await;
        let connection = led.connection(key);
        assert!(connection.socket.pending() <= MAX_ANSWERS, "{} answers", connection.socket.pending());
        assert!(connection.unread_bytes() <= SCRATCH, "{} bytes", connection.unread_bytes());
    }
    assert_eq!(led.connection(key).socket.pending(), MAX_ANSWERS);
    assert!(asking.try_join_next().is_none(), "whoever asks has to wait");

    let mut heard = Vec::new();
    while count(&heard, r#"{"Type":"Pong""#) < ASKED {
        led.pass_while(from.read_buf(&mut heard)).await.expect("the shard writes");
    }
    let _open = asking.join_next().await.expect("it was asked").expect("all of it");
    led.settle().await;
    assert_eq!(led.connection(key).held_bytes(), led.connection(key).places_bytes(), "and nothing is kept of it");
}

fn count(bytes: &[u8], words: &str) -> usize {
    memchr::memmem::find_iter(bytes, words).count()
}

/// A short frame as a client sends it, with a mask of zeros.
fn masked(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short frame");
    assert!(length < 126, "a short frame");
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}

/// What fails when it is read from, or written to, as a part of the server with a fault in it would.
struct Failing {
    stream: DuplexStream,
    on: On,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Read,
    /// A write of a message, not the first words of a connection.
    Message,
}

impl AsyncRead for Failing {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, into);
        assert!(self.on != On::Read || into.filled().len() == before, "this fails on purpose");
        read
    }
}

impl AsyncWrite for Failing {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        assert!(self.on != On::Message || count(bytes, r#""Type":"Chat""#) == 0, "this fails on purpose");
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write(cx, &slices[0])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

async fn fails_alone(on: On) {
    let mut led = Led::new();
    let (mut theirs, ours) = duplex(PIPE);
    let (mut neighbours, beside) = duplex(PIPE);
    let failing = led.come("x", Failing { stream: ours, on }).await;
    led.come("x", beside).await;
    led.settle().await;
    match on {
        On::Read => theirs.write_all(&masked(r#"{"Type":"Ping"}"#)).await.expect("it is open"),
        On::Message => led.publish("x", 1..=1),
    }
    led.settle().await;
    assert!(!led.shard.connections.contains_key(failing), "it is over");
    let (mut heard, farewell) = (Vec::new(), framing::close(1011, "something failed here: come back with your cursor"));
    while !heard.ends_with(&farewell) {
        assert!(theirs.read_buf(&mut heard).await.expect("the end is said") > 0, "no goodbye");
    }
    let next = if on == On::Message { 2 } else { 1 };
    led.publish("x", next..=next);
    led.settle().await;
    let mut heard = Vec::new();
    while count(&heard, r#""Type":"Chat""#) < next as usize {
        assert!(neighbours.read_buf(&mut heard).await.expect("it is open") > 0, "the neighbour lives on");
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_while_one_is_heard_ends_that_connection_alone() {
    fails_alone(On::Read).await;
}

#[tokio::test(start_paused = true)]
async fn what_fails_while_one_is_told_something_ends_that_connection_alone() {
    fails_alone(On::Message).await;
}

/// Nobody's memory is larger than what they are: in five rooms, quiet, with everything told.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_holds_its_places_and_nothing_else() {
    let mut led = Led::new();
    let (mut theirs, ours) = duplex(16 * PIPE);
    let key = led.come("x", ours).await;
    let mut heard = Vec::new();
    for (rooms, name) in (2..).zip(["a", "b", "c", "d"]) {
        theirs.write_all(&masked(&format!(r#"{{"Type":"Join","Room":"{name}"}}"#))).await.expect("it is open");
        while count(&heard, r#""Type":"userlist""#) < rooms {
            led.pass_while(theirs.read_buf(&mut heard)).await.expect("it is open");
        }
    }
    led.settle().await;
    assert_eq!(led.connection(key).held_bytes(), 5 * PLACE_BYTES);
    for seq in 1..=50 {
        led.publish("x", seq..=seq);
        led.pass_while(theirs.read_buf(&mut heard)).await.expect("it is open");
    }
    led.settle().await;
    assert_eq!(led.connection(key).held_bytes(), 5 * PLACE_BYTES, "after a burst, too");
}
