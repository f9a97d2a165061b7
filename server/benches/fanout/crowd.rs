//! Everybody who is connected, read by one thread that counts what each of them hears.

use crate::{
    door::{Arrival, Door, Wire},
    faults::Faults,
    frames::{self, Kind},
    known::Known,
    plan::{Plan, Presence},
    sequence::{Heard, Sequence},
};
use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use socket2::SockRef;
use std::{
    io::{ErrorKind, Read},
    os::fd::AsRawFd,
    sync::Arc,
    time::{Duration, Instant},
};

/// Connections that wait to be let in at a time, as they do when a server is back after a restart.
const MAX_OPENING: usize = 1_000;

/// How long it may take until one more is let in.
const OPENING_DEADLINE: Duration = Duration::from_secs(20);

/// One read, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// Latency that is counted, at most.
const MAX_LATENCY: Duration = Duration::from_secs(600);

/// Connections to one server, and what they heard.
pub(crate) struct Crowd {
    poll: Poll,
    events: Events,
    scratch: Box<[u8]>,
    /// `None` where somebody has left.
    members: Vec<Option<Member>>,
    /// How many are there, let in.
    welcomed: usize,
    /// Whose connections ended since that was asked last.
    ended: Vec<usize>,
    ear: Ear,
}

/// One connection.
struct Member {
    number: usize,
    wire: Arc<Wire>,
    stage: Stage,
    /// The beginning of a frame whose end has not come yet.
    rest: Vec<u8>,
    hearing: Hearing,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The answer to the upgrade is not whole yet.
    Upgrading,
    /// The server has not told yet where the room of the address stands.
    Entering,
    /// It is in its first room, and has asked for so many others.
    Joining(usize),
    /// Let in everywhere.
    Here,
}

/// What one connection has heard of its rooms.
enum Hearing {
    /// Nothing; it hears what comes after that position, or after the room's head.
    Nothing {
        after: Option<u64>,
    },
    Room {
        room: usize,
        sequence: Sequence,
    },
    Rooms(Vec<(usize, Sequence)>),
}

/// What somebody who left has heard, to read on from there.
#[derive(Debug, Clone)]
pub(crate) struct Bookmark {
    room: usize,
    pub(crate) sequence: Sequence,
}

/// How somebody leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// With a close frame.
    Politely,
    /// As a program does that ends.
    Silently,
    /// As a program does that crashes with something unread: by a reset.
    Abruptly,
}

/// Understands what is heard.
struct Ear {
    door: Door,
    plan: Plan,
    /// When the load began: planned times count from here.
    begin: Instant,
    /// What has been heard of each room.
    known: Vec<Known>,
    tally: Tally,
}

/// What was heard since the load began.
pub(crate) struct Tally {
    pub(crate) in_order: usize,
    pub(crate) reordered: usize,
    pub(crate) doubled: usize,
    pub(crate) gaps: usize,
    pub(crate) acknowledged: usize,
    pub(crate) refused: usize,
    /// Connections that ended.
    pub(crate) ended: usize,
    /// The first bad news, in words.
    pub(crate) complaint: Option<String>,
    /// The length of the newest message's frame, in bytes.
    pub(crate) frame_bytes: usize,
    /// From the planned time to each delivery, in microseconds.
    pub(crate) latency: Histogram<u64>,
    /// From the planned time to the acknowledgement, in microseconds.
    pub(crate) ack_latency: Histogram<u64>,
}

impl Crowd {
    pub(crate) fn new(door: Door, plan: Plan) -> Result<Crowd> {
        let known = (0..plan.rooms).map(|_| Known::nothing()).collect();
        Ok(Crowd {
            poll: Poll::new().context("ask for epoll")?,
            events: Events::with_capacity(1_024),
            scratch: vec![0; READ_BYTES].into(),
            members: Vec::with_capacity(plan.connections),
            welcomed: 0,
            ended: Vec::new(),
            ear: Ear { door, plan, begin: Instant::now(), known, tally: Tally::new() },
        })
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.ear.tally
    }

