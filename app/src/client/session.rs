//! Everything that a browser knows of its talk with the server. No DOM, no clock, no randomness: whoever drives it
//! brings the time, carries the frames, and loads the history that it asks for.
//!
//! One connection goes so:
//! [`query`](Session::query) for the socket's address, [`dialing`](Session::dialing), [`opened`](Session::opened),
//! then [`receive`](Session::receive) for every frame that comes, and after every change
//! [`next_frame`](Session::next_frame) and [`next_request`](Session::next_request) until they have nothing more;
//! look again after [`next_due`](Session::next_due) milliseconds, close the socket when it [`is_dead`](Session::is_dead),
//! and say [`closed`](Session::closed) when it is.

use super::{
    address,
    first_page::RoomPage,
    heartbeat::Heartbeat,
    naming::{NameProblem, Naming},
    outbox::{Draft, DraftState, Full, MAX_BYTES_IN_ALL, MAX_DRAFTS, MAX_DRAFTS_IN_ALL},
    room::{HistoryRequest, Joined, Room, Search},
    timeline::{Edge, Timeline},
};
use crate::protocol::{
    ClientFrame, ErrorCode, ErrorFrame, Kind, Limits, MessageId, NickName, Page, RoomName, Seq, ServerFrame, SocketId,
    Status, Text, Timestamp,
};

/// How many rooms are open in one page at most. The socket leaves the one that was not looked at for longest.
pub const MAX_OPEN_ROOMS: usize = 20;

/// How long a message may stay unanswered on a living socket, in milliseconds.
const ACK_WITHIN_MS: u64 = 15_000;

/// How long the server may take until its first frame, in milliseconds.
const GREETING_WITHIN_MS: u64 = 10_000;

/// How long to wait when the server asks for patience without saying how much, in milliseconds.
const PATIENCE_MS: u64 = 1_000;

/// How long to wait before asking again for a room that the server did not let the socket into, in milliseconds.
const DENIED_MS: u64 = 30_000;

/// What is said of a message that an address leads to and that the room does not have.
pub(crate) const NOT_HERE: &str = "This message is not here (yet).";

/// The state of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// A socket is being opened since this time, or is open and the server has not said anything.
    Connecting(u64),
    /// The server has greeted this page.
    Connected,
    /// There is no socket; the next one is opened at this time.
    Waiting(u64),
    /// There is no socket, and there will be none by itself, for this reason.
    Away(&'static str),
}

/// What a connection replayed when it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resume {
    /// How many events came that had been missed.
    pub replayed: u64,
    /// How many positions were skipped.
    pub skipped: u64,
}

/// One page's talk with the server.
#[derive(Debug, Clone)]
pub struct Session {
    /// At most [`MAX_OPEN_ROOMS`], and those in which something waits; in the order in which they were opened; never
    /// empty.
    rooms: Vec<Room>,
    current: RoomName,
    /// Rooms that the socket is to leave.
    leaving: Vec<RoomName>,
    naming: Naming,
    link: Link,
    /// The server has greeted the socket that is open.
    greeted: bool,
    heartbeat: Heartbeat,
    /// How many connections there were.
    connections: u32,
    socket: Option<SocketId>,
    limits: Option<Limits>,
    /// The server's clock minus this browser's, in milliseconds.
    skew: i64,
    resume: Resume,
    /// The server asked for patience until this time.
    patience: u64,
    /// Why, in the server's words.
    hindrance: Option<String>,
    alerts: Vec<String>,
    turn: u64,
    /// How many times a message was shown because it was looked for.
    found: u32,
    /// Which build made this page.
    made_by: String,
    /// Which build serves now.
    build: String,
}

impl Session {
    /// Goes on from where the server rendered the page.
    pub fn new(page: RoomPage) -> Session {
        let mut room = Room::new(page.page.room.clone());
        let around = page.focus.and_then(|seq| Timeline::around(&page.page, seq));
        room.timeline = around.or_else(|| Some(Timeline::of_page(&page.page)));
        room.users = page.users;
        Session {
            current: room.name.clone(),
            rooms: vec![room],
            leaving: Vec::new(),
            naming: Naming::remembering(page.me),
            link: Link::Connecting(0),
            greeted: false,
            heartbeat: Heartbeat::default(),
            connections: 0,
            socket: None,
            limits: None,
            skew: 0,
            resume: Resume::default(),
            patience: 0,
            hindrance: None,
            alerts: Vec::new(),
            turn: 0,
            found: 0,
            made_by: page.build.clone(),
            build: page.build,
        }
    }

