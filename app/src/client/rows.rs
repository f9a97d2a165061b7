//! What the log shows, row by row: the timeline's window and the drafts, with days, groups and lines between them.

use super::{
    calendar::Calendar,
    outbox::{Draft, DraftState},
    room::Room,
    timeline::{Entry, Hole, HoleState, Message, Place, Timeline, Top},
};
use crate::protocol::{Kind, MessageId, NickName, Seq, Text, Timestamp};
use std::sync::Arc;

/// Messages of one author within this time belong together, in milliseconds.
const GROUP_MS: u64 = 5 * 60 * 1_000;

/// What tells a row from all others for as long as it is shown. A draft keeps it when it becomes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RowKey {
    Top,
    /// A day, and how many times it was begun above: clocks may go back.
    Day(i64, usize),
    New,
    Message(u32, MessageId),
    Hole(u32),
    Restart(u32),
    Note(u32),
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Row {
    /// What lies above everything.
    Top(TopRow),
    /// A day begins.
    Day(i64),
    /// What follows came since the reader was here.
    New,
    Message(MessageRow),
    Hole {
        number: u32,
        count: u64,
        state: HoleState,
    },
    Restart,
    Note(Arc<str>),
}

/// What lies above everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopRow {
    /// Nothing was said here yet.
    Empty,
    /// The first message follows.
    Beginning,
    /// Older messages are no longer kept.
    Forgotten,
}

/// A message, sent or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageRow {
    pub(crate) id: MessageId,
    /// Its position, where that leads to it: one in a log that is gone does not.
    pub(crate) seq: Option<Seq>,
    pub(crate) author: NickName,
    pub(crate) text: Text,
    pub(crate) kind: Kind,
    pub(crate) sent: Timestamp,
    /// This reader said it.
    pub(crate) own: bool,
    /// An address led the reader to it.
    pub(crate) marked: bool,
    /// It goes on from the row above, so its author need not be shown.
    pub(crate) continues: bool,
    pub(crate) state: MessageState,
}

/// How far a message came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MessageState {
    Sending,
    Sent,
    /// It was refused, for this reason.
    Refused(Arc<str>),
}

/// The rows of a room, for a reader who is called `me`.
pub(crate) fn rows(room: &Room, me: Option<&NickName>, calendar: &dyn Calendar) -> Vec<(RowKey, Row)> {
    let Some(timeline) = room.timeline() else {
        // The first page is on its way. What is said meanwhile is seen at once all the same.
        let mut rows = Rows { rows: Vec::new(), me, calendar, era: 0, focus: None, said: None };
        rows.drafts(room, None);
        return rows.rows;
    };
    let said = timeline.message_above().map(|message| message.chat.sent);
    let (era, focus) = (timeline.era(), timeline.focus());
    let mut rows = Rows { rows: Vec::new(), me, calendar, era, focus, said };
    rows.top(timeline, room);
    for (before, entry) in timeline.shown() {
        rows.entry(before, entry, timeline.mark());
    }
    // Drafts come after everything that is acknowledged, so they are only seen where the end is.
    if timeline.shows_the_end() {
        rows.drafts(room, timeline.entries().last());
    }
    rows.rows
}

struct Rows<'a> {
    rows: Vec<(RowKey, Row)>,
    me: Option<&'a NickName>,
    calendar: &'a dyn Calendar,
    era: u32,
    focus: Option<Place>,
    /// When the last message above was sent.
    said: Option<Timestamp>,
}

/// What a message is compared with to see whether it continues: author and time of the one before it.
struct Before<'a> {
    author: &'a NickName,
    sent: Timestamp,
    kind: Kind,
}

impl<'a> Before<'a> {
    fn of(entry: &'a Entry) -> Option<Before<'a>> {
        match entry {
            Entry::Message(Message { chat, .. }) => {
                Some(Before { author: &chat.author, sent: chat.sent, kind: chat.kind })
            }
            _ => None,
        }
    }
}

impl Rows<'_> {
    fn top(&mut self, timeline: &Timeline, room: &Room) {
        let row = match timeline.top() {
            _ if !timeline.shows_the_start() => return,
            Top::Beginning if timeline.entries().next().is_none() && room.outbox().is_empty() => TopRow::Empty,
            Top::Beginning => TopRow::Beginning,
            Top::Forgotten => TopRow::Forgotten,
            Top::More(_) => return,
        };
        self.rows.push((RowKey::Top, Row::Top(row)));
    }

