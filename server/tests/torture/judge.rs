//! Compares what clients were told with what the log has in the end.

use app::protocol::{Chat, MessageId, RoomName, Seq, Timestamp};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

/// Cases of one fault that are told; the others are only counted.
const TOLD: usize = 5;

/// A broken promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A message was acknowledged and is not in the log.
    Lost,
    /// A message is in the log at another place, or of another time, than its `Ack` said.
    Moved,
    /// A message in the log does not have the text that was sent under its id.
    Altered,
    /// The log has a message twice.
    Doubled,
    /// The positions of a room are not 1, 2, 3 …
    Hole,
    /// The log has a message that nobody said.
    Strange,
    /// What one author said is not in the author's order.
    OutOfTurn,
    /// A reader did not see each position once, in order.
    Skipped,
    /// A reader saw another message at a position than the log has there.
    Reordered,
    /// A reader saw a message otherwise than the log has it.
    SeenOtherwise,
    /// One message was acknowledged in two ways.
    TwoAnswers,
    /// The server refused something, or said something that has no place here.
    Refused,
}

/// The first answer to a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acked {
    pub(crate) seq: Seq,
    pub(crate) sent: Timestamp,
    /// When the answer came, by the test's clock.
    pub(crate) at: Instant,
}

/// What one person was told, over all connections.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) room: RoomName,
    pub(crate) acked: HashMap<MessageId, Acked>,
    /// What was shown at the positions 1, 2, 3 …
    pub(crate) seen: Vec<Seen>,
    pub(crate) resent: u64,
    pub(crate) cuts: u64,
    pub(crate) gaps: u64,
    /// The longest time from saying something for the first time to its `Ack`.
    pub(crate) slowest_ack: Duration,
    pub(crate) faults: Vec<(Fault, String)>,
}

/// A message as it was shown: its id, and a digest of all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen(MessageId, u64);

impl From<&Chat> for Seen {
    fn from(chat: &Chat) -> Seen {
        let mut digest = DefaultHasher::new();
        (chat.socket.0.as_bytes(), chat.author.as_str(), chat.text.as_str(), chat.sent.0).hash(&mut digest);
        (chat.seq, chat.kind).hash(&mut digest);
        Seen(chat.id, digest.finish())
    }
}

impl Record {
    pub(crate) fn new(room: RoomName) -> Record {
        Record {
            room,
            acked: HashMap::new(),
            seen: Vec::new(),
            resent: 0,
            cuts: 0,
            gaps: 0,
            slowest_ack: Duration::ZERO,
            faults: Vec::new(),
        }
    }

    /// Takes note of an answer. A second one must be equal to the first.
    pub(crate) fn acknowledge(&mut self, id: MessageId, answer: Acked) {
        let first = *self.acked.entry(id).or_insert(answer);
        if (first.seq, first.sent) != (answer.seq, answer.sent) {
            self.faults.push((Fault::TwoAnswers, format!("{id}: first {first:?}, then {answer:?}")));
        }
    }
}

/// The id of the message that an author said as the `number`th; ids of one author are in the order of saying.
pub(crate) fn id_of(author: u32, number: u64) -> MessageId {
    MessageId::new(0, u128::from(author) << 40 | u128::from(number))
}

/// What is said under an id: of many lengths, and never the same.
pub(crate) fn words(id: MessageId) -> String {
    let mut digest = DefaultHasher::new();
    id.hash(&mut digest);
    let length = match digest.finish() {
        long if long % 64 == 0 => 4_000,
        short => short % 200,
    };
    format!("said under {id} {}.", "x".repeat(length as usize))
}

/// Who said what has this id.
fn author_of(id: MessageId) -> String {
    id.as_str()[..MessageId::LENGTH - 8].to_owned()
}

/// What came of a comparison.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) acked: usize,
    faults: BTreeMap<Fault, Vec<String>>,
}

/// Compares the records of everybody with the logs of all rooms.
pub(crate) fn judge(logs: &HashMap<RoomName, Vec<Chat>>, records: &[Record]) -> Verdict {
    let mut verdict = Verdict::default();
    for (room, log) in logs {
        let of_room: Vec<&Record> = records.iter().filter(|record| record.room == *room).collect();
        verdict.look_at_log(log);
        verdict.acked += of_room.iter().map(|record| record.acked.len()).sum::<usize>();
        verdict.compare_acks(room, log, &of_room);
        verdict.compare_readers(log, &of_room);
    }
    for (fault, case) in records.iter().flat_map(|record| &record.faults) {
        verdict.find(*fault, case.clone());
    }
    verdict
}

impl Verdict {
    fn find(&mut self, fault: Fault, case: String) {
        self.faults.entry(fault).or_default().push(case);
    }

    pub(crate) fn count(&self, fault: Fault) -> usize {
        self.faults.get(&fault).map_or(0, Vec::len)
    }

    pub(crate) fn assert_sound(&self) {
        assert!(self.faults.is_empty(), "{self}");
    }

    /// A log by itself: dense, nothing twice, every text under its id, every author in order.
    fn look_at_log(&mut self, log: &[Chat]) {
        let (mut ids, mut latest) = (HashSet::new(), HashMap::new());
        for (chat, expected) in log.iter().zip(1..) {
            let told = || format!("{} at {} in {}", chat.id, chat.seq, chat.room);
            if chat.seq != Seq(expected) {
                self.find(Fault::Hole, format!("{} instead of {expected}", told()));
            }
            if !ids.insert(chat.id) {
                self.find(Fault::Doubled, told());
            }
            if chat.text.as_str() != words(chat.id) {
                self.find(Fault::Altered, told());
            }
            if latest.insert(author_of(chat.id), chat.id).is_some_and(|before| before > chat.id) {
                self.find(Fault::OutOfTurn, told());
            }
        }
    }

