//! What is read back from the store for those who were away: encoded once, shared by all who come back at the same
//! place, as everybody does after a restart.

use super::{encode, recent::within};
use crate::store::{Cut, Store, Unreadable};
use app::protocol::{RoomName, Seq, ServerFrame};
use bytes::Bytes;
use quick_cache::{Weighter, sync::Cache};
use std::sync::Arc;

/// Events of a chunk. Chunks begin at fixed positions, so that readers who are a few events apart share one.
const CHUNK: u64 = 64;

/// What all chunks together may hold, in bytes of frames.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Chunks that are expected at once: the bound in bytes, at short messages.
const EXPECTED: usize = 512;

/// Which chunk of which room.
type Key = (RoomName, u64);

/// Chunks of logs that somebody read a moment ago.
pub(super) struct Replay {
    store: Store,
    chunks: Cache<Key, Arc<[Bytes]>, ByBytes>,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Arc<[Bytes]>> for ByBytes {
    fn weight(&self, _: &Key, frames: &Arc<[Bytes]>) -> u64 {
        // An empty one is not for nothing either.
        1 + frames.iter().map(|frame| frame.len() as u64).sum::<u64>()
    }
}

impl Replay {
    pub(super) fn new(store: Store) -> Replay {
        Replay { store, chunks: Cache::with_weighter(EXPECTED, MAX_BYTES, ByBytes) }
    }

    /// The frames after a cursor, in order: some of those up to `head`, at least one where there is one, and at most
    /// about `max_bytes`.
    pub(super) async fn after(
        &self,
        room: &RoomName,
        cursor: Seq,
        head: Seq,
        max_bytes: usize,
    ) -> Result<Vec<Bytes>, Unreadable> {
        let (chunk, skip) = (cursor.0 / CHUNK, (cursor.0 % CHUNK) as usize);
        let mut frames = self.chunk(room, chunk).await?;
        if frames.len() <= skip {
            // It was read before there was anything after the cursor.
            self.chunks.remove_if(&(room.clone(), chunk), |known| known.len() <= skip);
            frames = self.chunk(room, chunk).await?;
        }
        // What is committed and not published yet waits for its turn.
        let published = usize::try_from(head.distance_from(cursor)).unwrap_or(usize::MAX);
        Ok(within(frames.iter().skip(skip).take(published), max_bytes).cloned().collect())
    }

    /// A chunk as far as it is written. Many who ask at once wait for one reading.
    async fn chunk(&self, room: &RoomName, chunk: u64) -> Result<Arc<[Bytes]>, Unreadable> {
        let read = async {
            let page = self.store.page(room, Cut::After(Seq(chunk * CHUNK)), CHUNK as usize).await?;
            Ok(page.events.into_iter().map(|event| encode(&ServerFrame::from(event))).collect())
        };
        self.chunks.get_or_insert_async(&(room.clone(), chunk), read).await
    }

    /// Gives back what is held.
    pub(super) fn forget(&self) {
        self.chunks.clear();
    }
}
