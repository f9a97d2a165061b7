//! The list of who is here, held against the plainest one.

use super::*;
use crate::counted::held;
use proptest::prelude::*;
use std::collections::HashMap;

fn nick(name: &str) -> NickName {
    NickName::parse(name).expect("a good name")
}

fn names(presence: &mut Presence) -> Vec<String> {
    presence.list(&RoomName::default()).users.iter().map(|user| user.name.to_string()).collect()
}

#[test]
fn three_tabs_of_one_person_are_one_name_until_the_last_is_gone() {
    let mut presence = Presence::default();
    let ada = PersonId(1);
    for _ in 0..3 {
        presence.enter(ada, nick("ada"));
    }
    assert_eq!((names(&mut presence), presence.generation()), (vec!["ada".to_owned()], 1));
    presence.leave(ada);
    presence.leave(ada);
    assert_eq!((names(&mut presence).len(), presence.generation()), (1, 1));
    presence.leave(ada);
    assert_eq!((names(&mut presence).len(), presence.generation()), (0, 2));
}

#[test]
fn the_list_is_alphabetical_and_follows_renames() {
    let mut presence = Presence::default();
    for (person, name) in [(1, "Zoe"), (2, "ada"), (3, "Bo")] {
        presence.enter(PersonId(person), nick(name));
    }
    presence.rename(PersonId(2), nick("mia"));
    presence.rename(PersonId(2), nick("mia"));
    assert_eq!(names(&mut presence), ["Bo", "mia", "Zoe"]);
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

/// What can happen among the people of a room.
#[derive(Debug, Clone)]
enum Deed {
    Enter(PersonId, NickName),
    Leave(PersonId),
    Rename(PersonId, NickName),
}

fn deed(people: u64) -> impl Strategy<Value = Deed> {
    let person = || (0..people).prop_map(PersonId);
    prop_oneof![
        3 => (person(), name()).prop_map(|(person, name)| Deed::Enter(person, name)),
        2 => person().prop_map(Deed::Leave),
        1 => (person(), name()).prop_map(|(person, name)| Deed::Rename(person, name)),
    ]
}

/// Names that differ only in case, in letters of several bytes, or in what a capital letter becomes.
fn name() -> impl Strategy<Value = NickName> {
    "[aAzZ]{1,2}[àÀσΣςßKİ山]{0,2}[bB0 ]{0,2}x".prop_map(|name| nick(&name))
}

/// The same as a list of people that is searched from its beginning and sorted as a whole.
#[derive(Default)]
struct Plain(Vec<(PersonId, NickName, usize)>);

impl Plain {
    fn enter(&mut self, person: PersonId, name: NickName) {
        match self.0.iter_mut().find(|here| here.0 == person) {
            Some(here) => (here.1, here.2) = (name, here.2 + 1),
            None => self.0.push((person, name, 1)),
        }
    }

    fn leave(&mut self, person: PersonId) {
        self.0.iter_mut().filter(|here| here.0 == person).for_each(|here| here.2 -= 1);
        self.0.retain(|here| here.2 > 0);
    }

    fn rename(&mut self, person: PersonId, name: NickName) {
        self.0.iter_mut().filter(|here| here.0 == person).for_each(|here| here.1 = name.clone());
    }

    fn list(&self) -> UserList {
        let mut sorted = self.0.clone();
        sorted.sort_by_key(|(person, name, _)| (name.as_str().to_lowercase().replace('ς', "σ"), *person));
        let users = sorted.into_iter().map(|(_, name, _)| User { name }).take(MAX_LISTED_USERS).collect();
        UserList { room: RoomName::default(), users, count: Some(self.0.len()).filter(|count| *count > 200) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn after_any_coming_leaving_and_renaming_the_list_is_the_plain_one(
        crowd in prop::collection::vec(name(), 0..420), gone in 0..420_u64, deeds in prop::collection::vec(deed(420), 1..40),
    ) {
        let (mut presence, mut plain) = (Presence::default(), Plain::default());
        for (person, name) in (0..).map(PersonId).zip(crowd) {
            presence.enter(person, name.clone());
            plain.enter(person, name);
        }
        for person in (0..gone).map(PersonId) {
            presence.leave(person);
            plain.leave(person);
        }
        let mut seen = (presence.generation(), plain.list());
        for deed in deeds {
            match deed {
                Deed::Enter(person, name) => {
                    presence.enter(person, name.clone());
                    plain.enter(person, name);
                }
                Deed::Leave(person) => {
                    presence.leave(person);
                    plain.leave(person);
                }
                Deed::Rename(person, name) => {
                    presence.rename(person, name.clone());
                    plain.rename(person, name);
                }
            }
            let list = plain.list();
            prop_assert_eq!(presence.list(&RoomName::default()), list.clone());
            prop_assert!(presence.generation() > seen.0 || list == seen.1, "a list changed without a new generation");
            seen = (presence.generation(), list);
        }
    }
}

#[test]
fn a_crowd_that_comes_and_goes_is_encoded_once_for_each_look() {
    assert_eq!(frames_of_a_crowd(AGE), 60);
    let at_a_third = frames_of_a_crowd(AGE / 3);
    assert!((20..=30).contains(&at_a_third), "{at_a_third} of 60, though each is good for three looks of a crowd");
}

/// How often a list is encoded while 9,000 come and go, and 20 readers look 60 times, so far apart.
fn frames_of_a_crowd(pause: Duration) -> usize {
    const CROWD: u64 = 9_000;
    const LOOKS: u64 = 60;
    const READERS: u64 = 20;
    let (mut presence, mut frames, mut now) = (Presence::default(), Vec::new(), Instant::now());
    for step in 0..2 * CROWD {
        match step.checked_sub(CROWD) {
            None => presence.enter(PersonId(step), nick(&format!("person {step}"))),
            Some(person) => presence.leave(PersonId(person)),
        }
        let encoded = presence.encoded.as_ref();
        assert!(
            encoded.is_none_or(|known| known.generation < presence.generation),
            "nothing is encoded before it is asked for"
        );
        if (step + 1) % (2 * CROWD / LOOKS) == 0 {
            now += pause;
            frames.extend((0..READERS).map(|_| presence.frame(&RoomName::default(), now).frame));
        }
    }
    assert_eq!(frames.len() as u64, LOOKS * READERS);
    // They are all still held, so that no two of them can have been at one place.
    let encoded: HashMap<_, _> = frames.iter().map(|frame| (frame.as_ptr(), frame.len())).collect();
    assert!(encoded.values().all(|bytes| *bytes <= 5_000), "{encoded:?}");
    encoded.len()
}

#[test]
fn a_room_that_rests_holds_no_frame_and_encodes_it_again() {
    let mut presence = Presence::default();
    presence.enter(PersonId(1), nick("ada"));
    let before = presence.frame(&RoomName::default(), Instant::now()).frame;
    presence.rest();
    assert!(before.is_unique(), "nobody else holds it");
    assert_eq!(presence.frame(&RoomName::default(), Instant::now()).frame, before);
}

#[test]
fn a_crowd_costs_a_room_little_memory_and_none_when_it_is_gone() {
    const CROWD: usize = 9_000;
    let crowd: Vec<_> =
        (0..CROWD).map(|number| (PersonId(rand::random()), nick(&format!("person {number}")))).collect();
    let mut presence = Presence::default();
    // A tree that was used once keeps one node.
    presence.enter(PersonId(0), nick("ada"));
    presence.leave(PersonId(0));
    presence.rest();
    let before = held();
    for (person, name) in &crowd {
        presence.enter(*person, name.clone());
    }
    let each = (held() - before) / CROWD.cast_signed();
    assert!(each <= 64, "{each} bytes for each person in the room");
    drop(presence.frame(&RoomName::default(), Instant::now()));
    for (person, _) in &crowd {
        presence.leave(*person);
    }
    presence.rest();
    assert_eq!(held(), before);
}
