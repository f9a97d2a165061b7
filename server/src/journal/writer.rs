//! The two halves of the one writer: the desk, where batches are written one after the other for as long as there are
//! any, and the task that shows and acknowledges what the desk has written, meanwhile.

use super::{
    Draft, Entry, Kept, NotKept, Tally, Trouble,
    ledger::{Failure, Ledger, Outcome},
};
use crate::{metrics, rooms::Rooms, store::Database};
use app::protocol::{Chat, Event};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::spawn_blocking};

/// Drafts that are kept together, at most: whatever queued while the batch before them went to disk.
const BATCH: usize = 1_024;

/// Batches that are written and not shown yet, at most. Beyond it the desk waits.
const UNSETTLED: usize = 4;

/// How soon after a failure the disk is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Writes what the [`Journal`](super::Journal) takes; exactly one task runs it.
pub struct Writer {
    desk: Desk,
    rooms: Rooms,
}

/// Where batches are written. It works on a thread that may wait for the disk, and only while there is work: a thread
/// that waits for work as well would hold up time in tests in which it is paused.
struct Desk {
    queue: mpsc::Receiver<Entry>,
    database: Database,
    rooms: Rooms,
    tally: Arc<Tally>,
    metrics: metrics::Journal,
    disk: Disk,
}

/// What is known of the disk.
enum Disk {
    /// Nothing was written yet.
    Unknown,
    /// It took the last batch.
    Sound(Ledger),
    /// It did not, and is not tried again before this time. The connection is gone, so that nothing builds upon a write
    /// that failed: after an error of fsync, another fsync would say that all is well and be wrong.
    Failing(Trouble, Instant),
}

/// A batch, and what became of each draft in it.
type Written = (Vec<Entry>, Result<Vec<Outcome>, Trouble>);

impl Writer {
    pub(super) fn new(queue: mpsc::Receiver<Entry>, database: Database, rooms: Rooms, tally: Arc<Tally>) -> Writer {
        let desk = Desk {
            queue,
            database,
            rooms: rooms.clone(),
            tally,
            metrics: metrics::Journal::default(),
            disk: Disk::Unknown,
        };
        Writer { desk, rooms }
    }

    /// The same, which also counts what it writes.
    pub(crate) fn measured(mut self, metrics: metrics::Journal) -> Writer {
        self.desk.metrics = metrics;
        self
    }

    /// Writes until every [`Journal`](super::Journal) is gone and the queue is empty, then closes the database.
    pub async fn run(self) {
        let Writer { mut desk, rooms } = self;
        let mut first = Vec::new();
        while desk.queue.recv_many(&mut first, BATCH).await > 0 {
            let (done, mut written) = mpsc::channel(UNSETTLED);
            let batch = std::mem::take(&mut first);
            let working = spawn_blocking(move || desk.work(batch, &done));
            while let Some((batch, outcome)) = written.recv().await {
                settle(&rooms, batch, outcome);
            }
            // It is cancelled only when the runtime ends.
            let Ok(returned) = working.await else { return };
            desk = returned;
        }
        if spawn_blocking(move || desk.close()).await.is_err() {
            tracing::error!("closing the log failed");
        }
    }
}

impl Desk {
    /// Writes a batch, and those that queue meanwhile.
    fn work(mut self, mut batch: Vec<Entry>, done: &mpsc::Sender<Written>) -> Desk {
        while !batch.is_empty() {
            let caught = catch_unwind(AssertUnwindSafe(|| self.write(&batch)));
            // What panicked was logged by the hook. Its connection is gone with it.
            let outcome = caught.unwrap_or(Err(Trouble::Failing));
            // The other half hears everything before it lets go of the desk.
            let _ = done.blocking_send((batch, outcome));
            self.checkpoint();
            batch = self.next();
        }
        self
    }

    /// What has queued, without waiting for more.
    fn next(&mut self) -> Vec<Entry> {
        let waiting = self.queue.len().min(BATCH);
        let mut batch = Vec::with_capacity(waiting);
        while batch.len() < waiting
            && let Ok(entry) = self.queue.try_recv()
        {
            batch.push(entry);
        }
        batch
    }

