//! What did not arrive as it must.

use std::fmt;

/// Messages that did not arrive as they must, in all runs of one load.
#[derive(Debug, Default, Clone)]
pub(crate) struct Faults {
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    pub(crate) reordered: usize,
    /// Refused, not acknowledged, cut off, passed over.
    pub(crate) others: usize,
    /// The first bad news, in words.
    pub(crate) complaint: Option<String>,
}

impl Faults {
    /// A run that could not be brought to its end.
    pub(crate) fn broken(error: &anyhow::Error) -> Faults {
        Faults { others: 1, complaint: Some(format!("{error:#}")), ..Faults::default() }
    }

    pub(crate) fn add(&mut self, more: Faults) {
        self.lost += more.lost;
        self.doubled += more.doubled;
        self.reordered += more.reordered;
        self.others += more.others;
        self.complaint = self.complaint.take().or(more.complaint);
    }

    pub(crate) fn none(&self) -> bool {
        self.lost + self.doubled + self.reordered + self.others == 0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.lost, self.doubled, self.reordered)?;
        if self.others > 0 { write!(f, "; {} others", self.others) } else { Ok(()) }
    }
}