    /// The query of the socket's address: the current room, where to read on, and the name to be called by.
    pub fn query(&self) -> String {
        let cursor = self.room().timeline().map(|timeline| (timeline.cursor(), timeline.epoch()));
        address::socket_query(&self.current, cursor, self.naming.known())
    }

    /// A socket is being opened.
    pub fn dialing(&mut self, now: u64) {
        self.link = Link::Connecting(now);
    }

    /// The socket is open.
    pub fn opened(&mut self, now: u64) {
        self.link = Link::Connecting(now);
        self.greeted = false;
        self.resume = Resume::default();
        self.heartbeat.begin(now);
    }

    /// Takes a frame.
    pub fn receive(&mut self, frame: ServerFrame, now: u64) {
        match frame {
            ServerFrame::Status(status) => self.told(&status, now),
            ServerFrame::Chat(chat) => {
                let me = self.naming.known().cloned();
                let catching_up = self.find(&chat.room).is_some_and(|room| chat.seq <= room.catch_up_to);
                self.resume.replayed += u64::from(catching_up);
                self.with_room(&chat.room.clone(), |room| room.heard(chat, me.as_ref()));
            }
            ServerFrame::UserList(users) => self.with_room(&users.room.clone(), |room| room.users = users),
            ServerFrame::Ack(ack) => {
                self.hindrance = None;
                self.with_room(&ack.room, |room| room.acknowledged(ack.id, ack.seq));
            }
            ServerFrame::Gap(gap) => {
                self.resume.skipped += gap.to.next().distance_from(gap.from);
                self.with_room(&gap.room, |room| room.skipped(&gap));
            }
            ServerFrame::Pong(pong) => {
                self.heartbeat.answered(now);
                self.clock_was(pong.time, now);
            }
            ServerFrame::Error(error) => self.refused(&error, now),
            ServerFrame::Unknown => {}
        }
        // Rooms that were open only for what waited there.
        self.close_idle_rooms();
    }

    /// The next thing to say to the server, which counts as said. Call it until there is none.
    pub fn next_frame(&mut self, now: u64) -> Option<ClientFrame> {
        if !self.greeted {
            return None;
        }
        if let Some(room) = self.leaving.pop() {
            return Some(ClientFrame::Leave { room: Some(room) });
        }
        if let Some(name) = self.naming.ask_next() {
            return Some(ClientFrame::Nick { name });
        }
        self.next_join(now).or_else(|| self.next_chat(now)).or_else(|| {
            let due = self.heartbeat.ask(now);
            due.then_some(ClientFrame::Ping)
        })
    }

    /// The next page of history to load by HTTP, whose loading counts as begun. Call it until there is none.
    pub fn next_request(&mut self, now: u64) -> Option<HistoryRequest> {
        self.rooms.iter_mut().find_map(|room| room.request(now))
    }

    /// The answer to a request, or none when it failed and is to be asked again later.
    pub fn loaded(&mut self, request: &HistoryRequest, page: Option<&Page>, now: u64) {
        let room = self.rooms.iter_mut().find(|room| room.name == request.room);
        let search = room.map_or(Search::Open, |room| room.loaded(request.stretch, page, now));
        self.searched(search);
    }

    /// In how many milliseconds something will be due even if nothing happens.
    pub fn next_due(&self, now: u64) -> Option<u64> {
        let answer = |room: &Room| room.outbox.in_flight_since().map(|since| since + ACK_WITHIN_MS);
        let patience = (self.greeted && self.patience > now).then_some(self.patience);
        let denied = self.rooms.iter().filter_map(|room| match room.joined {
            Joined::Denied(until) => Some(until),
            _ => None,
        });
        let fetches = self.rooms.iter().filter(|room| !room.fetch.running).map(|room| room.fetch.not_before);
        let connection = match self.link {
            Link::Connecting(since) => Some(since + GREETING_WITHIN_MS),
            Link::Connected => Some(self.heartbeat.due()),
            Link::Waiting(_) | Link::Away(_) => None,
        };
        let dues = connection.into_iter().chain(patience).chain(denied);
        let dues = dues.chain(fetches.filter(|at| *at > now)).chain(self.rooms.iter().filter_map(answer));
        dues.min().map(|at| at.saturating_sub(now))
    }

