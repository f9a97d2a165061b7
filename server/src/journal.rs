//! Where drafts become events: one writer gives each its place in its room, keeps it, shows it, then acknowledges it.

use crate::{
    rooms::Rooms,
    store::{Appended, Store},
};
use app::protocol::{Kind, MessageId, NickName, RoomName, Seq, SocketId, Text, Timestamp};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Drafts that may wait for the writer. Beyond it their authors are told to come back.
const QUEUE: usize = 4_096;

/// Drafts that are kept together, at most.
const BATCH: usize = 256;

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
#[derive(Debug, Clone)]
pub struct AuthorKey {
    /// The person while connected, whatever they are called.
    pub person: u64,
    /// What is known of them after they were gone. Opaque.
    pub lasting: Arc<str>,
}

impl AuthorKey {
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
    /// The room would be one too many.
    #[error("this server holds no more rooms")]
    TooManyRooms,
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
}

/// The other end of the journal: exactly one task runs it.
pub struct Writer {
    queue: mpsc::Receiver<Entry>,
    store: Store,
    rooms: Rooms,
}

impl Journal {
    /// A journal that writes to `store` and shows in `rooms`, and its writer, which somebody must [run](Writer::run).
    pub fn open(store: Store, rooms: Rooms) -> (Journal, Writer) {
        let (sender, queue) = mpsc::channel(QUEUE);
        (Journal { queue: sender }, Writer { queue, store, rooms })
    }

    /// Queues a draft, without waiting. Drafts of one caller are kept in the order of its calls.
    pub fn append(&self, draft: Draft) -> Result<Answer, NotKept> {
        let (answer, receiver) = oneshot::channel();
        self.queue.try_send(Entry { draft, answer }).map_err(|_| NotKept::Busy)?;
        Ok(receiver)
    }
}

impl Writer {
    /// Writes until every [`Journal`] is gone and the queue is empty.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.queue.recv_many(&mut batch, BATCH).await > 0 {
            let sent = crate::now();
            for Entry { draft, answer } in batch.drain(..) {
                // The author may have gone; the event stays.
                let _ = answer.send(self.keep(&draft, sent));
            }
            // Sockets share these threads: let them send what was just published before the next batch.
            tokio::task::yield_now().await;
        }
    }

    /// Keeps, then shows. The caller acknowledges last, so that an acknowledged message is one that everybody can see.
    fn keep(&self, draft: &Draft, sent: Timestamp) -> Result<Kept, NotKept> {
        match self.store.append(draft, sent)? {
            Appended::Known(kept) => Ok(kept),
            Appended::New(event) => {
                self.rooms.publish(&draft.room, &event);
                Ok(Kept { seq: event.seq(), sent })
            }
        }
    }
}
