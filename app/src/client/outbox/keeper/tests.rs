use super::*;
use crate::{
    client::{
        first_page::{RoomPage, Theme},
        outbox::{DraftState, MAX_BYTES_IN_ALL, MAX_DRAFTS},
    },
    protocol::{
        Ack, Chat, ClientFrame, Epoch, ErrorCode, ErrorFrame, Event, Kind, Limits, NickName, Page, Pong, RoomName, Seq,
        ServerFrame, SocketId, Status, Text, Timestamp, UserList,
    },
};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};

/// How many of a page's newest events the first HTML carries here.
const FIRST_PAGE: usize = 5;

fn id(number: u64) -> MessageId {
    MessageId::new(number, 0)
}

fn ada() -> NickName {
    NickName::parse("ada").expect("a name")
}

fn room(name: &str) -> RoomName {
    RoomName::parse(name).expect("a room name")
}

fn text(words: &str) -> Text {
    Text::parse(words).expect("a text")
}

/// The browser's storage.
#[derive(Debug, Default)]
struct Drawer {
    records: BTreeMap<String, String>,
    is_forbidden: bool,
    knocks: usize,
}

impl Shelf for Drawer {
    fn read(&self, key: &str) -> Option<String> {
        self.records.get(key).cloned()
    }

    fn write(&mut self, key: &str, value: &str) -> bool {
        if !self.is_forbidden {
            self.knocks += usize::from(key == KNOCK);
            self.records.insert(key.to_owned(), value.to_owned());
        }
        !self.is_forbidden
    }

    fn remove(&mut self, key: &str) {
        self.records.remove(key);
    }

    fn records(&self) -> Vec<String> {
        let keys = self.records.keys().filter(|key| key.starts_with(PREFIX));
        keys.take(MAX_RECORDS + 1).cloned().collect()
    }
}

/// A server whose log outlives everything.
#[derive(Debug, Default)]
struct Log {
    chats: Vec<Chat>,
    /// How many messages to refuse for being too fast.
    strict: u32,
}

impl Log {
    fn head(&self) -> Seq {
        Seq(self.chats.len() as u64)
    }

    fn keep(&mut self, text: Text, id: MessageId) -> Seq {
        if let Some(known) = self.chats.iter().find(|chat| chat.id == id) {
            return known.seq;
        }
        let seq = self.head().next();
        let (room, socket, author, sent) = (RoomName::default(), SocketId("s".into()), ada(), Timestamp(seq.0));
        self.chats.push(Chat { room, socket, author, text, sent, seq, id, kind: Kind::Speech });
        seq
    }

    fn page(&self) -> Page {
        let events = self.chats[self.chats.len().saturating_sub(FIRST_PAGE)..].iter().cloned().map(Event::Chat);
        Page { room: RoomName::default(), epoch: Epoch("e".into()), head: self.head(), events: events.collect() }
    }

    fn status(&self) -> ServerFrame {
        ServerFrame::Status(Status {
            socket: SocketId("s".into()),
            name: ada(),
            named: true,
            room: RoomName::default(),
            head: self.head(),
            epoch: Epoch("e".into()),
            protocol: 1,
            limits: Limits { text_bytes: 8_000, frame_bytes: 65_536, messages_per_second: 5, burst: 20 },
            time: Timestamp(0),
            build: String::new(),
        })
    }
}

/// A page of the browser, and its wire.
#[derive(Debug)]
struct Tab {
    session: Session,
    keeper: Keeper,
    /// How far the socket has been sent the log, while there is one.
    socket: Option<usize>,
    up: VecDeque<ClientFrame>,
    down: VecDeque<ServerFrame>,
    /// Left by the reader, who may come back.
    is_away: bool,
    /// Whose order is to be kept: everything that was said in one go.
    line: u64,
}

impl Tab {
    fn load(number: u64, log: &Log, me: Option<NickName>) -> Tab {
        let users = UserList { room: RoomName::default(), users: Vec::new(), count: None };
        let page = RoomPage { page: log.page(), focus: None, users, me, theme: Theme::Auto, build: String::new() };
        Tab {
            session: Session::new(page),
            keeper: Keeper::new(id(number)),
            socket: None,
            up: VecDeque::new(),
            down: VecDeque::new(),
            is_away: false,
            line: number,
        }
    }

