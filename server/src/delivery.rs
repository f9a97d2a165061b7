//! Open sockets: who is behind, who gets which bytes, and when a socket has to end.
//!
//! Whoever arrives is let in beside (`arrival`), then belongs to a shard (`shard`), which reads and writes for all of its
//! sockets.

mod admission;
mod arrival;
mod audience;
mod bells;
mod connection;
mod ending;
mod farewell;
mod pace;
mod seats;
mod shard;
mod socket;
mod sync;
mod wheel;

use crate::{chat::Chat, metrics};
pub(crate) use admission::Admission;
pub(crate) use arrival::{Arrival, Guest};
pub(crate) use seats::{Household, NoSeat, Seats};
use shard::{Ends, Shard};
use std::{
    io,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};
use tokio::{
    runtime::{Builder, Handle, Runtime, RuntimeFlavor},
    sync::mpsc,
    task::unconstrained,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// People who were let in and wait for a shard to take them, at most. Beyond it they wait at the door.
const GUESTS: usize = 256;

/// The way to a server's shards. Cloning is cheap; when the last clone is gone they serve those whom they have to the end.
#[derive(Clone)]
pub(crate) struct Delivery {
    doors: Arc<[mpsc::Sender<Guest>]>,
    next: Arc<AtomicUsize>,
}

impl Delivery {
    /// Starts as many shards as there are `cores`, counted in `tracker` until they have ended. In a runtime of many
    /// threads each is a thread of its own, so that a page never waits for a room of thousands; in a runtime of one
    /// thread they are its tasks, and live in its time. They say goodbye once `stopping` is cancelled.
    ///
    /// Fails where the system gives no more threads or descriptors.
    pub(crate) fn start(
        chat: &Chat,
        metrics: &metrics::Delivery,
        cores: NonZeroUsize,
        tracker: &TaskTracker,
        stopping: &CancellationToken,
    ) -> io::Result<(Delivery, Shards)> {
        let mut shards = Shards { abandoned: CancellationToken::new(), threads: Vec::new() };
        let doors = (0..cores.get()).map(|number| {
            let (door, guests) = mpsc::channel(GUESTS);
            let ends = Ends { stopping: stopping.clone(), abandoned: shards.abandoned.clone() };
            let home = Home { chat: chat.clone(), metrics: metrics.clone(), ends, guests };
            match Handle::current().runtime_flavor() {
                RuntimeFlavor::CurrentThread => _ = tracker.spawn(home.live()),
                _ => shards.threads.push(home.start_thread(number, tracker)?),
            }
            Ok(door)
        });
        let doors = doors.collect::<io::Result<_>>()?;
        Ok((Delivery { doors, next: Arc::default() }, shards))
    }

    /// Gives somebody who was let in to a shard, each shard in turn.
    pub(crate) async fn take(&self, guest: Guest) {
        let shard = self.next.fetch_add(1, Ordering::Relaxed) % self.doors.len();
        if self.doors[shard].send(guest).await.is_err() {
            tracing::error!(shard, "a shard has ended");
        }
    }
}

/// The shards themselves. Dropping this drops everything that they have at once, and waits for it: after a server that
/// was not stopped, but dropped, nothing of it lives on.
pub(crate) struct Shards {
    abandoned: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.abandoned.cancel();
        for thread in self.threads.drain(..) {
            // What panicked there was logged.
            let _ = thread.join();
        }
    }
}

/// Where a shard lives.
struct Home {
    chat: Chat,
    metrics: metrics::Delivery,
    ends: Ends,
    guests: mpsc::Receiver<Guest>,
}

impl Home {
    async fn live(mut self) {
        let shard = Shard::new(self.chat.clone(), self.metrics.clone(), self.ends.clone());
        // A shard writes to hundreds of sockets in a row and yields by itself.
        unconstrained(shard.run(&mut self.guests)).await;
    }

    fn start_thread(mut self, number: usize, tracker: &TaskTracker) -> io::Result<JoinHandle<()>> {
        let runtime = Builder::new_current_thread().enable_all().event_interval(1).build()?;
        let counted = tracker.token();
        thread::Builder::new().name(format!("delivery-{number}")).spawn(move || {
            let _counted = counted;
            self.live_on(&runtime);
        })
    }

    /// Should a shard fail, its sockets are closed and their people come back with their cursors: to the next one, which
    /// starts at once.
    fn live_on(&mut self, runtime: &Runtime) {
        loop {
            let lived = catch_unwind(AssertUnwindSafe(|| {
                runtime.block_on(async {
                    let shard = Shard::new(self.chat.clone(), self.metrics.clone(), self.ends.clone());
                    unconstrained(shard.run(&mut self.guests)).await;
                });
            }));
            match lived {
                Ok(()) => return,
                Err(_) => tracing::error!("a shard failed; another one goes on"),
            }
        }
    }
}
