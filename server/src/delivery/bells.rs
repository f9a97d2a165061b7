//! Who has news for a shard: a room that was published to, a socket that something came in on. Each calls once, however
//! often it has news before the shard looks.

use super::sync::{AtomicBool, AtomicWaker, Mutex, Ordering};
use std::{
    sync::Arc,
    task::{Wake, Waker},
};

/// The bells of one shard.
#[derive(Debug)]
pub(super) struct Bells<Caller> {
    /// Those that rang and were not looked after yet: each at most once. `None` once nobody looks any more.
    rung: Mutex<Option<Vec<Arc<Bell<Caller>>>>>,
    shard: AtomicWaker,
}

/// One caller's bell. As a [`Waker`] it may be given to whatever has news.
#[derive(Debug)]
pub(super) struct Bell<Caller> {
    caller: Caller,
    /// Set from the ring until the shard takes it, which it does before it looks for the news: what comes later rings
    /// again.
    is_rung: AtomicBool,
    bells: Arc<Bells<Caller>>,
}

impl<Caller: Copy + Send + Sync + 'static> Bells<Caller> {
    pub(super) fn new() -> Arc<Bells<Caller>> {
        Arc::new(Bells { rung: Mutex::new(Some(Vec::new())), shard: AtomicWaker::new() })
    }

    /// A bell for a caller.
    pub(super) fn bell(self: &Arc<Self>, caller: Caller) -> Waker {
        Arc::new(Bell { caller, is_rung: AtomicBool::new(false), bells: self.clone() }).into()
    }

    /// Moves those that rang to `callers`, in the order of ringing. `waker` is woken by the next ring, also by one that
    /// comes meanwhile.
    pub(super) fn take(&self, waker: &Waker, callers: &mut Vec<Caller>) {
        self.shard.register(waker);
        let mut rung = self.rung.lock();
        let Some(rung) = rung.as_mut() else { return };
        callers.extend(rung.drain(..).map(|bell| {
            // Acquires what the ringer published before it rang, also when it found the bell rung already.
            bell.is_rung.swap(false, Ordering::AcqRel);
            bell.caller
        }));
        // What a storm needed is not kept.
        if rung.capacity() > MOST_KEPT {
            *rung = Vec::new();
        }
    }

    /// Nobody looks any more.
    pub(super) fn close(&self) {
        *self.rung.lock() = None;
    }
}

/// Places for those that rang that are kept from one look to the next.
const MOST_KEPT: usize = 1_024;

impl<Caller: Send + Sync + 'static> Wake for Bell<Caller> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            if let Some(rung) = self.bells.rung.lock().as_mut() {
                rung.push(self.clone());
            }
            self.bells.shard.wake();
        }
    }
}