    pub(crate) fn door(&self) -> &Door {
        &self.ear.door
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.ear.plan
    }

    /// How many are there, let in.
    pub(crate) fn welcomed(&self) -> usize {
        self.welcomed
    }

    /// Whose connections ended since this was asked last.
    pub(crate) fn take_ended(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.ended)
    }

    pub(crate) fn wire(&self, connection: usize) -> Option<Arc<Wire>> {
        self.members.get(connection)?.as_ref().map(|member| member.wire.clone())
    }

    /// Opens connections until there are `count`, and waits until all of them are let in.
    pub(crate) fn grow_to(&mut self, count: usize) -> Result<()> {
        let mut progress = (self.welcomed, Instant::now());
        while self.welcomed < count {
            while self.members.len() < count && self.members.len() - self.welcomed < MAX_OPENING {
                self.members.push(None);
                let arrival = Arrival { number: self.members.len() - 1, returns: 0, after: self.ear.plan.after };
                self.open(arrival, Hearing::Nothing { after: arrival.after })?;
            }
            self.listen(Duration::from_millis(100))?;
            if let Some(complaint) = &self.ear.tally.complaint {
                bail!("{} of {count} connections were let in, then: {complaint}", self.welcomed);
            }
            if self.welcomed > progress.0 {
                progress = (self.welcomed, Instant::now());
            }
            ensure!(
                progress.1.elapsed() < OPENING_DEADLINE,
                "{} of {count} connections were let in, then nobody for {OPENING_DEADLINE:?}",
                self.welcomed
            );
        }
        Ok(())
    }

    fn open(&mut self, arrival: Arrival, hearing: Hearing) -> Result<()> {
        let number = arrival.number;
        let wire = Arc::new(self.ear.door.open(&self.ear.plan, arrival)?);
        let stage = if self.ear.door.begins_with_http() { Stage::Upgrading } else { Stage::Entering };
        self.members[number] = Some(Member { number, wire, stage, rest: Vec::new(), hearing });
        self.read_on(number)
    }

    /// Somebody leaves, and keeps in mind what was heard. Nothing where nobody was let in.
    pub(crate) fn leave(&mut self, number: usize, leaving: Leaving) -> Result<Option<Bookmark>> {
        let Some(member) = self.members[number].take() else { return Ok(None) };
        self.welcomed -= usize::from(member.stage == Stage::Here);
        match leaving {
            // Both may come too late for a connection that the server has closed already.
            Leaving::Politely => drop(member.wire.say(&frames::goodbye())),
            Leaving::Abruptly => drop(SockRef::from(member.wire.stream()).set_linger(Some(Duration::ZERO))),
            Leaving::Silently => {}
        }
        Ok(member.hearing.bookmark())
    }

    /// Somebody comes back for the `returns`th time, and reads on.
    pub(crate) fn come_back(&mut self, number: usize, returns: u32, bookmark: Option<Bookmark>) -> Result<()> {
        let after = bookmark.as_ref().map(|bookmark| bookmark.sequence.newest());
        let hearing = match bookmark {
            Some(Bookmark { room, sequence }) => Hearing::Room { room, sequence },
            None => Hearing::Nothing { after: None },
        };
        self.open(Arrival { number, returns, after }, hearing)
    }

    /// Somebody reads nothing any more.
    pub(crate) fn stall(&mut self, number: usize) -> Result<()> {
        match self.wire(number) {
            Some(wire) => self.deregister(&wire),
            None => Ok(()),
        }
    }

    /// Somebody reads from now on, and what has come already.
    pub(crate) fn read_on(&mut self, number: usize) -> Result<()> {
        let Some(wire) = self.wire(number) else { return Ok(()) };
        let file = wire.stream().as_raw_fd();
        let registry = self.poll.registry();
        registry.register(&mut SourceFd(&file), Token(number), Interest::READABLE).context("use epoll")
    }

    fn deregister(&self, wire: &Wire) -> Result<()> {
        let file = wire.stream().as_raw_fd();
        self.poll.registry().deregister(&mut SourceFd(&file)).context("use epoll")
    }

    /// What everybody who is there has heard of one room each.
    pub(crate) fn bookmarks(&self) -> impl Iterator<Item = Bookmark> {
        self.members.iter().flatten().filter_map(|member| member.hearing.bookmark())
    }

    /// Counts afresh; planned times count from `begin`.
    pub(crate) fn begin(&mut self, plan: Plan, begin: Instant) {
        self.ear.plan = plan;
        self.ear.begin = begin;
        self.ear.door.begin_load();
        self.ear.known.iter_mut().for_each(Known::forget);
        self.ear.tally = Tally::new();
    }

    /// Hears what comes for a while.
    pub(crate) fn listen_for(&mut self, duration: Duration) -> Result<()> {
        let end = Instant::now() + duration;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.listen(left)?;
        }
        Ok(())
    }

    /// Hears what has come, once something has; waits at most `timeout`.
    pub(crate) fn listen(&mut self, timeout: Duration) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            polled => polled.context("wait for sockets")?,
        }
        for event in &self.events {
            let number = event.token().0;
            let Some(member) = &mut self.members[number] else { continue };
            let was_here = member.stage == Stage::Here;
            if let Err(error) = member.read(event.is_read_closed(), &mut self.scratch, &mut self.ear) {
                self.ear.tally.ended += 1;
                self.ear.tally.complain(format!("connection {number} ended: {error:#}"));
                self.ended.push(number);
                // Without this a socket at its end would be read again and again.
                let file = member.wire.stream().as_raw_fd();
                self.poll.registry().deregister(&mut SourceFd(&file)).context("use epoll")?;
            }
            self.welcomed += usize::from(!was_here && member.stage == Stage::Here);
        }
        Ok(())
    }
}

