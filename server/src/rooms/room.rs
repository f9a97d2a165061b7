//! One open room: its newest frames, the people in it, and who wants to hear of it.

use super::{presence::Presence, recent::Recent};
use crate::store::{Standing, Store, TooManyRooms};
use app::protocol::{Epoch, RoomName, Seq, UserList};
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{Notify, OnceCell};

/// A room that somebody is in.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) name: RoomName,
    epoch: OnceCell<Epoch>,
    recent: RwLock<Recent>,
    /// The newest position, as `recent` has it, readable without its lock. Zero until the room is open.
    head: AtomicU64,
    pub(super) presence: Mutex<Presence>,
    /// The connections that are in this room, by their key.
    listeners: Mutex<HashMap<u64, Arc<Notify>>>,
}

impl Room {
    pub(super) fn new(name: RoomName) -> Room {
        Room {
            name,
            epoch: OnceCell::new(),
            recent: RwLock::new(Recent::opening()),
            head: AtomicU64::new(0),
            presence: Mutex::default(),
            listeners: Mutex::default(),
        }
    }

    /// Opens the room, once; everybody who comes meanwhile waits for the first.
    ///
    /// The order matters: this room is registered, so publishes reach it already. Only then is the committed head
    /// read. An event that falls between is in the store, in `recent`, or in both, and `recent` knows by its `Seq`.
    pub(super) async fn open(&self, store: &Store) -> Result<&Epoch, TooManyRooms> {
        let open = || async {
            let Standing { epoch, head } = store.open(&self.name).await?;
            let mut recent = self.recent.write();
            recent.open_at(head);
            self.head.store(recent.head().0, Ordering::Release);
            Ok(epoch)
        };
        self.epoch.get_or_try_init(open).await
    }

    /// Which life of the log this is; empty until the room is open.
    pub(super) fn epoch(&self) -> Epoch {
        self.epoch.get().cloned().unwrap_or_else(|| Epoch("".into()))
    }

    pub(super) fn head(&self) -> Seq {
        Seq(self.head.load(Ordering::Acquire))
    }

    /// Shows an event to everybody in the room.
    pub(super) fn publish(&self, seq: Seq, frame: Bytes) {
        {
            let mut recent = self.recent.write();
            recent.push(seq, frame);
            self.head.store(recent.head().0, Ordering::Release);
        }
        self.wake_all();
    }

    pub(super) fn recent_after(&self, cursor: Seq, max_frames: usize, max_bytes: usize) -> Option<Vec<Bytes>> {
        self.recent.read().after(cursor, max_frames, max_bytes)
    }

    pub(super) fn listen(&self, key: u64, wake: Arc<Notify>) {
        self.listeners.lock().insert(key, wake);
    }

    pub(super) fn stop_listening(&self, key: u64) {
        self.listeners.lock().remove(&key);
    }

    pub(super) fn wake_all(&self) {
        for wake in self.listeners.lock().values() {
            wake.notify_one();
        }
    }

    pub(super) fn users(&self) -> UserList {
        self.presence.lock().list(&self.name)
    }
}
