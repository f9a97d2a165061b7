//! Frames that somebody has heard already: at the next reader the same bytes mean the same.
//!
//! At two million deliveries a second there is no time to look for fields in each of them. One comparison with what the
//! first reader of a position got is quicker, and stricter: everybody must get the same bytes.

use std::time::Duration;

/// Positions of a room that are remembered, at most. A reader that is further behind has its frames read field by field.
const REMEMBERED: usize = 1_024;

/// The newest frames of one room.
pub(crate) struct Known {
    /// The place of a frame is its position, modulo the length.
    frames: Vec<Frame>,
}

#[derive(Default, Clone)]
struct Frame {
    seq: u64,
    due: Duration,
    json: Vec<u8>,
}

impl Known {
    pub(crate) fn nothing() -> Known {
        Known { frames: vec![Frame::default(); REMEMBERED] }
    }

    /// When the message at that position was due, if this is its frame to the byte.
    pub(crate) fn due(&self, seq: u64, json: &[u8]) -> Option<Duration> {
        let frame = &self.frames[seq as usize % REMEMBERED];
        (frame.seq == seq && frame.json == json).then_some(frame.due)
    }

    /// Remembers the frame of a position that is newer than what has its place.
    pub(crate) fn learn(&mut self, seq: u64, due: Duration, json: &[u8]) {
        let frame = &mut self.frames[seq as usize % REMEMBERED];
        if seq > frame.seq {
            (frame.seq, frame.due) = (seq, due);
            frame.json.clear();
            frame.json.extend(json);
        }
    }

    /// Another load begins, whose times count from another moment.
    pub(crate) fn forget(&mut self) {
        self.frames.fill(Frame::default());
    }
}