impl Member {
    /// Reads until the socket is empty, which a short read tells (`man 7 epoll`), save where the other side has closed
    /// it: then the end is still to be read, and nothing will tell of it again.
    fn read(&mut self, is_closed: bool, scratch: &mut [u8], ear: &mut Ear) -> Result<()> {
        loop {
            match self.wire.stream().read(scratch) {
                Ok(0) => bail!("the server closed it"),
                Ok(length) => {
                    self.take(&scratch[..length], ear)?;
                    if length < scratch.len() && !is_closed {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take(&mut self, fresh: &[u8], ear: &mut Ear) -> Result<()> {
        if self.rest.is_empty() {
            let used = self.understand(fresh, ear)?;
            self.rest.extend_from_slice(&fresh[used..]);
        } else {
            let mut bytes = std::mem::take(&mut self.rest);
            bytes.extend_from_slice(fresh);
            let used = self.understand(&bytes, ear)?;
            bytes.drain(..used);
            self.rest = bytes;
        }
        Ok(())
    }

    /// Takes in everything that is whole, and tells how many bytes that were.
    fn understand(&mut self, bytes: &[u8], ear: &mut Ear) -> Result<usize> {
        let mut used = 0;
        if self.stage == Stage::Upgrading {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(0) };
            let answer = String::from_utf8_lossy(&bytes[..end]);
            ensure!(answer.starts_with("HTTP/1.1 101 "), "no upgrade, but {answer}");
            self.stage = Stage::Entering;
            used = end + 4;
        }
        let now = Instant::now();
        while let Some((kind, payload, length)) = frames::first(&bytes[used..])? {
            match kind {
                Kind::Text => self.hear(payload, ear, now)?,
                Kind::Ping => self.wire.answer_ping(payload)?,
                Kind::Pong => {}
                Kind::Close => bail!("the server said goodbye: {}", farewell(payload)),
            }
            used += length;
        }
        Ok(used)
    }

    fn hear(&mut self, json: &[u8], ear: &mut Ear, now: Instant) -> Result<()> {
        if ear.hears_again(json, &mut self.hearing, now) {
            return Ok(());
        }
        match frames::TYPE.string(json) {
            Some(b"Chat") => ear.hear_message(json, &mut self.hearing, now),
            Some(b"Status") => self.hear_status(json, ear)?,
            Some(b"Ack") => ear.hear_ack(json, now),
            Some(b"Gap") => ear.hear_gap(json, &mut self.hearing),
            Some(b"Error") => {
                ear.tally.refused += 1;
                ear.tally.complain(String::from_utf8_lossy(json).into_owned());
            }
            _ => {}
        }
        Ok(())
    }

    /// The server tells where a room stands: that of the address first, then those that were joined.
    fn hear_status(&mut self, json: &[u8], ear: &Ear) -> Result<()> {
        let own = ear.plan.room(self.number);
        let room = frames::ROOM.string(json).and_then(Door::room_of).unwrap_or(own);
        self.hearing.enter(room, frames::HEAD.number(json).unwrap_or(0), ear.plan.presence);
        self.stage = match self.stage {
            Stage::Joining(_) | Stage::Here if room == own => self.stage,
            Stage::Joining(others @ 2..) => Stage::Joining(others - 1),
            Stage::Joining(_) | Stage::Here => Stage::Here,
            Stage::Upgrading | Stage::Entering => match ear.plan.other_rooms(self.number).count() {
                0 => Stage::Here,
                others => {
                    self.wire.say(&ear.door.joins(&ear.plan, self.number))?;
                    Stage::Joining(others)
                }
            },
        };
        Ok(())
    }
}

impl Hearing {
    /// The server says that a room stands at `head`. Where it was entered already, that is no news.
    fn enter(&mut self, room: usize, head: u64, presence: Presence) {
        match (&mut *self, presence) {
            (Hearing::Nothing { after }, Presence::OneRoom) => {
                *self = Hearing::Room { room, sequence: Sequence::after(after.unwrap_or(head)) };
            }
            (Hearing::Nothing { after }, Presence::EveryRoom) => {
                *self = Hearing::Rooms(vec![(room, Sequence::after(after.unwrap_or(head)))]);
            }
            (Hearing::Rooms(rooms), _) if rooms.iter().all(|(entered, _)| *entered != room) => {
                rooms.push((room, Sequence::after(head)));
            }
            _ => {}
        }
    }

    /// What was heard of the room that a frame names. In a single room nobody needs to look.
    fn of(&mut self, json: &[u8]) -> Option<(usize, &mut Sequence)> {
        match self {
            Hearing::Nothing { .. } => None,
            Hearing::Room { room, sequence } => Some((*room, sequence)),
            Hearing::Rooms(rooms) => {
                let named = Door::room_of(frames::ROOM.string(json)?)?;
                rooms.iter_mut().find(|(room, _)| *room == named).map(|(room, sequence)| (*room, sequence))
            }
        }
    }

    fn bookmark(&self) -> Option<Bookmark> {
        match self {
            Hearing::Room { room, sequence } => Some(Bookmark { room: *room, sequence: sequence.clone() }),
            Hearing::Nothing { .. } | Hearing::Rooms(_) => None,
        }
    }
}

impl Bookmark {
    pub(crate) fn room(&self) -> usize {
        self.room
    }
}

/// A close frame's code and reason.
fn farewell(payload: &[u8]) -> String {
    match payload {
        [high, low, reason @ ..] => {
            format!("{} {}", u16::from_be_bytes([*high, *low]), String::from_utf8_lossy(reason))
        }
        _ => "no code".to_owned(),
    }
}

impl Ear {
    /// Whether this is the next message of the room, just as somebody else got it. Then it is counted.
    fn hears_again(&mut self, json: &[u8], hearing: &mut Hearing, now: Instant) -> bool {
        let Hearing::Room { room, sequence } = hearing else { return false };
        let next = sequence.newest() + 1;
        let Some(due) = self.known.get(*room).and_then(|known| known.due(next, json)) else { return false };
        let heard = sequence.hear(next);
        self.count(heard, due, json.len(), now);
        true
    }

    fn hear_message(&mut self, json: &[u8], hearing: &mut Hearing, now: Instant) {
        let Some((seq, due)) = frames::SEQ.number(json).zip(due(json)) else {
            return self.tally.complain(format!("not a message of this load: {}", String::from_utf8_lossy(json)));
        };
        let Some((room, sequence)) = hearing.of(json) else {
            return self.tally.complain("a message came before the Status".to_owned());
        };
        if let Some(known) = self.known.get_mut(room) {
            known.learn(seq, due, json);
        }
        let heard = sequence.hear(seq);
        self.count(heard, due, json.len(), now);
    }

    fn count(&mut self, heard: Heard, due: Duration, json_bytes: usize, now: Instant) {
        match heard {
            Heard::InOrder => self.tally.in_order += 1,
            Heard::Late => self.tally.reordered += 1,
            Heard::Again => self.tally.doubled += 1,
        }
        self.tally.frame_bytes = json_bytes + 4;
        let latency = now.saturating_duration_since(self.begin + due);
        self.tally.latency.saturating_record(latency.as_micros() as u64);
    }

    /// Some messages do not come.
    fn hear_gap(&mut self, json: &[u8], hearing: &mut Hearing) {
        self.tally.gaps += 1;
        if let Some((to, (_, sequence))) = frames::TO.number(json).zip(hearing.of(json)) {
            sequence.pass_over(to);
        }
    }

    fn hear_ack(&mut self, json: &[u8], now: Instant) {
        if let Some(message) = frames::ID.string(json).and_then(|id| self.door.message_of(id)) {
            self.tally.acknowledged += 1;
            let latency = now.saturating_duration_since(self.begin + self.plan.due(message));
            self.tally.ack_latency.saturating_record(latency.as_micros() as u64);
        }
    }
}

/// When a message was due: the first 24 letters of base64 are the first 18 bytes of its text.
fn due(json: &[u8]) -> Option<Duration> {
    let mut text = [0; Plan::MIN_PAYLOAD as usize];
    let letters = frames::MESSAGE.string(json)?.get(..text.len() / 3 * 4)?;
    STANDARD.decode_slice_unchecked(letters, &mut text).ok()?;
    Plan::due_of_text(&text)
}

impl Tally {
    fn new() -> Tally {
        let histogram =
            || Histogram::new_with_max(MAX_LATENCY.as_micros() as u64, 3).expect("the bounds are those of a histogram");
        Tally {
            in_order: 0,
            reordered: 0,
            doubled: 0,
            gaps: 0,
            acknowledged: 0,
            refused: 0,
            ended: 0,
            complaint: None,
            frame_bytes: 0,
            latency: histogram(),
            ack_latency: histogram(),
        }
    }

    /// Deliveries, each counted once.
    pub(crate) fn arrived(&self) -> usize {
        self.in_order + self.reordered
    }

    /// What went wrong while so many deliveries and answers were due.
    pub(crate) fn faults(&self, deliveries: usize, answers: usize) -> Faults {
        let unanswered = answers.saturating_sub(self.acknowledged);
        Faults {
            lost: deliveries.saturating_sub(self.arrived()),
            doubled: self.doubled,
            reordered: self.reordered,
            others: unanswered + self.refused + self.gaps + self.ended,
            complaint: self.complaint.clone(),
        }
    }

    fn complain(&mut self, words: String) {
        self.complaint.get_or_insert(words);
    }
}
