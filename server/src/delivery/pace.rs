//! How fast one connection may send: two buckets that fill steadily, one of frames and one of bytes.
//!
//! This is the generic cell rate algorithm (ITU-T I.371, annex A), which keeps of a bucket only the time at which it is
//! full again. governor, which counts what a person says, keeps its quota and its clock in every limiter: 56 bytes, two of
//! them a connection. Here every connection shares one quota and keeps 24 bytes.

use crate::config;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

const NANOS: u64 = 1_000_000_000;

/// One connection's pace.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    quota: Arc<Quota>,
    /// When the bucket of frames is full again, in nanoseconds of the quota's life.
    frames_full_at: u64,
    /// The same of the bucket of bytes.
    bytes_full_at: u64,
}

#[derive(Debug)]
struct Quota {
    since: Instant,
    frames: Rate,
    bytes: Rate,
}

/// How a bucket fills, and how much it holds.
#[derive(Debug, Clone, Copy)]
struct Rate {
    per_second: u64,
    /// How long an empty bucket takes to fill, in nanoseconds.
    fills_in: u64,
}

impl Pace {
    /// A connection that has not sent anything. Its clones are connections of their own under the same quota.
    pub(crate) fn new(pace: config::Pace) -> Pace {
        let quota = Quota {
            since: Instant::now(),
            frames: Rate::new(pace.frames_per_second.into(), pace.frame_burst.into()),
            bytes: Rate::new(pace.bytes_per_second, pace.byte_burst),
        };
        Pace { quota: Arc::new(quota), frames_full_at: 0, bytes_full_at: 0 }
    }

    /// Counts a frame of so many bytes, or tells how long to wait until it may be sent. What is refused is not counted.
    pub(crate) fn spend(&mut self, bytes: usize, now: Instant) -> Result<(), Duration> {
        let Quota { since, frames, bytes: rate } = &*self.quota;
        let now = u64::try_from((now - *since).as_nanos()).unwrap_or(u64::MAX);
        match (frames.spend(1, self.frames_full_at, now), rate.spend(bytes as u64, self.bytes_full_at, now)) {
            (Ok(frames_full_at), Ok(bytes_full_at)) => {
                (self.frames_full_at, self.bytes_full_at) = (frames_full_at, bytes_full_at);
                Ok(())
            }
            (frames, bytes) => Err(Duration::from_nanos(frames.err().max(bytes.err()).unwrap_or_default())),
        }
    }
}

impl Rate {
    fn new(per_second: u64, burst: u64) -> Rate {
        Rate { per_second, fills_in: time_for(burst, per_second) }
    }

    /// When the bucket is full again after so much was taken out, or how many nanoseconds too early it is for that.
    fn spend(self, amount: u64, full_at: u64, now: u64) -> Result<u64, u64> {
        let full_at = full_at.max(now).saturating_add(time_for(amount, self.per_second));
        let too_early = full_at.saturating_sub(now.saturating_add(self.fills_in));
        if too_early == 0 { Ok(full_at) } else { Err(too_early) }
    }
}

/// How long a bucket takes to fill by so much, in nanoseconds, rounded up: two halves never cost less than a whole.
fn time_for(amount: u64, per_second: u64) -> u64 {
    let nanos = (u128::from(amount) * u128::from(NANOS)).div_ceil(u128::from(per_second.max(1)));
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLENTY: config::Pace = config::Pace {
        frames_per_second: 1_000_000,
        frame_burst: 1_000_000,
        bytes_per_second: u64::MAX,
        byte_burst: u64::MAX,
    };

    #[test]
    fn a_connection_pays_few_bytes_for_it() {
        assert!(size_of::<Pace>() <= 32, "{}", size_of::<Pace>());
    }

    #[test]
    fn after_the_burst_frames_come_at_their_rate() {
        let mut pace = Pace::new(config::Pace { frames_per_second: 4, frame_burst: 3, ..PLENTY });
        let now = Instant::now();
        for _ in 0..3 {
            assert_eq!(pace.spend(1, now), Ok(()));
        }
        let wait = pace.spend(1, now).expect_err("it is the fourth");
        assert!(wait <= Duration::from_millis(250) && wait > Duration::from_millis(200), "{wait:?}");
        assert_eq!(pace.spend(1, now), Err(wait), "what was refused is not counted");
        assert_eq!(pace.spend(1, now + wait), Ok(()), "waiting as told helps");
        assert!(pace.spend(1, now + wait).is_err());
    }

    #[test]
    fn bytes_have_a_limit_of_their_own_and_a_refused_frame_takes_from_neither() {
        let mut pace =
            Pace::new(config::Pace { frame_burst: 2, frames_per_second: 1, bytes_per_second: 100, byte_burst: 1_000 });
        let now = Instant::now();
        assert_eq!(pace.spend(900, now), Ok(()));
        assert_eq!(pace.spend(200, now), Err(Duration::from_secs(1)));
        assert_eq!(pace.spend(100, now), Ok(()), "the frame is still there");
        assert!(pace.spend(0, now).is_err(), "and now it is not");
    }

    #[test]
    fn connections_share_the_quota_and_not_the_bucket() {
        let one = Pace::new(config::Pace { frames_per_second: 1, frame_burst: 1, ..PLENTY });
        let (mut one, mut two) = (one.clone(), one);
        let now = Instant::now();
        assert_eq!((one.spend(1, now), two.spend(1, now)), (Ok(()), Ok(())));
        assert!(one.spend(1, now).is_err());
    }

    #[test]
    fn after_a_long_pause_there_is_one_burst_and_no_more() {
        let mut pace = Pace::new(config::Pace { frames_per_second: 10, frame_burst: 5, ..PLENTY });
        let later = Instant::now() + Duration::from_secs(24 * 60 * 60);
        let passed = (0..20).filter(|_| pace.spend(1, later).is_ok()).count();
        assert_eq!(passed, 5);
    }

    proptest! {
        /// Whatever is sent when: in every stretch of time no more passes than the burst and what filled meanwhile.
        #[test]
        fn no_stretch_of_time_lets_more_through(
            sent in prop::collection::vec((0_u64..400, 1_usize..3_000), 1..200),
            per_second in 1_u32..50,
            burst in 1_u32..20,
        ) {
            let limits = config::Pace { frames_per_second: per_second, frame_burst: burst, bytes_per_second: 2_000, byte_burst: 5_000 };
            let mut pace = Pace::new(limits);
            let (start, mut at, mut passed) = (Instant::now(), 0, Vec::new());
            for (pause, bytes) in sent {
                at += pause;
                if pace.spend(bytes, start + Duration::from_millis(at)).is_ok() {
                    passed.push((at, bytes as u64));
                }
            }
            for first in 0..passed.len() {
                let mut bytes = 0;
                for last in first..passed.len() {
                    bytes += passed[last].1;
                    let (frames, millis) = ((last - first + 1) as u64, passed[last].0 - passed[first].0);
                    prop_assert!(frames * 1_000 <= u64::from(burst) * 1_000 + u64::from(per_second) * millis + 1);
                    prop_assert!(bytes * 1_000 <= 5_000 * 1_000 + 2_000 * millis + 1_000);
                }
            }
        }
    }
}
