//! The log of a server's rooms, read through the front door and held against what was promised.

use crate::{support::TestServer, talker::Talker};
use app::protocol::{Event, MessageId, Seq};
use std::collections::{HashMap, HashSet};

/// What was read so far, and holds what was promised.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    /// Of each room the messages, position 1 first.
    rooms: HashMap<String, Vec<(MessageId, String)>>,
    /// The newest acknowledged position of each author.
    newest: HashMap<String, Seq>,
    /// How many acks were held against it.
    pub(crate) acked: usize,
}

impl Log {
    /// Reads on, and looks for what the talkers were promised or shown: nothing is lost, doubled or in another order.
    pub(crate) async fn check(&mut self, server: &TestServer, talkers: &mut [Talker]) {
        for talker in talkers {
            self.read_on(server, &talker.room).await;
            let room = &self.rooms[&talker.room];
            let at = |seq: Seq| room.get(seq.0 as usize - 1).map(|(id, _)| *id);
            let newest = self.newest.entry(talker.room.clone() + " " + talker.name()).or_insert(Seq::ZERO);
            for ack in talker.acked.drain(..) {
                assert_eq!(at(ack.seq), Some(ack.id), "acknowledged in {}, and lost: {ack:?}", talker.room);
                assert!(
                    ack.seq > *newest || !talker.in_order,
                    "reordered in {}: {ack:?} came after {newest}",
                    talker.room
                );
                *newest = ack.seq;
                self.acked += 1;
            }
            assert!(talker.seen.is_sorted_by(|one, next| one.seq < next.seq), "shown out of order in {}", talker.room);
            for chat in talker.seen.drain(..) {
                assert_eq!(at(chat.seq), Some(chat.id), "shown in {}, and lost: {chat:?}", talker.room);
            }
        }
    }

    /// Reads what is new in a room; positions are dense and ids are there once.
    async fn read_on(&mut self, server: &TestServer, name: &str) {
        let room = self.rooms.entry(name.to_owned()).or_default();
        loop {
            let page = server.history(name, &format!("after={}&limit=200", room.len())).await;
            for event in &page.events {
                let Event::Chat(chat) = event;
                assert_eq!(chat.seq.0, room.len() as u64 + 1, "a hole in {name}");
                room.push((chat.id, chat.text.as_str().to_owned()));
            }
            if page.events.is_empty() {
                assert_eq!(page.head.0, room.len() as u64, "the head of {name}");
                break;
            }
        }
        let ids: HashSet<MessageId> = room.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids.len(), room.len(), "doubled in {name}");
    }

    /// Messages in all rooms.
    pub(crate) fn len(&self) -> usize {
        self.rooms.values().map(Vec::len).sum()
    }
}
