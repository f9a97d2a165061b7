//! One room that is open in this page: its timeline, its outbox, who is in it, and whether the socket is.

use super::{
    address,
    outbox::{Draft, Outbox},
    timeline::{Applied, Place, Stretch, Timeline, Top},
};
use crate::protocol::{Chat, Event, Gap, MessageId, NickName, Page, RoomName, Seq, SocketId, Status, UserList};

/// The longest pause between two attempts to load history, in milliseconds.
const LONGEST_FETCH_PAUSE_MS: u64 = 30_000;

/// A room that is open in this page.
#[derive(Debug, Clone)]
pub struct Room {
    pub(super) name: RoomName,
    /// None until its newest page is here.
    pub(super) timeline: Option<Timeline>,
    pub(super) outbox: Outbox,
    pub(super) users: UserList,
    pub(super) joined: Joined,
    /// What the room's head was when the socket joined: nothing is sent before the cursor is there, because the
    /// replay may show that it has arrived already.
    pub(super) catch_up_to: Seq,
    pub(super) left_at: Option<Place>,
    pub(super) wants_older: bool,
    /// The message that is to be shown as soon as it is here.
    pub(super) sought: Option<Seq>,
    pub(super) fetch: Fetch,
    /// When it was looked at last, in turns.
    pub(super) used: u64,
}

/// Whether the socket is in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Joined {
    No,
    Asked,
    Yes,
    /// The server refused; ask again at this time.
    Denied(u64),
}

/// The state of loading history by HTTP.
#[derive(Debug, Clone, Default)]
pub(super) struct Fetch {
    pub(super) running: bool,
    failures: u32,
    pub(super) not_before: u64,
}

impl Fetch {
    fn ended(&mut self, succeeded: bool, now: u64) {
        self.running = false;
        self.failures = if succeeded { 0 } else { self.failures + 1 };
        let pause = LONGEST_FETCH_PAUSE_MS.min(500 << self.failures.min(10));
        self.not_before = if succeeded { 0 } else { now + pause };
    }
}

/// A page of history to be loaded by HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRequest {
    /// The room.
    pub room: RoomName,
    /// Which part of its log.
    pub stretch: Stretch,
}

impl HistoryRequest {
    /// Where it is loaded from.
    pub fn path(&self) -> String {
        address::history_path(self)
    }
}

/// What became of the message that is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// There is none, or it goes on.
    Open,
    /// It is shown now.
    Found,
    /// The server does not have it.
    Failed,
}

impl Room {
    pub(super) fn new(name: RoomName) -> Room {
        let users = UserList { room: name.clone(), users: Vec::new(), count: None };
        Room {
            name,
            timeline: None,
            outbox: Outbox::default(),
            users,
            joined: Joined::No,
            catch_up_to: Seq::ZERO,
            left_at: None,
            wants_older: false,
            sought: None,
            fetch: Fetch::default(),
            used: 0,
        }
    }

    /// The room's name.
    pub fn name(&self) -> &RoomName {
        &self.name
    }

    /// The room's log as far as it is known; none until the first page of it is here.
    pub fn timeline(&self) -> Option<&Timeline> {
        self.timeline.as_ref()
    }

    /// What was said here and is not acknowledged.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Who is here now.
    pub fn users(&self) -> &UserList {
        &self.users
    }

    /// Whether loading history has failed and will be tried again.
    pub fn cannot_load(&self) -> bool {
        self.fetch.failures > 0
    }

    /// Whether messages are being loaded.
    pub fn is_loading(&self) -> bool {
        let wants = |timeline: &Timeline| timeline.wanted().is_some();
        self.wants_older || self.sought.is_some() || self.timeline.as_ref().is_none_or(wants)
    }

    /// Whether everything that was said before the socket came is here.
    pub fn is_caught_up(&self) -> bool {
        let reached = |timeline: &Timeline| timeline.cursor() >= self.catch_up_to;
        self.joined == Joined::Yes && self.timeline.as_ref().is_some_and(reached)
    }

    /// Whether a message waits here, or is in this life of the log as far as it is known.
    pub(super) fn knows(&self, id: MessageId) -> bool {
        let is_said = |timeline: &Timeline| {
            timeline.messages().any(|message| message.chat.id == id && message.place.era == timeline.era())
        };
        self.outbox.holds(id) || self.timeline.as_ref().is_some_and(is_said)
    }

    pub(super) fn told(&mut self, status: &Status, me: Option<&NickName>) {
        let Some(timeline) = &mut self.timeline else { return };
        if *timeline.epoch() != status.epoch {
            // The log that acknowledged these is gone; what it had said remains said on this screen.
            for (draft, seq) in self.outbox.take_acknowledged() {
                timeline.keep_acknowledged(as_said(draft, seq, &self.name, &status.socket, me.unwrap_or(&status.name)));
            }
            timeline.begin_era(status.epoch.clone());
        }
        self.joined = Joined::Yes;
        self.catch_up_to = status.head;
    }

