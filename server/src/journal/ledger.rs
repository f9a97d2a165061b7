//! The one connection that writes: a batch of drafts becomes rows in one transaction, all of them or none.

use super::{AuthorKey, Draft, Kept, Trouble};
use crate::store::{Database, history};
use app::protocol::{RoomName, Seq, Timestamp};
use rusqlite::{CachedStatement, Connection, ErrorCode, Transaction, TransactionBehavior};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Pages of the WAL, of 4 KiB each, beyond which they are moved to the database. A page that is written again and again
/// is moved once.
const CHECKPOINT_PAGES: usize = 4_000;

/// The log, for writing.
pub(super) struct Ledger {
    connection: Connection,
    /// Pages in the WAL after the last commit.
    wal_pages: Arc<AtomicUsize>,
}

/// What became of a draft.
pub(super) enum Outcome {
    /// It is a new event.
    New(Kept),
    /// It was kept before.
    Known(Kept),
    /// Its id belongs to somebody else's message.
    SomebodyElses,
}

/// A batch was not kept, as far as is known.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing of it was kept.
    Certain(rusqlite::Error),
    /// The commit failed, which does not say whether it is on disk.
    Unknown(rusqlite::Error),
}

impl Failure {
    pub(super) fn error(&self) -> &rusqlite::Error {
        match self {
            Failure::Certain(error) | Failure::Unknown(error) => error,
        }
    }

    /// What to tell the authors.
    pub(super) fn trouble(&self) -> Trouble {
        match self.error().sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Trouble::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Trouble::Locked,
            _ => Trouble::Failing,
        }
    }
}

impl Ledger {
    pub(super) fn open(database: &Database) -> rusqlite::Result<Ledger> {
        let mut connection = database.writer()?;
        let wal_pages = Arc::new(AtomicUsize::new(0));
        let told = wal_pages.clone();
        connection.wal_hook(Some(move |_: &mut _, pages: i32| {
            told.store(pages.unsigned_abs() as usize, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Ledger { connection, wal_pages })
    }

    /// Keeps all drafts, in their order. Returns when they are on disk.
    pub(super) fn append<'a>(
        &mut self,
        drafts: impl IntoIterator<Item = &'a Draft>,
        sent: Timestamp,
    ) -> Result<Vec<Outcome>, Failure> {
        let begun = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(Failure::Certain)?;
        let outcomes = keep_all(&transaction, drafts, sent).map_err(Failure::Certain)?;
        transaction.commit().map_err(Failure::Unknown)?;
        Ok(outcomes)
    }

    /// The newest position that is kept in a room.
    pub(super) fn head(&self, room: &RoomName) -> rusqlite::Result<Seq> {
        history::head(&self.connection, room)
    }

    /// Whether the WAL has grown enough to be moved.
    pub(super) fn wants_checkpoint(&self) -> bool {
        self.wal_pages.load(Ordering::Relaxed) >= CHECKPOINT_PAGES
    }

    /// Moves what is in the WAL to the database itself, as far as readers let it. The WAL begins anew when all of it is
    /// moved.
    pub(super) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.wal_pages.store(0, Ordering::Relaxed);
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }

    /// Moves everything, and leaves an empty WAL: the mark of a database that was closed properly. Somebody else who reads
    /// it for long keeps that from happening; nothing is lost by it.
    pub(super) fn close(self) -> rusqlite::Result<()> {
        let is_held = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0))?;
        if is_held {
            tracing::warn!("another program reads the database, so its WAL stays");
        }
        self.connection.close().map_err(|(_, error)| error)
    }
}

fn keep_all<'a>(
    transaction: &Transaction<'_>,
    drafts: impl IntoIterator<Item = &'a Draft>,
    sent: Timestamp,
) -> rusqlite::Result<Vec<Outcome>> {
    let mut page = Page { transaction, insert: transaction.prepare_cached(INSERT)?, rooms: HashMap::new() };
    drafts.into_iter().map(|draft| page.keep(draft, sent)).collect()
}

const INSERT: &str = "INSERT INTO events (room, seq, message_id, sent, kind, name, author, person, socket, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (room, message_id) DO NOTHING";

/// What is being written in one transaction.
struct Page<'t, 'd> {
    transaction: &'t Transaction<'t>,
    insert: CachedStatement<'t>,
    /// The number and the head of every room that the batch has met.
    rooms: HashMap<&'d RoomName, (i64, Seq)>,
}

impl<'d> Page<'_, 'd> {
    fn keep(&mut self, draft: &'d Draft, sent: Timestamp) -> rusqlite::Result<Outcome> {
        let (room, head) = self.room(&draft.room, sent)?;
        let seq = head.next();
        let inserted = self.insert.execute((
            room,
            seq.0 as i64,
            draft.id.as_str(),
            sent.0 as i64,
            history::number_of(draft.kind),
            draft.name.as_str(),
            draft.author.lasting.as_slice(),
            draft.author.person as i64,
            &*draft.socket.0,
            draft.text.as_str(),
        ))?;
        if inserted == 0 {
            return self.recall(room, draft);
        }
        self.rooms.insert(&draft.room, (room, seq));
        Ok(Outcome::New(Kept { seq, sent }))
    }

    /// The room's number and head; a room begins with its first draft.
    fn room(&mut self, name: &'d RoomName, now: Timestamp) -> rusqlite::Result<(i64, Seq)> {
        if let Some(known) = self.rooms.get(name) {
            return Ok(*known);
        }
        let found = match history::room_id(self.transaction, name)? {
            Some(id) => (id, history::head_of(self.transaction, id)?),
            None => {
                self.transaction
                    .prepare_cached("INSERT INTO rooms (name, created) VALUES (?1, ?2)")?
                    .execute((name.as_str(), now.0 as i64))?;
                (self.transaction.last_insert_rowid(), Seq::ZERO)
            }
        };
        self.rooms.insert(name, found);
        Ok(found)
    }

    /// What became of the first draft with this id.
    fn recall(&self, room: i64, draft: &Draft) -> rusqlite::Result<Outcome> {
        let read = |row: &rusqlite::Row<'_>| {
            let author = AuthorKey { person: row.get::<_, i64>(2)? as u64, lasting: row.get(3)? };
            Ok((Kept { seq: history::seq(row, 0)?, sent: Timestamp(row.get::<_, i64>(1)?.unsigned_abs()) }, author))
        };
        let (kept, author) = self
            .transaction
            .prepare_cached("SELECT seq, sent, person, author FROM events WHERE room = ?1 AND message_id = ?2")?
            .query_row((room, draft.id.as_str()), read)?;
        Ok(if author.is_same_as(&draft.author) { Outcome::Known(kept) } else { Outcome::SomebodyElses })
    }
}
