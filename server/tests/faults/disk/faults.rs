//! What goes wrong, how often, and how often it did.

use rand::{Rng, SeedableRng, rngs::StdRng};
use std::time::Duration;

/// Every fault that a disk can have at a time. None at first.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) syncs: Odds,
    pub(super) writes: Odds,
    pub(super) reads: Odds,
    /// Whether files may not grow.
    pub(super) full: bool,
    /// Whether the log's syncs are answered without doing anything.
    pub(super) lies: bool,
    pub(super) sync_takes: Duration,
}

/// How often something fails.
#[derive(Debug, Default)]
pub(super) struct Odds {
    /// So many times it fails from now on.
    next: u32,
    /// Then this often, by this luck.
    rate: Option<(f64, StdRng)>,
}

/// What a disk has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Syncs that were asked for.
    pub(crate) syncs: u64,
    /// Writes that were asked for.
    pub(crate) writes: u64,
    /// Errors that were made up.
    pub(crate) injected: u64,
}

impl Odds {
    pub(super) fn next(count: u32) -> Odds {
        Odds { next: count, rate: None }
    }

    /// From 0, never, to 1, always.
    pub(super) fn rate(rate: f64, seed: u64) -> Odds {
        Odds { next: 0, rate: Some((rate, StdRng::seed_from_u64(seed))) }
    }

    /// Whether it fails this time.
    pub(super) fn strike(&mut self) -> bool {
        if self.next > 0 {
            self.next -= 1;
            return true;
        }
        self.rate.as_mut().is_some_and(|(rate, luck)| luck.random_bool(*rate))
    }

    /// A part of something that failed, as a length in bytes: from nothing to all but one.
    pub(super) fn part_of(&mut self, length: usize) -> usize {
        self.rate.as_mut().map_or(length / 2, |(_, luck)| luck.random_range(0..length.max(1)))
    }
}
