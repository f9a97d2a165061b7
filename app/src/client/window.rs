//! Which entries of a timeline are in the page: a bounded stretch that follows the end, or stands still while the
//! reader looks at something above it.

use std::ops::Range;

/// How many entries are shown at most.
pub const MAX_SHOWN: usize = 400;

/// How many more are shown at once when the reader comes near an edge.
pub const STEP: usize = 50;

/// A stretch of entries, by index. Whoever changes the entries says so at once.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    start: usize,
    end: usize,
    following: bool,
}

impl Default for Window {
    fn default() -> Window {
        Window { start: 0, end: 0, following: true }
    }
}

impl Window {
    pub(crate) fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    pub(crate) fn is_following(&self) -> bool {
        self.following
    }

    pub(crate) fn end_is_shown(&self, len: usize) -> bool {
        self.end == len
    }

    pub(crate) fn follow(&mut self, len: usize) {
        // What is shown and reaches the end stays, so that nothing is built twice.
        let start = if self.end == len { self.start } else { len };
        self.following = true;
        self.end = len;
        self.start = start.min(len.saturating_sub(STEP)).max(len.saturating_sub(MAX_SHOWN));
    }

    pub(crate) fn hold(&mut self) {
        self.following = false;
    }

    /// Shows the entry at an index of `len`, with some around it, for as long as the reader does not follow.
    pub(crate) fn show(&mut self, at: usize, len: usize) {
        self.following = false;
        if !self.range().contains(&at) {
            self.start = at.saturating_sub(STEP);
            self.end = (at + STEP).min(len);
        }
    }

    pub(crate) fn reveal_older(&mut self) -> bool {
        if self.start == 0 {
            // Nothing comes, so nothing goes: what is below what the reader looks at stays.
            return false;
        }
        let end = self.end;
        self.start = self.start.saturating_sub(STEP);
        self.end = self.end.min(self.start + MAX_SHOWN);
        self.following &= self.end == end;
        true
    }

    pub(crate) fn reveal_newer(&mut self, len: usize) -> bool {
        let more = self.end < len;
        self.end = (self.end + STEP).min(len);
        self.start = self.start.max(self.end.saturating_sub(MAX_SHOWN));
        more
    }

    /// One entry was added at the end; there are `len` now. Whoever reads above is shown it when they come near: rows
    /// that come in below would have to be made up for by scrolling, into which the reader's own scrolling runs.
    pub(crate) fn appended(&mut self, len: usize) {
        if self.following {
            self.end = len;
            self.start = self.start.max(len.saturating_sub(MAX_SHOWN));
        }
    }

    /// `count` entries come in at an index; there were `len` before.
    pub(crate) fn inserted(&mut self, at: usize, count: usize, len: usize) {
        if self.following {
            self.end = len + count;
            let shown = if at >= self.start { self.start } else { self.start + count };
            self.start = shown.max(self.end.saturating_sub(MAX_SHOWN));
        } else if at < self.start {
            self.start += count;
            self.end += count;
        } else if at <= self.end {
            // They are next to what is shown, so they are what the reader asked for. The cut is at the far side.
            self.end += count;
            if at - self.start < (self.end - self.start) / 2 {
                self.end = self.end.min(self.start + MAX_SHOWN);
            } else {
                self.start = self.start.max(self.end.saturating_sub(MAX_SHOWN));
            }
        }
    }

    /// The entry at an index went away.
    pub(crate) fn removed(&mut self, at: usize) {
        self.start -= usize::from(at < self.start);
        self.end -= usize::from(at < self.end);
    }

    /// There are only `len` entries left.
    pub(crate) fn clip(&mut self, len: usize) {
        self.end = self.end.min(len);
        self.start = self.start.min(self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_at_one_side_only_when_others_come_at_the_other() {
        let mut window = Window::default();
        window.follow(STEP);
        window.hold();
        (STEP + 1..=600).for_each(|len| window.appended(len));
        assert_eq!(window.range(), 0..STEP, "who reads above is not disturbed");
        while window.range().end < MAX_SHOWN {
            assert!(window.reveal_newer(600));
        }
        assert!(!window.reveal_older(), "there is nothing older");
        assert_eq!(window.range(), 0..MAX_SHOWN);
        window.inserted(0, STEP, 600);
        assert_eq!(window.range(), 0..MAX_SHOWN, "older ones came, so newer ones went");
    }
}
