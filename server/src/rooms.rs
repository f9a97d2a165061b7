//! The open rooms of this server: publish into them, enter them, close them.

mod presence;
mod recent;
mod replay;
mod room;
mod stretch;
mod subscription;

use crate::{
    people::PersonId,
    store::{Store, Unreadable},
    websocket::framing,
};
use app::protocol::{Epoch, Event, NickName, RoomName, Seq, ServerFrame, UserList};
use bytes::Bytes;
use parking_lot::Mutex;
use replay::Replay;
use room::Room;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
pub(crate) use stretch::{Run, Stretch};
pub(crate) use subscription::{Ahead, Listed};
pub use subscription::{From, Listening, Subscription};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How often changes of who is here are told, in all rooms together.
const ANNOUNCE_INTERVAL: Duration = Duration::from_millis(500);

/// How often rooms that nobody is in, and quiet ones, are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Rooms that are open at once, at most.
const MAX_ROOMS: usize = 100_000;

/// Why somebody is not in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotEntered {
    /// As many rooms are open as this server holds.
    #[error("this server holds no more rooms")]
    TooManyRooms,
    /// As many connections are in the room as it holds.
    #[error("the room is full")]
    RoomFull,
    /// Where the room stands could not be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// The rooms that somebody is in. Cloning is cheap.
#[derive(Clone)]
pub struct Rooms {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    replay: Replay,
    open: Mutex<HashMap<RoomName, Arc<Room>>>,
    /// Rooms whose people changed since the last announcement.
    changed: Mutex<HashSet<RoomName>>,
    announce: Notify,
    next_key: AtomicU64,
    /// Connections that may be in one room.
    seats: usize,
}

impl std::fmt::Debug for Rooms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rooms").field("open", &self.inner.open.lock().len()).finish()
    }
}

/// A frame as it travels, with its WebSocket header: written once, shared by all who read it.
pub(crate) fn encode(frame: &ServerFrame) -> Bytes {
    framing::text(&serde_json::to_vec(frame).expect("frames are plain data"))
}

impl Rooms {
    /// No rooms yet; their logs are read from `store`.
    pub fn new(store: Store) -> Rooms {
        let inner = Inner {
            replay: Replay::new(store.clone()),
            store,
            open: Mutex::default(),
            changed: Mutex::default(),
            announce: Notify::new(),
            next_key: AtomicU64::new(0),
            seats: usize::MAX,
        };
        Rooms { inner: Arc::new(inner) }
    }

    /// The same, with so many connections in each room at most. Called before anybody else has them.
    pub fn with_seats(mut self, seats: usize) -> Rooms {
        Arc::get_mut(&mut self.inner).expect("nobody else has them").seats = seats;
        self
    }

    /// Whether as many connections are in a room as it holds.
    pub fn is_full(&self, name: &RoomName) -> bool {
        self.find(name).is_some_and(|room| room.connections() >= self.inner.seats)
    }

    /// The life of the log that all rooms are in.
    pub fn epoch(&self) -> &Epoch {
        self.inner.store.epoch()
    }

    /// Enters a room, to read on from a position.
    pub async fn enter(
        &self,
        name: &RoomName,
        person: (PersonId, NickName),
        from: &From,
    ) -> Result<Subscription, NotEntered> {
        let room = self.registered(name)?;
        if let Err(unreadable) = room.open(&self.inner.store).await {
            self.unregister(name, &room);
            return Err(unreadable.into());
        }
        let kept = self.kept(&room, from).await?;
        if !room.take_seat(self.inner.seats) {
            return Err(NotEntered::RoomFull);
        }
        Ok(Subscription::new(self.clone(), room, person, from, kept))
    }

    /// A number that no listener has had.
    fn next_key(&self) -> u64 {
        self.inner.next_key.fetch_add(1, Ordering::Relaxed)
    }

