//! One connection's place in one room: a cursor into the log, and a seat among the people.

use super::{NotEntered, Rooms, encode, room::Room};
use crate::{metrics::Resume, people::PersonId, store::Unreadable};
use app::protocol::{Epoch, Gap, MAX_LISTED_USERS, NickName, RoomName, Seq, ServerFrame};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Frames that one read gives, at most.
pub(crate) const MAX_READ_FRAMES: usize = 64;

/// Bytes that one read gives, at most, save that one frame is always given.
pub(crate) const MAX_READ_BYTES: usize = 64 * 1024;

/// Events that are replayed to somebody who was away. Beyond it there is a `Gap`.
const MAX_REPLAY: u64 = 1_000;

/// After a gap the newest so many events are replayed, so that the reader has a screen full.
const AFTER_GAP: u64 = 50;

/// The shortest time between two user lists to one connection.
const LIST_INTERVAL: Duration = Duration::from_millis(500);

/// How many times longer it is in the largest rooms.
const SLOWEST_LISTS: u32 = 10;

/// A connection's place in a room. Dropping it leaves the room.
#[derive(Debug)]
pub struct Subscription {
    room: Arc<Room>,
    rooms: Rooms,
    key: u64,
    person: PersonId,
    /// The room's newest position when reading began here, as far as this reader knows or is going to hear.
    began: Seq,
    /// Everything up to here has been sent.
    cursor: Seq,
    /// The user list that was sent last.
    listed: Option<u64>,
    next_list: Instant,
}

/// Where somebody wants to read on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct From {
    /// After this position; `None` reads only what comes from now on.
    pub after: Option<Seq>,
    /// The life of the log that the position belongs to; `None` trusts that it is this one.
    pub epoch: Option<Epoch>,
}

impl Subscription {
    /// The place of a connection that [listens](Room::listen) already, under this key.
    pub(super) fn new(
        rooms: Rooms,
        room: Arc<Room>,
        key: u64,
        person: (PersonId, NickName),
        from: &From,
        kept: Seq,
    ) -> Self {
        room.presence.lock().enter(person.0, person.1);
        rooms.people_changed(&room.name);
        let (began, cursor) = start(&rooms, &room, from, kept);
        Subscription { room, rooms, key, person: person.0, began, cursor, listed: None, next_list: Instant::now() }
    }

    /// The room.
    pub fn room(&self) -> &RoomName {
        &self.room.name
    }

    /// The life of the room's log.
    pub fn epoch(&self) -> &Epoch {
        self.rooms.epoch()
    }

    /// The newest position in the room.
    pub fn head(&self) -> Seq {
        self.room.head()
    }

    /// The newest position when reading began: whoever gave no cursor hears everything after it and nothing before.
    pub fn began(&self) -> Seq {
        self.began
    }

    /// How many events of the room this reader does not have yet.
    pub(crate) fn behind(&self) -> u64 {
        self.room.head().distance_from(self.cursor)
    }

    /// What somebody who came with a cursor is about to get; `None` for who came without one.
    pub(crate) fn resume(&self, from: &From) -> Option<Resume> {
        from.after?;
        Some(match self.behind() {
            0 => Resume::Live,
            1..=MAX_REPLAY => Resume::Replayed,
            _ => Resume::Gap,
        })
    }

    /// Reads on from somewhere else, and hears again who is here.
    pub async fn move_to(&mut self, from: &From) -> Result<(), NotEntered> {
        let kept = self.rooms.kept(&self.room, from).await?;
        (self.began, self.cursor) = start(&self.rooms, &self.room, from, kept);
        self.listed = None;
        self.next_list = Instant::now();
        Ok(())
    }

    /// The next frames for this reader: who is here, if that changed, then what comes after the cursor, which moves
    /// behind it. Empty when there is nothing new.
    pub async fn catch_up(&mut self) -> Result<Vec<Bytes>, Unreadable> {
        let mut frames: Vec<Bytes> = self.list().into_iter().collect();
        if self.cursor < self.room.head() {
            match self.room.recent_after(self.cursor, MAX_READ_FRAMES, MAX_READ_BYTES) {
                Some(recent) => {
                    self.cursor = Seq(self.cursor.0 + recent.len() as u64);
                    frames.extend(recent);
                }
                None => frames.extend(self.replay().await?),
            }
        }
        Ok(frames)
    }

    /// What the room's recent frames do not reach: the next stretch from the store, or a `Gap` where it is too much to
    /// replay.
    async fn replay(&mut self) -> Result<Vec<Bytes>, Unreadable> {
        let head = self.room.head();
        if head.distance_from(self.cursor) > MAX_REPLAY {
            return Ok(vec![self.gap(Seq(head.0 - AFTER_GAP), head)]);
        }
        let frames = self.rooms.inner.replay.after(&self.room.name, self.cursor, head, MAX_READ_BYTES).await?;
        self.cursor = Seq(self.cursor.0 + frames.len() as u64);
        Ok(frames)
    }

    fn gap(&mut self, to: Seq, head: Seq) -> Bytes {
        let from = self.cursor.next();
        self.cursor = to;
        encode(&ServerFrame::Gap(Gap { room: self.room.name.clone(), from, to, head }))
    }

    /// The user list, if it changed since it was last sent and may be sent again.
    fn list(&mut self) -> Option<Bytes> {
        let now = Instant::now();
        let mut presence = self.room.presence.lock();
        if self.listed == Some(presence.generation()) || now < self.next_list {
            return None;
        }
        self.listed = Some(presence.generation());
        self.next_list = now + list_interval(presence.count());
        Some(presence.frame(&self.room.name))
    }

