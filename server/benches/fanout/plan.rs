//! Who is where, and who says what at which moment: all of it known before the load begins.

use std::time::Duration;

/// A load, planned.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) connections: usize,
    pub(crate) rooms: usize,
    pub(crate) presence: Presence,
    pub(crate) names: Names,
    /// The position that everybody reads on from when they come; without it they hear only what is new.
    pub(crate) after: Option<u64>,
    /// The last so many connections read nothing while the load lasts. None of them sends.
    pub(crate) stalled: usize,
    /// The first so many connections send. A multiple of `rooms`.
    pub(crate) senders: usize,
    /// Messages a second.
    pub(crate) rate: f64,
    /// Bytes of text.
    pub(crate) payload: usize,
    pub(crate) duration: Duration,
}

/// Which of the rooms a connection is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// One, in turn.
    OneRoom,
    /// All of them: one by the address, the others joined afterwards.
    EveryRoom,
}

/// What people are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// What the server calls them.
    Guests,
    /// A name of their own each, told in the address.
    Named,
}

impl Plan {
    /// The length of the planned time that every text begins with.
    pub(crate) const MIN_PAYLOAD: i64 = 18;

    /// Guests in one room, of whom one sends 20 messages a second of 50 bytes.
    pub(crate) fn of(connections: usize) -> Plan {
        Plan {
            connections,
            rooms: 1,
            presence: Presence::OneRoom,
            names: Names::Guests,
            after: None,
            stalled: 0,
            senders: 1,
            rate: 20.0,
            payload: 50,
            duration: Duration::from_secs(10),
        }
    }

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

    /// The room that a connection's address names.
    pub(crate) fn room(&self, connection: usize) -> usize {
        connection % self.rooms
    }

    /// The rooms that a connection joins once it is there.
    pub(crate) fn other_rooms(&self, connection: usize) -> impl Iterator<Item = usize> {
        let (rooms, own) = (self.rooms, self.room(connection));
        let joined = if self.presence == Presence::EveryRoom { 0..rooms } else { 0..0 };
        joined.filter(move |room| *room != own)
    }

    /// Those who are in a room and read.
    fn readers_in(&self, room: usize) -> usize {
        let readers = self.connections - self.stalled;
        match self.presence {
            Presence::EveryRoom => readers,
            Presence::OneRoom => readers / self.rooms + usize::from(room < readers % self.rooms),
        }
    }

    /// How often something is to arrive somewhere: every message at every reader in its room, its author too.
    pub(crate) fn deliveries(&self) -> usize {
        // The senders take turns, so the rooms do.
        let (rounds, rest) = (self.messages() / self.rooms, self.messages() % self.rooms);
        let readers = |rooms: usize| (0..rooms).map(|room| self.readers_in(room)).sum::<usize>();
        rounds * readers(self.rooms) + readers(rest)
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

    /// A load of the same shape whose rooms have one sender each, of at most so many deliveries.
    pub(crate) fn with_one_sender_a_room(&self, deliveries: usize) -> Plan {
        let a_second = self.deliveries() as f64 / self.duration.as_secs_f64();
        let bound = Duration::from_secs_f64(deliveries as f64 / a_second);
        Plan { senders: self.rooms, duration: self.duration.min(bound), ..self.clone() }
    }
}
