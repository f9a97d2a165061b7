//! The people of one room who are served by one shard, and the turns of the rooms that have news.
//!
//! A large room rests after each round, the longer the more was said in it, and never so long that anybody could see it.
//! Others have the thread meanwhile, and what is said meanwhile goes out together: under load, how much goes out together is
//! most of what a delivery costs. In a room where little is said, there is next to no rest.

use super::shard::{AudienceKey, ConnectionKey};
use crate::rooms::Listening;
use app::protocol::RoomName;
use indexmap::{IndexSet, set::Slice};
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// People up to whom a room is small: served whole, before the large ones.
const SMALL: usize = 64;

/// How long a large room rests for each message that its round carried.
const REST: Duration = Duration::from_millis(1);

/// The longest rest, in messages: with it, 16 ms, the time that a screen shows one picture.
const MOST_RESTS: u32 = 16;

/// The people of one room who are served by this shard.
pub(super) struct Audience {
    room: RoomName,
    listening: Listening,
    members: IndexSet<ConnectionKey>,
    /// Where the next turn goes on. Everybody before it was served in this round.
    at: usize,
    /// Whether it stands in the queue, or rests before it does.
    is_waiting: bool,
    /// Messages that this round carried to those for whom it carried most.
    carried: u32,
    /// It is not served before this.
    rests_until: Option<Instant>,
    /// Somebody who was served in this round may be behind again.
    again: bool,
}

impl Audience {
    pub(super) fn new(room: RoomName, listening: Listening) -> Audience {
        Audience {
            room,
            listening,
            members: IndexSet::new(),
            at: 0,
            is_waiting: false,
            carried: 0,
            rests_until: None,
            again: false,
        }
    }

    pub(super) fn room(&self) -> &RoomName {
        &self.room
    }

    /// The room, as it is now.
    pub(super) fn listening(&self) -> &Listening {
        &self.listening
    }

    pub(super) fn add(&mut self, member: ConnectionKey) {
        self.members.insert(member);
    }

    pub(super) fn remove(&mut self, member: ConnectionKey) {
        if let Some((place, _)) = self.members.swap_remove_full(&member)
            && place < self.at
        {
            // The last one has moved to where this round has been.
            self.again = true;
        }
        if self.members.capacity() > 4 * self.members.len().max(SMALL) {
            self.members.shrink_to(2 * self.members.len());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// So many messages are carried in this turn.
    pub(super) fn carry(&mut self, messages: usize) {
        self.carried = self.carried.max(u32::try_from(messages).unwrap_or(u32::MAX));
    }

    /// The next ones of this round, so many at most; none at its end.
    pub(super) fn next_few(&mut self, most: usize) -> &Slice<ConnectionKey> {
        let from = self.at.min(self.members.len());
        self.at = self.members.len().min(from + most);
        self.members.get_range(from..self.at).expect("both ends are within")
    }

    /// Somebody needs another round.
    pub(super) fn come_again(&mut self) {
        self.again = true;
    }
}

/// Rooms that have news, each once, in the order in which they are served.
#[derive(Default)]
pub(super) struct Turns {
    small: VecDeque<AudienceKey>,
    large: VecDeque<AudienceKey>,
    /// Those that have news and rest.
    resting: Vec<(Instant, AudienceKey)>,
}

impl Turns {
    /// A room has news; `None` where it has no people here any more.
    pub(super) fn call(&mut self, key: AudienceKey, audience: Option<&mut Audience>, now: Instant) {
        let Some(audience) = audience else { return };
        if audience.is_waiting {
            // Where this round has been already, it has to come again.
            audience.again |= audience.at > 0;
        } else {
            audience.is_waiting = true;
            self.wait(key, audience, now);
        }
    }

    /// A room was served for a while, until `now`: it waits for its next turn where somebody is left, or behind again.
    pub(super) fn go_on(&mut self, key: AudienceKey, audience: &mut Audience, now: Instant) {
        if audience.at < audience.members.len() {
            return self.queue(key, audience);
        }
        audience.at = 0;
        let carried = std::mem::take(&mut audience.carried);
        audience.rests_until = Some(now + REST * carried.min(MOST_RESTS));
        audience.is_waiting = std::mem::take(&mut audience.again);
        if audience.is_waiting {
            self.wait(key, audience, now);
        }
    }

    /// Puts a room into the queue, or lets it rest first.
    fn wait(&mut self, key: AudienceKey, audience: &mut Audience, now: Instant) {
        match audience.rests_until.take() {
            Some(until) if until > now && audience.members.len() > SMALL => self.resting.push((until, key)),
            _ => self.queue(key, audience),
        }
    }

    /// Those that have rested are in the queue again. Answers when the next one has.
    pub(super) fn wake(&mut self, now: Instant) -> Option<Instant> {
        let rested = self.resting.extract_if(.., |(until, _)| *until <= now);
        self.large.extend(rested.map(|(_, key)| key));
        self.resting.iter().map(|(until, _)| *until).min()
    }

    fn queue(&mut self, key: AudienceKey, audience: &Audience) {
        let queue = if audience.members.len() <= SMALL { &mut self.small } else { &mut self.large };
        queue.push_back(key);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.small.is_empty() && self.large.is_empty()
    }

    pub(super) fn next_small(&mut self) -> Option<AudienceKey> {
        self.small.pop_front()
    }

    pub(super) fn next_large(&mut self) -> Option<AudienceKey> {
        self.large.pop_front()
    }
}

#[cfg(test)]
mod tests;