    fn registered(&self, name: &RoomName) -> Result<Arc<Room>, NotEntered> {
        let mut open = self.inner.open.lock();
        if let Some(room) = open.get(name) {
            return Ok(room.clone());
        }
        if open.len() >= MAX_ROOMS {
            return Err(NotEntered::TooManyRooms);
        }
        let room = Arc::new(Room::new(name.clone()));
        open.insert(name.clone(), room.clone());
        Ok(room)
    }

    /// The newest position that the log has. The room's own head may be a moment behind it, which matters only to who
    /// comes from further on: a page over HTTP has shown what the room is about to show.
    async fn kept(&self, room: &Room, from: &From) -> Result<Seq, Unreadable> {
        match from.after {
            Some(after) if after > room.head() => self.inner.store.head(&room.name).await,
            _ => Ok(room.head()),
        }
    }

    /// Takes back a room that could not be opened, unless somebody else still tries to.
    fn unregister(&self, name: &RoomName, room: &Arc<Room>) {
        let mut open = self.inner.open.lock();
        // Two hold it: the map and the caller.
        if Arc::strong_count(room) <= 2 {
            open.remove(name);
        }
    }

    fn find(&self, name: &RoomName) -> Option<Arc<Room>> {
        self.inner.open.lock().get(name).cloned()
    }

    /// Shows events to everybody in their rooms. Only the journal's writer calls this, in the log's order.
    pub(crate) fn publish(&self, events: &[Event]) {
        let mut by_room: HashMap<&RoomName, Vec<&Event>> = HashMap::new();
        for event in events {
            by_room.entry(event.room()).or_default().push(event);
        }
        for (name, events) in by_room {
            if let Some(room) = self.find(name) {
                let frame = |event: &&Event| (event.seq(), encode(&ServerFrame::from(Event::clone(event))));
                room.publish(events.iter().map(frame).collect());
            }
        }
    }

    /// The rooms that are open now.
    pub(crate) fn names(&self) -> Vec<RoomName> {
        self.inner.open.lock().keys().cloned().collect()
    }

    /// How many rooms are open.
    pub(crate) fn count(&self) -> usize {
        self.inner.open.lock().len()
    }

    /// A room's log has everything up to `head`, whether it was published or not.
    pub(crate) fn raise(&self, name: &RoomName, head: Seq) {
        if let Some(room) = self.find(name) {
            room.raise(head);
        }
    }

    /// Who is in a room now.
    pub fn users(&self, name: &RoomName) -> UserList {
        match self.find(name) {
            Some(room) => room.users(),
            None => UserList { room: name.clone(), users: Vec::new(), count: None },
        }
    }

    fn people_changed(&self, name: &RoomName) {
        self.inner.changed.lock().insert(name.clone());
        self.inner.announce.notify_one();
    }

    /// Tells rooms that their people changed: the first change at once, those that follow it together.
    pub(crate) async fn announce_people(self, end: CancellationToken) {
        let announce = async {
            loop {
                self.inner.announce.notified().await;
                let changed = std::mem::take(&mut *self.inner.changed.lock());
                for room in changed.iter().filter_map(|name| self.find(name)) {
                    room.wake_all();
                }
                tokio::time::sleep(ANNOUNCE_INTERVAL).await;
            }
        };
        end.run_until_cancelled(announce).await;
    }

    /// Closes rooms that nobody is in, and gives back what quiet ones hold.
    pub(crate) async fn sweep(self, end: CancellationToken) {
        let sweep = async {
            loop {
                tokio::time::sleep(SWEEP_INTERVAL).await;
                self.sweep_once();
            }
        };
        end.run_until_cancelled(sweep).await;
    }

    fn sweep_once(&self) {
        // The map is the only one that holds a room that nobody is in.
        let mut open = self.inner.open.lock();
        open.retain(|_, room| Arc::strong_count(room) > 1);
        open.values().for_each(|room| room.rest());
        self.inner.replay.forget();
    }
}