    /// Writes a batch; answers when it is on disk, or why it is not.
    fn write(&mut self, batch: &[Entry]) -> Result<Vec<Outcome>, Trouble> {
        if let Disk::Failing(trouble, until) = self.disk
            && Instant::now() < until
        {
            return Err(trouble);
        }
        let mut written = self.append(batch);
        if let Err(Failure::Unknown(_)) = &written {
            // It may be on disk or not. A new connection sees what is there, and what is not is written once more under
            // the same ids, so nothing is kept twice.
            written = self.append(batch);
        }
        written.map_err(|failure| failure.trouble())
    }

    fn append(&mut self, batch: &[Entry]) -> Result<Vec<Outcome>, Failure> {
        let began = Instant::now();
        let appended = self.ledger().map_err(Failure::Certain).and_then(|mut ledger| {
            let outcomes = ledger.append(batch.iter().map(|entry| &entry.draft), crate::now())?;
            Ok((ledger, outcomes))
        });
        match appended {
            Ok((ledger, outcomes)) => {
                self.disk = Disk::Sound(ledger);
                self.tally.count(outcomes.len());
                self.metrics.committed(outcomes.len(), began.elapsed());
                self.metrics.kept(outcomes.iter().filter(|outcome| matches!(outcome, Outcome::New(_))).count());
                Ok(outcomes)
            }
            Err(failure) => {
                tracing::error!(error = %failure.error(), "the log cannot be written");
                self.metrics.failed();
                self.disk = Disk::Failing(failure.trouble(), Instant::now() + RETRY);
                Err(failure)
            }
        }
    }

    /// Takes the ledger out, or opens one. Events whose commit was not heard of may be in that: every open room learns
    /// where it stands, and its readers read on from there.
    fn ledger(&mut self) -> rusqlite::Result<Ledger> {
        if let Disk::Sound(ledger) = std::mem::replace(&mut self.disk, Disk::Unknown) {
            return Ok(ledger);
        }
        let ledger = Ledger::open(&self.database)?;
        for room in self.rooms.names() {
            self.rooms.raise(&room, ledger.head(&room)?);
        }
        Ok(ledger)
    }

    /// Moves the WAL when it has grown. Whatever goes wrong with that, the WAL has everything.
    fn checkpoint(&self) {
        if let Disk::Sound(ledger) = &self.disk
            && ledger.wants_checkpoint()
            && let Err(error) = ledger.checkpoint()
        {
            tracing::warn!(%error, "the WAL was not moved to the database");
        }
    }

    fn close(self) {
        if let Disk::Sound(ledger) = self.disk
            && let Err(error) = ledger.close()
        {
            tracing::warn!(%error, "the WAL was not moved to the database");
        }
    }
}

/// Shows what is new, then acknowledges: who is acknowledged can be sure that everybody can see it. Batches come here in
/// the order in which they were written.
fn settle(rooms: &Rooms, batch: Vec<Entry>, written: Result<Vec<Outcome>, Trouble>) {
    let outcomes = match written {
        Ok(outcomes) => outcomes,
        Err(trouble) => return refuse(batch, trouble),
    };
    let (mut events, mut answers) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
    for (Entry { draft, answer }, outcome) in batch.into_iter().zip(outcomes) {
        let said = match outcome {
            Outcome::New(kept) => {
                events.push(event(draft, kept));
                Ok(kept)
            }
            Outcome::Known(kept) => Ok(kept),
            Outcome::SomebodyElses => Err(NotKept::SomebodyElses),
        };
        answers.push((answer, said));
    }
    rooms.publish(&events);
    for (answer, said) in answers {
        // The author may have gone; the event stays.
        let _ = answer.send(said);
    }
}

fn refuse(batch: Vec<Entry>, trouble: Trouble) {
    for entry in batch {
        // The author may have gone.
        let _ = entry.answer.send(Err(NotKept::Unwritable(trouble)));
    }
}

/// What a draft became.
pub(super) fn event(draft: Draft, Kept { seq, sent }: Kept) -> Event {
    let Draft { room, name, socket, id, text, kind, .. } = draft;
    Event::Chat(Chat { room, socket, author: name, text, sent, seq, id, kind })
}
