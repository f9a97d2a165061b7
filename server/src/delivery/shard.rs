//! One thread's share of the sockets. It hears what comes in, lets the rooms that have news read on in turns, and writes
//! to its sockets itself: no task is woken for a delivery, and what queues meanwhile goes out with the next write.

use super::{
    arrival::Guest,
    audience::{Audience, Turns},
    bells::Bells,
    connection::{Connection, Done, Errand, Said, Spoken, Stall, Surroundings},
    ending::Ending,
    farewell,
    socket::Socket,
    wheel::Wheel,
};
use crate::{
    chat::Chat,
    metrics,
    rooms::{Listed, Stretch, Subscription},
};
use app::protocol::RoomName;
use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use indexmap::IndexSet;
use slotmap::{SlotMap, new_key_type};
use std::{
    collections::HashMap,
    future::poll_fn,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{Instant, Sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

new_key_type! {
    /// A connection of this shard.
    pub(super) struct ConnectionKey;
    /// The people of one room who are served by this shard.
    pub(super) struct AudienceKey;
}

/// What one read takes, at most, in bytes: a frame of the longest text, and its header.
const SCRATCH: usize = 64 * 1024 + 16;

/// People who take their places in a row before others have their turn.
const MAX_SEATED: usize = 64;

/// Errands whose outcome is heard in a row before others have their turn.
const MAX_OUTCOMES: usize = 256;

/// Sockets of one room that are written to in a row before others have their turn.
const TURN_SOCKETS: usize = 64;

/// Connections that are looked at before the first of them is written to. Among thousands the memory of each is cold: what
/// all of them need is fetched side by side.
const AHEAD: usize = 8;

/// Bytes that are written for one room in a row before others have their turn.
const TURN_BYTES: u64 = 2 * 1024 * 1024;

/// How often those are looked at from whom a list of people is held back, whose socket takes nothing, or who are ending.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Who calls a shard.
#[derive(Debug, Clone, Copy)]
pub(super) enum Caller {
    Connection(ConnectionKey),
    Audience(AudienceKey),
}

/// One thread's share of the sockets.
pub(super) struct Shard {
    chat: Chat,
    metrics: Arc<metrics::Delivery>,
    /// What was said since it was last counted.
    spoken: Spoken,
    bells: Arc<Bells<Caller>>,
    connections: SlotMap<ConnectionKey, Box<Connection>>,
    audiences: SlotMap<AudienceKey, Audience>,
    /// The audience of each room that has one here.
    rooms: HashMap<RoomName, AudienceKey>,
    turns: Turns,
    errands: FuturesUnordered<Errand>,
    goodbyes: TaskTracker,
    wheel: Wheel<ConnectionKey>,
    /// Those whose socket took nothing when it was last looked at, or who have begun to end.
    watched: IndexSet<ConnectionKey>,
    /// Audiences from some of whom a list of people is held back.
    lists_due: IndexSet<AudienceKey>,
    /// When to look next, where there is anything to look at.
    next_look: Instant,
    /// Ends when something is due.
    tick: Pin<Box<Sleep>>,
    /// Connections that there have been, to spread their heartbeats.
    count: u64,
    now: Instant,
    scratch: Box<[u8]>,
    ends: Ends,
    is_stopping: bool,
}

/// When a shard ends.
#[derive(Debug, Clone)]
pub(super) struct Ends {
    /// Everybody is told to come back later.
    pub(super) stopping: CancellationToken,
    /// Everything is dropped at once: whoever served is gone.
    pub(super) abandoned: CancellationToken,
}

#[derive(Debug, PartialEq, Eq)]
enum Alive {
    Yes,
    No,
}

/// What there is to do.
#[derive(Default)]
struct News {
    guests: Vec<Guest>,
    outcomes: Vec<Done>,
    callers: Vec<Caller>,
    is_time: bool,
    is_last: bool,
}

/// One turn of a room.
struct Turn {
    audience: AudienceKey,
    /// Which list of people there was when it began.
    listed: Listed,
    /// What those read who stand where the first one stood.
    stretch: Option<Stretch>,
    ended: Vec<(ConnectionKey, Ending)>,
}

impl Shard {
    pub(super) fn new(chat: Chat, metrics: metrics::Delivery, ends: Ends) -> Shard {
        let now = Instant::now();
        Shard {
            chat,
            metrics: Arc::new(metrics),
            spoken: Spoken::default(),
            bells: Bells::new(),
            connections: SlotMap::with_key(),
            audiences: SlotMap::with_key(),
            rooms: HashMap::new(),
            turns: Turns::default(),
            errands: FuturesUnordered::new(),
            goodbyes: TaskTracker::new(),
            wheel: Wheel::new(now),
            watched: IndexSet::new(),
            lists_due: IndexSet::new(),
            next_look: now,
            tick: Box::pin(tokio::time::sleep_until(now)),
            count: 0,
            now,
            scratch: vec![0; SCRATCH].into(),
            ends,
            is_stopping: false,
        }
    }

    /// Serves whoever comes until nobody can come any more and the last one has gone.
    pub(super) async fn run(mut self, guests: &mut mpsc::Receiver<Guest>) {
        let Ends { stopping, abandoned } = self.ends.clone();
        let (mut stopped, mut abandoned) = (pin!(stopping.cancelled()), pin!(abandoned.cancelled()));
        let mut news = News::default();
        loop {
            let awaited = poll_fn(|cx| {
                if !self.is_stopping && stopped.as_mut().poll(cx).is_ready() {
                    (self.is_stopping, self.now) = (true, Instant::now());
                    self.end_all();
                }
                match abandoned.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(Alive::No),
                    Poll::Pending => self.poll_news(cx, guests, &mut news).map(|()| Alive::Yes),
                }
            });
            if awaited.await == Alive::No {
                return;
            }
            self.now = Instant::now();
            self.work(&mut news);
            if news.is_last && self.connections.is_empty() {
                break;
            }
            // What has come in meanwhile is read before more is written: so load makes its own batches.
            tokio::task::yield_now().await;
        }
        self.goodbyes.close();
        tokio::select! {
            () = self.goodbyes.wait() => {}
            () = abandoned => {}
        }
    }

    /// Gathers what there is to do; pending while there is nothing.
    fn poll_news(&mut self, cx: &mut Context<'_>, guests: &mut mpsc::Receiver<Guest>, news: &mut News) -> Poll<()> {
        self.bells.take(cx.waker(), &mut news.callers);
        while news.guests.len() < MAX_SEATED && !news.is_last {
            match guests.poll_recv(cx) {
                Poll::Ready(Some(guest)) => news.guests.push(guest),
                Poll::Ready(None) => news.is_last = true,
                Poll::Pending => break,
            }
        }
        while news.outcomes.len() < MAX_OUTCOMES
            && let Poll::Ready(Some(done)) = self.errands.poll_next_unpin(cx)
        {
            news.outcomes.push(done);
        }
        news.is_time = self.tick.as_mut().poll(cx).is_ready();
        let has_any = !news.guests.is_empty() || !news.outcomes.is_empty() || !news.callers.is_empty();
        let is_over = news.is_last && self.connections.is_empty();
        let is_ready = has_any || news.is_time || is_over || !self.turns.is_empty();
        if is_ready { Poll::Ready(()) } else { Poll::Pending }
    }

    /// One pass: first what comes in, then one turn of the rooms that have news.
    fn work(&mut self, news: &mut News) {
        for guest in news.guests.drain(..) {
            self.seat(guest);
        }
        for done in news.outcomes.drain(..) {
            self.hear_outcome(done);
        }
        for caller in news.callers.drain(..) {
            match caller {
                Caller::Connection(key) => self.look_after(key),
                Caller::Audience(key) => self.turns.call(key, self.audiences.get_mut(key), self.now),
            }
        }
        if mem::take(&mut news.is_time) {
            self.keep_time();
        }
        self.take_turns();
        self.set_alarm();
        self.count();
    }

    /// Small rooms are served whole, as many as wait or as one turn has sockets, then one large one for a while: nobody in
    /// a small room waits for all the people of a large one.
    fn take_turns(&mut self) {
        let mut sockets = 0;
        while sockets < TURN_SOCKETS
            && let Some(key) = self.turns.next_small()
        {
            sockets += self.serve(key);
        }
        if let Some(key) = self.turns.next_large() {
            self.serve(key);
        }
    }

    /// Lets the next people of a room read on. Answers how many.
    fn serve(&mut self, key: AudienceKey) -> usize {
        let Some(audience) = self.audiences.get(key) else { return 0 };
        let listed = audience.listening().listed();
        let mut turn = Turn { audience: key, listed, stretch: None, ended: Vec::new() };
        let (mut sockets, before, mut few) = (0, self.spoken.bytes, Vec::with_capacity(AHEAD));
        while sockets < TURN_SOCKETS
            && self.spoken.bytes - before < TURN_BYTES
            && let Some(audience) = self.audiences.get_mut(key)
        {
            let head = audience.listening().head();
            let next = audience.next_few(AHEAD);
            if next.is_empty() {
                break;
            }
            sockets += next.len();
            let has_news = |member| self.connections.get(member).is_some_and(|one| one.has_news(key, head, listed));
            few.extend(next.iter().copied().filter(|member| has_news(*member)));
            few.drain(..).for_each(|member| self.tell(member, &mut turn));
        }
        if let Some(audience) = self.audiences.get_mut(key) {
            self.turns.go_on(key, audience, Instant::now());
        }
        for (member, ending) in turn.ended {
            self.begin_to_end(member, ending);
        }
        sockets
    }

    /// Lets one of a room's people read on.
    fn tell(&mut self, member: ConnectionKey, turn: &mut Turn) {
        let Shard { audiences, connections, chat, errands, metrics, spoken, now, watched, lists_due, .. } = self;
        let key = turn.audience;
        let (Some(audience), Some(connection)) = (audiences.get_mut(key), connections.get_mut(member)) else { return };
        if turn.stretch.is_none()
            && let Some(cursor) = connection.cursor_in(key)
            && cursor < audience.listening().head()
        {
            metrics.behind(audience.listening().head().distance_from(cursor));
            turn.stretch = audience.listening().stretch(cursor);
            audience.carry(turn.stretch.as_ref().map_or(0, Stretch::len));
        }
        let (said, mut left) = (connection.said(), Vec::new());
        let mut around = Surroundings { key: member, now: *now, chat, errands, left: &mut left, entered: None };
        let (stretch, listed) = (turn.stretch.as_ref(), turn.listed);
        let caught_up = catch_unwind(AssertUnwindSafe(|| connection.catch_up_in(key, stretch, listed, &mut around)));
        // What fails ends that connection alone. What panicked was logged by the hook.
        match caught_up.unwrap_or(Err(Ending::Failed)) {
            Ok(Said::Everything) => {}
            Ok(Said::Some) => audience.come_again(),
            Err(ending) => turn.ended.push((member, ending)),
        }
        spoken.add_between(said, connection.said());
        if connection.stall(*now) != Stall::None {
            watched.insert(member);
        }
        if connection.awaits_list(key, listed) {
            lists_due.insert(key);
        }
    }

    /// Counts what was said in this pass.
    fn count(&mut self) {
        let Spoken { frames, messages, bytes } = mem::take(&mut self.spoken);
        if frames > 0 {
            self.metrics.said(frames, bytes);
            self.metrics.delivered(messages);
        }
    }

    // People

    /// Gives somebody who has arrived a place among the connections.
    fn seat(&mut self, guest: Guest) {
        let (number, now) = (self.count, self.now);
        self.count += 1;
        let Guest { opened, welcome, seat, is_unreadable, admitted } = guest;
        let early = opened.early.clone();
        // Without a descriptor for the poll it cannot be served. They come back.
        let Ok(io) = opened.io.into_stream().inspect_err(|error| tracing::warn!(%error, "a socket is of no use"))
        else {
            return;
        };
        let (bells, metrics) = (&self.bells, self.metrics.clone());
        let key = self.connections.insert_with_key(|key| {
            let socket = Socket::new(io, bells.bell(Caller::Connection(key)));
            Box::new(Connection::new(welcome, socket, &early, metrics, number, now))
        });
        self.wheel.put(key, self.connections[key].next_beat());
        if let Some((seat, read)) = seat {
            self.sit_down(key, seat, read);
        }
        self.count_since(key, Spoken::default());
        match (self.is_stopping, is_unreadable) {
            (true, _) => self.begin_to_end(key, Ending::Restarting),
            (_, true) => self.begin_to_end(key, Ending::Unreadable),
            // Something may have come in, or been said, before its bells hung.
            _ => self.look_after(key),
        }
        drop(admitted);
    }

    /// Puts a connection among those who read a room.
    fn sit_down(&mut self, key: ConnectionKey, seat: Subscription, read: Vec<Bytes>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let audience = *self.rooms.entry(seat.room().clone()).or_insert_with_key(|room| {
            let listen = |audience| seat.listen(self.bells.bell(Caller::Audience(audience)));
            self.audiences.insert_with_key(|audience| Audience::new(room.clone(), listen(audience)))
        });
        self.audiences[audience].add(key);
        connection.sit_down(audience, seat, read, self.now);
    }

    fn stand_up(&mut self, key: ConnectionKey, audience: AudienceKey) {
        let Some(found) = self.audiences.get_mut(audience) else { return };
        found.remove(key);
        if found.is_empty() {
            self.rooms.remove(found.room());
            self.audiences.remove(audience);
        }
    }

    /// Does something with a connection, and what follows from it. What fails there ends that connection alone.
    fn with(
        &mut self,
        key: ConnectionKey,
        deed: impl FnOnce(&mut Connection, &mut Surroundings<'_>, &mut [u8]) -> Result<(), Ending>,
    ) {
        let Shard { connections, chat, errands, now, scratch, .. } = self;
        let Some(connection) = connections.get_mut(key) else { return };
        let mut left = Vec::new();
        let mut around = Surroundings { key, now: *now, chat, errands, left: &mut left, entered: None };
        let said = connection.said();
        let done = catch_unwind(AssertUnwindSafe(|| deed(connection, &mut around, scratch)));
        let entered = around.entered;
        if connection.stall(*now) != Stall::None {
            self.watched.insert(key);
        }
        for audience in left {
            self.stand_up(key, audience);
        }
        if let Some(seat) = entered {
            self.sit_down(key, seat, Vec::new());
        }
        self.count_since(key, said);
        match done {
            Ok(Ok(())) => self.end_if_over(key),
            Ok(Err(ending)) => self.begin_to_end(key, ending),
            // What panicked was logged by the hook.
            Err(_) => self.begin_to_end(key, Ending::Failed),
        }
    }

    /// Counts what a connection said since a look.
    fn count_since(&mut self, key: ConnectionKey, before: Spoken) {
        if let Some(connection) = self.connections.get(key) {
            self.spoken.add_between(before, connection.said());
        }
    }

    fn look_after(&mut self, key: ConnectionKey) {
        self.with(key, |connection, around, scratch| connection.look_after(around, scratch));
    }

    fn hear_outcome(&mut self, Done { connection, outcome }: Done) {
        self.with(connection, |connection, around, _| connection.hear_outcome(outcome, around));
    }

    // Time

    fn keep_time(&mut self) {
        while let Some(due) = self.wheel.take(self.now) {
            for key in due {
                self.with(key, |connection, around, _| connection.beat(around.now));
                if let Some(connection) = self.connections.get(key) {
                    self.wheel.put(key, connection.next_beat());
                }
            }
        }
        if self.now >= self.next_look {
            self.next_look = self.now + LOOK_EVERY;
            for key in mem::take(&mut self.lists_due) {
                self.turns.call(key, self.audiences.get_mut(key), self.now);
            }
            for key in mem::take(&mut self.watched) {
                self.watch(key);
            }
        }
    }

    /// Looks again at a socket that took nothing, or at a connection that has begun to end.
    fn watch(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.is_ending() {
            self.watched.insert(key);
            return self.end_if_over(key);
        }
        match connection.stall(self.now) {
            Stall::None => {}
            Stall::Some => _ = self.watched.insert(key),
            Stall::TooLong => self.begin_to_end(key, Ending::TooSlow),
        }
    }

    /// Makes sure to be woken for what is due next.
    fn set_alarm(&mut self) {
        let has_to_look = !self.lists_due.is_empty() || !self.watched.is_empty();
        let looks = has_to_look.then_some(self.next_look.max(self.now));
        let rested = self.turns.wake(self.now);
        let next = [looks, rested].into_iter().flatten().fold(self.wheel.next(), Instant::min);
        if self.tick.deadline() != next {
            self.tick.as_mut().reset(next);
        }
    }

    // Ending

    fn end_all(&mut self) {
        for key in self.connections.keys().collect::<Vec<_>>() {
            self.begin_to_end(key, Ending::Restarting);
        }
    }

    fn begin_to_end(&mut self, key: ConnectionKey, ending: Ending) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        for audience in connection.begin_to_end(ending, self.now) {
            self.stand_up(key, audience);
        }
        self.watched.insert(key);
        self.end_if_over(key);
    }

    fn end_if_over(&mut self, key: ConnectionKey) {
        if self.connections.get(key).is_some_and(|connection| connection.is_over(self.now))
            && let Some(connection) = self.connections.remove(key)
        {
            let remains = connection.end();
            if remains.has_to_be_said() {
                self.goodbyes.spawn(farewell::say(remains));
            }
        }
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        // A bell that was rung and not looked after holds the bells, and they it.
        self.bells.close();
    }
}

#[cfg(test)]
mod tests;
