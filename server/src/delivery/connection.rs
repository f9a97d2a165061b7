//! The conversation with one client: what it says is obeyed or answered, and its cursors are read on from.

use super::{
    arrival::Welcome,
    ending::Ending,
    seats::Seat,
    shard::{AudienceKey, ConnectionKey},
    socket::{Socket, Taken},
    wheel::{Beat, Heartbeat},
};
use crate::{
    chat::{Chat, Post, Posting, Refusal},
    journal::Kept,
    metrics,
    people::{Called, Presence},
    rooms::{Ahead, From, Listed, Stretch, Subscription, encode},
    store::Unreadable,
    websocket::{
        framing::{self, Binary, Bounds, Heard},
        upgrade::Stream,
    },
};
use app::protocol::{
    self, Ack, BadName, ClientFrame, ErrorFrame, Kind, MAX_FRAME_BYTES, MAX_ROOMS_PER_SOCKET, MessageId, NickName,
    Pong, RoomName, Seq, ServerFrame, SocketId, Status, Text,
};
use bytes::Bytes;
use futures::{future::BoxFuture, stream::FuturesUnordered};
use std::{
    collections::VecDeque,
    mem,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Instant;

/// Messages of one connection that may wait for the journal. Beyond it nothing more is read, which the other side
/// feels as backpressure.
const MAX_IN_FLIGHT: usize = 32;

/// Answers that may wait until the other side reads them. Beyond it nothing more is read from it.
pub(super) const MAX_ANSWERS: usize = 64;

/// Bad frames in a row that end a connection.
const MAX_BAD_FRAMES: u32 = 10;

/// A socket that takes nothing for so long ends the connection.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the last answers may take before the goodbye.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads in a row before others have their turn.
const MAX_READS: usize = 4;

/// Writes in a row before others have their turn.
const MAX_WRITES: usize = 16;

/// What clients may send.
const BOUNDS: Bounds = Bounds { message_bytes: MAX_FRAME_BYTES, binary: Binary::Refused };

/// What takes time and is done beside: it comes back to its connection as [`Done`].
pub(super) type Errand = BoxFuture<'static, Done>;

/// What came of an errand.
pub(super) struct Done {
    pub(super) connection: ConnectionKey,
    pub(super) outcome: Outcome,
}

/// What came of an errand.
pub(super) enum Outcome {
    /// Whether somebody is let into one more room.
    Entered(RoomName, Result<Subscription, Refusal>),
    /// The log's newest position, for somebody who reads on from elsewhere in a room that they are in.
    Moved(RoomName, From, Result<Seq, Unreadable>),
    /// The next stretch of a room's log after a position, out of the store.
    Read(AudienceKey, Seq, Result<Vec<Bytes>, Unreadable>),
    /// Where a room stands that the connection is not in.
    Stands(RoomName, Seq),
}

/// A message that waits for the journal.
struct InFlight {
    room: RoomName,
    id: MessageId,
    wants_ack: bool,
    posting: Posting,
}

/// What a connection finds around itself while it is looked after.
pub(super) struct Surroundings<'a> {
    pub(super) key: ConnectionKey,
    pub(super) now: Instant,
    pub(super) chat: &'a Chat,
    pub(super) errands: &'a mut FuturesUnordered<Errand>,
    /// Audiences that it has left.
    pub(super) left: &'a mut Vec<AudienceKey>,
    /// A place in one more room that it was given.
    pub(super) entered: Option<Subscription>,
}

/// One open socket and who is behind it.
pub(super) struct Connection {
    pub(super) socket: Socket,
    id: SocketId,
    build: Arc<str>,
    who: Presence,
    /// Its place among the server's sockets, and how fast it may send.
    ticket: Seat,
    /// The version of the name that its rooms and its client know.
    name_version: u32,
    places: Vec<Place>,
    metrics: Arc<metrics::Delivery>,
    /// Counted for as long as its socket takes nothing.
    stalled: Option<metrics::Stalled>,
    /// Messages that wait for the journal, which answers them in this order.
    in_flight: VecDeque<InFlight>,
    /// Whether what was said last has to be done before the rest is heard.
    is_busy: bool,
    /// What came in and is not heard yet.
    unread: Vec<u8>,
    bad_frames: u32,
    heartbeat: Heartbeat,
    phase: Phase,
    tally: Tally,
}

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// It hears and is told nothing more, save what becomes of its messages.
    Settling {
        ending: Ending,
        until: Instant,
    },
}

