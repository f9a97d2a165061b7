//! The open rooms of this server: publish into them, enter them, close them.

mod presence;
mod recent;
mod room;
mod subscription;

use crate::{
    people::PersonId,
    store::{Store, TooManyRooms},
};
use app::protocol::{Event, NickName, RoomName, ServerFrame, UserList};
use bytes::Bytes;
use parking_lot::Mutex;
use room::Room;
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
pub(crate) use subscription::MAX_READ_BYTES;
pub use subscription::{From, Subscription};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How often changes of who is here are told, in all rooms together.
const ANNOUNCE_INTERVAL: Duration = Duration::from_millis(500);

/// How often rooms that nobody is in are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// The rooms that somebody is in. Cloning is cheap.
#[derive(Clone)]
pub struct Rooms {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    open: Mutex<HashMap<RoomName, Arc<Room>>>,
    /// Rooms whose people changed since the last announcement.
    changed: Mutex<HashSet<RoomName>>,
    announce: Notify,
    next_key: AtomicU64,
}

impl std::fmt::Debug for Rooms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rooms").field("open", &self.inner.open.lock().len()).finish()
    }
}

/// A frame as it travels: written once, shared by all who read it.
pub(crate) fn encode(frame: &ServerFrame) -> Bytes {
    serde_json::to_vec(frame).expect("frames are plain data").into()
}

impl Rooms {
    /// No rooms yet; their logs are read from `store`.
    pub fn new(store: Store) -> Rooms {
        let inner = Inner {
            store,
            open: Mutex::default(),
            changed: Mutex::default(),
            announce: Notify::new(),
            next_key: AtomicU64::new(0),
        };
        Rooms { inner: Arc::new(inner) }
    }

    /// Enters a room, reading on from a position. `wake` is notified whenever there may be something to read.
    pub async fn enter(
        &self,
        name: &RoomName,
        person: (PersonId, NickName),
        from: &From,
        wake: Arc<Notify>,
    ) -> Result<Subscription, TooManyRooms> {
        let room = self.registered(name);
        if let Err(full) = room.open(&self.inner.store).await {
            self.unregister(name, &room);
            return Err(full);
        }
        let key = self.inner.next_key.fetch_add(1, Ordering::Relaxed);
        let kept = self.inner.store.open(name).await?.head;
        Ok(Subscription::new(self.clone(), room, key, person, from, kept, wake))
    }

    fn registered(&self, name: &RoomName) -> Arc<Room> {
        let mut open = self.inner.open.lock();
        open.entry(name.clone()).or_insert_with(|| Arc::new(Room::new(name.clone()))).clone()
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

    /// Shows an event to everybody in its room. Only the journal's writer calls this, in the log's order.
    pub(crate) fn publish(&self, name: &RoomName, event: &Event) {
        if let Some(room) = self.find(name) {
            room.publish(event.seq(), encode(&ServerFrame::from(event.clone())));
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

    /// Closes rooms that nobody is in, and forgets those that have been so for long.
    pub(crate) async fn sweep(self, end: CancellationToken) {
        let sweep = async {
            loop {
                tokio::time::sleep(SWEEP_INTERVAL).await;
                let forgotten = self.sweep_once();
                tracing::debug!(forgotten, "looked for unused rooms");
            }
        };
        end.run_until_cancelled(sweep).await;
    }

    /// The lock is held throughout: whoever enters a room registers it first, so a room is either open or forgotten.
    fn sweep_once(&self) -> usize {
        let mut open = self.inner.open.lock();
        open.retain(|_, room| Arc::strong_count(room) > 1);
        self.inner.store.forget_idle(|name| !open.contains_key(name))
    }
}
