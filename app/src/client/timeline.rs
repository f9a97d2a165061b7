//! What the browser knows of a room's log: messages by era and position, holes, and remarks of its own.

mod holes;

use super::window::{STEP, Window};
use crate::protocol::{Chat, Epoch, Event, Page, Seq};
pub use holes::{Edge, Hole, HoleState, Stretch};
use std::{collections::VecDeque, sync::Arc};

/// How many entries a timeline keeps at most.
pub const MAX_ENTRIES: usize = 5_000;

/// How many events one page of history has at most. Fewer mean that the server has no older ones.
pub const PAGE_EVENTS: usize = 50;

/// Where an event stands: positions of different lives of the log have nothing to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// How many times this page saw the log begin anew.
    pub era: u32,
    /// The position in the log of that time.
    pub seq: Seq,
}

/// One thing in a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A message.
    Message(Message),
    /// A stretch that is not here.
    Hole(Hole),
    /// From here on the log is a new one: the era that begins.
    Restart(u32),
    /// Something that the browser says to its own reader only.
    Note(Note),
}

/// A message in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it stands.
    pub place: Place,
    /// What was said.
    pub chat: Arc<Chat>,
    /// What comes before it was not here when it came, so it shows its author, and goes on to do so when older ones are
    /// loaded: nothing that is being read may move.
    pub opens: bool,
}

/// A remark for this reader alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Tells it from other notes of this timeline.
    pub number: u32,
    /// What it says, in lines.
    pub text: Arc<str>,
}

impl Entry {
    /// Where it stands, if it stands for something in the log.
    pub fn place(&self) -> Option<Place> {
        match self {
            Entry::Message(message) => Some(message.place),
            Entry::Hole(hole) => Some(hole.place()),
            Entry::Restart(_) | Entry::Note(_) => None,
        }
    }
}

/// What lies above the first entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Top {
    /// Events before this position, to be loaded.
    More(Seq),
    /// Nothing: the log begins here.
    Beginning,
    /// Events that the server no longer has.
    Forgotten,
}

/// What became of a fact that the server told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It was new, and has its place now.
    New,
    /// It was known already.
    Known,
    /// Something before it is missing: ask again from the cursor.
    Ahead,
}

/// The log of one room as far as this page knows it. Order is `(era, Seq)`, whatever order facts arrive in.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// At most [`MAX_ENTRIES`], in the order in which they are shown.
    entries: VecDeque<Entry>,
    /// Which of them are shown.
    window: Window,
    era: u32,
    epoch: Epoch,
    /// Everything of this era up to here is in `entries`, or in a hole, or was dropped at the top.
    cursor: Seq,
    top: Top,
    /// The first thing that was new when the reader entered the room.
    mark: Option<Place>,
    /// The message that an address led the reader to.
    focus: Option<Place>,
    unseen: usize,
    notes: u32,
    /// How many holes there were.
    holes: u32,
}

impl Timeline {
    /// Begins with the newest page of a room.
    pub fn of_page(page: &Page) -> Timeline {
        let mut timeline = Timeline {
            entries: VecDeque::new(),
            window: Window::default(),
            era: 0,
            epoch: page.epoch.clone(),
            cursor: page.events.last().map_or(page.head, Event::seq),
            top: Top::Beginning,
            mark: None,
            focus: None,
            unseen: 0,
            notes: 0,
            holes: 0,
        };
        timeline.top = match page.events.first().map_or(page.head.next(), Event::seq) {
            Seq(0 | 1) => Top::Beginning,
            _ if page.events.len() < PAGE_EVENTS => Top::Forgotten,
            first => Top::More(first),
        };
        timeline.insert(0, timeline.in_places(&page.events, true));
        timeline
    }

    /// Begins in the middle: with a page around a message, on which the eye is to fall. None when the page does not
    /// have it.
    pub fn around(page: &Page, seq: Seq) -> Option<Timeline> {
        let (first, last) = (page.events.first()?.seq(), page.events.last()?.seq());
        let mut timeline = Timeline::of_page(page);
        if first > Seq(1) {
            // Such a page may be short because it ends at the newest event. It does not say what is above.
            timeline.top = Top::More(first);
        }
        if last < page.head {
            timeline.cursor = page.head;
            timeline.append_hole(last.next(), page.head, HoleState::Open);
        }
        timeline.focus_on(seq).then_some(timeline)
    }

