//! What this browser said and the server has not acknowledged, in the order in which it was said.

pub(crate) mod keeper;
mod kept;

use crate::protocol::{Kind, MessageId, Seq, Text, Timestamp};
use std::{collections::VecDeque, sync::Arc};

/// How many drafts a room's outbox holds at most.
pub const MAX_DRAFTS: usize = 200;

/// How many drafts all outboxes of a page hold at most.
pub const MAX_DRAFTS_IN_ALL: usize = 1_000;

/// How much text all outboxes of a page hold at most, in bytes: a tenth of what browsers keep for one site.
pub const MAX_BYTES_IN_ALL: usize = 512 * 1024;

/// A text that was sent and is not yet seen in the room's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The identity under which it is sent, however often.
    pub id: MessageId,
    /// What is said.
    pub text: Text,
    /// How it is meant.
    pub kind: Kind,
    /// When it was said, by the server's clock as far as this browser knows it.
    pub created: Timestamp,
    /// How far it came.
    pub state: DraftState,
}

/// How far a draft came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftState {
    /// It waits for its turn, or for a connection.
    Waiting,
    /// It was sent at this time (this browser's clock, milliseconds).
    InFlight(u64),
    /// It is kept at this position, and its event is on its way.
    Sent(Seq),
    /// It was refused for this reason, and waits for its author's decision.
    Refused(Arc<str>),
}

/// The outbox holds [`MAX_DRAFTS`] already, or all outboxes together hold what they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The drafts of one room. At most one is in flight, so that the log has them in this order whatever is refused, cut
/// or answered late.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    drafts: VecDeque<Draft>,
}

impl Outbox {
    /// Adds a draft at the end.
    pub fn add(&mut self, draft: Draft) -> Result<(), Full> {
        if self.drafts.len() >= MAX_DRAFTS {
            return Err(Full);
        }
        self.drafts.push_back(draft);
        Ok(())
    }

    /// The draft to send now, which is in flight from then on; none while another one is.
    pub fn send_next(&mut self, now: u64) -> Option<&Draft> {
        if self.in_flight_since().is_some() {
            return None;
        }
        let draft = self.drafts.iter_mut().find(|draft| draft.state == DraftState::Waiting)?;
        draft.state = DraftState::InFlight(now);
        Some(draft)
    }

    /// The server keeps a draft at this position.
    pub fn acknowledge(&mut self, id: MessageId, seq: Seq) {
        self.change(id, DraftState::Sent(seq));
    }

    /// The draft's event is in the timeline: it is a draft no more.
    pub fn settle(&mut self, id: MessageId) {
        self.drafts.retain(|draft| draft.id != id);
    }

    /// Lets go of the drafts that are kept at or before a position which the timeline has passed.
    pub fn settle_through(&mut self, cursor: Seq) {
        self.drafts.retain(|draft| !matches!(draft.state, DraftState::Sent(seq) if seq <= cursor));
    }

    /// Takes out the drafts that are acknowledged, with their positions.
    pub fn take_acknowledged(&mut self) -> Vec<(Draft, Seq)> {
        let mut acknowledged = Vec::new();
        for draft in std::mem::take(&mut self.drafts) {
            match draft.state {
                DraftState::Sent(seq) => acknowledged.push((draft, seq)),
                _ => self.drafts.push_back(draft),
            }
        }
        acknowledged
    }

    /// The server asked to try a draft again later.
    pub fn postpone(&mut self, id: MessageId) {
        self.change(id, DraftState::Waiting);
    }

    /// The server refused a draft. The ones behind it go on.
    pub fn refuse(&mut self, id: MessageId, why: &str) {
        self.change(id, DraftState::Refused(why.into()));
    }

    /// Sends a refused draft once more, behind all others.
    pub fn retry(&mut self, id: MessageId) {
        let refused = |draft: &Draft| draft.id == id && matches!(draft.state, DraftState::Refused(_));
        if let Some(mut draft) = self.drafts.iter().position(refused).and_then(|at| self.drafts.remove(at)) {
            draft.state = DraftState::Waiting;
            self.drafts.push_back(draft);
        }
    }

    /// Forgets a refused draft.
    pub fn discard(&mut self, id: MessageId) {
        self.drafts.retain(|draft| draft.id != id || !matches!(draft.state, DraftState::Refused(_)));
    }

    /// The connection is gone. Whatever was in flight may have arrived or not: it goes again with its old id.
    pub fn cut(&mut self) {
        for draft in &mut self.drafts {
            if matches!(draft.state, DraftState::InFlight(_)) {
                draft.state = DraftState::Waiting;
            }
        }
    }

    /// Since when a draft has been in flight.
    pub fn in_flight_since(&self) -> Option<u64> {
        self.drafts.iter().find_map(|draft| match draft.state {
            DraftState::InFlight(since) => Some(since),
            _ => None,
        })
    }

    /// Takes in what was said in another page, in its order and among what waits here by the time at which it was
    /// said. Nothing comes before what is on its way already.
    pub fn adopt(&mut self, adopted: Vec<Draft>) {
        let is_under_way = |draft: &Draft| matches!(draft.state, DraftState::InFlight(_) | DraftState::Sent(_));
        let under_way = self.drafts.iter().rposition(is_under_way).map_or(0, |at| at + 1);
        let mut own = self.drafts.split_off(under_way).into_iter().peekable();
        for draft in adopted {
            while let Some(earlier) = own.next_if(|own| own.created <= draft.created) {
                self.drafts.push_back(earlier);
            }
            self.drafts.push_back(draft);
        }
        self.drafts.extend(own);
    }

