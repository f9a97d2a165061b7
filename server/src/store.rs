//! Reading what was written: where a room stands, and pages of its log.

mod memory;

use crate::journal::{Draft, NotKept};
use app::protocol::{Epoch, Event, Page, RoomName, Seq, Timestamp};
pub(crate) use memory::Appended;
use memory::MemoryLog;
use std::{collections::VecDeque, sync::Arc};

/// The longest page, in events.
pub const MAX_PAGE: usize = 200;

/// Answers questions about the log. Cloning is cheap.
#[derive(Clone)]
pub struct Store {
    log: Arc<MemoryLog>,
}

/// Which part of a room's log to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The newest events.
    Newest,
    /// The newest events before a position.
    Before(Seq),
    /// The oldest events after a position.
    After(Seq),
    /// A position in the middle, as far as the log reaches on both sides.
    Around(Seq),
}

/// Where a room's log stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The life of the log.
    pub epoch: Epoch,
    /// The newest position.
    pub head: Seq,
}

/// There are as many rooms as this server holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this server holds no more rooms")]
pub struct TooManyRooms;

impl Store {
    /// An empty store, in memory.
    pub fn in_memory() -> Store {
        Store { log: Arc::new(MemoryLog::new()) }
    }

    /// Where a room stands. From now on the room is held, until it is [forgotten](Store::forget_idle).
    pub async fn open(&self, room: &RoomName) -> Result<Standing, TooManyRooms> {
        self.log.open(room).map(|(epoch, head)| Standing { epoch, head }).ok_or(TooManyRooms)
    }

    /// A page of a room's log, in `Seq` order: at most `limit` events, [`MAX_PAGE`] at the most. A room that nobody
    /// ever used has an empty page.
    pub async fn page(&self, room: &RoomName, cut: Cut, limit: usize) -> Page {
        let limit = limit.min(MAX_PAGE);
        self.log.page(room, |events| {
            let range = cut.range(events, limit);
            events.range(range).cloned().collect()
        })
    }

    /// Forgets rooms that are empty of people, as the caller tells, and long unused. Answers how many.
    pub(crate) fn forget_idle(&self, is_empty: impl Fn(&RoomName) -> bool) -> usize {
        self.log.forget_idle(is_empty)
    }

    /// Writes a draft; only the journal calls this.
    pub(crate) fn append(&self, draft: &Draft, sent: Timestamp) -> Result<Appended, NotKept> {
        self.log.append(draft, sent)
    }
}

impl Cut {
    /// The indices of this cut in a dense run of events.
    fn range(self, events: &VecDeque<Event>, limit: usize) -> std::ops::Range<usize> {
        let count = events.len();
        let (from, to) = match self {
            Cut::Newest => (count.saturating_sub(limit), count),
            Cut::Before(seq) => {
                let end = events.partition_point(|event| event.seq() < seq);
                (end.saturating_sub(limit), end)
            }
            Cut::After(seq) => {
                let start = events.partition_point(|event| event.seq() <= seq);
                (start, start + limit)
            }
            Cut::Around(seq) => {
                let middle = events.partition_point(|event| event.seq() < seq);
                let start = middle.saturating_sub(limit / 2).min(count.saturating_sub(limit));
                (start, start + limit)
            }
        };
        from..to.min(count)
    }
}

#[cfg(test)]
mod tests;