    fn cut(&mut self, now: u64) {
        if self.socket.take().is_some() {
            self.up.clear();
            self.down.clear();
            self.session.closed(now);
        }
    }

    fn waiting(&self) -> Vec<MessageId> {
        self.session.drafts().map(|(_, draft)| draft.id).collect()
    }
}

/// A browser with its tabs, and the server.
#[derive(Debug)]
struct World {
    drawer: Drawer,
    log: Log,
    tabs: Vec<Tab>,
    /// Everything that was said: its line, and whether it may be lost, because the storage did not take it.
    said: Vec<(MessageId, u64, bool)>,
    next: u64,
    now: u64,
}

impl World {
    fn new() -> World {
        World {
            drawer: Drawer::default(),
            log: Log::default(),
            tabs: Vec::new(),
            said: Vec::new(),
            next: 1,
            now: 1_000_000_000_000,
        }
    }

    fn with_tabs(count: usize) -> World {
        let mut world = World::new();
        for _ in 0..count {
            world.open();
        }
        world
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.now += 1;
        self.next
    }

    /// Another tab.
    fn open(&mut self) -> usize {
        let number = self.number();
        let mut tab = Tab::load(number, &self.log, Some(ada()));
        tab.keeper.adopt_left(&mut tab.session, &mut self.drawer, self.now);
        self.tabs.push(tab);
        self.tabs.len() - 1
    }

    fn say(&mut self, at: usize) -> MessageId {
        let number = self.number();
        let tab = &mut self.tabs[at];
        if tab.session.post(text("hello"), Kind::Speech, id(number), self.now).is_ok() {
            self.said.push((id(number), tab.line, false));
        }
        self.keep(at);
        id(number)
    }

    fn keep(&mut self, at: usize) {
        let (number, before) = (self.number(), self.tabs[at].waiting());
        let tab = &mut self.tabs[at];
        tab.keeper.keep(&mut tab.session, &mut self.drawer, self.now);
        // What it left to others goes their way; what is said here from now on may overtake it.
        if before.iter().any(|id| !tab.session.drafts().any(|(_, draft)| draft.id == *id)) {
            tab.line = number;
        }
    }

    /// The reader closes a tab.
    fn close(&mut self, at: usize) {
        let mut tab = self.tabs.remove(at);
        tab.keeper.close(&tab.session, &mut self.drawer, self.now);
        self.forgive(&tab);
    }

    fn crash(&mut self, at: usize) {
        let tab = self.tabs.remove(at);
        self.forgive(&tab);
    }

    /// What the storage did not take goes with its page: the reader was asked.
    fn forgive(&mut self, tab: &Tab) {
        let records: Vec<_> = self.drawer.records.values().flat_map(|record| kept::read(record)).collect();
        for id in tab.waiting().into_iter().filter(|_| !tab.keeper.is_kept()) {
            let is_there = records.iter().any(|(_, draft)| draft.id == id);
            self.said.iter_mut().filter(|said| said.0 == id).for_each(|said| said.2 |= !is_there);
        }
    }

    fn reload(&mut self, at: usize) {
        let (line, waited) = (self.tabs[at].line, self.tabs[at].waiting());
        self.close(at);
        let new = self.open();
        let (here, there) = (self.tabs[new].waiting(), self.kept());
        if waited.iter().all(|id| here.contains(id) || there.contains(id)) {
            self.tabs[new].line = line;
        }
    }

    /// The reader leaves the page, and the browser keeps it for when they come back.
    fn leave(&mut self, at: usize) {
        let tab = &mut self.tabs[at];
        tab.keeper.close(&tab.session, &mut self.drawer, self.now);
        tab.cut(self.now);
        tab.is_away = true;
    }

