//! Whether the other end is still there. The browser hides WebSocket's own pings, so the client sends frames.

/// How long after the last answer the next `Ping` is sent, in milliseconds.
const EVERY_MS: u64 = 25_000;

/// How long an answer may take, in milliseconds.
const ANSWER_WITHIN_MS: u64 = 10_000;

/// How long it may take when there is reason for doubt, as after sleep, in milliseconds.
const ANSWER_SOON_MS: u64 = 3_000;

/// The life signs of one connection. Times are milliseconds of the browser's clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heartbeat {
    next: u64,
    /// When the last `Ping` was sent that is not answered.
    asked: Option<u64>,
    deadline: Option<u64>,
    round_trip: Option<u64>,
}

impl Heartbeat {
    /// A connection began. Its round trip is measured at once.
    pub(crate) fn begin(&mut self, now: u64) {
        *self = Heartbeat { next: now, ..Heartbeat::default() };
    }

    pub(crate) fn round_trip(&self) -> Option<u64> {
        self.round_trip
    }

    /// Whether to send a `Ping` now; it counts as sent.
    pub(crate) fn ask(&mut self, now: u64) -> bool {
        let due = self.asked.is_none() && now >= self.next;
        if due {
            self.asked = Some(now);
            self.deadline.get_or_insert(now + ANSWER_WITHIN_MS);
        }
        due
    }

    pub(crate) fn answered(&mut self, now: u64) {
        self.round_trip = self.asked.take().map(|asked| now.saturating_sub(asked)).or(self.round_trip);
        self.deadline = None;
        self.next = now + EVERY_MS;
    }

    /// There is reason for doubt: ask now, and do not wait long.
    pub(crate) fn doubt(&mut self, now: u64) {
        self.next = now;
        self.asked = None;
        self.deadline = Some(now + ANSWER_SOON_MS);
    }

    pub(crate) fn is_dead(&self, now: u64) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// When to look again.
    pub(crate) fn due(&self) -> u64 {
        self.deadline.unwrap_or(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_connection_is_dead_after_ten_seconds_and_a_doubtful_one_after_three() {
        let mut heartbeat = Heartbeat::default();
        heartbeat.begin(1_000);
        assert!(heartbeat.ask(1_000));
        assert!(!heartbeat.ask(1_001), "one question at a time");
        assert!(!heartbeat.is_dead(10_999));
        assert!(heartbeat.is_dead(11_000));
        heartbeat.answered(1_040);
        assert_eq!(heartbeat.round_trip(), Some(40));
        assert!(!heartbeat.is_dead(11_000));
        heartbeat.doubt(12_000);
        assert!(heartbeat.ask(12_000));
        assert!(heartbeat.is_dead(15_000));
    }

    #[test]
    fn the_next_question_comes_25_seconds_after_an_answer() {
        let mut heartbeat = Heartbeat::default();
        heartbeat.begin(0);
        heartbeat.ask(0);
        heartbeat.answered(10);
        assert_eq!(heartbeat.due(), 25_010);
        assert!(!heartbeat.ask(25_009));
        assert!(heartbeat.ask(25_010));
    }
}
