use super::*;
use crate::{
    client::{
        first_page::Theme,
        timeline::{Edge, Entry, PAGE_EVENTS, Stretch},
    },
    protocol::{Ack, Chat, Epoch, Event, Gap, Pong, Seq, SocketId, UserList},
};
use proptest::prelude::*;
use std::collections::VecDeque;

const ADA: &str = "ada";

fn nick(name: &str) -> NickName {
    NickName::parse(name).expect("a name")
}

fn room_name(name: &str) -> RoomName {
    RoomName::parse(name).expect("a room name")
}

fn text(words: &str) -> Text {
    Text::parse(words).expect("a text")
}

fn id(number: u64) -> MessageId {
    MessageId::new(number, 0)
}

fn users(room: &RoomName) -> UserList {
    UserList { room: room.clone(), users: Vec::new(), count: None }
}

/// A server of one room and one socket, whose frames wait on the way until they are taken.
struct Server {
    epoch: u32,
    log: Vec<Chat>,
    /// Replays reach back this far; history reaches back to the beginning.
    recent: usize,
    /// The socket's name and cursor, while it is open.
    socket: Option<(Option<NickName>, usize)>,
    up: VecDeque<ClientFrame>,
    down: VecDeque<ServerFrame>,
    /// How many drafts to refuse for being too fast.
    strict: u32,
    /// Every id that was ever kept, with the epoch.
    kept: Vec<(u32, MessageId)>,
}

impl Server {
    fn new() -> Server {
        Server {
            epoch: 1,
            log: Vec::new(),
            recent: 20,
            socket: None,
            up: VecDeque::new(),
            down: VecDeque::new(),
            strict: 0,
            kept: Vec::new(),
        }
    }

    fn epoch(&self) -> Epoch {
        Epoch(self.epoch.to_string().into())
    }

    fn head(&self) -> Seq {
        Seq(self.log.len() as u64)
    }

    fn page(&self, stretch: Stretch) -> Page {
        let len = self.log.len();
        let (from, to) = match stretch {
            Stretch::Newest => (len.saturating_sub(PAGE_EVENTS), len),
            Stretch::Before(before) => ((before.0 as usize).saturating_sub(PAGE_EVENTS + 1), before.0 as usize - 1),
            Stretch::After(after) => (after.0 as usize, after.0 as usize + PAGE_EVENTS),
            Stretch::Around(seq) => {
                let start = (seq.0 as usize).saturating_sub(PAGE_EVENTS / 2).min(len.saturating_sub(PAGE_EVENTS));
                (start, start + PAGE_EVENTS)
            }
        };
        let events = self.log[from.min(len)..to.min(len)].iter().cloned().map(Event::Chat).collect();
        Page { room: RoomName::default(), epoch: self.epoch(), head: self.head(), events }
    }

    fn status(&self, name: Option<&NickName>) -> ServerFrame {
        ServerFrame::Status(Status {
            socket: SocketId("s".into()),
            name: name.cloned().unwrap_or_else(|| nick("guest-1")),
            named: name.is_some(),
            room: RoomName::default(),
            head: self.head(),
            epoch: self.epoch(),
            protocol: 1,
            limits: Limits { text_bytes: 8_000, frame_bytes: 65_536, messages_per_second: 5, burst: 20 },
            time: Timestamp(0),
            build: "test".into(),
        })
    }

    fn open(&mut self, query: &str, name: Option<NickName>) {
        let parameter = |key: &str| query.split('&').find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
        let after = parameter("after").and_then(|after| after.parse().ok());
        self.attach(after, parameter("epoch"), name);
    }

    fn attach(&mut self, after: Option<u64>, epoch: Option<&str>, name: Option<NickName>) {
        self.down.push_back(self.status(name.as_ref()));
        let same = epoch == Some(self.epoch().0.as_ref());
        let cursor = if same { after.unwrap_or(self.head().0) as usize } else { 0 };
        self.socket = Some((name, cursor));
        let base = self.log.len().saturating_sub(self.recent);
        if cursor < base {
            let (from, to) = (Seq(cursor as u64 + 1), Seq(base as u64));
            self.down.push_back(ServerFrame::Gap(Gap { room: RoomName::default(), from, to, head: self.head() }));
            self.socket.as_mut().expect("just set").1 = base;
        }
        self.deliver();
    }