    fn come_back(&mut self, at: usize) {
        let (number, before) = (self.number(), self.tabs[at].waiting());
        let tab = &mut self.tabs[at];
        tab.is_away = false;
        tab.keeper.reopen(&mut tab.session, &mut self.drawer, self.now);
        if before != tab.waiting() {
            tab.line = number;
        }
    }

    /// A tab knocks, those that are there answer, and it takes what nobody answers for.
    fn knock(&mut self, at: usize) {
        self.now += 1;
        let tab = &mut self.tabs[at];
        if !tab.keeper.knock(&mut self.drawer, self.now) {
            return;
        }
        for (other, tab) in self.tabs.iter_mut().enumerate() {
            if other != at && !tab.is_away {
                tab.keeper.renew(&mut tab.session, &mut self.drawer, self.now);
            }
        }
        let tab = &mut self.tabs[at];
        tab.keeper.adopt_silent(&mut tab.session, &mut self.drawer, self.now);
    }

    fn connect(&mut self, at: usize) {
        let tab = &mut self.tabs[at];
        if tab.socket.is_none() {
            let after = tab.session.room().timeline().expect("a page").cursor();
            tab.session.dialing(self.now);
            tab.session.opened(self.now);
            tab.socket = Some(after.0 as usize);
            tab.down.push_back(self.log.status());
        }
    }

    fn pump(&mut self, at: usize) {
        let tab = &mut self.tabs[at];
        while tab.socket.is_some()
            && let Some(frame) = tab.session.next_frame(self.now)
        {
            tab.up.push_back(frame);
        }
    }

    /// The server hears one frame of a tab.
    fn hear(&mut self, at: usize) {
        let tab = &mut self.tabs[at];
        let Some(frame) = tab.up.pop_front() else { return };
        match frame {
            ClientFrame::Chat { id: Some(id), .. } if self.log.strict > 0 => {
                self.log.strict -= 1;
                let mut error = ErrorFrame::new(ErrorCode::TooFast, "Too fast.");
                (error.id, error.retry_after_ms) = (Some(id), Some(5));
                tab.down.push_back(ServerFrame::Error(error));
            }
            ClientFrame::Chat { text, id: Some(id), room: Some(room), .. } => {
                let seq = self.log.keep(text, id);
                tab.down.push_back(ServerFrame::Ack(Ack { room, id, seq, sent: Timestamp(0) }));
            }
            ClientFrame::Join { after: Some(after), .. } => {
                tab.socket = Some(after.0 as usize);
                tab.down.push_back(self.log.status());
            }
            ClientFrame::Ping => tab.down.push_back(ServerFrame::Pong(Pong { time: Timestamp(0) })),
            other => panic!("nothing makes the client say {other:?}"),
        }
    }

    /// A tab takes one frame, or else what is new in the log.
    fn take(&mut self, at: usize) {
        let tab = &mut self.tabs[at];
        let Some(cursor) = tab.socket else { return };
        let frame = tab.down.pop_front().or_else(|| {
            tab.socket = Some((cursor + 1).min(self.log.chats.len()));
            self.log.chats.get(cursor).cloned().map(ServerFrame::Chat)
        });
        if let Some(frame) = frame {
            tab.session.receive(frame, self.now);
            self.keep(at);
        }
    }

    /// Every reader comes back to one tab, and everything that is under way arrives.
    fn settle(&mut self) {
        self.drawer.is_forbidden = false;
        for at in 0..self.tabs.len() {
            self.come_back(at);
        }
        let last = self.open();
        for _ in 0..=self.drawer.records.len() {
            self.knock(last);
        }
        for at in 0..self.tabs.len() {
            self.connect(at);
            for _ in 0..600 {
                self.now += 1;
                self.keep(at);
                self.pump(at);
                self.hear(at);
                self.take(at);
            }
        }
        for at in 0..self.tabs.len() {
            while self.tabs[at].socket.is_some_and(|cursor| cursor < self.log.chats.len()) {
                self.take(at);
            }
        }
    }

    fn kept(&self) -> Vec<MessageId> {
        self.log.chats.iter().map(|chat| chat.id).collect()
    }

