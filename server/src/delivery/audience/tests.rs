//! Whoever comes and goes while a room is served in turns: nobody is passed over.

use super::*;
use crate::{
    journal::tests::Log,
    people::PersonId,
    rooms::{From, Rooms, Subscription},
};
use app::protocol::NickName;
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, prop_oneof},
    test_runner::TestRunner,
};
use slotmap::KeyData;
use std::{collections::HashMap, sync::Arc, task::Wake};

/// What happens to a room's people.
#[derive(Debug, Clone)]
enum Deed {
    /// So many come.
    Come(usize),
    /// One leaves: the one at this place of those who are there.
    Leave(usize),
    /// The room has news.
    Call,
    /// One turn of so many sockets. The one of this place among them does not take everything.
    Turn { sockets: usize, behind: Option<usize> },
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        // On both sides of what is a small room.
        (1..2 * SMALL).prop_map(Deed::Come),
        (0..usize::MAX).prop_map(Deed::Leave),
        (0..usize::MAX).prop_map(Deed::Leave),
        Just(Deed::Call),
        Just(Deed::Call),
        (0..SMALL, proptest::option::weighted(0.2, 0..SMALL))
            .prop_map(|(sockets, behind)| Deed::Turn { sockets, behind }),
        (0..SMALL, proptest::option::weighted(0.2, 0..SMALL))
            .prop_map(|(sockets, behind)| Deed::Turn { sockets, behind }),
    ];
    vec(deed, 0..60)
}

/// Nobody needs to be woken here.
struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

async fn seat() -> (Log, Subscription) {
    let log = Log::new();
    let rooms = Rooms::new(log.store.clone());
    let person = (PersonId(1), NickName::parse("ada").expect("a good name"));
    let seat = rooms.enter(&RoomName::default(), person, &From::default()).await.expect("there is place");
    (log, seat)
}

fn key<Key: std::convert::From<KeyData>>(number: u64) -> Key {
    // The version above, the place below: both odd and even places are somebody.
    KeyData::from_ffi(1 << 32 | number).into()
}

/// A room in turns, and who of its people is behind.
struct Model {
    audience: Audience,
    turns: Turns,
    behind: HashMap<ConnectionKey, bool>,
    came: u64,
    /// Each turn takes a millisecond.
    now: Instant,
}

impl Model {
    fn new(seat: &Subscription) -> Model {
        let audience = Audience::new(RoomName::default(), seat.listen(Arc::new(Nobody).into()));
        Model { audience, turns: Turns::default(), behind: HashMap::new(), came: 0, now: Instant::now() }
    }

    fn does(&mut self, deed: &Deed) {
        match *deed {
            Deed::Come(count) => (0..count).for_each(|_| self.come()),
            Deed::Leave(place) => {
                let place = place % self.audience.members.len().max(1);
                if let Some(member) = self.audience.members.get_index(place).copied() {
                    self.audience.remove(member);
                    self.behind.remove(&member);
                }
            }
            Deed::Call => {
                self.turns.call(key(1), Some(&mut self.audience), self.now);
                self.behind.values_mut().for_each(|behind| *behind = true);
            }
            Deed::Turn { sockets, behind } => _ = self.turn(sockets, behind),
        }
        let Turns { small, large, resting } = &self.turns;
        assert!(small.len() + large.len() + resting.len() <= 1, "it waits once");
    }

    /// Who comes has read everything: the shard looks after them by themselves.
    fn come(&mut self) {
        self.came += 1;
        self.audience.add(key(self.came));
        self.behind.insert(key(self.came), false);
    }

    /// As a shard serves a room. Answers whether it was waiting.
    fn turn(&mut self, sockets: usize, behind: Option<usize>) -> bool {
        if let Some(rested) = self.turns.wake(self.now) {
            assert!(rested <= self.now + REST * MOST_RESTS, "it rests for {:?}", rested - self.now);
            self.now = rested;
            self.turns.wake(self.now);
        }
        if self.turns.next_small().or_else(|| self.turns.next_large()).is_none() {
            return false;
        }
        self.audience.carry(sockets);
        self.now += Duration::from_millis(1);
        for socket in 0..sockets {
            let Some(&member) = self.audience.next_few(1).first() else { break };
            let is_behind = behind == Some(socket) && self.behind[&member];
            self.behind.insert(member, is_behind);
            if is_behind {
                self.audience.come_again();
            }
        }
        self.turns.go_on(key(1), &mut self.audience, self.now);
        true
    }

    /// Whoever is still behind when the room waits no more, and how many turns of 16 it took.
    fn settle(&mut self) -> (usize, usize) {
        let turns = (0..).take_while(|_| self.turn(16, None)).count();
        (turns, self.behind.values().filter(|behind| **behind).count())
    }
}

#[tokio::test]
async fn whoever_leaves_in_the_middle_of_a_round_nobody_is_passed_over() {
    let (_log, seat) = seat().await;
    let checked = TestRunner::default().run(&deeds(), |deeds| {
        let mut model = Model::new(&seat);
        deeds.iter().for_each(|deed| model.does(deed));
        let people = model.audience.members.len();
        let (turns, behind) = model.settle();
        assert_eq!(behind, 0, "of {people}");
        assert!(turns <= 2 * (people / 16 + 1), "{turns} turns for {people}: two rounds are enough");
        assert!(model.turns.is_empty());
        Ok(())
    });
    checked.unwrap_or_else(|failure| panic!("{failure}"));
}

#[tokio::test]
async fn the_last_one_who_moves_to_a_place_that_was_served_is_served_all_the_same() {
    let (_log, seat) = seat().await;
    let mut model = Model::new(&seat);
    model.does(&Deed::Come(3));
    model.does(&Deed::Call);
    model.does(&Deed::Turn { sockets: 2, behind: None });
    model.does(&Deed::Leave(0));
    assert!(model.behind[&key(3)]);
    assert_eq!(model.settle().1, 0);
}

#[tokio::test]
async fn small_rooms_do_not_stand_behind_large_ones() {
    let (_log, seat) = seat().await;
    let room = |people: usize| {
        let mut model = Model::new(&seat);
        model.does(&Deed::Come(people));
        model.audience
    };
    let (mut large, mut small) = (room(SMALL + 1), room(SMALL));
    let mut turns = Turns::default();
    turns.call(key(1), Some(&mut large), Instant::now());
    turns.call(key(2), Some(&mut small), Instant::now());
    assert_eq!((turns.small.len(), turns.next_small(), turns.next_large()), (1, Some(key(2)), Some(key(1))));
}