    fn deliver(&mut self) {
        if let Some((_, cursor)) = &mut self.socket {
            self.down.extend(self.log[*cursor..].iter().cloned().map(ServerFrame::Chat));
            *cursor = self.log.len();
        }
    }

    fn keep(&mut self, author: &str, text: Text, id: MessageId) -> Seq {
        if let Some(known) = self.log.iter().find(|chat| chat.id == id) {
            return known.seq;
        }
        let (socket, seq) = (SocketId("s".into()), self.head().next());
        let (room, author, sent) = (RoomName::default(), nick(author), Timestamp(seq.0));
        self.log.push(Chat { room, socket, author, text, sent, seq, id, kind: Kind::Speech });
        self.kept.push((self.epoch, id));
        seq
    }

    fn hear(&mut self) {
        let Some(frame) = self.up.pop_front() else { return };
        let name = self.socket.as_ref().and_then(|(name, _)| name.clone());
        match frame {
            ClientFrame::Chat { text, id: Some(id), .. } => self.hear_chat(name, text, id),
            ClientFrame::Nick { name } => {
                self.down.push_back(self.status(Some(&name)));
                self.socket.as_mut().expect("it spoke").0 = Some(name);
            }
            ClientFrame::Join { after, epoch, .. } => {
                self.attach(after.map(|seq| seq.0), epoch.as_ref().map(|epoch| epoch.0.as_ref()), name);
            }
            ClientFrame::Ping => self.down.push_back(ServerFrame::Pong(Pong { time: Timestamp(0) })),
            other => panic!("nothing makes the client say {other:?}"),
        }
    }

    fn hear_chat(&mut self, name: Option<NickName>, text: Text, id: MessageId) {
        let name = name.expect("nothing is said without a name");
        if self.strict > 0 {
            self.strict -= 1;
            let mut error = ErrorFrame::new(ErrorCode::TooFast, "Too fast.");
            (error.id, error.retry_after_ms) = (Some(id), Some(50));
            return self.down.push_back(ServerFrame::Error(error));
        }
        let (room, sent) = (RoomName::default(), Timestamp(0));
        let seq = self.keep(name.as_str(), text, id);
        self.down.push_back(ServerFrame::Ack(Ack { room, id, seq, sent }));
        self.deliver();
    }

    fn restart(&mut self) {
        self.epoch += 1;
        self.log.clear();
        self.cut();
    }

    fn cut(&mut self) {
        self.socket = None;
        self.up.clear();
        self.down.clear();
    }
}

/// A client, its server, and the wire between them.
struct World {
    server: Server,
    session: Session,
    open: bool,
    now: u64,
    posted: Vec<MessageId>,
    next: u64,
}

impl World {
    fn new(said_before: u64, me: Option<NickName>) -> World {
        let mut server = Server::new();
        for number in 1..=said_before {
            server.keep("bo", text("before"), id(1_000_000 + number));
        }
        let (page, users) = (server.page(Stretch::Newest), users(&RoomName::default()));
        let session = Session::new(RoomPage { page, focus: None, users, me, theme: Theme::Auto, build: "test".into() });
        World { server, session, open: false, now: 1, posted: Vec::new(), next: 1 }
    }

    fn named(said_before: u64) -> World {
        World::new(said_before, Some(nick(ADA)))
    }

    fn open(&mut self) {
        if !self.open {
            self.open = true;
            let query = self.session.query();
            self.session.dialing(self.now);
            self.session.opened(self.now);
            let name = query.contains("&name=").then(|| nick(ADA));
            self.server.open(&query, name);
        }
    }

    fn cut(&mut self) {
        if self.open {
            self.open = false;
            self.server.cut();
            self.session.closed(self.now);
        }
    }

    fn post(&mut self, words: &str) -> MessageId {
        let id = id(self.next);
        self.next += 1;
        if self.session.post(text(words), Kind::Speech, id, self.now).is_ok() {
            self.posted.push(id);
        }
        self.pump();
        id
    }