/// A connection's place in one room.
struct Place {
    audience: AudienceKey,
    seat: Subscription,
    /// Where the stretch of log begins that is on its way from the store.
    reading: Option<Seq>,
}

/// What went over a connection, for the one line at its end.
struct Tally {
    since: Instant,
    heard: u64,
    said: Spoken,
}

/// How much was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spoken {
    pub(super) frames: u64,
    /// Frames that were messages of a room.
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

impl Spoken {
    fn add(&mut self, frames: usize, bytes: usize) {
        self.frames += frames as u64;
        self.bytes += bytes as u64;
    }

    fn add_messages(&mut self, messages: usize, bytes: usize) {
        self.add(messages, bytes);
        self.messages += messages as u64;
    }

    /// Adds what was said between two looks.
    pub(super) fn add_between(&mut self, before: Spoken, after: Spoken) {
        self.frames += after.frames - before.frames;
        self.messages += after.messages - before.messages;
        self.bytes += after.bytes - before.bytes;
    }
}

/// What a connection leaves behind: the stream, what has to be written first so that it stays sound, and why it ends.
pub(super) struct Remains {
    pub(super) io: Stream,
    pub(super) pending: VecDeque<Bytes>,
    pub(super) ending: Ending,
    /// Its file is open until the end.
    pub(super) _ticket: Seat,
}

impl Remains {
    /// Whether anything is left to say to whoever may be there.
    pub(super) fn has_to_be_said(&self) -> bool {
        !self.pending.is_empty() || self.ending.farewell().is_some()
    }
}

/// Whether there is more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// The reader has everything, or its socket or an errand will tell when to go on.
    Everything,
    /// There is more, and the socket takes it.
    Some,
}

impl Connection {
    /// Somebody who has arrived, with the socket that the shard made for them. `number` spreads heartbeats.
    /// `early` came in before the socket was open.
    pub(super) fn new(
        welcome: Welcome,
        socket: Socket,
        early: &[u8],
        metrics: Arc<metrics::Delivery>,
        number: u64,
        now: Instant,
    ) -> Connection {
        let Welcome { id, build, who, ticket, name_version, answers } = welcome;
        who.listen(socket.bell().clone());
        let mut connection = Connection {
            socket,
            id,
            build,
            who,
            ticket,
            name_version,
            places: Vec::new(),
            metrics,
            stalled: None,
            in_flight: VecDeque::new(),
            is_busy: false,
            unread: early.to_vec(),
            bad_frames: 0,
            heartbeat: Heartbeat::new(now, number),
            phase: Phase::Open,
            tally: Tally { since: now, heard: 0, said: Spoken::default() },
        };
        for answer in answers {
            if let ServerFrame::Error(error) = &answer {
                connection.metrics.refused(error.code);
            }
            connection.answer(&answer);
        }
        connection
    }

    /// Takes a place in a room, where an audience of the shard reads for it.
    /// It is told who is there, then what was read for it already.
    pub(super) fn sit_down(&mut self, audience: AudienceKey, mut seat: Subscription, read: Vec<Bytes>, now: Instant) {
        let list = seat.list(seat.listing(), now);
        // Most are in a few rooms and stay there: no place is held for more.
        self.places.reserve_exact(1);
        self.places.push(Place { audience, seat, reading: None });
        self.push(list);
        self.push_messages(read);
    }

    pub(super) fn next_beat(&self) -> Instant {
        self.heartbeat.next()
    }

    /// What is due: a ping, or an end.
    pub(super) fn beat(&mut self, now: Instant) -> Result<(), Ending> {
        match self.heartbeat.beat(now) {
            Beat::Rest => Ok(()),
            // Whoever takes what is written is there, however slowly: the ping stands in a queue.
            Beat::Dead if self.socket.stalled().is_some_and(|since| now < since + WRITE_TIMEOUT) => Ok(()),
            Beat::Dead => Err(Ending::Silent),
            Beat::Ping => {
                self.socket.push(framing::ping(b""));
                self.socket.drain(now).map(|_| ())
            }
        }
    }

