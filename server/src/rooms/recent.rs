//! A room's newest frames, encoded once and shared by everybody who reads them.

use super::stretch::Stretch;
use app::protocol::Seq;
use bytes::Bytes;
use std::collections::VecDeque;

/// Frames that are held, at most: two seconds of a very busy room.
const MAX_FRAMES: usize = 4_096;

/// Bytes of frames that are held, at most; the newest frame is held whatever its size.
const MAX_BYTES: usize = 1024 * 1024;

/// The newest part of a room's log.
#[derive(Debug)]
pub(super) enum Recent {
    /// The room is being opened and its head is not known yet.
    Opening {
        /// What was published meanwhile.
        early: Vec<(Seq, Bytes)>,
        /// The head is not below this.
        at_least: Seq,
    },
    /// Every event with a position after `base`. Older ones are in the store.
    Open {
        /// The position before the first frame.
        base: Seq,
        /// The frames of `base + 1`, `base + 2` …
        frames: VecDeque<Bytes>,
        /// The length of all frames together.
        bytes: usize,
    },
}

impl Recent {
    pub(super) fn opening() -> Recent {
        Recent::Opening { early: Vec::new(), at_least: Seq::ZERO }
    }

    /// The store's head is known. Events that were committed before it was read are in the store already; what was
    /// published later follows it without a hole, because the room was registered first.
    pub(super) fn open_at(&mut self, head: Seq) {
        let Recent::Opening { early, at_least } = std::mem::replace(self, Recent::empty_after(head)) else {
            unreachable!("a room is opened once");
        };
        self.raise(at_least);
        for (seq, frame) in early {
            self.push(seq, frame);
        }
    }

    /// Adds a frame. One that the store's head already counted is ignored. Where some before it are missing, because
    /// their commit was not heard of, this begins anew with it: readers find the missing ones in the store.
    pub(super) fn push(&mut self, seq: Seq, frame: Bytes) {
        match self {
            Recent::Opening { early, .. } => early.push((seq, frame)),
            Recent::Open { base, frames, bytes } => {
                let head = Seq(base.0 + frames.len() as u64);
                if seq <= head {
                    return;
                }
                if seq != head.next() {
                    (*base, *bytes) = (seq.previous(), 0);
                    frames.clear();
                }
                *bytes += frame.len();
                frames.push_back(frame);
                while frames.len() > MAX_FRAMES || (*bytes > MAX_BYTES && frames.len() > 1) {
                    *bytes -= frames.pop_front().map_or(0, |oldest| oldest.len());
                    *base = base.next();
                }
            }
        }
    }

    /// The store has everything up to `head`.
    pub(super) fn raise(&mut self, head: Seq) {
        match self {
            Recent::Opening { at_least, .. } => *at_least = head.max(*at_least),
            Recent::Open { .. } if head > self.head() => *self = Recent::empty_after(head),
            Recent::Open { .. } => {}
        }
    }

    /// Lets go of all frames. Whoever still wants one finds it in the store.
    pub(super) fn forget(&mut self) {
        if let Recent::Open { .. } = self {
            *self = Recent::empty_after(self.head());
        }
    }

    fn empty_after(base: Seq) -> Recent {
        Recent::Open { base, frames: VecDeque::new(), bytes: 0 }
    }

    /// The newest position.
    pub(super) fn head(&self) -> Seq {
        match self {
            Recent::Opening { .. } => Seq::ZERO,
            Recent::Open { base, frames, .. } => Seq(base.0 + frames.len() as u64),
        }
    }

    /// The frames after a cursor, up to about `max_bytes`; `None` when the cursor is further back than this reaches.
    pub(super) fn after(&self, cursor: Seq, max_bytes: usize) -> Option<Stretch> {
        let Recent::Open { base, frames, .. } = self else { return None };
        if !self.reaches(cursor) {
            return None;
        }
        let skip = usize::try_from(cursor.distance_from(*base)).ok()?;
        Some(Stretch::of(cursor, within(frames.iter().skip(skip), max_bytes)))
    }

