//! When to ask whether the other side is still there, and when to stop asking.

use std::time::Duration;
use tokio::time::Instant;

/// How often a socket is pinged.
const PING_EVERY: Duration = Duration::from_secs(25);

/// A socket that was silent for so long is closed.
const SILENCE: Duration = Duration::from_secs(45);

/// What is due now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing.
    Rest,
    /// Send a ping.
    Ping,
    /// Close the socket.
    Dead,
}

/// One socket's heartbeat.
#[derive(Debug)]
pub(super) struct Heartbeat {
    heard: Instant,
    pinged: Instant,
}

impl Heartbeat {
    pub(super) fn new() -> Heartbeat {
        let now = Instant::now();
        Heartbeat { heard: now, pinged: now }
    }

    /// Something came, whatever it was.
    pub(super) fn heard(&mut self) {
        self.heard = Instant::now();
    }

    pub(super) fn beat(&mut self) -> Beat {
        let now = Instant::now();
        if now >= self.heard + SILENCE {
            Beat::Dead
        } else if now >= self.pinged + PING_EVERY {
            self.pinged = now;
            Beat::Ping
        } else {
            Beat::Rest
        }
    }

    /// When [`Heartbeat::beat`] is to be asked next.
    pub(super) fn next(&self) -> Instant {
        (self.heard + SILENCE).min(self.pinged + PING_EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_socket_is_pinged_after_25_s_and_dead_after_45() {
        let mut heartbeat = Heartbeat::new();
        tokio::time::sleep_until(heartbeat.next()).await;
        assert_eq!(heartbeat.beat(), Beat::Ping);
        assert_eq!(heartbeat.beat(), Beat::Rest);
        tokio::time::sleep_until(heartbeat.next()).await;
        assert_eq!(heartbeat.beat(), Beat::Dead);
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_answers_lives() {
        let mut heartbeat = Heartbeat::new();
        for _ in 0..10 {
            tokio::time::sleep_until(heartbeat.next()).await;
            assert_eq!(heartbeat.beat(), Beat::Ping);
            heartbeat.heard();
        }
    }
}
