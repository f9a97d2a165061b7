//! How fast one person may speak: a bucket that fills steadily.

use app::protocol::Limits;
use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use std::{num::NonZeroU32, time::Duration};
use tokio::time::Instant;

/// The runtime's clock, which tests can stop.
#[derive(Debug, Clone)]
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// One person's bucket.
#[derive(Debug)]
pub(super) struct RateLimit {
    bucket: RateLimiter<NotKeyed, InMemoryState, RuntimeClock, NoOpMiddleware<Duration>>,
    clock: RuntimeClock,
}

impl RateLimit {
    pub(super) fn new(limits: Limits) -> RateLimit {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(limits.messages_per_second)).allow_burst(at_least_one(limits.burst));
        let clock = RuntimeClock(Instant::now());
        RateLimit { bucket: RateLimiter::direct_with_clock(quota, clock.clone()), clock }
    }

    /// Takes one message out, or tells how long to wait for the next.
    pub(super) fn spend(&self) -> Result<(), Duration> {
        self.bucket.check().map_err(|not_yet| not_yet.wait_time_from(self.clock.now()))
    }
}
