//! Cuts of a room's log, and what becomes of a draft.

use super::*;
use crate::journal::AuthorKey;
use app::protocol::{Kind, MessageId, NickName, SocketId, Text};
use proptest::prelude::*;

fn draft(room: &str, author: &str, id: u64) -> Draft {
    Draft {
        room: RoomName::parse(room).expect("a good name"),
        author: AuthorKey { person: author.bytes().map(u64::from).sum(), lasting: author.into() },
        name: NickName::parse(author).expect("a good name"),
        socket: SocketId("socket".into()),
        id: MessageId::new(0, id.into()),
        text: Text::parse("hello").expect("a good text"),
        kind: Kind::Speech,
    }
}

/// A room `x` in which so many messages were said.
fn store_with(count: u64) -> Store {
    let store = Store::in_memory();
    for id in 1..=count {
        assert!(matches!(store.append(&draft("x", "ada", id), Timestamp(id)), Ok(Appended::New(_))));
    }
    store
}

fn page(store: &Store, cut: Cut, limit: usize) -> Page {
    let room = RoomName::parse("x").expect("a good name");
    futures::executor::block_on(store.page(&room, cut, limit))
}

fn seqs(page: &Page) -> Vec<u64> {
    page.events.iter().map(|event| event.seq().0).collect()
}

#[test]
fn positions_are_dense_in_every_room_by_itself() {
    let store = Store::in_memory();
    for (room, seq) in [("x", 1), ("y", 1), ("x", 2), ("y", 2), ("x", 3)] {
        let id = rand::random();
        let Ok(Appended::New(event)) = store.append(&draft(room, "ada", id), Timestamp(0)) else { panic!("new") };
        assert_eq!(event.seq(), Seq(seq), "{room}");
    }
}

#[test]
fn the_same_id_is_known_to_its_author_and_refused_to_others() {
    let store = store_with(3);
    let again = store.append(&draft("x", "ada", 2), Timestamp(99));
    let Ok(Appended::Known(kept)) = again else { panic!("known") };
    assert_eq!((kept.seq, kept.sent), (Seq(2), Timestamp(2)), "the first answer");
    assert!(matches!(store.append(&draft("x", "bo", 2), Timestamp(99)), Err(NotKept::SomebodyElses)));
    assert_eq!(page(&store, Cut::Newest, 10).head, Seq(3));
}

#[test]
fn the_newest_thousand_are_kept_and_older_ids_are_still_known() {
    let store = store_with(1_001);
    assert_eq!(seqs(&page(&store, Cut::After(Seq::ZERO), 1)), [2]);
    assert!(matches!(store.append(&draft("x", "ada", 1), Timestamp(0)), Ok(Appended::Known(_))));
}

#[test]
fn a_page_has_200_events_at_most() {
    let store = store_with(300);
    for cut in [Cut::Newest, Cut::Before(Seq(301)), Cut::After(Seq::ZERO), Cut::Around(Seq(150))] {
        assert_eq!(page(&store, cut, usize::MAX).events.len(), MAX_PAGE, "{cut:?}");
    }
}

#[test]
fn a_room_is_held_by_its_people_and_its_messages() {
    let store = store_with(1);
    let epoch = page(&store, Cut::Newest, 0).epoch;
    assert_eq!(store.forget_idle(|_| true), 0, "something was said there a moment ago");
    let silent = RoomName::parse("silent").expect("a good name");
    let standing = futures::executor::block_on(store.open(&silent)).expect("there is place");
    assert_eq!(store.forget_idle(|_| false), 0, "somebody is there");
    assert_eq!(store.forget_idle(|_| true), 1, "nothing was ever said there");
    let again = futures::executor::block_on(store.open(&silent)).expect("there is place");
    assert_ne!(again.epoch, standing.epoch, "its next life is another one");
    assert_eq!(page(&store, Cut::Newest, 0).epoch, epoch, "other rooms live on");
}

proptest! {
    #[test]
    fn every_cut_is_dense_bounded_and_on_its_side(count in 0_u64..40, at in 0_u64..60, limit in 0_usize..50) {
        let (store, at) = (store_with(count), Seq(at));
        let kept: Vec<u64> = (1..=count).collect();
        for cut in [Cut::Newest, Cut::Before(at), Cut::After(at), Cut::Around(at)] {
            let page = page(&store, cut, limit);
            let seqs = seqs(&page);
            prop_assert!(seqs.len() <= limit);
            prop_assert!(seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{cut:?} {seqs:?}");
            let of_side: Vec<u64> = match cut {
                Cut::Newest | Cut::Around(_) => kept.clone(),
                Cut::Before(at) => kept.iter().copied().filter(|seq| *seq < at.0).collect(),
                Cut::After(at) => kept.iter().copied().filter(|seq| *seq > at.0).collect(),
            };
            prop_assert_eq!(seqs.len(), of_side.len().min(limit), "{:?} is as full as can be", cut);
            match cut {
                Cut::Newest | Cut::Before(_) => prop_assert!(of_side.ends_with(&seqs)),
                Cut::After(_) => prop_assert!(of_side.starts_with(&seqs)),
                Cut::Around(at) => prop_assert!(limit == 0 || at.0 == 0 || at.0 > count || seqs.contains(&at.0)),
            }
        }
    }
}