    /// Whether the socket no longer answers and should be closed.
    pub fn is_dead(&self, now: u64) -> bool {
        let overdue = |room: &Room| room.outbox.in_flight_since().is_some_and(|since| now >= since + ACK_WITHIN_MS);
        match self.link {
            Link::Connecting(since) => now >= since + GREETING_WITHIN_MS,
            Link::Connected => self.heartbeat.is_dead(now) || self.rooms.iter().any(overdue),
            Link::Waiting(_) | Link::Away(_) => false,
        }
    }

    /// The browser woke up or the network changed: find out quickly whether the socket still lives.
    pub fn doubt(&mut self, now: u64) {
        if self.link == Link::Connected {
            self.heartbeat.doubt(now);
        }
        self.rooms.iter_mut().for_each(Room::load_soon);
    }

    /// The socket is closed. Unacknowledged drafts will go again with their old ids.
    pub fn closed(&mut self, now: u64) {
        self.link = Link::Waiting(now);
        self.greeted = false;
        self.be_impatient();
        self.hindrance = None;
        self.leaving.clear();
        self.naming.cut();
        self.rooms.iter_mut().for_each(Room::cut);
    }

    /// The reader wants to try now what the server asked to try later.
    pub fn be_impatient(&mut self) {
        self.patience = 0;
    }

    /// When the next socket will be opened.
    pub fn returns_at(&mut self, at: u64) {
        self.link = Link::Waiting(at);
    }

    /// There will be no next socket by itself.
    pub fn stays_away(&mut self, why: &'static str) {
        self.link = Link::Away(why);
    }

    /// Says something in the current room. It is shown at once and sent when it can be.
    pub fn post(&mut self, text: Text, kind: Kind, id: MessageId, now: u64) -> Result<(), Full> {
        if !self.has_place_for(1, text.as_str().len()) {
            return Err(Full);
        }
        let created = Timestamp(now.saturating_add_signed(self.skew));
        let room = self.room_mut();
        room.outbox.add(Draft { id, text, kind, created, state: DraftState::Waiting })?;
        self.follow();
        Ok(())
    }

    /// Takes in drafts that another page of this browser left, and opens their rooms, so that they are sent. All of
    /// them, or none where there is no place for all: then false.
    pub fn adopt(&mut self, left: Vec<(RoomName, Draft)>) -> bool {
        let mut rooms: Vec<(RoomName, Vec<Draft>)> = Vec::new();
        for (name, draft) in left {
            if self.find(&name).is_some_and(|room| room.knows(draft.id)) {
                continue;
            }
            match rooms.iter_mut().find(|room| room.0 == name) {
                Some((_, drafts)) => drafts.push(draft),
                None => rooms.push((name, vec![draft])),
            }
        }
        let held = |name| self.find(name).map_or(0, |room| room.outbox.len());
        let fits = rooms.iter().all(|(name, drafts)| held(name) + drafts.len() <= MAX_DRAFTS);
        let count = rooms.iter().map(|(_, drafts)| drafts.len()).sum();
        let bytes = rooms.iter().flat_map(|(_, drafts)| drafts).map(|draft| draft.text.as_str().len()).sum();
        if !fits || !self.has_place_for(count, bytes) {
            return false;
        }
        for (name, drafts) in rooms {
            if self.find(&name).is_none() {
                self.rooms.push(Room::new(name.clone()));
            }
            self.leaving.retain(|leaving| *leaving != name);
            self.with_room(&name, |room| room.outbox.adopt(drafts));
        }
        self.close_idle_rooms();
        true
    }

    /// Another page of this browser sends these from now on.
    pub fn hand_over(&mut self, ids: &[MessageId]) {
        self.rooms.iter_mut().for_each(|room| room.outbox.hand_over(ids));
    }

    /// Sends a refused draft once more.
    pub fn retry(&mut self, id: MessageId) {
        self.room_mut().outbox.retry(id);
    }

