//! Where drafts become events: one writer gives each its place in its room, waits until it is on disk, shows it, then
//! acknowledges it.

mod ledger;
mod writer;

use crate::{rooms::Rooms, store::Database};
use app::protocol::{Kind, MessageId, NickName, RoomName, Seq, SocketId, Text, Timestamp};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};
pub use writer::Writer;

/// Drafts that may wait for the writer. Beyond it their authors are told to come back.
const QUEUE: usize = 4_096;

/// What somebody said, not kept yet.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Where.
    pub room: RoomName,
    /// By whom: the only one who may send the same id again.
    pub author: AuthorKey,
    /// What the author is called now.
    pub name: NickName,
    /// The socket it came from.
    pub socket: SocketId,
    /// The identity that the author's client chose, or the server for it.
    pub id: MessageId,
    /// What is said.
    pub text: Text,
    /// How it is meant.
    pub kind: Kind,
}

/// Who a draft belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorKey {
    /// The person while connected, whatever they are called. Random, so that no two people ever share it.
    pub person: u64,
    /// What is known of them after they were gone: a digest.
    pub lasting: [u8; AuthorKey::DIGEST],
}

impl AuthorKey {
    /// The length of what is known of an author, in bytes.
    pub const DIGEST: usize = 16;

    /// Whether both are one author: the same person, or one that came back.
    pub fn is_same_as(&self, other: &AuthorKey) -> bool {
        self.person == other.person || self.lasting == other.lasting
    }
}

/// Where a draft was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its position.
    pub seq: Seq,
    /// When, by the server's clock.
    pub sent: Timestamp,
}

/// Why a draft was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// More is waiting to be written than the queue holds.
    #[error("too much is waiting to be written")]
    Busy,
    /// The id belongs to somebody else's message.
    #[error("the id belongs to somebody else's message")]
    SomebodyElses,
    /// The disk did not take it, as far as is known. Sending it again with the same id is safe whatever became of it.
    #[error("{0}")]
    Unwritable(Trouble),
}

/// What is wrong with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is no space left.
    #[error("the disk is full")]
    Full,
    /// Another process has locked the database.
    #[error("another program has locked the database")]
    Locked,
    /// Reading or writing failed.
    #[error("the disk does not take what is written")]
    Failing,
}

/// How much was written so far.
#[derive(Debug, Default)]
pub struct Tally {
    commits: AtomicU64,
    drafts: AtomicU64,
}

/// What a [`Tally`] says at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Transactions that were committed.
    pub commits: u64,
    /// Drafts in them, those included that were known already.
    pub drafts: u64,
}

impl Tally {
    /// How much was written so far.
    pub fn read(&self) -> Written {
        Written { commits: self.commits.load(Ordering::Relaxed), drafts: self.drafts.load(Ordering::Relaxed) }
    }

    fn count(&self, drafts: usize) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.drafts.fetch_add(drafts as u64, Ordering::Relaxed);
    }
}

/// The answer to a draft, once there is one.
pub type Answer = oneshot::Receiver<Result<Kept, NotKept>>;

struct Entry {
    draft: Draft,
    answer: oneshot::Sender<Result<Kept, NotKept>>,
}

/// Takes drafts. Cloning is cheap; when the last clone is gone the [`Writer`] finishes.
#[derive(Clone)]
pub struct Journal {
    queue: mpsc::Sender<Entry>,
    tally: Arc<Tally>,
}

impl Journal {
    /// A journal that writes to `database` and shows in `rooms`, and its writer, which somebody must
    /// [run](Writer::run).
    pub fn open(database: Database, rooms: Rooms) -> (Journal, Writer) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let tally = Arc::new(Tally::default());
        (Journal { queue: sender, tally: tally.clone() }, Writer::new(queue, database, rooms, tally))
    }

    /// How much was written so far.
    pub fn tally(&self) -> Arc<Tally> {
        self.tally.clone()
    }

    /// Queues a draft, without waiting. Drafts of one caller are kept in the order of its calls.
    pub fn append(&self, draft: Draft) -> Result<Answer, NotKept> {
        let (answer, receiver) = oneshot::channel();
        match self.queue.try_send(Entry { draft, answer }) {
            Ok(()) => Ok(receiver),
            Err(TrySendError::Full(_)) => Err(NotKept::Busy),
            Err(TrySendError::Closed(_)) => {
                tracing::error!("the log has no writer");
                Err(NotKept::Unwritable(Trouble::Failing))
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