    /// When a changed list that was held back may be sent.
    pub fn list_due(&self) -> Option<Instant> {
        let changed = self.listed != Some(self.room.presence.lock().generation());
        changed.then_some(self.next_list)
    }

    /// The person is called something else now.
    pub fn rename(&mut self, name: NickName) {
        self.room.presence.lock().rename(self.person, name);
        self.rooms.people_changed(&self.room.name);
    }
}

/// Where the room stands and where reading begins. A position of another life of the log means nothing here: the new
/// log is read from its beginning. A position that the log has not reached cannot be read after; its reader gets what
/// comes. The log has reached what is `kept`: a page over HTTP may have shown an event that the room shows in a moment.
fn start(rooms: &Rooms, room: &Room, from: &From, kept: Seq) -> (Seq, Seq) {
    let head = room.head();
    let cursor = match from {
        From { after: None, .. } => head,
        From { epoch: Some(epoch), .. } if epoch != rooms.epoch() => Seq::ZERO,
        From { after: Some(after), .. } => (*after).min(head.max(kept)),
    };
    (head.max(cursor), cursor)
}

/// A list of more people is longer and changes more often: in a room of thousands, a list twice a second to everybody would
/// be most of what is sent.
fn list_interval(people: usize) -> Duration {
    LIST_INTERVAL * u32::try_from(people / MAX_LISTED_USERS).unwrap_or(u32::MAX).clamp(1, SLOWEST_LISTS)
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.room.stop_listening(self.key);
        self.room.presence.lock().leave(self.person);
        self.rooms.people_changed(&self.room.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::tests::Log;

    async fn enter(rooms: &Rooms, after: u64) -> Subscription {
        let person = (PersonId(1), NickName::parse("ada").expect("a good name"));
        let from = From { after: Some(Seq(after)), epoch: None };
        rooms.enter(&RoomName::default(), person, &from, Arc::default()).await.expect("there is place")
    }

    async fn read(subscription: &mut Subscription) -> Vec<ServerFrame> {
        let frames = subscription.catch_up().await.expect("it can be read");
        frames.iter().map(|frame| serde_json::from_slice(frame).expect("a frame")).collect()
    }

    async fn read_seqs(subscription: &mut Subscription) -> Vec<u64> {
        let seq = |frame: &ServerFrame| match frame {
            ServerFrame::Chat(chat) => Some(chat.seq.0),
            _ => None,
        };
        read(subscription).await.iter().filter_map(seq).collect()
    }

    #[tokio::test]
    async fn what_is_kept_and_not_shown_yet_is_not_read_early() {
        let mut log = Log::new();
        let rooms = Rooms::new(log.store.clone());
        log.say_many("default", 3);
        let mut reader = enter(&rooms, 0).await;
        let late = log.say("default", 4);
        assert_eq!(read_seqs(&mut reader).await, [1, 2, 3]);
        assert!(read(&mut reader).await.is_empty());
        rooms.publish(&[late]);
        assert_eq!(read_seqs(&mut reader).await, [4]);
    }

    #[tokio::test]
    async fn what_a_page_showed_already_is_not_sent_again_when_the_room_shows_it() {
        let mut log = Log::new();
        let rooms = Rooms::new(log.store.clone());
        log.say("default", 1);
        let mut early = enter(&rooms, 1).await;
        let late = log.say("default", 2);
        let mut reader = enter(&rooms, 2).await;
        early.move_to(&From { after: Some(Seq(2)), epoch: None }).await.expect("there is place");
        rooms.publish(&[late]);
        let next = log.say("default", 3);
        rooms.publish(&[next]);
        for one in [&mut reader, &mut early] {
            assert_eq!(one.began(), Seq(2));
            assert_eq!(read_seqs(one).await, [3]);
        }
    }

    #[tokio::test]
    async fn whoever_is_far_behind_reads_on_page_by_page_while_live_goes_on() {
        let mut log = Log::new();
        let rooms = Rooms::new(log.store.clone());
        log.say_many("default", 600);
        let mut reader = enter(&rooms, 7).await;
        let mut seen = Vec::new();
        for live in 601..=620 {
            let event = log.say("default", live);
            rooms.publish(&[event]);
            seen.extend(read_seqs(&mut reader).await);
        }
        assert_eq!(seen, (8..=620).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_commit_that_was_not_heard_of_is_read_when_the_room_learns_of_it() {
        let mut log = Log::new();
        let rooms = Rooms::new(log.store.clone());
        log.say_many("default", 2);
        let mut reader = enter(&rooms, 2).await;
        log.say("default", 3);
        rooms.raise(&RoomName::default(), Seq(3));
        assert_eq!(read_seqs(&mut reader).await, [3]);
        log.say("default", 4);
        let fifth = log.say("default", 5);
        rooms.publish(&[fifth]);
        assert_eq!(read_seqs(&mut reader).await, [4, 5], "a hole in what is published is read from the store");
    }

    #[tokio::test]
    async fn a_quiet_room_gives_back_its_frames_and_readers_lose_nothing() {
        let mut log = Log::new();
        let rooms = Rooms::new(log.store.clone());
        let mut reader = enter(&rooms, 0).await;
        for id in 1..=5 {
            let event = log.say("default", id);
            rooms.publish(&[event]);
        }
        assert!(reader.room.recent_after(Seq(0), 1, 1).is_some());
        rooms.sweep_once();
        rooms.sweep_once();
        assert!(reader.room.recent_after(Seq(0), 1, 1).is_none(), "nothing was said between two looks");
        assert_eq!(read_seqs(&mut reader).await, [1, 2, 3, 4, 5]);
    }
}
