//! Who is in a room now: a snapshot that replaces the one before it.
//!
//! Coming and going is kept cheap, because crowds do it: nothing is written, and nobody is put in order who is not seen.
//! That is done when somebody wants the list, once for all who read the same snapshot.

mod front;

use crate::people::PersonId;
use app::protocol::{MAX_LISTED_USERS, NickName, RoomName, ServerFrame, User, UserList};
use bytes::Bytes;
use front::{Front, Listed};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// More people than this are a crowd: of its list only the front is told, and that may be a moment old.
const CROWD: usize = 1_000;

/// How old. So often, at most, a crowd's list is encoded while thousands come within seconds, each of whom wants one.
const AGE: Duration = Duration::from_millis(250);

/// The people of one room, each once however many connections they have.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// A tree, because it gives its memory back piece by piece when a crowd leaves.
    people: BTreeMap<PersonId, Here>,
    /// The first of them, by name.
    front: Front,
    /// Rises with every change that a reader could see.
    generation: u64,
    encoded: Option<Encoded>,
}

/// A list as it travels.
#[derive(Debug, Clone)]
pub(super) struct Encoded {
    /// The snapshot that it shows.
    pub(super) generation: u64,
    pub(super) frame: Bytes,
    at: Instant,
}

#[derive(Debug)]
struct Here {
    name: NickName,
    connections: u32,
}

impl Presence {
    /// One more connection of a person.
    pub(super) fn enter(&mut self, person: PersonId, name: NickName) {
        if let Some(here) = self.people.get_mut(&person) {
            here.connections += 1;
            return self.rename(person, name);
        }
        let everybody = self.front_is_everybody();
        self.front.add(Listed { name: name.clone(), person }, everybody);
        self.people.insert(person, Here { name, connections: 1 });
        self.generation += 1;
    }

    /// One connection of a person less.
    pub(super) fn leave(&mut self, person: PersonId) {
        let Some(here) = self.people.get_mut(&person) else { return };
        here.connections -= 1;
        if here.connections == 0
            && let Some(Here { name, .. }) = self.people.remove(&person)
        {
            self.front.remove(&Listed { name, person });
            self.generation += 1;
        }
    }

    /// A person is called something else now. Hearing the same name again changes nothing.
    pub(super) fn rename(&mut self, person: PersonId, name: NickName) {
        let everybody = self.front_is_everybody();
        let Some(here) = self.people.get_mut(&person) else { return };
        if here.name == name {
            return;
        }
        let before = std::mem::replace(&mut here.name, name.clone());
        self.front.remove(&Listed { name: before, person });
        self.front.add(Listed { name, person }, everybody);
        self.generation += 1;
    }

    fn front_is_everybody(&self) -> bool {
        self.front.len() == self.people.len()
    }

    /// How many people are here.
    pub(super) fn count(&self) -> usize {
        self.people.len()
    }

    /// Which snapshot this is.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The list as a frame, encoded once for all who read the same snapshot. A crowd's may be a moment old: whoever gets
    /// it gets the next one as well.
    pub(super) fn frame(&mut self, room: &RoomName, now: Instant) -> Encoded {
        let is_crowd = self.count() > CROWD;
        let is_good = |known: &&Encoded| known.generation == self.generation || (is_crowd && now < known.at + AGE);
        if let Some(known) = self.encoded.as_ref().filter(is_good) {
            return known.clone();
        }
        let frame = super::encode(&ServerFrame::UserList(self.list(room)));
        self.encoded.insert(Encoded { generation: self.generation, frame, at: now }).clone()
    }

    /// The list itself: the first [`MAX_LISTED_USERS`] in alphabetical order, and the count where that is not all.
    pub(super) fn list(&mut self, room: &RoomName) -> UserList {
        if self.front.len() < MAX_LISTED_USERS && !self.front_is_everybody() {
            let listed = |(person, here): (&PersonId, &Here)| Listed { name: here.name.clone(), person: *person };
            self.front.fill(self.people.iter().map(listed));
        }
        let users = self.front.shown().map(|name| User { name: name.clone() }).collect();
        let count = Some(self.people.len()).filter(|count| *count > MAX_LISTED_USERS);
        UserList { room: room.clone(), users, count }
    }

    /// Gives back what can be had again: the encoded list, and the place of those who left.
    pub(super) fn rest(&mut self) {
        self.encoded = None;
        self.front.rest();
    }
}

#[cfg(test)]
mod tests;