    /// Whether its socket takes nothing, and for too long.
    pub(super) fn stall(&mut self, now: Instant) -> Stall {
        let Some(since) = self.socket.stalled() else {
            self.stalled = None;
            return Stall::None;
        };
        self.stalled.get_or_insert_with(|| self.metrics.stalled());
        if now >= since + WRITE_TIMEOUT { Stall::TooLong } else { Stall::Some }
    }

    /// What was said so far.
    pub(super) fn said(&self) -> Spoken {
        self.tally.said
    }

    // Hearing

    /// Hears what has come in, and does what its bell may also have rung for: it was renamed, or its socket can be
    /// written again.
    pub(super) fn look_after(&mut self, around: &mut Surroundings<'_>, scratch: &mut [u8]) -> Result<(), Ending> {
        self.hear_answers();
        if self.phase != Phase::Open {
            return self.socket.drain(around.now).map(|_| ());
        }
        if self.who.version() != self.name_version {
            self.renamed(around);
        }
        self.listen(around, scratch)?;
        let was_full = !self.may_hear();
        self.say_everything(around)?;
        if was_full && self.may_hear() {
            // Its answers are on their way. No byte announces that what it said behind its questions waits to be heard.
            self.socket.ring();
        }
        Ok(())
    }

    fn listen(&mut self, around: &mut Surroundings<'_>, scratch: &mut [u8]) -> Result<(), Ending> {
        if self.may_hear() && !self.unread.is_empty() {
            let mut unread = mem::take(&mut self.unread);
            self.understand(&mut unread, around)?;
        }
        for _ in 0..MAX_READS {
            if !self.may_hear() {
                return Ok(());
            }
            match self.socket.read(scratch) {
                Poll::Pending => return Ok(()),
                Poll::Ready(read) => match read? {
                    0 => return Err(Ending::Lost),
                    length => {
                        self.heartbeat.heard(around.now);
                        self.understand(&mut scratch[..length], around)?;
                    }
                },
            }
        }
        // Others first.
        self.socket.ring();
        Ok(())
    }

    fn may_hear(&self) -> bool {
        self.phase == Phase::Open
            && !self.is_busy
            && self.in_flight.len() < MAX_IN_FLIGHT
            && self.socket.pending() < MAX_ANSWERS
    }

    /// Hears the frames in `bytes`, as far as may be; the rest waits.
    fn understand(&mut self, bytes: &mut [u8], around: &mut Surroundings<'_>) -> Result<(), Ending> {
        let mut reader = mem::take(&mut self.socket.reader);
        let mut rest = bytes;
        let understood = loop {
            if !self.may_hear() {
                self.unread = rest.to_vec();
                break Ok(());
            }
            match reader.read(&mut rest, &BOUNDS) {
                Ok(None) => break Ok(()),
                Ok(Some(heard)) => {
                    if let Err(ending) = self.hear(&heard, around) {
                        break Err(ending);
                    }
                }
                Err(broken) => break Err(Ending::BadFrame(broken.close_code())),
            }
        };
        self.socket.reader = reader;
        understood
    }