    /// Forgets a refused draft.
    pub fn discard(&mut self, id: MessageId) {
        self.room_mut().outbox.discard(id);
    }

    /// Wants to be called by a name.
    pub fn choose_name(&mut self, name: NickName) {
        self.naming.choose(name);
    }

    /// Looks at another room, which is opened if it is not open yet.
    pub fn switch(&mut self, name: RoomName) {
        if name == self.current {
            return;
        }
        let left = self.room_mut();
        left.sought = None;
        left.left_at = left.timeline.as_ref().map(Timeline::place);
        self.leaving.retain(|leaving| *leaving != name);
        if self.find(&name).is_none() {
            self.rooms.push(Room::new(name.clone()));
        }
        self.enter(name);
        self.close_idle_rooms();
    }

    /// Looks at a message of the current room, as soon as it is here.
    pub fn seek(&mut self, seq: Seq) {
        let search = self.room_mut().seek(seq);
        self.searched(search);
    }

    /// No message is looked at or looked for any more.
    pub fn unfocus(&mut self) {
        self.room_mut().sought = None;
        self.with_timeline(Timeline::unfocus);
    }

    /// Leaves a room, and looks at the one before it if it was the current one. False when it is the only one.
    pub fn part(&mut self, name: &RoomName) -> bool {
        let others = self.rooms.iter().filter(|room| room.name != *name);
        let Some(next) = others.max_by_key(|room| room.used).map(|room| room.name.clone()) else { return false };
        self.close(name);
        if *name == self.current {
            self.enter(next);
        }
        true
    }

    /// Says something to the reader of the current room alone.
    pub fn note(&mut self, text: &str) {
        if let Some(timeline) = &mut self.room_mut().timeline {
            timeline.note(text);
        }
        self.follow();
    }

    /// The reader wants the newest messages in view.
    pub fn follow(&mut self) {
        // Whoever goes to the end has stopped looking for something else.
        self.room_mut().sought = None;
        self.with_timeline(Timeline::follow);
    }

    /// The reader looks at something above the newest messages.
    pub fn hold(&mut self) {
        self.with_timeline(Timeline::hold);
    }

    /// The reader is near the first message that is shown; whether that changes anything.
    pub fn reveal_older(&mut self) -> bool {
        self.room_mut().reveal_older()
    }

    /// The reader is near the last message that is shown; whether that changes anything.
    pub fn reveal_newer(&mut self) -> bool {
        self.room_mut().timeline.as_mut().is_some_and(Timeline::reveal_newer)
    }

    /// The reader wants to see more of a hole.
    pub fn want_hole(&mut self, number: u32, edge: Edge) {
        self.with_timeline(|timeline| timeline.want_hole(number, edge));
    }

    /// The reader is near an edge of a hole; whether that changes anything.
    pub fn near_hole(&mut self, number: u32, edge: Edge) -> bool {
        self.room_mut().timeline.as_mut().is_some_and(|timeline| timeline.near_hole(number, edge))
    }

    /// The room that is looked at.
    pub fn room(&self) -> &Room {
        self.find(&self.current).expect("the current room is open")
    }

    /// Which visit to a room this is: a number that grows whenever another room is looked at.
    pub fn visit(&self) -> u64 {
        self.turn
    }

    /// How many times a message was shown because an address led to it.
    pub fn found(&self) -> u32 {
        self.found
    }

    /// A room that is open in this page.
    pub fn find(&self, name: &RoomName) -> Option<&Room> {
        self.rooms.iter().find(|room| room.name == *name)
    }

    /// All rooms that are open in this page, in the order in which they were opened.
    pub fn rooms(&self) -> &[Room] {
        &self.rooms
    }

    /// The name in use, or the one of the last time.
    pub fn name(&self) -> Option<&NickName> {
        self.naming.known()
    }

    /// Who is shown as the author of what waits: the name in use, or the one that is asked for instead of one that
    /// is taken.
    pub fn author(&self) -> Option<&NickName> {
        self.name().or_else(|| self.naming.problem().map(|problem| &problem.wanted))
    }

    /// The name that the server confirmed on this connection.
    pub fn confirmed_name(&self) -> Option<&NickName> {
        self.naming.known().filter(|_| self.naming.is_settled())
    }

