//! When to open the next socket after one that closed.

use crate::protocol::close;

/// The longest pause before the second try, in milliseconds. It doubles with every try.
const FIRST_PAUSE_MS: u64 = 500;

/// The longest pause of all, in milliseconds.
const LONGEST_PAUSE_MS: u64 = 30_000;

/// What to do after a socket closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Open another one.
    ComeBack,
    /// The server does not want this browser any more.
    StayAway(&'static str),
}

/// What a close code means for the next connection.
pub fn verdict(code: u16) -> Verdict {
    match code {
        close::SIGNED_OUT => Verdict::StayAway("You are signed out. Load the page again to come back."),
        close::REMOVED => Verdict::StayAway("You were removed from this room."),
        _ => Verdict::ComeBack,
    }
}

/// Pauses with full jitter: any length up to a bound that doubles with every failure, so that many browsers do not
/// come back together (M. Brooker, "Exponential Backoff And Jitter", 2015).
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause before the next try, in milliseconds; `random` is from 0 to 1.
    pub fn pause(&mut self, random: f64) -> u64 {
        let bound = FIRST_PAUSE_MS.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE_MS);
        self.failures += 1;
        (bound as f64 * random.clamp(0.0, 1.0)) as u64
    }

    /// A connection lived: the next failure is the first again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let mut backoff = Backoff::default();
        let longest: Vec<u64> = (0..8).map(|_| backoff.pause(1.0)).collect();
        assert_eq!(longest, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.pause(0.5), 250);
    }

    #[test]
    fn only_who_was_sent_away_stays_away() {
        for code in [1000, 1001, 1006, close::RESTARTING, close::TOO_SLOW, close::INTERNAL] {
            assert_eq!(verdict(code), Verdict::ComeBack, "{code}");
        }
        for code in [close::SIGNED_OUT, close::REMOVED] {
            assert!(matches!(verdict(code), Verdict::StayAway(_)), "{code}");
        }
    }

    proptest! {
        #[test]
        fn a_pause_is_never_longer_than_half_a_minute(tries in 0_u32..100, random in 0.0..=1.0) {
            let mut backoff = Backoff { failures: tries };
            prop_assert!(backoff.pause(random) <= LONGEST_PAUSE_MS);
        }
    }
}
