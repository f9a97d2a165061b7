//! Reading what was written: where a room stands, and pages of its log.

mod backup;
mod check;
mod database;
pub(crate) mod history;
mod migrations;
mod readers;

use app::protocol::{Epoch, Page, RoomName, Seq};
pub use backup::{backup, restore};
pub use check::{Report, check};
pub use database::{Database, OpenError};
use readers::Readers;
use std::sync::Arc;

/// The longest page, in events.
pub const MAX_PAGE: usize = 200;

/// Answers questions about the log. Cloning is cheap.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    epoch: Epoch,
    readers: Readers,
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

/// The log could not be read; the operator finds the reason in the server's own log. It may work again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log cannot be read now")]
pub struct Unreadable;

impl Store {
    /// Reads a database. Must be asked on a tokio runtime.
    pub fn new(database: Database) -> Store {
        let inner = Inner { epoch: database.epoch().clone(), readers: Readers::new(database) };
        Store { inner: Arc::new(inner) }
    }

    /// The life of the log.
    pub fn epoch(&self) -> &Epoch {
        &self.inner.epoch
    }

    /// The newest position that is kept in a room; zero when nothing was ever said there.
    pub async fn head(&self, room: &RoomName) -> Result<Seq, Unreadable> {
        let room = room.clone();
        self.inner.readers.ask(move |connection| history::head(connection, &room)).await
    }

    /// A page of a room's log, in `Seq` order: at most `limit` events, [`MAX_PAGE`] at the most. A room in which
    /// nothing was ever said has an empty page.
    pub async fn page(&self, room: &RoomName, cut: Cut, limit: usize) -> Result<Page, Unreadable> {
        let (asked, limit) = (room.clone(), limit.min(MAX_PAGE) as u64);
        let answer = self.inner.readers.ask(move |connection| history::page(connection, &asked, cut, limit)).await;
        let (head, events) = answer?;
        Ok(Page { room: room.clone(), epoch: self.epoch().clone(), head, events })
    }
}

impl Cut {
    /// The first and the last position of this cut in a log that has every position up to `head`; an empty one has its
    /// last before its first.
    fn positions(self, head: Seq, limit: u64) -> (Seq, Seq) {
        let ending_at = |last: u64| (last.saturating_sub(limit) + 1, last);
        let starting_at = |first: u64| (first, head.0.min(first.saturating_add(limit).saturating_sub(1)));
        let (first, last) = match self {
            Cut::Newest => ending_at(head.0),
            Cut::Before(seq) => ending_at(head.0.min(seq.0.saturating_sub(1))),
            Cut::After(seq) => starting_at(seq.0.min(head.0) + 1),
            Cut::Around(seq) => {
                let latest = head.0.saturating_sub(limit) + 1;
                starting_at(seq.0.saturating_sub(limit / 2).clamp(1, latest))
            }
        };
        (Seq(first), Seq(last))
    }
}

#[cfg(test)]
mod tests;
