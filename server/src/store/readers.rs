//! Connections that read, a few of them, each used by one question at a time and never on the runtime's own threads.

use super::{Unreadable, database::Database};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

/// Questions that are answered at once. More would only wait for the same disk and the same two cores.
const READERS: usize = 4;

/// How long a question waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers questions about the database.
pub(super) struct Readers {
    database: Database,
    idle: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(database: Database) -> Readers {
        Readers { database, idle: Arc::default(), turns: Arc::new(Semaphore::new(READERS)) }
    }

    /// Asks a question in one read transaction: everything it reads is of one moment.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unreadable> {
        let turn = timeout(PATIENCE, self.turns.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| Unreadable)?.expect("the turns are never closed");
        let (database, idle) = (self.database.clone(), self.idle.clone());
        let answered = spawn_blocking(move || {
            let _turn = turn;
            let idle_one = idle.lock().pop();
            let connection = idle_one.map_or_else(|| database.reader(), Ok)?;
            let moment = connection.unchecked_transaction()?;
            let answer = question(&moment)?;
            moment.finish()?;
            // A connection that failed is not used again.
            idle.lock().push(connection);
            Ok::<T, rusqlite::Error>(answer)
        });
        match answered.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::error!(%error, "the log cannot be read");
                Err(Unreadable)
            }
            Err(panic) => {
                tracing::error!(%panic, "reading the log failed");
                Err(Unreadable)
            }
        }
    }
}