    /// The position up to which this timeline knows the log.
    pub fn cursor(&self) -> Seq {
        self.cursor
    }

    /// The life of the log that the cursor belongs to.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// How many times the log began anew since the page was opened.
    pub fn era(&self) -> u32 {
        self.era
    }

    /// The cursor and its era.
    pub fn place(&self) -> Place {
        Place { era: self.era, seq: self.cursor }
    }

    /// What lies above the first entry.
    pub fn top(&self) -> Top {
        self.top
    }

    /// All messages that are here, in order.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Message(message) => Some(message),
            _ => None,
        })
    }

    /// All entries, in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The entries that are to be shown, with the one before each of them.
    pub fn shown(&self) -> impl Iterator<Item = (Option<&Entry>, &Entry)> {
        let range = self.window.range();
        range.map(|at| (at.checked_sub(1).and_then(|before| self.entries.get(before)), &self.entries[at]))
    }

    /// The message before the first entry that is shown.
    pub fn message_above(&self) -> Option<&Message> {
        let above = self.entries.range(..self.window.range().start);
        above.rev().find_map(|entry| match entry {
            Entry::Message(message) => Some(message),
            _ => None,
        })
    }

    /// Takes an event, replayed or live. `own` events are not counted as unseen.
    pub fn apply(&mut self, event: Event, own: bool) -> Applied {
        let Event::Chat(chat) = event;
        if chat.seq <= self.cursor {
            return Applied::Known;
        }
        if chat.seq != self.cursor.next() {
            return Applied::Ahead;
        }
        self.cursor = chat.seq;
        self.unseen += usize::from(!own && !self.window.is_following());
        let place = self.place();
        let opens = matches!(self.entries.back(), Some(Entry::Hole(_)));
        self.append(Entry::Message(Message { place, chat: Arc::new(chat), opens }));
        Applied::New
    }

    /// Moves the cursor over a stretch that the server does not replay.
    pub fn skip(&mut self, from: Seq, to: Seq) -> Applied {
        if to <= self.cursor {
            return Applied::Known;
        }
        if from > self.cursor.next() {
            return Applied::Ahead;
        }
        let from = self.cursor.next();
        self.cursor = to;
        self.append_hole(from, to, HoleState::Offered);
        Applied::New
    }

    /// The log began anew: what is here stays, and the cursor stands before the first event of the new one.
    pub fn begin_era(&mut self, epoch: Epoch) {
        self.era += 1;
        self.epoch = epoch;
        self.cursor = Seq::ZERO;
        if self.entries.is_empty() {
            self.top = Top::Beginning;
            return;
        }
        if matches!(self.top, Top::More(_)) {
            self.top = Top::Forgotten;
        }
        for entry in &mut self.entries {
            if let Entry::Hole(hole) = entry {
                hole.state = HoleState::Lost;
            }
        }
        self.append(Entry::Restart(self.era));
    }

    /// Keeps a message that the server acknowledged and that will not be replayed, because its log is gone.
    pub fn keep_acknowledged(&mut self, chat: Chat) {
        let place = Place { era: self.era, seq: chat.seq };
        self.append(Entry::Message(Message { place, chat: Arc::new(chat), opens: false }));
    }

    /// Says something to the reader alone.
    pub fn note(&mut self, text: &str) {
        self.notes += 1;
        self.append(Entry::Note(Note { number: self.notes, text: text.into() }));
    }

    /// How many messages came since the reader left the end.
    pub fn unseen(&self) -> usize {
        self.unseen
    }

    /// Whether the newest entries are shown, whatever comes.
    pub fn is_following(&self) -> bool {
        self.window.is_following()
    }

    /// Whether the last entry is among those that are shown.
    pub fn shows_the_end(&self) -> bool {
        self.window.end_is_shown(self.entries.len())
    }

    /// Whether what is shown goes on to the newest message, with nothing missing at its end.
    pub fn reaches_the_newest(&self) -> bool {
        self.shows_the_end() && !self.entries.back().is_some_and(Entry::can_be_loaded)
    }

    /// Whether the first entry is among those that are shown.
    pub fn shows_the_start(&self) -> bool {
        self.window.range().start == 0
    }

    /// Shows the newest entries from now on.
    pub fn follow(&mut self) {
        let returns = !self.window.is_following();
        self.unseen = 0;
        self.window.follow(self.entries.len());
        if returns {
            self.want_newest();
        }
    }

    /// Keeps showing what is shown: the reader looks at something above the end.
    pub fn hold(&mut self) {
        self.window.hold();
    }

    /// Shows older entries that are here; false when there are none.
    pub fn reveal_older(&mut self) -> bool {
        self.window.reveal_older()
    }

    /// Shows newer entries that are here; false when there are none.
    pub fn reveal_newer(&mut self) -> bool {
        self.window.reveal_newer(self.entries.len())
    }

    /// The line "New messages" is drawn before the entry at this place.
    pub fn mark(&self) -> Option<Place> {
        self.mark
    }

    /// Shows a message of this era and marks it; false when it is not here.
    pub fn focus_on(&mut self, seq: Seq) -> bool {
        let place = Place { era: self.era, seq };
        let is_it = |entry: &Entry| matches!(entry, Entry::Message(message) if message.place == place);
        let found = self.entries.iter().position(is_it);
        if let Some(at) = found {
            self.focus = Some(place);
            self.window.show(at, self.entries.len());
        }
        found.is_some()
    }

    /// The message that is marked.
    pub fn focus(&self) -> Option<Place> {
        self.focus
    }

    /// No message is marked any more.
    pub fn unfocus(&mut self) {
        self.focus = None;
    }

    /// The reader enters the room, having left it at a place.
    pub fn enter(&mut self, left_at: Option<Place>) {
        self.unfocus();
        self.mark = left_at.and_then(|left| self.entries.iter().filter_map(Entry::place).find(|place| *place > left));
        self.follow();
    }

    fn append(&mut self, entry: Entry) {
        self.entries.push_back(entry);
        self.window.appended(self.entries.len());
        self.trim();
    }

    fn insert(&mut self, at: usize, entries: Vec<Entry>) {
        self.window.inserted(at, entries.len(), self.entries.len());
        for entry in entries.into_iter().rev() {
            self.entries.insert(at, entry);
        }
    }

    /// Events as entries; whether the first of them `opens` is said.
    fn in_places(&self, events: &[Event], opens: bool) -> Vec<Entry> {
        let message = |(index, event): (usize, &Event)| {
            let Event::Chat(chat) = event;
            let place = Place { era: self.era, seq: chat.seq };
            Entry::Message(Message { place, chat: Arc::new(chat.clone()), opens: opens && index == 0 })
        };
        events.iter().enumerate().map(message).collect()
    }

    /// Keeps to [`MAX_ENTRIES`] by letting go of what is farthest from the reader.
    fn trim(&mut self) {
        while self.entries.len() > MAX_ENTRIES {
            let shown = self.window.range();
            let below = self.entries.len() - shown.end;
            if shown.start >= below || !self.collapse_newest() {
                self.drop_oldest();
            }
        }
    }

    fn drop_oldest(&mut self) {
        self.entries.pop_front();
        self.window.removed(0);
        self.top = match self.entries.iter().find_map(Entry::place) {
            Some(place) if place.era == self.era && place.seq > Seq(1) => Top::More(place.seq),
            _ => Top::Forgotten,
        };
    }

    /// Lets the newest message become part of a hole at the end; false when the end is something else.
    fn collapse_newest(&mut self) -> bool {
        let (mut from, mut number) = (self.cursor.next(), None);
        // In this order: the hole of the last time, the message, the hole that reaches up to the message.
        for _ in 0..3 {
            from = match self.entries.back() {
                Some(Entry::Message(message)) if message.place.era == self.era => message.place.seq,
                Some(Entry::Hole(hole)) if hole.era == self.era => {
                    // The row of it stays, as long as there is one.
                    number = number.or(Some(hole.number));
                    hole.from
                }
                Some(Entry::Note(_)) => from,
                _ => break,
            };
            self.entries.pop_back();
            if self.entries.len() + 1 < MAX_ENTRIES {
                break;
            }
        }
        let collapsed = from <= self.cursor;
        if collapsed {
            let number = number.unwrap_or_else(|| self.next_hole());
            let hole = Hole { number, era: self.era, from, to: self.cursor, state: HoleState::Open };
            self.entries.push_back(Entry::Hole(hole));
        }
        self.window.clip(self.entries.len());
        collapsed
    }
}

#[cfg(test)]
mod tests;
