//! One connection's place in one room: a cursor into the log, and a seat among the people.

use super::{Rooms, encode, room::Room, stretch::Stretch};
use crate::{metrics::Resume, people::PersonId, store::Unreadable};
use app::protocol::{Epoch, Gap, MAX_LISTED_USERS, NickName, RoomName, Seq, ServerFrame};
use bytes::Bytes;
use futures::future::BoxFuture;
use std::{borrow::Cow, sync::Arc, task::Waker, time::Duration};
use tokio::time::Instant;

/// Bytes that one read gives, at most, save that one frame is always given.
const MAX_READ_BYTES: usize = 64 * 1024;

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
    person: PersonId,
    /// The room's newest position when reading began here, as far as this reader knows or is going to hear.
    began: Seq,
    /// Everything up to here has been sent.
    cursor: Seq,
    /// Nothing has been sent since reading began.
    is_fresh: bool,
    /// The user list that was sent last.
    listed: Option<u64>,
    /// The next one may be sent from then on; at once where there was none.
    next_list: Option<Instant>,
}

/// Where somebody wants to read on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct From {
    /// After this position; `None` reads only what comes from now on.
    pub after: Option<Seq>,
    /// The life of the log that the position belongs to; `None` trusts that it is this one.
    pub epoch: Option<Epoch>,
}

/// What lies ahead of a reader's cursor.
pub(crate) enum Ahead<'a> {
    /// Nothing.
    Nothing,
    /// A stretch whose frames [beyond](Stretch::beyond) the cursor are next. It stands until [`Subscription::advance`].
    Frames(Cow<'a, Stretch>),
    /// More than is replayed. The cursor is behind it already; the frame tells the reader.
    Gap(Bytes),
    /// Frames that have to be read from the store first. The cursor stands until [`Subscription::advance`].
    Stored(Replaying),
}

/// A stretch of log on its way from the store.
pub(crate) type Replaying = BoxFuture<'static, Result<Vec<Bytes>, Unreadable>>;

/// Somebody who is woken when a room has news, and reads for many. Dropping it ends that.
#[derive(Debug)]
pub struct Listening {
    room: Arc<Room>,
    key: u64,
}

/// Which list of people a room has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listed {
    generation: u64,
    people: usize,
}

impl Listening {
    /// The room's newest position.
    pub(crate) fn head(&self) -> Seq {
        self.room.head()
    }

    /// The frames after a position; `None` where the room's memory does not reach back to it.
    pub(crate) fn stretch(&self, after: Seq) -> Option<Stretch> {
        self.room.recent_after(after, MAX_READ_BYTES)
    }

    /// Which list of people there is.
    pub(crate) fn listed(&self) -> Listed {
        self.room.listed()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.room.stop_listening(self.key);
    }
}

impl Listed {
    pub(super) fn new(generation: u64, people: usize) -> Listed {
        Listed { generation, people }
    }
}

impl Subscription {
    /// The place of a connection that has [taken a seat](Room::take_seat) already.
    pub(super) fn new(rooms: Rooms, room: Arc<Room>, person: (PersonId, NickName), from: &From, kept: Seq) -> Self {
        room.presence.lock().enter(person.0, person.1);
        rooms.people_changed(&room.name);
        let (began, cursor) = start(&rooms, &room, from, kept);
        Subscription { room, rooms, person: person.0, began, cursor, is_fresh: true, listed: None, next_list: None }
    }

    /// The room.
    pub fn room(&self) -> &RoomName {
        &self.room.name
    }

    /// The newest position in the room.
    pub fn head(&self) -> Seq {
        self.room.head()
    }

    /// The newest position when reading began: whoever gave no cursor hears everything after it and nothing before.
    pub fn began(&self) -> Seq {
        self.began
    }

    /// Everything up to here has been sent.
    pub(crate) fn cursor(&self) -> Seq {
        self.cursor
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

    /// Has `waker` woken whenever the room has news, from now on: look for what there is already.
    pub fn listen(&self, waker: Waker) -> Listening {
        let key = self.rooms.next_key();
        self.room.listen(key, waker);
        Listening { room: self.room.clone(), key }
    }

    /// The newest position that the log has, as far as that matters to who comes from there.
    pub(crate) fn kept(&self, from: From) -> impl Future<Output = Result<Seq, Unreadable>> + Send + 'static {
        let (rooms, room) = (self.rooms.clone(), self.room.clone());
        async move { rooms.kept(&room, &from).await }
    }

    /// Reads on from somewhere else, and hears again who is here. `kept` is what [`Subscription::kept`] answered.
    pub(crate) fn move_to(&mut self, from: &From, kept: Seq) {
        (self.began, self.cursor) = start(&self.rooms, &self.room, from, kept);
        (self.is_fresh, self.listed, self.next_list) = (true, None, None);
    }