    fn hear(&mut self, heard: &Heard<'_>, around: &mut Surroundings<'_>) -> Result<(), Ending> {
        match heard {
            Heard::Text(text) => {
                self.tally.heard += 1;
                self.metrics.heard(1, text.len() as u64);
                match self.ticket.pace.spend(text.len(), around.now) {
                    Ok(()) => self.hear_frame(text, around),
                    Err(retry_in) => {
                        self.answer_too_fast(text, retry_in);
                        Ok(())
                    }
                }
            }
            // One that comes too fast is not answered.
            Heard::Ping(payload) => {
                if self.ticket.pace.spend(payload.len(), around.now).is_ok() {
                    self.socket.push(framing::pong(payload));
                }
                Ok(())
            }
            Heard::Pong(_) => Ok(()),
            Heard::Close(close) => Err(Ending::Left(close.as_ref().map(|(code, _)| *code))),
            Heard::Binary(_) => Err(Ending::BadFrame(protocol::close::BINARY)),
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

    fn hear_frame(&mut self, text: &str, around: &mut Surroundings<'_>) -> Result<(), Ending> {
        match ClientFrame::parse(text) {
            Ok(frame) => {
                self.bad_frames = 0;
                self.obey(frame, around);
                Ok(())
            }
            Err(error) => {
                self.bad_frames += 1;
                self.answer_error(error);
                // The client reads what was wrong with its last frame before the goodbye.
                if self.bad_frames < MAX_BAD_FRAMES { Ok(()) } else { Err(Ending::Misuse) }
            }
        }
    }

    fn obey(&mut self, frame: ClientFrame, around: &mut Surroundings<'_>) {
        match frame {
            ClientFrame::Chat { author, text, room, id, kind } => self.post(author, text, room, id, kind, around),
            ClientFrame::Nick { name } => {
                let named = around.chat.spend(&self.who).and_then(|()| take_name(&self.who, Ok(name)));
                if let Err(refusal) = named {
                    self.answer_error(refusal.into_frame());
                }
            }
            ClientFrame::Join { room, after, epoch } => {
                let joining = around.chat.spend(&self.who);
                let joining = joining.and_then(|()| self.join(room.clone(), From { after, epoch }, around));
                if let Err(refusal) = joining {
                    self.refuse_room(room, refusal);
                }
            }
            ClientFrame::Leave { room } => self.leave(room, around),
            ClientFrame::Ping => self.answer(&ServerFrame::Pong(Pong { time: crate::now() })),
        }
    }

    fn post(
        &mut self,
        author: Option<String>,
        text: Text,
        room: Option<RoomName>,
        id: Option<MessageId>,
        kind: Kind,
        around: &mut Surroundings<'_>,
    ) {
        let posting =
            self.place_of(room.as_ref()).map(|place| self.places[place].seat.room().clone()).and_then(|room| {
                let fresh = || MessageId::new(crate::now().0, rand::random());
                let post = Post { room: room.clone(), author, text, kind, id: id.unwrap_or_else(fresh) };
                let message = post.id;
                around.chat.post(&self.who, &self.id, post).map(|posting| (room, message, posting))
            });
        match posting {
            Ok((room, message, posting)) => {
                self.in_flight.push_back(InFlight { room, id: message, wants_ack: id.is_some(), posting });
                // This asks to be told of the answer.
                self.hear_answers();
            }
            Err(refusal) => self.answer_error(Box::new(ErrorFrame { id, room, ..*refusal.into_frame() })),
        }
    }

    /// Which of this connection's rooms a frame means: the one that it names, or the only one.
    fn place_of(&self, room: Option<&RoomName>) -> Result<usize, Refusal> {
        match room {
            Some(name) => self.places.iter().position(|place| place.seat.room() == name).ok_or(Refusal::NotInRoom),
            None if self.places.len() == 1 => Ok(0),
            None => Err(Refusal::WhichRoom),
        }
    }

    /// Begins to enter a room, or to read on from elsewhere in one that it is in. What is said next waits for it.
    fn join(&mut self, name: RoomName, from: From, around: &mut Surroundings<'_>) -> Result<(), Refusal> {
        if let Ok(place) = self.place_of(Some(&name)) {
            let kept = self.places[place].seat.kept(from.clone());
            around.send(async { Outcome::Moved(name, from, kept.await) });
        } else if self.places.len() < MAX_ROOMS_PER_SOCKET {
            let entering = around.chat.enter(&self.who, name.clone(), from);
            around.send(async { Outcome::Entered(name, entering.await) });
        } else {
            return Err(Refusal::TooManyRooms);
        }
        self.is_busy = true;
        Ok(())
    }

    fn leave(&mut self, room: Option<RoomName>, around: &mut Surroundings<'_>) {
        match self.place_of(room.as_ref()) {
            Ok(place) => around.left.push(self.places.remove(place).audience),
            Err(refusal) => self.answer_error(Box::new(ErrorFrame { room, ..*refusal.into_frame() })),
        }
    }

    /// This person took a name, here or in another tab: the rooms hear it, and every tab gets its new status.
    fn renamed(&mut self, around: &mut Surroundings<'_>) {
        self.name_version = self.who.version();
        let name = self.who.called().name;
        for place in &mut self.places {
            place.seat.rename(name.clone());
        }
        match self.places.first() {
            Some(Place { seat, .. }) => {
                let (room, head) = (seat.room().clone(), seat.head());
                self.answer_status(around.chat, room, head);
            }
            None => {
                let (store, room) = (around.chat.store.clone(), RoomName::default());
                around.send(async move { Outcome::Stands(room.clone(), store.head(&room).await.unwrap_or(Seq::ZERO)) });
            }
        }
    }

    // What comes back

    /// Hears what the journal said of messages.
    fn hear_answers(&mut self) {
        while let Some(first) = self.in_flight.front_mut()
            && let Poll::Ready(kept) = first.posting.poll_kept(&mut Context::from_waker(self.socket.bell()))
            && let Some(answered) = self.in_flight.pop_front()
        {
            self.answer_posting(answered, kept);
        }
        if self.in_flight.is_empty() {
            self.in_flight = VecDeque::new();
        }
    }

    /// Hears the outcome of an errand. Where it was let into a room, the shard seats it there.
    pub(super) fn hear_outcome(&mut self, outcome: Outcome, around: &mut Surroundings<'_>) -> Result<(), Ending> {
        match outcome {
            Outcome::Entered(room, Ok(mut seat)) => {
                self.is_busy = false;
                // It may have been renamed meanwhile, in another tab.
                seat.rename(self.who.called().name);
                self.answer_status(around.chat, room, seat.began());
                around.entered = Some(seat).filter(|_| self.phase == Phase::Open);
            }
            Outcome::Entered(room, Err(refusal)) => {
                self.is_busy = false;
                self.refuse_room(room, refusal);
            }
            Outcome::Moved(room, from, kept) => {
                self.is_busy = false;
                self.moved(room, &from, kept, around);
            }
            Outcome::Read(audience, after, frames) => {
                self.read(audience, after, frames)?;
            }
            Outcome::Stands(room, head) => self.answer_status(around.chat, room, head),
        }
        // What waited for this may go on.
        self.socket.ring();
        Ok(())
    }

    fn moved(&mut self, room: RoomName, from: &From, kept: Result<Seq, Unreadable>, around: &mut Surroundings<'_>) {
        // It cannot have left meanwhile: it was not heard.
        let Ok(place) = self.place_of(Some(&room)) else { return };
        match kept {
            Ok(kept) => {
                let place = &mut self.places[place];
                place.seat.move_to(from, kept);
                place.seat.resume(from).into_iter().for_each(|result| self.metrics.resumed(result));
                // What is on its way from the store is of where it was before.
                place.reading = None;
                let (began, list) = (place.seat.began(), place.seat.list(place.seat.listing(), around.now));
                self.answer_status(around.chat, room, began);
                self.push(list);
            }
            Err(Unreadable) => self.refuse_room(room, Refusal::Unreadable),
        }
    }

    fn read(
        &mut self,
        audience: AudienceKey,
        after: Seq,
        frames: Result<Vec<Bytes>, Unreadable>,
    ) -> Result<(), Ending> {
        // It may have left the room, or gone elsewhere in it.
        let asked = |place: &&mut Place| place.audience == audience && place.reading == Some(after);
        let Some(place) = self.places.iter_mut().find(asked) else { return Ok(()) };
        place.reading = None;
        let frames = frames.map_err(|Unreadable| Ending::Unreadable)?;
        place.seat.advance(frames.len());
        self.push_messages(frames);
        Ok(())
    }

    // Saying

    /// Says what there is to say in all its rooms, in turns.
    fn say_everything(&mut self, around: &mut Surroundings<'_>) -> Result<(), Ending> {
        if self.socket.stalled().is_some() && self.socket.drain(around.now)? == Taken::Part {
            return Ok(());
        }
        for _ in 0..MAX_WRITES {
            let mut is_behind = false;
            for place in 0..self.places.len() {
                let listed = self.places[place].seat.listing();
                is_behind |= self.catch_up(place, None, listed, around)? == Said::Some;
            }
            if !is_behind {
                return self.socket.drain_unless_stalled(around.now);
            }
        }
        // Others first.
        self.socket.ring();
        Ok(())
    }

    /// Says the next stretch of one room, where the connection can take it.
    pub(super) fn catch_up_in(
        &mut self,
        audience: AudienceKey,
        stretch: Option<&Stretch>,
        listed: Listed,
        around: &mut Surroundings<'_>,
    ) -> Result<Said, Ending> {
        match self.places.iter().position(|place| place.audience == audience) {
            Some(place) => self.catch_up(place, stretch, listed, around),
            None => Ok(Said::Everything),
        }
    }

    fn catch_up(
        &mut self,
        place: usize,
        stretch: Option<&Stretch>,
        listed: Listed,
        around: &mut Surroundings<'_>,
    ) -> Result<Said, Ending> {
        // One stretch at a time comes from the store, however many rooms it is behind in.
        let is_reading = self.places.iter().any(|place| place.reading.is_some());
        let Connection { socket, places, phase, tally, .. } = self;
        let Place { audience, seat, reading } = &mut places[place];
        if *phase != Phase::Open || reading.is_some() || socket.stalled().is_some() {
            return Ok(Said::Everything);
        }
        match seat.ahead(stretch) {
            Ahead::Nothing => {}
            Ahead::Stored(_) if is_reading => {}
            Ahead::Frames(stretch) => {
                let written = socket.write(stretch.beyond(seat.cursor()), around.now)?;
                seat.advance(written.frames);
                tally.said.add_messages(written.frames, written.bytes);
            }
            Ahead::Gap(gap) => {
                tally.said.add(1, gap.len());
                socket.push(gap);
            }
            Ahead::Stored(replaying) => {
                let (audience, after) = (*audience, seat.cursor());
                *reading = Some(after);
                around.send(async move { Outcome::Read(audience, after, replaying.await) });
            }
        }
        // Who is here comes after what was said, and only where the socket takes it: the next list replaces this one.
        if socket.stalled().is_none()
            && let Some(list) = seat.list(listed, around.now)
        {
            tally.said.add(1, list.len());
            socket.push(list);
        }
        socket.drain_unless_stalled(around.now)?;
        let has_more = seat.cursor() < seat.head() && reading.is_none() && !is_reading && socket.stalled().is_none();
        Ok(if has_more { Said::Some } else { Said::Everything })
    }

    /// Whether one of its rooms has something for it, or something waits to be written.
    pub(super) fn has_news(&self, audience: AudienceKey, head: Seq, listed: Listed) -> bool {
        let is_behind = |place: &Place| place.seat.cursor() < head || place.seat.is_news(listed);
        self.socket.pending() > 0 || self.places.iter().any(|place| place.audience == audience && is_behind(place))
    }

    /// The cursor of one room, where something could be written now.
    pub(super) fn cursor_in(&self, audience: AudienceKey) -> Option<Seq> {
        let place = self.places.iter().find(|place| place.audience == audience && place.reading.is_none())?;
        (self.phase == Phase::Open && self.socket.stalled().is_none()).then(|| place.seat.cursor())
    }

    /// Whether a list of people is held back from it.
    pub(super) fn awaits_list(&self, audience: AudienceKey, listed: Listed) -> bool {
        self.places.iter().any(|place| place.audience == audience && place.seat.is_news(listed))
    }

    fn answer(&mut self, frame: &ServerFrame) {
        self.push([encode(frame)]);
    }

    fn push(&mut self, frames: impl IntoIterator<Item = Bytes>) {
        for frame in frames {
            self.tally.said.add(1, frame.len());
            self.socket.push(frame);
        }
    }

    fn push_messages(&mut self, frames: Vec<Bytes>) {
        self.tally.said.messages += frames.len() as u64;
        self.push(frames);
    }

    fn answer_error(&mut self, error: Box<ErrorFrame>) {
        self.metrics.refused(error.code);
        self.answer(&ServerFrame::Error(error));
    }

    fn refuse_room(&mut self, room: RoomName, refusal: Refusal) {
        self.answer_error(Box::new(ErrorFrame { room: Some(room), ..*refusal.into_frame() }));
    }

    fn answer_posting(&mut self, InFlight { room, id, wants_ack, .. }: InFlight, kept: Result<Kept, Refusal>) {
        match kept {
            Ok(Kept { seq, sent }) if wants_ack => self.answer(&ServerFrame::Ack(Ack { room, id, seq, sent })),
            Ok(_) => {}
            Err(refusal) => {
                let id = wants_ack.then_some(id);
                self.answer_error(Box::new(ErrorFrame { id, room: Some(room), ..*refusal.into_frame() }));
            }
        }
    }

    fn answer_status(&mut self, chat: &Chat, room: RoomName, head: Seq) {
        let status = status(chat, &self.id, &self.build, self.who.called(), room, head);
        self.answer(&status);
    }

    // Ending

    /// Begins to end: leaves its rooms, which are answered, and hears nothing more.
    pub(super) fn begin_to_end(&mut self, ending: Ending, now: Instant) -> Vec<AudienceKey> {
        self.phase = match self.phase {
            Phase::Open if ending.leaves_time_to_answer() => Phase::Settling { ending, until: now + SETTLE_TIMEOUT },
            Phase::Open => Phase::Settling { ending, until: now },
            // Something failed on the way to the end.
            Phase::Settling { ending, .. } => Phase::Settling { ending, until: now },
        };
        if ending == Ending::TooSlow {
            self.metrics.closed_slow();
        }
        self.unread = Vec::new();
        self.places.drain(..).map(|place| place.audience).collect()
    }

    /// How it ends, once that can be told: it has heard what became of its messages, or waited long enough.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Settling { until, .. } if self.in_flight.is_empty() || now >= until)
    }

    /// Whether it has begun to end.
    pub(super) fn is_ending(&self) -> bool {
        self.phase != Phase::Open
    }

    /// The end. The person has gone; what is left is a farewell.
    pub(super) fn end(self) -> Remains {
        let ending = match self.phase {
            Phase::Open => Ending::Lost,
            Phase::Settling { ending, .. } => ending,
        };
        let Connection { socket, id, who, ticket, tally, .. } = self;
        let (name, code) = (who.called().name, ending.farewell().map(|(code, _)| code));
        drop(who);
        let seconds = tally.since.elapsed().as_secs_f32();
        tracing::info!(
            socket = %id, %name, ?ending, code, seconds, heard = tally.heard, said = tally.said.frames,
            "connection ended"
        );
        let (io, pending) = socket.into_parts();
        Remains { io, pending, ending, _ticket: ticket }
    }
}

/// Whether a socket takes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stall {
    None,
    Some,
    TooLong,
}

impl Surroundings<'_> {
    /// Sends for something. Its outcome comes back to this connection, if it is still there.
    fn send(&mut self, errand: impl Future<Output = Outcome> + Send + 'static) {
        let connection = self.key;
        self.errands.push(Box::pin(async move { Done { connection, outcome: errand.await } }));
    }
}

pub(super) fn take_name(who: &Presence, name: Result<NickName, BadName>) -> Result<(), Refusal> {
    Ok(who.take_name(name?)?)
}

/// The frame that tells somebody who they are and where a room stands.
pub(super) fn status(
    chat: &Chat,
    socket: &SocketId,
    build: &str,
    called: Called,
    room: RoomName,
    head: Seq,
) -> ServerFrame {
    ServerFrame::Status(Status {
        socket: socket.clone(),
        name: called.name,
        named: called.named,
        room,
        head,
        epoch: chat.rooms.epoch().clone(),
        protocol: protocol::VERSION,
        limits: chat.people.limits(),
        time: crate::now(),
        build: build.to_owned(),
    })
}

#[cfg(test)]
pub(super) mod tests;
