//! What is not here of a room's log, and how it comes to be here.

use super::{Entry, PAGE_EVENTS, Place, STEP, Timeline, Top};
use crate::protocol::{Event, Page, Seq};

/// Which events to ask the server for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    /// The newest of all.
    Newest,
    /// The newest before a position.
    Before(Seq),
    /// The oldest after a position.
    After(Seq),
    /// A position in the middle.
    Around(Seq),
}

/// Positions that are not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// Tells it from other holes of this timeline, for as long as anything of it is missing.
    pub number: u32,
    /// Whose positions they are.
    pub era: u32,
    /// The first position that is missing.
    pub from: Seq,
    /// The last position that is missing.
    pub to: Seq,
    /// What can be done about it.
    pub state: HoleState,
}

/// What can be done about a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoleState {
    /// It is loaded when the reader asks for it.
    Offered,
    /// It is loaded page by page, as the reader comes near.
    Open,
    /// A page of it is to be loaded, at this edge.
    Wanted(Edge),
    /// The server no longer has it.
    Lost,
}

/// An edge of a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// What follows the message above the hole.
    Upper,
    /// What leads to the message below the hole.
    Lower,
}

impl Hole {
    /// Where it begins.
    pub fn place(&self) -> Place {
        Place { era: self.era, seq: self.from }
    }

    /// What to ask for.
    fn wish(&self) -> Option<Stretch> {
        match self.state {
            HoleState::Wanted(Edge::Upper) => Some(Stretch::After(self.from.previous())),
            HoleState::Wanted(Edge::Lower) => Some(Stretch::Before(self.to.next())),
            HoleState::Offered | HoleState::Open | HoleState::Lost => None,
        }
    }
}

impl Entry {
    /// Whether it is something that the server still has.
    pub(super) fn can_be_loaded(&self) -> bool {
        matches!(self, Entry::Hole(hole) if hole.state != HoleState::Lost)
    }
}

impl Timeline {
    /// Takes events as HTTP answered them, wherever they are missing. What was asked for and did not come no longer is
    /// on the server. An answer of another log is ignored.
    pub fn history(&mut self, asked: Stretch, page: &Page) {
        if page.epoch != self.epoch {
            return;
        }
        self.put(&page.events);
        self.lose(asked, page);
        for hole in self.holes_mut().filter(|hole| hole.wish() == Some(asked)) {
            // This was no answer. It is not asked for again without end.
            hole.state = HoleState::Offered;
        }
        self.trim();
    }

    /// What is to be loaded next.
    pub fn wanted(&self) -> Option<Stretch> {
        self.entries.iter().rev().find_map(|entry| match entry {
            Entry::Hole(hole) => hole.wish(),
            _ => None,
        })
    }

    /// The reader wants to see more of a hole.
    pub fn want_hole(&mut self, number: u32, edge: Edge) {
        for hole in self.holes_mut().filter(|hole| hole.number == number) {
            if matches!(hole.state, HoleState::Offered | HoleState::Open) {
                hole.state = HoleState::Wanted(edge);
            }
        }
    }

    /// The reader came near an edge of a hole; whether that changes anything.
    pub fn near_hole(&mut self, number: u32, edge: Edge) -> bool {
        let hole = self.holes_mut().find(|hole| hole.number == number && hole.state == HoleState::Open);
        hole.map(|hole| hole.state = HoleState::Wanted(edge)).is_some()
    }

    /// The reader returns to the end, and wants to see what led to it.
    pub(super) fn want_newest(&mut self) {
        for entry in self.entries.iter_mut().rev().take(STEP) {
            if let Entry::Hole(hole) = entry
                && hole.state != HoleState::Lost
            {
                hole.state = HoleState::Wanted(Edge::Lower);
            }
        }
    }

