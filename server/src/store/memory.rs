//! The log in memory: what is kept until a restart, while there is no durable journal.

use crate::journal::{AuthorKey, Draft, Kept, NotKept};
use app::protocol::{Chat, Epoch, Event, MessageId, Page, RoomName, Seq, Timestamp};
use parking_lot::RwLock;
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

/// Events of one room that are kept; older ones are forgotten.
const EVENTS_PER_ROOM: usize = 1_000;

/// Ids of one room that are remembered, so that a resend is recognised long after its event is gone.
const IDS_PER_ROOM: usize = 20_000;

/// Rooms that are kept at once.
const MAX_ROOMS: usize = 10_000;

/// A room without people is forgotten when nothing was said in it for this long.
const FORGET_AFTER: Duration = Duration::from_secs(60 * 60);

/// Every room's newest events.
pub(super) struct MemoryLog {
    inner: RwLock<Inner>,
}

struct Inner {
    /// Differs at every start.
    boot: String,
    /// Rises whenever a room is forgotten, so that its next life has another epoch.
    generation: u64,
    rooms: HashMap<RoomName, RoomLog>,
}

struct RoomLog {
    epoch: Epoch,
    head: Seq,
    /// The newest events, dense, ending at `head`.
    events: VecDeque<Event>,
    /// Every remembered id, with the answer that its first sending got.
    ids: HashMap<MessageId, Receipt>,
    /// The same ids, oldest first.
    ids_in_order: VecDeque<MessageId>,
    last_used: Instant,
}

struct Receipt {
    author: AuthorKey,
    kept: Kept,
}

/// What became of a draft.
pub(crate) enum Appended {
    /// It is a new event.
    New(Event),
    /// It was here already.
    Known(Kept),
}

impl MemoryLog {
    pub(super) fn new() -> MemoryLog {
        let boot = ulid::Ulid::from_parts(crate::now().0, rand::random()).to_string();
        MemoryLog { inner: RwLock::new(Inner { boot, generation: 0, rooms: HashMap::new() }) }
    }

    /// Makes sure that a room has a log, and tells where it stands.
    pub(super) fn open(&self, room: &RoomName) -> Option<(Epoch, Seq)> {
        let mut inner = self.inner.write();
        let log = inner.log_of(room)?;
        log.last_used = Instant::now();
        Some((log.epoch.clone(), log.head))
    }

    /// Gives a draft its position, or finds the one that it has.
    pub(super) fn append(&self, draft: &Draft, sent: Timestamp) -> Result<Appended, NotKept> {
        let mut inner = self.inner.write();
        let log = inner.log_of(&draft.room).ok_or(NotKept::TooManyRooms)?;
        log.last_used = Instant::now();
        match log.ids.get(&draft.id) {
            Some(receipt) if receipt.author.is_same_as(&draft.author) => Ok(Appended::Known(receipt.kept)),
            Some(_) => Err(NotKept::SomebodyElses),
            None => Ok(Appended::New(log.keep(draft, sent))),
        }
    }

    /// The events of a room that `choose` cuts from the kept ones.
    pub(super) fn page(&self, room: &RoomName, choose: impl FnOnce(&VecDeque<Event>) -> Vec<Event>) -> Page {
        let inner = self.inner.read();
        match inner.rooms.get(room) {
            Some(log) => {
                Page { room: room.clone(), epoch: log.epoch.clone(), head: log.head, events: choose(&log.events) }
            }
            None => Page { room: room.clone(), epoch: inner.next_epoch(), head: Seq::ZERO, events: Vec::new() },
        }
    }

    /// Forgets the rooms that nobody used for a while and nobody is in, as `is_empty` tells. Answers how many.
    pub(super) fn forget_idle(&self, is_empty: impl Fn(&RoomName) -> bool) -> usize {
        let mut inner = self.inner.write();
        let before = inner.rooms.len();
        inner.rooms.retain(|room, log| !log.may_be_forgotten() || !is_empty(room));
        let forgotten = before - inner.rooms.len();
        inner.generation += forgotten as u64;
        forgotten
    }
}

impl Inner {
    fn next_epoch(&self) -> Epoch {
        Epoch(format!("{}-{}", self.boot, self.generation).into())
    }

    fn log_of(&mut self, room: &RoomName) -> Option<&mut RoomLog> {
        if !self.rooms.contains_key(room) {
            if self.rooms.len() >= MAX_ROOMS {
                return None;
            }
            self.rooms.insert(room.clone(), RoomLog::new(self.next_epoch()));
        }
        self.rooms.get_mut(room)
    }
}

impl RoomLog {
    fn new(epoch: Epoch) -> RoomLog {
        RoomLog {
            epoch,
            head: Seq::ZERO,
            events: VecDeque::new(),
            ids: HashMap::new(),
            ids_in_order: VecDeque::new(),
            last_used: Instant::now(),
        }
    }

    fn may_be_forgotten(&self) -> bool {
        self.events.is_empty() || self.last_used.elapsed() >= FORGET_AFTER
    }

    fn keep(&mut self, draft: &Draft, sent: Timestamp) -> Event {
        self.head = self.head.next();
        let event = Event::Chat(Chat {
            room: draft.room.clone(),
            socket: draft.socket.clone(),
            author: draft.name.clone(),
            text: draft.text.clone(),
            sent,
            seq: self.head,
            id: draft.id,
            kind: draft.kind,
        });
        if self.events.len() == EVENTS_PER_ROOM {
            self.events.pop_front();
        }
        self.events.push_back(event.clone());
        self.remember(draft, Kept { seq: self.head, sent });
        event
    }

    fn remember(&mut self, draft: &Draft, kept: Kept) {
        if self.ids_in_order.len() == IDS_PER_ROOM
            && let Some(oldest) = self.ids_in_order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        self.ids_in_order.push_back(draft.id);
        self.ids.insert(draft.id, Receipt { author: draft.author.clone(), kept });
    }
}
