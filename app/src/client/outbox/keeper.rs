//! Keeps what waits in a page in the browser's storage, and takes in what waits in pages that are gone.
//!
//! Every load of a page is an owner with a record of its own, so that tabs never write over each other. What a closed
//! page leaves is taken over whole by another one, which writes its own record before it removes the old one: at every
//! moment at least one record holds each draft.
//!
//! A page that is closed says so in its record. One that crashed cannot, so whoever wants to know knocks: a page that
//! is there answers by renewing its sign of life, and a record that is as it was a while later has nobody. No clocks
//! are compared and nothing has to be renewed on time, which timers in the background could not do. Web Locks would
//! tell the same, but not on plain HTTP in a local network, where browsers do not have them.
//!
//! Nothing depends on the answer: the server keeps each id once for ever, so two pages that send the same draft do no
//! harm. A page that was taken for gone, because it slept, finds its record missing and leaves to the others what their
//! records hold.

use super::kept;
use crate::{client::session::Session, protocol::MessageId};

/// Under which keys records lie. The number is the version of their format: records of another version are left alone.
pub(crate) const PREFIX: &str = "taproom:outbox:1:";

/// Where a page knocks. Every page of the browser hears of it.
pub(crate) const KNOCK: &str = "taproom:knock";

/// How many records of other pages are looked at at once. The others have their turn when these are gone.
pub(crate) const MAX_RECORDS: usize = 32;

/// What a sign of life begins with, and what it begins with when the page is closed: as long, because there may be no
/// place for more.
const HERE: &str = "here ";
const GONE: &str = "gone ";

/// The browser's storage, which all its pages share.
pub(crate) trait Shelf {
    fn read(&self, key: &str) -> Option<String>;

    /// False when it is full or forbidden; what was there before is there still.
    fn write(&mut self, key: &str, value: &str) -> bool;

    fn remove(&mut self, key: &str);

    /// The first [`MAX_RECORDS`] keys with [`PREFIX`], and one more.
    fn records(&self) -> Vec<String>;
}

/// One page's part in the storage.
#[derive(Debug, Clone)]
pub(crate) struct Keeper {
    key: String,
    /// What there was to keep the last time, and which of it was refused.
    held: Vec<(MessageId, bool)>,
    /// Whether the record holds all of it.
    is_kept: bool,
    /// The last sign of life, in milliseconds of the browser's clock, and higher than the one before.
    sign: u64,
    /// The page is closed, for good or until the reader comes back to it.
    is_closed: bool,
    /// The signs of life of others at the last knock.
    asked: Vec<(String, String)>,
}

impl Keeper {
    /// For a page with this identity.
    pub(crate) fn new(page: MessageId) -> Keeper {
        Keeper {
            key: [PREFIX, page.as_str()].concat(),
            held: Vec::new(),
            is_kept: true,
            sign: 0,
            is_closed: false,
            asked: Vec::new(),
        }
    }

    /// Brings the record up to what the session holds, after every change and before anything is sent. False when the
    /// storage does not take it.
    pub(crate) fn keep(&mut self, session: &mut Session, shelf: &mut impl Shelf, now: u64) -> bool {
        let robbed = self.is_kept && !self.held.is_empty() && shelf.read(&self.key).is_none();
        if robbed {
            self.leave_to_others(session, shelf);
        }
        if robbed || held(session) != self.held {
            self.write(session, shelf, now);
        }
        self.is_kept
    }

    /// Whether the storage holds what the session held the last time.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Writes the record, if there is anything to write: a page that knocked wants to know whether this one is there,
    /// or the storage may take by now what it did not take before.
    pub(crate) fn renew(&mut self, session: &mut Session, shelf: &mut impl Shelf, now: u64) {
        self.keep(session, shelf, now);
        if !self.held.is_empty() {
            self.write(session, shelf, now);
        }
    }

