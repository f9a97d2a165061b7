//! Frames that follow one another, side by side in memory: whoever reads them writes them in one go.

use app::protocol::Seq;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// A stretch of a room's log as it travels, made once for all who read it. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    /// The position before the first frame.
    after: Seq,
    bytes: Bytes,
    /// Where each frame ends in `bytes`.
    ends: Arc<[usize]>,
}

/// What of a stretch lies after somebody's cursor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    bytes: &'a [u8],
    /// Where the bytes stand in the stretch.
    start: usize,
    ends: &'a [usize],
}

impl Stretch {
    /// The frames after a position. One alone is not copied.
    pub(crate) fn of<'a>(after: Seq, frames: impl Iterator<Item = &'a Bytes> + Clone) -> Stretch {
        let end = |end: &mut usize, frame: &Bytes| {
            *end += frame.len();
            Some(*end)
        };
        let ends: Arc<[usize]> = frames.clone().scan(0, end).collect();
        let mut frames = frames;
        let bytes = match &*ends {
            [] | [_] => frames.next().cloned().unwrap_or_default(),
            [.., last] => {
                let mut bytes = BytesMut::with_capacity(*last);
                frames.for_each(|frame| bytes.extend_from_slice(frame));
                bytes.freeze()
            }
        };
        Stretch { after, bytes, ends }
    }

    /// What lies after a cursor; empty where that is none of it, or where the cursor lies before this.
    pub(crate) fn beyond(&self, cursor: Seq) -> Run<'_> {
        let skip = cursor.0.checked_sub(self.after.0).and_then(|skip| usize::try_from(skip).ok());
        let skip = skip.unwrap_or(self.ends.len()).min(self.ends.len());
        let start = skip.checked_sub(1).map_or(0, |last| self.ends[last]);
        Run { bytes: &self.bytes[start..], start, ends: &self.ends[skip..] }
    }

    /// The position before the first frame.
    pub(super) fn after(&self) -> Seq {
        self.after
    }

    /// How many frames it has.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Frame by frame.
    #[cfg(test)]
    pub(super) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&*self.ends).map(|(start, end)| &self.bytes[start..*end])
    }
}

impl<'a> Run<'a> {
    /// The frames, one behind the other.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The first frame.
    pub(crate) fn first(&self) -> &'a [u8] {
        self.ends.first().map_or(&[], |end| &self.bytes[..end - self.start])
    }

    /// How many frames the first so many bytes belong to, and what of the last of those is not among the bytes.
    pub(crate) fn split(&self, bytes: usize) -> (usize, &'a [u8]) {
        let at = self.start + bytes;
        let whole = self.ends.partition_point(|end| *end <= at);
        let begins = whole.checked_sub(1).map_or(self.start, |last| self.ends[last]);
        match self.ends.get(whole) {
            Some(end) if begins < at => (whole + 1, &self.bytes[bytes..end - self.start]),
            _ => (whole, &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMES: [&str; 4] = ["a", "bcd", "ef", "ghij"];

    fn stretch(frames: &[&'static str]) -> Stretch {
        let frames: Vec<Bytes> = frames.iter().map(|frame| Bytes::from_static(frame.as_bytes())).collect();
        Stretch::of(Seq(10), frames.iter())
    }

    #[test]
    fn whoever_is_further_on_reads_the_rest() {
        let stretch = stretch(&FRAMES);
        for (skip, rest) in ["abcdefghij", "bcdefghij", "efghij", "ghij", "", ""].into_iter().enumerate() {
            let run = stretch.beyond(Seq(10 + skip as u64));
            assert_eq!((run.bytes(), run.is_empty()), (rest.as_bytes(), rest.is_empty()));
            assert_eq!(run.first(), FRAMES.get(skip).copied().unwrap_or_default().as_bytes());
        }
        assert!(stretch.beyond(Seq(9)).is_empty(), "what lies between is not here");
    }

    #[test]
    fn a_write_that_ends_anywhere_is_so_many_frames_and_a_rest() {
        for count in 0..=FRAMES.len() {
            let stretch = stretch(&FRAMES[..count]);
            for skip in 0..=count {
                let (run, frames) = (stretch.beyond(Seq(10 + skip as u64)), &FRAMES[skip..count]);
                for written in 0..=run.bytes().len() {
                    let (taken, rest) = run.split(written);
                    let sent = [&run.bytes()[..written], rest].concat();
                    assert_eq!(sent, frames[..taken].concat().as_bytes(), "{written} of {frames:?}");
                    let without_last: usize = frames[..taken.saturating_sub(1)].iter().map(|frame| frame.len()).sum();
                    assert!(taken == 0 || written > without_last, "no frame is taken of which nothing is written");
                }
            }
        }
    }
}