    pub(super) fn heard(&mut self, chat: Chat, me: Option<&NickName>) {
        let own = self.outbox.holds(chat.id) || me == Some(&chat.author);
        let id = chat.id;
        let Some(timeline) = &mut self.timeline else { return };
        let applied = timeline.apply(Event::Chat(chat), own);
        if applied == Applied::New {
            self.outbox.settle(id);
        }
        self.moved(applied);
    }

    pub(super) fn skipped(&mut self, gap: &Gap) {
        let Some(timeline) = &mut self.timeline else { return };
        let applied = timeline.skip(gap.from, gap.to);
        self.moved(applied);
    }

    pub(super) fn acknowledged(&mut self, id: MessageId, seq: Seq) {
        self.outbox.acknowledge(id, seq);
        self.settle();
    }

    pub(super) fn request(&mut self, now: u64) -> Option<HistoryRequest> {
        if self.fetch.running || now < self.fetch.not_before {
            return None;
        }
        let stretch = match (self.sought, &self.timeline) {
            (Some(seq), _) => Stretch::Around(seq),
            (None, None) => Stretch::Newest,
            (None, Some(timeline)) => self.older().or_else(|| timeline.wanted())?,
        };
        self.fetch.running = true;
        Some(HistoryRequest { room: self.name.clone(), stretch })
    }

    pub(super) fn loaded(&mut self, asked: Stretch, page: Option<&Page>, now: u64) -> Search {
        // A page of another log answers nothing; the next status will tell of that log.
        let fits = |page: &&Page| self.timeline.as_ref().is_none_or(|timeline| *timeline.epoch() == page.epoch);
        let page = page.filter(fits);
        self.fetch.ended(page.is_some(), now);
        let Some(page) = page else { return Search::Open };
        match (&mut self.timeline, asked) {
            (Some(timeline), asked) => {
                timeline.history(asked, page);
                self.wants_older &= !matches!(asked, Stretch::Before(_));
            }
            (None, Stretch::Newest) => self.open(Some(Timeline::of_page(page))),
            (None, Stretch::Around(seq)) => self.open(Timeline::around(page, seq)),
            (None, Stretch::Before(_) | Stretch::After(_)) => {}
        }
        for event in &page.events {
            let Event::Chat(chat) = event;
            self.outbox.settle(chat.id);
        }
        self.settle();
        match self.look() {
            Search::Open if self.sought.is_some_and(|sought| asked == Stretch::Around(sought)) => {
                self.sought = None;
                Search::Failed
            }
            search => search,
        }
    }

    /// Shows a message, now or as soon as it is here.
    pub(super) fn seek(&mut self, seq: Seq) -> Search {
        self.sought = Some(seq);
        self.look()
    }

    /// The reader is near the top; whether that changes anything.
    pub(super) fn reveal_older(&mut self) -> bool {
        let Some(timeline) = &mut self.timeline else { return false };
        if timeline.reveal_older() {
            return true;
        }
        let wants_older = matches!(timeline.top(), Top::More(_));
        std::mem::replace(&mut self.wants_older, wants_older) != wants_older
    }

    pub(super) fn cut(&mut self) {
        self.joined = Joined::No;
        self.outbox.cut();
        self.fetch.not_before = 0;
    }

    /// The server is there again, or the reader is: what could not be loaded is tried at once.
    pub(super) fn load_soon(&mut self) {
        self.fetch.not_before = 0;
    }

    fn open(&mut self, timeline: Option<Timeline>) {
        self.timeline = timeline;
        self.joined = Joined::No;
    }

    fn look(&mut self) -> Search {
        let (Some(seq), Some(timeline)) = (self.sought, &mut self.timeline) else { return Search::Open };
        if !timeline.focus_on(seq) {
            return Search::Open;
        }
        self.sought = None;
        Search::Found
    }

    fn older(&self) -> Option<Stretch> {
        match self.timeline.as_ref()?.top() {
            Top::More(before) if self.wants_older => Some(Stretch::Before(before)),
            _ => None,
        }
    }

    fn moved(&mut self, applied: Applied) {
        if applied == Applied::Ahead && self.joined == Joined::Yes {
            // Something is missing before it. Joining again replays from the cursor, so nothing is lost.
            self.joined = Joined::No;
        }
        self.settle();
    }

    fn settle(&mut self) {
        if let Some(timeline) = &self.timeline {
            self.outbox.settle_through(timeline.cursor());
        }
    }
}

fn as_said(draft: Draft, seq: Seq, room: &RoomName, socket: &SocketId, author: &NickName) -> Chat {
    Chat {
        room: room.clone(),
        socket: socket.clone(),
        author: author.clone(),
        text: draft.text,
        sent: draft.created,
        seq,
        id: draft.id,
        kind: draft.kind,
    }
}