    fn pump(&mut self) {
        while self.open
            && let Some(frame) = self.session.next_frame(self.now)
        {
            self.server.up.push_back(frame);
        }
    }

    fn take(&mut self) {
        if let Some(frame) = self.server.down.pop_front() {
            self.session.receive(frame, self.now);
        }
        self.pump();
    }

    fn load(&mut self) {
        while let Some(request) = self.session.next_request(self.now) {
            let page = self.server.page(request.stretch);
            self.session.loaded(&request, Some(&page), self.now);
        }
    }

    /// Lets everything that is under way arrive.
    fn settle(&mut self) {
        self.open();
        for _ in 0..2_000 {
            self.now += 10;
            self.pump();
            self.server.hear();
            self.take();
            self.load();
        }
        assert!(self.server.up.is_empty() && self.server.down.is_empty(), "the wire is quiet");
    }

    fn timeline(&self) -> &Timeline {
        self.session.room().timeline().expect("the room is open")
    }

    fn shown_ids(&self) -> Vec<MessageId> {
        self.timeline().messages().map(|message| message.chat.id).collect()
    }

    fn skipped(&self, id: MessageId) -> bool {
        let seq = self.server.log.iter().find(|chat| chat.id == id).map(|chat| chat.seq);
        self.timeline().entries().any(|entry| match (entry, seq) {
            (Entry::Hole(hole), Some(seq)) => hole.era == self.timeline().era() && hole.from <= seq && seq <= hole.to,
            _ => false,
        })
    }

    /// The promise: everything posted is kept once in each life of the log at most, in the order of posting, and is
    /// on the screen once.
    fn check(&self) {
        assert_eq!(self.session.waiting(), 0, "nothing waits");
        let shown = self.shown_ids();
        for id in &self.posted {
            let times = shown.iter().filter(|shown| *shown == id).count();
            let gone = self.server.kept.iter().any(|(epoch, kept)| kept == id && *epoch < self.server.epoch);
            // A message that was kept by a log that is gone, acknowledged or not, may have been kept by the next one.
            let most = if gone { 2 } else { 1 };
            assert!(times <= most, "{id} is shown {times} times");
            assert!(times >= 1 || self.skipped(*id) || gone, "{id} is shown");
        }
        for epoch in 1..=self.server.epoch {
            let mine: Vec<_> =
                self.server.kept.iter().filter(|(at, id)| *at == epoch && self.posted.contains(id)).collect();
            assert!(mine.is_sorted(), "{mine:?}");
        }
        let here = self.timeline().messages().filter(|message| message.place.era == self.timeline().era());
        for message in here {
            assert_eq!(*message.chat, self.server.log[message.place.seq.0 as usize - 1]);
        }
        assert_eq!(self.timeline().cursor(), self.server.head());
    }
}

#[test]
fn what_is_said_is_shown_at_once_and_becomes_its_event() {
    let mut world = World::named(3);
    let id = world.post("hello");
    assert!(world.session.room().outbox().holds(id));
    world.settle();
    assert!(world.session.room().outbox().is_empty());
    assert_eq!(world.shown_ids().last(), Some(&id));
}

#[test]
fn what_the_server_does_not_take_waits_and_the_reader_is_told_why() {
    let mut world = World::named(0);
    world.settle();
    let id = world.post("hello");
    world.server.up.clear();
    let mut busy = ErrorFrame::new(ErrorCode::Busy, "The disk is full.");
    (busy.id, busy.retry_after_ms) = (Some(id), Some(60_000));
    world.server.down.push_back(ServerFrame::Error(busy));
    world.settle();
    assert_eq!((world.session.hindrance(), world.session.waiting()), (Some("The disk is full."), 1));
    world.session.be_impatient();
    world.settle();
    assert_eq!(world.session.hindrance(), None);
    world.check();
}

#[test]
fn nothing_is_said_before_the_name_is_settled() {
    let mut world = World::new(0, None);
    world.post("hello");
    world.settle();
    assert_eq!(world.session.waiting(), 1);
    world.session.choose_name(nick(ADA));
    world.settle();
    world.check();
    assert_eq!(world.session.confirmed_name(), Some(&nick(ADA)));
}

