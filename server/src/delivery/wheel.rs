//! When to look after each socket: one wheel for all of a shard, so that a heartbeat costs no timer.

use std::{mem, time::Duration};
use tokio::time::Instant;

/// How often a socket is pinged.
const PING_EVERY: Duration = Duration::from_secs(25);

/// A socket that was silent for so long is closed.
const SILENCE: Duration = Duration::from_secs(45);

/// One turn of the wheel, in seconds: longer than anything that is waited for.
const SLOTS: u64 = 64;

/// Keys in slots of a second; each socket stands in one.
#[derive(Debug)]
pub(super) struct Wheel<Key> {
    started: Instant,
    /// Seconds that are over and looked after.
    done: u64,
    slots: Vec<Vec<Key>>,
}

impl<Key> Wheel<Key> {
    pub(super) fn new(now: Instant) -> Wheel<Key> {
        Wheel { started: now, done: 0, slots: (0..SLOTS).map(|_| Vec::new()).collect() }
    }

    /// Looks after `key` when `due` has come, less than a second late.
    pub(super) fn put(&mut self, key: Key, due: Instant) {
        let since = due.saturating_duration_since(self.started);
        let second = since.as_secs() + u64::from(since.subsec_nanos() > 0);
        let second = second.clamp(self.done + 1, self.done + SLOTS - 1);
        self.slots[(second % SLOTS) as usize].push(key);
    }

    /// The next moment at which somebody may be due.
    pub(super) fn next(&self) -> Instant {
        self.started + Duration::from_secs(self.done + 1)
    }

    /// Takes those who are due: those of one second, so that whoever was held up goes on second by second.
    pub(super) fn take(&mut self, now: Instant) -> Option<Vec<Key>> {
        if now < self.next() {
            return None;
        }
        self.done += 1;
        Some(mem::take(&mut self.slots[(self.done % SLOTS) as usize]))
    }
}

/// What is due for a socket.
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
    /// The heartbeat of a shard's socket of that number. First pings are spread over the whole period, so that those who
    /// came together are not pinged together.
    pub(super) fn new(now: Instant, number: u64) -> Heartbeat {
        let early = Duration::from_secs(number % PING_EVERY.as_secs());
        Heartbeat { heard: now, pinged: now.checked_sub(early).unwrap_or(now) }
    }

    /// Something came, whatever it was.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    pub(super) fn beat(&mut self, now: Instant) -> Beat {
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

    const SECOND: Duration = Duration::from_secs(1);

    /// Runs one socket on a wheel from `now` on, answering pings or not, and tells when it was pinged and when it died.
    fn live(number: u64, seconds: u64, answers: bool) -> (Vec<u64>, Option<u64>) {
        let started = Instant::now();
        let (mut wheel, mut heartbeat) = (Wheel::new(started), Heartbeat::new(started, number));
        wheel.put((), heartbeat.next());
        let mut pings = Vec::new();
        for second in 1..=seconds {
            let now = started + SECOND * second as u32;
            for () in wheel.take(now).unwrap_or_default() {
                match heartbeat.beat(now) {
                    Beat::Dead => return (pings, Some(second)),
                    Beat::Ping => {
                        pings.push(second);
                        if answers {
                            heartbeat.heard(now);
                        }
                    }
                    Beat::Rest => {}
                }
                wheel.put((), heartbeat.next());
            }
        }
        (pings, None)
    }

    #[test]
    fn a_silent_socket_is_pinged_after_25_s_and_dead_after_45() {
        assert_eq!(live(0, 100, false), (vec![25], Some(45)));
        assert_eq!(live(24, 100, false), (vec![1, 26], Some(45)));
    }

    #[test]
    fn a_socket_that_answers_lives() {
        let (pings, death) = live(7, 300, true);
        assert_eq!((pings.len(), death), (12, None));
        assert!(pings.windows(2).all(|two| two[1] - two[0] == 25), "{pings:?}");
    }

    #[test]
    fn those_who_came_together_are_pinged_in_equal_parts() {
        let started = Instant::now();
        let mut wheel = Wheel::new(started);
        (0..1_000).for_each(|number| wheel.put(number, Heartbeat::new(started, number).next()));
        let at = |second: u32| started + SECOND * second;
        let parts: Vec<usize> = (1..=25).map(|second| wheel.take(at(second)).map_or(0, |due| due.len())).collect();
        assert!(parts.iter().all(|part| *part == 40), "{parts:?}");
    }

    #[test]
    fn a_wheel_that_was_held_up_looks_after_every_second() {
        let started = Instant::now();
        let mut wheel = Wheel::new(started);
        wheel.put("soon", started + SECOND);
        wheel.put("at once", started);
        wheel.put("later", started + SECOND * 40);
        let late = started + SECOND * 50;
        let found: Vec<_> = std::iter::from_fn(|| wheel.take(late)).flatten().collect();
        assert_eq!(found, ["soon", "at once", "later"]);
    }
}