    /// The promise: everything said is in the log once and in its line's order, nothing waits, and nothing is left in
    /// the storage.
    fn check(&self) {
        let kept = self.kept();
        let mut last = BTreeMap::new();
        for (id, line, may_be_lost) in &self.said {
            let places: Vec<_> = (0..kept.len()).filter(|at| kept[*at] == *id).collect();
            assert!(places.len() == 1 || (*may_be_lost && places.is_empty()), "{id} is kept at {places:?}");
            if let Some(place) = places.first() {
                let before = last.insert(*line, *place);
                assert!(before < Some(*place), "{id} comes after what was said before it");
            }
        }
        for tab in &self.tabs {
            assert_eq!(tab.waiting(), [], "nothing waits");
            let shown: Vec<_> =
                tab.session.room().timeline().expect("a page").messages().map(|message| message.chat.id).collect();
            assert!(kept.ends_with(&shown), "each message is shown once");
        }
        assert_eq!(self.drawer.records(), [""; 0], "nothing is left");
    }
}

#[test]
fn what_waits_in_a_closed_page_waits_in_the_next_one() {
    let mut world = World::with_tabs(1);
    let said = [world.say(0), world.say(0)];
    world.reload(0);
    assert_eq!(world.tabs[0].waiting(), said);
    assert_eq!(world.drawer.records().len(), 1, "the old record is gone");
    world.settle();
    world.check();
    assert_eq!(world.kept(), said);
}

#[test]
fn what_waited_in_a_page_that_crashed_is_taken_by_one_that_knocks() {
    let mut world = World::with_tabs(2);
    let said = world.say(0);
    world.knock(1);
    assert_eq!(world.tabs[1].waiting(), [], "the page is there and answers");
    world.crash(0);
    world.knock(0);
    assert_eq!(world.tabs[0].waiting(), [said]);
    world.settle();
    world.check();
}

#[test]
fn a_page_that_is_returned_to_does_not_send_what_another_one_took() {
    let mut world = World::with_tabs(1);
    let said = world.say(0);
    world.leave(0);
    world.open();
    assert_eq!(world.tabs[1].waiting(), [said]);
    world.come_back(0);
    assert_eq!(world.tabs[0].waiting(), []);
    world.settle();
    world.check();
}

#[test]
fn a_page_that_is_returned_to_before_anybody_came_goes_on() {
    let mut world = World::with_tabs(1);
    let said = world.say(0);
    world.leave(0);
    world.come_back(0);
    world.open();
    assert_eq!((world.tabs[0].waiting(), world.tabs[1].waiting()), (vec![said], vec![]));
    world.settle();
    world.check();
}

#[test]
fn a_record_that_was_wiped_out_by_something_else_is_written_again() {
    let mut world = World::with_tabs(1);
    let said = world.say(0);
    world.drawer.records.clear();
    world.keep(0);
    assert_eq!(world.tabs[0].waiting(), [said]);
    assert_eq!(world.drawer.records().len(), 1);
}

#[test]
fn a_message_that_arrived_already_is_not_adopted() {
    let mut world = World::with_tabs(1);
    let said = world.say(0);
    world.log.keep(text("hello"), said);
    world.reload(0);
    assert_eq!(world.tabs[0].waiting(), []);
    assert_eq!(world.drawer.records(), [""; 0]);
}

#[test]
fn storage_that_takes_nothing_is_said_and_what_waits_is_sent_all_the_same() {
    let mut world = World::with_tabs(1);
    world.drawer.is_forbidden = true;
    let said = world.say(0);
    assert!(!world.tabs[0].keeper.is_kept());
    world.knock(0);
    assert_eq!(world.drawer.knocks, 0, "nobody could hear it");
    world.connect(0);
    for _ in 0..20 {
        world.pump(0);
        world.hear(0);
        world.take(0);
    }
    assert_eq!(world.kept(), [said]);
    assert!(world.tabs[0].keeper.is_kept(), "there is nothing left to keep");
}

