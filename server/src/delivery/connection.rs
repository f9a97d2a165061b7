//! The life of one connection: it hears frames, says what its cursors are behind on, and ends.

use super::{
    admission::Admitted,
    ending::Ending,
    heartbeat::{Beat, Heartbeat},
    seats::Seat,
    transport::{Incoming, Transport},
};
use crate::{
    chat::{Chat, Post, Refusal},
    journal::Kept,
    metrics::Metrics,
    people::{Called, Presence, VisitorId},
    rooms::{From, MAX_READ_BYTES, Subscription, encode},
    store::Unreadable,
};
use app::protocol::{
    self, Ack, BadName, ClientFrame, ErrorFrame, Kind, MAX_ROOMS_PER_SOCKET, MessageId, NickName, Pong, RoomName, Seq,
    ServerFrame, SocketId, Status, Text,
};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{
    ops::ControlFlow,
    sync::Arc,
    task::{Wake, Waker},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

/// Messages of one connection that may wait for the journal. Beyond it nothing more is read, which the other side
/// feels as backpressure.
const MAX_IN_FLIGHT: usize = 32;

/// Bad frames in a row that end a connection.
const MAX_BAD_FRAMES: u32 = 10;

/// A write that makes no progress for so long ends the connection.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the last answers may take before the goodbye.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a client said when it came.
#[derive(Debug, Default)]
pub(crate) struct Arrival {
    pub(crate) visitor: Option<VisitorId>,
    pub(crate) room: RoomName,
    pub(crate) from: From,
    /// The name that was asked for, or why it is none.
    pub(crate) name: Option<Result<NickName, BadName>>,
    /// Which build serves the pages.
    pub(crate) build: Arc<str>,
}

/// One open socket.
pub(crate) struct Connection {
    id: SocketId,
    build: Arc<str>,
    chat: Chat,
    transport: Transport,
    who: Presence,
    /// Which of the person's names the rooms and the client know.
    name_told: u32,
    rooms: Vec<Subscription>,
    /// The room that was read last.
    turn_of: usize,
    /// Notified when a room may have something to read, or the person took a name.
    wake: Arc<Notify>,
    /// Answers to this client alone, sent before anything else.
    answers: Vec<Bytes>,
    in_flight: FuturesUnordered<BoxFuture<'static, Answer>>,
    heartbeat: Heartbeat,
    seat: Seat,
    metrics: Arc<Metrics>,
    bad_frames: u32,
    tally: Tally,
    end: CancellationToken,
}

/// Wakes the task of a connection.
struct Bell(Arc<Notify>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// What the journal said of one message.
struct Answer {
    room: RoomName,
    id: MessageId,
    wants_ack: bool,
    kept: Result<Kept, Refusal>,
}

/// What went over a connection, for the one line at its end.
struct Tally {
    since: Instant,
    heard: u64,
    said: u64,
}

impl Connection {
    /// Serves a socket until it ends, or until `end` is cancelled.
    pub(crate) async fn serve(
        chat: Chat,
        transport: Transport,
        arrival: Arrival,
        seat: Seat,
        admitted: Admitted,
        metrics: Arc<Metrics>,
        end: CancellationToken,
    ) {
        let mut connection = Connection::new(chat, transport, &arrival, seat, metrics, end);
        // What happens once is boxed: a connection that waits is to keep no room for it.
        let mut ending = Box::pin(connection.arrive(arrival)).await;
        // In its room, it reads on at its own pace and makes place at the door.
        drop(admitted);
        while ending.is_continue() {
            ending = connection.turn().await;
        }
        if let ControlFlow::Break(ending) = ending {
            Box::pin(connection.finish(ending)).await;
        }
    }

    fn new(
        chat: Chat,
        transport: Transport,
        arrival: &Arrival,
        seat: Seat,
        metrics: Arc<Metrics>,
        end: CancellationToken,
    ) -> Connection {
        let who = chat.people.arrive(arrival.visitor);
        let wake = Arc::<Notify>::default();
        who.listen(Waker::from(Arc::new(Bell(wake.clone()))));
        Connection {
            id: SocketId(ulid::Ulid::from_parts(crate::now().0, rand::random()).to_string().into()),
            build: arrival.build.clone(),
            name_told: who.version(),
            who,
            chat,
            transport,
            rooms: Vec::new(),
            turn_of: 0,
            wake,
            answers: Vec::new(),
            in_flight: FuturesUnordered::new(),
            heartbeat: Heartbeat::new(),
            seat,
            metrics,
            bad_frames: 0,
            tally: Tally { since: Instant::now(), heard: 0, said: 0 },
            end,
        }
    }

    async fn arrive(&mut self, arrival: Arrival) -> ControlFlow<Ending> {
        let refused = arrival.name.and_then(|name| self.take_name(name).err());
        self.name_told = self.who.version();
        if let Err(refusal) = self.join(arrival.room.clone(), &arrival.from).await {
            if refusal == Refusal::Unreadable {
                // Where the room stands is not known, and nothing is made up: come back.
                return ControlFlow::Break(Ending::Unreadable);
            }
            // Who is not let in is told who they are all the same.
            self.answer_status_outside(arrival.room.clone()).await;
            self.answer_error(Box::new(ErrorFrame { room: Some(arrival.room), ..*refusal.into_frame() }));
        }
        if let Some(refusal) = refused {
            self.answer_error(refusal.into_frame());
        }
        ControlFlow::Continue(())
    }

    /// Says everything there is to say, then waits for one thing to happen.
    async fn turn(&mut self) -> ControlFlow<Ending> {
        if self.name_told != self.who.version() {
            Box::pin(self.renamed()).await;
        }
        self.say_everything().await?;
        let next = self.next_deadline();
        let may_read = self.in_flight.len() < MAX_IN_FLIGHT;
        tokio::select! {
            () = self.end.cancelled() => ControlFlow::Break(Ending::Restarting),
            incoming = self.transport.receive(), if may_read => Box::pin(self.hear(incoming)).await,
            Some(answer) = self.in_flight.next() => {
                self.answer_posting(answer);
                ControlFlow::Continue(())
            }
            () = self.wake.notified() => ControlFlow::Continue(()),
            () = tokio::time::sleep_until(next) => Box::pin(self.beat()).await,
        }
    }

    fn next_deadline(&self) -> Instant {
        let lists = self.rooms.iter().filter_map(Subscription::list_due).min();
        lists.map_or(self.heartbeat.next(), |list| list.min(self.heartbeat.next()))
    }

    async fn beat(&mut self) -> ControlFlow<Ending> {
        match self.heartbeat.beat() {
            Beat::Rest => ControlFlow::Continue(()),
            Beat::Dead => ControlFlow::Break(Ending::Silent),
            Beat::Ping => {
                let pinged = tokio::time::timeout(WRITE_TIMEOUT, self.transport.ping()).await;
                flow(pinged.unwrap_or(Err(Ending::TooSlow)))
            }
        }
    }

    // Saying

    async fn say_everything(&mut self) -> ControlFlow<Ending> {
        loop {
            let frames = match self.gather().await {
                Ok(frames) => frames,
                Err(Unreadable) => return ControlFlow::Break(Ending::Unreadable),
            };
            if frames.is_empty() {
                return ControlFlow::Continue(());
            }
            self.say(frames).await?;
        }
    }

    async fn say(&mut self, frames: Vec<Bytes>) -> ControlFlow<Ending> {
        self.tally.said += frames.len() as u64;
        self.metrics.delivery.said(frames.len() as u64, frames.iter().map(|frame| frame.len() as u64).sum());
        tokio::select! {
            // In this order: answers that the socket takes at once are not lost because the server stops meanwhile.
            biased;
            sent = tokio::time::timeout(WRITE_TIMEOUT, watched(self.transport.send(frames), &self.metrics)) => {
                flow(sent.unwrap_or(Err(Ending::TooSlow)))
            }
            () = self.end.cancelled() => ControlFlow::Break(Ending::Restarting),
        }
    }

    /// What this connection is behind on: answers first, then in each room who is there and the next stretch of log.
    /// Bounded: what does not fit comes with the next call, which begins with another room.
    async fn gather(&mut self) -> Result<Vec<Bytes>, Unreadable> {
        let mut frames = std::mem::take(&mut self.answers);
        let (mut bytes, mut behind, mut delivered) = (0, 0, 0);
        for _ in 0..self.rooms.len() {
            if bytes >= MAX_READ_BYTES {
                break;
            }
            self.turn_of = (self.turn_of + 1) % self.rooms.len();
            let room = &mut self.rooms[self.turn_of];
            behind = behind.max(room.behind());
            let read = room.catch_up().await?;
            delivered += read.iter().filter(|frame| is_message(frame)).count() as u64;
            bytes += read.iter().map(Bytes::len).sum::<usize>();
            frames.extend(read);
        }
        if behind > 0 {
            self.metrics.delivery.behind(behind);
            self.metrics.delivery.delivered(delivered);
        }
        Ok(frames)
    }

    fn answer(&mut self, frame: &ServerFrame) {
        self.answers.push(encode(frame));
    }

    fn answer_error(&mut self, error: Box<ErrorFrame>) {
        self.metrics.delivery.refused(error.code);
        self.answer(&ServerFrame::Error(error));
    }

    fn answer_posting(&mut self, Answer { room, id, wants_ack, kept }: Answer) {
        match kept {
            Ok(Kept { seq, sent }) if wants_ack => self.answer(&ServerFrame::Ack(Ack { room, id, seq, sent })),
            Ok(_) => {}
            Err(refusal) => {
                let id = wants_ack.then_some(id);
                self.answer_error(Box::new(ErrorFrame { id, room: Some(room), ..*refusal.into_frame() }));
            }
        }
    }

    fn answer_status(&mut self, room: RoomName, head: Seq) {
        let Called { name, named } = self.who.called();
        let status = Status {
            socket: self.id.clone(),
            name,
            named,
            room,
            head,
            epoch: self.chat.rooms.epoch().clone(),
            protocol: protocol::VERSION,
            limits: self.chat.people.limits(),
            time: crate::now(),
            build: self.build.to_string(),
        };
        self.answer(&ServerFrame::Status(status));
    }

    // Hearing

    async fn hear(&mut self, incoming: Incoming) -> ControlFlow<Ending> {
        self.heartbeat.heard();
        match incoming {
            Incoming::End(ending) => ControlFlow::Break(ending),
            Incoming::Beat => ControlFlow::Continue(()),
            Incoming::Text(text) => {
                self.tally.heard += 1;
                self.metrics.delivery.heard(1, text.len() as u64);
                match self.seat.pace.spend(text.len(), Instant::now()) {
                    Ok(()) => self.hear_frame(&text).await,
                    Err(retry_in) => {
                        self.answer_too_fast(&text, retry_in);
                        ControlFlow::Continue(())
                    }
                }
            }
        }
    }

    async fn hear_frame(&mut self, text: &str) -> ControlFlow<Ending> {
        match ClientFrame::parse(text) {
            Ok(frame) => {
                self.bad_frames = 0;
                self.obey(frame).await;
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.bad_frames += 1;
                self.answer_error(error);
                if self.bad_frames < MAX_BAD_FRAMES {
                    return ControlFlow::Continue(());
                }
                // The client is to read what was wrong with its last frame, too.
                self.say_everything().await?;
                ControlFlow::Break(Ending::Misuse)
            }
        }
    }

    /// Refuses a frame unheard, and names what it was about, so that its sender can send it again.
    fn answer_too_fast(&mut self, text: &str, retry_in: Duration) {
        let (id, room) = match ClientFrame::parse(text) {
            Ok(ClientFrame::Chat { id, room, .. }) => (id, room),
            Ok(ClientFrame::Join { room, .. }) => (None, Some(room)),
            Ok(ClientFrame::Leave { room }) => (None, room),
            Ok(ClientFrame::Nick { .. } | ClientFrame::Ping) => (None, None),
            Err(error) => (error.id, None),
        };
        self.answer_error(Box::new(ErrorFrame { id, room, ..*Refusal::TooFast { retry_in }.into_frame() }));
    }

    async fn obey(&mut self, frame: ClientFrame) {
        match frame {
            ClientFrame::Chat { author, text, room, id, kind } => self.post(author, text, room, id, kind),
            ClientFrame::Nick { name } => {
                let named = self.chat.spend(&self.who).and_then(|()| self.take_name(Ok(name)));
                if let Err(refusal) = named {
                    self.answer_error(refusal.into_frame());
                }
            }
            ClientFrame::Join { room, after, epoch } => {
                let joined = match self.chat.spend(&self.who) {
                    Ok(()) => self.join(room.clone(), &From { after, epoch }).await,
                    Err(refusal) => Err(refusal),
                };
                if let Err(refusal) = joined {
                    self.answer_error(Box::new(ErrorFrame { room: Some(room), ..*refusal.into_frame() }));
                }
            }
            ClientFrame::Leave { room } => self.leave(room),
            ClientFrame::Ping => self.answer(&ServerFrame::Pong(Pong { time: crate::now() })),
        }
    }

    fn post(&mut self, author: Option<String>, text: Text, room: Option<RoomName>, id: Option<MessageId>, kind: Kind) {
        let posting = self.place_of(room.as_ref()).map(|place| self.rooms[place].room().clone()).and_then(|room| {
            let fresh = || MessageId::new(crate::now().0, rand::random());
            let post = Post { room: room.clone(), author, text, kind, id: id.unwrap_or_else(fresh) };
            let message = post.id;
            self.chat.post(&self.who, &self.id, post).map(|posting| (room, message, posting))
        });
        match posting {
            Ok((room, message, posting)) => self.in_flight.push(Box::pin(async move {
                Answer { room, id: message, wants_ack: id.is_some(), kept: posting.kept().await }
            })),
            Err(refusal) => self.answer_error(Box::new(ErrorFrame { id, room, ..*refusal.into_frame() })),
        }
    }

    /// Which of this connection's rooms a frame means: the one that it names, or the only one.
    fn place_of(&self, room: Option<&RoomName>) -> Result<usize, Refusal> {
        match room {
            Some(name) => self.rooms.iter().position(|room| room.room() == name).ok_or(Refusal::NotInRoom),
            None if self.rooms.len() == 1 => Ok(0),
            None => Err(Refusal::WhichRoom),
        }
    }

    /// Enters a room, or reads on from elsewhere in one that it is in. Answers where the room stands.
    async fn join(&mut self, name: RoomName, from: &From) -> Result<(), Refusal> {
        let place = match self.place_of(Some(&name)) {
            Ok(place) => {
                self.rooms[place].move_to(from).await?;
                place
            }
            Err(_) if self.rooms.len() >= MAX_ROOMS_PER_SOCKET => return Err(Refusal::TooManyRooms),
            Err(_) => {
                self.rooms.push(self.chat.enter(&self.who, &name, from, self.wake.clone()).await?);
                self.rooms.len() - 1
            }
        };
        let room = &self.rooms[place];
        if let Some(result) = room.resume(from) {
            self.metrics.delivery.resumed(result);
        }
        let head = room.began();
        self.answer_status(name, head);
        Ok(())
    }

    fn leave(&mut self, room: Option<RoomName>) {
        match self.place_of(room.as_ref()) {
            Ok(place) => drop(self.rooms.remove(place)),
            Err(refusal) => self.answer_error(Box::new(ErrorFrame { room, ..*refusal.into_frame() })),
        }
    }

    /// This person took a name, here or in another tab: the rooms hear it, and every tab gets its new status.
    async fn renamed(&mut self) {
        self.name_told = self.who.version();
        let name = self.who.called().name;
        for room in &mut self.rooms {
            room.rename(name.clone());
        }
        match self.rooms.first() {
            Some(room) => self.answer_status(room.room().clone(), room.head()),
            None => self.answer_status_outside(RoomName::default()).await,
        }
    }

    /// Tells who this is, and where a room stands that the connection is not in.
    async fn answer_status_outside(&mut self, room: RoomName) {
        let head = self.chat.store.head(&room).await.unwrap_or(Seq::ZERO);
        self.answer_status(room, head);
    }

    fn take_name(&self, name: Result<NickName, BadName>) -> Result<(), Refusal> {
        Ok(self.who.take_name(name?)?)
    }

    // Ending

    async fn finish(mut self, ending: Ending) {
        if ending.leaves_time_to_answer() {
            let _ = tokio::time::timeout(SETTLE_TIMEOUT, self.settle()).await;
        }
        if ending == Ending::TooSlow {
            self.metrics.delivery.closed_slow();
        }
        let Connection { id, transport, tally, rooms, who, .. } = self;
        // The seats are given up before the farewell, which may take a moment.
        let (places, name) = (rooms.len(), who.called().name);
        drop((rooms, who));
        let code = ending.farewell().map(|(code, _)| code);
        if let Some((code, reason)) = ending.farewell() {
            transport.close(code, reason).await;
        }
        let seconds = tally.since.elapsed().as_secs_f32();
        tracing::info!(
            socket = %id, %name, rooms = places, ?ending, code, seconds, heard = tally.heard, said = tally.said,
            "connection ended"
        );
    }

    /// Answers what was accepted: its author is not to be in doubt about what others have seen already.
    async fn settle(&mut self) {
        while let Some(answer) = self.in_flight.next().await {
            self.answer_posting(answer);
        }
        let answers = std::mem::take(&mut self.answers);
        // Should this fail, the author sends again with the same id.
        let _ = self.transport.send(answers).await;
    }
}

/// Sends, and counts as stalled while the socket does not take it.
async fn watched(sending: impl Future<Output = Result<(), Ending>>, metrics: &Metrics) -> Result<(), Ending> {
    let mut sending = std::pin::pin!(sending);
    if let Some(sent) = sending.as_mut().now_or_never() {
        return sent;
    }
    let _stalled = metrics.delivery.stalled();
    sending.await
}

/// Whether a frame of a room is a message; it may be a list of people or a `Gap`.
fn is_message(frame: &[u8]) -> bool {
    frame.starts_with(br#"{"Type":"Chat","#)
}

fn flow(sent: Result<(), Ending>) -> ControlFlow<Ending> {
    match sent {
        Ok(()) => ControlFlow::Continue(()),
        Err(ending) => ControlFlow::Break(ending),
    }
}