    /// Adds a hole of this era at the end, or lets the one that is there go on.
    pub(super) fn append_hole(&mut self, from: Seq, to: Seq, state: HoleState) {
        if let Some(Entry::Hole(last)) = self.entries.back_mut()
            && (last.era, last.to.next()) == (self.era, from)
            && last.state != HoleState::Lost
        {
            last.to = to;
            return;
        }
        let hole = Hole { number: self.next_hole(), era: self.era, from, to, state };
        self.append(Entry::Hole(hole));
    }

    pub(super) fn next_hole(&mut self) -> u32 {
        self.holes += 1;
        self.holes
    }

    fn holes_mut(&mut self) -> impl Iterator<Item = &mut Hole> {
        self.entries.iter_mut().filter_map(|entry| match entry {
            Entry::Hole(hole) => Some(hole),
            _ => None,
        })
    }

    /// Puts events of this era, a dense run, where they are missing.
    fn put(&mut self, events: &[Event]) {
        if let Top::More(before) = self.top {
            let end = events.partition_point(|event| event.seq() < before);
            self.put_above(&events[..end], before);
        }
        for at in (0..self.entries.len()).rev() {
            if let Entry::Hole(hole) = &self.entries[at]
                && hole.era == self.era
            {
                let begin = events.partition_point(|event| event.seq() < hole.from);
                let end = events.partition_point(|event| event.seq() <= hole.to);
                self.fill(at, hole.clone(), &events[begin..end]);
            }
        }
    }

    fn put_above(&mut self, events: &[Event], before: Seq) {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
        let (first, last) = (first.seq(), last.seq());
        let mut above = self.in_places(events, true);
        if last.next() < before {
            let number = self.next_hole();
            let to = before.previous();
            above.push(Entry::Hole(Hole { number, era: self.era, from: last.next(), to, state: HoleState::Open }));
        }
        self.top = if first <= Seq(1) { Top::Beginning } else { Top::More(first) };
        self.insert(0, above);
    }

    /// Puts events into the hole at an index. What remains of it above them keeps its number, or else what remains
    /// below them.
    fn fill(&mut self, at: usize, hole: Hole, events: &[Event]) {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
        let (first, last) = (first.seq(), last.seq());
        let state = if hole.state == HoleState::Lost { HoleState::Lost } else { HoleState::Open };
        let is_apart = hole.from < first;
        let mut filling = Vec::with_capacity(events.len() + 2);
        if is_apart {
            filling.push(Entry::Hole(Hole { to: first.previous(), state, ..hole.clone() }));
        }
        filling.extend(self.in_places(events, is_apart));
        if last < hole.to {
            let number = if is_apart { self.next_hole() } else { hole.number };
            filling.push(Entry::Hole(Hole { number, from: last.next(), state, ..hole }));
        }
        self.entries.remove(at);
        self.window.removed(at);
        self.insert(at, filling);
    }

    /// Gives up what an answer should have had in it and had not.
    fn lose(&mut self, asked: Stretch, page: &Page) {
        let (first, last) = (page.events.first().map(Event::seq), page.events.last().map(Event::seq));
        let is_last_page = page.events.len() < PAGE_EVENTS;
        let era = self.era;
        let is_lost = |hole: &Hole| match asked {
            Stretch::Before(before) => {
                let is_above = is_last_page && hole.to < first.unwrap_or(before);
                let is_below = hole.from > last.unwrap_or_default() && hole.to < before;
                hole.era == era && (is_above || is_below)
            }
            Stretch::After(after) => hole.era == era && hole.from > after && first.is_none_or(|first| hole.to < first),
            Stretch::Newest | Stretch::Around(_) => false,
        };
        for hole in self.holes_mut().filter(|hole| is_lost(hole)) {
            hole.state = HoleState::Lost;
        }
        if let (Top::More(from), Stretch::Before(before)) = (self.top, asked)
            && is_last_page
            && from <= first.unwrap_or(before)
        {
            self.top = Top::Forgotten;
        }
    }
}
