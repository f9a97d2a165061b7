//! Who is in a room now: a snapshot that replaces the one before it.

use crate::people::PersonId;
use app::protocol::{MAX_LISTED_USERS, NickName, RoomName, ServerFrame, User, UserList};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};

/// The people of one room, each once however many connections they have.
#[derive(Debug, Default)]
pub(super) struct Presence {
    people: HashMap<PersonId, Here>,
    /// The same people in the order in which they are listed.
    listed: BTreeMap<ListKey, NickName>,
    /// Rises with every change that a reader could see.
    generation: u64,
    /// The encoded list and the generation that it shows.
    encoded: Option<(u64, Bytes)>,
}

#[derive(Debug)]
struct Here {
    name: NickName,
    connections: usize,
}

/// Alphabetical without regard to case; names that differ only in case, and the same name twice, stay apart.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ListKey(String, PersonId);

impl ListKey {
    fn new(name: &NickName, person: PersonId) -> ListKey {
        ListKey(name.as_str().to_lowercase(), person)
    }
}

impl Presence {
    /// One more connection of a person.
    pub(super) fn enter(&mut self, person: PersonId, name: NickName) {
        if let Some(here) = self.people.get_mut(&person) {
            here.connections += 1;
            return self.rename(person, name);
        }
        self.listed.insert(ListKey::new(&name, person), name.clone());
        self.people.insert(person, Here { name, connections: 1 });
        self.generation += 1;
    }

    /// One connection of a person less.
    pub(super) fn leave(&mut self, person: PersonId) {
        let Some(here) = self.people.get_mut(&person) else { return };
        here.connections -= 1;
        if here.connections == 0 {
            self.listed.remove(&ListKey::new(&here.name, person));
            self.people.remove(&person);
            self.generation += 1;
        }
    }

    /// A person is called something else now. Hearing the same name again changes nothing.
    pub(super) fn rename(&mut self, person: PersonId, name: NickName) {
        let Some(here) = self.people.get_mut(&person) else { return };
        if here.name == name {
            return;
        }
        self.listed.remove(&ListKey::new(&here.name, person));
        self.listed.insert(ListKey::new(&name, person), name.clone());
        here.name = name;
        self.generation += 1;
    }

    /// How many people are here.
    pub(super) fn count(&self) -> usize {
        self.listed.len()
    }

    /// Which snapshot this is.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The list as a frame, encoded once for all who read the same snapshot.
    pub(super) fn frame(&mut self, room: &RoomName) -> Bytes {
        match &self.encoded {
            Some((generation, frame)) if *generation == self.generation => frame.clone(),
            _ => {
                let frame = super::encode(&ServerFrame::UserList(self.list(room)));
                self.encoded = Some((self.generation, frame.clone()));
                frame
            }
        }
    }

    /// The list itself: the first [`MAX_LISTED_USERS`], and the count where that is not all.
    pub(super) fn list(&self, room: &RoomName) -> UserList {
        let users = self.listed.values().take(MAX_LISTED_USERS).map(|name| User { name: name.clone() }).collect();
        let count = Some(self.listed.len()).filter(|count| *count > MAX_LISTED_USERS);
        UserList { room: room.clone(), users, count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nick(name: &str) -> NickName {
        NickName::parse(name).expect("a good name")
    }

    fn names(presence: &Presence) -> Vec<String> {
        presence.list(&RoomName::default()).users.iter().map(|user| user.name.to_string()).collect()
    }

    #[test]
    fn three_tabs_of_one_person_are_one_name_until_the_last_is_gone() {
        let mut presence = Presence::default();
        let ada = PersonId(1);
        for _ in 0..3 {
            presence.enter(ada, nick("ada"));
        }
        assert_eq!((names(&presence), presence.generation()), (vec!["ada".to_owned()], 1));
        presence.leave(ada);
        presence.leave(ada);
        assert_eq!((names(&presence).len(), presence.generation()), (1, 1));
        presence.leave(ada);
        assert_eq!((names(&presence).len(), presence.generation()), (0, 2));
    }

    #[test]
    fn the_list_is_alphabetical_and_follows_renames() {
        let mut presence = Presence::default();
        for (person, name) in [(1, "Zoe"), (2, "ada"), (3, "Bo")] {
            presence.enter(PersonId(person), nick(name));
        }
        presence.rename(PersonId(2), nick("mia"));
        presence.rename(PersonId(2), nick("mia"));
        assert_eq!(names(&presence), ["Bo", "mia", "Zoe"]);
        assert_eq!(presence.generation(), 4);
    }

    #[test]
    fn above_200_people_the_list_is_cut_and_counted() {
        let mut presence = Presence::default();
        for person in 0..200 {
            presence.enter(PersonId(person), nick(&format!("p{person:03}")));
        }
        let list = presence.list(&RoomName::default());
        assert_eq!((list.users.len(), list.count), (200, None));
        presence.enter(PersonId(200), nick("p200"));
        let list = presence.list(&RoomName::default());
        assert_eq!((list.users.len(), list.count), (200, Some(201)));
        assert_eq!(list.users[199].name.as_str(), "p199");
    }
}
