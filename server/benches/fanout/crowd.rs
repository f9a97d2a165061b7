//! Everybody who is connected, read by one thread that counts what each of them hears.

use crate::{
    door::{Door, Wire},
    frames::{self, Kind},
    plan::Plan,
    sequence::{Heard, Sequence},
};
use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token, unix::SourceFd};
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
    members: Vec<Member>,
    /// How many were let in.
    welcomed: usize,
    ear: Ear,
}

/// One connection.
struct Member {
    wire: Arc<Wire>,
    /// The answer to the upgrade is not whole yet.
    is_opening: bool,
    /// The beginning of a frame whose end has not come yet.
    rest: Vec<u8>,
    /// `None` until the server has said where the room stands.
    sequence: Option<Sequence>,
}

/// Understands what is heard.
struct Ear {
    door: Door,
    plan: Plan,
    /// When the load began: planned times count from here.
    begin: Instant,
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
        Ok(Crowd {
            poll: Poll::new().context("ask for epoll")?,
            events: Events::with_capacity(1_024),
            scratch: vec![0; READ_BYTES].into(),
            members: Vec::with_capacity(plan.connections),
            welcomed: 0,
            ear: Ear { door, plan, begin: Instant::now(), tally: Tally::new() },
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

    pub(crate) fn wire(&self, connection: usize) -> Arc<Wire> {
        self.members[connection].wire.clone()
    }

    /// Opens connections until there are `count`, and waits until all of them are let in.
    pub(crate) fn grow_to(&mut self, count: usize) -> Result<()> {
        let mut progress = (self.welcomed, Instant::now());
        while self.welcomed < count {
            while self.members.len() < count && self.members.len() - self.welcomed < MAX_OPENING {
                self.open_one()?;
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

    fn open_one(&mut self) -> Result<()> {
        let number = self.members.len();
        let wire = self.ear.door.open(number, self.ear.plan.room(number))?;
        let file = wire.stream().as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&file), Token(number), Interest::READABLE).context("use epoll")?;
        let is_opening = self.ear.door.begins_with_http();
        self.members.push(Member { wire: Arc::new(wire), is_opening, rest: Vec::new(), sequence: None });
        Ok(())
    }

    /// Counts afresh; planned times count from `begin`.
    pub(crate) fn begin(&mut self, plan: Plan, begin: Instant) {
        self.ear.plan = plan;
        self.ear.begin = begin;
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
            let member = &mut self.members[event.token().0];
            let was_welcome = member.sequence.is_some();
            if let Err(error) = member.read(&mut self.scratch, &mut self.ear) {
                self.ear.tally.ended += 1;
                self.ear.tally.complain(format!("connection {} ended: {error:#}", event.token().0));
                // Without this a socket at its end would be read again and again.
                let file = member.wire.stream().as_raw_fd();
                self.poll.registry().deregister(&mut SourceFd(&file)).context("use epoll")?;
            }
            self.welcomed += usize::from(!was_welcome && member.sequence.is_some());
        }
        Ok(())
    }
}

impl Member {
    /// Reads until the socket is empty, which a short read tells (`man 7 epoll`).
    fn read(&mut self, scratch: &mut [u8], ear: &mut Ear) -> Result<()> {
        let wire = self.wire.clone();
        loop {
            match wire.stream().read(scratch) {
                Ok(0) => bail!("the server closed it"),
                Ok(length) => {
                    self.take(&scratch[..length], ear)?;
                    if length < scratch.len() {
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
        let joined = (!self.rest.is_empty()).then(|| [&std::mem::take(&mut self.rest), fresh].concat());
        let mut bytes = joined.as_deref().unwrap_or(fresh);
        if self.is_opening {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
                self.rest = bytes.to_vec();
                return Ok(());
            };
            let answer = String::from_utf8_lossy(&bytes[..end]);
            ensure!(answer.starts_with("HTTP/1.1 101 "), "no upgrade, but {answer}");
            self.is_opening = false;
            bytes = &bytes[end + 4..];
        }
        let now = Instant::now();
        while let Some((kind, payload, length)) = frames::first(bytes)? {
            match kind {
                Kind::Text => ear.hear(payload, &mut self.sequence, now),
                Kind::Ping => self.wire.answer_ping(payload)?,
                Kind::Pong => {}
                Kind::Close => bail!("the server said goodbye: {}", farewell(payload)),
            }
            bytes = &bytes[length..];
        }
        self.rest = bytes.to_vec();
        Ok(())
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
    fn hear(&mut self, json: &[u8], sequence: &mut Option<Sequence>, now: Instant) {
        match frames::TYPE.string(json) {
            Some(b"Chat") => self.hear_message(json, sequence, now),
            Some(b"Status") => {
                let head = frames::HEAD.number(json).unwrap_or(0);
                sequence.get_or_insert_with(|| Sequence::after(head));
            }
            Some(b"Ack") => self.hear_ack(json, now),
            Some(b"Gap") => self.tally.gaps += 1,
            Some(b"Error") => {
                self.tally.refused += 1;
                self.tally.complain(String::from_utf8_lossy(json).into_owned());
            }
            _ => {}
        }
    }

    fn hear_message(&mut self, json: &[u8], sequence: &mut Option<Sequence>, now: Instant) {
        let Some((seq, due)) = frames::SEQ.number(json).zip(due(json)) else {
            return self.tally.complain(format!("not a message of this load: {}", String::from_utf8_lossy(json)));
        };
        match sequence.as_mut().map(|sequence| sequence.hear(seq)) {
            Some(Heard::InOrder) => self.tally.in_order += 1,
            Some(Heard::Late) => self.tally.reordered += 1,
            Some(Heard::Again) => self.tally.doubled += 1,
            None => self.tally.complain("a message came before the Status".to_owned()),
        }
        self.tally.frame_bytes = json.len() + 4;
        let latency = now.saturating_duration_since(self.begin + due);
        self.tally.latency.saturating_record(latency.as_micros() as u64);
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

    fn complain(&mut self, words: String) {
        self.complaint.get_or_insert(words);
    }
}