    /// Another page sends these from now on.
    pub fn hand_over(&mut self, ids: &[MessageId]) {
        self.drafts.retain(|draft| !ids.contains(&draft.id));
    }

    /// How many drafts it holds.
    pub fn len(&self) -> usize {
        self.drafts.len()
    }

    /// How long the texts of its drafts are together, in bytes.
    pub fn bytes(&self) -> usize {
        self.drafts.iter().map(|draft| draft.text.as_str().len()).sum()
    }

    /// Whether it holds a draft.
    pub fn holds(&self, id: MessageId) -> bool {
        self.drafts.iter().any(|draft| draft.id == id)
    }

    /// All drafts, in order.
    pub fn drafts(&self) -> impl Iterator<Item = &Draft> {
        self.drafts.iter()
    }

    /// How many drafts the server has not acknowledged and not refused.
    pub fn waiting(&self) -> usize {
        let waits = |draft: &&Draft| matches!(draft.state, DraftState::Waiting | DraftState::InFlight(_));
        self.drafts.iter().filter(waits).count()
    }

    /// Whether its author would lose anything with it: a draft that is not acknowledged.
    pub fn has_unsent(&self) -> bool {
        self.drafts.iter().any(|draft| !matches!(draft.state, DraftState::Sent(_)))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// An answer counts for a draft that is waiting or in flight: a late one changes nothing.
    fn change(&mut self, id: MessageId, state: DraftState) {
        let open =
            |draft: &&mut Draft| draft.id == id && matches!(draft.state, DraftState::Waiting | DraftState::InFlight(_));
        if let Some(draft) = self.drafts.iter_mut().find(open) {
            draft.state = state;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> MessageId {
        MessageId::new(number, 0)
    }

    fn outbox(count: u64) -> Outbox {
        let mut outbox = Outbox::default();
        for number in 1..=count {
            outbox.add(draft(number)).expect("there is room");
        }
        outbox
    }

    fn draft(number: u64) -> Draft {
        let text = Text::parse("hello").expect("a text");
        Draft { id: id(number), text, kind: Kind::Speech, created: Timestamp(0), state: DraftState::Waiting }
    }

    fn sends(outbox: &mut Outbox) -> Option<MessageId> {
        outbox.send_next(7).map(|draft| draft.id)
    }

    #[test]
    fn one_draft_is_in_flight_at_a_time() {
        let mut outbox = outbox(2);
        assert_eq!(sends(&mut outbox), Some(id(1)));
        assert_eq!(sends(&mut outbox), None);
        assert_eq!(outbox.in_flight_since(), Some(7));
        outbox.acknowledge(id(1), Seq(1));
        assert_eq!(sends(&mut outbox), Some(id(2)));
    }

    #[test]
    fn a_cut_sends_what_was_in_flight_again_first() {
        let mut outbox = outbox(2);
        sends(&mut outbox);
        outbox.cut();
        assert_eq!(sends(&mut outbox), Some(id(1)));
    }

    #[test]
    fn a_postponed_draft_keeps_its_place_and_a_refused_one_lets_others_pass() {
        let mut outbox = outbox(2);
        sends(&mut outbox);
        outbox.postpone(id(1));
        assert_eq!(sends(&mut outbox), Some(id(1)));
        outbox.refuse(id(1), "No.");
        assert_eq!(sends(&mut outbox), Some(id(2)));
        outbox.retry(id(1));
        assert_eq!(outbox.drafts().map(|draft| draft.id).collect::<Vec<_>>(), [id(2), id(1)]);
    }

    #[test]
    fn only_a_refused_draft_can_be_discarded() {
        let mut outbox = outbox(1);
        outbox.discard(id(1));
        assert!(outbox.holds(id(1)));
        outbox.refuse(id(1), "No.");
        outbox.discard(id(1));
        assert!(outbox.is_empty());
    }

    #[test]
    fn an_acknowledged_draft_stays_until_the_timeline_has_passed_it() {
        let mut outbox = outbox(2);
        sends(&mut outbox);
        outbox.acknowledge(id(1), Seq(5));
        outbox.settle_through(Seq(4));
        assert!(outbox.holds(id(1)));
        outbox.settle_through(Seq(5));
        assert!(!outbox.holds(id(1)));
        assert!(outbox.holds(id(2)));
    }

    #[test]
    fn late_answers_change_nothing() {
        let mut outbox = outbox(1);
        sends(&mut outbox);
        outbox.acknowledge(id(1), Seq(5));
        outbox.refuse(id(1), "Too late.");
        assert_eq!(outbox.drafts().next().map(|draft| draft.state.clone()), Some(DraftState::Sent(Seq(5))));
    }

    #[test]
    fn drafts_of_another_page_come_in_by_their_time_and_never_before_what_is_on_its_way() {
        let said_at = |number: u64| Draft { created: Timestamp(number), ..draft(number) };
        let mut outbox = Outbox::default();
        for number in [20, 30, 25] {
            outbox.add(said_at(number)).expect("there is room");
        }
        sends(&mut outbox);
        outbox.adopt([10, 28, 27, 40].map(said_at).to_vec());
        let order: Vec<_> = outbox.drafts().map(|draft| draft.created.0).collect();
        assert_eq!(order, [20, 10, 28, 27, 30, 25, 40], "each page's own order is kept");
        outbox.hand_over(&[id(28), id(25)]);
        assert_eq!(outbox.len(), 5);
    }

    #[test]
    fn the_two_hundred_and_first_draft_is_not_taken() {
        let mut outbox = outbox(MAX_DRAFTS as u64);
        assert_eq!(outbox.add(draft(0)), Err(Full));
    }
}