    /// Whether a name was asked for and is not answered.
    pub fn name_is_pending(&self) -> bool {
        self.naming.is_pending()
    }

    /// Why a name was not given.
    pub fn name_problem(&self) -> Option<&NameProblem> {
        self.naming.problem()
    }

    /// The state of the connection.
    pub fn link(&self) -> Link {
        self.link
    }

    /// How many messages wait to be sent or acknowledged, in all rooms.
    pub fn waiting(&self) -> usize {
        self.rooms.iter().map(|room| room.outbox.waiting()).sum()
    }

    /// All drafts of all rooms, each room's in their order.
    pub fn drafts(&self) -> impl Iterator<Item = (&RoomName, &Draft)> {
        self.rooms.iter().flat_map(|room| room.outbox.drafts().map(|draft| (&room.name, draft)))
    }

    /// Whether anything is said that the server has not acknowledged.
    pub fn has_unsent(&self) -> bool {
        self.rooms.iter().any(|room| room.outbox.has_unsent())
    }

    /// Why the server does not take what waits to be sent, while it does not.
    pub fn hindrance(&self) -> Option<&str> {
        self.hindrance.as_deref().filter(|_| self.waiting() > 0)
    }

    /// How many connections this page has had.
    pub fn connections(&self) -> u32 {
        self.connections
    }

    /// The last measured time to the server and back, in milliseconds.
    pub fn round_trip(&self) -> Option<u64> {
        self.heartbeat.round_trip()
    }

    /// What this connection replayed.
    pub fn resume(&self) -> Resume {
        self.resume
    }

    /// The server's clock minus this browser's, in milliseconds.
    pub fn skew(&self) -> i64 {
        self.skew
    }

    /// What the server wants its clients to keep to.
    pub fn limits(&self) -> Option<Limits> {
        self.limits
    }

    /// The identity of the last socket that the server greeted.
    pub fn socket(&self) -> Option<&SocketId> {
        self.socket.as_ref()
    }

    /// Which build serves.
    pub fn build(&self) -> &str {
        &self.build
    }

    /// Whether another build serves than the one that made this page.
    pub fn is_outdated(&self) -> bool {
        self.build != self.made_by
    }

    /// What the reader should be told and was not yet.
    pub fn take_alerts(&mut self) -> Vec<String> {
        std::mem::take(&mut self.alerts)
    }

    fn told(&mut self, status: &Status, now: u64) {
        let first = !std::mem::replace(&mut self.greeted, true);
        if first {
            self.link = Link::Connected;
            self.connections += 1;
            self.rooms.iter_mut().for_each(Room::load_soon);
        }
        self.socket = Some(status.socket.clone());
        self.limits = Some(status.limits);
        if !status.build.is_empty() {
            self.build.clone_from(&status.build);
        }
        self.clock_was(status.time, now);
        let me = self.naming.known().cloned();
        self.naming.told(status, first);
        self.with_room(&status.room, |room| room.told(status, me.as_ref()));
    }

    fn searched(&mut self, search: Search) {
        match search {
            Search::Open => {}
            Search::Found => self.found += 1,
            Search::Failed => self.alerts.push(NOT_HERE.to_owned()),
        }
    }

    fn clock_was(&mut self, server: Timestamp, now: u64) {
        // Half of the way there and back is the best guess of how old the server's word is.
        let then = server.0 + self.heartbeat.round_trip().unwrap_or(0) / 2;
        self.skew = i64::try_from(i128::from(then) - i128::from(now)).unwrap_or(0);
    }

    fn next_join(&mut self, now: u64) -> Option<ClientFrame> {
        self.rooms.iter_mut().find_map(|room| {
            let timeline = room.timeline.as_ref()?;
            let due = match room.joined {
                Joined::No => true,
                Joined::Denied(until) => now >= until,
                Joined::Asked | Joined::Yes => false,
            };
            if !due {
                return None;
            }
            room.joined = Joined::Asked;
            let (after, epoch) = (Some(timeline.cursor()), Some(timeline.epoch().clone()));
            Some(ClientFrame::Join { room: room.name.clone(), after, epoch })
        })
    }