    /// What comes after the cursor, up to about [`MAX_READ_BYTES`]: out of the stretch that is
    /// shared by all who read now, where it has it.
    pub(crate) fn ahead<'a>(&mut self, stretch: Option<&'a Stretch>) -> Ahead<'a> {
        let head = self.room.head();
        if self.cursor >= head {
            self.is_fresh = false;
            return Ahead::Nothing;
        }
        // Who comes back after long has a page to fill. Who only reads slowly gets whatever is in memory.
        if self.is_fresh && head.distance_from(self.cursor) > MAX_REPLAY {
            return Ahead::Gap(self.gap(head));
        }
        if let Some(stretch) = stretch.filter(|stretch| !stretch.beyond(self.cursor).is_empty()) {
            return Ahead::Frames(Cow::Borrowed(stretch));
        }
        if let Some(stretch) = self.room.recent_after(self.cursor, MAX_READ_BYTES) {
            return Ahead::Frames(Cow::Owned(stretch));
        }
        if head.distance_from(self.cursor) > MAX_REPLAY {
            return Ahead::Gap(self.gap(head));
        }
        Ahead::Stored(self.replay(head))
    }

    /// The stretch after the cursor, where it has to be read from the store.
    pub(crate) fn stored_ahead(&self) -> Option<Replaying> {
        let head = self.room.head();
        let is_stored =
            self.cursor < head && head.distance_from(self.cursor) <= MAX_REPLAY && !self.room.reaches(self.cursor);
        is_stored.then(|| self.replay(head))
    }

    fn replay(&self, head: Seq) -> Replaying {
        let (rooms, name, cursor) = (self.rooms.clone(), self.room.name.clone(), self.cursor);
        Box::pin(async move { rooms.inner.replay.after(&name, cursor, head, MAX_READ_BYTES).await })
    }

    /// So many of the frames that lay ahead are on their way.
    pub(crate) fn advance(&mut self, frames: usize) {
        self.cursor = Seq(self.cursor.0 + frames as u64);
        self.is_fresh &= frames == 0;
    }

    fn gap(&mut self, head: Seq) -> Bytes {
        let (from, to) = (self.cursor.next(), Seq(head.0 - AFTER_GAP));
        (self.cursor, self.is_fresh) = (to, false);
        encode(&ServerFrame::Gap(Gap { room: self.room.name.clone(), from, to, head }))
    }

    /// Whether `listed` is news to this reader.
    pub(crate) fn is_news(&self, listed: Listed) -> bool {
        self.listed != Some(listed.generation)
    }

    /// The user list, if it changed since it was last sent and may be sent again.
    pub(crate) fn list(&mut self, listed: Listed, now: Instant) -> Option<Bytes> {
        if !self.is_news(listed) || self.next_list.is_some_and(|next| now < next) {
            return None;
        }
        let mut presence = self.room.presence.lock();
        let list = presence.frame(&self.room.name, now);
        self.listed = Some(list.generation);
        self.next_list = Some(now + list_interval(listed.people));
        Some(list.frame)
    }

    /// The person is called something else now.
    pub(crate) fn rename(&mut self, name: NickName) {
        self.room.presence.lock().rename(self.person, name);
        self.rooms.people_changed(&self.room.name);
    }

    /// Which list of people there is.
    pub(crate) fn listing(&self) -> Listed {
        self.room.listed()
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
        self.room.give_seat_back();
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
        rooms.enter(&RoomName::default(), person, &from).await.expect("there is place")
    }

    /// One read, as a connection does it.
    async fn read(subscription: &mut Subscription) -> Vec<ServerFrame> {
        let frames = match subscription.ahead(None) {
            Ahead::Nothing => Vec::new(),
            Ahead::Frames(stretch) => stretch.frames().map(Bytes::copy_from_slice).collect(),
            Ahead::Gap(gap) => return vec![decode(&gap)],
            Ahead::Stored(replaying) => replaying.await.expect("it can be read"),
        };
        subscription.advance(frames.len());
        frames.iter().map(decode).collect()
    }

    /// What stands in a frame behind its WebSocket header.
    fn decode(frame: &Bytes) -> ServerFrame {
        let start = frame.iter().position(|byte| *byte == b'{').expect("a JSON object");
        serde_json::from_slice(&frame[start..]).expect("a frame")
    }

    #[tokio::test]
    async fn who_stands_at_the_same_place_reads_the_same_bytes_until_more_is_said() {
        let mut log = Log::new();
        let rooms = Rooms::new(log.store.clone());
        let (mut first, mut second, mut third) =
            (enter(&rooms, 0).await, enter(&rooms, 0).await, enter(&rooms, 0).await);
        let mut publish = |id| rooms.publish(&[log.say("default", id)]);
        (1..=3).for_each(&mut publish);
        let place = |reader: &mut Subscription| match reader.ahead(None) {
            Ahead::Frames(stretch) => (stretch.beyond(Seq::ZERO).bytes().as_ptr(), stretch.len()),
            _ => panic!("three lie ahead"),
        };
        assert_eq!(place(&mut first), place(&mut second));
        assert_eq!(read_seqs(&mut second).await, [1, 2, 3]);
        publish(4);
        assert_eq!(read_seqs(&mut second).await, [4]);
        assert_eq!(read_seqs(&mut third).await, [1, 2, 3, 4]);
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
        let from = From { after: Some(Seq(2)), epoch: None };
        let kept = early.kept(from.clone()).await.expect("it can be read");
        early.move_to(&from, kept);
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
        assert!(reader.room.reaches(Seq(0)));
        rooms.sweep_once();
        rooms.sweep_once();
        assert!(!reader.room.reaches(Seq(0)), "nothing was said between two looks");
        assert_eq!(read_seqs(&mut reader).await, [1, 2, 3, 4, 5]);
    }
}
