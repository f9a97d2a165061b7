//! One open room: its newest frames, the people in it, and who wants to hear of it.

use super::{presence::Presence, recent::Recent};
use crate::store::{Store, Unreadable};
use app::protocol::{RoomName, Seq, UserList};
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
    /// Set when the room is open.
    opened: OnceCell<()>,
    recent: RwLock<Recent>,
    /// The newest position, as `recent` has it, readable without its lock. Zero until the room is open.
    head: AtomicU64,
    /// What `head` was when the housekeeper last came by.
    rested_at: AtomicU64,
    pub(super) presence: Mutex<Presence>,
    /// The connections that are in this room, by their key.
    listeners: Mutex<HashMap<u64, Arc<Notify>>>,
}

impl Room {
    pub(super) fn new(name: RoomName) -> Room {
        Room {
            name,
            opened: OnceCell::new(),
            recent: RwLock::new(Recent::opening()),
            head: AtomicU64::new(0),
            rested_at: AtomicU64::new(0),
            presence: Mutex::default(),
            listeners: Mutex::default(),
        }
    }

    /// Opens the room, once; everybody who comes meanwhile waits for the first.
    ///
    /// The order matters: this room is registered, so publishes reach it already. Only then is the committed head
    /// read. An event that falls between is in the store, in `recent`, or in both, and `recent` knows by its `Seq`.
    pub(super) async fn open(&self, store: &Store) -> Result<(), Unreadable> {
        let open = || async {
            let head = store.head(&self.name).await?;
            self.change(|recent| recent.open_at(head));
            Ok(())
        };
        self.opened.get_or_try_init(open).await.copied()
    }

    pub(super) fn head(&self) -> Seq {
        Seq(self.head.load(Ordering::Acquire))
    }

    /// Shows events to everybody in the room.
    pub(super) fn publish(&self, frames: Vec<(Seq, Bytes)>) {
        self.change(|recent| {
            for (seq, frame) in frames {
                recent.push(seq, frame);
            }
        });
        self.wake_all();
    }

    /// The store has everything up to `head`, whether it was published or not.
    pub(super) fn raise(&self, head: Seq) {
        if head > self.head() {
            self.change(|recent| recent.raise(head));
            self.wake_all();
        }
    }

    /// Gives back the memory of a room in which nothing was said since the last time, and the list of who is here. What
    /// is asked for again comes from the store, and is encoded again.
    pub(super) fn rest(&self) {
        let head = self.head();
        if self.rested_at.swap(head.0, Ordering::Relaxed) == head.0 {
            self.change(Recent::forget);
        }
        self.presence.lock().rest();
    }

    fn change(&self, change: impl FnOnce(&mut Recent)) {
        let mut recent = self.recent.write();
        change(&mut recent);
        self.head.store(recent.head().0, Ordering::Release);
    }

    pub(super) fn recent_after(&self, cursor: Seq, max_frames: usize, max_bytes: usize) -> Option<Vec<Bytes>> {
        self.recent.read().after(cursor, max_frames, max_bytes)
    }

    /// Lets a connection hear what happens here, unless so many do already. Answers whether it does.
    pub(super) fn listen(&self, key: u64, wake: Arc<Notify>, seats: usize) -> bool {
        let mut listeners = self.listeners.lock();
        let has_place = listeners.len() < seats;
        if has_place {
            listeners.insert(key, wake);
        }
        has_place
    }

    pub(super) fn listeners(&self) -> usize {
        self.listeners.lock().len()
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
