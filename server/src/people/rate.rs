//! How fast one person may speak: a bucket that fills steadily.
//!
//! The generic cell rate algorithm (ITU-T I.371, "virtual scheduling"): all that is kept of a bucket is the
//! moment at which it will be full again.

use app::protocol::Limits;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::time::Instant;

/// How fast everybody may speak.
#[derive(Debug)]
pub(super) struct Rate {
    /// What all buckets count from. The runtime's clock, which tests can stop.
    began: Instant,
    /// In which one message comes back, in nanoseconds. At least one.
    interval: u64,
    /// How far ahead of the clock a bucket may be and still give a message, in nanoseconds.
    tolerance: u64,
}

/// One person's bucket: when it is full again, in nanoseconds after [`Rate::began`]. Full from the beginning.
#[derive(Debug, Default)]
pub(super) struct Bucket(AtomicU64);

impl Rate {
    /// Limits of zero mean one.
    pub(super) fn new(limits: Limits) -> Rate {
        let interval = (1_000_000_000 / u64::from(limits.messages_per_second.max(1))).max(1);
        let tolerance = interval * u64::from(limits.burst.max(1) - 1);
        Rate { began: Instant::now(), interval, tolerance }
    }

    /// Takes one message out, or tells how long to wait for the next.
    pub(super) fn spend(&self, bucket: &Bucket) -> Result<(), Duration> {
        let now = u64::try_from(self.began.elapsed().as_nanos()).expect("fewer than 584 years");
        let take = |full_at: u64| {
            let is_there = now.saturating_add(self.tolerance) >= full_at;
            is_there.then(|| full_at.max(now).saturating_add(self.interval))
        };
        match bucket.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => Ok(()),
            Err(full_at) => Err(Duration::from_nanos(full_at - self.tolerance - now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(messages_per_second: u32, burst: u32) -> Rate {
        Rate::new(Limits { text_bytes: 8_000, frame_bytes: 65_536, messages_per_second, burst })
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_gives_its_burst_then_as_much_as_comes_back() {
        let (rate, bucket) = (rate(2, 3), Bucket::default());
        let burst = (0..10).take_while(|_| rate.spend(&bucket).is_ok()).count();
        assert_eq!(burst, 3);
        assert_eq!(rate.spend(&bucket), Err(Duration::from_millis(500)));
        tokio::time::advance(Duration::from_millis(1_200)).await;
        assert_eq!((0..10).take_while(|_| rate.spend(&bucket).is_ok()).count(), 2);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!(
            (0..10).take_while(|_| rate.spend(&bucket).is_ok()).count(),
            3,
            "no more than the burst is saved up"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn limits_without_bounds_are_kept_without_overflow() {
        let (lavish, bucket) = (rate(u32::MAX, u32::MAX), Bucket::default());
        assert!((0..1_000).all(|_| lavish.spend(&bucket).is_ok()));
        let (scarce, bucket) = (rate(0, u32::MAX), Bucket::default());
        assert!((0..1_000).all(|_| scarce.spend(&bucket).is_ok()));
        let (nothing, bucket) = (rate(0, 0), Bucket::default());
        assert_eq!((nothing.spend(&bucket), nothing.spend(&bucket)), (Ok(()), Err(Duration::from_secs(1))));
    }

    proptest! {
        #[test]
        fn whoever_waits_as_told_may_speak_and_not_a_moment_earlier(
            per_second in 1_u32..2_000, burst in 1_u32..20, pauses in prop::collection::vec(0_u64..2_000, 1..40),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            runtime.expect("a runtime").block_on(async {
                let (rate, bucket) = (rate(per_second, burst), Bucket::default());
                for pause in pauses {
                    tokio::time::advance(Duration::from_millis(pause)).await;
                    while rate.spend(&bucket).is_ok() {}
                    let wait = rate.spend(&bucket).expect_err("the bucket is empty");
                    prop_assert!(wait <= Duration::from_secs(1) / per_second);
                    tokio::time::advance(wait - Duration::from_nanos(1)).await;
                    prop_assert_eq!(rate.spend(&bucket), Err(Duration::from_nanos(1)));
                    tokio::time::advance(Duration::from_nanos(1)).await;
                    prop_assert_eq!(rate.spend(&bucket), Ok(()));
                }
                Ok(())
            })?;
        }
    }
}