#[test]
fn a_name_that_is_taken_on_return_is_asked_for_again_and_drafts_wait() {
    let mut world = World::named(0);
    world.open = true;
    world.session.opened(0);
    world.session.receive(world.server.status(None), 0);
    let mut error = ErrorFrame::new(ErrorCode::NameTaken, "Somebody is called ada.");
    error.suggestion = Some(nick("ada2"));
    world.session.receive(ServerFrame::Error(error), 0);
    assert_eq!(world.session.name(), None);
    assert_eq!(world.session.name_problem().and_then(|problem| problem.suggestion.clone()), Some(nick("ada2")));
    world.session.choose_name(nick("ada2"));
    assert_eq!(world.session.next_frame(0), Some(ClientFrame::Nick { name: nick("ada2") }));
}

#[test]
fn a_refused_draft_lets_the_next_one_pass_and_waits_for_its_author() {
    let mut world = World::named(0);
    world.open();
    world.take();
    let bad = world.post("bad");
    world.server.up.clear();
    let mut error = ErrorFrame::new(ErrorCode::NotAllowed, "No.");
    error.id = Some(bad);
    world.session.receive(ServerFrame::Error(error), 0);
    let good = world.post("good");
    world.settle();
    assert_eq!(world.shown_ids(), [good]);
    assert!(world.session.room().outbox().holds(bad));
    world.session.retry(bad);
    world.settle();
    assert_eq!(world.shown_ids(), [good, bad]);
}

#[test]
fn patience_is_kept_and_order_with_it() {
    let mut world = World::named(0);
    world.server.strict = 3;
    let ids = [world.post("one"), world.post("two")];
    world.settle();
    assert_eq!(world.shown_ids(), ids);
}

#[test]
fn a_message_without_an_answer_is_a_dead_socket() {
    let mut world = World::named(0);
    world.settle();
    world.post("hello");
    assert!(!world.session.is_dead(world.now));
    assert!(world.session.next_due(world.now).is_some_and(|due| due <= 15_000));
    assert!(world.session.is_dead(world.now + 15_000));
}

#[test]
fn a_room_is_opened_without_a_hole_between_its_page_and_the_socket() {
    let mut world = World::named(0);
    world.settle();
    let lounge = room_name("lounge");
    world.session.switch(lounge.clone());
    let request = world.session.next_request(world.now).expect("its newest page");
    assert_eq!((request.room.clone(), request.stretch), (lounge.clone(), Stretch::Newest));
    assert_eq!(world.session.next_frame(world.now), None, "it is not joined before its page is here");
    let page = Page { room: lounge.clone(), epoch: Epoch("x".into()), head: Seq(9), events: Vec::new() };
    world.session.loaded(&request, Some(&page), world.now);
    let join = ClientFrame::Join { room: lounge.clone(), after: Some(Seq(9)), epoch: Some(Epoch("x".into())) };
    assert_eq!(world.session.next_frame(world.now), Some(join));
    assert!(world.session.part(&lounge));
    assert_eq!(world.session.next_frame(world.now), Some(ClientFrame::Leave { room: Some(lounge) }));
    assert_eq!(world.session.room().name(), &RoomName::default());
    assert!(!world.session.part(&RoomName::default()), "one room stays");
}

#[test]
fn the_room_that_was_not_looked_at_for_longest_is_left() {
    let mut world = World::named(0);
    for number in 1..=25 {
        world.session.switch(room_name(&number.to_string()));
    }
    assert_eq!(world.session.rooms().len(), MAX_OPEN_ROOMS);
    assert!(world.session.find(&RoomName::default()).is_none());
    assert!(world.session.find(&room_name("25")).is_some());
}

#[test]
fn history_that_fails_is_asked_for_again_later() {
    let mut world = World::named(200);
    assert!(world.session.reveal_older());
    let request = world.session.next_request(10).expect("older messages");
    world.session.loaded(&request, None, 10);
    assert_eq!(world.session.next_request(10), None);
    let due = world.session.next_due(10).expect("it is due later");
    assert_eq!(world.session.next_request(10 + due), Some(request));
}

