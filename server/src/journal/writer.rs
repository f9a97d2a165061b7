//! The life of the one writer: it takes what has queued, has it written, shows it, acknowledges it, and comes back to
//! its feet when the disk fails.

use super::{
    Entry, NotKept, Trouble,
    ledger::{Failure, Ledger, Outcome},
};
use crate::{rooms::Rooms, store::Database};
use std::time::Duration;
use tokio::{sync::mpsc, task::spawn_blocking, time::Instant};

/// Drafts that are kept together, at most: whatever queued while the batch before them went to disk.
const BATCH: usize = 1_024;

/// How soon after a failure the disk is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Writes what the [`Journal`](super::Journal) takes; exactly one task runs it.
pub struct Writer {
    queue: mpsc::Receiver<Entry>,
    database: Database,
    rooms: Rooms,
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

impl Writer {
    pub(super) fn new(queue: mpsc::Receiver<Entry>, database: Database, rooms: Rooms) -> Writer {
        Writer { queue, database, rooms, disk: Disk::Unknown }
    }

    /// Writes until every [`Journal`](super::Journal) is gone and the queue is empty, then closes the database.
    pub async fn run(mut self) {
        let mut batch = Vec::new();
        while self.queue.recv_many(&mut batch, BATCH).await > 0 {
            self.write(std::mem::take(&mut batch)).await;
            // Sockets share these threads: let them send what was just published before the next batch.
            tokio::task::yield_now().await;
            self.checkpoint().await;
        }
        self.close().await;
    }

    /// Writes a batch and answers every draft of it.
    async fn write(&mut self, batch: Vec<Entry>) {
        if let Disk::Failing(trouble, until) = self.disk
            && Instant::now() < until
        {
            return refuse(batch, trouble);
        }
        let (mut batch, mut written) = self.append(batch).await;
        if let Err(Failure::Unknown(_)) = &written {
            // It may be on disk or not. A new connection sees what is there, and what is not is written once more under
            // the same ids, so nothing is kept twice.
            (batch, written) = self.append(batch).await;
        }
        match written {
            Ok(outcomes) => self.settle(batch, outcomes),
            Err(failure) => refuse(batch, failure.trouble()),
        }
    }

    /// Has a batch written, on a thread that may wait for the disk.
    async fn append(&mut self, batch: Vec<Entry>) -> (Vec<Entry>, Result<Vec<Outcome>, Failure>) {
        let mut ledger = match std::mem::replace(&mut self.disk, Disk::Unknown) {
            Disk::Sound(ledger) => ledger,
            Disk::Unknown | Disk::Failing(..) => match open(self.database.clone(), self.rooms.clone()).await {
                Ok(ledger) => ledger,
                Err(error) => return (batch, Err(self.failed(Failure::Certain(error)))),
            },
        };
        let sent = crate::now();
        let writing = spawn_blocking(move || {
            let written = ledger.append(batch.iter().map(|entry| &entry.draft), sent);
            (ledger, batch, written)
        });
        match writing.await {
            Ok((ledger, batch, Ok(outcomes))) => {
                self.disk = Disk::Sound(ledger);
                (batch, Ok(outcomes))
            }
            Ok((_, batch, Err(failure))) => (batch, Err(self.failed(failure))),
            Err(panic) => {
                // The drafts went down with it; their authors are told to come back.
                tracing::error!(%panic, "writing a batch failed");
                (Vec::new(), Ok(Vec::new()))
            }
        }
    }

    fn failed(&mut self, failure: Failure) -> Failure {
        tracing::error!(error = %failure.error(), "the log cannot be written");
        self.disk = Disk::Failing(failure.trouble(), Instant::now() + RETRY);
        failure
    }

    /// Shows what is new, then acknowledges: who is acknowledged can be sure that everybody can see it.
    fn settle(&self, batch: Vec<Entry>, outcomes: Vec<Outcome>) {
        let (mut events, mut answers) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        for (entry, outcome) in batch.into_iter().zip(outcomes) {
            let answer = match outcome {
                Outcome::New(event, kept) => {
                    events.push(event);
                    Ok(kept)
                }
                Outcome::Known(kept) => Ok(kept),
                Outcome::SomebodyElses => Err(NotKept::SomebodyElses),
            };
            answers.push((entry.answer, answer));
        }
        self.rooms.publish(&events);
        for (sender, answer) in answers {
            // The author may have gone; the event stays.
            let _ = sender.send(answer);
        }
    }

    /// Moves the WAL when it has grown. Whatever goes wrong with that, the WAL has everything.
    async fn checkpoint(&mut self) {
        let Disk::Sound(ledger) = &self.disk else { return };
        if !ledger.wants_checkpoint() {
            return;
        }
        let Disk::Sound(ledger) = std::mem::replace(&mut self.disk, Disk::Unknown) else { return };
        let moving = spawn_blocking(move || {
            if let Err(error) = ledger.checkpoint() {
                tracing::warn!(%error, "the WAL was not moved to the database");
            }
            ledger
        });
        if let Ok(ledger) = moving.await {
            self.disk = Disk::Sound(ledger);
        }
    }

    async fn close(self) {
        let Disk::Sound(ledger) = self.disk else { return };
        match spawn_blocking(move || ledger.close()).await {
            Ok(Ok(())) => tracing::debug!("the log is closed"),
            Ok(Err(error)) => tracing::warn!(%error, "the WAL was not moved to the database"),
            Err(panic) => tracing::error!(%panic, "closing the log failed"),
        }
    }
}

/// Opens the log for writing. Events whose commit was not heard of may be in it: every open room learns where it stands,
/// and its readers read on from there.
async fn open(database: Database, rooms: Rooms) -> rusqlite::Result<Ledger> {
    let opening = spawn_blocking(move || {
        let ledger = Ledger::open(&database)?;
        for room in rooms.names() {
            rooms.raise(&room, ledger.head(&room)?);
        }
        Ok(ledger)
    });
    opening.await.expect("opening returns errors and does not panic")
}

fn refuse(batch: Vec<Entry>, trouble: Trouble) {
    for entry in batch {
        // The author may have gone.
        let _ = entry.answer.send(Err(NotKept::Unwritable(trouble)));
    }
}