    /// Whether everything after a cursor is here.
    pub(super) fn reaches(&self, cursor: Seq) -> bool {
        matches!(self, Recent::Open { base, .. } if cursor >= *base)
    }
}

/// The first frames, up to about `max_bytes`, and one at least where there is one.
pub(super) fn within<'a>(
    frames: impl Iterator<Item = &'a Bytes> + Clone,
    max_bytes: usize,
) -> impl Iterator<Item = &'a Bytes> + Clone {
    let mut bytes = 0;
    frames.take_while(move |frame| {
        let first = bytes == 0;
        bytes += frame.len();
        first || bytes <= max_bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a read after a position gives, frame by frame.
    fn frames(recent: &Recent, after: u64, max_bytes: usize) -> Option<Vec<Bytes>> {
        recent.after(Seq(after), max_bytes).map(|stretch| stretch.frames().map(Bytes::copy_from_slice).collect())
    }

    fn frame(seq: u64) -> Bytes {
        Bytes::from(seq.to_string())
    }

    #[test]
    fn what_is_published_while_opening_follows_the_head_without_a_hole_or_a_double() {
        let mut recent = Recent::opening();
        for seq in 4..=6 {
            recent.push(Seq(seq), frame(seq));
        }
        recent.open_at(Seq(5));
        recent.push(Seq(6), frame(6));
        recent.push(Seq(7), frame(7));
        assert_eq!(recent.head(), Seq(7));
        assert_eq!(frames(&recent, 5, 1_000), Some(vec![frame(6), frame(7)]));
        assert_eq!(frames(&recent, 7, 1_000), Some(vec![]));
        assert_eq!(frames(&recent, 4, 1_000), None, "the store has these");
    }

    #[test]
    fn where_some_are_missing_it_begins_anew_and_leaves_them_to_the_store() {
        let mut recent = Recent::opening();
        recent.open_at(Seq(3));
        recent.push(Seq(4), frame(4));
        recent.push(Seq(7), frame(7));
        assert_eq!(frames(&recent, 4, 1_000), None, "5 and 6 are in the store");
        assert_eq!(frames(&recent, 6, 1_000), Some(vec![frame(7)]));
        recent.raise(Seq(6));
        assert_eq!(recent.head(), Seq(7), "never back");
        recent.raise(Seq(9));
        assert_eq!((recent.head(), frames(&recent, 8, 1_000)), (Seq(9), None));
        let mut opening = Recent::opening();
        opening.raise(Seq(6));
        opening.open_at(Seq(5));
        assert_eq!(opening.head(), Seq(6), "the head was read a moment too early");
        recent.push(Seq(10), frame(10));
        recent.forget();
        assert_eq!((recent.head(), frames(&recent, 9, 1_000)), (Seq(10), None));
    }

    #[test]
    fn it_is_bounded_in_frames_and_bytes() {
        let mut recent = Recent::opening();
        recent.open_at(Seq::ZERO);
        for seq in 1..=MAX_FRAMES as u64 + 10 {
            recent.push(Seq(seq), frame(seq));
        }
        assert_eq!(frames(&recent, 9, 1), None);
        assert_eq!(frames(&recent, 10, 1), Some(vec![frame(11)]));
        for seq in 0..3 {
            recent.push(Seq(MAX_FRAMES as u64 + 11 + seq), Bytes::from(vec![b'x'; MAX_BYTES / 2 + 1]));
        }
        let Recent::Open { frames, bytes, .. } = &recent else { panic!("open") };
        assert_eq!((frames.len(), *bytes), (1, MAX_BYTES / 2 + 1));
    }

    #[test]
    fn one_read_is_bounded_and_never_empty_while_there_is_more() {
        let mut recent = Recent::opening();
        recent.open_at(Seq::ZERO);
        for seq in 1..=10 {
            recent.push(Seq(seq), Bytes::from(vec![b'x'; 100]));
        }
        assert_eq!(frames(&recent, 0, 10_000).map(|frames| frames.len()), Some(10));
        assert_eq!(frames(&recent, 0, 250).map(|frames| frames.len()), Some(2));
        assert_eq!(frames(&recent, 0, 1).map(|frames| frames.len()), Some(1));
    }
}