#[test]
fn a_page_of_another_log_does_not_answer() {
    let mut world = World::named(200);
    world.session.reveal_older();
    let request = world.session.next_request(10).expect("older messages");
    let page = Page { epoch: Epoch("other".into()), ..world.server.page(request.stretch) };
    world.session.loaded(&request, Some(&page), 10);
    assert_eq!(world.session.next_request(10), None, "it is not asked for again at once");
    assert_eq!(world.timeline().messages().count(), 50);
}

#[test]
fn a_message_that_is_not_here_is_loaded_shown_and_marked() {
    let mut world = World::named(400);
    world.settle();
    world.session.seek(Seq(100));
    assert!(world.session.room().is_loading());
    assert_eq!(world.session.found(), 0);
    world.load();
    assert_eq!(world.session.found(), 1);
    assert_eq!(world.timeline().focus().map(|place| place.seq), Some(Seq(100)));
    world.session.seek(Seq(399));
    assert_eq!(world.session.found(), 2, "this one is here");
    world.server.keep("bo", text("meanwhile"), id(900));
    world.server.deliver();
    world.settle();
    assert_eq!(world.timeline().unseen(), 1);
    world.check();
}

#[test]
fn a_message_that_the_room_does_not_have_is_said_to_be_missing() {
    let mut world = World::named(60);
    world.settle();
    for seq in [0, 61, u64::MAX] {
        world.session.seek(Seq(seq));
        world.load();
        assert_eq!(world.session.take_alerts(), [NOT_HERE]);
        assert!(!world.session.room().is_loading());
        assert_eq!(world.timeline().focus(), None);
    }
    assert_eq!(world.session.found(), 0);
}

#[test]
fn a_room_that_is_opened_at_a_message_it_does_not_have_is_opened_at_its_end() {
    let mut world = World::named(0);
    let lounge = room_name("lounge");
    world.session.switch(lounge.clone());
    world.session.seek(Seq(5));
    let request = world.session.next_request(world.now).expect("the page around it");
    assert_eq!(request.stretch, Stretch::Around(Seq(5)));
    let page = Page { room: lounge, epoch: Epoch("x".into()), head: Seq::ZERO, events: Vec::new() };
    world.session.loaded(&request, Some(&page), world.now);
    assert_eq!(world.session.take_alerts(), [NOT_HERE]);
    let request = world.session.next_request(world.now).expect("its newest page");
    assert_eq!(request.stretch, Stretch::Newest);
}

#[test]
fn whoever_goes_elsewhere_no_longer_looks_for_a_message() {
    let mut world = World::named(400);
    world.session.seek(Seq(100));
    let request = world.session.next_request(world.now).expect("the page around it");
    world.session.unfocus();
    let page = world.server.page(request.stretch);
    world.session.loaded(&request, Some(&page), world.now);
    assert_eq!((world.session.found(), world.timeline().focus()), (0, None));
}

#[test]
fn another_build_is_noticed_and_the_same_one_is_not() {
    let mut world = World::named(3);
    world.settle();
    assert!(!world.session.is_outdated());
    let ServerFrame::Status(status) = world.server.status(None) else { unreachable!("a status") };
    let told = |build: &str| ServerFrame::Status(Status { build: build.into(), ..status.clone() });
    world.session.receive(told(""), world.now);
    assert!(!world.session.is_outdated(), "a server that does not say which build it is");
    world.session.receive(told("another"), world.now);
    assert!(world.session.is_outdated());
    assert_eq!(world.session.build(), "another");
    world.session.receive(told("test"), world.now);
    assert!(!world.session.is_outdated(), "the old one is back");
}

#[test]
fn an_event_with_something_missing_before_it_makes_the_room_be_joined_again() {
    let mut world = World::named(3);
    world.settle();
    world.server.keep("bo", text("missed"), id(900));
    world.server.socket.as_mut().expect("open").1 += 1;
    world.server.keep("bo", text("heard"), id(901));
    world.server.deliver();
    world.settle();
    world.check();
    assert!(world.shown_ids().ends_with(&[id(900), id(901)]));
}