    /// Takes in what pages left that are closed.
    pub(crate) fn adopt_left(&mut self, session: &mut Session, shelf: &mut impl Shelf, now: u64) {
        for key in self.others(shelf) {
            self.adopt(&key, |sign| sign.starts_with(GONE), session, shelf, now);
        }
    }

    /// Knocks where others have records; false when none has, or when nobody could hear it.
    pub(crate) fn knock(&mut self, shelf: &mut impl Shelf, now: u64) -> bool {
        let sign = |key: String| shelf.read(&key).map(|record| (key, kept::sign(&record).to_owned()));
        self.asked = self.others(shelf).into_iter().filter_map(sign).collect();
        let heard = !self.asked.is_empty() && shelf.write(KNOCK, &[&self.key, " ", &now.to_string()].concat());
        shelf.remove(KNOCK);
        if !heard {
            self.asked.clear();
        }
        heard
    }

    /// Takes in what pages left that did not answer the last knock.
    pub(crate) fn adopt_silent(&mut self, session: &mut Session, shelf: &mut impl Shelf, now: u64) {
        for (key, asked) in std::mem::take(&mut self.asked) {
            self.adopt(&key, |sign| sign == asked, session, shelf, now);
        }
    }

    /// The page is closed. The reader may come back to it all the same.
    pub(crate) fn close(&mut self, session: &Session, shelf: &mut impl Shelf, now: u64) {
        self.is_closed = true;
        if !self.held.is_empty() {
            self.write(session, shelf, now);
        }
    }

    /// The reader came back to a page that was closed.
    pub(crate) fn reopen(&mut self, session: &mut Session, shelf: &mut impl Shelf, now: u64) {
        if std::mem::replace(&mut self.is_closed, false) {
            self.renew(session, shelf, now);
        }
    }

    fn adopt(
        &mut self,
        key: &str,
        is_left: impl Fn(&str) -> bool,
        session: &mut Session,
        shelf: &mut impl Shelf,
        now: u64,
    ) {
        let Some(record) = shelf.read(key).filter(|record| is_left(kept::sign(record))) else { return };
        // A record for which this page has no place waits for another page, or for its turn. One that this page could
        // not write again stays where it is: what is sent twice is kept once.
        if session.adopt(kept::read(&record)) && self.keep(session, shelf, now) {
            shelf.remove(key);
        }
    }

    fn leave_to_others(&self, session: &mut Session, shelf: &impl Shelf) {
        // What a closed page left belongs to whoever takes it.
        let records = self.others(shelf).into_iter().filter_map(|key| shelf.read(&key));
        let records = records.filter(|record| !is_left(record));
        let ids: Vec<_> = records.flat_map(|record| kept::read(&record)).map(|(_, draft)| draft.id).collect();
        session.hand_over(&ids);
    }

    fn write(&mut self, session: &Session, shelf: &mut impl Shelf, now: u64) {
        self.held = held(session);
        self.sign = now.max(self.sign + 1);
        if self.held.is_empty() {
            shelf.remove(&self.key);
            self.is_kept = true;
            return;
        }
        let sign = [if self.is_closed { GONE } else { HERE }, &self.sign.to_string()].concat();
        self.is_kept = shelf.write(&self.key, &kept::write(&sign, session.drafts()));
    }

    fn others(&self, shelf: &impl Shelf) -> Vec<String> {
        shelf.records().into_iter().filter(|key| *key != self.key).take(MAX_RECORDS).collect()
    }
}

/// Whether a record says that its page was closed.
pub(crate) fn is_left(record: &str) -> bool {
    record.starts_with(GONE)
}

fn held(session: &Session) -> Vec<(MessageId, bool)> {
    let is_refused = |draft: &super::Draft| matches!(draft.state, super::DraftState::Refused(_));
    session.drafts().map(|(_, draft)| (draft.id, is_refused(draft))).collect()
}

#[cfg(test)]
mod tests;