    fn entry(&mut self, before: Option<&Entry>, entry: &Entry, mark: Option<Place>) {
        match entry {
            Entry::Message(message) => self.message(before, message, mark),
            Entry::Hole(hole) => {
                self.new_line(mark == Some(hole.place()));
                self.hole(hole);
            }
            Entry::Restart(era) => self.rows.push((RowKey::Restart(*era), Row::Restart)),
            Entry::Note(note) => self.rows.push((RowKey::Note(note.number), Row::Note(note.text.clone()))),
        }
    }

    fn message(&mut self, before: Option<&Entry>, message: &Message, mark: Option<Place>) {
        let chat = &message.chat;
        let before_here = before.and_then(Before::of);
        let new_day = self.day(chat.sent);
        let is_marked = mark == Some(message.place);
        self.new_line(is_marked);
        let apart = message.opens || new_day || is_marked;
        let continues = !apart && continues(before_here.as_ref(), &chat.author, chat.sent, chat.kind);
        let row = MessageRow {
            id: chat.id,
            seq: (message.place.era == self.era).then_some(message.place.seq),
            author: chat.author.clone(),
            text: chat.text.clone(),
            kind: chat.kind,
            sent: chat.sent,
            own: self.me == Some(&chat.author),
            marked: self.focus == Some(message.place),
            continues,
            state: MessageState::Sent,
        };
        self.rows.push((RowKey::Message(message.place.era, chat.id), Row::Message(row)));
    }

    fn hole(&mut self, hole: &Hole) {
        let (number, count) = (hole.number, hole.to.next().distance_from(hole.from));
        self.rows.push((RowKey::Hole(number), Row::Hole { number, count, state: hole.state }));
    }

    fn drafts(&mut self, room: &Room, last: Option<&Entry>) {
        // Whoever has no name yet sees what they said all the same.
        let nobody = NickName::parse("you").expect("a good name");
        let me = self.me.unwrap_or(&nobody);
        let mut before = last.and_then(Before::of);
        for draft in room.outbox().drafts() {
            let new_day = self.day(draft.created);
            let continues = !new_day && continues(before.as_ref(), me, draft.created, draft.kind);
            let row = self.draft(me, draft, continues);
            self.rows.push((RowKey::Message(self.era, draft.id), Row::Message(row)));
            before = Some(Before { author: me, sent: draft.created, kind: draft.kind });
        }
    }

    fn draft(&self, me: &NickName, draft: &Draft, continues: bool) -> MessageRow {
        let state = match &draft.state {
            DraftState::Waiting | DraftState::InFlight(_) => MessageState::Sending,
            DraftState::Sent(_) => MessageState::Sent,
            DraftState::Refused(why) => MessageState::Refused(why.clone()),
        };
        MessageRow {
            id: draft.id,
            seq: None,
            author: me.clone(),
            text: draft.text.clone(),
            kind: draft.kind,
            sent: draft.created,
            own: true,
            marked: false,
            continues,
            state,
        }
    }

    fn new_line(&mut self, is_marked: bool) {
        if is_marked {
            self.rows.push((RowKey::New, Row::New));
        }
    }

    /// Adds the heading of a day where a day begins.
    fn day(&mut self, sent: Timestamp) -> bool {
        let day = self.calendar.day(sent);
        let is_new = self.said.replace(sent).is_none_or(|before| self.calendar.day(before) != day);
        if is_new {
            let begun = self.rows.iter().filter(|(_, row)| *row == Row::Day(day)).count();
            self.rows.push((RowKey::Day(day, begun), Row::Day(day)));
        }
        is_new
    }
}

fn continues(before: Option<&Before<'_>>, author: &NickName, sent: Timestamp, kind: Kind) -> bool {
    before.is_some_and(|before| {
        let near = sent.millis_since(before.sent) <= GROUP_MS;
        near && before.author == author && before.kind == Kind::Speech && kind == Kind::Speech
    })
}

/// How many colours there are for names.
const HUES: u32 = 12;

/// Which colour a name has: the same one for everybody, every time (FNV-1a).
pub(crate) fn hue(name: &NickName) -> u32 {
    let hash =
        name.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash >> 8) % HUES
}

#[cfg(test)]
mod tests;
