//! Who is where, and who says what at which moment: all of it known before the load begins.

use std::time::Duration;

/// A load, planned.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) connections: usize,
    pub(crate) rooms: usize,
    /// The first so many connections send. A multiple of `rooms`.
    pub(crate) senders: usize,
    /// Messages a second.
    pub(crate) rate: f64,
    /// Bytes of text.
    pub(crate) payload: usize,
    pub(crate) duration: Duration,
}

impl Plan {
    /// The length of the planned time that every text begins with.
    pub(crate) const MIN_PAYLOAD: i64 = 18;

    pub(crate) fn messages(&self) -> usize {
        (self.duration.as_secs_f64() * self.rate).ceil() as usize
    }

    /// When a message is due, from the beginning of the load.
    pub(crate) fn due(&self, message: usize) -> Duration {
        Duration::from_secs_f64(message as f64 / self.rate)
    }

    /// The connection that says a message.
    pub(crate) fn sender(&self, message: usize) -> usize {
        message % self.senders
    }

    /// The room that a connection is in.
    pub(crate) fn room(&self, connection: usize) -> usize {
        connection % self.rooms
    }

    fn people_in(&self, room: usize) -> usize {
        self.connections / self.rooms + usize::from(room < self.connections % self.rooms)
    }

    /// How often something is to arrive somewhere: every message at everybody in its room, its author too.
    pub(crate) fn deliveries(&self) -> usize {
        // The senders take turns, so the rooms do.
        let rounds = self.messages() / self.rooms;
        rounds * self.connections + (0..self.messages() % self.rooms).map(|room| self.people_in(room)).sum::<usize>()
    }

    /// What a message says: when it was due, then padding.
    pub(crate) fn text(&self, message: usize) -> String {
        let mut text = format!("{:0width$}", self.due(message).as_nanos(), width = Plan::MIN_PAYLOAD as usize);
        text.extend(" taproom".chars().cycle().take(self.payload - text.len()));
        text
    }

    /// When a message was due, read from the beginning of what it says.
    pub(crate) fn due_of_text(text: &[u8]) -> Option<Duration> {
        let digits = text.get(..Plan::MIN_PAYLOAD as usize)?;
        std::str::from_utf8(digits).ok()?.parse().ok().map(Duration::from_nanos)
    }

    /// A load of the same shape whose rooms have one sender each, for at most `duration`.
    pub(crate) fn with_one_sender_a_room(&self, duration: Duration) -> Plan {
        Plan { senders: self.rooms, duration: self.duration.min(duration), ..self.clone() }
    }
}
