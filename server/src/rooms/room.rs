//! One open room: its newest frames, the people in it, and who wants to hear of it.

use super::{presence::Presence, recent::Recent, stretch::Stretch, subscription::Listed};
use crate::store::{Store, Unreadable};
use app::protocol::{RoomName, Seq, UserList};
use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    task::Waker,
};
use tokio::sync::OnceCell;

/// A room that somebody is in.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) name: RoomName,
    /// Set when the room is open.
    opened: OnceCell<()>,
    recent: RwLock<Recent>,
    /// The newest position, as `recent` has it, readable without its lock. Zero until the room is open.
    head: AtomicU64,
    /// What was read last, and where the room stood then. Crowds stand at one place: whoever reads on from there next gets
    /// the same.
    read_last: Mutex<Option<(Seq, Stretch)>>,
    /// What `head` was when the housekeeper last came by.
    rested_at: AtomicU64,
    pub(super) presence: Mutex<Presence>,
    /// Connections that are here.
    connections: AtomicUsize,
    /// Who is woken when there is news, by their key: a few, each of whom reads for many.
    listeners: Mutex<Vec<(u64, Waker)>>,
}

impl Room {
    pub(super) fn new(name: RoomName) -> Room {
        Room {
            name,
            opened: OnceCell::new(),
            recent: RwLock::new(Recent::opening()),
            head: AtomicU64::new(0),
            read_last: Mutex::default(),
            rested_at: AtomicU64::new(0),
            presence: Mutex::default(),
            connections: AtomicUsize::new(0),
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
            *self.read_last.lock() = None;
        }
        self.presence.lock().rest();
    }

    fn change(&self, change: impl FnOnce(&mut Recent)) {
        let mut recent = self.recent.write();
        change(&mut recent);
        self.head.store(recent.head().0, Ordering::Release);
    }

    /// The frames after a cursor, up to about `max_bytes`; `None` when memory does not reach back so far.
    pub(super) fn recent_after(&self, cursor: Seq, max_bytes: usize) -> Option<Stretch> {
        let mut last = self.read_last.lock();
        let head = self.head();
        if let Some((_, stretch)) = last.as_ref().filter(|(then, stretch)| (*then, stretch.after()) == (head, cursor)) {
            return Some(stretch.clone());
        }
        let stretch = self.recent.read().after(cursor, max_bytes)?;
        *last = Some((head, stretch.clone()));
        Some(stretch)
    }

    /// Whether everything after a cursor is in memory.
    pub(super) fn reaches(&self, cursor: Seq) -> bool {
        self.recent.read().reaches(cursor)
    }

    /// Counts one more connection, unless there are `seats` already. Answers whether it does.
    pub(super) fn take_seat(&self, seats: usize) -> bool {
        let one_more = |taken| (taken < seats).then_some(taken + 1);
        self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    pub(super) fn give_seat_back(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Connections that are in this room.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(super) fn listen(&self, key: u64, waker: Waker) {
        self.listeners.lock().push((key, waker));
    }

    pub(super) fn stop_listening(&self, key: u64) {
        self.listeners.lock().retain(|(listener, _)| *listener != key);
    }

    pub(super) fn wake_all(&self) {
        for (_, waker) in self.listeners.lock().iter() {
            waker.wake_by_ref();
        }
    }

    /// Which list of people there is.
    pub(super) fn listed(&self) -> Listed {
        let presence = self.presence.lock();
        Listed::new(presence.generation(), presence.count())
    }

    pub(super) fn users(&self) -> UserList {
        self.presence.lock().list(&self.name)
    }
}