#[test]
fn what_the_storage_did_not_take_is_kept_as_soon_as_it_does() {
    let mut world = World::with_tabs(1);
    world.drawer.is_forbidden = true;
    world.say(0);
    world.drawer.is_forbidden = false;
    let (tab, now) = (&mut world.tabs[0], world.now);
    tab.keeper.renew(&mut tab.session, &mut world.drawer, now);
    assert!(tab.keeper.is_kept());
    assert_eq!(world.drawer.records().len(), 1);
}

#[test]
fn a_refused_draft_waits_for_its_author_in_the_next_page_too() {
    let mut world = World::with_tabs(1);
    world.connect(0);
    world.take(0);
    let said = world.say(0);
    world.pump(0);
    let mut error = ErrorFrame::new(ErrorCode::NotAllowed, "Not here.");
    error.id = Some(said);
    world.tabs[0].session.receive(ServerFrame::Error(error), world.now);
    world.keep(0);
    world.reload(0);
    let states: Vec<_> = world.tabs[0].session.drafts().map(|(_, draft)| draft.state.clone()).collect();
    assert_eq!(states, [DraftState::Refused("Not here.".into())]);
    world.tabs[0].session.discard(said);
    world.keep(0);
    assert_eq!(world.drawer.records(), [""; 0]);
}

#[test]
fn a_room_that_is_not_open_is_opened_for_what_waits_there() {
    let mut world = World::with_tabs(1);
    world.tabs[0].session.switch(room("lounge"));
    world.say(0);
    world.reload(0);
    let session = &mut world.tabs[0].session;
    assert_eq!(session.room().name(), &RoomName::default());
    assert!(session.find(&room("lounge")).is_some_and(|lounge| lounge.outbox().has_unsent()));
    assert_eq!(session.next_request(world.now).map(|request| request.room), Some(room("lounge")));
}

#[test]
fn a_record_for_which_there_is_no_place_waits() {
    let mut world = World::with_tabs(2);
    for at in [0, 1] {
        for _ in 0..MAX_DRAFTS {
            world.say(at);
        }
    }
    world.close(0);
    world.knock(0);
    assert_eq!(world.tabs[0].waiting().len(), MAX_DRAFTS);
    assert_eq!(world.drawer.records().len(), 2);
}

#[test]
fn a_page_holds_half_a_mebibyte_of_text() {
    let mut world = World::with_tabs(1);
    let long = text(&"x".repeat(Text::MAX_BYTES));
    let session = &mut world.tabs[0].session;
    let most = (0..MAX_DRAFTS).take_while(|at| session.post(long.clone(), Kind::Speech, id(*at as u64), 0).is_ok());
    assert_eq!(most.count(), MAX_BYTES_IN_ALL / Text::MAX_BYTES);
}

#[test]
fn more_records_than_are_looked_at_at_once_have_their_turn() {
    let mut world = World::with_tabs(MAX_RECORDS + 5);
    let said: Vec<_> = (0..MAX_RECORDS + 5).map(|at| world.say(at)).collect();
    (0..MAX_RECORDS + 5).for_each(|_| world.close(0));
    world.open();
    assert_eq!(world.tabs[0].waiting().len(), MAX_RECORDS);
    world.knock(0);
    assert_eq!(world.tabs[0].waiting(), said);
}

#[test]
fn what_is_no_record_of_this_version_is_left_alone_and_a_broken_one_goes() {
    let mut world = World::with_tabs(1);
    world.drawer.records.insert("taproom:outbox:2:x".to_owned(), "gone 1\n?".to_owned());
    for (name, record) in [("a", ""), ("b", "\n\n\0"), ("c", "gone 1\nnonsense"), ("d", "here 1\n\u{feff}\t\t\t\t\t\t")]
    {
        world.drawer.records.insert([PREFIX, name].concat(), record.to_owned());
    }
    world.reload(0);
    world.knock(0);
    assert_eq!(world.drawer.records(), [""; 0]);
    assert_eq!(world.drawer.records.len(), 1);
}