    fn next_chat(&mut self, now: u64) -> Option<ClientFrame> {
        if !self.naming.is_settled() || now < self.patience {
            return None;
        }
        self.rooms.iter_mut().filter(|room| room.is_caught_up()).find_map(|room| {
            let draft = room.outbox.send_next(now)?;
            let (text, kind, id) = (draft.text.clone(), draft.kind, Some(draft.id));
            Some(ClientFrame::Chat { author: None, text, room: Some(room.name.clone()), id, kind })
        })
    }

    fn refused(&mut self, error: &ErrorFrame, now: u64) {
        let holder = error.id.and_then(|id| Some((id, self.rooms.iter_mut().find(|room| room.outbox.holds(id))?)));
        match (error.code, holder) {
            (ErrorCode::TooFast | ErrorCode::Busy, Some((id, room))) => {
                room.outbox.postpone(id);
                self.patience = now + error.retry_after_ms.unwrap_or(PATIENCE_MS);
                self.hindrance = Some(error.text.clone());
            }
            (_, Some((id, room))) => {
                room.outbox.refuse(id, &error.text);
                self.hindrance = None;
            }
            (ErrorCode::NameTaken | ErrorCode::BadName, None) if self.naming.refused(error) => self.tell_of_name(),
            _ => self.denied(error, now),
        }
    }

    fn denied(&mut self, error: &ErrorFrame, now: u64) {
        let until = now + error.retry_after_ms.unwrap_or(DENIED_MS);
        for room in self.rooms.iter_mut().filter(|room| error.room.as_ref() == Some(&room.name)) {
            if room.joined == Joined::Asked {
                room.joined = Joined::Denied(until);
            }
        }
        self.alerts.push(error.text.clone());
    }

    /// Who has no name sees the problem where the name is asked for; who wanted another one has to be told.
    fn tell_of_name(&mut self) {
        if let (Some(_), Some(problem)) = (self.naming.known(), self.naming.problem()) {
            let hint = problem.suggestion.as_ref().map(|free| [" Try /nick ", free.as_str(), "."].concat());
            self.alerts.push([problem.text.as_str(), hint.as_deref().unwrap_or_default()].concat());
        }
    }

    fn enter(&mut self, name: RoomName) {
        self.turn += 1;
        let turn = self.turn;
        self.current = name;
        let room = self.room_mut();
        room.used = turn;
        room.sought = None;
        let left_at = room.left_at;
        if let Some(timeline) = &mut room.timeline {
            timeline.enter(left_at);
        }
    }

    /// Whether all outboxes together may hold so many drafts more, with so many bytes of text.
    fn has_place_for(&self, drafts: usize, bytes: usize) -> bool {
        let held = |held: (usize, usize), room: &Room| (held.0 + room.outbox.len(), held.1 + room.outbox.bytes());
        let (held_drafts, held_bytes) = self.rooms.iter().fold((0, 0), held);
        held_drafts + drafts <= MAX_DRAFTS_IN_ALL && held_bytes + bytes <= MAX_BYTES_IN_ALL
    }

    fn close_idle_rooms(&mut self) {
        while self.rooms.len() > MAX_OPEN_ROOMS {
            let idle = self.rooms.iter().filter(|room| room.name != self.current && room.outbox.is_empty());
            // Rooms with drafts stay: what was said there is not given up. Their number is bounded by the outboxes.
            let Some(name) = idle.min_by_key(|room| room.used).map(|room| room.name.clone()) else { return };
            self.close(&name);
        }
    }

    fn close(&mut self, name: &RoomName) {
        let joined = self.find(name).is_some_and(|room| matches!(room.joined, Joined::Yes | Joined::Asked));
        if joined {
            self.leaving.push(name.clone());
        }
        self.rooms.retain(|room| room.name != *name);
    }

    fn room_mut(&mut self) -> &mut Room {
        let current = &self.current;
        self.rooms.iter_mut().find(|room| room.name == *current).expect("the current room is open")
    }

    fn with_room(&mut self, name: &RoomName, change: impl FnOnce(&mut Room)) {
        if let Some(room) = self.rooms.iter_mut().find(|room| room.name == *name) {
            change(room);
        }
    }

    fn with_timeline(&mut self, change: impl FnOnce(&mut Timeline)) {
        if let Some(timeline) = &mut self.room_mut().timeline {
            change(timeline);
        }
    }
}

#[cfg(test)]
mod tests;