#[test]
fn after_a_restart_unacknowledged_messages_go_to_the_new_log_and_acknowledged_ones_stay_on_screen() {
    let mut world = World::named(3);
    world.open();
    world.take();
    let sent = world.post("acknowledged, event lost");
    // A Pong, then the Ack; the event stays on the way.
    for _ in 0..2 {
        world.server.hear();
        world.take();
    }
    let waiting = world.post("never arrived");
    world.cut();
    world.server.restart();
    world.settle();
    let ids = world.shown_ids();
    assert_eq!(ids[ids.len() - 2..], [sent, waiting]);
    assert_eq!(world.server.log.iter().map(|chat| chat.id).collect::<Vec<_>>(), [waiting]);
    assert!(world.timeline().entries().any(|entry| matches!(entry, Entry::Restart(1))));
}

#[test]
fn a_sleeper_asks_at_once_whether_the_socket_lives() {
    let mut world = World::named(0);
    world.settle();
    let now = world.now;
    world.session.doubt(now);
    assert_eq!(world.session.next_frame(now), Some(ClientFrame::Ping));
    assert!(world.session.is_dead(now + 3_000));
    world.session.receive(ServerFrame::Pong(Pong { time: Timestamp(0) }), now + 80);
    assert!(!world.session.is_dead(now + 3_000));
    assert_eq!(world.session.round_trip(), Some(80));
}

#[derive(Debug, Clone)]
enum Step {
    Open,
    Cut,
    Restart,
    OtherSays(u32),
    Say,
    Hear,
    Take,
    Load,
    Strict,
    Hold,
    Follow,
    Older,
    Seek(u64),
    Unfocus,
    WantHole(u32, Edge),
    NearHole(u32, Edge),
    Wait(u64),
}

fn edge() -> impl Strategy<Value = Edge> {
    prop_oneof![Just(Edge::Upper), Just(Edge::Lower)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Open),
        1 => Just(Step::Cut),
        1 => Just(Step::Restart),
        2 => (1_u32..40).prop_map(Step::OtherSays),
        6 => Just(Step::Say),
        9 => Just(Step::Hear),
        12 => Just(Step::Take),
        3 => Just(Step::Load),
        1 => Just(Step::Strict),
        1 => Just(Step::Hold),
        1 => Just(Step::Follow),
        1 => Just(Step::Older),
        1 => (0_u64..150).prop_map(Step::Seek),
        1 => Just(Step::Unfocus),
        1 => (1_u32..5, edge()).prop_map(|(number, edge)| Step::WantHole(number, edge)),
        1 => (1_u32..5, edge()).prop_map(|(number, edge)| Step::NearHole(number, edge)),
        1 => (1_u64..100).prop_map(Step::Wait),
    ]
}

fn go(world: &mut World, step: Step) {
    match step {
        Step::Open => world.open(),
        Step::Cut => world.cut(),
        Step::Restart => {
            world.cut();
            world.server.restart();
        }
        Step::OtherSays(count) => {
            for _ in 0..count {
                world.next += 1;
                world.server.keep("bo", text("hi"), id(500_000 + world.next));
            }
            world.server.deliver();
        }
        Step::Say => drop(world.post("hello")),
        Step::Hear => world.server.hear(),
        Step::Take => world.take(),
        Step::Load => world.load(),
        Step::Strict => world.server.strict += 1,
        Step::Hold => world.session.hold(),
        Step::Follow => world.session.follow(),
        Step::Older => drop(world.session.reveal_older()),
        Step::Seek(seq) => world.session.seek(Seq(seq)),
        Step::Unfocus => world.session.unfocus(),
        Step::WantHole(number, edge) => world.session.want_hole(number, edge),
        Step::NearHole(number, edge) => drop(world.session.near_hole(number, edge)),
        Step::Wait(millis) => world.now += millis,
    }
    world.pump();
}

proptest! {
    #[test]
    fn whatever_happens_each_message_is_kept_once_and_shown_once_in_order(
        said_before in 0_u64..120,
        steps in proptest::collection::vec(step(), 0..150),
    ) {
        let mut world = World::named(said_before);
        for step in steps {
            go(&mut world, step);
        }
        world.settle();
        world.check();
    }
}