#[test]
fn the_author_of_what_waits_is_the_remembered_one() {
    let mut world = World::with_tabs(1);
    world.say(0);
    assert_eq!(world.tabs[0].session.author(), Some(&ada()));
    assert_eq!(world.tabs[0].session.confirmed_name(), None);
    let mut error = ErrorFrame::new(ErrorCode::NameTaken, "Somebody is called ada.");
    error.suggestion = None;
    let ServerFrame::Status(status) = world.log.status() else { unreachable!("it is one") };
    let guest = Status { named: false, name: NickName::parse("guest-1").expect("a name"), ..status };
    world.connect(0);
    let session = &mut world.tabs[0].session;
    session.receive(ServerFrame::Status(guest), 0);
    session.receive(ServerFrame::Error(error), 0);
    assert_eq!((session.name(), session.author()), (None, Some(&ada())), "what waits stays on the screen");
}

#[derive(Debug, Clone)]
enum Step {
    Open,
    Close(usize),
    Crash(usize),
    Reload(usize),
    Leave(usize),
    ComeBack(usize),
    Knock(usize),
    Say(usize),
    Connect(usize),
    Cut(usize),
    CutAll,
    Hear(usize),
    Take(usize),
    Strict,
    Forbid(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Open),
        1 => any::<usize>().prop_map(Step::Close),
        1 => any::<usize>().prop_map(Step::Crash),
        2 => any::<usize>().prop_map(Step::Reload),
        1 => any::<usize>().prop_map(Step::Leave),
        2 => any::<usize>().prop_map(Step::ComeBack),
        2 => any::<usize>().prop_map(Step::Knock),
        8 => any::<usize>().prop_map(Step::Say),
        6 => any::<usize>().prop_map(Step::Connect),
        2 => any::<usize>().prop_map(Step::Cut),
        1 => Just(Step::CutAll),
        12 => any::<usize>().prop_map(Step::Hear),
        12 => any::<usize>().prop_map(Step::Take),
        1 => Just(Step::Strict),
        1 => any::<bool>().prop_map(Step::Forbid),
    ]
}

fn go(world: &mut World, step: &Step) {
    world.now += 1;
    let (Step::Close(tab)
    | Step::Crash(tab)
    | Step::Reload(tab)
    | Step::Leave(tab)
    | Step::ComeBack(tab)
    | Step::Knock(tab)
    | Step::Say(tab)
    | Step::Connect(tab)
    | Step::Cut(tab)
    | Step::Hear(tab)
    | Step::Take(tab)) = step
    else {
        match step {
            Step::Open if world.tabs.len() < 4 => drop(world.open()),
            Step::CutAll => world.tabs.iter_mut().for_each(|tab| tab.cut(world.now)),
            Step::Strict => world.log.strict += 1,
            Step::Forbid(is_forbidden) => world.drawer.is_forbidden = *is_forbidden,
            _ => {}
        }
        return;
    };
    if world.tabs.is_empty() {
        return;
    }
    let at = tab % world.tabs.len();
    match step {
        Step::Close(_) => world.close(at),
        Step::Crash(_) => world.crash(at),
        Step::ComeBack(_) => world.come_back(at),
        _ if world.tabs[at].is_away => {}
        Step::Reload(_) => world.reload(at),
        Step::Leave(_) => world.leave(at),
        Step::Knock(_) => world.knock(at),
        Step::Say(_) => drop(world.say(at)),
        Step::Connect(_) => world.connect(at),
        Step::Cut(_) => world.tabs[at].cut(world.now),
        Step::Hear(_) => world.hear(at),
        Step::Take(_) => world.take(at),
        _ => unreachable!("the others are of no tab"),
    }
    if at < world.tabs.len() && !world.tabs[at].is_away {
        world.keep(at);
        world.pump(at);
    }
}

proptest! {
    #[test]
    fn whatever_happens_to_the_tabs_each_message_is_kept_once_and_in_order(
        steps in proptest::collection::vec(step(), 0..150),
    ) {
        let mut world = World::with_tabs(2);
        for step in &steps {
            go(&mut world, step);
        }
        world.settle();
        world.check();
    }
}
