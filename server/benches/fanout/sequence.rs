//! What one connection has heard of its room: each position once, in order, or something is wrong.

/// The positions that one connection has heard.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    /// Everything up to here has been heard, save what is in `missing`.
    newest: u64,
    missing: Vec<u64>,
}

/// What a position means to who hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// New, and later than everything before it.
    InOrder,
    /// New, and should have been heard earlier.
    Late,
    /// Heard before.
    Again,
}

impl Sequence {
    /// Positions after `head` are to be heard.
    pub(crate) fn after(head: u64) -> Sequence {
        Sequence { newest: head, missing: Vec::new() }
    }

    /// The position that was heard last, in order.
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// How many positions up to the newest were not heard.
    pub(crate) fn missing(&self) -> usize {
        self.missing.len()
    }

    /// The server says that it does not send what is up to there.
    pub(crate) fn pass_over(&mut self, to: u64) {
        self.newest = self.newest.max(to);
    }

    pub(crate) fn hear(&mut self, seq: u64) -> Heard {
        if seq > self.newest {
            self.missing.extend(self.newest + 1..seq);
            self.newest = seq;
            return Heard::InOrder;
        }
        match self.missing.iter().position(|missing| *missing == seq) {
            Some(place) => {
                self.missing.swap_remove(place);
                Heard::Late
            }
            None => Heard::Again,
        }
    }
}