    fn compare_acks(&mut self, room: &RoomName, log: &[Chat], records: &[&Record]) {
        let places: HashMap<MessageId, (Seq, Timestamp)> =
            log.iter().map(|chat| (chat.id, (chat.seq, chat.sent))).collect();
        let mut unasked: HashSet<MessageId> = places.keys().copied().collect();
        for (id, acked) in records.iter().flat_map(|record| &record.acked) {
            unasked.remove(id);
            match places.get(id) {
                None => self.find(Fault::Lost, format!("{id}, acknowledged as {} in {room}", acked.seq)),
                Some(place) if *place != (acked.seq, acked.sent) => {
                    self.find(Fault::Moved, format!("{id} in {room}: told {acked:?}, is at {place:?}"));
                }
                Some(_) => {}
            }
        }
        for id in unasked {
            self.find(Fault::Strange, format!("{id} in {room}"));
        }
    }

    fn compare_readers(&mut self, log: &[Chat], records: &[&Record]) {
        let log: Vec<Seen> = log.iter().map(Seen::from).collect();
        for record in records {
            let differs = record.seen.iter().zip(&log).position(|(seen, kept)| seen != kept);
            if let Some(place) = differs {
                let (seen, kept) = (record.seen[place].0, log[place].0);
                let case = format!("position {} of {}: seen {seen}, kept {kept}", place + 1, record.room);
                self.find(if seen == kept { Fault::SeenOtherwise } else { Fault::Reordered }, case);
            } else if record.seen.len() != log.len() {
                let case = format!("{} of {} in {}", record.seen.len(), log.len(), record.room);
                self.find(Fault::Skipped, case);
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.faults.is_empty() {
            return write!(f, "0 lost, doubled, altered or reordered");
        }
        for (fault, cases) in &self.faults {
            writeln!(f, "{fault:?}: {} cases, such as", cases.len())?;
            cases.iter().take(TOLD).try_for_each(|case| writeln!(f, "  {case}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{room, text};
    use app::protocol::{Kind, NickName, SocketId};

    fn chat(author: u32, number: u64, seq: u64) -> Chat {
        let id = id_of(author, number);
        Chat {
            room: room("x"),
            socket: SocketId("a socket".into()),
            author: NickName::parse("ada").expect("a good name"),
            text: text(&words(id)),
            sent: Timestamp(1),
            seq: Seq(seq),
            id,
            kind: Kind::Speech,
        }
    }

    /// Two authors and a reader, and the log that they all saw.
    fn a_good_day() -> (Vec<Chat>, Vec<Record>) {
        let log = vec![chat(1, 1, 1), chat(2, 1, 2), chat(1, 2, 3), chat(2, 2, 4)];
        let mut records: Vec<Record> = (0..3).map(|_| Record::new(room("x"))).collect();
        for chat in &log {
            let author = usize::from(author_of(chat.id) == author_of(id_of(2, 0)));
            let answer = Acked { seq: chat.seq, sent: chat.sent, at: Instant::now() };
            records[author].acknowledge(chat.id, answer);
            records.iter_mut().for_each(|record| record.seen.push(chat.into()));
        }
        (log, records)
    }

    /// Judges a good day to which something was done, and answers which faults are found.
    fn faults_after(harm: impl FnOnce(&mut Vec<Chat>, &mut [Record])) -> Vec<Fault> {
        let (mut log, mut records) = a_good_day();
        harm(&mut log, &mut records);
        judge(&HashMap::from([(room("x"), log)]), &records).faults.into_keys().collect()
    }

    #[test]
    fn a_good_day_has_no_faults() {
        let (log, records) = a_good_day();
        let verdict = judge(&HashMap::from([(room("x"), log)]), &records);
        verdict.assert_sound();
        assert_eq!(verdict.acked, 4);
    }

    #[test]
    fn every_harm_is_found() {
        use Fault::*;
        let cut = |log: &mut Vec<Chat>, records: &mut [Record]| {
            log.pop();
            records.iter_mut().for_each(|record| _ = record.seen.pop());
        };
        assert_eq!(faults_after(cut), [Lost]);
        assert_eq!(faults_after(|log, _| _ = log.remove(0)), [Lost, Hole, Reordered]);
        assert_eq!(faults_after(|log, _| log.push(chat(2, 2, 5))), [Moved, Doubled, Skipped]);
        assert_eq!(faults_after(|log, _| log.push(chat(3, 1, 5))), [Strange, Skipped]);
        assert_eq!(faults_after(|log, _| log[0].sent = Timestamp(2)), [Moved, SeenOtherwise]);
        assert_eq!(faults_after(|log, _| log[0].text = text("other")), [Altered, SeenOtherwise]);
        assert_eq!(faults_after(|log, _| log[0].author = NickName::parse("bo").expect("good")), [SeenOtherwise]);
        assert_eq!(faults_after(|_, records| _ = records[2].seen.pop()), [Skipped]);
        assert_eq!(faults_after(|_, records| records[2].seen.swap(0, 1)), [Reordered]);
        let turned = |log: &mut Vec<Chat>, _: &mut [Record]| {
            (log[0], log[2]) = (chat(1, 2, 1), chat(1, 1, 3));
        };
        assert_eq!(faults_after(turned), [Moved, OutOfTurn, Reordered]);
        let answered = |_: &mut Vec<Chat>, records: &mut [Record]| {
            records[0].acknowledge(id_of(1, 1), Acked { seq: Seq(9), sent: Timestamp(1), at: Instant::now() });
        };
        assert_eq!(faults_after(answered), [TwoAnswers]);
    }
}
